//! Names of databases, tablespaces and relations, from the catalogs on disk as they will be
//! after recovery.
//!
//! ```text
//! global/pg_filenode.map -> pg_database, pg_tablespace, pg_authid
//! each database: pg_filenode.map -> pg_class -> pg_namespace, pg_enum, pg_index and others
//!                                               that no map knows
//!                                -> pg_attribute, pg_type, pg_proc
//! ```
//!
//! Sources: `utils/cache/relmapper.c`, `utils/cache/relcache.c: RelationInitPhysicalAddr`,
//! `heapam_visibility.c: HeapTupleSatisfiesMVCC`, with no transaction running.
//!
//! The catalogs' own damage is tolerated: what cannot be read is told, and names that are
//! lost are missing. Databases are those of `pg_database`, and those with a folder besides:
//! their relations have names, too, only the database has none.

use super::agreement::{Agreement, Compared, Contradiction, Disagreement, Lost, Of};
use super::replay::{ReplayedBlocks, replay_blocks};
use crate::format::Malformed;
use crate::format::catalog::{
    ACCESS_METHOD_RELATION_ID, ATTR_DEFAULT_RELATION_ID, ATTRIBUTE_RELATION_ID,
    AUTH_ID_RELATION_ID, COLLATION_RELATION_ID, CONSTRAINT_RELATION_ID, DATABASE_RELATION_ID,
    ENUM_RELATION_ID, HEAP_TABLE_AM_OID, INDEX_RELATION_ID, INHERITS_RELATION_ID, IndexKeys,
    NAMESPACE_RELATION_ID, OPERATOR_CLASS_RELATION_ID, PG_TOAST_NAMESPACE, PROCEDURE_RELATION_ID,
    PgAttrdef, PgAttribute, PgClass, PgConstraint, PgDatabase, PgEnum, PgIndex, PgInherits,
    PgNamed, PgRewrite, PgSequence, PgType, RELATION_RELATION_ID, REWRITE_RELATION_ID,
    SEQUENCE_RELATION_ID, TABLESPACE_RELATION_ID, TYPE_RELATION_ID, parse_oid,
};
use crate::format::datum::{Encoding, Labels, ValueType};
use crate::format::heap::{HeapTupleHeader, HeapTuples, Xmax, Xmin};
use crate::format::index::PageKind;
use crate::format::names::{database_dir, relation_path};
use crate::format::page::{is_zeroed, server_accepts};
use crate::format::relmap::RelMap;
use crate::format::tuple::TupleDesc;
use crate::format::types::{
    BlockNumber, ForkNumber, GLOBALTABLESPACE_OID, MultiXactId, Oid, RelFileLocator, RelFileNumber,
    TransactionId, XLogRecPtr,
};
use crate::format::version::{FIRST_NORMAL_OBJECT_ID, Layout, Major};
use crate::pgdata::{Evidence, FileId, FileKind};
use crate::recovery::reader::{Position, WalContext, WalSource};
use crate::report::RelationName;
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What became of transactions, once replay is done.
pub trait Committed {
    /// Whether a transaction committed.
    fn committed(&mut self, xid: TransactionId) -> bool;

    /// The updater among a multixact's members; `None` when it has none, or that cannot be
    /// told. A row then counts as it stands unless a newer version of it is there.
    fn updater(&mut self, multi: MultiXactId) -> Option<TransactionId> {
        let _ = multi;
        None
    }

    /// Whether there is no doubt that a transaction did, or did not, commit by the end of WAL:
    /// what a row says of it, or `committed` has answered, is `committed`.
    fn is_beyond_doubt(&mut self, xid: TransactionId, committed: bool) -> bool {
        let _ = (xid, committed);
        false
    }
}

/// The replay that will change the catalogs.
#[derive(Clone, Copy)]
pub struct CatalogRedo<'a> {
    /// How the WAL is read.
    pub context: &'a WalContext,
    /// Where its segments are.
    pub source: &'a dyn WalSource,
    /// Where redo begins.
    pub start: Position,
    /// Where it ends; `None` for the end of WAL.
    pub end: Option<XLogRecPtr>,
    /// The relation maps that it writes, by database (0: `global/`).
    pub relation_maps: &'a BTreeMap<Oid, Vec<u8>>,
    /// The relations whose files it makes.
    pub created: &'a FxHashSet<RelFileLocator>,
}

/// Something about the catalogs that could not be read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CatalogProblem {
    /// The file, below PGDATA.
    pub path: String,
    /// What is the matter.
    pub message: String,
}

/// A row of `pg_class` with what belongs to it.
#[derive(Clone, PartialEq, Debug)]
pub struct CatalogRelation {
    /// Its database; 0 for shared relations.
    pub database: Oid,
    /// Its schema, when `pg_namespace` tells.
    pub schema: Option<Arc<str>>,
    /// The row.
    pub class: PgClass,
    /// Its files; `None` for kinds that have none, and when the relation map does not tell.
    pub locator: Option<RelFileLocator>,
    /// The table that a TOAST table, or the index of one, belongs to.
    pub toast_owner: Option<Oid>,
    /// How its tuples are laid out: of tables in heap files, when `pg_attribute` tells of each
    /// of their columns beyond doubt.
    pub tuple_desc: Option<Arc<TupleDesc>>,
}

impl CatalogRelation {
    /// `relkind` as a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.class.relkind {
            b'i' if self.toast_owner.is_some() => "TOAST index",
            _ => self.class.kind(),
        }
    }
}

/// What the catalogs, as replay leaves them, promise about the tuples of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Promise {
    /// Whether it is a TOAST table.
    pub is_toast: bool,
    /// Columns, dropped ones included: no tuple has more.
    pub relnatts: u16,
    /// No tuple carries an older transaction unfrozen; 0 for relations that are not frozen.
    pub relfrozenxid: TransactionId,
    /// No tuple carries an older multixact, 9.3 and later.
    pub relminmxid: Option<MultiXactId>,
}

impl Promise {
    /// `MultiXactIdPrecedes`.
    #[must_use]
    pub fn precedes_relminmxid(&self, multi: MultiXactId) -> bool {
        self.relminmxid
            .is_some_and(|oldest| oldest != 0 && multi.wrapping_sub(oldest) >= 0x8000_0000)
    }
}

/// The databases, tablespaces and relations of the cluster.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Catalog {
    /// `pg_database`.
    pub databases: BTreeMap<Oid, PgDatabase>,
    /// Names of `pg_tablespace`.
    pub tablespaces: BTreeMap<Oid, String>,
    /// `pg_class` of all databases, by database and object identifier; shared relations
    /// under database 0.
    pub relations: BTreeMap<(Oid, Oid), CatalogRelation>,
    by_locator: HashMap<RelFileLocator, (Oid, Oid)>,
    /// By database: the newest `pd_lsn` of the pages that tell how tuples are laid out.
    newest: BTreeMap<Oid, XLogRecPtr>,
    /// By database, 0 for shared catalogs: where they contradict each other.
    pub agreements: BTreeMap<Oid, Vec<Agreement>>,
}

impl Catalog {
    /// Reads the catalogs as they will be after `redo`, or as they are.
    pub fn read(
        evidence: &Evidence,
        layout: &Layout,
        redo: Option<&CatalogRedo<'_>>,
        xacts: &mut dyn Committed,
        problems: &mut Vec<CatalogProblem>,
    ) -> Self {
        let mut reader = Reader::new(evidence, layout, xacts, problems);
        let catalog = reader.read(redo);
        reader.tell_lost();
        catalog
    }

