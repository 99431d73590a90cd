//! What a file is, told from its name alone.
//!
//! ```text
//! base/16384/16501_fsm.1                              relation: database, number, fork, segment
//! base/16384/t3_16501                                 relation of backend 3 (9.1+)
//! pg_tblspc/16400/PG_15_202209061/16384/16501         relation in a tablespace
//! pg_xact/0000  pg_multixact/members/000000000000001  SLRU segment
//! pg_wal/00000001000000160000000B[.partial]           WAL segment
//! ```
//!
//! Sources: `common/relpath.c: GetRelationPath`, `storage/file/reinit.c:
//! parse_filename_for_nontemp_relation`, `transam/slru.c: SlruScanDirectory`,
//! `access/xlog_internal.h: IsXLogFileName`, `transam/twophase.c: TwoPhaseFilePath`.

use crate::format::names::{RelFileName, WalSegmentName, hex, hex8, positive};
use crate::format::slru::{Slru, parse_segment_name};
use crate::format::{
    DEFAULTTABLESPACE_OID, ForkNumber, GLOBALTABLESPACE_OID, Oid, RelFileLocator, TimeLineID,
};

/// What a file's name says it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum FileKind {
    /// `global/pg_control`.
    Control,
    /// `PG_VERSION` of the cluster, or of one database.
    PgVersion {
        /// The database it lies in; none for the cluster's own.
        db: Option<DatabaseDir>,
    },
    /// `pg_filenode.map` of a database, or of the shared relations (database 0).
    FilenodeMap {
        /// The database it lies in.
        db: DatabaseDir,
    },
    /// `pg_internal.init`: a cache that every start deletes.
    PgInternalInit,
    /// One segment of one fork of a relation.
    Relation(RelationFile),
    /// `INCREMENTAL.<name>`: blocks of an incremental backup (17+).
    Incremental(RelationFile),
    /// Anything under a `pgsql_tmp`.
    Temporary,
    /// A segment of an SLRU that tuples' transactions are looked up in.
    Slru {
        /// Which.
        slru: Slru,
        /// Segment number.
        segno: u64,
    },
    /// A segment of `pg_notify` or of `pg_serial` (9.1+), which mean nothing after a start.
    TransientSlru,
    /// A WAL segment.
    Wal(WalSegmentName),
    /// `<segment>.partial`.
    WalPartial(WalSegmentName),
    /// WAL that is being made, fetched or thrown away: `xlogtemp.<pid>`,
    /// `RECOVERYXLOG`, `RECOVERYHISTORY`, `<segment>.deleted`.
    WalTemporary,
    /// `pg_wal/summaries/….summary` (17+).
    WalSummary,
    /// `<tli>.history`.
    History {
        /// The timeline whose ancestry it tells.
        tli: TimeLineID,
    },
    /// `<segment>.<start offset>.backup`.
    BackupHistory {
        /// The segment the backup began in.
        wal: WalSegmentName,
        /// Byte offset in that segment.
        segment_offset: u32,
    },
    /// `archive_status/<name>.ready` or `.done`.
    ArchiveStatus,
    /// `backup_label`.
    BackupLabel,
    /// `backup_manifest` (13+).
    BackupManifest,
    /// `tablespace_map` (9.5+).
    TablespaceMap,
    /// `pg_twophase/<xid>`.
    TwoPhase {
        /// Transaction number, with the epoch from 17 on.
        xid: u64,
    },
    /// `pg_replslot/<name>/state` (9.4+).
    ReplicationSlot,
    /// `pg_logical/replorigin_checkpoint` (9.5+).
    ReplicationOrigin,
    /// `recovery.signal` (12+).
    RecoverySignal,
    /// `standby.signal` (12+).
    StandbySignal,
    /// `recovery.conf` (up to 11; later servers refuse to start with it).
    RecoveryConf,
    /// `promote` or `fallback_promote`.
    PromoteSignal,
    /// `postmaster.pid`.
    PostmasterPid,
    /// `postmaster.opts`.
    PostmasterOpts,
    /// Configuration: `*.conf` in PGDATA itself.
    Configuration,
    /// Statistics files: `pg_stat/`, `pg_stat_tmp/`, `global/pgstat.stat`.
    Statistics,
    /// None of the above.
    Other,
}

