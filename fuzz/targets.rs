//! What is fuzzed: one function for each target, which panics when a promise is broken.
//!
//! Each file in `fuzz_targets/` hands libFuzzer's input to the function of its name;
//! `tests/fuzz_regressions.rs` hands them the inputs of `regressions/`. Beyond survival they
//! ask for what is cheap to ask: ranges that lie inside the input, names that are read back
//! as they were printed, reports without control characters, and the same records from WAL
//! whether it is read in parallel or in one go.

use pgautopsy::check::{CheckError, Options, check};
use pgautopsy::checks::compressed_data_invalid;
use pgautopsy::cluster::names::NameHistory;
use pgautopsy::cluster::replay::replay_blocks;
use pgautopsy::finding::Severity;
use pgautopsy::format::backup_label::{BackupLabel, parse_tablespace_map};
use pgautopsy::format::catalog::{PgAttribute, PgClass, PgDatabase, PgNamed};
use pgautopsy::format::checkpoint::CheckPoint;
use pgautopsy::format::compressed::inflate;
use pgautopsy::format::control::{ControlFile, ControlReading};
use pgautopsy::format::crc::Crc;
use pgautopsy::format::datum::{Encoding, ValueType};
use pgautopsy::format::fsm::{self, FsmPage};
use pgautopsy::format::heap::{HeapTupleHeader, HeapTuples, line_pointer_offset};
use pgautopsy::format::history::TimeLineHistory;
use pgautopsy::format::index::{Meta, Special};
use pgautopsy::format::names::{RelFileName, WalSegmentName};
use pgautopsy::format::page::{
    PageHeader, line_pointer, line_pointers, page_faults, server_accepts,
    server_accepts_checksummed,
};
use pgautopsy::format::pgversion::PgVersion;
use pgautopsy::format::relmap::RelMap;
use pgautopsy::format::replorigin::ReplicationOrigins;
use pgautopsy::format::slot::SlotState;
use pgautopsy::format::slru::{self, Slru, parse_segment_name};
use pgautopsy::format::toast::{Chunk, ToastValue, max_chunk_size};
use pgautopsy::format::tuple::{COMPRESSED_HEADER_SIZE, Compression, Stored, TupleDesc, Value};
use pgautopsy::format::twophase::{TwoPhaseFile, TwoPhaseState};
use pgautopsy::format::types::{ForkNumber, XLogRecPtr};
use pgautopsy::format::version::{Layout, Major, VERSIONS, Version};
use pgautopsy::format::wal::effects::effects;
use pgautopsy::format::wal::record::{Decoder, RecordHeader, crc_of};
use pgautopsy::format::wal::{WalGeometry, WalPageHeader, rmgr};
use pgautopsy::format::{cause, checksum, pglz, vm};
use pgautopsy::messages::log::{read, read_pasted};
use pgautopsy::messages::{nearest, recognise};
use pgautopsy::pgdata::{Evidence, IoMode, classify, classify_archived, classify_wal};
use pgautopsy::recovery::beyond::beyond;
use pgautopsy::recovery::dump::{Met, dump};
use pgautopsy::recovery::events::{Wanted, events};
use pgautopsy::recovery::plan::{Counters, Plan};
use pgautopsy::recovery::reader::{Position, WalContext};
use pgautopsy::recovery::source::EvidenceWal;
use pgautopsy::recovery::timeline::Timelines;
use pgautopsy::recovery::verify::verify;
use pgautopsy::recovery::walk::WalSink;
use pgautopsy::report::controldata::render_control;
use pgautopsy::report::page::{PageContext, render_page};
use pgautopsy::report::{json, messages, text, wal_events, wal_verify};
use pgautopsy::scan::assembly::Assembly;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use wal::{WalWriter, version_of};

#[path = "../tests/support/wal.rs"]
pub mod wal;

/// A target.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("archive", archive),
    ("control", control),
    ("message_log", message_log),
    ("page", page),
    ("replay", replay),
    ("small_file", small_file),
    ("text_file", text_file),
    ("tree", tree),
    ("toast_value", toast_value),
    ("tuple_deform", tuple_deform),
    ("wal_archive", wal_archive),
    ("wal_events", wal_events),
    ("wal_record", wal_record),
    ("wal_walk", wal_walk),
];

/// The next bytes of an input; zeros behind its end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn u8(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    fn u16(&mut self) -> u16 {
        u16::from(self.u8()) | u16::from(self.u8()) << 8
    }

    fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    fn version(&mut self) -> &'static Version {
        version_of(self.u8())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is printed for people obeys no byte of the evidence.
fn printable(text: Vec<u8>) -> String {
    let text = String::from_utf8(text).expect("output is UTF-8");
    let bad = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(bad, None, "control character in {text:?}");
    text
}

/// `pg_control`, and with it the checkpoint.
pub fn control(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.u8();
    let version = input.version();
    let hint = (choice & 1 != 0).then_some(version);
    let mut bytes = input.0.to_vec();
    if choice & 2 != 0 {
        mend_control_crc(&mut bytes, version);
    }
    let reading = ControlFile::read(&bytes, hint);
    let _ = reading.refusal(version);
    if let ControlReading::Decoded { control, .. } = &reading {
        let layout = control.layout();
        for (size, from, to) in [
            (layout.blcksz, 1 << 10, 32 << 10),
            (layout.xlog_blcksz, 1 << 10, 64 << 10),
            (layout.wal_segsz, 1 << 20, 1 << 30),
        ] {
            assert!(size.is_power_of_two() && (from..=to).contains(&size));
        }
        for impossible in control.impossible() {
            assert!(!impossible.found.is_empty() && !impossible.expected.is_empty());
        }
    }
    let mut out = Vec::new();
    render_control(&mut out, &bytes, hint).expect("a Vec takes all");
    assert!(!printable(out).is_empty());
    let _ = ControlFile::parse(version, &bytes);
    let _ = CheckPoint::parse(version, &bytes);
}

