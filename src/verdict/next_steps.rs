//! What to do, in order.

use super::{AHEAD, Loss, Outcome, Startup, Status, ahead, broken, reset_tool, unnoticed};
use crate::check::Examination;
use crate::finding::{Findings, Recovery, Severity};
use crate::messages::{Consequence, recognise};
use crate::recovery::copies::advice;
use crate::report::RelationSummary;
use crate::report::units::{count, size, thousands};

/// What the steps are chosen by.
pub(super) struct NextSteps<'a> {
    pub(super) examination: &'a Examination<'a>,
    pub(super) status: Status,
    pub(super) startup: Option<&'a Startup>,
    pub(super) loss: &'a [Loss],
    pub(super) pg_resetwal: Option<&'a Loss>,
    pub(super) findings: &'a Findings,
    pub(super) relations: &'a [RelationSummary],
}

impl NextSteps<'_> {
    pub(super) fn list(&self) -> Vec<String> {
        if self.status == Status::Healthy || self.status == Status::NeedsRecovery {
            return self.archive().into_iter().collect();
        }
        let Self {
            examination,
            startup,
            loss,
            findings,
            relations,
            ..
        } = *self;
        let reset = reset_tool(examination);
        let mut steps = vec![
            "Copy the directory as it is, with its tablespaces and WAL, before \
                 anything else. Work on the copy."
                .to_owned(),
        ];
        let has = |code: &str| {
            findings.groups().any(|(key, _)| {
                key.code == code
                    && key.severity >= Severity::Damage
                    && key.recovery != Recovery::Heals
            })
        };
        let damaged = findings
            .groups()
            .any(|(key, _)| key.severity >= Severity::Damage && key.recovery != Recovery::Heals);
        let drops = self.pg_resetwal.map(dropped).unwrap_or_default();
        let starts = startup.is_some_and(|startup| startup.outcome != Outcome::Fails);
        if starts {
            steps.push(format!("Do not run {reset}: it mends nothing here{drops}."));
        } else {
            steps.push(format!(
                "Do not run {reset} on the only copy: it makes the server start by \
                 forgetting what the WAL holds{}.",
                drops
            ));
        }
        steps.extend(self.against_refusal());
        steps.extend(self.archive());
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
                "In the copy, remove the {} made by hand: they turn unreadable rows \
                 into silently missing ones. Without them a query that meets such a \
                 row says so.  (pgautopsy explain clog-segment-foreign)",
                count(made_up, "clog file")
            ));
        } else if has("clog-segment-missing") {
            steps.push(
                "Do not make the missing clog files with dd: rows that need them would \
                 count as aborted. Get them from a backup or a standby."
                    .to_owned(),
            );
        }
        if has("clog-contradicts-wal") {
            steps.push(
                "Do not start the server before the commit log is mended: each scan writes what \
                 it says into the rows. Take its pages from a backup or standby, or replay the \
                 WAL from an older base backup.  (pgautopsy explain clog-contradicts-wal)"
                    .to_owned(),
            );
        }
        if let Some(advice) = advice(examination.other_copies) {
            steps.push(format!(
                "Bring back what is missing before any start. {advice}."
            ));
        } else if !loss.is_empty() || silent_or_failed(startup) {
            steps.push(
                "Look for the missing WAL before any start: an archive, a standby, \
                 pg_receivewal, or a .partial file. Name its folder with --wal-archive \
                 and run this again."
                    .to_owned(),
            );
        }
        let ahead = ahead(relations);
        if ahead > 0 {
            let relations = count(ahead, "relation");
            steps.push(format!(
                "Mind that pages of {relations} are ahead of the WAL there is: with \
                 the missing WAL they agree again. Without it tables and indexes \
                 contradict each other, and rows of unfinished transactions may show; \
                 then dump the copy, load it into a new cluster, and check constraints \
                 there.  (pgautopsy explain {AHEAD})"
            ));
        }
        let broken: Vec<&RelationSummary> = broken(relations).collect();
        if !broken.is_empty() {
            let which = named(&broken);
            steps.push(if are_indexes(&broken) {
                reindex(&which)
            } else {
                format!(
                    "Restore {which} from a backup or a standby if there is one. Else \
                 start the copy, dump every other table first, then take what can be \
                 read of {which}: rows outside the damaged blocks, by ctid; with \
                 zero_damaged_pages = on in that session the blocks that cannot be \
                 read count as empty, and are lost for good."
                )
            });
        }
        let unnoticed: Vec<&RelationSummary> = unnoticed(relations).collect();
        if !unnoticed.is_empty() {
            let which = named(&unnoticed);
            steps.push(if are_indexes(&unnoticed) {
                reindex(&which)
            } else {
                format!(
                    "Take {which} from a backup or a standby: every query works, and some \
                     rows are old, missing or there twice. Do not write to it or VACUUM it \
                     before. What the copy has of it, dump without its indexes (SET \
                     enable_indexscan = off), and compare."
                )
            });
        }
        if broken.is_empty() && loss.is_empty() && !damaged {
            // Nothing was written that should not be there.
            return steps;
        }
        steps.push(
            if broken.is_empty() && !loss.is_empty() {
                "Find out what took the WAL before the disk is used again: disk, \
                 controller, memory, a cleaning script, or a copying tool."
            } else {
                "Find out what wrote there before the disk is used again: memory, \
                 controller, disk, a second mount, or a copying tool."
            }
            .to_owned(),
        );
        steps
    }

    /// What the table of messages advises about the one with which the start ends.
    fn against_refusal(&self) -> Option<String> {
        let message = self.startup?.message.as_deref()?;
        let text = message.split_once(": ").map_or(message, |(_, text)| text);
        let known = recognise(text)?.message;
        // The first step of all is the copy.
        let advice = match known.advice.split_once(['.', ';']) {
            Some((copy, rest)) if copy.starts_with("Copy the directory") => rest.trim_start(),
            _ => known.advice,
        };
        let mut chars = advice.chars();
        let advice = chars
            .next()?
            .to_uppercase()
            .chain(chars)
            .collect::<String>();
        // What not to do with pg_resetwal has been said.
        let avoid: String = known
            .avoid
            .split_inclusive(". ")
            .filter(|sentence| !sentence.starts_with("Do not run pg_resetwal"))
            .collect();
        (known.consequence == Consequence::StartFails).then(|| {
            let advice = format!("{advice} {avoid}");
            format!("{}  (pgautopsy explain {})", advice.trim_end(), known.id)
        })
    }

    /// The archive that `restore_command` names, when it was not looked at.
    fn archive(&self) -> Option<String> {
        let request = self.examination.request;
        let folder = self.examination.settings.archive_directory()?;
        let label = self
            .examination
            .recovery
            .is_some_and(|run| run.from_backup_label);
        (!request.with_archives && (request.archive_recovery || label)).then(|| {
            format!(
                "Run this again with --wal-archive {folder}: restore_command copies from there."
            )
        })
    }
}

