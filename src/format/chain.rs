//! Update chains within a heap page: redirects and tuples that lead to the next version.
//!
//! Source: `amcheck/verify_heapam.c: verify_heapam`, "update chain validation"; `access/heap/
//! README.HOT`.

use super::heap::{
    HEAP_HOT_UPDATED, HEAP_ONLY_TUPLE, HEAP_UPDATED, HEAP_XMAX_INVALID, HEAP_XMAX_IS_MULTI,
    HeapPage, HeapTuple,
};
use super::page::{ItemPointer, LpFlags, line_pointers};
use super::types::{BlockNumber, OffsetNumber, TransactionId};
use super::version::{Layout, Major};
use std::fmt;

/// Who updated a tuple, as far as its `t_xmax` tells (`HeapTupleHeaderGetUpdateXid`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Updater {
    /// This transaction, whether it committed or not.
    Xid(TransactionId),
    /// Nobody.
    None,
    /// A multixact would tell, and cannot be read.
    Unknown,
}

/// What became of the transaction that inserted a tuple.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserter {
    /// It committed.
    Committed,
    /// It is prepared, or part of a transaction that is: it may still commit.
    Prepared,
    /// It aborted, or ended with the server.
    Aborted,
}

/// Answers what the page does not tell by itself.
pub trait Outcomes {
    /// What became of the inserting transaction; `None` when nobody knows.
    fn inserter(&mut self, tuple: &HeapTuple) -> Option<Inserter>;
    /// The updating member of the multixact in `t_xmax`.
    fn multixact_updater(&mut self, tuple: &HeapTuple) -> Updater;
    /// Whether the transaction in `t_xmax`, which is no multixact, updated or deleted the tuple
    /// and committed.
    fn is_gone(&mut self, tuple: &HeapTuple) -> bool;
}

/// What no update chain of a healthy page shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChainFault {
    /// A redirect leads to a tuple that indexes point to themselves.
    RedirectToRoot(OffsetNumber),
    /// Two items lead to one tuple.
    SharedSuccessor {
        /// The tuple.
        successor: OffsetNumber,
        /// The other item.
        other: OffsetNumber,
    },
    /// The update was none within the page's chain, yet made a heap-only tuple.
    HeapOnlySuccessor(OffsetNumber),
    /// The update was HOT, yet its result is not heap-only.
    SuccessorNotHeapOnly(OffsetNumber),
    /// A tuple that was never committed was updated by a transaction that got further.
    UncommittedYetUpdated {
        /// The transaction that inserted it.
        xmin: TransactionId,
        /// What became of that.
        inserter: Inserter,
        /// The result of the update.
        successor: OffsetNumber,
        /// The transaction that updated it.
        next_xmin: TransactionId,
    },
    /// A heap-only tuple that nothing leads to: no index finds it.
    HeapOnlyRoot,
    /// The update was HOT, and committed, yet its result is not on the page.
    HotUpdateToNothing(ItemPointer),
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RedirectToRoot(target) => {
                write!(
                    f,
                    "redirects to item {target}, whose tuple is not heap-only"
                )
            }
            Self::SharedSuccessor { successor, other } => {
                write!(f, "leads to item {successor}, and so does item {other}")
            }
            Self::HeapOnlySuccessor(successor) => write!(
                f,
                "was updated, not HOT, to item {successor}, which is heap-only"
            ),
            Self::SuccessorNotHeapOnly(successor) => write!(
                f,
                "was HOT-updated to item {successor}, which is not heap-only"
            ),
            Self::UncommittedYetUpdated {
                xmin,
                inserter,
                successor,
                next_xmin,
            } => {
                let (became, further) = match inserter {
                    Inserter::Prepared => ("is prepared", "committed"),
                    _ => ("aborted", "did not"),
                };
                write!(
                    f,
                    "was inserted by {xmin}, which {became}, and updated to item {successor} by \
                     {next_xmin}, which {further}"
                )
            }
            Self::HeapOnlyRoot => {
                f.write_str("tuple is heap-only, and no item leads to it: no index finds it")
            }
            Self::HotUpdateToNothing(ctid) => write!(
                f,
                "was HOT-updated to {ctid}, where there is no tuple of this page: no index finds \
                 the newer version, if there is one at all"
            ),
        }
    }
}

/// Whether there is no tuple behind a line pointer, not even a damaged one.
fn is_free(heap: &HeapPage<'_, '_>, offnum: OffsetNumber) -> bool {
    let at = usize::from(offnum).checked_sub(1);
    let item = at.and_then(|at| line_pointers(heap.page, &heap.header).nth(at));
    item.is_none_or(|(_, lp)| lp.flags() != LpFlags::Normal)
}

/// Room for the chains of a page, used again for page after page.
#[derive(Clone, Debug, Default)]
pub struct UpdateChains {
    /// The item that leads to each item, by number; 0 for none.
    predecessors: Vec<OffsetNumber>,
}

impl UpdateChains {
    /// Looks for faults in the chains of the page of block `blkno`.
    #[inline]
    pub fn faults(
        &mut self,
        heap: &HeapPage<'_, '_>,
        blkno: BlockNumber,
        layout: &Layout,
        outcomes: &mut dyn Outcomes,
        fault: &mut dyn FnMut(OffsetNumber, ChainFault),
    ) {
        // Most pages have neither redirects nor updates that stayed on them.
        let leads_on = |tuple: &HeapTuple| {
            let ctid = tuple.header.t_ctid;
            tuple.header.has2(HEAP_ONLY_TUPLE | HEAP_HOT_UPDATED)
                | (ctid.block == blkno) & (ctid.offnum != tuple.offnum)
        };
        let all_normal = heap.tuples.len() == usize::from(heap.header.max_offset_number());
        if !all_normal
            || heap
                .tuples
                .iter()
                .fold(false, |any, tuple| any | leads_on(tuple))
        {
            self.all_faults(heap, blkno, layout, outcomes, fault);
        }
    }

