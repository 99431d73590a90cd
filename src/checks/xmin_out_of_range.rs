//! Inserting transaction (xmin) cannot be.

check! {
    /// ## What it means
    /// Inserting transaction (xmin) cannot be.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "xmin-out-of-range" Damage Heap: "inserting transaction (xmin) cannot be"
}
