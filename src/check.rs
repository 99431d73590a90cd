//! `pgautopsy check` as a function: evidence in, report out.
//!
//! The order is that of the data flow: facts, recovery plan, blocks, what only the whole
//! shows, verdict. WAL comes before pages because a page can be judged only by what replay
//! will do to it.

use crate::checks::cluster_checks;
use crate::cluster::catalog::{Catalog, CatalogProblem, CatalogRedo, Committed};
use crate::cluster::xact::{Updater, XactCache, XactLog, XactStatus};
use crate::cluster::{Cluster, Fact, counts_by_rmgr};
use crate::finding::Findings;
use crate::format::control::{ControlFile, ControlReading, CrcVerdict};
use crate::format::types::{MultiXactId, RelFileLocator, TransactionId, XLogRecPtr};
use crate::format::version::{Layout, Major};
use crate::format::wal::WalGeometry;
use crate::pgdata::{Evidence, FileKind, OpenError};
use crate::recovery::availability::Availability;
use crate::recovery::beyond::{Beyond, beyond};
use crate::recovery::copies::{OtherCopy, other_copies};
use crate::recovery::gate;
use crate::recovery::plan::Counters;
use crate::recovery::reader::{Position, WalContext};
use crate::recovery::settings::{Settings, TargetTimeline};
use crate::recovery::source::EvidenceWal;
use crate::recovery::start::{DryRun, RecoveryRequest, dry_run};
use crate::recovery::survey::{Survey, survey};
use crate::report::{ClusterSummary, Examined, NotExamined, Report, TimelineSummary, WalSummary};
use crate::scan::forks::ForkFiles;
use crate::scan::tally::Tally;
use crate::scan::{Horizons, Replay, ScanContext, forks, scan};
use crate::verdict::{self, Outcome};
use std::fmt;
use std::path::{Path, PathBuf};

pub use crate::pgdata::IoMode;

/// What to look at, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Folders with archived WAL segments and history files.
    pub wal_archives: Vec<PathBuf>,
    /// Threads; `None` for as many as there are processors.
    pub threads: Option<usize>,
    /// How relation files are read.
    pub io_mode: IoMode,
    /// Only relations of this database, by name or OID.
    pub database: Option<String>,
    /// Only this relation: `name`, `schema.name`, or the number of its file.
    pub relation: Option<String>,
    /// Only some of the checks.
    pub only: Only,
    /// How many findings of one check on one relation or file are kept; the rest are counted.
    pub max_findings: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wal_archives: Vec::new(),
            threads: None,
            io_mode: IoMode::Pread,
            database: None,
            relation: None,
            only: Only::All,
            max_findings: 20,
        }
    }
}

/// Which checks run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Only {
    /// Every check.
    All,
    /// Page checksums alone.
    Checksums,
    /// The control file and the WAL alone.
    Wal,
}

/// Hears how far a run has come; called from several threads.
pub trait Progress: Sync {
    /// A phase begins; `total_bytes` is what it will read, when that is known.
    fn phase(&self, name: &str, total_bytes: Option<u64>);
    /// So many bytes more of the phase are done.
    fn advance(&self, bytes: u64);
}

/// Nobody listens.
impl Progress for () {
    fn phase(&self, _name: &str, _total_bytes: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
}

/// Why there is no report.
#[derive(Debug)]
pub enum CheckError {
    /// There is no evidence at the path.
    Open(OpenError),
    /// The threads could not be started.
    Threads(rayon::ThreadPoolBuildError),
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Threads(error) => write!(f, "cannot start threads: {error}"),
        }
    }
}

impl std::error::Error for CheckError {}

