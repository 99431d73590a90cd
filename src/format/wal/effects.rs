//! What redo of a record does, apart from how: for the recovery plan.
//!
//! Sources: the `*_redo` functions of every resource manager. All versions. From 9.5 on
//! block references say which pages change and which are made anew; before, each manager's
//! main data does.

use super::array::{Array, Element};
use super::clog::{self, ClogOp};
use super::commit_ts::{self, CommitTsOp};
use super::dbase::{self, DbaseOp};
use super::heap::{
    self, ALL_VISIBLE_CLEARED, HeapOp, NEW_ALL_VISIBLE_CLEARED, XLOG_HEAP_INIT_PAGE,
};
use super::heap2::{self, Heap2Op};
use super::index_pages::{self, Change};
use super::multixact::{self, Members, MultiXactOp};
use super::record::{BlockImage, BlockRef, Record};
use super::relmap;
use super::rmgr::{
    RM_BTREE_ID, RM_CLOG_ID, RM_COMMIT_TS_ID, RM_DBASE_ID, RM_GIN_ID, RM_GIST_ID, RM_HEAP_ID,
    RM_HEAP2_ID, RM_MULTIXACT_ID, RM_RELMAP_ID, RM_SEQ_ID, RM_SMGR_ID, RM_SPGIST_ID, RM_TBLSPC_ID,
    RM_XACT_ID, RM_XLOG_ID,
};
use super::smgr::{self, SmgrOp};
use super::tblspc::{self, TblspcOp};
use super::xact::{self, XactEnd, XactOp};
use super::xlog::{self, ParameterChange, XLogOp};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{
    BlockNumber, ForkNumber, MultiXactId, MultiXactOffset, Oid, RelFileLocator, TimeLineID,
    TimestampTz, TransactionId, XLogRecPtr,
};
use crate::format::version::{Layout, Major};

