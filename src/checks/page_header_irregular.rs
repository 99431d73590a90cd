//! Page header is not what PostgreSQL writes.

use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// The header of this page differs from what PostgreSQL writes, yet the server reads it
    /// without complaint: from 9.3 on it looks at a few fields only. So no query reports an
    /// error at the header; what goes wrong comes later and looks like something else: rows
    /// missing or garbage when the number of line pointers (the directory of rows at the
    /// page's start) is wrong, crashes, or `PANIC`s in VACUUM such as `corrupted page
    /// pointers: lower = ..., upper = ..., special = ...`.
    ///
    /// ## How it is decided
    /// Stricter than the server (`bufpage.c: PageIsVerified`): page size and layout version
    /// must be 8192 and 4, `pd_lower` at least 24 and at the end of a line pointer (a
    /// multiple of 4), and the special space (room at the page's end that only indexes and
    /// sequences have) where the kind of relation has it. What the server itself refuses is
    /// `page-header-invalid` instead. A finding `heals` when WAL replay rebuilds the page, or
    /// drops or resets the relation.
    ///
    /// ## What else may cause it
    /// A single flipped bit, when checksums are off (with them on it is
    /// `page-checksum-mismatch`); one half of the page old and the other new (torn); an
    /// extension that stores pages of its own form under an index; a page encrypted or
    /// changed by a vendor's build, where every page looks so.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Look at how many pages have it: all
    /// pages of one relation is a format of its own and no damage; one page in thousands is a
    /// bad write or bad memory.
    ///
    /// For an index, REINDEX. For a table, compare the rows of this block (`WHERE ctid >=
    /// '(N,0)' AND ctid < '(N+1,0)'`) with a backup or standby, and let no VACUUM run on it
    /// before (`autovacuum_enabled = off` for the table): it would remove or rewrite what is
    /// still readable. Test memory and disks.
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
