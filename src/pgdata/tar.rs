//! Archives: an index of what a tar holds, plain or compressed.
//!
//! ```text
//! header 512 | data, padded to 512 | header | data | … | zeros 512 | zeros 512 | padding
//!   name, size, checksum of the header, type, link target
//! ```
//!
//! One pass over the archive gives a [`Tree`]: which names there are and where in the
//! uncompressed stream each one's bytes lie. Later passes need no header any more.
//!
//! The `tar` crate decodes the fields of a header. The walk from header to header is
//! here, as it must go on behind a damaged header, bound what it keeps of names and
//! sparse maps, and know the sparse members of `bsdtar` and of `tar --format=posix`.

use super::NotExamined;
use super::bytes::{Extent, Raw, fill};
use super::compression::Compression;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::sync::Arc;

const BLOCK: usize = 512;
/// What a disk that fails loses at once.
const SECTOR: u64 = 4096;
/// Longest name or link target that is kept; the kernel's `PATH_MAX` is 4096.
const MAX_NAME: u64 = 32 << 10;
/// Longest extended header that is read: times, attributes and sparse maps.
const MAX_PAX: u64 = 1 << 20;
/// What the index of all archives together may take in memory.
const MAX_INDEX_BYTES: usize = 512 << 20;
/// What a member takes in the index besides its name.
const MEMBER_BYTES: usize = 256;
/// Largest member whose hole may be taken at its word; nothing in PGDATA comes near.
const MAX_SPARSE_SIZE: u64 = 1 << 40;
/// Small members of compressed archives are kept while indexing, as the next pass over
/// the archive costs as much as the first.
const KEEP_MEMBER: u64 = 64 << 10;
const KEEP_ALL: usize = 8 << 20;

/// What the first bytes of a file say it is.
pub(super) enum Magic {
    Tar,
    Compressed(Compression),
    /// A compression that is not read.
    Unsupported(&'static str),
    Unknown,
}

pub(super) fn magic(head: &[u8]) -> Magic {
    if let Some(compression) = Compression::by_magic(head) {
        return Magic::Compressed(compression);
    }
    match head {
        [b'P', b'K', 3, 4, ..] => Magic::Unsupported("zip"),
        _ => match head.first_chunk::<BLOCK>() {
            Some(block) if checksum_fits(block) => Magic::Tar,
            _ => Magic::Unknown,
        },
    }
}

/// An archive file.
#[derive(Debug)]
pub(super) struct Archive {
    /// As messages name it.
    pub name: String,
    pub raw: Arc<Raw>,
    /// Bytes of the file as it lies there.
    pub len: u64,
    pub compression: Option<Compression>,
}

impl Archive {
    /// Its uncompressed bytes from the start.
    pub(super) fn stream(&self) -> io::Result<Stream> {
        let source = match self.compression {
            None => Source::Plain {
                raw: Arc::clone(&self.raw),
                len: self.len,
            },
            Some(compression) => Source::Packed(compression.reader(&self.raw)?),
        };
        Ok(Stream {
            source,
            pos: 0,
            failed: None,
        })
    }
}

enum Source {
    Plain { raw: Arc<Raw>, len: u64 },
    Packed(Box<dyn Read + Send>),
}

/// The uncompressed bytes of an archive, read forwards.
pub(super) struct Stream {
    source: Source,
    pub pos: u64,
    /// What ended a compressed stream; decoders themselves tell it only once.
    failed: Option<(io::ErrorKind, String)>,
}

impl Stream {
    /// Fills `buf` as far as there are bytes. What a compressed stream gave before an
    /// error is returned first, the error by the next call.
    pub(super) fn read_full(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut got = 0;
        match &mut self.source {
            Source::Plain { raw, .. } => got = raw.read_at(buf, self.pos)?,
            Source::Packed(reader) => {
                if self.failed.is_none() {
                    let outcome = fill(buf, |part, done| {
                        let n = reader.read(part)?;
                        got = done as usize + n;
                        Ok(n)
                    });
                    self.failed = outcome.err().map(|e| (e.kind(), e.to_string()));
                }
                if let (0, Some((kind, text))) = (got, &self.failed) {
                    return Err(io::Error::new(*kind, text.clone()));
                }
            }
        }
        self.pos += got as u64;
        Ok(got)
    }

