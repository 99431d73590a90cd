//! Page checksum does not match.

check! {
    /// ## What it means
    /// Page checksum does not match.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "page-checksum-mismatch" Damage Page: "page checksum does not match"
}
