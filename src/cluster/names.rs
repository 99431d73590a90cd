//! The names that relations have had, followed through the WAL.
//!
//! A dropped or truncated table's old file has no name in the catalogs that recovery leaves.
//! Its row stood on a page of `pg_class`, though, and the WAL says which row was deleted or
//! replaced there: the blocks of the catalogs are followed record by record, and each change of
//! a row is told with the row before and after it. Where a page is not known (there is only
//! WAL, or the disk has a later state of it) it is from the next full-page image on.

use super::catalog::{Catalog, CatalogFiles, CatalogTable, block_on_disk};
use super::replay::ReplayedBlocks;
use crate::format::catalog::{
    DATABASE_RELATION_ID, NAMESPACE_RELATION_ID, PG_TOAST_NAMESPACE, PgClass, PgDatabase, PgNamed,
    RELATION_RELATION_ID, TABLESPACE_RELATION_ID,
};
use crate::format::heap::{HEAP_TUPLE_HEADER_SIZE, HeapTupleHeader};
use crate::format::page::{PageHeader, line_pointer};
use crate::format::relmap::RelMap;
use crate::format::types::{
    GLOBALTABLESPACE_OID, OffsetNumber, Oid, RelFileLocator, RelFileNumber, XLogRecPtr,
};
use crate::format::version::{Layout, Major};
use crate::format::wal::Record;
use crate::format::wal::effects::{Effect, effects};
use crate::format::wal::heap::{HeapOp, Target, TupleData};
use crate::pgdata::Evidence;
use crate::report::RelationName;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `FirstNormalObjectId`: files with lower numbers are catalogs.
const FIRST_NORMAL_OBJECT_ID: Oid = 16_384;
/// `PG_CATALOG_NAMESPACE`.
const PG_CATALOG_NAMESPACE: Oid = 11;
/// Blocks of catalogs that are followed at a time: 64 MB of them.
const MAX_BLOCKS: usize = 8192;
/// Relations whose names are kept.
const MAX_RELATIONS: usize = 1 << 20;

/// What a row of `pg_class` says of a relation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClassRow {
    /// Its database; 0 for shared relations.
    pub database: Oid,
    /// Its object identifier.
    pub oid: Oid,
    /// `relname`.
    pub relname: Arc<str>,
    /// `relnamespace`.
    pub relnamespace: Oid,
    /// `relkind`.
    pub relkind: u8,
    /// `relkind` as a word.
    pub kind: &'static str,
    /// `relpersistence`.
    pub relpersistence: u8,
    /// Its files; `None` for kinds without, and for those the relation map knows.
    pub locator: Option<RelFileLocator>,
}

impl ClassRow {
    /// Of a row that stands in the `pg_class` of a database with this default tablespace.
    fn of(class: &PgClass, dattablespace: Oid, database: Oid, map: Option<&RelMap>) -> Self {
        let (spc_oid, db_oid) = match (class.relisshared, class.reltablespace) {
            (true, _) => (GLOBALTABLESPACE_OID, 0),
            (false, 0) => (dattablespace, database),
            (false, spc_oid) => (spc_oid, database),
        };
        let rel_number = match class.relfilenode {
            0 => map.and_then(|map| map.file_of(class.oid)),
            number => Some(number),
        };
        let locator = rel_number.filter(|_| class.has_storage());
        Self {
            database: if class.relisshared { 0 } else { database },
            oid: class.oid,
            relname: Arc::from(&*class.relname),
            relnamespace: class.relnamespace,
            relkind: class.relkind,
            kind: class.kind(),
            relpersistence: class.relpersistence,
            locator: locator.map(|rel_number| RelFileLocator {
                spc_oid,
                db_oid,
                rel_number,
            }),
        }
    }

    /// Whether it is made to rewrite another relation (`cluster.c: make_new_heap`).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let number = self.relname.strip_prefix("pg_temp_");
        number.is_some_and(|number| !number.is_empty() && number.parse::<Oid>().is_ok())
    }

    /// Whether it is a TOAST table or the index of one.
    #[must_use]
    pub fn is_toast(&self) -> bool {
        self.relnamespace == PG_TOAST_NAMESPACE
    }
}

