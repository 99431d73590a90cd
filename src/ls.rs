//! `pgautopsy ls` as a function: what databases and relations there are, and what of their
//! files is left.
//!
//! Made for what remains of a deletion that was stopped: each of `pg_control`, WAL, commit log
//! and catalogs may be gone, and the rest is listed all the same. Only the lists of files and
//! the catalogs are read, not the relations.
//!
//! Sources: `md.c: _mdfd_getseg, mdnblocks` (segments), `reinit.c: ResetUnloggedRelations`,
//! `storage/file/fd.c: RemovePgTempFiles`, `vacuum.c: vac_update_relstats` (relpages).

use crate::check::{
    self, Ends, catalog_redo, horizons_after, pin_small_files, recovery_request, wal_context,
};
use crate::cluster::Cluster;
use crate::cluster::catalog::{Catalog, CatalogProblem, CatalogRelation};
use crate::cluster::xact::XactLog;
use crate::format::catalog::{DATCONNLIMIT_INVALID_DB, RELATION_RELATION_ID};
use crate::format::names::{database_dir, positive, relation_path};
use crate::format::types::{
    DEFAULTTABLESPACE_OID, ForkNumber, GLOBALTABLESPACE_OID, MultiXactId, Oid, RelFileLocator,
    TransactionId,
};
use crate::format::version::{Layout, Version};
use crate::pgdata::{Evidence, FileId, IoMode, OpenError};
use crate::recovery::plan::Plan;
use crate::recovery::settings::Settings;
use crate::recovery::source::EvidenceWal;
use crate::recovery::start::{DryRun, dry_run};
use crate::scan::first_page::{self, looks};
use crate::scan::forks::{self, ForkFiles};
use crate::verdict::Outcome;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

/// `FirstNormalObjectId`: relations below are catalogs.
pub const FIRST_NORMAL_OBJECT_ID: Oid = 16_384;
/// Files and folders that cannot be read, of which each is named.
const MAX_UNREAD: usize = 10;

/// What is left of a relation's files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Health {
    /// There is no file of it.
    Missing,
    /// Something of its main fork is missing.
    InPart,
    /// It cannot be told: a folder cannot be read, or its database is being removed.
    Unknown,
    /// Unlogged, and the next start empties it.
    Reset,
    /// Of a session that is no more; the next start removes it.
    Temporary,
    /// Replay makes the file.
    Replayed,
    /// It has no block, and need have none.
    Empty,
    /// As far as sizes tell, all of it is there.
    Whole,
    /// A kind without files: views, partitioned tables, foreign tables.
    NoFile,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Missing => "missing",
            Self::InPart => "in part",
            Self::Unknown => "unknown",
            Self::Reset => "unlogged (reset)",
            Self::Temporary => "temporary (removed)",
            Self::Replayed => "made by replay",
            Self::Empty => "empty",
            Self::Whole => "whole",
            Self::NoFile => "no file",
        })
    }
}

/// One segment of a fork.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Number, from 0.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// When it was last written, in seconds since 1970.
    pub mtime: Option<i64>,
}

/// The files of one fork.
#[derive(Clone, Debug)]
pub struct Fork {
    /// Which.
    pub fork: ForkNumber,
    /// Path of the first segment, whether or not it is there.
    pub path: String,
    /// The segments that are there.
    pub segments: Vec<Segment>,
}

/// The files of a relation.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// By fork.
    pub forks: Vec<Fork>,
    /// Bytes of all.
    pub size: u64,
    /// When one of them was last written, in seconds since 1970.
    pub newest: Option<i64>,
}

impl Files {
    fn of(evidence: &Evidence, forks: &[&ForkFiles]) -> Self {
        let forks: Vec<Fork> = forks
            .iter()
            .map(|fork| Fork {
                fork: fork.fork,
                path: fork.path.to_string(),
                segments: fork
                    .segments
                    .iter()
                    .map(|(number, (id, size))| Segment {
                        number: *number,
                        size: *size,
                        mtime: evidence.entry(*id).mtime,
                    })
                    .collect(),
            })
            .collect();
        let segments = || forks.iter().flat_map(|fork| &fork.segments);
        Self {
            size: segments().map(|segment| segment.size).sum(),
            newest: segments().filter_map(|segment| segment.mtime).max(),
            forks,
        }
    }
}

