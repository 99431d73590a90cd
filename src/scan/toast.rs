//! Whether the chunks of every value that is stored out of line are there, without an index.
//!
//! The scan meets pointers and chunks in no order. It adds up a hash of each chunk that the
//! rows of a table ask for, and takes away one of each chunk that its TOAST table has: per
//! table, and per value in a table of [`BUCKETS`] sums. What comes out 0 is whole. Else the
//! table and its TOAST table are read again, for the values in sums that are not 0 alone.
//!
//! A pointer that calls its value compressed adds one more term; the TOAST table takes it away
//! when the chunks, put together, inflate to what the pointer tells. What is not compressed
//! practically never does, and if so the tables are read once more for nothing.
//!
//! Replay may bring chunks that are not there yet, and take others away. But what a row has
//! whose page it does not change, and which was there before the redo point, was on disk then.
//! So of a TOAST table that replay changes such rows alone are judged, and by the pages as
//! replay leaves them.
//!
//! A chunk that no row asks for is no fault: CLUSTER and VACUUM FULL copy the values of rows
//! that are about to be vacuumed as live ones (`rewriteheap.c: raw_heap_insert`).

use super::assembly::{Assembled, Assembly, Key};
use super::forks::ForkFiles;
use super::page::{HeapView, PageView};
use super::rows::{self, TupleState};
use super::tally::Tally;
use super::{Pages, Replay, ScanContext, read_forks, template};
use crate::checks::tuple_data_invalid::column;
use crate::checks::{Check, compressed_data_invalid, toast_value_incomplete};
use crate::cluster::catalog::{CatalogRedo, block_on_disk};
use crate::cluster::replay::replay_blocks;
use crate::finding::Finding;
use crate::format::heap::{
    HEAP_XMIN_COMMITTED, HEAP_XMIN_INVALID, HeapTuple, HeapTupleHeader, Xmin,
};
use crate::format::page::{PageHeader, is_zeroed};
use crate::format::toast::{
    Chunk, ChunkFault, ChunkFaultKind, ToastValue, ToastValueFault, chunk_data, max_chunk_size,
};
use crate::format::tuple::{Compression, Stored, ToastPointer};
use crate::format::types::{BlockNumber, ForkNumber, OffsetNumber, Oid, TransactionId};
use crate::format::version::Layout;
use crate::pgdata::Evidence;
use crate::recovery::plan::ForkPlan;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Sums over values.
const BUCKETS: usize = 1 << 18;
/// Chunks that are held in memory at a time when tables are read again.
const CHUNKS_AT_ONCE: u64 = 4 << 20;
/// How often tables are read again at most.
const MOST_PARTS: u64 = 32;
/// How many chunks of a value are held that are too much.
const TOO_MUCH: u32 = 8;
/// Pages of a TOAST table that are replayed at a time.
const PAGES_AT_ONCE: usize = 2048;
/// How often WAL is read for that at most.
const MOST_REPLAYS: usize = 8;
/// Bytes of a TOAST table that replay changes. Its values never come out even, so it is always
/// read again, and a larger one would make the scan last twice as long for the rare find.
const LARGEST_CHANGED: u64 = 16 << 30;

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

/// What a pointer says of a compressed value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Bytes of the value, once it is decompressed.
    pub size: u32,
    /// The method, which up to 13 nothing tells: 0.
    pub method: u32,
}

impl Claim {
    /// What a pointer says, if it calls its value compressed.
    #[inline]
    #[must_use]
    pub fn of(pointer: ToastPointer, layout: &Layout) -> Option<Self> {
        pointer.is_compressed(layout).then(|| Self {
            size: pointer.size(),
            method: pointer.va_extinfo.method(layout),
        })
    }

    /// What the stored bytes say themselves.
    fn of_data(header: Compression, layout: &Layout) -> Self {
        Self {
            size: header.size(layout),
            method: header.method(layout),
        }
    }

