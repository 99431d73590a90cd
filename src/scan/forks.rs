//! The relations' files, put together from their segments.

use crate::finding::Location;
use crate::format::types::{BlockNumber, ForkNumber, RelFileLocator};
use crate::format::version::{Layout, Version};
use crate::pgdata::{Evidence, FileId, FileKind};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// All segments of one fork of one relation.
#[derive(Clone, Debug)]
pub struct ForkFiles {
    /// The relation.
    pub locator: RelFileLocator,
    /// The fork.
    pub fork: ForkNumber,
    /// Path of the first segment, whether or not it is there.
    pub path: Arc<str>,
    /// The segments: number to file and bytes.
    pub segments: BTreeMap<u32, (FileId, u64)>,
    /// A temporary relation of a backend; the next start removes it.
    pub temporary: bool,
    /// A fork of an unlogged relation, which recovery after a crash resets.
    pub unlogged: bool,
}

impl ForkFiles {
    /// Path of one segment.
    #[must_use]
    pub fn segment_path(&self, segment: u32) -> Arc<str> {
        if segment == 0 {
            self.path.clone()
        } else {
            Arc::from(format!("{}.{segment}", self.path))
        }
    }

    /// Where a block begins, in the segment that the server would look for it in.
    #[must_use]
    pub fn location(&self, blkno: BlockNumber, layout: &Layout) -> Location {
        let segment = blkno.checked_div(layout.relseg_size).unwrap_or(0);
        let in_segment = blkno.checked_rem(layout.relseg_size).unwrap_or(0);
        Location {
            path: self.segment_path(segment),
            block: Some(blkno),
            offset_number: None,
            byte_offset: Some(u64::from(in_segment) * u64::from(layout.blcksz)),
            lsn: None,
            relation: Some((self.locator, self.fork, segment)),
        }
    }

    /// Blocks of segments that are missing, or short, before the last.
    #[must_use]
    pub fn missing_blocks(&self, layout: &Layout) -> u64 {
        let there: u64 = self
            .segments
            .values()
            .map(|(_, size)| (size / u64::from(layout.blcksz)).min(layout.relseg_size.into()))
            .sum();
        u64::from(self.blocks(layout)).saturating_sub(there)
    }

    /// Blocks up to the end of the last segment that has any; missing ones count as full.
    #[must_use]
    pub fn blocks(&self, layout: &Layout) -> BlockNumber {
        let blcksz = u64::from(layout.blcksz);
        let end = self
            .segments
            .iter()
            .filter(|(_, (_, size))| *size > 0)
            .map(|(number, (_, size))| {
                let relseg_size = u64::from(layout.relseg_size);
                u64::from(*number) * relseg_size + size.div_ceil(blcksz).min(relseg_size)
            })
            .max()
            .unwrap_or(0);
        BlockNumber::try_from(end).unwrap_or(BlockNumber::MAX)
    }
}

/// Another fork of the same relation, by its number in the list.
#[must_use]
pub fn sibling(forks: &[ForkFiles], number: usize, fork: ForkNumber) -> Option<usize> {
    let of = forks.get(number)?;
    // The forks of a relation stand together.
    (number..forks.len())
        .take_while(|n| {
            let other = &forks[*n];
            other.locator == of.locator && other.temporary == of.temporary
        })
        .find(|n| *n != number && forks[*n].fork == fork)
}

/// Every fork in the evidence that belongs to the cluster's version, by relation and fork.
#[must_use]
pub fn list(evidence: &Evidence, version: Option<&'static Version>) -> Vec<ForkFiles> {
    let tablespace_dir = version.map(Version::tablespace_dir);
    let mut forks: BTreeMap<(bool, u32, RelFileLocator, ForkNumber), ForkFiles> = BTreeMap::new();
    for (id, entry) in evidence.iter() {
        let FileKind::Relation(file) = entry.kind else {
            continue;
        };
        let other_version = match (entry.tablespace_version_dir(), &tablespace_dir) {
            (Some(found), Some(own)) => found != own,
            _ => false,
        };
        if other_version || entry.archive.is_some() {
            continue;
        }
        let key = (
            file.temp_backend.is_some(),
            file.temp_backend.unwrap_or(0),
            file.locator,
            file.fork,
        );
        let path = match entry.path.rsplit_once('.') {
            Some((base, _)) if file.segment > 0 => base,
            _ => entry.path.as_str(),
        };
        let fork = forks.entry(key).or_insert_with(|| ForkFiles {
            locator: file.locator,
            fork: file.fork,
            path: Arc::from(path),
            segments: BTreeMap::new(),
            temporary: file.temp_backend.is_some(),
            unlogged: false,
        });
        fork.segments.insert(file.segment, (id, entry.size));
    }
    let unlogged: HashSet<RelFileLocator> = forks
        .values()
        .filter(|f| f.fork == ForkNumber::Init)
        .map(|f| f.locator)
        .collect();
    forks
        .into_values()
        .map(|mut fork| {
            fork.unlogged = unlogged.contains(&fork.locator) && fork.fork != ForkNumber::Init;
            fork
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::page::tests::layout;
    use crate::format::version::Major;

    #[test]
    fn a_block_lies_in_its_segment() {
        let locator = RelFileLocator {
            spc_oid: 1663,
            db_oid: 5,
            rel_number: 16384,
        };
        let fork = ForkFiles {
            locator,
            fork: ForkNumber::Main,
            path: Arc::from("base/5/16384"),
            segments: BTreeMap::new(),
            temporary: false,
            unlogged: false,
        };
        let place = |blkno| {
            let at = fork.location(blkno, &layout(Major::V15));
            assert_eq!((at.block, at.offset_number), (Some(blkno), None));
            let (of, _, segment) = at.relation.unwrap();
            assert_eq!(of, locator);
            (at.path.to_string(), segment, at.byte_offset.unwrap())
        };
        assert_eq!(place(0), ("base/5/16384".to_owned(), 0, 0));
        assert_eq!(place(131_071), ("base/5/16384".to_owned(), 0, 0x3FFF_E000));
        assert_eq!(place(131_073), ("base/5/16384.1".to_owned(), 1, 8192));
        assert_eq!(place(u32::MAX).1, 32_767);
    }
}
