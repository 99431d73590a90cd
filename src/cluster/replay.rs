//! Redo of heap records on the catalogs' blocks, so that names are those after recovery.
//!
//! Sources: `heap/heapam.c: heap_redo`, `heap2_redo` (`heap/heapam_xlog.c` from 18),
//! `page/bufpage.c: PageAddItemExtended`, `PageRepairFragmentation`, `heap/pruneheap.c:
//! heap_page_prune_execute`, `xlogutils.c: XLogReadBufferForRedoExtended`.
//!
//! Rows come out as the server's, pages not to the byte: hints (`pd_flags`,
//! `pd_prune_xid`) are left as they are, and space on a page is always made contiguous, which
//! the server sometimes puts off. Truncation is not followed: it takes only pages without
//! rows away.

use crate::format::heap::{
    HEAP_HOT_UPDATED, HEAP_KEYS_UPDATED, HEAP_MOVED_IN, HEAP_MOVED_OFF, HEAP_TUPLE_HEADER_SIZE,
    HEAP_XMAX_COMMITTED, HEAP_XMAX_EXCL_LOCK, HEAP_XMAX_INVALID, HEAP_XMAX_IS_MULTI,
    HEAP_XMAX_KEYSHR_LOCK, HEAP_XMAX_LOCK_ONLY, HEAP_XMIN_COMMITTED, HeapTupleHeader,
    MOVED_PARTITIONS_OFFSET_NUMBER, max_heap_tuples,
};
use crate::format::page::{
    ITEM_ID_SIZE, ItemId, LpFlags, PAGE_HEADER_SIZE, PAGE_LAYOUT_VERSION, PageHeader, line_pointer,
    line_pointers,
};
use crate::format::types::{
    BlockNumber, INVALID_BLOCK_NUMBER, OffsetNumber, RelFileLocator, TransactionId, XLogRecPtr,
};
use crate::format::version::{Layout, Major};
use crate::format::wal::effects::{Effect, effects};
use crate::format::wal::heap::{
    self, HeapOp, Target, TupleData, Update, XLH_DELETE_IS_PARTITION_MOVE, XLH_DELETE_IS_SUPER,
};
use crate::format::wal::heap2::{self, Heap2Op};
use crate::format::wal::prune::{self, Cleanup, Freeze, FrozenHeader};
use crate::format::wal::rmgr::{RM_HEAP_ID, RM_HEAP2_ID};
use crate::format::wal::{Decoder, Record, RecordHeader};
use crate::recovery::reader::{Position, WalContext, WalSource};
use crate::recovery::walk::{WalSink, walk};
use std::collections::BTreeMap;
use std::ops::Range;

/// A block of a main fork.
pub type BlockKey = (RelFileLocator, BlockNumber);

/// A block that redo could not bring to its state after recovery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostBlock {
    /// The first record that could not be applied.
    pub lsn: XLogRecPtr,
    /// Why.
    pub why: &'static str,
}

/// The blocks that redo changes, as they will be.
#[derive(Clone, Default, Debug)]
pub struct ReplayedBlocks {
    /// Those that can be told.
    pub pages: BTreeMap<BlockKey, Vec<u8>>,
    /// Those that cannot; what is on disk may be older than what recovery leaves.
    pub lost: BTreeMap<BlockKey, LostBlock>,
}

/// Replays the records from `start` to `end` on the blocks of main forks that are `wanted`. `base`
/// hands out a block as it is on disk, when it is fit to be read.
///
/// Memory is bounded by the blocks that change, and by the records about them in the
/// segments that are read at a time.
pub fn replay_blocks(
    context: &WalContext,
    source: &dyn WalSource,
    start: Position,
    end: Option<XLogRecPtr>,
    wanted: &(dyn Fn(RelFileLocator, BlockNumber) -> bool + Sync),
    base: &dyn Fn(RelFileLocator, BlockNumber) -> Option<Vec<u8>>,
) -> ReplayedBlocks {
    let layout = context.layout;
    let mut redo = Redo {
        layout,
        wanted,
        base,
        blocks: ReplayedBlocks::default(),
    };
    let mut decoder = Decoder::new();
    let new_sink = || Kept {
        layout,
        wanted,
        records: Vec::new(),
    };
    walk(context, source, start, end, &new_sink, &mut |kept, _| {
        for (lsn, end_lsn, bytes) in &kept.records {
            let Ok(header) = RecordHeader::parse(layout.version, bytes) else {
                continue;
            };
            if let Ok(record) = decoder.decode(layout, *lsn, *end_lsn, header, bytes) {
                redo.record(&record);
            }
        }
    });
    redo.blocks
}

