//! `pgautopsy slru` as a function: what there is of the commit log, of the multixacts and of
//! their like, segment by segment, against what will be needed once replay is done.

use crate::check::{self, horizons_after, pin_small_files, recovery_request};
use crate::cluster::Cluster;
use crate::cluster::slru::SlruFiles;
use crate::cluster::xact::{XactCache, XactLog};
use crate::format::checkpoint::CheckPoint;
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru, count_statuses};
use crate::format::version::{Layout, Version};
use crate::pgdata::{Evidence, IoMode, OpenError};
use crate::recovery::plan::Plan;
use crate::recovery::settings::Settings;
use crate::recovery::source::EvidenceWal;
use crate::recovery::start::dry_run;
use crate::scan::Horizons;
use std::collections::BTreeSet;
use std::path::Path;

/// The SLRUs of a data directory.
pub struct Slrus {
    /// The directory.
    pub path: String,
    /// Its version, when that can be told.
    pub version: Option<&'static Version>,
    /// Each that the version has.
    pub slrus: Vec<SlruSummary>,
}

/// One of them.
pub struct SlruSummary {
    /// Which.
    pub slru: Slru,
    /// Its folder.
    pub directory: &'static str,
    /// What will be needed of it; `None` when that is not known, or nothing is.
    pub needed: Option<Needed>,
    /// The segments that are there.
    pub segments: Vec<SegmentSummary>,
    /// Runs of segments that will be needed and are not there: names of the first and the
    /// last, and how many.
    pub missing: Vec<(String, String, u64)>,
    /// Segments that cannot be read.
    pub unreadable: Vec<String>,
}

/// The entries that will be needed, from `oldest` up to but not including `next`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Needed {
    /// The oldest.
    pub oldest: u64,
    /// The next to be given out.
    pub next: u64,
}

/// One segment.
pub struct SegmentSummary {
    /// Its file name.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its whole pages.
    pub pages: u32,
    /// Those of them that are all zero.
    pub zero_pages: u32,
    /// Whether something of it will be needed, when that is known.
    pub needed: Option<bool>,
    /// Pages that will be needed, lie behind its end, and are not made by replay.
    pub lacking_pages: u32,
    /// Of the commit log: how many transactions, of those that will be needed if that is
    /// known, are in progress, committed, aborted, sub-committed.
    pub statuses: Option<[u64; 4]>,
}

impl Slrus {
    /// Whether all is there that will be needed, as far as it is known.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.slrus.iter().all(|slru| {
            slru.missing.is_empty()
                && slru.unreadable.is_empty()
                && slru
                    .segments
                    .iter()
                    .all(|segment| segment.lacking_pages == 0)
        })
    }
}

/// Reads the SLRUs of a data directory, or of a tar of one.
///
/// # Errors
/// When there is no data directory at `path`.
pub fn list(path: &Path) -> Result<Slrus, OpenError> {
    let evidence = Evidence::open(path, &[], IoMode::Pread)?;
    pin_small_files(&evidence);
    let cluster = Cluster::read(&evidence);
    let settings = Settings::read(&evidence, cluster.version);
    let options = check::Options::default();
    let request = recovery_request(&evidence, &cluster, &options, &settings);
    let wal = cluster
        .layout
        .map(|layout| EvidenceWal::new(&evidence, &layout, false));
    let run = match (cluster.sound_control(), cluster.layout, &wal) {
        (Some(control), Some(layout), Some(wal)) => {
            Some(dry_run(&cluster, control, layout, request, wal))
        }
        _ => None,
    };
    let horizons = run.as_ref().and_then(horizons_after);
    let plan = run.as_ref().and_then(|run| run.plan.as_ref());
    let point = run.as_ref().and_then(|run| run.check_point.as_ref());
    let slrus = cluster.layout.map_or_else(Vec::new, |layout| {
        let xacts = XactLog::open(&evidence, &layout, plan);
        Slru::ALL
            .into_iter()
            .filter(|slru| slru.exists(&layout))
            .map(|slru| {
                let needed = horizons.and_then(|h| needed(slru, &h, point, &xacts));
                match slru {
                    Slru::Xact => summary(&xacts.clog, needed, plan, &layout),
                    Slru::MultiXactOffset => summary(&xacts.offsets, needed, plan, &layout),
                    Slru::MultiXactMember => summary(&xacts.members, needed, plan, &layout),
                    Slru::Subtrans | Slru::CommitTs => {
                        let files = SlruFiles::open(&evidence, &layout, slru);
                        summary(&files, needed, plan, &layout)
                    }
                }
            })
            .map(|mut summary| {
                let folder = format!("{}/", summary.directory);
                let notes = evidence.not_examined().into_iter();
                summary.unreadable = notes
                    .filter(|note| note.path.starts_with(&folder))
                    .map(|note| format!("{}: {}", note.path, note.reason))
                    .collect();
                summary
            })
            .collect()
    });
    Ok(Slrus {
        path: path.display().to_string(),
        version: cluster.version,
        slrus,
    })
}

