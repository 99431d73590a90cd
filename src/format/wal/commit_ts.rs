//! Records of the `CommitTs` manager.
//!
//! Sources: `access/commit_ts.h`, `transam/commit_ts.c: commit_ts_redo`. 9.5 and later.
//!
//! ```text
//! ZEROPAGE  0 pageno:4 (8 from 17)
//! TRUNCATE  0 pageno:4 (8 from 17) | oldestXid:4 (10+)
//! SETTS     0 time:8 | 8 node:2 | 12 xid:4 | 16 subxid:4 ...   (9.5-13)
//! ```

use super::array::Array;
use super::clog::pageno;
use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{TimestampTz, TransactionId};
use crate::format::version::{Layout, Major};

/// What a record of the `CommitTs` manager says.
#[derive(Clone, Copy, Debug)]
pub enum CommitTsOp<'a> {
    /// A page is made anew, all zero.
    ZeroPage(u64),
    /// Segments before the page's are removed.
    Truncate {
        /// First page that is still needed.
        pageno: u64,
        /// Oldest transaction with a timestamp, 10 and later.
        oldest_xid: Option<TransactionId>,
    },
    /// Timestamps are set apart from a commit, up to 13.
    SetTs {
        /// The commit time.
        time: TimestampTz,
        /// Replication origin.
        node: u16,
        /// The transaction.
        xid: TransactionId,
        /// Its subtransactions.
        subxacts: Array<'a, TransactionId>,
    },
    /// A kind the version does not have.
    Unknown(u8),
}

/// Reads the main data.
///
/// # Errors
/// When it is too short for its kind.
pub fn parse<'a>(layout: Layout, record: &Record<'a, '_>) -> Result<CommitTsOp<'a>, Malformed> {
    let mut c = Cursor::new("CommitTs record", record.main);
    let info = record.header.rmgr_info();
    Ok(match info {
        0x00 => CommitTsOp::ZeroPage(pageno(layout, &mut c)?),
        0x10 => CommitTsOp::Truncate {
            pageno: pageno(layout, &mut c)?,
            oldest_xid: if layout.since(Major::V10) {
                Some(TransactionId(c.u32()?))
            } else {
                None
            },
        },
        0x20 if !layout.since(Major::V14) => {
            let time = TimestampTz(c.i64()?);
            let node = c.u16()?;
            let xid = TransactionId(c.u32()?);
            let n = i64::try_from(c.rest().len() / 4).unwrap_or(0);
            CommitTsOp::SetTs {
                time,
                node,
                xid,
                subxacts: Array::take(&mut c, n)?,
            }
        }
        _ => CommitTsOp::Unknown(info),
    })
}