fn mend_control_crc(bytes: &mut [u8], version: &Version) {
    if let Some((covered, rest)) = bytes.split_at_mut_checked(version.control_crc_at)
        && let Some(crc) = rest.first_chunk_mut()
    {
        *crc = Crc::of(version).update([covered]).value().to_le_bytes();
    }
}

/// The small binary files, SLRU pages and map pages.
pub fn small_file(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.u8();
    let version = input.version();
    let layout = Layout::usual(version);
    match choice % 8 {
        0 => {
            if let Ok(found) = PgVersion::parse(input.0) {
                printable(found.to_string().into_bytes());
            }
        }
        1 => {
            if let Ok(map) = RelMap::parse(version, input.0) {
                let _ = map.file_of(1259);
                assert!(map.mappings.len() <= 64);
            }
        }
        2 => {
            if let Ok(slot) = SlotState::parse(version, input.0) {
                // Each byte that is not UTF-8 is shown as a character of three.
                assert!(slot.name.chars().count() <= 64);
                printable(slot.persistency.to_string().into_bytes());
            }
        }
        3 => {
            if let Ok(state) = TwoPhaseState::parse(version, input.0) {
                let listed = state.subxacts.len() + state.records.len();
                assert!(listed <= input.0.len());
            }
            let _ = TwoPhaseFile::parse(version, input.0);
        }
        4 => {
            if let Ok(found) = ReplicationOrigins::parse(input.0) {
                assert!(found.origins.len() <= input.0.len() / 16);
            }
        }
        5 => {
            let entry = u64::from(input.u32()) << 32 | u64::from(input.u32());
            let page = input.0;
            for slru in Slru::ALL {
                let place = slru.locate(entry, &layout);
                assert!(place.byte < layout.blcksz);
                assert!(place.page_offset(&layout) < 32 * u64::from(layout.blcksz));
                let name = slru.segment_name(place.segno, &layout);
                if entry <= u64::from(u32::MAX) {
                    assert_eq!(parse_segment_name(&name), Some(place.segno));
                }
                let next = u64::from(page.len() as u32);
                let _ = slru.segment_is_live(place.segno, entry, next, &layout);
                let _ = slru::xid_status(page, place);
                let _ = slru::multixact_offset(page, place, &layout);
                let _ = slru::multixact_member(page, place, &layout);
                let _ = slru::commit_ts(page, place);
            }
        }
        6 => {
            let blkno = input.u32();
            let page = input.0;
            if let Some(map) = FsmPage::parse(page, &layout) {
                assert!(map.wrong_nodes().all(|n| n < map.nodes.len()));
                let _ = map.slot(blkno);
            }
            let (_, slot) = fsm::locate(blkno, &layout);
            assert!(slot < fsm::slots_per_page(&layout));
            let (_, place) = vm::locate(blkno, &layout);
            assert!(place < vm::heap_blocks_per_page(&layout));
            for (place, bits) in vm::set_blocks(page, &layout) {
                assert_eq!(vm::status(page, place, &layout), bits);
            }
        }
        _ => {
            let mut out = vec![0; usize::from(input.u16())];
            let _ = pglz::decompress(input.0, &mut out);
        }
    }
}

/// Messages of the server, and logs with them.
pub fn message_log(data: &[u8]) {
    let log = read(data).expect("a slice is read");
    let newlines = data.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert!(log.lines <= newlines + 1);
    let text = String::from_utf8_lossy(data);
    for log in [&log, &read_pasted(&text)] {
        let mut messages = log.unknown;
        for family in &log.families {
            assert!(!family.sightings.is_empty());
            messages += family.more;
            for sighting in &family.sightings {
                let (first, last) = (sighting.first.line, sighting.last.line);
                assert!(1 <= first && first <= last && last <= log.lines);
                assert!(sighting.count > 1 || first == last);
                messages += sighting.count;
                let again = recognise(&sighting.recognised.text).expect("it was recognised");
                assert!(sighting.recognised.values.starts_with(&again.values));
            }
        }
        // One of each line, and a DETAIL that speaks for itself.
        assert!(messages <= 2 * log.lines);
        let mut out = Vec::new();
        messages::write_log(&mut out, log, None, 80, false).expect("a Vec takes all");
        assert!(!printable(out).is_empty());
    }
    if let Some(found) = recognise(&text) {
        assert_eq!(found.values.len(), found.wording.values.len());
        let mut out = Vec::new();
        messages::write(&mut out, found.message, Some(&found), 80, false).expect("a Vec takes all");
        printable(out);
    }
    let _ = nearest(&text);
}

/// The text files, and file names.
pub fn text_file(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.u8();
    let version = input.version();
    let layout = Layout::usual(version);
    match choice % 4 {
        0 => {
            let history = TimeLineHistory::parse(version, input.u32(), input.0);
            let lines = input.0.split(|b| *b == b'\n').count();
            assert!(history.entries.len() <= lines);
            assert!(history.entries.iter().all(|entry| entry.line <= lines));
        }
        1 => {
            for label in [
                BackupLabel::parse(input.0),
                BackupLabel::parse_history(input.0),
            ]
            .into_iter()
            .flatten()
            {
                let _ = label.refusal(version);
            }
        }
        2 => {
            if let Ok(entries) = parse_tablespace_map(input.0) {
                assert!(entries.len() <= input.0.len() / 3);
            }
        }
        _ => {
            let name = String::from_utf8_lossy(input.0);
            file_name(&layout, &name);
        }
    }
}

