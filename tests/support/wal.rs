//! Writes WAL by the rules of each era, for tests of the reader: an oracle that shares no
//! positions, page steps or record layouts with what it tests.
#![allow(dead_code)] // each user needs a part
#![allow(missing_docs)]

use pgautopsy::format::crc::Crc;
use pgautopsy::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use pgautopsy::format::version::{Layout, Major, VERSIONS, Version};
use pgautopsy::recovery::reader::{Position, SegmentFile, WalContext, WalReader, WalSource};
use pgautopsy::recovery::stop::Stop;
use pgautopsy::recovery::timeline::Timelines;
use pgautopsy::recovery::walk::{WalSink, WalkEnd, walk};
use std::collections::BTreeMap;
use std::io;

pub const SYSTEM_IDENTIFIER: u64 = 0x5EED_0000_0000_0001;

pub fn version(major: Major) -> &'static Version {
    Version::of(major).unwrap()
}

/// A cluster with pages and segments of any size.
pub fn layout(version: &'static Version, page: u32, segment: u32) -> Layout {
    Layout {
        xlog_blcksz: page,
        wal_segsz: segment,
        ..Layout::usual(version)
    }
}

/// Accepts timeline 1 alone.
pub fn context(layout: Layout) -> WalContext {
    WalContext {
        layout,
        system_identifier: Some(SYSTEM_IDENTIFIER),
        timelines: Timelines::single(1),
    }
}

/// Segments in memory.
#[derive(Clone, Default)]
pub struct Segments {
    pub files: BTreeMap<(TimeLineID, XLogSegNo), Vec<u8>>,
}

/// One of them.
pub struct Segment<'a>(&'a [u8]);

impl SegmentFile for Segment<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.0.len());
        let len = buf.len().min(self.0.len() - from);
        buf[..len].copy_from_slice(&self.0[from..from + len]);
        Ok(len)
    }
}

impl WalSource for Segments {
    fn open(&self, tli: TimeLineID, segno: XLogSegNo) -> Option<Box<dyn SegmentFile + '_>> {
        let bytes = self.files.get(&(tli, segno))?;
        Some(Box::new(Segment(bytes)))
    }
}

/// What was written, or read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub lsn: XLogRecPtr,
    pub end: XLogRecPtr,
    pub prev: XLogRecPtr,
    pub rmid: u8,
    pub info: u8,
    pub xid: u32,
    pub bytes: Vec<u8>,
}

#[derive(Default)]
pub struct Sink(pub Vec<Seen>);

impl WalSink for Sink {
    fn record(&mut self, record: &pgautopsy::format::wal::Record<'_, '_>) {
        self.0.push(Seen {
            lsn: record.lsn,
            end: record.end_lsn,
            prev: record.header.xl_prev,
            rmid: record.header.xl_rmid,
            info: record.header.xl_info,
            xid: record.header.xl_xid.0,
            bytes: record.bytes().to_vec(),
        });
    }
}

/// Reads one record after the other, in one go.
pub fn read_in_sequence(
    context: &WalContext,
    source: &Segments,
    start: Position,
) -> (Vec<Seen>, Position, Stop) {
    let mut reader = WalReader::new(context, source, start);
    let mut sink = Sink::default();
    let stop = loop {
        match reader.read() {
            Ok(record) => sink.record(&record),
            Err(stop) => break stop,
        }
    };
    (sink.0, reader.position(), stop)
}

/// Reads segments in parallel.
pub fn read_in_parallel(
    context: &WalContext,
    source: &Segments,
    start: Position,
) -> (Vec<Seen>, WalkEnd) {
    let mut all = Vec::new();
    let end = walk(
        context,
        source,
        start,
        None,
        &Sink::default,
        &mut |piece, _| all.extend(piece.0),
    );
    (all, end)
}

pub struct WalWriter {
    pub layout: Layout,
    pub tli: TimeLineID,
    /// Where the next record goes, before alignment to pages.
    pub at: u64,
    /// Start of the last record.
    pub prev: u64,
    pub segments: Segments,
    pub records: Vec<Seen>,
    overwrites: bool,
}

impl WalWriter {
    pub fn new(layout: Layout, at: u64) -> Self {
        Self {
            layout,
            tli: 1,
            at,
            prev: at.saturating_sub(64),
            segments: Segments::default(),
            records: Vec::new(),
            overwrites: false,
        }
    }

