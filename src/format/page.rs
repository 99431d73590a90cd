//! The page: header, line pointers, and when a page is fit to be read.
//!
//! Sources: `storage/bufpage.h`, `storage/itemid.h`, `page/bufpage.c`. Page layout version 4,
//! all of 9.0 to 19.
//!
//! ```text
//!  0        8          10      12       14       16         18                20           24
//!  +--------+----------+-------+--------+--------+----------+-----------------+------------+
//!  | pd_lsn | checksum | flags | lower  | upper  | special  | size | version  | prune_xid  |
//!  | hi, lo | (pd_tli) |       |        |        |          |                 |            |
//!  +--------+----------+-------+--------+--------+----------+-----------------+------------+
//!  24 line pointers ... pd_lower | free space | pd_upper ... tuples | pd_special ... | blcksz
//! ```
//! Bytes 8 and 9 are `pd_checksum` from 9.3 on and `pd_tli` before.

use super::types::{BlockNumber, OffsetNumber, TransactionId, XLogRecPtr};
use super::version::{Layout, Major};
use super::{Malformed, checksum};
use std::fmt;

/// Bytes of a page header (`SizeOfPageHeaderData`).
pub const PAGE_HEADER_SIZE: u16 = 24;
/// Bytes of a line pointer.
pub const ITEM_ID_SIZE: u16 = 4;
/// `PD_HAS_FREE_LINES`: there may be unused line pointers.
pub const PD_HAS_FREE_LINES: u16 = 0x0001;
/// `PD_PAGE_FULL`: an update found no room.
pub const PD_PAGE_FULL: u16 = 0x0002;
/// `PD_ALL_VISIBLE`: all tuples are visible to everyone.
pub const PD_ALL_VISIBLE: u16 = 0x0004;
/// `PD_VALID_FLAG_BITS`.
pub const PD_VALID_FLAG_BITS: u16 = 0x0007;
/// `PG_PAGE_LAYOUT_VERSION`.
pub const PAGE_LAYOUT_VERSION: u16 = 4;

/// The little-endian `u16` at a byte offset.
#[inline]
#[must_use]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|b| u16::from_le_bytes(*b))
}

/// The little-endian `u32` at a byte offset.
#[inline]
#[must_use]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|b| u32::from_le_bytes(*b))
}

/// The little-endian `u64` at a byte offset.
#[inline]
#[must_use]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|b| u64::from_le_bytes(*b))
}

/// Whether every byte is zero: a page that was allocated and never written.
#[must_use]
pub fn is_zeroed(bytes: &[u8]) -> bool {
    // Whole chunks without an early exit inside let the compiler use wide registers.
    let (chunks, tail) = bytes.as_chunks::<128>();
    chunks
        .iter()
        .all(|chunk| chunk.iter().fold(0, |or, byte| or | byte) == 0)
        && tail.iter().all(|byte| *byte == 0)
}

/// `PageHeaderData`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PageHeader {
    /// End of the last WAL record that changed the page.
    pub pd_lsn: XLogRecPtr,
    /// Bytes 8 and 9: the checksum from 9.3 on, the timeline's low half before.
    pub pd_checksum: u16,
    /// `PD_*` bits.
    pub pd_flags: u16,
    /// Byte offset of the end of the line pointers.
    pub pd_lower: u16,
    /// Byte offset of the start of the tuples.
    pub pd_upper: u16,
    /// Byte offset of the special space.
    pub pd_special: u16,
    /// Page size in bytes, with the layout version in the low byte.
    pub pd_pagesize_version: u16,
    /// Oldest transaction whose tuples may be prunable; unused in indexes.
    pub pd_prune_xid: TransactionId,
}

