//! History file of the control file's timeline is missing.

check! {
    /// ## What it means
    /// History file of the control file's timeline is missing.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "timeline-history-missing" Abnormal Wal: "history file of the control file's timeline is missing"
}
