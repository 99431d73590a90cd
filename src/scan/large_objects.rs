//! Looks a second time at `pg_largeobject` where a page of some object may be there twice.
//!
//! The first time each page leaves one bit, at a place that other pages of other objects may
//! share. Only rows whose bit was set twice are compared by themselves.

use super::forks::ForkFiles;
use super::page::HeapView;
use super::rows::{self, TupleState};
use super::tally::{ForkTally, Tally};
use super::{Pages, ScanContext, read_forks};
use crate::checks::large_object_invalid::{LargeObjects, push_twice};
use crate::format::catalog::PgLargeobject;
use crate::format::heap::HeapTuples;
use crate::format::types::{BlockNumber, OffsetNumber};
use crate::pgdata::Evidence;

/// A row of `pg_largeobject`: fork, `loid`, `pageno`, and where it is.
type Met = (usize, u32, i32, BlockNumber, OffsetNumber, u16);

/// Rows of one catalog that are compared with each other; where there are more to compare, the
/// bits are too crowded to tell.
const MOST_CANDIDATES: u64 = 1 << 20;

/// The bit of a page: those of one object lie side by side.
pub fn bit_of(row: &PgLargeobject) -> u32 {
    let first = row.loid.wrapping_mul(0x9E37_79B1);
    first.wrapping_add(row.pageno.cast_unsigned())
}

/// Whether every row of a catalog is known.
fn is_known(counts: &ForkTally) -> bool {
    !counts.loids_are_open && counts.unreadable.is_empty() && counts.unreadable_tuples == 0
}

/// Takes in the pages that are there twice.
pub(super) fn look_again(
    evidence: &Evidence,
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    tally: &mut Tally,
) {
    let candidates = |number: &usize| {
        let counts = tally.forks.get(number).filter(|counts| is_known(counts))?;
        let twice = &counts.large_object_pages_twice;
        (1..=MOST_CANDIDATES)
            .contains(&twice.len())
            .then_some(twice)
    };
    let wanted: Vec<usize> = (0..forks.len())
        .filter(|n| candidates(n).is_some())
        .collect();
    if wanted.is_empty() {
        return;
    }
    let new = || {
        let scratch = Tally::new(&context.layout, context.max_findings);
        (scratch, HeapTuples::new(&context.layout), Vec::<Met>::new())
    };
    type State = (Tally, HeapTuples, Vec<Met>);
    let visit = |number: usize, pages: Pages<'_>, (scratch, room, met): &mut State| {
        let Some(twice) = candidates(&number) else {
            return;
        };
        for view in pages.filter(|view| view.large_objects == Some(LargeObjects::Pages)) {
            let Ok(heap) = room.read(view.page) else {
                continue;
            };
            let heap_view = HeapView { view, heap };
            rows::count(&heap_view, scratch);
            let tuples = heap.tuples.iter().zip(&scratch.states);
            for (tuple, _) in tuples.filter(|(_, state)| **state == TupleState::Row) {
                let bytes = heap.bytes(tuple);
                let row = PgLargeobject::parse(&context.layout, &tuple.header, bytes);
                if let Ok(row) = row
                    && twice.contains(bit_of(&row))
                {
                    let (at, lp_off) = (tuple.offnum, tuple.lp.lp_off());
                    met.push((number, row.loid, row.pageno, view.blkno, at, lp_off));
                }
            }
        }
    };
    let states = read_forks(evidence, context, forks, &wanted, &new, &visit, &|_| ());
    let mut met: Vec<Met> = states.into_iter().flat_map(|(_, _, met)| met).collect();
    met.sort_unstable();
    for pair in met.windows(2) {
        let [first, second] = *pair else { continue };
        let (number, loid, pageno, blkno, offnum, lp_off) = second;
        if (first.0, first.1, first.2) == (number, loid, pageno)
            && let Some(fork) = forks.get(number)
        {
            let page = fork.location(blkno, &context.layout);
            let location = page.within_block(offnum.into(), lp_off.into());
            push_twice(
                location,
                (loid, pageno),
                (first.3, first.4),
                &mut tally.findings,
            );
        }
    }
}
