//! A data directory in archives: finding it there, joining the archives of one backup,
//! resolving links.
//!
//! ```text
//! one tar         PG_VERSION, global/…  at the top or in a folder; tablespaces beside it
//! pg_basebackup   base.tar    the data directory, at the top
//!   -Ft           16400.tar   -> pg_tblspc/16400/
//!                 pg_wal.tar  -> pg_wal/
//!                 backup_manifest beside them
//! ```

use super::bytes::{IoMode, Raw};
use super::tar::{Archive, Magic, Member, Node, Tree, magic, normal};
use super::{Link, Listing, OpenError, Source, dir};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most links that one path may lead through (`MAXSYMLINKS` of the kernel).
const MAX_LINKS: usize = 40;
const LOOKED_FOR: &str = "it has neither PG_VERSION nor global/pg_control";

/// What was opened.
pub(super) struct Opened {
    pub archives: Vec<Archive>,
    pub members: Vec<Member>,
    /// Contents of small members.
    pub kept: HashMap<usize, Vec<u8>>,
    /// The folder of the files beside the archives.
    pub beside: PathBuf,
}

/// Opens what is not a data directory but may be archives of one: `archive.tar`,
/// `archive.tar/folder` where the folder is one in the archive, or a folder of archives.
pub(super) fn open(
    path: &Path,
    io_mode: IoMode,
    listing: &mut Listing,
) -> Result<Opened, OpenError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            open_archive(&base_tar(path)?, b"", path, io_mode, listing)
        }
        Ok(_) => open_archive(path, b"", path, io_mode, listing),
        Err(error) => {
            let archive = path.ancestors().skip(1).find(|above| above.is_file());
            let within = archive.and_then(|archive| {
                let folder = path.strip_prefix(archive).ok()?;
                Some((archive, normal(b"", folder.as_os_str().as_encoded_bytes())?))
            });
            match within {
                Some((archive, folder)) => open_archive(archive, &folder, path, io_mode, listing),
                None => Err(dir::not_there(path, error)),
            }
        }
    }
}

/// The `base.tar` of a folder in `pg_basebackup`'s tar format.
fn base_tar(folder: &Path) -> Result<PathBuf, OpenError> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).map_err(|e| OpenError::Io(folder.to_owned(), e))?;
    for entry in entries.flatten() {
        if is_base_tar(&entry.file_name()) && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    match found.len() {
        0 => Err(OpenError::NotADataDirectory {
            path: folder.to_owned(),
            reason: format!("{LOOKED_FOR}, nor base.tar of a base backup"),
            candidates: dir::candidates(folder),
        }),
        1 => Ok(found.swap_remove(0)),
        _ => Err(OpenError::Ambiguous {
            path: folder.to_owned(),
            candidates: found,
        }),
    }
}

/// `base` of `base.tar`, `base.tar.gz` and so on.
fn tar_stem(name: &str) -> Option<&str> {
    let (stem, suffix) = name.split_once('.')?;
    matches!(
        suffix,
        "tar" | "tar.gz" | "tgz" | "tar.zst" | "tar.lz4" | "tar.bz2" | "tar.xz"
    )
    .then_some(stem)
}

/// Whether a file's name is that of the archive with the data directory in it.
pub(super) fn is_base_tar(name: &OsStr) -> bool {
    name.to_str().and_then(tar_stem) == Some("base")
}

fn archive_at(path: &Path, io_mode: IoMode) -> Result<Archive, OpenError> {
    let (raw, len) =
        Raw::open(path, io_mode).map_err(|error| OpenError::Io(path.to_owned(), error))?;
    let mut head = [0; 512];
    let got = raw
        .read_at(&mut head, 0)
        .map_err(|error| OpenError::Io(path.to_owned(), error))?;
    let none = |reason: String| {
        Err(OpenError::NotADataDirectory {
            path: path.to_owned(),
            reason,
            candidates: Vec::new(),
        })
    };
    let compression = match magic(&head[..got]) {
        Magic::Tar => None,
        Magic::Compressed(compression) => Some(compression),
        Magic::Unsupported(name) => {
            return none(format!("{name} is not read; decompress it first"));
        }
        Magic::Unknown => return none("it is neither a directory nor a tar archive".to_owned()),
    };
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok(Archive {
        name: name.to_string_lossy().into_owned(),
        raw: Arc::new(raw),
        len,
        compression,
    })
}

