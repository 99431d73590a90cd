//! What a record says, in `pg_waldump`'s words.
//!
//! Sources: `rmgrdesc/*.c` of each version; `pg_waldump.c: XLogDumpDisplayRecord`
//! (`pg_xlogdump.c` before 10), `xlogreader.c: XLogRecGetBlockRefInfo`. For 9.0 to 9.2, which
//! had no such tool, the descriptions are those the server printed with `wal_debug`.
//!
//! ```text
//! up to 9.4  insert: rel 1663/12145/16384; tid 0/1
//! 9.5 on     INSERT off 1 flags 0x00
//!            identification, a blank, description
//! ```
//!
//! Where a version's words are not known here, the identification stands alone.

mod brin;
mod btree;
mod gin;
mod gist;
mod hash;
mod heap;
mod heap2;
mod misc;
mod spgist;
mod standby;
mod storage;
mod xact;
mod xlog;

use super::array::{Array, Element};
use super::record::Record;
use super::rmgr;
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::{RelFileLocator, TimestampTz};
use crate::format::version::{Layout, Major};
use std::fmt::Display;
use time::OffsetDateTime;

/// Appends to a `String`, which cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{
        let _ = ::std::fmt::Write::write_fmt($out, format_args!($($text)*));
    }};
}
use put;

/// What `pg_waldump` prints behind `desc: `, without the blocks: identification and
/// description. A payload too short for its kind gives as much as can be read of it, then
/// `(malformed)`.
#[must_use]
pub fn describe(layout: Layout, record: &Record<'_, '_>) -> String {
    let version = layout.version;
    let header = &record.header;
    let mut text = String::new();
    let id = rmgr::identify(version, header.xl_rmid, header.xl_info);
    if layout.since(Major::V9_5) {
        match id {
            Some(id) => put!(&mut text, "{id} "),
            None => put!(&mut text, "UNKNOWN ({:x}) ", header.rmgr_info()),
        }
    } else if id.is_none() {
        return "UNKNOWN".to_owned();
    }
    if id.is_some() && of_manager(layout, record, &mut text).is_err() {
        if !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
        text.push_str("(malformed)");
    }
    text
}

fn of_manager(layout: Layout, record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    let describe = match record.header.xl_rmid {
        rmgr::RM_XLOG_ID => xlog::describe,
        rmgr::RM_XACT_ID => xact::describe,
        rmgr::RM_SMGR_ID => storage::smgr,
        rmgr::RM_CLOG_ID => storage::clog,
        rmgr::RM_DBASE_ID => storage::dbase,
        rmgr::RM_TBLSPC_ID => storage::tblspc,
        rmgr::RM_MULTIXACT_ID => misc::multixact,
        rmgr::RM_RELMAP_ID => storage::relmap,
        rmgr::RM_STANDBY_ID => standby::describe,
        rmgr::RM_HEAP2_ID => heap2::describe,
        rmgr::RM_HEAP_ID => heap::describe,
        rmgr::RM_BTREE_ID => btree::describe,
        rmgr::RM_HASH_ID => hash::describe,
        rmgr::RM_GIN_ID => gin::describe,
        rmgr::RM_GIST_ID => gist::describe,
        rmgr::RM_SEQ_ID => misc::seq,
        rmgr::RM_SPGIST_ID => spgist::describe,
        rmgr::RM_BRIN_ID => brin::describe,
        rmgr::RM_COMMIT_TS_ID => misc::commit_ts,
        rmgr::RM_REPLORIGIN_ID => misc::replorigin,
        rmgr::RM_GENERIC_ID => misc::generic,
        rmgr::RM_LOGICALMSG_ID => misc::logicalmsg,
        rmgr::RM_XLOG2_ID => xlog::xlog2,
        _ => return Ok(()),
    };
    describe(layout, record, out)
}

/// The identification alone, for a kind of 9.0 to 9.4 whose words are not known here; from
/// 9.5 on it stands there already.
fn identification(layout: Layout, record: &Record<'_, '_>, out: &mut String) {
    if !layout.since(Major::V9_5) {
        let header = &record.header;
        out.push_str(
            rmgr::identify(layout.version, header.xl_rmid, header.xl_info).unwrap_or("UNKNOWN"),
        );
    }
}

/// `rmgrdesc_utils.c: array_desc` as released with 16: `[1, 2]`.
fn list<T>(out: &mut String, elements: impl Iterator<Item = T>, each: impl Fn(&mut String, T)) {
    out.push('[');
    for (n, element) in elements.enumerate() {
        if n > 0 {
            out.push_str(", ");
        }
        each(out, element);
    }
    out.push(']');
}

fn numbers<T: Element + Display>(out: &mut String, elements: Array<'_, T>) {
    list(out, elements.iter(), |out, number| put!(out, "{number}"));
}

/// ` 1 2 3`.
fn each_after_blank<T: Display>(out: &mut String, elements: impl Iterator<Item = T>) {
    for element in elements {
        put!(out, " {element}");
    }
}

/// Text of a C string: up to the NUL, bytes that are not UTF-8 replaced.
fn c_string(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes.split(|b| *b == 0).next().unwrap_or_default())
}

fn letter(yes: bool) -> char {
    if yes { 'T' } else { 'F' }
}

/// ` (newpage)` and the like.
fn flag(out: &mut String, set: bool, name: &str) {
    if set {
        put!(out, " ({name})");
    }
}

/// `rel 1663/5/16384`.
fn rel(c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    put!(out, "rel {}", RelFileLocator::read(c)?);
    Ok(())
}

/// A 64-bit transaction number as `epoch:xid`.
fn full_xid(number: u64) -> crate::format::types::FullTransactionId {
    crate::format::types::FullTransactionId(number)
}

/// `compat.c: timestamptz_to_str`, in UTC where that takes the time zone of whoever runs it.
fn time_text(time: TimestampTz) -> String {
    const POSTGRES_EPOCH: i64 = 946_684_800;
    const USECS_PER_SEC: i64 = 1_000_000;
    // Both round towards zero, as C does.
    let seconds = time.0.checked_div(USECS_PER_SEC).unwrap_or(0);
    let microseconds = time.0.checked_rem(USECS_PER_SEC).unwrap_or(0);
    match OffsetDateTime::from_unix_timestamp(seconds.saturating_add(POSTGRES_EPOCH)) {
        Ok(at) => {
            let (year, month, day) = at.to_calendar_date();
            let (hour, minute, second) = at.to_hms();
            format!(
                "{year}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{microseconds:06} UTC",
                u8::from(month)
            )
        }
        // A year no date can be made of.
        Err(_) => format!("timestamp {}", time.0),
    }
}

#[cfg(test)]
mod tests;
