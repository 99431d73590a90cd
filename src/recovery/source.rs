//! The WAL segments of the evidence, by timeline and number.

use super::reader::{SegmentFile, WalSource};
use crate::format::names::WalSegmentName;
use crate::format::types::{TimeLineID, XLogSegNo};
use crate::format::version::Layout;
use crate::format::wal::WalGeometry;
use crate::pgdata::{Evidence, FileId, FileKind, FileReader};
use std::collections::BTreeMap;
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
        let geometry = WalGeometry::of(layout);
        let mut segments = BTreeMap::new();
        let mut ranked: Vec<(u8, WalSegmentName, FileId)> = evidence
            .iter()
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
