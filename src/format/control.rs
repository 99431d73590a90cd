//! `global/pg_control`: what the cluster last wrote about itself.
//!
//! Source: `catalog/pg_control.h`, 9.0 to 19. A file that is not what it should be is described
//! in `reading`; values that cannot be are listed in `impossible`.
//!
//! ```text
//!    0 system_identifier   8 pg_control_version   12 catalog_version_no   16 state
//!   24 time               32 checkPoint           40 prevCheckPoint (up to 10)
//!      checkPointCopy, recovery end and backup points, settings, build constants,
//!      data_checksum_version (9.3), mock_authentication_nonce (10)
//!      crc over all bytes before it; its offset is in the version table
//! ```
//! The file has 8192 bytes; all of the structure lies in the first 512.

mod impossible;
mod reading;

pub use impossible::Impossible;
pub use reading::{ControlReading, CrcVerdict, DecidedBy};

use super::checkpoint::{CheckPoint, WalLevel};
use super::cursor::{Cursor, Malformed};
use super::types::{TimeLineID, XLogRecPtr};
use super::version::{Layout, Major, Version};
use super::wal::WalLongHeader;
use super::wal::page::read_lsn;
use std::fmt;

/// `DBState`: what the cluster was doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DbState {
    /// `DB_STARTUP`; never left behind by a server that started.
    Startup,
    /// `DB_SHUTDOWNED`
    ShutDown,
    /// `DB_SHUTDOWNED_IN_RECOVERY`
    ShutDownInRecovery,
    /// `DB_SHUTDOWNING`
    ShuttingDown,
    /// `DB_IN_CRASH_RECOVERY`
    InCrashRecovery,
    /// `DB_IN_ARCHIVE_RECOVERY`
    InArchiveRecovery,
    /// `DB_IN_PRODUCTION`
    InProduction,
    /// No state of any version.
    Unknown(u32),
}

impl DbState {
    /// From the number on disk.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Startup,
            1 => Self::ShutDown,
            2 => Self::ShutDownInRecovery,
            3 => Self::ShuttingDown,
            4 => Self::InCrashRecovery,
            5 => Self::InArchiveRecovery,
            6 => Self::InProduction,
            _ => Self::Unknown(number),
        }
    }
}

impl fmt::Display for DbState {
    /// As `pg_controldata.c: dbState`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Startup => "starting up",
            Self::ShutDown => "shut down",
            Self::ShutDownInRecovery => "shut down in recovery",
            Self::ShuttingDown => "shutting down",
            Self::InCrashRecovery => "in crash recovery",
            Self::InArchiveRecovery => "in archive recovery",
            Self::InProduction => "in production",
            Self::Unknown(_) => "unrecognized status code",
        })
    }
}

