//! Compressed values: whether one inflates to what its header tells, without inflating it, and
//! what it inflates to.
//!
//! Sources: `detoast.c: toast_decompress_datum`, `toast_compression.c: pglz_decompress_datum`,
//! `lz4_decompress_datum` (`tuptoaster.c: toast_decompress_datum` up to 12).
//!
//! ```text
//! size:4 (14 on: 30 bits, 2 bits method) | pglz stream or lz4 block
//! ```

use super::cursor::Malformed;
use super::tuple::{COMPRESSED_HEADER_SIZE, Compression, VARHDRSZ, VARLENA_SIZE_LIMIT};
use super::version::{Layout, Major};
use super::{lz4, pglz};
use std::fmt;

/// Why a value cannot be decompressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompressionFault {
    /// There is no such method.
    Method(u32),
    /// No value is that long.
    Size(u32),
    /// The compressed bytes are wrong.
    Data(Malformed, u32),
}

impl fmt::Display for CompressionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(method) => write!(f, "compression method {method} is none"),
            Self::Size(size) => {
                let limit = VARLENA_SIZE_LIMIT.saturating_sub(VARHDRSZ);
                write!(f, "size {size} exceeds limit {limit}")
            }
            Self::Data(malformed, size) => write!(f, "{malformed}, which is {size} bytes"),
        }
    }
}

impl CompressionFault {
    /// What a query that reads the value says, where that can be told.
    #[must_use]
    pub fn server_error(self, layout: &Layout) -> Option<String> {
        let error = match self {
            // Up to 12 the server copies what lies before the value in its memory.
            Self::Data(Malformed { why, .. }, _)
                if why == pglz::BEFORE_START && !layout.since(Major::V13) =>
            {
                return None;
            }
            // It takes a shorter value from lz4, and one that refers to what is not there yet.
            Self::Data(Malformed { why, .. }, _)
                if why == lz4::TOO_SHORT || why == lz4::NO_OFFSET =>
            {
                return None;
            }
            Self::Data(..) if !layout.since(Major::V9_5) => "compressed data is corrupt",
            Self::Data(..) if !layout.since(Major::V14) => "compressed data is corrupted",
            Self::Data(Malformed { what, .. }, _) if what == lz4::WHAT => {
                "compressed lz4 data is corrupt"
            }
            Self::Data(..) => "compressed pglz data is corrupt",
            Self::Method(method) => return Some(format!("invalid compression method id {method}")),
            // It is signed up to 13; what overflows asks for nothing.
            Self::Size(size) => {
                return match size.cast_signed().wrapping_add(VARHDRSZ.cast_signed()) {
                    0..=3 => None,
                    bytes => Some(invalid_memory_alloc(bytes.into())),
                };
            }
        };
        Some(error.to_owned())
    }
}

/// What `mcxt.c: palloc` says of a size it is asked for.
#[must_use]
pub fn invalid_memory_alloc(bytes: i64) -> String {
    let size = bytes.cast_unsigned();
    format!("invalid memory alloc request size {size}")
}

/// A compressed value that is followed as its bytes come; nothing is kept of them.
#[derive(Clone, Debug)]
pub struct Inflation {
    size: u32,
    stream: Stream,
    fault: Option<Malformed>,
}

#[derive(Clone, Debug)]
enum Stream {
    Pglz(pglz::Stream),
    /// By the rules up to 11.
    OldPglz(pglz::Stream),
    Lz4(lz4::Stream),
}

impl Inflation {
    /// Of a value with this header.
    ///
    /// # Errors
    /// When no value has it.
    pub fn new(header: Compression, layout: &Layout) -> Result<Self, CompressionFault> {
        let size = header.size(layout);
        if size > VARLENA_SIZE_LIMIT.saturating_sub(VARHDRSZ) {
            return Err(CompressionFault::Size(size));
        }
        let rawsize = usize::try_from(size).map_err(|_| CompressionFault::Size(size))?;
        let stream = match header.method(layout) {
            0 if !layout.since(Major::V12) => Stream::OldPglz(pglz::Stream::new(rawsize)),
            0 => Stream::Pglz(pglz::Stream::new(rawsize)),
            1 => Stream::Lz4(lz4::Stream::new(rawsize)),
            method => return Err(CompressionFault::Method(method)),
        };
        Ok(Self {
            size,
            stream,
            fault: None,
        })
    }

