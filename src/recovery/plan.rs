//! What replay of the WAL will do: which pages it makes anew, which files it drops, how far
//! the counters go, and which transactions end in it.

use super::walk::WalSink;
use crate::format::checkpoint::{CheckPoint, WalLevel};
use crate::format::slru::Slru;
use crate::format::types::{
    BlockNumber, ForkNumber, FullTransactionId, MultiXactId, MultiXactOffset, Oid, RelFileLocator,
    TimestampTz, TransactionId, XLogRecPtr,
};
use crate::format::version::{Layout, Major};
use crate::format::vm;
use crate::format::wal::Record;
use crate::format::wal::effects::{Effect, effects};
use crate::format::wal::rmgr::RM_STANDBY_ID;
use crate::format::wal::standby::{self, StandbyOp};
use crate::format::wal::xact::XactEnd;
use roaring::RoaringBitmap;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

/// What replay does to one fork of a relation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForkPlan {
    /// Blocks that a full-page image or an initialisation makes anew.
    pub rebuilt: RoaringBitmap,
    /// Blocks that replay changes, and must read from disk before anything makes them anew.
    pub read_first: RoaringBitmap,
    /// The fork is cut to this many blocks, at the least.
    pub truncated_to: Option<BlockNumber>,
    /// Records that change the relation, each counted for the fork it changes first.
    pub records: u64,
    /// Where the first record about it begins.
    pub first: XLogRecPtr,
}

/// The counters that WAL moves on (`varsup.c`, `multixact.c`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Next transaction.
    pub next_xid: FullTransactionId,
    /// Oldest transaction that may still be asked about.
    pub oldest_xid: TransactionId,
    /// Next multixact.
    pub next_multi: MultiXactId,
    /// Where the next multixact's members go.
    pub next_multi_offset: MultiXactOffset,
    /// Oldest multixact that may still be asked about; unknown before 9.3.
    pub oldest_multi: Option<MultiXactId>,
    /// Next object identifier.
    pub next_oid: Oid,
}

impl Counters {
    /// As a checkpoint has them.
    #[must_use]
    pub fn of(check_point: &CheckPoint) -> Self {
        Self {
            next_xid: check_point.next_full_xid,
            oldest_xid: check_point.oldest_xid,
            next_multi: check_point.next_multi,
            next_multi_offset: check_point.next_multi_offset,
            oldest_multi: check_point.oldest_multi,
            next_oid: check_point.next_oid,
        }
    }
}

/// One step that moves the counters. Pieces of WAL are read in parallel and know no epoch,
/// so each keeps its steps until they are taken in order.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The newest transaction number of a run of records.
    Xid(TransactionId),
    Multi(MultiXactId, MultiXactOffset),
    OldestMulti(MultiXactId),
    OldestXid(TransactionId),
    Oid(Oid),
    Shutdown(Counters),
    Online(Counters),
}

/// What the WAL says of the transactions that ran on the primary.
#[derive(Clone, Copy, Debug)]
enum Running {
    /// All of them.
    Whole,
    /// Without the subtransactions of some: the oldest that runs, and the newest number.
    Overflowed {
        oldest: TransactionId,
        newest: TransactionId,
    },
}

/// Whether a standby knows which transactions run, without which it lets nobody in
/// (`procarray.c: ProcArrayApplyRecoveryInfo`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum StandbyState {
    /// `STANDBY_INITIALIZED`.
    #[default]
    Initialized,
    /// `STANDBY_SNAPSHOT_PENDING`: until all transactions up to this one have ended.
    Pending(TransactionId),
    /// `STANDBY_SNAPSHOT_READY`.
    Ready,
}

impl StandbyState {
    fn after(self, running: Running) -> Self {
        match (self, running) {
            (Self::Ready, _) | (_, Running::Whole) => Self::Ready,
            (Self::Initialized, Running::Overflowed { newest, .. }) => Self::Pending(newest),
            (Self::Pending(newest), Running::Overflowed { oldest, .. }) => {
                if newest.precedes(oldest) {
                    Self::Ready
                } else {
                    self
                }
            }
        }
    }
}

