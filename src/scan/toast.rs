//! Whether the chunks of every value that is stored out of line are there, without an index.
//!
//! The scan meets pointers and chunks in no order. It adds up a hash of each chunk that the
//! rows of a table ask for, and takes away one of each chunk that its TOAST table has: per
//! table, and per value in a table of [`BUCKETS`] sums. What comes out 0 is whole. Else the
//! table and its TOAST table are read again, for the values in sums that are not 0 alone.
//!
//! A chunk that no row asks for is no fault: CLUSTER and VACUUM FULL copy the values of rows
//! that are about to be vacuumed as live ones (`rewriteheap.c: raw_heap_insert`).

use super::forks::ForkFiles;
use super::page::{HeapView, PageView};
use super::rows::{self, TupleState};
use super::tally::Tally;
use super::{Pages, Replay, ScanContext, read_forks};
use crate::checks::toast_value_incomplete;
use crate::format::heap::{HEAP_XMIN_COMMITTED, HEAP_XMIN_INVALID, HeapTuple};
use crate::format::page::is_zeroed;
use crate::format::toast::{
    Chunk, ChunkFault, ChunkFaultKind, ToastValue, ToastValueFault, max_chunk_size,
};
use crate::format::tuple::{Stored, ToastPointer};
use crate::format::types::{BlockNumber, ForkNumber, OffsetNumber, Oid};
use crate::format::version::Layout;
use crate::pgdata::Evidence;
use std::collections::{BTreeMap, HashSet};

/// Sums over values.
const BUCKETS: usize = 1 << 18;
/// Chunks that are held in memory at a time when tables are read again.
const CHUNKS_AT_ONCE: u64 = 4 << 20;
/// How often tables are read again at most.
const MOST_PARTS: u64 = 32;

/// A table with a TOAST table, or that TOAST table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ToastLink {
    /// The database; 0 for shared relations.
    pub database: Oid,
    /// The TOAST table.
    pub toastrelid: Oid,
}

impl ToastLink {
    /// Of a fork, when it is that of a table or a TOAST table.
    pub(super) fn of(context: &ScanContext<'_>, fork: &ForkFiles) -> Option<Self> {
        let relation = context.names.relation(fork.locator)?;
        let class = &relation.class;
        let toastrelid = if class.relkind == b't' {
            class.oid
        } else {
            class.reltoastrelid
        };
        (toastrelid != 0).then_some(Self {
            database: relation.database,
            toastrelid,
        })
    }

    fn hash(self, value: Oid) -> u64 {
        let relation = u64::from(self.database) << 32 | u64::from(self.toastrelid);
        mix(mix(relation) ^ u64::from(value))
    }
}