/// A database's folder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DatabaseDir {
    /// Tablespace the folder lies in.
    pub spc_oid: Oid,
    /// The database; 0 is `global/`.
    pub db_oid: Oid,
}

/// What the path of a relation's file says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RelationFile {
    /// Tablespace, database, number.
    pub locator: RelFileLocator,
    /// Fork.
    pub fork: ForkNumber,
    /// Segment, from 0; each of `RELSEG_SIZE` blocks.
    pub segment: u32,
    /// The backend whose temporary relation it is (9.1+).
    pub temp_backend: Option<u32>,
}

/// Names the file at `path`, which is relative to PGDATA.
#[must_use]
pub fn classify(path: &str) -> FileKind {
    let mut parts = [""; 6];
    let mut count = 0;
    for part in path.split('/') {
        match parts.get_mut(count) {
            Some(slot) => *slot = part,
            None => return deep(path),
        }
        count += 1;
    }
    match parts.get(..count).unwrap_or(&parts) {
        [name] => in_pgdata(name),
        ["global", "pg_control"] => FileKind::Control,
        ["global", "pgstat.stat"] => FileKind::Statistics,
        ["global", name] => {
            let db = DatabaseDir {
                spc_oid: GLOBALTABLESPACE_OID,
                db_oid: 0,
            };
            in_database(db, name)
        }
        ["base", "pgsql_tmp", ..] => FileKind::Temporary,
        ["base", db, name] => database(DEFAULTTABLESPACE_OID, db, name),
        ["pg_tblspc", _, version, "pgsql_tmp", ..] if version.starts_with("PG_") => {
            FileKind::Temporary
        }
        ["pg_tblspc", spc, version, db, name] if version.starts_with("PG_") => {
            positive(spc).map_or(FileKind::Other, |spc| database(spc, db, name))
        }
        ["pg_xact" | "pg_clog", name] => slru(Slru::Xact, name),
        ["pg_subtrans", name] => slru(Slru::Subtrans, name),
        ["pg_multixact", "offsets", name] => slru(Slru::MultiXactOffset, name),
        ["pg_multixact", "members", name] => slru(Slru::MultiXactMember, name),
        ["pg_commit_ts", name] => slru(Slru::CommitTs, name),
        ["pg_serial" | "pg_notify", name] if parse_segment_name(name).is_some() => {
            FileKind::TransientSlru
        }
        ["pg_wal" | "pg_xlog", "archive_status", name]
            if name.ends_with(".ready") || name.ends_with(".done") =>
        {
            FileKind::ArchiveStatus
        }
        ["pg_wal", "summaries", name] if name.ends_with(".summary") => FileKind::WalSummary,
        ["pg_wal" | "pg_xlog", name] => classify_wal(name),
        ["pg_twophase", name] if matches!(name.len(), 8 | 16) => {
            hex(name).map_or(FileKind::Other, |xid| FileKind::TwoPhase { xid })
        }
        ["pg_replslot", _, "state"] => FileKind::ReplicationSlot,
        ["pg_logical", "replorigin_checkpoint"] => FileKind::ReplicationOrigin,
        ["pg_stat" | "pg_stat_tmp", _] => FileKind::Statistics,
        _ => FileKind::Other,
    }
}

/// Only the temporary files of parallel queries lie this deep.
fn deep(path: &str) -> FileKind {
    let mut parts = path.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("base"), Some("pgsql_tmp"), ..) | (Some("pg_tblspc"), _, _, Some("pgsql_tmp")) => {
            FileKind::Temporary
        }
        _ => FileKind::Other,
    }
}

