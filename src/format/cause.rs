//! What may have happened to a damaged page, told from the page alone.

use super::checksum::{Row, finished_lanes, hash, page_checksum, reduce, try_bits};
use super::foreign::{Foreign, foreign, is_text_byte};
use super::heap::{
    HEAP_XMIN_FROZEN, HEAP_XMIN_INVALID, HeapPage, HeapTuple, HeapTupleHeader, HeapTuples,
};
use super::index::PageKind;
use super::page::{
    ItemPointer, LpFlags, PAGE_HEADER_SIZE, PageHeader, is_zeroed, line_pointers, page_faults,
};
use super::types::{BlockNumber, INVALID_BLOCK_NUMBER};
use super::version::Layout;
use serde::Serialize;
use std::fmt;

/// How sure a reading of damaged bytes is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// One reading of several; chance alone would often find as much.
    Possible,
    /// The most plausible reading; chance alone would find as much once in ten or more tries
    /// at most.
    Likely,
    /// Nothing else can have made these bytes.
    Certain,
}

/// One cause of a damaged page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// Every byte of the page is the same, and not zero.
    Uniform(u8),
    /// The stored checksum is 0, which is never computed: the page was written when checksums
    /// were off, or by something that does not know of them.
    NotSet,
    /// Bytes are zero where a page has data; 512-byte sectors `first` to `last`.
    ZeroSectors {
        /// First sector, from 0.
        first: u16,
        /// Last sector.
        last: u16,
    },
    /// Sectors hold text where a page has binary data.
    TextSectors {
        /// First sector, from 0.
        first: u16,
        /// Last sector.
        last: u16,
    },
    /// The checksum is that of another block: a write went to the wrong place, or a file has
    /// the wrong name.
    OtherBlock {
        /// The block number that fits best.
        blkno: BlockNumber,
        /// How many block numbers of the relation fit.
        fitting: u32,
    },
    /// One bit of the stored checksum is wrong; the rest of the page is right.
    ChecksumBit {
        /// Bit of `pd_checksum`, from 0.
        bit: u8,
    },
    /// The free space is not zero, and with zeroes there the checksum is right.
    StrayInFreeSpace {
        /// Byte offset of the first byte that is not zero.
        first: u16,
        /// Byte offset of the last.
        last: u16,
    },
    /// With one bit turned over the checksum is right.
    Bit {
        /// Byte offset.
        byte: u16,
        /// Bit of that byte, from 0.
        bit: u8,
        /// How many bits of the page would do; chance alone makes one.
        fitting: u32,
    },
    /// With one bit of the header turned over the server would take the page.
    HeaderBit {
        /// Byte offset.
        byte: u16,
        /// Bit of that byte, from 0.
        bit: u8,
    },
    /// Another kind of content than a page of a relation.
    Foreign(Foreign),
    /// The page is of two times: what lies before one place in it does not know what lies
    /// behind it, or the other way round.
    Torn {
        /// Byte offset up to which it is of one time at least.
        from: u16,
        /// Byte offset from which it is of the other at the latest.
        to: u16,
    },
    /// The rows of a heap page name another block as theirs.
    RowsOfBlock(BlockNumber),
    /// The page is whole, and of another kind of relation.
    PageOf(PageKind),
}

/// Why a page is damaged, when one cause explains it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// What happened.
    pub cause: Cause,
    /// How sure that is.
    pub confidence: Confidence,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sectors = |f: &mut fmt::Formatter<'_>, first, last| {
            if first == last {
                write!(f, "512-byte sector {first}")
            } else {
                write!(f, "512-byte sectors {first} to {last}")
            }
        };
        match self.cause {
            Cause::Uniform(byte) => write!(f, "every byte of the page is 0x{byte:02X}")?,
            Cause::NotSet => {
                f.write_str("no checksum was ever set (0 is stored, which is never computed)")?;
            }
            Cause::ZeroSectors { first, last } => {
                sectors(f, first, last)?;
                f.write_str(" zero where the page has data; the rest looks like a page")?;
            }
            Cause::TextSectors { first, last } => {
                sectors(f, first, last)?;
                f.write_str(" text, not page data")?;
            }
            Cause::OtherBlock { blkno, fitting: 1 } => {
                write!(
                    f,
                    "the checksum is that of block {blkno}: misdirected write"
                )?;
            }
            Cause::OtherBlock { blkno, fitting } => write!(
                f,
                "the checksum is that of block {blkno} (or of {} others): misdirected write",
                fitting.saturating_sub(1)
            )?,
            Cause::ChecksumBit { bit } => {
                write!(
                    f,
                    "bit {bit} of the stored checksum is wrong, the rest is right"
                )?;
            }
            Cause::StrayInFreeSpace { first, last } => write!(
                f,
                "bytes {first} to {last} in the free space are not zero, all else is right"
            )?,
            Cause::Bit {
                byte,
                bit,
                fitting: 1,
            } => write!(f, "bit {bit} of byte {byte} is wrong")?,
            Cause::Bit { byte, bit, fitting } => write!(
                f,
                "bit {bit} of byte {byte} is wrong (or one of {} other bits)",
                fitting.saturating_sub(1)
            )?,
            Cause::HeaderBit { byte, bit } => {
                write!(f, "bit {bit} of byte {byte} is wrong, in the header")?;
            }
            Cause::Foreign(what) => write!(f, "the block is {what}")?,
            Cause::Torn { from, to } => write!(
                f,
                "the page is torn between bytes {from} and {to}: its parts are of two times"
            )?,
            Cause::RowsOfBlock(blkno) => write!(f, "the rows are those of block {blkno}")?,
            Cause::PageOf(kind) => write!(f, "it is a {kind} page")?,
        }
        f.write_str(match self.confidence {
            Confidence::Certain => "",
            Confidence::Likely => " (likely)",
            Confidence::Possible => " (possible)",
        })
    }
}

