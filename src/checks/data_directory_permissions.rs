//! The data directory's owner or permissions keep the server from starting.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::version::{Major, Version};
use crate::pgdata::access::Ownership;

check! {
    /// ## What it means
    /// The server refuses to start on this directory as it lies there: others than its owner may
    /// enter it, or it belongs to root. Nothing of the contents is wrong.
    ///
    /// ## How it is decided
    /// As the server does it (`miscinit.c: checkDataDir`, up to 10 `postmaster.c:
    /// checkDataDir`): up to 10 only 0700 is accepted, later 0750 too. The owner must be the
    /// user that starts the server; who that will be is not known, but it cannot be root. Of
    /// archives nothing is said.
    ///
    /// ## What else may cause it
    /// A copy made by another user, or one restored as root: that is usual, and no fault before
    /// a server is to run on this very copy. `chmod -R` or `chown -R` on a folder above.
    ///
    /// ## What to do
    /// Before a start, as root, on the copy that is to be started:
    /// `chown -R postgres: DIRECTORY; chmod 700 DIRECTORY`. Files below need no change of their
    /// permissions as long as the server's user can read and write them.
    "data-directory-permissions" Note Dir: "the data directory's owner or permissions forbid a start"
}

/// `S_IRWXG | S_IRWXO`.
const OTHERS: u32 = 0o077;
/// `PG_MODE_MASK_GROUP`, 11 and later.
const OTHERS_BUT_GROUP_READS: u32 = 0o027;

/// `checkDataDir` passes.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let evidence = examination.evidence;
    let (Some(access), Some(version)) = (evidence.access(), examination.cluster.version) else {
        return;
    };
    let ownership = access.directory;
    let Some(error) = refusal(ownership, version) else { return };
    let message = if ownership.uid == 0 {
        "it belongs to root, who cannot start a server".to_owned()
    } else {
        format!("its permissions are {:04o}", ownership.mode)
    };
    let path = evidence.path().display();
    let finding = Finding::new(&CHECK, Location::file("."), message)
        .server_error(format!("data directory \"{path}\" {error}"));
    findings.push(finding);
}

/// What the server says of the directory.
fn refusal(ownership: Ownership, version: &Version) -> Option<&'static str> {
    let Ownership { uid, mode } = ownership;
    if uid == 0 {
        Some("has wrong ownership")
    } else if version.since(Major::V11) {
        (mode & OTHERS_BUT_GROUP_READS != 0).then_some("has invalid permissions")
    } else {
        (mode & OTHERS != 0).then_some("has group or world access")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_alone_and_later_its_group_may_enter() {
        let of = |major, uid, mode| {
            refusal(Ownership { uid, mode }, Version::of(major).unwrap())
        };
        for (major, at_0750) in [
            (Major::V9_0, Some("has group or world access")),
            (Major::V10, Some("has group or world access")),
            (Major::V11, None),
            (Major::V19, None),
        ] {
            assert_eq!(of(major, 26, 0o700), None);
            assert_eq!(of(major, 26, 0o750), at_0750);
            assert!(of(major, 26, 0o755).is_some() && of(major, 26, 0o770).is_some());
            assert_eq!(of(major, 0, 0o700), Some("has wrong ownership"));
        }
    }
}