    fn hash(self, value: u64, extsize: u32) -> u64 {
        let sizes = u64::from(extsize) << 32 | u64::from(self.size);
        mix(mix(value ^ sizes).wrapping_add(u64::from(self.method)))
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
    pub fn ask(&mut self, link: ToastLink, value: ToastValue, claim: Option<Claim>) -> u64 {
        let hash = link.hash(value.value);
        let claimed = claim.map_or(0, |claim| claim.hash(hash, value.extsize));
        let sum = Terms::of_value(value).hash(hash).wrapping_add(claimed);
        self.chunks = self.chunks.saturating_add(u64::from(value.count()));
        self.add(hash, sum)
    }

    /// A TOAST table has a chunk. Gives what it adds to the sum of its table.
    pub fn find(&mut self, link: ToastLink, chunk: Chunk) -> u64 {
        let hash = link.hash(chunk.chunk_id);
        let sum = Terms::of_chunk(chunk.chunk_seq, chunk.size).hash(hash);
        self.add(hash, sum.wrapping_neg())
    }

    /// A TOAST table has all chunks of a value. Gives what it adds to the sum of its table.
    pub fn assembled(
        &mut self,
        link: ToastLink,
        value: Oid,
        assembled: Assembled,
        layout: &Layout,
    ) -> u64 {
        let (Some(header), None) = (assembled.header, assembled.fault) else {
            return 0;
        };
        let hash = link.hash(value);
        let claimed = Claim::of_data(header, layout).hash(hash, assembled.size);
        self.add(hash, claimed.wrapping_neg())
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
    /// What its pointer says of it, if it is compressed.
    claim: Option<Claim>,
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

impl Asked {
    /// A finding about the row. `server_error` is kept if the server fetches the value at all.
    pub fn finding(
        &self,
        check: &'static Check,
        context: &ScanContext<'_>,
        forks: &[ForkFiles],
        message: &str,
        server_error: Option<String>,
    ) -> Finding {
        let fork = &forks[self.fork];
        let page = fork.location(self.blkno, &context.layout);
        let location = page.within_block(Some(self.offnum), self.lp_off.into());
        let relation = context.names.relation(fork.locator);
        let desc = relation.and_then(|relation| relation.tuple_desc.as_deref());
        let column = desc.map_or_else(String::new, |desc| {
            format!("{}: ", column(desc, self.attnum))
        });
        let mut finding = Finding::new(check, location, format!("{column}{message}"));
        // The server does not fetch values of dropped columns.
        let attribute = desc.and_then(|desc| desc.attribute(self.attnum));
        finding.server_error =
            server_error.filter(|_| attribute.is_some_and(|attribute| !attribute.attisdropped));
        finding
    }
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

/// Gives the values that a thread has begun to all.
pub(super) fn share(
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    shared: &mut Assembly,
    tally: &mut Tally,
) {
    let begun = std::mem::take(&mut tally.assembly);
    shared.absorb(begun, &context.layout, |key, value| {
        take_away(context, forks, key, value, tally);
    });
    if shared.is_full() {
        end(context, forks, shared, tally);
    }
}

/// Counts the values as they are of which no more chunks come. What is lost by that leaves the
/// sums uneven.
pub(super) fn end(
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    shared: &mut Assembly,
    tally: &mut Tally,
) {
    shared.end(|key, value| take_away(context, forks, key, value, tally));
}

fn take_away(
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    (fork, value): Key,
    assembled: Assembled,
    tally: &mut Tally,
) {
    if let Some(link) = ToastLink::of(context, &forks[fork]) {
        let layout = &context.layout;
        let sum = tally.toast.assembled(link, value, assembled, layout);
        let counts = tally.forks.entry(fork).or_default();
        counts.toast_sum = counts.toast_sum.wrapping_add(sum);
    }
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
    tracing::debug!(
        "{} TOAST tables are read again, {parts} times",
        uneven.len()
    );
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
                && change(context, fork).is_told()
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

/// What replay does to a TOAST table.
#[derive(Clone, Copy)]
enum Change<'a> {
    Nothing,
    /// It changes blocks, but what was there before `settled` was on disk when it begins.
    Blocks {
        blocks: &'a ForkPlan,
        redo: CatalogRedo<'a>,
        settled: TransactionId,
    },
    Unknown,
}

impl Change<'_> {
    fn is_told(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Whether a row that is on disk had all of its chunks there, too.
    fn settles(self, header: &HeapTupleHeader, layout: &Layout) -> bool {
        match self {
            Self::Nothing => true,
            Self::Blocks { settled, .. } => {
                header.xmin(layout) == Xmin::Frozen || header.t_xmin.precedes(settled)
            }
            Self::Unknown => false,
        }
    }

    fn is_on(self, blkno: BlockNumber) -> bool {
        match self {
            Self::Nothing => false,
            Self::Blocks { blocks, .. } => {
                blocks.rebuilt.contains(blkno) || blocks.read_first.contains(blkno)
            }
            Self::Unknown => true,
        }
    }
}

fn change<'a>(context: &'a ScanContext<'_>, fork: &ForkFiles) -> Change<'a> {
    let plan = match context.replay {
        Replay::None => return Change::Nothing,
        Replay::Plan(plan) => plan,
        Replay::Unknown => return Change::Unknown,
    };
    if plan.removes(fork.locator) || plan.created.contains(&fork.locator) {
        return Change::Unknown;
    }
    let Some(blocks) = plan.forks.get(&(fork.locator, ForkNumber::Main)) else {
        return Change::Nothing;
    };
    let bytes: u64 = fork.segments.values().map(|(_, size)| size).sum();
    match (blocks.truncated_to, context.redo, context.settled_before) {
        (None, Some(redo), Some(settled)) if bytes <= LARGEST_CHANGED => Change::Blocks {
            blocks,
            redo,
            settled,
        },
        _ => Change::Unknown,
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
    let changes: BTreeMap<ToastLink, Change<'_>> = uneven
        .iter()
        .map(|(link, uneven)| (*link, change(context, &forks[uneven.toast])))
        .collect();
    let asked = each_tuple(
        evidence,
        context,
        forks,
        &tables,
        tally,
        &|seen, asked: &mut Vec<Asked>| {
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
                    && changes
                        .get(&link)
                        .is_some_and(|change| change.settles(&seen.tuple.header, layout))
                {
                    asked.push(Asked {
                        link,
                        value,
                        claim: Claim::of(pointer, layout),
                        fork: seen.fork,
                        blkno: seen.page.blkno,
                        offnum: seen.tuple.offnum,
                        lp_off: seen.tuple.lp.lp_off(),
                        attnum,
                    });
                }
            });
        },
    );
    let asked: Vec<Asked> = asked.into_iter().flatten().collect();
    let mut values: FxHashMap<(ToastLink, Oid), Wanted> = FxHashMap::default();
    for asked in &asked {
        let key = (asked.link, asked.value.value);
        let wanted = values.entry(key).or_default();
        wanted.most = wanted.most.max(asked.value.count() + TOO_MUCH);
        wanted.is_compressed |= asked.claim.is_some();
    }
    let toast: Vec<usize> = uneven.values().map(|u| u.toast).collect();
    let gathered = each_tuple(
        evidence,
        context,
        forks,
        &toast,
        tally,
        &|seen, mine: &mut Gathered| {
            if let Some(found) = found(&seen, layout)
                && let Some(wanted) = values.get(&(found.link, found.chunk.chunk_id))
            {
                let Found {
                    link,
                    chunk,
                    is_row,
                    is_odd,
                    ..
                } = found;
                let key = (link, chunk.chunk_id, is_row);
                let held = mine.held.entry(key).or_default();
                if *held <= wanted.most {
                    *held += 1;
                    mine.found.push(found);
                }
                if wanted.is_compressed && is_row && !is_odd {
                    mine.assemble(&seen, chunk, layout);
                }
            }
        },
    );
    let mut all = Gathered::default();
    for more in gathered {
        all.merge(more, layout);
    }
    let Gathered {
        mut assembly,
        mut assembled,
        ..
    } = all;
    assembly.end(|key, value| {
        assembled.insert(key, value);
    });
    all.found.sort_unstable();
    let mut unknown = BTreeSet::new();
    let mut suspects: BTreeMap<usize, Vec<Suspect<'_>>> = BTreeMap::new();
    for asked in asked {
        let key = (asked.link, asked.value.value);
        let found = &all.found;
        let from = found.partition_point(|found| (found.link, found.chunk.chunk_id) < key);
        let to = found.partition_point(|found| (found.link, found.chunk.chunk_id) <= key);
        let chunks = found.get(from..to).unwrap_or_default();
        let Some(toast) = uneven.get(&asked.link).map(|uneven| uneven.toast) else {
            continue;
        };
        let scanned = Scanned {
            context,
            forks,
            toast,
            most: values.get(&key).map_or(0, |wanted| wanted.most) as usize,
        };
        let change = changes.get(&asked.link).copied().unwrap_or(Change::Unknown);
        if !matches!(change, Change::Nothing) {
            let rows = chunk_rows(chunks);
            if asked.value.fault(&rows).is_some() {
                suspects.entry(toast).or_default().push(Suspect {
                    asked,
                    on_disk: chunks,
                    most: scanned.most,
                });
                continue;
            }
            if chunks.iter().any(|found| change.is_on(found.place.0)) {
                continue;
            }
        }
        let value = assembled.get(&(toast, asked.value.value));
        let is_complete = scanned.judge(asked, chunks, tally);
        if is_complete && !scanned.judge_compressed(asked, chunks, value, tally) {
            unknown.insert(toast);
        }
    }
    let files = unknown
        .iter()
        .flat_map(|toast| forks[*toast].segments.values());
    for (file, _) in files {
        let reason = "whether all compressed values decompress: too much out of order";
        evidence.record_not_examined(*file, None, reason.to_owned());
    }
    for (toast, suspects) in suspects {
        judge_replayed(evidence, context, forks, toast, &suspects, tally);
    }
}

/// A value that is not whole on disk, in a TOAST table that replay changes.
struct Suspect<'a> {
    asked: Asked,
    on_disk: &'a [Found],
    /// Chunks of it that are looked at.
    most: usize,
}

/// Judges values that are not whole on disk by what replay leaves of their TOAST table. Nothing
/// is said where that would take too much, or cannot be told.
fn judge_replayed(
    evidence: &Evidence,
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    toast: usize,
    suspects: &[Suspect<'_>],
    tally: &mut Tally,
) {
    let change = change(context, &forks[toast]);
    let values: BTreeSet<Oid> = suspects.iter().map(|s| s.asked.value.value).collect();
    let Some(mut replayed) = replayed_chunks(evidence, context, forks, toast, &values) else {
        return;
    };
    replayed.sort_unstable();
    for suspect in suspects {
        let unchanged = |found: &&Found| !change.is_on(found.place.0);
        let is_of = |found: &&Found| found.chunk.chunk_id == suspect.asked.value.value;
        let unchanged = suspect.on_disk.iter().filter(unchanged);
        let left = unchanged.chain(replayed.iter().filter(is_of));
        let mut chunks: Vec<Found> = left.copied().collect();
        chunks.sort_unstable();
        let scanned = Scanned {
            context,
            forks,
            toast,
            most: suspect.most,
        };
        scanned.judge(suspect.asked, &chunks, tally);
    }
}

/// The chunks of some values on the pages of a TOAST table that replay changes, as it leaves them.
fn replayed_chunks(
    evidence: &Evidence,
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    toast: usize,
    values: &BTreeSet<Oid>,
) -> Option<Vec<Found>> {
    let fork = &forks[toast];
    let Change::Blocks { blocks, redo, .. } = change(context, fork) else {
        return None;
    };
    let changed: Vec<BlockNumber> = (&blocks.rebuilt | &blocks.read_first).iter().collect();
    if changed.len() > PAGES_AT_ONCE * MOST_REPLAYS {
        return None;
    }
    let after = context.after_replay();
    let mut scratch = Tally::new(&context.layout, 0);
    let mut all = Vec::new();
    for some in changed.chunks(PAGES_AT_ONCE) {
        let wanted = |locator, blkno| locator == fork.locator && some.binary_search(&blkno).is_ok();
        let base = |locator, blkno| block_on_disk(evidence, &context.layout, locator, blkno);
        let (start, end) = (redo.start, redo.end);
        let replayed = replay_blocks(redo.context, redo.source, start, end, &wanted, &base);
        if !replayed.lost.is_empty() {
            return None;
        }
        for ((_, blkno), page) in &replayed.pages {
            let header = PageHeader::parse(page).ok()?;
            let view = PageView {
                blkno: *blkno,
                page,
                header,
                ..template(&after, fork)
            };
            each_on_page(toast, &view, &mut scratch, &mut |seen| {
                let found = found(&seen, &context.layout);
                all.extend(found.filter(|found| values.contains(&found.chunk.chunk_id)));
            });
        }
    }
    Some(all)
}

/// The chunk that the server would find in a row. It takes what it sees without asking who
/// deleted it, or whether who inserted it ended (`heapam_visibility.c: HeapTupleSatisfiesToast`).
fn found(seen: &Seen<'_>, layout: &Layout) -> Option<Found> {
    let header = &seen.tuple.header;
    let aborted = header.has(HEAP_XMIN_INVALID) && !header.has(HEAP_XMIN_COMMITTED);
    let (chunk, is_odd) = chunk_of(seen, layout).filter(|_| !aborted)?;
    Some(Found {
        link: seen.page.toast?,
        chunk,
        place: (seen.page.blkno, seen.tuple.offnum),
        is_row: seen.state == TupleState::Row,
        is_odd,
    })
}

/// The chunks that are in order.
fn chunk_rows(chunks: &[Found]) -> Vec<Chunk> {
    let rows = chunks.iter().filter(|found| found.is_row && !found.is_odd);
    rows.map(|found| found.chunk).collect()
}

/// A value whose chunks are wanted.
#[derive(Clone, Copy, Default)]
struct Wanted {
    /// Chunks that are looked at.
    most: u32,
    is_compressed: bool,
}

/// What a thread has gathered of the values that are asked for.
struct Gathered {
    found: Vec<Found>,
    /// How many chunks of each, and whether they are rows.
    held: FxHashMap<(ToastLink, Oid, bool), u32>,
    assembly: Assembly,
    assembled: HashMap<Key, Assembled>,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            held: FxHashMap::default(),
            assembly: Assembly::thorough(),
            assembled: HashMap::new(),
        }
    }
}

impl Gathered {
    fn assemble(&mut self, seen: &Seen<'_>, chunk: Chunk, layout: &Layout) {
        let Some(data) = chunk_data(&seen.tuple.header, seen.bytes, chunk) else {
            return;
        };
        let key = (seen.fork, chunk.chunk_id);
        if let Some(value) = self.assembly.add(key, chunk, data, layout) {
            self.assembled.insert(key, value);
        }
        self.bound();
    }

