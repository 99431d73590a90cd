//! Records of the `Tablespace` manager.
//!
//! Source: `commands/tablespace.h`. All versions.
//!
//! ```text
//! CREATE  0 oid:4 | 4 path, NUL
//! DROP    0 oid:4
//! ```

use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::Oid;

/// What a record of the `Tablespace` manager says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TblspcOp<'a> {
    /// The link in `pg_tblspc` and the version's folder behind it are made.
    Create {
        /// The tablespace.
        ts: Oid,
        /// Where the link leads.
        path: &'a [u8],
    },
    /// Both are removed.
    Drop(Oid),
    /// A kind the version does not have.
    Unknown(u8),
}

/// Reads the main data.
///
/// # Errors
/// When it is too short for its kind.
pub fn parse<'a>(record: &Record<'a, '_>) -> Result<TblspcOp<'a>, Malformed> {
    let mut c = Cursor::new("Tablespace record", record.main);
    let info = record.header.rmgr_info();
    Ok(match info {
        0x00 => {
            let ts = c.u32()?;
            let path = c.rest();
            let len = path.iter().position(|b| *b == 0).unwrap_or(path.len());
            TblspcOp::Create {
                ts,
                path: path.get(..len).unwrap_or_default(),
            }
        }
        0x10 => TblspcOp::Drop(c.u32()?),
        _ => TblspcOp::Unknown(info),
    })
}
