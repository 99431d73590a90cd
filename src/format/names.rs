//! The names of files in a data directory: WAL, relations, SLRU segments, two-phase state.
//!
//! Sources, 9.0 to 19: `access/xlog_internal.h` (WAL), `common/relpath.c` and
//! `storage/file/reinit.c` (relations; `catalog/catalog.c` up to 9.2),
//! `access/transam/slru.c`, `access/transam/twophase.c`.
//!
//! ```text
//! 00000001 00000000 0000001A[.partial]      timeline, log, segment
//! 00000001 00000000 0000001A.00000028.backup
//! 00000002.history   xlogtemp.4711   RECOVERYXLOG   RECOVERYHISTORY
//! base/16386/16491_fsm.1      base/16386/t3_16499
//! pg_tblspc/16385/PG_15_202209061/16386/16491
//! ```

use super::types::{
    DEFAULTTABLESPACE_OID, ForkNumber, FullTransactionId, GLOBALTABLESPACE_OID, Oid,
    RelFileLocator, RelFileNumber, TimeLineID, TransactionId, XLogRecPtr, XLogSegNo,
};
use super::version::{Layout, Major, Version};
use std::fmt;

/// Upper-case hexadecimal digits only, as the server prints and demands them.
fn hex(text: &str) -> Option<u64> {
    let good = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    (!text.is_empty() && text.bytes().all(good))
        .then(|| u64::from_str_radix(text, 16).ok())
        .flatten()
}

fn hex8(text: &str) -> Option<u32> {
    (text.len() == 8)
        .then(|| hex(text))
        .flatten()
        .and_then(|n| u32::try_from(n).ok())
}

/// A decimal number as `%u` prints it: no sign, no leading zero.
fn decimal(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The 24 digits that name a WAL segment: `%08X%08X%08X`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WalSegmentName {
    /// Timeline.
    pub tli: TimeLineID,
    /// The 4 GB of WAL it belongs to (`xlogid` up to 9.2).
    pub log: u32,
    /// The segment within them.
    pub seg: u32,
}

impl WalSegmentName {
    /// Parses exactly 24 digits.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(Self {
            tli: hex8(name.get(..8)?)?,
            log: hex8(name.get(8..16)?)?,
            seg: hex8(name.get(16..)?)?,
        })
    }

    /// The name of segment `segno` (`XLogFileName`).
    #[must_use]
    pub fn new(layout: &Layout, tli: TimeLineID, segno: XLogSegNo) -> Option<Self> {
        let per_log = segments_per_log(layout);
        Some(Self {
            tli,
            log: u32::try_from(segno.checked_div(per_log)?).ok()?,
            seg: u32::try_from(segno.checked_rem(per_log)?).ok()?,
        })
    }

    /// The segment's number counted from LSN 0 (`XLogFromFileName`), in all versions by
    /// bytes: up to 9.2, too, one more 4 GB is so many more segments, the last of which is
    /// never used. `None`: with this segment size there is no such segment.
    #[must_use]
    pub fn segno(&self, layout: &Layout) -> Option<XLogSegNo> {
        let per_log = segments_per_log(layout);
        let segno = u64::from(self.log)
            .checked_mul(per_log)?
            .checked_add(u64::from(self.seg))?;
        (u64::from(self.seg) < per_log && is_used_segment(layout, segno)).then_some(segno)
    }
}

impl fmt::Display for WalSegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}{:08X}{:08X}", self.tli, self.log, self.seg)
    }
}

/// `XLogSegmentsPerXLogId`: segments in 4 GB, at least 1.
fn segments_per_log(layout: &Layout) -> u64 {
    (1_u64 << 32)
        .checked_div(u64::from(layout.wal_segsz))
        .unwrap_or(1)
}

/// Whether WAL is ever written there: up to 9.2 the last segment of each 4 GB is left out.
fn is_used_segment(layout: &Layout, segno: XLogSegNo) -> bool {
    let per_log = segments_per_log(layout);
    let last = segno.checked_rem(per_log) == per_log.checked_sub(1);
    layout.since(Major::V9_3) || !last
}

