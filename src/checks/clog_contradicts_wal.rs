//! Commit log denies what WAL before the redo point says of transactions.

use crate::check::Examination;
use crate::finding::{Confidence, Finding, Findings, Location};
use crate::format::slru::SLRU_PAGES_PER_SEGMENT;
use crate::recovery::denied::DeniedEnds;
use crate::report::units::thousands;
use crate::scan::tally::Lack;
use super::clog_segment_missing::path;
use super::slru_lacks::lacking;
use std::collections::BTreeSet;

check! {
    /// ## What it means
    /// The commit log (`pg_clog` up to 9.6, `pg_xact` later) has two bits for each
    /// transaction, which the WAL record of its end sets. Here the record is there, and the
    /// bits say otherwise. Either WAL says that transactions committed, and in the commit log
    /// they are in progress or aborted: their rows are missing where no hint bit (a mark in
    /// the row that saves the look-up) says otherwise, what they deleted is back, and updated
    /// rows show their old state. Or WAL says that they were rolled back, and the commit log
    /// has them as committed: rows that never were appear, also those of a subtransaction
    /// alone. Replay does not mend it: it begins behind these records. No query fails, and no
    /// message is written.
    ///
    /// ## How it is decided
    /// WAL before the redo point that is still there, in the directory or in archives given,
    /// is read, and each record of a commit or rollback, with its subtransactions, compared
    /// with the commit log. A commit keeps a checkpoint waiting until it is in the commit log
    /// (`xact.c: RecordTransactionCommit`, `twophase.c: RecordTransactionCommitPrepared`,
    /// `xlog.c: CreateCheckPoint`), and the checkpoint writes that to disk (`clog.c:
    /// CheckPointCLOG`). "Sub-committed", a step on the way there, counts as not committed
    /// (`transam.c: TransactionIdDidCommit`). A rollback keeps nobody waiting, so all but
    /// "committed" is fine for it.
    ///
    /// Only WAL counts that leads to the redo point without a gap, in the cluster's own
    /// history. Left out are transactions before the oldest that may be asked about
    /// (`oldestXid`), pages that are missing or that replay makes anew, and pages that
    /// `clog-segment-zeroed` reports. Most servers keep little WAL from before the redo
    /// point: an archive (`--wal-archive`) shows more.
    ///
    /// ## What else may cause it
    /// A disk or controller that confirmed a write and lost it; `fsync = off` and a crash of
    /// the machine; a file of the commit log made with `dd` (zeroes: in progress; 0x55:
    /// committed), from another cluster, or from an older copy; a copy of a running server
    /// without backup mode, or a base backup without its `backup_label`. On a hot standby
    /// also PostgreSQL 9.0.14, 9.1.10, 9.2.5, 9.3.0 and 9.3.1, which zeroed such bits when
    /// they began to accept queries.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and stop the server if it runs:
    /// every scan writes what it believes into the rows, and VACUUM removes rows and freezes
    /// others by it. Never make files of the commit log with `dd`.
    ///
    /// Take the page from a backup or standby that has all WAL up to the redo point: pages
    /// whose transactions have all ended never change again. Otherwise restore an older base
    /// backup and replay the WAL: that sets the bits again. At risk are all rows that these
    /// transactions inserted, updated or deleted; `pgautopsy wal dump` shows the records of
    /// each. Dump those tables from both copies and compare. On a standby, make a new one.
    "clog-contradicts-wal" Damage Clog: "commit log denies what WAL says of transactions"
}

/// Pages of the commit log whose transactions ended otherwise by the WAL.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(xacts), Some(layout)) = (examination.xacts, examination.cluster.layout) else {
        return;
    };
    for (page, committed, ends) in denied(examination) {
        let in_segment = page % SLRU_PAGES_PER_SEGMENT;
        let mut message = message(in_segment, committed, ends);
        if xacts.is_zero_clog_page(page) {
            let unmarked = lacking(examination)
                .filter(|lack| lack.lack == Lack::UnhintedOnZeroClogPage(page));
            let rows = unmarked.map(|lack| lack.tuples_of(lack.lack)).sum();
            message.push_str(&format!(
                "; the page is all zero, and the rows without a mark count as aborted: {}",
                thousands(rows)
            ));
        }
        let location = Location::file(&path(page / SLRU_PAGES_PER_SEGMENT, examination))
            .at_byte(in_segment * u64::from(layout.blcksz));
        let expected = if committed { "committed" } else { "aborted" };
        let finding = Finding::new(&CHECK, location, message)
            .found_expected(ends.status, expected)
            .confidence(Confidence::Likely);
        findings.push(finding);
    }
}

/// The transactions that the commit log denies, but for those on pages of zeroes that rows
/// already tell of (`clog-segment-zeroed`).
pub fn denied<'e>(
    examination: &'e Examination<'_>,
) -> impl Iterator<Item = (u64, bool, &'e DeniedEnds)> {
    let reported: BTreeSet<u64> = lacking(examination)
        .filter_map(|lack| match lack.lack {
            Lack::ZeroedClogPage(page) => Some(page),
            _ => None,
        })
        .collect();
    let survey = examination.survey.into_iter();
    survey
        .flat_map(|survey| survey.denied.pages())
        .filter(move |(page, _, _)| !reported.contains(page))
}

fn message(page: u64, committed: bool, ends: &DeniedEnds) -> String {
    let DeniedEnds { example, status, lsn, .. } = ends;
    let xids = ends.xids.len();
    let (one, many) = match committed {
        true => ("committed", "committed"),
        false => ("was rolled back", "were rolled back"),
    };
    if xids == 1 {
        return format!(
            "page {page} has transaction {example} as {status}; by the WAL record at {lsn} it {one}"
        );
    }
    format!(
        "page {page} denies that {} transactions {many}: {example} is {status} there, and {one} by \
         the WAL record at {lsn}",
        thousands(xids)
    )
}
