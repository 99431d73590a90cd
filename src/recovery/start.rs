//! Where recovery begins, and what comes of it.
//!
//! Sources: `xlog.c: StartupXLOG`; from 15 on `xlogrecovery.c: InitWalRecovery,
//! PerformWalRecovery, FinishWalRecovery`.

use super::plan::{Counters, Plan};
use super::reader::{Position, WalContext, WalReader, WalSource};
use super::settings::TargetTimeline;
use super::stop::{Stop, StopCause};
use super::timeline::Timelines;
use super::walk::{WalkEnd, walk};
use crate::cluster::{Cluster, Fact};
use crate::format::backup_label::BackupLabel;
use crate::format::checkpoint::CheckPoint;
use crate::format::control::{ControlFile, DbState};
use crate::format::history::HistoryFault;
use crate::format::types::{TimeLineID, XLogRecPtr};
use crate::format::version::{Layout, Major, Version};
use crate::format::wal::lsn_text;
use crate::format::wal::xlog::is_checkpoint;
use crate::verdict::Outcome;

/// The files that ask for archive recovery.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecoveryRequest {
    /// `recovery.signal`, `standby.signal`, or up to 11 `recovery.conf`.
    pub archive_recovery: bool,
    /// `standby.signal`, or up to 11 `standby_mode` in `recovery.conf`.
    pub standby: bool,
    /// WAL archives were named, so that a backup is to be judged with them.
    pub with_archives: bool,
    /// `recovery.conf` beside a server that refuses it (12 and later).
    pub refused_recovery_conf: bool,
    /// `recovery_target_timeline`.
    pub target_timeline: TargetTimeline,
}

/// The dry run of a start.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// What happens.
    pub outcome: Outcome,
    /// The FATAL or PANIC text when it fails, with its severity.
    pub failure: Option<String>,
    /// The timelines that are followed.
    pub timelines: Timelines,
    /// The timeline it continues on.
    pub timeline: TimeLineID,
    /// Where the checkpoint record lies that it starts from.
    pub checkpoint_lsn: XLogRecPtr,
    /// The checkpoint as the WAL has it.
    pub check_point: Option<CheckPoint>,
    /// Where that record ends.
    pub checkpoint_end: Option<XLogRecPtr>,
    /// Where reading begins, when anything is replayed.
    pub start: Option<Position>,
    /// First record replayed.
    pub redo_start: Option<XLogRecPtr>,
    /// Last record replayed.
    pub last_replayed: Option<XLogRecPtr>,
    /// What the server says of that: the last record read, even if it is then refused.
    pub redo_done: Option<XLogRecPtr>,
    /// End of the last valid record.
    pub end_of_wal: Option<XLogRecPtr>,
    /// Why no further record could be read.
    pub stop: Option<Stop>,
    /// Records replayed.
    pub records: u64,
    /// What replay does; `None` when nothing is replayed, or nobody can tell.
    pub plan: Option<Plan>,
    /// The checkpoint does not lie on the history of the timeline.
    pub timeline_fault: Option<String>,
    /// `backup_label` is refused.
    pub refused_label: bool,
    /// Whether the start came from `backup_label`.
    pub from_backup_label: bool,
    /// The checkpoint before the last one had to serve (up to 10).
    pub used_previous: bool,
    /// A standby waits for WAL without end, instead of failing for want of it; what it lets
    /// nobody in before.
    pub waits_for: Option<String>,
}

impl DryRun {
    /// The timeline whose WAL holds a position.
    #[must_use]
    pub fn timeline_of(&self, lsn: XLogRecPtr) -> TimeLineID {
        self.timelines
            .of_position(lsn)
            .unwrap_or(self.timelines.target())
    }
}

