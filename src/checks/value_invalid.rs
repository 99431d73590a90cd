//! Value that its type cannot have.

use super::tuple_data_invalid::column;
use crate::finding::{Finding, Findings};
use crate::format::compressed::inflate;
use crate::format::datum::Fault;
use crate::format::heap::HeapTuple;
use crate::format::tuple::{TupleDesc, Value};
use crate::scan::page::HeapView;

check! {
    /// ## What it means
    /// A column of a row holds bytes that its data type never has: a text that is none in the
    /// database's encoding, a numeric with a digit above 9999, an enum without such a label, a
    /// `jsonb` or an array whose parts end behind it. The row itself is well formed, so a page
    /// checksum or a look at the data is all that would tell.
    ///
    /// Where the type's output function notices, every query of the column and `pg_dump` fail, and
    /// the report has the words. Elsewhere nobody notices at once. A text goes out as it is, by
    /// `pg_dump` too, but a restore of that dump fails with `invalid byte sequence for encoding
    /// ...` and the bytes that the report shows, and so do queries by clients with another
    /// encoding. A numeric, a bit string, a range or a text search value prints garbage. Where
    /// parts end behind the value the server reads what lies behind it in memory, and may crash.
    ///
    /// ## How it is decided
    /// Each value of a row that a query would return is looked at by its column's type
    /// (`pg_attribute.atttypid`), for the built-in types `text`, `varchar`, `char(n)`, `name`,
    /// `json`, `jsonb`, `xml`, `numeric`, `boolean`, dates and times, `inet`, `cidr`, bit strings,
    /// `path`, `polygon`, `tsvector`, `tsquery`, ranges, multiranges and `jsonpath`, for enums by
    /// the labels of their type (`pg_enum`), for composite types column by column, for arrays of
    /// all of these, and for domains over any (`pg_type.typbasetype`). Labels count whoever added
    /// them; where `pg_enum` cannot be read to its end, enums are not looked at. Texts are held
    /// against the database's encoding (`pg_database`) where that is UTF8 or one of EUC (`wchar.c:
    /// pg_utf8_islegal` and its like); in all others, and in system catalogs, no byte may be zero.
    /// What some release could have written passes, though today's would not.
    ///
    /// Values that are compressed in their row are decompressed and looked at likewise, but for
    /// those of more than a megabyte. Values stored out of line are not looked at, nor are
    /// composite types that are rows of tables or lie within others, compressed values within
    /// composites, types of extensions, dropped columns, pages that replay changes or that come
    /// from behind the end of WAL, and tables whose columns the catalogs do not tell beyond doubt.
    ///
    /// ## What else may cause it
    /// Flipped bits in memory or on disk; a page of which a part is older or foreign. When
    /// nearly every row of a table has it, file and catalog may not belong together. Texts alone, and
    /// only bytes outside of ASCII, in many tables: `pg_database.encoding` was changed by hand, or
    /// the texts came in past the server's checks, by a function in C, a cast `WITHOUT FUNCTION`
    /// from `bytea`, or `chr()` up to 9.3. A date out of range: arithmetic up to 9.5.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else.
    ///
    /// Take the page from a backup or standby, or the value from a dump. Without them, dump the
    /// table in a copy without the row (`WHERE ctid <> '(N,M)'`), then the row without the
    /// column. `UPDATE` of the column mends the row for good: only at the very end, on the copy.
    "value-invalid" Damage Heap: "value that its type cannot have"
}

/// Looks at the values of a row, which was taken apart to its end; `room` is for those that are
/// compressed.
pub(super) fn row(
    view: &HeapView<'_, '_>,
    tuple: &HeapTuple,
    desc: &TupleDesc,
    room: &mut Vec<u8>,
    findings: &mut Findings,
) {
    let layout = &view.view.context.layout;
    let bytes = view.heap.bytes(tuple);
    desc.values(&tuple.header, bytes, |attnum, value_type, value| {
        let value = match value {
            Value::Plain(value) => Some(value),
            // One that does not decompress is told of already.
            Value::Compressed(varlena) => inflate(varlena, layout, room),
        };
        if let Some(value) = value
            && let Err(fault) = value_type.judge(value, layout)
        {
            findings.push(finding(view, tuple, &column(desc, attnum), fault));
        }
    });
}

#[cold]
fn finding(view: &HeapView<'_, '_>, tuple: &HeapTuple, column: &str, fault: Fault) -> Finding {
    let message = format!("{column}: {fault}");
    let at = tuple.lp.lp_off();
    let mut finding = view.view.tuple_finding(&CHECK, tuple.offnum, at, message);
    finding.server_error = fault.server_error;
    finding
}
