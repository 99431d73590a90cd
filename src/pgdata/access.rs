//! What the server may do with the files of the evidence, by their owners and permissions.
//!
//! The server runs as the user whom the data directory belongs to (`miscinit.c:
//! checkDataDir`). Which groups that user is in is not in the evidence, and access control
//! lists show in the bits of the group: so what the group may do of a file of somebody else
//! counts as allowed.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// `S_IROTH`.
pub const READ: u32 = 4;
/// `S_IWOTH`.
pub const WRITE: u32 = 2;
/// `S_IXOTH`: what is in a folder can be reached.
pub const SEARCH: u32 = 1;

const ROOT: u32 = 0;

/// Who owns a file or folder, and what he and others may do with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ownership {
    /// `st_uid`.
    pub uid: u32,
    /// The permission bits of `st_mode`.
    pub mode: u32,
}

impl Ownership {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            uid: metadata.uid(),
            mode: metadata.mode() & 0o7777,
        }
    }

    /// Whether a server that runs as the owner of `directory` may do all that `wanted` has.
    ///
    /// What belongs to root will be given to another user before a server can run on it, so
    /// of such a copy nothing is said but what even its owner may not do.
    #[must_use]
    pub fn permits(self, directory: Self, wanted: u32) -> bool {
        let has = |shift: u32| (self.mode >> shift) & wanted == wanted;
        if self.uid == directory.uid {
            has(6)
        } else {
            directory.uid == ROOT || has(3) || has(0)
        }
    }
}

/// The owner of the data directory, and what below it is not wholly open to him.
#[derive(Clone, Debug)]
pub struct Access {
    /// Of the data directory itself.
    pub directory: Ownership,
    /// Files that he cannot both read and write, and folders that he cannot list, change
    /// and enter, by path.
    pub restricted: BTreeMap<String, Ownership>,
}

impl Access {
    pub(super) fn of(directory: Ownership) -> Self {
        Self {
            directory,
            restricted: BTreeMap::new(),
        }
    }

    /// Whether the server can reach and use what lies at a path.
    #[must_use]
    pub fn permits(&self, path: &str, wanted: u32) -> bool {
        let is_permitted = |path: &str, wanted| {
            let own = self.restricted.get(path);
            own.is_none_or(|own| own.permits(self.directory, wanted))
        };
        let mut folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        self.restricted.is_empty()
            || folders.all(|folder| is_permitted(folder, SEARCH)) && is_permitted(path, wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(uid: u32, mode: u32) -> Ownership {
        Ownership { uid, mode }
    }

    #[test]
    fn the_owner_is_held_to_his_own_bits_and_others_to_theirs_or_their_groups() {
        let server = owned(26, 0o700);
        assert!(owned(26, 0o600).permits(server, READ | WRITE));
        assert!(!owned(26, 0o477).permits(server, READ | WRITE));
        assert!(owned(26, 0o400).permits(server, READ));
        assert!(!owned(0, 0o600).permits(server, READ));
        assert!(owned(0, 0o604).permits(server, READ));
        assert!(!owned(0, 0o604).permits(server, READ | WRITE));
        assert!(owned(0, 0o660).permits(server, READ | WRITE));
    }

    #[test]
    fn of_a_copy_that_root_made_only_its_own_bits_count() {
        let server = owned(ROOT, 0o700);
        assert!(owned(26, 0o000).permits(server, READ));
        assert!(!owned(ROOT, 0o400).permits(server, WRITE));
    }

    #[test]
    fn what_lies_in_a_closed_folder_is_out_of_reach() {
        let mut access = Access::of(owned(26, 0o700));
        assert!(access.permits("base/5/1259", READ | WRITE));
        access
            .restricted
            .insert("base/5".to_owned(), owned(0, 0o755));
        assert!(access.permits("base/5/1259", READ | WRITE));
        assert!(!access.permits("base/5", READ | WRITE));
        access.restricted.insert("base".to_owned(), owned(0, 0o700));
        assert!(!access.permits("base/5/1259", READ));
        assert!(access.permits("base-5/1259", READ));
    }
}
