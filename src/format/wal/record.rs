//! One WAL record, decoded: the same shape for every version.
//!
//! Sources: `access/xlog.h`, `transam/xlog.c` (up to 9.2); `access/xlog.h`,
//! `transam/xlogreader.c` (9.3, 9.4); `access/xlogrecord.h`, `transam/xlogreader.c`
//! (9.5 and later).
//!
//! ```text
//! XLogRecord  9.0-9.2                9.3-9.4               9.5 on
//!       0     crc                    tot_len               tot_len
//!       4     prev high              xid                   xid
//!       8     prev low               len                   prev
//!      12     xid                    info rmid pad pad     prev
//!      16     tot_len                prev                  info rmid pad pad
//!      20     len                    prev                  crc
//!      24     info rmid pad pad      crc                   (24 bytes)
//!      28     pad (32 bytes)         pad (32 bytes)
//!
//! up to 9.4:  header | main data, xl_len bytes | per bit 8,4,2,1 of xl_info:
//!             BkpBlock 24, page without its hole
//! 9.5 on:     header | per block: id fork_flags data_len [image header] [locator] blkno
//!             | [253 origin] [252 top xid] | 255 len:1 or 254 len:4
//!             | per block: image, data | main data
//! ```

use super::array::Element;
use super::lsn_text;
use crate::format::crc::Crc;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::pglz;
use crate::format::types::{BlockNumber, ForkNumber, RelFileLocator, TransactionId, XLogRecPtr};
use crate::format::version::{Layout, Major, Version};
use std::fmt;

/// Highest block reference number (`XLR_MAX_BLOCK_ID`).
pub const XLR_MAX_BLOCK_ID: u8 = 32;
/// Most block references a record can have.
const MAX_BLOCKS: usize = 33;

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

impl RecordHeader {
    /// `SizeOfXLogRecord`: bytes before the payload.
    #[inline]
    #[must_use]
    pub fn size(version: &Version) -> usize {
        if version.since(Major::V9_5) { 24 } else { 32 }
    }

    /// Reads the fixed part, which must be there whole.
    ///
    /// # Errors
    /// When fewer than [`Self::size`] bytes are given.
    #[inline]
    pub fn parse(version: &Version, bytes: &[u8]) -> Result<Self, Malformed> {
        // Of known length, so that not every field is compared with the end.
        fn whole<const N: usize>(bytes: &[u8]) -> Result<Cursor<'_>, Malformed> {
            match bytes.first_chunk::<N>() {
                Some(bytes) => Ok(Cursor::new("XLogRecord", bytes)),
                None => Err(Cursor::new("XLogRecord", bytes).malformed("ends too early")),
            }
        }
        let header = if version.since(Major::V9_5) {
            let mut c = whole::<24>(bytes)?;
            let xl_tot_len = c.u32()?;
            let xl_xid = TransactionId(c.u32()?);
            let xl_prev = XLogRecPtr(c.u64()?);
            let xl_info = c.u8()?;
            let xl_rmid = c.u8()?;
            let xl_crc = c.u32()?;
            Self {
                xl_tot_len,
                xl_xid,
                xl_prev,
                xl_info,
                xl_rmid,
                xl_crc,
                xl_len: 0,
            }
        } else if version.since(Major::V9_3) {
            let mut c = whole::<32>(bytes)?;
            let xl_tot_len = c.u32()?;
            let xl_xid = TransactionId(c.u32()?);
            let xl_len = c.u32()?;
            let xl_info = c.u8()?;
            let xl_rmid = c.u8()?;
            let xl_prev = XLogRecPtr(c.u64()?);
            let xl_crc = c.u32()?;
            Self {
                xl_tot_len,
                xl_xid,
                xl_prev,
                xl_info,
                xl_rmid,
                xl_crc,
                xl_len,
            }
        } else {
            let mut c = whole::<32>(bytes)?;
            let xl_crc = c.u32()?;
            let xl_prev = XLogRecPtr::from_halves(c.u32()?, c.u32()?);
            let xl_xid = TransactionId(c.u32()?);
            let xl_tot_len = c.u32()?;
            let xl_len = c.u32()?;
            let xl_info = c.u8()?;
            let xl_rmid = c.u8()?;
            Self {
                xl_tot_len,
                xl_xid,
                xl_prev,
                xl_info,
                xl_rmid,
                xl_crc,
                xl_len,
            }
        };
        Ok(header)
    }

    /// The resource manager's own part of `xl_info`.
    #[inline]
    #[must_use]
    pub fn rmgr_info(&self) -> u8 {
        self.xl_info & 0xF0
    }
}

