//! WAL breaks off although valid WAL follows.

check! {
    /// ## What it means
    /// WAL breaks off although valid WAL follows.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-record-damaged" Damage Wal: "WAL breaks off although valid WAL follows"
}
