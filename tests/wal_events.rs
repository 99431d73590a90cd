//! `pgautopsy wal events` and `pgautopsy wal window` on real clusters, whose workload and
//! whose transactions' ends are recorded.

mod support;

use pgautopsy::format::types::XLogRecPtr;
use pgautopsy::format::{Major, Version};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::Command;

fn pgautopsy(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pgautopsy"))
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text + &errors)
}

fn ask(command: &str, path: &Path, archive: Option<&Path>, more: &[&str]) -> Value {
    let mut arguments = vec!["wal", command, path.to_str().unwrap(), "--format", "json"];
    if let Some(archive) = archive {
        arguments.extend(["--wal-archive", archive.to_str().unwrap()]);
    }
    arguments.extend(more);
    let (status, text) = pgautopsy(&arguments);
    assert_eq!(status, Some(0), "{arguments:?}: {text}");
    serde_json::from_str(&text).unwrap()
}

fn list(events: &Value) -> &[Value] {
    events["events"].as_array().unwrap()
}

/// Kind and name of each event about a relation.
fn about_relations(events: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for event in list(events) {
        for relation in event["relations"].as_array().unwrap() {
            let name = relation["name"].as_str().unwrap_or("?");
            found.insert((event["kind"].as_str().unwrap().to_owned(), name.to_owned()));
        }
    }
    found
}

fn version_of(name: &str) -> &'static Version {
    Version::by_name(name.split('-').next().unwrap()).unwrap()
}

/// What the workload did to tables behind the checkpoint, and did not, by version.
fn expect_workload(name: &str, events: &Value) {
    let version = version_of(name);
    let found = about_relations(events);
    let has = |kind: &str, table: &str| found.contains(&(kind.to_owned(), table.to_owned()));
    assert!(has("truncate", "trunc_t"), "{name}: {found:?}");
    assert!(has("drop", "drop_t"), "{name}: {found:?}");
    assert!(has("rewrite", "clus_t"), "{name}: {found:?}");
    assert!(has("set_tablespace", "mov_t"), "{name}: {found:?}");
    assert!(has("create", "late_t"), "{name}: {found:?}");
    if version.since(Major::V9_3) {
        assert!(has("rewrite", "mv"), "{name}: {found:?}");
    }
    for (kind, table) in &found {
        // Rolled back, or never committed.
        let undone = ["trunc_rb", "never_t", "orphan_t"].contains(&table.as_str());
        assert!(!undone && table != "?", "{name}: {kind} {table}");
        assert!(!table.starts_with("pg_temp"), "{name}: {kind} {table}");
        let vague = kind.contains("_or_");
        assert!(!vague, "{name}: {kind} {table}");
    }
}

fn expect_transactions(name: &str, events: &Value) {
    let truth = support::csv(name, "xacts.csv");
    for row in truth {
        let (label, xid) = (&row["label"], row["xid"].parse::<u32>().unwrap());
        let kinds: Vec<&str> = list(events)
            .iter()
            .filter(|event| event["xid"] == xid)
            .map(|event| event["kind"].as_str().unwrap())
            .collect();
        let expected: &[&str] = match label.as_str() {
            "gx_commit" => &["commit_prepared"],
            "gx_rollback" => &["rollback_prepared"],
            "gx_open" => &["prepared"],
            _ => continue,
        };
        // What was prepared before the WAL that is left has no name there, and is not listed.
        if kinds.is_empty() && label != "gx_open" {
            continue;
        }
        assert_eq!(kinds, expected, "{name}: {label}");
    }
}

#[test]
fn the_workload_is_seen_in_every_version() {
    for name in support::of_kind("crash") {
        let folder = support::unpack(name);
        let events = ask("events", &folder.path().join("pgdata"), None, &[]);
        expect_workload(name, &events);
        expect_transactions(name, &events);
    }
}

