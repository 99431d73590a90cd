//! `global/pg_control`: what the cluster last wrote about itself.
//!
//! Source: `catalog/pg_control.h`, 9.0 to 19; how a server judges it:
//! `xlog.c: ReadControlFile, StartupXLOG` (15 and later also
//! `xlogrecovery.c: InitWalRecovery`).
//!
//! ```text
//!    0 system_identifier   8 pg_control_version   12 catalog_version_no   16 state
//!   24 time               32 checkPoint           40 prevCheckPoint (up to 10)
//!      checkPointCopy, recovery end and backup points, settings, build constants,
//!      data_checksum_version (9.3), mock_authentication_nonce (10)
//!      crc over all bytes before it; its offset is in the version table
//! ```
//! The file has 8192 bytes; all of the structure lies in the first 512.

use super::checkpoint::{CheckPoint, WalLevel, xlog_rec_ptr};
use super::crc::Crc;
use super::cursor::{Cursor, Malformed};
use super::refusal::Refusal;
use super::types::{TimeLineID, XLogRecPtr};
use super::version::{Layout, Major, VERSIONS, Version};
use std::fmt;

/// `FLOATFORMAT_VALUE`: a number that shows which float format the machine has.
const FLOATFORMAT_VALUE: f64 = 1_234_567.0;

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
            check_point: xlog_rec_ptr(version, c)?,
            prev_check_point: (!since(Major::V11))
                .then(|| xlog_rec_ptr(version, c))
                .transpose()?,
            check_point_copy: CheckPoint::read(version, c)?,
            unlogged_lsn: since(Major::V9_3)
                .then(|| xlog_rec_ptr(version, c))
                .transpose()?,
            min_recovery_point: xlog_rec_ptr(version, c)?,
            min_recovery_point_tli: since(Major::V9_3).then(|| c.u32()).transpose()?,
            backup_start_point: xlog_rec_ptr(version, c)?,
            backup_end_point: since(Major::V9_2)
                .then(|| xlog_rec_ptr(version, c))
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

    /// Finds out what `bytes` are. `pg_version_hint` is what the `PG_VERSION` file beside it
    /// says; it is asked only where the file does not tell the version itself.
    #[must_use]
    pub fn read(bytes: &[u8], pg_version_hint: Option<&'static Version>) -> ControlReading {
        let too_short = |version: Option<&'static Version>| ControlReading::TooShort {
            len: bytes.len(),
            need: version.map_or(SMALLEST, size_of_control_file_data),
        };
        let mut c = Cursor::new("pg_control", bytes);
        let (Ok(system_identifier), Ok(pg_control_version), Ok(catalog_version_no)) =
            (c.u64(), c.u32(), c.u32())
        else {
            return too_short(pg_version_hint);
        };
        if bytes.iter().all(|b| *b == 0) {
            return ControlReading::AllZero { len: bytes.len() };
        }
        // `controldata_utils.c: get_controlfile` and the server use the same test.
        if pg_control_version & 0xFFFF == 0 && pg_control_version >> 16 != 0 {
            return ControlReading::OtherByteOrder { pg_control_version };
        }
        let numbers = (pg_control_version, catalog_version_no);
        let Some((version, decided_by)) = decide_version(bytes, numbers, pg_version_hint) else {
            return ControlReading::UnknownVersion {
                system_identifier,
                pg_control_version,
                catalog_version_no,
                crc_at: find_crc(bytes),
            };
        };
        if bytes.len() < size_of_control_file_data(version) {
            return too_short(Some(version));
        }
        let Ok(control) = Self::parse(version, bytes) else {
            return too_short(Some(version));
        };
        let crc = match computed_crc(Crc::of(version), bytes, version.control_crc_at) {
            Some((stored, computed)) if stored != computed => CrcVerdict::Bad {
                stored,
                computed,
                good_as: VERSIONS
                    .iter()
                    .filter(|v| crc_is_good(v, bytes))
                    .min_by_key(|v| v.control_version != pg_control_version),
            },
            _ => CrcVerdict::Good,
        };
        ControlReading::Decoded {
            control: Box::new(control),
            decided_by,
            crc,
        }
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
        }
    }

    /// The values that no cluster can have, and those that only a server built with other
    /// options accepts: first what the server refuses, in its order, then what it does not
    /// look at.
    #[must_use]
    pub fn impossible(&self) -> Vec<Impossible> {
        let mut list = Complaints(Vec::new());
        self.against_the_build(&mut list);
        self.against_recovery(&mut list);
        self.against_itself(&mut list);
        list.0
    }

    /// What `xlog.c: ReadControlFile` compares with the server's own build.
    fn against_the_build(&self, list: &mut Complaints) {
        let v = self.version;
        let usual = Layout::usual(v);
        list.build(
            ("pg_control_version", "PG_CONTROL_VERSION"),
            self.pg_control_version,
            v.control_version,
            false,
        );
        list.build(
            ("catalog_version_no", "CATALOG_VERSION_NO"),
            self.catalog_version_no,
            v.catalog_version,
            // A pre-release or a fork has one of its own, but not another release's.
            VERSIONS
                .iter()
                .all(|other| other.catalog_version != self.catalog_version_no),
        );
        list.build(
            ("maxAlign", "MAXALIGN"),
            self.max_align,
            8,
            self.max_align == 4,
        );
        if self.float_format.to_bits() != FLOATFORMAT_VALUE.to_bits() {
            list.0.push(Impossible {
                field: "floatFormat",
                found: self.float_format.to_string(),
                expected: FLOATFORMAT_VALUE.to_string(),
                other_build: false,
                refusal: Some(Refusal::incompatible(
                    "The database cluster appears to use a different floating-point number \
                     format than the server executable.",
                    INITDB,
                )),
            });
        }
        list.build(
            ("blcksz", "BLCKSZ"),
            self.blcksz,
            usual.blcksz,
            is_legal_blcksz(self.blcksz),
        );
        list.build(
            ("relseg_size", "RELSEG_SIZE"),
            self.relseg_size,
            usual.relseg_size,
            is_legal_relseg_size(v, self.relseg_size),
        );
        if let Some(pages) = self.slru_pages_per_segment {
            list.build(
                ("slru_pages_per_segment", "SLRU_PAGES_PER_SEGMENT"),
                pages,
                32,
                (1..=MAX_SLRU_PAGES_PER_SEGMENT).contains(&pages),
            );
        }
        list.build(
            ("xlog_blcksz", "XLOG_BLCKSZ"),
            self.xlog_blcksz,
            usual.xlog_blcksz,
            is_legal_xlog_blcksz(self.xlog_blcksz),
        );
        let wal_segsz_is_legal = is_legal_wal_segsz(v, self.xlog_seg_size);
        if !v.since(Major::V11) {
            list.build(
                ("xlog_seg_size", "XLOG_SEG_SIZE"),
                self.xlog_seg_size,
                usual.wal_segsz,
                wal_segsz_is_legal,
            );
        }
        list.build(
            ("nameDataLen", "NAMEDATALEN"),
            self.name_data_len,
            64,
            self.name_data_len.is_power_of_two(),
        );
        list.build(
            ("indexMaxKeys", "INDEX_MAX_KEYS"),
            self.index_max_keys,
            32,
            (1..=1600).contains(&self.index_max_keys),
        );
        // Both follow from BLCKSZ (`access/tuptoaster.h`, `storage/large_object.h`).
        let blcksz = self.layout().blcksz;
        let usual_blcksz = blcksz == usual.blcksz;
        if usual_blcksz {
            list.build(
                ("toast_max_chunk_size", "TOAST_MAX_CHUNK_SIZE"),
                self.toast_max_chunk_size,
                1996,
                false,
            );
        }
        if let Some(loblksize) = self.loblksize {
            list.build(("loblksize", "LOBLKSIZE"), loblksize, blcksz / 4, false);
        }
        list.by_value(
            "enableIntTimes",
            "HAVE_INT64_TIMESTAMP",
            self.enable_int_times,
        );
        list.by_value("float4ByVal", "USE_FLOAT4_BYVAL", self.float4_by_val);
        list.by_value("float8ByVal", "USE_FLOAT8_BYVAL", Some(self.float8_by_val));
        if v.since(Major::V11) && !wal_segsz_is_legal {
            let found = self.xlog_seg_size.cast_signed();
            let bytes = if found == 1 { "byte" } else { "bytes" };
            let mut refusal = Refusal::plain(
                // Raised as ERROR, which ends the postmaster as FATAL.
                "FATAL",
                format!(
                    "WAL segment size must be a power of two between 1 MB and 1 GB, but the \
                     control file specifies {found} {bytes}"
                ),
            );
            if v.since(Major::V17) {
                refusal.message =
                    format!("invalid WAL segment size in control file ({found} {bytes})");
                refusal.detail = Some(
                    "The WAL segment size must be a power of two between 1 MB and 1 GB.".to_owned(),
                );
            }
            list.0.push(Impossible {
                field: "xlog_seg_size",
                found: found.to_string(),
                expected: "a power of two between 1 MB and 1 GB".to_owned(),
                other_build: false,
                refusal: Some(refusal),
            });
        }
    }

    /// What `StartupXLOG` refuses. The last two it takes from the checkpoint record, of which
    /// `checkPointCopy` is a copy.
    fn against_recovery(&self, list: &mut Complaints) {
        let own_words = self.version.since(Major::V13);
        let words = |new: &str| {
            if own_words {
                new
            } else {
                "control file contains invalid data"
            }
            .to_owned()
        };
        let copy = &self.check_point_copy;
        if !self.is_past_page_header(self.check_point) {
            list.0.push(Impossible::refused(
                "checkPoint",
                self.check_point,
                "a place after a WAL page header",
                "FATAL",
                words("control file contains invalid checkpoint location"),
            ));
        }
        let state = match self.state {
            DbState::Startup => Some(0),
            DbState::Unknown(number) => Some(number),
            _ => None,
        };
        if let Some(number) = state {
            list.0.push(Impossible::refused(
                "state",
                number,
                "1 to 6",
                "FATAL",
                words("control file contains invalid database cluster state"),
            ));
        }
        if !copy.next_full_xid.xid().is_normal() {
            list.0.push(Impossible::refused(
                "checkPointCopy.nextXid",
                copy.next_full_xid,
                "3 or more",
                "PANIC",
                "invalid next transaction ID".to_owned(),
            ));
        }
        if copy.redo > self.check_point {
            list.0.push(Impossible::refused(
                "checkPointCopy.redo",
                copy.redo,
                "not after checkPoint",
                "PANIC",
                "invalid redo in checkpoint record".to_owned(),
            ));
        }
    }

    /// What contradicts other fields although no server looks.
    fn against_itself(&self, list: &mut Complaints) {
        let copy = &self.check_point_copy;
        let next_xid = copy.next_full_xid.xid();
        if !self.is_past_page_header(copy.redo) {
            list.unseen(
                "checkPointCopy.redo",
                copy.redo,
                "a place after a WAL page header",
            );
        }
        if let Some(prev) = self.prev_check_point
            && prev > self.check_point
        {
            list.unseen("prevCheckPoint", prev, "not after checkPoint");
        }
        if copy.this_time_line_id == 0 {
            list.unseen("checkPointCopy.ThisTimeLineID", 0, "1 or more");
        }
        if let Some(prev) = copy.prev_time_line_id
            && (prev == 0 || prev > copy.this_time_line_id)
        {
            list.unseen("checkPointCopy.PrevTimeLineID", prev, "1 to ThisTimeLineID");
        }
        if !copy.oldest_xid.is_normal() || next_xid.precedes(copy.oldest_xid) {
            list.unseen(
                "checkPointCopy.oldestXid",
                copy.oldest_xid,
                "3 or more, not after nextXid",
            );
        }
        if copy.oldest_active_xid.is_valid()
            && (!copy.oldest_active_xid.is_normal() || next_xid.precedes(copy.oldest_active_xid))
        {
            list.unseen(
                "checkPointCopy.oldestActiveXid",
                copy.oldest_active_xid,
                "0, or not after nextXid",
            );
        }
        if copy.next_multi == 0 {
            list.unseen("checkPointCopy.nextMulti", 0, "1 or more");
        }
        // `multixact.c: MultiXactIdPrecedes` compares in a circle without reserved numbers.
        if let Some(oldest) = copy.oldest_multi
            && (oldest == 0 || copy.next_multi.wrapping_sub(oldest) >= 1 << 31)
        {
            list.unseen(
                "checkPointCopy.oldestMulti",
                oldest,
                "1 or more, not after nextMulti",
            );
        }
        if let (Some(oldest), Some(newest)) = (copy.oldest_commit_ts_xid, copy.newest_commit_ts_xid)
            && oldest.is_valid() != newest.is_valid()
        {
            list.unseen(
                "checkPointCopy.oldestCommitTsXid",
                oldest,
                "0 exactly when newestCommitTsXid is 0",
            );
        }
        if let WalLevel::Unknown(number) = self.wal_level {
            list.unseen("wal_level", number, "a level of this version");
        }
        let highest = if self.version.since(Major::V19) { 3 } else { 1 };
        if let Some(number) = self.data_checksum_version
            && number > highest
        {
            list.unseen("data_checksum_version", number, "a number of this version");
        }
    }

    /// `access/xlog_internal.h: XRecOffIsValid`, for the start of a record.
    fn is_past_page_header(&self, lsn: XLogRecPtr) -> bool {
        let page = self.layout().xlog_blcksz;
        let at = lsn.low().checked_rem(page).unwrap_or(0);
        if self.version.since(Major::V9_3) {
            at >= 24
        } else {
            // A record's 32 bytes of header were never split.
            at >= 16 && page.saturating_sub(at) >= 32
        }
    }
}

