//! Commit log page is all zero although its transactions ended.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::SLRU_PAGES_PER_SEGMENT;
use super::clog_segment_missing::path;
use super::slru_lacks::lacking;
use crate::finding::Confidence;
use crate::report::units::thousands;
use crate::scan::tally::Lack;

check! {
    /// ## What it means
    /// The commit log (`pg_clog` up to 9.6, `pg_xact` later) keeps two bits per transaction;
    /// 00 means in progress, and after a restart an in-progress transaction counts as
    /// aborted. Here a whole page (32768 transactions) is zero, although rows bear hint bits,
    /// marks which say that their transactions committed. So the page was lost. Rows with
    /// hint bits are still seen; rows without them have silently vanished, updates and
    /// deletions are undone. No query fails, and no message is written: the commit log has no
    /// checksum. The loss grows as sequential scans mark the rows as aborted and VACUUM
    /// removes them.
    ///
    /// ## How it is decided
    /// For all pages in the live range (`oldestXid` to next XID) that are zero throughout:
    /// some row must have a hint bit "inserter committed" (`heapam_visibility.c:
    /// SetHintBits`; `tqual.c` up to 11) for a transaction on it. What the WAL to be replayed
    /// writes to the page counts, so a page that replay fills is not reported. A page of
    /// which only aborted or no transactions are known is not reported.
    ///
    /// ## What else may cause it
    /// A file made with `dd`, after an error about a missing one; recovery that met a missing
    /// file and went on (LOG `file "..." doesn't exist, reading as zeroes`); a disk that lost
    /// a write, or a file system that put zeroes at the place of data after a power failure;
    /// a restore without the WAL that filled the page; `pg_resetwal`, after which clog and
    /// tables no longer fit.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and stop the server if it runs:
    /// every scan marks more rows as aborted, which no clog file can take back.
    ///
    /// Fetch the file from a backup or standby from before the loss; full pages never change,
    /// so an old copy is right for them, and put it in while the server is stopped. If there
    /// is none, the row count of this report tells what is at stake; set the page to 0x55
    /// (all committed) in a copy, dump the tables, and compare by hand: aborted rows and old
    /// versions come back with it. Look in the shell history for the `dd`.
    "clog-segment-zeroed" Damage Clog: "commit log page is all zero although its transactions ended"
}

/// Pages of zeroes although hint bits of tuples say that transactions on them committed.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    for lack in lacking(examination) {
        let (page, message) = match lack.lack {
            Lack::ZeroedClogPage(page) => {
                let unmarked = thousands(lack.tuples_of(Lack::UnhintedOnZeroClogPage(page)));
                let message = format!(
                    "yet {} marked as committed; without that mark its rows count as aborted: \
                     {unmarked} here",
                    lack.who_is()
                );
                (page, message)
            }
            Lack::UnhintedOnZeroClogPage(page)
                if lack.is_lost_page(page) && lack.tuples_of(Lack::ZeroedClogPage(page)) == 0 =>
            {
                (page, format!("and {} without a mark: they count as aborted", lack.who_is()))
            }
            _ => continue,
        };
        let message = format!("page {} is all zero, {message}", page % SLRU_PAGES_PER_SEGMENT);
        let at = lack.page_offset(page);
        let location = Location::file(&path(page / SLRU_PAGES_PER_SEGMENT, examination)).at_byte(at);
        findings.push(Finding::new(&CHECK, location, message).confidence(Confidence::Likely));
    }
}
