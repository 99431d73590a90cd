//! Commit log segment lies outside the live range.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::Slru;
use super::clog_segment_missing::path;
use super::slru_lacks::lacking;
use crate::finding::Severity;
use crate::scan::tally::Lack;
use std::collections::BTreeMap;

check! {
    /// ## What it means
    /// Commit log segment lies outside the live range.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "clog-segment-foreign" Abnormal Clog: "commit log segment lies outside the live range"
}

/// Segments outside the range from the oldest to the next transaction.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(xacts), Some(layout), Some(horizons)) =
        (examination.xacts, examination.cluster.layout, examination.horizons)
    else {
        return;
    };
    let (oldest, next) = (horizons.oldest_xid, horizons.next_xid.xid());
    let mut answered: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for lack in lacking(examination) {
        if let Lack::ForeignClogPage(page) = lack.lack {
            answered.entry(page / 32).or_default().push(lack.who_has());
        }
    }
    let live = |xid: u32| Slru::Xact.locate(xid.into(), &layout).segno;
    let range = format!(
        "{} to {}",
        Slru::Xact.segment_name(live(oldest.0), &layout),
        Slru::Xact.segment_name(live(next.0.wrapping_sub(1).max(3)), &layout)
    );
    for (segno, _) in xacts.clog.segments() {
        let next_page = Slru::Xact.locate(next.0.into(), &layout).segno;
        if segno == next_page
            || Slru::Xact.segment_is_live(segno, oldest.0.into(), next.0.into(), &layout)
        {
            continue;
        }
        let first = crate::format::types::TransactionId(
            u32::try_from(segno * Slru::Xact.entries_per_segment(&layout)).unwrap_or(u32::MAX),
        );
        let never = horizons.next_xid.epoch() == 0 && first.0 > next.0 || next.precedes(first);
        let zero = xacts.clog.is_zero_segment(segno);
        let mut message = if zero { "all zero, " } else { "" }.to_owned();
        message.push_str(&format!("outside the live range {range}"));
        if zero && never {
            message.push_str(": made by hand");
        } else if never {
            message.push_str(": its transactions were never assigned");
        } else {
            message.push_str(": no longer needed");
        }
        for who in answered.get(&segno).into_iter().flatten() {
            message.push_str(&format!("; it turns {who} into silently aborted rows"));
        }
        let severity = match (answered.contains_key(&segno), never || zero) {
            (true, _) => Severity::Damage,
            (false, true) => Severity::Abnormal,
            // What vacuum has not come round to remove.
            (false, false) => Severity::Note,
        };
        let location = Location::file(&path(segno, examination));
        findings.push(Finding::new(&CHECK, location, message).severity(severity));
    }
}
