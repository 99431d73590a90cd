//! The two CRCs that guard `pg_control`, WAL records, relation maps and two-phase files.
//!
//! 9.5 and later use CRC-32C (`port/pg_crc32c.h`). Up to 9.4 the server used a mixture of
//! its own: the reflected table of polynomial 0xEDB88320 with unreflected shifting
//! (`utils/pg_crc.h: COMP_CRC32` of those versions), which is no standard CRC.

use super::version::{Major, Version};
use crc_fast::{CrcAlgorithm, Digest};

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

/// Most records are a few dozen bytes long, which the crate's preparations would outlast.
const SHORT: usize = 256;

fn castagnoli(mut crc: u32, pieces: &[&[u8]]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sse4.2") {
        // SAFETY: the function is an ordinary safe one but for the instructions it is
        // compiled to, and this processor has them.
        #[allow(unsafe_code)]
        return unsafe { castagnoli_sse42(crc, pieces) };
    }
    for bytes in pieces {
        crc = castagnoli_long(crc, bytes);
    }
    crc
}

fn castagnoli_long(crc: u32, bytes: &[u8]) -> u32 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!crc));
    digest.update(bytes);
    u32::try_from(digest.finalize()).unwrap_or(0)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn castagnoli_sse42(mut crc: u32, pieces: &[&[u8]]) -> u32 {
    for bytes in pieces {
        crc = if bytes.len() < SHORT {
            castagnoli_short(crc, bytes)
        } else {
            castagnoli_long(crc, bytes)
        };
    }
    crc
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
#[inline]
fn castagnoli_short(crc: u32, bytes: &[u8]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u16, _mm_crc32_u32, _mm_crc32_u64};
    let (words, mut tail) = bytes.as_chunks::<8>();
    let mut register = u64::from(!crc);
    for word in words {
        register = _mm_crc32_u64(register, u64::from_le_bytes(*word));
    }
    // The instruction leaves the upper half zero.
    let mut register = u32::try_from(register).unwrap_or(0);
    if let Some((half, rest)) = tail.split_first_chunk::<4>() {
        register = _mm_crc32_u32(register, u32::from_le_bytes(*half));
        tail = rest;
    }
    if let Some((pair, rest)) = tail.split_first_chunk::<2>() {
        register = _mm_crc32_u16(register, u16::from_le_bytes(*pair));
        tail = rest;
    }
    if let Some(byte) = tail.first() {
        register = _mm_crc32_u8(register, *byte);
    }
    !register
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

    /// Takes in more bytes, one piece after another.
    #[inline]
    #[must_use]
    pub fn update<const N: usize>(self, pieces: [&[u8]; N]) -> Self {
        match self {
            Self::Castagnoli(crc) => Self::Castagnoli(castagnoli(crc, &pieces)),
            Self::Legacy(register) => {
                Self::Legacy(pieces.into_iter().fold(register, legacy_update))
            }
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
        Crc::Legacy(u32::MAX).update([bytes]).value()
    }

    #[test]
    fn legacy_vectors() {
        assert_eq!(legacy(b""), 0);
        assert_eq!(legacy(b"a"), 0x17B7_BEBC);
        assert_eq!(legacy(b"123456789"), 0xC40E_D0B0);
    }

    #[test]
    fn castagnoli_vector() {
        assert_eq!(
            Crc::Castagnoli(0).update([b"123456789"]).value(),
            0xE306_9283
        );
    }

    proptest::proptest! {
        #[test]
        fn pieces_equal_the_whole(bytes: Vec<u8>, cut: usize) {
            let (a, b) = bytes.split_at(cut % (bytes.len() + 1));
            for crc in [Crc::Legacy(u32::MAX), Crc::Castagnoli(0)] {
                assert_eq!(crc.update([a, b]).value(), crc.update([&bytes]).value());
            }
        }
    }
}
