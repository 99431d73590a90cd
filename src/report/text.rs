//! The report for a tired operator at a terminal: what is wrong and what to do come first,
//! then what the next start will do and lose, then the damage by relation under its name, and
//! last how much was seen.

use super::printer::{Paint, Printer};
use super::timelines;
use super::units::{block_ranges, count, plain_time, size, thousands};
use super::{ClusterSummary, DatabaseSummary, RelationSummary, Report, StopKind, WalSummary};
use crate::checks::page_lsn_beyond_wal;
use crate::finding::{Confidence, Finding, Group, GroupKey, Place, Recovery, Severity};
use crate::format::types::{ForkNumber, RelFileLocator, TimestampTz, XLogRecPtr};
use crate::verdict::{Loss, LostRecords, Outcome, Startup, Status};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

/// Relations and groups of files that a section tells in full; more are named or counted.
const MAX_SUBJECTS: usize = 20;
/// Names in a list within a line.
const MAX_NAMES: usize = 16;
/// Relations with nothing but pages ahead of the WAL that are told one by one.
const MAX_AHEAD: usize = 3;
/// Columns of a place or path that the message may follow on the same line.
const MAX_LEAD: usize = 40;
/// Ranges of blocks in a line.
const MAX_RANGES: usize = 8;

/// How it is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Columns of a line.
    pub width: usize,
    /// Whether to use colours.
    pub colour: bool,
    /// Findings below this are counted and not told.
    pub min_severity: Severity,
}

/// Prints the report.
///
/// # Errors
/// When `out` cannot be written.
pub fn write<W: io::Write>(out: W, report: &Report, style: Style) -> io::Result<()> {
    let mut text = Text {
        out: Printer::new(out, style.width, style.colour),
        report,
        relations: report.relations.iter().map(|r| (r.locator, r)).collect(),
        min_severity: style.min_severity,
        any_code: false,
    };
    text.header()?;
    text.verdict()?;
    text.next_start()?;
    text.loss()?;
    text.timelines()?;
    text.patterns()?;
    text.findings()?;
    text.coverage()?;
    text.footer()
}

struct Text<'a, W> {
    out: Printer<W>,
    report: &'a Report,
    relations: HashMap<RelFileLocator, &'a RelationSummary>,
    min_severity: Severity,
    any_code: bool,
}

/// What a part of a section is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Subject {
    Relation(RelFileLocator),
    /// Files of one folder with the same fault in the same words.
    Files {
        folder: String,
        code: &'static str,
        shape: String,
    },
}

type Groups<'a> = Vec<(&'a GroupKey, &'a Group)>;

impl<'a, W: io::Write> Text<'a, W> {
    fn header(&mut self) -> io::Result<()> {
        let mut parts = vec![format!(
            "{}\u{a0}{}",
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION")
        )];
        let cluster = self.report.cluster.as_ref();
        if let Some(cluster) = cluster {
            parts.push(format!("PostgreSQL\u{a0}{}", cluster.major));
        }
        parts.push(self.report.examined.data_directory.clone());
        if let Some(cluster) = cluster {
            parts.push(format!("system\u{a0}{}", cluster.system_identifier));
        }
        self.out.entry(0, 2, Paint::Plain, "", &parts.join(" · "))?;
        match cluster {
            Some(cluster) => self.out.entry(0, 2, Paint::Plain, "", &state(cluster)),
            None => Ok(()),
        }
    }

    fn verdict(&mut self) -> io::Result<()> {
        let verdict = &self.report.verdict;
        let (word, paint) = match verdict.status {
            Status::Healthy => ("HEALTHY   ", Paint::Green),
            Status::NeedsRecovery => ("NEEDS RECOVERY   ", Paint::Yellow),
            Status::Damaged => ("DAMAGED   ", Paint::Red),
            Status::Unusable => ("UNUSABLE   ", Paint::Red),
        };
        self.out.blank()?;
        self.out
            .entry(0, word.len(), paint, word, &verdict.headline)?;
        if verdict.next_steps.is_empty() {
            return Ok(());
        }
        self.out.heading("Do first")?;
        let digits = verdict.next_steps.len().to_string().len();
        for (i, step) in verdict.next_steps.iter().enumerate() {
            let lead = format!("{:>digits$}. ", i + 1);
            self.out
                .entry(2, 2 + lead.len(), Paint::Plain, &lead, step)?;
        }
        Ok(())
    }

