//! Bytes per second of reading the records of one WAL segment: headers, links, CRC and the
//! parts of each record. Beside pg_waldump on real WAL: `benches/peer`.
#![allow(missing_docs)]

#[path = "../tests/support/wal.rs"]
mod wal;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pgautopsy::format::Major;
use pgautopsy::format::types::XLogRecPtr;
use pgautopsy::recovery::reader::{Position, WalReader};
use std::hint::black_box;
use wal::{WalWriter, context, layout, version};

const PAGE: u32 = 8192;
const SEGMENT: u32 = 16 << 20;

/// Fills a segment: mostly the short records of a busy server, and now and then one as long
/// as a full-page image.
fn fill(writer: &mut WalWriter, start: u64) {
    let short: Vec<u8> = (0..=255).collect();
    let long = vec![0x5A; 6000];
    let end = start + u64::from(SEGMENT);
    for n in 0_u32.. {
        let main = match n % 40 {
            0 => &long[..],
            n => &short[..(20 + n as usize * 5)],
        };
        if writer.insert(10, 0x20, 700 + n, main).end.0 >= end - 2 * u64::from(PAGE) {
            return;
        }
    }
}

fn segment(c: &mut Criterion) {
    let mut group = c.benchmark_group("wal segment");
    for major in [Major::V9_2, Major::V9_4, Major::V15] {
        let layout = layout(version(major), PAGE, SEGMENT);
        let context = context(layout);
        let start = u64::from(SEGMENT);
        let mut writer = WalWriter::new(layout, start);
        fill(&mut writer, start);
        let first = WalReader::new(
            &context,
            &writer.segments,
            Position::at(XLogRecPtr::INVALID),
        )
        .find_first_in_segment(1)
        .unwrap()
        .unwrap();
        let read = || {
            let mut reader = WalReader::new(&context, &writer.segments, Position::at(first));
            let mut records = 0_u64;
            while reader.read().is_ok() {
                records += 1;
            }
            (records, reader.next().0 - first.0)
        };
        let (records, bytes) = read();
        assert!(records > 50_000, "{major}: {records}");
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(major.to_string(), |b| b.iter(|| black_box(read())));
    }
    group.finish();
}

criterion_group!(benches, segment);
criterion_main!(benches);
