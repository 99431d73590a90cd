//! Records of the `Standby` manager.
//!
//! Sources: `storage/standby.h`, `storage/standbydefs.h`. All versions.
//!
//! ```text
//! LOCK           0 n:4 | 4 {xid:4 db:4 rel:4} ...
//! RUNNING_XACTS  up to 9.2: 0 xcnt:4 | 4 overflow | 8 nextXid:4 | 12 oldestRunningXid:4
//!                           | 16 latestCompletedXid:4 | 20 xid:4 ...
//!                9.3 on:    0 xcnt:4 | 4 subxcnt:4 | 8 overflow | 12 nextXid:4
//!                           | 16 oldestRunningXid:4 | 20 latestCompletedXid:4 | 24 xid:4 ...
//! INVALIDATIONS  see `wal::inval`
//! ```

use super::array::{Array, Element};
use super::inval::Invalidations;
use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{Oid, TransactionId};
use crate::format::version::{Layout, Major};

/// `xl_standby_lock`: an `ACCESS EXCLUSIVE` lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StandbyLock {
    /// Who holds it.
    pub xid: TransactionId,
    /// Database of the relation.
    pub db: Oid,
    /// The relation.
    pub rel: Oid,
}

impl Element for StandbyLock {
    const SIZE: usize = 12;
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            xid: TransactionId(c.u32()?),
            db: c.u32()?,
            rel: c.u32()?,
        })
    }
}

/// `xl_running_xacts`: which transactions ran when it was written.
#[derive(Clone, Copy, Debug)]
pub struct RunningXacts<'a> {
    /// `subxid_overflow`: subtransactions are missing in `xids`.
    pub subxid_overflow: bool,
    /// The next transaction number.
    pub next_xid: TransactionId,
    /// The oldest that runs.
    pub oldest_running_xid: TransactionId,
    /// The newest that has ended.
    pub latest_completed_xid: TransactionId,
    /// How many of `xids` are top-level transactions.
    pub xcnt: usize,
    /// Those that run, then, from 9.3 on, their subtransactions.
    pub xids: Array<'a, TransactionId>,
}

/// What a record of the `Standby` manager says.
#[derive(Clone, Copy, Debug)]
pub enum StandbyOp<'a> {
    /// Locks taken.
    Lock(Array<'a, StandbyLock>),
    /// Running transactions.
    RunningXacts(RunningXacts<'a>),
    /// Cache invalidation messages, 9.6 and later.
    Invalidations(Invalidations<'a>),
    /// A kind the version does not have.
    Unknown(u8),
}

/// Reads the main data.
///
/// # Errors
/// When it is too short for its kind, or announces an impossible number of elements.
pub fn parse<'a>(layout: Layout, record: &Record<'a, '_>) -> Result<StandbyOp<'a>, Malformed> {
    let mut c = Cursor::new("Standby record", record.main);
    let info = record.header.rmgr_info();
    Ok(match info {
        0x00 => {
            let n = c.i32()?;
            StandbyOp::Lock(Array::take(&mut c, n.into())?)
        }
        0x10 => {
            let xcnt = i64::from(c.i32()?);
            let subxcnt = if layout.since(Major::V9_3) {
                i64::from(c.i32()?)
            } else {
                0
            };
            let subxid_overflow = c.bool()?;
            let next_xid = TransactionId(c.u32()?);
            let oldest_running_xid = TransactionId(c.u32()?);
            let latest_completed_xid = TransactionId(c.u32()?);
            StandbyOp::RunningXacts(RunningXacts {
                subxid_overflow,
                next_xid,
                oldest_running_xid,
                latest_completed_xid,
                xcnt: usize::try_from(xcnt)
                    .map_err(|_| c.malformed("negative number of transactions"))?,
                xids: Array::take(&mut c, xcnt.saturating_add(subxcnt))?,
            })
        }
        0x20 if layout.since(Major::V9_6) => StandbyOp::Invalidations(Invalidations::read(&mut c)?),
        _ => StandbyOp::Unknown(info),
    })
}
