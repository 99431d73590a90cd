//! Reads WAL records one after another exactly as far as the server would.
//!
//! Each check stands where the server makes it, so that the reason for stopping is the
//! server's own. Sources: `xlogreader.c: XLogReadRecord, XLogDecodeNextRecord,
//! ValidXLogRecordHeader, ValidXLogRecord, XLogReaderValidatePageHeader` (9.3 and later);
//! `xlog.c: ReadRecord, ValidXLOGHeader, RecordIsValid, XLogPageRead` (up to 9.2);
//! `xlogrecovery.c: XLogFileReadAnyTLI, ReadRecord` (15 and later).

use super::stop::{PagePlace, Stop, StopCause};
use super::timeline::Timelines;
use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::version::{Layout, Major, Version};
use crate::format::wal::record::{Decoder, Record, RecordHeader, crc_of};
use crate::format::wal::xlog::is_switch;
use crate::format::wal::{WalGeometry, WalPageHeader, rmgr};
use std::io;

/// Bytes of a segment held in memory at a time.
const WINDOW: usize = 128 << 10;

/// One WAL segment file.
pub trait SegmentFile {
    /// Reads until `buf` is full or the file ends.
    ///
    /// # Errors
    /// Those of the operating system.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// Where segments are found.
pub trait WalSource: Sync {
    /// The file of a segment on one timeline, or `None` when there is none.
    fn open(&self, tli: TimeLineID, segno: XLogSegNo) -> Option<Box<dyn SegmentFile + '_>>;
}

/// What the reader must know of the cluster.
#[derive(Clone, Debug)]
pub struct WalContext {
    /// Version and sizes.
    pub layout: Layout,
    /// The cluster's system identifier; `None` accepts any.
    pub system_identifier: Option<u64>,
    /// The timelines that recovery follows.
    pub timelines: Timelines,
}

/// Between two records: all that reading on depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// Where the next record starts; may be a page boundary.
    pub next: XLogRecPtr,
    /// Start of the last record read, if one was (`ReadRecPtr`).
    pub last: Option<XLogRecPtr>,
    /// The newest page seen (`latestPagePtr`); those before it are not held against it.
    pub latest_page: XLogRecPtr,
    /// Its timeline (`latestPageTLI`).
    pub latest_page_tli: TimeLineID,
    /// Timeline of the segment file in use; older files are not gone back to.
    pub file_tli: TimeLineID,
}

impl Position {
    /// At the start of a record that is known from elsewhere.
    #[must_use]
    pub fn at(lsn: XLogRecPtr) -> Self {
        Self {
            next: lsn,
            last: None,
            latest_page: XLogRecPtr::INVALID,
            latest_page_tli: 0,
            file_tli: 0,
        }
    }
}

struct OpenSegment<'s> {
    segno: XLogSegNo,
    file: Box<dyn SegmentFile + 's>,
}

/// The pages, each checked when it is first used.
struct Pages<'s> {
    context: &'s WalContext,
    geometry: WalGeometry,
    source: &'s dyn WalSource,
    segment: Option<OpenSegment<'s>>,
    file_tli: TimeLineID,
    window: Vec<u8>,
    window_at: u64,
    window_len: usize,
    checked: Option<XLogRecPtr>,
    /// Of the page last checked.
    header: WalPageHeader,
    latest_page: XLogRecPtr,
    latest_page_tli: TimeLineID,
    /// The timeline last found among those that are followed.
    known_tli: Option<TimeLineID>,
    /// Whether a segment is refused for its first page whatever page is wanted.
    first_page_counts: bool,
}

impl<'s> Pages<'s> {
    /// A page of the file in use.
    fn place(&self, page: XLogRecPtr) -> PagePlace {
        let segno = self.geometry.segment_of(page);
        PagePlace {
            segment: self.geometry.name(self.file_tli, segno),
            lsn: page,
            offset: self.geometry.segment_offset(page),
        }
    }

    fn missing(&self, tli: TimeLineID, segno: XLogSegNo) -> StopCause {
        StopCause::MissingSegment {
            segment: self.geometry.name(tli, segno),
        }
    }

