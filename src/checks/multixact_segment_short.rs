//! Multixact segment ends too early.

check! {
    /// ## What it means
    /// Multixact segment ends too early.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "multixact-segment-short" Damage Mxact: "multixact segment ends too early"
}