    /// Moves on by up to `n` bytes and tells by how many; an error is left to the next
    /// read.
    pub(super) fn skip(&mut self, n: u64) -> u64 {
        if let Source::Plain { len, .. } = &self.source {
            let skipped = n.min(len.saturating_sub(self.pos));
            self.pos += skipped;
            return skipped;
        }
        let mut scratch = [0; 64 << 10];
        let mut left = n;
        while left > 0 {
            let want = scratch
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            match self.read_full(&mut scratch[..want]) {
                Ok(0) | Err(_) => break,
                Ok(got) => left -= got as u64,
            }
        }
        n - left
    }

    /// Leaves unreadable sectors behind; false when nothing can follow.
    fn skip_unreadable(&mut self) -> bool {
        match self.source {
            Source::Plain { .. } => self.skip(SECTOR - self.pos % SECTOR) > 0,
            Source::Packed(_) => false,
        }
    }
}

/// The bytes of one file in an archive.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Index of the archive.
    pub archive: usize,
    /// Where in the uncompressed stream its bytes begin.
    pub data_at: u64,
    /// Size of the file.
    pub size: u64,
    /// When it was last written, in seconds since 1970.
    pub mtime: Option<i64>,
    /// How much of the file can be read: less than `size` when the archive is cut off.
    pub len: u64,
    /// Bytes in the archive: those of the holes are not there.
    pub stored: u64,
    /// How many of those the archive still has.
    pub available: u64,
    /// The data of a sparse member.
    pub extents: Option<Arc<[Extent]>>,
}

/// What a name in an archive stands for.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Dir,
    /// Index into [`Tree::members`].
    File(usize),
    /// Symbolic link and its target as written.
    Link(Vec<u8>),
    /// Nothing that can be read, and why.
    Special(&'static str),
}

/// All archives of one backup, joined by name.
#[derive(Default)]
pub(super) struct Tree {
    pub nodes: BTreeMap<Vec<u8>, Node>,
    pub members: Vec<Member>,
    /// Contents of small members of compressed archives.
    pub kept: HashMap<usize, Vec<u8>>,
    pub notes: Vec<NotExamined>,
    index_bytes: usize,
    kept_bytes: usize,
}

/// What extension headers say of the member that follows them.
#[derive(Default)]
struct Extension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: Option<PaxSparse>,
}

#[derive(Default)]
struct PaxSparse {
    major: u64,
    name: Option<Vec<u8>>,
    real_size: Option<u64>,
    /// Offsets and lengths in turn (versions 0.0 and 0.1).
    map: Vec<u64>,
}

