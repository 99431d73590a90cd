//! WAL records as `pg_waldump` prints them, and as JSON, one object a line.
//!
//! Sources: `pg_waldump.c: XLogDumpDisplayRecord` (`pg_xlogdump.c` before 10).

use super::json::escape_unsafe;
use super::printer;
use crate::format::types::{ForkNumber, XLogRecPtr};
use crate::format::version::{Layout, Major};
use crate::format::wal::desc::describe;
use crate::format::wal::{Record, lsn_text, rmgr};
use crate::recovery::stop::{Stop, StopCause};
use serde::Serialize;
use std::fmt::Write as _;

/// The line of `pg_waldump` of the record's own version, without the line end. For 9.0 to 9.2,
/// which had no such tool, that of `pg_xlogdump` 9.3.
#[must_use]
pub fn record_line(layout: Layout, record: &Record<'_, '_>) -> String {
    let header = &record.header;
    let (lsn, prev) = (padded(record.lsn), padded(header.xl_prev));
    let name = rmgr::name(layout.version, header.xl_rmid);
    let mut line = format!(
        "rmgr: {name:<11} len (rec/tot): {:>6}/{:>6}, tx: {:>10}, lsn: {lsn}, prev {prev}, ",
        record_len(layout, record),
        header.xl_tot_len,
        header.xl_xid.0,
    );
    let desc = describe(layout, record);
    let desc = printer::clean(&desc);
    if layout.since(Major::V9_5) {
        let _ = write!(line, "desc: {desc}");
        blocks(record, &mut line);
    } else {
        let bkp = backup_blocks(layout, header.xl_info);
        let _ = write!(line, "bkp: {bkp}, desc: {desc}");
    }
    line
}

/// `%X/%08X`.
fn padded(lsn: XLogRecPtr) -> String {
    format!("{:X}/{:08X}", lsn.high(), lsn.low())
}

/// The length that stands before the slash: the main data up to 9.6, from 10 on all but the
/// page images (`XLogRecGetLen`).
fn record_len(layout: Layout, record: &Record<'_, '_>) -> u32 {
    if !layout.since(Major::V9_5) {
        return record.header.xl_len;
    }
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if !layout.since(Major::V10) {
        return len(record.main);
    }
    let images = record
        .blocks()
        .filter_map(|block| block.image)
        .fold(0, |sum: u32, image| sum.saturating_add(len(image.bytes)));
    record.header.xl_tot_len.saturating_sub(images)
}

/// `bkp: 1000`: which backup blocks the record has.
fn backup_blocks(layout: Layout, xl_info: u8) -> String {
    let bits: &[u8] = if layout.since(Major::V9_2) {
        &[0x08, 0x04, 0x02, 0x01]
    } else {
        // 0x01 is XLR_BKP_REMOVABLE there.
        &[0x08, 0x04, 0x02, 0x00]
    };
    let digit = |bit: &u8| if xl_info & bit != 0 { '1' } else { '0' };
    bits.iter().map(digit).collect()
}

fn blocks(record: &Record<'_, '_>, line: &mut String) {
    for block in record.blocks() {
        let _ = write!(line, ", blkref #{}: rel {}", block.id, block.locator);
        if block.fork != ForkNumber::Main {
            let _ = write!(line, " fork {}", block.fork);
        }
        let _ = write!(line, " blk {}", block.blkno);
        match block.image {
            Some(image) if image.apply => line.push_str(" FPW"),
            Some(_) => line.push_str(" FPW for WAL verification"),
            None => {}
        }
    }
}

/// What is wrong where the WAL cannot be read on, in the server's words; of a missing segment,
/// about which the server is silent, in ours.
#[must_use]
pub fn stop_text(layout: Layout, stop: &Stop) -> String {
    match (&stop.cause, stop.message(layout.version)) {
        (_, Some(message)) => message,
        (StopCause::MissingSegment { segment }, None) => {
            format!("there is no WAL segment {segment}")
        }
        (_, None) => "the WAL cannot be read".to_owned(),
    }
}

/// The line that stands where records cannot be read, without the line end.
#[must_use]
pub fn stop_line(layout: Layout, stop: &Stop, resumed: Option<XLogRecPtr>) -> String {
    let text = stop_text(layout, stop);
    match resumed {
        Some(lsn) => format!("# {text}; goes on at {}", lsn_text(layout.version, lsn)),
        None => format!("# {text}"),
    }
}

#[derive(Serialize)]
struct RecordV1<'a> {
    lsn: String,
    end_lsn: String,
    prev: String,
    rmgr: &'a str,
    info: u8,
    xid: u32,
    length: u32,
    desc: &'a str,
    blocks: Vec<BlockV1>,
}

#[derive(Serialize)]
struct BlockV1 {
    id: u8,
    spc: u32,
    db: u32,
    rel: u32,
    fork: &'static str,
    blk: u32,
    fpi: bool,
}

/// One JSON object, without the line end. `info` is `xl_info` whole, `length` `xl_tot_len`. Up
/// to 9.4 `blocks` are those with an image alone; the others are in `desc`.
#[must_use]
pub fn record_json(layout: Layout, record: &Record<'_, '_>) -> String {
    let header = &record.header;
    let blocks = record.blocks().map(|block| BlockV1 {
        id: block.id,
        spc: block.locator.spc_oid,
        db: block.locator.db_oid,
        rel: block.locator.rel_number,
        fork: block.fork.name(),
        blk: block.blkno,
        fpi: block.image.is_some(),
    });
    json(&RecordV1 {
        lsn: record.lsn.to_string(),
        end_lsn: record.end_lsn.to_string(),
        prev: header.xl_prev.to_string(),
        rmgr: &rmgr::name(layout.version, header.xl_rmid),
        info: header.xl_info,
        xid: header.xl_xid.0,
        length: header.xl_tot_len,
        desc: describe(layout, record).trim_end(),
        blocks: blocks.collect(),
    })
}

#[derive(Serialize)]
struct StopV1 {
    lsn: String,
    stop: String,
    resumed: Option<String>,
}

/// The object that stands where records cannot be read; `resumed` is the next one that can be.
#[must_use]
pub fn stop_json(layout: Layout, stop: &Stop, resumed: Option<XLogRecPtr>) -> String {
    json(&StopV1 {
        lsn: stop.lsn.to_string(),
        stop: stop_text(layout, stop),
        resumed: resumed.map(|lsn| lsn.to_string()),
    })
}

fn json<T: Serialize>(object: &T) -> String {
    // Only maps with keys that are no strings cannot be written.
    escape_unsafe(&serde_json::to_string(object).unwrap_or_default())
}
