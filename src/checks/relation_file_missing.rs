//! The file of a relation is missing.

use crate::check::Examination;
use crate::cluster::catalog::CatalogRelation;
use crate::finding::{Finding, Findings, Location};
use crate::format::catalog::{DATCONNLIMIT_INVALID_DB, PgDatabase};
use crate::format::names::relation_path;
use crate::format::types::{ForkNumber, Oid, RelFileLocator};
use crate::recovery::plan::Plan;
use super::slru_lacks::lacking;
use crate::scan::Replay;
use crate::scan::tally::Lack;
use std::collections::{BTreeMap, BTreeSet};

check! {
    /// ## What it means
    /// The catalogs have a table, index, sequence or materialized view whose file does not
    /// exist. The server starts and does not miss it. Every query on it fails, and so does
    /// `pg_dump` when it comes to it: ERROR `could not open file "base/16384/16397": No such
    /// file or directory`. An index can be made again; the rows of a table are gone with its
    /// file. If it is a system catalog, nobody can connect to that database.
    ///
    /// ## How it is decided
    /// For each row of `pg_class` as replay leaves it, the first segment of the main fork must
    /// be there, or be made by replay (records SMGR CREATE, or a database copied with all its
    /// files). Temporary relations are passed over, and after a crash unlogged ones, which are
    /// made anew from their init fork. Databases that were never made to the end, or whose
    /// removal was interrupted, are passed over. When the WAL cannot be read, nothing is said, since it
    /// may create or drop the relation; nor of a database whose commit log is lost, which may
    /// show relations that were dropped long ago.
    ///
    /// ## What else may cause it
    /// Files removed by hand or by a cleaning job; `rm -rf` that was stopped; a copy or
    /// restore that left files out (a tablespace not mounted, a size limit, an exclude rule);
    /// a file system that lost directory entries (look in `lost+found`); with WAL that is lost,
    /// a relation whose removal only that WAL knew.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and stop whatever removes files.
    ///
    /// Look for the file in `lost+found`, in a backup or on a standby: the same file of the
    /// same moment fits, an older one does not, since indexes and commit log have moved on.
    /// Without it, REINDEX brings an index back in the copy. A table must come from a backup;
    /// `DROP TABLE` works without the file, so that the rest can be dumped. An empty file made
    /// by hand only hides the loss.
    "relation-file-missing" Damage Dir: "the file of a relation is missing"
}

/// Every relation of the catalogs has its file (`md.c: mdopenfork`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(context), Some(version)) = (examination.scan, examination.cluster.version) else {
        return;
    };
    let plan = match context.replay {
        Replay::None => None,
        Replay::Plan(plan) => Some(plan),
        Replay::Unknown => return,
    };
    let present: BTreeSet<RelFileLocator> = examination
        .evidence
        .relation_forks()
        .filter(|(_, fork)| *fork == ForkNumber::Main || plan.is_some() && *fork == ForkNumber::Init)
        .map(|(locator, _)| locator)
        .collect();
    // Without its commit log a database may show relations that were dropped long ago.
    let undecided: BTreeSet<Oid> = lacking(examination)
        .filter(|lack| matches!(lack.lack, Lack::ClogPage(_) | Lack::ZeroedClogPage(_)))
        .filter_map(|lack| lack.undecided_database())
        .collect();
    // What could not be read, or lies in a folder that could not, is not known.
    let unread: Vec<String> = examination
        .evidence
        .not_examined()
        .into_iter()
        .filter(|note| note.archive.is_none() && note.range.is_none())
        .map(|note| note.path)
        .collect();
    for relation in examination.names.relations.values() {
        let exists = is_permanent(relation) && is_whole(&examination.names.databases, relation);
        let Some(locator) = relation.locator.filter(|_| exists) else { continue };
        if present.contains(&locator) || plan.is_some_and(|plan| makes(plan, locator)) {
            continue;
        }
        if undecided.contains(&locator.db_oid) || !examination.covers(locator) {
            continue;
        }
        let path = relation_path(version, locator, ForkNumber::Main, 0);
        if unread.iter().any(|folder| is_below(&path, folder)) {
            continue;
        }
        let mut location = Location::file(&path);
        location.relation = Some((locator, ForkNumber::Main, 0));
        let message = format!("the catalogs have this {}, and there is no file of it", relation.kind());
        let finding = Finding::new(&CHECK, location, message)
            .server_error(format!("could not open file \"{path}\": No such file or directory"));
        findings.push(finding);
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    folder.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Not `RELPERSISTENCE_TEMP`, whose files go with the session.
fn is_permanent(relation: &CatalogRelation) -> bool {
    relation.class.relpersistence != b't'
}

/// Whether its database is one that was made and is not half removed (`dbcommands.c: createdb,
/// dropdb`), so that all files of it should be there.
fn is_whole(databases: &BTreeMap<Oid, PgDatabase>, relation: &CatalogRelation) -> bool {
    let database = databases.get(&relation.database);
    relation.database == 0 || database.is_some_and(|d| d.datconnlimit != DATCONNLIMIT_INVALID_DB)
}

/// Whether replay makes the file, or takes the relation away with its database.
fn makes(plan: &Plan, locator: RelFileLocator) -> bool {
    plan.created.contains(&locator)
        || plan.removes(locator)
        || plan.created_tablespaces.contains(&locator.spc_oid)
}
