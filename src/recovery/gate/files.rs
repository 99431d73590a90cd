//! The small files that a start reads whole: replication slots, replication origins and
//! prepared transactions.
//!
//! Sources: `slot.c: RestoreSlotFromDisk`; `origin.c: StartupReplicationOrigin`;
//! `twophase.c: restoreTwoPhaseData, ProcessTwoPhaseBuffer, ReadTwoPhaseFile`.

use super::read_whole;
use crate::cluster::slru::{SlruCache, SlruFiles};
use crate::format::backup_label::parse_tablespace_map;
use crate::format::crc::Crc;
use crate::format::replorigin::{REPLICATION_STATE_MAGIC, ReplicationOrigins};
use crate::format::slot::{SLOT_MAGIC, SlotPersistency, SlotState};
use crate::format::slru::{Slru, XidStatus, xid_status};
use crate::format::twophase::TwoPhaseFile;
use crate::format::types::{FullTransactionId, TransactionId};
use crate::format::version::{Layout, Major, Version};
use crate::pgdata::{Evidence, FileId, FileKind};
use crate::recovery::plan::Plan;

/// A file that the server cannot use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadFile {
    /// Below PGDATA.
    pub path: String,
    /// What is wrong with it.
    pub fault: String,
    /// The message with which a start ends, with its severity; `None` where it goes on
    /// without the file, or its words are not known.
    pub message: Option<String>,
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let (found, _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u32::from_le_bytes(*found))
}

/// The message of a read that gave fewer bytes than it should. Up to 11 it ends with the
/// error of the call before, which removes a `state.tmp` that is seldom there.
fn short(version: &Version, path: &str, got: usize, wanted: usize) -> String {
    if version.since(Major::V12) {
        format!("PANIC: could not read file \"{path}\": read {got} of {wanted}")
    } else {
        let reason = "No such file or directory";
        format!("PANIC: could not read file \"{path}\", read {got} of {wanted}: {reason}")
    }
}

/// The replication slots that cannot be restored, 9.4 and later.
#[must_use]
pub fn slots(evidence: &Evidence, version: &Version) -> Vec<BadFile> {
    let mut names: Vec<&str> = evidence
        .dirs()
        .filter_map(|dir| dir.strip_prefix("pg_replslot/"))
        .filter(|name| !name.contains('/') && !name.ends_with(".tmp"))
        .collect();
    names.sort_unstable();
    names
        .into_iter()
        .filter_map(|name| {
            let path = format!("pg_replslot/{name}/state");
            let (fault, message) = slot(evidence, version, &path)?;
            Some(BadFile {
                // Up to 9.6 the wording was another.
                message: message.filter(|_| version.since(Major::V10)),
                path,
                fault,
            })
        })
        .collect()
}

/// What is wrong with a slot, and the message.
fn slot(evidence: &Evidence, version: &Version, path: &str) -> Option<(String, Option<String>)> {
    let panic = |text: String| Some(format!("PANIC: {text}"));
    let Some(id) = evidence.by_path(path) else {
        let text = format!("could not open file \"{path}\": No such file or directory");
        return Some(("there is no such file".to_owned(), panic(text)));
    };
    let bytes = read_whole(evidence, id)?;
    let file = format!("replication slot file \"{path}\"");
    match SlotState::parse(version, &bytes) {
        Ok(state) if state.crc_is_good => None,
        Ok(_) => {
            let length = usize::try_from(number(&bytes, 12)?).ok()?;
            let checked = bytes.get(8..length.checked_add(16)?)?;
            let found = Crc::of(version).update([checked]).value();
            let text = format!(
                "checksum mismatch for {file}: is {found}, should be {}",
                number(&bytes, 4)?
            );
            Some(("its checksum is wrong".to_owned(), panic(text)))
        }
        Err(malformed) => {
            let text = match malformed.at {
                _ if bytes.len() < 16 => Some(short(version, path, bytes.len(), 16)),
                0 => panic(format!(
                    "{file} has wrong magic number: {} instead of {SLOT_MAGIC}",
                    number(&bytes, 0)?
                )),
                8 => panic(format!(
                    "{file} has unsupported version {}",
                    number(&bytes, 8)?
                )),
                12 => panic(format!(
                    "{file} has corrupted length {}",
                    number(&bytes, 12)?
                )),
                _ => {
                    let wanted = usize::try_from(number(&bytes, 12)?).ok()?;
                    Some(short(version, path, bytes.len() - 16, wanted))
                }
            };
            Some((malformed.to_string(), text))
        }
    }
}

