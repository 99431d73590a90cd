//! What block checks are handed: one page, read and parsed once.

use super::forks::ForkFiles;
use super::tally::Tally;
use super::toast::ToastLink;
use super::{OutOfRange, Replay, ScanContext};
use crate::checks::Check;
use crate::checks::large_object_invalid::LargeObjects;
use crate::cluster::catalog::{CatalogRelation, Promise};
use crate::finding::{Finding, Location, Recovery};
use crate::format::heap::HeapPage;
use crate::format::index::PageKind;
use crate::format::page::{PD_ALL_VISIBLE, PageHeader};
use crate::format::tuple::TupleDesc;
use crate::format::types::{BlockNumber, MultiXactId, OffsetNumber, TransactionId, XLogRecPtr};
use rustc_hash::FxHashMap;

/// One page of a relation, and where it lies.
#[derive(Clone, Copy)]
pub struct PageView<'a> {
    /// The cluster.
    pub context: &'a ScanContext<'a>,
    /// The fork it belongs to.
    pub fork: &'a ForkFiles,
    /// Its number within the fork.
    pub blkno: BlockNumber,
    /// Its bytes: `BLCKSZ` of them.
    pub page: &'a [u8],
    /// Its header; all zero when it is a new page.
    pub header: PageHeader,
    /// What the catalogs say of its relation, when that is a table they know.
    pub promise: Option<Promise>,
    /// Which kind of page its relation has, when the catalogs tell.
    pub kind: Option<PageKind>,
    /// How its tuples are laid out, when the catalogs tell.
    pub tuple_desc: Option<&'a TupleDesc>,
    /// The TOAST table that its tuples lead to, or that it is itself.
    pub toast: Option<ToastLink>,
    /// Its relation, when that is a sequence.
    pub sequence: Option<&'a CatalogRelation>,
    /// Its relation, when that is a catalog of large objects.
    pub large_objects: Option<LargeObjects>,
    /// The pages of its fork that the checkpoint has seen to disk.
    pub written: Option<&'a FxHashMap<BlockNumber, XLogRecPtr>>,
}

impl PageView<'_> {
    /// A location on the page.
    #[must_use]
    pub fn location(&self, offnum: Option<OffsetNumber>, page_offset: u64) -> Location {
        let page = self.fork.location(self.blkno, &self.context.layout);
        page.within_block(offnum, page_offset)
    }

    /// What replay does to the page.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.context.fate(self.fork, self.blkno)
    }

    /// Whether the page was written by WAL that is missing.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        self.context
            .wal_end
            .is_some_and(|end| self.header.pd_lsn > end)
    }

    /// Whether replay changes the page, or it cannot be told.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        match self.context.replay {
            Replay::None => false,
            Replay::Plan(plan) => plan.changes(self.fork.locator, self.fork.fork, self.blkno),
            Replay::Unknown => true,
        }
    }

    /// Whether a transaction past the next one is no nonsense: WAL gave it out that the next
    /// start does not reach, whether it is there or only this page tells of it.
    #[must_use]
    pub fn xid_awaits_wal(&self, xid: TransactionId) -> bool {
        self.context.horizons.is_some_and(|horizons| {
            let newest = self.context.beyond.and_then(|ledger| ledger.newest_xid);
            horizons.xid_fault(xid) == Some(OutOfRange::NeverAssigned)
                && self.awaits_wal(horizons.next_xid.xid().0, xid.0, newest.map(|xid| xid.0))
        })
    }

    /// The same of a multixact.
    #[must_use]
    pub fn multi_awaits_wal(&self, multi: MultiXactId) -> bool {
        self.context.horizons.is_some_and(|horizons| {
            let newest = self.context.beyond.and_then(|ledger| ledger.newest_multi);
            horizons.multi_fault(multi) == Some(OutOfRange::NeverAssigned)
                && self.awaits_wal(horizons.next_multi, multi, newest)
        })
    }

    fn awaits_wal(&self, next: u32, number: u32, newest: Option<u32>) -> bool {
        let ahead = number.wrapping_sub(next);
        let known = newest.map(|newest| newest.wrapping_sub(next));
        let named = known.is_some_and(|known| known < 0x8000_0000 && ahead <= known);
        // Each number that reaches a page has a record of its own, of 24 bytes at least.
        let written = self
            .context
            .wal_end
            .map_or(0, |end| self.header.pd_lsn.0.saturating_sub(end.0) / 24);
        named || u64::from(ahead) < written
    }

    /// A finding about the whole page.
    #[must_use]
    pub fn finding(&self, check: &'static Check, message: impl Into<String>) -> Finding {
        Finding::new(check, self.location(None, 0), message).recovery(self.recovery())
    }

    /// A finding about one line pointer or its tuple, which begins at `page_offset`.
    #[must_use]
    pub fn tuple_finding(
        &self,
        check: &'static Check,
        offnum: OffsetNumber,
        page_offset: u16,
        message: impl Into<String>,
    ) -> Finding {
        let location = self.location(Some(offnum), u64::from(page_offset));
        Finding::new(check, location, message).recovery(self.recovery())
    }

    /// Whether it is a page of a TOAST table.
    #[must_use]
    pub fn is_toast(&self) -> bool {
        self.promise.is_some_and(|promise| promise.is_toast)
    }

    /// Whether a scan asks what became of the tuples' transactions. It takes all of a page
    /// that is marked all-visible (`heapam.c: heapgetpage`; `heap_prepare_pagescan` from 17
    /// on), and whatever it is led to in a TOAST table (`heapam_visibility.c:
    /// HeapTupleSatisfiesToast`).
    #[must_use]
    pub fn asks_for_transactions(&self) -> bool {
        !self.header.has(PD_ALL_VISIBLE) && !self.is_toast()
    }

    /// The path that the server's messages name: that of the fork's first segment.
    #[must_use]
    pub fn server_path(&self) -> &str {
        &self.fork.path
    }
}

/// A heap page with its tuples.
#[derive(Clone, Copy)]
pub struct HeapView<'a, 't> {
    /// The page.
    pub view: PageView<'a>,
    /// Its tuples.
    pub heap: HeapPage<'a, 't>,
}

/// A check of every page that the server would read.
pub type PageCheck = fn(&PageView<'_>, &mut Tally);
/// A check of every heap page that the server would read.
pub type HeapCheck = fn(&HeapView<'_, '_>, &mut Tally);
