//! A segment in the middle of a relation is missing.

check! {
    /// ## What it means
    /// A segment in the middle of a relation is missing.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "relation-segment-missing" Damage Dir: "a segment in the middle of a relation is missing"
}
