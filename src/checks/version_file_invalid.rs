//! PG_VERSION is missing or names no known version.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::cluster::Fact;
use crate::finding::Severity;
use crate::format::pgversion::PgVersion;
use crate::pgdata::FileKind;

check! {
    /// ## What it means
    /// `PG_VERSION` holds one line, the major version of the server that made the directory:
    /// `9.6`, `15`. Here it is missing, empty, or names no version between 9.0 and 19. A
    /// server looks at it before anything else and says FATAL `"..." is not a valid data
    /// directory`, with DETAIL `File ".../PG_VERSION" is missing.` or `does not contain valid
    /// data.`; `pg_ctl` says `directory "..." is not a database cluster directory`. A version
    /// it does not know gives `database files are incompatible with server`.
    ///
    /// Every database folder below `base` has a `PG_VERSION` as well. Without it the server
    /// starts, but nobody can connect to that database: FATAL `"base/5" is not a valid data
    /// directory`.
    ///
    /// ## How it is decided
    /// The file must begin with the version number in digits, as `miscinit.c:
    /// ValidatePgVersion` reads it: two numbers and a dot up to 9.6, one number from 10 on.
    ///
    /// ## What else may cause it
    /// The path is not the data directory but its parent, or a tablespace; the restore was
    /// cut off; a file system repair emptied the file (then look for others of the same fate:
    /// files written shortly before a crash suffer together); a version newer than this tool.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Make sure that you look at the right
    /// directory: `global/pg_control` must be in it.
    ///
    /// If `pg_control` is sound, it tells the version, and in the copy the file can be made
    /// again without any loss: `echo 9.6 > PG_VERSION`, with the true version, owned by the
    /// server's user. The same goes for a database folder. But an emptied file is seldom
    /// alone; read the whole report before you start the server. Never write another version
    /// than the true one: a server of another major spoils what it reads.
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
        let replaced = plan.is_some_and(|plan| plan.remakes_database(key));
        let is_nobodys = examination.names.disowns_database(database.db_oid);
        if other_version || replaced || is_nobodys || entry.archive.is_some() {
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
