//! History file of the control file's timeline is missing.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// History file of the control file's timeline is missing.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "timeline-history-missing" Abnormal Wal: "history file of the control file's timeline is missing"
}

/// Every timeline after the first has a history file; without it the server knows no
/// ancestors.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let cluster = examination.cluster;
    let (Some(control), Some(version)) = (cluster.sound_control(), cluster.version) else { return };
    let tli = control.check_point_copy.this_time_line_id;
    if tli < 2 || cluster.histories.contains_key(&tli) {
        return;
    }
    let path = format!("{}/{tli:08X}.history", version.wal_dir());
    let message = format!("there is no history of timeline {tli}: its ancestors are unknown");
    findings.push(Finding::new(&CHECK, Location::file(&path), message));
}