/// Reads the evidence at `path`, a data directory or a tar of one, and reports.
///
/// # Errors
/// When there is nothing to report on: the path cannot be opened, or is no data directory.
pub fn check(
    path: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Report, CheckError> {
    let threads = options.threads.unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(CheckError::Threads)?;
    pool.install(|| run(path, options, progress))
}

/// Everything established before the verdict; what cluster-wide checks may ask of.
pub struct Examination<'a> {
    /// The files.
    pub evidence: &'a Evidence,
    /// The facts.
    pub cluster: &'a Cluster,
    /// The WAL segments, those of archives among them whether the next start reads them or
    /// not.
    pub wal: Option<&'a EvidenceWal<'a>>,
    /// The dry run of the next start.
    pub recovery: Option<&'a DryRun>,
    /// The message with which it ends all the same, for what is not the WAL's doing.
    pub refusal: Option<&'a str>,
    /// The settings it reads.
    pub settings: &'a Settings,
    /// What is asked of it.
    pub request: RecoveryRequest,
    /// The WAL that the next start does not need.
    pub survey: Option<&'a Survey>,
    /// The WAL that it does not reach.
    pub beyond: Option<&'a Beyond>,
    /// Where the WAL is, by timeline.
    pub availability: Option<&'a Availability>,
    /// The files that hold what is missing where the WAL breaks off.
    pub other_copies: &'a [OtherCopy],
    /// The SLRUs.
    pub xacts: Option<&'a XactLog<'a>>,
    /// The valid transactions and multixacts.
    pub horizons: Option<Horizons>,
    /// What the scan was told.
    pub scan: Option<&'a ScanContext<'a>>,
    /// The relations' files.
    pub forks: &'a [ForkFiles],
    /// What the scan saw.
    pub tally: Option<&'a Tally>,
    /// What of the catalogs could not be read.
    pub catalog_problems: &'a [CatalogProblem],
    /// The catalogs as replay leaves them: names of relations, and what there should be.
    pub names: &'a Catalog,
    /// What is to be looked at.
    pub options: &'a Options,
}

impl Examination<'_> {
    /// Whether `--database` and `--relation` leave a relation in.
    #[must_use]
    pub fn covers(&self, locator: RelFileLocator) -> bool {
        is_wanted(self.options, self.names, locator)
    }
}