/// One thing that redo of a record does.
#[derive(Clone, Copy, Debug)]
pub enum Effect<'a> {
    /// A page is written whole or made anew; what it held before does not matter.
    Rebuilds {
        /// The relation's files.
        locator: RelFileLocator,
        /// The fork.
        fork: ForkNumber,
        /// The block.
        blkno: BlockNumber,
        /// The page image, if it is one.
        image: Option<BlockImage<'a>>,
    },
    /// A page is changed, so redo needs it as it was; nothing happens when its file is
    /// dropped or cut off later.
    Touches {
        /// The relation's files.
        locator: RelFileLocator,
        /// The fork.
        fork: ForkNumber,
        /// The block.
        blkno: BlockNumber,
    },
    /// A heap page's bits in the visibility map are cleared; the map's page is not logged.
    ClearsVm {
        /// The relation's files.
        locator: RelFileLocator,
        /// The block of the main fork.
        heap_blkno: BlockNumber,
    },
    /// A file is made if it is not there.
    CreatesFile {
        /// The relation's files.
        locator: RelFileLocator,
        /// The fork.
        fork: ForkNumber,
    },
    /// All forks of a relation are removed.
    DropsRelation(RelFileLocator),
    /// A fork is cut off. Of the maps the last block that stays loses entries, too.
    Truncates {
        /// The relation's files.
        locator: RelFileLocator,
        /// The fork.
        fork: ForkNumber,
        /// Blocks that stay.
        to_blocks: BlockNumber,
    },
    /// A database folder is copied, as it is at this moment of redo.
    CopiesDatabase {
        /// The new database.
        db: Oid,
        /// Its tablespace.
        ts: Oid,
        /// The database copied.
        src_db: Oid,
        /// The tablespace it is copied from.
        src_ts: Oid,
    },
    /// A database folder with `PG_VERSION` is made, 15 and later.
    CreatesDatabase {
        /// The database.
        db: Oid,
        /// Its tablespace.
        ts: Oid,
    },
    /// A database folder is removed.
    DropsDatabase {
        /// The database.
        db: Oid,
        /// Its tablespace.
        ts: Oid,
    },
    /// A tablespace's link and folder are made.
    CreatesTablespace {
        /// The tablespace.
        ts: Oid,
        /// Where the link leads.
        path: &'a [u8],
    },
    /// A tablespace's link and folder are removed.
    DropsTablespace(Oid),
    /// A page of the commit log becomes all zero.
    ZeroesClogPage(u64),
    /// Segments of the commit log before the page's are removed.
    TruncatesClog {
        /// First page that is still needed.
        pageno: u64,
        /// The oldest transaction it then answers for, and its database; 10 and later.
        oldest: Option<(TransactionId, Oid)>,
    },
    /// A page of `pg_multixact/offsets` becomes all zero.
    ZeroesMultiOffsetPage(u64),
    /// A page of `pg_multixact/members` becomes all zero.
    ZeroesMultiMemberPage(u64),
    /// A multixact is written; the next multixact and offset move past it.
    CreatesMulti {
        /// The multixact.
        mid: MultiXactId,
        /// Where its members begin.
        offset: MultiXactOffset,
        /// Its members.
        members: Members<'a>,
    },
    /// Segments of `pg_multixact` are removed, 9.5 and later.
    TruncatesMulti {
        /// The database that holds the oldest multixact back.
        oldest_multi_db: Oid,
        /// Oldest multixact that is still needed.
        oldest_multi: MultiXactId,
        /// Where its members begin.
        oldest_offset: MultiXactOffset,
    },
    /// A page of `pg_commit_ts` becomes all zero.
    ZeroesCommitTsPage(u64),
    /// Segments of `pg_commit_ts` before the page's are removed.
    TruncatesCommitTs {
        /// First page that is still needed.
        pageno: u64,
        /// Oldest transaction with a timestamp, 10 and later.
        oldest_xid: Option<TransactionId>,
    },
    /// Commit timestamps are set apart from a commit, up to 13.
    SetsCommitTs {
        /// The transaction.
        xid: TransactionId,
        /// Its subtransactions.
        subxacts: Array<'a, TransactionId>,
        /// The time.
        time: TimestampTz,
    },
    /// The next transaction number moves past this one.
    AdvancesXid(TransactionId),
    /// The next object identifier becomes this one.
    NextOid(Oid),
    /// A transaction commits.
    Commits(XactEnd<'a>),
    /// A transaction aborts.
    Aborts(XactEnd<'a>),
    /// A transaction is prepared; redo makes its state file anew.
    Prepares {
        /// The transaction.
        xid: TransactionId,
        /// The state file without its CRC.
        state: &'a [u8],
    },
    /// A prepared transaction ends; redo removes its state file.
    FinishesPrepared(TransactionId),
    /// A checkpoint; counters take its values, or from an online one only higher ones.
    Checkpoint {
        /// Whether the server was shut down after it.
        shutdown: bool,
        /// `CheckPoint` as it stands.
        bytes: &'a [u8],
    },
    /// `pg_filenode.map` is written anew.
    UpdatesRelMap {
        /// The database, 0 for `global/`.
        db: Oid,
        /// Its tablespace.
        ts: Oid,
        /// The file.
        bytes: &'a [u8],
    },
    /// Settings in `pg_control` change.
    ParameterChange(ParameterChange),
    /// `full_page_writes` from here on.
    FullPageWrites(bool),
    /// A base backup that began at this redo point is complete here.
    BackupEnd(XLogRecPtr),
    /// `pg_create_restore_point`.
    RestorePoint {
        /// When.
        time: TimestampTz,
        /// Its name.
        name: &'a [u8],
    },
    /// A timeline begins.
    EndOfRecovery {
        /// When.
        time: TimestampTz,
        /// The new timeline.
        this_tli: TimeLineID,
        /// The one before.
        prev_tli: TimeLineID,
    },
    /// A record that was never written to its end was given up.
    OverwritesContrecord(XLogRecPtr),
    /// Redo of this record cannot be foreseen: its main data is not what its kind needs.
    /// The server would misread it, or fail.
    Unclear(Malformed),
}

impl Effect<'_> {
    /// The block of a main fork that is written or changed.
    #[must_use]
    pub fn main_block(&self) -> Option<(RelFileLocator, BlockNumber)> {
        match *self {
            Self::Rebuilds {
                locator,
                fork: ForkNumber::Main,
                blkno,
                ..
            }
            | Self::Touches {
                locator,
                fork: ForkNumber::Main,
                blkno,
            } => Some((locator, blkno)),
            _ => None,
        }
    }
}

