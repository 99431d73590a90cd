//! Replication slot cannot be read.

use crate::check::Examination;
use crate::finding::Findings;
use crate::recovery::gate::files;

use super::bad_files;

check! {
    /// ## What it means
    /// A replication slot keeps WAL and old row versions for a standby or a subscriber. Its state
    /// lies in `pg_replslot/NAME/state`, and this one cannot be read. The server does not start:
    /// PANIC `replication slot file "..." has wrong magic number`, `has unsupported version`, `has
    /// corrupted length`, or `checksum mismatch for replication slot file "..."`; of a folder
    /// without the file, `could not open file "pg_replslot/NAME/state"`. No table is concerned.
    ///
    /// ## How it is decided
    /// Magic number, version, length and CRC, in the order of `slot.c: RestoreSlotFromDisk`.
    /// Folders whose names end with `.tmp` are left from a slot that was being made or dropped,
    /// and the server removes them.
    ///
    /// ## What else may cause it
    /// A crash of the machine on storage that confirms writes it has not made; a backup tool
    /// that copied the folder without its file; a disk that is failing. A directory started by a
    /// server of another major version is told by `version-file-invalid`.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. In the copy move the folder of this slot
    /// away, start, and make the slot anew. A physical standby then goes on if the WAL it needs is
    /// still there, else from an archive. A logical subscriber may have missed changes meanwhile,
    /// so that its tables must be copied again.
    "replication-slot-invalid" Fatal Dir: "a replication slot cannot be read"
}

/// Slots that cannot be restored.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(version) = examination.cluster.version else { return };
    bad_files(&CHECK, files::slots(examination.evidence, version), findings);
}
