//! A segment before the last one is not full.

check! {
    /// ## What it means
    /// A segment before the last one is not full.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "relation-segment-short" Damage Dir: "a segment before the last one is not full"
}