/// What will be needed of an SLRU.
fn needed(
    slru: Slru,
    horizons: &Horizons,
    point: Option<&CheckPoint>,
    xacts: &XactLog<'_>,
) -> Option<Needed> {
    let (oldest, next) = match slru {
        Slru::Xact => (
            u64::from(horizons.oldest_xid.0),
            u64::from(horizons.next_xid.xid().0),
        ),
        Slru::MultiXactOffset => (
            u64::from(horizons.oldest_multi?),
            u64::from(horizons.next_multi),
        ),
        Slru::MultiXactMember => {
            let oldest = horizons.oldest_multi?;
            let next = horizons.next_multi_offset;
            let first = if oldest == horizons.next_multi {
                next
            } else {
                xacts.first_member(&mut XactCache::default(), oldest)?
            };
            (first, next)
        }
        // commit_ts.c: ActivateCommitTs; 0 while none are kept.
        Slru::CommitTs => {
            let point = point?;
            let oldest = point.oldest_commit_ts_xid.filter(|xid| xid.is_normal())?;
            let newest = point.newest_commit_ts_xid.filter(|xid| xid.is_normal())?;
            (oldest.0.into(), u64::from(newest.0.wrapping_add(1)))
        }
        // subtrans.c: StartupSUBTRANS makes its pages anew.
        Slru::Subtrans => return None,
    };
    Some(Needed { oldest, next })
}

/// The pages of an SLRU that replay makes.
fn made_by_replay(slru: Slru, plan: Option<&Plan>) -> Option<&BTreeSet<u64>> {
    let plan = plan?;
    match slru {
        Slru::Xact => Some(&plan.zeroed_clog),
        Slru::MultiXactOffset => Some(&plan.zeroed_offsets),
        Slru::MultiXactMember => Some(&plan.zeroed_members),
        Slru::Subtrans | Slru::CommitTs => None,
    }
}

fn summary(
    files: &SlruFiles,
    needed: Option<Needed>,
    plan: Option<&Plan>,
    layout: &Layout,
) -> SlruSummary {
    let slru = files.slru;
    let made = made_by_replay(slru, plan);
    let is_made = |page: u64| made.is_some_and(|made| made.contains(&page));
    let mut segments = Vec::new();
    let mut bytes = Vec::new();
    for (segno, segment) in files.segments() {
        let first = segno.saturating_mul(SLRU_PAGES_PER_SEGMENT);
        let end = first.saturating_add(segment.pages.into());
        let lacks = |page: &u64| needs_page(slru, needed, *page, layout) && !is_made(*page);
        let lacking = (end..first.saturating_add(SLRU_PAGES_PER_SEGMENT)).filter(lacks);
        let statuses = (slru == Slru::Xact && files.read_segment(segno, &mut bytes)).then(|| {
            let first_entry = slru.entries_per_segment(layout).saturating_mul(segno);
            count_statuses(&bytes, |n| is_needed(needed, first_entry.saturating_add(n)))
        });
        segments.push(SegmentSummary {
            name: slru.segment_name(segno, layout),
            bytes: segment.size,
            pages: segment.pages,
            zero_pages: count((first..end).filter(|page| files.is_zero_page(*page))),
            needed: needed
                .map(|needed| slru.segment_is_live(segno, needed.oldest, needed.next, layout)),
            lacking_pages: count(lacking),
            statuses,
        });
    }
    let mut there: BTreeSet<u64> = files.segments().map(|(segno, _)| segno).collect();
    let made = made.into_iter().flatten();
    there.extend(made.map(|page| page / SLRU_PAGES_PER_SEGMENT));
    let missing = needed.map_or_else(Vec::new, |needed| missing(slru, needed, &there, layout));
    SlruSummary {
        slru,
        directory: slru.directory(layout),
        needed,
        segments,
        missing,
        unreadable: Vec::new(),
    }
}

fn count(pages: impl Iterator<Item = u64>) -> u32 {
    u32::try_from(pages.count()).unwrap_or(u32::MAX)
}

/// Whether an entry will be needed; each counts where that is not known.
fn is_needed(needed: Option<Needed>, entry: u64) -> bool {
    match needed {
        None => true,
        Some(Needed { oldest, next }) if oldest <= next => (oldest..next).contains(&entry),
        Some(Needed { oldest, next }) => entry >= oldest || entry < next,
    }
}

/// Whether an entry of a page will be needed.
fn needs_page(slru: Slru, needed: Option<Needed>, page: u64, layout: &Layout) -> bool {
    let Some(Needed { oldest, next }) = needed.filter(|needed| needed.oldest != needed.next) else {
        return false;
    };
    let first = slru.pageno(oldest, layout);
    // The last entry is the one before the next, which is 0 where numbers start again.
    let end = slru
        .last_segment(layout)
        .saturating_add(1)
        .saturating_mul(SLRU_PAGES_PER_SEGMENT);
    let last = next
        .checked_sub(1)
        .map_or(end, |last| slru.pageno(last, layout));
    if first <= last {
        (first..=last).contains(&page)
    } else {
        page >= first || page <= last
    }
}

/// Runs of segments that will be needed, and are neither there nor made by replay.
fn missing(
    slru: Slru,
    needed: Needed,
    there: &BTreeSet<u64>,
    layout: &Layout,
) -> Vec<(String, String, u64)> {
    let Needed { oldest, next } = needed;
    if oldest == next {
        return Vec::new();
    }
    let end = slru.last_segment(layout);
    let first = slru.locate(oldest, layout).segno;
    let last = next
        .checked_sub(1)
        .map_or(end, |last| slru.locate(last, layout).segno);
    let runs = if first <= last {
        vec![(first, last)]
    } else {
        vec![(first, end), (0, last)]
    };
    let mut missing = Vec::new();
    let mut note = |first: u64, last: u64| {
        let name = |segno| slru.segment_name(segno, layout);
        missing.push((name(first), name(last), last - first + 1));
    };
    for (first, last) in runs {
        let mut from = Some(first);
        for segno in there.range(first..=last).copied() {
            if let Some(from) = from.filter(|from| *from < segno) {
                note(from, segno - 1);
            }
            from = segno.checked_add(1);
        }
        if let Some(from) = from.filter(|from| *from <= last) {
            note(from, last);
        }
    }
    missing
}
