//! Commit log segment ends too early.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru};
use super::clog_segment_missing::path;
use super::slru_gaps::Report;
use super::slru_lacks::lacking;
use crate::scan::tally::Lack;
use std::collections::BTreeSet;

check! {
    /// ## What it means
    /// A file of the commit log (`pg_clog` up to 9.6, `pg_xact` later), which tells of each
    /// transaction whether it committed, ends before the part that is needed. A query that
    /// asks for a transaction behind the end fails: ERROR `could not access status of
    /// transaction 1285`, DETAIL `Could not read from file "pg_xact/0000" at offset 0: read
    /// too few bytes.` (up to 11 with the misleading `Success` at the end; 19 names the file
    /// in the message). When the missing part is the newest one, the server does not start,
    /// with the same text as FATAL, after a crash as well as after a clean stop (measured on
    /// 10, 15, 18). Only a missing file is forgiven in recovery, a short one is not.
    ///
    /// ## How it is decided
    /// A segment has 32 pages of 8 kB. The newest may be shorter, each page being added when
    /// its first transaction begins; all earlier ones in the live range (`oldestXid` to the
    /// next XID) must be full, and the newest must reach the next XID, or the WAL to be
    /// replayed must add the page (`clog.c: clog_redo`). A length that is no multiple of 8 kB
    /// is reported, too.
    ///
    /// ## What else may cause it
    /// A copy that was cut off, or a full disk; a file system that lost the file's end in a
    /// power failure; a file made by hand; a base backup started without its WAL, where the
    /// page was added during the backup: then the WAL is what is missing.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If this is a base backup, start it
    /// with its `backup_label` and WAL: replay adds the page.
    ///
    /// Otherwise take the file from a backup or standby; pages of the past never change
    /// again, so the longer file is right for them. Do not fill up with zeroes to get the
    /// server started: these transactions then count as aborted, their rows vanish at the
    /// first scan, and are marked so for good. If nothing else is left, do that in a second
    /// copy with the rows' hint bits in mind: rows already marked as committed can be dumped
    /// from it, others are lost. `pg_resetwal` (`pg_resetxlog` up to 9.6) does not mend it.
    "clog-segment-short" Damage Clog: "commit log segment ends too early"
}

/// Pages that tuples need, or that lie between the oldest and the next transaction, in a
/// segment that ends before them (`slru.c: SlruPhysicalReadPage`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(xacts) = examination.xacts else { return };
    let mut named = BTreeSet::new();
    for lack in lacking(examination) {
        let Lack::ClogPage(page) = lack.lack else { continue };
        let segno = page / SLRU_PAGES_PER_SEGMENT;
        if !xacts.clog.has_segment(segno) {
            continue;
        }
        named.insert(segno);
        let message = format!("ends before page {}; {}", page % SLRU_PAGES_PER_SEGMENT, lack.who_but(page));
        let at = lack.page_offset(page);
        let location = Location::file(&path(segno, examination)).at_byte(at);
        let mut finding = Finding::new(&CHECK, location, message);
        finding.server_error = lack.server_error(Slru::Xact, &xacts.clog, page);
        findings.push(finding);
    }
    let report = Report::of_clog(examination, named);
    let new = |location, message| Finding::new(&CHECK, location, message);
    for finding in report.into_iter().flat_map(|report| report.short(&new)) {
        findings.push(finding);
    }
}