/// Spreads the bits of a number (the finalizer of SplitMix64).
fn mix(mut n: u64) -> u64 {
    n = (n ^ n >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    n = (n ^ n >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ n >> 31
}

fn bucket(hash: u64) -> usize {
    (hash >> 46) as usize % BUCKETS
}

/// What chunks add to a sum. Each term has a factor of the value's own, so that what is missing
/// of one is not made up for by another; all chunks of a value are added up in one step, since
/// a pointer that is garbage may ask for half a million.
struct Terms {
    chunks: u64,
    seqs: u64,
    squares: u64,
    bytes: u64,
    seq_bytes: u64,
}

impl Terms {
    fn of_chunk(chunk_seq: u32, size: u32) -> Self {
        let (seq, size) = (u64::from(chunk_seq), u64::from(size));
        Self {
            chunks: 1,
            seqs: seq,
            squares: seq.wrapping_mul(seq),
            bytes: size,
            seq_bytes: seq.wrapping_mul(size),
        }
    }

    fn of_value(value: ToastValue) -> Self {
        let last = value.count().saturating_sub(1);
        let (n, size) = (u128::from(last), u128::from(value.max));
        let seqs = n * n.saturating_sub(1) / 2;
        let squares = seqs * (2 * n).saturating_sub(1) / 3;
        let end = Self::of_chunk(last, value.size_of(last));
        // 2^21 chunks at the most, whose squares add up to less than 2^63.
        Self {
            chunks: u64::from(value.count()),
            seqs: (seqs as u64).wrapping_add(end.seqs),
            squares: (squares as u64).wrapping_add(end.squares),
            bytes: u64::from(value.extsize),
            seq_bytes: ((seqs * size) as u64).wrapping_add(end.seq_bytes),
        }
    }

    fn hash(&self, value: u64) -> u64 {
        let terms = [
            self.chunks,
            self.seqs,
            self.squares,
            self.bytes,
            self.seq_bytes,
        ];
        let mut factor = value;
        terms.into_iter().fold(0, |sum: u64, term| {
            factor = mix(factor.wrapping_add(0x9E37_79B9_7F4A_7C15));
            sum.wrapping_add(term.wrapping_mul(factor))
        })
    }
}

/// Chunks asked for less chunks found.
#[derive(Clone, Debug, Default)]
pub struct ToastSums {
    /// Nothing before the first value.
    buckets: Vec<u64>,
    /// Chunks asked for.
    chunks: u64,
}

impl ToastSums {
    /// A row has a pointer to a value. Gives what it adds to the sum of its table.
    pub fn ask(&mut self, link: ToastLink, value: ToastValue) -> u64 {
        let hash = link.hash(value.value);
        let sum = Terms::of_value(value).hash(hash);
        self.chunks = self.chunks.saturating_add(u64::from(value.count()));
        self.add(hash, sum)
    }

    /// A TOAST table has a chunk. Gives what it adds to the sum of its table.
    pub fn find(&mut self, link: ToastLink, chunk: Chunk) -> u64 {
        let hash = link.hash(chunk.chunk_id);
        let sum = Terms::of_chunk(chunk.chunk_seq, chunk.size).hash(hash);
        self.add(hash, sum.wrapping_neg())
    }

    fn add(&mut self, hash: u64, sum: u64) -> u64 {
        if self.buckets.is_empty() {
            self.buckets.resize(BUCKETS, 0);
        }
        if let Some(all) = self.buckets.get_mut(bucket(hash)) {
            *all = all.wrapping_add(sum);
        }
        sum
    }

    /// Adds another thread's.
    pub fn merge(&mut self, other: Self) {
        self.chunks = self.chunks.saturating_add(other.chunks);
        if self.buckets.is_empty() {
            self.buckets = other.buckets;
            return;
        }
        for (mine, more) in self.buckets.iter_mut().zip(other.buckets) {
            *mine = mine.wrapping_add(more);
        }
    }
}

/// The value that a pointer in a row of a table leads to, if it is in the table's TOAST table.
#[inline]
pub fn value_of(link: ToastLink, pointer: ToastPointer, layout: &Layout) -> Option<ToastValue> {
    let extsize = pointer.extsize(layout);
    (pointer.va_toastrelid == link.toastrelid && extsize > 0).then(|| ToastValue {
        value: pointer.va_valueid,
        extsize,
        max: max_chunk_size(layout),
    })
}

/// A value that a row asks for, and where the row is.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    link: ToastLink,
    /// The value.
    pub value: ToastValue,
    /// Number of the table's fork.
    pub fork: usize,
    /// Block of the row.
    pub blkno: BlockNumber,
    /// Its line pointer.
    pub offnum: OffsetNumber,
    /// Where it begins in the page.
    pub lp_off: u16,
    /// The column.
    pub attnum: u16,
}

/// A chunk of a value that a row asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Found {
    link: ToastLink,
    chunk: Chunk,
    /// Block and line pointer.
    place: (BlockNumber, OffsetNumber),
    /// Whether a query of the TOAST table itself would give it.
    is_row: bool,
    /// What the server makes of it nobody can tell.
    is_odd: bool,
}

/// A table whose chunks do not come out even.
struct Uneven {
    tables: Vec<usize>,
    toast: usize,
}

/// Reads the tables again whose chunks do not come out even, and says which values are not
/// whole.
pub(super) fn look_again(
    evidence: &Evidence,
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    tally: &mut Tally,
) {
    let uneven = uneven(evidence, context, forks, tally);
    let open: Vec<bool> = tally.toast.buckets.iter().map(|sum| *sum != 0).collect();
    let buckets = open.iter().filter(|open| **open).count() as u64;
    if uneven.is_empty() || buckets == 0 {
        return;
    }
    let chunks = u128::from(tally.toast.chunks) * u128::from(buckets) / BUCKETS as u128;
    let parts = u64::try_from(chunks).unwrap_or(u64::MAX) / CHUNKS_AT_ONCE + 1;
    for part in 0..parts.min(MOST_PARTS) {
        let wanted = |hash: u64| {
            let bucket = bucket(hash);
            open.get(bucket).is_some_and(|open| *open) && bucket as u64 % parts == part
        };
        read_part(evidence, context, forks, &uneven, &wanted, tally);
    }
    if parts > MOST_PARTS {
        for file in uneven
            .values()
            .flat_map(|u| forks[u.toast].segments.values())
        {
            let reason = format!(
                "whether all chunks are there: looked at for {MOST_PARTS} in {parts} values only"
            );
            evidence.record_not_examined(file.0, None, reason);
        }
    }
}

