//! Page was written by WAL that does not exist here.

use crate::finding::{Finding, Severity};
use crate::format::heap::{Xmax, Xmin};
use crate::format::index::Special;
use crate::format::types::ForkNumber;
use crate::format::wal::lsn_text;
use crate::scan::page::{HeapView, PageView};
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Each page bears the position (LSN) of the WAL record that changed it last. This page
    /// names a position beyond the end of all WAL that was found, so it comes from a future
    /// which this directory does not know. The server reads the page, but cannot write it out
    /// (a SELECT that sets hint bits makes it try): ERROR `xlog flush request 6A4/3A579D98 is
    /// not satisfied --- flushed only to 0/1E7F6A8`, with CONTEXT `writing block ...`. Then
    /// every checkpoint fails, and so does a clean shutdown. Worse is what is not reported:
    /// other pages lack changes that this one has, so rows and indexes contradict each other;
    /// and replay skips changes to this page, since it takes them for done (`xlogutils.c:
    /// XLogReadBufferForRedoExtended`). In recovery it is a WARNING, `xlog min recovery
    /// request ... is past current point ...`.
    ///
    /// ## How it is decided
    /// The page's `pd_lsn` is compared with the end of the WAL that was found, in the
    /// directory and in archives given (`xlog.c: XLogFlush`). Free space maps and unlogged or
    /// temporary relations are not judged: their pages bear invented positions. An empty spare
    /// page of a hash index is a note: it is written without waiting for its WAL (`hashpage.c:
    /// _hash_alloc_buckets`). Rows of such pages name transactions that the server will give
    /// out once more; when valid WAL lies behind the place where the start stops reading,
    /// older pages that name them count, too.
    ///
    /// ## What else may cause it
    /// `pg_resetwal` (`pg_resetxlog` up to 9.6) was run; `backup_label` was removed from a
    /// base backup; WAL is missing at its end, as when it lay on another disk; WAL of another
    /// cluster or time; files of two copies mixed; the disk lost WAL that it had confirmed
    /// (write cache without battery). A single page among thousands may be a flipped bit.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and look for the missing WAL: the
    /// archive, a standby, `pg_receivewal`, the old WAL disk. With it in place, this finding
    /// goes away and replay makes the pages agree. For a restore: restore again, with
    /// `backup_label` and the WAL archive.
    ///
    /// If the WAL is gone for good, tables and indexes do not fit together, whatever the
    /// server says. The message can be silenced with `pg_resetwal -l` (a start beyond the
    /// highest LSN), but nothing is mended by it. Do that in a second copy only, then dump
    /// all data, load it into a new cluster, and check constraints there.
    "page-lsn-beyond-wal" Damage Page: "page was written by WAL that does not exist here"
}

/// `xlog.c: XLogFlush` refuses to write a page whose LSN it has no WAL for.
#[inline]
pub fn run(view: &PageView<'_>, tally: &mut Tally) {
    let Some(end) = view.context.wal_end else { return };
    let lsn = view.header.pd_lsn;
    // Pages of unlogged and temporary relations carry invented positions
    // (xlog.c: GetFakeLSNForUnloggedRel).
    if lsn <= end || view.fork.unlogged || view.fork.temporary || view.fork.fork == ForkNumber::Fsm {
        return;
    }
    let version = view.context.layout.version;
    let message = format!("page LSN {lsn} lies beyond the end of WAL at {end}");
    let error = format!(
        "xlog flush request {} is not satisfied --- flushed only to {}",
        lsn_text(version, lsn),
        lsn_text(version, end)
    );
    let finding = view
        .finding(&CHECK, message)
        .found_expected(lsn, format!("up to {end}"))
        .server_error(error);
    let finding = owned(view, finding);
    tally.push(if is_spare_of_hash(view) {
        finding.severity(Severity::Note)
    } else {
        finding
    });
}

/// The last page of buckets that a hash index gets at once: written empty, without waiting for
/// its WAL (`hashpage.c: _hash_alloc_buckets`, 10 and later).
fn is_spare_of_hash(view: &PageView<'_>) -> bool {
    let is_empty = view.header.max_offset_number() == 0;
    is_empty && Special::parse(view.page, &view.header).is_unused_hash_page()
}

/// A page may also be older, and hold the number of a transaction that only WAL beyond the end
/// knows: in a file that was copied, or filled without WAL (`wal_level = minimal`).
#[inline]
pub fn rows(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let context = view.view.context;
    if context.beyond.is_none() || view.view.is_ahead() {
        return;
    }
    let layout = &context.layout;
    let lost = view.heap.tuples.iter().find_map(|tuple| {
        let xmin = Some(tuple.header.t_xmin)
            .filter(|_| !matches!(tuple.header.xmin(layout), Xmin::Frozen));
        let xmax = match tuple.header.xmax(layout) {
            Xmax::Locker(xid) | Xmax::Deleted(xid) | Xmax::Undecided(xid) => Some(xid),
            _ => None,
        };
        let mut xids = [xmin, xmax].into_iter().flatten().filter(|xid| xid.is_normal());
        xids.find(|xid| view.view.xid_awaits_wal(*xid)).map(|xid| (tuple, xid))
    });
    if let Some((tuple, xid)) = lost {
        let message = format!("names transaction {xid}, which only WAL beyond the end knows");
        let at = tuple.lp.lp_off();
        let finding = view.view.tuple_finding(&CHECK, tuple.offnum, at, message);
        tally.push(owned(&view.view, finding));
    }
}

/// Files being built are written without waiting for their WAL (bulk_write.c, before 17
/// nbtsort.c and rewriteheap.c): one that no catalog row names was never committed.
fn owned(view: &PageView<'_>, finding: Finding) -> Finding {
    if view.context.names.disowns(view.fork.locator) {
        finding.severity(Severity::Note)
    } else {
        finding
    }
}
