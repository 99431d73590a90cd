//! Commit log segment ends too early.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::clog_segment_missing::path;
use super::slru_lacks::lacking;
use crate::scan::tally::Lack;

check! {
    /// ## What it means
    /// Commit log segment ends too early.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "clog-segment-short" Damage Clog: "commit log segment ends too early"
}

/// Pages that tuples need, in a segment that ends before them (`slru.c:
/// SlruPhysicalReadPage`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(xacts) = examination.xacts else { return };
    for lack in lacking(examination) {
        let Lack::ClogPage(page) = lack.lack else { continue };
        let segno = page / 32;
        if !xacts.clog.has_segment(segno) {
            continue;
        }
        let message = format!("ends before page {}; {}", page % 32, lack.who());
        let at = lack.page_offset(page);
        let xid = lack.example;
        let finding = Finding::new(&CHECK, Location::file(&path(segno, examination)).at_byte(at), message)
            .server_error(format!("could not access status of transaction {xid}"));
        findings.push(finding);
    }
}
