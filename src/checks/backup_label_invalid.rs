//! Backup_label cannot be understood.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::cluster::Fact;

check! {
    /// ## What it means
    /// `backup_label` is the slip of paper in a base backup that says at which checkpoint its
    /// recovery must start. When the file is there, the server goes by it and not by
    /// `pg_control`. This one cannot be read, or contradicts the rest, so the server does not
    /// start: FATAL `invalid data in file "backup_label"`, FATAL `backup_label contains data
    /// inconsistent with control file`, or from 17 on FATAL `this is an incremental backup,
    /// not a data directory`.
    ///
    /// ## How it is decided
    /// The first two lines (START WAL LOCATION, CHECKPOINT LOCATION) must match exactly, and
    /// START TIMELINE (11 and later) must agree with the WAL file name in the first line: the
    /// rule of `xlog.c: read_backup_label` (`xlogrecovery.c` from 15 on). An INCREMENTAL FROM
    /// line, 17 and later, means that `pg_combinebackup` has yet to make a full backup of it.
    ///
    /// ## What else may cause it
    /// A file edited or cut off; line ends changed by Windows or by a mail program (a
    /// carriage return is enough); a label of another backup copied in; a script that wrote
    /// the output of `pg_stop_backup` (`pg_backup_stop`) with a header or quotes around it;
    /// up to 14, a label left in the directory of a live server by a crash during an
    /// exclusive backup.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If this is a restored backup, get
    /// the label from the backup again, byte for byte, and restore with its WAL archive.
    ///
    /// Do not delete `backup_label` of a restored backup, even where a HINT of the server
    /// suggests it (that HINT is meant for a server that crashed during an exclusive backup).
    /// Without it recovery starts too late, at the checkpoint of `pg_control`, skips WAL that
    /// the copied files need, and the server runs on tables that are silently damaged. Only
    /// when this directory is the original server's own, 14 or older, and was never restored,
    /// may the label be moved away.
    "backup-label-invalid" Fatal Dir: "backup_label cannot be understood"
}

/// `xlog.c: read_backup_label`; from 15 on `xlogrecovery.c`.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (message, error) = match &examination.cluster.backup_label {
        Fact::Missing => return,
        Fact::Unreadable(error) => (format!("backup_label cannot be read: {error}"), None),
        Fact::Malformed(malformed) => (
            malformed.to_string(),
            Some("invalid data in file \"backup_label\"".to_owned()),
        ),
        Fact::Present(label) => {
            match examination.cluster.version.and_then(|version| label.refusal(version)) {
                Some(refusal) => {
                    (refusal.detail.unwrap_or_else(|| refusal.message.clone()), Some(refusal.message))
                }
                None => return,
            }
        }
    };
    let mut finding = Finding::new(&CHECK, Location::file("backup_label"), message);
    finding.server_error = error;
    findings.push(finding);
}
