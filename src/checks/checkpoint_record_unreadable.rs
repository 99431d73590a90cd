//! The checkpoint record to start from cannot be read.

check! {
    /// ## What it means
    /// The checkpoint record to start from cannot be read.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "checkpoint-record-unreadable" Fatal Wal: "the checkpoint record to start from cannot be read"
}
