//! Commit log segment lies outside the live range.

check! {
    /// ## What it means
    /// Commit log segment lies outside the live range.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "clog-segment-foreign" Abnormal Clog: "commit log segment lies outside the live range"
}