/// The tables whose sum is not 0, and of which it can be told what is missing.
fn uneven(
    evidence: &Evidence,
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    tally: &Tally,
) -> BTreeMap<ToastLink, Uneven> {
    let mut sums: BTreeMap<ToastLink, u64> = BTreeMap::new();
    let mut tables: BTreeMap<ToastLink, Uneven> = BTreeMap::new();
    let linked = || {
        forks.iter().enumerate().filter_map(|(number, fork)| {
            context.tuple_desc(fork)?;
            Some((number, fork, ToastLink::of(context, fork)?))
        })
    };
    for (number, _, link) in linked() {
        let counts = tally.forks.get(&number);
        let sum = sums.entry(link).or_default();
        *sum = sum.wrapping_add(counts.map_or(0, |counts| counts.toast_sum));
    }
    sums.retain(|_, sum| *sum != 0);
    if sums.is_empty() {
        return tables;
    }
    let unread: HashSet<String> = evidence
        .not_examined()
        .into_iter()
        .map(|note| note.path)
        .collect();
    for (number, fork, link) in linked() {
        let is_known = || {
            let counts = tally.forks.get(&number);
            let undecided = counts.is_some_and(|counts| counts.unreadable_tuples > 0);
            let paths = fork.segments.keys().map(|n| fork.segment_path(*n));
            !undecided
                && !is_replayed(context, fork)
                && paths.into_iter().all(|path| !unread.contains(&*path))
        };
        if sums.contains_key(&link) && is_toast(context, fork) && is_known() {
            let (tables_of, toast) = (Vec::new(), number);
            tables.insert(
                link,
                Uneven {
                    tables: tables_of,
                    toast,
                },
            );
        }
    }
    for (number, fork, link) in linked() {
        if !is_toast(context, fork)
            && let Some(uneven) = tables.get_mut(&link)
        {
            uneven.tables.push(number);
        }
    }
    tables
}

fn is_toast(context: &ScanContext<'_>, fork: &ForkFiles) -> bool {
    context
        .promise(fork)
        .is_some_and(|promise| promise.is_toast)
}

/// Whether replay changes a relation's main fork.
fn is_replayed(context: &ScanContext<'_>, fork: &ForkFiles) -> bool {
    match context.replay {
        Replay::None => false,
        Replay::Plan(plan) => {
            let cut = plan.forks.get(&(fork.locator, ForkNumber::Main));
            plan.changed_blocks(fork.locator, ForkNumber::Main) > 0
                || cut.is_some_and(|plan| plan.truncated_to.is_some())
        }
        Replay::Unknown => true,
    }
}

