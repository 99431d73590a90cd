//! Inserting transaction (xmin) cannot be.

use super::Check;
use crate::format::heap::{HeapTuple, Xmin};
use crate::format::slru::Slru;
use crate::scan::page::HeapView;
use crate::scan::tally::Tally;
use crate::scan::{Horizons, OutOfRange};

check! {
    /// ## What it means
    /// Inserting transaction (xmin) cannot be.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "xmin-out-of-range" Damage Heap: "inserting transaction (xmin) cannot be"
}

/// Every xmin that is not frozen must lie between the oldest and the next transaction.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let Some(horizons) = view.view.context.horizons else { return };
    let layout = &view.view.context.layout;
    for tuple in view.heap.tuples {
        let xmin = tuple.header.t_xmin;
        if xmin.is_normal()
            && !horizons.xid_is_valid(xmin)
            && tuple.header.xmin(layout) != Xmin::Frozen
        {
            let asked = matches!(tuple.header.xmin(layout), Xmin::Undecided(_));
            report(&CHECK, "xmin", view, tuple, asked, &horizons, tally);
        }
    }
}

/// Reports a transaction number that cannot be; `asked` when a query looks it up.
#[cold]
pub(super) fn report(
    check: &'static Check,
    field: &str,
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    asked: bool,
    horizons: &Horizons,
    tally: &mut Tally,
) {
    let context = view.view.context;
    let xid = if field == "xmin" { tuple.header.t_xmin } else { tuple.header.t_xmax };
    let next = horizons.next_xid;
    let oldest = horizons.oldest_xid;
    let place = Slru::Xact.locate(u64::from(xid.0), &context.layout);
    let file = format!(
        "{}/{}",
        Slru::Xact.directory(&context.layout),
        Slru::Xact.segment_name(place.segno, &context.layout)
    );
    let page_is_there =
        context.xacts.is_some_and(|xacts| xacts.clog.has_page(xacts.clog_page(xid)));
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
        message.push_str(&format!(
            "; {file} answers for it, so the row counts as aborted and is silently left out"
        ));
    } else if asked {
        message.push_str(&format!("; no {file} is missing: there never was a transaction in it"));
    }
    let mut finding = view
        .view
        .tuple_finding(check, tuple.offnum, tuple.lp.lp_off(), message)
        .found_expected(xid, format!("{oldest} to {} or frozen", next.xid().0.wrapping_sub(1)));
    if asked && !page_is_there {
        finding = finding.server_error(format!("could not access status of transaction {xid}"));
    }
    tally.push(finding);
}
