//! Records of the `Heap2` manager.
//!
//! Sources: `access/htup.h` (up to 9.2), `access/heapam_xlog.h`, `heap/heapam.c` and
//! `heap/heapam_xlog.c: heap2_redo`. All versions; the kinds were renumbered in 9.3, 9.4,
//! 14, 17 and 19.
//!
//! ```text
//! up to 9.4
//! CLEAN         locator:12 | 12 blkno:4 | 16 latestRemovedXid:4 | 20 nredirected:2
//!               | 22 ndead:2 | 24 {from:2 to:2} ... | dead:2 ... | unused:2 ...
//! FREEZE        locator:12 | 12 blkno:4 | 16 cutoff_xid:4 | (9.3: cutoff_multi:4) | offnum:2 ...
//! FREEZE_PAGE   locator:12 | 12 blkno:4 | 16 cutoff_xid:4 | 20 n:2 | 24 plan:12 ...
//! VISIBLE       locator:12 | 12 blkno:4 | 16 cutoff_xid:4
//! MULTI_INSERT  locator:12 | 12 blkno:4 | 16 flags:1 | 18 n:2 | 20 offnum:2 ... | tuples
//! LOCK_UPDATED  locator:12 block:4 offnum:2 | 20 xmax:4 | 24 infobits:1
//! 9.5 on, block 0 the page (VISIBLE: 0 the map's page, 1 the heap's)
//! CLEAN, PRUNE  latestRemovedXid:4 | 4 nredirected:2 | 6 ndead:2   | block 0: as above
//! VACUUM        nunused:2                                          | block 0: unused:2 ...
//! PRUNE_* (17+) reason:1 flags:1, 19 flags:2 | [conflict xid:4]    | block 0: see formats
//! FREEZE_PAGE   cutoff_xid:4 | 4 n:2
//! VISIBLE       cutoff_xid:4 | 4 flags:1 (9.6+)
//! MULTI_INSERT  flags:1 | 2 n:2 | 4 offnum:2 ...
//!               | block 0: 2-aligned {datalen:2 infomask2:2 infomask:2 hoff:1 data} ...
//! LOCK_UPDATED  xmax:4 | 4 offnum:2 | 6 infobits:1 | 7 flags:1 (9.6+)
//! NEW_CID       top_xid:4 cmin:4 cmax:4 combocid:4 | 16 locator:12 | 28 block:4 offnum:2
//! ```

use super::array::{Array, Element};
use super::heap::{OPMASK, Target, XLOG_HEAP_INIT_PAGE, legacy_target, required_block, target};
use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{BlockNumber, OffsetNumber, RelFileLocator, TransactionId};
use crate::format::version::{Layout, Major};

/// A page of a relation's main fork.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HeapPage {
    /// The relation's files.
    pub locator: RelFileLocator,
    /// The block.
    pub blkno: BlockNumber,
}

/// Tuples added to one page at a time.
#[derive(Clone, Copy, Debug)]
pub struct MultiInsert<'a> {
    /// Where.
    pub page: HeapPage,
    /// Bit 0: redo clears the page's bit of the visibility map; the others changed in 9.5.
    pub flags: u8,
    /// How many tuples.
    pub ntuples: u16,
    /// Their line pointers; with `init` they count from 1 and are not given.
    pub offsets: Array<'a, u16>,
    /// Redo makes the page anew.
    pub init: bool,
    /// `xl_multi_insert_tuple`s at even offsets; empty where a page image holds them.
    pub tuples: &'a [u8],
}

/// `XLHP_VM_ALL_VISIBLE` and `XLHP_VM_ALL_FROZEN`, 19 and later.
pub const SETS_VISIBILITY_MAP: u16 = 0x0300;