/// The names of the slots that will be restored, those of databases first told apart.
#[must_use]
pub fn sound_slots(evidence: &Evidence, version: &Version) -> Vec<SlotState> {
    evidence
        .iter()
        .filter(|(_, entry)| entry.kind == FileKind::ReplicationSlot)
        .filter_map(|(id, _)| SlotState::parse(version, &read_whole(evidence, id)?).ok())
        .filter(|slot| slot.crc_is_good && slot.persistency == SlotPersistency::Persistent)
        .collect()
}

/// `pg_logical/replorigin_checkpoint`, when it cannot be used; 9.5 and later.
#[must_use]
pub fn origins(evidence: &Evidence, version: &Version) -> Option<BadFile> {
    const ENTRY: usize = 16;
    let path = "pg_logical/replorigin_checkpoint";
    let bytes = read_whole(evidence, evidence.by_path(path)?)?;
    let (fault, text) = match ReplicationOrigins::parse(&bytes) {
        Ok(origins) if origins.crc_is_good => return None,
        Ok(_) => {
            let (before, stored) = bytes.split_last_chunk::<4>()?;
            let found = Crc::Castagnoli(0).update([before]).value();
            let expected = u32::from_le_bytes(*stored);
            let text = format!(
                "replication slot checkpoint has wrong checksum {found}, expected {expected}"
            );
            ("its checksum is wrong".to_owned(), text)
        }
        Err(malformed) => {
            let text = match number(&bytes, 0) {
                None if version.since(Major::V12) => {
                    format!("could not read file \"{path}\": read {} of 4", bytes.len())
                }
                None => format!("could not read file \"{path}\": Success"),
                Some(found) if found != REPLICATION_STATE_MAGIC => format!(
                    "replication checkpoint has wrong magic {found} instead of \
                     {REPLICATION_STATE_MAGIC}"
                ),
                Some(_) => {
                    let rest = (bytes.len() - 4) % ENTRY;
                    format!("could not read file \"{path}\": read {rest} of {ENTRY}")
                }
            };
            (malformed.to_string(), text)
        }
    };
    Some(BadFile {
        path: path.to_owned(),
        fault,
        message: Some(format!("PANIC: {text}")),
    })
}

/// `tablespace_map`, when a start that needs it cannot use it; 9.5 and later. Without a
/// `backup_label` nobody reads it.
#[must_use]
pub fn tablespace_map(evidence: &Evidence, version: &Version) -> Option<BadFile> {
    let path = "tablespace_map";
    let bytes = read_whole(evidence, evidence.by_path(path)?)?;
    let (fault, message) = if version.since(Major::V14) {
        let malformed = parse_tablespace_map(&bytes).err()?;
        (malformed.to_string(), None)
    } else if version.since(Major::V9_5) {
        loose_tablespace_map(&bytes)?
    } else {
        return None;
    };
    let invalid = || "FATAL: invalid data in file \"tablespace_map\"".to_owned();
    Some(BadFile {
        path: path.to_owned(),
        fault,
        message: Some(message.unwrap_or_else(invalid)),
    })
}

/// Up to 13 each line was read by `sscanf`, and a last line without its end by nobody.
fn loose_tablespace_map(bytes: &[u8]) -> Option<(String, Option<String>)> {
    let text = String::from_utf8_lossy(bytes);
    let end = text.rfind(['\n', '\r'])?;
    text[..end].split(['\n', '\r']).find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let Some(oid) = words.next() else {
            return Some(("a line is empty".to_owned(), None));
        };
        words.next().is_none().then(|| {
            let text = format!(
                "FATAL: could not create symbolic link \"pg_tblspc/{oid}\": No such file or \
                 directory"
            );
            ("a line has no path".to_owned(), Some(text))
        })
    })
}

