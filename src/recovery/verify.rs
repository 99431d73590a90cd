//! Whether a set of WAL segments is whole: every record of every timeline read, every gap and
//! every place where the WAL breaks off named.

use super::availability::{Availability, TimelineSegments};
use super::copies::contradictions;
use super::dump::Finder;
use super::reader::{Position, WalContext, WalReader};
use super::source::EvidenceWal;
use super::stop::{Stop, StopCause};
use super::walk::walk;
use crate::cluster::{Cluster, first_wal_page};
use crate::format::control::layout_by_wal;
use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::version::{Layout, Major, Version};
use crate::format::wal::{WalGeometry, WalLongHeader};
use crate::pgdata::{Evidence, FileId, FileKind};
use std::collections::{BTreeMap, BTreeSet};

/// A run of WAL that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Good {
    /// The first record.
    pub start: XLogRecPtr,
    /// Behind the last record.
    pub end: XLogRecPtr,
    /// Bytes between them.
    pub bytes: u64,
    /// Records.
    pub records: u64,
}

/// A place where the WAL cannot be read on, although there is more of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Break {
    /// Why.
    pub stop: Stop,
    /// The next record that can be read; `None` when there are only segments without any.
    pub resumed: Option<XLogRecPtr>,
}

/// The WAL of one timeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineWal {
    /// The timeline.
    pub tli: TimeLineID,
    /// The one it branched off, as far as a history file tells.
    pub parent: Option<TimeLineID>,
    /// Where it did; up to 9.2 the start of the segment in which it did.
    pub switch: Option<XLogRecPtr>,
    /// Its segments.
    pub segments: usize,
    /// What can be read, in order.
    pub good: Vec<Good>,
    /// Segments missing between others, and up to where another timeline left this one: first
    /// and last.
    pub gaps: Vec<(XLogSegNo, XLogSegNo)>,
    /// Where it breaks off.
    pub breaks: Vec<Break>,
    /// Where it ends; `None` when it ends with the last byte of its last segment.
    pub end: Option<Stop>,
    /// Segments behind the end that were made or renamed in advance.
    pub spare: u64,
}

/// Why a segment is not of this set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Foreign {
    /// Another major version.
    Version(Major),
    /// Another system identifier.
    SystemIdentifier(u64),
    /// Another `wal_segment_size`.
    SegmentSize(u32),
    /// Another `XLOG_BLCKSZ`.
    BlockSize(u32),
}

/// What was found out about a set of segments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verification {
    /// Version and sizes of most segments.
    pub layout: Layout,
    /// The system identifier of most segments.
    pub system_identifier: u64,
    /// By timeline.
    pub timelines: Vec<TimelineWal>,
    /// Segments of another cluster, by path.
    pub foreign: Vec<(String, Foreign)>,
    /// Copies of segments that contradict each other: path of one, and what is wrong.
    pub contradictions: Vec<(String, String)>,
    /// What could not be read: path and reason.
    pub not_examined: Vec<(String, String)>,
}

impl TimelineWal {
    /// Takes in where the timeline begins, and the gaps at the places where timelines part.
    fn add_branch(&mut self, known: &TimelineSegments) {
        self.parent = known.parent;
        self.switch = known.switch;
        for gap in &known.gaps {
            let overlaps =
                |(first, last): &(XLogSegNo, XLogSegNo)| *first <= gap.last && gap.first <= *last;
            if !self.gaps.iter().any(overlaps) {
                self.gaps.push((gap.first, gap.last));
            }
        }
        self.gaps.sort_unstable();
    }
}

impl Verification {
    /// Whether all of it can be read without a gap, and nothing foreign is among it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let whole = |wal: &TimelineWal| wal.gaps.is_empty() && wal.breaks.is_empty();
        self.foreign.is_empty()
            && self.contradictions.is_empty()
            && self.not_examined.is_empty()
            && self.timelines.iter().all(whole)
    }
}

