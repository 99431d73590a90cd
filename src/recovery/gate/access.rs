//! Files that the server's user cannot open.
//!
//! Sources: `miscinit.c: ValidatePgVersion, CreateLockFile`; `postmaster.c: checkControlFile`;
//! `xlog.c: ReadControlFile, XLogWrite, XLogFileOpen`; `xlogrecovery.c: XLogFileRead` (up to 14
//! `xlog.c`); `md.c: mdcreate`, which redo calls for each relation that it comes to;
//! `reinit.c: ResetUnloggedRelationsInDbspaceDir`; `slru.c: SlruPhysicalReadPage,
//! SlruPhysicalWritePage`.

use super::{Gate, LOCK_FILE, status_of};
use crate::cluster::Cluster;
use crate::format::slru::SLRU_PAGES_PER_SEGMENT;
use crate::format::types::{ForkNumber, RelFileLocator};
use crate::format::version::Major;
use crate::format::wal::WalGeometry;
use crate::pgdata::access::{READ, SEARCH, WRITE};
use crate::pgdata::{Evidence, FileEntry, FileKind};
use crate::recovery::start::DryRun;
use crate::verdict::Outcome;
use std::collections::BTreeSet;

/// What the server cannot open before it reads WAL.
pub(super) fn before_wal(evidence: &Evidence, cluster: &Cluster) -> Option<String> {
    let directory = evidence.path().display();
    let access = evidence.access()?;
    let denied = |path, wanted| evidence.by_path(path).is_some() && !access.permits(path, wanted);
    let control = "global/pg_control";
    if denied("PG_VERSION", READ) {
        return Some(format!(
            "FATAL: could not open file \"{directory}/PG_VERSION\": Permission denied"
        ));
    }
    if denied(control, READ) {
        return Some(format!(
            "postgres: could not find the database system Expected to find it in the directory \
             \"{directory}\", but could not open file \"{directory}/{control}\": Permission denied"
        ));
    }
    if denied(LOCK_FILE, READ) {
        return Some(format!(
            "FATAL: could not open lock file \"{LOCK_FILE}\": Permission denied"
        ));
    }
    denied(control, WRITE).then(|| {
        if cluster.version.is_none_or(|v| v.since(Major::V12)) {
            format!("PANIC: could not open file \"{control}\": Permission denied")
        } else {
            format!("PANIC: could not open control file \"{control}\": Permission denied")
        }
    })
}

