//! `rmgrdesc/heapdesc.c: heap2_desc`.

use super::super::array::Array;
use super::super::heap::{OPMASK, XLOG_HEAP_INIT_PAGE};
use super::super::heap2::{self, Heap2Op, HeapPage, MultiInsert};
use super::super::prune::{self, Freeze, FreezePlan, Redirection};
use super::super::record::Record;
use super::heap::{infobits_desc, lock_flags, out_infobits, out_target};
use super::{list, numbers, put};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::types::TransactionId;
use crate::format::version::{Layout, Major};

pub(super) fn describe(
    layout: Layout,
    record: &Record<'_, '_>,
    out: &mut String,
) -> Result<(), Malformed> {
    if layout.since(Major::V16) {
        since_16(layout, record, out)
    } else if layout.since(Major::V9_5) {
        since_9_5(layout, record, out)
    } else {
        legacy(layout, record, out)
    }
}

/// `XLogRecHasBlockData` of the heap page.
fn has_data(record: &Record<'_, '_>) -> bool {
    record.block(0).is_some_and(|block| !block.data.is_empty())
}

fn since_16(layout: Layout, record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    let op = record.header.rmgr_info() & OPMASK;
    match (op, heap2::parse(layout, record)?) {
        (
            _,
            Heap2Op::Prune {
                conflict_xid,
                flags,
                ..
            },
        ) if layout.since(Major::V17) => prune_freeze(layout, record, conflict_xid, flags, out),
        (0x20, _) => vacuum_16(layout, record, out),
        (_, Heap2Op::Prune { conflict_xid, .. }) => prune_16(layout, record, conflict_xid, out),
        (_, Heap2Op::Freeze { cutoff_xid, .. }) => freeze_16(layout, record, cutoff_xid, out),
        (
            _,
            Heap2Op::Visible {
                cutoff_xid, flags, ..
            },
        ) => {
            put!(
                out,
                "snapshotConflictHorizon: {cutoff_xid}, flags: 0x{flags:02X}"
            );
            Ok(())
        }
        (_, Heap2Op::MultiInsert(insert)) => {
            multi_insert_16(layout, record, &insert, out);
            Ok(())
        }
        (
            _,
            Heap2Op::LockUpdated {
                target,
                xmax,
                infobits,
                flags,
            },
        ) => {
            put!(out, "xmax: {xmax}, off: {}, ", target.offnum);
            infobits_desc(infobits, "infobits", out);
            put!(out, ", flags: 0x{flags:02X}");
            Ok(())
        }
        (_, Heap2Op::NewCid { target, .. }) => {
            let (blkno, offnum) = (target.blkno, target.offnum);
            put!(out, "rel: {}, tid: {blkno}/{offnum}, ", target.locator);
            command_ids(record, out)
        }
        (_, Heap2Op::CleanupInfo { .. } | Heap2Op::Rewrite { .. } | Heap2Op::Unknown(_)) => Ok(()),
    }
}

/// `cmin`, `cmax` and `combocid` of `NEW_CID`.
fn command_ids(record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    let mut c = Cursor::new("Heap2 record", record.main);
    let _top_xid = c.u32()?;
    let (cmin, cmax, combo) = (c.u32()?, c.u32()?, c.u32()?);
    put!(out, "cmin: {cmin}, cmax: {cmax}, combo: {combo}");
    Ok(())
}

fn redirections(out: &mut String, redirected: Array<'_, Redirection>) {
    list(out, redirected.iter(), |out, Redirection { from, to }| {
        put!(out, "{from}->{to}");
    });
}

/// `plan_elem_desc`.
fn plans(out: &mut String, plans: Array<'_, FreezePlan>, offsets: Array<'_, u16>) {
    let mut given = offsets.iter();
    out.push('[');
    for (n, plan) in plans.iter().enumerate() {
        if n > 0 {
            out.push_str(", ");
        }
        let (header, ntuples) = (plan.header(), plan.ntuples());
        put!(
            out,
            "{{ xmax: {}, infomask: {}, infomask2: {}, ntuples: {ntuples}, offsets: ",
            header.xmax,
            header.t_infomask,
            header.t_infomask2
        );
        list(out, given.by_ref().take(ntuples.into()), |out, offnum| {
            put!(out, "{offnum}");
        });
        out.push_str(" }");
    }
    out.push(']');
}

