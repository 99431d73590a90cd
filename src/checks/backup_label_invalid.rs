//! Backup_label cannot be understood.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::cluster::Fact;

check! {
    /// ## What it means
    /// Backup_label cannot be understood.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "backup-label-invalid" Fatal Dir: "backup_label cannot be understood"
}

/// `xlog.c: read_backup_label`; from 15 on `xlogrecovery.c`.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (message, error) = match &examination.cluster.backup_label {
        Fact::Missing => return,
        Fact::Unreadable(error) => (format!("backup_label cannot be read: {error}"), None),
        Fact::Malformed(malformed) => (
            malformed.to_string(),
            Some("invalid data in file \"backup_label\"".to_owned()),
        ),
        Fact::Present(label) => {
            match examination.cluster.version.and_then(|version| label.refusal(version)) {
                Some(refusal) => {
                    (refusal.detail.unwrap_or_else(|| refusal.message.clone()), Some(refusal.message))
                }
                None => return,
            }
        }
    };
    let mut finding = Finding::new(&CHECK, Location::file("backup_label"), message);
    finding.server_error = error;
    findings.push(finding);
}
