//! Rows of the catalogs contradict each other.

use crate::check::Examination;
use crate::cluster::agreement::{Agreement, Contradiction, Disagreement, Lost, Of};
use crate::finding::{Finding, Findings, GroupKey, Location, Place, Severity};
use crate::format::catalog::{DATCONNLIMIT_INVALID_DB, PgClass};
use crate::format::names::relation_path;
use crate::format::types::{ForkNumber, Oid, RelFileLocator};
use crate::format::version::{FIRST_NORMAL_OBJECT_ID, Major, Version};
use crate::scan::Replay;
use std::collections::BTreeSet;

check! {
    /// ## What it means
    /// What the catalogs say of one thing is spread over several: a table has a row in `pg_class`
    /// and one in `pg_attribute` for each column, an index another one in `pg_index`, and they
    /// lead to each other by object identifier. Here a row that must be there is missing, there
    /// twice, or leads to nothing. The server starts. Columns that are missing make every query
    /// on the table fail: ERROR `pg_attribute catalog is missing 1 attribute(s) for relation OID
    /// 16397` (up to 13: `catalog is missing 1 attribute(s) for relid 16397`); a missing type does
    /// with `cache lookup failed for type`. A table whose schema is missing cannot be named, and
    /// `pg_dump` of the whole database fails: `schema with OID 16400 does not exist`. Without its
    /// TOAST table, long values cannot be read nor written: `could not open relation with OID`,
    /// as planning a query does that meets an index which is not there. An index without its row
    /// of `pg_index` is no longer kept up and enforces nothing. Of two relations with one name,
    /// queries find either. A table or an index of a lost access method, or an index of a lost
    /// operator class, makes every query on the table fail (`cache lookup failed for access method`,
    /// `could not find tuple for opclass`); so does up to 13 a lost CHECK constraint (`1 constraint
    /// record(s) missing for rel orders`), which is no longer enforced from 14 on. An INSERT that
    /// needs a default which is gone fails, or brings a server up to 13 down; so may any query
    /// where an index is on a column that is not there. A view without its rule, a sequence without
    /// its row of `pg_sequence` (`cache lookup failed for sequence`), a parent table that is gone,
    /// a rule of no relation and, for `pg_dump` of 15 and later, an owner that is no role (`role
    /// with OID 99999 does not exist`) make `pg_dump` of the whole database stop. Values of a type
    /// whose functions are gone cannot be read or written (`cache lookup failed for function`), and
    /// texts whose collation is gone cannot be compared. The rows in the table's own file are untouched by all this. What is
    /// left over of something and hurts nothing is called abnormal only.
    ///
    /// ## How it is decided
    /// `pg_class`, `pg_attribute`, `pg_type`, `pg_index`, `pg_namespace`, `pg_am`, `pg_attrdef`,
    /// `pg_collation`, `pg_constraint`, `pg_inherits`, `pg_opclass`, `pg_proc`, `pg_rewrite`,
    /// `pg_sequence`, `pg_database`, `pg_tablespace` and `pg_authid` are read as replay leaves
    /// them, with the rows a query would find (`heapam_visibility.c: HeapTupleSatisfiesMVCC`), and
    /// compared as the server does (`relcache.c: RelationBuildTupleDesc, AttrDefaultFetch,
    /// CheckConstraintFetch, RelationInitTableAccessMethod, RelationInitIndexAccessInfo,
    /// IndexSupportInitialize, RelationGetIndexList`) and `pg_catcheck` does: the columns of each
    /// relation, with types, collations and defaults; its schema, tablespace, row type, access
    /// method, owner, TOAST table, CHECK constraints and parents; the columns, operator classes
    /// and collations of each index; the rule of each view; the row of each sequence, and whether
    /// any sequence can be such; the relation, element, array, base type, functions, collation and
    /// owner of each type; the owners of schemas and databases. Two catalogs are not compared if
    /// one of them cannot be read to the end or has damage of its own, if the end of a transaction
    /// that wrote to them is in doubt, if a page of them is newer than the WAL, or when the WAL
    /// cannot be read.
    ///
    /// ## What else may cause it
    /// Catalogs changed by hand; a page of a catalog lost or replaced by an older one; WAL that
    /// was thrown away (`pg_resetwal`), so that part of a transaction's rows is on disk and part
    /// is not; a commit log that is not the right one; a bug in the server or an extension.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else.
    ///
    /// If more than one object is named, or a system catalog, restore from a backup or a standby:
    /// there may be more than these catalogs can tell. Else save what can be dumped table by table
    /// (`pg_dump -t`). The rows of a table whose columns or name are lost are still in its file;
    /// with the missing catalog rows inserted again in a copy they can be read
    /// (`allow_system_table_mods`). An index is made anew with `CREATE INDEX`.
    "catalog-rows-disagree" Damage Dir: "rows of the catalogs contradict each other"
}