#[test]
fn only_what_destroys_has_a_target_and_in_the_syntax_of_its_version() {
    for name in support::of_kind("crash") {
        let version = version_of(name);
        let folder = support::unpack(name);
        let events = ask("events", &folder.path().join("pgdata"), None, &[]);
        for event in list(&events) {
            assert_eq!(event["destructive"] == true, !event["recovery"].is_null());
        }
        let truncate = list(&events)
            .iter()
            .find(|event| event["kind"] == "truncate")
            .unwrap();
        let settings: Vec<&str> = truncate["recovery"]["settings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line.as_str().unwrap())
            .collect();
        let xid = truncate["xid"].as_u64().unwrap();
        assert!(
            settings[0].starts_with("# restore_command = "),
            "{settings:?}"
        );
        assert_eq!(
            settings[1],
            format!("recovery_target_xid = '{xid}'"),
            "{name}"
        );
        // 9.0 wants quotation marks around everything.
        let off = if version.since(Major::V9_1) {
            "off"
        } else {
            "'off'"
        };
        assert_eq!(
            settings[2],
            format!("recovery_target_inclusive = {off}"),
            "{name}"
        );
        assert_eq!(settings[3], "recovery_target_timeline = '1'", "{name}");
        let by_lsn = settings
            .iter()
            .any(|line| line.starts_with("# or: recovery_target_lsn = "));
        assert_eq!(by_lsn, version.since(Major::V10), "{name}");
        assert!(
            settings.iter().any(|line| line.ends_with("+00'")),
            "{settings:?}"
        );
    }
}

#[test]
fn the_restore_command_is_that_of_the_archive() {
    let folder = support::unpack("15-crash");
    let wal = folder.path().join("pgdata/pg_wal");
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    for entry in std::fs::read_dir(&wal).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = format!("{}.gz", path.file_name().unwrap().to_str().unwrap());
            let file = std::fs::File::create(archive.join(name)).unwrap();
            let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            gzip.write_all(&std::fs::read(&path).unwrap()).unwrap();
            gzip.finish().unwrap();
        }
    }
    let command = |events: &Value| {
        let mut found = list(events).iter();
        let truncate = found.find(|event| event["kind"] == "truncate").unwrap();
        let first = &truncate["recovery"]["settings"][0];
        first.as_str().unwrap().to_owned()
    };
    let packed = ask("events", &folder.path().join("pgdata"), Some(&archive), &[]);
    let from = archive.display();
    let gzip = format!("# restore_command = 'gzip -dc \"{from}/%f.gz\" > \"%p\"'");
    assert_eq!(command(&packed), gzip);
    let plain = ask("events", &folder.path().join("pgdata"), Some(&wal), &[]);
    let copy = format!("# restore_command = 'cp \"{}/%f\" \"%p\"'", wal.display());
    assert_eq!(command(&plain), copy);
}

#[test]
fn names_come_from_the_wal_alone_where_there_is_no_more() {
    for name in support::of_kind("crash") {
        let folder = support::unpack(name);
        let pgdata = folder.path().join("pgdata");
        let wal = ["pg_wal", "pg_xlog"].map(|dir| pgdata.join(dir));
        let wal = wal.iter().find(|dir| dir.is_dir()).unwrap();
        let events = ask("events", wal, None, &[]);
        let found = about_relations(&events);
        for (kind, table) in [
            ("truncate", "trunc_t"),
            ("drop", "drop_t"),
            ("rewrite", "clus_t"),
        ] {
            let wanted = (kind.to_owned(), table.to_owned());
            assert!(found.contains(&wanted), "{name}: {found:?}");
        }
    }
}

