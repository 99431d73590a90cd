//! Which WAL there is: the segments of each timeline, where they lie, what is missing between
//! them, and where one timeline branched off another.
//!
//! A segment counts as there when its first page is its own: of this version and cluster, and
//! with the address that its name tells. Segments that a server keeps to be overwritten are
//! zero or bear the address of their former place, and so are not taken for WAL.

use super::source::EvidenceWal;
use crate::cluster::{Cluster, Fact, first_wal_page};
use crate::format::history::Switchpoint;
use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::wal::WalGeometry;
use crate::pgdata::{Evidence, FileId};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Neighbouring segments of one timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// First byte of the first.
    pub from: XLogRecPtr,
    /// Behind the last byte of the last segment; where the WAL ends, if that is known to be in
    /// it.
    pub to: XLogRecPtr,
    /// The first segment.
    pub first: XLogSegNo,
    /// The last segment.
    pub last: XLogSegNo,
}

/// Segments that are missing: first and last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Gap {
    /// The first.
    pub first: XLogSegNo,
    /// The last.
    pub last: XLogSegNo,
}

/// What there is of a timeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineSegments {
    /// The timeline.
    pub tli: TimeLineID,
    /// The one it branched off, by its history file; `None` for the first, and without one.
    pub parent: Option<TimeLineID>,
    /// Where it did; up to 9.2 the start of the segment in which it did.
    pub switch: Option<XLogRecPtr>,
    /// The segments there are, in order.
    pub spans: Vec<Span>,
    /// The segments that are missing between those of the timeline and of its neighbours.
    pub gaps: Vec<Gap>,
}

/// The segments by timeline and number, and all files of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Availability {
    /// How WAL is divided.
    pub geometry: WalGeometry,
    /// By number.
    pub timelines: Vec<TimelineSegments>,
    /// The files that are a segment of this cluster, each segment's in the order in which they
    /// are tried.
    pub files: BTreeMap<(TimeLineID, XLogSegNo), Vec<FileId>>,
}

impl Availability {
    /// Looks at the first page of every file of a segment. `end` is where the WAL of a
    /// timeline is known to end.
    #[must_use]
    pub fn new(
        evidence: &Evidence,
        cluster: &Cluster,
        wal: &EvidenceWal<'_>,
        system_identifier: Option<u64>,
        end: Option<(TimeLineID, XLogRecPtr)>,
    ) -> Self {
        let geometry = WalGeometry::of(wal.layout());
        let major = wal.layout().version.major;
        let is_own = |segno: XLogSegNo, id: FileId| {
            first_wal_page(evidence, id).is_some_and(|(version, header)| {
                let own = |found| system_identifier.is_none_or(|expected| expected == found);
                version.major == major
                    && header.xlp_pageaddr == geometry.segment_start(segno)
                    && header.long.is_some_and(|long| own(long.xlp_sysid))
            })
        };
        let all: Vec<_> = wal.files().collect();
        let files: BTreeMap<_, _> = all
            .into_par_iter()
            .filter_map(|(tli, segno, files)| {
                let own = files.iter().copied().filter(|id| is_own(segno, *id));
                let own: Vec<FileId> = own.collect();
                (!own.is_empty()).then_some(((tli, segno), own))
            })
            .collect();
        let mut timelines = timelines(cluster, &geometry, &files);
        for timeline in &mut timelines {
            if let (Some((tli, end)), Some(last)) = (end, timeline.spans.last_mut())
                && tli == timeline.tli
                && (geometry.segment_start(last.last)..last.to).contains(&end)
            {
                last.to = end;
            }
        }
        find_gaps(&geometry, &mut timelines);
        Self {
            geometry,
            timelines,
            files,
        }
    }

    /// Whether there is anything to tell: more than one timeline, or a gap.
    #[must_use]
    pub fn is_eventful(&self) -> bool {
        self.timelines.len() > 1 || self.timelines.iter().any(|wal| !wal.gaps.is_empty())
    }

    /// The segments of which there are several files.
    pub fn duplicates(&self) -> impl Iterator<Item = (TimeLineID, XLogSegNo, &[FileId])> {
        let several = self.files.iter().filter(|(_, files)| files.len() > 1);
        several.map(|((tli, segno), files)| (*tli, *segno, &files[..]))
    }
}

