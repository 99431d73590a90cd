//! A WAL segment is missing although later ones exist.

check! {
    /// ## What it means
    /// A WAL segment is missing although later ones exist.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-segment-missing" Damage Wal: "a WAL segment is missing although later ones exist"
}