/// The CRC that `xl_crc` of a whole record should hold, taken over its pieces in the
/// order of the version (`xlog.c: RecordIsValid`, `xlogreader.c: ValidXLogRecord`,
/// `ValidXLogRecordHeader`): payload first, then the header around `xl_crc`.
#[must_use]
pub fn crc_of(version: &Version, record_bytes: &[u8]) -> u32 {
    let payload = record_bytes
        .get(RecordHeader::size(version)..)
        .unwrap_or_default();
    let header = if version.since(Major::V9_5) {
        record_bytes.get(..20)
    } else if version.since(Major::V9_3) {
        record_bytes.get(..24)
    } else {
        record_bytes.get(4..32)
    };
    Crc::of(version)
        .update([payload, header.unwrap_or_default()])
        .value()
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

/// Why an image cannot be turned back into a page. The record's CRC was right, so the
/// server wrote it that way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImageError {
    /// The compressed bytes do not inflate to the page without its hole.
    Decompress,
    /// Image and hole are not a page together; the server does not check this.
    Size,
}

impl ImageError {
    /// What `xlogreader.c: RestoreBlockImage` says. Up to 14 the startup process hides it
    /// behind `failed to restore block image` (`xlogutils.c: XLogReadBufferForRedoExtended`).
    #[must_use]
    pub fn message(self, version: &Version, lsn: XLogRecPtr, block_id: u8) -> String {
        let lsn = lsn_text(version, lsn);
        match self {
            Self::Decompress if version.since(Major::V15) => {
                format!("could not decompress image at {lsn}, block {block_id}")
            }
            Self::Decompress => format!("invalid compressed image at {lsn}, block {block_id}"),
            Self::Size => format!("image at {lsn}, block {block_id} does not make a page"),
        }
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decompress => "full-page image does not decompress",
            Self::Size => "full-page image does not make a page",
        })
    }
}

impl BlockImage<'_> {
    /// Writes the page into `page`, `BLCKSZ` bytes long
    /// (`xlogreader.c: RestoreBlockImage`, `xlog.c: RestoreBackupBlockContents`).
    ///
    /// # Errors
    /// When the image does not inflate, or is no page together with its hole.
    pub fn restore(&self, layout: Layout, page: &mut [u8]) -> Result<(), ImageError> {
        let blcksz = usize::try_from(layout.blcksz).unwrap_or(0);
        let hole_offset = usize::from(self.hole_offset);
        let hole_length = usize::from(self.hole_length);
        let raw_len = blcksz
            .checked_sub(hole_length)
            .filter(|raw_len| page.len() == blcksz && hole_offset <= *raw_len)
            .ok_or(ImageError::Size)?;
        let raw = page.get_mut(..raw_len).ok_or(ImageError::Size)?;
        match self.compression {
            Compression::None => {
                if self.bytes.len() != raw_len {
                    return Err(ImageError::Size);
                }
                raw.copy_from_slice(self.bytes);
            }
            Compression::Pglz => {
                pglz::decompress(self.bytes, raw).map_err(|_| ImageError::Decompress)?;
            }
            // The server takes a shorter result of these two and leaves the rest of the
            // page to chance; no page can be told from that.
            Compression::Lz4 => match lz4_flex::block::decompress_into(self.bytes, raw) {
                Ok(n) if n == raw_len => {}
                _ => return Err(ImageError::Decompress),
            },
            Compression::Zstd => match zstd::bulk::decompress_to_buffer(self.bytes, raw) {
                Ok(n) if n == raw_len => {}
                _ => return Err(ImageError::Decompress),
            },
        }
        if hole_length > 0 {
            let hole_end = hole_offset.saturating_add(hole_length);
            page.copy_within(hole_offset..raw_len, hole_end);
            if let Some(hole) = page.get_mut(hole_offset..hole_end) {
                hole.fill(0);
            }
        }
        Ok(())
    }
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

/// Where in a record an image lies.
#[derive(Clone, Copy, Debug)]
struct ImageHeader {
    at: u32,
    len: u16,
    hole_offset: u16,
    hole_length: u16,
    compression: Compression,
    apply: bool,
}

