//! Commit log segment is missing.

use crate::check::Examination;
use crate::cluster::xact::XactLog;
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru};
use super::slru_gaps::Report;
use super::slru_lacks::{Lacking, lacking};
use crate::scan::tally::Lack;
use std::collections::BTreeSet;

check! {
    /// ## What it means
    /// The commit log (`pg_clog` up to 9.6, `pg_xact` later) keeps two bits for each
    /// transaction: in progress, committed, aborted. One file covers 1048576 transactions. A
    /// file is missing that rows still need. A query on such a row fails: ERROR `could not
    /// access status of transaction 2319990784`, DETAIL `Could not open file "pg_clog/08A4":
    /// No such file or directory.` (19 has it the other way round: the file in the message,
    /// the number in the DETAIL). After a clean stop the server does not even start if the
    /// newest file is missing (FATAL, same text).
    ///
    /// Worse is a start after a crash. Replay makes the file anew, full of zeroes, with one
    /// LOG line, `file "pg_xact/0000" doesn't exist, reading as zeroes`, and then all is
    /// "aborted" that the replayed WAL does not tell. Measured on 15: of 110003 committed
    /// rows 96671 were left, and no error.
    ///
    /// ## How it is decided
    /// A segment is needed if it lies within `oldestXid` up to the next XID, or if rows
    /// without hint bits (marks in the row that save the look-up) name transactions in it. The
    /// oldest files alone missing, which no row needs, is a note after a crash, when a
    /// truncation may not have been over, and where `oldestXid` was made up (`pg_resetwal -x`
    /// up to 13, and so `pg_upgrade`).
    /// The report names relations, number of rows, an example. The server finds it at first
    /// use (`slru.c: SlruPhysicalReadPage, SlruReportIOError`).
    ///
    /// ## What else may cause it
    /// Cleaning scripts that take `pg_clog` for log files; a copy or restore that was cut
    /// off; a file system repair (look in `lost+found`). If there never was such a file, the
    /// rows are damaged, and `xmin-out-of-range` or `xmax-out-of-range` is reported instead.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and do not start the server: after a
    /// crash, the start itself turns committed rows into aborted ones and writes that down.
    ///
    /// Get the file from a backup or standby: an old segment never changes again once its
    /// transactions have ended, and even the newest one is good if the WAL since the backup
    /// is replayed. Do not make it with `dd if=/dev/zero`: that silences the error and
    /// removes the rows. Filling it with 0x55 (all committed) brings back aborted and deleted
    /// ones: only in a copy, to dump, and to be compared by hand. `pg_resetwal` brings
    /// nothing back.
    "clog-segment-missing" Damage Clog: "commit log segment is missing"
}

/// Segments that tuples need, or that lie between the oldest and the next transaction, and
/// that are not there.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(xacts) = examination.xacts else { return };
    let mut named = BTreeSet::new();
    for lack in lacking(examination) {
        let Lack::ClogPage(page) = lack.lack else { continue };
        let segno = page / SLRU_PAGES_PER_SEGMENT;
        if xacts.clog.has_segment(segno) {
            continue;
        }
        named.insert(segno);
        findings.push(needed(&lack, page, xacts, examination));
    }
    // Nobody's rows depend on the rest, but the server never leaves a hole there.
    let report = Report::of_clog(examination, named);
    let new = |location, message| Finding::new(&CHECK, location, message);
    for finding in report.into_iter().flat_map(|report| report.missing(&new)) {
        findings.push(finding);
    }
}

fn needed(
    lack: &Lacking<'_>,
    page: u64,
    xacts: &XactLog<'_>,
    examination: &Examination<'_>,
) -> Finding {
    let path = path(page / SLRU_PAGES_PER_SEGMENT, examination);
    let message = format!("is missing; {}", lack.who_but(page));
    let mut finding = Finding::new(&CHECK, Location::file(&path), message);
    finding.server_error = lack.server_error(Slru::Xact, &xacts.clog, page);
    finding
}

/// Path of a commit log segment.
pub(super) fn path(segno: u64, examination: &Examination<'_>) -> String {
    match &examination.cluster.layout {
        Some(layout) => Slru::Xact.segment_path(segno, layout),
        None => String::new(),
    }
}