/// A relation that the catalogs have.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Its row, schema and files' number.
    pub catalog: CatalogRelation,
    /// The table that an index, a TOAST table or the index of one belongs to.
    pub table: Option<Oid>,
    /// Path of its main fork's first segment, for kinds that have files.
    pub path: Option<String>,
    /// Name of its tablespace when that is not the database's.
    pub tablespace: Option<String>,
    /// Its files.
    pub files: Files,
    /// What is left of it.
    pub health: Health,
    /// What is missing, and what else is to be known.
    pub faults: Vec<String>,
    /// Transactions since `relfrozenxid`.
    pub xid_age: Option<u32>,
    /// Multixacts since `relminmxid`.
    pub mxid_age: Option<u32>,
}

impl Relation {
    /// Whether `initdb` made it, or it is the TOAST table of such a table.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.catalog.class.oid < FIRST_NORMAL_OBJECT_ID
    }
}

/// Files that no relation claims, or whose relation is not known.
#[derive(Clone, Debug)]
pub struct Unclaimed {
    /// The number.
    pub locator: RelFileLocator,
    /// Path of the first one.
    pub path: String,
    /// All of them.
    pub files: Files,
    /// What the first page looks like.
    pub content: Option<String>,
    /// Of a backend's temporary relation.
    pub temporary: bool,
    /// Replay removes them.
    pub removed: bool,
}

/// Whether a database's catalogs tell of all of its relations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Catalogs {
    /// They do.
    Whole,
    /// They may not; why.
    InPart(String),
    /// They tell of none; why.
    Lost(String),
}

/// A database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its object identifier; 0 for the shared relations.
    pub oid: Oid,
    /// Its name, when `pg_database` tells.
    pub name: Option<String>,
    /// Its default tablespace.
    pub tablespace: Oid,
    /// The name of that.
    pub tablespace_name: Option<String>,
    /// Its folder there.
    pub path: String,
    /// Its catalogs.
    pub catalogs: Catalogs,
    /// What else is to be known of it.
    pub remark: Option<&'static str>,
    /// Bytes of all relation files.
    pub size: u64,
    /// When one of them was last written, in seconds since 1970.
    pub newest: Option<i64>,
    /// Transactions since `datfrozenxid`.
    pub xid_age: Option<u32>,
    /// Its relations, those of kinds without files too, by schema and name.
    pub relations: Vec<Relation>,
    /// Files of relations that it does not have, or has no names for.
    pub unclaimed: Vec<Unclaimed>,
}

impl Database {
    /// How many relations of some health there are.
    #[must_use]
    pub fn count(&self, health: Health) -> u64 {
        let of = self.relations.iter().filter(|r| r.health == health);
        of.count() as u64
    }

    /// Relations that have all of their files, or need none now.
    #[must_use]
    pub fn whole(&self) -> u64 {
        use Health::{Empty, Replayed, Reset, Temporary, Whole};
        let fine = [Whole, Empty, Reset, Temporary, Replayed];
        fine.into_iter().map(|health| self.count(health)).sum()
    }

    /// Its name, or what stands in its place.
    #[must_use]
    pub fn display_name(&self) -> String {
        match (&self.name, self.oid) {
            (Some(name), _) => name.clone(),
            (None, 0) => "(shared)".to_owned(),
            (None, oid) => format!("(database {oid})"),
        }
    }
}

