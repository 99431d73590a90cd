//! Line pointer is invalid.

use crate::format::heap::line_pointer_offset;
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Line pointer is invalid.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "line-pointer-invalid" Damage Heap: "line pointer is invalid"
}

/// `verify_heapam.c` looks for the same faults; overlaps it does not look for.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    view.heap.line_pointer_faults(|offnum, fault| {
        let at = line_pointer_offset(offnum);
        tally.push(view.view.tuple_finding(&CHECK, offnum, at, fault.to_string()));
    });
}
