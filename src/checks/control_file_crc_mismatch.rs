//! Pg_control does not match its CRC.

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
