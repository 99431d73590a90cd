//! TOAST chunk is invalid.

use crate::finding::Findings;
use crate::format::heap::HeapTuple;
use crate::format::toast::{ChunkFault, ChunkFaultKind};
use crate::scan::page::HeapView;

check! {
    /// ## What it means
    /// Long values are cut into chunks, which are the rows of the table's TOAST table. This row
    /// cannot be a chunk of any value: it has no value or no number, a number that no value
    /// reaches, no data, data that is itself compressed or stored elsewhere, or more than fits
    /// in a chunk. A query that reads the value it belonged to fails with `missing chunk number
    /// ...`, `unexpected chunk number ...`, `unexpected chunk size ...` or `found toasted toast
    /// chunk ...`, or returns wrong bytes; so does `pg_dump` of the table.
    ///
    /// ## How it is decided
    /// Each row of a TOAST table whose inserting transaction committed is looked at by itself
    /// (`heaptoast.c: heap_fetch_toast_slice`, `verify_heapam.c: check_toast_tuple`). Whether
    /// all chunks of a value are there is for toast-value-incomplete. Passed over are the same pages as by
    /// tuple-data-invalid, and rows that it tells of.
    ///
    /// ## What else may cause it
    /// A flipped bit in memory or on disk; a page of which a part is older or foreign; a file
    /// of another relation in the place of the TOAST table's.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else.
    ///
    /// Take the page from a backup or standby. Without them, find the row of the table that
    /// the value belongs to, in a copy, by reading its rows one by one (`WHERE ctid = ...`),
    /// and dump the table without that column of that row. REINDEX of the TOAST table does not
    /// help here: its index is not what is wrong.
    "toast-chunk-invalid" Damage Heap: "TOAST chunk is invalid"
}

/// Takes in what is wrong with one committed row of a TOAST table.
#[cold]
pub fn push(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    fault: ChunkFault,
    findings: &mut Findings,
) {
    let at = tuple.lp.lp_off();
    let mut finding = view
        .view
        .tuple_finding(&CHECK, tuple.offnum, at, fault.to_string());
    let relation = view.view.context.names.relation(view.view.fork.locator);
    if let (ChunkFaultKind::Extended(_), Some(relation)) = (fault.what, relation) {
        let (value, name) = (fault.chunk_id, &relation.class.relname);
        finding = finding.server_error(format!(
            "found toasted toast chunk for toast value {value} in {name}"
        ));
    }
    findings.push(finding);
}
