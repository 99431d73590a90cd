//! Line pointer is invalid.

check! {
    /// ## What it means
    /// Line pointer is invalid.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "line-pointer-invalid" Damage Heap: "line pointer is invalid"
}
