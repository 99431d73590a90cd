//! Multixact segment is missing.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru};
use super::slru_gaps::Report;
use super::slru_lacks::lacking;
use std::collections::BTreeSet;

check! {
    /// ## What it means
    /// `pg_multixact` keeps the lists of transactions for rows that several transactions
    /// lock, and from 9.3 on for rows locked by some and updated by one: `offsets` says where
    /// each list begins, `members` holds the lists. A file is missing that rows still need.
    /// Asking for such a row fails: ERROR `could not access status of transaction 6`, where 6
    /// is the multixact and no transaction, DETAIL `Could not open file
    /// "pg_multixact/offsets/0000": No such file or directory.` (19 names the file in the
    /// message). The server does not start if the newest `offsets` file is missing, or up to
    /// 18 the newest `members` file: FATAL with the same words.
    ///
    /// After a crash it starts if the WAL has multixacts for that file, with at most one LOG
    /// line, `file "pg_multixact/offsets/0000" doesn't exist, reading as zeroes` (measured on
    /// 10, 15, 18). Then the older lists are gone: rows that were updated or deleted can be
    /// there again, and 14 and later may say `MultiXact ... has invalid next offset`.
    ///
    /// ## How it is decided
    /// Files for the multixacts from `oldestMulti` up to `nextMulti` after replay must exist,
    /// and those that rows with a multixact need; names and sizes as in `multixact.c` of the
    /// version (2048 offsets a page, 1024 from 19 on). The oldest files alone missing, which no
    /// row needs, is a note: `pg_upgrade` and 9.3 left counters that name too old a multixact.
    /// Up to 9.2 no oldest one is kept, and lists older than the last start are not needed:
    /// only lockers were in them. There only the file that the start reads counts.
    ///
    /// ## What else may cause it
    /// A copy or restore cut off; a folder taken for a cache and emptied; `pg_resetwal -m`
    /// with too low an oldest value; a 9.3 cluster made by `pg_upgrade` before 9.3.5, which
    /// left a stray `offsets/0000` or lacks the real files.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and do not start the server after a
    /// crash: replay makes the file anew with zeroes.
    ///
    /// Take the file from a backup or standby: files of the past never change, and the WAL
    /// brings the newest up to date. Do not make it with `dd`: the error goes, and so do
    /// updates and deletions. If there is no backup, dump in a copy what can be read and list
    /// the rows that fail by ctid. `pg_resetwal -m` only moves the counters; it makes no
    /// lists.
    "multixact-segment-missing" Damage Mxact: "multixact segment is missing"
}

/// Segments of `pg_multixact` that tuples need, or that lie between the oldest and the next
/// multixact, and that are not there.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(layout) = examination.cluster.layout else {
        return;
    };
    let mut named = BTreeSet::new();
    for lack in lacking(examination) {
        let Some((slru, files, page)) = lack.multixact_page() else {
            continue;
        };
        if files.has_segment(page / SLRU_PAGES_PER_SEGMENT) {
            continue;
        }
        named.insert((slru, page / SLRU_PAGES_PER_SEGMENT));
        let path = slru.segment_path(page / SLRU_PAGES_PER_SEGMENT, &layout);
        let message = format!("is missing; {}", lack.who());
        let mut finding = Finding::new(&CHECK, Location::file(&path), message);
        finding.server_error = lack.server_error(slru, files, page);
        findings.push(finding);
    }
    let new = |location, message| Finding::new(&CHECK, location, message);
    for slru in [Slru::MultiXactOffset, Slru::MultiXactMember] {
        let named = named.iter().filter(|(of, _)| *of == slru).map(|(_, segno)| *segno);
        let report = Report::of_multixacts(examination, slru, named.collect());
        for finding in report.into_iter().flat_map(|report| report.missing(&new)) {
            findings.push(finding);
        }
    }
}
