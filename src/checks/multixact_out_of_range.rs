//! Multixact in xmax cannot be.

use crate::format::heap::{HEAP_XMAX_IS_MULTI, HeapTuple, Xmax};
use crate::format::types::MultiXactId;
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;
use crate::scan::{Horizons, OutOfRange};

check! {
    /// ## What it means
    /// Multixact in xmax cannot be.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "multixact-out-of-range" Damage Heap: "multixact in xmax cannot be"
}

/// A multixact in xmax must lie between the oldest and the next one
/// (`multixact.c: GetMultiXactIdMembers`).
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let Some(horizons) = view.view.context.horizons else { return };
    let layout = &view.view.context.layout;
    for tuple in view.heap.tuples {
        if !tuple.header.has(HEAP_XMAX_IS_MULTI) {
            continue;
        }
        if let Xmax::Lockers(multi) | Xmax::Members(multi) = tuple.header.xmax(layout)
            && let Some(fault) = horizons.multi_fault(multi)
        {
            report(view, tuple, multi, fault, &horizons, tally);
        }
    }
}

#[cold]
fn report(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    multi: MultiXactId,
    fault: OutOfRange,
    horizons: &Horizons,
    tally: &mut Tally,
) {
    let next = horizons.next_multi;
    let oldest = horizons.oldest_multi.unwrap_or(1);
    let (message, error) = match fault {
        OutOfRange::NeverAssigned => (
            format!("multixact {multi} was never assigned (next is {next})"),
            format!("MultiXactId {multi} has not been created yet -- apparent wraparound"),
        ),
        OutOfRange::BeforeOldest => (
            format!("multixact {multi} lies before the oldest multixact {oldest}"),
            format!("MultiXactId {multi} does no longer exist -- apparent wraparound"),
        ),
    };
    let at = tuple.lp.lp_off();
    let mut finding = view
        .view
        .tuple_finding(&CHECK, tuple.offnum, at, message)
        .found_expected(multi, format!("{oldest} to {}", next.wrapping_sub(1)));
    // Only the members of a multixact with an updater are asked for when rows are read.
    if matches!(tuple.header.xmax(&view.view.context.layout), Xmax::Members(_)) {
        finding = finding.server_error(error);
    }
    tally.push(finding);
}