fn in_pgdata(name: &str) -> FileKind {
    match name {
        "PG_VERSION" => FileKind::PgVersion { db: None },
        "backup_label" => FileKind::BackupLabel,
        "backup_manifest" => FileKind::BackupManifest,
        "tablespace_map" => FileKind::TablespaceMap,
        "recovery.signal" => FileKind::RecoverySignal,
        "standby.signal" => FileKind::StandbySignal,
        "recovery.conf" => FileKind::RecoveryConf,
        "promote" | "fallback_promote" => FileKind::PromoteSignal,
        "postmaster.pid" => FileKind::PostmasterPid,
        "postmaster.opts" => FileKind::PostmasterOpts,
        _ if name.ends_with(".conf") => FileKind::Configuration,
        _ => FileKind::Other,
    }
}

fn database(spc_oid: Oid, db: &str, name: &str) -> FileKind {
    match positive(db) {
        Some(db_oid) => in_database(DatabaseDir { spc_oid, db_oid }, name),
        None => FileKind::Other,
    }
}

fn in_database(db: DatabaseDir, name: &str) -> FileKind {
    match name {
        "PG_VERSION" => FileKind::PgVersion { db: Some(db) },
        "pg_filenode.map" => FileKind::FilenodeMap { db },
        "pg_internal.init" => FileKind::PgInternalInit,
        _ => {
            let (name, incremental) = match name.strip_prefix("INCREMENTAL.") {
                Some(rest) => (rest, true),
                None => (name, false),
            };
            match relation(db, name) {
                Some(file) if incremental => FileKind::Incremental(file),
                Some(file) => FileKind::Relation(file),
                None => FileKind::Other,
            }
        }
    }
}

fn relation(db: DatabaseDir, name: &str) -> Option<RelationFile> {
    let name = RelFileName::parse(name)?;
    Some(RelationFile {
        locator: RelFileLocator {
            spc_oid: db.spc_oid,
            db_oid: db.db_oid,
            rel_number: name.rel_number,
        },
        fork: name.fork,
        segment: name.segment,
        temp_backend: name.backend,
    })
}

fn slru(slru: Slru, name: &str) -> FileKind {
    parse_segment_name(name).map_or(FileKind::Other, |segno| FileKind::Slru { slru, segno })
}

/// Names a file of `pg_wal`, or an uncompressed one of a WAL archive, by its last component.
/// pgBackRest's `<segment>-<sha1>` is an ordinary segment.
#[must_use]
pub fn classify_wal(name: &str) -> FileKind {
    if name.starts_with("xlogtemp.")
        || matches!(name, "RECOVERYXLOG" | "RECOVERYHISTORY")
        || name.ends_with(".deleted")
    {
        return FileKind::WalTemporary;
    }
    if let Some(tli) = name.strip_suffix(".history") {
        return match hex8(tli) {
            Some(tli) => FileKind::History { tli },
            None => FileKind::Other,
        };
    }
    let Some((wal, rest)) = wal_name(name) else {
        return FileKind::Other;
    };
    let backup = rest
        .strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(".backup"))
        .and_then(hex8);
    match (rest, backup) {
        (_, Some(segment_offset)) => FileKind::BackupHistory {
            wal,
            segment_offset,
        },
        _ => match without_sha1(rest) {
            "" => FileKind::Wal(wal),
            ".partial" => FileKind::WalPartial(wal),
            _ => FileKind::Other,
        },
    }
}

/// The rest of a segment's name without the `-<sha1>` that pgBackRest adds.
fn without_sha1(rest: &str) -> &str {
    match rest.rsplit_once('-') {
        Some((rest, sha1)) if sha1.len() == 40 && sha1.bytes().all(|b| b.is_ascii_hexdigit()) => {
            rest
        }
        _ => rest,
    }
}

/// Ends of names under which archivers put compressed files that can be read.
const COMPRESSED: [&str; 7] = [".gz", ".zst", ".lz4", ".bz2", ".xz", ".lzma", ".br"];

