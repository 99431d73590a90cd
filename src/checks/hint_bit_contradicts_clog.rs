//! Hint bit of a row contradicts the commit log.

use crate::cluster::xact::{XactCache, XactLog, XactStatus};
use crate::finding::Recovery;
use crate::format::heap::{
    HEAP_MOVED_IN, HEAP_MOVED_OFF, HEAP_XMAX_COMMITTED, HEAP_XMAX_INVALID, HEAP_XMAX_IS_MULTI, HEAP_XMIN_COMMITTED,
    HeapTuple, HeapTupleHeader, Xmin,
};
use crate::format::slru::XidStatus;
use crate::format::types::TransactionId;
use crate::format::version::Layout;
use crate::scan::Horizons;
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// When the server has looked up once in the commit log (`pg_clog` up to 9.6, `pg_xact`
    /// later) that the transaction which inserted or deleted a row committed or aborted, it
    /// notes that in the row's header: a hint bit. Here the hint bit says one thing and the
    /// commit log the other. No query fails. The hint bit is believed where it is, the commit
    /// log for rows of the same transaction without one, so that of one transaction some rows
    /// count and others do not: updated rows are there twice or not at all.
    ///
    /// ## How it is decided
    /// A row marked as inserted or deleted by a transaction that committed, and the commit
    /// log has it as aborted, or as in progress although it was over before the checkpoint
    /// from which replay starts; or a row marked as inserted or deleted by one that aborted,
    /// and the commit log has it as committed. The commit log is taken as replay leaves it. A
    /// hint bit reaches the disk only when the end of the transaction is safe in the WAL
    /// (`heapam_visibility.c: SetHintBits`, `tqual.c` up to 11), so the two agree after every
    /// crash. Left out are frozen rows, lockers, multixacts, rows moved by the VACUUM FULL of
    /// 8.4 and older, pages that replay changes, pages of the commit log that are all zero
    /// (see `clog-segment-zeroed`), and subtransactions that the commit log leaves to their
    /// parents.
    ///
    /// ## What else may cause it
    /// A file of the commit log from another time, or mended by hand (`dd` with zeroes or
    /// 0x55); a lost write of a commit log page; `pg_resetwal` (`pg_resetxlog` up to 9.6), or
    /// WAL that was lost, so that transactions that committed count as aborted; a relation's
    /// file from another time or cluster; a flipped bit, when it is one row alone.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and do not run VACUUM: it removes
    /// rows, and freezes others, by what it believes just then.
    ///
    /// When many rows of many tables have it, the commit log is wrong: take its files from a
    /// backup or standby of the same time. Which of the two is right shows in the rows: a
    /// transaction with hint bits in several tables most likely ended as they say. Single
    /// rows are restored with their page, or decided by hand in a dump.
    "hint-bit-contradicts-clog" Damage Heap: "hint bit of a row contradicts the commit log"
}

/// Hint bits of xmin and xmax, where the commit log has an answer, too.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let page = &view.view;
    let context = page.context;
    let (Some(horizons), Some(xacts), Some(_)) = (context.horizons, context.xacts, page.promise)
    else {
        return;
    };
    if page.is_replayed() || page.is_ahead() || page.recovery() == Recovery::Heals {
        return;
    }
    let log = Log { xacts, horizons: &horizons, settled_before: context.settled_before };
    // Most pages were filled by one transaction.
    let marks = &view.heap.marks;
    if marks.are_frozen(&context.layout) {
        return;
    }
    if !marks.has_xmax()
        && marks.all_have(HEAP_XMIN_COMMITTED)
        && let Some([one, other]) = marks.xmins()
        && one == other
        && log.denies(&mut tally.xacts, one, true).is_none()
    {
        return;
    }
    for tuple in view.heap.tuples {
        let header = &tuple.header;
        if let Some(committed) = xmin_hint(header, &context.layout)
            && let Some(status) = log.denies(&mut tally.xacts, header.t_xmin, committed)
        {
            report(view, tuple, "xmin", header.t_xmin, committed, status, tally);
        }
        if let Some(committed) = xmax_hint(header, &context.layout)
            && let Some(status) = log.denies(&mut tally.xacts, header.t_xmax, committed)
        {
            report(view, tuple, "xmax", header.t_xmax, committed, status, tally);
        }
    }
}

/// Whether the row says that its inserter committed; nothing where it does not say.
#[inline]
fn xmin_hint(header: &HeapTupleHeader, layout: &Layout) -> Option<bool> {
    match header.xmin(layout) {
        Xmin::Committed => Some(true),
        // One moved off by an old VACUUM FULL is marked so, whoever inserted it.
        Xmin::Invalid if !header.has(HEAP_MOVED_OFF | HEAP_MOVED_IN) => Some(false),
        _ => None,
    }
}

/// The same of its deleter.
#[inline]
fn xmax_hint(header: &HeapTupleHeader, layout: &Layout) -> Option<bool> {
    let hint = header.t_infomask & (HEAP_XMAX_COMMITTED | HEAP_XMAX_INVALID);
    // A mere locker is marked as invalid when it is over, however it ended.
    if hint == 0
        || !header.t_xmax.is_normal()
        || header.has(HEAP_XMAX_IS_MULTI)
        || header.is_locked_only(layout)
    {
        return None;
    }
    match hint {
        HEAP_XMAX_COMMITTED => Some(true),
        HEAP_XMAX_INVALID => Some(false),
        _ => None,
    }
}

/// The commit log, and what it must know.
struct Log<'a> {
    xacts: &'a XactLog<'a>,
    horizons: &'a Horizons,
    settled_before: Option<TransactionId>,
}

impl Log<'_> {
    /// What the commit log says of a transaction, when that cannot be if it committed, or if
    /// it did not.
    #[inline]
    fn denies(
        &self,
        cache: &mut XactCache,
        xid: TransactionId,
        committed: bool,
    ) -> Option<XidStatus> {
        if !xid.is_normal() || !self.horizons.xid_is_valid(xid) {
            return None;
        }
        match (self.xacts.status(cache, xid), committed) {
            (XactStatus::Committed, false) => Some(XidStatus::Committed),
            (XactStatus::NotCommitted, true) => self.unsettled(cache, xid),
            _ => None,
        }
    }

    #[cold]
    fn unsettled(&self, cache: &mut XactCache, xid: TransactionId) -> Option<XidStatus> {
        let page = self.xacts.clog_page(xid);
        let status = self.xacts.recorded(cache, xid)?;
        match status {
            XidStatus::Aborted => Some(status),
            // The commit may be in WAL that is missing, but not if it came before all of it.
            XidStatus::InProgress => self
                .settled_before
                .filter(|settled| xid.precedes(*settled) && !self.xacts.clog.is_zero_page(page))
                .map(|_| status),
            XidStatus::Committed | XidStatus::SubCommitted => None,
        }
    }
}

#[cold]
fn report(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    field: &str,
    xid: TransactionId,
    committed: bool,
    status: XidStatus,
    tally: &mut Tally,
) {
    let marked = if committed { "committed" } else { "aborted" };
    let message = format!(
        "{field} {xid} is marked as {marked}, and the commit log has it as {status}"
    );
    let at = tuple.lp.lp_off();
    let finding = view.view.tuple_finding(&CHECK, tuple.offnum, at, message);
    tally.push(finding.found_expected(marked, status));
}