/// Compares the values that are wanted of all tables that are uneven.
fn read_part(
    evidence: &Evidence,
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    uneven: &BTreeMap<ToastLink, Uneven>,
    wanted: &(dyn Fn(u64) -> bool + Sync),
    tally: &mut Tally,
) {
    let layout = &context.layout;
    let tables: Vec<usize> = uneven.values().flat_map(|u| u.tables.clone()).collect();
    let asked = each_tuple(evidence, context, forks, &tables, tally, &|seen, asked| {
        let (Some(link), Some(desc), TupleState::Row) =
            (seen.page.toast, seen.page.tuple_desc, seen.state)
        else {
            return;
        };
        if seen.page.is_replayed()
            || seen.page.is_ahead()
            || !desc.admits(&seen.tuple.header, seen.tuple.lp.lp_len())
        {
            return;
        }
        let _ = desc.walk(&seen.tuple.header, seen.bytes, |attnum, stored| {
            if let Stored::External(pointer) = stored
                && let Some(value) = value_of(link, pointer, layout)
                && wanted(link.hash(value.value))
            {
                asked.push(Asked {
                    link,
                    value,
                    fork: seen.fork,
                    blkno: seen.page.blkno,
                    offnum: seen.tuple.offnum,
                    lp_off: seen.tuple.lp.lp_off(),
                    attnum,
                });
            }
        });
    });
    let values: HashSet<(ToastLink, Oid)> = asked
        .iter()
        .map(|asked| (asked.link, asked.value.value))
        .collect();
    let toast: Vec<usize> = uneven.values().map(|u| u.toast).collect();
    let mut found = each_tuple(evidence, context, forks, &toast, tally, &|seen, found| {
        // The server takes what it sees without asking who deleted it, or whether who inserted
        // it ended (heapam_visibility.c: HeapTupleSatisfiesToast).
        let header = &seen.tuple.header;
        let aborted = header.has(HEAP_XMIN_INVALID) && !header.has(HEAP_XMIN_COMMITTED);
        if let Some(link) = seen.page.toast
            && !aborted
            && let Some((chunk, is_odd)) = chunk_of(&seen, layout)
            && values.contains(&(link, chunk.chunk_id))
        {
            let is_row = seen.state == TupleState::Row;
            found.push(Found {
                link,
                chunk,
                place: (seen.page.blkno, seen.tuple.offnum),
                is_row,
                is_odd,
            });
        }
    });
    found.sort_unstable();
    for asked in asked {
        let key = (asked.link, asked.value.value);
        let from = found.partition_point(|found| (found.link, found.chunk.chunk_id) < key);
        let to = found.partition_point(|found| (found.link, found.chunk.chunk_id) <= key);
        let chunks = found.get(from..to).unwrap_or_default();
        judge(context, forks, uneven, asked, chunks, tally);
    }
}

/// The chunk that a row is, as the server would take it; and whether it would not.
fn chunk_of(seen: &Seen<'_>, layout: &Layout) -> Option<(Chunk, bool)> {
    match Chunk::read(&seen.tuple.header, seen.bytes, layout) {
        Ok(chunk) => Some((chunk?, false)),
        Err(ChunkFault {
            what: ChunkFaultKind::NoValue,
            ..
        }) => None,
        Err(ChunkFault {
            chunk_id,
            chunk_seq,
            what,
        }) => {
            let (size, is_odd) = match what {
                ChunkFaultKind::Size(size, _) => (size, false),
                _ => (0, true),
            };
            Some((
                Chunk {
                    chunk_id,
                    chunk_seq,
                    size,
                },
                is_odd,
            ))
        }
    }
}

/// Says what is wrong with a value whose chunks these are.
fn judge(
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    uneven: &BTreeMap<ToastLink, Uneven>,
    asked: Asked,
    chunks: &[Found],
    tally: &mut Tally,
) {
    let rows: Vec<Chunk> = chunks
        .iter()
        .filter(|found| found.is_row && !found.is_odd)
        .map(|found| found.chunk)
        .collect();
    let Some(fault) = asked.value.fault(&rows) else {
        return;
    };
    let Some(toast) = uneven.get(&asked.link).map(|uneven| uneven.toast) else {
        return;
    };
    let met = met(asked.value, chunks);
    let mut message = fault.message(asked.value.value);
    if met == Met::Nothing && !context.clog_is_whole {
        // Who looks at the commit log alone takes the chunks for aborted. The server does not.
        return;
    }
    if met == Met::Nothing {
        message += "; the server still reads deleted chunks, until VACUUM removes them";
    }
    // Blocks and files that cannot be read, and rows that are no chunks, have words of their
    // own.
    let counts = tally.forks.get(&toast);
    let has_unreadable = counts.is_some_and(|counts| !counts.unreadable.is_empty());
    let met = match met {
        Met::Fault(met) if !has_unreadable && is_whole(&forks[toast], &context.layout) => Some(met),
        _ => None,
    };
    let toast = &forks[toast];
    let finding = toast_value_incomplete::finding(context, forks, &asked, toast, &message, met);
    tally.push(finding);
}

/// What the server meets when it reads a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Met {
    Nothing,
    Fault(ToastValueFault),
    /// Nobody can tell.
    Unknown,
}

