//! Reads files out of `testdata/` for integration tests.
#![allow(dead_code)] // each test binary uses a part
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Names of all fixtures, sorted: `10-clean`, `10-crash`, …
pub fn fixture_names() -> Vec<String> {
    let folder = testdata().join("fixtures");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".tar.zst").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

/// The files of a fixture whose path (`pgdata/global/pg_control`) is `wanted`, read in one
/// pass over the archive.
pub fn fixture_files(
    name: &str,
    mut wanted: impl FnMut(&str) -> bool,
) -> BTreeMap<String, Vec<u8>> {
    let path = testdata().join(format!("fixtures/{name}.tar.zst"));
    let file = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        if entry.header().entry_type().is_file() && wanted(&path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(path, bytes);
        }
    }
    files
}

/// One file of a fixture.
pub fn fixture_file(name: &str, path: &str) -> Vec<u8> {
    fixture_files(name, |p| p == path)
        .remove(path)
        .unwrap_or_else(|| panic!("{name} has no {path}"))
}

/// One file of `15-targz`, out of the compressed base backup within it.
pub fn targz_file(path: &str) -> Vec<u8> {
    let base = fixture_file("15-targz", "tar/base.tar.gz");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*base));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().to_str() == Some(path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            return bytes;
        }
    }
    panic!("15-targz has no {path}")
}

/// A text of `testdata/truth/NAME`, unpacked if its name ends in `.zst`.
pub fn truth(name: &str, file: &str) -> String {
    let path = testdata().join(format!("truth/{name}/{file}"));
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let bytes = if file.ends_with(".zst") {
        zstd::decode_all(&bytes[..]).unwrap()
    } else {
        bytes
    };
    String::from_utf8_lossy(&bytes).into_owned()
}
