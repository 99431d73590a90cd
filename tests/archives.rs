//! WAL archives as archivers lay them out and compress them: what is read of them must be what
//! is read of plain segments, and what is wrong with them must be told.
#![allow(missing_docs)]

mod support;

use pgautopsy::check::{Only, Options, check};
use pgautopsy::finding::Severity;
use pgautopsy::format::Layout;
use pgautopsy::format::types::XLogRecPtr;
use pgautopsy::format::wal::WalGeometry;
use pgautopsy::pgdata::{Evidence, FileKind, IoMode, classify_wal};
use pgautopsy::recovery::copies::OtherCopy;
use pgautopsy::recovery::verify::{Verification, verify};
use pgautopsy::report::{Report, json};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use support::pack::{COMPRESSIONS, Pack, bzip2, gzip, lz4, plain, zstandard};

// ---------------------------------------------------------------------------------------------
// Layouts

/// Where an archiver puts a file of this name, compressed under this suffix.
type Place = fn(&str, &str) -> String;

fn flat(name: &str, suffix: &str) -> String {
    format!("{name}{suffix}")
}

/// `<stanza>/<version>-<n>/<timeline and log>/<segment>-<sha1>.gz`; history files as they are.
fn pgbackrest(name: &str, suffix: &str) -> String {
    let sha1 = "0123456789abcdef0123456789abcdef01234567";
    match classify_wal(name) {
        FileKind::Wal(_) | FileKind::WalPartial(_) => {
            format!("main/15-1/{}/{name}-{sha1}{suffix}", &name[..16])
        }
        FileKind::BackupHistory { .. } => format!("main/15-1/{}/{name}", &name[..16]),
        _ => format!("main/15-1/{name}"),
    }
}

/// `wals/<timeline and log>/<segment>`, whatever is in it.
fn barman(name: &str, _: &str) -> String {
    match classify_wal(name) {
        FileKind::History { .. } => format!("wals/{name}"),
        _ => format!("wals/{}/{name}", &name[..16]),
    }
}

fn walg(name: &str, suffix: &str) -> String {
    format!("wal_005/{name}{suffix}")
}

const LAYOUTS: [(&str, Place); 4] = [
    ("flat", flat),
    ("pgBackRest", pgbackrest),
    ("Barman", barman),
    ("WAL-G", walg),
];

/// Stores the files of one folder in another as an archiver does.
fn store(from: &Path, to: &Path, place: Place, suffix: &str, pack: Pack) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !entry.path().is_file() || classify_wal(&name) == FileKind::Other {
            continue;
        }
        let path = place(&name, suffix);
        // Barman's names say nothing, and pgBackRest compresses segments alone.
        let packs = path.ends_with(suffix) || path.starts_with("wals/");
        let bytes = fs::read(entry.path()).unwrap();
        put(&to.join(path), &if packs { pack(&bytes) } else { bytes });
    }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn examine(pgdata: &Path, archives: &[PathBuf]) -> Report {
    let options = Options {
        wal_archives: archives.to_vec(),
        only: Only::Wal,
        threads: Some(2),
        ..Options::default()
    };
    check(pgdata, &options, &()).unwrap()
}

/// The report but for what it says of where files lie.
fn told(report: &Report) -> Value {
    let mut out = Vec::new();
    json::write(&mut out, report, Severity::Abnormal).unwrap();
    let mut value: Value = serde_json::from_slice(&out).unwrap();
    value.as_object_mut().unwrap().remove("evidence");
    value
}

fn codes(report: &Report) -> Vec<&'static str> {
    let mut codes: Vec<_> = report.findings.groups().map(|(key, _)| key.code).collect();
    codes.dedup();
    codes
}

