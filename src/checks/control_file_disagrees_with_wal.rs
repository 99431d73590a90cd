//! Pg_control and the WAL tell different stories.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::checkpoint::CheckPoint;
use crate::format::types::FullTransactionId;

check! {
    /// ## What it means
    /// Pg_control and the WAL tell different stories.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "control-file-disagrees-with-wal" Damage Ctl: "pg_control and the WAL tell different stories"
}

/// The checkpoint record that `pg_control` names must say what `pg_control`'s copy says.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(control), Some(run)) =
        (examination.cluster.sound_control(), examination.recovery)
    else {
        return;
    };
    let (Some(in_wal), false, false) = (run.check_point, run.from_backup_label, run.used_previous)
    else {
        return;
    };
    let copy = control.check_point_copy;
    // During recovery the copy's next transaction follows later checkpoints (xlog.c:
    // xlog_redo), and 19 updates two settings in it on their own.
    let comparable = |point: &CheckPoint| CheckPoint {
        next_full_xid: FullTransactionId::default(),
        logical_decoding_enabled: None,
        data_checksum_state: None,
        ..*point
    };
    if comparable(&copy) == comparable(&in_wal) && copy.next_full_xid >= in_wal.next_full_xid {
        return;
    }
    let message = format!(
        "the checkpoint record at {} says redo {}, next XID {}, timeline {}; pg_control's copy \
         says redo {}, next XID {}, timeline {}",
        run.checkpoint_lsn,
        in_wal.redo,
        in_wal.next_full_xid,
        in_wal.this_time_line_id,
        copy.redo,
        copy.next_full_xid,
        copy.this_time_line_id
    );
    let location = Location::file("global/pg_control").at_lsn(run.checkpoint_lsn);
    findings.push(Finding::new(&CHECK, location, message));
}
