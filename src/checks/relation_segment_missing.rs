//! A segment in the middle of a relation is missing.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::types::ForkNumber;

check! {
    /// ## What it means
    /// A large table or index is cut into files of 1 GB, called segments: `16397`, `16397.1`,
    /// `16397.2` and so on. One in the middle is absent although a later one exists. The
    /// server counts blocks from the first segment on and takes the first gap for the end. So
    /// sequential scans, `count(*)` and `pg_dump` silently return only what lies before the
    /// gap; some older releases even make an empty file in its place. Whoever reaches a block
    /// behind the gap through an index gets an error: `could not open file
    /// "base/16384/16397.1" (target block 131080): No such file or directory`. New rows may
    /// be put where the gap is.
    ///
    /// ## How it is decided
    /// Segments must follow one another without a hole, as `md.c: mdnblocks` expects.
    /// Trailing segments of length 0 are normal. A finding `heals` when WAL replay drops or
    /// truncates the relation, or when it is unlogged or temporary and reset at start.
    ///
    /// ## What else may cause it
    /// A copy or restore that left out files (size limits, a full disk, files gone while
    /// being copied without backup mode); a removed file; a file system repair, which may
    /// have put it into `lost+found`; two generations of a table in one restore. A crash in
    /// the middle of TRUNCATE or DROP removes segments from the end, and replay finishes
    /// that.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and do not let the server write to
    /// this table: it fills the gap with new rows, and then the old segment fits no more.
    ///
    /// Look for the file in `lost+found`, the backup, the standby; only the same file of the
    /// same moment fits in. For an index, REINDEX is enough and loses nothing. For a table
    /// without a backup, put the later segments aside in a copy, dump what lies before the
    /// gap, then use `pg_filedump` on the later ones; the rows of the missing 1 GB are lost.
    "relation-segment-missing" Damage Dir: "a segment in the middle of a relation is missing"
}

/// Segments are numbered without a gap (`md.c: _mdfd_getseg`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(context) = examination.scan else { return };
    for fork in examination.forks {
        let Some(last) = fork.segments.iter().rev().find(|(_, (_, size))| *size > 0) else {
            continue;
        };
        for segment in (0..*last.0).filter(|n| !fork.segments.contains_key(n)) {
            let first_block = segment.saturating_mul(context.layout.relseg_size);
            let path = fork.segment_path(segment);
            let message = format!(
                "segment {segment} is missing although segment {} is there: {} blocks are lost",
                last.0, context.layout.relseg_size
            );
            let mut location = Location::file(&path);
            location.relation = Some((fork.locator, fork.fork, segment));
            let mut finding =
                Finding::new(&CHECK, location, message).recovery(context.fate(fork, first_block));
            // A later one is not looked for: a scan ends where it should begin (md.c: mdnblocks).
            if segment == 0 && fork.fork == ForkNumber::Main {
                finding = finding.server_error(format!(
                    "could not open file \"{path}\": No such file or directory"
                ));
            }
            findings.push(finding);
        }
    }
}
