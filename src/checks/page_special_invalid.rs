//! Special space is not that of an index page.

check! {
    /// ## What it means
    /// Special space is not that of an index page.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "page-special-invalid" Damage Index: "special space is not that of an index page"
}
