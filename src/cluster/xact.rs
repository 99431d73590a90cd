//! What became of transactions: the commit log on disk, and the ends that replay will add.
//!
//! Sources: `clog.c` (layout, `TransactionIdGetStatus`), `transam.c: TransactionLogFetch`,
//! `slru.c: SlruPhysicalReadPage`.

use crate::format::types::TransactionId;
use crate::format::version::Layout;
use crate::pgdata::{Evidence, FileId, FileKind, FileReader, SlruDir};
use crate::recovery::plan::Plan;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;

/// Pages of an SLRU segment (`SLRU_PAGES_PER_SEGMENT`).
pub const PAGES_PER_SEGMENT: u32 = 32;
/// Pages of the commit log that one thread keeps.
const CACHED_PAGES: usize = 64;

/// What became of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XactStatus {
    /// It committed.
    Committed,
    /// It aborted, or never ended: after a crash that is the same. Only a prepared one may
    /// still go either way.
    NotCommitted,
    /// The page that would tell is not there.
    Missing,
}

struct Segment {
    file: FileReader,
    pages: u32,
}

/// The commit log of the evidence, with what replay adds to it.
pub struct XactLog<'e> {
    xacts_per_page: u32,
    blcksz: usize,
    segments: BTreeMap<u32, Segment>,
    zero_pages: RoaringBitmap,
    plan: Option<&'e Plan>,
}

/// Pages read lately, and the last answer.
pub struct ClogCache {
    pages: Vec<(u32, Vec<u8>)>,
    last: Option<(TransactionId, XactStatus)>,
}

impl Default for ClogCache {
    fn default() -> Self {
        Self { pages: vec![(u32::MAX, Vec::new()); CACHED_PAGES], last: None }
    }
}

impl<'e> XactLog<'e> {
    /// Lists the segments and notes which of their pages are all zero.
    #[must_use]
    pub fn open(evidence: &'e Evidence, layout: &Layout, plan: Option<&'e Plan>) -> Self {
        let blcksz = layout.blcksz as usize;
        let mut log = Self {
            xacts_per_page: layout.blcksz * 4,
            blcksz,
            segments: BTreeMap::new(),
            zero_pages: RoaringBitmap::new(),
            plan,
        };
        let files: Vec<(u32, FileId)> = evidence
            .iter()
            .filter_map(|(id, entry)| match entry.kind {
                FileKind::Slru { dir: SlruDir::Xact, segno } => {
                    Some((u32::try_from(segno).ok()?, id))
                }
                _ => None,
            })
            .collect();
        let mut buf = vec![0; blcksz * PAGES_PER_SEGMENT as usize];
        for (segno, id) in files {
            let file = match evidence.file(id) {
                Ok(file) => file,
                Err(error) => {
                    evidence.record_not_examined(id, None, error.to_string());
                    continue;
                }
            };
            let got = match file.read_at(&mut buf, 0) {
                Ok(got) => got,
                Err(error) => {
                    evidence.record_not_examined(id, None, error.to_string());
                    0
                }
            };
            // A page cut short cannot be read (slru.c: SlruPhysicalReadPage).
            let pages = u32::try_from(got / blcksz).unwrap_or(0);
            for (page, bytes) in (0..pages).zip(buf.chunks_exact(blcksz)) {
                if crate::format::page::is_zeroed(bytes) {
                    log.zero_pages.insert(segno.saturating_mul(PAGES_PER_SEGMENT) + page);
                }
            }
            log.segments.insert(segno, Segment { file, pages });
        }
        log
    }

    /// The page that tells of a transaction.
    #[must_use]
    pub fn page_of(&self, xid: TransactionId) -> u32 {
        xid.0 / self.xacts_per_page
    }

    /// The first transaction of a page.
    #[must_use]
    pub fn first_xid_of(&self, page: u32) -> TransactionId {
        TransactionId(page.saturating_mul(self.xacts_per_page))
    }

    /// The segments: number and whole pages in it.
    pub fn segments(&self) -> impl Iterator<Item = (u32, u32)> {
        self.segments.iter().map(|(segno, segment)| (*segno, segment.pages))
    }

    /// Whether a page is on disk, or replay makes it.
    #[must_use]
    pub fn has_page(&self, page: u32) -> bool {
        self.on_disk(page) || self.is_zeroed_by_replay(page)
    }

    fn on_disk(&self, page: u32) -> bool {
        self.segments
            .get(&(page / PAGES_PER_SEGMENT))
            .is_some_and(|segment| page % PAGES_PER_SEGMENT < segment.pages)
    }

    fn is_zeroed_by_replay(&self, page: u32) -> bool {
        self.plan.is_some_and(|plan| plan.zeroed_clog.contains(&u64::from(page)))
    }

    /// Whether a page on disk is all zero, and replay does not make it anew.
    #[must_use]
    pub fn is_zero_page(&self, page: u32) -> bool {
        self.zero_pages.contains(page) && !self.is_zeroed_by_replay(page)
    }

    /// Whether any page of the commit log is all zero.
    #[must_use]
    pub fn has_zero_pages(&self) -> bool {
        !self.zero_pages.is_empty()
    }

    /// What became of a transaction, once replay is done.
    #[inline]
    pub fn status(&self, cache: &mut ClogCache, xid: TransactionId) -> XactStatus {
        if let Some((last, status)) = cache.last
            && last == xid
        {
            return status;
        }
        let status = self.look_up(cache, xid);
        cache.last = Some((xid, status));
        status
    }

    fn look_up(&self, cache: &mut ClogCache, xid: TransactionId) -> XactStatus {
        if let Some(plan) = self.plan {
            if plan.committed.contains(xid.0) {
                return XactStatus::Committed;
            }
            if plan.aborted.contains(xid.0) {
                return XactStatus::NotCommitted;
            }
        }
        let page = self.page_of(xid);
        if self.is_zeroed_by_replay(page) {
            return XactStatus::NotCommitted;
        }
        let slot = &mut cache.pages[page as usize % CACHED_PAGES];
        if slot.0 != page {
            let Some(segment) = self.segments.get(&(page / PAGES_PER_SEGMENT)) else {
                return XactStatus::Missing;
            };
            if page % PAGES_PER_SEGMENT >= segment.pages {
                return XactStatus::Missing;
            }
            let offset = u64::from(page % PAGES_PER_SEGMENT) * self.blcksz as u64;
            slot.0 = u32::MAX;
            slot.1.resize(self.blcksz, 0);
            match segment.file.read_at(&mut slot.1, offset) {
                Ok(got) if got == self.blcksz => slot.0 = page,
                Ok(_) | Err(_) => return XactStatus::Missing,
            }
        }
        let index = xid.0 % self.xacts_per_page;
        let bits = slot.1[index as usize / 4] >> (index % 4 * 2) & 3;
        // 3 is "sub-committed": the parent's commit record, which replay would have seen,
        // makes it 1; without one the parent did not commit.
        if bits == 1 { XactStatus::Committed } else { XactStatus::NotCommitted }
    }
}
