//! A block inside a relation is all zero.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::finding::{Confidence, Severity};
use crate::format::types::ForkNumber;
use crate::format::vm;
use crate::scan::forks::ForkFiles;

check! {
    /// ## What it means
    /// A block inside a relation is all zero.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "zero-page" Note Page: "a block inside a relation is all zero"
}

/// Blocks of zeroes before the last block that is not.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(context), Some(tally)) = (examination.scan, examination.tally) else { return };
    for (number, counts) in &tally.forks {
        let Some(fork) = examination.forks.get(*number) else { continue };
        let Some(last) = counts.last_nonzero else { continue };
        // The maps may hold pages of zeroes anywhere.
        if fork.fork != ForkNumber::Main {
            continue;
        }
        for block in counts.zero.iter().take_while(|block| *block < last) {
            let segment = block / context.layout.relseg_size;
            let in_segment = u64::from(block % context.layout.relseg_size);
            let location = Location {
                block: Some(block),
                byte_offset: Some(in_segment * u64::from(context.layout.blcksz)),
                relation: Some((fork.locator, fork.fork, segment)),
                ..Location::file(&fork.segment_path(segment))
            };
            let finding = if is_marked_all_visible(examination, fork, block) {
                Finding::new(
                    &CHECK,
                    location,
                    "the block is all zero, yet the visibility map says it holds rows: they are lost",
                )
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
fn is_marked_all_visible(examination: &Examination<'_>, main: &ForkFiles, block: u32) -> bool {
    let Some(layout) = examination.cluster.layout else { return false };
    let map = examination
        .forks
        .iter()
        .find(|f| f.locator == main.locator && f.fork == ForkNumber::Vm && f.temporary == main.temporary);
    let (map_block, place) = vm::locate(block, &layout);
    let Some((file, _)) = map.and_then(|map| map.segments.get(&(map_block / layout.relseg_size)))
    else {
        return false;
    };
    let mut page = vec![0; layout.blcksz as usize];
    let offset = u64::from(map_block % layout.relseg_size) * u64::from(layout.blcksz);
    let read = examination.evidence.file(*file).and_then(|file| file.read_at(&mut page, offset));
    matches!(read, Ok(got) if got == page.len()) && vm::status(&page, place, &layout) & 1 != 0
}
