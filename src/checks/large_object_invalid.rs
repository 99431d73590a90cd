//! Large object is not whole.

use crate::check::Examination;
use crate::finding::{Finding, Findings, GroupKey, Location, Place};
use crate::format::catalog::{
    LARGE_OBJECT_METADATA_RELATION_ID, LARGE_OBJECT_RELATION_ID, PgLargeobject, parse_oid,
};
use crate::format::names::relation_path;
use crate::format::types::{BlockNumber, ForkNumber, OffsetNumber, Oid, RelFileLocator};
use crate::format::version::Major;
use crate::scan::Replay;
use crate::scan::large_objects::bit_of;
use crate::scan::page::HeapView;
use crate::scan::rows::TupleState;
use crate::scan::tally::{ForkTally, Tally};
use std::collections::{BTreeMap, HashSet};

check! {
    /// ## What it means
    /// A large object (`lo_create`, `lo_put`) is stored in pages of at most a quarter of a block,
    /// each a row of `pg_largeobject`; who owns it stands in `pg_largeobject_metadata`. A large
    /// object without its row there is none any more: ERROR `large object 16405 does not exist`,
    /// and `pg_dump` leaves it out without a word, though its data are all there. A page with
    /// more data than a page can have makes reading fail, `pg_dump` of the whole database, too:
    /// ERROR `pg_largeobject entry for OID 16405, page 1 has invalid data field size 2049`. Where
    /// a page has a number below 0, reading gives zeros in the place of what it holds. Of a page
    /// that is there twice reading gives either.
    ///
    /// ## How it is decided
    /// From the rows of both catalogs that a query would find, as `inv_api.c: inv_open,
    /// getdatafield` do; an object may well have a row in `pg_largeobject_metadata` and no page.
    /// No page may be there twice, since the index of `pg_largeobject` is unique.
    /// Pages that replay changes are not judged, and what is missing from
    /// `pg_largeobject_metadata` is told only where replay touches neither catalog, both could be
    /// read whole and the commit log tells of all their rows.
    ///
    /// ## What else may cause it
    /// Blocks of `pg_largeobject_metadata` that are zeroed, or its file cut off; a file of another
    /// time than the other's; catalogs changed by hand.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else.
    ///
    /// A missing row can be made again in a copy, as the superuser, with the owner's OID: INSERT
    /// INTO `pg_largeobject_metadata` (`allow_system_table_mods`), after which `pg_dump` takes the
    /// object along. The data of the other pages of an object can be read from `pg_largeobject`
    /// directly: `SELECT pageno, data FROM pg_largeobject WHERE loid = 16405`.
    "large-object-invalid" Damage Heap: "large object is not whole"
}

/// A catalog of large objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LargeObjects {
    /// `pg_largeobject`.
    Pages,
    /// `pg_largeobject_metadata`.
    Metadata,
}

impl LargeObjects {
    /// The one that has such an object identifier.
    #[must_use]
    pub fn of(catalog: Oid) -> Option<Self> {
        match catalog {
            LARGE_OBJECT_RELATION_ID => Some(Self::Pages),
            LARGE_OBJECT_METADATA_RELATION_ID => Some(Self::Metadata),
            _ => None,
        }
    }
}

/// Judges the rows of `pg_largeobject`, and keeps of which objects there are any.
pub fn page(view: &HeapView<'_, '_>, catalog: LargeObjects, tally: &mut Tally) {
    let layout = &view.view.context.layout;
    if view.view.is_replayed() || view.view.is_ahead() {
        tally.chunk.loids_are_open = true;
        return;
    }
    let states = std::mem::take(&mut tally.states);
    for (tuple, state) in view.heap.tuples.iter().zip(&states) {
        match state {
            TupleState::NotInserted | TupleState::Deleted => continue,
            TupleState::Row => {}
            TupleState::Undecided => {
                tally.chunk.loids_are_open = true;
                continue;
            }
        }
        let bytes = view.heap.bytes(tuple);
        let row = match catalog {
            LargeObjects::Metadata => {
                match parse_oid(layout, &tuple.header, bytes) {
                    Ok(loid) => {
                        tally.chunk.loids.insert(loid);
                    }
                    Err(_) => tally.chunk.loids_are_open = true,
                }
                continue;
            }
            LargeObjects::Pages => PgLargeobject::parse(layout, &tuple.header, bytes),
        };
        let Ok(row) = row else {
            tally.chunk.loids_are_open = true;
            continue;
        };
        let PgLargeobject { loid, pageno, size } = row;
        tally.chunk.loids.insert(loid);
        tally.chunk.add_large_object_page(bit_of(&row));
        let is_too_long = size.is_some_and(|size| size > layout.blcksz / LOBLKS_PER_BLOCK);
        if !is_too_long && pageno >= 0 {
            continue;
        }
        let at = tuple.lp.lp_off();
        let page = format!("page {pageno} of large object {loid}");
        let (fault, error) = match size.filter(|_| is_too_long) {
            Some(size) => (
                format!("{size} bytes, more than a page can have"),
                (layout.since(Major::V10) && pageno >= 0).then(|| {
                    let of = format!("pg_largeobject entry for OID {loid}, page {pageno}");
                    format!("{of} has invalid data field size {size}")
                }),
            ),
            None => ("a number below 0".to_owned(), None),
        };
        let message = format!("{page} has {fault}");
        let mut finding = view.view.tuple_finding(&CHECK, tuple.offnum, at, message);
        finding.server_error = error;
        tally.push(finding);
    }
    tally.states = states;
}