/// The timelines that have WAL, or that a history file tells of.
fn timelines(
    cluster: &Cluster,
    geometry: &WalGeometry,
    files: &BTreeMap<(TimeLineID, XLogSegNo), Vec<FileId>>,
) -> Vec<TimelineSegments> {
    let mut tlis: BTreeSet<TimeLineID> = files.keys().map(|(tli, _)| *tli).collect();
    let mut parents = BTreeMap::new();
    for (tli, (_, fact)) in &cluster.histories {
        let Fact::Present(history) = fact else {
            continue;
        };
        tlis.insert(*tli);
        tlis.extend(history.entries.iter().map(|entry| entry.tli));
        if let Some(parent) = history.entries.last() {
            parents.insert(*tli, parent);
        }
    }
    let segments = |tli| files.range((tli, 0)..=(tli, XLogSegNo::MAX));
    tlis.into_iter()
        .map(|tli| {
            let parent = parents.get(&tli);
            let switch = parent.and_then(|parent| match parent.switchpoint? {
                Switchpoint::Lsn(lsn) => Some(lsn),
                Switchpoint::Segment(name) => Some(geometry.segment_start(geometry.segno(&name))),
            });
            let mut spans: Vec<Span> = Vec::new();
            for ((_, segno), _) in segments(tli) {
                let to = geometry.segment_start(segno.saturating_add(1));
                match spans.last_mut() {
                    Some(span) if span.last.checked_add(1) == Some(*segno) => {
                        (span.last, span.to) = (*segno, to);
                    }
                    _ => spans.push(Span {
                        from: geometry.segment_start(*segno),
                        to,
                        first: *segno,
                        last: *segno,
                    }),
                }
            }
            TimelineSegments {
                tli,
                parent: parent.map(|parent| parent.tli),
                switch,
                spans,
                gaps: Vec::new(),
            }
        })
        .collect()
}

/// What is missing between the segments of a timeline; between its start and its first segment,
/// when there is older WAL on an ancestor; and between the last segment of a parent and the
/// place where a timeline with WAL left it.
fn find_gaps(geometry: &WalGeometry, timelines: &mut [TimelineSegments]) {
    let mut gaps: BTreeSet<(TimeLineID, Gap)> = BTreeSet::new();
    let gap = |first: XLogSegNo, end: XLogSegNo| {
        let last = end.checked_sub(1)?;
        (first <= last).then_some(Gap { first, last })
    };
    for wal in &*timelines {
        for pair in wal.spans.windows(2) {
            let between = gap(pair[0].last.saturating_add(1), pair[1].first);
            gaps.extend(between.map(|gap| (wal.tli, gap)));
        }
        let (Some(first), Some(switch)) = (wal.spans.first(), wal.switch) else {
            continue;
        };
        // The new timeline's first segment begins as a copy of the parent's.
        let start = geometry.segment_of(switch);
        let mut missing = vec![(wal.tli, gap(start, first.first))];
        let mut end = start;
        let mut ancestor = wal.parent;
        while let Some(tli) = ancestor
            && let Ok(at) = timelines.binary_search_by_key(&tli, |wal| wal.tli)
            && missing.len() <= timelines.len()
        {
            let older = &timelines[at];
            if let Some(before) = older.spans.iter().rfind(|span| span.first <= end) {
                missing.push((tli, gap(before.last.saturating_add(1), end)));
                let found = missing.into_iter();
                gaps.extend(found.filter_map(|(tli, gap)| Some((tli, gap?))));
                break;
            }
            let Some(switch) = older.switch else { break };
            let start = geometry.segment_of(switch);
            missing.push((tli, gap(start, end)));
            end = end.min(start);
            ancestor = older.parent;
        }
    }
    for (tli, gap) in gaps {
        if let Ok(at) = timelines.binary_search_by_key(&tli, |wal| wal.tli) {
            let known = &mut timelines[at].gaps;
            match known.last_mut() {
                Some(last) if gap.first <= last.last => last.last = last.last.max(gap.last),
                _ => known.push(gap),
            }
        }
    }
}
