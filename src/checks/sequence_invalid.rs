//! Sequence is damaged.

use crate::cluster::catalog::CatalogRelation;
use crate::finding::Recovery;
use crate::format::heap::{HEAP_HASNULL, HEAP_NATTS_MASK, HeapTupleHeader};
use crate::format::index::Special;
use crate::format::page::{LpFlags, line_pointer, u32_at};
use crate::format::version::{Layout, Major};
use crate::scan::page::PageView;
use crate::scan::tally::Tally;

/// `sequence.c: SEQ_MAGIC`.
const SEQ_MAGIC: u32 = 0x1717;

check! {
    /// ## What it means
    /// The file of a sequence is one page with one row: the last value, how many more are
    /// already in the WAL, and whether the last value was given out. Up to 9.6 name and
    /// limits stand there, too. The page is none that the server writes. `nextval` fails, and
    /// with it every INSERT that draws a key from it: ERROR `bad magic number in sequence
    /// "orders_id_seq": 00000000`; or it gives out wrong numbers. `pg_dump` fails on it.
    ///
    /// ## How it is decided
    /// As `sequence.c` writes it (`fill_seq_with_data`): the mark 0x1717 in the special space,
    /// one line pointer with a row of three columns without NULL (ten up to 9.6), flags that
    /// are 0 or 1, and up to 9.6 a last value between the limits. Pages that replay changes
    /// are not judged: each record about a sequence holds all of it.
    ///
    /// ## What else may cause it
    /// Overwriting by foreign data; a file of another relation under this name; a flipped
    /// bit.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. A sequence is easily made again: in
    /// the running copy, drop it and create it, or restore its file from a backup, and set it
    /// to the greatest key in use: `SELECT setval('orders_id_seq', max(id)) FROM orders`.
    "sequence-invalid" Damage Page: "sequence is damaged"
}

/// Judges the page of a sequence; whether it could be.
pub fn run(view: &PageView<'_>, relation: &CatalogRelation, tally: &mut Tally) -> bool {
    if view.is_replayed() || view.is_ahead() || view.recovery() == Recovery::Heals {
        return false;
    }
    // sequence.c: only the first page is ever read.
    if view.blkno > 0 {
        return true;
    }
    let layout = &view.context.layout;
    if !matches!(Special::parse(view.page, &view.header), Special::Sequence) {
        let magic = u32_at(view.page, view.header.pd_special.into());
        let mut finding = view.finding(&CHECK, "the special space is not that of a sequence");
        if let Some(magic) = magic.filter(|magic| *magic != SEQ_MAGIC) {
            let name = &relation.class.relname;
            finding = finding
                .found_expected(format!("{magic:08X}"), format!("{SEQ_MAGIC:08X}"))
                .server_error(format!("bad magic number in sequence \"{name}\": {magic:08X}"));
        }
        tally.push(finding);
    } else if let Some(fault) = fault(view, layout) {
        tally.push(view.finding(&CHECK, fault));
    }
    true
}

/// What is wrong with the row.
fn fault(view: &PageView<'_>, layout: &Layout) -> Option<String> {
    let items = view.header.max_offset_number();
    if items != 1 {
        return Some(format!("has {items} line pointers, and a sequence has one row"));
    }
    let lp = line_pointer(view.page, &view.header, 1).filter(|lp| lp.flags() == LpFlags::Normal);
    let Some((header, tuple)) = lp.and_then(|lp| {
        let tuple = lp.bytes(view.page)?;
        Some((HeapTupleHeader::parse(tuple)?, tuple))
    }) else {
        return Some("has no row".to_owned());
    };
    let natts = header.t_infomask2 & HEAP_NATTS_MASK;
    let expected = if layout.since(Major::V10) { 3 } else { 10 };
    if natts != expected || header.has(HEAP_HASNULL) {
        return Some(format!("has a row of {natts} columns, and a sequence has {expected} without NULL"));
    }
    let data = tuple.get(usize::from(header.t_hoff)..).unwrap_or_default();
    if layout.since(Major::V10) {
        // last_value, log_cnt, is_called
        return flag(data, 16, "is_called");
    }
    // sequence_name, last_value, start_value, increment_by, max_value, min_value,
    // cache_value, log_cnt, is_cycled, is_called
    let number = |at: usize| {
        let bytes = data.get(at..)?.first_chunk()?;
        Some(i64::from_le_bytes(*bytes))
    };
    if let (Some(last), Some(max), Some(min)) = (number(64), number(88), number(96))
        && !(min..=max).contains(&last)
    {
        return Some(format!("has the last value {last}, which is not between {min} and {max}"));
    }
    flag(data, 120, "is_cycled").or_else(|| flag(data, 121, "is_called"))
}

/// What is wrong with a column that is a boolean.
fn flag(data: &[u8], at: usize, name: &str) -> Option<String> {
    match data.get(at) {
        None => Some("has a row that is too short".to_owned()),
        Some(0 | 1) => None,
        Some(other) => Some(format!("has {other} for {name}, which is neither 0 nor 1")),
    }
}
