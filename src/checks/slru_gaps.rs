//! What of an SLRU's live range is missing, whether rows ask for it or not: shared by the
//! checks of the commit log, of multixacts and of commit timestamps.

use crate::check::Examination;
use crate::cluster::xact::XactCache;
use crate::finding::{Finding, Location, Severity};
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru};
use crate::format::types::TransactionId;
use crate::format::version::{Layout, Major};
use crate::pgdata::{Evidence, FileKind};
use crate::recovery::gate::{MissingPage, refused_page};
use crate::report::units::thousands;
use std::collections::{BTreeMap, BTreeSet};

/// Entries from the oldest up to but not including the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Live {
    /// The oldest.
    oldest: u64,
    /// The next. Numbers wrap, so it may be the smaller.
    next: u64,
}

/// Neighbouring segments of which pages are missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gap {
    /// Segments without a file.
    Missing {
        /// The first.
        first: u64,
        /// The last, itself missing.
        last: u64,
        /// Nothing older is there, but something newer is: a truncation that the counters do
        /// not know of looks like that.
        is_oldest: bool,
    },
    /// A file that ends too early.
    Short {
        /// Its segment.
        segno: u64,
        /// The first page that it lacks, counted through all segments.
        page: u64,
    },
}

/// The segments of an SLRU, with their whole pages.
struct Extents {
    slru: Slru,
    pages: BTreeMap<u64, u64>,
}

impl Extents {
    /// Those of the evidence, by their sizes.
    fn of(evidence: &Evidence, slru: Slru, layout: &Layout) -> Self {
        let segments = evidence.iter().filter_map(|(_, entry)| match entry.kind {
            FileKind::Slru { slru: of, segno } if of == slru && entry.archive.is_none() => {
                Some((segno, entry.size / u64::from(layout.blcksz.max(1))))
            }
            _ => None,
        });
        Self {
            slru,
            pages: segments.collect(),
        }
    }

    fn has_segment(&self, segno: u64) -> bool {
        self.pages.contains_key(&segno)
    }

    fn has_page(&self, page: u64) -> bool {
        let pages = self.pages.get(&(page / SLRU_PAGES_PER_SEGMENT));
        pages.is_some_and(|pages| page % SLRU_PAGES_PER_SEGMENT < *pages)
    }
}

/// What is missing of the pages of live entries; `made` are those that replay makes anew.
/// Takes time by what is there, however long the range is.
fn gaps(files: &Extents, live: Live, made: Option<&BTreeSet<u64>>, layout: &Layout) -> Vec<Gap> {
    if live.oldest == live.next {
        return Vec::new();
    }
    let slru = files.slru;
    let last_page = slru
        .last_segment(layout)
        .saturating_add(1)
        .saturating_mul(SLRU_PAGES_PER_SEGMENT)
        .saturating_sub(1);
    let first = slru.pageno(live.oldest, layout);
    let last = match live.next.checked_sub(1) {
        Some(newest) => slru.pageno(newest, layout),
        None => last_page,
    };
    let arcs = if live.oldest < live.next {
        vec![(first, last)]
    } else {
        vec![(first, last_page), (0, last)]
    };
    let mut gaps = Vec::new();
    let mut seen = false;
    for (first, last) in arcs {
        gaps_of_arc(files, made, first, last, &mut seen, &mut gaps);
    }
    // The page of the next entry may be all that is there (multixact.c: MaybeExtendOffsetSlru).
    let next_page = slru.pageno(live.next, layout);
    let any = seen || files.has_page(next_page);
    for gap in &mut gaps {
        if let Gap::Missing { is_oldest, .. } = gap {
            *is_oldest &= any;
        }
    }
    gaps
}

