//! Rows of a TOAST table: the pieces of values that are stored out of line.
//!
//! Sources: `access/heaptoast.h` (`tuptoaster.h` up to 12), `heaptoast.c:
//! heap_fetch_toast_slice` (`tuptoaster.c: toast_fetch_datum`).
//!
//! ```text
//! chunk_id oid | chunk_seq int4, from 0 | chunk_data bytea, neither compressed nor external
//! ```

use super::heap::{HEAP_HASNULL, HEAP_TUPLE_HEADER_SIZE, HeapTupleHeader};
use super::page::{PAGE_HEADER_SIZE, u32_at};
use super::tuple::{VARHDRSZ, VARLENA_SIZE_LIMIT};
use super::types::Oid;
use super::version::Layout;
use std::fmt;

/// Columns of a TOAST table.
const NATTS: u16 = 3;

/// `TOAST_MAX_CHUNK_SIZE`: bytes of every chunk but a value's last; four rows fill a page.
#[must_use]
pub fn max_chunk_size(layout: &Layout) -> u32 {
    // Four line pointers behind the page header; tuples begin at multiples of 8.
    let head = u32::from(PAGE_HEADER_SIZE).saturating_add(16);
    let tuple = (layout.blcksz.saturating_sub(head.next_multiple_of(8)) / 4) & !7;
    // Tuple header, chunk_id, chunk_seq, and the length of chunk_data.
    tuple.saturating_sub(24 + 4 + 4 + VARHDRSZ)
}

/// Why a row cannot be a chunk of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkFault {
    /// `chunk_id`: the value; 0 when it is null.
    pub chunk_id: Oid,
    /// `chunk_seq`; 0 when it is null.
    pub chunk_seq: u32,
    /// What is wrong.
    pub what: ChunkFaultKind,
}

/// What is wrong with a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChunkFaultKind {
    /// `chunk_id` is null or 0.
    NoValue,
    /// `chunk_seq` is null.
    NoSequence,
    /// No value has that many chunks.
    Sequence,
    /// `chunk_data` is null.
    NoData,
    /// It is compressed or stored out of line itself; or what is no varlena.
    Extended(u32),
    /// It is longer than a chunk can be, or empty.
    Size(u32, u32),
}

impl ChunkFault {
    /// What is wrong with a row of a TOAST table whose attributes all lie within it.
    #[inline]
    #[must_use]
    pub fn of(header: &HeapTupleHeader, tuple: &[u8], layout: &Layout) -> Option<Self> {
        let nulls = header.has(HEAP_HASNULL).then(|| {
            let at = usize::from(HEAP_TUPLE_HEADER_SIZE);
            tuple.get(at).copied().unwrap_or(0)
        });
        let is_there = |at: u16| {
            at < header.natts().min(NATTS) && nulls.is_none_or(|bits| bits >> at & 1 == 1)
        };
        let mut fault = Self {
            chunk_id: 0,
            chunk_seq: 0,
            what: ChunkFaultKind::NoValue,
        };
        let data = tuple.get(usize::from(header.t_hoff)..)?;
        fault.chunk_id = u32_at(data, 0)?;
        if !is_there(0) || fault.chunk_id == 0 {
            fault.chunk_id = 0;
            return Some(fault);
        }
        if !is_there(1) {
            fault.what = ChunkFaultKind::NoSequence;
            return Some(fault);
        }
        fault.chunk_seq = u32_at(data, 4)?;
        let max = max_chunk_size(layout);
        if fault.chunk_seq > VARLENA_SIZE_LIMIT.checked_div(max)? {
            fault.what = ChunkFaultKind::Sequence;
            return Some(fault);
        }
        if !is_there(2) {
            fault.what = ChunkFaultKind::NoData;
            return Some(fault);
        }
        let first = *data.get(8)?;
        let size = match first {
            1 => None,
            _ if first & 1 == 1 => Some(u32::from(first >> 1).saturating_sub(1)),
            _ if first & 3 == 0 => Some((u32_at(data, 8)? >> 2).saturating_sub(VARHDRSZ)),
            _ => None,
        };
        fault.what = match size {
            None => ChunkFaultKind::Extended(u32_at(data, 8)?),
            Some(size) if size == 0 || size > max => ChunkFaultKind::Size(size, max),
            Some(_) => return None,
        };
        Some(fault)
    }
}

