//! Special space is not that of an index page.

use crate::format::index::{Meta, MetaFault, Special};
use crate::scan::page::PageView;
use crate::scan::tally::Tally;

check! {
    /// ## What it means
    /// The pages of an index end with a special space, in which each kind of index (btree,
    /// hash, GiST, GIN, SP-GiST, BRIN) keeps its links and flags. On this page it is that of
    /// no kind of index, or has flags or a meta page that its kind does not know. No row is
    /// lost, but searches by this index fail, or silently find too little: ERROR `index "..."
    /// contains corrupted page at block N` with the hint to REINDEX (btree, hash, GiST),
    /// `index "..." is not a btree` or `is not a hash index` for a bad meta page; GIN,
    /// SP-GiST and BRIN hardly look. Inserts into the table fail with the same messages. A
    /// unique or primary key index that is wrong lets duplicates in.
    ///
    /// ## How it is decided
    /// The size of the special space and the mark in its last bytes name the kind of index,
    /// as in `nbtpage.c: _bt_checkpage`, `hashutil.c: _hash_checkpage` and `gistutil.c:
    /// gistcheckpage`; flags are compared with those the version has, and block 0 with the
    /// magic number and version that its kind writes. A finding `heals` when WAL replay
    /// rebuilds the page, or drops or resets the index.
    ///
    /// ## What else may cause it
    /// A torn page of a crash or of a copy without backup mode, which replay heals; a bad
    /// write by disk, controller or memory; a file of another relation under this name; an
    /// index of an extension with a form of its own, and then all its pages look so.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. An index holds nothing that is not
    /// in its table, so after recovery on a copy `REINDEX INDEX ...` mends it and loses
    /// nothing.
    ///
    /// But if the table has pages with findings as well, see to those first. REINDEX of a
    /// unique index may end with `could not create unique index`: then duplicates got in, and
    /// it must be decided by hand which rows stay. For an index of a system catalog, start
    /// with `ignore_system_indexes` in single-user mode and REINDEX SYSTEM. Do not use
    /// `zero_damaged_pages` here: a zeroed index page loses entries without a word.
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
        let mut finding = view.finding(&CHECK, format!("meta page: {fault}"));
        // nbtpage.c: _bt_getmeta, with which every search begins.
        if let (Special::Btree { .. }, MetaFault::Magic { .. }) = (special, fault)
            && let Some(index) = view.context.names.relation(view.fork.locator)
        {
            let name = &index.class.relname;
            finding = finding.server_error(format!("index \"{name}\" is not a btree"));
        }
        tally.push(finding);
    }
}
