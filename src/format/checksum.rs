//! The page checksum of 9.3 and later.
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

use super::types::BlockNumber;

const LANES: usize = 32;
type Lanes = [u32; LANES];
pub(super) type Row = [u8; LANES * 4];

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
pub(super) fn finished_lanes(page: &[u8]) -> Lanes {
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
pub(super) fn hash(page: &[u8]) -> u32 {
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
pub(super) fn reduce(hash: u32) -> u16 {
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

/// Calls `found(row, lane, bit, lane's end value)` for each bit of the page turned over.
pub(super) fn try_bits(page: &[u8], found: &mut impl FnMut(usize, usize, usize, u32)) {
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

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn nothing_panics(page in proptest::collection::vec(0_u8.., 0..2048), blkno: u32) {
            let _ = page_checksum(&page, blkno);
        }
    }
}
