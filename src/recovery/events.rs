//! The moments an operator looks for in the WAL: what was truncated, dropped and deleted, by
//! which transaction and when, and what else happened around it.
//!
//! One pass over the records, past every break. What a transaction does is kept until it
//! ends, within bounds, and told if it commits. The names come from [`NameHistory`].
//!
//! `TRUNCATE` leaves no record of its own (`XLOG_HEAP_TRUNCATE` is written at `wal_level =
//! logical` alone): like `VACUUM FULL`, `CLUSTER` and `ALTER TABLE` it gives the table new
//! files and removes the old ones at commit. They differ in `pg_class`: the latter fill a
//! relation made for the purpose and swap files with it (`cluster.c: make_new_heap,
//! swap_relation_files`), while `TRUNCATE` makes an empty file in the row's place
//! (`relcache.c: RelationSetNewRelfilenumber`). Where the WAL does not show the rows of
//! `pg_class` both are possible, and that is what is said.

use super::dump::{Met, dump};
use super::reader::{WalContext, WalSource};
use super::stop::Stop;
use crate::cluster::catalog::CatalogTable;
use crate::cluster::names::{Change, ClassRow, NameHistory};
use crate::format::catalog::DATCONNLIMIT_INVALID_DB;
use crate::format::checkpoint::{CheckPoint, WalLevel};
use crate::format::twophase::TwoPhaseState;
use crate::format::types::{
    ForkNumber, Oid, RelFileLocator, TimeLineID, TimestampTz, TransactionId, XLogRecPtr, XLogSegNo,
};
use crate::format::version::{Layout, Major};
use crate::format::wal::Record;
use crate::format::wal::effects::{Effect, effects};
use crate::format::wal::heap::{self, HeapOp, XLH_DELETE_IS_PARTITION_MOVE, XLH_DELETE_IS_SUPER};
use crate::format::wal::rmgr::{
    RM_DBASE_ID, RM_HEAP_ID, RM_HEAP2_ID, RM_RELMAP_ID, RM_SMGR_ID, RM_STANDBY_ID, RM_TBLSPC_ID,
    RM_XACT_ID, RM_XLOG_ID,
};
use crate::format::wal::standby::{self, StandbyOp};
use crate::format::wal::xact::XactEnd;
use crate::format::wal::xlog::ParameterChange;
use crate::report::RelationName;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Events that are kept; the others are counted.
const MAX_EVENTS: usize = 100_000;
/// Relations named in one event; the others are counted.
const MAX_NAMED: usize = 100;
/// Open transactions followed at a time.
const MAX_OPEN: usize = 1 << 16;
/// Relations, changed rows of catalogs and dropped databases that one transaction keeps.
const MAX_KEPT: usize = 1 << 14;
/// The same of all open transactions.
const MAX_KEPT_IN_ALL: usize = 1 << 18;
/// New files that are remembered until it shows whose they are.
const MAX_LOOSE: usize = 1024;
/// Seconds from 1970-01-01 to 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800;

/// Which events are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// WAL from here on is read.
    pub start: Option<XLogRecPtr>,
    /// WAL before this is read.
    pub end: Option<XLogRecPtr>,
    /// Events at this time or later.
    pub since: Option<TimestampTz>,
    /// Events at this time or earlier.
    pub until: Option<TimestampTz>,
    /// A `DELETE` or `UPDATE` of this many rows of one table by one transaction is an event.
    pub threshold: u64,
}

/// A relation in an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventRelation {
    /// Its names, as far as they are known.
    pub name: RelationName,
    /// Its files, before the event.
    pub locator: Option<RelFileLocator>,
}

/// The relations of an event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Relations {
    /// They, by name.
    pub named: Vec<EventRelation>,
    /// How many more there are.
    pub more: u64,
}