/// Where the catalogs of a database contradict each other, beyond doubt.
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
    let damaged: BTreeSet<RelFileLocator> = findings
        .groups()
        .chain(tally.findings.groups())
        .filter(|(key, _)| key.is_lasting_damage())
        .filter_map(|(key, _)| damaged_relation(version, key, examination))
        .collect();
    let is_sound = |files: &BTreeSet<RelFileLocator>| {
        files.iter().all(|file| examination.covers(*file) && !damaged.contains(file))
    };
    let names = examination.names;
    let shared = names.agreements.get(&0).and_then(|shared| shared.first());
    let shared_are_sound = shared.is_some_and(|shared| is_sound(&shared.files));
    let mut told = Vec::new();
    for (db_oid, agreements) in &names.agreements {
        let replaced = plan.is_some_and(|plan| {
            [&plan.dropped_databases, &plan.copied_databases, &plan.created_databases]
                .into_iter()
                .any(|databases| databases.iter().any(|(oid, _)| oid == db_oid))
        });
        let half_removed = names
            .databases
            .get(db_oid)
            .is_some_and(|database| database.datconnlimit == DATCONNLIMIT_INVALID_DB);
        if replaced || half_removed {
            continue;
        }
        let is_sound = |agreement: &&Agreement| {
            let newer = scan.wal_end.is_none_or(|end| agreement.newest > end);
            !newer && is_sound(&agreement.files)
        };
        // A query fails with the first thing that is wrong.
        let mut failing: BTreeSet<Oid> = BTreeSet::new();
        let sound = agreements.iter().filter(is_sound);
        for disagreement in sound.flat_map(|agreement| &agreement.disagreements) {
            let of_tablespace = matches!(disagreement.what, Contradiction::TablespaceMissing(_));
            if of_tablespace && !shared_are_sound || !examination.covers(disagreement.locator) {
                continue;
            }
            let error = server_error(version, disagreement)
                .filter(|(relation, _)| failing.insert(*relation))
                .map(|(_, error)| error);
            let mut finding = finding(version, examination, disagreement);
            finding.server_error = error;
            told.push(finding);
        }
    }
    for finding in told {
        findings.push(finding);
    }
}

/// The relation that a finding is about, if it is about one.
fn damaged_relation(
    version: &Version,
    key: &GroupKey,
    examination: &Examination<'_>,
) -> Option<RelFileLocator> {
    match &key.place {
        Place::Fork(locator, _) => Some(*locator),
        Place::File(path) => {
            let agreements = examination.names.agreements.values().flatten();
            let mut files = agreements.flat_map(|agreement| &agreement.files);
            let of_path = |file: &&RelFileLocator| {
                relation_path(version, **file, ForkNumber::Main, 0) == **path
            };
            files.find(of_path).copied()
        }
    }
}

fn finding(
    version: &'static Version,
    examination: &Examination<'_>,
    disagreement: &Disagreement,
) -> Finding {
    let (severity, what) = words(version, disagreement);
    let message = match &disagreement.relation {
        Some(class) => {
            let schema = examination
                .names
                .relations
                .get(&(if class.relisshared { 0 } else { disagreement.database }, class.oid))
                .and_then(|relation| relation.schema.as_deref());
            let dot = if schema.is_some() { "." } else { "" };
            let schema = schema.unwrap_or_default();
            format!("{} {schema}{dot}{} (OID {}): {what}", class.kind(), class.relname, class.oid)
        }
        None => what,
    };
    let path = relation_path(version, disagreement.locator, ForkNumber::Main, 0);
    let mut location = Location::file(&path);
    location.relation = Some((disagreement.locator, ForkNumber::Main, 0));
    Finding::new(&CHECK, location, message).severity(severity)
}