    fn merge(&mut self, other: Self, layout: &Layout) {
        self.found.extend(other.found);
        self.assembled.extend(other.assembled);
        let assembled = &mut self.assembled;
        self.assembly.absorb(other.assembly, layout, |key, value| {
            assembled.insert(key, value);
        });
        self.bound();
    }

    /// Gives up what waits when it is too much.
    fn bound(&mut self) {
        if self.assembly.is_full() {
            self.assembly = Assembly::thorough();
        }
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

/// A TOAST table that was read again.
struct Scanned<'a> {
    context: &'a ScanContext<'a>,
    forks: &'a [ForkFiles],
    toast: usize,
    /// Chunks of a value that are looked at.
    most: usize,
}

impl Scanned<'_> {
    /// Says what is wrong with the chunks of a value; tells whether nothing is.
    fn judge(&self, asked: Asked, chunks: &[Found], tally: &mut Tally) -> bool {
        let rows = chunk_rows(chunks);
        if chunks.iter().filter(|found| found.is_row).count() > self.most {
            self.judge_many(asked, tally);
            return false;
        }
        let Some(fault) = asked.value.fault(&rows) else {
            return true;
        };
        let met = self.met(asked.value, chunks);
        let mut message = fault.message(asked.value.value);
        if met == Met::Nothing && !self.context.clog_is_whole {
            // Who looks at the commit log alone takes the chunks for aborted. The server does not.
            return false;
        }
        if met == Met::Nothing {
            message += "; the server still reads deleted chunks, until VACUUM removes them";
        }
        // Blocks and files that cannot be read, and rows that are no chunks, have words of their
        // own.
        let counts = tally.forks.get(&self.toast);
        let has_unreadable = counts.is_some_and(|counts| !counts.unreadable.is_empty());
        let is_whole = || is_whole(&self.forks[self.toast], &self.context.layout);
        let met = match met {
            Met::Fault(met) if !has_unreadable && is_whole() => Some(met),
            _ => None,
        };
        self.push_incomplete(&asked, &message, met, tally);
        false
    }

