//! `rmgrdesc/nbtdesc.c`.

use super::super::array::Array;
use super::super::heap::{Target, legacy_target};
use super::super::record::Record;
use super::{full_xid, letter, numbers, put, rel};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::version::{Layout, Major};

pub(super) fn describe(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let mut c = Cursor::new("Btree record", record.main);
    if layout.since(Major::V9_5) {
        modern(layout, record, &mut c, out)
    } else {
        legacy(layout, record, &mut c, out)
    }
}

/// 9.5 and later. 16 put a colon behind each name and a comma behind each value.
fn modern(
    layout: Layout,
    record: &Record<'_, '_>,
    c: &mut Cursor<'_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let since = |major| layout.since(major);
    let colon = if since(Major::V16) { ":" } else { "" };
    match record.header.rmgr_info() {
        0x00 | 0x10 | 0x20 => put!(out, "off{colon} {}", c.u16()?),
        0x50 if since(Major::V13) => put!(out, "off{colon} {}", c.u16()?),
        0x60 if since(Major::V13) => put!(out, "nintervals{colon} {}", c.u16()?),
        0x30..=0x60 => {
            let (level, firstright) = (c.u32()?, c.u16()?);
            if since(Major::V13) {
                let (newitem, posting) = (c.u16()?, c.u16()?);
                put!(
                    out,
                    "level{colon} {level}, firstrightoff{colon} {firstright}, \
                     newitemoff{colon} {newitem}, postingoff{colon} {posting}"
                );
            } else {
                put!(out, "level {level}, firstright {firstright}");
            }
        }
        0x70 => delete(layout, record, c, out)?,
        0x80 | 0x90 => unlink_page(layout, c, out)?,
        0xA0 => {
            let (_root, level) = (c.u32()?, c.u32()?);
            let name = if since(Major::V16) { "level:" } else { "lev" };
            put!(out, "{name} {level}");
        }
        0xB0 => {
            let _poffset = c.u16()?;
            let (leaf, left, right, top) = (c.u32()?, c.u32()?, c.u32()?, c.u32()?);
            let stop = separator(layout);
            put!(
                out,
                "topparent{colon} {top}{stop} leaf{colon} {leaf}{stop} left{colon} {left}{stop} \
                 right{colon} {right}"
            );
        }
        0xC0 => vacuum(layout, record, c, out)?,
        0xD0 => reuse_page(layout, c, out)?,
        0xE0 => meta_cleanup(layout, record, out)?,
        _ => {}
    }
    Ok(())
}

fn separator(layout: Layout) -> &'static str {
    if layout.since(Major::V16) { "," } else { ";" }
}

fn delete(
    layout: Layout,
    record: &Record<'_, '_>,
    c: &mut Cursor<'_>,
    out: &mut String,
) -> Result<(), Malformed> {
    if !layout.since(Major::V13) {
        if layout.since(Major::V12) {
            let (xid, nitems) = (c.u32()?, c.i32()?);
            put!(out, "{nitems} items, latest removed xid {xid}");
        } else {
            c.skip(12)?;
            put!(out, "{} items", c.i32()?);
        }
        return Ok(());
    }
    let xid = c.u32()?;
    if !layout.since(Major::V14) {
        put!(out, "latestRemovedXid {xid}; ndeleted {}", c.u32()?);
        return Ok(());
    }
    let (ndeleted, nupdated) = (c.u16()?, c.u16()?);
    if !layout.since(Major::V16) {
        put!(
            out,
            "latestRemovedXid {xid}; ndeleted {ndeleted}; nupdated {nupdated}"
        );
        return Ok(());
    }
    put!(
        out,
        "snapshotConflictHorizon: {xid}, ndeleted: {ndeleted}, nupdated: {nupdated}"
    );
    if layout.since(Major::V17) {
        put!(out, ", isCatalogRel: {}", letter(c.bool()?));
    }
    deleted_and_updated(record, ndeleted, nupdated, out)
}

