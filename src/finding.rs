//! What a check has to say, and the bounded collection that keeps it.

use crate::checks::Check;
use crate::format::types::{BlockNumber, ForkNumber, OffsetNumber, RelFileLocator, XLogRecPtr};
use roaring::RoaringBitmap;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use crate::format::cause::Confidence;

/// How bad it is for the data or for the start of the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; a healthy cluster has such things.
    Note,
    /// No healthy cluster should have it, but nothing is lost by it.
    Abnormal,
    /// Data cannot be read, or is wrong.
    Damage,
    /// The server cannot start, or must not be started.
    Fatal,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Abnormal => "abnormal",
            Self::Damage => "damage",
            Self::Fatal => "fatal",
        })
    }
}

/// What WAL replay will do to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Recovery {
    /// Replay rebuilds, drops or resets what is wrong.
    Heals,
    /// Nobody can tell: the WAL that would decide it cannot be read.
    Unknown,
    /// Replay leaves it as it is.
    Persists,
}

/// Where it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Location {
    /// Path below the data directory.
    pub path: Arc<str>,
    /// Block within the fork.
    pub block: Option<BlockNumber>,
    /// Line pointer.
    pub offset_number: Option<OffsetNumber>,
    /// Byte within the file.
    pub byte_offset: Option<u64>,
    /// Position in the WAL.
    pub lsn: Option<XLogRecPtr>,
    /// The relation's files, when it is about a relation.
    pub relation: Option<(RelFileLocator, ForkNumber, u32)>,
}

impl Location {
    /// A whole file.
    #[must_use]
    pub fn file(path: &str) -> Self {
        Self {
            path: Arc::from(path),
            block: None,
            offset_number: None,
            byte_offset: None,
            lsn: None,
            relation: None,
        }
    }

    /// A byte of it.
    #[must_use]
    pub fn at_byte(mut self, byte_offset: u64) -> Self {
        self.byte_offset = Some(byte_offset);
        self
    }

    /// A line pointer, or its tuple, so many bytes behind the beginning of its block.
    #[must_use]
    pub fn within_block(mut self, offnum: Option<OffsetNumber>, page_offset: u64) -> Self {
        self.offset_number = offnum;
        self.byte_offset = self.byte_offset.map(|at| at.saturating_add(page_offset));
        self
    }

    /// A WAL position.
    #[must_use]
    pub fn at_lsn(mut self, lsn: XLogRecPtr) -> Self {
        self.lsn = Some(lsn);
        self
    }
}

/// One thing found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The check that found it: code, explanation, remedy.
    pub check: &'static Check,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What replay does to it.
    pub recovery: Recovery,
    /// Where.
    pub location: Location,
    /// One factual line.
    pub message: String,
    /// What was there.
    pub found: Option<String>,
    /// What should be there.
    pub expected: Option<String>,
    /// What a query that reads all of it will say, as `COPY` does, where that can be told: not
    /// where it hangs on what happens to lie in memory. Of a page ahead of the WAL, what is
    /// said when it is written; of what stops the start, what the start says.
    pub server_error: Option<String>,
    /// What to do about this one, where that differs from the check's own remedy.
    pub remedy: Option<String>,
}

impl Finding {
    /// With the check's own severity, certain, and untouched by replay.
    #[must_use]
    pub fn new(check: &'static Check, location: Location, message: impl Into<String>) -> Self {
        Self {
            check,
            severity: check.severity,
            confidence: Confidence::Certain,
            recovery: Recovery::Persists,
            location,
            message: message.into(),
            found: None,
            expected: None,
            server_error: None,
            remedy: None,
        }
    }

    /// With another severity than the check's usual one.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// With a confidence.
    #[must_use]
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// With what replay does to it.
    #[must_use]
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// With what was there and what should be.
    #[must_use]
    pub fn found_expected(mut self, found: impl ToString, expected: impl ToString) -> Self {
        self.found = Some(found.to_string());
        self.expected = Some(expected.to_string());
        self
    }

    /// With what a query that reads it will say.
    #[must_use]
    pub fn server_error(mut self, text: impl Into<String>) -> Self {
        self.server_error = Some(text.into());
        self
    }

    /// Whether it is damage that stays.
    #[must_use]
    pub fn is_lasting_damage(&self) -> bool {
        self.severity >= Severity::Damage && self.recovery != Recovery::Heals
    }

