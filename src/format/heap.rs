//! Heap tuples: their headers, what the flags say in each version, and what no healthy heap
//! page holds.
//!
//! Sources: `access/htup.h` (9.0 to 9.2), `access/htup_details.h` (9.3 on), `heap/heapam.c`,
//! `utils/time/tqual.c` (`heap/heapam_visibility.c` from 12), `amcheck/verify_heapam.c`.
//!
//! ```text
//!  0        4        8                12       18            20           22       23
//!  +--------+--------+----------------+--------+-------------+------------+--------+---------
//!  | t_xmin | t_xmax | t_cid (t_xvac) | t_ctid | t_infomask2 | t_infomask | t_hoff | t_bits
//!  +--------+--------+----------------+--------+-------------+------------+--------+---------
//!  ... null bitmap | padding | object id (up to 11) | t_hoff: attributes ...
//! ```

use super::page::{
    ITEM_ID_SIZE, ItemId, ItemPointer, LpFlags, PAGE_HEADER_SIZE, PageHeader, line_pointer,
    line_pointers,
};
use super::types::{MultiXactId, OffsetNumber, TransactionId};
use super::version::{Layout, Major};
use super::{Malformed, page};
use std::fmt;

/// Bytes of a tuple header before the null bitmap (`SizeofHeapTupleHeader`).
pub const HEAP_TUPLE_HEADER_SIZE: u16 = 23;
/// `MaxHeapAttributeNumber`.
pub const MAX_HEAP_ATTRIBUTE_NUMBER: u16 = 1600;

/// `HEAP_HASNULL`: there is a null bitmap.
pub const HEAP_HASNULL: u16 = 0x0001;
/// `HEAP_HASVARWIDTH`.
pub const HEAP_HASVARWIDTH: u16 = 0x0002;
/// `HEAP_HASEXTERNAL`: an attribute is stored out of line.
pub const HEAP_HASEXTERNAL: u16 = 0x0004;
/// `HEAP_HASOID` up to 11, `HEAP_HASOID_OLD` later: an object id lies before the attributes.
pub const HEAP_HASOID: u16 = 0x0008;
/// `HEAP_XMAX_KEYSHR_LOCK`, 9.3 and later; free before.
pub const HEAP_XMAX_KEYSHR_LOCK: u16 = 0x0010;
/// `HEAP_COMBOCID`: `t_cid` is a combination of two command ids.
pub const HEAP_COMBOCID: u16 = 0x0020;
/// `HEAP_XMAX_EXCL_LOCK`.
pub const HEAP_XMAX_EXCL_LOCK: u16 = 0x0040;
/// `HEAP_XMAX_SHARED_LOCK` up to 9.2, `HEAP_XMAX_LOCK_ONLY` later.
pub const HEAP_XMAX_LOCK_ONLY: u16 = 0x0080;
/// `HEAP_XMIN_COMMITTED`.
pub const HEAP_XMIN_COMMITTED: u16 = 0x0100;
/// `HEAP_XMIN_INVALID`.
pub const HEAP_XMIN_INVALID: u16 = 0x0200;
/// `HEAP_XMIN_FROZEN`, 9.4 and later: both of the above.
pub const HEAP_XMIN_FROZEN: u16 = 0x0300;
/// `HEAP_XMAX_COMMITTED`.
pub const HEAP_XMAX_COMMITTED: u16 = 0x0400;
/// `HEAP_XMAX_INVALID`.
pub const HEAP_XMAX_INVALID: u16 = 0x0800;
/// `HEAP_XMAX_IS_MULTI`.
pub const HEAP_XMAX_IS_MULTI: u16 = 0x1000;
/// `HEAP_UPDATED`: the newer version of an updated row.
pub const HEAP_UPDATED: u16 = 0x2000;
/// `HEAP_MOVED_OFF`: moved away by a `VACUUM FULL` before 9.0.
pub const HEAP_MOVED_OFF: u16 = 0x4000;
/// `HEAP_MOVED_IN`: moved here by a `VACUUM FULL` before 9.0.
pub const HEAP_MOVED_IN: u16 = 0x8000;

/// `HEAP_NATTS_MASK` of `t_infomask2`.
pub const HEAP_NATTS_MASK: u16 = 0x07FF;
/// `HEAP_KEYS_UPDATED` of `t_infomask2`, 9.3 and later; free before.
pub const HEAP_KEYS_UPDATED: u16 = 0x2000;
/// `HEAP_HOT_UPDATED` of `t_infomask2`.
pub const HEAP_HOT_UPDATED: u16 = 0x4000;
/// `HEAP_ONLY_TUPLE` of `t_infomask2`: no index points here.
pub const HEAP_ONLY_TUPLE: u16 = 0x8000;

/// `SpecTokenOffsetNumber`: `t_ctid.offnum` of an unfinished speculative insertion (9.5+).
pub const SPEC_TOKEN_OFFSET_NUMBER: OffsetNumber = 0xFFFE;
/// `MovedPartitionsOffsetNumber`: `t_ctid.offnum` of a row moved to another partition (11+).
pub const MOVED_PARTITIONS_OFFSET_NUMBER: OffsetNumber = 0xFFFD;

/// Names of the bits of `t_infomask`, lowest first.
#[must_use]
pub fn infomask_names(layout: &Layout) -> [&'static str; 16] {
    let new = layout.since(Major::V9_3);
    [
        "HASNULL",
        "HASVARWIDTH",
        "HASEXTERNAL",
        if layout.since(Major::V12) {
            "HASOID_OLD"
        } else {
            "HASOID"
        },
        if new { "XMAX_KEYSHR_LOCK" } else { "0x0010" },
        "COMBOCID",
        "XMAX_EXCL_LOCK",
        if new {
            "XMAX_LOCK_ONLY"
        } else {
            "XMAX_SHARED_LOCK"
        },
        "XMIN_COMMITTED",
        "XMIN_INVALID",
        "XMAX_COMMITTED",
        "XMAX_INVALID",
        "XMAX_IS_MULTI",
        "UPDATED",
        "MOVED_OFF",
        "MOVED_IN",
    ]
}

/// Names of the bits of `t_infomask2` from 0x0800 up; those below are the number of
/// attributes.
#[must_use]
pub fn infomask2_names(layout: &Layout) -> [&'static str; 5] {
    let keys = if layout.since(Major::V9_3) {
        "KEYS_UPDATED"
    } else {
        "0x2000"
    };
    ["0x0800", "0x1000", keys, "HOT_UPDATED", "HEAP_ONLY"]
}

/// `MaxHeapTuplesPerPage`: line pointers a heap page can have.
#[must_use]
pub fn max_heap_tuples(blcksz: u32) -> u32 {
    blcksz.saturating_sub(u32::from(PAGE_HEADER_SIZE)) / 28
}