/// The first read of an SLRU page in replay. In the order of replay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SlruRead {
    /// The record.
    pub lsn: XLogRecPtr,
    /// Which of the reads for it.
    order: usize,
    /// The transaction or multixact that the server names if the read fails.
    pub asked_for: u64,
}

/// What a recovery does, or a piece of one.
#[derive(Clone, Debug)]
pub struct Plan {
    layout: Layout,
    /// Records by resource manager id: 256 counts.
    pub by_rmgr: Vec<u64>,
    /// What happens to relations' blocks.
    pub forks: FxHashMap<(RelFileLocator, ForkNumber), ForkPlan>,
    /// Heap blocks whose bits replay clears in pages of the visibility map that it has not
    /// made anew before.
    pub vm_cleared: FxHashMap<RelFileLocator, RoaringBitmap>,
    /// Relations whose files replay removes, and does not make again.
    pub dropped: FxHashSet<RelFileLocator>,
    /// Relations whose files replay makes.
    pub created: FxHashSet<RelFileLocator>,
    /// Databases whose folders replay removes, as database and tablespace.
    pub dropped_databases: BTreeSet<(Oid, Oid)>,
    /// Databases whose folders replay makes from copies, as database and tablespace.
    pub copied_databases: BTreeSet<(Oid, Oid)>,
    /// Databases whose folders replay makes, and fills bit by bit.
    pub created_databases: BTreeSet<(Oid, Oid)>,
    /// Tablespaces that replay removes.
    pub dropped_tablespaces: BTreeSet<Oid>,
    /// Tablespaces that replay makes.
    pub created_tablespaces: BTreeSet<Oid>,
    /// Commit log pages that replay zeroes before it fills them.
    pub zeroed_clog: BTreeSet<u64>,
    /// Pages of multixact offsets that replay zeroes.
    pub zeroed_offsets: BTreeSet<u64>,
    /// Pages of multixact members that replay zeroes.
    pub zeroed_members: BTreeSet<u64>,
    /// Pages of commit timestamps that replay zeroes.
    pub zeroed_commit_ts: BTreeSet<u64>,
    /// Pages of the commit log and of multixacts that replay reads, and has not zeroed before.
    pub slru_reads: BTreeMap<(Slru, u64), SlruRead>,
    /// The first page that the last truncation leaves of the commit log.
    pub clog_cutoff: Option<u64>,
    /// The same of the commit timestamps.
    pub commit_ts_cutoff: Option<u64>,
    /// Whether a record says that `track_commit_timestamp` is off.
    pub commit_ts_switched: bool,
    /// Transactions that commit, subtransactions included.
    pub committed: RoaringBitmap,
    /// Transactions that abort, subtransactions included.
    pub aborted: RoaringBitmap,
    /// Multixacts that replay writes, and where the members of each begin.
    pub multis: FxHashMap<MultiXactId, MultiXactOffset>,
    /// The updater of those that have one.
    pub updaters: FxHashMap<MultiXactId, TransactionId>,
    /// Commit records.
    pub commits: u64,
    /// Time of the first commit.
    pub first_commit: Option<TimestampTz>,
    /// Time of the last commit.
    pub last_commit: Option<TimestampTz>,
    /// Time of the last commit or abort (`xlogrecovery.c: GetLatestXTime`).
    pub last_completed: Option<TimestampTz>,
    /// Relation maps that replay writes, by database (0: `global/`).
    pub relation_maps: BTreeMap<Oid, Vec<u8>>,
    /// Redo points of the base backups whose end is passed.
    pub backup_ends: Vec<XLogRecPtr>,
    /// The first record from which on WAL was written with `wal_level = minimal`.
    pub minimal_from: Option<XLogRecPtr>,
    /// Where redo of a record cannot be foreseen.
    pub unclear: Option<(XLogRecPtr, crate::format::Malformed)>,
    /// The counters after replay, once the steps are taken.
    pub counters: Counters,
    steps: Vec<Step>,
    running: Vec<Running>,
    standby: StandbyState,
    /// The page of each SLRU that was read last: most records read the same one.
    last_read: [Option<u64>; Slru::ALL.len()],
    /// Relations of the record at hand, each once.
    touched: Vec<RelFileLocator>,
}

