//! `rmgrdesc/gindesc.c`.

use super::super::array::Element;
use super::super::record::{BlockRef, Record};
use super::{identification, letter, put};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{BlockNumber, RelFileLocator};
use crate::format::version::{Layout, Major};

const INSERT_ISDATA: u16 = 0x01;
const INSERT_ISLEAF: u16 = 0x02;
const SPLIT_ROOT: u16 = 0x04;
/// Where `GinMetaPageData` ends that follows a locator.
const BEHIND_META_PAGE: usize = 72;

pub(super) fn describe(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    if !layout.since(Major::V9_5) {
        return legacy(layout, record, out);
    }
    let mut c = Cursor::new("Gin record", record.main);
    match record.header.rmgr_info() {
        0x20 => insert(layout, record, &mut c, out)?,
        0x30 => {
            c.skip(24)?;
            let flags = c.u16()?;
            put!(out, "isrootsplit: {} ", letter(flags & SPLIT_ROOT != 0));
            data_and_leaf(flags, out);
        }
        0x60 if layout.since(Major::V19) => update_meta_page(&mut c, out)?,
        0x70 if layout.since(Major::V19) => {
            c.skip(4)?;
            put!(out, "ntuples: {}", c.i32()?);
        }
        0x80 => {
            c.skip(56)?;
            put!(out, "ndeleted: {}", c.i32()?);
        }
        0x90 => match record.block(0) {
            Some(block) if block.image.is_some() => image(layout, &block, out),
            block => recompress_leaf(block.map(|block| block.data).unwrap_or_default(), out)?,
        },
        _ => {}
    }
    Ok(())
}

fn data_and_leaf(flags: u16, out: &mut String) {
    let data = letter(flags & INSERT_ISDATA != 0);
    let leaf = letter(flags & INSERT_ISLEAF != 0);
    put!(out, "isdata: {data} isleaf: {leaf}");
}

fn image(layout: Layout, block: &BlockRef<'_>, out: &mut String) {
    let only_verifies = block.image.is_some_and(|image| !image.apply);
    out.push_str(if only_verifies && layout.since(Major::V10) {
        " (full page image, for WAL verification)"
    } else {
        " (full page image)"
    });
}

/// `BlockIdData`.
fn block_id(c: &mut Cursor<'_>) -> Result<BlockNumber, Malformed> {
    let high = c.u16()?;
    Ok(u32::from(high) << 16 | u32::from(c.u16()?))
}

fn insert(
    layout: Layout,
    record: &Record<'_, '_>,
    c: &mut Cursor<'_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let flags = c.u16()?;
    data_and_leaf(flags, out);
    if flags & INSERT_ISLEAF == 0 {
        let (left, right) = (block_id(c)?, block_id(c)?);
        put!(out, " children: {left}/{right}");
    }
    match record.block(0) {
        Some(block) if block.image.is_some() => {
            image(layout, &block, out);
            Ok(())
        }
        block => inserted(
            flags,
            block.map(|block| block.data).unwrap_or_default(),
            out,
        ),
    }
}

fn inserted(flags: u16, data: &[u8], out: &mut String) -> Result<(), Malformed> {
    let mut c = Cursor::new("Gin record", data);
    if flags & INSERT_ISDATA == 0 {
        let _offnum = c.u16()?;
        put!(out, " isdelete: {}", letter(c.bool()?));
    } else if flags & INSERT_ISLEAF != 0 {
        recompress_leaf(data, out)?;
    } else {
        let _offnum = c.u16()?;
        let (child, key, offnum) = (block_id(&mut c)?, block_id(&mut c)?, c.u16()?);
        put!(out, " pitem: {child}-{key}/{offnum}");
    }
    Ok(())
}

/// `ginxlogRecompressDataLeaf`.
fn recompress_leaf(data: &[u8], out: &mut String) -> Result<(), Malformed> {
    let mut c = Cursor::packed("Gin record", data);
    let nactions = c.u16()?;
    put!(out, " {nactions} segments:");
    for _ in 0..nactions {
        let (segno, action) = (c.u8()?, c.u8()?);
        match action {
            1 => put!(out, " {segno} (delete)"),
            2 | 3 => {
                // GinPostingList: first:6 nbytes:2, bytes padded to an even number.
                c.skip(6)?;
                let nbytes = usize::from(c.u16()?);
                c.skip(nbytes.next_multiple_of(2))?;
                let what = if action == 2 { "insert" } else { "replace" };
                put!(out, " {segno} ({what})");
            }
            4 => {
                let nitems = c.u16()?;
                c.skip(usize::from(nitems).saturating_mul(6))?;
                put!(out, " {segno} (add {nitems} items)");
            }
            _ => {
                put!(out, " {segno} unknown action {action} ???");
                return Ok(());
            }
        }
    }
    Ok(())
}

