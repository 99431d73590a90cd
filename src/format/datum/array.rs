//! Arrays.
//!
//! Source: `utils/array.h`, `utils/adt/arrayfuncs.c: array_out`, `arrayutils.c:
//! ArrayGetNItems`. Offsets in an array count from its varlena header of 4 bytes, which is not
//! among the bytes handed in.
//!
//! ```text
//! (vl_len:4) ndim:4 dataoffset:4, 0 without nulls  elemtype:4
//! length:4 of each dimension, lower bound:4 of each
//! with nulls: a bitmap, bits set for those that are none; then padding up to dataoffset
//! elements, each aligned, varlenas with headers of their own
//! ```

use super::{Encoding, Fault, Judged, Type, aligned, demand, single, varlena};
use crate::format::page::u32_at;
use crate::format::version::Layout;

/// `VARHDRSZ`
const HEADER: usize = 4;
/// `MAXDIM`
const MAXDIM: u32 = 6;
/// `MaxArraySize`: `MaxAllocSize / sizeof(Datum)`.
const MAX_ARRAY_SIZE: i64 = 0x3FFF_FFFF / 8;
/// Types of text that are cast into each other as they are: varchar and bpchar to text.
const TEXTS: [u32; 3] = [25, 1042, 1043];

pub(super) fn judge(value: &[u8], of: &Type, encoding: Encoding, layout: &Layout) -> Judged {
    let len = value.len().saturating_add(HEADER);
    let word = |at: usize| u32_at(value, at.saturating_sub(HEADER));
    let (Some(ndim), Some(dataoffset), Some(elemtype)) = (word(4), word(8), word(12)) else {
        return Err(Fault::new(format!(
            "array of {len} bytes is shorter than its header"
        )));
    };
    let same = elemtype == of.oid || TEXTS.contains(&elemtype) && TEXTS.contains(&of.oid);
    if !same {
        let fault = Fault::new(format!("array is of type {elemtype}, expected {}", of.oid));
        return Err(match elemtype {
            0 => fault.error("cache lookup failed for type 0"),
            _ => fault,
        });
    }
    demand!(
        ndim <= MAXDIM,
        "array has {ndim} dimensions, expected at most {MAXDIM}"
    );
    let ndim = usize::try_from(ndim).unwrap_or(0);
    let dims_end = ndim.saturating_mul(8).saturating_add(16);
    demand!(
        dims_end <= len,
        "array of {ndim} dimensions has {len} bytes"
    );
    let mut nitems = i64::from(ndim > 0);
    for n in 0..ndim {
        let dim = word(n.saturating_mul(4).saturating_add(16))
            .unwrap_or(0)
            .cast_signed();
        // In 32 bits, as there.
        let product = nitems.saturating_mul(dim.into());
        if dim < 0 || i32::try_from(product).is_err() {
            return Err(too_large(dim));
        }
        nitems = product;
    }
    if nitems > MAX_ARRAY_SIZE {
        return Err(too_large(nitems));
    }
    let nitems = usize::try_from(nitems).unwrap_or(0);
    if nitems == 0 {
        return Ok(());
    }
    let start = match usize::try_from(dataoffset).unwrap_or(usize::MAX) {
        0 => aligned(dims_end, 8),
        start => start,
    };
    let nulls = if dataoffset == 0 {
        None
    } else {
        let bitmap_end = dims_end.saturating_add(nitems.div_ceil(8));
        let is_there = bitmap_end <= start && start <= len;
        demand!(
            is_there,
            "array of {nitems} elements and {len} bytes has its data at {start}"
        );
        value.get(dims_end.saturating_sub(HEADER)..bitmap_end.saturating_sub(HEADER))
    };
    elements(value, start, nitems, nulls, of, encoding, layout)
}

#[cold]
fn too_large(items: impl std::fmt::Display) -> Fault {
    Fault::new(format!(
        "array has {items} elements, expected at most {MAX_ARRAY_SIZE}"
    ))
    .error(format!(
        "array size exceeds the maximum allowed ({MAX_ARRAY_SIZE})"
    ))
}

/// The elements, which begin `start` bytes into the array.
fn elements(
    value: &[u8],
    start: usize,
    nitems: usize,
    nulls: Option<&[u8]>,
    of: &Type,
    encoding: Encoding,
    layout: &Layout,
) -> Judged {
    let len = value.len().saturating_add(HEADER);
    let behind = |n: usize| {
        let what =
            format!("array of {nitems} elements and {len} bytes has element {n} end behind it");
        Err(Fault::new(what))
    };
    let size = usize::try_from(of.len).ok();
    if let (Some(size), None, None) = (size, &of.kind, nulls) {
        let all = aligned(size, of.align).saturating_mul(nitems.saturating_sub(1));
        let end = start.saturating_add(all).saturating_add(size);
        return if end <= len { Ok(()) } else { behind(nitems) };
    }
    let mut off = start.saturating_sub(HEADER);
    for (n, item) in (1_usize..=nitems).zip(0_usize..) {
        let is_null = nulls.is_some_and(|nulls| {
            let byte = nulls.get(item >> 3).copied().unwrap_or(0);
            byte >> (item & 7) & 1 == 0
        });
        if is_null {
            continue;
        }
        // Aligned within the array, not within these bytes.
        off = aligned(off.saturating_add(HEADER), of.align).saturating_sub(HEADER);
        let element = match size {
            Some(size) => {
                let end = off.saturating_add(size);
                value.get(off..end).map(|bytes| (bytes, end))
            }
            None => varlena(value, off),
        };
        let Some((bytes, end)) = element else {
            return behind(n);
        };
        if let Some(kind) = &of.kind {
            single(kind, bytes, encoding, layout)?;
        }
        off = end;
    }
    Ok(())
}