/// All that there is.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// Where, as it was named.
    pub path: String,
    /// The version, when anything tells it.
    pub version: Option<&'static Version>,
    /// Files of the data directory.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When one of them was last written, in seconds since 1970.
    pub newest: Option<i64>,
    /// The names are those after this many records of WAL.
    pub replayed: u64,
    /// The databases, the shared relations first.
    pub databases: Vec<Database>,
    /// What is not known, and what for.
    pub unknown: Vec<String>,
    /// What of the catalogs could not be read.
    pub problems: Vec<CatalogProblem>,
}

impl Inventory {
    /// The database of a name or number.
    #[must_use]
    pub fn database(&self, wanted: &str) -> Option<&Database> {
        let by_name = |database: &&Database| database.name.as_deref() == Some(wanted);
        let by_oid = |database: &&Database| database.oid.to_string() == wanted;
        let mut databases = self.databases.iter();
        databases
            .find(by_name)
            .or_else(|| self.databases.iter().find(by_oid))
    }

    /// 0 when all is whole, 1 when something is missing, 3 when part cannot be told.
    #[must_use]
    pub fn exit_status(&self, database: Option<&Database>) -> u8 {
        let own: Vec<&Database> = match database {
            Some(database) => vec![database],
            None => self.databases.iter().collect(),
        };
        let lost = |d: &&Database| {
            d.catalogs != Catalogs::Whole
                || d.count(Health::InPart) > 0
                || d.count(Health::Missing) > 0
        };
        let unknown = |d: &&Database| d.count(Health::Unknown) > 0;
        if own.iter().any(lost) {
            1
        } else if own.iter().any(unknown) || !self.unknown.is_empty() {
            3
        } else {
            0
        }
    }
}

/// Lists what there is at `path`, a data directory or a tar of one, whole or not.
///
/// # Errors
/// When nothing of a data directory is there.
pub fn list(path: &Path, wal_archives: &[PathBuf]) -> Result<Inventory, OpenError> {
    let evidence = Evidence::open(path, wal_archives, IoMode::Pread)?;
    pin_small_files(&evidence);
    let cluster = Cluster::read(&evidence);
    let options = check::Options {
        wal_archives: wal_archives.to_vec(),
        ..check::Options::default()
    };
    let settings = Settings::read(&evidence, cluster.version);
    let request = recovery_request(&evidence, &cluster, &options, &settings);
    let reads_archives =
        request.archive_recovery || request.with_archives && cluster.backup_label.get().is_some();
    let wal = cluster.layout.map(|layout| {
        EvidenceWal::of(&evidence, &layout, reads_archives, |id| {
            reads_archives || evidence.entry(id).archive.is_none()
        })
    });
    let run = match (cluster.sound_control(), cluster.layout, &wal) {
        (Some(control), Some(layout), Some(wal)) => {
            Some(dry_run(&cluster, control, layout, request, wal))
        }
        _ => None,
    };
    let mut problems = Vec::new();
    let mut unknown = Vec::new();
    tell_start(&cluster, run.as_ref(), &mut unknown);
    let mut catalog = Catalog::default();
    let mut undecided = BTreeSet::new();
    let mut tables = HashMap::new();
    if let (Some(layout), Some(wal)) = (cluster.layout, &wal) {
        let horizons = run.as_ref().and_then(horizons_after);
        let plan = run.as_ref().and_then(|run| run.plan.as_ref());
        let xacts = XactLog::open(&evidence, &layout, plan);
        let mut ends = Ends::likely(&xacts, horizons);
        let context = run
            .as_ref()
            .zip(cluster.sound_control())
            .map(|(run, control)| wal_context(wal, run, control));
        let redo = catalog_redo(wal, run.as_ref(), context.as_ref());
        catalog = Catalog::read(&evidence, &layout, redo.as_ref(), &mut ends, &mut problems);
        if ends.missing > 0 {
            unknown.push(format!(
                "The commit log ({}) of transactions that catalog rows name is missing: where \
                 such rows differ, those count whose files are there, else the newest",
                layout.version.xact_dir()
            ));
            let mut ends = Ends::new(&xacts, horizons);
            let other = Catalog::read(
                &evidence,
                &layout,
                redo.as_ref(),
                &mut ends,
                &mut Vec::new(),
            );
            let files: BTreeSet<RelFileLocator> = evidence
                .relation_forks()
                .map(|(locator, _)| locator)
                .collect();
            undecided = catalog.settle(&other, &|locator| files.contains(&locator));
        }
        let indexes = catalog.indexes(&evidence, &layout, redo.as_ref());
        tables = indexes
            .into_iter()
            .map(|(key, index)| (key, index.indrelid))
            .collect();
    }
    let forks = forks::list(&evidence, cluster.version);
    let judge = Judge {
        evidence: &evidence,
        layout: cluster.layout,
        catalog: &catalog,
        tables: &tables,
        undecided: &undecided,
        run: run.as_ref(),
        unread: evidence
            .not_examined()
            .into_iter()
            .filter(|note| note.archive.is_none() && note.range.is_none())
            .map(|note| note.path)
            .collect(),
        problems: &problems,
    };
    let mut unread = evidence.not_examined();
    unread.retain(|note| note.archive.is_none());
    for note in unread.iter().take(MAX_UNREAD) {
        unknown.push(format!("{}: {}", note.path, note.reason));
    }
    if unread.len() > MAX_UNREAD {
        let more = unread.len() - MAX_UNREAD;
        unknown.push(format!(
            "and {more} more files and folders that cannot be read"
        ));
    }
    let mut databases = judge.databases(&forks);
    judge.look_into(&mut databases, &forks);
    let own = || {
        evidence
            .files()
            .iter()
            .filter(|file| file.archive.is_none())
    };
    Ok(Inventory {
        path: path.display().to_string(),
        version: cluster.version,
        files: own().count() as u64,
        bytes: own().map(|file| file.size).sum(),
        newest: own().filter_map(|file| file.mtime).max(),
        replayed: run.as_ref().map_or(0, |run| run.records),
        databases,
        unknown,
        problems,
    })
}

