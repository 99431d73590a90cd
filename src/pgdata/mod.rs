//! The evidence: a data directory as it lies there, a base backup in tar format, folders
//! of archived WAL.
//!
//! It is opened read-only, walked once, every file named by what its path says it is,
//! and its bytes handed out. Nothing is judged here and nothing is written. What cannot
//! be read ends nothing: it is listed in [`Evidence::not_examined`].
//!
//! The list of files and their sizes are fixed when the evidence is opened. Bytes a file
//! gains later are not seen; bytes it loses later are listed.

pub mod access;
mod bytes;
mod classify;
mod compression;
mod dir;
mod scan;
mod tar;
mod tree;
mod unpack;

pub use access::Access;
pub use bytes::{FileReader, IoMode};
pub use classify::{
    DatabaseDir, FileKind, RelationFile, classify, classify_archived, classify_wal,
};
pub use scan::Chunk;

use crate::format::types::{ForkNumber, RelFileLocator};
use access::Ownership;
use bytes::Raw;
use compression::Compression;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tar::{Archive, Member};
use unpack::{Unpacked, Wanted as Unpack};

/// What [`Evidence::pin`] holds in memory; the rest goes to a temporary file.
const PIN_MEMORY: u64 = 32 << 20;

/// What the list of files may take in memory, some five million of them.
const MAX_LISTING_BYTES: usize = 1 << 30;
/// What an entry of it takes besides its path.
const ENTRY_BYTES: usize = 160;

/// A file of the evidence: its place in [`Evidence::files`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(pub u32);

/// One file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    /// Path with `/` between components: below PGDATA, where a file behind a symbolic
    /// link bears the link's name (`pg_tblspc/16400/…`), or below its WAL archive.
    /// Bytes that are not UTF-8 are replaced.
    pub path: String,
    /// The exact path where `path` is not.
    pub path_bytes: Option<Vec<u8>>,
    /// Bytes, when the evidence was opened; of a compressed file of a WAL archive the
    /// compressed ones, [`Evidence::content_size`] tells the others.
    pub size: u64,
    /// When it was last written, in seconds since 1970, as far as the file system or the
    /// archive tells; copies need not keep it.
    pub mtime: Option<i64>,
    /// What the name says it is.
    pub kind: FileKind,
    /// Which of the WAL archives it came from, by number.
    pub archive: Option<usize>,
}

impl FileEntry {
    fn exact_path(&self) -> &[u8] {
        self.path_bytes.as_deref().unwrap_or(self.path.as_bytes())
    }

    /// For a file in a tablespace the name of the folder of its version
    /// (`PG_15_202209061`): `pg_upgrade` leaves those of older versions behind.
    #[must_use]
    pub fn tablespace_version_dir(&self) -> Option<&str> {
        match self.path.split('/').collect::<Vec<_>>()[..] {
            ["pg_tblspc", _, version, _, ..] if self.archive.is_none() => Some(version),
            _ => None,
        }
    }
}

/// A symbolic link within the data directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Link {
    /// Path below PGDATA.
    pub path: String,
    /// Where it points, as written.
    pub target: String,
}

/// Something that was there and was not read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NotExamined {
    /// Which of the WAL archives it lies in, by number.
    pub archive: Option<usize>,
    /// Path as in [`FileEntry::path`]; for an archive file its own.
    pub path: String,
    /// The bytes that could not be read, first and behind the last; none for all of it.
    pub range: Option<(u64, u64)>,
    /// Why.
    pub reason: String,
}

/// Why there is no evidence at a path.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Nothing is there.
    NotFound(PathBuf),
    /// Something is there, but it cannot be read.
    Io(PathBuf, io::Error),
    /// Neither a data directory nor an archive of one.
    NotADataDirectory {
        /// What was looked at.
        path: PathBuf,
        /// Why it is none.
        reason: String,
        /// Data directories in its neighbourhood.
        candidates: Vec<PathBuf>,
    },
    /// An archive holds several data directories.
    Ambiguous {
        /// What was looked at.
        path: PathBuf,
        /// Paths that name one of them each.
        candidates: Vec<PathBuf>,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let candidates = match self {
            Self::NotFound(path) => {
                return write!(f, "{}: no such file or directory", path.display());
            }
            Self::Io(path, error) => return write!(f, "{}: {error}", path.display()),
            Self::NotADataDirectory {
                path,
                reason,
                candidates,
            } => {
                write!(f, "{}: not a data directory: {reason}", path.display())?;
                if candidates.is_empty() {
                    return Ok(());
                }
                f.write_str("; there is one at")?;
                candidates
            }
            Self::Ambiguous { path, candidates } => {
                write!(
                    f,
                    "{}: holds several data directories; name one:",
                    path.display()
                )?;
                candidates
            }
        };
        for (i, candidate) in candidates.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma} {}", candidate.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

