//! The printers, on a report made by hand that resembles the incident this project was born
//! from: a table overwritten with text, and seven commit log files made with `dd`.
//!
//! `BLESS=1 cargo test --test report` rewrites the expected output in `testdata/golden/`.

use pgautopsy::checks::{Area, Check};
use pgautopsy::finding::{Confidence, Finding, Findings, Location, Recovery, Severity};
use pgautopsy::format::names::WalSegmentName;
use pgautopsy::format::types::{
    ForkNumber, FullTransactionId, RelFileLocator, TimestampTz, TransactionId, XLogRecPtr,
};
use pgautopsy::recovery::copies::OtherCopy;
use pgautopsy::report::text::{self, Style};
use pgautopsy::report::{
    ClusterSummary, Examined, NotExamined, RelationName, RelationSummary, Report, StopKind,
    TimelineSummary, WalSummary, json,
};
use pgautopsy::verdict::{Loss, LostRecords, Outcome, Startup, Status, Verdict};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

fn segment(name: &str) -> WalSegmentName {
    WalSegmentName::parse(name).unwrap()
}

macro_rules! test_check {
    ($name:ident, $code:literal, $severity:ident, $area:ident) => {
        static $name: Check = Check {
            code: $code,
            area: Area::$area,
            severity: Severity::$severity,
            summary: "a fault of this test",
            explanation: " ## What it means\n It is made up.\n\n ## What to do\n Restore the block\n from a backup.\n",
        };
    };
}

test_check!(OVERWRITTEN, "test-page-overwritten", Damage, Page);
test_check!(XMIN, "test-xmin-never-assigned", Damage, Heap);
test_check!(CHECKSUM, "test-checksum", Damage, Page);
test_check!(CLOG, "test-clog-foreign", Damage, Clog);
test_check!(ABNORMAL, "test-file-unknown", Abnormal, Dir);
test_check!(CONTROL, "test-control-crc", Fatal, Ctl);
test_check!(NOTE, "test-note", Note, Dir);

const ZIPLOG: RelFileLocator = file(1_046_635);
const MADE_UP: [(u32, u32, &str); 7] = [
    (30490, 4_294_692_688, "0FFF"),
    (30497, 2_319_990_784, "08A4"),
    (30502, 1_852_990_827, "06E7"),
    (30509, 779_319_667, "02E7"),
    (30511, 540_619_040, "0203"),
    (30518, 976_499_770, "03A3"),
    (30523, 2_036_428_064, "0796"),
];

const fn file(rel_number: u32) -> RelFileLocator {
    RelFileLocator {
        spc_oid: 1663,
        db_oid: 16397,
        rel_number,
    }
}

fn block(locator: RelFileLocator, fork: ForkNumber, block: u32) -> Location {
    Location {
        path: Arc::from(format!(
            "base/{}/{}{}",
            locator.db_oid,
            locator.rel_number,
            fork.suffix()
        )),
        block: Some(block),
        offset_number: None,
        byte_offset: Some(u64::from(block) * 8192),
        lsn: None,
        relation: Some((locator, fork, 0)),
    }
}

fn lsn(text: &str) -> Option<XLogRecPtr> {
    XLogRecPtr::parse(text)
}

fn relation(
    name: &str,
    kind: &'static str,
    rel_number: u32,
    blocks: u32,
    rows: u64,
) -> RelationSummary {
    let (schema, name) = name.split_once('.').expect("schema.name");
    let locator = file(rel_number);
    RelationSummary {
        name: RelationName {
            database: Some("common".into()),
            schema: Some(schema.into()),
            name: Some(name.into()),
            kind: Some(kind),
            oid: Some(rel_number - 5),
        },
        locator,
        path: format!("base/{}/{rel_number}", locator.db_oid),
        blocks,
        tuples: rows,
        rows,
        unreadable_tuples: 0,
        unreadable_blocks: 0,
        healed_blocks: 0,
        lost_blocks: 0,
        wal_blocks: 0,
        damage: BTreeMap::new(),
    }
}