    /// Opens the file that the server would take for a segment: the newest timeline's, but
    /// never an older one than that of the file in use.
    fn open(&mut self, segno: XLogSegNo) -> Result<(), StopCause> {
        let candidates = self
            .context
            .timelines
            .for_segment(segno, self.file_tli, &self.geometry);
        for &tli in &candidates {
            if let Some(file) = self.source.open(tli, segno) {
                self.segment = Some(OpenSegment { segno, file });
                self.file_tli = tli;
                self.window_len = 0;
                return Ok(());
            }
        }
        self.segment = None;
        let tli = candidates
            .first()
            .copied()
            .unwrap_or(self.context.timelines.target());
        Err(self.missing(tli, segno))
    }

    /// Makes a page available and checks its header, once; it is `self.header` then.
    #[inline]
    fn load(&mut self, page: XLogRecPtr) -> Result<(), StopCause> {
        if self.checked == Some(page) {
            return Ok(());
        }
        self.load_new(page)
    }

    fn load_new(&mut self, page: XLogRecPtr) -> Result<(), StopCause> {
        self.checked = None;
        let segno = self.geometry.segment_of(page);
        if self.segment.as_ref().is_none_or(|s| s.segno != segno) {
            self.open(segno)?;
            // The first page of a segment is checked whatever page is wanted.
            let start = self.geometry.segment_start(segno);
            if start != page && self.first_page_counts {
                self.fill(start)?;
                self.check(start)?;
            }
        }
        self.fill(page)?;
        self.header = self.check(page)?;
        self.checked = Some(page);
        Ok(())
    }

    fn fill(&mut self, page: XLogRecPtr) -> Result<(), StopCause> {
        let offset = self.geometry.segment_offset(page);
        let size = self.page_size();
        let inside = offset >= self.window_at
            && offset + size as u64 <= self.window_at + self.window_len as u64;
        if inside {
            return Ok(());
        }
        let Some(segment) = self.segment.as_ref() else {
            return Err(self.missing(self.file_tli, self.geometry.segment_of(page)));
        };
        // Of a segment only looked into, for its first page or the end of a record, no more
        // is read than that.
        let behind = self.window_at + self.window_len as u64;
        let wanted = if self.window_len > 0 && offset == behind {
            let left = self.geometry.segment_size - offset;
            WINDOW
                .max(size)
                .min(usize::try_from(left).unwrap_or(WINDOW))
        } else {
            size
        };
        self.window.resize(wanted, 0);
        let got = segment.file.read_at(&mut self.window, offset).unwrap_or(0);
        self.window_at = offset;
        self.window_len = got;
        if got < size {
            self.window_len = 0;
            return Err(StopCause::ShortRead {
                place: self.place(page),
                got,
                wanted: size,
            });
        }
        Ok(())
    }

    fn page_size(&self) -> usize {
        self.geometry.page_size as usize
    }

    #[inline]
    fn in_window(&self, page: XLogRecPtr) -> usize {
        (self.geometry.segment_offset(page) - self.window_at) as usize
    }

    #[inline]
    fn bytes(&self, page: XLogRecPtr) -> &[u8] {
        let start = self.in_window(page);
        &self.window[start..start + self.page_size()]
    }

    /// From 9.3 the timeline is looked at when the record is complete
    /// (`xlogrecovery.c: ReadRecord`).
    #[inline]
    fn check_timeline(&mut self) -> Result<(), StopCause> {
        if self.known_tli == Some(self.latest_page_tli) {
            return Ok(());
        }
        self.check_new_timeline()
    }

    fn check_new_timeline(&mut self) -> Result<(), StopCause> {
        let found = self.latest_page_tli;
        if !self.context.layout.since(Major::V9_3) || self.context.timelines.contains(found) {
            self.known_tli = Some(found);
            return Ok(());
        }
        Err(StopCause::UnexpectedTimeline {
            found,
            place: self.place(self.latest_page),
        })
    }

