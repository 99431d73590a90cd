//! What is listed of real data directories, read where they are packed.

mod support;

use pgautopsy::pgdata::{Evidence, FileKind, IoMode, OpenError};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One fixture, its files as the tar crate lists them.
struct Fixture {
    name: String,
    /// Path below the data directory, and bytes.
    files: BTreeMap<String, u64>,
}

impl Fixture {
    fn load(name: &str) -> Self {
        let mut files = BTreeMap::new();
        let mut spc = None;
        support::each_entry(name, |path, entry| {
            if let Some(link) = path.strip_prefix("pgdata/pg_tblspc/")
                && entry.header().entry_type().is_symlink()
            {
                spc = Some(link.to_owned());
            }
            if entry.header().entry_type().is_file() {
                let path = match (path.strip_prefix("pgdata/"), path.strip_prefix("ts1/")) {
                    (Some(path), _) => path.to_owned(),
                    (_, Some(path)) => format!("pg_tblspc/{}/{path}", spc.as_ref().unwrap()),
                    _ => return,
                };
                files.insert(path, entry.size());
            }
        });
        Self {
            name: name.to_owned(),
            files,
        }
    }
}

support::both_sets! { fixtures_list_as_the_tar_crate_lists_them }

fn fixtures_list_as_the_tar_crate_lists_them(fixtures: &[Fixture]) {
    for Fixture { name, files } in fixtures {
        let opened = Evidence::open(&support::packed(name), &[], IoMode::Pread);
        if name == "15-targz" {
            let whole = support::shared_fixtures().join("15-targz.tar.zst");
            let error = Evidence::open(&whole, &[], IoMode::Pread).unwrap_err();
            assert!(error.to_string().contains("tar/base.tar.gz"), "{error}");
            continue;
        }
        let evidence = opened.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(evidence.not_examined(), [], "{name}");
        let found: BTreeMap<String, u64> = evidence
            .files()
            .iter()
            .map(|f| (f.path.clone(), f.size))
            .collect();
        assert_eq!(&found, files, "{name}");
        for file in evidence.files() {
            let known_other = ["log/", "pg_logical/", "pg_replslot/", "pg_snapshots/"];
            if file.kind == FileKind::Other && !known_other.iter().any(|k| file.path.starts_with(k))
            {
                assert!(
                    ["logfile", "server.log"].contains(&file.path.as_str())
                        || file.path.ends_with(".done")
                        || file.path.ends_with(".old"),
                    "{name} {}",
                    file.path
                );
            }
        }
    }
}

#[test]
fn an_archive_of_several_fixtures_names_them() {
    let path = support::testdata().join("clusters/15.tar.zst");
    let Err(OpenError::Ambiguous { candidates, .. }) = Evidence::open(&path, &[], IoMode::Pread)
    else {
        panic!("one of five was picked");
    };
    let named: Vec<PathBuf> = ["basebackup", "clean", "crash", "promoted", "torn"]
        .iter()
        .map(|kind| support::packed(&format!("15-{kind}")))
        .collect();
    assert_eq!(candidates, named);
}

#[test]
#[ignore = "needs the whole set beside the repository"]
fn the_fixture_in_tar_format() {
    let tmp = support::unpack("15-targz");
    let evidence = Evidence::open(&tmp.path().join("tar"), &[], IoMode::Pread).unwrap();
    assert_eq!(evidence.not_examined(), []);
    for kind in [
        "global/pg_control",
        "backup_label",
        "tablespace_map",
        "backup_manifest",
    ] {
        assert!(evidence.by_path(kind).is_some(), "{kind}");
    }
    let in_spc = evidence
        .files()
        .iter()
        .filter(|f| f.path.starts_with("pg_tblspc/16") && matches!(f.kind, FileKind::Relation(_)));
    assert!(in_spc.count() > 2);
    for (id, entry) in evidence.iter().filter(|(_, f)| f.size < 10_000).take(4) {
        let bytes = evidence.file(id).unwrap().read_all(usize::MAX).unwrap();
        assert_eq!(bytes.len() as u64, entry.size);
    }
}
