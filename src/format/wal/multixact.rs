//! Records of the `MultiXact` manager.
//!
//! Sources: `access/multixact.h`, `transam/multixact.c: multixact_redo`. All versions.
//!
//! ```text
//! ZERO_*_PAGE  0 pageno:4 (8 from 17)
//! CREATE_ID    up to 18: 0 mid:4 | 4 moff:4 | 8 n:4 | 12 members
//!              19:       0 mid:4 | 8 moff:8 | 16 n:4 | 20 members
//!              member: xid:4 (up to 9.2); xid:4 | status:4
//! TRUNCATE_ID  9.5-18: 0 db:4 | 4 startOff:4 | 8 endOff:4 | 12 startMemb:4 | 16 endMemb:4
//!              19:     0 db:4 | 4 oldestMulti:4 | 8 oldestOffset:8
//! ```

use super::array::{Array, Element};
use super::clog::pageno;
use super::record::Record;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{MultiXactId, MultiXactOffset, Oid, TransactionId};
use crate::format::version::{Layout, Major};

/// `MultiXactMember`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// The transaction.
    pub xid: TransactionId,
    /// `MultiXactStatus`: how it locks or updates the tuple. 9.3 and later.
    pub status: u32,
}

impl Element for Member {
    const SIZE: usize = 8;
    fn read(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            xid: TransactionId(c.u32()?),
            status: c.u32()?,
        })
    }
}

/// The members of a multixact being made.
#[derive(Clone, Copy, Debug)]
pub enum Members<'a> {
    /// Up to 9.2 all of them lock in share mode.
    Xids(Array<'a, TransactionId>),
    /// 9.3 and later.
    WithStatus(Array<'a, Member>),
}

impl<'a> Members<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Xids(xids) => xids.len(),
            Self::WithStatus(members) => members.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The member that updates or deletes the tuple; there is at most one, and none before
    /// 9.3 (`multixact.h: ISUPDATE_from_mxstatus`).
    #[must_use]
    pub fn updater(&self) -> Option<TransactionId> {
        match self {
            Self::Xids(_) => None,
            Self::WithStatus(members) => members.iter().find(|m| m.status >= 4).map(|m| m.xid),
        }
    }

    /// The transactions alone.
    pub fn xids(&self) -> impl Iterator<Item = TransactionId> + use<'a> {
        let (xids, members) = match self {
            Self::Xids(xids) => (*xids, Array::default()),
            Self::WithStatus(members) => (Array::default(), *members),
        };
        let of_members = members.iter().map(|m: Member| m.xid);
        xids.iter().chain(of_members)
    }
}

/// What a record of the `MultiXact` manager says.
#[derive(Clone, Copy, Debug)]
pub enum MultiXactOp<'a> {
    /// A page of `pg_multixact/offsets` is made anew, all zero.
    ZeroOffPage(u64),
    /// A page of `pg_multixact/members` is made anew, all zero.
    ZeroMemPage(u64),
    /// A multixact is written.
    CreateId {
        /// The multixact.
        mid: MultiXactId,
        /// Where its members begin.
        moff: MultiXactOffset,
        /// Its members.
        members: Members<'a>,
    },
    /// Segments are removed, 9.5 and later.
    TruncateId {
        /// The database that holds the oldest multixact back.
        oldest_multi_db: Oid,
        /// Oldest multixact that is still needed (`endTruncOff`, `oldestMulti`).
        oldest_multi: MultiXactId,
        /// Where its members begin (`endTruncMemb`, `oldestOffset`).
        oldest_offset: MultiXactOffset,
    },
    /// A kind the version does not have.
    Unknown(u8),
}

/// Reads the main data.
///
/// # Errors
/// When it is too short for its kind, or announces an impossible number of members.
pub fn parse<'a>(layout: Layout, record: &Record<'a, '_>) -> Result<MultiXactOp<'a>, Malformed> {
    let mut c = Cursor::new("MultiXact record", record.main);
    let info = record.header.rmgr_info();
    let wide = layout.since(Major::V19);
    Ok(match info {
        0x00 => MultiXactOp::ZeroOffPage(pageno(layout, &mut c)?),
        0x10 => MultiXactOp::ZeroMemPage(pageno(layout, &mut c)?),
        0x20 => {
            let mid = c.u32()?;
            let moff = if wide { c.u64()? } else { c.u32()?.into() };
            let n = c.i32()?;
            let members = if layout.since(Major::V9_3) {
                Members::WithStatus(Array::take(&mut c, n.into())?)
            } else {
                Members::Xids(Array::take(&mut c, n.into())?)
            };
            MultiXactOp::CreateId { mid, moff, members }
        }
        0x30 if wide => MultiXactOp::TruncateId {
            oldest_multi_db: c.u32()?,
            oldest_multi: c.u32()?,
            oldest_offset: c.u64()?,
        },
        0x30 if layout.since(Major::V9_5) => {
            let oldest_multi_db = c.u32()?;
            let _start_off = c.u32()?;
            let oldest_multi = c.u32()?;
            let _start_memb = c.u32()?;
            MultiXactOp::TruncateId {
                oldest_multi_db,
                oldest_multi,
                oldest_offset: c.u32()?.into(),
            }
        }
        _ => MultiXactOp::Unknown(info),
    })
}
