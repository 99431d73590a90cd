//! The small files of every real data directory in `testdata/`.

mod support;

use pgautopsy::format::backup_label::{BackupLabel, parse_tablespace_map};
use pgautopsy::format::control::{ControlFile, ControlReading, CrcVerdict, DecidedBy};
use pgautopsy::format::history::{Switchpoint, TimeLineHistory};
use pgautopsy::format::pgversion::PgVersion;
use pgautopsy::format::relmap::RelMap;
use pgautopsy::format::replorigin::ReplicationOrigins;
use pgautopsy::format::slot::SlotState;
use pgautopsy::format::twophase::TwoPhaseFile;
use pgautopsy::format::{FullTransactionId, Layout, TimestampTz, Version};
use pgautopsy::pgdata::{FileKind, classify, classify_wal};
use pgautopsy::report::controldata::{ControlVerdict, render_control};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::macros::format_description;

struct Fixture {
    name: String,
    version: &'static Version,
    /// Small files other than relations and WAL, with their content.
    files: BTreeMap<String, Vec<u8>>,
    /// The paths of all files.
    paths: Vec<String>,
}

impl Fixture {
    fn file(&self, path: &str) -> &[u8] {
        self.files
            .get(path)
            .unwrap_or_else(|| panic!("{} has no {path}", self.name))
    }
}

fn is_small_file(path: &str) -> bool {
    let base = path.rsplit('/').next().unwrap_or(path);
    let folder = |name: &str| path.contains(name);
    matches!(
        base,
        "pg_control" | "PG_VERSION" | "pg_filenode.map" | "state" | "replorigin_checkpoint"
    ) || [".history", ".backup"]
        .iter()
        .any(|end| base.ends_with(end))
        || base.starts_with("backup_label")
        || base.starts_with("tablespace_map")
        || folder("/pg_twophase/")
}

impl Fixture {
    fn load(name: &str) -> Self {
        let mut paths = Vec::new();
        let files = support::fixture_files(name, |path| {
            paths.push(path.to_owned());
            is_small_file(path)
        });
        Self {
            name: name.to_owned(),
            version: Version::by_name(name.split_once('-').unwrap().0).unwrap(),
            files,
            paths,
        }
    }
}

support::both_sets! {
    every_pg_control_is_good_and_has_no_impossible_value,
    every_flipped_bit_of_a_real_pg_control_is_noticed,
    every_file_in_the_known_folders_has_a_known_name,
    every_pg_version_names_the_version,
    every_relation_map_has_its_files_and_every_flipped_bit_shows,
    every_history_file_is_sound,
    every_backup_label_and_history_file_is_read_whole,
    every_pg_control_is_printed_as_pg_controldata_does,
    a_damaged_pg_control_is_printed_with_what_is_wrong_first,
    every_two_phase_file_is_read_to_its_end,
    every_slot_and_origin_checkpoint_is_good,
}

/// What the whole set must have is more than what the bundled fixtures can have.
fn at_least(fixtures: &[Fixture], in_bundled: usize, in_whole_set: usize) -> usize {
    if fixtures.len() == support::bundled().len() {
        in_bundled
    } else {
        in_whole_set
    }
}

/// Those with an unpacked data directory, each with its `pg_control`.
fn controls(fixtures: &[Fixture]) -> impl Iterator<Item = (&Fixture, ControlFile)> {
    fixtures
        .iter()
        .filter(|f| f.files.contains_key("pgdata/global/pg_control"))
        .map(|f| {
            let bytes = f.file("pgdata/global/pg_control");
            match ControlFile::read(bytes, None) {
                ControlReading::Decoded {
                    control,
                    decided_by,
                    crc,
                } => {
                    assert_eq!(
                        (decided_by, crc),
                        (DecidedBy::ControlAndCatalog, CrcVerdict::Good)
                    );
                    (f, *control)
                }
                other => panic!("{}: {other:?}", f.name),
            }
        })
}

fn every_pg_control_is_good_and_has_no_impossible_value(fixtures: &[Fixture]) {
    let mut seen = 0;
    for (f, control) in controls(fixtures) {
        seen += 1;
        assert_eq!(control.version, f.version, "{}", f.name);
        // Segments of 1 and 4 MB are a legal choice from 11 on.
        assert_eq!(control.impossible(), [], "{}", f.name);
        let reading = ControlFile::read(f.file("pgdata/global/pg_control"), None);
        assert_eq!(reading.refusal(f.version), None, "{}", f.name);
        assert_eq!(control.layout().wal_segsz, control.xlog_seg_size);
    }
    let in_tar = fixtures.iter().filter(|f| f.name == "15-targz").count();
    assert_eq!(seen, fixtures.len() - in_tar);
}