impl Plan {
    /// Nothing yet, from the counters of a checkpoint.
    #[must_use]
    pub fn new(layout: Layout, counters: Counters) -> Self {
        Self {
            layout,
            by_rmgr: vec![0; 256],
            forks: FxHashMap::default(),
            vm_cleared: FxHashMap::default(),
            dropped: FxHashSet::default(),
            created: FxHashSet::default(),
            dropped_databases: BTreeSet::new(),
            copied_databases: BTreeSet::new(),
            created_databases: BTreeSet::new(),
            dropped_tablespaces: BTreeSet::new(),
            created_tablespaces: BTreeSet::new(),
            zeroed_clog: BTreeSet::new(),
            zeroed_offsets: BTreeSet::new(),
            zeroed_members: BTreeSet::new(),
            zeroed_commit_ts: BTreeSet::new(),
            slru_reads: BTreeMap::new(),
            clog_cutoff: None,
            commit_ts_cutoff: None,
            commit_ts_switched: false,
            committed: RoaringBitmap::new(),
            aborted: RoaringBitmap::new(),
            multis: FxHashMap::default(),
            updaters: FxHashMap::default(),
            commits: 0,
            first_commit: None,
            last_commit: None,
            last_completed: None,
            relation_maps: BTreeMap::new(),
            backup_ends: Vec::new(),
            minimal_from: None,
            unclear: None,
            counters,
            steps: Vec::new(),
            running: Vec::new(),
            standby: StandbyState::default(),
            last_read: [None; Slru::ALL.len()],
            touched: Vec::new(),
        }
    }

    /// Whether replay makes a block anew, or takes its file away, without reading the block.
    #[must_use]
    pub fn heals(&self, locator: RelFileLocator, fork: ForkNumber, blkno: BlockNumber) -> bool {
        if self.removes(locator) {
            return true;
        }
        self.forks.get(&(locator, fork)).is_some_and(|plan| {
            let cut = plan.truncated_to.is_some_and(|blocks| blkno >= blocks);
            (plan.rebuilt.contains(blkno) || cut) && !plan.read_first.contains(blkno)
        })
    }

    /// Whether replay removes a database's folder or makes it anew, with its `PG_VERSION`
    /// (`dbcommands.c: dbase_redo, CreateDirAndVersionFile`).
    #[must_use]
    pub fn remakes_database(&self, database: (Oid, Oid)) -> bool {
        self.dropped_databases.contains(&database)
            || self.copied_databases.contains(&database)
            || self.created_databases.contains(&database)
    }

    /// Whether replay removes a relation's files, or copies another database's over them.
    #[must_use]
    pub fn removes(&self, locator: RelFileLocator) -> bool {
        let database = (locator.db_oid, locator.spc_oid);
        self.dropped.contains(&locator)
            || self.dropped_databases.contains(&database)
            || self.copied_databases.contains(&database)
            || self.dropped_tablespaces.contains(&locator.spc_oid)
    }

    /// Whether replay changes a block or makes it anew.
    #[must_use]
    pub fn changes(&self, locator: RelFileLocator, fork: ForkNumber, blkno: BlockNumber) -> bool {
        let plan = self.forks.get(&(locator, fork));
        plan.is_some_and(|plan| plan.rebuilt.contains(blkno) || plan.read_first.contains(blkno))
    }

    /// Blocks of a fork that replay changes or makes anew.
    #[must_use]
    pub fn changed_blocks(&self, locator: RelFileLocator, fork: ForkNumber) -> u64 {
        self.forks
            .get(&(locator, fork))
            .map_or(0, |plan| plan.rebuilt.union_len(&plan.read_first))
    }