/// Decides what the next start does, and reads the WAL as far as it would.
pub fn dry_run(
    cluster: &Cluster,
    control: &ControlFile,
    layout: Layout,
    request: RecoveryRequest,
    source: &dyn WalSource,
) -> DryRun {
    let version = layout.version;
    let label = cluster.backup_label.get();
    let archive = request.archive_recovery || request.with_archives && label.is_some();
    let target = target_timeline(cluster, control, label, archive, request.target_timeline);
    let timelines = cluster.timelines(target);
    let context = WalContext {
        layout,
        system_identifier: Some(control.system_identifier),
        timelines: timelines.clone(),
    };
    let mut run = DryRun {
        outcome: Outcome::Fails,
        failure: None,
        timeline: target,
        timelines,
        checkpoint_lsn: label.map_or(control.check_point, |label| label.checkpoint_location),
        check_point: None,
        checkpoint_end: None,
        start: None,
        redo_start: None,
        last_replayed: None,
        redo_done: None,
        end_of_wal: None,
        stop: None,
        records: 0,
        plan: None,
        timeline_fault: None,
        refused_label: false,
        from_backup_label: label.is_some(),
        used_previous: false,
        waits_for: None,
    };
    if let Some(refusal) = label.and_then(|label| label.refusal(version)) {
        run.failure = Some(format!("{}: {}", refusal.severity, refusal.message));
        run.refused_label = true;
        return run;
    }
    if let Some(failure) = unreadable_history(cluster, target, version) {
        run.failure = Some(failure);
        return run;
    }
    let mut found = read_checkpoint(&context, source, run.checkpoint_lsn);
    // xlog.c: the prior checkpoint served up to 10, unless a label or a standby asked for one.
    if found.is_err()
        && label.is_none()
        && !request.standby
        && let Some(previous) = control.prev_check_point.filter(|lsn| lsn.is_valid())
        && let Ok(earlier) = read_checkpoint(&context, source, previous)
    {
        run.used_previous = true;
        run.checkpoint_lsn = previous;
        found = Ok(earlier);
    }
    let (check_point, after) = match found {
        Ok(found) => found,
        Err(stop) if waits(control, label, request) => {
            run.stop = stop;
            run.outcome = Outcome::ArchiveRecovery;
            run.waits_for = Some(format!("the checkpoint record at {}", run.checkpoint_lsn));
            return run;
        }
        Err(stop) => {
            run.stop = stop;
            run.failure = Some(no_checkpoint(version, label.is_some(), run.checkpoint_lsn));
            return run;
        }
    };
    run.checkpoint_end = Some(after.next);
    run.end_of_wal = Some(after.next);
    let redo = check_point.redo;
    let counters = Counters::of(&check_point);
    run.check_point = Some(check_point);
    if version.since(Major::V9_3)
        && run.timelines.of_position(run.checkpoint_lsn) != Some(check_point.this_time_line_id)
    {
        // xlogrecovery.c: InitWalRecovery, "tliOfPointInHistory(CheckPointLoc, …)".
        run.timeline_fault = Some(format!(
            "the checkpoint at {} is on timeline {}, which the history of timeline {target} does \
             not pass there",
            run.checkpoint_lsn, check_point.this_time_line_id
        ));
        let own = control.check_point_copy.this_time_line_id;
        run.failure = Some(if run.timelines.contains(own) {
            format!("FATAL: requested timeline {target} is not a child of this server's history")
        } else {
            format!("FATAL: requested timeline {own} is not in this server's history")
        });
        return run;
    }
    if version.since(Major::V9_3)
        && let Some(own) = control.min_recovery_point_tli
        && let Some(last) = control.min_recovery_point.0.checked_sub(1)
        && run.timelines.of_position(XLogRecPtr(last)) != Some(own)
    {
        let point = lsn_text(version, control.min_recovery_point);
        run.failure = Some(format!(
            "FATAL: requested timeline {target} does not contain minimum recovery point {point} \
             on timeline {own}"
        ));
        return run;
    }
    let from_standby = label.is_some_and(BackupLabel::is_from_standby);
    let in_recovery = [DbState::InArchiveRecovery, DbState::ShutDownInRecovery];
    if redo > run.checkpoint_lsn {
        run.failure = Some("PANIC: invalid redo in checkpoint record".to_owned());
        return run;
    }
    if from_standby && !in_recovery.contains(&control.state) {
        run.failure =
            Some("FATAL: backup_label contains data inconsistent with control file".to_owned());
        return run;
    }
    let clean = control.state == DbState::ShutDown
        && redo == run.checkpoint_lsn
        && label.is_none()
        && !request.archive_recovery
        && !run.used_previous;
    if clean {
        run.outcome = Outcome::Clean;
        return run;
    }
    let start = if redo < run.checkpoint_lsn {
        Position::at(redo)
    } else {
        after
    };
    let first = WalReader::new(&context, source, start)
        .read()
        .map(|record| record.lsn);
    match first {
        Ok(lsn) => run.redo_start = Some(lsn),
        Err(stop) if redo < run.checkpoint_lsn && waits(control, label, request) => {
            run.stop = Some(stop);
            run.outcome = Outcome::ArchiveRecovery;
            run.end_of_wal = None;
            run.waits_for = Some(format!("the redo record at {redo}"));
            return run;
        }
        Err(stop) if redo < run.checkpoint_lsn => {
            run.failure = Some(no_redo(
                version,
                label.is_some(),
                redo,
                run.checkpoint_lsn,
                &stop,
            ));
            run.end_of_wal = None;
            run.stop = Some(stop);
            return run;
        }
        // "redo is not required"
        Err(_) => {}
    }
    let mut plan = Plan::new(layout, counters);
    let new_piece = || Plan::new(layout, Counters::default());
    let end: WalkEnd = walk(
        &context,
        source,
        start,
        None,
        &new_piece,
        &mut |piece, _| plan.absorb(piece),
    );
    run.records = end.records;
    // xlogrecovery.c: ReadRecord (up to 14 xlog.c) has read a record before it refuses its
    // timeline, and "redo done at" names the last one that was read.
    let refused = end
        .stop
        .as_ref()
        .filter(|stop| matches!(stop.cause, StopCause::UnexpectedTimeline { .. }))
        .filter(|_| version.since(Major::V9_3));
    run.last_replayed = run.redo_start.and(end.position.last);
    let last = refused.map(|stop| stop.lsn).or(end.position.last);
    run.redo_done = run.redo_start.and(last);
    run.end_of_wal = Some(end.position.next);
    run.stop = end.stop;
    // From 9.3 on a label alone makes the server replay as from an archive (xlog.c:
    // StartupXLOG, "InArchiveRecovery = true"), but it stays on its timeline.
    run.outcome = if archive || label.is_some() && version.since(Major::V9_3) {
        Outcome::ArchiveRecovery
    } else {
        Outcome::CrashRecovery
    };
    run.timeline = if archive && !request.standby {
        newest_known(cluster, target).saturating_add(1)
    } else {
        target
    };
    if run.failure.is_none() {
        run.failure = inconsistent(
            control,
            label,
            archive,
            &plan,
            redo,
            end.position.next,
            version,
        );
    }
    if request.standby && run.failure.take().is_some() {
        run.waits_for = Some(match control.min_recovery_point {
            point if label.is_none() && point > end.position.next => {
                format!("WAL up to {point}, where it is consistent")
            }
            _ => "the end of the base backup in the WAL".to_owned(),
        });
    }
    // xlog.c: StartupXLOG, "wasShutdown".
    let from_shutdown = redo == run.checkpoint_lsn;
    if request.standby && run.waits_for.is_none() && !from_shutdown && plan.awaits_subtransactions()
    {
        let wanted = "the end of transactions that ran on the primary with more than 64 \
                      subtransactions";
        run.waits_for = Some(wanted.to_owned());
    }
    if run.failure.is_some() {
        run.outcome = Outcome::Fails;
    }
    run.start = Some(start);
    run.plan = Some(plan);
    run
}

