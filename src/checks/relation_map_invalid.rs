//! Pg_filenode.map cannot be used.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::finding::{Recovery, Severity};
use crate::format::relmap::RelMap;
use crate::pgdata::FileKind;

check! {
    /// ## What it means
    /// Most tables learn the name of their file from `pg_class`, but `pg_class` itself and
    /// some 20 other catalogs cannot. Their file names stand in `pg_filenode.map`: one in
    /// `global` for the catalogs all databases share, one in each database folder. This one
    /// cannot be used. With a bad map in `global` the server says it is ready, and then
    /// refuses every connection; with a bad map in a database, those to that database: FATAL
    /// `relation mapping file "global/pg_filenode.map" contains incorrect checksum`, or
    /// `contains invalid data`. When it is absent: `could not open relation mapping file` up
    /// to 11, `could not open file` from 12 on.
    ///
    /// ## How it is decided
    /// Magic number, number of entries and CRC, as in `relmapper.c: load_relmap_file`
    /// (`read_relmap_file` from 15 on). The file has 512 bytes up to 15 and 524 from 16 on;
    /// the CRC is of the older kind up to 9.4. A finding `heals` when the WAL to be replayed
    /// holds a new map for this database (`relmapper.c: relmap_redo`), and is a note for the
    /// folder of a database that `pg_database` does not know: a crash in CREATE DATABASE
    /// leaves one behind.
    ///
    /// ## What else may cause it
    /// The map is written only when a mapped catalog is rewritten (VACUUM FULL, REINDEX,
    /// CLUSTER on it) or the database created. So a torn copy is unlikely: think of a failing
    /// disk, a file emptied by a file system repair, a copy that was cut off, a map of
    /// another major version.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Then take the same file from a
    /// standby or a backup: it is right unless a mapped catalog was rewritten since that
    /// time.
    ///
    /// For one database without a backup: in a second copy, try the map of its template or of
    /// another database of the cluster, which is the same as long as no mapped catalog was
    /// rewritten in either; check before that every file named in it exists in this folder.
    /// With a wrong map the server reads other or old files as catalogs, so only dump from
    /// such a copy, and load into a new cluster. `pg_resetwal` does not touch these files.
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
            plan.relation_maps.contains_key(&db.db_oid)
                || plan.copied_databases.contains(&(db.db_oid, db.spc_oid))
                || plan.dropped_databases.contains(&(db.db_oid, db.spc_oid))
        });
        let is_nobodys = examination.names.disowns_database(db.db_oid);
        let severity = match db.db_oid {
            0 => Severity::Fatal,
            _ if is_nobodys => Severity::Note,
            _ => Severity::Damage,
        };
        let mut finding = Finding::new(&CHECK, Location::file(&entry.path), message)
            .severity(severity)
            .recovery(if rewritten { Recovery::Heals } else { Recovery::Persists });
        finding.server_error = words
            .filter(|_| !is_nobodys)
            .map(|words| format!("relation mapping file \"{}\" {words}", entry.path));
        findings.push(finding);
    }
}