/// A block reference as the decoder keeps it, apart from the record's bytes.
#[derive(Clone, Copy, Debug)]
struct BlockHeader {
    id: u8,
    fork: ForkNumber,
    will_init: bool,
    locator: RelFileLocator,
    blkno: BlockNumber,
    image: Option<ImageHeader>,
    data_at: u32,
    data_len: u16,
}

const NO_BLOCK: BlockHeader = BlockHeader {
    id: 0,
    fork: ForkNumber::Main,
    will_init: false,
    locator: RelFileLocator {
        spc_oid: 0,
        db_oid: 0,
        rel_number: 0,
    },
    blkno: 0,
    image: None,
    data_at: 0,
    data_len: 0,
};

/// Of a byte of a record, whose length is itself a `uint32`.
#[inline]
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[inline]
fn piece(bytes: &[u8], at: u32, len: u32) -> &[u8] {
    let (Ok(at), Ok(end)) = (usize::try_from(at), usize::try_from(at.saturating_add(len))) else {
        return &[];
    };
    bytes.get(at..end).unwrap_or_default()
}

impl BlockHeader {
    fn of<'a>(&self, bytes: &'a [u8]) -> BlockRef<'a> {
        BlockRef {
            id: self.id,
            locator: self.locator,
            fork: self.fork,
            blkno: self.blkno,
            will_init: self.will_init,
            image: self.image.map(|image| BlockImage {
                bytes: piece(bytes, image.at, image.len.into()),
                hole_offset: image.hole_offset,
                hole_length: image.hole_length,
                compression: image.compression,
                apply: image.apply,
            }),
            data: piece(bytes, self.data_at, self.data_len.into()),
        }
    }
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
    /// The resource manager's own data.
    pub main: &'a [u8],
    bytes: &'a [u8],
    blocks: &'b [BlockHeader],
}

impl<'a, 'b> Record<'a, 'b> {
    /// The block references, by rising number.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = BlockRef<'a>> + Clone + use<'a, 'b> {
        let bytes = self.bytes;
        self.blocks.iter().map(move |block| block.of(bytes))
    }

    /// The block reference numbered `id`.
    #[must_use]
    pub fn block(&self, id: u8) -> Option<BlockRef<'a>> {
        let block = self.blocks.iter().find(|block| block.id == id)?;
        Some(block.of(self.bytes))
    }

    /// The whole record as it stands in the WAL, page headers taken out.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Why the payload of a record cannot be taken apart; recovery ends there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// Up to 9.4: a hole reaches beyond the page.
    HoleSize,
    /// 9.3 and 9.4: a backup block does not fit in the record.
    BackupBlockSize,
    /// 9.3 and 9.4: main data longer than the record.
    RecordLength,
    /// Up to 9.4: main data and backup blocks are not the record's length.
    TotalLength,
    /// 9.5 and later, as all below: no known header starts with this byte.
    BlockId(u8),
    /// Block references do not rise.
    OutOfOrderBlockId(u8),
    /// `BKPBLOCK_HAS_DATA` with no data.
    NoData,
    /// Data without `BKPBLOCK_HAS_DATA`.
    UnexpectedData(u16),
    /// `BKPIMAGE_HAS_HOLE` with no hole.
    NoHole {
        /// Offset of the hole.
        hole_offset: u16,
        /// Its length.
        hole_length: u16,
        /// Stored bytes of the image.
        bimg_len: u16,
    },
    /// A hole without `BKPIMAGE_HAS_HOLE`.
    UnexpectedHole {
        /// Offset of the hole.
        hole_offset: u16,
        /// Its length.
        hole_length: u16,
    },
    /// A compressed image as long as a page.
    CompressedLength(u16),
    /// An image without hole or compression that is not as long as a page.
    PlainLength(u16),
    /// `BKPBLOCK_SAME_REL` on the first block.
    NoPreviousRel,
    /// Header and announced lengths do not make up the record.
    Length,
    /// A fork that does not exist, any version. The server does not look; it cannot have
    /// written this.
    Fork(u32),
}

