//! Page header is invalid: the server refuses the page.

use crate::finding::Finding;
use crate::format::cause::explain_content;
use crate::format::foreign;
use crate::format::page::page_faults;
use crate::format::types::ForkNumber;
use crate::format::version::Major;
use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// Tables and indexes consist of 8 kB pages, each with a header of 24 bytes. On this page
    /// the header is no header, so the server refuses it: ERROR `invalid page in block 30526
    /// of relation base/16397/1046635` (before 9.3 `invalid page header in block ...`; from
    /// 18 on the path is in quotes). Every query that reads the page fails there, `pg_dump`
    /// of the table too, while rows on other pages can still be reached by an index. VACUUM
    /// fails as well, so in time the whole cluster nears transaction wraparound.
    ///
    /// ## How it is decided
    /// The server's own rule. Up to 9.2 (`bufpage.c: PageHeaderIsValid`): page size 8192 and
    /// layout version 4, only known flags, and 24 <= `pd_lower` <= `pd_upper` <= `pd_special`
    /// <= 8192. From 9.3 on (`bufpage.c: PageIsVerified`) size, version and the lower limit
    /// are no longer looked at. A page that is zero throughout passes. When the page is full
    /// of text, the report shows how it begins: that tells whose data was written there. A
    /// finding `heals` when WAL replay rebuilds the page from a full-page image, or drops or
    /// resets the relation.
    ///
    /// ## What else may cause it
    /// A torn page of a crash, or of a running server copied without backup mode (replay
    /// heals it as long as `full_page_writes` was on); a misdirected write by disk,
    /// controller, virtualisation or file system; a wrong file under this name; a page of a
    /// tool with its own format.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If the finding heals, let recovery
    /// run on a copy. If not, restore the block from a backup or standby. An index needs only
    /// REINDEX.
    ///
    /// Without any backup: in a copy, `SET zero_damaged_pages = on` lets the table be dumped
    /// without the rows of such pages. It zeroes the page in memory, and on disk once it is
    /// written: the evidence and all rows of the page are gone for good, and so may be rows
    /// of pages that another setting could save. Dump around the page by ctid instead where
    /// you can, and find the cause before the disk is used again.
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
    let finding = match foreign::text(view.page) {
        Some(text) => view
            .finding(&CHECK, format!("overwritten with text: \"{text}\""))
            .found_expected(faults, "a page header"),
        None => view.finding(&CHECK, faults),
    };
    let layout = &view.context.layout;
    tally.explain(view, || explain_content(view.page, view.blkno, layout));
    tally.push(refused(view, finding));
}

/// With what the server says of a page it refuses (`bufmgr.c: ReadBuffer_common`,
/// `buffer_readv_report`). Pages of the maps it takes for empty ones (`freespace.c:
/// fsm_readbuf`, `visibilitymap.c: vm_readbuf`), and init forks it copies as they are.
#[must_use]
pub fn refused(view: &PageView<'_>, finding: Finding) -> Finding {
    if view.fork.fork != ForkNumber::Main {
        return finding;
    }
    finding.server_error(invalid_page(view))
}

fn invalid_page(view: &PageView<'_>) -> String {
    let (blkno, path) = (view.blkno, view.server_path());
    if view.context.layout.since(Major::V18) {
        format!("invalid page in block {blkno} of relation \"{path}\"")
    } else if view.context.layout.since(Major::V9_3) {
        format!("invalid page in block {blkno} of relation {path}")
    } else {
        format!("invalid page header in block {blkno} of relation {path}")
    }
}
