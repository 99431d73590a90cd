//! What to tell the operator.

mod next_steps;
pub mod patterns;
mod startup;

use crate::check::Examination;
use crate::checks::{
    clog_segment_missing, lost_write, page_lsn_beyond_wal, page_misplaced, relation_cut_off,
    two_phase_file_invalid, zero_page,
};
use crate::finding::{Findings, Place, Recovery, Severity};
use crate::format::names::relation_path;
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru};
use crate::format::types::{ForkNumber, RelFileLocator, TimeLineID, TimestampTz, XLogRecPtr};
use crate::format::version::Major;
use crate::recovery::copies::OtherCopy;
use crate::recovery::stop::{Stop, StopCause};
use crate::report::units::{count, thousands};
use crate::report::{RelationName, RelationSummary, StopKind, WalSummary};
use crate::scan::tally::Lack;
use next_steps::NextSteps;
use patterns::{Pattern, patterns};
use roaring::RoaringBitmap;
use serde::Serialize;
use startup::startup;
use std::collections::BTreeMap;

/// The state of the directory in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing is damaged and nothing needs recovery.
    Healthy,
    /// Nothing is damaged; the next start replays WAL.
    NeedsRecovery,
    /// Something is damaged that replay does not mend.
    Damaged,
    /// The server cannot start.
    Unusable,
}

/// What the matching server does when it is started on the directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was shut down cleanly and starts at once.
    Clean,
    /// It replays its own WAL.
    CrashRecovery,
    /// It follows an archive or a primary.
    ArchiveRecovery,
    /// It stops with an error.
    Fails,
}

/// The prediction of the next start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Startup {
    /// What happens.
    pub outcome: Outcome,
    /// The FATAL or PANIC text when it fails.
    pub message: Option<String>,
    /// First record replayed ("redo starts at").
    pub redo_start: Option<XLogRecPtr>,
    /// Last record replayed ("redo done at").
    pub redo_done: Option<XLogRecPtr>,
    /// End of the last valid record.
    pub end_of_wal: Option<XLogRecPtr>,
    /// The timeline it continues on.
    pub timeline: Option<TimeLineID>,
    /// Time of the last commit or abort replayed.
    pub last_completed_transaction: Option<TimestampTz>,
    /// It starts, and says nothing about what it lost.
    pub silent_loss: bool,
    /// What a standby waits for before it lets anybody in.
    pub waits_for: Option<String>,
    /// The settings of the recovery that is asked for, by name.
    pub settings: Vec<(String, String)>,
    /// What could make it come out otherwise, in a sentence each.
    pub conditions: Vec<String>,
}

/// What starting now, or resetting the WAL, loses for one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// The reason.
    pub cause: String,
    /// From here.
    pub from_lsn: Option<XLogRecPtr>,
    /// To here.
    pub to_lsn: Option<XLogRecPtr>,
    /// Commits in between.
    pub commits: u64,
    /// Time of the first of them.
    pub first_commit: Option<TimestampTz>,
    /// Time of the last.
    pub last_commit: Option<TimestampTz>,
    /// Relations that the lost records change, those with most records first.
    pub relations: Vec<LostRecords>,
    /// Files that hold some of it all the same.
    pub other_copies: Vec<OtherCopy>,
}

/// What is lost of one relation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostRecords {
    /// Its files.
    pub locator: RelFileLocator,
    /// Its name.
    pub name: RelationName,
    /// WAL records that change it.
    pub records: u64,
}

/// The whole verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// In one word.
    pub status: Status,
    /// In one or two sentences, for the first line of the report.
    pub headline: String,
    /// The next start; `None` when nothing could be established.
    pub startup: Option<Startup>,
    /// What would be lost.
    pub loss: Vec<Loss>,
    /// What may lie behind the findings.
    pub patterns: Vec<Pattern>,
    /// What `pg_resetwal` (`pg_resetxlog` up to 9.6) would throw away here.
    pub pg_resetwal: Option<Loss>,
    /// What to do, in order.
    pub next_steps: Vec<String>,
}

