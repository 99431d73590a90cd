//! Why the server stops reading WAL, in its own words.
//!
//! In crash recovery every one of these is "end of WAL" to the server: it logs the message
//! at LOG and goes on. Sources: `xlogreader.c` (9.3 and later), `xlog.c: ReadRecord,
//! ValidXLOGHeader, RecordIsValid` (up to 9.2), `xlogrecovery.c: ReadRecord` (15 and later).

use crate::format::names::WalSegmentName;
use crate::format::types::{TimeLineID, XLogRecPtr};
use crate::format::version::{Major, Version};
use crate::format::wal::lsn_text;
use crate::format::wal::record::DecodeError;

/// The place on a WAL page that a message names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PagePlace {
    /// The segment file.
    pub segment: WalSegmentName,
    /// The page.
    pub lsn: XLogRecPtr,
    /// Its byte offset in the segment.
    pub offset: u64,
}

/// What was wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StopCause {
    /// No file holds the segment; the server says nothing above DEBUG2.
    MissingSegment {
        /// Name it would have on the newest timeline that could hold it.
        segment: WalSegmentName,
    },
    /// The segment file ends early or cannot be read.
    ShortRead {
        /// Where.
        place: PagePlace,
        /// Bytes there were.
        got: usize,
        /// Bytes wanted.
        wanted: usize,
    },
    /// `xlp_magic` is another version's, or none.
    Magic {
        /// Found.
        found: u16,
        /// Where.
        place: PagePlace,
    },
    /// Unknown flags, or a segment that does not begin with a long header.
    InfoBits {
        /// Found.
        found: u16,
        /// Where.
        place: PagePlace,
    },
    /// The segment belongs to another cluster.
    SystemIdentifier {
        /// In the WAL.
        found: u64,
        /// In `pg_control`.
        expected: u64,
    },
    /// `xlp_seg_size` differs.
    SegmentSize,
    /// `xlp_xlog_blcksz` differs.
    BlockSize,
    /// The page says it belongs elsewhere: the usual sign of a recycled segment.
    PageAddress {
        /// Found.
        found: XLogRecPtr,
        /// Where.
        place: PagePlace,
    },
    /// The page's timeline is no ancestor of the one being recovered.
    UnexpectedTimeline {
        /// Found.
        found: TimeLineID,
        /// Where.
        place: PagePlace,
    },
    /// The page's timeline is older than that of a page before it.
    TimelineOutOfSequence {
        /// Found.
        found: TimeLineID,
        /// Of the earlier page.
        after: TimeLineID,
        /// Where.
        place: PagePlace,
    },
    /// The position lies inside a page header.
    RecordOffset {
        /// Smallest legal offset in the page.
        expected: u64,
        /// Found.
        found: u64,
    },
    /// The position holds the rest of an earlier record.
    ContrecordRequested,
    /// `XLOG_SWITCH` with data, up to 9.4.
    SwitchLength,
    /// `xl_len` is 0, up to 9.4: the usual end of WAL.
    ZeroLength,
    /// `xl_tot_len` is too small (the usual end of WAL from 9.5) or impossible.
    Length {
        /// The smallest a record can be.
        expected: u32,
        /// Found.
        found: u32,
    },
    /// No such resource manager.
    ResourceManager(u8),
    /// `xl_prev` does not name the record before.
    PrevLink(XLogRecPtr),
    /// The record should go on here, but the page does not say so.
    NoContrecordFlag {
        /// The page.
        place: PagePlace,
    },
    /// The record goes on here with another length than it should.
    ContrecordLength {
        /// Found.
        found: u32,
        /// What is still missing of the record.
        expected: i64,
        /// The page.
        place: PagePlace,
    },
    /// The blocks of the record do not add up.
    Decode(DecodeError),
    /// The record's CRC is wrong.
    Crc,
}

/// Where and why reading stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    /// The record that could not be read (past its page's header when it starts a page).
    pub lsn: XLogRecPtr,
    /// Start of the last record that was read, if one was (`ReadRecPtr`).
    pub last: Option<XLogRecPtr>,
    /// What was wrong.
    pub cause: StopCause,
    /// The record began but could not be put together from its pages.
    pub in_contrecord: bool,
}

