//! A page whose checksum does not fit its content.

check! {
    /// ## What it means
    /// The checksum stored in the page header (`pd_checksum`) is not the one that the page's
    /// bytes and its block number give.
    "page-checksum-mismatch" Damage Page: "page checksum does not match"
}
