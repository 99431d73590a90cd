//! Evidence that is broken in the ways file systems, operators and other programs break it:
//! there is a report that names what was not read, or one line that says why there is none;
//! never a panic, a hang, or memory in proportion to what a file claims.

mod support;

use pgautopsy::check::{Options, Progress, check};
use pgautopsy::finding::Severity;
use pgautopsy::format::checksum::page_checksum;
use pgautopsy::format::crc::Crc;
use pgautopsy::format::version::{Major, Version};
use pgautopsy::report::{json, text};
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A copy of a fixture whose files are hard links: replace them, do not write to them.
struct Cluster {
    _folder: TempDir,
    root: PathBuf,
}

fn linked(original: &TempDir) -> Cluster {
    let folder = tempfile::tempdir_in(original.path()).unwrap();
    support::link_tree(
        &original.path().join("pgdata"),
        &folder.path().join("pgdata"),
    );
    let ts1 = original.path().join("ts1");
    if ts1.exists() {
        support::link_tree(&ts1, &folder.path().join("ts1"));
    }
    Cluster {
        root: folder.path().join("pgdata"),
        _folder: folder,
    }
}

fn clean() -> Cluster {
    static ORIGINAL: OnceLock<TempDir> = OnceLock::new();
    linked(ORIGINAL.get_or_init(|| support::unpack("15-clean")))
}

fn crash() -> Cluster {
    static ORIGINAL: OnceLock<TempDir> = OnceLock::new();
    linked(ORIGINAL.get_or_init(|| support::unpack("15-crash")))
}

impl Cluster {
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap()
    }

    fn replace(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        let _ = fs::remove_file(&path);
        fs::write(path, bytes).unwrap();
    }

    /// A folder where a file was.
    fn replace_by_folder(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
        fs::create_dir(self.path(path)).unwrap();
    }

    /// A table of a database of its own, not empty: its path.
    fn table(&self) -> String {
        let mut found: Vec<(u64, String)> = Vec::new();
        for database in fs::read_dir(self.path("base")).unwrap() {
            let database = database.unwrap().file_name().into_string().unwrap();
            for entry in fs::read_dir(self.path("base").join(&database)).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                let size = entry.metadata().unwrap().len();
                if name.parse::<u32>().is_ok_and(|n| n >= 16384) && size % 8192 == 0 {
                    found.push((size, format!("base/{database}/{name}")));
                }
            }
        }
        found.into_iter().max().unwrap().1
    }

    fn segments(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("pg_wal"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.len() == 24)
            .map(|name| format!("pg_wal/{name}"))
            .collect();
        names.sort();
        names
    }

    fn examine(&self) -> Examined {
        examine(&self.root)
    }
}

/// What the command made of it.
struct Examined {
    status: i32,
    report: Value,
}

fn command(path: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgautopsy"));
    command
        .args(["check", "--threads", "2"])
        .args(arguments)
        .arg(path)
        .env_remove("PGAUTOPSY_LOG");
    command
}

