//! Follows an LZ4 block without inflating it: whether it would inflate, and to how much.
//!
//! Source: LZ4's block format; the server hands values to `LZ4_decompress_safe`
//! (`toast_compression.c: lz4_decompress_datum`, 14 and later).
//!
//! ```text
//! token: literals:4 (high) len:4 (low); 15 goes on in bytes, the last below 255
//! literals; the last sequence ends here
//! offset:2 back, then len + 4 bytes are copied from there
//! ```

use super::cursor::Malformed;

/// What a fault names as the structure.
pub const WHAT: &str = "lz4 block";
/// Why a block is wrong that is sound in itself, and inflates to less than was told.
pub const TOO_SHORT: &str = "the block inflates to less than it should";

const fn malformed(at: usize, why: &'static str) -> Malformed {
    Malformed {
        what: WHAT,
        at,
        why,
    }
}

/// Whether a block inflates to `rawsize` bytes.
///
/// # Errors
/// When it refers to bytes before its start, or is too short or too long.
pub fn validate(source: &[u8], rawsize: usize) -> Result<(), Malformed> {
    let mut sp = 0_usize;
    let mut dp = 0_usize;
    loop {
        let Some(token) = source.get(sp).copied() else {
            return Err(malformed(sp, "ends too early"));
        };
        sp = sp.saturating_add(1);
        let literals = length(source, &mut sp, token >> 4)?;
        sp = sp.saturating_add(literals);
        dp = dp.saturating_add(literals);
        if dp > rawsize {
            return Err(malformed(sp, "inflates to more than it should"));
        }
        if sp >= source.len() {
            break;
        }
        let (Some(low), Some(high)) = (
            source.get(sp).copied(),
            source.get(sp.saturating_add(1)).copied(),
        ) else {
            return Err(malformed(sp, "ends too early"));
        };
        let off = usize::from(u16::from_le_bytes([low, high]));
        sp = sp.saturating_add(2);
        if off == 0 || off > dp {
            return Err(malformed(sp, "refers to bytes before its start"));
        }
        let len = length(source, &mut sp, token & 0x0F)?;
        dp = dp.saturating_add(len).saturating_add(4);
    }
    if sp > source.len() {
        return Err(malformed(source.len(), "ends too early"));
    }
    if dp != rawsize {
        return Err(malformed(sp, TOO_SHORT));
    }
    Ok(())
}

/// A length of 4 bits and the bytes that it goes on in.
fn length(source: &[u8], sp: &mut usize, bits: u8) -> Result<usize, Malformed> {
    let mut len = usize::from(bits);
    if bits == 15 {
        loop {
            let Some(more) = source.get(*sp).copied() else {
                return Err(malformed(*sp, "ends too early"));
            };
            *sp = sp.saturating_add(1);
            len = len.saturating_add(usize::from(more));
            if more != 255 {
                break;
            }
        }
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broken_blocks() {
        // 'a' 'b', then 7 bytes from 2 back, then 'c'.
        let block = [0x23, b'a', b'b', 2, 0, 0x10, b'c'];
        assert_eq!(validate(&block, 10), Ok(()));
        let why = |source: &[u8], len| validate(source, len).unwrap_err().why;
        assert_eq!(why(&block, 9), "inflates to more than it should");
        assert_eq!(why(&block, 11), TOO_SHORT);
        assert_eq!(why(&block[..6], 10), "ends too early");
        assert_eq!(why(&block[..4], 10), "ends too early");
        assert_eq!(why(&[], 0), "ends too early");
        assert_eq!(why(&[0xF0], 20), "ends too early");
        let far = [0x23, b'a', b'b', 3, 0, 0x10, b'c'];
        assert_eq!(why(&far, 10), "refers to bytes before its start");
    }

    proptest! {
        #[test]
        fn what_is_compressed_is_valid(
            words in proptest::collection::vec(0_u8..6, 0..4000), cut in 0_usize..4000,
        ) {
            let raw: Vec<u8> = words.iter().flat_map(|w| [*w, w * 3, 7]).collect();
            let block = lz4_flex::block::compress(&raw);
            prop_assert_eq!(validate(&block, raw.len()), Ok(()));
            prop_assert!(validate(&block, raw.len() + 1).is_err());
            let _ = validate(block.get(cut..).unwrap_or_default(), raw.len());
        }

        #[test]
        fn what_is_called_valid_inflates(source: Vec<u8>, len in 0_usize..300) {
            if validate(&source, len).is_ok() {
                let raw = lz4_flex::block::decompress(&source, len);
                prop_assert_eq!(raw.map(|raw| raw.len()).ok(), Some(len));
            }
        }
    }
}
