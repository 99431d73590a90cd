//! What holds of the code as a whole.

mod support;

use pgautopsy::format::VERSIONS;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}

#[test]
fn parsers_know_bytes_alone() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/format"));
    assert!(files.len() > 30, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["std::fs", "std::io", "memmap2", "rayon", "clap"] {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

#[test]
fn every_version_has_a_crashed_and_a_clean_fixture() {
    for version in &VERSIONS {
        for kind in ["crash", "clean"] {
            let name = format!("{}-{kind}", version.major);
            assert!(support::bundled().contains(&name), "no {name}");
        }
    }
}
