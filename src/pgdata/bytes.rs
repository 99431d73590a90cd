//! Opening read-only and reading at a position.

use super::unpack::Charged;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// How the bytes of files are fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum IoMode {
    /// Positioned reads: a bad sector or a truncation is an error that the run survives.
    #[default]
    Pread,
    /// Memory maps: for images known to be healthy. A read error or a truncation under a
    /// map is a SIGBUS that ends the process.
    Mmap,
}

/// Opens for reading only. Not blocking, so that a FIFO raced into the place of a file
/// cannot hang the run, and where permitted without changing the access time.
pub(super) fn open_read_only(path: &Path) -> io::Result<(File, Metadata)> {
    let open = |flags: i32| OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = open(flags::NONBLOCK | flags::NOATIME)
        // Only the owner and root may leave the access time alone.
        .or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => open(flags::NONBLOCK),
            _ => Err(error),
        })?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

mod flags {
    use rustix::fs::OFlags;

    pub const NONBLOCK: i32 = OFlags::NONBLOCK.bits().cast_signed();
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub const NOATIME: i32 = OFlags::NOATIME.bits().cast_signed();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub const NOATIME: i32 = 0;
}

/// Where bytes come from.
#[derive(Debug)]
pub(super) enum Raw {
    File(File),
    Map(memmap2::Mmap),
    Memory(Vec<u8>),
    Unpacked(Charged),
}

impl Raw {
    /// Opens a file and tells the size it has now.
    pub(super) fn open(path: &Path, io_mode: IoMode) -> io::Result<(Self, u64)> {
        let (file, metadata) = open_read_only(path)?;
        let size = metadata.len();
        match io_mode {
            IoMode::Pread => Ok((Self::File(file), size)),
            IoMode::Mmap => Ok((Self::Map(map(&file)?), size)),
        }
    }

    /// Fills `buf` from `at` as far as there are bytes.
    pub(super) fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let memory: &[u8] = match self {
            Self::File(file) => {
                return fill(buf, |part, done| {
                    file.read_at(part, at.saturating_add(done))
                });
            }
            Self::Map(map) => map,
            Self::Memory(bytes) => bytes,
            Self::Unpacked(charged) => &charged.bytes,
        };
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(memory.len());
        let len = buf.len().min(memory.len() - from);
        buf[..len].copy_from_slice(&memory[from..from + len]);
        Ok(len)
    }

    /// The bytes themselves, where they lie in memory.
    pub(super) fn slice(&self, from: u64, len: usize) -> Option<&[u8]> {
        let memory: &[u8] = match self {
            Self::File(_) => return None,
            Self::Map(map) => map,
            Self::Memory(bytes) => bytes,
            Self::Unpacked(charged) => &charged.bytes,
        };
        let from = usize::try_from(from).ok()?;
        memory.get(from..from.checked_add(len)?)
    }
}

#[allow(unsafe_code)]
fn map(file: &File) -> io::Result<memmap2::Mmap> {
    // SAFETY: the map is never written, and nothing here relies on its bytes staying the
    // same. Should the file be truncated, or a sector be unreadable, touching the map
    // raises SIGBUS and ends the process; hence maps are used only where asked for.
    unsafe { memmap2::Mmap::map(file) }
}

/// Repeats short and interrupted reads until `buf` is full or the bytes end. `read` gets
/// the rest of the buffer and the number of bytes already there.
pub(super) fn fill(
    buf: &mut [u8],
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match read(&mut buf[done..], done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// A stretch of a sparse archive member that holds data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Extent {
    /// Where in the file.
    pub file_offset: u64,
    /// Where in the member's stored bytes.
    pub stored_at: u64,
    /// How many bytes.
    pub len: u64,
}

/// Reads one file of the evidence at any position.
#[derive(Clone, Debug)]
pub struct FileReader {
    pub(super) raw: Arc<Raw>,
    /// Where in `raw` the file's stored bytes begin.
    pub(super) base: u64,
    /// How many bytes can be read: the size at the time the evidence was opened, less
    /// what an archive has lost.
    pub(super) len: u64,
    /// The data of a sparse archive member; what lies between is zeros.
    pub(super) extents: Option<Arc<[Extent]>>,
}

impl FileReader {
    /// A file by itself: opened read-only, without waiting for whoever writes to a FIFO, and
    /// where permitted without changing the access time.
    ///
    /// # Errors
    /// What the operating system says of opening it; that it is no regular file.
    pub fn open(path: &Path, io_mode: IoMode) -> io::Result<Self> {
        let (raw, len) = Raw::open(path, io_mode)?;
        Ok(Self {
            raw: Arc::new(raw),
            base: 0,
            len,
            extents: None,
        })
    }

    /// Fills `buf` from `file_offset`; fewer bytes than asked for means that the file
    /// ends there, whatever its size was.
    ///
    /// # Errors
    /// What the operating system says of the read.
    pub fn read_at(&self, buf: &mut [u8], file_offset: u64) -> io::Result<usize> {
        let left = self.len.saturating_sub(file_offset);
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let buf = &mut buf[..want];
        let Some(extents) = &self.extents else {
            return self.raw.read_at(buf, self.base.saturating_add(file_offset));
        };
        buf.fill(0);
        for part in parts(extents, file_offset, want) {
            let into = &mut buf[part.in_buf..part.in_buf + part.len];
            let at = self.base.saturating_add(part.stored_at);
            let got = self.raw.read_at(into, at)?;
            if got < part.len {
                return Ok(part.in_buf + got);
            }
        }
        Ok(want)
    }

    /// The whole file, or its first `limit` bytes.
    ///
    /// # Errors
    /// What the operating system says of the read.
    pub fn read_all(&self, limit: usize) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.len).unwrap_or(usize::MAX).min(limit);
        let mut bytes = vec![0; len];
        let got = self.read_at(&mut bytes, 0)?;
        bytes.truncate(got);
        Ok(bytes)
    }

    /// How many bytes can be read.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn slice(&self, file_offset: u64, len: usize) -> Option<&[u8]> {
        match self.extents {
            None => self.raw.slice(self.base.checked_add(file_offset)?, len),
            Some(_) => None,
        }
    }
}

/// A piece of an extent that falls into a buffer.
pub(super) struct Part {
    pub in_buf: usize,
    pub stored_at: u64,
    pub len: usize,
}

/// What of `extents` (ascending, not overlapping) falls into `len` bytes from
/// `file_offset`, in order.
pub(super) fn parts(
    extents: &[Extent],
    file_offset: u64,
    len: usize,
) -> impl Iterator<Item = Part> + '_ {
    let end = file_offset.saturating_add(len as u64);
    let first = extents.partition_point(|e| e.file_offset.saturating_add(e.len) <= file_offset);
    extents[first..]
        .iter()
        .take_while(move |e| e.file_offset < end)
        .map(move |e| {
            let from = e.file_offset.max(file_offset);
            let to = e.file_offset.saturating_add(e.len).min(end);
            Part {
                // Both differences are at most `len`.
                in_buf: (from - file_offset) as usize,
                stored_at: e.stored_at.saturating_add(from - e.file_offset),
                len: (to - from) as usize,
            }
        })
}
