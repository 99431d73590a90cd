//! Records of the `XLOG` manager: checkpoints, counters, switches, images.
//!
//! Sources: `catalog/pg_control.h`, `access/xlog_internal.h`, `transam/xlog.c: xlog_redo`.
//! All versions.
//!
//! ```text
//! NEXTOID               0 oid:4
//! BACKUP_END            0 start LSN:8
//! PARAMETER_CHANGE      0 int:4 x 4 (5 from 9.4, 6 from 12), bools
//! RESTORE_POINT         0 time:8 | 8 name:64
//! FPW_CHANGE            0 bool
//! END_OF_RECOVERY       0 time:8 | 8 ThisTimeLineID:4 | 12 PrevTimeLineID:4 | 16 wal_level:4 (17+)
//! OVERWRITE_CONTRECORD  0 overwritten LSN:8 | 8 time:8
//! CHECKPOINT_REDO       0 wal_level:4 | 4 data_checksum_version:4 (19+)
//! ```

use super::array::Element;
use super::page::read_lsn;
use super::record::{BlockImage, Compression, Record, RecordHeader};
use super::rmgr::RM_XLOG_ID;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{
    BlockNumber, ForkNumber, Oid, RelFileLocator, TimeLineID, TimestampTz, XLogRecPtr,
};
use crate::format::version::{Layout, Major, Version};

/// `XLOG_CHECKPOINT_SHUTDOWN`.
const CHECKPOINT_SHUTDOWN: u8 = 0x00;
/// `XLOG_CHECKPOINT_ONLINE`.
const CHECKPOINT_ONLINE: u8 = 0x10;
/// `XLOG_SWITCH`.
const SWITCH: u8 = 0x40;

/// Whether it is a checkpoint (`xlogrecovery.c: ReadCheckpointRecord`).
#[must_use]
pub fn is_checkpoint(header: &RecordHeader) -> bool {
    header.xl_rmid == RM_XLOG_ID
        && matches!(header.rmgr_info(), CHECKPOINT_SHUTDOWN | CHECKPOINT_ONLINE)
}

/// Whether the rest of its segment is unused. Up to 9.4 the server compares all of
/// `xl_info`.
#[must_use]
pub fn is_switch(version: &Version, header: &RecordHeader) -> bool {
    let info = if version.since(Major::V9_5) {
        header.rmgr_info()
    } else {
        header.xl_info
    };
    header.xl_rmid == RM_XLOG_ID && info == SWITCH
}

/// `xl_parameter_change`: settings that a standby must match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ParameterChange {
    /// `MaxConnections`.
    pub max_connections: i32,
    /// `max_worker_processes`, 9.4 and later.
    pub max_worker_processes: Option<i32>,
    /// `max_wal_senders`, 12 and later.
    pub max_wal_senders: Option<i32>,
    /// `max_prepared_xacts`.
    pub max_prepared_xacts: i32,
    /// `max_locks_per_xact`.
    pub max_locks_per_xact: i32,
    /// `wal_level`, a number whose meaning changed in 9.4 and 9.6.
    pub wal_level: i32,
    /// `wal_log_hints`, 9.4 and later.
    pub wal_log_hints: Option<bool>,
    /// `track_commit_timestamp`, 9.5 and later.
    pub track_commit_timestamp: Option<bool>,
}

