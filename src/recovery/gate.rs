//! What stops a start apart from the WAL, in the server's order: files and directories that
//! it opens before it reads WAL, between reading the checkpoint and redo, and behind redo.
//!
//! Sources: `miscinit.c: checkDataDir, ValidatePgVersion, CreateLockFile`; `async.c:
//! AsyncShmemInit`; `xlog.c: ValidateXLOGDirectoryStructure, StartupXLOG`; `xlogrecovery.c:
//! readRecoverySignalFile, validateRecoveryParameters` (up to 11 `xlog.c:
//! readRecoveryCommandFile`); `slot.c: RestoreSlotFromDisk`; `origin.c:
//! StartupReplicationOrigin`; `clog.c: TrimCLOG`; `multixact.c: TrimMultiXact`. Each was seen
//! on real servers of 10 to 18 (`tests/live/differential.rs`).

use super::plan::Counters;
use super::start::{DryRun, RecoveryRequest};
use crate::cluster::slru::SlruFiles;
use crate::cluster::{Cluster, Fact};
use crate::format::pgversion::PgVersion;
use crate::format::replorigin::REPLICATION_STATE_MAGIC;
use crate::format::slot::SLOT_MAGIC;
use crate::format::slru::Slru;
use crate::format::version::{Layout, Major, Version};
use crate::pgdata::{Evidence, FileId};
use crate::verdict::Outcome;

/// Files read here that are not of the cluster's own formats.
pub const CONFIGURATION: [&str; 4] = [
    "postgresql.conf",
    "postgresql.auto.conf",
    "recovery.conf",
    "postmaster.pid",
];

/// The message with which a start ends that the WAL alone would let through, or that ends
/// before it comes to the WAL.
#[must_use]
pub fn refusal(
    run: &DryRun,
    evidence: &Evidence,
    cluster: &Cluster,
    request: RecoveryRequest,
) -> Option<String> {
    let layout = cluster.layout?;
    let gate = Gate {
        evidence,
        version: layout.version,
        layout,
    };
    let reached_redo = run.plan.is_some() || run.outcome == Outcome::Clean;
    let ended = reached_redo && run.failure.is_none();
    before_wal(evidence, cluster)
        .or_else(|| gate.before_checkpoint(cluster, request))
        .or_else(|| reached_redo.then(|| gate.before_redo(run)).flatten())
        .or_else(|| ended.then(|| gate.behind_redo(run, cluster)).flatten())
}

/// What the server finds wrong before it reads `pg_control`.
#[must_use]
pub fn before_wal(evidence: &Evidence, cluster: &Cluster) -> Option<String> {
    let directory = evidence.path().display();
    match &cluster.pg_version {
        Fact::Missing | Fact::Malformed(_) => {
            return Some(format!(
                "FATAL: \"{directory}\" is not a valid data directory"
            ));
        }
        Fact::Present(PgVersion::Unknown(..)) => {
            return Some("FATAL: database files are incompatible with server".to_owned());
        }
        Fact::Present(PgVersion::Known(_)) | Fact::Unreadable(_) => {}
    }
    if matches!(cluster.control, Fact::Missing) {
        return Some(format!(
            "postgres: could not find the database system Expected to find it in the directory \
             \"{directory}\", but could not open file \"{directory}/global/pg_control\": No such \
             file or directory"
        ));
    }
    let empty = evidence
        .by_path("postmaster.pid")
        .is_some_and(|id| evidence.entry(id).size == 0);
    // Up to 9.2 the text was about bogus data.
    let since = cluster.version.is_some_and(|v| v.since(Major::V9_3));
    (empty && since).then(|| "FATAL: lock file \"postmaster.pid\" is empty".to_owned())
}

struct Gate<'a> {
    evidence: &'a Evidence,
    version: &'static Version,
    layout: Layout,
}

fn no_directory(path: &str) -> String {
    format!("FATAL: could not open directory \"{path}\": No such file or directory")
}

