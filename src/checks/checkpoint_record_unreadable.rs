//! The checkpoint record to start from cannot be read.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::finding::Severity;
use crate::recovery::copies::advice;
use crate::recovery::stop::StopCause;

check! {
    /// ## What it means
    /// Every start begins with the last checkpoint record in the WAL, the write-ahead log
    /// from which a crash is repaired; `pg_control`, or `backup_label` in a base backup, says
    /// where it is. It cannot be read there, or the place where replay must begin (its redo
    /// point) cannot. The server does not start: LOG `invalid primary checkpoint record` (16
    /// and later `invalid checkpoint record`), then PANIC `could not locate a valid
    /// checkpoint record` (17 and later with the position). Up to 10 it tries the checkpoint
    /// before, `using previous checkpoint record at ...`, and goes on with that. With a
    /// `backup_label` it is FATAL `could not locate required checkpoint record`; for the redo
    /// point `could not find redo location ... referenced by checkpoint record`.
    ///
    /// ## How it is decided
    /// At the position there must be a record that passes all checks of a WAL record, of the
    /// XLOG manager, a checkpoint, of the exact length (`xlog.c: ReadCheckpointRecord`,
    /// `xlogrecovery.c` from 15 on). The redo point must be readable; from 17 on a record of
    /// its own, CHECKPOINT_REDO, must stand there for an online checkpoint.
    ///
    /// ## What else may cause it
    /// WAL folder empty, on another disk, or its link broken; a restore without the WAL that
    /// the backup needs; WAL files deleted to free space; `pg_control` newer or older than
    /// the WAL; a disk that lost writes it had confirmed; a damaged segment.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Look for the segment that the
    /// finding names: WAL archive, standby, backup, the old `pg_xlog` or `pg_wal` disk. With
    /// it in place, the server starts and loses nothing.
    ///
    /// For a restored backup, set `restore_command` (in `recovery.conf` up to 11, else in
    /// `postgresql.conf` with `recovery.signal`), and leave `backup_label` in place. Only if
    /// the WAL is gone for good, run `pg_resetwal` (`pg_resetxlog` up to 9.6) on a second
    /// copy: the server starts, but changes since the checkpoint are lost or half done, and
    /// indexes and tables disagree without any message. Dump such a cluster, load it anew,
    /// check constraints.
    "checkpoint-record-unreadable" Fatal Wal: "the checkpoint record to start from cannot be read"
}

/// `xlogrecovery.c: ReadCheckpointRecord`; up to 14 `xlog.c`.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(run), Some(version)) = (examination.recovery, examination.cluster.version) else {
        return;
    };
    if run.check_point.is_some() && !run.used_previous {
        return;
    }
    let named_by = if run.from_backup_label { "backup_label" } else { "global/pg_control" };
    let reason = match &run.stop {
        Some(stop) => match &stop.cause {
            StopCause::MissingSegment { segment } => format!("{segment} does not exist"),
            _ => stop.message(version).unwrap_or_default(),
        },
        None => "what stands there is no checkpoint record".to_owned(),
    };
    let location = Location::file(named_by).at_lsn(run.checkpoint_lsn);
    let finding = if run.used_previous {
        let message = format!(
            "the last checkpoint record cannot be read; the server goes back to the one before, at {}",
            run.checkpoint_lsn
        );
        Finding::new(&CHECK, location, message).severity(Severity::Damage)
    } else if run.refused_label {
        return;
    } else {
        let message =
            format!("the checkpoint record at {} cannot be read: {reason}", run.checkpoint_lsn);
        let mut finding = Finding::new(&CHECK, location, message);
        finding.server_error = run.failure.clone();
        finding.remedy = advice(examination.other_copies);
        finding
    };
    findings.push(finding);
}