/// Says what is not known of the start, and of what depends on it.
fn tell_start(cluster: &Cluster, run: Option<&DryRun>, unknown: &mut Vec<String>) {
    if cluster.version.is_none() {
        unknown.push(
            "The version: PG_VERSION, pg_control and WAL are gone, so catalogs cannot be read; \
             files are listed by their numbers"
                .to_owned(),
        );
    } else if cluster.sound_control().is_none() {
        unknown.push(
            "global/pg_control is missing or cannot be relied on, so the WAL is not replayed: \
             the catalogs are as they stand on disk, and how old relfrozenxid and relminmxid \
             are is not known"
                .to_owned(),
        );
    } else if run.is_none_or(|run| run.plan.is_none() && run.outcome != Outcome::Clean) {
        unknown.push(
            "The WAL that the next start needs cannot be read (pgautopsy check tells why): what \
             it creates, renames and drops is not known, and the catalogs are as they stand on \
             disk"
                .to_owned(),
        );
    }
}

/// All that relations are judged by.
struct Judge<'a> {
    evidence: &'a Evidence,
    layout: Option<Layout>,
    catalog: &'a Catalog,
    tables: &'a HashMap<(Oid, Oid), Oid>,
    /// Relations that may never have been, by database and object identifier.
    undecided: &'a BTreeSet<(Oid, Oid)>,
    run: Option<&'a DryRun>,
    /// What could not be read at all.
    unread: Vec<String>,
    problems: &'a [CatalogProblem],
}

/// The forks of each relation.
type ByRelation<'a> = BTreeMap<RelFileLocator, Vec<&'a ForkFiles>>;

/// The files of a database.
#[derive(Default)]
struct Own<'a> {
    permanent: ByRelation<'a>,
    /// Those of backends' temporary relations.
    temporary: ByRelation<'a>,
}

