//! A WAL file waits to be archived that is not there.

use super::archive_status::statuses;
use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::wal::WalGeometry;

check! {
    /// ## What it means
    /// `archive_status` has a `.ready` file for a WAL segment, history or backup file that is
    /// not in the WAL folder: it waits to be archived, and cannot be. A server that has waited
    /// for archiving never removes such a segment itself, so somebody else has, or a crash
    /// came between the removal of the two files. Up to 12 `archive_command` is run for it
    /// and fails for ever, and nothing behind it is archived. Later servers, and the last
    /// releases of the earlier ones, log WARNING `removed orphan archive status file "..."`
    /// and go on.
    ///
    /// ## How it is decided
    /// For each `<name>.ready` the file `<name>` is looked for in the WAL folder
    /// (`pgarch.c: pgarch_ArchiverCopyLoop`). That the archive has the file is no excuse: the
    /// `.ready` would be a `.done` then.
    ///
    /// ## What else may cause it
    /// Segments deleted by hand or by a script to free space, which is how most gaps in
    /// archives come about; `pg_resetwal` (`pg_resetxlog` up to 9.6); a crash of the machine,
    /// as the removal of the status file is not made durable; a copy of the directory without
    /// all of its WAL.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If the segment is needed by the next
    /// start, `wal-segment-missing` or `checkpoint-record-unreadable` says so.
    ///
    /// Look for the file in the archive and on standbys. If the archive lacks it, take a new
    /// base backup as soon as the server runs: recovery from the older ones ends at this gap.
    /// Then the `.ready` file can be removed.
    "archive-status-orphaned" Note Wal: "a WAL file waits to be archived that is not there"
}

/// `.ready` files without what they are about.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(layout) = &examination.cluster.layout else { return };
    let directory = layout.version.wal_dir();
    for status in statuses(examination.evidence, &WalGeometry::of(layout)) {
        let path = format!("{directory}/{}", status.name);
        if status.ready && examination.evidence.by_path(&path).is_none() {
            let path = format!("{directory}/archive_status/{}.ready", status.name);
            let message = format!("{} is not in {directory}", status.name);
            findings.push(Finding::new(&CHECK, Location::file(&path), message));
        }
    }
}