/// `asked` is the path as the caller gave it, for messages.
fn open_archive(
    path: &Path,
    folder: &[u8],
    asked: &Path,
    io_mode: IoMode,
    listing: &mut Listing,
) -> Result<Opened, OpenError> {
    let mut tree = Tree::default();
    let mut archives = vec![archive_at(path, io_mode)?];
    tree.index(&archives[0], 0, b"");
    let root = if folder.is_empty() {
        find_root(&tree, path, asked)?
    } else if is_root(&tree, folder) {
        folder.to_vec()
    } else {
        return Err(OpenError::NotADataDirectory {
            path: asked.to_owned(),
            reason: LOOKED_FOR.to_owned(),
            candidates: Vec::new(),
        });
    };
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    let is_base = path.file_name().is_some_and(is_base_tar);
    if is_base && root.is_empty() {
        join_siblings(&beside, path, io_mode, &mut tree, &mut archives, listing);
    }
    list(&tree, &root, listing);
    listing.notes.extend(tree.notes);
    Ok(Opened {
        archives,
        members: tree.members,
        kept: tree.kept,
        beside,
    })
}

/// Adds the archives that `pg_basebackup -Ft` wrote beside `base.tar`.
fn join_siblings(
    folder: &Path,
    base: &Path,
    io_mode: IoMode,
    tree: &mut Tree,
    archives: &mut Vec<Archive>,
    listing: &mut Listing,
) {
    let entries = fs::read_dir(if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    });
    let mut names: Vec<_> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    names.sort_unstable();
    let mut seen = HashSet::new();
    for name in names {
        let path = folder.join(&name);
        let Some(name) = name.to_str() else { continue };
        if name == "backup_manifest" && !tree.nodes.contains_key(name.as_bytes()) {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => {
                    let path = name.as_bytes().to_vec();
                    let written = dir::size_and_mtime(&metadata);
                    listing.file(path, written, None, Source::Root(0));
                }
                Ok(_) => listing.note(name.to_owned(), None, "not a file"),
                Err(error) => listing.note(name.to_owned(), None, error.to_string()),
            }
            continue;
        }
        let prefix = match tar_stem(name) {
            Some("pg_wal") => "pg_wal".to_owned(),
            Some(oid) if oid.bytes().all(|b| b.is_ascii_digit()) && !oid.is_empty() => {
                format!("pg_tblspc/{oid}")
            }
            _ => continue,
        };
        if path == base {
            continue;
        }
        if !seen.insert(prefix.clone()) {
            listing.note(
                name.to_owned(),
                None,
                format!("a second archive of {prefix}"),
            );
            continue;
        }
        match archive_at(&path, io_mode) {
            Ok(archive) => {
                // In base.tar there may be the link to where the tablespace was.
                tree.nodes.insert(prefix.clone().into_bytes(), Node::Dir);
                tree.index(&archive, archives.len(), prefix.as_bytes());
                archives.push(archive);
            }
            Err(error) => listing.note(name.to_owned(), None, error.to_string()),
        }
    }
}

/// `folder/name`, where `folder` may be the top.
fn under(folder: &[u8], name: &[u8]) -> Vec<u8> {
    normal(folder, name).unwrap_or_default()
}

/// Everything below `folder`.
fn below<'a>(tree: &'a Tree, folder: &[u8]) -> impl Iterator<Item = (&'a Vec<u8>, &'a Node)> {
    let mut prefix = folder.to_vec();
    if !prefix.is_empty() {
        prefix.push(b'/');
    }
    tree.nodes
        .range::<[u8], _>((Bound::Included(prefix.as_slice()), Bound::Unbounded))
        .take_while({
            let prefix = prefix.clone();
            move |(path, _)| path.starts_with(&prefix)
        })
}