impl Stop {
    /// The line the server logs; `None` for a missing segment, about which it is silent.
    #[must_use]
    pub fn message(&self, version: &Version) -> Option<String> {
        let at = lsn_text(version, self.lsn);
        let since = |major| version.since(major);
        let page = |place: &PagePlace| {
            let (segment, offset) = (place.segment, place.offset);
            if since(Major::V16) {
                let lsn = lsn_text(version, place.lsn);
                format!("WAL segment {segment}, LSN {lsn}, offset {offset}")
            } else if since(Major::V9_3) {
                format!("log segment {segment}, offset {offset}")
            } else {
                let (log, seg) = (segment.log, segment.seg);
                format!("log file {log}, segment {seg}, offset {offset}")
            }
        };
        let in_page = |place: &PagePlace| format!("in {}", page(place));
        // Up to 9.2 the reason was a separate DETAIL; up to 9.4 it was a sentence.
        let other_system = |reason: &str| match version.major {
            m if m >= Major::V9_5 => {
                format!("WAL file is from different database system: {reason}")
            }
            m if m >= Major::V9_3 => {
                format!(
                    "WAL file is from different database system: {}.",
                    reason.replacen("incorrect", "Incorrect", 1)
                )
            }
            _ => "WAL file is from different database system".to_owned(),
        };
        Some(match &self.cause {
            StopCause::MissingSegment { .. } => return None,
            StopCause::ShortRead { place, got, wanted } => {
                let what = format!("could not read from {}", page(place));
                if since(Major::V12) {
                    format!("{what}: read {got} of {wanted}")
                } else {
                    format!("{what}: Success")
                }
            }
            StopCause::Magic { found, place } => {
                format!("invalid magic number {found:04X} {}", in_page(place))
            }
            StopCause::InfoBits { found, place } => {
                format!("invalid info bits {found:04X} {}", in_page(place))
            }
            StopCause::SystemIdentifier { found, expected } => other_system(&format!(
                "WAL file database system identifier is {found}, pg_control database system \
                 identifier is {expected}"
            )),
            StopCause::SegmentSize if since(Major::V11) => {
                other_system("incorrect segment size in page header")
            }
            StopCause::SegmentSize => other_system("incorrect XLOG_SEG_SIZE in page header"),
            StopCause::BlockSize => other_system("incorrect XLOG_BLCKSZ in page header"),
            StopCause::PageAddress { found, place } => {
                format!(
                    "unexpected pageaddr {} {}",
                    lsn_text(version, *found),
                    in_page(place)
                )
            }
            StopCause::UnexpectedTimeline { found, place } => {
                format!("unexpected timeline ID {found} {}", in_page(place))
            }
            StopCause::TimelineOutOfSequence {
                found,
                after,
                place,
            } => {
                format!(
                    "out-of-sequence timeline ID {found} (after {after}) {}",
                    in_page(place)
                )
            }
            StopCause::RecordOffset { expected, found } if since(Major::V16) => {
                format!("invalid record offset at {at}: expected at least {expected}, got {found}")
            }
            StopCause::RecordOffset { .. } => format!("invalid record offset at {at}"),
            StopCause::ContrecordRequested => format!("contrecord is requested by {at}"),
            StopCause::SwitchLength => format!("invalid xlog switch record at {at}"),
            StopCause::ZeroLength => format!("record with zero length at {at}"),
            StopCause::Length { expected, found } => match version.major {
                m if m >= Major::V16 => format!(
                    "invalid record length at {at}: expected at least {expected}, got {found}"
                ),
                m if m >= Major::V9_6 => {
                    format!("invalid record length at {at}: wanted {expected}, got {found}")
                }
                _ => format!("invalid record length at {at}"),
            },
            StopCause::ResourceManager(id) => {
                format!("invalid resource manager ID {id} at {at}")
            }
            StopCause::PrevLink(prev) => format!(
                "record with incorrect prev-link {} at {at}",
                lsn_text(version, *prev)
            ),
            StopCause::NoContrecordFlag { .. } if since(Major::V9_3) => {
                format!("there is no contrecord flag at {at}")
            }
            StopCause::NoContrecordFlag { place } => {
                format!("there is no contrecord flag {}", in_page(place))
            }
            StopCause::ContrecordLength {
                found, expected, ..
            } if since(Major::V14) => {
                format!("invalid contrecord length {found} (expected {expected}) at {at}")
            }
            StopCause::ContrecordLength { found, .. } if since(Major::V9_3) => {
                format!("invalid contrecord length {found} at {at}")
            }
            StopCause::ContrecordLength { found, place, .. } => {
                format!("invalid contrecord length {found} {}", in_page(place))
            }
            StopCause::Decode(error) if since(Major::V15) => {
                error.message(version, self.last.unwrap_or_default())
            }
            StopCause::Decode(error) => error.message(version, self.lsn),
            StopCause::Crc => {
                format!("incorrect resource manager data checksum in record at {at}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_15_on_a_block_fault_is_told_of_the_record_before() {
        let message = |major, last| {
            let stop = Stop {
                lsn: XLogRecPtr(0x200),
                last,
                cause: StopCause::Decode(DecodeError::NoData),
                in_contrecord: false,
            };
            stop.message(Version::of(major).unwrap()).unwrap()
        };
        let at = |lsn: &str| format!("BKPBLOCK_HAS_DATA set, but no data included at {lsn}");
        let last = Some(XLogRecPtr(0x100));
        assert_eq!(message(Major::V14, last), at("0/200"));
        assert_eq!(message(Major::V15, last), at("0/100"));
        assert_eq!(message(Major::V15, None), at("0/0"));
    }
}
