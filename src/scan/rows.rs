//! Counts the rows that a query would return from a heap page, and notes what the commit log
//! lacks to tell.
//!
//! Source: `heapam_visibility.c: HeapTupleSatisfiesMVCC`, with no transaction running.

use super::page::HeapView;
use super::tally::{Lack, Tally};
use crate::cluster::xact::{Updater, XactLog, XactStatus};
use crate::format::heap::{HEAP_XMIN_COMMITTED, HeapTuple, Xmax, Xmin};
use crate::format::slru::Slru;
use crate::format::types::TransactionId;

/// What is known of one question about a tuple.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Unknown,
}

/// What is known of a tuple once replay is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TupleState {
    /// Its inserter did not commit, or that cannot be told.
    NotInserted,
    /// A query returns it.
    Row,
    /// Inserted, and deleted since.
    Deleted,
    /// Inserted; whether it was deleted since cannot be told.
    Undecided,
}

/// Counts tuples, rows and undecidable tuples of a page. Tells whether all of the tuples are
/// rows; `None` when that cannot be decided. Leaves the state of each in `tally.states`.
pub(super) fn count(view: &HeapView<'_, '_>, tally: &mut Tally) -> Option<bool> {
    let tuples = view.heap.tuples.len() as u64;
    tally.chunk.tuples += tuples;
    tally.states.clear();
    let xacts = view.view.context.xacts?;
    let marks = &view.heap.marks;
    if view.view.context.clog_is_whole && marks.all_have(HEAP_XMIN_COMMITTED) && !marks.has_xmax() {
        tally.states.resize(view.heap.tuples.len(), TupleState::Row);
        tally.chunk.rows += tuples;
        return Some(true);
    }
    let (mut rows, mut unreadable) = (0, 0);
    for tuple in view.heap.tuples {
        let inserted = inserted(view, xacts, tuple, tally);
        let state = match inserted {
            Answer::Yes => match deleted(view, xacts, tuple, tally) {
                Answer::Yes => TupleState::Deleted,
                Answer::No => TupleState::Row,
                Answer::Unknown => TupleState::Undecided,
            },
            Answer::No | Answer::Unknown => TupleState::NotInserted,
        };
        rows += u64::from(state == TupleState::Row);
        unreadable += u64::from(inserted == Answer::Unknown || state == TupleState::Undecided);
        tally.states.push(state);
    }
    tally.chunk.rows += rows;
    tally.chunk.unreadable_tuples += unreadable;
    (unreadable == 0).then_some(rows == tuples)
}

fn inserted(
    view: &HeapView<'_, '_>,
    xacts: &XactLog<'_>,
    tuple: &HeapTuple,
    tally: &mut Tally,
) -> Answer {
    let context = view.view.context;
    match tuple.header.xmin(&context.layout) {
        Xmin::Frozen => Answer::Yes,
        Xmin::Committed => {
            note_hinted(view, xacts, tuple, tally);
            Answer::Yes
        }
        Xmin::Invalid => Answer::No,
        Xmin::Undecided(xid) => ask(view, xacts, tuple, xid, tally),
        Xmin::Moved { xvac, moved_in } => match ask(view, xacts, tuple, xvac, tally) {
            Answer::Unknown => Answer::Unknown,
            // heapam_visibility.c: a tuple moved off is gone once the VACUUM FULL committed,
            // one moved in is there only then.
            answer if (answer == Answer::Yes) != moved_in => Answer::No,
            _ => ask(view, xacts, tuple, tuple.header.t_xmin, tally),
        },
    }
}