/// The segment that holds `lsn` (`XLByteToSeg`).
#[must_use]
pub fn segno_of(layout: &Layout, lsn: XLogRecPtr) -> XLogSegNo {
    lsn.0
        .checked_div(u64::from(layout.wal_segsz))
        .unwrap_or_default()
}

/// The first byte of a segment; `None` past the end of all WAL.
#[must_use]
pub fn segment_start(layout: &Layout, segno: XLogSegNo) -> Option<XLogRecPtr> {
    segno
        .checked_mul(u64::from(layout.wal_segsz))
        .map(XLogRecPtr)
}

/// The segment that continues `segno` (`NextLogSeg` up to 9.2).
#[must_use]
pub fn next_segno(layout: &Layout, segno: XLogSegNo) -> XLogSegNo {
    let next = segno.saturating_add(1);
    if is_used_segment(layout, next) {
        next
    } else {
        next.saturating_add(1)
    }
}

/// What a file in `pg_wal`, `pg_xlog` or a WAL archive is, by its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum WalFile {
    /// A segment.
    Segment(WalSegmentName),
    /// `.partial`: a segment not filled, of a timeline that ended (9.5 and later) or still
    /// being received.
    Partial(WalSegmentName),
    /// `.backup`: backup history, with the byte offset in the segment where the backup
    /// started.
    BackupHistory(WalSegmentName, u32),
    /// `.history`: where a timeline came from.
    History(TimeLineID),
    /// `xlogtemp.PID`: a segment being made.
    Temporary(u32),
    /// `RECOVERYXLOG`: a segment being restored.
    RecoveryXlog,
    /// `RECOVERYHISTORY`: a history file being restored.
    RecoveryHistory,
}

impl WalFile {
    /// By the file name without folder.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "RECOVERYXLOG" => return Some(Self::RecoveryXlog),
            "RECOVERYHISTORY" => return Some(Self::RecoveryHistory),
            _ => {}
        }
        if let Some(pid) = name.strip_prefix("xlogtemp.") {
            return decimal(pid).map(Self::Temporary);
        }
        match name.split_once('.') {
            None => WalSegmentName::parse(name).map(Self::Segment),
            Some((segment, "partial")) => WalSegmentName::parse(segment).map(Self::Partial),
            Some((tli, "history")) => hex8(tli).map(Self::History),
            Some((segment, rest)) => {
                let offset = hex8(rest.strip_suffix(".backup")?)?;
                Some(Self::BackupHistory(WalSegmentName::parse(segment)?, offset))
            }
        }
    }
}

impl fmt::Display for WalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(segment) => segment.fmt(f),
            Self::Partial(segment) => write!(f, "{segment}.partial"),
            Self::BackupHistory(segment, offset) => write!(f, "{segment}.{offset:08X}.backup"),
            Self::History(tli) => write!(f, "{tli:08X}.history"),
            Self::Temporary(pid) => write!(f, "xlogtemp.{pid}"),
            Self::RecoveryXlog => f.write_str("RECOVERYXLOG"),
            Self::RecoveryHistory => f.write_str("RECOVERYHISTORY"),
        }
    }
}

/// A file of a relation within PGDATA.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RelFile {
    /// The relation.
    pub locator: RelFileLocator,
    /// The rest of the name.
    pub name: RelFileName,
}

impl RelFile {
    /// By the path from PGDATA: `global/1262`, `base/5/2619_vm`,
    /// `pg_tblspc/16385/PG_15_202209061/5/16491.1`. Another version's folder in a tablespace
    /// is not this cluster's.
    #[must_use]
    pub fn parse(version: &Version, path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let (spc_oid, db_oid) = match parts.next()? {
            "global" => (GLOBALTABLESPACE_OID, 0),
            "base" => (DEFAULTTABLESPACE_OID, oid(parts.next()?)?),
            "pg_tblspc" => {
                let spc_oid = oid(parts.next()?)?;
                if parts.next()? != version.tablespace_dir() {
                    return None;
                }
                (spc_oid, oid(parts.next()?)?)
            }
            _ => return None,
        };
        let name = RelFileName::parse(version, parts.next()?)?;
        parts.next().is_none().then_some(Self {
            locator: RelFileLocator {
                spc_oid,
                db_oid,
                rel_number: name.rel_number,
            },
            name,
        })
    }