/// Names a file of a WAL archive by its last component, which may say that it is compressed:
/// `<segment>.gz`, `<segment>.partial.zst`, `00000002.history.lz4`, and `<segment>.gz.partial`,
/// which `pg_receivewal` is writing.
#[must_use]
pub fn classify_archived(name: &str) -> FileKind {
    let strip = |name: &str| {
        let mut suffixes = COMPRESSED.iter();
        suffixes.find_map(|suffix| name.strip_suffix(suffix).map(str::to_owned))
    };
    let receiving = name.strip_suffix(".partial").and_then(strip);
    if let Some(segment) = receiving {
        return match classify_wal(&segment) {
            FileKind::Wal(wal) => FileKind::WalPartial(wal),
            _ => FileKind::Other,
        };
    }
    match strip(name).map(|name| classify_wal(&name)) {
        None => classify_wal(name),
        Some(FileKind::WalTemporary) => FileKind::Other,
        Some(kind) => kind,
    }
}

/// How a WAL segment is compressed that cannot be read, by the end of its name.
pub(super) fn unread_compression(name: &str) -> Option<&str> {
    let (_, rest) = wal_name(name)?;
    let (_, suffix) = rest.rsplit_once('.')?;
    ["lz", "lzo", "Z", "7z", "zip", "gpg"]
        .contains(&suffix)
        .then_some(suffix)
}

