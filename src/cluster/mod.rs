//! The established facts: identity and counters, timelines, the SLRUs, what became of
//! transactions, and the names of relations as they will be after replay.
//!
//! Each fact is there, missing, unreadable or malformed; which one it is, is kept, and said
//! by one check.

pub mod agreement;
pub mod catalog;
pub mod names;
pub mod replay;
pub mod slru;
pub mod xact;

use crate::format::backup_label::BackupLabel;
use crate::format::control::{ControlFile, ControlReading, CrcVerdict, layout_by_wal};
use crate::format::history::{Switchpoint, TimeLineHistory};
use crate::format::pgversion::PgVersion;
use crate::format::types::{TimeLineID, XLogRecPtr};
use crate::format::version::{Layout, Version};
use crate::format::wal::page::{LONG_HEADER_BYTES, WalPageHeader};
use crate::format::{Malformed, wal};
use crate::pgdata::{Evidence, FileId, FileKind};
use crate::recovery::timeline::Timelines;
use std::collections::BTreeMap;

/// More than any file has that is read whole.
const SMALL_FILE: usize = 1 << 20;

/// A file that may be there, or not, or not be what it should.
#[derive(Clone, PartialEq, Debug)]
pub enum Fact<T> {
    /// Read.
    Present(T),
    /// There is no such file.
    Missing,
    /// It cannot be read.
    Unreadable(String),
    /// It is not what it should be.
    Malformed(Malformed),
}

impl<T> Fact<T> {
    /// The fact, when it is one.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Present(fact) => Some(fact),
            Self::Missing | Self::Unreadable(_) | Self::Malformed(_) => None,
        }
    }
}

/// What is established about a cluster before anything of it is scanned.
pub struct Cluster {
    /// `PG_VERSION`.
    pub pg_version: Fact<PgVersion>,
    /// `global/pg_control`.
    pub control: Fact<ControlReading>,
    /// The version: that of `PG_VERSION`, else of `pg_control`, else of the WAL, else of a
    /// database.
    pub version: Option<&'static Version>,
    /// Version and sizes; where `pg_control` does not tell, those of the WAL and an ordinary
    /// build.
    pub layout: Option<Layout>,
    /// `backup_label`.
    pub backup_label: Fact<BackupLabel>,
    /// The timeline history files, of the data directory and the archives.
    pub histories: BTreeMap<TimeLineID, (FileId, Fact<TimeLineHistory>)>,
}

fn read(evidence: &Evidence, id: FileId) -> Result<Vec<u8>, String> {
    evidence
        .file(id)
        .and_then(|file| file.read_all(SMALL_FILE))
        .map_err(|error| {
            evidence.record_not_examined(id, None, error.to_string());
            error.to_string()
        })
}

fn read_path<T>(
    evidence: &Evidence,
    path: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, Malformed>,
) -> Fact<T> {
    let Some(id) = evidence.by_path(path) else {
        return Fact::Missing;
    };
    match read(evidence, id) {
        Ok(bytes) => parse(&bytes).map_or_else(Fact::Malformed, Fact::Present),
        Err(error) => Fact::Unreadable(error),
    }
}

impl Cluster {
    /// Reads what tells about the cluster as a whole.
    #[must_use]
    pub fn read(evidence: &Evidence) -> Self {
        let pg_version = read_path(evidence, "PG_VERSION", PgVersion::parse);
        let named = match pg_version {
            Fact::Present(PgVersion::Known(version)) => Some(version),
            _ => None,
        };
        let control = read_path(evidence, "global/pg_control", |bytes| {
            Ok(ControlFile::read(bytes, named))
        });
        let decoded = match &control {
            Fact::Present(ControlReading::Decoded { control, .. }) => Some(&**control),
            _ => None,
        };
        let version = named
            .or(decoded.map(|control| control.version))
            .or_else(|| first_wal_pages(evidence).map(|(version, _)| version).next())
            .or_else(|| version_of_databases(evidence));
        let layout = match (decoded, version) {
            (Some(control), Some(version)) if control.version == version => Some(control.layout()),
            (_, version) => version.map(|version| layout_of_wal(evidence, version)),
        };
        if let Some(layout) = &layout {
            evidence.limit_segments(layout.wal_segsz);
        }
        let histories = version.map_or_else(BTreeMap::new, |v| read_histories(evidence, v));
        Self {
            pg_version,
            version,
            layout,
            backup_label: read_path(evidence, "backup_label", BackupLabel::parse),
            histories,
            control,
        }
    }

