//! Bytes per second of what the scan does with every page.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pgautopsy::format::cause::explain;
use pgautopsy::format::checksum::page_checksum;
use pgautopsy::format::heap::HeapTuples;
use pgautopsy::format::page::is_zeroed;
use pgautopsy::format::{Layout, Major, Version};
use std::hint::black_box;

/// A heap page of `n` tuples with five attributes, as an INSERT leaves them.
fn heap_page(n: u16) -> Vec<u8> {
    let mut page = vec![0; 8192];
    let len: u16 = 40;
    let mut upper = 8192;
    for i in 0..n {
        upper -= len;
        let at = usize::from(upper);
        let lp = u32::from(upper) | 1 << 15 | u32::from(len) << 17;
        let lp_at = 24 + 4 * usize::from(i);
        page[lp_at..lp_at + 4].copy_from_slice(&lp.to_le_bytes());
        page[at..at + 4].copy_from_slice(&(700 + u32::from(i)).to_le_bytes());
        page[at + 16..at + 18].copy_from_slice(&(i + 1).to_le_bytes());
        page[at + 18] = 5;
        page[at + 20..at + 22].copy_from_slice(&0x0902_u16.to_le_bytes());
        page[at + 22] = 24;
        page[at + 24..at + 28].copy_from_slice(&u32::from(i).to_le_bytes());
    }
    page[12..14].copy_from_slice(&(24 + 4 * n).to_le_bytes());
    page[14..16].copy_from_slice(&upper.to_le_bytes());
    page[16..20].copy_from_slice(&[0, 0x20, 4, 0x20]);
    let sum = page_checksum(&page, 0);
    page[8..10].copy_from_slice(&sum.to_le_bytes());
    page
}

fn checksum(c: &mut Criterion) {
    // 4 MB: beyond the second-level cache, as pages from a file are.
    let pages: Vec<u8> = heap_page(180).repeat(512);
    let mut group = c.benchmark_group("page");
    group.throughput(Throughput::Bytes(pages.len() as u64));
    group.bench_function("checksum", |b| {
        b.iter(|| {
            black_box(&pages)
                .chunks_exact(8192)
                .fold(0, |x, page| x ^ page_checksum(page, 7))
        });
    });
    let zeroes = vec![0; pages.len()];
    group.bench_function("is_zeroed", |b| b.iter(|| is_zeroed(black_box(&zeroes))));
    group.finish();

    let layout = Layout::usual(Version::of(Major::V15).unwrap());
    let mut bad = heap_page(180);
    bad[5000] ^= 4;
    c.bench_function("explain", |b| {
        b.iter(|| explain(black_box(&bad), 0, 100, &layout));
    });
}

fn heap(c: &mut Criterion) {
    let layout = Layout::usual(Version::of(Major::V15).unwrap());
    let mut room = HeapTuples::new(&layout);
    let mut group = c.benchmark_group("heap");
    for n in [60, 180] {
        let page = heap_page(n);
        group.throughput(Throughput::Elements(u64::from(n)));
        group.bench_function(format!("{n} tuples: read"), |b| {
            b.iter(|| room.read(black_box(&page)).unwrap().tuples.len());
        });
        let mut room = HeapTuples::new(&layout);
        let heap = room.read(&page).unwrap();
        group.bench_function(format!("{n} tuples: line pointers"), |b| {
            b.iter(|| {
                let mut faults = 0;
                black_box(&heap).line_pointer_faults(|_, _| faults += 1);
                faults
            });
        });
        group.bench_function(format!("{n} tuples: headers"), |b| {
            b.iter(|| {
                let mut faults = 0;
                for t in black_box(&heap).tuples {
                    t.header.faults(t.lp.lp_len(), &layout, |_| faults += 1);
                }
                faults
            });
        });
    }
    group.finish();
}

criterion_group!(benches, checksum, heap);
criterion_main!(benches);