impl ReplayedBlocks {
    /// Applies one record to the `wanted` blocks of main forks. `base` is as for [`replay_blocks`].
    pub fn apply(
        &mut self,
        layout: Layout,
        record: &Record<'_, '_>,
        wanted: &dyn Fn(RelFileLocator, BlockNumber) -> bool,
        base: &dyn Fn(RelFileLocator, BlockNumber) -> Option<Vec<u8>>,
    ) {
        let mut redo = Redo {
            layout,
            wanted,
            base,
            blocks: std::mem::take(self),
        };
        redo.record(record);
        *self = redo.blocks;
    }
}

/// The records about wanted blocks in one piece of WAL: start, end, bytes.
struct Kept<'a> {
    layout: Layout,
    wanted: &'a (dyn Fn(RelFileLocator, BlockNumber) -> bool + Sync),
    records: Vec<(XLogRecPtr, XLogRecPtr, Vec<u8>)>,
}

impl WalSink for Kept<'_> {
    fn record(&mut self, record: &Record<'_, '_>) {
        let mut keep = false;
        effects(self.layout, record, &mut |effect| {
            keep |= effect
                .main_block()
                .is_some_and(|(locator, blkno)| (self.wanted)(locator, blkno));
        });
        if keep {
            self.records
                .push((record.lsn, record.end_lsn, record.bytes().to_vec()));
        }
    }
}

struct Redo<'a> {
    layout: Layout,
    wanted: &'a dyn Fn(RelFileLocator, BlockNumber) -> bool,
    base: &'a dyn Fn(RelFileLocator, BlockNumber) -> Option<Vec<u8>>,
    blocks: ReplayedBlocks,
}

/// Why a page cannot take a record; the server would PANIC.
type Outcome = Result<(), &'static str>;

