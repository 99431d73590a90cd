//! Reading many files at once, as fast as they can be read.

use super::bytes::{FileReader, parts};
use super::tar::{Member, Stream};
use super::{Evidence, FileId, SHRUNK, lock};
use rayon::prelude::*;
use std::cell::Cell;
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes handed out at once: a multiple of every `BLCKSZ`.
pub(super) const CHUNK: usize = 256 << 10;
/// Bytes of a file that one task reads.
const PIECE: u64 = 16 << 20;

/// Consecutive bytes of a file.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The file.
    pub file: FileId,
    /// Where in it; a multiple of the block size.
    pub file_offset: u64,
    /// The bytes: whole blocks, but for the end of the file or of what can be read of
    /// it.
    pub bytes: &'a [u8],
    /// Whether the file ends with them.
    pub eof: bool,
}

type Visit<'a> = &'a (dyn Fn(Chunk<'_>) + Sync);

impl Evidence {
    /// Hands every byte of `files` to `visit` once, in chunks that begin at a multiple of
    /// `blcksz`, from the threads of the current rayon pool and in no order. An empty
    /// file gives one empty chunk. Blocks that cannot be read are left out and listed in
    /// [`Evidence::not_examined`].
    ///
    /// Members of compressed archives that are not pinned are read in one pass.
    pub fn scan(&self, files: &[FileId], blcksz: u32, visit: &(dyn Fn(Chunk<'_>) + Sync)) {
        let streamed = self.streamed(files, &lock(&self.pins));
        let mut late = vec![false; self.files.len()];
        for (_, members) in &streamed {
            for id in members.iter().flat_map(|(_, ids)| ids) {
                late[id.0 as usize] = true;
            }
        }
        let mut tasks = Vec::new();
        for id in files.iter().filter(|id| !late[id.0 as usize]) {
            let size = self.entry(*id).size;
            let mut from = 0;
            // One task at least: an empty file is visited, too.
            while from < size || from == 0 {
                let to = size.min(from.saturating_add(PIECE));
                tasks.push((*id, from, to));
                from = to.max(1);
            }
        }
        // rayon hands out quarters of the work and does not share what one has begun.
        tasks
            .par_iter()
            .with_max_len(1)
            .for_each(|(id, from, to)| self.scan_piece(*id, *from, *to, blcksz, visit));
        for (archive, members) in streamed {
            self.scan_stream(archive, &members, visit);
        }
    }

    fn scan_piece(&self, id: FileId, from: u64, to: u64, blcksz: u32, visit: Visit<'_>) {
        let size = self.entry(id).size;
        if size == 0 {
            visit(Chunk {
                file: id,
                file_offset: 0,
                bytes: &[],
                eof: true,
            });
            return;
        }
        match self.reader(id) {
            Ok(Some(reader)) => {
                let lost =
                    |from, to, reason| self.record_not_examined(id, Some((from, to)), reason);
                read_piece(&reader, id, from, to, size, blcksz, visit, &lost);
            }
            Ok(None) => {}
            Err(error) => self.record_not_examined(id, None, error.to_string()),
        }
    }

    /// One thread decompresses; those of the pool take what it gives. The queue between
    /// them is bounded and its buffers are used again.
    fn scan_stream(&self, archive: usize, members: &[(usize, Vec<FileId>)], visit: Visit<'_>) {
        let threads = rayon::current_num_threads();
        let (full, chunks) = sync_channel::<Piece>(2 * threads + 2);
        let empty = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            scope.spawn(|| self.stream(archive, members, full, &empty));
            let chunks = Mutex::new(chunks);
            (0..threads).into_par_iter().for_each(|_| {
                while let Some(piece) = next(&chunks) {
                    let (number, ids) = &members[piece.member];
                    let size = self.members[*number].size;
                    for id in ids {
                        visit(Chunk {
                            file: *id,
                            file_offset: piece.file_offset,
                            bytes: &piece.buffer[..piece.len],
                            eof: piece.file_offset + piece.len as u64 == size,
                        });
                    }
                    lock(&empty).push(piece.buffer);
                }
            });
            // Should every thread have panicked, the decompressor must not wait for them.
            drop(chunks);
        });
    }

    fn stream(
        &self,
        archive: usize,
        members: &[(usize, Vec<FileId>)],
        full: SyncSender<Piece>,
        empty: &Mutex<Vec<Vec<u8>>>,
    ) {
        let mut stream = match self.archives[archive].stream() {
            Ok(stream) => stream,
            Err(error) => {
                for id in members.iter().flat_map(|(_, ids)| ids) {
                    self.record_not_examined(*id, None, error.to_string());
                }
                return;
            }
        };
        for (index, (number, ids)) in members.iter().enumerate() {
            let member = &self.members[*number];
            stream.skip(member.data_at.saturating_sub(stream.pos));
            let mut file_offset = 0;
            // An empty file is visited, too.
            while file_offset < member.len || file_offset == 0 && member.size == 0 {
                let mut buffer = lock(empty).pop().unwrap_or_else(|| vec![0; CHUNK]);
                let left = usize::try_from(member.len - file_offset).unwrap_or(usize::MAX);
                let want = left.min(CHUNK);
                let got = read_member(&mut stream, member, file_offset, &mut buffer[..want]);
                let (len, error) = match got {
                    Ok(len) => (len, None),
                    Err(error) => (0, Some(error.to_string())),
                };
                if len > 0 || want == 0 {
                    let piece = Piece {
                        member: index,
                        file_offset,
                        buffer,
                        len,
                    };
                    if full.send(piece).is_err() {
                        return;
                    }
                }
                file_offset += len as u64;
                if len < want {
                    let reason = error.unwrap_or_else(|| SHRUNK.to_owned());
                    for id in ids {
                        let range = Some((file_offset, member.len));
                        self.record_not_examined(*id, range, reason.clone());
                    }
                    break;
                }
                if want == 0 {
                    break;
                }
            }
        }
    }
}

/// A chunk on its way from the decompressor.
struct Piece {
    /// Index into the members that are wanted.
    member: usize,
    file_offset: u64,
    buffer: Vec<u8>,
    len: usize,
}

fn next(chunks: &Mutex<Receiver<Piece>>) -> Option<Piece> {
    lock(chunks).recv().ok()
}

/// Reads the next bytes of a member whose earlier ones have been read.
fn read_member(
    stream: &mut Stream,
    member: &Member,
    file_offset: u64,
    buf: &mut [u8],
) -> io::Result<usize> {
    let Some(extents) = &member.extents else {
        return stream.read_full(buf);
    };
    buf.fill(0);
    for part in parts(extents, file_offset, buf.len()) {
        let into = &mut buf[part.in_buf..part.in_buf + part.len];
        let got = stream.read_full(into)?;
        if got < part.len {
            return Ok(part.in_buf + got);
        }
    }
    Ok(buf.len())
}

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's buffer. A `visit` that waits for other tasks may be called again
/// on the same thread meanwhile; the inner call then has a buffer of its own.
fn with_buffer(use_it: impl FnOnce(&mut [u8])) {
    let mut buffer = BUFFER.take();
    buffer.resize(CHUNK, 0);
    use_it(&mut buffer);
    BUFFER.set(buffer);
}

/// Reads `from..to` of a file of `size` bytes. `lost` is told of what cannot be read.
#[allow(clippy::too_many_arguments)]
fn read_piece(
    reader: &impl Positioned,
    file: FileId,
    from: u64,
    to: u64,
    size: u64,
    blcksz: u32,
    visit: Visit<'_>,
    lost: &dyn Fn(u64, u64, String),
) {
    let hand_out = |file_offset: u64, bytes: &[u8]| {
        if !bytes.is_empty() {
            visit(Chunk {
                file,
                file_offset,
                bytes,
                eof: file_offset + bytes.len() as u64 == size,
            });
        }
    };
    // What the file or its archive lacked when it was opened is listed already.
    let to = to.min(reader.len());
    let chunks = (from..to).step_by(CHUNK).map(|at| {
        let len = usize::try_from(to - at).unwrap_or(usize::MAX).min(CHUNK);
        (at, len)
    });
    with_buffer(|buffer| {
        for (at, len) in chunks {
            if let Some(bytes) = reader.slice(at, len) {
                hand_out(at, bytes);
                continue;
            }
            let buf = &mut buffer[..len];
            match reader.read_at(buf, at) {
                Ok(got) if got == len => hand_out(at, buf),
                Ok(got) => {
                    hand_out(at, &buf[..got]);
                    lost(at + got as u64, to, SHRUNK.to_owned());
                    break;
                }
                Err(_) => blocks(reader, buf, at, blcksz, &hand_out, lost),
            }
        }
    });
}

/// Reads a chunk block by block, since some of it cannot be read.
fn blocks(
    reader: &impl Positioned,
    buf: &mut [u8],
    at: u64,
    blcksz: u32,
    hand_out: &dyn Fn(u64, &[u8]),
    lost: &dyn Fn(u64, u64, String),
) {
    let step = usize::try_from(blcksz).unwrap_or(CHUNK).clamp(512, CHUNK);
    // Readable bytes from here on have not been handed out.
    let mut good = 0;
    let mut done = 0;
    while done < buf.len() {
        let end = (done + step).min(buf.len());
        match reader.read_at(&mut buf[done..end], at + done as u64) {
            Ok(got) if got == end - done => {}
            Ok(got) => {
                hand_out(at + good as u64, &buf[good..done + got]);
                lost(
                    at + (done + got) as u64,
                    at + buf.len() as u64,
                    SHRUNK.to_owned(),
                );
                return;
            }
            Err(error) => {
                hand_out(at + good as u64, &buf[good..done]);
                lost(at + done as u64, at + end as u64, error.to_string());
                good = end;
            }
        }
        done = end;
    }
    hand_out(at + good as u64, &buf[good..]);
}

/// What [`read_piece`] reads from; tests put failing disks in its place.
trait Positioned {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    fn slice(&self, at: u64, len: usize) -> Option<&[u8]>;
    fn len(&self) -> u64;
}

impl Positioned for FileReader {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        FileReader::read_at(self, buf, at)
    }

    fn slice(&self, at: u64, len: usize) -> Option<&[u8]> {
        FileReader::slice(self, at, len)
    }

    fn len(&self) -> u64 {
        FileReader::len(self)
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // lists of one bad sector
mod tests {
    use super::*;
    use std::ops::Range;

    /// A disk with sectors that cannot be read.
    struct Disk {
        bytes: Vec<u8>,
        bad: Vec<Range<usize>>,
        end: usize,
    }

    impl Positioned for Disk {
        fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
            let at = usize::try_from(at).unwrap();
            let end = (at + buf.len()).min(self.end).max(at);
            if self.bad.iter().any(|bad| bad.start < end && at < bad.end) {
                return Err(io::Error::other("bad sector"));
            }
            buf[..end - at].copy_from_slice(&self.bytes[at..end]);
            Ok(end - at)
        }

        fn slice(&self, _: u64, _: usize) -> Option<&[u8]> {
            None
        }

        fn len(&self) -> u64 {
            self.bytes.len() as u64
        }
    }

    /// Reads all of a disk; each byte is either handed out once or told lost once.
    #[allow(clippy::type_complexity)]
    fn read(disk: &Disk, blcksz: u32) -> (Vec<(u64, u64, bool)>, Vec<(u64, u64)>) {
        let size = disk.len();
        let given = Mutex::new(Vec::new());
        let lost = Mutex::new(Vec::new());
        read_piece(
            disk,
            FileId(0),
            0,
            size,
            size,
            blcksz,
            &|chunk| {
                let from = usize::try_from(chunk.file_offset).unwrap();
                assert_eq!(chunk.bytes, &disk.bytes[from..from + chunk.bytes.len()]);
                assert_eq!(chunk.file_offset % u64::from(blcksz), 0);
                let end = chunk.file_offset + chunk.bytes.len() as u64;
                given
                    .lock()
                    .unwrap()
                    .push((chunk.file_offset, end, chunk.eof));
            },
            &|from, to, _| lost.lock().unwrap().push((from, to)),
        );
        let (given, lost) = (given.into_inner().unwrap(), lost.into_inner().unwrap());
        let mut all: Vec<(u64, u64)> = given.iter().map(|(from, to, _)| (*from, *to)).collect();
        all.extend(&lost);
        all.sort_unstable();
        let mut end = 0;
        for (from, to) in all {
            assert_eq!(from, end);
            end = to;
        }
        assert_eq!(end, size);
        (given, lost)
    }

    fn disk(len: usize, bad: &[Range<usize>]) -> Disk {
        Disk {
            bytes: (0..len).map(|i| (i / 7 % 251) as u8).collect(),
            bad: bad.to_vec(),
            end: len,
        }
    }

    #[test]
    fn only_blocks_with_bad_sectors_are_lost() {
        let two = 2 * CHUNK;
        let (given, lost) = read(&disk(two + 100, &[8192..8193, CHUNK - 1..CHUNK + 1]), 8192);
        let (chunk, block) = (CHUNK as u64, 8192);
        assert_eq!(
            lost,
            [
                (8192, 16384),
                (chunk - block, chunk),
                (chunk, chunk + block)
            ]
        );
        assert_eq!(given.last(), Some(&(2 * chunk, 2 * chunk + 100, true)));
        assert_eq!(given.len(), 4);
        // Smaller blocks lose less; the end of the file can be lost, too.
        let (given, lost) = read(&disk(10_000, &[1..2, 9999..10_000]), 1024);
        assert_eq!(lost, [(0, 1024), (9216, 10_000)]);
        assert_eq!(given, [(1024, 9216, false)]);
        assert_eq!(read(&disk(8192, &[0..8192]), 8192).1, [(0, 8192)]);
    }

    #[test]
    fn a_file_that_ends_early() {
        let mut short = disk(3 * CHUNK, &[]);
        short.end = CHUNK + 100;
        let end = short.end as u64;
        let (given, lost) = read(&short, 8192);
        assert_eq!(given.last(), Some(&(CHUNK as u64, end, false)));
        assert_eq!(lost, [(end, 3 * CHUNK as u64)]);
    }

    #[test]
    fn a_file_with_a_bad_sector_that_ends_early() {
        let mut short = disk(CHUNK, &[0..1]);
        short.end = 20_000;
        let (given, lost) = read(&short, 8192);
        assert_eq!(given, [(8192, 20_000, false)]);
        assert_eq!(lost, [(0, 8192), (20_000, CHUNK as u64)]);
    }
}