/// What a record of the `Heap2` manager says.
#[derive(Clone, Copy, Debug)]
pub enum Heap2Op<'a> {
    /// Dead tuples become redirected, dead or unused line pointers (`CLEAN`, `PRUNE*`,
    /// `VACUUM`), and from 17 on tuples are frozen.
    Prune {
        /// The page.
        page: HeapPage,
        /// `latestRemovedXid`, later the conflict horizon.
        conflict_xid: Option<TransactionId>,
        /// Flags of 17 and later: 0x100 and 0x200 set bits of the visibility map (19).
        flags: u16,
    },
    /// Tuples are frozen (`FREEZE`, `FREEZE_PAGE`).
    Freeze {
        /// The page.
        page: HeapPage,
        /// `cutoff_xid`.
        cutoff_xid: TransactionId,
    },
    /// Standbys must end queries that need this transaction; up to 13.
    CleanupInfo {
        /// The relation's files.
        locator: RelFileLocator,
        /// `latestRemovedXid`.
        latest_removed_xid: TransactionId,
    },
    /// A page's bit of the visibility map is set; 9.2 to 18.
    Visible {
        /// The heap page.
        page: HeapPage,
        /// `cutoff_xid`.
        cutoff_xid: TransactionId,
        /// `VISIBILITYMAP_ALL_VISIBLE` 1, `ALL_FROZEN` 2; 9.6 and later.
        flags: u8,
    },
    /// Tuples are added.
    MultiInsert(MultiInsert<'a>),
    /// An old version of a locked tuple is locked; 9.3 and later.
    LockUpdated {
        /// Which.
        target: Target,
        /// Its `xmax`.
        xmax: TransactionId,
        /// `infobits_set`.
        infobits: u8,
        /// Bit 0: its all-frozen bit is cleared; 9.6 and later.
        flags: u8,
    },
    /// A catalog tuple's command numbers, for logical decoding; 9.4 and later.
    NewCid {
        /// The top-level transaction.
        top_xid: TransactionId,
        /// The tuple.
        target: Target,
    },
    /// A mapping file of a rewritten catalog, for logical decoding; 9.4 and later.
    Rewrite {
        /// The transaction.
        mapped_xid: TransactionId,
    },
    /// A kind the version does not have.
    Unknown(u8),
}

fn page(c: &mut Cursor<'_>) -> Result<HeapPage, Malformed> {
    Ok(HeapPage {
        locator: RelFileLocator::read(c)?,
        blkno: c.u32()?,
    })
}

fn block_page(record: &Record<'_, '_>, id: u8, c: &Cursor<'_>) -> Result<HeapPage, Malformed> {
    let block = required_block(record, id, c)?;
    Ok(HeapPage {
        locator: block.locator,
        blkno: block.blkno,
    })
}

/// Reads the main data and the blocks.
///
/// # Errors
/// When it is too short for its kind, or a block reference is missing.
pub fn parse<'a>(layout: Layout, record: &Record<'a, '_>) -> Result<Heap2Op<'a>, Malformed> {
    let info = record.header.rmgr_info();
    let op = info & OPMASK;
    let mut c = Cursor::new("Heap2 record", record.main);
    let since = |major| layout.since(major);
    Ok(match op {
        0x00 if since(Major::V9_4) => Heap2Op::Rewrite {
            mapped_xid: TransactionId(c.u32()?),
        },
        0x00 => Heap2Op::Freeze {
            page: page(&mut c)?,
            cutoff_xid: TransactionId(c.u32()?),
        },
        0x10..=0x30 if since(Major::V17) => prune_freeze(layout, record, &mut c)?,
        0x20 if since(Major::V14) => Heap2Op::Prune {
            page: block_page(record, 0, &c)?,
            conflict_xid: None,
            flags: 0,
        },
        0x10 if since(Major::V9_5) => Heap2Op::Prune {
            page: block_page(record, 0, &c)?,
            conflict_xid: Some(TransactionId(c.u32()?)),
            flags: 0,
        },
        0x10 => Heap2Op::Prune {
            page: page(&mut c)?,
            conflict_xid: Some(TransactionId(c.u32()?)),
            flags: 0,
        },
        0x30 if since(Major::V14) => freeze_page(layout, record, &mut c)?,
        0x20 if since(Major::V9_3) && !since(Major::V14) => freeze_page(layout, record, &mut c)?,
        0x30 => Heap2Op::CleanupInfo {
            locator: RelFileLocator::read(&mut c)?,
            latest_removed_xid: TransactionId(c.u32()?),
        },
        0x40 if since(Major::V9_2) && !since(Major::V19) => {
            let page = if since(Major::V9_5) {
                block_page(record, 1, &c)?
            } else {
                page(&mut c)?
            };
            Heap2Op::Visible {
                page,
                cutoff_xid: TransactionId(c.u32()?),
                flags: if since(Major::V9_6) { c.u8()? } else { 1 },
            }
        }
        0x50 if since(Major::V9_2) => Heap2Op::MultiInsert(multi_insert(layout, record, &mut c)?),
        0x60 if since(Major::V9_5) => {
            let xmax = TransactionId(c.u32()?);
            Heap2Op::LockUpdated {
                target: target(record, 0, c.u16()?, &c)?,
                xmax,
                infobits: c.u8()?,
                flags: if since(Major::V9_6) { c.u8()? } else { 0 },
            }
        }
        0x60 if since(Major::V9_3) => {
            let target = legacy_target(&mut c)?;
            Heap2Op::LockUpdated {
                target,
                xmax: TransactionId(c.u32()?),
                infobits: c.u8()?,
                flags: 0,
            }
        }
        0x70 if since(Major::V9_4) => {
            let top_xid = TransactionId(c.u32()?);
            c.skip(12)?;
            Heap2Op::NewCid {
                top_xid,
                target: legacy_target(&mut c)?,
            }
        }
        _ => Heap2Op::Unknown(info),
    })
}

