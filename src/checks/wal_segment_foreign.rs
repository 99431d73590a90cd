//! WAL segment belongs to another cluster.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::wal_segments::{Kind, segments};

check! {
    /// ## What it means
    /// WAL segment belongs to another cluster.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-segment-foreign" Abnormal Wal: "WAL segment belongs to another cluster"
}

/// The first page of every segment names the cluster it belongs to (`xlp_sysid`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let own = examination.cluster.sound_control().map(|control| control.system_identifier);
    for segment in segments(examination) {
        if let (Kind::Foreign(found), Some(own)) = (&segment.kind, own) {
            let message = format!("belongs to the cluster with system identifier {found}");
            let finding = Finding::new(&CHECK, Location::file(&segment.path), message)
                .found_expected(found, own);
            findings.push(finding);
        }
    }
}
