//! What kind of page this is, from its special space; the special space and the meta page of
//! each index access method.
//!
//! Sources: `access/nbtree.h`, `access/hash.h`, `access/ginblock.h` (`gin.h` in 9.0,
//! `gin_private.h` 9.1 to 9.6), `access/gist.h`, `access/spgist_private.h`,
//! `access/brin_page.h`, `commands/sequence.c`.
//!
//! ```text
//!          pd_special                                              blcksz
//!  btree    | prev 4 | next 4 | level or xact 4 | flags 2 | cycleid 2 |
//!  hash     | prev 4 | next 4 | bucket 4        | flags 2 | 0xFF80    |
//!  gist     | nsn 8           | rightlink 4     | flags 2 | 0xFF81    |
//!  gin                        | rightlink 4 | maxoff 2  | flags 2     |
//!  spgist                     | flags 2 | nRedir 2 | nPlace 2 | 0xFF82|
//!  brin                       | unused 4    | flags 2   | 0xF091..93  |
//!  sequence                   | 0x00001717 4 | unused 4               |
//! ```
//! A meta page keeps its structure right after the page header, magic number first.

use super::page::{ItemPointer, LpFlags, PageHeader, line_pointers, u16_at, u32_at, u64_at};
use super::types::{BlockNumber, OffsetNumber, Oid, XLogRecPtr};
use super::version::{Layout, Major};
use std::fmt;

/// What wrote a page, as far as its special space tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PageKind {
    /// No special space: a heap, or a map.
    Heap,
    /// Special space of 16 bytes without an id.
    Btree,
    /// Id 0xFF80.
    Hash,
    /// Special space of 8 bytes without an id.
    Gin,
    /// Id 0xFF81.
    Gist,
    /// Id 0xFF82.
    SpGist,
    /// Page types 0xF091 to 0xF093.
    Brin,
    /// Magic number 0x1717.
    Sequence,
    /// A special space of a size that no access method of the core has; bytes.
    Unknown(u16),
}

impl PageKind {
    /// The kind that an index access method of the core writes, by its row of `pg_am`, whose
    /// numbers are the same in all versions (`pg_am.dat`, up to 10 `pg_am.h`).
    #[must_use]
    pub fn of_access_method(relam: Oid) -> Option<Self> {
        match relam {
            403 => Some(Self::Btree),
            405 => Some(Self::Hash),
            783 => Some(Self::Gist),
            2742 => Some(Self::Gin),
            3580 => Some(Self::Brin),
            4000 => Some(Self::SpGist),
            _ => None,
        }
    }
}

impl fmt::Display for PageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heap => f.write_str("heap"),
            Self::Btree => f.write_str("btree"),
            Self::Hash => f.write_str("hash"),
            Self::Gin => f.write_str("gin"),
            Self::Gist => f.write_str("gist"),
            Self::SpGist => f.write_str("spgist"),
            Self::Brin => f.write_str("brin"),
            Self::Sequence => f.write_str("sequence"),
            Self::Unknown(size) => write!(f, "unknown, special space of {size} bytes"),
        }
    }
}

/// `BTP_LEAF`.
pub const BTP_LEAF: u16 = 1;
/// `BTP_ROOT`.
pub const BTP_ROOT: u16 = 2;
/// `BTP_DELETED`.
pub const BTP_DELETED: u16 = 4;
/// `BTP_META`.
pub const BTP_META: u16 = 8;
/// `BTP_HALF_DEAD`.
pub const BTP_HALF_DEAD: u16 = 16;
/// `BTP_INCOMPLETE_SPLIT`, 9.4 and later.
pub const BTP_INCOMPLETE_SPLIT: u16 = 128;
/// `BTP_HAS_FULLXID`, 14 and later.
pub const BTP_HAS_FULLXID: u16 = 256;
/// `LH_META_PAGE`.
pub const LH_META_PAGE: u16 = 8;
/// `GIN_META`.
pub const GIN_META: u16 = 8;
/// `GIN_DATA`: a posting tree's page, without line pointers.
pub const GIN_DATA: u16 = 1;
/// `SPGIST_META`.
pub const SPGIST_META: u16 = 1;
/// `BRIN_PAGETYPE_META`.
pub const BRIN_PAGETYPE_META: u16 = 0xF091;
/// `BRIN_PAGETYPE_REVMAP`.
pub const BRIN_PAGETYPE_REVMAP: u16 = 0xF092;