fn is_root(tree: &Tree, folder: &[u8]) -> bool {
    let has = |name: &[u8]| tree.nodes.contains_key(&under(folder, name));
    let holds = |name: &[u8]| below(tree, &under(folder, name)).next().is_some();
    has(b"global/pg_control") || has(b"PG_VERSION") && (holds(b"global") || holds(b"base"))
}

/// Finds the data directory in an archive. Of several the one highest up counts, and an
/// incremental backup is none as long as there is another.
fn find_root(tree: &Tree, path: &Path, asked: &Path) -> Result<Vec<u8>, OpenError> {
    let mut roots: Vec<Vec<u8>> = Vec::new();
    for name in tree.nodes.keys() {
        for mark in ["global/pg_control", "PG_VERSION"] {
            let Some(folder) = name.strip_suffix(mark.as_bytes()) else {
                continue;
            };
            let Some(folder) = folder
                .strip_suffix(b"/")
                .or((folder.is_empty()).then_some(folder))
            else {
                continue;
            };
            if is_root(tree, folder) && !roots.iter().any(|root| root == folder) {
                roots.push(folder.to_vec());
            }
        }
    }
    let depth = |root: &[u8]| {
        root.split(|b| *b == b'/')
            .filter(|part| !part.is_empty())
            .count()
    };
    if let Some(highest) = roots.iter().map(|root| depth(root)).min() {
        roots.retain(|root| depth(root) == highest);
    }
    let incremental = |root: &Vec<u8>| {
        below(tree, &under(root, b"base")).any(|(name, _)| {
            let file = name.rsplit(|b| *b == b'/').next().unwrap_or_default();
            file.starts_with(b"INCREMENTAL.")
        })
    };
    if roots.len() > 1 && !roots.iter().all(incremental) {
        roots.retain(|root| !incremental(root));
    }
    match roots.len() {
        1 => Ok(roots.swap_remove(0)),
        0 => Err(OpenError::NotADataDirectory {
            path: asked.to_owned(),
            reason: no_root(tree),
            candidates: Vec::new(),
        }),
        _ => Err(OpenError::Ambiguous {
            path: asked.to_owned(),
            candidates: roots
                .iter()
                .map(|root| path.join(String::from_utf8_lossy(root).as_ref()))
                .collect(),
        }),
    }
}

fn no_root(tree: &Tree) -> String {
    let base = tree.nodes.keys().find(|name| {
        let file = name.rsplit(|b| *b == b'/').next().unwrap_or_default();
        std::str::from_utf8(file).is_ok_and(|file| tar_stem(file) == Some("base"))
    });
    match (base, tree.notes.first()) {
        (Some(base), _) => format!(
            "it holds a backup in tar format ({}): unpack this archive, not that",
            String::from_utf8_lossy(base)
        ),
        (None, Some(damage)) => {
            format!(
                "no folder in the archive has PG_VERSION and global/, and the archive is damaged: {}",
                damage.reason
            )
        }
        (None, None) => "no folder in the archive has PG_VERSION and global/".to_owned(),
    }
}

/// A folder of the archive and the name it goes by below PGDATA.
struct Folder {
    in_tree: Vec<u8>,
    path: Vec<u8>,
    /// Folders of the archive that are being listed from the top to here.
    chain: Vec<Vec<u8>>,
}

