//! Archived WAL has a gap.

use super::archive_status::statuses;
use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use std::collections::BTreeSet;

check! {
    /// ## What it means
    /// Segments are missing in the archives given: between others, before the place where a
    /// timeline branched off, or although the server has noted that they were archived (a
    /// `.done` file in `archive_status`). The next start does not suffer from it, else another
    /// finding says so. But no recovery can cross a gap: from a base backup that was taken
    /// before it, nothing can be reached that lies behind it. The server says so only when it
    /// gets there: LOG `could not open file "pg_wal/...": No such file or directory`, and a
    /// recovery target behind the gap ends with FATAL `recovery ended before configured
    /// recovery target was reached` (13 and later; before, the server just opens at the gap).
    ///
    /// ## How it is decided
    /// For each timeline the segments whose first page is their own are listed, from the WAL
    /// folder and all archives together; missing numbers between them are gaps. The history
    /// files tell where a timeline left its parent, and so which segments of the parent are
    /// needed. A segment that the WAL folder holds with a `.done` file (`xlogarchive.c:
    /// XLogArchiveCheckDone`) should be in an archive, too.
    ///
    /// ## What else may cause it
    /// An archive of which only a part was named here; a backup tool that keeps of old WAL
    /// only what makes its backups consistent (pgBackRest `repo-retention-archive`), which is
    /// no fault; an `archive_command` that reports success and stores nothing, such as
    /// `/bin/true`; archiving switched off for a while; a clean-up by age.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, if there are other findings. Name the
    /// other archives with `--wal-archive` and check again.
    ///
    /// If the segments are gone, take a new base backup now: the older ones reach no further
    /// than the gap. If segments marked `.done` are missing, test `archive_command` with a
    /// segment that can be spared.
    "wal-archive-incomplete" Note Wal: "archived WAL has a gap"
}

/// Gaps, and segments that should have been archived.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(wal), Some(availability)) = (examination.wal, examination.availability) else {
        return;
    };
    let evidence = examination.evidence;
    if evidence.files().iter().all(|entry| entry.archive.is_none()) {
        return;
    }
    let directory = wal.layout().version.wal_dir();
    let geometry = availability.geometry;
    for timeline in &availability.timelines {
        for gap in &timeline.gaps {
            let name = geometry.name(timeline.tli, gap.first);
            let count = gap.last - gap.first + 1;
            let message = if count == 1 {
                format!("segment {name} is in no place given, though others before and behind are")
            } else {
                let last = geometry.name(timeline.tli, gap.last);
                format!(
                    "segments {name} to {last}, {count} of them, are in no place given, though \
                     others before and behind are"
                )
            };
            let location = Location::file(&format!("{directory}/{name}"))
                .at_lsn(geometry.segment_start(gap.first));
            findings.push(Finding::new(&CHECK, location, message));
        }
    }
    let archived: BTreeSet<_> = availability
        .files
        .iter()
        .filter(|(_, files)| files.iter().any(|id| evidence.entry(*id).archive.is_some()))
        .map(|((tli, segno), _)| (*tli, *segno))
        .collect();
    for status in statuses(evidence, &geometry).filter(|status| !status.ready) {
        let Some(segment) = status.segment else { continue };
        let in_pg_wal = availability.files.contains_key(&segment);
        if in_pg_wal && !archived.contains(&segment) {
            let message = "counts as archived (.done), but none of the archives given has it";
            let location = Location::file(&format!("{directory}/{}", status.name));
            findings.push(Finding::new(&CHECK, location, message));
        }
    }
}
