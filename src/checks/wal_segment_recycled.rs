//! WAL segment is recycled and waits to be overwritten.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::wal_segments::{Kind, segments};

check! {
    /// ## What it means
    /// WAL segment is recycled and waits to be overwritten.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-segment-recycled" Note Wal: "WAL segment is recycled and waits to be overwritten"
}

/// A segment behind the end of WAL that still holds what it held under its old name
/// (`xlog.c: InstallXLogFileSegment`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    for segment in segments(examination) {
        if let Kind::Recycled(from) = &segment.kind {
            let message = format!("holds WAL of {from} and waits to be overwritten");
            findings.push(Finding::new(&CHECK, Location::file(&segment.path), message));
        }
    }
}
