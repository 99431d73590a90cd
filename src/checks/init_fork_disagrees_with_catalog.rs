//! Init fork contradicts the catalogs.

use super::relation_file_missing::{Expected, is_below};
use crate::check::Examination;
use crate::finding::{Finding, Findings, Location, Severity};
use crate::format::names::relation_path;
use crate::format::types::{ForkNumber, RelFileLocator};
use crate::format::version::Major;
use std::collections::BTreeSet;

check! {
    /// ## What it means
    /// An unlogged table or index has a second file, `..._init`, of which a start after a
    /// crash makes it anew, empty. Any relation that has such a file is taken for unlogged.
    /// When a table that is not unlogged has one, the next start after a crash removes its
    /// rows without a word. When an unlogged one has none, it keeps what it held at the crash,
    /// which may be torn and older than its indexes.
    ///
    /// ## How it is decided
    /// Of each relation with files, by `pg_class` as replay leaves it: unlogged ones
    /// (`relpersistence` is `u`) have an init fork, permanent ones have none (`reinit.c:
    /// ResetUnloggedRelationsInDbspaceDir`). Relations that replay makes or removes are passed
    /// over, and nothing is said when the WAL cannot be read. From 9.1 on.
    ///
    /// ## What else may cause it
    /// A file copied or renamed by hand; files of two clusters or times in one folder; a copy
    /// that left empty files out (the init fork of a table is empty); `relpersistence` changed
    /// by hand in `pg_class`.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If a permanent relation has an init
    /// fork, do not start the server after a crash before that file is moved away: in the
    /// copy, move it out of the folder, then start.
    ///
    /// An unlogged table without one is best emptied by `TRUNCATE`, or made again by `ALTER
    /// TABLE ... SET LOGGED` (9.5 and later) if its rows are good; `REINDEX` makes the init
    /// fork of an index.
    "init-fork-disagrees-with-catalog" Damage Dir: "init fork contradicts the catalogs"
}

/// Unlogged relations have an init fork, and permanent ones have none.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(version) = examination.cluster.version else { return };
    let Some(expected) = Expected::new(examination).filter(|_| version.since(Major::V9_1)) else {
        return;
    };
    let with = |fork| -> BTreeSet<RelFileLocator> {
        let forks = examination.evidence.relation_forks();
        forks.filter(|(_, other)| *other == fork).map(|(locator, _)| locator).collect()
    };
    let (main, init) = (with(ForkNumber::Main), with(ForkNumber::Init));
    for (relation, locator) in expected.relations() {
        let has_init = init.contains(&locator);
        let (message, severity) = match relation.class.relpersistence {
            b'p' if has_init => (
                format!(
                    "the catalogs have this {} as permanent, and the next start after a crash \
                     empties it",
                    relation.kind()
                ),
                Severity::Damage,
            ),
            // One that has lost both is told of by relation-file-missing.
            b'u' if !has_init && main.contains(&locator) => (
                format!("the catalogs have this {} as unlogged, and it has no init fork", relation.kind()),
                Severity::Abnormal,
            ),
            _ => continue,
        };
        let path = relation_path(version, locator, ForkNumber::Init, 0);
        if expected.unread.iter().any(|folder| is_below(&path, folder)) {
            continue;
        }
        let mut location = Location::file(&path);
        location.relation = Some((locator, ForkNumber::Init, 0));
        findings.push(Finding::new(&CHECK, location, message).severity(severity));
    }
}
