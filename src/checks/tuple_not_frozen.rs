//! Tuple is older than its table's freeze horizon.

use crate::finding::Finding;
use crate::format::heap::{HeapTuple, Xmax, Xmin};
use crate::format::types::{MultiXactId, TransactionId};
use crate::cluster::catalog::Promise;
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// VACUUM marks old rows as frozen, so that their transaction numbers can be used again.
    /// `pg_class.relfrozenxid` promises that no row of the table carries an older number
    /// unfrozen, `relminmxid` the same of multixacts. This row breaks the promise. It can be
    /// read while the commit log still covers its number; the server cuts that log by the
    /// promise, and then a query fails (`could not access status of transaction ...`), or the
    /// number is given out anew and the row appears or vanishes. VACUUM ends with ERROR `found
    /// xmin 600 from before relfrozenxid 700` (`found xmax ...`, `found multixact ...`; late
    /// minors of 9.3 and later), so the table can no longer be vacuumed.
    ///
    /// ## How it is decided
    /// Each `xmin` that is not frozen and not aborted, each `xmax` that deletes, and the
    /// multixact with its updating member (9.3 and later) are compared with the row of
    /// `pg_class` as replay leaves it (`verify_heapam.c: get_xid_status`, `heapam.c:
    /// heap_prepare_freeze_tuple`). Pages that replay will change are not judged, since
    /// freezing may be among the changes. Numbers outside the cluster's range are told by
    /// xmin-out-of-range, xmax-out-of-range and multixact-out-of-range.
    ///
    /// ## What else may cause it
    /// Errors in freezing: 9.3.0 to 9.3.4 and `pg_upgrade` to them, "freeze the dead" up to
    /// 10.1, pages skipped through wrong bits of the visibility map; a lost write, when the
    /// page is as it was before VACUUM froze it; a page or file from an older copy; a restore
    /// of changed blocks only.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Do not run VACUUM FREEZE over it
    /// before the rows are saved, and do not raise `relfrozenxid` by hand.
    ///
    /// Compare the page with a backup or standby: if it is older than theirs, this is a lost
    /// write, and other tables deserve a look. Else dump the table and load it again while the
    /// commit log still covers it: rows that are loaded anew carry new numbers.
    "tuple-not-frozen" Damage Heap: "tuple is older than its table's freeze horizon"
}

/// No transaction older than `relfrozenxid`, no multixact older than `relminmxid`.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let (Some(promise), Some(horizons)) = (view.view.promise, view.view.context.horizons) else {
        return;
    };
    if !promise.relfrozenxid.is_normal() || view.view.is_replayed() {
        return;
    }
    let marks = &view.heap.marks;
    if marks.are_frozen(&view.view.context.layout) {
        return;
    }
    let is_young = |xid: TransactionId| !xid.precedes(promise.relfrozenxid);
    if !marks.has_xmax() && marks.xmins().is_some_and(|ends| ends.into_iter().all(is_young)) {
        return;
    }
    let layout = &view.view.context.layout;
    let broken = |xid: TransactionId| {
        xid.is_normal() && xid.precedes(promise.relfrozenxid) && horizons.xid_is_valid(xid)
    };
    for tuple in view.heap.tuples {
        let header = &tuple.header;
        // Nearly every tuple passes here.
        if !header.t_xmin.precedes(promise.relfrozenxid) && !header.t_xmax.is_valid() {
            continue;
        }
        if let Xmin::Committed | Xmin::Undecided(_) = header.xmin(layout)
            && broken(header.t_xmin)
        {
            tally.push(of_xid(view, tuple, "xmin", header.t_xmin, &promise));
        }
        if let Xmax::Deleted(xid) | Xmax::Undecided(xid) = header.xmax(layout)
            && broken(xid)
        {
            tally.push(of_xid(view, tuple, "xmax", xid, &promise));
        }
        if let Some(multi) = header.multixact(layout)
            && promise.precedes_relminmxid(multi)
            && horizons.multi_is_valid(multi)
        {
            tally.push(of_multi(view, tuple, multi, &promise));
        }
    }
}

#[cold]
fn of_xid(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    field: &str,
    xid: TransactionId,
    promise: &Promise,
) -> Finding {
    let oldest = promise.relfrozenxid;
    let message = format!("{field} {xid} is older than the table's relfrozenxid {oldest}");
    found(view, tuple, message, xid.0, oldest.0)
}

#[cold]
fn of_multi(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    multi: MultiXactId,
    promise: &Promise,
) -> Finding {
    let oldest = promise.relminmxid.unwrap_or_default();
    let message = format!("multixact {multi} is older than the table's relminmxid {oldest}");
    found(view, tuple, message, multi, oldest)
}

fn found(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    message: String,
    found: u32,
    oldest: u32,
) -> Finding {
    let at = tuple.lp.lp_off();
    view.view
        .tuple_finding(&CHECK, tuple.offnum, at, message)
        .found_expected(found, format!("{oldest} or later, or frozen"))
}
