//! Page checksum does not match.

use super::page_header_invalid::invalid_page;
use crate::format::checksum::{explain, page_checksum};
use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Page checksum does not match.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
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
    let layout = &view.context.layout;
    let cause = explain(view.page, view.blkno, view.fork.blocks(layout), layout);
    let mut message = format!("checksum {found} is stored, the page's content gives {expected}");
    if let Some(cause) = &cause {
        message = format!("{message}: {cause}");
    }
    let finding = view.finding(&CHECK, message).found_expected(found, expected);
    tally.push(finding.server_error(invalid_page(view)));
}
