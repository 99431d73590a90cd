//! The finished report as data, and its printers.

pub mod controldata;
pub mod explain;
pub mod json;
pub mod ls;
pub mod messages;
pub mod page;
mod printer;
pub mod slru;
pub mod text;
mod timelines;
pub mod units;
pub mod wal_dump;
pub mod wal_events;
pub mod wal_verify;
pub mod wal_window;

use crate::finding::Findings;
use crate::format::names::WalSegmentName;
use crate::format::types::{
    BlockNumber, FullTransactionId, MultiXactId, Oid, RelFileLocator, TimeLineID, TimestampTz,
    TransactionId, XLogRecPtr,
};
use crate::recovery::availability::{Availability, TimelineSegments};
use crate::verdict::{Status, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that `pgautopsy check` found out.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was looked at.
    pub examined: Examined,
    /// The cluster's identity and counters; `None` when `pg_control` says nothing.
    pub cluster: Option<ClusterSummary>,
    /// The WAL; `None` when none could be read.
    pub wal: Option<WalSummary>,
    /// What to tell the operator.
    pub verdict: Verdict,
    /// What is wrong.
    pub findings: Findings,
    /// Every relation of which a file was read, or is found missing, by database, schema and
    /// name.
    pub relations: Vec<RelationSummary>,
}

/// How much was seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Examined {
    /// The data directory as the user named it.
    pub data_directory: String,
    /// The folders that WAL was read from.
    pub wal_directories: Vec<String>,
    /// Files read.
    pub files: u64,
    /// Bytes of relation files read.
    pub bytes: u64,
    /// Blocks of relations.
    pub blocks: u64,
    /// Bytes of valid WAL.
    pub wal_bytes: u64,
    /// Heap tuples looked at.
    pub tuples: u64,
    /// What the run was told to look at and nothing else, as the user said it:
    /// `--only checksums`, `--database common`. Empty when all was asked for.
    pub limited_to: Vec<String>,
    /// What could not be read, with the reason, by path.
    pub not_examined: Vec<NotExamined>,
}

/// One part of the evidence that was not looked at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct NotExamined {
    /// Path below the data directory.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// What `pg_control` and `PG_VERSION` say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterSummary {
    /// As `PG_VERSION` spells it.
    pub major: String,
    /// The system identifier.
    pub system_identifier: u64,
    /// In `pg_controldata`'s words.
    pub state: String,
    /// `checkPoint`.
    pub checkpoint_lsn: XLogRecPtr,
    /// `checkPointCopy.redo`.
    pub redo_lsn: XLogRecPtr,
    /// `checkPointCopy.ThisTimeLineID`.
    pub timeline: TimeLineID,
    /// Next transaction at the checkpoint.
    pub next_xid: FullTransactionId,
    /// Oldest transaction that may still be asked about.
    pub oldest_xid: TransactionId,
    /// Next multixact at the checkpoint.
    pub next_multixact: MultiXactId,
    /// Oldest multixact; none before 9.3.
    pub oldest_multixact: Option<MultiXactId>,
    /// `BLCKSZ`.
    pub block_size: u32,
    /// Bytes of a WAL segment.
    pub wal_segment_size: u32,
    /// Whether pages carry checksums; `None` before 9.3.
    pub data_checksums: Option<bool>,
    /// Whether `pg_control`'s CRC fits.
    pub control_crc_ok: bool,
}

/// Why the WAL ends where it ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopKind {
    /// Writing ended there.
    EndOfWal,
    /// A record or page is damaged: valid WAL follows.
    Damage,
    /// A segment file is not there although later ones are.
    MissingSegment,
}

