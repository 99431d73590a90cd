//! What one thread has seen; small, and merged in the end.

use super::assembly::Assembly;
use super::page::PageView;
use super::replayed::SetAside;
use super::rows::TupleState;
use super::toast::ToastSums;
use crate::cluster::xact::XactCache;
use crate::finding::{Finding, Findings, Recovery};
use crate::format::cause::Explanation;
use crate::format::chain::UpdateChains;
use crate::format::heap::HeapTuples;
use crate::format::types::{BlockNumber, OffsetNumber, RelFileLocator};
use crate::format::version::Layout;
use roaring::RoaringBitmap;
use std::collections::BTreeMap;

/// Counts of one fork.
#[derive(Clone, Debug, Default)]
pub struct ForkTally {
    /// Blocks read.
    pub blocks: u64,
    /// Heap tuples.
    pub tuples: u64,
    /// Tuples that a query on what is on disk would return.
    pub rows: u64,
    /// Tuples whose visibility cannot be decided.
    pub unreadable_tuples: u64,
    /// Blocks that the server refuses, and replay does not mend.
    pub unreadable: RoaringBitmap,
    /// Blocks that replay changes or makes anew.
    pub wal_blocks: u64,
    /// Blocks that are zero throughout.
    pub zero: RoaringBitmap,
    /// The last block that is not.
    pub last_nonzero: Option<BlockNumber>,
    /// Of a visibility map: heap blocks it calls all-visible.
    pub all_visible: RoaringBitmap,
    /// Of a visibility map: heap blocks it calls all-frozen, 9.6 and later.
    pub all_frozen: RoaringBitmap,
    /// Heap blocks, not changed by replay, without the flag `PD_ALL_VISIBLE`.
    pub unmarked: RoaringBitmap,
    /// Heap blocks, not changed by replay, with a tuple that not everyone sees.
    pub not_visible: RoaringBitmap,
    /// Heap blocks, not changed by replay, with a tuple that is not frozen.
    pub not_frozen: RoaringBitmap,
    /// Of a free space map: the last heap block that it says has room, and the block of the
    /// map that says so.
    pub free_until: Option<(BlockNumber, BlockNumber)>,
    /// Of an index: the last block of its table that entries lead to, and the last such entry
    /// by block and line pointer; not of pages that replay changes.
    pub leads_to: Option<(BlockNumber, BlockNumber, OffsetNumber)>,
    /// Of a catalog of large objects: those that it has rows of.
    pub loids: RoaringBitmap,
    /// Of `pg_largeobject`: the bits of its rows (`large_objects::bit_of`).
    pub large_object_pages: RoaringBitmap,
    /// Those that more than one row has.
    pub large_object_pages_twice: RoaringBitmap,
    /// Whether there may be more, or fewer.
    pub loids_are_open: bool,
    /// What seems to have happened to the first damaged blocks, where one can tell.
    pub causes: BTreeMap<BlockNumber, Option<Explanation>>,
    /// Of a table: the chunks its rows ask for; of a TOAST table: those it has, taken away.
    pub toast_sum: u64,
}

impl ForkTally {
    /// Adds another's counts.
    pub fn merge(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.tuples += other.tuples;
        self.rows += other.rows;
        self.unreadable_tuples += other.unreadable_tuples;
        self.unreadable |= other.unreadable;
        self.wal_blocks += other.wal_blocks;
        self.zero |= other.zero;
        self.last_nonzero = self.last_nonzero.max(other.last_nonzero);
        self.all_visible |= other.all_visible;
        self.all_frozen |= other.all_frozen;
        self.unmarked |= other.unmarked;
        self.not_visible |= other.not_visible;
        self.not_frozen |= other.not_frozen;
        self.toast_sum = self.toast_sum.wrapping_add(other.toast_sum);
        self.leads_to = self.leads_to.max(other.leads_to);
        self.loids |= other.loids;
        self.loids_are_open |= other.loids_are_open;
        self.large_object_pages_twice |= other.large_object_pages_twice;
        for bit in other.large_object_pages {
            self.add_large_object_page(bit);
        }
        self.free_until = self.free_until.max(other.free_until);
        for (blkno, cause) in other.causes {
            self.explain(blkno, || cause);
        }
    }

    /// Sets the bit of a page of a large object.
    pub fn add_large_object_page(&mut self, bit: u32) {
        if !self.large_object_pages.insert(bit) {
            self.large_object_pages_twice.insert(bit);
        }
    }

    /// Keeps the cause of a damaged block, if it is among the first; `why` may take long.
    pub fn explain(&mut self, blkno: BlockNumber, why: impl FnOnce() -> Option<Explanation>) {
        let last = self.causes.last_key_value().map(|(blkno, _)| *blkno);
        let is_full = self.causes.len() >= MAX_CAUSES;
        if self.causes.contains_key(&blkno) || is_full && last.is_some_and(|last| last < blkno) {
            return;
        }
        self.causes.insert(blkno, why());
        if is_full {
            self.causes.pop_last();
        }
    }
}