fn incident() -> Report {
    let mut findings = Findings::new(20);
    for n in 30526..=30533 {
        let finding = Finding::new(
            &OVERWRITTEN,
            block(ZIPLOG, ForkNumber::Main, n),
            "overwritten with text of another file: \"May 18 03:00:00 server1 kernel: eth0: link…\"",
        );
        findings.push(
            finding
                .found_expected("text", "a heap page")
                .server_error(format!(
                    "invalid page header in block {n} of relation base/16397/1046635"
                )),
        );
    }
    for (n, xid, name) in MADE_UP {
        let mut location = block(ZIPLOG, ForkNumber::Main, n);
        location.offset_number = Some(5);
        let finding = Finding::new(
            &XMIN,
            location,
            format!(
                "xmin {xid} was never assigned (next XID is 771): the tuple header is overwritten"
            ),
        );
        findings.push(
            finding
                .found_expected(xid, "3..770")
                .server_error(format!("could not access status of transaction {xid}")),
        );
        let path = format!("pg_clog/{name}");
        findings.push(
            Finding::new(
                &CLOG,
                Location::file(&path),
                format!(
                    "{path} is all zero and outside the live range 0000-0000: it was made by hand"
                ),
            )
            .confidence(Confidence::Likely),
        );
    }
    for (rel_number, blocks) in [(16401, 4..6), (16410, 9..10)] {
        for n in blocks {
            let finding = Finding::new(
                &CHECKSUM,
                block(file(rel_number), ForkNumber::Main, n),
                "torn page",
            );
            findings.push(finding.recovery(Recovery::Heals));
        }
    }
    findings.push(Finding::new(
        &ABNORMAL,
        Location::file("base/16397/core.4711"),
        "a file that PostgreSQL does not make",
    ));
    for n in 0..12 {
        let path = format!("base/pgsql_tmp/pgsql_tmp{n}.0");
        findings.push(Finding::new(&NOTE, Location::file(&path), "temporary file"));
    }
    let mut ziplog = relation("public.ziplog", "table", 1_046_635, 31084, 372_897);
    ziplog.tuples = 372_904;
    ziplog.unreadable_tuples = 7;
    ziplog.unreadable_blocks = 8;
    ziplog.damage = [
        ("test-page-overwritten", 8),
        ("test-xmin-never-assigned", 7),
    ]
    .into();
    Report {
        examined: Examined {
            data_directory: "pgdata".into(),
            wal_directories: vec!["pgdata/pg_xlog".into()],
            files: 1023,
            bytes: 327_155_712,
            blocks: 39112,
            wal_bytes: 2_441_168,
            tuples: 447_913,
            limited_to: Vec::new(),
            not_examined: Vec::new(),
        },
        cluster: Some(ClusterSummary {
            major: "9.1".into(),
            system_identifier: 7_710_209_048_284_561_223,
            state: "in production".into(),
            checkpoint_lsn: XLogRecPtr(0x1283_8460),
            redo_lsn: XLogRecPtr(0x1283_8460),
            timeline: 1,
            next_xid: FullTransactionId(729),
            oldest_xid: TransactionId(668),
            next_multixact: 1,
            oldest_multixact: None,
            block_size: 8192,
            wal_segment_size: 16 << 20,
            data_checksums: None,
            control_crc_ok: true,
        }),
        wal: Some(WalSummary {
            first_lsn: lsn("0/12000000"),
            redo_lsn: lsn("0/12838460"),
            end_lsn: lsn("0/12A8C3D0"),
            last_record_lsn: lsn("0/12A8C390"),
            stop_reason: Some("record with zero length at 0/12A8C3D0".into()),
            stop_kind: StopKind::EndOfWal,
            records: 29_411,
            redo_bytes: 2_441_072,
            redo_segments: 1,
            by_rmgr: vec![("XLOG".into(), 1), ("Transaction".into(), 41), ("Heap".into(), 29_369)],
            commits: 41,
            first_commit: Some(TimestampTz(848_488_143_100_000)),
            last_commit: Some(TimestampTz(848_488_143_460_762)),
            next_xid: FullTransactionId(771),
            timelines: Vec::new(),
        }),
        verdict: Verdict {
            patterns: Vec::new(),
            status: Status::Damaged,
            headline: "1 table cannot be read in full. The server starts and does not say so.".into(),
            startup: Some(Startup {
                outcome: Outcome::CrashRecovery,
                message: None,
                redo_start: lsn("0/128384B8"),
                redo_done: lsn("0/12A8C390"),
                end_of_wal: lsn("0/12A8C3D0"),
                timeline: Some(1),
                last_completed_transaction: Some(TimestampTz(848_488_143_460_762)),
                silent_loss: false,
                waits_for: None,
                settings: Vec::new(),
                conditions: Vec::new(),
            }),
            loss: Vec::new(),
            pg_resetwal: None,
            next_steps: vec![
                "Copy the directory as it is, before anything else.".into(),
                "Do not run pg_resetxlog: it mends nothing here and drops 2.3 MB of WAL with 41 commits.".into(),
                "In the copy, remove the 7 made-up clog files: they turn unreadable rows into silently missing ones. (pgautopsy explain clog-segment-foreign)".into(),
                "Start the server on the copy and dump every table but common.public.ziplog.".into(),
            ],
        },
        findings,
        relations: vec![
            relation("pg_catalog.pg_class", "table", 12710, 14, 280),
            relation("public.import_work", "table", 16410, 60, 4000),
            relation("public.members", "table", 16401, 200, 20000),
            relation("public.members_pkey", "index", 16405, 57, 0),
            relation("public.orders", "table", 16415, 430, 50040),
            ziplog,
        ],
    }
}

