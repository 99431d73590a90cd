//! Commit timestamps are missing.

use crate::check::Examination;
use crate::finding::{Finding, Findings};
use super::slru_gaps::Report;

check! {
    /// ## What it means
    /// With `track_commit_timestamp = on`, 9.5 and later, `pg_commit_ts` keeps ten bytes for
    /// each transaction: when it committed, and for replication from where. A file is
    /// missing, or ends too early. `pg_xact_commit_timestamp()` fails for its transactions:
    /// ERROR `could not access status of transaction 1040000`, DETAIL `Could not open file
    /// "pg_commit_ts/0027": No such file or directory.` (19 names the file in the message).
    /// Logical replication that looks for conflicts asks the same way. No row depends on it.
    ///
    /// The server starts all the same, and makes the page of the next transaction anew, all
    /// zero, where that is missing (measured on 10, 15, 18): timestamps on it and before it in
    /// the same file are then gone without an error.
    ///
    /// ## How it is decided
    /// `pg_control` says that timestamps are kept. Then each page from `oldestCommitTsXid` up
    /// to `newestCommitTsXid` of the checkpoint must be in its file (819 transactions a page,
    /// 32 pages a file), or be made by the WAL to be replayed (`commit_ts.c: ExtendCommitTs,
    /// commit_ts_redo`). Nothing is said where the WAL switches them off.
    ///
    /// ## What else may cause it
    /// A copy or restore that left the folder out or was cut off; a full disk; the folder
    /// emptied by hand to save space; `pg_resetwal -c` with too low an oldest transaction.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Old files never change, so the one
    /// from a backup or standby is right; put it in while the server is stopped.
    ///
    /// If there is none, the timestamps of these transactions are lost, and nothing else. If
    /// queries fail for it: start with `track_commit_timestamp = off`, stop cleanly, and set it
    /// on again: that begins anew with no timestamps at all.
    "commit-ts-segment-missing" Damage Clog: "commit timestamps are missing"
}

/// Pages between the oldest and the newest transaction with a timestamp that are not there.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(report) = Report::of_commit_ts(examination) else { return };
    let new = |location, message| Finding::new(&CHECK, location, message);
    for finding in report.missing(&new).into_iter().chain(report.short(&new)) {
        findings.push(finding);
    }
}
