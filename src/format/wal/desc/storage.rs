//! `rmgrdesc/smgrdesc.c`, `clogdesc.c`, `dbasedesc.c`, `tblspcdesc.c`, `relmapdesc.c`.

use super::super::clog::{self, ClogOp};
use super::super::dbase::{self, DbaseOp};
use super::super::record::Record;
use super::super::relmap as relmap_record;
use super::super::smgr::{self as smgr_record, SmgrOp};
use super::super::tblspc::{self as tblspc_record, TblspcOp};
use super::{c_string, put};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::names::relation_path;
use crate::format::types::ForkNumber;
use crate::format::version::{Layout, Major};

/// What records up to 9.4 say first, where later ones have their identification.
fn prefix(layout: Layout, words: &str, out: &mut String) {
    if !layout.since(Major::V9_5) {
        out.push_str(words);
    }
}

pub(super) fn smgr(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    match smgr_record::parse(layout, record)? {
        SmgrOp::Create { locator, fork } => {
            prefix(layout, "file create: ", out);
            out.push_str(&relation_path(layout.version, locator, fork, 0));
        }
        SmgrOp::Truncate { locator, blkno, .. } => {
            prefix(layout, "file truncate: ", out);
            let path = relation_path(layout.version, locator, ForkNumber::Main, 0);
            put!(out, "{path} to {blkno} blocks");
            if layout.since(Major::V9_6) {
                let mut c = Cursor::new("Storage record", record.main);
                c.skip(16)?;
                put!(out, " flags {}", c.i32()?);
            }
        }
        SmgrOp::Unknown(_) => {}
    }
    Ok(())
}

pub(super) fn clog(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    match clog::parse(layout, record)? {
        ClogOp::ZeroPage(pageno) => {
            prefix(layout, "zeropage: ", out);
            if layout.since(Major::V10) {
                out.push_str("page ");
            }
            put!(out, "{pageno}");
        }
        ClogOp::Truncate {
            pageno,
            oldest: Some((xid, _)),
        } => put!(out, "page {pageno}; oldestXact {xid}"),
        ClogOp::Truncate { pageno, .. } => {
            prefix(layout, "truncate before: ", out);
            put!(out, "{pageno}");
        }
        ClogOp::Unknown(_) => {}
    }
    Ok(())
}

pub(super) fn dbase(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    match dbase::parse(layout, record)? {
        DbaseOp::CreateFileCopy {
            db,
            ts,
            src_db,
            src_ts,
        } => {
            prefix(layout, "create db: ", out);
            // 15 turned the pairs round.
            if layout.since(Major::V15) {
                put!(out, "copy dir {src_ts}/{src_db} to {ts}/{db}");
            } else {
                put!(out, "copy dir {src_db}/{src_ts} to {db}/{ts}");
            }
        }
        DbaseOp::CreateWalLog { db, ts } => put!(out, "create dir {ts}/{db}"),
        DbaseOp::Drop { db, tablespaces } => {
            prefix(layout, "drop db: ", out);
            out.push_str("dir");
            for ts in tablespaces.iter() {
                if layout.since(Major::V13) {
                    put!(out, " {ts}/{db}");
                } else {
                    put!(out, " {db}/{ts}");
                }
            }
        }
        DbaseOp::Unknown(_) => {}
    }
    Ok(())
}

pub(super) fn tblspc(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    match tblspc_record::parse(record)? {
        TblspcOp::Create { ts, path } => {
            prefix(layout, "create tablespace: ", out);
            put!(out, "{ts} \"{}\"", c_string(path));
        }
        TblspcOp::Drop(ts) => {
            prefix(layout, "drop tablespace: ", out);
            put!(out, "{ts}");
        }
        TblspcOp::Unknown(_) => {}
    }
    Ok(())
}

pub(super) fn relmap(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    if let Some(update) = relmap_record::parse(record)? {
        prefix(layout, "update relmap: ", out);
        let (db, ts, size) = (update.db, update.ts, update.data.len());
        put!(out, "database {db} tablespace {ts} size {size}");
    }
    Ok(())
}