/// `LH_OVERFLOW_PAGE` and `LH_BUCKET_PAGE`: pages with entries.
const LH_ENTRIES: u16 = 1 | 2;
/// `F_LEAF`.
const GIST_LEAF: u16 = 1;
/// `F_DELETED`.
const GIST_DELETED: u16 = 2;
/// `INDEX_ALT_TID_MASK`: `t_tid` of a B-tree entry is not that of a row.
const INDEX_ALT_TID_MASK: u16 = 0x2000;
/// `BT_IS_POSTING`, with the number of rows in `BT_OFFSET_MASK`.
const BT_IS_POSTING: u16 = 0x2000;
const BT_OFFSET_MASK: u16 = 0x0FFF;
const HASHO_PAGE_ID: u16 = 0xFF80;
const GIST_PAGE_ID: u16 = 0xFF81;
const SPGIST_PAGE_ID: u16 = 0xFF82;
const SEQ_MAGIC: u32 = 0x1717;

/// The special space, parsed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Special {
    /// There is none.
    None,
    /// `BTPageOpaqueData`.
    Btree {
        /// Left sibling, 0 if none.
        btpo_prev: BlockNumber,
        /// Right sibling, 0 if none.
        btpo_next: BlockNumber,
        /// Level from the leaves, 0; the deleting transaction on deleted pages up to 13.
        level: u32,
        /// `BTP_*` bits.
        btpo_flags: u16,
        /// `VACUUM` in the course of which the page was split.
        btpo_cycleid: u16,
    },
    /// `HashPageOpaqueData`.
    Hash {
        /// Page before; number of buckets at the last split for bucket pages from 10 on.
        hasho_prevblkno: BlockNumber,
        /// Page after.
        hasho_nextblkno: BlockNumber,
        /// Bucket.
        hasho_bucket: u32,
        /// `LH_*` bits.
        hasho_flag: u16,
    },
    /// `GinPageOpaqueData`.
    Gin {
        /// Right sibling.
        rightlink: BlockNumber,
        /// Items on a posting tree's page; rows on a pending list's page.
        maxoff: u16,
        /// `GIN_*` bits.
        flags: u16,
    },
    /// `GISTPageOpaqueData`.
    Gist {
        /// WAL position of the last split.
        nsn: XLogRecPtr,
        /// Right sibling.
        rightlink: BlockNumber,
        /// `F_*` bits.
        flags: u16,
    },
    /// `SpGistPageOpaqueData`.
    SpGist {
        /// `SPGIST_*` bits.
        flags: u16,
        /// Redirection tuples.
        n_redirection: u16,
        /// Placeholder tuples.
        n_placeholder: u16,
    },
    /// `BrinSpecialSpace`.
    Brin {
        /// `BRIN_EVACUATE_PAGE`.
        flags: u16,
        /// `BRIN_PAGETYPE_*`.
        page_type: u16,
    },
    /// `sequence_magic`.
    Sequence,
    /// Something else, of this many bytes.
    Unknown(u16),
}

impl Special {
    /// Reads the special space of a page.
    #[must_use]
    pub fn parse(page: &[u8], header: &PageHeader) -> Self {
        let at = usize::from(header.pd_special);
        let special = page.get(at..).unwrap_or_default();
        let size = u16::try_from(special.len()).unwrap_or(u16::MAX);
        let half = |at| u16_at(special, at).unwrap_or(0);
        let word = |at| u32_at(special, at).unwrap_or(0);
        match (size, half(usize::from(size.saturating_sub(2)))) {
            (0, _) => Self::None,
            (16, HASHO_PAGE_ID) => Self::Hash {
                hasho_prevblkno: word(0),
                hasho_nextblkno: word(4),
                hasho_bucket: word(8),
                hasho_flag: half(12),
            },
            (16, GIST_PAGE_ID) => Self::Gist {
                nsn: XLogRecPtr::from_halves(word(0), word(4)),
                rightlink: word(8),
                flags: half(12),
            },
            (16, _) => Self::Btree {
                btpo_prev: word(0),
                btpo_next: word(4),
                level: word(8),
                btpo_flags: half(12),
                btpo_cycleid: half(14),
            },
            (8, SPGIST_PAGE_ID) => Self::SpGist {
                flags: half(0),
                n_redirection: half(2),
                n_placeholder: half(4),
            },
            (8, page_type @ 0xF091..=0xF093) => Self::Brin {
                flags: half(4),
                page_type,
            },
            (8, _) if word(0) == SEQ_MAGIC => Self::Sequence,
            (8, _) => Self::Gin {
                rightlink: word(0),
                maxoff: half(4),
                flags: half(6),
            },
            _ => Self::Unknown(size),
        }
    }

