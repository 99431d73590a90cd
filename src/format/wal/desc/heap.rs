//! `rmgrdesc/heapdesc.c: heap_desc`.

use super::super::heap::{self, HeapOp, Target, Update, XLOG_HEAP_INIT_PAGE};
use super::super::inval::Invalidations;
use super::super::record::Record;
use super::standby::invalidations;
use super::{list, numbers, put};
use crate::format::cursor::{Cursor, Malformed};
use crate::format::version::{Layout, Major};

/// `infobits_set`, in the order they are printed.
const INFOBITS: [(u8, &str); 5] = [
    (0x01, "IS_MULTI"),
    (0x02, "LOCK_ONLY"),
    (0x04, "EXCL_LOCK"),
    (0x08, "KEYSHR_LOCK"),
    (0x10, "KEYS_UPDATED"),
];

fn infobits_names(infobits: u8) -> impl Iterator<Item = &'static str> {
    let set = INFOBITS.iter().filter(move |(bit, _)| infobits & bit != 0);
    set.map(|(_, name)| *name)
}

/// Up to 15 (`out_infobits`).
pub(super) fn out_infobits(infobits: u8, out: &mut String) {
    for name in infobits_names(infobits) {
        put!(out, "{name} ");
    }
}

/// 16 and later (`infobits_desc`).
pub(super) fn infobits_desc(infobits: u8, key: &str, out: &mut String) {
    put!(out, "{key}: ");
    list(out, infobits_names(infobits), |out, name| {
        out.push_str(name)
    });
}

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

fn since_16(layout: Layout, record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    match heap::parse(layout, record)? {
        HeapOp::Insert { target, flags, .. } => {
            put!(out, "off: {}, flags: 0x{flags:02X}", target.offnum);
        }
        HeapOp::Delete {
            target,
            xmax,
            infobits,
            flags,
        }
        | HeapOp::Lock {
            target,
            xmax,
            infobits,
            flags,
        } => {
            put!(out, "xmax: {xmax}, off: {}, ", target.offnum);
            infobits_desc(infobits, "infobits", out);
            put!(out, ", flags: 0x{flags:02X}");
        }
        HeapOp::Update(update) | HeapOp::HotUpdate(update) => {
            let (old, new) = (update.old.offnum, update.new.offnum);
            put!(out, "old_xmax: {}, old_off: {old}, ", update.old_xmax);
            infobits_desc(update.infobits, "old_infobits", out);
            let (flags, xmax) = (update.flags, update.new_xmax);
            put!(
                out,
                ", flags: 0x{flags:02X}, new_xmax: {xmax}, new_off: {new}"
            );
        }
        HeapOp::Truncate { flags, relids, .. } => {
            out.push_str("flags: ");
            let names = [(1, "CASCADE"), (2, "RESTART_SEQS")];
            let set = names.iter().filter(|(bit, _)| flags & bit != 0);
            list(out, set, |out, (_, name)| out.push_str(name));
            put!(out, ", nrelids: {}, relids: ", relids.len());
            numbers(out, relids);
        }
        HeapOp::Confirm(target) => put!(out, "off: {}", target.offnum),
        HeapOp::Inplace { target, .. } => {
            put!(out, "off: {}", target.offnum);
            if layout.since(Major::V18) {
                let mut c = Cursor::new("Heap record", record.main);
                c.u16()?;
                invalidations(&Invalidations::read(&mut c)?, out);
            }
        }
        HeapOp::NewPage { .. } | HeapOp::Unknown(_) => {}
    }
    Ok(())
}

