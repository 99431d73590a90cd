//! What valid WAL follows the place where the server stops reading.
//!
//! To the server every place it cannot read past is the end of WAL (`xlogrecovery.c:
//! ReadRecord`, up to 14 `xlog.c: ReadRecord`): it goes on from there, and what follows is
//! lost without a word. Here each later page whose header fits its place is taken for a new
//! start, and the records are counted that its CRCs and back links prove.

use super::reader::{Position, WalContext, WalReader, WalSource};
use super::source::EvidenceWal;
use super::stop::{Stop, StopCause};
use super::walk::{WalSink, normalize};
use crate::format::page::is_zeroed;
use crate::format::types::{
    MultiXactId, RelFileLocator, TimeLineID, TimestampTz, TransactionId, XLogRecPtr, XLogSegNo,
};
use crate::format::version::{Layout, Major};
use crate::format::wal::effects::{Effect, effects};
use crate::format::wal::page::LONG_HEADER_BYTES;
use crate::format::wal::record::RecordHeader;
use crate::format::wal::{Record, WalGeometry, WalPageHeader};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What some records did, in numbers.
#[derive(Clone, Debug)]
pub struct Ledger {
    layout: Layout,
    /// Records.
    pub records: u64,
    /// Commit records.
    pub commits: u64,
    /// Time of the first commit.
    pub first_commit: Option<TimestampTz>,
    /// Time of the last commit.
    pub last_commit: Option<TimestampTz>,
    /// The newest transaction that they name.
    pub newest_xid: Option<TransactionId>,
    /// The newest multixact that they make.
    pub newest_multi: Option<MultiXactId>,
    /// Records by the relation whose blocks they change.
    pub relations: BTreeMap<RelFileLocator, u64>,
    /// Relations of the record at hand, each once.
    touched: Vec<RelFileLocator>,
}

impl Ledger {
    /// Nothing yet.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            records: 0,
            commits: 0,
            first_commit: None,
            last_commit: None,
            newest_xid: None,
            newest_multi: None,
            relations: BTreeMap::new(),
            touched: Vec::new(),
        }
    }

    /// Takes in what later records did.
    pub fn absorb(&mut self, later: Self) {
        self.records += later.records;
        self.commits += later.commits;
        self.first_commit = self.first_commit.or(later.first_commit);
        self.last_commit = later.last_commit.or(self.last_commit);
        self.newest_xid = later.newest_xid.or(self.newest_xid);
        self.newest_multi = later.newest_multi.or(self.newest_multi);
        for (locator, records) in later.relations {
            *self.relations.entry(locator).or_default() += records;
        }
    }
}

impl WalSink for Ledger {
    fn record(&mut self, record: &Record<'_, '_>) {
        self.records += 1;
        self.touched.clear();
        effects(self.layout, record, &mut |effect| match effect {
            Effect::Rebuilds { locator, .. } | Effect::Touches { locator, .. }
                if !self.touched.contains(&locator) =>
            {
                self.touched.push(locator);
            }
            Effect::Commits(end) => {
                self.commits += 1;
                self.first_commit = self.first_commit.or(Some(end.xact_time));
                self.last_commit = Some(end.xact_time);
            }
            Effect::AdvancesXid(xid)
                if self.newest_xid.is_none_or(|newest| newest.precedes(xid)) =>
            {
                self.newest_xid = Some(xid);
            }
            Effect::CreatesMulti { mid, .. } => self.newest_multi = Some(mid),
            _ => {}
        });
        for locator in &self.touched {
            *self.relations.entry(*locator).or_default() += 1;
        }
    }
}

/// Records that follow each other without a break.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Start of the first.
    pub from: XLogRecPtr,
    /// End of the last.
    pub to: XLogRecPtr,
}

/// Valid WAL that the server does not reach.
#[derive(Clone, Debug)]
pub struct Beyond {
    /// Where it is, in order; never empty.
    pub stretches: Vec<Stretch>,
    /// What its records did.
    pub ledger: Ledger,
    /// Nothing was written between it and the stop, and that is no damage.
    pub behind_hole: Option<Hole>,
}

/// Why WAL that nobody damaged goes on behind a place where nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hole {
    /// In a copy of a running server, whose pages were read before and after they were written.
    /// All is in the segment of the stop.
    Copied,
    /// On the last page, 9.4 and later: several sessions put their records together at once,
    /// and one that needed the records before waited for all of those, but none behind them
    /// (`xlog.c: XLogFlush, WaitXLogInsertionsToFinish`). So nobody was told that what stands
    /// behind the hole is committed.
    Inserted,
}