    /// The kind of page.
    #[must_use]
    pub fn kind(&self) -> PageKind {
        match *self {
            Self::None => PageKind::Heap,
            Self::Btree { .. } => PageKind::Btree,
            Self::Hash { .. } => PageKind::Hash,
            Self::Gin { .. } => PageKind::Gin,
            Self::Gist { .. } => PageKind::Gist,
            Self::SpGist { .. } => PageKind::SpGist,
            Self::Brin { .. } => PageKind::Brin,
            Self::Sequence => PageKind::Sequence,
            Self::Unknown(size) => PageKind::Unknown(size),
        }
    }

    /// The flags, where the kind has some.
    #[must_use]
    pub fn flags(&self) -> Option<u16> {
        match *self {
            Self::Btree { btpo_flags, .. } => Some(btpo_flags),
            Self::Hash { hasho_flag, .. } => Some(hasho_flag),
            Self::Gin { flags, .. }
            | Self::Gist { flags, .. }
            | Self::SpGist { flags, .. }
            | Self::Brin { flags, .. } => Some(flags),
            Self::None | Self::Sequence | Self::Unknown(_) => None,
        }
    }

    /// Names of the flags' bits, lowest first: those the version knows.
    #[must_use]
    pub fn flag_names(&self, layout: &Layout) -> &'static [&'static str] {
        let names: &[&str] = match self {
            Self::Btree { .. } => &[
                "LEAF",
                "ROOT",
                "DELETED",
                "META",
                "HALF_DEAD",
                "SPLIT_END",
                "HAS_GARBAGE",
                "INCOMPLETE_SPLIT",
                "HAS_FULLXID",
            ],
            Self::Hash { .. } => &[
                "OVERFLOW",
                "BUCKET",
                "BITMAP",
                "META",
                "BEING_POPULATED",
                "BEING_SPLIT",
                "NEEDS_SPLIT_CLEANUP",
                "HAS_DEAD_TUPLES",
            ],
            Self::Gin { .. } => &[
                "DATA",
                "LEAF",
                "DELETED",
                "META",
                "LIST",
                "LIST_FULLROW",
                "INCOMPLETE_SPLIT",
                "COMPRESSED",
            ],
            Self::Gist { .. } => &[
                "LEAF",
                "DELETED",
                "TUPLES_DELETED",
                "FOLLOW_RIGHT",
                "HAS_GARBAGE",
            ],
            Self::SpGist { .. } => &["META", "DELETED", "LEAF", "NULLS"],
            Self::Brin { .. } => &["EVACUATE_PAGE"],
            Self::None | Self::Sequence | Self::Unknown(_) => &[],
        };
        let known = match self {
            Self::Btree { .. } if layout.since(Major::V14) => 9,
            Self::Btree { .. } if layout.since(Major::V9_4) => 8,
            Self::Btree { .. } => 7,
            Self::Hash { .. } if !layout.since(Major::V10) => 4,
            Self::Gin { .. } if !layout.since(Major::V9_4) => 6,
            Self::Gist { .. } if !layout.since(Major::V9_1) => 3,
            Self::Gist { .. } if !layout.since(Major::V9_6) => 4,
            _ => names.len(),
        };
        names.get(..known).unwrap_or(names)
    }

    /// Flags that the version does not know.
    #[must_use]
    pub fn unknown_flags(&self, layout: &Layout) -> u16 {
        let known = u32::try_from(self.flag_names(layout).len()).unwrap_or(0);
        self.flags()
            .map_or(0, |flags| flags & u16::MAX.checked_shl(known).unwrap_or(0))
    }

    /// Whether line pointers follow the page header. Meta pages, posting trees, bitmaps and
    /// revmaps keep something else there.
    #[must_use]
    pub fn has_line_pointers(&self) -> bool {
        match *self {
            Self::Btree { btpo_flags, .. } => btpo_flags & BTP_META == 0,
            Self::Hash { hasho_flag, .. } => hasho_flag & (LH_META_PAGE | 4) == 0,
            Self::Gin { flags, .. } => flags & (GIN_META | GIN_DATA) == 0,
            Self::SpGist { flags, .. } => flags & SPGIST_META == 0,
            Self::Brin { page_type, .. } => {
                page_type != BRIN_PAGETYPE_META && page_type != BRIN_PAGETYPE_REVMAP
            }
            Self::None | Self::Gist { .. } | Self::Sequence => true,
            Self::Unknown(_) => false,
        }
    }

    /// `LH_UNUSED_PAGE`: a page of a hash index without a use yet.
    #[must_use]
    pub fn is_unused_hash_page(&self) -> bool {
        // LH_PAGE_TYPE: overflow, bucket, bitmap and meta page.
        matches!(self, Self::Hash { hasho_flag, .. } if hasho_flag & 0x0F == 0)
    }

    /// Whether the page says that it is its index's meta page.
    #[must_use]
    pub fn is_meta(&self) -> bool {
        match *self {
            Self::Btree { btpo_flags, .. } => btpo_flags & BTP_META != 0,
            Self::Hash { hasho_flag, .. } => hasho_flag & LH_META_PAGE != 0,
            Self::Gin { flags, .. } => flags & GIN_META != 0,
            Self::SpGist { flags, .. } => flags & SPGIST_META != 0,
            Self::Brin { page_type, .. } => page_type == BRIN_PAGETYPE_META,
            Self::None | Self::Gist { .. } | Self::Sequence | Self::Unknown(_) => false,
        }
    }
}

