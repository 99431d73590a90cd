//! A segment is longer than segments may be.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// A large table or index is cut into files of 1 GB (131072 blocks of 8 kB), called
    /// segments. This file is longer than one. Its first 131072 blocks are in their places, and
    /// nothing can reach what lies behind them; but whoever asks how long the relation is ends
    /// with FATAL `segment too big`: sequential scans, `pg_dump`, VACUUM, and also replay of a
    /// record that adds to it, and with it the start.
    ///
    /// ## How it is decided
    /// No segment may have more than the blocks that `pg_control` tells (`md.c: mdnblocks`).
    /// Blocks behind those are not looked at. A finding `heals` when WAL replay drops the
    /// relation, or when it is unlogged or temporary and reset at start.
    ///
    /// ## What else may cause it
    /// Segments joined by hand (`cat 16397 16397.1`), or a copying tool that did so; `dd` or
    /// `truncate` with a wrong size; a file of a server that was built with larger segments
    /// (`--with-segsize`).
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Look at what lies behind the first
    /// 1 GB: if it is what the next segment has, or zeroes, cut it off in a copy (`truncate -s
    /// 1G`). If the next segment is not there, it may be what lies here: cut the file in two
    /// (`split -b 1G`), and check again. Restore the file from a backup or standby otherwise;
    /// REINDEX an index.
    "relation-segment-too-big" Damage Dir: "a segment is longer than segments may be"
}

/// No segment is longer than a full one.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(context) = examination.scan else { return };
    let layout = &context.layout;
    let full = u64::from(layout.relseg_size) * u64::from(layout.blcksz);
    // Less than a block more goes unnoticed.
    let longest = full + u64::from(layout.blcksz) - 1;
    for fork in examination.forks {
        for (segment, (_, size)) in fork.segments.iter().filter(|(_, (_, size))| *size > longest) {
            let message = format!(
                "segment {segment} has {size} bytes, {} more than a segment may have",
                size - full
            );
            let mut location = Location::file(&fork.segment_path(*segment)).at_byte(full);
            location.relation = Some((fork.locator, fork.fork, *segment));
            let mut finding = Finding::new(&CHECK, location, message)
                .recovery(context.fate_of_fork(fork))
                .found_expected(size, full)
                .server_error("segment too big");
            let cut = format!("in a copy, cut off what lies behind: truncate -s {full}");
            finding.remedy = Some(cut);
            findings.push(finding);
        }
    }
}
