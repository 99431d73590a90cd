//! `check()` on real data directories: what it says of them is what the servers and their own
//! tools said of the same files.

mod support;

use pgautopsy::check::{IoMode, Options, check};
use pgautopsy::finding::{Findings, Recovery, Severity};
use pgautopsy::format::crc::Crc;
use pgautopsy::format::types::{FullTransactionId, TimestampTz, TransactionId, XLogRecPtr};
use pgautopsy::format::{Major, Version};
use pgautopsy::report::text::{self, Style};
use pgautopsy::report::{RelationSummary, Report, StopKind, json};
use pgautopsy::verdict::{Outcome, Startup, Status};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use time::format_description::well_known::Iso8601;

struct Fixture {
    name: String,
    kind: String,
    version: &'static Version,
    report: Report,
}

impl Fixture {
    fn load(name: &str) -> Self {
        let folder = support::unpack(name);
        let (major, kind) = name.split_once('-').unwrap();
        let path = folder
            .path()
            .join(if kind == "targz" { "tar" } else { "pgdata" });
        let archive = folder.path().join("archive");
        let options = Options {
            // The others were started without theirs.
            wal_archives: Vec::from_iter((kind == "basebackup").then_some(archive)),
            threads: Some(1),
            max_findings: 10_000,
            ..Options::default()
        };
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            version: Version::by_name(major).unwrap(),
            report: check(&path, &options, &()).unwrap(),
        }
    }

    fn is_clean(&self) -> bool {
        self.kind == "clean"
    }

    fn startup(&self) -> &Startup {
        self.report.verdict.startup.as_ref().unwrap()
    }

    fn truth(&self, file: &str) -> String {
        support::truth(&self.name, file)
    }
}

support::both_sets! {
    nothing_is_damaged,
    the_cluster_is_as_pg_controldata_says,
    the_start_is_predicted_as_the_server_logged_it,
    records_are_counted_as_the_servers_tools_count_them,
    torn_pages_are_the_recorded_ones_and_heal,
    rows_are_counted_as_the_server_counts_them,
    relations_have_the_names_the_server_gives_them,
}