fn file_name(layout: &Layout, name: &str) {
    let _ = classify(name);
    let _ = (classify_wal(name), classify_archived(name));
    if let Some(lsn) = XLogRecPtr::parse(name) {
        assert_eq!(XLogRecPtr::parse(&lsn.to_string()), Some(lsn));
    }
    if let Some(segment) = WalSegmentName::parse(name) {
        assert_eq!(segment.to_string(), name);
        let geometry = WalGeometry::of(layout);
        let segno = geometry.segno(&segment);
        // There are 255 of them, or 256, in 4 GB.
        if segment.seg < 255 {
            assert_eq!(geometry.name(segment.tli, segno), segment);
        }
    }
    if let Some(file) = RelFileName::parse(name) {
        assert_eq!(file.to_string(), name);
    }
    let _ = parse_segment_name(name);
}

/// A tuple taken apart by columns that the input chooses, and its compressed values.
pub fn tuple_deform(data: &[u8]) {
    let mut input = Input(data);
    let layout = Layout::usual(input.version());
    let columns = i16::from(input.u8() & 31);
    let rows: Vec<PgAttribute> = (1..=columns)
        .map(|attnum| {
            let choice = input.u8();
            PgAttribute {
                attname: format!("column {attnum}").into(),
                attnum,
                attalign: b"csid"[usize::from(choice & 3)],
                attlen: match choice >> 2 {
                    0 => -2,
                    1..=31 => -1,
                    len => i16::from(len) - 31,
                },
                atttypid: TYPES[usize::from(choice) % TYPES.len()],
                ..PgAttribute::default()
            }
        })
        .collect();
    let desc = TupleDesc::new(rows.iter()).expect("columns that can be");
    assert_eq!(desc.attributes().len(), rows.len());
    let desc = desc.with_types(
        rows.iter()
            .map(|row| ValueType::of(row.atttypid, row.attlen, Encoding::Utf8)),
    );
    let tuple = input.0;
    let Some(header) = HeapTupleHeader::parse(tuple) else {
        return;
    };
    match Chunk::read(&header, tuple, &layout) {
        Ok(Some(chunk)) => assert!((1..=max_chunk_size(&layout)).contains(&chunk.size)),
        Ok(None) => {}
        Err(fault) => {
            printable(fault.to_string().into_bytes());
        }
    }
    let walked = desc.walk(&header, tuple, |attnum, stored| {
        assert!(desc.attribute(attnum).is_some() && desc.name(attnum).is_some());
        match stored {
            Stored::External(pointer) => {
                let _ = (pointer.extsize(&layout), pointer.is_compressed(&layout));
            }
            Stored::Compressed(varlena) => inflates_as_told(varlena, &layout),
        }
    });
    if let Err((attnum, fault)) = walked {
        assert!(usize::from(attnum) <= rows.len().max(1));
        printable(fault.to_string().into_bytes());
    }
    desc.values(&header, tuple, |attnum, value_type, value| {
        assert!(desc.attribute(attnum).is_some());
        let mut room = Vec::new();
        let value = match value {
            Value::Plain(value) => Some(value),
            Value::Compressed(varlena) => inflate(varlena, &layout, &mut room),
        };
        if let Some(Err(fault)) = value.map(|value| value_type.judge(value, &layout)) {
            printable(fault.to_string().into_bytes());
        }
    });
}

/// Types with rules of their own, and arrays of such: bool, name, text, path, inet, text[],
/// date, timestamp, interval, varbit, numeric, numeric[], tsvector, tsquery, jsonb, jsonb[],
/// numrange, tsrange, jsonpath, int4multirange, nummultirange, tsmultirange.
const TYPES: [u32; 22] = [
    16, 19, 25, 602, 869, 1009, 1082, 1114, 1186, 1562, 1700, 1231, 3614, 3615, 3802, 3807, 3906,
    3908, 4072, 4451, 4532, 4533,
];

/// A value that is put together from chunks: whole exactly when these are the right ones.
pub fn toast_value(data: &[u8]) {
    let mut input = Input(data);
    let layout = Layout::usual(input.version());
    assembles(input.0, layout);
    let value = ToastValue {
        value: input.u32(),
        extsize: input.u32().max(1),
        max: max_chunk_size(&layout),
    };
    let mut chunks = Vec::new();
    while !input.0.is_empty() {
        let (seq, size) = (input.u8(), input.u32());
        chunks.push(Chunk {
            chunk_id: value.value,
            // Mostly the next one, as it should be.
            chunk_seq: match seq {
                255 => input.u32(),
                0..=127 => chunks.len() as u32,
                _ => u32::from(seq - 128),
            },
            size: if size & 1 == 0 { value.max } else { size >> 1 },
        });
    }
    chunks.sort_unstable();
    let is_whole = chunks.len() as u32 == value.count()
        && chunks
            .iter()
            .zip(0..)
            .all(|(chunk, seq)| chunk.chunk_seq == seq)
        && chunks
            .iter()
            .all(|chunk| chunk.size == value.size_of(chunk.chunk_seq));
    let fault = value.fault(&chunks);
    assert_eq!(fault.is_none(), is_whole);
    if let Some(fault) = fault {
        printable(fault.message(value.value).into_bytes());
        let said = fault.server_error(value.value, "pg_toast_16384", layout.version);
        assert!(said.ends_with(&format!(
            "for toast value {} in pg_toast_16384",
            value.value
        )));
    } else {
        let stored: u64 = chunks.iter().map(|chunk| u64::from(chunk.size)).sum();
        assert_eq!(stored, u64::from(value.extsize));
    }
}