    /// Hands out every row of the catalogs on disk, deleted ones and those of transactions that
    /// never committed, too, older ones first. Gives the files they stand in.
    pub fn every_row_on_disk(
        evidence: &Evidence,
        layout: &Layout,
        each: &mut EachRow<'_>,
    ) -> CatalogFiles {
        let (mut nobody, mut problems) = (Nobody, Vec::new());
        let mut reader = Reader::new(evidence, layout, &mut nobody, &mut problems);
        reader.read_maps(None);
        let mut files = CatalogFiles::default();
        let shared = [
            (CatalogTable::Database, DATABASE_RELATION_ID),
            (CatalogTable::Tablespace, TABLESPACE_RELATION_ID),
        ];
        for (table, oid) in shared {
            files
                .tables
                .insert(reader.mapped(GLOBALTABLESPACE_OID, 0, oid), table);
        }
        let classes: Vec<RelFileLocator> = reader
            .folders
            .iter()
            .map(|(db_oid, spc_oid)| reader.mapped(*spc_oid, *db_oid, RELATION_RELATION_ID))
            .collect();
        reader.pin(files.tables.keys().chain(&classes).copied());
        for (db_oid, rel_number) in reader.possible_files(&classes, &[NAMESPACE_RELATION_ID]) {
            let spc_oid = reader.folders.get(&db_oid).copied().unwrap_or_default();
            files.tables.insert(
                locator(spc_oid, db_oid, rel_number),
                CatalogTable::Namespace,
            );
        }
        for class in classes {
            files.tables.insert(class, CatalogTable::Class);
        }
        reader.pin(files.tables.keys().copied());
        let mut room = HeapTuples::new(layout);
        for (file, table) in &files.tables {
            let mut tuples = Vec::new();
            reader.each_block_on_disk(*file, |_, block| {
                let Ok(page) = block else { return };
                let Ok(heap) = room.read(page) else { return };
                tuples.extend(
                    heap.tuples
                        .iter()
                        .map(|tuple| (tuple.header, heap.bytes(tuple).to_vec())),
                );
            });
            tuples.sort_by(|(a, _), (b, _)| match (a.t_xmin, b.t_xmin) {
                (a, b) if a == b => std::cmp::Ordering::Equal,
                (a, b) if a.precedes(b) => std::cmp::Ordering::Less,
                _ => std::cmp::Ordering::Greater,
            });
            for (header, tuple) in &tuples {
                each(*table, file.db_oid, header, tuple);
            }
        }
        files.maps = reader.maps;
        files
    }

    /// `pg_index`, by database and object identifier of the index. An index never changes its
    /// table, so every row counts, deleted ones too; one is ready when all of its rows say so.
    #[must_use]
    pub fn indexes(
        &self,
        evidence: &Evidence,
        layout: &Layout,
        redo: Option<&CatalogRedo<'_>>,
    ) -> HashMap<(Oid, Oid), PgIndex> {
        let (mut nobody, mut problems) = (Nobody, Vec::new());
        let mut reader = Reader::new(evidence, layout, &mut nobody, &mut problems);
        let files: BTreeSet<RelFileLocator> = self
            .relations
            .iter()
            .filter(|((_, oid), _)| *oid == INDEX_RELATION_ID)
            .filter_map(|(_, relation)| relation.locator)
            .collect();
        reader.pin(files.iter().copied());
        if let Some(redo) = redo {
            reader.replay(redo, &|l| files.contains(&l));
        }
        let mut found: HashMap<(Oid, Oid), PgIndex> = HashMap::new();
        let mut room = HeapTuples::new(layout);
        let mut take = |db_oid: Oid, page: &[u8]| {
            let Ok(heap) = room.read(page) else { return };
            for tuple in heap.tuples {
                let row = PgIndex::parse(layout, &tuple.header, heap.bytes(tuple));
                if let Some(row) = row {
                    let known = found.entry((db_oid, row.indexrelid)).or_insert(row);
                    known.indisready &= row.indisready;
                }
            }
        };
        for file in &files {
            reader.each_block_on_disk(*file, |_, block| {
                if let Ok(page) = block {
                    take(file.db_oid, page);
                }
            });
        }
        for ((file, _), page) in &reader.replayed.pages {
            take(file.db_oid, page);
        }
        found
    }

    /// Where the commit log is lost, this catalog has what is so if the transactions it told of
    /// committed, and `other` what is so if not: of each relation the one stays whose file is
    /// there. Gives those that may never have been, for which neither speaks.
    pub fn settle(
        &mut self,
        other: &Self,
        exists: &dyn Fn(RelFileLocator) -> bool,
    ) -> BTreeSet<(Oid, Oid)> {
        let is_there = |relation: &CatalogRelation| relation.locator.is_some_and(exists);
        let mut undecided = BTreeSet::new();
        for (key, relation) in &mut self.relations {
            if relation.locator.is_none() || is_there(relation) {
                continue;
            }
            match other.relations.get(key) {
                Some(before) if before.locator == relation.locator => {}
                Some(before) if is_there(before) => relation.clone_from(before),
                Some(_) | None => {
                    undecided.insert(*key);
                }
            }
        }
        for (key, relation) in &other.relations {
            if is_there(relation) && !self.relations.contains_key(key) {
                self.relations.insert(*key, relation.clone());
            }
        }
        let files = self.relations.iter();
        self.by_locator = files
            .filter_map(|(key, relation)| Some((relation.locator?, *key)))
            .collect();
        undecided
    }

    /// The relation of some files.
    #[must_use]
    pub fn relation(&self, locator: RelFileLocator) -> Option<&CatalogRelation> {
        self.relations.get(self.by_locator.get(&locator)?)
    }

    /// The names of the relation of some files, as far as they are known.
    #[must_use]
    pub fn name(&self, locator: RelFileLocator) -> RelationName {
        let relation = self.relation(locator);
        RelationName {
            database: self
                .databases
                .get(&locator.db_oid)
                .map(|d| d.datname.clone()),
            schema: relation
                .and_then(|r| r.schema.as_deref())
                .map(str::to_owned),
            name: relation.map(|r| r.class.relname.clone()),
            kind: relation.map(CatalogRelation::kind),
            oid: relation.map(|r| r.class.oid),
        }
    }

    /// Whether the catalogs that would name some files are known, and do not: the files of a
    /// relation that was never committed, or is no more.
    #[must_use]
    pub fn disowns(&self, locator: RelFileLocator) -> bool {
        let own = (locator.db_oid, Oid::MIN)..=(locator.db_oid, Oid::MAX);
        self.relation(locator).is_none() && self.relations.range(own).next().is_some()
    }

    /// Whether `pg_database` is known, and has no such database: its folder is that of a CREATE
    /// DATABASE which never committed, or what a DROP DATABASE left.
    #[must_use]
    pub fn disowns_database(&self, db_oid: Oid) -> bool {
        db_oid != 0 && !self.databases.is_empty() && !self.databases.contains_key(&db_oid)
    }

    /// What they say of a table's tuples.
    #[must_use]
    pub fn promise(&self, locator: RelFileLocator) -> Option<Promise> {
        let class = &self.relation(locator)?.class;
        matches!(class.relkind, b'r' | b't' | b'm').then_some(Promise {
            is_toast: class.relkind == b't',
            relnatts: class.relnatts,
            relfrozenxid: class.relfrozenxid,
            relminmxid: class.relminmxid,
        })
    }

    /// How a table's tuples are laid out. Nothing where the catalogs hold pages from behind the
    /// end of WAL, since they may be newer and older than each other.
    #[must_use]
    pub fn tuple_desc(
        &self,
        locator: RelFileLocator,
        wal_end: Option<XLogRecPtr>,
    ) -> Option<&TupleDesc> {
        self.settled(locator, wal_end)?.tuple_desc.as_deref()
    }

    /// The kind of a relation's pages, by its access method. Nothing for those of extensions,
    /// and where the catalogs hold pages from behind the end of WAL.
    #[must_use]
    pub fn page_kind(
        &self,
        locator: RelFileLocator,
        wal_end: Option<XLogRecPtr>,
    ) -> Option<PageKind> {
        let class = &self.settled(locator, wal_end)?.class;
        // Up to 11 tables have no access method.
        match (class.relkind, class.relam) {
            (b'r' | b't' | b'm', 0 | HEAP_TABLE_AM_OID) => Some(PageKind::Heap),
            (b'i', relam) => PageKind::of_access_method(relam),
            _ => None,
        }
    }

    /// The relation with these files, unless its catalogs are ahead of the WAL.
    fn settled(
        &self,
        locator: RelFileLocator,
        wal_end: Option<XLogRecPtr>,
    ) -> Option<&CatalogRelation> {
        let newest = self.newest.get(&locator.db_oid)?;
        let ahead = wal_end.is_some_and(|end| *newest > end);
        self.relation(locator).filter(|_| !ahead)
    }

