//! A relation's file that no relation claims.

use crate::check::Examination;
use super::slru_lacks::lacking;
use crate::finding::{Finding, Findings, Location};
use crate::format::names::database_dir;
use crate::format::types::{ForkNumber, GLOBALTABLESPACE_OID, Oid, RelFileLocator};
use crate::format::version::Layout;
use crate::pgdata::FileId;
use crate::recovery::plan::Plan;
use crate::report::units::{count, size};
use crate::scan::Replay;
use crate::scan::first_page::{after_replay, looks};
use crate::scan::forks::ForkFiles;
use crate::scan::tally::Lack;
use std::collections::{BTreeMap, BTreeSet};

check! {
    /// ## What it means
    /// A database's folder has files with the names of a relation's, and no committed row of
    /// its `pg_class` has that number; or there is no database of the folder's number. They take
    /// space that no query of the server shows. Nothing is damaged by them, and the server never
    /// removes them.
    ///
    /// ## How it is decided
    /// The rows of `pg_class` are those that replay leaves. Files that replay removes are passed
    /// over, as those of temporary relations are, which have names of their own from 9.1 on.
    /// Nothing is said of a database whose catalogs or commit log cannot be read, nor when the
    /// WAL cannot. A relation that a prepared transaction has made has no committed row either:
    /// its files are told of until COMMIT PREPARED.
    ///
    /// ## What else may cause it
    /// A crash while a transaction that made, rewrote or reindexed a relation was running is what
    /// nearly all come from: its files are only removed by the session itself (`storage.c:
    /// smgrDoPendingDeletes`). A crash between the end of a checkpoint and the removal of
    /// what was dropped before leaves empty ones (`md.c: mdunlink`). Else a `pg_class` that
    /// was restored, or lost rows, while the tables stayed, or WAL that is lost and alone told of
    /// their creation: then these files are tables.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, if tables are missed: `pgautopsy ls
    /// PGDATA DATABASE` lists each file with what its first page looks like, and `heap` files
    /// hold rows.
    ///
    /// Otherwise they can stay. To have the space back, start the server, see that no transaction
    /// is running or prepared, look each number up once more with
    /// `SELECT pg_filenode_relation(0, NUMBER)` (9.4 and later; 0 is the database's own
    /// tablespace), and move the file out of the directory rather than delete it.
    "orphaned-relation-file" Note Dir: "files of relations that do not exist"
}

/// Files that are named one by one.
const NAMED: usize = 5;

/// Every relation's file has a relation (`pg_class.relfilenode`, or the relation map).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(context) = examination.scan else { return };
    let plan = match context.replay {
        Replay::None => None,
        Replay::Plan(plan) => Some(plan),
        Replay::Unknown => return,
    };
    let names = examination.names;
    // Without its commit log a database may hide relations that are there.
    let mut undecided: BTreeSet<Oid> = lacking(examination)
        .filter(|lack| matches!(lack.lack, Lack::ClogPage(_) | Lack::ZeroedClogPage(_)))
        .filter_map(|lack| lack.undecided_database())
        .collect();
    undecided.extend(unreadable_catalogs(examination, &context.layout));
    let mut orphans: BTreeMap<(Oid, Oid), BTreeMap<RelFileLocator, Vec<&ForkFiles>>> =
        BTreeMap::new();
    for fork in examination.forks.iter().filter(|fork| !fork.temporary) {
        let locator = fork.locator;
        let known = locator.db_oid == 0 || names.databases.contains_key(&locator.db_oid);
        let stays = plan.is_none_or(|plan| !plan.removes(locator));
        if known && stays && names.disowns(locator) && !undecided.contains(&locator.db_oid) {
            let folder = (locator.db_oid, locator.spc_oid);
            let files = orphans.entry(folder).or_default();
            files.entry(locator).or_default().push(fork);
        }
    }
    let folders = match undecided.contains(&0) {
        true => BTreeMap::new(),
        false => folders_without_database(examination, plan),
    };
    for ((db_oid, spc_oid), bytes) in folders {
        let folder = database_dir(context.layout.version, spc_oid, db_oid);
        let message = format!("{}, of a database that pg_database does not have", size(bytes));
        findings.push(Finding::new(&CHECK, Location::file(&folder), message));
    }
    for ((db_oid, spc_oid), relations) in orphans {
        let folder = database_dir(context.layout.version, spc_oid, db_oid);
        let is_written = |locator| {
            plan.is_some_and(|plan| plan.changes(locator, ForkNumber::Main, 0))
        };
        let message = message(examination, &context.layout, &relations, &is_written);
        findings.push(Finding::new(&CHECK, Location::file(&folder), message));
    }
}

