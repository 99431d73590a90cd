//! Positions in the WAL: pages, segments and the step from one to the next.
//!
//! Sources: `access/xlog_internal.h` (`XLByteToSeg`, `XLogSegmentsPerXLogId`; up to 9.2
//! `XLogSegsPerFile`, `NextLogPage`). Up to 9.2 an LSN is a pair of log file and offset, and
//! the last segment of each 4 GB is never used: `0/FEFFFFFF` is followed by `1/0`.

use crate::format::names::WalSegmentName;
use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::version::{Layout, Major};

/// The arithmetic of WAL positions for one cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WalGeometry {
    /// `XLOG_BLCKSZ`.
    pub page_size: u64,
    /// `wal_segment_size`.
    pub segment_size: u64,
    /// Bytes used of each 4 GB: all of them from 9.3 on.
    log_size: u64,
    page_mask: u64,
    segment_mask: u64,
    segment_shift: u32,
    /// `XLogSegmentsPerXLogId` (`XLogSegsPerFile` up to 9.2).
    segments_per_log: u64,
}

impl WalGeometry {
    /// For a cluster whose sizes have been checked to be powers of two in range
    /// (`format::control`).
    #[must_use]
    pub fn of(layout: &Layout) -> Self {
        // Both are powers of two, so each record can do with masks and shifts.
        let segment_size = u64::from(layout.wal_segsz).max(1).next_power_of_two();
        let page_size = u64::from(layout.xlog_blcksz).max(1).next_power_of_two();
        let segments = if layout.since(Major::V9_3) {
            1 << 32
        } else {
            u64::from(u32::MAX)
        };
        let segments_per_log = (segments >> segment_size.trailing_zeros()).max(1);
        Self {
            page_size,
            segment_size,
            log_size: segments_per_log.saturating_mul(segment_size),
            page_mask: page_size.saturating_sub(1),
            segment_mask: segment_size.saturating_sub(1),
            segment_shift: segment_size.trailing_zeros(),
            segments_per_log,
        }
    }

    /// `XLByteToSeg`: the segment that holds the byte at `lsn`.
    #[inline]
    #[must_use]
    pub fn segment_of(&self, lsn: XLogRecPtr) -> XLogSegNo {
        let in_log = (lsn.0 & 0xFFFF_FFFF) >> self.segment_shift;
        (lsn.0 >> 32)
            .saturating_mul(self.segments_per_log)
            .saturating_add(in_log)
    }

    /// Where a segment begins.
    #[must_use]
    pub fn segment_start(&self, segno: XLogSegNo) -> XLogRecPtr {
        let (log, seg) = self.log_and_seg(segno);
        XLogRecPtr(log << 32 | seg.saturating_mul(self.segment_size))
    }

    fn log_and_seg(&self, segno: XLogSegNo) -> (u64, u64) {
        (
            segno.checked_div(self.segments_per_log).unwrap_or(0),
            segno.checked_rem(self.segments_per_log).unwrap_or(0),
        )
    }

    /// `XLogFileName`: the name of a segment's file.
    #[must_use]
    pub fn name(&self, tli: TimeLineID, segno: XLogSegNo) -> WalSegmentName {
        let (log, seg) = self.log_and_seg(segno);
        WalSegmentName {
            tli,
            log: u32::try_from(log).unwrap_or(u32::MAX),
            seg: u32::try_from(seg).unwrap_or(u32::MAX),
        }
    }

    /// `XLogFromFileName`: the number of the segment that a name means.
    #[must_use]
    pub fn segno(&self, name: &WalSegmentName) -> XLogSegNo {
        u64::from(name.log)
            .saturating_mul(self.segments_per_log)
            .saturating_add(u64::from(name.seg))
    }

    /// Byte offset of `lsn` within its segment.
    #[inline]
    #[must_use]
    pub fn segment_offset(&self, lsn: XLogRecPtr) -> u64 {
        lsn.0 & self.segment_mask
    }

    /// Byte offset of `lsn` within its page.
    #[inline]
    #[must_use]
    pub fn page_offset(&self, lsn: XLogRecPtr) -> u64 {
        lsn.0 & self.page_mask
    }

    /// Start of the page that holds `lsn`.
    #[must_use]
    pub fn page_start(&self, lsn: XLogRecPtr) -> XLogRecPtr {
        XLogRecPtr(lsn.0.saturating_sub(self.page_offset(lsn)))
    }

    /// Start of the page after the one that holds `lsn`.
    #[must_use]
    pub fn next_page(&self, lsn: XLogRecPtr) -> XLogRecPtr {
        self.skip_unused(XLogRecPtr(
            self.page_start(lsn).0.saturating_add(self.page_size),
        ))
    }

    /// `lsn` moved to the next 4 GB when it lies in the part never used up to 9.2.
    #[must_use]
    pub fn skip_unused(&self, lsn: XLogRecPtr) -> XLogRecPtr {
        if lsn.0 & 0xFFFF_FFFF >= self.log_size {
            XLogRecPtr::from_halves(lsn.high().saturating_add(1), 0)
        } else {
            lsn
        }
    }

    /// Bytes of WAL between two positions.
    #[must_use]
    pub fn bytes_between(&self, from: XLogRecPtr, to: XLogRecPtr) -> u64 {
        let linear = |lsn: XLogRecPtr| {
            u64::from(lsn.high())
                .saturating_mul(self.log_size)
                .saturating_add(u64::from(lsn.low()))
        };
        linear(to).saturating_sub(linear(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::Version;

    fn geometry(major: Major) -> WalGeometry {
        WalGeometry::of(&Layout::usual(Version::of(major).unwrap()))
    }

    #[test]
    fn the_last_segment_of_each_4_gb_is_unused_up_to_9_2() {
        let old = geometry(Major::V9_2);
        let last = XLogRecPtr::parse("0/FEFFE000").unwrap();
        assert_eq!(old.next_page(last), XLogRecPtr::parse("1/0").unwrap());
        assert_eq!(old.segment_of(XLogRecPtr::parse("1/0").unwrap()), 255);
        assert_eq!(
            old.bytes_between(last, XLogRecPtr::parse("1/0").unwrap()),
            8192
        );
        let new = geometry(Major::V9_3);
        assert_eq!(
            new.next_page(last),
            XLogRecPtr::parse("0/FF000000").unwrap()
        );
        assert_eq!(new.segment_of(XLogRecPtr::parse("1/0").unwrap()), 256);
        assert_eq!(old.name(1, 254).to_string(), "0000000100000000000000FE");
        assert_eq!(old.name(1, 255).to_string(), "000000010000000100000000");
        assert_eq!(new.name(1, 255).to_string(), "0000000100000000000000FF");
    }

    proptest::proptest! {
        #[test]
        fn segments_round_trip(segno in 0_u64..1 << 32, old: bool) {
            let g = geometry(if old { Major::V9_0 } else { Major::V15 });
            let start = g.segment_start(segno);
            assert_eq!(g.segment_of(start), segno);
            assert_eq!(g.segment_offset(start), 0);
            let name = g.name(1, segno);
            assert_eq!(g.segno(&name), segno);
            assert_eq!(start, XLogRecPtr::from_halves(name.log, name.seg << 24));
        }
    }
}
