//! Checkpoint does not lie on the history of its timeline.

check! {
    /// ## What it means
    /// Checkpoint does not lie on the history of its timeline.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "timeline-not-ancestor" Fatal Wal: "checkpoint does not lie on the history of its timeline"
}
