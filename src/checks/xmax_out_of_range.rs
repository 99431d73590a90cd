//! Deleting or locking transaction (xmax) cannot be.

use super::xmin_out_of_range::report;
use crate::format::heap::{HEAP_XMAX_INVALID, Xmax};
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Deleting or locking transaction (xmax) cannot be.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "xmax-out-of-range" Damage Heap: "deleting or locking transaction (xmax) cannot be"
}

/// An xmax that is not invalid, and no multixact, must lie between the oldest and the next
/// transaction.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let Some(horizons) = view.view.context.horizons else { return };
    let layout = &view.view.context.layout;
    for tuple in view.heap.tuples {
        let xmax = tuple.header.t_xmax;
        if !xmax.is_normal() || tuple.header.has(HEAP_XMAX_INVALID) || horizons.xid_is_valid(xmax) {
            continue;
        }
        let asked = match tuple.header.xmax(layout) {
            Xmax::Locker(_) | Xmax::Deleted(_) => false,
            Xmax::Undecided(_) => true,
            Xmax::None | Xmax::Lockers(_) | Xmax::UpgradedLockers(_) | Xmax::Members(_) => continue,
        };
        report(&CHECK, "xmax", view, tuple, asked, &horizons, tally);
    }
}