impl Redo<'_> {
    fn record(&mut self, record: &Record<'_, '_>) {
        let mut images = false;
        let mut touched = Vec::new();
        effects(self.layout, record, &mut |effect| {
            let block = effect.main_block();
            let Some(key) = block.filter(|(locator, blkno)| (self.wanted)(*locator, *blkno)) else {
                return;
            };
            match effect {
                Effect::Rebuilds { image, .. } => {
                    let mut page = vec![0; self.layout.blcksz as usize];
                    let outcome = match image {
                        Some(image) => {
                            images = true;
                            image
                                .restore(self.layout, &mut page)
                                .map_err(|_| "its page image cannot be restored")
                        }
                        None => {
                            init(&mut page);
                            Ok(())
                        }
                    };
                    match outcome {
                        Ok(()) => {
                            if image.is_some() {
                                set_lsn(&mut page, record.end_lsn);
                            }
                            self.blocks.lost.remove(&key);
                            self.blocks.pages.insert(key, page);
                        }
                        Err(why) => self.lose(key, record, why),
                    }
                }
                _ => touched.push(key),
            }
        });
        let parsed = match record.header.xl_rmid {
            RM_HEAP_ID => heap::parse(self.layout, record).map(|op| self.heap(record, &op)),
            // The lists are left out where there is an image, and there is one page only.
            RM_HEAP2_ID if !images => self.heap2(record),
            _ => Ok(()),
        };
        if parsed.is_err() {
            for key in touched {
                self.lose(key, record, "a record about it cannot be read");
            }
        }
    }

    fn lose(&mut self, key: BlockKey, record: &Record<'_, '_>, why: &'static str) {
        let lsn = record.lsn;
        self.blocks.pages.remove(&key);
        self.blocks
            .lost
            .entry(key)
            .or_insert(LostBlock { lsn, why });
    }

    /// Changes a page unless it holds the change already, as its LSN tells.
    fn change(
        &mut self,
        record: &Record<'_, '_>,
        locator: RelFileLocator,
        blkno: BlockNumber,
        apply: impl FnOnce(&mut [u8]) -> Outcome,
    ) {
        let key = (locator, blkno);
        if !(self.wanted)(locator, blkno) || self.blocks.lost.contains_key(&key) {
            return;
        }
        if !self.blocks.pages.contains_key(&key) {
            match (self.base)(locator, blkno) {
                Some(page) if page.len() == self.layout.blcksz as usize => {
                    self.blocks.pages.insert(key, page);
                }
                _ => return self.lose(key, record, "replay needs it, and it cannot be read"),
            }
        }
        let Some(page) = self.blocks.pages.get_mut(&key) else {
            return;
        };
        if PageHeader::parse(page).is_ok_and(|header| header.pd_lsn >= record.end_lsn) {
            return;
        }
        match apply(page) {
            Ok(()) => set_lsn(page, record.end_lsn),
            Err(why) => self.lose(key, record, why),
        }
    }

    fn heap(&mut self, record: &Record<'_, '_>, op: &HeapOp<'_>) {
        let layout = self.layout;
        let xid = record.header.xl_xid;
        match *op {
            HeapOp::Insert { target, tuple, .. } => {
                self.change(record, target.locator, target.blkno, |page| {
                    let tuple = tuple.ok_or("a record lacks the tuple it adds")?;
                    add(
                        page,
                        layout,
                        target,
                        xid,
                        TransactionId::INVALID,
                        &tuple,
                        &[],
                        &[],
                    )
                });
            }
            HeapOp::Delete {
                target,
                xmax,
                infobits,
                flags,
            } => self.change(record, target.locator, target.blkno, |page| {
                let tuple = tuple_mut(page, target.offnum)?;
                mark_xmax(layout, tuple, xmax, infobits);
                clear(tuple, INFOMASK2, HEAP_HOT_UPDATED);
                if layout.since(Major::V9_5) && flags & XLH_DELETE_IS_SUPER != 0 {
                    put_u32(tuple, XMIN, 0);
                    put_u32(tuple, XMAX, 0);
                }
                let moved = layout.since(Major::V11) && flags & XLH_DELETE_IS_PARTITION_MOVE != 0;
                put_ctid(
                    tuple,
                    if moved {
                        (INVALID_BLOCK_NUMBER, MOVED_PARTITIONS_OFFSET_NUMBER)
                    } else {
                        (target.blkno, target.offnum)
                    },
                );
                Ok(())
            }),
            HeapOp::Update(update) => self.update(record, &update, false),
            HeapOp::HotUpdate(update) => self.update(record, &update, true),
            HeapOp::Confirm(target) => {
                self.change(record, target.locator, target.blkno, |page| {
                    let tuple = tuple_mut(page, target.offnum)?;
                    put_ctid(tuple, (target.blkno, target.offnum));
                    Ok(())
                });
            }
            HeapOp::Lock {
                target,
                xmax,
                infobits,
                ..
            } => self.change(record, target.locator, target.blkno, |page| {
                let tuple = tuple_mut(page, target.offnum)?;
                mark_xmax(layout, tuple, xmax, infobits);
                if !layout.since(Major::V9_3) {
                    // Shared or exclusive: there it only matters that it is a lock.
                    set(tuple, INFOMASK, HEAP_XMAX_EXCL_LOCK);
                }
                let header = HeapTupleHeader::parse(tuple);
                if header.is_some_and(|header| header.is_locked_only(&layout)) {
                    clear(tuple, INFOMASK2, HEAP_HOT_UPDATED);
                    put_ctid(tuple, (target.blkno, target.offnum));
                }
                Ok(())
            }),
            HeapOp::Inplace { target, data } => {
                self.change(record, target.locator, target.blkno, |page| {
                    let tuple = tuple_mut(page, target.offnum)?;
                    let hoff = usize::from(tuple[HOFF]);
                    match tuple.get_mut(hoff..) {
                        Some(old) if old.len() == data.len() => old.copy_from_slice(data),
                        _ => return Err("a tuple to be overwritten has another length"),
                    }
                    Ok(())
                });
            }
            HeapOp::NewPage { .. } | HeapOp::Truncate { .. } | HeapOp::Unknown(_) => {}
        }
    }

    fn update(&mut self, record: &Record<'_, '_>, update: &Update<'_>, hot: bool) {
        let layout = self.layout;
        let Update { old, new, .. } = *update;
        let same_page = old.blkno == new.blkno;
        let put_old = |page: &mut [u8]| {
            let tuple = tuple_mut(page, old.offnum)?;
            mark_xmax(layout, tuple, update.old_xmax, update.infobits);
            clear(tuple, INFOMASK2, HEAP_HOT_UPDATED);
            if hot {
                set(tuple, INFOMASK2, HEAP_HOT_UPDATED);
            }
            put_ctid(tuple, (new.blkno, new.offnum));
            Ok(())
        };
        let put_new = |page: &mut [u8]| {
            let data = update.tuple.ok_or("a record lacks the tuple it adds")?;
            let (mut prefix, mut suffix) = (Vec::new(), Vec::new());
            if update.prefix_len > 0 || update.suffix_len > 0 {
                // Both tuples are on one page then.
                let tuple = tuple_mut(page, old.offnum)?;
                let hoff = usize::from(tuple[HOFF]);
                let whole = tuple.get(hoff..).unwrap_or_default();
                let short = "an old tuple is shorter than what its new version takes over";
                prefix = whole
                    .get(..usize::from(update.prefix_len))
                    .ok_or(short)?
                    .to_vec();
                let rest = whole.len().checked_sub(usize::from(update.suffix_len));
                suffix = rest.and_then(|at| whole.get(at..)).ok_or(short)?.to_vec();
            }
            let xid = record.header.xl_xid;
            add(
                page,
                layout,
                new,
                xid,
                update.new_xmax,
                &data,
                &prefix,
                &suffix,
            )
        };
        if same_page {
            self.change(record, new.locator, new.blkno, |page| {
                put_old(page).and_then(|()| put_new(page))
            });
        } else {
            self.change(record, old.locator, old.blkno, put_old);
            self.change(record, new.locator, new.blkno, put_new);
        }
    }

    fn heap2(&mut self, record: &Record<'_, '_>) -> Result<(), crate::format::Malformed> {
        let layout = self.layout;
        if let Some(cleanup) = prune::parse(layout, record)? {
            self.change(record, cleanup.locator, cleanup.blkno, |page| {
                clean(page, layout, &cleanup)
            });
            return Ok(());
        }
        match heap2::parse(layout, record)? {
            Heap2Op::MultiInsert(insert) => {
                let (locator, blkno) = (insert.page.locator, insert.page.blkno);
                let xid = record.header.xl_xid;
                self.change(record, locator, blkno, |page| {
                    let mut added = 0;
                    for (offnum, tuple) in insert.iter() {
                        let target = Target {
                            locator,
                            blkno,
                            offnum,
                        };
                        add(
                            page,
                            layout,
                            target,
                            xid,
                            TransactionId::INVALID,
                            &tuple,
                            &[],
                            &[],
                        )?;
                        added += 1;
                    }
                    if added < insert.ntuples {
                        return Err("a record lacks the tuples it adds");
                    }
                    Ok(())
                });
            }
            Heap2Op::LockUpdated {
                target,
                xmax,
                infobits,
                ..
            } => self.change(record, target.locator, target.blkno, |page| {
                mark_xmax(layout, tuple_mut(page, target.offnum)?, xmax, infobits);
                Ok(())
            }),
            // The others change no tuple.
            _ => {}
        }
        Ok(())
    }
}

