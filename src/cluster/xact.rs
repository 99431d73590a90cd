//! What became of transactions and multixacts: the SLRUs on disk, and what replay adds.
//!
//! Sources: `transam.c: TransactionLogFetch`, `clog.c: TransactionIdGetStatus`,
//! `multixact.c: GetMultiXactIdMembers`.

use super::slru::{SlruCache, SlruFiles};
use crate::format::slru::{
    MultiXactMember, Slru, XidStatus, multixact_member, multixact_offset, xid_status,
};
use crate::format::twophase::TwoPhaseFile;
use crate::format::types::{MultiXactId, MultiXactOffset, TransactionId};
use crate::format::version::{Layout, Major};
use crate::pgdata::{Evidence, FileKind};
use crate::recovery::plan::Plan;
use rustc_hash::FxHashSet;

/// More members than a multixact can sensibly have: it holds at most one for each backend
/// and each of its subtransactions.
const MAX_MEMBERS: MultiXactOffset = 1 << 20;

/// More than a file in `pg_twophase` has (`twophase.c: EndPrepare`, `MaxAllocSize`), but for
/// transactions with millions of locks.
const TWO_PHASE_FILE: usize = 1 << 26;

/// The transactions of the sound files in `pg_twophase`, with their subtransactions.
fn prepared(evidence: &Evidence, layout: &Layout) -> FxHashSet<TransactionId> {
    let mut prepared = FxHashSet::default();
    for (id, entry) in evidence.iter() {
        if !matches!(entry.kind, FileKind::TwoPhase { .. }) {
            continue;
        }
        // What cannot be read the start tells of.
        let Ok(bytes) = evidence
            .file(id)
            .and_then(|file| file.read_all(TWO_PHASE_FILE))
        else {
            continue;
        };
        if let Ok(file) = TwoPhaseFile::parse(layout.version, &bytes)
            && file.crc_is_good
        {
            prepared.insert(file.state.xid);
            prepared.extend(file.state.subxacts);
        }
    }
    prepared
}

/// What became of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XactStatus {
    /// It committed.
    Committed,
    /// It aborted, or never ended: after a crash that is the same. Only a prepared one may
    /// still go either way.
    NotCommitted,
    /// The page that would tell is not there.
    Missing,
}

/// The updater among a multixact's members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Updater {
    /// Lockers only.
    None,
    /// This transaction.
    Xid(TransactionId),
    /// The page of offsets, or of members, is not there.
    Missing(Slru, u64),
    /// What is written there cannot be.
    Invalid,
}

/// Why the members of a multixact cannot be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoMembers {
    /// The page of offsets, or of members, is not there.
    Missing(Slru, u64),
    /// The offsets cannot be.
    Fault(MultiFault),
}

/// What is wrong with the offsets that tell where the members of a multixact are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MultiFault {
    /// It has none.
    NoOffset,
    /// The multixact behind it, where its members end, has none.
    NoNextOffset(MultiXactId),
    /// They leave no room for a member, or for more than there can be.
    Length {
        /// Its own.
        first: MultiXactOffset,
        /// That of the multixact behind it.
        end: MultiXactOffset,
    },
}

/// Offsets of 32 bits wrap (`multixact.c: GetMultiXactIdMembers`).
fn offset_mask(layout: &Layout) -> MultiXactOffset {
    if layout.since(Major::V19) {
        MultiXactOffset::MAX
    } else {
        MultiXactOffset::from(u32::MAX)
    }
}

/// The number of members of a list that begins and ends at these offsets, when there can be
/// such a list.
#[must_use]
pub fn list_length(
    first: MultiXactOffset,
    end: MultiXactOffset,
    layout: &Layout,
) -> Option<MultiXactOffset> {
    let members = end.wrapping_sub(first) & offset_mask(layout);
    (1..=MAX_MEMBERS).contains(&members).then_some(members)
}

/// The commit log and the multixacts of the evidence, with what replay adds to them.
pub struct XactLog<'e> {
    layout: Layout,
    /// Bits of a transaction number that count within a page of the commit log.
    clog_page_bits: Option<u32>,
    /// `pg_xact`.
    pub clog: SlruFiles,
    /// `pg_multixact/offsets`.
    pub offsets: SlruFiles,
    /// `pg_multixact/members`.
    pub members: SlruFiles,
    prepared: FxHashSet<TransactionId>,
    plan: Option<&'e Plan>,
}

/// What one thread looked up lately.
#[derive(Default)]
pub struct XactCache {
    clog: SlruCache,
    offsets: SlruCache,
    members: SlruCache,
    last: Option<(TransactionId, XactStatus)>,
}

impl<'e> XactLog<'e> {
    /// Lists the segments.
    #[must_use]
    pub fn open(evidence: &Evidence, layout: &Layout, plan: Option<&'e Plan>) -> Self {
        let open = |slru| SlruFiles::open(evidence, layout, slru);
        let per_page = Slru::Xact.entries_per_page(layout);
        Self {
            layout: *layout,
            clog_page_bits: per_page.is_power_of_two().then(|| per_page.ilog2()),
            clog: open(Slru::Xact),
            offsets: open(Slru::MultiXactOffset),
            members: open(Slru::MultiXactMember),
            prepared: prepared(evidence, layout),
            plan,
        }
    }

