//! The SLRUs: commit log, parents of subtransactions, multixacts, commit timestamps.
//!
//! Sources: `transam/slru.c`, `transam/clog.c`, `transam/subtrans.c`, `transam/multixact.c`
//! (`access/multixact_internal.h` from 19), `transam/commit_ts.c`.
//!
//! ```text
//!  pg_xact     2 bits a transaction, lowest first, 4 a byte
//!  pg_subtrans u32 parent
//!  offsets     u32 (u64 from 19) first member of each multixact
//!  members     up to 9.2: u32 transaction
//!              from 9.3: groups of  | 4 status bytes | 4 x u32 transaction |
//!  commit_ts   i64 time, u16 origin; 10 bytes each
//! ```
//! A page has neither header nor checksum. A segment is 32 pages; its name is its number in
//! hex digits.

use super::names::hex;
use super::page::{u16_at, u32_at, u64_at};
use super::types::{MultiXactOffset, TimestampTz, TransactionId};
use super::version::{Layout, Major};
use std::fmt;

/// Pages of a segment (`SLRU_PAGES_PER_SEGMENT`; a build option from 19 on).
pub const SLRU_PAGES_PER_SEGMENT: u64 = 32;

/// Bytes of a group of four members, 9.3 and later (`MULTIXACT_MEMBERGROUP_SIZE`).
const MEMBERGROUP_SIZE: u32 = 20;
/// Bytes of a commit timestamp.
const COMMIT_TS_SIZE: u32 = 10;

/// One of the SLRUs that a tuple's transactions are looked up in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Slru {
    /// `pg_xact`, `pg_clog` up to 9.6: how each transaction ended.
    Xact,
    /// `pg_subtrans`: parents of subtransactions; made anew at each start.
    Subtrans,
    /// `pg_multixact/offsets`.
    MultiXactOffset,
    /// `pg_multixact/members`.
    MultiXactMember,
    /// `pg_commit_ts`, 9.5 and later.
    CommitTs,
}

impl Slru {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::Xact,
        Self::Subtrans,
        Self::MultiXactOffset,
        Self::MultiXactMember,
        Self::CommitTs,
    ];
}

/// Where an entry of an SLRU lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SlruPlace {
    /// Number of the segment; [`Slru::segment_name`] gives its name.
    pub segno: u64,
    /// Page of the segment, from 0.
    pub page: u32,
    /// Byte of the page where the entry begins.
    pub byte: u32,
    /// Bit of that byte where it begins; 0 but for the commit log.
    pub shift: u32,
}

impl SlruPlace {
    /// Byte of the segment file where the page begins.
    #[must_use]
    pub fn page_offset(&self, layout: &Layout) -> u64 {
        u64::from(self.page).saturating_mul(u64::from(layout.blcksz))
    }
}