    fn check(&mut self, page: XLogRecPtr) -> Result<WalPageHeader, StopCause> {
        let version = self.context.layout.version;
        let place = || self.place(page);
        let Ok(header) = WalPageHeader::parse(version, self.bytes(page)) else {
            return Err(StopCause::ShortRead {
                place: place(),
                got: 0,
                wanted: self.page_size(),
            });
        };
        if !version.wal_magics.contains(&header.xlp_magic) {
            return Err(StopCause::Magic {
                found: header.xlp_magic,
                place: place(),
            });
        }
        if header.unknown_info(version) != 0 {
            return Err(StopCause::InfoBits {
                found: header.xlp_info,
                place: place(),
            });
        }
        if let Some(long) = header.long {
            if let Some(expected) = self.context.system_identifier
                && long.xlp_sysid != expected
            {
                let found = long.xlp_sysid;
                return Err(StopCause::SystemIdentifier { found, expected });
            }
            if u64::from(long.xlp_seg_size) != self.geometry.segment_size {
                return Err(StopCause::SegmentSize);
            }
            if u64::from(long.xlp_xlog_blcksz) != self.geometry.page_size {
                return Err(StopCause::BlockSize);
            }
        } else if self.geometry.segment_offset(page) == 0 {
            return Err(StopCause::InfoBits {
                found: header.xlp_info,
                place: place(),
            });
        }
        if header.xlp_pageaddr != page {
            return Err(StopCause::PageAddress {
                found: header.xlp_pageaddr,
                place: place(),
            });
        }
        let found = header.xlp_tli;
        if !version.since(Major::V9_3) && !self.context.timelines.contains(found) {
            return Err(StopCause::UnexpectedTimeline {
                found,
                place: place(),
            });
        }
        if page > self.latest_page && found < self.latest_page_tli {
            let after = self.latest_page_tli;
            return Err(StopCause::TimelineOutOfSequence {
                found,
                after,
                place: place(),
            });
        }
        // The first page of a segment is looked at again when reading goes on behind it.
        if page >= self.latest_page {
            self.latest_page = page;
            self.latest_page_tli = found;
        }
        Ok(header)
    }
}

/// Where the bytes of the record just read are.
enum Bytes {
    /// On one page: from here to there in the window.
    OnPage(usize, usize),
    /// Put together from several pages.
    Assembled,
}

/// Reads records in order.
pub struct WalReader<'s> {
    pages: Pages<'s>,
    assembled: Vec<u8>,
    decoder: Decoder,
    /// Of the record last found.
    header: RecordHeader,
    bytes: Bytes,
    next: XLogRecPtr,
    last: Option<XLogRecPtr>,
    /// The record whose rest was given up for lost, to be confirmed by the next one.
    overwritten: Option<XLogRecPtr>,
    in_contrecord: bool,
}

impl<'s> WalReader<'s> {
    /// A reader that goes on from `position`.
    pub fn new(context: &'s WalContext, source: &'s dyn WalSource, position: Position) -> Self {
        let geometry = WalGeometry::of(&context.layout);
        Self {
            pages: Pages {
                context,
                geometry,
                source,
                segment: None,
                file_tli: position.file_tli,
                window: Vec::new(),
                window_at: 0,
                window_len: 0,
                checked: None,
                header: WalPageHeader::default(),
                latest_page: position.latest_page,
                latest_page_tli: position.latest_page_tli,
                known_tli: None,
                first_page_counts: true,
            },
            assembled: Vec::new(),
            decoder: Decoder::default(),
            header: RecordHeader::default(),
            bytes: Bytes::Assembled,
            next: position.next,
            last: position.last,
            overwritten: None,
            in_contrecord: false,
        }
    }

    /// Reads segments on whose first page is damaged, too, which the server does not.
    pub fn ignore_first_pages(&mut self) {
        self.pages.first_page_counts = false;
    }

    /// Checks the first page of a segment, as the server does when it opens one.
    ///
    /// # Errors
    /// When there is no such segment, or the page is not what it should be.
    pub fn check_segment(&mut self, segno: XLogSegNo) -> Result<(), StopCause> {
        self.pages.load(self.pages.geometry.segment_start(segno))
    }

