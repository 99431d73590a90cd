//! Resource managers and the names of their records.
//!
//! Sources: `access/rmgr.h` (up to 9.2), `access/rmgrlist.h`; `rmgrdesc/*.c: *_identify`.
//! Ids are only ever appended, so a number means the same in every version that has it.

use crate::format::version::{Major, Version};
use std::borrow::Cow;

/// `XLOG`.
pub const RM_XLOG_ID: u8 = 0;
/// `Transaction`.
pub const RM_XACT_ID: u8 = 1;
/// `Storage`.
pub const RM_SMGR_ID: u8 = 2;
/// `CLOG`.
pub const RM_CLOG_ID: u8 = 3;
/// `Database`.
pub const RM_DBASE_ID: u8 = 4;
/// `Tablespace`.
pub const RM_TBLSPC_ID: u8 = 5;
/// `MultiXact`.
pub const RM_MULTIXACT_ID: u8 = 6;
/// `RelMap`.
pub const RM_RELMAP_ID: u8 = 7;
/// `Standby`.
pub const RM_STANDBY_ID: u8 = 8;
/// `Heap2`.
pub const RM_HEAP2_ID: u8 = 9;
/// `Heap`.
pub const RM_HEAP_ID: u8 = 10;
/// `Btree`.
pub const RM_BTREE_ID: u8 = 11;
/// `Hash`.
pub const RM_HASH_ID: u8 = 12;
/// `Gin`.
pub const RM_GIN_ID: u8 = 13;
/// `Gist`.
pub const RM_GIST_ID: u8 = 14;
/// `Sequence`.
pub const RM_SEQ_ID: u8 = 15;
/// `SPGist`, 9.2 and later.
pub const RM_SPGIST_ID: u8 = 16;
/// `BRIN`, 9.5 and later.
pub const RM_BRIN_ID: u8 = 17;
/// `CommitTs`, 9.5 and later.
pub const RM_COMMIT_TS_ID: u8 = 18;
/// `ReplicationOrigin`, 9.5 and later.
pub const RM_REPLORIGIN_ID: u8 = 19;
/// `Generic`, 9.6 and later.
pub const RM_GENERIC_ID: u8 = 20;
/// `LogicalMessage`, 9.6 and later.
pub const RM_LOGICALMSG_ID: u8 = 21;
/// `XLOG2`, 19 and later.
pub const RM_XLOG2_ID: u8 = 22;
/// First id that extensions may register, 15 and later.
pub const RM_MIN_CUSTOM_ID: u8 = 128;

static NAMES: [&str; 23] = [
    "XLOG",
    "Transaction",
    "Storage",
    "CLOG",
    "Database",
    "Tablespace",
    "MultiXact",
    "RelMap",
    "Standby",
    "Heap2",
    "Heap",
    "Btree",
    "Hash",
    "Gin",
    "Gist",
    "Sequence",
    "SPGist",
    "BRIN",
    "CommitTs",
    "ReplicationOrigin",
    "Generic",
    "LogicalMessage",
    "XLOG2",
];

/// The highest id of the server itself (`RM_MAX_ID`, `RM_MAX_BUILTIN_ID`).
#[must_use]
pub fn max_id(version: &Version) -> u8 {
    match version.major {
        m if m >= Major::V19 => RM_XLOG2_ID,
        m if m >= Major::V9_6 => RM_LOGICALMSG_ID,
        m if m >= Major::V9_5 => RM_REPLORIGIN_ID,
        m if m >= Major::V9_2 => RM_SPGIST_ID,
        _ => RM_SEQ_ID,
    }
}

/// Whether the reader lets records of the id pass (`RmgrIdIsValid`). An id of an
/// extension passes here and fails at redo when the extension is not loaded.
#[must_use]
pub fn is_valid(version: &Version, rmid: u8) -> bool {
    rmid <= max_id(version) || version.since(Major::V15) && rmid >= RM_MIN_CUSTOM_ID
}

/// The manager's name as `pg_waldump` prints it: `Heap2`, `custom128`.
#[must_use]
pub fn name(version: &Version, rmid: u8) -> Cow<'static, str> {
    match NAMES.get(usize::from(rmid)) {
        Some(name) if rmid <= max_id(version) => Cow::Borrowed(name),
        _ if is_valid(version, rmid) => Cow::Owned(format!("custom{rmid:03}")),
        _ => Cow::Owned(format!("unknown resource manager {rmid}")),
    }
}

