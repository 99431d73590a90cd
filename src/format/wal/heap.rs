//! Records of the `Heap` manager.
//!
//! Sources: `access/htup.h` (up to 9.2), `access/heapam_xlog.h`, `heap/heapam.c` and
//! `heap/heapam_xlog.c: heap_redo`. All versions.
//!
//! ```text
//! up to 9.4 the main data begins with the target: locator:12 | block hi:2 lo:2 | offnum:2
//!          9.0-9.2                9.3                    9.4
//! INSERT   20 cleared             20 cleared             20 flags    | 21 header:5, tuple
//! DELETE   20 cleared             20 xmax 24 infobits    same, 25 flags
//!                                 25 cleared
//! UPDATE   20 newtid:6            20 old xmax 24 new     same, 35 flags
//!          26 27 cleared          xmax 28 newtid:6       | 36 [prefix:2] [suffix:2] len:2
//!          | 28 header:5, tuple   34 infobits 35 36      header:5, tuple
//!                                 | 37 header:5, tuple
//! LOCK     20 xid 24 multi 25 shr 20 xid 24 infobits     same
//! NEWPAGE  locator:12 | 12 fork:4 | 16 blkno:4 | (9.4: hole_offset:2 hole_length:2) | page
//!
//! from 9.5 on the blocks are block references: 0 the page (the new one of an update), 1 the
//! old page of an update if another
//! INSERT   0 offnum:2 | 2 flags:1                        | block 0: header:5, tuple
//! DELETE   0 xmax:4 | 4 offnum:2 | 6 infobits | 7 flags
//! UPDATE   0 old xmax:4 | 4 old offnum:2 | 6 infobits | 7 flags | 8 new xmax:4 | 12 new offnum:2
//!                                                        | block 0: [prefix:2] [suffix:2]
//!                                                        header:5, tuple
//! LOCK     0 xmax:4 | 4 offnum:2 | 6 infobits | 7 flags (9.6+)
//! header:  infomask2:2 | infomask:2 | hoff:1; the tuple then from its null bitmap on
//! ```

use super::array::{Array, Element};
use super::record::{BlockImage, BlockRef, Compression, Record};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{
    BlockNumber, ForkNumber, OffsetNumber, Oid, RelFileLocator, TransactionId,
};
use crate::format::version::{Layout, Major};

/// One tuple of a relation's main fork.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Target {
    /// The relation's files.
    pub locator: RelFileLocator,
    /// The block.
    pub blkno: BlockNumber,
    /// The line pointer.
    pub offnum: OffsetNumber,
}

/// A tuple as records carry it: without the fields redo fills in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TupleData<'a> {
    /// `t_infomask2`.
    pub t_infomask2: u16,
    /// `t_infomask`.
    pub t_infomask: u16,
    /// `t_hoff`.
    pub t_hoff: u8,
    /// The bytes from `t_bits` on, less what an update leaves out.
    pub bytes: &'a [u8],
}

/// `XLH_*_ALL_VISIBLE_CLEARED`: redo clears the tuple's bit of the visibility map.
pub const ALL_VISIBLE_CLEARED: u8 = 0x01;
/// The same for the new page of an update.
pub const NEW_ALL_VISIBLE_CLEARED: u8 = 0x02;
/// `XLH_DELETE_IS_SUPER`, 9.5 and later: a speculative insertion is taken back.
pub const XLH_DELETE_IS_SUPER: u8 = 0x08;
/// `XLH_DELETE_IS_PARTITION_MOVE`, 11 and later.
pub const XLH_DELETE_IS_PARTITION_MOVE: u8 = 0x10;
/// `XLH_UPDATE_PREFIX_FROM_OLD`, 9.4 and later.
const PREFIX_FROM_OLD: u8 = 0x20;
/// `XLH_UPDATE_SUFFIX_FROM_OLD`, 9.4 and later.
const SUFFIX_FROM_OLD: u8 = 0x40;
/// `XLHL_XMAX_IS_MULTI`, 9.3 and later.
pub const XMAX_IS_MULTI: u8 = 0x01;

