//! Tuple header is invalid.

use crate::format::heap::{HeapTuple, MAX_HEAP_ATTRIBUTE_NUMBER, Xmin};
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Each row version (tuple) begins with a header of 23 bytes: which transaction made it
    /// and which deleted it, how many columns it has, where its data begin. This one
    /// contradicts itself. The server believes it without a check: a query that reads the row
    /// may return garbage, fail with `invalid memory alloc request size ...` or an odd error
    /// of a data type, or crash the session, upon which the server restarts all sessions. Or
    /// the row is just left out. `pg_dump` fails the same way.
    ///
    /// ## How it is decided
    /// What `verify_heapam.c: check_tuple_header` of the amcheck extension tests, for every
    /// version: the data must begin inside the tuple, and where the number of columns and the
    /// null bitmap put them (plus 4 bytes if there is an OID, up to 11). Further: more than
    /// 1600 columns, or more than `pg_class.relnatts` in a row known to be committed, a multixact marked as committed, a row updated in place (HOT) without an
    /// updating transaction or the result of one without being an update, both "moved" flags
    /// of the old VACUUM FULL, and flags that the version does not know. "Inserted by a
    /// committed" together with "by an aborted transaction" means frozen from 9.4 on; before,
    /// it cannot be. A finding `heals` when WAL replay rebuilds the page without it, or drops or resets
    /// the relation.
    ///
    /// ## What else may cause it
    /// A torn page of a crash or of a copy without backup mode, which replay heals; a flipped
    /// bit in memory or on disk; overwriting with foreign data, when several rows side by
    /// side have it; known PostgreSQL bugs in row locking of 9.3.0 to 9.3.4, which left
    /// contradictory flags.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Keep VACUUM off the table until the
    /// rows are saved: it may remove this one or fail at it.
    ///
    /// Take the page from a backup or standby, or the row from a dump. Without them, dump the
    /// table in a copy without the row (`WHERE ctid <> '(N,M)'`). `pg_surgery` (14 and later,
    /// `heap_force_kill`) removes the row for good: only at the very end, on the copy.
    /// `zero_damaged_pages` does not apply: the server takes the page for valid.
    "tuple-header-invalid" Damage Heap: "tuple header is invalid"
}

/// What no tuple of the version says of itself (`verify_heapam.c: check_tuple_header`).
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let layout = &view.view.context.layout;
    let relnatts = view.view.promise.map_or(u16::MAX, |promise| promise.relnatts);
    let alike = view.heap.marks.alike(layout);
    if alike.is_some_and(|(natts, _)| natts <= relnatts) {
        return;
    }
    for tuple in view.heap.tuples {
        if tuple.header.natts() > relnatts && is_of_table(view, tuple) {
            let natts = tuple.header.natts();
            let message = format!("tuple has {natts} attributes, its table only {relnatts}");
            let at = tuple.lp.lp_off();
            tally.push(view.view.tuple_finding(&CHECK, tuple.offnum, at, message));
        }
        tuple.header.faults(tuple.lp.lp_len(), layout, |fault| {
            let at = tuple.lp.lp_off();
            tally.push(view.view.tuple_finding(&CHECK, tuple.offnum, at, fault.to_string()));
        });
    }
}

/// Whether a tuple is as the catalogs have the table: not the work of a transaction that added
/// a column and never committed, nor of one that is lost with its WAL.
fn is_of_table(view: &HeapView<'_, '_>, tuple: &HeapTuple) -> bool {
    let context = view.view.context;
    let header = &tuple.header;
    header.natts() <= MAX_HEAP_ATTRIBUTE_NUMBER
        && !view.view.is_ahead()
        && matches!(header.xmin(&context.layout), Xmin::Frozen | Xmin::Committed)
}
