//! Checkpoint does not lie on the history of its timeline.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// Checkpoint does not lie on the history of its timeline.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "timeline-not-ancestor" Fatal Wal: "checkpoint does not lie on the history of its timeline"
}

/// `xlogrecovery.c: InitWalRecovery`: the checkpoint must lie on the history of the timeline
/// that is recovered.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(run) = examination.recovery else { return };
    let Some(fault) = &run.timeline_fault else { return };
    let location = Location::file("global/pg_control").at_lsn(run.checkpoint_lsn);
    let mut finding = Finding::new(&CHECK, location, fault.clone());
    finding.server_error = run.failure.clone();
    findings.push(finding);
}