const SECTOR: u16 = 512;

/// Why the stored checksum of a page does not fit, when one cause explains it. `nblocks` is
/// the number of blocks of the relation's fork. `None` when the checksum is right, the page
/// new, or nothing simple explains it.
#[must_use]
pub fn explain(
    page: &[u8],
    blkno: BlockNumber,
    nblocks: BlockNumber,
    layout: &Layout,
) -> Option<Explanation> {
    let header = PageHeader::parse(page).ok()?;
    let hash = hash(page);
    let stored = header.pd_checksum;
    let known = |cause, confidence| Some(Explanation { cause, confidence });
    if is_zeroed(page) || reduce(hash ^ blkno) == stored {
        return None;
    }
    if let Some((cause, confidence)) = strange(page, &header, blkno, layout) {
        return known(cause, confidence);
    }
    if stored == 0 {
        return known(Cause::NotSet, Confidence::Certain);
    }
    let torn = torn(page, blkno, layout, Part::OldBeginning);
    if let Some(cause) = stray(page, &header, blkno) {
        // The old page is right, and what should not be there yet is a tuple for it.
        return known(torn.unwrap_or(cause), Confidence::Likely);
    }
    let other = other_block(page, hash, blkno, nblocks, layout);
    let wrong_bits = stored ^ reduce(hash ^ blkno);
    let sum_bit = wrong_bits.is_power_of_two().then(|| Explanation {
        cause: Cause::ChecksumBit {
            bit: u8::try_from(wrong_bits.trailing_zeros()).unwrap_or(0),
        },
        // 16 of 65535 chances; but a block number with one other bit has the same effect.
        confidence: if other.is_none() {
            Confidence::Likely
        } else {
            Confidence::Possible
        },
    });
    let torn = torn.map(|cause| Explanation {
        cause,
        confidence: Confidence::Likely,
    });
    // Of equals `max_by_key` takes the last: what fits the checksum says more than a tuple in
    // the free space, which VACUUM may have left there.
    let best = [torn, sum_bit, other]
        .into_iter()
        .flatten()
        .max_by_key(|explanation| explanation.confidence);
    // One bit in 65536 is the poorest evidence, and the dearest to look for.
    match best {
        Some(e) if e.confidence >= Confidence::Likely => best,
        _ => match wrong_bit(page, hash, blkno, nblocks, layout) {
            Some(bit) if best.is_none_or(|e| bit.confidence > e.confidence) => Some(bit),
            _ => best,
        },
    }
}

/// The same of a page without a checksum that the server refuses, or whose tuples cannot be.
#[must_use]
pub fn explain_content(page: &[u8], blkno: BlockNumber, layout: &Layout) -> Option<Explanation> {
    let header = PageHeader::parse(page).ok()?;
    let known = |cause, confidence| Some(Explanation { cause, confidence });
    if is_zeroed(page) {
        return None;
    }
    if let Some((cause, confidence)) = strange(page, &header, blkno, layout) {
        return known(cause, confidence);
    }
    if let Some(cause) = torn(page, blkno, layout, Part::OldBeginning) {
        return known(cause, Confidence::Likely);
    }
    header_bit(page, layout).and_then(|cause| known(cause, Confidence::Likely))
}

