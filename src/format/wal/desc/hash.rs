//! `rmgrdesc/hashdesc.c`. 10 and later.

use super::super::record::Record;
use super::{letter, put};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::version::{Layout, Major};

pub(super) fn describe(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    let mut c = Cursor::new("Hash record", record.main);
    match record.header.rmgr_info() {
        0x00 => {
            let (tuples, _procid, fillfactor) = (c.f64()?, c.u32()?, c.u16()?);
            put!(
                out,
                "num_tuples {}, fillfactor {fillfactor}",
                general(tuples)
            );
        }
        0x10 => put!(out, "bmsize {}", c.u16()?),
        0x20 => put!(out, "off {}", c.u16()?),
        0x30 => {
            let (bmsize, found) = (c.u16()?, letter(c.bool()?));
            put!(out, "bmsize {bmsize}, bmpage_found {found}");
        }
        0x40 => split_allocate_page(&mut c, out)?,
        0x60 => {
            let (old, new) = (c.u16()?, c.u16()?);
            put!(out, "old_bucket_flag {old}, new_bucket_flag {new}");
        }
        0x70 => {
            let (ntups, primary) = (c.u16()?, letter(c.bool()?));
            put!(out, "ntups {ntups}, is_primary {primary}");
        }
        0x80 => {
            let (prev, next) = (c.u32()?, c.u32()?);
            let (ntups, primary) = (c.u16()?, letter(c.bool()?));
            put!(
                out,
                "prevblkno {prev}, nextblkno {next}, ntups {ntups}, is_primary {primary}"
            );
        }
        0x90 => {
            let (clear, primary) = (letter(c.bool()?), letter(c.bool()?));
            put!(out, "clear_dead_marking {clear}, is_primary {primary}");
        }
        0xB0 => put!(out, "ntuples {}", general(c.f64()?)),
        0xC0 => vacuum_one_page(layout, &mut c, out)?,
        // SPLIT_PAGE and SPLIT_CLEANUP say no more.
        _ => {}
    }
    Ok(())
}

fn split_allocate_page(c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    const UPDATE_MASKS: u8 = 0x01;
    const UPDATE_SPLITPOINT: u8 = 0x02;
    let bucket = c.u32()?;
    let (_old_flag, _new_flag, flags) = (c.u16()?, c.u16()?, c.u8()?);
    let masks = letter(flags & UPDATE_MASKS != 0);
    let splitpoint = letter(flags & UPDATE_SPLITPOINT != 0);
    put!(
        out,
        "new_bucket {bucket}, meta_page_masks_updated {masks}, issplitpoint_changed {splitpoint}"
    );
    Ok(())
}

fn vacuum_one_page(layout: Layout, c: &mut Cursor<'_>, out: &mut String) -> Result<(), Malformed> {
    if layout.since(Major::V16) {
        let (xid, ntuples, catalog) = (c.u32()?, c.u16()?, letter(c.bool()?));
        put!(
            out,
            "ntuples {ntuples}, snapshotConflictHorizon {xid}, isCatalogRel {catalog}"
        );
    } else if layout.since(Major::V12) {
        let (xid, ntuples) = (c.u32()?, c.i32()?);
        put!(out, "ntuples {ntuples}, latestRemovedXid {xid}");
    } else {
        c.skip(12)?;
        put!(out, "ntuples {}", c.i32()?);
    }
    Ok(())
}

/// C's `%g`: six significant digits, without zeros at the end.
pub(super) fn general(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return number.to_string().to_lowercase();
    }
    let scientific = format!("{number:.5e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    match usize::try_from(5_i32.saturating_sub(exponent)) {
        Ok(decimals) if exponent >= -4 => trimmed(&format!("{number:.decimals$}")),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs())
        }
    }
}
