//! Special space is not that of an index page.

use crate::format::index::{Meta, Special};
use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Special space is not that of an index page.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "page-special-invalid" Damage Index: "special space is not that of an index page"
}

/// The size of the special space belongs to no access method, or its flags to no page of the
/// one it belongs to.
#[inline]
pub fn run(view: &PageView<'_>, tally: &mut Tally) {
    let layout = &view.context.layout;
    let special = Special::parse(view.page, &view.header);
    if let Special::Unknown(size) = special {
        let message = format!("special space of {size} bytes is that of no kind of index");
        tally.push(view.finding(&CHECK, message));
        return;
    }
    let unknown = special.unknown_flags(layout);
    if unknown != 0 {
        let kind = special.kind();
        let message = format!("flags 0x{unknown:04X} in the special space are unknown to {kind}");
        tally.push(view.finding(&CHECK, message));
    }
    if special.is_meta()
        && let Some(fault) = Meta::parse(view.page, special.kind()).and_then(|m| m.fault(layout))
    {
        tally.push(view.finding(&CHECK, format!("meta page: {fault}")));
    }
}