impl Relations {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        (self.named.len() as u64).saturating_add(self.more)
    }

    fn push(&mut self, relation: EventRelation) {
        if self.named.len() < MAX_NAMED {
            self.named.push(relation);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn is_empty(&self) -> bool {
        self.named.is_empty()
    }
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// `TRUNCATE`.
    Truncate(Relations),
    /// `TRUNCATE` of a table that the transaction itself made or had truncated.
    TruncateOwn(Relations),
    /// Got new files and lost the old ones; whether with the rows is not known.
    TruncateOrRewrite {
        /// Which.
        relations: Relations,
        /// Pages that the transaction wrote into the new files, as far as they were logged.
        pages: u64,
    },
    /// `VACUUM FULL`, `CLUSTER`, `ALTER TABLE`, `REFRESH`: rewritten with their rows.
    Rewrite(Relations),
    /// `REINDEX`.
    Reindex(Relations),
    /// `ALTER … SET TABLESPACE`.
    Move(Relations),
    /// `DROP TABLE` and the like. Without `certain` its files are all that is known of it.
    Drop {
        /// Tables and materialized views, or what there is where there is none.
        relations: Relations,
        /// Indexes, sequences and TOAST tables beside them.
        others: u64,
        /// `pg_class` was seen to lose the row, or nothing took the files' place.
        certain: bool,
    },
    /// `CREATE TABLE`.
    Create(Relations),
    /// Many rows of a table deleted.
    Delete {
        /// The table.
        relation: EventRelation,
        /// Rows.
        rows: u64,
    },
    /// Many rows of a table updated.
    Update {
        /// The table.
        relation: EventRelation,
        /// Rows.
        rows: u64,
    },
    /// `DROP DATABASE`.
    DropDatabase {
        /// Which.
        oid: Oid,
        /// Its name, if known.
        name: Option<String>,
    },
    /// `CREATE DATABASE`.
    CreateDatabase {
        /// Which.
        oid: Oid,
        /// Its name, if known.
        name: Option<String>,
    },
    /// `ALTER DATABASE … SET TABLESPACE`: its files in one tablespace are removed.
    MoveDatabase {
        /// Which.
        oid: Oid,
        /// Its name, if known.
        name: Option<String>,
    },
    /// `DROP TABLESPACE`.
    DropTablespace {
        /// Which.
        oid: Oid,
        /// Its name, if known.
        name: Option<String>,
    },
    /// `CREATE TABLESPACE`.
    CreateTablespace {
        /// Which.
        oid: Oid,
        /// Its name, if known.
        name: Option<String>,
        /// Its folder.
        path: String,
    },
    /// `pg_create_restore_point`.
    RestorePoint(String),
    /// A checkpoint of a running server.
    Checkpoint {
        /// Where redo from it begins.
        redo: XLogRecPtr,
    },
    /// A shutdown, or the end of a recovery after a crash, which leaves the same record.
    Shutdown {
        /// Transactions that were cut off: it was a crash.
        cut_off: u64,
    },
    /// A timeline begins.
    Promotion {
        /// The timeline before.
        from: TimeLineID,
        /// The new one.
        to: TimeLineID,
    },
    /// `full_page_writes` from here on.
    FullPageWrites(bool),
    /// Settings that standbys depend on: each with its new value.
    Settings(Vec<(&'static str, String)>),
    /// `PREPARE TRANSACTION`, and it was still open at the end.
    Prepared {
        /// The name the user gave it.
        gid: String,
    },
    /// `COMMIT PREPARED` or `ROLLBACK PREPARED`.
    FinishedPrepared {
        /// The name the user gave it, if known.
        gid: Option<String>,
        /// Committed or rolled back.
        committed: bool,
    },
    /// A base backup is complete.
    BackupEnd {
        /// Where redo from it begins.
        start: XLogRecPtr,
    },
    /// The WAL cannot be read on here.
    Break {
        /// Why.
        stop: Stop,
        /// The next record that can be read.
        resumed: XLogRecPtr,
    },
}

impl Act {
    /// Whether committed data were lost by it.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        match self {
            Self::Truncate(_)
            | Self::TruncateOrRewrite { .. }
            | Self::Delete { .. }
            | Self::Update { .. }
            | Self::DropDatabase { .. }
            | Self::DropTablespace { .. } => true,
            Self::Drop { relations, .. } => relations
                .named
                .iter()
                .any(|relation| relation.name.kind != Some("index")),
            _ => false,
        }
    }
}

/// A transaction that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// Which.
    pub xid: TransactionId,
    /// When.
    pub time: TimestampTz,
    /// Its commit record.
    pub lsn: XLogRecPtr,
}

/// Where recovery is to stop so that something has not happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The first record of the transaction: a base backup to start from ends before it, or at
    /// least before `lsn`.
    pub first_lsn: XLogRecPtr,
    /// The first record that must not be replayed.
    pub lsn: XLogRecPtr,
    /// The transaction, when to stop before its commit is enough and the version can do it.
    pub xid: Option<TransactionId>,
    /// Its commit time, when to stop before that is enough.
    pub time: Option<TimestampTz>,
    /// The last commit before `lsn`.
    pub previous: Option<Ended>,
    /// A commit or abort before `lsn` bears that time or a later one, and would be where a
    /// time as target stops.
    pub time_is_early: bool,
    /// The timeline.
    pub tli: TimeLineID,
    /// The prepared transaction that is open again then.
    pub prepared: Option<String>,
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// The record that made it so: of a transaction its commit record.
    pub lsn: XLogRecPtr,
    /// Its timeline.
    pub tli: TimeLineID,
    /// When it was, by the record; not every record has a time.
    pub time: Option<TimestampTz>,
    /// By which transaction.
    pub xid: Option<TransactionId>,
    /// What.
    pub act: Act,
    /// How to recover to just before it, if it destroyed something.
    pub target: Option<Target>,
    /// It lies behind a place that recovery cannot pass.
    pub behind_break: bool,
}

/// What was found in the WAL of a timeline and its ancestors.
#[derive(Clone, Debug)]
pub struct Events {
    /// Version and sizes.
    pub layout: Layout,
    /// The timeline.
    pub timeline: TimeLineID,
    /// Start of the first record read.
    pub first: Option<XLogRecPtr>,
    /// End of the last record read.
    pub last: Option<XLogRecPtr>,
    /// Records read.
    pub records: u64,
    /// Commits among them.
    pub commits: u64,
    /// The events by position.
    pub events: Vec<Event>,
    /// Events for which there was no more room.
    pub more: u64,
    /// Transactions of which not everything could be kept.
    pub incomplete: u64,
    /// Why the WAL could not be read on; `None` when it was not wanted.
    pub end: Option<Stop>,
}

/// What a transaction did to one relation's main fork.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    inserted: u64,
    deleted: u64,
    updated: u64,
    /// Pages written whole.
    pages: u64,
    created: bool,
    /// Cut to nothing.
    emptied: bool,
}

impl Work {
    fn add(&mut self, other: &Self) {
        self.inserted = self.inserted.saturating_add(other.inserted);
        self.deleted = self.deleted.saturating_add(other.deleted);
        self.updated = self.updated.saturating_add(other.updated);
        self.pages = self.pages.saturating_add(other.pages);
        self.created |= other.created;
        self.emptied |= other.emptied;
    }
}

/// Something that is done at once, whether its transaction commits or not.
#[derive(Clone, Debug)]
enum AtOnce {
    DropsDatabase(Oid),
    CreatesDatabase(Oid),
    DropsTablespace(Oid),
    CreatesTablespace(Oid, String),
}

/// A transaction, or a subtransaction, that has not ended.
#[derive(Debug)]
struct Open {
    first_lsn: XLogRecPtr,
    /// The last commit before it began.
    before: Option<Ended>,
    work: FxHashMap<RelFileLocator, Work>,
    changes: Vec<Change>,
    at_once: Vec<(XLogRecPtr, AtOnce)>,
    /// `XLOG_HEAP_TRUNCATE`.
    truncated: Vec<(Oid, Oid)>,
    /// It changed rows of `pg_class` that are not known.
    unclear: bool,
    /// It deleted a row of `pg_database`.
    deletes_database: bool,
    /// The name of a prepared transaction, when and where it was prepared.
    prepared: Option<(String, TimestampTz, XLogRecPtr)>,
    incomplete: bool,
}

