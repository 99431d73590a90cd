//! Reads the WAL that the next start does not need: what lies before the redo point, and the
//! segments of other timelines. A standby, or recovery to a point in time, may need it.

use super::denied::{CommitLog, Denied, DeniedPiece};
use super::reader::{Position, WalContext, WalReader};
use super::source::EvidenceWal;
use super::start::DryRun;
use super::stop::Stop;
use super::walk::{WalSink, normalize, walk};
use crate::cluster::Cluster;
use crate::cluster::xact::{XactCache, XactLog};
use crate::format::types::{
    BlockNumber, ForkNumber, RelFileLocator, TimeLineID, XLogRecPtr, XLogSegNo,
};
use crate::format::version::{Layout, Major};
use crate::format::wal::effects::{Effect, effects};
use crate::format::wal::heap2::{self, Heap2Op};
use crate::format::wal::rmgr::{RM_BTREE_ID, RM_HEAP_ID, RM_HEAP2_ID, RM_SMGR_ID};
use crate::format::wal::{Record, WalGeometry};
use rustc_hash::FxHashMap;

/// A place where WAL cannot be read on, although it should go on.
#[derive(Clone, Debug)]
pub struct Break {
    /// The timeline being read.
    pub tli: TimeLineID,
    /// Why.
    pub stop: Stop,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Bytes of valid WAL.
    pub bytes: u64,
    /// Valid records.
    pub records: u64,
    /// Where it breaks off.
    pub breaks: Vec<Break>,
    /// What the checkpoint has seen to disk.
    pub written: Written,
    /// What the commit log should know, and does not.
    pub denied: Denied,
}

/// Pages that WAL before the redo point changed, which the checkpoint has therefore seen to
/// disk (`xlog.c: CheckPointGuts`): where the last such record of each ends.
#[derive(Clone, Debug, Default)]
pub struct Written {
    relations: FxHashMap<RelFileLocator, FxHashMap<BlockNumber, XLogRecPtr>>,
    pages: usize,
    /// What a piece of WAL cuts off of relations, at the most.
    cut: FxHashMap<RelFileLocator, BlockNumber>,
}

/// Pages kept in memory; those written last.
const MAX_PAGES: usize = 1 << 21;

impl Written {
    /// Those of a relation's main fork.
    #[must_use]
    pub fn pages(&self, locator: RelFileLocator) -> Option<&FxHashMap<BlockNumber, XLogRecPtr>> {
        self.relations.get(&locator)
    }

    fn add(&mut self, locator: RelFileLocator, blkno: BlockNumber, lsn: XLogRecPtr) {
        let pages = self.relations.entry(locator).or_default();
        match pages.get_mut(&blkno) {
            Some(known) => *known = lsn.max(*known),
            None => {
                pages.insert(blkno, lsn);
                self.pages += 1;
            }
        }
    }

    fn cut_off(&mut self, locator: RelFileLocator, to_blocks: BlockNumber) {
        if let Some(pages) = self.relations.get_mut(&locator) {
            let before = pages.len();
            pages.retain(|blkno, _| *blkno < to_blocks);
            self.pages -= before - pages.len();
        }
    }

    /// Adds those of the next piece of WAL.
    fn merge(&mut self, more: Self) {
        for (locator, to_blocks) in more.cut {
            self.cut_off(locator, to_blocks);
        }
        for (locator, pages) in more.relations {
            for (blkno, lsn) in pages {
                self.add(locator, blkno, lsn);
            }
        }
        if self.pages > MAX_PAGES {
            self.forget_half();
        }
    }

    /// Forgets the pages written longest ago.
    fn forget_half(&mut self) {
        let all = || self.relations.values().flat_map(FxHashMap::values);
        let mut lsns: Vec<XLogRecPtr> = all().copied().collect();
        let middle = lsns.len() / 2;
        let (_, middle, _) = lsns.select_nth_unstable(middle);
        let middle = *middle;
        for pages in self.relations.values_mut() {
            pages.retain(|_, lsn| *lsn > middle);
        }
        self.pages = self.relations.values().map(FxHashMap::len).sum();
    }
}

