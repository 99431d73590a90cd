//! File is not a WAL segment of this cluster's size.

check! {
    /// ## What it means
    /// File is not a WAL segment of this cluster's size.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-segment-malformed" Abnormal Wal: "file is not a WAL segment of this cluster's size"
}
