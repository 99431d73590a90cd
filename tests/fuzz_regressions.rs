//! Replays what fuzzing has found, on stable and in every `cargo test`.
//!
//! `cargo test --test fuzz_regressions -- --ignored make_seeds` fills `fuzz/seeds/` from the
//! fixtures for `cargo fuzz run TARGET fuzz/corpus/TARGET fuzz/seeds/TARGET`;
//! `BLESS=1` with it also rewrites `fuzz/tree.tar.zst`, which changes what the regressions
//! of `tree` mean.

mod support;
#[path = "../fuzz/targets.rs"]
mod targets;

use pgautopsy::format::control::ControlFile;
use pgautopsy::format::crc::Crc;
use pgautopsy::format::types::XLogRecPtr;
use pgautopsy::format::version::{Layout, Major, VERSIONS, Version};
use pgautopsy::recovery::reader::{Position, WalContext, WalReader};
use pgautopsy::recovery::timeline::Timelines;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use targets::TARGETS;
use targets::wal::{SYSTEM_IDENTIFIER, Segments, WalWriter};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn replay_all(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let folder = fuzz().join("regressions").join(name);
    let inputs = names_in(&folder);
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    for input in inputs {
        println!("{name}/{input}");
        target(&fs::read(folder.join(input)).unwrap());
    }
    target(b"");
}

macro_rules! replay {
    ($($name:ident),* $(,)?) => { $(
        #[test]
        fn $name() {
            replay_all(stringify!($name));
        }
    )* };
}
replay! { archive, control, message_log, page, replay, small_file, text_file, toast_value, tree, tuple_deform, wal_archive, wal_events, wal_record, wal_walk }

#[test]
fn every_target_is_fuzzed_and_replayed() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files = names_in(&fuzz().join("fuzz_targets"));
    let stems: BTreeSet<String> = files
        .iter()
        .map(|file| file.strip_suffix(".rs").unwrap().to_owned())
        .collect();
    assert_eq!(stems, names);
    assert_eq!(names_in(&fuzz().join("regressions")), names);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in names {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
    }
}

fn number_of(version: &Version) -> u8 {
    let at = VERSIONS.iter().position(|v| v.major == version.major);
    u8::try_from(at.unwrap()).unwrap()
}

fn fixture_version(name: &str) -> &'static Version {
    Version::by_name(name.split('-').next().unwrap()).unwrap()
}