impl Beyond {
    /// End of the last record.
    #[must_use]
    pub fn end(&self) -> Option<XLogRecPtr> {
        self.stretches.last().map(|stretch| stretch.to)
    }
}

/// Looks for valid WAL behind a stop on a timeline: in the rest of its segment, and in all
/// later ones.
#[must_use]
pub fn beyond(
    context: &WalContext,
    wal: &EvidenceWal<'_>,
    stop: &Stop,
    tli: TimeLineID,
) -> Option<Beyond> {
    let geometry = WalGeometry::of(&context.layout);
    let at = normalize(context, stop.lsn);
    let first = geometry.segment_of(at);
    let mut segments: Vec<XLogSegNo> = wal
        .segments()
        .filter(|(t, segno, _)| *t >= tli && context.timelines.contains(*t) && *segno >= first)
        .map(|(_, segno, _)| segno)
        .collect();
    segments.sort_unstable();
    segments.dedup();
    let search = Search {
        context,
        wal,
        geometry,
        // Pages of an older timeline are what a new one began as a copy of
        // (xlog.c: XLogFileCopy).
        floor: Position {
            next: at,
            last: None,
            latest_page: geometry.page_start(at),
            latest_page_tli: tli,
            file_tli: tli,
        },
    };
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut ledger = Ledger::new(context.layout);
    // So that the ledgers of only a few segments are in memory at a time.
    let batch = 32 * rayon::current_num_threads().max(1);
    for segments in segments.chunks(batch) {
        let found: Vec<(Vec<Stretch>, Ledger)> = segments
            .par_iter()
            .map(|segno| search.segment(*segno, (*segno == first).then_some(at)))
            .collect();
        for (more, counted) in found {
            for stretch in more {
                match stretches.last_mut() {
                    Some(last) if normalize(context, last.to) == stretch.from => {
                        last.to = stretch.to;
                    }
                    _ => stretches.push(stretch),
                }
            }
            ledger.absorb(counted);
        }
    }
    let (from, to) = (stretches.first()?.from, stretches.last()?.to);
    let last = XLogRecPtr(to.0.saturating_sub(1));
    let behind_hole = if geometry.segment_of(last) == first
        && search.hole(stop, at).is_some_and(|hole| hole <= from)
    {
        Some(Hole::Copied)
    } else {
        let on_page = geometry.page_start(last) == geometry.page_start(at);
        (on_page && search.is_inserted(stop, at, from)).then_some(Hole::Inserted)
    };
    Some(Beyond {
        stretches,
        ledger,
        behind_hole,
    })
}

struct Search<'a> {
    context: &'a WalContext,
    wal: &'a EvidenceWal<'a>,
    geometry: WalGeometry,
    floor: Position,
}

