//! What replay of the WAL will do: which pages it makes anew, which files it drops, how far
//! the counters go, and which transactions end in it.

use super::walk::WalSink;
use crate::format::checkpoint::CheckPoint;
use crate::format::types::{
    BlockNumber, ForkNumber, FullTransactionId, MultiXactId, MultiXactOffset, Oid, RelFileLocator,
    TimestampTz, TransactionId,
};
use crate::format::version::Layout;
use crate::format::wal::Record;
use crate::format::wal::effects::{Effect, effects};
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What replay does to one fork of a relation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForkPlan {
    /// Blocks that a full-page image or an initialisation makes anew.
    pub rebuilt: RoaringBitmap,
    /// Blocks that replay changes, and must read from disk before anything makes them anew.
    pub read_first: RoaringBitmap,
    /// The fork is cut to this many blocks, at the least.
    pub truncated_to: Option<BlockNumber>,
}

/// The plan of a recovery, or of a piece of one.
#[derive(Clone, Debug)]
pub struct Plan {
    layout: Layout,
    /// Records by resource manager id.
    pub by_rmgr: BTreeMap<u8, u64>,
    /// What happens to relations' blocks.
    pub forks: HashMap<(RelFileLocator, ForkNumber), ForkPlan>,
    /// Relations whose files replay removes, and does not make again.
    pub dropped: HashSet<RelFileLocator>,
    /// Relations whose files replay makes.
    pub created: HashSet<RelFileLocator>,
    /// Databases whose folders replay removes: tablespace and database.
    pub dropped_databases: BTreeSet<(Oid, Oid)>,
    /// Databases whose folders replay copies from others: tablespace and database.
    pub copied_databases: BTreeSet<(Oid, Oid)>,
    /// Commit log pages that replay zeroes before it fills them.
    pub zeroed_clog: BTreeSet<i64>,
    /// Pages of multixact offsets that replay zeroes.
    pub zeroed_offsets: BTreeSet<i64>,
    /// Pages of multixact members that replay zeroes.
    pub zeroed_members: BTreeSet<i64>,
    /// Transactions that commit, subtransactions included.
    pub committed: RoaringBitmap,
    /// Transactions that abort, subtransactions included.
    pub aborted: RoaringBitmap,
    /// Commit records.
    pub commits: u64,
    /// Time of the first commit.
    pub first_commit: Option<TimestampTz>,
    /// Time of the last commit.
    pub last_commit: Option<TimestampTz>,
    /// Time of the last commit or abort (`GetLatestXTime`).
    pub last_completed: Option<TimestampTz>,
    /// Relation maps that replay writes, by database.
    pub relation_maps: BTreeMap<Oid, Vec<u8>>,
    /// The counters after replay.
    pub counters: Counters,
    /// A backup's end was passed (`XLOG_BACKUP_END`), with the redo point of its start.
    pub backup_ends: Vec<crate::format::types::XLogRecPtr>,
}

/// The counters of `ShmemVariableCache` and of multixacts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Next transaction; 0 in a piece until something moves it.
    pub next_xid: FullTransactionId,
    /// Newest transaction seen in a piece that does not know the epoch.
    newest_xid: TransactionId,
    /// Oldest transaction that may still be asked about.
    pub oldest_xid: TransactionId,
    /// Next multixact.
    pub next_multi: MultiXactId,
    /// Where the next multixact's members go.
    pub next_multi_offset: MultiXactOffset,
    /// Oldest multixact that may still be asked about.
    pub oldest_multi: MultiXactId,
    /// Next object identifier.
    pub next_oid: Oid,
}