/// Byte offsets in `HeapTupleHeaderData`.
const XMIN: usize = 0;
const XMAX: usize = 4;
const CID: usize = 8;
const CTID: usize = 12;
const INFOMASK2: usize = 18;
const INFOMASK: usize = 20;
const HOFF: usize = 22;
/// Byte offsets in `PageHeaderData`.
const PD_LOWER: usize = 12;
const PD_UPPER: usize = 14;
const PD_SPECIAL: usize = 16;
const PD_PAGESIZE_VERSION: usize = 18;

fn put_u16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn get_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn set(bytes: &mut [u8], at: usize, bits: u16) {
    put_u16(bytes, at, get_u16(bytes, at) | bits);
}

fn clear(bytes: &mut [u8], at: usize, bits: u16) {
    put_u16(bytes, at, get_u16(bytes, at) & !bits);
}

fn put_ctid(tuple: &mut [u8], (blkno, offnum): (BlockNumber, OffsetNumber)) {
    put_u16(tuple, CTID, (blkno >> 16) as u16);
    put_u16(tuple, CTID + 2, blkno as u16);
    put_u16(tuple, CTID + 4, offnum);
}

fn set_lsn(page: &mut [u8], lsn: XLogRecPtr) {
    put_u32(page, 0, lsn.high());
    put_u32(page, 4, lsn.low());
}