/// What the tuple alone says of the transaction that inserted it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Xmin {
    /// Frozen, or written at `initdb`: inserted, for everyone.
    Frozen,
    /// Committed.
    Committed,
    /// Aborted.
    Invalid,
    /// The commit log must be asked about this transaction.
    Undecided(TransactionId),
    /// A `VACUUM FULL` before 9.0 moved the tuple: the commit log must be asked about that.
    Moved {
        /// `t_xvac`: the `VACUUM FULL`.
        xvac: TransactionId,
        /// Whether the tuple was moved in; else away.
        moved_in: bool,
    },
}

/// What the tuple alone says of `t_xmax`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Xmax {
    /// Nobody deleted or locked it, or whoever did is aborted.
    None,
    /// One transaction locked it: no deletion.
    Locker(TransactionId),
    /// Several transactions locked it: no deletion.
    Lockers(MultiXactId),
    /// Lockers from before 9.3 in an upgraded cluster. The members are gone and nobody asks
    /// for them (`HEAP_LOCKED_UPGRADED`).
    UpgradedLockers(MultiXactId),
    /// Deleted or updated, by a transaction known to have committed.
    Deleted(TransactionId),
    /// The commit log must be asked whether this transaction deleted it.
    Undecided(TransactionId),
    /// The multixact's members must be asked for an updater (9.3 and later).
    Members(MultiXactId),
}

/// `HeapTupleHeaderData`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeapTupleHeader {
    /// The inserting transaction.
    pub t_xmin: TransactionId,
    /// The deleting or locking transaction, or a multixact.
    pub t_xmax: TransactionId,
    /// Command id, or `t_xvac` of a tuple moved by an old `VACUUM FULL`.
    pub t_cid: u32,
    /// Own place, or that of the newer version.
    pub t_ctid: ItemPointer,
    /// Number of attributes and flags.
    pub t_infomask2: u16,
    /// Flags.
    pub t_infomask: u16,
    /// Bytes from the tuple's start to its attributes.
    pub t_hoff: u8,
}

impl HeapTupleHeader {
    /// Reads the first 23 bytes of a tuple; `None` when there are fewer.
    #[inline]
    #[must_use]
    pub fn parse(tuple: &[u8]) -> Option<Self> {
        let bytes = tuple.first_chunk::<23>()?;
        let word = |at| page::u32_at(bytes, at).unwrap_or(0);
        let half = |at| page::u16_at(bytes, at).unwrap_or(0);
        let [.., t_hoff] = *bytes;
        Some(Self {
            t_xmin: TransactionId(word(0)),
            t_xmax: TransactionId(word(4)),
            t_cid: word(8),
            t_ctid: ItemPointer::from_halves(half(12), half(14), half(16)),
            t_infomask2: half(18),
            t_infomask: half(20),
            t_hoff,
        })
    }

    /// Whether any of these bits of `t_infomask` is set.
    #[inline]
    #[must_use]
    pub fn has(&self, bits: u16) -> bool {
        self.t_infomask & bits != 0
    }

    /// Whether any of these bits of `t_infomask2` is set.
    #[inline]
    #[must_use]
    pub fn has2(&self, bits: u16) -> bool {
        self.t_infomask2 & bits != 0
    }

    /// Attributes stored in the tuple; fewer than the relation has when columns were added
    /// later.
    #[inline]
    #[must_use]
    pub fn natts(&self) -> u16 {
        self.t_infomask2 & HEAP_NATTS_MASK
    }

    /// Where the attributes must begin: header, null bitmap and object id, aligned to 8.
    #[inline]
    #[must_use]
    pub fn expected_hoff(&self) -> u16 {
        expected_hoff(self.t_infomask, self.natts())
    }

    /// What is known of the inserting transaction without the commit log
    /// (`HeapTupleSatisfiesMVCC`).
    #[inline]
    #[must_use]
    pub fn xmin(&self, layout: &Layout) -> Xmin {
        let bits = self.t_infomask & HEAP_XMIN_FROZEN;
        if bits == HEAP_XMIN_FROZEN && layout.since(Major::V9_4) {
            return Xmin::Frozen;
        }
        match self.t_xmin {
            TransactionId::BOOTSTRAP | TransactionId::FROZEN => Xmin::Frozen,
            // Before 9.4 the committed bit is looked at first.
            _ if bits & HEAP_XMIN_COMMITTED != 0 => Xmin::Committed,
            // 0 is left by a speculative insertion that was taken back.
            TransactionId::INVALID => Xmin::Invalid,
            _ if bits != 0 => Xmin::Invalid,
            _ if self.has(HEAP_MOVED_OFF | HEAP_MOVED_IN) => Xmin::Moved {
                xvac: TransactionId(self.t_cid),
                moved_in: !self.has(HEAP_MOVED_OFF),
            },
            xmin => Xmin::Undecided(xmin),
        }
    }

    /// Whether `t_xmax` names lockers alone (`HEAP_XMAX_IS_LOCKED_ONLY`; `HEAP_IS_LOCKED` up
    /// to 9.2).
    #[inline]
    #[must_use]
    pub fn is_locked_only(&self, layout: &Layout) -> bool {
        if layout.since(Major::V9_3) {
            // The second half knows lockers from before 9.3 in an upgraded cluster.
            self.has(HEAP_XMAX_LOCK_ONLY)
                || self.t_infomask
                    & (HEAP_XMAX_IS_MULTI | HEAP_XMAX_EXCL_LOCK | HEAP_XMAX_KEYSHR_LOCK)
                    == HEAP_XMAX_EXCL_LOCK
        } else {
            self.has(HEAP_XMAX_EXCL_LOCK | HEAP_XMAX_LOCK_ONLY)
        }
    }

    /// What is known of `t_xmax` without the commit log (`HeapTupleSatisfiesMVCC`).
    #[inline]
    #[must_use]
    pub fn xmax(&self, layout: &Layout) -> Xmax {
        let multi = self.has(HEAP_XMAX_IS_MULTI);
        let xmax = self.t_xmax;
        if self.has(HEAP_XMAX_INVALID) || !xmax.is_valid() {
            return Xmax::None;
        }
        if multi && !layout.since(Major::V9_3) {
            return Xmax::Lockers(xmax.0);
        }
        if self.is_locked_only(layout) {
            return if !multi {
                Xmax::Locker(xmax)
            } else if self.has(HEAP_XMAX_EXCL_LOCK | HEAP_XMAX_KEYSHR_LOCK) {
                Xmax::Lockers(xmax.0)
            } else {
                Xmax::UpgradedLockers(xmax.0)
            };
        }
        if multi {
            Xmax::Members(xmax.0)
        } else if self.has(HEAP_XMAX_COMMITTED) || !xmax.is_normal() {
            Xmax::Deleted(xmax)
        } else {
            Xmax::Undecided(xmax)
        }
    }