/// Where a file's bytes lie.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// In a file below `Evidence::roots[n]`, under the same path.
    Root(usize),
    /// In an archive: `Evidence::members[n]`.
    Member(usize),
}

/// What a walk has found; becomes the [`Evidence`].
#[derive(Default)]
struct Listing {
    files: Vec<(FileEntry, Source)>,
    dirs: BTreeSet<String>,
    links: BTreeSet<Link>,
    notes: BTreeSet<NotExamined>,
    access: Option<Access>,
    bytes: usize,
}

impl Listing {
    /// Whether the list has no room for more, which it then says of `folder`.
    fn is_full(&mut self, folder: &[u8], archive: Option<usize>) -> bool {
        let full = self.bytes > MAX_LISTING_BYTES;
        if full {
            let folder = String::from_utf8_lossy(folder).into_owned();
            self.note(folder, archive, "too many files: the rest is not listed");
        }
        full
    }

    fn file(
        &mut self,
        path: Vec<u8>,
        (size, mtime): (u64, Option<i64>),
        archive: Option<usize>,
        source: Source,
    ) {
        self.bytes += ENTRY_BYTES + path.len();
        let (path, path_bytes) = match String::from_utf8(path) {
            Ok(path) => (path, None),
            Err(error) => {
                let lossy = String::from_utf8_lossy(error.as_bytes()).into_owned();
                (lossy, Some(error.into_bytes()))
            }
        };
        let kind = match archive {
            None => classify(&path),
            Some(_) => {
                let name = path.rsplit('/').next().unwrap_or(&path);
                if let Some(suffix) = classify::unread_compression(name) {
                    let reason = format!("WAL compressed as .{suffix} is not read");
                    self.note(path.clone(), archive, reason);
                }
                classify_archived(name)
            }
        };
        let entry = FileEntry {
            path,
            path_bytes,
            size,
            mtime,
            kind,
            archive,
        };
        self.files.push((entry, source));
    }

    fn note(&mut self, path: String, archive: Option<usize>, reason: impl Into<String>) {
        let reason = reason.into();
        self.bytes += ENTRY_BYTES + path.len() + reason.len();
        self.notes.insert(NotExamined {
            archive,
            path,
            range: None,
            reason,
        });
    }

    /// Takes the owner and permissions of a file or folder of the data directory.
    fn owned(&mut self, path: &[u8], ownership: Ownership, wanted: u32) {
        let Some(access) = &mut self.access else {
            return;
        };
        if !ownership.permits(access.directory, wanted) {
            self.bytes += ENTRY_BYTES + path.len();
            let path = String::from_utf8_lossy(path).into_owned();
            access.restricted.insert(path, ownership);
        }
    }

    /// Takes a folder that is about to be listed.
    fn dir(&mut self, path: &[u8], archive: Option<usize>) {
        let path = String::from_utf8_lossy(path).into_owned();
        if archive.is_some() {
            return;
        }
        if !matches!(classify(&path), FileKind::Other | FileKind::Temporary) {
            self.note(path.clone(), None, "a directory where a file belongs");
        }
        if !path.is_empty() {
            self.bytes += ENTRY_BYTES + path.len();
            self.dirs.insert(path);
        }
    }
}

/// A data directory, wherever it lies.
#[derive(Debug)]
pub struct Evidence {
    files: Vec<FileEntry>,
    sources: Vec<Source>,
    dirs: BTreeSet<String>,
    links: Vec<Link>,
    roots: Vec<PathBuf>,
    archives: Vec<Archive>,
    members: Vec<Member>,
    access: Option<Access>,
    io_mode: IoMode,
    pins: Mutex<Pins>,
    unpacked: Unpacked,
    notes: Mutex<BTreeSet<NotExamined>>,
}