/// How bad it is, and what to say of it.
fn words(version: &Version, disagreement: &Disagreement) -> (Severity, String) {
    use Severity::{Abnormal, Damage};
    match &disagreement.what {
        Contradiction::AttributesMissing { missing, first, .. } => {
            let all = disagreement.relation.as_ref().map_or(0, |class| class.relnatts);
            let columns = format!("{missing} of {all} columns are not in pg_attribute");
            (Damage, format!("{columns}, the first of them number {first}"))
        }
        Contradiction::AttributeBeyond(attnum) => {
            (Abnormal, format!("pg_attribute has a column {attnum}, more than relnatts"))
        }
        Contradiction::AttributeTwice(attnum) => {
            (Damage, format!("pg_attribute has two rows of column {attnum}"))
        }
        Contradiction::AttributeImpossible(attnum, attlen, attalign) => {
            let alignment = char::from(*attalign).escape_default();
            let what = format!("column {attnum} is {attlen} bytes long and aligned as '{alignment}'");
            (Damage, format!("{what}, as no type is"))
        }
        Contradiction::TypeMissing(attnum, name, oid) => {
            let column = format!("column {attnum}, {name}");
            (Damage, format!("the type {oid} of {column}, is not in pg_type"))
        }
        Contradiction::AttributesOfNoRelation(oid, count) => {
            let columns = format!("pg_attribute has {count} columns of relation {oid}");
            (Abnormal, format!("{columns}, which is not in pg_class"))
        }
        Contradiction::ClassTwice => (Damage, "pg_class has two rows of it".to_owned()),
        Contradiction::NameTwice(other) => {
            (Damage, format!("relation {other} has the same name and schema"))
        }
        Contradiction::SchemaMissing(oid) => {
            (Damage, format!("its schema {oid} is not in pg_namespace"))
        }
        Contradiction::TablespaceMissing(oid) => match disagreement.relation {
            Some(_) => (Abnormal, format!("its tablespace {oid} is not in pg_tablespace")),
            None => {
                let database = disagreement.database;
                let what = format!("tablespace {oid} of database {database}");
                (Abnormal, format!("{what} is not in pg_tablespace"))
            }
        },
        Contradiction::ToastMissing(oid) => {
            (Damage, format!("its TOAST table {oid} is not in pg_class"))
        }
        Contradiction::ToastOfNoTable => {
            (Abnormal, "no table has it as its TOAST table".to_owned())
        }
        Contradiction::IndexRowMissing => (Damage, "it has no row in pg_index".to_owned()),
        Contradiction::IndexMissing(oid) => match disagreement.relation {
            Some(_) => {
                let what = format!("pg_index has an index {oid} of it");
                (Damage, format!("{what}, which is not in pg_class"))
            }
            None => {
                let what = format!("pg_index has an index {oid}");
                (Abnormal, format!("{what}; neither it nor its table is in pg_class"))
            }
        },
        Contradiction::TableOfIndexMissing(oid) => {
            (Damage, format!("the table {oid} that it is of is not in pg_class"))
        }
        Contradiction::Checks(relchecks, has) => {
            let checks = format!("relchecks is {relchecks}, and pg_constraint has {has}");
            (Damage, format!("{checks} CHECK constraints of it"))
        }
        Contradiction::DefaultMissing(attnum, name) => {
            (Damage, format!("the default of column {attnum}, {name}, is not in pg_attrdef"))
        }
        Contradiction::DefaultUnexpected(attnum) => {
            let default = format!("pg_attrdef has a default of column {attnum}");
            (Damage, format!("{default}, which has none by atthasdef"))
        }
        Contradiction::ColumnOfIndexMissing(attnum) => {
            (Damage, format!("it is on column {attnum}, which its table does not have"))
        }
        Contradiction::RuleMissing => {
            (Damage, "the rule that makes it a view is not in pg_rewrite".to_owned())
        }
        Contradiction::SequenceRowMissing => (Damage, "it has no row in pg_sequence".to_owned()),
        Contradiction::SequenceImpossible(fault) => {
            (Damage, format!("pg_sequence has {fault}, as no sequence can have"))
        }
        Contradiction::ChildMissing(oid) => {
            (Damage, format!("pg_inherits has a child {oid} of it, which is not in pg_class"))
        }
        Contradiction::Lost(lost, oid, of) => {
            let (column, catalog) = lost.names();
            let of = match of {
                Of::Relation => String::new(),
                Of::Column(attnum, name) => format!(" of column {attnum}, {name},"),
                Of::Database(db_oid) => format!(" of database {db_oid}"),
                Of::Schema(name) => format!(" of schema {name}"),
                Of::Row(what, row) => format!(" of {what} {row}"),
            };
            let its = if of.is_empty() { "its" } else { "the" };
            let what = format!("{its} {column} {oid}{of} is not in {catalog}");
            (severity_of_lost(version, *lost), what)
        }
    }
}

