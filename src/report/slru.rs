//! The printers of `pgautopsy slru`.

use super::json::escape_unsafe;
use super::printer::{Paint, Printer};
use super::units::{count, thousands};
use crate::format::slru::Slru;
use crate::slru::{SegmentSummary, SlruSummary, Slrus};
use serde::Serialize;
use std::io;

/// What an entry of it is.
fn entries(slru: Slru) -> &'static str {
    match slru {
        Slru::Xact | Slru::Subtrans | Slru::CommitTs => "transactions",
        Slru::MultiXactOffset => "multixacts",
        Slru::MultiXactMember => "members",
    }
}

/// Prints a table for each SLRU.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_text<W: io::Write>(
    out: W,
    slrus: &Slrus,
    width: usize,
    colour: bool,
) -> io::Result<()> {
    let mut out = Printer::new(out, width, colour);
    let version = match slrus.version {
        Some(version) => format!("PostgreSQL {}", version.major),
        None => "a version that cannot be told".to_owned(),
    };
    let text = format!("   {version}; what is on disk, and what is needed once replay is done");
    out.entry(0, 2, Paint::Bold, &slrus.path, &text)?;
    for slru in &slrus.slrus {
        one(&mut out, slru)?;
    }
    Ok(())
}

fn one<W: io::Write>(out: &mut Printer<W>, slru: &SlruSummary) -> io::Result<()> {
    out.blank()?;
    let noun = entries(slru.slru);
    let needed = match slru.needed {
        _ if slru.slru == Slru::Subtrans => {
            "   made anew at each start: nothing of it is needed".to_owned()
        }
        Some(needed) if needed.oldest == needed.next => format!("   no {noun} needed"),
        Some(needed) => format!(
            "   {noun} {} up to the next, {}, needed",
            needed.oldest, needed.next
        ),
        None if slru.slru == Slru::CommitTs => "   not kept, or not known".to_owned(),
        None => format!("   it is not known which {noun} are needed"),
    };
    out.entry(0, 2, Paint::Bold, slru.directory, &needed)?;
    for (first, last, segments) in &slru.missing {
        let text = match segments {
            1 => first.clone(),
            n => format!("{first} to {last} ({})", count(*n, "segment")),
        };
        out.entry(2, 4, Paint::Red, "missing   ", &text)?;
    }
    for text in &slru.unreadable {
        out.entry(2, 4, Paint::Red, "unreadable   ", text)?;
    }
    if slru.segments.is_empty() {
        return out.entry(2, 2, Paint::Plain, "", "no segments");
    }
    let names = slru.segments.iter().map(|segment| segment.name.len()).max();
    let names = names.unwrap_or(0).max("segment".len());
    let mut head = format!("{:names$}  pages  zero", "segment");
    if slru.slru == Slru::Xact {
        head.push_str("  in progress    committed      aborted  sub-committed");
    }
    out.verbatim(2, &head)?;
    for segment in &slru.segments {
        out.verbatim(2, &line(segment, names))?;
    }
    Ok(())
}

fn line(segment: &SegmentSummary, names: usize) -> String {
    let mut line = format!(
        "{:names$}  {:5}  {:4}",
        segment.name, segment.pages, segment.zero_pages
    );
    if let Some([in_progress, committed, aborted, sub_committed]) = segment.statuses {
        line.push_str(&format!(
            "  {:>11}  {:>11}  {:>11}  {:>13}",
            thousands(in_progress),
            thousands(committed),
            thousands(aborted),
            thousands(sub_committed)
        ));
    }
    if segment.lacking_pages > 0 {
        let pages = count(segment.lacking_pages.into(), "page");
        line.push_str(&format!("  lacks {}", pages.replace('\u{a0}', " ")));
    } else if segment.needed == Some(false) {
        line.push_str("  not needed");
    }
    line
}

#[derive(Serialize)]
struct SlrusV1<'a> {
    schema: u32,
    data_directory: &'a str,
    version: Option<String>,
    slrus: Vec<SlruV1<'a>>,
}

#[derive(Serialize)]
struct SlruV1<'a> {
    directory: &'a str,
    entries: &'a str,
    oldest: Option<u64>,
    next: Option<u64>,
    missing: Vec<MissingV1<'a>>,
    not_examined: &'a [String],
    segments: Vec<SegmentV1<'a>>,
}

#[derive(Serialize)]
struct MissingV1<'a> {
    first: &'a str,
    last: &'a str,
    segments: u64,
}

#[derive(Serialize)]
struct SegmentV1<'a> {
    name: &'a str,
    bytes: u64,
    pages: u32,
    zero_pages: u32,
    needed: Option<bool>,
    lacking_pages: u32,
    statuses: Option<StatusesV1>,
}

#[derive(Serialize)]
struct StatusesV1 {
    in_progress: u64,
    committed: u64,
    aborted: u64,
    sub_committed: u64,
}

fn slru_v1(slru: &SlruSummary) -> SlruV1<'_> {
    let missing = slru
        .missing
        .iter()
        .map(|(first, last, segments)| MissingV1 {
            first,
            last,
            segments: *segments,
        });
    SlruV1 {
        directory: slru.directory,
        entries: entries(slru.slru),
        oldest: slru.needed.map(|needed| needed.oldest),
        next: slru.needed.map(|needed| needed.next),
        missing: missing.collect(),
        not_examined: &slru.unreadable,
        segments: slru.segments.iter().map(segment_v1).collect(),
    }
}

fn segment_v1(segment: &SegmentSummary) -> SegmentV1<'_> {
    let statuses = |[in_progress, committed, aborted, sub_committed]: [u64; 4]| StatusesV1 {
        in_progress,
        committed,
        aborted,
        sub_committed,
    };
    SegmentV1 {
        name: &segment.name,
        bytes: segment.bytes,
        pages: segment.pages,
        zero_pages: segment.zero_pages,
        needed: segment.needed,
        lacking_pages: segment.lacking_pages,
        statuses: segment.statuses.map(statuses),
    }
}

/// Prints one JSON object.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_json<W: io::Write>(mut out: W, slrus: &Slrus) -> io::Result<()> {
    let object = SlrusV1 {
        schema: 1,
        data_directory: &slrus.path,
        version: slrus.version.map(|version| version.major.to_string()),
        slrus: slrus.slrus.iter().map(slru_v1).collect(),
    };
    let mut text = serde_json::to_string_pretty(&object)?;
    text.push('\n');
    out.write_all(escape_unsafe(&text).as_bytes())
}
