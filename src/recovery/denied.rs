//! Ends of transactions that WAL before the redo point records and the commit log denies.
//!
//! A commit holds up the checkpoint from before its record until it is in the commit log
//! (`xact.c: RecordTransactionCommit`, `twophase.c: RecordTransactionCommitPrepared`:
//! `inCommit` up to 9.1, `delayChkpt` later; `xlog.c: CreateCheckPoint` waits for those), and
//! then the checkpoint writes the commit log (`CheckPointCLOG`). A restartpoint follows when
//! all that is replayed. So on disk the transaction and all its subtransactions are committed. An
//! abort holds up nothing: it may still count as in progress, but never as committed.

use crate::cluster::xact::{XactCache, XactLog};
use crate::format::slru::XidStatus;
use crate::format::types::{TransactionId, XLogRecPtr};
use crate::format::version::Layout;
use crate::format::wal::Record;
use crate::format::wal::effects::{Effect, effects};
use crate::format::wal::rmgr::{RM_CLOG_ID, RM_XACT_ID};
use crate::format::wal::xact::XactEnd;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;

/// The commit log, and the transactions of which it must know.
#[derive(Clone, Copy)]
pub(super) struct CommitLog<'a> {
    pub(super) xacts: &'a XactLog<'a>,
    pub(super) oldest: TransactionId,
    pub(super) next: TransactionId,
}

impl CommitLog<'_> {
    /// What it says of a transaction, when that cannot be.
    fn denies(
        &self,
        cache: &mut XactCache,
        xid: TransactionId,
        committed: bool,
    ) -> Option<XidStatus> {
        if !xid.is_normal() || xid.precedes(self.oldest) || !xid.precedes(self.next) {
            return None;
        }
        let status = self.xacts.recorded(cache, xid)?;
        ((status == XidStatus::Committed) != committed).then_some(status)
    }
}

/// Transactions of one page of the commit log that it denies to have ended as they did.
#[derive(Clone, Debug)]
pub struct DeniedEnds {
    /// Their numbers, subtransactions included.
    pub xids: RoaringBitmap,
    /// One of them.
    pub example: TransactionId,
    /// What the commit log says of it.
    pub status: XidStatus,
    /// Where the record of its end begins.
    pub lsn: XLogRecPtr,
}

/// Those of all pages. What the commit log confirms takes no memory.
#[derive(Clone, Debug, Default)]
pub struct Denied {
    /// By page, and whether WAL says that they committed.
    ends: BTreeMap<(u64, bool), DeniedEnds>,
}

impl Denied {
    /// By page of the commit log, and whether WAL says that they committed.
    pub fn pages(&self) -> impl Iterator<Item = (u64, bool, &DeniedEnds)> {
        self.ends
            .iter()
            .map(|((page, committed), ends)| (*page, *committed, ends))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn add(&mut self, page: u64, committed: bool, more: DeniedEnds) {
        match self.ends.get_mut(&(page, committed)) {
            Some(known) => known.xids |= more.xids,
            None => {
                self.ends.insert((page, committed), more);
            }
        }
    }

    /// The transactions known so far had these numbers before they were used again.
    fn forget(&mut self, page: u64) {
        self.ends.remove(&(page, false));
        self.ends.remove(&(page, true));
    }

    /// Adds those of the next piece of WAL.
    pub(super) fn merge(&mut self, more: DeniedPiece) {
        for page in more.zeroed {
            self.forget(page);
        }
        for ((page, committed), ends) in more.denied.ends {
            self.add(page, committed, ends);
        }
    }
}

/// Those of a piece of WAL.
#[derive(Debug, Default)]
pub(super) struct DeniedPiece {
    denied: Denied,
    /// Pages that begin anew in it.
    zeroed: Vec<u64>,
}

impl DeniedPiece {
    /// Takes in a record from before the redo point.
    pub(super) fn record(
        &mut self,
        layout: Layout,
        log: &CommitLog<'_>,
        cache: &mut XactCache,
        record: &Record<'_, '_>,
    ) {
        if !matches!(record.header.xl_rmid, RM_XACT_ID | RM_CLOG_ID) {
            return;
        }
        effects(layout, record, &mut |effect| match effect {
            Effect::Commits(end) => self.ended(log, cache, &end, true, record.lsn),
            Effect::Aborts(end) => self.ended(log, cache, &end, false, record.lsn),
            Effect::ZeroesClogPage(page) => {
                self.denied.forget(page);
                self.zeroed.push(page);
            }
            _ => {}
        });
    }

    fn ended(
        &mut self,
        log: &CommitLog<'_>,
        cache: &mut XactCache,
        end: &XactEnd<'_>,
        committed: bool,
        lsn: XLogRecPtr,
    ) {
        for xid in end.subxacts.iter().chain([end.xid]) {
            let Some(status) = log.denies(cache, xid, committed) else {
                continue;
            };
            let ends = DeniedEnds {
                xids: RoaringBitmap::from_iter([xid.0]),
                example: xid,
                status,
                lsn,
            };
            self.denied.add(log.xacts.clog_page(xid), committed, ends);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(page: u64, committed: bool, xid: u32, zeroed: Vec<u64>) -> DeniedPiece {
        let ends = DeniedEnds {
            xids: RoaringBitmap::from_iter([xid]),
            example: TransactionId(xid),
            status: XidStatus::InProgress,
            lsn: XLogRecPtr(u64::from(xid)),
        };
        DeniedPiece {
            denied: Denied {
                ends: BTreeMap::from([((page, committed), ends)]),
            },
            zeroed,
        }
    }

    fn shown(denied: &Denied) -> Vec<(u64, bool, u64, u32)> {
        denied
            .pages()
            .map(|(page, committed, ends)| (page, committed, ends.xids.len(), ends.example.0))
            .collect()
    }

    #[test]
    fn each_transaction_counts_once_and_the_first_is_shown() {
        let mut denied = Denied::default();
        for xid in [700, 701, 700] {
            denied.merge(piece(0, true, xid, vec![]));
        }
        denied.merge(piece(0, false, 702, vec![]));
        assert_eq!(shown(&denied), [(0, false, 1, 702), (0, true, 2, 700)]);
    }

    #[test]
    fn a_page_that_begins_anew_has_other_transactions() {
        let mut denied = Denied::default();
        denied.merge(piece(0, true, 700, vec![]));
        denied.merge(piece(1, true, 40_000, vec![]));
        denied.merge(piece(0, true, 800, vec![0]));
        assert_eq!(shown(&denied), [(0, true, 1, 800), (1, true, 1, 40_000)]);
    }
}
