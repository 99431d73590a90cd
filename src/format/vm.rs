//! The visibility map: which heap blocks hold only tuples that everyone sees.
//!
//! Sources: `access/visibilitymapdefs.h` (`visibilitymap.h` before 14),
//! `heap/visibilitymap.c`.
//!
//! ```text
//!  0              24                                                      blcksz
//!  +--------------+-----------------------------------------------------------+
//!  | page header  | bits, lowest first: 1 a heap block up to 9.5, 2 from 9.6  |
//!  +--------------+-----------------------------------------------------------+
//! ```

use super::page::{PAGE_HEADER_SIZE, PageHeader};
use super::types::BlockNumber;
use super::version::{Layout, Major};

/// `VISIBILITYMAP_ALL_VISIBLE`.
pub const VISIBILITYMAP_ALL_VISIBLE: u8 = 1;
/// `VISIBILITYMAP_ALL_FROZEN`, 9.6 and later.
pub const VISIBILITYMAP_ALL_FROZEN: u8 = 2;

/// `BITS_PER_HEAPBLOCK`.
#[must_use]
pub fn bits_per_heap_block(layout: &Layout) -> u32 {
    if layout.since(Major::V9_6) { 2 } else { 1 }
}

/// `HEAPBLOCKS_PER_BYTE`.
fn heap_blocks_per_byte(layout: &Layout) -> u32 {
    if layout.since(Major::V9_6) { 4 } else { 8 }
}

/// `HEAPBLOCKS_PER_PAGE`: heap blocks that one page of the map covers.
#[must_use]
pub fn heap_blocks_per_page(layout: &Layout) -> u32 {
    let bytes = layout.blcksz.saturating_sub(u32::from(PAGE_HEADER_SIZE));
    bytes.saturating_mul(heap_blocks_per_byte(layout))
}

/// Block of the map that covers a heap block, and the block's place on it.
#[must_use]
pub fn locate(heap_blk: BlockNumber, layout: &Layout) -> (BlockNumber, u32) {
    let n = heap_blocks_per_page(layout).max(1);
    (
        heap_blk.checked_div(n).unwrap_or(0),
        heap_blk.checked_rem(n).unwrap_or(0),
    )
}

/// The bits of the heap block at `place` on a page of the map (`visibilitymap_get_status`).
#[must_use]
pub fn status(page: &[u8], place: u32, layout: &Layout) -> u8 {
    let bits = bits_per_heap_block(layout);
    let at = place.saturating_mul(bits);
    let byte = usize::try_from(at / 8)
        .ok()
        .and_then(|byte| byte.checked_add(usize::from(PAGE_HEADER_SIZE)))
        .and_then(|byte| page.get(byte))
        .copied()
        .unwrap_or(0);
    let mask = if bits == 2 { 3 } else { 1 };
    byte >> (at & 7) & mask
}

/// Heap blocks of which a page of the map says something, with their bits. Passes over
/// empty stretches quickly.
pub fn set_blocks<'a>(
    page: &'a [u8],
    layout: &Layout,
) -> impl Iterator<Item = (u32, u8)> + use<'a> {
    let layout = *layout;
    let per_byte = heap_blocks_per_byte(&layout);
    let map = page
        .get(usize::from(PAGE_HEADER_SIZE)..)
        .unwrap_or_default();
    map.iter()
        .zip(0_u32..)
        .filter(|(byte, _)| **byte != 0)
        .flat_map(move |(_, at)| {
            let first = at.saturating_mul(per_byte);
            (first..first.saturating_add(per_byte))
                .map(move |place| (place, status(page, place, &layout)))
        })
        .filter(|(_, bits)| *bits != 0)
}

/// Whether the page has the shape of one of a map: no line pointers, no special space.
#[must_use]
pub fn is_map_shaped(header: &PageHeader, layout: &Layout) -> bool {
    header.pd_lower == PAGE_HEADER_SIZE
        && u32::from(header.pd_upper) == layout.blcksz
        && u32::from(header.pd_special) == layout.blcksz
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::page::tests::{empty, layout};

    #[test]
    fn bits_by_version() {
        let mut page = empty(0);
        page[24] = 0b1101;
        page[26] = 0b10;
        let (old, new) = (layout(Major::V9_5), layout(Major::V9_6));
        assert!(is_map_shaped(&PageHeader::parse(&page).unwrap(), &old));
        let set = |layout| set_blocks(&page, layout).collect::<Vec<_>>();
        assert_eq!(set(&old), [(0, 1), (2, 1), (3, 1), (17, 1)]);
        assert_eq!(set(&new), [(0, 1), (1, 3), (8, 2)]);
        assert_eq!(status(&page, u32::MAX, &new), 0);
        assert_eq!(heap_blocks_per_page(&old), 65_344);
        assert_eq!(heap_blocks_per_page(&new), 32_672);
        assert_eq!(locate(32_673, &new), (1, 1));
    }
}