fn wal_name(name: &str) -> Option<(WalSegmentName, &str)> {
    let (segment, rest) = name.split_at_checked(24)?;
    Some((WalSegmentName::parse(segment)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::VERSIONS;
    use crate::format::names::relation_path;

    fn rel(spc_oid: u32, db_oid: u32, rel_number: u32) -> RelationFile {
        RelationFile {
            locator: RelFileLocator {
                spc_oid,
                db_oid,
                rel_number,
            },
            fork: ForkNumber::Main,
            segment: 0,
            temp_backend: None,
        }
    }

    #[test]
    fn relations() {
        let r = rel(1663, 16384, 16400);
        let cases = [
            ("base/16384/16400", r),
            (
                "base/16384/16400_fsm.1",
                RelationFile {
                    fork: ForkNumber::Fsm,
                    segment: 1,
                    ..r
                },
            ),
            (
                "base/16384/16400_vm",
                RelationFile {
                    fork: ForkNumber::Vm,
                    ..r
                },
            ),
            (
                "base/16384/16400_init",
                RelationFile {
                    fork: ForkNumber::Init,
                    ..r
                },
            ),
            ("base/16384/16400.12", RelationFile { segment: 12, ..r }),
            (
                "base/16384/t3_16400",
                RelationFile {
                    temp_backend: Some(3),
                    ..r
                },
            ),
            (
                "base/16384/t0_16400_fsm.2",
                RelationFile {
                    temp_backend: Some(0),
                    fork: ForkNumber::Fsm,
                    segment: 2,
                    ..r
                },
            ),
            ("global/1262", rel(1664, 0, 1262)),
            (
                "pg_tblspc/16400/PG_15_202209061/16386/4294967295",
                rel(16400, 16386, u32::MAX),
            ),
            (
                "pg_tblspc/16400/PG_9.0_201008051/16386/16501",
                rel(16400, 16386, 16501),
            ),
        ];
        for (path, file) in cases {
            assert_eq!(classify(path), FileKind::Relation(file), "{path}");
        }
        assert_eq!(
            classify("base/1/INCREMENTAL.112"),
            FileKind::Incremental(rel(1663, 1, 112))
        );
        for other in [
            "base/16384/016400",
            "base/16384/16400.0",
            "base/16384/16400.01",
            "base/16384/16400_",
            "base/16384/16400_foo",
            "base/16384/16400_fsm_vm",
            "base/16384/4294967296",
            "base/16384/t_16400",
            "base/16384/t3",
            "base/16384/",
            "base/x/16400",
            "base/16384",
            "base",
            "global/0",
            "pg_tblspc/16400/16386/16501",
            "pg_tblspc/x/PG_15_202209061/16386/16501",
            "pg_tblspc/16400/PG_15_202209061/16386",
            "",
            "/",
        ] {
            assert_eq!(classify(other), FileKind::Other, "{other}");
        }
    }

    #[test]
    fn slru_segments() {
        let cases = [
            ("pg_clog/0000", Slru::Xact, 0),
            ("pg_xact/0FFF", Slru::Xact, 0xFFF),
            ("pg_subtrans/FFFF", Slru::Subtrans, 0xFFFF),
            ("pg_multixact/offsets/0001", Slru::MultiXactOffset, 1),
            ("pg_multixact/members/14078", Slru::MultiXactMember, 0x14078),
            (
                "pg_multixact/members/000000000000001",
                Slru::MultiXactMember,
                1,
            ),
            ("pg_commit_ts/28028", Slru::CommitTs, 0x28028),
        ];
        for (path, slru, segno) in cases {
            assert_eq!(classify(path), FileKind::Slru { slru, segno }, "{path}");
        }
        for path in ["pg_serial/0000", "pg_notify/00000000000000A"] {
            assert_eq!(classify(path), FileKind::TransientSlru, "{path}");
        }
        for other in [
            "pg_xact/000",
            "pg_xact/00g0",
            "pg_xact/ffff",
            "pg_xact/0000000",
            "pg_multixact/0000",
        ] {
            assert_eq!(classify(other), FileKind::Other, "{other}");
        }
    }

    #[test]
    fn wal_names() {
        let wal = WalSegmentName {
            tli: 3,
            log: 0x16,
            seg: 0xB3,
        };
        let name = "0000000300000016000000B3";
        assert_eq!(classify(&format!("pg_wal/{name}")), FileKind::Wal(wal));
        assert_eq!(classify(&format!("pg_xlog/{name}")), FileKind::Wal(wal));
        assert_eq!(classify(&format!("base/{name}")), FileKind::Other);
        assert_eq!(
            classify(&format!("pg_wal/{name}.partial")),
            FileKind::WalPartial(wal)
        );
        assert_eq!(
            classify(&format!("pg_wal/{name}.00000BF8.backup")),
            FileKind::BackupHistory {
                wal,
                segment_offset: 0xBF8
            }
        );
        assert_eq!(
            classify("pg_wal/0000000A.history"),
            FileKind::History { tli: 10 }
        );
        assert_eq!(classify("pg_xlog/xlogtemp.4711"), FileKind::WalTemporary);
        assert_eq!(classify("pg_wal/RECOVERYXLOG"), FileKind::WalTemporary);
        assert_eq!(
            classify(&format!("pg_wal/archive_status/{name}.ready")),
            FileKind::ArchiveStatus
        );
        assert_eq!(
            classify("pg_wal/summaries/0000000100000000008147300000000000814830.summary"),
            FileKind::WalSummary
        );
        let hashed = format!("{name}-0123456789abcdef0123456789abcdef01234567");
        assert_eq!(classify_wal(&hashed), FileKind::Wal(wal));
        assert_eq!(classify_wal(&format!("{name}.gz")), FileKind::Other);
        for (archived, kind) in [
            (format!("{name}.gz"), FileKind::Wal(wal)),
            (format!("{hashed}.zst"), FileKind::Wal(wal)),
            (format!("{name}.partial.bz2"), FileKind::WalPartial(wal)),
            (format!("{name}.lz4.partial"), FileKind::WalPartial(wal)),
            (
                format!("{name}.partial{}.gz", &hashed[24..]),
                FileKind::WalPartial(wal),
            ),
            ("0000000A.history.br".into(), FileKind::History { tli: 10 }),
            ("xlogtemp.4711.gz".into(), FileKind::Other),
            (format!("{name}.partial.partial"), FileKind::Other),
            ("notes.gz".into(), FileKind::Other),
        ] {
            assert_eq!(classify_archived(&archived), kind, "{archived}");
        }
        assert_eq!(unread_compression(&format!("{name}.lzo")), Some("lzo"));
        assert_eq!(unread_compression(&format!("{name}.gz")), None);
        assert_eq!(unread_compression("notes.lzo"), None);
        for other in [
            "0000000300000016000000b3",
            "000000030000001600000",
            "x.history",
            "00000003é",
        ] {
            assert_eq!(classify_wal(other), FileKind::Other, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn relation_paths_round_trip(
            row in 0..VERSIONS.len(), spc_oid in 1_u32.., db_oid in 1_u32.., rel_number in 1_u32..,
            fork in 0_u32..4, segment: u32,
        ) {
            let fork = ForkNumber::from_number(fork).unwrap();
            let db_oid = if spc_oid == GLOBALTABLESPACE_OID { 0 } else { db_oid };
            let locator = RelFileLocator { spc_oid, db_oid, rel_number };
            let path = relation_path(&VERSIONS[row], locator, fork, segment);
            let file = RelationFile { locator, fork, segment, temp_backend: None };
            assert_eq!(classify(&path), FileKind::Relation(file), "{path}");
        }
    }

    #[test]
    fn everything_else() {
        let db = DatabaseDir {
            spc_oid: 1663,
            db_oid: 5,
        };
        let shared = DatabaseDir {
            spc_oid: 1664,
            db_oid: 0,
        };
        let in_spc = DatabaseDir {
            spc_oid: 16400,
            db_oid: 5,
        };
        let cases = [
            ("global/pg_control", FileKind::Control),
            ("PG_VERSION", FileKind::PgVersion { db: None }),
            ("base/5/PG_VERSION", FileKind::PgVersion { db: Some(db) }),
            ("base/5/pg_filenode.map", FileKind::FilenodeMap { db }),
            (
                "global/pg_filenode.map",
                FileKind::FilenodeMap { db: shared },
            ),
            (
                "pg_tblspc/16400/PG_18_202506291/5/pg_filenode.map",
                FileKind::FilenodeMap { db: in_spc },
            ),
            ("global/pg_internal.init", FileKind::PgInternalInit),
            ("base/5/pg_internal.init", FileKind::PgInternalInit),
            ("base/5/pg_internal.init.77", FileKind::Other),
            ("base/pgsql_tmp/pgsql_tmp12.0", FileKind::Temporary),
            (
                "base/pgsql_tmp/pgsql_tmp12.0.sharedfileset/i1of4.p0.0",
                FileKind::Temporary,
            ),
            (
                "pg_tblspc/1/PG_9.6_201608131/pgsql_tmp/pgsql_tmp1.2",
                FileKind::Temporary,
            ),
            (
                "pg_tblspc/1/PG_9.6_201608131/pgsql_tmp/a/b/c/d",
                FileKind::Temporary,
            ),
            ("global/pgstat.stat", FileKind::Statistics),
            ("pg_stat/pgstat.stat", FileKind::Statistics),
            ("backup_label", FileKind::BackupLabel),
            ("backup_label.old", FileKind::Other),
            ("backup_manifest", FileKind::BackupManifest),
            ("tablespace_map", FileKind::TablespaceMap),
            ("pg_twophase/000006E8", FileKind::TwoPhase { xid: 0x6E8 }),
            (
                "pg_twophase/00000001000006E8",
                FileKind::TwoPhase { xid: 0x1_0000_06E8 },
            ),
            ("pg_twophase/6E8", FileKind::Other),
            ("pg_replslot/lab_slot/state", FileKind::ReplicationSlot),
            ("pg_replslot/lab_slot/state.tmp", FileKind::Other),
            (
                "pg_logical/replorigin_checkpoint",
                FileKind::ReplicationOrigin,
            ),
            ("recovery.signal", FileKind::RecoverySignal),
            ("standby.signal", FileKind::StandbySignal),
            ("recovery.conf", FileKind::RecoveryConf),
            ("promote", FileKind::PromoteSignal),
            ("postmaster.pid", FileKind::PostmasterPid),
            ("postmaster.opts", FileKind::PostmasterOpts),
            ("postgresql.auto.conf", FileKind::Configuration),
            ("a/b/c/d/e/f/g", FileKind::Other),
        ];
        for (path, kind) in cases {
            assert_eq!(classify(path), kind, "{path}");
        }
    }
}
