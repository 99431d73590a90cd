//! Page of another kind of relation.

use crate::finding::{Confidence, Recovery};
use crate::format::cause::{Cause, Explanation};
use crate::format::index::{PageKind, Special};
use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// The page is in order, but of another kind than its relation: an index's page in a
    /// table, a table's page in an index, or the page of one kind of index in another. It was
    /// written to the wrong place, or the file has another's name. What belongs there is lost.
    /// A B-tree, hash or GiST index says so when it comes to a page with another special
    /// space: ERROR `index "..." contains corrupted page at block N`. A scan of a table says
    /// nothing and takes index entries for rows: wrong rows, none, or a crash.
    ///
    /// ## How it is decided
    /// The special space at the end of a page tells which access method wrote it; `pg_class`
    /// (`relkind`, and `relam` of indexes and, from 12 on, tables) tells which one its
    /// relation has. Only access methods of the core are compared. Nothing is said of pages
    /// that replay changes or that are newer than the WAL, nor of a database whose catalogs
    /// may show relations that are gone.
    ///
    /// ## What else may cause it
    /// A misdirected write by disk, controller, virtualisation or file system; files copied
    /// under each other's names, or catalogs and files from two moments or two clusters;
    /// blocks of a snapshot put together wrongly.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If all pages of the file are of the
    /// other kind, look for the file that has its name: the two may have changed places.
    ///
    /// A single page of an index is mended by REINDEX in the copy. One of a table must come
    /// from a backup or standby; without one, save the rows around it by ranges of ctid, or
    /// with `zero_damaged_pages`, which does nothing here unless checksums are on. And test
    /// the storage before it is used again.
    "page-of-another-kind" Damage Page: "page of another kind of relation"
}

/// Compares the kind that the special space tells with that of the relation; whether the page
/// is another's.
#[inline]
pub fn run(view: &PageView<'_>, tally: &mut Tally) -> bool {
    let Some(expected) = view.kind else { return false };
    let has_special = u32::from(view.header.pd_special) != view.context.layout.blcksz;
    if !has_special && expected == PageKind::Heap {
        return false;
    }
    let special = Special::parse(view.page, &view.header);
    if is_of(special, expected)
        || view.is_replayed()
        || view.is_ahead()
        || view.recovery() == Recovery::Heals
    {
        return false;
    }
    tell(view, special, expected, tally);
    true
}

/// Whether a page with this special space may be one of that kind.
fn is_of(special: Special, expected: PageKind) -> bool {
    match special {
        // Of no kind; that has a finding of its own.
        Special::Unknown(_) => true,
        // GIN keeps the number of another block where a sequence has its mark.
        Special::Sequence => expected == PageKind::Gin,
        _ => special.kind() == expected,
    }
}

#[cold]
fn tell(view: &PageView<'_>, special: Special, expected: PageKind, tally: &mut Tally) {
    let found = special.kind();
    let relation = view.context.names.relation(view.fork.locator);
    let relkind = relation.map_or("relation", |relation| relation.kind());
    let message = format!("a {found} page in a {relkind}");
    let mut finding = view
        .finding(&CHECK, message)
        .found_expected(found, expected)
        .confidence(Confidence::Certain);
    // nbtpage.c: _bt_checkpage, hashutil.c: _hash_checkpage, gistutil.c: gistcheckpage.
    let size = view.context.layout.blcksz.saturating_sub(view.header.pd_special.into());
    if let (PageKind::Btree | PageKind::Hash | PageKind::Gist, Some(index)) = (expected, relation)
        && size != 16
    {
        let (name, block) = (&index.class.relname, view.blkno);
        finding = finding
            .server_error(format!("index \"{name}\" contains corrupted page at block {block}"));
    }
    tally.push(finding);
    let cause = Explanation {
        cause: Cause::PageOf(found),
        confidence: Confidence::Certain,
    };
    tally.explain(view, || Some(cause));
}
