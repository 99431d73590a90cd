//! The checkpoint record to start from cannot be read.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::finding::Severity;

check! {
    /// ## What it means
    /// The checkpoint record to start from cannot be read.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "checkpoint-record-unreadable" Fatal Wal: "the checkpoint record to start from cannot be read"
}

/// `xlogrecovery.c: ReadCheckpointRecord`; up to 14 `xlog.c`.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(run), Some(version)) = (examination.recovery, examination.cluster.version) else {
        return;
    };
    if run.check_point.is_some() && !run.used_previous {
        return;
    }
    let named_by = if run.from_backup_label { "backup_label" } else { "global/pg_control" };
    let reason = match &run.stop {
        Some(stop) => match (stop.message(version), &stop.cause) {
            (Some(message), _) => message,
            (None, cause) => format!("{} does not exist", cause.segment().unwrap_or("its segment")),
        },
        None => "what stands there is no checkpoint record".to_owned(),
    };
    let location = Location::file(named_by).at_lsn(run.checkpoint_lsn);
    let finding = if run.used_previous {
        let message = format!(
            "the last checkpoint record cannot be read; the server goes back to the one before, at {}",
            run.checkpoint_lsn
        );
        Finding::new(&CHECK, location, message).severity(Severity::Damage)
    } else if run.refused_label {
        return;
    } else {
        let message =
            format!("the checkpoint record at {} cannot be read: {reason}", run.checkpoint_lsn);
        let mut finding = Finding::new(&CHECK, location, message);
        finding.server_error = run.failure.clone();
        finding
    };
    findings.push(finding);
}
