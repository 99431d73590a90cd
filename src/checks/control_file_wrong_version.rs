//! Pg_control and PG_VERSION name different versions.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// Pg_control and PG_VERSION name different versions.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "control-file-wrong-version" Fatal Ctl: "pg_control and PG_VERSION name different versions"
}

/// `PG_VERSION` and `pg_control` must be of one major version.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let cluster = examination.cluster;
    let (Some(version), Some(control)) = (cluster.version, cluster.control_file()) else { return };
    if control.version == version {
        return;
    }
    let message = format!(
        "pg_control is of PostgreSQL {}, PG_VERSION says {}",
        control.version.major, version.major
    );
    let finding = Finding::new(&CHECK, Location::file("global/pg_control"), message)
        .found_expected(control.version.major, version.major);
    findings.push(finding.server_error("database files are incompatible with server"));
}