fn vacuum(
    layout: Layout,
    record: &Record<'_, '_>,
    c: &mut Cursor<'_>,
    out: &mut String,
) -> Result<(), Malformed> {
    if !layout.since(Major::V13) {
        put!(out, "lastBlockVacuumed {}", c.u32()?);
        return Ok(());
    }
    let (ndeleted, nupdated) = (c.u16()?, c.u16()?);
    if !layout.since(Major::V16) {
        put!(out, "ndeleted {ndeleted}; nupdated {nupdated}");
        return Ok(());
    }
    put!(out, "ndeleted: {ndeleted}, nupdated: {nupdated}");
    deleted_and_updated(record, ndeleted, nupdated, out)
}

/// `delvacuum_desc`, 16 and later: what stands in the data of block 0, unless an image took
/// its place.
fn deleted_and_updated(
    record: &Record<'_, '_>,
    ndeleted: u16,
    nupdated: u16,
    out: &mut String,
) -> Result<(), Malformed> {
    let data = record.block(0).map(|block| block.data).unwrap_or_default();
    if data.is_empty() {
        return Ok(());
    }
    let mut c = Cursor::packed("Btree record", data);
    let deleted: Array<'_, u16> = Array::take(&mut c, ndeleted.into())?;
    let updated: Array<'_, u16> = Array::take(&mut c, nupdated.into())?;
    out.push_str(", deleted: ");
    numbers(out, deleted);
    out.push_str(", updated: [");
    for (n, offnum) in updated.iter().enumerate() {
        let nptids = c.u16()?;
        let ptids: Array<'_, u16> = Array::take(&mut c, nptids.into())?;
        let comma = if n > 0 { ", " } else { "" };
        put!(out, "{comma}{{ off: {offnum}, nptids: {nptids}, ptids: ");
        numbers(out, ptids);
        out.push_str(" }");
    }
    out.push(']');
    Ok(())
}

fn unlink_page(layout: Layout, c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    let (left, right) = (c.u32()?, c.u32()?);
    if !layout.since(Major::V14) {
        let (leafleft, leafright, top, xact) = (c.u32()?, c.u32()?, c.u32()?, c.u32()?);
        put!(
            out,
            "left {left}; right {right}; btpo_xact {xact}; leafleft {leafleft}; leafright \
             {leafright}; topparent {top}"
        );
        return Ok(());
    }
    let (level, safexid) = (c.u32()?, full_xid(c.u64()?));
    let (leafleft, leafright, top) = (c.u32()?, c.u32()?, c.u32()?);
    let colon = if layout.since(Major::V16) { ":" } else { "" };
    let stop = separator(layout);
    put!(
        out,
        "left{colon} {left}{stop} right{colon} {right}{stop} level{colon} {level}{stop} \
         safexid{colon} {safexid}{stop} leafleft{colon} {leafleft}{stop} leafright{colon} \
         {leafright}{stop} leaftopparent{colon} {top}"
    );
    Ok(())
}

fn reuse_page(layout: Layout, c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    if !layout.since(Major::V16) {
        rel(c, out)?;
        let _blkno = c.u32()?;
        if layout.since(Major::V14) {
            put!(out, "; latestRemovedXid {}", full_xid(c.u64()?));
        } else {
            put!(out, "; latestRemovedXid {}", c.u32()?);
        }
        return Ok(());
    }
    out.push_str("rel: ");
    let locator = <crate::format::types::RelFileLocator as super::Element>::read(c)?;
    let (_blkno, xid) = (c.u32()?, full_xid(c.u64()?));
    put!(out, "{locator}, snapshotConflictHorizon: {xid}");
    if layout.since(Major::V17) {
        put!(out, ", isCatalogRel: {}", letter(c.bool()?));
    }
    Ok(())
}

