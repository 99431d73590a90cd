//! What each WAL segment file is, told by its size and its first page: shared by the checks
//! of segments.

use crate::check::Examination;
use crate::format::page::is_zeroed;
use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::version::Version;
use crate::format::wal::page::LONG_HEADER_BYTES;
use crate::format::wal::{WalGeometry, WalPageHeader};
use crate::pgdata::{FileId, FileKind};
use crate::recovery::source::EvidenceWal;

/// A segment file.
pub struct Segment {
    /// Its path.
    pub path: String,
    /// What it is.
    pub kind: Kind,
}

/// What a segment file is.
pub enum Kind {
    /// A segment in its place, or one that was never written.
    Good,
    /// No segment of this cluster.
    Malformed(String),
    /// Of the cluster with this system identifier.
    Foreign(u64),
    /// In the wrong place, for this reason.
    Misnamed(String),
    /// Behind the end of WAL, with WAL of this position.
    Recycled(XLogRecPtr),
}

/// Every file of a segment, in the data directory and in the archives.
pub fn segments<'a>(examination: &'a Examination<'a>) -> impl Iterator<Item = Segment> + 'a {
    let files = examination.wal.into_iter().flat_map(EvidenceWal::files);
    files.flat_map(move |(tli, segno, files)| {
        files.iter().map(move |id| Segment {
            path: examination.evidence.entry(*id).path.clone(),
            kind: kind(examination, tli, segno, *id),
        })
    })
}

fn kind(examination: &Examination<'_>, tli: TimeLineID, segno: XLogSegNo, id: FileId) -> Kind {
    let (Some(layout), Some(version)) = (examination.cluster.layout, examination.cluster.version)
    else {
        return Kind::Good;
    };
    let geometry = WalGeometry::of(&layout);
    let entry = examination.evidence.entry(id);
    let partial = matches!(entry.kind, FileKind::WalPartial(_));
    match examination.evidence.content_size(id) {
        Ok(size) if size == geometry.segment_size => {}
        // A compressed one ends where writing had got to.
        Ok(size) if partial && size < geometry.segment_size => {}
        Ok(size) => {
            return Kind::Malformed(format!(
                "has {size} bytes, a segment has {}",
                geometry.segment_size
            ));
        }
        Err(error) => return Kind::Malformed(error.to_string()),
    }
    let mut head = [0; LONG_HEADER_BYTES];
    let read = examination.evidence.head(id, &mut head);
    let Ok(header) = WalPageHeader::parse(version, &head[..read.unwrap_or(0)]) else {
        return Kind::Malformed("its first page cannot be read".to_owned());
    };
    if is_zeroed(&head) {
        return Kind::Good;
    }
    if !version.wal_magics.contains(&header.xlp_magic) {
        let whose = match Version::by_wal_magic(header.xlp_magic) {
            Some(other) => format!("WAL of PostgreSQL {}", other.major),
            None => format!("no WAL (magic number {:04X})", header.xlp_magic),
        };
        return Kind::Malformed(format!("begins with {whose}"));
    }
    let own = examination
        .cluster
        .sound_control()
        .map(|control| control.system_identifier);
    if let (Some(long), Some(own)) = (header.long, own)
        && long.xlp_sysid != own
    {
        return Kind::Foreign(long.xlp_sysid);
    }
    let start = geometry.segment_start(segno);
    let end = examination.recovery.and_then(|run| run.end_of_wal);
    if header.xlp_pageaddr != start {
        let behind = entry.archive.is_none() && end.is_some_and(|end| start >= end);
        return if behind && header.xlp_pageaddr < start {
            Kind::Recycled(header.xlp_pageaddr)
        } else if end.is_none() {
            Kind::Good
        } else {
            Kind::Misnamed(format!(
                "begins with the page of {}, its name says {start}",
                header.xlp_pageaddr
            ))
        };
    }
    if header.xlp_tli > tli {
        return Kind::Misnamed(format!(
            "begins with a page of timeline {}, its name says {tli}",
            header.xlp_tli
        ));
    }
    Kind::Good
}