/// Everything else that a report can hold, and names that try to take over the terminal.
fn disaster() -> Report {
    let evil = "\x1b[2J\u{9b}31mowned\r\n\u{202e}\x07\x7f";
    let mut findings = Findings::new(3);
    findings.push(
        Finding::new(
            &CONTROL,
            Location::file("global/pg_control"),
            "CRC is wrong",
        )
        .found_expected("00000000", "5F3C11D2")
        .server_error("incorrect checksum in control file"),
    );
    for n in (0..1400).step_by(2) {
        for offnum in 1..=2 {
            let mut location = block(file(500), ForkNumber::Main, n);
            location.offset_number = Some(offnum);
            findings.push(
                Finding::new(&XMIN, location, format!("xmin {n} {evil}"))
                    .recovery(Recovery::Unknown),
            );
        }
    }
    findings.push(Finding::new(
        &CHECKSUM,
        block(file(501), ForkNumber::Vm, 3),
        "checksum is 1, not 2",
    ));
    findings.push(Finding::new(
        &CHECKSUM,
        block(file(777), ForkNumber::Main, 3),
        "checksum is 1, not 2",
    ));
    for n in 600..630 {
        findings.push(Finding::new(
            &CHECKSUM,
            block(file(n), ForkNumber::Main, 0),
            "checksum is 1, not 2",
        ));
    }
    findings.push(Finding::new(
        &ABNORMAL,
        Location::file(&format!("base/{evil}")),
        evil,
    ));
    for n in 0..40 {
        let path = format!("pg_wal/{n:024X}");
        findings.push(Finding::new(
            &ABNORMAL,
            Location::file(&path),
            format!("{path}: zero size"),
        ));
    }
    let mut toast = relation("pg_toast.pg_toast_16380", "TOAST table", 501, 20, 100);
    toast.unreadable_blocks = 0;
    let mut lost = relation("public.x", "table", 500, 2000, 0);
    lost.name = RelationName {
        name: None,
        schema: None,
        oid: None,
        kind: None,
        ..lost.name
    };
    let mut owner = relation(&format!("public.docs{evil}"), "table", 16385, 20, 100);
    owner.name.database = Some(evil.into());
    Report {
        examined: Examined {
            data_directory: format!("/srv/{evil}/main"),
            limited_to: vec!["--only checksums".into(), format!("--database {evil}")],
            not_examined: vec![NotExamined {
                path: format!("base/5/{evil}"),
                reason: format!("read error at byte 8192: {evil}"),
            }],
            ..Examined::default()
        },
        cluster: None,
        wal: Some(WalSummary {
            first_lsn: lsn("16/B3000000"),
            redo_lsn: lsn("16/B374D848"),
            end_lsn: lsn("16/B4000000"),
            last_record_lsn: lsn("16/B3FFFFB0"),
            stop_reason: Some(format!("invalid {evil}")),
            stop_kind: StopKind::MissingSegment,
            records: 1,
            redo_bytes: 9_123_768,
            redo_segments: 2,
            by_rmgr: Vec::new(),
            commits: 0,
            first_commit: Some(TimestampTz(i64::MAX)),
            last_commit: Some(TimestampTz(i64::MIN)),
            next_xid: FullTransactionId(u64::MAX),
            timelines: vec![
                TimelineSummary {
                    tli: 9,
                    parent: None,
                    switch_lsn: None,
                    ranges: (0_u64..6)
                        .map(|n| (XLogRecPtr(n << 30), XLogRecPtr((n << 30) + (3 << 24)), 3))
                        .collect(),
                    gaps: Vec::new(),
                },
                TimelineSummary {
                    tli: 10,
                    parent: Some(9),
                    switch_lsn: lsn("16/B3000123"),
                    ranges: Vec::new(),
                    gaps: vec![(
                        segment("0000000A00000016000000B3"),
                        segment("0000000A00000016000000B4"),
                        2,
                    )],
                },
            ],
        }),
        verdict: Verdict {
            patterns: Vec::new(),
            status: Status::Unusable,
            headline: format!("The server cannot start. {evil}"),
            startup: Some(Startup {
                outcome: Outcome::Fails,
                message: Some(format!("PANIC:  could not locate {evil}")),
                redo_start: None,
                redo_done: None,
                end_of_wal: None,
                timeline: None,
                last_completed_transaction: Some(TimestampTz(i64::MAX)),
                silent_loss: true,
                waits_for: None,
                settings: Vec::new(),
                conditions: Vec::new(),
            }),
            loss: vec![Loss {
                cause: format!("WAL segment 0000000100000016000000B4 is missing {evil}"),
                from_lsn: lsn("16/B4000000"),
                to_lsn: lsn("16/BA001234"),
                commits: 812,
                first_commit: Some(TimestampTz(0)),
                last_commit: Some(TimestampTz(1_000_000)),
                relations: vec![LostRecords {
                    locator: RelFileLocator {
                        spc_oid: 1663,
                        db_oid: 16397,
                        rel_number: 1_046_635,
                    },
                    name: RelationName {
                        database: Some("common".to_owned()),
                        schema: Some("public".to_owned()),
                        name: Some(format!("ziplog{evil}")),
                        kind: Some("table"),
                        oid: Some(1_046_630),
                    },
                    records: 4012,
                }],
                other_copies: vec![OtherCopy {
                    place: format!("/mnt/archive{evil}/0000000100000016000000B4.partial"),
                    segment: segment("0000000100000016000000B4"),
                    from: XLogRecPtr(0x16_B400_0028),
                    to: XLogRecPtr(0x16_B500_0000),
                    whole: true,
                    compressed: false,
                }],
            }],
            pg_resetwal: None,
            next_steps: (1..=11).map(|n| format!("Step {n}. {evil}")).collect(),
        },
        findings,
        relations: vec![toast, lost, owner],
    }
}

