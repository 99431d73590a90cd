//! Records of the `RelMap` manager.
//!
//! Source: `utils/relmapper.h`. All versions.
//!
//! ```text
//! UPDATE  0 db:4 | 4 ts:4 | 8 nbytes:4 | 12 the new pg_filenode.map
//! ```

use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::Oid;

/// A whole new `pg_filenode.map`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelMapUpdate<'a> {
    /// The database, 0 for `global/`.
    pub db: Oid,
    /// Its tablespace.
    pub ts: Oid,
    /// The file.
    pub data: &'a [u8],
}

/// Reads the main data; `None` for a kind that no version has.
///
/// # Errors
/// When it is too short.
pub fn parse<'a>(record: &Record<'a, '_>) -> Result<Option<RelMapUpdate<'a>>, Malformed> {
    if record.header.rmgr_info() != 0 {
        return Ok(None);
    }
    let mut c = Cursor::new("RelMap record", record.main);
    let db = c.u32()?;
    let ts = c.u32()?;
    let nbytes = c.u32()?;
    let data = c.bytes(usize::try_from(nbytes).unwrap_or(usize::MAX))?;
    Ok(Some(RelMapUpdate { db, ts, data }))
}
