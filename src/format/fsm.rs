//! The free space map: how many bytes each heap block has free, roughly. Only ever a hint.
//!
//! Sources: `storage/fsm_internals.h`, `freespace/freespace.c`, `freespace/fsmpage.c`.
//!
//! ```text
//!  0              24              28                                      blcksz
//!  +--------------+---------------+-------------------------------------------+
//!  | page header  | fp_next_slot  | nodes, one byte each: a binary tree in    |
//!  |              |               | which each parent is its children's max   |
//!  +--------------+---------------+-------------------------------------------+
//! ```

use super::page::{PAGE_HEADER_SIZE, u32_at};
use super::types::BlockNumber;
use super::version::Layout;

/// Byte offset of the nodes.
const NODES_AT: usize = 28;

/// `NonLeafNodesPerPage`: inner nodes come first.
#[must_use]
pub fn non_leaf_nodes(layout: &Layout) -> u32 {
    (layout.blcksz / 2).saturating_sub(1)
}

/// `SlotsPerFSMPage`: leaf nodes of a page.
#[must_use]
pub fn slots_per_page(layout: &Layout) -> u32 {
    layout
        .blcksz
        .saturating_sub(u32::from(PAGE_HEADER_SIZE))
        .saturating_sub(4)
        .saturating_sub(non_leaf_nodes(layout))
}

/// A page of the map.
#[derive(Clone, Copy, Debug)]
pub struct FsmPage<'a> {
    /// Where the next search starts; a hint.
    pub fp_next_slot: u32,
    /// The tree, root first.
    pub nodes: &'a [u8],
    inner: usize,
}

impl<'a> FsmPage<'a> {
    /// Reads a page; `None` when it is too short to be one.
    #[must_use]
    pub fn parse(page: &'a [u8], layout: &Layout) -> Option<Self> {
        Some(Self {
            fp_next_slot: u32_at(page, usize::from(PAGE_HEADER_SIZE))?,
            nodes: page.get(NODES_AT..)?,
            inner: usize::try_from(non_leaf_nodes(layout)).ok()?,
        })
    }

    /// What the leaf `slot` says: at least this times 32 bytes free (blocks of 8 kB).
    #[must_use]
    pub fn slot(&self, slot: u32) -> Option<u8> {
        let at = usize::try_from(slot).ok()?.checked_add(self.inner)?;
        self.nodes.get(at).copied()
    }

    /// The last leaf that says there is free space.
    #[must_use]
    pub fn last_slot(&self) -> Option<u32> {
        let leaves = self.nodes.get(self.inner..)?;
        let last = leaves.iter().rposition(|free| *free != 0)?;
        u32::try_from(last).ok()
    }

    /// Inner nodes that are not the greater of their children. The server mends them when it
    /// meets them (`fsmpage.c: fsm_search_avail`).
    pub fn wrong_nodes(&self) -> impl Iterator<Item = usize> + use<'a> {
        // The children of node n are 2n + 1 and 2n + 2.
        let children = self.nodes.get(1..).unwrap_or_default().chunks(2);
        let nodes = self.nodes.iter().take(self.inner);
        nodes
            .zip(children.chain(std::iter::repeat(&[][..])))
            .enumerate()
            .filter(|(_, (value, children))| **value != children.iter().copied().max().unwrap_or(0))
            .map(|(n, _)| n)
    }
}

/// Where a heap block is on the map: block of the fork and slot
/// (`freespace.c: fsm_get_location`, `fsm_logical_to_physical`).
#[must_use]
pub fn locate(heap_blk: BlockNumber, layout: &Layout) -> (BlockNumber, u32) {
    let slots = slots_per_page(layout).max(1);
    let leaf = heap_blk.checked_div(slots).unwrap_or(0);
    let middle = leaf.checked_div(slots).unwrap_or(0);
    // One root, and one middle page before each `slots` leaf pages.
    let blkno = leaf
        .saturating_add(middle)
        .saturating_add(middle.checked_div(slots).unwrap_or(0))
        .saturating_add(2);
    (blkno, heap_blk.checked_rem(slots).unwrap_or(0))
}

/// The first heap block of a page of leaves; nothing for pages of the upper levels
/// (the inverse of [`locate`]).
#[must_use]
pub fn first_heap_block(blkno: BlockNumber, layout: &Layout) -> Option<BlockNumber> {
    let slots = slots_per_page(layout).max(1);
    // Behind the root: a middle page, then its leaves.
    let behind_root = blkno.checked_sub(1)?;
    let group = slots.checked_add(1)?;
    let leaf = behind_root.checked_rem(group)?.checked_sub(1)?;
    let before = behind_root.checked_div(group)?.checked_mul(slots)?;
    before.checked_add(leaf)?.checked_mul(slots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::page::tests::layout;
    use crate::format::version::Major;

    #[test]
    fn geometry() {
        let layout = layout(Major::V15);
        assert_eq!(non_leaf_nodes(&layout), 4095);
        assert_eq!(slots_per_page(&layout), 4069);
        assert_eq!(locate(0, &layout), (2, 0));
        assert_eq!(locate(4069, &layout), (3, 0));
        assert_eq!(locate(4069 * 4069, &layout), (4072, 0));
        assert_eq!(first_heap_block(0, &layout), None);
        assert_eq!(first_heap_block(1, &layout), None);
        assert_eq!(first_heap_block(4071, &layout), None);
        for heap_blk in [0, 4069, 4069 * 4068, 4069 * 4069, 4069 * 4069 * 3 + 4069] {
            let (blkno, _) = locate(heap_blk, &layout);
            assert_eq!(first_heap_block(blkno, &layout), Some(heap_blk));
        }
    }

    #[test]
    fn tree() {
        let layout = layout(Major::V15);
        let mut page = vec![0; 8192];
        let mut n = 4095 + 5;
        page[NODES_AT + n] = 9;
        let fsm = FsmPage::parse(&page, &layout).unwrap();
        assert_eq!(fsm.slot(5), Some(9));
        assert_eq!(fsm.last_slot(), Some(5));
        assert_eq!(fsm.slot(4069), None);
        assert_eq!(fsm.wrong_nodes().collect::<Vec<_>>(), [(n - 1) / 2]);
        while n > 0 {
            n = (n - 1) / 2;
            page[NODES_AT + n] = 9;
        }
        let fsm = FsmPage::parse(&page, &layout).unwrap();
        assert_eq!(fsm.wrong_nodes().count(), 0);
        assert!(FsmPage::parse(&[0; 20], &layout).is_none());
    }
}
