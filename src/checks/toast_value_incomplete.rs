//! Value stored out of line is not whole.

check! {
    /// ## What it means
    /// Long values are cut into chunks, which are the rows of the table's TOAST table; the row
    /// itself has a pointer with the number and the size of the value. The chunks of this value
    /// do not make it up: some are missing, there twice, or have another size. A query that
    /// reads the column of this row fails with `missing chunk number ... for toast value ... in
    /// pg_toast_...`, `unexpected chunk number ...` or `unexpected chunk size ...`, and so does
    /// `pg_dump` of the table. Other rows, and other columns of this row, can be read.
    ///
    /// ## How it is decided
    /// Of each table's rows that a query would return the pointers are taken, of its TOAST
    /// table the rows, and the two are compared as `heaptoast.c: heap_fetch_toast_slice` and
    /// `verify_heapam.c: check_toasted_attribute` would, but without the index: an index that
    /// is wrong itself is not noticed. Where replay changes the TOAST table, its pages are taken
    /// as replay leaves them, and rows are judged that were there before the redo point. Not
    /// judged are rows on pages that replay changes, and TOAST tables of more than 16 GB that
    /// replay changes, or of which it changes more than 16384 pages, of which a file could not
    /// be read in part, or of which the commit log does not tell what is deleted. Chunks that no row asks for are no fault: VACUUM FULL
    /// and CLUSTER leave some.
    ///
    /// ## What else may cause it
    /// Blocks of the TOAST table that are zeroed, lost or damaged: then those are reported, too,
    /// and this tells whose values they held. A TOAST table's file from another time than the
    /// table's, after copying files by hand. In old minor releases, bugs of VACUUM and of
    /// replication that removed chunks too early.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else.
    ///
    /// Take the value from a backup, a standby or a dump. Without them, dump the table in a copy
    /// without the rows that are named (`WHERE ctid <> '(N,M)'`), then those rows without the
    /// column. An UPDATE that sets the column to another value makes the row readable again:
    /// only at the very end, on the copy.
    "toast-value-incomplete" Damage Heap: "value stored out of line is not whole"
}
