//! WAL segment is recycled and waits to be overwritten.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::wal_segments::{Kind, segments};

check! {
    /// ## What it means
    /// This is normal. When a checkpoint no longer needs a WAL segment, the server does not
    /// always delete it: it renames it to a name that will be needed later, and so saves the
    /// cost of making a new file. Until writing gets there, the file holds its old content,
    /// with old addresses. No query fails, nothing is lost, and recovery is not misled: at
    /// the first old page it logs `unexpected pageaddr ...` at LOG and ends, and this is the
    /// usual last line of a crash recovery.
    ///
    /// ## How it is decided
    /// The pages of the file carry addresses that lie before the place that its name tells,
    /// and the identifier is this cluster's. The server renames in `xlog.c:
    /// RemoveOldXlogFiles` and `InstallXLogFileSegment`; from 12 on only if `wal_recycle` is
    /// on. A segment may be recycled in its rear part alone: the front is new, and WAL ends
    /// where the old pages begin. Files that were made ahead and are zero throughout are left
    /// out.
    ///
    /// ## What else may cause it
    /// When a file in the middle of the needed WAL looks recycled, it is no spare: the true
    /// one was lost, for instance by a disk that forgot writes it had confirmed, or by a
    /// restore to an older state of a storage snapshot. Then valid WAL follows behind it, and
    /// `wal-record-damaged` or `wal-segment-missing` says so.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, if there are other findings. For
    /// this one alone there is nothing to do.
    ///
    /// Do not delete these files to get space: the server makes new ones at once. Do not put
    /// them into an archive, and do not use them to fill a gap: their content belongs to a
    /// position long past. If their number is too high, `max_wal_size` and `min_wal_size`
    /// (9.5 and later; before, `checkpoint_segments`), `wal_keep_segments` (13 and later
    /// `wal_keep_size`) or a forgotten replication slot are the reason.
    "wal-segment-recycled" Note Wal: "WAL segment is recycled and waits to be overwritten"
}

/// A segment behind the end of WAL that still holds what it held under its old name
/// (`xlog.c: InstallXLogFileSegment`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    for segment in segments(examination) {
        if let Kind::Recycled(from) = &segment.kind {
            let message = format!("holds WAL of {from} and waits to be overwritten");
            findings.push(Finding::new(&CHECK, Location::file(&segment.path), message));
        }
    }
}
