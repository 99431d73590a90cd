//! From where to where recovery to a point in time can go, on each timeline.
//!
//! It begins where the directory is consistent, since no server stops before that (`xlog.c:
//! CheckRecoveryConsistency`, from 15 on `xlogrecovery.c`), and ends where the WAL can be read
//! no further. Sources for the timelines: `timeline.c: existsTimeLineHistory,
//! readTimeLineHistory`; `xlog.c: StartupXLOG`, from 15 on `xlogrecovery.c: InitWalRecovery`.

use super::reader::WalContext;
use super::settings::TargetTimeline;
use super::source::EvidenceWal;
use super::start::{DryRun, RecoveryRequest, dry_run};
use super::stop::Stop;
use super::timeline::Timelines;
use super::walk::{WalSink, walk};
use crate::cluster::Cluster;
use crate::format::control::{ControlFile, DbState};
use crate::format::types::{TimeLineID, TimestampTz, TransactionId, XLogRecPtr};
use crate::format::version::{Layout, Major, Version};
use crate::format::wal::Record;
use crate::format::wal::effects::{Effect, effects};
use crate::pgdata::{Evidence, FileKind};
use std::collections::BTreeSet;

/// What makes a directory consistent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consistency {
    /// It was shut down.
    Clean,
    /// The record at the end of the base backup, that began at this redo point.
    BackupEnd(XLogRecPtr),
    /// The position that the data files may be as new as (`minRecoveryPoint`).
    MinRecoveryPoint(XLogRecPtr),
    /// It crashed: the end of its own WAL.
    EndOfOwnWal(XLogRecPtr),
}

/// A commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Which transaction.
    pub xid: TransactionId,
    /// When.
    pub time: TimestampTz,
    /// Its record.
    pub lsn: XLogRecPtr,
}

/// How far recovery gets on a timeline.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The timelines that it follows.
    pub timelines: Timelines,
    /// Where it is consistent.
    pub earliest: XLogRecPtr,
    /// The last commit before that, which recovery cannot leave out.
    pub settled: Option<Commit>,
    /// The first commit behind it.
    pub first: Option<Commit>,
    /// The last commit.
    pub last: Option<Commit>,
    /// Commits behind the consistent point.
    pub commits: u64,
    /// Time of the last commit or abort, which the server logs.
    pub last_completed: Option<TimestampTz>,
    /// Start of the last record (`redo done at`).
    pub redo_done: Option<XLogRecPtr>,
    /// End of the last record.
    pub latest: XLogRecPtr,
    /// Why not further.
    pub stop: Option<Stop>,
}

/// A timeline that `recovery_target_timeline` could name.
#[derive(Clone, Debug)]
pub struct TimelineWindow {
    /// The timeline.
    pub tli: TimeLineID,
    /// What is in reach, or the server's refusal.
    pub reach: Result<Box<Reach>, String>,
}

/// The points in time in reach.
#[derive(Clone, Debug)]
pub struct Window {
    /// Version and sizes.
    pub layout: Layout,
    /// Whether it starts from a `backup_label`.
    pub from_backup_label: bool,
    /// Where redo begins.
    pub redo: XLogRecPtr,
    /// The timeline of the directory.
    pub own: TimeLineID,
    /// What makes it consistent.
    pub consistency: Consistency,
    /// By timeline.
    pub timelines: Vec<TimelineWindow>,
    /// Timelines with WAL but without the history file that would let recovery go there.
    pub without_history: Vec<TimeLineID>,
}

/// What a target that lies beyond the end of WAL comes to.
#[must_use]
pub fn beyond_the_end(version: &Version) -> Option<&'static str> {
    version
        .since(Major::V13)
        .then_some("FATAL: recovery ended before configured recovery target was reached")
}