    /// The multixact that VACUUM will look at, whatever hint bits say of it
    /// (`heapam.c: FreezeMultiXactId`): not one from before 9.3 in an upgraded cluster.
    #[inline]
    #[must_use]
    pub fn multixact(&self, layout: &Layout) -> Option<MultiXactId> {
        if layout.since(Major::V9_3) {
            let from_before = self.has(HEAP_XMAX_LOCK_ONLY)
                && !self.has(HEAP_XMAX_EXCL_LOCK | HEAP_XMAX_KEYSHR_LOCK);
            let is_one = self.has(HEAP_XMAX_IS_MULTI) && self.t_xmax.is_valid() && !from_before;
            return is_one.then_some(self.t_xmax.0);
        }
        match self.xmax(layout) {
            Xmax::Lockers(multi) => Some(multi),
            _ => None,
        }
    }

    /// Whether the tuple has a heap-only successor on its page (`HeapTupleHeaderIsHotUpdated`).
    #[inline]
    #[must_use]
    pub fn is_hot_updated(&self, layout: &Layout) -> bool {
        self.has2(HEAP_HOT_UPDATED)
            && !self.has(HEAP_XMAX_INVALID)
            && self.xmin(layout) != Xmin::Invalid
    }

    /// What no healthy tuple of this version says, nor one that `pg_upgrade` brought along.
    /// `lp_len` is the line pointer's length.
    #[inline]
    pub fn faults(&self, lp_len: u16, layout: &Layout, fault: impl FnMut(HeaderFault)) {
        // Nearly every tuple passes here.
        let plain = are_plain_flags(self.t_infomask, self.t_infomask2, layout);
        let hoff = u16::from(self.t_hoff);
        if !plain || hoff > lp_len || hoff != self.expected_hoff() {
            self.all_faults(lp_len, layout, fault);
        }
    }

    fn all_faults(&self, lp_len: u16, layout: &Layout, mut fault: impl FnMut(HeaderFault)) {
        let natts = self.natts();
        let hoff = u16::from(self.t_hoff);
        let expected = self.expected_hoff();
        if hoff > lp_len {
            fault(HeaderFault::HoffBeyondTuple { hoff, lp_len });
        }
        if hoff != expected {
            fault(HeaderFault::HoffUnexpected {
                hoff,
                expected,
                natts,
                has_nulls: self.has(HEAP_HASNULL),
            });
        }
        if natts > MAX_HEAP_ATTRIBUTE_NUMBER {
            fault(HeaderFault::TooManyAttributes(natts));
        }
        let all = |bits| self.t_infomask & bits == bits;
        if all(HEAP_XMAX_COMMITTED | HEAP_XMAX_IS_MULTI) {
            fault(HeaderFault::MultiCommitted);
        }
        if all(HEAP_XMIN_FROZEN) && !layout.since(Major::V9_4) {
            fault(HeaderFault::XminCommittedAndInvalid);
        }
        if all(HEAP_MOVED_OFF | HEAP_MOVED_IN) {
            fault(HeaderFault::MovedOffAndIn);
        }
        if !self.t_xmax.is_valid() && self.is_hot_updated(layout) {
            fault(HeaderFault::HotUpdatedWithoutXmax);
        }
        if self.has2(HEAP_ONLY_TUPLE) && !self.has(HEAP_UPDATED) {
            fault(HeaderFault::HeapOnlyNotUpdated);
        }
        if self.has(HEAP_HASOID) && layout.since(Major::V12) {
            fault(HeaderFault::HasOid);
        }
        let (free, free2) = if layout.since(Major::V9_3) {
            (0, 0x1800)
        } else {
            (0x0010, 0x3800)
        };
        if self.has(free) || self.has2(free2) {
            fault(HeaderFault::UnusedBits {
                infomask: self.t_infomask & free,
                infomask2: self.t_infomask2 & free2,
            });
        }
    }
}

/// Where the attributes begin: behind header, null bitmap and object id, aligned to 8.
#[inline]
fn expected_hoff(infomask: u16, natts: u16) -> u16 {
    let bitmap = if infomask & HEAP_HASNULL != 0 {
        natts.div_ceil(8)
    } else {
        0
    };
    let oid = if infomask & HEAP_HASOID != 0 { 4 } else { 0 };
    HEAP_TUPLE_HEADER_SIZE
        .saturating_add(bitmap)
        .saturating_add(oid)
        .next_multiple_of(8)
}

/// Whether there is none among these flags that could be wrong in some version or together,
/// so that the place of the data is all that is left to ask.
#[inline]
fn are_plain_flags(infomask: u16, infomask2: u16, layout: &Layout) -> bool {
    const PLAIN: u16 = !(HEAP_HASOID
        | HEAP_XMAX_KEYSHR_LOCK
        | HEAP_XMAX_IS_MULTI
        | HEAP_MOVED_OFF
        | HEAP_MOVED_IN);
    infomask & !PLAIN == 0
        && infomask2 <= MAX_HEAP_ATTRIBUTE_NUMBER
        && (infomask & HEAP_XMIN_FROZEN != HEAP_XMIN_FROZEN || layout.since(Major::V9_4))
}

