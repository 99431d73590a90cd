//! Pg_control cannot be read as a control file.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::cluster::Fact;
use crate::format::control::ControlReading;

check! {
    /// ## What it means
    /// Pg_control cannot be read as a control file.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "control-file-malformed" Fatal Ctl: "pg_control cannot be read as a control file"
}

/// Bytes that no server of any version wrote as `pg_control`.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let reading = match &examination.cluster.control {
        Fact::Present(reading) => reading,
        Fact::Unreadable(error) => {
            let message = format!("pg_control cannot be read: {error}");
            findings.push(Finding::new(&CHECK, Location::file("global/pg_control"), message));
            return;
        }
        Fact::Missing | Fact::Malformed(_) => return,
    };
    let message = match reading {
        ControlReading::TooShort { len, need } => {
            format!("pg_control has {len} bytes, the server needs {need}")
        }
        ControlReading::AllZero { len } => format!("pg_control is {len} bytes of zeroes"),
        ControlReading::OtherByteOrder { pg_control_version } => format!(
            "pg_control is from a machine of the other byte order (version {})",
            pg_control_version.swap_bytes()
        ),
        ControlReading::UnknownVersion { pg_control_version, catalog_version_no, crc_at, .. } => {
            format!(
                "pg_control is of no known version (control version {pg_control_version}, catalog \
                 version {catalog_version_no}){}",
                if crc_at.is_some() { "; its CRC is right" } else { "" }
            )
        }
        ControlReading::Decoded { .. } => return,
    };
    let mut finding = Finding::new(&CHECK, Location::file("global/pg_control"), message);
    finding.server_error =
        examination.cluster.version.and_then(|v| reading.refusal(v)).map(|r| r.message);
    findings.push(finding);
}
