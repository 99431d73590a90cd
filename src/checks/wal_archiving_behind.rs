//! Many WAL files wait to be archived.

use super::archive_status::statuses;
use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::wal::WalGeometry;

check! {
    /// ## What it means
    /// When a WAL segment is full, the server makes a file `archive_status/<segment>.ready`;
    /// when `archive_command` or `archive_library` has stored it, this becomes `.done`. Many
    /// are still `.ready`, so archiving lags behind or fails. These segments lie nowhere but
    /// in this directory: recovery from the archive ends before the first of them, and a
    /// standby that needs the archive stays there. The server neither removes nor reuses
    /// them, so the disk fills, and a full WAL disk ends the server with PANIC `could not
    /// write to file ...: No space left on device`. Its log has `archive command failed with
    /// exit code ...`, once a minute.
    ///
    /// ## How it is decided
    /// The `.ready` files are counted; from eight on they are told, with the first and the
    /// last name: the first is the segment since which nothing was archived. The archiver
    /// takes the oldest first (`pgarch.c: pgarch_readyXlog`), so that fewer are what a crash
    /// at any moment leaves.
    ///
    /// ## What else may cause it
    /// An archive that was out of reach or full; a command that fails at one segment and is
    /// repeated for ever; a burst of writes that the archiver could not follow; a standby of
    /// 9.5 and later with `archive_mode = always`.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else if there are other findings, and these
    /// segments with it: they are the only ones.
    ///
    /// Do not delete segments or `.ready` files to get space: that tears a gap into the
    /// archive. Repair `archive_command` first; the server catches up by itself, also after a
    /// crash. If the disk is full, move other files away.
    "wal-archiving-behind" Note Wal: "many WAL segments wait to be archived"
}

/// As many are no chance of the moment.
const MANY: usize = 8;

/// `.ready` files that have piled up.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(layout) = &examination.cluster.layout else { return };
    let geometry = WalGeometry::of(layout);
    let waiting: Vec<&str> = statuses(examination.evidence, &geometry)
        .filter(|status| status.ready)
        .map(|status| status.name)
        .collect();
    let (Some(first), Some(last)) = (waiting.first(), waiting.last()) else { return };
    if waiting.len() < MANY {
        return;
    }
    let message = format!("{} files wait to be archived, {first} to {last}", waiting.len());
    let directory = format!("{}/archive_status", layout.version.wal_dir());
    findings.push(Finding::new(&CHECK, Location::file(&directory), message));
}