/// Why a tuple header cannot be that of a healthy tuple.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderFault {
    /// The attributes begin after the tuple's end.
    HoffBeyondTuple {
        /// `t_hoff`.
        hoff: u16,
        /// Length of the tuple.
        lp_len: u16,
    },
    /// The attributes begin elsewhere than number of attributes and null bitmap require.
    HoffUnexpected {
        /// `t_hoff`.
        hoff: u16,
        /// What it must be.
        expected: u16,
        /// Number of attributes.
        natts: u16,
        /// Whether there is a null bitmap.
        has_nulls: bool,
    },
    /// More attributes than a relation can have.
    TooManyAttributes(u16),
    /// A multixact is never marked committed.
    MultiCommitted,
    /// Inserter both committed and aborted; that means frozen, but only from 9.4 on.
    XminCommittedAndInvalid,
    /// An old `VACUUM FULL` moved it both away and here.
    MovedOffAndIn,
    /// HOT-updated, yet nobody updated it.
    HotUpdatedWithoutXmax,
    /// Heap-only, yet not the result of an update.
    HeapOnlyNotUpdated,
    /// An object id, which 12 and later do not have. `pg_upgrade` refuses tables with object
    /// ids, yet one that lost them by `ALTER TABLE` before 8.4 may hold such tuples.
    HasOid,
    /// Flags that the version does not have.
    UnusedBits {
        /// Those of `t_infomask`.
        infomask: u16,
        /// Those of `t_infomask2`.
        infomask2: u16,
    },
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HoffBeyondTuple { hoff, lp_len } => {
                write!(
                    f,
                    "data begins at byte {hoff}, beyond the tuple length {lp_len}"
                )
            }
            Self::HoffUnexpected {
                hoff,
                expected,
                natts,
                has_nulls,
            } => write!(
                f,
                "data begins at byte {hoff}, expected {expected} ({natts} attribute{}, {} nulls)",
                if *natts == 1 { "" } else { "s" },
                if *has_nulls { "has" } else { "no" }
            ),
            Self::TooManyAttributes(natts) => write!(
                f,
                "tuple has {natts} attributes, more than the {MAX_HEAP_ATTRIBUTE_NUMBER} possible"
            ),
            Self::MultiCommitted => f.write_str("multixact is marked committed"),
            Self::XminCommittedAndInvalid => {
                f.write_str("xmin is marked both committed and invalid")
            }
            Self::MovedOffAndIn => f.write_str("tuple is marked both moved off and moved in"),
            Self::HotUpdatedWithoutXmax => f.write_str("tuple has been HOT updated, but xmax is 0"),
            Self::HeapOnlyNotUpdated => {
                f.write_str("tuple is heap only, but not the result of an update")
            }
            Self::HasOid => f.write_str("tuple has an object id, which this version has not"),
            Self::UnusedBits {
                infomask,
                infomask2,
            } => write!(
                f,
                "tuple has unknown flags: infomask 0x{infomask:04X}, infomask2 0x{infomask2:04X}"
            ),
        }
    }
}

/// One tuple of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeapTuple {
    /// Its line pointer's number.
    pub offnum: OffsetNumber,
    /// Its line pointer.
    pub lp: ItemId,
    /// Its header.
    pub header: HeapTupleHeader,
}

/// Room for the tuples of a page, used again for page after page.
#[derive(Clone, Debug, Default)]
pub struct HeapTuples {
    tuples: Vec<HeapTuple>,
}

impl HeapTuples {
    /// Room for the tuples of any sound page.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let n = max_heap_tuples(layout.blcksz.min(32_768));
        Self {
            tuples: Vec::with_capacity(usize::try_from(n).unwrap_or(0)),
        }
    }

    /// Reads all tuples of a page: those of normal line pointers that lie wholly on the page
    /// and have a whole header. There are never more than a page has room for line pointers.
    ///
    /// # Errors
    /// When the page has no whole header.
    #[inline]
    pub fn read<'p, 't>(&'t mut self, page: &'p [u8]) -> Result<HeapPage<'p, 't>, Malformed> {
        let header = PageHeader::parse(page)?;
        let mut marks = HeapMarks::default();
        self.tuples.clear();
        for (offnum, lp) in line_pointers(page, &header) {
            if lp.flags() == LpFlags::Normal
                && let Some(tuple) = lp.bytes(page)
                && let Some(header) = HeapTupleHeader::parse(tuple)
            {
                marks.add(lp, &header);
                self.tuples.push(HeapTuple { offnum, lp, header });
            }
        }
        Ok(HeapPage {
            page,
            header,
            tuples: &self.tuples,
            marks,
        })
    }
}

/// A heap page with its tuples, read once for all checks.
#[derive(Clone, Copy, Debug)]
pub struct HeapPage<'p, 't> {
    /// All its bytes.
    pub page: &'p [u8],
    /// Its header.
    pub header: PageHeader,
    /// Its tuples in the order of their line pointers.
    pub tuples: &'t [HeapTuple],
    /// What holds for all of them.
    pub marks: HeapMarks,
}

/// What holds for all tuples of a page: on most pages it spares a check the look at each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeapMarks {
    /// `t_infomask2`, `t_infomask` and `t_hoff` of all tuples, one over the other.
    any: u64,
    /// What of them is the same bit for bit.
    all: u64,
    /// The length of the shortest tuple.
    shortest: u16,
    /// All `t_xmax`, one over the other.
    xmax: u32,
    /// The lowest and the highest `t_xmin`.
    xmins: (u32, u32),
}

impl Default for HeapMarks {
    fn default() -> Self {
        Self {
            any: 0,
            all: u64::MAX,
            shortest: u16::MAX,
            xmax: 0,
            xmins: (u32::MAX, 0),
        }
    }
}

impl HeapMarks {
    #[inline]
    fn add(&mut self, lp: ItemId, header: &HeapTupleHeader) {
        let word = u64::from(header.t_infomask2)
            | u64::from(header.t_infomask) << 16
            | u64::from(header.t_hoff) << 32;
        self.any |= word;
        self.all &= word;
        self.shortest = self.shortest.min(lp.lp_len());
        self.xmax |= header.t_xmax.0;
        let (lowest, highest) = self.xmins;
        self.xmins = (lowest.min(header.t_xmin.0), highest.max(header.t_xmin.0));
    }

    /// Whether any tuple has any of these bits of `t_infomask`.
    #[inline]
    #[must_use]
    pub fn any_has(&self, bits: u16) -> bool {
        self.any >> 16 & u64::from(bits) != 0
    }

    /// Whether every tuple has all of these bits.
    #[inline]
    #[must_use]
    pub fn all_have(&self, bits: u16) -> bool {
        let bits = u64::from(bits);
        self.all >> 16 & bits == bits
    }

    /// Whether any tuple has a `t_xmax` at all.
    #[inline]
    #[must_use]
    pub fn has_xmax(&self) -> bool {
        self.xmax != 0
    }

    /// The number of attributes of every tuple and the place of the first, when these are the
    /// same in all of them, none has a null, and no header has a fault.
    #[inline]
    #[must_use]
    pub fn alike(&self, layout: &Layout) -> Option<(u16, u16)> {
        const SAME: u64 = 0x00FF_0000_FFFF;
        let [l2, h2, l, h, t_hoff, ..] = self.any.to_le_bytes();
        let infomask2 = u16::from_le_bytes([l2, h2]);
        let infomask = u16::from_le_bytes([l, h]);
        let (natts, hoff) = (infomask2 & HEAP_NATTS_MASK, u16::from(t_hoff));
        let are_alike = (self.any ^ self.all) & SAME == 0
            && infomask & HEAP_HASNULL == 0
            && are_plain_flags(infomask, infomask2, layout)
            && hoff == expected_hoff(infomask, natts)
            && hoff <= self.shortest;
        are_alike.then_some((natts, hoff))
    }