fn gaps_of_arc(
    files: &Extents,
    made: Option<&BTreeSet<u64>>,
    first: u64,
    last: u64,
    seen: &mut bool,
    gaps: &mut Vec<Gap>,
) {
    let segment = |page: u64| page / SLRU_PAGES_PER_SEGMENT;
    if first > last {
        return;
    }
    let mut there: BTreeSet<u64> = files
        .pages
        .range(segment(first)..=segment(last))
        .map(|(segno, _)| *segno)
        .collect();
    let made_pages = made.into_iter().flat_map(|made| made.range(first..=last));
    there.extend(made_pages.map(|page| segment(*page)));
    let mut from = segment(first);
    let missing = |first, last, is_oldest| Gap::Missing {
        first,
        last,
        is_oldest,
    };
    for segno in there {
        if from < segno {
            gaps.push(missing(from, segno - 1, !*seen));
        }
        from = segno.saturating_add(1);
        let begin = segno.saturating_mul(SLRU_PAGES_PER_SEGMENT);
        let end = begin.saturating_add(SLRU_PAGES_PER_SEGMENT - 1);
        let is_made = |page: &u64| made.is_some_and(|made| made.contains(page));
        let mut pages = begin.max(first)..=end.min(last);
        let lacking = pages.find(|page| !files.has_page(*page) && !is_made(page));
        if let Some(page) = lacking {
            gaps.push(if files.has_segment(segno) {
                Gap::Short { segno, page }
            } else {
                // Replay makes a part of it.
                missing(segno, segno, false)
            });
        }
        *seen = true;
    }
    if from <= segment(last) {
        gaps.push(missing(from, segment(last), !*seen));
    }
}

/// The multixacts that may be asked for; nothing up to 9.2, which keep no oldest one.
fn live_offsets(examination: &Examination<'_>) -> Option<Live> {
    let horizons = examination.horizons?;
    Some(Live {
        oldest: horizons.oldest_multi?.into(),
        next: horizons.next_multi.into(),
    })
}

/// Their members; nothing where the oldest one's offset cannot be told.
fn live_members(examination: &Examination<'_>, layout: &Layout) -> Option<Live> {
    let horizons = examination.horizons?;
    let oldest = horizons
        .oldest_multi
        .filter(|oldest| *oldest != horizons.next_multi)?;
    let oldest = examination
        .xacts?
        .first_member(&mut XactCache::default(), oldest)?;
    let next = horizons.next_multi_offset;
    // 64 bits do not wrap.
    let possible = oldest <= next || !layout.since(Major::V19);
    possible.then_some(Live { oldest, next })
}

/// The transactions whose commit timestamps are kept. What replay adds is not among them.
fn live_commit_ts(examination: &Examination<'_>, layout: &Layout) -> Option<Live> {
    let control = examination.cluster.sound_control()?;
    let run = examination.recovery?;
    let (horizons, point) = (examination.horizons?, run.check_point?);
    if control.track_commit_timestamp != Some(true) {
        return None;
    }
    let oldest = point.oldest_commit_ts_xid.filter(|xid| xid.is_normal())?;
    let newest = point.newest_commit_ts_xid.filter(|xid| xid.is_normal())?;
    let next = horizons.next_xid.xid();
    // Until one is kept, both are the next transaction (commit_ts.c: ActivateCommitTs; pg_upgrade.c:
    // copy_xact_xlog_xid), whose page nobody has made yet.
    if !newest.precedes(next) || newest.precedes(oldest) {
        return None;
    }
    let mut oldest = oldest;
    if let Some(plan) = &run.plan {
        if plan.commit_ts_switched {
            return None;
        }
        let per_page = Slru::CommitTs.entries_per_page(layout);
        let cutoff = plan
            .commit_ts_cutoff
            .and_then(|page| u32::try_from(page).ok());
        let cutoff = cutoff.and_then(|page| page.checked_mul(per_page));
        if let Some(cutoff) = cutoff
            .map(TransactionId)
            .filter(|xid| oldest.precedes(*xid))
        {
            oldest = cutoff;
        }
        if newest.precedes(oldest) {
            return None;
        }
    }
    Some(Live {
        oldest: oldest.0.into(),
        next: newest.0.wrapping_add(1).into(),
    })
}

/// The page for which the next start is refused, if it is for one of an SLRU.
fn refused(examination: &Examination<'_>) -> Option<MissingPage> {
    refused_page(
        examination.refusal?,
        examination.recovery?,
        examination.evidence,
        examination.cluster,
        examination.request,
        examination.settings,
    )
}

/// What the checks of an SLRU say of what is missing in its live range.
pub struct Report {
    files: Extents,
    layout: Layout,
    gaps: Vec<Gap>,
    /// Segments that are reported already.
    named: BTreeSet<u64>,
    /// The page for which the next start is refused.
    refused: Option<MissingPage>,
    /// What the range is, in words.
    range: &'static str,
    /// How bad a truncation is that the counters do not know of.
    oldest: Severity,
    /// How bad other gaps are.
    severity: Severity,
}