impl Open {
    fn new(first_lsn: XLogRecPtr, before: Option<Ended>) -> Self {
        Self {
            first_lsn,
            before,
            work: FxHashMap::default(),
            changes: Vec::new(),
            at_once: Vec::new(),
            truncated: Vec::new(),
            unclear: false,
            deletes_database: false,
            prepared: None,
            incomplete: false,
        }
    }

    fn kept(&self) -> usize {
        self.work.len() + self.changes.len() + self.at_once.len() + self.truncated.len()
    }

    /// Takes in a subtransaction.
    fn absorb(&mut self, sub: Self) {
        if sub.first_lsn < self.first_lsn {
            self.first_lsn = sub.first_lsn;
            self.before = sub.before;
        }
        for (locator, work) in sub.work {
            self.work.entry(locator).or_default().add(&work);
        }
        self.changes.extend(sub.changes);
        self.at_once.extend(sub.at_once);
        self.truncated.extend(sub.truncated);
        self.unclear |= sub.unclear;
        self.deletes_database |= sub.deletes_database;
        self.incomplete |= sub.incomplete;
    }
}

/// Finds the events in some WAL.
#[must_use]
pub fn events(
    context: &WalContext,
    source: &dyn WalSource,
    segments: &[XLogSegNo],
    names: NameHistory<'_>,
    wanted: Wanted,
) -> Events {
    let mut tracker = Tracker {
        context,
        wanted,
        names,
        open: FxHashMap::default(),
        kept: 0,
        tli: None,
        clock: None,
        last_commit: None,
        latest_time: None,
        broken_at: None,
        settings: None,
        loose: FxHashSet::default(),
        invalidated: BTreeMap::new(),
        found: Events {
            layout: context.layout,
            timeline: context.timelines.target(),
            first: None,
            last: None,
            records: 0,
            commits: 0,
            events: Vec::new(),
            more: 0,
            incomplete: 0,
            end: None,
        },
    };
    let range = (wanted.start, wanted.end);
    dump(context, source, segments, range, &mut |met| {
        match met {
            Met::Record(record) => tracker.record(record),
            Met::Stop { stop, resumed } => tracker.stop(stop, resumed),
        }
        ControlFlow::Continue(())
    });
    tracker.finish()
}

struct Tracker<'a, 'e> {
    context: &'a WalContext,
    wanted: Wanted,
    names: NameHistory<'e>,
    open: FxHashMap<TransactionId, Open>,
    /// What all open transactions keep.
    kept: usize,
    /// The timeline, as the last checkpoint has it.
    tli: Option<TimeLineID>,
    /// The last time that a record had.
    clock: Option<TimestampTz>,
    last_commit: Option<Ended>,
    /// The latest time of all commits and aborts.
    latest_time: Option<TimestampTz>,
    /// The first place that recovery cannot pass.
    broken_at: Option<XLogRecPtr>,
    settings: Option<ParameterChange>,
    /// New files of transactions that are not known yet.
    loose: FxHashSet<RelFileLocator>,
    /// Where databases were marked invalid, and the last commit before that.
    invalidated: BTreeMap<Oid, (XLogRecPtr, Option<Ended>)>,
    found: Events,
}

impl Tracker<'_, '_> {
    fn stop(&mut self, stop: &Stop, resumed: Option<XLogRecPtr>) {
        let Some(resumed) = resumed else {
            self.found.end = Some(stop.clone());
            return;
        };
        self.names.begin(resumed);
        let act = Act::Break {
            stop: stop.clone(),
            resumed,
        };
        self.tell(stop.lsn, None, None, act, None);
        self.broken_at = self.broken_at.or(Some(stop.lsn));
    }

    fn record(&mut self, record: &Record<'_, '_>) {
        if self.found.first.is_none() {
            self.found.first = Some(record.lsn);
            self.names.begin(record.lsn);
        }
        self.found.last = Some(record.end_lsn);
        self.found.records = self.found.records.saturating_add(1);
        let xid = record.header.xl_xid;
        if xid.is_valid() && self.open.len() < MAX_OPEN {
            let before = self.last_commit;
            self.open
                .entry(xid)
                .or_insert_with(|| Open::new(record.lsn, before));
        }
        match record.header.xl_rmid {
            RM_HEAP_ID => self.heap(record),
            RM_HEAP2_ID if self.names.concerns(record) => self.catalog(record, None),
            RM_STANDBY_ID => self.standby(record),
            RM_XLOG_ID | RM_XACT_ID | RM_SMGR_ID | RM_DBASE_ID | RM_TBLSPC_ID | RM_RELMAP_ID => {
                if self.names.concerns(record) {
                    self.catalog(record, None);
                }
                let layout = self.context.layout;
                effects(layout, record, &mut |effect| self.effect(record, effect));
            }
            _ => {}
        }
    }

    /// The transaction's own account, if there is room.
    fn account(&mut self, xid: TransactionId) -> Option<&mut Open> {
        let room = self.kept < MAX_KEPT_IN_ALL;
        let open = self.open.get_mut(&xid)?;
        if !room || open.kept() >= MAX_KEPT {
            open.incomplete = true;
            return None;
        }
        Some(open)
    }

    fn work(&mut self, xid: TransactionId, locator: RelFileLocator, more: Work) {
        if let Some(open) = self.open.get_mut(&xid)
            && let Some(work) = open.work.get_mut(&locator)
        {
            work.add(&more);
            return;
        }
        if let Some(open) = self.account(xid) {
            open.work.insert(locator, more);
            self.kept += 1;
        }
    }

