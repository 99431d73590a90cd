//! Where the catalogs contradict each other: rows that must be there and are not, or that lead
//! to nothing.
//!
//! Only catalogs that were read to the end beyond doubt are compared ([`CatalogRows::sound`]).
//! What is compared is part of what `pg_catcheck` looks at (`definitions.c` of it), between the
//! catalogs that are read at all.

use super::catalog::{CatalogRows, Row};
use crate::format::catalog::{
    IndexKeys, NAMESPACE_RELATION_ID, PgAttrdef, PgAttribute, PgClass, PgConstraint, PgInherits,
    PgNamed, PgRewrite, PgSequence, PgType,
};
use crate::format::types::{Oid, RelFileLocator, XLogRecPtr};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A contradiction.
#[derive(Clone, PartialEq, Debug)]
pub struct Disagreement {
    /// The database whose catalogs they are; 0 for shared ones.
    pub database: Oid,
    /// The relation that it is about, when `pg_class` has it.
    pub relation: Option<PgClass>,
    /// Its files, or those of the catalog with the row.
    pub locator: RelFileLocator,
    /// What contradicts what.
    pub what: Contradiction,
}

/// What contradicts what.
#[derive(Clone, PartialEq, Debug)]
pub enum Contradiction {
    /// `pg_attribute` lacks columns of the relation.
    AttributesMissing {
        /// How many.
        missing: usize,
        /// The first of them.
        first: i32,
        /// Whether the server counts the others as we do: no number twice or beyond `relnatts`.
        plain: bool,
    },
    /// `pg_attribute` has a column beyond `relnatts`.
    AttributeBeyond(i16),
    /// `pg_attribute` has two rows of one column.
    AttributeTwice(i16),
    /// A row of `pg_attribute` that no column has: its number, `attlen` and `attalign`.
    AttributeImpossible(i16, i16, u8),
    /// A column, by number and name, of a type that `pg_type` does not have.
    TypeMissing(i16, Box<str>, Oid),
    /// `pg_attribute` has so many columns of a relation that is not in `pg_class`.
    AttributesOfNoRelation(Oid, usize),
    /// `pg_class` has two rows of one object identifier.
    ClassTwice,
    /// `pg_class` has another relation of this name in the same schema.
    NameTwice(Oid),
    /// `relnamespace` is no schema.
    SchemaMissing(Oid),
    /// `reltablespace`, or `dattablespace` of a database, is no tablespace.
    TablespaceMissing(Oid),
    /// `reltoastrelid` is no TOAST table.
    ToastMissing(Oid),
    /// No table has this TOAST table.
    ToastOfNoTable,
    /// An index without a row of `pg_index`.
    IndexRowMissing,
    /// `pg_index` has an index of the relation that `pg_class` does not have.
    IndexMissing(Oid),
    /// `pg_index` has for this index a table that `pg_class` does not have.
    TableOfIndexMissing(Oid),
    /// `relchecks`, and how many CHECK constraints `pg_constraint` has.
    Checks(u16, usize),
    /// A column, by number and name, has `atthasdef` and no row of `pg_attrdef`.
    DefaultMissing(i16, Box<str>),
    /// `pg_attrdef` has a default of this column, which does not have `atthasdef`.
    DefaultUnexpected(i16),
    /// An index on a column that is dropped, or that the table never had.
    ColumnOfIndexMissing(i16),
    /// A view without the rule that makes it one.
    RuleMissing,
    /// A sequence without a row of `pg_sequence`.
    SequenceRowMissing,
    /// What `pg_sequence` says of a sequence, and no sequence can have.
    SequenceImpossible(&'static str),
    /// A partition or child of the relation that `pg_class` does not have.
    ChildMissing(Oid),
    /// Something that another catalog does not have.
    Lost(Lost, Oid, Of),
}

/// A column that leads to a row of another catalog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Lost {
    Reltype,
    Relam,
    Relowner,
    Nspowner,
    Datdba,
    Typowner,
    Typrelid,
    Typelem,
    Typarray,
    Typbasetype,
    Typinput,
    Typoutput,
    Typcollation,
    Attcollation,
    Indcollation,
    Indclass,
    Adrelid,
    Conrelid,
    EvClass,
    Inhparent,
}

