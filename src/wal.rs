//! Finds the WAL that the `pgautopsy wal` commands read, and reads it.

use pgautopsy::check;
use pgautopsy::cluster::Cluster;
use pgautopsy::cluster::names::NameHistory;
use pgautopsy::format::types::{RelFileLocator, TimeLineID, XLogRecPtr};
use pgautopsy::format::wal::{Record, rmgr};
use pgautopsy::format::{Layout, Major, Version};
use pgautopsy::pgdata::{Evidence, FileEntry, FileKind, IoMode, classify_archived};
use pgautopsy::recovery::dump::{Met, dump};
use pgautopsy::recovery::events::{Events, Wanted, events};
use pgautopsy::recovery::reader::WalContext;
use pgautopsy::recovery::source::EvidenceWal;
use pgautopsy::recovery::verify::{Verification, verify};
use pgautopsy::recovery::window::{Window, window};
use pgautopsy::report::{wal_dump, wal_events, wal_verify, wal_window};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Which records `wal dump` prints, and how.
pub(crate) struct Filter {
    pub(crate) start: Option<XLogRecPtr>,
    pub(crate) end: Option<XLogRecPtr>,
    pub(crate) rmgr: Option<String>,
    pub(crate) relation: Option<RelFileLocator>,
    pub(crate) xid: Option<u32>,
    pub(crate) limit: Option<u64>,
    pub(crate) json: bool,
}

/// WAL to be dumped.
pub(crate) struct Dump {
    evidence: Evidence,
    cluster: Cluster,
    layout: Layout,
    timeline: TimeLineID,
    rmid: Option<u8>,
    filter: Filter,
}

impl Dump {
    /// Of a data directory or a tar of one, of a folder of segments, or of one segment; of
    /// its newest timeline when none is named.
    pub(crate) fn load(
        path: &Path,
        timeline: Option<TimeLineID>,
        filter: Filter,
    ) -> Result<Self, String> {
        let (evidence, _) = open(&[path.to_owned()])?;
        let cluster = Cluster::read(&evidence);
        let layout = cluster
            .layout
            .ok_or_else(|| format!("{}: {UNKNOWN_VERSION}", path.display()))?;
        let wal = EvidenceWal::new(&evidence, &layout, false);
        let newest = wal.segments().map(|(tli, ..)| tli).next_back();
        let timeline = timeline
            .or(newest)
            .ok_or_else(|| format!("{}: there are no WAL segments in it", path.display()))?;
        let rmid = filter
            .rmgr
            .as_deref()
            .map(|name| rmgr_by_name(layout.version, name))
            .transpose()?;
        Ok(Self {
            evidence,
            cluster,
            layout,
            timeline,
            rmid,
            filter,
        })
    }

    /// Prints the records, and where they cannot be read on.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let wal = EvidenceWal::new(&self.evidence, &self.layout, false);
        let context = WalContext {
            layout: self.layout,
            system_identifier: None,
            timelines: wal.timelines(&self.cluster, self.timeline),
        };
        let segments = wal.followed(&context.timelines);
        let range = (self.filter.start, self.filter.end);
        let mut left = self.filter.limit.unwrap_or(u64::MAX);
        let mut result = Ok(());
        dump(&context, &wal, &segments, range, &mut |met| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            if let Met::Record(record) = met {
                if !self.wants(record) {
                    return ControlFlow::Continue(());
                }
                left -= 1;
            }
            result = self.line(out, &met);
            match result {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        result
    }

    fn line(&self, out: &mut dyn Write, met: &Met<'_>) -> io::Result<()> {
        let layout = self.layout;
        let line = match (met, self.filter.json) {
            (Met::Record(record), false) => wal_dump::record_line(layout, record),
            (Met::Record(record), true) => wal_dump::record_json(layout, record),
            (Met::Stop { stop, resumed }, false) => wal_dump::stop_line(layout, stop, *resumed),
            (Met::Stop { stop, resumed }, true) => wal_dump::stop_json(layout, stop, *resumed),
        };
        writeln!(out, "{line}")
    }

    fn wants(&self, record: &Record<'_, '_>) -> bool {
        let header = &record.header;
        let filter = &self.filter;
        self.rmid.is_none_or(|rmid| header.xl_rmid == rmid)
            && filter.xid.is_none_or(|xid| header.xl_xid.0 == xid)
            && filter
                .relation
                .is_none_or(|locator| self.names(record, locator))
    }

    /// Whether a record is about a relation. Up to 9.4 the blocks without an image are named
    /// in the main data alone, which begins with the relation in the managers that have
    /// pages.
    fn names(&self, record: &Record<'_, '_>, locator: RelFileLocator) -> bool {
        if record.blocks().any(|block| block.locator == locator) {
            return true;
        }
        let RelFileLocator {
            spc_oid,
            db_oid,
            rel_number,
        } = locator;
        let bytes: Vec<u8> = [spc_oid, db_oid, rel_number]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        !self.layout.since(Major::V9_5)
            && record.header.xl_rmid >= rmgr::RM_HEAP2_ID
            && record.main.starts_with(&bytes)
    }
}

const UNKNOWN_VERSION: &str = "no WAL segment in it tells its version: the first page of none \
                               begins with the magic number of PostgreSQL 9.0 to 19";

fn rmgr_by_name(version: &'static Version, name: &str) -> Result<u8, String> {
    let mut names = (0..=u8::MAX)
        .filter(|rmid| rmgr::is_valid(version, *rmid))
        .map(|rmid| (rmid, rmgr::name(version, rmid)));
    let found = names.find(|(_, known)| known.eq_ignore_ascii_case(name));
    found.map(|(rmid, _)| rmid).ok_or_else(|| {
        let known: Vec<_> = (0..=rmgr::max_id(version))
            .map(|rmid| rmgr::name(version, rmid))
            .collect();
        format!(
            "PostgreSQL {} has no resource manager {name:?}; it has {}",
            version.major,
            known.join(", ")
        )
    })
}

/// The segments of one or several places, verified.
pub(crate) struct Verified(Verification);

impl Verified {
    /// Reads all of them, on this many threads.
    pub(crate) fn load(paths: &[PathBuf], threads: usize) -> Result<Self, String> {
        let (evidence, in_use) = open(paths)?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|error| format!("cannot start threads: {error}"))?;
        pool.install(|| verify(&evidence, in_use))
            .map(Self)
            .ok_or_else(|| format!("{}: {UNKNOWN_VERSION}", paths[0].display()))
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.0.is_sound()
    }