    /// The table that a TOAST table, or the index of one, belongs to.
    #[must_use]
    pub fn toast_owner(&self, locator: RelFileLocator) -> Option<&CatalogRelation> {
        let relation = self.relation(locator)?;
        self.relations
            .get(&(relation.database, relation.toast_owner?))
    }

    /// Adds the rows of one database's `pg_class`.
    fn add(
        &mut self,
        database: Oid,
        rows: Vec<Row<PgClass>>,
        schemas: &BTreeMap<Oid, Arc<str>>,
        descs: &HashMap<Oid, Arc<TupleDesc>>,
        locate: &dyn Fn(&PgClass) -> Option<RelFileLocator>,
    ) -> Vec<(RelFileLocator, Oid, Oid)> {
        let mut claims = Vec::new();
        let toast: HashMap<Oid, Oid> = rows
            .iter()
            .filter(|row| row.value.reltoastrelid != 0)
            .map(|row| (row.value.reltoastrelid, row.value.oid))
            .collect();
        // No catalog read here tells an index's table, but a TOAST table's index is named
        // for it (toasting.c: create_toast_table).
        let toast_index: HashMap<String, Oid> = rows
            .iter()
            .filter(|row| row.value.relkind == b't')
            .filter_map(|row| {
                let owner = toast.get(&row.value.oid)?;
                Some((format!("{}_index", row.value.relname), *owner))
            })
            .collect();
        let mut rows = rows;
        // Files are named for their newest claimant.
        rows.sort_by(|a, b| a.age_cmp(b));
        for Row { value: class, .. } in rows {
            let in_toast = class.relnamespace == PG_TOAST_NAMESPACE;
            let toast_owner = match class.relkind {
                b't' => toast.get(&class.oid).copied(),
                b'i' if in_toast => toast_index.get(&class.relname).copied(),
                _ => None,
            };
            let key = (if class.relisshared { 0 } else { database }, class.oid);
            // Every database tells of the shared relations.
            if class.relisshared && self.relations.contains_key(&key) {
                continue;
            }
            let locator = locate(&class);
            if let Some(locator) = locator
                && let Some(before) = self.by_locator.insert(locator, key)
                && before != key
            {
                claims.push((locator, before.1, key.1));
            }
            let relation = CatalogRelation {
                database: key.0,
                schema: schemas.get(&class.relnamespace).cloned(),
                tuple_desc: descs.get(&class.oid).cloned(),
                class,
                locator,
                toast_owner,
            };
            self.relations.insert(key, relation);
        }
        // Whose tuples lie in a file that two claim is open.
        for oid in claims.iter().flat_map(|(_, older, newer)| [older, newer]) {
            if let Some(relation) = self.relations.get_mut(&(database, *oid)) {
                relation.tuple_desc = None;
            }
        }
        claims
    }
}

/// A catalog that names things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CatalogTable {
    /// `pg_class`.
    Class,
    /// `pg_namespace`.
    Namespace,
    /// `pg_database`.
    Database,
    /// `pg_tablespace`.
    Tablespace,
}

/// Is handed rows of catalogs: which catalog, of which database, header and whole tuple.
pub type EachRow<'a> = dyn FnMut(CatalogTable, Oid, &HeapTupleHeader, &[u8]) + 'a;

/// The files of the catalogs that name things.
#[derive(Clone, Debug, Default)]
pub struct CatalogFiles {
    /// Which catalog some files are.
    pub tables: BTreeMap<RelFileLocator, CatalogTable>,
    /// The relation maps, by database (0: `global/`).
    pub maps: BTreeMap<Oid, RelMap>,
}

/// Knows of no transaction.
struct Nobody;

impl Committed for Nobody {
    fn committed(&mut self, _: TransactionId) -> bool {
        false
    }
}

/// A visible row.
pub(super) struct Row<T, K = Oid> {
    xmin: TransactionId,
    /// Whether nothing can have deleted it.
    certain: bool,
    pub(super) oid: K,
    pub(super) value: T,
}

/// The rows of a catalog that a query would find after recovery.
pub(super) struct CatalogRows<T, K = Oid> {
    /// One for each key, in their order.
    pub(super) rows: Vec<Row<T, K>>,
    /// The keys of which there is more than one.
    pub(super) twice: Vec<K>,
    /// Whether all of the catalog could be read, and which rows are there is beyond doubt.
    pub(super) sound: bool,
}

impl<T, K: Ord> CatalogRows<T, K> {
    /// The row of a key.
    pub(super) fn get(&self, key: K) -> Option<&T> {
        let at = self.rows.binary_search_by(|row| row.oid.cmp(&key)).ok()?;
        self.rows.get(at).map(|row| &row.value)
    }

    /// Whether there is a row of a key.
    pub(super) fn has(&self, key: K) -> bool {
        self.rows.binary_search_by(|row| row.oid.cmp(&key)).is_ok()
    }
}

impl<T, K> Row<T, K> {
    /// Older, or less certainly there, first.
    fn age_cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.certain.cmp(&other.certain).then_with(|| {
            if self.xmin == other.xmin {
                std::cmp::Ordering::Equal
            } else if self.xmin.precedes(other.xmin) {
                std::cmp::Ordering::Less
            } else {
                std::cmp::Ordering::Greater
            }
        })
    }
}

/// Reads one kind of row.
type Parse<T> = fn(&Layout, &HeapTupleHeader, &[u8]) -> Result<T, Malformed>;

struct Reader<'a> {
    evidence: &'a Evidence,
    layout: Layout,
    replayed: ReplayedBlocks,
    /// The relations whose files replay makes.
    created: Option<&'a FxHashSet<RelFileLocator>>,
    /// The relation maps that can be used, by database (0: `global/`).
    maps: BTreeMap<Oid, RelMap>,
    /// Why others cannot.
    unusable_maps: BTreeMap<Oid, String>,
    /// The tablespaces of the databases whose folder has a relation map.
    folders: BTreeMap<Oid, Oid>,
    xacts: &'a mut dyn Committed,
    problems: &'a mut Vec<CatalogProblem>,
    /// Descriptions of tuples, each once: partitions share theirs.
    descs: HashSet<Arc<TupleDesc>>,
    /// The newest `pd_lsn` among the pages read of late.
    newest: XLogRecPtr,
}

impl<'a> Reader<'a> {
    fn new(
        evidence: &'a Evidence,
        layout: &Layout,
        xacts: &'a mut dyn Committed,
        problems: &'a mut Vec<CatalogProblem>,
    ) -> Self {
        Self {
            evidence,
            layout: *layout,
            replayed: ReplayedBlocks::default(),
            created: None,
            maps: BTreeMap::new(),
            unusable_maps: BTreeMap::new(),
            folders: BTreeMap::new(),
            xacts,
            problems,
            descs: HashSet::new(),
            newest: XLogRecPtr::default(),
        }
    }
}

/// Those of a database's mapped catalogs that are read.
const MAPPED_CATALOGS: [Oid; 4] = [
    RELATION_RELATION_ID,
    ATTRIBUTE_RELATION_ID,
    TYPE_RELATION_ID,
    PROCEDURE_RELATION_ID,
];
/// Those of its other catalogs, whose files `pg_class` tells.
const UNMAPPED_CATALOGS: [Oid; 11] = [
    NAMESPACE_RELATION_ID,
    ENUM_RELATION_ID,
    INDEX_RELATION_ID,
    ACCESS_METHOD_RELATION_ID,
    ATTR_DEFAULT_RELATION_ID,
    COLLATION_RELATION_ID,
    CONSTRAINT_RELATION_ID,
    INHERITS_RELATION_ID,
    OPERATOR_CLASS_RELATION_ID,
    REWRITE_RELATION_ID,
    SEQUENCE_RELATION_ID,
];

