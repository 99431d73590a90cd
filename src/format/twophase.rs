//! The state of a prepared transaction: files in `pg_twophase`, and the main data of
//! `XACT_PREPARE` records, which is the same without the CRC.
//!
//! Sources, 9.0 to 19: `access/transam/twophase.c`, `access/twophase_rmgr.h`; 13 and later
//! also `access/xact.h: xl_xact_prepare`.
//!
//! ```text
//!  0 magic  4 total_len  8 xid  12 database  16 prepared_at  24 owner  28 nsubxacts
//! 32 ncommitrels  36 nabortrels  [15: ncommitstats, nabortstats]  ninvalmsgs, initfileinval
//!    up to 9.5 gid[200]; 9.6 gidlen, [11: origin_lsn, origin_timestamp], and the gid behind
//! lists, each from a multiple of 8: subtransactions, files to drop at commit, at abort,
//!    [15: statistics to drop at commit, at abort,] invalidation messages
//! records {len, rmid, info} + data, the last one END
//! CRC of everything before it
//! ```

use super::crc::Crc;
use super::cursor::{Cursor, Malformed};
use super::types::{Oid, RelFileLocator, TimestampTz, TransactionId, XLogRecPtr};
use super::version::{Major, Version};
use super::wal::array::Element;
use super::wal::inval::InvalMessage;
use super::wal::xact::StatsItem;

/// Resource manager of the record that ends the list (`TWOPHASE_RM_END_ID`).
const TWOPHASE_RM_END_ID: u8 = 0;

/// A record of a resource manager that takes part in the commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TwoPhaseRecord {
    /// 1 lock, 2 statistics, 3 multixact, 4 predicate lock (9.1 and later).
    pub rmid: u8,
    /// The resource manager's own.
    pub info: u16,
    /// Bytes of data.
    pub len: u32,
}

/// A prepared transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TwoPhaseState {
    /// Bytes of the whole file, the CRC's four included.
    pub total_len: u32,
    /// The transaction.
    pub xid: TransactionId,
    /// Its database.
    pub database: Oid,
    /// When it was prepared.
    pub prepared_at: TimestampTz,
    /// The role.
    pub owner: Oid,
    /// The name the user gave it.
    pub gid: String,
    /// Whether relcache init files must be deleted at commit.
    pub init_file_inval: bool,
    /// Where it was prepared at its origin, 11 and later.
    pub origin_lsn: Option<XLogRecPtr>,
    /// When it was prepared at its origin, 11 and later.
    pub origin_timestamp: Option<TimestampTz>,
    /// Its subtransactions.
    pub subxacts: Vec<TransactionId>,
    /// Relations whose files are dropped at commit.
    pub commit_rels: Vec<RelFileLocator>,
    /// Relations whose files are dropped at abort.
    pub abort_rels: Vec<RelFileLocator>,
    /// Statistics that are dropped at commit, 15 and later.
    pub commit_stats: Vec<StatsItem>,
    /// Statistics that are dropped at abort, 15 and later.
    pub abort_stats: Vec<StatsItem>,
    /// Cache invalidations of the commit.
    pub messages: Vec<InvalMessage>,
    /// The records, without the END.
    pub records: Vec<TwoPhaseRecord>,
    /// Bytes passed up to and with the END record.
    pub len: usize,
}

