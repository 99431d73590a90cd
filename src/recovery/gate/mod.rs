//! What stops a start apart from the WAL, in the server's order: files and directories that
//! it opens before it reads WAL, between reading the checkpoint and redo, and behind redo.
//!
//! Sources: `miscinit.c: checkDataDir, ValidatePgVersion, CreateLockFile`; `async.c:
//! AsyncShmemInit`; `xlog.c: ValidateXLOGDirectoryStructure, StartupXLOG,
//! CheckRequiredParameterValues`; `xlogrecovery.c: readRecoverySignalFile,
//! validateRecoveryParameters, read_tablespace_map` (up to 11 `xlog.c:
//! readRecoveryCommandFile`); `clog.c: TrimCLOG`; `multixact.c: TrimMultiXact`. Each was seen
//! on real servers of 10 to 18 (`tests/live/differential.rs`).

mod access;
mod before_redo;
mod behind_redo;
pub mod files;

use super::settings::{Settings, TargetTimeline};
use super::start::{DryRun, RecoveryRequest, begins_with_archive, no_checkpoint};
use crate::cluster::slru::unreadable_page;
use crate::cluster::{Cluster, Fact};
use crate::format::pgversion::PgVersion;
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru};
use crate::format::version::{Layout, Major};
use crate::format::wal::WalGeometry;
use crate::pgdata::{Evidence, FileId, FileKind};
use crate::verdict::Outcome;

/// More than any file has that is read whole here.
const SMALL_FILE: usize = 1 << 20;

/// The lock of a running server.
pub const LOCK_FILE: &str = "postmaster.pid";

/// Files read here and for the settings that are not of the cluster's own formats.
pub const CONFIGURATION: [&str; 4] = [
    "postgresql.conf",
    "postgresql.auto.conf",
    "recovery.conf",
    LOCK_FILE,
];

/// The message with which a start ends that the WAL alone would let through, or that ends
/// before it comes to the WAL.
#[must_use]
pub fn refusal(
    run: &DryRun,
    evidence: &Evidence,
    cluster: &Cluster,
    request: RecoveryRequest,
    settings: &Settings,
) -> Option<String> {
    let gate = Gate {
        evidence,
        cluster,
        request,
        settings,
        layout: cluster.layout?,
    };
    let reached_redo = run.plan.is_some() || run.outcome == Outcome::Clean;
    let ended = reached_redo && run.failure.is_none();
    before_wal(evidence, cluster)
        .or_else(|| gate.before_checkpoint())
        .or_else(|| gate.checkpoint_in_archive(run))
        .or_else(|| gate.unreadable_wal(run))
        .or_else(|| gate.tablespace_map(run))
        .or_else(|| reached_redo.then(|| gate.before_redo(run)).flatten())
        .or_else(|| gate.unopened_relation(run))
        .or_else(|| gate.unreadable_for_redo(run).map(|page| page.message))
        .or_else(|| ended.then(|| gate.unwritable_wal(run)).flatten())
        .or_else(|| ended.then(|| gate.unwritable_status(run)).flatten())
        .or_else(|| ended.then(|| gate.behind_redo(run)).flatten())
}

/// The SLRU page that is missing where a start ends with that `refusal`, if it is for one.
#[must_use]
pub fn refused_page(
    refusal: &str,
    run: &DryRun,
    evidence: &Evidence,
    cluster: &Cluster,
    request: RecoveryRequest,
    settings: &Settings,
) -> Option<MissingPage> {
    let gate = Gate {
        evidence,
        cluster,
        request,
        settings,
        layout: cluster.layout?,
    };
    gate.prepared(run)
        .into_iter()
        .chain(gate.unreadable_for_redo(run))
        .chain(gate.trimmed(run))
        .find(|page| page.message == refusal)
        .filter(|page| gate.on_disk(page.slru, page.page) != OnDisk::Closed)
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
    if let Some(message) = access::before_wal(evidence, cluster) {
        return Some(message);
    }
    let empty = has_empty_lock_file(evidence);
    let since_9_3 = cluster.version.is_none_or(|v| v.since(Major::V9_3));
    empty.then(|| {
        if since_9_3 {
            "FATAL: lock file \"postmaster.pid\" is empty".to_owned()
        } else {
            "FATAL: bogus data in lock file \"postmaster.pid\": \"\"".to_owned()
        }
    })
}

/// Whether `postmaster.pid` is there, and empty.
#[must_use]
pub fn has_empty_lock_file(evidence: &Evidence) -> bool {
    evidence
        .by_path(LOCK_FILE)
        .is_some_and(|id| evidence.entry(id).size == 0)
}

/// The process that `postmaster.pid` names; negative there for a server of a single user.
#[must_use]
pub fn lock_holder(evidence: &Evidence) -> Option<u64> {
    let bytes = read_whole(evidence, evidence.by_path(LOCK_FILE)?)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines()
        .next()?
        .trim()
        .trim_start_matches('-')
        .parse()
        .ok()
}

/// All that is asked on the way.
struct Gate<'a> {
    evidence: &'a Evidence,
    cluster: &'a Cluster,
    request: RecoveryRequest,
    settings: &'a Settings,
    layout: Layout,
}

fn no_directory(path: &str) -> String {
    format!("FATAL: could not open directory \"{path}\": No such file or directory")
}