    fn heap(&mut self, record: &Record<'_, '_>) {
        let layout = self.context.layout;
        let Ok(op) = heap::parse(layout, record) else {
            return;
        };
        let xid = record.header.xl_xid;
        let mut work = Work::default();
        let locator = match &op {
            HeapOp::Insert { target, .. } => {
                work.inserted = 1;
                target.locator
            }
            HeapOp::Delete { target, flags, .. } => {
                let since = |major| layout.since(major);
                if since(Major::V11) && flags & XLH_DELETE_IS_PARTITION_MOVE != 0 {
                    work.updated = 1;
                } else if !since(Major::V9_5) || flags & XLH_DELETE_IS_SUPER == 0 {
                    work.deleted = 1;
                }
                target.locator
            }
            HeapOp::Update(update) | HeapOp::HotUpdate(update) => {
                work.updated = 1;
                update.old.locator
            }
            HeapOp::NewPage {
                locator,
                fork: ForkNumber::Main,
                ..
            } => {
                work.pages = 1;
                *locator
            }
            HeapOp::Truncate { db, relids, .. } => {
                if let Some(open) = self.account(xid) {
                    let room = MAX_KEPT.saturating_sub(open.kept());
                    let before = open.truncated.len();
                    open.truncated
                        .extend(relids.iter().take(room).map(|oid| (*db, oid)));
                    self.kept += open.truncated.len() - before;
                }
                return;
            }
            HeapOp::Lock { target, .. } | HeapOp::Inplace { target, .. } => target.locator,
            HeapOp::Confirm(target) => target.locator,
            HeapOp::NewPage { .. } | HeapOp::Unknown(_) => return,
        };
        if let Some(open) = self.open.get(&xid)
            && !(open.work.is_empty() && self.loose.is_empty())
        {
            let is_new = |file| {
                self.loose.contains(&file)
                    || open.work.get(&file).is_some_and(|work: &Work| work.created)
            };
            self.names.recognise(record, &op, &is_new);
        }
        if self.names.table_of(locator).is_some() {
            self.catalog(record, Some(&op));
        } else if work.inserted > 0 {
            // Only of new files it matters.
            if let Some(open) = self.open.get_mut(&xid)
                && let Some(known) = open.work.get_mut(&locator)
            {
                known.add(&work);
            }
        } else if work.deleted > 0 || work.updated > 0 || work.pages > 0 {
            self.work(xid, locator, work);
        }
    }

    /// Follows a record about a catalog.
    fn catalog(&mut self, record: &Record<'_, '_>, op: Option<&HeapOp<'_>>) {
        let mut changes = Vec::new();
        let seen = self
            .names
            .follow(record, op, &mut |change| changes.push(change));
        let xid = record.header.xl_xid;
        if let Some(HeapOp::Delete { target, .. }) = op
            && self.names.table_of(target.locator) == Some(CatalogTable::Database)
            && let Some(open) = self.open.get_mut(&xid)
        {
            open.deletes_database = true;
        }
        if !seen && let Some(open) = self.open.get_mut(&xid) {
            open.unclear = true;
        }
        for change in changes {
            if let Change::Class { new: Some(row), .. } = &change
                && let Some(locator) = row.locator
                && self.loose.remove(&locator)
            {
                self.creates(xid, locator);
            }
            if let Change::Database {
                new: Some(row),
                in_place: true,
                ..
            } = &change
            {
                // dbcommands.c: dropdb marks the database before it removes its files.
                if row.datconnlimit == DATCONNLIMIT_INVALID_DB && self.invalidated.len() < MAX_OPEN
                {
                    let before = self.last_commit;
                    self.invalidated
                        .entry(row.oid)
                        .or_insert((record.lsn, before));
                }
                continue;
            }
            self.names.note(&change);
            if let Some(open) = self.account(xid) {
                open.changes.push(change);
                self.kept += 1;
            }
        }
    }

    fn standby(&mut self, record: &Record<'_, '_>) {
        let Ok(StandbyOp::RunningXacts(running)) = standby::parse(self.context.layout, record)
        else {
            return;
        };
        // What is older and has not been seen to end was cut off by a crash.
        let oldest = running.oldest_running_xid;
        let kept = &mut self.kept;
        self.open.retain(|xid, open| {
            let stays = open.prepared.is_some() || !xid.precedes(oldest);
            if !stays {
                *kept = kept.saturating_sub(open.kept());
            }
            stays
        });
    }

    fn effect(&mut self, record: &Record<'_, '_>, effect: Effect<'_>) {
        let xid = record.header.xl_xid;
        let lsn = record.lsn;
        match effect {
            Effect::Rebuilds {
                locator,
                fork: ForkNumber::Main,
                ..
            } => {
                // Of files that were there before, images say nothing.
                if let Some(open) = self.open.get_mut(&xid)
                    && let Some(work) = open.work.get_mut(&locator)
                {
                    work.pages = work.pages.saturating_add(1);
                }
            }
            Effect::CreatesFile {
                locator,
                fork: ForkNumber::Main,
            } => self.creates(xid, locator),
            Effect::Truncates {
                locator,
                fork: ForkNumber::Main,
                to_blocks: 0,
            } => {
                let emptied = Work {
                    emptied: true,
                    ..Work::default()
                };
                self.work(xid, locator, emptied);
            }
            Effect::CopiesDatabase { db, .. } | Effect::CreatesDatabase { db, .. } => {
                self.at_once(record, AtOnce::CreatesDatabase(db));
            }
            Effect::DropsDatabase { db, .. } => {
                self.at_once(record, AtOnce::DropsDatabase(db));
            }
            Effect::CreatesTablespace { ts, path } => {
                let path = String::from_utf8_lossy(path).into_owned();
                self.at_once(record, AtOnce::CreatesTablespace(ts, path));
            }
            Effect::DropsTablespace(ts) => self.at_once(record, AtOnce::DropsTablespace(ts)),
            Effect::UpdatesRelMap { db, ts, bytes } => self.names.take_map(db, ts, bytes),
            Effect::Commits(end) => self.ends(lsn, &end, true),
            Effect::Aborts(end) => self.ends(lsn, &end, false),
            Effect::Prepares { xid, state } => self.prepares(lsn, xid, state),
            Effect::Checkpoint { shutdown, bytes } => {
                if let Ok(point) = CheckPoint::parse(self.context.layout.version, bytes) {
                    self.checkpoint(lsn, shutdown, &point);
                }
            }
            Effect::EndOfRecovery {
                time,
                this_tli,
                prev_tli,
            } => {
                self.cut_off();
                let time = end_time(time);
                self.switches(lsn, Some(time), this_tli, Some(prev_tli));
            }
            Effect::ParameterChange(change) => self.settings(lsn, change),
            Effect::FullPageWrites(on) => {
                self.tell(lsn, None, None, Act::FullPageWrites(on), None);
            }
            Effect::BackupEnd(start) => {
                self.tell(lsn, None, None, Act::BackupEnd { start }, None);
            }
            Effect::RestorePoint { time, name } => {
                let name = String::from_utf8_lossy(name).into_owned();
                self.tell(lsn, Some(time), None, Act::RestorePoint(name), None);
            }
            _ => {}
        }
    }

