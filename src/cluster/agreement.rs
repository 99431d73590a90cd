//! Where the catalogs contradict each other: rows that must be there and are not, or that lead
//! to nothing.
//!
//! Only catalogs that were read to the end beyond doubt are compared ([`CatalogRows::sound`]).
//! What is compared is part of what `pg_catcheck` looks at (`definitions.c` of it), between the
//! catalogs that are read at all.

use super::catalog::{CatalogRows, Row};
use crate::format::catalog::{
    NAMESPACE_RELATION_ID, PgAttribute, PgClass, PgIndex, PgNamed, PgType,
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
        indexes: &CatalogRows<PgIndex>,
        index_file: RelFileLocator,
    ) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for class in self.class.rows.iter().map(|row| &row.value) {
            if matches!(class.relkind, b'i' | b'I') && !indexes.has(class.oid) {
                found.push(self.tell(class, Contradiction::IndexRowMissing));
            }
        }
        for PgIndex {
            indexrelid,
            indrelid,
            ..
        } in indexes.rows.iter().map(|row| row.value)
        {
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
