//! Records of the `Transaction` manager.
//!
//! Sources: `access/xact.h`, `rmgrdesc/xactdesc.c: ParseCommitRecord`, `ParseAbortRecord`,
//! `transam/xact.c: xact_redo`, `transam/twophase.c`. All versions.
//!
//! ```text
//! COMMIT          up to 9.4: time:8 | xinfo:4 | nrels:4 | nsubxacts:4 | nmsgs:4 | db:4 | ts:4
//!                            | locator:12 ... | xid:4 ... | message:16 ...
//! COMMIT_COMPACT  9.2-9.4:   time:8 | nsubxacts:4 | xid:4 ...
//! ABORT           up to 9.4: time:8 | nrels:4 | nsubxacts:4 | locator:12 ... | xid:4 ...
//! *_PREPARED      up to 9.4: xid:4 | pad:4 | body as above
//! COMMIT, ABORT   9.5 on:    time:8 | [xinfo:4] | parts whose bit is set in xinfo
//! ASSIGNMENT                 xtop:4 | n:4 | xid:4 ...
//! ```

use super::array::Array;
use super::inval::{InvalMessage, Invalidations};
use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{Oid, RelFileLocator, TimestampTz, TransactionId, XLogRecPtr};
use crate::format::version::{Layout, Major, Version};

/// `xinfo` bits of 9.5 and later that announce parts.
const XACT_XINFO_HAS_DBINFO: u32 = 0x001;
const XACT_XINFO_HAS_SUBXACTS: u32 = 0x002;
const XACT_XINFO_HAS_RELFILELOCATORS: u32 = 0x004;
const XACT_XINFO_HAS_INVALS: u32 = 0x008;
const XACT_XINFO_HAS_TWOPHASE: u32 = 0x010;
const XACT_XINFO_HAS_ORIGIN: u32 = 0x020;
const XACT_XINFO_HAS_GID: u32 = 0x080;
const XACT_XINFO_HAS_DROPPED_STATS: u32 = 0x100;

/// Set in `xl_info` when `xinfo` follows the time.
const XLOG_XACT_HAS_INFO: u8 = 0x80;

/// The end of a transaction: committed, aborted, or one of these for a prepared one.
#[derive(Clone, Copy, Debug, Default)]
pub struct XactEnd<'a> {
    /// When it ended.
    pub xact_time: TimestampTz,
    /// `xinfo`, 0 when the record has none; its bits changed in 9.5.
    pub xinfo: u32,
    /// The transaction: of `*_PREPARED` the prepared one, else the record's own.
    pub xid: TransactionId,
    /// The database, where recorded.
    pub db_oid: Option<Oid>,
    /// Its tablespace, where recorded.
    pub ts_oid: Option<Oid>,
    /// Subtransactions that end with it.
    pub subxacts: Array<'a, TransactionId>,
    /// Relations whose files redo removes.
    pub dropped: Array<'a, RelFileLocator>,
    /// Statistics that redo removes, 15 and later.
    pub dropped_stats: StatsItems<'a>,
    /// Cache invalidations that standbys must follow; commits only.
    pub messages: Array<'a, InvalMessage>,
    /// Identifier of the prepared transaction, 11 and later at `wal_level = logical`.
    pub gid: Option<&'a [u8]>,
    /// Where the replicated transaction came from: its LSN and time there.
    pub origin: Option<(XLogRecPtr, TimestampTz)>,
}

/// `xl_xact_stats_item`: statistics of an object that is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatsItem {
    /// The kind of statistics.
    pub kind: i32,
    /// Its database.
    pub db_oid: Oid,
    /// Its number: an OID, from 18 on 64 bits.
    pub object: u64,
}

