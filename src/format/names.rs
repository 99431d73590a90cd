//! The names of WAL segments and of relation files.
//!
//! Sources, 9.0 to 19: `access/xlog_internal.h` (`XLogFileName`), `common/relpath.c:
//! GetRelationPath` and `storage/file/reinit.c: parse_filename_for_nontemp_relation` (up to
//! 9.2 `catalog/catalog.c`). What else a file can be is told by `pgdata::classify`.
//!
//! ```text
//! 00000001 00000000 0000001A     timeline, log, segment
//! 16491_fsm.1                    number, fork, segment
//! t3_16499                       of backend 3
//! ```

use super::types::{
    DEFAULTTABLESPACE_OID, ForkNumber, GLOBALTABLESPACE_OID, Oid, RelFileLocator, RelFileNumber,
    TimeLineID,
};
use super::version::Version;
use std::fmt;

/// Upper-case hexadecimal digits only, as the server prints and demands them.
#[must_use]
pub fn hex(text: &str) -> Option<u64> {
    let good = |b: u8| matches!(b, b'0'..=b'9' | b'A'..=b'F');
    (!text.is_empty() && text.bytes().all(good))
        .then(|| u64::from_str_radix(text, 16).ok())
        .flatten()
}

/// Eight such digits.
#[must_use]
pub fn hex8(text: &str) -> Option<u32> {
    (text.len() == 8)
        .then(|| hex(text))
        .flatten()
        .and_then(|n| u32::try_from(n).ok())
}

/// A decimal number as `%u` prints it: no sign, no leading zero.
#[must_use]
pub fn decimal(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0')))
        .then(|| text.parse().ok())
        .flatten()
}

/// An object identifier or a number counted from 1.
#[must_use]
pub fn positive(text: &str) -> Option<u32> {
    decimal(text).filter(|number| *number != 0)
}

/// The 24 digits that name a WAL segment: `%08X%08X%08X`. Which segment they mean depends on
/// `wal_segment_size`: [`WalGeometry::segno`](super::wal::WalGeometry::segno).
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
}

impl fmt::Display for WalSegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}{:08X}{:08X}", self.tli, self.log, self.seg)
    }
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
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, segment) = match name.split_once('.') {
            Some((stem, segment)) => (stem, positive(segment)?),
            None => (name, 0),
        };
        let (backend, rest) = match stem.strip_prefix('t') {
            Some(rest) => {
                let (backend, rest) = rest.split_once('_')?;
                (Some(decimal(backend)?), rest)
            }
            None => (None, stem),
        };
        let (number, fork) = match rest.split_once('_') {
            None => (rest, ForkNumber::Main),
            Some((number, "fsm")) => (number, ForkNumber::Fsm),
            Some((number, "vm")) => (number, ForkNumber::Vm),
            Some((number, "init")) => (number, ForkNumber::Init),
            Some(_) => return None,
        };
        Some(Self {
            backend,
            rel_number: positive(number)?,
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

/// The folder of a relation's database in its tablespace, from PGDATA
/// (`relpath.c: GetDatabasePath`).
#[must_use]
pub fn database_dir(version: &Version, spc_oid: Oid, db_oid: Oid) -> String {
    match spc_oid {
        GLOBALTABLESPACE_OID => "global".to_owned(),
        DEFAULTTABLESPACE_OID => format!("base/{db_oid}"),
        _ => format!("pg_tblspc/{spc_oid}/{}/{db_oid}", version.tablespace_dir()),
    }
}

/// The path of a relation's file from PGDATA (`relpath.c: GetRelationPath`).
#[must_use]
pub fn relation_path(
    version: &Version,
    locator: RelFileLocator,
    fork: ForkNumber,
    segment: u32,
) -> String {
    let folder = database_dir(version, locator.spc_oid, locator.db_oid);
    let name = RelFileName {
        backend: None,
        rel_number: locator.rel_number,
        fork,
        segment,
    };
    format!("{folder}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_are_none() {
        for name in [
            "",
            "pg_filenode.map",
            "0",
            "016491",
            "+16491",
            "16491.0",
            "16491.01",
            "16491_x",
            "16491_fsm_vm",
            "16491.1_fsm",
            "4294967296",
            "t_16491",
            "t01_16491",
        ] {
            assert_eq!(RelFileName::parse(name), None, "{name}");
        }
        for name in [
            "00000001000000000000001a",
            "00000001000000000000001",
            "00000001000000000000001A0",
            "0000000100000000+000001A",
            "00000001é",
        ] {
            assert_eq!(WalSegmentName::parse(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn wal_names_round_trip(tli: u32, log: u32, seg: u32) {
            let name = WalSegmentName { tli, log, seg };
            assert_eq!(WalSegmentName::parse(&name.to_string()), Some(name));
        }

        #[test]
        fn relation_names_round_trip(
            rel_number in 1_u32.., fork in 0_u32..4, segment: u32, backend: Option<u32>,
        ) {
            let fork = ForkNumber::from_number(fork).unwrap();
            let name = RelFileName { backend, rel_number, fork, segment };
            assert_eq!(RelFileName::parse(&name.to_string()), Some(name));
        }

        #[test]
        fn any_name_is_read_or_refused(name in "[tPG0-9A-F_./a-z]{0,40}|\\PC{0,40}") {
            if let Some(segment) = WalSegmentName::parse(&name) {
                assert_eq!(segment.to_string(), name);
            }
            if let Some(file) = RelFileName::parse(&name) {
                assert_eq!(file.to_string(), name);
            }
        }
    }
}