    fn order(&self) -> (&Location, &'static str) {
        (&self.location, self.check.code)
    }
}

/// What is folded into one line of the report: the findings of one check on one file, or on
/// one fork of one relation, that share a severity and a fate.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupKey {
    /// The check's code.
    pub code: &'static str,
    /// The relation's fork, or else the file.
    pub place: Place,
    /// How bad.
    pub severity: Severity,
    /// What replay does to it.
    pub recovery: Recovery,
}

impl GroupKey {
    fn of(finding: &Finding) -> Self {
        let place = match &finding.location.relation {
            Some((locator, fork, _)) => Place::Fork(*locator, *fork),
            None => Place::File(finding.location.path.clone()),
        };
        Self {
            code: finding.check.code,
            place,
            severity: finding.severity,
            recovery: finding.recovery,
        }
    }

    /// Whether it is damage that stays.
    #[must_use]
    pub fn is_lasting_damage(&self) -> bool {
        self.severity >= Severity::Damage && self.recovery != Recovery::Heals
    }
}

/// A relation's fork, or else a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// All segments of one fork.
    Fork(RelFileLocator, ForkNumber),
    /// One file.
    File(Arc<str>),
}

/// Findings of one [`GroupKey`].
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The first ones, in order of location.
    pub kept: Vec<Finding>,
    /// How many there are.
    pub total: u64,
    /// The blocks they are in.
    pub blocks: RoaringBitmap,
}

/// Keeps the first findings of each group and counts the rest, so that a broken disk cannot
/// exhaust memory. Which ones are kept depends on their place alone, not on the order in
/// which threads find them.
#[derive(Clone, Debug)]
pub struct Findings {
    groups: BTreeMap<GroupKey, Group>,
    limit: usize,
    damage: u64,
}

impl Findings {
    /// Keeps `limit` findings of each group.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            groups: BTreeMap::new(),
            limit,
            damage: 0,
        }
    }

    /// Takes one in.
    pub fn push(&mut self, finding: Finding) {
        let key = GroupKey::of(&finding);
        self.damage += u64::from(key.is_lasting_damage());
        let group = self.groups.entry(key).or_default();
        group.total += 1;
        if let Some(block) = finding.location.block {
            group.blocks.insert(block);
        }
        keep_first(&mut group.kept, finding, self.limit);
    }

    /// Whether a finding would be kept, not only counted: what takes long to find out about
    /// it is worth it for those alone.
    #[must_use]
    pub fn would_keep(&self, finding: &Finding) -> bool {
        let kept = self.groups.get(&GroupKey::of(finding));
        kept.map_or(0, |group| place_among(&group.kept, finding)) < self.limit
    }

    /// Takes in all of another collection.
    pub fn merge(&mut self, other: Self) {
        self.damage += other.damage;
        for (key, more) in other.groups {
            let group = self.groups.entry(key).or_default();
            group.total += more.total;
            group.blocks |= more.blocks;
            for finding in more.kept {
                keep_first(&mut group.kept, finding, self.limit);
            }
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many are damage that stays.
    #[must_use]
    pub fn lasting_damage(&self) -> u64 {
        self.damage
    }

    /// The groups, by code and place.
    pub fn groups(&self) -> impl Iterator<Item = (&GroupKey, &Group)> {
        self.groups.iter()
    }

    /// Every kept finding, in the order of the report: path, block, line pointer, code.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.groups.values().flat_map(|g| &g.kept).collect();
        all.sort_by(|a, b| a.order().cmp(&b.order()));
        all
    }

    /// How many findings of a code there are beyond those kept.
    #[must_use]
    pub fn suppressed(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for (key, group) in &self.groups {
            let more = group.total - group.kept.len() as u64;
            if more > 0 {
                *counts.entry(key.code).or_default() += more;
            }
        }
        counts
    }
}

fn keep_first(kept: &mut Vec<Finding>, finding: Finding, limit: usize) {
    let at = place_among(kept, &finding);
    if at < limit {
        kept.insert(at, finding);
        kept.truncate(limit);
    }
}

fn place_among(kept: &[Finding], finding: &Finding) -> usize {
    kept.partition_point(|other| other.order() <= finding.order())
}