    /// `pg_control`, as far as it could be decoded.
    #[must_use]
    pub fn control_file(&self) -> Option<&ControlFile> {
        match &self.control {
            Fact::Present(ControlReading::Decoded { control, .. }) => Some(control),
            _ => None,
        }
    }

    /// `pg_control`, when what it says can be relied on: of the cluster's version, with the
    /// right CRC.
    #[must_use]
    pub fn sound_control(&self) -> Option<&ControlFile> {
        match &self.control {
            Fact::Present(ControlReading::Decoded {
                control,
                crc: CrcVerdict::Good,
                ..
            }) if Some(control.version) == self.version => Some(control),
            _ => None,
        }
    }

    /// A timeline with its ancestors, as its history file tells; alone when there is none
    /// (`timeline.c: readTimeLineHistory`).
    #[must_use]
    pub fn timelines(&self, target: TimeLineID) -> Timelines {
        match self.histories.get(&target) {
            Some((_, Fact::Present(history))) => {
                let ancestors: Vec<(TimeLineID, Option<XLogRecPtr>)> = history
                    .entries
                    .iter()
                    .map(|entry| match entry.switchpoint {
                        Some(Switchpoint::Lsn(lsn)) => (entry.tli, Some(lsn)),
                        Some(Switchpoint::Segment(_)) | None => (entry.tli, None),
                    })
                    .collect();
                Timelines::new(target, &ancestors)
            }
            _ => Timelines::single(target),
        }
    }

    /// The newest timeline that can be reached from `start` by history files without a gap
    /// (`timeline.c: findNewestTimeLine`).
    #[must_use]
    pub fn newest_timeline(&self, start: TimeLineID) -> TimeLineID {
        let mut newest = start;
        while let Some(next) = newest.checked_add(1)
            && self.histories.contains_key(&next)
        {
            newest = next;
        }
        newest
    }
}

fn read_histories(
    evidence: &Evidence,
    version: &'static Version,
) -> BTreeMap<TimeLineID, (FileId, Fact<TimeLineHistory>)> {
    let mut histories = BTreeMap::new();
    for (id, entry) in evidence.iter() {
        let FileKind::History { tli } = entry.kind else {
            continue;
        };
        let fact = match read(evidence, id) {
            Ok(bytes) => Fact::Present(TimeLineHistory::parse(version, tli, &bytes)),
            Err(error) => Fact::Unreadable(error),
        };
        histories.entry(tli).or_insert((id, fact));
    }
    histories
}

/// What `PG_VERSION` in the folder of a database says, where that of the cluster is lost.
fn version_of_databases(evidence: &Evidence) -> Option<&'static Version> {
    let mut files = evidence.iter().filter(|(_, entry)| {
        matches!(entry.kind, FileKind::PgVersion { db: Some(_) }) && entry.archive.is_none()
    });
    files.find_map(
        |(id, _)| match PgVersion::parse(&read(evidence, id).ok()?) {
            Ok(PgVersion::Known(version)) => Some(version),
            _ => None,
        },
    )
}

/// The header of a segment's first page, with the version that its magic number tells.
pub(crate) fn first_wal_page(
    evidence: &Evidence,
    id: FileId,
) -> Option<(&'static Version, WalPageHeader)> {
    let mut head = [0; LONG_HEADER_BYTES];
    let got = evidence.head(id, &mut head).ok()?;
    WalPageHeader::identify(head.get(..got)?)
}

/// The same of every segment, one after another.
fn first_wal_pages(evidence: &Evidence) -> impl Iterator<Item = (&'static Version, WalPageHeader)> {
    evidence
        .iter()
        .filter(|(_, entry)| matches!(entry.kind, FileKind::Wal(_)))
        .filter_map(|(id, _)| first_wal_page(evidence, id))
}

/// Version and sizes as the first WAL segment of the version tells them, or as usual.
fn layout_of_wal(evidence: &Evidence, version: &'static Version) -> Layout {
    first_wal_pages(evidence)
        .filter(|(of, _)| of.major == version.major)
        .find_map(|(_, header)| layout_by_wal(version, &header.long?))
        .unwrap_or_else(|| Layout::usual(version))
}

/// The resource manager names of a version with their record counts, in the order of ids.
#[must_use]
pub fn counts_by_rmgr(version: &Version, counts: &[u64]) -> Vec<(String, u64)> {
    (0..=u8::MAX)
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .map(|(rmid, count)| (wal::rmgr::name(version, rmid).into_owned(), *count))
        .collect()
}
