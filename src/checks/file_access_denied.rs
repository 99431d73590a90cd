//! A file or folder that the server's user cannot open.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location, Severity};
use crate::format::types::ForkNumber;
use crate::pgdata::access::{Ownership, READ, SEARCH, WRITE};
use crate::pgdata::{Access, FileEntry, FileKind};

check! {
    /// ## What it means
    /// The server runs as the user whom the data directory belongs to, and by owner and
    /// permissions that user cannot open a file, or not for writing, or cannot use a folder.
    /// What is in it is not harmed. The message is `could not open file "...": Permission
    /// denied`; what it ends depends on the file. Measured on 10 to 18: `pg_control` and the WAL
    /// that is needed end the start (PANIC). So does a table that replay is to change, with
    /// words that lead astray: `could not create file "...": File exists`. Other tables only fail
    /// when they are used. After a clean stop the server starts on WAL that it cannot write, and
    /// ends with the first write.
    ///
    /// ## How it is decided
    /// By owner and permission bits of each file that the server uses, against the owner of the
    /// data directory. Relations, WAL, commit log and `pg_control` must be open for reading and
    /// writing; for configuration, label and history files reading will do. What a group may do
    /// counts as allowed, since the user may be in it; so does what an access control list
    /// grants. A folder stands for all in it that has the same owner. Nothing is said of
    /// archives, of a directory that belongs to root as a whole or that is closed to its own
    /// owner (a copy for safe keeping), nor of files that the server does not know.
    ///
    /// ## What else may cause it
    /// A restore, `cp` or `tar` run as root; WAL put in place by hand; `pg_resetwal`, a
    /// standalone server or a backup tool run by another user; `chmod -R` or `chown -R` that
    /// went too far or was stopped; numbers of users that differ between two machines. A
    /// security module (SELinux, AppArmor) gives the same message, and is not seen here.
    ///
    /// ## What to do
    /// Nothing is to be repaired but the permissions. As root:
    /// `chown -R --reference=DIRECTORY DIRECTORY`, for tablespaces on their own folders,
    /// and `chmod u+rw` on the file, `chmod u+rwx` on the folder. Then check again.
    "file-access-denied" Damage Dir: "the server's user cannot open a file or folder"
}

/// Folders in which the server keeps its files.
const FOLDERS: [&str; 12] = [
    "base", "global", "pg_wal", "pg_xlog", "pg_xact", "pg_clog", "pg_multixact", "pg_commit_ts",
    "pg_subtrans", "pg_tblspc", "pg_twophase", "pg_replslot",
];

/// All that is restricted and that the server uses.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let evidence = examination.evidence;
    let Some(access) = evidence.access() else { return };
    if !access.directory.permits(access.directory, READ | WRITE | SEARCH) {
        return;
    }
    for (path, own) in &access.restricted {
        if is_told_with_its_folder(access, path, *own) {
            continue;
        }
        if evidence.has_dir(path) {
            let lasting = FOLDERS.contains(&path.split('/').next().unwrap_or_default());
            if lasting && !path.ends_with("lost+found") {
                let message = describe(access, *own, READ | WRITE | SEARCH);
                findings.push(Finding::new(&CHECK, Location::file(path), message));
            }
        } else if let Some(id) = evidence.by_path(path) {
            file(access, evidence.entry(id), *own, findings);
        }
    }
}

/// Whether a folder above is as closed as this.
fn is_told_with_its_folder(access: &Access, path: &str, own: Ownership) -> bool {
    path.match_indices('/').any(|(at, _)| {
        let folder = path.get(..at).and_then(|folder| access.restricted.get(folder));
        folder.is_some_and(|folder| {
            folder.uid == own.uid && own.uid != access.directory.uid
                || !folder.permits(access.directory, SEARCH)
        })
    })
}

