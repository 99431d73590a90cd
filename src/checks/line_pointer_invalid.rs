//! Line pointer is invalid.

use crate::format::heap::line_pointer_offset;
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// At the start of each page is a list of line pointers, one per row, each with the row's
    /// place and length on the page. This one points where no row can be: outside the page's
    /// data, across another row, too short for a row header, or along to a line pointer that
    /// has none. The server hardly checks that when it reads. A scan may return garbage,
    /// leave the row out, fail with `invalid memory alloc request size ...`, or crash the
    /// session (signal 11), and then all sessions are restarted. Cleaning the page, which
    /// VACUUM and even a plain SELECT do, ends in PANIC `corrupted item pointer: ...` (12 and
    /// later `corrupted line pointer: ...`).
    ///
    /// ## How it is decided
    /// The rules of `verify_heapam.c` of the amcheck extension (14 and later), applied to
    /// every version: place a multiple of 8, length at least a row header, within `pd_upper`
    /// and `pd_special`; a redirect must lead to a line pointer with a row. In addition no
    /// two rows may overlap, and there are at most 291 on an 8 kB page. The server tests the
    /// place only in `bufpage.c: PageRepairFragmentation`. A finding `heals` when WAL replay
    /// rebuilds the page without it, or drops or resets the relation.
    ///
    /// ## What else may cause it
    /// A torn page (the list is in its first half, the rows in both) of a crash or of a copy
    /// without backup mode; one flipped bit in memory; overwriting by another file; a restore
    /// of changed blocks only that mixed old and new pages.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Keep VACUUM off the table
    /// (`autovacuum = off` before the start of the copy), since it panics or removes what is
    /// left.
    ///
    /// Take the page from a backup or standby. Else, in a copy, dump the table around the
    /// row: by ctid, page by page, row by row; each row that crashes the session is left out.
    /// `pg_surgery` (14 and later: `heap_force_kill`) removes one row pointer for good, and
    /// so it belongs at the very end. `zero_damaged_pages` does not help: the server finds
    /// this page valid.
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