/// Relations with what could be read of them and what is wrong with them.
#[must_use]
pub fn relations(examination: &Examination<'_>, findings: &Findings) -> Vec<RelationSummary> {
    let (Some(tally), Some(layout)) = (examination.tally, examination.cluster.layout) else {
        return Vec::new();
    };
    let plan = examination.recovery.and_then(|run| run.plan.as_ref());
    let mut damage: BTreeMap<RelFileLocator, BTreeMap<&'static str, u64>> = BTreeMap::new();
    let mut healed: BTreeMap<RelFileLocator, RoaringBitmap> = BTreeMap::new();
    let mut cut_off: BTreeMap<RelFileLocator, u64> = BTreeMap::new();
    for (key, group) in findings.groups() {
        if let Place::Fork(locator, ForkNumber::Main) = key.place {
            if key.severity >= Severity::Damage && key.recovery == Recovery::Heals {
                *healed.entry(locator).or_default() |= &group.blocks;
            }
            if key.code == relation_cut_off::CHECK.code && key.severity >= Severity::Damage {
                cut_off.insert(locator, relation_cut_off::blocks_lost(group));
            }
        }
        if let Place::Fork(locator, _) = key.place
            && key.severity >= Severity::Damage
            && key.recovery != Recovery::Heals
        {
            *damage
                .entry(locator)
                .or_default()
                .entry(key.code)
                .or_default() += group.total;
        }
    }
    let mut relations: Vec<RelationSummary> = examination
        .forks
        .iter()
        .enumerate()
        .filter(|(_, fork)| fork.fork == ForkNumber::Main && !fork.temporary)
        .map(|(number, fork)| {
            let counts = tally.forks.get(&number).cloned().unwrap_or_default();
            RelationSummary {
                name: examination.names.name(fork.locator),
                locator: fork.locator,
                path: fork.path.to_string(),
                blocks: fork.blocks(&layout),
                tuples: counts.tuples,
                rows: counts.rows,
                unreadable_tuples: counts.unreadable_tuples,
                unreadable_blocks: counts.unreadable.len(),
                healed_blocks: healed.get(&fork.locator).map_or(0, RoaringBitmap::len),
                lost_blocks: fork.missing_blocks(&layout)
                    + cut_off.get(&fork.locator).copied().unwrap_or(0),
                wal_blocks: plan.map_or(0, |plan| {
                    plan.changed_blocks(fork.locator, ForkNumber::Main)
                }),
                damage: damage.remove(&fork.locator).unwrap_or_default(),
            }
        })
        .collect();
    // What is left are relations without a file.
    let lost = damage.into_iter().map(|(locator, damage)| RelationSummary {
        name: examination.names.name(locator),
        locator,
        path: relation_path(layout.version, locator, ForkNumber::Main, 0),
        blocks: 0,
        tuples: 0,
        rows: 0,
        unreadable_tuples: 0,
        unreadable_blocks: 0,
        healed_blocks: 0,
        lost_blocks: examination
            .names
            .relation(locator)
            .and_then(|relation| u64::try_from(relation.class.relpages).ok())
            .unwrap_or(0),
        wal_blocks: 0,
        damage,
    });
    relations.extend(lost);
    relations.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    relations
}

/// Puts together what to tell the operator.
#[must_use]
pub fn judge(
    examination: &Examination<'_>,
    findings: &Findings,
    relations: &[RelationSummary],
    wal: Option<&WalSummary>,
) -> Verdict {
    let mut startup = startup(examination, wal);
    if let Some(startup) = &mut startup
        && startup.outcome != Outcome::Fails
    {
        startup.silent_loss |= loses_in_silence(examination, findings);
    }
    let outcome = startup.as_ref().map(|startup| startup.outcome);
    let lasting = |severity| {
        findings
            .groups()
            .any(|(key, _)| key.severity >= severity && key.recovery != Recovery::Heals)
    };
    let status = if outcome == Some(Outcome::Fails) || lasting(Severity::Fatal) {
        Status::Unusable
    } else if lasting(Severity::Damage) {
        Status::Damaged
    } else if outcome == Some(Outcome::Clean) {
        Status::Healthy
    } else {
        Status::NeedsRecovery
    };
    let loss = loss(examination, wal);
    let pg_resetwal = reset_loss(examination);
    let steps = NextSteps {
        examination,
        status,
        startup: startup.as_ref(),
        loss: &loss,
        pg_resetwal: pg_resetwal.as_ref(),
        findings,
        relations,
    };
    Verdict {
        status,
        headline: headline(status, startup.as_ref(), &loss, relations),
        next_steps: steps.list(),
        patterns: patterns(examination, findings),
        loss,
        pg_resetwal,
        startup,
    }
}

