//! End of a relation is missing.

use crate::check::Examination;
use crate::cluster::catalog::CatalogRelation;
use crate::finding::{Confidence, Finding, Findings, Group, Severity};
use crate::format::types::{BlockNumber, ForkNumber, Oid};
use crate::scan::{Replay, ScanContext};
use crate::scan::forks::{ForkFiles, sibling};
use crate::scan::tally::Tally;
use std::collections::HashMap;

check! {
    /// ## What it means
    /// A file ends where it ends: the server does not know how long a table should be. This
    /// one ends too early: something else still tells of blocks behind its end. A scan of the
    /// table, `COPY` and `pg_dump` say nothing and give what is there, so the rows behind the
    /// end vanish silently. Only a query that an index leads there fails: `could not read
    /// block 28991 in file "base/16390/572026": read only 0 of 8192 bytes`. New rows are put
    /// in the lost blocks' places, and then old index entries lead to them.
    ///
    /// ## How it is decided
    /// Three witnesses are asked. Entries of the table's B-tree, hash and GiST indexes: VACUUM
    /// removes those first, and cuts the table afterwards (`vacuumlazy.c:
    /// lazy_truncate_heap`). The visibility map, which is cut before the table is (`storage.c:
    /// RelationTruncate`). WAL from before the redo point, as far as it is still there: what
    /// it wrote is on disk, unless it also cut the relation. Blocks that replay makes count as
    /// being there; index pages that replay changes, indexes that are not kept up to date
    /// (`indisready`) and relations that replay cuts are not asked. When whole segments (`.1`,
    /// `.2`) are missing in the middle, that is reported as such. Where none of them tells, but
    /// VACUUM or ANALYZE once counted more blocks (`pg_class.relpages`), it is a note.
    ///
    /// ## What else may cause it
    /// A file system or disk check that cut the file; a copy that was not finished, or of a
    /// file that was open; the last segment file of a large table lost; the disk lost writes;
    /// an older copy of the file put among newer ones.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Look for the rest: a last segment
    /// file (`.1`, `.2`) left out by a copy, a file of the same name elsewhere, `lost+found`.
    /// Take the table from a backup or standby, or the rows from there whose blocks are
    /// missing (`ctid`). Do not write to the table before, and do not VACUUM it: VACUUM
    /// removes the index entries that show what is lost. An index that is cut off itself needs
    /// only REINDEX.
    "relation-cut-off" Damage Dir: "end of a relation is missing"
}

/// Compares the length of relations with what indexes, maps and WAL tell of them.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(context), Some(tally)) = (examination.scan, examination.tally) else { return };
    let is_clean = matches!(context.replay, Replay::None);
    let witnesses = Witnesses { examination, tally };
    let indexed = witnesses.led_to_by_indexes();
    for (number, fork) in examination.forks.iter().enumerate() {
        if fork.fork != ForkNumber::Main || fork.temporary || fork.unlogged && !is_clean {
            continue;
        }
        // What a CREATE DATABASE copied before it was killed ends anywhere.
        if context.names.disowns_database(fork.locator.db_oid) {
            continue;
        }
        let Some(relation) = context.names.relation(fork.locator) else { continue };
        let blocks = fork.blocks(&context.layout);
        let Some(end) = context.end_after_replay(fork) else { continue };
        let key = (relation.database, relation.class.oid);
        let told = [
            witnesses.written_by_wal(fork),
            witnesses.marked_by_map(number),
            indexed.get(&key).cloned(),
        ];
        let told = told.into_iter().flatten().filter(|(last, _)| *last >= end);
        let Some((last, witness)) = told.max_by_key(|(last, _)| *last) else {
            if let Some(finding) = counted_more(context, fork, relation, end) {
                findings.push(finding);
            }
            continue;
        };
        let message = format!(
            "the file ends before block {blocks}, and {witness} block {last}: what lay behind \
             its end is lost"
        );
        let location = fork.location(blocks, &context.layout);
        let lost = u64::from(last) + 1 - u64::from(end);
        let finding = Finding::new(&CHECK, location, message)
            .found_expected(blocks, u64::from(blocks) + lost)
            .confidence(Confidence::Likely);
        findings.push(finding);
    }
}