impl<'a> Reader<'a> {
    fn read(&mut self, redo: Option<&CatalogRedo<'a>>) -> Catalog {
        self.created = redo.map(|redo| redo.created);
        self.read_maps(redo.map(|redo| redo.relation_maps));
        let shared = [
            DATABASE_RELATION_ID,
            TABLESPACE_RELATION_ID,
            AUTH_ID_RELATION_ID,
        ]
        .map(|oid| self.mapped(GLOBALTABLESPACE_OID, 0, oid));
        let classes: Vec<RelFileLocator> = self
            .folders
            .iter()
            .map(|(db_oid, spc_oid)| self.mapped(*spc_oid, *db_oid, RELATION_RELATION_ID))
            .collect();
        self.pin(shared.into_iter().chain(classes.iter().copied()));
        let mut unmapped = BTreeSet::new();
        if let Some(redo) = redo {
            unmapped = self.possible_files(&classes, &UNMAPPED_CATALOGS);
            let initial = MAPPED_CATALOGS;
            let mapped_files: BTreeMap<Oid, [RelFileNumber; 4]> = self
                .maps
                .keys()
                .map(|db_oid| (*db_oid, initial.map(|oid| self.file_of(*db_oid, oid))))
                .collect();
            self.replay(redo, &|l| {
                let files = mapped_files.get(&l.db_oid).copied();
                shared.contains(&l)
                    || l.db_oid != 0
                        && (files.unwrap_or(initial).contains(&l.rel_number)
                            || is_possible(&unmapped, l))
            });
        }

        let mut catalog = Catalog::default();
        self.tell_map(GLOBALTABLESPACE_OID, 0);
        let databases = self.rows(shared[0], PgDatabase::parse, |d| Some(d.oid));
        for row in databases.rows {
            catalog.databases.insert(row.oid, row.value);
        }
        let tablespaces = self.rows(shared[1], PgNamed::parse, |t| Some(t.oid));
        for row in tablespaces.rows {
            catalog.tablespaces.insert(row.oid, row.value.name);
        }
        let tablespaces_are_known = tablespaces.sound && !catalog.tablespaces.is_empty();
        let newest_shared = self.newest;
        let pg_authid = shared[2];
        let roles = self.rows(pg_authid, parse_oid, |oid| Some(*oid));
        let newest_of_roles = newest_shared.max(self.newest);
        // Who ran initdb cannot be dropped.
        let roles = Some(roles).filter(|roles| roles.sound && !roles.rows.is_empty());
        if databases.sound && tablespaces_are_known {
            let known = &catalog.tablespaces;
            catalog.agreements.entry(0).or_default().push(Agreement {
                disagreements: tablespaces_of_databases(&catalog.databases, known, shared[0]),
                files: BTreeSet::from([shared[0], shared[1]]),
                newest: newest_shared,
            });
        }
        if databases.sound
            && let Some(roles) = &roles
        {
            catalog.agreements.entry(0).or_default().push(Agreement {
                disagreements: owners_of_databases(&catalog.databases, roles, shared[0]),
                files: BTreeSet::from([shared[0], pg_authid]),
                newest: newest_of_roles,
            });
        }
        if catalog.databases.is_empty() {
            self.tell(shared[0], "no database can be read from it".to_owned());
        }

        let mut databases = self.folders.clone();
        for (oid, row) in &catalog.databases {
            databases.insert(*oid, row.dattablespace);
        }
        self.pin(databases.iter().flat_map(|(db_oid, spc_oid)| {
            MAPPED_CATALOGS.map(|oid| self.mapped(*spc_oid, *db_oid, oid))
        }));
        let mut rows_of = Vec::new();
        let mut unmapped_files = BTreeSet::new();
        for (&db_oid, &spc_oid) in &databases {
            self.tell_map(spc_oid, db_oid);
            let class = self.mapped(spc_oid, db_oid, RELATION_RELATION_ID);
            self.newest = XLogRecPtr::default();
            let class_rows = self.rows(class, PgClass::parse, |c| Some(c.oid));
            let rows = &class_rows.rows;
            if !rows.iter().any(|row| row.oid == RELATION_RELATION_ID) {
                self.tell(class, "it does not tell of pg_class itself".to_owned());
                // Without a map the number is a guess, and this another relation.
                if !self.maps.contains_key(&db_oid) {
                    continue;
                }
            }
            let file_of = |oid| {
                let row = rows.iter().find(|row| row.oid == oid);
                row.and_then(|row| self.locate(spc_oid, db_oid, &row.value))
            };
            let unmapped: BTreeMap<Oid, RelFileLocator> = UNMAPPED_CATALOGS
                .into_iter()
                .filter_map(|oid| Some((oid, file_of(oid)?)))
                .collect();
            unmapped_files.extend(unmapped.values().copied());
            rows_of.push(OfDatabase {
                spc_oid,
                db_oid,
                class,
                rows: class_rows,
                newest: self.newest,
                unmapped,
            });
        }

        if let Some(redo) = redo {
            // Those that a VACUUM FULL in the WAL rewrote.
            let is_new = |l: &RelFileLocator| !is_possible(&unmapped, *l);
            let new: BTreeSet<RelFileLocator> =
                unmapped_files.iter().copied().filter(is_new).collect();
            if !new.is_empty() {
                self.replay(redo, &|l| new.contains(&l));
            }
        }
        self.pin(unmapped_files.into_iter());
        for of in rows_of {
            let OfDatabase {
                spc_oid, db_oid, ..
            } = of;
            let database = catalog.databases.get(&db_oid);
            let encoding = database.map_or(Encoding::Bytes, |database| {
                Encoding::from_number(database.encoding)
            });
            self.newest = of.newest;
            let pg_type = self.mapped(spc_oid, db_oid, TYPE_RELATION_ID);
            let type_rows = self.rows(pg_type, PgType::parse, |row| Some(row.oid));
            let mut types = self.types(&type_rows, of.unmapped.get(&ENUM_RELATION_ID).copied());
            let attribute = self.mapped(spc_oid, db_oid, ATTRIBUTE_RELATION_ID);
            let key = |row: &PgAttribute| (row.attnum > 0).then_some((row.attrelid, row.attnum));
            let attributes = self.rows(attribute, PgAttribute::parse, key);
            let descs =
                self.tuple_descs(attribute, &attributes, &of.rows.rows, encoding, &mut types);
            // Shared relations are told of by one database or another.
            let shared = catalog.newest.entry(0).or_default();
            *shared = self.newest.max(*shared);
            catalog.newest.insert(db_oid, self.newest);
            let schemas = of
                .unmapped
                .get(&NAMESPACE_RELATION_ID)
                .map(|file| (*file, self.rows(*file, PgNamed::parse, |n| Some(n.oid))));
            if of.rows.sound && catalog.databases.contains_key(&db_oid) {
                let read = Read {
                    attribute: (attribute, &attributes),
                    pg_type: (pg_type, &type_rows),
                    schemas: schemas.as_ref().map(|(file, rows)| (*file, rows)),
                    tablespaces: tablespaces_are_known.then_some(&catalog.tablespaces),
                    roles: roles.as_ref().map(|roles| (pg_authid, roles)),
                    newest_shared,
                    newest_of_roles,
                };
                let agreements = self.agreements(&of, &read);
                catalog.agreements.insert(db_oid, agreements);
            }
            let schemas: BTreeMap<Oid, Arc<str>> = schemas
                .map(|(_, schemas)| schemas.rows)
                .unwrap_or_default()
                .into_iter()
                .map(|row| (row.oid, Arc::from(row.value.name)))
                .collect();
            let rows = of.rows.rows;
            let locate = |class: &PgClass| self.locate(spc_oid, db_oid, class);
            for (locator, older, newer) in catalog.add(db_oid, rows, &schemas, &descs, &locate) {
                let message = format!("relations {older} and {newer} both claim it");
                self.tell(locator, message);
            }
        }
        catalog
    }