/// `sizeof(ControlFileData)` of the oldest version, which has the smallest.
const SMALLEST: usize = 192;

/// `sizeof(ControlFileData)`: the server reads so many bytes, no more and no fewer.
fn size_of_control_file_data(version: &Version) -> usize {
    version
        .control_crc_at
        .saturating_add(size_of::<u32>())
        .next_multiple_of(8)
}

/// The CRC stored at `crc_at` and the one over all bytes before it.
fn computed_crc(crc: Crc, bytes: &[u8], crc_at: usize) -> Option<(u32, u32)> {
    let (before, rest) = bytes.split_at_checked(crc_at)?;
    let stored = u32::from_le_bytes(*rest.first_chunk()?);
    Some((stored, crc.update(before).value()))
}

fn crc_is_good(version: &Version, bytes: &[u8]) -> bool {
    computed_crc(Crc::of(version), bytes, version.control_crc_at)
        .is_some_and(|(stored, computed)| stored == computed)
}

/// Where a CRC-32C of all bytes before it stands: an unknown version's file that is intact.
fn find_crc(bytes: &[u8]) -> Option<usize> {
    (SMALLEST..512).step_by(4).find(|at| {
        computed_crc(Crc::Castagnoli(0), bytes, *at)
            .is_some_and(|(stored, computed)| stored == computed)
    })
}

