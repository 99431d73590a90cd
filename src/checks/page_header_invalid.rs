//! Page header is invalid: the server refuses the page.

check! {
    /// ## What it means
    /// Page header is invalid: the server refuses the page.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "page-header-invalid" Damage Page: "page header is invalid: the server refuses the page"
}
