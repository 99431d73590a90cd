//! The state of a replication slot: `pg_replslot/NAME/state`.
//!
//! Source: `replication/slot.h, slot.c: ReplicationSlotOnDisk`, 9.4 to 19.
//!
//! ```text
//!  0 magic   4 crc   8 version   12 length of what follows
//! 16 name[64]   80 database   84 persistency   88 xmin   92 catalog_xmin   96 restart_lsn
//!    [13: invalidated]   confirmed_flush   [14: two_phase_at, two_phase]   plugin[64]
//!    [17: synced, failover]
//! ```
//! The CRC is over everything from byte 8 on.

use super::crc::Crc;
use super::cursor::{Cursor, Malformed};
use super::types::{Oid, TransactionId, XLogRecPtr};
use super::version::{Major, Version};
use std::fmt;

/// `SLOT_MAGIC`
pub const SLOT_MAGIC: u32 = 0x0105_1CA1;

/// `ReplicationSlotPersistency`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotPersistency {
    /// `RS_PERSISTENT`
    Persistent,
    /// `RS_EPHEMERAL`: still being made.
    Ephemeral,
    /// `RS_TEMPORARY`, 10 and later: of a session that ended.
    Temporary,
    /// Another number.
    Unknown(u32),
}

impl fmt::Display for SlotPersistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Persistent => f.write_str("persistent"),
            Self::Ephemeral => f.write_str("ephemeral"),
            Self::Temporary => f.write_str("temporary"),
            Self::Unknown(number) => write!(f, "unknown slot persistency {number}"),
        }
    }
}

/// Why a slot no longer holds WAL back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotInvalidation {
    /// 13 to 15: where `restart_lsn` was when its WAL was removed.
    At(XLogRecPtr),
    /// 16 and later: `ReplicationSlotInvalidationCause`. 16 and 17 count: 1 `wal_removed`,
    /// 2 `rows_removed`, 3 `wal_level_insufficient`; 18 uses bits: 1, 2, 4, and 8
    /// `idle_timeout`.
    Cause(u32),
}

/// A replication slot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotState {
    /// `name`
    pub name: String,
    /// `database`, 0 for a physical slot.
    pub database: Oid,
    /// `persistency`
    pub persistency: SlotPersistency,
    /// `xmin`: transactions from here on are kept visible.
    pub xmin: TransactionId,
    /// `catalog_xmin`: the same for catalogs.
    pub catalog_xmin: TransactionId,
    /// `restart_lsn`: WAL from here on is kept.
    pub restart_lsn: XLogRecPtr,
    /// `invalidated` (`invalidated_at` up to 15), 13 and later; `None` also for a valid slot.
    pub invalidated: Option<SlotInvalidation>,
    /// `confirmed_flush`
    pub confirmed_flush: XLogRecPtr,
    /// `two_phase_at`, 14 and later.
    pub two_phase_at: Option<XLogRecPtr>,
    /// `two_phase`, 14 and later.
    pub two_phase: Option<bool>,
    /// `plugin`, empty for a physical slot.
    pub plugin: String,
    /// `synced`, 17 and later.
    pub synced: Option<bool>,
    /// `failover`, 17 and later.
    pub failover: Option<bool>,
    /// Whether the CRC is right. The server ends when it is not: PANIC `checksum mismatch for
    /// replication slot file "…": is …, should be …`.
    pub crc_is_good: bool,
}