/// The state files of transactions that are still prepared, and cannot be used. Files of
/// transactions that ended, or are not begun yet, are removed without a look into them; up to
/// 11, where a bad file ends nothing, those that `plan` ends are as good as removed.
#[must_use]
pub fn two_phase(
    evidence: &Evidence,
    layout: &Layout,
    next_xid: FullTransactionId,
    plan: Option<&Plan>,
) -> Vec<BadFile> {
    let version = layout.version;
    let ends_in_wal = |xid: TransactionId| {
        !version.since(Major::V12)
            && plan
                .is_some_and(|plan| plan.committed.contains(xid.0) || plan.aborted.contains(xid.0))
    };
    let clog = SlruFiles::open(evidence, layout, Slru::Xact);
    let mut cache = SlruCache::default();
    let mut bad = Vec::new();
    for (id, xid) in state_files(evidence) {
        let ended = clog
            .entry(&mut cache, u64::from(xid.0))
            .and_then(|(at, page)| xid_status(page, at))
            .is_some_and(|status| matches!(status, XidStatus::Committed | XidStatus::Aborted));
        if ended || ends_in_wal(xid) || !xid.precedes(next_xid.xid()) {
            continue;
        }
        let Some(bytes) = read_whole(evidence, id) else {
            continue;
        };
        let path = evidence.entry(id).path.as_str();
        if let Some((fault, message)) = two_phase_fault(version, &bytes, xid, path) {
            bad.push(BadFile {
                path: path.to_owned(),
                fault: fault.to_owned(),
                // Up to 11 it was removed with a warning.
                message: version
                    .since(Major::V12)
                    .then(|| format!("FATAL: {message}")),
            });
        }
    }
    bad
}

/// The files of `pg_twophase` with their transactions, whose epoch is left out.
fn state_files(evidence: &Evidence) -> impl Iterator<Item = (FileId, TransactionId)> {
    evidence.iter().filter_map(|(id, entry)| match entry.kind {
        FileKind::TwoPhase { xid } => {
            let low = u32::try_from(xid & u64::from(u32::MAX)).ok()?;
            Some((id, TransactionId(low)))
        }
        _ => None,
    })
}

/// The transactions that have a file in `pg_twophase`.
pub(super) fn prepared(evidence: &Evidence) -> impl Iterator<Item = TransactionId> {
    state_files(evidence).map(|(_, xid)| xid)
}

/// What is wrong with a state file, and the words of 12 and later.
fn two_phase_fault(
    version: &Version,
    bytes: &[u8],
    xid: TransactionId,
    path: &str,
) -> Option<(&'static str, String)> {
    // MAXALIGN(sizeof(TwoPhaseFileHeader)), an END record, and the CRC.
    let header = if version.since(Major::V15) {
        72
    } else if version.since(Major::V11) {
        64
    } else {
        48
    };
    let size = bytes.len();
    if size < header + 8 + 4 {
        let unit = if size == 1 { "byte" } else { "bytes" };
        let text = format!("incorrect size of file \"{path}\": {size} {unit}");
        return Some(("it is too short", text));
    }
    if !(size - 4).is_multiple_of(8) {
        let text = format!("incorrect alignment of CRC offset for file \"{path}\"");
        return Some(("its length is impossible", text));
    }
    match TwoPhaseFile::parse(version, bytes) {
        Err(malformed) if malformed.at == 0 => {
            let text = format!("invalid magic number stored in file \"{path}\"");
            Some(("its magic number is wrong", text))
        }
        _ if number(bytes, 4).and_then(|len| usize::try_from(len).ok()) != Some(size) => {
            let text = format!("invalid size stored in file \"{path}\"");
            Some(("its length is not the one it names", text))
        }
        Ok(file) if file.crc_is_good && file.state.xid == xid => None,
        Ok(file) if file.crc_is_good => {
            let text = format!("corrupted two-phase state file for transaction {}", xid.0);
            Some(("it is of another transaction than its name says", text))
        }
        Ok(_) | Err(_) => {
            let text =
                format!("calculated CRC checksum does not match value stored in file \"{path}\"");
            Some(("its checksum is wrong", text))
        }
    }
}