impl Gate<'_> {
    fn before_checkpoint(&self, cluster: &Cluster, request: RecoveryRequest) -> Option<String> {
        if !self.evidence.holds("pg_notify") {
            return Some(no_directory("pg_notify"));
        }
        let wal = self.version.wal_dir();
        if !self.evidence.holds(wal) {
            return Some(format!(
                "FATAL: required WAL directory \"{wal}\" does not exist"
            ));
        }
        if request.archive_recovery
            && !request.standby
            && !request.refused_recovery_conf
            && self.restores_nothing()
        {
            let what = "must specify restore_command when standby mode is not enabled";
            return Some(if self.version.since(Major::V17) {
                // Names of settings are quoted from then on.
                format!(
                    "FATAL: {}",
                    what.replace("restore_command", "\"restore_command\"")
                )
            } else if self.version.since(Major::V12) {
                format!("FATAL: {what}")
            } else {
                format!("FATAL: recovery command file \"recovery.conf\" {what}")
            });
        }
        matches!(cluster.backup_label, Fact::Malformed(_))
            .then(|| "FATAL: invalid data in file \"backup_label\"".to_owned())
    }

    /// Whether no `restore_command` is set, as far as the files can tell: nothing is said
    /// when settings lie elsewhere, too.
    fn restores_nothing(&self) -> bool {
        let files: &[&str] = if self.version.since(Major::V12) {
            &["postgresql.conf", "postgresql.auto.conf"]
        } else {
            &["recovery.conf"]
        };
        let mut command = None;
        for (n, path) in files.iter().enumerate() {
            let Some(text) = self.evidence.by_path(path).and_then(|id| self.text(id)) else {
                if n == 0 {
                    return false;
                }
                continue;
            };
            if setting(&text, "include")
                .or(setting(&text, "include_dir"))
                .is_some()
                || setting(&text, "include_if_exists").is_some()
            {
                return false;
            }
            command = setting(&text, "restore_command").or(command);
        }
        command.is_none_or(|command| command.is_empty())
    }

    fn before_redo(&self, run: &DryRun) -> Option<String> {
        let since = |major| self.version.since(major);
        let crashed = run.outcome != Outcome::Clean;
        // pgstat.c: pgstat_reset_all. The folder for the moment may be set to lie elsewhere.
        if crashed && since(Major::V9_3) && !since(Major::V15) {
            let moved = self
                .evidence
                .by_path("postgresql.conf")
                .and_then(|id| self.text(id))
                .is_none_or(|text| setting(&text, "stats_temp_directory").is_some());
            if !moved && !self.evidence.holds("pg_stat_tmp") {
                return Some(no_directory("pg_stat_tmp"));
            }
            if !self.evidence.holds("pg_stat") {
                return Some(no_directory("pg_stat"));
            }
        }
        // reinit.c: ResetUnloggedRelations; up to 10 tablespaces are listed in any case.
        if since(Major::V9_1)
            && (crashed || !since(Major::V11))
            && !self.evidence.holds("pg_tblspc")
        {
            return Some(no_directory("pg_tblspc"));
        }
        if since(Major::V9_4) && !self.evidence.holds("pg_replslot") {
            return Some(no_directory("pg_replslot"));
        }
        if since(Major::V9_4)
            && let Some(failure) = self.slots()
        {
            return Some(failure);
        }
        if since(Major::V9_5)
            && let Some(failure) = self.origins()
        {
            return Some(failure);
        }
        (!self.evidence.holds("pg_twophase")).then(|| no_directory("pg_twophase"))
    }

    fn slots(&self) -> Option<String> {
        let mut names: Vec<&str> = self
            .evidence
            .dirs()
            .filter_map(|dir| dir.strip_prefix("pg_replslot/"))
            .filter(|name| !name.contains('/') && !name.ends_with(".tmp"))
            .collect();
        names.sort_unstable();
        names.into_iter().find_map(|name| {
            let path = format!("pg_replslot/{name}/state");
            let Some(id) = self.evidence.by_path(&path) else {
                let text = format!("could not open file \"{path}\": No such file or directory");
                return Some(format!("PANIC: {text}"));
            };
            let found = self.number(id)?;
            // Up to 9.6 the wording was another.
            (found != SLOT_MAGIC && self.version.since(Major::V10)).then(|| {
                format!(
                    "PANIC: replication slot file \"{path}\" has wrong magic number: {found} \
                     instead of {SLOT_MAGIC}"
                )
            })
        })
    }

    fn origins(&self) -> Option<String> {
        let id = self.evidence.by_path("pg_logical/replorigin_checkpoint")?;
        let found = self.number(id)?;
        (found != REPLICATION_STATE_MAGIC).then(|| {
            format!(
                "PANIC: replication checkpoint has wrong magic {found} instead of \
                 {REPLICATION_STATE_MAGIC}"
            )
        })
    }

    /// What the checkpoint at the end of recovery needs, and what is opened behind it.
    fn behind_redo(&self, run: &DryRun, cluster: &Cluster) -> Option<String> {
        let since = |major| self.version.since(major);
        let crashed = run.outcome != Outcome::Clean;
        let lacks = |path: &&str| !self.evidence.holds(path);
        if let Some(_) = ["pg_multixact/offsets", "pg_multixact/members"]
            .iter()
            .find(|p| lacks(p))
            && crashed
        {
            return Some(status_of(0));
        }
        if crashed && since(Major::V15) {
            // The checkpointer makes it, and tells why in a line of its own.
            let needed = [
                "pg_xact",
                "pg_subtrans",
                "pg_logical/snapshots",
                "pg_logical/mappings",
            ];
            if needed.iter().any(lacks) {
                return Some("FATAL: checkpoint request failed".to_owned());
            }
        } else if crashed {
            if lacks(&self.version.xact_dir()) {
                return Some(status_of(0));
            }
            let needed = ["pg_logical/snapshots", "pg_logical/mappings"];
            if since(Major::V9_4)
                && let Some(path) = needed.iter().find(|path| lacks(path))
            {
                return Some(no_directory(path));
            }
        }
        if since(Major::V9_5) && lacks(&"pg_commit_ts") {
            let tracked = cluster
                .sound_control()
                .and_then(|control| control.track_commit_timestamp)
                == Some(true);
            return Some(match (tracked, crashed) {
                (true, _) => status_of(0),
                (false, false) => no_directory("pg_commit_ts"),
                (false, true) => {
                    "PANIC: could not open file \"pg_commit_ts\": No such file or directory"
                        .to_owned()
                }
            });
        }
        self.trimmed(run)
    }

    /// The pages that the next transaction and multixact go to are read, unless they are to
    /// begin there. Redo makes what is missing of those it needs.
    fn trimmed(&self, run: &DryRun) -> Option<String> {
        let plan = run.plan.as_ref();
        let counters = match (plan, run.check_point) {
            (Some(plan), _) => plan.counters,
            (None, Some(point)) => Counters::of(&point),
            (None, None) => return None,
        };
        let xid = counters.next_xid.xid();
        let per_page = Slru::Xact.entries_per_page(&self.layout);
        let first = xid.0 - xid.0 % per_page.max(1);
        let made = plan.is_some_and(|plan| {
            let range = first..=first.saturating_add(per_page.saturating_sub(1));
            plan.zeroed_clog
                .contains(&Slru::Xact.pageno(xid.0.into(), &self.layout))
                || plan.committed.range_cardinality(range.clone()) > 0
                || plan.aborted.range_cardinality(range) > 0
        });
        if !made && self.lacks(Slru::Xact, xid.0.into()) {
            return Some(status_of(xid.0.into()));
        }
        // What redo does to multixacts need not be the page of the next one.
        if plan.is_some() {
            return None;
        }
        let multi = u64::from(counters.next_multi);
        if self.lacks(Slru::MultiXactOffset, multi) {
            return Some(status_of(multi));
        }
        let offset = counters.next_multi_offset;
        (!self.version.since(Major::V19) && self.lacks(Slru::MultiXactMember, offset))
            .then(|| status_of(offset))
    }

    /// Whether the page of an entry is missing, and the entry is not its first.
    fn lacks(&self, slru: Slru, entry: u64) -> bool {
        let per_page = u64::from(slru.entries_per_page(&self.layout)).max(1);
        !entry.is_multiple_of(per_page)
            && !SlruFiles::open(self.evidence, &self.layout, slru)
                .has_page(slru.pageno(entry, &self.layout))
    }

    fn text(&self, id: FileId) -> Option<String> {
        let bytes = self
            .evidence
            .file(id)
            .and_then(|file| file.read_all(1 << 20));
        Some(String::from_utf8_lossy(&bytes.ok()?).into_owned())
    }

    /// The first four bytes of a file.
    fn number(&self, id: FileId) -> Option<u32> {
        let mut bytes = [0; 4];
        let read = self
            .evidence
            .file(id)
            .and_then(|file| file.read_at(&mut bytes, 0));
        (read.ok()? == bytes.len()).then(|| u32::from_le_bytes(bytes))
    }
}