/// An update or a hot update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Update<'a> {
    /// The old tuple.
    pub old: Target,
    /// The new tuple; on the same page in a hot update.
    pub new: Target,
    /// `xmax` of the old tuple; the record's transaction up to 9.2.
    pub old_xmax: TransactionId,
    /// `xmax` of the new tuple; none up to 9.2.
    pub new_xmax: TransactionId,
    /// `old_infobits_set`, 9.3 and later.
    pub infobits: u8,
    /// Bits 0 and 1 as above; the others changed in 9.5.
    pub flags: u8,
    /// Bytes the new tuple shares with the old one before and after those in `tuple`,
    /// counted from `t_hoff` on; 9.4 and later.
    pub prefix_len: u16,
    /// See `prefix_len`.
    pub suffix_len: u16,
    /// The new tuple; none where a page image holds it.
    pub tuple: Option<TupleData<'a>>,
}

/// What a record of the `Heap` manager says.
#[derive(Clone, Copy, Debug)]
pub enum HeapOp<'a> {
    /// A tuple is added.
    Insert {
        /// Where.
        target: Target,
        /// Bit 0 as above; the others changed in 9.5.
        flags: u8,
        /// The tuple; none where a page image holds it.
        tuple: Option<TupleData<'a>>,
    },
    /// A tuple is deleted.
    Delete {
        /// Which.
        target: Target,
        /// Its `xmax`; the record's transaction up to 9.2.
        xmax: TransactionId,
        /// `infobits_set`, 9.3 and later.
        infobits: u8,
        /// Bit 0 as above; the others changed in 9.5.
        flags: u8,
    },
    /// A tuple gets a new version.
    Update(Update<'a>),
    /// The same, on one page and with no index touched.
    HotUpdate(Update<'a>),
    /// A page is written whole, up to 9.4.
    NewPage {
        /// The relation's files.
        locator: RelFileLocator,
        /// The fork.
        fork: ForkNumber,
        /// The block.
        blkno: BlockNumber,
        /// The page.
        image: BlockImage<'a>,
    },
    /// A speculative insertion stays, 9.5 and later.
    Confirm(Target),
    /// `TRUNCATE`, told for logical decoding only; 11 and later.
    Truncate {
        /// The database.
        db: Oid,
        /// 1 cascade, 2 restart sequences.
        flags: u8,
        /// The tables, by object identifier.
        relids: Array<'a, u32>,
    },
    /// A tuple is locked.
    Lock {
        /// Which.
        target: Target,
        /// Its `xmax`.
        xmax: TransactionId,
        /// `infobits_set`; up to 9.2 only [`XMAX_IS_MULTI`].
        infobits: u8,
        /// Bit 0: its all-frozen bit is cleared; 9.6 and later.
        flags: u8,
    },
    /// A tuple is overwritten where it is.
    Inplace {
        /// Which.
        target: Target,
        /// Its new data.
        data: &'a [u8],
    },
    /// A kind the version does not have.
    Unknown(u8),
}

/// `XLOG_HEAP_INIT_PAGE`: redo makes the page anew.
pub const XLOG_HEAP_INIT_PAGE: u8 = 0x80;
/// `XLOG_HEAP_OPMASK`.
pub(super) const OPMASK: u8 = 0x70;

/// `ItemPointerData`: two halves of the block, then the line pointer.
pub(super) fn item_pointer(c: &mut Cursor<'_>) -> Result<(BlockNumber, OffsetNumber), Malformed> {
    let high = c.u16()?;
    let low = c.u16()?;
    Ok((u32::from(high) << 16 | u32::from(low), c.u16()?))
}

/// `xl_heaptid`, up to 9.4.
pub(super) fn legacy_target(c: &mut Cursor<'_>) -> Result<Target, Malformed> {
    let locator = RelFileLocator::read(c)?;
    let (blkno, offnum) = item_pointer(c)?;
    Ok(Target {
        locator,
        blkno,
        offnum,
    })
}

/// The block numbered `id`, 9.5 and later.
pub(super) fn required_block<'a>(
    record: &Record<'a, '_>,
    id: u8,
    c: &Cursor<'_>,
) -> Result<BlockRef<'a>, Malformed> {
    record
        .block(id)
        .ok_or(c.malformed("block reference missing"))
}