    /// Takes in the next piece of WAL.
    pub fn absorb(&mut self, piece: Self) {
        for (mine, more) in self.by_rmgr.iter_mut().zip(piece.by_rmgr) {
            *mine += more;
        }
        for (locator, blocks) in piece.vm_cleared {
            for block in blocks {
                self.clear_vm(locator, block);
            }
        }
        for (key, more) in piece.forks {
            let plan = self.fork(key.0, key.1, more.first);
            plan.read_first |= more.read_first - &plan.rebuilt;
            plan.rebuilt |= more.rebuilt;
            plan.records += more.records;
            plan.truncated_to = least(plan.truncated_to, more.truncated_to);
        }
        for locator in &piece.created {
            self.dropped.remove(locator);
        }
        self.dropped.extend(piece.dropped);
        self.created.extend(piece.created);
        self.dropped_databases.extend(piece.dropped_databases);
        self.copied_databases.extend(piece.copied_databases);
        self.created_databases.extend(piece.created_databases);
        self.dropped_tablespaces.extend(piece.dropped_tablespaces);
        self.created_tablespaces.extend(piece.created_tablespaces);
        for ((slru, page), read) in piece.slru_reads {
            if !self.zeroes(slru, page) {
                self.slru_reads.entry((slru, page)).or_insert(read);
            }
        }
        self.zeroed_commit_ts.extend(piece.zeroed_commit_ts);
        self.clog_cutoff = piece.clog_cutoff.or(self.clog_cutoff);
        self.commit_ts_cutoff = piece.commit_ts_cutoff.or(self.commit_ts_cutoff);
        self.commit_ts_switched |= piece.commit_ts_switched;
        self.zeroed_clog.extend(piece.zeroed_clog);
        self.zeroed_offsets.extend(piece.zeroed_offsets);
        self.zeroed_members.extend(piece.zeroed_members);
        self.committed |= piece.committed;
        self.aborted |= piece.aborted;
        self.multis.extend(piece.multis);
        self.updaters.extend(piece.updaters);
        self.commits += piece.commits;
        self.first_commit = self.first_commit.or(piece.first_commit);
        self.last_commit = piece.last_commit.or(self.last_commit);
        self.last_completed = piece.last_completed.or(self.last_completed);
        self.relation_maps.extend(piece.relation_maps);
        self.backup_ends.extend(piece.backup_ends);
        self.minimal_from = self.minimal_from.or(piece.minimal_from);
        self.unclear = self.unclear.or(piece.unclear);
        for step in piece.steps {
            self.counters.take(step, &self.layout);
        }
        for running in piece.running {
            self.standby = self.standby.after(running);
        }
    }

    /// Whether a standby still waits for the end of transactions with more subtransactions than
    /// the primary keeps (64, `proc.h: PGPROC_MAX_CACHED_SUBXIDS`) when the WAL is at its end.
    /// A start from a shutdown checkpoint knows that none was running.
    #[must_use]
    pub fn awaits_subtransactions(&self) -> bool {
        matches!(self.standby, StandbyState::Pending(_))
    }

    /// How much the record at hand adds to the count of a relation's records.
    fn counts(&mut self, locator: RelFileLocator) -> u64 {
        let counted = self.touched.contains(&locator);
        if !counted {
            self.touched.push(locator);
        }
        u64::from(!counted)
    }

    /// Records that change each relation.
    #[must_use]
    pub fn records_by_relation(&self) -> BTreeMap<RelFileLocator, u64> {
        let mut records: BTreeMap<RelFileLocator, u64> = BTreeMap::new();
        for ((locator, _), plan) in self.forks.iter().filter(|(_, plan)| plan.records > 0) {
            *records.entry(*locator).or_default() += plan.records;
        }
        records
    }

    /// What replay does to a fork of which there is a record at `lsn`.
    fn fork(
        &mut self,
        locator: RelFileLocator,
        fork: ForkNumber,
        lsn: XLogRecPtr,
    ) -> &mut ForkPlan {
        let new = || ForkPlan {
            first: lsn,
            ..ForkPlan::default()
        };
        self.forks.entry((locator, fork)).or_insert_with(new)
    }

    fn clear_vm(&mut self, locator: RelFileLocator, heap_blkno: BlockNumber) {
        let (map_block, _) = vm::locate(heap_blkno, &self.layout);
        let map = self.forks.get(&(locator, ForkNumber::Vm));
        if !map.is_some_and(|map| map.rebuilt.contains(map_block)) {
            self.vm_cleared
                .entry(locator)
                .or_default()
                .insert(heap_blkno);
        }
    }

    fn xid(&mut self, xid: TransactionId) {
        if let Some(Step::Xid(newest)) = self.steps.last_mut() {
            if newest.precedes(xid) {
                *newest = xid;
            }
        } else {
            self.steps.push(Step::Xid(xid));
        }
    }