/// Takes in the pages that the records of a piece of WAL change, and the ends of transactions.
struct Writes<'a> {
    layout: Layout,
    /// Records that end behind it are replayed; none counts before an invalid one.
    redo: XLogRecPtr,
    written: Written,
    log: Option<CommitLog<'a>>,
    cache: XactCache,
    denied: DeniedPiece,
}

impl WalSink for Writes<'_> {
    fn record(&mut self, record: &Record<'_, '_>) {
        if record.end_lsn > self.redo {
            return;
        }
        if let Some(log) = &self.log {
            self.denied
                .record(self.layout, log, &mut self.cache, record);
        }
        let is_cut = record.header.xl_rmid == RM_SMGR_ID;
        if !is_cut && !stamps_pages(self.layout, record) {
            return;
        }
        let written = &mut self.written;
        effects(self.layout, record, &mut |effect| {
            if let Some((locator, blkno)) = effect.main_block() {
                written.add(locator, blkno, record.end_lsn);
            }
            if let Effect::Truncates {
                locator,
                fork: ForkNumber::Main,
                to_blocks,
            } = effect
            {
                written.cut_off(locator, to_blocks);
                let cut = written.cut.entry(locator).or_insert(to_blocks);
                *cut = to_blocks.min(*cut);
            }
        });
    }
}

/// Whether the record's end became the LSN of every page it names. Those of hash indexes name
/// pages for their locks alone (`hashpage.c`), those that set a bit of the visibility map
/// name the heap page that often stays as it is (`heapam.c: log_heap_visible`;
/// `pruneheap.c: log_heap_prune_and_freeze` from 19 on). Images of pages alone (`XLOG_FPI`)
/// also come from `pg_upgrade`'s making of empty indexes, which it then replaces.
fn stamps_pages(layout: Layout, record: &Record<'_, '_>) -> bool {
    match record.header.xl_rmid {
        RM_HEAP_ID | RM_BTREE_ID => true,
        RM_HEAP2_ID => match heap2::parse(layout, record) {
            Ok(Heap2Op::Visible { .. }) | Err(_) => false,
            Ok(Heap2Op::Prune { flags, .. }) => flags & heap2::SETS_VISIBILITY_MAP == 0,
            Ok(_) => true,
        },
        _ => false,
    }
}