/// A row of a catalog before and after a record; `None` where there is none, or it is not
/// known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Of `pg_class`.
    Class {
        /// Before.
        old: Option<ClassRow>,
        /// After.
        new: Option<ClassRow>,
        /// The row is a new one.
        inserted: bool,
    },
    /// Of `pg_database`.
    Database {
        /// Before.
        old: Option<PgDatabase>,
        /// After.
        new: Option<PgDatabase>,
        /// Overwritten where it stands, at once and for good.
        in_place: bool,
    },
    /// Of `pg_tablespace`.
    Tablespace {
        /// Before.
        old: Option<PgNamed>,
        /// After.
        new: Option<PgNamed>,
    },
    /// Of `pg_namespace`, after it.
    Namespace {
        /// The database.
        database: Oid,
        /// The row.
        new: PgNamed,
    },
}

/// A tuple's header, and all its bytes.
type TupleBytes<'p> = (HeapTupleHeader, &'p [u8]);

/// All names known so far.
pub struct NameHistory<'e> {
    layout: Layout,
    evidence: Option<&'e Evidence>,
    files: CatalogFiles,
    blocks: ReplayedBlocks,
    /// Where reading began, and from where on the WAL tells every change of the pages on disk.
    first: XLogRecPtr,
    redo: XLogRecPtr,
    /// Files that a relation map names: catalogs.
    mapped: FxHashSet<(Oid, RelFileNumber)>,
    relations: FxHashMap<RelFileLocator, ClassRow>,
    schemas: FxHashMap<(Oid, Oid), Arc<str>>,
    databases: BTreeMap<Oid, String>,
    tablespaces: BTreeMap<Oid, String>,
}

impl<'e> NameHistory<'e> {
    /// Those that the catalogs on disk hold, if there are any. The WAL from `redo` on makes
    /// these what recovery leaves.
    #[must_use]
    pub fn open(evidence: &'e Evidence, layout: Layout, redo: XLogRecPtr) -> Self {
        let mut history = Self {
            evidence: Some(evidence),
            redo,
            ..Self::of_wal(layout)
        };
        let mut classes = Vec::new();
        let mut rows = Vec::new();
        let files =
            Catalog::every_row_on_disk(evidence, &layout, &mut |table, db_oid, header, tuple| {
                if table == CatalogTable::Class {
                    if let Ok(class) = PgClass::parse(&layout, header, tuple) {
                        classes.push((db_oid, class));
                    }
                } else {
                    rows.push((table, db_oid, *header, tuple.to_vec()));
                }
            });
        for (table, db_oid, header, tuple) in rows {
            history.take_row(table, db_oid, &header, &tuple);
        }
        for (db_oid, map) in &files.maps {
            history
                .mapped
                .extend(map.mappings.iter().map(|(_, file)| (*db_oid, *file)));
        }
        let spaces: FxHashMap<Oid, Oid> = files
            .tables
            .iter()
            .filter(|(_, table)| **table == CatalogTable::Class)
            .map(|(file, _)| (file.db_oid, file.spc_oid))
            .collect();
        history.files = files;
        for (db_oid, class) in classes {
            let dattablespace = spaces.get(&db_oid).copied().unwrap_or_default();
            let map = history.files.maps.get(&db_oid);
            let row = ClassRow::of(&class, dattablespace, db_oid, map);
            history.keep(row);
        }
        history
    }

    /// None yet: they come from the WAL alone.
    #[must_use]
    pub fn of_wal(layout: Layout) -> Self {
        Self {
            layout,
            evidence: None,
            files: CatalogFiles::default(),
            blocks: ReplayedBlocks::default(),
            first: XLogRecPtr::INVALID,
            redo: XLogRecPtr::INVALID,
            mapped: FxHashSet::default(),
            relations: FxHashMap::default(),
            schemas: FxHashMap::default(),
            databases: BTreeMap::new(),
            tablespaces: BTreeMap::new(),
        }
    }