impl Slru {
    /// The directory in PGDATA.
    #[must_use]
    pub fn directory(self, layout: &Layout) -> &'static str {
        match self {
            Self::Xact => layout.version.xact_dir(),
            Self::Subtrans => "pg_subtrans",
            Self::MultiXactOffset => "pg_multixact/offsets",
            Self::MultiXactMember => "pg_multixact/members",
            Self::CommitTs => "pg_commit_ts",
        }
    }

    /// Whether the version has it.
    #[must_use]
    pub fn exists(self, layout: &Layout) -> bool {
        self != Self::CommitTs || layout.since(Major::V9_5)
    }

    /// Entries of a page: transactions, multixacts or members.
    #[must_use]
    pub fn entries_per_page(self, layout: &Layout) -> u32 {
        let blcksz = layout.blcksz;
        match self {
            Self::Xact => blcksz.saturating_mul(4),
            Self::Subtrans => blcksz / 4,
            Self::MultiXactOffset if layout.since(Major::V19) => blcksz / 8,
            Self::MultiXactOffset => blcksz / 4,
            Self::MultiXactMember if layout.since(Major::V9_3) => {
                (blcksz / MEMBERGROUP_SIZE).saturating_mul(4)
            }
            Self::MultiXactMember => blcksz / 4,
            Self::CommitTs => blcksz / COMMIT_TS_SIZE,
        }
    }

    /// Entries of a segment.
    #[must_use]
    pub fn entries_per_segment(self, layout: &Layout) -> u64 {
        u64::from(self.entries_per_page(layout)).saturating_mul(SLRU_PAGES_PER_SEGMENT)
    }

    /// The page, counted through all segments, that holds an entry.
    #[must_use]
    pub fn pageno(self, entry: u64, layout: &Layout) -> u64 {
        entry
            .checked_div(u64::from(self.entries_per_page(layout)))
            .unwrap_or(0)
    }

    /// Where the entry of a transaction, multixact or member offset lies.
    #[must_use]
    pub fn locate(self, entry: u64, layout: &Layout) -> SlruPlace {
        let per_page = u64::from(self.entries_per_page(layout)).max(1);
        let pageno = self.pageno(entry, layout);
        // Below a page's number of entries, which fits.
        let n = u32::try_from(entry.checked_rem(per_page).unwrap_or(0)).unwrap_or(0);
        let (byte, shift) = match self {
            Self::Xact => (n / 4, (n & 3).wrapping_mul(2)),
            Self::Subtrans => (n.saturating_mul(4), 0),
            Self::MultiXactOffset if layout.since(Major::V19) => (n.saturating_mul(8), 0),
            Self::MultiXactOffset => (n.saturating_mul(4), 0),
            // The member's transaction; its status byte is at the head of the group.
            Self::MultiXactMember if layout.since(Major::V9_3) => (
                (n / 4)
                    .saturating_mul(MEMBERGROUP_SIZE)
                    .saturating_add(4)
                    .saturating_add((n & 3).wrapping_mul(4)),
                0,
            ),
            Self::MultiXactMember => (n.saturating_mul(4), 0),
            Self::CommitTs => (n.saturating_mul(COMMIT_TS_SIZE), 0),
        };
        SlruPlace {
            segno: pageno / SLRU_PAGES_PER_SEGMENT,
            page: u32::try_from(pageno % SLRU_PAGES_PER_SEGMENT).unwrap_or(0),
            byte,
            shift,
        }
    }

    /// Whether segment names have 15 digits.
    #[must_use]
    pub fn has_long_names(self, layout: &Layout) -> bool {
        self == Self::MultiXactMember && layout.since(Major::V19)
    }

    /// `002A`: the file name of a segment (`slru.c: SlruFileName`).
    #[must_use]
    pub fn segment_name(self, segno: u64, layout: &Layout) -> String {
        if self.has_long_names(layout) {
            format!("{segno:015X}")
        } else {
            format!("{segno:04X}")
        }
    }

    /// `pg_xact/002A`: the path of a segment from PGDATA.
    #[must_use]
    pub fn segment_path(self, segno: u64, layout: &Layout) -> String {
        let name = self.segment_name(segno, layout);
        format!("{}/{name}", self.directory(layout))
    }

    /// The segment of the highest entry there can be.
    #[must_use]
    pub fn last_segment(self, layout: &Layout) -> u64 {
        let last = if self.has_long_names(layout) {
            u64::MAX
        } else {
            u64::from(u32::MAX)
        };
        self.pageno(last, layout) / SLRU_PAGES_PER_SEGMENT
    }

    /// Whether a segment holds an entry from `oldest` up to but not including `next`.
    /// Numbers of 32 bits wrap, so `oldest` may be the greater. At most half the circle is
    /// ever live.
    #[must_use]
    pub fn segment_is_live(self, segno: u64, oldest: u64, next: u64, layout: &Layout) -> bool {
        if oldest == next {
            // Nothing is live, yet the server keeps the page of the next entry.
            return segno == self.locate(next, layout).segno;
        }
        let first = self.locate(oldest, layout).segno;
        let last = self
            .locate(next.wrapping_sub(1) & self.entry_mask(layout), layout)
            .segno;
        if first <= last {
            (first..=last).contains(&segno)
        } else {
            segno <= self.last_segment(layout) && (segno >= first || segno <= last)
        }
    }

    fn entry_mask(self, layout: &Layout) -> u64 {
        if self.has_long_names(layout) {
            u64::MAX
        } else {
            u64::from(u32::MAX)
        }
    }
}