/// The WAL from the redo point on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalSummary {
    /// Oldest position from which records can be read.
    pub first_lsn: Option<XLogRecPtr>,
    /// Where redo begins.
    pub redo_lsn: Option<XLogRecPtr>,
    /// End of the last valid record.
    pub end_lsn: Option<XLogRecPtr>,
    /// Start of the last valid record.
    pub last_record_lsn: Option<XLogRecPtr>,
    /// The server's message; `None` when it says nothing.
    pub stop_reason: Option<String>,
    /// What kind of end it is.
    pub stop_kind: StopKind,
    /// Records from the redo point on.
    pub records: u64,
    /// Bytes from the redo point on.
    pub redo_bytes: u64,
    /// Segments from the redo point on.
    pub redo_segments: u64,
    /// Records by resource manager, in the order of their ids.
    pub by_rmgr: Vec<(String, u64)>,
    /// Commits from the redo point on.
    pub commits: u64,
    /// Time of the first commit.
    pub first_commit: Option<TimestampTz>,
    /// Time of the last commit.
    pub last_commit: Option<TimestampTz>,
    /// Next transaction after replay.
    pub next_xid: FullTransactionId,
    /// The timelines and which WAL of them there is, archives included.
    pub timelines: Vec<TimelineSummary>,
}

/// A timeline and which WAL of it there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineSummary {
    /// The timeline.
    pub tli: TimeLineID,
    /// The one it branched off, as far as a history file tells.
    pub parent: Option<TimeLineID>,
    /// Where it did; up to 9.2 the start of the segment in which it did.
    pub switch_lsn: Option<XLogRecPtr>,
    /// Runs of segments: from, to, and how many.
    pub ranges: Vec<(XLogRecPtr, XLogRecPtr, u64)>,
    /// Runs of missing segments: first, last, and how many.
    pub gaps: Vec<(WalSegmentName, WalSegmentName, u64)>,
}

impl TimelineSummary {
    /// All timelines of which something is known.
    #[must_use]
    pub fn of(availability: &Availability) -> Vec<Self> {
        let geometry = availability.geometry;
        let summary = |wal: &TimelineSegments| Self {
            tli: wal.tli,
            parent: wal.parent,
            switch_lsn: wal.switch,
            ranges: wal
                .spans
                .iter()
                .map(|span| (span.from, span.to, span.last - span.first + 1))
                .collect(),
            gaps: wal
                .gaps
                .iter()
                .map(|gap| {
                    let name = |segno| geometry.name(wal.tli, segno);
                    (name(gap.first), name(gap.last), gap.last - gap.first + 1)
                })
                .collect(),
        };
        availability.timelines.iter().map(summary).collect()
    }
}

/// The names of a relation, read from the catalogs on disk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RelationName {
    /// Database; `None` for shared relations, and when `pg_database` does not tell.
    pub database: Option<String>,
    /// Schema.
    pub schema: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// `pg_class.relkind` as a word: `table`, `index`, `sequence`, `TOAST table`, …
    pub kind: Option<&'static str>,
    /// `pg_class.oid`.
    pub oid: Option<Oid>,
}

/// One relation and what of it can be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelationSummary {
    /// Its names.
    pub name: RelationName,
    /// Its files.
    pub locator: RelFileLocator,
    /// Path of the first file of the main fork.
    pub path: String,
    /// Blocks of the main fork on disk.
    pub blocks: BlockNumber,
    /// Heap tuples looked at; 0 for other kinds.
    pub tuples: u64,
    /// Rows that a query would return from what is on disk now.
    pub rows: u64,
    /// Tuples whose visibility cannot be decided.
    pub unreadable_tuples: u64,
    /// Blocks of the main fork that the server refuses to read, and replay does not mend.
    pub unreadable_blocks: u64,
    /// Damaged blocks of the main fork that replay makes anew.
    pub healed_blocks: u64,
    /// Blocks of the main fork that are not there: of missing and short files; of a relation
    /// without any file those that its `pg_class` row tells of, an estimate.
    pub lost_blocks: u64,
    /// Blocks of it that replay rebuilds or that replay changes.
    pub wal_blocks: u64,
    /// Lasting damage by code.
    pub damage: BTreeMap<&'static str, u64>,
}

