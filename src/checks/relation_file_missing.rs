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
    let Some(version) = examination.cluster.version else { return };
    let Some(expected) = Expected::new(examination) else { return };
    let replayed = expected.plan.is_some();
    let present: BTreeSet<RelFileLocator> = examination
        .evidence
        .relation_forks()
        .filter(|(_, fork)| *fork == ForkNumber::Main || replayed && *fork == ForkNumber::Init)
        .map(|(locator, _)| locator)
        .collect();
    for (relation, locator) in expected.relations() {
        if present.contains(&locator) {
            continue;
        }
        let path = relation_path(version, locator, ForkNumber::Main, 0);
        if expected.unread.iter().any(|folder| is_below(&path, folder)) {
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

/// The relations whose files must be there as the catalogs have them.
pub(super) struct Expected<'a> {
    examination: &'a Examination<'a>,
    /// Replay, if there is any.
    plan: Option<&'a Plan>,
    /// Databases whose relations are not known for sure.
    undecided: BTreeSet<Oid>,
    /// What could not be read, or lies in a folder that could not, is not known.
    pub(super) unread: Vec<String>,
}

impl<'a> Expected<'a> {
    /// Nothing while replay, which may make or remove any of them, is unknown.
    pub(super) fn new(examination: &'a Examination<'a>) -> Option<Self> {
        let plan = match examination.scan?.replay {
            Replay::None => None,
            Replay::Plan(plan) => Some(plan),
            Replay::Unknown => return None,
        };
        // Without its commit log a database may show relations that were dropped long ago.
        let undecided = lacking(examination)
            .filter(|lack| matches!(lack.lack, Lack::ClogPage(_) | Lack::ZeroedClogPage(_)))
            .filter_map(|lack| lack.undecided_database())
            .collect();
        let notes = examination.evidence.not_examined().into_iter();
        let unread = notes
            .filter(|note| note.archive.is_none() && note.range.is_none())
            .map(|note| note.path)
            .collect();
        Some(Self { examination, plan, undecided, unread })
    }

    /// Each of them, but for those that replay makes or removes.
    pub(super) fn relations(&self) -> impl Iterator<Item = (&'a CatalogRelation, RelFileLocator)> {
        let names = self.examination.names;
        let exists =
            |relation: &&CatalogRelation| is_permanent(relation) && is_whole(&names.databases, relation);
        names
            .relations
            .values()
            .filter(exists)
            .filter_map(|relation| Some((relation, relation.locator?)))
            .filter(|(_, locator)| {
                !self.plan.is_some_and(|plan| makes(plan, *locator))
                    && !self.undecided.contains(&locator.db_oid)
                    && self.examination.covers(*locator)
            })
    }
}

/// Whether a path is that of a folder, or below it.
pub(super) fn is_below(path: &str, folder: &str) -> bool {
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
