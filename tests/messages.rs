//! The server's messages: every family by real lines, everything the recovery module can say,
//! the recorded logs of the fixtures, and the incident's messages answered from its files.

mod support;

use pgautopsy::check::{Options, check};
use pgautopsy::checks::by_code;
use pgautopsy::format::VERSIONS;
use pgautopsy::format::names::WalSegmentName;
use pgautopsy::format::types::XLogRecPtr;
use pgautopsy::format::wal::record::{DecodeError, ImageError};
use pgautopsy::messages::answer::answer;
use pgautopsy::messages::log::{LogSummary, read, read_pasted};
use pgautopsy::messages::pattern::Pattern;
use pgautopsy::messages::{Consequence, Kind, MESSAGES, Message, Value, by_id, nearest, recognise};
use pgautopsy::recovery::stop::{PagePlace, Stop, StopCause};
use pgautopsy::report::messages::{Finds, write, write_log};
use std::collections::{BTreeMap, BTreeSet};

fn ids(log: &LogSummary) -> Vec<&'static str> {
    log.families
        .iter()
        .map(|family| family.message.id)
        .collect()
}

#[test]
fn every_entry_is_whole() {
    let mut seen = BTreeSet::new();
    for message in MESSAGES {
        let Message { id, .. } = message;
        assert!(seen.insert(id) && by_code(id).is_none(), "{id}");
        assert!(
            id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
            "{id}"
        );
        assert_eq!(by_id(id), Some(message));
        for code in message.checks {
            assert!(by_code(code).is_some(), "{id}: no check {code}");
        }
        let normal = message.consequence == Consequence::Normal;
        assert_eq!(message.avoid.is_empty(), normal, "{id}");
        for text in [message.meaning, message.advice, message.avoid] {
            assert!(
                text.is_empty() && normal || text.ends_with(['.', ':']),
                "{id}: {text}"
            );
            assert!(!text.contains("  "), "{id}: {text}");
        }
        assert!(message.source.contains(".c"), "{id}");
        for wording in message.wordings {
            assert!(wording.from <= wording.to, "{}", wording.text);
            let placeholders = wording.text.matches('%').count();
            let halves = wording.text.matches("%X/%X").count();
            assert_eq!(
                wording.values.len(),
                placeholders - halves,
                "{}",
                wording.text
            );
            assert!(!wording.text.contains("%s%s") && !wording.text.contains("  "));
        }
    }
}

/// Fills in values of the right kind, and wants them back.
#[test]
fn every_wording_matches_what_is_made_of_it() {
    for message in MESSAGES {
        for wording in message.wordings {
            let mut text = wording.text.to_owned();
            for (placeholder, value) in [
                ("%X/%X", "16/B374D848"),
                ("%04X", "D101"),
                ("%u", "77"),
                ("%d", "-1"),
                ("%s", "base/5/16400"),
                ("%m", "No such file or directory"),
            ] {
                text = text.replace(placeholder, value);
            }
            let found = recognise(&text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found.message.id, message.id, "{text}");
            assert_eq!(found.values.len(), found.wording.values.len(), "{text}");
            assert!(
                Pattern::new(wording.text).matches(&text).is_some(),
                "{text}"
            );
        }
    }
}

#[test]
fn real_lines_and_near_misses() {
    let text = include_str!("../testdata/messages/lines.txt");
    let mut tried: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut id = "";
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(real) = line.strip_prefix("+ ") {
            let mut parts = real.split(" | ");
            let line = parts.next().unwrap();
            let log = read(format!("2026-11-20 12:21:10.495 UTC [17755] {line}\n").as_bytes());
            let log = log.unwrap();
            assert_eq!(ids(&log), [id], "{line}");
            let found = &log.families[0].sightings[0].recognised;
            let values: Vec<&str> = found.values.iter().map(|v| v.text.as_str()).collect();
            assert_eq!(values, parts.collect::<Vec<_>>(), "{line}");
            // The same without anything before it.
            let (_, bare) = line.split_once(":  ").unwrap();
            assert_eq!(ids(&read_pasted(bare)), [id], "{bare}");
            tried.entry(id).or_default().0 += 1;
        } else if let Some(miss) = line.strip_prefix("- ") {
            assert_eq!(ids(&read_pasted(miss)), [""; 0], "{miss}");
            tried.entry(id).or_default().1 += 1;
        } else {
            id = line;
        }
    }
    for message in MESSAGES {
        let (real, missed) = tried.get(message.id).copied().unwrap_or_default();
        assert!(
            real > 0 && missed > 0,
            "{}: no lines in lines.txt",
            message.id
        );
    }
    assert_eq!(tried.len(), MESSAGES.len());
}

