//! What several files of one segment hold: whether they contradict each other, and whether one
//! of them has the records that are missing where the WAL breaks off.
//!
//! Healthy copies of a segment differ: one was taken before the segment was full, another is a
//! `.partial` file, a third has zeros or an earlier use of the file behind its end. So what is
//! compared are records, and of those only the ones that both copies hold.

use super::availability::Availability;
use super::reader::{Position, SegmentFile, WalContext, WalReader, WalSource};
use super::source::EvidenceWal;
use super::stop::{Stop, StopCause};
use super::walk::normalize;
use crate::cluster::{Cluster, first_wal_page};
use crate::format::names::WalSegmentName;
use crate::format::page::is_zeroed;
use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::wal::page::LONG_HEADER_BYTES;
use crate::format::wal::{WalGeometry, WalPageHeader};
use crate::pgdata::{Evidence, FileId, FileKind, FileReader};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io;

/// Bytes of two files compared at once.
const CHUNK: usize = 128 << 10;

/// How two copies of a segment contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Difference {
    /// Both hold a valid record there, and not the same one.
    Records(XLogRecPtr),
    /// The first cannot be read on there, where the second can, and yet goes on behind it.
    FirstDamaged(XLogRecPtr),
    /// The same the other way round.
    SecondDamaged(XLogRecPtr),
}

/// The WAL with one segment replaced by a certain file.
struct Replaced<'a> {
    wal: Option<&'a dyn WalSource>,
    segno: XLogSegNo,
    file: &'a FileReader,
}

impl WalSource for Replaced<'_> {
    fn open(&self, tli: TimeLineID, segno: XLogSegNo) -> Option<Box<dyn SegmentFile + '_>> {
        if segno == self.segno {
            return Some(Box::new(self.file.clone()));
        }
        self.wal?.open(tli, segno)
    }
}

/// Compares the records that start in a segment, as two of its files have them. The context's
/// timelines must be those that may write into it.
///
/// # Errors
/// When one of them cannot be read.
pub fn compare(
    context: &WalContext,
    segno: XLogSegNo,
    first: &FileReader,
    second: &FileReader,
) -> io::Result<Option<Difference>> {
    if same_bytes(first, second)? {
        return Ok(None);
    }
    let geometry = WalGeometry::of(&context.layout);
    let alone = |file| Replaced {
        wal: None,
        segno,
        file,
    };
    let (left, right) = (alone(first), alone(second));
    let mut left = Records::new(context, &left, segno);
    let mut right = Records::new(context, &right, segno);
    loop {
        let difference = match (left.next(), right.next()) {
            (Some(a), Some(b)) if a == b => continue,
            (Some(a), Some(b)) if a.lsn == b.lsn => Some(Difference::Records(a.lsn)),
            (Some(a), None) if is_damage(&geometry, context, second, &a)? => {
                Some(Difference::SecondDamaged(a.lsn))
            }
            (None, Some(b)) if is_damage(&geometry, context, first, &b)? => {
                Some(Difference::FirstDamaged(b.lsn))
            }
            _ => None,
        };
        return Ok(difference);
    }
}

/// What tells one record from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Identity {
    lsn: XLogRecPtr,
    end: XLogRecPtr,
    crc: u32,
}

struct Records<'a> {
    reader: WalReader<'a>,
    readable: bool,
}

impl<'a> Records<'a> {
    fn new(context: &'a WalContext, source: &'a Replaced<'a>, segno: XLogSegNo) -> Self {
        let mut reader = WalReader::new(context, source, Position::at(XLogRecPtr::INVALID));
        let first = reader.find_first_in_segment(segno);
        if let Ok(Some(lsn)) = first {
            reader.seek(Position::at(lsn));
        }
        Self {
            readable: matches!(first, Ok(Some(_))),
            reader,
        }
    }

    fn next(&mut self) -> Option<Identity> {
        if !self.readable {
            return None;
        }
        let record = self.reader.read().ok()?;
        Some(Identity {
            lsn: record.lsn,
            end: record.end_lsn,
            crc: record.header.xl_crc,
        })
    }
}