/// Content that no page has, in part or throughout.
fn strange(
    page: &[u8],
    header: &PageHeader,
    blkno: BlockNumber,
    layout: &Layout,
) -> Option<(Cause, Confidence)> {
    if let Some((first, rest)) = page.split_first()
        && rest.iter().all(|byte| byte == first)
    {
        return Some((Cause::Uniform(*first), Confidence::Certain));
    }
    let mut is_page = true;
    page_faults(page, layout, |_| is_page = false);
    if !is_page && let Some(what) = foreign(page) {
        return Some((Cause::Foreign(what), Confidence::Certain));
    }
    if is_page && let Some(cause) = torn(page, blkno, layout, Part::NewBeginning) {
        return Some((cause, Confidence::Likely));
    }
    overwritten(page, header)
}

/// The one bit of the header that makes a page of what the server refuses.
fn header_bit(page: &[u8], layout: &Layout) -> Option<Cause> {
    let wrong = |page: &[u8]| {
        let mut n = 0_usize;
        page_faults(page, layout, |_| n = n.saturating_add(1));
        n
    };
    if wrong(page) == 0 {
        return None;
    }
    let mut mended = page.to_vec();
    let mut fitting = None;
    // pd_flags to pd_pagesize_version.
    for byte in 10..20_u16 {
        for bit in 0..8_u8 {
            let mask = 1_u8 << bit;
            *mended.get_mut(usize::from(byte))? ^= mask;
            // A limit that is off leaves line pointers or tuples that cannot be.
            let fits = wrong(&mended) == 0 && implausible(&mended, u32::MAX, layout) == 0;
            if fits && fitting.replace((byte, bit)).is_some() {
                return None;
            }
            *mended.get_mut(usize::from(byte))? ^= mask;
        }
    }
    fitting.map(|(byte, bit)| Cause::HeaderBit { byte, bit })
}

/// Which part of a torn page is the newer one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    NewBeginning,
    OldBeginning,
}

/// Whether a heap page is of two times. A disk writes sectors of 512 bytes or more whole, so
/// a crash leaves the beginning of the new page before the rest of the old one, or the other
/// way round: line pointers whose tuples are not there yet, or a tuple that no line pointer
/// knows yet, though it names the one it was given.
fn torn(page: &[u8], blkno: BlockNumber, layout: &Layout, part: Part) -> Option<Cause> {
    let mut room = HeapTuples::default();
    let heap = room.read(page).ok()?;
    if usize::from(heap.header.pd_special) != page.len() || heap.tuples.is_empty() {
        return None;
    }
    let is_absent = |tuple: &&HeapTuple| {
        heap.bytes(tuple)
            .first_chunk::<23>()
            .is_some_and(|t| is_zeroed(t))
    };
    // New beginning: the tuples nearest to the free space are not there yet.
    let (absent, there): (Vec<&HeapTuple>, Vec<&HeapTuple>) =
        heap.tuples.iter().partition(is_absent);
    if let Some(to) = absent.iter().map(|tuple| tuple.lp.lp_off()).min() {
        let last = absent.iter().map(|tuple| tuple.lp.lp_off()).max();
        let (from, to) = (
            heap.header.pd_lower.next_multiple_of(SECTOR),
            to & !(SECTOR - 1),
        );
        let is_newest = there.iter().all(|tuple| Some(tuple.lp.lp_off()) > last);
        let is_torn = part == Part::NewBeginning && is_newest && from <= to;
        return is_torn.then_some(Cause::Torn { from, to });
    }
    if part == Part::NewBeginning {
        return None;
    }
    // Old beginning: the tuple next to the known ones names the next line pointer.
    let next = ItemPointer {
        block: blkno,
        offnum: heap.header.max_offset_number().checked_add(1)?,
    };
    let upper = heap.header.pd_upper;
    let mut at = upper.checked_sub(24)? & !7;
    while at >= heap.header.pd_lower {
        let bytes = page.get(usize::from(at)..usize::from(upper))?;
        let header = HeapTupleHeader::parse(bytes)?;
        // What VACUUM took off the page stays in the free space; most of that was deleted, or
        // is known to have been rolled back.
        let is_aborted = header.t_infomask & HEAP_XMIN_FROZEN == HEAP_XMIN_INVALID;
        let is_alive = header.t_xmax.0 == 0 && !is_aborted;
        let mut whole = header.t_hoff != 0 && header.t_xmin.is_normal() && is_alive;
        header.faults(upper.saturating_sub(at), layout, |_| whole = false);
        if whole && header.t_ctid == next {
            let to = at & !(SECTOR - 1);
            return (to >= SECTOR).then_some(Cause::Torn { from: SECTOR, to });
        }
        at = at.checked_sub(8)?;
    }
    None
}