fn nothing_is_damaged(fixtures: &[Fixture]) {
    let mut wrong = Vec::new();
    for f in fixtures {
        let report = &f.report;
        for (key, group) in report.findings.groups() {
            if key.severity > Severity::Note && key.recovery != Recovery::Heals {
                let first = &group.kept[0];
                wrong.push(format!(
                    "{}: {} {}: {}",
                    f.name, group.total, key.code, first.message
                ));
            }
        }
        for note in &report.examined.not_examined {
            wrong.push(format!(
                "{}: not examined: {} {}",
                f.name, note.path, note.reason
            ));
        }
        let status = if f.is_clean() {
            Status::Healthy
        } else {
            Status::NeedsRecovery
        };
        if (report.exit_status(), report.verdict.status) != (0, status) {
            wrong.push(format!("{}: {}", f.name, report.verdict.headline));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The value on a line of `pg_controldata`.
fn control_value<'a>(control: &'a str, label: &str) -> Option<&'a str> {
    let line = control.lines().find(|line| line.starts_with(label))?;
    Some(line[label.len()..].trim())
}

fn the_cluster_is_as_pg_controldata_says(fixtures: &[Fixture]) {
    for f in fixtures {
        let control = f.truth("control.txt");
        let value = |label: &str| control_value(&control, label);
        let number = |label: &str| value(label).map(|value| value.parse::<u32>().unwrap());
        let lsn = |label: &str| XLogRecPtr::parse(value(label).unwrap());
        let cluster = f.report.cluster.as_ref().unwrap();
        let name = &f.name;
        assert_eq!(cluster.major, f.version.major.to_string(), "{name}");
        let system_identifier = cluster.system_identifier.to_string();
        let recorded = value("Database system identifier:");
        assert_eq!(Some(&*system_identifier), recorded, "{name}");
        let state = value("Database cluster state:");
        assert_eq!(Some(&*cluster.state), state, "{name}");
        let checkpoint = lsn("Latest checkpoint location:");
        assert_eq!(Some(cluster.checkpoint_lsn), checkpoint, "{name}");
        let redo = lsn("Latest checkpoint's REDO location:");
        assert_eq!(Some(cluster.redo_lsn), redo, "{name}");
        let timeline = number("Latest checkpoint's TimeLineID:");
        assert_eq!(Some(cluster.timeline), timeline, "{name}");
        // `0:729`; `0/729` up to 9.5.
        let next_xid = value("Latest checkpoint's NextXID:").unwrap();
        let (epoch, xid) = next_xid.split_once([':', '/']).unwrap();
        let next_xid = FullTransactionId::from_epoch_and_xid(
            epoch.parse().unwrap(),
            TransactionId(xid.parse().unwrap()),
        );
        assert_eq!(cluster.next_xid, next_xid, "{name}");
        let oldest_xid = number("Latest checkpoint's oldestXID:");
        assert_eq!(Some(cluster.oldest_xid.0), oldest_xid, "{name}");
        let next_multixact = number("Latest checkpoint's NextMultiXactId:");
        assert_eq!(Some(cluster.next_multixact), next_multixact, "{name}");
        let oldest_multixact = number("Latest checkpoint's oldestMultiXid:");
        assert_eq!(cluster.oldest_multixact, oldest_multixact, "{name}");
        assert_eq!(f.version.since(Major::V9_3), oldest_multixact.is_some());
        let block_size = number("Database block size:");
        assert_eq!(Some(cluster.block_size), block_size, "{name}");
        let segment = number("Bytes per WAL segment:");
        assert_eq!(Some(cluster.wal_segment_size), segment, "{name}");
        let checksums = number("Data page checksum version:").map(|version| version == 1);
        assert_eq!(cluster.data_checksums, checksums, "{name}");
        assert!(cluster.control_crc_ok, "{name}");
    }
}

/// What the server's log says of a start.
#[derive(Default)]
struct RecoveryLog<'a> {
    /// "database system was shut down at …".
    clean: bool,
    /// "starting archive recovery", or of a backup.
    archive: bool,
    redo_start: Option<XLogRecPtr>,
    redo_done: Option<XLogRecPtr>,
    /// The line before "redo done at": why no further record was read. Nothing is logged when
    /// the next segment is not there.
    stop: Option<&'a str>,
    last_completed: Option<TimestampTz>,
    new_timeline: Option<u32>,
}

impl<'a> RecoveryLog<'a> {
    fn parse(log: &'a str) -> Self {
        let mut found = Self::default();
        let mut before = "";
        for line in log.lines() {
            let Some((_, message)) = line.split_once(" LOG:  ") else {
                continue;
            };
            let after = |start: &str| message.strip_prefix(start);
            let lsn = |text: &str| XLogRecPtr::parse(text.split(' ').next().unwrap());
            found.clean |= message.starts_with("database system was shut down at ");
            // A backup_label alone asks for it as well, in fewer words.
            found.archive |= message == "starting archive recovery"
                || message.starts_with("starting backup recovery with redo LSN ");
            if let Some(text) = after("redo starts at ") {
                found.redo_start = lsn(text);
            }
            if let Some(text) = after("redo done at ") {
                found.redo_done = lsn(text);
                let progress = ["redo starts", "restored log file", "consistent recovery"];
                found.stop = Some(before).filter(|b| !progress.iter().any(|p| b.starts_with(p)));
            }
            if let Some(text) = after("last completed transaction was at log time ") {
                found.last_completed = Some(timestamp(text));
            }
            if let Some(text) = after("selected new timeline ID: ") {
                found.new_timeline = text.parse().ok();
            }
            before = message;
        }
        found
    }
}

/// `2026-11-20 12:16:53.401907+00`
fn timestamp(text: &str) -> TimestampTz {
    let text = format!("{}:00", text.replace(' ', "T"));
    let at = time::OffsetDateTime::parse(&text, &Iso8601::DEFAULT).unwrap();
    let since = at - time::macros::datetime!(2000-01-01 0:00 UTC);
    TimestampTz(since.whole_microseconds().try_into().unwrap())
}

