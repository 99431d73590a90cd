//! Multixact in xmax cannot be.

use super::xmax_out_of_range::asks_for_xmax;
use crate::format::heap::{HEAP_XMAX_IS_MULTI, HeapTuple, Xmax};
use crate::format::types::MultiXactId;
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;
use crate::scan::{Horizons, OutOfRange};

check! {
    /// ## What it means
    /// When several transactions lock a row, `xmax` in the row's header holds a multixact: a
    /// number that stands for a list of transactions, kept in `pg_multixact`. From 9.3 on one
    /// of them may also have updated or deleted the row, so the list decides whether the row
    /// is visible. This number lies outside those in use. A query that needs the list fails:
    /// ERROR `MultiXactId 1234 has not been created yet -- apparent wraparound`, or
    /// `MultiXactId 1234 does no longer exist -- apparent wraparound` (9.3 and later). When
    /// the row says that all are mere lockers, reading works and only UPDATE, DELETE, FOR
    /// UPDATE or VACUUM fail (`found multixact ... from before relminmxid ...`).
    ///
    /// ## How it is decided
    /// Valid are `oldestMulti` up to `nextMulti` after replay, in a circle (`multixact.c:
    /// GetMultiXactIdMembers`). Up to 9.2 no oldest one is kept, and only numbers that were
    /// not yet given out are reported: multixacts are lockers only there, and old ones may
    /// stay in rows for ever. Rows that `pg_upgrade` brought from 9.2 with lockers of that
    /// time are left out. A hint bit that says the multixact is over spares queries the look,
    /// but not VACUUM: it is judged all the same, without a server error. A finding `heals` when replay rebuilds the page without it.
    ///
    /// ## What else may cause it
    /// Overwriting, a flipped bit, a torn page (mostly healed by replay); `pg_resetwal`
    /// (`pg_resetxlog` up to 9.6) with a wrong `-m`; a `pg_upgrade` to 9.3.0 through 9.3.4,
    /// which did not set the counters right; `pg_control` of another time.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Many rows in many tables mean that
    /// the counters are wrong: look for the right `pg_control` and WAL, and for what
    /// `pg_resetwal` was told, before you touch a row.
    ///
    /// For single rows, restore the page from a backup or standby, or dump around them by
    /// ctid in a copy. Do not fill `pg_multixact` with zero files: an invented list loses
    /// updates and deletions without a word. Moving the counters with `pg_resetwal -m` hides
    /// the message for all rows, and nobody can tell then which were deleted.
    "multixact-out-of-range" Damage Heap: "multixact in xmax cannot be"
}

/// A multixact in xmax must lie between the oldest and the next one
/// (`multixact.c: GetMultiXactIdMembers`).
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let Some(horizons) = view.view.context.horizons else { return };
    if !view.heap.marks.any_has(HEAP_XMAX_IS_MULTI) {
        return;
    }
    let layout = &view.view.context.layout;
    for (at, tuple) in view.heap.tuples.iter().enumerate() {
        if let Some(multi) = tuple.header.multixact(layout)
            && let Some(fault) = horizons.multi_fault(multi)
            && !view.view.multi_awaits_wal(multi)
        {
            // Only the members of a multixact with an updater are asked for when rows are read.
            let asked = matches!(tuple.header.xmax(layout), Xmax::Members(_))
                && asks_for_xmax(view, tuple, tally.states.get(at));
            report(view, tuple, (multi, fault), asked, &horizons, tally);
        }
    }
}

#[cold]
fn report(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    (multi, fault): (MultiXactId, OutOfRange),
    asked: bool,
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
    if asked {
        finding = finding.server_error(error);
    }
    tally.push(finding);
}