#[test]
fn every_compression_in_every_layout_gives_the_plan_of_plain_segments() {
    for fixture in ["15-basebackup", "15-promoted"] {
        let folder = support::unpack(fixture);
        let pgdata = folder.path().join("pgdata");
        let archive = folder.path().join("archive");
        let expected = examine(&pgdata, std::slice::from_ref(&archive));
        assert_eq!(
            expected.exit_status(),
            0,
            "{fixture}: {:?}",
            codes(&expected)
        );
        let wal = expected.wal.as_ref().unwrap();
        assert!(wal.records > 0 || fixture == "15-promoted");
        let expected = told(&expected);
        for (layout, place) in LAYOUTS {
            for (suffix, pack, marked) in COMPRESSIONS {
                let unmarked = place("000000010000000000000001", suffix).ends_with('1') && !marked;
                // Each compression once, each layout with two, is enough of the second.
                let again = fixture == "15-promoted" && layout != "flat";
                if unmarked || again && !["", ".gz"].contains(&suffix) {
                    continue;
                }
                let at = folder.path().join(format!("{layout}{suffix}"));
                store(&archive, &at, place, suffix, pack);
                let report = examine(&pgdata, std::slice::from_ref(&at));
                assert_eq!(
                    report.examined.not_examined,
                    [],
                    "{fixture} {layout} {suffix}"
                );
                assert_eq!(report.exit_status(), 0, "{fixture} {layout} {suffix}");
                assert_eq!(told(&report), expected, "{fixture} {layout} {suffix}");
                fs::remove_dir_all(&at).unwrap();
            }
        }
    }
}

fn verified(path: &Path) -> Verification {
    let evidence = Evidence::of_wal(&[path.to_owned()], IoMode::Pread).unwrap();
    verify(&evidence, false).unwrap()
}

#[test]
fn compressed_segments_of_every_version_are_verified_like_plain_ones() {
    for name in support::of_kind("crash") {
        let folder = support::unpack(name);
        let pgdata = folder.path().join("pgdata");
        let wal = ["pg_wal", "pg_xlog"].map(|dir| pgdata.join(dir));
        let wal = wal.iter().find(|dir| dir.is_dir()).unwrap();
        let copy = folder.path().join("plain");
        store(wal, &copy, flat, "", plain);
        let expected = verified(&copy);
        assert!(expected.timelines.iter().any(|wal| !wal.good.is_empty()));
        let packed = folder.path().join("packed");
        store(wal, &packed, walg, ".lz4", lz4);
        assert_eq!(verified(&packed), expected, "{name}");
        assert_eq!(expected.not_examined, []);
        // An archive of all that was written is no reason for alarm.
        let wal = examine(&pgdata, &[]).wal.unwrap();
        let end = XLogRecPtr(wal.end_lsn.unwrap().0 - 1);
        let layout = Layout {
            wal_segsz: expected.layout.wal_segsz,
            ..Layout::usual(expected.layout.version)
        };
        let geometry = WalGeometry::of(&layout);
        let last = geometry.name(1, geometry.segment_of(end)).to_string();
        for entry in fs::read_dir(packed.join("wal_005")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap()[..24] > *last {
                fs::remove_file(path).unwrap();
            }
        }
        let report = examine(&pgdata, &[packed]);
        assert_eq!(report.exit_status(), 0, "{name}: {:?}", codes(&report));
        let above = report
            .findings
            .groups()
            .filter(|(key, _)| key.severity > Severity::Note);
        assert_eq!(above.count(), 0, "{name}: {:?}", codes(&report));
    }
}

// ---------------------------------------------------------------------------------------------
// Files that are not what they should be

struct Backup {
    folder: tempfile::TempDir,
}

