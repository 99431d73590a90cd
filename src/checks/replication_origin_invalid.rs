//! Replication origins cannot be read.

use crate::check::Examination;
use crate::finding::Findings;
use crate::recovery::gate::files;

use super::bad_files;

check! {
    /// ## What it means
    /// `pg_logical/replorigin_checkpoint` notes how far each subscription has replayed changes of
    /// its publisher (9.5 and later). This one cannot be read, and the server does not start:
    /// PANIC `replication checkpoint has wrong magic ...`, `replication slot checkpoint has wrong
    /// checksum ...`, or `could not read file "pg_logical/replorigin_checkpoint"`. No table is
    /// concerned.
    ///
    /// ## How it is decided
    /// Magic number, whole entries of 16 bytes and a CRC at the end, as in `origin.c:
    /// StartupReplicationOrigin`. Each checkpoint writes the file anew, even where no subscription
    /// was ever made.
    ///
    /// ## What else may cause it
    /// Storage that confirmed writes it had not made when the machine crashed; a copy that was cut
    /// off; a disk that is failing.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If the cluster has no subscriptions, the
    /// file may be removed in a copy: the server starts without it and writes a new one. If it has
    /// some, redo brings back only what the WAL from the last checkpoint on tells of them; others
    /// begin where the publisher's slots stand, and changes may be applied twice or be missing:
    /// compare the tables, or copy them again.
    "replication-origin-invalid" Fatal Dir: "the progress of replication origins cannot be read"
}

/// The one file of all origins.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(version) = examination.cluster.version else { return };
    bad_files(&CHECK, files::origins(examination.evidence, version), findings);
}
