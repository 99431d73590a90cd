//! Commit log page is all zero although its transactions ended.

check! {
    /// ## What it means
    /// Commit log page is all zero although its transactions ended.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "clog-segment-zeroed" Damage Clog: "commit log page is all zero although its transactions ended"
}