impl Backup {
    fn new() -> Self {
        let folder = support::unpack("15-basebackup");
        Self { folder }
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    fn examine(&self) -> Report {
        examine(&self.folder.path().join("pgdata"), &[self.archive()])
    }

    /// What is told with a segment of the archive replaced by another file.
    fn replace(&self, suffix: &str, pack: impl Fn(&[u8]) -> Vec<u8>) -> Report {
        let plain = self.archive().join(SEGMENT);
        let packed = self.archive().join(format!("{SEGMENT}{suffix}"));
        let bytes = fs::read(&plain).unwrap();
        fs::remove_file(&plain).unwrap();
        put(&packed, &pack(&bytes));
        let report = self.examine();
        fs::remove_file(&packed).unwrap();
        put(&plain, &bytes);
        report
    }
}

const SEGMENT: &str = "000000010000000000000016";

#[test]
fn a_segment_that_cannot_be_decompressed_is_listed_and_counts_as_missing() {
    let backup = Backup::new();
    let absent = backup.replace(".gone", |_| Vec::new());
    for (suffix, pack, marked) in COMPRESSIONS.into_iter().skip(1) {
        let cut = |bytes: &[u8]| {
            let mut packed = pack(bytes);
            packed.truncate(packed.len() / 2);
            packed
        };
        let damaged = |bytes: &[u8]| {
            let mut packed = pack(bytes);
            let middle = packed.len() / 2;
            packed[middle..middle + 64].fill(0x5A);
            packed
        };
        let report = backup.replace(suffix, cut);
        let listed = &report.examined.not_examined;
        assert_eq!(listed.len(), 1, "{suffix}: {listed:?}");
        assert!(
            listed[0].reason.contains("cannot be decompressed"),
            "{suffix}: {listed:?}"
        );
        assert!(
            codes(&report).contains(&"wal-segment-malformed"),
            "{suffix}"
        );
        assert_eq!(report.verdict.startup, absent.verdict.startup, "{suffix}");
        // Of lz4 and lzma nothing guards the content; the WAL does that itself.
        if marked {
            let report = backup.replace(suffix, damaged);
            assert_ne!(report.exit_status(), 0, "{suffix}");
        }
    }
}

#[test]
fn nothing_beyond_the_size_of_a_segment_is_kept() {
    let backup = Backup::new();
    for (suffix, pack, _) in COMPRESSIONS.into_iter().skip(1) {
        let bomb = |bytes: &[u8]| {
            let mut long = bytes.to_vec();
            long.resize(4 << 20, 0);
            pack(&long)
        };
        let report = backup.replace(suffix, bomb);
        let listed = &report.examined.not_examined;
        assert_eq!(listed.len(), 1, "{suffix}: {listed:?}");
        let reason = "it holds more than the 1048576 bytes of such a file";
        assert_eq!(listed[0].reason, reason, "{suffix}");
    }
}

#[test]
fn what_is_not_read_is_said() {
    let cases: [(&str, &[u8], &str); 4] = [
        (".gz", b"Salted__0123456789", "it is encrypted"),
        (
            ".zst",
            &[7; 99],
            "it does not begin as a .zst file does; encrypted, perhaps",
        ),
        (".lzo", &[7; 99], "WAL compressed as .lzo is not read"),
        (".br", &[0x11; 99], "brotli with a large window is not read"),
    ];
    let backup = Backup::new();
    for (suffix, bytes, reason) in cases {
        let report = backup.replace(suffix, |_| bytes.to_vec());
        let listed = &report.examined.not_examined;
        assert_eq!(listed.len(), 1, "{suffix}: {listed:?}");
        assert_eq!(listed[0].reason, reason);
    }
    // The stream of a segment that pg_receivewal was writing has no end.
    let cut = |bytes: &[u8]| {
        let mut packed = gzip(bytes);
        packed.truncate(packed.len() / 2);
        packed
    };
    let report = backup.replace(".gz.partial", cut);
    assert_eq!(report.examined.not_examined, []);
}

// ---------------------------------------------------------------------------------------------
// Several files of one segment

/// A crashed directory and what is known of it.
struct Crash {
    folder: tempfile::TempDir,
    /// The segments from the redo point to the end of WAL.
    segments: Vec<String>,
}

impl Crash {
    fn new() -> Self {
        let folder = support::unpack("15-crash");
        let whole = examine(&folder.path().join("pgdata"), &[]);
        let wal = whole.wal.as_ref().unwrap();
        let segno = |lsn: Option<XLogRecPtr>| lsn.unwrap().0 >> 20;
        let segments = (segno(wal.redo_lsn)..=segno(wal.end_lsn))
            .map(|segno| format!("{:08X}{:08X}{:08X}", 1, segno >> 12, segno & 0xFFF))
            .collect();
        Self { folder, segments }
    }

