//! Records of the `Database` manager.
//!
//! Sources: `commands/dbcommands.h` (up to 9.2), `commands/dbcommands_xlog.h`,
//! `commands/dbcommands.c: dbase_redo`. All versions.
//!
//! ```text
//! CREATE, CREATE_FILE_COPY  0 db:4 | 4 ts:4 | 8 src_db:4 | 12 src_ts:4
//! CREATE_WAL_LOG (15+)      0 db:4 | 4 ts:4
//! DROP                      0 db:4 | 4 ts:4           (up to 12)
//!                           0 db:4 | 4 n:4 | ts:4 ... (13+)
//! ```

use super::array::Array;
use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::Oid;
use crate::format::version::{Layout, Major};

/// What a record of the `Database` manager says.
#[derive(Clone, Copy, Debug)]
pub enum DbaseOp<'a> {
    /// A database folder is copied file by file, as it is at that moment of redo.
    CreateFileCopy {
        /// The new database.
        db: Oid,
        /// Its tablespace.
        ts: Oid,
        /// The database copied.
        src_db: Oid,
        /// The tablespace it is copied from.
        src_ts: Oid,
    },
    /// A database folder is made; its files follow in the WAL. 15 and later.
    CreateWalLog {
        /// The new database.
        db: Oid,
        /// Its tablespace.
        ts: Oid,
    },
    /// A database folder is removed in each of these tablespaces.
    Drop {
        /// The database.
        db: Oid,
        /// Its tablespaces.
        tablespaces: Array<'a, u32>,
    },
    /// A kind the version does not have.
    Unknown(u8),
}

/// Reads the main data.
///
/// # Errors
/// When it is too short for its kind.
pub fn parse<'a>(layout: Layout, record: &Record<'a, '_>) -> Result<DbaseOp<'a>, Malformed> {
    let mut c = Cursor::new("Database record", record.main);
    let info = record.header.rmgr_info();
    let drop = if layout.since(Major::V15) { 0x20 } else { 0x10 };
    Ok(match info {
        0x00 => DbaseOp::CreateFileCopy {
            db: c.u32()?,
            ts: c.u32()?,
            src_db: c.u32()?,
            src_ts: c.u32()?,
        },
        _ if info == drop => {
            let db = c.u32()?;
            let n = if layout.since(Major::V13) {
                c.i32()?
            } else {
                1
            };
            DbaseOp::Drop {
                db,
                tablespaces: Array::take(&mut c, n.into())?,
            }
        }
        0x10 => DbaseOp::CreateWalLog {
            db: c.u32()?,
            ts: c.u32()?,
        },
        _ => DbaseOp::Unknown(info),
    })
}