/// 19 and later.
fn update_meta_page(c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    c.skip(BEHIND_META_PAGE)?;
    let (prev_tail, new_rightlink, ntuples) = (c.u32()?, c.u32()?, c.i32()?);
    put!(out, "ntuples: {ntuples}");
    if prev_tail != crate::format::types::INVALID_BLOCK_NUMBER {
        put!(out, " prevTail: {prev_tail} newRightlink: {new_rightlink}");
    }
    Ok(())
}

fn node(locator: RelFileLocator, blkno: BlockNumber, out: &mut String) {
    put!(out, "node: {locator} blkno: {blkno}");
}

fn legacy(layout: Layout, record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    const METAPAGE: BlockNumber = 0;
    const ROOT: BlockNumber = 1;
    let mut c = Cursor::packed("Gin record", record.main);
    let locator = RelFileLocator::read(&mut c)?;
    match record.header.rmgr_info() {
        0x00 => {
            out.push_str("Create index, ");
            node(locator, ROOT, out);
        }
        0x10 => {
            out.push_str("Create posting tree, ");
            node(locator, c.u32()?, out);
        }
        0x20 => {
            out.push_str("Insert item, ");
            node(locator, c.u32()?, out);
            legacy_insert(layout, record, &mut c, out)?;
        }
        0x30 => {
            out.push_str("Page split, ");
            node(locator, c.u32()?, out);
            legacy_split(layout, &mut c, out)?;
        }
        0x40 => {
            out.push_str("Vacuum page, ");
            node(locator, c.u32()?, out);
        }
        0x50 => {
            out.push_str("Delete page, ");
            node(locator, c.u32()?, out);
        }
        0x60 => {
            out.push_str("Update metapage, ");
            node(locator, METAPAGE, out);
        }
        0x70 => {
            out.push_str("Insert new list page, ");
            node(locator, c.u32()?, out);
        }
        0x80 => {
            // GinMetaPageData grew in 9.1.
            let behind = if layout.since(Major::V9_1) {
                BEHIND_META_PAGE
            } else {
                40
            };
            c.skip(behind.saturating_sub(c.at()))?;
            put!(out, "Delete list pages ({}), ", c.i32()?);
            node(locator, METAPAGE, out);
        }
        0x90 => {
            out.push_str("Vacuum data leaf page, ");
            node(locator, c.u32()?, out);
            if record.blocks().len() > 0 {
                out.push_str(" (full page image)");
            } else {
                recompress_leaf(c.rest(), out)?;
            }
        }
        _ => identification(layout, record, out),
    }
    Ok(())
}

fn legacy_insert(
    layout: Layout,
    record: &Record<'_, '_>,
    c: &mut Cursor<'_>,
    out: &mut String,
) -> Result<(), Malformed> {
    /// `XLR_BKP_BLOCK(0)`.
    const FIRST_BLOCK: u8 = 0x08;
    if layout.since(Major::V9_4) {
        let flags = c.u16()?;
        out.push(' ');
        data_and_leaf(flags, out);
        c.skip(2)?; // up to a multiple of 4
        if flags & INSERT_ISLEAF == 0 {
            let (left, right) = (block_id(c)?, block_id(c)?);
            put!(out, " children: {left}/{right}");
        }
        if record.header.xl_info & FIRST_BLOCK != 0 {
            out.push_str(" (full page image)");
            return Ok(());
        }
        return inserted(flags, c.rest(), out);
    }
    let update_blkno = c.u32()?;
    let offnum = c.u16()?;
    let (delete, data, leaf) = (letter(c.bool()?), letter(c.bool()?), letter(c.bool()?));
    c.skip(1)?;
    let nitem = c.u16()?;
    put!(
        out,
        " offset: {offnum} nitem: {nitem} isdata: {data} isleaf {leaf} isdelete {delete} \
         updateBlkno:{update_blkno}"
    );
    Ok(())
}

fn legacy_split(layout: Layout, c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    if layout.since(Major::V9_4) {
        c.skip(16)?;
        let flags = c.u16()?;
        put!(out, " isrootsplit: {} ", letter(flags & SPLIT_ROOT != 0));
        data_and_leaf(flags, out);
    } else {
        c.skip(18)?;
        put!(out, " isrootsplit: {}", letter(c.bool()?));
    }
    Ok(())
}
