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

/// Why a stream is wrong whose sizes come out right.
pub const BEFORE_START: &str = "refers to bytes before its start";

/// What a stream puts out next.
enum Item<'s> {
    Literals(&'s [u8]),
    /// `len` bytes from `off` bytes back; both are above 0, and within the output.
    Match {
        off: usize,
        len: usize,
    },
}

/// A stream that is followed as its bytes come (`pg_lzcompress.c: pglz_decompress` with
/// `check_complete`). Nothing is kept of what it inflates to.
#[derive(Clone, Debug)]
pub struct Stream {
    rawsize: usize,
    /// Bytes read.
    sp: usize,
    /// Bytes put out.
    dp: usize,
    /// What is left of the control byte, and of how many items.
    control: u8,
    items: u8,
    /// An item of which more is to come, and how many bytes there are of it.
    begun: [u8; 3],
    begun_len: usize,
    /// Bytes of the last match that found no place.
    cut: usize,
    /// Where it first refers to bytes before its start.
    before_start: Option<usize>,
}

impl Stream {
    /// Of a stream that should inflate to `rawsize` bytes.
    #[must_use]
    pub fn new(rawsize: usize) -> Self {
        Self {
            rawsize,
            sp: 0,
            dp: 0,
            control: 0,
            items: 0,
            begun: [0; 3],
            begun_len: 0,
            cut: 0,
            before_start: None,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When there are more than there should be.
    pub fn feed(&mut self, source: &[u8]) -> Result<(), Malformed> {
        let mut rest = source;
        while !rest.is_empty() {
            if self.items == 0 {
                let taken = self.sound_groups(rest);
                rest = rest.get(taken..).unwrap_or_default();
            }
            rest = self.group(rest, &mut |_, _| {})?;
        }
        Ok(())
    }

    /// Passes over groups of eight items that need no care: they are all there, lead to
    /// nothing before the start, and the output has room for them. Gives their bytes.
    fn sound_groups(&mut self, source: &[u8]) -> usize {
        let (mut sp, mut dp) = (0_usize, self.dp);
        while let Some(rest) = source.get(sp..).filter(|rest| !rest.is_empty()) {
            let mut tail = [0; 32];
            let group = rest.first_chunk().unwrap_or_else(|| {
                for (to, from) in tail.iter_mut().zip(rest) {
                    *to = *from;
                }
                &tail
            });
            let byte = |at: usize| group.get(at & 31).copied().map_or(0, usize::from);
            let control = byte(0);
            let (mut at, mut end) = (1_usize, dp);
            let mut is_sound = true;
            // Without branches but for long matches: no one can foresee which item is one.
            for item in 0..8 {
                let is_match = control >> item & 1;
                let (first, second) = (byte(at), byte(at.wrapping_add(1)));
                let off = (first & 0xF0) << 4 | second;
                is_sound &= is_match == 0 || off.wrapping_sub(1) < end;
                let len = first & 0x0F;
                end = end.wrapping_add(if is_match == 0 {
                    1
                } else {
                    len.wrapping_add(3)
                });
                at = at.wrapping_add(1).wrapping_add(is_match);
                if is_match != 0 && len == 15 {
                    end = end.wrapping_add(byte(at));
                    at = at.wrapping_add(1);
                }
            }
            if !is_sound || at > rest.len() || end > self.rawsize {
                break;
            }
            (sp, dp) = (sp.wrapping_add(at), end);
        }
        self.sp = self.sp.saturating_add(sp);
        self.dp = dp;
        sp
    }

    /// Where it refers to bytes before its start.
    #[must_use]
    pub fn before_start(&self) -> Option<Malformed> {
        self.before_start.map(|at| malformed(at, BEFORE_START))
    }

    /// Whether it came out full, with nothing left over.
    ///
    /// # Errors
    /// When it is too short, or refers to bytes before its start. That comes last: up to 12,
    /// and in minor releases of 13 to 16 before the end of 2023, the server copies what lies
    /// there.
    pub fn finish(&self) -> Result<(), Malformed> {
        if self.begun_len > 0 {
            return Err(malformed(self.sp, "ends too early"));
        }
        if self.dp != self.rawsize {
            return Err(malformed(self.sp, "inflates to less than it should"));
        }
        self.before_start().map_or(Ok(()), Err)
    }

    /// The same by the rules up to 11, when a last match that goes too far was an error.
    ///
    /// # Errors
    /// Those of [`Stream::finish`], and that one.
    pub fn finish_before_12(&self) -> Result<(), Malformed> {
        if self.cut > 0 {
            return Err(malformed(self.sp, "inflates to more than it should"));
        }
        self.finish()
    }

    /// Takes the next bytes up to the end of a group of eight items, and hands out each item
    /// with its place in the output. Gives the bytes behind it.
    fn group<'s>(
        &mut self,
        source: &'s [u8],
        each: &mut impl FnMut(usize, Item<'_>),
    ) -> Result<&'s [u8], Malformed> {
        let mut rest = source;
        while self.begun_len > 0 {
            let Some((first, more)) = rest.split_first() else {
                return Ok(rest);
            };
            rest = more;
            if let Some(slot) = self.begun.get_mut(self.begun_len) {
                *slot = *first;
            }
            let (begun, len) = (self.begun, self.begun_len.saturating_add(1));
            let taken = self.item(begun.get(..len).unwrap_or_default(), each);
            self.begun_len = if taken == 0 { len } else { 0 };
        }
        while let Some((first, more)) = rest.split_first() {
            if self.dp >= self.rawsize {
                return Err(malformed(self.sp, "has bytes left over"));
            }
            if self.items == 0 {
                (self.control, self.items) = (*first, 8);
                self.sp = self.sp.saturating_add(1);
                rest = more;
                continue;
            }
            match self.item(rest, each) {
                0 => {
                    for (slot, byte) in self.begun.iter_mut().zip(rest) {
                        *slot = *byte;
                    }
                    self.begun_len = rest.len().min(2);
                    return Ok(&[]);
                }
                taken => rest = rest.get(taken..).unwrap_or_default(),
            }
            if self.items == 0 {
                break;
            }
        }
        Ok(rest)
    }

    /// Reads an item, or some literals. Gives the bytes that it has; none when it goes on in
    /// those to come.
    #[inline]
    fn item(&mut self, source: &[u8], each: &mut impl FnMut(usize, Item<'_>)) -> usize {
        let room = self.rawsize.saturating_sub(self.dp);
        let (taken, items, len) = if self.control & 1 == 0 {
            // All up to the next match.
            let items = self.control.trailing_zeros().min(u32::from(self.items));
            let run = usize::try_from(items).unwrap_or(0).min(room);
            let literals = source.get(..run).unwrap_or(source);
            each(self.dp, Item::Literals(literals));
            (literals.len(), literals.len(), literals.len())
        } else {
            let &[first, second, ref more @ ..] = source else {
                return 0;
            };
            let mut len = usize::from(first & 0x0F).saturating_add(3);
            let off = usize::from(first & 0xF0) << 4 | usize::from(second);
            let mut taken = 2;
            if len == 18 {
                let Some(&more) = more.first() else {
                    return 0;
                };
                len = len.saturating_add(usize::from(more));
                taken = 3;
            }
            self.cut = len.saturating_sub(room);
            len = len.min(room);
            if off == 0 || off > self.dp {
                let at = self.sp.saturating_add(taken);
                self.before_start.get_or_insert(at);
            } else if self.before_start.is_none() {
                each(self.dp, Item::Match { off, len });
            }
            (taken, 1, len)
        };
        self.sp = self.sp.saturating_add(taken);
        self.dp = self.dp.saturating_add(len);
        let items = u32::try_from(items).unwrap_or(8);
        self.control = self.control.checked_shr(items).unwrap_or(0);
        self.items = u32::from(self.items)
            .saturating_sub(items)
            .try_into()
            .unwrap_or(0);
        taken
    }
}

/// Inflates `source` into `dest`, which must come out full with nothing left of `source`.
///
/// # Errors
/// When the stream refers to bytes before its start, or is too short or too long.
pub fn decompress(source: &[u8], dest: &mut [u8]) -> Result<(), Malformed> {
    inflate(source, dest)?.finish()
}

/// Inflates `source` into `dest`. Only what comes of it tells whether the stream ended well.
///
/// # Errors
/// When the stream is too long.
pub fn inflate(source: &[u8], dest: &mut [u8]) -> Result<Stream, Malformed> {
    let mut stream = Stream::new(dest.len());
    let mut write = |mut dp: usize, item: Item<'_>| match item {
        Item::Literals(bytes) => {
            if let Some(room) = dest.get_mut(dp..dp.saturating_add(bytes.len())) {
                room.copy_from_slice(bytes);
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
    };
    let mut rest = source;
    while !rest.is_empty() {
        rest = stream.group(rest, &mut write)?;
    }
    Ok(stream)
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
        let followed = |rawsize| {
            let mut stream = Stream::new(rawsize);
            stream.feed(&[2, b'a', 0x00, 0x01]).map(|()| stream)
        };
        let stream = followed(3).unwrap();
        assert_eq!(stream.finish(), Ok(()));
        let too_far = stream.finish_before_12().unwrap_err();
        assert_eq!(too_far.why, "inflates to more than it should");
        assert_eq!(followed(4).unwrap().finish_before_12(), Ok(()));
    }

    proptest::proptest! {
        #[test]
        fn long_streams(
            groups in proptest::collection::vec(
                (proptest::num::u8::ANY, proptest::array::uniform24(proptest::num::u8::ANY)),
                1..400,
            ),
            first in 0..300_usize,
            off in -3..3_isize,
            size in 1..3000_usize,
        ) {
            // Literals first, so that most matches lie within the output.
            let mut source = vec![0; first * 9];
            let mut len = first * 8;
            for (control, bytes) in groups {
                source.push(control);
                let mut bytes = bytes.iter();
                for item in 0..8 {
                    let byte = bytes.next().unwrap();
                    source.push(*byte);
                    if control >> item & 1 == 0 {
                        len += 1;
                        continue;
                    }
                    source.push(*bytes.next().unwrap());
                    len += usize::from(byte & 15) + 3;
                    if byte & 15 == 15 {
                        let more = *bytes.next().unwrap();
                        source.push(more);
                        len += usize::from(more);
                    }
                }
            }
            let len = len.saturating_add_signed(off);
            let inflated = decompress(&source, &mut vec![0; len]);
            let mut stream = Stream::new(len);
            let fed = source.chunks(size).try_for_each(|piece| stream.feed(piece));
            assert_eq!(fed.and_then(|()| stream.finish()), inflated);
        }

        #[test]
        fn any_bytes_in_any_pieces(source: Vec<u8>, len in 0..9000_usize, size in 1..9_usize) {
            let inflated = decompress(&source, &mut vec![0; len]);
            let mut stream = Stream::new(len);
            let fed = source.chunks(size).try_for_each(|piece| stream.feed(piece));
            assert_eq!(fed.and_then(|()| stream.finish()), inflated);
        }
    }
}