fn run(path: &Path, options: &Options, progress: &dyn Progress) -> Result<Report, CheckError> {
    progress.phase("listing files", None);
    let evidence =
        Evidence::open(path, &options.wal_archives, options.io_mode).map_err(CheckError::Open)?;
    pin_small_files(&evidence);
    let cluster = Cluster::read(&evidence);
    let control = cluster.sound_control();
    let layout = cluster.layout;

    progress.phase("reading WAL", None);
    let settings = Settings::read(&evidence, cluster.version);
    let request = recovery_request(&evidence, &cluster, options, &settings);
    let reads_archives = request.archive_recovery
        || request.with_archives && !matches!(cluster.backup_label, Fact::Missing);
    let wal = layout.map(|layout| {
        let wal = EvidenceWal::new(&evidence, &layout, reads_archives);
        match control {
            Some(control) => wal.of_cluster(control.system_identifier),
            None => wal,
        }
    });
    // restore_command is asked in archive recovery alone (xlogarchive.c: RestoreArchivedFile).
    let in_pg_wal = layout.filter(|_| !reads_archives).map(|layout| {
        EvidenceWal::of(&evidence, &layout, false, |id| {
            evidence.entry(id).archive.is_none()
        })
    });
    let server_wal = in_pg_wal.as_ref().or(wal.as_ref());
    let recovery = match (control, layout, server_wal) {
        (Some(control), Some(layout), Some(wal)) => {
            Some(dry_run(&cluster, control, layout, request, wal))
        }
        _ => None,
    };
    let refusal = recovery
        .as_ref()
        .and_then(|run| gate::refusal(run, &evidence, &cluster, request, &settings));
    let plan = recovery.as_ref().and_then(|run| run.plan.as_ref());
    let xacts = layout
        .filter(|_| options.only != Only::Wal)
        .map(|layout| XactLog::open(&evidence, &layout, plan));
    let survey = match (&wal, &recovery, control) {
        (Some(wal), Some(run), Some(control)) if options.only != Only::Checksums => {
            let id = control.system_identifier;
            Some(survey(&cluster, id, wal, run, xacts.as_ref(), &|bytes| {
                progress.advance(bytes)
            }))
        }
        _ => None,
    };

    let examined_wal = match (&wal, server_wal, &recovery, control) {
        (Some(wal), Some(server_wal), Some(run), Some(control))
            if options.only != Only::Checksums =>
        {
            Some((wal, server_wal, run, control))
        }
        _ => None,
    };
    let behind = examined_wal.and_then(|(wal, server_wal, run, control)| {
        let stop = run.stop.as_ref()?;
        let context = wal_context(wal, run, control);
        let tli = run.timeline_of(stop.lsn);
        let found = beyond(&context, server_wal, stop, tli)?;
        // What archives hold of it is lost, too, by a start that does not read them.
        match in_pg_wal {
            Some(_) if found.behind_hole.is_none() => beyond(&context, wal, stop, tli),
            _ => Some(found),
        }
    });
    let availability = wal
        .as_ref()
        .filter(|_| options.only != Only::Checksums)
        .map(|wal| {
            let id = control.map(|control| control.system_identifier);
            let end = recovery.as_ref().and_then(|run| {
                let end = run.end_of_wal?;
                Some((run.timeline_of(end), end))
            });
            Availability::new(&evidence, &cluster, wal, id, end)
        });
    let copies = examined_wal.map_or_else(Vec::new, |(wal, server_wal, run, control)| {
        let broken = run.outcome == Outcome::Fails || behind.is_some();
        let Some(stop) = run.stop.as_ref().filter(|_| broken) else {
            return Vec::new();
        };
        let position = Position {
            last: run.end_of_wal.and(run.last_replayed),
            ..Position::at(run.end_of_wal.unwrap_or(stop.lsn))
        };
        let context = wal_context(wal, run, control);
        other_copies(&evidence, &context, server_wal, wal, stop, position)
    });
    let horizons = recovery.as_ref().and_then(horizons_after);
    let mut forks = forks::list(&evidence, cluster.version);
    progress.phase("reading catalogs", None);
    let mut problems = Vec::new();
    let names = match (server_wal, &xacts) {
        (Some(wal), Some(xacts)) if options.only != Only::Wal => {
            let mut ends = Ends::new(xacts, horizons);
            ends.settled_before = recovery
                .as_ref()
                .and_then(|run| settled_before(run, wal.layout()));
            let run = recovery.as_ref().zip(control);
            read_catalog(&evidence, wal, run, &mut ends, &mut problems)
        }
        _ => Catalog::default(),
    };
    forks.retain(|fork| is_wanted(options, &names, fork.locator));
    let redo_context = server_wal
        .zip(recovery.as_ref().zip(control))
        .map(|(wal, (run, control))| wal_context(wal, run, control));
    let scan_context = layout.map(|layout| ScanContext {
        layout,
        checksums: verifies_checksums(&cluster, options),
        only_checksums: options.only == Only::Checksums,
        horizons,
        replay: match &recovery {
            Some(DryRun {
                outcome: Outcome::Clean,
                ..
            }) => Replay::None,
            Some(DryRun {
                plan: Some(plan), ..
            }) => Replay::Plan(plan),
            _ => Replay::Unknown,
        },
        redo: server_wal
            .and_then(|wal| catalog_redo(wal, recovery.as_ref(), redo_context.as_ref())),
        wal_end: recovery
            .as_ref()
            .filter(|run| run.plan.is_some() || run.outcome == Outcome::Clean)
            .and_then(|run| run.end_of_wal),
        beyond: behind.as_ref().map(|beyond| &beyond.ledger),
        written: survey.as_ref().map(|survey| &survey.written),
        xacts: xacts.as_ref(),
        clog_is_whole: xacts
            .as_ref()
            .zip(horizons)
            .is_some_and(|(xacts, horizons)| {
                xacts.clog_is_whole(horizons.oldest_xid, horizons.next_xid.xid())
            }),
        settled_before: recovery
            .as_ref()
            .and_then(|run| settled_before(run, &layout)),
        names: &names,
        max_findings: options.max_findings,
    });
    let tally = scan_context
        .as_ref()
        .filter(|_| options.only != Only::Wal)
        .map(|context| {
            let total = forks
                .iter()
                .flat_map(|f| f.segments.values())
                .map(|(_, size)| size)
                .sum();
            progress.phase("reading relations", Some(total));
            scan(&evidence, context, &forks, &|bytes| progress.advance(bytes))
        });

    progress.phase("judging", None);
    let examination = Examination {
        evidence: &evidence,
        cluster: &cluster,
        wal: wal.as_ref(),
        recovery: recovery.as_ref(),
        refusal: refusal.as_deref(),
        settings: &settings,
        request,
        survey: survey.as_ref(),
        beyond: behind.as_ref(),
        availability: availability.as_ref(),
        other_copies: &copies,
        xacts: xacts.as_ref(),
        horizons,
        scan: scan_context.as_ref(),
        forks: &forks,
        tally: tally.as_ref(),
        catalog_problems: &problems,
        names: &names,
        options,
    };
    let mut findings = Findings::new(options.max_findings);
    cluster_checks(&examination, options.only, &mut findings);
    if let Some(tally) = &tally {
        findings.merge(tally.findings.clone());
    }
    let relations = verdict::relations(&examination, &findings);
    let wal_summary = recovery.as_ref().map(|run| wal_summary(&examination, run));
    let verdict = verdict::judge(&examination, &findings, &relations, wal_summary.as_ref());
    Ok(Report {
        examined: examined(path, options, &examination, wal_summary.as_ref()),
        cluster: cluster_summary(&cluster),
        wal: wal_summary,
        verdict,
        findings,
        relations,
    })
}

