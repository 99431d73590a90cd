//! A tablespace's link leads nowhere.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::finding::Recovery;

check! {
    /// ## What it means
    /// A tablespace's link leads nowhere.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
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
