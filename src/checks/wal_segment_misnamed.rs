//! WAL segment's content does not belong to its name.

check! {
    /// ## What it means
    /// WAL segment's content does not belong to its name.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-segment-misnamed" Abnormal Wal: "WAL segment's content does not belong to its name"
}
