//! Deleting or locking transaction (xmax) cannot be.

use super::xmin_out_of_range::report;
use crate::format::heap::{HEAP_XMAX_INVALID, HeapTuple, Xmax, Xmin};
use crate::scan::page::HeapView;
use crate::scan::rows::TupleState;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// `xmax` in a row's header is the number of the transaction that deleted, updated or
    /// locked the row. The server looks it up in the commit log (`pg_clog` up to 9.6,
    /// `pg_xact` later) to see whether the row is still there. This number was never given
    /// out, or is older than the commit log reaches. A query that must look fails: ERROR
    /// `could not access status of transaction 2036428064`, DETAIL `Could not open file
    /// "pg_clog/0796": No such file or directory.` (19 names the file in the message). If
    /// some file answers for it with zeroes, the deletion counts as undone, and the row,
    /// which may have been deleted long ago, is there again. VACUUM may end with `found xmax
    /// ... from before relfrozenxid ...` (late minors of 9.3 and later).
    ///
    /// ## How it is decided
    /// As for xmin: valid are the cluster's `oldestXid` up to the next XID after replay,
    /// compared in a circle (`transam.c: TransactionIdPrecedes`). An xmax marked invalid by a
    /// hint bit is not judged, nor a multixact (a number that stands for several
    /// transactions; see `multixact-out-of-range`). When another hint bit answers, the
    /// finding names no server error: queries do not ask. A finding `heals` when replay
    /// rebuilds the page without it.
    ///
    /// ## What else may cause it
    /// Overwriting by foreign data; a torn page, mostly healed by replay; a flipped flag that
    /// makes a multixact look like a transaction or the reverse; `pg_resetwal`
    /// (`pg_resetxlog` up to 9.6) with too low a next XID, or missing WAL: then very many
    /// rows have it; bugs in row locking of 9.3.0 to 9.3.4.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. When very many rows have it, look
    /// for the missing WAL or the right `pg_control`: the counter is wrong, not the rows.
    ///
    /// For single rows, compare with a backup or standby and restore the page. Without one,
    /// dump the table in a copy around the rows by ctid and decide by hand whether they were
    /// deleted. Do not make clog files with `dd`: deleted rows come back, and unique keys
    /// double. Do not run VACUUM FREEZE over it.
    "xmax-out-of-range" Damage Heap: "deleting or locking transaction (xmax) cannot be"
}

/// An xmax that is not invalid, and no multixact, must lie between the oldest and the next
/// transaction.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let Some(horizons) = view.view.context.horizons else { return };
    if !view.heap.marks.has_xmax() {
        return;
    }
    let layout = &view.view.context.layout;
    for (at, tuple) in view.heap.tuples.iter().enumerate() {
        let xmax = tuple.header.t_xmax;
        if !xmax.is_normal() || tuple.header.has(HEAP_XMAX_INVALID) || horizons.xid_is_valid(xmax) {
            continue;
        }
        let asked = match tuple.header.xmax(layout) {
            Xmax::Locker(_) | Xmax::Deleted(_) => false,
            Xmax::Undecided(_) => asks_for_xmax(view, tuple, tally.states.get(at)),
            Xmax::None | Xmax::Lockers(_) | Xmax::UpgradedLockers(_) | Xmax::Members(_) => continue,
        };
        report(&CHECK, ("xmax", xmax), view, tuple, asked, &horizons, tally);
    }
}

/// Whether a query that meets the tuple has to find out what became of its xmax: it does once
/// it counts the tuple as inserted (`heapam_visibility.c: HeapTupleSatisfiesMVCC`).
pub(super) fn asks_for_xmax(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    state: Option<&TupleState>,
) -> bool {
    let context = view.view.context;
    let running = context.horizons.is_some_and(|horizons| {
        tuple.header.xmin(&context.layout) == Xmin::Committed
            && !tuple.header.t_xmin.precedes(horizons.next_xid.xid())
    });
    state.is_some_and(|state| *state != TupleState::NotInserted)
        && !running
        && view.view.asks_for_transactions()
}