impl StatsItem {
    /// Bytes of one in a record.
    #[must_use]
    pub fn size(version: &Version) -> usize {
        if version.since(Major::V18) { 16 } else { 12 }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the bytes end first.
    pub fn read(version: &Version, c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let kind = c.i32()?;
        let db_oid = c.u32()?;
        let low = u64::from(c.u32()?);
        let high = if version.since(Major::V18) {
            u64::from(c.u32()?)
        } else {
            0
        };
        Ok(Self {
            kind,
            db_oid,
            object: high << 32 | low,
        })
    }
}

/// `xl_xact_stats_items`.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatsItems<'a>(&'a [u8]);

impl<'a> StatsItems<'a> {
    /// The items, as records of `version` hold them.
    pub fn iter(&self, version: &'static Version) -> impl Iterator<Item = StatsItem> + use<'a> {
        self.0
            .chunks_exact(StatsItem::size(version))
            .filter_map(|bytes| {
                StatsItem::read(version, &mut Cursor::packed("xl_xact_stats_item", bytes)).ok()
            })
    }
}

/// What a record of the `Transaction` manager says.
#[derive(Clone, Copy, Debug)]
pub enum XactOp<'a> {
    /// `COMMIT`, `COMMIT_COMPACT`.
    Commit(XactEnd<'a>),
    /// `ABORT`.
    Abort(XactEnd<'a>),
    /// `COMMIT_PREPARED`.
    CommitPrepared(XactEnd<'a>),
    /// `ABORT_PREPARED`.
    AbortPrepared(XactEnd<'a>),
    /// `PREPARE`: the two-phase state file without its CRC.
    Prepare(&'a [u8]),
    /// `ASSIGNMENT`: subtransactions of a running transaction.
    Assignment {
        /// The top-level transaction.
        xtop: TransactionId,
        /// Its subtransactions.
        subxacts: Array<'a, TransactionId>,
    },
    /// `INVALIDATIONS`, 14 and later; for logical decoding only.
    Invalidations(Invalidations<'a>),
    /// A kind the version does not have.
    Unknown(u8),
}

/// Reads the main data.
///
/// # Errors
/// When it is too short for its kind, or announces an impossible number of parts.
pub fn parse<'a>(layout: Layout, record: &Record<'a, '_>) -> Result<XactOp<'a>, Malformed> {
    let own = record.header.xl_xid;
    let info = record.header.rmgr_info();
    let modern = layout.since(Major::V9_5);
    let op = if modern { info & 0x70 } else { info };
    let main = record.main;
    Ok(match op {
        0x00 if modern => XactOp::Commit(modern_end(layout, record, "commit record", true)?),
        0x20 if modern => XactOp::Abort(modern_end(layout, record, "abort record", false)?),
        0x30 if modern => {
            XactOp::CommitPrepared(modern_end(layout, record, "commit prepared record", true)?)
        }
        0x40 if modern => {
            XactOp::AbortPrepared(modern_end(layout, record, "abort prepared record", false)?)
        }
        0x00 => XactOp::Commit(legacy_commit(own, &mut Cursor::new("commit record", main))?),
        0x20 => XactOp::Abort(legacy_abort(own, &mut Cursor::new("abort record", main))?),
        0x30 => {
            let mut c = Cursor::new("commit prepared record", main);
            let xid = TransactionId(c.u32()?);
            XactOp::CommitPrepared(legacy_commit(xid, &mut c)?)
        }
        0x40 => {
            let mut c = Cursor::new("abort prepared record", main);
            let xid = TransactionId(c.u32()?);
            XactOp::AbortPrepared(legacy_abort(xid, &mut c)?)
        }
        0x10 => XactOp::Prepare(main),
        0x50 => {
            let mut c = Cursor::new("assignment record", main);
            let xtop = TransactionId(c.u32()?);
            let n = c.i32()?;
            XactOp::Assignment {
                xtop,
                subxacts: Array::take(&mut c, n.into())?,
            }
        }
        0x60 if layout.since(Major::V14) => {
            let mut c = Cursor::new("invalidations record", main);
            XactOp::Invalidations(Invalidations::of_messages(&mut c)?)
        }
        0x60 if !modern && layout.since(Major::V9_2) => {
            let mut c = Cursor::new("compact commit record", main);
            let xact_time = TimestampTz(c.i64()?);
            let n = c.i32()?;
            XactOp::Commit(XactEnd {
                xact_time,
                xid: own,
                subxacts: Array::take(&mut c, n.into())?,
                ..XactEnd::default()
            })
        }
        _ => XactOp::Unknown(info),
    })
}

/// `xl_xact_commit` up to 9.4.
fn legacy_commit<'a>(xid: TransactionId, c: &mut Cursor<'a>) -> Result<XactEnd<'a>, Malformed> {
    let xact_time = TimestampTz(c.i64()?);
    let xinfo = c.u32()?;
    let nrels = c.i32()?;
    let nsubxacts = c.i32()?;
    let nmsgs = c.i32()?;
    let db = c.u32()?;
    let ts = c.u32()?;
    let dropped = Array::take(c, nrels.into())?;
    let subxacts = Array::take(c, nsubxacts.into())?;
    let messages = Array::take(c, nmsgs.into())?;
    Ok(XactEnd {
        xact_time,
        xinfo,
        xid,
        db_oid: Some(db),
        ts_oid: Some(ts),
        subxacts,
        dropped,
        messages,
        ..XactEnd::default()
    })
}

/// `xl_xact_abort` up to 9.4.
fn legacy_abort<'a>(xid: TransactionId, c: &mut Cursor<'a>) -> Result<XactEnd<'a>, Malformed> {
    let xact_time = TimestampTz(c.i64()?);
    let nrels = c.i32()?;
    let nsubxacts = c.i32()?;
    Ok(XactEnd {
        xact_time,
        xid,
        dropped: Array::take(c, nrels.into())?,
        subxacts: Array::take(c, nsubxacts.into())?,
        ..XactEnd::default()
    })
}

/// `xl_xact_commit` and `xl_xact_abort` of 9.5 and later, whose parts are not aligned.
fn modern_end<'a>(
    layout: Layout,
    record: &Record<'a, '_>,
    what: &'static str,
    commit: bool,
) -> Result<XactEnd<'a>, Malformed> {
    let mut c = Cursor::packed(what, record.main);
    let mut end = XactEnd {
        xact_time: TimestampTz(c.i64()?),
        xid: record.header.xl_xid,
        ..XactEnd::default()
    };
    if record.header.xl_info & XLOG_XACT_HAS_INFO == 0 {
        return Ok(end);
    }
    end.xinfo = c.u32()?;
    let has = |bit: u32| end.xinfo & bit != 0;
    // Aborts had neither database nor origin before 11.
    if has(XACT_XINFO_HAS_DBINFO) && (commit || layout.since(Major::V11)) {
        end.db_oid = Some(c.u32()?);
        end.ts_oid = Some(c.u32()?);
    }
    if has(XACT_XINFO_HAS_SUBXACTS) {
        let n = c.i32()?;
        end.subxacts = Array::take(&mut c, n.into())?;
    }
    if has(XACT_XINFO_HAS_RELFILELOCATORS) {
        let n = c.i32()?;
        end.dropped = Array::take(&mut c, n.into())?;
    }
    if has(XACT_XINFO_HAS_DROPPED_STATS) && layout.since(Major::V15) {
        let n = c.i32()?;
        let len = usize::try_from(n)
            .ok()
            .and_then(|n| n.checked_mul(StatsItem::size(layout.version)))
            .ok_or(c.malformed("impossible number of elements"))?;
        end.dropped_stats = StatsItems(c.bytes(len)?);
    }
    if has(XACT_XINFO_HAS_INVALS) && commit {
        let n = c.i32()?;
        end.messages = Array::take(&mut c, n.into())?;
    }
    if has(XACT_XINFO_HAS_TWOPHASE) {
        end.xid = TransactionId(c.u32()?);
        if has(XACT_XINFO_HAS_GID) && layout.since(Major::V11) {
            let rest = c.rest();
            let len = rest
                .iter()
                .position(|b| *b == 0)
                .ok_or(c.malformed("gid without an end"))?;
            end.gid = Some(c.bytes(len)?);
            c.skip(1)?;
        }
    }
    if has(XACT_XINFO_HAS_ORIGIN) && (commit || layout.since(Major::V11)) {
        end.origin = Some((XLogRecPtr(c.u64()?), TimestampTz(c.i64()?)));
    }
    Ok(end)
}