fn prune_freeze(
    layout: Layout,
    record: &Record<'_, '_>,
    conflict_xid: Option<TransactionId>,
    flags: u16,
    out: &mut String,
) -> Result<(), Malformed> {
    const XLHP_IS_CATALOG_REL: u16 = 0x02;
    if let Some(xid) = conflict_xid {
        put!(out, "snapshotConflictHorizon: {xid}");
    }
    let catalog = super::letter(flags & XLHP_IS_CATALOG_REL != 0);
    put!(out, ", isCatalogRel: {catalog}");
    // XLHP_VM_ALL_VISIBLE and XLHP_VM_ALL_FROZEN stand where the map's bits do, 8 higher.
    let vm_flags = (flags >> 8) & 0x03;
    if layout.since(Major::V19) && vm_flags != 0 {
        put!(out, ", vm_flags: 0x{vm_flags:02X}");
    }
    if !has_data(record) {
        return Ok(());
    }
    let Some(cleanup) = prune::parse(layout, record)? else {
        return Ok(());
    };
    let (freeze_plans, offsets) = match cleanup.freeze {
        Freeze::Plans(plans, offsets) => (plans, offsets),
        _ => (Array::default(), Array::default()),
    };
    let (redirected, dead, unused) = (cleanup.redirected, cleanup.dead, cleanup.unused);
    put!(
        out,
        ", nplans: {}, nredirected: {}, ndead: {}, nunused: {}",
        freeze_plans.len(),
        redirected.len(),
        dead.len(),
        unused.len()
    );
    if !freeze_plans.is_empty() {
        out.push_str(", plans: ");
        plans(out, freeze_plans, offsets);
    }
    if !redirected.is_empty() {
        out.push_str(", redirected: ");
        redirections(out, redirected);
    }
    if !dead.is_empty() {
        out.push_str(", dead: ");
        numbers(out, dead);
    }
    if !unused.is_empty() {
        out.push_str(", unused: ");
        numbers(out, unused);
    }
    Ok(())
}

/// `nredirected` and `ndead` of `xl_heap_prune` up to 16.
fn prune_counts(record: &Record<'_, '_>) -> Result<(u16, u16), Malformed> {
    let mut c = Cursor::packed("Heap2 record", record.main);
    c.skip(4)?;
    Ok((c.u16()?, c.u16()?))
}

fn prune_16(
    layout: Layout,
    record: &Record<'_, '_>,
    conflict_xid: Option<TransactionId>,
    out: &mut String,
) -> Result<(), Malformed> {
    let xid = conflict_xid.unwrap_or_default();
    let (nredirected, ndead) = prune_counts(record)?;
    put!(
        out,
        "snapshotConflictHorizon: {xid}, nredirected: {nredirected}, ndead: {ndead}"
    );
    if has_data(record)
        && let Some(cleanup) = prune::parse(layout, record)?
    {
        put!(out, ", nunused: {}, redirected: ", cleanup.unused.len());
        redirections(out, cleanup.redirected);
        out.push_str(", dead: ");
        numbers(out, cleanup.dead);
        out.push_str(", unused: ");
        numbers(out, cleanup.unused);
    }
    Ok(())
}

fn nunused(record: &Record<'_, '_>) -> Result<u16, Malformed> {
    Cursor::new("Heap2 record", record.main).u16()
}

fn vacuum_16(layout: Layout, record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    put!(out, "nunused: {}", nunused(record)?);
    if has_data(record)
        && let Some(cleanup) = prune::parse(layout, record)?
    {
        out.push_str(", unused: ");
        numbers(out, cleanup.unused);
    }
    Ok(())
}

/// `nplans` of `xl_heap_freeze_page`; up to 15 and in 9.3 and 9.4 behind the page too,
/// `ntuples`.
fn freeze_count(layout: Layout, record: &Record<'_, '_>) -> Result<u16, Malformed> {
    let mut c = Cursor::packed("Heap2 record", record.main);
    c.skip(if layout.since(Major::V9_5) { 4 } else { 20 })?;
    c.u16()
}

fn freeze_16(
    layout: Layout,
    record: &Record<'_, '_>,
    cutoff_xid: TransactionId,
    out: &mut String,
) -> Result<(), Malformed> {
    let nplans = freeze_count(layout, record)?;
    put!(
        out,
        "snapshotConflictHorizon: {cutoff_xid}, nplans: {nplans}"
    );
    if has_data(record)
        && let Some(cleanup) = prune::parse(layout, record)?
        && let Freeze::Plans(freeze_plans, offsets) = cleanup.freeze
    {
        out.push_str(", plans: ");
        plans(out, freeze_plans, offsets);
    }
    Ok(())
}

fn multi_insert_16(
    layout: Layout,
    record: &Record<'_, '_>,
    insert: &MultiInsert<'_>,
    out: &mut String,
) {
    /// `XLH_INSERT_ALL_FROZEN_SET`: redo sets both bits of the visibility map (19).
    const ALL_FROZEN_SET: u8 = 0x20;
    let (ntuples, flags) = (insert.ntuples, insert.flags);
    put!(out, "ntuples: {ntuples}, flags: 0x{flags:02X}");
    if layout.since(Major::V19) && flags & ALL_FROZEN_SET != 0 {
        out.push_str(", vm_flags: 0x03");
    }
    if has_data(record) && !insert.init {
        out.push_str(", offsets: ");
        numbers(out, insert.offsets);
    }
}

