//! What a directory's report answers to a message: what of the evidence it can be about.
//!
//! A finding answers a message if its check is among those that decide the message's cause
//! and it is about the same object: file, relation and block, transaction, WAL position. A
//! message that names no object is answered by every finding of its checks.

use super::{Kind, Recognised};
use crate::finding::{Finding, Group, GroupKey, Place};
use crate::format::types::{RelFileLocator, XLogRecPtr};
use crate::report::units::{count, thousands};
use crate::report::{Report, StopKind};
use std::collections::BTreeSet;

/// What the evidence says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Damage that stays is behind it.
    pub confirmed: bool,
    /// Each in one sentence.
    pub lines: Vec<String>,
}

/// Answers a message from a report.
#[must_use]
pub fn answer(report: &Report, recognised: &Recognised) -> Answer {
    let objects = Objects::of(report, recognised);
    let mut answer = Answer {
        confirmed: false,
        lines: Vec::new(),
    };
    start(report, recognised, &mut answer);
    let mut elsewhere: Vec<String> = Vec::new();
    for (key, group) in report.findings.groups() {
        if !recognised.message.checks.contains(&key.code) {
            continue;
        }
        let matching = objects.matching(key, group);
        if matching.is_empty() {
            elsewhere.push(key.code.to_owned());
            continue;
        }
        answer.confirmed |= key.is_lasting_damage();
        answer
            .lines
            .push(sentence(report, key, group, &matching, objects.is_empty()));
    }
    if answer.lines.is_empty() {
        let mut line = "nothing in this directory confirms it; it may have healed or belong to \
                        another time"
            .to_owned();
        elsewhere.dedup();
        if !elsewhere.is_empty() {
            line.push_str(&format!(
                "; its checks found other things: {}",
                elsewhere.join(", ")
            ));
        }
        answer.lines.push(line);
    }
    answer
}

/// What the dry run of the next start says of it.
fn start(report: &Report, recognised: &Recognised, answer: &mut Answer) {
    let text = recognised.text.as_str();
    let failure = report
        .verdict
        .startup
        .as_ref()
        .and_then(|startup| startup.message.as_deref());
    let fails_so = |failure: &str| {
        let said = failure
            .split_once(": ")
            .map_or(failure, |(_, said)| said.trim_start());
        said == text
            || said
                .strip_prefix(text)
                .is_some_and(|rest| rest.starts_with(" at "))
    };
    if failure.is_some_and(fails_so) {
        answer.confirmed = true;
        answer.lines.push("the next start fails with it".to_owned());
    }
    let Some(wal) = &report.wal else { return };
    if wal.stop_reason.as_deref() == Some(text) {
        answer.confirmed |= wal.stop_kind != StopKind::EndOfWal;
        answer.lines.push(
            match wal.stop_kind {
                StopKind::EndOfWal => {
                    "the next start says it too, where writing ended: that is normal"
                }
                StopKind::Damage => {
                    "the next start says it too, although valid WAL follows: what is behind it \
                     would be lost"
                }
                StopKind::MissingSegment => {
                    "the next start stops there too, for a segment is missing although later \
                     ones are there"
                }
            }
            .to_owned(),
        );
        return;
    }
    let lsn = recognised
        .values
        .iter()
        .find(|value| value.kind == Kind::Lsn);
    let lsn = lsn.and_then(|value| XLogRecPtr::parse(&value.text));
    if let (Some(lsn), Some(first), Some(end)) = (lsn, wal.first_lsn, wal.end_lsn)
        && recognised.message.consequence == super::Consequence::EndOfWal
        && (first..end).contains(&lsn)
    {
        answer.lines.push(format!(
            "the WAL can be read beyond it now, up to {end}; what stood behind it then is not told"
        ));
    }
}

/// What a message names, as far as findings can be told by it.
struct Objects<'a> {
    /// Files, as the message has them.
    files: Vec<&'a str>,
    /// Relations it names by file or name.
    locators: BTreeSet<RelFileLocator>,
    blocks: Vec<u32>,
    /// Transactions, multixacts, positions: looked for as words of what a finding says.
    words: Vec<String>,
    lsns: Vec<XLogRecPtr>,
    segments: Vec<&'a str>,
}