    /// Reading begins here, or goes on here behind a break: what happened before is not known.
    pub fn begin(&mut self, first: XLogRecPtr) {
        self.first = first;
        self.blocks = ReplayedBlocks::default();
    }

    fn keep(&mut self, row: ClassRow) {
        // It lends its files to another relation, and takes the old ones.
        if row.is_transient() {
            return;
        }
        if let Some(locator) = row.locator
            && (self.relations.len() < MAX_RELATIONS || self.relations.contains_key(&locator))
        {
            self.relations.insert(locator, row);
        }
    }

    fn take_row(
        &mut self,
        table: CatalogTable,
        db_oid: Oid,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) {
        match table {
            CatalogTable::Database => {
                if let Ok(row) = PgDatabase::parse(&self.layout, header, tuple) {
                    self.databases.insert(row.oid, row.datname);
                }
            }
            CatalogTable::Tablespace => {
                if let Ok(row) = PgNamed::parse(&self.layout, header, tuple) {
                    self.tablespaces.insert(row.oid, row.name);
                }
            }
            CatalogTable::Namespace => {
                if let Ok(row) = PgNamed::parse(&self.layout, header, tuple) {
                    self.schemas.insert((db_oid, row.oid), Arc::from(row.name));
                }
            }
            CatalogTable::Class => {}
        }
    }

    /// Which catalog some files are: as a relation map tells, or those with the number that
    /// `initdb` gives, which no other relation gets.
    #[must_use]
    pub fn table_of(&self, locator: RelFileLocator) -> Option<CatalogTable> {
        if let Some(table) = self.files.tables.get(&locator) {
            return Some(*table);
        }
        match (locator.db_oid, locator.rel_number) {
            (0, DATABASE_RELATION_ID) => Some(CatalogTable::Database),
            (0, TABLESPACE_RELATION_ID) => Some(CatalogTable::Tablespace),
            (0, _) => None,
            (_, RELATION_RELATION_ID) => Some(CatalogTable::Class),
            (_, NAMESPACE_RELATION_ID) => Some(CatalogTable::Namespace),
            _ => None,
        }
    }

    /// Takes in a relation map that the WAL writes.
    pub fn take_map(&mut self, db_oid: Oid, spc_oid: Oid, bytes: &[u8]) {
        let Ok(map) = RelMap::parse(self.layout.version, bytes) else {
            return;
        };
        let tables = [
            (RELATION_RELATION_ID, CatalogTable::Class),
            (DATABASE_RELATION_ID, CatalogTable::Database),
            (TABLESPACE_RELATION_ID, CatalogTable::Tablespace),
        ];
        for (oid, table) in tables {
            if let Some(rel_number) = map.file_of(oid) {
                let locator = RelFileLocator {
                    spc_oid,
                    db_oid,
                    rel_number,
                };
                if self.files.tables.len() < MAX_BLOCKS {
                    self.files.tables.insert(locator, table);
                }
            }
        }
        if self.mapped.len() < MAX_RELATIONS {
            self.mapped
                .extend(map.mappings.iter().map(|(_, file)| (db_oid, *file)));
        }
        if self.files.maps.len() < MAX_BLOCKS {
            self.files.maps.insert(db_oid, map);
        }
    }

    /// Recognises `pg_class` where no map tells of its file, which `VACUUM FULL` has given
    /// another number since: by a new row that names a file its own transaction made.
    pub fn recognise(
        &mut self,
        record: &Record<'_, '_>,
        op: &HeapOp<'_>,
        is_new_file: &dyn Fn(RelFileLocator) -> bool,
    ) {
        let (target, tuple) = match op {
            HeapOp::Insert { target, tuple, .. } => (*target, *tuple),
            HeapOp::Update(update) | HeapOp::HotUpdate(update) => {
                let whole = update.prefix_len == 0 && update.suffix_len == 0;
                (update.new, update.tuple.filter(|_| whole))
            }
            _ => return,
        };
        let locator = target.locator;
        let is_catalog = locator.db_oid != 0 && locator.rel_number < FIRST_NORMAL_OBJECT_ID;
        if !is_catalog || self.table_of(locator).is_some() {
            return;
        }
        let row = self.row_in(record, target, tuple);
        let names_new_file = row.and_then(|row| row.locator).is_some_and(is_new_file);
        if names_new_file && self.files.tables.len() < MAX_BLOCKS {
            self.files.tables.insert(locator, CatalogTable::Class);
        }
    }

