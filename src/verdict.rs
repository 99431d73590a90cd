//! What to tell the operator.

use crate::check::Examination;
use crate::cluster::Fact;
use crate::finding::{Findings, Place, Recovery, Severity};
use crate::format::slru::Slru;
use crate::format::types::{ForkNumber, RelFileLocator, TimeLineID, TimestampTz, XLogRecPtr};
use crate::format::version::Major;
use crate::recovery::gate;
use crate::recovery::stop::{Stop, StopCause};
use crate::report::units::{count, size, thousands};
use crate::report::{RelationName, RelationSummary, StopKind, WalSummary};
use serde::Serialize;
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
    for (key, group) in findings.groups() {
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
                wal_blocks: plan.map_or(0, |plan| {
                    plan.changed_blocks(fork.locator, ForkNumber::Main)
                }),
                damage: damage.remove(&fork.locator).unwrap_or_default(),
            }
        })
        .collect();
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
    Verdict {
        status,
        headline: headline(status, startup.as_ref(), &loss, relations),
        next_steps: next_steps(
            examination,
            status,
            startup.as_ref(),
            &loss,
            findings,
            relations,
            wal,
        ),
        loss,
        startup,
    }
}

/// Whether committed rows vanish although the WAL is whole: redo makes a lost commit log anew
/// with what it knows itself (`slru.c: SlruPhysicalReadPage`, "reading as zeroes").
fn loses_in_silence(examination: &Examination<'_>, findings: &Findings) -> bool {
    let plan = examination.recovery.and_then(|run| run.plan.as_ref());
    let made_anew = plan.zip(examination.cluster.layout).map(|(plan, layout)| {
        let next = u64::from(plan.counters.next_xid.xid().0);
        let place = Slru::Xact.locate(next, &layout);
        Slru::Xact.segment_path(place.segno, &layout)
    });
    findings.groups().any(|(key, _)| {
        let lasts = key.severity >= Severity::Damage && key.recovery != Recovery::Heals;
        let lost = key.code == "clog-segment-missing"
            && matches!(&key.place, Place::File(path) if made_anew.as_deref() == Some(&**path));
        lasts && lost
    })
}

/// The code of pages that are ahead of the WAL. They can be read; what is missing is the WAL.
const AHEAD: &str = "page-lsn-beyond-wal";

/// Relations of which something cannot be read.
fn broken(relations: &[RelationSummary]) -> impl Iterator<Item = &RelationSummary> {
    relations
        .iter()
        .filter(|relation| relation.damage.keys().any(|code| *code != AHEAD))
}

/// Relations with nothing worse than pages that are ahead of the WAL.
fn ahead(relations: &[RelationSummary]) -> u64 {
    relations
        .iter()
        .filter(|relation| relation.damage.keys().eq([&AHEAD]))
        .count() as u64
}

