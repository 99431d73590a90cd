//! Page was written by WAL that does not exist here.

use crate::finding::Severity;
use crate::format::types::ForkNumber;
use crate::format::wal::lsn_text;
use crate::scan::page::PageView;
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
    /// temporary relations are not judged: their pages bear invented positions.
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
    let mut finding = view
        .finding(&CHECK, message)
        .found_expected(lsn, format!("up to {end}"));
    // Files being built are written without waiting for their WAL (bulk_write.c, before 17
    // nbtsort.c and rewriteheap.c): one that no catalog row names was never committed.
    if view.context.names.disowns(view.fork.locator) {
        finding = finding.severity(Severity::Note);
    }
    tally.push(finding.server_error(error));
}