    fn version(&self) -> &'static Version {
        self.layout.version
    }

    fn old(&self) -> bool {
        !self.layout.since(Major::V9_3)
    }

    fn page(&self) -> u64 {
        u64::from(self.layout.xlog_blcksz)
    }

    pub fn segment_size(&self) -> u64 {
        u64::from(self.layout.wal_segsz)
    }

    /// Up to 9.2 the last segment of each 4 GB is not used.
    fn skipped(&self, at: u64) -> u64 {
        let unused = (u64::from(u32::MAX) / self.segment_size()) * self.segment_size();
        if self.old() && at & 0xFFFF_FFFF >= unused {
            ((at >> 32) + 1) << 32
        } else {
            at
        }
    }

    pub fn segno(&self, at: u64) -> u64 {
        if self.old() {
            let per_log = u64::from(u32::MAX) / self.segment_size();
            (at >> 32) * per_log + (at & 0xFFFF_FFFF) / self.segment_size()
        } else {
            at / self.segment_size()
        }
    }

    /// The bytes from a position to the end of its segment.
    pub fn bytes_at(&mut self, at: u64) -> &mut [u8] {
        let key = (self.tli, self.segno(at));
        let size = self.layout.wal_segsz as usize;
        let offset = (at % self.segment_size()) as usize;
        let segment = self
            .segments
            .files
            .entry(key)
            .or_insert_with(|| vec![0; size]);
        &mut segment[offset..]
    }

    fn put(&mut self, bytes: &[u8]) {
        let at = self.at;
        self.bytes_at(at)[..bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len() as u64;
    }

    fn lsn_bytes(&self, lsn: u64) -> [u8; 8] {
        if self.old() {
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&((lsn >> 32) as u32).to_le_bytes());
            bytes[4..].copy_from_slice(&(lsn as u32).to_le_bytes());
            bytes
        } else {
            lsn.to_le_bytes()
        }
    }

    fn begin_page(&mut self, remaining: Option<u32>) {
        self.at = self.skipped(self.at);
        let long = self.at.is_multiple_of(self.segment_size());
        let mut info = u16::from(remaining.is_some()) | u16::from(long) << 1;
        if std::mem::take(&mut self.overwrites) {
            info |= if self.layout.since(Major::V19) { 4 } else { 8 };
        }
        let mut header = Vec::new();
        header.extend(self.version().wal_magics[0].to_le_bytes());
        header.extend(info.to_le_bytes());
        header.extend(self.tli.to_le_bytes());
        header.extend(self.lsn_bytes(self.at));
        if !self.old() {
            header.extend(remaining.unwrap_or(0).to_le_bytes());
            header.extend([0; 4]);
        }
        if long {
            header.extend(SYSTEM_IDENTIFIER.to_le_bytes());
            header.extend(self.layout.wal_segsz.to_le_bytes());
            header.extend(self.layout.xlog_blcksz.to_le_bytes());
        }
        if self.old()
            && let Some(remaining) = remaining
        {
            header.extend(remaining.to_le_bytes());
        }
        self.put(&header);
    }

    pub fn header_size(&self) -> usize {
        if self.layout.since(Major::V9_5) {
            24
        } else {
            32
        }
    }

    /// A whole record with its CRC. `payload` is all behind the header, of which `main_len`
    /// bytes are main data.
    pub fn record(&self, rmid: u8, info: u8, xid: u32, main_len: usize, payload: &[u8]) -> Vec<u8> {
        let version = self.version();
        let size = self.header_size();
        let total = ((size + payload.len()) as u32).to_le_bytes();
        let prev = self.lsn_bytes(self.prev);
        let main_len = (main_len as u32).to_le_bytes();
        let mut bytes = vec![0; size];
        let mut field =
            |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        let (crc_at, covered) = if version.since(Major::V9_5) {
            field(0, &total);
            field(4, &xid.to_le_bytes());
            field(8, &prev);
            field(16, &[info, rmid]);
            (20, 0..20)
        } else if version.since(Major::V9_3) {
            field(0, &total);
            field(4, &xid.to_le_bytes());
            field(8, &main_len);
            field(12, &[info, rmid]);
            field(16, &prev);
            (24, 0..24)
        } else {
            field(4, &prev);
            field(12, &xid.to_le_bytes());
            field(16, &total);
            field(20, &main_len);
            field(24, &[info, rmid]);
            (0, 4..32)
        };
        let crc = Crc::of(version).update([payload, &bytes[covered]]);
        bytes[crc_at..crc_at + 4].copy_from_slice(&crc.value().to_le_bytes());
        bytes.extend(payload);
        bytes
    }

    /// Main data as the version puts it into a record.
    pub fn framed(&self, main: &[u8]) -> Vec<u8> {
        let mut payload = Vec::new();
        if self.layout.since(Major::V9_5) {
            match u8::try_from(main.len()) {
                Ok(0) => {}
                Ok(len) => payload.extend([255, len]),
                Err(_) => {
                    payload.push(254);
                    payload.extend((main.len() as u32).to_le_bytes());
                }
            }
        }
        payload.extend(main);
        payload
    }

    /// Moves on to where a record can start, and begins the page there.
    pub fn seek(&mut self) -> u64 {
        let room = self.page() - self.at % self.page();
        if self.old() && room < 32 {
            self.at += room;
        }
        if self.segments.files.is_empty() {
            // The first record of all may go into the middle of a segment.
            let (start, segment) = (self.at, self.at - self.at % self.segment_size());
            for at in (segment..start).step_by(self.page() as usize) {
                self.at = at;
                self.begin_page(None);
            }
            self.at = start;
        }
        if self.at.is_multiple_of(self.page()) {
            self.begin_page(None);
        }
        self.at
    }

    /// Writes bytes as a record is written, up to the end of the given number of pages; false
    /// when that is not all of them.
    pub fn write(&mut self, mut bytes: &[u8], pages: usize) -> bool {
        let mut left = pages;
        loop {
            let room = (self.page() - self.at % self.page()) as usize;
            let len = bytes.len().min(room);
            self.put(&bytes[..len]);
            bytes = &bytes[len..];
            left -= 1;
            if bytes.is_empty() {
                self.at = self.at.next_multiple_of(8);
                return true;
            }
            if left == 0 {
                return false;
            }
            self.begin_page(Some(bytes.len() as u32));
        }
    }

    /// Appends a record with main data alone.
    pub fn insert(&mut self, rmid: u8, info: u8, xid: u32, main: &[u8]) -> Seen {
        let payload = self.framed(main);
        self.insert_raw(rmid, info, xid, main.len(), &payload)
    }

    pub fn insert_raw(
        &mut self,
        rmid: u8,
        info: u8,
        xid: u32,
        main_len: usize,
        payload: &[u8],
    ) -> Seen {
        let lsn = self.seek();
        let bytes = self.record(rmid, info, xid, main_len, payload);
        self.write(&bytes, usize::MAX);
        if rmid == 0 && info == 0x40 {
            self.at = self.at.next_multiple_of(self.segment_size());
        }
        let seen = Seen {
            lsn: XLogRecPtr(lsn),
            end: XLogRecPtr(self.at),
            prev: XLogRecPtr(self.prev),
            rmid,
            info,
            xid,
            bytes,
        };
        self.prev = lsn;
        self.records.push(seen.clone());
        seen
    }

    /// Goes on on another timeline, in a copy of the segment, as after a promotion.
    pub fn switch_timeline(&mut self, tli: TimeLineID) {
        let at = self.seek();
        let segno = self.segno(at);
        let bytes = self.segments.files[&(self.tli, segno)].clone();
        self.segments.files.insert((tli, segno), bytes);
        self.tli = tli;
    }

    /// `XLOG_SWITCH`: the rest of the segment stays zero.
    pub fn switch(&mut self) -> Seen {
        self.insert_raw(0, 0x40, 0, 0, &[])
    }

    /// A record of which only the first `pages` pages were written before a crash; then what
    /// recovery writes: a page that says so, and `XLOG_OVERWRITE_CONTRECORD` (9.6 and later).
    /// Nothing happens when the record fits into those pages.
    pub fn insert_torn(&mut self, main: &[u8], pages: usize) -> Option<Seen> {
        let lsn = self.seek();
        let payload = self.framed(main);
        let bytes = self.record(10, 0, 3, main.len(), &payload);
        let before = (self.at, self.segments.clone());
        if self.write(&bytes, pages) {
            (self.at, self.segments) = before;
            return None;
        }
        self.overwrites = true;
        let mut data = lsn.to_le_bytes().to_vec();
        data.extend([0; 8]);
        Some(self.insert(0, 0xD0, 0, &data))
    }
}

/// The version a byte of a fuzz input stands for.
pub fn version_of(byte: u8) -> &'static Version {
    &VERSIONS[usize::from(byte) % VERSIONS.len()]
}