fn newest_known(cluster: &Cluster, target: TimeLineID) -> TimeLineID {
    cluster.newest_timeline(target)
}

/// `recoveryTargetTLI`.
fn target_timeline(
    cluster: &Cluster,
    control: &ControlFile,
    label: Option<&BackupLabel>,
    archive: bool,
    wanted: TargetTimeline,
) -> TimeLineID {
    let own = control
        .check_point_copy
        .this_time_line_id
        .max(control.min_recovery_point_tli.unwrap_or(0));
    let own = if archive {
        label.map_or(own, |label| label.start_wal_file.tli.max(own))
    } else {
        own
    };
    match wanted {
        TargetTimeline::Latest if archive => cluster.newest_timeline(own),
        TargetTimeline::Number(tli) if archive => tli,
        TargetTimeline::Current | TargetTimeline::Latest | TargetTimeline::Number(_) => own,
    }
}

/// Whether a recovery that is asked for uses the archive from the very first record on, and
/// does not recover from a crash first (`xlogrecovery.c: InitWalRecovery`,
/// "InArchiveRecovery = true").
pub(super) fn begins_with_archive(control: &ControlFile, label: Option<&BackupLabel>) -> bool {
    label.is_some()
        || control.min_recovery_point.is_valid()
        || control.backup_end_required == Some(true)
        || control.backup_end_point.is_some_and(XLogRecPtr::is_valid)
        || control.state == DbState::ShutDown
}

