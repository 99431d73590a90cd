//! Arrays inside records, read in place.

use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{RelFileLocator, TransactionId};
use std::fmt;
use std::marker::PhantomData;

/// What an array can hold.
pub trait Element: Sized {
    /// Bytes of one.
    const SIZE: usize;
    /// Reads one.
    ///
    /// # Errors
    /// When the bytes end first.
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed>;
}

impl Element for u16 {
    const SIZE: usize = 2;
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        c.u16()
    }
}

impl Element for u32 {
    const SIZE: usize = 4;
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        c.u32()
    }
}

impl Element for TransactionId {
    const SIZE: usize = 4;
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        c.u32().map(Self)
    }
}

impl Element for RelFileLocator {
    const SIZE: usize = 12;
    #[inline]
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            spc_oid: c.u32()?,
            db_oid: c.u32()?,
            rel_number: c.u32()?,
        })
    }
}

/// Equally long elements that follow each other in a record.
pub struct Array<'a, T> {
    bytes: &'a [u8],
    element: PhantomData<T>,
}

impl<T> Clone for Array<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Array<'_, T> {}

impl<T> Default for Array<'_, T> {
    fn default() -> Self {
        Self {
            bytes: &[],
            element: PhantomData,
        }
    }
}

impl<'a, T: Element> Array<'a, T> {
    /// The next `n` elements; fewer than none is an error.
    pub(crate) fn take(c: &mut Cursor<'a>, n: i64) -> Result<Self, Malformed> {
        let len = usize::try_from(n)
            .ok()
            .and_then(|n| n.checked_mul(T::SIZE))
            .ok_or_else(|| c.malformed("impossible number of elements"))?;
        Ok(Self {
            bytes: c.bytes(len)?,
            element: PhantomData,
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(T::SIZE).unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + use<'a, T> {
        self.bytes
            .chunks_exact(T::SIZE.max(1))
            .filter_map(|bytes| T::read(&mut Cursor::packed("array element", bytes)).ok())
    }
}

impl<T: Element + fmt::Debug> fmt::Debug for Array<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
