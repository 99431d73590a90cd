//! Damaged rows on pages that replay makes anew.
//!
//! A page with a wrong checksum or header cannot have got into the WAL as an image: the server
//! would not have read it. At rows it looks less closely, and an image has what the page had
//! (`xloginsert.c: XLogRecordAssemble`). So the findings about rows of such a page are set
//! aside, and held against the page as replay leaves it: what is found there, too, stays.

use super::forks::ForkFiles;
use super::page::PageView;
use super::tally::Tally;
use super::{Replay, ScanContext, scan_page, template};
use crate::cluster::replay::{BlockKey, replay_blocks};
use crate::finding::Findings;
use crate::format::page::PageHeader;
use crate::format::types::{BlockNumber, ForkNumber};
use std::collections::{BTreeMap, BTreeSet};

/// Pages that are looked at once more. What is found on others counts as healed.
const MAX_PAGES: usize = 128;

/// What was found on pages that replay makes anew, by fork and block: on the first of them.
pub(super) type SetAside = BTreeMap<(usize, BlockNumber), Findings>;

/// Whether replay makes a page anew, from an image or from rows in the WAL.
pub(super) fn is_made_anew(view: &PageView<'_>) -> bool {
    let context = view.context;
    let Replay::Plan(plan) = context.replay else {
        return false;
    };
    let (locator, fork) = (view.fork.locator, view.fork.fork);
    context.redo.is_some()
        && fork == ForkNumber::Main
        && plan.heals(locator, fork, view.blkno)
        && !plan.removes(locator)
}

/// Sets what `look` finds aside.
pub(super) fn set_aside(view: &PageView<'_>, tally: &mut Tally, look: impl FnOnce(&mut Tally)) {
    let none = Findings::new(view.context.max_findings);
    let before = std::mem::replace(&mut tally.findings, none);
    look(tally);
    let found = std::mem::replace(&mut tally.findings, before);
    if !found.is_empty() {
        tally.set_aside.insert((tally.fork, view.blkno), found);
        tally.put_back();
    }
}

impl Tally {
    /// Takes what there is no more room for among the findings again.
    pub(super) fn put_back(&mut self) {
        while self.set_aside.len() > MAX_PAGES
            && let Some((_, found)) = self.set_aside.pop_last()
        {
            self.findings.merge(found);
        }
    }
}

/// Judges the pages set aside as replay leaves them.
pub(super) fn judge(context: &ScanContext<'_>, forks: &[ForkFiles], whole: &mut Tally) {
    let set_aside = std::mem::take(&mut whole.set_aside);
    let Some(redo) = context.redo.filter(|_| !set_aside.is_empty()) else {
        return;
    };
    let key = |number: usize, blkno| -> BlockKey { (forks[number].locator, blkno) };
    let wanted: BTreeSet<BlockKey> = set_aside
        .keys()
        .map(|(number, blkno)| key(*number, *blkno))
        .collect();
    let is_wanted = |locator, blkno| wanted.contains(&(locator, blkno));
    // Each begins with an image or as an empty page.
    let blocks = replay_blocks(
        redo.context,
        redo.source,
        redo.start,
        redo.end,
        &is_wanted,
        &|_, _| None,
    );
    let after = context.after_replay();
    for ((number, blkno), found) in set_aside {
        let page = blocks.pages.get(&key(number, blkno));
        let Some((page, Ok(header))) = page.map(|page| (page, PageHeader::parse(page))) else {
            whole.findings.merge(found);
            continue;
        };
        let view = PageView {
            blkno,
            page,
            header,
            ..template(&after, &forks[number])
        };
        let mut tally = Tally::new(&after.layout, after.max_findings);
        scan_page(&view, &mut tally);
        if tally.findings.is_empty() {
            whole.findings.merge(found);
            continue;
        }
        let stays = tally.findings.sorted();
        let stays: BTreeSet<_> = stays
            .iter()
            .map(|finding| (finding.check.code, finding.location.offset_number))
            .collect();
        for finding in found.sorted() {
            if !stays.contains(&(finding.check.code, finding.location.offset_number)) {
                whole.findings.push(finding.clone());
            }
        }
        whole.findings.merge(tally.findings);
        let causes = whole.forks.entry(number).or_default();
        for (blkno, cause) in tally.chunk.causes {
            causes.explain(blkno, || cause);
        }
    }
}