impl Gate<'_> {
    /// The first file of the WAL that is to be read and cannot be.
    pub(super) fn unreadable_wal(&self, run: &DryRun) -> Option<String> {
        let access = self.evidence.access()?;
        let geometry = WalGeometry::of(&self.layout);
        let checkpoint = geometry.segment_of(run.checkpoint_lsn);
        let first = run.redo_start.map(|lsn| geometry.segment_of(lsn));
        let last = run.end_of_wal.map(|lsn| geometry.segment_of(lsn));
        let behind = first.zip(last).map(|(first, last)| first..=last);
        let denied = self
            .own_wal()
            .filter(|(file, _)| !access.permits(&file.path, READ));
        let (file, _) = denied
            .filter(|(_, segno)| {
                *segno == checkpoint || behind.as_ref().is_some_and(|range| range.contains(segno))
            })
            .min_by_key(|(_, segno)| (*segno != checkpoint, *segno))?;
        Some(unopened(file))
    }

    /// The file of the WAL in which it is to go on, when that cannot be written.
    pub(super) fn unwritable_wal(&self, run: &DryRun) -> Option<String> {
        let access = self.evidence.access()?;
        let last = WalGeometry::of(&self.layout).segment_of(run.end_of_wal?);
        let (file, _) = self
            .own_wal()
            .find(|(file, segno)| *segno == last && !access.permits(&file.path, WRITE))?;
        (run.outcome == Outcome::CrashRecovery).then(|| unopened(file))
    }

    /// The first relation that replay is to change and cannot open. From 15 on the words may be
    /// `could not open file "...": Permission denied` instead, of it or of another relation, when
    /// what reads ahead comes to it first; and in a folder that is closed replay may have to make
    /// another one before (`xlogprefetcher.c: XLogPrefetcherNextBlock`).
    pub(super) fn unopened_relation(&self, run: &DryRun) -> Option<String> {
        let (access, plan) = (self.evidence.access()?, run.plan.as_ref()?);
        let files = self
            .evidence
            .files()
            .iter()
            .filter(|file| file.archive.is_none());
        let (file, _) = files
            .filter_map(|file| match file.kind {
                FileKind::Relation(relation) if relation.segment == 0 => {
                    let changes = plan.forks.get(&(relation.locator, relation.fork))?;
                    let denied = !plan.removes(relation.locator)
                        && !access.permits(&file.path, READ | WRITE);
                    denied.then_some((file, changes.first))
                }
                _ => None,
            })
            .min_by_key(|(_, first)| *first)?;
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        // The first try is to make the file, and what that says is told.
        let why = if access.permits(folder, SEARCH) {
            "File exists"
        } else {
            "Permission denied"
        };
        Some(format!(
            "FATAL: could not create file \"{}\": {why}",
            file.path
        ))
    }

    /// A file of an unlogged relation that a start after a crash cannot remove. Up to 10 that is
    /// no reason to stop.
    pub(super) fn unremovable(&self, run: &DryRun) -> Option<String> {
        let access = self.evidence.access()?;
        if run.outcome != Outcome::CrashRecovery || !self.layout.since(Major::V11) {
            return None;
        }
        let init: BTreeSet<RelFileLocator> = self
            .evidence
            .relation_forks()
            .filter(|(_, fork)| *fork == ForkNumber::Init)
            .map(|(locator, _)| locator)
            .collect();
        let kept = self.evidence.files().iter().find(|file| match file.kind {
            FileKind::Relation(relation) if file.archive.is_none() => {
                let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                relation.fork != ForkNumber::Init
                    && init.contains(&relation.locator)
                    && !access.permits(folder, WRITE | SEARCH)
            }
            _ => false,
        })?;
        Some(format!(
            "FATAL: could not remove file \"{}\": Permission denied",
            kept.path
        ))
    }

    /// The checkpoint at the end of recovery cannot write the commit log.
    pub(super) fn unwritable_status(&self, run: &DryRun) -> Option<String> {
        let (access, plan) = (self.evidence.access()?, run.plan.as_ref()?);
        let denied = plan.slru_reads.keys().any(|(slru, page)| {
            let path = slru.segment_path(page / SLRU_PAGES_PER_SEGMENT, &self.layout);
            self.evidence.by_path(&path).is_some() && !access.permits(&path, WRITE)
        });
        if !denied || run.outcome != Outcome::CrashRecovery {
            return None;
        }
        Some(if self.layout.since(Major::V15) {
            "FATAL: checkpoint request failed".to_owned()
        } else {
            status_of(0)
        })
    }

    /// Whether the server cannot open a segment of an SLRU. Up to 11 it opens them for writing
    /// whatever it wants.
    pub(super) fn is_closed(&self, path: &str) -> bool {
        let wanted = if self.layout.since(Major::V12) {
            READ
        } else {
            READ | WRITE
        };
        let access = self.evidence.access();
        access.is_some_and(|access| !access.permits(path, wanted))
    }

    fn own_wal(&self) -> impl Iterator<Item = (&FileEntry, u64)> {
        let geometry = WalGeometry::of(&self.layout);
        let files = self.evidence.files().iter();
        files.filter_map(move |file| match file.kind {
            FileKind::Wal(name) if file.archive.is_none() => Some((file, geometry.segno(&name))),
            _ => None,
        })
    }
}

fn unopened(file: &FileEntry) -> String {
    format!(
        "PANIC: could not open file \"{}\": Permission denied",
        file.path
    )
}