fn since_9_5(layout: Layout, record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    let with_flags = layout.since(Major::V12);
    match heap::parse(layout, record)? {
        HeapOp::Insert { target, flags, .. } => {
            put!(out, "off {}", target.offnum);
            if with_flags {
                put!(out, " flags 0x{flags:02X}");
            }
        }
        HeapOp::Delete {
            target,
            infobits,
            flags,
            ..
        } => {
            put!(out, "off {} ", target.offnum);
            if with_flags {
                put!(out, "flags 0x{flags:02X} ");
            }
            out_infobits(infobits, out);
        }
        HeapOp::Update(update) | HeapOp::HotUpdate(update) => {
            put!(out, "off {} xmax {} ", update.old.offnum, update.old_xmax);
            if with_flags {
                put!(out, "flags 0x{:02X} ", update.flags);
            }
            out_infobits(update.infobits, out);
            let (offnum, xmax) = (update.new.offnum, update.new_xmax);
            put!(out, "; new off {offnum} xmax {xmax}");
        }
        HeapOp::Truncate { flags, relids, .. } => {
            if flags & 1 != 0 {
                out.push_str("cascade ");
            }
            if flags & 2 != 0 {
                out.push_str("restart_seqs ");
            }
            put!(out, "nrelids {} relids", relids.len());
            super::each_after_blank(out, relids.iter());
        }
        HeapOp::Confirm(target) | HeapOp::Inplace { target, .. } => {
            put!(out, "off {}", target.offnum);
        }
        HeapOp::Lock {
            target,
            xmax,
            infobits,
            flags,
        } => {
            put!(out, "off {}: xid {xmax}", target.offnum);
            lock_flags(layout, flags, out);
            out_infobits(infobits, out);
        }
        HeapOp::NewPage { .. } | HeapOp::Unknown(_) => {}
    }
    Ok(())
}

/// The flags of `LOCK` and `LOCK_UPDATED`, 9.5 to 15, with a blank at the end.
pub(super) fn lock_flags(layout: Layout, flags: u8, out: &mut String) {
    if layout.since(Major::V12) {
        put!(out, ": flags 0x{flags:02X} ");
    } else if layout.since(Major::V9_6) {
        put!(out, ": flags {flags} ");
    } else {
        out.push(' ');
    }
}

/// `out_target`, up to 9.4.
pub(super) fn out_target(target: Target, out: &mut String) {
    let Target {
        locator,
        blkno,
        offnum,
    } = target;
    put!(out, "rel {locator}; tid {blkno}/{offnum}");
}

fn legacy(layout: Layout, record: &Record<'_, '_>, out: &mut String) -> Result<(), Malformed> {
    let since_9_3 = layout.since(Major::V9_3);
    let init = if record.header.xl_info & XLOG_HEAP_INIT_PAGE != 0 {
        "(init)"
    } else {
        ""
    };
    match heap::parse(layout, record)? {
        HeapOp::Insert { target, .. } => {
            put!(out, "insert{init}: ");
            out_target(target, out);
        }
        HeapOp::Delete {
            target, infobits, ..
        } => {
            out.push_str("delete: ");
            out_target(target, out);
            if since_9_3 {
                out.push(' ');
                out_infobits(infobits, out);
            }
        }
        HeapOp::Update(update) => {
            put!(out, "update{init}: ");
            legacy_update(layout, &update, out);
        }
        HeapOp::HotUpdate(update) => {
            put!(out, "hot_update{init}: ");
            legacy_update(layout, &update, out);
        }
        HeapOp::NewPage {
            locator,
            fork,
            blkno,
            ..
        } => put!(
            out,
            "newpage: rel {locator}; fork {}, blk {blkno}",
            fork.number()
        ),
        HeapOp::Lock {
            target,
            xmax,
            infobits,
            ..
        } if since_9_3 => {
            put!(out, "lock {xmax}: ");
            out_target(target, out);
            out.push(' ');
            out_infobits(infobits, out);
        }
        HeapOp::Lock {
            target,
            xmax,
            infobits,
            ..
        } => {
            // xl_heap_lock: target:20 xid:4 xid_is_mxact:1 shared_lock:1
            let mut c = Cursor::packed("Heap record", record.main);
            c.skip(25)?;
            let mode = if c.bool()? { "shared" } else { "exclusive" };
            let kind = if infobits & heap::XMAX_IS_MULTI != 0 {
                "mxid"
            } else {
                "xid"
            };
            put!(out, "{mode}_lock: {kind} {xmax} ");
            out_target(target, out);
        }
        HeapOp::Inplace { target, .. } => {
            out.push_str("inplace: ");
            out_target(target, out);
        }
        HeapOp::Confirm(_) | HeapOp::Truncate { .. } | HeapOp::Unknown(_) => {
            out.push_str("UNKNOWN");
        }
    }
    Ok(())
}

fn legacy_update(layout: Layout, update: &Update<'_>, out: &mut String) {
    out_target(update.old, out);
    let Target { blkno, offnum, .. } = update.new;
    if layout.since(Major::V9_3) {
        put!(out, " xmax {} ", update.old_xmax);
        out_infobits(update.infobits, out);
        put!(out, "; new tid {blkno}/{offnum} xmax {}", update.new_xmax);
    } else {
        put!(out, "; new {blkno}/{offnum}");
    }
}
