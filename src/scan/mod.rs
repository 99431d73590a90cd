//! The parallel driver: each block is read once and parsed once, and handed to the checks.
//!
//! Threads share nothing while they work, but for values out of line of which each has met
//! chunks. Each keeps a [`Tally`]; the tallies are merged in the end, and what they keep does
//! not depend on who saw what first.

pub mod assembly;
pub mod first_page;
pub mod forks;
pub mod large_objects;
pub mod page;
mod replayed;
pub mod rows;
pub mod tally;
pub mod toast;
mod visibility;

use crate::checks;
use crate::checks::large_object_invalid::LargeObjects;
use crate::cluster::catalog::{Catalog, CatalogRedo, CatalogRelation, Promise};
use crate::cluster::xact::XactLog;
use crate::finding::Recovery;
use crate::format::cause::explain_content;
use crate::format::index::{PageKind, last_block_led_to};
use crate::format::page::{PageHeader, is_zeroed};
use crate::format::tuple::TupleDesc;
use crate::format::types::{
    BlockNumber, ForkNumber, FullTransactionId, MultiXactId, MultiXactOffset, TransactionId,
    XLogRecPtr,
};
use crate::format::version::Layout;
use crate::pgdata::{Chunk, Evidence, FileId};
use crate::recovery::beyond::Ledger;
use crate::recovery::plan::{Counters, Plan};
use crate::recovery::survey::Written;
use assembly::Assembly;
use forks::ForkFiles;
use page::{HeapView, PageView};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tally::Tally;
use toast::ToastLink;

/// The transactions and multixacts that can stand in tuples, once replay is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Horizons {
    /// Next transaction.
    pub next_xid: FullTransactionId,
    /// Oldest transaction that may still be asked about.
    pub oldest_xid: TransactionId,
    /// Next multixact.
    pub next_multi: MultiXactId,
    /// Where the next multixact's members go.
    pub next_multi_offset: MultiXactOffset,
    /// Oldest multixact; unknown before 9.3.
    pub oldest_multi: Option<MultiXactId>,
}

/// What is wrong with a number that is no valid one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutOfRange {
    /// It was never given out.
    NeverAssigned,
    /// It was given out so long ago that nothing of it is kept.
    BeforeOldest,
}

impl Horizons {
    /// From the counters as replay leaves them.
    #[must_use]
    pub fn of(counters: &Counters) -> Self {
        Self {
            next_xid: counters.next_xid,
            oldest_xid: counters.oldest_xid,
            next_multi: counters.next_multi,
            next_multi_offset: counters.next_multi_offset,
            oldest_multi: counters.oldest_multi,
        }
    }

    /// Whether a tuple may carry a normal transaction number.
    #[inline]
    #[must_use]
    pub fn xid_is_valid(&self, xid: TransactionId) -> bool {
        // Distances from the oldest, in a circle: oldest <= xid < next.
        let next = self.next_xid.xid();
        xid.0.wrapping_sub(self.oldest_xid.0) < next.0.wrapping_sub(self.oldest_xid.0)
    }

    /// The same of all from the first up to the last.
    #[inline]
    #[must_use]
    pub fn xids_are_valid(&self, first: TransactionId, last: TransactionId) -> bool {
        let from_oldest = |xid: TransactionId| xid.0.wrapping_sub(self.oldest_xid.0);
        self.xid_is_valid(last) && from_oldest(first) <= from_oldest(last)
    }

    /// Why it may not. In epoch 0 a number past the next one was never assigned, though it
    /// looks old when compared in a circle.
    #[must_use]
    pub fn xid_fault(&self, xid: TransactionId) -> Option<OutOfRange> {
        if self.xid_is_valid(xid) {
            return None;
        }
        let next = self.next_xid.xid();
        let never = self.next_xid.epoch() == 0 && xid.0 >= next.0 || !xid.precedes(next);
        Some(if never {
            OutOfRange::NeverAssigned
        } else {
            OutOfRange::BeforeOldest
        })
    }

