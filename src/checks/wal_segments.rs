//! What each WAL segment file is, told by its size and its first page: shared by the checks
//! of segments.

use crate::check::Examination;
use crate::format::page::is_zeroed;
use crate::format::types::XLogRecPtr;
use crate::format::version::Version;
use crate::format::wal::{WalGeometry, WalPageHeader};

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

/// Every segment of the data directory and of the archives.
pub fn segments<'a>(examination: &'a Examination<'a>) -> impl Iterator<Item = Segment> + 'a {
    examination.wal.into_iter().flat_map(move |wal| {
        wal.segments().map(move |(tli, segno, id)| {
            let entry = examination.evidence.entry(id);
            let path = wal.path(tli, segno);
            let kind = kind(
                examination,
                tli,
                segno,
                id,
                entry.size,
                entry.archive.is_some(),
            );
            Segment { path, kind }
        })
    })
}

fn kind(
    examination: &Examination<'_>,
    tli: u32,
    segno: u64,
    id: crate::pgdata::FileId,
    size: u64,
    archived: bool,
) -> Kind {
    let (Some(layout), Some(version)) = (examination.cluster.layout, examination.cluster.version)
    else {
        return Kind::Good;
    };
    let geometry = WalGeometry::of(&layout);
    if size != geometry.segment_size {
        return Kind::Malformed(format!(
            "has {size} bytes, a segment has {}",
            geometry.segment_size
        ));
    }
    let mut head = [0; 40];
    let read = examination
        .evidence
        .file(id)
        .and_then(|file| file.read_at(&mut head, 0));
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
        let behind = !archived && end.is_some_and(|end| start >= end);
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
