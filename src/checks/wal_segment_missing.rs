//! A WAL segment is missing although later ones exist.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::wal_record_damaged::stop_kind;
use crate::report::StopKind;
use crate::recovery::copies::advice;
use crate::recovery::stop::StopCause;

check! {
    /// ## What it means
    /// The WAL, the log from which a crash is repaired, lies in files of equal size
    /// (segments, 16 MB if not chosen otherwise). One is missing, though later ones exist. In
    /// crash recovery the server takes the gap for the end of the log: it logs nothing about
    /// it (just at DEBUG2), prints `redo done at ...` and `database system is ready to accept
    /// connections`, and every transaction behind the gap is lost. Measured on 15: of 110003
    /// committed rows 20000 were left, without any message. Then it writes new WAL from the
    /// gap on.
    ///
    /// In archive recovery and on a standby it waits for the segment, or ends with FATAL `WAL
    /// ends before end of online backup` or `WAL ends before consistent recovery point`.
    ///
    /// ## How it is decided
    /// From the redo point on, each next segment is looked for in the directory and in the
    /// archives given, on each timeline that may hold it, as `xlog.c: XLogFileReadAnyTLI`
    /// does (`xlogrecovery.c` from 15 on). A gap counts when a later segment has pages with
    /// its own address. Recycled segments, which wait under later names with old content, do
    /// not count. Up to 9.2 there is no segment `FF` with 16 MB segments, and that is no gap.
    ///
    /// ## What else may cause it
    /// Files deleted to free space; `archive_cleanup_command` or a cleaning script too eager;
    /// a copy made without backup mode; a broken restore; a file system repair
    /// (`lost+found`). A gap before the redo point is normal and harmless.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and do not start the server: its new
    /// WAL overwrites the later segments.
    ///
    /// Look for the segment in the WAL archive (perhaps compressed or as `.partial`), on a
    /// standby, with `pg_receivewal`, in `lost+found`; put it into a copy and check again.
    /// Nothing else bridges a gap: records behind it must not be replayed without it.
    /// `pg_resetwal` (`pg_resetxlog` up to 9.6) throws away what comes before the gap, too.
    /// If the segment is gone for good, starting a copy gives the state at the gap, and the
    /// loss is what the report lists.
    "wal-segment-missing" Damage Wal: "a WAL segment is missing although later ones exist"
}

/// A hole in the sequence of segments: the server takes it for the end, and says nothing.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(run) = examination.recovery else { return };
    let Some(stop) = &run.stop else { return };
    let StopCause::MissingSegment { segment } = &stop.cause else { return };
    if stop_kind(run, examination.beyond) != StopKind::MissingSegment {
        return;
    }
    let directory = examination.cluster.version.map_or("pg_wal", |version| version.wal_dir());
    let message = format!(
        "WAL segment {segment} is missing although later ones are there; the server stops \
         replay before it and does not say so"
    );
    let location = Location::file(&format!("{directory}/{segment}")).at_lsn(stop.lsn);
    let mut finding = Finding::new(&CHECK, location, message);
    finding.remedy = advice(examination.other_copies);
    findings.push(finding);
}