fn are_indexes(relations: &[&RelationSummary]) -> bool {
    let mut kinds = relations.iter().map(|relation| relation.name.kind);
    kinds.all(|kind| kind == Some("index"))
}

fn reindex(which: &str) -> String {
    format!("Start the copy and REINDEX {which}: no rows are lost with an index.")
}

/// The first two by name, and how many more.
fn named(relations: &[&RelationSummary]) -> String {
    let name = |relation: &RelationSummary| {
        let name = relation.name.qualified();
        name.unwrap_or_else(|| relation.path.clone())
    };
    match relations {
        [] => String::new(),
        [one] => name(one),
        [one, two] => format!("{} and {}", name(one), name(two)),
        [first, second, rest @ ..] => format!(
            "{}, {} and {} more",
            name(first),
            name(second),
            thousands(rest.len() as u64)
        ),
    }
}

/// ` and drops 2.3 MB of WAL with 41 commits`
fn dropped(loss: &Loss) -> String {
    let bytes = match (loss.from_lsn, loss.to_lsn) {
        (Some(from), Some(to)) => to.0.saturating_sub(from.0),
        _ => return String::new(),
    };
    let commits = match loss.commits {
        0 => String::new(),
        n => format!(" with {}", count(n, "commit")),
    };
    format!(" and drops {} of WAL{commits}", size(bytes))
}

fn silent_or_failed(startup: Option<&Startup>) -> bool {
    startup.is_some_and(|startup| {
        startup.silent_loss
            || startup.message.as_deref().is_some_and(|message| {
                message.contains("checkpoint record") || message.contains("WAL ends")
            })
    })
}