impl TwoPhaseState {
    /// Reads a state, with or without the CRC behind it.
    ///
    /// # Errors
    /// When the magic is not that of `version`, or the bytes end before the END record.
    pub fn parse(version: &Version, bytes: &[u8]) -> Result<Self, Malformed> {
        let since = |major| version.since(major);
        let c = &mut Cursor::new("two-phase state", bytes);
        let magic = if since(Major::V11) {
            0x57F9_4534
        } else if since(Major::V9_6) {
            0x57F9_4533
        } else {
            0x57F9_4532
        };
        if c.u32()? != magic {
            return Err(Malformed {
                what: "two-phase state",
                at: 0,
                why: "not the magic number of this version",
            });
        }
        let total_len = c.u32()?;
        let xid = TransactionId(c.u32()?);
        let database = c.u32()?;
        let prepared_at = TimestampTz(c.i64()?);
        let owner = c.u32()?;
        let [nsubxacts, ncommitrels, nabortrels] = [count(c)?, count(c)?, count(c)?];
        let [ncommitstats, nabortstats] = if since(Major::V15) {
            [count(c)?, count(c)?]
        } else {
            [0, 0]
        };
        let ninvalmsgs = count(c)?;
        let init_file_inval = c.bool()?;
        let (gid, origin) = if since(Major::V9_6) {
            let gidlen = c.u16()?;
            let origin = since(Major::V11)
                .then(|| Ok::<_, Malformed>((c.u64()?, c.i64()?)))
                .transpose()?;
            c.align(8)?;
            (c.bytes(gidlen.into())?, origin)
        } else {
            (c.bytes(200)?, None)
        };
        let mut subxacts = Vec::new();
        list(c, nsubxacts, |c| {
            subxacts.push(TransactionId(c.u32()?));
            Ok(())
        })?;
        let mut commit_rels = Vec::new();
        list(c, ncommitrels, |c| {
            commit_rels.push(RelFileLocator::read(c)?);
            Ok(())
        })?;
        let mut abort_rels = Vec::new();
        list(c, nabortrels, |c| {
            abort_rels.push(RelFileLocator::read(c)?);
            Ok(())
        })?;
        let mut commit_stats = Vec::new();
        list(c, ncommitstats, |c| {
            commit_stats.push(StatsItem::read(version, c)?);
            Ok(())
        })?;
        let mut abort_stats = Vec::new();
        list(c, nabortstats, |c| {
            abort_stats.push(StatsItem::read(version, c)?);
            Ok(())
        })?;
        let mut messages = Vec::new();
        list(c, ninvalmsgs, |c| {
            messages.push(InvalMessage::read(c)?);
            Ok(())
        })?;
        let mut records = Vec::new();
        loop {
            c.align(8)?;
            let (len, rmid, info) = (c.u32()?, c.u8()?, c.u16()?);
            if rmid == TWOPHASE_RM_END_ID {
                break;
            }
            records.push(TwoPhaseRecord { rmid, info, len });
            c.skip(usize::try_from(len).unwrap_or(usize::MAX))?;
        }
        let text = gid.split(|b| *b == 0).next().unwrap_or_default();
        Ok(Self {
            total_len,
            xid,
            database,
            prepared_at,
            owner,
            gid: String::from_utf8_lossy(text).into_owned(),
            init_file_inval,
            origin_lsn: origin.map(|(lsn, _)| XLogRecPtr(lsn)),
            origin_timestamp: origin.map(|(_, time)| TimestampTz(time)),
            subxacts,
            commit_rels,
            abort_rels,
            commit_stats,
            abort_stats,
            messages,
            records,
            len: c.at(),
        })
    }
}

/// A file of `pg_twophase`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TwoPhaseFile {
    /// What it says.
    pub state: TwoPhaseState,
    /// Whether the file has as many bytes as it says.
    pub size_is_good: bool,
    /// Whether the CRC at its end is right.
    pub crc_is_good: bool,
}

impl TwoPhaseFile {
    /// Reads a whole file (`twophase.c: ReadTwoPhaseFile`).
    ///
    /// # Errors
    /// As [`TwoPhaseState::parse`].
    pub fn parse(version: &Version, bytes: &[u8]) -> Result<Self, Malformed> {
        let state = TwoPhaseState::parse(version, bytes)?;
        let crc_is_good = bytes.split_last_chunk().is_some_and(|(before, crc)| {
            Crc::of(version).update([before]).value() == u32::from_le_bytes(*crc)
        });
        Ok(Self {
            size_is_good: usize::try_from(state.total_len) == Ok(bytes.len()),
            state,
            crc_is_good,
        })
    }
}

/// A count; a negative one cannot be.
fn count(c: &mut Cursor<'_>) -> Result<u32, Malformed> {
    u32::try_from(c.i32()?).map_err(|_| c.malformed("a negative count stands before this"))
}

