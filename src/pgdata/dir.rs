//! Walking a directory.

use super::access::{Ownership, READ, SEARCH, WRITE};
use super::tree::is_base_tar;
use super::{Link, Listing, OpenError, Source, join, os_bytes};
use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Deepest folder that is listed; the server makes six levels.
const MAX_DEPTH: usize = 32;
/// Deepest folder of a WAL archive that is listed.
const MAX_ARCHIVE_DEPTH: usize = 6;
/// Most entries that are looked at to name data directories in the neighbourhood.
const MAX_SEARCH: usize = 10_000;

/// Device and inode: what a folder is, whatever the names that lead to it.
type Identity = (u64, u64);

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// What a listing tells of a file besides its name.
pub(super) fn size_and_mtime(metadata: &Metadata) -> (u64, Option<i64>) {
    (metadata.len(), Some(metadata.mtime()))
}

/// Folders that lie beside `base` in a data directory, of any version.
const BESIDE_BASE: [&str; 6] = [
    "global",
    "pg_wal",
    "pg_xlog",
    "pg_xact",
    "pg_clog",
    "pg_multixact",
];

/// Whether `path` is a folder that holds `PG_VERSION` or `global/pg_control`; or what remains of
/// a data directory of which these two are deleted: `base` and another of its folders.
pub(super) fn is_data_directory(path: &Path) -> bool {
    let is_folder = |name: &&str| path.join(name).is_dir();
    fs::symlink_metadata(path.join("PG_VERSION")).is_ok()
        || fs::symlink_metadata(path.join("global/pg_control")).is_ok()
        || is_folder(&"base") && BESIDE_BASE.iter().any(is_folder)
}

pub(super) fn require_directory(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(OpenError::Io(
            path.to_owned(),
            io::Error::from(io::ErrorKind::NotADirectory),
        )),
        Err(error) => Err(not_there(path, error)),
    }
}

pub(super) fn not_there(path: &Path, error: io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::NotFound => OpenError::NotFound(path.to_owned()),
        _ => OpenError::Io(path.to_owned(), error),
    }
}

/// Data directories, and backups in tar format, one or two levels below a folder that is
/// neither.
pub(super) fn candidates(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut looked_at = 0;
    let mut level = vec![path.to_owned()];
    for _ in 0..2 {
        let mut below = Vec::new();
        for folder in level {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                looked_at += 1;
                if looked_at > MAX_SEARCH {
                    break;
                }
                let path = entry.path();
                if !path.is_dir() {
                    if is_base_tar(&entry.file_name()) && !found.contains(&folder) {
                        found.push(folder.clone());
                    }
                    continue;
                }
                if is_data_directory(&path) {
                    found.push(path);
                } else {
                    below.push(path);
                }
            }
        }
        level = below;
    }
    found.sort();
    found
}

struct Folder {
    /// Path below the root.
    path: Vec<u8>,
    /// This folder and those above it, up to the root of the file system.
    chain: Vec<Identity>,
    depth: usize,
}

/// Lists everything below `root`, following symbolic links.
///
/// A folder is entered once for each name the server itself gives it, and at most once
/// by links, never from below itself: so the walk ends whatever the links do.
pub(super) fn walk(root: &Path, number: usize, archive: Option<usize>, listing: &mut Listing) {
    let max_depth = match archive {
        None => MAX_DEPTH,
        Some(_) => MAX_ARCHIVE_DEPTH,
    };
    let mut by_link: HashMap<Identity, String> = HashMap::new();
    let mut stack = vec![Folder {
        path: Vec::new(),
        chain: ancestors(root),
        depth: 0,
    }];
    while let Some(folder) = stack.pop() {
        let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        listing.dir(&folder.path, archive);
        let entries = match fs::read_dir(join(root, &folder.path)) {
            Ok(entries) => entries,
            Err(error) => {
                listing.note(shown(&folder.path), archive, error.to_string());
                continue;
            }
        };
        // The order of a folder's entries is the file system's; links to one folder
        // must be met in an order of ours.
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => names.push((entry.file_name(), entry)),
                Err(error) => {
                    let reason = format!("the folder cannot be listed to its end: {error}");
                    listing.note(shown(&folder.path), archive, reason);
                    // Some file systems repeat the error for ever.
                    break;
                }
            }
        }
        names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut below = Vec::new();
        for (name, entry) in names {
            if listing.is_full(&folder.path, archive) {
                return;
            }
            let mut path = folder.path.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(os_bytes(name));
            let on_disk = join(root, &path);
            let metadata = entry.metadata().and_then(|metadata| {
                if !metadata.is_symlink() {
                    return Ok((metadata, None));
                }
                let target = fs::read_link(&on_disk)?.to_string_lossy().into_owned();
                if archive.is_none() {
                    listing.links.insert(Link {
                        path: shown(&path),
                        target: target.clone(),
                    });
                }
                let followed = fs::metadata(&on_disk).map_err(|error| {
                    let text = format!("symbolic link to {target}: {error}");
                    io::Error::new(error.kind(), text)
                })?;
                Ok((followed, Some(target)))
            });
            let (metadata, target) = match metadata {
                Ok(found) => found,
                Err(error) => {
                    listing.note(shown(&path), archive, error.to_string());
                    continue;
                }
            };
            if archive.is_none() {
                let wanted = READ | WRITE | if metadata.is_dir() { SEARCH } else { 0 };
                listing.owned(&path, Ownership::of(&metadata), wanted);
            }
            if metadata.is_file() {
                let written = size_and_mtime(&metadata);
                listing.file(path, written, archive, Source::Root(number));
                continue;
            }
            if !metadata.is_dir() {
                listing.note(shown(&path), archive, special(&metadata));
                continue;
            }
            let identity = identity(&metadata);
            if let Some(target) = target {
                if folder.chain.contains(&identity) {
                    let reason =
                        format!("symbolic link to {target}: that leads back to where it began");
                    listing.note(shown(&path), archive, reason);
                    continue;
                }
                if let Some(other) = by_link.get(&identity) {
                    let reason = format!("symbolic link to {target}: listed as {other} already");
                    listing.note(shown(&path), archive, reason);
                    continue;
                }
                by_link.insert(identity, shown(&path));
            }
            if folder.depth >= max_depth {
                listing.note(shown(&path), archive, "too deep: not listed");
                continue;
            }
            let mut chain = folder.chain.clone();
            chain.push(identity);
            below.push(Folder {
                path,
                chain,
                depth: folder.depth + 1,
            });
        }
        // The stack hands out the last first.
        below.reverse();
        stack.append(&mut below);
    }
}

/// The folder and all above it.
fn ancestors(root: &Path) -> Vec<Identity> {
    let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    let above: HashSet<Identity> = root
        .ancestors()
        .filter_map(|folder| fs::metadata(folder).ok())
        .map(|metadata| identity(&metadata))
        .collect();
    above.into_iter().collect()
}

fn special(metadata: &Metadata) -> &'static str {
    let file_type = metadata.file_type();
    if file_type.is_fifo() {
        "a FIFO"
    } else if file_type.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