    fn all_faults(
        &mut self,
        heap: &HeapPage<'_, '_>,
        blkno: BlockNumber,
        layout: &Layout,
        outcomes: &mut dyn Outcomes,
        fault: &mut dyn FnMut(OffsetNumber, ChainFault),
    ) {
        self.predecessors.clear();
        let max = usize::from(heap.header.max_offset_number());
        self.predecessors.resize(max.saturating_add(1), 0);
        for (offnum, lp) in line_pointers(heap.page, &heap.header) {
            match lp.flags() {
                LpFlags::Redirect => {
                    let Some(next) = heap.tuple(lp.lp_off()) else {
                        continue;
                    };
                    if !next.header.has2(HEAP_ONLY_TUPLE) {
                        fault(offnum, ChainFault::RedirectToRoot(next.offnum));
                    }
                    self.lead(offnum, next.offnum, fault);
                }
                LpFlags::Normal => {
                    let Some(tuple) = heap.tuple(offnum) else {
                        continue;
                    };
                    let ctid = tuple.header.t_ctid;
                    let next = heap.tuple(ctid.offnum).filter(|_| ctid.block == blkno);
                    if let Some(next) = next.filter(|next| next.offnum != offnum) {
                        self.update(tuple, next, layout, outcomes, fault);
                    }
                    // Pruning takes a chain away from its beginning on. Up to 16 it may come by a
                    // deleted newer version first, and leave the older one, if that one's root
                    // has a higher number (pruneheap.c: heap_page_prune, heap_prune_chain).
                    let is_pruned_first = layout.since(Major::V17)
                        || !tuple.header.has2(HEAP_ONLY_TUPLE) && offnum < ctid.offnum;
                    if (ctid.block != blkno || is_pruned_first && is_free(heap, ctid.offnum))
                        && tuple.header.is_hot_updated(layout)
                        && !tuple.header.is_locked_only(layout)
                        && outcomes.is_gone(tuple)
                    {
                        fault(offnum, ChainFault::HotUpdateToNothing(ctid));
                    }
                }
                LpFlags::Unused | LpFlags::Dead => {}
            }
        }
        for tuple in heap.tuples {
            let at = usize::from(tuple.offnum);
            // Heap-only without an update is the header's own fault.
            if tuple.header.has2(HEAP_ONLY_TUPLE)
                && tuple.header.has(HEAP_UPDATED)
                && self.predecessors.get(at) == Some(&0)
                && outcomes.inserter(tuple) == Some(Inserter::Committed)
            {
                fault(tuple.offnum, ChainFault::HeapOnlyRoot);
            }
        }
    }

    /// Takes note of what leads to an item; false when something else does already.
    fn lead(
        &mut self,
        from: OffsetNumber,
        to: OffsetNumber,
        fault: &mut dyn FnMut(OffsetNumber, ChainFault),
    ) -> bool {
        let Some(known) = self.predecessors.get_mut(usize::from(to)) else {
            return false;
        };
        if *known == 0 {
            *known = from;
            return true;
        }
        fault(
            from,
            ChainFault::SharedSuccessor {
                successor: to,
                other: *known,
            },
        );
        false
    }

    /// A tuple and the one its `t_ctid` names, which is its next version only if it was
    /// inserted by whoever updated the first.
    fn update(
        &mut self,
        tuple: &HeapTuple,
        next: &HeapTuple,
        layout: &Layout,
        outcomes: &mut dyn Outcomes,
        fault: &mut dyn FnMut(OffsetNumber, ChainFault),
    ) {
        let header = &tuple.header;
        let of_multixact = layout.since(Major::V9_3)
            && header.has(HEAP_XMAX_IS_MULTI)
            && !header.has(HEAP_XMAX_INVALID)
            && !header.is_locked_only(layout);
        let updater = if of_multixact {
            outcomes.multixact_updater(tuple)
        } else {
            Updater::Xid(header.t_xmax)
        };
        match updater {
            Updater::None => return,
            Updater::Unknown => {
                // It may well be the predecessor.
                if let Some(known) = self.predecessors.get_mut(usize::from(next.offnum))
                    && *known == 0
                {
                    *known = tuple.offnum;
                }
                return;
            }
            Updater::Xid(xid) if !xid.is_valid() || xid != next.header.t_xmin => return,
            Updater::Xid(_) => {}
        }
        if !self.lead(tuple.offnum, next.offnum, fault) {
            return;
        }
        let (hot, heap_only) = (
            header.has2(HEAP_HOT_UPDATED),
            next.header.has2(HEAP_ONLY_TUPLE),
        );
        if heap_only && !hot {
            fault(tuple.offnum, ChainFault::HeapOnlySuccessor(next.offnum));
        } else if hot && !heap_only {
            fault(tuple.offnum, ChainFault::SuccessorNotHeapOnly(next.offnum));
        }
        let inserter = match outcomes.inserter(tuple) {
            None | Some(Inserter::Committed) => return,
            Some(inserter) => inserter,
        };
        let further = match outcomes.inserter(next) {
            Some(Inserter::Committed) => true,
            Some(Inserter::Prepared) => inserter == Inserter::Aborted,
            _ => false,
        };
        if further {
            fault(
                tuple.offnum,
                ChainFault::UncommittedYetUpdated {
                    xmin: header.t_xmin,
                    inserter,
                    successor: next.offnum,
                    next_xmin: next.header.t_xmin,
                },
            );
        }
    }
}
