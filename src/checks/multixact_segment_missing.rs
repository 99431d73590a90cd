//! Multixact segment is missing.

check! {
    /// ## What it means
    /// Multixact segment is missing.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "multixact-segment-missing" Damage Mxact: "multixact segment is missing"
}