/// Both formats; there must be a report with the exit status that its own content asks for.
fn examine(path: &Path) -> Examined {
    let output = command(path, &[]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        !printed.chars().any(|c| c.is_control() && c != '\n'),
        "{printed:?}"
    );
    let of_text = output.status.code();
    let output = command(path, &["--format", "json"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "", "{}", path.display());
    let status = output.status.code().unwrap();
    assert_eq!(of_text, Some(status));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let examined = Examined { status, report };
    let damage = examined.list("findings").iter().any(|finding| {
        ["damage", "fatal"].contains(&finding["severity"].as_str().unwrap())
            && finding["recovery"] != "heals"
    });
    let verdict = examined.report["verdict"]["status"].as_str().unwrap();
    let expected = if damage || ["damaged", "unusable"].contains(&verdict) {
        1
    } else if examined.not_examined().is_empty() {
        0
    } else {
        3
    };
    assert_eq!(status, expected, "{:#}", examined.report);
    examined
}

impl Examined {
    fn list(&self, name: &str) -> &[Value] {
        self.report[name].as_array().unwrap()
    }

    fn not_examined(&self) -> Vec<(&str, &str)> {
        self.report["evidence"]["not_examined"]
            .as_array()
            .unwrap()
            .iter()
            .map(|note| {
                (
                    note["path"].as_str().unwrap(),
                    note["reason"].as_str().unwrap(),
                )
            })
            .collect()
    }

    /// The reason given for a path that was not examined.
    fn reason(&self, path: &str) -> &str {
        self.not_examined()
            .iter()
            .find(|(noted, _)| *noted == path)
            .unwrap_or_else(|| panic!("{path} is not in {:#?}", self.not_examined()))
            .1
    }

    fn codes(&self) -> Vec<&str> {
        let codes = self.list("findings").iter();
        codes.map(|f| f["code"].as_str().unwrap()).collect()
    }

    fn has(&self, code: &str) -> &Self {
        assert!(self.codes().contains(&code), "{:?}", self.codes());
        self
    }
}

/// Exit status 2 and one line that says why.
fn refused(path: &Path) -> String {
    let output = command(path, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", path.display());
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

#[test]
fn the_fixtures_themselves_are_whole() {
    for cluster in [clean(), crash()] {
        let examined = cluster.examine();
        assert_eq!((examined.status, examined.not_examined()), (0, vec![]));
    }
}

/// Does something when a phase begins.
struct AtPhase<F>(&'static str, F);

impl<F: Fn() + Sync> Progress for AtPhase<F> {
    fn phase(&self, name: &str, _total_bytes: Option<u64>) {
        if name == self.0 {
            self.1();
        }
    }

    fn advance(&self, _bytes: u64) {}
}

#[test]
fn files_that_shrink_or_vanish_while_they_are_read() {
    for vanish in [false, true] {
        let cluster = clean();
        let table = cluster.table();
        let bytes = cluster.read(&table);
        cluster.replace(&table, &bytes);
        let path = cluster.path(&table);
        let progress = AtPhase("reading relations", || {
            if vanish {
                fs::remove_file(&path).unwrap();
            } else {
                let file = File::options().write(true).open(&path).unwrap();
                file.set_len(8192 + 100).unwrap();
            }
        });
        let report = check(&cluster.root, &Options::default(), &progress).unwrap();
        let notes = &report.examined.not_examined;
        let note = notes.iter().find(|note| note.path == table).unwrap();
        if vanish {
            assert!(note.reason.contains("No such file"), "{}", note.reason);
        } else {
            let range = format!("bytes 8292 to {}", bytes.len());
            assert!(note.reason.starts_with(&range), "{}", note.reason);
        }
        assert_eq!(report.exit_status(), 3);
    }
}

#[test]
fn wal_that_shrinks_while_it_is_read() {
    let cluster = crash();
    let segments = cluster.segments();
    for segment in &segments {
        let bytes = cluster.read(segment);
        cluster.replace(segment, &bytes);
    }
    let progress = AtPhase("reading WAL", || {
        for segment in &segments {
            let file = File::options()
                .write(true)
                .open(cluster.path(segment))
                .unwrap();
            file.set_len(100_000).unwrap();
        }
    });
    let report = check(&cluster.root, &Options::default(), &progress).unwrap();
    assert!(!report.examined.not_examined.is_empty());
    assert_ne!(report.exit_status(), 0);
}

#[test]
fn folders_in_the_place_of_files() {
    for what in ["table", "wal", "clog"] {
        let cluster = crash();
        let path = match what {
            "table" => cluster.table(),
            "wal" => cluster.segments().swap_remove(5),
            _ => "pg_xact/0000".to_owned(),
        };
        cluster.replace_by_folder(&path);
        let examined = cluster.examine();
        assert_eq!(examined.reason(&path), "a directory where a file belongs");
    }
    let cluster = crash();
    cluster.replace_by_folder("global/pg_control");
    let examined = cluster.examine();
    assert_eq!(examined.status, 1);
    examined.reason("global/pg_control");
    cluster.replace_by_folder("PG_VERSION");
    assert_eq!(cluster.examine().status, 1);
}

#[test]
fn symbolic_links_that_lead_nowhere_or_round() {
    let cluster = clean();
    let table = cluster.table();
    fs::remove_file(cluster.path(&table)).unwrap();
    let name = table.rsplit('/').next().unwrap();
    symlink(name, cluster.path(&table)).unwrap();
    symlink(".", cluster.path("base/round")).unwrap();
    symlink("../..", cluster.path("pg_xact/up")).unwrap();
    symlink("../pg_tblspc", cluster.path("pg_tblspc/16999")).unwrap();
    symlink("/nonexistent/tablespace", cluster.path("pg_tblspc/16998")).unwrap();
    let examined = cluster.examine();
    assert!(examined.reason(&table).contains("symbolic link to"));
    for path in ["base/round", "pg_xact/up", "pg_tblspc/16999"] {
        let reason = examined.reason(path);
        assert!(
            reason.contains("leads back to where it began"),
            "{path}: {reason}"
        );
    }
    examined.reason("pg_tblspc/16998");
    examined.has("tablespace-link-dangling");
}

#[test]
fn files_that_cannot_be_opened() {
    let cluster = clean();
    let table = cluster.table();
    // Neither may be opened for reading by anyone, root included, nor hang the run.
    fs::remove_file(cluster.path(&table)).unwrap();
    let fifo = Command::new("mkfifo").arg(cluster.path(&table)).status();
    assert!(fifo.unwrap().success());
    let _listener = std::os::unix::net::UnixListener::bind(cluster.path("pg_notify/0000")).unwrap();
    let examined = cluster.examine();
    assert_eq!(examined.reason(&table), "a FIFO");
    assert_eq!(examined.reason("pg_notify/0000"), "a socket");
    assert_eq!(examined.status, 3);

    // What the server's own user may not open is damage to him.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    let other = "base/1/112";
    let bytes = cluster.read(other);
    cluster.replace(other, &bytes);
    fs::set_permissions(cluster.path(other), mode).unwrap();
    let root = File::open(cluster.path(other)).is_ok();
    let examined = cluster.examine();
    if !root {
        assert!(examined.reason(other).contains("ermission denied"));
    }
    examined.has("file-access-denied");
    assert_eq!(examined.status, 1);
}

#[test]
fn what_is_no_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(folder.path()).contains("not a data directory"));
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let elf = PathBuf::from(env!("CARGO_BIN_EXE_pgautopsy"));
    assert!(refused(&elf).contains("neither a directory nor a tar archive"));
    let zip = file("backup.zip", b"PK\x03\x04\x14\0\0\0\0\0");
    assert!(refused(&zip).contains("zip is not read"));
    assert!(refused(&file("empty", b"")).contains("not a data directory"));
    assert!(refused(&file("zeros", &[0; 20_000])).contains("not a data directory"));
    let gzip = file(
        "broken.tar.gz",
        &[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0xFF, 0xFF],
    );
    assert!(refused(&gzip).contains("not a data directory"));
    // The folder of another program, with a file of ours by chance.
    fs::create_dir(folder.path().join("base")).unwrap();
    assert!(refused(folder.path()).contains("not a data directory"));
    fs::write(folder.path().join("PG_VERSION"), "[mysqld]\n").unwrap();
    let examined = examine(folder.path());
    assert_eq!(examined.status, 1);
    examined.has("version-file-invalid");
    let loop_path = folder.path().join("loop");
    symlink("loop", &loop_path).unwrap();
    refused(&loop_path);
}

#[test]
fn small_files_of_garbage() {
    let cluster = crash();
    cluster.replace("PG_VERSION", &[0xFF; 100]);
    let examined = cluster.examine();
    assert_eq!(examined.status, 1);
    examined.has("version-file-invalid");
    assert_eq!(
        examined.report["cluster"]["major"], "15",
        "pg_control tells, too"
    );

    let garbage: Vec<u8> = (0..8192_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for bytes in [&garbage[..], &garbage[..100], &[], &[0; 8192]] {
        let cluster = crash();
        cluster.replace("global/pg_control", bytes);
        let examined = cluster.examine();
        assert_eq!(examined.status, 1);
        let codes = examined.codes();
        let told = ["control-file-malformed", "control-file-crc-mismatch"];
        assert!(told.iter().any(|code| codes.contains(code)), "{codes:?}");
        assert!(examined.report["evidence"]["blocks"].as_u64() > Some(1000));
    }

    let cluster = crash();
    for path in [
        "backup_label",
        "tablespace_map",
        "pg_wal/00000002.history",
        "global/pg_filenode.map",
        "pg_logical/replorigin_checkpoint",
        "pg_twophase/000002AB",
        "postgresql.auto.conf",
        "postmaster.pid",
    ] {
        cluster.replace(path, &garbage);
    }
    assert_eq!(cluster.examine().status, 1);
}

#[test]
fn wal_that_is_not_there() {
    let cluster = crash();
    let segments = cluster.segments();
    // The one that redo starts in, cut to nothing.
    let redo = segments
        .iter()
        .position(|name| name.ends_with("15"))
        .unwrap();
    cluster.replace(&segments[redo], &[]);
    let examined = cluster.examine();
    assert_eq!(examined.status, 1);
    for segment in &segments {
        let _ = fs::remove_file(cluster.path(segment));
    }
    let examined = cluster.examine();
    assert_eq!(examined.status, 1);
    examined.has("checkpoint-record-unreadable");
    fs::remove_dir_all(cluster.path("pg_wal")).unwrap();
    assert_eq!(cluster.examine().status, 1);
}

/// Sets fields of `pg_control` of 15 and mends its CRC.
fn edit_control(cluster: &Cluster, fields: &[(usize, &[u8])]) {
    let version = Version::of(Major::V15).unwrap();
    let mut control = cluster.read("global/pg_control");
    for (at, bytes) in fields {
        control[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    let at = version.control_crc_at;
    let crc = Crc::of(version).update([&control[..at]]).value();
    control[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    cluster.replace("global/pg_control", &control);
}

/// Examines a cluster without a process of its own.
fn print_all(cluster: &Cluster) {
    let options = Options {
        database: Some("1".to_owned()),
        ..Options::default()
    };
    let report = check(&cluster.root, &options, &()).unwrap();
    let style = text::Style {
        width: 80,
        colour: false,
        min_severity: Severity::Note,
    };
    text::write(Vec::new(), &report, style).unwrap();
    json::write(Vec::new(), &report, Severity::Note).unwrap();
}

#[test]
fn numbers_at_the_end_of_their_range() {
    let ones = [0xFF; 8];
    // ControlFileData of 15: checkPoint 32, and of checkPointCopy redo 40, timelines 48 and
    // 52, nextXid 64, nextOid 72, nextMulti 76, nextMultiOffset 80, oldestXid 84,
    // oldestMulti 92; then minRecoveryPoint 136, its timeline 144.
    for cluster in [clean, crash] {
        for fields in [
            &[(64, &ones[..])][..],
            &[(76, &ones[..]), (84, &ones[..4]), (92, &ones[..4])],
            &[(32, &ones[..])],
            &[(40, &ones[..])],
            &[(48, &ones[..])],
            &[(136, &ones[..]), (144, &ones[..4])],
            &[(32, &[0; 8])],
            &[(32, &ones), (40, &ones)],
        ] {
            let cluster = cluster();
            edit_control(&cluster, fields);
            cluster.replace("pg_wal/FFFFFFFF.history", b"");
            print_all(&cluster);
            cluster.replace("recovery.signal", b"");
            print_all(&cluster);
        }
    }
}

#[test]
fn a_relation_of_one_byte() {
    let cluster = clean();
    cluster.replace(&cluster.table(), b"x");
    let examined = cluster.examine();
    examined.has("last-block-short");
    assert_eq!(examined.status, 1);
}

#[test]
fn very_many_empty_files() {
    let cluster = clean();
    let folder = cluster.path("base/4");
    for number in 0..20_000 {
        File::create(folder.join(format!("{}", 1_000_000 + number))).unwrap();
        if number % 10 == 0 {
            File::create(folder.join(format!("1000000.{}", 1 + number))).unwrap();
        }
    }
    let examined = cluster.examine();
    assert!(examined.report["evidence"]["files"].as_u64() > Some(22_000));
}

fn tar_of(root: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    builder.append_dir_all("pgdata", root).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn archives_that_are_cut_off() {
    let cluster = clean();
    fs::remove_file(cluster.path("pg_tblspc/16385")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plain = tar_of(&cluster.root);
    let packed = zstd::bulk::compress(&plain, 1).unwrap();
    for (name, bytes) in [("a.tar", &plain), ("a.tar.zst", &packed)] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert_eq!(examine(&path).not_examined(), []);
        // Most of it is there, PG_VERSION or pg_control among it or not.
        for part in [3, 17, 19] {
            fs::write(&path, &bytes[..bytes.len() / 20 * part]).unwrap();
            let output = command(&path, &["--format", "json"]).output().unwrap();
            if output.status.code() == Some(2) {
                assert!(refused(&path).contains("archive is damaged"));
            } else {
                assert!(!examine(&path).not_examined().is_empty());
            }
        }
    }
}

/// Runs the command with a bound on its address space.
fn bounded(path: &Path, megabytes: u64) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {}; exec \"$0\" \"$@\"", megabytes << 10))
        .arg(env!("CARGO_BIN_EXE_pgautopsy"))
        .args(["check", "--threads", "2", "--format", "json"])
        .arg(path)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let report = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), report)
}

#[test]
fn a_gigabyte_of_zeros_in_a_small_archive() {
    let cluster = clean();
    let mut packed = Vec::new();
    // Without its end marker, so that another member can follow.
    let mut plain = tar_of(&cluster.root);
    plain.truncate(plain.len() - 1024);
    let mut header = tar::Header::new_gnu();
    header.set_path("pgdata/base/4/999999").unwrap();
    header.set_size(1 << 30);
    header.set_mode(0o600);
    header.set_cksum();
    plain.extend(header.as_bytes());
    packed.extend(zstd::bulk::compress(&plain, 1).unwrap());
    let zeros = zstd::bulk::compress(&vec![0; 16 << 20], 1).unwrap();
    for _ in 0..64 {
        packed.extend(&zeros);
    }
    packed.extend(zstd::bulk::compress(&[0; 1024], 1).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.tar.zst");
    fs::write(&path, &packed).unwrap();
    let (status, report) = bounded(&path, 512);
    assert!([Some(0), Some(1), Some(3)].contains(&status), "{status:?}");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert!(report["evidence"]["bytes"].as_u64() > Some(1 << 30));
}

/// Heap pages full of tuples whose xmin was never assigned.
fn damaged_tuples(pages: u32) -> Vec<u8> {
    let mut table = Vec::new();
    for blkno in 0..pages {
        let mut page = vec![0; 8192];
        let tuples = (8192 - 24) / 36;
        let lower: u16 = 24 + 4 * tuples;
        let upper: u16 = 8192 - 32 * tuples;
        for (at, field) in [(12, lower), (14, upper), (16, 8192), (18, 0x2004)] {
            page[at..at + 2].copy_from_slice(&field.to_le_bytes());
        }
        for n in 0..tuples {
            let off = 8192 - 32 * (n + 1);
            let lp = u32::from(off) | 1 << 15 | 28 << 17;
            let at = usize::from(24 + 4 * n);
            page[at..at + 4].copy_from_slice(&lp.to_le_bytes());
            let at = usize::from(off);
            page[at..at + 4].copy_from_slice(&(3_000_000_000 + blkno).to_le_bytes());
            // t_ctid to itself, one attribute, HEAP_XMAX_INVALID, t_hoff.
            page[at + 14..at + 16].copy_from_slice(&(blkno as u16).to_le_bytes());
            page[at + 16..at + 18].copy_from_slice(&(n + 1).to_le_bytes());
            page[at + 18] = 1;
            page[at + 20..at + 22].copy_from_slice(&0x0800_u16.to_le_bytes());
            page[at + 22] = 24;
        }
        let sum = page_checksum(&page, blkno);
        page[8..10].copy_from_slice(&sum.to_le_bytes());
        table.extend(page);
    }
    table
}

#[test]
fn a_million_damaged_tuples() {
    let cluster = clean();
    let table = cluster.table();
    cluster.replace(&table, &damaged_tuples(4500));
    let (status, report) = bounded(&cluster.root, 512);
    assert_eq!(status, Some(1));
    let report: Value = serde_json::from_str(&report).unwrap();
    // The rest of the report grows with the number of relations.
    assert!(report["findings"].to_string().len() < 50_000);
    assert!(report["groups"].to_string().len() < 5_000);
    let listed = report["findings"].as_array().unwrap();
    let codes = listed.iter().map(|f| f["code"].as_str().unwrap());
    assert_eq!(codes.filter(|c| *c == "xmin-out-of-range").count(), 20);
    assert!(report["evidence"]["tuples"].as_u64() > Some(1_000_000));

    // As many as asked for, even so.
    let options = Options {
        max_findings: 3,
        ..Options::default()
    };
    let report = check(&cluster.root, &options, &()).unwrap();
    let total: u64 = report.findings.groups().map(|(_, group)| group.total).sum();
    assert!(total > 1_000_000, "{total}");
    let mut out = Vec::new();
    let style = text::Style {
        width: 80,
        colour: false,
        min_severity: Severity::Note,
    };
    text::write(&mut out, &report, style).unwrap();
    assert!(out.len() < 20_000);
}

#[test]
fn a_table_of_garbage() {
    let cluster = clean();
    let mut state = 88_172_645_463_325_252_u64;
    let garbage: Vec<u8> = (0..4 << 20)
        .flat_map(|_| {
            // xorshift64, from Marsaglia's paper.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect();
    cluster.replace(&cluster.table(), &garbage);
    let examined = cluster.examine();
    examined.has("page-checksum-mismatch");
    assert_eq!(examined.status, 1);
}
