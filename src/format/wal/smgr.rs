//! Records of the `Storage` manager.
//!
//! Sources: `catalog/storage.c` (up to 9.2), `catalog/storage_xlog.h`. All versions.
//!
//! ```text
//! CREATE    0 locator:12 | 12 fork:4 (9.1+)
//! TRUNCATE  0 blkno:4 | 4 locator:12 | 16 flags:4 (9.6+)
//! ```

use super::array::Element;
use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{BlockNumber, ForkNumber, RelFileLocator};
use crate::format::version::{Layout, Major};

/// What a record of the `Storage` manager says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmgrOp {
    /// A file is made.
    Create {
        /// The relation's files.
        locator: RelFileLocator,
        /// The fork.
        fork: ForkNumber,
    },
    /// A relation is cut off.
    Truncate {
        /// The relation's files.
        locator: RelFileLocator,
        /// Blocks of the main fork that stay.
        blkno: BlockNumber,
        /// Whether the main fork is cut (`SMGR_TRUNCATE_HEAP`); always before 9.6.
        heap: bool,
        /// Whether the visibility map is (`SMGR_TRUNCATE_VM`).
        vm: bool,
        /// Whether the free space map is (`SMGR_TRUNCATE_FSM`).
        fsm: bool,
    },
    /// A kind the version does not have.
    Unknown(u8),
}

/// Reads the main data.
///
/// # Errors
/// When it is too short for its kind.
pub fn parse(layout: Layout, record: &Record<'_, '_>) -> Result<SmgrOp, Malformed> {
    let mut c = Cursor::new("Storage record", record.main);
    let info = record.header.rmgr_info();
    Ok(match info {
        0x10 => {
            let locator = RelFileLocator::read(&mut c)?;
            let fork = if layout.since(Major::V9_1) {
                c.u32()?
            } else {
                0
            };
            let fork = ForkNumber::from_number(fork).ok_or(c.malformed("unknown fork"))?;
            SmgrOp::Create { locator, fork }
        }
        0x20 => {
            let blkno = c.u32()?;
            let locator = RelFileLocator::read(&mut c)?;
            let flags = if layout.since(Major::V9_6) {
                c.u32()?
            } else {
                7
            };
            SmgrOp::Truncate {
                locator,
                blkno,
                heap: flags & 1 != 0,
                vm: flags & 2 != 0,
                fsm: flags & 4 != 0,
            }
        }
        _ => SmgrOp::Unknown(info),
    })
}