/// The counters with which the server goes on, when that is known.
pub(crate) fn horizons_after(run: &DryRun) -> Option<Horizons> {
    let clean = run.outcome == Outcome::Clean;
    let counters = run.plan.as_ref().map(|plan| plan.counters);
    let on_disk = run.check_point.as_ref().filter(|_| clean);
    counters
        .or(on_disk.map(Counters::of))
        .map(|counters| Horizons::of(&counters))
}

/// The transaction before which none was running where replay starts, but for prepared ones.
fn settled_before(run: &DryRun, layout: &Layout) -> Option<TransactionId> {
    let point = run.check_point.as_ref()?;
    if point.redo == run.checkpoint_lsn {
        // A shutdown checkpoint.
        return Some(point.next_full_xid.xid());
    }
    // Up to 9.1 the number is that of the checkpoint's end (xlog.c: CreateCheckPoint).
    let oldest = point.oldest_active_xid;
    (layout.since(Major::V9_2) && oldest.is_normal()).then_some(oldest)
}

/// Answers the catalogs' question about a transaction.
pub(crate) struct Ends<'a> {
    xacts: &'a XactLog<'a>,
    horizons: Option<Horizons>,
    cache: XactCache,
    /// What counts for a transaction of which the commit log tells no more.
    if_missing: bool,
    /// How often that was so.
    pub(crate) missing: u64,
    /// Transactions before this one were over before replay starts, but for prepared ones.
    settled_before: Option<TransactionId>,
}

impl<'a> Ends<'a> {
    /// One that is not known did not commit: nothing is claimed that nobody can know.
    pub(crate) fn new(xacts: &'a XactLog<'a>, horizons: Option<Horizons>) -> Self {
        Self {
            xacts,
            horizons,
            cache: XactCache::default(),
            if_missing: false,
            missing: 0,
            settled_before: None,
        }
    }