fn every_flipped_bit_of_a_real_pg_control_is_noticed(fixtures: &[Fixture]) {
    for (f, control) in controls(fixtures).filter(|(f, _)| f.name.ends_with("-clean")) {
        let good = f.file("pgdata/global/pg_control");
        let end = f.version.control_crc_at + 4;
        for bit in 0..end * 8 {
            let mut bytes = good.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let reading = ControlFile::read(&bytes, Some(f.version));
            assert!(reading.refusal(f.version).is_some(), "{} bit {bit}", f.name);
            if let ControlReading::Decoded {
                control: read, crc, ..
            } = reading
            {
                assert_ne!(crc, CrcVerdict::Good, "{} bit {bit}", f.name);
                assert_eq!(read.version, control.version, "{} bit {bit}", f.name);
            }
        }
        for len in 0..end {
            let reading = ControlFile::read(&good[..len], Some(f.version));
            let refusal = reading.refusal(f.version).unwrap();
            assert_eq!(refusal.severity, "PANIC", "{} cut at {len}", f.name);
        }
    }
}

fn every_file_in_the_known_folders_has_a_known_name(fixtures: &[Fixture]) {
    let mut seen = BTreeMap::<&str, usize>::new();
    for f in fixtures.iter() {
        let v = f.version;
        for path in f.paths.iter().filter_map(|p| p.strip_prefix("pgdata/")) {
            let (folder, base) = path.rsplit_once('/').unwrap_or(("", path));
            let file = classify(path);
            let kind = match folder {
                "pg_wal" | "pg_xlog" => {
                    assert_ne!(file, FileKind::Other, "{} {path}", f.name);
                    if let FileKind::Wal(name) = file {
                        assert_eq!(name.to_string(), base);
                    }
                    "WAL"
                }
                "pg_clog"
                | "pg_xact"
                | "pg_subtrans"
                | "pg_multixact/offsets"
                | "pg_multixact/members"
                | "pg_commit_ts" => {
                    let FileKind::Slru { slru, segno } = file else {
                        panic!("{} {path}", f.name)
                    };
                    assert_eq!(slru.segment_path(segno, &Layout::usual(v)), *path);
                    "SLRU"
                }
                "pg_notify" => {
                    assert_eq!(file, FileKind::TransientSlru, "{} {path}", f.name);
                    "SLRU"
                }
                "pg_twophase" => {
                    assert!(matches!(file, FileKind::TwoPhase { .. }), "{path}");
                    "two-phase"
                }
                _ if folder == "global" || folder.starts_with("base/") => {
                    let known = [
                        "PG_VERSION",
                        "pg_filenode.map",
                        "pg_internal.init",
                        "pg_control",
                    ];
                    if known.contains(&base) || base.starts_with("pgstat.") {
                        continue;
                    }
                    assert!(matches!(file, FileKind::Relation(_)), "{} {path}", f.name);
                    "relation"
                }
                _ => continue,
            };
            *seen.entry(kind).or_default() += 1;
        }
        for path in f.paths.iter().filter_map(|p| p.strip_prefix("ts1/")) {
            let path = format!("pg_tblspc/16385/{path}");
            assert!(
                matches!(classify(&path), FileKind::Relation(_)),
                "{} {path}",
                f.name
            );
        }
        for base in f.paths.iter().filter_map(|p| p.strip_prefix("archive/")) {
            assert_ne!(classify_wal(base), FileKind::Other, "{} {base}", f.name);
        }
    }
    for kind in ["WAL", "SLRU", "two-phase", "relation"] {
        assert!(seen[kind] > 50, "{seen:?}");
    }
}

/// Every file of every fixture whose path ends so, its name without folder beside it.
fn files_ending<'a>(
    fixtures: &'a [Fixture],
    end: &str,
) -> impl Iterator<Item = (&'a Fixture, &'a str, &'a [u8])> {
    fixtures.iter().flat_map(move |f| {
        f.files
            .iter()
            .filter(move |(path, _)| path.ends_with(end))
            .map(move |(path, bytes)| (f, path.rsplit('/').next().unwrap(), bytes.as_slice()))
    })
}

fn every_pg_version_names_the_version(fixtures: &[Fixture]) {
    let mut seen = 0;
    for (f, _, bytes) in files_ending(fixtures, "/PG_VERSION") {
        assert_eq!(PgVersion::parse(bytes), Ok(PgVersion::Known(f.version)));
        seen += 1;
    }
    assert!(seen > (fixtures.len() - 1) * 4, "{seen}");
}