impl DecodeError {
    /// The server's words (`xlog.c: RecordIsValid`, `xlogreader.c: ValidXLogRecord`,
    /// `DecodeXLogRecord`). From 15 on it names not this record but the one it returned
    /// last, `ReadRecPtr` (0/0 before any): hand that in to get its very text.
    #[must_use]
    pub fn message(self, version: &Version, lsn: XLogRecPtr) -> String {
        let lsn = lsn_text(version, lsn);
        let compressed = if version.since(Major::V15) {
            "BKPIMAGE_COMPRESSED"
        } else {
            "BKPIMAGE_IS_COMPRESSED"
        };
        match self {
            Self::HoleSize => format!("incorrect hole size in record at {lsn}"),
            Self::BackupBlockSize => format!("invalid backup block size in record at {lsn}"),
            Self::RecordLength => format!("invalid record length at {lsn}"),
            Self::TotalLength => format!("incorrect total length in record at {lsn}"),
            Self::BlockId(id) => format!("invalid block_id {id} at {lsn}"),
            Self::OutOfOrderBlockId(id) => format!("out-of-order block_id {id} at {lsn}"),
            Self::NoData => {
                format!("BKPBLOCK_HAS_DATA set, but no data included at {lsn}")
            }
            Self::UnexpectedData(len) => {
                format!("BKPBLOCK_HAS_DATA not set, but data length is {len} at {lsn}")
            }
            Self::NoHole {
                hole_offset,
                hole_length,
                bimg_len,
            } => format!(
                "BKPIMAGE_HAS_HOLE set, but hole offset {hole_offset} length {hole_length} block image length {bimg_len} at {lsn}"
            ),
            Self::UnexpectedHole {
                hole_offset,
                hole_length,
            } => format!(
                "BKPIMAGE_HAS_HOLE not set, but hole offset {hole_offset} length {hole_length} at {lsn}"
            ),
            Self::CompressedLength(len) => {
                format!("{compressed} set, but block image length {len} at {lsn}")
            }
            Self::PlainLength(len) => format!(
                "neither BKPIMAGE_HAS_HOLE nor {compressed} set, but block image length is {len} at {lsn}"
            ),
            Self::NoPreviousRel => {
                format!("BKPBLOCK_SAME_REL set but no previous rel at {lsn}")
            }
            Self::Length => format!("record with invalid length at {lsn}"),
            Self::Fork(number) => format!("invalid fork number {number} at {lsn}"),
        }
    }
}

/// Takes records apart without allocating; one for each thread.
#[derive(Debug)]
pub struct Decoder {
    blocks: [BlockHeader; MAX_BLOCKS],
    parts: Parts,
}

/// Of the record last taken apart.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    blocks: usize,
    origin: Option<u16>,
    toplevel_xid: Option<TransactionId>,
    main_at: u32,
    main_len: u32,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Ready for the first record.
    #[must_use]
    pub fn new() -> Self {
        Self {
            blocks: [NO_BLOCK; MAX_BLOCKS],
            parts: Parts::default(),
        }
    }

    /// Takes one record apart: `record_bytes` is the whole of it, `xl_tot_len` bytes with
    /// page headers taken out, and `header` what [`RecordHeader::parse`] makes of them.
    ///
    /// The server does this before it compares the CRC up to 9.4, and after it from 9.5 on.
    ///
    /// # Errors
    /// With the first check that fails, in the server's order.
    #[inline]
    pub fn decode<'a, 'b>(
        &'b mut self,
        layout: Layout,
        lsn: XLogRecPtr,
        end_lsn: XLogRecPtr,
        header: RecordHeader,
        record_bytes: &'a [u8],
    ) -> Result<Record<'a, 'b>, DecodeError> {
        self.take_apart(layout, &header, record_bytes)?;
        Ok(self.record(lsn, end_lsn, header, record_bytes))
    }

    /// The first half of [`Self::decode`]: finds and remembers where the parts are.
    ///
    /// # Errors
    /// As those of [`Self::decode`].
    pub fn take_apart(
        &mut self,
        layout: Layout,
        header: &RecordHeader,
        record_bytes: &[u8],
    ) -> Result<(), DecodeError> {
        self.parts = Parts::default();
        if layout.since(Major::V9_5) {
            decode_block_headers(layout, record_bytes, &mut self.parts, &mut self.blocks)
        } else {
            decode_backup_blocks(
                layout,
                header,
                record_bytes,
                &mut self.parts,
                &mut self.blocks,
            )
        }
    }

    /// The second half: the record of the bytes last taken apart.
    #[inline]
    #[must_use]
    pub fn record<'a>(
        &self,
        lsn: XLogRecPtr,
        end_lsn: XLogRecPtr,
        header: RecordHeader,
        record_bytes: &'a [u8],
    ) -> Record<'a, '_> {
        let Parts {
            blocks,
            origin,
            toplevel_xid,
            main_at,
            main_len,
        } = self.parts;
        Record {
            lsn,
            end_lsn,
            header,
            origin,
            toplevel_xid,
            main: piece(record_bytes, main_at, main_len),
            bytes: record_bytes,
            blocks: self.blocks.get(..blocks).unwrap_or_default(),
        }
    }
}