/// `ControlFileData`, as it stands; nothing in it is judged yet. `None`: the version has no
/// such field.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ControlFile {
    /// The version whose layout was used to read it.
    pub version: &'static Version,
    /// `system_identifier`: the same in all copies of a cluster and in its WAL.
    pub system_identifier: u64,
    /// `pg_control_version`
    pub pg_control_version: u32,
    /// `catalog_version_no`
    pub catalog_version_no: u32,
    /// `state`
    pub state: DbState,
    /// `time` of the last update: seconds since 1970-01-01 UTC.
    pub time: i64,
    /// `checkPoint`: where the last checkpoint record starts.
    pub check_point: XLogRecPtr,
    /// `prevCheckPoint`, up to 10.
    pub prev_check_point: Option<XLogRecPtr>,
    /// `checkPointCopy`: the content of that record.
    pub check_point_copy: CheckPoint,
    /// `unloggedLSN`, 9.3 and later.
    pub unlogged_lsn: Option<XLogRecPtr>,
    /// `minRecoveryPoint`
    pub min_recovery_point: XLogRecPtr,
    /// `minRecoveryPointTLI`, 9.3 and later.
    pub min_recovery_point_tli: Option<TimeLineID>,
    /// `backupStartPoint`
    pub backup_start_point: XLogRecPtr,
    /// `backupEndPoint`, 9.2 and later.
    pub backup_end_point: Option<XLogRecPtr>,
    /// `backupEndRequired`, 9.2 and later.
    pub backup_end_required: Option<bool>,
    /// `wal_level`
    pub wal_level: WalLevel,
    /// `wal_log_hints`, 9.4 and later.
    pub wal_log_hints: Option<bool>,
    /// `MaxConnections`
    pub max_connections: i32,
    /// `max_worker_processes`, 9.4 and later.
    pub max_worker_processes: Option<i32>,
    /// `max_wal_senders`, 12 and later.
    pub max_wal_senders: Option<i32>,
    /// `max_prepared_xacts`
    pub max_prepared_xacts: i32,
    /// `max_locks_per_xact`
    pub max_locks_per_xact: i32,
    /// `track_commit_timestamp`, 9.5 and later.
    pub track_commit_timestamp: Option<bool>,
    /// `maxAlign`
    pub max_align: u32,
    /// `floatFormat`
    pub float_format: f64,
    /// `blcksz`
    pub blcksz: u32,
    /// `relseg_size` in blocks.
    pub relseg_size: u32,
    /// `slru_pages_per_segment`, 19 and later.
    pub slru_pages_per_segment: Option<u32>,
    /// `xlog_blcksz`
    pub xlog_blcksz: u32,
    /// `xlog_seg_size` in bytes.
    pub xlog_seg_size: u32,
    /// `nameDataLen`
    pub name_data_len: u32,
    /// `indexMaxKeys`
    pub index_max_keys: u32,
    /// `toast_max_chunk_size`
    pub toast_max_chunk_size: u32,
    /// `loblksize`, 9.4 and later.
    pub loblksize: Option<u32>,
    /// `enableIntTimes`, up to 9.6.
    pub enable_int_times: Option<bool>,
    /// `float4ByVal`, up to 12.
    pub float4_by_val: Option<bool>,
    /// `float8ByVal`
    pub float8_by_val: bool,
    /// `data_checksum_version`, 9.3 and later: 0 off, 1 on; 19 also 2 and 3 while it is
    /// being switched off and on.
    pub data_checksum_version: Option<u32>,
    /// `default_char_signedness`, 18 and later: whether `char` is signed.
    pub default_char_signedness: Option<bool>,
    /// `mock_authentication_nonce`, 10 and later.
    pub mock_authentication_nonce: Option<[u8; 32]>,
    /// `crc`
    pub crc: u32,
}

impl ControlFile {
    /// Reads the field list of `version`.
    ///
    /// # Errors
    /// When the bytes end first.
    pub fn parse(version: &'static Version, bytes: &[u8]) -> Result<Self, Malformed> {
        let since = |major| version.since(major);
        let c = &mut Cursor::new("pg_control", bytes);
        Ok(Self {
            version,
            system_identifier: c.u64()?,
            pg_control_version: c.u32()?,
            catalog_version_no: c.u32()?,
            state: DbState::from_number(c.u32()?),
            time: c.i64()?,
            check_point: read_lsn(version, c)?,
            prev_check_point: (!since(Major::V11))
                .then(|| read_lsn(version, c))
                .transpose()?,
            check_point_copy: CheckPoint::read(version, c)?,
            unlogged_lsn: since(Major::V9_3)
                .then(|| read_lsn(version, c))
                .transpose()?,
            min_recovery_point: read_lsn(version, c)?,
            min_recovery_point_tli: since(Major::V9_3).then(|| c.u32()).transpose()?,
            backup_start_point: read_lsn(version, c)?,
            backup_end_point: since(Major::V9_2)
                .then(|| read_lsn(version, c))
                .transpose()?,
            backup_end_required: since(Major::V9_2).then(|| c.bool()).transpose()?,
            wal_level: WalLevel::from_number(version, c.u32()?),
            wal_log_hints: since(Major::V9_4).then(|| c.bool()).transpose()?,
            max_connections: c.i32()?,
            max_worker_processes: since(Major::V9_4).then(|| c.i32()).transpose()?,
            max_wal_senders: since(Major::V12).then(|| c.i32()).transpose()?,
            max_prepared_xacts: c.i32()?,
            max_locks_per_xact: c.i32()?,
            track_commit_timestamp: since(Major::V9_5).then(|| c.bool()).transpose()?,
            max_align: c.u32()?,
            float_format: c.f64()?,
            blcksz: c.u32()?,
            relseg_size: c.u32()?,
            slru_pages_per_segment: since(Major::V19).then(|| c.u32()).transpose()?,
            xlog_blcksz: c.u32()?,
            xlog_seg_size: c.u32()?,
            name_data_len: c.u32()?,
            index_max_keys: c.u32()?,
            toast_max_chunk_size: c.u32()?,
            loblksize: since(Major::V9_4).then(|| c.u32()).transpose()?,
            enable_int_times: (!since(Major::V10)).then(|| c.bool()).transpose()?,
            float4_by_val: (!since(Major::V13)).then(|| c.bool()).transpose()?,
            float8_by_val: c.bool()?,
            data_checksum_version: since(Major::V9_3).then(|| c.u32()).transpose()?,
            default_char_signedness: since(Major::V18).then(|| c.bool()).transpose()?,
            mock_authentication_nonce: since(Major::V10).then(|| c.array()).transpose()?,
            crc: c.u32()?,
        })
    }