    pub(crate) fn print_text(
        &self,
        out: &mut dyn Write,
        width: usize,
        colour: bool,
    ) -> io::Result<()> {
        wal_verify::write_text(out, &self.0, width, colour)
    }

    pub(crate) fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        wal_verify::write_json(out, &self.0)
    }
}

/// A data directory or a backup with archives, or WAL alone, and the names it knows.
struct Place {
    evidence: Evidence,
    cluster: Cluster,
    layout: Layout,
    /// There is more than WAL.
    is_cluster: bool,
}

impl Place {
    fn open(path: &Path, archives: &[PathBuf]) -> Result<Self, String> {
        let (evidence, is_cluster) = open_with(path, archives)?;
        check::pin_small_files(&evidence);
        let cluster = Cluster::read(&evidence);
        let layout = cluster
            .layout
            .ok_or_else(|| format!("{}: {UNKNOWN_VERSION}", path.display()))?;
        Ok(Self {
            evidence,
            cluster,
            layout,
            is_cluster,
        })
    }
}

/// The events of some WAL.
pub(crate) struct Found {
    events: Events,
    restore_command: Option<String>,
}

impl Found {
    /// Reads the WAL of a timeline, the newest when none is named, and of its ancestors.
    pub(crate) fn load(
        path: &Path,
        archives: &[PathBuf],
        timeline: Option<TimeLineID>,
        wanted: Wanted,
    ) -> Result<Self, String> {
        let place = Place::open(path, archives)?;
        let layout = place.layout;
        let wal = EvidenceWal::new(&place.evidence, &layout, !archives.is_empty());
        let newest = wal.segments().map(|(tli, ..)| tli).next_back();
        let timeline = timeline
            .or(newest)
            .ok_or_else(|| format!("{}: there are no WAL segments in it", path.display()))?;
        let context = WalContext {
            layout,
            system_identifier: None,
            timelines: wal.timelines(&place.cluster, timeline),
        };
        let segments = wal.followed(&context.timelines);
        let label = place.cluster.backup_label.get();
        let control = place.cluster.sound_control();
        let redo = label
            .map(|label| label.start_wal_location)
            .or(control.map(|control| control.check_point_copy.redo));
        let names = match redo {
            Some(redo) if place.is_cluster => NameHistory::open(&place.evidence, layout, redo),
            _ => NameHistory::of_wal(layout),
        };
        Ok(Self {
            events: events(&context, &wal, &segments, names, wanted),
            restore_command: archives
                .first()
                .and_then(|folder| restore_command(&place, folder)),
        })
    }

    pub(crate) fn print_text(
        &self,
        out: &mut dyn Write,
        width: usize,
        colour: bool,
    ) -> io::Result<()> {
        wal_events::write_text(
            out,
            &self.events,
            self.restore_command.as_deref(),
            width,
            colour,
        )
    }

    pub(crate) fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        wal_events::write_json(out, &self.events, self.restore_command.as_deref())
    }
}

