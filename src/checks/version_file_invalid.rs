//! PG_VERSION is missing or names no known version.

check! {
    /// ## What it means
    /// PG_VERSION is missing or names no known version.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "version-file-invalid" Fatal Ctl: "PG_VERSION is missing or names no known version"
}