/// The segment number that a file name means: 4 to 6 digits, and 15 where an SLRU uses long
/// names (`slru.c: SlruCorrectSegmentFilenameLength`).
#[must_use]
pub fn parse_segment_name(name: &str) -> Option<u64> {
    hex(name).filter(|_| matches!(name.len(), 4..=6 | 15))
}

/// How a transaction ended, in the commit log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum XidStatus {
    /// Running; after a crash, aborted.
    InProgress,
    /// Committed.
    Committed,
    /// Aborted.
    Aborted,
    /// A subtransaction whose parent was about to commit: the parent decides.
    SubCommitted,
}

impl fmt::Display for XidStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProgress => "in progress",
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::SubCommitted => "sub-committed",
        })
    }
}

/// The status at a place of a commit log page; `None` when the page is too short.
#[inline]
#[must_use]
pub fn xid_status(page: &[u8], place: SlruPlace) -> Option<XidStatus> {
    let byte = page.get(usize::try_from(place.byte).ok()?)?;
    Some(match byte.checked_shr(place.shift)? & 3 {
        0 => XidStatus::InProgress,
        1 => XidStatus::Committed,
        2 => XidStatus::Aborted,
        _ => XidStatus::SubCommitted,
    })
}

/// Counts the statuses of pages of the commit log that follow each other: in progress,
/// committed, aborted, sub-committed. `counts` says of a transaction, by its number from the
/// first, whether to take it.
#[must_use]
pub fn count_statuses(pages: &[u8], counts: impl Fn(u64) -> bool) -> [u64; 4] {
    let mut statuses = [0_u64; 4];
    let mut n = 0_u64;
    for byte in pages {
        for shift in [0, 2, 4, 6] {
            let status = usize::from(byte >> shift & 3);
            if counts(n)
                && let Some(count) = statuses.get_mut(status)
            {
                *count = count.saturating_add(1);
            }
            n = n.saturating_add(1);
        }
    }
    statuses
}

/// The first member of a multixact at a place of an offsets page; 0 is not yet set.
#[must_use]
pub fn multixact_offset(page: &[u8], place: SlruPlace, layout: &Layout) -> Option<MultiXactOffset> {
    let at = usize::try_from(place.byte).ok()?;
    if layout.since(Major::V19) {
        u64_at(page, at)
    } else {
        u32_at(page, at).map(u64::from)
    }
}

/// What a member of a multixact does with the tuple (`MultiXactStatus`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MultiXactStatus {
    /// Locks it FOR KEY SHARE.
    ForKeyShare,
    /// Locks it FOR SHARE; all members up to 9.2.
    ForShare,
    /// Locks it FOR NO KEY UPDATE.
    ForNoKeyUpdate,
    /// Locks it FOR UPDATE.
    ForUpdate,
    /// Updates it, keeping its key.
    NoKeyUpdate,
    /// Updates it otherwise, or deletes it.
    Update,
    /// A value that no version writes.
    Unknown(u8),
}

impl MultiXactStatus {
    /// Whether the member may have ended the tuple (`ISUPDATE_from_mxstatus`).
    #[must_use]
    pub fn is_update(self) -> bool {
        matches!(self, Self::NoKeyUpdate | Self::Update)
    }
}

impl From<u8> for MultiXactStatus {
    fn from(value: u8) -> Self {
        match value {
            0 => Self::ForKeyShare,
            1 => Self::ForShare,
            2 => Self::ForNoKeyUpdate,
            3 => Self::ForUpdate,
            4 => Self::NoKeyUpdate,
            5 => Self::Update,
            other => Self::Unknown(other),
        }
    }
}

