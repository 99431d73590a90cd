//! Walks the WAL from one position to where the server would stop, segments in parallel.
//!
//! Each segment is read on its own, from the first record that its first page says starts
//! there. The pieces are then joined in order: a piece counts only when it starts where the
//! one before it ended, and names that one's last record as its predecessor. Where it does
//! not, the segment is read again from the known position, which gives the server's own
//! reason for stopping.

use super::reader::{Position, WalContext, WalReader, WalSource};
use super::stop::Stop;
use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::version::Major;
use crate::format::wal::record::{Record, RecordHeader};
use crate::format::wal::{WalGeometry, WalPageHeader};
use rayon::prelude::*;

/// Takes in the records of one piece of WAL, in order.
pub trait WalSink: Send {
    /// One valid record.
    fn record(&mut self, record: &Record<'_, '_>);
}

/// Takes in nothing: whoever only wants to know how far the WAL can be read.
impl WalSink for () {
    fn record(&mut self, _: &Record<'_, '_>) {}
}

/// How a walk ended.
#[derive(Clone, Debug)]
pub struct WalkEnd {
    /// Behind the last valid record.
    pub position: Position,
    /// Why no further record could be read; `None` when the limit was reached.
    pub stop: Option<Stop>,
    /// Records read.
    pub records: u64,
}

struct Piece<S> {
    start: Option<XLogRecPtr>,
    first_prev: Option<XLogRecPtr>,
    /// Timelines of the page that the first record starts on, and of its file.
    first_page_tli: TimeLineID,
    first_file_tli: TimeLineID,
    sink: S,
    records: u64,
    position: Position,
    stop: Option<Stop>,
}

/// WAL read before what was found in it is taken in.
const BATCH_BYTES: u64 = 1 << 30;

/// Reads every record from `start` on and hands them to sinks, one per segment, absorbed in
/// order. Records that start at or behind `limit` are not read.
pub fn walk<S: WalSink>(
    context: &WalContext,
    source: &dyn WalSource,
    start: Position,
    limit: Option<XLogRecPtr>,
    new_sink: &(dyn Fn() -> S + Sync),
    absorb: &mut dyn FnMut(S, XLogSegNo),
) -> WalkEnd {
    let geometry = WalGeometry::of(&context.layout);
    // Enough that threads seldom wait for the last segment of a batch; what lies behind the
    // end of WAL is given up at its first page.
    let threads = rayon::current_num_threads().max(1) as u64;
    let batch = (BATCH_BYTES / geometry.segment_size).clamp(2 * threads, 32 * threads);
    let mut position = start;
    let mut records = 0;
    loop {
        // The same place as in `read_piece`, or a record that ends right before the page of
        // the limit would be waited for without end.
        let next = normalize(context, position.next);
        let first = geometry.segment_of(next);
        let last = limit.map_or(u64::MAX, |limit| geometry.segment_of(limit));
        if first > last || limit.is_some_and(|limit| next >= limit) {
            return WalkEnd {
                position,
                stop: None,
                records,
            };
        }
        let piece = |segno: XLogSegNo, from: Option<Position>| {
            read_piece(context, source, segno, from, limit, new_sink())
        };
        let count = last.saturating_sub(first).saturating_add(1).min(batch);
        let pieces: Vec<Piece<S>> = (0..usize::try_from(count).unwrap_or(usize::MAX))
            .into_par_iter()
            .with_max_len(1)
            .map(|i| {
                let segno = first.saturating_add(i as u64);
                piece(segno, (i == 0).then_some(position))
            })
            .collect();
        for (mut found, segno) in pieces.into_iter().zip(first..) {
            let next_segno = geometry.segment_of(normalize(context, position.next));
            if segno != first {
                if segno < next_segno {
                    // One record fills the whole segment.
                    continue;
                }
                let joins = found.start == Some(normalize(context, position.next))
                    && found.first_prev.is_some()
                    && found.first_prev == position.last
                    && found.first_page_tli >= position.latest_page_tli
                    && found.first_file_tli >= position.file_tli;
                if !joins {
                    found = piece(segno, Some(position));
                }
            }
            records += found.records;
            position = found.position;
            absorb(found.sink, segno);
            if found.stop.is_some() {
                return WalkEnd {
                    position,
                    stop: found.stop,
                    records,
                };
            }
            if limit.is_some_and(|limit| position.next >= limit) {
                break;
            }
        }
    }
}

fn read_piece<S: WalSink>(
    context: &WalContext,
    source: &dyn WalSource,
    segno: XLogSegNo,
    from: Option<Position>,
    limit: Option<XLogRecPtr>,
    mut sink: S,
) -> Piece<S> {
    let geometry = WalGeometry::of(&context.layout);
    let unknown = Position::at(XLogRecPtr::INVALID);
    let mut reader = WalReader::new(context, source, from.unwrap_or(unknown));
    let mut start = None;
    let mut first_tlis = (0, 0);
    if from.is_none() {
        match reader.find_first_in_segment(segno) {
            Ok(Some(lsn)) => {
                start = Some(lsn);
                let position = reader.position();
                first_tlis = (position.latest_page_tli, position.file_tli);
                reader.seek(Position {
                    file_tli: position.file_tli,
                    ..Position::at(lsn)
                });
            }
            // Nothing starts here, or nothing can be read: the piece will not join.
            Ok(None) | Err(_) => {
                let position = reader.position();
                return Piece {
                    start: None,
                    first_prev: None,
                    first_page_tli: 0,
                    first_file_tli: 0,
                    sink,
                    records: 0,
                    position,
                    stop: None,
                };
            }
        }
    }
    // Only here can what normalize() passes over matter.
    let end = geometry.segment_start(segno.saturating_add(1)).0;
    let near_end = end
        .min(limit.map_or(end, |limit| limit.0))
        .saturating_sub(64);
    let mut first_prev = None;
    let mut records = 0_u64;
    let stop = loop {
        if reader.next().0 >= near_end {
            let next = normalize(context, reader.next());
            if geometry.segment_of(next) > segno || limit.is_some_and(|limit| next >= limit) {
                break None;
            }
        }
        match reader.read() {
            Ok(record) => {
                // A record that was given up half-way names a predecessor, too, and only
                // reading from the known position tells whether that is right.
                if records == 0 && start == Some(record.lsn) {
                    first_prev = Some(record.header.xl_prev);
                }
                sink.record(&record);
            }
            Err(stop) => break Some(stop),
        }
        records += 1;
    };
    Piece {
        start,
        first_prev,
        first_page_tli: first_tlis.0,
        first_file_tli: first_tlis.1,
        sink,
        records,
        position: reader.position(),
        stop,
    }
}

/// Where the record after `next` really starts: behind the header when `next` is a page
/// boundary, and up to 9.2 on the next page when a record's header does not fit on this one.
#[must_use]
pub fn normalize(context: &WalContext, next: XLogRecPtr) -> XLogRecPtr {
    let geometry = WalGeometry::of(&context.layout);
    let version = context.layout.version;
    let mut at = next;
    let left = geometry.page_size - geometry.page_offset(at);
    if !version.since(Major::V9_3) && left < RecordHeader::size(version) as u64 {
        at = geometry.next_page(at);
    }
    at = geometry.skip_unused(at);
    if geometry.page_offset(at) == 0 {
        let long = geometry.segment_offset(at) == 0;
        at.0 =
            at.0.saturating_add(u64::from(WalPageHeader::size(version, long)));
    }
    at
}
