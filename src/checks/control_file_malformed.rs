//! Pg_control cannot be read as a control file.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::cluster::Fact;
use crate::format::control::ControlReading;

check! {
    /// ## What it means
    /// `global/pg_control` is the 8192-byte file with which every start begins: it names the
    /// format version, the cluster's identity (system identifier), how the server stopped,
    /// and where the last checkpoint lies in the WAL (the write-ahead log from which a crash
    /// is repaired). Here it is absent, too short, or its bytes are no control file of any
    /// known version. No table is damaged by that alone, but the server cannot start, and
    /// nothing else in the directory says where recovery must begin.
    ///
    /// The server says `could not find the database system` when the file is absent, PANIC
    /// `could not read from control file` (12 and later `could not read file
    /// "global/pg_control"`) when it is too short, and FATAL `database files are incompatible
    /// with server` with `PG_CONTROL_VERSION 0` when it is all zero.
    ///
    /// ## How it is decided
    /// The file must hold the whole structure of its version, and its `pg_control_version`
    /// must be one that 9.0 to 19 write, in this byte order (`xlog.c: ReadControlFile`). When
    /// the number makes sense only with its bytes swapped, the directory comes from a machine
    /// of the other byte order.
    ///
    /// ## What else may cause it
    /// A copy or restore that was cut off, or left `global/pg_control` for last and never got
    /// there; a full disk; a file system repaired after a crash, which may leave files empty
    /// or zero; an encrypted or compressed file of a backup tool; a directory of another
    /// product.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, the WAL with it. Then look for this
    /// cluster's own `pg_control`: a standby or a backup is the way back, restored as a
    /// whole.
    ///
    /// Do not put in a `pg_control` of another day or cluster: with the wrong checkpoint the
    /// server replays from the wrong place and spoils good tables. `pg_resetwal`
    /// (`pg_resetxlog` up to 9.6) writes a new file from guesses and throws away all WAL:
    /// every change not yet in the tables is lost or half done. It is a last resort, on a
    /// second copy, only to dump what can be read and load it into a new cluster.
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
