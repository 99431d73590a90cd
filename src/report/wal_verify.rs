//! What was found out about a set of WAL segments, as text and as JSON.

use super::json::escape_unsafe;
use super::printer::{Paint, Printer};
use super::units::{count, size, thousands};
use super::wal_dump::stop_text;
use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::wal::{WalGeometry, lsn_text};
use crate::recovery::stop::Stop;
use crate::recovery::verify::{Foreign, TimelineWal, Verification};
use serde::Serialize;
use std::io;

/// Prints it for people.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_text<W: io::Write>(
    out: W,
    verification: &Verification,
    width: usize,
    colour: bool,
) -> io::Result<()> {
    let mut printer = Printer::new(out, width, colour);
    let major = verification.layout.version.major;
    let system = verification.system_identifier;
    let segment = size(u64::from(verification.layout.wal_segsz));
    printer.entry(
        0,
        2,
        Paint::Plain,
        "",
        &format!("PostgreSQL {major} · system {system} · segments of {segment}"),
    )?;
    for wal in &verification.timelines {
        timeline(&mut printer, verification, wal)?;
    }
    if !verification.foreign.is_empty() {
        printer.heading("Foreign segments")?;
        for (path, why) in &verification.foreign {
            let why = foreign_text(*why);
            printer.entry(2, 4, Paint::Yellow, path, &format!(": {why}"))?;
        }
    }
    if !verification.contradictions.is_empty() {
        printer.heading("Copies that contradict each other")?;
        for (path, what) in &verification.contradictions {
            printer.entry(2, 4, Paint::Red, path, &format!(": {what}"))?;
        }
    }
    if !verification.not_examined.is_empty() {
        printer.heading("Not examined")?;
        for (path, reason) in &verification.not_examined {
            printer.entry(2, 4, Paint::Yellow, path, &format!(": {reason}"))?;
        }
    }
    printer.blank()?;
    let paint = if verification.is_sound() {
        Paint::Green
    } else {
        Paint::Red
    };
    let (word, text) = verdict(verification);
    printer.entry(0, 2, paint, word, &format!(": {text}"))
}

fn timeline<W: io::Write>(
    printer: &mut Printer<W>,
    verification: &Verification,
    wal: &TimelineWal,
) -> io::Result<()> {
    let segments = count(wal.segments as u64, "segment");
    let layout = verification.layout;
    let lsn = |lsn: XLogRecPtr| lsn_text(layout.version, lsn);
    let branch = match (wal.parent, wal.switch) {
        (Some(parent), Some(switch)) => format!(", from timeline {parent} at {}", lsn(switch)),
        (Some(parent), None) => format!(", from timeline {parent}"),
        (None, _) => String::new(),
    };
    printer.heading(&format!("Timeline {}, {segments}{branch}", wal.tli))?;
    for (_, line) in in_order(verification, wal) {
        match line {
            Line::Good { start, end, text } => {
                let range = format!("{} to {}, {text}", lsn(start), lsn(end));
                printer.entry(2, 10, Paint::Plain, "good    ", &range)?;
            }
            Line::Gap(text) => printer.entry(2, 10, Paint::Red, "gap     ", &text)?,
            Line::Break(text) => printer.entry(2, 10, Paint::Red, "broken  ", &text)?,
        }
    }
    if let Some(stop) = &wal.end {
        let text = format!("{}: {}", lsn(stop.lsn), stop_text(layout, stop));
        printer.entry(2, 10, Paint::Plain, "ends    ", &text)?;
    }
    if wal.spare > 0 {
        let text = format!("{} behind the end", count(wal.spare, "segment"));
        printer.entry(2, 10, Paint::Plain, "spare   ", &text)?;
    }
    Ok(())
}

enum Line {
    Good {
        start: XLogRecPtr,
        end: XLogRecPtr,
        text: String,
    },
    Gap(String),
    Break(String),
}

/// Good WAL, gaps and breaks by position.
fn in_order(verification: &Verification, wal: &TimelineWal) -> Vec<(XLogRecPtr, Line)> {
    let layout = verification.layout;
    let geometry = WalGeometry::of(&layout);
    let good = wal.good.iter().map(|good| {
        let (start, end) = (good.start, good.end);
        let records = count(good.records, "record");
        let text = format!("{}, {records}", size(good.bytes));
        (start, Line::Good { start, end, text })
    });
    let gaps = wal.gaps.iter().map(|gap| {
        let line = Line::Gap(gap_text(&geometry, wal.tli, *gap));
        (geometry.segment_start(gap.0), line)
    });
    let breaks = wal.breaks.iter().map(|broken| {
        let text = stop_text(layout, &broken.stop);
        let on = match broken.resumed {
            Some(lsn) => format!("goes on at {}", lsn_text(layout.version, lsn)),
            None => "nothing behind it can be read".to_owned(),
        };
        let at = lsn_text(layout.version, broken.stop.lsn);
        (broken.stop.lsn, Line::Break(format!("{at}: {text}; {on}")))
    });
    let mut lines: Vec<(XLogRecPtr, Line)> = good.chain(gaps).chain(breaks).collect();
    lines.sort_by_key(|(lsn, _)| *lsn);
    lines
}

fn gap_text(geometry: &WalGeometry, tli: TimeLineID, gap: (XLogSegNo, XLogSegNo)) -> String {
    let (first, last) = gap;
    let name = geometry.name(tli, first);
    if first == last {
        return format!("{name} is missing");
    }
    let missing = thousands(last.saturating_sub(first).saturating_add(1));
    let end = geometry.name(tli, last);
    format!("{name} to {end} are missing, {missing} segments")
}

