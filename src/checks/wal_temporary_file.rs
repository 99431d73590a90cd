//! WAL file was left half made.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::pgdata::FileKind;

check! {
    /// ## What it means
    /// The server makes a new WAL segment under the name `xlogtemp.<pid>`, and what it fetches
    /// from the archive as `RECOVERYXLOG` or `RECOVERYHISTORY`, and renames the file when it
    /// is complete. Such a file is left: the server ended meanwhile. It holds nothing that is
    /// needed, and no record is lost with it. That one of them is there tells what went on at
    /// the end: a new segment was being filled with zeros, which is when a full disk shows
    /// first (PANIC or ERROR `could not write to file "pg_wal/xlogtemp...": No space left on
    /// device`), or a recovery from an archive was cut off.
    ///
    /// ## How it is decided
    /// By the name (`xlog.c: XLogFileInit, XLogFileCopy`; `xlogarchive.c: RestoreArchivedFile`).
    /// The server itself removes `xlogtemp` files at the next start that needs recovery
    /// (`xlog.c: RemoveTempXlogFiles`, 11 and later; up to 10 they stay).
    ///
    /// ## What else may cause it
    /// A copy made of a running server; on Windows, files `<segment>.deleted` that another
    /// program still had open.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, if there are other findings. For this
    /// one alone there is nothing to do; look whether the disk is full before the next start.
    ///
    /// The file can be removed when the server is down, if nobody wants to look into it.
    "wal-temporary-file" Note Wal: "a WAL file was left half made"
}

/// Files that a server had not yet given their names.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    for entry in examination.evidence.files() {
        if entry.archive.is_none() && entry.kind == FileKind::WalTemporary {
            let message = format!("{} bytes, never used under its own name", entry.size);
            findings.push(Finding::new(&CHECK, Location::file(&entry.path), message));
        }
    }
}