    /// What the server meets when it reads a value.
    fn met(&self, value: ToastValue, chunks: &[Found]) -> Met {
        if chunks.iter().filter(|found| !found.is_row).count() > self.most {
            return Met::Unknown;
        }
        met(value, chunks)
    }

    /// Says that there are far more chunks than there should be; the server may meet any first.
    fn judge_many(&self, asked: Asked, tally: &mut Tally) {
        let (value, count, most) = (asked.value.value, asked.value.count(), self.most);
        let message = format!("toast value {value} has more than {most} chunks, not {count}");
        self.push_incomplete(&asked, &message, None, tally);
    }

    fn push_incomplete(
        &self,
        asked: &Asked,
        message: &str,
        met: Option<ToastValueFault>,
        tally: &mut Tally,
    ) {
        let (context, forks) = (self.context, self.forks);
        let toast = context.names.relation(forks[self.toast].locator);
        let error = met.zip(toast).map(|(met, toast)| {
            let (value, name) = (asked.value.value, &toast.class.relname);
            met.server_error(value, name, context.layout.version)
        });
        let check = &toast_value_incomplete::CHECK;
        tally.push(asked.finding(check, context, forks, message, error));
    }

    /// Says why a value does not decompress whose chunks are all there, if its pointer calls it
    /// compressed. Tells whether that is known.
    fn judge_compressed(
        &self,
        asked: Asked,
        chunks: &[Found],
        assembled: Option<&Assembled>,
        tally: &mut Tally,
    ) -> bool {
        let Some(claim) = asked.claim else {
            return true;
        };
        let Some(assembled) = assembled.filter(|a| a.size == asked.value.extsize) else {
            return false;
        };
        let layout = &self.context.layout;
        let data = assembled
            .header
            .map(|header| Claim::of_data(header, layout));
        let what = match (data, assembled.fault) {
            (None, _) => format!("{} bytes are no compressed value", assembled.size),
            (_, Some(fault)) => fault.to_string(),
            (Some(data), None) if data.size != claim.size => {
                format!(
                    "its pointer tells a size of {}, its data of {}",
                    claim.size, data.size
                )
            }
            // tuple-data-invalid tells of methods that there are not.
            (Some(data), None) if data.method != claim.method && claim.method < 2 => format!(
                "its pointer tells compression method {}, its data {}",
                claim.method, data.method
            ),
            _ => return true,
        };
        // Chunks that are too much it meets first.
        let met = self.met(asked.value, chunks) == Met::Nothing;
        let error = assembled
            .fault
            .filter(|_| met)
            .and_then(|fault| fault.server_error(layout));
        let message = format!("toast value {}: {what}", asked.value.value);
        let check = &compressed_data_invalid::CHECK;
        tally.push(asked.finding(check, self.context, self.forks, &message, error));
        true
    }
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
/// Each thread takes what it wants of them.
fn each_tuple<S: Default + Send>(
    evidence: &Evidence,
    context: &ScanContext<'_>,
    forks: &[ForkFiles],
    wanted: &[usize],
    tally: &Tally,
    take: &(dyn Fn(Seen<'_>, &mut S) + Sync),
) -> Vec<S> {
    let new = || (Tally::new(&context.layout, 0), S::default());
    let visit = |number: usize, pages: Pages<'_>, (scratch, taken): &mut (Tally, S)| {
        let refused = tally.forks.get(&number).map(|counts| &counts.unreadable);
        for view in pages {
            let is_refused = refused.is_some_and(|blocks| blocks.contains(view.blkno));
            let is_new = view.header.is_new() && is_zeroed(view.page);
            let has_special = u32::from(view.header.pd_special) != context.layout.blcksz;
            if is_refused || is_new || has_special {
                continue;
            }
            each_on_page(number, &view, scratch, &mut |seen| take(seen, taken));
        }
    };
    let states = read_forks(evidence, context, forks, wanted, &new, &visit, &|_| ());
    states.into_iter().map(|(_, taken)| taken).collect()
}

/// The tuples of a page of fork number `number`.
fn each_on_page(
    number: usize,
    view: &PageView<'_>,
    scratch: &mut Tally,
    take: &mut dyn FnMut(Seen<'_>),
) {
    let mut tuples = std::mem::take(&mut scratch.tuples);
    if let Ok(heap) = tuples.read(view.page) {
        let heap_view = HeapView { view: *view, heap };
        rows::count(&heap_view, scratch);
        for (tuple, state) in heap_view.heap.tuples.iter().zip(&scratch.states) {
            take(Seen {
                fork: number,
                page: view,
                tuple,
                bytes: heap_view.heap.bytes(tuple),
                state: *state,
            });
        }
    }
    scratch.tuples = tuples;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::{Major, Version};
    use proptest::prelude::*;

    proptest! {
        /// The chunks of a value take away what its pointer adds, and no others do.
        #[test]
        fn a_whole_value_comes_out_even(
            value in 1..u32::MAX - 1,
            extsize in 1..60_000_u32,
            wrong in 0..40_u32,
            by in 1..1996_u32,
        ) {
            let link = ToastLink { database: 5, toastrelid: 16_384 };
            let asked = ToastValue { value, extsize, max: 1996 };
            let layout = Layout::usual(Version::of(Major::V15).unwrap());
            let claim = Claim { size: by * 7, method: wrong % 2 };
            let claimed = (wrong % 3 == 0).then_some(claim);
            let mut sums = ToastSums::default();
            let mut sum = sums.ask(link, asked, claimed);
            if claimed.is_some() {
                let header = (claim.size | claim.method << 30).to_le_bytes();
                let header = Some(Compression::from(header));
                let whole = Assembled { size: extsize, header, fault: None };
                let other = ToastSums::default().assembled(link, value + 1, whole, &layout);
                let taken = sums.assembled(link, value, whole, &layout);
                prop_assert_ne!(taken, other);
                for other in [
                    Claim { size: claim.size + 1, ..claim },
                    Claim { method: 1 - claim.method, ..claim },
                ] {
                    prop_assert_ne!(sums.clone().ask(link, asked, Some(other)), sum);
                }
                sum = sum.wrapping_add(taken);
            }
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
