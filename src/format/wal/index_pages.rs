//! Which pages the index records of 9.0 to 9.4 change. From 9.5 on block references say
//! it; before, only each record's main data does.
//!
//! Sources: `access/nbtree.h`, `access/gin.h` and `gin_private.h`, `access/gist_private.h`,
//! `access/spgist_private.h` of those versions and the redo functions `nbtxlog.c`,
//! `ginxlog.c`, `gistxlog.c`, `spgxlog.c`. Hash indexes had no WAL.
//!
//! ```text
//! Btree  INSERT_*          locator:12 block hi:2 lo:2 offnum:2 | 18 child:4 (9.4, not leaf)
//!        SPLIT_*           locator:12 | 12 left:4 | 16 right:4 | 20 next:4
//!        DELETE, VACUUM    locator:12 | 12 blkno:4
//!        NEWROOT           locator:12 | 12 root:4
//!        DELETE_PAGE*      target as INSERT | 20 dead:4 | 24 left:4 | 28 right:4   (up to 9.3)
//!        MARK_PAGE_HALFDEAD target as INSERT | 20 leaf:4                           (9.4)
//!        UNLINK_PAGE*      locator:12 | 12 dead:4 | 16 left:4 | 20 right:4 | 24 leaf:4
//!                          | 28 leafleft:4 | 32 leafright:4 | 36 top:4 | 40 xact:4 (9.4)
//! Gin    all               locator:12 | 12 blkno:4
//!        INSERT            16 flags:2 | 20 child hi:2 lo:2 (9.4)
//!        SPLIT             12 left:4 | 16 root:4 | 20 right:4 | 34 isRootSplit
//!                          (9.4: 16 right:4 | 20 root or right link:4 | 24 child:4 | 32 flags:2)
//!        DELETE_PAGE       12 blkno:4 | 16 parent:4 | 24 left:4
//!        UPDATE_META_PAGE  16 meta page (20 tail:4) | 72 prevTail:4 | 80 ntuples:4 (9.0: 40, 48)
//!        DELETE_LISTPAGE   16 meta page | 72 n:4 | 76 blkno:4 ...         (9.0: 40, 44)
//! Gist   PAGE_UPDATE       12 blkno:4 | 16 left child:4 (9.1+)
//!        PAGE_SPLIT        per page blkno:4 num:4, index tuples
//! SPGist ADD_LEAF          12 leaf:4 | 16 newPage | 24 parent:4
//!        MOVE_LEAFS        12 src:4 | 16 dst:4 | 22 newPage | 28 parent:4
//!        ADD_NODE          12 blkno:4 | 20 parent:4 | 28 new:4 | 34 newPage
//!        SPLIT_TUPLE       12 prefix:4 | 20 postfix:4 | 26 newPage
//!        PICKSPLIT         12 src:4 | 16 dest:4 | 24 initSrc | 25 initDest | 28 inner:4
//!                          | 34 initInner | 36 parent:4
//! ```

use super::array::Element;
use super::record::Record;
use super::rmgr::{RM_BTREE_ID, RM_GIN_ID, RM_GIST_ID, RM_SPGIST_ID};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{BlockNumber, INVALID_BLOCK_NUMBER, RelFileLocator};
use crate::format::version::{Layout, Major};

/// What redo does to a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// Makes it anew, without reading it.
    Init,
    /// Changes what is there.
    Modify,
}

/// The fields of a record at their places.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn cursor(&self, at: usize) -> Result<Cursor<'_>, Malformed> {
        let mut c = Cursor::packed("index record", self.0);
        c.skip(at)?;
        Ok(c)
    }

    fn block(&self, at: usize) -> Result<BlockNumber, Malformed> {
        self.cursor(at)?.u32()
    }

    fn flag(&self, at: usize) -> Result<bool, Malformed> {
        self.cursor(at)?.bool()
    }

    fn init_if(&self, at: usize) -> Result<Change, Malformed> {
        Ok(if self.flag(at)? {
            Change::Init
        } else {
            Change::Modify
        })
    }

    /// `BlockIdData` of an item pointer.
    fn item_block(&self, at: usize) -> Result<BlockNumber, Malformed> {
        let mut c = self.cursor(at)?;
        let high = c.u16()?;
        Ok(u32::from(high) << 16 | u32::from(c.u16()?))
    }
}

