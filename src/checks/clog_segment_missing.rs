//! Commit log segment is missing.

check! {
    /// ## What it means
    /// Commit log segment is missing.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "clog-segment-missing" Damage Clog: "commit log segment is missing"
}
