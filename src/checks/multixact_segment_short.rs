//! Multixact segment ends too early.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::Slru;
use super::slru_lacks::lacking;
use crate::scan::tally::Lack;

check! {
    /// ## What it means
    /// Multixact segment ends too early.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "multixact-segment-short" Damage Mxact: "multixact segment ends too early"
}

/// Pages that tuples need, in a segment of `pg_multixact` that ends before them.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(xacts), Some(layout)) = (examination.xacts, examination.cluster.layout) else {
        return;
    };
    for lack in lacking(examination) {
        let (slru, files, page) = match lack.lack {
            Lack::OffsetsPage(page) => (Slru::MultiXactOffset, &xacts.offsets, page),
            Lack::MembersPage(page) => (Slru::MultiXactMember, &xacts.members, page),
            _ => continue,
        };
        if !files.has_segment(page / 32) {
            continue;
        }
        let path = format!(
            "{}/{}",
            slru.directory(&layout),
            slru.segment_name(page / 32, &layout)
        );
        let multi = lack.example;
        let message = format!("ends before page {}; {}", page % 32, lack.who());
        let finding = Finding::new(&CHECK, Location::file(&path), message)
            .server_error(format!("could not access status of transaction {multi}"));
        findings.push(finding);
    }
}
