//! A tablespace's link leads nowhere.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::finding::Recovery;

check! {
    /// ## What it means
    /// A tablespace is a folder outside the data directory; `pg_tblspc/OID` is a symbolic
    /// link to it. This link leads nowhere (or the folder lacks the part for this version,
    /// `PG_<version>_<catalog version>`), so all tables and indexes in it are out of reach:
    /// `could not open file "pg_tblspc/16385/PG_15_202209061/5/16390": No such file or
    /// directory`. If whole databases lie there, connecting to them fails: `database "x" does
    /// not exist`, `The database subdirectory "..." is missing.`
    ///
    /// After a clean shutdown the server starts all the same, with just a LOG line `could not
    /// open directory "pg_tblspc/16385/..."` (10 and older: `could not open tablespace
    /// directory`). After a crash, when the WAL to be replayed touches the tablespace, the
    /// start fails; measured on 10 to 18: FATAL `could not create directory
    /// "pg_tblspc/16385": File exists`.
    ///
    /// ## How it is decided
    /// Each entry of `pg_tblspc` must resolve to a folder that holds the folder of this
    /// version. From 15 on (and in the last minors of 10 to 14) an entry may be a real
    /// folder, when `allow_in_place_tablespaces` is on (`tablespace.c:
    /// create_tablespace_directories`).
    ///
    /// ## What else may cause it
    /// A disk that is not mounted, by far the most frequent; a copy or backup of the data
    /// directory alone; a copy taken to another machine, where the absolute path differs: the
    /// data is not damaged then, and this report merely cannot see it.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and the tablespace, if it can still
    /// be found. Mount the disk, or make the link point to where the folder is now; nothing
    /// is lost then, and the check can be run again.
    ///
    /// Do not make an empty folder in its place to get the server up: replay then makes new
    /// files there that hold just what the WAL touched, or stops with `WAL contains
    /// references to invalid pages`. If the tablespace is gone for good, restore all of the
    /// cluster from one backup: a tablespace of another day does not fit.
    "tablespace-link-dangling" Damage Dir: "a tablespace's link leads nowhere"
}

/// A link in `pg_tblspc` with nothing behind it.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let evidence = examination.evidence;
    let plan = examination.recovery.and_then(|run| run.plan.as_ref());
    for link in evidence.links() {
        let Some(name) = link.path.strip_prefix("pg_tblspc/") else { continue };
        let below = format!("{}/", link.path);
        let followed = evidence.has_dir(&link.path)
            || evidence.files().iter().any(|f| f.archive.is_none() && f.path.starts_with(&below));
        if name.contains('/') || followed {
            continue;
        }
        let dropped = name.parse().is_ok_and(|oid: u32| {
            plan.is_some_and(|plan| plan.dropped_tablespaces.contains(&oid))
        });
        let message = format!("the link to tablespace {name} leads to {}, where nothing is", link.target);
        let finding = Finding::new(&CHECK, Location::file(&link.path), message)
            .recovery(if dropped { Recovery::Heals } else { Recovery::Persists })
            .server_error(format!("could not open directory \"{}\"", link.path));
        findings.push(finding);
    }
}
