//! What the scan noted of SLRU pages, with the names of those who need them: shared by the
//! checks of the commit log and of multixacts.

use crate::check::Examination;
use crate::cluster::slru::{SlruFiles, unreadable_page};
use crate::format::catalog::RELATION_RELATION_ID;
use crate::format::slru::{SLRU_PAGES_PER_SEGMENT, Slru};
use crate::format::types::{Oid, RelFileLocator};
use crate::report::units::thousands;
use crate::scan::tally::{Lack, Need};

/// Tuples of one relation that need one page.
pub struct Lacking<'a> {
    /// The page, and what is wrong with it.
    pub lack: Lack,
    /// A transaction or multixact on it.
    pub example: u32,
    examination: &'a Examination<'a>,
    relation: RelFileLocator,
    need: &'a Need,
}

/// All that the scan noted, in the order of pages and relations.
pub fn lacking<'a>(examination: &'a Examination<'a>) -> impl Iterator<Item = Lacking<'a>> {
    examination
        .tally
        .into_iter()
        .flat_map(|tally| &tally.lacks)
        .map(move |((lack, relation), need)| Lacking {
            lack: *lack,
            example: need.example,
            examination,
            relation: *relation,
            need,
        })
}

impl<'a> Lacking<'a> {
    /// The page with the files it belongs to, when it is one of multixacts.
    #[must_use]
    pub fn multixact_page(&self) -> Option<(Slru, &'a SlruFiles, u64)> {
        let xacts = self.examination.xacts?;
        match self.lack {
            Lack::OffsetsPage(page) => Some((Slru::MultiXactOffset, &xacts.offsets, page)),
            Lack::MembersPage(page) => Some((Slru::MultiXactMember, &xacts.members, page)),
            _ => None,
        }
    }

    /// The database whose `pg_class` the relation is, or may be: one without a name.
    #[must_use]
    pub fn undecided_database(&self) -> Option<Oid> {
        let oid = self.examination.names.name(self.relation).oid;
        oid.is_none_or(|oid| oid == RELATION_RELATION_ID)
            .then_some(self.relation.db_oid)
    }

    /// How many more tuples of the relation stand to a page in another way.
    #[must_use]
    pub fn tuples_of(&self, lack: Lack) -> u64 {
        let lacks = self.examination.tally.map(|tally| &tally.lacks);
        lacks
            .and_then(|lacks| lacks.get(&(lack, self.relation)))
            .map_or(0, |need| need.tuples)
    }

    /// Whether a page of zeroes is known to be lost: some tuple's hint bit contradicts it.
    #[must_use]
    pub fn is_lost_page(&self, page: u64) -> bool {
        lacking(self.examination).any(|lack| lack.lack == Lack::ZeroedClogPage(page))
    }

    /// What a query of the relation says. In TOAST tables it does not ask for transactions
    /// (`heapam_visibility.c: HeapTupleSatisfiesToast`).
    #[must_use]
    pub fn server_error(&self, slru: Slru, files: &SlruFiles, page: u64) -> Option<String> {
        let layout = self.examination.cluster.layout.as_ref()?;
        let promise = self.examination.names.promise(self.relation);
        promise.is_none_or(|promise| !promise.is_toast).then(|| {
            let has_file = files.has_segment(page / SLRU_PAGES_PER_SEGMENT);
            unreadable_page(layout, slru, page, has_file, self.example.into())
        })
    }

    fn relation(&self) -> String {
        let name = self.examination.names.name(self.relation).qualified();
        name.unwrap_or_else(|| match self.examination.forks.get(self.need.first.0) {
            Some(fork) => fork.path.to_string(),
            None => self.relation.to_string(),
        })
    }

    fn tuples(&self) -> String {
        let n = self.need.tuples;
        format!(
            "{} tuple{} of {}",
            thousands(n),
            if n == 1 { "" } else { "s" },
            self.relation()
        )
    }

    fn first(&self) -> String {
        let (_, block, offnum) = self.need.first;
        format!("block {block} item {offnum}, {}", self.example)
    }

    /// `12 tuples of shop.public.orders need it (block 3 item 7, 4711)`
    #[must_use]
    pub fn who(&self) -> String {
        let verb = if self.need.tuples == 1 {
            "needs"
        } else {
            "need"
        };
        format!("{} {verb} it ({})", self.tuples(), self.first())
    }

    /// The same of a commit log page, with the tuples that get along without it: `; 300 more
    /// are marked as committed, and do not`
    #[must_use]
    pub fn who_but(&self, page: u64) -> String {
        let spared = self.tuples_of(Lack::HintedOnMissingClogPage(page));
        match spared {
            0 => self.who(),
            1 => format!(
                "{}; 1 more is marked as committed, and does not",
                self.who()
            ),
            n => {
                let n = thousands(n);
                format!(
                    "{}; {n} more are marked as committed, and do not",
                    self.who()
                )
            }
        }
    }

    /// `12 tuples of shop.public.orders are (block 3 item 7, 4711)`
    #[must_use]
    pub fn who_is(&self) -> String {
        let verb = if self.need.tuples == 1 { "is" } else { "are" };
        format!("{} ({}) {verb}", self.tuples(), self.first())
    }

    /// `12 tuples of shop.public.orders (block 3 item 7, 4711)`
    #[must_use]
    pub fn who_has(&self) -> String {
        format!("{} ({})", self.tuples(), self.first())
    }

    /// Byte of the segment at which a page begins.
    #[must_use]
    pub fn page_offset(&self, page: u64) -> u64 {
        let blcksz = self
            .examination
            .cluster
            .layout
            .map_or(8192, |layout| layout.blcksz);
        page % SLRU_PAGES_PER_SEGMENT * u64::from(blcksz)
    }
}
