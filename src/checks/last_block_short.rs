//! The last block of a file is cut short.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// The last block of a file is cut short.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
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
                .found_expected(size, size.next_multiple_of(blcksz))
                .server_error(format!(
                    "could not read block {block} in file \"{path}\": read only {} of {blcksz} bytes",
                    size % blcksz
                ));
            findings.push(finding);
        }
    }
}
