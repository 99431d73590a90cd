//! Page was written by WAL that does not exist here.

check! {
    /// ## What it means
    /// Page was written by WAL that does not exist here.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "page-lsn-beyond-wal" Damage Page: "page was written by WAL that does not exist here"
}
