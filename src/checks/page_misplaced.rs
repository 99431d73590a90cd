//! Rows of a page are those of another block.

use crate::finding::Confidence;
use crate::format::cause::{Cause, Explanation, rows_of_another_block};
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// A row that nobody has changed bears its own address: block and line pointer. Here all
    /// rows of a page bear the address of another block, so a page was written to a place
    /// that is not its own. No query says so: a scan of the table gives these rows, perhaps
    /// twice, and the rows that belong here are gone; an index leads to wrong rows.
    ///
    /// ## How it is decided
    /// The page itself is in order. At least three of its rows were never updated, locked or
    /// frozen, and all such rows name one other block, each with its own line pointer
    /// (`htup_details.h`, `t_ctid`), while no row names this one. Rows whose update was
    /// rolled back name the place of the update, so rows with a trace of one do not count. A
    /// page that replay changes is not judged. With checksums such a page does not fit its
    /// checksum either, which is reported as such.
    ///
    /// ## What else may cause it
    /// A misdirected write by disk, controller, virtualisation or file system; a copy or
    /// `dd` with a wrong offset; segments of a table (`16384`, `16384.1`) under each other's
    /// names; blocks of a snapshot put together wrongly.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Look at the block that the rows
    /// name: if it holds the same rows, this one lost its own, which must come from a backup
    /// or standby; if not, two blocks may have changed places. Do not trust indexes of the
    /// table: compare rows by scans alone (`SET enable_indexscan = off`, and
    /// `enable_bitmapscan`, `enable_indexonlyscan`), and test the storage before it is used
    /// again.
    "page-misplaced" Damage Heap: "rows of a page are those of another block"
}

/// Compares the block that rows name with the one they lie in.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let page = &view.view;
    let Some(named) = rows_of_another_block(&view.heap, page.blkno) else { return };
    if page.is_replayed() {
        return;
    }
    let message = format!("the rows of this page are those of block {named}: misdirected write");
    let finding = page
        .finding(&CHECK, message)
        .found_expected(named, page.blkno)
        .confidence(Confidence::Likely);
    tally.push(finding);
    let cause = Explanation {
        cause: Cause::RowsOfBlock(named),
        confidence: Confidence::Likely,
    };
    tally.explain(page, || Some(cause));
}