struct Seeds(BTreeMap<&'static str, u32>);

impl Seeds {
    fn add(&mut self, target: &'static str, head: &[u8], body: &[u8]) {
        let number = self.0.entry(target).or_default();
        let folder = fuzz().join("seeds").join(target);
        fs::create_dir_all(&folder).unwrap();
        let bytes = [head, body].concat();
        fs::write(folder.join(format!("{number:04}")), bytes).unwrap();
        *number += 1;
    }
}

/// Fills `fuzz/seeds/` from the fixtures.
#[test]
#[ignore = "writes files; run before fuzzing"]
fn make_seeds() {
    let _ = fs::remove_dir_all(fuzz().join("seeds"));
    let mut seeds = Seeds(BTreeMap::new());
    for name in support::of_kind("crash")
        .into_iter()
        .chain(["15-promoted", "15-basebackup"])
    {
        let version = fixture_version(name);
        let v = number_of(version);
        let files = support::fixture_files(name, |path| {
            !path.contains("pg_wal/0") && !path.contains("pg_xlog/0") && !path.contains("archive/0")
        });
        let mut relations = 0;
        for (number, (path, bytes)) in files.iter().enumerate() {
            let path = path.strip_prefix("pgdata/").unwrap_or(path);
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            seeds_of_file(&mut seeds, v, path, folder, bytes, &mut relations);
            if v == 4 && number % 16 == 0 {
                seeds.add("text_file", &[3, v], path.as_bytes());
            }
        }
        wal_seeds(&mut seeds, name, version);
    }
    for name in [
        "000000010000000000000014.partial",
        "000000010000000000000012.00000028.backup",
    ] {
        seeds.add("text_file", &[3, 4], name.as_bytes());
    }
    walk_seeds(&mut seeds);
    event_seeds(&mut seeds);
    let lines = include_str!("../testdata/messages/lines.txt").lines();
    for line in lines.filter_map(|line| line.strip_prefix("+ ")) {
        seeds.add("message_log", line.as_bytes(), b"");
    }
    for name in support::of_kind("crash") {
        let log = support::truth(name, "recovery.log");
        seeds.add("message_log", log.as_bytes(), b"");
    }
    for choice in [0, 1] {
        seeds.add("tree", &[choice], b"");
        for op in 0_u8..16 {
            for file in [0, 7, 15, 23, 31] {
                seeds.add(
                    "tree",
                    &[choice | 0x10, op << 4 | op, file, 3, 0, 0, 9],
                    b"012345678",
                );
            }
        }
    }
    archive_seeds(&mut seeds);
    wal_archive_seeds(&mut seeds);
    println!("{:?}", seeds.0);
    if std::env::var_os("BLESS").is_some() {
        make_trees();
    }
}

fn seeds_of_file(
    seeds: &mut Seeds,
    v: u8,
    path: &str,
    folder: &str,
    bytes: &[u8],
    relations: &mut u32,
) {
    let head = |n: usize| &bytes[..bytes.len().min(n)];
    match (folder, path) {
        (_, "PG_VERSION") => seeds.add("small_file", &[0, v], bytes),
        (_, "global/pg_control") => seeds.add("control", &[3, v], head(400)),
        (_, path) if path.ends_with("pg_filenode.map") => {
            seeds.add("small_file", &[1, v], bytes);
        }
        (_, path) if path.starts_with("pg_replslot/") => seeds.add("small_file", &[2, v], bytes),
        ("pg_twophase", _) => seeds.add("small_file", &[3, v], bytes),
        (_, path) if path.ends_with("replorigin_checkpoint") => {
            seeds.add("small_file", &[4, v], bytes);
        }
        (
            "pg_xact"
            | "pg_clog"
            | "pg_multixact/offsets"
            | "pg_multixact/members"
            | "pg_commit_ts",
            _,
        ) => {
            seeds.add("small_file", &[5, v, 0, 0, 0, 0, 100, 0, 0, 0], head(1024));
        }
        (_, path) if path.ends_with(".history") => {
            seeds.add("text_file", &[0, v, 3, 0, 0, 0], bytes);
        }
        (_, path) if path.ends_with("backup_label") || path.ends_with(".backup") => {
            seeds.add("text_file", &[1, v], bytes);
        }
        (_, path) if path.ends_with("tablespace_map") => seeds.add("text_file", &[2, v], bytes),
        (_, path) if path.ends_with("_fsm") && relations.is_multiple_of(16) => {
            *relations += 1;
            seeds.add("page", &[v, 1, 0, 0, 0, 0, 3, 0, 0, 0], head(8192));
            seeds.add("small_file", &[6, v, 0, 0, 0, 0], head(8192));
        }
        (_, path) if path.ends_with("_vm") && relations.is_multiple_of(16) => {
            *relations += 1;
            seeds.add("page", &[v, 2, 0, 0, 0, 0, 1, 0, 0, 0], head(8192));
        }
        (_, path)
            if path.starts_with("base/")
                && bytes.len() >= 8192
                && bytes.len().is_multiple_of(8192) =>
        {
            *relations += 1;
            // A few of each version, of all sizes: catalogs, tables and indexes.
            if *relations % 96 == 1 {
                for block in [0, bytes.len() / 8192 - 1] {
                    let page = &bytes[block * 8192..][..8192];
                    seeds.add("page", &[v, 0, block as u8, 0, 0, 0, 9, 0, 0, 0], page);
                    let lp = u32::from_le_bytes(page[24..28].try_into().unwrap());
                    let (off, len) = ((lp & 0x7FFF) as usize, (lp >> 17) as usize);
                    if let Some(tuple) = page.get(off..off + len) {
                        // Integers, then texts.
                        let columns = [[0x8E; 4], [0x06; 4]].concat();
                        seeds.add("toast_value", &[v], tuple);
                        seeds.add("tuple_deform", &[&[v, 8], &columns[..]].concat(), tuple);
                    }
                }
            }
        }
        _ => {}
    }
}

/// The WAL segments of a fixture.
fn segments(name: &str, layout: &Layout) -> Segments {
    let mut source = Segments::default();
    let per_log = if layout.since(Major::V9_3) {
        (1_u64 << 32) / u64::from(layout.wal_segsz)
    } else {
        u64::from(u32::MAX) / u64::from(layout.wal_segsz)
    };
    let files = support::fixture_files(name, |path| {
        path.contains("pg_wal/0") || path.contains("pg_xlog/0") || path.contains("archive/0")
    });
    for (path, bytes) in files {
        let name = path.rsplit('/').next().unwrap();
        if name.len() == 24 {
            let part = |at: usize| u64::from_str_radix(&name[at..at + 8], 16).unwrap();
            let key = (part(0) as u32, part(8) * per_log + part(16));
            source.files.insert(key, bytes);
        }
    }
    source
}

/// Records of a fixture from its redo point on, at most a few of each kind.
fn records(name: &str, each_kind: u32) -> Vec<(u8, u8, u32, usize, Vec<u8>)> {
    let version = fixture_version(name);
    let control = support::fixture_file(name, "pgdata/global/pg_control");
    let control = ControlFile::parse(version, &control).unwrap();
    let layout = control.layout();
    let source = segments(name, &layout);
    let context = WalContext {
        layout,
        system_identifier: Some(control.system_identifier),
        timelines: Timelines::single(control.check_point_copy.this_time_line_id),
    };
    let mut reader = WalReader::new(
        &context,
        &source,
        Position::at(control.check_point_copy.redo),
    );
    let mut found = Vec::new();
    let mut kinds: BTreeMap<(u8, u8), u32> = BTreeMap::new();
    while let Ok(record) = reader.read() {
        let header = record.header;
        let seen = kinds.entry((header.xl_rmid, header.xl_info)).or_default();
        *seen += 1;
        if *seen <= each_kind {
            found.push((
                header.xl_rmid,
                header.xl_info,
                header.xl_xid.0,
                record.main.len(),
                record.bytes().to_vec(),
            ));
        }
    }
    found
}

fn wal_seeds(seeds: &mut Seeds, name: &str, version: &'static Version) {
    // The largest relation: a table.
    let page = support::fixture_files(name, |path| path.contains("/base/"))
        .into_values()
        .max_by_key(Vec::len)
        .unwrap();
    let page = &page[page.len() / 16384 * 8192..][..8192];
    let size = if version.since(Major::V9_5) { 24 } else { 32 };
    for (rmid, info, _, main_len, bytes) in records(name, 3) {
        let payload = &bytes[size..];
        if matches!(rmid, 9 | 10) && payload.len() < 3000 {
            let mut head = vec![number_of(version), 1, rmid, info];
            head.extend((main_len as u16).to_le_bytes());
            head.extend((payload.len() as u16).to_le_bytes());
            head.extend(payload);
            seeds.add("replay", &head, page);
        }
    }
    for (.., bytes) in records(name, 1) {
        if bytes.len() < 5000 {
            seeds.add("wal_record", &[number_of(version), 0], &bytes);
        }
    }
}

/// Scripts of the walk target: for each version a few records that cross pages and segments,
/// a switch, a torn record, timelines, damage.
fn walk_seeds(seeds: &mut Seeds) {
    for v in 0..VERSIONS.len() as u8 {
        for sizes in [0x00, 0x06, 0x0B, 0x20, 0x86, 0xC0] {
            let mut script = vec![v, sizes, 1];
            for len in [40_u16, 700, 3000, 8, 1500] {
                script.extend([0x0A]);
                script.extend(len.to_le_bytes());
                script.extend([0x10, 1, 2]);
            }
            script.extend([0x80, 0x0A, 30, 0, 0, 1, 2]);
            script.extend([0xA0, 0xDC, 5, 0x0A, 30, 0, 0, 1, 2]);
            seeds.add("wal_walk", &script, b"");
            seeds.add(
                "wal_walk",
                &script,
                &[0xC1, 0x0A, 30, 0, 0, 1, 2, 0x0A, 0, 9, 0, 1, 2],
            );
            for what in [0_u8, 1, 2, 3, 7, 0x17, 0x25] {
                seeds.add("wal_walk", &script, &[0xE0, what, 0, 100, 1, 2]);
            }
        }
    }
}

/// Scripts of the events target: a transaction that makes a file, fills and empties it, one
/// that drops files, databases and tablespaces made and removed, a prepared transaction, a
/// restore point, a new timeline, and a record that is lost among them.
fn event_seeds(seeds: &mut Seeds) {
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    for (v, version) in VERSIONS.iter().enumerate() {
        let modern = version.since(Major::V9_5);
        // As the target reads them: rmid, info, payload; always transaction 3.
        let file = [1663, 16_400, 16_500];
        let commit = if modern {
            words(&[0, 0, 4, 1, file[0], file[1], file[2]])
        } else {
            words(&[0, 0, 0, 1, 0, 0, 0, 0, file[0], file[1], file[2]])
        };
        let records: [(u8, u8, Vec<u8>); 8] = [
            (2, 0x10, words(&[file[0], file[1], 16_501, 0])),
            (2, 0x20, words(&[0, file[0], file[1], 16_501, 7])),
            (4, 0x00, words(&[16_400, 1663, 1, 1663])),
            (4, 0x10, words(&[16_400, 1663])),
            (5, 0x00, words(&[16_600, 0x2F])),
            (5, 0x10, words(&[16_600])),
            (1, if modern { 0x80 } else { 0 }, commit),
            (0, 0x90, words(&[9, 9, 2, 1, 1])),
        ];
        for how in [0, 0x17, 0x0F, 0xF8] {
            let mut script = vec![how, u8::try_from(v).unwrap(), 0x0B, 1];
            for (rmid, info, main) in &records {
                // The header of main data from 9.5 on: its kind and length.
                let mut payload = Vec::new();
                if modern {
                    payload.extend([255, u8::try_from(main.len()).unwrap()]);
                }
                payload.extend(main);
                script.extend([0x60 | rmid, u8::try_from(payload.len()).unwrap()]);
                script.extend(payload);
                script.push(*info);
            }
            seeds.add("wal_events", &script, b"");
            seeds.add("wal_events", &script, &[0xE0, 0x05, 0, 100, 1, 2]);
            seeds.add("wal_events", &script, &[0xC1, 0x0A, 30, 0, 0, 1, 2]);
        }
    }
}

fn archive_seeds(seeds: &mut Seeds) {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        builder.append_data(&mut header, name, bytes).unwrap();
    };
    add("PG_VERSION", b"15\n");
    add("global/pg_control", &[1; 300]);
    add("base/1/16384", &[7; 1100]);
    add(&format!("base/1/{}", "x".repeat(150)), b"long name");
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "pg_wal", "base/1").unwrap();
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Link);
    link.set_size(0);
    builder
        .append_link(&mut link, "base/1/16385", "base/1/16384")
        .unwrap();
    let plain = builder.into_inner().unwrap();
    // A sparse member as `tar --format=posix -S` writes it.
    let mut pax = tar::Builder::new(Vec::new());
    pax.append_pax_extensions([
        ("GNU.sparse.major", &b"1"[..]),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"base/1/16386"),
        ("GNU.sparse.realsize", b"8192"),
    ])
    .unwrap();
    let mut header = tar::Header::new_ustar();
    let body = [&b"1\n4096\n4\n"[..], &[0; 503], b"data"].concat();
    header.set_size(body.len() as u64);
    header.set_mode(0o600);
    pax.append_data(&mut header, "GNUSparseFile.0/16386", &body[..])
        .unwrap();
    let mut both = pax.into_inner().unwrap();
    both.truncate(both.len() - 1024);
    both.extend(&plain);
    for choice in 0..4 {
        seeds.add("archive", &[choice], &plain);
        seeds.add("archive", &[choice], &both);
        seeds.add("archive", &[choice], &plain[..plain.len() - 1700]);
    }
    seeds.add("archive", &[0], &zstd::bulk::compress(&plain, 3).unwrap());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    seeds.add("archive", &[0], &gzip.finish().unwrap());
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut lz4, &plain).unwrap();
    seeds.add("archive", &[0], &lz4.finish().unwrap());
}