/// A value of chunks is as sound as it would be in its row, in whatever order they come.
fn assembles(stored: &[u8], mut layout: Layout) {
    layout.blcksz = 1024;
    let pieces = stored.chunks(max_chunk_size(&layout) as usize);
    let mut chunks: Vec<(Chunk, &[u8])> = (0..)
        .zip(pieces)
        .map(|(chunk_seq, piece)| {
            let (chunk_id, size) = (16_500, piece.len() as u32);
            (
                Chunk {
                    chunk_id,
                    chunk_seq,
                    size,
                },
                piece,
            )
        })
        .collect();
    chunks.sort_by_key(|(_, piece)| piece[piece.len() / 2] & 3);
    let key = (0, 16_500);
    let (mut one, mut other) = (Assembly::thorough(), Assembly::thorough());
    let mut whole = Vec::new();
    for (chunk, piece) in chunks {
        let into = if piece[0] & 1 == 0 {
            &mut one
        } else {
            &mut other
        };
        whole.extend(into.add(key, chunk, piece, &layout));
    }
    one.absorb(other, &layout, |_, value| whole.push(value));
    one.end(|_, value| whole.push(value));
    assert_eq!(whole.len(), usize::from(!stored.is_empty()));
    if let [value] = whole[..] {
        assert_eq!(value.size as usize, stored.len());
        let varlena = [&[0; 4], stored].concat();
        let fault = compressed_data_invalid::fault(&varlena, &layout);
        assert_eq!(value.fault, fault);
        assert_eq!(value.header, Compression::of(&varlena));
    }
}

/// A compressed value is sound exactly when it can be inflated.
fn inflates_as_told(varlena: &[u8], layout: &Layout) {
    let fault = compressed_data_invalid::fault(varlena, layout);
    if let Some(fault) = fault {
        printable(fault.to_string().into_bytes());
    }
    let header = Compression::of(varlena).expect("room for it");
    let (size, source) = (
        header.size(layout) as usize,
        &varlena[COMPRESSED_HEADER_SIZE..],
    );
    if size > 1 << 16 {
        return;
    }
    let mut room = vec![0; size];
    match header.method(layout) {
        // Up to 11 a last match that goes too far is a fault.
        0 if !layout.since(Major::V12) && fault.is_some() => {}
        0 => assert_eq!(pglz::decompress(source, &mut room).is_ok(), fault.is_none()),
        1 if fault.is_none() => {
            let inflated = lz4_flex::block::decompress_into(source, &mut room);
            assert_eq!(inflated.ok(), Some(size));
        }
        _ => assert!(fault.is_some()),
    }
}

/// A page of a relation: header, checksum, line pointers, tuples, special space, printed.
pub fn page(data: &[u8]) {
    let mut input = Input(data);
    let version = input.version();
    let choice = input.u8();
    let blkno = input.u32();
    let nblocks = input.u32();
    let mut layout = Layout::usual(version);
    let mut page = input.0.to_vec();
    if choice & 0x08 != 0 {
        layout.blcksz = 1024;
    }
    if choice & 0x04 == 0 {
        page.resize(layout.blcksz as usize, 0);
    }
    page.truncate(64 << 10);
    if choice & 0x10 != 0 && page.len() >= 10 {
        let sum = checksum::page_checksum(&page, blkno);
        page[8..10].copy_from_slice(&sum.to_le_bytes());
        if page.len() == layout.blcksz as usize {
            assert_eq!(cause::explain(&page, blkno, nblocks, &layout), None);
        }
    }
    // It tries every bit, which takes its time.
    if choice & 0x20 != 0
        && let Some(why) = cause::explain(&page, blkno, nblocks, &layout)
    {
        printable(why.to_string().into_bytes());
    }
    let _ = server_accepts(&page, &layout);
    let _ = server_accepts_checksummed(&page, blkno, &layout);
    page_faults(&page, &layout, |fault| {
        printable(fault.to_string().into_bytes());
    });
    if let Ok(header) = PageHeader::parse(&page) {
        header.faults(&layout, |fault| {
            printable(fault.to_string().into_bytes());
        });
        for (offnum, lp) in line_pointers(&page, &header) {
            assert_eq!(line_pointer(&page, &header, offnum), Some(lp));
            assert!(usize::from(line_pointer_offset(offnum)) + 4 <= page.len());
        }
        let special = Special::parse(&page, &header);
        printable(special.kind().to_string().into_bytes());
        let _ = (
            special.flags(),
            special.flag_names(&layout),
            special.unknown_flags(&layout),
        );
        let _ = (special.has_line_pointers(), special.is_meta());
        if let Some(meta) = Meta::parse(&page, special.kind())
            && let Some(fault) = meta.fault(&layout)
        {
            printable(fault.to_string().into_bytes());
        }
        let _ = vm::is_map_shaped(&header, &layout);
    }
    let mut tuples = HeapTuples::new(&layout);
    if let Ok(heap) = tuples.read(&page) {
        for tuple in heap.tuples {
            assert!(usize::from(tuple.lp.end()) <= page.len());
            assert_eq!(heap.bytes(tuple).len(), usize::from(tuple.lp.lp_len()));
            assert_eq!(heap.tuple(tuple.offnum), Some(tuple));
            let header = &tuple.header;
            let _ = (header.xmin(&layout), header.xmax(&layout));
            let _ = (
                header.is_hot_updated(&layout),
                header.is_locked_only(&layout),
            );
            header.faults(tuple.lp.lp_len(), &layout, |fault| {
                printable(fault.to_string().into_bytes());
            });
            let bytes = heap.bytes(tuple);
            if let Ok(class) = PgClass::parse(&layout, header, bytes) {
                assert!(!class.kind().is_empty() && class.relname.chars().count() < 64);
                let _ = class.has_storage();
            }
            let _ = PgDatabase::parse(&layout, header, bytes);
            let _ = PgNamed::parse(&layout, header, bytes);
            let _ = PgAttribute::parse(&layout, header, bytes);
        }
        heap.line_pointer_faults(|_, fault| {
            printable(fault.to_string().into_bytes());
        });
    }
    let fork = ForkNumber::from_number(u32::from(choice & 3)).expect("four forks");
    let context = PageContext {
        layout,
        fork,
        blkno,
        nblocks,
        checksums: match choice >> 6 {
            0 => None,
            other => Some(other & 1 != 0),
        },
    };
    let mut out = Vec::new();
    render_page(&mut out, &page, &context).expect("a Vec takes all");
    printable(out);
}

