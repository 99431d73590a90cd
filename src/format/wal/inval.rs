//! Cache invalidations as commits and `INVALIDATIONS` records carry them for standbys.
//!
//! Sources: `storage/sinval.h`, `storage/standbydefs.h: xl_invalidations`,
//! `access/xact.h: xl_xact_invals`. All versions.
//!
//! ```text
//! message (16 bytes)  0 id:1 | 4 db:4 | 8 object:4      up to 9.1 id:2, else the same
//! xl_invalidations    0 db:4 | 4 ts:4 | 8 relcacheInitFileInval:1 | 12 n:4 | 16 message ...
//! xl_xact_invals      0 n:4 | 4 message ...
//! ```

use super::array::{Array, Element};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::Oid;

/// `SharedInvalidationMessage`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalMessage {
    /// A catalog cache when not negative; else the kind of the message.
    pub id: i8,
    /// The database, where the kind has one.
    pub db: Oid,
    /// The catalog or relation, where the kind has one.
    pub object: Oid,
}

impl Element for InvalMessage {
    const SIZE: usize = 16;
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        // Up to 9.1 the id is 16 bits wide and small, so its first byte says the same.
        let [id] = c.array::<1>()?;
        c.skip(3)?;
        let db = c.u32()?;
        let object = c.u32()?;
        c.skip(4)?;
        Ok(Self {
            id: i8::from_le_bytes([id]),
            db,
            object,
        })
    }
}

/// Messages, and whether the relation caches' files on disk are removed first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Invalidations<'a> {
    /// The database whose file is removed.
    pub db: Oid,
    /// Its tablespace.
    pub ts: Oid,
    /// `relcacheInitFileInval`.
    pub init_file: bool,
    /// The messages.
    pub messages: Array<'a, InvalMessage>,
}

impl<'a> Invalidations<'a> {
    /// `xl_invalidations`, and the end of `xl_heap_inplace` from 18 on.
    ///
    /// # Errors
    /// When the bytes end first.
    pub fn read(c: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let db = c.u32()?;
        let ts = c.u32()?;
        let init_file = c.bool()?;
        Ok(Self {
            db,
            ts,
            init_file,
            ..Self::of_messages(c)?
        })
    }

    /// `xl_xact_invals`.
    ///
    /// # Errors
    /// When the bytes end first.
    pub fn of_messages(c: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let n = c.i32()?;
        Ok(Self {
            messages: Array::take(c, n.into())?,
            ..Self::default()
        })
    }
}