/// The version whose layout the file has, where that can be known.
fn decide_version(
    bytes: &[u8],
    (control_version, catalog_version): (u32, u32),
    hint: Option<&'static Version>,
) -> Option<(&'static Version, DecidedBy)> {
    if let Some(version) = Version::by_control(control_version, catalog_version) {
        return Some((version, DecidedBy::ControlAndCatalog));
    }
    let known_control = VERSIONS
        .iter()
        .any(|v| v.control_version == control_version);
    let candidates = || {
        VERSIONS
            .iter()
            .filter(move |v| !known_control || v.control_version == control_version)
    };
    let only = |version: &'static Version| candidates().all(|v| v == version);
    if let Some(version) = candidates().next()
        && only(version)
    {
        return Some((version, DecidedBy::ControlVersion));
    }
    let mut good = candidates().filter(|v| crc_is_good(v, bytes));
    if let (Some(version), None) = (good.next(), good.next()) {
        return Some((version, DecidedBy::Crc));
    }
    if let Some(version) = hint
        && candidates().any(|v| v == version)
    {
        return Some((version, DecidedBy::PgVersion));
    }
    if let Some(version) = VERSIONS
        .iter()
        .find(|v| v.catalog_version == catalog_version)
    {
        return Some((version, DecidedBy::CatalogVersion));
    }
    let version = candidates().next()?;
    (known_control && candidates().all(|v| v.control_crc_at == version.control_crc_at))
        .then_some((version, DecidedBy::SharedLayout))
}

