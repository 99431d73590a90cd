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
use crate::format::types::{BlockNumber, ForkNumber, Oid, OffsetNumber, RelFileLocator, TransactionId};
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
        relids: Array32<'a>,
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

/// Object identifiers.
pub type Array32<'a> = ArrayEq<'a>;

/// An [`Array`] of numbers that can be compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct ArrayEq<'a>(pub Array<'a, u32>);

impl PartialEq for ArrayEq<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().eq(other.0.iter())
    }
}

impl Eq for ArrayEq<'_> {}
