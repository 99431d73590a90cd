//! A segment before the last one is not full.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// A large table or index is cut into files of 1 GB (131072 blocks of 8 kB), called
    /// segments. A segment before the last is not full, so the numbers of all blocks behind
    /// it lead nowhere. The server takes the end of the short segment for the end of the
    /// relation: sequential scans, `count(*)` and `pg_dump` silently stop there. Index scans
    /// that want a block further on fail: `could not open file "base/16384/16397.2" (target
    /// block 270000): previous segment is only 100 blocks`; older releases have this message
    /// without its second half, or read the later segment all the same.
    ///
    /// ## How it is decided
    /// Every segment but the last must have exactly the segment size that `pg_control` tells
    /// (`md.c: mdnblocks, _mdfd_getseg`). Trailing empty segments are normal. A finding
    /// `heals` when WAL replay truncates or drops the relation, or when it is unlogged or
    /// temporary and reset at start.
    ///
    /// ## What else may cause it
    /// A copy that was cut off or ran into a full disk; a file system that lost the file's
    /// end in a crash; `truncate` or `dd` used by hand; a sparse or incremental copy gone
    /// wrong; a segment of another relation or generation put in its place. A crash in the
    /// middle of TRUNCATE is finished by replay.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and keep writers off this table: new
    /// rows would be put into the short segment, over the place of the lost ones.
    ///
    /// Restore the segment from a backup or standby of the same moment, or all of the
    /// cluster. For an index, REINDEX loses nothing. Filling the segment up with zeroes to 1
    /// GB in a copy makes the later segments readable again, since zero blocks count as empty
    /// (`zero-page`); the rows of the lost blocks stay lost, and constraints must be checked
    /// after the dump.
    "relation-segment-short" Damage Dir: "a segment before the last one is not full"
}

/// Every segment before the last that has any bytes is full (`md.c: _mdfd_getseg`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(context) = examination.scan else { return };
    let layout = &context.layout;
    let full = u64::from(layout.relseg_size) * u64::from(layout.blcksz);
    for fork in examination.forks {
        let Some(last) = fork.segments.iter().rev().find(|(_, (_, size))| *size > 0) else {
            continue;
        };
        for (segment, (_, size)) in fork.segments.range(..last.0).filter(|(_, (_, s))| *s < full) {
            let blocks = u32::try_from(size / u64::from(layout.blcksz)).unwrap_or(0);
            let first_lost = segment.saturating_mul(layout.relseg_size).saturating_add(blocks);
            let path = fork.segment_path(*segment);
            let message = format!(
                "segment {segment} ends after {blocks} of {} blocks although segment {} is there",
                layout.relseg_size, last.0
            );
            let mut location = Location::file(&path).at_byte(*size);
            location.relation = Some((fork.locator, fork.fork, *segment));
            let finding = Finding::new(&CHECK, location, message)
                .recovery(context.fate(fork, first_lost))
                .found_expected(size, full);
            findings.push(finding);
        }
    }
}
