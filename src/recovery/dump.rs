//! Reads the records of some WAL one after another, past every place where it breaks off.
//!
//! Where the server would stop for good, the search goes on at the next page for a record
//! that starts there. At the real end of WAL nothing more is found: what lies behind it is
//! zero, or says that it belongs elsewhere.

use super::reader::{Position, WalContext, WalReader, WalSource};
use super::stop::Stop;
use crate::format::types::{XLogRecPtr, XLogSegNo};
use crate::format::wal::{Record, WalGeometry};
use std::ops::ControlFlow;

/// What is met on the way.
pub enum Met<'r> {
    /// A record.
    Record(&'r Record<'r, 'r>),
    /// A place where the WAL cannot be read on.
    Stop {
        /// Why.
        stop: &'r Stop,
        /// The next record that can be read; `None` at the end.
        resumed: Option<XLogRecPtr>,
    },
}

/// Finds records in segments whose places are known.
pub struct Finder<'a> {
    geometry: WalGeometry,
    segments: &'a [XLogSegNo],
    end: Option<XLogRecPtr>,
    strict: bool,
}

impl<'a> Finder<'a> {
    /// Looks into these segments, which rise, on pages that start before `end`. `strict`
    /// passes over those the server would refuse for their first page; the others need a
    /// reader that ignores it.
    #[must_use]
    pub fn new(
        geometry: WalGeometry,
        segments: &'a [XLogSegNo],
        end: Option<XLogRecPtr>,
        strict: bool,
    ) -> Self {
        Self {
            geometry,
            segments,
            end,
            strict,
        }
    }

    /// The first record that starts on a page or a later one, and where it is to be read on.
    pub fn find(&self, reader: &mut WalReader<'_>, from: XLogRecPtr) -> Option<Position> {
        let geometry = &self.geometry;
        let mut page = geometry.page_start(from);
        let mut entered = None;
        reader.seek(Position::at(page));
        loop {
            let segno = geometry.segment_of(page);
            let at = self.segments.partition_point(|there| *there < segno);
            let there = *self.segments.get(at)?;
            if there > segno {
                page = geometry.segment_start(there);
            }
            if self.end.is_some_and(|end| page >= end) {
                return None;
            }
            if self.strict && entered != Some(there) {
                entered = Some(there);
                if reader.check_segment(there).is_err() {
                    page = geometry.segment_start(there.saturating_add(1));
                    continue;
                }
            }
            if let Ok(Some(lsn)) = reader.find_first_on_pages(&mut page) {
                return Some(Position {
                    file_tli: reader.position().file_tli,
                    ..Position::at(lsn)
                });
            }
            page = geometry.next_page(page);
        }
    }
}

/// Hands out every record that starts in `start..end`, and every place where the WAL breaks
/// off, until `each` has seen enough. `segments` are those there are, rising.
pub fn dump(
    context: &WalContext,
    source: &dyn WalSource,
    segments: &[XLogSegNo],
    range: (Option<XLogRecPtr>, Option<XLogRecPtr>),
    each: &mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
) {
    let (start, end) = range;
    let geometry = WalGeometry::of(&context.layout);
    let finder = Finder::new(geometry, segments, end, false);
    let first = segments.first().map(|segno| geometry.segment_start(*segno));
    let Some(from) = start.or(first) else { return };
    let mut reader = WalReader::new(context, source, Position::at(from));
    reader.ignore_first_pages();
    let mut next = finder.find(&mut reader, from);
    while let Some(position) = next {
        reader.seek(position);
        let Some(stop) = read_on(&mut reader, range, each) else {
            return;
        };
        next = finder.find(&mut reader, geometry.next_page(stop.lsn));
        let met = Met::Stop {
            stop: &stop,
            resumed: next.map(|position| position.next),
        };
        if each(met).is_break() {
            return;
        }
    }
}

/// Reads up to the next stop; `None` when enough is read.
fn read_on(
    reader: &mut WalReader<'_>,
    (start, end): (Option<XLogRecPtr>, Option<XLogRecPtr>),
    each: &mut dyn FnMut(Met<'_>) -> ControlFlow<()>,
) -> Option<Stop> {
    loop {
        if end.is_some_and(|end| reader.next() >= end) {
            return None;
        }
        let record = match reader.read() {
            Ok(record) => record,
            Err(stop) => return Some(stop),
        };
        if end.is_some_and(|end| record.lsn >= end) {
            return None;
        }
        if start.is_none_or(|start| record.lsn >= start) && each(Met::Record(&record)).is_break() {
            return None;
        }
    }
}