fn file(access: &Access, entry: &FileEntry, own: Ownership, findings: &mut Findings) {
    let path = entry.path.as_str();
    let Some((wanted, severity)) = needed(&entry.kind) else { return };
    if own.permits(access.directory, wanted) {
        return;
    }
    let mut location = Location::file(path);
    let mut server_error = None;
    if let FileKind::Relation(relation) = entry.kind {
        location.relation = Some((relation.locator, relation.fork, relation.segment));
        server_error = (relation.fork == ForkNumber::Main)
            .then(|| format!("could not open file \"{path}\": Permission denied"));
    }
    let mut finding =
        Finding::new(&CHECK, location, describe(access, own, wanted)).severity(severity);
    finding.server_error = server_error;
    findings.push(finding);
}

/// What the server must be allowed to do with a file, and how bad it is when it is not.
fn needed(kind: &FileKind) -> Option<(u32, Severity)> {
    match kind {
        FileKind::Control => Some((READ | WRITE, Severity::Fatal)),
        FileKind::PgVersion { db: None } | FileKind::PostmasterPid => {
            Some((READ, Severity::Fatal))
        }
        FileKind::Relation(relation) if relation.temp_backend.is_some() => None,
        FileKind::Relation(relation) if relation.fork != ForkNumber::Main => {
            Some((READ | WRITE, Severity::Abnormal))
        }
        FileKind::Relation(_) | FileKind::Slru { .. } | FileKind::Wal(_) => {
            Some((READ | WRITE, Severity::Damage))
        }
        FileKind::PgVersion { .. }
        | FileKind::FilenodeMap { .. }
        | FileKind::BackupLabel
        | FileKind::TablespaceMap
        | FileKind::TwoPhase { .. }
        | FileKind::ReplicationSlot
        | FileKind::ReplicationOrigin
        | FileKind::RecoverySignal
        | FileKind::StandbySignal
        | FileKind::RecoveryConf
        | FileKind::Configuration
        | FileKind::History { .. } => Some((READ, Severity::Damage)),
        _ => None,
    }
}

/// Whose it is, and what is lacking.
fn describe(access: &Access, own: Ownership, wanted: u32) -> String {
    let denied = |bit: u32| wanted & bit != 0 && !own.permits(access.directory, bit);
    let verb = match (denied(READ), denied(WRITE), denied(SEARCH)) {
        (_, _, true) => "enter",
        (true, true, _) => "open",
        (true, false, _) => "read",
        (false, ..) => "write",
    };
    let server = access.directory.uid;
    let whose = if own.uid == server {
        String::new()
    } else {
        format!("it belongs to {}, ", user(own.uid))
    };
    format!(
        "{whose}permissions {:04o}: the server, as {}, cannot {verb} it",
        own.mode,
        user(server)
    )
}

fn user(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { format!("user {uid}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_folder_stands_for_what_is_in_it() {
        let own = |uid, mode| Ownership { uid, mode };
        let access = Access {
            directory: own(26, 0o700),
            restricted: BTreeMap::from([
                ("base/5".to_owned(), own(0, 0o755)),
                ("base/6".to_owned(), own(26, 0o500)),
            ]),
        };
        assert!(is_told_with_its_folder(&access, "base/5/1259", own(0, 0o600)));
        assert!(!is_told_with_its_folder(&access, "base/5/1259", own(26, 0o400)));
        assert!(!is_told_with_its_folder(&access, "base/6/1259", own(26, 0o400)));
        assert!(!is_told_with_its_folder(&access, "base/51/1259", own(0, 0o600)));
    }

    #[test]
    fn the_message_names_what_is_lacking() {
        let access = Access {
            directory: Ownership { uid: 26, mode: 0o700 },
            restricted: BTreeMap::new(),
        };
        let said = |uid, mode, wanted| describe(&access, Ownership { uid, mode }, wanted);
        assert_eq!(
            said(26, 0o400, READ | WRITE),
            "permissions 0400: the server, as user 26, cannot write it"
        );
        assert_eq!(
            said(0, 0o600, READ | WRITE),
            "it belongs to root, permissions 0600: the server, as user 26, cannot open it"
        );
        assert_eq!(
            said(26, 0o600, READ | WRITE | SEARCH),
            "permissions 0600: the server, as user 26, cannot enter it"
        );
    }
}
