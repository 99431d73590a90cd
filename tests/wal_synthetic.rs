//! The WAL reader against WAL made by `support/wal.rs`, whose writer shares no code with it:
//! how records lie on pages in each era, and the exact reason for each way to stop, as
//! PostgreSQL's own `src/test/recovery/t/039_end_of_wal.pl` has them.

#[path = "support/wal.rs"]
mod wal;

use pgautopsy::format::types::XLogRecPtr;
use pgautopsy::format::version::{Major, VERSIONS};
use pgautopsy::recovery::reader::Position;
use pgautopsy::recovery::stop::StopCause;
use pgautopsy::recovery::timeline::Timelines;
use pgautopsy::recovery::walk::normalize;
use proptest::prelude::*;
use wal::{WalWriter, context, layout, read_in_parallel, read_in_sequence, version};

#[derive(Clone, Debug)]
enum Op {
    /// Main data of so many bytes.
    Insert(usize),
    /// Main data up to so many bytes before the end of the page.
    Fill(usize),
    Switch,
    /// Torn after so many pages.
    Torn(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1_usize..4000).prop_map(Op::Insert),
        4 => (1_usize..80).prop_map(Op::Insert),
        4 => (0_usize..10).prop_map(|words| Op::Fill(words * 8)),
        1 => Just(Op::Switch),
        1 => (600_usize..4000, 1_usize..3).prop_map(|(len, pages)| Op::Torn(len, pages)),
    ]
}

