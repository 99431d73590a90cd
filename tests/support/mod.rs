//! Reads files out of `testdata/` for integration tests.
//!
//! Clusters lie in one archive per major version; tests that are `#[ignore]`d also use the
//! whole set beside the repository (`../shared/fixtures`), which CI has.
#![allow(dead_code, unused_imports, unused_macros)] // each test binary uses a part
#![allow(missing_docs)]

pub mod pack;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Makes two tests of each function over `&[Fixture]`, a type with `load(name)`: `bundled::…`,
/// and `whole_set::…`, which is ignored. Fixtures are loaded once for all tests of a set.
macro_rules! both_sets {
    ($($test:ident),+ $(,)?) => {
        mod bundled {
            use rayon::prelude::*;
            static SET: std::sync::LazyLock<Vec<super::Fixture>> = std::sync::LazyLock::new(|| {
                let names = super::support::bundled().par_iter();
                names.map(|name| super::Fixture::load(name)).collect()
            });
            $(
                #[test]
                fn $test() {
                    super::$test(&SET);
                }
            )+
        }
        mod whole_set {
            use rayon::prelude::*;
            static SET: std::sync::LazyLock<Vec<super::Fixture>> = std::sync::LazyLock::new(|| {
                let names = super::support::all_shared().into_par_iter();
                names.map(|name| super::Fixture::load(&name)).collect()
            });
            $(
                #[test]
                #[ignore = "needs the whole set beside the repository"]
                fn $test() {
                    super::$test(&SET);
                }
            )+
        }
    };
}
pub(crate) use both_sets;

/// The whole set of fixtures, where it is at hand.
pub fn shared_fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures")
}

type Packed = zstd::Decoder<'static, BufReader<File>>;
pub type Entry<'a> = tar::Entry<'a, Packed>;

fn open(path: &Path) -> tar::Archive<Packed> {
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut decoder = zstd::Decoder::with_buffer(BufReader::new(file)).unwrap();
    decoder.window_log_max(27).unwrap();
    tar::Archive::new(decoder)
}

/// The archive that holds a fixture, and the folder within it.
fn archive_of(name: &str) -> (PathBuf, String) {
    let major = name.split('-').next().unwrap();
    if bundled().iter().any(|bundled| bundled == name) {
        let path = testdata().join(format!("clusters/{major}.tar.zst"));
        (path, format!("{name}/"))
    } else {
        (
            shared_fixtures().join(format!("{name}.tar.zst")),
            String::new(),
        )
    }
}

/// Names of the fixtures in `testdata/`, sorted: `10-clean`, `10-crash`, …
pub fn bundled() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names: Vec<String> = truths()
            .keys()
            .map(|path| path.split('/').next().unwrap().to_owned())
            .collect();
        names.dedup();
        names
    })
}

/// Names of all fixtures beside the repository, sorted.
pub fn all_shared() -> Vec<String> {
    let folder = shared_fixtures();
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("no whole set of fixtures at {}: {e}", folder.display()))
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".tar.zst").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

/// The bundled fixtures of one kind: `crash`, `clean`, `torn`, …
pub fn of_kind(kind: &str) -> Vec<&'static str> {
    let suffix = format!("-{kind}");
    bundled()
        .iter()
        .map(String::as_str)
        .filter(|name| name.ends_with(&suffix))
        .collect()
}

/// Calls `each` with path (`pgdata/global/pg_control`) and entry of all that a fixture holds, in
/// the order of the archive.
pub fn each_entry(name: &str, mut each: impl FnMut(&str, &mut Entry<'_>)) {
    let (path, prefix) = archive_of(name);
    let mut archive = open(&path);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        match path.strip_prefix(&prefix) {
            None | Some("") => {}
            Some(path) => each(path, &mut entry),
        }
    }
}

/// The files of a fixture whose path is `wanted`, read in one pass over the archive.
pub fn fixture_files(
    name: &str,
    mut wanted: impl FnMut(&str) -> bool,
) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    each_entry(name, |path, entry| {
        if entry.header().entry_type().is_file() && wanted(path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(path.to_owned(), bytes);
        }
    });
    files
}

/// The folders of a fixture's data directory.
pub fn fixture_folders(name: &str) -> std::collections::BTreeSet<String> {
    let (path, prefix) = archive_of(name);
    let mut archive = open(&path);
    let folders = archive.entries().unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let path = path.strip_prefix(&prefix)?.strip_prefix("pgdata/")?;
        let is_folder = entry.header().entry_type().is_dir() && !path.is_empty();
        is_folder.then(|| path.trim_end_matches('/').to_owned())
    });
    folders.collect()
}

/// One file of a fixture.
pub fn fixture_file(name: &str, path: &str) -> Vec<u8> {
    fixture_files(name, |p| p == path)
        .remove(path)
        .unwrap_or_else(|| panic!("{name} has no {path}"))
}

/// A path at which `pgautopsy` can read a fixture's data directory without unpacking it.
pub fn packed(name: &str) -> PathBuf {
    let (archive, prefix) = archive_of(name);
    archive.join(prefix).join("pgdata")
}

/// Unpacks a fixture into a new folder: `pgdata` in it is the data directory.
pub fn unpack(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    unpack_into(name, folder.path());
    folder
}

/// Unpacks a fixture into a folder.
pub fn unpack_into(name: &str, folder: &Path) {
    each_entry(name, |path, entry| {
        entry.unpack(folder.join(path)).unwrap();
    });
}

/// Unpacks an archive of `testdata/` into a new folder.
pub fn unpack_file(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    open(&testdata().join(name)).unpack(folder.path()).unwrap();
    folder
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

fn truths() -> &'static BTreeMap<String, String> {
    static TRUTHS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    TRUTHS.get_or_init(|| {
        let mut archive = open(&testdata().join("truth.tar.zst"));
        let mut texts = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            if entry.header().entry_type().is_file() {
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                texts.insert(path, text);
            }
        }
        texts
    })
}

/// A text of the recorded truth about a fixture, when there is one; from beside the
/// repository when it is not bundled. Compressed ones are unpacked.
pub fn truth_if_any(name: &str, file: &str) -> Option<String> {
    if let Some(text) = truths().get(&format!("{name}/{file}")) {
        return Some(text.clone());
    }
    let bytes = fs::read(shared_fixtures().join(format!("truth/{name}/{file}"))).ok()?;
    let bytes = if file.ends_with(".zst") {
        zstd::decode_all(&*bytes).unwrap()
    } else {
        bytes
    };
    Some(String::from_utf8(bytes).unwrap())
}

/// A text of the recorded truth about a fixture.
pub fn truth(name: &str, file: &str) -> String {
    truth_if_any(name, file).unwrap_or_else(|| panic!("no truth {file} about {name}"))
}

/// A table of the recorded truth: its rows, by column.
pub fn csv(name: &str, file: &str) -> Vec<BTreeMap<String, String>> {
    let text = truth(name, file);
    let mut records: Vec<Vec<String>> = Vec::new();
    let (mut record, mut field, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            // A doubled quote closes and opens: the quote itself is not in these files.
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            c => field.push(c),
        }
    }
    let mut records = records.into_iter();
    let head = records.next().unwrap();
    records
        .map(|record| head.iter().cloned().zip(record).collect())
        .collect()
}

/// Copies a directory with hard links for its files: replace them, do not write to them.
pub fn link_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            link_tree(&entry.path(), &to);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), to).unwrap();
        } else {
            fs::hard_link(entry.path(), to).unwrap();
        }
    }
}
