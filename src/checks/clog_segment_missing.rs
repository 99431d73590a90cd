//! Commit log segment is missing.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::Slru;
use super::slru_lacks::{Lacking, lacking};
use crate::finding::Severity;
use crate::scan::tally::Lack;
use std::collections::BTreeSet;

check! {
    /// ## What it means
    /// Commit log segment is missing.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "clog-segment-missing" Damage Clog: "commit log segment is missing"
}

/// Segments that tuples need, or that lie between the oldest and the next transaction, and
/// that are not there.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(xacts), Some(layout)) = (examination.xacts, examination.cluster.layout) else {
        return;
    };
    let mut named = BTreeSet::new();
    for lack in lacking(examination) {
        let Lack::ClogPage(page) = lack.lack else { continue };
        let segno = page / 32;
        if xacts.clog.has_segment(segno) {
            continue;
        }
        named.insert(segno);
        findings.push(needed(&lack, segno, examination));
    }
    // Nobody's rows depend on the rest, but the server never leaves a hole there.
    let Some(horizons) = examination.horizons else { return };
    for segno in 0..=Slru::Xact.last_segment(&layout) {
        let (oldest, next) = (horizons.oldest_xid.0, horizons.next_xid.xid().0);
        let live = Slru::Xact.segment_is_live(segno, oldest.into(), next.into(), &layout);
        let first_page = segno * 32;
        let made = (first_page..first_page + 32).any(|page| xacts.replay_makes_clog_page(page));
        if live && !made && !named.contains(&segno) && !xacts.clog.has_segment(segno) {
            let message = "is missing between the oldest and the next transaction; no row that \
                           was looked at needs it";
            let location = Location::file(&path(segno, examination));
            let finding = Finding::new(&CHECK, location, message).severity(Severity::Abnormal);
            findings.push(finding);
        }
    }
}

fn needed(lack: &Lacking<'_>, segno: u64, examination: &Examination<'_>) -> Finding {
    let path = path(segno, examination);
    let message = format!("is missing; {}", lack.who());
    let xid = lack.example;
    Finding::new(&CHECK, Location::file(&path), message)
        .server_error(format!("could not access status of transaction {xid}"))
}

/// Path of a commit log segment.
pub(super) fn path(segno: u64, examination: &Examination<'_>) -> String {
    match &examination.cluster.layout {
        Some(layout) => {
            format!("{}/{}", Slru::Xact.directory(layout), Slru::Xact.segment_name(segno, layout))
        }
        None => String::new(),
    }
}