impl fmt::Display for MultiXactStatus {
    /// As `pg_get_multixact_members` says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForKeyShare => f.write_str("keysh"),
            Self::ForShare => f.write_str("sh"),
            Self::ForNoKeyUpdate => f.write_str("fornokeyupd"),
            Self::ForUpdate => f.write_str("forupd"),
            Self::NoKeyUpdate => f.write_str("nokeyupd"),
            Self::Update => f.write_str("upd"),
            Self::Unknown(value) => write!(f, "unknown status {value}"),
        }
    }
}

/// A member of a multixact.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MultiXactMember {
    /// The transaction; 0 is padding at the wraparound up to 18.
    pub xid: TransactionId,
    /// What it does.
    pub status: MultiXactStatus,
}

/// The member at a place of a members page; `None` when the page is too short.
#[must_use]
pub fn multixact_member(page: &[u8], place: SlruPlace, layout: &Layout) -> Option<MultiXactMember> {
    let at = usize::try_from(place.byte).ok()?;
    let xid = TransactionId(u32_at(page, at)?);
    let status = if layout.since(Major::V9_3) {
        // Group: four status bytes, then four transactions.
        let in_group = place.byte.checked_rem(MEMBERGROUP_SIZE)?.checked_sub(4)? / 4;
        let group = place
            .byte
            .checked_sub(place.byte.checked_rem(MEMBERGROUP_SIZE)?)?;
        let flag = group.checked_add(in_group)?;
        MultiXactStatus::from(*page.get(usize::try_from(flag).ok()?)?)
    } else {
        MultiXactStatus::ForShare
    };
    Some(MultiXactMember { xid, status })
}