/// One WAL record, with images and the resource manager's data, and a WAL page header.
pub fn wal_record(data: &[u8]) {
    let mut input = Input(data);
    let version = input.version();
    let choice = input.u8();
    let mut layout = Layout::usual(version);
    if choice & 1 != 0 {
        layout.blcksz = 1024;
    }
    let bytes = input.0;
    if let Ok(header) = WalPageHeader::parse(version, bytes) {
        assert!(header.size as usize <= bytes.len());
        let _ = header.unknown_info(version);
    }
    let _ = crc_of(version, bytes);
    let Ok(header) = RecordHeader::parse(version, bytes) else {
        return;
    };
    let (lsn, end) = (XLogRecPtr(0x0100_0028), XLogRecPtr(0x0100_0100));
    let mut decoder = Decoder::new();
    let record = match decoder.decode(layout, lsn, end, header, bytes) {
        Ok(record) => record,
        Err(error) => {
            printable(error.message(version, lsn).into_bytes());
            return;
        }
    };
    let inside = |part: &[u8]| {
        let (all, part) = (bytes.as_ptr_range(), part.as_ptr_range());
        part.is_empty() || all.start <= part.start && part.end <= all.end
    };
    assert!(inside(record.main));
    let mut page = vec![0; layout.blcksz as usize];
    for block in record.blocks() {
        assert!(inside(block.data));
        if let Some(image) = block.image {
            assert!(inside(image.bytes));
            if let Err(error) = image.restore(layout, &mut page) {
                printable(error.message(version, lsn, block.id).into_bytes());
            }
        }
    }
    let rmid = header.xl_rmid;
    assert!(!rmgr::name(version, rmid).is_empty());
    let _ = rmgr::identify(version, rmid, header.xl_info);
    let mut count = 0;
    effects(layout, &record, &mut |effect| {
        let _ = format!("{effect:?}");
        count += 1;
    });
    assert!(count <= 4 * bytes.len() + 8, "{count} effects");
    let mut piece = Plan::new(layout, Counters::default());
    piece.record(&record);
    let mut plan = piece.clone();
    plan.absorb(piece);
}

/// WAL written by a script, then damaged.
struct Scripted {
    context: WalContext,
    source: wal::Segments,
    /// Where to begin to read.
    begin: XLogRecPtr,
}

/// Reads the script: sizes and place, then records, switches, torn records and timelines, and
/// what happens to the files afterwards. Pages and segments are tiny, or as small as a server
/// has them. `None` when no file is left.
fn scripted(input: &mut Input<'_>, tiny: bool) -> Option<Scripted> {
    let version = input.version();
    let sizes = input.u8();
    let (page, segment) = if tiny {
        let page = 512 << (sizes & 1);
        (page, page << (2 + (sizes >> 1 & 3)))
    } else {
        (1024 << (sizes & 1), 1 << 20)
    };
    let layout = wal::layout(version, page, segment);
    let mut log = u64::from(sizes >> 4 & 1) << 32;
    if sizes & 0x80 != 0 {
        // Near the end of 4 GB, or of all numbers.
        log = if sizes & 0x40 != 0 { u64::MAX } else { 0 } << 32;
        log |= 0xFFFF_FFFF - u64::from(segment) * 4 + 1;
    }
    let start = log + u64::from(segment) * u64::from(input.u8() & 3);
    let mut writer = WalWriter::new(layout, start);
    let mut raw = Vec::new();
    let last = u64::MAX - u64::from(segment) * 4;
    for _ in 0..64 {
        if input.is_empty() || writer.at >= last {
            break;
        }
        let op = input.u8();
        match op >> 5 {
            0..=2 => {
                let len = usize::from(input.u16() % 4096).max(1);
                let rmid = op & 0x1F;
                let info = input.u8() & 0xF0;
                let mut main = input.bytes(usize::from(op & 7)).to_vec();
                main.resize(len, op);
                if !(rmid == 0 && info == 0x40) {
                    writer.insert(rmid, info, u32::from(op), &main);
                }
            }
            3 => {
                // Whatever payload there is, with a right CRC.
                let len = usize::from(input.u8());
                let payload = input.bytes(len);
                writer.insert_raw(op & 0x1F, input.u8(), 3, payload.len(), payload);
            }
            4 => {
                writer.switch();
            }
            5 => {
                let len = usize::from(input.u16() % 4096);
                writer.insert_torn(&vec![op; len], 1 + usize::from(op & 1));
            }
            6 => writer.switch_timeline(1 + u32::from(op & 3)),
            _ => raw.push((input.u16(), input.u16(), input.u8())),
        }
    }
    let mut source = std::mem::take(&mut writer.segments);
    for (what, at, value) in raw {
        let files = source.files.len();
        if files == 0 {
            return None;
        }
        let key = *source
            .files
            .keys()
            .nth(usize::from(what >> 4) % files)
            .expect("there are files");
        match what & 15 {
            0 => {
                source.files.remove(&key);
            }
            1 => {
                let bytes = source.files.get_mut(&key).expect("it is there");
                bytes.truncate(usize::from(at));
            }
            2 => {
                let bytes = source.files[&key].clone();
                let tli = 1 + u32::from(value & 3);
                source.files.insert((tli, key.1), bytes);
            }
            3 => {
                let bytes = source.files[&key].clone();
                source.files.insert((key.0, key.1 + 1), bytes);
            }
            _ => {
                let bytes = source.files.get_mut(&key).expect("it is there");
                if let Some(byte) = bytes.get_mut(usize::from(at)) {
                    *byte = value;
                }
            }
        }
    }
    let fork = |n: u64| Some(XLogRecPtr(start.saturating_add(n * u64::from(page) + 512)));
    let timelines = if sizes & 8 != 0 {
        Timelines::new(3, &[(1, fork(1)), (2, fork(3))])
    } else {
        Timelines::single(1)
    };
    let context = WalContext {
        layout,
        system_identifier: Some(wal::SYSTEM_IDENTIFIER),
        timelines,
    };
    let geometry = WalGeometry::of(&layout);
    let first = if sizes & 0x20 != 0 {
        XLogRecPtr(start)
    } else {
        let first = writer.records.first();
        first.map_or(XLogRecPtr(start), |record| record.lsn)
    };
    Some(Scripted {
        context,
        source,
        begin: geometry.skip_unused(first),
    })
}

