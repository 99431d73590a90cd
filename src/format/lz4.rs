//! Follows an LZ4 block without inflating it: whether it would inflate, and to how much. What is
//! found sound is inflated by `lz4_flex`.
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

/// Why a block is wrong whose sizes come out right, and that no server refuses.
pub const NO_OFFSET: &str = "refers to bytes that are not there yet";

/// A block that is followed as its bytes come.
#[derive(Clone, Debug)]
pub struct Stream {
    rawsize: usize,
    /// Bytes read.
    sp: usize,
    /// Bytes put out.
    dp: usize,
    step: Step,
    /// Where an offset is 0 first.
    no_offset: Option<usize>,
}

/// What the next byte of a block is. The length of the match is that of its token.
#[derive(Clone, Copy, Debug)]
enum Step {
    Token,
    /// More of the number of literals.
    MoreLiterals {
        literals: usize,
        len: u8,
    },
    /// Literals, of which so many are left. Behind the last the block may end.
    Literals {
        left: usize,
        len: u8,
    },
    /// The upper byte of an offset.
    Offset {
        low: u8,
        len: u8,
    },
    /// More of a match's length.
    MoreLength,
}

impl Stream {
    /// Of a block that should inflate to `rawsize` bytes.
    #[must_use]
    pub const fn new(rawsize: usize) -> Self {
        Self {
            rawsize,
            sp: 0,
            dp: 0,
            step: Step::Token,
            no_offset: None,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they refer to bytes before the block's start, or give more than they should.
    pub fn feed(&mut self, source: &[u8]) -> Result<(), Malformed> {
        let mut rest = source;
        while let Some((&first, more)) = rest.split_first() {
            let mut taken = 1;
            self.step = match self.step {
                Step::Token => {
                    let (literals, len) = (first >> 4, first & 0x0F);
                    match literals {
                        15 => Step::MoreLiterals { literals: 15, len },
                        _ => self.literals(usize::from(literals), len)?,
                    }
                }
                Step::MoreLiterals { literals, len } => {
                    let literals = literals.saturating_add(usize::from(first));
                    match first {
                        255 => Step::MoreLiterals { literals, len },
                        _ => self.literals(literals, len)?,
                    }
                }
                Step::Literals { left: 0, len } => Step::Offset { low: first, len },
                Step::Literals { left, len } => {
                    taken = left.min(rest.len());
                    Step::Literals {
                        left: left.saturating_sub(taken),
                        len,
                    }
                }
                Step::Offset { low, len } => {
                    let off = usize::from(u16::from_le_bytes([low, first]));
                    let at = self.sp.saturating_add(1);
                    if off > self.dp {
                        return Err(malformed(at, "refers to bytes before its start"));
                    }
                    if off == 0 {
                        self.no_offset.get_or_insert(at);
                    }
                    self.dp = self.dp.saturating_add(usize::from(len)).saturating_add(4);
                    match len {
                        15 => Step::MoreLength,
                        _ => Step::Token,
                    }
                }
                Step::MoreLength => {
                    self.dp = self.dp.saturating_add(usize::from(first));
                    match first {
                        255 => Step::MoreLength,
                        _ => Step::Token,
                    }
                }
            };
            self.sp = self.sp.saturating_add(taken);
            rest = if taken == 1 {
                more
            } else {
                rest.get(taken..).unwrap_or_default()
            };
        }
        Ok(())
    }

    fn literals(&mut self, literals: usize, len: u8) -> Result<Step, Malformed> {
        self.dp = self.dp.saturating_add(literals);
        if self.dp > self.rawsize {
            return Err(malformed(self.sp, "inflates to more than it should"));
        }
        Ok(Step::Literals {
            left: literals,
            len,
        })
    }

    /// Whether nothing that comes can make it sound.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.no_offset.is_some()
    }

    /// Whether it is whole.
    ///
    /// # Errors
    /// When it is not, inflates to less than it should, or has an offset of 0. That comes last:
    /// `lz4.c: LZ4_decompress_safe` does not test for it.
    pub fn finish(&self) -> Result<(), Malformed> {
        match (self.step, self.no_offset) {
            (Step::Literals { left: 0, .. }, _) if self.dp != self.rawsize => {
                Err(malformed(self.sp, TOO_SHORT))
            }
            (Step::Literals { left: 0, .. }, None) => Ok(()),
            (Step::Literals { left: 0, .. }, Some(at)) => Err(malformed(at, NO_OFFSET)),
            _ => Err(malformed(self.sp, "ends too early")),
        }
    }
}

/// Inflates `source` into `dest`, which must come out full.
///
/// # Errors
/// What is wrong with the block.
pub fn decompress(source: &[u8], dest: &mut [u8]) -> Result<(), Malformed> {
    let mut stream = Stream::new(dest.len());
    stream.feed(source)?;
    stream.finish()?;
    let size = lz4_flex::block::decompress_into(source, dest);
    let is_full = size.is_ok_and(|size| size == dest.len());
    is_full
        .then_some(())
        .ok_or(malformed(source.len(), TOO_SHORT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn validate(source: &[u8], rawsize: usize) -> Result<(), Malformed> {
        let mut stream = Stream::new(rawsize);
        stream.feed(source)?;
        stream.finish()
    }

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
        let nowhere = [0x23, b'a', b'b', 0, 0, 0x10, b'c'];
        assert_eq!(why(&nowhere, 10), NO_OFFSET);
        assert_eq!(why(&nowhere, 11), TOO_SHORT);
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
            let mut inflated = vec![1; raw.len()];
            prop_assert_eq!(decompress(&block, &mut inflated), Ok(()));
            prop_assert_eq!(&inflated, &raw);
            prop_assert!(validate(&block, raw.len() + 1).is_err());
            let _ = validate(block.get(cut..).unwrap_or_default(), raw.len());
        }

        #[test]
        fn any_bytes_in_any_pieces(source: Vec<u8>, len in 0_usize..300, size in 1..9_usize) {
            let mut stream = Stream::new(len);
            let fed = source.chunks(size).try_for_each(|piece| stream.feed(piece));
            prop_assert_eq!(fed.and_then(|()| stream.finish()), validate(&source, len));
        }

        #[test]
        fn what_is_called_valid_inflates(source: Vec<u8>, len in 0_usize..300) {
            let inflated = decompress(&source, &mut vec![0; len]);
            prop_assert_eq!(inflated, validate(&source, len));
        }
    }
}