/// The commit timestamp and replication origin at a place; `None` when none was kept.
#[must_use]
pub fn commit_ts(page: &[u8], place: SlruPlace) -> Option<(TimestampTz, u16)> {
    let at = usize::try_from(place.byte).ok()?;
    let time = i64::from_le_bytes(*page.get(at..)?.first_chunk()?);
    let origin = u16_at(page, at.checked_add(8)?)?;
    (time != 0).then_some((TimestampTz(time), origin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::page::tests::layout;

    fn place(segno: u64, page: u32, byte: u32, shift: u32) -> SlruPlace {
        SlruPlace {
            segno,
            page,
            byte,
            shift,
        }
    }

    #[test]
    fn places() {
        let (old, new, next) = (layout(Major::V9_2), layout(Major::V15), layout(Major::V19));
        let xid = 0xFFFF_FFFF;
        assert_eq!(Slru::Xact.locate(xid, &new), place(0xFFF, 31, 8191, 6));
        assert_eq!(Slru::Xact.locate(1_048_577, &new), place(1, 0, 0, 2));
        assert_eq!(Slru::Subtrans.locate(xid, &new).segno, 0xFFFF);
        assert_eq!(Slru::MultiXactOffset.locate(xid, &new).segno, 0xFFFF);
        assert_eq!(Slru::MultiXactOffset.locate(xid, &next).segno, 0x1FFFF);
        assert_eq!(Slru::MultiXactOffset.locate(1025, &next), place(0, 1, 8, 0));
        assert_eq!(Slru::MultiXactMember.locate(xid, &new).segno, 0x14078);
        assert_eq!(Slru::MultiXactMember.locate(5, &new), place(0, 0, 28, 0));
        assert_eq!(Slru::MultiXactMember.locate(5, &old), place(0, 0, 20, 0));
        assert_eq!(Slru::MultiXactMember.locate(1636, &new), place(0, 1, 4, 0));
        assert_eq!(Slru::CommitTs.locate(xid, &new).segno, 0x28028);
        assert_eq!(Slru::CommitTs.locate(820, &new), place(0, 1, 10, 0));
    }

    #[test]
    fn statuses_are_counted() {
        assert_eq!(
            count_statuses(&[0b11_10_01_00, 0b01], |_| true),
            [4, 2, 1, 1]
        );
        assert_eq!(
            count_statuses(&[0b11_10_01_00, 0b01], |n| n == 4),
            [0, 1, 0, 0]
        );
    }

    #[test]
    fn names() {
        let (new, next) = (layout(Major::V15), layout(Major::V19));
        assert_eq!(Slru::Xact.segment_name(42, &new), "002A");
        assert_eq!(Slru::MultiXactMember.segment_name(0x14078, &new), "14078");
        assert_eq!(
            Slru::MultiXactMember.segment_name(1, &next),
            "000000000000001"
        );
        assert_eq!(
            Slru::Xact.segment_path(42, &layout(Major::V9_6)),
            "pg_clog/002A"
        );
        assert_eq!(parse_segment_name("0FFF"), Some(0xFFF));
        assert_eq!(parse_segment_name("14078"), Some(0x14078));
        assert_eq!(parse_segment_name("00000000000000F"), Some(15));
        for bad in ["", "000", "00a0", "+0A0", "1234567", "00000000000000"] {
            assert_eq!(parse_segment_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn live_segments() {
        let new = layout(Major::V15);
        let live = |segno, oldest, next| Slru::Xact.segment_is_live(segno, oldest, next, &new);
        let m = 1_048_576;
        assert!(live(0, 3, m) && !live(1, 3, m));
        assert!(live(1, 3, m + 1));
        assert!(live(2, 2 * m, 2 * m) && !live(1, 2 * m, 2 * m));
        // Across the wraparound.
        let oldest = 0xFFF * m;
        assert!(live(0xFFF, oldest, 5) && live(0, oldest, 5));
        assert!(!live(1, oldest, 5) && !live(0xFFE, oldest, 5) && !live(0x1000, oldest, 5));
        assert!(live(0xFFF, oldest, 0) && !live(0, oldest, 0));
    }

    #[test]
    fn entries() {
        let (old, new) = (layout(Major::V9_2), layout(Major::V9_3));
        let mut page = vec![0; 8192];
        page[0] = 0b1110_0100;
        let status = |n| xid_status(&page, Slru::Xact.locate(n, &new)).unwrap();
        assert_eq!(
            [status(0), status(1), status(2), status(3)],
            [
                XidStatus::InProgress,
                XidStatus::Committed,
                XidStatus::Aborted,
                XidStatus::SubCommitted
            ]
        );
        page[20..24].copy_from_slice(&[0, 5, 9, 0]);
        page[28..32].copy_from_slice(&700_u32.to_le_bytes());
        let member = |n, layout| {
            let place = Slru::MultiXactMember.locate(n, layout);
            multixact_member(&page, place, layout).unwrap()
        };
        assert_eq!(member(5, &new).xid, TransactionId(700));
        assert!(member(5, &new).status.is_update());
        assert_eq!(member(6, &new).status.to_string(), "unknown status 9");
        assert_eq!(member(7, &old).xid, TransactionId(700));
        assert_eq!(member(7, &old).status, MultiXactStatus::ForShare);
        let place = Slru::MultiXactOffset.locate(7, &new);
        assert_eq!(multixact_offset(&page, place, &new), Some(700));
        assert_eq!(commit_ts(&page, Slru::CommitTs.locate(100, &new)), None);
    }

    proptest::proptest! {
        #[test]
        fn places_stay_on_the_page(entry: u64, len in 0_usize..9000) {
            let page = vec![1; len];
            for major in [Major::V9_0, Major::V9_3, Major::V19] {
                let layout = layout(major);
                for slru in Slru::ALL {
                    let place = slru.locate(entry, &layout);
                    assert!(place.byte < 8192 && place.page < 32 && place.shift < 8);
                    let _ = xid_status(&page, place);
                    let _ = multixact_offset(&page, place, &layout);
                    let _ = multixact_member(&page, place, &layout);
                    let _ = commit_ts(&page, place);
                }
            }
        }
    }
}