    /// Whether a tuple may carry a multixact.
    #[inline]
    #[must_use]
    pub fn multi_is_valid(&self, multi: MultiXactId) -> bool {
        self.multi_fault(multi).is_none()
    }

    /// Why it may not. Before 9.3 old multixacts stay in tuples, and nobody asks for them.
    #[must_use]
    pub fn multi_fault(&self, multi: MultiXactId) -> Option<OutOfRange> {
        match self.oldest_multi {
            Some(oldest) => {
                if multi.wrapping_sub(oldest) < self.next_multi.wrapping_sub(oldest) {
                    None
                } else if multi.wrapping_sub(self.next_multi) < 0x8000_0000 {
                    Some(OutOfRange::NeverAssigned)
                } else {
                    Some(OutOfRange::BeforeOldest)
                }
            }
            None if multi.wrapping_sub(self.next_multi) < 0x8000_0000 => {
                Some(OutOfRange::NeverAssigned)
            }
            None => None,
        }
    }
}

/// What replay does, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub enum Replay<'a> {
    /// The server was shut down cleanly: nothing is replayed.
    None,
    /// This.
    Plan(&'a Plan),
    /// The WAL that would tell cannot be read.
    Unknown,
}

/// What the scan must know of the cluster.
pub struct ScanContext<'a> {
    /// Version and sizes.
    pub layout: Layout,
    /// Whether pages carry checksums that hold.
    pub checksums: bool,
    /// Whether to look at checksums alone, as `pg_checksums` does.
    pub only_checksums: bool,
    /// The valid transactions, when `pg_control` tells.
    pub horizons: Option<Horizons>,
    /// What replay does.
    pub replay: Replay<'a>,
    /// The WAL that it reads.
    pub redo: Option<CatalogRedo<'a>>,
    /// End of all WAL, when it is known.
    pub wal_end: Option<XLogRecPtr>,
    /// The WAL that the next start does not reach.
    pub beyond: Option<&'a Ledger>,
    /// The pages that the checkpoint has seen to disk.
    pub written: Option<&'a Written>,
    /// The commit log.
    pub xacts: Option<&'a XactLog<'a>>,
    /// Whether every page of it that may be asked for is there, and none is all zero.
    pub clog_is_whole: bool,
    /// Transactions before this one were over before replay starts, but for prepared ones.
    pub settled_before: Option<TransactionId>,
    /// Names of relations; one without was not committed.
    pub names: &'a Catalog,
    /// Findings kept of each group.
    pub max_findings: usize,
}