/// Whether a standby waits for WAL that it does not find.
fn waits(control: &ControlFile, label: Option<&BackupLabel>, request: RecoveryRequest) -> bool {
    request.standby && begins_with_archive(control, label)
}

/// The message of a history file that cannot be read (`timeline.c: readTimeLineHistory`).
fn unreadable_history(cluster: &Cluster, target: TimeLineID, version: &Version) -> Option<String> {
    let (_, Fact::Present(history)) = cluster.histories.get(&target)? else {
        return None;
    };
    history.problems.iter().find_map(|problem| {
        let (words, _) = problem.fault.server_words(version)?;
        let quoted = match problem.fault {
            HistoryFault::NotBelowChild => {
                format!("\"{}/{target:08X}.history\"", version.wal_dir())
            }
            _ => problem.text.clone(),
        };
        Some(format!("FATAL: {words}{quoted}"))
    })
}

/// Reads a checkpoint record; the error is why the WAL could not be read, or `None` when
/// what stands there is another record.
fn read_checkpoint(
    context: &WalContext,
    source: &dyn WalSource,
    lsn: XLogRecPtr,
) -> Result<(CheckPoint, Position), Option<Stop>> {
    let mut reader = WalReader::new(context, source, Position::at(lsn));
    let check_point = {
        let record = reader.read().map_err(Some)?;
        if !is_checkpoint(&record.header) {
            return Err(None);
        }
        CheckPoint::parse(context.layout.version, record.main).map_err(|_| None)?
    };
    Ok((check_point, reader.position()))
}

pub(super) fn no_checkpoint(version: &Version, from_label: bool, lsn: XLogRecPtr) -> String {
    let at = if version.since(Major::V17) {
        format!(" at {}", lsn_text(version, lsn))
    } else {
        String::new()
    };
    if from_label {
        format!("FATAL: could not locate required checkpoint record{at}")
    } else {
        format!("PANIC: could not locate a valid checkpoint record{at}")
    }
}

fn no_redo(
    version: &Version,
    from_label: bool,
    redo: XLogRecPtr,
    checkpoint: XLogRecPtr,
    stop: &Stop,
) -> String {
    if from_label && version.since(Major::V17) {
        format!(
            "FATAL: could not find redo location {} referenced by checkpoint record at {}",
            lsn_text(version, redo),
            lsn_text(version, checkpoint)
        )
    } else if from_label {
        "FATAL: could not find redo location referenced by checkpoint record".to_owned()
    } else {
        let reason = stop
            .message(version)
            .unwrap_or_else(|| format!("could not read the record at {}", lsn_text(version, redo)));
        format!("PANIC: {reason}")
    }
}

/// The last checks of `StartupXLOG`: recovery from a backup, or on a standby, must have
/// reached a consistent state.
fn inconsistent(
    control: &ControlFile,
    label: Option<&BackupLabel>,
    archive: bool,
    plan: &Plan,
    redo: XLogRecPtr,
    end: XLogRecPtr,
    version: &Version,
) -> Option<String> {
    let from_standby = label.is_some_and(BackupLabel::is_from_standby);
    let streamed = label.is_some_and(|l| l.backup_method.as_deref() == Some("streamed"));
    let backup_start = if label.is_some() {
        redo
    } else {
        control.backup_start_point
    };
    let end_required = if label.is_some() {
        streamed
    } else {
        control.backup_end_required == Some(true)
    };
    let end_point = if from_standby {
        control.min_recovery_point
    } else {
        control
            .backup_end_point
            .filter(|_| label.is_none())
            .unwrap_or_default()
    };
    // 9.0 knows no streamed backups.
    let enforced = archive || end_required && version.since(Major::V9_1);
    let ended =
        plan.backup_ends.contains(&backup_start) || end_point.is_valid() && end >= end_point;
    if enforced && (backup_start.is_valid() || end_required) && !ended {
        let text = if version.since(Major::V9_1) {
            "FATAL: WAL ends before end of online backup"
        } else {
            "FATAL: WAL ends before consistent recovery point"
        };
        return Some(text.to_owned());
    }
    (archive && label.is_none() && end < control.min_recovery_point)
        .then(|| "FATAL: WAL ends before consistent recovery point".to_owned())
}