impl Judge<'_> {
    fn plan(&self) -> Option<&Plan> {
        self.run?.plan.as_ref()
    }

    /// Whether the next start replays WAL, and so resets what is unlogged.
    fn is_reset(&self) -> bool {
        self.plan().is_some()
    }

    fn databases(&self, forks: &[ForkFiles]) -> Vec<Database> {
        let mut files: BTreeMap<Oid, Own<'_>> = BTreeMap::new();
        for fork in forks {
            let own = files.entry(fork.locator.db_oid).or_default();
            let map = if fork.temporary {
                &mut own.temporary
            } else {
                &mut own.permanent
            };
            map.entry(fork.locator).or_default().push(fork);
        }
        let mut oids: BTreeSet<Oid> = files.keys().copied().collect();
        oids.extend(self.catalog.databases.keys());
        oids.extend(
            self.evidence
                .dirs()
                .filter_map(|dir| positive(dir.strip_prefix("base/")?)),
        );
        oids.insert(0);
        oids.into_iter()
            .map(|oid| self.database(oid, &files.remove(&oid).unwrap_or_default()))
            .collect()
    }

    fn database(&self, oid: Oid, own: &Own<'_>) -> Database {
        let row = self.catalog.databases.get(&oid);
        let tablespace = match (oid, row) {
            (0, _) => GLOBALTABLESPACE_OID,
            (_, Some(row)) => row.dattablespace,
            (_, None) => self.tablespace_of_folder(oid, own),
        };
        let mut relations = self.relations(oid, tablespace, own);
        let catalogs = self.catalogs(oid, tablespace, &relations);
        let removed = row.is_some_and(|row| row.datconnlimit == DATCONNLIMIT_INVALID_DB);
        if removed {
            for relation in &mut relations {
                if matches!(relation.health, Health::Missing | Health::InPart) {
                    relation.health = Health::Unknown;
                }
            }
        }
        let claimed: BTreeSet<RelFileLocator> = relations
            .iter()
            .filter_map(|relation| relation.catalog.locator)
            .collect();
        let sets = [(&own.permanent, false), (&own.temporary, true)];
        let mut unclaimed = Vec::new();
        let (mut size, mut newest) = (0_u64, None);
        for (forks_by_relation, temporary) in sets {
            for (locator, forks) in forks_by_relation {
                let files = Files::of(self.evidence, forks);
                size = size.saturating_add(files.size);
                newest = newest.max(files.newest);
                if !claimed.contains(locator) {
                    unclaimed.push(self.unclaimed(files, *locator, temporary));
                }
            }
        }
        let next_xid = self.run.and_then(horizons_after).map(|h| h.next_xid.xid());
        Database {
            oid,
            name: row.map(|row| row.datname.clone()),
            tablespace,
            tablespace_name: self.tablespace_name(tablespace),
            path: self.folder(tablespace, oid),
            catalogs,
            remark: match (row, self.plan()) {
                _ if removed => Some("its removal (DROP DATABASE) was interrupted"),
                (_, Some(plan)) if plan.dropped_databases.contains(&(oid, tablespace)) => {
                    Some("replay removes it")
                }
                (_, Some(plan)) if plan.copied_databases.contains(&(oid, tablespace)) => {
                    Some("replay copies its files anew")
                }
                (None, _) if oid != 0 && !self.catalog.databases.is_empty() => {
                    Some("pg_database does not have it")
                }
                _ => None,
            },
            size,
            newest,
            xid_age: row
                .zip(next_xid)
                .and_then(|(row, next)| age(next.0, row.datfrozenxid)),
            relations,
            unclaimed,
        }
    }

    /// The folder of a database that no row tells of.
    fn tablespace_of_folder(&self, oid: Oid, own: &Own<'_>) -> Oid {
        if self.evidence.has_dir(&format!("base/{oid}")) {
            return DEFAULTTABLESPACE_OID;
        }
        let mut files = own.permanent.keys();
        let catalog = files.find(|locator| locator.rel_number < FIRST_NORMAL_OBJECT_ID);
        catalog
            .or(own.permanent.keys().next())
            .map_or(DEFAULTTABLESPACE_OID, |locator| locator.spc_oid)
    }

    fn tablespace_name(&self, oid: Oid) -> Option<String> {
        self.catalog.tablespaces.get(&oid).cloned()
    }

    fn folder(&self, tablespace: Oid, oid: Oid) -> String {
        match self.layout {
            Some(layout) => database_dir(layout.version, tablespace, oid),
            None if tablespace == GLOBALTABLESPACE_OID => "global".to_owned(),
            None if tablespace == DEFAULTTABLESPACE_OID => format!("base/{oid}"),
            None => format!("pg_tblspc/{tablespace}"),
        }
    }

    fn relations(&self, oid: Oid, tablespace: Oid, own: &Own<'_>) -> Vec<Relation> {
        let all = (oid, Oid::MIN)..=(oid, Oid::MAX);
        let mut relations: Vec<Relation> = self
            .catalog
            .relations
            .range(all)
            .map(|(_, relation)| {
                let is_temporary = relation.class.relpersistence == b't';
                // Up to 9.0 the files of temporary relations look like others.
                let forks = relation.locator.and_then(|locator| {
                    let temporary = own.temporary.get(&locator).filter(|_| is_temporary);
                    temporary.or_else(|| own.permanent.get(&locator))
                });
                let forks = forks.map_or(&[][..], Vec::as_slice);
                self.relation(relation, tablespace, forks)
            })
            .collect();
        relations.sort_by(|a, b| {
            let key = |r: &Relation| {
                let CatalogRelation { schema, class, .. } = &r.catalog;
                (schema.clone(), class.relname.clone(), class.oid)
            };
            key(a).cmp(&key(b))
        });
        relations
    }

    fn relation(
        &self,
        relation: &CatalogRelation,
        tablespace: Oid,
        forks: &[&ForkFiles],
    ) -> Relation {
        let class = &relation.class;
        let (health, faults) = self.health(relation, forks);
        let other = relation
            .locator
            .filter(|locator| locator.spc_oid != tablespace);
        let horizons = self.run.and_then(horizons_after);
        Relation {
            table: self.table_of(relation),
            path: relation
                .locator
                .zip(self.layout)
                .map(|(l, layout)| relation_path(layout.version, l, ForkNumber::Main, 0)),
            tablespace: other.map(|locator| {
                let name = self.tablespace_name(locator.spc_oid);
                name.unwrap_or_else(|| locator.spc_oid.to_string())
            }),
            files: Files::of(self.evidence, forks),
            health,
            faults,
            xid_age: horizons.and_then(|h| age(h.next_xid.xid().0, class.relfrozenxid)),
            mxid_age: horizons.and_then(|h| multi_age(h.next_multi, class.relminmxid?)),
            catalog: relation.clone(),
        }
    }

    /// The table at the top of an index or a TOAST table.
    fn table_of(&self, relation: &CatalogRelation) -> Option<Oid> {
        let class = &relation.class;
        if relation.toast_owner.is_some() || class.relkind != b'i' {
            return relation.toast_owner;
        }
        // Every database's pg_index tells of the indexes of shared relations.
        let table = if relation.database == 0 {
            let any = self.catalog.databases.keys();
            any.filter_map(|db_oid| self.tables.get(&(*db_oid, class.oid)))
                .next()
        } else {
            self.tables.get(&(relation.database, class.oid))
        };
        let above = self.catalog.relations.get(&(relation.database, *table?))?;
        above.toast_owner.or(Some(above.class.oid))
    }

    fn health(&self, relation: &CatalogRelation, forks: &[&ForkFiles]) -> (Health, Vec<String>) {
        let class = &relation.class;
        if !class.has_storage() {
            return (Health::NoFile, Vec::new());
        }
        if class.relpersistence == b't' {
            return (Health::Temporary, Vec::new());
        }
        let (Some(locator), Some(layout)) = (relation.locator, self.layout) else {
            let why = "the relation map, which knows its file number, cannot be read";
            return (Health::Unknown, vec![why.to_owned()]);
        };
        let main = forks.iter().find(|fork| fork.fork == ForkNumber::Main);
        let has_init = forks.iter().any(|fork| fork.fork == ForkNumber::Init);
        if class.relpersistence == b'u' && self.is_reset() && has_init {
            return (Health::Reset, Vec::new());
        }
        let plan = self.plan();
        let replaced = plan.is_some_and(|plan| plan.removes(locator));
        let Some(main) = main else {
            if replaced || plan.is_some_and(|plan| plan.created.contains(&locator)) {
                return (Health::Replayed, Vec::new());
            }
            let path = relation_path(layout.version, locator, ForkNumber::Main, 0);
            if self.unread.iter().any(|folder| is_below(&path, folder)) {
                let why = "its folder could not be read";
                return (Health::Unknown, vec![why.to_owned()]);
            }
            if self.undecided.contains(&(relation.database, class.oid)) {
                let why = "no file, and the commit log that tells whether it was ever made is lost";
                return (Health::Unknown, vec![why.to_owned()]);
            }
            return (Health::Missing, rests(forks));
        };
        let mut faults = segment_faults(main, &layout);
        if faults.is_empty() && !replaced {
            faults.extend(self.too_short(relation, main, &layout));
        }
        if !faults.is_empty() {
            return (Health::InPart, faults);
        }
        if main.blocks(&layout) == 0 {
            (Health::Empty, faults)
        } else {
            (Health::Whole, faults)
        }
    }

    /// Whether a main fork without a gap is shorter than the catalog says. `relpages` is what
    /// the last VACUUM, ANALYZE or CREATE INDEX counted; only VACUUM makes relations shorter, and
    /// counts then.
    fn too_short(
        &self,
        relation: &CatalogRelation,
        main: &ForkFiles,
        layout: &Layout,
    ) -> Option<String> {
        let planned = self
            .plan()
            .and_then(|plan| plan.forks.get(&(main.locator, ForkNumber::Main)));
        if planned.is_some_and(|planned| planned.truncated_to.is_some()) {
            return None;
        }
        let on_disk = main.blocks(layout);
        let replayed = planned.map_or(0, |planned| {
            let last = planned.rebuilt.max().max(planned.read_first.max());
            last.map_or(0, |last| last.saturating_add(1))
        });
        let blocks = on_disk.max(replayed);
        let class = &relation.class;
        let relpages = u32::try_from(class.relpages).unwrap_or(0);
        if blocks < relpages {
            return Some(format!(
                "{on_disk} blocks, and it had about {relpages} when VACUUM or ANALYZE counted them"
            ));
        }
        let needs_one = matches!(class.relkind, b'i' | b'S');
        (blocks == 0 && needs_one)
            .then(|| format!("no block, and every {} has one at least", relation.kind()))
    }

    fn unclaimed(&self, files: Files, locator: RelFileLocator, temporary: bool) -> Unclaimed {
        let path = files.forks.first().map(|fork| fork.path.clone());
        Unclaimed {
            locator,
            path: path.unwrap_or_default(),
            files,
            content: None,
            temporary,
            removed: temporary || self.plan().is_some_and(|plan| plan.removes(locator)),
        }
    }

    fn catalogs(&self, oid: Oid, tablespace: Oid, relations: &[Relation]) -> Catalogs {
        let lost = |why: &str| Catalogs::Lost(why.to_owned());
        if relations.is_empty() {
            let folder = self.folder(tablespace, oid);
            return if self.layout.is_none() {
                lost("the version is not known")
            } else if oid == 0 {
                lost("the catalogs of no database can be read")
            } else if !self.evidence.holds(&folder) {
                lost("its folder is missing")
            } else {
                lost("its pg_class cannot be found or read")
            };
        }
        let class = relations
            .iter()
            .find(|relation| relation.catalog.class.oid == RELATION_RELATION_ID);
        if let Some(class) = class {
            if class.health == Health::InPart {
                return Catalogs::InPart("part of its pg_class is missing".to_owned());
            }
            let path = class.path.as_deref();
            if self
                .problems
                .iter()
                .any(|problem| Some(problem.path.as_str()) == path)
            {
                return Catalogs::InPart("not all of its pg_class can be read".to_owned());
            }
        }
        Catalogs::Whole
    }

    /// Says what unclaimed files look like, by their first page.
    fn look_into(&self, databases: &mut [Database], forks: &[ForkFiles]) {
        let Some(layout) = self.layout else { return };
        let first: HashMap<(RelFileLocator, bool), FileId> = forks
            .iter()
            .filter(|fork| fork.fork == ForkNumber::Main)
            .filter_map(|fork| {
                let (id, _) = fork.segments.get(&0)?;
                Some(((fork.locator, fork.temporary), *id))
            })
            .collect();
        let mut unclaimed: Vec<(&mut Unclaimed, FileId)> = databases
            .iter_mut()
            .flat_map(|database| &mut database.unclaimed)
            .filter_map(|files| {
                let id = *first.get(&(files.locator, files.temporary))?;
                Some((files, id))
            })
            .collect();
        let ids: Vec<FileId> = unclaimed.iter().map(|(_, id)| *id).collect();
        let looks = looks(self.evidence, &layout, &ids);
        for ((files, _), look) in unclaimed.iter_mut().zip(looks) {
            let is_filled = !files.removed
                && self
                    .plan()
                    .is_some_and(|plan| plan.changes(files.locator, ForkNumber::Main, 0));
            files.content = look.map(|look| first_page::after_replay(look, is_filled));
        }
    }
}

