//! WAL segment's content does not belong to its name.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::wal_segments::{Kind, segments};

check! {
    /// ## What it means
    /// WAL segment's content does not belong to its name.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-segment-misnamed" Abnormal Wal: "WAL segment's content does not belong to its name"
}

/// A segment whose first page belongs elsewhere, and that is not waiting to be overwritten.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    for segment in segments(examination) {
        if let Kind::Misnamed(message) = &segment.kind {
            findings.push(Finding::new(&CHECK, Location::file(&segment.path), message.clone()));
        }
    }
}