impl PageHeader {
    /// Reads the first 24 bytes.
    ///
    /// # Errors
    /// When there are fewer.
    #[inline]
    pub fn parse(page: &[u8]) -> Result<Self, Malformed> {
        let Some(bytes) = page.first_chunk::<24>() else {
            return Err(Malformed {
                what: "page header",
                at: page.len(),
                why: "ends too early",
            });
        };
        let word = |at| u32_at(bytes, at).unwrap_or(0);
        let half = |at| u16_at(bytes, at).unwrap_or(0);
        Ok(Self {
            pd_lsn: XLogRecPtr::from_halves(word(0), word(4)),
            pd_checksum: half(8),
            pd_flags: half(10),
            pd_lower: half(12),
            pd_upper: half(14),
            pd_special: half(16),
            pd_pagesize_version: half(18),
            pd_prune_xid: TransactionId(word(20)),
        })
    }

    /// `PageIsNew`: nothing was put on the page since it was allocated.
    #[inline]
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.pd_upper == 0
    }

    /// Page size that the header states, in bytes.
    #[must_use]
    pub fn page_size(&self) -> u16 {
        self.pd_pagesize_version & 0xFF00
    }

    /// Page layout version that the header states.
    #[must_use]
    pub fn layout_version(&self) -> u16 {
        self.pd_pagesize_version & 0x00FF
    }

    /// Whether a flag is set.
    #[must_use]
    pub fn has(&self, flag: u16) -> bool {
        self.pd_flags & flag != 0
    }

    /// Line pointers that `pd_lower` tells of (`PageGetMaxOffsetNumber`).
    #[inline]
    #[must_use]
    pub fn max_offset_number(&self) -> OffsetNumber {
        self.pd_lower.saturating_sub(PAGE_HEADER_SIZE) / ITEM_ID_SIZE
    }

    /// The part of the server's rule that looks at the header alone: `PageHeaderIsValid` of
    /// 9.0 to 9.2, the sanity test inside `PageIsVerified` from 9.3 on (`bufpage.c`). Later
    /// versions test less.
    #[must_use]
    pub fn server_accepts(&self, layout: &Layout) -> bool {
        let sane = self.pd_flags & !PD_VALID_FLAG_BITS == 0
            && self.pd_lower <= self.pd_upper
            && self.pd_upper <= self.pd_special
            && u32::from(self.pd_special) <= layout.blcksz
            && self.pd_special.is_multiple_of(8);
        if layout.since(Major::V9_3) {
            return !self.is_new() && sane;
        }
        sane && u32::from(self.page_size()) == layout.blcksz
            && self.layout_version() == PAGE_LAYOUT_VERSION
            && self.pd_lower >= PAGE_HEADER_SIZE
    }

    /// What the header says that no healthy page of a built-in access method says; more
    /// than the server asks for. A new page (`pd_upper` 0) is not looked at: see
    /// [`PageFault::NewButNotEmpty`] in [`page_faults`].
    pub fn faults(&self, layout: &Layout, mut fault: impl FnMut(PageFault)) {
        let stated = u32::from(self.page_size());
        if stated != layout.blcksz || self.layout_version() != PAGE_LAYOUT_VERSION {
            fault(PageFault::SizeOrVersion {
                found: self.pd_pagesize_version,
                blcksz: layout.blcksz,
            });
        }
        if self.pd_flags & !PD_VALID_FLAG_BITS != 0 {
            fault(PageFault::UnknownFlags(self.pd_flags));
        }
        if self.pd_lower < PAGE_HEADER_SIZE {
            fault(PageFault::LowerInsideHeader(self.pd_lower));
        } else if !self.pd_lower.is_multiple_of(ITEM_ID_SIZE)
            && layout.blcksz.checked_sub(u32::from(self.pd_special)) != Some(8)
        {
            // GIN (special space of 8 bytes) keeps posting lists where other pages have line
            // pointers, in units of 2 bytes (ginblock.h: GinDataPageSetDataSize).
            fault(PageFault::LowerMisaligned(self.pd_lower));
        }
        if self.pd_lower > self.pd_upper {
            fault(PageFault::LowerBeyondUpper {
                lower: self.pd_lower,
                upper: self.pd_upper,
            });
        }
        if self.pd_upper > self.pd_special {
            fault(PageFault::UpperBeyondSpecial {
                upper: self.pd_upper,
                special: self.pd_special,
            });
        }
        if u32::from(self.pd_special) > layout.blcksz {
            fault(PageFault::SpecialBeyondEnd {
                special: self.pd_special,
                blcksz: layout.blcksz,
            });
        }
        if !self.pd_special.is_multiple_of(8) {
            fault(PageFault::SpecialMisaligned(self.pd_special));
        }
    }
}

