//! What the server's messages mean and what the evidence answers to them: for
//! `pgautopsy explain`, and for `docs/messages.md`.

use super::Report;
use super::printer::{Paint, Printer};
use super::units::{count, thousands};
use crate::messages::answer::answer;
use crate::messages::log::{Family, LogPlace, LogSummary, Sighting};
use crate::messages::{Consequence, MESSAGES, Message, Recognised, Value, Wording};
use std::fmt::Write as _;
use std::io;

/// Messages of one family that are printed.
const MAX_SHOWN: usize = 8;

/// Prints the explanation of one message, with the values read from it.
///
/// # Errors
/// When `out` cannot be written.
pub fn write<W: io::Write>(
    out: W,
    message: &Message,
    recognised: Option<&Recognised>,
    width: usize,
    colour: bool,
) -> io::Result<()> {
    let mut out = Printer::new(out, width, colour);
    let wording = recognised.map(|recognised| recognised.wording);
    let wording = wording.or(message.wordings.first());
    let lead = format!("{}   ", message.id);
    out.entry(
        0,
        2,
        Paint::Bold,
        &lead,
        wording.map_or("", |wording| wording.text),
    )?;
    let versions = wording.map_or(String::new(), versions);
    let kind = format!(
        "PostgreSQL {versions}; {}; {}",
        message.level, message.consequence
    );
    out.entry(0, 2, Paint::Plain, "", &kind)?;
    let values = recognised.map_or(&[][..], |recognised| &recognised.values);
    if !values.is_empty() {
        out.heading("In this message")?;
        let longest = values.iter().map(|value| value.kind.label().len()).max();
        let column = longest.unwrap_or(0) + 3;
        for Value { kind, text } in values {
            let lead = format!("{:column$}", kind.label());
            out.entry(2, column + 2, Paint::Plain, &lead, text)?;
        }
    }
    out.heading("What it means")?;
    out.entry(2, 2, Paint::Plain, "", message.meaning)?;
    if message.consequence > Consequence::Normal {
        out.heading("What decides its cause")?;
        let longest = message.checks.iter().map(|code| code.len()).max();
        let column = longest.unwrap_or(0) + 3;
        for check in message.deciding_checks() {
            let lead = format!("{:column$}", check.code);
            out.entry(2, column + 2, Paint::Plain, &lead, check.summary)?;
        }
        out.entry(
            2,
            2,
            Paint::Plain,
            "",
            if message.checks.is_empty() {
                "No check of pgautopsy: it does not look at that."
            } else {
                "`pgautopsy check PGDATA` runs them, `pgautopsy explain CODE` tells more."
            },
        )?;
    }
    out.heading("What to do first")?;
    out.entry(2, 2, Paint::Plain, "", message.advice)?;
    if !message.avoid.is_empty() {
        out.heading("What not to do")?;
        out.entry(2, 2, Paint::Plain, "", message.avoid)?;
    }
    out.heading("Where it is said")?;
    out.entry(2, 2, Paint::Plain, "", message.source)
}

/// What came of reading a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Finds {
    /// Nothing known and serious.
    Nothing,
    /// Serious messages that no evidence confirms, or none was asked.
    Unconfirmed,
    /// The directory is damaged in the way a message says.
    Confirmed,
}

/// Prints what was found in a log, answered from the report of a directory if there is one.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_log<W: io::Write>(
    out: W,
    log: &LogSummary,
    report: Option<&Report>,
    width: usize,
    colour: bool,
) -> io::Result<Finds> {
    let mut out = Printer::new(out, width, colour);
    let mut finds = Finds::Nothing;
    for family in &log.families {
        let message = family.message;
        let paint = match message.consequence {
            Consequence::StartFails | Consequence::SilentLoss => Paint::Red,
            Consequence::QueryFails | Consequence::GoesOn => Paint::Yellow,
            Consequence::EndOfWal | Consequence::Normal => Paint::Bold,
        };
        let lead = format!("{}   ", message.id);
        out.entry(0, 2, paint, &lead, &message.consequence.to_string())?;
        if message.consequence.is_serious() {
            finds = finds.max(Finds::Unconfirmed);
        }
        for sighting in family.sightings.iter().take(MAX_SHOWN) {
            out.entry(2, 4, Paint::Plain, "", &sighting.recognised.text)?;
            out.entry(4, 6, Paint::Plain, "", &seen(sighting))?;
            let answers = message.consequence > Consequence::Normal && !message.checks.is_empty();
            if let Some(report) = report.filter(|_| answers) {
                let answer = answer(report, &sighting.recognised);
                if answer.confirmed {
                    finds = Finds::Confirmed;
                }
                for line in &answer.lines {
                    out.entry(4, 6, Paint::Bold, "answered: ", line)?;
                }
            }
        }
        let more = family.sightings.len().saturating_sub(MAX_SHOWN) as u64 + family.more;
        if more > 0 {
            let text = format!("and {} more with other values", thousands(more));
            out.entry(2, 4, Paint::Plain, "", &text)?;
        }
        out.blank()?;
    }
    footer(&mut out, log, report)?;
    Ok(finds)
}