/// The other block that all rows of a heap page name as their own. A row that nobody updated
/// or locked bears its own place. One whose update was rolled back may bear any, and `t_xmax`
/// tells it apart, until VACUUM freezes it: that clears `t_xmax` and leaves `t_ctid` alone
/// (`heapam.c: heap_prepare_freeze_tuple`). So frozen ones do not count.
#[inline]
#[must_use]
pub fn rows_of_another_block(heap: &HeapPage<'_, '_>, blkno: BlockNumber) -> Option<BlockNumber> {
    let mut other = None;
    let mut rows = 0_u32;
    for tuple in heap.tuples {
        let header = &tuple.header;
        if header.t_ctid.block == blkno {
            return None;
        }
        let frozen = header.t_infomask & HEAP_XMIN_FROZEN == HEAP_XMIN_FROZEN;
        if header.t_xmax.0 != 0 || frozen || !header.t_xmin.is_normal() {
            continue;
        }
        let named = header.t_ctid.block;
        let moved = header.t_ctid.offnum == tuple.offnum && named != INVALID_BLOCK_NUMBER;
        if !moved || other.is_some_and(|other| other != named) {
            return None;
        }
        other = Some(named);
        rows = rows.saturating_add(1);
    }
    other.filter(|_| rows >= 3)
}

/// How much on a page cannot be, counted: faults of the header, and on heap pages those of
/// line pointers and tuples, and successors beyond the relation's end.
fn implausible(page: &[u8], nblocks: BlockNumber, layout: &Layout) -> usize {
    let mut n = 0_usize;
    page_faults(page, layout, |_| n = n.saturating_add(1));
    let mut room = HeapTuples::default();
    let Ok(heap) = room.read(page) else { return n };
    if usize::from(heap.header.pd_special) != page.len() {
        return n;
    }
    heap.line_pointer_faults(|_, _| n = n.saturating_add(1));
    for tuple in heap.tuples {
        let header = &tuple.header;
        header.faults(tuple.lp.lp_len(), layout, |_| n = n.saturating_add(1));
        let far = header.t_ctid.block >= nblocks && header.t_ctid.block != INVALID_BLOCK_NUMBER;
        n = n.saturating_add(usize::from(far));
    }
    n
}

/// How many tuples of a heap page name `blkno` as their own or their successor's block
/// (`t_ctid`): mostly the block the page was written for. 0 on pages of indexes.
fn ctids_naming(page: &[u8], header: &PageHeader, blkno: BlockNumber) -> usize {
    if usize::from(header.pd_special) != page.len() {
        return 0;
    }
    line_pointers(page, header)
        .filter(|(_, lp)| lp.flags() == LpFlags::Normal)
        .filter_map(|(_, lp)| {
            let tuple = lp.bytes(page)?;
            Some(HeapTupleHeader::parse(tuple)?.t_ctid.block)
        })
        .filter(|block| *block == blkno)
        .count()
}

/// Bytes between `pd_lower` and `pd_upper` that are not zero, when zeroes there make the
/// checksum right.
fn stray(page: &[u8], header: &PageHeader, blkno: BlockNumber) -> Option<Cause> {
    let start = usize::from(header.pd_lower.max(PAGE_HEADER_SIZE));
    let hole = page.get(start..usize::from(header.pd_upper))?;
    let first = hole.iter().position(|byte| *byte != 0)?;
    let last = hole.iter().rposition(|byte| *byte != 0)?;
    let mut mended = page.to_vec();
    mended.get_mut(start..usize::from(header.pd_upper))?.fill(0);
    (page_checksum(&mended, blkno) == header.pd_checksum).then_some(Cause::StrayInFreeSpace {
        first: u16::try_from(start.saturating_add(first)).ok()?,
        last: u16::try_from(start.saturating_add(last)).ok()?,
    })
}

