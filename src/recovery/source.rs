//! The WAL segments of the evidence, by timeline and number.

use super::reader::{SegmentFile, WalSource};
use super::timeline::Timelines;
use crate::cluster::Cluster;
use crate::format::names::WalSegmentName;
use crate::format::types::{TimeLineID, XLogSegNo};
use crate::format::version::Layout;
use crate::format::wal::{WalGeometry, WalPageHeader};
use crate::pgdata::{Evidence, FileId, FileKind, FileReader};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// Segments of the data directory and of the archives.
pub struct EvidenceWal<'e> {
    evidence: &'e Evidence,
    layout: Layout,
    geometry: WalGeometry,
    segments: BTreeMap<(TimeLineID, XLogSegNo), FileId>,
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
        let mut segments = BTreeMap::new();
        let mut ranked: Vec<(u8, WalSegmentName, FileId)> = evidence
            .iter()
            .filter(|(id, _)| wanted(*id))
            .filter_map(|(id, entry)| {
                let in_archive = entry.archive.is_some();
                match entry.kind {
                    FileKind::Wal(name) => Some((u8::from(in_archive != archive_first), name, id)),
                    FileKind::WalPartial(name) if in_archive => Some((2, name, id)),
                    _ => None,
                }
            })
            .collect();
        ranked.sort_by_key(|(rank, _, id)| (*rank, *id));
        for (_, name, id) in ranked {
            segments
                .entry((name.tli, geometry.segno(&name)))
                .or_insert(id);
        }
        Self {
            evidence,
            layout: *layout,
            geometry,
            segments,
        }
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
            Some(id) => self.evidence.entry(*id).path.clone(),
            None => format!(
                "{}/{}",
                self.layout.version.wal_dir(),
                self.geometry.name(tli, segno)
            ),
        }
    }

    /// Every segment, by timeline and number.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = (TimeLineID, XLogSegNo, FileId)> {
        self.segments
            .iter()
            .map(|((tli, segno), id)| (*tli, *segno, *id))
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
                && let Some(header) = self.first_page(id)
            {
                older.insert(header.xlp_tli);
            }
        }
        let ancestors: Vec<_> = older.range(..target).map(|tli| (*tli, None)).collect();
        Timelines::new(target, &ancestors)
    }

    fn first_page(&self, id: FileId) -> Option<WalPageHeader> {
        let mut head = [0; 40];
        let got = self.evidence.file(id).ok()?.read_at(&mut head, 0).ok()?;
        let version = self.layout.version;
        let header = WalPageHeader::parse(version, head.get(..got)?).ok()?;
        version
            .wal_magics
            .contains(&header.xlp_magic)
            .then_some(header)
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
        let id = *self.segments.get(&(tli, segno))?;
        match self.evidence.file(id) {
            Ok(file) => Some(Box::new(file)),
            Err(error) => {
                self.evidence
                    .record_not_examined(id, None, error.to_string());
                None
            }
        }
    }
}