    /// Whether replay makes an SLRU page anew, all zero.
    #[must_use]
    pub fn zeroes(&self, slru: Slru, page: u64) -> bool {
        self.zeroed(slru)
            .is_some_and(|zeroed| zeroed.contains(&page))
    }

    /// The SLRU pages that replay makes anew; of `pg_subtrans` the start does, whatever the
    /// WAL says.
    #[must_use]
    pub fn zeroed(&self, slru: Slru) -> Option<&BTreeSet<u64>> {
        match slru {
            Slru::Xact => Some(&self.zeroed_clog),
            Slru::MultiXactOffset => Some(&self.zeroed_offsets),
            Slru::MultiXactMember => Some(&self.zeroed_members),
            Slru::CommitTs => Some(&self.zeroed_commit_ts),
            Slru::Subtrans => None,
        }
    }

    fn reads_slru(&mut self, slru: Slru, page: u64, lsn: XLogRecPtr, asked_for: u64) {
        let last = &mut self.last_read[slru as usize];
        if last.replace(page) == Some(page) || self.zeroes(slru, page) {
            return;
        }
        let order = self.slru_reads.len();
        self.slru_reads.entry((slru, page)).or_insert(SlruRead {
            lsn,
            order,
            asked_for,
        });
    }

    /// The pages of the commit log that take a transaction's end, in the order of `clog.c:
    /// TransactionIdSetTreeStatus`, which does not say of which transaction where that is not
    /// the topmost one's page. Of commit timestamps the start makes the newest page first
    /// (`commit_ts.c: ActivateCommitTs`).
    fn reads_of_end(&mut self, lsn: XLogRecPtr, end: &XactEnd<'_>, committed: bool) {
        let top = u64::from(end.xid.0);
        let own = Slru::Xact.pageno(top, &self.layout);
        if !committed {
            self.reads_slru(Slru::Xact, own, lsn, top);
        }
        for xid in end.subxacts.iter() {
            let page = Slru::Xact.pageno(xid.0.into(), &self.layout);
            if page != own {
                self.reads_slru(Slru::Xact, page, lsn, 0);
            }
        }
        if committed {
            self.reads_slru(Slru::Xact, own, lsn, top);
        }
    }

    fn ended(&mut self, lsn: XLogRecPtr, end: &XactEnd<'_>, committed: bool) {
        self.reads_of_end(lsn, end, committed);
        self.last_completed = Some(end.xact_time);
        for xid in end.subxacts.iter().chain([end.xid]) {
            self.xid(xid);
            if committed {
                self.committed.insert(xid.0);
            } else {
                self.aborted.insert(xid.0);
            }
        }
        if committed {
            self.commits += 1;
            self.first_commit = self.first_commit.or(Some(end.xact_time));
            self.last_commit = Some(end.xact_time);
        }
    }

