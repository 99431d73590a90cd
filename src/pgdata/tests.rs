use super::*;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, symlink};
use tempfile::TempDir;

/// Bytes that differ from place to place, so that a shifted read shows.
fn pattern(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect()
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A data directory `pgdata`, its tablespace `ts1` beside it as in the fixtures.
fn cluster() -> TempDir {
    let tmp = tempfile::tempdir().unwrap();
    let root = tmp.path();
    for (path, len) in [
        ("pgdata/PG_VERSION", 3),
        ("pgdata/base/5/PG_VERSION", 3),
        ("pgdata/base/5/1259", 5 * 8192),
        ("pgdata/base/5/1259_vm", 8192),
        ("pgdata/base/5/2600", 0),
        ("pgdata/base/5/16400", (17 << 20) + 8192),
        ("pgdata/base/5/16400.1", 300_000),
        ("pgdata/base/5/t3_16401", 8192),
        ("pgdata/global/1262", 8192),
        ("pgdata/global/pg_control", 8192),
        ("pgdata/pg_xact/0000", 8192),
        ("pgdata/pg_wal/000000010000000000000001", 1 << 20),
        (
            "pgdata/pg_wal/archive_status/000000010000000000000001.ready",
            0,
        ),
        ("pgdata/postgresql.conf", 100),
        ("ts1/PG_15_202209061/5/16501", 8192),
        ("ts1/PG_15_202209061/5/16501_fsm.1", 24576),
    ] {
        put(root, path, &pattern(len, path.len() as u32));
    }
    let long = "x".repeat(150);
    put(root, &format!("pgdata/log/{long}.log"), b"log");
    fs::create_dir_all(root.join("pgdata/pg_notify")).unwrap();
    fs::create_dir_all(root.join("pgdata/pg_tblspc")).unwrap();
    symlink("../../ts1", root.join("pgdata/pg_tblspc/16400")).unwrap();
    tmp
}

fn open(path: &Path) -> Evidence {
    Evidence::open(path, &[], IoMode::Pread).unwrap()
}

fn all(evidence: &Evidence) -> Vec<FileId> {
    evidence.iter().map(|(id, _)| id).collect()
}

/// Every file's bytes as `scan` gives them; fails when a byte comes twice, or not
/// although nothing says so.
fn scanned(evidence: &Evidence, threads: usize) -> BTreeMap<String, Vec<u8>> {
    let seen = Mutex::new(BTreeMap::<FileId, BTreeMap<u64, (Vec<u8>, bool)>>::new());
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(|| {
        evidence.scan(&all(evidence), 8192, &|chunk| {
            assert_eq!(chunk.file_offset % 8192, 0);
            let bytes = (chunk.bytes.to_vec(), chunk.eof);
            let before = lock(&seen)
                .entry(chunk.file)
                .or_default()
                .insert(chunk.file_offset, bytes);
            assert!(before.is_none(), "{:?} twice", chunk.file);
        });
    });
    let seen = seen.into_inner().unwrap();
    let missing = evidence.not_examined();
    let mut files = BTreeMap::new();
    for (id, entry) in evidence.iter() {
        let mut bytes = Vec::new();
        let mut ended = 0;
        for (at, (chunk, eof)) in seen.get(&id).into_iter().flatten() {
            assert!(*at >= bytes.len() as u64, "{} overlaps at {at}", entry.path);
            bytes.resize(*at as usize, 0);
            bytes.extend_from_slice(chunk);
            ended += usize::from(*eof);
        }
        if !missing.iter().any(|note| note.path == entry.path) {
            assert_eq!(bytes.len() as u64, entry.size, "{}", entry.path);
            assert_eq!(ended, 1, "{}", entry.path);
        }
        files.insert(entry.path.clone(), bytes);
    }
    files
}

fn read_all(evidence: &Evidence) -> BTreeMap<String, Vec<u8>> {
    evidence.pin(&all(evidence)).unwrap();
    evidence
        .iter()
        .map(|(id, entry)| {
            let bytes = evidence.file(id).unwrap().read_all(usize::MAX).unwrap();
            (entry.path.clone(), bytes)
        })
        .collect()
}

fn tarred(root: &Path, entries: &[&str]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    for entry in entries {
        builder.append_dir_all(entry, root.join(entry)).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd_long(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.long_distance_matching(true).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn reasons(evidence: &Evidence) -> Vec<(String, String)> {
    evidence
        .not_examined()
        .into_iter()
        .map(|n| (n.path, n.reason))
        .collect()
}

#[test]
fn a_directory_is_listed_under_logical_names() {
    let tmp = cluster();
    let evidence = open(&tmp.path().join("pgdata"));
    let paths: Vec<&str> = evidence.files().iter().map(|f| f.path.as_str()).collect();
    assert!(paths.is_sorted());
    assert!(paths.contains(&"pg_tblspc/16400/PG_15_202209061/5/16501_fsm.1"));
    let id = evidence
        .by_path("pg_tblspc/16400/PG_15_202209061/5/16501")
        .unwrap();
    let entry = evidence.entry(id);
    assert!(matches!(entry.kind, FileKind::Relation(_)));
    assert_eq!(entry.tablespace_version_dir(), Some("PG_15_202209061"));
    assert_eq!(entry.size, 8192);
    assert_eq!(evidence.by_path("global/nothing"), None);
    assert!(evidence.has_dir("pg_notify") && evidence.has_dir("pg_tblspc/16400/PG_15_202209061/5"));
    assert!(!evidence.has_dir("pg_dynshmem"));
    assert_eq!(evidence.links()[0].target, "../../ts1");
    assert_eq!(evidence.not_examined(), []);
}

#[test]
fn every_source_gives_the_same_files_and_bytes() {
    let tmp = cluster();
    let root = tmp.path();
    let reference = open(&root.join("pgdata"));
    let bytes = read_all(&reference);
    let tar = tarred(root, &["pgdata", "ts1"]);
    let half = tar.len() / 2;
    let halves = |compress: &dyn Fn(&[u8]) -> Vec<u8>| {
        [compress(&tar[..half]), compress(&tar[half..])].concat()
    };
    let sources = [
        // Names that lie: the contents count.
        ("a.tar.gz", tar.clone()),
        ("b.tar", gzipped(&tar)),
        ("c.tar.zst", zstd_long(&tar)),
        ("d.tar.lz4", lz4(&tar)),
        ("e.bin", halves(&gzipped)),
        ("f", halves(&zstd_long)),
        ("g.lz4", halves(&lz4)),
        // A skippable frame first, as pzstd writes it.
        (
            "h.zst",
            [b"\x50\x2A\x4D\x18\x04\0\0\0abcd".to_vec(), zstd_long(&tar)].concat(),
        ),
    ];
    for (name, contents) in sources {
        fs::write(root.join(name), contents).unwrap();
        let evidence = open(&root.join(name));
        assert_eq!(evidence.files(), reference.files(), "{name}");
        assert!(evidence.dirs().eq(reference.dirs()), "{name}");
        assert_eq!(evidence.links(), reference.links(), "{name}");
        assert!(scanned(&evidence, 3) == bytes, "{name}");
        assert!(read_all(&evidence) == bytes, "{name}");
        // Now that all is pinned.
        assert!(scanned(&evidence, 1) == bytes, "{name}");
        assert_eq!(evidence.not_examined(), [], "{name}");
    }
    for name in ["a.tar.gz", "c.tar.zst"] {
        let evidence = Evidence::open(&root.join(name), &[], IoMode::Mmap).unwrap();
        assert_eq!(evidence.files(), reference.files(), "{name}");
        assert!(scanned(&evidence, 1) == bytes, "{name}");
        assert_eq!(evidence.not_examined(), [], "{name}");
    }
    for io_mode in [IoMode::Pread, IoMode::Mmap] {
        let evidence = Evidence::open(&root.join("pgdata"), &[], io_mode).unwrap();
        for threads in [1, 2, 5] {
            assert!(scanned(&evidence, threads) == bytes);
        }
        assert!(read_all(&evidence) == bytes);
        assert_eq!(evidence.not_examined(), []);
    }
}

#[test]
fn reads_stop_at_the_size() {
    let tmp = cluster();
    let evidence = open(&tmp.path().join("pgdata"));
    let reader = evidence
        .file(evidence.by_path("base/5/1259").unwrap())
        .unwrap();
    let mut buf = [0; 16384];
    assert_eq!(reader.read_at(&mut buf, 4 * 8192).unwrap(), 8192);
    assert_eq!(reader.read_at(&mut buf, 5 * 8192).unwrap(), 0);
    assert_eq!(reader.read_at(&mut buf, u64::MAX).unwrap(), 0);
    assert_eq!(
        reader.read_all(10).unwrap(),
        pattern(10, "pgdata/base/5/1259".len() as u32)
    );
}

#[test]
fn more_than_the_budget_is_pinned_in_a_file() {
    let tmp = tempfile::tempdir().unwrap();
    put(tmp.path(), "PG_VERSION", b"15\n");
    for n in 1..=5 {
        put(tmp.path(), &format!("base/5/{n}"), &pattern(9 << 20, n));
    }
    let tar = tarred(tmp.path(), &["base"]);
    let mut builder = ::tar::Builder::new(tar);
    builder.get_mut().truncate(0);
    builder.append_dir_all(".", tmp.path()).unwrap();
    let at = tmp.path().join("x.tar.zst");
    fs::write(&at, zstd_long(&builder.into_inner().unwrap())).unwrap();
    let evidence = open(&at);
    evidence.pin(&all(&evidence)).unwrap();
    {
        let pins = lock(&evidence.pins);
        assert!(pins.in_memory <= PIN_MEMORY && pins.spilled == 2 * (9 << 20));
    }
    for n in (1..=5).rev() {
        let id = evidence.by_path(&format!("base/5/{n}")).unwrap();
        let bytes = evidence.file(id).unwrap().read_all(usize::MAX).unwrap();
        assert!(bytes == pattern(9 << 20, n), "{n}");
    }
}

#[test]
fn what_cannot_be_read_is_listed() {
    let tmp = cluster();
    let pgdata = tmp.path().join("pgdata");
    symlink("/nowhere/at/all", pgdata.join("pg_tblspc/16405")).unwrap();
    symlink("loop_b", pgdata.join("loop_a")).unwrap();
    symlink("loop_a", pgdata.join("loop_b")).unwrap();
    symlink("..", pgdata.join("base/up")).unwrap();
    symlink("/", pgdata.join("base/everything")).unwrap();
    symlink("5", pgdata.join("base/6")).unwrap();
    symlink("5", pgdata.join("base/7")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        pgdata.join("base/5/16499"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(pgdata.join("pg_notify/0000")).unwrap();
    fs::create_dir(pgdata.join("base/5/1249")).unwrap();
    fs::remove_file(pgdata.join("global/pg_control")).unwrap();
    fs::create_dir(pgdata.join("global/pg_control")).unwrap();
    let evidence = open(&pgdata);
    let found = reasons(&evidence);
    let expected = [
        ("base/5/1249", "a directory where a file belongs"),
        ("base/5/16499", "a FIFO"),
        ("base/6/1249", "a directory where a file belongs"),
        ("base/6/16499", "a FIFO"),
        ("base/7", "symbolic link to 5: listed as base/6 already"),
        (
            "base/everything",
            "symbolic link to /: that leads back to where it began",
        ),
        (
            "base/up",
            "symbolic link to ..: that leads back to where it began",
        ),
        ("global/pg_control", "a directory where a file belongs"),
        (
            "loop_a",
            "symbolic link to loop_b: Too many levels of symbolic links (os error 40)",
        ),
        (
            "loop_b",
            "symbolic link to loop_a: Too many levels of symbolic links (os error 40)",
        ),
        ("pg_notify/0000", "a socket"),
        (
            "pg_tblspc/16405",
            "symbolic link to /nowhere/at/all: No such file or directory (os error 2)",
        ),
    ];
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(p, r)| ((*p).to_owned(), (*r).to_owned()))
        .collect();
    assert_eq!(found, expected);
    assert!(evidence.by_path("base/6/1259").is_some());
    assert_eq!(evidence.links().len(), 8);
    scanned(&evidence, 2);
    assert_eq!(reasons(&evidence), expected, "a scan adds nothing");
}

#[test]
fn a_folder_that_may_not_be_read_is_listed() {
    use std::os::unix::fs::PermissionsExt;
    let tmp = cluster();
    let pgdata = tmp.path().join("pgdata");
    let set = |mode| fs::set_permissions(pgdata.join("base/5"), fs::Permissions::from_mode(mode));
    set(0).unwrap();
    let evidence = open(&pgdata);
    let root_reads_everything = fs::read_dir(pgdata.join("base/5")).is_ok();
    set(0o700).unwrap();
    if !root_reads_everything {
        assert_eq!(reasons(&evidence).len(), 1);
        assert_eq!(reasons(&evidence)[0].0, "base/5");
    }
    assert!(evidence.by_path("global/pg_control").is_some());
}

#[test]
fn names_that_are_not_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let tmp = cluster();
    let pgdata = tmp.path().join("pgdata");
    let name = std::ffi::OsStr::from_bytes(b"caf\xE9.conf");
    fs::write(pgdata.join(name), b"latin").unwrap();
    let evidence = open(&pgdata);
    let id = evidence.by_path("caf\u{FFFD}.conf").unwrap();
    assert_eq!(
        evidence.entry(id).path_bytes.as_deref(),
        Some(&b"caf\xE9.conf"[..])
    );
    assert_eq!(evidence.file(id).unwrap().read_all(99).unwrap(), b"latin");
}

#[test]
fn files_that_shrink_vanish_or_change_after_opening() {
    for io_mode in [IoMode::Pread, IoMode::Mmap] {
        let tmp = cluster();
        let pgdata = tmp.path().join("pgdata");
        let evidence = Evidence::open(&pgdata, &[], io_mode).unwrap();
        let file = fs::OpenOptions::new()
            .write(true)
            .open(pgdata.join("base/5/16400"))
            .unwrap();
        file.set_len(10 * 8192 + 100).unwrap();
        fs::remove_file(pgdata.join("base/5/1259")).unwrap();
        fs::remove_file(pgdata.join("base/5/1259_vm")).unwrap();
        fs::create_dir(pgdata.join("base/5/1259_vm")).unwrap();
        let seen = scanned(&evidence, 3);
        assert_eq!(seen["base/5/16400"].len(), 10 * 8192 + 100);
        let notes = evidence.not_examined();
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert_eq!(notes[0].path, "base/5/1259");
        assert_eq!(notes[1].path, "base/5/1259_vm");
        assert_eq!(notes[2].path, "base/5/16400");
        assert_eq!(notes[2].range, Some((10 * 8192 + 100, (17 << 20) + 8192)));
        // The reader tells the same.
        let reader = evidence
            .file(evidence.by_path("base/5/16400").unwrap())
            .unwrap();
        assert_eq!(reader.len(), 10 * 8192 + 100);
        assert_eq!(evidence.not_examined(), notes);
    }
}

#[test]
fn a_file_that_grows_is_read_to_its_old_end() {
    let tmp = cluster();
    let pgdata = tmp.path().join("pgdata");
    let evidence = open(&pgdata);
    put(&pgdata, "base/5/1259", &pattern(9 * 8192, 1));
    assert_eq!(scanned(&evidence, 1)["base/5/1259"].len(), 5 * 8192);
    assert_eq!(evidence.not_examined(), []);
}

#[test]
fn the_evidence_is_not_changed() {
    let tmp = cluster();
    let pgdata = tmp.path().join("pgdata");
    let state = || -> Vec<_> {
        let evidence = open(&pgdata);
        evidence
            .files()
            .iter()
            .map(|f| {
                let path = pgdata.join(&f.path);
                let m = fs::metadata(&path).unwrap();
                let times = (
                    m.mtime(),
                    m.mtime_nsec(),
                    m.ctime(),
                    m.ctime_nsec(),
                    m.atime(),
                    m.atime_nsec(),
                );
                (path, m.mode(), m.len(), times)
            })
            .collect()
    };
    // Access times a day back, which an ordinary read would move.
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(200_000);
    for f in open(&pgdata).files() {
        let file = fs::File::open(pgdata.join(&f.path)).unwrap();
        file.set_times(fs::FileTimes::new().set_accessed(past).set_modified(past))
            .unwrap();
    }
    let before = state();
    let evidence = open(&pgdata);
    scanned(&evidence, 2);
    read_all(&evidence);
    assert_eq!(before, state());
}

#[test]
fn wal_archives() {
    let tmp = cluster();
    let archive = tmp.path().join("archive");
    let other = tmp.path().join("other");
    put(&archive, "000000010000000000000002", b"wal");
    put(&archive, "000000010000000000000002.00000028.backup", b"b");
    put(&archive, "00000002.history", b"h");
    put(&archive, "000000010000000000000003.partial", b"p");
    put(
        &archive,
        "15-1/0000000100000000/000000010000000000000004",
        b"deeper",
    );
    put(&other, "000000010000000000000005.gz", b"z");
    let pgdata = tmp.path().join("pgdata");
    let evidence = Evidence::open(&pgdata, &[archive.clone(), other], IoMode::Pread).unwrap();
    let from: Vec<(&str, usize)> = evidence
        .files()
        .iter()
        .filter_map(|f| Some((f.path.as_str(), f.archive?)))
        .collect();
    assert_eq!(
        from,
        [
            ("000000010000000000000002", 0),
            ("000000010000000000000002.00000028.backup", 0),
            ("000000010000000000000003.partial", 0),
            ("00000002.history", 0),
            ("15-1/0000000100000000/000000010000000000000004", 0),
            ("000000010000000000000005.gz", 1),
        ]
    );
    assert_eq!(evidence.not_examined(), []);
    let (packed, _) = evidence.iter().find(|(_, f)| f.archive == Some(1)).unwrap();
    assert!(evidence.file(packed).is_err());
    let notes = evidence.not_examined();
    assert_eq!((notes.len(), notes[0].archive), (1, Some(1)));
    assert_eq!(
        notes[0].reason,
        "it does not begin as a .gz file does; encrypted, perhaps"
    );
    assert!(
        evidence.by_path("00000002.history").is_none(),
        "that is PGDATA's namespace"
    );
    let (id, _) = evidence
        .iter()
        .find(|(_, f)| f.path.starts_with("15-1"))
        .unwrap();
    assert_eq!(evidence.file(id).unwrap().read_all(99).unwrap(), b"deeper");
    let missing = Evidence::open(&pgdata, &[tmp.path().join("nothing")], IoMode::Pread);
    assert!(matches!(missing, Err(OpenError::NotFound(_))));
    let no_folder = Evidence::open(&pgdata, &[archive.join("00000002.history")], IoMode::Pread);
    assert!(matches!(no_folder, Err(OpenError::Io(..))));
}

#[test]
fn more_compressed_segments_than_memory_is_meant_for() {
    let tmp = cluster();
    let archive = tmp.path().join("archive");
    let size = 16 << 20;
    let segment = |n: u8| {
        let mut bytes = vec![n; size];
        bytes[size - 1] = 0xFF;
        bytes
    };
    for n in 1..=7 {
        let packed = zstd::bulk::compress(&segment(n), 1).unwrap();
        put(
            &archive,
            &format!("00000001000000000000000{n}.zst"),
            &packed,
        );
    }
    let evidence = Evidence::of_wal(&[archive], IoMode::Pread).unwrap();
    evidence.limit_segments(16 << 20);
    let ids: Vec<FileId> = evidence.iter().map(|(id, _)| id).collect();
    for _ in 0..2 {
        // All at once: some of them lie in temporary files.
        let files: Vec<_> = ids.iter().map(|id| evidence.file(*id).unwrap()).collect();
        let on_disk = files.iter().filter(|f| matches!(*f.raw, Raw::File(_)));
        assert_eq!(on_disk.count(), 3);
        for (n, file) in (1..).zip(&files) {
            assert_eq!(file.len(), size as u64);
            let mut bytes = [0; 3];
            assert_eq!(file.read_at(&mut bytes, size as u64 - 2).unwrap(), 2);
            assert_eq!(bytes, [n, 0xFF, 0]);
            assert_eq!(file.read_all(size).unwrap(), segment(n));
        }
    }
    for (n, id) in (1..).zip(ids) {
        let mut head = [0; 40];
        assert_eq!(evidence.head(id, &mut head).unwrap(), 40);
        assert_eq!(head, [n; 40]);
        assert_eq!(evidence.content_size(id).unwrap(), size as u64);
    }
    assert_eq!(evidence.not_examined(), []);
}

#[test]
fn where_there_is_no_evidence() {
    let tmp = cluster();
    let message = |path: &Path| match Evidence::open(path, &[], IoMode::Pread) {
        Ok(_) => panic!("{path:?} opened"),
        Err(error) => error.to_string().replace(tmp.path().to_str().unwrap(), "@"),
    };
    assert_eq!(
        message(&tmp.path().join("no")),
        "@/no: no such file or directory"
    );
    assert_eq!(
        message(tmp.path()),
        "@: not a data directory: it has neither PG_VERSION nor global/pg_control, nor \
         base.tar of a base backup; there is one at @/pgdata"
    );
    let empty = tmp.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert_eq!(
        message(&empty),
        "@/empty: not a data directory: it has neither PG_VERSION nor global/pg_control, \
         nor base.tar of a base backup"
    );
    for (name, bytes, why) in [
        (
            "empty.tar",
            &b""[..],
            "it is neither a directory nor a tar archive",
        ),
        (
            "picture.png",
            b"\x89PNG",
            "it is neither a directory nor a tar archive",
        ),
        (
            "a.zip",
            b"PK\x03\x04",
            "zip is not read; decompress it first",
        ),
        (
            "tiny.gz",
            b"\x1F\x8B",
            "no folder in the archive has PG_VERSION and global/, and the archive is damaged: ",
        ),
    ] {
        put(tmp.path(), name, bytes);
        let text = message(&tmp.path().join(name));
        let expected = format!("@/{name}: not a data directory: {why}");
        assert!(text.starts_with(&expected), "{text}");
    }
    put(tmp.path(), "text.gz", &gzipped(b"no tar"));
    assert!(message(&tmp.path().join("text.gz")).contains("damaged"));
    put(tmp.path(), "ts1.tar", &tarred(tmp.path(), &["ts1"]));
    assert!(
        message(&tmp.path().join("ts1.tar"))
            .ends_with("no folder in the archive has PG_VERSION and global/")
    );

    // Without PG_VERSION, with pg_control: there is something to look at.
    fs::remove_file(tmp.path().join("pgdata/PG_VERSION")).unwrap();
    assert!(
        open(&tmp.path().join("pgdata"))
            .by_path("PG_VERSION")
            .is_none()
    );
}

#[test]
fn several_data_directories_in_one_tar() {
    let tmp = cluster();
    let mut builder = ::tar::Builder::new(Vec::new());
    for name in ["one", "two", "deeper/three"] {
        let pgdata = tmp.path().join("pgdata");
        for file in ["PG_VERSION", "global/pg_control"] {
            builder
                .append_path_with_name(pgdata.join(file), format!("{name}/{file}"))
                .unwrap();
        }
    }
    let at = tmp.path().join("many.tar");
    fs::write(&at, builder.into_inner().unwrap()).unwrap();
    let error = Evidence::open(&at, &[], IoMode::Pread)
        .unwrap_err()
        .to_string();
    let at = at.display().to_string();
    assert_eq!(
        error,
        format!("{at}: holds several data directories; name one: {at}/one, {at}/two")
    );
    assert_eq!(
        open(Path::new(&format!("{at}/deeper/three"))).files().len(),
        2
    );
    let none = Evidence::open(Path::new(&format!("{at}/four")), &[], IoMode::Pread);
    assert!(matches!(none, Err(OpenError::NotADataDirectory { .. })));
}

/// A header with these fields and a right checksum.
fn header(name: &str, kind: u8, size: u64) -> ::tar::Header {
    let mut header = ::tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(::tar::EntryType::new(kind));
    header.set_size(size);
    header.set_mode(0o600);
    header.set_cksum();
    header
}

fn member(name: &str, kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = header(name, kind, bytes.len() as u64).as_bytes().to_vec();
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn link(name: &str, kind: u8, target: &str) -> Vec<u8> {
    let mut header = header(name, kind, 0);
    header.set_link_name_literal(target).unwrap();
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// What every data directory has, then `parts`, then the end.
fn archive_of(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = member("PG_VERSION", b'0', b"15\n");
    out.extend(member("global/pg_control", b'0', b"control"));
    out.extend(parts.concat());
    out.resize(out.len() + 1024, 0);
    out
}

fn open_bytes(bytes: &[u8]) -> (TempDir, Evidence) {
    let tmp = tempfile::tempdir().unwrap();
    let at = tmp.path().join("x.tar");
    fs::write(&at, bytes).unwrap();
    let evidence = open(&at);
    (tmp, evidence)
}

fn text(evidence: &Evidence, path: &str) -> String {
    let id = evidence.by_path(path).unwrap_or_else(|| panic!("{path}"));
    let bytes = evidence.file(id).unwrap().read_all(1 << 20).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn members_of_every_kind() {
    let long = format!("log/{}", "y".repeat(300));
    let pax = |records: &[(&str, &str)]| {
        let mut data = String::new();
        for (key, value) in records {
            let mut len = key.len() + value.len() + 3;
            while len != format!("{len} {key}={value}\n").len() {
                len += 1;
            }
            data += &format!("{len} {key}={value}\n");
        }
        member("pax", b'x', data.as_bytes())
    };
    let bytes = archive_of(&[
        member("././@LongLink", b'L', format!("{long}\0").as_bytes()),
        member("cut", b'0', b"by a long name"),
        pax(&[("path", "log/by pax\nwith newline"), ("mtime", "1.5")]),
        member("cut", b'0', b"by pax"),
        member("./base//5/./1259", b'0', b"first"),
        member("base/5/1259", b'0', b"second wins"),
        link("base/5/1249", b'1', "base/5/1259"),
        member("base/5/1259", b'0', b"third wins"),
        link("base/5/1255", b'1', "base/5/none"),
        link("base/5/1247", b'2', "1249"),
        link("pg_tblspc/1", b'2', "../ts"),
        member("ts/PG_15_202209061/5/7", b'0', b"seven"),
        link("pg_tblspc/2", b'2', "/mnt/two"),
        member("mnt/two/PG_15_202209061/5/8", b'0', b"eight"),
        link("pg_tblspc/3", b'2', "/mnt/gone"),
        link("pg_tblspc/4", b'2', "../pg_tblspc"),
        link("loop", b'2', "loop"),
        member("fifo", b'6', b""),
        member("device", b'4', b""),
        member("../../etc/passwd", b'0', b"out"),
        member("global", b'g', b"13 a=global\n"),
        member("odd", b'?', b"skipped over"),
        member("last", b'0', b"last"),
    ]);
    for compress in [false, true] {
        let bytes = if compress {
            gzipped(&bytes)
        } else {
            bytes.clone()
        };
        let (_tmp, evidence) = open_bytes(&bytes);
        assert_eq!(text(&evidence, &long), "by a long name");
        assert_eq!(text(&evidence, "log/by pax\nwith newline"), "by pax");
        assert_eq!(text(&evidence, "base/5/1259"), "third wins");
        assert_eq!(text(&evidence, "base/5/1249"), "second wins");
        assert_eq!(text(&evidence, "base/5/1247"), "second wins");
        assert_eq!(text(&evidence, "pg_tblspc/1/PG_15_202209061/5/7"), "seven");
        assert_eq!(text(&evidence, "pg_tblspc/2/PG_15_202209061/5/8"), "eight");
        assert_eq!(text(&evidence, "last"), "last");
        let expected = [
            (
                "base/5/1255",
                "a hard link to a file that the archive lacks",
            ),
            ("device", "a device"),
            ("fifo", "a FIFO"),
            (
                "loop",
                "symbolic link to loop: the archive holds no such file",
            ),
            ("odd", "an archive member of an unknown type"),
            (
                "pg_tblspc/3",
                "symbolic link to /mnt/gone: the archive holds no such file",
            ),
            (
                "pg_tblspc/4",
                "symbolic link to ../pg_tblspc: that leads back to where it began",
            ),
            (
                "x.tar",
                "a member's name leads out of the archive: ../../etc/passwd",
            ),
        ];
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(p, r)| ((*p).to_owned(), (*r).to_owned()))
            .collect();
        assert_eq!(reasons(&evidence), expected);
    }
}

#[test]
fn sparse_members() {
    let data = pattern(3 * 512, 9);
    let mut whole = vec![0; 700_000];
    whole[1024..1536].copy_from_slice(&data[..512]);
    whole[600_000..600_000 + 1024].copy_from_slice(&data[512..]);
    // Old GNU: the map in the header.
    let mut old = header("base/5/1", b'S', data.len() as u64);
    let gnu = old.as_gnu_mut().unwrap();
    for (i, (at, len)) in [(1024, 512), (600_000, 1024), (700_000, 0)]
        .into_iter()
        .enumerate()
    {
        gnu.sparse[i].set_offset(at);
        gnu.sparse[i].set_length(len);
    }
    gnu.set_real_size(700_000);
    old.set_cksum();
    let old = [old.as_bytes().to_vec(), data.clone()].concat();
    // Old GNU with the map going on in blocks of its own.
    let mut extended = header("base/5/2", b'S', data.len() as u64);
    let gnu = extended.as_gnu_mut().unwrap();
    gnu.sparse[0].set_offset(1024);
    gnu.sparse[0].set_length(512);
    gnu.set_is_extended(true);
    gnu.set_real_size(700_000);
    extended.set_cksum();
    let mut more = ::tar::GnuExtSparseHeader::new();
    more.sparse_mut()[0].set_offset(600_000);
    more.sparse_mut()[0].set_length(1024);
    let extended = [
        extended.as_bytes().to_vec(),
        more.as_bytes().to_vec(),
        data.clone(),
    ]
    .concat();
    // Pax 0.1 and 1.0.
    let pax1 = [
        member(
            "pax",
            b'x',
            b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n28 GNU.sparse.name=base/5/3\n30 GNU.sparse.realsize=700000\n",
        ),
        {
            let mut stored = b"2\n1024\n512\n600000\n1024\n".to_vec();
            stored.resize(512, 0);
            stored.extend(&data);
            member("base/5/GNUSparseFile.1/3", b'0', &stored)
        },
    ]
    .concat();
    let pax0 = [
        member(
            "pax",
            b'x',
            b"26 GNU.sparse.size=700000\n39 GNU.sparse.map=1024,512,600000,1024\n",
        ),
        member("base/5/4", b'0', &data),
    ]
    .concat();
    let mut lying = header("base/5/5", b'S', 512);
    let gnu = lying.as_gnu_mut().unwrap();
    gnu.sparse[0].set_offset(1 << 50);
    gnu.sparse[0].set_length(512);
    gnu.set_real_size(u64::MAX >> 1);
    lying.set_cksum();
    let lying = [lying.as_bytes().to_vec(), data[..512].to_vec()].concat();
    let bytes = archive_of(&[
        old,
        extended,
        pax1,
        pax0,
        lying,
        member("last", b'0', b"last"),
    ]);
    for compress in [false, true] {
        let bytes = if compress { lz4(&bytes) } else { bytes.clone() };
        let (_tmp, evidence) = open_bytes(&bytes);
        let scanned = scanned(&evidence, 2);
        for n in 1..=4 {
            assert!(scanned[&format!("base/5/{n}")] == whole, "{n} {compress}");
        }
        let read = read_all(&evidence);
        assert_eq!(read, scanned);
        assert_eq!(text(&evidence, "last"), "last");
        assert_eq!(reasons(&evidence).len(), 1);
        assert_eq!(reasons(&evidence)[0].0, "base/5/5");
    }
}

#[test]
fn a_truncated_archive_keeps_what_was_read() {
    let tmp = cluster();
    let tar = tarred(tmp.path(), &["pgdata", "ts1"]);
    let whole = read_all(&open(&tmp.path().join("pgdata")));
    // In the data of the large relation, whatever the order of the folders.
    let big = &whole["base/5/16400"];
    let at = tar.windows(512).position(|w| w == &big[..512]).unwrap() + (1 << 20) + 77;
    let rest = tarred(tmp.path(), &["pgdata/global"]);
    let mut front = member("pgdata/PG_VERSION", b'0', &whole["PG_VERSION"]);
    front.extend_from_slice(&rest[..rest.len() - 1024]);
    let cut = [front.clone(), tar[..at].to_vec()].concat();
    let cut_gz = {
        let full = gzipped(&[front, tar].concat());
        full[..full.len() / 2].to_vec()
    };
    for (name, bytes) in [
        ("cut.tar", cut.clone()),
        ("cut.zst", zstd_long(&cut)),
        ("cut.gz", cut_gz),
    ] {
        fs::write(tmp.path().join(name), bytes).unwrap();
        let evidence = open(&tmp.path().join(name));
        let scanned = scanned(&evidence, 2);
        for (path, bytes) in &scanned {
            assert_eq!(bytes[..], whole[path][..bytes.len()], "{name} {path}");
        }
        let notes = evidence.not_examined();
        // The tablespace behind the link is cut off, too.
        let (damage, files): (Vec<_>, Vec<_>) = notes
            .iter()
            .filter(|n| n.path != "pg_tblspc/16400")
            .partition(|n| n.path == name);
        assert_eq!(damage.len(), 1, "{name} {notes:?}");
        for note in &files {
            let (from, to) = note.range.unwrap();
            assert_eq!(from, scanned[&note.path].len() as u64);
            assert_eq!(to, whole[&note.path].len() as u64);
        }
        assert!(files.len() <= 1, "{name} {notes:?}");
        if name != "cut.gz" {
            assert_eq!(files[0].range.unwrap().0, (1 << 20) + 77);
            assert_eq!(files[0].path, "base/5/16400");
        }
        assert_eq!(read_all(&evidence), scanned, "{name}");
    }
}

#[test]
fn damage_within_an_archive_costs_only_what_it_hit() {
    let mut bytes = archive_of(&[
        member("base/5/1", b'0', &pattern(2000, 1)),
        member("base/5/2", b'0', &pattern(2000, 2)),
        member("base/5/3", b'0', b"three"),
    ]);
    let second = bytes.windows(8).position(|w| w == b"base/5/2").unwrap();
    // A header of other bytes, and one of zeros, which looks like the archive's end.
    for fill in [0x55, 0] {
        bytes[second..second + 512].fill(fill);
        let (_tmp, evidence) = open_bytes(&bytes);
        assert_eq!(text(&evidence, "base/5/3"), "three");
        assert!(evidence.by_path("base/5/2").is_none());
        let notes = reasons(&evidence);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].1.contains("no tar header"), "{notes:?}");
    }
}

#[test]
fn random_archives_never_panic() {
    let good = archive_of(&[
        link("pg_tblspc/1", b'2', "../ts"),
        member(
            "pax",
            b'x',
            b"22 GNU.sparse.major=1\n30 GNU.sparse.realsize=700000\n",
        ),
        member("s", b'0', &pattern(1024, 3)),
        member("L", b'L', b"name\0"),
        member("x", b'0', &pattern(1000, 4)),
    ]);
    let tmp = tempfile::tempdir().unwrap();
    let at = tmp.path().join("x.tar");
    for seed in 0..300 {
        let noise = pattern(40, seed);
        let mut bytes = good.clone();
        for pair in noise.chunks_exact(4) {
            // Where it hurts: mostly headers' fields, checksums put right again.
            let at = usize::from(u16::from_be_bytes([pair[0], pair[1]])) % bytes.len();
            bytes[at] = pair[2];
        }
        if seed % 2 == 0 {
            for block in bytes.chunks_exact_mut(512) {
                let mut header = ::tar::Header::new_old();
                header.as_mut_bytes().copy_from_slice(block);
                if &block[257..262] == b"ustar" {
                    header.set_cksum();
                    block.copy_from_slice(header.as_bytes());
                }
            }
        }
        fs::write(
            &at,
            if seed % 3 == 0 {
                gzipped(&bytes)
            } else {
                bytes
            },
        )
        .unwrap();
        if let Ok(evidence) = Evidence::open(&at, &[], IoMode::Pread) {
            evidence.scan(&all(&evidence), 8192, &|_| {});
            evidence.pin(&all(&evidence)).unwrap();
            for (id, _) in evidence.iter() {
                let _ = evidence.file(id).map(|f| f.read_all(1 << 20));
            }
        }
    }
}

#[test]
fn the_tar_format_of_pg_basebackup() {
    let tmp = cluster();
    let root = tmp.path();
    let reference = open(&root.join("pgdata"));
    let backup = root.join("backup");
    fs::create_dir(&backup).unwrap();
    let flat = |folder: &str, leave_out: &str| {
        let mut builder = ::tar::Builder::new(Vec::new());
        builder.follow_symlinks(false);
        let folder = root.join(folder);
        let evidence_of = |dir: &Path| {
            let mut names: Vec<_> = fs::read_dir(dir)
                .unwrap()
                .map(|e| e.unwrap().file_name())
                .collect();
            names.sort();
            names
        };
        for name in evidence_of(&folder) {
            if name.to_str() == Some(leave_out) {
                continue;
            }
            let path = folder.join(&name);
            if path.is_dir() {
                builder.append_dir_all(&name, path).unwrap();
            } else {
                builder.append_path_with_name(path, &name).unwrap();
            }
        }
        builder.into_inner().unwrap()
    };
    fs::write(
        backup.join("base.tar.gz"),
        gzipped(&flat("pgdata", "pg_wal")),
    )
    .unwrap();
    fs::write(backup.join("pg_wal.tar"), flat("pgdata/pg_wal", "")).unwrap();
    fs::write(backup.join("16400.tar.zst"), zstd_long(&flat("ts1", ""))).unwrap();
    fs::write(backup.join("backup_manifest"), b"{}").unwrap();
    for path in [backup.clone(), backup.join("base.tar.gz")] {
        let evidence = open(&path);
        let files: Vec<_> = evidence
            .files()
            .iter()
            .filter(|f| f.path != "backup_manifest")
            .collect();
        assert_eq!(files, reference.files().iter().collect::<Vec<_>>());
        assert_eq!(text(&evidence, "backup_manifest"), "{}");
        let mut bytes = read_all(&reference);
        bytes.insert("backup_manifest".to_owned(), b"{}".to_vec());
        assert!(scanned(&evidence, 2) == bytes);
        assert!(read_all(&evidence) == bytes);
        assert_eq!(evidence.not_examined(), []);
    }
    fs::write(backup.join("base.tar"), b"").unwrap();
    assert!(matches!(
        Evidence::open(&backup, &[], IoMode::Pread),
        Err(OpenError::Ambiguous { .. })
    ));
}

#[test]
fn a_visitor_may_use_the_pool_and_may_panic() {
    use rayon::prelude::*;
    let tmp = cluster();
    let tar = tarred(tmp.path(), &["pgdata", "ts1"]);
    fs::write(tmp.path().join("x.tar.gz"), gzipped(&tar)).unwrap();
    for name in ["pgdata", "x.tar.gz"] {
        let evidence = open(&tmp.path().join(name));
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let bytes = std::sync::atomic::AtomicUsize::new(0);
            let add = |n| bytes.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
            pool.install(|| {
                evidence.scan(&all(&evidence), 8192, &|chunk| {
                    let sum: usize = chunk.bytes.par_chunks(8192).map(<[u8]>::len).sum();
                    add(sum);
                });
            });
            let size: u64 = evidence.files().iter().map(|f| f.size).sum();
            assert_eq!(bytes.into_inner() as u64, size, "{name}");
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                pool.install(|| evidence.scan(&all(&evidence), 8192, &|_| panic!("on purpose")));
            }));
            assert!(panicked.is_err(), "{name}");
        }
    }
}
