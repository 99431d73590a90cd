//! Multixact in xmax cannot be.

check! {
    /// ## What it means
    /// Multixact in xmax cannot be.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "multixact-out-of-range" Damage Heap: "multixact in xmax cannot be"
}