    /// The path from PGDATA.
    #[must_use]
    pub fn path(&self, version: &Version) -> String {
        format!("{}/{}", database_dir(version, self.locator), self.name)
    }
}

/// The folder of a relation's database in its tablespace, from PGDATA
/// (`relpath.c: GetDatabasePath`).
#[must_use]
pub fn database_dir(version: &Version, locator: RelFileLocator) -> String {
    match locator.spc_oid {
        GLOBALTABLESPACE_OID => "global".to_owned(),
        DEFAULTTABLESPACE_OID => format!("base/{}", locator.db_oid),
        spc_oid => format!(
            "pg_tblspc/{spc_oid}/{}/{}",
            version.tablespace_dir(),
            locator.db_oid
        ),
    }
}

fn oid(text: &str) -> Option<Oid> {
    decimal(text).filter(|oid| *oid != 0)
}

/// A relation's file name: `[tBACKEND_]NUMBER[_fsm|_vm|_init][.SEGMENT]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RelFileName {
    /// The backend a temporary relation belongs to, 9.1 and later; in 9.0 temporary
    /// relations look like others.
    pub backend: Option<u32>,
    /// Its number.
    pub rel_number: RelFileNumber,
    /// The fork.
    pub fork: ForkNumber,
    /// Which piece of `relseg_size` blocks, from 0.
    pub segment: u32,
}

impl RelFileName {
    /// By the file name without folder.
    #[must_use]
    pub fn parse(version: &Version, name: &str) -> Option<Self> {
        let (stem, segment) = match name.split_once('.') {
            Some((stem, segment)) => (stem, decimal(segment).filter(|n| *n != 0)?),
            None => (name, 0),
        };
        let (backend, rest) = match stem.strip_prefix('t') {
            Some(rest) if version.since(Major::V9_1) => {
                let (backend, rest) = rest.split_once('_')?;
                (Some(decimal(backend)?), rest)
            }
            _ => (None, stem),
        };
        let (number, fork) = match rest.split_once('_') {
            None => (rest, ForkNumber::Main),
            Some((number, "fsm")) => (number, ForkNumber::Fsm),
            Some((number, "vm")) => (number, ForkNumber::Vm),
            Some((number, "init")) if version.since(Major::V9_1) => (number, ForkNumber::Init),
            Some(_) => return None,
        };
        Some(Self {
            backend,
            rel_number: oid(number)?,
            fork,
            segment,
        })
    }
}

impl fmt::Display for RelFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(backend) = self.backend {
            write!(f, "t{backend}_")?;
        }
        write!(f, "{}{}", self.rel_number, self.fork.suffix())?;
        if self.segment != 0 {
            write!(f, ".{}", self.segment)?;
        }
        Ok(())
    }
}

/// How an SLRU names its segments (`slru.c: SlruFileName`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SlruNames {
    /// `%04X`, up to 6 digits.
    Short,
    /// `%015X`.
    Long,
}

impl SlruNames {
    /// What `version` uses in the folder `dir` (`pg_notify`, `pg_multixact/members`, …).
    #[must_use]
    pub fn of(version: &Version, dir: &str) -> Self {
        match dir {
            "pg_notify" if version.since(Major::V17) => Self::Long,
            "pg_multixact/members" if version.since(Major::V19) => Self::Long,
            _ => Self::Short,
        }
    }

    /// The file name of a segment.
    #[must_use]
    pub fn name(self, segno: u64) -> String {
        match self {
            Self::Short => format!("{segno:04X}"),
            Self::Long => format!("{segno:015X}"),
        }
    }

    /// The segment a file holds.
    #[must_use]
    pub fn parse(self, name: &str) -> Option<u64> {
        let digits = match self {
            Self::Short => 4..=6,
            Self::Long => 15..=15,
        };
        let segno = hex(name)?;
        (digits.contains(&name.len()) && self.name(segno) == name).then_some(segno)
    }
}

/// The name of a file in `pg_twophase`: `%08X`, with the epoch before it from 17 on
/// (`twophase.c: TwoPhaseFilePath`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TwoPhaseName {
    /// Up to 16.
    Xid(u32),
    /// 17 and later.
    FullXid(u64),
}

