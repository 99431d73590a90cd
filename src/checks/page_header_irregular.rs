//! Page header is not what PostgreSQL writes.

check! {
    /// ## What it means
    /// Page header is not what PostgreSQL writes.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "page-header-irregular" Abnormal Page: "page header is not what PostgreSQL writes"
}
