//! `pgautopsy wal dump` against what the servers' own pg_waldump and pg_xlogdump printed, and
//! `pgautopsy wal verify` on archives with damage.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod support;

fn pgautopsy(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pgautopsy"))
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.code() == Some(2) || errors.is_empty(),
        "{errors}"
    );
    (output.status.code(), text + &errors)
}

fn dump(path: &Path, arguments: &[&str]) -> Vec<String> {
    let path = [path.to_str().unwrap()];
    let (status, text) = pgautopsy(&[&["wal", "dump"], &path[..], arguments].concat());
    assert_eq!(status, Some(0), "{text}");
    text.lines().map(str::to_owned).collect()
}

fn lsn(line: &str) -> &str {
    let (_, rest) = line.split_once("lsn: ").unwrap_or_else(|| panic!("{line}"));
    rest.split(',').next().unwrap()
}

/// A line without what depends on the tool: the recording ones were sometimes of another
/// build of their major, whose catalog version stands in paths of tablespaces, and
/// pg_waldump 11 prints for META_CLEANUP whatever stands in its memory.
fn comparable(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("/PG_") {
        text += before;
        rest = after.split_once('/').map_or("", |(_, rest)| rest);
        text += "/";
    }
    text += rest;
    match text.split_once("META_CLEANUP oldest_btpo_xact") {
        Some((head, _)) => head.to_owned(),
        None => text,
    }
}

/// Every line of the truth, in order, and then the end of WAL; how many lines there were.
fn expect_truth(name: &str) -> usize {
    let Some(truth) = support::truth_if_any(name, "waldump.txt.zst") else {
        return 0;
    };
    let expected: Vec<String> = truth
        .lines()
        .filter(|line| !line.starts_with("# "))
        .map(comparable)
        .collect();
    let folder = support::unpack(name);
    // Of a base backup all its WAL may lie in the archive.
    let archive = folder.path().join("archive");
    let place = match name.ends_with("-basebackup") {
        true => archive,
        false => folder.path().join("pgdata"),
    };
    if !place.exists() {
        return 0;
    }
    let found = dump(&place, &["--start", lsn(&expected[0])]);
    let (end, found) = found.split_last().unwrap();
    assert!(end.starts_with("# "), "{name}: {end}");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(&comparable(found), expected, "{name}");
    }
    assert_eq!(found.len(), expected.len(), "{name}");
    found.len()
}

#[test]
#[ignore = "needs the whole set beside the repository"]
fn every_line_of_the_whole_set_is_that_of_the_versions_own_tool() {
    let names = support::all_shared();
    let lines = names.iter().map(|name| expect_truth(name));
    let lines: usize = lines.sum();
    assert!(lines > 400_000, "only {lines} lines compared");
}

#[test]
fn nothing_is_malformed_or_unknown_in_any_version() {
    for name in support::of_kind("crash") {
        let folder = support::unpack(name);
        let lines = dump(&folder.path().join("pgdata"), &[]);
        assert!(lines.len() > 1_000, "{name}: {}", lines.len());
        for line in lines {
            let strange = line.contains("(malformed)") || line.contains("UNKNOWN");
            assert!(!strange, "{name}: {line}");
        }
    }
}

/// The segments of a fixture, copied into a folder as if archived.
fn archive(name: &str, into: &Path) -> Vec<PathBuf> {
    let folder = support::unpack(name);
    let pgdata = folder.path().join("pgdata");
    let wal = ["pg_wal", "pg_xlog"].map(|dir| pgdata.join(dir));
    let wal = wal.iter().find(|dir| dir.is_dir()).unwrap();
    let mut segments = Vec::new();
    for entry in fs::read_dir(wal).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if name.len() == 24 {
            fs::copy(&path, into.join(name)).unwrap();
            segments.push(into.join(name));
        }
    }
    segments.sort();
    segments
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0xFF;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_dump_goes_on_behind_damage_and_loses_little() {
    for (name, message) in [
        (
            "15-crash",
            "incorrect resource manager data checksum in record at ",
        ),
        (
            "9.3-crash",
            "incorrect resource manager data checksum in record at ",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let segments = archive(name, folder.path());
        let whole = dump(folder.path(), &[]);
        // The last byte of a record's payload, in the middle of the WAL.
        let damaged = whole[..whole.len() / 2].iter().rev();
        let damaged = damaged
            .clone()
            .find(|line| line.contains("rmgr: Btree"))
            .unwrap();
        let (high, low) = lsn(damaged).split_once('/').unwrap();
        assert_eq!(high, "0");
        let at = u64::from_str_radix(low, 16).unwrap();
        let size = fs::metadata(&segments[0]).unwrap().len();
        let wanted = format!("{:08X}", at / size);
        let segment = segments
            .iter()
            .find(|p| p.to_str().unwrap().ends_with(&wanted));
        flip(segment.unwrap(), (at % size) as usize + 33);

        let found = dump(folder.path(), &[]);
        let stops: Vec<&String> = found.iter().filter(|line| line.starts_with("# ")).collect();
        assert_eq!(stops.len(), 2, "{name}: {stops:?}");
        assert!(
            stops[0].contains(message) && stops[0].contains("; goes on at "),
            "{stops:?}"
        );
        assert_eq!(found.last(), whole.last());
        let whole: BTreeMap<&str, &String> = whole
            .iter()
            .filter(|line| !line.starts_with("# "))
            .map(|line| (lsn(line), line))
            .collect();
        let mut lost = whole.len();
        for line in found.iter().filter(|line| !line.starts_with("# ")) {
            assert_eq!(whole[lsn(line)], line);
            lost -= 1;
        }
        assert!((1..200).contains(&lost), "{name}: {lost} records lost");
    }
}

#[test]
fn records_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    archive("15-crash", folder.path());
    let all = dump(folder.path(), &[]);
    let some = dump(folder.path(), &["--rmgr", "transaction", "--limit", "5"]);
    assert_eq!(some.len(), 5);
    assert!(
        some.iter()
            .all(|line| line.starts_with("rmgr: Transaction"))
    );
    let from = lsn(&all[100]);
    let to = lsn(&all[110]);
    assert_eq!(
        dump(folder.path(), &["--start", from, "--end", to]),
        all[100..110]
    );
    let relation = all
        .iter()
        .find_map(|line| line.split_once("blkref #0: rel "))
        .unwrap()
        .1;
    let relation = relation.split(' ').next().unwrap();
    let about = dump(folder.path(), &["--relation", relation, "--limit", "9"]);
    let is_about = |line: &String| line.starts_with("# ") || line.contains(relation);
    assert!(about.len() > 1 && about.iter().all(is_about));

    let objects = dump(folder.path(), &["--format", "json"]);
    assert_eq!(objects.len(), all.len());
    let (end, objects) = objects.split_last().unwrap();
    let end: serde_json::Value = serde_json::from_str(end).unwrap();
    assert!(end["stop"].is_string() && end["resumed"].is_null());
    let object: serde_json::Value = serde_json::from_str(&objects[100]).unwrap();
    assert!(all[100].contains(object["desc"].as_str().unwrap()));
    assert!(object["blocks"].is_array() && object["length"].is_u64());

    let (status, text) = pgautopsy(&[
        "wal",
        "dump",
        folder.path().to_str().unwrap(),
        "--rmgr",
        "x",
    ]);
    assert_eq!(status, Some(2));
    assert!(text.contains("no resource manager \"x\""), "{text}");
}