    /// Goes on from another position, as a new reader would.
    pub fn seek(&mut self, position: Position) {
        let pages = &mut self.pages;
        if pages.file_tli != position.file_tli {
            pages.segment = None;
        }
        pages.file_tli = position.file_tli;
        pages.latest_page = position.latest_page;
        pages.latest_page_tli = position.latest_page_tli;
        pages.checked = None;
        pages.known_tli = None;
        self.next = position.next;
        self.last = position.last;
    }

    /// Where the next record is looked for; may be a page boundary.
    #[inline]
    #[must_use]
    pub fn next(&self) -> XLogRecPtr {
        self.next
    }

    /// Where the reader stands.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            next: self.next,
            last: self.last,
            latest_page: self.pages.latest_page,
            latest_page_tli: self.pages.latest_page_tli,
            file_tli: self.pages.file_tli,
        }
    }

    /// The record given up because recovery once restarted behind it
    /// (`overwrittenRecPtr`), when the last record read was the first after it.
    #[must_use]
    pub fn overwritten(&self) -> Option<XLogRecPtr> {
        self.overwritten
    }

    /// Reads the next record.
    ///
    /// # Errors
    /// [`Stop`] where the server would end recovery.
    #[inline(always)]
    pub fn read(&mut self) -> Result<Record<'_, '_>, Stop> {
        self.advance()?;
        let lsn = self.last.unwrap_or_default();
        let record = self
            .decoder
            .record(lsn, self.next, self.header, self.record_bytes());
        Ok(record)
    }

    /// Finds, checks and takes apart the next record. Apart from [`Self::read`], which is
    /// inlined where records are used: a record is never copied on its way there.
    fn advance(&mut self) -> Result<(), Stop> {
        self.in_contrecord = false;
        self.overwritten = None;
        let mut lsn = self.next;
        match self.locate(&mut lsn).and_then(|end| {
            self.verify()?;
            Ok(end)
        }) {
            Ok(end) => {
                self.last = Some(lsn);
                self.next = end;
                Ok(())
            }
            Err(cause) => Err(Stop {
                lsn,
                last: self.last,
                cause,
                in_contrecord: self.in_contrecord,
            }),
        }
    }

    #[inline]
    fn record_bytes(&self) -> &[u8] {
        match self.bytes {
            Bytes::OnPage(start, end) => &self.pages.window[start..end],
            Bytes::Assembled => &self.assembled,
        }
    }

    /// `ValidXLogRecord`, up to 9.2 `RecordIsValid`: the blocks come before the CRC up to
    /// 9.4, and after it from 9.5 on.
    fn verify(&mut self) -> Result<(), StopCause> {
        let layout = self.pages.context.layout;
        let bytes = match self.bytes {
            Bytes::OnPage(start, end) => &self.pages.window[start..end],
            Bytes::Assembled => &self.assembled,
        };
        let crc_fits = crc_of(layout.version, bytes) == self.header.xl_crc;
        if !crc_fits && layout.since(Major::V9_5) {
            return Err(StopCause::Crc);
        }
        self.decoder
            .take_apart(layout, &self.header, bytes)
            .map_err(StopCause::Decode)?;
        if !crc_fits {
            return Err(StopCause::Crc);
        }
        self.pages.check_timeline()
    }

    /// Finds the next record and checks its header; `lsn` becomes its start. Gives its end.
    fn locate(&mut self, lsn: &mut XLogRecPtr) -> Result<XLogRecPtr, StopCause> {
        let layout = self.pages.context.layout;
        let version = layout.version;
        let geometry = self.pages.geometry;
        let header_size = RecordHeader::size(version) as u64;
        let page_size = geometry.page_size;
        let mut at = self.next;
        // Up to 9.2 a record's header never straddles two pages.
        if !version.since(Major::V9_3) && page_size - geometry.page_offset(at) < header_size {
            at = geometry.next_page(at);
        }
        'restart: loop {
            at = geometry.skip_unused(at);
            *lsn = at;
            let mut page = geometry.page_start(at);
            self.pages.load(page)?;
            let page_header_size = u64::from(self.pages.header.size);
            let mut offset = geometry.page_offset(at);
            if offset == 0 {
                offset = page_header_size;
                at = forward(at, offset);
                *lsn = at;
            } else if offset < page_header_size {
                return Err(StopCause::RecordOffset {
                    expected: page_header_size,
                    found: offset,
                });
            }
            if self.pages.header.first_is_contrecord() && offset == page_header_size {
                return Err(StopCause::ContrecordRequested);
            }
            let start = offset as usize;
            let on_page = (page_size - offset) as usize;
            let mut header_known = offset + header_size <= page_size;
            let total = if header_known {
                self.header = self.header_at(page, start)?;
                self.check_header(at)?;
                self.header.xl_tot_len
            } else {
                // Records are 8-aligned, so xl_tot_len itself is always on the page.
                let total = first_u32(&self.pages.bytes(page)[start..]);
                if total < header_size as u32 {
                    return Err(StopCause::Length {
                        expected: header_size as u32,
                        found: total,
                    });
                }
                total
            };
            if header_known && total as usize <= on_page {
                let len = total as usize;
                let mut end = forward(at, align8(u64::from(total)));
                if is_switch(version, &self.header) {
                    end = segment_end(&geometry, end);
                }
                let in_window = self.pages.in_window(page) + start;
                self.bytes = Bytes::OnPage(in_window, in_window + len);
                return Ok(end);
            }
            self.in_contrecord = true;
            self.assembled.clear();
            self.assembled
                .extend_from_slice(&self.pages.bytes(page)[start..]);
            loop {
                page = geometry.next_page(page);
                self.pages.load(page)?;
                let page_header = self.pages.header;
                if page_header.first_is_overwrite_contrecord(version) {
                    self.overwritten = Some(*lsn);
                    self.in_contrecord = false;
                    at = page;
                    continue 'restart;
                }
                if !page_header.first_is_contrecord() {
                    let place = self.pages.place(page);
                    return Err(StopCause::NoContrecordFlag { place });
                }
                let (rem_len, data_at) =
                    continuation(version, &page_header, self.pages.bytes(page));
                let missing = i64::from(total) - self.assembled.len() as i64;
                if rem_len == 0 || i64::from(rem_len) != missing {
                    let place = self.pages.place(page);
                    return Err(StopCause::ContrecordLength {
                        found: rem_len,
                        expected: missing,
                        place,
                    });
                }
                let data = &self.pages.bytes(page)[data_at..];
                let len = data.len().min(rem_len as usize);
                self.assembled.extend_from_slice(&data[..len]);
                if !header_known {
                    let Ok(parsed) = RecordHeader::parse(version, &self.assembled) else {
                        return Err(StopCause::Length {
                            expected: header_size as u32,
                            found: total,
                        });
                    };
                    self.header = parsed;
                    self.check_header(at)?;
                    header_known = true;
                }
                if self.assembled.len() as u64 >= u64::from(total) {
                    let continued =
                        (data_at as u64 - u64::from(page_header.size)) + u64::from(rem_len);
                    let mut end = forward(page, u64::from(page_header.size) + align8(continued));
                    if is_switch(version, &self.header) {
                        end = segment_end(&geometry, end);
                    }
                    self.in_contrecord = false;
                    self.bytes = Bytes::Assembled;
                    return Ok(end);
                }
            }
        }
    }

    #[inline]
    fn header_at(&self, page: XLogRecPtr, start: usize) -> Result<RecordHeader, StopCause> {
        let version = self.pages.context.layout.version;
        RecordHeader::parse(version, &self.pages.bytes(page)[start..]).map_err(|_| {
            StopCause::Length {
                expected: RecordHeader::size(version) as u32,
                found: 0,
            }
        })
    }

    /// `xlogreader.c: ValidXLogRecordHeader`.
    fn check_header(&self, at: XLogRecPtr) -> Result<(), StopCause> {
        let header = &self.header;
        let version = self.pages.context.layout.version;
        let size = RecordHeader::size(version) as u32;
        let length = StopCause::Length {
            expected: size,
            found: header.xl_tot_len,
        };
        if version.since(Major::V9_5) {
            if header.xl_tot_len < size {
                return Err(length);
            }
        } else {
            if is_switch(version, header) {
                if header.xl_len != 0 {
                    return Err(StopCause::SwitchLength);
                }
            } else if header.xl_len == 0 {
                return Err(StopCause::ZeroLength);
            }
            let blocks: u64 = if version.since(Major::V9_2) { 4 } else { 3 };
            let least = u64::from(size) + u64::from(header.xl_len);
            let most = least + blocks * (24 + u64::from(self.pages.context.layout.blcksz));
            if !(least..=most).contains(&u64::from(header.xl_tot_len)) {
                return Err(length);
            }
        }
        if !rmgr::is_valid(version, header.xl_rmid) {
            return Err(StopCause::ResourceManager(header.xl_rmid));
        }
        let linked = match self.last {
            Some(last) => header.xl_prev == last,
            None => header.xl_prev < at,
        };
        if linked {
            Ok(())
        } else {
            Err(StopCause::PrevLink(header.xl_prev))
        }
    }

    /// The first record that starts in a segment, told by its first page alone
    /// (`xlogreader.c: XLogFindNextRecord`); `None` when it holds only the middle of one.
    ///
    /// # Errors
    /// When a page on the way is not what it should be.
    pub fn find_first_in_segment(
        &mut self,
        segno: XLogSegNo,
    ) -> Result<Option<XLogRecPtr>, StopCause> {
        self.find_first_from_page(self.pages.geometry.segment_start(segno))
    }

    /// The first record that starts on a page or a later one of its segment.
    ///
    /// # Errors
    /// When a page on the way is not what it should be.
    pub fn find_first_from_page(
        &mut self,
        mut page: XLogRecPtr,
    ) -> Result<Option<XLogRecPtr>, StopCause> {
        self.find_first_on_pages(&mut page)
    }

    /// The same; `page` becomes the last one looked at, so that the search can go on behind
    /// it without looking at any page twice.
    ///
    /// # Errors
    /// When that page is not what it should be.
    pub fn find_first_on_pages(
        &mut self,
        at: &mut XLogRecPtr,
    ) -> Result<Option<XLogRecPtr>, StopCause> {
        let version = self.pages.context.layout.version;
        let geometry = self.pages.geometry;
        let mut page = *at;
        let segno = geometry.segment_of(page);
        while geometry.segment_of(page) == segno {
            *at = page;
            self.pages.load(page)?;
            let header = self.pages.header;
            let header_size = u64::from(header.size);
            if !header.first_is_contrecord() {
                return Ok(Some(forward(page, header_size)));
            }
            let (rem_len, data_at) = continuation(version, &header, self.pages.bytes(page));
            let data_end = align8(data_at as u64 - header_size + u64::from(rem_len));
            let end = header_size + data_end;
            let room = if version.since(Major::V9_3) {
                1
            } else {
                RecordHeader::size(version) as u64
            };
            if end + room <= geometry.page_size {
                return Ok(Some(forward(page, end)));
            }
            // The record ends at the very end of this page, or beyond it.
            page = geometry.next_page(page);
        }
        Ok(None)
    }
}

/// How many bytes of a split record are still to come on a page, and where they begin.
fn continuation(version: &Version, header: &WalPageHeader, page: &[u8]) -> (u32, usize) {
    let size = header.size as usize;
    if version.since(Major::V9_3) {
        (header.xlp_rem_len, size)
    } else {
        (first_u32(&page[size..]), size + 4)
    }
}

fn first_u32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

/// A garbage position near the end of the number space must not overflow.
fn forward(lsn: XLogRecPtr, bytes: u64) -> XLogRecPtr {
    XLogRecPtr(lsn.0.saturating_add(bytes))
}

fn align8(n: u64) -> u64 {
    n.next_multiple_of(8)
}

/// A switch record uses up the rest of its segment.
fn segment_end(geometry: &WalGeometry, end: XLogRecPtr) -> XLogRecPtr {
    match geometry.segment_offset(end) {
        0 => end,
        offset => forward(end, geometry.segment_size - offset),
    }
}
