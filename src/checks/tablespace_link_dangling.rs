//! A tablespace's link leads nowhere.

check! {
    /// ## What it means
    /// A tablespace's link leads nowhere.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "tablespace-link-dangling" Damage Dir: "a tablespace's link leads nowhere"
}
