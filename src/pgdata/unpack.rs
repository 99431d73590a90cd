//! Files of WAL archives that are compressed: unpacked when they are read, a few at a time.
//!
//! Recovery reads segments at random, within one and from one to the next, so one that is
//! compressed is unpacked whole. Those used last stay within reach: in memory up to 64 MiB
//! in all, and from there in temporary files that have no name. Of a file that holds more than
//! it may, nothing is kept.

use super::bytes::{FileReader, Raw, fill};
use super::compression::Compression;
use super::{FileId, lock};
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// What unpacked files may take in memory.
const MEMORY: u64 = 64 << 20;
/// What those that nobody reads may take in all, but for the last two.
const KEEP: u64 = 512 << 20;
/// `WalSegMaxSize`.
const MAX_SEGMENT: u64 = 1 << 30;
/// Largest file that is no segment: a history file, a `.backup`.
const MAX_SMALL: u64 = 1 << 20;
/// First bytes that are kept of each file: the header of a segment's first page.
const HEAD: usize = 64;
/// Bytes unpacked at once.
const STEP: usize = 256 << 10;

/// What has been found out about the compressed files, and what of them lies unpacked.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// `wal_segment_size`, as far as it is known.
    segment_size: AtomicU64,
    files: Mutex<HashMap<FileId, Arc<Mutex<Slot>>>>,
    recent: Mutex<Recent>,
    in_memory: Arc<AtomicU64>,
}

impl Default for Unpacked {
    fn default() -> Self {
        Self {
            segment_size: AtomicU64::new(MAX_SEGMENT),
            files: Mutex::default(),
            recent: Mutex::default(),
            in_memory: Arc::default(),
        }
    }
}

/// How much of a compressed file there has to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// A segment, whole.
    Segment,
    /// A segment as far as it goes: `pg_receivewal` leaves the stream of one it was writing
    /// without an end.
    Partial,
    /// A history file or a `.backup`, whole.
    Small,
}

/// One file. Whoever unpacks it holds the lock, so that it is done once.
#[derive(Debug, Default)]
struct Slot {
    bytes: Weak<Raw>,
    /// Its first bytes, as far as they could be unpacked.
    head: Option<Vec<u8>>,
    /// Its size, or why it cannot be unpacked.
    outcome: Option<Result<u64, String>>,
}

/// What was used last, the latest at the end.
#[derive(Debug, Default)]
struct Recent {
    files: VecDeque<(Arc<Raw>, u64)>,
    bytes: u64,
}

impl Recent {
    fn used(&mut self, raw: &Arc<Raw>, len: u64) {
        match self
            .files
            .iter()
            .position(|(kept, _)| Arc::ptr_eq(kept, raw))
        {
            Some(at) => drop(self.files.remove(at)),
            None => self.bytes = self.bytes.saturating_add(len),
        }
        self.files.push_back((Arc::clone(raw), len));
        // Each thread reads a segment and the start of the next.
        let most = 2 * rayon::current_num_threads() + 2;
        while self.files.len() > most || self.files.len() > 2 && self.bytes > KEEP {
            let Some((_, len)) = self.files.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(len);
        }
    }
}

/// Bytes in memory that count against [`MEMORY`] as long as they are there.
#[derive(Debug)]
pub(super) struct Charged {
    pub(super) bytes: Vec<u8>,
    charge: u64,
    total: Arc<AtomicU64>,
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.total.fetch_sub(self.charge, Ordering::Relaxed);
    }
}

impl Unpacked {
    /// From now on no segment is unpacked that is larger than this.
    pub(super) fn limit_segments(&self, segment_size: u64) {
        self.segment_size.store(segment_size, Ordering::Relaxed);
    }