/// Sectors of zeroes or text where the page should have data.
fn overwritten(page: &[u8], header: &PageHeader) -> Option<(Cause, Confidence)> {
    let (sectors, _) = page.as_chunks::<512>();
    // Sectors that lie wholly in the used part: the one with the header, and those from
    // pd_upper on. Zero line pointers may be unused ones, so these are left out.
    let header_lost = |sector: &[u8; 512]| is_zeroed(sector) || is_text(sector);
    if let Some((first, rest)) = sectors.split_first()
        && header_lost(first)
    {
        let zero = is_zeroed(first);
        let alike = rest
            .iter()
            .take_while(|s| if zero { is_zeroed(*s) } else { is_text(*s) })
            .count();
        let last = u16::try_from(alike).unwrap_or(0);
        return Some(if zero {
            (Cause::ZeroSectors { first: 0, last }, Confidence::Certain)
        } else {
            (Cause::TextSectors { first: 0, last }, Confidence::Certain)
        });
    }
    let used_from = usize::from(header.pd_upper).div_ceil(512);
    let used = sectors.get(used_from..)?;
    let run = |kind: fn(&[u8]) -> bool| {
        let first = used.iter().position(|sector| kind(sector))?;
        let n = used.get(first..)?.iter().take_while(|s| kind(*s)).count();
        let first = used_from.checked_add(first)?;
        let last = first.checked_add(n)?.checked_sub(1)?;
        Some((u16::try_from(first).ok()?, u16::try_from(last).ok()?))
    };
    if let Some((first, last)) = run(is_zeroed) {
        return Some((Cause::ZeroSectors { first, last }, Confidence::Likely));
    }
    // A long text value also fills whole sectors, so text says little.
    None
}

/// Whether the bytes are wholly ASCII text.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().copied().all(is_text_byte)
}

/// The block numbers below `nblocks` whose checksum is the stored one.
fn other_block(
    page: &[u8],
    hash: u32,
    blkno: BlockNumber,
    nblocks: BlockNumber,
    layout: &Layout,
) -> Option<Explanation> {
    let header = PageHeader::parse(page).ok()?;
    let own = ctids_naming(page, &header, blkno);
    // hash ^ b = (stored - 1) + k * 65535 for some k, so each k gives one b.
    let rest = u32::from(header.pd_checksum.checked_sub(1)?);
    let candidates = (0..=u32::from(u16::MAX).saturating_add(1)).filter_map(|k| {
        let sum = k.checked_mul(65535)?.checked_add(rest)?;
        Some(sum ^ hash).filter(|b| *b < nblocks && *b != blkno)
    });
    // Each block number fits by chance once in 65535. Tuples that name the block settle it.
    // The same place in another segment is one of few, and what a segment file under a wrong
    // name looks like.
    let rank = |b: BlockNumber| {
        let named = ctids_naming(page, &header, b);
        if named > own {
            Confidence::Certain
        } else if b.abs_diff(blkno).checked_rem(layout.relseg_size) == Some(0) || nblocks <= 6553 {
            Confidence::Likely
        } else {
            Confidence::Possible
        }
    };
    let mut fitting = 0_u32;
    let mut best: Option<(Confidence, BlockNumber)> = None;
    for b in candidates {
        fitting = fitting.saturating_add(1);
        let confidence = rank(b);
        if best.is_none_or(|(c, n)| {
            confidence > c || confidence == c && b.abs_diff(blkno) < n.abs_diff(blkno)
        }) {
            best = Some((confidence, b));
        }
    }
    let (confidence, b) = best?;
    // Tuples that name the block where the page lies say that it belongs there.
    if own > 0 && confidence != Confidence::Certain {
        return None;
    }
    Some(Explanation {
        cause: Cause::OtherBlock { blkno: b, fitting },
        confidence,
    })
}

