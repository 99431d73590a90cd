//! Tuple header is invalid.

use crate::scan::page::HeapView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Tuple header is invalid.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "tuple-header-invalid" Damage Heap: "tuple header is invalid"
}

/// What no tuple of the version says of itself (`verify_heapam.c: check_tuple_header`).
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let layout = &view.view.context.layout;
    for tuple in view.heap.tuples {
        tuple.header.faults(tuple.lp.lp_len(), layout, |fault| {
            let at = tuple.lp.lp_off();
            tally.push(view.view.tuple_finding(&CHECK, tuple.offnum, at, fault.to_string()));
        });
    }
}
