//! A file or directory that the server needs is missing.

use crate::check::{Examination, Only};
use crate::finding::{Finding, Findings, Location};
use crate::finding::Severity;
use crate::format::catalog::DATCONNLIMIT_INVALID_DB;
use crate::format::names::database_dir;
use crate::format::version::{Major, Version};
use crate::scan::Replay;

check! {
    /// ## What it means
    /// A folder or file is absent that every data directory of this version has. What follows
    /// depends on which, and on how the server was stopped. Measured on 10 to 18: without
    /// `pg_commit_ts`, `pg_notify`, `pg_replslot`, `pg_twophase` or the WAL folder the server
    /// never starts. After a crash it does not start either without `pg_xact`,
    /// `pg_multixact`, `pg_tblspc`, `pg_logical/mappings` or `pg_logical/snapshots`, without
    /// `pg_subtrans` (15 and later) and without `pg_stat` or `pg_stat_tmp` (up to 14); after
    /// a clean shutdown it does without the most of these, and fails later: at a checkpoint,
    /// or with a query. It starts without `pg_dynshmem`, `pg_serial`, `pg_snapshots` and
    /// `archive_status`. Without `global/pg_filenode.map` it starts and then crashes over and
    /// over; without `base/N/PG_VERSION`, `base/N/pg_filenode.map`, `base/N/1259` (pg_class)
    /// or `global/1262` (pg_database) it starts, but no connection is possible.
    ///
    /// The message is `could not open directory "..."` or `could not open file "..."`.
    ///
    /// ## How it is decided
    /// The list of what `initdb` makes, for the version at hand: `pg_clog` and `pg_xlog` up
    /// to 9.6, `pg_xact` and `pg_wal` from 10 on. Each path must be there and of the right
    /// kind. It is fatal where the next start ends for it, and else damage. For each database in
    /// `pg_database`, as replay leaves it, `PG_VERSION` and `pg_filenode.map` must be in its
    /// folder, and the folder itself; nothing is said of those when the WAL or part of the commit log cannot be
    /// read. Files of tables are looked for by `pg_class`.
    ///
    /// ## What else may cause it
    /// A backup or copying tool, `git` or an object store, which drops empty folders:
    /// harmless where the folder was empty; a WAL folder moved to another disk whose mount or
    /// link is absent; a restore that was cut off; an `rm` in the wrong place; log cleaning
    /// scripts that take `pg_clog` or `pg_xlog` for logs.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If a disk is not mounted or a link
    /// broken, mend that first: nothing is lost then.
    ///
    /// In a copy, a folder that the server fills itself may be made empty (mode 0700, the
    /// server's user): `pg_notify`, `pg_subtrans`, `pg_snapshots`, `pg_serial`,
    /// `pg_dynshmem`, `pg_stat`, `pg_stat_tmp`. The others lose something when made empty:
    /// `pg_replslot` its slots, `pg_twophase` prepared transactions, `pg_tblspc` the links to
    /// tablespaces, `pg_xact` and `pg_multixact` which rows are valid, the WAL folder all
    /// that was not yet in tables. Take those from a backup or standby as a whole.
    "required-file-missing" Fatal Dir: "a file or directory that the server needs is missing"
}

/// What must be there.
struct Required {
    path: &'static str,
    directory: bool,
    since: Major,
    until: Major,
    /// What the server does without it, when it starts.
    effect: &'static str,
    severity: Severity,
}

const fn file(path: &'static str, effect: &'static str) -> Required {
    Required {
        path,
        directory: false,
        since: Major::V9_0,
        until: Major::V19,
        effect,
        severity: Severity::Fatal,
    }
}

const fn directory(path: &'static str, since: Major, until: Major) -> Required {
    Required {
        path,
        directory: true,
        since,
        until,
        effect: "this start does without it, a later one may not",
        severity: Severity::Damage,
    }
}

/// What the server makes anew when it can; only a start that ends for it tells of it.
const fn made_anew(path: &'static str, since: Major, until: Major) -> Required {
    Required {
        severity: Severity::Note,
        ..directory(path, since, until)
    }
}

/// Measured by removing each and starting a server. What only a later query misses, or what
/// the server makes anew, is not listed.
static REQUIRED: &[Required] = &[
    file("PG_VERSION", "the server does not take this for a data directory"),
    file("global/pg_control", "the server does not start"),
    file("global/pg_filenode.map", "the server starts, and then crashes again and again"),
    Required {
        effect: "the server starts, but no database can be reached",
        severity: Severity::Fatal,
        ..directory("base", Major::V9_0, Major::V19)
    },
    Required {
        effect: "the server does not start",
        severity: Severity::Fatal,
        ..directory("global", Major::V9_0, Major::V19)
    },
    directory("pg_xact", Major::V10, Major::V19),
    directory("pg_clog", Major::V9_0, Major::V9_6),
    directory("pg_wal", Major::V10, Major::V19),
    directory("pg_xlog", Major::V9_0, Major::V9_6),
    directory("pg_multixact/offsets", Major::V9_0, Major::V19),
    directory("pg_multixact/members", Major::V9_0, Major::V19),
    directory("pg_notify", Major::V9_0, Major::V19),
    directory("pg_subtrans", Major::V9_0, Major::V19),
    directory("pg_tblspc", Major::V9_0, Major::V19),
    directory("pg_twophase", Major::V9_0, Major::V19),
    directory("pg_replslot", Major::V9_4, Major::V19),
    directory("pg_logical/snapshots", Major::V9_4, Major::V19),
    directory("pg_logical/mappings", Major::V9_4, Major::V19),
    directory("pg_commit_ts", Major::V9_5, Major::V19),
    made_anew("pg_stat", Major::V9_3, Major::V14),
    made_anew("pg_stat_tmp", Major::V9_3, Major::V14),
];

