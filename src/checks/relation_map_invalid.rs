//! Pg_filenode.map cannot be used.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::finding::{Recovery, Severity};
use crate::format::relmap::RelMap;
use crate::pgdata::FileKind;

check! {
    /// ## What it means
    /// Pg_filenode.map cannot be used.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "relation-map-invalid" Fatal Dir: "pg_filenode.map cannot be used"
}

/// `relmapper.c: read_relmap_file`.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(version) = examination.cluster.version else { return };
    let plan = examination.recovery.and_then(|run| run.plan.as_ref());
    for (id, entry) in examination.evidence.iter() {
        let FileKind::FilenodeMap { db } = entry.kind else { continue };
        let other_version = entry
            .tablespace_version_dir()
            .is_some_and(|dir| dir != version.tablespace_dir());
        if other_version || entry.archive.is_some() {
            continue;
        }
        let (message, words) = match examination.evidence.file(id).and_then(|f| f.read_all(4096)) {
            Err(error) => (format!("cannot be read: {error}"), None),
            Ok(bytes) => match RelMap::parse(version, &bytes) {
                Err(malformed) => (malformed.to_string(), Some("contains invalid data")),
                Ok(map) if !map.crc_is_good => {
                    ("its CRC does not fit".to_owned(), Some("contains incorrect checksum"))
                }
                Ok(_) => continue,
            },
        };
        let rewritten = plan.is_some_and(|plan| {
            plan.copied_databases.contains(&(db.db_oid, db.spc_oid))
                || plan.dropped_databases.contains(&(db.db_oid, db.spc_oid))
        });
        let severity = if db.db_oid == 0 { Severity::Fatal } else { Severity::Damage };
        let mut finding = Finding::new(&CHECK, Location::file(&entry.path), message)
            .severity(severity)
            .recovery(if rewritten { Recovery::Heals } else { Recovery::Persists });
        finding.server_error =
            words.map(|words| format!("relation mapping file \"{}\" {words}", entry.path));
        findings.push(finding);
    }
}
