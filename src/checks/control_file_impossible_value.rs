//! Pg_control holds a value that cannot be.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::finding::Severity;

check! {
    /// ## What it means
    /// `global/pg_control` reads well, yet a value in it is one that no server writes: an
    /// unknown state, a checkpoint position inside a page header, a block or WAL segment size
    /// that no build has. The server will not start from it. It says FATAL `database files
    /// are incompatible with server` with a DETAIL that names the size or constant; FATAL
    /// `control file contains invalid data` (up to 12), or from 13 on `control file contains
    /// invalid checkpoint location` or `control file contains invalid database cluster
    /// state`; from 11 on `invalid WAL segment size in control file`.
    ///
    /// ## How it is decided
    /// The fields are tested as the server does before anything else: `xlog.c:
    /// ReadControlFile` for the constants of the build (alignment, float format, `BLCKSZ`,
    /// segment sizes, `NAMEDATALEN` and so on), `xlog.c: StartupXLOG` for state and
    /// checkpoint position. Then comes what the server takes for granted, such as counters
    /// that contradict each other.
    ///
    /// ## What else may cause it
    /// If the CRC fits, the server itself, or a tool that computes the CRC anew, wrote this
    /// value: `pg_resetwal` with wrong options, an editing script, or a server built with
    /// other sizes (a 32-bit or vendor build: then the directory is sound, and needs that
    /// server). If the CRC does not fit either, read `control-file-crc-mismatch` first: the
    /// bytes are damaged.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Find out which server wrote it
    /// (`PG_VERSION`, `postmaster.opts`, the package installed at that time) and try that
    /// build on a copy, when only sizes disagree.
    ///
    /// Otherwise restore a backup or promote a standby. `pg_resetwal` (`pg_resetxlog` up to
    /// 9.6) would write plausible values, but it does so by discarding the WAL: what was not
    /// yet in the tables is lost or half done.
    "control-file-impossible-value" Fatal Ctl: "pg_control holds a value that cannot be"
}

/// Values that no cluster has, though the CRC fits.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(control) = examination.cluster.sound_control() else { return };
    for impossible in control.impossible() {
        let severity = match (&impossible.refusal, impossible.other_build) {
            (_, true) => Severity::Note,
            (Some(_), false) => Severity::Fatal,
            (None, false) => Severity::Abnormal,
        };
        let message = format!(
            "{} is {}, expected {}",
            impossible.field, impossible.found, impossible.expected
        );
        let mut finding = Finding::new(&CHECK, Location::file("global/pg_control"), message)
            .severity(severity)
            .found_expected(&impossible.found, &impossible.expected);
        finding.server_error = impossible.refusal.map(|refusal| refusal.message);
        findings.push(finding);
    }
}