/// Takes in a page that is there twice.
pub fn push_twice(
    location: Location,
    (loid, pageno): (Oid, i32),
    (blkno, offnum): (BlockNumber, OffsetNumber),
    findings: &mut Findings,
) {
    let page = format!("page {pageno} of large object {loid}");
    let message = format!("{page} is there twice, at ({blkno},{offnum}), too");
    findings.push(Finding::new(&CHECK, location, message));
}

/// `LOBLKSIZE` is this part of a block.
const LOBLKS_PER_BLOCK: u32 = 4;

/// Looks for large objects that have pages and no row in `pg_largeobject_metadata`.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(version), Some(scan), Some(tally)) =
        (examination.cluster.version, examination.scan, examination.tally)
    else {
        return;
    };
    let plan = match scan.replay {
        Replay::None => None,
        Replay::Plan(plan) if plan.unclear.is_none() => Some(plan),
        Replay::Plan(_) | Replay::Unknown => return,
    };
    if !scan.clog_is_whole || scan.only_checksums {
        return;
    }
    let has_damage = |locator: RelFileLocator| {
        let path = relation_path(version, locator, ForkNumber::Main, 0);
        let is_of = |key: &GroupKey| match &key.place {
            Place::Fork(other, _) => *other == locator,
            // Or a later segment of it.
            Place::File(other) => other
                .strip_prefix(&*path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        };
        findings
            .groups()
            .chain(tally.findings.groups())
            .any(|(key, _)| key.code != CHECK.code && key.is_lasting_damage() && is_of(key))
    };
    let unread: HashSet<String> =
        examination.evidence.not_examined().into_iter().map(|note| note.path).collect();
    let is_unread = |locator: RelFileLocator| {
        let path = relation_path(version, locator, ForkNumber::Main, 0);
        unread.iter().any(|other| other.starts_with(&*path))
    };
    let is_known = |locator: RelFileLocator, counts: &ForkTally| {
        let is_replayed = plan.is_some_and(|plan| {
            plan.removes(locator) || plan.forks.contains_key(&(locator, ForkNumber::Main))
        });
        !is_replayed
            && !counts.loids_are_open
            && counts.unreadable_tuples == 0
            && counts.unreadable.is_empty()
            && examination.covers(locator)
            && !is_unread(locator)
            && !has_damage(locator)
    };
    let mut of_databases: BTreeMap<Oid, [Option<(RelFileLocator, &ForkTally)>; 2]> =
        BTreeMap::new();
    let nothing = ForkTally::default();
    for (number, fork) in examination.forks.iter().enumerate() {
        if fork.fork != ForkNumber::Main || fork.temporary {
            continue;
        }
        let relation = examination.names.relation(fork.locator);
        let catalog = relation.and_then(|relation| LargeObjects::of(relation.class.oid));
        let Some(catalog) = catalog else { continue };
        let of_database = of_databases.entry(fork.locator.db_oid).or_default();
        let counts = tally.forks.get(&number).unwrap_or(&nothing);
        let at = usize::from(catalog == LargeObjects::Metadata);
        if let Some(slot) = of_database.get_mut(at) {
            *slot = Some((fork.locator, counts));
        }
    }
    let mut told = Vec::new();
    for of_database in of_databases.values() {
        let [Some((file, pages)), Some((metadata_file, metadata))] = *of_database else {
            continue;
        };
        let lost = &pages.loids - &metadata.loids;
        let Some(first) = lost.min() else { continue };
        if !is_known(file, pages) || !is_known(metadata_file, metadata) {
            continue;
        }
        let objects = match lost.len() {
            1 => format!("large object {first} has"),
            count => format!("{count} large objects have"),
        };
        let which = if lost.len() == 1 { String::new() } else { format!(", the first of them {first}") };
        let message = format!("{objects} pages and no row in pg_largeobject_metadata{which}");
        let fork = examination.forks.iter().find(|fork| {
            fork.locator == file && fork.fork == ForkNumber::Main
        });
        if let Some(fork) = fork {
            let location = fork.location(0, &scan.layout);
            let error = format!("large object {first} does not exist");
            told.push(Finding::new(&CHECK, location, message).server_error(error));
        }
    }
    for finding in told {
        findings.push(finding);
    }
}
