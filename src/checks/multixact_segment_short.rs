//! Multixact segment ends too early.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru};
use super::slru_gaps::Report;
use super::slru_lacks::lacking;
use std::collections::BTreeSet;

check! {
    /// ## What it means
    /// `pg_multixact/offsets` and `members` hold the lists of transactions for rows that
    /// several transactions lock (from 9.3 on, one of them may have updated the row). A file
    /// ends before the part that is needed. A query on such a row fails: ERROR `could not
    /// access status of transaction 6`, where the number is the multixact, DETAIL `Could not
    /// read from file "pg_multixact/offsets/0000" at offset 0: read too few bytes.` (up to 11
    /// it ends in `Success`; 19 names the file in the message). If the newest part of
    /// `offsets` or, up to 18, of `members` is cut off, the server does not start at all,
    /// neither after a clean stop nor after a crash: FATAL with these words.
    ///
    /// ## How it is decided
    /// A segment has 32 pages of 8 kB. Each page up to the one of `nextMulti` (offsets) and
    /// of the next member (members) after replay must be in its file, or be added by the WAL
    /// (`multixact.c: multixact_redo`, records ZERO_OFF_PAGE and ZERO_MEM_PAGE). A length
    /// that is no multiple of 8 kB is reported, too. The server notices at first use
    /// (`slru.c: SlruPhysicalReadPage`).
    ///
    /// ## What else may cause it
    /// A copy that was cut off, or a full disk; a file system that lost the file's end; a
    /// base backup started without its WAL, which would add the page; counters that are too
    /// high after `pg_resetwal` (`pg_resetxlog` up to 9.6): then the file is right; early
    /// minor releases of 9.3 and 9.4, which truncated `members` wrongly.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If this is a base backup, start it
    /// with `backup_label` and its WAL.
    ///
    /// Otherwise take the file from a backup or standby: pages of the past never change. Do
    /// not fill it up with zeroes: the error goes, but the lists are invented, so that
    /// updated and deleted rows can come back. If nothing else is left, list the rows that
    /// need it from this report, dump the rest in a copy, and decide on these rows by hand.
    /// `pg_resetwal -m` makes no lists; with a wrong value it makes more rows unreadable.
    "multixact-segment-short" Damage Mxact: "multixact segment ends too early"
}

/// Pages that tuples need, or that lie between the oldest and the next multixact, in a segment
/// of `pg_multixact` that ends before them.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(layout) = examination.cluster.layout else {
        return;
    };
    let mut named = BTreeSet::new();
    for lack in lacking(examination) {
        let Some((slru, files, page)) = lack.multixact_page() else {
            continue;
        };
        if !files.has_segment(page / SLRU_PAGES_PER_SEGMENT) {
            continue;
        }
        named.insert((slru, page / SLRU_PAGES_PER_SEGMENT));
        let path = slru.segment_path(page / SLRU_PAGES_PER_SEGMENT, &layout);
        let message = format!("ends before page {}; {}", page % SLRU_PAGES_PER_SEGMENT, lack.who());
        let mut finding = Finding::new(&CHECK, Location::file(&path), message);
        finding.server_error = lack.server_error(slru, files, page);
        findings.push(finding);
    }
    let new = |location, message| Finding::new(&CHECK, location, message);
    for slru in [Slru::MultiXactOffset, Slru::MultiXactMember] {
        let named = named.iter().filter(|(of, _)| *of == slru).map(|(_, segno)| *segno);
        let report = Report::of_multixacts(examination, slru, named.collect());
        for finding in report.into_iter().flat_map(|report| report.short(&new)) {
            findings.push(finding);
        }
    }
}