    /// A file is made. The first of a transaction may be made before it has a number, where
    /// locks are not logged.
    fn creates(&mut self, xid: TransactionId, locator: RelFileLocator) {
        if !xid.is_valid() {
            if self.loose.len() >= MAX_LOOSE {
                self.loose.clear();
            }
            self.loose.insert(locator);
            return;
        }
        let created = Work {
            created: true,
            ..Work::default()
        };
        self.work(xid, locator, created);
    }

    fn at_once(&mut self, record: &Record<'_, '_>, act: AtOnce) {
        let xid = record.header.xl_xid;
        if xid.is_valid() {
            if let Some(open) = self.account(xid) {
                open.at_once.push((record.lsn, act));
                self.kept += 1;
            }
        } else if let AtOnce::DropsDatabase(oid) = act {
            // dbcommands.c: movedb removes the old files in a transaction of its own.
            let name = self.names.database(oid).map(str::to_owned);
            self.tell(
                record.lsn,
                None,
                None,
                Act::MoveDatabase { oid, name },
                None,
            );
        }
    }

    fn prepares(&mut self, lsn: XLogRecPtr, xid: TransactionId, state: &[u8]) {
        let Ok(state) = TwoPhaseState::parse(self.context.layout.version, state) else {
            return;
        };
        let subs: Vec<Open> = state
            .subxacts
            .iter()
            .filter_map(|sub| self.open.remove(sub))
            .collect();
        if let Some(open) = self.open.get_mut(&xid) {
            subs.into_iter().for_each(|sub| open.absorb(sub));
            open.prepared = Some((state.gid, state.prepared_at, lsn));
        }
    }

    /// Forgets the transactions that a stop of the server cut off; gives their number.
    fn cut_off(&mut self) -> u64 {
        let before = self.open.len();
        self.open.retain(|_, open| open.prepared.is_some());
        self.kept = self.open.values().map(Open::kept).sum();
        (before - self.open.len()) as u64
    }

    fn checkpoint(&mut self, lsn: XLogRecPtr, shutdown: bool, point: &CheckPoint) {
        let time = point
            .time
            .checked_sub(POSTGRES_EPOCH)
            .and_then(|seconds| seconds.checked_mul(1_000_000))
            .map(TimestampTz);
        let this = point.this_time_line_id;
        if !shutdown {
            self.tli = Some(this);
            let redo = point.redo;
            self.tell(lsn, time, None, Act::Checkpoint { redo }, None);
            return;
        }
        let cut_off = self.cut_off();
        if !self.switches(lsn, time, this, point.prev_time_line_id) {
            self.tell(lsn, time, None, Act::Shutdown { cut_off }, None);
        }
    }

    /// Whether a timeline begins here.
    fn switches(
        &mut self,
        lsn: XLogRecPtr,
        time: Option<TimestampTz>,
        to: TimeLineID,
        from: Option<TimeLineID>,
    ) -> bool {
        let from = self.tli.replace(to).or(from).unwrap_or(to);
        if from == to {
            return false;
        }
        self.tell(lsn, time, None, Act::Promotion { from, to }, None);
        true
    }