    fn take(&mut self, lsn: XLogRecPtr, effect: Effect<'_>) {
        match effect {
            Effect::Rebuilds {
                locator,
                fork,
                blkno,
                ..
            } => {
                let records = self.counts(locator);
                let plan = self.fork(locator, fork, lsn);
                plan.records += records;
                plan.rebuilt.insert(blkno);
            }
            Effect::Touches {
                locator,
                fork,
                blkno,
            } => {
                let records = self.counts(locator);
                let plan = self.fork(locator, fork, lsn);
                plan.records += records;
                if !plan.rebuilt.contains(blkno) {
                    plan.read_first.insert(blkno);
                }
            }
            Effect::CreatesFile { locator, .. } => {
                self.dropped.remove(&locator);
                self.created.insert(locator);
            }
            Effect::DropsRelation(locator) => {
                self.dropped.insert(locator);
            }
            Effect::Truncates {
                locator,
                fork,
                to_blocks,
            } => {
                let plan = self.fork(locator, fork, lsn);
                plan.truncated_to = least(plan.truncated_to, Some(to_blocks));
            }
            Effect::CopiesDatabase { db, ts, .. } => {
                self.copied_databases.insert((db, ts));
            }
            Effect::CreatesDatabase { db, ts } => {
                self.created_databases.insert((db, ts));
            }
            Effect::DropsDatabase { db, ts } => {
                self.dropped_databases.insert((db, ts));
            }
            Effect::DropsTablespace(ts) => {
                self.dropped_tablespaces.insert(ts);
            }
            Effect::CreatesTablespace { ts, .. } => {
                self.created_tablespaces.insert(ts);
            }
            Effect::ZeroesClogPage(page) => {
                self.zeroed_clog.insert(page);
            }
            Effect::TruncatesClog { oldest, pageno } => {
                self.clog_cutoff = Some(pageno);
                if let Some((xid, _)) = oldest {
                    self.steps.push(Step::OldestXid(xid));
                }
            }
            Effect::ZeroesMultiOffsetPage(page) => {
                self.zeroed_offsets.insert(page);
            }
            Effect::ZeroesMultiMemberPage(page) => {
                self.zeroed_members.insert(page);
            }
            Effect::CreatesMulti {
                mid,
                offset,
                members,
            } => {
                let behind = offset.wrapping_add(members.len() as u64);
                // Offsets of 32 bits wrap.
                let behind = match self.layout.since(Major::V19) {
                    true => behind,
                    false => behind & u64::from(u32::MAX),
                };
                self.steps
                    .push(Step::Multi(mid.wrapping_add(1).max(1), behind));
                self.multis.insert(mid, offset);
                let slru = Slru::MultiXactOffset;
                let page = slru.pageno(mid.into(), &self.layout);
                self.reads_slru(slru, page, lsn, mid.into());
                let slru = Slru::MultiXactMember;
                let first = slru.pageno(offset, &self.layout);
                self.reads_slru(slru, first, lsn, mid.into());
                if behind > offset {
                    let last = slru.pageno(behind - 1, &self.layout);
                    for page in first..=last {
                        self.reads_slru(slru, page, lsn, mid.into());
                    }
                }
                members.xids().for_each(|xid| self.xid(xid));
                if let Some(updater) = members.updater() {
                    self.updaters.insert(mid, updater);
                }
            }
            Effect::TruncatesMulti { oldest_multi, .. } => {
                self.steps.push(Step::OldestMulti(oldest_multi));
            }
            Effect::AdvancesXid(xid) => self.xid(xid),
            Effect::NextOid(oid) => self.steps.push(Step::Oid(oid)),
            Effect::Commits(end) => self.ended(lsn, &end, true),
            Effect::Aborts(end) => self.ended(lsn, &end, false),
            Effect::Prepares { xid, .. } => self.xid(xid),
            Effect::Checkpoint { shutdown, bytes } => {
                if let Ok(point) = CheckPoint::parse(self.layout.version, bytes) {
                    let counters = Counters::of(&point);
                    if shutdown {
                        self.running.push(Running::Whole);
                    }
                    self.steps.push(if shutdown {
                        Step::Shutdown(counters)
                    } else {
                        Step::Online(counters)
                    });
                }
            }
            Effect::UpdatesRelMap { db, bytes, .. } => {
                self.relation_maps.insert(db, bytes.to_vec());
            }
            Effect::BackupEnd(redo) => self.backup_ends.push(redo),
            Effect::Unclear(malformed) => {
                self.unclear = self.unclear.or(Some((lsn, malformed)));
            }
            Effect::ZeroesCommitTsPage(page) => {
                self.zeroed_commit_ts.insert(page);
            }
            Effect::TruncatesCommitTs { pageno, .. } => self.commit_ts_cutoff = Some(pageno),
            Effect::ParameterChange(change) => {
                self.commit_ts_switched |= change.track_commit_timestamp == Some(false);
                let number = change.wal_level.cast_unsigned();
                if WalLevel::from_number(self.layout.version, number) == WalLevel::Minimal {
                    self.minimal_from = self.minimal_from.or(Some(lsn));
                }
            }
            Effect::ClearsVm {
                locator,
                heap_blkno,
            } => self.clear_vm(locator, heap_blkno),
            Effect::SetsCommitTs { .. }
            | Effect::FinishesPrepared(_)
            | Effect::FullPageWrites(_)
            | Effect::RestorePoint { .. }
            | Effect::EndOfRecovery { .. }
            | Effect::OverwritesContrecord(_) => {}
        }
    }
}