/// What is there of a relation whose main fork is gone.
fn rests(forks: &[&ForkFiles]) -> Vec<String> {
    let rests: Vec<&str> = forks
        .iter()
        .map(|fork| match fork.fork {
            ForkNumber::Fsm => "free space map",
            ForkNumber::Vm => "visibility map",
            ForkNumber::Init => "init fork",
            ForkNumber::Main => "main fork",
        })
        .collect();
    if rests.is_empty() {
        Vec::new()
    } else {
        vec![format!("only its {} is left", rests.join(" and "))]
    }
}

/// What is wrong with the sizes of a fork's segments: all before the last that has a block must
/// be full, and the last end with a block.
fn segment_faults(main: &ForkFiles, layout: &Layout) -> Vec<String> {
    let blcksz = u64::from(layout.blcksz);
    let full = u64::from(layout.relseg_size) * blcksz;
    let mut faults = Vec::new();
    let used = main.segments.iter().filter(|(_, (_, size))| *size > 0);
    let Some(last) = used.map(|(number, _)| *number).max() else {
        return faults;
    };
    let of = u64::from(last) + 1;
    let mut next = 0;
    for (number, (_, size)) in &main.segments {
        if *number > last {
            break;
        }
        match number.saturating_sub(next) {
            0 => {}
            1 => faults.push(format!("segment {next} of {of} is missing")),
            _ => faults.push(format!(
                "segments {next} to {} of {of} are missing",
                number.saturating_sub(1)
            )),
        }
        next = number.saturating_add(1);
        if *number < last && *size < full {
            faults.push(format!(
                "segment {number} of {of} has {} of {} blocks",
                size / blcksz,
                layout.relseg_size
            ));
        } else if size % blcksz != 0 {
            faults.push(format!("block {} is cut off", size / blcksz));
        }
    }
    faults
}

fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    folder.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `age()`: up to the next transaction.
fn age(next: u32, of: TransactionId) -> Option<u32> {
    (of.0 >= 3).then(|| next.wrapping_sub(of.0))
}

/// `mxid_age()`.
fn multi_age(next: MultiXactId, of: MultiXactId) -> Option<u32> {
    (of != 0).then(|| next.wrapping_sub(of))
}