    /// Whether every tuple is marked as frozen, and none has a `t_xmax`: there is no transaction
    /// to ask for.
    #[inline]
    #[must_use]
    pub fn are_frozen(&self, layout: &Layout) -> bool {
        layout.since(Major::V9_4) && self.all_have(HEAP_XMIN_FROZEN) && !self.has_xmax()
    }

    /// The ends of the range in which every `t_xmin` lies, if all are normal, and so close that
    /// what holds for both ends by `TransactionIdPrecedes` holds for all.
    #[inline]
    #[must_use]
    pub fn xmins(&self) -> Option<[TransactionId; 2]> {
        let (lowest, highest) = self.xmins;
        let is_range = highest.checked_sub(lowest).is_some_and(|n| n < 1 << 31);
        (is_range && TransactionId(lowest).is_normal())
            .then_some([TransactionId(lowest), TransactionId(highest)])
    }
}

impl<'p> HeapPage<'p, '_> {
    /// The bytes of one of its tuples, header included.
    #[inline]
    #[must_use]
    pub fn bytes(&self, tuple: &HeapTuple) -> &'p [u8] {
        tuple.lp.bytes(self.page).unwrap_or_default()
    }

    /// The tuple of a line pointer.
    #[must_use]
    pub fn tuple(&self, offnum: OffsetNumber) -> Option<&HeapTuple> {
        let at = self
            .tuples
            .binary_search_by_key(&offnum, |t| t.offnum)
            .ok()?;
        self.tuples.get(at)
    }

    /// The faults of all line pointers; see [`LinePointerFault`].
    #[inline]
    pub fn line_pointer_faults(&self, fault: impl FnMut(OffsetNumber, LinePointerFault)) {
        if !self.is_freshly_filled() {
            self.all_line_pointer_faults(fault);
        }
    }

    /// Whether the page is as a series of inserts leaves it: normal line pointers alone,
    /// each with a tuple right below those before. Such a page has no fault.
    #[inline]
    fn is_freshly_filled(&self) -> bool {
        let mut lowest = self.header.pd_special;
        usize::from(lowest) <= self.page.len()
            && u32::from(self.header.max_offset_number())
                <= max_heap_tuples(u32::try_from(self.page.len()).unwrap_or(0))
            && line_pointers(self.page, &self.header).all(|(_, lp)| {
                let fits = lp.flags() == LpFlags::Normal
                    && lp.lp_off() & 7 == 0
                    && lp.lp_len() > HEAP_TUPLE_HEADER_SIZE
                    && lp.end() <= lowest;
                lowest = lp.lp_off();
                fits
            })
            && lowest >= self.header.pd_upper
    }

    fn all_line_pointer_faults(&self, mut fault: impl FnMut(OffsetNumber, LinePointerFault)) {
        let (page, header) = (self.page, &self.header);
        let n = header.max_offset_number();
        let max = max_heap_tuples(u32::try_from(page.len()).unwrap_or(u32::MAX));
        if u32::from(n) > max {
            fault(n, LinePointerFault::TooMany { n, max });
        }
        let mut used = Used::default();
        for (offnum, lp) in line_pointers(page, header) {
            let stored = match lp.flags() {
                LpFlags::Unused => {
                    if lp.lp_len() > 0 {
                        fault(offnum, LinePointerFault::UnusedWithLength(lp.lp_len()));
                    }
                    false
                }
                LpFlags::Redirect => {
                    self.redirect_faults(lp, |what| fault(offnum, what));
                    false
                }
                LpFlags::Normal => true,
                LpFlags::Dead => lp.lp_len() > 0,
            };
            if !stored {
                continue;
            }
            let (lp_off, lp_len, end) = (lp.lp_off(), lp.lp_len(), lp.end());
            if !lp_off.is_multiple_of(8) {
                fault(offnum, LinePointerFault::Misaligned(lp_off));
            }
            if lp_len <= HEAP_TUPLE_HEADER_SIZE {
                fault(offnum, LinePointerFault::TooShort(lp_len));
            }
            if usize::from(end) > page.len() {
                fault(offnum, LinePointerFault::BeyondPage { lp_off, lp_len });
            } else if end > header.pd_special {
                fault(
                    offnum,
                    LinePointerFault::BeyondSpecial {
                        end,
                        special: header.pd_special,
                    },
                );
            }
            if lp_off < header.pd_upper {
                fault(
                    offnum,
                    LinePointerFault::BelowUpper {
                        lp_off,
                        upper: header.pd_upper,
                    },
                );
            }
            if used.take(lp_off, end)
                && let Some(other) = self.overlapped_by(offnum, lp)
            {
                fault(offnum, LinePointerFault::Overlaps(other));
            }
        }
    }

    fn redirect_faults(&self, lp: ItemId, mut fault: impl FnMut(LinePointerFault)) {
        let target = lp.lp_off();
        if lp.lp_len() > 0 {
            fault(LinePointerFault::RedirectWithLength(lp.lp_len()));
        }
        let max = self.header.max_offset_number();
        match line_pointer(self.page, &self.header, target).map(ItemId::flags) {
            None if target == 0 => fault(LinePointerFault::RedirectToZero),
            None => fault(LinePointerFault::RedirectBeyondLast { target, max }),
            Some(LpFlags::Normal) => {}
            Some(flags) => fault(LinePointerFault::RedirectTo { target, flags }),
        }
    }

    /// The first earlier line pointer whose bytes a given one shares.
    fn overlapped_by(&self, offnum: OffsetNumber, lp: ItemId) -> Option<OffsetNumber> {
        let up = |end: u16| end.saturating_add(7) & !7;
        line_pointers(self.page, &self.header)
            .take_while(|(n, _)| *n < offnum)
            .find(|(_, other)| {
                (other.flags() == LpFlags::Normal || other.flags() == LpFlags::Dead)
                    && other.lp_len() > 0
                    && other.lp_off() & !7 < up(lp.end())
                    && lp.lp_off() & !7 < up(other.end())
            })
            .map(|(n, _)| n)
    }
}

/// Which 8-byte units of a page belong to a tuple already. Tuples begin at such units.
struct Used([u64; 64]);

