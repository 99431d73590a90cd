//! `rmgrdesc/xactdesc.c`.

use super::super::lsn_text;
use super::super::record::Record;
use super::super::xact::{self, StatsItem, XactEnd, XactOp};
use super::standby::{invalidations, messages_desc};
use super::{each_after_blank, put, time_text};
use crate::format::cursor::Malformed;
use crate::format::names::relation_path;
use crate::format::twophase::TwoPhaseState;
use crate::format::types::{ForkNumber, RelFileLocator, TimestampTz, TransactionId, XLogRecPtr};
use crate::format::version::{Layout, Major};

/// `XACT_COMPLETION_APPLY_FEEDBACK`, 9.6 and later.
const APPLY_FEEDBACK: u32 = 1 << 29;
/// `XACT_COMPLETION_UPDATE_RELCACHE_FILE`.
const UPDATE_RELCACHE_FILE: u32 = 1 << 30;
/// The same up to 9.4.
const LEGACY_UPDATE_RELCACHE_FILE: u32 = 1;
/// `XACT_COMPLETION_FORCE_SYNC_COMMIT`.
const FORCE_SYNC_COMMIT: u32 = 1 << 31;

pub(super) fn describe(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let op = xact::parse(layout, record)?;
    if !layout.since(Major::V9_5) {
        legacy_prefix(&op, out);
    }
    match op {
        XactOp::Commit(end) | XactOp::CommitPrepared(end) => commit(layout, record, &end, out),
        XactOp::Abort(end) | XactOp::AbortPrepared(end) => abort(layout, record, &end, out),
        XactOp::Prepare(state) => {
            if layout.since(Major::V13) {
                prepare(layout, record, state, out)?;
            }
        }
        XactOp::Assignment { xtop, subxacts } => {
            put!(out, "xtop {xtop}: subxacts:");
            each_after_blank(out, subxacts.iter());
        }
        XactOp::Invalidations(list) => invalidations(&list, out),
        XactOp::Unknown(_) => {}
    }
    Ok(())
}

fn legacy_prefix(op: &XactOp<'_>, out: &mut String) {
    match op {
        XactOp::Commit(_) => out.push_str("commit: "),
        XactOp::Abort(_) => out.push_str("abort: "),
        XactOp::CommitPrepared(_) => out.push_str("commit prepared "),
        XactOp::AbortPrepared(_) => out.push_str("abort prepared "),
        XactOp::Prepare(_) => out.push_str("prepare"),
        XactOp::Assignment { .. } => out.push_str("xid assignment "),
        XactOp::Invalidations(_) | XactOp::Unknown(_) => {}
    }
}

/// Of a prepared transaction its number, then the time.
fn xid_and_time(record: &Record<'_, '_>, end: &XactEnd<'_>, out: &mut String) {
    if end.xid != record.header.xl_xid && end.xid.is_valid() {
        put!(out, "{}: ", end.xid);
    }
    out.push_str(&time_text(end.xact_time));
}

fn commit(layout: Layout, record: &Record<'_, '_>, end: &XactEnd<'_>, out: &mut String) {
    let modern = layout.since(Major::V9_5);
    xid_and_time(record, end, out);
    relations(layout, "rels", end.dropped.iter(), out);
    subxacts(end.subxacts.iter(), out);
    dropped_stats("", end.dropped_stats.iter(layout.version), out);
    if !end.messages.is_empty() {
        let bit = if modern {
            UPDATE_RELCACHE_FILE
        } else {
            LEGACY_UPDATE_RELCACHE_FILE
        };
        let init_file =
            (end.xinfo & bit != 0).then_some((end.db_oid.unwrap_or(0), end.ts_oid.unwrap_or(0)));
        messages_desc(end.messages.iter(), init_file, out);
    }
    if layout.since(Major::V15) && end.xinfo & APPLY_FEEDBACK != 0 {
        out.push_str("; apply_feedback");
    }
    if modern && end.xinfo & FORCE_SYNC_COMMIT != 0 {
        out.push_str("; sync");
    }
    if let Some((lsn, time)) = end.origin {
        origin(layout, record, lsn, time, out);
    }
}

fn abort(layout: Layout, record: &Record<'_, '_>, end: &XactEnd<'_>, out: &mut String) {
    xid_and_time(record, end, out);
    relations(layout, "rels", end.dropped.iter(), out);
    subxacts(end.subxacts.iter(), out);
    if let Some((lsn, time)) = end.origin
        && layout.since(Major::V15)
    {
        origin(layout, record, lsn, time, out);
    }
    dropped_stats("", end.dropped_stats.iter(layout.version), out);
}

fn prepare(
    layout: Layout,
    record: &Record<'_, '_>,
    state: &[u8],
    out: &mut String,
) -> Result<(), Malformed> {
    let state = TwoPhaseState::parse(layout.version, state)?;
    put!(out, "gid {}: {}", state.gid, time_text(state.prepared_at));
    relations(
        layout,
        "rels(commit)",
        state.commit_rels.iter().copied(),
        out,
    );
    relations(layout, "rels(abort)", state.abort_rels.iter().copied(), out);
    dropped_stats("commit ", state.commit_stats.iter().copied(), out);
    dropped_stats("abort ", state.abort_stats.iter().copied(), out);
    subxacts(state.subxacts.iter().copied(), out);
    if !state.messages.is_empty() {
        // The tablespace is not in the record.
        let init_file = state.init_file_inval.then_some((state.database, 0));
        messages_desc(state.messages.iter().copied(), init_file, out);
    }
    if record.origin.is_some_and(|origin| origin != 0)
        && layout.since(Major::V15)
        && let (Some(lsn), Some(time)) = (state.origin_lsn, state.origin_timestamp)
    {
        origin(layout, record, lsn, time, out);
    }
    Ok(())
}

fn relations(
    layout: Layout,
    label: &str,
    locators: impl Iterator<Item = RelFileLocator>,
    out: &mut String,
) {
    let mut locators = locators.peekable();
    if locators.peek().is_some() {
        put!(out, "; {label}:");
        let path = |locator| relation_path(layout.version, locator, ForkNumber::Main, 0);
        each_after_blank(out, locators.map(path));
    }
}

fn subxacts(xids: impl Iterator<Item = TransactionId>, out: &mut String) {
    let mut xids = xids.peekable();
    if xids.peek().is_some() {
        out.push_str("; subxacts:");
        each_after_blank(out, xids);
    }
}

fn dropped_stats(label: &str, items: impl Iterator<Item = StatsItem>, out: &mut String) {
    let mut items = items.peekable();
    if items.peek().is_some() {
        put!(out, "; {label}dropped stats:");
        for item in items {
            put!(out, " {}/{}/{}", item.kind, item.db_oid, item.object);
        }
    }
}

fn origin(
    layout: Layout,
    record: &Record<'_, '_>,
    lsn: XLogRecPtr,
    time: TimestampTz,
    out: &mut String,
) {
    put!(
        out,
        "; origin: node {}, lsn {}, at {}",
        record.origin.unwrap_or(0),
        lsn_text(layout.version, lsn),
        time_text(time)
    );
}
