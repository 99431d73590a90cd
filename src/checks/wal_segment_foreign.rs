//! WAL segment belongs to another cluster.

check! {
    /// ## What it means
    /// WAL segment belongs to another cluster.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-segment-foreign" Abnormal Wal: "WAL segment belongs to another cluster"
}
