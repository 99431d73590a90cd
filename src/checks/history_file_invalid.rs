//! Timeline history file cannot be understood.

check! {
    /// ## What it means
    /// Timeline history file cannot be understood.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "history-file-invalid" Damage Wal: "timeline history file cannot be understood"
}