/// What told which version's layout a `pg_control` has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecidedBy {
    /// Control and catalog version are those of a release.
    ControlAndCatalog,
    /// The control version belongs to one major only; the catalog version is not that of its
    /// release, as in a pre-release or a fork.
    ControlVersion,
    /// The CRC is good in this layout alone.
    Crc,
    /// The `PG_VERSION` file; the numbers in `pg_control` are unknown.
    PgVersion,
    /// The catalog version; the control version is unknown.
    CatalogVersion,
    /// The control version is shared by several majors with the same layout, of which the
    /// newest is named; the catalog version is unknown.
    SharedLayout,
}

impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ControlAndCatalog => "control and catalog version",
            Self::ControlVersion => {
                "control version alone, the catalog version is not that of its release"
            }
            Self::Crc => "the only layout whose CRC is right, the catalog version is unknown",
            Self::PgVersion => "PG_VERSION, the version numbers in pg_control are unknown",
            Self::CatalogVersion => "catalog version alone, the control version is unknown",
            Self::SharedLayout => {
                "control version, which several majors with this layout share; the catalog \
                 version is unknown"
            }
        })
    }
}

/// Whether the CRC fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrcVerdict {
    /// It fits.
    Good,
    /// It does not; no value in the file can be relied on.
    Bad {
        /// As stored.
        stored: u32,
        /// As computed over the bytes before it.
        computed: u32,
        /// The version in whose layout the CRC is right, one with the control version
        /// of the file rather than another.
        good_as: Option<&'static Version>,
    },
}