impl Search<'_> {
    /// The records that start in a segment, behind the stop if that lies in it.
    fn segment(&self, segno: XLogSegNo, stop: Option<XLogRecPtr>) -> (Vec<Stretch>, Ledger) {
        let mut stretches = Vec::new();
        let mut ledger = Ledger::new(self.context.layout);
        let mut reader = WalReader::new(self.context, self.wal, self.floor);
        let mut page = match stop {
            Some(at) => {
                let found = self.in_page(&mut reader, at, &mut ledger);
                stretches.extend(found);
                let read_to = found.map_or(at, |stretch| stretch.to.max(at));
                // A record that ends with its page leaves the next one to be looked at.
                if self.geometry.page_offset(read_to) == 0 {
                    read_to
                } else {
                    self.geometry.next_page(read_to)
                }
            }
            None if self.is_unused(segno) => return (stretches, ledger),
            None => self.geometry.segment_start(segno),
        };
        while self.geometry.segment_of(page) == segno {
            reader.seek(self.floor);
            let first = match reader.find_first_from_page(page) {
                Ok(Some(first)) => first,
                // The rest of the segment is the middle of a record.
                Ok(None) => break,
                Err(_) => {
                    let reached = reader.position().latest_page.max(page);
                    page = self.geometry.next_page(reached);
                    continue;
                }
            };
            let found = self.read_on(&mut reader, first, &mut ledger);
            stretches.extend(found);
            page = self.geometry.next_page(reader.next().max(page));
        }
        (stretches, ledger)
    }

    /// Records behind a damaged one on the same page. They start at any multiple of 8, so
    /// only one that names a predecessor no older than the damaged record counts.
    fn in_page(
        &self,
        reader: &mut WalReader<'_>,
        stop: XLogRecPtr,
        ledger: &mut Ledger,
    ) -> Option<Stretch> {
        let end = self.geometry.next_page(stop);
        let mut at = XLogRecPtr(stop.0.saturating_add(8));
        while at < end {
            reader.seek(Position {
                next: at,
                ..self.floor
            });
            let follows = reader
                .read()
                .is_ok_and(|record| record.lsn == at && record.header.xl_prev >= stop);
            if follows {
                return self.read_on(reader, at, ledger);
            }
            at = XLogRecPtr(at.0.saturating_add(8));
        }
        None
    }

    /// Reads from a record on to the first that cannot be read, or that starts in the next
    /// segment.
    fn read_on(
        &self,
        reader: &mut WalReader<'_>,
        from: XLogRecPtr,
        ledger: &mut Ledger,
    ) -> Option<Stretch> {
        let segno = self.geometry.segment_of(from);
        reader.seek(Position {
            next: from,
            ..self.floor
        });
        let mut to = None;
        while self
            .geometry
            .segment_of(normalize(self.context, reader.next()))
            == segno
        {
            let Ok(record) = reader.read() else { break };
            ledger.record(&record);
            to = Some(record.end_lsn);
        }
        to.map(|to| Stretch { from, to })
    }

    /// Whether a segment was never written under its name: zeroed, or recycled.
    fn is_unused(&self, segno: XLogSegNo) -> bool {
        let start = self.geometry.segment_start(segno);
        let mut head = [0; LONG_HEADER_BYTES];
        let Some(got) = self.read(start, &mut head) else {
            return true;
        };
        let version = self.context.layout.version;
        is_zeroed(&head[..got])
            || WalPageHeader::parse(version, &head[..got]).is_ok_and(|header| {
                version.wal_magics.contains(&header.xlp_magic) && header.xlp_pageaddr < start
            })
    }

    /// Where nothing was written, or only an earlier use of the file shows: at the stop, or on
    /// the page on which the record there goes on, or seems to when its length is damaged.
    fn hole(&self, stop: &Stop, at: XLogRecPtr) -> Option<XLogRecPtr> {
        let hole = match &stop.cause {
            StopCause::PageAddress { found, place } => {
                let is_recycled = *found < place.lsn
                    && self.geometry.segment_offset(*found)
                        == self.geometry.segment_offset(place.lsn)
                    && !self.has_record_since(stop.last.unwrap_or(at), place.lsn);
                return is_recycled.then_some(place.lsn);
            }
            StopCause::Magic { found: 0, place } => place.lsn,
            StopCause::ZeroLength | StopCause::Length { found: 0, .. } => at,
            _ => return None,
        };
        let end = self.geometry.next_page(hole);
        let mut rest = vec![0; usize::try_from(end.0 - hole.0).unwrap_or(0)];
        let got = self.read(hole, &mut rest)?;
        is_zeroed(&rest[..got]).then_some(hole)
    }

    /// Whether all bytes from the stop to a record behind it are still to be written.
    fn is_inserted(&self, stop: &Stop, at: XLogRecPtr, from: XLogRecPtr) -> bool {
        let is_empty = matches!(
            stop.cause,
            StopCause::ZeroLength | StopCause::Length { found: 0, .. }
        );
        let mut hole = vec![0; usize::try_from(from.0.saturating_sub(at.0)).unwrap_or(0)];
        is_empty
            && self.context.layout.since(Major::V9_4)
            && self.read(at, &mut hole) == Some(hole.len())
            && is_zeroed(&hole)
    }

    /// Whether a page, whatever its header says, has a record that follows one no older than
    /// `since`: then it is the header that is damaged. What an earlier use left is older.
    fn has_record_since(&self, since: XLogRecPtr, page: XLogRecPtr) -> bool {
        let version = self.context.layout.version;
        let mut bytes = vec![0; usize::try_from(self.geometry.page_size).unwrap_or(0)];
        let Some(got) = self.read(page, &mut bytes) else {
            return false;
        };
        let end = self.geometry.next_page(page);
        (0..got).step_by(8).any(|at| {
            let header = RecordHeader::parse(version, bytes.get(at..got).unwrap_or_default());
            header.is_ok_and(|header| (since..end).contains(&header.xl_prev))
        })
    }

    fn read(&self, at: XLogRecPtr, into: &mut [u8]) -> Option<usize> {
        let segno = self.geometry.segment_of(at);
        let file = self
            .context
            .timelines
            .for_segment(segno, self.floor.file_tli, &self.geometry)
            .into_iter()
            .find_map(|tli| self.wal.open(tli, segno))?;
        file.read_at(into, self.geometry.segment_offset(at)).ok()
    }
}