    /// One that is not known committed, as nearly all do.
    pub(crate) fn likely(xacts: &'a XactLog<'a>, horizons: Option<Horizons>) -> Self {
        Self {
            if_missing: true,
            ..Self::new(xacts, horizons)
        }
    }
}

impl Committed for Ends<'_> {
    fn committed(&mut self, xid: TransactionId) -> bool {
        match self.xacts.status(&mut self.cache, xid) {
            XactStatus::Committed => true,
            XactStatus::NotCommitted => false,
            XactStatus::Missing => {
                self.missing += 1;
                self.if_missing
            }
        }
    }

    fn is_beyond_doubt(&mut self, xid: TransactionId, committed: bool) -> bool {
        let status = self.xacts.status(&mut self.cache, xid);
        let says = match status {
            XactStatus::Committed => true,
            XactStatus::NotCommitted => false,
            XactStatus::Missing => return false,
        };
        // A commit that only the commit log knows may be one from behind the end of WAL.
        let late = self.settled_before.is_some_and(|xmin| !xid.precedes(xmin))
            && !self.xacts.replay_commits(xid);
        says == committed && !(committed && late && self.xacts.is_replayed())
    }

    fn updater(&mut self, multi: MultiXactId) -> Option<TransactionId> {
        let horizons = self
            .horizons
            .filter(|horizons| horizons.multi_is_valid(multi))?;
        let (next, next_offset) = (horizons.next_multi, horizons.next_multi_offset);
        match self
            .xacts
            .updater(&mut self.cache, multi, next, next_offset)
        {
            Updater::Xid(xid) => Some(xid),
            Updater::None | Updater::Missing(..) | Updater::Invalid => None,
        }
    }
}

/// What the WAL of the next start is read by.
pub(crate) fn wal_context(
    wal: &EvidenceWal<'_>,
    run: &DryRun,
    control: &ControlFile,
) -> WalContext {
    WalContext {
        layout: *wal.layout(),
        system_identifier: Some(control.system_identifier),
        timelines: run.timelines.clone(),
    }
}

/// Reads the catalogs as replay will leave them, so that relations have their names.
fn read_catalog(
    evidence: &Evidence,
    wal: &EvidenceWal<'_>,
    recovery: Option<(&DryRun, &ControlFile)>,
    ends: &mut Ends<'_>,
    problems: &mut Vec<CatalogProblem>,
) -> Catalog {
    let context = recovery.map(|(run, control)| wal_context(wal, run, control));
    let redo = catalog_redo(wal, recovery.map(|(run, _)| run), context.as_ref());
    Catalog::read(evidence, wal.layout(), redo.as_ref(), ends, problems)
}

/// The replay of catalogs, when there is one.
pub(crate) fn catalog_redo<'a>(
    wal: &'a EvidenceWal<'_>,
    run: Option<&'a DryRun>,
    context: Option<&'a WalContext>,
) -> Option<CatalogRedo<'a>> {
    let run = run?;
    Some(CatalogRedo {
        context: context?,
        source: wal,
        start: run.start?,
        end: run.end_of_wal,
        relation_maps: &run.plan.as_ref()?.relation_maps,
        created: &run.plan.as_ref()?.created,
    })
}

/// Everything but relations is read at random, so it must be within reach.
pub fn pin_small_files(evidence: &Evidence) {
    let small: Vec<_> = evidence
        .iter()
        .filter(|(_, entry)| match entry.kind {
            FileKind::Relation(_) => false,
            FileKind::Other => gate::CONFIGURATION.contains(&&*entry.path),
            _ => true,
        })
        .map(|(id, _)| id)
        .collect();
    if let Err(error) = evidence.pin(&small) {
        for id in small {
            evidence.record_not_examined(id, None, error.to_string());
        }
    }
}

