//! `rmgrdesc/standbydesc.c`.

use super::super::inval::{InvalMessage, Invalidations};
use super::super::record::Record;
use super::super::standby::{self, RunningXacts, StandbyOp};
use super::{each_after_blank, put};
use crate::format::cursor::Malformed;
use crate::format::version::{Layout, Major};

/// `standby_desc_invalidations`, of other managers' records too.
pub(super) fn invalidations(invalidations: &Invalidations<'_>, out: &mut String) {
    let Invalidations {
        db,
        ts,
        init_file,
        messages,
    } = *invalidations;
    if messages.is_empty() {
        return;
    }
    let init_file = init_file.then_some((db, ts));
    messages_desc(messages.iter(), init_file, out);
}

pub(super) fn messages_desc(
    messages: impl Iterator<Item = InvalMessage>,
    init_file: Option<(u32, u32)>,
    out: &mut String,
) {
    if let Some((db, ts)) = init_file {
        put!(out, "; relcache init file inval dbid {db} tsid {ts}");
    }
    out.push_str("; inval msgs:");
    for message in messages {
        let InvalMessage { id, db, object } = message;
        match id {
            0.. => put!(out, " catcache {id}"),
            -1 => put!(out, " catalog {object}"),
            -2 => put!(out, " relcache {object}"),
            -3 => out.push_str(" smgr"),
            -4 => put!(out, " relmap db {db}"),
            -5 => put!(out, " snapshot {object}"),
            -6 => put!(out, " relsync {object}"),
            _ => put!(out, " unrecognized id {id}"),
        }
    }
}

pub(super) fn describe(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let legacy = !layout.since(Major::V9_5);
    match standby::parse(layout, record)? {
        StandbyOp::Lock(locks) if legacy => {
            out.push_str("AccessExclusive locks:");
            for lock in locks.iter() {
                put!(out, " xid {} db {} rel {}", lock.xid, lock.db, lock.rel);
            }
        }
        StandbyOp::Lock(locks) => {
            for lock in locks.iter() {
                put!(out, "xid {} db {} rel {} ", lock.xid, lock.db, lock.rel);
            }
        }
        StandbyOp::RunningXacts(running) => {
            if legacy {
                out.push_str("running xacts: ");
            }
            running_xacts(layout, &running, out);
        }
        StandbyOp::Invalidations(list) => invalidations(&list, out),
        StandbyOp::Unknown(_) => {}
    }
    Ok(())
}

fn running_xacts(layout: Layout, running: &RunningXacts<'_>, out: &mut String) {
    let RunningXacts {
        next_xid,
        latest_completed_xid,
        oldest_running_xid,
        xcnt,
        xids,
        ..
    } = *running;
    put!(
        out,
        "nextXid {next_xid} latestCompletedXid {latest_completed_xid} oldestRunningXid \
         {oldest_running_xid}"
    );
    if xcnt > 0 {
        put!(out, "; {xcnt} xacts:");
        each_after_blank(out, xids.iter().take(xcnt));
    }
    if running.subxid_overflow {
        out.push_str(if layout.since(Major::V16) {
            "; subxid overflowed"
        } else {
            "; subxid ovf"
        });
    }
    let subxcnt = xids.len().saturating_sub(xcnt);
    if layout.since(Major::V16) && subxcnt > 0 {
        put!(out, "; {subxcnt} subxacts:");
        each_after_blank(out, xids.iter().skip(xcnt));
    }
}