/// The last block of the table that the entries of an index page lead to, and the entry: of
/// leaves of B-trees and GiST indexes and of hash buckets. Entries known to be dead, and high
/// keys, do not count.
#[must_use]
pub fn last_block_led_to(
    page: &[u8],
    header: &PageHeader,
    layout: &Layout,
) -> Option<(BlockNumber, OffsetNumber)> {
    let special = Special::parse(page, header);
    let first = match special {
        Special::Btree {
            btpo_next,
            btpo_flags,
            ..
        } => {
            let kinds = BTP_LEAF | BTP_DELETED | BTP_META | BTP_HALF_DEAD;
            if btpo_flags & kinds != BTP_LEAF {
                return None;
            }
            // nbtree.h: P_FIRSTDATAKEY.
            if btpo_next == 0 { 1 } else { 2 }
        }
        Special::Hash { hasho_flag, .. } if hasho_flag & LH_ENTRIES != 0 => 1,
        Special::Gist { flags, .. } if flags & (GIST_LEAF | GIST_DELETED) == GIST_LEAF => 1,
        _ => return None,
    };
    let is_btree = special.kind() == PageKind::Btree;
    line_pointers(page, header)
        .filter(|(offnum, lp)| *offnum >= first && lp.flags() == LpFlags::Normal)
        .filter_map(|(offnum, lp)| {
            let entry = lp.bytes(page)?;
            let info = u16_at(entry, 6)?;
            let own = ItemPointer::read(entry)?;
            let is_alternative = is_btree && info & INDEX_ALT_TID_MASK != 0;
            if !is_alternative {
                return Some((own.block, offnum));
            }
            // nbtree.h: BTreeTupleGetPosting; 13 and later.
            if !layout.since(Major::V13) || own.offnum & BT_IS_POSTING == 0 {
                return None;
            }
            let rows = usize::from(own.offnum & BT_OFFSET_MASK);
            let last = rows.checked_sub(1)?.checked_mul(6)?;
            let at = usize::try_from(own.block).ok()?.checked_add(last)?;
            Some((ItemPointer::read(entry.get(at..)?)?.block, offnum))
        })
        .max()
}

