//! File is not a WAL segment of this cluster's size.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::wal_segments::{Kind, segments};

check! {
    /// ## What it means
    /// File is not a WAL segment of this cluster's size.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-segment-malformed" Abnormal Wal: "file is not a WAL segment of this cluster's size"
}

/// Files with the name of a segment that are not one.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    for segment in segments(examination) {
        if let Kind::Malformed(message) = &segment.kind {
            findings.push(Finding::new(&CHECK, Location::file(&segment.path), message.clone()));
        }
    }
}
