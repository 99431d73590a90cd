//! Pg_filenode.map cannot be used.

check! {
    /// ## What it means
    /// Pg_filenode.map cannot be used.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "relation-map-invalid" Fatal Dir: "pg_filenode.map cannot be used"
}