    /// The commit log page that tells of a transaction.
    #[must_use]
    pub fn clog_page(&self, xid: TransactionId) -> u64 {
        Slru::Xact.pageno(u64::from(xid.0), &self.layout)
    }

    /// Whether replay makes a commit log page before anything reads it.
    #[must_use]
    pub fn replay_makes_clog_page(&self, page: u64) -> bool {
        self.plan
            .is_some_and(|plan| plan.zeroed_clog.contains(&page))
    }

    /// Whether a commit log page on disk is all zero, and replay does not make it anew.
    #[must_use]
    pub fn is_zero_clog_page(&self, page: u64) -> bool {
        self.clog.is_zero_page(page) && !self.replay_makes_clog_page(page)
    }

    /// What became of a transaction, once replay is done.
    #[inline]
    pub fn status(&self, cache: &mut XactCache, xid: TransactionId) -> XactStatus {
        if let Some((last, status)) = cache.last
            && last == xid
        {
            return status;
        }
        let status = if self.is_committed_on_disk(&cache.clog, xid) {
            XactStatus::Committed
        } else {
            self.look_up(&mut cache.clog, xid)
        };
        cache.last = Some((xid, status));
        status
    }

    /// Whether a page of the commit log read lately has a transaction as committed, which
    /// replay cannot change. Nearly every tuple asks this, so it must not divide.
    #[inline]
    fn is_committed_on_disk(&self, cache: &SlruCache, xid: TransactionId) -> bool {
        let Some(bits) = self.clog_page_bits else {
            return false;
        };
        let page = u64::from(xid.0 >> bits);
        let in_page = xid.0 & ((1 << bits) - 1);
        let byte = cache
            .page(page)
            .and_then(|bytes| bytes.get((in_page / 4) as usize));
        byte.is_some_and(|byte| byte >> (in_page % 4 * 2) & 3 == 1)
            && !self.replay_makes_clog_page(page)
    }

    fn look_up(&self, cache: &mut SlruCache, xid: TransactionId) -> XactStatus {
        if let Some(plan) = self.plan {
            if plan.committed.contains(xid.0) {
                return XactStatus::Committed;
            }
            if plan.aborted.contains(xid.0) {
                return XactStatus::NotCommitted;
            }
        }
        if self.replay_makes_clog_page(self.clog_page(xid)) {
            return XactStatus::NotCommitted;
        }
        match self
            .clog
            .entry(cache, u64::from(xid.0))
            .and_then(|(at, page)| xid_status(page, at))
        {
            None => XactStatus::Missing,
            Some(XidStatus::Committed) => XactStatus::Committed,
            // Sub-committed: the parent's commit record, which replay would have seen, makes
            // it committed; without one the parent did not commit.
            Some(XidStatus::InProgress | XidStatus::Aborted | XidStatus::SubCommitted) => {
                XactStatus::NotCommitted
            }
        }
    }