/// What a `pg_control` turned out to be.
#[derive(Clone, PartialEq, Debug)]
pub enum ControlReading {
    /// Fewer bytes than the server reads.
    TooShort {
        /// Bytes there are.
        len: usize,
        /// Bytes of the structure, in the oldest version where the version is unknown.
        need: usize,
    },
    /// Zeroes throughout.
    AllZero {
        /// Bytes there are.
        len: usize,
    },
    /// From a machine of the other byte order.
    OtherByteOrder {
        /// `pg_control_version` as read in the wrong order.
        pg_control_version: u32,
    },
    /// No version of the table.
    UnknownVersion {
        /// `system_identifier`, which has been first in every version.
        system_identifier: u64,
        /// `pg_control_version`
        pg_control_version: u32,
        /// `catalog_version_no`
        catalog_version_no: u32,
        /// Where a good CRC stands: then the file is whole, and of an unknown version.
        crc_at: Option<usize>,
    },
    /// Decoded, which does not say that it is right: see `crc` and
    /// [`ControlFile::impossible`].
    Decoded {
        /// The values.
        control: Box<ControlFile>,
        /// What told the version.
        decided_by: DecidedBy,
        /// Whether they are what the server wrote.
        crc: CrcVerdict,
    },
}

impl ControlReading {
    /// What a server of `version`, built with the usual or the cluster's own options, says
    /// of the file before it ends; `None` when it accepts it.
    #[must_use]
    pub fn refusal(&self, version: &Version) -> Option<Refusal> {
        let found = match self {
            Self::TooShort { len, .. } => {
                let need = size_of_control_file_data(version);
                let message = if version.since(Major::V12) {
                    format!("could not read file \"global/pg_control\": read {len} of {need}")
                } else {
                    format!("could not read from control file: read {len} bytes, expected {need}")
                };
                return (*len < need).then(|| Refusal::plain("PANIC", message));
            }
            Self::AllZero { .. } => 0,
            Self::OtherByteOrder { pg_control_version }
            | Self::UnknownVersion {
                pg_control_version, ..
            } => *pg_control_version,
            Self::Decoded { control, .. } => control.pg_control_version,
        };
        let own = version.control_version;
        if matches!(self, Self::OtherByteOrder { .. }) {
            let signed = found.cast_signed();
            return Some(Refusal::incompatible(
                &format!(
                    "The database cluster was initialized with PG_CONTROL_VERSION {signed} \
                     (0x{found:08x}), but the server was compiled with PG_CONTROL_VERSION {own} \
                     (0x{own:08x})."
                ),
                "This could be a problem of mismatched byte ordering.  It looks like you need to \
                 initdb.",
            ));
        }
        if found != own {
            return Some(Refusal::compiled("PG_CONTROL_VERSION", found, own, INITDB));
        }
        let Self::Decoded { control, crc, .. } = self else {
            return None;
        };
        if *crc != CrcVerdict::Good {
            return Some(Refusal::plain(
                "FATAL",
                "incorrect checksum in control file".to_owned(),
            ));
        }
        if control.catalog_version_no != version.catalog_version {
            return Some(Refusal::compiled(
                "CATALOG_VERSION_NO",
                control.catalog_version_no,
                version.catalog_version,
                INITDB,
            ));
        }
        control
            .impossible()
            .into_iter()
            .filter(|i| !i.other_build)
            .find_map(|i| i.refusal)
    }
}