/// Names every page of the index that a record of 9.0 to 9.4 changes.
///
/// Not named are the children in which 9.4's `SPLIT_*` and `NEWROOT` of a btree clear
/// `BTP_INCOMPLETE_SPLIT`: their place in the record depends on the tuples in it.
///
/// # Errors
/// When the record is too short for its kind; pages named before that stand.
pub(super) fn pages(
    layout: Layout,
    record: &Record<'_, '_>,
    each: &mut dyn FnMut(RelFileLocator, BlockNumber, Change),
) -> Result<(), Malformed> {
    let locator = RelFileLocator::read(&mut Cursor::packed("index record", record.main))?;
    let f = Fields(record.main);
    let info = record.header.rmgr_info();
    let mut page = |blkno: BlockNumber, change: Change| {
        if blkno != INVALID_BLOCK_NUMBER {
            each(locator, blkno, change);
        }
    };
    match record.header.xl_rmid {
        RM_BTREE_ID => btree(layout, record.header.xl_info, &f, &mut page),
        RM_GIN_ID => gin(layout, info, &f, &mut page),
        RM_GIST_ID => gist(layout, info, &f, &mut page),
        RM_SPGIST_ID => spgist(info, &f, &mut page),
        _ => Ok(()),
    }
}

fn btree(
    layout: Layout,
    xl_info: u8,
    f: &Fields<'_>,
    page: &mut dyn FnMut(BlockNumber, Change),
) -> Result<(), Malformed> {
    const METAPAGE: BlockNumber = 0;
    // P_NONE is block 0, the metapage.
    let sibling = |blkno: BlockNumber, page: &mut dyn FnMut(BlockNumber, Change)| {
        if blkno != 0 {
            page(blkno, Change::Modify);
        }
    };
    let info = xl_info & 0xF0;
    match info {
        0x00..=0x20 => {
            page(f.item_block(12)?, Change::Modify);
            // Of the child whose split this finishes; left out when its image is there.
            if info != 0 && layout.since(Major::V9_4) && xl_info & 0x08 == 0 {
                page(f.block(18)?, Change::Modify);
            }
            if info == 0x20 {
                page(METAPAGE, Change::Init);
            }
        }
        0x30..=0x60 => {
            page(f.block(12)?, Change::Modify);
            page(f.block(16)?, Change::Init);
            sibling(f.block(20)?, page);
        }
        0x70 | 0xC0 => page(f.block(12)?, Change::Modify),
        0xA0 => {
            page(f.block(12)?, Change::Init);
            page(METAPAGE, Change::Init);
        }
        0x80 | 0x90 if layout.since(Major::V9_4) => {
            let dead = f.block(12)?;
            sibling(f.block(16)?, page);
            sibling(f.block(20)?, page);
            page(dead, Change::Init);
            let leaf = f.block(24)?;
            if leaf != dead {
                page(leaf, Change::Init);
            }
            if info == 0x90 {
                page(METAPAGE, Change::Init);
            }
        }
        0xB0 if layout.since(Major::V9_4) => {
            page(f.item_block(12)?, Change::Modify);
            page(f.block(20)?, Change::Init);
        }
        0x80 | 0x90 | 0xB0 => {
            page(f.item_block(12)?, Change::Modify);
            page(f.block(20)?, Change::Init);
            sibling(f.block(24)?, page);
            sibling(f.block(28)?, page);
            if info == 0x90 {
                page(METAPAGE, Change::Init);
            }
        }
        // 0xD0, REUSE_PAGE, changes nothing.
        _ => {}
    }
    Ok(())
}

