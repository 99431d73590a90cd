//! What `Heap2` records do to line pointers and tuple headers of a page: pruning and
//! freezing.
//!
//! Sources: `access/htup.h` (up to 9.2), `access/heapam_xlog.h`; `heap/heapam.c:
//! heap_xlog_clean`, `heap_xlog_freeze_page`; `heap/heapam_xlog.c: heap_xlog_prune_freeze`.
//! All versions. Where the record has an image of the page the lists may be left out.
//!
//! ```text
//! CLEAN, PRUNE  {from:2 to:2} x nredirected | dead:2 x ndead | unused:2 up to the end
//! VACUUM        unused:2 x nunused                                              (14-16)
//! FREEZE        offnum:2 up to the end                                      (up to 9.3)
//! FREEZE_PAGE   tuple {xmax:4 offnum:2 infomask2:2 infomask:2 flags:1 pad:1} x n   (-15)
//!               plan {xmax:4 infomask2:2 infomask:2 flags:1 pad:1 ntuples:2} x n    (16)
//!               | offnum:2 for each tuple of each plan
//! PRUNE_* (17+) by flag: n:2 pad:2 plans | n:2 redirections | n:2 dead:2 ... |
//!               n:2 unused:2 ... | offnum:2 for each tuple of each plan
//! ```

use super::array::{Array, Element};
use super::heap::OPMASK;
use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{BlockNumber, OffsetNumber, RelFileLocator, TransactionId};
use crate::format::version::{Layout, Major};

/// A line pointer that becomes a redirection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Redirection {
    /// The line pointer.
    pub from: OffsetNumber,
    /// The one it stands for from now on.
    pub to: OffsetNumber,
}

impl Element for Redirection {
    const SIZE: usize = 4;
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            from: c.u16()?,
            to: c.u16()?,
        })
    }
}

/// `xl_heap_freeze_tuple`, 9.3 to 15.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FreezeTuple {
    offnum: OffsetNumber,
    header: FrozenHeader,
}

impl Element for FreezeTuple {
    const SIZE: usize = 12;
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let xmax = TransactionId(c.u32()?);
        let offnum = c.u16()?;
        let header = FrozenHeader::read(c, xmax)?;
        let _pad = c.u8()?;
        Ok(Self { offnum, header })
    }
}

/// `xlhp_freeze_plan` (`xl_heap_freeze_plan` in 16): one change for several tuples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FreezePlan {
    header: FrozenHeader,
    ntuples: u16,
}

impl FreezePlan {
    /// What the headers become.
    #[must_use]
    pub fn header(&self) -> FrozenHeader {
        self.header
    }

    /// Of how many tuples.
    #[must_use]
    pub fn ntuples(&self) -> u16 {
        self.ntuples
    }
}

impl Element for FreezePlan {
    const SIZE: usize = 12;
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let xmax = TransactionId(c.u32()?);
        let header = FrozenHeader::read(c, xmax)?;
        let _pad = c.u8()?;
        Ok(Self {
            header,
            ntuples: c.u16()?,
        })
    }
}

/// What a tuple header becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrozenHeader {
    /// `t_xmax`.
    pub xmax: TransactionId,
    /// `t_infomask2`.
    pub t_infomask2: u16,
    /// `t_infomask`.
    pub t_infomask: u16,
    /// `frzflags`: 1 `t_xmin` becomes frozen (9.3 only), 2 `t_xvac` becomes frozen, 4
    /// `t_xvac` becomes invalid.
    pub frzflags: u8,
}

impl FrozenHeader {
    fn read(c: &mut Cursor<'_>, xmax: TransactionId) -> Result<Self, Malformed> {
        Ok(Self {
            xmax,
            t_infomask2: c.u16()?,
            t_infomask: c.u16()?,
            frzflags: c.u8()?,
        })
    }
}