/// Whether a file that lacks a record is damaged, rather than not filled so far: something is
/// written in the record's place, and later pages are.
fn is_damage(
    geometry: &WalGeometry,
    context: &WalContext,
    file: &FileReader,
    record: &Identity,
) -> io::Result<bool> {
    let version = context.layout.version;
    let is_own = |page: XLogRecPtr| -> io::Result<bool> {
        let mut head = [0; LONG_HEADER_BYTES];
        let got = file.read_at(&mut head, geometry.segment_offset(page))?;
        Ok(
            WalPageHeader::parse(version, &head[..got]).is_ok_and(|header| {
                version.wal_magics.contains(&header.xlp_magic) && header.xlp_pageaddr == page
            }),
        )
    };
    let mut start = [0; 8];
    let got = file.read_at(&mut start, geometry.segment_offset(record.lsn))?;
    if is_zeroed(&start[..got]) || !is_own(geometry.page_start(record.lsn))? {
        return Ok(false);
    }
    let segno = geometry.segment_of(record.lsn);
    let mut page = geometry.next_page(XLogRecPtr(record.end.0.saturating_sub(1)));
    while geometry.segment_of(page) == segno {
        if is_own(page)? {
            return Ok(true);
        }
        page = geometry.next_page(page);
    }
    Ok(false)
}

fn same_bytes(first: &FileReader, second: &FileReader) -> io::Result<bool> {
    if first.len() != second.len() {
        return Ok(false);
    }
    let (mut a, mut b) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut at = 0;
    while at < first.len() {
        let got = first.read_at(&mut a, at)?;
        if got == 0 || second.read_at(&mut b, at)? != got || a[..got] != b[..got] {
            return Ok(false);
        }
        at += got as u64;
    }
    Ok(true)
}

/// Two files of one segment that contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contradiction {
    /// The one that is tried first.
    pub first: FileId,
    /// The other one.
    pub second: FileId,
    /// How.
    pub difference: Difference,
}

/// Compares all files of each segment with the one that is tried first. Those that cannot be
/// read are left to [`Evidence::not_examined`].
#[must_use]
pub fn contradictions(
    evidence: &Evidence,
    cluster: &Cluster,
    wal: &EvidenceWal<'_>,
    availability: &Availability,
    system_identifier: Option<u64>,
) -> Vec<Contradiction> {
    let pairs: Vec<_> = availability
        .duplicates()
        .flat_map(|(tli, segno, files)| {
            let others = files.iter().skip(1);
            others.map(move |other| (tli, segno, files[0], *other))
        })
        .collect();
    pairs
        .into_par_iter()
        .filter_map(|(tli, segno, first, second)| {
            let context = WalContext {
                layout: *wal.layout(),
                system_identifier,
                timelines: wal.timelines(cluster, tli).without_forks(),
            };
            let (one, two) = (evidence.file(first).ok()?, evidence.file(second).ok()?);
            let difference = compare(&context, segno, &one, &two).ok()??;
            Some(Contradiction {
                first,
                second,
                difference,
            })
        })
        .collect()
}

impl Contradiction {
    /// The file that is wrong, or the later one when nobody can tell; where it is; and what
    /// there is to say about it.
    #[must_use]
    pub fn told(&self, evidence: &Evidence) -> (FileId, XLogRecPtr, String) {
        let damaged =
            |lsn, other| format!("cannot be read on at {lsn}; {} can", evidence.place(other));
        match self.difference {
            Difference::Records(lsn) => {
                let other = evidence.place(self.first);
                let what = format!("has another record at {lsn} than {other}; both are valid");
                (self.second, lsn, what)
            }
            Difference::FirstDamaged(lsn) => (self.first, lsn, damaged(lsn, self.second)),
            Difference::SecondDamaged(lsn) => (self.second, lsn, damaged(lsn, self.first)),
        }
    }
}

/// A file that holds records the server does not find where the WAL breaks off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherCopy {
    /// Where it lies.
    pub place: String,
    /// The segment it is, under the name that the server looks for.
    pub segment: WalSegmentName,
    /// The first record of it that is missing.
    pub from: XLogRecPtr,
    /// End of the last record that can be read in it without a break.
    pub to: XLogRecPtr,
    /// Whether that is all of the segment.
    pub whole: bool,
    /// It has to be decompressed first.
    pub compressed: bool,
}