/// The bits of `xl_info` that announce backup blocks, in the order these follow.
fn backup_block_bits(version: &Version) -> &'static [u8] {
    if version.since(Major::V9_2) {
        &[0x08, 0x04, 0x02, 0x01]
    } else {
        // 0x01 is XLR_BKP_REMOVABLE there.
        &[0x08, 0x04, 0x02]
    }
}

/// `BkpBlock`s, up to 9.4.
fn decode_backup_blocks(
    layout: Layout,
    header: &RecordHeader,
    record_bytes: &[u8],
    parts: &mut Parts,
    blocks: &mut [BlockHeader; MAX_BLOCKS],
) -> Result<(), DecodeError> {
    // 9.0-9.2 do not compare with the record's end until all blocks are passed.
    let overrun = if layout.since(Major::V9_3) {
        DecodeError::BackupBlockSize
    } else {
        DecodeError::TotalLength
    };
    let mut c = Cursor::packed("BkpBlock", record_bytes);
    let header_size = RecordHeader::size(layout.version);
    parts.main_at = offset(header_size);
    parts.main_len = header.xl_len;
    let main_len = usize::try_from(header.xl_len).unwrap_or(usize::MAX);
    c.skip(header_size.saturating_add(main_len)).map_err(|_| {
        if layout.since(Major::V9_3) {
            DecodeError::RecordLength
        } else {
            DecodeError::TotalLength
        }
    })?;
    let mut count = 0_usize;
    for (id, bit) in (0_u8..).zip(backup_block_bits(layout.version)) {
        if header.xl_info & bit == 0 {
            continue;
        }
        let mut bkpb = Cursor::packed("BkpBlock", c.bytes(24).map_err(|_| overrun)?);
        let mut read = || -> Result<_, Malformed> {
            Ok((
                RelFileLocator::read(&mut bkpb)?,
                bkpb.u32()?,
                bkpb.u32()?,
                bkpb.u16()?,
                bkpb.u16()?,
            ))
        };
        let (locator, fork, blkno, hole_offset, hole_length) = read().map_err(|_| overrun)?;
        if u32::from(hole_offset).saturating_add(u32::from(hole_length)) > layout.blcksz {
            return Err(DecodeError::HoleSize);
        }
        let len = layout.blcksz.saturating_sub(u32::from(hole_length));
        let at = offset(c.at());
        c.skip(usize::try_from(len).unwrap_or(usize::MAX))
            .map_err(|_| overrun)?;
        // The largest page has 32768 bytes.
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        let block = BlockHeader {
            id,
            fork: ForkNumber::from_number(fork).ok_or(DecodeError::Fork(fork))?,
            will_init: false,
            locator,
            blkno,
            image: Some(ImageHeader {
                at,
                len,
                hole_offset,
                hole_length,
                compression: Compression::None,
                apply: true,
            }),
            data_at: 0,
            data_len: 0,
        };
        if let Some(slot) = blocks.get_mut(count) {
            *slot = block;
            count = count.saturating_add(1);
        }
    }
    if !c.rest().is_empty() {
        return Err(DecodeError::TotalLength);
    }
    parts.blocks = count;
    Ok(())
}

/// `fork_flags` of `XLogRecordBlockHeader`.
const BKPBLOCK_FORK_MASK: u8 = 0x0F;
const BKPBLOCK_HAS_IMAGE: u8 = 0x10;
const BKPBLOCK_HAS_DATA: u8 = 0x20;
const BKPBLOCK_WILL_INIT: u8 = 0x40;
const BKPBLOCK_SAME_REL: u8 = 0x80;
const XLR_BLOCK_ID_DATA_SHORT: u8 = 255;
const XLR_BLOCK_ID_DATA_LONG: u8 = 254;
const XLR_BLOCK_ID_ORIGIN: u8 = 253;
const XLR_BLOCK_ID_TOPLEVEL_XID: u8 = 252;
/// `bimg_info` of `XLogRecordBlockImageHeader`; the other bits changed in 10 and 15.
const BKPIMAGE_HAS_HOLE: u8 = 0x01;

