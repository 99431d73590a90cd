//! The events of some WAL, as text and as JSON, and the settings that recover to just before
//! one.

use super::json::escape_unsafe;
use super::printer::{Paint, Printer};
use super::units::{count, plain_time, rfc_3339, thousands};
use super::wal_dump::stop_text;
use crate::format::types::{TimestampTz, XLogRecPtr};
use crate::format::version::{Layout, Major, Version};
use crate::format::wal::lsn_text;
use crate::recovery::events::{Act, Event, EventRelation, Events, Relations, Target};
use serde::Serialize;
use std::io;

/// Names listed for one event; JSON has more.
const MAX_NAMES: usize = 6;
/// Targets printed; JSON has all.
const MAX_TARGETS: usize = 10;
/// From so many checkpoints in a row on they are one line.
const FOLD: usize = 3;

/// The settings that recover to just before an event: the first lines as they are, others that
/// would do as comments, since a server takes only one target. `restore_command` brings the WAL.
#[must_use]
pub fn recovery_settings(
    version: &Version,
    target: &Target,
    restore_command: Option<&str>,
) -> Vec<String> {
    let off = if version.since(Major::V9_1) {
        "off"
    } else {
        "'off'"
    };
    let lsn = lsn_text(version, target.lsn);
    let by_lsn = version.since(Major::V10);
    // '' is how a quotation mark stands in a setting.
    let restore = restore_command.unwrap_or("cp \"/path/to/archive/%f\" \"%p\"");
    let restore = restore.replace('\'', "''");
    let mut lines = vec![format!("# restore_command = '{restore}'")];
    let mut inclusive = off;
    match (target.xid, target.previous) {
        (Some(xid), _) => lines.push(format!("recovery_target_xid = '{xid}'")),
        (None, _) if by_lsn => lines.push(format!("recovery_target_lsn = '{lsn}'")),
        (None, Some(previous)) => {
            inclusive = "'on'";
            lines.push(format!("recovery_target_xid = '{}'", previous.xid));
        }
        (None, None) => return Vec::new(),
    }
    lines.push(format!("recovery_target_inclusive = {inclusive}"));
    lines.push(format!("recovery_target_timeline = '{}'", target.tli));
    if target.xid.is_some() && by_lsn {
        lines.push(format!("# or: recovery_target_lsn = '{lsn}'"));
    }
    if let Some(time) = target.time.and_then(setting_time) {
        lines.push(format!("# or: recovery_target_time = '{time}'"));
        lines.push(if target.time_is_early {
            "#     (stops too early: a commit before it bears that time or a later one)".to_owned()
        } else {
            "#     (stops at the first commit with that time; several may share it)".to_owned()
        });
    }
    lines
}

/// A time as a setting has it, with its offset.
fn setting_time(time: TimestampTz) -> Option<String> {
    Some(plain_time(time)?.replace(" UTC", "+00"))
}

/// What a person must know beside the settings.
fn notes(event: &Event, target: &Target, version: &Version) -> Vec<String> {
    let mut notes = vec![format!(
        "needs a base backup that was complete before {}",
        lsn_text(version, target.lsn)
    )];
    if event.behind_break {
        notes.push("CANNOT BE REACHED: the WAL breaks off before it".to_owned());
    }
    if matches!(event.act, Act::DropDatabase { .. }) {
        notes.push("its files go before the commit, so the target lies before both".to_owned());
    }
    if target.xid.is_none() && !version.since(Major::V10) {
        notes.push(match target.previous {
            Some(_) => "the target is the last transaction before it, which stays".to_owned(),
            None => "no commit before it is in this WAL that could be a target".to_owned(),
        });
    }
    if let Some(gid) = &target.prepared {
        notes.push(format!(
            "it was prepared: end it afterwards with ROLLBACK PREPARED '{}'",
            gid.replace('\'', "''")
        ));
    }
    notes
}

fn relation_text(relation: &EventRelation) -> String {
    if let Some(name) = relation.name.qualified() {
        return name;
    }
    let files = match (relation.locator, relation.name.oid) {
        (Some(locator), _) => format!("filenode {locator}"),
        (None, Some(oid)) => format!("relation {oid}"),
        (None, None) => "a relation".to_owned(),
    };
    match &relation.name.database {
        Some(database) => format!("{files} (database {database})"),
        None => files,
    }
}