/// A value that no cluster has, or no ordinary one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Impossible {
    /// The field in PostgreSQL's spelling.
    pub field: &'static str,
    /// The value there.
    pub found: String,
    /// What it should be.
    pub expected: String,
    /// A server built with other options, or of a pre-release, has this value: strange, not
    /// impossible.
    pub other_build: bool,
    /// What the server says of it; `None` when it does not look.
    pub refusal: Option<Refusal>,
}

impl Impossible {
    fn refused(
        field: &'static str,
        found: impl fmt::Display,
        expected: &str,
        severity: &'static str,
        message: String,
    ) -> Self {
        Self {
            field,
            found: found.to_string(),
            expected: expected.to_owned(),
            other_build: false,
            refusal: Some(Refusal::plain(severity, message)),
        }
    }
}

const INITDB: &str = "It looks like you need to initdb.";
const RECOMPILE: &str = "It looks like you need to recompile or initdb.";

/// The list being gathered.
struct Complaints(Vec<Impossible>);

impl Complaints {
    /// A number that must be the server's own.
    fn build(&mut self, (field, name): (&'static str, &str), found: u32, own: u32, legal: bool) {
        if found == own {
            return;
        }
        let hint = match name {
            "PG_CONTROL_VERSION" | "CATALOG_VERSION_NO" | "MAXALIGN" => INITDB,
            _ => RECOMPILE,
        };
        self.0.push(Impossible {
            field,
            found: found.to_string(),
            expected: own.to_string(),
            other_build: legal,
            refusal: Some(Refusal::compiled(name, found, own, hint)),
        });
    }

    /// A build option that every ordinary 64-bit server has.
    fn by_value(&mut self, field: &'static str, name: &str, found: Option<bool>) {
        if found == Some(false) {
            self.0.push(Impossible {
                field,
                found: "false".to_owned(),
                expected: "true".to_owned(),
                other_build: true,
                refusal: Some(Refusal::incompatible(
                    &format!(
                        "The database cluster was initialized without {name} but the server was \
                         compiled with {name}."
                    ),
                    RECOMPILE,
                )),
            });
        }
    }

    fn unseen(&mut self, field: &'static str, found: impl fmt::Display, expected: &str) {
        self.0.push(Impossible {
            field,
            found: found.to_string(),
            expected: expected.to_owned(),
            other_build: false,
            refusal: None,
        });
    }
}

/// A bound of ours, far above any build's choice.
const MAX_SLRU_PAGES_PER_SEGMENT: u32 = 131_072;

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
    use proptest::prelude::*;

