//! Pg_control and PG_VERSION name different versions.

check! {
    /// ## What it means
    /// Pg_control and PG_VERSION name different versions.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "control-file-wrong-version" Fatal Ctl: "pg_control and PG_VERSION name different versions"
}