/// WAL of a script: whatever it is, reading it in parallel gives the records, the end and the
/// reason of reading it in one go.
pub fn wal_walk(data: &[u8]) {
    let Some(scripted) = scripted(&mut Input(data), true) else {
        return;
    };
    let Scripted {
        context, source, ..
    } = scripted;
    let version = context.layout.version;
    let begin = Position::at(scripted.begin);
    let (records, position, stop) = wal::read_in_sequence(&context, &source, begin);
    let (parallel, end) = wal::read_in_parallel(&context, &source, begin);
    // What differs is easier to see without the bytes.
    let places = |seen: &[wal::Seen]| -> Vec<_> { seen.iter().map(|r| (r.lsn, r.end)).collect() };
    assert_eq!(
        places(&records),
        places(&parallel),
        "{stop:?} {:?}",
        end.stop
    );
    assert_eq!(records, parallel);
    assert_eq!(end.records, records.len() as u64);
    assert_eq!(end.position, position);
    if let Some(message) = stop.message(version) {
        printable(message.into_bytes());
    }
    assert_eq!(end.stop, Some(stop));
    for pair in records.windows(2) {
        assert!(pair[0].lsn < pair[1].lsn && pair[0].end <= pair[1].lsn);
        assert_eq!(pair[1].prev, pair[0].lsn);
    }
}

/// WAL of a script in files: its events, what lies beyond its first stop and its verification
/// tell of the same records as reading it does, and print.
pub fn wal_events(data: &[u8]) {
    let mut input = Input(data);
    let how = input.u8();
    let Some(scripted) = scripted(&mut input, how & 7 != 7) else {
        return;
    };
    let Scripted {
        context, source, ..
    } = scripted;
    let layout = context.layout;
    let geometry = WalGeometry::of(&layout);
    let folder = folder();
    for ((tli, segno), bytes) in &source.files {
        let name = geometry.name(*tli, *segno).to_string();
        std::fs::write(folder.path().join(name), bytes).expect("a file is written");
    }
    let evidence =
        Evidence::of_wal(&[folder.path().to_owned()], IoMode::Pread).expect("a folder is read");
    let wal = EvidenceWal::new(&evidence, &layout, false);
    let begin = Position::at(scripted.begin);
    let (_, _, stop) = wal::read_in_sequence(&context, &source, begin);

    let segments = wal.followed(&context.timelines);
    let mut met = 0;
    let range = (None, None);
    dump(&context, &wal, &segments, range, &mut |found| {
        met += u64::from(matches!(found, Met::Record(_)));
        ControlFlow::Continue(())
    });
    let wanted = Wanted {
        start: None,
        end: None,
        since: None,
        until: None,
        threshold: u64::from(how >> 3),
    };
    let names = NameHistory::of_wal(layout);
    let events = events(&context, &wal, &segments, names, wanted);
    assert_eq!(events.records, met);
    assert!(events.events.is_sorted_by_key(|event| event.lsn));
    for event in &events.events {
        assert_eq!(event.target.is_some(), event.act.is_destructive());
    }
    let mut text = Vec::new();
    wal_events::write_text(&mut text, &events, None, 80, false).expect("memory is written");
    printable(text);
    let mut text = Vec::new();
    wal_events::write_json(&mut text, &events, Some("it's")).expect("memory is written");
    let text = printable(text);
    serde_json::from_str::<serde_json::Value>(&text).expect("what is printed is JSON");

    let tli = context.timelines.target();
    if let Some(beyond) = beyond(&context, &wal, &stop, tli) {
        assert!(
            beyond
                .stretches
                .iter()
                .all(|stretch| stretch.from < stretch.to)
        );
        assert!(beyond.ledger.records > 0);
    }
    if let Some(verification) = verify(&evidence, how & 8 != 0) {
        let mut text = Vec::new();
        wal_verify::write_text(&mut text, &verification, 80, false).expect("memory is written");
        printable(text);
        let good = verification.timelines.iter().flat_map(|wal| &wal.good);
        assert!(
            good.clone()
                .all(|good| good.start < good.end && good.records > 0)
        );
    }
}

/// Redo of heap records, all of them valid, on a page that need not be.
pub fn replay(data: &[u8]) {
    let mut input = Input(data);
    let layout = Layout::usual(input.version());
    // Behind all that the page has seen, unless it says otherwise.
    let mut writer = WalWriter::new(layout, 0x7F_0000_0000);
    for _ in 0..input.u8() % 16 {
        let (rmid, info) = (input.u8(), input.u8());
        let main_len = usize::from(input.u16());
        let len = usize::from(input.u16());
        let payload = input.bytes(len);
        if !(rmid == 0 && info == 0x40) {
            writer.insert_raw(rmid, info, 1000, main_len, payload);
        }
    }
    let Some(first) = writer.records.first() else {
        return;
    };
    let mut page = input.0.to_vec();
    page.resize(layout.blcksz as usize, 0);
    let context = wal::context(layout);
    let source = &writer.segments;
    let begin = Position::at(first.lsn);
    let replayed = replay_blocks(&context, source, begin, None, &|_, _| true, &|_, blkno| {
        (blkno % 4 != 3).then(|| page.clone())
    });
    for (key, page) in &replayed.pages {
        assert_eq!(page.len(), layout.blcksz as usize);
        assert!(!replayed.lost.contains_key(key));
    }
}

/// A folder for one run, in memory where there is such a file system.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    }
    .expect("a temporary folder")
}

