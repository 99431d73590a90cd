//! Composite types: rows within rows.
//!
//! Source: `access/htup_details.h: DatumTupleFields`, `utils/adt/rowtypes.c: record_out`. Such a
//! value is a tuple with a varlena header and the type where a tuple of a table has its
//! transactions; it holds no pointers to values out of line.

use super::{Fault, Judged, demand};
use crate::format::heap::HeapTupleHeader;
use crate::format::page::u32_at;
use crate::format::tuple::{TupleDesc, Value};
use crate::format::types::Oid;
use crate::format::version::Layout;
use std::sync::Arc;

/// Bytes of a tuple's header that are the varlena's, and not among those handed in (`VARHDRSZ`).
const MISSING: usize = 4;
/// Bytes of the rest of it.
const HEADER: usize = 19;

/// A composite type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Composite {
    pub(super) oid: Oid,
    pub(super) desc: Arc<TupleDesc>,
}

pub(super) fn judge(value: &[u8], of: &Composite, layout: &Layout) -> Judged {
    let len = value.len();
    let mut header = [0; HEADER + MISSING];
    let (Some(bytes), Some(room)) = (value.get(..HEADER), header.get_mut(MISSING..)) else {
        return Err(Fault::new(format!(
            "composite value of {len} bytes is shorter than its header"
        )));
    };
    room.copy_from_slice(bytes);
    let Some(header) = HeapTupleHeader::parse(&header) else {
        return Ok(());
    };
    let found = u32_at(value, 4).unwrap_or(0);
    demand!(
        found == of.oid,
        "composite value is of type {found}, expected {}",
        of.oid
    );
    let (natts, most) = (usize::from(header.natts()), of.desc.attributes().len());
    demand!(
        natts <= most,
        "composite value has {natts} columns, expected at most {most}"
    );
    let (hoff, expected) = (u16::from(header.t_hoff), header.expected_hoff());
    let is_there = usize::from(hoff) <= len.saturating_add(MISSING);
    demand!(
        hoff == expected && is_there,
        "composite value of {len} bytes begins at {hoff}, expected {expected}"
    );
    let mut judged = Ok(());
    let walked = of
        .desc
        .values_of_composite(&header, value, |attnum, value_type, value| {
            if let (Ok(()), Value::Plain(value)) = (&judged, value) {
                judged = value_type
                    .judge(value, layout)
                    .map_err(|fault| within(of, attnum, fault));
            }
        });
    judged?;
    walked.map_err(|(attnum, fault)| within(of, attnum, Fault::new(fault.to_string())))
}

/// A fault of a column.
#[cold]
fn within(of: &Composite, attnum: u16, fault: Fault) -> Fault {
    let name = of.desc.name(attnum).unwrap_or("?");
    Fault {
        what: format!("{name}: {}", fault.what),
        ..fault
    }
}
