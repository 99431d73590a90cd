//! Postmaster.pid is empty.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::recovery::gate::{self, LOCK_FILE};

check! {
    /// ## What it means
    /// `postmaster.pid` is the lock of a running server. This one is empty, so it names no server,
    /// and a start ends with FATAL `lock file "postmaster.pid" is empty` (9.3 and later; up to 9.2
    /// `bogus data in lock file`). Data are not touched by it.
    ///
    /// ## How it is decided
    /// The file has no bytes (`miscinit.c: CreateLockFile`). A file that names a process is not
    /// reported: whether that process lives cannot be told from files.
    ///
    /// ## What else may cause it
    /// A server that is starting just now; a machine that crashed, or a disk that was full, at the
    /// moment of a start. A copy or backup tool that did not read the file's content.
    ///
    /// ## What to do
    /// Make sure that no server runs on this directory, here or on any other machine that can
    /// mount it: look for `postgres` processes and for open files in it. Then remove
    /// `postmaster.pid`. Two servers on one directory destroy it.
    "lock-file-empty" Fatal Dir: "postmaster.pid is empty"
}

/// `postmaster.pid` without a byte.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    if !gate::has_empty_lock_file(examination.evidence) {
        return;
    }
    let message = "it names no server, and a start takes it for a lock";
    let finding = Finding::new(&CHECK, Location::file(LOCK_FILE), message.to_owned());
    findings.push(finding.server_error("lock file \"postmaster.pid\" is empty".to_owned()));
}
