//! Compressed value does not decompress.

use crate::finding::Finding;
use crate::format::compressed::{CompressionFault, Inflation};
use crate::format::heap::HeapTuple;
use crate::format::tuple::{COMPRESSED_HEADER_SIZE, Compression};
use crate::format::version::Layout;
use crate::scan::page::HeapView;

check! {
    /// ## What it means
    /// A long value (text, bytea, jsonb, arrays ...) may be stored compressed, within its row or
    /// out of line in the table's TOAST table. This one's compressed bytes cannot be turned into
    /// the value: a query that reads the column fails with `compressed pglz data is corrupt` or
    /// `compressed lz4 data is corrupt` (`compressed data is corrupt`, from 9.5 to 13
    /// `corrupted`), and so does `pg_dump`. Other columns of the row can still be read.
    ///
    /// Of a value out of line, the row's pointer may also tell another size or method than the
    /// value itself: then it can be read, but `octet_length` or `pg_column_compression` is wrong.
    ///
    /// ## How it is decided
    /// The compressed bytes of every row that is known to be committed are followed from the
    /// first to the last, as decompression would (`pg_lzcompress.c: pglz_decompress`, LZ4's
    /// block format from 14 on): no reference may lead to before the value's start, and the
    /// value must come out with the size that its header tells. Where columns begin is taken
    /// from `pg_attribute` as replay leaves it. Pages that replay changes, and tables whose
    /// columns the catalogs do not tell beyond doubt, are not judged, nor are dropped columns.
    ///
    /// Values out of line are put together from the rows of the TOAST table, without its index,
    /// and reported at the row that points to them; those of which a chunk is missing or wrong
    /// are left to toast-value-incomplete. Values with a chunk on a page that replay changes are
    /// not judged.
    ///
    /// Whether a value is compressed is told by its pointer alone, by the sizes in it
    /// (`VARATT_EXTERNAL_IS_COMPRESSED`), and a pointer that is damaged may call compressed what
    /// never was. If its sizes make it the other way round, the server gives out the compressed
    /// bytes; tuple-data-invalid tells of it, unless the sizes are the same.
    ///
    /// ## What else may cause it
    /// Single flipped bits in memory or on disk: compressed data is where they show first. A
    /// page of which a part is older or foreign.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else.
    ///
    /// Take the page (of the TOAST table, if the value is out of line) from a backup or standby, or the value from a dump. Without them, dump the
    /// table in a copy without the row (`WHERE ctid <> '(N,M)'`), then the row without the
    /// column. `UPDATE` of the column mends the row for good: only at the very end, on the copy.
    "compressed-data-invalid" Damage Heap: "compressed value does not decompress"
}

/// Whether a varlena that is compressed in its place can be decompressed.
#[must_use]
pub fn fault(varlena: &[u8], layout: &Layout) -> Option<CompressionFault> {
    let header = Compression::of(varlena)?;
    let source = varlena.get(COMPRESSED_HEADER_SIZE..)?;
    match Inflation::new(header, layout) {
        Ok(mut inflation) => {
            inflation.feed(source);
            inflation.fault()
        }
        Err(fault) => Some(fault),
    }
}

/// The finding for a value in its row, of which `column` tells.
#[cold]
pub fn finding(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    column: &str,
    fault: CompressionFault,
) -> Finding {
    let message = format!("{column}: {fault}");
    let at = tuple.lp.lp_off();
    let mut finding = view.view.tuple_finding(&CHECK, tuple.offnum, at, message);
    finding.server_error = fault.server_error(&view.view.context.layout);
    finding
}