/// Which tuples are frozen, and how.
#[derive(Clone, Copy, Debug, Default)]
pub enum Freeze<'a> {
    /// None.
    #[default]
    Nothing,
    /// These, by the rules of the version for everything older than a transaction; up to
    /// 9.3.
    Older(TransactionId, Array<'a, u16>),
    /// Each in its own way.
    Tuples(Array<'a, FreezeTuple>),
    /// Each as the plan whose turn it is.
    Plans(Array<'a, FreezePlan>, Array<'a, u16>),
}

impl Freeze<'_> {
    /// The tuples whose new header is given.
    pub fn headers(&self) -> impl Iterator<Item = (OffsetNumber, FrozenHeader)> {
        let (tuples, plans, offsets) = match *self {
            Self::Nothing | Self::Older(..) => (None, None, Array::default()),
            Self::Tuples(tuples) => (Some(tuples), None, Array::default()),
            Self::Plans(plans, offsets) => (None, Some(plans), offsets),
        };
        let planned = plans.into_iter().flat_map(|plans| plans.iter());
        let planned =
            planned.flat_map(|plan| std::iter::repeat_n(plan.header, plan.ntuples.into()));
        let single = tuples.into_iter().flat_map(|tuples| tuples.iter());
        single
            .map(|tuple| (tuple.offnum, tuple.header))
            .chain(offsets.iter().zip(planned))
    }
}

/// Pruning and freezing of one page.
#[derive(Clone, Copy, Debug)]
pub struct Cleanup<'a> {
    /// The relation's files.
    pub locator: RelFileLocator,
    /// The block.
    pub blkno: BlockNumber,
    /// Line pointers that become redirections.
    pub redirected: Array<'a, Redirection>,
    /// Line pointers that become dead.
    pub dead: Array<'a, u16>,
    /// Line pointers that become unused.
    pub unused: Array<'a, u16>,
    /// Tuples that are frozen.
    pub freeze: Freeze<'a>,
}

/// As many elements as the bytes left hold.
fn rest<'a, T: Element>(c: &mut Cursor<'a>) -> Result<Array<'a, T>, Malformed> {
    let n = c.rest().len().checked_div(T::SIZE).unwrap_or(0);
    Array::take(c, i64::try_from(n).unwrap_or(i64::MAX))
}

/// A list headed by its length.
fn list<'a, T: Element>(c: &mut Cursor<'a>) -> Result<Array<'a, T>, Malformed> {
    let n = c.u16()?;
    Array::take(c, n.into())
}

/// Reads the record; `None` when it neither prunes nor freezes.
///
/// # Errors
/// When it is too short for its kind, or a block reference is missing.
pub fn parse<'a>(
    layout: Layout,
    record: &Record<'a, '_>,
) -> Result<Option<Cleanup<'a>>, Malformed> {
    let since = |major| layout.since(major);
    let mut main = Cursor::packed("Heap2 record", record.main);
    let kind = match record.header.rmgr_info() & OPMASK {
        0x10..=0x30 if since(Major::V17) => Kind::PruneFreeze,
        0x10 => Kind::Prune,
        0x20 if since(Major::V14) => Kind::Vacuum,
        0x30 if since(Major::V14) => Kind::FreezePage,
        0x20 if since(Major::V9_3) => Kind::FreezePage,
        0x00 if !since(Major::V9_4) => Kind::Freeze,
        _ => return Ok(None),
    };
    // The lists are the block's data from 9.5 on, before the rest of the main data.
    let (locator, blkno, block) = if since(Major::V9_5) {
        let block = record
            .block(0)
            .ok_or(main.malformed("block reference missing"))?;
        let data = Cursor::packed("Heap2 record", block.data);
        (block.locator, block.blkno, Some(data))
    } else {
        (RelFileLocator::read(&mut main)?, main.u32()?, None)
    };
    let mut cleanup = Cleanup {
        locator,
        blkno,
        redirected: Array::default(),
        dead: Array::default(),
        unused: Array::default(),
        freeze: Freeze::Nothing,
    };
    match kind {
        Kind::Prune => {
            let _latest_removed_xid = main.u32()?;
            let nredirected = main.u16()?;
            let ndead = main.u16()?;
            let mut c = block.unwrap_or(main);
            cleanup.redirected = Array::take(&mut c, nredirected.into())?;
            cleanup.dead = Array::take(&mut c, ndead.into())?;
            cleanup.unused = rest(&mut c)?;
        }
        Kind::Vacuum => {
            let nunused = main.u16()?;
            cleanup.unused = Array::take(&mut block.unwrap_or(main), nunused.into())?;
        }
        Kind::Freeze => {
            let cutoff_xid = TransactionId(main.u32()?);
            if since(Major::V9_3) {
                let _cutoff_multi = main.u32()?;
            }
            cleanup.freeze = Freeze::Older(cutoff_xid, rest(&mut main)?);
        }
        Kind::FreezePage => {
            let _cutoff_xid = main.u32()?;
            let n = main.u16()?;
            if !since(Major::V9_5) {
                main.skip(2)?;
            }
            let mut c = block.unwrap_or(main);
            cleanup.freeze = if since(Major::V16) {
                Freeze::Plans(Array::take(&mut c, n.into())?, rest(&mut c)?)
            } else {
                Freeze::Tuples(Array::take(&mut c, n.into())?)
            };
        }
        Kind::PruneFreeze => {
            let flags = if since(Major::V19) {
                main.u16()?
            } else {
                let _reason = main.u8()?;
                main.u8()?.into()
            };
            let has = |flag: u16| flags & flag != 0;
            let mut c = block.unwrap_or(main);
            let mut plans = Array::default();
            if has(XLHP_HAS_FREEZE_PLANS) {
                let nplans = c.u16()?;
                c.skip(2)?;
                plans = Array::take(&mut c, nplans.into())?;
            }
            if has(XLHP_HAS_REDIRECTIONS) {
                cleanup.redirected = list(&mut c)?;
            }
            if has(XLHP_HAS_DEAD_ITEMS) {
                cleanup.dead = list(&mut c)?;
            }
            if has(XLHP_HAS_NOW_UNUSED_ITEMS) {
                cleanup.unused = list(&mut c)?;
            }
            cleanup.freeze = Freeze::Plans(plans, rest(&mut c)?);
        }
    }
    Ok(Some(cleanup))
}