/// The head of a meta page. 24 is the byte offset of all of them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Meta {
    /// `BTMetaPageData`.
    Btree {
        /// 0x053162.
        btm_magic: u32,
        /// 2; 3 from 11, 4 from 12 on.
        btm_version: u32,
        /// Root page, 0 if none.
        btm_root: BlockNumber,
        /// Its level.
        btm_level: u32,
        /// The page where searches start.
        btm_fastroot: BlockNumber,
        /// Its level.
        btm_fastlevel: u32,
    },
    /// `HashMetaPageData`.
    Hash {
        /// 0x06440640.
        hashm_magic: u32,
        /// 2; 4 from 10 on.
        hashm_version: u32,
        /// Tuples, as a double.
        hashm_ntuples: f64,
        /// Highest bucket.
        hashm_maxbucket: u32,
    },
    /// `GinMetaPageData`, which has no magic number.
    Gin {
        /// First page of the pending list.
        head: BlockNumber,
        /// Last page of the pending list.
        tail: BlockNumber,
        /// Pages of the pending list.
        n_pending_pages: u32,
        /// Rows in the pending list.
        n_pending_heap_tuples: u64,
        /// 0 in 9.0, 1 to 9.3, 2 from 9.4 on.
        gin_version: u32,
    },
    /// `SpGistMetaPageData`.
    SpGist {
        /// 0xBA0BABEE.
        magic_number: u32,
    },
    /// `BrinMetaPageData`.
    Brin {
        /// 0xA8109CFA.
        brin_magic: u32,
        /// 1.
        brin_version: u32,
        /// Heap blocks that an entry sums up.
        pages_per_range: u32,
        /// Last page of the revmap.
        last_revmap_page: BlockNumber,
    },
}

/// A meta page that is not one of its access method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetaFault {
    /// Another magic number.
    Magic {
        /// On the page.
        found: u32,
        /// Of the access method.
        expected: u32,
    },
    /// A version that this PostgreSQL does not read.
    Version {
        /// On the page.
        found: u32,
        /// The oldest it reads.
        min: u32,
        /// Its own.
        max: u32,
    },
}

impl fmt::Display for MetaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic { found, expected } => {
                write!(
                    f,
                    "magic number is 0x{found:08X}, expected 0x{expected:08X}"
                )
            }
            Self::Version { found, min, max } => {
                write!(f, "version is {found}, expected {min} to {max}")
            }
        }
    }
}

impl Meta {
    /// Reads the meta page of an index of the given kind; `None` for kinds without one.
    #[must_use]
    pub fn parse(page: &[u8], kind: PageKind) -> Option<Self> {
        let meta = page.get(24..)?;
        let word = |at| u32_at(meta, at).unwrap_or(0);
        let long = |at| u64_at(meta, at).unwrap_or(0);
        Some(match kind {
            PageKind::Btree => Self::Btree {
                btm_magic: word(0),
                btm_version: word(4),
                btm_root: word(8),
                btm_level: word(12),
                btm_fastroot: word(16),
                btm_fastlevel: word(20),
            },
            PageKind::Hash => Self::Hash {
                hashm_magic: word(0),
                hashm_version: word(4),
                hashm_ntuples: f64::from_bits(long(8)),
                hashm_maxbucket: word(24),
            },
            PageKind::Gin => Self::Gin {
                head: word(0),
                tail: word(4),
                n_pending_pages: word(12),
                n_pending_heap_tuples: long(16),
                gin_version: word(48),
            },
            PageKind::SpGist => Self::SpGist {
                magic_number: word(0),
            },
            PageKind::Brin => Self::Brin {
                brin_magic: word(0),
                brin_version: word(4),
                pages_per_range: word(8),
                last_revmap_page: word(12),
            },
            PageKind::Heap | PageKind::Gist | PageKind::Sequence | PageKind::Unknown(_) => {
                return None;
            }
        })
    }

