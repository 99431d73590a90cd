//! PostgreSQL's own offline tools, and its functions that show pg_control, as judges of what pgautopsy reads.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use pgautopsy::cluster::Cluster as Facts;
use pgautopsy::format::Layout;
use pgautopsy::format::XLogRecPtr;
use pgautopsy::format::wal::Record;
use pgautopsy::pgdata::{Evidence, IoMode};
use pgautopsy::recovery::reader::{Position, WalContext};
use pgautopsy::recovery::source::EvidenceWal;
use pgautopsy::recovery::walk::{WalSink, walk};
use pgautopsy::report::wal_dump::record_line;

use crate::crash::{NO_CHECKPOINTS, busy_settings, expect_healthy};
use crate::log::microseconds;
use crate::server::{Cluster, Server, output};
use crate::tool::{check, lines};
use crate::workload::{Checkpoints, Load, Random, create_tables};

/// The majors whose control version 15's pg_controldata reads.
pub const CONTROL_1300: RangeInclusive<u32> = 13..=16;

/// A running cluster that was under load for this long.
fn loaded(server: Server, settings: &[&str], millis: u64, checkpoints: Checkpoints) -> Cluster {
    let mut cluster = Cluster::init(server, settings);
    cluster.start();
    create_tables(&cluster);
    let load = Load::start(&cluster, &mut Random::new(), checkpoints);
    sleep(Duration::from_millis(millis));
    load.stop(&cluster);
    cluster
}

/// The lines `label: value` of pg_controldata, in order.
fn labels(text: &str) -> Vec<(&str, &str)> {
    text.lines()
        .map(|line| {
            line.split_once(':')
                .unwrap_or_else(|| panic!("strange line {line:?}"))
        })
        .map(|(label, value)| (label, value.trim()))
        .collect()
}

fn pg_controldata(data: &Path) -> String {
    output(
        Server::complete()
            .tool("pg_controldata")
            .arg("-D")
            .arg(data),
    )
}

fn value<'a>(lines: &[(&str, &'a str)], label: &str) -> Option<&'a str> {
    lines
        .iter()
        .find(|(l, _)| *l == label)
        .map(|(_, value)| *value)
}

/// `pgautopsy control` prints what pg_controldata prints, of a cluster that runs, was killed, and was stopped.
pub fn control_equals_pg_controldata(server: Server) {
    let mut cluster = loaded(server, &busy_settings(server), 300, Checkpoints::Any);
    let same = |cluster: &Cluster| {
        let expected = pg_controldata(&cluster.data());
        let found = lines("control", &cluster.data());
        assert_eq!(labels(&found), labels(&expected));
    };
    cluster.kill();
    same(&cluster);
    cluster.forget_postmaster();
    cluster.start();
    cluster.stop();
    same(&cluster);
}

