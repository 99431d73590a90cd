//! `pgautopsy slru` on every bundled directory, and on directories of which parts were removed.
#![allow(missing_docs)]

mod support;

use pgautopsy::check::{Options, check};
use pgautopsy::format::slru::Slru;
use pgautopsy::report::Report;
use pgautopsy::report::slru::{write_json, write_text};
use pgautopsy::slru::{SlruSummary, Slrus, list};
use rayon::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::Path;
use support::{bundled, packed, testdata, unpack, unpack_file};

fn of(slrus: &Slrus, slru: Slru) -> &SlruSummary {
    slrus.slrus.iter().find(|one| one.slru == slru).unwrap()
}

fn text(slrus: &Slrus) -> String {
    let mut out = Vec::new();
    write_text(&mut out, slrus, 80, false).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(slrus: &Slrus) -> Value {
    let mut out = Vec::new();
    write_json(&mut out, slrus).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn nothing_is_missing_of_a_healthy_directory() {
    bundled().par_iter().for_each(|name| {
        let slrus = list(&packed(name)).unwrap();
        let printed = text(&slrus);
        assert!(slrus.is_whole(), "{name}: {printed}");
        assert!(
            printed.lines().all(|line| line.chars().count() <= 80),
            "{printed}"
        );
        let clog = of(&slrus, Slru::Xact);
        let counted: u64 = clog.segments.iter().flat_map(|s| s.statuses.unwrap()).sum();
        // What has no page yet, replay makes; of a backup without its WAL nothing is known.
        if let Some(needed) = clog.needed {
            assert!(counted <= needed.next - needed.oldest, "{name}: {printed}");
        }
        assert!(!printed.contains("not needed"), "{name}: {printed}");
    });
}

#[test]
fn what_is_missing_is_named() {
    let folder = unpack("15-clean");
    let pgdata = folder.path().join("pgdata");
    let remove = |path: &str| fs::remove_file(pgdata.join(path)).unwrap();
    let cut = |path: &str, size| {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(pgdata.join(path))
            .unwrap();
        file.set_len(size).unwrap();
    };
    remove("pg_xact/0000");
    fs::write(pgdata.join("pg_xact/0FFF"), [0; 8192]).unwrap();
    cut("pg_multixact/members/0000", 100);
    let slrus = list(&pgdata).unwrap();
    assert!(!slrus.is_whole());
    let clog = of(&slrus, Slru::Xact);
    assert_eq!(clog.missing, [("0000".to_owned(), "0000".to_owned(), 1)]);
    assert_eq!(clog.segments[0].needed, Some(false));
    assert_eq!(clog.segments[0].zero_pages, 1);
    let printed = text(&slrus);
    for part in [
        "\n  missing   0000\n",
        "\n  0FFF         1     1            0            0            0              0  not needed\n",
        "\n  0000         0     0  lacks 1 page\n",
    ] {
        assert!(printed.contains(part), "{part:?} in {printed}");
    }
    let object = json(&slrus);
    assert_eq!(object["slrus"][0]["missing"][0]["first"], "0000");
    assert_eq!(object["slrus"][3]["segments"][0]["lacking_pages"], 1);
}

#[test]
fn without_pg_control_what_is_there_is_listed() {
    let folder = unpack("9.4-crash");
    let pgdata = folder.path().join("pgdata");
    fs::remove_file(pgdata.join("global/pg_control")).unwrap();
    let slrus = list(&pgdata).unwrap();
    assert!(slrus.is_whole());
    let clog = of(&slrus, Slru::Xact);
    assert_eq!(clog.needed, None);
    let [segment] = &clog.segments[..] else {
        panic!("one segment");
    };
    let transactions: u64 = segment.statuses.unwrap().iter().sum();
    assert_eq!(transactions, u64::from(segment.pages) * 32_768);
}

/// What servers of 15 said of the same files; a file that is missing they take for zeroes.
#[test]
fn a_start_that_a_short_file_stops_is_foretold() {
    let folder = unpack_file("slru-15.tar.zst");
    let pgdata = folder.path().join("pgdata");
    let cases = [
        ("pg_xact/0001", 0, Some(1_077_820), "clog-segment-short"),
        (
            "pg_multixact/offsets/0001",
            0,
            Some(67_488),
            "multixact-segment-short",
        ),
        (
            "pg_multixact/members/0001",
            0,
            Some(67_488),
            "multixact-segment-short",
        ),
        (
            "pg_commit_ts/0027",
            16_384,
            None,
            "commit-ts-segment-missing",
        ),
        ("pg_commit_ts/0029", 8192, None, "commit-ts-segment-missing"),
    ];
    for (path, size, asked_for, code) in cases {
        let file = pgdata.join(path);
        let kept = fs::read(&file).unwrap();
        let said = |report: &Report| {
            let startup = report.verdict.startup.as_ref().unwrap();
            startup.message.clone()
        };
        fs::write(&file, &kept[..size]).unwrap();
        let short = check(&pgdata, &Options::default(), &()).unwrap();
        fs::remove_file(&file).unwrap();
        let missing = check(&pgdata, &Options::default(), &()).unwrap();
        fs::write(&file, kept).unwrap();
        let expected =
            asked_for.map(|n| format!("FATAL: could not access status of transaction {n}"));
        assert_eq!(said(&short), expected, "{path}");
        assert_eq!(said(&missing), None, "{path}");
        let found = |report: &Report| {
            let findings = report.findings.sorted();
            let named = findings.iter().filter(|f| &*f.location.path == path);
            named.map(|f| f.check.code).collect::<Vec<_>>()
        };
        assert!(found(&short).contains(&code), "{path}: {:?}", found(&short));
        let code = code.replace("short", "missing");
        assert!(
            found(&missing).contains(&&*code),
            "{path}: {:?}",
            found(&missing)
        );
    }
}

#[test]
fn the_list_is_printed_as_expected() {
    let mut slrus = list(&packed("19-clean")).unwrap();
    slrus.path = "pgdata".to_owned();
    golden("slru.txt", &text(&slrus));
    let statuses = &json(&slrus)["slrus"][0]["segments"][0]["statuses"];
    assert!(statuses["committed"].as_u64() > statuses["aborted"].as_u64());
}

/// Compares with `testdata/golden/NAME`, or rewrites it: `BLESS=1 cargo test --test slru`.
fn golden(name: &str, actual: &str) {
    let path = testdata().join("golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(expected, actual, "{}", Path::new(name).display());
}