/// The bit that makes the checksum right when turned over. All bits of a page are tried,
/// lane by lane: a bit changes one lane from its row on, and 32 lanes advance together.
fn wrong_bit(
    page: &[u8],
    hash: u32,
    blkno: BlockNumber,
    nblocks: BlockNumber,
    layout: &Layout,
) -> Option<Explanation> {
    let header = PageHeader::parse(page).ok()?;
    let before = implausible(page, nblocks, layout);
    let right = finished_lanes(page);
    let mut fitting = 0_u32;
    let mut best: Option<(Confidence, u16, u8)> = None;
    try_bits(page, &mut |row, lane, bit_of_word, changed| {
        let was = right.get(lane).copied().unwrap_or(0);
        if reduce(hash ^ was ^ changed ^ blkno) != header.pd_checksum {
            return;
        }
        let byte = row
            .saturating_mul(size_of::<Row>())
            .saturating_add(lane.saturating_mul(4))
            .saturating_add(bit_of_word / 8);
        let (Ok(at), Ok(bit)) = (u16::try_from(byte), u8::try_from(bit_of_word % 8)) else {
            return;
        };
        if at == 8 || at == 9 {
            return;
        }
        fitting = fitting.saturating_add(1);
        let mut mended = page.to_vec();
        if let Some(byte) = mended.get_mut(byte) {
            *byte ^= 1_u8.checked_shl(u32::from(bit)).unwrap_or(0);
        }
        // Chance finds about one bit in a page. It seldom finds one that also mends
        // something, or one that stands alone in the free space.
        let lone = at >= header.pd_lower
            && at < header.pd_upper
            && mended
                .get(byte.saturating_sub(8)..byte.saturating_add(9))
                .is_some_and(is_zeroed);
        let confidence = if implausible(&mended, nblocks, layout) < before || lone {
            Confidence::Likely
        } else {
            Confidence::Possible
        };
        if best.is_none_or(|(c, ..)| confidence > c) {
            best = Some((confidence, at, bit));
        }
    });
    let (confidence, byte, bit) = best?;
    Some(Explanation {
        cause: Cause::Bit { byte, bit, fitting },
        confidence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::heap::HEAP_XMAX_INVALID;
    use crate::format::heap::tests::{add, tuple};
    use crate::format::page::tests::{empty, layout};
    use crate::format::version::Major;

    /// A page with tuples' worth of noise, and its checksum set for `blkno`.
    fn noisy(blkno: u32, seed: u64) -> Vec<u8> {
        let mut page = empty(0);
        let mut x = seed;
        for byte in &mut page[4096..] {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1442);
            *byte = (x >> 56) as u8;
        }
        page[15] = 0x10;
        set(&mut page, blkno);
        page
    }

    fn set(page: &mut [u8], blkno: u32) {
        let sum = page_checksum(page, blkno);
        page[8..10].copy_from_slice(&sum.to_le_bytes());
    }

    fn why(page: &[u8], blkno: u32, nblocks: u32) -> Option<Explanation> {
        explain(page, blkno, nblocks, &layout(Major::V15))
    }

    /// The same of block 7 of a cluster without checksums.
    fn why_content(page: &[u8]) -> Option<(Cause, Confidence)> {
        let why = explain_content(page, 7, &layout(Major::V15))?;
        Some((why.cause, why.confidence))
    }

    /// A row of 64 bytes that names its own place.
    fn row(blkno: u32, offnum: u16) -> Vec<u8> {
        let mut row = tuple(700, 60);
        row[14..16].copy_from_slice(&(blkno as u16).to_le_bytes());
        row[16..18].copy_from_slice(&offnum.to_le_bytes());
        row
    }

    fn set_infomask(row: &mut [u8], bits: u16) {
        row[20..22].copy_from_slice(&bits.to_le_bytes());
    }

    fn heap(rows: &[Vec<u8>]) -> Vec<u8> {
        let mut page = empty(0);
        for row in rows {
            add(&mut page, row);
        }
        page
    }

    /// Block 7 of a table, filled with rows up to this one.
    fn filled(last: u16) -> Vec<u8> {
        heap(&(1..=last).map(|n| row(7, n)).collect::<Vec<_>>())
    }

    /// The beginning of one page before the rest of another.
    fn joined(beginning: &[u8], rest: &[u8], at: usize) -> Vec<u8> {
        [&beginning[..at], &rest[at..]].concat()
    }

    #[test]
    fn a_good_page_and_a_new_page_need_no_explanation() {
        assert_eq!(why(&noisy(3, 1), 3, 100), None);
        assert_eq!(why(&[0; 8192], 3, 100), None);
    }

    #[test]
    fn one_cause_each() {
        assert_eq!(
            why(&[0xFF; 8192], 0, 9).unwrap().cause,
            Cause::Uniform(0xFF)
        );

        let mut unset = noisy(3, 1);
        unset[8..10].fill(0);
        let e = why(&unset, 3, 100).unwrap();
        assert_eq!(
            (e.cause, e.confidence),
            (Cause::NotSet, Confidence::Certain)
        );

        let mut zeroed = noisy(3, 1);
        zeroed[5120..6144].fill(0);
        let e = why(&zeroed, 3, 100).unwrap();
        assert_eq!(
            e.cause,
            Cause::ZeroSectors {
                first: 10,
                last: 11
            }
        );

        let mut headless = noisy(3, 1);
        headless[..512].fill(0);
        let e = why(&headless, 3, 100).unwrap();
        assert_eq!(e.confidence, Confidence::Certain);
        assert_eq!(e.cause, Cause::ZeroSectors { first: 0, last: 7 });

        let mut text = noisy(3, 1);
        text[..1024].fill(b'x');
        let e = why(&text, 3, 100).unwrap();
        assert_eq!(e.cause, Cause::TextSectors { first: 0, last: 1 });

        let mut flipped = noisy(3, 1);
        flipped[9] ^= 0x40;
        let e = why(&flipped, 3, 100).unwrap();
        assert_eq!(e.cause, Cause::ChecksumBit { bit: 14 });

        let moved = noisy(77, 1);
        let e = why(&moved, 3, 100).unwrap();
        assert_eq!(
            e.cause,
            Cause::OtherBlock {
                blkno: 77,
                fitting: 1
            }
        );
        assert_eq!(e.confidence, Confidence::Likely);

        let mut stray = noisy(3, 1);
        stray[1000..1003].copy_from_slice(b"abc");
        let e = why(&stray, 3, 100).unwrap();
        assert_eq!(
            e.cause,
            Cause::StrayInFreeSpace {
                first: 1000,
                last: 1002
            }
        );
    }

    #[test]
    fn a_segment_under_another_name() {
        let moved = noisy(5, 2);
        let e = why(&moved, 5 + 131_072, 300_000).unwrap();
        assert!(matches!(e.cause, Cause::OtherBlock { blkno: 5, .. }));
        assert_eq!(e.confidence, Confidence::Likely);
    }

    #[test]
    fn every_flipped_bit_is_among_the_candidates() {
        // Free space gives `StrayInFreeSpace`; here header, tuples and first and last bits.
        for (byte, bit) in [(0, 0), (3, 7), (4096, 1), (5000, 3), (8191, 7)] {
            let mut page = noisy(3, 7);
            page[byte] ^= 1 << bit;
            let header = PageHeader::parse(&page).unwrap();
            let h = hash(&page);
            let right = finished_lanes(&page);
            let mut seen = false;
            try_bits(&page, &mut |row, lane, b, value| {
                if reduce(h ^ right[lane] ^ value ^ 3) == header.pd_checksum {
                    seen |= (row * 128 + lane * 4 + b / 8, b % 8) == (byte, bit);
                }
            });
            assert!(seen, "bit {bit} of byte {byte}");
            let e = why(&page, 3, 4).unwrap();
            assert!(matches!(e.cause, Cause::Bit { .. }), "{e}");
        }
    }

    #[test]
    fn a_bit_that_mends_the_header_is_likely() {
        let mut page = noisy(3, 7);
        page[10] ^= 0x80;
        let e = why(&page, 3, 4).unwrap();
        assert_eq!(e.confidence, Confidence::Likely);
        assert!(
            matches!(
                e.cause,
                Cause::Bit {
                    byte: 10,
                    bit: 7,
                    ..
                }
            ),
            "{e}"
        );
    }

    #[test]
    fn a_new_beginning_before_old_rows_is_torn() {
        let (old, new) = (filled(40), filled(60));
        // The 41st row ends at byte 5632; the 60th begins at 4352.
        let torn = Some((
            Cause::Torn {
                from: 512,
                to: 4096,
            },
            Confidence::Likely,
        ));
        for at in [512, 2048, 4096] {
            assert_eq!(why_content(&joined(&new, &old, at)), torn, "at {at}");
        }
        // The 57th to the 60th row are there, and those before them are not.
        assert!(matches!(
            why_content(&joined(&new, &old, 4608)),
            Some((Cause::ZeroSectors { first: 9, last: 10 }, _))
        ));
        let mut sealed = new.clone();
        set(&mut sealed, 7);
        let e = why(&joined(&sealed, &old, 2048), 7, 100).unwrap();
        assert_eq!(Some((e.cause, e.confidence)), torn);
    }

    #[test]
    fn rows_that_no_line_pointer_knows_yet_are_torn() {
        let (mut old, new) = (filled(40), filled(60));
        let torn = Cause::Torn {
            from: 512,
            to: 5120,
        };
        let likely = Some((torn, Confidence::Likely));
        assert_eq!(why_content(&joined(&old, &new, 512)), likely);
        assert_eq!(why_content(&joined(&old, &new, 5120)), likely);
        // Right before the rows that were there nothing shows.
        assert_eq!(why_content(&joined(&old, &new, 5632)), None);
        // With the old page's checksum, and of an old page of which more has changed since.
        set(&mut old, 7);
        let e = why(&joined(&old, &new, 512), 7, 100).unwrap();
        assert_eq!((e.cause, e.confidence), (torn, Confidence::Likely));
        let mut changed = new;
        changed[8100] ^= 1;
        changed[8000] ^= 2;
        let e = why(&joined(&old, &changed, 512), 7, 100).unwrap();
        assert_eq!((e.cause, e.confidence), (torn, Confidence::Likely));
    }

    #[test]
    fn what_vacuum_leaves_in_the_free_space_is_not_torn() {
        let with = |edit: &dyn Fn(&mut Vec<u8>)| {
            let mut rows: Vec<_> = (1..=41).map(|n| row(7, n)).collect();
            edit(&mut rows[40]);
            joined(&filled(40), &heap(&rows), 512)
        };
        assert!(why_content(&with(&|_| ())).is_some());
        let deleted = with(&|row| row[4] = 1);
        let aborted = with(&|row| set_infomask(row, HEAP_XMIN_INVALID | HEAP_XMAX_INVALID));
        let of_another_block = with(&|row| row[14] = 8);
        let of_another_line_pointer = with(&|row| row[16] = 42);
        let malformed = with(&|row| row[22] = 32);
        for page in [
            deleted,
            aborted,
            of_another_block,
            of_another_line_pointer,
            malformed,
        ] {
            assert_eq!(why_content(&page), None);
        }
    }

    #[test]
    fn what_fits_the_checksum_comes_before_a_tuple_in_the_free_space() {
        let mut page = joined(&filled(40), &filled(41), 512);
        set(&mut page, 7);
        assert_eq!(why(&page, 7, 100), None);
        page[9] ^= 0x40;
        let e = why(&page, 7, 100).unwrap();
        assert_eq!(e.cause, Cause::ChecksumBit { bit: 14 });
        assert_eq!(e.confidence, Confidence::Likely);
    }

    #[test]
    fn content_without_a_checksum() {
        assert_eq!(why_content(&[0; 8192]), None);
        assert_eq!(why_content(&filled(40)), None);
        assert_eq!(
            why_content(&[0xFF; 8192]),
            Some((Cause::Uniform(0xFF), Confidence::Certain))
        );
        assert_eq!(
            why_content(&[*b"no page "; 1024].concat()),
            Some((Cause::Foreign(Foreign::Text), Confidence::Certain))
        );
        let mut headless = filled(40);
        headless[..512].fill(0);
        assert_eq!(
            why_content(&headless),
            Some((
                Cause::ZeroSectors { first: 0, last: 10 },
                Confidence::Certain
            ))
        );
    }

    #[test]
    fn one_bit_of_the_header() {
        let flipped = |bits: &[(usize, u8)]| {
            let mut page = filled(40);
            for (byte, bit) in bits {
                page[*byte] ^= 1 << bit;
            }
            why_content(&page)
        };
        // pd_flags, pd_lower, pd_upper, pd_special, pd_pagesize_version.
        for (byte, bit) in [(11, 7), (13, 6), (15, 6), (17, 6), (19, 1)] {
            assert_eq!(
                flipped(&[(usize::from(byte), bit)]),
                Some((Cause::HeaderBit { byte, bit }, Confidence::Likely)),
                "bit {bit} of byte {byte}"
            );
        }
        assert_eq!(flipped(&[(11, 7), (17, 6)]), None);
        // More than one bit would mend a pd_lower of 16.
        let mut page = empty(0);
        page[12] = 16;
        assert_eq!(why_content(&page), None);
    }

    #[test]
    fn rows_that_all_name_another_block() {
        let named = |edit: &dyn Fn(&mut [Vec<u8>])| {
            let mut rows: Vec<_> = (1..=4).map(|n| row(9, n)).collect();
            edit(&mut rows);
            let page = heap(&rows);
            let mut room = HeapTuples::default();
            rows_of_another_block(&room.read(&page).unwrap(), 7)
        };
        assert_eq!(named(&|_| ()), Some(9));
        assert_eq!(named(&|rows| rows[3] = row(7, 4)), None);
        assert_eq!(named(&|rows| rows[3] = row(8, 4)), None);
        assert_eq!(named(&|rows| rows[3] = row(9, 5)), None);
        // What does not count leaves three rows, and then two.
        let updated = |row: &mut Vec<u8>| row[4] = 1;
        let frozen = |row: &mut Vec<u8>| set_infomask(row, HEAP_XMIN_FROZEN | HEAP_XMAX_INVALID);
        let frozen_before_9_4 = |row: &mut Vec<u8>| row[..4].copy_from_slice(&[2, 0, 0, 0]);
        for edit in [updated, frozen, frozen_before_9_4] {
            assert_eq!(named(&|rows| edit(&mut rows[0])), Some(9));
            assert_eq!(named(&|rows| rows[..2].iter_mut().for_each(edit)), None);
        }
        // Nor does it matter what an updated one names, but for the page's own block.
        let elsewhere = |row: &mut Vec<u8>| {
            updated(row);
            row[14] = 8;
        };
        assert_eq!(named(&|rows| elsewhere(&mut rows[0])), Some(9));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn nothing_panics(page in proptest::collection::vec(0_u8.., 0..2048), blkno: u32, nblocks: u32) {
            if let Some(e) = why(&page, blkno, nblocks) {
                drop(e.to_string());
            }
        }
    }
}
