//! WAL breaks off although valid WAL follows.

use crate::check::Examination;
use crate::finding::{Confidence, Severity};
use crate::finding::{Finding, Findings, Location};
use crate::format::wal::WalGeometry;
use crate::recovery::beyond::{Beyond, Hole};
use crate::recovery::copies::advice;
use crate::recovery::start::DryRun;
use crate::recovery::stop::StopCause;
use crate::report::StopKind;

check! {
    /// ## What it means
    /// The WAL (the write-ahead log from which a crash is repaired) breaks off at a record
    /// that cannot be read, yet further on valid WAL of this cluster follows. So this is not
    /// where writing ended: it is damage in the middle. The server cannot tell the two apart.
    /// It logs one line at LOG, such as `incorrect resource manager data checksum in record
    /// at 0/34C4A90`, `record with incorrect prev-link ...`, `unexpected pageaddr ...` or
    /// `invalid record length at ...` (up to 9.4 `record with zero length at ...`), says that
    /// it is ready, and all transactions behind that point are lost. Measured on 15: 20000 of
    /// 110003 committed rows were left, with no error.
    ///
    /// ## How it is decided
    /// All checks of `xlogreader.c: ValidXLogRecord, XLogReaderValidatePageHeader` (up to 9.2
    /// `xlog.c: ReadRecord, RecordIsValid`) are done in the server's order. Past the first
    /// failure the rest of the page, every later page whose address fits its place, and every
    /// later segment are searched for records whose CRC and back link (`xl_prev`) fit. Old
    /// content of a recycled file has other addresses, and does not count. What the later WAL
    /// holds (commits, times, relations) is the loss.
    ///
    /// Where nothing was written at the stop it is a note only if the later records are in the
    /// same segment, and all between is zero to the end of its page: a copy made of a running
    /// server has such holes. So it is from 9.4 on when all between is zero up to a later record on
    /// the same page: sessions put their records together at once, and one that waits for its
    /// own writes out the page with what others have so far (`xlog.c: XLogFlush`). Nobody was
    /// told that those behind the hole had committed.
    ///
    /// ## What else may cause it
    /// A failing disk, controller or memory; a segment copied while it was being written; a
    /// file of the same name from a sibling cluster or another timeline; a storage that
    /// confirmed writes and lost them, later ones having reached the disk before earlier
    /// ones.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and do not start the server: it
    /// writes its new WAL over the rest of the log from this very point, and then the lost
    /// transactions are beyond rescue.
    ///
    /// Look for a sound copy of the segment: WAL archive, `pg_wal` of a standby,
    /// `pg_receivewal`, a backup tool's store. Put it into a copy of the directory and check
    /// again; if the break is gone, start that. A standby that already has replayed it should
    /// be promoted instead. `pg_resetwal` (`pg_resetxlog` up to 9.6) does not skip the
    /// record: it discards all WAL, also what comes before.
    "wal-record-damaged" Damage Wal: "WAL breaks off although valid WAL follows"
}

/// Valid WAL behind the place where the server stops reading.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(run), Some(version)) = (examination.recovery, examination.cluster.version) else {
        return;
    };
    let (Some(stop), Some(wal), Some(beyond)) = (&run.stop, examination.wal, examination.beyond)
    else {
        return;
    };
    let Some(first) = beyond.stretches.first() else { return };
    let reason = stop.message(version).unwrap_or_default();
    let (message, severity) = match stop_kind(run, Some(beyond)) {
        StopKind::MissingSegment => return,
        StopKind::Damage => {
            let what = "valid WAL follows, which the server does not replay and does not mention";
            (format!("{reason}; from {} on {what}", first.from), CHECK.severity)
        }
        StopKind::EndOfWal => {
            let what = match beyond.behind_hole {
                Some(Hole::Inserted) => {
                    "of sessions that did not wait for a record that was not finished at the crash"
                }
                _ => "as in a copy made of a running server without a backup's protection",
            };
            (format!("{reason}; from {} on valid WAL follows, {what}", first.from), Severity::Note)
        }
    };
    let geometry = WalGeometry::of(wal.layout());
    let path = wal.path(run.timeline_of(stop.lsn), geometry.segment_of(stop.lsn));
    let location = Location::file(&path)
        .at_lsn(stop.lsn)
        .at_byte(geometry.segment_offset(stop.lsn));
    let mut finding = Finding::new(&CHECK, location, message).severity(severity);
    finding.remedy = advice(examination.other_copies);
    findings.push(finding.confidence(Confidence::Likely));
}

/// Breaks in WAL that the next start does not need.
pub fn run_survey(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(survey), Some(wal)) = (examination.survey, examination.wal) else { return };
    let geometry = WalGeometry::of(wal.layout());
    for found in &survey.breaks {
        let Some(reason) = found.stop.message(wal.layout().version) else { continue };
        let lsn = found.stop.lsn;
        let message = format!(
            "{reason}; the next start does not need this WAL, but a standby or a recovery to an \
             earlier point would"
        );
        let location = Location::file(&wal.path(found.tli, geometry.segment_of(lsn)))
            .at_lsn(lsn)
            .at_byte(geometry.segment_offset(lsn));
        findings.push(Finding::new(&CHECK, location, message).severity(Severity::Abnormal));
    }
}

/// What kind of end the WAL has.
#[must_use]
pub fn stop_kind(run: &DryRun, beyond: Option<&Beyond>) -> StopKind {
    match (&run.stop, beyond) {
        (Some(stop), Some(beyond)) if beyond.behind_hole.is_none() => match stop.cause {
            StopCause::MissingSegment { .. } => StopKind::MissingSegment,
            _ => StopKind::Damage,
        },
        _ => StopKind::EndOfWal,
    }
}
