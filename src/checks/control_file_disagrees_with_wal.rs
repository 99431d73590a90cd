//! Pg_control and the WAL tell different stories.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::checkpoint::CheckPoint;
use crate::format::types::FullTransactionId;

check! {
    /// ## What it means
    /// A checkpoint is written twice: as a record in the WAL (the write-ahead log), and as a
    /// copy in `global/pg_control` together with the record's position. Here the record at
    /// that position says something else than the copy. So one of the two is not of this
    /// moment or not of this cluster. The server compares hardly anything: it takes what the
    /// WAL record says and starts without a word, with counters that may be too old.
    /// Transaction numbers are then given out twice, and rows appear or vanish without any
    /// error.
    ///
    /// ## How it is decided
    /// The record at `pg_control`'s `checkPoint` is read and compared field by field with
    /// `checkPointCopy`: redo position, timeline, next transaction, OID, multixact, oldest
    /// transaction, time. The server writes both from one structure (`xlog.c:
    /// CreateCheckPoint`), so they are equal byte for byte. A standby's `pg_control` names a
    /// replayed checkpoint (`xlog.c: CreateRestartPoint`) and must agree as well. Nor may the
    /// record be newer or older than the state in `pg_control` allows.
    ///
    /// ## What else may cause it
    /// `pg_control` from another day or another machine; WAL files copied in from a sibling
    /// (a promoted standby and its old primary share the system identifier, so nothing else
    /// warns); a directory copied while running without backup mode, `pg_control` last; a
    /// storage snapshot that is not of one moment; a disk that lost a write it had confirmed.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Then find out which part is foreign:
    /// compare the file times of `pg_control` and the WAL, and the timeline and segment names
    /// in the report.
    ///
    /// If this is the restore of a base backup, start it with its `backup_label` and its WAL
    /// archive; with them the position in `pg_control` does not matter. If the WAL was copied
    /// in, put back this cluster's own. Otherwise use a backup or standby. `pg_resetwal`
    /// (`pg_resetxlog` up to 9.6) only hides the contradiction and discards the WAL.
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
