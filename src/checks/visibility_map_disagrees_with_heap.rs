//! Visibility map contradicts the table.

use crate::check::Examination;
use crate::finding::{Finding, Findings};
use crate::format::types::{BlockNumber, ForkNumber};
use crate::scan::forks::sibling;

check! {
    /// ## What it means
    /// The visibility map has one bit for each page of a table (two from 9.6 on) that says:
    /// everyone sees all rows of this page, or even: all of them are frozen. Here the bit is
    /// set, and a row of the page says otherwise. Nothing fails. An index-only scan (9.2 and
    /// later) believes the bit and returns rows that were deleted; VACUUM passes the page
    /// over, so that dead rows stay, and rows that must be frozen are not, until the commit
    /// log no longer covers them. When VACUUM does look at the page, it warns: `page is not
    /// marked all-visible but visibility map bit is set in relation "orders" page 7`.
    ///
    /// ## How it is decided
    /// As the functions `pg_check_visible` and `pg_check_frozen` of the pg_visibility
    /// extension (`pg_visibility.c: collect_corrupt_items`): on a page marked all-visible each
    /// row must be committed and not deleted, with no dead line pointer; on one marked
    /// all-frozen no row may carry a transaction that still has to be frozen
    /// (`heapam.c: heap_tuple_needs_eventual_freeze`). The page itself must have the flag
    /// `PD_ALL_VISIBLE`. Pages that replay will change, or whose transactions cannot be
    /// decided, are not judged. From 9.2 on, where the map is protected by WAL.
    ///
    /// ## What else may cause it
    /// A lost write, when the map or the page is older than the other; a restore that mixed
    /// files of two times; errors of the server: maps truncated without WAL (up to 9.6.0 and the
    /// minor releases of that time), `pg_upgrade` to 9.6.0 on big-endian machines and Windows.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and look for other signs of lost
    /// writes in the same table.
    ///
    /// The map can be thrown away and made anew: in the running copy `SELECT
    /// pg_truncate_visibility_map('orders')` (extension pg_visibility, 9.6 and later), then
    /// `VACUUM (DISABLE_PAGE_SKIPPING) orders`. Up to 9.5, with the server stopped, remove the
    /// file `..._vm`; then VACUUM. No row is lost by that.
    "visibility-map-disagrees-with-heap" Damage Heap: "visibility map contradicts the table"
}

/// Bits of the map that the heap pages do not bear out.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(tally), Some(context)) = (examination.tally, examination.scan) else { return };
    for (number, heap) in &tally.forks {
        let Some(map) = sibling(examination.forks, *number, ForkNumber::Vm)
            .and_then(|map| tally.forks.get(&map))
        else {
            continue;
        };
        let Some(fork) = examination.forks.get(*number) else { continue };
        let mut report = |block: BlockNumber, message: &str| {
            let location = fork.location(block, &context.layout);
            findings.push(Finding::new(&CHECK, location, message).recovery(context.fate(fork, block)));
        };
        let unmarked = &map.all_visible & &heap.unmarked;
        let not_visible = &(&map.all_visible & &heap.not_visible) - &unmarked;
        let not_frozen = &(&(&map.all_frozen & &heap.not_frozen) - &unmarked) - &not_visible;
        for block in unmarked {
            report(block, "the visibility map calls the page all-visible, the page itself does not");
        }
        for block in not_visible {
            report(block, "the visibility map calls the page all-visible, and it holds a row that is not");
        }
        for block in not_frozen {
            report(block, "the visibility map calls the page all-frozen, and it holds a row that is not");
        }
    }
}