fn play(writer: &mut WalWriter, ops: &[Op]) {
    for (number, op) in (0_u8..).zip(ops) {
        let payload = |len| vec![number.wrapping_mul(37); len];
        match *op {
            Op::Insert(len) => {
                writer.insert(10, number & 0xF0, u32::from(number), &payload(len));
            }
            Op::Fill(spare) => {
                let page = u64::from(writer.layout.xlog_blcksz);
                let at = writer.seek();
                let room = (page - at % page) as usize;
                // Whatever fits behind the header and the bytes that announce main data.
                let around = writer.header_size() + 2 + spare;
                if room > around && room - around <= 255 {
                    writer.insert(10, 0, 9, &payload(room - around));
                }
            }
            Op::Switch => {
                writer.switch();
            }
            Op::Torn(len, pages) => {
                // The versions whose last minors know the flag.
                if writer.layout.since(Major::V9_6) {
                    writer.insert_torn(&payload(len), pages);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_record_is_read_wherever_pages_and_segments_split_it(
        v in 0..VERSIONS.len(),
        page in 0_u32..3,
        pages in 2_u32..5,
        offset in 0_u64..60,
        ops in prop::collection::vec(op(), 1..40),
    ) {
        let page = 512 << page;
        let layout = layout(&VERSIONS[v], page, page << pages);
        let context = context(layout);
        let start = u64::from(layout.wal_segsz) * 5 + 40 + offset * 8;
        let mut writer = WalWriter::new(layout, start);
        play(&mut writer, &ops);
        prop_assume!(!writer.records.is_empty());
        let begin = Position::at(writer.records[0].lsn);
        let (records, position, stop) = read_in_sequence(&context, &writer.segments, begin);
        prop_assert_eq!(&records, &writer.records);
        let end = XLogRecPtr(writer.at);
        prop_assert_eq!(normalize(&context, position.next), normalize(&context, end));
        prop_assert_eq!(position.last, Some(XLogRecPtr(writer.prev)));
        // Behind it lie zeros: of a page begun, of a page not begun, or no file.
        let at = normalize(&context, end);
        let on_begun_page = !end.0.is_multiple_of(u64::from(page))
            && at.0 / u64::from(page) == end.0 / u64::from(page);
        match stop.cause {
            StopCause::ZeroLength => prop_assert!(on_begun_page && !layout.since(Major::V9_5)),
            StopCause::Length { expected: 24, found: 0 } => {
                prop_assert!(on_begun_page && layout.since(Major::V9_5));
            }
            // Of a header split between two pages the first bytes are looked at alone.
            StopCause::Length { expected: 32, found: 0 } => {
                prop_assert!(on_begun_page && u64::from(page) - at.0 % u64::from(page) < 32);
                prop_assert!(layout.since(Major::V9_3) && !layout.since(Major::V9_5));
            }
            StopCause::Magic { found: 0, .. } => prop_assert!(!on_begun_page),
            StopCause::MissingSegment { .. } => {
                let next = writer.segno(at.0);
                prop_assert!(!writer.segments.files.contains_key(&(1, next)));
            }
            other => prop_assert!(false, "{other:?}"),
        }
        let (parallel, end) = read_in_parallel(&context, &writer.segments, begin);
        prop_assert_eq!(&parallel, &writer.records);
        prop_assert_eq!(end.position, position);
        prop_assert_eq!(end.stop.map(|stop| stop.lsn), Some(stop.lsn));
    }

    #[test]
    fn the_same_records_come_out_of_pages_of_any_size(
        v in 0..VERSIONS.len(),
        lens in prop::collection::vec(1_usize..3000, 1..20),
        offsets in prop::collection::vec(0_u64..60, 2),
    ) {
        let ops: Vec<Op> = lens.into_iter().map(Op::Insert).collect();
        let contents = |page: u32, offset: u64| {
            let layout = layout(&VERSIONS[v], page, page * 8);
            let mut writer = WalWriter::new(layout, u64::from(page) * 16 + 40 + offset * 8);
            play(&mut writer, &ops);
            let begin = Position::at(writer.records[0].lsn);
            let context = context(layout);
            let (records, ..) = read_in_sequence(&context, &writer.segments, begin);
            let size = writer.header_size();
            records
                .into_iter()
                .map(|r| (r.rmid, r.info, r.xid, r.bytes[size..].to_vec()))
                .collect::<Vec<_>>()
        };
        let small = contents(512, offsets[0]);
        prop_assert_eq!(small.len(), ops.len());
        prop_assert_eq!(small, contents(8192, offsets[1]));
    }
}

/// Up to 9.2 the segment from FF000000 on is not used (0/FEFFFEE0 is followed by 1/20 in
/// WAL of real 9.0 and 9.2 servers).
#[test]
fn the_last_segment_of_4_gb_is_passed_over_up_to_9_2() {
    for row in &VERSIONS {
        let layout = layout(row, 8192, 16 << 20);
        let context = context(layout);
        let mut writer = WalWriter::new(layout, 0xFEFF_FE00);
        writer.insert(10, 0, 3, &[1; 192]);
        let last = writer.insert(10, 0, 3, &[2; 232]);
        let next = writer.insert(10, 0, 3, &[3; 9000]);
        let after = writer.insert(10, 0, 3, &[4; 10]);
        if row.since(Major::V9_3) {
            assert_eq!(next.lsn.0 >> 24, 0xFE);
            assert_eq!(after.lsn.high(), 0);
            assert_eq!(after.lsn.0 >> 24, 0xFF);
        } else {
            assert_eq!(last.lsn, XLogRecPtr(0xFEFF_FEE0));
            assert_eq!(next.lsn, XLogRecPtr(0x1_0000_0020), "{}", row.major);
            assert_eq!(after.lsn.high(), 1);
        }
        let begin = Position::at(writer.records[0].lsn);
        let (records, position, _) = read_in_sequence(&context, &writer.segments, begin);
        assert_eq!(records, writer.records, "{}", row.major);
        let (parallel, end) = read_in_parallel(&context, &writer.segments, begin);
        assert_eq!(parallel, writer.records);
        assert_eq!(end.position, position);
    }
}

#[test]
fn a_split_record_that_recovery_gave_up_is_passed_over() {
    for row in VERSIONS.iter().filter(|row| row.since(Major::V9_6)) {
        for pages in 1..4 {
            let layout = layout(row, 1024, 4096);
            let mut writer = WalWriter::new(layout, 8192);
            let before = writer.insert(10, 0, 3, &[1; 50]);
            let note = writer.insert_torn(&[2; 6000], pages).unwrap();
            writer.insert(10, 0, 3, &[3; 50]);
            assert_eq!(note.prev, before.lsn);
            assert_eq!(note.lsn.0 / 1024, 8 + pages as u64);
            let begin = Position::at(before.lsn);
            let (records, ..) = read_in_sequence(&context(layout), &writer.segments, begin);
            assert_eq!(records, writer.records, "{} {pages}", row.major);
        }
    }
}

/// What a server of that version says of WAL that `edit` has damaged, and whether it was in
/// the middle of a split record. There are two short records at the start of segment 3 and
/// one that goes on to the next page; `edit` is told where each of them starts.
fn stop_of(
    major: Major,
    from: Option<u64>,
    timelines: &Timelines,
    edit: impl FnOnce(&mut WalWriter, [u64; 3]),
) -> Option<String> {
    let layout = layout(version(major), 8192, 65536);
    let mut context = context(layout);
    context.timelines = timelines.clone();
    let mut writer = WalWriter::new(layout, SEGMENT);
    let first = writer.insert(10, 0, 3, &[1; 100]).lsn.0;
    let second = writer.insert(10, 0, 3, &[2; 100]).lsn.0;
    let third = writer.insert(10, 0, 3, &[3; 9000]).lsn.0;
    edit(&mut writer, [first, second, third]);
    let begin = Position::at(XLogRecPtr(from.unwrap_or(first)));
    let (_, position, stop) = read_in_sequence(&context, &writer.segments, begin);
    let (_, end) = read_in_parallel(&context, &writer.segments, begin);
    assert_eq!(end.position, position);
    assert_eq!(end.stop.as_ref(), Some(&stop));
    stop.message(context.layout.version)
}

const SEGMENT: u64 = 3 * 65536;
const PAGE: u64 = SEGMENT + 8192;

/// As the version prints it.
fn text(major: Major, lsn: u64) -> String {
    if major >= Major::V19 {
        format!("{:X}/{:08X}", lsn >> 32, lsn as u32)
    } else {
        format!("{:X}/{:X}", lsn >> 32, lsn as u32)
    }
}

/// How the version names a page of segment 3.
fn place(major: Major, lsn: u64) -> String {
    let offset = lsn - SEGMENT;
    if major >= Major::V16 {
        format!(
            "in WAL segment 000000010000000000000003, LSN {}, offset {offset}",
            text(major, lsn)
        )
    } else if major >= Major::V9_3 {
        format!("in log segment 000000010000000000000003, offset {offset}")
    } else {
        format!("in log file 0, segment 3, offset {offset}")
    }
}

fn put(writer: &mut WalWriter, at: u64, bytes: &[u8]) {
    writer.bytes_at(at)[..bytes.len()].copy_from_slice(bytes);
}

/// Where a field of the record header lies: up to 9.2, 9.3 and 9.4, later.
fn field(major: Major, old: u64, middle: u64, new: u64) -> u64 {
    if major >= Major::V9_5 {
        new
    } else if major >= Major::V9_3 {
        middle
    } else {
        old
    }
}

fn majors() -> impl Iterator<Item = Major> {
    VERSIONS.iter().map(|row| row.major)
}

#[test]
fn records_that_end_the_wal() {
    let one = Timelines::single(1);
    for major in majors() {
        let old = major < Major::V9_5;
        let at = |lsn| text(major, lsn);
        let mut end = 0;
        let zeros = stop_of(major, None, &one, |w, _| end = w.at).unwrap();
        let expected = match major {
            _ if old => format!("record with zero length at {}", at(end)),
            Major::V9_5 => format!("invalid record length at {}", at(end)),
            m if m < Major::V16 => {
                format!("invalid record length at {}: wanted 24, got 0", at(end))
            }
            _ => format!(
                "invalid record length at {}: expected at least 24, got 0",
                at(end)
            ),
        };
        assert_eq!(zeros, expected);

        let mut second = 0;
        let length = stop_of(major, None, &one, |w, lsns| {
            second = lsns[1];
            let at = lsns[1] + field(major, 16, 0, 0);
            put(w, at, &23_u32.to_le_bytes());
        })
        .unwrap();
        let expected = match major {
            m if m < Major::V9_6 => format!("invalid record length at {}", at(second)),
            m if m < Major::V16 => {
                format!("invalid record length at {}: wanted 24, got 23", at(second))
            }
            _ => format!(
                "invalid record length at {}: expected at least 24, got 23",
                at(second)
            ),
        };
        assert_eq!(length, expected);

        let of_second = |edit: &dyn Fn(&mut WalWriter, u64)| {
            stop_of(major, None, &one, |w, lsns| edit(w, lsns[1])).unwrap()
        };
        let rmgr = of_second(&|w, lsn| put(w, lsn + field(major, 25, 13, 17), &[99]));
        assert_eq!(
            rmgr,
            format!("invalid resource manager ID 99 at {}", at(second))
        );
        // The low half of xl_prev.
        let prev = of_second(&|w, lsn| put(w, lsn + field(major, 8, 16, 8), &[0x10, 0, 0, 0]));
        let expected = format!(
            "record with incorrect prev-link {} at {}",
            at(0x10),
            at(second)
        );
        assert_eq!(prev, expected);
        let crc = of_second(&|w, lsn| put(w, lsn + 60, &[0xFF]));
        let expected = format!(
            "incorrect resource manager data checksum in record at {}",
            at(second)
        );
        assert_eq!(crc, expected);

        // The first record that is read may follow any earlier one.
        let prev = stop_of(major, None, &one, |w, lsns| {
            let lsn = lsns[0];
            put(w, lsn + field(major, 8, 16, 8), &(lsn as u32).to_le_bytes());
        });
        let lsn = SEGMENT + if major < Major::V9_3 { 32 } else { 40 };
        let expected = format!("record with incorrect prev-link {} at {}", at(lsn), at(lsn));
        assert_eq!(prev, Some(expected));

        if old {
            let mut lsn = 0;
            let switch = stop_of(major, None, &one, |w, _| {
                lsn = w.insert(0, 0x40, 0, &[1; 8]).lsn.0;
            });
            let expected = format!("invalid xlog switch record at {}", at(lsn));
            assert_eq!(switch, Some(expected));
        }
    }
}

#[test]
fn pages_that_end_the_wal() {
    let one = Timelines::single(1);
    for major in majors() {
        let header = if major < Major::V9_3 { 16 } else { 24 };
        let third = {
            let mut third = 0;
            stop_of(major, None, &one, |_, lsns| third = lsns[2]);
            third
        };
        let at = text(major, third);
        let edited = |page: u64, offset: u64, bytes: &[u8]| {
            stop_of(major, None, &one, |w, _| put(w, page + offset, bytes)).unwrap()
        };
        for page in [SEGMENT, PAGE] {
            assert_eq!(
                edited(page, 0, &[0, 0]),
                format!("invalid magic number 0000 {}", place(major, page))
            );
            assert_eq!(
                edited(page, 2, &[0x23, 0x80]),
                format!("invalid info bits 8023 {}", place(major, page))
            );
            let found = text(major, 0x1_2000);
            let bytes = if major < Major::V9_3 {
                [0, 0, 0, 0, 0, 0x20, 1, 0]
            } else {
                [0, 0x20, 1, 0, 0, 0, 0, 0]
            };
            assert_eq!(
                edited(page, 8, &bytes),
                format!("unexpected pageaddr {found} {}", place(major, page))
            );
            assert_eq!(
                edited(page, 4, &[9, 0, 0, 0]),
                format!("unexpected timeline ID 9 {}", place(major, page))
            );
        }
        assert_eq!(
            edited(SEGMENT, 2, &[0, 0]),
            format!("invalid info bits 0000 {}", place(major, SEGMENT)),
            "a segment begins with the long header"
        );
        let reason = |new: &str| match major {
            m if m >= Major::V9_5 => {
                format!("WAL file is from different database system: {new}")
            }
            m if m >= Major::V9_3 => format!(
                "WAL file is from different database system: {}.",
                new.replacen("incorrect", "Incorrect", 1)
            ),
            _ => "WAL file is from different database system".to_owned(),
        };
        let size = if major >= Major::V11 {
            "incorrect segment size in page header"
        } else {
            "incorrect XLOG_SEG_SIZE in page header"
        };
        assert_eq!(
            edited(SEGMENT, header, &[7, 0, 0, 0, 0, 0, 0, 0]),
            reason(&format!(
                "WAL file database system identifier is 7, pg_control database system \
                 identifier is {}",
                wal::SYSTEM_IDENTIFIER
            ))
        );
        assert_eq!(edited(SEGMENT, header + 8, &[1]), reason(size));
        assert_eq!(
            edited(SEGMENT, header + 12, &[1]),
            reason("incorrect XLOG_BLCKSZ in page header")
        );

        // The rest of a split record.
        let flag = edited(PAGE, 2, &[0, 0]);
        let expected = if major < Major::V9_3 {
            format!("there is no contrecord flag {}", place(major, PAGE))
        } else {
            format!("there is no contrecord flag at {at}")
        };
        assert_eq!(flag, expected);
        let mut left = 0;
        stop_of(major, None, &one, |w, lsns| {
            let size = w.header_size() as u64 + 9000 + u64::from(major >= Major::V9_5) * 5;
            left = size - (PAGE - lsns[2]);
        });
        for wrong in [0, left - 1, left + 1] {
            // Behind the page header up to 9.2, within it later.
            let length = edited(PAGE, 16, &(wrong as u32).to_le_bytes());
            let expected = if major < Major::V9_3 {
                format!("invalid contrecord length {wrong} {}", place(major, PAGE))
            } else if major < Major::V14 {
                format!("invalid contrecord length {wrong} at {at}")
            } else {
                format!("invalid contrecord length {wrong} (expected {left}) at {at}")
            };
            assert_eq!(length, expected, "{major}");
        }

        // Reading starts where no record does.
        let inside = stop_of(major, Some(PAGE + 8), &one, |_, _| {}).unwrap();
        let inside_at = text(major, PAGE + 8);
        let expected = if major < Major::V16 {
            format!("invalid record offset at {inside_at}")
        } else {
            format!("invalid record offset at {inside_at}: expected at least 24, got 8")
        };
        assert_eq!(inside, expected);
        let requested = stop_of(major, Some(PAGE), &one, |_, _| {}).unwrap();
        let expected = format!("contrecord is requested by {}", text(major, PAGE + header));
        assert_eq!(requested, expected);
    }
}

#[test]
fn files_that_end_the_wal() {
    let one = Timelines::single(1);
    for major in majors() {
        let short = stop_of(major, None, &one, |w, _| {
            w.segments
                .files
                .get_mut(&(1, 3))
                .unwrap()
                .truncate(8192 + 100);
        });
        let expected = if major < Major::V12 {
            format!("could not read from {}: Success", &place(major, PAGE)[3..])
        } else {
            format!(
                "could not read from {}: read 100 of 8192",
                &place(major, PAGE)[3..]
            )
        };
        assert_eq!(short, Some(expected));
        let missing = stop_of(major, None, &one, |w, _| {
            w.switch();
            w.switch();
            w.segments.files.remove(&(1, 4));
        });
        assert_eq!(missing, None, "the server says nothing");
    }
}

#[test]
fn timelines_only_rise() {
    let fork = Some(XLogRecPtr(SEGMENT));
    let timelines = Timelines::new(2, &[(1, fork)]);
    for major in majors() {
        let message = stop_of(major, None, &timelines, |w, _| {
            put(w, SEGMENT + 4, &[2, 0, 0, 0]);
        });
        let expected = format!(
            "out-of-sequence timeline ID 1 (after 2) {}",
            place(major, PAGE)
        );
        assert_eq!(message, Some(expected));
        let risen = stop_of(major, None, &timelines, |w, _| {
            put(w, PAGE + 4, &[2, 0, 0, 0]);
        });
        assert!(risen.unwrap().contains("length"), "{major}");
    }
}

#[test]
fn recovery_follows_a_timeline_that_branched_off_within_a_segment() {
    for row in &VERSIONS {
        let layout = layout(row, 1024, 8192);
        let mut writer = WalWriter::new(layout, 8192 * 7);
        for len in [100, 3000, 6000] {
            writer.insert(10, 0, 3, &vec![1; len]);
        }
        let fork = XLogRecPtr(writer.seek());
        let old = writer.insert(10, 0, 3, &[7; 40]);
        writer.at = fork.0;
        writer.prev = old.prev.0;
        writer.records.pop();
        writer.switch_timeline(2);
        for len in [500, 9000, 20] {
            writer.insert(10, 0, 4, &vec![2; len]);
        }
        let mut context = context(layout);
        context.timelines = Timelines::new(2, &[(1, Some(fork))]);
        let begin = Position::at(writer.records[0].lsn);
        let (records, position, _) = read_in_sequence(&context, &writer.segments, begin);
        assert_eq!(records, writer.records, "{}", row.major);
        let (parallel, end) = read_in_parallel(&context, &writer.segments, begin);
        assert_eq!(parallel, records);
        assert_eq!(end.position, position);

        // Without the history the old timeline is all there is.
        context.timelines = Timelines::single(1);
        let (records, ..) = read_in_sequence(&context, &writer.segments, begin);
        assert_eq!(records.last(), Some(&old));
    }
}

/// With a right CRC, so that the blocks themselves are at fault.
#[test]
fn payloads_that_end_the_wal() {
    let one = Timelines::single(1);
    let of_payload = |major, info, main_len, payload: &[u8]| {
        let mut lsn = 0;
        // From 15 on the messages name the last record that was good.
        let message = stop_of(major, None, &one, |w, lsns| {
            let bad = w.insert_raw(10, info, 3, main_len, payload).lsn.0;
            lsn = if major >= Major::V15 { lsns[2] } else { bad };
        });
        let message = message.unwrap();
        let at = format!(" at {}", text(major, lsn));
        message.strip_suffix(&at).unwrap_or(&message).to_owned()
    };
    for major in majors().filter(|major| *major < Major::V9_5) {
        let mut block = vec![0; 8 + 24 + 8192];
        let what = if major >= Major::V9_3 {
            "invalid backup block size in record"
        } else {
            "incorrect total length in record"
        };
        assert_eq!(of_payload(major, 0x08, 8, &block[..8 + 20]), what);
        assert_eq!(of_payload(major, 0x08, 8, &block[..8 + 24 + 8191]), what);
        assert_eq!(
            of_payload(major, 0, 8, &[0; 16]),
            "incorrect total length in record"
        );
        // hole_offset and hole_length
        block[8 + 20..8 + 24].copy_from_slice(&[0, 0x20, 1, 0]);
        assert_eq!(
            of_payload(major, 0x08, 8, &block),
            "incorrect hole size in record"
        );
    }
    for major in majors().filter(|major| *major >= Major::V9_5) {
        let compressed = if major >= Major::V15 { 4 } else { 2 };
        let compressed_name = if major >= Major::V15 {
            "BKPIMAGE_COMPRESSED"
        } else {
            "BKPIMAGE_IS_COMPRESSED"
        };
        let locator = [1; 16];
        let block = |id: u8, flags: u8, data: u16, image: &[u8]| {
            let mut bytes = vec![id, flags];
            bytes.extend(data.to_le_bytes());
            bytes.extend(image);
            bytes.extend(locator);
            // Room, so that all of this is taken for headers.
            bytes.extend([0; 64]);
            bytes
        };
        let image = |len: u16, hole: u16, info: u8| {
            let mut bytes = Vec::new();
            bytes.extend(len.to_le_bytes());
            bytes.extend(hole.to_le_bytes());
            bytes.push(info);
            bytes
        };
        let same = |payload: &[u8], expected: &str| {
            assert_eq!(of_payload(major, 0, 0, payload), expected, "{major}");
        };
        same(&[100, 0, 0, 0], "invalid block_id 100");
        if major < Major::V14 {
            same(&[252, 0, 0, 0, 0, 0, 0], "invalid block_id 252");
        }
        same(
            &block(0, 0x20, 0, &[]),
            "BKPBLOCK_HAS_DATA set, but no data included",
        );
        same(
            &block(0, 0, 5, &[]),
            "BKPBLOCK_HAS_DATA not set, but data length is 5",
        );
        same(
            &block(0, 0x80, 0, &[]),
            "BKPBLOCK_SAME_REL set but no previous rel",
        );
        let mut two = vec![1, 0, 0, 0];
        two.extend(locator);
        two.extend(block(1, 0, 0, &[]));
        same(&two, "out-of-order block_id 1");
        same(
            &block(0, 0x10, 0, &image(8192, 8, 1)),
            "BKPIMAGE_HAS_HOLE set, but hole offset 8 length 0 block image length 8192",
        );
        same(
            &block(0, 0x10, 0, &image(8000, 0, 1)),
            "BKPIMAGE_HAS_HOLE set, but hole offset 0 length 192 block image length 8000",
        );
        same(
            &block(0, 0x10, 0, &image(8192, 8, 0)),
            "BKPIMAGE_HAS_HOLE not set, but hole offset 8 length 0",
        );
        same(
            &block(0, 0x10, 0, &image(8192, 0, compressed)),
            &format!("{compressed_name} set, but block image length 8192"),
        );
        // Data announced that is not there.
        same(&[255, 200, 1, 2, 3], "record with invalid length");
    }
}

/// A segment is read again where the parallel walk has to go on in its middle; pages seen
/// before then must not be held against those after them.
#[test]
fn reading_a_segment_again_gives_the_same_reason_to_stop() {
    for row in &VERSIONS {
        let layout = layout(row, 1024, 4096);
        let mut writer = WalWriter::new(layout, 4096 * 5);
        // Over into the second page of the next segment.
        let first = writer.insert(10, 0, 3, &[1; 4096 + 1500]);
        assert_eq!(first.end.0 / 1024, 6 * 4 + 1);
        put(&mut writer, 4096 * 6 + 4, &[2, 0, 0, 0]);
        put(&mut writer, 4096 * 6 + 1024 + 4, &[3, 0, 0, 0]);
        let mut context = context(layout);
        let fork = Some(XLogRecPtr(4096 * 5));
        context.timelines = Timelines::new(3, &[(1, fork), (2, fork)]);
        let begin = Position::at(first.lsn);
        let (records, position, stop) = read_in_sequence(&context, &writer.segments, begin);
        assert_eq!(records.len(), 1);
        let (_, end) = read_in_parallel(&context, &writer.segments, begin);
        assert_eq!(end.position, position);
        assert_eq!(end.stop, Some(stop), "{}", row.major);
    }
}
