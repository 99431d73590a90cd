//! Reads the fields of a C structure in order, aligned as the compiler aligned them.

use std::fmt;

/// Why some bytes cannot be the structure they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// The structure, in PostgreSQL's words: `pg_control`, `XLogRecord`, `commit record`.
    pub what: &'static str,
    /// Byte offset within the bytes handed to the parser.
    pub at: usize,
    /// What is wrong there.
    pub why: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.what, self.at, self.why)
    }
}

impl std::error::Error for Malformed {}

/// A position in little-endian bytes. Reads past the end give [`Malformed`].
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
    packed: bool,
}

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident: $type:ty),* $(,)?) => { $(
        $(#[$doc])*
        ///
        /// # Errors
        /// When the bytes end first.
        #[inline]
        pub fn $name(&mut self) -> Result<$type, Malformed> {
            const N: usize = size_of::<$type>();
            if !self.packed {
                self.align(N)?;
            }
            let bytes: [u8; N] = self.array()?;
            Ok(<$type>::from_le_bytes(bytes))
        }
    )* };
}

impl<'a> Cursor<'a> {
    /// At the start of a structure whose fields are aligned to their size.
    #[inline]
    #[must_use]
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self {
            what,
            bytes,
            at: 0,
            packed: false,
        }
    }

    /// At the start of bytes that hold fields without padding.
    #[inline]
    #[must_use]
    pub fn packed(what: &'static str, bytes: &'a [u8]) -> Self {
        Self {
            what,
            bytes,
            at: 0,
            packed: true,
        }
    }

    number! {
        /// One byte.
        u8: u8,
        /// Two bytes.
        u16: u16,
        /// Four bytes.
        u32: u32,
        /// Eight bytes.
        u64: u64,
        /// Four bytes, signed.
        i32: i32,
        /// Eight bytes, signed.
        i64: i64,
        /// `double`.
        f64: f64,
    }

    /// A C `bool`: one byte, true when not zero.
    ///
    /// # Errors
    /// When the bytes end first.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.u8()? != 0)
    }

    /// The next `N` bytes as they are.
    ///
    /// # Errors
    /// When the bytes end first.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        match self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<N>) {
            Some(bytes) => {
                self.at = self.at.saturating_add(N);
                Ok(*bytes)
            }
            None => Err(self.malformed("ends too early")),
        }
    }

    /// The next `n` bytes as they are.
    ///
    /// # Errors
    /// When the bytes end first.
    #[inline]
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(n);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at = self.at.saturating_add(n);
                Ok(bytes)
            }
            None => Err(self.malformed("ends too early")),
        }
    }

    /// Passes over `n` bytes.
    ///
    /// # Errors
    /// When the bytes end first.
    #[inline]
    pub fn skip(&mut self, n: usize) -> Result<(), Malformed> {
        self.bytes(n).map(|_| ())
    }

    /// Passes over padding up to a multiple of `to`, counted from the structure's start.
    ///
    /// # Errors
    /// When the bytes end first.
    #[inline]
    pub fn align(&mut self, to: usize) -> Result<(), Malformed> {
        let at = self.at.next_multiple_of(to.max(1));
        if at > self.bytes.len() {
            return Err(self.malformed("ends too early"));
        }
        self.at = at;
        Ok(())
    }

    /// Bytes passed so far.
    #[inline]
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The bytes not read yet.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// A complaint about the present position.
    #[inline]
    #[must_use]
    pub fn malformed(&self, why: &'static str) -> Malformed {
        Malformed {
            what: self.what,
            at: self.at,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_aligned_as_the_compiler_does() {
        let bytes: Vec<u8> = (0..24).collect();
        let mut c = Cursor::new("test", &bytes);
        assert_eq!(c.u8(), Ok(0));
        assert_eq!(c.u32(), Ok(0x0706_0504));
        assert_eq!(c.u64(), Ok(0x0F0E_0D0C_0B0A_0908));
        assert_eq!(c.at(), 16);
        let mut p = Cursor::packed("test", &bytes);
        assert_eq!(p.u8(), Ok(0));
        assert_eq!(p.u32(), Ok(0x0403_0201));
    }

    #[test]
    fn the_end_is_an_error_and_moves_nothing() {
        let mut c = Cursor::new("test", &[1, 2, 3]);
        assert!(c.u32().is_err());
        assert_eq!(c.u16(), Ok(0x0201));
        assert!(c.bytes(usize::MAX).is_err());
        assert_eq!(c.rest(), [3]);
    }
}
