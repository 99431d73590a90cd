//! Files that no server puts into a data directory.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::pgdata::{FileEntry, FileKind};
use crate::report::units::{count, size};
use std::collections::BTreeMap;

check! {
    /// ## What it means
    /// There are files with names that no PostgreSQL of any version gives. The server does not
    /// read them, and none of them stops it.
    ///
    /// ## How it is decided
    /// By name and folder. Passed over are configuration files and their backups, signal files,
    /// certificates and keys, log files, what the tools around the server (`pg_upgrade`,
    /// backup and high availability tools) leave at the top of the directory, and the folders
    /// whose files have names of many kinds (`pg_replslot`, `pg_logical`, `pg_stat`,
    /// `pg_snapshots`, `pg_dynshmem`).
    ///
    /// ## What else may cause it
    /// Core dumps (`core`, `core.1234`) tell of a crash of the server, and when. Copies made by
    /// hand (`16384.bak`, `16384~`) tell that somebody has worked in here: ask what was copied
    /// back. Files in `lost+found`, and files named by number in strange places, may be relations
    /// or WAL that the file system lost. Notes that attackers leave are such files, too.
    ///
    /// ## What to do
    /// Leave them where they are until all else is clear, and copy them with the directory.
    "unknown-file" Note Dir: "files that no server puts here"
}

/// Files that are named one by one.
const NAMED: usize = 5;

/// Every file has a name that the server, or a tool that is known, gives.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let evidence = examination.evidence;
    let log_directory = examination.settings.get("log_directory");
    let unknown = evidence.files().iter().filter(|entry| {
        entry.archive.is_none() && entry.kind == FileKind::Other && is_unknown(&entry.path)
    });
    let mut folders: BTreeMap<&str, Vec<&FileEntry>> = BTreeMap::new();
    for entry in unknown {
        let folder = folder(&entry.path);
        if log_directory != Some(folder) {
            folders.entry(folder).or_default().push(entry);
        }
    }
    for (folder, files) in folders {
        let bytes = files.iter().map(|entry| entry.size).sum();
        let skip = if folder == "." { 0 } else { folder.len() + 1 };
        let mut named: Vec<String> = files
            .iter()
            .take(NAMED)
            .map(|entry| entry.path.get(skip..).unwrap_or(&entry.path).to_owned())
            .collect();
        if files.len() > NAMED {
            named.push(format!("and {}\u{a0}more", files.len() - NAMED));
        }
        let message = format!(
            "{}, {}: {}",
            count(files.len() as u64, "file"),
            size(bytes),
            named.join(", ")
        );
        findings.push(Finding::new(&CHECK, Location::file(folder), message));
    }
}

/// Where a file is told of: the folder that the server knows, else the folder at the top.
fn folder(path: &str) -> &str {
    match path.rsplit_once('/') {
        None => ".",
        Some((folder, _)) if is_of_server(path) => folder,
        Some(_) => path.split('/').next().unwrap_or(path),
    }
}

/// Folders at the top whose files the server names by rules that are known here.
const RULED: [&str; 12] = [
    "base", "global", "pg_clog", "pg_commit_ts", "pg_multixact", "pg_notify", "pg_serial",
    "pg_subtrans", "pg_tblspc", "pg_twophase", "pg_wal", "pg_xact",
];

fn is_of_server(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or(path);
    top == "pg_xlog" || RULED.contains(&top)
}

/// Folders at the top in which any name may be the server's, or a tool's.
const FREE: [&str; 12] = [
    "conf.d", "log", "pg_dynshmem", "pg_log", "pg_logical", "pg_replslot", "pg_snapshots",
    "pg_stat", "pg_stat_tmp", "pg_upgrade_output.d", "pgsql_tmp", "walg_data",
];

/// Files at the top that the server or known tools write, beside configuration.
const AT_THE_TOP: [&str; 16] = [
    "autoprewarm.blocks", "autoprewarm.blocks.tmp", "backup_label.old", "current_logfiles",
    "current_logfiles.tmp", "external.pid", "failover.trigger", "logfile", "logrotate",
    "patroni.dynamic.json", "pg_failover", "postgresql.trigger", "promote.signal",
    "repmgrd_state.txt", "serverlog", "tablespace_map.old",
];
/// How names at the top end that stand for keys, logs and left configuration.
const ENDS: [&str; 12] = [
    ".crl", ".crt", ".csr", ".csv", ".done", ".info", ".json", ".key", ".log", ".opts", ".pem",
    ".signal",
];

/// Whether a file without a known kind has no business where it is.
fn is_unknown(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        [name] => {
            let known = AT_THE_TOP.contains(&name)
                || ENDS.iter().any(|end| name.ends_with(end))
                || name.contains(".conf")
                || name.starts_with("backup_manifest")
                || name.starts_with(".s.PGSQL.");
            !known
        }
        [top, ..] if FREE.contains(&top) => false,
        ["base", _, name] | ["global", name] | ["pg_tblspc", _, _, _, name] => {
            !is_of_database(name)
        }
        // What lies in the folder of a tablespace beside the server's is somebody else's.
        ["pg_tblspc", ..] => false,
        ["pg_wal" | "pg_xlog", "archive_status" | "summaries", ..] => false,
        _ => true,
    }
}

/// `pg_internal.init.<pid>` (`relcache.c: write_relcache_init_file`), `pg_filenode.map.tmp`
/// (16 and later, `relmapper.c: write_relmap_file`), and those that Windows needs.
fn is_of_database(name: &str) -> bool {
    name.starts_with("pg_internal.init.")
        || name == "pg_filenode.map.tmp"
        || name.starts_with("config_exec_params")
        || name.starts_with("pgstat.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for known in [
            "log/postgresql-Mon.log", "pg_log/x", "server.key", "postgresql.conf.bak",
            "recovery.done", "current_logfiles", "base/5/pg_internal.init.77", "logfile",
            "pg_tblspc/16400/lost+found/1", "pg_wal/archive_status/x.ok", "pg_replslot/a/xid-1",
        ] {
            assert!(!is_unknown(known), "{known}");
        }
        for (unknown, place) in [
            ("core.1234", "."),
            ("base/5/16384~", "base/5"),
            ("base/5/notes.txt", "base/5"),
            ("pg_xlog/000000010000000000000001.gz", "pg_xlog"),
            ("lost+found/#123", "lost+found"),
            ("backups/a/b/c", "backups"),
            ("pg_tblspc/16400/PG_15_202209061/5/x", "pg_tblspc/16400/PG_15_202209061/5"),
        ] {
            assert!(is_unknown(unknown), "{unknown}");
            assert_eq!(folder(unknown), place);
        }
    }
}