    /// Compares the catalogs of a database with each other. Those that nothing else needs are
    /// read here, one at a time.
    fn agreements(&mut self, of: &OfDatabase, read: &Read<'_>) -> Vec<Agreement> {
        let (class_file, newest_before) = (of.class, self.newest);
        let (attribute_file, attributes) = read.attribute;
        let (type_file, types) = read.pg_type;
        let file = |oid| of.unmapped.get(&oid).copied();
        let indexes = file(INDEX_RELATION_ID).map(|file| {
            (
                file,
                self.sound_rows(file, IndexKeys::parse, |i| i.index.indexrelid),
            )
        });
        let newest_before_others = newest_before.max(self.newest);
        let access_methods = file(ACCESS_METHOD_RELATION_ID).map(|file| (file, self.oids(file)));
        let classes = file(OPERATOR_CLASS_RELATION_ID).map(|file| (file, self.oids(file)));
        let collations = file(COLLATION_RELATION_ID).map(|file| (file, self.oids(file)));
        let defaults = file(ATTR_DEFAULT_RELATION_ID).map(|file| {
            (
                file,
                self.sound_rows(file, PgAttrdef::parse, |d| (d.adrelid, d.adnum)),
            )
        });
        let constraints = file(CONSTRAINT_RELATION_ID)
            .map(|file| (file, self.sound_rows(file, PgConstraint::parse, |c| c.oid)));
        let rules = file(REWRITE_RELATION_ID)
            .map(|file| (file, self.sound_rows(file, PgRewrite::parse, |r| r.oid)));
        let children = file(INHERITS_RELATION_ID)
            .map(|file| (file, self.sound_rows(file, PgInherits::parse, |i| *i)));
        let sequences = file(SEQUENCE_RELATION_ID).map(|file| {
            (
                file,
                self.sound_rows(file, PgSequence::parse, |s| s.seqrelid),
            )
        });
        let proc_file = self.mapped(of.spc_oid, of.db_oid, PROCEDURE_RELATION_ID);
        let functions = self.oids(proc_file);
        let newest_of_all = newest_before_others.max(self.newest);

        let locate = |class: &PgClass| self.locate(of.spc_oid, of.db_oid, class);
        let compared = Compared {
            database: of.db_oid,
            class: &of.rows,
            class_file,
            locate: &locate,
        };
        let mut first = Agreement {
            disagreements: compared.class(read.tablespaces),
            files: BTreeSet::from([class_file]),
            newest: read.newest_shared.max(newest_before_others),
        };
        let sound_types = types.sound.then_some(types);
        if attributes.sound {
            let more = compared.attributes(attributes, attribute_file, sound_types);
            first.disagreements.extend(more);
            first.files.extend([attribute_file, type_file]);
        }
        if let Some((file, schemas)) = read.schemas.filter(|(_, schemas)| schemas.sound) {
            first.disagreements.extend(compared.schemas(schemas));
            first.files.insert(file);
        }
        if let Some((file, Some(indexes))) = &indexes {
            first.disagreements.extend(compared.indexes(indexes, *file));
            first.files.insert(*file);
        }
        let mut agreements = vec![first];
        let mut add = |disagreements: Vec<Disagreement>, files: &[RelFileLocator]| {
            agreements.push(Agreement {
                disagreements,
                files: files.iter().copied().chain([class_file]).collect(),
                newest: newest_of_all.max(read.newest_of_roles),
            });
        };
        let sound_attributes = attributes.sound.then_some(attributes);
        if let Some((file, Some(constraints))) = &constraints {
            add(compared.constraints(constraints, *file), &[*file]);
        }
        if let Some((file, Some(access_methods))) = &access_methods {
            add(compared.access_methods(access_methods), &[*file]);
        }
        if let (Some((file, Some(defaults))), Some(attributes)) = (&defaults, sound_attributes) {
            let found = compared.defaults(defaults, *file, attributes);
            add(found, &[*file, attribute_file]);
        }
        if let Some((file, Some(indexes))) = &indexes {
            if let Some(attributes) = sound_attributes {
                let found = compared.index_columns(indexes, attributes);
                add(found, &[*file, attribute_file]);
            }
            if let Some((of_classes, Some(classes))) = &classes {
                add(
                    compared.operator_classes(indexes, classes),
                    &[*file, *of_classes],
                );
            }
            if let Some((of_collations, Some(collations))) = &collations {
                let found = compared.index_collations(indexes, collations);
                add(found, &[*file, *of_collations]);
            }
        }
        if let Some((file, Some(collations))) = &collations {
            if let Some(attributes) = sound_attributes {
                let found = compared.collations(attributes, collations);
                add(found, &[*file, attribute_file]);
            }
            if let Some(types) = sound_types {
                add(
                    compared.type_collations(types, type_file, collations),
                    &[*file, type_file],
                );
            }
        }
        if let Some((file, Some(rules))) = &rules {
            add(compared.rules(rules, *file), &[*file]);
        }
        if let Some((file, Some(sequences))) = &sequences {
            add(compared.sequences(sequences), &[*file]);
        }
        if let Some((file, Some(children))) = &children {
            add(compared.children(children), &[*file]);
        }
        if let Some(types) = sound_types {
            add(compared.types(types, type_file), &[type_file]);
            if let Some(functions) = &functions {
                add(
                    compared.functions(types, type_file, functions),
                    &[type_file, proc_file],
                );
            }
        }
        if let Some((file, roles)) = read.roles {
            add(compared.owners(roles), &[file]);
            if let Some(types) = sound_types {
                add(
                    compared.owners_of_types(types, type_file, roles),
                    &[file, type_file],
                );
            }
            if let Some((of_schemas, schemas)) = read.schemas.filter(|(_, rows)| rows.sound) {
                let found = compared.owners_of_schemas(schemas, of_schemas, roles);
                add(found, &[file, of_schemas]);
            }
        }
        agreements
    }

    /// The object identifiers of a catalog, when they are all there beyond doubt. Without any the
    /// database has lost more than they could tell.
    fn oids(&mut self, file: RelFileLocator) -> Option<CatalogRows<Oid>> {
        self.sound_rows(file, parse_oid, |oid| *oid)
            .filter(|known| !known.rows.is_empty())
    }

    /// [`Reader::rows`], when they are all there beyond doubt.
    fn sound_rows<T, K: Ord + Copy>(
        &mut self,
        file: RelFileLocator,
        parse: Parse<T>,
        key: impl Fn(&T) -> K,
    ) -> Option<CatalogRows<T, K>> {
        let rows = self.rows(file, parse, |row| Some(key(row)));
        rows.sound.then_some(rows)
    }

    /// The relation maps: those that replay writes, else those on disk.
    fn read_maps(&mut self, replayed: Option<&BTreeMap<Oid, Vec<u8>>>) {
        let evidence = self.evidence;
        let mut files: Vec<(Oid, FileId)> = Vec::new();
        for (id, entry) in evidence.iter() {
            if let FileKind::FilenodeMap { db } = entry.kind
                && entry.archive.is_none()
                && self.is_ours(entry.tablespace_version_dir())
            {
                files.push((db.db_oid, id));
                if db.db_oid != 0 {
                    self.folders.insert(db.db_oid, db.spc_oid);
                }
            }
        }
        let ids: Vec<FileId> = files.iter().map(|(_, id)| *id).collect();
        self.pin_files(&ids);
        for (db_oid, id) in files {
            let bytes = evidence.file(id).and_then(|file| file.read_all(MAP_LIMIT));
            self.take_map(db_oid, bytes.map_err(|error| error.to_string()));
        }
        for (db_oid, bytes) in replayed.into_iter().flatten() {
            self.take_map(*db_oid, Ok(bytes.clone()));
        }
    }

    fn take_map(&mut self, db_oid: Oid, bytes: Result<Vec<u8>, String>) {
        let map = bytes.and_then(|bytes| {
            let map = RelMap::parse(self.layout.version, &bytes);
            map.map_err(|malformed| malformed.why.to_owned())
        });
        match map {
            Ok(map) if map.crc_is_good => {
                self.maps.insert(db_oid, map);
            }
            Ok(_) => {
                self.unusable_maps
                    .insert(db_oid, "its checksum is wrong".to_owned());
            }
            Err(why) => {
                self.unusable_maps.insert(db_oid, why);
            }
        }
    }

    /// Tells of a relation map that there should be and cannot be used.
    fn tell_map(&mut self, spc_oid: Oid, db_oid: Oid) {
        if self.maps.contains_key(&db_oid) {
            return;
        }
        let why = self.unusable_maps.get(&db_oid);
        let why = why.map_or("there is none", String::as_str);
        let folder = database_dir(self.layout.version, spc_oid, db_oid);
        self.problems.push(CatalogProblem {
            path: format!("{folder}/pg_filenode.map"),
            message: format!(
                "{why}; catalogs are looked for under the file numbers that initdb gives them"
            ),
        });
    }