impl ScanContext<'_> {
    /// What the catalogs promise of a table's tuples; nothing while replay, which the catalogs
    /// would have to follow, is unknown.
    fn promise(&self, fork: &ForkFiles) -> Option<Promise> {
        let known = !matches!(self.replay, Replay::Unknown) && fork.fork == ForkNumber::Main;
        known.then(|| self.names.promise(fork.locator)).flatten()
    }

    /// How the tuples of a table are laid out; nothing while replay is unknown, and for forks
    /// that the next start empties.
    fn tuple_desc(&self, fork: &ForkFiles) -> Option<&TupleDesc> {
        let reset = fork.unlogged && !matches!(self.replay, Replay::None);
        let known = !matches!(self.replay, Replay::Unknown)
            && fork.fork == ForkNumber::Main
            && !fork.temporary
            && !reset;
        known
            .then(|| self.names.tuple_desc(fork.locator, self.wal_end))
            .flatten()
    }

    /// The kind of the pages of a relation; nothing while replay is unknown, and where the
    /// catalogs may have relations that were dropped long ago.
    fn page_kind(&self, fork: &ForkFiles) -> Option<PageKind> {
        let known = !matches!(self.replay, Replay::Unknown)
            && self.clog_is_whole
            && fork.fork == ForkNumber::Main
            && !fork.temporary;
        known
            .then(|| self.names.page_kind(fork.locator, self.wal_end))
            .flatten()
    }

    /// The catalogs' row of a sequence; nothing while replay is unknown.
    fn sequence(&self, fork: &ForkFiles) -> Option<&CatalogRelation> {
        let known = !matches!(self.replay, Replay::Unknown)
            && fork.fork == ForkNumber::Main
            && !fork.temporary;
        let relation = known.then(|| self.names.relation(fork.locator)).flatten();
        relation.filter(|relation| relation.class.relkind == b'S')
    }

    /// For pages as replay leaves them.
    fn after_replay(&self) -> Self {
        Self {
            replay: Replay::None,
            redo: None,
            checksums: false,
            written: None,
            ..*self
        }
    }

    /// Which catalog of large objects it is, if it is one.
    fn large_objects(&self, fork: &ForkFiles) -> Option<LargeObjects> {
        let is_main = fork.fork == ForkNumber::Main && !fork.temporary;
        let relation = is_main.then(|| self.names.relation(fork.locator)).flatten();
        relation.and_then(|relation| LargeObjects::of(relation.class.oid))
    }

    /// How many blocks the main fork of a relation has once replay is done; nothing when
    /// replay cuts or drops it, or is unknown.
    #[must_use]
    pub fn end_after_replay(&self, fork: &ForkFiles) -> Option<BlockNumber> {
        let blocks = fork.blocks(&self.layout);
        let plan = match self.replay {
            Replay::None => return Some(blocks),
            Replay::Plan(plan) => plan,
            Replay::Unknown => return None,
        };
        if plan.removes(fork.locator) {
            return None;
        }
        let Some(changes) = plan.forks.get(&(fork.locator, ForkNumber::Main)) else {
            return Some(blocks);
        };
        if changes.truncated_to.is_some() {
            return None;
        }
        let last = changes.rebuilt.max().max(changes.read_first.max());
        Some(blocks.max(last.map_or(0, |last| last.saturating_add(1))))
    }

    /// What the next start makes of a damaged file, whatever its blocks.
    #[must_use]
    pub fn fate_of_fork(&self, fork: &ForkFiles) -> Recovery {
        // postmaster.c: RemovePgTempFiles.
        if fork.temporary {
            return Recovery::Heals;
        }
        match self.replay {
            Replay::None => Recovery::Persists,
            // reinit.c: ResetUnloggedRelations runs after every crash.
            _ if fork.unlogged => Recovery::Heals,
            Replay::Unknown => Recovery::Unknown,
            Replay::Plan(plan) if plan.removes(fork.locator) => Recovery::Heals,
            Replay::Plan(_) => Recovery::Persists,
        }
    }

    /// The same of a damaged block.
    #[must_use]
    pub fn fate(&self, fork: &ForkFiles, blkno: BlockNumber) -> Recovery {
        match self.replay {
            Replay::Plan(plan) if plan.heals(fork.locator, fork.fork, blkno) => Recovery::Heals,
            _ => self.fate_of_fork(fork),
        }
    }
}

/// Reads all blocks of `forks` and hands them to the checks. `advanced` is told of the bytes
/// as they are read.
pub fn scan(
    evidence: &Evidence,
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    advanced: &(dyn Fn(u64) + Sync),
) -> Tally {
    let all: Vec<usize> = (0..forks.len()).collect();
    let new = || Tally::new(&context.layout, context.max_findings);
    let shared = Mutex::new(Assembly::default());
    let visit = |number: usize, pages: Pages<'_>, tally: &mut Tally| {
        tally.turn_to(number);
        for view in pages {
            tally.chunk.blocks += 1;
            scan_page(&view, tally);
        }
        if tally.assembly.is_large() {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            toast::share(context, forks, &mut shared, tally);
        }
    };
    let mut whole = new();
    let tallies = read_forks(evidence, context, forks, &all, &new, &visit, advanced);
    let mut shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    for mut tally in tallies {
        tally.put_down();
        toast::share(context, forks, &mut shared, &mut tally);
        whole.merge(tally);
    }
    toast::end(context, forks, &mut shared, &mut whole);
    replayed::judge(context, forks, &mut whole);
    if !context.only_checksums {
        toast::look_again(evidence, context, forks, &mut whole);
        large_objects::look_again(evidence, context, forks, &mut whole);
    }
    whole
}