fn relations_text(relations: &Relations) -> String {
    let mut names: Vec<String> = relations
        .named
        .iter()
        .take(MAX_NAMES)
        .map(relation_text)
        .collect();
    let more = relations.count().saturating_sub(names.len() as u64);
    if more > 0 {
        names.push(format!("and {} more", thousands(more)));
    }
    names.join(", ")
}

/// `TABLE`, `INDEX`, …: what kind all of them are.
fn kind_of(relations: &Relations) -> &'static str {
    let kind = |word: Option<&'static str>| match word {
        Some("index" | "partitioned index") => "INDEX",
        Some("sequence") => "SEQUENCE",
        Some("materialized view") => "MATERIALIZED VIEW",
        _ => "TABLE",
    };
    let mut kinds = relations.named.iter().map(|r| kind(r.name.kind));
    let first = kinds.next().unwrap_or("TABLE");
    if kinds.all(|kind| kind == first) {
        first
    } else {
        "TABLE"
    }
}

fn object(word: &str, name: Option<&str>, oid: u32) -> String {
    match name {
        Some(name) => format!("{word} {name}"),
        None => format!("{word} with OID {oid}"),
    }
}

/// What happened, in a line.
fn act_text(layout: Layout, act: &Act) -> String {
    let lsn = |lsn: XLogRecPtr| lsn_text(layout.version, lsn);
    match act {
        Act::Truncate(relations) => format!("TRUNCATE {}", relations_text(relations)),
        Act::TruncateOwn(relations) => format!(
            "TRUNCATE {}, made by the same transaction",
            relations_text(relations)
        ),
        Act::TruncateOrRewrite { relations, pages } => format!(
            "TRUNCATED OR REWRITTEN: {}; {} logged for the new files",
            relations_text(relations),
            match pages {
                0 => "nothing".to_owned(),
                pages => format!("{} pages or rows", thousands(*pages)),
            }
        ),
        Act::Rewrite(relations) => format!(
            "rewritten (VACUUM FULL, CLUSTER, ALTER TABLE …): {}",
            relations_text(relations)
        ),
        Act::Reindex(relations) => format!("REINDEX {}", relations_text(relations)),
        Act::Move(relations) => format!("SET TABLESPACE {}", relations_text(relations)),
        Act::Drop {
            relations,
            others,
            certain,
        } => {
            let mut text = if *certain {
                let unknown = relations.named.iter().all(|r| r.name.name.is_none());
                let word = if unknown { "" } else { kind_of(relations) };
                format!("DROP {word} {}", relations_text(relations)).replace("  ", " ")
            } else {
                format!(
                    "DROPPED, TRUNCATED OR REWRITTEN: {}",
                    relations_text(relations)
                )
            };
            match others {
                0 => {}
                1 => text.push_str(" with an index, sequence or TOAST table"),
                n => text.push_str(&format!(
                    " with {} indexes, sequences, TOAST tables",
                    thousands(*n)
                )),
            }
            text
        }
        Act::Create(relations) => {
            format!(
                "CREATE {} {}",
                kind_of(relations),
                relations_text(relations)
            )
        }
        Act::Delete { relation, rows } => {
            format!(
                "DELETE of {} from {}",
                count(*rows, "row"),
                relation_text(relation)
            )
        }
        Act::Update { relation, rows } => {
            format!(
                "UPDATE of {} of {}",
                count(*rows, "row"),
                relation_text(relation)
            )
        }
        Act::DropDatabase { oid, name } => {
            format!("DROP {}", object("DATABASE", name.as_deref(), *oid))
        }
        Act::CreateDatabase { oid, name } => {
            format!("CREATE {}", object("DATABASE", name.as_deref(), *oid))
        }
        Act::MoveDatabase { oid, name } => format!(
            "{} moved out of a tablespace",
            object("database", name.as_deref(), *oid)
        ),
        Act::DropTablespace { oid, name } => {
            format!("DROP {}", object("TABLESPACE", name.as_deref(), *oid))
        }
        Act::CreateTablespace { oid, name, path } => format!(
            "CREATE {} at {path}",
            object("TABLESPACE", name.as_deref(), *oid)
        ),
        Act::RestorePoint(name) => format!("restore point \"{name}\""),
        Act::Checkpoint { redo } => format!("checkpoint, redo from {}", lsn(*redo)),
        Act::Shutdown { cut_off: 0 } => "shutdown, or restart after a crash".to_owned(),
        Act::Shutdown { cut_off } => format!(
            "restart after a crash, which cut off {}",
            count(*cut_off, "transaction")
        ),
        Act::Promotion { from, to } => format!("promotion: timeline {to} begins, after {from}"),
        Act::FullPageWrites(on) => {
            format!("full_page_writes = {}", if *on { "on" } else { "off" })
        }
        Act::Settings(settings) => {
            let settings: Vec<String> = settings
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            settings.join(", ")
        }
        Act::Prepared { gid } => format!("PREPARE TRANSACTION '{gid}', left open"),
        Act::FinishedPrepared { gid, committed } => {
            let word = if *committed { "COMMIT" } else { "ROLLBACK" };
            match gid {
                Some(gid) => format!("{word} PREPARED '{gid}'"),
                None => format!("{word} PREPARED"),
            }
        }
        Act::BackupEnd { start } => {
            format!("end of the base backup that began at {}", lsn(*start))
        }
        Act::Break { stop, resumed } => format!(
            "the WAL breaks off: {}; it goes on at {}",
            stop_text(layout, stop),
            lsn(*resumed)
        ),
    }
}