/// Distance at which `oldestXid` is no real one: up to 13 `pg_resetwal -x`, which `pg_upgrade`
/// uses, sets it to 2000000000 before the next.
const MADE_UP_OLDEST: u32 = 1_999_000_000;

impl Report {
    /// Of the commit log, but for the segments that are `named`.
    pub fn of_clog(examination: &Examination<'_>, named: BTreeSet<u64>) -> Option<Self> {
        let layout = examination.cluster.layout?;
        let slru = Slru::Xact;
        let plan = examination.recovery.and_then(|run| run.plan.as_ref());
        let live = examination.horizons.map(|horizons| {
            let (oldest, next) = (horizons.oldest_xid.0, horizons.next_xid.xid().0);
            // Up to 9.6 the record does not say which transaction is the oldest then.
            let cutoff = plan.and_then(|plan| plan.clog_cutoff);
            let cutoff = cutoff.and_then(|page| {
                page.checked_mul(slru.entries_per_page(&layout).into())
                    .and_then(|xid| u32::try_from(xid).ok())
            });
            let distance = next.wrapping_sub(oldest);
            let cut = cutoff.filter(|xid| xid.wrapping_sub(oldest) < distance);
            Live {
                oldest: cut.unwrap_or(oldest).into(),
                next: next.into(),
            }
        });
        // A checkpoint can come between a truncation and its end, when the oldest transaction is
        // made known (vacuum.c: vac_truncate_clog).
        let made_up = |live: Live| live.next.wrapping_sub(live.oldest) as u32 >= MADE_UP_OLDEST;
        let unsure = plan.is_some() || live.is_some_and(made_up);
        let oldest = if unsure {
            Severity::Note
        } else {
            Severity::Abnormal
        };
        let range = "between the oldest and the next transaction";
        Some(Self::new(
            examination,
            &layout,
            slru,
            live,
            named,
            range,
            oldest,
        ))
    }

    /// Of the offsets or the members of multixacts, but for the segments that are `named`.
    pub fn of_multixacts(
        examination: &Examination<'_>,
        slru: Slru,
        named: BTreeSet<u64>,
    ) -> Option<Self> {
        let layout = examination.cluster.layout?;
        let (live, range) = match slru {
            Slru::MultiXactOffset => (
                live_offsets(examination),
                "between the oldest and the next multixact",
            ),
            _ => (
                live_members(examination, &layout),
                "between the members of the oldest and of the next multixact",
            ),
        };
        // `oldestMulti` was 1 in clusters that pg_upgrade made with 9.3 up to 9.3.4, and it may
        // be one whose page that of a newer release did not bring (pg_upgrade.c:
        // copy_xact_xlog_xid).
        let oldest = Severity::Note;
        Some(Self::new(
            examination,
            &layout,
            slru,
            live,
            named,
            range,
            oldest,
        ))
    }

    /// Of the commit timestamps, while they are kept.
    pub fn of_commit_ts(examination: &Examination<'_>) -> Option<Self> {
        let layout = examination.cluster.layout?;
        let live = live_commit_ts(examination, &layout);
        // From 10 on the oldest is moved on before the files go, and replay of the truncation
        // tells it (vacuum.c: vac_truncate_clog; commit_ts.c: commit_ts_redo).
        let oldest = if layout.since(Major::V10) {
            Severity::Damage
        } else {
            Severity::Note
        };
        let range = "between the oldest and the newest transaction with a timestamp";
        let slru = Slru::CommitTs;
        let none = BTreeSet::new();
        let report = Self::new(examination, &layout, slru, live, none, range, oldest);
        Some(Self {
            severity: Severity::Damage,
            ..report
        })
    }

    fn new(
        examination: &Examination<'_>,
        layout: &Layout,
        slru: Slru,
        live: Option<Live>,
        named: BTreeSet<u64>,
        range: &'static str,
        oldest: Severity,
    ) -> Self {
        let files = Extents::of(examination.evidence, slru, layout);
        let plan = examination.recovery.and_then(|run| run.plan.as_ref());
        let made = plan.and_then(|plan| plan.zeroed(slru));
        let gaps = live.map_or_else(Vec::new, |live| gaps(&files, live, made, layout));
        Self {
            files,
            layout: *layout,
            gaps,
            named,
            refused: refused(examination),
            range,
            oldest,
            severity: Severity::Abnormal,
        }
    }