/// Folders of databases without a row, by database and tablespace, with the bytes of relations
/// in them. CREATE DATABASE leaves one when it is killed, DROP DATABASE as well (`dbcommands.c`).
fn folders_without_database(
    examination: &Examination<'_>,
    plan: Option<&Plan>,
) -> BTreeMap<(Oid, Oid), u64> {
    let mut folders = BTreeMap::new();
    for fork in examination.forks.iter().filter(|fork| !fork.temporary) {
        let RelFileLocator { db_oid, spc_oid, .. } = fork.locator;
        let is_made = |plan: &Plan| {
            plan.remakes_database((db_oid, spc_oid)) || plan.dropped_tablespaces.contains(&spc_oid)
        };
        if examination.names.disowns_database(db_oid) && !plan.is_some_and(is_made) {
            let bytes: u64 = fork.segments.values().map(|(_, size)| size).sum();
            *folders.entry((db_oid, spc_oid)).or_default() += bytes;
        }
    }
    folders
}

/// Databases of which not all rows of `pg_class` may be known.
fn unreadable_catalogs<'a>(
    examination: &'a Examination<'_>,
    layout: &'a Layout,
) -> impl Iterator<Item = Oid> + 'a {
    let databases = examination.names.databases.iter();
    let folders = databases
        .map(|(oid, row)| (*oid, database_dir(layout.version, row.dattablespace, *oid)))
        .chain([(0, database_dir(layout.version, GLOBALTABLESPACE_OID, 0))]);
    folders.filter_map(|(oid, folder)| {
        let mut problems = examination.catalog_problems.iter();
        let unreadable = problems.any(|problem| {
            let rest = problem.path.strip_prefix(&*folder);
            rest.is_some_and(|rest| rest.starts_with('/'))
        });
        unreadable.then_some(oid)
    })
}

fn message(
    examination: &Examination<'_>,
    layout: &Layout,
    relations: &BTreeMap<RelFileLocator, Vec<&ForkFiles>>,
    is_written: &dyn Fn(RelFileLocator) -> bool,
) -> String {
    let evidence = examination.evidence;
    let mut by_size: Vec<(u64, RelFileLocator, Option<FileId>)> = relations
        .iter()
        .map(|(locator, forks)| {
            let segments = forks.iter().flat_map(|fork| fork.segments.values());
            let first = forks.first().and_then(|fork| fork.segments.get(&0));
            (
                segments.map(|(_, size)| size).sum(),
                *locator,
                first.map(|(id, _)| *id),
            )
        })
        .collect();
    by_size.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let files: usize = relations.values().flatten().map(|fork| fork.segments.len()).sum();
    let bytes = by_size.iter().map(|(size, ..)| size).sum();
    let more = by_size.len().saturating_sub(NAMED);
    by_size.truncate(NAMED);
    let ids: Vec<FileId> = by_size.iter().filter_map(|(.., id)| *id).collect();
    let mut looks = looks(evidence, layout, &ids).into_iter();
    let mut named: Vec<String> = by_size
        .iter()
        .map(|(bytes, locator, id)| {
            let look = id.and_then(|_| looks.next()).flatten();
            let look = look.map(|look| after_replay(look, is_written(*locator)));
            let look = look.map_or_else(String::new, |look| format!("{look}, "));
            format!("{} ({look}{})", locator.rel_number, size(*bytes))
        })
        .collect();
    if more > 0 {
        named.push(format!("and {more}\u{a0}more"));
    }
    format!(
        "{}, {}, of {} that pg_class does not have: {}",
        count(files as u64, "file"),
        size(bytes),
        count(relations.len() as u64, "relation"),
        named.join(", ")
    )
}
