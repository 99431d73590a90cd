//! The last block of a file is cut short.

check! {
    /// ## What it means
    /// The last block of a file is cut short.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "last-block-short" Damage Page: "the last block of a file is cut short"
}
