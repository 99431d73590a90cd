//! Page header is invalid: the server refuses the page.

use crate::format::page::page_faults;
use crate::format::version::Major;
use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Page header is invalid: the server refuses the page.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "page-header-invalid" Damage Page: "page header is invalid: the server refuses the page"
}

/// The server's own rule (`bufpage.c: PageHeaderIsValid, PageIsVerified`); whether the page
/// passes.
#[inline]
pub fn run(view: &PageView<'_>, tally: &mut Tally) -> bool {
    if view.header.server_accepts(&view.context.layout) {
        return true;
    }
    report(view, tally);
    false
}

#[cold]
fn report(view: &PageView<'_>, tally: &mut Tally) {
    let mut faults = Vec::new();
    page_faults(view.page, &view.context.layout, |fault| faults.push(fault.to_string()));
    let faults = faults.join("; ");
    let finding = match text_in(view.page) {
        Some(text) => view
            .finding(&CHECK, format!("overwritten with text: \"{text}\""))
            .found_expected(faults, "a page header"),
        None => view.finding(&CHECK, faults),
    };
    tally.push(finding.server_error(invalid_page(view)));
}

/// What the server says of a page it refuses (`bufmgr.c: ReadBuffer_common`, `buffer_readv_report`).
#[must_use]
pub fn invalid_page(view: &PageView<'_>) -> String {
    let (blkno, path) = (view.blkno, view.server_path());
    if view.context.layout.since(Major::V18) {
        format!("invalid page in block {blkno} of relation \"{path}\"")
    } else if view.context.layout.since(Major::V9_3) {
        format!("invalid page in block {blkno} of relation {path}")
    } else {
        format!("invalid page header in block {blkno} of relation {path}")
    }
}

/// The beginning of the text that fills a page, when it is text: nearly all bytes printable,
/// which no page of a relation is.
fn text_in(page: &[u8]) -> Option<String> {
    let printable = |b: &&u8| b.is_ascii_graphic() || matches!(**b, b' ' | b'\n' | b'\r' | b'\t');
    let count = page.iter().filter(printable).count();
    if count * 100 < page.len() * 97 {
        return None;
    }
    let line = page.split(|b| *b == b'\n').max_by_key(|line| line.len().min(60))?;
    let shown: String = line.iter().take(60).map(|b| char::from(*b)).collect();
    let more = if line.len() > 60 { "…" } else { "" };
    Some(format!("{}{more}", shown.trim()))
}