/// Tells all that redo of the record does, in the order redo does it where that matters.
pub fn effects<'a>(layout: Layout, record: &Record<'a, '_>, each: &mut dyn FnMut(Effect<'a>)) {
    // xlog.c, xlogrecovery.c: ApplyWalRecord
    if record.header.xl_xid.is_valid() {
        each(Effect::AdvancesXid(record.header.xl_xid));
    }
    for block in record.blocks() {
        block_effect(&block, each);
    }
    if let Err(malformed) = of_manager(layout, record, each) {
        each(Effect::Unclear(malformed));
    }
}

fn block_effect<'a>(block: &BlockRef<'a>, each: &mut dyn FnMut(Effect<'a>)) {
    let BlockRef {
        locator,
        fork,
        blkno,
        ..
    } = *block;
    let image = block.image.filter(|image| image.apply);
    each(if image.is_some() || block.will_init {
        Effect::Rebuilds {
            locator,
            fork,
            blkno,
            image,
        }
    } else {
        Effect::Touches {
            locator,
            fork,
            blkno,
        }
    });
}

fn of_manager<'a>(
    layout: Layout,
    record: &Record<'a, '_>,
    each: &mut dyn FnMut(Effect<'a>),
) -> Result<(), Malformed> {
    let legacy = !layout.since(Major::V9_5);
    match record.header.xl_rmid {
        RM_XLOG_ID => of_xlog(xlog::parse(layout, record)?, each),
        RM_XACT_ID => of_xact(layout, record, each)?,
        RM_SMGR_ID => of_smgr(layout, smgr::parse(layout, record)?, each),
        RM_CLOG_ID => match clog::parse(layout, record)? {
            ClogOp::ZeroPage(pageno) => each(Effect::ZeroesClogPage(pageno)),
            ClogOp::Truncate { pageno, oldest } => {
                each(Effect::TruncatesClog { pageno, oldest });
            }
            ClogOp::Unknown(_) => {}
        },
        RM_DBASE_ID => of_dbase(dbase::parse(layout, record)?, each),
        RM_TBLSPC_ID => match tblspc::parse(record)? {
            TblspcOp::Create { ts, path } => each(Effect::CreatesTablespace { ts, path }),
            TblspcOp::Drop(ts) => each(Effect::DropsTablespace(ts)),
            TblspcOp::Unknown(_) => {}
        },
        RM_MULTIXACT_ID => of_multixact(multixact::parse(layout, record)?, each),
        RM_RELMAP_ID => {
            if let Some(update) = relmap::parse(record)? {
                each(Effect::UpdatesRelMap {
                    db: update.db,
                    ts: update.ts,
                    bytes: update.data,
                });
            }
        }
        RM_COMMIT_TS_ID => match commit_ts::parse(layout, record)? {
            CommitTsOp::ZeroPage(pageno) => each(Effect::ZeroesCommitTsPage(pageno)),
            CommitTsOp::Truncate { pageno, oldest_xid } => {
                each(Effect::TruncatesCommitTs { pageno, oldest_xid });
            }
            CommitTsOp::SetTs {
                xid,
                subxacts,
                time,
                ..
            } => each(Effect::SetsCommitTs {
                xid,
                subxacts,
                time,
            }),
            CommitTsOp::Unknown(_) => {}
        },
        RM_HEAP_ID => of_heap(legacy, record, &heap::parse(layout, record)?, each),
        RM_HEAP2_ID => of_heap2(legacy, record, &heap2::parse(layout, record)?, each),
        RM_BTREE_ID | RM_GIN_ID | RM_GIST_ID | RM_SPGIST_ID if legacy => {
            index_pages::pages(layout, record, &mut |locator, blkno, change| match change {
                Change::Init => init(locator, ForkNumber::Main, blkno, each),
                Change::Modify => modify(record, locator, blkno, each),
            })?;
        }
        // sequence.c: seq_redo
        RM_SEQ_ID if legacy => {
            let locator =
                RelFileLocator::read(&mut Cursor::packed("Sequence record", record.main))?;
            init(locator, ForkNumber::Main, 0, each);
        }
        _ => {}
    }
    Ok(())
}