fn verify(path: &Path) -> (Option<i32>, serde_json::Value) {
    let path = path.to_str().unwrap();
    let (status, text) = pgautopsy(&["wal", "verify", "--format", "json", path]);
    (
        status,
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")),
    )
}

#[test]
fn whole_wal_is_sound_at_any_number_of_threads() {
    for name in support::of_kind("crash") {
        let folder = support::unpack(name);
        let pgdata = folder.path().join("pgdata");
        let pgdata = pgdata.to_str().unwrap();
        let one = pgautopsy(&["wal", "verify", pgdata, "--threads", "1"]);
        assert_eq!(one.0, Some(0), "{name}: {}", one.1);
        assert!(
            one.1.contains("\nSOUND: ") && one.1.lines().all(|line| line.chars().count() <= 80)
        );
        assert_eq!(one, pgautopsy(&["wal", "verify", pgdata, "--threads", "3"]));
    }
}

#[test]
fn breaks_gaps_and_foreign_segments_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let segments = archive("15-crash", folder.path());
    // What was made in advance is no part of an archive.
    let (_, whole) = verify(folder.path());
    let end = &whole["timelines"][0];
    let good = end["good"].as_array().unwrap().len();
    assert_eq!(good, 1, "{whole}");
    let n = segments.len();
    assert!(n > 5);

    flip(&segments[1], 24_000);
    fs::remove_file(&segments[3]).unwrap();
    let other = tempfile::tempdir().unwrap();
    let foreign = &archive("16-crash", other.path())[0];
    fs::copy(foreign, folder.path().join("0000000100000000000000FF")).unwrap();
    let (status, found) = verify(folder.path());
    assert_eq!(status, Some(1));
    assert_eq!(found["sound"], false);
    let timeline = &found["timelines"][0];
    let missing = segments[3].file_name().unwrap().to_str().unwrap();
    assert_eq!(timeline["gaps"][0]["first"], missing);
    assert_eq!(timeline["gaps"][0]["last"], missing);
    assert!(timeline["breaks"][0]["resumed"].is_string(), "{found}");
    assert_eq!(timeline["good"].as_array().unwrap().len(), 3, "{found}");
    assert_eq!(found["foreign"][0]["path"], "0000000100000000000000FF");
    assert_eq!(found["foreign"][0]["reason"], "of PostgreSQL 16");
}

#[test]
fn a_damaged_first_page_costs_a_verification_the_segment_and_a_dump_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let segments = archive("15-crash", folder.path());
    let before = dump(folder.path(), &[]).len();
    flip(&segments[1], 0);
    let (status, found) = verify(folder.path());
    assert_eq!(status, Some(1));
    let broken = &found["timelines"][0]["breaks"][0];
    assert!(
        broken["message"]
            .as_str()
            .unwrap()
            .starts_with("invalid magic number"),
        "{found}"
    );
    let after = dump(folder.path(), &[]).len();
    assert!(before - after < 300, "{before} {after}");
}

#[test]
fn where_there_is_no_wal_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().to_str().unwrap();
    for command in ["dump", "verify"] {
        for path in [empty, "/nonexistent"] {
            let (status, text) = pgautopsy(&["wal", command, path]);
            assert_eq!(status, Some(2), "{text}");
            assert!(text.starts_with("pgautopsy: "), "{text}");
        }
    }
}