impl Lost {
    /// Name of the column, and of the catalog that it leads to.
    #[must_use]
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Reltype => ("reltype", "pg_type"),
            Self::Relam => ("relam", "pg_am"),
            Self::Relowner => ("relowner", "pg_authid"),
            Self::Nspowner => ("nspowner", "pg_authid"),
            Self::Datdba => ("datdba", "pg_authid"),
            Self::Typowner => ("typowner", "pg_authid"),
            Self::Typrelid => ("typrelid", "pg_class"),
            Self::Typelem => ("typelem", "pg_type"),
            Self::Typarray => ("typarray", "pg_type"),
            Self::Typbasetype => ("typbasetype", "pg_type"),
            Self::Typinput => ("typinput", "pg_proc"),
            Self::Typoutput => ("typoutput", "pg_proc"),
            Self::Typcollation => ("typcollation", "pg_collation"),
            Self::Attcollation => ("attcollation", "pg_collation"),
            Self::Indcollation => ("indcollation", "pg_collation"),
            Self::Indclass => ("indclass", "pg_opclass"),
            Self::Adrelid => ("adrelid", "pg_class"),
            Self::Conrelid => ("conrelid", "pg_class"),
            Self::EvClass => ("ev_class", "pg_class"),
            Self::Inhparent => ("inhparent", "pg_class"),
        }
    }
}

/// What has such a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Of {
    /// The relation.
    Relation,
    /// A column of it, by number and name.
    Column(i16, Box<str>),
    /// A database.
    Database(Oid),
    /// A schema, by name.
    Schema(Box<str>),
    /// A row of some catalog.
    Row(&'static str, Oid),
}

/// A row of `pg_attribute`, by relation and number.
type Column = Row<PgAttribute, (Oid, i16)>;

/// What is compared with each other: each catalog when it was read beyond doubt.
pub(super) struct Compared<'a> {
    pub(super) database: Oid,
    pub(super) class: &'a CatalogRows<PgClass>,
    /// The files of `pg_class`.
    pub(super) class_file: RelFileLocator,
    pub(super) locate: &'a dyn Fn(&PgClass) -> Option<RelFileLocator>,
}