/// `PageInit` without special space, on a page of zeros. Sizes of pages fit in 16 bits: the
/// largest is 32 kB.
fn init(page: &mut [u8]) {
    let size = page.len() as u16;
    put_u16(page, PD_LOWER, PAGE_HEADER_SIZE);
    put_u16(page, PD_UPPER, size);
    put_u16(page, PD_SPECIAL, size);
    put_u16(page, PD_PAGESIZE_VERSION, size | PAGE_LAYOUT_VERSION);
}

/// The page's header, when pointers in it can be followed.
fn header_of(page: &[u8]) -> Result<PageHeader, &'static str> {
    let header = PageHeader::parse(page).map_err(|_| "it has no page header")?;
    let sane = header.pd_lower >= PAGE_HEADER_SIZE
        && header.pd_lower <= header.pd_upper
        && header.pd_upper <= header.pd_special
        && usize::from(header.pd_special) <= page.len();
    if sane {
        Ok(header)
    } else {
        Err("its page header is not sane")
    }
}

/// The bytes of a tuple with a whole header.
fn tuple_mut(page: &mut [u8], offnum: OffsetNumber) -> Result<&mut [u8], &'static str> {
    let header = header_of(page)?;
    line_pointer(page, &header, offnum)
        .filter(|lp| lp.flags() == LpFlags::Normal && lp.lp_len() >= HEAP_TUPLE_HEADER_SIZE)
        .and_then(|lp| page.get_mut(usize::from(lp.lp_off())..usize::from(lp.end())))
        .ok_or("it lacks a tuple that a record changes")
}

/// `fix_infomask_from_infobits` and what surrounds it. The bits that came in 9.3 are free
/// before.
fn mark_xmax(layout: Layout, tuple: &mut [u8], xmax: TransactionId, infobits: u8) {
    clear(
        tuple,
        INFOMASK,
        HEAP_XMAX_COMMITTED
            | HEAP_XMAX_INVALID
            | HEAP_XMAX_IS_MULTI
            | HEAP_XMAX_LOCK_ONLY
            | HEAP_XMAX_KEYSHR_LOCK
            | HEAP_XMAX_EXCL_LOCK
            | HEAP_MOVED_OFF
            | HEAP_MOVED_IN,
    );
    let bits = [
        (0x01, HEAP_XMAX_IS_MULTI),
        (0x02, HEAP_XMAX_LOCK_ONLY),
        (0x04, HEAP_XMAX_EXCL_LOCK),
        (0x08, HEAP_XMAX_KEYSHR_LOCK),
    ];
    for (infobit, bit) in bits {
        if infobits & infobit != 0 {
            set(tuple, INFOMASK, bit);
        }
    }
    if layout.since(Major::V9_3) {
        clear(tuple, INFOMASK2, HEAP_KEYS_UPDATED);
        if infobits & 0x10 != 0 {
            set(tuple, INFOMASK2, HEAP_KEYS_UPDATED);
        }
    }
    put_u32(tuple, XMAX, xmax.0);
    put_u32(tuple, CID, 0);
}

