//! Backup_label cannot be understood.

check! {
    /// ## What it means
    /// Backup_label cannot be understood.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "backup-label-invalid" Fatal Dir: "backup_label cannot be understood"
}