    fn settings(&mut self, lsn: XLogRecPtr, new: ParameterChange) {
        let old = self.settings.replace(new);
        let version = self.context.layout.version;
        let all = |change: ParameterChange| {
            let level = u32::try_from(change.wal_level).unwrap_or(u32::MAX);
            let level = match WalLevel::from_number(version, level) {
                WalLevel::Unknown(number) => number.to_string(),
                known => known.to_string(),
            };
            let number = |n: i32| n.to_string();
            let on = |on: bool| if on { "on" } else { "off" }.to_owned();
            [
                ("wal_level", Some(level)),
                ("max_connections", Some(number(change.max_connections))),
                (
                    "max_worker_processes",
                    change.max_worker_processes.map(number),
                ),
                ("max_wal_senders", change.max_wal_senders.map(number)),
                (
                    "max_prepared_transactions",
                    Some(number(change.max_prepared_xacts)),
                ),
                (
                    "max_locks_per_transaction",
                    Some(number(change.max_locks_per_xact)),
                ),
                ("wal_log_hints", change.wal_log_hints.map(on)),
                (
                    "track_commit_timestamp",
                    change.track_commit_timestamp.map(on),
                ),
            ]
        };
        let before = old.map(all);
        let changed: Vec<(&'static str, String)> = all(new)
            .into_iter()
            .enumerate()
            .filter(|(i, setting)| before.as_ref().is_none_or(|b| b[*i] != *setting))
            .filter_map(|(_, (name, value))| Some((name, value?)))
            .collect();
        if !changed.is_empty() {
            self.tell(lsn, None, None, Act::Settings(changed), None);
        }
    }

    fn tell(
        &mut self,
        lsn: XLogRecPtr,
        time: Option<TimestampTz>,
        xid: Option<TransactionId>,
        act: Act,
        target: Option<Target>,
    ) {
        self.clock = time.or(self.clock);
        let when = time.or(self.clock);
        let outside = when.is_some_and(|when| {
            self.wanted.since.is_some_and(|since| when < since)
                || self.wanted.until.is_some_and(|until| when > until)
        });
        if outside {
            return;
        }
        if self.found.events.len() >= MAX_EVENTS {
            self.found.more = self.found.more.saturating_add(1);
            return;
        }
        let tli = self.timeline_of(lsn);
        self.found.events.push(Event {
            lsn,
            tli,
            time,
            xid,
            act,
            target,
            behind_break: self.broken_at.is_some_and(|broken_at| lsn > broken_at),
        });
    }

    /// Up to 9.2 history files do not tell where a timeline begins; checkpoints do.
    fn timeline_of(&self, lsn: XLogRecPtr) -> TimeLineID {
        let timelines = &self.context.timelines;
        if self.context.layout.since(Major::V9_3) {
            timelines.of_position(lsn)
        } else {
            self.tli
        }
        .unwrap_or(timelines.target())
    }

    /// A transaction ends.
    fn ends(&mut self, lsn: XLogRecPtr, end: &XactEnd<'_>, committed: bool) {
        let mut open = self.open.remove(&end.xid);
        for sub in end.subxacts.iter() {
            if let Some(sub) = self.open.remove(&sub) {
                match &mut open {
                    Some(open) => open.absorb(sub),
                    None => open = Some(sub),
                }
            }
        }
        let open = open.unwrap_or_else(|| Open::new(lsn, self.last_commit));
        self.kept = self.kept.saturating_sub(open.kept());
        let time = end.xact_time;
        self.clock = Some(time);
        if committed {
            self.found.commits = self.found.commits.saturating_add(1);
            if open.incomplete {
                self.found.incomplete = self.found.incomplete.saturating_add(1);
            }
            for change in &open.changes {
                self.names.commit(change);
            }
        }
        self.done_at_once(lsn, end, &open);
        if committed {
            let acts = Acts::of(&self.names, &open, &self.loose, end, self.wanted.threshold);
            let time_is_early = self.latest_time.is_some_and(|latest| latest >= time);
            // xlog.c: recoveryStopsHere passed over prepared transactions in early minor
            // releases up to 9.3.
            let by_xid = open.prepared.is_none() || self.context.layout.since(Major::V9_4);
            for act in acts.0 {
                let target = act.is_destructive().then(|| Target {
                    first_lsn: open.first_lsn,
                    lsn,
                    xid: by_xid.then_some(end.xid),
                    time: Some(time),
                    previous: self.last_commit,
                    time_is_early,
                    tli: self.timeline_of(lsn),
                    prepared: open.prepared.as_ref().map(|(gid, ..)| gid.clone()),
                });
                self.tell(lsn, Some(time), Some(end.xid), act, target);
            }
        }
        if let Some((gid, ..)) = open.prepared {
            let gid = Some(gid);
            let act = Act::FinishedPrepared { gid, committed };
            self.tell(lsn, Some(time), Some(end.xid), act, None);
        }
        self.latest_time = self.latest_time.max(Some(time));
        if committed {
            let xid = end.xid;
            self.last_commit = Some(Ended { xid, time, lsn });
        }
    }

    /// Folders are made and removed before their transaction ends, and stay so if it does not.
    fn done_at_once(&mut self, lsn: XLogRecPtr, end: &XactEnd<'_>, open: &Open) {
        let mut dropped = FxHashSet::default();
        for (at, act) in &open.at_once {
            let act = match act {
                // One record for each tablespace up to 12.
                AtOnce::DropsDatabase(oid) if !dropped.insert(*oid) => continue,
                AtOnce::DropsDatabase(oid) if !open.deletes_database => Act::MoveDatabase {
                    oid: *oid,
                    name: self.names.database(*oid).map(str::to_owned),
                },
                AtOnce::DropsDatabase(oid) => Act::DropDatabase {
                    oid: *oid,
                    name: self.names.database(*oid).map(str::to_owned),
                },
                AtOnce::CreatesDatabase(oid) => Act::CreateDatabase {
                    oid: *oid,
                    name: self.names.database(*oid).map(str::to_owned),
                },
                AtOnce::DropsTablespace(oid) => Act::DropTablespace {
                    oid: *oid,
                    name: self.names.tablespace(*oid).map(str::to_owned),
                },
                AtOnce::CreatesTablespace(oid, path) => Act::CreateTablespace {
                    oid: *oid,
                    name: self.names.tablespace(*oid).map(str::to_owned),
                    path: path.clone(),
                },
            };
            let (mut stop_at, mut previous) = (open.first_lsn, open.before);
            if let Act::DropDatabase { oid, .. } = act
                && let Some((lsn, before)) = self.invalidated.remove(&oid)
                && lsn < stop_at
            {
                (stop_at, previous) = (lsn, before);
            }
            let target = act.is_destructive().then(|| Target {
                first_lsn: stop_at,
                lsn: stop_at,
                xid: None,
                time: None,
                previous,
                time_is_early: false,
                tli: self.timeline_of(stop_at),
                prepared: None,
            });
            let time = (*at <= lsn).then_some(end.xact_time);
            self.tell(*at, time, Some(end.xid), act, target);
        }
    }

    fn finish(mut self) -> Events {
        let open: Vec<(TransactionId, Open)> = self.open.drain().collect();
        for (xid, open) in open {
            if let Some((gid, time, lsn)) = open.prepared {
                self.clock = None;
                self.tell(lsn, Some(time), Some(xid), Act::Prepared { gid }, None);
                continue;
            }
            // Cut off between the removal and the commit.
            let end = XactEnd {
                xid,
                ..XactEnd::default()
            };
            if !open.at_once.is_empty() {
                self.done_at_once(XLogRecPtr::INVALID, &end, &open);
            }
        }
        // Those of one transaction stay in their order.
        self.found.events.sort_by_key(|event| event.lsn);
        self.found
    }
}

/// The time of an end of recovery. 9.3 wrote seconds since 1970 into it (`xlog.c:
/// CreateEndOfRecoveryRecord`), which would be the first hour of 2000.
fn end_time(time: TimestampTz) -> TimestampTz {
    if !(0..1_000_000_000_000).contains(&time.0) {
        return time;
    }
    TimestampTz((time.0 - POSTGRES_EPOCH) * 1_000_000)
}

/// What a committed transaction did to relations.
struct Acts(Vec<Act>);

impl Acts {
    fn of(
        names: &NameHistory<'_>,
        open: &Open,
        loose: &FxHashSet<RelFileLocator>,
        end: &XactEnd<'_>,
        threshold: u64,
    ) -> Self {
        let mut acts = Self(Vec::new());
        let lost: FxHashSet<RelFileLocator> = end.dropped.iter().collect();
        let net = Net::of(&open.changes);
        let explained = acts.rows(names, open, &net);
        acts.told(names, open, &net);
        acts.files(names, open, &lost, &explained, loose);
        acts.emptied(names, open);
        acts.masses(names, open, &lost, threshold);
        acts
    }