fn causes() -> Vec<StopCause> {
    let segment = WalSegmentName::parse("0000000100000016000000B3").unwrap();
    let lsn = XLogRecPtr(0x16_B300_2000);
    let place = || PagePlace {
        segment,
        lsn,
        offset: 8192,
    };
    let decode = [
        DecodeError::HoleSize,
        DecodeError::BackupBlockSize,
        DecodeError::RecordLength,
        DecodeError::TotalLength,
        DecodeError::BlockId(40),
        DecodeError::OutOfOrderBlockId(1),
        DecodeError::NoData,
        DecodeError::UnexpectedData(7),
        DecodeError::NoHole {
            hole_offset: 0,
            hole_length: 0,
            bimg_len: 8192,
        },
        DecodeError::UnexpectedHole {
            hole_offset: 1,
            hole_length: 2,
        },
        DecodeError::CompressedLength(8192),
        DecodeError::PlainLength(1),
        DecodeError::NoPreviousRel,
        DecodeError::Length,
        DecodeError::Fork(9),
    ];
    for error in decode {
        // A new one must be listed above.
        match error {
            DecodeError::HoleSize
            | DecodeError::BackupBlockSize
            | DecodeError::RecordLength
            | DecodeError::TotalLength
            | DecodeError::BlockId(_)
            | DecodeError::OutOfOrderBlockId(_)
            | DecodeError::NoData
            | DecodeError::UnexpectedData(_)
            | DecodeError::NoHole { .. }
            | DecodeError::UnexpectedHole { .. }
            | DecodeError::CompressedLength(_)
            | DecodeError::PlainLength(_)
            | DecodeError::NoPreviousRel
            | DecodeError::Length
            | DecodeError::Fork(_) => {}
        }
    }
    let mut causes = vec![
        StopCause::MissingSegment { segment },
        StopCause::ShortRead {
            place: place(),
            got: 7,
            wanted: 8192,
        },
        StopCause::Magic {
            found: 0,
            place: place(),
        },
        StopCause::InfoBits {
            found: 0xFF,
            place: place(),
        },
        StopCause::SystemIdentifier {
            found: 1,
            expected: 2,
        },
        StopCause::SegmentSize,
        StopCause::BlockSize,
        StopCause::PageAddress {
            found: lsn,
            place: place(),
        },
        StopCause::UnexpectedTimeline {
            found: 2,
            place: place(),
        },
        StopCause::TimelineOutOfSequence {
            found: 1,
            after: 2,
            place: place(),
        },
        StopCause::RecordOffset {
            expected: 24,
            found: 8,
        },
        StopCause::ContrecordRequested,
        StopCause::SwitchLength,
        StopCause::ZeroLength,
        StopCause::Length {
            expected: 24,
            found: 0,
        },
        StopCause::ResourceManager(77),
        StopCause::PrevLink(lsn),
        StopCause::NoContrecordFlag { place: place() },
        StopCause::ContrecordLength {
            found: 1,
            expected: 2,
            place: place(),
        },
        StopCause::Crc,
    ];
    for cause in &causes {
        // A new one must be listed above.
        match cause {
            StopCause::MissingSegment { .. }
            | StopCause::ShortRead { .. }
            | StopCause::Magic { .. }
            | StopCause::InfoBits { .. }
            | StopCause::SystemIdentifier { .. }
            | StopCause::SegmentSize
            | StopCause::BlockSize
            | StopCause::PageAddress { .. }
            | StopCause::UnexpectedTimeline { .. }
            | StopCause::TimelineOutOfSequence { .. }
            | StopCause::RecordOffset { .. }
            | StopCause::ContrecordRequested
            | StopCause::SwitchLength
            | StopCause::ZeroLength
            | StopCause::Length { .. }
            | StopCause::ResourceManager(_)
            | StopCause::PrevLink(_)
            | StopCause::NoContrecordFlag { .. }
            | StopCause::ContrecordLength { .. }
            | StopCause::Decode(_)
            | StopCause::Crc => {}
        }
    }
    causes.extend(decode.map(StopCause::Decode));
    causes
}

