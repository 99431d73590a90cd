//! The page checksum of 9.3 and later, and what may have made it wrong.
//!
//! Source: `storage/checksum_impl.h`. The page is rows of 32 little-endian words; each
//! column runs through its own FNV-like hash, so a page is 32 independent lanes:
//!
//! ```text
//!   row 0    w0  w1  w2(low half: pd_checksum, taken as 0)  ...  w31
//!   row 1    w0  w1  w2                                     ...  w31
//!   ...       |   |   |                                           |
//!   2 rows of zeroes
//!            h0 ^ h1 ^ h2 ^ ...                              ^ h31 ^ block number
//!   result = (that mod 65535) + 1
//! ```

use super::heap::{HeapTupleHeader, HeapTuples};
use super::page::{LpFlags, PageHeader, is_zeroed, line_pointers, page_faults};
use super::types::{BlockNumber, INVALID_BLOCK_NUMBER};
use super::version::Layout;
use serde::Serialize;
use std::fmt;

const LANES: usize = 32;
type Lanes = [u32; LANES];
type Row = [u8; LANES * 4];

/// `FNV_PRIME`.
const PRIME: u32 = 16_777_619;

/// `checksumBaseOffsets`.
#[rustfmt::skip]
const START: Lanes = [
    0x5B1F_36E9, 0xB852_5960, 0x02AB_50AA, 0x1DE6_6D2A, 0x79FF_467A, 0x9BB9_F8A3, 0x217E_7CD2, 0x83E1_3D2C,
    0xF8D4_474F, 0xE39E_B970, 0x42C6_AE16, 0x9932_16FA, 0x7B09_3B5D, 0x98DA_FF3C, 0xF718_902A, 0x0B1C_9CDB,
    0xE58F_764B, 0x1876_36BC, 0x5D7B_3BB1, 0xE73D_E7DE, 0x92BE_C979, 0xCCA6_C0B2, 0x304A_0979, 0x85AA_43D4,
    0x7831_25BB, 0x6CA8_EAA2, 0xE407_EAC6, 0x4B5C_FC3E, 0x9FBF_8C76, 0x15CA_20BE, 0xF2CA_9FD3, 0x959B_D756,
];

#[inline(always)]
fn round(h: u32, word: u32) -> u32 {
    let t = h ^ word;
    t.wrapping_mul(PRIME) ^ t >> 17
}

/// One row into all lanes. Inlined into each caller, so that it is compiled for the
/// instructions the caller may use.
#[inline(always)]
fn take_in(lanes: &mut Lanes, row: &Row) {
    let (words, _) = row.as_chunks::<4>();
    for (lane, word) in lanes.iter_mut().zip(words) {
        *lane = round(*lane, u32::from_le_bytes(*word));
    }
}

#[inline(always)]
fn finish(lanes: &mut Lanes) {
    for _ in 0..2 {
        take_in(lanes, &[0; LANES * 4]);
    }
}

/// The first row with the place of the checksum itself taken as zero.
#[inline(always)]
fn without_checksum(row: &Row) -> Row {
    let mut row = *row;
    let [_, _, _, _, _, _, _, _, low, high, ..] = &mut row;
    (*low, *high) = (0, 0);
    row
}

#[inline(always)]
fn finished_lanes(page: &[u8]) -> Lanes {
    let mut lanes = START;
    let (rows, _) = page.as_chunks();
    if let Some((first, rest)) = rows.split_first() {
        take_in(&mut lanes, &without_checksum(first));
        for row in rest {
            take_in(&mut lanes, row);
        }
    }
    finish(&mut lanes);
    lanes
}

#[inline(always)]
fn fold(lanes: &Lanes) -> u32 {
    lanes.iter().fold(0, |x, lane| x ^ lane)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn hash_avx2(page: &[u8]) -> u32 {
    fold(&finished_lanes(page))
}

fn hash_portable(page: &[u8]) -> u32 {
    fold(&finished_lanes(page))
}

/// All of the page but its block number.
#[inline]
fn hash(page: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the function is an ordinary safe one but for the instructions it is
        // compiled to, and this processor has them.
        #[allow(unsafe_code)]
        return unsafe { hash_avx2(page) };
    }
    hash_portable(page)
}

#[inline]
fn reduce(hash: u32) -> u16 {
    // At most 65534 + 1.
    u16::try_from(hash % 65535).map_or(0, |x| x.wrapping_add(1))
}

/// `pg_checksum_page`: what `pd_checksum` must be. `blkno` counts within the fork, across
/// segments. Any block size; bytes after the last whole 128 are left out (there are none in
/// a page).
#[inline]
#[must_use]
pub fn page_checksum(page: &[u8], blkno: BlockNumber) -> u16 {
    reduce(hash(page) ^ blkno)
}

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

/// One cause that would make a page fail its checksum.
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
}