    /// Whether the magic number is not that of the access method, or the version none that
    /// the server reads.
    #[must_use]
    pub fn fault(&self, layout: &Layout) -> Option<MetaFault> {
        let (found, expected, version, min, max) = match *self {
            Self::Btree {
                btm_magic,
                btm_version,
                ..
            } => {
                let own = if layout.since(Major::V12) {
                    4
                } else if layout.since(Major::V11) {
                    3
                } else {
                    2
                };
                (btm_magic, 0x0005_3162, btm_version, 2, own)
            }
            // pg_upgrade keeps hash indexes of before 10, as invalid ones.
            Self::Hash {
                hashm_magic,
                hashm_version,
                ..
            } => {
                let own = if layout.since(Major::V10) { 4 } else { 2 };
                (hashm_magic, 0x0644_0640, hashm_version, 2, own)
            }
            Self::Gin { gin_version, .. } => {
                let own = if layout.since(Major::V9_4) {
                    2
                } else {
                    u32::from(layout.since(Major::V9_1))
                };
                (0, 0, gin_version, 0, own)
            }
            Self::SpGist { magic_number } => (magic_number, 0xBA0B_ABEE, 0, 0, 0),
            Self::Brin {
                brin_magic,
                brin_version,
                ..
            } => (brin_magic, 0xA810_9CFA, brin_version, 1, 1),
        };
        if found != expected {
            return Some(MetaFault::Magic { found, expected });
        }
        (version < min || version > max).then_some(MetaFault::Version {
            found: version,
            min,
            max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::page::tests::{empty, layout};

    fn special(bytes: &[u8]) -> Special {
        let mut page = empty(bytes.len() as u16);
        let at = page.len() - bytes.len();
        page[at..].copy_from_slice(bytes);
        Special::parse(&page, &PageHeader::parse(&page).unwrap())
    }

    #[test]
    fn kinds_at_sight() {
        let of = |hex: &str| special(&hex::decode(hex.replace(' ', "")).unwrap()).kind();
        assert_eq!(of(""), PageKind::Heap);
        assert_eq!(of("00000000 00000000 00000000 0300 0000"), PageKind::Btree);
        assert_eq!(of("ffffffff ffffffff ffffffff 0000 80ff"), PageKind::Hash);
        assert_eq!(of("00000000 00000000 ffffffff 0100 81ff"), PageKind::Gist);
        assert_eq!(of("0400 0000 0000 82ff"), PageKind::SpGist);
        assert_eq!(of("0000 0000 0000 91f0"), PageKind::Brin);
        assert_eq!(of("1717 0000 0000 0000"), PageKind::Sequence);
        assert_eq!(of("ffffffff 0000 0200"), PageKind::Gin);
        assert_eq!(of("00"), PageKind::Unknown(1));
    }

    #[test]
    fn flags_by_version() {
        let page = special(&hex::decode("00000000000000000000000080010000").unwrap());
        assert_eq!(page.unknown_flags(&layout(Major::V14)), 0);
        assert_eq!(page.unknown_flags(&layout(Major::V13)), 0x100);
        assert_eq!(page.unknown_flags(&layout(Major::V9_3)), 0x180);
        assert_eq!(page.flag_names(&layout(Major::V9_4)).len(), 8);
    }

    #[test]
    fn meta_pages() {
        let mut page = empty(16);
        page[24..32].copy_from_slice(&[0x62, 0x31, 5, 0, 4, 0, 0, 0]);
        let meta = Meta::parse(&page, PageKind::Btree).unwrap();
        assert_eq!(meta.fault(&layout(Major::V12)), None);
        let fault = MetaFault::Version {
            found: 4,
            min: 2,
            max: 3,
        };
        assert_eq!(meta.fault(&layout(Major::V11)), Some(fault));
        page[24] = 0;
        let meta = Meta::parse(&page, PageKind::Btree).unwrap();
        assert_eq!(
            meta.fault(&layout(Major::V12)).unwrap().to_string(),
            "magic number is 0x00053100, expected 0x00053162"
        );
        assert_eq!(Meta::parse(&page, PageKind::Gist), None);
    }

    proptest::proptest! {
        #[test]
        fn garbage(bytes in proptest::collection::vec(0_u8.., 0..64), at: u16) {
            let header = PageHeader { pd_special: at % 80, ..PageHeader::default() };
            let special = Special::parse(&bytes, &header);
            let _ = special.unknown_flags(&layout(Major::V9_0));
            if let Some(meta) = Meta::parse(&bytes, special.kind()) {
                drop(meta.fault(&layout(Major::V19)).map(|f| f.to_string()));
            }
        }
    }
}