/// What the first page of a segment says of its cluster.
type Origin = (&'static Version, WalLongHeader);

fn origin(evidence: &Evidence, id: FileId) -> Option<Origin> {
    let (version, header) = first_wal_page(evidence, id)?;
    let long = header.long?;
    layout_by_wal(version, &long).map(|_| (version, long))
}

/// The origin that most segments have, of equally many the first met.
fn usual(origins: &[(FileId, Origin)]) -> Option<Origin> {
    let same = |a: &Origin, b: &Origin| a.0.major == b.0.major && a.1 == b.1;
    let mut counts: Vec<(Origin, usize)> = Vec::new();
    for (_, found) in origins {
        match counts.iter_mut().find(|(known, _)| same(known, found)) {
            Some((_, count)) => *count += 1,
            None => counts.push((*found, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    let first = counts.into_iter().find(|(_, count)| *count == most)?;
    Some(first.0)
}

fn foreign(usual: &Origin, found: &Origin) -> Option<Foreign> {
    let ((version, expected), (other, header)) = (usual, found);
    if version.major != other.major {
        Some(Foreign::Version(other.major))
    } else if expected.xlp_sysid != header.xlp_sysid {
        Some(Foreign::SystemIdentifier(header.xlp_sysid))
    } else if expected.xlp_seg_size != header.xlp_seg_size {
        Some(Foreign::SegmentSize(header.xlp_seg_size))
    } else if expected.xlp_xlog_blcksz != header.xlp_xlog_blcksz {
        Some(Foreign::BlockSize(header.xlp_xlog_blcksz))
    } else {
        None
    }
}

/// Reads all the WAL of the evidence; `None` when no segment tells its version. `in_use`: it
/// lies where a server works, which keeps spare segments behind the end of WAL.
#[must_use]
pub fn verify(evidence: &Evidence, in_use: bool) -> Option<Verification> {
    let segments = evidence
        .iter()
        .filter(|(_, entry)| matches!(entry.kind, FileKind::Wal(_) | FileKind::WalPartial(_)));
    let origins: Vec<(FileId, Origin)> = segments
        .filter_map(|(id, _)| Some((id, origin(evidence, id)?)))
        .collect();
    let usual = usual(&origins)?;
    let others: BTreeMap<FileId, Foreign> = origins
        .iter()
        .filter_map(|(id, found)| Some((*id, foreign(&usual, found)?)))
        .collect();
    let (version, header) = usual;
    let layout = layout_by_wal(version, &header)?;
    let wal = EvidenceWal::of(evidence, &layout, false, |id| !others.contains_key(&id));
    let cluster = Cluster::read(evidence);
    let own = Some(header.xlp_sysid);
    let availability = Availability::new(evidence, &cluster, &wal, own, None);
    let tlis: BTreeSet<TimeLineID> = wal.segments().map(|(tli, ..)| tli).collect();
    let timelines = tlis
        .into_iter()
        .map(|tli| {
            let context = WalContext {
                layout,
                system_identifier: own,
                timelines: wal.timelines(&cluster, tli).without_forks(),
            };
            let mut found = verify_timeline(&context, &wal, tli, in_use);
            let known = availability.timelines.iter().find(|wal| wal.tli == tli);
            if let Some(known) = known {
                found.add_branch(known);
            }
            found
        })
        .collect();
    let contradictions = contradictions(evidence, &cluster, &wal, &availability, own)
        .iter()
        .map(|contradiction| {
            let (id, _, what) = contradiction.told(evidence);
            (evidence.place(id), what)
        })
        .collect();
    let path = |id: &FileId| evidence.entry(*id).path.clone();
    let not_examined = evidence.not_examined().into_iter();
    Some(Verification {
        layout,
        system_identifier: header.xlp_sysid,
        timelines,
        foreign: others.iter().map(|(id, why)| (path(id), *why)).collect(),
        contradictions,
        not_examined: not_examined.map(|n| (n.path, n.reason)).collect(),
    })
}

/// Runs of neighbours.
fn runs(segments: &[XLogSegNo]) -> Vec<&[XLogSegNo]> {
    segments
        .chunk_by(|a, b| a.checked_add(1) == Some(*b))
        .collect()
}

fn verify_timeline(
    context: &WalContext,
    wal: &EvidenceWal<'_>,
    tli: TimeLineID,
    in_use: bool,
) -> TimelineWal {
    let own = wal.segments().filter(|(of, ..)| *of == tli);
    let segments: Vec<XLogSegNo> = own.map(|(_, segno, _)| segno).collect();
    let mut found = TimelineWal {
        tli,
        parent: None,
        switch: None,
        segments: segments.len(),
        good: Vec::new(),
        gaps: Vec::new(),
        breaks: Vec::new(),
        end: None,
        spare: 0,
    };
    let runs = runs(&segments);
    let mut used = 0;
    for (n, run) in runs.iter().enumerate() {
        let before = (found.gaps.len(), found.breaks.len(), found.good.len());
        if let Some(previous) = n.checked_sub(1).and_then(|n| runs[n].last()) {
            found.gaps.push((previous + 1, run[0] - 1));
        }
        verify_run(context, wal, run, &mut found);
        if found.good.len() == before.2 && in_use && n > 0 {
            // Spare segments need not follow without a gap.
            found.gaps.truncate(before.0);
            found.breaks.truncate(before.1);
            found.spare += run.len() as u64;
            continue;
        }
        used = n;
    }
    settle_end(
        context,
        runs.get(used).copied().unwrap_or(&[]),
        in_use,
        &mut found,
    );
    found
}

/// Reads a run of neighbouring segments to its end. The stop behind which nothing more can be
/// read is the last of the breaks then, without a place to go on at.
fn verify_run(
    context: &WalContext,
    wal: &EvidenceWal<'_>,
    run: &[XLogSegNo],
    found: &mut TimelineWal,
) {
    let geometry = WalGeometry::of(&context.layout);
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return;
    };
    let start = geometry.segment_start(*first);
    let limit = geometry.segment_start(last + 1);
    let finder = Finder::new(geometry, run, Some(limit), true);
    let mut reader = WalReader::new(context, wal, Position::at(start));
    let mut next = finder.find(&mut reader, start);
    // A damaged first page is told by reading it as the server would.
    if next.is_none_or(|position| geometry.segment_of(position.next) > *first)
        && let Some(stop) = first_stop(context, wal, start)
    {
        let resumed = next.map(|position| position.next);
        found.breaks.push(Break { stop, resumed });
    }
    while let Some(position) = next {
        let end = walk(context, wal, position, Some(limit), &|| (), &mut |_, _| {});
        if end.records > 0 {
            found.good.push(Good {
                start: position.next,
                end: end.position.next,
                bytes: geometry.bytes_between(position.next, end.position.next),
                records: end.records,
            });
        }
        let Some(stop) = end.stop else { return };
        next = finder.find(&mut reader, geometry.next_page(stop.lsn));
        let resumed = next.map(|position| position.next);
        found.breaks.push(Break { stop, resumed });
    }
}

/// Why the first page of a run cannot be used; `None` when it can, and no record starts on it.
fn first_stop(context: &WalContext, wal: &EvidenceWal<'_>, start: XLogRecPtr) -> Option<Stop> {
    let mut reader = WalReader::new(context, wal, Position::at(start));
    let cause = reader.find_first_from_page(start).err()?;
    Some(Stop {
        lsn: start,
        last: None,
        cause,
        in_contrecord: false,
    })
}

/// Tells the end of the timeline from its breaks: of the last run the last stop behind which
/// there is nothing. Segments behind it are spare ones where a server works; elsewhere there
/// should be WAL in them.
fn settle_end(context: &WalContext, run: &[XLogSegNo], in_use: bool, found: &mut TimelineWal) {
    let geometry = WalGeometry::of(&context.layout);
    // A record that goes on in a missing segment is told by the gap.
    let in_run = |lsn: XLogRecPtr| run.contains(&geometry.segment_of(lsn));
    found.breaks.retain(|broken| {
        !matches!(broken.stop.cause, StopCause::MissingSegment { .. }) || in_run(broken.stop.lsn)
    });
    let Some(last) = found.breaks.last() else {
        return;
    };
    if last.resumed.is_some() || !in_run(last.stop.lsn) {
        return;
    }
    let at = geometry.segment_of(last.stop.lsn);
    let behind = run.iter().filter(|segno| **segno > at).count() as u64;
    let whole = run.first() == Some(&at) && found.good.is_empty();
    if (behind == 0 || in_use) && !whole {
        found.spare += behind;
        found.end = found.breaks.pop().map(|broken| broken.stop);
    }
}