/// What of compressed archives lies within random-access reach.
#[derive(Debug, Default)]
struct Pins {
    members: HashMap<usize, Pinned>,
    in_memory: u64,
    /// Deleted as soon as it was made, so nothing is left behind whatever happens.
    spill: Option<Arc<Raw>>,
    spilled: u64,
}

#[derive(Clone, Debug)]
struct Pinned {
    raw: Arc<Raw>,
    base: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole after every single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Evidence {
    /// Opens a data directory, a tar of one (plain or compressed; `a.tar/pgdata`
    /// names one of several in it), or a folder of `pg_basebackup`'s tar format; and
    /// folders of archived WAL.
    ///
    /// # Errors
    /// When there is no evidence at one of the paths. Damage is no error.
    pub fn open(path: &Path, wal_archives: &[PathBuf], io_mode: IoMode) -> Result<Self, OpenError> {
        let mut listing = Listing::default();
        let mut roots = vec![path.to_owned()];
        let mut archives = Vec::new();
        let mut members = Vec::new();
        let mut pins = Pins::default();
        if dir::is_data_directory(path) {
            listing.access = std::fs::metadata(path)
                .ok()
                .map(|metadata| Access::of(Ownership::of(&metadata)));
            std::fs::read_dir(path).map_err(|error| OpenError::Io(path.to_owned(), error))?;
            dir::walk(path, 0, None, &mut listing);
        } else {
            let opened = tree::open(path, io_mode, &mut listing)?;
            roots[0] = opened.beside;
            archives = opened.archives;
            members = opened.members;
            for (member, bytes) in opened.kept {
                pins.members.insert(
                    member,
                    Pinned {
                        raw: Arc::new(Raw::Memory(bytes)),
                        base: 0,
                    },
                );
            }
        }
        for (number, archive) in wal_archives.iter().enumerate() {
            dir::require_directory(archive)?;
            roots.push(archive.clone());
            dir::walk(archive, roots.len() - 1, Some(number), &mut listing);
        }

        let mut evidence = Self::of_listing(listing, roots, io_mode);
        evidence.archives = archives;
        evidence.members = members;
        evidence.pins = Mutex::new(pins);
        Ok(evidence)
    }

    /// Opens WAL by itself: each path a folder of segments, or one segment. All files count
    /// as those of WAL archives, in the order of the paths.
    ///
    /// # Errors
    /// When there is nothing at one of the paths.
    pub fn of_wal(paths: &[PathBuf], io_mode: IoMode) -> Result<Self, OpenError> {
        let mut listing = Listing::default();
        let mut roots = Vec::new();
        for (number, path) in paths.iter().enumerate() {
            let metadata = std::fs::metadata(path).map_err(|error| dir::not_there(path, error))?;
            if metadata.is_dir() {
                std::fs::read_dir(path).map_err(|error| OpenError::Io(path.clone(), error))?;
                roots.push(path.clone());
                dir::walk(path, number, Some(number), &mut listing);
                continue;
            }
            let name = path.file_name().unwrap_or_default().as_bytes().to_vec();
            roots.push(path.parent().unwrap_or(Path::new("")).to_owned());
            let written = dir::size_and_mtime(&metadata);
            listing.file(name, written, Some(number), Source::Root(number));
        }
        Ok(Self::of_listing(listing, roots, io_mode))
    }

    fn of_listing(mut listing: Listing, roots: Vec<PathBuf>, io_mode: IoMode) -> Self {
        listing.files.sort_by(|(a, _), (b, _)| {
            (a.archive, &a.path, &a.path_bytes).cmp(&(b.archive, &b.path, &b.path_bytes))
        });
        let (files, sources) = listing.files.into_iter().unzip();
        Self {
            files,
            sources,
            dirs: listing.dirs,
            links: listing.links.into_iter().collect(),
            roots,
            archives: Vec::new(),
            members: Vec::new(),
            access: listing.access,
            io_mode,
            pins: Mutex::default(),
            unpacked: Unpacked::default(),
            notes: Mutex::new(listing.notes),
        }
    }

    /// Every file, those of the data directory first, sorted by path.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Every file with its id.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &FileEntry)> {
        (0..).map(FileId).zip(&self.files)
    }

