//! `pg_logical/replorigin_checkpoint`: how far each replication origin was replayed.
//!
//! Source: `replication/logical/origin.c: CheckPointReplicationOrigin`, 9.5 to 19.
//!
//! ```text
//! magic (4)   { roident (2), padding (6), remote_lsn (8) } …   CRC-32C of all before (4)
//! ```

use super::crc::Crc;
use super::cursor::{Cursor, Malformed};
use super::types::XLogRecPtr;

/// `REPLICATION_STATE_MAGIC`
pub const REPLICATION_STATE_MAGIC: u32 = 0x1257_DADE;

/// The progress of all origins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicationOrigins {
    /// Origin and the location replayed there.
    pub origins: Vec<(u16, XLogRecPtr)>,
    /// Whether the CRC is right. The server ends when it is not: PANIC `replication slot
    /// checkpoint has wrong checksum …, expected …`.
    pub crc_is_good: bool,
}

impl ReplicationOrigins {
    /// Reads the file (`origin.c: StartupReplicationOrigin`).
    ///
    /// # Errors
    /// When the magic is wrong, or the bytes are not whole entries and a CRC.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let c = &mut Cursor::packed("replication origin checkpoint", bytes);
        if c.u32()? != REPLICATION_STATE_MAGIC {
            return Err(Malformed {
                what: "replication origin checkpoint",
                at: 0,
                why: "the magic number is not 0x1257DADE",
            });
        }
        let mut origins = Vec::new();
        // The padding may hold anything.
        while c.rest().len() > size_of::<u32>() {
            let roident = c.u16()?;
            c.skip(6)?;
            origins.push((roident, XLogRecPtr(c.u64()?)));
        }
        let checked = bytes.get(..c.at()).unwrap_or_default();
        let crc = c.u32()?;
        Ok(Self {
            origins,
            crc_is_good: Crc::Castagnoli(0).update([checked]).value() == crc,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(entries: &[(u16, u64)]) -> Vec<u8> {
        let mut bytes = REPLICATION_STATE_MAGIC.to_le_bytes().to_vec();
        for (roident, lsn) in entries {
            bytes.extend(roident.to_le_bytes());
            bytes.extend([0xA5; 6]);
            bytes.extend(lsn.to_le_bytes());
        }
        let crc = Crc::Castagnoli(0).update([&bytes]).value();
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    #[test]
    fn none_one_and_two_origins() {
        for entries in [&[][..], &[(1, 0x10)], &[(1, 0x10), (7, 1 << 40)]] {
            let read = ReplicationOrigins::parse(&file(entries)).unwrap();
            assert!(read.crc_is_good);
            let expected: Vec<_> = entries.iter().map(|(r, l)| (*r, XLogRecPtr(*l))).collect();
            assert_eq!(read.origins, expected);
        }
    }

    #[test]
    fn damage_is_noticed() {
        let bytes = file(&[(1, 0x10)]);
        for len in (0..bytes.len()).filter(|len| *len != 8) {
            assert!(ReplicationOrigins::parse(&bytes[..len]).is_err(), "{len}");
        }
        for at in 4..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(!ReplicationOrigins::parse(&bytes).unwrap().crc_is_good);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(tail: Vec<u8>) {
            let mut bytes = REPLICATION_STATE_MAGIC.to_le_bytes().to_vec();
            bytes.extend(&tail);
            let _ = ReplicationOrigins::parse(&bytes);
            let _ = ReplicationOrigins::parse(&tail);
        }
    }
}
