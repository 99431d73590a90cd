//! Checkpoint does not lie on the history of its timeline.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// Each promotion begins a new timeline, which shares the past up to a fork and nothing
    /// behind it. Recovery is to end on one timeline, but the checkpoint of this directory
    /// lies on another, or behind the fork: on a piece of history that the target does not
    /// have. The server refuses, FATAL `requested timeline 3 is not a child of this server's
    /// history`, with DETAIL `Latest checkpoint is at ... on timeline ..., but in the history
    /// of the requested timeline, the server forked off from that timeline at ...`; or FATAL
    /// `requested timeline 3 does not contain minimum recovery point ...`. In 9.0 to 9.2:
    /// `requested timeline 3 is not a child of database system timeline 1`.
    ///
    /// ## How it is decided
    /// The history file of the target is read. From 9.3 on, the checkpoint and
    /// `minRecoveryPoint` must lie, by position, in the part of their timeline that belongs
    /// to the target's past (`xlog.c: StartupXLOG`, 15 and later `xlogrecovery.c:
    /// InitWalRecovery`; `timeline.c: tliOfPointInHistory`). Up to 9.2 the checkpoint's
    /// timeline must just be in the list.
    ///
    /// ## What else may cause it
    /// An old primary that went on writing after its standby was promoted, and should now
    /// follow it: the usual case; `recovery_target_timeline = latest` (the default from 12
    /// on) with an archive that holds timelines of a test restore; a history file missing or
    /// of another cluster; a standby that had replayed beyond the fork; a backup taken after
    /// the fork.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, above all of an old primary: it may
    /// hold transactions that the new one never got.
    ///
    /// Choose the timeline: for a restore, set `recovery_target_timeline` to the one on which
    /// the backup was taken, or take a backup from before the fork. An old primary is made a
    /// standby with `pg_rewind` (9.5 and later; its own transactions behind the fork are
    /// lost) or from a new base backup. Do not delete or edit history files, and do not run
    /// `pg_resetwal` (`pg_resetxlog` up to 9.6), to force it: WAL of one branch replayed on
    /// pages of the other damages both, and mostly silently.
    "timeline-not-ancestor" Fatal Wal: "checkpoint does not lie on the history of its timeline"
}

/// `xlogrecovery.c: InitWalRecovery`: the checkpoint must lie on the history of the timeline
/// that is recovered.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(run) = examination.recovery else { return };
    let Some(fault) = &run.timeline_fault else { return };
    let location = Location::file("global/pg_control").at_lsn(run.checkpoint_lsn);
    let mut finding = Finding::new(&CHECK, location, fault.clone());
    finding.server_error = run.failure.clone();
    findings.push(finding);
}