/// Whether the server takes the page in when checksums are off: a sane header, or zeroes
/// throughout.
#[must_use]
pub fn server_accepts(page: &[u8], layout: &Layout) -> bool {
    PageHeader::parse(page).is_ok_and(|header| header.server_accepts(layout)) || is_zeroed(page)
}

/// Whether the server takes the page in when checksums are on (9.3 and later): a sane header
/// and the right checksum, or zeroes throughout.
#[must_use]
pub fn server_accepts_checksummed(page: &[u8], blkno: BlockNumber, layout: &Layout) -> bool {
    match PageHeader::parse(page) {
        Ok(header) if !header.is_new() => {
            header.server_accepts(layout)
                && checksum::page_checksum(page, blkno) == header.pd_checksum
        }
        _ => is_zeroed(page),
    }
}

/// The structural rule for a whole page: [`PageHeader::faults`], and a new page that is not
/// empty. A page that is zero throughout has no fault.
pub fn page_faults(page: &[u8], layout: &Layout, mut fault: impl FnMut(PageFault)) {
    match PageHeader::parse(page) {
        Err(_) => fault(PageFault::Short(page.len())),
        Ok(header) if !header.is_new() => header.faults(layout, fault),
        Ok(_) => {
            if !is_zeroed(page) {
                fault(PageFault::NewButNotEmpty);
            }
        }
    }
}

/// Why a page header cannot be that of a healthy page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageFault {
    /// There is no whole header; bytes there are.
    Short(usize),
    /// `pd_upper` is 0, yet the page is not zero throughout.
    NewButNotEmpty,
    /// `pd_pagesize_version` is not the cluster's block size with layout version 4.
    SizeOrVersion {
        /// `pd_pagesize_version`.
        found: u16,
        /// The cluster's block size.
        blcksz: u32,
    },
    /// `pd_flags` has bits that no version knows.
    UnknownFlags(u16),
    /// `pd_lower` lies inside the header.
    LowerInsideHeader(u16),
    /// `pd_lower` is not at a line pointer's end.
    LowerMisaligned(u16),
    /// `pd_lower` beyond `pd_upper`.
    LowerBeyondUpper {
        /// `pd_lower`.
        lower: u16,
        /// `pd_upper`.
        upper: u16,
    },
    /// `pd_upper` beyond `pd_special`.
    UpperBeyondSpecial {
        /// `pd_upper`.
        upper: u16,
        /// `pd_special`.
        special: u16,
    },
    /// `pd_special` beyond the end of the page.
    SpecialBeyondEnd {
        /// `pd_special`.
        special: u16,
        /// The cluster's block size.
        blcksz: u32,
    },
    /// `pd_special` is not a multiple of 8.
    SpecialMisaligned(u16),
}