fn deleted(
    view: &HeapView<'_, '_>,
    xacts: &XactLog<'_>,
    tuple: &HeapTuple,
    tally: &mut Tally,
) -> Answer {
    let context = view.view.context;
    match tuple.header.xmax(&context.layout) {
        Xmax::None | Xmax::Locker(_) | Xmax::Lockers(_) | Xmax::UpgradedLockers(_) => Answer::No,
        Xmax::Deleted(_) => Answer::Yes,
        Xmax::Undecided(xid) => ask(view, xacts, tuple, xid, tally),
        Xmax::Members(multi) => {
            let Some(horizons) = context.horizons else {
                return Answer::Unknown;
            };
            if !horizons.multi_is_valid(multi) {
                return Answer::Unknown;
            }
            let (next, next_offset) = (horizons.next_multi, horizons.next_multi_offset);
            match xacts.updater(&mut tally.xacts, multi, next, next_offset) {
                Updater::None => Answer::No,
                Updater::Xid(xid) => ask(view, xacts, tuple, xid, tally),
                Updater::Invalid => Answer::Unknown,
                Updater::Missing(slru, page) => {
                    let lack = match slru {
                        Slru::MultiXactOffset => Lack::OffsetsPage(page),
                        _ => Lack::MembersPage(page),
                    };
                    note(view, tuple, lack, multi, tally);
                    Answer::Unknown
                }
            }
        }
    }
}

/// Whether a transaction committed, as the server would find out.
fn ask(
    view: &HeapView<'_, '_>,
    xacts: &XactLog<'_>,
    tuple: &HeapTuple,
    xid: TransactionId,
    tally: &mut Tally,
) -> Answer {
    let context = view.view.context;
    if !xid.is_normal() {
        return if xid.is_valid() {
            Answer::Yes
        } else {
            Answer::No
        };
    }
    if context.horizons.is_some_and(|h| !h.xid_is_valid(xid)) {
        if view.view.xid_awaits_wal(xid) {
            // clog.c: TrimCLOG zeroes what the commit log knew of it.
            return Answer::No;
        }
        // Whatever the commit log seems to say, it is not about this tuple.
        if xacts.clog.has_page(xacts.clog_page(xid)) {
            note(
                view,
                tuple,
                Lack::ForeignClogPage(xacts.clog_page(xid)),
                xid.0,
                tally,
            );
        }
        return Answer::Unknown;
    }
    match xacts.status(&mut tally.xacts, xid) {
        XactStatus::Committed => Answer::Yes,
        XactStatus::NotCommitted => {
            let page = xacts.clog_page(xid);
            if !context.clog_is_whole && xacts.is_zero_clog_page(page) && !xacts.replay_ends(xid) {
                let lack = Lack::UnhintedOnZeroClogPage(page);
                note(view, tuple, lack, xid.0, tally);
            }
            Answer::No
        }
        XactStatus::Missing => {
            note(
                view,
                tuple,
                Lack::ClogPage(xacts.clog_page(xid)),
                xid.0,
                tally,
            );
            Answer::Unknown
        }
    }
}

/// Notes a tuple whose hint bit says that its transaction committed, while the commit log
/// page that should say so is not there, or all zero: it was lost, or made by hand.
fn note_hinted(view: &HeapView<'_, '_>, xacts: &XactLog<'_>, tuple: &HeapTuple, tally: &mut Tally) {
    let context = view.view.context;
    let xid = tuple.header.t_xmin;
    if context.clog_is_whole
        || !xid.is_normal()
        || context.horizons.is_some_and(|h| !h.xid_is_valid(xid))
    {
        return;
    }
    let page = xacts.clog_page(xid);
    let lack = match xacts.status(&mut tally.xacts, xid) {
        XactStatus::Committed => return,
        XactStatus::Missing => Lack::HintedOnMissingClogPage(page),
        XactStatus::NotCommitted if xacts.is_zero_clog_page(page) => Lack::ZeroedClogPage(page),
        XactStatus::NotCommitted => return,
    };
    note(view, tuple, lack, xid.0, tally);
}

fn note(view: &HeapView<'_, '_>, tuple: &HeapTuple, lack: Lack, example: u32, tally: &mut Tally) {
    let at = (view.view.blkno, tuple.offnum);
    tally.lack(lack, view.view.fork.locator, at, example);
}