/// The place of a tuple on the block numbered `id`, 9.5 and later.
pub(super) fn target(
    record: &Record<'_, '_>,
    id: u8,
    offnum: OffsetNumber,
    c: &Cursor<'_>,
) -> Result<Target, Malformed> {
    let block = required_block(record, id, c)?;
    Ok(Target {
        locator: block.locator,
        blkno: block.blkno,
        offnum,
    })
}

/// `xl_heap_header` and the tuple behind it; nothing when the bytes were left out.
fn tuple<'a>(bytes: &'a [u8]) -> Option<TupleData<'a>> {
    let mut c = Cursor::packed("xl_heap_header", bytes);
    Some(TupleData {
        t_infomask2: c.u16().ok()?,
        t_infomask: c.u16().ok()?,
        t_hoff: c.u8().ok()?,
        bytes: c.rest(),
    })
}

/// Reads the main data and the blocks.
///
/// # Errors
/// When it is too short for its kind, or a block reference is missing.
pub fn parse<'a>(layout: Layout, record: &Record<'a, '_>) -> Result<HeapOp<'a>, Malformed> {
    let info = record.header.rmgr_info();
    let mut c = Cursor::new("Heap record", record.main);
    if layout.since(Major::V9_5) {
        parse_modern(layout, record, &mut c)
    } else {
        match info & OPMASK {
            0x50 => new_page(layout, &mut c),
            0x30 => Ok(HeapOp::Unknown(info)),
            op => parse_legacy(layout, record, op, &mut c),
        }
    }
}

fn parse_modern<'a>(
    layout: Layout,
    record: &Record<'a, '_>,
    c: &mut Cursor<'a>,
) -> Result<HeapOp<'a>, Malformed> {
    let info = record.header.rmgr_info();
    let data = record.block(0).map(|block| block.data).unwrap_or_default();
    Ok(match info & OPMASK {
        0x00 => HeapOp::Insert {
            target: target(record, 0, c.u16()?, c)?,
            flags: c.u8()?,
            tuple: tuple(data),
        },
        0x10 => {
            let xmax = TransactionId(c.u32()?);
            HeapOp::Delete {
                target: target(record, 0, c.u16()?, c)?,
                xmax,
                infobits: c.u8()?,
                flags: c.u8()?,
            }
        }
        0x20 => HeapOp::Update(modern_update(record, data, c)?),
        0x40 => HeapOp::HotUpdate(modern_update(record, data, c)?),
        0x30 if layout.since(Major::V11) => {
            let db = c.u32()?;
            let n = c.u32()?;
            let flags = c.u8()?;
            c.align(4)?;
            HeapOp::Truncate {
                db,
                flags,
                relids: Array::take(c, n.into())?,
            }
        }
        0x50 => HeapOp::Confirm(target(record, 0, c.u16()?, c)?),
        0x60 => {
            let xmax = TransactionId(c.u32()?);
            HeapOp::Lock {
                target: target(record, 0, c.u16()?, c)?,
                xmax,
                infobits: c.u8()?,
                flags: if layout.since(Major::V9_6) {
                    c.u8()?
                } else {
                    0
                },
            }
        }
        0x70 => HeapOp::Inplace {
            target: target(record, 0, c.u16()?, c)?,
            data,
        },
        _ => HeapOp::Unknown(info),
    })
}

fn modern_update<'a>(
    record: &Record<'a, '_>,
    data: &'a [u8],
    c: &mut Cursor<'a>,
) -> Result<Update<'a>, Malformed> {
    let old_xmax = TransactionId(c.u32()?);
    let old_offnum = c.u16()?;
    let infobits = c.u8()?;
    let flags = c.u8()?;
    let new_xmax = TransactionId(c.u32()?);
    let new = target(record, 0, c.u16()?, c)?;
    let old = match record.block(1) {
        Some(_) => target(record, 1, old_offnum, c)?,
        None => Target {
            offnum: old_offnum,
            ..new
        },
    };
    let mut d = Cursor::packed("Heap record", data);
    // Without data a page image holds the tuple.
    let mut shared = |bit: u8| {
        let there = flags & bit != 0 && !data.is_empty();
        there
            .then(|| d.u16())
            .transpose()
            .map(Option::unwrap_or_default)
    };
    let prefix_len = shared(PREFIX_FROM_OLD)?;
    let suffix_len = shared(SUFFIX_FROM_OLD)?;
    Ok(Update {
        old,
        new,
        old_xmax,
        new_xmax,
        infobits,
        flags,
        prefix_len,
        suffix_len,
        tuple: tuple(d.rest()),
    })
}

