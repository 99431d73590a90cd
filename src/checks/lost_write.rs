//! Page is older than WAL that a checkpoint has seen to disk.

use crate::finding::Confidence;
use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Before a checkpoint counts, every page that WAL before its redo point changed is on
    /// disk. This page is not: it is older than a WAL record from before the redo point that
    /// changed it. Replay begins at the redo point, so it never makes up for the change. No
    /// message says so: rows that were committed are missing, deleted ones are back, an index
    /// leads to rows that are not there. Replay of later changes to the page may fail
    /// (PANIC), or put them in the wrong place.
    ///
    /// ## How it is decided
    /// WAL before the redo point that is still there, in the directory or in archives given,
    /// is read: each record of a table or B-tree stamps its end on the pages it changes
    /// (`PageSetLSN`; `xlog.c: CheckPointGuts` writes all of them). The page's `pd_lsn` is
    /// older than the last such record on this page. Only WAL of the cluster's own history
    /// counts, and pages that are zero throughout do not. A finding `heals` when replay makes
    /// the page anew from a full-page image. Most servers keep little WAL from before the
    /// redo point: an archive (`--wal-archive`) shows more.
    ///
    /// ## What else may cause it
    /// A disk, controller or virtual disk that confirmed a write and lost it (write cache
    /// without battery, a snapshot rolled back for one volume only); `fsync = off` and a
    /// crash of the machine; a copy of a running server without backup mode, whose
    /// `pg_control` is newer than its tables; a base backup without its `backup_label`; files
    /// of an older backup put among these; `pg_control` taken from elsewhere.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If many relations have it, the copy
    /// is a mixture of times: restore the base backup again with `backup_label` and its WAL,
    /// or take a snapshot of all volumes at once. If few pages have it, take them from a
    /// backup with all WAL since then, or from a standby; replay from an older base backup
    /// makes them anew. Compare rows of the table with another copy, REINDEX its indexes, and
    /// do not trust the storage.
    "lost-write" Damage Page: "page is older than WAL that a checkpoint has seen to disk"
}

/// Compares the page's LSN with the last change from before the redo point.
#[inline]
pub fn run(view: &PageView<'_>, tally: &mut Tally) {
    let Some(written) = view.written.and_then(|pages| pages.get(&view.blkno)) else { return };
    let lsn = view.header.pd_lsn;
    if lsn >= *written {
        return;
    }
    let message = format!(
        "page LSN {lsn} is older than the WAL record that ends at {written} and changed it, \
         before the redo point: the write is lost"
    );
    let finding = view
        .finding(&CHECK, message)
        .found_expected(lsn, format!("{written} or later"))
        .confidence(Confidence::Likely);
    tally.push(finding);
}
