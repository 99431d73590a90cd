//! What a file of a relation that nobody knows holds, by its first page.

use crate::format::index::Special;
use crate::format::page::{PageHeader, is_zeroed, server_accepts};
use crate::format::version::Layout;
use crate::pgdata::{Evidence, FileId};

/// What of compressed archives is unpacked for it.
const MAX_UNPACKED: u64 = 64 << 20;

/// What each of some files looks like; `None` for those that cost too much to unpack.
#[must_use]
pub fn looks(evidence: &Evidence, layout: &Layout, files: &[FileId]) -> Vec<Option<String>> {
    let mut budget = MAX_UNPACKED;
    let mut within = |id: &FileId| {
        if !evidence.is_streamed(*id) {
            return true;
        }
        let left = budget.checked_sub(evidence.entry(*id).size);
        budget = left.unwrap_or(budget);
        left.is_some()
    };
    let wanted: Vec<Option<FileId>> = files.iter().map(|id| within(id).then_some(*id)).collect();
    let ids: Vec<FileId> = wanted.iter().flatten().copied().collect();
    if let Err(error) = evidence.pin(&ids) {
        // Each file is tried again when it is opened.
        tracing::debug!("files cannot be pinned: {error}");
    }
    let mut page = vec![0; layout.blcksz as usize];
    let mut look = |id: FileId| {
        let read = evidence
            .file(id)
            .and_then(|file| file.read_at(&mut page, 0));
        match read {
            Ok(got) => look_of(page.get(..got).unwrap_or_default(), layout),
            Err(error) => error.to_string(),
        }
    };
    wanted.into_iter().map(|id| id.map(&mut look)).collect()
}

/// The same once replay is done, when that writes to the first page.
#[must_use]
pub fn after_replay(look: String, is_written: bool) -> String {
    match look.as_str() {
        "empty" | "zeros" if is_written => "made by replay".to_owned(),
        _ => look,
    }
}

/// What a file looks like that begins with these bytes.
fn look_of(page: &[u8], layout: &Layout) -> String {
    if page.is_empty() {
        return "empty".to_owned();
    }
    if is_zeroed(page) {
        return "zeros".to_owned();
    }
    match PageHeader::parse(page) {
        Ok(header) if page.len() == layout.blcksz as usize && server_accepts(page, layout) => {
            Special::parse(page, &header).kind().to_string()
        }
        _ => "no page".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::{Major, Version};

    #[test]
    fn files_are_told_by_their_first_page() {
        let layout = Layout::usual(Version::of(Major::V15).unwrap());
        assert_eq!(look_of(&[], &layout), "empty");
        assert_eq!(look_of(&[0; 8192], &layout), "zeros");
        assert_eq!(look_of(&[1; 100], &layout), "no page");
        let mut page = vec![0; 8192];
        page[12..14].copy_from_slice(&24_u16.to_le_bytes());
        page[14..16].copy_from_slice(&8192_u16.to_le_bytes());
        page[16..18].copy_from_slice(&8192_u16.to_le_bytes());
        page[18..20].copy_from_slice(&0x2004_u16.to_le_bytes());
        assert_eq!(look_of(&page, &layout), "heap");
        page[16..18].copy_from_slice(&8176_u16.to_le_bytes());
        page[14..16].copy_from_slice(&8176_u16.to_le_bytes());
        assert_eq!(look_of(&page, &layout), "btree");
    }
}