/// Reads every segment that the dry run has not read, and compares what lies before the redo
/// point with the commit log when that is given.
#[must_use]
pub fn survey(
    cluster: &Cluster,
    system_identifier: u64,
    wal: &EvidenceWal<'_>,
    run: &DryRun,
    xacts: Option<&XactLog<'_>>,
    advance: &dyn Fn(u64),
) -> Survey {
    let layout = *wal.layout();
    let geometry = WalGeometry::of(&layout);
    let mut survey = Survey::default();
    let log = xacts.zip(run.check_point).map(|(xacts, point)| {
        let counters = run.plan.as_ref().map(|plan| plan.counters);
        CommitLog {
            xacts,
            oldest: counters.map_or(point.oldest_xid, |counters| counters.oldest_xid),
            next: point.next_full_xid.xid(),
        }
    });
    // To where WAL of this cluster's history has been read without a gap.
    let mut reached = Position::at(XLogRecPtr::INVALID);
    for (tli, first, last) in stretches(wal) {
        let timelines = cluster.timelines(tli);
        let context = WalContext {
            layout,
            system_identifier: Some(system_identifier),
            timelines,
        };
        let limit = limit(run, tli, layout.since(Major::V9_3));
        // Without a limit it is WAL that this cluster did not come from, or not all of it.
        let point = run
            .check_point
            .filter(|_| xacts.is_some() && limit.is_some());
        let redo = point.map_or(XLogRecPtr::INVALID, |point| point.redo);
        let sink = || Writes {
            layout,
            redo,
            written: Written::default(),
            log,
            cache: XactCache::default(),
            denied: DeniedPiece::default(),
        };
        let mut segno = first;
        while segno <= last && limit.is_none_or(|limit| geometry.segment_start(segno) < limit) {
            let start = WalReader::new(&context, wal, Position::at(XLogRecPtr::INVALID))
                .find_first_in_segment(segno);
            let Ok(Some(start)) = start else {
                // Its first page is the business of the checks of segments; one that holds
                // only the middle of a record has nothing to start from.
                segno += 1;
                continue;
            };
            if redo.is_valid() && normalize(&context, reached.next) < start {
                survey.denied = Denied::default();
            }
            let end = walk(
                &context,
                wal,
                Position::at(start),
                limit,
                &sink,
                &mut |sink, _| {
                    survey.written.merge(sink.written);
                    survey.denied.merge(sink.denied);
                    advance(geometry.segment_size);
                },
            );
            if redo.is_valid() && reached.next <= end.position.next {
                reached = end.position;
            }
            survey.records += end.records;
            survey.bytes += geometry.bytes_between(start, end.position.next);
            let Some(stop) = end.stop else { break };
            let at = geometry.segment_of(normalize(&context, stop.lsn));
            // Writing ends somewhere in the last segment of a timeline whose end is unknown.
            let expected = limit.is_none() && at >= last;
            if !expected {
                survey.breaks.push(Break { tli, stop });
            }
            segno = at.max(segno) + 1;
        }
    }
    if !survey.denied.is_empty() && !leads_to_redo(system_identifier, wal, run, reached) {
        survey.denied = Denied::default();
    }
    survey
}

/// Whether WAL was read past the redo point, or the next record is the one there. It is not
/// after `pg_resetwal`, which goes on with a checkpoint of its own, without a predecessor
/// (`pg_resetwal.c: WriteEmptyXLOG`); `pg_upgrade` does so, and puts the old cluster's commit
/// log in place.
fn leads_to_redo(
    system_identifier: u64,
    wal: &EvidenceWal<'_>,
    run: &DryRun,
    reached: Position,
) -> bool {
    let context = WalContext {
        layout: *wal.layout(),
        system_identifier: Some(system_identifier),
        timelines: run.timelines.clone(),
    };
    let Some(point) = run.check_point else {
        return false;
    };
    let mut reader = WalReader::new(&context, wal, reached);
    normalize(&context, reached.next) > point.redo
        || reader.read().is_ok_and(|record| record.lsn == point.redo)
}

/// The runs of segments without a gap: timeline, first and last segment.
fn stretches(wal: &EvidenceWal<'_>) -> Vec<(TimeLineID, XLogSegNo, XLogSegNo)> {
    let mut stretches: Vec<(TimeLineID, XLogSegNo, XLogSegNo)> = Vec::new();
    for (tli, segno, _) in wal.segments() {
        match stretches.last_mut() {
            Some((t, _, last)) if *t == tli && last.checked_add(1) == Some(segno) => *last = segno,
            _ => stretches.push((tli, segno, segno)),
        }
    }
    stretches
}

/// Where a timeline's WAL ends for this purpose: at the redo point of the next start on its
/// own timeline, and where the next timeline branched off on an ancestor.
fn limit(run: &DryRun, tli: TimeLineID, switchpoints_known: bool) -> Option<XLogRecPtr> {
    if tli == run.timelines.target() {
        return Some(
            run.check_point
                .map_or(run.checkpoint_lsn, |point| point.redo),
        );
    }
    let entry = run
        .timelines
        .entries()
        .iter()
        .find(|entry| entry.tli == tli)?;
    entry.end.filter(|_| switchpoints_known)
}