    /// Whether there is WAL to replay.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.plan.is_some()
    }

    /// Whether the WAL to replay has a transaction's commit.
    #[must_use]
    pub fn replay_commits(&self, xid: TransactionId) -> bool {
        self.plan.is_some_and(|plan| plan.committed.contains(xid.0))
    }

    /// Whether the WAL to replay has a transaction's end.
    #[must_use]
    pub fn replay_ends(&self, xid: TransactionId) -> bool {
        self.plan
            .is_some_and(|plan| plan.committed.contains(xid.0) || plan.aborted.contains(xid.0))
    }

    /// What the commit log itself says of a transaction once replay is done; `None` where its
    /// page is not there, or replay makes it anew.
    #[must_use]
    pub fn recorded(&self, cache: &mut XactCache, xid: TransactionId) -> Option<XidStatus> {
        if let Some(plan) = self.plan {
            if plan.committed.contains(xid.0) {
                return Some(XidStatus::Committed);
            }
            if plan.aborted.contains(xid.0) {
                return Some(XidStatus::Aborted);
            }
        }
        if self.replay_makes_clog_page(self.clog_page(xid)) {
            return None;
        }
        self.clog
            .entry(&mut cache.clog, u64::from(xid.0))
            .and_then(|(at, page)| xid_status(page, at))
    }

    /// Whether the pages of all transactions from `oldest` up to but not including `next` are
    /// there, and no page is all zero.
    #[must_use]
    pub fn clog_is_whole(&self, oldest: TransactionId, next: TransactionId) -> bool {
        let newest = TransactionId(next.0.wrapping_sub(1));
        let (first, last) = (self.clog_page(oldest), self.clog_page(newest));
        let end = self.clog_page(TransactionId(u32::MAX));
        let mut pages = if first <= last {
            (first..=last).chain(0..0)
        } else {
            (first..=end).chain(0..last.saturating_add(1))
        };
        self.clog.zero_pages().is_empty() && pages.all(|page| self.clog.has_page(page))
    }

    /// Whether a transaction is prepared, or a part of one that is, by the files in
    /// `pg_twophase`. Those that only WAL knows are not among them.
    #[must_use]
    pub fn is_prepared(&self, xid: TransactionId) -> bool {
        self.prepared.contains(&xid)
    }

    /// The updater of a multixact older than `next`, 9.3 and later. `next_offset` is where
    /// the next multixact's members will go.
    pub fn updater(
        &self,
        cache: &mut XactCache,
        multi: MultiXactId,
        next: MultiXactId,
        next_offset: MultiXactOffset,
    ) -> Updater {
        if let Some(plan) = self.plan
            && plan.multis.contains_key(&multi)
        {
            return plan
                .updaters
                .get(&multi)
                .map_or(Updater::None, |xid| Updater::Xid(*xid));
        }
        // The server reads the list to its end, too.
        let mut updater = Updater::None;
        let each = |member: MultiXactMember, _| {
            if member.status.is_update() && updater == Updater::None {
                updater = Updater::Xid(member.xid);
            }
            true
        };
        match self.members(cache, multi, next, next_offset, each) {
            Ok(()) => updater,
            Err(NoMembers::Missing(slru, page)) => Updater::Missing(slru, page),
            Err(NoMembers::Fault(_)) => Updater::Invalid,
        }
    }

    /// Hands the members of a multixact older than `next`, 9.3 and later, as they are on
    /// disk, to `each`, with their offsets, until that has enough. Nothing of those that
    /// replay writes.
    pub fn members(
        &self,
        cache: &mut XactCache,
        multi: MultiXactId,
        next: MultiXactId,
        next_offset: MultiXactOffset,
        mut each: impl FnMut(MultiXactMember, MultiXactOffset) -> bool,
    ) -> Result<(), NoMembers> {
        if self.replay_writes_multi(multi) {
            return Ok(());
        }
        let layout = &self.layout;
        let fault = |fault| Err(NoMembers::Fault(fault));
        // No multixact begins at 0 (multixact.c: GetNewMultiXactId).
        let first = match self.offset_of(cache, multi)? {
            0 => return fault(MultiFault::NoOffset),
            offset => offset,
        };
        let successor = multi.wrapping_add(1).max(1);
        let end = if successor == next {
            next_offset
        } else {
            match self.offset_of(cache, successor)? {
                0 => return fault(MultiFault::NoNextOffset(successor)),
                offset => offset,
            }
        };
        let Some(members) = list_length(first, end, layout) else {
            return fault(MultiFault::Length { first, end });
        };
        for n in 0..members {
            let entry = first.wrapping_add(n) & offset_mask(layout);
            let page = Slru::MultiXactMember.pageno(entry, layout);
            let Some(member) = self
                .members
                .entry(&mut cache.members, entry)
                .and_then(|(at, bytes)| multixact_member(bytes, at, layout))
            else {
                return Err(NoMembers::Missing(Slru::MultiXactMember, page));
            };
            if !each(member, entry) {
                break;
            }
        }
        Ok(())
    }

    /// Whether replay makes a page of multixact offsets or members anew.
    #[must_use]
    pub fn replay_makes_multi_page(&self, slru: Slru, page: u64) -> bool {
        self.plan.is_some_and(|plan| match slru {
            Slru::MultiXactOffset => plan.zeroed_offsets.contains(&page),
            _ => plan.zeroed_members.contains(&page),
        })
    }

    /// Whether replay writes a multixact, so that what is on disk of it does not count.
    #[must_use]
    pub fn replay_writes_multi(&self, multi: MultiXactId) -> bool {
        self.plan
            .is_some_and(|plan| plan.multis.contains_key(&multi))
    }

    /// Where the members of a multixact begin, once replay is done, when that is set.
    #[must_use]
    pub fn first_member(
        &self,
        cache: &mut XactCache,
        multi: MultiXactId,
    ) -> Option<MultiXactOffset> {
        self.offset_of(cache, multi)
            .ok()
            .filter(|offset| *offset != 0)
    }

    /// Where the members of a multixact begin, once replay is done; 0 is not yet set.
    fn offset_of(
        &self,
        cache: &mut XactCache,
        multi: MultiXactId,
    ) -> Result<MultiXactOffset, NoMembers> {
        if let Some(offset) = self.plan.and_then(|plan| plan.multis.get(&multi)) {
            return Ok(*offset);
        }
        let entry = u64::from(multi);
        let slru = Slru::MultiXactOffset;
        self.offsets
            .entry(&mut cache.offsets, entry)
            .and_then(|(at, page)| multixact_offset(page, at, &self.layout))
            .ok_or_else(|| NoMembers::Missing(slru, slru.pageno(entry, &self.layout)))
    }
}