fn status_of(entry: u64) -> String {
    format!("FATAL: could not access status of transaction {entry}")
}

/// Whether the settings of a recovery ask for a standby (`recovery.conf`, up to 11).
#[must_use]
pub fn asks_for_standby(evidence: &Evidence) -> bool {
    let Some(id) = evidence.by_path("recovery.conf") else {
        return false;
    };
    let bytes = evidence.file(id).and_then(|file| file.read_all(1 << 20));
    let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    let on = ["on", "true", "yes", "1"];
    setting(&text, "standby_mode").is_some_and(|value| on.contains(&value.as_str()))
}

/// The last value of a setting in a configuration file (`guc-file.l`).
fn setting(text: &str, name: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let line = line.trim();
        let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')?;
        let (key, rest) = line.split_at(end);
        if !key.eq_ignore_ascii_case(name) {
            return None;
        }
        let value = rest.trim_start().trim_start_matches('=').trim_start();
        Some(match value.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next().unwrap_or_default().to_owned(),
            None => value
                .split(|c: char| c == '#' || c.is_whitespace())
                .next()
                .unwrap_or_default()
                .to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_settings_counts() {
        let text = "# restore_command = 'no'\nrestore_command = 'cp a'  # old\n\
                    Restore_Command 'cp b'\nrestore_commands = x\nport=1 # two\n";
        assert_eq!(setting(text, "restore_command").as_deref(), Some("cp b"));
        assert_eq!(setting(text, "port").as_deref(), Some("1"));
        assert_eq!(setting(text, "include"), None);
    }
}