/// One line of the table: an event, or several checkpoints.
struct Line<'a> {
    event: &'a Event,
    text: String,
}

fn lines(events: &Events) -> Vec<Line<'_>> {
    let is_checkpoint = |event: &Event| matches!(event.act, Act::Checkpoint { .. });
    let mut lines = Vec::new();
    let runs = events
        .events
        .chunk_by(|a, b| is_checkpoint(a) && is_checkpoint(b));
    for run in runs {
        match run {
            [.., last] if run.len() >= FOLD => lines.push(Line {
                event: last,
                text: format!("the last of {}", count(run.len() as u64, "checkpoint")),
            }),
            _ => lines.extend(run.iter().map(|event| Line {
                event,
                text: act_text(events.layout, &event.act),
            })),
        }
    }
    lines
}

/// Prints them for people. `restore_command` is that of the recovery settings.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_text<W: io::Write>(
    out: W,
    events: &Events,
    restore_command: Option<&str>,
    width: usize,
    colour: bool,
) -> io::Result<()> {
    let mut printer = Printer::new(out, width, colour);
    let version = events.layout.version;
    let lsn = |lsn: XLogRecPtr| lsn_text(version, lsn);
    let mut head = format!(
        "PostgreSQL {} · timeline {}",
        version.major, events.timeline
    );
    if let (Some(first), Some(last)) = (events.first, events.last) {
        head.push_str(&format!(" · {} to {}", lsn(first), lsn(last)));
    }
    head.push_str(&format!(
        " · {}, {}",
        count(events.records, "record"),
        count(events.commits, "commit")
    ));
    printer.entry(0, 2, Paint::Plain, "", &head)?;
    table(&mut printer, events)?;
    if let Some(stop) = &events.end {
        let text = format!("{}: {}", lsn(stop.lsn), stop_text(events.layout, stop));
        printer.blank()?;
        printer.entry(0, 2, Paint::Plain, "The WAL ends at ", &text)?;
    }
    if events.more > 0 {
        let text = format!(
            "{} more events than there is room for",
            thousands(events.more)
        );
        printer.entry(0, 2, Paint::Yellow, "Not listed: ", &text)?;
    }
    if events.incomplete > 0 {
        let text = format!(
            "{} touched more relations than are followed; of these, deleted and updated rows \
             may not be counted",
            count(events.incomplete, "transaction")
        );
        printer.entry(0, 2, Paint::Yellow, "Incomplete: ", &text)?;
    }
    targets(&mut printer, events, restore_command)
}

fn table<W: io::Write>(printer: &mut Printer<W>, events: &Events) -> io::Result<()> {
    let lines = lines(events);
    if lines.is_empty() {
        printer.blank()?;
        return printer.entry(0, 2, Paint::Plain, "", "No events.");
    }
    let lsn = |line: &Line<'_>| lsn_text(events.layout.version, line.event.lsn);
    let lsn_width = lines.iter().map(|line| lsn(line).len()).max().unwrap_or(0);
    let xid = |line: &Line<'_>| line.event.xid.map_or(String::new(), |xid| xid.to_string());
    let xid_width = lines.iter().map(|line| xid(line).len()).max().unwrap_or(0);
    let mut part = None;
    for line in &lines {
        let time = line.event.time.and_then(plain_time);
        let (date, clock) = match &time {
            Some(time) => time.split_once(' ').unwrap_or_default(),
            None => ("", ""),
        };
        let known = part.as_ref().map(|(date, _): &(String, u32)| date.as_str());
        let date = match (date, known) {
            ("", Some(known)) => known.to_owned(),
            (date, _) => date.to_owned(),
        };
        let next = Some((date, line.event.tli));
        if next != part {
            part = next;
            let (date, tli) = part.clone().unwrap_or_default();
            printer.heading(&match date.as_str() {
                "" => format!("Timeline {tli}"),
                date => format!("{date} (UTC), timeline {tli}"),
            })?;
        }
        let clock = clock.get(..8).unwrap_or("");
        let lead = format!(
            "{clock:8}  {:<lsn_width$}  {:>xid_width$}  ",
            lsn(line),
            xid(line)
        );
        let paint = match &line.event.act {
            Act::Break { .. } => Paint::Red,
            act if act.is_destructive() => Paint::Yellow,
            _ => Paint::Plain,
        };
        printer.entry(2, 2 + lead.len(), paint, &lead, &line.text)?;
    }
    Ok(())
}

