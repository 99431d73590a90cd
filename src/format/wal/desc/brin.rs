//! `rmgrdesc/brindesc.c`. 9.5 and later.

use super::super::record::Record;
use super::put;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::version::Layout;

pub(super) fn describe(
    _: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let mut c = Cursor::new("BRIN record", record.main);
    match record.header.rmgr_info() & 0x70 {
        0x00 => {
            let (pages, version) = (c.u32()?, c.u16()?);
            put!(out, "v{version} pagesPerRange {pages}");
        }
        0x10 => {
            let (blkno, pages, offnum) = (c.u32()?, c.u32()?, c.u16()?);
            put!(out, "heapBlk {blkno} pagesPerRange {pages} offnum {offnum}");
        }
        0x20 => {
            let old = c.u16()?;
            let (blkno, pages, new) = (c.u32()?, c.u32()?, c.u16()?);
            put!(
                out,
                "heapBlk {blkno} pagesPerRange {pages} old offnum {old}, new offnum {new}"
            );
        }
        0x30 => put!(out, "offnum {}", c.u16()?),
        0x40 => put!(out, "targetBlk {}", c.u32()?),
        0x50 => {
            let (pages, blkno, offnum) = (c.u32()?, c.u32()?, c.u16()?);
            put!(
                out,
                "pagesPerRange {pages}, heapBlk {blkno}, page offset {offnum}"
            );
        }
        _ => {}
    }
    Ok(())
}
