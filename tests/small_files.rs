//! The small files of every real data directory in `testdata/`.

mod support;

use pgautopsy::format::control::{ControlFile, ControlReading, CrcVerdict, DecidedBy};
use pgautopsy::format::names::{RelFile, SlruNames, TwoPhaseName, WalFile};
use pgautopsy::format::{Layout, Version};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;

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

static FIXTURES: LazyLock<Vec<Fixture>> = LazyLock::new(|| {
    support::fixture_names()
        .into_par_iter()
        .map(|name| {
            let mut paths = Vec::new();
            let files = support::fixture_files(&name, |path| {
                paths.push(path.to_owned());
                is_small_file(path)
            });
            Fixture {
                version: Version::by_name(name.split_once('-').unwrap().0).unwrap(),
                name,
                files,
                paths,
            }
        })
        .collect()
});

/// Those with an unpacked data directory, each with its `pg_control`.
fn controls() -> impl Iterator<Item = (&'static Fixture, ControlFile)> {
    FIXTURES
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

#[test]
fn every_pg_control_is_good_and_has_no_impossible_value() {
    let mut seen = 0;
    for (f, control) in controls() {
        seen += 1;
        assert_eq!(control.version, f.version, "{}", f.name);
        // Segments of 1 and 4 MB are a legal choice from 11 on.
        assert_eq!(control.impossible(), [], "{}", f.name);
        let reading = ControlFile::read(f.file("pgdata/global/pg_control"), None);
        assert_eq!(reading.refusal(f.version), None, "{}", f.name);
        assert_eq!(control.layout().wal_segsz, control.xlog_seg_size);
    }
    assert_eq!(seen, 53, "all but the backup kept in tar files");
}

#[test]
fn every_flipped_bit_of_a_real_pg_control_is_noticed() {
    for (f, control) in controls().filter(|(f, _)| f.name.ends_with("-clean")) {
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

#[test]
fn every_file_in_the_known_folders_has_a_known_name() {
    let mut seen = BTreeMap::<&str, usize>::new();
    for f in FIXTURES.iter() {
        let v = f.version;
        for path in f.paths.iter().filter_map(|p| p.strip_prefix("pgdata/")) {
            let (folder, base) = path.rsplit_once('/').unwrap_or(("", path));
            let kind = match folder {
                "pg_wal" | "pg_xlog" => {
                    let file = WalFile::parse(base);
                    assert_eq!(file.map(|w| w.to_string()).as_deref(), Some(base));
                    if let Some(WalFile::Segment(name)) = file {
                        // Whatever the segment size, 16 MB is the largest here.
                        assert!(
                            name.segno(&Layout {
                                wal_segsz: 1 << 20,
                                ..Layout::usual(v)
                            })
                            .is_some()
                        );
                    }
                    "WAL"
                }
                "pg_clog"
                | "pg_xact"
                | "pg_subtrans"
                | "pg_multixact/offsets"
                | "pg_multixact/members"
                | "pg_commit_ts"
                | "pg_notify" => {
                    let names = SlruNames::of(v, folder);
                    assert!(names.parse(base).is_some(), "{} {path}", f.name);
                    "SLRU"
                }
                "pg_twophase" => {
                    let name = TwoPhaseName::parse(v, base).unwrap();
                    assert_eq!(name.to_string(), base);
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
                    let file = RelFile::parse(v, path);
                    assert_eq!(file.map(|r| r.path(v)).as_deref(), Some(path), "{}", f.name);
                    "relation"
                }
                _ => continue,
            };
            *seen.entry(kind).or_default() += 1;
        }
        for path in f.paths.iter().filter_map(|p| p.strip_prefix("ts1/")) {
            let path = format!("pg_tblspc/16385/{path}");
            assert!(RelFile::parse(v, &path).is_some(), "{} {path}", f.name);
        }
        for base in f.paths.iter().filter_map(|p| p.strip_prefix("archive/")) {
            let file = WalFile::parse(base).map(|w| w.to_string());
            assert_eq!(file.as_deref(), Some(base), "{}", f.name);
        }
    }
    for kind in ["WAL", "SLRU", "two-phase", "relation"] {
        assert!(seen[kind] > 50, "{seen:?}");
    }
}