/// Files that hold what is missing at a stop: of each segment that the server lacks from there
/// on, under whatever name and wherever they are. `used` is the WAL that the server reads, `all`
/// what there is; `position` where reading ended.
#[must_use]
pub fn other_copies(
    evidence: &Evidence,
    context: &WalContext,
    used: &EvidenceWal<'_>,
    all: &EvidenceWal<'_>,
    stop: &Stop,
    position: Position,
) -> Vec<OtherCopy> {
    let geometry = WalGeometry::of(&context.layout);
    let at = normalize(context, position.next);
    let first = match &stop.cause {
        StopCause::MissingSegment { segment } => geometry.segno(segment),
        _ => geometry.segment_of(normalize(context, stop.lsn)),
    };
    let there: BTreeSet<XLogSegNo> = used
        .segments()
        .filter(|(tli, ..)| context.timelines.contains(*tli))
        .map(|(_, segno, _)| segno)
        .collect();
    // Behind the last segment there is no telling how many are missing.
    let missing: BTreeSet<XLogSegNo> = match there.range(first..).next() {
        Some(next) => (first..*next).chain([first]).collect(),
        None => [first].into(),
    };
    let candidates: Vec<(XLogSegNo, FileId)> = evidence
        .iter()
        .collect::<Vec<_>>()
        .into_par_iter()
        .filter_map(|(id, entry)| {
            let (FileKind::Wal(name) | FileKind::WalPartial(name)) = entry.kind else {
                return None;
            };
            let (version, header) = first_wal_page(evidence, id)?;
            let segno = geometry.segment_of(header.xlp_pageaddr);
            let own = context.system_identifier;
            let fits = version.major == context.layout.version.major
                && geometry.segment_start(segno) == header.xlp_pageaddr
                && header
                    .long
                    .is_some_and(|long| own.is_none_or(|own| long.xlp_sysid == own))
                && missing.contains(&segno);
            let known = geometry.segno(&name) == segno;
            (fits && (known || entry.archive.is_none())).then_some((segno, id))
        })
        .collect();
    let tli = context
        .timelines
        .of_position(at)
        .unwrap_or(context.timelines.target());
    let mut copies: Vec<OtherCopy> = candidates
        .into_par_iter()
        .filter_map(|(segno, id)| {
            let file = evidence.file(id).ok()?;
            let source = Replaced {
                wal: Some(all),
                segno,
                file: &file,
            };
            let mut reader = WalReader::new(context, &source, Position::at(XLogRecPtr::INVALID));
            let from = if segno == first {
                Some(position)
            } else {
                let found = reader.find_first_in_segment(segno).ok()?;
                found.map(Position::at)
            }?;
            reader.seek(from);
            let end = geometry.segment_start(segno.saturating_add(1));
            let mut to = None;
            let mut begin = None;
            let mut stop = None;
            while stop.is_none() && normalize(context, reader.next()) < end {
                match reader.read() {
                    Ok(record) => {
                        begin = begin.or(Some(record.lsn));
                        to = Some(record.end_lsn);
                    }
                    Err(found) => stop = Some(found.cause),
                }
            }
            // The last record may go on in the next segment, which may be missing, too.
            let whole = matches!(stop, None | Some(StopCause::MissingSegment { .. }));
            let to = to?;
            Some(OtherCopy {
                place: evidence.place(id),
                segment: geometry.name(tli, segno),
                from: begin?,
                to,
                whole,
                compressed: evidence.is_compressed(id),
            })
        })
        .collect();
    copies.sort_by(|a, b| {
        let order = |copy: &OtherCopy| (copy.segment, !copy.whole, Reverse(copy.to));
        order(a).cmp(&order(b)).then_with(|| a.place.cmp(&b.place))
    });
    copies
}

/// What to do with the best file of each segment, in a sentence for the operator.
#[must_use]
pub fn advice(copies: &[OtherCopy]) -> Option<String> {
    let mut best: Vec<&OtherCopy> = copies.iter().collect();
    best.dedup_by_key(|copy| copy.segment);
    let (first, last) = (best.first()?, best.last()?);
    let verb = if best.iter().any(|copy| copy.compressed) {
        "decompress"
    } else {
        "copy"
    };
    let holds = match (best.len(), first.whole) {
        (1, true) => format!("{} holds the missing records to {}", first.place, first.to),
        (1, false) => format!(
            "{} holds some of the missing records, to {}",
            first.place, first.to
        ),
        (n, _) => format!(
            "{n} segments hold missing records to {}: {} to {}",
            last.to, first.place, last.place
        ),
    };
    let renamed = best.iter().any(|copy| {
        let name = copy.place.rsplit('/').next();
        name != Some(copy.segment.to_string().as_str())
    });
    let name = match (best.len(), renamed) {
        (_, false) => String::new(),
        (1, true) => format!(" as {}", first.segment),
        (_, true) => format!(" as {} and so on", first.segment),
    };
    let it = if best.len() == 1 { "it" } else { "them" };
    Some(format!(
        "{holds}. In a copy of the directory, {verb} {it} into the WAL folder{name}, and check \
         again"
    ))
}