fn status_of(entry: u64) -> String {
    format!("FATAL: could not access status of transaction {entry}")
}

/// A page of an SLRU that a start cannot do without.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingPage {
    /// Which SLRU.
    pub slru: Slru,
    /// The page, counted through all segments.
    pub page: u64,
    /// The message with which the start ends, with its severity.
    pub message: String,
}

/// What there is of a page of an SLRU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum OnDisk {
    /// All of it.
    Page,
    /// Its file, which ends before it, or within.
    ShortFile,
    /// Its file, which the server's user cannot open.
    Closed,
    /// Not even its file.
    Nothing,
}

/// A small file, whole; `None` when it cannot be read.
fn read_whole(evidence: &Evidence, id: FileId) -> Option<Vec<u8>> {
    let file = evidence.file(id).ok()?;
    file.read_all(SMALL_FILE).ok()
}

impl Gate<'_> {
    fn lacks(&self, path: &str) -> bool {
        !self.evidence.holds(path)
    }

    fn on_disk(&self, slru: Slru, page: u64) -> OnDisk {
        let path = slru.segment_path(page / SLRU_PAGES_PER_SEGMENT, &self.layout);
        let Some(id) = self.evidence.by_path(&path) else {
            return OnDisk::Nothing;
        };
        if self.is_closed(&path) {
            return OnDisk::Closed;
        }
        let pages = self.evidence.entry(id).size / u64::from(self.layout.blcksz.max(1));
        if page % SLRU_PAGES_PER_SEGMENT < pages {
            OnDisk::Page
        } else {
            OnDisk::ShortFile
        }
    }

    /// What a start says that asks for a transaction or multixact on a missing page.
    fn missing_page(&self, slru: Slru, page: u64, asked_for: u64) -> MissingPage {
        let on_disk = self.on_disk(slru, page);
        let has_file = on_disk != OnDisk::Nothing;
        let words = if on_disk == OnDisk::Closed && self.layout.since(Major::V19) {
            let path = slru.segment_path(page / SLRU_PAGES_PER_SEGMENT, &self.layout);
            format!("could not open file \"{path}\": Permission denied")
        } else {
            unreadable_page(&self.layout, slru, page, has_file, asked_for)
        };
        MissingPage {
            slru,
            page,
            message: format!("FATAL: {words}"),
        }
    }

    fn before_checkpoint(&self) -> Option<String> {
        let since = |major| self.layout.since(major);
        if self.lacks("pg_notify") {
            return Some(no_directory("pg_notify"));
        }
        let wal = self.layout.version.wal_dir();
        if self.lacks(wal) {
            return Some(format!(
                "FATAL: required WAL directory \"{wal}\" does not exist"
            ));
        }
        if self.request.refused_recovery_conf {
            let text = "FATAL: using recovery command file \"recovery.conf\" is not supported";
            return Some(text.to_owned());
        }
        if self.request.archive_recovery {
            let restores = self.settings.get("restore_command").is_some()
                || !self.settings.complete && since(Major::V12);
            if !self.request.standby && !restores {
                return Some(if since(Major::V17) {
                    "FATAL: must specify \"restore_command\" when standby mode is not enabled"
                        .to_owned()
                } else if since(Major::V12) {
                    "FATAL: must specify restore_command when standby mode is not enabled"
                        .to_owned()
                } else {
                    "FATAL: recovery command file \"recovery.conf\" must specify restore_command \
                     when standby mode is not enabled"
                        .to_owned()
                });
            }
            if let TargetTimeline::Number(tli) = self.request.target_timeline
                && tli != 1
                && !self.cluster.histories.contains_key(&tli)
            {
                return Some(format!(
                    "FATAL: recovery target timeline {tli} does not exist"
                ));
            }
        }
        matches!(self.cluster.backup_label, Fact::Malformed(_))
            .then(|| "FATAL: invalid data in file \"backup_label\"".to_owned())
    }

    /// A server that crashed replays its own WAL first, and finds no checkpoint in an archive.
    fn checkpoint_in_archive(&self, run: &DryRun) -> Option<String> {
        let control = self.cluster.sound_control()?;
        let label = self.cluster.backup_label.get();
        if !self.request.archive_recovery || begins_with_archive(control, label) {
            return None;
        }
        let geometry = WalGeometry::of(&self.layout);
        let segno = geometry.segment_of(run.checkpoint_lsn);
        let own = self.evidence.files().iter().any(|file| {
            let segment = match file.kind {
                FileKind::Wal(name) => Some(geometry.segno(&name)),
                _ => None,
            };
            file.archive.is_none() && segment == Some(segno)
        });
        (!own).then(|| no_checkpoint(self.layout.version, false, run.checkpoint_lsn))
    }

    /// Read once the checkpoint that `backup_label` names was found, 9.5 and later.
    fn tablespace_map(&self, run: &DryRun) -> Option<String> {
        let found = run.from_backup_label && run.check_point.is_some();
        let redo_lost = run
            .failure
            .as_ref()
            .is_some_and(|text| text.contains("could not find redo location"));
        if !found || redo_lost {
            return None;
        }
        files::tablespace_map(self.evidence, self.layout.version)?.message
    }
}

/// Whether the settings of a recovery ask for a standby.
#[must_use]
pub fn asks_for_standby(settings: &Settings) -> bool {
    settings.switch("standby_mode", false) == Some(true)
}