impl Default for Used {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Used {
    /// Marks the bytes from `start` to `end`; true when some were marked before.
    #[inline]
    fn take(&mut self, start: u16, end: u16) -> bool {
        let (first, last) = (start >> 3, end.saturating_sub(1) >> 3);
        let mut before = 0;
        let mut word = first >> 6;
        while let Some(units) = self.0.get_mut(usize::from(word))
            && word <= last >> 6
        {
            let below = if word == first >> 6 { first & 63 } else { 0 };
            let above = if word == last >> 6 { !last & 63 } else { 0 };
            let mask = u64::MAX << below & u64::MAX >> above;
            before |= *units & mask;
            *units |= mask;
            word = word.saturating_add(1);
        }
        before != 0
    }
}

/// Why a line pointer cannot be one of a healthy heap page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinePointerFault {
    /// More line pointers than a heap page can have.
    TooMany {
        /// Line pointers that `pd_lower` tells of.
        n: OffsetNumber,
        /// `MaxHeapTuplesPerPage`.
        max: u32,
    },
    /// Unused, yet with a length.
    UnusedWithLength(u16),
    /// A redirect with a length.
    RedirectWithLength(u16),
    /// A redirect to offset number 0, which does not exist.
    RedirectToZero,
    /// A redirect to a line pointer after the last.
    RedirectBeyondLast {
        /// The target.
        target: OffsetNumber,
        /// The last line pointer.
        max: OffsetNumber,
    },
    /// A redirect to a line pointer that has no tuple.
    RedirectTo {
        /// The target.
        target: OffsetNumber,
        /// What the target is: unused, dead or itself a redirect.
        flags: LpFlags,
    },
    /// The tuple does not begin at a multiple of 8.
    Misaligned(u16),
    /// Too short for a tuple header.
    TooShort(u16),
    /// The tuple ends after the page.
    BeyondPage {
        /// `lp_off`.
        lp_off: u16,
        /// `lp_len`.
        lp_len: u16,
    },
    /// The tuple runs into the special space.
    BeyondSpecial {
        /// Where it ends.
        end: u16,
        /// `pd_special`.
        special: u16,
    },
    /// The tuple begins before `pd_upper`.
    BelowUpper {
        /// `lp_off`.
        lp_off: u16,
        /// `pd_upper`.
        upper: u16,
    },
    /// The tuple shares bytes with that of an earlier line pointer.
    Overlaps(OffsetNumber),
}

impl fmt::Display for LinePointerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { n, max } => {
                write!(
                    f,
                    "page has {n} line pointers, more than the {max} possible"
                )
            }
            Self::UnusedWithLength(len) => write!(f, "unused line pointer has length {len}"),
            Self::RedirectWithLength(len) => write!(f, "redirected line pointer has length {len}"),
            Self::RedirectToZero => f.write_str("line pointer redirects to item 0"),
            Self::RedirectBeyondLast { target, max } => write!(
                f,
                "line pointer redirects to item {target}, beyond the last item {max}"
            ),
            Self::RedirectTo { target, flags } => match flags {
                LpFlags::Redirect => {
                    write!(
                        f,
                        "line pointer redirects to item {target}, itself redirected"
                    )
                }
                _ => write!(
                    f,
                    "line pointer redirects to item {target}, which is {flags}"
                ),
            },
            Self::Misaligned(lp_off) => {
                write!(f, "tuple begins at byte {lp_off}, not a multiple of 8")
            }
            Self::TooShort(len) => {
                write!(
                    f,
                    "tuple length {len} is less than the minimum tuple header size 24"
                )
            }
            Self::BeyondPage { lp_off, lp_len } => write!(
                f,
                "tuple at byte {lp_off} with length {lp_len} ends beyond the page"
            ),
            Self::BeyondSpecial { end, special } => {
                write!(f, "tuple ends at byte {end}, beyond pd_special {special}")
            }
            Self::BelowUpper { lp_off, upper } => {
                write!(f, "tuple begins at byte {lp_off}, before pd_upper {upper}")
            }
            Self::Overlaps(other) => write!(f, "tuple overlaps that of item {other}"),
        }
    }
}