impl<'a> Objects<'a> {
    fn of(report: &Report, recognised: &'a Recognised) -> Self {
        let mut objects = Self {
            files: Vec::new(),
            locators: BTreeSet::new(),
            blocks: Vec::new(),
            words: Vec::new(),
            lsns: Vec::new(),
            segments: Vec::new(),
        };
        for value in &recognised.values {
            let text = value.text.as_str();
            match value.kind {
                Kind::File | Kind::FileIn(_) | Kind::Relation => {
                    objects.files.push(text);
                    let named = report.relations.iter().filter(|relation| {
                        relation.path == first_segment(text)
                            || relation.name.name.as_deref() == Some(text)
                    });
                    objects
                        .locators
                        .extend(named.map(|relation| relation.locator));
                }
                Kind::Block => objects.blocks.extend(text.parse::<u32>().ok()),
                Kind::Xid | Kind::MultiXact => objects.words.push(text.to_owned()),
                Kind::Lsn => {
                    let lsn = XLogRecPtr::parse(text);
                    objects.lsns.extend(lsn);
                    // As findings print it, without the padding of 19.
                    objects.words.extend(lsn.map(|lsn| lsn.to_string()));
                }
                Kind::Segment => objects.segments.push(text),
                Kind::Other(_) => {}
            }
        }
        objects
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.words.is_empty()
            && self.lsns.is_empty()
            && self.segments.is_empty()
    }

    /// Whether it names a file of the evidence; messages of a start have the whole path.
    fn names(&self, path: &str) -> bool {
        self.files.iter().any(|file| {
            let folder = file.strip_suffix(path);
            folder.is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
        })
    }

    fn matching<'f>(&self, key: &GroupKey, group: &'f Group) -> Vec<&'f Finding> {
        let kept = group.kept.iter();
        if self.is_empty() {
            return kept.collect();
        }
        let of_relation = match &key.place {
            Place::Fork(locator, _) => self.locators.contains(locator),
            Place::File(_) => false,
        };
        kept.filter(|finding| {
            let location = &finding.location;
            let at_block = self.blocks.is_empty()
                || location
                    .block
                    .is_none_or(|block| self.blocks.contains(&block));
            (of_relation || self.names(&location.path)) && at_block
                || self.lsns.iter().any(|lsn| location.lsn == Some(*lsn))
                || self
                    .segments
                    .iter()
                    .any(|name| location.path.ends_with(name))
                || self.words.iter().any(|word| says(finding, word))
        })
        .collect()
    }
}

/// The path of a relation's first file: without number of segment and fork.
fn first_segment(path: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let path = match path.rsplit_once('.') {
        Some((first, segment)) if digits(segment) => first,
        _ => path,
    };
    ["_fsm", "_vm", "_init"]
        .iter()
        .find_map(|fork| path.strip_suffix(fork))
        .unwrap_or(path)
}

/// Whether a finding speaks of a number or position.
fn says(finding: &Finding, word: &str) -> bool {
    let texts = [
        Some(&finding.message),
        finding.found.as_ref(),
        finding.server_error.as_ref(),
    ];
    texts.into_iter().flatten().any(|text| {
        text.split(|c: char| !c.is_alphanumeric() && c != '/')
            .any(|other| other == word)
    })
}

fn sentence(
    report: &Report,
    key: &GroupKey,
    group: &Group,
    matching: &[&Finding],
    all: bool,
) -> String {
    let first = matching.first();
    let location = first.map(|finding| &finding.location);
    let place = match &key.place {
        Place::Fork(locator, _) => {
            let relation = report.relations.iter().find(|r| r.locator == *locator);
            relation
                .and_then(|r| r.name.qualified().or(Some(r.path.clone())))
                .unwrap_or_else(|| locator.to_string())
        }
        Place::File(path) => path.to_string(),
    };
    let number = if all {
        group.total
    } else {
        matching.len() as u64
    };
    let what = match location {
        Some(l) if number == 1 && l.block.is_some() => {
            let block = l.block.unwrap_or(0);
            match l.offset_number {
                Some(item) => format!("tuple ({block},{item}) of {place}"),
                None => format!("block {block} of {place}"),
            }
        }
        Some(l) if l.offset_number.is_some() => format!("{} of {place}", count(number, "tuple")),
        Some(l) if l.block.is_some() => format!("{} of {place}", count(number, "block")),
        _ => place,
    };
    let message = first.map_or("", |finding| finding.message.as_str());
    let more = match group.total - number.min(group.total) {
        0 => String::new(),
        more => format!("; {} more like it there", thousands(more)),
    };
    let fate = match key.recovery {
        crate::finding::Recovery::Heals => "; replay heals it",
        crate::finding::Recovery::Unknown | crate::finding::Recovery::Persists => "",
    };
    format!("{what}: {message}{more}{fate} [{}]", key.code)
}
