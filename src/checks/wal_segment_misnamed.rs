//! WAL segment's content does not belong to its name.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::wal_segments::{Kind, segments};

check! {
    /// ## What it means
    /// The name of a WAL segment is its timeline and position; each page in it repeats them.
    /// In this file they disagree, and not in the way a recycled file disagrees (that waits
    /// under a later name with older content, and is normal: see `wal-segment-recycled`).
    /// When the server needs the segment, it stops there as at the end of the log: LOG
    /// `unexpected pageaddr ... in log segment ...` (16 and later `in WAL segment ...`),
    /// `unexpected timeline ID ...`, or `out-of-sequence timeline ID ...`. What follows is
    /// lost without another word.
    ///
    /// ## How it is decided
    /// The address in the first page's header must be the place that the name tells, and its
    /// timeline that of the name or an ancestor of it (a segment in which the timeline
    /// changed begins with the older one). An address older than the name means recycled; a
    /// newer address, or a newer or unrelated timeline, cannot come about by itself. The
    /// server's rule is in `xlogreader.c: XLogReaderValidatePageHeader` (`xlog.c:
    /// ValidXLOGHeader` up to 9.2).
    ///
    /// ## What else may cause it
    /// Files renamed or copied by hand to fill a gap; an `archive_command` or restore script
    /// that mixes names up; a script that computes names for 9.2 and older, which skip `FF`,
    /// and is used on 9.3 or later; another segment size; WAL of a promoted standby put among
    /// that of the old primary.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. The page address and timeline in the
    /// finding tell which segment the file really is: in a copy it can be given its true
    /// name, if there is none of that name, and nothing is lost by that.
    ///
    /// Then look for the segment that should be here, and check again. Keep the WAL of two
    /// timelines apart by their names; do not rename a segment to another timeline to make
    /// recovery take it: the contents after the fork exclude each other, and pages changed by
    /// both are spoilt. Set `recovery_target_timeline` instead.
    "wal-segment-misnamed" Abnormal Wal: "WAL segment's content does not belong to its name"
}

/// A segment whose first page belongs elsewhere, and that is not waiting to be overwritten.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    for segment in segments(examination) {
        if let Kind::Misnamed(message) = &segment.kind {
            findings.push(Finding::new(&CHECK, Location::file(&segment.path), message.clone()));
        }
    }
}