impl Compared<'_> {
    fn tell(&self, class: &PgClass, what: Contradiction) -> Disagreement {
        Disagreement {
            database: self.database,
            locator: (self.locate)(class).unwrap_or(self.class_file),
            relation: Some(class.clone()),
            what,
        }
    }

    fn find(&self, oid: Oid) -> Option<&PgClass> {
        let rows = &self.class.rows;
        let at = rows.binary_search_by_key(&oid, |row| row.oid).ok()?;
        rows.get(at).map(|row| &row.value)
    }

    /// `pg_class` with itself, and its tablespaces.
    pub(super) fn class(&self, tablespaces: Option<&BTreeMap<Oid, String>>) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for oid in &self.class.twice {
            found.extend(
                self.find(*oid)
                    .map(|class| self.tell(class, Contradiction::ClassTwice)),
            );
        }
        let rows = self.class.rows.iter().map(|row| &row.value);
        let mut names: HashMap<(Oid, &str), Oid> = HashMap::new();
        let has_toast: HashSet<Oid> = rows.clone().map(|class| class.reltoastrelid).collect();
        for class in rows {
            // Names of another encoding may look alike.
            if !class.relname.contains(char::REPLACEMENT_CHARACTER)
                && let Some(other) = names.insert((class.relnamespace, &class.relname), class.oid)
            {
                found.push(self.tell(class, Contradiction::NameTwice(other)));
            }
            let spc_oid = class.reltablespace;
            if spc_oid != 0 && tablespaces.is_some_and(|known| !known.contains_key(&spc_oid)) {
                found.push(self.tell(class, Contradiction::TablespaceMissing(spc_oid)));
            }
            let toast = class.reltoastrelid;
            if toast != 0 && self.find(toast).is_none_or(|toast| toast.relkind != b't') {
                found.push(self.tell(class, Contradiction::ToastMissing(toast)));
            }
            if class.relkind == b't' && !has_toast.contains(&class.oid) {
                found.push(self.tell(class, Contradiction::ToastOfNoTable));
            }
        }
        found
    }

    /// `pg_attribute` with `pg_class` and `pg_type` (`relcache.c: RelationBuildTupleDesc`).
    pub(super) fn attributes(
        &self,
        attributes: &CatalogRows<PgAttribute, (Oid, i16)>,
        attribute_file: RelFileLocator,
        types: Option<&CatalogRows<PgType>>,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        let mut columns: HashMap<Oid, &[Column]> = HashMap::new();
        for of_relation in attributes.rows.chunk_by(|a, b| a.oid.0 == b.oid.0) {
            let Some((attrelid, _)) = of_relation.first().map(|row| row.oid) else {
                continue;
            };
            columns.insert(attrelid, of_relation);
            if self.find(attrelid).is_none() {
                found.push(Disagreement {
                    database: self.database,
                    relation: None,
                    locator: attribute_file,
                    what: Contradiction::AttributesOfNoRelation(attrelid, of_relation.len()),
                });
            }
        }
        let twice: BTreeSet<(Oid, i16)> = attributes.twice.iter().copied().collect();
        for class in self.class.rows.iter().map(|row| &row.value) {
            // What else there may be need not have columns.
            if !matches!(
                class.relkind,
                b'r' | b't' | b'm' | b'p' | b'S' | b'i' | b'I' | b'v' | b'f' | b'c'
            ) {
                continue;
            }
            let columns = columns.get(&class.oid).copied().unwrap_or_default();
            let is_beyond = |attnum: i16| i32::from(attnum) > i32::from(class.relnatts);
            let own = columns.iter().filter(|row| !is_beyond(row.oid.1));
            let missing = usize::from(class.relnatts).saturating_sub(own.clone().count());
            if missing > 0 {
                let mut numbers = own.map(|row| i32::from(row.oid.1));
                let gap = numbers
                    .clone()
                    .zip(1..)
                    .find(|(attnum, next)| attnum != next);
                let behind = numbers.next_back().unwrap_or(0) + 1;
                let first = gap.map_or(behind, |(_, next)| next);
                let plain = columns
                    .iter()
                    .all(|row| !is_beyond(row.oid.1) && !twice.contains(&row.oid));
                found.push(self.tell(
                    class,
                    Contradiction::AttributesMissing {
                        missing,
                        first,
                        plain,
                    },
                ));
            }
            for row in columns {
                let (attribute, attnum) = (&row.value, row.oid.1);
                if is_beyond(attnum) {
                    found.push(self.tell(class, Contradiction::AttributeBeyond(attnum)));
                    continue;
                }
                if twice.contains(&row.oid) {
                    found.push(self.tell(class, Contradiction::AttributeTwice(attnum)));
                }
                if !is_possible(attribute) {
                    let PgAttribute {
                        attlen, attalign, ..
                    } = *attribute;
                    let what = Contradiction::AttributeImpossible(attnum, attlen, attalign);
                    found.push(self.tell(class, what));
                }
                let oid = attribute.atttypid;
                if !attribute.attisdropped && types.is_some_and(|types| !types.has(oid)) {
                    let name = attribute.attname.clone();
                    found.push(self.tell(class, Contradiction::TypeMissing(attnum, name, oid)));
                }
            }
        }
        found
    }

    /// `pg_class` with `pg_namespace`.
    pub(super) fn schemas(&self, schemas: &CatalogRows<PgNamed>) -> Vec<Disagreement> {
        let rows = self.class.rows.iter().map(|row| &row.value);
        // Without a pg_namespace of its own the database has lost more than a schema.
        let known = self.find(NAMESPACE_RELATION_ID).is_some() && !schemas.rows.is_empty();
        rows.filter(|class| known && !schemas.has(class.relnamespace))
            .map(|class| self.tell(class, Contradiction::SchemaMissing(class.relnamespace)))
            .collect()
    }

    /// `pg_class` with `pg_index` (`relcache.c: RelationGetIndexList, RelationInitIndexAccessInfo`).
    pub(super) fn indexes(
        &self,
        indexes: &CatalogRows<IndexKeys>,
        index_file: RelFileLocator,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for class in self.class.rows.iter().map(|row| &row.value) {
            if matches!(class.relkind, b'i' | b'I') && !indexes.has(class.oid) {
                found.push(self.tell(class, Contradiction::IndexRowMissing));
            }
        }
        for row in &indexes.rows {
            let (indexrelid, indrelid) = (row.value.index.indexrelid, row.value.index.indrelid);
            match (self.find(indexrelid), self.find(indrelid)) {
                (None, Some(table)) => {
                    found.push(self.tell(table, Contradiction::IndexMissing(indexrelid)));
                }
                (Some(index), None) => {
                    found.push(self.tell(index, Contradiction::TableOfIndexMissing(indrelid)));
                }
                (None, None) => found.push(Disagreement {
                    database: self.database,
                    relation: None,
                    locator: index_file,
                    what: Contradiction::IndexMissing(indexrelid),
                }),
                (Some(_), Some(_)) => {}
            }
        }
        found
    }

    /// Something of a relation of `pg_class` that leads nowhere.
    fn lost(&self, class: &PgClass, lost: Lost, oid: Oid, of: Of) -> Disagreement {
        self.tell(class, Contradiction::Lost(lost, oid, of))
    }

    /// A row of another catalog that leads nowhere.
    fn lost_of_row(&self, locator: RelFileLocator, lost: Lost, oid: Oid, of: Of) -> Disagreement {
        Disagreement {
            database: self.database,
            relation: None,
            locator,
            what: Contradiction::Lost(lost, oid, of),
        }
    }

    fn classes(&self) -> impl Iterator<Item = &PgClass> {
        self.class.rows.iter().map(|row| &row.value)
    }

    /// `relchecks` with `pg_constraint` (`relcache.c: CheckConstraintFetch`).
    pub(super) fn constraints(
        &self,
        constraints: &CatalogRows<PgConstraint>,
        file: RelFileLocator,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        let mut checks: HashMap<Oid, usize> = HashMap::new();
        for row in constraints.rows.iter().map(|row| row.value) {
            if row.conrelid != 0 && self.find(row.conrelid).is_none() {
                let of = Of::Row("constraint", row.oid);
                found.push(self.lost_of_row(file, Lost::Conrelid, row.conrelid, of));
            } else if row.contype == b'c' {
                *checks.entry(row.conrelid).or_default() += 1;
            }
        }
        for class in self.classes() {
            let has = checks.get(&class.oid).copied().unwrap_or_default();
            if usize::from(class.relchecks) != has {
                found.push(self.tell(class, Contradiction::Checks(class.relchecks, has)));
            }
        }
        found
    }

    /// `relam` with `pg_am` (`relcache.c: RelationInitTableAccessMethod,
    /// RelationInitIndexAccessInfo`).
    pub(super) fn access_methods(&self, known: &CatalogRows<Oid>) -> Vec<Disagreement> {
        self.classes()
            .filter(|class| class.relam != 0 && !known.has(class.relam))
            .map(|class| self.lost(class, Lost::Relam, class.relam, Of::Relation))
            .collect()
    }

    /// `pg_attribute` with `pg_attrdef` (`relcache.c: AttrDefaultFetch`). A column that was
    /// dropped has neither, or what nobody looks at.
    pub(super) fn defaults(
        &self,
        defaults: &CatalogRows<PgAttrdef, (Oid, i16)>,
        file: RelFileLocator,
        attributes: &CatalogRows<PgAttribute, (Oid, i16)>,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for row in &attributes.rows {
            let PgAttribute {
                attisdropped,
                atthasdef,
                ref attname,
                ..
            } = row.value;
            if attisdropped || !atthasdef || defaults.has(row.oid) {
                continue;
            }
            let what = Contradiction::DefaultMissing(row.oid.1, attname.clone());
            found.extend(self.find(row.oid.0).map(|class| self.tell(class, what)));
        }
        for row in defaults.rows.iter().map(|row| row.value) {
            let Some(class) = self.find(row.adrelid) else {
                let of = Of::Row("default", row.oid);
                found.push(self.lost_of_row(file, Lost::Adrelid, row.adrelid, of));
                continue;
            };
            let column = attributes.get((row.adrelid, row.adnum));
            if column.is_some_and(|column| !column.attisdropped && !column.atthasdef) {
                found.push(self.tell(class, Contradiction::DefaultUnexpected(row.adnum)));
            }
        }
        found
    }

    /// `indkey` with `pg_attribute`. A column that lacks its row there is told of by itself.
    pub(super) fn index_columns(
        &self,
        indexes: &CatalogRows<IndexKeys>,
        attributes: &CatalogRows<PgAttribute, (Oid, i16)>,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for row in indexes.rows.iter().map(|row| &row.value) {
            let (index, table) = (
                self.find(row.index.indexrelid),
                self.find(row.index.indrelid),
            );
            let (Some(index), Some(table)) = (index, table) else {
                continue;
            };
            for attnum in row.indkey.iter().copied().filter(|attnum| *attnum > 0) {
                let is_dropped = attributes
                    .get((table.oid, attnum))
                    .is_some_and(|column| column.attisdropped);
                if is_dropped || i32::from(attnum) > i32::from(table.relnatts) {
                    found.push(self.tell(index, Contradiction::ColumnOfIndexMissing(attnum)));
                }
            }
        }
        found
    }

    /// `indclass` with `pg_opclass` (`relcache.c: IndexSupportInitialize`).
    pub(super) fn operator_classes(
        &self,
        indexes: &CatalogRows<IndexKeys>,
        classes: &CatalogRows<Oid>,
    ) -> Vec<Disagreement> {
        self.keys_of_indexes(indexes, Lost::Indclass, classes, |row| &row.indclass)
    }

    /// `indcollation` with `pg_collation`.
    pub(super) fn index_collations(
        &self,
        indexes: &CatalogRows<IndexKeys>,
        collations: &CatalogRows<Oid>,
    ) -> Vec<Disagreement> {
        self.keys_of_indexes(indexes, Lost::Indcollation, collations, |row| {
            &row.indcollation
        })
    }

    /// The same of either. A key may do without a collation, and not without a class.
    fn keys_of_indexes(
        &self,
        indexes: &CatalogRows<IndexKeys>,
        lost: Lost,
        known: &CatalogRows<Oid>,
        keys: fn(&IndexKeys) -> &[Oid],
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for row in indexes.rows.iter().map(|row| &row.value) {
            let Some(index) = self.find(row.index.indexrelid) else {
                continue;
            };
            let first = keys(row)
                .iter()
                .find(|oid| (**oid != 0 || lost == Lost::Indclass) && !known.has(**oid));
            found.extend(first.map(|oid| self.lost(index, lost, *oid, Of::Relation)));
        }
        found
    }

    /// `attcollation` with `pg_collation`. A column keeps its own when it is dropped, which
    /// then no longer keeps the collation from being dropped.
    pub(super) fn collations(
        &self,
        attributes: &CatalogRows<PgAttribute, (Oid, i16)>,
        collations: &CatalogRows<Oid>,
    ) -> Vec<Disagreement> {
        let rows = attributes.rows.iter();
        let lost = rows.filter(|row| {
            let (oid, is_dropped) = (row.value.attcollation, row.value.attisdropped);
            oid != 0 && !is_dropped && !collations.has(oid)
        });
        lost.filter_map(|row| {
            let of = Of::Column(row.oid.1, row.value.attname.clone());
            let class = self.find(row.oid.0)?;
            Some(self.lost(class, Lost::Attcollation, row.value.attcollation, of))
        })
        .collect()
    }

    /// Views with their rules in `pg_rewrite`.
    pub(super) fn rules(
        &self,
        rules: &CatalogRows<PgRewrite>,
        file: RelFileLocator,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        let mut views: HashSet<Oid> = HashSet::new();
        for row in rules.rows.iter().map(|row| row.value) {
            if self.find(row.ev_class).is_none() {
                let of = Of::Row("rule", row.oid);
                found.push(self.lost_of_row(file, Lost::EvClass, row.ev_class, of));
            } else if row.ev_type == b'1' {
                views.insert(row.ev_class);
            }
        }
        for class in self.classes() {
            if matches!(class.relkind, b'v' | b'm') && !views.contains(&class.oid) {
                found.push(self.tell(class, Contradiction::RuleMissing));
            }
        }
        found
    }

    /// Sequences with `pg_sequence` (`sequence.c: init_params` tells what one can be).
    pub(super) fn sequences(&self, sequences: &CatalogRows<PgSequence>) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for class in self.classes().filter(|class| class.relkind == b'S') {
            let Some(row) = sequences.get(class.oid) else {
                found.push(self.tell(class, Contradiction::SequenceRowMissing));
                continue;
            };
            let fault = if row.seqincrement == 0 {
                "an increment of 0"
            } else if row.seqmin >= row.seqmax {
                "a minimum that is not below its maximum"
            } else if row.seqcache < 1 {
                "a cache of less than one value"
            } else {
                continue;
            };
            found.push(self.tell(class, Contradiction::SequenceImpossible(fault)));
        }
        found
    }

    /// `pg_inherits` with `pg_class`.
    pub(super) fn children(
        &self,
        children: &CatalogRows<PgInherits, PgInherits>,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for PgInherits {
            inhrelid,
            inhparent,
        } in children.rows.iter().map(|row| row.value)
        {
            match (self.find(inhrelid), self.find(inhparent)) {
                (Some(child), None) => {
                    found.push(self.lost(child, Lost::Inhparent, inhparent, Of::Relation));
                }
                (None, Some(parent)) => {
                    found.push(self.tell(parent, Contradiction::ChildMissing(inhrelid)));
                }
                // Leftovers of both hurt nothing.
                (None, None) | (Some(_), Some(_)) => {}
            }
        }
        found
    }

    /// `reltype` with `pg_type`, and what types lead to.
    pub(super) fn types(
        &self,
        types: &CatalogRows<PgType>,
        file: RelFileLocator,
    ) -> Vec<Disagreement> {
        let mut found: Vec<Disagreement> = self
            .classes()
            .filter(|class| class.reltype != 0 && !types.has(class.reltype))
            .map(|class| self.lost(class, Lost::Reltype, class.reltype, Of::Relation))
            .collect();
        for row in types.rows.iter().map(|row| row.value) {
            let of = || Of::Row("type", row.oid);
            if row.typrelid != 0 && self.find(row.typrelid).is_none() {
                found.push(self.lost_of_row(file, Lost::Typrelid, row.typrelid, of()));
            }
            for (lost, oid) in [
                (Lost::Typelem, row.typelem),
                (Lost::Typarray, row.typarray),
                (Lost::Typbasetype, row.typbasetype),
            ] {
                if oid != 0 && !types.has(oid) {
                    found.push(self.lost_of_row(file, lost, oid, of()));
                }
            }
        }
        found
    }

    /// The functions of types with `pg_proc` (`lsyscache.c: getTypeInputInfo, getTypeOutputInfo`).
    pub(super) fn functions(
        &self,
        types: &CatalogRows<PgType>,
        file: RelFileLocator,
        functions: &CatalogRows<Oid>,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for row in types.rows.iter().map(|row| row.value) {
            for (lost, oid) in [
                (Lost::Typinput, row.typinput),
                (Lost::Typoutput, row.typoutput),
            ] {
                if !functions.has(oid) {
                    found.push(self.lost_of_row(file, lost, oid, Of::Row("type", row.oid)));
                }
            }
        }
        found
    }

    /// `typcollation` with `pg_collation`.
    pub(super) fn type_collations(
        &self,
        types: &CatalogRows<PgType>,
        file: RelFileLocator,
        collations: &CatalogRows<Oid>,
    ) -> Vec<Disagreement> {
        let rows = types.rows.iter().map(|row| row.value);
        rows.filter(|row| row.typcollation != 0 && !collations.has(row.typcollation))
            .map(|row| {
                let of = Of::Row("type", row.oid);
                self.lost_of_row(file, Lost::Typcollation, row.typcollation, of)
            })
            .collect()
    }

    /// `relowner` with `pg_authid`.
    pub(super) fn owners(&self, roles: &CatalogRows<Oid>) -> Vec<Disagreement> {
        self.classes()
            .filter(|class| !class.relisshared && !roles.has(class.relowner))
            .map(|class| self.lost(class, Lost::Relowner, class.relowner, Of::Relation))
            .collect()
    }

    /// `typowner` with `pg_authid`, but for the types of rows, and of arrays of these, whose
    /// owners are those of the relations and types they belong to.
    pub(super) fn owners_of_types(
        &self,
        types: &CatalogRows<PgType>,
        file: RelFileLocator,
        roles: &CatalogRows<Oid>,
    ) -> Vec<Disagreement> {
        let rows = types.rows.iter().map(|row| row.value);
        rows.filter(|row| row.typrelid == 0 && row.typelem == 0 && !roles.has(row.typowner))
            .map(|row| {
                let of = Of::Row("type", row.oid);
                self.lost_of_row(file, Lost::Typowner, row.typowner, of)
            })
            .collect()
    }

    /// `nspowner` with `pg_authid`.
    pub(super) fn owners_of_schemas(
        &self,
        schemas: &CatalogRows<PgNamed>,
        file: RelFileLocator,
        roles: &CatalogRows<Oid>,
    ) -> Vec<Disagreement> {
        let rows = schemas.rows.iter().map(|row| &row.value);
        rows.filter(|row| !roles.has(row.owner))
            .map(|row| {
                let of = Of::Schema(row.name.as_str().into());
                self.lost_of_row(file, Lost::Nspowner, row.owner, of)
            })
            .collect()
    }
}

/// Whether a type may have such values (`pg_type.c: TypeCreate`); a column has its type's, and
/// keeps them when it is dropped.
fn is_possible(attribute: &PgAttribute) -> bool {
    let by_value = matches!(attribute.attlen, 1 | 2 | 4 | 8);
    matches!(attribute.attlen, -2 | -1 | 1..)
        && matches!(attribute.attalign, b'c' | b's' | b'i' | b'd')
        && (by_value || !attribute.attbyval)
}

/// What the catalogs of one database have to say of each other.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Agreement {
    /// Where they contradict each other.
    pub disagreements: Vec<Disagreement>,
    /// The catalogs that were compared.
    pub files: BTreeSet<RelFileLocator>,
    /// The newest `pd_lsn` of their pages.
    pub newest: XLogRecPtr,
}