/// Lists the data directory at `root`, following symbolic links within the archive by
/// the same rules as `dir::walk`.
fn list(tree: &Tree, root: &[u8], listing: &mut Listing) {
    let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    let mut by_link: HashMap<Vec<u8>, String> = HashMap::new();
    let mut stack = vec![Folder {
        in_tree: root.to_vec(),
        path: Vec::new(),
        chain: vec![root.to_vec()],
    }];
    while let Some(folder) = stack.pop() {
        listing.dir(&folder.path, None);
        let skip = folder.in_tree.len() + usize::from(!folder.in_tree.is_empty());
        let mut links = Vec::new();
        for (name, node) in below(tree, &folder.in_tree) {
            if listing.is_full(&folder.path, None) {
                return;
            }
            let path = under(&folder.path, &name[skip..]);
            // A tar need not list folders.
            let mut parent = path.as_slice();
            while let Some(slash) = parent.iter().rposition(|b| *b == b'/') {
                parent = &parent[..slash];
                if parent.len() <= folder.path.len() || listing.dirs.contains(&shown(parent)) {
                    break;
                }
                listing.dir(parent, None);
            }
            match node {
                Node::Dir => listing.dir(&path, None),
                Node::File(number) => file(tree, *number, path, listing),
                Node::Special(what) => listing.note(shown(&path), None, *what),
                Node::Link(target) => links.push((name, path, target)),
            }
        }
        for (name, path, target) in links {
            listing.links.insert(Link {
                path: shown(&path),
                target: shown(target),
            });
            let why = |reason: &str| format!("symbolic link to {}: {reason}", shown(target));
            let Some(found) = resolve(tree, name) else {
                listing.note(shown(&path), None, why("the archive holds no such file"));
                continue;
            };
            match tree.nodes.get(&found) {
                Some(Node::File(number)) => {
                    file(tree, *number, path, listing);
                    continue;
                }
                Some(Node::Special(what)) => {
                    listing.note(shown(&path), None, why(what));
                    continue;
                }
                _ => {}
            }
            // The folders above the link, and those above the links that led here.
            let back = folder
                .chain
                .iter()
                .map(Vec::as_slice)
                .chain([name.as_slice()])
                .any(|above| {
                    found.is_empty()
                        || above
                            .strip_prefix(found.as_slice())
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
                });
            if back {
                listing.note(shown(&path), None, why("that leads back to where it began"));
            } else if let Some(other) = by_link.get(&found) {
                listing.note(
                    shown(&path),
                    None,
                    why(&format!("listed as {other} already")),
                );
            } else {
                by_link.insert(found.clone(), shown(&path));
                let mut chain = folder.chain.clone();
                chain.push(name.clone());
                chain.push(found.clone());
                stack.push(Folder {
                    in_tree: found,
                    path,
                    chain,
                });
            }
        }
    }
}

fn file(tree: &Tree, number: usize, path: Vec<u8>, listing: &mut Listing) {
    let member = &tree.members[number];
    let before = listing.files.len();
    let written = (member.size, member.mtime);
    listing.file(path, written, None, Source::Member(number));
    if member.len < member.size
        && let Some((entry, _)) = listing.files.get(before)
    {
        let path = entry.path.clone();
        listing.notes.insert(super::NotExamined {
            archive: None,
            path,
            range: Some((member.len, member.size)),
            reason: "the archive is cut off or damaged here".to_owned(),
        });
    }
}

/// Follows the link at `path` to a file or folder of the archive.
fn resolve(tree: &Tree, path: &[u8]) -> Option<Vec<u8>> {
    let mut left = MAX_LINKS;
    // Components still to walk, the next one last.
    let mut todo: Vec<Vec<u8>> = vec![];
    let push = |todo: &mut Vec<Vec<u8>>, path: &[u8]| {
        todo.extend(path.rsplit(|b| *b == b'/').map(<[u8]>::to_vec));
    };
    push(&mut todo, path);
    let mut at = Vec::new();
    while let Some(part) = todo.pop() {
        at = normal(&at, &part)?;
        if let Some(Node::Link(target)) = tree.nodes.get(&at) {
            left = left.checked_sub(1)?;
            // Archives of whole file systems hold absolute targets without the slash.
            at = if target.starts_with(b"/") {
                Vec::new()
            } else {
                normal(&at, b"..")?
            };
            push(&mut todo, target);
        }
    }
    let exists = tree.nodes.contains_key(&at) || below(tree, &at).next().is_some();
    exists.then_some(at)
}