impl fmt::Display for PageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(n) => write!(f, "page has only {n} bytes"),
            Self::NewButNotEmpty => {
                write!(
                    f,
                    "pd_upper is 0 as on a new page, but the page is not empty"
                )
            }
            Self::SizeOrVersion { found, blcksz } => write!(
                f,
                "pd_pagesize_version is 0x{found:04X}, expected page size {blcksz} and layout version {PAGE_LAYOUT_VERSION}"
            ),
            Self::UnknownFlags(flags) => write!(f, "pd_flags 0x{flags:04X} has unknown bits"),
            Self::LowerInsideHeader(lower) => write!(
                f,
                "pd_lower {lower} lies inside the page header of {PAGE_HEADER_SIZE} bytes"
            ),
            Self::LowerMisaligned(lower) => {
                write!(f, "pd_lower {lower} is not at the end of a line pointer")
            }
            Self::LowerBeyondUpper { lower, upper } => {
                write!(f, "pd_lower {lower} lies beyond pd_upper {upper}")
            }
            Self::UpperBeyondSpecial { upper, special } => {
                write!(f, "pd_upper {upper} lies beyond pd_special {special}")
            }
            Self::SpecialBeyondEnd { special, blcksz } => {
                write!(
                    f,
                    "pd_special {special} lies beyond the end of the page at {blcksz}"
                )
            }
            Self::SpecialMisaligned(special) => {
                write!(f, "pd_special {special} is not a multiple of 8")
            }
        }
    }
}

/// What a line pointer is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LpFlags {
    /// `LP_UNUSED`: free.
    Unused,
    /// `LP_NORMAL`: points to a tuple.
    Normal,
    /// `LP_REDIRECT`: stands for another line pointer of the page.
    Redirect,
    /// `LP_DEAD`: the tuple is gone, index entries may remain.
    Dead,
}

impl fmt::Display for LpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unused => "unused",
            Self::Normal => "normal",
            Self::Redirect => "redirect",
            Self::Dead => "dead",
        })
    }
}

/// A line pointer, `ItemIdData`: 15 bits of offset, 2 of flags, 15 of length.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemId(pub u32);

impl ItemId {
    /// `lp_off`: byte offset of the tuple; the offset number a redirect stands for.
    #[inline]
    #[must_use]
    pub fn lp_off(self) -> u16 {
        u16::try_from(self.0 & 0x7FFF).unwrap_or(0)
    }

    /// `lp_len`: bytes of the tuple.
    #[inline]
    #[must_use]
    pub fn lp_len(self) -> u16 {
        u16::try_from(self.0 >> 17).unwrap_or(0)
    }

    /// `lp_flags`.
    #[inline]
    #[must_use]
    pub fn flags(self) -> LpFlags {
        match self.0 >> 15 & 3 {
            0 => LpFlags::Unused,
            1 => LpFlags::Normal,
            2 => LpFlags::Redirect,
            _ => LpFlags::Dead,
        }
    }

    /// `lp_off` + `lp_len`.
    #[inline]
    #[must_use]
    pub fn end(self) -> u16 {
        self.lp_off().saturating_add(self.lp_len())
    }

    /// The bytes it points to, when they lie on the page.
    #[inline]
    #[must_use]
    pub fn bytes(self, page: &[u8]) -> Option<&[u8]> {
        page.get(usize::from(self.lp_off())..usize::from(self.end()))
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}+{}", self.flags(), self.lp_off(), self.lp_len())
    }
}

/// `ItemPointerData`: a tuple's place, block and line pointer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ItemPointer {
    /// The block.
    pub block: BlockNumber,
    /// The line pointer, from 1; higher values than any page has mark special cases.
    pub offnum: OffsetNumber,
}

impl ItemPointer {
    /// From the three halves that are stored: block high, block low, offset number.
    #[inline]
    #[must_use]
    pub fn from_halves(high: u16, low: u16, offnum: u16) -> Self {
        Self {
            block: u32::from(high) << 16 | u32::from(low),
            offnum,
        }
    }

    /// Reads the six bytes of one.
    #[inline]
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [h0, h1, l0, l1, o0, o1] = *bytes.first_chunk()?;
        let half = |a, b| u16::from_le_bytes([a, b]);
        Some(Self::from_halves(half(h0, h1), half(l0, l1), half(o0, o1)))
    }
}