#[test]
fn every_stop_reason_is_recognised() {
    for version in &VERSIONS {
        for cause in causes() {
            let stop = Stop {
                lsn: XLogRecPtr(0x16_B374_D848),
                last: Some(XLogRecPtr(0x16_B374_D800)),
                cause,
                in_contrecord: false,
            };
            let Some(message) = stop.message(version) else {
                continue;
            };
            let found = recognise(&message);
            let found = found.unwrap_or_else(|| panic!("{}: {message}", version.major));
            assert!(found.message.id.starts_with("wal-"), "{message}");
            assert!(
                found.message.consequence >= Consequence::EndOfWal,
                "{message}"
            );
        }
        let message = ImageError::Decompress.message(version, XLogRecPtr(0x200), 0);
        assert_eq!(
            recognise(&message).unwrap().message.id,
            "image-not-restored"
        );
    }
}

/// The FATAL and PANIC texts of the dry run, taken from its source so that none is forgotten.
#[test]
fn every_failure_of_a_start_is_recognised() {
    let source = [
        include_str!("../src/recovery/start.rs"),
        include_str!("../src/recovery/gate/mod.rs"),
        include_str!("../src/recovery/gate/access.rs"),
        include_str!("../src/recovery/gate/before_redo.rs"),
        include_str!("../src/recovery/gate/behind_redo.rs"),
        include_str!("../src/recovery/gate/files.rs"),
    ]
    .concat();
    let mut tried = 0;
    for level in ["\"FATAL: ", "\"PANIC: "] {
        for (at, _) in source.match_indices(level) {
            let rest = &source[at + level.len()..];
            let end = (1..rest.len())
                .find(|i| rest[*i..].starts_with('"') && !rest[..*i].ends_with('\\'))
                .unwrap();
            let literal = rest[..end].replace("\\\"", "\"");
            let lines: Vec<&str> = literal.split("\\\n").map(str::trim_start).collect();
            let literal = lines.concat();
            if [
                "{reason}",
                "{text}",
                "{message}",
                "{words}",
                "{words}{quoted}",
            ]
            .contains(&literal.as_str())
            {
                continue; // a stop reason, or put together of several
            }
            let known = ["", " at 0/150B730", "0/150B730", "3", "pg_replslot/s"]
                .iter()
                .any(|value| {
                    let mut text = String::new();
                    for (i, part) in literal.split(['{', '}']).enumerate() {
                        text.push_str(match part {
                            _ if i % 2 == 0 => part,
                            // One message has timelines and a position.
                            "point" => "0/150B730",
                            "got" | "wanted" => "3",
                            "reason" => "No such file or directory",
                            _ => value,
                        });
                    }
                    // Some may be met later, too, and then fail a query.
                    recognise(&text)
                        .is_some_and(|f| f.message.consequence >= Consequence::QueryFails)
                });
            assert!(known, "{literal}");
            tried += 1;
        }
    }
    // The words of an SLRU page that cannot be read (cluster/slru.rs: unreadable_page).
    for words in [
        "could not access status of transaction 3",
        "could not read from file \"pg_xact/0000\" at offset 8192: read too few bytes",
        "could not open file \"pg_xact/0000\": Permission denied",
    ] {
        assert!(recognise(words).is_some(), "{words}");
    }
    assert!(tried >= 9, "{tried}");
}

#[test]
fn the_recorded_logs_tell_of_redo_and_of_nothing_serious() {
    let mut redone = 0;
    for name in support::bundled() {
        let Some(text) = support::truth_if_any(name, "recovery.log") else {
            continue;
        };
        let log = read(text.as_bytes()).unwrap();
        assert_eq!(log.lines, text.lines().count() as u64, "{name}");
        for (id, before) in [
            ("redo-starts", "redo starts at "),
            ("redo-done", "redo done at "),
        ] {
            let told: Vec<&str> = text
                .lines()
                .filter_map(|line| line.split_once(before)?.1.split(' ').next())
                .collect();
            let family = log.families.iter().find(|family| family.message.id == id);
            let found: Vec<&str> = family
                .into_iter()
                .flat_map(|family| &family.sightings)
                .map(|sighting| sighting.recognised.values[0].text.as_str())
                .collect();
            assert_eq!(found, told, "{name}: {id}");
            redone += found.len();
        }
        for family in &log.families {
            assert!(
                !family.message.consequence.is_serious(),
                "{name}: {}",
                family.message.id
            );
            for sighting in &family.sightings {
                assert!(sighting.first.time.is_some(), "{name}");
            }
        }
        assert!(ids(&log).contains(&"ready"), "{name}");
    }
    assert!(redone > 40, "{redone}");
}