fn the_start_is_predicted_as_the_server_logged_it(fixtures: &[Fixture]) {
    for f in fixtures {
        let recorded = f.truth("recovery.log");
        let log = RecoveryLog::parse(&recorded);
        let startup = f.startup();
        let wal = f.report.wal.as_ref().unwrap();
        let name = &f.name;
        assert_eq!(f.is_clean(), log.clean, "{name}");
        let outcome = match (log.clean, log.archive) {
            (true, _) => Outcome::Clean,
            (_, true) => Outcome::ArchiveRecovery,
            _ => Outcome::CrashRecovery,
        };
        assert_eq!(startup.outcome, outcome, "{name}: {:?}", startup.message);
        assert_eq!(startup.message, None, "{name}");
        assert!(!startup.silent_loss, "{name}");
        assert_eq!(startup.redo_start, log.redo_start, "{name}");
        assert_eq!(startup.redo_done, log.redo_done, "{name}");
        assert_eq!(log.redo_start.is_some(), !log.clean, "{name}");
        // Recovery of a backup is over when the WAL it came with is.
        let stop = log
            .stop
            .filter(|stop| !stop.starts_with("completed backup"));
        assert_eq!(wal.stop_reason.as_deref(), stop, "{name}");
        assert_eq!(wal.stop_kind, StopKind::EndOfWal, "{name}");
        if log.last_completed.is_some() {
            assert_eq!(
                startup.last_completed_transaction, log.last_completed,
                "{name}"
            );
        }
        let timeline = log.new_timeline.or_else(|| {
            let control = f.truth("control.txt");
            control_value(&control, "Latest checkpoint's TimeLineID:")?
                .parse()
                .ok()
        });
        assert_eq!(startup.timeline, timeline, "{name}");
        let in_crash_recovery = ["crash", "torn", "promoted"].contains(&f.kind.as_str());
        assert_eq!(stop.is_some(), in_crash_recovery, "{name}");
        if let Some((_, at)) = stop.and_then(|stop| stop.split_once(" at ")) {
            let lsn = XLogRecPtr::parse(at.split(':').next().unwrap());
            assert_eq!(startup.end_of_wal, lsn, "{name}");
        } else if !log.clean {
            assert!(startup.end_of_wal > startup.redo_done, "{name}");
        }
    }
}