/// How `bimg_info` says an image is compressed, and whether redo applies it.
fn image_kind(version: &Version, bimg_info: u8) -> (Compression, bool) {
    if version.since(Major::V15) {
        let compression = match bimg_info {
            info if info & 0x04 != 0 => Compression::Pglz,
            info if info & 0x08 != 0 => Compression::Lz4,
            info if info & 0x10 != 0 => Compression::Zstd,
            _ => Compression::None,
        };
        (compression, bimg_info & 0x02 != 0)
    } else {
        let compression = if bimg_info & 0x02 != 0 {
            Compression::Pglz
        } else {
            Compression::None
        };
        // Before wal_consistency_checking (10) every image was there to be applied.
        let apply = !version.since(Major::V10) || bimg_info & 0x04 != 0;
        (compression, apply)
    }
}

/// `XLogRecordBlockImageHeader` and the checks on it.
fn decode_image_header(
    layout: Layout,
    c: &mut Cursor<'_>,
) -> Result<(ImageHeader, u16), DecodeError> {
    let short = |_| DecodeError::Length;
    let bimg_len = c.u16().map_err(short)?;
    let hole_offset = c.u16().map_err(short)?;
    let bimg_info = c.u8().map_err(short)?;
    let (compression, apply) = image_kind(layout.version, bimg_info);
    let compressed = compression != Compression::None;
    let has_hole = bimg_info & BKPIMAGE_HAS_HOLE != 0;
    let hole_length = match (compressed, has_hole) {
        (true, true) => c.u16().map_err(short)?,
        (true, false) => 0,
        // An image longer than a page wraps here in the server, too.
        (false, _) => {
            let wide = layout.blcksz.wrapping_sub(u32::from(bimg_len)) & 0xFFFF;
            u16::try_from(wide).unwrap_or(0)
        }
    };
    let full = u32::from(bimg_len) == layout.blcksz;
    if has_hole && (hole_offset == 0 || hole_length == 0 || full) {
        return Err(DecodeError::NoHole {
            hole_offset,
            hole_length,
            bimg_len,
        });
    }
    if !has_hole && (hole_offset != 0 || hole_length != 0) {
        return Err(DecodeError::UnexpectedHole {
            hole_offset,
            hole_length,
        });
    }
    if compressed && full {
        return Err(DecodeError::CompressedLength(bimg_len));
    }
    if !has_hole && !compressed && !full {
        return Err(DecodeError::PlainLength(bimg_len));
    }
    let image = ImageHeader {
        at: 0,
        len: bimg_len,
        hole_offset,
        hole_length,
        compression,
        apply,
    };
    Ok((image, bimg_len))
}