/// What pg_controldata would print, as SQL over the server's own reading of the file. It has no pg_controldata of every
/// major, but every server can do this.
#[rustfmt::skip]
const CONTROL: &[(RangeInclusive<u32>, &str, &str)] = &[
    (10..=18, "pg_control version number", "s.pg_control_version"),
    (10..=18, "Catalog version number", "s.catalog_version_no"),
    (10..=18, "Database system identifier", "s.system_identifier"),
    (10..=18, "pg_control last modified", "ctime(s.pg_control_last_modified)"),
    (10..=18, "Database cluster state", "'in production'"),
    (10..=18, "Latest checkpoint location", "c.checkpoint_lsn"),
    (10..=10, "Prior checkpoint location", "c.prior_lsn"),
    (10..=18, "Latest checkpoint's REDO location", "c.redo_lsn"),
    (10..=18, "Latest checkpoint's REDO WAL file", "c.redo_wal_file"),
    (10..=18, "Latest checkpoint's TimeLineID", "c.timeline_id"),
    (10..=18, "Latest checkpoint's PrevTimeLineID", "c.prev_timeline_id"),
    (10..=18, "Latest checkpoint's full_page_writes", "on_off(c.full_page_writes)"),
    (10..=18, "Latest checkpoint's NextXID", "c.next_xid"),
    (10..=18, "Latest checkpoint's NextOID", "c.next_oid"),
    (10..=18, "Latest checkpoint's NextMultiXactId", "c.next_multixact_id"),
    (10..=18, "Latest checkpoint's NextMultiOffset", "c.next_multi_offset"),
    (10..=18, "Latest checkpoint's oldestXID", "c.oldest_xid"),
    (10..=18, "Latest checkpoint's oldestXID's DB", "c.oldest_xid_dbid"),
    (10..=18, "Latest checkpoint's oldestActiveXID", "c.oldest_active_xid"),
    (10..=18, "Latest checkpoint's oldestMultiXid", "c.oldest_multi_xid"),
    (10..=18, "Latest checkpoint's oldestMulti's DB", "c.oldest_multi_dbid"),
    (10..=18, "Latest checkpoint's oldestCommitTsXid", "c.oldest_commit_ts_xid"),
    (10..=18, "Latest checkpoint's newestCommitTsXid", "c.newest_commit_ts_xid"),
    (10..=18, "Time of latest checkpoint", "ctime(c.checkpoint_time)"),
    (10..=18, "Minimum recovery ending location", "r.min_recovery_end_lsn"),
    (10..=18, "Min recovery ending loc's timeline", "r.min_recovery_end_timeline"),
    (10..=18, "Backup start location", "r.backup_start_lsn"),
    (10..=18, "Backup end location", "r.backup_end_lsn"),
    (10..=18, "End-of-backup record required", "yes_no(r.end_of_backup_record_required)"),
    (10..=18, "wal_level setting", "current_setting('wal_level')"),
    (10..=18, "wal_log_hints setting", "current_setting('wal_log_hints')"),
    (10..=18, "max_connections setting", "current_setting('max_connections')"),
    (10..=18, "max_worker_processes setting", "current_setting('max_worker_processes')"),
    (12..=18, "max_wal_senders setting", "current_setting('max_wal_senders')"),
    (10..=18, "max_prepared_xacts setting", "current_setting('max_prepared_transactions')"),
    (10..=18, "max_locks_per_xact setting", "current_setting('max_locks_per_transaction')"),
    (10..=18, "track_commit_timestamp setting", "current_setting('track_commit_timestamp')"),
    (10..=18, "Maximum data alignment", "i.max_data_alignment"),
    (10..=18, "Database block size", "i.database_block_size"),
    (10..=18, "Blocks per segment of large relation", "i.blocks_per_segment"),
    (10..=18, "WAL block size", "i.wal_block_size"),
    (10..=18, "Bytes per WAL segment", "i.bytes_per_wal_segment"),
    (10..=18, "Maximum length of identifiers", "i.max_identifier_length"),
    (10..=18, "Maximum columns in an index", "i.max_index_columns"),
    (10..=18, "Maximum size of a TOAST chunk", "i.max_toast_chunk_size"),
    (10..=18, "Size of a large-object chunk", "i.large_object_chunk_size"),
    (10..=12, "Float4 argument passing", "by_value(i.float4_pass_by_value)"),
    (10..=18, "Float8 argument passing", "by_value(i.float8_pass_by_value)"),
    (10..=18, "Data page checksum version", "i.data_page_checksum_version"),
    (18..=18, "Default char data signedness", "CASE WHEN i.default_char_signedness THEN 'signed' ELSE 'unsigned' END"),
];

/// `ctime` prints as C does: `Thu Nov  5 12:20:57 2026`.
const CONTROL_FUNCTIONS: &str = "
CREATE FUNCTION ctime(t timestamptz) RETURNS text LANGUAGE sql AS $$
  SELECT to_char(t, 'Dy Mon ') || lpad(to_char(t, 'FMDD'), 2) || to_char(t, ' HH24:MI:SS YYYY') $$;
CREATE FUNCTION on_off(b bool) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN b THEN 'on' ELSE 'off' END $$;
CREATE FUNCTION yes_no(b bool) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN b THEN 'yes' ELSE 'no' END $$;
CREATE FUNCTION by_value(b bool) RETURNS text LANGUAGE sql AS
  $$ SELECT 'by ' || CASE WHEN b THEN 'value' ELSE 'reference' END $$;
";

