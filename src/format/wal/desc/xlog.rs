//! `rmgrdesc/xlogdesc.c`.

use super::super::lsn_text;
use super::super::record::Record;
use super::super::xlog::{self, ParameterChange, XLogOp};
use super::{c_string, put, time_text};
use crate::format::checkpoint::{CheckPoint, WalLevel};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::names::relation_path;
use crate::format::version::{Layout, Major};

pub(super) fn describe(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let legacy = !layout.since(Major::V9_5);
    let version = layout.version;
    let mut prefix = |words: &str| {
        if legacy {
            out.push_str(words);
        }
    };
    match xlog::parse(layout, record)? {
        XLogOp::CheckpointShutdown(bytes) => {
            prefix("checkpoint: ");
            checkpoint(layout, bytes, "shutdown", out)?;
        }
        XLogOp::CheckpointOnline(bytes) => {
            prefix("checkpoint: ");
            checkpoint(layout, bytes, "online", out)?;
        }
        XLogOp::Noop => prefix("xlog no-op"),
        XLogOp::NextOid(oid) => {
            prefix("nextOid: ");
            put!(out, "{oid}");
        }
        XLogOp::Switch => prefix("xlog switch"),
        XLogOp::BackupEnd(lsn) => {
            prefix("backup end: ");
            out.push_str(&lsn_text(version, lsn));
        }
        XLogOp::ParameterChange(change) => {
            prefix("parameter change: ");
            parameter_change(layout, &change, out);
        }
        XLogOp::RestorePoint { name, .. } => {
            prefix("restore point: ");
            out.push_str(&c_string(name));
        }
        XLogOp::FpwChange(on) => {
            prefix("full_page_writes: ");
            put!(out, "{on}");
        }
        XLogOp::EndOfRecovery {
            time,
            this_tli,
            prev_tli,
            wal_level,
        } => {
            prefix("end_of_recovery: ");
            let time = time_text(time);
            put!(out, "tli {this_tli}; prev tli {prev_tli}; time {time}");
            if let Some(number) = wal_level {
                put!(out, "; wal_level {}", level(layout, number));
            }
        }
        XLogOp::LegacyFpi {
            locator,
            fork,
            blkno,
            ..
        } => {
            let path = relation_path(version, locator, fork, 0);
            put!(out, "full-page image: {path} block {blkno}");
        }
        XLogOp::OverwriteContrecord {
            overwritten_lsn,
            time,
        } => put!(
            out,
            "lsn {}; time {}",
            lsn_text(version, overwritten_lsn),
            time_text(time)
        ),
        XLogOp::CheckpointRedo {
            wal_level,
            data_checksum_version,
        } => {
            put!(out, "wal_level {}", level(layout, wal_level));
            if let Some(state) = data_checksum_version {
                put!(out, "; checksums {}", checksum_state(state));
            }
        }
        XLogOp::LogicalDecodingStatusChange(on) => put!(out, "{on}"),
        XLogOp::FpiForHint | XLogOp::Fpi | XLogOp::AssignLsn | XLogOp::Unknown(_) => {}
    }
    Ok(())
}

/// The names of `wal_level_options`; `?` for a number that is none.
fn level(layout: Layout, number: i32) -> String {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    level_name(WalLevel::from_number(layout.version, number))
}

fn level_name(level: WalLevel) -> String {
    match level {
        WalLevel::Unknown(_) => "?".to_owned(),
        known => known.to_string(),
    }
}

/// `get_checksum_state_string`, 19.
fn checksum_state(state: u32) -> &'static str {
    match state {
        0 => "off",
        1 => "on",
        2 => "inprogress-off",
        3 => "inprogress-on",
        _ => "?",
    }
}

/// The fields in the order they are printed, which is nearly that of the structure.
fn checkpoint(layout: Layout, bytes: &[u8], kind: &str, out: &mut String) -> Result<(), Malformed> {
    let point = CheckPoint::parse(layout.version, bytes)?;
    let redo = lsn_text(layout.version, point.redo);
    put!(out, "redo {redo}; tli {}; ", point.this_time_line_id);
    if let Some(tli) = point.prev_time_line_id {
        put!(out, "prev tli {tli}; ");
    }
    if let Some(on) = point.full_page_writes {
        put!(out, "fpw {on}; ");
    }
    if let Some(level) = point.wal_level {
        put!(out, "wal_level {}; ", level_name(level));
    }
    if let Some(on) = point.logical_decoding_enabled {
        put!(out, "logical decoding {on}; ");
    }
    let (epoch, xid) = (point.next_full_xid.epoch(), point.next_full_xid.xid());
    let between = if layout.since(Major::V9_6) { ':' } else { '/' };
    put!(
        out,
        "xid {epoch}{between}{xid}; oid {}; multi {}; offset {}; oldest xid {} in DB {}; ",
        point.next_oid,
        point.next_multi,
        point.next_multi_offset,
        point.oldest_xid,
        point.oldest_xid_db
    );
    if let (Some(multi), Some(db)) = (point.oldest_multi, point.oldest_multi_db) {
        put!(out, "oldest multi {multi} in DB {db}; ");
    }
    if let (Some(oldest), Some(newest)) = (point.oldest_commit_ts_xid, point.newest_commit_ts_xid) {
        put!(
            out,
            "oldest/newest commit timestamp xid: {oldest}/{newest}; "
        );
    }
    put!(out, "oldest running xid {}; ", point.oldest_active_xid);
    if let Some(state) = point.data_checksum_state {
        put!(out, "checksums {}; ", checksum_state(state));
    }
    out.push_str(kind);
    Ok(())
}

fn parameter_change(layout: Layout, change: &ParameterChange, out: &mut String) {
    let on = |set: bool| if set { "on" } else { "off" };
    put!(out, "max_connections={}", change.max_connections);
    if let Some(n) = change.max_worker_processes {
        put!(out, " max_worker_processes={n}");
    }
    if let Some(n) = change.max_wal_senders {
        put!(out, " max_wal_senders={n}");
    }
    put!(
        out,
        " max_prepared_xacts={} max_locks_per_xact={} wal_level={}",
        change.max_prepared_xacts,
        change.max_locks_per_xact,
        level(layout, change.wal_level)
    );
    // 9.4 has wal_log_hints, but does not print it.
    if let (Some(hints), Some(track)) = (change.wal_log_hints, change.track_commit_timestamp) {
        let (hints, track) = (on(hints), on(track));
        put!(out, " wal_log_hints={hints} track_commit_timestamp={track}");
    }
}

/// `xlog2_desc`, 19.
pub(super) fn xlog2(_: Layout, record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    let state = Cursor::new("XLOG2 record", record.main).u32()?;
    out.push_str(checksum_state(state));
    Ok(())
}