/// The headers of 9.5 and later (`xlogreader.c: DecodeXLogRecord`).
fn decode_block_headers(
    layout: Layout,
    record_bytes: &[u8],
    parts: &mut Parts,
    blocks: &mut [BlockHeader; MAX_BLOCKS],
) -> Result<(), DecodeError> {
    let short = |_| DecodeError::Length;
    let mut c = Cursor::packed("XLogRecord", record_bytes);
    c.skip(RecordHeader::size(layout.version)).map_err(short)?;
    let mut count = 0_usize;
    let mut main_len = 0_u32;
    let mut datatotal = 0_usize;
    let mut last_id: Option<u8> = None;
    let mut last_locator: Option<RelFileLocator> = None;
    while c.rest().len() > datatotal {
        let id = c.u8().map_err(short)?;
        match id {
            XLR_BLOCK_ID_DATA_SHORT => {
                let len = c.u8().map_err(short)?;
                main_len = len.into();
                datatotal = datatotal.saturating_add(len.into());
                break;
            }
            XLR_BLOCK_ID_DATA_LONG => {
                main_len = c.u32().map_err(short)?;
                let len = usize::try_from(main_len).unwrap_or(usize::MAX);
                datatotal = datatotal.saturating_add(len);
                break;
            }
            XLR_BLOCK_ID_ORIGIN => parts.origin = Some(c.u16().map_err(short)?),
            XLR_BLOCK_ID_TOPLEVEL_XID if layout.since(Major::V14) => {
                parts.toplevel_xid = Some(TransactionId(c.u32().map_err(short)?));
            }
            0..=XLR_MAX_BLOCK_ID => {
                if last_id.is_some_and(|last| id <= last) {
                    return Err(DecodeError::OutOfOrderBlockId(id));
                }
                last_id = Some(id);
                let fork_flags = c.u8().map_err(short)?;
                let data_len = c.u16().map_err(short)?;
                let has_data = fork_flags & BKPBLOCK_HAS_DATA != 0;
                if has_data && data_len == 0 {
                    return Err(DecodeError::NoData);
                }
                if !has_data && data_len != 0 {
                    return Err(DecodeError::UnexpectedData(data_len));
                }
                datatotal = datatotal.saturating_add(usize::from(data_len));
                let mut image = None;
                if fork_flags & BKPBLOCK_HAS_IMAGE != 0 {
                    let (header, bimg_len) = decode_image_header(layout, &mut c)?;
                    datatotal = datatotal.saturating_add(usize::from(bimg_len));
                    image = Some(header);
                }
                let locator = if fork_flags & BKPBLOCK_SAME_REL == 0 {
                    RelFileLocator::read(&mut c).map_err(short)?
                } else {
                    last_locator.ok_or(DecodeError::NoPreviousRel)?
                };
                last_locator = Some(locator);
                let blkno = c.u32().map_err(short)?;
                let fork = u32::from(fork_flags & BKPBLOCK_FORK_MASK);
                let block = BlockHeader {
                    id,
                    fork: ForkNumber::from_number(fork).ok_or(DecodeError::Fork(fork))?,
                    will_init: fork_flags & BKPBLOCK_WILL_INIT != 0,
                    locator,
                    blkno,
                    image,
                    data_at: 0,
                    data_len,
                };
                // Rising numbers up to 32 always fit.
                if let Some(slot) = blocks.get_mut(count) {
                    *slot = block;
                    count = count.saturating_add(1);
                }
            }
            _ => return Err(DecodeError::BlockId(id)),
        }
    }
    if c.rest().len() != datatotal {
        return Err(DecodeError::Length);
    }
    let mut at = offset(c.at());
    for block in blocks.iter_mut().take(count) {
        if let Some(image) = &mut block.image {
            image.at = at;
            at = at.saturating_add(image.len.into());
        }
        block.data_at = at;
        at = at.saturating_add(block.data_len.into());
    }
    parts.main_at = at;
    parts.main_len = main_len;
    parts.blocks = count;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(major: Major) -> &'static Version {
        Version::of(major).unwrap()
    }

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    /// Records of real servers, CRC and all.
    #[test]
    fn real_records() {
        let cases = [
            (
                Major::V9_0,
                "e396be44 00000000 20000000 01000000 24000000 04000000 30000000 00000000 10470000",
                (0x30, 1, 0x20),
            ),
            (
                Major::V9_0,
                "6d4d0837 00000000 40c19b00 00000000 20000000 00000000 40000000 00000000",
                (0x40, 0, 0x9B_C140),
            ),
            (
                Major::V9_4,
                "24000000 01000000 04000000 30000000 e020000100000000 e624826a 00000000 10470000",
                (0x30, 1, 0x10020E0),
            ),
            (
                Major::V9_6,
                "1e000000 01000000 e820000100000000 30000000 e6cdb053 ff04 10470000",
                (0x30, 1, 0x10020E8),
            ),
            (
                Major::V18,
                "18000000 00000000 7896cd0100000000 40000000 8f0036c9",
                (0x40, 0, 0x1CD_9678),
            ),
        ];
        for (major, text, (info, xid, prev)) in cases {
            let bytes = unhex(text);
            let v = version(major);
            let header = RecordHeader::parse(v, &bytes).unwrap();
            assert_eq!(header.xl_tot_len as usize, bytes.len());
            assert_eq!(header.xl_info, info);
            assert_eq!(header.xl_xid.0, xid);
            assert_eq!(header.xl_prev.0, prev);
            assert_eq!(crc_of(v, &bytes), header.xl_crc, "{major}");
            let mut decoder = Decoder::new();
            let record = decoder
                .decode(
                    Layout::usual(v),
                    XLogRecPtr(prev + 0x100),
                    XLogRecPtr(prev + 0x200),
                    header,
                    &bytes,
                )
                .unwrap();
            let main: &[u8] = if info == 0x30 {
                &[0x10, 0x47, 0, 0]
            } else {
                &[]
            };
            assert_eq!(record.main, main);
            assert_eq!(record.blocks().len(), 0);
            assert!(RecordHeader::parse(v, &bytes[..RecordHeader::size(v) - 1]).is_err());
        }
    }

    /// A record of 9.5 or later around the given headers and data.
    fn decode(major: Major, payload: &[u8]) -> Result<(), DecodeError> {
        let v = version(major);
        let mut bytes = vec![0; 24];
        bytes.extend_from_slice(payload);
        bytes[0] = u8::try_from(bytes.len() & 0xFF).unwrap();
        bytes[1] = u8::try_from(bytes.len() >> 8).unwrap();
        let header = RecordHeader::parse(v, &bytes).unwrap();
        Decoder::new()
            .decode(
                Layout::usual(v),
                XLogRecPtr(8),
                XLogRecPtr(16),
                header,
                &bytes,
            )
            .map(|_| ())
    }

    #[test]
    fn every_check_of_block_headers() {
        let rel = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];
        let blk = [9, 0, 0, 0];
        let cat = |parts: &[&[u8]]| parts.concat();
        let v = Major::V16;
        assert_eq!(decode(v, &[]), Ok(()));
        assert_eq!(decode(v, &[255, 0]), Ok(()));
        assert_eq!(decode(v, &[255, 1]), Err(DecodeError::Length));
        assert_eq!(decode(v, &[255, 1, 7, 7]), Err(DecodeError::Length));
        assert_eq!(decode(v, &[33]), Err(DecodeError::BlockId(33)));
        assert_eq!(decode(v, &[252, 1, 0, 0, 0, 255, 0]), Ok(()));
        assert_eq!(
            decode(Major::V13, &[252, 1, 0, 0, 0, 255, 0]),
            Err(DecodeError::BlockId(252))
        );
        assert_eq!(decode(v, &[253, 1]), Err(DecodeError::Length));
        assert_eq!(decode(v, &[0, 0x20, 0, 0]), Err(DecodeError::NoData));
        assert_eq!(
            decode(v, &[0, 0, 5, 0]),
            Err(DecodeError::UnexpectedData(5))
        );
        assert_eq!(
            decode(v, &[0, 0x80, 0, 0, 0, 0, 0, 0]),
            Err(DecodeError::NoPreviousRel)
        );
        let twice = cat(&[&[3, 0, 0, 0], &rel, &blk, &[3, 0x80, 0, 0], &blk]);
        assert_eq!(decode(v, &twice), Err(DecodeError::OutOfOrderBlockId(3)));
        let fork = cat(&[&[0, 4, 0, 0], &rel, &blk, &[255, 0]]);
        assert_eq!(decode(v, &fork), Err(DecodeError::Fork(4)));
        // length 8192, hole at 0, HAS_HOLE
        let image = |len: u16, hole: u16, info: u8| {
            let [a, b] = len.to_le_bytes();
            let [c, d] = hole.to_le_bytes();
            cat(&[&[0, 0x10, 0, 0, a, b, c, d, info], &rel, &blk, &[0; 8192]])
        };
        assert_eq!(
            decode(v, &image(8192, 0, 1)),
            Err(DecodeError::NoHole {
                hole_offset: 0,
                hole_length: 0,
                bimg_len: 8192
            })
        );
        assert_eq!(
            decode(v, &image(8192, 7, 0)),
            Err(DecodeError::UnexpectedHole {
                hole_offset: 7,
                hole_length: 0
            })
        );
        assert_eq!(
            decode(v, &image(8192, 0, 4)),
            Err(DecodeError::CompressedLength(8192))
        );
        assert_eq!(
            decode(Major::V14, &image(8192, 0, 2)),
            Err(DecodeError::CompressedLength(8192))
        );
        assert_eq!(decode(v, &image(8192, 0, 2)), Ok(()), "APPLY");
        assert_eq!(
            DecodeError::CompressedLength(8192)
                .message(version(Major::V14), XLogRecPtr(0x1_0000_0028)),
            "BKPIMAGE_IS_COMPRESSED set, but block image length 8192 at 1/28"
        );
        assert_eq!(
            DecodeError::NoData.message(version(Major::V19), XLogRecPtr(0x1_0000_0028)),
            "BKPBLOCK_HAS_DATA set, but no data included at 1/00000028"
        );
    }
}
