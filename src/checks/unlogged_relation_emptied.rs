//! The next start empties an unlogged table.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::types::ForkNumber;
use crate::report::units::{count, size};
use crate::scan::Replay;

check! {
    /// ## What it means
    /// Of an unlogged table nothing is written to the WAL but that it exists. A start after a
    /// crash cannot tell whether its files are whole, so it empties the table: that is what
    /// unlogged means, and no damage. Its rows are here now, and will not be after the start.
    ///
    /// ## How it is decided
    /// The server was not shut down cleanly, `pg_class` has the table as unlogged
    /// (`relpersistence` is `u`), it has an init fork, and its main fork has blocks
    /// (`reinit.c: ResetUnloggedRelations`). The rows are those that a query would give if the
    /// files stayed as they are. From 9.1 on.
    ///
    /// ## What else may cause it
    /// Nothing: it is what every crash does to unlogged tables.
    ///
    /// ## What to do
    /// Nothing, if the rows can be made again, as those of caches can. Otherwise copy the
    /// directory as it is before the server is started: after the start they are gone. In such
    /// a copy the init forks of the table, its indexes and its TOAST table (`NUMBER_init`) can be
    /// moved away, and a server started on that copy leaves the rows; torn pages may be among
    /// them, and indexes are to be made anew.
    "unlogged-relation-emptied" Note Dir: "the next start empties unlogged tables"
}

/// What recovery after a crash resets.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(context), Some(tally)) = (examination.scan, examination.tally) else { return };
    if !matches!(context.replay, Replay::Plan(_)) {
        return;
    }
    for (number, fork) in examination.forks.iter().enumerate() {
        if fork.fork != ForkNumber::Main || !fork.unlogged || fork.temporary {
            continue;
        }
        let relation = context.names.relation(fork.locator).filter(|relation| {
            matches!(relation.class.relkind, b'r' | b'm') && relation.class.relpersistence == b'u'
        });
        let (Some(_), Some(counts)) = (relation, tally.forks.get(&number)) else { continue };
        if counts.last_nonzero.is_none() {
            continue;
        }
        let bytes = counts.blocks.saturating_mul(u64::from(context.layout.blcksz));
        let message = format!(
            "{} in {} will be gone: the table is unlogged, and this start follows a crash",
            count(counts.rows, "row"),
            size(bytes)
        );
        let mut location = Location::file(&fork.path);
        location.relation = Some((fork.locator, fork.fork, 0));
        findings.push(Finding::new(&CHECK, location, message));
    }
}