/// Reads the WAL along every timeline that recovery of the evidence can follow.
#[must_use]
pub fn window(
    evidence: &Evidence,
    cluster: &Cluster,
    control: &ControlFile,
    wal: &EvidenceWal<'_>,
) -> Window {
    let layout = *wal.layout();
    let label = cluster.backup_label.get();
    let own = control
        .check_point_copy
        .this_time_line_id
        .max(control.min_recovery_point_tli.unwrap_or(0));
    let own = label.map_or(own, |label| label.start_wal_file.tli.max(own));
    let began_on = label.map_or(control.check_point_copy.this_time_line_id, |label| {
        label.start_wal_file.tli
    });
    let redo = label.map_or(control.check_point_copy.redo, |label| {
        label.start_wal_location
    });
    let consistency = consistency(evidence, cluster, control, layout, redo);
    let mut tlis: BTreeSet<TimeLineID> = cluster.histories.keys().copied().collect();
    tlis.insert(own);
    let timelines = tlis
        .iter()
        .map(|&tli| {
            let request = RecoveryRequest {
                archive_recovery: true,
                with_archives: true,
                target_timeline: TargetTimeline::Number(tli),
                ..RecoveryRequest::default()
            };
            let run = dry_run(cluster, control, layout, request, wal);
            let reach = reach(&run, began_on, control, wal, consistency).map(Box::new);
            TimelineWindow { tli, reach }
        })
        .collect();
    // timeline.c: existsTimeLineHistory: the first timeline needs none.
    let without_history: BTreeSet<TimeLineID> = wal
        .segments()
        .map(|(tli, ..)| tli)
        .filter(|tli| !tlis.contains(tli) && *tli > own)
        .collect();
    Window {
        layout,
        from_backup_label: label.is_some(),
        redo,
        own,
        consistency,
        timelines,
        without_history: without_history.into_iter().collect(),
    }
}

/// What the server waits for before it lets recovery end.
fn consistency(
    evidence: &Evidence,
    cluster: &Cluster,
    control: &ControlFile,
    layout: Layout,
    redo: XLogRecPtr,
) -> Consistency {
    if let Some(label) = cluster.backup_label.get() {
        // From a standby: up to where its own recovery was when the backup ended.
        return match label.backup_from.as_deref() {
            Some("standby") => Consistency::MinRecoveryPoint(control.min_recovery_point),
            _ => Consistency::BackupEnd(redo),
        };
    }
    if control.backup_start_point.is_valid() {
        return Consistency::BackupEnd(control.backup_start_point);
    }
    if control.state == DbState::ShutDown {
        return Consistency::Clean;
    }
    if control.min_recovery_point.is_valid() {
        return Consistency::MinRecoveryPoint(control.min_recovery_point);
    }
    // It is first recovered from the crash, with its own WAL (xlog.c: StartupXLOG, "we don't
    // know how far we need to replay"). Up to 9.2 the server did not wait for that; its pages
    // may be as new all the same.
    let own = |id| {
        let entry = evidence.entry(id);
        entry.archive.is_none() && matches!(entry.kind, FileKind::Wal(_))
    };
    let wal = EvidenceWal::of(evidence, &layout, false, own);
    let run = dry_run(cluster, control, layout, RecoveryRequest::default(), &wal);
    Consistency::EndOfOwnWal(run.end_of_wal.unwrap_or(redo))
}