    fn slru(&self) -> Slru {
        self.files.slru
    }

    /// Whether no row can tell that it is needed.
    fn unasked(&self, it: &str) -> String {
        if self.slru() == Slru::CommitTs {
            String::new()
        } else {
            format!("; no row that was looked at needs {it}")
        }
    }

    /// The text of the refusal for a segment, without its severity.
    fn refusal(&self, segno: u64) -> Option<&str> {
        let page = self.refused.as_ref()?;
        let own = page.slru == self.slru() && page.page / SLRU_PAGES_PER_SEGMENT == segno;
        let (_, text) = page.message.split_once(": ")?;
        own.then_some(text)
    }

    /// Segments that are missing; `new` makes a finding.
    pub fn missing(&self, new: &dyn Fn(Location, String) -> Finding) -> Vec<Finding> {
        let mut found = Vec::new();
        let refused = self
            .refused
            .as_ref()
            .map(|page| page.page / SLRU_PAGES_PER_SEGMENT);
        let path = |segno| Location::file(&self.slru().segment_path(segno, &self.layout));
        // Also where nothing of the range is known.
        if let Some(segno) = refused
            && let Some(text) = self.refusal(segno)
            && !self.named.contains(&segno)
            && !self.files.has_segment(segno)
        {
            let message = "is missing; the server does not start without it".to_owned();
            let finding = new(path(segno), message).severity(Severity::Fatal);
            found.push(finding.server_error(text.to_owned()));
        }
        for gap in &self.gaps {
            let Gap::Missing {
                first,
                last,
                is_oldest,
            } = *gap
            else {
                continue;
            };
            let told = |segno: &u64| self.named.contains(segno) || self.refusal(*segno).is_some();
            let named = self.named.iter().copied().chain(refused.filter(told));
            let named: BTreeSet<u64> = named.filter(|n| (first..=last).contains(n)).collect();
            let mut segno = first;
            while named.contains(&segno) && segno < last {
                segno += 1;
            }
            if named.contains(&segno) {
                continue;
            }
            let others = (last - first).saturating_sub(named.len() as u64);
            let mut message = format!("is missing {}", self.range);
            if others > 0 {
                let last = self.slru().segment_name(last, &self.layout);
                message.push_str(&format!(", and {} more up to {last}", thousands(others)));
            }
            message.push_str(&self.unasked(if others > 0 { "them" } else { "it" }));
            if is_oldest && self.oldest == Severity::Note {
                message.push_str("; such old ones may have been removed as no longer needed");
            }
            let severity = if is_oldest {
                self.oldest
            } else {
                self.severity
            };
            found.push(new(path(segno), message).severity(severity));
        }
        found
    }

    /// Segments that end too early.
    pub fn short(&self, new: &dyn Fn(Location, String) -> Finding) -> Vec<Finding> {
        let mut found = Vec::new();
        let at = |segno: u64, page: u64| {
            let in_segment = page % SLRU_PAGES_PER_SEGMENT;
            let path = self.slru().segment_path(segno, &self.layout);
            let byte = in_segment * u64::from(self.layout.blcksz);
            (Location::file(&path).at_byte(byte), in_segment)
        };
        if let Some(refused) = &self.refused {
            let segno = refused.page / SLRU_PAGES_PER_SEGMENT;
            if let Some(text) = self.refusal(segno)
                && self.files.has_segment(segno)
                && !self.named.contains(&segno)
            {
                let (location, page) = at(segno, refused.page);
                let message =
                    format!("ends before page {page}; the server does not start without it");
                let finding = new(location, message).severity(Severity::Fatal);
                found.push(finding.server_error(text.to_owned()));
            }
        }
        for gap in &self.gaps {
            let Gap::Short { segno, page } = *gap else {
                continue;
            };
            if self.named.contains(&segno) || self.refusal(segno).is_some() {
                continue;
            }
            let (location, page) = at(segno, page);
            let range = self.range;
            let unasked = self.unasked("it");
            let message = format!("ends before page {page}, {range}{unasked}");
            found.push(new(location, message).severity(self.severity));
        }
        found
    }
}