fn since_9_5(layout: Layout, record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    let op = record.header.rmgr_info() & OPMASK;
    match heap2::parse(layout, record)? {
        Heap2Op::Prune { .. } if op == 0x20 => put!(out, "nunused {}", nunused(record)?),
        Heap2Op::Prune { conflict_xid, .. } => {
            let xid = conflict_xid.unwrap_or_default();
            if layout.since(Major::V14) {
                let (nredirected, ndead) = prune_counts(record)?;
                put!(
                    out,
                    "latestRemovedXid {xid} nredirected {nredirected} ndead {ndead}"
                );
            } else {
                put!(out, "remxid {xid}");
            }
        }
        Heap2Op::Freeze { cutoff_xid, .. } => {
            let ntuples = freeze_count(layout, record)?;
            put!(out, "cutoff xid {cutoff_xid} ntuples {ntuples}");
        }
        Heap2Op::CleanupInfo {
            latest_removed_xid, ..
        } => put!(out, "remxid {latest_removed_xid}"),
        Heap2Op::Visible {
            cutoff_xid, flags, ..
        } => {
            put!(out, "cutoff xid {cutoff_xid}");
            if layout.since(Major::V12) {
                put!(out, " flags 0x{flags:02X}");
            } else if layout.since(Major::V9_6) {
                put!(out, " flags {flags}");
            }
        }
        Heap2Op::MultiInsert(insert) => {
            put!(out, "{} tuples", insert.ntuples);
            if layout.since(Major::V12) {
                put!(out, " flags 0x{:02X}", insert.flags);
            }
        }
        Heap2Op::LockUpdated {
            target,
            xmax,
            infobits,
            flags,
        } => {
            put!(out, "off {}: xmax {xmax}", target.offnum);
            lock_flags(layout, flags, out);
            out_infobits(infobits, out);
        }
        Heap2Op::NewCid { target, .. } => {
            out_target(target, out);
            out.push_str("; ");
            command_ids(record, out)?;
        }
        Heap2Op::Rewrite { .. } | Heap2Op::Unknown(_) => {}
    }
    Ok(())
}

/// `rel 1663/5/16384; blk 7`.
fn out_page(page: HeapPage, out: &mut String) {
    put!(out, "rel {}; blk {}", page.locator, page.blkno);
}

fn legacy(layout: Layout, record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    let op = record.header.rmgr_info() & OPMASK;
    match heap2::parse(layout, record)? {
        Heap2Op::Prune {
            page, conflict_xid, ..
        } => {
            out.push_str("clean: ");
            out_page(page, out);
            put!(out, " remxid {}", conflict_xid.unwrap_or_default());
        }
        Heap2Op::Freeze { page, cutoff_xid } if op == 0x20 => {
            out.push_str("freeze_page: ");
            out_page(page, out);
            let ntuples = freeze_count(layout, record)?;
            put!(out, "; cutoff xid {cutoff_xid} ntuples {ntuples}");
        }
        Heap2Op::Freeze { page, cutoff_xid } => {
            out.push_str("freeze: ");
            out_page(page, out);
            if layout.since(Major::V9_3) {
                let mut c = Cursor::packed("Heap2 record", record.main);
                c.skip(20)?;
                put!(out, "; cutoff xid {cutoff_xid} multi {}", c.u32()?);
            } else {
                put!(out, "; cutoff {cutoff_xid}");
            }
        }
        Heap2Op::CleanupInfo {
            latest_removed_xid, ..
        } => put!(out, "cleanup info: remxid {latest_removed_xid}"),
        Heap2Op::Visible { page, .. } => {
            out.push_str("visible: ");
            out_page(page, out);
        }
        Heap2Op::MultiInsert(insert) => {
            let init = record.header.xl_info & XLOG_HEAP_INIT_PAGE != 0;
            put!(out, "multi-insert{}: ", if init { " (init)" } else { "" });
            out_page(insert.page, out);
            put!(out, "; {} tuples", insert.ntuples);
        }
        Heap2Op::LockUpdated {
            target,
            xmax,
            infobits,
            ..
        } => {
            put!(out, "lock updated: xmax {xmax} msk {infobits:04x}; ");
            out_target(target, out);
        }
        Heap2Op::NewCid { target, .. } => {
            out.push_str("new_cid: ");
            out_target(target, out);
            out.push_str("; ");
            command_ids(record, out)?;
        }
        // 9.4 has no words for REWRITE.
        Heap2Op::Rewrite { .. } | Heap2Op::Unknown(_) => out.push_str("UNKNOWN"),
    }
    Ok(())
}
