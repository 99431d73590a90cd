//! What `archive_status` says of each file: shared by the checks of archiving.

use crate::format::types::{TimeLineID, XLogSegNo};
use crate::format::wal::WalGeometry;
use crate::pgdata::{Evidence, FileKind, classify_wal};

/// A `.ready` or `.done` file (`xlogarchive.c: XLogArchiveNotify, XLogArchiveForceDone`).
pub struct Status<'e> {
    /// The file that it is about.
    pub name: &'e str,
    /// It waits to be archived; else it has been.
    pub ready: bool,
    /// The segment, if it is one.
    pub segment: Option<(TimeLineID, XLogSegNo)>,
}

/// Every one, by name.
pub fn statuses<'e>(
    evidence: &'e Evidence,
    geometry: &WalGeometry,
) -> impl Iterator<Item = Status<'e>> {
    let own = evidence
        .files()
        .iter()
        .filter(|entry| entry.archive.is_none() && entry.kind == FileKind::ArchiveStatus);
    own.filter_map(move |entry| {
        let file = entry.path.rsplit('/').next()?;
        let (name, status) = file.rsplit_once('.')?;
        let segment = match classify_wal(name) {
            FileKind::Wal(name) => Some((name.tli, geometry.segno(&name))),
            _ => None,
        };
        Some(Status {
            name,
            ready: status == "ready",
            segment,
        })
    })
}
