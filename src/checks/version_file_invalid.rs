//! PG_VERSION is missing or names no known version.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::cluster::Fact;
use crate::finding::Severity;
use crate::format::pgversion::PgVersion;
use crate::pgdata::FileKind;

check! {
    /// ## What it means
    /// PG_VERSION is missing or names no known version.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "version-file-invalid" Fatal Ctl: "PG_VERSION is missing or names no known version"
}

/// `miscinit.c: ValidatePgVersion`, for the cluster and for each database.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let cluster = examination.cluster;
    let problem = match &cluster.pg_version {
        Fact::Present(PgVersion::Known(_)) | Fact::Missing => None,
        Fact::Present(PgVersion::Unknown(..)) => Some("PG_VERSION names an unknown version".to_owned()),
        Fact::Unreadable(error) => Some(format!("PG_VERSION cannot be read: {error}")),
        Fact::Malformed(malformed) => Some(malformed.to_string()),
    };
    if let Some(message) = problem {
        let finding = Finding::new(&CHECK, Location::file("PG_VERSION"), message);
        findings.push(finding.server_error("is not a valid data directory"));
    }
    let Some(version) = cluster.version else { return };
    let plan = examination.recovery.and_then(|run| run.plan.as_ref());
    for (id, entry) in examination.evidence.iter() {
        let FileKind::PgVersion { db: Some(database) } = entry.kind else { continue };
        let other_version = entry
            .tablespace_version_dir()
            .is_some_and(|dir| dir != version.tablespace_dir());
        let key = (database.db_oid, database.spc_oid);
        let replaced = plan.is_some_and(|plan| {
            plan.copied_databases.contains(&key) || plan.dropped_databases.contains(&key)
        });
        if other_version || replaced || entry.archive.is_some() {
            continue;
        }
        let Ok(bytes) = examination.evidence.file(id).and_then(|file| file.read_all(64)) else {
            continue;
        };
        let message = match PgVersion::parse(&bytes) {
            Ok(PgVersion::Known(found)) if found == version => continue,
            Ok(found) => format!("names version {found}, the cluster is {}", version.major),
            Err(malformed) => malformed.to_string(),
        };
        let directory = entry.path.trim_end_matches("/PG_VERSION");
        let finding = Finding::new(&CHECK, Location::file(&entry.path), message)
            .severity(Severity::Damage)
            .server_error(format!("\"{directory}\" is not a valid data directory"));
        findings.push(finding);
    }
}