/// Consecutive pages of a fork.
struct Pages<'a> {
    /// But for the page itself.
    template: PageView<'a>,
    /// Number of the first.
    first: u64,
    rest: std::slice::ChunksExact<'a, u8>,
}

impl<'a> Iterator for Pages<'a> {
    type Item = PageView<'a>;

    fn next(&mut self) -> Option<PageView<'a>> {
        let page = self.rest.next()?;
        // A fork has fewer than 2^32 blocks; what lies beyond cannot be addressed.
        let blkno = BlockNumber::try_from(self.first).ok()?;
        self.first += 1;
        let header = PageHeader::parse(page).ok()?;
        Some(PageView {
            blkno,
            page,
            header,
            ..self.template
        })
    }
}

/// Hands the blocks of some of the `forks` to `visit`, with the number of the fork. Each
/// thread has an `S` of its own; gives all of them.
fn read_forks<S: Send>(
    evidence: &Evidence,
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    wanted: &[usize],
    new: &(dyn Fn() -> S + Sync),
    visit: &(dyn Fn(usize, Pages<'_>, &mut S) + Sync),
    advanced: &(dyn Fn(u64) + Sync),
) -> Vec<S> {
    let mut by_file: HashMap<FileId, (usize, u32)> = HashMap::new();
    let mut files = Vec::new();
    for &number in wanted {
        for (segment, (file, _)) in &forks[number].segments {
            by_file.insert(*file, (number, *segment));
            files.push(*file);
        }
    }
    let states: Vec<Mutex<S>> = (0..=rayon::current_num_threads())
        .map(|_| Mutex::new(new()))
        .collect();
    evidence.scan(&files, context.layout.blcksz, &|chunk: Chunk<'_>| {
        let Some(&(number, segment)) = by_file.get(&chunk.file) else {
            return;
        };
        // Every thread of the pool has a state of its own; the last is for any other.
        let mine = rayon::current_thread_index().unwrap_or(states.len() - 1);
        let mut state = states[mine.min(states.len() - 1)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let pages = pages(context, &forks[number], segment, &chunk);
        visit(number, pages, &mut state);
        drop(state);
        advanced(chunk.bytes.len() as u64);
    });
    states
        .into_iter()
        .map(|state| state.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

fn pages<'a>(
    context: &'a ScanContext<'a>,
    fork: &'a ForkFiles,
    segment: u32,
    chunk: &Chunk<'a>,
) -> Pages<'a> {
    let blcksz = context.layout.blcksz as usize;
    let relseg_size = u64::from(context.layout.relseg_size);
    let before = chunk.file_offset / blcksz as u64;
    // Nothing leads to what is behind a full segment in its file.
    let room = relseg_size
        .saturating_sub(before)
        .saturating_mul(blcksz as u64);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    Pages {
        template: template(context, fork),
        first: u64::from(segment) * relseg_size + before,
        rest: chunk.bytes[..chunk.bytes.len().min(room)].chunks_exact(blcksz),
    }
}

/// What is the same of all pages of a fork.
fn template<'a>(context: &'a ScanContext<'a>, fork: &'a ForkFiles) -> PageView<'a> {
    let tuple_desc = context.tuple_desc(fork);
    PageView {
        context,
        fork,
        blkno: 0,
        page: &[],
        header: PageHeader::default(),
        promise: context.promise(fork),
        kind: context.page_kind(fork),
        tuple_desc,
        sequence: context.sequence(fork),
        large_objects: context.large_objects(fork),
        written: context
            .written
            .filter(|_| fork.fork == ForkNumber::Main && !fork.temporary)
            .and_then(|written| written.pages(fork.locator)),
        toast: tuple_desc.and_then(|_| ToastLink::of(context, fork)),
    }
}