    /// Takes the next bytes behind the header.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.fault.is_none() {
            let fed = match &mut self.stream {
                Stream::Pglz(stream) | Stream::OldPglz(stream) => stream.feed(bytes),
                Stream::Lz4(stream) => stream.feed(bytes),
            };
            self.fault = fed.err();
        }
    }

    /// Whether nothing that comes can make it sound.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        let broken = match &self.stream {
            Stream::Pglz(stream) | Stream::OldPglz(stream) => stream.before_start().is_some(),
            Stream::Lz4(stream) => stream.is_broken(),
        };
        broken || self.fault.is_some()
    }

    /// Why it does not inflate, when these are all its bytes.
    #[must_use]
    pub fn fault(&self) -> Option<CompressionFault> {
        let finished = || match &self.stream {
            Stream::Pglz(stream) => stream.finish(),
            Stream::OldPglz(stream) => stream.finish_before_12(),
            Stream::Lz4(stream) => stream.finish(),
        };
        // malloc maps what is as large as this by itself: up to 12 the server may crash on what
        // lies before it, and never see that the sizes are wrong, too.
        let first = match &self.stream {
            Stream::Pglz(stream) | Stream::OldPglz(stream) if self.size >= 128 << 10 => {
                stream.before_start()
            }
            _ => None,
        };
        let malformed = first.or(self.fault).or_else(|| finished().err())?;
        Some(CompressionFault::Data(malformed, self.size))
    }
}

/// What a value that is inflated may come to.
const INFLATED_LIMIT: usize = 1 << 20;

/// What a varlena that is compressed in its place inflates to, put into `room`, which grows as
/// it must; `None` when it does not inflate, or to more than a megabyte.
pub fn inflate<'r>(varlena: &[u8], layout: &Layout, room: &'r mut Vec<u8>) -> Option<&'r [u8]> {
    let header = Compression::of(varlena)?;
    let source = varlena.get(COMPRESSED_HEADER_SIZE..)?;
    let size = usize::try_from(header.size(layout)).ok()?;
    if size > INFLATED_LIMIT {
        return None;
    }
    if room.len() < size {
        room.resize(size, 0);
    }
    let dest = room.get_mut(..size)?;
    let inflated = match header.method(layout) {
        0 => pglz::inflate(source, dest).and_then(|stream| {
            if layout.since(Major::V12) {
                stream.finish()
            } else {
                stream.finish_before_12()
            }
        }),
        1 => lz4::decompress(source, dest),
        _ => return None,
    };
    inflated.is_ok().then_some(dest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Version;
    use proptest::prelude::*;

    fn varlena(info: u32, stream: &[u8]) -> Vec<u8> {
        [&[0; 4], &info.to_le_bytes()[..], stream].concat()
    }

    fn inflated(major: Major, varlena: &[u8]) -> Option<Vec<u8>> {
        // What an earlier value left must not show.
        let mut room = vec![0xAA; 4];
        let layout = Layout::usual(Version::of(major).unwrap());
        inflate(varlena, &layout, &mut room).map(<[u8]>::to_vec)
    }

    #[test]
    fn values_are_inflated() {
        let pglz = [0b100, b'a', b'b', 0x04, 0x02];
        let raw = Some(b"ababababa".to_vec());
        for major in [Major::V9_0, Major::V11, Major::V12, Major::V14] {
            assert_eq!(inflated(major, &varlena(9, &pglz)), raw);
            assert_eq!(inflated(major, &varlena(10, &pglz)), None);
        }
        // The last match goes too far.
        assert_eq!(inflated(Major::V11, &varlena(8, &pglz)), None);
        let cut = inflated(Major::V12, &varlena(8, &pglz));
        assert_eq!(cut, Some(b"abababab".to_vec()));
        let lz4 = [0x23, b'a', b'b', 2, 0, 0x10, b'c'];
        let raw = Some(b"ababababac".to_vec());
        assert_eq!(inflated(Major::V14, &varlena(1 << 30 | 10, &lz4)), raw);
        assert_eq!(inflated(Major::V13, &varlena(1 << 30 | 10, &lz4)), None);
        assert_eq!(inflated(Major::V14, &varlena(1 << 30 | 9, &lz4)), None);
        assert_eq!(inflated(Major::V14, &varlena(2 << 30 | 10, &lz4)), None);
        assert_eq!(inflated(Major::V14, &varlena(2 << 20, &pglz)), None);
        assert_eq!(inflated(Major::V14, &[0; 6]), None);
    }

    proptest! {
        #[test]
        fn what_inflates_has_no_fault(
            bytes in proptest::collection::vec(any::<u8>(), 0..60), size in 0..200_u32,
            method in 0..4_u32, old in any::<bool>(),
        ) {
            let major = if old { Major::V11 } else { Major::V15 };
            let layout = Layout::usual(Version::of(major).unwrap());
            let method = if old { 0 } else { method };
            let varlena = varlena(method << 30 | size, &bytes);
            let header = Compression::of(&varlena).unwrap();
            let is_sound = Inflation::new(header, &layout).is_ok_and(|mut inflation| {
                inflation.feed(&bytes);
                inflation.fault().is_none()
            });
            let raw = inflated(major, &varlena);
            prop_assert_eq!(raw.is_some(), is_sound);
            prop_assert!(raw.is_none_or(|raw| raw.len() == size as usize));
        }
    }
}
