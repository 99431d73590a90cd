//! The last block of a file is cut short.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// The file does not end at a block boundary: its last 8 kB block is there only in part.
    /// The server rounds down and does not look at the rest. Sequential scans, `count(*)` and
    /// `pg_dump` leave out the rows of that block without a word (measured on 10 and 18: 100
    /// bytes cut off made 96 rows vanish), while an index scan that wants one of them fails:
    /// `could not read block 51 in file "base/16384/16405": read only 8092 of 8192 bytes` (17
    /// and later `could not read blocks 51..51`). When the table grows, the next new block is
    /// written over the rest. `pg_checksums` stops at such a file.
    ///
    /// ## How it is decided
    /// The length of the file must be a multiple of the block size (`md.c: _mdnblocks`
    /// ignores the remainder). A finding `heals` when WAL replay makes this block anew,
    /// truncates or drops the relation, or resets it (unlogged, temporary).
    ///
    /// ## What else may cause it
    /// A crash or a full disk in the middle of extending the table: then the block never held
    /// committed rows and replay writes what is due; so after a crash this is often nothing.
    /// Without WAL that covers the block: a copy that was cut off, a file system that lost
    /// the end of the file, an upload in parts that was not complete.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, above all before anything is
    /// inserted into this table: the next extension overwrites the remains.
    ///
    /// If the finding does not heal, fetch the block from a backup or standby, or restore.
    /// The rows near the end of a block, which are the older ones, were cut off; the newer
    /// ones still are in the part that is left, and `pg_filedump` may show them. In a copy,
    /// padding the file with zeroes to a full block makes the server read it, though without
    /// the cut-off rows (with checksums on it refuses: `invalid page in block`). An index
    /// needs only REINDEX.
    "last-block-short" Damage Page: "the last block of a file is cut short"
}

/// A relation's file is a whole number of blocks long; the server leaves the rest of a block
/// out of account (`md.c: _mdnblocks`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(context) = examination.scan else { return };
    let layout = &context.layout;
    let blcksz = u64::from(layout.blcksz);
    for fork in examination.forks {
        for (segment, (_, size)) in fork.segments.iter().filter(|(_, (_, s))| s % blcksz != 0) {
            let in_segment = u32::try_from(size / blcksz).unwrap_or(0);
            let block = segment.saturating_mul(layout.relseg_size).saturating_add(in_segment);
            let path = fork.segment_path(*segment);
            let message = format!("the file ends with {} of {blcksz} bytes of a block", size % blcksz);
            let location = Location {
                block: Some(block),
                byte_offset: Some(u64::from(in_segment) * blcksz),
                relation: Some((fork.locator, fork.fork, *segment)),
                ..Location::file(&path)
            };
            let finding = Finding::new(&CHECK, location, message)
                .recovery(context.fate(fork, block))
                .found_expected(size, size.next_multiple_of(blcksz));
            findings.push(finding);
        }
    }
}