fn gin(
    layout: Layout,
    info: u8,
    f: &Fields<'_>,
    page: &mut dyn FnMut(BlockNumber, Change),
) -> Result<(), Malformed> {
    const METAPAGE: BlockNumber = 0;
    const ROOT: BlockNumber = 1;
    const INSERT_ISLEAF: u16 = 0x02;
    const SPLIT_ROOT: u16 = 0x04;
    match info {
        0x00 => {
            page(METAPAGE, Change::Init);
            page(ROOT, Change::Init);
        }
        // CREATE_PTREE, INSERT_LISTPAGE
        0x10 | 0x70 => page(f.block(12)?, Change::Init),
        0x20 if layout.since(Major::V9_4) => {
            page(f.block(12)?, Change::Modify);
            if f.cursor(16)?.u16()? & INSERT_ISLEAF == 0 {
                page(f.item_block(20)?, Change::Modify);
            }
        }
        // INSERT, VACUUM_PAGE, VACUUM_DATA_LEAF_PAGE
        0x20 | 0x40 | 0x90 => page(f.block(12)?, Change::Modify),
        0x30 if layout.since(Major::V9_4) => {
            page(f.block(12)?, Change::Init);
            page(f.block(16)?, Change::Init);
            let flags = f.cursor(32)?.u16()?;
            if flags & SPLIT_ROOT != 0 {
                page(f.block(20)?, Change::Init);
            }
            if flags & INSERT_ISLEAF == 0 {
                page(f.block(24)?, Change::Modify);
            }
        }
        0x30 => {
            // Left and root page are read before they are made anew, unless the left one
            // takes the place of the root.
            page(f.block(12)?, f.init_if(34)?);
            page(f.block(20)?, Change::Init);
            if f.flag(34)? {
                page(f.block(16)?, Change::Modify);
            }
        }
        0x50 => {
            page(f.block(12)?, Change::Modify);
            page(f.block(16)?, Change::Modify);
            page(f.block(24)?, Change::Modify);
        }
        0x60 => {
            page(METAPAGE, Change::Modify);
            // GinMetaPageData grew in 9.1. Behind it: prevTail, newRightlink, ntuples.
            let behind = if layout.since(Major::V9_1) { 72 } else { 40 };
            let mut c = f.cursor(behind)?;
            let prev_tail = c.u32()?;
            let _new_rightlink = c.u32()?;
            if c.i32()? > 0 {
                page(f.block(20)?, Change::Modify);
            } else {
                page(prev_tail, Change::Modify);
            }
        }
        0x80 => {
            page(METAPAGE, Change::Modify);
            let at = if layout.since(Major::V9_1) { 72 } else { 40 };
            let mut c = f.cursor(at)?;
            // GIN_NDELETE_AT_ONCE
            for _ in 0..c.u32()?.min(16) {
                page(c.u32()?, Change::Modify);
            }
        }
        _ => {}
    }
    Ok(())
}

fn gist(
    layout: Layout,
    info: u8,
    f: &Fields<'_>,
    page: &mut dyn FnMut(BlockNumber, Change),
) -> Result<(), Malformed> {
    const ROOT: BlockNumber = 0;
    let since_91 = layout.since(Major::V9_1);
    match info {
        0x00 => {
            page(f.block(12)?, Change::Modify);
            if since_91 {
                page(f.block(16)?, Change::Modify);
            }
        }
        // NEW_ROOT (9.0), PAGE_DELETE (to 9.1)
        0x20 | 0x60 => page(f.block(12)?, Change::Modify),
        0x30 => {
            // orignsn is one aligned number from 9.3 on.
            let (left_child, npage, header) = match layout.version.major {
                m if m >= Major::V9_3 => (Some(36), 40, 48),
                m if m >= Major::V9_1 => (Some(32), 36, 40),
                _ => (None, 18, 28),
            };
            if let Some(at) = left_child {
                page(f.block(at)?, Change::Modify);
            }
            let npage = f.cursor(npage)?.u16()?;
            let mut c = f.cursor(header)?;
            for _ in 0..npage {
                page(c.u32()?, Change::Init);
                for _ in 0..c.u32()? {
                    // IndexTupleData: item pointer, then t_info with the size.
                    c.skip(6)?;
                    let size = c.u16()? & 0x1FFF;
                    c.skip(usize::from(size).saturating_sub(8))?;
                }
            }
        }
        0x50 => page(ROOT, Change::Init),
        _ => {}
    }
    Ok(())
}

fn spgist(
    info: u8,
    f: &Fields<'_>,
    page: &mut dyn FnMut(BlockNumber, Change),
) -> Result<(), Malformed> {
    match info {
        // Metapage, root, root of nulls.
        0x00 => (0..3).for_each(|blkno| page(blkno, Change::Init)),
        0x10 => {
            page(f.block(12)?, f.init_if(16)?);
            page(f.block(24)?, Change::Modify);
        }
        0x20 => {
            page(f.block(12)?, Change::Modify);
            page(f.block(16)?, f.init_if(22)?);
            page(f.block(28)?, Change::Modify);
        }
        0x30 => {
            page(f.block(12)?, Change::Modify);
            page(f.block(20)?, Change::Modify);
            page(f.block(28)?, f.init_if(34)?);
        }
        0x40 => {
            page(f.block(12)?, Change::Modify);
            page(f.block(20)?, f.init_if(26)?);
        }
        0x50 => {
            let source = f.block(12)?;
            // The root's tuples are moved without being deleted there first.
            page(source, f.init_if(24)?);
            page(f.block(16)?, f.init_if(25)?);
            page(f.block(28)?, f.init_if(34)?);
            page(f.block(36)?, Change::Modify);
        }
        0x60..=0x80 => page(f.block(12)?, Change::Modify),
        _ => {}
    }
    Ok(())
}