    fn next_start(&mut self) -> io::Result<()> {
        self.out.heading("Next start")?;
        let wal = self.report.wal.as_ref();
        let Some(startup) = &self.report.verdict.startup else {
            return self.line("cannot be told from what could be read");
        };
        if startup.outcome == Outcome::Fails {
            let message = startup
                .message
                .as_deref()
                .unwrap_or("the message is not known");
            self.out.entry(2, 4, Paint::Red, "fails: ", message)?;
        } else {
            self.line(&course(startup, wal))?;
        }
        if let Some(time) = startup.last_completed_transaction.and_then(plain_time) {
            self.line(&format!("last completed transaction {}", glue(&time)))?;
        }
        if let Some(wal) = wal {
            self.line(&end_of_wal(startup, wal))?;
        }
        if let Some(wanted) = &startup.waits_for {
            self.line(&format!("it waits for {wanted}, and lets nobody in before"))?;
        }
        for (name, value) in &startup.settings {
            self.line(&format!("{name} = '{value}'"))?;
        }
        for condition in &startup.conditions {
            self.line(condition)?;
        }
        if startup.silent_loss {
            let text = "the server says nothing about what it lost, see below";
            self.out.entry(2, 4, Paint::Red, "silent loss: ", text)?;
        } else if self.report.verdict.loss.is_empty()
            && startup.outcome != Outcome::Fails
            && wal.is_none_or(|wal| wal.stop_kind == StopKind::EndOfWal)
        {
            self.line("no committed transaction is lost by it")?;
        }
        Ok(())
    }

    fn loss(&mut self) -> io::Result<()> {
        let verdict = &self.report.verdict;
        // Who has nothing to mend is not tempted.
        let tempting = verdict.status >= Status::Damaged;
        let reset = verdict.pg_resetwal.as_ref().filter(|_| tempting);
        if verdict.loss.is_empty() && reset.is_none() {
            return Ok(());
        }
        self.out.heading("Loss")?;
        for loss in verdict.loss.iter().chain(reset) {
            self.line(&loss.cause)?;
            self.out.entry(4, 6, Paint::Plain, "", &extent(loss))?;
            if !loss.relations.is_empty() {
                let names = shorten(lost_records(loss), 4, ", ");
                self.out.entry(4, 6, Paint::Plain, "records of ", &names)?;
            }
            if !loss.other_copies.is_empty() {
                let copies = loss.other_copies.iter().map(|copy| {
                    let place = &copy.place;
                    format!("{place} ({}\u{a0}to\u{a0}{})", copy.from, copy.to)
                });
                let copies = shorten(copies.collect(), 4, ", ");
                self.out
                    .entry(4, 6, Paint::Green, "but there is ", &copies)?;
            }
        }
        Ok(())
    }

    /// Only where there is more to tell than that the WAL of one timeline is all there.
    fn timelines(&mut self) -> io::Result<()> {
        let Some(wal) = &self.report.wal else {
            return Ok(());
        };
        let timelines = &wal.timelines;
        let gaps = timelines.iter().any(|wal| !wal.gaps.is_empty());
        let archives = self.report.examined.wal_directories.len() > 1;
        if timelines.is_empty() || timelines.len() == 1 && !gaps && !archives {
            return Ok(());
        }
        self.out.heading("Timelines")?;
        timelines::write_text(&mut self.out, timelines)
    }

    fn patterns(&mut self) -> io::Result<()> {
        let patterns = &self.report.verdict.patterns;
        if patterns.is_empty() {
            return Ok(());
        }
        self.out.heading("Probable causes")?;
        for pattern in patterns {
            let lead = match pattern.confidence {
                Confidence::Certain => format!("{}   ", pattern.kind.title()),
                Confidence::Likely => format!("{} (likely)   ", pattern.kind.title()),
                Confidence::Possible => format!("{} (possibly)   ", pattern.kind.title()),
            };
            self.out.entry(2, 4, Paint::Bold, &lead, &pattern.summary)?;
        }
        Ok(())
    }

    fn findings(&mut self) -> io::Result<()> {
        let mut lasting = Vec::new();
        let mut abnormal = Vec::new();
        let mut healed = Vec::new();
        let mut notes = Vec::new();
        let mut hidden: BTreeMap<Reverse<Severity>, u64> = BTreeMap::new();
        for (key, group) in self.report.findings.groups() {
            if key.recovery == Recovery::Heals {
                healed.push((key, group));
            } else if key.severity < self.min_severity {
                *hidden.entry(Reverse(key.severity)).or_default() += group.total;
            } else {
                match key.severity {
                    Severity::Fatal | Severity::Damage => lasting.push((key, group)),
                    Severity::Abnormal => abnormal.push((key, group)),
                    Severity::Note => notes.push((key, group)),
                }
            }
        }
        let damaged: BTreeSet<RelFileLocator> = self
            .report
            .findings
            .groups()
            .filter(|(key, _)| key.is_lasting_damage())
            .filter_map(|(key, _)| locator(key))
            .collect();
        let healed_extent = extent_healed(&healed);
        self.section("Damage", lasting)?;
        self.whole(&damaged)?;
        self.section("Also seen", abnormal)?;
        if self.min_severity == Severity::Note {
            self.section("Healed by recovery", healed)?;
            self.section("Notes", notes)?;
        }
        self.databases()?;
        self.out.blank()?;
        if self.min_severity > Severity::Note && !healed_extent.is_empty() {
            let text = format!("{healed_extent} (details: --min-severity\u{a0}note)");
            self.label("Healed by recovery", &text)?;
        }
        if let Some((Reverse(least), _)) = hidden.last_key_value() {
            let counts: Vec<String> = hidden
                .iter()
                .map(|(Reverse(severity), number)| match severity {
                    Severity::Note => count(*number, "note"),
                    other => format!("{}\u{a0}{other}", thousands(*number)),
                })
                .collect();
            let text = format!("{} (--min-severity\u{a0}{least})", counts.join(", "));
            self.label("Not shown", &text)?;
        }
        Ok(())
    }

