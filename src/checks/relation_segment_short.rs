//! A segment before the last one is not full.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// A segment before the last one is not full.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "relation-segment-short" Damage Dir: "a segment before the last one is not full"
}

/// Every segment before the last that has any bytes is full (`md.c: _mdfd_getseg`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(context) = examination.scan else { return };
    let layout = &context.layout;
    let full = u64::from(layout.relseg_size) * u64::from(layout.blcksz);
    for fork in examination.forks {
        let Some(last) = fork.segments.iter().rev().find(|(_, (_, size))| *size > 0) else {
            continue;
        };
        for (segment, (_, size)) in fork.segments.range(..last.0).filter(|(_, (_, s))| *s < full) {
            let blocks = u32::try_from(size / u64::from(layout.blcksz)).unwrap_or(0);
            let first_lost = segment.saturating_mul(layout.relseg_size).saturating_add(blocks);
            let path = fork.segment_path(*segment);
            let message = format!(
                "segment {segment} ends after {blocks} of {} blocks although segment {} is there",
                layout.relseg_size, last.0
            );
            let mut location = Location::file(&path).at_byte(*size);
            location.relation = Some((fork.locator, fork.fork, *segment));
            let finding = Finding::new(&CHECK, location, message)
                .recovery(context.fate(fork, first_lost))
                .found_expected(size, full)
                .server_error(format!(
                    "could not open file \"{}\" (target block {}): previous segment is only \
                     {blocks} blocks",
                    fork.segment_path(last.0.saturating_add(0)),
                    last.0.saturating_mul(layout.relseg_size)
                ));
            findings.push(finding);
        }
    }
}