fn init<'a>(
    locator: RelFileLocator,
    fork: ForkNumber,
    blkno: BlockNumber,
    each: &mut dyn FnMut(Effect<'a>),
) {
    each(Effect::Rebuilds {
        locator,
        fork,
        blkno,
        image: None,
    });
}

/// A page of the main fork named in main data; when the record has its image, that is told
/// already.
fn modify<'a>(
    record: &Record<'a, '_>,
    locator: RelFileLocator,
    blkno: BlockNumber,
    each: &mut dyn FnMut(Effect<'a>),
) {
    let imaged = record.blocks().any(|block| {
        block.locator == locator && block.fork == ForkNumber::Main && block.blkno == blkno
    });
    if !imaged {
        each(Effect::Touches {
            locator,
            fork: ForkNumber::Main,
            blkno,
        });
    }
}

fn of_xlog<'a>(op: XLogOp<'a>, each: &mut dyn FnMut(Effect<'a>)) {
    each(match op {
        XLogOp::CheckpointShutdown(bytes) => Effect::Checkpoint {
            shutdown: true,
            bytes,
        },
        XLogOp::CheckpointOnline(bytes) => Effect::Checkpoint {
            shutdown: false,
            bytes,
        },
        XLogOp::NextOid(oid) => Effect::NextOid(oid),
        XLogOp::BackupEnd(start) => Effect::BackupEnd(start),
        XLogOp::ParameterChange(change) => Effect::ParameterChange(change),
        XLogOp::RestorePoint { time, name } => Effect::RestorePoint { time, name },
        XLogOp::FpwChange(on) => Effect::FullPageWrites(on),
        XLogOp::EndOfRecovery {
            time,
            this_tli,
            prev_tli,
            ..
        } => Effect::EndOfRecovery {
            time,
            this_tli,
            prev_tli,
        },
        XLogOp::LegacyFpi {
            locator,
            fork,
            blkno,
            image,
        } => Effect::Rebuilds {
            locator,
            fork,
            blkno,
            image: Some(image),
        },
        XLogOp::OverwriteContrecord {
            overwritten_lsn, ..
        } => Effect::OverwritesContrecord(overwritten_lsn),
        XLogOp::Noop
        | XLogOp::Switch
        | XLogOp::FpiForHint
        | XLogOp::Fpi
        | XLogOp::AssignLsn
        | XLogOp::CheckpointRedo { .. }
        | XLogOp::LogicalDecodingStatusChange(_)
        | XLogOp::Unknown(_) => return,
    });
}

fn of_xact<'a>(
    layout: Layout,
    record: &Record<'a, '_>,
    each: &mut dyn FnMut(Effect<'a>),
) -> Result<(), Malformed> {
    let (end, commit, prepared) = match xact::parse(layout, record)? {
        XactOp::Commit(end) => (end, true, false),
        XactOp::CommitPrepared(end) => (end, true, true),
        XactOp::Abort(end) => (end, false, false),
        XactOp::AbortPrepared(end) => (end, false, true),
        XactOp::Prepare(state) => {
            each(Effect::Prepares {
                xid: record.header.xl_xid,
                state,
            });
            return Ok(());
        }
        XactOp::Assignment { .. } | XactOp::Invalidations(_) | XactOp::Unknown(_) => return Ok(()),
    };
    // xact.c: xact_redo_commit, xact_redo_abort
    advance(end.xid, end.subxacts.iter(), each);
    each(if commit {
        Effect::Commits(end)
    } else {
        Effect::Aborts(end)
    });
    for locator in end.dropped.iter() {
        each(Effect::DropsRelation(locator));
    }
    if prepared {
        each(Effect::FinishesPrepared(end.xid));
    }
    Ok(())
}

