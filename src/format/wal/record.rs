//! One WAL record, decoded: the same shape for every version.

use crate::format::types::{BlockNumber, ForkNumber, RelFileLocator, TransactionId, XLogRecPtr};

/// `XLogRecord`, the fixed part of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecordHeader {
    /// `xl_tot_len`: bytes of the whole record, this header included.
    pub xl_tot_len: u32,
    /// `xl_xid`.
    pub xl_xid: TransactionId,
    /// `xl_prev`: start of the record before this one.
    pub xl_prev: XLogRecPtr,
    /// `xl_info`: the high nibble is the resource manager's, the low one the framework's.
    pub xl_info: u8,
    /// `xl_rmid`.
    pub xl_rmid: u8,
    /// `xl_crc`.
    pub xl_crc: u32,
    /// `xl_len`, bytes of main data; up to 9.4 only, 0 later.
    pub xl_len: u32,
}

/// How a full-page image is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// As it is, without the hole.
    None,
    /// `pglz`, 9.5 and later.
    Pglz,
    /// `lz4`, 15 and later.
    Lz4,
    /// `zstd`, 15 and later.
    Zstd,
}

/// A full-page image (`BkpBlock` up to 9.4, `XLogRecordBlockImageHeader` later).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockImage<'a> {
    /// The stored bytes.
    pub bytes: &'a [u8],
    /// Where the left-out run of zero bytes begins.
    pub hole_offset: u16,
    /// How long it is.
    pub hole_length: u16,
    /// How `bytes` is compressed.
    pub compression: Compression,
    /// Whether redo writes it back; false only for `wal_consistency_checking`.
    pub apply: bool,
}

/// A block that a record refers to. Up to 9.4 only blocks with an image are listed here;
/// the others are named in each resource manager's main data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockRef<'a> {
    /// Block reference number, rising within a record.
    pub id: u8,
    /// The relation's files.
    pub locator: RelFileLocator,
    /// The fork.
    pub fork: ForkNumber,
    /// The block.
    pub blkno: BlockNumber,
    /// `BKPBLOCK_WILL_INIT`: redo makes the page anew and never reads the old one.
    pub will_init: bool,
    /// The full-page image.
    pub image: Option<BlockImage<'a>>,
    /// Data the resource manager attached to the block.
    pub data: &'a [u8],
}

/// A whole record. `'a` is the record's bytes, `'b` the decoder's reused list of blocks.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a, 'b> {
    /// Where it starts.
    pub lsn: XLogRecPtr,
    /// Where the next one starts; the LSN that redo stamps on pages.
    pub end_lsn: XLogRecPtr,
    /// The fixed part.
    pub header: RecordHeader,
    /// Replication origin, 9.5 and later.
    pub origin: Option<u16>,
    /// Top-level transaction, 14 and later at `wal_level = logical`.
    pub toplevel_xid: Option<TransactionId>,
    /// The blocks.
    pub blocks: &'b [BlockRef<'a>],
    /// The resource manager's own data.
    pub main: &'a [u8],
}