impl Tree {
    /// Adds an archive's members, their names behind `prefix`.
    pub(super) fn index(&mut self, archive: &Archive, number: usize, prefix: &[u8]) {
        let mut stream = match archive.stream() {
            Ok(stream) => stream,
            Err(error) => {
                self.note(archive, format!("cannot be decompressed: {error}"));
                return;
            }
        };
        let mut extension = Extension::default();
        // Whether the end marker has been met; concatenated archives go on behind it.
        let mut ended = false;
        let mut block = [0; BLOCK];
        loop {
            let at = stream.pos;
            let damage = match stream.read_full(&mut block) {
                // Some writers leave the end marker away, but who can tell?
                Ok(n) if n < BLOCK => {
                    if !ended || block[..n].iter().any(|b| *b != 0) {
                        let why =
                            format!("ends at byte {at} of its contents without an end marker");
                        self.note(archive, why);
                    }
                    break;
                }
                Ok(_) if block.iter().all(|b| *b == 0) => {
                    ended = true;
                    continue;
                }
                Ok(_) if checksum_fits(&block) => None,
                // Also what follows a stretch of zeros that was none of the archive's
                // making. Go on at the next header.
                Ok(_) => Some("no tar header where one belongs".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(damage) = damage {
                let found = resync(&mut stream, &mut block);
                let end = stream.pos - if found { BLOCK as u64 } else { 0 };
                let to = if found || end > at {
                    format!("to {end}")
                } else {
                    "on".to_owned()
                };
                self.note(
                    archive,
                    format!("not read from byte {at} of its contents {to}: {damage}"),
                );
                if !found {
                    break;
                }
                extension = Extension::default();
            }
            self.entry(archive, number, prefix, &mut stream, &block, &mut extension);
            if self.index_bytes > MAX_INDEX_BYTES {
                let at = stream.pos;
                self.note(archive, format!("holds too many members: those from byte {at} of its contents on are not listed"));
                break;
            }
        }
    }

    fn note(&mut self, archive: &Archive, reason: String) {
        self.index_bytes += MEMBER_BYTES + reason.len();
        self.notes.push(NotExamined {
            path: archive.name.clone(),
            archive: None,
            range: None,
            reason,
        });
    }

    /// Takes the header in `block` and what belongs to it.
    fn entry(
        &mut self,
        archive: &Archive,
        number: usize,
        prefix: &[u8],
        stream: &mut Stream,
        block: &[u8; BLOCK],
        extension: &mut Extension,
    ) {
        let header = tar::Header::from_byte_slice(block);
        let header_at = stream.pos - BLOCK as u64;
        let kind = header.entry_type().as_byte();
        let Ok(header_size) = header.entry_size() else {
            self.note(
                archive,
                format!("the header at byte {header_at} of its contents has no readable size"),
            );
            return;
        };
        let extends = |limit: u64, stream: &mut Stream| {
            let mut data = vec![0; usize::try_from(header_size.min(limit)).unwrap_or(0)];
            let got = stream.read_full(&mut data).unwrap_or(0);
            data.truncate(got);
            stream.skip(padded(header_size).saturating_sub(got as u64));
            data
        };
        match kind {
            b'L' | b'K' if header_size > MAX_NAME => {
                self.note(archive, format!("the member at byte {header_at} of its contents has a name of {header_size} bytes"));
                extends(0, stream);
                return;
            }
            b'L' => {
                extension.name = Some(until_nul(extends(MAX_NAME, stream)));
                return;
            }
            b'K' => {
                extension.link = Some(until_nul(extends(MAX_NAME, stream)));
                return;
            }
            b'x' if header_size > MAX_PAX => {
                self.note(archive, format!("the member at byte {header_at} of its contents has an extended header of {header_size} bytes"));
                extends(0, stream);
                return;
            }
            b'x' => {
                // Of several in a row the last map counts: they must not add up.
                extension.sparse = None;
                pax(&extends(MAX_PAX, stream), extension);
                return;
            }
            // Global headers, volume labels and the like name no file.
            b'g' | b'V' | b'D' | b'N' | b'X' | b'A' => {
                extends(0, stream);
                return;
            }
            _ => {}
        }

        let extension = std::mem::take(extension);
        let mut name = extension
            .name
            .unwrap_or_else(|| header.path_bytes().into_owned());
        if let Some(real) = extension.sparse.as_ref().and_then(|s| s.name.clone()) {
            name = real;
        }
        let is_dir = kind == b'5' || name.ends_with(b"/");
        let Some(path) = normal(prefix, &name) else {
            let shown = String::from_utf8_lossy(&name).into_owned();
            self.note(
                archive,
                format!("a member's name leads out of the archive: {shown}"),
            );
            stream.skip(padded(extension.size.unwrap_or(header_size)));
            return;
        };
        if path == prefix {
            return;
        }
        self.index_bytes += MEMBER_BYTES + path.len();
        let node = match kind {
            // Links and special files have no bytes whatever their size field says.
            b'1' => {
                let target = extension
                    .link
                    .or_else(|| header.link_name_bytes().map(|n| n.into_owned()))
                    .and_then(|target| normal(prefix, &target));
                match target.and_then(|target| self.nodes.get(&target).cloned()) {
                    Some(node) => node,
                    None => Node::Special("a hard link to a file that the archive lacks"),
                }
            }
            b'2' => Node::Link(
                extension
                    .link
                    .or_else(|| header.link_name_bytes().map(|n| n.into_owned()))
                    .unwrap_or_default(),
            ),
            b'3' | b'4' => Node::Special("a device"),
            b'6' => Node::Special("a FIFO"),
            _ if is_dir => Node::Dir,
            b'0' | 0 | b'7' | b'S' => {
                let stored = extension.size.unwrap_or(header_size);
                let mut member = Member {
                    archive: number,
                    data_at: stream.pos,
                    size: stored,
                    mtime: header
                        .mtime()
                        .ok()
                        .and_then(|time| i64::try_from(time).ok()),
                    len: stored,
                    stored,
                    available: stored,
                    extents: None,
                };
                let sparse = match (kind, &extension.sparse) {
                    (b'S', _) => gnu_sparse(header, stream, &mut member),
                    (_, Some(sparse)) => pax_sparse(sparse, stream, &mut member),
                    _ => Some(()),
                };
                let rest = padded(member.stored);
                if sparse.is_none() || self.oversized(&member) {
                    self.nodes.insert(
                        path,
                        Node::Special("a sparse archive member whose map is damaged"),
                    );
                    stream.skip(rest);
                    return;
                }
                self.file(archive, path, member, stream);
                return;
            }
            _ => {
                let rest = padded(extension.size.unwrap_or(header_size));
                self.nodes
                    .insert(path, Node::Special("an archive member of an unknown type"));
                stream.skip(rest);
                return;
            }
        };
        if let Node::Link(target) = &node {
            self.index_bytes += target.len();
        }
        self.nodes.insert(path, node);
    }

    fn oversized(&mut self, member: &Member) -> bool {
        let Some(extents) = &member.extents else {
            return false;
        };
        self.index_bytes += size_of_val(&extents[..]);
        member.size > MAX_SPARSE_SIZE
    }

    /// Takes a regular file, whose stored bytes come next.
    fn file(&mut self, archive: &Archive, path: Vec<u8>, mut member: Member, stream: &mut Stream) {
        let number = self.members.len();
        let base_name = path.rsplit(|b| *b == b'/').next().unwrap_or(&path);
        // Relations, WAL and SLRU segments have names that begin with a digit.
        let keep = archive.compression.is_some()
            && member.extents.is_none()
            && member.stored <= KEEP_MEMBER
            && self.kept_bytes < KEEP_ALL
            && !base_name.starts_with(b"INCREMENTAL.")
            && !base_name.first().is_some_and(u8::is_ascii_digit);
        let mut got = 0;
        if keep {
            let mut bytes = vec![0; usize::try_from(member.stored).unwrap_or(0)];
            let n = stream.read_full(&mut bytes).unwrap_or(0);
            bytes.truncate(n);
            got = n as u64;
            self.kept_bytes += bytes.len();
            self.kept.insert(number, bytes);
        }
        let padded = padded(member.stored);
        let available = got + stream.skip(padded.saturating_sub(got));
        member.available = available.min(member.stored);
        if available < member.stored {
            member.len = match &member.extents {
                None => available,
                // The first byte whose place in the archive is missing.
                Some(extents) => extents
                    .iter()
                    .find(|e| e.stored_at.saturating_add(e.len) > available)
                    .map_or(member.size, |e| {
                        e.file_offset + available.saturating_sub(e.stored_at)
                    }),
            };
        }
        self.members.push(member);
        self.nodes.insert(path, Node::File(number));
    }
}

/// Reads on until a header; `block` then holds it.
fn resync(stream: &mut Stream, block: &mut [u8; BLOCK]) -> bool {
    loop {
        match stream.read_full(block) {
            // Without the magic too much else would pass for a header.
            Ok(BLOCK) if &block[257..262] == b"ustar" && checksum_fits(block) => return true,
            Ok(BLOCK) => {}
            Ok(_) => return false,
            Err(_) if stream.skip_unreadable() => {}
            Err(_) => return false,
        }
    }
}

/// Whether the header's checksum is right: the sum of its bytes with the checksum's own
/// taken as spaces. Some old writers summed signed bytes.
fn checksum_fits(block: &[u8; BLOCK]) -> bool {
    let Ok(stated) = tar::Header::from_byte_slice(block).cksum() else {
        return false;
    };
    let sums = block
        .iter()
        .enumerate()
        .fold((0_i64, 0_i64), |sums, (i, b)| {
            let b = if (148..156).contains(&i) { b' ' } else { *b };
            (sums.0 + i64::from(b), sums.1 + i64::from(b.cast_signed()))
        });
    i64::from(stated) == sums.0 || i64::from(stated) == sums.1
}

fn padded(size: u64) -> u64 {
    size.checked_next_multiple_of(BLOCK as u64)
        .unwrap_or(u64::MAX)
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|b| *b == 0) {
        bytes.truncate(end);
    }
    bytes
}

/// `prefix/name` without empty, `.` and `..` components; none when it leads out.
pub(super) fn normal(prefix: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut path = prefix.to_vec();
    for part in name.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                if path.is_empty() {
                    return None;
                }
                let parent = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
                path.truncate(parent);
            }
            part => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(part);
            }
        }
    }
    Some(path)
}