/// Whether VACUUM or ANALYZE once counted more blocks than there will be. They may have been
/// counted before VACUUM cut some off, and the crash have come between (`vacuumlazy.c:
/// lazy_truncate_heap, update_relstats_all_indexes`), so it is a note.
fn counted_more(
    context: &ScanContext<'_>,
    fork: &ForkFiles,
    relation: &CatalogRelation,
    end: BlockNumber,
) -> Option<Finding> {
    let relpages = BlockNumber::try_from(relation.class.relpages).ok()?;
    if end >= relpages || !matches!(relation.class.relkind, b'r' | b't' | b'm' | b'i') {
        return None;
    }
    let blocks = fork.blocks(&context.layout);
    let message = format!(
        "the file ends before block {blocks}, and VACUUM or ANALYZE once counted {relpages} \
         blocks: what lay behind its end may be lost"
    );
    let location = fork.location(blocks, &context.layout);
    Some(
        Finding::new(&CHECK, location, message)
            .severity(Severity::Note)
            .confidence(Confidence::Possible),
    )
}

/// How many blocks a relation lost at its end, by what was found of it.
#[must_use]
pub fn blocks_lost(group: &Group) -> u64 {
    let lost = |finding: &Finding| {
        let number = |text: &Option<String>| text.as_deref()?.parse::<u64>().ok();
        number(&finding.expected)?.checked_sub(number(&finding.found)?)
    };
    group.kept.iter().filter_map(lost).sum()
}

/// The last block that someone tells of, and who.
type Told = (BlockNumber, String);

struct Witnesses<'s, 'e> {
    examination: &'s Examination<'e>,
    tally: &'s Tally,
}

impl Witnesses<'_, '_> {
    /// The furthest block that entries of an index of each table lead to, of those that lead
    /// behind some table's end.
    fn led_to_by_indexes(&self) -> HashMap<(Oid, Oid), Told> {
        let Examination { evidence, forks, names, cluster, .. } = *self.examination;
        let Some(layout) = cluster.layout else { return HashMap::new() };
        let indexes = names.indexes(evidence, &layout, None);
        let mut told: HashMap<(Oid, Oid), Told> = HashMap::new();
        for (number, counts) in &self.tally.forks {
            let (Some((last, blkno, offnum)), Some(fork)) = (counts.leads_to, forks.get(*number))
            else {
                continue;
            };
            let Some(index) = names.relation(fork.locator) else { continue };
            // Every database's pg_index tells of the indexes of shared relations.
            let databases: Vec<Oid> = match index.database {
                0 => names.databases.keys().copied().collect(),
                database => vec![database],
            };
            let rows = databases.iter().filter_map(|db| indexes.get(&(*db, index.class.oid)));
            let Some(row) = rows.into_iter().next().filter(|row| row.indisready) else { continue };
            let table = (index.database, row.indrelid);
            let name = &index.class.relname;
            let witness = format!("entry ({blkno},{offnum}) of index {name} leads to");
            let known = told.entry(table).or_insert_with(|| (last, String::new()));
            if known.1.is_empty() || known.0 < last {
                *known = (last, witness);
            }
        }
        told
    }

    /// The last block that the visibility map marks.
    fn marked_by_map(&self, main: usize) -> Option<Told> {
        let map = sibling(self.examination.forks, main, ForkNumber::Vm)?;
        let last = self.tally.forks.get(&map)?.all_visible.max()?;
        Some((last, "the visibility map marks".to_owned()))
    }

    /// The last block that WAL before the redo point wrote.
    fn written_by_wal(&self, fork: &ForkFiles) -> Option<Told> {
        let pages = self.examination.survey?.written.pages(fork.locator)?;
        let (last, lsn) = pages.iter().max_by_key(|(blkno, _)| **blkno)?;
        let witness = format!("WAL up to {lsn}, before the redo point, filled");
        Some((*last, witness))
    }
}
