//! Page header is not what PostgreSQL writes.

use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Page header is not what PostgreSQL writes.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "page-header-irregular" Abnormal Page: "page header is not what PostgreSQL writes"
}

/// What PostgreSQL never writes, on a page that the server would take.
#[inline]
pub fn run(view: &PageView<'_>, tally: &mut Tally) {
    let mut faults = String::new();
    view.header.faults(&view.context.layout, |fault| {
        if !faults.is_empty() {
            faults.push_str("; ");
        }
        faults.push_str(&fault.to_string());
    });
    if !faults.is_empty() {
        tally.push(view.finding(&CHECK, faults));
    }
}