/// Blocks of a fork whose cause is looked for.
const MAX_CAUSES: usize = 32;

/// Tuples that need something of the commit log or of the multixacts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Need {
    /// How many.
    pub tuples: u64,
    /// The first of them: fork, block, line pointer.
    pub first: (usize, BlockNumber, OffsetNumber),
    /// Its transaction or multixact.
    pub example: u32,
}

/// What of the SLRUs is needed and is not there, or not good. Pages are counted through all
/// segments.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lack {
    /// A commit log page that is not there.
    ClogPage(u64),
    /// A commit log page that is not there, and that the tuple's hint bit makes up for.
    HintedOnMissingClogPage(u64),
    /// A commit log page that is all zero although a tuple says its transaction committed.
    ZeroedClogPage(u64),
    /// A commit log page that is all zero, which decides about the tuple: it has no hint bit.
    UnhintedOnZeroClogPage(u64),
    /// A commit log page that answers for transactions that cannot be.
    ForeignClogPage(u64),
    /// A page of multixact offsets that is not there.
    OffsetsPage(u64),
    /// A page of multixact members that is not there.
    MembersPage(u64),
}

/// What one thread has seen.
pub struct Tally {
    /// Findings on blocks and tuples.
    pub findings: Findings,
    /// Those about rows on pages that replay makes anew.
    pub(super) set_aside: SetAside,
    /// Counts by fork.
    pub forks: BTreeMap<usize, ForkTally>,
    /// Counts of the chunk in hand, and of those before it of the same fork.
    pub chunk: ForkTally,
    /// The fork of the chunk in hand.
    pub fork: usize,
    /// What is lacking, and by which relations.
    pub lacks: BTreeMap<(Lack, RelFileLocator), Need>,
    /// What rows ask for of TOAST tables, and what these have.
    pub toast: ToastSums,
    /// Values of TOAST tables of which chunks are still to come.
    pub assembly: Assembly,
    /// Room for the tuples of a page.
    pub tuples: HeapTuples,
    /// What is known of them, in the same order; nothing without a commit log.
    pub states: Vec<TupleState>,
    /// Room for the update chains of a page.
    pub chains: UpdateChains,
    /// What was looked up lately.
    pub xacts: XactCache,
    /// Room for a value that is decompressed.
    pub inflated: Vec<u8>,
}

impl Tally {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(layout: &Layout, max_findings: usize) -> Self {
        Self {
            findings: Findings::new(max_findings),
            set_aside: SetAside::new(),
            forks: BTreeMap::new(),
            chunk: ForkTally::default(),
            fork: 0,
            lacks: BTreeMap::new(),
            toast: ToastSums::default(),
            assembly: Assembly::default(),
            tuples: HeapTuples::new(layout),
            states: Vec::new(),
            chains: UpdateChains::default(),
            xacts: XactCache::default(),
            inflated: Vec::new(),
        }
    }

    /// Takes in a finding.
    pub fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Keeps the cause of a damaged block that replay does not mend.
    pub fn explain(&mut self, view: &PageView<'_>, why: impl FnOnce() -> Option<Explanation>) {
        if view.recovery() != Recovery::Heals {
            self.chunk.explain(view.blkno, why);
        }
    }

    /// Takes a chunk of a fork in hand.
    pub(super) fn turn_to(&mut self, fork: usize) {
        if fork != self.fork {
            self.put_down();
            self.fork = fork;
        }
    }

    /// Adds what was counted in the last chunks.
    pub(super) fn put_down(&mut self) {
        let counts = std::mem::take(&mut self.chunk);
        if counts.blocks > 0 {
            self.forks.entry(self.fork).or_default().merge(counts);
        }
    }

    /// One tuple lacks something.
    pub fn lack(
        &mut self,
        lack: Lack,
        relation: RelFileLocator,
        at: (BlockNumber, OffsetNumber),
        example: u32,
    ) {
        let first = (self.fork, at.0, at.1);
        let need = Need {
            tuples: 1,
            first,
            example,
        };
        merge_need(&mut self.lacks, (lack, relation), need);
    }

    /// Adds another thread's, but for the values that it has begun.
    pub fn merge(&mut self, other: Self) {
        self.findings.merge(other.findings);
        self.set_aside.extend(other.set_aside);
        self.put_back();
        self.toast.merge(other.toast);
        for (fork, counts) in other.forks {
            self.forks.entry(fork).or_default().merge(counts);
        }
        for (key, need) in other.lacks {
            merge_need(&mut self.lacks, key, need);
        }
    }
}

fn merge_need(
    lacks: &mut BTreeMap<(Lack, RelFileLocator), Need>,
    key: (Lack, RelFileLocator),
    need: Need,
) {
    match lacks.get_mut(&key) {
        Some(known) => {
            known.tuples += need.tuples;
            if need.first < known.first {
                known.first = need.first;
                known.example = need.example;
            }
        }
        None => {
            lacks.insert(key, need);
        }
    }
}