const INCIDENT: &str = "\
2012-05-18 03:11:00 UTC [124] ERROR:  could not access status of transaction 4294692688\n\
2012-05-18 03:11:00 UTC [124] DETAIL:  Could not open file \"pg_clog/0FFF\": No such file or \
directory.\n\
2012-05-18 03:12:00 UTC [124] ERROR:  invalid page header in block 30526 of relation \
base/16397/1046635\n\
2012-05-18 03:13:00 UTC [124] ERROR:  invalid page header in block 3 of relation \
base/16397/1046635\n\
2012-05-18 03:14:00 UTC [124] LOG:  record with zero length at 0/12A8C3D0\n";

#[test]
fn the_incident_is_answered_from_its_files() {
    let path = support::testdata().join("incident-2012.tar.zst");
    let options = Options {
        max_findings: 10_000,
        ..Options::default()
    };
    let report = check(&path, &options, &()).unwrap();
    let log = read(INCIDENT.as_bytes()).unwrap();
    let answers: Vec<(&str, _)> = log
        .families
        .iter()
        .flat_map(|family| &family.sightings)
        .map(|s| (s.recognised.text.as_str(), answer(&report, &s.recognised)))
        .collect();
    let of = |text: &str| {
        &answers
            .iter()
            .find(|(other, _)| other.contains(text))
            .unwrap()
            .1
    };

    let status = of("4294692688");
    assert!(status.confirmed);
    let told = status.lines.join("\n");
    assert!(
        told.contains("tuple (30490,5) of common.public.ziplog: xmin 4294692688"),
        "{told}"
    );
    assert!(told.contains("pg_clog/0FFF: all zero") && told.contains("[clog-segment-foreign]"));
    assert!(!told.contains("pg_clog/0203"), "{told}");

    let page = of("block 30526");
    assert!(page.confirmed);
    assert_eq!(page.lines.len(), 1, "{page:?}");
    let told = &page.lines[0];
    assert!(
        told.starts_with("block 30526 of common.public.ziplog: overwritten with"),
        "{told}"
    );
    assert!(
        told.ends_with("; 7 more like it there [page-header-invalid]"),
        "{told}"
    );

    let whole = of("block 3 of");
    assert!(!whole.confirmed);
    assert!(whole.lines[0].starts_with("nothing in this directory confirms it"));

    let end = of("zero length");
    assert!(!end.confirmed);
    assert!(end.lines[0].contains("that is normal"), "{end:?}");

    let mut out = Vec::new();
    assert_eq!(
        write_log(&mut out, &log, Some(&report), 80, false).unwrap(),
        Finds::Confirmed
    );
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let mut out = Vec::new();
    assert_eq!(
        write_log(&mut out, &log, None, 80, false).unwrap(),
        Finds::Unconfirmed
    );
}

#[test]
fn explanations_fit_the_page() {
    for message in MESSAGES {
        let recognised = message.wordings.iter().find_map(|wording| {
            let text = wording
                .text
                .replace("%X/%X", "0/1")
                .replace("%04X", "0")
                .replace('%', "1");
            recognise(&text)
        });
        let mut out = Vec::new();
        write(&mut out, message, recognised.as_ref(), 80, false).unwrap();
        let text = String::from_utf8(out).unwrap();
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(text.contains("\nWhat it means\n") && text.contains("\nWhat to do first\n"));
    }
}

#[test]
fn an_unknown_message_has_neighbours() {
    let near = nearest("could not acces the status of transactions 12");
    assert_eq!(near[0].text, "could not access status of transaction %u");
    assert!(nearest("").is_empty());
    assert_eq!(
        recognise("invalid page in block 1 of relation \"a b\"")
            .unwrap()
            .values,
        [
            Value {
                kind: Kind::Block,
                text: "1".to_owned()
            },
            Value {
                kind: Kind::Relation,
                text: "a b".to_owned()
            }
        ]
    );
}
