//! Pg_control cannot be read as a control file.

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