fn footer<W: io::Write>(
    out: &mut Printer<W>,
    log: &LogSummary,
    report: Option<&Report>,
) -> io::Result<()> {
    let known: u64 = log.families.iter().map(occurrences).sum();
    let text = format!(
        "{} read, {} known to pgautopsy, {} not",
        count(log.lines, "line"),
        count(known, "message"),
        thousands(log.unknown)
    );
    out.entry(0, 2, Paint::Plain, "", &text)?;
    let unread = report.map_or(0, |report| report.examined.not_examined.len() as u64);
    if unread > 0 {
        let text = format!(
            "{} of the directory could not be examined",
            count(unread, "part")
        );
        out.entry(0, 2, Paint::Plain, "", &text)?;
    }
    if log
        .families
        .iter()
        .any(|family| family.message.consequence.is_serious())
    {
        out.entry(
            0,
            2,
            Paint::Plain,
            "",
            match report {
                Some(_) => {
                    "`pgautopsy explain NAME` tells what a message means and what to do, \
                        `pgautopsy check PGDATA` all that is wrong."
                }
                None => {
                    "`pgautopsy explain NAME` tells what a message means and what to do. With \
                     PGDATA behind the file, each is answered from the directory."
                }
            },
        )?;
    }
    Ok(())
}

fn occurrences(family: &Family) -> u64 {
    family
        .sightings
        .iter()
        .map(|sighting| sighting.count)
        .sum::<u64>()
        + family.more
}

fn seen(sighting: &Sighting) -> String {
    let place = |place: &LogPlace| match &place.time {
        Some(time) => format!("line {}, {time}", place.line),
        None => format!("line {}", place.line),
    };
    let first = place(&sighting.first);
    match sighting.count {
        1 => first,
        n => format!(
            "{} times; first {first}; last {}",
            thousands(n),
            place(&sighting.last)
        ),
    }
}

/// `9.0 to 16`.
fn versions(wording: &Wording) -> String {
    if wording.from == wording.to {
        wording.from.to_string()
    } else {
        format!("{} to {}", wording.from, wording.to)
    }
}

/// The text of `docs/messages.md`.
#[must_use]
pub fn messages_markdown() -> String {
    let mut text = String::from(
        "# Messages\n\n\
         What PostgreSQL's own messages mean, by name. The same texts are printed by\n\
         `pgautopsy explain \"MESSAGE\"`, and `pgautopsy explain --log FILE` looks for them in a\n\
         server log. `%u`, `%s` and the like stand for values. This file is generated from the\n\
         table of messages: `BLESS=1 cargo test --test docs` rewrites it.\n\n\
         | name | what follows |\n|---|---|\n",
    );
    for Message {
        id, consequence, ..
    } in MESSAGES
    {
        let _ = writeln!(text, "| [`{id}`](#{id}) | {consequence} |");
    }
    for message in MESSAGES {
        let _ = write!(text, "\n## {}\n\n", message.id);
        let _ = writeln!(text, "{}; {}.\n", message.level, message.consequence);
        text.push_str("| wording | PostgreSQL |\n|---|---|\n");
        for wording in message.wordings {
            let _ = writeln!(text, "| `{}` | {} |", wording.text, versions(wording));
        }
        let _ = writeln!(text, "\n{}\n", message.meaning);
        for check in message.deciding_checks() {
            let code = check.code;
            let _ = writeln!(text, "- [`{code}`](checks.md#{code}): {}", check.summary);
        }
        if !message.checks.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "First: {}", message.advice);
        if !message.avoid.is_empty() {
            let _ = writeln!(text, "\nNot: {}", message.avoid);
        }
        let _ = writeln!(text, "\nSource: {}", message.source);
    }
    text
}