fn every_relation_map_has_its_files_and_every_flipped_bit_shows(fixtures: &[Fixture]) {
    let mut flipped = std::collections::BTreeSet::new();
    for f in fixtures.iter() {
        let maps = f
            .files
            .iter()
            .filter(|(path, _)| path.starts_with("pgdata/"));
        for (path, bytes) in maps {
            let Some(folder) = path.strip_suffix("pg_filenode.map") else {
                continue;
            };
            let map = RelMap::parse(f.version, bytes).unwrap();
            assert!(map.crc_is_good, "{} {path}", f.name);
            for (catalog, number) in &map.mappings {
                let file = format!("{folder}{number}");
                assert!(f.paths.contains(&file), "{} {path} {catalog}", f.name);
            }
            let first = if folder == "pgdata/global/" {
                1262
            } else {
                1259
            };
            assert!(map.file_of(first).is_some());
            if flipped.insert(f.version.major) {
                // All but the padding behind the CRC, which nobody looks at.
                let end = if bytes.len() == 512 { 508 } else { bytes.len() };
                for bit in 0..end * 8 {
                    let mut bytes = bytes.clone();
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    let read = RelMap::parse(f.version, &bytes);
                    assert!(read.is_err() || !read.unwrap().crc_is_good);
                }
            }
        }
    }
    assert_eq!(flipped.len(), 17);
}

fn every_history_file_is_sound(fixtures: &[Fixture]) {
    let mut seen = 0;
    for (f, name, bytes) in files_ending(fixtures, ".history") {
        let FileKind::History { tli } = classify_wal(name) else {
            panic!("{name}")
        };
        let history = TimeLineHistory::parse(f.version, tli, bytes);
        assert_eq!(history.problems, [], "{} {name}", f.name);
        let ancestors: Vec<u32> = history.entries.iter().map(|e| e.tli).collect();
        assert_eq!(ancestors, (1..tli).collect::<Vec<u32>>());
        for entry in history.entries {
            match entry.switchpoint.unwrap() {
                Switchpoint::Segment(name) => assert_eq!(name.tli, entry.tli),
                Switchpoint::Lsn(lsn) => assert!(lsn.is_valid()),
            }
            assert!(!entry.reason.is_empty());
        }
        seen += 1;
    }
    assert!(seen > at_least(fixtures, 1, 20), "{seen}");
}

fn every_backup_label_and_history_file_is_read_whole(fixtures: &[Fixture]) {
    let mut seen = 0;
    for (f, name, bytes) in files_ending(fixtures, ".backup") {
        let FileKind::BackupHistory {
            wal,
            segment_offset,
        } = classify_wal(name)
        else {
            panic!("{name}")
        };
        let label = BackupLabel::parse_history(bytes).unwrap();
        assert_eq!(label.other, [""; 0]);
        assert_eq!(label.start_wal_file, wal);
        let segsz = 1 << 20;
        let low = u64::from(segment_offset) % segsz;
        assert_eq!(label.start_wal_location.0 % segsz, low, "{} {name}", f.name);
        assert!(label.stop_wal_location.unwrap().0 > label.start_wal_location);
        seen += 1;
    }
    for end in ["/backup_label", "/backup_label.old"] {
        for (f, name, bytes) in files_ending(fixtures, end) {
            let label = BackupLabel::parse(bytes).unwrap();
            assert_eq!(label.other, [""; 0], "{} {name}", f.name);
            assert!(label.checkpoint_location > label.start_wal_location);
            let incremental = label.incremental_from_lsn.is_some();
            assert_eq!(label.refusal(f.version).is_some(), incremental);
            seen += 1;
        }
    }
    for end in ["/tablespace_map", "/tablespace_map.old"] {
        for (_, _, bytes) in files_ending(fixtures, end) {
            let map = parse_tablespace_map(bytes).unwrap();
            assert_eq!(map.len(), 1);
            assert!(map[0].path.starts_with(b"../../ts1"));
            seen += 1;
        }
    }
    assert!(seen > at_least(fixtures, 1, 30), "{seen}");
}

fn every_pg_control_is_printed_as_pg_controldata_does(fixtures: &[Fixture]) {
    let mut seen = 0;
    for f in fixtures.iter() {
        let bytes = match f.name.as_str() {
            "15-targz" => support::targz_file("global/pg_control"),
            _ => f.file("pgdata/global/pg_control").to_vec(),
        };
        let mut out = Vec::new();
        let verdict = render_control(&mut out, &bytes, None).unwrap();
        assert_eq!(verdict, ControlVerdict::Good, "{}", f.name);
        let text = String::from_utf8(out).unwrap();
        let recorded = support::truth(&f.name, "control.txt");
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(&text), lines(&recorded), "{}", f.name);
        seen += 1;
    }
    assert_eq!(seen, fixtures.len());
}