    /// The row of `pg_class` that a record itself holds.
    fn row_in(
        &self,
        record: &Record<'_, '_>,
        target: Target,
        tuple: Option<TupleData<'_>>,
    ) -> Option<ClassRow> {
        let layout = &self.layout;
        let Target { locator, blkno, .. } = target;
        let class = if let Some(data) = tuple {
            let mut bytes = vec![0; usize::from(HEAP_TUPLE_HEADER_SIZE)];
            bytes.extend_from_slice(data.bytes);
            let header = HeapTupleHeader {
                t_infomask: data.t_infomask,
                t_infomask2: data.t_infomask2,
                t_hoff: data.t_hoff,
                ..HeapTupleHeader::parse(&bytes)?
            };
            PgClass::parse(layout, &header, &bytes)
        } else {
            let mut page = vec![0; layout.blcksz as usize];
            let image = record
                .blocks()
                .filter(|block| block.locator == locator && block.blkno == blkno)
                .find_map(|block| block.image)?;
            image.restore(*layout, &mut page).ok()?;
            let (header, tuple) = tuple_of(&page, target.offnum)?;
            PgClass::parse(layout, &header, tuple)
        };
        let map = self.files.maps.get(&locator.db_oid);
        let row = ClassRow::of(&class.ok()?, locator.spc_oid, locator.db_oid, map);
        Some(row)
    }

    /// Follows a record of the heap managers about a catalog, and tells what it changed;
    /// `false` when it changed a row that is not known.
    pub fn follow(
        &mut self,
        record: &Record<'_, '_>,
        op: Option<&HeapOp<'_>>,
        each: &mut dyn FnMut(Change),
    ) -> bool {
        let mut blocks = std::mem::take(&mut self.blocks);
        let (evidence, layout) = (self.evidence, self.layout);
        let base = |locator, blkno| {
            let page = block_on_disk(evidence?, &layout, locator, blkno)?;
            let lsn = PageHeader::parse(&page).ok()?.pd_lsn;
            // Else the WAL between is missing.
            (self.first <= self.redo || lsn >= self.first).then_some(page)
        };
        let wanted = |locator, _| self.table_of(locator).is_some();
        blocks.apply(layout, record, &wanted, &base);
        if blocks.pages.len() > MAX_BLOCKS || blocks.lost.len() > MAX_RELATIONS {
            // They are known again from their next image on.
            blocks = ReplayedBlocks::default();
            self.first = record.end_lsn;
            self.evidence = None;
        }
        self.blocks = blocks;
        let xid = record.header.xl_xid;
        let (old, new) = match op {
            Some(HeapOp::Insert { target, .. }) => (None, Some(*target)),
            Some(HeapOp::Delete { target, .. }) => (Some(*target), None),
            Some(HeapOp::Update(update) | HeapOp::HotUpdate(update)) => {
                (Some(update.old), Some(update.new))
            }
            Some(HeapOp::Inplace { target, .. }) => {
                self.overwritten(*target, each);
                return true;
            }
            _ => return true,
        };
        let Some(locator) = old.or(new).map(|target| target.locator) else {
            return true;
        };
        let Some(table) = self.table_of(locator) else {
            return true;
        };
        let places = (old, new);
        // The page may be of a later state, in which another row has the place.
        let old = old.and_then(|at| self.tuple(at, |header| header.t_xmax == xid));
        let new = new.and_then(|at| self.tuple(at, |header| header.t_xmin == xid));
        let inserted = matches!(op, Some(HeapOp::Insert { .. }));
        if let Some(HeapOp::Insert { target, tuple, .. }) = op
            && table == CatalogTable::Class
            && new.is_none()
        {
            // The page is not known, but a new row stands in the record whole.
            let new = self.row_in(record, *target, *tuple);
            let seen = new.is_some();
            each(Change::Class {
                old: None,
                new,
                inserted,
            });
            return seen;
        }
        let seen = places.0.is_some() == old.is_some() && places.1.is_some() == new.is_some();
        self.tell(table, locator, (old, new, inserted), each);
        seen
    }