/// A file of a WAL archive that may be compressed in any way, by its name or without.
pub fn wal_archive(data: &[u8]) {
    const NAMES: [&str; 12] = [
        "000000010000000000000001",
        "000000010000000000000001.gz",
        "000000010000000000000001.zst",
        "000000010000000000000001.lz4",
        "000000010000000000000001.bz2",
        "000000010000000000000001.xz",
        "000000010000000000000001.lzma",
        "000000010000000000000001.br",
        "000000010000000000000001.partial.gz",
        "000000010000000000000001.bz2.partial",
        "00000002.history.lzma",
        "000000010000000000000001.00000028.backup.br",
    ];
    let mut input = Input(data);
    let name = NAMES[usize::from(input.u8()) % NAMES.len()];
    let folder = folder();
    let path = folder.path().join(name);
    std::fs::write(&path, input.0).expect("a file in it");
    let evidence = Evidence::of_wal(&[path], IoMode::Pread).expect("it is there");
    assert_eq!(evidence.files().len(), 1);
    for (id, _) in evidence.iter() {
        let mut head = [0; 64];
        let got = evidence.head(id, &mut head);
        match evidence.file(id) {
            Ok(file) => {
                assert_eq!(evidence.content_size(id).expect("its size"), file.len());
                assert!(file.len() <= 1 << 30);
                let whole = file.read_all(usize::MAX).expect("it can be read");
                assert_eq!(whole.len() as u64, file.len());
                if let Ok(got) = got {
                    assert!(whole.starts_with(&head[..got]));
                }
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert_eq!(evidence.not_examined().len(), 1);
            }
        }
    }
    if let Some(found) = verify(&evidence, false) {
        let mut out = Vec::new();
        wal_verify::write_text(&mut out, &found, 80, false).expect("a Vec takes all");
        printable(out);
    }
}

/// A tar, plain or compressed.
pub fn archive(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.u8();
    let bytes = match choice % 4 {
        0 => input.0.to_vec(),
        1 => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(input.0).expect("a Vec takes all");
            encoder.finish().expect("a Vec takes all")
        }
        2 => zstd::bulk::compress(input.0, 1).expect("a Vec takes all"),
        _ => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(input.0).expect("a Vec takes all");
            encoder.finish().expect("a Vec takes all")
        }
    };
    let folder = folder();
    let path = folder.path().join("base.tar");
    std::fs::write(&path, bytes).expect("a file in it");
    let evidence = match Evidence::open(&path, &[], IoMode::Pread) {
        Ok(evidence) => evidence,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut ids = Vec::new();
    for (id, entry) in evidence.iter() {
        assert!(!entry.path.split('/').any(|part| part == ".."));
        // A hole may be as large as it says, and zeros take time.
        if entry.size <= 4 << 20 && ids.len() < 256 {
            ids.push(id);
        }
    }
    let read = AtomicU64::new(0);
    evidence.scan(&ids, 8192, &|chunk| {
        let end = chunk.file_offset + chunk.bytes.len() as u64;
        assert!(end <= evidence.entry(chunk.file).size);
        read.fetch_add(chunk.bytes.len() as u64, Ordering::Relaxed);
    });
    let mut whole = 0;
    for id in &ids {
        if let Ok(file) = evidence.file(*id) {
            assert!(file.len() <= evidence.entry(*id).size);
            whole += file.read_all(4 << 20).map_or(0, |bytes| bytes.len() as u64);
        }
    }
    if evidence.not_examined().is_empty() {
        assert_eq!(read.load(Ordering::Relaxed), whole);
    }
}

#[derive(Default)]
struct Tree {
    folders: Vec<String>,
    /// Path, bytes up to the last that is not zero, size.
    files: Vec<(String, Vec<u8>, u64)>,
}

/// The small data directories of `tree.tar.zst`, which `make_seeds` of
/// `tests/fuzz_regressions.rs` makes. Zeros at a file's end are left out there and come back
/// as a hole.
fn trees() -> &'static [Tree] {
    static TREES: OnceLock<Vec<Tree>> = OnceLock::new();
    TREES.get_or_init(|| {
        let packed: &[u8] = include_bytes!("tree.tar.zst");
        let plain = zstd::stream::decode_all(packed).expect("it is whole");
        let mut trees: BTreeMap<String, Tree> = BTreeMap::new();
        let mut archive = tar::Archive::new(&*plain);
        for entry in archive.entries().expect("it is whole") {
            let mut entry = entry.expect("it is whole");
            let path = entry.path().expect("a path").display().to_string();
            let (major, path) = path.split_once('/').expect("a folder");
            let tree = trees.entry(major.to_owned()).or_default();
            if entry.header().entry_type().is_dir() {
                tree.folders.push(path.trim_end_matches('/').to_owned());
                continue;
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("it is whole");
            let len = bytes.len() as u64;
            let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
            bytes.truncate(used);
            tree.files.push((path.to_owned(), bytes, len));
        }
        trees.into_values().collect()
    })
}

