//! `pg_filenode.map`: the file numbers of the catalogs that `pg_class` cannot tell, in
//! `global` and in every database's folder.
//!
//! Source: `utils/cache/relmapper.c`, 9.0 to 19.
//!
//! ```text
//!   0 magic   4 num_mappings   8 {oid, file number}[62], from 16 on [64]   crc
//! 512 bytes (the crc at 504, then 4 of padding); from 16 on 524 (the crc at 520)
//! ```

use super::crc::Crc;
use super::cursor::{Cursor, Malformed};
use super::types::{Oid, RelFileNumber};
use super::version::{Major, Version};

/// `RELMAPPER_FILEMAGIC`
const RELMAPPER_FILEMAGIC: u32 = 0x0059_2717;

/// A relation map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelMap {
    /// Catalog and its file number, in the order of the file.
    pub mappings: Vec<(Oid, RelFileNumber)>,
    /// Whether the CRC is right. The server refuses a map whose CRC is wrong: FATAL
    /// `relation mapping file "…" contains incorrect checksum`.
    pub crc_is_good: bool,
}

impl RelMap {
    /// Reads the map.
    ///
    /// # Errors
    /// What the server refuses as `relation mapping file "…" contains invalid data`: too
    /// few bytes, another magic, more mappings than fit.
    pub fn parse(version: &Version, bytes: &[u8]) -> Result<Self, Malformed> {
        // `MAX_MAPPINGS`
        let room: u32 = if version.since(Major::V16) { 64 } else { 62 };
        let c = &mut Cursor::new("relation map", bytes);
        if c.u32()? != RELMAPPER_FILEMAGIC {
            return Err(Malformed {
                what: "relation map",
                at: 0,
                why: "the magic number is not 0x00592717",
            });
        }
        let num_mappings = c.u32()?;
        if num_mappings > room {
            return Err(Malformed {
                what: "relation map",
                at: 4,
                why: "more mappings than there is room for",
            });
        }
        let mut mappings = Vec::new();
        for n in 0..room {
            let mapping = (c.u32()?, c.u32()?);
            if n < num_mappings {
                mappings.push(mapping);
            }
        }
        let checked = bytes.get(..c.at()).unwrap_or_default();
        let crc = c.u32()?;
        if !version.since(Major::V16) {
            c.skip(4)?; // `pad`, part of what the server reads
        }
        Ok(Self {
            mappings,
            crc_is_good: crc == Crc::of(version).update([checked]).value(),
        })
    }

    /// The file number of a catalog.
    #[must_use]
    pub fn file_of(&self, catalog: Oid) -> Option<RelFileNumber> {
        self.mappings
            .iter()
            .find_map(|(oid, number)| (*oid == catalog).then_some(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::VERSIONS;
    use proptest::prelude::*;

    fn map(version: &Version, mappings: &[(Oid, RelFileNumber)]) -> Vec<u8> {
        let room = if version.since(Major::V16) { 64 } else { 62 };
        let mut bytes = RELMAPPER_FILEMAGIC.to_le_bytes().to_vec();
        bytes.extend(u32::try_from(mappings.len()).unwrap().to_le_bytes());
        for (oid, number) in mappings {
            bytes.extend(oid.to_le_bytes());
            bytes.extend(number.to_le_bytes());
        }
        bytes.resize(8 + room * 8, 0);
        let crc = Crc::of(version).update([&bytes]).value();
        bytes.extend(crc.to_le_bytes());
        if !version.since(Major::V16) {
            bytes.extend([0; 4]);
        }
        bytes
    }

    #[test]
    fn both_sizes_are_read() {
        for v in &VERSIONS {
            let bytes = map(v, &[(1259, 1259), (1249, 16_500)]);
            assert_eq!(bytes.len(), if v.since(Major::V16) { 524 } else { 512 });
            let read = RelMap::parse(v, &bytes).unwrap();
            assert!(read.crc_is_good);
            assert_eq!(read.file_of(1249), Some(16_500));
            assert_eq!(read.file_of(1255), None);
            assert!(RelMap::parse(v, &bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn damage_is_told_apart() {
        let v = Version::of(Major::V15).unwrap();
        let good = map(v, &[(1259, 1259)]);
        let edit = |at: usize, byte| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            RelMap::parse(v, &bytes)
        };
        assert_eq!(edit(0, 0).unwrap_err().at, 0);
        assert_eq!(edit(4, 63).unwrap_err().at, 4);
        assert!(!edit(12, 0).unwrap().crc_is_good);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            tail in proptest::collection::vec(any::<u8>(), 0..530), row in 0_usize..17,
        ) {
            let mut bytes = RELMAPPER_FILEMAGIC.to_le_bytes().to_vec();
            bytes.extend(tail);
            let _ = RelMap::parse(&VERSIONS[row], &bytes);
        }
    }
}
