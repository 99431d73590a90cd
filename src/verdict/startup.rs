//! The next start, put together from the dry run, the gate and the settings.

use super::{Outcome, Startup};
use crate::check::Examination;
use crate::cluster::Fact;
use crate::format::version::Major;
use crate::recovery::gate;
use crate::recovery::stop::StopCause;
use crate::report::{StopKind, WalSummary};

/// Settings that end a recovery before the WAL does.
const TARGETS: [&str; 5] = [
    "recovery_target",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_xid",
];

pub(super) fn startup(examination: &Examination<'_>, wal: Option<&WalSummary>) -> Option<Startup> {
    let cluster = examination.cluster;
    let Some(run) = examination.recovery else {
        // pg_control is missing or refused: the server goes no further.
        let refusal = match (&cluster.control, cluster.version) {
            (Fact::Present(reading), Some(version)) => reading.refusal(version),
            _ => None,
        };
        let message = gate::before_wal(examination.evidence, cluster)
            .or(refusal.map(|r| format!("{}: {}", r.severity, r.message)));
        return Some(Startup {
            outcome: Outcome::Fails,
            message,
            redo_start: None,
            redo_done: None,
            end_of_wal: None,
            timeline: None,
            last_completed_transaction: None,
            silent_loss: false,
            waits_for: None,
            settings: Vec::new(),
            conditions: Vec::new(),
        });
    };
    let refused = examination.refusal.is_some();
    Some(Startup {
        outcome: if refused { Outcome::Fails } else { run.outcome },
        message: examination
            .refusal
            .map(str::to_owned)
            .or_else(|| run.failure.clone()),
        redo_start: run.redo_start,
        redo_done: run.redo_done,
        end_of_wal: run.end_of_wal,
        timeline: Some(run.timeline),
        last_completed_transaction: run.plan.as_ref().and_then(|plan| plan.last_completed),
        silent_loss: !refused
            && run.outcome != Outcome::Fails
            && wal.is_some_and(|wal| wal.stop_kind != StopKind::EndOfWal),
        waits_for: run.waits_for.clone().filter(|_| !refused),
        settings: if examination.request.archive_recovery {
            let settings = examination.settings.of_recovery();
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            settings.map(owned).collect()
        } else {
            Vec::new()
        },
        conditions: conditions(examination),
    })
}

/// What the files cannot tell.
fn conditions(examination: &Examination<'_>) -> Vec<String> {
    let settings = examination.settings;
    let request = examination.request;
    let mut conditions = Vec::new();
    if let Some(pid) = gate::lock_holder(examination.evidence) {
        conditions.push(format!(
            "postmaster.pid names process {pid}: while a process of the server's user has that \
             number, the start ends with FATAL: lock file \"postmaster.pid\" already exists"
        ));
    }
    if request.archive_recovery {
        let more = match (
            settings.get("restore_command").is_some(),
            settings.get("primary_conninfo").is_some() && request.standby,
        ) {
            (true, true) => Some("restore_command or the primary"),
            (true, false) => Some("restore_command"),
            (false, true) => Some("the primary"),
            (false, false) => None,
        };
        if let Some(more) = more {
            conditions.push(format!(
                "this holds for the WAL at hand: {more} may bring more, or another copy"
            ));
        }
        let mut targets = TARGETS.iter().filter(|name| settings.get(name).is_some());
        if let Some(target) = targets.next() {
            conditions.push(format!(
                "{target} is not looked at: recovery may end earlier"
            ));
        }
        if !settings.complete && !settings.of_recovery_alone() {
            conditions.push(
                "settings may lie in files outside the data directory, which were not read"
                    .to_owned(),
            );
        }
    } else if let Some(run) = examination.recovery
        && run.from_backup_label
        && settings.get("restore_command").is_some()
    {
        conditions.push(
            "restore_command is set, but without recovery.signal it is not used: only WAL in the \
             WAL folder is replayed"
                .to_owned(),
        );
    }
    conditions.extend(reads_ahead(examination));
    conditions
}

/// Records before one of an unknown timeline that the server refuses with it: from 15 on it
/// decodes records ahead of redo, and looks at the timeline of the newest page it has read
/// (`xlogprefetcher.c: XLogPrefetcherNextBlock`, `xlogrecovery.c: ReadRecord`).
fn reads_ahead(examination: &Examination<'_>) -> Option<String> {
    let run = examination.recovery?;
    let stop = run.stop.as_ref().filter(|_| run.redo_start.is_some())?;
    let refused = matches!(stop.cause, StopCause::UnexpectedTimeline { .. });
    let settings = examination.settings;
    let off = matches!(
        settings.get("recovery_prefetch"),
        Some("off" | "false" | "no" | "0")
    ) || settings.get("maintenance_io_concurrency") == Some("0");
    (refused && !off && examination.cluster.version?.since(Major::V15)).then(|| {
        "recovery_prefetch reads ahead: with the page of an unknown timeline the server refuses \
         some records before it, too; with recovery_prefetch = off it replays up to it"
            .to_owned()
    })
}
