//! A block inside a relation is all zero.

use crate::check::Examination;
use crate::finding::{Finding, Findings};
use crate::finding::{Confidence, Severity};
use crate::format::types::ForkNumber;
use crate::scan::forks::sibling;

check! {
    /// ## What it means
    /// A block inside a table or index is zero throughout. In most cases that is in order: a
    /// table grows by empty blocks first, and a crash may come before they are filled. Scans
    /// skip such a block as empty, and later it is used (VACUUM up to 11 warns `relation
    /// "..." page N is uninitialized --- fixing`, later ones are silent). But rows that once
    /// were there vanish without any error too, since a checksum is not kept for a zero page.
    ///
    /// In an index it is an error as soon as a search gets there: `index "..." contains
    /// unexpected zero page at block N`, with the hint to REINDEX. And if the WAL to be
    /// replayed changes such a block without making it anew, replay warns `page N of relation
    /// ... is uninitialized` and ends in PANIC `WAL contains references to invalid pages`.
    ///
    /// ## How it is decided
    /// All 8192 bytes are zero (`bufpage.c: PageIsVerified` accepts that in every version).
    /// It is a note; it becomes damage when the visibility map, the file `_vm` beside the
    /// table, says that all rows in this block are visible to everyone: the server never sets
    /// that for a block without a header, so rows were there. It is damage, too, when WAL
    /// from before the redo point, as far as it is still there, filled the block and did not
    /// cut the relation afterwards.
    ///
    /// ## What else may cause it
    /// `zero_damaged_pages = on` at some earlier time, which throws damaged pages away for
    /// good; a disk or SSD that lost a write or was trimmed; a sparse copy, a file system or
    /// virtual disk after a power failure; a restore of changed blocks only that left holes.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. For a plain note nothing more is
    /// needed.
    ///
    /// If it is damage, count the rows of this table against a backup, a standby or a
    /// foreign key, and take the block from there: nothing of it is left here. Look where the
    /// zero blocks begin and end: ranges that are a multiple of the disk's or the storage's
    /// unit point to the hardware. For an index, REINDEX loses nothing.
    "zero-page" Note Page: "a block inside a relation is all zero"
}

/// Blocks of zeroes before the last block that is not, and those behind it that once held
/// rows: the visibility map is cut before the relation is.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(context), Some(tally)) = (examination.scan, examination.tally) else { return };
    for (number, counts) in &tally.forks {
        let Some(fork) = examination.forks.get(*number) else { continue };
        // The maps may hold pages of zeroes anywhere.
        if fork.fork != ForkNumber::Main {
            continue;
        }
        for block in &counts.zero {
            let is_last = counts.last_nonzero.is_none_or(|last| block > last);
            let held_rows = is_marked_all_visible(examination, *number, block);
            let written = examination
                .survey
                .and_then(|survey| survey.written.pages(fork.locator)?.get(&block));
            if is_last && !held_rows && written.is_none() {
                continue;
            }
            let location = fork.location(block, &context.layout);
            let finding = if held_rows {
                Finding::new(
                    &CHECK,
                    location,
                    "the block is all zero, yet the visibility map says it holds rows: they are lost",
                )
                .severity(Severity::Damage)
                .confidence(Confidence::Likely)
            } else if let Some(written) = written {
                let message = format!(
                    "the block is all zero, yet WAL up to {written}, before the redo point, \
                     filled it: what it held is lost"
                );
                Finding::new(&CHECK, location, message)
                    .severity(Severity::Damage)
                    .confidence(Confidence::Likely)
            } else {
                Finding::new(&CHECK, location, "the block is all zero, as after a crash")
            };
            findings.push(finding.recovery(context.fate(fork, block)));
        }
    }
}

/// Whether the visibility map on disk marks a heap block: only one with tuples ever is.
fn is_marked_all_visible(examination: &Examination<'_>, main: usize, block: u32) -> bool {
    let map = sibling(examination.forks, main, ForkNumber::Vm);
    let counts = map.and_then(|map| examination.tally?.forks.get(&map));
    counts.is_some_and(|counts| counts.all_visible.contains(block))
}
