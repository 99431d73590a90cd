//! `rmgrdesc/spgdesc.c`. 9.2 and later.

use super::super::record::Record;
use super::{flag, put, rel};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::version::{Layout, Major};

pub(super) fn describe(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let info = record.header.rmgr_info();
    let mut c = Cursor::new("SPGist record", record.main);
    if layout.since(Major::V14) {
        since_14(layout, info, &mut c, out)
    } else if layout.since(Major::V9_5) {
        since_9_5(info, &mut c, out)
    } else {
        legacy(info, &mut c, out)
    }
}

fn since_14(
    layout: Layout,
    info: u8,
    c: &mut Cursor<'_>,
    out: &mut String,
) -> Result<(), Malformed> {
    match info {
        0x10 => {
            let (new_page, nulls) = (c.bool()?, c.bool()?);
            let (leaf, head) = (c.u16()?, c.u16()?);
            put!(out, "off: {leaf}, headoff: {head}");
            parent(c, out)?;
            flag(out, new_page, "newpage");
            flag(out, nulls, "nulls");
        }
        0x20 => {
            put!(out, "nmoves: {}", c.u16()?);
            let (new_page, replace_dead, nulls) = (c.bool()?, c.bool()?, c.bool()?);
            parent(c, out)?;
            flag(out, new_page, "newpage");
            flag(out, replace_dead, "replacedead");
            flag(out, nulls, "nulls");
        }
        0x30 => {
            let (offnum, new) = (c.u16()?, c.u16()?);
            let new_page = c.bool()?;
            let [parent_blk] = c.array::<1>()?;
            let parent_blk = i8::from_le_bytes([parent_blk]);
            put!(out, "off: {offnum}, newoff: {new}, parentBlk: {parent_blk}");
            parent(c, out)?;
            flag(out, new_page, "newpage");
        }
        0x40 => {
            let (prefix, postfix) = (c.u16()?, c.u16()?);
            put!(out, "prefixoff: {prefix}, postfixoff: {postfix}");
            let (new_page, same) = (c.bool()?, c.bool()?);
            flag(out, new_page, "newpage");
            flag(out, same, "same");
        }
        0x50 => picksplit(c, out)?,
        0x60 => {
            let (dead, placeholder, moved, chain) = (c.u16()?, c.u16()?, c.u16()?, c.u16()?);
            put!(
                out,
                "ndead: {dead}, nplaceholder: {placeholder}, nmove: {moved}, nchain: {chain}"
            );
        }
        0x70 => put!(out, "ndelete: {}", c.u16()?),
        0x80 => vacuum_redirect(layout, c, out)?,
        _ => {}
    }
    Ok(())
}

/// Where the parent points from.
fn parent(c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    let (offnum, node) = (c.u16()?, c.u16()?);
    put!(out, ", parentoff: {offnum}, nodeI: {node}");
    Ok(())
}

fn picksplit(c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    let is_root_split = c.bool()?;
    let (ndelete, ninsert) = (c.u16()?, c.u16()?);
    let (_init_src, _init_dest) = (c.bool()?, c.bool()?);
    let inner = c.u16()?;
    let (_init_inner, nulls, inner_is_parent) = (c.bool()?, c.bool()?, c.bool()?);
    put!(
        out,
        "ndelete: {ndelete}, ninsert: {ninsert}, inneroff: {inner}"
    );
    parent(c, out)?;
    flag(out, inner_is_parent, "innerIsParent");
    flag(out, nulls, "nulls");
    flag(out, is_root_split, "isRootSplit");
    Ok(())
}

fn vacuum_redirect(layout: Layout, c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    let (to_placeholder, first, xid) = (c.u16()?, c.u16()?, c.u32()?);
    put!(
        out,
        "ntoplaceholder: {to_placeholder}, firstplaceholder: {first}, "
    );
    if layout.since(Major::V16) {
        put!(out, "snapshotConflictHorizon: {xid}");
    } else {
        put!(out, "newestredirectxid: {xid}");
    }
    if layout.since(Major::V17) {
        put!(out, ", isCatalogRel: {}", super::letter(c.bool()?));
    }
    Ok(())
}

fn since_9_5(info: u8, c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    match info {
        0x10 => {
            let (new_page, nulls) = (c.bool()?, c.bool()?);
            let (leaf, head, parent) = (c.u16()?, c.u16()?, c.u16()?);
            put!(
                out,
                "add leaf to page; off {leaf}; headoff {head}; parentoff {parent}"
            );
            flag(out, new_page, "newpage");
            flag(out, nulls, "nulls");
        }
        0x20 => put!(out, "{} leafs", c.u16()?),
        0x30 => put!(out, "off {}", c.u16()?),
        0x40 => {
            let (prefix, postfix) = (c.u16()?, c.u16()?);
            let (new, same) = (u8::from(c.bool()?), u8::from(c.bool()?));
            put!(
                out,
                "prefix off: {prefix}, postfix off: {postfix} (same {same}, new {new})"
            );
        }
        0x50 => {
            let is_root_split = c.bool()?;
            let (ndelete, ninsert) = (c.u16()?, c.u16()?);
            let _init = (c.bool()?, c.bool()?);
            let _inner = (c.u16()?, c.bool()?, c.bool()?);
            put!(out, "ndel {ndelete}; nins {ninsert}");
            flag(out, c.bool()?, "innerIsParent");
            flag(out, is_root_split, "isRootSplit");
        }
        0x80 => {
            c.skip(4)?;
            put!(out, "newest XID {}", c.u32()?);
        }
        _ => {}
    }
    Ok(())
}

fn legacy(info: u8, c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    if info == 0 {
        out.push_str("create_index: ");
        return rel(c, out);
    }
    rel(c, out)?;
    let blkno = c.u32()?;
    match info {
        0x10 => put!(out, " add leaf to page: {blkno}"),
        0x20 => {
            let (to, moves) = (c.u32()?, c.u16()?);
            put!(out, " move {moves} leafs from page {blkno} to page {to}");
        }
        0x30 => put!(out, " add node to {blkno}:{}", c.u16()?),
        0x40 => {
            let (offnum, postfix_blkno, postfix) = (c.u16()?, c.u32()?, c.u16()?);
            put!(
                out,
                " split node {blkno}:{offnum} to {postfix_blkno}:{postfix}"
            );
        }
        0x50 => out.push_str(" split leaf page"),
        0x60 => put!(out, " vacuum leaf tuples on page {blkno}"),
        0x70 => put!(out, " vacuum leaf tuples on root page {blkno}"),
        0x80 => {
            c.skip(4)?;
            put!(
                out,
                " vacuum redirect tuples on page {blkno}, newest XID {}",
                c.u32()?
            );
        }
        _ => {}
    }
    Ok(())
}
