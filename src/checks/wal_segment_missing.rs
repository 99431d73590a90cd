//! A WAL segment is missing although later ones exist.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::wal_record_damaged::stop_kind;
use crate::report::StopKind;
use crate::recovery::stop::StopCause;

check! {
    /// ## What it means
    /// A WAL segment is missing although later ones exist.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-segment-missing" Damage Wal: "a WAL segment is missing although later ones exist"
}

/// A hole in the sequence of segments: the server takes it for the end, and says nothing.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(run) = examination.recovery else { return };
    let Some(stop) = &run.stop else { return };
    let StopCause::MissingSegment { segment } = &stop.cause else { return };
    if stop_kind(examination, run) != StopKind::MissingSegment {
        return;
    }
    let directory = examination.cluster.version.map_or("pg_wal", |version| version.wal_dir());
    let message = format!(
        "WAL segment {segment} is missing although later ones are there; the server stops \
         replay before it and does not say so"
    );
    let location = Location::file(&format!("{directory}/{segment}")).at_lsn(stop.lsn);
    findings.push(Finding::new(&CHECK, location, message));
}