fn foreign_text(why: Foreign) -> String {
    match why {
        Foreign::Version(major) => format!("of PostgreSQL {major}"),
        Foreign::SystemIdentifier(found) => format!("of another cluster, system {found}"),
        Foreign::SegmentSize(bytes) => {
            format!("of a cluster with segments of {}", size(u64::from(bytes)))
        }
        Foreign::BlockSize(bytes) => {
            format!("of a build with WAL pages of {}", size(u64::from(bytes)))
        }
    }
}

/// The verdict in a word, and what it rests on.
fn verdict(verification: &Verification) -> (&'static str, String) {
    let sum = |of: &dyn Fn(&TimelineWal) -> u64| verification.timelines.iter().map(of).sum();
    let records: u64 = sum(&|wal| wal.good.iter().map(|good| good.records).sum());
    let bytes: u64 = sum(&|wal| wal.good.iter().map(|good| good.bytes).sum());
    let read = format!("{} of WAL, {}", size(bytes), count(records, "record"));
    if verification.is_sound() {
        return ("SOUND", format!("{read}, without a gap"));
    }
    let mut faults = Vec::new();
    for (n, noun) in [
        (sum(&|wal| wal.breaks.len() as u64), "break"),
        (sum(&|wal| wal.gaps.len() as u64), "gap"),
        (verification.foreign.len() as u64, "foreign segment"),
        (verification.contradictions.len() as u64, "contradiction"),
        (verification.not_examined.len() as u64, "file not examined"),
    ] {
        match (n, noun) {
            (0, _) => {}
            (1, noun) => faults.push(format!("1 {noun}")),
            (n, "file not examined") => faults.push(format!("{} files not examined", thousands(n))),
            (n, noun) => faults.push(count(n, noun)),
        }
    }
    (
        "BROKEN",
        format!("{}; {read} can be read", faults.join(", ")),
    )
}

#[derive(Serialize)]
struct VerificationV1<'a> {
    schema: u32,
    sound: bool,
    version: String,
    system_identifier: String,
    wal_segment_size: u32,
    timelines: Vec<TimelineV1>,
    foreign: Vec<PathV1<'a>>,
    contradictions: Vec<PathV1<'a>>,
    not_examined: Vec<PathV1<'a>>,
}

#[derive(Serialize)]
struct PathV1<'a> {
    path: &'a str,
    reason: String,
}

#[derive(Serialize)]
struct TimelineV1 {
    tli: TimeLineID,
    parent: Option<TimeLineID>,
    switch_lsn: Option<String>,
    segments: usize,
    good: Vec<GoodV1>,
    gaps: Vec<GapV1>,
    breaks: Vec<StopV1>,
    end: Option<StopV1>,
    spare_segments: u64,
}

#[derive(Serialize)]
struct GoodV1 {
    start: String,
    end: String,
    bytes: u64,
    records: u64,
}

#[derive(Serialize)]
struct GapV1 {
    first: String,
    last: String,
}

#[derive(Serialize)]
struct StopV1 {
    lsn: String,
    message: String,
    resumed: Option<String>,
}

/// Prints it for programs: one object, schema 1.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_json<W: io::Write>(mut out: W, verification: &Verification) -> io::Result<()> {
    let path = |path, reason| PathV1 { path, reason };
    let object = VerificationV1 {
        schema: 1,
        sound: verification.is_sound(),
        version: verification.layout.version.major.to_string(),
        system_identifier: verification.system_identifier.to_string(),
        wal_segment_size: verification.layout.wal_segsz,
        timelines: verification
            .timelines
            .iter()
            .map(|wal| timeline_v1(verification, wal))
            .collect(),
        foreign: verification
            .foreign
            .iter()
            .map(|(at, why)| path(at.as_str(), foreign_text(*why)))
            .collect(),
        contradictions: verification
            .contradictions
            .iter()
            .map(|(at, what)| path(at.as_str(), what.clone()))
            .collect(),
        not_examined: verification
            .not_examined
            .iter()
            .map(|(at, reason)| path(at.as_str(), reason.clone()))
            .collect(),
    };
    let mut text = serde_json::to_string_pretty(&object)?;
    text.push('\n');
    out.write_all(escape_unsafe(&text).as_bytes())
}

fn timeline_v1(verification: &Verification, wal: &TimelineWal) -> TimelineV1 {
    let layout = verification.layout;
    let geometry = WalGeometry::of(&layout);
    let name = |segno| geometry.name(wal.tli, segno).to_string();
    let stop = |stop: &Stop, resumed: Option<XLogRecPtr>| StopV1 {
        lsn: stop.lsn.to_string(),
        message: stop_text(layout, stop),
        resumed: resumed.map(|lsn| lsn.to_string()),
    };
    TimelineV1 {
        tli: wal.tli,
        parent: wal.parent,
        switch_lsn: wal.switch.as_ref().map(XLogRecPtr::to_string),
        segments: wal.segments,
        good: wal
            .good
            .iter()
            .map(|good| GoodV1 {
                start: good.start.to_string(),
                end: good.end.to_string(),
                bytes: good.bytes,
                records: good.records,
            })
            .collect(),
        gaps: wal
            .gaps
            .iter()
            .map(|(first, last)| GapV1 {
                first: name(*first),
                last: name(*last),
            })
            .collect(),
        breaks: wal
            .breaks
            .iter()
            .map(|broken| stop(&broken.stop, broken.resumed))
            .collect(),
        end: wal.end.as_ref().map(|end| stop(end, None)),
        spare_segments: wal.spare,
    }
}