    fn push(&mut self, relations: Relations, act: impl FnOnce(Relations) -> Act) {
        if !relations.is_empty() {
            self.0.push(act(relations));
        }
    }

    /// What the rows of `pg_class` say; gives the files that this explains.
    fn rows(
        &mut self,
        names: &NameHistory<'_>,
        open: &Open,
        net: &Net,
    ) -> FxHashSet<RelFileLocator> {
        let mut explained = FxHashSet::default();
        let mut truncated = Relations::default();
        let mut unclear = Relations::default();
        let mut pages = 0_u64;
        let mut own = Relations::default();
        let mut rewritten = Relations::default();
        let mut reindexed = Relations::default();
        let mut moved = Relations::default();
        let mut dropped = Relations::default();
        let mut dropped_others = Vec::new();
        let mut created = Relations::default();
        for row in net.rows.values() {
            let newest = row.last.as_ref().or(row.first.as_ref());
            let is_transient = newest.is_some_and(ClassRow::is_transient);
            // Else it may have had any of the files that are lost.
            if row.first.is_some() || row.is_own {
                explained.extend(row.passed.iter().copied());
            }
            if is_transient || newest.is_some_and(ClassRow::is_toast) {
                continue;
            }
            match (&row.first, &row.last) {
                (Some(old), Some(new)) if old.locator != new.locator => {
                    let (Some(before), Some(after)) = (old.locator, new.locator) else {
                        continue;
                    };
                    let relation = named(names, new, Some(before));
                    if open.work.get(&before).is_some_and(|work| work.created) {
                        own.push(relation);
                    } else if net.transient.contains(&after) {
                        rewritten.push(relation);
                    } else if before.spc_oid != after.spc_oid {
                        moved.push(relation);
                    } else if matches!(new.relkind, b'i' | b'I') {
                        reindexed.push(relation);
                    } else if matches!(new.relkind, b'r' | b'm') {
                        let told = open.truncated.contains(&(new.database, new.oid));
                        if told || !open.unclear {
                            truncated.push(relation);
                        } else {
                            let work = open.work.get(&after).copied().unwrap_or_default();
                            pages = pages.saturating_add(work.pages.saturating_add(work.inserted));
                            unclear.push(relation);
                        }
                    }
                }
                (Some(old), None) if old.relpersistence != b't' && !row.is_own => {
                    match old.relkind {
                        b'r' | b'p' | b'm' => {
                            dropped.push(named(names, old, old.locator));
                        }
                        b'i' | b'I' | b'S' => dropped_others.push(old),
                        _ => {}
                    }
                }
                (None, Some(new))
                    if row.is_own
                        && new.relpersistence != b't'
                        && matches!(new.relkind, b'r' | b'p' | b'm') =>
                {
                    created.push(named(names, new, new.locator));
                }
                _ => {}
            }
        }
        let followed = [&truncated, &unclear, &rewritten, &own];
        let indexes_follow = followed.iter().any(|relations| !relations.is_empty());
        self.push(truncated, Act::Truncate);
        self.push(unclear, |relations| Act::TruncateOrRewrite {
            relations,
            pages,
        });
        self.push(own, Act::TruncateOwn);
        self.push(rewritten, Act::Rewrite);
        if !indexes_follow {
            self.push(reindexed, Act::Reindex);
        }
        self.push(moved, Act::Move);
        let mut others = dropped_others.len() as u64;
        if dropped.is_empty() {
            // Nothing but an index, a sequence, …
            dropped_others
                .retain(|row| !row.is_toast() && !explained_elsewhere(net, row, indexes_follow));
            for row in &dropped_others {
                dropped.push(named(names, row, row.locator));
            }
            others = 0;
        }
        self.push(dropped, |relations| Act::Drop {
            relations,
            others,
            certain: true,
        });
        self.push(created, Act::Create);
        explained
    }

    /// `XLOG_HEAP_TRUNCATE` of tables whose rows were not seen to change.
    fn told(&mut self, names: &NameHistory<'_>, open: &Open, net: &Net) {
        let mut truncated = Relations::default();
        for (database, oid) in &open.truncated {
            if net.rows.contains_key(&(*database, *oid)) {
                continue;
            }
            match names.by_oid(*database, *oid) {
                Some(row) if row.relkind == b'p' => {}
                Some(row) => truncated.push(named(names, row, row.locator)),
                None => truncated.push(EventRelation {
                    name: RelationName {
                        database: names.database(*database).map(str::to_owned),
                        oid: Some(*oid),
                        ..RelationName::default()
                    },
                    locator: None,
                }),
            }
        }
        self.push(truncated, Act::Truncate);
    }

