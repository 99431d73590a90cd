//! `CheckPoint`: the facts a checkpoint states.
//!
//! Source: `catalog/pg_control.h`, 9.0 to 19. Found in `pg_control` as `checkPointCopy`
//! and as the main data of `CHECKPOINT_SHUTDOWN` and `CHECKPOINT_ONLINE` records.
//!
//! ```text
//!       9.0        9.3          9.5          12           14           17           19
//!   0   redo       redo         redo         redo         redo         redo         redo
//!   8   TLI        TLI          TLI          TLI          TLI          TLI          TLI
//!  12   epoch      prev TLI     prev TLI     prev TLI     prev TLI     prev TLI     prev TLI
//!  16   xid        fpw          fpw          fpw          fpw          fpw          fpw
//!  20   oid        epoch        epoch                                  wal_level    wal_level
//!  24   ...        xid ...      xid ...      fullxid ...  fullxid ...  fullxid ...  logical, fullxid ...
//! size  56         72           80           88           88           88           96
//! ```
//! 9.2 (64 bytes) has `fullPageWrites` before the epoch, but no previous timeline yet.

use super::cursor::{Cursor, Malformed};
use super::types::{
    FullTransactionId, MultiXactId, MultiXactOffset, Oid, TimeLineID, TransactionId, XLogRecPtr,
};
use super::version::{Major, Version};
use super::wal::page::read_lsn;
use std::fmt;

/// `wal_level` as the version at hand numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WalLevel {
    /// `minimal`.
    Minimal,
    /// `archive`, up to 9.5.
    Archive,
    /// `hot_standby`, up to 9.5.
    HotStandby,
    /// `replica`, 9.6 and later.
    Replica,
    /// `logical`, 9.4 and later.
    Logical,
    /// No level of this version.
    Unknown(u32),
}

impl WalLevel {
    /// From the number on disk. 9.6 joined `archive` and `hot_standby` into `replica`.
    #[must_use]
    pub fn from_number(version: &Version, number: u32) -> Self {
        if version.since(Major::V9_6) {
            match number {
                0 => Self::Minimal,
                1 => Self::Replica,
                2 => Self::Logical,
                _ => Self::Unknown(number),
            }
        } else {
            match number {
                0 => Self::Minimal,
                1 => Self::Archive,
                2 => Self::HotStandby,
                3 if version.since(Major::V9_4) => Self::Logical,
                _ => Self::Unknown(number),
            }
        }
    }
}

impl fmt::Display for WalLevel {
    /// As `pg_controldata.c: wal_level_str`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Minimal => "minimal",
            Self::Archive => "archive",
            Self::HotStandby => "hot_standby",
            Self::Replica => "replica",
            Self::Logical => "logical",
            Self::Unknown(_) => "unrecognized wal_level",
        })
    }
}

/// The facts a checkpoint states. `None`: the version has no such field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckPoint {
    /// `redo`: where replay starts.
    pub redo: XLogRecPtr,
    /// `ThisTimeLineID`.
    pub this_time_line_id: TimeLineID,
    /// `PrevTimeLineID`, 9.3 and later: differs from this one when the record begins a timeline.
    pub prev_time_line_id: Option<TimeLineID>,
    /// `fullPageWrites`, 9.2 and later.
    pub full_page_writes: Option<bool>,
    /// `wal_level`, 17 and later.
    pub wal_level: Option<WalLevel>,
    /// `logicalDecodingEnabled`, 19 and later.
    pub logical_decoding_enabled: Option<bool>,
    /// `nextXid` with its epoch (`nextXidEpoch` and `nextXid` up to 11, `nextFullXid` in 12
    /// and 13).
    pub next_full_xid: FullTransactionId,
    /// `nextOid`.
    pub next_oid: Oid,
    /// `nextMulti`.
    pub next_multi: MultiXactId,
    /// `nextMultiOffset`.
    pub next_multi_offset: MultiXactOffset,
    /// `oldestXid`: the cluster's minimum `datfrozenxid`.
    pub oldest_xid: TransactionId,
    /// `oldestXidDB`: the database with that minimum.
    pub oldest_xid_db: Oid,
    /// `oldestMulti`, 9.3 and later: the cluster's minimum `datminmxid`.
    pub oldest_multi: Option<MultiXactId>,
    /// `oldestMultiDB`, 9.3 and later.
    pub oldest_multi_db: Option<Oid>,
    /// `time`: seconds since 1970-01-01 UTC.
    pub time: i64,
    /// `oldestCommitTsXid`, 9.5 and later; 0 without commit timestamps.
    pub oldest_commit_ts_xid: Option<TransactionId>,
    /// `newestCommitTsXid`, 9.5 and later; 0 without commit timestamps.
    pub newest_commit_ts_xid: Option<TransactionId>,
    /// `oldestActiveXid`; 0 in shutdown checkpoints.
    pub oldest_active_xid: TransactionId,
    /// `dataChecksumState`, 19 and later.
    pub data_checksum_state: Option<u32>,
}