impl TwoPhaseName {
    /// By the file name without folder.
    #[must_use]
    pub fn parse(version: &Version, name: &str) -> Option<Self> {
        if version.since(Major::V17) {
            (name.len() == 16).then(|| hex(name).map(Self::FullXid))?
        } else {
            hex8(name).map(Self::Xid)
        }
    }

    /// The transaction; its epoch is lost up to 16.
    #[must_use]
    pub fn xid(self) -> TransactionId {
        match self {
            Self::Xid(xid) => TransactionId(xid),
            Self::FullXid(full) => FullTransactionId(full).xid(),
        }
    }
}

impl fmt::Display for TwoPhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xid(xid) => write!(f, "{xid:08X}"),
            Self::FullXid(full) => write!(f, "{full:016X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::VERSIONS;
    use proptest::prelude::*;

    fn usual(major: Major) -> Layout {
        Layout::usual(Version::of(major).unwrap())
    }

    #[test]
    fn the_last_segment_of_4_gb_is_skipped_up_to_9_2() {
        let (old, new) = (usual(Major::V9_2), usual(Major::V9_3));
        let fe = WalSegmentName::parse("0000000100000007000000FE").unwrap();
        let ff = WalSegmentName::parse("0000000100000007000000FF").unwrap();
        assert_eq!(ff.segno(&old), None);
        assert_eq!(ff.segno(&new), Some(0x7FF));
        let after = |layout, name: WalSegmentName| {
            let next = next_segno(layout, name.segno(layout).unwrap());
            WalSegmentName::new(layout, 1, next).unwrap().to_string()
        };
        assert_eq!(after(&old, fe), "000000010000000800000000");
        assert_eq!(after(&new, fe), "0000000100000007000000FF");
        assert_eq!(after(&new, ff), "000000010000000800000000");
        let lsn = XLogRecPtr::from_halves(7, 0xFE00_1234);
        assert_eq!(Some(segno_of(&old, lsn)), fe.segno(&old));
        assert_eq!(
            segment_start(&old, 0x7FE),
            Some(XLogRecPtr::from_halves(7, 0xFE00_0000))
        );
    }

    #[test]
    fn small_segments_have_more_digits() {
        let layout = Layout {
            wal_segsz: 1 << 20,
            ..usual(Major::V15)
        };
        let name = WalSegmentName::parse("000000010000000000000FFF").unwrap();
        assert_eq!(name.segno(&layout), Some(0xFFF));
        assert_eq!(name.segno(&usual(Major::V15)), None, "past FF with 16 MB");
        assert_eq!(
            WalSegmentName::new(&layout, 1, 0x1000).unwrap().to_string(),
            "000000010000000100000000"
        );
    }

    #[test]
    fn files_of_the_wal_folder() {
        for name in [
            "00000001000000000000001A",
            "00000001000000000000001A.partial",
            "000000010000000000000011.00000098.backup",
            "00000002.history",
            "xlogtemp.4711",
            "RECOVERYXLOG",
            "RECOVERYHISTORY",
        ] {
            assert_eq!(WalFile::parse(name).unwrap().to_string(), name);
        }
        for name in [
            "",
            "archive_status",
            "00000001000000000000001a",
            "00000001000000000000001A.gz",
            "00000001000000000000001A.98.backup",
            "2.history",
            "xlogtemp.",
            "xlogtemp.-1",
        ] {
            assert_eq!(WalFile::parse(name), None, "{name}");
        }
    }

    #[test]
    fn files_of_relations() {
        let v = Version::of(Major::V15).unwrap();
        for path in [
            "global/1262",
            "base/5/2619_vm",
            "base/5/16491_fsm.12",
            "base/5/t3_16499_init",
            "pg_tblspc/16385/PG_15_202209061/5/16491.1",
        ] {
            assert_eq!(RelFile::parse(v, path).unwrap().path(v), path);
        }
        for path in [
            "global/pg_control",
            "global/5/1262",
            "base/5",
            "base/5/PG_VERSION",
            "base/5/0",
            "base/5/016491",
            "base/5/16491.0",
            "base/5/16491_x",
            "base/5/4294967296",
            "base/pgsql_tmp/pgsql_tmp1.0",
            "pg_tblspc/16385/PG_14_202107181/5/16491",
            "pg_wal/00000001000000000000001A",
        ] {
            assert_eq!(RelFile::parse(v, path), None, "{path}");
        }
        let old = Version::of(Major::V9_0).unwrap();
        assert_eq!(RelFileName::parse(old, "t3_16499"), None);
    }

    #[test]
    fn slru_segments() {
        let v = |major| Version::of(major).unwrap();
        assert_eq!(SlruNames::of(v(Major::V16), "pg_notify"), SlruNames::Short);
        assert_eq!(SlruNames::of(v(Major::V17), "pg_notify"), SlruNames::Long);
        let members = "pg_multixact/members";
        assert_eq!(SlruNames::of(v(Major::V18), members), SlruNames::Short);
        assert_eq!(SlruNames::of(v(Major::V19), members), SlruNames::Long);
        assert_eq!(SlruNames::Short.parse("0FFF"), Some(0xFFF));
        assert_eq!(SlruNames::Short.parse("14078"), Some(0x14078));
        assert_eq!(SlruNames::Long.parse("00000000000001F"), Some(0x1F));
        for bad in ["", "FFF", "0fff", "00FFF", "1234567", "00000000000001F"] {
            assert_eq!(SlruNames::Short.parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn two_phase_files() {
        let parse = |major, name| TwoPhaseName::parse(Version::of(major).unwrap(), name);
        let old = parse(Major::V16, "000005D5").unwrap();
        assert_eq!(old.xid(), TransactionId(0x5D5));
        let new = parse(Major::V17, "00000001000005D5").unwrap();
        assert_eq!(new.xid(), TransactionId(0x5D5));
        assert_eq!(parse(Major::V16, "00000001000005D5"), None);
        assert_eq!(parse(Major::V17, "000005D5"), None);
    }

    proptest! {
        #[test]
        fn wal_names_round_trip(row in 0_usize..17, bits in 20_u32..=26, tli: u32, lsn: u64) {
            let layout = Layout { wal_segsz: 1 << bits, ..Layout::usual(&VERSIONS[row]) };
            let segno = segno_of(&layout, XLogRecPtr(lsn));
            let name = WalSegmentName::new(&layout, tli, segno).unwrap();
            assert_eq!(WalSegmentName::parse(&name.to_string()), Some(name));
            if name.segno(&layout).is_some() {
                assert_eq!(name.segno(&layout), Some(segno));
            } else {
                assert!(!layout.since(Major::V9_3));
            }
            assert!(is_used_segment(&layout, next_segno(&layout, segno)));
        }

        #[test]
        fn relation_names_round_trip(
            row in 0_usize..17, spc_oid in 1_u32.., db_oid in 1_u32.., rel_number in 1_u32..,
            fork in 0_u32..4, segment: u32, backend: Option<u32>,
        ) {
            let v = &VERSIONS[row];
            let fork = ForkNumber::from_number(fork).unwrap();
            if v.major == Major::V9_0 && (backend.is_some() || fork == ForkNumber::Init) {
                return Ok(());
            }
            let db_oid = if spc_oid == GLOBALTABLESPACE_OID { 0 } else { db_oid };
            let file = RelFile {
                locator: RelFileLocator { spc_oid, db_oid, rel_number },
                name: RelFileName { backend, rel_number, fork, segment },
            };
            assert_eq!(RelFile::parse(v, &file.path(v)), Some(file));
        }

        #[test]
        fn any_name_is_read_or_refused(name in "[tPG0-9A-F_./a-z]{0,40}|\\PC{0,40}", row in 0_usize..17) {
            let v = &VERSIONS[row];
            if let Some(file) = WalFile::parse(&name) {
                assert_eq!(file.to_string(), name);
            }
            if let Some(file) = RelFileName::parse(v, &name) {
                assert_eq!(file.to_string(), name);
            }
            if let Some(file) = RelFile::parse(v, &name) {
                assert_eq!(file.path(v), name);
            }
            if let Some(file) = TwoPhaseName::parse(v, &name) {
                assert_eq!(file.to_string(), name);
            }
            for names in [SlruNames::Short, SlruNames::Long] {
                if let Some(segno) = names.parse(&name) {
                    assert_eq!(names.name(segno), name);
                }
            }
        }
    }
}
