//! What to tell the operator.

use crate::format::types::{TimeLineID, TimestampTz, XLogRecPtr};
use serde::Serialize;

/// The state of the directory in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing is damaged and nothing needs recovery.
    Healthy,
    /// Nothing is damaged; the next start replays WAL.
    NeedsRecovery,
    /// Something is damaged that replay does not mend.
    Damaged,
    /// The server cannot start.
    Unusable,
}

/// What the matching server does when it is started on the directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was shut down cleanly and starts at once.
    Clean,
    /// It replays its own WAL.
    CrashRecovery,
    /// It follows an archive or a primary.
    ArchiveRecovery,
    /// It stops with an error.
    Fails,
}

/// The prediction of the next start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Startup {
    /// What happens.
    pub outcome: Outcome,
    /// The FATAL or PANIC text when it fails.
    pub message: Option<String>,
    /// First record replayed ("redo starts at").
    pub redo_start: Option<XLogRecPtr>,
    /// Last record replayed ("redo done at").
    pub redo_done: Option<XLogRecPtr>,
    /// End of the last valid record.
    pub end_of_wal: Option<XLogRecPtr>,
    /// The timeline it continues on.
    pub timeline: Option<TimeLineID>,
    /// Time of the last commit or abort replayed.
    pub last_completed_transaction: Option<TimestampTz>,
    /// It starts, and says nothing about what it lost.
    pub silent_loss: bool,
}

/// What starting now, or resetting the WAL, loses for one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// The reason.
    pub cause: String,
    /// From here.
    pub from_lsn: Option<XLogRecPtr>,
    /// To here.
    pub to_lsn: Option<XLogRecPtr>,
    /// Commits in between.
    pub commits: u64,
    /// Time of the first of them.
    pub first_commit: Option<TimestampTz>,
    /// Time of the last.
    pub last_commit: Option<TimestampTz>,
}

/// The whole verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// In one word.
    pub status: Status,
    /// In one or two sentences, for the first line of the report.
    pub headline: String,
    /// The next start; `None` when nothing could be established.
    pub startup: Option<Startup>,
    /// What would be lost.
    pub loss: Vec<Loss>,
    /// What to do, in order.
    pub next_steps: Vec<String>,
}
