//! Records of the `CLOG` manager.
//!
//! Sources: `access/clog.h`, `transam/clog.c: clog_redo`. All versions.
//!
//! ```text
//! ZEROPAGE  0 pageno:4 (8 from 17)
//! TRUNCATE  0 pageno:4 (8 from 17) | oldestXact:4 | oldestXactDb:4 (10+)
//! ```

use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{Oid, TransactionId};
use crate::format::version::{Layout, Major};

/// What a record of the `CLOG` manager says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClogOp {
    /// A page is made anew, all zero.
    ZeroPage(u64),
    /// Segments before the page's are removed.
    Truncate {
        /// First page that is still needed.
        pageno: u64,
        /// Oldest transaction the log still answers for, and its database; 10 and later.
        oldest: Option<(TransactionId, Oid)>,
    },
    /// A kind the version does not have.
    Unknown(u8),
}

/// A page number of an SLRU: `int` up to 16, `int64` later; negative is impossible.
pub(super) fn pageno(layout: Layout, c: &mut Cursor<'_>) -> Result<u64, Malformed> {
    let number = if layout.since(Major::V17) {
        c.i64()?
    } else {
        i64::from(c.i32()?)
    };
    u64::try_from(number).map_err(|_| c.malformed("negative page number"))
}

/// Reads the main data.
///
/// # Errors
/// When it is too short for its kind.
pub fn parse(layout: Layout, record: &Record<'_, '_>) -> Result<ClogOp, Malformed> {
    // `memcpy`d out of the record, with the fields of TRUNCATE aligned.
    let mut c = Cursor::new("CLOG record", record.main);
    let info = record.header.rmgr_info();
    Ok(match info {
        0x00 => ClogOp::ZeroPage(pageno(layout, &mut c)?),
        0x10 => ClogOp::Truncate {
            pageno: pageno(layout, &mut c)?,
            oldest: if layout.since(Major::V10) {
                Some((TransactionId(c.u32()?), c.u32()?))
            } else {
                None
            },
        },
        _ => ClogOp::Unknown(info),
    })
}
