//! A file or directory that the server needs is missing.

check! {
    /// ## What it means
    /// A file or directory that the server needs is missing.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "required-file-missing" Fatal Dir: "a file or directory that the server needs is missing"
}