/// `n` items from a multiple of 8 on. The loop ends with the bytes, whatever `n` says.
fn list<'a>(
    c: &mut Cursor<'a>,
    n: u32,
    mut item: impl FnMut(&mut Cursor<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    c.align(8)?;
    (0..n).try_for_each(|_| item(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::VERSIONS;
    use proptest::prelude::*;

    /// A 16 file: gid `gx`, two subtransactions, one file to drop at abort, one lock record.
    fn file() -> Vec<u8> {
        let words: &[u32] = &[
            0x57F9_4534, // magic
            0,           // total_len, below
            729,         // xid
            16_386,      // database
            0x1000,      // prepared_at
            2,
            10,      // owner
            2,       // nsubxacts
            0,       // ncommitrels
            1,       // nabortrels
            0,       // ncommitstats
            0,       // nabortstats
            0,       // ninvalmsgs
            3 << 16, // initfileinval, gidlen
            0x20,    // origin_lsn
            1,
            0x30, // origin_timestamp
            0,
            0x0000_7867, // "gx"
            0,
            730, // subxacts
            731,
            1663, // abort_rels
            16_386,
            16_500,
            0,
            5,           // record: len
            2 << 16 | 1, // rmid, info
            0xFFFF_FFFF, // data
            0xFF,
            0, // END
            0,
        ];
        let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let total_len = u32::try_from(bytes.len() + 4).unwrap();
        bytes[4..8].copy_from_slice(&total_len.to_le_bytes());
        let crc = Crc::Castagnoli(0).update([&bytes]).value();
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    fn v16() -> &'static Version {
        Version::of(Major::V16).unwrap()
    }

    #[test]
    fn all_parts_are_read() {
        let read = TwoPhaseFile::parse(v16(), &file()).unwrap();
        assert!(read.crc_is_good && read.size_is_good);
        let state = read.state;
        assert_eq!(state.xid, TransactionId(729));
        assert_eq!(state.prepared_at, TimestampTz(2 << 32 | 0x1000));
        assert_eq!(state.gid, "gx");
        assert_eq!(state.origin_lsn, Some(XLogRecPtr::from_halves(1, 0x20)));
        assert_eq!(state.subxacts, [TransactionId(730), TransactionId(731)]);
        assert_eq!(state.abort_rels[0].to_string(), "1663/16386/16500");
        let record = TwoPhaseRecord {
            rmid: 1,
            info: 2,
            len: 5,
        };
        assert_eq!(state.records, [record]);
        assert_eq!(state.len, file().len() - 4);
    }

    #[test]
    fn damage_is_noticed() {
        let edit = |at: usize, byte| {
            let mut bytes = file();
            bytes[at] = byte;
            TwoPhaseFile::parse(v16(), &bytes)
        };
        assert_eq!(edit(0, 0).unwrap_err().at, 0);
        assert!(
            edit(31, 0xFF).is_err(),
            "negative number of subtransactions"
        );
        assert!(edit(30, 0xFF).is_err(), "more than there are bytes");
        assert!(!edit(4, 0).unwrap().size_is_good);
        assert!(!edit(8, 0).unwrap().crc_is_good);
        let bytes = file();
        for len in 0..bytes.len() - 4 {
            assert!(TwoPhaseFile::parse(v16(), &bytes[..len]).is_err(), "{len}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            tail in proptest::collection::vec(any::<u8>(), 0..400), row in 0_usize..17, magic in 0..3_u32,
        ) {
            let mut bytes = (0x57F9_4532 + magic).to_le_bytes().to_vec();
            bytes.extend(tail);
            let _ = TwoPhaseFile::parse(&VERSIONS[row], &bytes);
        }

        #[test]
        fn flips_never_pass(at in 0_usize..120, bit in 0..8_u8) {
            let mut bytes = file();
            bytes[at] ^= 1 << bit;
            let read = TwoPhaseFile::parse(v16(), &bytes);
            assert!(read.is_err() || !read.unwrap().crc_is_good);
        }
    }
}