/// Looks for each required file and directory of the version.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let evidence = examination.evidence;
    let major = examination.cluster.version.map(|version: &Version| version.major);
    let failure = examination.recovery.and_then(|run| run.failure.as_deref());
    let message = examination.refusal.or(failure).unwrap_or_default();
    for required in REQUIRED {
        let applies = major.is_none_or(|m| required.since <= m && m <= required.until)
            && (major.is_some() || !required.directory);
        let present = if required.directory {
            evidence.holds(required.path)
        } else {
            evidence.by_path(required.path).is_some()
        };
        let refused = required.directory && is_refused_for(message, required.path);
        if !applies || present || required.severity == Severity::Note && !refused {
            continue;
        }
        let what = if required.directory { "directory" } else { "file" };
        let (effect, severity) = if refused {
            ("the server does not start", Severity::Fatal)
        } else {
            (required.effect, required.severity)
        };
        let message = format!("{what} {} is missing: {effect}", required.path);
        let finding = Finding::new(&CHECK, Location::file(required.path), message);
        findings.push(finding.severity(severity));
    }
    databases(examination, findings);
}

/// What each database has in its folder, and without which nobody can connect to it
/// (`miscinit.c: ValidatePgVersion`, `relmapper.c: load_relmap_file`).
fn databases(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(context), Some(version)) = (examination.scan, examination.cluster.version) else {
        return;
    };
    let plan = match context.replay {
        Replay::None => None,
        Replay::Plan(plan) => Some(plan),
        Replay::Unknown => return,
    };
    // Without the commit log there may seem to be databases that were dropped long ago.
    if examination.options.only != Only::All || !context.clog_is_whole {
        return;
    }
    let evidence = examination.evidence;
    let unread: Vec<String> = evidence.not_examined().into_iter().map(|note| note.path).collect();
    for (oid, row) in &examination.names.databases {
        let key = (*oid, row.dattablespace);
        let replayed = plan.is_some_and(|plan| {
            plan.remakes_database(key)
                || plan.created_tablespaces.contains(&row.dattablespace)
        });
        let folder = database_dir(version, row.dattablespace, *oid);
        // A tablespace that is not there has a finding of its own, or is not part of the evidence.
        let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        if replayed
            || row.datconnlimit == DATCONNLIMIT_INVALID_DB
            || !evidence.holds(parent)
            || unread.iter().any(|path| folder.starts_with(path.as_str()))
        {
            continue;
        }
        let datname = &row.datname;
        if !evidence.holds(&folder) {
            let message = format!("directory {folder} is missing: nobody can connect to {datname}");
            let finding = Finding::new(&CHECK, Location::file(&folder), message)
                .severity(Severity::Damage)
                .server_error(format!("database \"{datname}\" does not exist"));
            findings.push(finding);
            continue;
        }
        for name in ["PG_VERSION", "pg_filenode.map"] {
            let path = format!("{folder}/{name}");
            if evidence.by_path(&path).is_some() {
                continue;
            }
            let message = format!("file {path} is missing: nobody can connect to {datname}");
            let error = match name {
                "PG_VERSION" => format!("\"{folder}\" is not a valid data directory"),
                _ => relmapper_error(version, &path),
            };
            let finding = Finding::new(&CHECK, Location::file(&path), message);
            findings.push(finding.severity(Severity::Damage).server_error(error));
        }
    }
}

/// What the server says of a relation map that is not there.
fn relmapper_error(version: &Version, path: &str) -> String {
    let what = if version.since(Major::V12) {
        "could not open file"
    } else {
        "could not open relation mapping file"
    };
    format!("{what} \"{path}\": No such file or directory")
}

/// Whether a message with which the start ends is said for want of a directory.
fn is_refused_for(message: &str, path: &str) -> bool {
    let unnamed = |text: &str, paths: &[&str]| message.contains(text) && paths.contains(&path);
    let slrus = ["pg_xact", "pg_clog", "pg_multixact/offsets", "pg_multixact/members", "pg_commit_ts"];
    let checkpoint = ["pg_xact", "pg_subtrans", "pg_logical/snapshots", "pg_logical/mappings"];
    message.contains(&format!("\"{path}\""))
        || unnamed("could not access status of transaction", &slrus)
        || unnamed("checkpoint request failed", &checkpoint)
        || unnamed("checkpoint record", &["pg_wal", "pg_xlog"])
}
