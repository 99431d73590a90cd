//! Inflates PostgreSQL's own LZ compression.
//!
//! Source: `common/pg_lzcompress.c` (`utils/adt/pg_lzcompress.c` up to 9.4). All
//! versions. Only the stream is read here; the sizes stand elsewhere.
//!
//! ```text
//! control byte, then 8 items, one per bit from the lowest up:
//!   bit 0  one literal byte
//!   bit 1  len:4 (low) off_high:4 (high) | off_low:8 | more:8 if len is 15
//!          copies len + 3 (+ more) bytes from off bytes back
//! ```

use super::cursor::Malformed;

const fn malformed(at: usize, why: &'static str) -> Malformed {
    Malformed {
        what: "pglz stream",
        at,
        why,
    }
}

/// What a stream puts out next.
enum Item {
    Literal(u8),
    /// `len` bytes from `off` bytes back; both are above 0, and within the output.
    Match {
        off: usize,
        len: usize,
    },
}

/// Follows a stream that inflates to `rawsize` bytes, and hands out each item with its place in
/// the output (`pg_lzcompress.c: pglz_decompress` with `check_complete`). Gives the bytes of the
/// last one that found no place.
fn follow(
    source: &[u8],
    rawsize: usize,
    mut each: impl FnMut(usize, Item),
) -> Result<usize, Malformed> {
    let mut sp = 0_usize;
    let mut dp = 0_usize;
    let mut cut = 0;
    let next = |sp: &mut usize| {
        let byte = source.get(*sp).copied();
        *sp = sp.saturating_add(1);
        byte.ok_or(malformed(*sp, "ends too early"))
    };
    while sp < source.len() && dp < rawsize {
        let mut control = next(&mut sp)?;
        for _ in 0..8 {
            if sp >= source.len() || dp >= rawsize {
                break;
            }
            if control & 1 == 0 {
                each(dp, Item::Literal(next(&mut sp)?));
                dp = dp.saturating_add(1);
            } else {
                let first = next(&mut sp)?;
                let second = next(&mut sp)?;
                let mut len = usize::from(first & 0x0F).saturating_add(3);
                let off = usize::from(first & 0xF0) << 4 | usize::from(second);
                if len == 18 {
                    len = len.saturating_add(usize::from(next(&mut sp)?));
                }
                let room = rawsize.saturating_sub(dp);
                cut = len.saturating_sub(room);
                len = len.min(room);
                if off == 0 || off > dp {
                    return Err(malformed(sp, "refers to bytes before its start"));
                }
                each(dp, Item::Match { off, len });
                dp = dp.saturating_add(len);
            }
            control >>= 1;
        }
    }
    if dp != rawsize {
        return Err(malformed(sp, "inflates to less than it should"));
    }
    if sp != source.len() {
        return Err(malformed(sp, "has bytes left over"));
    }
    Ok(cut)
}

/// Inflates `source` into `dest`, which must come out full with nothing left of `source`.
///
/// # Errors
/// When the stream refers to bytes before its start, or is too short or too long.
pub fn decompress(source: &[u8], dest: &mut [u8]) -> Result<(), Malformed> {
    follow(source, dest.len(), |mut dp, item| match item {
        Item::Literal(byte) => {
            if let Some(slot) = dest.get_mut(dp) {
                *slot = byte;
            }
        }
        // Source and destination overlap when the match is longer than its distance; whole
        // runs of `off` bytes are then safe to copy.
        Item::Match { off, mut len } => {
            while len > 0 {
                let run = len.min(off);
                let from = dp.saturating_sub(off);
                dest.copy_within(from..from.saturating_add(run), dp);
                dp = dp.saturating_add(run);
                len = len.saturating_sub(run);
            }
        }
    })
    .map(|_| ())
}

/// Whether `source` inflates to `rawsize` bytes; as [`decompress`] decides, without the bytes.
///
/// # Errors
/// The same as those of [`decompress`].
pub fn validate(source: &[u8], rawsize: usize) -> Result<(), Malformed> {
    follow(source, rawsize, |_, _| {}).map(|_| ())
}

/// The same by the rules up to 11, when a last match that goes too far was an error.
///
/// # Errors
/// Those of [`validate`], and that one.
pub fn validate_before_12(source: &[u8], rawsize: usize) -> Result<(), Malformed> {
    match follow(source, rawsize, |_, _| {})? {
        0 => Ok(()),
        _ => Err(malformed(source.len(), "inflates to more than it should")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_an_overlapping_match() {
        // 'a' 'b' then 7 bytes from 2 back.
        let source = [0b100, b'a', b'b', 0x04, 0x02];
        let mut dest = [0; 9];
        decompress(&source, &mut dest).unwrap();
        assert_eq!(&dest, b"ababababa");
    }

    #[test]
    fn a_long_match_has_a_third_byte() {
        let source = [0b10, b'x', 0x0F, 0x01, 100];
        let mut dest = [0; 119];
        decompress(&source, &mut dest).unwrap();
        assert_eq!(dest, [b'x'; 119]);
    }

    #[test]
    fn broken_streams() {
        let why = |source: &[u8], len| decompress(source, &mut vec![0; len]).unwrap_err().why;
        assert_eq!(why(&[1, 0x00, 0x01], 3), "refers to bytes before its start");
        assert_eq!(
            why(&[2, b'a', 0x00, 0x00], 4),
            "refers to bytes before its start"
        );
        assert_eq!(why(&[0, b'a'], 2), "inflates to less than it should");
        assert_eq!(why(&[0, b'a', b'b'], 1), "has bytes left over");
        assert_eq!(why(&[2, b'a', 0x00], 4), "ends too early");
        // Three bytes from one back, of which there is room for two.
        let source = [2, b'a', 0x00, 0x01];
        assert_eq!(validate(&source, 3), Ok(()));
        let too_far = validate_before_12(&source, 3).unwrap_err();
        assert_eq!(too_far.why, "inflates to more than it should");
        assert_eq!(validate_before_12(&source, 4), Ok(()));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(source: Vec<u8>, len in 0..9000_usize) {
            let inflated = decompress(&source, &mut vec![0; len]);
            assert_eq!(validate(&source, len), inflated);
        }
    }
}
