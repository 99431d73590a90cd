//! The WAL segments of the evidence, by timeline and number.

use super::reader::{SegmentFile, WalSource};
use super::timeline::Timelines;
use crate::cluster::{Cluster, first_wal_page};
use crate::format::names::WalSegmentName;
use crate::format::types::{TimeLineID, XLogSegNo};
use crate::format::version::Layout;
use crate::format::wal::{WalGeometry, WalLongHeader};
use crate::pgdata::{Evidence, FileId, FileKind, FileReader};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// The rank of a `.partial` file: behind all others.
const PARTIAL: u8 = 2;

/// Segments of the data directory and of the archives.
pub struct EvidenceWal<'e> {
    evidence: &'e Evidence,
    layout: Layout,
    geometry: WalGeometry,
    /// The files of each segment in the order in which they are tried.
    segments: BTreeMap<(TimeLineID, XLogSegNo), Vec<FileId>>,
}

impl<'e> EvidenceWal<'e> {
    /// Lists the segments. Of several files of one segment the archive's comes first when
    /// `archive_first` (`xlogarchive.c: RestoreArchivedFile` is asked before `pg_wal`), else
    /// the data directory's. `.partial` files serve only where there is no whole one, as an
    /// operator who means to use one renames it.
    #[must_use]
    pub fn new(evidence: &'e Evidence, layout: &Layout, archive_first: bool) -> Self {
        Self::of(evidence, layout, archive_first, |_| true)
    }

    /// The same of some of the files.
    #[must_use]
    pub fn of(
        evidence: &'e Evidence,
        layout: &Layout,
        archive_first: bool,
        wanted: impl Fn(FileId) -> bool,
    ) -> Self {
        let geometry = WalGeometry::of(layout);
        let mut segments: BTreeMap<_, Vec<FileId>> = BTreeMap::new();
        let mut ranked: Vec<(u8, WalSegmentName, FileId)> = evidence
            .iter()
            .filter(|(id, _)| wanted(*id))
            .filter_map(|(id, entry)| {
                let in_archive = entry.archive.is_some();
                match entry.kind {
                    FileKind::Wal(name) => Some((u8::from(in_archive != archive_first), name, id)),
                    FileKind::WalPartial(name) if in_archive => Some((PARTIAL, name, id)),
                    _ => None,
                }
            })
            .collect();
        ranked.sort_by_key(|(rank, _, id)| (*rank, *id));
        for (_, name, id) in ranked {
            let files = segments.entry((name.tli, geometry.segno(&name)));
            files.or_default().push(id);
        }
        Self {
            evidence,
            layout: *layout,
            geometry,
            segments,
        }
    }

    /// The same without what the archives have of other clusters: pgBackRest keeps those that
    /// an upgrade left behind in a folder each (`14-1`, `15-2`), where they belong. Elsewhere
    /// they come after the files of this cluster.
    #[must_use]
    pub fn of_cluster(mut self, system_identifier: u64) -> Self {
        let evidence = self.evidence;
        let major = self.layout.version.major;
        let is_other = |id: FileId| {
            evidence.entry(id).archive.is_some()
                && first_wal_page(evidence, id).is_some_and(|(version, header)| {
                    let other = |long: WalLongHeader| long.xlp_sysid != system_identifier;
                    version.major != major || header.long.is_some_and(other)
                })
        };
        self.segments.retain(|_, files| {
            files.retain(|id| {
                let path = &evidence.entry(*id).path;
                !path.split('/').any(is_cluster_folder) || !is_other(*id)
            });
            if files.len() > 1 {
                files.sort_by_cached_key(|id| is_other(*id));
            }
            !files.is_empty()
        });
        self
    }

    /// Version and sizes.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Path of a segment's file, or the one it would have in the data directory.
    #[must_use]
    pub fn path(&self, tli: TimeLineID, segno: XLogSegNo) -> String {
        match self.segments.get(&(tli, segno)) {
            Some(files) => self.evidence.entry(files[0]).path.clone(),
            None => format!(
                "{}/{}",
                self.layout.version.wal_dir(),
                self.geometry.name(tli, segno)
            ),
        }
    }

