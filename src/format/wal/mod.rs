//! WAL pages, records and what the records say, in the three eras of the format:
//! 9.0-9.2, 9.3-9.4 and 9.5 on.

pub mod array;
pub mod clog;
pub mod commit_ts;
pub mod dbase;
pub mod desc;
pub mod effects;
pub mod heap;
pub mod heap2;
mod index_pages;
pub mod inval;
pub mod multixact;
pub mod page;
pub mod position;
pub mod prune;
pub mod record;
pub mod relmap;
pub mod rmgr;
pub mod smgr;
pub mod standby;
pub mod tblspc;
pub mod xact;
pub mod xlog;

pub use array::Array;
pub use page::{WalLongHeader, WalPageHeader};
pub use position::WalGeometry;
pub use record::{BlockImage, BlockRef, Compression, DecodeError, Decoder, Record, RecordHeader};

use super::types::XLogRecPtr;
use super::version::{Major, Version};

/// An LSN as messages of the version print it: `%X/%X`, from 19 on `%X/%08X`.
#[must_use]
pub fn lsn_text(version: &Version, lsn: XLogRecPtr) -> String {
    if version.since(Major::V19) {
        format!("{:X}/{:08X}", lsn.high(), lsn.low())
    } else {
        lsn.to_string()
    }
}