/// What a record of the `XLOG` manager says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XLogOp<'a> {
    /// A checkpoint with no server running after it; `CheckPoint` as it stands.
    CheckpointShutdown(&'a [u8]),
    /// A checkpoint of a running server; `CheckPoint` as it stands.
    CheckpointOnline(&'a [u8]),
    /// Nothing.
    Noop,
    /// Object ids below this may have been used.
    NextOid(Oid),
    /// The rest of the segment is unused.
    Switch,
    /// A base backup that began at this redo point is complete here.
    BackupEnd(XLogRecPtr),
    /// Settings changed.
    ParameterChange(ParameterChange),
    /// `pg_create_restore_point`.
    RestorePoint {
        /// `rp_time`.
        time: TimestampTz,
        /// `rp_name` up to its NUL.
        name: &'a [u8],
    },
    /// `full_page_writes` from here on.
    FpwChange(bool),
    /// Recovery ended and a timeline began, in place of a checkpoint.
    EndOfRecovery {
        /// `end_time`.
        time: TimestampTz,
        /// The new timeline.
        this_tli: TimeLineID,
        /// The one before.
        prev_tli: TimeLineID,
        /// `wal_level`, 17 and later.
        wal_level: Option<i32>,
    },
    /// A page image taken because of a hint bit (9.5 and later: in the blocks).
    FpiForHint,
    /// Page images, from 9.5 on in the blocks.
    Fpi,
    /// A page image in the main data, 9.3 and 9.4.
    LegacyFpi {
        /// The relation's files.
        locator: RelFileLocator,
        /// The fork.
        fork: ForkNumber,
        /// The block.
        blkno: BlockNumber,
        /// The page.
        image: BlockImage<'a>,
    },
    /// Only moves the LSN on, 19 and later.
    AssignLsn,
    /// A record whose end was never written began at this LSN.
    OverwriteContrecord {
        /// Where the broken record starts.
        overwritten_lsn: XLogRecPtr,
        /// When it was given up.
        time: TimestampTz,
    },
    /// The redo point of an online checkpoint, 17 and later.
    CheckpointRedo {
        /// `wal_level`.
        wal_level: i32,
        /// `data_checksum_version`, 19 and later.
        data_checksum_version: Option<u32>,
    },
    /// Whether logical decoding is on, 19 and later.
    LogicalDecodingStatusChange(bool),
    /// A kind the version does not have.
    Unknown(u8),
}

/// Reads the main data.
///
/// # Errors
/// When it is too short for its kind.
pub fn parse<'a>(layout: Layout, record: &Record<'a, '_>) -> Result<XLogOp<'a>, Malformed> {
    let mut c = Cursor::new("XLOG record", record.main);
    let info = record.header.rmgr_info();
    Ok(match info {
        CHECKPOINT_SHUTDOWN => XLogOp::CheckpointShutdown(record.main),
        CHECKPOINT_ONLINE => XLogOp::CheckpointOnline(record.main),
        0x20 => XLogOp::Noop,
        0x30 => XLogOp::NextOid(c.u32()?),
        SWITCH => XLogOp::Switch,
        0x50 => XLogOp::BackupEnd(read_lsn(layout.version, &mut c)?),
        0x60 => XLogOp::ParameterChange(parameter_change(layout, &mut c)?),
        0x70 if layout.since(Major::V9_1) => {
            let time = TimestampTz(c.i64()?);
            let name = c.rest();
            let len = name.iter().position(|b| *b == 0).unwrap_or(name.len());
            XLogOp::RestorePoint {
                time,
                name: name.get(..len).unwrap_or_default(),
            }
        }
        0x80 if layout.since(Major::V9_2) => XLogOp::FpwChange(c.bool()?),
        0x90 if layout.since(Major::V9_3) => XLogOp::EndOfRecovery {
            time: TimestampTz(c.i64()?),
            this_tli: c.u32()?,
            prev_tli: c.u32()?,
            wal_level: layout.since(Major::V17).then(|| c.i32()).transpose()?,
        },
        0xA0 if layout.since(Major::V9_5) => XLogOp::FpiForHint,
        0xA0 if layout.since(Major::V9_3) => legacy_fpi(layout, &mut c)?,
        0xB0 if layout.since(Major::V9_5) => XLogOp::Fpi,
        0xC0 if layout.since(Major::V19) => XLogOp::AssignLsn,
        0xC0 if layout.since(Major::V9_5) && !layout.since(Major::V12) => XLogOp::Fpi,
        0xD0 if layout.since(Major::V9_6) => XLogOp::OverwriteContrecord {
            overwritten_lsn: XLogRecPtr(c.u64()?),
            time: TimestampTz(c.i64()?),
        },
        0xE0 if layout.since(Major::V17) => XLogOp::CheckpointRedo {
            wal_level: c.i32()?,
            data_checksum_version: layout.since(Major::V19).then(|| c.u32()).transpose()?,
        },
        0xF0 if layout.since(Major::V19) => XLogOp::LogicalDecodingStatusChange(c.bool()?),
        _ => XLogOp::Unknown(info),
    })
}

fn parameter_change(layout: Layout, c: &mut Cursor<'_>) -> Result<ParameterChange, Malformed> {
    let since = |major| layout.since(major);
    Ok(ParameterChange {
        max_connections: c.i32()?,
        max_worker_processes: since(Major::V9_4).then(|| c.i32()).transpose()?,
        max_wal_senders: since(Major::V12).then(|| c.i32()).transpose()?,
        max_prepared_xacts: c.i32()?,
        max_locks_per_xact: c.i32()?,
        wal_level: c.i32()?,
        wal_log_hints: since(Major::V9_4).then(|| c.bool()).transpose()?,
        track_commit_timestamp: since(Major::V9_5).then(|| c.bool()).transpose()?,
    })
}

fn legacy_fpi<'a>(layout: Layout, c: &mut Cursor<'a>) -> Result<XLogOp<'a>, Malformed> {
    let locator = RelFileLocator::read(c)?;
    let fork = ForkNumber::from_number(c.u32()?).ok_or(c.malformed("unknown fork"))?;
    let blkno = c.u32()?;
    let hole_offset = c.u16()?;
    let hole_length = c.u16()?;
    let len = layout
        .blcksz
        .checked_sub(u32::from(hole_length))
        .ok_or(c.malformed("hole longer than a page"))?;
    let bytes = c.bytes(usize::try_from(len).unwrap_or(usize::MAX))?;
    Ok(XLogOp::LegacyFpi {
        locator,
        fork,
        blkno,
        image: BlockImage {
            bytes,
            hole_offset,
            hole_length,
            compression: Compression::None,
            apply: true,
        },
    })
}