    /// What the parsers must know of the cluster. A size that no server can be built with is
    /// replaced by the usual one; [`Self::impossible`] names it. With a wrong CRC a legal
    /// size can still be a wrong one: WAL's long page headers repeat two of them.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let usual = Layout::usual(self.version);
        let pick = |legal: bool, found: u32, usual: u32| if legal { found } else { usual };
        Layout {
            version: self.version,
            blcksz: pick(is_legal_blcksz(self.blcksz), self.blcksz, usual.blcksz),
            xlog_blcksz: pick(
                is_legal_xlog_blcksz(self.xlog_blcksz),
                self.xlog_blcksz,
                usual.xlog_blcksz,
            ),
            wal_segsz: pick(
                is_legal_wal_segsz(self.version, self.xlog_seg_size),
                self.xlog_seg_size,
                usual.wal_segsz,
            ),
            relseg_size: pick(
                is_legal_relseg_size(self.version, self.relseg_size),
                self.relseg_size,
                usual.relseg_size,
            ),
            integer_datetimes: self.enable_int_times.unwrap_or(true),
        }
    }
}

/// The sizes where `pg_control` does not tell them: those that the first page of a WAL segment
/// repeats, the rest as usual. `None` when no server can be built or set up with them.
#[must_use]
pub fn layout_by_wal(version: &'static Version, header: &WalLongHeader) -> Option<Layout> {
    let legal = is_legal_wal_segsz(version, header.xlp_seg_size)
        && is_legal_xlog_blcksz(header.xlp_xlog_blcksz);
    legal.then(|| Layout {
        wal_segsz: header.xlp_seg_size,
        xlog_blcksz: header.xlp_xlog_blcksz,
        ..Layout::usual(version)
    })
}

/// `configure --with-blocksize`.
fn is_legal_blcksz(blcksz: u32) -> bool {
    blcksz.is_power_of_two() && (1024..=32_768).contains(&blcksz)
}

/// `configure --with-wal-blocksize`.
fn is_legal_xlog_blcksz(xlog_blcksz: u32) -> bool {
    xlog_blcksz.is_power_of_two() && (1024..=65_536).contains(&xlog_blcksz)
}

/// `configure --with-wal-segsize` up to 10, `initdb --wal-segsize` later.
fn is_legal_wal_segsz(version: &Version, wal_segsz: u32) -> bool {
    let most = if version.since(Major::V10) {
        1 << 30
    } else {
        64 << 20
    };
    wal_segsz.is_power_of_two() && (1 << 20..=most).contains(&wal_segsz)
}

/// `configure --with-segsize`, 16 and later also `--with-segsize-blocks`; a segment's bytes
/// fit `off_t`.
fn is_legal_relseg_size(version: &Version, relseg_size: u32) -> bool {
    let shape = version.since(Major::V16) || relseg_size.is_power_of_two();
    shape && (1..=i32::MAX.cast_unsigned()).contains(&relseg_size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::VERSIONS;

    #[test]
    fn the_field_list_ends_where_the_table_says() {
        for v in &VERSIONS {
            let at = v.control_crc_at;
            let mut bytes = vec![0; at + 4];
            bytes[at..].copy_from_slice(&[1, 2, 3, 4]);
            let control = ControlFile::parse(v, &bytes).unwrap();
            assert_eq!(control.crc, 0x0403_0201, "{}", v.major);
            assert!(ControlFile::parse(v, &bytes[..at + 3]).is_err());
        }
    }

    #[test]
    fn times_are_integers_from_10_on() {
        for v in &VERSIONS {
            let control = ControlFile::parse(v, &vec![0; v.control_crc_at + 4]).unwrap();
            let integers = control.layout().integer_datetimes;
            assert_eq!(integers, v.since(Major::V10), "{}", v.major);
        }
    }
}