fn startup(examination: &Examination<'_>, wal: Option<&WalSummary>) -> Option<Startup> {
    let cluster = examination.cluster;
    let Some(run) = examination.recovery else {
        // pg_control is missing or refused: the server goes no further.
        let refusal = match (&cluster.control, cluster.version) {
            (Fact::Present(reading), Some(version)) => reading.refusal(version),
            _ => None,
        };
        let message = gate::before_wal(examination.evidence, cluster)
            .or(refusal.map(|r| format!("{}: {}", r.severity, r.message)));
        return Some(Startup {
            outcome: Outcome::Fails,
            message,
            redo_start: None,
            redo_done: None,
            end_of_wal: None,
            timeline: None,
            last_completed_transaction: None,
            silent_loss: false,
        });
    };
    Some(Startup {
        outcome: if examination.refusal.is_some() {
            Outcome::Fails
        } else {
            run.outcome
        },
        message: examination
            .refusal
            .map(str::to_owned)
            .or_else(|| run.failure.clone()),
        redo_start: run.redo_start,
        redo_done: run.redo_done,
        end_of_wal: run.end_of_wal,
        timeline: Some(run.timeline),
        last_completed_transaction: run.plan.as_ref().and_then(|plan| plan.last_completed),
        silent_loss: run.outcome != Outcome::Fails
            && wal.is_some_and(|wal| wal.stop_kind != StopKind::EndOfWal),
    })
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
    let mut relations: Vec<LostRecords> = ledger
        .relations
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
    vec![Loss {
        cause,
        from_lsn: run.end_of_wal,
        to_lsn: beyond.end(),
        commits: ledger.commits,
        first_commit: ledger.first_commit,
        last_commit: ledger.last_commit,
        relations,
    }]
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
        Status::NeedsRecovery => {
            "Nothing is damaged. The next start replays the WAL and is then ready.".to_owned()
        }
        Status::Unusable => match startup.and_then(|startup| startup.message.as_deref()) {
            Some(message) => format!("The server does not start: {message}"),
            None => "The server must not be started like this.".to_owned(),
        },
        Status::Damaged => {
            let commits = loss.iter().map(|loss| loss.commits).sum();
            let what = match (broken(relations).count() as u64, ahead(relations)) {
                (1, _) => "1 relation cannot be read in full.".to_owned(),
                (n, _) if n > 1 => format!("{} relations cannot be read in full.", thousands(n)),
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

fn next_steps(
    examination: &Examination<'_>,
    status: Status,
    startup: Option<&Startup>,
    loss: &[Loss],
    findings: &Findings,
    relations: &[RelationSummary],
    wal: Option<&WalSummary>,
) -> Vec<String> {
    if status == Status::Healthy || status == Status::NeedsRecovery {
        return Vec::new();
    }
    let since_10 = examination
        .cluster
        .version
        .is_some_and(|v| v.since(Major::V10));
    let reset = if since_10 {
        "pg_resetwal"
    } else {
        "pg_resetxlog"
    };
    let mut steps = vec![
        "Copy the directory as it is, with its tablespaces and WAL, before anything else. Work \
         on the copy."
            .to_owned(),
    ];
    let has = |code: &str| {
        findings.groups().any(|(key, _)| {
            key.code == code && key.severity >= Severity::Damage && key.recovery != Recovery::Heals
        })
    };
    let drops = match wal {
        Some(wal) if wal.commits > 0 => format!(
            " and drops {} of WAL with {}",
            size(wal.redo_bytes),
            count(wal.commits, "commit")
        ),
        Some(wal) if wal.redo_bytes > 0 && wal.records > 0 => {
            format!(" and drops {} of WAL", size(wal.redo_bytes))
        }
        _ => String::new(),
    };
    let starts = startup.is_some_and(|startup| startup.outcome != Outcome::Fails);
    if starts {
        steps.push(format!("Do not run {reset}: it mends nothing here{drops}."));
    } else {
        steps.push(format!(
            "Do not run {reset} on the only copy: it makes the server start by forgetting what the \
             WAL holds{}.",
            if drops.is_empty() {
                ""
            } else {
                ", and what it drops is gone"
            }
        ));
    }
    let made_up = findings
        .groups()
        .filter(|(key, group)| {
            key.code == "clog-segment-foreign"
                && group
                    .kept
                    .iter()
                    .any(|finding| finding.message.contains("made by hand"))
        })
        .count() as u64;
    if made_up > 0 {
        steps.push(format!(
            "In the copy, remove the {} made by hand: they turn unreadable rows into silently \
             missing ones. Without them a query that meets such a row says so.  (pgautopsy explain \
             clog-segment-foreign)",
            count(made_up, "clog file")
        ));
    } else if has("clog-segment-missing") {
        steps.push(
            "Do not make the missing clog files with dd: rows that need them would count as \
             aborted. Get them from a backup or a standby."
                .to_owned(),
        );
    }
    if silent_or_failed(startup) {
        steps.push(
            "Look for the missing WAL before any start: an archive, a standby, pg_receivewal, or a \
             .partial file. Name its folder with --wal-archive and run this again."
                .to_owned(),
        );
    }
    let ahead = ahead(relations);
    if ahead > 0 {
        let relations = count(ahead, "relation");
        steps.push(format!(
            "Mind that pages of {relations} are ahead of the WAL there is: with the missing WAL \
             they agree again. Without it tables and indexes contradict each other, and rows of \
             unfinished transactions may show; then dump the copy, load it into a new cluster, and \
             check constraints there.  (pgautopsy explain {AHEAD})"
        ));
    }
    let broken: Vec<&RelationSummary> = broken(relations).collect();
    if !broken.is_empty() {
        let indexes = broken
            .iter()
            .all(|relation| relation.name.kind == Some("index"));
        let name = |relation: &RelationSummary| {
            let name = relation.name.qualified();
            name.unwrap_or_else(|| relation.path.clone())
        };
        let which = match &broken[..] {
            [one] => name(one),
            [one, two] => format!("{} and {}", name(one), name(two)),
            [first, second, rest @ ..] => format!(
                "{}, {} and {} more",
                name(first),
                name(second),
                thousands(rest.len() as u64)
            ),
            [] => String::new(),
        };
        steps.push(if indexes {
            format!("Start the copy and REINDEX {which}: no rows are lost with an index.")
        } else {
            format!(
                "Restore {which} from a backup or a standby if there is one. Else start the copy, \
                 dump every other table first, then take what can be read of {which}: rows outside \
                 the damaged blocks, by ctid; with zero_damaged_pages = on in that session the \
                 blocks that cannot be read count as empty, and are lost for good."
            )
        });
    }
    steps.push(
        if broken.is_empty() && !loss.is_empty() {
            "Find out what took the WAL before the disk is used again: disk, controller, memory, \
             a cleaning script, or a copying tool."
        } else {
            "Find out what wrote there before the disk is used again: memory, controller, disk, a \
             second mount, or a copying tool."
        }
        .to_owned(),
    );
    steps
}

fn silent_or_failed(startup: Option<&Startup>) -> bool {
    startup.is_some_and(|startup| {
        startup.silent_loss
            || startup.message.as_deref().is_some_and(|message| {
                message.contains("checkpoint record") || message.contains("WAL ends")
            })
    })
}
