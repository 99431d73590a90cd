//! Offset of a multixact cannot be.

use crate::check::Examination;
use crate::cluster::slru::SlruCache;
use crate::cluster::xact::{XactLog, list_length};
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru, multixact_offset};
use crate::format::types::{MultiXactId, MultiXactOffset};
use crate::format::version::{Layout, Major};
use crate::scan::Horizons;

check! {
    /// ## What it means
    /// `pg_multixact/offsets` says of each multixact where its list of transactions begins in
    /// `pg_multixact/members`. The lists lie one behind the other, in the order in which the
    /// multixacts were given out. Here one begins at or before the start of the one before
    /// it, or farther behind it than any list is long. A query on a row that was locked by
    /// one of the two and updated reads the wrong list, or fails: ERROR `invalid memory alloc
    /// request size ...`, or could not access status of a transaction that the row has nothing
    /// to do with.
    ///
    /// ## How it is decided
    /// All offsets from `oldestMulti` up to `nextMulti` after replay are compared with the
    /// one before, and the last with `nextMultiOffset`, in a circle of 32 bits up to 18
    /// (`multixact.c: GetNewMultiXactId, RecordNewMultiXact`). Offsets that replay writes are
    /// left out, and those that are 0: not yet set, or never. From 9.3 on; up to 9.2 no
    /// oldest one is kept.
    ///
    /// ## What else may cause it
    /// A segment from another time; blocks overwritten by foreign data; a lost write of a
    /// page, where the space was used before; `pg_resetwal` (`pg_resetxlog` up to 9.6) with a
    /// wrong `-O`.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Take the segment from a backup or
    /// standby of the same time: offsets never change once they are set. Without one, the
    /// rows that name the multixact (see `multixact-member-invalid`) are to be left out of a
    /// dump and decided by hand; all others are good.
    "multixact-offset-invalid" Damage Mxact: "offset of a multixact cannot be"
}

/// Offsets of live multixacts that do not follow each other.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(xacts), Some(layout), Some(horizons)) =
        (examination.xacts, examination.cluster.layout, examination.horizons)
    else {
        return;
    };
    if !layout.since(Major::V9_3) || horizons.oldest_multi.is_none() {
        return;
    }
    let slru = Slru::MultiXactOffset;
    let per_page = u64::from(slru.entries_per_page(&layout));
    let mut cache = SlruCache::default();
    let mut before: Option<(MultiXactId, MultiXactOffset)> = None;
    for (segno, segment) in xacts.offsets.segments() {
        let (oldest, next) = (horizons.oldest_multi.unwrap_or(1), horizons.next_multi);
        if !slru.segment_is_live(segno, oldest.into(), next.into(), &layout) {
            continue;
        }
        let first_page = segno.saturating_mul(SLRU_PAGES_PER_SEGMENT);
        for page in first_page..first_page.saturating_add(segment.pages.into()) {
            if xacts.offsets.is_zero_page(page) || xacts.replay_makes_multi_page(slru, page) {
                continue;
            }
            let first = page.saturating_mul(per_page);
            for entry in first..first.saturating_add(per_page) {
                let Ok(multi) = MultiXactId::try_from(entry) else { break };
                let offset = offset(xacts, &mut cache, multi, &horizons, &layout);
                let Some(offset) = offset else { continue };
                if let Some((other, start)) = before
                    && other.wrapping_add(1) == multi
                    && list_length(start, offset, &layout).is_none()
                {
                    let message = format!(
                        "multixact {multi} has offset {offset}, and the one before it {start}"
                    );
                    findings.push(found(multi, message, &layout));
                } else if multi.wrapping_add(1) == next
                    && list_length(offset, horizons.next_multi_offset, &layout).is_none()
                {
                    let end = horizons.next_multi_offset;
                    let message =
                        format!("multixact {multi}, the last, has offset {offset}, and the next will have {end}");
                    findings.push(found(multi, message, &layout));
                }
                before = Some((multi, offset));
            }
        }
    }
}

/// The offset of a live multixact that replay leaves as it is; none where it is not set.
fn offset(
    xacts: &XactLog<'_>,
    cache: &mut SlruCache,
    multi: MultiXactId,
    horizons: &Horizons,
    layout: &Layout,
) -> Option<MultiXactOffset> {
    if multi == 0 || !horizons.multi_is_valid(multi) || xacts.replay_writes_multi(multi) {
        return None;
    }
    let (at, page) = xacts.offsets.entry(cache, multi.into())?;
    multixact_offset(page, at, layout).filter(|offset| *offset != 0)
}

fn found(multi: MultiXactId, message: String, layout: &Layout) -> Finding {
    let slru = Slru::MultiXactOffset;
    let place = slru.locate(multi.into(), layout);
    let path = slru.segment_path(place.segno, layout);
    let byte = place.page_offset(layout).saturating_add(place.byte.into());
    Finding::new(&CHECK, Location::file(&path).at_byte(byte), message)
}