    fn overwritten(&self, target: Target, each: &mut dyn FnMut(Change)) {
        if self.table_of(target.locator) != Some(CatalogTable::Database) {
            return;
        }
        let row = self
            .tuple(target, |_| true)
            .and_then(|(header, tuple)| PgDatabase::parse(&self.layout, &header, tuple).ok());
        each(Change::Database {
            old: None,
            new: row,
            in_place: true,
        });
    }

    fn tuple(
        &self,
        target: Target,
        is_it: impl Fn(&HeapTupleHeader) -> bool,
    ) -> Option<TupleBytes<'_>> {
        let page = self.blocks.pages.get(&(target.locator, target.blkno))?;
        tuple_of(page, target.offnum).filter(|(header, _)| is_it(header))
    }

    fn tell(
        &self,
        table: CatalogTable,
        file: RelFileLocator,
        (old, new, inserted): (Option<TupleBytes<'_>>, Option<TupleBytes<'_>>, bool),
        each: &mut dyn FnMut(Change),
    ) {
        let layout = &self.layout;
        match table {
            CatalogTable::Class => {
                let map = self.files.maps.get(&file.db_oid);
                let row = |(header, tuple): TupleBytes<'_>| {
                    let class = PgClass::parse(layout, &header, tuple).ok()?;
                    Some(ClassRow::of(&class, file.spc_oid, file.db_oid, map))
                };
                let (old, new) = (old.and_then(row), new.and_then(row));
                // Most updates only count pages and rows.
                if old != new {
                    each(Change::Class { old, new, inserted });
                }
            }
            CatalogTable::Database => {
                let row = |(header, tuple): TupleBytes<'_>| {
                    PgDatabase::parse(layout, &header, tuple).ok()
                };
                each(Change::Database {
                    old: old.and_then(row),
                    new: new.and_then(row),
                    in_place: false,
                });
            }
            CatalogTable::Tablespace | CatalogTable::Namespace => {
                let row =
                    |(header, tuple): TupleBytes<'_>| PgNamed::parse(layout, &header, tuple).ok();
                let (old, new) = (old.and_then(row), new.and_then(row));
                if table == CatalogTable::Tablespace {
                    each(Change::Tablespace { old, new });
                } else if let Some(new) = new {
                    let database = file.db_oid;
                    each(Change::Namespace { database, new });
                }
            }
        }
    }

    /// Gives files that have no name yet the one of a row, of whatever transaction: a file's
    /// number is not used again.
    pub fn note(&mut self, change: &Change) {
        if let Change::Class { old, new, .. } = change {
            for row in [old, new].into_iter().flatten() {
                self.expect_rewrite(row);
                let known = row
                    .locator
                    .is_none_or(|locator| self.relations.contains_key(&locator));
                if !known {
                    self.keep(row.clone());
                }
            }
        }
    }

    /// A relation made to rewrite a catalog: its files are that catalog's from then on, and
    /// its pages are written before the relation map says so.
    fn expect_rewrite(&mut self, row: &ClassRow) {
        let tables = [
            ("pg_temp_1259", CatalogTable::Class),
            ("pg_temp_2615", CatalogTable::Namespace),
            ("pg_temp_1262", CatalogTable::Database),
            ("pg_temp_1213", CatalogTable::Tablespace),
        ];
        let Some((_, table)) = tables.iter().find(|(name, _)| *name == &*row.relname) else {
            return;
        };
        // Of a mapped catalog the row has no file number: it is the object identifier
        // (heap.c: heap_create).
        let own = |(file, table): (&RelFileLocator, &CatalogTable)| {
            let is_class = *table == CatalogTable::Class && file.db_oid == row.database;
            is_class.then_some(RelFileLocator {
                rel_number: row.oid,
                ..*file
            })
        };
        let locator = row
            .locator
            .or_else(|| self.files.tables.iter().find_map(own));
        if let Some(locator) = locator
            && self.files.tables.len() < MAX_BLOCKS
        {
            self.files.tables.insert(locator, *table);
        }
    }

    /// The change is committed: names are those after it.
    pub fn commit(&mut self, change: &Change) {
        match change {
            Change::Class { new: Some(row), .. } => self.keep(row.clone()),
            Change::Database {
                new: Some(row),
                in_place: false,
                ..
            } => {
                self.databases.insert(row.oid, row.datname.clone());
            }
            Change::Tablespace { new: Some(row), .. } => {
                self.tablespaces.insert(row.oid, row.name.clone());
            }
            Change::Namespace { database, new } if self.schemas.len() < MAX_RELATIONS => {
                let name = Arc::from(&*new.name);
                self.schemas.insert((*database, new.oid), name);
            }
            _ => {}
        }
    }

    /// What is known of the relation of some files.
    #[must_use]
    pub fn row(&self, locator: RelFileLocator) -> Option<&ClassRow> {
        self.relations.get(&locator)
    }

    /// The relation with an object identifier.
    #[must_use]
    pub fn by_oid(&self, database: Oid, oid: Oid) -> Option<&ClassRow> {
        // Rare enough to search for; of several the newest file.
        let rows = self.relations.values();
        rows.filter(|row| row.database == database && row.oid == oid)
            .max_by_key(|row| row.locator)
    }

    /// Whether some files belong to a catalog or to a TOAST table.
    #[must_use]
    pub fn is_internal(&self, locator: RelFileLocator) -> bool {
        locator.rel_number < FIRST_NORMAL_OBJECT_ID
            || self.mapped.contains(&(locator.db_oid, locator.rel_number))
            || self
                .row(locator)
                .is_some_and(|row| row.is_toast() || row.relnamespace == PG_CATALOG_NAMESPACE)
    }

    /// The names of a relation.
    #[must_use]
    pub fn name(&self, row: &ClassRow) -> RelationName {
        let schema = self.schemas.get(&(row.database, row.relnamespace));
        RelationName {
            database: self.database(row.database).map(str::to_owned),
            schema: schema.map(|schema| schema.to_string()).or_else(|| {
                // Those that initdb makes are in every database.
                match row.relnamespace {
                    PG_CATALOG_NAMESPACE => Some("pg_catalog".to_owned()),
                    PG_TOAST_NAMESPACE => Some("pg_toast".to_owned()),
                    2200 => Some("public".to_owned()),
                    _ => None,
                }
            }),
            name: Some(row.relname.to_string()),
            kind: Some(row.kind),
            oid: Some(row.oid),
        }
    }

    /// The name of a database.
    #[must_use]
    pub fn database(&self, oid: Oid) -> Option<&str> {
        self.databases.get(&oid).map(String::as_str)
    }

    /// The name of a tablespace.
    #[must_use]
    pub fn tablespace(&self, oid: Oid) -> Option<&str> {
        self.tablespaces.get(&oid).map(String::as_str)
    }

    /// Whether a record of the heap managers, or a page image, is about a catalog.
    #[must_use]
    pub fn concerns(&self, record: &Record<'_, '_>) -> bool {
        if self.layout.since(Major::V9_5) {
            let mut blocks = record.blocks();
            return blocks.any(|block| self.table_of(block.locator).is_some());
        }
        let mut found = false;
        effects(self.layout, record, &mut |effect| {
            if let Effect::Rebuilds { locator, .. } | Effect::Touches { locator, .. } = effect {
                found |= self.table_of(locator).is_some();
            }
        });
        found
    }
}

/// The tuple of a line pointer.
fn tuple_of(page: &[u8], offnum: OffsetNumber) -> Option<TupleBytes<'_>> {
    let header = PageHeader::parse(page).ok()?;
    let tuple = line_pointer(page, &header, offnum)?.bytes(page)?;
    Some((HeapTupleHeader::parse(tuple)?, tuple))
}