const XLHP_HAS_FREEZE_PLANS: u16 = 16;
const XLHP_HAS_REDIRECTIONS: u16 = 32;
const XLHP_HAS_DEAD_ITEMS: u16 = 64;
const XLHP_HAS_NOW_UNUSED_ITEMS: u16 = 128;

/// The shapes that the kinds of all versions have.
#[derive(Clone, Copy)]
enum Kind {
    Prune,
    Vacuum,
    Freeze,
    FreezePage,
    PruneFreeze,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::types::XLogRecPtr;
    use crate::format::version::Version;
    use crate::format::wal::{Decoder, RecordHeader};
    use proptest::prelude::*;

    fn halves(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
    }

    /// Hands out what a `Heap2` record of this main data and block data says.
    fn with<R>(
        major: Major,
        info: u8,
        main: &[u8],
        block: &[u8],
        check: impl FnOnce(Result<Option<Cleanup<'_>>, Malformed>) -> R,
    ) -> R {
        let layout = Layout::usual(Version::of(major).unwrap());
        let modern = layout.since(Major::V9_5);
        let locator: Vec<u8> = [1663_u32, 5, 1259]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        let mut bytes = vec![0; RecordHeader::size(layout.version)];
        if modern {
            bytes.extend([0, 0x20]);
            bytes.extend(u16::try_from(block.len()).unwrap().to_le_bytes());
            bytes.extend(&locator);
            bytes.extend(7_u32.to_le_bytes());
            bytes.push(254);
            bytes.extend(u32::try_from(main.len()).unwrap().to_le_bytes());
            bytes.extend(block);
            bytes.extend(main);
        } else {
            bytes.extend(&locator);
            bytes.extend(7_u32.to_le_bytes());
            bytes.extend(main);
        }
        let header = RecordHeader {
            xl_tot_len: u32::try_from(bytes.len()).unwrap(),
            xl_info: info,
            xl_rmid: 9,
            xl_len: u32::try_from(main.len() + 16).unwrap(),
            ..RecordHeader::default()
        };
        let mut decoder = Decoder::new();
        let lsn = XLogRecPtr(0x2000);
        let record = decoder
            .decode(layout, lsn, lsn, header, &bytes)
            .unwrap_or_else(|e| panic!("{e:?}"));
        check(parse(layout, &record))
    }

    fn lists(cleanup: &Cleanup<'_>) -> (Vec<(u16, u16)>, Vec<u16>, Vec<u16>) {
        let redirected = cleanup.redirected.iter().map(|r| (r.from, r.to)).collect();
        (
            redirected,
            cleanup.dead.iter().collect(),
            cleanup.unused.iter().collect(),
        )
    }

    #[test]
    fn line_pointers_of_every_layout() {
        let offsets = halves(&[1, 3, 2, 4, 9]);
        let expected = (vec![(1, 3)], vec![2], vec![4, 9]);
        // latestRemovedXid, nredirected, ndead
        let counts = [731_u32.to_le_bytes().to_vec(), halves(&[1, 1])].concat();
        for (major, main, block) in [
            (
                Major::V9_0,
                [counts.clone(), offsets.clone()].concat(),
                vec![],
            ),
            (
                Major::V9_4,
                [counts.clone(), offsets.clone()].concat(),
                vec![],
            ),
            (Major::V9_5, counts.clone(), offsets.clone()),
            (Major::V16, [counts, vec![1]].concat(), offsets),
            (
                Major::V17,
                vec![0, 32 | 64 | 128],
                halves(&[1, 1, 3, 1, 2, 2, 4, 9]),
            ),
            (
                Major::V19,
                vec![32 | 64 | 128, 0],
                halves(&[1, 1, 3, 1, 2, 2, 4, 9]),
            ),
        ] {
            with(major, 0x10, &main, &block, |cleanup| {
                let cleanup = cleanup.unwrap().unwrap();
                assert_eq!((cleanup.locator.rel_number, cleanup.blkno), (1259, 7));
                assert_eq!(lists(&cleanup), expected, "{major}");
                assert_eq!(cleanup.freeze.headers().count(), 0);
            });
        }
        let vacuum = halves(&[4, 9]);
        with(Major::V15, 0x20, &halves(&[2]), &vacuum, |cleanup| {
            assert_eq!(lists(&cleanup.unwrap().unwrap()).2, [4, 9]);
        });
    }

    #[test]
    fn frozen_headers_of_every_layout() {
        // xmax, offnum or infomask2 ...
        let tuple = [
            0_u32.to_le_bytes().to_vec(),
            halves(&[5, 3, 0x0B00]),
            vec![0; 2],
        ]
        .concat();
        let plan = [
            0_u32.to_le_bytes().to_vec(),
            halves(&[3, 0x0B00]),
            vec![0; 2],
            halves(&[2]),
        ]
        .concat();
        let expected = FrozenHeader {
            xmax: TransactionId(0),
            t_infomask2: 3,
            t_infomask: 0x0B00,
            frzflags: 0,
        };
        let main = [731_u32.to_le_bytes().to_vec(), halves(&[1])].concat();
        let padded = [main.clone(), vec![0; 2], tuple.clone()].concat();
        let planned = [plan.clone(), halves(&[5, 6])].concat();
        let counted = [halves(&[1, 0]), planned.clone()].concat();
        for (major, info, main, block, offnums) in [
            (Major::V9_3, 0x20, padded.clone(), vec![], vec![5]),
            (Major::V9_4, 0x20, padded, vec![], vec![5]),
            (Major::V13, 0x20, main.clone(), tuple.clone(), vec![5]),
            (Major::V15, 0x30, main.clone(), tuple, vec![5]),
            (
                Major::V16,
                0x30,
                [main, vec![0]].concat(),
                planned,
                vec![5, 6],
            ),
            (Major::V17, 0x20, vec![0, 16], counted, vec![5, 6]),
        ] {
            with(major, info & 0xF0, &main, &block, |cleanup| {
                let freeze = cleanup.unwrap().unwrap().freeze;
                let expected: Vec<_> = offnums.iter().map(|n| (*n, expected)).collect();
                assert_eq!(freeze.headers().collect::<Vec<_>>(), expected, "{major}");
            });
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            main in proptest::collection::vec(any::<u8>(), 0..60),
            block in proptest::collection::vec(any::<u8>(), 1..60),
            info: u8,
            row in 0_usize..17,
        ) {
            let major = crate::format::version::VERSIONS[row].major;
            with(major, info & 0xF0, &main, &block, |cleanup| {
                if let Ok(Some(cleanup)) = cleanup {
                    lists(&cleanup);
                    // At most one for each offset number in the record.
                    prop_assert!(cleanup.freeze.headers().count() <= 60);
                }
                Ok(())
            })?;
        }
    }
}
