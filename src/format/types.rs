//! PostgreSQL's own numbers, under PostgreSQL's own names.
//!
//! Sources: `c.h`, `access/transam.h`, `access/xlogdefs.h`, `storage/block.h`,
//! `storage/off.h`, `storage/relfilelocator.h` (`relfilenode.h` before 16),
//! `common/relpath.h`.

use std::fmt;

/// Number of a block within a fork of a relation, from 0.
pub type BlockNumber = u32;
/// Number of a line pointer on a page, from 1; never a byte offset.
pub type OffsetNumber = u16;
/// Object identifier.
pub type Oid = u32;
/// Timeline of the WAL.
pub type TimeLineID = u32;
/// The number in a relation's file name (`RelFileNode.relNode` before 16).
pub type RelFileNumber = u32;
/// Number of a WAL segment counted from LSN 0 (9.3 and later; see `format::names`).
pub type XLogSegNo = u64;
/// A set of transactions that lock or update one tuple.
pub type MultiXactId = u32;
/// Index into the members of multixacts; 32 bits wide on disk up to 18, 64 from 19.
pub type MultiXactOffset = u64;

/// `InvalidBlockNumber` of `storage/block.h`.
pub const INVALID_BLOCK_NUMBER: BlockNumber = 0xFFFF_FFFF;

/// A position in the WAL, printed as `%X/%X`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct XLogRecPtr(pub u64);

impl XLogRecPtr {
    /// `InvalidXLogRecPtr`.
    pub const INVALID: Self = Self(0);

    /// From the two halves that pages of every version, and WAL up to 9.2, store.
    #[must_use]
    pub fn from_halves(high: u32, low: u32) -> Self {
        Self(u64::from(high) << 32 | u64::from(low))
    }

    /// The high half, `xlogid` up to 9.2.
    #[must_use]
    pub fn high(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)
    }

    /// The low half, `xrecoff` up to 9.2.
    #[must_use]
    pub fn low(self) -> u32 {
        u32::try_from(self.0 & 0xFFFF_FFFF).unwrap_or(u32::MAX)
    }

    /// Whether this is not `InvalidXLogRecPtr`.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.0 != 0
    }

    /// Parses `16/B374D848`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let half = |s: &str| {
            ((1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_hexdigit()))
                .then(|| u32::from_str_radix(s, 16).ok())
                .flatten()
        };
        Some(Self::from_halves(half(high)?, half(low)?))
    }
}

impl fmt::Display for XLogRecPtr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.high(), self.low())
    }
}

impl fmt::Debug for XLogRecPtr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A 32-bit transaction number as tuples and WAL records carry it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TransactionId(pub u32);

impl TransactionId {
    /// `InvalidTransactionId`.
    pub const INVALID: Self = Self(0);
    /// `BootstrapTransactionId`.
    pub const BOOTSTRAP: Self = Self(1);
    /// `FrozenTransactionId`.
    pub const FROZEN: Self = Self(2);
    /// `FirstNormalTransactionId`.
    pub const FIRST_NORMAL: Self = Self(3);

    /// Whether this is not `InvalidTransactionId`.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.0 != 0
    }

    /// Whether the commit log is ever asked about it (`TransactionIdIsNormal`).
    #[must_use]
    pub fn is_normal(self) -> bool {
        self.0 >= 3
    }

    /// Modular comparison (`transam.c: TransactionIdPrecedes`).
    #[must_use]
    pub fn precedes(self, other: Self) -> bool {
        if self.is_normal() && other.is_normal() {
            // The sign bit of the modular difference.
            self.0.wrapping_sub(other.0) >= 0x8000_0000
        } else {
            self.0 < other.0
        }
    }

    /// The next transaction number, past the reserved ones (`TransactionIdAdvance`).
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1).max(3))
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A transaction number with its epoch, as the cluster counts them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FullTransactionId(pub u64);

impl FullTransactionId {
    /// From epoch and 32-bit number.
    #[must_use]
    pub fn from_epoch_and_xid(epoch: u32, xid: TransactionId) -> Self {
        Self(u64::from(epoch) << 32 | u64::from(xid.0))
    }

    /// How often the 32-bit counter has wrapped.
    #[must_use]
    pub fn epoch(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)
    }

    /// The 32-bit number.
    #[must_use]
    pub fn xid(self) -> TransactionId {
        TransactionId(u32::try_from(self.0 & 0xFFFF_FFFF).unwrap_or(u32::MAX))
    }

    /// Moves past `xid` when that is not older
    /// (`varsup.c: AdvanceNextFullTransactionIdPastXid`).
    pub fn advance_past(&mut self, xid: TransactionId) {
        if !xid.is_normal() || xid.precedes(self.xid()) {
            return;
        }
        let next = xid.next();
        let epoch = self.epoch().wrapping_add(u32::from(next.0 < self.xid().0));
        *self = Self::from_epoch_and_xid(epoch, next);
    }
}

impl fmt::Display for FullTransactionId {
    /// `epoch:xid`, as `pg_controldata` prints it from 9.6 on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch(), self.xid())
    }
}

