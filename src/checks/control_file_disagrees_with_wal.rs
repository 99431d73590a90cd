//! Pg_control and the WAL tell different stories.

check! {
    /// ## What it means
    /// Pg_control and the WAL tell different stories.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "control-file-disagrees-with-wal" Damage Ctl: "pg_control and the WAL tell different stories"
}
