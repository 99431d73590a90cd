//! Managers with few words: `rmgrdesc/mxactdesc.c`, `seqdesc.c`, `committsdesc.c`,
//! `replorigindesc.c`, `genericdesc.c`, `logicalmsgdesc.c`.

use super::super::commit_ts::{self as commit_ts_record, CommitTsOp};
use super::super::lsn_text;
use super::super::multixact::{self as multixact_record, Members, MultiXactOp};
use super::super::record::Record;
use super::{c_string, each_after_blank, put, rel, time_text};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::XLogRecPtr;
use crate::format::version::{Layout, Major};

pub(super) fn multixact(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let legacy = !layout.since(Major::V9_5);
    match multixact_record::parse(layout, record)? {
        MultiXactOp::ZeroOffPage(pageno) if legacy => put!(out, "zero offsets page: {pageno}"),
        MultiXactOp::ZeroMemPage(pageno) if legacy => put!(out, "zero members page: {pageno}"),
        MultiXactOp::ZeroOffPage(pageno) | MultiXactOp::ZeroMemPage(pageno) => {
            put!(out, "{pageno}");
        }
        MultiXactOp::CreateId { mid, moff, members } => match members {
            Members::Xids(xids) => {
                put!(out, "create multixact {mid} offset {moff}:");
                each_after_blank(out, xids.iter());
            }
            Members::WithStatus(members) => {
                if legacy {
                    out.push_str("create mxid ");
                }
                put!(out, "{mid} offset {moff} nmembers {}: ", members.len());
                for member in members.iter() {
                    put!(out, "{} ({}) ", member.xid, status(member.status));
                }
            }
        },
        MultiXactOp::TruncateId { .. } if !layout.since(Major::V19) => {
            let mut c = Cursor::new("MultiXact record", record.main);
            let _db = c.u32()?;
            let (start_off, end_off) = (c.u32()?, c.u32()?);
            let (start_memb, end_memb) = (c.u32()?, c.u32()?);
            put!(
                out,
                "offsets [{start_off}, {end_off}), members [{start_memb}, {end_memb})"
            );
        }
        // The words of 19 are not known here.
        MultiXactOp::TruncateId { .. } | MultiXactOp::Unknown(_) => {}
    }
    Ok(())
}

fn status(status: u32) -> &'static str {
    match status {
        0 => "keysh",
        1 => "sh",
        2 => "fornokeyupd",
        3 => "forupd",
        4 => "nokeyupd",
        5 => "upd",
        _ => "unk",
    }
}

pub(super) fn seq(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    if !layout.since(Major::V9_5) {
        out.push_str("log: ");
    }
    rel(&mut Cursor::new("Sequence record", record.main), out)
}

pub(super) fn commit_ts(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    match commit_ts_record::parse(layout, record)? {
        CommitTsOp::ZeroPage(pageno) => put!(out, "{pageno}"),
        CommitTsOp::Truncate {
            pageno,
            oldest_xid: Some(xid),
        } => put!(out, "pageno {pageno}, oldestXid {xid}"),
        CommitTsOp::Truncate { pageno, .. } => put!(out, "{pageno}"),
        CommitTsOp::SetTs {
            time,
            node,
            xid,
            subxacts,
        } => {
            put!(out, "set {}/{node} for: {xid}", time_text(time));
            for xid in subxacts.iter() {
                put!(out, ", {xid}");
            }
        }
        CommitTsOp::Unknown(_) => {}
    }
    Ok(())
}

pub(super) fn replorigin(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let mut c = Cursor::new("ReplicationOrigin record", record.main);
    if record.header.rmgr_info() == 0 {
        let lsn = XLogRecPtr(c.u64()?);
        let (node, force) = (c.u16()?, u8::from(c.bool()?));
        let lsn = lsn_text(layout.version, lsn);
        put!(out, "set {node}; lsn {lsn}; force: {force}");
    } else {
        put!(out, "drop {}", c.u16()?);
    }
    Ok(())
}

pub(super) fn generic(
    _: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let mut c = Cursor::packed("Generic record", record.main);
    while !c.rest().is_empty() {
        let (offset, length) = (c.u16()?, c.u16()?);
        put!(out, "offset {offset}, length {length}");
        c.skip(length.into())?;
        if !c.rest().is_empty() {
            out.push_str("; ");
        }
    }
    Ok(())
}

pub(super) fn logicalmsg(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    // xl_logical_message: db:4 transactional:1 prefix_size:8 message_size:8 prefix, message
    let mut c = Cursor::new("LogicalMessage record", record.main);
    let _db = c.u32()?;
    let transactional = c.bool()?;
    let (prefix_size, message_size) = (c.u64()?, c.u64()?);
    if !layout.since(Major::V14) {
        let kind = if transactional {
            "transactional"
        } else {
            "nontransactional"
        };
        put!(out, "{kind} message size {message_size} bytes");
        return Ok(());
    }
    let prefix = c.bytes(usize::try_from(prefix_size).unwrap_or(usize::MAX))?;
    let kind = if transactional { "" } else { "non-" };
    let prefix = c_string(prefix);
    put!(
        out,
        "{kind}transactional, prefix \"{prefix}\"; payload ({message_size} bytes): "
    );
    let message = c.bytes(usize::try_from(message_size).unwrap_or(usize::MAX))?;
    for (n, byte) in message.iter().enumerate() {
        let blank = if n > 0 { " " } else { "" };
        put!(out, "{blank}{byte:02X}");
    }
    Ok(())
}