fn a_damaged_pg_control_is_printed_with_what_is_wrong_first(fixtures: &[Fixture]) {
    let f = fixtures.iter().find(|f| f.name == "15-crash").unwrap();
    let mut bytes = f.file("pgdata/global/pg_control").to_vec();
    bytes[16] = 9;
    let mut out = Vec::new();
    let verdict = render_control(&mut out, &bytes, None).unwrap();
    assert_eq!(verdict, ControlVerdict::Damaged);
    let text = String::from_utf8(out).unwrap();
    let (head, table) = text.split_once("\n\n").unwrap();
    assert!(
        head.starts_with("The file is damaged: its CRC is "),
        "{head}"
    );
    assert!(head.contains("Impossible value: state is 9, expected 1 to 6.\n"));
    assert!(head.ends_with("  FATAL:  incorrect checksum in control file"));
    let recorded = support::truth("15-crash", "control.txt");
    assert_eq!(
        table,
        recorded.replace("in production", "unrecognized status code")
    );
}

fn every_two_phase_file_is_read_to_its_end(fixtures: &[Fixture]) {
    let mut gids = std::collections::BTreeSet::new();
    let mut seen = 0;
    let mut confirmed = 0;
    for f in fixtures.iter() {
        for (path, bytes) in &f.files {
            let Some((_, name)) = path.split_once("/pg_twophase/") else {
                continue;
            };
            let file = TwoPhaseFile::parse(f.version, bytes).unwrap();
            assert!(file.crc_is_good && file.size_is_good, "{} {path}", f.name);
            let state = file.state;
            assert_eq!(state.len + 4, bytes.len(), "{} {path}", f.name);
            let FileKind::TwoPhase { xid } = classify(&format!("pg_twophase/{name}")) else {
                panic!("{name}")
            };
            assert_eq!(state.xid, FullTransactionId(xid).xid());
            assert!(!state.records.is_empty());
            assert!(state.records.iter().all(|r| (1..=4).contains(&r.rmid)));
            for locator in state.commit_rels.iter().chain(&state.abort_rels) {
                assert!(locator.spc_oid >= 1663 && locator.rel_number >= 16_384);
            }
            // gid,transaction,prepared,owner,database
            let line = format!("{},{},{},", state.gid, state.xid, shown(state.prepared_at));
            let truth = support::truth(&f.name, "prepared.csv");
            if truth.contains(&state.gid) {
                assert!(truth.contains(&line), "{} {path} {line}", f.name);
                confirmed += 1;
            }
            gids.insert(state.gid);
            seen += 1;
        }
    }
    let gids: Vec<&str> = gids.iter().map(String::as_str).collect();
    assert!(gids.iter().all(|gid| gid.starts_with("gx_")), "{gids:?}");
    assert!(gids.contains(&"gx_otherdb"), "{gids:?}");
    let enough = at_least(fixtures, 40, 50);
    assert!(seen > enough && confirmed > enough, "{seen} {confirmed}");
}

/// As `TIMESTAMPTZ` prints in UTC.
fn shown(time: TimestampTz) -> String {
    let format = format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:1+]+00"
    );
    let since_1970 = i128::from(time.0 + 946_684_800_000_000);
    OffsetDateTime::from_unix_timestamp_nanos(since_1970 * 1000)
        .unwrap()
        .format(&format)
        .unwrap()
}

fn every_slot_and_origin_checkpoint_is_good(fixtures: &[Fixture]) {
    let mut slots = std::collections::BTreeSet::new();
    for (f, _, bytes) in files_ending(fixtures, "/state") {
        let slot = SlotState::parse(f.version, bytes).unwrap();
        assert!(slot.crc_is_good, "{}", f.name);
        assert!(slot.name.starts_with("lab_"), "{} {slot:?}", f.name);
        slots.insert(f.version.major);
    }
    assert!(slots.len() >= 10, "{slots:?}");
    let mut origins = 0;
    for (f, _, bytes) in files_ending(fixtures, "/replorigin_checkpoint") {
        let read = ReplicationOrigins::parse(bytes).unwrap();
        assert!(read.crc_is_good, "{}", f.name);
        origins += 1;
    }
    assert!(origins > at_least(fixtures, 20, 30), "{origins}");
}
