//! A block inside a relation is all zero.

check! {
    /// ## What it means
    /// A block inside a relation is all zero.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "zero-page" Note Page: "a block inside a relation is all zero"
}
