//! Reads the WAL that the next start does not need: what lies before the redo point, and the
//! segments of other timelines. A standby, or recovery to a point in time, may need it.

use super::reader::{Position, WalContext, WalReader};
use super::source::EvidenceWal;
use super::start::DryRun;
use super::stop::Stop;
use super::walk::{normalize, walk};
use crate::cluster::Cluster;
use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::version::Major;
use crate::format::wal::WalGeometry;

/// A place where WAL cannot be read on, although it should go on.
#[derive(Clone, Debug)]
pub struct Break {
    /// The timeline being read.
    pub tli: TimeLineID,
    /// Why.
    pub stop: Stop,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Bytes of valid WAL.
    pub bytes: u64,
    /// Valid records.
    pub records: u64,
    /// Where it breaks off.
    pub breaks: Vec<Break>,
}

/// Reads every segment that the dry run has not read.
#[must_use]
pub fn survey(
    cluster: &Cluster,
    system_identifier: u64,
    wal: &EvidenceWal<'_>,
    run: &DryRun,
    advance: &dyn Fn(u64),
) -> Survey {
    let layout = *wal.layout();
    let geometry = WalGeometry::of(&layout);
    let mut survey = Survey::default();
    for (tli, first, last) in stretches(wal) {
        let timelines = cluster.timelines(tli);
        let context = WalContext {
            layout,
            system_identifier: Some(system_identifier),
            timelines,
        };
        let limit = limit(run, tli, layout.since(Major::V9_3));
        let mut segno = first;
        while segno <= last && limit.is_none_or(|limit| geometry.segment_start(segno) < limit) {
            let start = WalReader::new(&context, wal, Position::at(XLogRecPtr::INVALID))
                .find_first_in_segment(segno);
            let Ok(Some(start)) = start else {
                // Its first page is the business of the checks of segments; one that holds
                // only the middle of a record has nothing to start from.
                segno += 1;
                continue;
            };
            let end = walk(
                &context,
                wal,
                Position::at(start),
                limit,
                &|| (),
                &mut |_, _| {
                    advance(geometry.segment_size);
                },
            );
            survey.records += end.records;
            survey.bytes += geometry.bytes_between(start, end.position.next);
            let Some(stop) = end.stop else { break };
            let at = geometry.segment_of(normalize(&context, stop.lsn));
            // Writing ends somewhere in the last segment of a timeline whose end is unknown.
            let expected = limit.is_none() && at >= last;
            if !expected {
                survey.breaks.push(Break { tli, stop });
            }
            segno = at.max(segno) + 1;
        }
    }
    survey
}

/// The runs of segments without a gap: timeline, first and last segment.
fn stretches(wal: &EvidenceWal<'_>) -> Vec<(TimeLineID, XLogSegNo, XLogSegNo)> {
    let mut stretches: Vec<(TimeLineID, XLogSegNo, XLogSegNo)> = Vec::new();
    for (tli, segno, _) in wal.segments() {
        match stretches.last_mut() {
            Some((t, _, last)) if *t == tli && last.checked_add(1) == Some(segno) => *last = segno,
            _ => stretches.push((tli, segno, segno)),
        }
    }
    stretches
}

/// Where a timeline's WAL ends for this purpose: at the redo point of the next start on its
/// own timeline, and where the next timeline branched off on an ancestor.
fn limit(run: &DryRun, tli: TimeLineID, switchpoints_known: bool) -> Option<XLogRecPtr> {
    if tli == run.timelines.target() {
        return Some(
            run.check_point
                .map_or(run.checkpoint_lsn, |point| point.redo),
        );
    }
    let entry = run
        .timelines
        .entries()
        .iter()
        .find(|entry| entry.tli == tli)?;
    entry.end.filter(|_| switchpoints_known)
}