    /// Files that were removed, and no row of `pg_class` says why.
    fn files(
        &mut self,
        names: &NameHistory<'_>,
        open: &Open,
        lost: &FxHashSet<RelFileLocator>,
        explained: &FxHashSet<RelFileLocator>,
        loose: &FxHashSet<RelFileLocator>,
    ) {
        let mut unexplained: Vec<RelFileLocator> = lost
            .iter()
            .filter(|locator| !explained.contains(locator) && !names.is_internal(**locator))
            .filter(|locator| !open.work.get(locator).is_some_and(|work| work.created))
            .copied()
            .collect();
        unexplained.sort_unstable();
        let made = |locator: &RelFileLocator| {
            open.work.get(locator).is_some_and(|work| work.created)
                && !lost.contains(locator)
                && !explained.contains(locator)
        };
        let made: Vec<RelFileLocator> = {
            let mut made: Vec<_> = open.work.keys().filter(|l| made(l)).copied().collect();
            made.sort_unstable();
            made
        };
        let mut replaced = Relations::default();
        let mut pages = 0_u64;
        let mut gone = Relations::default();
        let mut others = 0;
        // Without new files nothing can have been truncated or rewritten.
        let mut certain = !open.unclear;
        for locator in unexplained {
            certain &= !loose.iter().any(|new| new.db_oid == locator.db_oid);
            let row = names.row(locator);
            if let Some(row) = row
                && matches!(row.relkind, b'i' | b'S')
            {
                others += 1;
                continue;
            }
            let relation = EventRelation {
                name: row.map_or_else(
                    || RelationName {
                        database: names.database(locator.db_oid).map(str::to_owned),
                        ..RelationName::default()
                    },
                    |row| names.name(row),
                ),
                locator: Some(locator),
            };
            let successor = made.iter().find(|new| match (row, names.row(**new)) {
                (Some(row), Some(new)) => row.oid == new.oid && row.database == new.database,
                // One of them may have taken its place.
                _ => new.db_oid == locator.db_oid,
            });
            match successor {
                Some(new) if row.is_some() && names.row(*new).is_some() => {
                    let work = open.work.get(new).copied().unwrap_or_default();
                    pages = pages
                        .saturating_add(work.pages)
                        .saturating_add(work.inserted);
                    replaced.push(relation);
                }
                Some(_) => {
                    certain = false;
                    gone.push(relation);
                }
                None => gone.push(relation),
            }
        }
        self.push(replaced, |relations| Act::TruncateOrRewrite {
            relations,
            pages,
        });
        self.push(gone, |relations| Act::Drop {
            relations,
            others,
            certain,
        });
    }

    /// `TRUNCATE` of a table that its own transaction made (`heap.c: heap_truncate_one_rel`).
    fn emptied(&mut self, names: &NameHistory<'_>, open: &Open) {
        let emptied = open
            .work
            .iter()
            .filter(|(_, work)| work.created && work.emptied);
        let mut files: Vec<RelFileLocator> = emptied.map(|(locator, _)| *locator).collect();
        files.sort_unstable();
        let mut own = Relations::default();
        for locator in files {
            if let Some(row) = names.row(locator)
                && matches!(row.relkind, b'r' | b'm')
            {
                own.push(named(names, row, Some(locator)));
            }
        }
        self.push(own, Act::TruncateOwn);
    }

    fn masses(
        &mut self,
        names: &NameHistory<'_>,
        open: &Open,
        lost: &FxHashSet<RelFileLocator>,
        threshold: u64,
    ) {
        let mut files: Vec<(&RelFileLocator, &Work)> = open
            .work
            .iter()
            .filter(|(_, work)| !work.created)
            .filter(|(_, work)| work.deleted.max(work.updated) >= threshold.max(1))
            .filter(|(locator, _)| !lost.contains(locator) && !names.is_internal(**locator))
            .collect();
        files.sort_unstable_by_key(|(locator, _)| **locator);
        for (locator, work) in files {
            let relation = || EventRelation {
                name: names.row(*locator).map_or_else(
                    || RelationName {
                        database: names.database(locator.db_oid).map(str::to_owned),
                        ..RelationName::default()
                    },
                    |row| names.name(row),
                ),
                locator: Some(*locator),
            };
            if work.deleted >= threshold.max(1) {
                let (relation, rows) = (relation(), work.deleted);
                self.0.push(Act::Delete { relation, rows });
            }
            if work.updated >= threshold.max(1) {
                let (relation, rows) = (relation(), work.updated);
                self.0.push(Act::Update { relation, rows });
            }
        }
    }
}

/// Whether an index that is gone belonged to a table that was truncated or rewritten.
fn explained_elsewhere(net: &Net, row: &ClassRow, indexes_follow: bool) -> bool {
    indexes_follow && matches!(row.relkind, b'i' | b'I') && net.rows.len() > 1
}

fn named(
    names: &NameHistory<'_>,
    row: &ClassRow,
    locator: Option<RelFileLocator>,
) -> EventRelation {
    EventRelation {
        name: names.name(row),
        locator,
    }
}

/// One relation's row over a whole transaction.
#[derive(Debug, Default)]
struct NetRow {
    /// As it was before; `None` when it is new, or that is not known.
    first: Option<ClassRow>,
    /// As it is after; `None` when it is gone.
    last: Option<ClassRow>,
    /// The transaction itself added it.
    is_own: bool,
    /// Files it had in between.
    passed: Vec<RelFileLocator>,
}

/// What all changes of `pg_class` in a transaction come to.
#[derive(Debug, Default)]
struct Net {
    rows: BTreeMap<(Oid, Oid), NetRow>,
    /// Files that relations brought which were made and dropped again.
    transient: FxHashSet<RelFileLocator>,
}

impl Net {
    fn of(changes: &[Change]) -> Self {
        let mut net = Self::default();
        let mut brought: FxHashMap<(Oid, Oid), RelFileLocator> = FxHashMap::default();
        for change in changes {
            let Change::Class { old, new, inserted } = change else {
                continue;
            };
            let Some(row) = old.as_ref().or(new.as_ref()) else {
                continue;
            };
            let key = (row.database, row.oid);
            if *inserted && let Some(locator) = new.as_ref().and_then(|new| new.locator) {
                brought.entry(key).or_insert(locator);
            }
            let seen = net.rows.contains_key(&key);
            let net_row = net.rows.entry(key).or_default();
            if !seen {
                net_row.first.clone_from(old);
                net_row.is_own = *inserted;
            }
            let files = [old, new].into_iter().flatten();
            net_row.passed.extend(files.filter_map(|row| row.locator));
            net_row.last.clone_from(new);
        }
        for (key, locator) in brought {
            if let Some(row) = net.rows.get(&key)
                && row.is_own
                && row.last.is_none()
            {
                net.transient.insert(locator);
            }
        }
        net
    }
}
