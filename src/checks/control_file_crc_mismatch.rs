//! Pg_control does not match its CRC.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::control::{ControlReading, CrcVerdict};

check! {
    /// ## What it means
    /// Pg_control does not match its CRC.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "control-file-crc-mismatch" Fatal Ctl: "pg_control does not match its CRC"
}

/// `xlog.c: ReadControlFile` refuses a file whose CRC does not fit.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(ControlReading::Decoded {
        control,
        crc: CrcVerdict::Bad { stored, computed, good_as },
        ..
    }) = examination.cluster.control.get()
    else {
        return;
    };
    let mut message = format!("CRC {stored:08X} is stored, the content gives {computed:08X}");
    if let Some(version) = good_as {
        message.push_str(&format!("; as a file of {} the CRC is right", version.major));
    }
    let location = Location::file("global/pg_control").at_byte(control.version.control_crc_at as u64);
    let finding = Finding::new(&CHECK, location, message)
        .found_expected(format!("{stored:08X}"), format!("{computed:08X}"));
    findings.push(finding.server_error("incorrect checksum in control file"));
}