enum Node {
    File(Vec<u8>, u64),
    Dir,
    Link(&'static str),
}

const LINKS: [&str; 6] = ["..", ".", "nowhere", "/dev/zero", "../base", "PG_VERSION"];
const NAMES: [&str; 14] = [
    "backup_label",
    "tablespace_map",
    "recovery.signal",
    "recovery.conf",
    "pg_wal/00000002.history",
    "pg_wal/FFFFFFFF.history",
    "pg_xact/0FFF",
    "pg_multixact/offsets/0000",
    "pg_multixact/members/0000",
    "base/1/16384.1",
    "base/1/16384_vm",
    "base/1/t3_16384",
    "pg_tblspc/16400/PG_15_202209061/1/16500",
    "pg_replslot/a/state",
];

/// A whole data directory with a few things done to its files: there must be a report, and
/// it must be printable.
pub fn tree(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.u8();
    let trees = trees();
    let tree = &trees[usize::from(choice & 0x0F) % trees.len()];
    let mut nodes: BTreeMap<String, Node> = tree
        .files
        .iter()
        .map(|(path, bytes, len)| (path.clone(), Node::File(bytes.clone(), *len)))
        .collect();
    let folders = tree.folders.iter().map(|path| (path.clone(), Node::Dir));
    nodes.extend(folders);
    let paths: Vec<&String> = tree.files.iter().map(|(path, ..)| path).collect();
    for _ in 0..24 {
        if input.is_empty() {
            break;
        }
        let op = input.u8();
        let path = paths[usize::from(input.u8()) % paths.len()];
        change(&mut nodes, op, path, &paths, &mut input);
    }
    if choice & 0x10 != 0
        && let Some(Node::File(bytes, _)) = nodes.get_mut("global/pg_control")
    {
        let catalog_version = bytes.get(12..16).map(|b| b.try_into().expect("four bytes"));
        let catalog_version = u32::from_le_bytes(catalog_version.unwrap_or_default());
        for version in &VERSIONS {
            if version.catalog_version == catalog_version {
                mend_control_crc(bytes, version);
            }
        }
    }
    let folder = folder();
    let root = folder.path().join("pgdata");
    write_tree(&root, &nodes);
    let options = Options {
        threads: Some(1),
        wal_archives: if choice & 0x20 != 0 {
            vec![root.join("pg_wal")]
        } else {
            Vec::new()
        },
        max_findings: if choice & 0x40 != 0 { 1 } else { 20 },
        ..Options::default()
    };
    let report = match check(&root, &options, &()) {
        Ok(report) => report,
        Err(CheckError::Open(error)) => {
            let marked = ["PG_VERSION", "global/pg_control"]
                .iter()
                .any(|mark| root.join(mark).symlink_metadata().is_ok());
            let archive = !options.wal_archives.is_empty();
            assert!(!marked || archive, "no report: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    assert!([0, 1, 3].contains(&report.exit_status()));
    let style = text::Style {
        width: 40 + usize::from(choice >> 4) * 8,
        colour: false,
        min_severity: Severity::Note,
    };
    let mut out = Vec::new();
    text::write(&mut out, &report, style).expect("a Vec takes all");
    assert!(!printable(out).is_empty());
    let mut out = Vec::new();
    json::write(&mut out, &report, Severity::Note).expect("a Vec takes all");
    serde_json::from_slice::<serde_json::Value>(&out).expect("it is JSON");
    printable(out);
}

fn change(
    nodes: &mut BTreeMap<String, Node>,
    op: u8,
    path: &str,
    paths: &[&String],
    input: &mut Input<'_>,
) {
    let other = usize::from(op >> 4);
    match op & 15 {
        // Bytes matter most.
        0..=5 => {
            let at = input.u32() as usize & 0x00FF_FFFF;
            let len = 1 + usize::from(input.u8() & 0x3F);
            let new = input.bytes(len);
            if let Some(Node::File(bytes, size)) = nodes.get_mut(path) {
                let at = at % (bytes.len() + 64);
                if bytes.len() < at + new.len() {
                    bytes.resize(at + new.len(), 0);
                }
                bytes[at..at + new.len()].copy_from_slice(new);
                *size = (*size).max(bytes.len() as u64);
            }
        }
        6 => {
            if let Some(Node::File(bytes, size)) = nodes.get_mut(path) {
                let at = input.u32() as usize % (bytes.len() + 1);
                bytes.truncate(at);
                *size = at as u64;
            }
        }
        7 => {
            nodes.remove(path);
        }
        8 => {
            let name = NAMES[usize::from(input.u8()) % NAMES.len()];
            if let Some(node) = nodes.remove(path) {
                nodes.insert(name.to_owned(), node);
            }
        }
        9 => {
            let to = paths[usize::from(input.u8()) % paths.len()].clone();
            if let Some(Node::File(bytes, size)) = nodes.get(path) {
                let copy = Node::File(bytes.clone(), *size);
                nodes.insert(to, copy);
            }
        }
        10 => {
            nodes.insert(path.to_owned(), Node::Dir);
        }
        11 => {
            nodes.insert(path.to_owned(), Node::Link(LINKS[other % LINKS.len()]));
        }
        12 => {
            let len = u64::from(input.u16()) << (op >> 5);
            if let Some(Node::File(_, size)) = nodes.get_mut(path) {
                *size = size.saturating_add(len);
            }
        }
        13 => {
            let name = NAMES[other % NAMES.len()];
            let len = usize::from(input.u8());
            let bytes = input.bytes(len).to_vec();
            let size = bytes.len() as u64;
            nodes.insert(name.to_owned(), Node::File(bytes, size));
        }
        14 => {
            let from = input.u32() as usize;
            let len = usize::from(input.u16());
            if let Some(Node::File(bytes, _)) = nodes.get_mut(path) {
                let from = from % (bytes.len() + 1);
                let to = (from + len).min(bytes.len());
                bytes[from..to].fill(0);
            }
        }
        _ => {
            // The same bytes under the next file's name: a misplaced file.
            let name = format!("{path}.{other}");
            if let Some(Node::File(bytes, size)) = nodes.get(path) {
                let copy = Node::File(bytes.clone(), *size);
                nodes.insert(name, copy);
            }
        }
    }
}

/// What cannot be made, as a file below a file, is left out.
fn write_tree(root: &Path, nodes: &BTreeMap<String, Node>) {
    for (path, node) in nodes {
        let path = root.join(path);
        if let Some(parent) = path.parent() {
            let _ = std::fs::create_dir_all(parent);
        }
        match node {
            Node::File(bytes, size) => {
                if let Ok(mut file) = std::fs::File::create_new(&path) {
                    let _ = file.write_all(bytes);
                    let _ = file.set_len((*size).max(bytes.len() as u64));
                }
            }
            Node::Dir => {
                let _ = std::fs::create_dir_all(&path);
            }
            Node::Link(target) => {
                let _ = std::os::unix::fs::symlink(target, &path);
            }
        }
    }
}
