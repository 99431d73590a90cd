//! Pg_control holds a value that cannot be.

check! {
    /// ## What it means
    /// Pg_control holds a value that cannot be.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "control-file-impossible-value" Fatal Ctl: "pg_control holds a value that cannot be"
}