impl fmt::Display for ChunkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            chunk_id,
            chunk_seq,
            what,
        } = self;
        match what {
            ChunkFaultKind::NoValue => f.write_str("toast chunk belongs to no value"),
            ChunkFaultKind::NoSequence => write!(
                f,
                "toast value {chunk_id} has toast chunk with null sequence number"
            ),
            ChunkFaultKind::Sequence => write!(
                f,
                "toast value {chunk_id} has chunk {}, which no value has",
                chunk_seq.cast_signed()
            ),
            ChunkFaultKind::NoData => {
                write!(f, "toast value {chunk_id} chunk {chunk_seq} has null data")
            }
            ChunkFaultKind::Extended(header) => write!(
                f,
                "toast value {chunk_id} chunk {chunk_seq} has invalid varlena header {header:x}"
            ),
            ChunkFaultKind::Size(size, max) => write!(
                f,
                "toast value {chunk_id} chunk {chunk_seq} has size {size}, expected 1 to {max}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::{Major, Version};
    use proptest::prelude::*;

    fn layout() -> Layout {
        Layout::usual(Version::of(Major::V15).unwrap())
    }

    /// A chunk; `nulls` is the bitmap when there are any.
    fn chunk(id: u32, seq: u32, nulls: Option<u8>, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 24];
        bytes[18] = 3;
        bytes[20] = u8::from(nulls.is_some());
        bytes[22] = 24;
        bytes[23] = nulls.unwrap_or(0);
        bytes.extend(id.to_le_bytes());
        bytes.extend(seq.to_le_bytes());
        bytes.extend(data);
        bytes
    }

    fn fault(tuple: &[u8]) -> Option<String> {
        let header = HeapTupleHeader::parse(tuple).unwrap();
        ChunkFault::of(&header, tuple, &layout()).map(|fault| fault.to_string())
    }

    #[test]
    fn chunks_one_by_one() {
        assert_eq!(max_chunk_size(&layout()), 1996);
        let full = [(2000_u32 << 2).to_le_bytes().to_vec(), vec![7; 1996]].concat();
        assert_eq!(fault(&chunk(16_500, 3, None, &full)), None);
        assert_eq!(fault(&chunk(16_500, 0, None, &[5, 1])), None);
        assert_eq!(fault(&chunk(16_500, 0, Some(7), &[5, 1])), None);
        let why = |tuple: &[u8]| fault(tuple).unwrap();
        assert_eq!(
            why(&chunk(0, 3, None, &full)),
            "toast chunk belongs to no value"
        );
        assert_eq!(
            why(&chunk(16_500, 3, Some(5), &full)),
            "toast value 16500 has toast chunk with null sequence number"
        );
        assert_eq!(
            why(&chunk(16_500, u32::MAX, None, &full)),
            "toast value 16500 has chunk -1, which no value has"
        );
        assert_eq!(
            why(&chunk(16_500, 3, Some(3), &[])),
            "toast value 16500 chunk 3 has null data"
        );
        assert_eq!(
            why(&chunk(16_500, 3, None, &[1, 18, 0, 0, 0])),
            "toast value 16500 chunk 3 has invalid varlena header 1201"
        );
        assert_eq!(
            why(&chunk(16_500, 3, None, &[34, 0, 0, 0, 0])),
            "toast value 16500 chunk 3 has invalid varlena header 22"
        );
        let long = [(2001_u32 << 2).to_le_bytes().to_vec(), vec![7; 1997]].concat();
        assert_eq!(
            why(&chunk(16_500, 3, None, &long)),
            "toast value 16500 chunk 3 has size 1997, expected 1 to 1996"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 23..80)) {
            let _ = fault(&bytes);
        }
    }
}
