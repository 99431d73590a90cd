//! A segment in the middle of a relation is missing.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// A segment in the middle of a relation is missing.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "relation-segment-missing" Damage Dir: "a segment in the middle of a relation is missing"
}

/// Segments are numbered without a gap (`md.c: _mdfd_getseg`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(context) = examination.scan else { return };
    for fork in examination.forks {
        let Some(last) = fork.segments.iter().rev().find(|(_, (_, size))| *size > 0) else {
            continue;
        };
        for segment in (0..*last.0).filter(|n| !fork.segments.contains_key(n)) {
            let first_block = segment.saturating_mul(context.layout.relseg_size);
            let path = fork.segment_path(segment);
            let message = format!(
                "segment {segment} is missing although segment {} is there: {} blocks are lost",
                last.0, context.layout.relseg_size
            );
            let mut location = Location::file(&path);
            location.relation = Some((fork.locator, fork.fork, segment));
            let finding = Finding::new(&CHECK, location, message)
                .recovery(context.fate(fork, first_block))
                .server_error(format!("could not open file \"{path}\""));
            findings.push(finding);
        }
    }
}
