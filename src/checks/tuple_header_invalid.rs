//! Tuple header is invalid.

check! {
    /// ## What it means
    /// Tuple header is invalid.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "tuple-header-invalid" Damage Heap: "tuple header is invalid"
}