impl Report {
    /// Every database with its relations added up, by number.
    #[must_use]
    pub fn databases(&self) -> Vec<DatabaseSummary> {
        let mut databases: BTreeMap<Oid, DatabaseSummary> = BTreeMap::new();
        for relation in &self.relations {
            let oid = relation.locator.db_oid;
            let all = databases.entry(oid).or_default();
            all.oid = oid;
            all.database = all.database.take().or(relation.name.database.clone());
            all.relations += 1;
            all.damaged_relations += u64::from(relation.is_damaged());
            all.blocks += u64::from(relation.blocks);
            all.unreadable_blocks += relation.unreadable_blocks;
            all.healed_blocks += relation.healed_blocks;
            all.lost_blocks += relation.lost_blocks;
            if relation.name.is_user_table() {
                all.rows += relation.rows;
                all.unreadable_tuples += relation.unreadable_tuples;
                all.estimated_lost_rows += relation.estimated_lost_rows();
            }
        }
        databases.into_values().collect()
    }

    /// The exit status of `pgautopsy check`: 1 for damage that recovery does not heal, 3 when
    /// part of the evidence could not be examined and nothing worse was found, 0 otherwise.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        let mut groups = self.findings.groups();
        if matches!(self.verdict.status, Status::Damaged | Status::Unusable)
            || groups.any(|(key, _)| key.is_lasting_damage())
        {
            1
        } else if self.examined.not_examined.is_empty() {
            0
        } else {
            3
        }
    }
}

impl RelationName {
    /// Whether it is a table or materialized view of a user.
    #[must_use]
    pub fn is_user_table(&self) -> bool {
        let system = ["pg_catalog", "information_schema", "pg_toast"];
        let schema = self.schema.as_deref().unwrap_or("pg_catalog");
        self.name.is_some()
            && matches!(self.kind, Some("table" | "materialized view"))
            && !system.contains(&schema)
    }

    /// `database.schema.name`, as far as it is known.
    #[must_use]
    pub fn qualified(&self) -> Option<String> {
        let name = self.in_database()?;
        Some(match &self.database {
            Some(database) => format!("{database}.{name}"),
            None => name,
        })
    }

    /// `schema.name`, as far as it is known.
    #[must_use]
    pub fn in_database(&self) -> Option<String> {
        let name = self.name.as_deref()?;
        Some(match &self.schema {
            Some(schema) => format!("{schema}.{name}"),
            None => name.to_owned(),
        })
    }
}

impl RelationSummary {
    /// Rows that the unreadable and lost blocks probably held: as many a block as the readable
    /// ones hold. An estimate.
    #[must_use]
    pub fn estimated_lost_rows(&self) -> u64 {
        let readable = u64::from(self.blocks).saturating_sub(self.unreadable_blocks);
        if readable == 0 {
            return 0;
        }
        let rows = (self.rows + self.unreadable_tuples) as f64 / readable as f64;
        (rows * (self.unreadable_blocks + self.lost_blocks) as f64).round() as u64
    }

    /// Whether something of it is damaged that replay does not mend.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        !self.damage.is_empty() || self.unreadable_blocks + self.unreadable_tuples > 0
    }
}

/// The relations of one database, added up.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct DatabaseSummary {
    /// Its name; `None` for shared relations, and when `pg_database` does not tell.
    pub database: Option<String>,
    /// `pg_database.oid`; 0 for shared relations.
    pub oid: Oid,
    /// Relations.
    pub relations: u64,
    /// Those with damage that replay does not mend.
    pub damaged_relations: u64,
    /// Blocks of main forks on disk.
    pub blocks: u64,
    /// Those that the server refuses to read, and replay does not mend.
    pub unreadable_blocks: u64,
    /// Those damaged that replay makes anew.
    pub healed_blocks: u64,
    /// Blocks that are not there.
    pub lost_blocks: u64,
    /// Rows of user tables that can be read.
    pub rows: u64,
    /// Tuples of user tables whose visibility cannot be decided.
    pub unreadable_tuples: u64,
    /// Rows of user tables that unreadable and lost blocks probably held.
    pub estimated_lost_rows: u64,
}