/// `xl_btree_metadata`, in the data of block 0. `pg_waldump` 11 reads the wrong bytes here
/// and prints whatever stands in its memory; these are the right ones.
fn meta_cleanup(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let data = record.block(0).map(|block| block.data).unwrap_or_default();
    let mut c = Cursor::new("Btree record", data);
    // version (12 and later), root, level, fastroot, fastlevel
    c.skip(if layout.since(Major::V12) { 20 } else { 16 })?;
    let oldest = c.u32()?;
    if layout.since(Major::V16) {
        put!(out, "last_cleanup_num_delpages: {oldest}");
    } else if layout.since(Major::V14) {
        put!(out, "last_cleanup_num_delpages {oldest}");
    } else {
        let tuples = c.f64()?;
        put!(
            out,
            "oldest_btpo_xact {oldest}; last_cleanup_num_heap_tuples: {tuples:.6}"
        );
    }
    Ok(())
}

fn out_target(target: Target, out: &mut String) {
    super::heap::out_target(target, out);
}

fn legacy(
    layout: Layout,
    record: &Record<'_, '_>,
    c: &mut Cursor<'_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let info = record.header.rmgr_info();
    match info {
        0x00..=0x20 => {
            out.push_str(match info {
                0x00 => "insert: ",
                0x10 => "insert_upper: ",
                _ => "insert_meta: ",
            });
            out_target(legacy_target(c)?, out);
        }
        0x30..=0x60 => {
            out.push_str(match info {
                0x30 => "split_l: ",
                0x40 => "split_r: ",
                0x50 => "split_l_root: ",
                _ => "split_r_root: ",
            });
            rel(c, out)?;
            let (left, right, next) = (c.u32()?, c.u32()?, c.u32()?);
            let (level, firstright) = (c.u32()?, c.u16()?);
            put!(
                out,
                " left {left}, right {right}, next {next}, level {level}, firstright {firstright}"
            );
        }
        0xC0 => {
            out.push_str("vacuum: ");
            rel(c, out)?;
            let (blkno, last) = (c.u32()?, c.u32()?);
            put!(out, "; blk {blkno}, lastBlockVacuumed {last}");
        }
        0x70 => legacy_delete(c, out)?,
        0xA0 => {
            out.push_str("newroot: ");
            rel(c, out)?;
            let (root, level) = (c.u32()?, c.u32()?);
            put!(out, "; root {root} lev {level}");
        }
        0xD0 => {
            out.push_str("reuse_page: ");
            rel(c, out)?;
            let (_blkno, xid) = (c.u32()?, c.u32()?);
            put!(out, "; latestRemovedXid {xid}");
        }
        _ => legacy_page_deletion(layout, info, c, out)?,
    }
    Ok(())
}

fn legacy_delete(c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    let index = <crate::format::types::RelFileLocator as super::Element>::read(c)?;
    let blkno = c.u32()?;
    let heap = <crate::format::types::RelFileLocator as super::Element>::read(c)?;
    put!(out, "delete: index {index}; iblk {blkno}, heap {heap};");
    Ok(())
}

fn legacy_page_deletion(
    layout: Layout,
    info: u8,
    c: &mut Cursor<'_>,
    out: &mut String,
) -> Result<(), Malformed> {
    if !layout.since(Major::V9_4) {
        out.push_str("delete_page: ");
        out_target(legacy_target(c)?, out);
        let (dead, left, right) = (c.u32()?, c.u32()?, c.u32()?);
        put!(out, "; dead {dead}; left {left}; right {right}");
    } else if info == 0xB0 {
        out.push_str("mark_page_halfdead: ");
        out_target(legacy_target(c)?, out);
        let (leaf, left, right, top) = (c.u32()?, c.u32()?, c.u32()?, c.u32()?);
        put!(
            out,
            "; topparent {top}; leaf {leaf}; left {left}; right {right}"
        );
    } else {
        out.push_str("unlink_page: ");
        rel(c, out)?;
        let (dead, left, right) = (c.u32()?, c.u32()?, c.u32()?);
        let (leaf, leafleft, leafright, top, xact) =
            (c.u32()?, c.u32()?, c.u32()?, c.u32()?, c.u32()?);
        put!(
            out,
            "; dead {dead}; left {left}; right {right}; btpo_xact {xact}; leaf {leaf}; leafleft \
             {leafleft}; leafright {leafright}; topparent {top}"
        );
    }
    Ok(())
}