#[test]
fn events_are_narrowed_down() {
    let folder = support::unpack("15-crash");
    let pgdata = folder.path().join("pgdata");
    let all = ask("events", &pgdata, None, &[]);
    let at = list(&all)
        .iter()
        .position(|event| event["kind"] == "truncate")
        .unwrap();
    let truncate = &list(&all)[at];
    let time = truncate["time"].as_str().unwrap();
    let narrow = ask("events", &pgdata, None, &["--since", time, "--until", time]);
    assert!(list(&narrow).contains(truncate));
    assert!(list(&narrow).len() < list(&all).len());
    let lsn = truncate["lsn"].as_str().unwrap();
    let before = ask("events", &pgdata, None, &["--end", lsn]);
    assert_eq!(
        list(&before).len(),
        at + left_open(&before) - left_open_before(&all, at)
    );
    assert!(!list(&before).contains(truncate));
    let rows = ask("events", &pgdata, None, &["--threshold", "20"]);
    let masses = |events: &Value| {
        let mass = |event: &&Value| event["kind"] == "delete" || event["kind"] == "update";
        list(events).iter().filter(mass).count()
    };
    assert!(masses(&rows) > masses(&all));
    let counted = list(&rows)
        .iter()
        .filter_map(|event| event["rows"].as_u64())
        .all(|rows| rows >= 20);
    assert!(counted);
    let (status, text) = pgautopsy(&["wal", "events", "--since", "noon", "x"]);
    assert_eq!(status, Some(2), "{text}");
}

fn left_open(events: &Value) -> usize {
    list(events)
        .iter()
        .filter(|event| event["kind"] == "prepared")
        .count()
}

fn left_open_before(events: &Value, at: usize) -> usize {
    list(events)[..at]
        .iter()
        .filter(|event| event["kind"] == "prepared")
        .count()
}

#[test]
fn events_behind_damage_are_told_and_cannot_be_reached() {
    let folder = support::unpack("15-crash");
    let pgdata = folder.path().join("pgdata");
    let all = ask("events", &pgdata, None, &[]);
    let create = list(&all)
        .iter()
        .find(|event| event["kind"] == "create_database")
        .unwrap();
    let lsn = create["lsn"].as_str().unwrap();
    let at = u64::from_str_radix(lsn.split_once('/').unwrap().1, 16).unwrap();
    // Of 1 MB each.
    let segment = pgdata.join(format!("pg_wal/00000001{:08X}{:08X}", 0, at >> 20));
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[usize::try_from(at & 0xF_FFFF).unwrap() + 30] ^= 0xFF;
    std::fs::write(&segment, bytes).unwrap();
    let events = ask("events", &pgdata, None, &[]);
    let broken = list(&events)
        .iter()
        .position(|event| event["kind"] == "break")
        .unwrap();
    assert!(
        list(&events)[broken]["text"]
            .as_str()
            .unwrap()
            .contains("checksum")
    );
    for event in &list(&events)[..broken] {
        assert_eq!(event["reachable"], true, "{event}");
    }
    let truncate = list(&events)
        .iter()
        .find(|event| event["kind"] == "truncate")
        .unwrap();
    assert_eq!(truncate["reachable"], false);
    assert_eq!(truncate["relations"][0]["name"], "trunc_t");
}

#[test]
fn a_crashed_directory_is_consistent_where_its_wal_ends() {
    for name in support::of_kind("crash") {
        let folder = support::unpack(name);
        let window = ask("window", &folder.path().join("pgdata"), None, &[]);
        let reach = &window["timelines"][0];
        assert_eq!(reach["earliest_is"], "end_of_own_wal", "{name}");
        assert_eq!(reach["earliest_lsn"], reach["latest_lsn"], "{name}");
        let log = support::truth(name, "recovery.log");
        let done = log
            .lines()
            .find_map(|line| line.split_once("redo done at "));
        let done = done.unwrap().1.split_whitespace().next().unwrap();
        let last = reach["last_record_lsn"].as_str().unwrap();
        // 19 pads with zeros.
        assert_eq!(XLogRecPtr::parse(last), XLogRecPtr::parse(done), "{name}");
        let beyond = version_of(name).since(Major::V13);
        assert_eq!(window["target_beyond"].is_string(), beyond, "{name}");
    }
}

#[test]
fn a_window_needs_more_than_wal() {
    let folder = support::unpack("15-crash");
    let wal = folder.path().join("pgdata/pg_wal");
    let (status, text) = pgautopsy(&["wal", "window", wal.to_str().unwrap()]);
    assert_eq!(status, Some(2));
    assert!(text.contains("recovery starts from data files"), "{text}");
    let (status, text) = pgautopsy(&["wal", "events", "/nonexistent/place"]);
    assert_eq!(status, Some(2), "{text}");
}

