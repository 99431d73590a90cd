//! Page was written by WAL that does not exist here.

use crate::format::types::ForkNumber;
use crate::format::wal::lsn_text;
use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Page was written by WAL that does not exist here.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "page-lsn-beyond-wal" Damage Page: "page was written by WAL that does not exist here"
}

/// `xlog.c: XLogFlush` refuses to write a page whose LSN it has no WAL for.
#[inline]
pub fn run(view: &PageView<'_>, tally: &mut Tally) {
    let Some(end) = view.context.wal_end else { return };
    let lsn = view.header.pd_lsn;
    // Pages of unlogged and temporary relations carry invented positions
    // (xlog.c: GetFakeLSNForUnloggedRel).
    if lsn <= end || view.fork.unlogged || view.fork.temporary || view.fork.fork == ForkNumber::Fsm {
        return;
    }
    let version = view.context.layout.version;
    let message = format!("page LSN {lsn} lies beyond the end of WAL at {end}");
    let error = format!(
        "xlog flush request {} is not satisfied --- flushed only to {}",
        lsn_text(version, lsn),
        lsn_text(version, end)
    );
    let finding = view.finding(&CHECK, message).found_expected(lsn, format!("up to {end}"));
    tally.push(finding.server_error(error));
}
