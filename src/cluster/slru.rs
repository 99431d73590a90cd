//! One SLRU of the evidence: which of its pages are on disk, and their bytes.
//!
//! Source: `slru.c: SlruPhysicalReadPage`: a page that its file does not hold whole cannot
//! be read.

use crate::format::page::is_zeroed;
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru, SlruPlace};
use crate::format::version::{Layout, Major};
use crate::pgdata::{Evidence, FileId, FileKind, FileReader};
use roaring::RoaringTreemap;
use std::collections::BTreeMap;

/// Pages that one thread keeps of each SLRU.
const CACHED_PAGES: usize = 64;

/// One segment file.
pub struct SlruSegment {
    /// The file.
    pub id: FileId,
    /// Its bytes.
    pub size: u64,
    /// Whole pages in it that can be read.
    pub pages: u32,
    file: FileReader,
}

/// The segments of one SLRU.
pub struct SlruFiles {
    /// Which.
    pub slru: Slru,
    layout: Layout,
    segments: BTreeMap<u64, SlruSegment>,
    zero_pages: RoaringTreemap,
}

/// Pages of one SLRU read lately.
pub struct SlruCache(Vec<(u64, Vec<u8>)>);

impl Default for SlruCache {
    fn default() -> Self {
        Self(vec![(u64::MAX, Vec::new()); CACHED_PAGES])
    }
}

impl SlruCache {
    /// A page, if it was read lately.
    #[inline]
    #[must_use]
    pub fn page(&self, pageno: u64) -> Option<&[u8]> {
        let (of, bytes) = self.0.get((pageno % CACHED_PAGES as u64) as usize)?;
        (*of == pageno).then_some(bytes)
    }
}

impl SlruFiles {
    /// Lists the segments of an SLRU, and notes which of their pages are all zero.
    #[must_use]
    pub fn open(evidence: &Evidence, layout: &Layout, slru: Slru) -> Self {
        let blcksz = layout.blcksz as usize;
        let mut segments = BTreeMap::new();
        let mut zero_pages = RoaringTreemap::new();
        let mut buf = vec![0; blcksz * SLRU_PAGES_PER_SEGMENT as usize];
        for (id, entry) in evidence.iter() {
            let segno = match entry.kind {
                FileKind::Slru { slru: of, segno } if of == slru && entry.archive.is_none() => {
                    segno
                }
                _ => continue,
            };
            let read = evidence
                .file(id)
                .and_then(|file| Ok((file.read_at(&mut buf, 0)?, file)));
            let (got, file) = match read {
                Ok(read) => read,
                Err(error) => {
                    evidence.record_not_examined(id, None, error.to_string());
                    continue;
                }
            };
            let pages = got / blcksz;
            for (page, bytes) in (0..).zip(buf[..got].chunks_exact(blcksz)) {
                if is_zeroed(bytes) {
                    zero_pages.insert(
                        segno
                            .saturating_mul(SLRU_PAGES_PER_SEGMENT)
                            .saturating_add(page),
                    );
                }
            }
            let pages = u32::try_from(pages).unwrap_or(0);
            segments.insert(
                segno,
                SlruSegment {
                    id,
                    size: entry.size,
                    pages,
                    file,
                },
            );
        }
        Self {
            slru,
            layout: *layout,
            segments,
            zero_pages,
        }
    }

    /// The segments by number.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = (u64, &SlruSegment)> {
        self.segments
            .iter()
            .map(|(segno, segment)| (*segno, segment))
    }

    /// Whether a segment is there, whole or not.
    #[must_use]
    pub fn has_segment(&self, segno: u64) -> bool {
        self.segments.contains_key(&segno)
    }

    /// Whether a page is on disk.
    #[must_use]
    pub fn has_page(&self, pageno: u64) -> bool {
        self.segments
            .get(&(pageno / SLRU_PAGES_PER_SEGMENT))
            .is_some_and(|segment| pageno % SLRU_PAGES_PER_SEGMENT < u64::from(segment.pages))
    }

    /// Whether a page on disk is all zero.
    #[must_use]
    pub fn is_zero_page(&self, pageno: u64) -> bool {
        self.zero_pages.contains(pageno)
    }

    /// The pages on disk that are all zero.
    #[must_use]
    pub fn zero_pages(&self) -> &RoaringTreemap {
        &self.zero_pages
    }

    /// Whether all pages of a segment are zero.
    #[must_use]
    pub fn is_zero_segment(&self, segno: u64) -> bool {
        self.segments.get(&segno).is_some_and(|segment| {
            let first = segno.saturating_mul(SLRU_PAGES_PER_SEGMENT);
            segment.pages > 0
                && (0..u64::from(segment.pages)).all(|page| self.is_zero_page(first + page))
        })
    }

    /// Reads the whole pages of a segment; whether that can be done.
    pub fn read_segment(&self, segno: u64, bytes: &mut Vec<u8>) -> bool {
        let Some(segment) = self.segments.get(&segno) else {
            return false;
        };
        bytes.clear();
        bytes.resize(segment.pages as usize * self.layout.blcksz as usize, 0);
        let got = segment.file.read_at(bytes, 0);
        got.is_ok_and(|got| got == bytes.len())
    }

    /// The place of an entry, and the bytes of its page; `None` when that is not on disk.
    pub fn entry<'c>(&self, cache: &'c mut SlruCache, entry: u64) -> Option<(SlruPlace, &'c [u8])> {
        let place = self.slru.locate(entry, &self.layout);
        let pageno = self.slru.pageno(entry, &self.layout);
        let slot = &mut cache.0[(pageno % CACHED_PAGES as u64) as usize];
        if slot.0 != pageno {
            let segment = self.segments.get(&place.segno)?;
            if place.page >= segment.pages {
                return None;
            }
            slot.0 = u64::MAX;
            slot.1.resize(self.layout.blcksz as usize, 0);
            let got = segment
                .file
                .read_at(&mut slot.1, place.page_offset(&self.layout))
                .ok()?;
            if got < slot.1.len() {
                return None;
            }
            slot.0 = pageno;
        }
        Some((place, &slot.1))
    }
}

/// What the server says when it asks for a transaction or multixact on a page that is not
/// there, in a file that is or is not (`slru.c: SlruReportIOError`). From 19 on that of the
/// file comes first.
#[must_use]
pub fn unreadable_page(
    layout: &Layout,
    slru: Slru,
    page: u64,
    has_file: bool,
    asked_for: u64,
) -> String {
    if !layout.since(Major::V19) {
        return format!("could not access status of transaction {asked_for}");
    }
    let path = slru.segment_path(page / SLRU_PAGES_PER_SEGMENT, layout);
    if has_file {
        let offset = page % SLRU_PAGES_PER_SEGMENT * u64::from(layout.blcksz);
        format!("could not read from file \"{path}\" at offset {offset}: read too few bytes")
    } else {
        format!("could not open file \"{path}\": No such file or directory")
    }
}