fn as_text(report: &Report, width: usize, colour: bool, min_severity: Severity) -> String {
    let mut out = Vec::new();
    let style = Style {
        width,
        colour,
        min_severity,
    };
    text::write(&mut out, report, style).expect("writes to memory");
    String::from_utf8(out).expect("UTF-8")
}

fn as_json(report: &Report, min_severity: Severity) -> String {
    let mut out = Vec::new();
    json::write(&mut out, report, min_severity).expect("writes to memory");
    String::from_utf8(out).expect("UTF-8")
}

/// Compares with `testdata/golden/NAME`, or rewrites it.
fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/golden")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, actual).expect("golden file is written");
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; BLESS=1 makes it", path.display()));
    for (n, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(
            actual,
            expected,
            "{name}, line {}; BLESS=1 rewrites it",
            n + 1
        );
    }
    assert_eq!(actual, expected, "{name}; BLESS=1 rewrites it");
}

#[test]
fn incident_as_text() {
    golden(
        "incident.txt",
        &as_text(&incident(), 80, false, Severity::Abnormal),
    );
}

#[test]
fn incident_with_notes() {
    golden(
        "incident-notes.txt",
        &as_text(&incident(), 80, false, Severity::Note),
    );
}

#[test]
fn incident_as_json() {
    golden("incident.json", &as_json(&incident(), Severity::Note));
}