/// Past the newest of them (`transam.c: TransactionIdLatest`).
fn advance<'a>(
    first: TransactionId,
    others: impl Iterator<Item = TransactionId>,
    each: &mut dyn FnMut(Effect<'a>),
) {
    let newest = others.fold(
        first,
        |newest, xid| {
            if newest.precedes(xid) { xid } else { newest }
        },
    );
    if newest.is_valid() {
        each(Effect::AdvancesXid(newest));
    }
}

fn of_smgr<'a>(layout: Layout, op: SmgrOp, each: &mut dyn FnMut(Effect<'a>)) {
    match op {
        SmgrOp::Create { locator, fork } => each(Effect::CreatesFile { locator, fork }),
        SmgrOp::Truncate {
            locator,
            blkno,
            heap,
            vm,
            fsm,
        } => {
            let parts = [
                (heap, ForkNumber::Main, Some(blkno)),
                (vm, ForkNumber::Vm, vm_blocks(layout, blkno)),
                (fsm, ForkNumber::Fsm, fsm_blocks(layout, blkno)),
            ];
            for (cut, fork, to_blocks) in parts {
                if let (true, Some(to_blocks)) = (cut, to_blocks) {
                    each(Effect::Truncates {
                        locator,
                        fork,
                        to_blocks,
                    });
                }
            }
        }
        SmgrOp::Unknown(_) => {}
    }
}

/// Blocks of the visibility map that stay for `heap_blocks`
/// (`visibilitymap.c: visibilitymap_truncate`).
fn vm_blocks(layout: Layout, heap_blocks: BlockNumber) -> Option<BlockNumber> {
    // MAPSIZE is the page without its header; from 9.6 on a block takes two bits.
    let map_size = layout.blcksz.checked_sub(24)?;
    let per_byte = if layout.since(Major::V9_6) { 4 } else { 8 };
    let per_page = map_size.checked_mul(per_byte).filter(|n| *n > 0)?;
    Some(heap_blocks.div_ceil(per_page))
}

/// Blocks of the free space map that stay for `heap_blocks`
/// (`freespace.c: FreeSpaceMapTruncateRel`, `fsm_logical_to_physical`).
fn fsm_blocks(layout: Layout, heap_blocks: BlockNumber) -> Option<BlockNumber> {
    // Page header and fp_next_slot, then a binary tree of one byte a node.
    let nodes = layout.blcksz.checked_sub(28)?;
    let slots = nodes.checked_sub((layout.blcksz >> 1).checked_sub(1)?)?;
    let depth = if slots >= 1626 { 3 } else { 4 };
    let leaf = heap_blocks.checked_div(slots)?;
    let slot = heap_blocks.checked_rem(slots)?;
    let mut pages: BlockNumber = 0;
    let mut page = leaf;
    for _ in 0..depth {
        pages = pages.checked_add(page)?.checked_add(1)?;
        page = page.checked_div(slots)?;
    }
    let physical = pages.checked_sub(1)?;
    // The page that holds the first slot cut off stays when slots before it do.
    physical.checked_add(u32::from(slot > 0))
}

fn of_dbase<'a>(op: DbaseOp<'a>, each: &mut dyn FnMut(Effect<'a>)) {
    match op {
        DbaseOp::CreateFileCopy {
            db,
            ts,
            src_db,
            src_ts,
        } => each(Effect::CopiesDatabase {
            db,
            ts,
            src_db,
            src_ts,
        }),
        DbaseOp::CreateWalLog { db, ts } => each(Effect::CreatesDatabase { db, ts }),
        DbaseOp::Drop { db, tablespaces } => {
            for ts in tablespaces.iter() {
                each(Effect::DropsDatabase { db, ts });
            }
        }
        DbaseOp::Unknown(_) => {}
    }
}