/// What would copy the segments from the first archive, told by the name of one of them;
/// `None` where they lie nested, as the tools lay them that have commands of their own.
fn restore_command(place: &Place, folder: &Path) -> Option<String> {
    // Of a folder of WAL given by itself the files come first.
    let number = usize::from(!place.is_cluster);
    let mut files = place.evidence.files().iter();
    let segment = files
        .find(|entry| entry.archive == Some(number) && matches!(entry.kind, FileKind::Wal(_)))?;
    let suffix = segment.path.get(24..)?;
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let unpack = match suffix {
        "" => return Some(format!("cp \"{}/%f\" \"%p\"", absolute.display())),
        ".gz" => "gzip",
        ".bz2" => "bzip2",
        ".xz" => "xz",
        ".lz4" => "lz4",
        ".zst" => "zstd",
        _ => return None,
    };
    let from = absolute.display();
    Some(format!("{unpack} -dc \"{from}/%f{suffix}\" > \"%p\""))
}

/// From where to where recovery can go.
pub(crate) struct Reachable(Window);

impl Reachable {
    /// From a data directory or a base backup.
    pub(crate) fn load(path: &Path, archives: &[PathBuf]) -> Result<Self, String> {
        let place = Place::open(path, archives)?;
        let at = path.display();
        if !place.is_cluster {
            return Err(format!(
                "{at}: it holds WAL alone, and recovery starts from data files; give the base \
                 backup or data directory first, then --wal-archive {at}"
            ));
        }
        let control = place.cluster.sound_control().ok_or_else(|| {
            format!("{at}: global/pg_control cannot be relied on; pgautopsy check tells more")
        })?;
        let wal = EvidenceWal::new(&place.evidence, &place.layout, !archives.is_empty());
        Ok(Self(window(&place.evidence, &place.cluster, control, &wal)))
    }

    pub(crate) fn is_any(&self) -> bool {
        self.0
            .timelines
            .iter()
            .any(|timeline| timeline.reach.is_ok())
    }

    pub(crate) fn print_text(
        &self,
        out: &mut dyn Write,
        width: usize,
        colour: bool,
    ) -> io::Result<()> {
        wal_window::write_text(out, &self.0, width, colour)
    }

    pub(crate) fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        wal_window::write_json(out, &self.0)
    }
}

/// A data directory or a backup with archives, and that it is one; or WAL alone.
fn open_with(path: &Path, archives: &[PathBuf]) -> Result<(Evidence, bool), String> {
    if is_whole(path) {
        return Ok((open_whole(path, archives)?, true));
    }
    let mut places = vec![path.to_owned()];
    places.extend_from_slice(archives);
    let evidence = open_wal(&places)?;
    let of_path = |entry: &FileEntry| is_wal(entry) && entry.archive == Some(0);
    if evidence.files().iter().any(of_path) {
        return Ok((evidence, false));
    }
    Ok((open_whole(path, archives)?, true))
}

/// The WAL at some places, and whether a server works in one of them.
fn open(paths: &[PathBuf]) -> Result<(Evidence, bool), String> {
    if let [path] = paths
        && is_whole(path)
    {
        return Ok((open_whole(path, &[])?, true));
    }
    let places: Vec<PathBuf> = paths.iter().map(|path| wal_place(path)).collect();
    let evidence = open_wal(&places)?;
    if let [path] = paths
        && !evidence.files().iter().any(is_wal)
    {
        return Ok((open_whole(path, &[])?, true));
    }
    Ok((evidence, places.iter().any(|place| is_wal_folder(place))))
}

/// A directory or tar of one; where there is no WAL a backup in tar format, perhaps, and else
/// the error says what there is.
fn open_whole(path: &Path, archives: &[PathBuf]) -> Result<Evidence, String> {
    Evidence::open(path, archives, IoMode::Pread).map_err(|error| format!("cannot read {error}"))
}

fn open_wal(places: &[PathBuf]) -> Result<Evidence, String> {
    Evidence::of_wal(places, IoMode::Pread).map_err(|error| format!("cannot read {error}"))
}

fn is_wal(entry: &FileEntry) -> bool {
    matches!(entry.kind, FileKind::Wal(_) | FileKind::WalPartial(_))
}

fn is_whole(path: &Path) -> bool {
    is_data_directory(path) || is_other_file(path)
}

fn is_data_directory(path: &Path) -> bool {
    path.join("PG_VERSION").exists() || path.join("global/pg_control").exists()
}

/// A file that is no segment: a tar.
fn is_other_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.is_file() && matches!(classify_archived(&name), FileKind::Other)
}

fn wal_place(path: &Path) -> PathBuf {
    let folders = ["pg_wal", "pg_xlog"].map(|name| path.join(name));
    match folders.into_iter().find(|folder| folder.is_dir()) {
        Some(folder) if is_data_directory(path) => folder,
        _ => path.to_owned(),
    }
}

/// Whether this is the folder that a server writes to.
fn is_wal_folder(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name == "pg_wal" || name == "pg_xlog")
        || path.join("archive_status").is_dir()
}