    /// Every fork of every relation of which there is a file in the data directory; those of
    /// several segments several times.
    pub fn relation_forks(&self) -> impl Iterator<Item = (RelFileLocator, ForkNumber)> {
        self.files.iter().filter_map(|entry| match entry.kind {
            FileKind::Relation(file) if file.temp_backend.is_none() && entry.archive.is_none() => {
                Some((file.locator, file.fork))
            }
            _ => None,
        })
    }

    /// The entry of a file.
    ///
    /// # Panics
    /// When `id` is not from this evidence.
    #[must_use]
    pub fn entry(&self, id: FileId) -> &FileEntry {
        &self.files[id.0 as usize]
    }

    /// The file at a path below PGDATA.
    #[must_use]
    pub fn by_path(&self, path: &str) -> Option<FileId> {
        let at = self
            .files
            .binary_search_by(|entry| (entry.archive, entry.path.as_str()).cmp(&(None, path)))
            .ok()?;
        u32::try_from(at).ok().map(FileId)
    }

    /// Whether there is a folder at a path below PGDATA, empty or not.
    #[must_use]
    pub fn has_dir(&self, path: &str) -> bool {
        self.dirs.contains(path)
    }

    /// Whether there is a folder at a path below PGDATA, or something in it: archives need
    /// not list folders.
    #[must_use]
    pub fn holds(&self, path: &str) -> bool {
        self.has_dir(path)
            || self.files.iter().any(|file| {
                let below = file.path.strip_prefix(path);
                file.archive.is_none() && below.is_some_and(|rest| rest.starts_with('/'))
            })
    }

