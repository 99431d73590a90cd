//! Pg_control holds a value that cannot be.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::finding::Severity;

check! {
    /// ## What it means
    /// Pg_control holds a value that cannot be.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "control-file-impossible-value" Fatal Ctl: "pg_control holds a value that cannot be"
}

/// Values that no cluster has, though the CRC fits.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(control) = examination.cluster.sound_control() else { return };
    for impossible in control.impossible() {
        let severity = match (&impossible.refusal, impossible.other_build) {
            (_, true) => Severity::Note,
            (Some(_), false) => Severity::Fatal,
            (None, false) => Severity::Abnormal,
        };
        let message = format!(
            "{} is {}, expected {}",
            impossible.field, impossible.found, impossible.expected
        );
        let mut finding = Finding::new(&CHECK, Location::file("global/pg_control"), message)
            .severity(severity)
            .found_expected(&impossible.found, &impossible.expected);
        finding.server_error = impossible.refusal.map(|refusal| refusal.message);
        findings.push(finding);
    }
}
