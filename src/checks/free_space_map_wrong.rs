//! Free space map is wrong.

use crate::check::Examination;
use crate::finding::{Finding, Findings};
use crate::format::fsm::{FsmPage, first_heap_block};
use crate::format::types::ForkNumber;
use crate::scan::page::PageView;
use crate::scan::forks::sibling;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// The file `_fsm` beside a table or index says roughly how much room each page has. It is
    /// a hint, not logged in WAL, and the server mends what it finds wrong (`fsmpage.c:
    /// fsm_search_avail`); no row is lost by it. One kind hurts all the same: a map that tells
    /// of room behind the end of the table. Minors before 12.19, 13.15, 14.12, 15.7 and 16.3,
    /// and all older majors, then try to put new rows there: `could not read block 28991 in
    /// file "base/16390/572026": read only 0 of 8192 bytes`, for INSERT and UPDATE alone.
    ///
    /// ## How it is decided
    /// In each page of the map an inner node must be the greater of the two below it; and the
    /// last block with room must lie before the end of the table (`freespace.c:
    /// fsm_does_block_exist`). Blocks that replay makes count as being there, and a map that
    /// replay cuts is not judged.
    ///
    /// ## What else may cause it
    /// A crash: the map's pages reach the disk at any time. A base backup, whose files are
    /// copied one after the other. Truncation by VACUUM before 9.3.15, 9.4.10, 9.5.5 and 9.6.1,
    /// which forgot to flush the map. A table that was cut off, see `relation-cut-off`.
    ///
    /// ## What to do
    /// Nothing, unless INSERT fails with the message above: then VACUUM the table, which makes
    /// the map anew for the blocks there are. If that does not help, stop the server cleanly,
    /// remove the file that ends in `_fsm`, start it, and VACUUM the table.
    "free-space-map-wrong" Note Heap: "free space map is wrong"
}

/// Looks at the tree of one page, and remembers how far the map reaches.
#[inline]
pub fn page(view: &PageView<'_>, tally: &mut Tally) {
    let layout = &view.context.layout;
    let Some(map) = FsmPage::parse(view.page, layout) else { return };
    let wrong = map.wrong_nodes().count();
    if wrong > 0 {
        let message = format!("{wrong} of its nodes are not the greater of the two below them");
        tally.push(view.finding(&CHECK, message));
    }
    if let Some(first) = first_heap_block(view.blkno, layout)
        && let Some(slot) = map.last_slot()
    {
        let last = first.saturating_add(slot);
        tally.chunk.free_until = tally.chunk.free_until.max(Some((last, view.blkno)));
    }
}

/// Compares how far maps reach with the length of what they are of.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(context), Some(tally)) = (examination.scan, examination.tally) else { return };
    for (number, fork) in examination.forks.iter().enumerate() {
        if fork.fork != ForkNumber::Main || fork.temporary {
            continue;
        }
        let Some(map) = sibling(examination.forks, number, ForkNumber::Fsm) else { continue };
        let told = tally.forks.get(&map).and_then(|counts| counts.free_until);
        let (Some((last, blkno)), Some(end), Some(map)) =
            (told, context.end_after_replay(fork), examination.forks.get(map))
        else {
            continue;
        };
        if last < end {
            continue;
        }
        let message = format!("it tells of room in block {last}, and the file ends before block {end}");
        let location = map.location(blkno, &context.layout);
        findings.push(Finding::new(&CHECK, location, message));
    }
}