    /// The data directory as it was named; for an archive, where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.roots.first().map_or(Path::new("."), PathBuf::as_path)
    }

    /// What the owner of the data directory may do with it; `None` for one in an archive.
    #[must_use]
    pub fn access(&self) -> Option<&Access> {
        self.access.as_ref()
    }

    /// Where a file lies, for those who have to find it: below PGDATA, or with the folder of
    /// its WAL archive in front.
    #[must_use]
    pub fn place(&self, id: FileId) -> String {
        let entry = self.entry(id);
        match (entry.archive, self.sources[id.0 as usize]) {
            (Some(_), Source::Root(root)) => {
                self.roots[root].join(&entry.path).display().to_string()
            }
            _ => entry.path.clone(),
        }
    }

    /// The folders below PGDATA, sorted.
    pub fn dirs(&self) -> impl Iterator<Item = &str> {
        self.dirs.iter().map(String::as_str)
    }

    /// The symbolic links below PGDATA, sorted; dangling ones too.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// What could not be read so far, sorted, with adjoining ranges joined.
    #[must_use]
    pub fn not_examined(&self) -> Vec<NotExamined> {
        let mut joined: Vec<NotExamined> = Vec::new();
        let mut notes: Vec<NotExamined> = lock(&self.notes).iter().cloned().collect();
        notes.sort_by(|a, b| {
            (a.archive, &a.path, &a.reason, a.range).cmp(&(b.archive, &b.path, &b.reason, b.range))
        });
        for note in notes {
            if let Some(last) = joined.last_mut()
                && (last.archive, &last.path, &last.reason)
                    == (note.archive, &note.path, &note.reason)
                && let (Some(before), Some(range)) = (&mut last.range, note.range)
                && range.0 <= before.1
            {
                before.1 = before.1.max(range.1);
                continue;
            }
            joined.push(note);
        }
        joined.sort();
        joined
    }

    /// Lists a file, or bytes of it, as not examined.
    pub fn record_not_examined(&self, id: FileId, range: Option<(u64, u64)>, reason: String) {
        let entry = self.entry(id);
        lock(&self.notes).insert(NotExamined {
            archive: entry.archive,
            path: entry.path.clone(),
            range,
            reason,
        });
    }

    /// Opens a file for reading at any position. One in a compressed archive is pinned
    /// when it is not yet, at the cost of a pass over the archive; a compressed one in a WAL
    /// archive is unpacked when it is not one of those that were a moment ago.
    ///
    /// # Errors
    /// What the operating system says of opening it, or of the temporary file; that it cannot
    /// be decompressed, which [`Evidence::not_examined`] lists from then on.
    pub fn file(&self, id: FileId) -> io::Result<FileReader> {
        if let Some((raw, compression, wanted)) = self.packed(id)? {
            let file = self.unpacked.file(id, &raw, compression, wanted);
            if let Err(error) = &file {
                self.record_not_examined(id, None, error.to_string());
            }
            return file;
        }
        let reader = match self.reader(id)? {
            Some(reader) => reader,
            None => {
                self.pin(&[id])?;
                self.reader(id)?
                    .ok_or_else(|| io::Error::other("it cannot be read from the archive"))?
            }
        };
        Ok(reader)
    }

    /// The first bytes of a file, of which no more is unpacked than they need; of a compressed
    /// one 64 at most.
    ///
    /// # Errors
    /// As for [`Evidence::file`].
    pub fn head(&self, id: FileId, buf: &mut [u8]) -> io::Result<usize> {
        match self.packed(id)? {
            Some((raw, compression, _)) => self.unpacked.head(id, &raw, compression, buf),
            None => self.file(id)?.read_at(buf, 0),
        }
    }

    /// Bytes of a file, for a compressed one of a WAL archive those that it holds.
    ///
    /// # Errors
    /// As for [`Evidence::file`].
    pub fn content_size(&self, id: FileId) -> io::Result<u64> {
        match self.unpacked.size(id) {
            Some(known) => known.map_err(io::Error::other),
            None if self.packed(id)?.is_some() => self.file(id).map(|file| file.len()),
            None => Ok(self.entry(id).size),
        }
    }

    /// Whether it is a compressed file of a WAL archive.
    #[must_use]
    pub fn is_compressed(&self, id: FileId) -> bool {
        matches!(self.packed(id), Ok(Some(_)))
    }

    /// Says how large WAL segments are: a compressed one that holds more is not unpacked.
    pub(crate) fn limit_segments(&self, wal_segsz: u32) {
        self.unpacked.limit_segments(u64::from(wal_segsz));
    }

    /// A file of a WAL archive that turns out to be compressed when it is opened: archivers
    /// need not say so in its name.
    fn packed(&self, id: FileId) -> io::Result<Option<(Arc<Raw>, Compression, Unpack)>> {
        let entry = self.entry(id);
        let wanted = match entry.kind {
            FileKind::Wal(_) => Unpack::Segment,
            FileKind::WalPartial(_) => Unpack::Partial,
            FileKind::History { .. } | FileKind::BackupHistory { .. } => Unpack::Small,
            _ => return Ok(None),
        };
        if entry.archive.is_none() {
            return Ok(None);
        }
        let Some(FileReader { raw, .. }) = self.reader(id)? else {
            return Ok(None);
        };
        let mut head = [0; 16];
        let got = raw.read_at(&mut head, 0)?;
        match Compression::of(entry.exact_path(), &head[..got]) {
            Ok(compression) => Ok(compression.map(|compression| (raw, compression, wanted))),
            Err(error) => {
                self.record_not_examined(id, None, error.to_string());
                Err(error)
            }
        }
    }

    /// None for a member of a compressed archive that is not pinned.
    fn reader(&self, id: FileId) -> io::Result<Option<FileReader>> {
        let number = match self.sources[id.0 as usize] {
            Source::Root(root) => {
                let entry = self.entry(id);
                let path = join(&self.roots[root], entry.exact_path());
                let mut file = FileReader::open(&path, self.io_mode)?;
                if file.len < entry.size {
                    let lost = (file.len, entry.size);
                    self.record_not_examined(id, Some(lost), SHRUNK.to_owned());
                }
                file.len = file.len.min(entry.size);
                return Ok(Some(file));
            }
            Source::Member(number) => number,
        };
        let member = &self.members[number];
        let archive = &self.archives[member.archive];
        let pinned = match archive.compression {
            None => Some(Pinned {
                raw: Arc::clone(&archive.raw),
                base: member.data_at,
            }),
            Some(_) => lock(&self.pins).members.get(&number).cloned(),
        };
        Ok(pinned.map(|pinned| FileReader {
            raw: pinned.raw,
            base: pinned.base,
            len: member.len,
            extents: member.extents.clone(),
        }))
    }

    /// Brings files within random-access reach where they are not: those in compressed
    /// archives, in one pass over each archive, into memory up to 32 MiB in all and
    /// from there into a temporary file that has no name.
    ///
    /// # Errors
    /// What the operating system says of the temporary file.
    pub fn pin(&self, ids: &[FileId]) -> io::Result<()> {
        // Held during the passes: nobody else shall make them, too.
        let mut pins = lock(&self.pins);
        for (archive, wanted) in self.streamed(ids, &pins) {
            let archive = &self.archives[archive];
            let mut stream = archive.stream()?;
            let mut chunk = vec![0; scan::CHUNK];
            for (number, _) in wanted {
                let member = &self.members[number];
                stream.skip(member.data_at.saturating_sub(stream.pos));
                let in_memory = pins.in_memory + member.available <= PIN_MEMORY;
                let mut bytes = Vec::new();
                let mut left = member.available;
                let base = pins.spilled;
                while left > 0 {
                    let want = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let got = stream.read_full(&mut chunk[..want]).unwrap_or(0);
                    if got == 0 {
                        break;
                    }
                    left -= got as u64;
                    if in_memory {
                        bytes.extend_from_slice(&chunk[..got]);
                    } else {
                        pins.spill(&chunk[..got])?;
                    }
                }
                if left > 0 {
                    // The archive is no longer what it was when it was indexed.
                    continue;
                }
                let pinned = if in_memory {
                    pins.in_memory += bytes.len() as u64;
                    Pinned {
                        raw: Arc::new(Raw::Memory(bytes)),
                        base: 0,
                    }
                } else {
                    Pinned {
                        raw: pins.spill(&[])?,
                        base,
                    }
                };
                pins.members.insert(number, pinned);
            }
        }
        Ok(())
    }

    /// Whether a pass over a compressed archive is needed to read a file.
    #[must_use]
    pub fn is_streamed(&self, id: FileId) -> bool {
        !self.streamed(&[id], &lock(&self.pins)).is_empty()
    }

    /// What of `ids` only a pass over its archive can reach.
    fn streamed(&self, ids: &[FileId], pins: &Pins) -> Vec<(usize, Wanted)> {
        let mut members: HashMap<usize, Vec<FileId>> = HashMap::new();
        for id in ids {
            if let Source::Member(number) = self.sources[id.0 as usize]
                && self.archives[self.members[number].archive]
                    .compression
                    .is_some()
                && !pins.members.contains_key(&number)
            {
                members.entry(number).or_default().push(*id);
            }
        }
        let mut members: Vec<_> = members.into_iter().collect();
        // Members are numbered as they come in the archives.
        members.sort_by_key(|(number, _)| *number);
        let same =
            |a: &(usize, _), b: &(usize, _)| self.members[a.0].archive == self.members[b.0].archive;
        members
            .chunk_by(same)
            .map(|run| (self.members[run[0].0].archive, run.to_vec()))
            .collect()
    }
}

/// Members of one archive in the order of their bytes, each with the files that are it.
type Wanted = Vec<(usize, Vec<FileId>)>;

impl Pins {
    /// Appends to the temporary file, which is made when there is none.
    fn spill(&mut self, bytes: &[u8]) -> io::Result<Arc<Raw>> {
        let raw = match &self.spill {
            Some(raw) => Arc::clone(raw),
            None => Arc::clone(
                self.spill
                    .insert(Arc::new(Raw::File(tempfile::tempfile()?))),
            ),
        };
        if let Raw::File(file) = &*raw {
            let file: &File = file;
            file.write_all_at(bytes, self.spilled)?;
            self.spilled += bytes.len() as u64;
        }
        Ok(raw)
    }
}

const SHRUNK: &str = "the file has become shorter since the evidence was opened";

fn join(root: &Path, path: &[u8]) -> PathBuf {
    root.join(std::ffi::OsStr::from_bytes(path))
}

fn os_bytes(path: std::ffi::OsString) -> Vec<u8> {
    path.into_vec()
}

#[cfg(test)]
mod tests;