fn of_multixact<'a>(op: MultiXactOp<'a>, each: &mut dyn FnMut(Effect<'a>)) {
    match op {
        MultiXactOp::ZeroOffPage(pageno) => each(Effect::ZeroesMultiOffsetPage(pageno)),
        MultiXactOp::ZeroMemPage(pageno) => each(Effect::ZeroesMultiMemberPage(pageno)),
        MultiXactOp::CreateId { mid, moff, members } => {
            each(Effect::CreatesMulti {
                mid,
                offset: moff,
                members,
            });
            // Its members may have written nothing else (`multixact_redo`).
            advance(TransactionId::INVALID, members.xids(), each);
        }
        MultiXactOp::TruncateId {
            oldest_multi_db,
            oldest_multi,
            oldest_offset,
        } => each(Effect::TruncatesMulti {
            oldest_multi_db,
            oldest_multi,
            oldest_offset,
        }),
        MultiXactOp::Unknown(_) => {}
    }
}

fn of_heap<'a>(
    legacy: bool,
    record: &Record<'a, '_>,
    op: &HeapOp<'a>,
    each: &mut dyn FnMut(Effect<'a>),
) {
    let made_anew = record.header.xl_info & XLOG_HEAP_INIT_PAGE != 0;
    let mut page = |target: &heap::Target, made_anew: bool, vm_cleared: bool| {
        if vm_cleared {
            each(Effect::ClearsVm {
                locator: target.locator,
                heap_blkno: target.blkno,
            });
        }
        if legacy && made_anew {
            init(target.locator, ForkNumber::Main, target.blkno, each);
        } else if legacy {
            modify(record, target.locator, target.blkno, each);
        }
    };
    match op {
        HeapOp::Insert { target, flags, .. } => {
            page(target, made_anew, flags & ALL_VISIBLE_CLEARED != 0);
        }
        HeapOp::Delete { target, flags, .. } => {
            page(target, false, flags & ALL_VISIBLE_CLEARED != 0);
        }
        HeapOp::Update(update) | HeapOp::HotUpdate(update) => {
            let new_cleared = update.flags & NEW_ALL_VISIBLE_CLEARED != 0;
            page(&update.old, false, update.flags & ALL_VISIBLE_CLEARED != 0);
            if update.new.blkno != update.old.blkno {
                page(&update.new, made_anew, new_cleared);
            }
        }
        HeapOp::Lock { target, flags, .. } => page(target, false, flags & 1 != 0),
        HeapOp::Inplace { target, .. } => page(target, false, false),
        HeapOp::NewPage {
            locator,
            fork,
            blkno,
            image,
        } => each(Effect::Rebuilds {
            locator: *locator,
            fork: *fork,
            blkno: *blkno,
            image: Some(*image),
        }),
        HeapOp::Confirm(_) | HeapOp::Truncate { .. } | HeapOp::Unknown(_) => {}
    }
}