/// Builds a tuple as records carry it, `prefix` and `suffix` taken from an older version,
/// and puts it at its line pointer (`PageAddItemExtended` with `PAI_OVERWRITE` and
/// `PAI_IS_HEAP`).
#[allow(clippy::too_many_arguments)] // the parts of one tuple
fn add(
    page: &mut [u8],
    layout: Layout,
    target: Target,
    xmin: TransactionId,
    xmax: TransactionId,
    data: &TupleData<'_>,
    prefix: &[u8],
    suffix: &[u8],
) -> Outcome {
    let fixed = usize::from(HEAP_TUPLE_HEADER_SIZE);
    // Between header and prefix lie bitmap, padding and object id, which the record has.
    let own = if prefix.is_empty() {
        data.bytes.len()
    } else {
        usize::from(data.t_hoff).saturating_sub(fixed)
    };
    let (before, behind) = data
        .bytes
        .split_at_checked(own)
        .ok_or("a record's tuple is shorter than its header")?;
    let mut tuple = vec![0; fixed];
    for part in [before, prefix, behind, suffix] {
        tuple.extend_from_slice(part);
    }
    put_u32(&mut tuple, XMIN, xmin.0);
    put_u32(&mut tuple, XMAX, xmax.0);
    put_ctid(&mut tuple, (target.blkno, target.offnum));
    put_u16(&mut tuple, INFOMASK2, data.t_infomask2);
    put_u16(&mut tuple, INFOMASK, data.t_infomask);
    tuple[HOFF] = data.t_hoff;

    let header = header_of(page)?;
    let offnum = target.offnum;
    if offnum == 0 || u32::from(offnum) > max_heap_tuples(layout.blcksz) {
        return Err("a record adds a tuple at an impossible line pointer");
    }
    let used = line_pointer(page, &header, offnum)
        .is_some_and(|lp| lp.flags() != LpFlags::Unused || lp.lp_len() != 0);
    if used {
        return Err("a record adds a tuple at a line pointer in use");
    }
    // Line pointers left out before it become unused ones: `clean` cuts off more of them
    // than some versions do.
    let lower = header
        .pd_lower
        .max(PAGE_HEADER_SIZE + offnum * ITEM_ID_SIZE);
    let aligned = tuple.len().next_multiple_of(8);
    let upper = usize::from(header.pd_upper).checked_sub(aligned);
    let Some(upper) = upper.filter(|upper| *upper >= usize::from(lower)) else {
        return Err("it has no room for a tuple that a record adds");
    };
    page[usize::from(header.pd_lower)..usize::from(lower)].fill(0);
    page[upper..upper + tuple.len()].copy_from_slice(&tuple);
    // Both lie within the page.
    let lp = upper as u32 | 1 << 15 | (tuple.len() as u32) << 17;
    put_line_pointer(page, offnum, ItemId(lp));
    put_u16(page, PD_LOWER, lower);
    put_u16(page, PD_UPPER, upper as u16);
    Ok(())
}

/// Of a line pointer that `pd_lower` covers.
fn put_line_pointer(page: &mut [u8], offnum: OffsetNumber, lp: ItemId) {
    let at = usize::from(PAGE_HEADER_SIZE) + usize::from(offnum - 1) * usize::from(ITEM_ID_SIZE);
    put_u32(page, at, lp.0);
}

/// Prunes and freezes (`heap_page_prune_execute`, `heap_execute_freeze_tuple`).
fn clean(page: &mut [u8], layout: Layout, cleanup: &Cleanup<'_>) -> Outcome {
    let header = header_of(page)?;
    let redirected = cleanup
        .redirected
        .iter()
        .map(|r| (r.from, ItemId(u32::from(r.to & 0x7FFF) | 2 << 15)));
    let dead = cleanup.dead.iter().map(|offnum| (offnum, ItemId(3 << 15)));
    let unused = cleanup.unused.iter().map(|offnum| (offnum, ItemId(0)));
    let mut pruned = false;
    for (offnum, lp) in redirected.chain(dead).chain(unused) {
        if line_pointer(page, &header, offnum).is_none() {
            return Err("it lacks a line pointer that a record prunes");
        }
        put_line_pointer(page, offnum, lp);
        pruned = true;
    }
    if pruned {
        compact(page)?;
    }
    for (offnum, frozen) in cleanup.freeze.headers() {
        freeze(tuple_mut(page, offnum)?, &frozen);
    }
    if let Freeze::Older(cutoff_xid, offsets) = cleanup.freeze {
        for offnum in offsets.iter() {
            freeze_older(layout, tuple_mut(page, offnum)?, cutoff_xid);
        }
    }
    Ok(())
}

fn freeze(tuple: &mut [u8], frozen: &FrozenHeader) {
    put_u32(tuple, XMAX, frozen.xmax.0);
    put_u16(tuple, INFOMASK2, frozen.t_infomask2);
    put_u16(tuple, INFOMASK, frozen.t_infomask);
    if frozen.frzflags & 1 != 0 {
        put_u32(tuple, XMIN, TransactionId::FROZEN.0);
    }
    if frozen.frzflags & 2 != 0 {
        put_u32(tuple, CID, TransactionId::FROZEN.0);
    }
    if frozen.frzflags & 4 != 0 {
        put_u32(tuple, CID, TransactionId::INVALID.0);
    }
}