/// Why a page's checksum is wrong, when one cause explains it.
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
        }
        f.write_str(match self.confidence {
            Confidence::Certain => "",
            Confidence::Likely => " (likely)",
            Confidence::Possible => " (possible)",
        })
    }
}

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
    if let Some((first, rest)) = page.split_first()
        && rest.iter().all(|byte| byte == first)
    {
        return known(Cause::Uniform(*first), Confidence::Certain);
    }
    if let Some((cause, confidence)) = overwritten(page, &header) {
        return known(cause, confidence);
    }
    if stored == 0 {
        return known(Cause::NotSet, Confidence::Certain);
    }
    if let Some(cause) = stray(page, &header, blkno) {
        return known(cause, Confidence::Likely);
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
    // `max_by_key` takes the last of equals.
    let best = [sum_bit, other]
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
    let start = usize::from(header.pd_lower.max(super::page::PAGE_HEADER_SIZE));
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
    bytes
        .iter()
        .all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'))
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

/// Calls `found(row, lane, bit, lane's end value)` for each bit of the page turned over.
#[inline(always)]
fn each_bit(page: &[u8], found: &mut impl FnMut(usize, usize, usize, u32)) {
    let mut before = START;
    let (rows, _) = page.as_chunks();
    for (at, row) in rows.iter().enumerate() {
        let row = if at == 0 { without_checksum(row) } else { *row };
        let rest = rows.get(at.saturating_add(1)..).unwrap_or_default();
        for bit in 0..32_usize {
            let mut lanes = before;
            let flip = 1_u32.rotate_left(u32::try_from(bit).unwrap_or(0));
            for lane in &mut lanes {
                *lane ^= flip;
            }
            take_in(&mut lanes, &row);
            for row in rest {
                take_in(&mut lanes, row);
            }
            finish(&mut lanes);
            for (lane, value) in lanes.iter().enumerate() {
                found(at, lane, bit, *value);
            }
        }
        take_in(&mut before, &row);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn each_bit_avx2(page: &[u8], found: &mut impl FnMut(usize, usize, usize, u32)) {
    each_bit(page, found);
}

fn try_bits(page: &[u8], found: &mut impl FnMut(usize, usize, usize, u32)) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: as in `hash`: only the instructions matter, and the processor has them.
        #[allow(unsafe_code)]
        return unsafe { each_bit_avx2(page, found) };
    }
    each_bit(page, found);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::page::tests::{empty, layout};
    use crate::format::version::Major;

    fn page(parts: &[(usize, &str)]) -> Vec<u8> {
        let mut page = vec![0; 8192];
        for (at, hex) in parts {
            let bytes = hex::decode(hex.replace(' ', "")).unwrap();
            page[*at..*at + bytes.len()].copy_from_slice(&bytes);
        }
        page
    }

    #[test]
    fn vectors() {
        let fsm = page(&[(8, "0000 0000 1800 0020 0020 0420")]);
        assert_eq!(page_checksum(&fsm, 0), 0x6560);
        assert_eq!(page_checksum(&fsm, 1), 0x655F);
        assert_eq!(page_checksum(&fsm, 2), 0x6562);
        let vm = page(&[(5, "106e01"), (12, "18000020 00200420"), (24, "03")]);
        assert_eq!(page_checksum(&vm, 0), 0x9C00);
        let hash = page(&[
            (5, "598901"),
            (12, "1800f01f f01f0420"),
            (8176, "ffffffff ffffffff ffffffff 000080ff"),
        ]);
        assert_eq!(page_checksum(&hash, 33), 0xA36B);
        let btree = page(&[
            (12, "3000f01f f01f0420"),
            (24, "62310500 02000000"),
            (8188, "08"),
        ]);
        assert_eq!(page_checksum(&btree, 0), 0x9A88);
    }

    #[test]
    fn the_stored_checksum_does_not_count() {
        let mut fsm = page(&[(8, "abcd 0000 1800 0020 0020 0420")]);
        assert_eq!(page_checksum(&fsm, 0), 0x6560);
        fsm[10] = 1;
        assert_ne!(page_checksum(&fsm, 0), 0x6560);
    }

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

    fn slow(page: &[u8], blkno: u32) -> u16 {
        // The rule of checksum_impl.h word by word.
        let mut h = START;
        for (i, word) in page.chunks(4).enumerate() {
            let mut v = u32::from_le_bytes(word.try_into().unwrap());
            if i == 2 {
                v &= 0xFFFF_0000;
            }
            h[i % 32] = round(h[i % 32], v);
        }
        for lane in &mut h {
            *lane = round(round(*lane, 0), 0);
        }
        reduce(fold(&h) ^ blkno)
    }

    #[test]
    fn any_block_size_with_and_without_wide_instructions() {
        for size in [1024, 2048, 4096, 8192, 16384, 32768] {
            let page: Vec<u8> = (0..size).map(|i| (i * i % 251) as u8).collect();
            assert_eq!(page_checksum(&page, 99), slow(&page, 99), "{size}");
            assert_eq!(hash(&page), hash_portable(&page));
        }
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

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn nothing_panics(page in proptest::collection::vec(0_u8.., 0..2048), blkno: u32, nblocks: u32) {
            let _ = page_checksum(&page, blkno);
            if let Some(e) = why(&page, blkno, nblocks) {
                drop(e.to_string());
            }
        }
    }
}