/// Records from the redo point on by resource manager, in the names of the version's tool.
fn recorded_counts(name: &str) -> Option<BTreeMap<String, u64>> {
    if let Some(counts) = support::truth_if_any(name, "rmgr_counts.csv") {
        let lines = counts
            .lines()
            .skip(1)
            .map(|line| line.split_once(',').unwrap());
        return Some(
            lines
                .map(|(rmgr, n)| (rmgr.to_owned(), n.parse().unwrap()))
                .collect(),
        );
    }
    let dump = support::truth_if_any(name, "waldump.txt.zst")?;
    let mut counts = BTreeMap::new();
    for line in dump.lines() {
        if let Some(rest) = line.strip_prefix("rmgr: ") {
            *counts
                .entry(rest.split(' ').next().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    Some(counts)
}

fn records_are_counted_as_the_servers_tools_count_them(fixtures: &[Fixture]) {
    let mut compared = 0;
    for f in fixtures {
        let Some(mut recorded) = recorded_counts(&f.name) else {
            continue;
        };
        if f.is_clean() {
            // The tool begins at the shutdown checkpoint itself; nothing is replayed.
            assert_eq!(recorded.remove("XLOG"), Some(1), "{}", f.name);
        }
        let wal = f.report.wal.as_ref().unwrap();
        let counts: BTreeMap<String, u64> = wal.by_rmgr.iter().cloned().collect();
        assert_eq!(counts, recorded, "{}", f.name);
        assert_eq!(wal.records, recorded.values().sum::<u64>(), "{}", f.name);
        compared += 1;
    }
    // There was no such tool up to 9.2.
    let expected = fixtures.iter().filter(|f| f.version.since(Major::V9_3));
    assert_eq!(compared, expected.count());
}

/// Path and block of the pages that the server would refuse to read before replay, and that
/// its checksum tool does not pass over as new.
fn refused_pages(findings: &Findings) -> BTreeSet<(String, u32)> {
    let codes = ["page-checksum-mismatch", "page-header-invalid"];
    let groups = findings
        .groups()
        .filter(|(key, _)| codes.contains(&key.code));
    groups
        .flat_map(|(_, group)| {
            assert_eq!(group.kept.len() as u64, group.total);
            &group.kept
        })
        .inspect(|finding| assert_eq!(finding.recovery, Recovery::Heals, "{finding:?}"))
        .filter(|finding| !finding.message.contains("as on a new page"))
        .map(|finding| {
            let location = &finding.location;
            (location.path.to_string(), location.block.unwrap())
        })
        .collect()
}

fn torn_pages_are_the_recorded_ones_and_heal(fixtures: &[Fixture]) {
    let mut torn = 0;
    for f in fixtures {
        let recorded: BTreeSet<(String, u32)> = support::truth_if_any(&f.name, "bad_checksums.csv")
            .iter()
            .flat_map(|csv| csv.lines().skip(1))
            .map(|line| {
                let mut fields = line.split(',');
                let path = fields.next().unwrap().to_owned();
                (path, fields.next().unwrap().parse().unwrap())
            })
            .collect();
        assert_eq!(refused_pages(&f.report.findings), recorded, "{}", f.name);
        torn += usize::from(!recorded.is_empty());
    }
    assert!(torn >= 6, "{torn}");
}

/// Tables with their rows as the server counted them after recovery.
struct Counted {
    name: String,
    path: String,
    unlogged: bool,
    rows: u64,
}

fn counted_tables(f: &Fixture) -> Vec<Counted> {
    let relations = support::csv(&f.name, "relations.csv");
    let files: BTreeMap<String, (&str, bool)> = relations
        .iter()
        .map(|row| {
            let name = format!("{}.{}.{}", row["database"], row["nspname"], row["relname"]);
            // 9.0 has no unlogged tables.
            let unlogged = row.get("relpersistence").is_some_and(|p| p == "u");
            (name, (row["path"].as_str(), unlogged))
        })
        .collect();
    support::csv(&f.name, "rowcounts.csv")
        .into_iter()
        .filter_map(|row| {
            let name = format!("{}.{}.{}", row["database"], row["schema"], row["table"]);
            let (path, unlogged) = *files.get(&name)?;
            Some(Counted {
                rows: row["rows"].parse().unwrap(),
                path: path.to_owned(),
                name,
                unlogged,
            })
        })
        .collect()
}

/// Only tables that replay leaves as they are: the report counts what is on disk now.
fn rows_are_counted_as_the_server_counts_them(fixtures: &[Fixture]) {
    let mut wrong = Vec::new();
    for f in fixtures {
        let by_path: BTreeMap<&str, &RelationSummary> = f
            .report
            .relations
            .iter()
            .map(|relation| (relation.path.as_str(), relation))
            .collect();
        let mut compared = 0;
        for table in counted_tables(f) {
            // A file that is not there yet is made by replay.
            let Some(relation) = by_path.get(table.path.as_str()) else {
                assert!(!f.is_clean(), "{}: no {}", f.name, table.name);
                continue;
            };
            if relation.wal_blocks > 0 || table.unlogged && !f.is_clean() {
                continue;
            }
            compared += 1;
            if (relation.rows, relation.unreadable_tuples) != (table.rows, 0) {
                wrong.push(format!(
                    "{} {} {}: {} rows and {} unreadable, not {}",
                    f.name,
                    table.name,
                    table.path,
                    relation.rows,
                    relation.unreadable_tuples,
                    table.rows
                ));
            }
        }
        let enough = if f.is_clean() { 30 } else { 5 };
        assert!(compared >= enough, "{}: only {compared} tables", f.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// As replay will leave the catalogs, which is what the server was asked.
fn relations_have_the_names_the_server_gives_them(fixtures: &[Fixture]) {
    let mut wrong = Vec::new();
    for f in fixtures {
        let recorded = support::csv(&f.name, "relations.csv");
        let by_path: BTreeMap<&str, _> = recorded
            .iter()
            .map(|row| (row["path"].as_str(), row))
            .collect();
        let databases = support::csv(&f.name, "databases.csv");
        let app = databases.iter().find(|row| row["datname"] == "app");
        let app: u32 = app.unwrap()["oid"].parse().unwrap();
        let mut compared = 0;
        for relation in &f.report.relations {
            let name = &relation.name;
            let found = (
                name.database.as_deref(),
                name.schema.as_deref(),
                name.name.as_deref(),
                name.oid.map(|oid| oid.to_string()),
            );
            let expected = match by_path.get(relation.path.as_str()) {
                Some(row) => (
                    Some(&*row["database"]).filter(|_| relation.locator.db_oid != 0),
                    Some(&*row["nspname"]),
                    Some(&*row["relname"]),
                    Some(row["oid"].clone()),
                ),
                // All of this database's are recorded: nobody owns the file.
                None if relation.locator.db_oid == app => (Some("app"), None, None, None),
                None => continue,
            };
            if found != expected {
                let path = &relation.path;
                wrong.push(format!("{} {path}: {found:?}, not {expected:?}", f.name));
            }
            compared += 1;
        }
        assert!(compared > 300, "{}: only {compared} relations", f.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn incident() -> PathBuf {
    support::testdata().join("incident-2012.tar.zst")
}

/// Blocks and tuples that were edited, and the commit log files made by hand.
#[test]
fn the_incident_is_solved() {
    const ZIPLOG: &str = "base/16397/1046635";
    let tuples = [
        (30490, "4294692688", "0FFF"),
        (30497, "2319990784", "08A4"),
        (30502, "1852990827", "06E7"),
        (30509, "779319667", "02E7"),
        (30511, "540619040", "0203"),
        (30518, "976499770", "03A3"),
        (30523, "2036428064", "0796"),
    ];
    let report = check(&incident(), &Options::default(), &()).unwrap();
    assert_eq!(report.exit_status(), 1);
    assert_eq!(report.verdict.status, Status::Damaged);
    assert_eq!(report.examined.not_examined, []);
    let lasting: Vec<_> = report
        .findings
        .sorted()
        .into_iter()
        .filter(|finding| finding.is_lasting_damage())
        .collect();
    let of = |code: &'static str| lasting.iter().filter(move |f| f.check.code == code);
    let blocks: Vec<_> = of("page-header-invalid")
        .map(|f| (&*f.location.path, f.location.block.unwrap()))
        .collect();
    let overwritten: Vec<_> = (30526..=30533).map(|block| (ZIPLOG, block)).collect();
    assert_eq!(blocks, overwritten);
    for finding in of("page-header-invalid") {
        assert!(finding.message.contains("text"), "{}", finding.message);
    }
    let found: Vec<_> = of("xmin-out-of-range").collect();
    assert_eq!(found.len(), tuples.len());
    for (finding, (block, xid, clog)) in found.into_iter().zip(tuples) {
        let at = &finding.location;
        assert_eq!(
            (&*at.path, at.block, at.offset_number),
            (ZIPLOG, Some(block), Some(5))
        );
        let message = &finding.message;
        assert!(message.contains(xid) && message.contains(clog), "{message}");
        assert!(message.contains("never assigned"), "{message}");
    }
    let mut made_up = tuples.map(|(_, _, clog)| format!("pg_clog/{clog}"));
    made_up.sort();
    let foreign: Vec<_> = report.findings.sorted().into_iter().collect();
    let foreign: Vec<_> = foreign
        .iter()
        .filter(|f| f.check.code == "clog-segment-foreign")
        .map(|f| {
            assert!(f.message.contains("made by hand"), "{}", f.message);
            f.location.path.to_string()
        })
        .collect();
    assert_eq!(foreign, made_up);
    let codes = [
        "page-header-invalid",
        "xmin-out-of-range",
        "clog-segment-foreign",
    ];
    for finding in &lasting {
        assert!(codes.contains(&finding.check.code), "{finding:?}");
    }

    let (damaged, whole): (Vec<_>, Vec<_>) = report
        .relations
        .iter()
        .partition(|relation| !relation.damage.is_empty());
    assert_eq!(damaged.len(), 1);
    let ziplog = damaged[0];
    assert_eq!(ziplog.path, ZIPLOG);
    let name = ziplog.name.qualified();
    assert_eq!(name.as_deref(), Some("common.public.ziplog"));
    assert_eq!(ziplog.blocks, 31_084);
    assert_eq!(ziplog.rows, 372_897);
    assert_eq!((ziplog.unreadable_tuples, ziplog.unreadable_blocks), (7, 8));
    for (name, rows) in [
        ("common.public.members", 20_000),
        ("common.public.orders", 50_040),
        ("common.public.import_work", 4_000),
    ] {
        let mut named = whole
            .iter()
            .filter(|relation| relation.name.qualified().as_deref() == Some(name));
        assert_eq!(
            named.next().map(|relation| relation.rows),
            Some(rows),
            "{name}"
        );
    }
    for relation in whole {
        assert_eq!(
            (relation.unreadable_tuples, relation.unreadable_blocks),
            (0, 0)
        );
    }

    let startup = report.verdict.startup.as_ref().unwrap();
    assert_eq!(startup.outcome, Outcome::CrashRecovery);
    assert_eq!(startup.redo_start, XLogRecPtr::parse("0/128384B8"));
    assert_eq!(startup.redo_done, XLogRecPtr::parse("0/12A8C390"));
    assert_eq!(startup.end_of_wal, XLogRecPtr::parse("0/12A8C3D0"));
    let stop = report.wal.as_ref().unwrap().stop_reason.as_deref();
    assert_eq!(stop, Some("record with zero length at 0/12A8C3D0"));
}

/// The report as JSON and as text, without the place of the evidence.
fn printed(path: &Path, options: &Options) -> [String; 2] {
    let mut report = check(path, options, &()).unwrap();
    report.examined.data_directory.clear();
    report.examined.wal_directories.clear();
    let [mut as_json, mut as_text] = [Vec::new(), Vec::new()];
    json::write(&mut as_json, &report, Severity::Note).unwrap();
    let style = Style {
        width: 100,
        colour: false,
        min_severity: Severity::Note,
    };
    text::write(&mut as_text, &report, style).unwrap();
    [as_json, as_text].map(|bytes| String::from_utf8(bytes).unwrap())
}

fn assert_same(reference: &[String; 2], other: &[String; 2], what: &str) {
    for (reference, other) in reference.iter().zip(other) {
        let differs = reference.lines().zip(other.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{what}");
        assert_eq!(reference.len(), other.len(), "{what}");
    }
}

#[test]
fn threads_and_ways_of_reading_change_nothing() {
    let [torn, stopped] = ["18-torn", "9.4-crash"].map(support::unpack);
    for path in [
        torn.path().join("pgdata"),
        stopped.path().join("pgdata"),
        incident(),
    ] {
        let with = |threads, io_mode| {
            let threads = Some(threads);
            let options = Options {
                threads,
                io_mode,
                ..Options::default()
            };
            printed(&path, &options)
        };
        let reference = with(1, IoMode::Pread);
        let what = path.display().to_string();
        assert_same(&reference, &with(8, IoMode::Pread), &what);
        assert_same(&reference, &with(8, IoMode::Mmap), &what);
    }
}

fn tar_of(entries: &[(PathBuf, String)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    for (path, name) in entries {
        if path.is_dir() {
            builder.append_dir_all(name, path).unwrap();
        } else {
            builder.append_path_with_name(path, name).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

/// What lies in a folder, under its own name.
fn contents(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.path(), entry.file_name().into_string().unwrap()))
        .collect();
    entries.sort();
    entries
}

/// Makes a folder and all in it somebody's who is not root, where that may be done.
fn give_away(path: &Path) {
    let _ = std::os::unix::fs::lchown(path, Some(26), None);
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for (path, _) in contents(path) {
            give_away(&path);
        }
    }
}

#[test]
fn a_directory_and_its_archives_give_the_same_report() {
    for name in ["13-torn", "9.1-crash"] {
        let folder = support::unpack(name);
        let root = folder.path();
        let options = Options::default();
        // A directory of root's has a note that an archive of it has not.
        give_away(&root.join("pgdata"));
        give_away(&root.join("ts1"));
        let reference = printed(&root.join("pgdata"), &options);
        let packed = printed(&support::packed(name), &options);
        assert_same(&reference, &packed, "packed beside others");

        let whole = [
            (root.join("pgdata"), "pgdata".to_owned()),
            (root.join("ts1"), "ts1".to_owned()),
        ];
        fs::write(root.join("whole.tar"), tar_of(&whole)).unwrap();
        let plain = printed(&root.join("whole.tar"), &options);
        assert_same(&reference, &plain, "tar");

        // As pg_basebackup makes it: a tar of each tablespace, and of the WAL.
        let backup = root.join("backup");
        fs::create_dir(&backup).unwrap();
        let wal = if name.starts_with("9.") {
            "pg_xlog"
        } else {
            "pg_wal"
        };
        let mut base = contents(&root.join("pgdata"));
        base.retain(|(_, name)| name != wal);
        fs::create_dir_all(root.join("empty/archive_status")).unwrap();
        base.push((root.join("empty"), wal.to_owned()));
        let spc = &contents(&root.join("pgdata/pg_tblspc"))[0].1;
        let wal = contents(&root.join("pgdata").join(wal));
        fs::write(backup.join("base.tar"), tar_of(&base)).unwrap();
        fs::write(backup.join("pg_wal.tar"), tar_of(&wal)).unwrap();
        let ts1 = tar_of(&contents(&root.join("ts1")));
        let ts1 = zstd::encode_all(&*ts1, 1).unwrap();
        fs::write(backup.join(format!("{spc}.tar.zst")), ts1).unwrap();
        let base = printed(&backup, &options);
        assert_same(&reference, &base, "base.tar");
    }
}

/// All there is to know of a tree but the times of last access, which the file system keeps.
fn state_of(path: &Path, into: &mut BTreeMap<PathBuf, String>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let content = if meta.is_symlink() {
        format!("{:?}", fs::read_link(path).unwrap())
    } else if meta.is_dir() {
        for (path, _) in contents(path) {
            state_of(&path, into);
        }
        String::new()
    } else {
        format!(
            "{:08x}",
            Crc::Castagnoli(0)
                .update([&fs::read(path).unwrap()[..]])
                .value()
        )
    };
    let state = format!(
        "{:o} {}:{} inode {} {} bytes modified {}.{} changed {}.{} {content}",
        meta.mode(),
        meta.uid(),
        meta.gid(),
        meta.ino(),
        meta.size(),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec(),
    );
    into.insert(path.to_owned(), state);
}

#[test]
fn evidence_is_left_as_it_is() {
    let folder = support::unpack("15-basebackup");
    let root = folder.path();
    fs::copy(incident(), root.join("incident.tar.zst")).unwrap();
    let state = || {
        let mut all = BTreeMap::new();
        state_of(root, &mut all);
        all
    };
    let before = state();
    assert!(before.len() > 1000, "{}", before.len());
    for io_mode in [IoMode::Pread, IoMode::Mmap] {
        let options = Options {
            wal_archives: vec![root.join("archive")],
            io_mode,
            ..Options::default()
        };
        check(&root.join("pgdata"), &options, &()).unwrap();
    }
    check(&root.join("incident.tar.zst"), &Options::default(), &()).unwrap();
    let after = state();
    let changed: Vec<_> = before
        .iter()
        .filter(|(path, state)| after.get(*path) != Some(state))
        .collect();
    assert!(changed.is_empty(), "{changed:#?}");
    assert_eq!(after.len(), before.len());
}