/// How bad it is that a column leads nowhere.
fn severity_of_lost(version: &Version, lost: Lost) -> Severity {
    match lost {
        // Leftovers, and what only dropping it needs.
        Lost::Typrelid | Lost::Typelem | Lost::Typarray | Lost::Adrelid | Lost::Conrelid => {
            Severity::Abnormal
        }
        // pg_dump.c: getRoleName; up to 14 it goes on without an owner.
        Lost::Relowner | Lost::Nspowner | Lost::Datdba | Lost::Typowner
            if !version.since(Major::V15) =>
        {
            Severity::Abnormal
        }
        _ => Severity::Damage,
    }
}

/// What every query on the relation says, where that is certain, with the relation.
fn server_error(version: &Version, disagreement: &Disagreement) -> Option<(Oid, String)> {
    let class = disagreement.relation.as_ref()?;
    // Descriptions of the catalogs that a session needs first are built in.
    let PgClass { oid, relkind, .. } = *class;
    if oid < FIRST_NORMAL_OBJECT_ID {
        return None;
    }
    let text = match disagreement.what {
        // relcache.c: RelationBuildTupleDesc
        Contradiction::AttributesMissing { missing, plain, .. } => {
            if !plain || !matches!(relkind, b'r' | b'm' | b'p' | b'v' | b'f' | b'S') {
                return None;
            }
            if version.since(Major::V14) {
                format!("pg_attribute catalog is missing {missing} attribute(s) for relation OID {oid}")
            } else {
                format!("catalog is missing {missing} attribute(s) for relid {oid}")
            }
        }
        // lsyscache.c: getTypeOutputInfo
        Contradiction::TypeMissing(_, _, type_oid) if relkind == b'r' => {
            format!("cache lookup failed for type {type_oid}")
        }
        // relcache.c: CheckConstraintFetch
        Contradiction::Checks(relchecks, has)
            if matches!(relkind, b'r' | b'p' | b'f')
                && !version.since(Major::V14)
                && usize::from(relchecks) > has =>
        {
            let missing = usize::from(relchecks) - has;
            format!("{missing} constraint record(s) missing for rel {}", class.relname)
        }
        // relcache.c: RelationInitTableAccessMethod, RelationInitIndexAccessInfo
        Contradiction::Lost(Lost::Relam, am_oid, _)
            if relkind == b'i' || relkind == b'r' && version.since(Major::V12) =>
        {
            format!("cache lookup failed for access method {am_oid}")
        }
        // table.c: validate_relation_kind, since no rule puts a query in the view's place
        Contradiction::RuleMissing if relkind == b'v' && version.since(Major::V12) => {
            format!("cannot open relation \"{}\"", class.relname)
        }
        // partdesc.c, up to 11 partition.c: RelationBuildPartitionDesc
        Contradiction::ChildMissing(child) if relkind == b'p' => {
            if version.since(Major::V12) {
                format!("missing relpartbound for relation {child}")
            } else {
                format!("cache lookup failed for relation {child}")
            }
        }
        // sequence.c: nextval_internal
        Contradiction::SequenceRowMissing => format!("cache lookup failed for sequence {oid}"),
        // relcache.c: LookupOpclassInfo
        Contradiction::Lost(Lost::Indclass, opclass, _) if relkind == b'i' => {
            format!("could not find tuple for opclass {opclass}")
        }
        _ => return None,
    };
    Some((oid, text))
}