    /// The first bytes of a file, as far as it can be unpacked; up to [`HEAD`] of them.
    pub(super) fn head(
        &self,
        id: FileId,
        packed: &Arc<Raw>,
        compression: Compression,
        buf: &mut [u8],
    ) -> io::Result<usize> {
        let slot = Arc::clone(lock(&self.files).entry(id).or_default());
        let mut slot = lock(&slot);
        let head = match &mut slot.head {
            Some(head) => head,
            unknown => {
                let mut head = vec![0; HEAD];
                let mut reader = compression.reader(packed)?;
                let got = fill(&mut head, |part, _| reader.read(part))?;
                head.truncate(got);
                unknown.insert(head)
            }
        };
        let len = head.len().min(buf.len());
        buf[..len].copy_from_slice(&head[..len]);
        Ok(len)
    }

    /// The size of a file that has been unpacked before, or why it could not be.
    pub(super) fn size(&self, id: FileId) -> Option<Result<u64, String>> {
        let slot = lock(&self.files).get(&id).map(Arc::clone)?;
        lock(&slot).outcome.clone()
    }

    /// The file unpacked.
    pub(super) fn file(
        &self,
        id: FileId,
        packed: &Arc<Raw>,
        compression: Compression,
        wanted: Wanted,
    ) -> io::Result<FileReader> {
        let slot = Arc::clone(lock(&self.files).entry(id).or_default());
        let mut slot = lock(&slot);
        if let Some(Err(reason)) = &slot.outcome {
            return Err(io::Error::other(reason.clone()));
        }
        let known = slot.bytes.upgrade().zip(slot.outcome.as_ref());
        let (raw, len) = match known {
            Some((raw, Ok(len))) => (raw, *len),
            _ => match self.unpack(packed, compression, wanted) {
                Ok((raw, len)) => {
                    let raw = Arc::new(raw);
                    slot.bytes = Arc::downgrade(&raw);
                    slot.outcome = Some(Ok(len));
                    (raw, len)
                }
                Err(error) => {
                    slot.outcome = Some(Err(error.to_string()));
                    return Err(error);
                }
            },
        };
        lock(&self.recent).used(&raw, len);
        Ok(FileReader {
            raw,
            base: 0,
            len,
            extents: None,
        })
    }

    fn unpack(
        &self,
        packed: &Arc<Raw>,
        compression: Compression,
        wanted: Wanted,
    ) -> io::Result<(Raw, u64)> {
        let limit = match wanted {
            Wanted::Segment | Wanted::Partial => self.segment_size.load(Ordering::Relaxed),
            Wanted::Small => MAX_SMALL,
        };
        let mut reader = compression.reader(packed)?;
        let mut step = vec![0; STEP];
        let mut target = self.target(limit)?;
        let mut len = 0;
        loop {
            let mut got = 0;
            let read = fill(&mut step, |part, done| {
                let n = reader.read(part)?;
                got = done as usize + n;
                Ok(n)
            });
            if let Err(error) = read
                && (wanted != Wanted::Partial || len == 0 && got == 0)
            {
                let text = format!("it cannot be decompressed behind byte {len}: {error}");
                return Err(io::Error::new(error.kind(), text));
            }
            if got == 0 {
                return Ok((target, len));
            }
            if len + got as u64 > limit {
                let text = format!("it holds more than the {limit} bytes of such a file");
                return Err(io::Error::other(text));
            }
            match &mut target {
                Raw::Unpacked(charged) => charged.bytes.extend_from_slice(&step[..got]),
                Raw::File(file) => file.write_all_at(&step[..got], len)?,
                Raw::Map(_) | Raw::Memory(_) => {}
            }
            len += got as u64;
        }
    }

    /// Where up to `limit` bytes go.
    fn target(&self, limit: u64) -> io::Result<Raw> {
        let total = Arc::clone(&self.in_memory);
        let taken = total.fetch_add(limit, Ordering::Relaxed);
        let charged = Charged {
            bytes: Vec::new(),
            charge: limit,
            total,
        };
        if taken.saturating_add(limit) <= MEMORY {
            return Ok(Raw::Unpacked(charged));
        }
        drop(charged);
        let file: File = tempfile::tempfile()?;
        Ok(Raw::File(file))
    }
}
