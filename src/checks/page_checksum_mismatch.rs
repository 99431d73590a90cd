//! Page checksum does not match.

use super::page_header_invalid::refused;
use crate::format::cause::explain;
use crate::format::checksum::page_checksum;
use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Each page carries a checksum over its content and block number (9.3 and later, when
    /// switched on; default from 18 on). Here it does not fit: at least one bit is not what
    /// the server wrote, or the page belongs elsewhere. Every query that reads the page
    /// fails: WARNING `page verification failed, calculated checksum 56836 but expected
    /// 55879`, then ERROR `invalid page in block 0 of relation base/16384/16405`. `pg_dump`
    /// and VACUUM of the table fail as well.
    ///
    /// ## How it is decided
    /// As `bufpage.c: PageIsVerified` does, for pages that are not new (`pd_upper` not 0), if
    /// `pg_control` says that checksums are on. 19 verifies only when they are fully on, not
    /// while being switched. The report tries single causes: another block's page, one
    /// flipped bit, a zeroed or overwritten disk sector, a checksum never set. A finding
    /// `heals` when WAL replay rebuilds the page without reading it (a full-page image, or a
    /// fresh page), drops or truncates the relation, or resets it.
    ///
    /// ## What else may cause it
    /// A torn page: 8 kB are not written in one piece, so a crash, or a copy of a running
    /// server, may catch half of it; replay heals that, which is why a base backup must be
    /// started with its `backup_label` and WAL. A bad write by disk, controller or memory; a
    /// page overwritten by another file. If nearly all pages have it, `pg_control` is not the
    /// one of these files, or the pages are encrypted.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If the finding heals, do nothing
    /// about it. Else take the page from a backup or standby; an index needs only REINDEX.
    ///
    /// `ignore_checksum_failure = on` reads the page all the same, if its header is sane:
    /// some rows may be wrong, so use it in a copy to save rows, and compare them.
    /// `zero_damaged_pages = on` makes the page empty: all its rows are lost for good, and
    /// VACUUM with it makes that permanent. Do not switch checksums off with `pg_checksums`
    /// to be rid of the message: the damage stays and spreads into backups. Test disk,
    /// controller and memory.
    "page-checksum-mismatch" Damage Page: "page checksum does not match"
}

/// Compares the checksum (`bufpage.c: PageIsVerified`); whether it fits.
#[inline]
pub fn run(view: &PageView<'_>, tally: &mut Tally) -> bool {
    let found = view.header.pd_checksum;
    let expected = page_checksum(view.page, view.blkno);
    if found == expected {
        return true;
    }
    report(view, expected, tally);
    false
}

#[cold]
fn report(view: &PageView<'_>, expected: u16, tally: &mut Tally) {
    let found = view.header.pd_checksum;
    let message = format!("checksum {found} is stored, the page's content gives {expected}");
    let mut finding = view.finding(&CHECK, message).found_expected(found, expected);
    let layout = &view.context.layout;
    let why = || explain(view.page, view.blkno, view.fork.blocks(layout), layout);
    // Every bit of the page is tried: too much for each page of a disk full of garbage.
    if tally.findings.would_keep(&finding) {
        let cause = why();
        if let Some(cause) = cause {
            finding.message = format!("{}: {cause}", finding.message);
        }
        tally.explain(view, || cause);
        finding = refused(view, finding);
    } else {
        tally.explain(view, why);
    }
    tally.push(finding);
}