/// The first pages of a segment in each compression, under its name and under another.
fn wal_archive_seeds(seeds: &mut Seeds) {
    let segments = support::fixture_files("15-clean", |path| path.contains("pg_wal/0"));
    let segment = segments.values().next().expect("it has WAL");
    for (number, (_, pack, _)) in (0..).zip(support::pack::COMPRESSIONS) {
        for pages in [1, 3] {
            let packed = pack(&segment[..pages * 8192]);
            seeds.add("wal_archive", &[number], &packed);
            seeds.add("wal_archive", &[number + 4], &packed);
            seeds.add("wal_archive", &[number], &packed[..packed.len() / 2]);
        }
    }
}

/// Makes `fuzz/tree.tar.zst`: of two clean clusters the files that `check` looks at, the
/// small ones of them whole, in the state of a crash that left a little WAL.
fn make_trees() {
    let mut builder = tar::Builder::new(Vec::new());
    for name in ["15-clean", "9.1-clean"] {
        let version = fixture_version(name);
        let mut files = small_files(name);
        crash(name, version, &mut files);
        let mut folders: BTreeSet<String> = support::fixture_folders(name);
        folders.retain(|path| !path.starts_with("base/") && !path.starts_with("pg_tblspc/"));
        for folder in folders {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            header.set_mode(0o700);
            let path = format!("{}/{folder}/", version.major);
            builder.append_data(&mut header, path, &[][..]).unwrap();
        }
        for (path, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            builder
                .append_data(&mut header, format!("{}/{path}", version.major), &*bytes)
                .unwrap();
        }
    }
    let plain = builder.into_inner().unwrap();
    let packed = zstd::stream::encode_all(&*plain, 22).unwrap();
    println!("{} bytes, packed {}", plain.len(), packed.len());
    fs::write(fuzz().join("tree.tar.zst"), packed).unwrap();
}