/// `xl_heap_prune`, 17 and later.
fn prune_freeze<'a>(
    layout: Layout,
    record: &Record<'a, '_>,
    c: &mut Cursor<'a>,
) -> Result<Heap2Op<'a>, Malformed> {
    /// `XLHP_HAS_CONFLICT_HORIZON`.
    const HAS_CONFLICT_HORIZON: u16 = 8;
    let flags = if layout.since(Major::V19) {
        c.u16()?
    } else {
        let _reason = c.u8()?;
        c.u8()?.into()
    };
    let conflict_xid = if flags & HAS_CONFLICT_HORIZON != 0 {
        // Not aligned.
        Some(TransactionId(u32::from_le_bytes(c.array()?)))
    } else {
        None
    };
    Ok(Heap2Op::Prune {
        page: block_page(record, 0, c)?,
        conflict_xid,
        flags,
    })
}

fn freeze_page<'a>(
    layout: Layout,
    record: &Record<'a, '_>,
    c: &mut Cursor<'a>,
) -> Result<Heap2Op<'a>, Malformed> {
    let page = if layout.since(Major::V9_5) {
        block_page(record, 0, c)?
    } else {
        page(c)?
    };
    Ok(Heap2Op::Freeze {
        page,
        cutoff_xid: TransactionId(c.u32()?),
    })
}

fn multi_insert<'a>(
    layout: Layout,
    record: &Record<'a, '_>,
    c: &mut Cursor<'a>,
) -> Result<MultiInsert<'a>, Malformed> {
    let init = record.header.xl_info & XLOG_HEAP_INIT_PAGE != 0;
    let modern = layout.since(Major::V9_5);
    let page = if modern {
        block_page(record, 0, c)?
    } else {
        page(c)?
    };
    let flags = c.u8()?;
    let ntuples = c.u16()?;
    let offsets = if init {
        Array::default()
    } else {
        Array::take(c, ntuples.into())?
    };
    let tuples = if modern {
        record.block(0).map(|block| block.data).unwrap_or_default()
    } else {
        c.rest()
    };
    Ok(MultiInsert {
        page,
        flags,
        ntuples,
        offsets,
        init,
        tuples,
    })
}

impl<'a> MultiInsert<'a> {
    /// The tuples with their line pointers, until the bytes end.
    pub fn iter(
        &self,
    ) -> impl Iterator<Item = (OffsetNumber, super::heap::TupleData<'a>)> + use<'a> {
        let mut c = Cursor::new("xl_multi_insert_tuple", self.tuples);
        let mut given = self.offsets.iter();
        let init = self.init;
        (1..=self.ntuples).map_while(move |nth| {
            let offnum = if init { nth } else { given.next()? };
            let datalen = c.u16().ok()?;
            Some((
                offnum,
                super::heap::TupleData {
                    t_infomask2: c.u16().ok()?,
                    t_infomask: c.u16().ok()?,
                    t_hoff: c.u8().ok()?,
                    bytes: c.bytes(datalen.into()).ok()?,
                },
            ))
        })
    }
}