/// `pgautopsy control` reads in pg_control what the running server reads there.
pub fn control_equals_sql(server: Server) {
    let mut settings = busy_settings(server);
    settings.extend(NO_CHECKPOINTS);
    let cluster = loaded(server, &settings, 300, Checkpoints::None);
    cluster.sql(CONTROL_FUNCTIONS);
    cluster.sql("CHECKPOINT");

    let rows: Vec<String> = CONTROL
        .iter()
        .filter(|(majors, ..)| majors.contains(&server.major))
        .map(|(_, label, value)| format!("($${label}$$, ({value})::text)"))
        .collect();
    let expected = cluster.sql(&format!(
        "SELECT l || ': ' || v FROM pg_control_system() s, pg_control_checkpoint() c, pg_control_recovery() r, \
         pg_control_init() i, LATERAL (VALUES {}) row (l, v)",
        rows.join(", ")
    ));
    let expected = labels(&expected);
    assert_eq!(expected.len(), rows.len());

    // The judge is itself judged, where there is a pg_controldata.
    if CONTROL_1300.contains(&server.major) {
        let tool = pg_controldata(&cluster.data());
        let tool = labels(&tool);
        for (label, expected) in &expected {
            assert_eq!(
                value(&tool, label),
                Some(*expected),
                "{label} of pg_controldata"
            );
        }
    }

    let found = lines("control", &cluster.data());
    let found = labels(&found);
    for (label, expected) in &expected {
        assert_eq!(value(&found, label), Some(*expected), "{label}");
    }
}

/// What pg_waldump prints from here to the end of WAL. There it says why it stops, and its exit status is not 0.
fn pg_waldump(cluster: &Cluster, from: &str) -> String {
    let control = pg_controldata(&cluster.data());
    let timeline = value(&labels(&control), "Latest checkpoint's TimeLineID").unwrap();
    let dump = cluster
        .server
        .tool("pg_waldump")
        .args(["-t", timeline, "-s", from, "-p"])
        .arg(cluster.data().join("pg_wal"))
        .output()
        .unwrap();
    String::from_utf8(dump.stdout).unwrap()
}

/// The time of the last commit or abort that redo from here on meets, in microseconds since 1970.
pub fn last_completed_transaction(cluster: &Cluster, from: &str) -> Option<i64> {
    let dump = pg_waldump(cluster, from);
    let last = dump.lines().rev().find(|line| {
        line.starts_with("rmgr: Transaction")
            && (line.contains(" COMMIT") || line.contains(" ABORT"))
    })?;
    // `desc: COMMIT 2026-11-20 12:20:57.318839 UTC; …`, or `desc: COMMIT_PREPARED 731: 2026-…`
    let (_, desc) = last.split_once("desc: ").unwrap();
    let (_, time) = desc
        .split_once(if desc.contains("_PREPARED") {
            ": "
        } else {
            " "
        })
        .unwrap();
    let end = time
        .find(" UTC")
        .unwrap_or_else(|| panic!("no time in {last:?}"));
    Some(microseconds(&time[..end + " UTC".len()]))
}

/// Every record from here to the end of WAL, as the parallel walk reads it, in a line each.
fn records_from(cluster: &Cluster, from: &str) -> Vec<String> {
    let evidence = Evidence::open(&cluster.data(), &[], IoMode::Pread).unwrap();
    let facts = Facts::read(&evidence);
    let control = facts.control_file().unwrap();
    let layout = facts.layout.unwrap();
    let wal = EvidenceWal::new(&evidence, &layout, false);
    let context = WalContext {
        layout,
        system_identifier: Some(control.system_identifier),
        timelines: facts.timelines(control.check_point_copy.this_time_line_id),
    };
    let start = Position::at(XLogRecPtr::parse(from).unwrap());
    let mut all = Vec::new();
    walk(
        &context,
        &wal,
        start,
        None,
        &|| Lines(layout, Vec::new()),
        &mut |lines, _| all.extend(lines.1),
    );
    all
}

struct Lines(Layout, Vec<String>);

impl WalSink for Lines {
    fn record(&mut self, record: &Record<'_, '_>) {
        self.1.push(record_line(self.0, record));
    }
}

/// A line without what a tool may well print differently: the catalog version in paths of tablespaces, which is that of
/// the tool, and what pg_waldump 11 makes of META_CLEANUP, which is whatever stands in its memory.
fn comparable(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for word in &mut words {
        let parts: Vec<&str> = word
            .split('/')
            .filter(|part| !part.starts_with("PG_"))
            .collect();
        *word = parts.join("/");
    }
    let line = words.join(" ");
    match line.split_once("META_CLEANUP oldest_btpo_xact") {
        Some((head, _)) => head.to_owned(),
        None => line,
    }
}