/// Takes the records `length key=value\n` of an extended header.
fn pax(mut data: &[u8], extension: &mut Extension) {
    let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse::<u64>().ok();
    while let Some(space) = data.iter().position(|b| *b == b' ') {
        let Some(len) = number(&data[..space]).and_then(|n| usize::try_from(n).ok()) else {
            return;
        };
        let Some(record) = data.get(space + 1..len.saturating_sub(1)) else {
            return;
        };
        data = data.get(len..).unwrap_or_default();
        let Some(equals) = record.iter().position(|b| *b == b'=') else {
            continue;
        };
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => extension.name = Some(value.to_vec()),
            b"linkpath" => extension.link = Some(value.to_vec()),
            b"size" => extension.size = number(value),
            _ => {}
        }
        let Some(key) = key.strip_prefix(b"GNU.sparse.") else {
            continue;
        };
        let sparse = extension.sparse.get_or_insert_default();
        match key {
            b"major" => sparse.major = number(value).unwrap_or(0),
            b"name" => sparse.name = Some(value.to_vec()),
            b"size" | b"realsize" => sparse.real_size = number(value),
            b"offset" | b"numbytes" => sparse.map.extend(number(value)),
            b"map" => {
                let numbers = value.split(|b| *b == b',').map_while(number);
                sparse.map = numbers.collect();
            }
            _ => {}
        }
    }
}

