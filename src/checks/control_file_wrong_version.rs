//! Pg_control and PG_VERSION name different versions.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// Two files name the version of this directory: `PG_VERSION` (a line such as `9.6` or
    /// `15`) and `global/pg_control` (a format number and a catalog version number). They
    /// name different majors, so the directory is a mixture, or one of the two was replaced.
    /// Each major server reads only its own formats, and refuses: FATAL `database files are
    /// incompatible with server`, with DETAIL `The data directory was initialized by
    /// PostgreSQL version ...` (from `PG_VERSION`), or `The database cluster was initialized
    /// with PG_CONTROL_VERSION ...` or `CATALOG_VERSION_NO ...` (from `pg_control`).
    ///
    /// ## How it is decided
    /// `PG_VERSION` is compared as in `miscinit.c: ValidatePgVersion`, `pg_control` as in
    /// `xlog.c: ReadControlFile`. The format number alone does not tell the major (903 is 9.0
    /// and 9.1, 942 is 9.4 and 9.5, 1300 is 13 to 16), so the catalog version decides; the
    /// magic number of the WAL pages is the third witness.
    ///
    /// ## What else may cause it
    /// Files of two directories restored over each other; an interrupted or reverted
    /// `pg_upgrade` (it renames the old `pg_control` to `pg_control.old` in link mode);
    /// `PG_VERSION` edited to make a server start; a beta or vendor build, whose catalog
    /// version is its own.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Then find out which of the two is
    /// right: look at the WAL magic in this report, at `PG_VERSION` in the folders below
    /// `base`, and at the name `PG_<version>_<catalog version>` inside each tablespace.
    ///
    /// Do not edit `PG_VERSION` to get past the message: a server of the wrong major misreads
    /// pages and catalogs, and writes its misreading back. If `pg_upgrade` was at work, go on
    /// with its own instructions for reverting. If two directories were mixed, restore from a
    /// backup: no table of such a mixture can be trusted.
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