    /// Groups by relation and by file, the worst first.
    fn section(&mut self, title: &str, groups: Groups<'a>) -> io::Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        self.out.heading(title)?;
        let mut subjects: BTreeMap<Subject, Groups<'a>> = BTreeMap::new();
        for (key, group) in groups {
            subjects
                .entry(subject(key, group))
                .or_default()
                .push((key, group));
        }
        let (mut ahead, mut subjects): (Vec<_>, Vec<_>) = subjects
            .into_iter()
            .partition(|(_, groups)| is_ahead(groups));
        if ahead.len() <= MAX_AHEAD {
            subjects.append(&mut ahead);
        }
        subjects.sort_by_cached_key(|(subject, groups)| self.rank(subject, groups));
        for (subject, groups) in subjects.iter().take(MAX_SUBJECTS) {
            match subject {
                Subject::Relation(locator) => self.relation(*locator, groups)?,
                Subject::Files { folder, .. } => self.files(folder, groups)?,
            }
        }
        self.rest(subjects.get(MAX_SUBJECTS..).unwrap_or_default())?;
        self.ahead(ahead)
    }

    /// The parts of a section that are not told in full.
    fn rest(&mut self, rest: &[(Subject, Groups<'a>)]) -> io::Result<()> {
        if rest.is_empty() {
            return Ok(());
        }
        let names = rest.iter().map(|(subject, groups)| match subject {
            Subject::Relation(locator) => self.title(*locator, groups),
            Subject::Files { folder, .. } => format!("files in {folder}"),
        });
        let names = shorten(names.collect(), 5 * MAX_NAMES, ", ");
        let total: u64 = rest
            .iter()
            .flat_map(|(_, groups)| groups)
            .map(|(_, g)| g.total)
            .sum();
        let lead = format!("and {} more: ", thousands(rest.len() as u64));
        let text = format!(
            "{names} ({}; --format\u{a0}json lists them)",
            count(total, "finding")
        );
        self.out.entry(2, 4, Paint::Bold, &lead, &text)
    }

    /// Relations with pages ahead of the WAL: missing WAL alone may leave all of a cluster so.
    fn ahead(&mut self, mut ahead: Vec<(Subject, Groups<'a>)>) -> io::Result<()> {
        let most = |groups: &Groups<'a>| -> u64 { groups.iter().map(|(_, g)| g.total).sum() };
        ahead.sort_by_cached_key(|(subject, groups)| {
            let relation = match subject {
                Subject::Relation(locator) => self.relations.get(locator),
                Subject::Files { .. } => None,
            };
            let table = relation.is_some_and(|relation| relation.name.is_user_table());
            (!table, Reverse(most(groups)), subject.clone())
        });
        let findings = || {
            let groups = ahead.iter().flat_map(|(_, groups)| groups);
            groups.flat_map(|(_, group)| &group.kept)
        };
        let Some(first) = findings().find(|finding| finding.server_error.is_some()) else {
            return Ok(());
        };
        let names = ahead.iter().map(|(subject, groups)| match subject {
            Subject::Relation(locator) => {
                let blocks: u64 = groups.iter().map(|(_, group)| group.blocks.len()).sum();
                format!(
                    "{} ({})",
                    self.title(*locator, groups),
                    count(blocks, "block")
                )
            }
            Subject::Files { folder, .. } => folder.clone(),
        });
        let names = shorten(names.collect(), MAX_NAMES, ", ");
        let lead = count(ahead.len() as u64, "relation");
        let text = format!(" with pages ahead of the WAL, and no other damage: {names}");
        let why = format!(
            "the first: {} [{}]",
            first.message,
            page_lsn_beyond_wal::CHECK.code
        );
        let error = first.server_error.clone().unwrap_or_default();
        self.any_code = true;
        self.out.entry(2, 4, Paint::Bold, &lead, &text)?;
        self.out.entry(4, 6, Paint::Plain, "", &why)?;
        self.out.entry(4, 6, Paint::Yellow, "writing it: ", &error)
    }

    /// Severity first; then what loses most rows; an index can be rebuilt, so tables first.
    fn rank(&self, subject: &Subject, groups: &Groups<'a>) -> impl Ord + use<W> {
        let severity = groups.iter().map(|(key, _)| key.severity).max();
        let total: u64 = groups.iter().map(|(_, group)| group.total).sum();
        let relation = match subject {
            Subject::Relation(locator) => self.relations.get(locator).copied(),
            Subject::Files { .. } => None,
        };
        let lost = relation.map(|r| r.unreadable_tuples + r.estimated_lost_rows());
        let is_index = relation.is_some_and(|r| r.name.kind == Some("index"));
        let name = relation.and_then(|r| r.name.qualified());
        (
            Reverse(severity),
            matches!(subject, Subject::Files { .. }),
            is_index,
            Reverse(lost),
            Reverse(total),
            name.is_none(),
            name,
            subject.clone(),
        )
    }

    fn relation(&mut self, locator: RelFileLocator, groups: &Groups<'a>) -> io::Result<()> {
        let title = self.title(locator, groups);
        let summary = self.relations.get(&locator).copied();
        let mut about = Vec::new();
        if let Some(summary) = summary {
            if let Some(kind) = summary.name.kind {
                about.push(match self.toast_owner(summary) {
                    Some(owner) => format!("{} of {owner}", glue(kind)),
                    None => glue(kind),
                });
            }
            if summary.name.name.is_some() {
                about.push(summary.path.clone());
            } else {
                about.push(match &summary.name.database {
                    Some(database) => format!("name unknown, database {database}"),
                    None => "name unknown".to_owned(),
                });
            }
            about.push(count(summary.blocks.into(), "block"));
        }
        self.out.entry(
            2,
            4,
            Paint::Bold,
            &format!("{title}   "),
            &about.join("   "),
        )?;
        if let Some(summary) = summary
            && summary.unreadable_blocks + summary.unreadable_tuples + summary.lost_blocks > 0
            && groups.iter().any(|(key, _)| key.is_lasting_damage())
            && holds_rows(summary)
        {
            self.out.entry(4, 6, Paint::Plain, "", &readable(summary))?;
        }
        let mut groups = groups.clone();
        groups.sort_by_key(|(key, group)| {
            let fork = match key.place {
                Place::Fork(_, fork) => Some(fork),
                Place::File(_) => None,
            };
            (
                Reverse(key.severity),
                Reverse(group.blocks.len()),
                fork,
                key.code,
            )
        });
        for (key, group) in groups {
            let place = place(key, group, summary);
            let lead = if place.is_empty() {
                place
            } else {
                format!("{place}   ")
            };
            if lead.chars().count() > MAX_LEAD {
                self.out.entry(4, 6, Paint::Plain, "", lead.trim_end())?;
                self.group((6, 8), (Paint::Plain, ""), &[(key, group)])?;
            } else {
                self.group((4, 6), (Paint::Plain, &lead), &[(key, group)])?;
            }
        }
        Ok(())
    }

    fn files(&mut self, folder: &str, groups: &Groups<'a>) -> io::Result<()> {
        let paths: Vec<&str> = groups
            .iter()
            .filter_map(|(key, _)| match &key.place {
                Place::File(path) => Some(&**path),
                Place::Fork(..) => None,
            })
            .collect();
        match paths[..] {
            [path] if path.chars().count() <= MAX_LEAD => {
                let lead = format!("{path}   ");
                return self.group((2, 4), (Paint::Bold, &lead), groups);
            }
            [path] => self.out.entry(2, 4, Paint::Bold, path, "")?,
            _ => {
                let names = paths.iter().map(|path| split(path).1.to_owned()).collect();
                let names = shorten(names, MAX_NAMES, " ");
                let lead = format!("{folder}   ");
                self.out.entry(2, 4, Paint::Bold, &lead, &names)?;
            }
        }
        self.group((4, 6), (Paint::Plain, ""), groups)
    }

    /// What is wrong, in the words of the first finding, and what follows from it, in lines
    /// that hang by `hang` columns.
    fn group(
        &mut self,
        (indent, hang): (usize, usize),
        (paint, lead): (Paint, &str),
        groups: &[(&GroupKey, &'a Group)],
    ) -> io::Result<()> {
        let Some((key, _)) = groups.first() else {
            return Ok(());
        };
        let kept: Vec<&Finding> = groups.iter().flat_map(|(_, group)| &group.kept).collect();
        let total: u64 = groups.iter().map(|(_, group)| group.total).sum();
        let mut message = match kept.first() {
            Some(first) => first.message.trim_end_matches('.').to_owned(),
            None => count(total, "finding"),
        };
        message.push_str(match kept.first().map(|first| first.confidence) {
            Some(Confidence::Likely) => " (likely)",
            Some(Confidence::Possible) => " (possibly)",
            Some(Confidence::Certain) | None => "",
        });
        if kept
            .windows(2)
            .any(|pair| pair[0].message != pair[1].message)
        {
            message.push_str(&format!("; {} more like it", thousands(total - 1)));
        }
        if key.recovery == Recovery::Unknown {
            message.push_str(" (whether recovery mends it cannot be told)");
        }
        message.push_str(&format!(" [{}]", key.code));
        self.any_code = true;
        self.out.entry(indent, hang, paint, lead, &message)?;
        let who = match key.place {
            Place::Fork(..) => "query: ",
            Place::File(_) => "server: ",
        };
        let hang = hang.min(6);
        if let Some(error) = kept
            .iter()
            .find_map(|finding| finding.server_error.as_deref())
        {
            self.out.entry(hang, hang + 2, Paint::Yellow, who, error)?;
        }
        if let Some(remedy) = kept.iter().find_map(|finding| finding.remedy.as_deref()) {
            self.out
                .entry(hang, hang + 2, Paint::Plain, "do: ", remedy)?;
        }
        Ok(())
    }

    /// Beside the damage: what an operator may stop worrying about.
    fn whole(&mut self, damaged: &BTreeSet<RelFileLocator>) -> io::Result<()> {
        // A run that was told to skip checks cannot call anything whole.
        if damaged.is_empty() || !self.report.examined.limited_to.is_empty() {
            return Ok(());
        }
        let owners: BTreeSet<(u32, u32)> = damaged
            .iter()
            .filter_map(|locator| toast_owner_oid(self.relations.get(locator)?))
            .collect();
        let unread: BTreeSet<&str> = self
            .report
            .examined
            .not_examined
            .iter()
            .map(|part| part.path.as_str())
            .collect();
        let is_whole = |relation: &&RelationSummary| {
            let RelationSummary {
                name,
                locator,
                path,
                ..
            } = relation;
            !damaged.contains(locator)
                && relation.unreadable_blocks + relation.unreadable_tuples == 0
                && !name
                    .oid
                    .is_some_and(|oid| owners.contains(&(locator.db_oid, oid)))
                && !unread.iter().any(|other| is_segment_of(other, path))
        };
        let whole: Vec<&RelationSummary> = self.report.relations.iter().filter(is_whole).collect();
        if whole.is_empty() {
            return Ok(());
        }
        let (mut tables, others): (Vec<_>, Vec<_>) =
            whole.into_iter().partition(|r| r.name.is_user_table());
        tables.sort_by(|a, b| {
            Reverse(a.rows)
                .cmp(&Reverse(b.rows))
                .then(a.name.cmp(&b.name))
        });
        let names: Vec<String> = tables
            .iter()
            .filter_map(|table| {
                let rows = count(table.rows, "row");
                Some(format!("{} ({rows})", table.name.qualified()?))
            })
            .collect();
        let mut text = shorten(names, MAX_NAMES, ", ");
        if !others.is_empty() {
            if !text.is_empty() {
                text.push_str("; and ");
            }
            text.push_str(&count(others.len() as u64, "other relation"));
        }
        self.out.entry(2, 4, Paint::Green, "whole: ", &text)
    }

    /// Of databases with damage, how much of each can be read.
    fn databases(&mut self) -> io::Result<()> {
        let databases = self.report.databases();
        let hurt: Vec<&DatabaseSummary> = databases
            .iter()
            .filter(|database| database.damaged_relations > 0)
            .collect();
        if hurt.is_empty() {
            return Ok(());
        }
        self.out.heading("By database")?;
        for database in hurt.iter().take(MAX_SUBJECTS) {
            let name = match &database.database {
                Some(name) => name.clone(),
                None if database.oid == 0 => "shared".to_owned(),
                None => format!("database {}", database.oid),
            };
            self.out.entry(
                2,
                4,
                Paint::Bold,
                &format!("{name}   "),
                &readable_of(database),
            )?;
        }
        let more = databases.len().saturating_sub(hurt.len()) as u64;
        let hidden = hurt.len().saturating_sub(MAX_SUBJECTS) as u64;
        if hidden > 0 {
            self.line(&format!(
                "and {} more (--format\u{a0}json lists them)",
                thousands(hidden)
            ))?;
        }
        if more > 0 {
            self.line(&format!("{} without damage", count(more, "other database")))?;
        }
        Ok(())
    }

    fn coverage(&mut self) -> io::Result<()> {
        let examined = &self.report.examined;
        let mut parts = vec![
            count(examined.files, "file"),
            size(examined.bytes),
            count(examined.blocks, "block"),
            count(examined.tuples, "tuple"),
        ];
        if let Some(wal) = &self.report.wal
            && let (Some(first), Some(end)) = (wal.first_lsn, wal.end_lsn)
        {
            parts.push(format!("WAL\u{a0}{first}-{end}"));
        }
        let mut text = parts.join(", ");
        if examined.not_examined.is_empty() {
            text.push_str("; nothing was skipped");
        }
        self.label("Examined", &text)?;
        if !examined.limited_to.is_empty() {
            let text = format!(
                "{}: nothing is said about the rest",
                examined.limited_to.join(", ")
            );
            self.out
                .entry(0, 13, Paint::Yellow, "Limited to   ", &text)?;
        }
        if examined.not_examined.is_empty() {
            return Ok(());
        }
        self.out.blank()?;
        let number = thousands(examined.not_examined.len() as u64);
        let text = format!("{number}, so nothing is known about them");
        self.out
            .entry(0, 15, Paint::Yellow, "Not examined   ", &text)?;
        for part in examined.not_examined.iter().take(MAX_SUBJECTS) {
            self.out.entry(
                2,
                4,
                Paint::Plain,
                &format!("{}   ", part.path),
                &part.reason,
            )?;
        }
        let more = examined.not_examined.len().saturating_sub(MAX_SUBJECTS);
        if more > 0 {
            let text = format!(
                "and {} more (--format\u{a0}json lists them)",
                thousands(more as u64)
            );
            self.line(&text)?;
        }
        Ok(())
    }

    fn footer(&mut self) -> io::Result<()> {
        if !self.any_code {
            return Ok(());
        }
        self.out.blank()?;
        let text = "`pgautopsy explain CODE` says what a [code] means and what to do.";
        self.out.entry(0, 0, Paint::Plain, "", text)
    }

    /// `database.schema.name`, or the path where the name is lost.
    fn title(&self, locator: RelFileLocator, groups: &Groups<'a>) -> String {
        match self.relations.get(&locator) {
            Some(summary) => summary
                .name
                .qualified()
                .unwrap_or_else(|| summary.path.clone()),
            None => groups
                .iter()
                .find_map(|(_, group)| group.kept.first())
                .map_or_else(
                    || locator.to_string(),
                    |first| first.location.path.to_string(),
                ),
        }
    }

    /// `schema.name` of the table whose long values a TOAST table holds.
    fn toast_owner(&self, toast: &RelationSummary) -> Option<String> {
        let (db_oid, oid) = toast_owner_oid(toast)?;
        let owner = self
            .report
            .relations
            .iter()
            .find(|r| r.locator.db_oid == db_oid && r.name.oid == Some(oid))?;
        let parts = [owner.name.schema.as_deref(), owner.name.name.as_deref()];
        Some(parts.into_iter().collect::<Option<Vec<_>>>()?.join("."))
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        self.out.entry(2, 4, Paint::Plain, "", text)
    }

    fn label(&mut self, label: &str, text: &str) -> io::Result<()> {
        let hang = label.len() + 3;
        self.out
            .entry(0, hang, Paint::Bold, &format!("{label}   "), text)
    }
}

fn state(cluster: &ClusterSummary) -> String {
    let shutdown = if cluster.state == "shut down" {
        "shut down cleanly".to_owned()
    } else {
        format!("not shut down (\"{}\")", cluster.state)
    };
    let checksums = match cluster.data_checksums {
        Some(true) => "data checksums on".to_owned(),
        Some(false) => "data checksums off".to_owned(),
        None => format!("no data checksums in {}", cluster.major),
    };
    let mut text = format!(
        "timeline\u{a0}{}, {shutdown}, {checksums}",
        cluster.timeline
    );
    if !cluster.control_crc_ok {
        text.push_str(", all this from a pg_control whose CRC does not fit");
    }
    text
}

/// What a start that does not fail does.
fn course(startup: &Startup, wal: Option<&WalSummary>) -> String {
    let mut text = match startup.outcome {
        Outcome::Clean => return "ready at once: nothing has to be replayed".to_owned(),
        Outcome::ArchiveRecovery => "archive recovery".to_owned(),
        Outcome::CrashRecovery | Outcome::Fails => "crash recovery".to_owned(),
    };
    match (startup.redo_start, startup.redo_done) {
        (Some(from), Some(to)) => text.push_str(&format!(", redo {from} to {to}")),
        (Some(from), None) => text.push_str(&format!(", redo from {from}")),
        (None, _) => text.push_str(", nothing to redo"),
    }
    if let Some(wal) = wal
        && startup.redo_start.is_some()
    {
        text.push_str(&format!(
            ": {} in {}, {}, {}",
            size(wal.redo_bytes),
            count(wal.redo_segments, "segment"),
            count(wal.records, "record"),
            count(wal.commits, "commit")
        ));
    }
    if let Some(timeline) = startup.timeline
        && startup.outcome == Outcome::ArchiveRecovery
    {
        text.push_str(&format!("; it continues on timeline\u{a0}{timeline}"));
    }
    if startup.outcome == Outcome::CrashRecovery {
        text.push_str("; then ready");
    }
    text
}

fn end_of_wal(startup: &Startup, wal: &WalSummary) -> String {
    let end = wal
        .end_lsn
        .map_or_else(|| "an unknown place".to_owned(), |end| end.to_string());
    let mut text = match wal.stop_kind {
        StopKind::EndOfWal => format!("WAL ends at {end}, where writing ended"),
        StopKind::Damage => format!("WAL is damaged at {end}, and goes on behind the damage"),
        StopKind::MissingSegment => format!("WAL ends at {end}: the next segment is missing"),
    };
    if let Some(reason) = &wal.stop_reason
        && startup.outcome != Outcome::Clean
    {
        text.push_str(&format!("; the server logs \"{reason}\""));
        if wal.stop_kind == StopKind::EndOfWal {
            text.push_str(", which is normal");
        }
    }
    text
}

fn extent(loss: &Loss) -> String {
    let show = |lsn: Option<XLogRecPtr>| lsn.map_or_else(|| "?".to_owned(), |lsn| lsn.to_string());
    let mut text = count(loss.commits, "commit");
    let time = |time: Option<TimestampTz>| time.and_then(plain_time).map(|time| glue(&time));
    match (time(loss.first_commit), time(loss.last_commit)) {
        (Some(first), Some(last)) if first != last => {
            text.push_str(&format!(" from {first} to {last}"))
        }
        (Some(at), _) | (None, Some(at)) => text.push_str(&format!(" at {at}")),
        (None, None) => {}
    }
    if loss.from_lsn.is_some() || loss.to_lsn.is_some() {
        text.push_str(&format!(
            ", WAL {} to {}",
            show(loss.from_lsn),
            show(loss.to_lsn)
        ));
    }
    if let (Some(from), Some(to)) = (loss.from_lsn, loss.to_lsn) {
        text.push_str(&format!(" ({})", size(to.0.saturating_sub(from.0))));
    }
    text
}

/// Tables before indexes and catalogs, which change with them.
fn lost_records(loss: &Loss) -> Vec<String> {
    let mut relations: Vec<&LostRecords> = loss.relations.iter().collect();
    relations.sort_by_key(|lost| !lost.name.is_user_table());
    relations
        .into_iter()
        .map(|lost| {
            let name = lost.name.qualified();
            let name = name.unwrap_or_else(|| format!("file {}", lost.locator));
            format!("{name} ({})", thousands(lost.records))
        })
        .collect()
}

fn extent_healed(groups: &Groups<'_>) -> String {
    let mut forks = BTreeMap::new();
    let mut files = BTreeSet::new();
    for (key, group) in groups {
        match &key.place {
            Place::Fork(locator, fork) => {
                *forks.entry((*locator, *fork)).or_default() |= &group.blocks;
            }
            Place::File(path) => {
                files.insert(path);
            }
        }
    }
    let blocks: u64 = forks.values().map(roaring::RoaringBitmap::len).sum();
    let relations: BTreeSet<RelFileLocator> = forks.keys().map(|(locator, _)| *locator).collect();
    let mut parts = Vec::new();
    if !relations.is_empty() {
        let relations = count(relations.len() as u64, "relation");
        parts.push(match blocks {
            0 => relations,
            _ => format!("{} in {relations}", count(blocks, "block")),
        });
    }
    if !files.is_empty() {
        parts.push(count(files.len() as u64, "file"));
    }
    parts.join(", ")
}

fn readable(relation: &RelationSummary) -> String {
    let lost = relation.estimated_lost_rows();
    let total = relation.rows + relation.unreadable_tuples + lost;
    let about = if lost > 0 { "about " } else { "" };
    let mut cannot = Vec::new();
    if relation.unreadable_tuples > 0 {
        cannot.push(count(relation.unreadable_tuples, "damaged tuple"));
    }
    let blocks = match (relation.unreadable_blocks, relation.lost_blocks) {
        (0, 0) => None,
        (unreadable, 0) => Some(count(unreadable, "unreadable block")),
        (0, lost) => Some(count(lost, "missing block")),
        (unreadable, lost) => {
            let unreadable = count(unreadable, "unreadable block");
            Some(format!("{unreadable} and {} missing", thousands(lost)))
        }
    };
    if let Some(blocks) = blocks {
        cannot.push(format!("{blocks} with about {}", count(lost, "row")));
    }
    format!(
        "{} of {about}{} can be read; lost: {}",
        thousands(relation.rows),
        count(total, "row"),
        cannot.join(", ")
    )
}

fn readable_of(database: &DatabaseSummary) -> String {
    let mut parts = vec![
        format!(
            "{} of {} damaged",
            thousands(database.damaged_relations),
            count(database.relations, "relation")
        ),
        format!("{} of user tables can be read", count(database.rows, "row")),
    ];
    if database.unreadable_tuples > 0 {
        parts.push(count(database.unreadable_tuples, "damaged tuple"));
    }
    if database.estimated_lost_rows > 0 {
        let rows = count(database.estimated_lost_rows, "row");
        parts.push(format!("about {rows} lost"));
    }
    let mut blocks = Vec::new();
    for (number, what) in [
        (database.unreadable_blocks, "unreadable"),
        (database.lost_blocks, "not there"),
        (database.healed_blocks, "healed by recovery"),
    ] {
        if number > 0 {
            blocks.push(format!("{}\u{a0}{}", thousands(number), glue(what)));
        }
    }
    let of = count(database.blocks, "block");
    parts.push(match blocks.is_empty() {
        true => format!("all {of} readable"),
        false => format!("of {of} {}", blocks.join(", ")),
    });
    parts.join("; ")
}

/// Where in the relation: `8 blocks 30526-30533`, `tuple (30490,5)`, `fsm block 3`.
fn place(key: &GroupKey, group: &Group, relation: Option<&RelationSummary>) -> String {
    let fork = match key.place {
        Place::Fork(_, fork) if fork != ForkNumber::Main => format!("{fork}\u{a0}"),
        Place::Fork(..) | Place::File(_) => String::new(),
    };
    let tuples: Vec<String> = group
        .kept
        .iter()
        .filter_map(|finding| {
            let location = &finding.location;
            Some(format!("({},{})", location.block?, location.offset_number?))
        })
        .collect();
    if tuples.is_empty() && group.blocks.is_empty() {
        let path = group.kept.first().map(|first| &*first.location.path);
        return match path {
            Some(path) if relation.is_none_or(|r| r.path != path) => path.to_owned(),
            _ => String::new(),
        };
    }
    let noun = |number, noun| match number {
        1 => format!("{fork}{noun}"),
        _ => format!("{}\u{a0}{fork}{noun}s", thousands(number)),
    };
    let blocks = || {
        let ranges = block_ranges(&group.blocks, MAX_RANGES);
        format!("{}\u{a0}{ranges}", noun(group.blocks.len(), "block"))
    };
    if tuples.is_empty() || tuples.len() < group.kept.len() {
        blocks()
    } else if tuples.len() as u64 == group.total && tuples.len() <= MAX_NAMES {
        format!("{}\u{a0}{}", noun(group.total, "tuple"), tuples.join(" "))
    } else {
        format!("{} in {}", noun(group.total, "tuple"), blocks())
    }
}

fn subject(key: &GroupKey, group: &Group) -> Subject {
    match &key.place {
        Place::Fork(locator, _) => Subject::Relation(*locator),
        Place::File(path) => {
            let (folder, name) = split(path);
            let message = group.kept.first().map_or("", |first| &first.message);
            Subject::Files {
                folder: folder.to_owned(),
                code: key.code,
                shape: shape(message, name),
            }
        }
    }
}

/// A message without the file's name and without numbers, so that the same fault in several
/// files is recognised.
fn shape(message: &str, name: &str) -> String {
    let mut shape = String::new();
    for c in message.replace(name, "").chars() {
        if !c.is_ascii_digit() {
            shape.push(c);
        } else if !shape.ends_with('0') {
            shape.push('0');
        }
    }
    shape
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or((".", path))
}

fn shorten(mut names: Vec<String>, limit: usize, separator: &str) -> String {
    let more = names.len().saturating_sub(limit);
    if more > 0 {
        names.truncate(limit);
        names.push(format!("and {}\u{a0}more", thousands(more as u64)));
    }
    names.join(separator)
}

/// Keeps the words of a text on one line.
fn glue(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// Whether nothing is wrong but that pages are ahead of the WAL.
fn is_ahead(groups: &Groups<'_>) -> bool {
    let mut codes = groups.iter().map(|(key, _)| key.code);
    codes.all(|code| code == page_lsn_beyond_wal::CHECK.code)
}

fn locator(key: &GroupKey) -> Option<RelFileLocator> {
    match key.place {
        Place::Fork(locator, _) => Some(locator),
        Place::File(_) => None,
    }
}

fn holds_rows(relation: &RelationSummary) -> bool {
    relation.tuples + relation.rows + relation.unreadable_tuples > 0
}

/// Database and OID of the table that `pg_toast_OID` belongs to.
fn toast_owner_oid(relation: &RelationSummary) -> Option<(u32, u32)> {
    let oid = relation.name.name.as_deref()?.strip_prefix("pg_toast_")?;
    Some((relation.locator.db_oid, oid.parse().ok()?))
}

/// Whether `path` is a relation's first file or a later segment of it.
fn is_segment_of(path: &str, first: &str) -> bool {
    path.strip_prefix(first)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