fn met(value: ToastValue, chunks: &[Found]) -> Met {
    if chunks.iter().any(|found| found.is_odd) {
        return Met::Unknown;
    }
    let mut all: Vec<Chunk> = chunks.iter().map(|found| found.chunk).collect();
    let Some(fault) = value.fault(&all) else {
        return Met::Nothing;
    };
    let is_complete = u32::try_from(all.len()) == Ok(value.count());
    if !is_complete || !matches!(fault, ToastValueFault::Sequence { .. }) {
        return Met::Fault(fault);
    }
    // As many as there should be, so one has a wrong number. The index still has its right one;
    // where chunks lie in the order in which they were written, that is their place.
    let mut placed: Vec<&Found> = chunks.iter().collect();
    placed.sort_unstable_by_key(|found| found.place);
    all = placed.iter().map(|found| found.chunk).collect();
    let wrong = all
        .iter()
        .zip(0..)
        .filter(|(chunk, seq)| chunk.chunk_seq != *seq);
    match (wrong.count(), value.fault(&all)) {
        (1, Some(fault)) => Met::Fault(fault),
        _ => Met::Unknown,
    }
}

/// Whether no segment is missing or short before a later one, and not all are empty: else the
/// index leads to blocks that are not there.
fn is_whole(fork: &ForkFiles, layout: &Layout) -> bool {
    let full = u64::from(layout.relseg_size) * u64::from(layout.blcksz);
    let last = fork.segments.keys().last();
    let has_blocks = fork.segments.values().any(|(_, size)| *size > 0);
    has_blocks
        && (0..)
            .zip(&fork.segments)
            .all(|(n, (number, (_, size)))| n == *number && (Some(number) == last || *size == full))
}

/// A tuple that is read again.
struct Seen<'a> {
    fork: usize,
    page: &'a PageView<'a>,
    tuple: &'a HeapTuple,
    bytes: &'a [u8],
    state: TupleState,
}

/// Reads the tuples of some forks once more, but for those on blocks that the server refuses.
fn each_tuple<T: Send>(
    evidence: &Evidence,
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    wanted: &[usize],
    tally: &Tally,
    take: &(dyn Fn(Seen<'_>, &mut Vec<T>) + Sync),
) -> Vec<T> {
    let new = || (Tally::new(&context.layout, 0), Vec::new());
    let visit = |number: usize, pages: Pages<'_>, (scratch, taken): &mut (Tally, Vec<T>)| {
        let refused = tally.forks.get(&number).map(|counts| &counts.unreadable);
        for view in pages {
            let is_refused = refused.is_some_and(|blocks| blocks.contains(view.blkno));
            let is_new = view.header.is_new() && is_zeroed(view.page);
            let has_special = u32::from(view.header.pd_special) != context.layout.blcksz;
            if is_refused || is_new || has_special {
                continue;
            }
            let mut tuples = std::mem::take(&mut scratch.tuples);
            if let Ok(heap) = tuples.read(view.page) {
                let heap_view = HeapView { view, heap };
                rows::count(&heap_view, scratch);
                for (tuple, state) in heap_view.heap.tuples.iter().zip(&scratch.states) {
                    let seen = Seen {
                        fork: number,
                        page: &view,
                        tuple,
                        bytes: heap_view.heap.bytes(tuple),
                        state: *state,
                    };
                    take(seen, taken);
                }
            }
            scratch.tuples = tuples;
        }
    };
    let states = read_forks(evidence, context, forks, wanted, &new, &visit, &|_| ());
    states.into_iter().flat_map(|(_, taken)| taken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The chunks of a value take away what its pointer adds, and no others do.
        #[test]
        fn a_whole_value_comes_out_even(
            value in 1..u32::MAX,
            extsize in 1..60_000_u32,
            wrong in 0..40_u32,
            by in 1..1996_u32,
        ) {
            let link = ToastLink { database: 5, toastrelid: 16_384 };
            let asked = ToastValue { value, extsize, max: 1996 };
            let mut sums = ToastSums::default();
            let mut sum = sums.ask(link, asked);
            for seq in 0..asked.count() {
                let chunk = Chunk { chunk_id: value, chunk_seq: seq, size: asked.size_of(seq) };
                sum = sum.wrapping_add(sums.find(link, chunk));
            }
            prop_assert_eq!(sum, 0);
            prop_assert!(sums.buckets.iter().all(|sum| *sum == 0));
            let seq = wrong % asked.count();
            let right = Chunk { chunk_id: value, chunk_seq: seq, size: asked.size_of(seq) };
            for chunk in [
                Chunk { chunk_seq: seq + by, ..right },
                Chunk { size: right.size + by, ..right },
                Chunk { chunk_id: value ^ by, ..right },
            ] {
                let mut sums = ToastSums::default();
                let (one, other) = (sums.find(link, right), sums.find(link, chunk));
                prop_assert_ne!(one, other);
            }
        }
    }
}
