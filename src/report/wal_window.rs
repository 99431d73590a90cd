//! From where to where recovery can go, as text and as JSON.

use super::json::escape_unsafe;
use super::printer::{Paint, Printer};
use super::units::{count, plain_time, rfc_3339};
use super::wal_dump::stop_text;
use crate::format::types::XLogRecPtr;
use crate::format::version::{Layout, Major};
use crate::format::wal::lsn_text;
use crate::recovery::window::{Commit, Consistency, Reach, Window, beyond_the_end};
use serde::Serialize;
use std::io;

/// What the server says of a target that comes before the consistent point.
const BEFORE: &str = "FATAL: requested recovery stop point is before consistent recovery point";

fn consistency_text(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::Clean => "the shutdown",
        Consistency::BackupEnd(_) => "the end of the base backup",
        Consistency::MinRecoveryPoint(_) => "the minimum recovery point",
        Consistency::EndOfOwnWal(_) => "the end of the crash recovery with its own WAL",
    }
}

fn commit_text(layout: Layout, commit: Commit) -> String {
    let time = plain_time(commit.time).unwrap_or_else(|| "at no time".to_owned());
    let lsn = lsn_text(layout.version, commit.lsn);
    format!("{time}, transaction {} at {lsn}", commit.xid)
}

fn end_text(layout: Layout, reach: &Reach) -> String {
    match &reach.stop {
        Some(stop) => stop_text(layout, stop),
        None => "the WAL ends".to_owned(),
    }
}

/// `after 2 up to 0/142C6A8, after 1 up to 0/132E988`
fn ancestry(layout: Layout, reach: &Reach) -> String {
    let mut parts = Vec::new();
    for entry in reach.timelines.entries().iter().skip(1) {
        parts.push(match entry.end {
            Some(end) => format!("{} up to {}", entry.tli, lsn_text(layout.version, end)),
            None => entry.tli.to_string(),
        });
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!(", after {}", parts.join(", "))
    }
}

