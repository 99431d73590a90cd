//! The header of a WAL page.
//!
//! Source: `access/xlog_internal.h` (`XLogPageHeaderData`, `XLogLongPageHeaderData`), 9.0-19.
//!
//! ```text
//!              9.0-9.2              9.3-19
//!   0  u16     xlp_magic            xlp_magic
//!   2  u16     xlp_info             xlp_info
//!   4  u32     xlp_tli              xlp_tli
//!   8  8       xlp_pageaddr (high, low)   xlp_pageaddr u64
//!  16  u32     -                    xlp_rem_len, then 4 bytes of padding
//!  16 / 24     xlp_sysid u64, xlp_seg_size u32, xlp_xlog_blcksz u32   (long header)
//! ```

use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{TimeLineID, XLogRecPtr};
use crate::format::version::{Major, Version};

/// The page begins with the rest of a record that began before it.
pub const XLP_FIRST_IS_CONTRECORD: u16 = 0x0001;
/// The header is the long one of a segment's first page.
pub const XLP_LONG_HEADER: u16 = 0x0002;

/// `XLogPageHeaderData`, with the long part when the flag for it is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WalPageHeader {
    /// `xlp_magic`.
    pub xlp_magic: u16,
    /// `xlp_info`.
    pub xlp_info: u16,
    /// `xlp_tli`: timeline of the first byte on the page.
    pub xlp_tli: TimeLineID,
    /// `xlp_pageaddr`.
    pub xlp_pageaddr: XLogRecPtr,
    /// `xlp_rem_len`: bytes still to come of the record split before this page; 0 up to 9.2,
    /// where they stand behind the header.
    pub xlp_rem_len: u32,
    /// The long part.
    pub long: Option<WalLongHeader>,
    /// Bytes of the whole header.
    pub size: u32,
}

/// What only the first page of a segment says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WalLongHeader {
    /// `xlp_sysid`: the cluster's system identifier.
    pub xlp_sysid: u64,
    /// `xlp_seg_size`.
    pub xlp_seg_size: u32,
    /// `xlp_xlog_blcksz`.
    pub xlp_xlog_blcksz: u32,
}

/// What must be read of a segment for the header of its first page, of any version.
pub const LONG_HEADER_BYTES: usize = 40;

impl WalPageHeader {
    /// The header of a segment's first page, with the version that its magic number tells.
    #[must_use]
    pub fn identify(page: &[u8]) -> Option<(&'static Version, Self)> {
        let magic = Cursor::new("WAL page header", page).u16().ok()?;
        let version = Version::by_wal_magic(magic)?;
        Some((version, Self::parse(version, page).ok()?))
    }

    /// Reads the header at the start of a page.
    ///
    /// # Errors
    /// When there are fewer bytes than a header has.
    pub fn parse(version: &Version, page: &[u8]) -> Result<Self, Malformed> {
        let mut c = Cursor::new("WAL page header", page);
        let xlp_magic = c.u16()?;
        let xlp_info = c.u16()?;
        let xlp_tli = c.u32()?;
        let xlp_pageaddr = read_lsn(version, &mut c)?;
        let xlp_rem_len = if version.since(Major::V9_3) {
            let rem_len = c.u32()?;
            c.align(8)?;
            rem_len
        } else {
            0
        };
        let long = if xlp_info & XLP_LONG_HEADER != 0 {
            Some(WalLongHeader {
                xlp_sysid: c.u64()?,
                xlp_seg_size: c.u32()?,
                xlp_xlog_blcksz: c.u32()?,
            })
        } else {
            None
        };
        let size = u32::try_from(c.at()).map_err(|_| c.malformed("is too long"))?;
        Ok(Self {
            xlp_magic,
            xlp_info,
            xlp_tli,
            xlp_pageaddr,
            xlp_rem_len,
            long,
            size,
        })
    }

    /// Bytes of the short header, or of the long one.
    #[must_use]
    pub fn size(version: &Version, long: bool) -> u32 {
        match (version.since(Major::V9_3), long) {
            (true, false) => 24,
            (true, true) => 40,
            (false, false) => 16,
            (false, true) => 32,
        }
    }

    /// Whether the page begins with the rest of a record.
    #[must_use]
    pub fn first_is_contrecord(&self) -> bool {
        self.xlp_info & XLP_FIRST_IS_CONTRECORD != 0
    }

    /// Whether recovery restarted here after a record whose rest never reached the disk
    /// (`XLP_FIRST_IS_OVERWRITE_CONTRECORD`). The bit moved in 19; before 9.6 there was none.
    #[must_use]
    pub fn first_is_overwrite_contrecord(&self, version: &Version) -> bool {
        let bit = if version.since(Major::V19) {
            0x0004
        } else if version.since(Major::V9_6) {
            0x0008
        } else {
            0
        };
        self.xlp_info & bit != 0
    }

    /// Flag bits the version's last minor does not know (`~XLP_ALL_FLAGS`).
    #[must_use]
    pub fn unknown_info(&self, version: &Version) -> u16 {
        let known = match version.major {
            m if m >= Major::V19 => 0x0007,
            m if m >= Major::V9_6 => 0x000F,
            m if m >= Major::V9_2 => 0x0007,
            _ => 0x0003,
        };
        self.xlp_info & !known
    }
}

/// A WAL position inside WAL structures: two halves, high first, up to 9.2; one number later.
///
/// # Errors
/// When the bytes end first.
pub fn read_lsn(version: &Version, c: &mut Cursor<'_>) -> Result<XLogRecPtr, Malformed> {
    if version.since(Major::V9_3) {
        Ok(XLogRecPtr(c.u64()?))
    } else {
        let high = c.u32()?;
        Ok(XLogRecPtr::from_halves(high, c.u32()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_sizes_by_era() {
        let mut page = [0_u8; 64];
        for (major, short, long) in [(Major::V9_2, 16, 32), (Major::V9_3, 24, 40)] {
            let version = Version::of(major).unwrap();
            page[2] = 0;
            assert_eq!(WalPageHeader::parse(version, &page).unwrap().size, short);
            assert_eq!(WalPageHeader::size(version, false), short);
            assert_eq!(WalPageHeader::size(version, true), long);
            page[2] = 2;
            assert_eq!(WalPageHeader::parse(version, &page).unwrap().size, long);
            assert!(WalPageHeader::parse(version, &page[..15]).is_err());
        }
    }

    #[test]
    fn the_overwrite_flag_moved_in_19() {
        let mut page = [0_u8; 40];
        page[2] = 0x0C;
        let header = |m| WalPageHeader::parse(Version::of(m).unwrap(), &page).unwrap();
        let v15 = Version::of(Major::V15).unwrap();
        let v19 = Version::of(Major::V19).unwrap();
        assert!(header(Major::V15).first_is_overwrite_contrecord(v15));
        assert_eq!(header(Major::V15).unknown_info(v15), 0);
        assert_eq!(header(Major::V19).unknown_info(v19), 8);
    }
}