impl WalSink for Plan {
    fn record(&mut self, record: &Record<'_, '_>) {
        self.by_rmgr[usize::from(record.header.xl_rmid)] += 1;
        let layout = self.layout;
        self.touched.clear();
        effects(layout, record, &mut |effect| self.take(record.lsn, effect));
        if record.header.xl_rmid == RM_STANDBY_ID
            && let Ok(StandbyOp::RunningXacts(running)) = standby::parse(layout, record)
        {
            self.running
                .push(if running.subxid_overflow && running.xcnt > 0 {
                    Running::Overflowed {
                        oldest: running.oldest_running_xid,
                        newest: TransactionId(running.next_xid.0.wrapping_sub(1)),
                    }
                } else {
                    Running::Whole
                });
        }
    }
}

impl Counters {
    /// `xlog.c: xlog_redo`, `multixact.c: multixact_redo`, `varsup.c`.
    fn take(&mut self, step: Step, layout: &Layout) {
        match step {
            Step::Xid(xid) => self.next_xid.advance_past(xid),
            Step::Multi(next, offset) => {
                if precedes(self.next_multi, next) {
                    self.next_multi = next;
                }
                self.next_multi_offset = later(self.next_multi_offset, offset, layout);
            }
            Step::OldestMulti(oldest) => {
                if self
                    .oldest_multi
                    .is_some_and(|known| precedes(known, oldest))
                {
                    self.oldest_multi = Some(oldest);
                }
            }
            Step::OldestXid(oldest) => self.oldest_xid = oldest,
            Step::Oid(oid) => self.next_oid = oid,
            Step::Shutdown(counters) => *self = counters,
            Step::Online(point) => {
                self.next_xid = self.next_xid.max(point.next_xid);
                if precedes(self.next_multi, point.next_multi) {
                    self.next_multi = point.next_multi;
                }
                self.next_multi_offset =
                    later(self.next_multi_offset, point.next_multi_offset, layout);
                if self.oldest_xid.precedes(point.oldest_xid) {
                    self.oldest_xid = point.oldest_xid;
                }
                if let (Some(known), Some(new)) = (self.oldest_multi, point.oldest_multi)
                    && precedes(known, new)
                {
                    self.oldest_multi = Some(new);
                }
            }
        }
    }
}

/// `multixact.c: MultiXactIdPrecedes`.
fn precedes(a: MultiXactId, b: MultiXactId) -> bool {
    a.wrapping_sub(b) >= 0x8000_0000
}

/// The later of two offsets of members (`MultiXactOffsetPrecedes`).
fn later(a: MultiXactOffset, b: MultiXactOffset, layout: &Layout) -> MultiXactOffset {
    let distance = b.wrapping_sub(a);
    let precedes = if layout.since(Major::V19) {
        distance != 0 && distance < 1 << 63
    } else {
        matches!(distance & u64::from(u32::MAX), 1..0x8000_0000)
    };
    if precedes { b } else { a }
}

fn least(a: Option<BlockNumber>, b: Option<BlockNumber>) -> Option<BlockNumber> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Overflowed snapshots as (oldest running, newest), `None` for one that is whole.
    fn after(snapshots: &[Option<(u32, u32)>]) -> StandbyState {
        let running = snapshots.iter().map(|snapshot| match *snapshot {
            None => Running::Whole,
            Some((oldest, newest)) => Running::Overflowed {
                oldest: TransactionId(oldest),
                newest: TransactionId(newest),
            },
        });
        running.fold(StandbyState::default(), StandbyState::after)
    }

    #[test]
    fn a_standby_waits_for_transactions_whose_subtransactions_it_does_not_know() {
        let pending = StandbyState::Pending(TransactionId(800));
        assert_eq!(after(&[]), StandbyState::Initialized);
        assert_eq!(after(&[None]), StandbyState::Ready);
        assert_eq!(after(&[Some((700, 800))]), pending);
        assert_eq!(after(&[Some((700, 800)), Some((800, 900))]), pending);
        assert_eq!(
            after(&[Some((700, 800)), Some((801, 900))]),
            StandbyState::Ready
        );
        assert_eq!(after(&[Some((700, 800)), None]), StandbyState::Ready);
        assert_eq!(after(&[None, Some((700, 800))]), StandbyState::Ready);
    }
}
