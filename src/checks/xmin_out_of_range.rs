//! Inserting transaction (xmin) cannot be.

use super::Check;
use crate::cluster::slru::unreadable_page;
use crate::format::heap::{HEAP_MOVED_IN, HEAP_MOVED_OFF, HeapTuple, Xmin};
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru};
use crate::format::types::TransactionId;
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;
use crate::scan::{Horizons, OutOfRange};

check! {
    /// ## What it means
    /// `xmin` in a row's header is the number of the transaction that inserted the row. To
    /// see whether that committed, the server looks the number up in the commit log
    /// (`pg_clog` up to 9.6, `pg_xact` later), unless a hint bit in the row already tells.
    /// This number was never given out, or is so old that the commit log no longer covers it.
    /// A query that looks it up fails: ERROR `could not access status of transaction
    /// 4294692688`, DETAIL `Could not open file "pg_clog/0FFF": No such file or directory.`
    /// (19 names the file in the message and the number in the DETAIL). If some file answers
    /// for the number, often one made with `dd`, the row counts as aborted and vanishes
    /// silently. With hint bits, queries work, but VACUUM ends with `found xmin ... from
    /// before relfrozenxid ...` (late minors of 9.3 and later).
    ///
    /// ## How it is decided
    /// Valid are the cluster's `oldestXid` up to the next XID after replay (that of the
    /// checkpoint, advanced by the WAL), compared in a circle as `transam.c:
    /// TransactionIdPrecedes` does, and frozen rows, which are visible to all. In epoch 0 a
    /// number past the next one was never assigned: the header is overwritten. One before
    /// `oldestXid`, neither frozen nor hinted, is before the horizon. Of a row
    /// without hint bits that an old VACUUM FULL moved (before 9.0), the number of that
    /// (`xvac`) is judged as well. A finding `heals` when replay rebuilds the page without it.
    ///
    /// ## What else may cause it
    /// Overwriting by foreign data (read the number as text: 1852990827 is `kern`); a torn
    /// page, mostly healed by replay; `pg_resetwal` (`pg_resetxlog` up to 9.6) with too low a
    /// next XID: then very many rows have it, and all their numbers lie just past the next
    /// one; missing WAL at the end; tables copied in from another cluster.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If very many rows have it, the
    /// counter is wrong and not the rows: look for the missing WAL or the right `pg_control`
    /// first.
    ///
    /// For single rows, restore the page from a backup or standby. Do not make the missing
    /// file with `dd`: zeroes mean "in progress", a crash turns that into "aborted", the rows
    /// vanish and are marked so for good, and VACUUM removes them. Dump around the rows by
    /// ctid instead, in a copy.
    "xmin-out-of-range" Damage Heap: "inserting transaction (xmin) cannot be"
}

/// Every xmin that is not frozen must lie between the oldest and the next transaction.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let Some(horizons) = view.view.context.horizons else { return };
    let marks = &view.heap.marks;
    let layout = &view.view.context.layout;
    if marks.are_frozen(layout) {
        return;
    }
    let are_valid = marks.xmins().is_some_and(|[lowest, highest]| horizons.xids_are_valid(lowest, highest));
    if are_valid && !marks.any_has(HEAP_MOVED_OFF | HEAP_MOVED_IN) {
        return;
    }
    for tuple in view.heap.tuples {
        let xmin = tuple.header.t_xmin;
        if xmin.is_normal()
            && !horizons.xid_is_valid(xmin)
            && tuple.header.xmin(layout) != Xmin::Frozen
        {
            let asked = matches!(tuple.header.xmin(layout), Xmin::Undecided(_))
                && view.view.asks_for_transactions();
            report(&CHECK, ("xmin", xmin), view, tuple, asked, &horizons, tally);
        }
        if let Xmin::Moved { xvac, .. } = tuple.header.xmin(layout)
            && !(xvac.is_normal() && horizons.xid_is_valid(xvac))
        {
            let asked = xvac.is_normal() && view.view.asks_for_transactions();
            report(&CHECK, ("xvac", xvac), view, tuple, asked, &horizons, tally);
        }
    }
}

/// Reports a transaction number that cannot be; `asked` when a query looks it up.
#[cold]
pub(super) fn report(
    check: &'static Check,
    (field, xid): (&str, TransactionId),
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    asked: bool,
    horizons: &Horizons,
    tally: &mut Tally,
) {
    let context = view.view.context;
    if view.view.xid_awaits_wal(xid) {
        // That is the page's fault, told by page-lsn-beyond-wal.
        return;
    }
    let next = horizons.next_xid;
    let oldest = horizons.oldest_xid;
    let place = Slru::Xact.locate(u64::from(xid.0), &context.layout);
    let file = Slru::Xact.segment_path(place.segno, &context.layout);
    let lacking = context.xacts.filter(|xacts| !xacts.clog.has_page(xacts.clog_page(xid)));
    let page_is_there = lacking.is_none();
    let mut message = match horizons.xid_fault(xid) {
        Some(OutOfRange::BeforeOldest) => {
            format!("{field} {xid} lies before the oldest transaction {oldest}, yet is not frozen")
        }
        _ => format!(
            "{field} {xid} was never assigned (next XID is {}, epoch {}): the tuple header is \
             overwritten",
            next.xid(),
            next.epoch()
        ),
    };
    if asked && page_is_there {
        let so = match field {
            "xmax" => "the deletion counts as aborted and the row is there",
            "xmin" => "the row counts as aborted and is silently left out",
            _ => "the row is there or not by what that says",
        };
        message.push_str(&format!("; {file} answers for it, so {so}"));
    } else if asked {
        message.push_str(&format!("; no {file} is missing: there never was a transaction in it"));
    }
    let mut finding = view
        .view
        .tuple_finding(check, tuple.offnum, tuple.lp.lp_off(), message)
        .found_expected(xid, format!("{oldest} to {} or frozen", next.xid().0.wrapping_sub(1)));
    // What is not older than the next one counts as running, and nobody asks how it ended
    // (snapmgr.c: XidInMVCCSnapshot).
    if let Some(xacts) = lacking.filter(|_| asked && xid.precedes(next.xid())) {
        let page = xacts.clog_page(xid);
        let has_file = xacts.clog.has_segment(page / SLRU_PAGES_PER_SEGMENT);
        let error =
            unreadable_page(&context.layout, Slru::Xact, page, has_file, xid.0.into());
        finding = finding.server_error(error);
    }
    tally.push(finding);
}