/// Whether committed rows vanish although the WAL is whole: redo makes a lost commit log anew
/// with what it knows itself (`slru.c: SlruPhysicalReadPage`, "reading as zeroes").
fn loses_in_silence(examination: &Examination<'_>, findings: &Findings) -> bool {
    let plan = examination.recovery.and_then(|run| run.plan.as_ref());
    let made_anew = plan.zip(examination.cluster.layout).map(|(plan, layout)| {
        let next = u64::from(plan.counters.next_xid.xid().0);
        let segno = Slru::Xact.locate(next, &layout).segno;
        (segno, Slru::Xact.segment_path(segno, &layout))
    });
    // Without the scan nobody knows whether any tuple asks for it.
    let is_asked_for = |segno| {
        examination.tally.is_none_or(|tally| {
            tally.lacks.keys().any(|(lack, _)| match lack {
                Lack::ClogPage(page) => page / SLRU_PAGES_PER_SEGMENT == segno,
                _ => false,
            })
        })
    };
    findings.groups().any(|(key, _)| {
        let lasts = key.severity >= Severity::Damage && key.recovery != Recovery::Heals;
        let lost = key.code == clog_segment_missing::CHECK.code
            && made_anew.as_ref().is_some_and(|(segno, path)| {
                matches!(&key.place, Place::File(place) if **place == **path)
                    && is_asked_for(*segno)
            });
        // Up to 11 a prepared transaction goes with its file, and just a warning.
        lasts && (lost || key.code == two_phase_file_invalid::CHECK.code)
    })
}

/// The code of pages that are ahead of the WAL. They can be read; what is missing is the WAL.
const AHEAD: &str = page_lsn_beyond_wal::CHECK.code;

/// The codes of damage that the server does not notice: old, lost or doubled rows on pages
/// that are in order as such.
const UNNOTICED: [&str; 4] = [
    lost_write::CHECK.code,
    page_misplaced::CHECK.code,
    relation_cut_off::CHECK.code,
    zero_page::CHECK.code,
];

/// Relations of which something cannot be read.
fn broken(relations: &[RelationSummary]) -> impl Iterator<Item = &RelationSummary> {
    relations.iter().filter(|relation| {
        let mut codes = relation.damage.keys();
        codes.any(|code| *code != AHEAD && !UNNOTICED.contains(code))
    })
}

/// Relations that can be read in full, with rows that are old, lost or doubled.
fn unnoticed(relations: &[RelationSummary]) -> impl Iterator<Item = &RelationSummary> {
    relations.iter().filter(|relation| {
        let codes = || relation.damage.keys();
        codes().any(|code| UNNOTICED.contains(code))
            && codes().all(|code| *code == AHEAD || UNNOTICED.contains(code))
    })
}

/// Relations with nothing worse than pages that are ahead of the WAL.
fn ahead(relations: &[RelationSummary]) -> u64 {
    relations
        .iter()
        .filter(|relation| relation.damage.keys().eq([&AHEAD]))
        .count() as u64
}

fn loss(examination: &Examination<'_>, wal: Option<&WalSummary>) -> Vec<Loss> {
    let (Some(run), Some(wal)) = (examination.recovery, wal) else {
        return Vec::new();
    };
    let cause = match (wal.stop_kind, &run.stop) {
        (StopKind::EndOfWal, _) | (_, None) => return Vec::new(),
        (
            _,
            Some(Stop {
                cause: StopCause::MissingSegment { segment },
                ..
            }),
        ) => format!("WAL segment {segment} is missing"),
        (_, Some(_)) => {
            format!(
                "WAL is damaged: {}",
                wal.stop_reason.as_deref().unwrap_or_default()
            )
        }
    };
    let Some(beyond) = examination.beyond else {
        return Vec::new();
    };
    let ledger = &beyond.ledger;
    vec![Loss {
        cause,
        from_lsn: run.end_of_wal,
        to_lsn: beyond.end(),
        commits: ledger.commits,
        first_commit: ledger.first_commit,
        last_commit: ledger.last_commit,
        relations: lost_records(examination, &ledger.relations),
        other_copies: examination.other_copies.to_vec(),
    }]
}