impl CheckPoint {
    /// Reads the payload of a checkpoint record of `version`.
    ///
    /// # Errors
    /// When the bytes end first.
    pub fn parse(version: &Version, bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(version, &mut Cursor::new("CheckPoint", bytes))
    }

    /// Reads the structure at the cursor, whose position must be a multiple of 8, and its
    /// padding up to `sizeof(CheckPoint)`.
    pub(super) fn read(version: &Version, c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let since = |major| version.since(major);
        let redo = read_lsn(version, c)?;
        let this_time_line_id = c.u32()?;
        let prev_time_line_id = since(Major::V9_3).then(|| c.u32()).transpose()?;
        let full_page_writes = since(Major::V9_2).then(|| c.bool()).transpose()?;
        let wal_level = since(Major::V17).then(|| c.u32()).transpose()?;
        let logical_decoding_enabled = since(Major::V19).then(|| c.bool()).transpose()?;
        let next_full_xid = if since(Major::V12) {
            FullTransactionId(c.u64()?)
        } else {
            FullTransactionId::from_epoch_and_xid(c.u32()?, TransactionId(c.u32()?))
        };
        let point = Self {
            redo,
            this_time_line_id,
            prev_time_line_id,
            full_page_writes,
            wal_level: wal_level.map(|n| WalLevel::from_number(version, n)),
            logical_decoding_enabled,
            next_full_xid,
            next_oid: c.u32()?,
            next_multi: c.u32()?,
            next_multi_offset: if since(Major::V19) {
                c.u64()?
            } else {
                u64::from(c.u32()?)
            },
            oldest_xid: TransactionId(c.u32()?),
            oldest_xid_db: c.u32()?,
            oldest_multi: since(Major::V9_3).then(|| c.u32()).transpose()?,
            oldest_multi_db: since(Major::V9_3).then(|| c.u32()).transpose()?,
            time: c.i64()?,
            oldest_commit_ts_xid: since(Major::V9_5).then(|| xid(c)).transpose()?,
            newest_commit_ts_xid: since(Major::V9_5).then(|| xid(c)).transpose()?,
            oldest_active_xid: xid(c)?,
            data_checksum_state: since(Major::V19).then(|| c.u32()).transpose()?,
        };
        c.align(8)?;
        Ok(point)
    }
}

fn xid(c: &mut Cursor<'_>) -> Result<TransactionId, Malformed> {
    c.u32().map(TransactionId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::VERSIONS;

    fn size(major: Major) -> usize {
        match major.0 {
            ..=901 => 56,
            902 => 64,
            903..=904 => 72,
            905..=1100 => 80,
            1200..=1800 => 88,
            _ => 96,
        }
    }

    #[test]
    fn sizes_are_those_of_the_compiler() {
        for v in &VERSIONS {
            let n = size(v.major);
            assert!(CheckPoint::parse(v, &vec![0; n]).is_ok(), "{}", v.major);
            assert!(
                CheckPoint::parse(v, &vec![0; n - 1]).is_err(),
                "{}",
                v.major
            );
        }
    }

    #[test]
    fn fields_of_9_0_and_19() {
        // Every 4-byte word holds its own offset.
        let words: Vec<u8> = (0..24_u32).flat_map(|n| (n * 4).to_le_bytes()).collect();
        let old = CheckPoint::parse(Version::of(Major::V9_0).unwrap(), &words).unwrap();
        assert_eq!(old.redo, XLogRecPtr::from_halves(0, 4));
        assert_eq!(old.next_full_xid.to_string(), "12:16");
        assert_eq!(old.next_multi_offset, 28);
        assert_eq!(old.oldest_xid_db, 36);
        assert_eq!(old.oldest_active_xid, TransactionId(48));
        assert_eq!(old.prev_time_line_id, None);
        let new = CheckPoint::parse(Version::of(Major::V19).unwrap(), &words).unwrap();
        assert_eq!(new.redo, XLogRecPtr::from_halves(4, 0));
        assert_eq!(new.prev_time_line_id, Some(12));
        assert_eq!(new.wal_level, Some(WalLevel::Unknown(20)));
        assert_eq!(new.next_full_xid.to_string(), "36:32");
        assert_eq!(new.next_multi_offset, 52 << 32 | 48);
        assert_eq!(new.oldest_multi, Some(64));
        assert_eq!(new.time, 76 << 32 | 72);
        assert_eq!(new.data_checksum_state, Some(92));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            for v in &VERSIONS {
                let read = CheckPoint::parse(v, &bytes);
                assert_eq!(read.is_ok(), bytes.len() >= size(v.major));
            }
        }
    }
}
