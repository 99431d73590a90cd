//! What the checkpoint at the end of recovery needs, and what is opened behind it.
//!
//! Sources: `xlog.c: CreateCheckPoint, StartupXLOG`; `clog.c: TrimCLOG`; `multixact.c:
//! TrimMultiXact`.

use super::{Gate, MissingPage, OnDisk, files, no_directory, status_of};
use crate::format::names::relation_path;
use crate::format::page::PageHeader;
use crate::format::slru::Slru;
use crate::format::types::{BlockNumber, ForkNumber, RelFileLocator, XLogRecPtr};
use crate::format::version::Major;
use crate::format::vm;
use crate::format::wal::lsn_text;
use crate::recovery::plan::Counters;
use crate::recovery::start::DryRun;
use crate::verdict::Outcome;
use roaring::RoaringBitmap;

impl Gate<'_> {
    pub(super) fn behind_redo(&self, run: &DryRun) -> Option<String> {
        let since = |major| self.layout.since(major);
        let crashed = run.outcome != Outcome::Clean;
        let multixacts = ["pg_multixact/offsets", "pg_multixact/members"];
        if crashed && multixacts.iter().any(|path| self.lacks(path)) {
            return Some(status_of(0));
        }
        if crashed && since(Major::V15) {
            // The checkpointer makes it, and tells why in a line of its own.
            let needed = [
                "pg_xact",
                "pg_subtrans",
                "pg_logical/snapshots",
                "pg_logical/mappings",
            ];
            if needed.iter().any(|path| self.lacks(path)) {
                return Some("FATAL: checkpoint request failed".to_owned());
            }
        } else if crashed {
            if self.lacks(self.layout.version.xact_dir()) {
                return Some(status_of(0));
            }
            let needed = ["pg_logical/snapshots", "pg_logical/mappings"];
            if since(Major::V9_4)
                && let Some(path) = needed.iter().find(|path| self.lacks(path))
            {
                return Some(no_directory(path));
            }
        }
        if let Some(failure) = self.unflushable(run) {
            return Some(failure);
        }
        if since(Major::V9_5) && self.lacks("pg_commit_ts") {
            let tracked = self
                .cluster
                .sound_control()
                .and_then(|control| control.track_commit_timestamp)
                == Some(true);
            return Some(match (tracked, crashed) {
                (true, _) => status_of(0),
                (false, false) => no_directory("pg_commit_ts"),
                (false, true) => {
                    "PANIC: could not open file \"pg_commit_ts\": No such file or directory"
                        .to_owned()
                }
            });
        }
        self.trimmed(run).map(|page| page.message)
    }

    /// Redo skips a page that bears a later LSN than its record, but for the visibility map: its
    /// bits are cleared whatever the page says (`heapam_xlog.c: heap_xlog_insert` and the
    /// like). If the page came from WAL that is missing, the checkpoint at the end of recovery
    /// cannot write it (`xlog.c: XLogFlush`).
    fn unflushable(&self, run: &DryRun) -> Option<String> {
        let (plan, end) = (run.plan.as_ref()?, run.end_of_wal?);
        if run.outcome != Outcome::CrashRecovery {
            // Behind archive recovery no checkpoint is waited for.
            return None;
        }
        // In the order in which a checkpoint writes (bufmgr.c: ckpt_buforder_comparator).
        let mut relations: Vec<_> = plan.vm_cleared.iter().collect();
        relations.sort_by_key(|(locator, _)| (locator.spc_oid, locator.rel_number, locator.db_oid));
        let lsn = relations.into_iter().find_map(|(locator, blocks)| {
            let mut pages: Vec<BlockNumber> = blocks
                .iter()
                .map(|block| vm::locate(block, &self.layout).0)
                .collect();
            pages.dedup();
            let map = plan.forks.get(&(*locator, ForkNumber::Vm));
            let rebuilt = |page| map.is_some_and(|map| map.rebuilt.contains(page));
            pages
                .into_iter()
                .filter(|page| !plan.removes(*locator) && !rebuilt(*page))
                .find_map(|page| self.cleared_ahead(*locator, page, blocks, end))
        })?;
        let version = self.layout.version;
        Some(if self.layout.since(Major::V15) {
            "FATAL: checkpoint request failed".to_owned()
        } else {
            format!(
                "FATAL: xlog flush request {} is not satisfied --- flushed only to {}",
                lsn_text(version, lsn),
                lsn_text(version, end)
            )
        })
    }

    /// The LSN of a page of the visibility map, if it lies behind `end` and the page has a bit
    /// that redo clears.
    fn cleared_ahead(
        &self,
        locator: RelFileLocator,
        map_block: BlockNumber,
        cleared: &RoaringBitmap,
        end: XLogRecPtr,
    ) -> Option<XLogRecPtr> {
        let segment = map_block.checked_div(self.layout.relseg_size)?;
        let path = relation_path(self.layout.version, locator, ForkNumber::Vm, segment);
        let file = self.evidence.file(self.evidence.by_path(&path)?).ok()?;
        let mut page = vec![0; self.layout.blcksz as usize];
        let in_segment = u64::from(map_block % self.layout.relseg_size);
        let offset = in_segment * u64::from(self.layout.blcksz);
        let got = file.read_at(&mut page, offset).ok()?;
        let header = PageHeader::parse(&page[..got]).ok()?;
        let per_page = vm::heap_blocks_per_page(&self.layout);
        let first = map_block.saturating_mul(per_page);
        let mut blocks = cleared.range(first..=first.saturating_add(per_page.saturating_sub(1)));
        let is_set = |block: BlockNumber| vm::status(&page, block - first, &self.layout) != 0;
        (header.pd_lsn > end && blocks.any(is_set)).then_some(header.pd_lsn)
    }

    /// The pages that the next transaction and multixact go to are read, unless they are to
    /// begin there. What replay needed of them it has read or made.
    pub(super) fn trimmed(&self, run: &DryRun) -> Option<MissingPage> {
        let plan = run.plan.as_ref();
        let counters = match (plan, run.check_point) {
            (Some(plan), _) => plan.counters,
            (None, Some(point)) => Counters::of(&point),
            (None, None) => return None,
        };
        if self.request.standby {
            // When it is promoted.
            return None;
        }
        let next = [
            (Slru::Xact, u64::from(counters.next_xid.xid().0)),
            (Slru::MultiXactOffset, u64::from(counters.next_multi)),
            (Slru::MultiXactMember, counters.next_multi_offset),
        ];
        let (slru, page, entry) = next
            .into_iter()
            .filter(|(slru, _)| *slru != Slru::MultiXactMember || !self.layout.since(Major::V19))
            .map(|(slru, entry)| (slru, slru.pageno(entry, &self.layout), entry))
            .find(|(slru, page, entry)| {
                let per_page = u64::from(slru.entries_per_page(&self.layout)).max(1);
                !entry.is_multiple_of(per_page)
                    && self.on_disk(*slru, *page) != OnDisk::Page
                    && !plan.is_some_and(|plan| {
                        plan.zeroes(*slru, *page) || plan.slru_reads.contains_key(&(*slru, *page))
                    })
                    && !self.read_for_prepared(run, *slru, *page)
            })?;
        Some(self.missing_page(slru, page, entry))
    }

    /// Whether a page was taken for zeroes when the server asked what became of a prepared
    /// transaction.
    fn read_for_prepared(&self, run: &DryRun, slru: Slru, page: u64) -> bool {
        let layout = &self.layout;
        slru == Slru::Xact
            && run.outcome != Outcome::Clean
            && layout.since(Major::V15)
            && files::prepared(self.evidence).any(|xid| slru.pageno(xid.0.into(), layout) == page)
    }
}
