//! Multixact segment is missing.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::Slru;
use super::slru_lacks::lacking;
use crate::scan::tally::Lack;

check! {
    /// ## What it means
    /// Multixact segment is missing.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "multixact-segment-missing" Damage Mxact: "multixact segment is missing"
}

/// Segments of `pg_multixact` that tuples need and that are not there.
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
        if files.has_segment(page / 32) {
            continue;
        }
        let path = format!(
            "{}/{}",
            slru.directory(&layout),
            slru.segment_name(page / 32, &layout)
        );
        let multi = lack.example;
        let message = format!("is missing; {}", lack.who());
        let finding = Finding::new(&CHECK, Location::file(&path), message)
            .server_error(format!("could not access status of transaction {multi}"));
        findings.push(finding);
    }
}