/// The WAL from the redo point on, and what the next start does not reach, all of which
/// `pg_resetwal` leaves behind without replaying it (`pg_resetwal.c: KillExistingXLOG`).
fn reset_loss(examination: &Examination<'_>) -> Option<Loss> {
    let run = examination.recovery?;
    let plan = run.plan.as_ref()?;
    let behind = examination.beyond.map(|beyond| (beyond, &beyond.ledger));
    let mut records = plan.records_by_relation();
    for (locator, more) in behind.iter().flat_map(|(_, ledger)| &ledger.relations) {
        *records.entry(*locator).or_default() += more;
    }
    (run.records > 0 || behind.is_some()).then(|| Loss {
        cause: format!(
            "{} would throw away WAL that is not replayed",
            reset_tool(examination)
        ),
        from_lsn: run.redo_start,
        to_lsn: behind
            .and_then(|(beyond, _)| beyond.end())
            .or(run.end_of_wal),
        commits: plan.commits + behind.map_or(0, |(_, ledger)| ledger.commits),
        first_commit: plan
            .first_commit
            .or(behind.and_then(|(_, ledger)| ledger.first_commit)),
        last_commit: behind
            .and_then(|(_, ledger)| ledger.last_commit)
            .or(plan.last_commit),
        relations: lost_records(examination, &records),
        other_copies: Vec::new(),
    })
}

/// `pg_resetwal`, by the name it has in the version.
fn reset_tool(examination: &Examination<'_>) -> &'static str {
    match examination.cluster.version {
        Some(version) if !version.since(Major::V10) => "pg_resetxlog",
        _ => "pg_resetwal",
    }
}

/// Relations with their names, those with most records first.
fn lost_records(
    examination: &Examination<'_>,
    records: &BTreeMap<RelFileLocator, u64>,
) -> Vec<LostRecords> {
    let mut relations: Vec<LostRecords> = records
        .iter()
        .map(|(locator, records)| LostRecords {
            locator: *locator,
            name: examination.names.name(*locator),
            records: *records,
        })
        .collect();
    relations.sort_by(|a, b| {
        let names = || (&a.name, a.locator).cmp(&(&b.name, b.locator));
        b.records.cmp(&a.records).then_with(names)
    });
    relations
}

fn headline(
    status: Status,
    startup: Option<&Startup>,
    loss: &[Loss],
    relations: &[RelationSummary],
) -> String {
    let silent = startup.is_some_and(|startup| startup.silent_loss);
    match status {
        Status::Healthy => {
            "Nothing is damaged. The server was shut down cleanly and starts at once.".to_owned()
        }
        Status::NeedsRecovery if startup.is_some_and(|s| s.waits_for.is_some()) => {
            "Nothing is damaged. The standby lets nobody in until it gets more WAL.".to_owned()
        }
        Status::NeedsRecovery => {
            "Nothing is damaged. The next start replays the WAL and is then ready.".to_owned()
        }
        Status::Unusable => match startup.and_then(|startup| startup.message.as_deref()) {
            Some(message) => format!("The server does not start: {message}"),
            None => "The server must not be started like this.".to_owned(),
        },
        Status::Damaged => {
            let commits = loss.iter().map(|loss| loss.commits).sum();
            let old = unnoticed(relations).count() as u64;
            let what = match (broken(relations).count() as u64, ahead(relations)) {
                (1, _) => "1 relation cannot be read in full.".to_owned(),
                (n, _) if n > 1 => format!("{} relations cannot be read in full.", thousands(n)),
                _ if old > 0 => {
                    let lack = if old == 1 { "lacks" } else { "lack" };
                    format!("{} {lack} rows or changes of rows.", count(old, "relation"))
                }
                _ if !loss.is_empty() => {
                    let commits = count(commits, "commit");
                    format!("The WAL breaks off, with {commits} behind the break.")
                }
                (_, n) if n > 0 => {
                    let relations = count(n, "relation");
                    format!("WAL is missing that pages of {relations} were written by.")
                }
                _ => "Files that the server needs are damaged.".to_owned(),
            };
            let start = if silent {
                " The server starts, and says nothing of what it lost."
            } else if startup.is_some_and(|startup| startup.outcome != Outcome::Fails) {
                " The server starts and does not say so."
            } else {
                ""
            };
            format!("{what}{start}")
        }
    }
}