fn parse_legacy<'a>(
    layout: Layout,
    record: &Record<'a, '_>,
    op: u8,
    c: &mut Cursor<'a>,
) -> Result<HeapOp<'a>, Malformed> {
    let own = record.header.xl_xid;
    let since_93 = layout.since(Major::V9_3);
    let target = legacy_target(c)?;
    Ok(match op {
        0x00 => {
            c.align(4)?;
            HeapOp::Insert {
                target,
                flags: c.u8()?,
                tuple: tuple(c.rest()),
            }
        }
        0x10 => {
            c.align(4)?;
            let (xmax, infobits) = if since_93 {
                (TransactionId(c.u32()?), c.u8()?)
            } else {
                (own, 0)
            };
            HeapOp::Delete {
                target,
                xmax,
                infobits,
                flags: c.u8()?,
            }
        }
        0x20 => HeapOp::Update(legacy_update(layout, record, target, c)?),
        0x40 => HeapOp::HotUpdate(legacy_update(layout, record, target, c)?),
        0x60 => {
            c.align(4)?;
            let xmax = TransactionId(c.u32()?);
            // Up to 9.2 a bool with the meaning of the first bit, then one for the mode.
            HeapOp::Lock {
                target,
                xmax,
                infobits: c.u8()?,
                flags: 0,
            }
        }
        // 0x70; the others were told apart before.
        _ => HeapOp::Inplace {
            target,
            data: c.rest(),
        },
    })
}

fn legacy_update<'a>(
    layout: Layout,
    record: &Record<'a, '_>,
    old: Target,
    c: &mut Cursor<'a>,
) -> Result<Update<'a>, Malformed> {
    let mut update = Update {
        old,
        new: old,
        old_xmax: record.header.xl_xid,
        new_xmax: TransactionId::INVALID,
        infobits: 0,
        flags: 0,
        prefix_len: 0,
        suffix_len: 0,
        tuple: None,
    };
    c.align(4)?;
    if layout.since(Major::V9_3) {
        update.old_xmax = TransactionId(c.u32()?);
        update.new_xmax = TransactionId(c.u32()?);
    }
    let (blkno, offnum) = item_pointer(c)?;
    update.new = Target {
        locator: old.locator,
        blkno,
        offnum,
    };
    if layout.since(Major::V9_3) {
        update.infobits = c.u8()?;
    }
    if !layout.since(Major::V9_4) {
        for flag in [ALL_VISIBLE_CLEARED, NEW_ALL_VISIBLE_CLEARED] {
            if c.bool()? {
                update.flags |= flag;
            }
        }
        update.tuple = tuple(c.rest());
        return Ok(update);
    }
    update.flags = c.u8()?;
    let mut d = Cursor::packed("Heap record", c.rest());
    if update.flags & PREFIX_FROM_OLD != 0 {
        update.prefix_len = d.u16()?;
    }
    if update.flags & SUFFIX_FROM_OLD != 0 {
        update.suffix_len = d.u16()?;
    }
    // `xl_heap_header_len`: the length counts the tuple without the header, as the old
    // tuple may follow it.
    if let Ok(t_len) = d.u16() {
        let len = usize::from(t_len).saturating_add(5);
        update.tuple = d.bytes(len).ok().and_then(tuple);
    }
    Ok(update)
}

fn new_page<'a>(layout: Layout, c: &mut Cursor<'a>) -> Result<HeapOp<'a>, Malformed> {
    let locator = RelFileLocator::read(c)?;
    let fork = ForkNumber::from_number(c.u32()?).ok_or(c.malformed("unknown fork"))?;
    let blkno = c.u32()?;
    let (hole_offset, hole_length) = if layout.since(Major::V9_4) {
        (c.u16()?, c.u16()?)
    } else {
        (0, 0)
    };
    Ok(HeapOp::NewPage {
        locator,
        fork,
        blkno,
        image: BlockImage {
            bytes: c.rest(),
            hole_offset,
            hole_length,
            compression: Compression::None,
            apply: true,
        },
    })
}