impl fmt::Debug for FullTransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a relation's files lie: tablespace, database, file number
/// (`RelFileLocator`; `RelFileNode` before 16).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RelFileLocator {
    /// Tablespace.
    pub spc_oid: Oid,
    /// Database, 0 for shared relations.
    pub db_oid: Oid,
    /// Number in the file name.
    pub rel_number: RelFileNumber,
}

impl fmt::Display for RelFileLocator {
    /// `1663/16397/1046635`, as WAL tools print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.spc_oid, self.db_oid, self.rel_number)
    }
}

impl fmt::Debug for RelFileLocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `pg_default`.
pub const DEFAULTTABLESPACE_OID: Oid = 1663;
/// `pg_global`.
pub const GLOBALTABLESPACE_OID: Oid = 1664;

/// One of the files that make up a relation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ForkNumber {
    /// `MAIN_FORKNUM`: the data.
    Main,
    /// `FSM_FORKNUM`: free space map.
    Fsm,
    /// `VISIBILITYMAP_FORKNUM`: visibility map.
    Vm,
    /// `INIT_FORKNUM`: what an unlogged relation is reset to.
    Init,
}

impl ForkNumber {
    /// From the number WAL records hold.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Main,
            1 => Self::Fsm,
            2 => Self::Vm,
            3 => Self::Init,
            _ => return None,
        })
    }

    /// The number WAL records hold.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Main => 0,
            Self::Fsm => 1,
            Self::Vm => 2,
            Self::Init => 3,
        }
    }

    /// `main`, `fsm`, `vm`, `init`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Fsm => "fsm",
            Self::Vm => "vm",
            Self::Init => "init",
        }
    }

    /// What the file name carries: empty, `_fsm`, `_vm`, `_init`.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Fsm => "_fsm",
            Self::Vm => "_vm",
            Self::Init => "_init",
        }
    }
}

impl fmt::Display for ForkNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Microseconds since 2000-01-01 UTC (`TimestampTz`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct TimestampTz(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsn_round_trip() {
        let lsn = XLogRecPtr::from_halves(0x16, 0xB374_D848);
        assert_eq!(lsn.to_string(), "16/B374D848");
        assert_eq!(XLogRecPtr::parse("16/B374D848"), Some(lsn));
        assert_eq!(
            XLogRecPtr::parse("0/0150B730"),
            Some(XLogRecPtr(0x150_B730))
        );
        for bad in ["", "/", "1/", "+1/2", "1/123456789", "1-2"] {
            assert_eq!(XLogRecPtr::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn xids_compare_in_a_circle() {
        let next = TransactionId(729);
        assert!(TransactionId(4_294_692_688).precedes(next));
        assert!(next.precedes(TransactionId(779_319_667)));
        assert!(TransactionId::FROZEN.precedes(TransactionId(3)));
    }

    #[test]
    fn next_xid_advances_over_the_epoch() {
        let mut next = FullTransactionId::from_epoch_and_xid(1, TransactionId(0xFFFF_FFFE));
        next.advance_past(TransactionId(0xFFFF_FFFF));
        assert_eq!(next.to_string(), "2:3");
        next.advance_past(TransactionId(0xFFFF_FFF0));
        assert_eq!(next.to_string(), "2:3", "an older xid changes nothing");
    }

    proptest::proptest! {
        #[test]
        fn lsns_order_as_their_halves_and_survive_printing(a: u64, b: u64) {
            let (a, b) = (XLogRecPtr(a), XLogRecPtr(b));
            assert_eq!(a.cmp(&b), (a.high(), a.low()).cmp(&(b.high(), b.low())));
            assert_eq!(XLogRecPtr::from_halves(a.high(), a.low()), a);
            assert_eq!(XLogRecPtr::parse(&a.to_string()), Some(a));
        }

        #[test]
        fn of_two_xids_one_precedes_unless_they_are_half_the_circle_apart(a: u32, b: u32) {
            let (x, y) = (TransactionId(a), TransactionId(b));
            let normal = x.is_normal() && y.is_normal();
            if a == b {
                assert!(!x.precedes(y));
            } else if normal && a.wrapping_sub(b) == 0x8000_0000 {
                assert!(x.precedes(y) && y.precedes(x));
            } else {
                assert_ne!(x.precedes(y), y.precedes(x));
            }
            assert!(x.next().is_normal());
            assert!(!x.is_normal() || x.precedes(x.next()));
        }

        #[test]
        fn the_next_xid_only_grows_and_passes_what_it_is_told_of(
            epoch in 0_u32..u32::MAX, next in 3_u32.., xid: u32,
        ) {
            let xid = TransactionId(xid);
            let before = FullTransactionId::from_epoch_and_xid(epoch, TransactionId(next));
            assert_eq!((before.epoch(), before.xid().0), (epoch, next));
            let mut after = before;
            after.advance_past(xid);
            assert!(after >= before && after.0 - before.0 <= 0x8000_0003);
            assert!(after.xid().is_normal());
            assert!(!xid.is_normal() || xid.precedes(after.xid()));
        }
    }
}
