//! What the visibility map and the heap pages say of each other; compared when both are read.

use super::page::{HeapView, PageView};
use super::tally::Tally;
use crate::format::heap::{HEAP_XMAX_IS_MULTI, HeapTuple, HeapTupleHeader, Xmin};
use crate::format::page::{LpFlags, PD_ALL_VISIBLE, line_pointers};
use crate::format::version::{Layout, Major};
use crate::format::vm::{
    VISIBILITYMAP_ALL_FROZEN, VISIBILITYMAP_ALL_VISIBLE, heap_blocks_per_page, set_blocks,
};

/// Notes the heap blocks that a page of the map tells of. A page that replay changes counts,
/// too: the records that change its bits change the heap pages, which then do not count.
pub(super) fn map(view: &PageView<'_>, tally: &mut Tally) {
    if view.is_ahead() || view.fork.temporary {
        return;
    }
    let layout = &view.context.layout;
    let first = view.blkno.saturating_mul(heap_blocks_per_page(layout));
    for (place, bits) in set_blocks(view.page, layout) {
        let block = first.saturating_add(place);
        if bits & VISIBILITYMAP_ALL_VISIBLE != 0 {
            tally.chunk.all_visible.insert(block);
        }
        if bits & VISIBILITYMAP_ALL_FROZEN != 0 {
            tally.chunk.all_frozen.insert(block);
        }
    }
}

/// Notes what a heap page would deny. `all_rows`: whether all its tuples are rows for
/// everyone, when that is known.
#[inline]
pub(super) fn heap(view: &HeapView<'_, '_>, all_rows: Option<bool>, tally: &mut Tally) {
    let page = &view.view;
    let layout = &page.context.layout;
    // Up to 9.1 bits of the map were set and cleared without WAL.
    let (Some(all_rows), true) = (all_rows, layout.since(Major::V9_2)) else {
        return;
    };
    if page.promise.is_none() || page.is_replayed() || page.is_ahead() {
        return;
    }
    let dead = || {
        let mut items = line_pointers(page.page, &page.header);
        items.any(|(_, item)| item.flags() == LpFlags::Dead)
    };
    let items = usize::from(page.header.max_offset_number());
    if !all_rows || view.heap.tuples.len() < items && dead() {
        tally.chunk.not_visible.insert(page.blkno);
    }
    if !page.header.has(PD_ALL_VISIBLE) {
        tally.chunk.unmarked.insert(page.blkno);
    }
    let is_to_freeze = |tuple: &HeapTuple| is_to_freeze(&tuple.header, layout);
    if !view.heap.marks.are_frozen(layout) && view.heap.tuples.iter().any(is_to_freeze) {
        tally.chunk.not_frozen.insert(page.blkno);
    }
}

/// `heapam.c: heap_tuple_needs_eventual_freeze`.
fn is_to_freeze(header: &HeapTupleHeader, layout: &Layout) -> bool {
    header.xmin(layout) != Xmin::Frozen && header.t_xmin.is_normal()
        || header.t_xmax.is_normal()
        || header.has(HEAP_XMAX_IS_MULTI) && header.t_xmax.is_valid()
}