fn small_files(name: &str) -> BTreeMap<String, Vec<u8>> {
    let all = support::fixture_files(name, |path| {
        path.starts_with("pgdata/") && !path.contains("pg_wal/") && !path.contains("pg_xlog/")
    });
    let largest = all
        .keys()
        .filter_map(|path| path.strip_prefix("pgdata/base/")?.split_once('/'))
        .fold(BTreeMap::<_, u32>::new(), |mut counts, (database, _)| {
            *counts.entry(database.to_owned()).or_default() += 1;
            counts
        })
        .into_iter()
        .max_by_key(|(_, files)| *files)
        .unwrap()
        .0;
    let mut files = BTreeMap::new();
    let mut kept = 0;
    for (path, bytes) in all {
        let path = path.strip_prefix("pgdata/").unwrap().to_owned();
        let relation = path.starts_with("base/") && !path.ends_with("PG_VERSION");
        let in_largest = path.starts_with(&format!("base/{largest}/"));
        let file = path.rsplit('/').next().unwrap();
        let catalog = matches!(file, "1259" | "1249" | "1247" | "2610" | "pg_filenode.map");
        if path.starts_with("base/") && !in_largest {
            continue;
        }
        if relation && !catalog {
            // Every kind of relation the fixture's own tables have, but little of it.
            let user = file.split(['_', '.']).next().unwrap().parse::<u32>();
            if !user.is_ok_and(|n| n >= 16384) || bytes.len() > 32 << 10 || kept >= 24 {
                continue;
            }
            kept += 1;
        }
        if path.starts_with("global/")
            && file.parse::<u32>().is_ok()
            && !matches!(file, "1262" | "1260" | "1213")
        {
            continue;
        }
        let limit = if file == "1249" { 3 * 8192 } else { 64 << 10 };
        files.insert(path, bytes[..bytes.len().min(limit)].to_vec());
    }
    files
}

