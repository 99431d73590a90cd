//! Member of a multixact cannot be.

use crate::cluster::xact::{MultiFault, NoMembers, XactLog};
use crate::finding::Recovery;
use crate::format::heap::{HEAP_XMAX_IS_MULTI, HeapTuple, Xmax};
use crate::format::slru::{MultiXactStatus, Slru};
use crate::format::types::{MultiXactId, MultiXactOffset, TransactionId};
use crate::format::version::Major;
use crate::scan::page::{HeapView, PageView};
use crate::scan::tally::Tally;
use crate::scan::{Horizons, OutOfRange};

check! {
    /// ## What it means
    /// A row's xmax holds a multixact that was given out: a number that stands for a list of
    /// transactions, kept in `pg_multixact`. `offsets` says where the list begins, and so
    /// where the one before it ends; `members` holds the transactions, with what each of them
    /// did to the row. What is written there cannot be. When one of them updated or deleted
    /// the row, the list decides whether the row is there, and a query says ERROR `MultiXact
    /// 1234 has invalid next offset` (14 and later), waits for ever (earlier, when the end of
    /// the list is not known), or believes it: rows that were updated come back, or vanish.
    ///
    /// ## How it is decided
    /// Lists are read as `multixact.c: GetMultiXactIdMembers` reads them. Both offsets must be
    /// set and leave room for at least one member; each member must be a transaction that was
    /// given out, with one of the six states that there are; at most one of them may have
    /// updated the row (`MultiXactIdCreateFromMembers`), and that one must not be older than
    /// the table's `relfrozenxid` (`heapam.c: FreezeMultiXactId`, `verify_heapam.c:
    /// check_tuple_visibility`). Of a row that is not merely locked one member must have updated
    /// it. Only rows on pages that replay leaves alone are judged, and
    /// lists that it does not write. From 9.3 on: up to 9.2 nobody reads lists from before
    /// the last start.
    ///
    /// ## What else may cause it
    /// Files of `pg_multixact` from another time, or made with `dd`; a page of them lost or
    /// never written; a row whose xmax was overwritten by the number of another list;
    /// `pg_resetwal` (`pg_resetxlog` up to 9.6) with a wrong `-m` or `-O`; `pg_upgrade` to
    /// 9.3.0 through 9.3.4; a crash of a release before November 2025 between giving out a
    /// multixact and writing it, which leaves the one before it without an end.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Many rows with the same or
    /// neighbouring multixacts mean that the files in `pg_multixact` are wrong and not the
    /// rows: take those from a backup or standby of the same time, since old lists never
    /// change.
    ///
    /// Single rows are best restored with their page. Without a backup, dump the table in a
    /// copy around the rows by ctid, and decide by hand which of them count. Do not fill
    /// `pg_multixact` with zeroes.
    "multixact-member-invalid" Damage Mxact: "member of a multixact cannot be"
}

/// The lists of all multixacts that the rows of a table name.
#[inline]
pub fn run(view: &HeapView<'_, '_>, tally: &mut Tally) {
    let page = &view.view;
    let context = page.context;
    if !context.layout.since(Major::V9_3) || !view.heap.marks.any_has(HEAP_XMAX_IS_MULTI) {
        return;
    }
    let (Some(horizons), Some(xacts), Some(_)) = (context.horizons, context.xacts, page.promise)
    else {
        return;
    };
    for tuple in view.heap.tuples {
        if tuple.header.has(HEAP_XMAX_IS_MULTI)
            && let Xmax::Members(multi) | Xmax::Lockers(multi) = tuple.header.xmax(&context.layout)
            && horizons.multi_is_valid(multi)
        {
            judge(view, tuple, multi, &horizons, xacts, tally);
        }
    }
}

/// What is wrong with one member.
enum MemberFault {
    NotNormal(TransactionId),
    NeverAssigned(TransactionId),
    Status(TransactionId, MultiXactStatus),
    SecondUpdater(TransactionId, TransactionId),
    /// Though the row is not only locked.
    NoUpdater,
    BeforeOldest(TransactionId),
    BeforeRelfrozenxid(TransactionId, TransactionId),
}

impl MemberFault {
    fn message(&self, horizons: &Horizons) -> String {
        match self {
            Self::NotNormal(xid) => format!("has {xid} among its members, which is no transaction"),
            Self::NeverAssigned(xid) => format!(
                "has transaction {xid} among its members, which was never assigned (next XID is \
                 {})",
                horizons.next_xid.xid()
            ),
            Self::Status(xid, status) => {
                format!("has transaction {xid} among its members with {status}")
            }
            Self::SecondUpdater(one, other) => {
                format!("has two updaters among its members, {one} and {other}")
            }
            Self::NoUpdater => "has no updater among its members, yet the row was updated or \
                                deleted by it: the row counts as there again"
                .to_owned(),
            Self::BeforeOldest(xid) => format!(
                "was updated by {xid}, which lies before the oldest transaction {}",
                horizons.oldest_xid
            ),
            Self::BeforeRelfrozenxid(xid, relfrozenxid) => format!(
                "was updated by {xid}, which is older than the table's relfrozenxid {relfrozenxid}"
            ),
        }
    }
}