    fn pgdata(&self) -> PathBuf {
        self.folder.path().join("pgdata")
    }

    fn segment(&self, name: &str) -> PathBuf {
        self.pgdata().join("pg_wal").join(name)
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    fn examine(&self) -> Report {
        fs::create_dir_all(self.archive()).unwrap();
        examine(&self.pgdata(), &[self.archive()])
    }

    fn copies(report: &Report) -> &[OtherCopy] {
        &report.verdict.loss[0].other_copies
    }
}

#[test]
fn a_missing_segment_is_found_elsewhere_but_not_used() {
    let names = [
        ("{}", plain as Pack),
        ("{}.gz", gzip),
        ("{}.partial", plain),
        ("{}.partial.zst", zstandard),
        (
            "15-1/0000000100000000/{}-0123456789abcdef0123456789abcdef01234567.lz4",
            lz4,
        ),
    ];
    for (name, pack) in names {
        let crash = Crash::new();
        let missing = &crash.segments[1];
        let bytes = fs::read(crash.segment(missing)).unwrap();
        fs::remove_file(crash.segment(missing)).unwrap();
        let without = crash.examine();
        assert_eq!(Crash::copies(&without), []);
        put(
            &crash.archive().join(name.replace("{}", missing)),
            &pack(&bytes),
        );
        let report = crash.examine();
        // The server does not ask an archive after a crash.
        assert_eq!(report.verdict.startup, without.verdict.startup, "{name}");
        assert_eq!(report.verdict.status, without.verdict.status);
        assert!(report.verdict.startup.as_ref().unwrap().silent_loss);
        let [copy] = Crash::copies(&report) else {
            panic!("{name}: {:?}", Crash::copies(&report));
        };
        assert!(
            copy.whole && copy.segment.to_string() == *missing,
            "{copy:?}"
        );
        assert!(
            copy.place.ends_with(&name.replace("{}", missing)),
            "{copy:?}"
        );
        assert_eq!(copy.compressed, pack as usize != plain as Pack as usize);
        let steps = report.verdict.next_steps.join("\n");
        assert!(steps.contains(&copy.place), "{steps}");
        let value = told(&report);
        assert_eq!(
            value["verdict"]["loss"][0]["other_copies"][0]["whole"],
            true
        );
        // What the archive has of it is counted as lost, too.
        let commits = |report: &Report| report.verdict.loss[0].commits;
        assert!(commits(&report) >= commits(&without));
        // As told, so done.
        fs::write(crash.segment(missing), &bytes).unwrap();
        assert_eq!(crash.examine().exit_status(), 0);
    }
}

#[test]
fn a_missing_segment_is_found_under_another_name() {
    let crash = Crash::new();
    let missing = &crash.segments[1];
    let elsewhere = "0000000100000000000000F0";
    fs::rename(crash.segment(missing), crash.segment(elsewhere)).unwrap();
    let report = crash.examine();
    let [copy] = Crash::copies(&report) else {
        panic!("{:?}", Crash::copies(&report));
    };
    assert_eq!(copy.place, format!("pg_wal/{elsewhere}"));
    assert!(copy.whole);
}

#[test]
fn a_damaged_segment_is_found_whole_elsewhere() {
    let crash = Crash::new();
    let damaged = &crash.segments[1];
    let bytes = fs::read(crash.segment(damaged)).unwrap();
    let mut broken = bytes.clone();
    broken[500_000..500_100].fill(0xA5);
    fs::write(crash.segment(damaged), &broken).unwrap();
    put(
        &crash.archive().join(format!("{damaged}.bz2")),
        &bzip2(&bytes),
    );
    let report = crash.examine();
    assert!(codes(&report).contains(&"wal-record-damaged"));
    assert!(codes(&report).contains(&"wal-segment-copies-differ"));
    let [copy] = Crash::copies(&report) else {
        panic!("{:?}", Crash::copies(&report));
    };
    assert!(copy.whole && copy.compressed);
    // The same damage in both: nothing helps.
    put(
        &crash.archive().join(format!("{damaged}.bz2")),
        &bzip2(&broken),
    );
    assert_eq!(Crash::copies(&crash.examine()), []);
}

#[test]
fn healthy_copies_do_not_contradict_each_other() {
    let crash = Crash::new();
    for segment in &crash.segments {
        let bytes = fs::read(crash.segment(segment)).unwrap();
        // Taken when it was half full: zeros behind, or the file's earlier use.
        let mut half = bytes.clone();
        half[600_000..].fill(0);
        put(&crash.archive().join(format!("{segment}.partial")), &half);
        let earlier = crash.segments.first().unwrap();
        let old = fs::read(crash.segment(earlier)).unwrap();
        let mut recycled = bytes.clone();
        recycled[300_032..].copy_from_slice(&old[300_032..]);
        if segment != earlier {
            put(&crash.archive().join("standby").join(segment), &recycled);
        }
    }
    let report = crash.examine();
    assert_eq!(report.exit_status(), 0, "{:?}", codes(&report));
    assert!(!codes(&report).contains(&"wal-segment-copies-differ"));
}

#[test]
fn gaps_are_told_by_timeline() {
    let folder = support::unpack("15-promoted");
    let archive = folder.path().join("archive");
    let pgdata = folder.path().join("pgdata");
    for place in [&archive, &pgdata.join("pg_wal")] {
        let _ = fs::remove_file(place.join("000000020000000000000014"));
        let _ = fs::remove_file(place.join("000000010000000000000012"));
    }
    let report = examine(&pgdata, &[archive]);
    let gaps: Vec<_> = report
        .wal
        .as_ref()
        .unwrap()
        .timelines
        .iter()
        .flat_map(|wal| &wal.gaps)
        .collect();
    let names: Vec<String> = gaps.iter().map(|(first, ..)| first.to_string()).collect();
    assert_eq!(
        names,
        ["000000010000000000000012", "000000020000000000000014"]
    );
    assert!(codes(&report).contains(&"wal-archive-incomplete"));
}

// ---------------------------------------------------------------------------------------------
// The command

fn wal_command(arguments: &[&str], path: &Path) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pgautopsy"))
        .arg("wal")
        .args(arguments)
        .arg(path)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_wal_commands_read_compressed_and_nested_archives() {
    let folder = support::unpack("15-promoted");
    let archive = folder.path().join("archive");
    for (name, place) in LAYOUTS {
        let packed = folder.path().join(name);
        store(&archive, &packed, place, ".zst", zstandard);
        for arguments in [&["verify"][..], &["dump", "--timeline", "3"]] {
            let expected = wal_command(arguments, &archive);
            assert_eq!(wal_command(arguments, &packed), expected, "{name}");
        }
    }
    let text = wal_command(&["verify"], &archive);
    assert!(text.contains("SOUND"), "{text}");
    assert!(text.contains(", from timeline 1 at 0/"), "{text}");
    // One segment by itself.
    let plain = archive.join("000000010000000000000012");
    let packed = folder.path().join("000000010000000000000012.bz2");
    put(&packed, &bzip2(&fs::read(&plain).unwrap()));
    let expected = wal_command(&["dump"], &plain);
    assert!(expected.lines().count() > 10);
    assert_eq!(wal_command(&["dump"], &packed), expected);
}