/// Turns a cleanly stopped cluster into a crashed one with WAL of a few records.
fn crash(name: &str, version: &'static Version, files: &mut BTreeMap<String, Vec<u8>>) {
    let bytes = files.get_mut("global/pg_control").unwrap();
    let control = ControlFile::parse(version, bytes).unwrap();
    let layout = control.layout();
    let source = segments(name, &layout);
    let context = WalContext {
        layout,
        system_identifier: Some(control.system_identifier),
        timelines: Timelines::single(control.check_point_copy.this_time_line_id),
    };
    let mut reader = WalReader::new(&context, &source, Position::at(control.check_point));
    let mut point = reader.read().unwrap().main.to_vec();
    // Behind all that the pages have seen.
    let segment = u64::from(layout.wal_segsz);
    let start = (control.check_point.0 / segment + 2) * segment;
    let mut writer = WalWriter::new(layout, start);
    writer.tli = control.check_point_copy.this_time_line_id;
    let lsn_bytes = |lsn: XLogRecPtr| {
        if version.since(Major::V9_3) {
            lsn.0.to_le_bytes()
        } else {
            let halves = u64::from(lsn.high()) | u64::from(lsn.low()) << 32;
            halves.to_le_bytes()
        }
    };
    let crash = name.replace("clean", "crash");
    let size = writer.header_size();
    let mut checkpoint = None;
    for (number, (rmid, info, xid, main_len, bytes)) in records(&crash, 1)
        .into_iter()
        .filter(|(rmid, info, .., bytes)| bytes.len() < 3000 && !(*rmid == 0 && info & 0xF0 < 0x50))
        .enumerate()
    {
        let seen = writer.insert_raw(rmid, info, xid, main_len, &bytes[size..]);
        if number == 0 {
            point[..8].copy_from_slice(&lsn_bytes(seen.lsn));
            checkpoint = Some((seen.lsn, writer.insert(0, 0x10, 0, &point).lsn));
        }
    }
    let (redo, checkpoint) = checkpoint.unwrap();
    for ((tli, segno), bytes) in std::mem::take(&mut writer.segments.files) {
        let name = format!(
            "{}/{tli:08X}{:08X}{:08X}",
            version.wal_dir(),
            start >> 32,
            (start & 0xFFFF_FFFF) / segment
        );
        assert_eq!(segno, writer.segno(start), "all in one segment");
        files.insert(name, bytes);
    }
    let bytes = files.get_mut("global/pg_control").unwrap();
    let copy_at = bytes
        .windows(8)
        .position(|w| w == lsn_bytes(control.check_point_copy.redo))
        .unwrap();
    // DB_IN_PRODUCTION, checkPoint, and checkPointCopy.redo, which is equal to it here.
    bytes[..8].copy_from_slice(&SYSTEM_IDENTIFIER.to_le_bytes());
    bytes[16..20].copy_from_slice(&6_u32.to_le_bytes());
    assert_eq!(copy_at, 32);
    bytes[32..40].copy_from_slice(&lsn_bytes(checkpoint));
    let redo_at = if version.since(Major::V11) { 40 } else { 48 };
    bytes[redo_at..redo_at + 8].copy_from_slice(&lsn_bytes(redo));
    let at = version.control_crc_at;
    let crc = Crc::of(version)
        .update([&bytes[..at]])
        .value()
        .to_le_bytes();
    bytes[at..at + 4].copy_from_slice(&crc);
    let crashed = ControlFile::parse(version, bytes).unwrap();
    assert_eq!(crashed.check_point, checkpoint);
    assert_eq!(crashed.check_point_copy.redo, redo);
}
