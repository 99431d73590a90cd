//! Chain of row versions is broken.

use crate::cluster::xact::{self, XactCache, XactLog, XactStatus};
use crate::format::chain::{Inserter, Outcomes, Updater};
use crate::format::heap::{HeapTuple, Xmax, Xmin};
use crate::scan::Horizons;
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// An update leaves the old version of a row in place and names the new one in it. When
    /// both fit on one page and no indexed column changes, the new version is heap-only (HOT):
    /// indexes lead to the first version alone, and from there the chain is followed. Here the
    /// chain contradicts itself: two items lead to one version, a step that was HOT leads to a
    /// version that is not, or the reverse, or to nothing, a version has nothing that leads to
    /// it, or a transaction that aborted made what a committed one updated. A sequential scan still
    /// finds each version; an index scan may find a row twice, or not at all. Unique keys can
    /// double, and REINDEX or CREATE INDEX may fail with `failed to find parent tuple for
    /// heap-only tuple`.
    ///
    /// ## How it is decided
    /// The update chains within a page, as `verify_heapam.c` of the amcheck extension walks
    /// them from 16 on, for every version; beyond that, what a committed HOT update leads to must
    /// be there (up to 16 only where pruning cannot have taken it away first). A version counts as the next one only if its `xmin`
    /// is the `xmax` of the one that names it. Whether a transaction committed is what the
    /// commit log says after replay; where it cannot be told, nothing is said. A finding
    /// `heals` when replay rebuilds the page without it.
    ///
    /// ## What else may cause it
    /// A torn page without checksums, when the line pointers are of one time and the rows of
    /// another (mostly healed by replay); a commit log that was lost and made anew, when the
    /// complaint is about aborted transactions; a flipped bit; VACUUM of rows that were updated
    /// while others held a share lock on them, 9.3 to 10.1 ("freeze the dead").
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Keep VACUUM off the table: it may
    /// remove what a chain still leads to.
    ///
    /// Take the page from a backup or standby. Else dump the table in a copy with index scans
    /// off (`SET enable_indexscan = off; SET enable_bitmapscan = off;`), load it into a new
    /// one, and look for doubled keys there before the indexes are made.
    "update-chain-invalid" Damage Heap: "chain of row versions is broken"
}

/// Follows redirects and updates within the page.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let page = &view.view;
    let Tally { chains, xacts: cache, findings, .. } = tally;
    let mut outcomes = Known {
        view,
        xacts: page.context.xacts,
        horizons: page.context.horizons,
        cache,
    };
    let layout = &page.context.layout;
    chains.faults(&view.heap, page.blkno, layout, &mut outcomes, &mut |offnum, fault| {
        let at = crate::format::heap::line_pointer_offset(offnum);
        findings.push(page.tuple_finding(&CHECK, offnum, at, fault.to_string()));
    });
}

/// What the commit log and the multixacts tell.
struct Known<'a, 'v, 't> {
    view: &'a HeapView<'v, 't>,
    xacts: Option<&'a XactLog<'v>>,
    horizons: Option<Horizons>,
    cache: &'a mut XactCache,
}

impl Outcomes for Known<'_, '_, '_> {
    fn inserter(&mut self, tuple: &HeapTuple) -> Option<Inserter> {
        match tuple.header.xmin(&self.view.view.context.layout) {
            Xmin::Frozen | Xmin::Committed => Some(Inserter::Committed),
            Xmin::Invalid => Some(Inserter::Aborted),
            Xmin::Moved { .. } => None,
            Xmin::Undecided(xid) => {
                if !self.horizons?.xid_is_valid(xid) {
                    return None;
                }
                let xacts = self.xacts?;
                match xacts.status(self.cache, xid) {
                    XactStatus::Committed => Some(Inserter::Committed),
                    XactStatus::NotCommitted if xacts.is_prepared(xid) => Some(Inserter::Prepared),
                    XactStatus::NotCommitted => Some(Inserter::Aborted),
                    XactStatus::Missing => None,
                }
            }
        }
    }

    fn is_gone(&mut self, tuple: &HeapTuple) -> bool {
        match tuple.header.xmax(&self.view.view.context.layout) {
            Xmax::Deleted(_) => true,
            Xmax::Undecided(xid) => {
                self.horizons.is_some_and(|horizons| horizons.xid_is_valid(xid))
                    && self
                        .xacts
                        .is_some_and(|xacts| xacts.status(self.cache, xid) == XactStatus::Committed)
            }
            _ => false,
        }
    }

    fn multixact_updater(&mut self, tuple: &HeapTuple) -> Updater {
        let multi = tuple.header.t_xmax.0;
        let Some((xacts, horizons)) = self.xacts.zip(self.horizons) else {
            return Updater::Unknown;
        };
        if !horizons.multi_is_valid(multi) {
            return Updater::Unknown;
        }
        match xacts.updater(self.cache, multi, horizons.next_multi, horizons.next_multi_offset) {
            xact::Updater::Xid(xid) => Updater::Xid(xid),
            xact::Updater::None => Updater::None,
            xact::Updater::Missing(..) | xact::Updater::Invalid => Updater::Unknown,
        }
    }
}