    /// Every segment, by timeline and number, with the file that is tried first.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = (TimeLineID, XLogSegNo, FileId)> {
        self.files()
            .filter_map(|(tli, segno, files)| Some((tli, segno, *files.first()?)))
    }

    /// Every segment with all its files, in the order in which they are tried.
    pub fn files(&self) -> impl DoubleEndedIterator<Item = (TimeLineID, XLogSegNo, &[FileId])> {
        self.segments
            .iter()
            .map(|((tli, segno), files)| (*tli, *segno, &files[..]))
    }

    /// A timeline with its ancestors: as its history file tells, else every older timeline
    /// that segments are named for, or that the first page of one of its segments bears.
    #[must_use]
    pub fn timelines(&self, cluster: &Cluster, target: TimeLineID) -> Timelines {
        let told = cluster.timelines(target);
        if told.entries().len() > 1 {
            return told;
        }
        let mut older: BTreeSet<TimeLineID> = self.segments.keys().map(|(tli, _)| *tli).collect();
        for (tli, _, id) in self.segments() {
            if tli == target
                && let Some((version, header)) = first_wal_page(self.evidence, id)
                && version.major == self.layout.version.major
            {
                older.insert(header.xlp_tli);
            }
        }
        let ancestors: Vec<_> = older.range(..target).map(|tli| (*tli, None)).collect();
        Timelines::new(target, &ancestors)
    }

    /// The segments that belong to a timeline and its ancestors up to where each was left,
    /// rising. What an ancestor wrote after that is not among them.
    #[must_use]
    pub fn followed(&self, timelines: &Timelines) -> Vec<XLogSegNo> {
        let mut followed = BTreeSet::new();
        let mut bound = XLogSegNo::MAX;
        for entry in timelines.entries() {
            let own = (entry.tli, 0)..(entry.tli, bound);
            let own = self.segments.range(own).map(|((_, segno), _)| *segno);
            let first = own.clone().next();
            followed.extend(own);
            let begin = entry
                .begin
                .is_valid()
                .then(|| self.geometry.segment_of(entry.begin));
            for limit in first.into_iter().chain(begin) {
                bound = bound.min(limit);
            }
        }
        followed.into_iter().collect()
    }

    /// Whether there is a file of a segment.
    #[must_use]
    pub fn contains(&self, tli: TimeLineID, segno: XLogSegNo) -> bool {
        self.segments.contains_key(&(tli, segno))
    }
}

impl SegmentFile for FileReader {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        FileReader::read_at(self, buf, offset)
    }
}

impl WalSource for EvidenceWal<'_> {
    fn open(&self, tli: TimeLineID, segno: XLogSegNo) -> Option<Box<dyn SegmentFile + '_>> {
        let files = self.segments.get(&(tli, segno))?;
        // What cannot be fetched from an archive is looked for in the other places, but nobody
        // has renamed a `.partial` file as long as there is a whole one.
        let partial =
            |id: &FileId| matches!(self.evidence.entry(*id).kind, FileKind::WalPartial(_));
        let only_partial = files.first().is_some_and(partial);
        let mut tried = files.iter().filter(|id| only_partial || !partial(id));
        tried.find_map(|id| -> Option<Box<dyn SegmentFile + '_>> {
            match self.evidence.file(*id) {
                Ok(file) => Some(Box::new(file)),
                Err(error) => {
                    self.evidence
                        .record_not_examined(*id, None, error.to_string());
                    None
                }
            }
        })
    }
}

/// Whether this is how pgBackRest calls the folder of a cluster's WAL: `15-1`, `9.6-2`.
fn is_cluster_folder(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    name.split_once('-')
        .is_some_and(|(version, number)| version.split('.').all(is_number) && is_number(number))
}