    /// Whether a folder in a tablespace is of this version; `None` lies in no tablespace.
    fn is_ours(&self, tablespace_version_dir: Option<&str>) -> bool {
        tablespace_version_dir.is_none_or(|dir| dir == self.layout.version.tablespace_dir())
    }

    /// The file number of a mapped catalog. `initdb` gives them their object identifiers as
    /// numbers; that is the guess where there is no map.
    fn file_of(&self, db_oid: Oid, catalog: Oid) -> RelFileNumber {
        self.maps
            .get(&db_oid)
            .and_then(|map| map.file_of(catalog))
            .unwrap_or(catalog)
    }

    fn mapped(&self, spc_oid: Oid, db_oid: Oid, catalog: Oid) -> RelFileLocator {
        locator(spc_oid, db_oid, self.file_of(db_oid, catalog))
    }

    /// Where a relation of a database has its files.
    fn locate(&self, dattablespace: Oid, db_oid: Oid, class: &PgClass) -> Option<RelFileLocator> {
        if !class.has_storage() {
            return None;
        }
        let (spc_oid, db_oid) = if class.relisshared {
            (GLOBALTABLESPACE_OID, 0)
        } else if class.reltablespace == 0 {
            (dattablespace, db_oid)
        } else {
            (class.reltablespace, db_oid)
        };
        let rel_number = match (class.relfilenode, self.maps.get(&db_oid)) {
            (0, Some(map)) => map.file_of(class.oid)?,
            (0, None) => class.oid,
            (number, _) => number,
        };
        Some(locator(spc_oid, db_oid, rel_number))
    }

    /// Every file that any version of some catalogs' rows on disk names, by database: redo of
    /// the blocks of most of them is what is needed.
    fn possible_files(
        &self,
        classes: &[RelFileLocator],
        catalogs: &[Oid],
    ) -> BTreeSet<(Oid, RelFileNumber)> {
        let mut found = BTreeSet::new();
        let mut room = HeapTuples::new(&self.layout);
        for class in classes {
            self.each_block_on_disk(*class, |_, block| {
                let Ok(page) = block else { return };
                let Ok(heap) = room.read(page) else { return };
                for tuple in heap.tuples {
                    let row = PgClass::parse(&self.layout, &tuple.header, heap.bytes(tuple));
                    if let Ok(row) = row
                        && catalogs.contains(&row.oid)
                    {
                        found.insert((class.db_oid, row.relfilenode));
                    }
                }
            });
        }
        found
    }

    fn replay(&mut self, redo: &CatalogRedo<'_>, wanted: &(dyn Fn(RelFileLocator) -> bool + Sync)) {
        let CatalogRedo {
            context,
            source,
            start,
            end,
            ..
        } = *redo;
        let base = |locator: RelFileLocator, blkno: BlockNumber| self.block(locator, blkno);
        let wanted = |locator, _| wanted(locator);
        let more = replay_blocks(context, source, start, end, &wanted, &base);
        self.replayed.pages.extend(more.pages);
        self.replayed.lost.extend(more.lost);
    }

    /// One block as it is on disk, when the server would take it in.
    fn block(&self, locator: RelFileLocator, blkno: BlockNumber) -> Option<Vec<u8>> {
        block_on_disk(self.evidence, &self.layout, locator, blkno)
    }

    fn path(&self, locator: RelFileLocator, segment: u32) -> String {
        relation_path(self.layout.version, locator, ForkNumber::Main, segment)
    }

    fn file(&self, locator: RelFileLocator, segment: u32) -> Option<FileId> {
        self.evidence.by_path(&self.path(locator, segment))
    }

    /// The segments of a main fork.
    fn segments(&self, locator: RelFileLocator) -> impl Iterator<Item = (u32, FileId)> {
        (0..).map_while(move |segment| Some((segment, self.file(locator, segment)?)))
    }

    /// Brings files of compressed archives within reach, in one pass.
    fn pin(&self, locators: impl Iterator<Item = RelFileLocator>) {
        let ids: Vec<FileId> = locators
            .flat_map(|locator| self.segments(locator))
            .map(|(_, id)| id)
            .collect();
        self.pin_files(&ids);
    }

    fn pin_files(&self, ids: &[FileId]) {
        if let Err(error) = self.evidence.pin(ids) {
            // Each file is tried again when it is opened, and told of then.
            tracing::debug!("catalog files cannot be pinned: {error}");
        }
    }

    fn tell(&mut self, locator: RelFileLocator, message: String) {
        let path = self.path(locator, 0);
        self.problems.push(CatalogProblem { path, message });
    }

    fn tell_lost(&mut self) {
        for ((locator, blkno), lost) in std::mem::take(&mut self.replayed.lost) {
            let message = format!(
                "block {blkno}: replay cannot follow the record at {}: {}",
                lost.lsn, lost.why
            );
            self.tell(locator, message);
        }
    }

    /// Hands out the blocks of a main fork as they are on disk, or why one cannot be read.
    fn each_block_on_disk(
        &self,
        locator: RelFileLocator,
        mut each: impl FnMut(BlockNumber, Result<&[u8], String>),
    ) {
        let blcksz = self.layout.blcksz as usize;
        let mut buf = vec![0; blcksz * CHUNK_BLOCKS];
        for (segment, id) in self.segments(locator) {
            let first = segment.saturating_mul(self.layout.relseg_size);
            let file = match self.evidence.file(id) {
                Ok(file) => file,
                Err(error) => {
                    each(first, Err(error.to_string()));
                    continue;
                }
            };
            let mut blkno = first;
            let mut file_offset = 0;
            while file_offset < file.len() {
                let got = match file.read_at(&mut buf, file_offset) {
                    Ok(0) => break,
                    Ok(got) => got,
                    Err(error) => {
                        // One unreadable sector must not hide the blocks around it.
                        for at in (0..buf.len()).step_by(blcksz) {
                            let page = &mut buf[..blcksz];
                            match file.read_at(page, file_offset + at as u64) {
                                Ok(got) if got == blcksz => each(blkno, Ok(page)),
                                Ok(_) => break,
                                Err(_) => each(blkno, Err(error.to_string())),
                            }
                            blkno = blkno.saturating_add(1);
                        }
                        file_offset += buf.len() as u64;
                        continue;
                    }
                };
                for page in buf[..got].chunks_exact(blcksz) {
                    each(blkno, Ok(page));
                    blkno = blkno.saturating_add(1);
                }
                file_offset += got as u64;
            }
        }
    }

    /// The domains, enums and composite types of a database. What a type is never changes.
    fn types(&self, rows: &CatalogRows<PgType>, pg_enum: Option<RelFileLocator>) -> Types {
        let mut labels = pg_enum
            .and_then(|pg_enum| self.labels(pg_enum))
            .unwrap_or_default();
        labels.sort_unstable_by_key(|label| (label.enumtypid, label.oid));
        labels.dedup();
        let mut all: Vec<Oid> = labels.iter().map(|label| label.oid).collect();
        all.sort_unstable();
        let all: Arc<[Oid]> = all.into();
        let labels: HashMap<Oid, Arc<Labels>> = labels
            .chunk_by(|a, b| a.enumtypid == b.enumtypid)
            .filter_map(|of_type| {
                let oids: Vec<Oid> = of_type.iter().map(|label| label.oid).collect();
                let labels = Labels::new(&oids, Arc::clone(&all));
                Some((of_type.first()?.enumtypid, Arc::new(labels)))
            })
            .collect();
        let mut types = Types::default();
        for row in rows.rows.iter().map(|row| row.value) {
            match row.typtype {
                b'd' => {
                    types.domains.insert(row.oid, row.typbasetype);
                }
                b'c' => {
                    types.composites.insert(row.typrelid, row);
                }
                b'e' => {
                    if let Some(labels) = labels.get(&row.oid) {
                        let single = ValueType::of_enum(Arc::clone(labels));
                        let array = ValueType::of_enum_array(row.oid, Arc::clone(labels));
                        types.add(row, 4, single, array);
                    }
                }
                _ => {}
            }
        }
        types
    }

