//! History file of the control file's timeline is missing.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// The cluster is on a timeline above 1: it was promoted, or recovered to a point in
    /// time. A file such as `00000002.history` in the WAL folder should list the timelines
    /// before. It is not there. A plain start after a crash works, and nothing is said
    /// (measured on 15 and 18), because all WAL it needs is on one timeline. But the server
    /// then believes that this timeline has no ancestors. Archive recovery or a standby that
    /// must cross the switch ends with FATAL `requested timeline 2 is not a child of this
    /// server's history`; a standby that asks for it gets `could not open file
    /// "pg_wal/00000002.history"`; `pg_rewind` finds no common ancestor.
    ///
    /// ## How it is decided
    /// For the timeline of the checkpoint in `pg_control` (and that of `minRecoveryPoint` if
    /// higher), when it is above 1, the file is looked for in the WAL folder and the archives
    /// given, as `timeline.c: readTimeLineHistory` does (`xlog.c` up to 9.2). An absent file
    /// means "no ancestors" to the server, and so it is no error there.
    ///
    /// ## What else may cause it
    /// A clean-up of the WAL folder by hand (the server itself never removes history files
    /// there); a copy that took WAL segments only; a base backup whose WAL folder was left
    /// out: the archive has the file then; `pg_resetwal -l` with a name of a higher timeline
    /// (up to 9.6 `pg_resetxlog -l`): then there never was such a file.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. A start is not endangered by this
    /// alone; if no other finding forbids it, it may go on.
    ///
    /// Fetch the file from the WAL archive, a standby or a backup and put it into `pg_wal`
    /// (`pg_xlog` up to 9.6): it never changes, so any copy is right. For a restore it must
    /// be there before the start, or `restore_command` must be able to fetch it. Take a new
    /// base backup soon: standbys and point-in-time recovery across the switch depend on this
    /// file.
    "timeline-history-missing" Abnormal Wal: "history file of the control file's timeline is missing"
}

/// Every timeline after the first has a history file; without it the server knows no
/// ancestors.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let cluster = examination.cluster;
    let (Some(control), Some(version)) = (cluster.sound_control(), cluster.version) else { return };
    let tli = control.check_point_copy.this_time_line_id;
    if tli < 2 || cluster.histories.contains_key(&tli) {
        return;
    }
    let path = format!("{}/{tli:08X}.history", version.wal_dir());
    let message = format!("there is no history of timeline {tli}: its ancestors are unknown");
    findings.push(Finding::new(&CHECK, Location::file(&path), message));
}
