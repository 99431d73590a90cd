//! Commit log segment ends too early.

check! {
    /// ## What it means
    /// Commit log segment ends too early.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "clog-segment-short" Damage Clog: "commit log segment ends too early"
}