/// Byte offset of a line pointer on the page.
#[must_use]
pub fn line_pointer_offset(offnum: OffsetNumber) -> u16 {
    offnum
        .saturating_sub(1)
        .saturating_mul(ITEM_ID_SIZE)
        .saturating_add(PAGE_HEADER_SIZE)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::format::page::tests::{empty, layout};

    fn header(infomask: u16, infomask2: u16, xmax: u32) -> HeapTupleHeader {
        let mut bytes = [0; 24];
        bytes[0..4].copy_from_slice(&700_u32.to_le_bytes());
        bytes[4..8].copy_from_slice(&xmax.to_le_bytes());
        bytes[16] = 1;
        bytes[18..20].copy_from_slice(&infomask2.to_le_bytes());
        bytes[20..22].copy_from_slice(&infomask.to_le_bytes());
        bytes[22] = 24;
        HeapTupleHeader::parse(&bytes).unwrap()
    }

    fn faults(header: &HeapTupleHeader, major: Major) -> Vec<HeaderFault> {
        let mut all = Vec::new();
        header.faults(28, &layout(major), |f| all.push(f));
        all
    }

    /// Appends a tuple with the given bytes and a line pointer for it.
    pub(crate) fn add(page: &mut [u8], tuple: &[u8]) {
        let header = PageHeader::parse(page).unwrap();
        let at = header.pd_upper - (tuple.len() as u16).next_multiple_of(8);
        let lp = u32::from(at) | 1 << 15 | (tuple.len() as u32) << 17;
        let lower = usize::from(header.pd_lower);
        page[lower..lower + 4].copy_from_slice(&lp.to_le_bytes());
        page[12..14].copy_from_slice(&(header.pd_lower + 4).to_le_bytes());
        page[14..16].copy_from_slice(&at.to_le_bytes());
        page[usize::from(at)..usize::from(at) + tuple.len()].copy_from_slice(tuple);
    }

    pub(crate) fn tuple(xmin: u32, len: usize) -> Vec<u8> {
        let mut bytes = vec![0xEE; len];
        bytes[..24].fill(0);
        bytes[..4].copy_from_slice(&xmin.to_le_bytes());
        bytes[18] = 2;
        bytes[21] = 0x09;
        bytes[22] = 24;
        bytes
    }

    #[test]
    fn xmin_by_version() {
        let frozen = header(HEAP_XMIN_FROZEN, 1, 0);
        assert_eq!(frozen.xmin(&layout(Major::V9_4)), Xmin::Frozen);
        assert_eq!(frozen.xmin(&layout(Major::V9_3)), Xmin::Committed);
        let plain = header(0, 1, 0);
        let undecided = Xmin::Undecided(TransactionId(700));
        assert_eq!(plain.xmin(&layout(Major::V19)), undecided);
        let invalid = header(HEAP_XMIN_INVALID, 1, 0);
        assert_eq!(invalid.xmin(&layout(Major::V9_0)), Xmin::Invalid);
        let mut old = header(HEAP_XMIN_COMMITTED, 1, 0);
        old.t_xmin = TransactionId::FROZEN;
        assert_eq!(old.xmin(&layout(Major::V19)), Xmin::Frozen);
        old.t_xmin = TransactionId(700);
        old.t_infomask = HEAP_MOVED_IN;
        old.t_cid = 650;
        let moved = Xmin::Moved {
            xvac: TransactionId(650),
            moved_in: true,
        };
        assert_eq!(old.xmin(&layout(Major::V9_0)), moved);
    }

    #[test]
    fn xmax_by_version() {
        let (old, new) = (layout(Major::V9_2), layout(Major::V9_3));
        let x = TransactionId(9);
        let both = |mask: u16| {
            let h = header(mask, 1, 9);
            (h.xmax(&old), h.xmax(&new))
        };
        let deleted = Xmax::Deleted(x);
        assert_eq!(both(HEAP_XMAX_INVALID), (Xmax::None, Xmax::None));
        assert_eq!(both(HEAP_XMAX_COMMITTED), (deleted, deleted));
        assert_eq!(both(0), (Xmax::Undecided(x), Xmax::Undecided(x)));
        let locker = Xmax::Locker(x);
        assert_eq!(both(HEAP_XMAX_EXCL_LOCK), (locker, locker));
        assert_eq!(both(HEAP_XMAX_LOCK_ONLY), (locker, locker));
        // An update that keeps the key, 9.3 on: EXCL and KEYSHR both set is FOR SHARE.
        assert_eq!(both(0x00D0).1, locker);
        assert_eq!(
            both(HEAP_XMAX_IS_MULTI | HEAP_XMAX_LOCK_ONLY),
            (Xmax::Lockers(9), Xmax::UpgradedLockers(9))
        );
        assert_eq!(both(HEAP_XMAX_IS_MULTI | 0x0090).1, Xmax::Lockers(9));
        assert_eq!(both(HEAP_XMAX_IS_MULTI).1, Xmax::Members(9));
        assert_eq!(both(HEAP_XMAX_IS_MULTI | 0x0040).1, Xmax::Members(9));
        assert_eq!(header(0, 1, 0).xmax(&new), Xmax::None);
    }

    #[test]
    fn header_faults_one_by_one() {
        let good = header(0x0902, 3, 0);
        for major in [Major::V9_0, Major::V9_3, Major::V12, Major::V19] {
            assert_eq!(faults(&good, major), []);
        }
        let multi = header(HEAP_XMAX_IS_MULTI | HEAP_XMAX_COMMITTED, 3, 9);
        assert_eq!(faults(&multi, Major::V15), [HeaderFault::MultiCommitted]);
        let frozen = header(HEAP_XMIN_FROZEN | HEAP_XMAX_INVALID, 3, 0);
        assert_eq!(faults(&frozen, Major::V9_4), []);
        assert_eq!(
            faults(&frozen, Major::V9_3),
            [HeaderFault::XminCommittedAndInvalid]
        );
        assert_eq!(
            faults(&header(0x0902, 3 | HEAP_ONLY_TUPLE, 0), Major::V15),
            [HeaderFault::HeapOnlyNotUpdated]
        );
        assert_eq!(
            faults(&header(0x0102, 3 | HEAP_HOT_UPDATED, 0), Major::V15),
            [HeaderFault::HotUpdatedWithoutXmax]
        );
        assert_eq!(faults(&header(0x0902, 3 | 0x2000, 0), Major::V9_3), []);
        assert_eq!(
            faults(&header(0x0902, 3 | 0x2000, 0), Major::V9_2),
            [HeaderFault::UnusedBits {
                infomask: 0,
                infomask2: 0x2000
            }]
        );
        assert_eq!(
            faults(&header(0xC902, 3, 0), Major::V15),
            [HeaderFault::MovedOffAndIn]
        );
    }

    #[test]
    fn where_the_data_begins() {
        // Up to 8 columns the bitmap takes no room; an object id does.
        assert_eq!(header(HEAP_HASNULL, 8, 0).expected_hoff(), 24);
        assert_eq!(header(HEAP_HASNULL, 9, 0).expected_hoff(), 32);
        assert_eq!(header(HEAP_HASOID, 9, 0).expected_hoff(), 32);
        let mut oid = header(0x0908, 3, 0);
        oid.t_hoff = 32;
        assert_eq!(
            faults(&oid, Major::V11),
            [HeaderFault::HoffBeyondTuple {
                hoff: 32,
                lp_len: 28
            }]
        );
        let nulls = header(0x0901, 130, 0);
        assert_eq!(
            faults(&nulls, Major::V15)[0].to_string(),
            "data begins at byte 24, expected 40 (130 attributes, has nulls)"
        );
        let many = header(0x0902, 0x07FF, 0);
        assert_eq!(
            faults(&many, Major::V15),
            [HeaderFault::TooManyAttributes(2047)]
        );
    }

    fn lp_faults(page: &[u8]) -> Vec<(OffsetNumber, LinePointerFault)> {
        let mut all = Vec::new();
        HeapTuples::new(&layout(Major::V15))
            .read(page)
            .unwrap()
            .line_pointer_faults(|n, f| all.push((n, f)));
        all
    }

    fn three_tuples() -> Vec<u8> {
        let mut page = empty(0);
        for len in [36, 40, 61] {
            add(&mut page, &tuple(700, len));
        }
        page
    }

    fn set(page: &mut [u8], offnum: u16, off: u32, flags: u32, len: u32) {
        let at = usize::from(line_pointer_offset(offnum));
        page[at..at + 4].copy_from_slice(&(off | flags << 15 | len << 17).to_le_bytes());
    }

    #[test]
    fn line_pointer_faults_one_by_one() {
        use LinePointerFault as F;
        let page = three_tuples();
        assert_eq!(lp_faults(&page), []);
        let edit = |off, flags, len| {
            let mut page = page.clone();
            set(&mut page, 2, off, flags, len);
            lp_faults(&page)
        };
        assert_eq!(edit(1, 2, 0), []);
        assert_eq!(edit(0, 2, 0), [(2, F::RedirectToZero)]);
        let beyond = F::RedirectBeyondLast { target: 4, max: 3 };
        assert_eq!(edit(4, 2, 0), [(2, beyond)]);
        let itself = F::RedirectTo {
            target: 2,
            flags: LpFlags::Redirect,
        };
        assert_eq!(edit(2, 2, 0), [(2, itself)]);
        assert_eq!(edit(1, 2, 5), [(2, F::RedirectWithLength(5))]);
        assert_eq!(edit(0, 0, 5), [(2, F::UnusedWithLength(5))]);
        assert_eq!(edit(0, 3, 0), []);
        assert_eq!(edit(8116, 1, 30), [(2, F::Misaligned(8116))]);
        assert_eq!(edit(8112, 1, 23), [(2, F::TooShort(23))]);
        assert_eq!(edit(8112, 1, 41), [(2, F::Overlaps(1))]);
        let below = F::BelowUpper {
            lp_off: 4000,
            upper: 8048,
        };
        assert_eq!(edit(4000, 1, 40), [(2, below)]);
        let long = F::BeyondPage {
            lp_off: 8112,
            lp_len: 99,
        };
        assert_eq!(edit(8112, 1, 99), [(2, long), (2, F::Overlaps(1))]);
        // The line pointer says that it overlaps an earlier one, here 3 over 2.
        let mut both = page.clone();
        set(&mut both, 3, 8048, 1, 65);
        assert_eq!(lp_faults(&both), [(3, F::Overlaps(2))]);
    }

    #[test]
    fn marks_of_a_page() {
        let (old, layout) = (layout(Major::V9_3), layout(Major::V15));
        let marks = |rows: &[(u32, u32, u16)]| {
            let mut marks = HeapMarks::default();
            for (xmin, xmax, infomask) in rows {
                let mut header = header(*infomask, 0, *xmax);
                header.t_xmin = TransactionId(*xmin);
                marks.add(ItemId(40 << 17), &header);
            }
            marks
        };
        let frozen = [(700, 0, HEAP_XMIN_FROZEN), (3, 0, HEAP_XMIN_FROZEN)];
        assert!(marks(&frozen).are_frozen(&layout));
        assert!(!marks(&frozen).are_frozen(&old));
        assert!(!marks(&[frozen[0], (700, 9, HEAP_XMIN_FROZEN)]).are_frozen(&layout));
        assert!(!marks(&[frozen[0], (700, 0, HEAP_XMIN_COMMITTED)]).are_frozen(&layout));

        let mixed = marks(&[(700, 0, HEAP_XMIN_COMMITTED), (650, 5, HEAP_XMIN_FROZEN)]);
        assert!(mixed.all_have(HEAP_XMIN_COMMITTED) && mixed.any_has(HEAP_XMIN_INVALID));
        assert!(!mixed.all_have(HEAP_XMIN_FROZEN) && !mixed.any_has(HEAP_XMAX_IS_MULTI));
        assert!(mixed.has_xmax());
        assert_eq!(
            mixed.xmins(),
            Some([TransactionId(650), TransactionId(700)])
        );
        // One that is not normal, and two on both sides of the circle.
        assert_eq!(marks(&[(700, 0, 0), (2, 0, 0)]).xmins(), None);
        assert_eq!(marks(&[(3, 0, 0), (1 << 31 | 3, 0, 0)]).xmins(), None);
        assert_eq!(marks(&[]).xmins(), None);
    }

    #[test]
    fn tuples_of_a_page() {
        let page = three_tuples();
        let mut room = HeapTuples::new(&layout(Major::V15));
        let heap = room.read(&page).unwrap();
        assert_eq!(heap.tuples.len(), 3);
        assert_eq!(heap.tuple(3).unwrap().lp.lp_len(), 61);
        assert_eq!(heap.bytes(&heap.tuples[1]).len(), 40);
        assert_eq!(heap.tuple(4), None);
        assert_eq!(max_heap_tuples(8192), 291);
    }

    proptest::proptest! {
        #[test]
        fn overlaps_are_those_of_the_plain_rule(ranges in proptest::collection::vec((0_u16..64, 1_u16..80), 1..12)) {
            let mut used = Used::default();
            for (i, (start, len)) in ranges.iter().enumerate() {
                let (start, end) = (start * 8, start * 8 + len);
                let plain = ranges[..i].iter().any(|(s, l)| {
                    s * 8 < end.next_multiple_of(8) && start < (s * 8 + l).next_multiple_of(8)
                });
                assert_eq!(used.take(start, end), plain);
            }
        }

        #[test]
        fn alike_are_those_that_tell_the_same_place(
            headers in proptest::collection::vec((0_u16..16, 0_usize..5, 20_u8..34, 22_u16..40, 0_u32..3), 0..4),
            major in 0_usize..3,
        ) {
            const FLAGS: [u16; 16] = [0, 1, 2, 4, 8, 0x10, 0x20, 0x100, 0x200, 0x300, 0x400, 0x800, 0x1000, 0x4000, 0x8000, 0xC000];
            let layout = layout([Major::V9_2, Major::V11, Major::V15][major]);
            let mut marks = HeapMarks::default();
            let mut all = Vec::new();
            for (infomask, infomask2, t_hoff, lp_len, xmax) in headers {
                let flags = FLAGS[usize::from(infomask)];
                let mut header = header(flags, [1, 2, 9, 0x0801, 0x4001][infomask2], xmax);
                // Mostly where it must be, so that some are alike.
                header.t_hoff = if t_hoff > 24 { 24 } else { t_hoff };
                marks.add(ItemId(u32::from(lp_len) << 17), &header);
                all.push((header, lp_len));
            }
            if let Some((natts, hoff)) = marks.alike(&layout) {
                assert!(!all.is_empty());
                for (header, lp_len) in all {
                    assert_eq!((header.natts(), u16::from(header.t_hoff)), (natts, hoff));
                    assert!(!header.has(HEAP_HASNULL) && header.expected_hoff() == hoff && hoff <= lp_len);
                    header.faults(lp_len, &layout, |fault| panic!("{fault:?} of {header:?}"));
                }
            } else if let [(header, lp_len)] = all[..] {
                // A single one is alike to itself, unless it may be wrong or has nulls.
                let mut faults = 0;
                header.faults(lp_len, &layout, |_| faults += 1);
                let flags = HEAP_HASNULL | HEAP_HASOID | HEAP_XMAX_KEYSHR_LOCK | HEAP_XMAX_IS_MULTI | HEAP_MOVED_OFF | HEAP_MOVED_IN;
                assert!(faults > 0 || header.has(flags) || header.has2(!HEAP_NATTS_MASK));
            }
        }

        #[test]
        fn garbage_is_read_without_panic(bytes in proptest::collection::vec(0_u8.., 0..1200), lower: u16) {
            let mut page = bytes;
            if page.len() > 24 {
                page[12..14].copy_from_slice(&lower.to_le_bytes());
            }
            for major in [Major::V9_0, Major::V9_3, Major::V19] {
                let layout = layout(major);
                let mut room = HeapTuples::new(&layout);
                if let Ok(heap) = room.read(&page) {
                    heap.line_pointer_faults(|_, f| drop(f.to_string()));
                    for tuple in heap.tuples {
                        tuple.header.faults(tuple.lp.lp_len(), &layout, |f| drop(f.to_string()));
                        let _ = (tuple.header.xmin(&layout), tuple.header.xmax(&layout));
                    }
                }
            }
        }
    }
}