#[test]
fn disaster_as_text() {
    golden(
        "disaster.txt",
        &as_text(&disaster(), 80, false, Severity::Abnormal),
    );
}

#[test]
fn healthy_as_text() {
    let mut report = incident();
    report.findings = Findings::new(20);
    report.relations.pop();
    report.verdict = Verdict {
        patterns: Vec::new(),
        status: Status::Healthy,
        headline: "Nothing is damaged, and the server was shut down cleanly.".into(),
        startup: Some(Startup {
            outcome: Outcome::Clean,
            message: None,
            redo_start: None,
            redo_done: None,
            end_of_wal: lsn("0/12A8C3D0"),
            timeline: Some(1),
            last_completed_transaction: None,
            silent_loss: false,
            waits_for: None,
            settings: Vec::new(),
            conditions: Vec::new(),
        }),
        loss: Vec::new(),
        pg_resetwal: None,
        next_steps: Vec::new(),
    };
    if let Some(cluster) = &mut report.cluster {
        cluster.state = "shut down".into();
        cluster.data_checksums = Some(true);
    }
    assert_eq!(report.exit_status(), 0);
    golden(
        "healthy.txt",
        &as_text(&report, 80, false, Severity::Abnormal),
    );
}

#[test]
fn no_line_is_too_long_but_for_words_that_must_stay_whole() {
    for report in [incident(), disaster()] {
        for width in [60, 80, 100] {
            for line in as_text(&report, width, false, Severity::Note).lines() {
                let one_word = line.trim().split(' ').count() == 1;
                assert!(line.chars().count() <= width || one_word, "{width}: {line}");
            }
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let report = incident();
    let mut coloured = as_text(&report, 80, true, Severity::Note);
    assert!(coloured.contains("\x1b[1;31mDAMAGED\x1b[0m"));
    for code in [
        "\x1b[1;31m",
        "\x1b[1;33m",
        "\x1b[1;32m",
        "\x1b[1m",
        "\x1b[0m",
    ] {
        coloured = coloured.replace(code, "");
    }
    assert_eq!(coloured, as_text(&report, 80, false, Severity::Note));
}

#[test]
fn evidence_cannot_speak_to_the_terminal() {
    let report = disaster();
    let json = as_json(&report, Severity::Note);
    for printed in [&as_text(&report, 80, false, Severity::Note), &json] {
        assert!(printed.contains("owned"));
        let bad = printed
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(bad, None);
    }
    let value: Value = serde_json::from_str(&json).expect("JSON");
    let reason = value["evidence"]["not_examined"][0]["reason"].as_str();
    let evil = "read error at byte 8192: \x1b[2J\u{9b}31mowned\r\n\u{202e}\x07\x7f";
    assert_eq!(
        reason,
        Some(evil),
        "escapes are JSON's own: nothing is lost"
    );
}

#[test]
fn json_has_every_key_of_schema_1() {
    let keys = [
        "schema",
        "tool.name tool.version",
        "evidence.data_directory evidence.wal_directories evidence.files evidence.bytes",
        "evidence.blocks evidence.wal_bytes evidence.tuples evidence.not_examined",
        "cluster.major cluster.system_identifier cluster.state cluster.checkpoint_lsn",
        "cluster.redo_lsn cluster.timeline cluster.next_xid.epoch cluster.next_xid.xid",
        "cluster.oldest_xid cluster.next_multixact cluster.oldest_multixact",
        "cluster.block_size cluster.wal_segment_size cluster.data_checksums",
        "cluster.control_crc_ok",
        "wal.first_lsn wal.end_lsn wal.last_record_lsn wal.stop_reason wal.stop_kind wal.beyond",
        "verdict.status verdict.startup.outcome verdict.startup.message",
        "verdict.startup.redo_start verdict.startup.redo_done verdict.startup.end_of_wal",
        "verdict.startup.timeline verdict.startup.last_completed_transaction",
        "verdict.startup.silent_loss verdict.loss verdict.next_steps",
        "findings.0.code findings.0.severity findings.0.confidence findings.0.recovery",
        "findings.0.path findings.0.fork findings.0.segment findings.0.block",
        "findings.0.offset_number findings.0.byte_offset findings.0.lsn",
        "findings.0.relation.database findings.0.relation.schema findings.0.relation.name",
        "findings.0.relation.kind findings.0.relation.oid findings.0.relation.filenode",
        "findings.0.message findings.0.found findings.0.expected findings.0.server_error",
        "findings.0.remedy",
        "summary.by_severity summary.by_code summary.suppressed",
    ];
    let value: Value = serde_json::from_str(&as_json(&incident(), Severity::Note)).expect("JSON");
    for key in keys.iter().flat_map(|line| line.split(' ')) {
        let pointer = format!("/{}", key.replace('.', "/"));
        assert!(value.pointer(&pointer).is_some(), "{key}");
    }
    let value: Value = serde_json::from_str(&as_json(&disaster(), Severity::Note)).expect("JSON");
    for key in "cause from_lsn to_lsn commits first_commit last_commit relations".split(' ') {
        assert!(value["verdict"]["loss"][0].get(key).is_some(), "{key}");
    }
    for key in ["path", "reason"] {
        assert!(
            value["evidence"]["not_examined"][0].get(key).is_some(),
            "{key}"
        );
    }
}

#[test]
fn json_counts_what_it_does_not_list() {
    let value: Value = serde_json::from_str(&as_json(&disaster(), Severity::Damage)).expect("JSON");
    let listed = value["findings"].as_array().expect("findings");
    assert!(
        listed
            .iter()
            .all(|finding| finding["severity"] != "abnormal")
    );
    let number = |section: &str, code: &str| value["summary"][section][code].as_u64();
    assert_eq!(number("by_code", "test-xmin-never-assigned"), Some(1400));
    assert_eq!(number("suppressed", "test-xmin-never-assigned"), Some(1397));
    assert_eq!(number("suppressed", "test-file-unknown"), Some(41));
    assert_eq!(number("suppressed", "test-checksum"), None);
    assert_eq!(number("by_severity", "fatal"), Some(1));
    assert_eq!(value["wal"]["beyond"]["from_lsn"], "16/B4000000");
    assert_eq!(value["wal"]["first_commit"], Value::Null);
}

#[test]
fn exit_status_follows_the_findings_and_the_coverage() {
    assert_eq!(incident().exit_status(), 1);
    let mut report = incident();
    report.verdict.status = Status::NeedsRecovery;
    report.findings = Findings::new(0);
    assert_eq!(report.exit_status(), 0);
    report.examined.not_examined.push(NotExamined {
        path: "base/5/16400".into(),
        reason: "read error".into(),
    });
    assert_eq!(report.exit_status(), 3);
    let torn = Finding::new(&CHECKSUM, block(ZIPLOG, ForkNumber::Main, 1), "torn");
    report.findings.push(torn.clone().recovery(Recovery::Heals));
    assert_eq!(report.exit_status(), 3, "healed damage is none");
    report.findings.push(torn);
    assert_eq!(report.exit_status(), 1, "counted although none is kept");
}
