//! The two CRCs that guard `pg_control`, WAL records, relation maps and two-phase files.
//!
//! 9.5 and later use CRC-32C (`port/pg_crc32c.h`). Up to 9.4 the server used a mixture of
//! its own: the reflected table of polynomial 0xEDB88320 with unreflected shifting
//! (`utils/pg_crc.h: COMP_CRC32` of those versions), which is no standard CRC.

use super::version::{Major, Version};

const fn reflected_table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut i = 0_u32;
    while i < 256 {
        let mut value = i;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                value >> 1 ^ 0xEDB8_8320
            } else {
                value >> 1
            };
            #[allow(clippy::arithmetic_side_effects)] // counts to 8
            {
                bit += 1;
            }
        }
        #[allow(clippy::indexing_slicing, clippy::as_conversions)] // i < 256, const context
        {
            table[i as usize] = value;
        }
        #[allow(clippy::arithmetic_side_effects)] // counts to 256
        {
            i += 1;
        }
    }
    table
}

/// `LEGACY[k][b]`: what byte `b` in the register's top place becomes after `k` further
/// zero bytes. One step is linear, so four bytes can be looked up independently.
const fn sliced_tables() -> [[u32; 256]; 4] {
    let first = reflected_table();
    let mut tables = [first; 4];
    let mut k = 1;
    while k < 4 {
        let mut b = 0;
        while b < 256 {
            #[allow(
                clippy::indexing_slicing,
                clippy::as_conversions,
                clippy::arithmetic_side_effects
            )] // all indexes are below their bounds, const context
            {
                let before = tables[k - 1][b];
                tables[k][b] = first[(before >> 24) as usize] ^ before << 8;
                b += 1;
            }
        }
        #[allow(clippy::arithmetic_side_effects)] // counts to 4
        {
            k += 1;
        }
    }
    tables
}

static LEGACY: [[u32; 256]; 4] = sliced_tables();

fn legacy_lookup(k: usize, byte: u32) -> u32 {
    let byte = usize::try_from(byte & 0xFF).unwrap_or(0);
    LEGACY
        .get(k)
        .and_then(|t| t.get(byte))
        .copied()
        .unwrap_or(0)
}

fn legacy_update(mut register: u32, bytes: &[u8]) -> u32 {
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        let x = register ^ u32::from_be_bytes(*word);
        register = legacy_lookup(3, x >> 24)
            ^ legacy_lookup(2, x >> 16)
            ^ legacy_lookup(1, x >> 8)
            ^ legacy_lookup(0, x);
    }
    for byte in tail {
        register = legacy_lookup(0, register >> 24 ^ u32::from(*byte)) ^ register << 8;
    }
    register
}

/// A CRC being computed over several pieces.
#[derive(Clone, Copy, Debug)]
pub enum Crc {
    /// CRC-32C, 9.5 and later.
    Castagnoli(u32),
    /// The mixture of 9.4 and before; the register, not yet inverted.
    Legacy(u32),
}

impl Crc {
    /// The CRC that `version` uses, before any byte.
    #[must_use]
    pub fn of(version: &Version) -> Self {
        if version.since(Major::V9_5) {
            Self::Castagnoli(0)
        } else {
            Self::Legacy(u32::MAX)
        }
    }

    /// Takes in more bytes.
    #[inline]
    #[must_use]
    pub fn update(self, bytes: &[u8]) -> Self {
        match self {
            Self::Castagnoli(crc) => Self::Castagnoli(crc32c::crc32c_append(crc, bytes)),
            Self::Legacy(register) => Self::Legacy(legacy_update(register, bytes)),
        }
    }

    /// The value as it is stored.
    #[inline]
    #[must_use]
    pub fn value(self) -> u32 {
        match self {
            Self::Castagnoli(crc) => crc,
            Self::Legacy(register) => !register,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legacy(bytes: &[u8]) -> u32 {
        Crc::Legacy(u32::MAX).update(bytes).value()
    }

    #[test]
    fn legacy_vectors() {
        assert_eq!(legacy(b""), 0);
        assert_eq!(legacy(b"a"), 0x17B7_BEBC);
        assert_eq!(legacy(b"123456789"), 0xC40E_D0B0);
    }

    #[test]
    fn castagnoli_vector() {
        assert_eq!(Crc::Castagnoli(0).update(b"123456789").value(), 0xE306_9283);
    }

    proptest::proptest! {
        #[test]
        fn pieces_equal_the_whole(bytes: Vec<u8>, cut: usize) {
            let (a, b) = bytes.split_at(cut % (bytes.len() + 1));
            for crc in [Crc::Legacy(u32::MAX), Crc::Castagnoli(0)] {
                assert_eq!(crc.update(a).update(b).value(), crc.update(&bytes).value());
            }
        }
    }
}
