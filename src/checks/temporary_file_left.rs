//! Temporary files of sessions that are no more.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::pgdata::{FileEntry, FileKind};
use crate::report::units::{count, size};

check! {
    /// ## What it means
    /// There are files of temporary relations (`base/16384/t3_16501`, 9.1 and later), or of sorts
    /// and hashes that did not fit into memory (`pgsql_tmp`). Their sessions ended with the
    /// server. The next start removes them, however many they are, before it lets anybody in.
    ///
    /// ## How it is decided
    /// By their names (`fd.c: RemovePgTempFiles, looks_like_temp_rel_name`). What is in them is
    /// not looked at.
    ///
    /// ## What else may cause it
    /// Nothing else: every server that works has some, and a crash or a copy leaves them.
    ///
    /// ## What to do
    /// Nothing. If the disk is full and the server does not start for it, they can be moved away
    /// when no server runs on this directory.
    "temporary-file-left" Note Dir: "temporary files that the next start removes"
}

/// `RemovePgTempFiles` finds nothing to do.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let is_temporary = |entry: &&FileEntry| match entry.kind {
        FileKind::Temporary => true,
        FileKind::Relation(file) => file.temp_backend.is_some(),
        _ => false,
    };
    let files: Vec<&FileEntry> = examination
        .evidence
        .files()
        .iter()
        .filter(|entry| entry.archive.is_none())
        .filter(is_temporary)
        .collect();
    let Some(first) = files.first() else { return };
    let bytes = files.iter().map(|entry| entry.size).sum();
    let message = format!(
        "{}, {}, of sessions that are no more; the first is {}",
        count(files.len() as u64, "file"),
        size(bytes),
        first.path
    );
    findings.push(Finding::new(&CHECK, Location::file(&first.path), message));
}
