//! `rmgrdesc/gistdesc.c`.

use super::super::record::Record;
use super::{full_xid, identification, letter, put, rel};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::version::{Layout, Major};

pub(super) fn describe(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let mut c = Cursor::new("Gist record", record.main);
    if !layout.since(Major::V9_5) {
        return legacy(layout, record, &mut c, out);
    }
    match record.header.rmgr_info() {
        0x10 => delete(layout, &mut c, out)?,
        0x20 => reuse_page(layout, &mut c, out)?,
        0x30 => {
            let (_origrlink, _orignsn, _origleaf) = (c.u32()?, c.u64()?, c.bool()?);
            put!(out, "page_split: splits to {} pages", c.u16()?);
        }
        0x60 => {
            let (xid, downlink) = (full_xid(c.u64()?), c.u16()?);
            put!(out, "deleteXid {xid}; downlink {downlink}");
        }
        _ => {}
    }
    Ok(())
}

fn delete(layout: Layout, c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    let (xid, nitems) = (c.u32()?, c.u16()?);
    if layout.since(Major::V16) {
        put!(
            out,
            "delete: snapshotConflictHorizon {xid}, nitems: {nitems}"
        );
    } else {
        put!(out, "delete: latestRemovedXid {xid}, nitems: {nitems}");
    }
    if layout.since(Major::V17) {
        put!(out, ", isCatalogRel {}", letter(c.bool()?));
    }
    Ok(())
}

fn reuse_page(layout: Layout, c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    rel(c, out)?;
    let (blkno, xid) = (c.u32()?, full_xid(c.u64()?));
    let name = if layout.since(Major::V16) {
        "snapshotConflictHorizon"
    } else {
        "latestRemovedXid"
    };
    put!(out, "; blk {blkno}; {name} {xid}");
    if layout.since(Major::V17) {
        put!(out, ", isCatalogRel {}", letter(c.bool()?));
    }
    Ok(())
}

fn legacy(
    layout: Layout,
    record: &Record<'_, '_>,
    c: &mut Cursor<'_>,
    out: &mut String,
) -> Result<(), Malformed> {
    // The records of 9.0 are others, and were described by more than themselves.
    if !layout.since(Major::V9_1) {
        identification(layout, record, out);
        return Ok(());
    }
    match record.header.rmgr_info() {
        0x00 => {
            out.push_str("page_update: ");
            rel(c, out)?;
            put!(out, "; block number {}", c.u32()?);
        }
        0x30 => {
            out.push_str("page_split: ");
            rel(c, out)?;
            let blkno = c.u32()?;
            // orignsn became one aligned number in 9.3.
            let mut at = Cursor::packed("Gist record", record.main);
            at.skip(if layout.since(Major::V9_3) { 40 } else { 36 })?;
            put!(out, "; block number {blkno} splits to {} pages", at.u16()?);
        }
        0x50 => {
            out.push_str("create_index: ");
            rel(c, out)?;
        }
        _ => identification(layout, record, out),
    }
    Ok(())
}
