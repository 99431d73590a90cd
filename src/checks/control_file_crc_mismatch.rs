//! Pg_control does not match its CRC.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::control::{ControlReading, CrcVerdict};

check! {
    /// ## What it means
    /// `global/pg_control` names the last checkpoint, from which recovery starts, and the
    /// counters of transactions. It ends with a CRC, a check sum over its own bytes, and that
    /// does not fit: at least one byte is not what the server wrote. The server refuses to
    /// start: FATAL `incorrect checksum in control file`. Tables and WAL may be in perfect
    /// order.
    ///
    /// `pg_controldata` still prints the values, with a warning; they may be nearly all
    /// right, but which one is wrong cannot be seen from them.
    ///
    /// ## How it is decided
    /// The CRC is computed over all bytes before it and compared, as `xlog.c:
    /// ReadControlFile` does. From 9.5 on it is a CRC-32C, up to 9.4 PostgreSQL's own older
    /// CRC. Where it lies depends on the version; 9.4 and 9.5 share the version number 942
    /// but not the layout: the catalog version tells them apart.
    ///
    /// ## What else may cause it
    /// A copy taken of a running server without backup mode, which caught the file between
    /// two writes; a failing disk, controller or memory; a hex editor; a file of a custom
    /// build whose layout differs (the values then look shifted); a write torn by a crash is
    /// very unlikely, since the contents fit into one disk sector.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. There is no second copy of
    /// `pg_control` in it: take a standby, or restore a backup with its WAL.
    ///
    /// The WAL holds most of its values once more, in the checkpoint record: when just one
    /// field was hit, an expert can mend it in a copy. Do not run `pg_resetwal`
    /// (`pg_resetxlog` up to 9.6) to get past the message: it mends the CRC, but discards the
    /// WAL without replaying it, so that changes of the last minutes are lost or half done
    /// and indexes no longer fit their tables, and nothing says so afterwards.
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
