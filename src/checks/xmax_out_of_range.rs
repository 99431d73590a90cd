//! Deleting or locking transaction (xmax) cannot be.

check! {
    /// ## What it means
    /// Deleting or locking transaction (xmax) cannot be.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "xmax-out-of-range" Damage Heap: "deleting or locking transaction (xmax) cannot be"
}