impl SlotState {
    /// Reads a slot of a cluster of `version` (`slot.c: RestoreSlotFromDisk`).
    ///
    /// # Errors
    /// Where the server says PANIC `replication slot file "…" has wrong magic number`, `… has
    /// unsupported version`, `… has corrupted length`, or cannot read enough.
    pub fn parse(version: &Version, bytes: &[u8]) -> Result<Self, Malformed> {
        let since = |major| version.since(major);
        let bad = |at, why| Malformed {
            what: "replication slot state",
            at,
            why,
        };
        let c = &mut Cursor::new("replication slot state", bytes);
        if c.u32()? != SLOT_MAGIC {
            return Err(bad(0, "the magic number is not 0x01051CA1"));
        }
        let crc = c.u32()?;
        let own_version = match version.major {
            major if major >= Major::V17 => 5,
            major if major >= Major::V16 => 3,
            _ => 2,
        };
        if c.u32()? != own_version {
            return Err(bad(8, "not the slot version of this server"));
        }
        let length = c.u32()?;
        let name = text(c.array()?);
        let database = c.u32()?;
        let persistency = match c.u32()? {
            0 => SlotPersistency::Persistent,
            1 => SlotPersistency::Ephemeral,
            2 if since(Major::V10) => SlotPersistency::Temporary,
            number => SlotPersistency::Unknown(number),
        };
        let xmin = TransactionId(c.u32()?);
        let catalog_xmin = TransactionId(c.u32()?);
        let restart_lsn = XLogRecPtr(c.u64()?);
        let invalidated = if since(Major::V16) {
            Some(c.u32()?)
                .filter(|cause| *cause != 0)
                .map(SlotInvalidation::Cause)
        } else if since(Major::V13) {
            Some(XLogRecPtr(c.u64()?))
                .filter(|lsn| lsn.is_valid())
                .map(SlotInvalidation::At)
        } else {
            None
        };
        let confirmed_flush = XLogRecPtr(c.u64()?);
        let two_phase_at = since(Major::V14).then(|| c.u64()).transpose()?;
        let two_phase = since(Major::V14).then(|| c.bool()).transpose()?;
        let plugin = text(c.array()?);
        let synced = since(Major::V17).then(|| c.bool()).transpose()?;
        let failover = since(Major::V17).then(|| c.bool()).transpose()?;
        c.align(8)?;
        if usize::try_from(length) != Ok(c.at().saturating_sub(16)) {
            return Err(bad(12, "not the length of this version's slots"));
        }
        let checked = bytes.get(8..c.at()).unwrap_or_default();
        Ok(Self {
            name,
            database,
            persistency,
            xmin,
            catalog_xmin,
            restart_lsn,
            invalidated,
            confirmed_flush,
            two_phase_at: two_phase_at.map(XLogRecPtr),
            two_phase,
            plugin,
            synced,
            failover,
            crc_is_good: Crc::of(version).update([checked]).value() == crc,
        })
    }
}

/// A `NameData`: up to its first NUL.
fn text(name: [u8; 64]) -> String {
    let name = name.split(|b| *b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::VERSIONS;
    use proptest::prelude::*;

    fn of(major: Major) -> &'static Version {
        Version::of(major).unwrap()
    }

    fn file(version: &Version, number: u32, size: u32) -> Vec<u8> {
        let mut bytes = SLOT_MAGIC.to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(number.to_le_bytes());
        bytes.extend((size - 16).to_le_bytes());
        bytes.extend(b"lab_slot");
        bytes.resize(usize::try_from(size).unwrap(), 0);
        bytes[96..104].copy_from_slice(&0x123_u64.to_le_bytes());
        let crc = Crc::of(version).update([&bytes[8..]]).value();
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    #[test]
    fn all_sizes_are_read() {
        for (major, number, size) in [
            (Major::V9_4, 2, 176),
            (Major::V12, 2, 176),
            (Major::V13, 2, 184),
            (Major::V15, 2, 200),
            (Major::V16, 3, 200),
            (Major::V17, 5, 200),
            (Major::V19, 5, 200),
        ] {
            let bytes = file(of(major), number, size);
            let slot = SlotState::parse(of(major), &bytes).unwrap();
            assert!(slot.crc_is_good, "{major}");
            assert_eq!(slot.name, "lab_slot");
            assert_eq!(slot.restart_lsn, XLogRecPtr(0x123));
            assert_eq!(slot.invalidated, None);
            assert_eq!(slot.failover.is_some(), major >= Major::V17);
        }
    }

    #[test]
    fn what_the_server_refuses_is_refused() {
        let v = of(Major::V15);
        let at = |bytes: &[u8]| SlotState::parse(v, bytes).unwrap_err().at;
        assert_eq!(at(&file(v, 3, 200)), 8);
        assert_eq!(at(&file(v, 2, 208)), 12);
        assert_eq!(at(&file(v, 2, 200)[..199]), 193);
        let mut bytes = file(v, 2, 200);
        bytes[0] ^= 1;
        assert_eq!(at(&bytes), 0);
        let mut bytes = file(v, 2, 200);
        bytes[100] ^= 1;
        assert!(!SlotState::parse(v, &bytes).unwrap().crc_is_good);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..230), row in 0_usize..17,
            number in 0..6_u32,
        ) {
            let mut bytes = bytes;
            if bytes.len() >= 12 {
                bytes[..4].copy_from_slice(&SLOT_MAGIC.to_le_bytes());
                bytes[8..12].copy_from_slice(&number.to_le_bytes());
            }
            let _ = SlotState::parse(&VERSIONS[row], &bytes);
        }
    }
}