/// How far recovery to a timeline gets, from a checkpoint on the timeline `began_on`.
fn reach(
    run: &DryRun,
    began_on: TimeLineID,
    control: &ControlFile,
    wal: &EvidenceWal<'_>,
    consistency: Consistency,
) -> Result<Reach, String> {
    let layout = *wal.layout();
    let version = layout.version;
    let target = run.timelines.target();
    // "tliOfPointInHistory(CheckPointLoc, …)"; up to 9.2 the positions are not known.
    if version.since(Major::V9_3) {
        if run.timelines.of_position(run.checkpoint_lsn) != Some(began_on) {
            return Err(format!(
                "FATAL: requested timeline {target} is not a child of this server's history"
            ));
        }
    } else if !run.timelines.contains(began_on) {
        return Err(format!(
            "FATAL: requested timeline {target} is not a child of database system timeline \
             {began_on}"
        ));
    }
    if let Some(failure) = &run.failure {
        return Err(failure.clone());
    }
    let (Some(start), Some(latest)) = (run.start, run.end_of_wal) else {
        return Err("what its recovery would do cannot be told".to_owned());
    };
    let context = WalContext {
        layout,
        system_identifier: Some(control.system_identifier),
        timelines: run.timelines.clone(),
    };
    let known = match consistency {
        Consistency::Clean => Some(start.next),
        Consistency::MinRecoveryPoint(lsn) | Consistency::EndOfOwnWal(lsn) => Some(lsn),
        Consistency::BackupEnd(_) => None,
    };
    let mut sum = Sum {
        earliest: None,
        settled: None,
        first: None,
        last: None,
        commits: 0,
        last_completed: None,
    };
    let new_sink = || Commits {
        layout,
        consistency,
        known,
        parts: vec![Part::default()],
        last_completed: None,
    };
    // A second walk: where it is consistent is a question that no other start asks.
    let end = walk(
        &context,
        wal,
        start,
        Some(latest),
        &new_sink,
        &mut |piece, _| sum.absorb(piece),
    );
    let Some(earliest) = sum.earliest.or(known.filter(|lsn| *lsn <= latest)) else {
        return Err("the WAL ends before the directory is consistent".to_owned());
    };
    Ok(Reach {
        timelines: run.timelines.clone(),
        earliest,
        settled: sum.settled,
        first: sum.first,
        last: sum.last.or(sum.settled),
        commits: sum.commits,
        last_completed: sum.last_completed,
        redo_done: run.last_replayed.or(end.position.last),
        latest,
        stop: run.stop.clone(),
    })
}

/// The commits between two places that matter.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// It begins where the directory is consistent: the end of that record, or the place.
    consistent_at: Option<XLogRecPtr>,
    first: Option<Commit>,
    last: Option<Commit>,
    commits: u64,
}

/// The commits of a piece of WAL.
struct Commits {
    layout: Layout,
    consistency: Consistency,
    /// Where it is consistent, if that is known beforehand.
    known: Option<XLogRecPtr>,
    parts: Vec<Part>,
    last_completed: Option<TimestampTz>,
}

impl Commits {
    fn part(&mut self) -> &mut Part {
        if self.parts.is_empty() {
            self.parts.push(Part::default());
        }
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }

    fn consistent(&mut self, at: XLogRecPtr) {
        self.parts.push(Part {
            consistent_at: Some(at),
            ..Part::default()
        });
    }
}

impl WalSink for Commits {
    fn record(&mut self, record: &Record<'_, '_>) {
        if let Some(known) = self.known
            && record.lsn >= known
        {
            self.known = None;
            self.consistent(known);
        }
        let (lsn, end_lsn) = (record.lsn, record.end_lsn);
        let layout = self.layout;
        effects(layout, record, &mut |effect| match effect {
            Effect::Commits(end) => {
                let commit = Commit {
                    xid: end.xid,
                    time: end.xact_time,
                    lsn,
                };
                let part = self.part();
                part.first = part.first.or(Some(commit));
                part.last = Some(commit);
                part.commits = part.commits.saturating_add(1);
                self.last_completed = Some(end.xact_time);
            }
            Effect::Aborts(end) => self.last_completed = Some(end.xact_time),
            Effect::BackupEnd(redo) if self.consistency == Consistency::BackupEnd(redo) => {
                self.consistent(end_lsn);
            }
            _ => {}
        });
    }
}

/// The commits of all of it.
struct Sum {
    earliest: Option<XLogRecPtr>,
    settled: Option<Commit>,
    first: Option<Commit>,
    last: Option<Commit>,
    commits: u64,
    last_completed: Option<TimestampTz>,
}

impl Sum {
    fn absorb(&mut self, piece: Commits) {
        self.last_completed = piece.last_completed.or(self.last_completed);
        for part in piece.parts {
            // Every piece behind a known place begins with it.
            self.earliest = self.earliest.or(part.consistent_at);
            if self.earliest.is_none() {
                self.settled = part.last.or(self.settled);
                continue;
            }
            self.first = self.first.or(part.first);
            self.last = part.last.or(self.last);
            self.commits = self.commits.saturating_add(part.commits);
        }
    }
}