/// The kind of a record as `pg_waldump` of 9.5 and later prints it: `INSERT+INIT`. The
/// versions before had no such names; theirs are those the kind got in 9.5. `None` for a
/// kind that the version does not have.
#[must_use]
pub fn identify(version: &Version, rmid: u8, xl_info: u8) -> Option<&'static str> {
    let since = |major| version.since(major);
    let before = |major| !version.since(major);
    if rmid > max_id(version) {
        return None;
    }
    let info = xl_info & 0xF0;
    Some(match rmid {
        RM_XLOG_ID => match info {
            0x00 => "CHECKPOINT_SHUTDOWN",
            0x10 => "CHECKPOINT_ONLINE",
            0x20 => "NOOP",
            0x30 => "NEXTOID",
            0x40 => "SWITCH",
            0x50 => "BACKUP_END",
            0x60 => "PARAMETER_CHANGE",
            0x70 if since(Major::V9_1) => "RESTORE_POINT",
            0x80 if since(Major::V9_2) => "FPW_CHANGE",
            0x90 if since(Major::V9_3) => "END_OF_RECOVERY",
            0xA0 if since(Major::V9_5) => "FPI_FOR_HINT",
            0xA0 if since(Major::V9_3) => "FPI",
            0xB0 if since(Major::V9_5) => "FPI",
            0xC0 if since(Major::V19) => "ASSIGN_LSN",
            0xC0 if since(Major::V9_5) && before(Major::V12) => "FPI_MULTI",
            0xD0 if since(Major::V9_6) => "OVERWRITE_CONTRECORD",
            0xE0 if since(Major::V17) => "CHECKPOINT_REDO",
            0xF0 if since(Major::V19) => "LOGICAL_DECODING_STATUS_CHANGE",
            _ => return None,
        },
        RM_XACT_ID => {
            // 9.5 made 0x80 a flag.
            let op = if since(Major::V9_5) {
                info & 0x70
            } else {
                info
            };
            match op {
                0x00 => "COMMIT",
                0x10 => "PREPARE",
                0x20 => "ABORT",
                0x30 => "COMMIT_PREPARED",
                0x40 => "ABORT_PREPARED",
                0x50 => "ASSIGNMENT",
                0x60 if since(Major::V14) => "INVALIDATION",
                0x60 if since(Major::V9_2) && before(Major::V9_5) => "COMMIT_COMPACT",
                _ => return None,
            }
        }
        RM_SMGR_ID => match info {
            0x10 => "CREATE",
            0x20 => "TRUNCATE",
            _ => return None,
        },
        RM_CLOG_ID => match info {
            0x00 => "ZEROPAGE",
            0x10 => "TRUNCATE",
            _ => return None,
        },
        RM_DBASE_ID => match info {
            0x00 if since(Major::V15) => "CREATE_FILE_COPY",
            0x10 if since(Major::V15) => "CREATE_WAL_LOG",
            0x20 if since(Major::V15) => "DROP",
            0x00 => "CREATE",
            0x10 => "DROP",
            _ => return None,
        },
        RM_TBLSPC_ID => match info {
            0x00 => "CREATE",
            0x10 => "DROP",
            _ => return None,
        },
        RM_MULTIXACT_ID => match info {
            0x00 => "ZERO_OFF_PAGE",
            0x10 => "ZERO_MEM_PAGE",
            0x20 => "CREATE_ID",
            0x30 if since(Major::V9_5) => "TRUNCATE_ID",
            _ => return None,
        },
        RM_RELMAP_ID => match info {
            0x00 => "UPDATE",
            _ => return None,
        },
        RM_STANDBY_ID => match info {
            0x00 => "LOCK",
            0x10 => "RUNNING_XACTS",
            0x20 if since(Major::V9_6) => "INVALIDATIONS",
            _ => return None,
        },
        RM_HEAP2_ID => match (info & 0x70, info & 0x80 != 0) {
            (0x00, _) if since(Major::V9_4) => "REWRITE",
            (0x00, _) => "FREEZE",
            (0x10, _) if since(Major::V17) => "PRUNE_ON_ACCESS",
            (0x10, _) if since(Major::V14) => "PRUNE",
            (0x10, _) => "CLEAN",
            (0x20, _) if since(Major::V17) => "PRUNE_VACUUM_SCAN",
            (0x20, _) if since(Major::V14) => "VACUUM",
            (0x20, _) if since(Major::V9_3) => "FREEZE_PAGE",
            (0x30, _) if since(Major::V17) => "PRUNE_VACUUM_CLEANUP",
            (0x30, _) if since(Major::V14) => "FREEZE_PAGE",
            (0x30, _) => "CLEANUP_INFO",
            (0x40, _) if since(Major::V9_2) && before(Major::V19) => "VISIBLE",
            (0x50, false) if since(Major::V9_2) => "MULTI_INSERT",
            (0x50, true) if since(Major::V9_2) => "MULTI_INSERT+INIT",
            (0x60, _) if since(Major::V9_3) => "LOCK_UPDATED",
            (0x70, _) if since(Major::V9_4) => "NEW_CID",
            _ => return None,
        },
        RM_HEAP_ID => match (info & 0x70, info & 0x80 != 0) {
            (0x00, false) => "INSERT",
            (0x00, true) => "INSERT+INIT",
            (0x10, _) => "DELETE",
            (0x20, false) => "UPDATE",
            (0x20, true) => "UPDATE+INIT",
            (0x30, _) if since(Major::V11) => "TRUNCATE",
            (0x40, false) => "HOT_UPDATE",
            (0x40, true) => "HOT_UPDATE+INIT",
            (0x50, _) if since(Major::V9_5) => "HEAP_CONFIRM",
            (0x50, _) => "NEWPAGE",
            (0x60, _) => "LOCK",
            (0x70, _) => "INPLACE",
            _ => return None,
        },
        RM_BTREE_ID => match info {
            0x00 => "INSERT_LEAF",
            0x10 => "INSERT_UPPER",
            0x20 => "INSERT_META",
            0x30 => "SPLIT_L",
            0x40 => "SPLIT_R",
            0x50 if before(Major::V11) => "SPLIT_L_ROOT",
            0x60 if before(Major::V11) => "SPLIT_R_ROOT",
            0x50 if before(Major::V12) => "SPLIT_L_HIGHKEY",
            0x60 if before(Major::V12) => "SPLIT_R_HIGHKEY",
            0x50 if since(Major::V13) => "INSERT_POST",
            0x60 if since(Major::V13) => "DEDUP",
            0x70 => "DELETE",
            0x80 if before(Major::V9_4) => "DELETE_PAGE",
            0x90 if before(Major::V9_4) => "DELETE_PAGE_META",
            0xB0 if before(Major::V9_4) => "DELETE_PAGE_HALF",
            0x80 => "UNLINK_PAGE",
            0x90 => "UNLINK_PAGE_META",
            0xB0 => "MARK_PAGE_HALFDEAD",
            0xA0 => "NEWROOT",
            0xC0 => "VACUUM",
            0xD0 => "REUSE_PAGE",
            0xE0 if since(Major::V11) => "META_CLEANUP",
            _ => return None,
        },
        RM_HASH_ID if since(Major::V10) => match info {
            0x00 => "INIT_META_PAGE",
            0x10 => "INIT_BITMAP_PAGE",
            0x20 => "INSERT",
            0x30 => "ADD_OVFL_PAGE",
            0x40 => "SPLIT_ALLOCATE_PAGE",
            0x50 => "SPLIT_PAGE",
            0x60 => "SPLIT_COMPLETE",
            0x70 => "MOVE_PAGE_CONTENTS",
            0x80 => "SQUEEZE_PAGE",
            0x90 => "DELETE",
            0xA0 => "SPLIT_CLEANUP",
            0xB0 => "UPDATE_META_PAGE",
            0xC0 => "VACUUM_ONE_PAGE",
            _ => return None,
        },
        RM_GIN_ID => match info {
            0x00 if before(Major::V12) => "CREATE_INDEX",
            0x10 => "CREATE_PTREE",
            0x20 => "INSERT",
            0x30 => "SPLIT",
            0x40 => "VACUUM_PAGE",
            0x50 => "DELETE_PAGE",
            0x60 => "UPDATE_META_PAGE",
            0x70 => "INSERT_LISTPAGE",
            0x80 => "DELETE_LISTPAGE",
            0x90 if since(Major::V9_4) => "VACUUM_DATA_LEAF_PAGE",
            _ => return None,
        },
        RM_GIST_ID => match info {
            0x00 => "PAGE_UPDATE",
            0x10 if since(Major::V12) => "DELETE",
            0x20 if since(Major::V12) => "PAGE_REUSE",
            0x20 if before(Major::V9_1) => "NEW_ROOT",
            0x30 => "PAGE_SPLIT",
            0x40 if before(Major::V9_1) => "INSERT_COMPLETE",
            0x50 if before(Major::V12) => "CREATE_INDEX",
            0x60 if before(Major::V9_2) || since(Major::V12) => "PAGE_DELETE",
            0x70 if since(Major::V13) && before(Major::V19) => "ASSIGN_LSN",
            _ => return None,
        },
        RM_SEQ_ID => match info {
            0x00 => "LOG",
            _ => return None,
        },
        RM_SPGIST_ID => match info {
            0x00 if before(Major::V12) => "CREATE_INDEX",
            0x10 => "ADD_LEAF",
            0x20 => "MOVE_LEAFS",
            0x30 => "ADD_NODE",
            0x40 => "SPLIT_TUPLE",
            0x50 => "PICKSPLIT",
            0x60 => "VACUUM_LEAF",
            0x70 => "VACUUM_ROOT",
            0x80 => "VACUUM_REDIRECT",
            _ => return None,
        },
        RM_BRIN_ID => match info {
            0x00 => "CREATE_INDEX",
            0x10 => "INSERT",
            0x90 => "INSERT+INIT",
            0x20 => "UPDATE",
            0xA0 => "UPDATE+INIT",
            0x30 => "SAMEPAGE_UPDATE",
            0x40 => "REVMAP_EXTEND",
            0x50 if since(Major::V10) => "DESUMMARIZE",
            _ => return None,
        },
        RM_COMMIT_TS_ID => match info {
            0x00 => "ZEROPAGE",
            0x10 => "TRUNCATE",
            0x20 if before(Major::V14) => "SETTS",
            _ => return None,
        },
        RM_REPLORIGIN_ID => match info {
            0x00 => "SET",
            0x10 => "DROP",
            _ => return None,
        },
        RM_GENERIC_ID => "Generic",
        RM_LOGICALMSG_ID => match info {
            0x00 => "MESSAGE",
            _ => return None,
        },
        RM_XLOG2_ID => match info {
            0x00 => "CHECKSUMS",
            _ => return None,
        },
        _ => return None,
    })
}
