//! The timelines that recovery follows (`timeline.c`, `expectedTLEs`).

use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::wal::WalGeometry;

/// One timeline in the history of the target (`TimeLineHistoryEntry`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimelineEntry {
    /// The timeline.
    pub tli: TimeLineID,
    /// First position on it; 0 for the first timeline, and unknown (0) up to 9.2.
    pub begin: XLogRecPtr,
    /// Where the next one branched off; `None` for the target.
    pub end: Option<XLogRecPtr>,
}

/// The target timeline and its ancestors, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timelines(Vec<TimelineEntry>);

impl Timelines {
    /// A timeline without known ancestors.
    #[must_use]
    pub fn single(tli: TimeLineID) -> Self {
        Self(vec![TimelineEntry {
            tli,
            begin: XLogRecPtr::INVALID,
            end: None,
        }])
    }

    /// From the target's history: the ancestors, oldest first, with the position at which
    /// each was left. Positions are `None` up to 9.2, whose files name only a segment.
    #[must_use]
    pub fn new(target: TimeLineID, ancestors: &[(TimeLineID, Option<XLogRecPtr>)]) -> Self {
        let mut begin = XLogRecPtr::INVALID;
        let mut entries = Vec::with_capacity(ancestors.len().saturating_add(1));
        for &(tli, end) in ancestors {
            entries.push(TimelineEntry { tli, begin, end });
            begin = end.unwrap_or(XLogRecPtr::INVALID);
        }
        entries.push(TimelineEntry {
            tli: target,
            begin,
            end: None,
        });
        entries.reverse();
        Self(entries)
    }

    /// The same timelines, any of which may hold any segment.
    #[must_use]
    pub fn without_forks(self) -> Self {
        let unknown = |entry: TimelineEntry| TimelineEntry {
            begin: XLogRecPtr::INVALID,
            end: None,
            ..entry
        };
        Self(self.0.into_iter().map(unknown).collect())
    }

    /// The timeline recovery is to end on.
    #[must_use]
    pub fn target(&self) -> TimeLineID {
        self.0.first().map_or(1, |entry| entry.tli)
    }

    /// Newest first.
    #[must_use]
    pub fn entries(&self) -> &[TimelineEntry] {
        &self.0
    }

    /// `tliInHistory`.
    #[must_use]
    pub fn contains(&self, tli: TimeLineID) -> bool {
        self.0.iter().any(|entry| entry.tli == tli)
    }

    /// `tliOfPointInHistory`.
    #[must_use]
    pub fn of_position(&self, lsn: XLogRecPtr) -> Option<TimeLineID> {
        self.0
            .iter()
            .find(|e| e.begin <= lsn && e.end.is_none_or(|end| lsn < end))
            .map(|entry| entry.tli)
    }

    /// The timelines whose file of a segment is tried, in the server's order
    /// (`xlogrecovery.c: XLogFileReadAnyTLI`): newest first, none that had not begun by
    /// then, none older than that of the file in use.
    #[must_use]
    pub fn for_segment(
        &self,
        segno: XLogSegNo,
        file_tli: TimeLineID,
        geometry: &WalGeometry,
    ) -> Vec<TimeLineID> {
        self.0
            .iter()
            .take_while(|entry| entry.tli >= file_tli)
            .filter(|entry| segno >= geometry.segment_of(entry.begin))
            .map(|entry| entry.tli)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::{Layout, Major, Version};

    #[test]
    fn segments_are_sought_on_the_newest_timeline_that_had_begun() {
        let layout = Layout::usual(Version::of(Major::V15).unwrap());
        let geometry = WalGeometry::of(&layout);
        let fork = |n: u64| Some(XLogRecPtr((n << 24) + 512));
        let t = Timelines::new(3, &[(1, fork(4)), (2, fork(7))]);
        assert_eq!(t.for_segment(3, 0, &geometry), [1]);
        assert_eq!(t.for_segment(4, 0, &geometry), [2, 1]);
        assert_eq!(t.for_segment(7, 0, &geometry), [3, 2, 1]);
        assert_eq!(t.for_segment(7, 2, &geometry), [3, 2]);
        assert_eq!(t.of_position(XLogRecPtr(4 << 24)), Some(1));
        assert_eq!(t.of_position(XLogRecPtr((4 << 24) + 512)), Some(2));
        assert_eq!(t.of_position(XLogRecPtr(99 << 24)), Some(3));
    }
}