fn judge(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    multi: MultiXactId,
    horizons: &Horizons,
    xacts: &XactLog<'_>,
    tally: &mut Tally,
) {
    let page = &view.view;
    let layout = &page.context.layout;
    if page.is_replayed() || page.is_ahead() || page.recovery() == Recovery::Heals {
        return;
    }
    let offsets_page = Slru::MultiXactOffset.pageno(u64::from(multi), layout);
    if xacts.replay_makes_multi_page(Slru::MultiXactOffset, offsets_page) {
        return;
    }
    let mut fault = None;
    let mut updater = None;
    let mut anew = false;
    let (next, next_offset) = (horizons.next_multi, horizons.next_multi_offset);
    let read = xacts.members(&mut tally.xacts, multi, next, next_offset, |member, offset| {
        let members_page = Slru::MultiXactMember.pageno(offset, layout);
        anew |= xacts.replay_makes_multi_page(Slru::MultiXactMember, members_page);
        // Up to 18 the first entry of all is left out when offsets start again.
        if offset == 0 && !member.xid.is_valid() && !layout.since(Major::V19) {
            return true;
        }
        let of_xid = fault_of(page, member.xid, member.status, horizons);
        fault = match (of_xid, updater) {
            (Some(fault), _) => Some(fault),
            // 9.3.0 and 9.3.1 did not yet look.
            (None, Some(one)) if member.status.is_update() && layout.since(Major::V9_4) => {
                Some(MemberFault::SecondUpdater(one, member.xid))
            }
            (None, _) => None,
        };
        if member.status.is_update() {
            updater = Some(member.xid);
        }
        fault.is_none()
    });
    if anew {
        return;
    }
    // The members of one that replay writes are not on disk yet.
    if read.is_ok()
        && fault.is_none()
        && updater.is_none()
        && matches!(tuple.header.xmax(layout), Xmax::Members(_))
        && !xacts.replay_writes_multi(multi)
    {
        fault = Some(MemberFault::NoUpdater);
    }
    let (message, error) = match (read, fault) {
        (Err(NoMembers::Fault(fault)), _) => of_offsets(fault, multi, layout.since(Major::V19)),
        (Ok(()), Some(fault)) => (fault.message(horizons), None),
        // Pages that are not there are told of by themselves.
        (Err(NoMembers::Missing(..)), _) | (Ok(()), None) => return,
    };
    let at = tuple.lp.lp_off();
    let message = format!("multixact {multi} {message}");
    let mut finding = page.tuple_finding(&CHECK, tuple.offnum, at, message);
    // Only the members of a multixact with an updater are asked for when rows are read.
    if let (Xmax::Members(_), Some(error)) = (tuple.header.xmax(layout), error)
        && layout.since(Major::V14)
    {
        finding = finding.server_error(error);
    }
    tally.push(finding);
}

fn fault_of(
    page: &PageView<'_>,
    xid: TransactionId,
    status: MultiXactStatus,
    horizons: &Horizons,
) -> Option<MemberFault> {
    if !xid.is_normal() {
        return Some(MemberFault::NotNormal(xid));
    }
    if let MultiXactStatus::Unknown(_) = status {
        return Some(MemberFault::Status(xid, status));
    }
    let relfrozenxid = page.promise.map(|promise| promise.relfrozenxid);
    match horizons.xid_fault(xid) {
        Some(OutOfRange::NeverAssigned) if page.xid_awaits_wal(xid) => None,
        Some(OutOfRange::NeverAssigned) => Some(MemberFault::NeverAssigned(xid)),
        // Lockers of old may stay.
        _ if !status.is_update() => None,
        Some(OutOfRange::BeforeOldest) => Some(MemberFault::BeforeOldest(xid)),
        None => relfrozenxid
            .filter(|oldest| oldest.is_normal() && xid.precedes(*oldest))
            .map(|oldest| MemberFault::BeforeRelfrozenxid(xid, oldest)),
    }
}

/// What is wrong, and what the server says.
fn of_offsets(fault: MultiFault, multi: MultiXactId, since_19: bool) -> (String, Option<String>) {
    match fault {
        MultiFault::NoOffset => (
            "has no list of members: its offset is 0".to_owned(),
            since_19.then(|| format!("MultiXact {multi} has invalid offset")),
        ),
        MultiFault::NoNextOffset(next) => (
            format!("has a list of members without an end: the offset of multixact {next} is 0"),
            Some(format!("MultiXact {multi} has invalid next offset")),
        ),
        MultiFault::Length { first, end } => (of_length(first, end), None),
    }
}

fn of_length(first: MultiXactOffset, end: MultiXactOffset) -> String {
    format!("has a list of members that begins at offset {first} and ends at {end}")
}