/// `heap_freeze_tuple` up to 9.3.
fn freeze_older(layout: Layout, tuple: &mut [u8], cutoff_xid: TransactionId) {
    let Some(header) = HeapTupleHeader::parse(tuple) else {
        return;
    };
    if header.t_xmin.is_normal() && header.t_xmin.precedes(cutoff_xid) {
        put_u32(tuple, XMIN, TransactionId::FROZEN.0);
        set(tuple, INFOMASK, HEAP_XMIN_COMMITTED);
    }
    let xmax = header.t_xmax;
    if !header.has(HEAP_XMAX_IS_MULTI) && xmax.is_normal() && xmax.precedes(cutoff_xid) {
        mark_xmax(layout, tuple, TransactionId::INVALID, 0);
        set(tuple, INFOMASK, HEAP_XMAX_INVALID);
        clear(tuple, INFOMASK2, HEAP_HOT_UPDATED);
    }
}

/// `PageRepairFragmentation`: moves the tuples together at the page's end, and cuts off
/// unused line pointers behind the last that is in use.
fn compact(page: &mut [u8]) -> Outcome {
    let header = header_of(page)?;
    let before = page.to_vec();
    let mut last_used = 0;
    let mut items: Vec<(OffsetNumber, ItemId, Range<usize>)> = Vec::new();
    for (offnum, lp) in line_pointers(&before, &header) {
        if lp.flags() != LpFlags::Unused {
            last_used = offnum;
        }
        if lp.lp_len() > 0 {
            let bytes = usize::from(lp.lp_off())..usize::from(lp.end());
            if bytes.start < usize::from(header.pd_upper)
                || bytes.end > usize::from(header.pd_special)
            {
                return Err("it has a line pointer that leads astray");
            }
            items.push((offnum, lp, bytes));
        }
    }
    items.sort_by_key(|(_, lp, _)| std::cmp::Reverse(lp.lp_off()));
    let mut upper = usize::from(header.pd_special);
    for (offnum, lp, bytes) in items {
        let aligned = bytes.len().next_multiple_of(8);
        upper = upper
            .checked_sub(aligned)
            .filter(|upper| *upper >= usize::from(header.pd_lower))
            .ok_or("its tuples are longer than the page")?;
        page[upper..upper + bytes.len()].copy_from_slice(&before[bytes]);
        put_line_pointer(page, offnum, ItemId(lp.0 & !0x7FFF | upper as u32));
    }
    put_u16(page, PD_UPPER, upper as u16);
    put_u16(page, PD_LOWER, PAGE_HEADER_SIZE + last_used * ITEM_ID_SIZE);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::Version;
    use crate::format::wal::Array;
    use proptest::prelude::*;

    fn layout() -> Layout {
        Layout::usual(Version::of(Major::V15).unwrap())
    }

    fn target(offnum: OffsetNumber) -> Target {
        Target {
            blkno: 7,
            offnum,
            ..Target::default()
        }
    }

    /// Adds a tuple of `bytes` behind a header of 24.
    fn put(page: &mut [u8], offnum: OffsetNumber, bytes: &[u8]) -> Outcome {
        let data = [&[0], bytes].concat();
        let tuple = TupleData {
            t_infomask2: 1,
            t_infomask: HEAP_XMAX_INVALID,
            t_hoff: 24,
            bytes: &data,
        };
        let xid = TransactionId(731);
        add(
            page,
            layout(),
            target(offnum),
            xid,
            TransactionId::INVALID,
            &tuple,
            &[],
            &[],
        )
    }

    fn page() -> Vec<u8> {
        let mut page = vec![0; 8192];
        init(&mut page);
        page
    }

    fn data(page: &mut [u8], offnum: OffsetNumber) -> Vec<u8> {
        tuple_mut(page, offnum).unwrap()[24..].to_vec()
    }

    fn cleanup() -> Cleanup<'static> {
        Cleanup {
            locator: RelFileLocator::default(),
            blkno: 7,
            redirected: Array::default(),
            dead: Array::default(),
            unused: Array::default(),
            freeze: Freeze::Nothing,
        }
    }

    #[test]
    fn tuples_are_added_where_the_record_says() {
        let mut page = page();
        put(&mut page, 1, b"one").unwrap();
        put(&mut page, 2, b"two").unwrap();
        assert_eq!(data(&mut page, 2), b"two");
        let header = HeapTupleHeader::parse(tuple_mut(&mut page, 2).unwrap()).unwrap();
        assert_eq!(header.t_xmin, TransactionId(731));
        assert_eq!(header.t_ctid.to_string(), "(7,2)");
        assert_eq!(PageHeader::parse(&page).unwrap().pd_lower, 32);
        assert!(put(&mut page, 2, b"again").is_err(), "it is in use");
        assert!(put(&mut page, 0, b"zero").is_err());
        assert!(put(&mut page, 5000, b"far").is_err());
        assert!(put(&mut page, 3, &[1; 8192]).is_err(), "no room");
    }

    #[test]
    fn new_versions_take_over_what_they_share() {
        let mut page = page();
        put(&mut page, 1, b"prefix old suffix").unwrap();
        // No null bitmap: one byte of padding, then what is new.
        let tuple = TupleData {
            t_infomask2: 1,
            t_infomask: 0,
            t_hoff: 24,
            bytes: b"\0new",
        };
        let xids = (TransactionId(732), TransactionId::INVALID);
        add(
            &mut page,
            layout(),
            target(2),
            xids.0,
            xids.1,
            &tuple,
            b"prefix ",
            b" suffix",
        )
        .unwrap();
        assert_eq!(data(&mut page, 2), b"prefix new suffix");
    }

    #[test]
    fn pruning_makes_room_and_keeps_the_rest() {
        let mut page = page();
        let big = [7; 2000];
        for offnum in 1..=4 {
            put(&mut page, offnum, &[&big[..], &[offnum as u8]].concat()).unwrap();
        }
        assert!(put(&mut page, 5, &big).is_err());
        let bytes: Vec<u8> = [2_u16, 4].iter().flat_map(|n| n.to_le_bytes()).collect();
        let mut c = crate::format::Cursor::packed("test", &bytes);
        let unused = Array::take(&mut c, 2).unwrap();
        let cut = Cleanup {
            unused,
            ..cleanup()
        };
        clean(&mut page, layout(), &cut).unwrap();
        assert_eq!(PageHeader::parse(&page).unwrap().max_offset_number(), 3);
        assert_eq!(data(&mut page, 3)[2000], 3);
        put(&mut page, 2, &big).unwrap();
        // Older servers keep unused line pointers at the end, and go on behind them.
        put(&mut page, 5, b"five").unwrap();
        assert_eq!(data(&mut page, 1)[2000], 1);
        assert!(tuple_mut(&mut page, 4).is_err());
        assert!(clean(&mut page, layout(), &cut).is_ok());
        let mut empty = super::tests::page();
        assert!(clean(&mut empty, layout(), &cut).is_err());
    }

    #[test]
    fn a_lock_is_no_deletion() {
        for major in [Major::V9_2, Major::V15] {
            let layout = Layout::usual(Version::of(major).unwrap());
            let mut page = page();
            put(&mut page, 1, b"row").unwrap();
            let tuple = tuple_mut(&mut page, 1).unwrap();
            mark_xmax(layout, tuple, TransactionId(740), 0x06);
            let header = HeapTupleHeader::parse(tuple).unwrap();
            assert!(header.is_locked_only(&layout));
            mark_xmax(layout, tuple, TransactionId(741), 0);
            let header = HeapTupleHeader::parse(tuple).unwrap();
            assert!(!header.is_locked_only(&layout));
            assert_eq!(header.t_xmax, TransactionId(741));
        }
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_changed(
            head in proptest::collection::vec(any::<u8>(), 8..200),
            lower in 0_u16..200, upper in 0_u16..9000, offnum: u16,
            numbers in proptest::collection::vec(0_u8..60, 0..40),
        ) {
            let mut page = vec![0x5A; 8192];
            page[24..24 + head.len()].copy_from_slice(&head);
            put_u16(&mut page, PD_LOWER, lower);
            put_u16(&mut page, PD_UPPER, upper);
            put_u16(&mut page, PD_SPECIAL, 8192);
            let _ = put(&mut page, offnum % 64, &head);
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| [*n, 0]).collect();
            let mut c = crate::format::Cursor::packed("test", &bytes);
            let unused = Array::take(&mut c, i64::try_from(numbers.len()).unwrap()).unwrap();
            let _ = clean(&mut page, layout(), &Cleanup { unused, ..cleanup() });
            let freeze = Freeze::Older(TransactionId(800), unused);
            let _ = clean(&mut page, layout(), &Cleanup { freeze, ..cleanup() });
            let _ = put(&mut page, offnum, &head);
        }
    }
}