/// What is printed for people, on one fixture.
#[test]
fn text_is_as_it_was() {
    let folder = support::unpack("15-crash");
    let pgdata = folder.path().join("pgdata");
    for command in ["events", "window"] {
        let (status, text) = pgautopsy(&["wal", command, pgdata.to_str().unwrap()]);
        assert_eq!(status, Some(0));
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        let golden = support::testdata().join(format!("golden/wal-{command}.txt"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&golden, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(text, expected, "BLESS=1 rewrites {}", golden.display());
    }
}

#[test]
#[ignore = "needs the whole set beside the repository"]
fn promotions_are_told_with_their_timelines() {
    let names = support::all_shared();
    let promoted: Vec<&String> = names
        .iter()
        .filter(|name| name.ends_with("-promoted"))
        .collect();
    assert!(promoted.len() >= 8);
    for name in promoted {
        let folder = support::unpack(name);
        let (pgdata, archive) = (folder.path().join("pgdata"), folder.path().join("archive"));
        let events = ask("events", &pgdata, Some(&archive), &[]);
        let promotions: Vec<(&str, u64)> = list(&events)
            .iter()
            .filter(|event| event["kind"] == "promotion")
            .map(|event| {
                (
                    event["lsn"].as_str().unwrap(),
                    event["timeline"].as_u64().unwrap(),
                )
            })
            .collect();
        let timelines: Vec<u64> = promotions.iter().map(|(_, tli)| *tli).collect();
        assert_eq!(timelines, [2, 3], "{name}");
        let found = about_relations(&events);
        for table in ["only_tl1a", "only_tl2a", "only_tl3a", "only_tl3b"] {
            let wanted = ("create".to_owned(), table.to_owned());
            assert!(found.contains(&wanted), "{name}: {table} of {found:?}");
        }
        let window = ask("window", &pgdata, Some(&archive), &[]);
        let timelines = window["timelines"].as_array().unwrap();
        let last = timelines.last().unwrap();
        assert_eq!(
            (&last["timeline"], &last["reachable"]),
            (&3.into(), &true.into())
        );
        for other in &timelines[..timelines.len() - 1] {
            assert_eq!(other["reachable"], false, "{name}");
            let refusal = other["refusal"].as_str().unwrap();
            assert!(refusal.contains("is not a child of"), "{name}: {refusal}");
        }
        if version_of(name).since(Major::V9_3) {
            let left: Vec<&str> = last["ancestors"]
                .as_array()
                .unwrap()
                .iter()
                .map(|ancestor| ancestor["left_at"].as_str().unwrap())
                .collect();
            // The newest first; the record that begins a timeline stands where it begins.
            let began: Vec<&str> = promotions.iter().rev().map(|(lsn, _)| *lsn).collect();
            assert_eq!(left, began, "{name}");
        }
    }
}

#[test]
#[ignore = "needs the whole set beside the repository"]
fn base_backups_reach_from_their_end_to_the_end_of_the_archive() {
    for name in support::all_shared() {
        if !name.ends_with("-basebackup") {
            continue;
        }
        let folder = support::unpack(&name);
        let (pgdata, archive) = (folder.path().join("pgdata"), folder.path().join("archive"));
        let window = ask("window", &pgdata, Some(&archive), &[]);
        let reach = &window["timelines"][0];
        assert_eq!(reach["earliest_is"], "backup_end", "{name}: {window:#}");
        let log = support::truth(&name, "recovery.log");
        let consistent = log
            .lines()
            .find_map(|line| line.split_once("consistent recovery state reached at "));
        let (_, consistent) = consistent.unwrap();
        assert_eq!(reach["earliest_lsn"], consistent.trim(), "{name}");
        let events = ask("events", &pgdata, Some(&archive), &[]);
        expect_workload(&name, &events);
    }
}