fn scan_page(view: &PageView<'_>, tally: &mut Tally) {
    let PageView {
        context,
        fork,
        blkno,
        page,
        header,
        ..
    } = *view;
    if header.is_new() && is_zeroed(page) {
        tally.chunk.zero.insert(blkno);
        return;
    }
    tally.chunk.last_nonzero = Some(blkno);
    let checksum_fits =
        !context.checksums || header.is_new() || checks::page_checksum_mismatch::run(view, tally);
    if context.only_checksums {
        return;
    }
    let accepted = checks::page_header_invalid::run(view, tally);
    if !(checksum_fits && accepted) {
        // The server gives nothing of this page out, so nothing more is said about it.
        if view.recovery() != Recovery::Heals {
            tally.chunk.unreadable.insert(blkno);
        }
        return;
    }
    checks::page_header_irregular::run(view, tally);
    checks::page_lsn_beyond_wal::run(view, tally);
    checks::lost_write::run(view, tally);
    if fork.fork == ForkNumber::Vm {
        visibility::map(view, tally);
    }
    if fork.fork == ForkNumber::Fsm {
        checks::free_space_map_wrong::page(view, tally);
    }
    if fork.fork == ForkNumber::Fsm || fork.fork == ForkNumber::Vm {
        return;
    }
    if let Some(relation) = view.sequence
        && checks::sequence_invalid::run(view, relation, tally)
    {
        return;
    }
    if checks::page_of_another_kind::run(view, tally) {
        return;
    }
    if u32::from(header.pd_special) != context.layout.blcksz {
        checks::page_special_invalid::run(view, tally);
        if fork.fork == ForkNumber::Main
            && let Some((last, offnum)) = last_block_led_to(page, &header, &context.layout)
            && !view.is_replayed()
            && !view.is_ahead()
        {
            let led_to = Some((last, blkno, offnum));
            tally.chunk.leads_to = tally.chunk.leads_to.max(led_to);
        }
        return;
    }
    let mut tuples = std::mem::take(&mut tally.tuples);
    if let Ok(heap) = tuples.read(page) {
        let heap_view = HeapView { view: *view, heap };
        if replayed::is_made_anew(view) {
            replayed::set_aside(view, tally, |tally| scan_tuples(&heap_view, tally));
        } else {
            scan_tuples(&heap_view, tally);
        }
    }
    tally.tuples = tuples;
}

fn scan_tuples(heap_view: &HeapView<'_, '_>, tally: &mut Tally) {
    let PageView {
        context,
        blkno,
        page,
        ..
    } = heap_view.view;
    checks::page_lsn_beyond_wal::rows(heap_view, tally);
    let damage = tally.findings.lasting_damage();
    checks::page_misplaced::run(heap_view, tally);
    checks::line_pointer_invalid::run(heap_view, tally);
    checks::tuple_header_invalid::run(heap_view, tally);
    checks::update_chain_invalid::run(heap_view, tally);
    let all_rows = rows::count(heap_view, tally);
    checks::xmin_out_of_range::run(heap_view, tally);
    checks::xmax_out_of_range::run(heap_view, tally);
    checks::multixact_out_of_range::run(heap_view, tally);
    checks::multixact_member_invalid::run(heap_view, tally);
    checks::tuple_not_frozen::run(heap_view, tally);
    checks::hint_bit_contradicts_clog::run(heap_view, tally);
    visibility::heap(heap_view, all_rows, tally);
    if let Some(catalog) = heap_view.view.large_objects {
        checks::large_object_invalid::page(heap_view, catalog, tally);
    }
    checks::tuple_data_invalid::run(heap_view, tally);
    if tally.findings.lasting_damage() > damage {
        let layout = &context.layout;
        tally.explain(&heap_view.view, || explain_content(page, blkno, layout));
    }
}