    /// The labels of a database's enums, unless it cannot be told that these are all. A row
    /// counts whatever became of its transaction: none is ever taken away from a type, and one
    /// that was lost with the commit log may have been there.
    fn labels(&self, pg_enum: RelFileLocator) -> Option<Vec<PgEnum>> {
        let layout = self.layout;
        let mut labels = Vec::new();
        let mut room = HeapTuples::new(&layout);
        let mut is_whole = true;
        let mut take = |page: &[u8]| {
            let heap = room
                .read(page)
                .ok()
                .filter(|_| server_accepts(page, &layout));
            let Some(heap) = heap else {
                return is_zeroed(page);
            };
            heap.tuples.iter().all(|tuple| {
                let row = PgEnum::parse(&layout, &tuple.header, heap.bytes(tuple));
                labels.extend(row.ok());
                row.is_ok()
            })
        };
        let of_file = (pg_enum, 0)..=(pg_enum, BlockNumber::MAX);
        for (_, page) in self.replayed.pages.range(of_file.clone()) {
            is_whole &= take(page);
        }
        self.each_block_on_disk(pg_enum, |blkno, block| {
            if !self.replayed.pages.contains_key(&(pg_enum, blkno)) {
                is_whole &= block.is_ok_and(&mut take);
            }
        });
        is_whole &= self.replayed.lost.range(of_file).next().is_none();
        is_whole.then_some(labels)
    }

    /// How the tuples of a database's tables are laid out, as far as `pg_attribute` tells beyond
    /// doubt. Texts of users' tables are in the database's encoding; system catalogs were copied
    /// from a database that may have had another.
    fn tuple_descs(
        &mut self,
        attribute: RelFileLocator,
        attributes: &CatalogRows<PgAttribute, (Oid, i16)>,
        classes: &[Row<PgClass>],
        encoding: Encoding,
        types: &mut Types,
    ) -> HashMap<Oid, Arc<TupleDesc>> {
        let since_12 = self.layout.since(Major::V12);
        let tables: HashMap<Oid, &PgClass> = classes
            .iter()
            .filter(|row| {
                let class = &row.value;
                // Other access methods have pages of their own kind.
                let is_heap = matches!(class.relkind, b'r' | b'm' | b't')
                    && (!since_12 || class.relam == HEAP_TABLE_AM_OID);
                (is_heap || class.relkind == b'c') && row.certain
            })
            .map(|row| (row.oid, &row.value))
            .collect();
        // Rows may be older than replay would leave them.
        let of_attribute = (attribute, 0)..=(attribute, BlockNumber::MAX);
        if self.replayed.lost.range(of_attribute).next().is_some() {
            return HashMap::new();
        }
        let mut composites = Vec::new();
        let mut of_tables = Vec::new();
        for of_table in attributes.rows.chunk_by(|a, b| a.oid.0 == b.oid.0) {
            let Some((attrelid, _)) = of_table.first().map(|row| row.oid) else {
                continue;
            };
            let Some(class) = tables.get(&attrelid) else {
                continue;
            };
            let whole = usize::from(class.relnatts) == of_table.len();
            if !whole || of_table.iter().any(|row| !row.certain) {
                continue;
            }
            if class.relkind != b'c' {
                of_tables.push((attrelid, of_table));
            } else if let Some(row) = types.composites.get(&attrelid).copied()
                && let Some(desc) = self.tuple_desc(attrelid, of_table, encoding, types)
            {
                composites.push((row, desc));
            }
        }
        // Those within others were not known yet, and are not judged.
        for (row, desc) in composites {
            let single = ValueType::of_composite(row.oid, Arc::clone(&desc));
            let array = ValueType::of_composite_array(row.oid, desc);
            types.add(row, -1, single, array);
        }
        of_tables
            .into_iter()
            .filter_map(|(attrelid, of_table)| {
                let desc = self.tuple_desc(attrelid, of_table, encoding, types)?;
                Some((attrelid, desc))
            })
            .collect()
    }

    /// How the tuples of one table are laid out.
    fn tuple_desc(
        &mut self,
        attrelid: Oid,
        rows: &[Row<PgAttribute, (Oid, i16)>],
        encoding: Encoding,
        types: &Types,
    ) -> Option<Arc<TupleDesc>> {
        let desc = TupleDesc::new(rows.iter().map(|row| &row.value))?;
        let encoding = match attrelid {
            ..FIRST_NORMAL_OBJECT_ID => Encoding::Bytes,
            _ => encoding,
        };
        let value_types = rows.iter().map(|row| types.of(&row.value, encoding));
        let desc = desc.with_types(value_types);
        if let Some(known) = self.descs.get(&desc) {
            return Some(Arc::clone(known));
        }
        let desc = Arc::new(desc);
        self.descs.insert(Arc::clone(&desc));
        Some(desc)
    }

    /// The rows of a catalog that a query would find after recovery, one for each key; those
    /// without one are passed over.
    fn rows<T, K: Ord + Copy>(
        &mut self,
        locator: RelFileLocator,
        parse: Parse<T>,
        key: impl Fn(&T) -> Option<K>,
    ) -> CatalogRows<T, K> {
        let layout = self.layout;
        let mut messages = Vec::new();
        let mut rows: BTreeMap<K, Row<T, K>> = BTreeMap::new();
        let mut room = HeapTuples::new(&layout);
        let mut undecided = Vec::new();
        let mut newest = self.newest;
        let mut take = |blkno: BlockNumber, page: &[u8]| {
            if is_zeroed(page) {
                return;
            }
            let heap = match room.read(page) {
                Ok(heap) if server_accepts(page, &layout) => heap,
                _ => {
                    messages.push(format!("block {blkno}: an invalid page, passed over"));
                    return;
                }
            };
            newest = heap.header.pd_lsn.max(newest);
            for tuple in heap.tuples {
                let row = parse(&layout, &tuple.header, heap.bytes(tuple));
                let oid = row.as_ref().map(&key);
                if !matches!(oid, Ok(None)) {
                    undecided.push((blkno, tuple.header, oid.ok().flatten(), row));
                }
            }
        };
        let mut end: BlockNumber = 0;
        let mut unreadable = Vec::new();
        self.each_block_on_disk(locator, |blkno, block| {
            end = end.max(blkno.saturating_add(1));
            match (self.replayed.pages.get(&(locator, blkno)), block) {
                (Some(page), _) => take(blkno, page),
                (None, Ok(page)) => take(blkno, page),
                (None, Err(why)) => unreadable.push(format!("block {blkno}: {why}")),
            }
        });
        let behind = (locator, end)..=(locator, BlockNumber::MAX);
        for ((_, blkno), page) in self.replayed.pages.range(behind) {
            take(*blkno, page);
        }
        self.newest = newest;
        messages.append(&mut unreadable);
        let mut twice = Vec::new();
        let mut sound = true;
        for (blkno, header, oid, row) in undecided {
            sound &= self.is_beyond_doubt(&header);
            let Some(certain) = self.visible(&header) else {
                continue;
            };
            sound &= certain;
            let (oid, value) = match (oid, row) {
                (Some(oid), Ok(value)) => (oid, value),
                (_, Err(malformed)) => {
                    messages.push(format!("block {blkno}: {malformed}"));
                    continue;
                }
                (None, Ok(_)) => continue,
            };
            let row = Row {
                xmin: header.t_xmin,
                certain,
                oid,
                value,
            };
            if rows.contains_key(&row.oid) {
                twice.push(row.oid);
            }
            match rows.get(&row.oid) {
                Some(before) if row.age_cmp(before).is_lt() => {}
                _ => {
                    rows.insert(row.oid, row);
                }
            }
        }
        let created = self
            .created
            .is_some_and(|created| created.contains(&locator));
        if self.file(locator, 0).is_none() && rows.is_empty() && !created {
            messages.push("there is no such file".to_owned());
        }
        let own = (locator, 0)..=(locator, BlockNumber::MAX);
        sound &= messages.is_empty() && self.replayed.lost.range(own).next().is_none();
        twice.sort_unstable();
        twice.dedup();
        let more = messages.len().saturating_sub(MAX_MESSAGES);
        for message in messages.into_iter().take(MAX_MESSAGES) {
            self.tell(locator, message);
        }
        if more > 0 {
            self.tell(locator, format!("and {more} more such blocks or rows"));
        }
        CatalogRows {
            rows: rows.into_values().collect(),
            twice,
            sound,
        }
    }