fn of_heap2<'a>(
    legacy: bool,
    record: &Record<'a, '_>,
    op: &Heap2Op<'a>,
    each: &mut dyn FnMut(Effect<'a>),
) {
    let mut touch = |locator: RelFileLocator, blkno: BlockNumber| {
        if legacy {
            modify(record, locator, blkno, each);
        }
    };
    match op {
        Heap2Op::Prune { page, .. } | Heap2Op::Freeze { page, .. } => {
            touch(page.locator, page.blkno);
        }
        // The map's page is changed, too; it is logged only from 9.5 on.
        Heap2Op::Visible { page, .. } => touch(page.locator, page.blkno),
        Heap2Op::MultiInsert(insert) => {
            if insert.flags & ALL_VISIBLE_CLEARED != 0 {
                each(Effect::ClearsVm {
                    locator: insert.page.locator,
                    heap_blkno: insert.page.blkno,
                });
            }
            if legacy && insert.init {
                init(
                    insert.page.locator,
                    ForkNumber::Main,
                    insert.page.blkno,
                    each,
                );
            } else if legacy {
                modify(record, insert.page.locator, insert.page.blkno, each);
            }
        }
        Heap2Op::LockUpdated { target, flags, .. } => {
            touch(target.locator, target.blkno);
            if flags & 1 != 0 {
                each(Effect::ClearsVm {
                    locator: target.locator,
                    heap_blkno: target.blkno,
                });
            }
        }
        Heap2Op::CleanupInfo { .. }
        | Heap2Op::NewCid { .. }
        | Heap2Op::Rewrite { .. }
        | Heap2Op::Unknown(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::Version;
    use crate::format::wal::{Decoder, RecordHeader};

    /// The effects of a record without blocks, as text.
    fn of(major: Major, rmid: u8, info: u8, main: &[u8]) -> Vec<String> {
        let version = Version::of(major).unwrap();
        let len = u32::try_from(main.len()).unwrap();
        let mut bytes = vec![0; RecordHeader::size(version)];
        if version.since(Major::V9_5) {
            bytes.push(254);
            bytes.extend_from_slice(&len.to_le_bytes());
        }
        bytes.extend_from_slice(main);
        let header = RecordHeader {
            xl_tot_len: u32::try_from(bytes.len()).unwrap(),
            xl_info: info,
            xl_rmid: rmid,
            xl_len: if version.since(Major::V9_5) { 0 } else { len },
            ..RecordHeader::default()
        };
        let layout = Layout::usual(version);
        let mut decoder = Decoder::new();
        let record = decoder
            .decode(layout, XLogRecPtr(8), XLogRecPtr(16), header, &bytes)
            .unwrap();
        let mut out = Vec::new();
        effects(layout, &record, &mut |effect| {
            out.push(format!("{effect:?}"))
        });
        out
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    #[test]
    fn a_truncation_cuts_the_maps_too() {
        // To 8 blocks of a relation: one page of each map's lowest level stays.
        let main = words(&[8, 1663, 16386, 16438, 7]);
        let cut = |fork: &str, to: u32| {
            format!("Truncates {{ locator: 1663/16386/16438, fork: {fork}, to_blocks: {to} }}")
        };
        let expected = [cut("Main", 8), cut("Vm", 1), cut("Fsm", 3)];
        assert_eq!(of(Major::V15, RM_SMGR_ID, 0x20, &main), expected);
        assert_eq!(of(Major::V9_3, RM_SMGR_ID, 0x20, &main[..16]), expected);
        let main = words(&[8, 1663, 16386, 16438, 1]);
        assert_eq!(of(Major::V15, RM_SMGR_ID, 0x20, &main), expected[..1]);
        // 32672 heap blocks fill a page of the map, 65344 before 9.6.
        let main = words(&[32_673, 1663, 16386, 16438, 2]);
        assert_eq!(of(Major::V15, RM_SMGR_ID, 0x20, &main), [cut("Vm", 2)]);
        assert_eq!(
            of(Major::V9_5, RM_SMGR_ID, 0x20, &main[..16])[1],
            cut("Vm", 1)
        );
    }

    #[test]
    fn unlinking_an_internal_page_of_9_4_makes_its_leaf_anew() {
        // dead 9, left 8, right 10, leaf 3 with 2 and 4 beside it, top parent 7, xact 700
        let main = words(&[1663, 16386, 16438, 9, 8, 10, 3, 2, 4, 7, 700]);
        let changes = of(Major::V9_4, RM_BTREE_ID, 0x80, &main);
        let made = |blkno: u32| {
            let block = format!("blkno: {blkno},");
            let init = |change: &String| change.contains(&block) && change.starts_with("Rebuilds");
            changes.iter().any(init)
        };
        assert!(made(9) && made(3) && !made(2) && !made(8), "{changes:?}");
    }

    #[test]
    fn databases_are_dropped_in_every_tablespace() {
        let one = ["DropsDatabase { db: 16400, ts: 1663 }".to_owned()];
        let two = [
            "DropsDatabase { db: 16400, ts: 1663 }",
            "DropsDatabase { db: 16400, ts: 16390 }",
        ];
        assert_eq!(
            of(Major::V12, RM_DBASE_ID, 0x10, &words(&[16400, 1663])),
            one
        );
        let main = words(&[16400, 2, 1663, 16390]);
        assert_eq!(of(Major::V14, RM_DBASE_ID, 0x10, &main), two);
        assert_eq!(of(Major::V15, RM_DBASE_ID, 0x20, &main), two);
        let lie = words(&[16400, 3, 1663, 16390]);
        assert!(of(Major::V15, RM_DBASE_ID, 0x20, &lie)[0].starts_with("Unclear"));
        let negative = words(&[16400, u32::MAX, 1663, 16390]);
        assert!(of(Major::V15, RM_DBASE_ID, 0x20, &negative)[0].starts_with("Unclear"));
    }

    #[test]
    fn logs_are_cut_off() {
        let clog = |major, main: &[u8]| of(major, RM_CLOG_ID, 0x10, main);
        assert_eq!(
            clog(Major::V9_6, &words(&[3])),
            ["TruncatesClog { pageno: 3, oldest: None }"]
        );
        assert_eq!(
            clog(Major::V10, &words(&[3, 100_000, 5])),
            ["TruncatesClog { pageno: 3, oldest: Some((100000, 5)) }"]
        );
        assert_eq!(
            clog(Major::V17, &words(&[3, 0, 100_000, 5])),
            ["TruncatesClog { pageno: 3, oldest: Some((100000, 5)) }"]
        );
        let multi = |major, main: &[u8]| of(major, RM_MULTIXACT_ID, 0x30, main);
        let expected =
            ["TruncatesMulti { oldest_multi_db: 5, oldest_multi: 20, oldest_offset: 40 }"];
        assert_eq!(multi(Major::V9_5, &words(&[5, 10, 20, 30, 40])), expected);
        assert_eq!(multi(Major::V19, &words(&[5, 20, 40, 0])), expected);
    }

    #[test]
    fn counters_move_past_members_and_subtransactions() {
        let main = words(&[7, 100, 2, 900, 1, 901, 4]);
        let effects = of(Major::V15, RM_MULTIXACT_ID, 0x20, &main);
        assert!(effects[0].starts_with("CreatesMulti { mid: 7, offset: 100,"));
        assert_eq!(effects[1], "AdvancesXid(901)");
        // time, xinfo, two subtransactions, the prepared transaction
        let main = words(&[0, 0, 0x12, 2, 905, 906, 904]);
        let effects = of(Major::V15, RM_XACT_ID, 0xB0, &main);
        assert_eq!(effects[0], "AdvancesXid(906)");
        assert!(effects[1].starts_with("Commits"), "{effects:?}");
        assert_eq!(effects[2], "FinishesPrepared(904)");
    }

    #[test]
    fn settings_of_every_layout() {
        let change = |major, main: &[u8]| of(major, RM_XLOG_ID, 0x60, main).concat();
        let old = change(Major::V9_3, &words(&[100, 5, 64, 2]));
        assert!(old.contains("max_connections: 100, max_worker_processes: None"));
        assert!(old.contains("max_prepared_xacts: 5, max_locks_per_xact: 64, wal_level: 2"));
        let new = change(Major::V12, &words(&[100, 8, 10, 5, 64, 1, 0x0100]));
        assert!(new.contains("max_wal_senders: Some(10), max_prepared_xacts: 5"));
        assert!(new.contains("wal_log_hints: Some(false), track_commit_timestamp: Some(true)"));
    }

    #[test]
    fn a_sequence_page_is_made_anew() {
        let main = words(&[1663, 16386, 16500, 0]);
        assert_eq!(
            of(Major::V9_0, RM_SEQ_ID, 0, &main),
            ["Rebuilds { locator: 1663/16386/16500, fork: Main, blkno: 0, image: None }"]
        );
    }
}
