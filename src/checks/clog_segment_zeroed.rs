//! Commit log page is all zero although its transactions ended.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::clog_segment_missing::path;
use super::slru_lacks::lacking;
use crate::finding::Confidence;
use crate::scan::tally::Lack;

check! {
    /// ## What it means
    /// Commit log page is all zero although its transactions ended.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "clog-segment-zeroed" Damage Clog: "commit log page is all zero although its transactions ended"
}

/// Pages of zeroes although hint bits of tuples say that transactions on them committed.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    for lack in lacking(examination) {
        let Lack::ZeroedClogPage(page) = lack.lack else { continue };
        let message = format!(
            "page {} is all zero, yet {} marked as committed: rows without that mark count as \
             aborted",
            page % 32,
            lack.who_is()
        );
        let at = lack.page_offset(page);
        let location = Location::file(&path(page / 32, examination)).at_byte(at);
        findings.push(Finding::new(&CHECK, location, message).confidence(Confidence::Likely));
    }
}