    /// Whether the transactions of a tuple are known to have ended as it says, or as the commit
    /// log says, before the WAL did. Else rows of one transaction may be there only in part.
    fn is_beyond_doubt(&mut self, header: &HeapTupleHeader) -> bool {
        let mut settled = |xid: TransactionId, committed: Option<bool>| {
            let committed = committed.unwrap_or_else(|| self.xacts.committed(xid));
            self.xacts.is_beyond_doubt(xid, committed)
        };
        let inserted = match header.xmin(&self.layout) {
            Xmin::Frozen => true,
            Xmin::Committed => settled(header.t_xmin, Some(true)),
            Xmin::Invalid => settled(header.t_xmin, Some(false)),
            Xmin::Undecided(xid) | Xmin::Moved { xvac: xid, .. } => settled(xid, None),
        };
        inserted
            && match header.xmax(&self.layout) {
                Xmax::None
                | Xmax::Locker(_)
                | Xmax::Lockers(_)
                | Xmax::UpgradedLockers(_)
                | Xmax::Members(_) => true,
                Xmax::Deleted(xid) => settled(xid, Some(true)),
                Xmax::Undecided(xid) => settled(xid, None),
            }
    }

    /// Whether a query would find a tuple once recovery is over; `Some(false)` when a
    /// multixact whose updater is not known may have deleted it.
    fn visible(&mut self, header: &HeapTupleHeader) -> Option<bool> {
        let inserted = match header.xmin(&self.layout) {
            Xmin::Frozen | Xmin::Committed => true,
            Xmin::Invalid => false,
            Xmin::Undecided(xid) => self.xacts.committed(xid),
            Xmin::Moved { xvac, moved_in } => self.xacts.committed(xvac) == moved_in,
        };
        if !inserted {
            return None;
        }
        match header.xmax(&self.layout) {
            Xmax::None | Xmax::Locker(_) | Xmax::Lockers(_) | Xmax::UpgradedLockers(_) => {
                Some(true)
            }
            Xmax::Deleted(_) => None,
            Xmax::Undecided(xid) => (!self.xacts.committed(xid)).then_some(true),
            Xmax::Members(multi) => match self.xacts.updater(multi) {
                Some(xid) => (!self.xacts.committed(xid)).then_some(true),
                None => Some(false),
            },
        }
    }
}

/// The types of a database that are not built in.
#[derive(Default)]
struct Types {
    /// What domains are over.
    domains: HashMap<Oid, Oid>,
    /// Composite types, those of tables among them, by their relations.
    composites: HashMap<Oid, PgType>,
    /// Enums of which all labels are known, composite types whose columns are, and the types of
    /// arrays of both: `attlen`, and what their values must be.
    known: HashMap<Oid, (i16, ValueType)>,
}

impl Types {
    fn add(&mut self, row: PgType, attlen: i16, single: ValueType, array: ValueType) {
        self.known.insert(row.oid, (attlen, single));
        if row.typarray != 0 {
            self.known.insert(row.typarray, (-1, array));
        }
    }

    /// What the values of a column must be.
    fn of(&self, column: &PgAttribute, encoding: Encoding) -> Option<ValueType> {
        let mut oid = column.atttypid;
        // A domain may be over another. Rows that are garbage may lead round in a circle.
        for _ in 0..16 {
            let Some(base) = self.domains.get(&oid) else {
                break;
            };
            oid = *base;
        }
        match self.known.get(&oid) {
            Some((attlen, known)) => (*attlen == column.attlen).then(|| known.clone()),
            None => ValueType::of(oid, column.attlen, encoding),
        }
    }
}

/// Bytes of a `pg_filenode.map` and more.
const MAP_LIMIT: usize = 1024;
/// Complaints about one file that are told one by one.
const MAX_MESSAGES: usize = 20;
/// Blocks read at a time.
const CHUNK_BLOCKS: usize = 32;

/// One block of a main fork as it is on disk, when the server would take it in.
#[must_use]
pub fn block_on_disk(
    evidence: &Evidence,
    layout: &Layout,
    locator: RelFileLocator,
    blkno: BlockNumber,
) -> Option<Vec<u8>> {
    let segment = blkno.checked_div(layout.relseg_size)?;
    let in_segment = blkno.checked_rem(layout.relseg_size)?;
    let path = relation_path(layout.version, locator, ForkNumber::Main, segment);
    let file = evidence.file(evidence.by_path(&path)?).ok()?;
    let mut page = vec![0; layout.blcksz as usize];
    let file_offset = u64::from(in_segment) * u64::from(layout.blcksz);
    let got = file.read_at(&mut page, file_offset).ok()?;
    let whole = got == page.len() && !is_zeroed(&page);
    (whole && server_accepts(&page, layout)).then_some(page)
}

/// Whether a file may hold one of [`UNMAPPED_CATALOGS`]; beside those that rows on disk name,
/// `initdb` and `CREATE DATABASE` may have given it its object identifier as number.
fn is_possible(found: &BTreeSet<(Oid, RelFileNumber)>, file: RelFileLocator) -> bool {
    UNMAPPED_CATALOGS.contains(&file.rel_number) || found.contains(&(file.db_oid, file.rel_number))
}

/// The databases whose `dattablespace` is no tablespace.
fn tablespaces_of_databases(
    databases: &BTreeMap<Oid, PgDatabase>,
    tablespaces: &BTreeMap<Oid, String>,
    pg_database: RelFileLocator,
) -> Vec<Disagreement> {
    databases
        .values()
        .filter(|database| !tablespaces.contains_key(&database.dattablespace))
        .map(|database| Disagreement {
            database: database.oid,
            relation: None,
            locator: pg_database,
            what: Contradiction::TablespaceMissing(database.dattablespace),
        })
        .collect()
}

/// The databases whose `datdba` is no role.
fn owners_of_databases(
    databases: &BTreeMap<Oid, PgDatabase>,
    roles: &CatalogRows<Oid>,
    pg_database: RelFileLocator,
) -> Vec<Disagreement> {
    databases
        .values()
        .filter(|database| !roles.has(database.datdba))
        .map(|database| Disagreement {
            database: database.oid,
            relation: None,
            locator: pg_database,
            what: Contradiction::Lost(Lost::Datdba, database.datdba, Of::Database(database.oid)),
        })
        .collect()
}

/// What was read before the catalogs of a database are compared: files and rows.
struct Read<'a> {
    attribute: (RelFileLocator, &'a CatalogRows<PgAttribute, (Oid, i16)>),
    pg_type: (RelFileLocator, &'a CatalogRows<PgType>),
    schemas: Option<(RelFileLocator, &'a CatalogRows<PgNamed>)>,
    tablespaces: Option<&'a BTreeMap<Oid, String>>,
    roles: Option<(RelFileLocator, &'a CatalogRows<Oid>)>,
    /// The newest `pd_lsn` of `pg_database` and `pg_tablespace`, and with `pg_authid`.
    newest_shared: XLogRecPtr,
    newest_of_roles: XLogRecPtr,
}

/// What was read of a database.
struct OfDatabase {
    spc_oid: Oid,
    db_oid: Oid,
    /// The files of `pg_class`, and its rows.
    class: RelFileLocator,
    rows: CatalogRows<PgClass>,
    /// The newest `pd_lsn` of its pages.
    newest: XLogRecPtr,
    /// The files of [`UNMAPPED_CATALOGS`].
    unmapped: BTreeMap<Oid, RelFileLocator>,
}

fn locator(spc_oid: Oid, db_oid: Oid, rel_number: RelFileNumber) -> RelFileLocator {
    RelFileLocator {
        spc_oid,
        db_oid,
        rel_number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multixacts_are_compared_in_a_circle() {
        let promise = |relminmxid| Promise {
            is_toast: false,
            relnatts: 1,
            relfrozenxid: TransactionId(3),
            relminmxid,
        };
        assert!(promise(Some(10)).precedes_relminmxid(9));
        assert!(!promise(Some(10)).precedes_relminmxid(10));
        assert!(promise(Some(10)).precedes_relminmxid(u32::MAX));
        assert!(!promise(Some(u32::MAX)).precedes_relminmxid(10));
        assert!(!promise(None).precedes_relminmxid(9));
    }
}
