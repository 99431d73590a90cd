//! Tablespace_map cannot be read.

use crate::check::Examination;
use crate::finding::Findings;
use crate::recovery::gate::files;

use super::bad_files;
use crate::cluster::Fact;

check! {
    /// ## What it means
    /// A base backup with tablespaces comes with `tablespace_map` (9.5 and later), a text file that
    /// says where each link in `pg_tblspc` must point. When the server starts from `backup_label`
    /// it makes the links anew from it. This map cannot be read: FATAL `invalid data in file
    /// "tablespace_map"`.
    ///
    /// ## How it is decided
    /// As in `xlogrecovery.c: read_tablespace_map` (up to 14 `xlog.c`): each line holds a number, a
    /// blank and a path, and the last line has its end. Where there is no `backup_label` the server
    /// moves the map out of the way unread; then nothing is reported.
    ///
    /// ## What else may cause it
    /// An upload or download that was cut off; an edit by hand, as when a path was changed for
    /// another machine; line ends changed on the way.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Take the file from the backup again, or
    /// write it: one line `OID PATH` for each tablespace, with a newline at the end. The OIDs are
    /// the names of the tar files of the backup, or of the entries in `pg_tblspc`. Do not remove
    /// `backup_label` to get past it: the server then starts from a later checkpoint, and the
    /// cluster is corrupt without a word.
    "tablespace-map-invalid" Fatal Dir: "tablespace_map cannot be read"
}

/// The map beside a `backup_label`.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let cluster = examination.cluster;
    let Some(version) = cluster.version else { return };
    if !matches!(cluster.backup_label, Fact::Missing) {
        bad_files(&CHECK, files::tablespace_map(examination.evidence, version), findings);
    }
}