pub(crate) fn recovery_request(
    evidence: &Evidence,
    cluster: &Cluster,
    options: &Options,
    settings: &Settings,
) -> RecoveryRequest {
    let since_12 = cluster
        .version
        .is_some_and(|version| version.since(Major::V12));
    let has = |kind: FileKind| {
        evidence
            .files()
            .iter()
            .any(|entry| entry.kind == kind && entry.archive.is_none())
    };
    let conf = has(FileKind::RecoveryConf);
    RecoveryRequest {
        archive_recovery: if since_12 {
            has(FileKind::RecoverySignal) || has(FileKind::StandbySignal)
        } else {
            conf
        },
        standby: if since_12 {
            has(FileKind::StandbySignal)
        } else {
            conf && gate::asks_for_standby(settings)
        },
        with_archives: !options.wal_archives.is_empty(),
        refused_recovery_conf: since_12 && conf,
        target_timeline: cluster
            .version
            .map_or_else(TargetTimeline::default, |v| settings.target_timeline(v)),
    }
}

/// Checksums hold when `pg_control` says they are on; while they are being switched on or off
/// (19) only some pages have them. Where `pg_control` is lost, nobody knows.
fn verifies_checksums(cluster: &Cluster, options: &Options) -> bool {
    options.only != Only::Wal
        && cluster
            .sound_control()
            .and_then(|control| control.data_checksum_version)
            == Some(1)
}

/// Whether the options leave a relation in.
fn is_wanted(options: &Options, names: &Catalog, locator: RelFileLocator) -> bool {
    if options.database.is_none() && options.relation.is_none() {
        return true;
    }
    let name = names.name(locator);
    let database = options.database.as_deref().is_none_or(|wanted| {
        name.database.as_deref() == Some(wanted) || locator.db_oid.to_string() == wanted
    });
    let relation = options.relation.as_deref().is_none_or(|wanted| {
        let in_schema = match (&name.schema, &name.name) {
            (Some(schema), Some(name)) => Some(format!("{schema}.{name}")),
            _ => None,
        };
        name.name.as_deref() == Some(wanted)
            || in_schema.as_deref() == Some(wanted)
            || locator.rel_number.to_string() == wanted
    });
    database && relation
}

fn cluster_summary(cluster: &Cluster) -> Option<ClusterSummary> {
    let control = cluster.control_file()?;
    let point = &control.check_point_copy;
    let crc_ok = matches!(
        cluster.control.get(),
        Some(ControlReading::Decoded {
            crc: CrcVerdict::Good,
            ..
        })
    );
    Some(ClusterSummary {
        major: cluster.version.unwrap_or(control.version).major.to_string(),
        system_identifier: control.system_identifier,
        state: control.state.to_string(),
        checkpoint_lsn: control.check_point,
        redo_lsn: point.redo,
        timeline: point.this_time_line_id,
        next_xid: point.next_full_xid,
        oldest_xid: point.oldest_xid,
        next_multixact: point.next_multi,
        oldest_multixact: point.oldest_multi,
        block_size: control.blcksz,
        wal_segment_size: control.xlog_seg_size,
        data_checksums: control.data_checksum_version.map(|version| version != 0),
        control_crc_ok: crc_ok,
    })
}

