//! Commit log segment lies outside the live range.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru};
use super::clog_segment_missing::path;
use super::slru_lacks::lacking;
use crate::finding::Severity;
use crate::scan::tally::Lack;
use std::collections::BTreeMap;

check! {
    /// ## What it means
    /// A file of the commit log (`pg_clog` up to 9.6, `pg_xact` later) lies outside the range
    /// of transactions that exist in this cluster. It belongs to no transaction, so by itself
    /// it does no harm, but it tells of something: mostly someone made it with `dd`, full of
    /// zeroes, to get rid of `could not access status of transaction ...`. Zero means in
    /// progress, which counts as aborted. So a row with a damaged header, which gave an error
    /// before, now silently vanishes, and the first scan marks it as aborted in the table.
    ///
    /// ## How it is decided
    /// None of the segment's 1048576 transactions lies between `oldestXid` and the next XID
    /// after replay. The server makes a page only when its first transaction begins (`clog.c:
    /// ExtendCLOG`), and removes whole segments before the oldest (`clog.c: TruncateCLOG`),
    /// so it has no use for such a file. The report says whether it is zero throughout.
    ///
    /// ## What else may cause it
    /// Files copied in from another cluster, or from an older state of this one; `pg_control`
    /// that is older than the files, or `pg_resetwal` (`pg_resetxlog` up to 9.6) with a lower
    /// next XID: then the files are right and the counter is wrong; a crash between the end
    /// of a VACUUM and the removal of old segments, for files just behind the oldest XID.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, the made-up files with it: their
    /// names tell which transaction numbers were asked for.
    ///
    /// Then, in the copy, move files that are all zero out of the directory: this loses
    /// nothing, since no transaction ever was in them, and the rows give an error again
    /// instead of vanishing. See `xmin-out-of-range` for these rows. If the server has run
    /// with the files, rows may be marked as aborted by now; only a backup or an earlier copy
    /// has them unmarked. Files with content should stay until it is clear whether
    /// `pg_control` is the right one.
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
            answered.entry(page / SLRU_PAGES_PER_SEGMENT).or_default().push(lack.who_has());
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
