//! The timelines: each with its parent, the WAL there is of it, and what is missing.

use super::TimelineSummary;
use super::printer::{Paint, Printer};
use super::units::{count, thousands};
use crate::format::types::{TimeLineID, XLogRecPtr};
use serde::Serialize;
use std::io;

/// Runs of segments in a line.
const MAX_RANGES: usize = 4;

/// Prints a line or two for each timeline.
pub(super) fn write_text<W: io::Write>(
    out: &mut Printer<W>,
    timelines: &[TimelineSummary],
) -> io::Result<()> {
    let digits = timelines.iter().map(|wal| wal.tli.to_string().len()).max();
    let digits = digits.unwrap_or(1);
    for wal in timelines {
        let lead = format!("{:>digits$}   ", wal.tli);
        let hang = 2 + lead.len();
        let text = match branch(wal) {
            Some(branch) => format!("{branch}; {}", ranges(wal)),
            None => ranges(wal),
        };
        out.entry(2, hang, Paint::Bold, &lead, &text)?;
        if !wal.gaps.is_empty() {
            out.entry(hang, hang + 2, Paint::Red, "missing: ", &gaps(wal))?;
        }
    }
    Ok(())
}

/// `from 1 at 0/5004020`.
fn branch(wal: &TimelineSummary) -> Option<String> {
    let parent = wal.parent?;
    Some(match wal.switch_lsn {
        Some(switch) => format!("from\u{a0}{parent} at\u{a0}{switch}"),
        None => format!("from\u{a0}{parent}"),
    })
}

fn ranges(wal: &TimelineSummary) -> String {
    let mut parts: Vec<String> = wal
        .ranges
        .iter()
        .take(MAX_RANGES)
        .map(|(from, to, segments)| {
            let segments = count(*segments, "segment");
            format!("{from}\u{a0}to\u{a0}{to} ({segments})")
        })
        .collect();
    let more = wal.ranges.len().saturating_sub(MAX_RANGES);
    if more > 0 {
        parts.push(format!("and {} more", thousands(more as u64)));
    }
    match parts.is_empty() {
        true => "no WAL of it here".to_owned(),
        false => format!("WAL\u{a0}{}", parts.join(", ")),
    }
}

fn gaps(wal: &TimelineSummary) -> String {
    let mut parts: Vec<String> = wal
        .gaps
        .iter()
        .take(MAX_RANGES)
        .map(|(first, last, segments)| match segments {
            1 => first.to_string(),
            n => format!("{first} to {last} ({})", count(*n, "segment")),
        })
        .collect();
    let more = wal.gaps.len().saturating_sub(MAX_RANGES);
    if more > 0 {
        parts.push(format!("and {} more", thousands(more as u64)));
    }
    parts.join(", ")
}

/// A timeline in a JSON report.
#[derive(Serialize)]
pub(super) struct TimelineV1 {
    tli: TimeLineID,
    parent: Option<TimeLineID>,
    switch_lsn: Option<String>,
    ranges: Vec<RangeV1>,
    gaps: Vec<GapV1>,
}

#[derive(Serialize)]
struct RangeV1 {
    from_lsn: String,
    to_lsn: String,
    segments: u64,
}

#[derive(Serialize)]
struct GapV1 {
    first: String,
    last: String,
    segments: u64,
}

impl TimelineV1 {
    pub(super) fn new(wal: &TimelineSummary) -> Self {
        let ranges = wal.ranges.iter().map(|(from, to, segments)| RangeV1 {
            from_lsn: from.to_string(),
            to_lsn: to.to_string(),
            segments: *segments,
        });
        let gaps = wal.gaps.iter().map(|(first, last, segments)| GapV1 {
            first: first.to_string(),
            last: last.to_string(),
            segments: *segments,
        });
        Self {
            tli: wal.tli,
            parent: wal.parent,
            switch_lsn: wal.switch_lsn.as_ref().map(XLogRecPtr::to_string),
            ranges: ranges.collect(),
            gaps: gaps.collect(),
        }
    }
}