/// Prints it for people.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_text<W: io::Write>(
    out: W,
    window: &Window,
    width: usize,
    colour: bool,
) -> io::Result<()> {
    let layout = window.layout;
    let lsn = |lsn: XLogRecPtr| lsn_text(layout.version, lsn);
    let mut printer = Printer::new(out, width, colour);
    let what = if window.from_backup_label {
        "base backup"
    } else {
        "data directory"
    };
    let head = format!(
        "PostgreSQL {} · {what} on timeline {}, redo from {}",
        layout.version.major,
        window.own,
        lsn(window.redo)
    );
    printer.entry(0, 2, Paint::Plain, "", &head)?;
    let mut reachable = false;
    for timeline in &window.timelines {
        let reach = match &timeline.reach {
            Ok(reach) => reach,
            Err(refusal) => {
                printer.heading(&format!("Timeline {}", timeline.tli))?;
                printer.entry(
                    2,
                    4,
                    Paint::Red,
                    "cannot be reached",
                    &format!(": {refusal}"),
                )?;
                continue;
            }
        };
        reachable = true;
        let heading = format!("Timeline {}{}", timeline.tli, ancestry(layout, reach));
        printer.heading(&heading)?;
        let why = consistency_text(window.consistency);
        let from = format!("{}, {why}", lsn(reach.earliest));
        printer.entry(2, 12, Paint::Green, "from      ", &from)?;
        let before = match reach.settled {
            Some(commit) => format!("always there: {}", commit_text(layout, commit)),
            None => "no commit in this WAL comes before it".to_owned(),
        };
        printer.entry(12, 12, Paint::Plain, "", &before)?;
        match (reach.first, reach.last) {
            (Some(first), Some(last)) => {
                let text = commit_text(layout, first);
                printer.entry(2, 12, Paint::Plain, "first     ", &text)?;
                let text = commit_text(layout, last);
                printer.entry(2, 12, Paint::Plain, "last      ", &text)?;
                let text = count(reach.commits, "commit");
                printer.entry(2, 12, Paint::Plain, "between   ", &text)?;
            }
            _ => {
                let text = "no commit; what came before needs a base backup to start from";
                printer.entry(2, 12, Paint::Plain, "behind    ", text)?;
            }
        }
        let to = format!("{}: {}", lsn(reach.latest), end_text(layout, reach));
        printer.entry(2, 12, Paint::Green, "to        ", &to)?;
    }
    if !window.without_history.is_empty() {
        printer.blank()?;
        let tlis: Vec<String> = window.without_history.iter().map(u32::to_string).collect();
        let text = format!(
            "there is WAL of timeline {} but no history file, without which it cannot be a \
             recovery_target_timeline",
            tlis.join(", ")
        );
        printer.entry(0, 2, Paint::Yellow, "Note: ", &text)?;
    }
    if reachable {
        printer.blank()?;
        printer.entry(0, 2, Paint::Plain, "A target before \"from\": ", BEFORE)?;
        let text = beyond_the_end(layout.version)
            .unwrap_or("recovery goes up to \"to\" and the server starts, without a word");
        printer.entry(0, 2, Paint::Plain, "A target behind \"to\": ", text)?;
        if !layout.since(Major::V12) && window.timelines.len() > 1 {
            let text = format!(
                "without recovery_target_timeline recovery stays on timeline {}",
                window.own
            );
            printer.entry(0, 2, Paint::Plain, "Before version 12: ", &text)?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct WindowV1 {
    schema: u32,
    version: String,
    timeline: u32,
    from_backup_label: bool,
    redo_lsn: String,
    timelines: Vec<TimelineV1>,
    timelines_without_history: Vec<u32>,
    target_before: &'static str,
    target_beyond: Option<&'static str>,
}

#[derive(Serialize)]
struct TimelineV1 {
    timeline: u32,
    reachable: bool,
    refusal: Option<String>,
    ancestors: Vec<AncestorV1>,
    earliest_lsn: Option<String>,
    earliest_is: Option<&'static str>,
    commit_before: Option<CommitV1>,
    first_commit: Option<CommitV1>,
    last_commit: Option<CommitV1>,
    commits: u64,
    last_completed: Option<String>,
    last_record_lsn: Option<String>,
    latest_lsn: Option<String>,
    stop_reason: Option<String>,
}

#[derive(Serialize)]
struct AncestorV1 {
    timeline: u32,
    left_at: Option<String>,
}

#[derive(Serialize)]
struct CommitV1 {
    xid: u32,
    time: Option<String>,
    lsn: String,
}

fn commit_v1(commit: Commit) -> CommitV1 {
    CommitV1 {
        xid: commit.xid.0,
        time: rfc_3339(commit.time),
        lsn: commit.lsn.to_string(),
    }
}

fn consistency_name(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::Clean => "shutdown",
        Consistency::BackupEnd(_) => "backup_end",
        Consistency::MinRecoveryPoint(_) => "min_recovery_point",
        Consistency::EndOfOwnWal(_) => "end_of_own_wal",
    }
}

/// Prints it for programs: one object, schema 1.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_json<W: io::Write>(mut out: W, window: &Window) -> io::Result<()> {
    let layout = window.layout;
    let timelines = window.timelines.iter().map(|timeline| {
        let reach = timeline.reach.as_ref().ok();
        let ancestors = reach.map_or(Vec::new(), |reach| {
            let entries = reach.timelines.entries().iter().skip(1);
            entries
                .map(|entry| AncestorV1 {
                    timeline: entry.tli,
                    left_at: entry.end.map(|lsn| lsn.to_string()),
                })
                .collect()
        });
        TimelineV1 {
            timeline: timeline.tli,
            reachable: reach.is_some(),
            refusal: timeline.reach.as_ref().err().cloned(),
            ancestors,
            earliest_lsn: reach.map(|reach| reach.earliest.to_string()),
            earliest_is: reach.map(|_| consistency_name(window.consistency)),
            commit_before: reach.and_then(|reach| reach.settled).map(commit_v1),
            first_commit: reach.and_then(|reach| reach.first).map(commit_v1),
            last_commit: reach.and_then(|reach| reach.last).map(commit_v1),
            commits: reach.map_or(0, |reach| reach.commits),
            last_completed: reach
                .and_then(|reach| reach.last_completed)
                .and_then(rfc_3339),
            last_record_lsn: reach
                .and_then(|reach| reach.redo_done)
                .map(|lsn| lsn.to_string()),
            latest_lsn: reach.map(|reach| reach.latest.to_string()),
            stop_reason: reach.map(|reach| end_text(layout, reach)),
        }
    });
    let object = WindowV1 {
        schema: 1,
        version: layout.version.major.to_string(),
        timeline: window.own,
        from_backup_label: window.from_backup_label,
        redo_lsn: window.redo.to_string(),
        timelines: timelines.collect(),
        timelines_without_history: window.without_history.clone(),
        target_before: BEFORE,
        target_beyond: beyond_the_end(layout.version),
    };
    let mut text = serde_json::to_string_pretty(&object)?;
    text.push('\n');
    out.write_all(escape_unsafe(&text).as_bytes())
}