impl fmt::Display for ItemPointer {
    /// `(30526,7)`, as the type `tid` prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.block, self.offnum)
    }
}

impl fmt::Debug for ItemPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The line pointers of a page with their offset numbers, from 1. They end at `pd_lower` or
/// at the end of the page, whichever comes first.
#[inline]
pub fn line_pointers<'a>(
    page: &'a [u8],
    header: &PageHeader,
) -> impl ExactSizeIterator<Item = (OffsetNumber, ItemId)> + Clone + use<'a> {
    let area = page
        .get(usize::from(PAGE_HEADER_SIZE)..)
        .unwrap_or_default();
    let (all, _) = area.as_chunks::<4>();
    let told = usize::from(header.max_offset_number()).min(all.len());
    let mut offnum: OffsetNumber = 0;
    all.get(..told)
        .unwrap_or_default()
        .iter()
        .map(move |bytes| {
            offnum = offnum.wrapping_add(1);
            (offnum, ItemId(u32::from_le_bytes(*bytes)))
        })
}

/// One line pointer by its offset number, when `pd_lower` covers it.
#[inline]
#[must_use]
pub fn line_pointer(page: &[u8], header: &PageHeader, offnum: OffsetNumber) -> Option<ItemId> {
    if offnum == 0 || offnum > header.max_offset_number() {
        return None;
    }
    let at = usize::from(offnum)
        .checked_mul(usize::from(ITEM_ID_SIZE))?
        .checked_add(usize::from(PAGE_HEADER_SIZE.wrapping_sub(ITEM_ID_SIZE)))?;
    u32_at(page, at).map(ItemId)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::format::version::Version;

    pub(crate) fn layout(major: Major) -> Layout {
        Layout::usual(Version::of(major).unwrap())
    }

    /// An empty page with a special space of `special` bytes.
    pub(crate) fn empty(special: u16) -> Vec<u8> {
        let mut page = vec![0; 8192];
        page[12..14].copy_from_slice(&24_u16.to_le_bytes());
        page[14..16].copy_from_slice(&(8192 - special).to_le_bytes());
        page[16..18].copy_from_slice(&(8192 - special).to_le_bytes());
        page[18..20].copy_from_slice(&0x2004_u16.to_le_bytes());
        page
    }

    fn faults(page: &[u8]) -> Vec<PageFault> {
        let mut all = Vec::new();
        page_faults(page, &layout(Major::V15), |f| all.push(f));
        all
    }

    #[test]
    fn header_fields() {
        let mut page = empty(16);
        page[..8].copy_from_slice(&[0x16, 0, 0, 0, 0x48, 0xD8, 0x74, 0xB3]);
        page[8..12].copy_from_slice(&[0x34, 0x12, 5, 0]);
        page[20] = 9;
        let header = PageHeader::parse(&page).unwrap();
        assert_eq!(header.pd_lsn.to_string(), "16/B374D848");
        assert_eq!(header.pd_checksum, 0x1234);
        assert!(header.has(PD_ALL_VISIBLE) && header.has(PD_HAS_FREE_LINES));
        assert_eq!(header.pd_special, 8176);
        assert_eq!(header.pd_prune_xid, TransactionId(9));
        assert_eq!(header.page_size(), 8192);
        assert!(PageHeader::parse(&page[..23]).is_err());
    }

    #[test]
    fn old_servers_ask_for_more_than_new_ones() {
        let mut page = empty(0);
        page[18] = 5;
        assert!(!server_accepts(&page, &layout(Major::V9_2)));
        assert!(server_accepts(&page, &layout(Major::V9_3)));
        let mut page = empty(0);
        page[12] = 20;
        assert!(!server_accepts(&page, &layout(Major::V9_2)));
        assert!(server_accepts(&page, &layout(Major::V19)));
        assert_eq!(faults(&page), [PageFault::LowerInsideHeader(20)]);
    }

    #[test]
    fn a_new_page_must_be_empty() {
        for major in [Major::V9_0, Major::V15] {
            assert!(server_accepts(&[0; 8192], &layout(major)));
            assert!(server_accepts_checksummed(&[0; 8192], 7, &layout(major)));
            let mut page = vec![0; 8192];
            page[8191] = 1;
            assert!(!server_accepts(&page, &layout(major)));
            assert!(!server_accepts_checksummed(&page, 7, &layout(major)));
            assert_eq!(faults(&page), [PageFault::NewButNotEmpty]);
        }
    }

    #[test]
    fn each_fault_by_itself() {
        let edit = |at: usize, value: u16| {
            let mut page = empty(16);
            page[at..at + 2].copy_from_slice(&value.to_le_bytes());
            faults(&page)
        };
        assert_eq!(edit(18, 0x2004), []);
        assert_eq!(edit(10, 8), [PageFault::UnknownFlags(8)]);
        assert_eq!(edit(12, 26), [PageFault::LowerMisaligned(26)]);
        assert_eq!(
            edit(12, 8180),
            [PageFault::LowerBeyondUpper {
                lower: 8180,
                upper: 8176
            }]
        );
        assert_eq!(
            edit(14, 8180),
            [PageFault::UpperBeyondSpecial {
                upper: 8180,
                special: 8176
            }]
        );
        assert_eq!(edit(16, 8177), [PageFault::SpecialMisaligned(8177)]);
        assert_eq!(
            edit(16, 8200),
            [PageFault::SpecialBeyondEnd {
                special: 8200,
                blcksz: 8192
            }]
        );
        assert_eq!(
            edit(18, 0x2003)[0].to_string(),
            "pd_pagesize_version is 0x2003, expected page size 8192 and layout version 4"
        );
    }

    #[test]
    fn zero_test_sees_every_byte() {
        for len in [0, 1, 127, 128, 129, 8192] {
            let mut bytes = vec![0; len];
            assert!(is_zeroed(&bytes));
            for at in 0..len {
                bytes[at] = 0x80;
                assert!(!is_zeroed(&bytes), "{at} of {len}");
                bytes[at] = 0;
            }
        }
    }

    #[test]
    fn line_pointer_bits() {
        let lp = ItemId(0x009E_9FE0);
        assert_eq!(format!("{lp:?}"), "normal 8160+79");
        assert_eq!(lp.end(), 8239);
        assert_eq!(lp.bytes(&[0; 8192]), None);
        assert_eq!(ItemId(0x0001_0005).flags(), LpFlags::Redirect);
        let mut page = empty(0);
        page[12] = 32;
        page[28..32].copy_from_slice(&0x0001_0005_u32.to_le_bytes());
        let header = PageHeader::parse(&page).unwrap();
        let all: Vec<_> = line_pointers(&page, &header).collect();
        assert_eq!(all, [(1, ItemId(0)), (2, ItemId(0x0001_0005))]);
        assert_eq!(line_pointer(&page, &header, 2), Some(ItemId(0x0001_0005)));
        assert_eq!(line_pointer(&page, &header, 0), None);
        assert_eq!(line_pointer(&page, &header, 3), None);
    }

    proptest::proptest! {
        #[test]
        fn line_pointers_stay_on_the_page(mut page in proptest::collection::vec(0_u8.., 0..600)) {
            if page.len() > 14 {
                page[13] = 0xFF;
            }
            if let Ok(header) = PageHeader::parse(&page) {
                let n = line_pointers(&page, &header).count();
                assert!(n * 4 + 24 <= page.len());
                assert_eq!(line_pointers(&page, &header).len(), n);
                for (offnum, lp) in line_pointers(&page, &header) {
                    assert_eq!(line_pointer(&page, &header, offnum), Some(lp));
                    let _ = lp.bytes(&page);
                }
            }
            page_faults(&page, &layout(Major::V9_0), |f| drop(f.to_string()));
        }
    }
}