/// Reads the map of an old GNU sparse member: four places in the header, more in blocks
/// between header and data.
fn gnu_sparse(header: &tar::Header, stream: &mut Stream, member: &mut Member) -> Option<()> {
    let gnu = header.as_gnu()?;
    let mut map = Vec::new();
    let mut take = |places: &[tar::GnuSparseHeader]| {
        for place in places.iter().filter(|place| !place.is_empty()) {
            map.extend([place.offset().ok()?, place.length().ok()?]);
        }
        (map.len() < MAX_PAX as usize).then_some(())
    };
    let mut taken = take(&gnu.sparse);
    let mut more = gnu.is_extended();
    while more {
        let mut block = tar::GnuExtSparseHeader::new();
        if stream.read_full(block.as_mut_bytes()).ok()? < BLOCK {
            return None;
        }
        // Where the data begins must be known even if the map is no good.
        taken = taken.and_then(|()| take(block.sparse()));
        more = block.is_extended();
    }
    member.data_at = stream.pos;
    taken?;
    set_extents(&map, gnu.real_size().ok()?, member)
}

/// Takes the map of a sparse member in the pax format. From version 1.0 on it stands in
/// front of the data: decimal numbers, one a line, the count first.
fn pax_sparse(sparse: &PaxSparse, stream: &mut Stream, member: &mut Member) -> Option<()> {
    let real_size = sparse.real_size?;
    if sparse.major == 0 {
        return set_extents(&sparse.map, real_size, member);
    }
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0_u64;
    let mut digits = false;
    loop {
        let mut block = [0; BLOCK];
        let fits = member.stored >= BLOCK as u64 && (numbers.len() as u64) < MAX_PAX;
        if !fits || stream.read_full(&mut block).ok()? < BLOCK {
            return None;
        }
        member.stored -= BLOCK as u64;
        member.data_at = stream.pos;
        for byte in block {
            match byte {
                b'0'..=b'9' => {
                    number = number
                        .checked_mul(10)?
                        .checked_add(u64::from(byte - b'0'))?;
                    digits = true;
                }
                b'\n' if digits => {
                    numbers.push(std::mem::take(&mut number));
                    digits = false;
                    let (count, map) = numbers.split_first()?;
                    if map.len() as u64 == count.checked_mul(2)? {
                        return set_extents(map, real_size, member);
                    }
                }
                _ => return None,
            }
        }
    }
}

/// Checks a sparse map, offsets and lengths in turn, and gives it to the member.
fn set_extents(map: &[u64], size: u64, member: &mut Member) -> Option<()> {
    let mut extents = Vec::new();
    let (mut end, mut stored_at) = (0_u64, 0_u64);
    let pairs = map.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    for pair in pairs {
        let &[file_offset, len] = pair else {
            return None;
        };
        if file_offset < end {
            return None;
        }
        end = file_offset.checked_add(len)?;
        if len > 0 {
            extents.push(Extent {
                file_offset,
                stored_at,
                len,
            });
        }
        stored_at = stored_at.checked_add(len)?;
    }
    if end > size || stored_at > member.stored {
        return None;
    }
    member.size = size;
    member.len = size;
    member.extents = Some(extents.into());
    Some(())
}