/// What `pgautopsy wal dump` prints, without the end of WAL.
fn wal_dump(cluster: &Cluster, from: &str) -> Vec<String> {
    let tool = Command::new(env!("CARGO_BIN_EXE_pgautopsy"))
        .args(["wal", "dump", "--start", from])
        .arg(cluster.data())
        .output()
        .unwrap();
    let text = String::from_utf8(tool.stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(lines.pop().is_some_and(|end| end.starts_with("# ")));
    lines
}

/// Every record from the redo point to the end of WAL, of a killed cluster, in pg_waldump's
/// very words.
pub fn waldump_equals_record_by_record(server: Server) {
    let mut settings = busy_settings(server);
    settings.extend(NO_CHECKPOINTS);
    let mut cluster = loaded(server, &settings, 800, Checkpoints::None);
    cluster.kill();
    let control = pg_controldata(&cluster.data());
    let control = labels(&control);
    let redo = value(&control, "Latest checkpoint's REDO location").unwrap();
    let expected: Vec<String> = pg_waldump(&cluster, redo).lines().map(comparable).collect();
    assert!(expected.len() > 5_000, "only {} records", expected.len());

    let found = records_from(&cluster, redo);
    for (n, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(&comparable(found), expected, "record {n} after {redo}");
    }
    assert_eq!(found.len(), expected.len(), "records missing at the end");
    assert_eq!(wal_dump(&cluster, redo), found);
    expect_healthy(&cluster);
}

/// Every file with pages below `dir`, by its path below the data directory.
fn page_files(data: &Path, below: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(data.join(below)).unwrap() {
        let path = below.join(entry.unwrap().file_name());
        if data.join(&path).is_dir() {
            page_files(data, &path, files);
        } else if path.file_name().unwrap().as_encoded_bytes()[0].is_ascii_digit() {
            files.push(path);
        }
    }
}

/// Bytes flipped in pages here and there, outside their headers, in all kinds of files.
pub fn page_checksums_equal_pg_checksums(server: Server) {
    let random = &mut Random::new();
    let mut cluster = loaded(server, &busy_settings(server), 800, Checkpoints::Any);
    cluster.stop();

    let mut files = vec![];
    for dir in ["base", "global", "pg_tblspc"] {
        page_files(&cluster.data(), Path::new(dir), &mut files);
    }
    files.sort();
    let mut flipped = BTreeSet::new();
    for path in &files {
        let full = cluster.data().join(path);
        let mut bytes = fs::read(&full).unwrap();
        let blocks = bytes.len() / 8192;
        let name = path.to_str().unwrap();
        // A page in every tenth file, and several in one of the load's tables.
        let pages = match blocks {
            0 => 0,
            50.. => random.within(1..4),
            _ => u64::from(random.one_in(10)),
        };
        for _ in 0..pages {
            let block = random.within(0..blocks as u64) as usize;
            let page = &mut bytes[block * 8192..][..8192];
            // Pages without a header are not checked.
            if page[14..16] != [0, 0] && flipped.insert((name.to_owned(), block as u64)) {
                page[random.within(24..8192) as usize] ^= 1 << random.within(0..8);
            }
        }
        fs::write(&full, bytes).unwrap();
    }

    let judge = server
        .tool("pg_checksums")
        .args(["--check", "-D"])
        .arg(cluster.data())
        .output()
        .unwrap();
    let said = String::from_utf8(judge.stderr).unwrap();
    let prefix = format!("{}/", cluster.data().display());
    let expected: BTreeSet<(String, u64)> = said
        .lines()
        .filter_map(|line| line.split_once("checksum verification failed in file \""))
        .map(|(_, rest)| {
            let (path, rest) = rest.split_once("\", block ").unwrap();
            let block = rest.split(':').next().unwrap().parse().unwrap();
            (path.strip_prefix(&prefix).unwrap().to_owned(), block)
        })
        .collect();
    // One flipped bit in 65,535 does not show in this checksum.
    assert!(
        expected.is_subset(&flipped) && expected.len() + 1 >= flipped.len(),
        "the judge:\n{said}"
    );
    for kind in ["_fsm", "_vm", "pg_tblspc/", "global/"] {
        eprintln!(
            "{kind}: {}",
            flipped
                .iter()
                .filter(|(path, _)| path.contains(kind))
                .count()
        );
    }

    let report = check(&cluster);
    let code = "page-checksum-mismatch";
    let found: BTreeSet<(String, u64)> = report
        .findings()
        .iter()
        .filter(|finding| finding["code"] == code)
        .map(|finding| {
            let path = finding["path"].as_str().unwrap().to_owned();
            (path, finding["block"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(found, expected);
    assert!(
        report.at("summary.suppressed").get(code).is_none(),
        "all of them are listed"
    );
    assert_eq!(report.status, 1);
}