    /// A file of zeroes with right version numbers and CRC.
    fn blank(version: &Version) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        bytes[8..12].copy_from_slice(&version.control_version.to_le_bytes());
        bytes[12..16].copy_from_slice(&version.catalog_version.to_le_bytes());
        sign(version, &mut bytes);
        bytes
    }

    fn sign(version: &Version, bytes: &mut [u8]) {
        let at = version.control_crc_at;
        let crc = Crc::of(version).update(&bytes[..at]).value();
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }

    fn of(major: Major) -> &'static Version {
        Version::of(major).unwrap()
    }

    fn decoded(reading: ControlReading) -> (ControlFile, DecidedBy, CrcVerdict) {
        match reading {
            ControlReading::Decoded {
                control,
                decided_by,
                crc,
            } => (*control, decided_by, crc),
            other => panic!("{other:?}"),
        }
    }

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
    fn what_is_no_pg_control_is_described() {
        let hint = Some(of(Major::V15));
        assert_eq!(
            ControlFile::read(&[], hint),
            ControlReading::TooShort { len: 0, need: 296 }
        );
        assert_eq!(
            ControlFile::read(&[0; 8192], hint),
            ControlReading::AllZero { len: 8192 }
        );
        let swapped: Vec<u8> = blank(of(Major::V15))
            .chunks(4)
            .flat_map(|word| word.iter().rev().copied().collect::<Vec<u8>>())
            .collect();
        assert_eq!(
            ControlFile::read(&swapped, hint),
            ControlReading::OtherByteOrder {
                pg_control_version: 0x1405_0000
            }
        );
        let mut cut = blank(of(Major::V12));
        cut.truncate(200);
        assert_eq!(
            ControlFile::read(&cut, None),
            ControlReading::TooShort {
                len: 200,
                need: 296
            }
        );
    }

    #[test]
    fn both_layouts_of_942_and_all_majors_of_1300_are_told_apart() {
        for v in &VERSIONS {
            let (control, by, crc) = decoded(ControlFile::read(&blank(v), None));
            assert_eq!(control.version, v);
            assert_eq!((by, crc), (DecidedBy::ControlAndCatalog, CrcVerdict::Good));
        }
    }

    #[test]
    fn an_unknown_catalog_version_is_no_reason_to_guess() {
        let alter = |major| {
            let mut bytes = blank(of(major));
            bytes[12] ^= 1;
            sign(of(major), &mut bytes);
            bytes
        };
        let read = |major, hint| decoded(ControlFile::read(&alter(major), hint));
        assert_eq!(read(Major::V17, None).1, DecidedBy::ControlVersion);
        assert_eq!(read(Major::V9_5, None).1, DecidedBy::Crc);
        assert_eq!(read(Major::V9_5, None).0.version, of(Major::V9_5));
        // The CRC speaks louder than a PG_VERSION from elsewhere.
        assert_eq!(
            read(Major::V9_4, Some(of(Major::V9_5))).0.version,
            of(Major::V9_4)
        );
        let (control, by, crc) = read(Major::V14, Some(of(Major::V14)));
        assert_eq!((by, crc), (DecidedBy::PgVersion, CrcVerdict::Good));
        assert_eq!(control.version, of(Major::V14));
        assert_eq!(read(Major::V14, None).1, DecidedBy::SharedLayout);

        // Without a good CRC nothing tells 9.4 from 9.5.
        let mut bytes = alter(Major::V9_4);
        bytes[100] ^= 1;
        let reading = ControlFile::read(&bytes, None);
        assert!(matches!(reading, ControlReading::UnknownVersion { .. }));
    }

    #[test]
    fn a_whole_file_of_a_version_to_come_is_seen_to_be_whole() {
        let mut bytes = blank(of(Major::V18));
        bytes[8..12].copy_from_slice(&2000_u32.to_le_bytes());
        bytes[12..16].copy_from_slice(&202_709_011_u32.to_le_bytes());
        let crc = Crc::Castagnoli(0).update(&bytes[..320]).value();
        bytes[320..324].copy_from_slice(&crc.to_le_bytes());
        let ControlReading::UnknownVersion { crc_at, .. } = ControlFile::read(&bytes, None) else {
            panic!()
        };
        assert_eq!(crc_at, Some(320));
        bytes[40] ^= 1;
        let ControlReading::UnknownVersion { crc_at, .. } = ControlFile::read(&bytes, None) else {
            panic!()
        };
        assert_eq!(crc_at, None);
    }

    #[test]
    fn a_wrong_crc_is_flagged_and_other_layouts_are_tried() {
        let mut bytes = blank(of(Major::V9_5));
        bytes[12..16].copy_from_slice(&of(Major::V9_4).catalog_version.to_le_bytes());
        sign(of(Major::V9_5), &mut bytes);
        let reading = ControlFile::read(&bytes, None);
        assert_eq!(
            reading.refusal(of(Major::V9_4)).unwrap().to_string(),
            "FATAL:  incorrect checksum in control file"
        );
        let CrcVerdict::Bad { good_as, .. } = decoded(reading).2 else {
            panic!()
        };
        assert_eq!(good_as, Some(of(Major::V9_5)));
    }

    #[test]
    fn sizes_that_cannot_be_are_named_and_not_used() {
        let mut bytes = blank(of(Major::V15));
        bytes[228..232].copy_from_slice(&0x0300_0000_u32.to_le_bytes());
        sign(of(Major::V15), &mut bytes);
        let (control, ..) = decoded(ControlFile::read(&bytes, None));
        assert_eq!(control.layout(), Layout::usual(of(Major::V15)));
        let fields: Vec<&str> = control.impossible().iter().map(|i| i.field).collect();
        assert_eq!(
            fields[..10],
            [
                "maxAlign",
                "floatFormat",
                "blcksz",
                "relseg_size",
                "xlog_blcksz",
                "nameDataLen",
                "indexMaxKeys",
                "toast_max_chunk_size",
                "loblksize",
                "float8ByVal"
            ]
        );
        assert!(fields.contains(&"xlog_seg_size"));
        assert_eq!(
            ControlFile::read(&bytes, None)
                .refusal(of(Major::V15))
                .unwrap()
                .detail
                .as_deref(),
            Some(
                "The database cluster was initialized with MAXALIGN 0, but the server was \
                 compiled with MAXALIGN 8."
            )
        );
    }

    /// What PostgreSQL 15.18 said of such files.
    #[test]
    fn refusals_are_worded_as_the_server_words_them() {
        let v = of(Major::V15);
        let said = |refusal: Refusal| {
            (
                refusal.to_string(),
                refusal.detail.unwrap_or_default(),
                refusal.hint.unwrap_or_default(),
            )
        };
        let swapped = ControlReading::OtherByteOrder {
            pg_control_version: 0x1405_0000,
        };
        let incompatible = "FATAL:  database files are incompatible with server".to_owned();
        assert_eq!(
            said(swapped.refusal(v).unwrap()),
            (
                incompatible.clone(),
                "The database cluster was initialized with PG_CONTROL_VERSION 335872000 \
                 (0x14050000), but the server was compiled with PG_CONTROL_VERSION 1300 \
                 (0x00000514)."
                    .to_owned(),
                "This could be a problem of mismatched byte ordering.  It looks like you need to \
                 initdb."
            )
        );
        assert_eq!(
            said(
                ControlFile::read(&blank(of(Major::V12)), None)
                    .refusal(v)
                    .unwrap()
            ),
            (
                incompatible,
                "The database cluster was initialized with PG_CONTROL_VERSION 1201, but the \
                 server was compiled with PG_CONTROL_VERSION 1300."
                    .to_owned(),
                "It looks like you need to initdb."
            )
        );
        let mut bytes = blank(v);
        bytes[228] = 1;
        let (control, ..) = decoded(ControlFile::read(&bytes, None));
        let seg_size = control
            .impossible()
            .into_iter()
            .find(|i| i.field == "xlog_seg_size");
        assert_eq!(
            seg_size.unwrap().refusal.unwrap().to_string(),
            "FATAL:  WAL segment size must be a power of two between 1 MB and 1 GB, but the \
             control file specifies 1 byte"
        );
    }

    #[test]
    fn the_catalog_version_of_another_release_contradicts_the_control_version() {
        let mut bytes = blank(of(Major::V15));
        bytes[8..12].copy_from_slice(&1201_u32.to_le_bytes());
        sign(of(Major::V12), &mut bytes);
        let (control, by, _) = decoded(ControlFile::read(&bytes, None));
        assert_eq!(by, DecidedBy::ControlVersion);
        let first = &control.impossible()[0];
        assert_eq!(
            (first.field, first.other_build),
            ("catalog_version_no", false)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_described(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            row in 0_usize..17,
            with_numbers: bool,
            hint in proptest::option::of(0_usize..17),
        ) {
            let mut bytes = bytes;
            if with_numbers && bytes.len() >= 16 {
                bytes[8..16].copy_from_slice(&blank(&VERSIONS[row])[8..16]);
            }
            let reading = ControlFile::read(&bytes, hint.map(|i| &VERSIONS[i]));
            let _ = reading.refusal(&VERSIONS[row]);
            if let ControlReading::Decoded { control, .. } = reading {
                let _ = control.impossible();
                let layout = control.layout();
                assert!(layout.blcksz.is_power_of_two() && layout.blcksz <= 32_768);
                assert!(layout.wal_segsz.is_power_of_two() && layout.wal_segsz >= 1 << 20);
            }
        }
    }
}