fn wal_summary(examination: &Examination<'_>, run: &DryRun) -> WalSummary {
    let version = examination.cluster.version;
    let geometry = examination
        .cluster
        .layout
        .map(|layout| WalGeometry::of(&layout));
    let plan = run.plan.as_ref();
    let redo = run.redo_start.or(run.check_point.map(|point| point.redo));
    let span = geometry.zip(redo.zip(run.end_of_wal));
    let clean = run.outcome == Outcome::Clean;
    WalSummary {
        first_lsn: first_lsn(examination, run),
        redo_lsn: run.redo_start,
        end_lsn: run.end_of_wal,
        last_record_lsn: run.last_replayed.or(clean.then_some(run.checkpoint_lsn)),
        stop_reason: run
            .stop
            .as_ref()
            .zip(version)
            .and_then(|(stop, v)| stop.message(v)),
        stop_kind: crate::checks::wal_record_damaged::stop_kind(run, examination.beyond),
        records: run.records,
        redo_bytes: span.map_or(0, |(g, (from, to))| g.bytes_between(from, to)),
        redo_segments: span.map_or(0, |(g, (from, to))| {
            let last = XLogRecPtr(to.0.saturating_sub(1)).max(from);
            g.segment_of(last).saturating_sub(g.segment_of(from)) + 1
        }),
        by_rmgr: plan.zip(version).map_or_else(Vec::new, |(plan, version)| {
            counts_by_rmgr(version, &plan.by_rmgr)
        }),
        commits: plan.map_or(0, |plan| plan.commits),
        first_commit: plan.and_then(|plan| plan.first_commit),
        last_commit: plan.and_then(|plan| plan.last_commit),
        next_xid: examination
            .horizons
            .map_or_else(Default::default, |h| h.next_xid),
        timelines: examination
            .availability
            .map_or_else(Vec::new, TimelineSummary::of),
    }
}

/// The start of the run of segments without a gap that ends where the WAL ends.
fn first_lsn(examination: &Examination<'_>, run: &DryRun) -> Option<XLogRecPtr> {
    let wal = examination.wal?;
    let geometry = WalGeometry::of(&examination.cluster.layout?);
    let mut segno = geometry.segment_of(run.end_of_wal.unwrap_or(run.checkpoint_lsn));
    let there = |segno| {
        run.timelines
            .entries()
            .iter()
            .any(|e| wal.contains(e.tli, segno))
    };
    if !there(segno) {
        segno = segno.checked_sub(1).filter(|segno| there(*segno))?;
    }
    while segno > 0 && there(segno - 1) {
        segno -= 1;
    }
    Some(geometry.segment_start(segno))
}

fn examined(
    path: &Path,
    options: &Options,
    examination: &Examination<'_>,
    wal: Option<&WalSummary>,
) -> Examined {
    let evidence = examination.evidence;
    let forks = examination.tally.map(|tally| &tally.forks);
    let sum = |f: &dyn Fn(&crate::scan::tally::ForkTally) -> u64| {
        forks.map_or(0, |forks| forks.values().map(f).sum())
    };
    let blcksz = examination
        .cluster
        .layout
        .map_or(0, |layout| u64::from(layout.blcksz));
    let blocks = sum(&|fork| fork.blocks);
    let wal_dir = examination
        .cluster
        .version
        .map_or("pg_wal", |version| version.wal_dir());
    let mut wal_directories = vec![format!("{}/{wal_dir}", path.display())];
    wal_directories.extend(
        options
            .wal_archives
            .iter()
            .map(|dir| dir.display().to_string()),
    );
    let not_examined: Vec<NotExamined> = evidence
        .not_examined()
        .into_iter()
        .map(|note| NotExamined {
            path: note.path,
            reason: match note.range {
                Some((from, to)) => format!("bytes {from} to {to}: {}", note.reason),
                None => note.reason,
            },
        })
        .collect();
    Examined {
        data_directory: path.display().to_string(),
        wal_directories,
        files: evidence.files().len() as u64,
        bytes: blocks * blcksz,
        blocks,
        wal_bytes: wal.map_or(0, |wal| wal.redo_bytes)
            + examination.survey.map_or(0, |survey| survey.bytes),
        tuples: sum(&|fork| fork.tuples),
        not_examined,
        limited_to: limits(options),
    }
}

fn limits(options: &Options) -> Vec<String> {
    let only = match options.only {
        Only::All => None,
        Only::Checksums => Some("--only checksums".to_owned()),
        Only::Wal => Some("--only wal".to_owned()),
    };
    let database = options
        .database
        .as_ref()
        .map(|name| format!("--database {name}"));
    let relation = options
        .relation
        .as_ref()
        .map(|name| format!("--relation {name}"));
    [only, database, relation].into_iter().flatten().collect()
}
