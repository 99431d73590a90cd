//! WAL segment is recycled and waits to be overwritten.

check! {
    /// ## What it means
    /// WAL segment is recycled and waits to be overwritten.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-segment-recycled" Note Wal: "WAL segment is recycled and waits to be overwritten"
}