fn targets<W: io::Write>(
    printer: &mut Printer<W>,
    events: &Events,
    restore_command: Option<&str>,
) -> io::Result<()> {
    let version = events.layout.version;
    let destructive: Vec<(&Event, &Target)> = events
        .events
        .iter()
        .filter_map(|event| Some((event, event.target.as_ref()?)))
        .collect();
    // What one transaction did has one target.
    let groups: Vec<&[(&Event, &Target)]> = destructive
        .chunk_by(|(a, _), (b, _)| a.target == b.target)
        .collect();
    if groups.is_empty() {
        return Ok(());
    }
    printer.heading("To recover to just before it")?;
    let how = if version.since(Major::V12) {
        "Restore a base backup elsewhere, add the lines to its postgresql.conf, make an empty \
         file recovery.signal in it, and start it."
    } else {
        "Restore a base backup elsewhere, write the lines to recovery.conf in it, and start it."
    };
    printer.entry(2, 2, Paint::Plain, "", how)?;
    for group in groups.iter().take(MAX_TARGETS) {
        let Some((event, target)) = group.first() else {
            continue;
        };
        printer.blank()?;
        for (event, _) in *group {
            printer.entry(2, 4, Paint::Bold, "", &act_text(events.layout, &event.act))?;
        }
        let when = event.time.and_then(plain_time);
        let by = event.xid.map(|xid| format!("transaction {xid}"));
        let facts: Vec<String> = [by, when].into_iter().flatten().collect();
        printer.entry(2, 4, Paint::Plain, "", &facts.join(", "))?;
        for note in notes(event, target, version) {
            printer.entry(2, 4, Paint::Plain, "", &note)?;
        }
        for line in recovery_settings(version, target, restore_command) {
            printer.verbatim(6, &line)?;
        }
    }
    let more = groups.len().saturating_sub(MAX_TARGETS);
    if more > 0 {
        printer.blank()?;
        let text = format!(
            "{} more: narrow it down with --since, --until or --threshold, or ask for --format \
             json",
            thousands(more as u64)
        );
        printer.entry(2, 4, Paint::Plain, "", &text)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct EventsV1 {
    schema: u32,
    version: String,
    timeline: u32,
    first_lsn: Option<String>,
    end_lsn: Option<String>,
    end_reason: Option<String>,
    records: u64,
    commits: u64,
    events: Vec<EventV1>,
    more_events: u64,
    incomplete_transactions: u64,
}

#[derive(Serialize)]
struct EventV1 {
    kind: &'static str,
    lsn: String,
    timeline: u32,
    time: Option<String>,
    xid: Option<u32>,
    text: String,
    destructive: bool,
    reachable: bool,
    relations: Vec<RelationV1>,
    more_relations: u64,
    rows: Option<u64>,
    recovery: Option<RecoveryV1>,
}

#[derive(Serialize)]
struct RelationV1 {
    database: Option<String>,
    schema: Option<String>,
    name: Option<String>,
    kind: Option<&'static str>,
    oid: Option<u32>,
    filenode: Option<String>,
}

#[derive(Serialize)]
struct RecoveryV1 {
    settings: Vec<String>,
    notes: Vec<String>,
    needs_backup_before: String,
    target_lsn: String,
    target_xid: Option<u32>,
    target_time: Option<String>,
    target_timeline: u32,
}

fn kind_name(act: &Act) -> &'static str {
    match act {
        Act::Truncate(_) => "truncate",
        Act::TruncateOwn(_) => "truncate_own",
        Act::TruncateOrRewrite { .. } => "truncate_or_rewrite",
        Act::Rewrite(_) => "rewrite",
        Act::Reindex(_) => "reindex",
        Act::Move(_) => "set_tablespace",
        Act::Drop { certain: true, .. } => "drop",
        Act::Drop { certain: false, .. } => "drop_or_truncate_or_rewrite",
        Act::Create(_) => "create",
        Act::Delete { .. } => "delete",
        Act::Update { .. } => "update",
        Act::DropDatabase { .. } => "drop_database",
        Act::CreateDatabase { .. } => "create_database",
        Act::MoveDatabase { .. } => "move_database",
        Act::DropTablespace { .. } => "drop_tablespace",
        Act::CreateTablespace { .. } => "create_tablespace",
        Act::RestorePoint(_) => "restore_point",
        Act::Checkpoint { .. } => "checkpoint",
        Act::Shutdown { cut_off: 0 } => "shutdown",
        Act::Shutdown { .. } => "crash_restart",
        Act::Promotion { .. } => "promotion",
        Act::FullPageWrites(_) => "full_page_writes",
        Act::Settings(_) => "settings",
        Act::Prepared { .. } => "prepared",
        Act::FinishedPrepared {
            committed: true, ..
        } => "commit_prepared",
        Act::FinishedPrepared { .. } => "rollback_prepared",
        Act::BackupEnd { .. } => "backup_end",
        Act::Break { .. } => "break",
    }
}

/// The relations of an event, how many more there are, and the rows.
fn parts(act: &Act) -> (Vec<&EventRelation>, u64, Option<u64>) {
    match act {
        Act::Truncate(relations)
        | Act::TruncateOwn(relations)
        | Act::TruncateOrRewrite { relations, .. }
        | Act::Rewrite(relations)
        | Act::Reindex(relations)
        | Act::Move(relations)
        | Act::Drop { relations, .. }
        | Act::Create(relations) => (relations.named.iter().collect(), relations.more, None),
        Act::Delete { relation, rows } | Act::Update { relation, rows } => {
            (vec![relation], 0, Some(*rows))
        }
        _ => (Vec::new(), 0, None),
    }
}

fn event_v1(layout: Layout, event: &Event, restore_command: Option<&str>) -> EventV1 {
    let (relations, more_relations, rows) = parts(&event.act);
    let recovery = event.target.as_ref().map(|target| RecoveryV1 {
        settings: recovery_settings(layout.version, target, restore_command),
        notes: notes(event, target, layout.version),
        needs_backup_before: target.lsn.to_string(),
        target_lsn: target.lsn.to_string(),
        target_xid: target.xid.map(|xid| xid.0),
        target_time: target.time.and_then(rfc_3339),
        target_timeline: target.tli,
    });
    EventV1 {
        kind: kind_name(&event.act),
        lsn: event.lsn.to_string(),
        timeline: event.tli,
        time: event.time.and_then(rfc_3339),
        xid: event.xid.map(|xid| xid.0),
        text: act_text(layout, &event.act),
        destructive: event.act.is_destructive(),
        reachable: !event.behind_break,
        relations: relations
            .into_iter()
            .map(|relation| RelationV1 {
                database: relation.name.database.clone(),
                schema: relation.name.schema.clone(),
                name: relation.name.name.clone(),
                kind: relation.name.kind,
                oid: relation.name.oid,
                filenode: relation.locator.map(|locator| locator.to_string()),
            })
            .collect(),
        more_relations,
        rows,
        recovery,
    }
}

/// Prints them for programs: one object, schema 1.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_json<W: io::Write>(
    mut out: W,
    events: &Events,
    restore_command: Option<&str>,
) -> io::Result<()> {
    let layout = events.layout;
    let object = EventsV1 {
        schema: 1,
        version: layout.version.major.to_string(),
        timeline: events.timeline,
        first_lsn: events.first.map(|lsn| lsn.to_string()),
        end_lsn: events.last.map(|lsn| lsn.to_string()),
        end_reason: events.end.as_ref().map(|stop| stop_text(layout, stop)),
        records: events.records,
        commits: events.commits,
        events: events
            .events
            .iter()
            .map(|event| event_v1(layout, event, restore_command))
            .collect(),
        more_events: events.more,
        incomplete_transactions: events.incomplete,
    };
    let mut text = serde_json::to_string_pretty(&object)?;
    text.push('\n');
    out.write_all(escape_unsafe(&text).as_bytes())
}
