//! Compressed value does not decompress.

use crate::finding::Finding;
use crate::format::heap::HeapTuple;
use crate::format::tuple::{COMPRESSED_HEADER_SIZE, Compression, VARHDRSZ, VARLENA_SIZE_LIMIT};
use crate::format::version::{Layout, Major};
use crate::format::{Malformed, lz4, pglz};
use crate::scan::page::HeapView;
use std::fmt;

check! {
    /// ## What it means
    /// A long value (text, bytea, jsonb, arrays ...) may be stored compressed within its row.
    /// This one's compressed bytes cannot be turned into the value: a query that reads the
    /// column fails with `compressed pglz data is corrupt` or `compressed lz4 data is corrupt`
    /// (`compressed data is corrupt`, from 9.5 to 13 `corrupted`), and so does `pg_dump`. Other columns of the row
    /// can still be read.
    ///
    /// ## How it is decided
    /// The compressed bytes of every row that is known to be committed are followed from the
    /// first to the last, as decompression would (`pg_lzcompress.c: pglz_decompress`, LZ4's
    /// block format from 14 on): no reference may lead to before the value's start, and the
    /// value must come out with the size that its header tells. Where columns begin is taken
    /// from `pg_attribute` as replay leaves it. Pages that replay changes, and tables whose
    /// columns the catalogs do not tell beyond doubt, are not judged, nor are dropped columns.
    ///
    /// ## What else may cause it
    /// Single flipped bits in memory or on disk: compressed data is where they show first. A
    /// page of which a part is older or foreign.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else.
    ///
    /// Take the page from a backup or standby, or the value from a dump. Without them, dump the
    /// table in a copy without the row (`WHERE ctid <> '(N,M)'`), then the row without the
    /// column. `UPDATE` of the column mends the row for good: only at the very end, on the copy.
    "compressed-data-invalid" Damage Heap: "compressed value does not decompress"
}

/// Why a value cannot be decompressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// There is no such method.
    Method(u32),
    /// No value is that long.
    Size(u32),
    /// The compressed bytes are wrong.
    Data(Malformed, u32),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(method) => write!(f, "compression method {method} is none"),
            Self::Size(size) => {
                write!(f, "size {size} exceeds limit {}", VARLENA_SIZE_LIMIT - VARHDRSZ)
            }
            Self::Data(malformed, size) => write!(f, "{malformed}, which is {size} bytes"),
        }
    }
}

/// Whether a varlena that is compressed in its place can be decompressed.
#[must_use]
pub fn fault(varlena: &[u8], layout: &Layout) -> Option<Fault> {
    let header = Compression::of(varlena)?;
    let (size, method) = (header.size(layout), header.method(layout));
    if size > VARLENA_SIZE_LIMIT - VARHDRSZ {
        return Some(Fault::Size(size));
    }
    let source = varlena.get(COMPRESSED_HEADER_SIZE..)?;
    let rawsize = usize::try_from(size).ok()?;
    match method {
        0 if !layout.since(Major::V12) => pglz::validate_before_12(source, rawsize),
        0 => pglz::validate(source, rawsize),
        1 => lz4::validate(source, rawsize),
        _ => return Some(Fault::Method(method)),
    }
    .err()
    .map(|malformed| Fault::Data(malformed, size))
}

/// The finding for a value, of which `column` tells.
#[cold]
pub fn finding(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    column: &str,
    fault: Fault,
) -> Finding {
    let layout = &view.view.context.layout;
    let message = format!("{column}: {fault}");
    let at = tuple.lp.lp_off();
    let finding = view.view.tuple_finding(&CHECK, tuple.offnum, at, message);
    match fault {
        Fault::Data(..) if !layout.since(Major::V9_5) => {
            finding.server_error("compressed data is corrupt")
        }
        Fault::Data(..) if !layout.since(Major::V14) => {
            finding.server_error("compressed data is corrupted")
        }
        // The server takes a shorter value from lz4.
        Fault::Data(Malformed { why, .. }, _) if why == lz4::TOO_SHORT => finding,
        Fault::Data(Malformed { what, .. }, _) if what == lz4::WHAT => {
            finding.server_error("compressed lz4 data is corrupt")
        }
        Fault::Data(..) => finding.server_error("compressed pglz data is corrupt"),
        Fault::Method(method) => {
            finding.server_error(format!("invalid compression method id {method}"))
        }
        // It is signed up to 13; what overflows asks for nothing.
        Fault::Size(size) => match size.cast_signed().wrapping_add(VARHDRSZ.cast_signed()) {
            0..=3 => finding,
            bytes => finding.server_error(invalid_memory_alloc(bytes.into())),
        },
    }
}

/// What `mcxt.c: palloc` says of a size it is asked for.
#[must_use]
pub(super) fn invalid_memory_alloc(bytes: i64) -> String {
    let size = bytes.cast_unsigned();
    format!("invalid memory alloc request size {size}")
}
