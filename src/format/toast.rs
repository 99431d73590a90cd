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
use super::version::{Layout, Major, Version};
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

/// One row of a TOAST table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Chunk {
    /// `chunk_id`: the value.
    pub chunk_id: Oid,
    /// `chunk_seq`: its place in the value.
    pub chunk_seq: u32,
    /// Bytes in `chunk_data`.
    pub size: u32,
}

impl Chunk {
    /// A row of a TOAST table whose attributes all lie within it; nothing when it is too short
    /// to tell.
    ///
    /// # Errors
    /// Why it cannot be a chunk.
    #[inline]
    pub fn read(
        header: &HeapTupleHeader,
        tuple: &[u8],
        layout: &Layout,
    ) -> Result<Option<Self>, ChunkFault> {
        let nulls = header.has(HEAP_HASNULL).then(|| {
            let at = usize::from(HEAP_TUPLE_HEADER_SIZE);
            tuple.get(at).copied().unwrap_or(0)
        });
        let is_there = |at: u16| {
            at < header.natts().min(NATTS) && nulls.is_none_or(|bits| bits >> at & 1 == 1)
        };
        let data = tuple.get(usize::from(header.t_hoff)..).unwrap_or_default();
        let word = |at| u32_at(data, at);
        let (Some(chunk_id), chunk_seq) = (word(0), word(4)) else {
            return Ok(None);
        };
        let fault = |what| {
            Err(ChunkFault {
                chunk_id,
                chunk_seq: chunk_seq.unwrap_or(0),
                what,
            })
        };
        if !is_there(0) || chunk_id == 0 {
            return fault(ChunkFaultKind::NoValue);
        }
        if !is_there(1) {
            return fault(ChunkFaultKind::NoSequence);
        }
        let Some(chunk_seq) = chunk_seq else {
            return Ok(None);
        };
        let max = max_chunk_size(layout);
        if chunk_seq > VARLENA_SIZE_LIMIT.checked_div(max).unwrap_or(0) {
            return fault(ChunkFaultKind::Sequence);
        }
        if !is_there(2) {
            return fault(ChunkFaultKind::NoData);
        }
        let Some(&first) = data.get(8) else {
            return Ok(None);
        };
        let size = match first {
            1 => None,
            _ if first & 1 == 1 => Some(u32::from(first >> 1).saturating_sub(1)),
            _ if first & 3 == 0 => word(8).map(|word| (word >> 2).saturating_sub(VARHDRSZ)),
            _ => None,
        };
        match size {
            None => fault(ChunkFaultKind::Extended(word(8).unwrap_or(0))),
            Some(size) if size == 0 || size > max => fault(ChunkFaultKind::Size(size, max)),
            Some(size) => Ok(Some(Self {
                chunk_id,
                chunk_seq,
                size,
            })),
        }
    }
}

/// The `chunk_data` of a row that [`Chunk::read`] takes for a chunk.
#[inline]
#[must_use]
pub fn chunk_data<'t>(header: &HeapTupleHeader, tuple: &'t [u8], chunk: Chunk) -> Option<&'t [u8]> {
    let data = tuple.get(usize::from(header.t_hoff).saturating_add(8)..)?;
    let head = if data.first()? & 1 == 1 { 1 } else { 4 };
    data.get(head..)?.get(..usize::try_from(chunk.size).ok()?)
}

/// What a TOAST pointer says of the chunks of its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ToastValue {
    /// `va_valueid`.
    pub value: Oid,
    /// Bytes stored, above 0.
    pub extsize: u32,
    /// [`max_chunk_size`].
    pub max: u32,
}

impl ToastValue {
    /// How many chunks there are.
    #[must_use]
    pub fn count(self) -> u32 {
        self.extsize.div_ceil(self.max.max(1))
    }

    /// Bytes of one of them.
    #[must_use]
    pub fn size_of(self, chunk_seq: u32) -> u32 {
        let before = chunk_seq.saturating_mul(self.max);
        self.extsize.saturating_sub(before).min(self.max)
    }

    /// What is wrong with the value, whose chunks these are by `chunk_seq`: what the server
    /// meets first (`heaptoast.c: heap_fetch_toast_slice`, up to 12 `tuptoaster.c:
    /// toast_fetch_datum`).
    #[must_use]
    pub fn fault(self, chunks: &[Chunk]) -> Option<ToastValueFault> {
        let count = self.count();
        if chunks.is_empty() {
            return Some(ToastValueFault::NotFound);
        }
        for (chunk, expected) in chunks.iter().zip(0..) {
            let found = chunk.chunk_seq;
            if found != expected {
                return Some(ToastValueFault::Sequence { found, expected });
            }
            if found >= count {
                return Some(ToastValueFault::Follows { found, count });
            }
            let size = self.size_of(found);
            if chunk.size != size {
                return Some(ToastValueFault::Size {
                    chunk: *chunk,
                    size,
                    count,
                });
            }
        }
        let found = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        (found < count).then_some(ToastValueFault::Ends { found, count })
    }
}

/// Why the chunks of a value do not make it up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToastValueFault {
    /// There are none.
    NotFound,
    /// A chunk is missing before this one, or this one is there twice.
    Sequence {
        /// Its `chunk_seq`.
        found: u32,
        /// The one that should stand here.
        expected: u32,
    },
    /// There are more than there should be.
    Follows {
        /// `chunk_seq` of the first that is too much.
        found: u32,
        /// How many there should be.
        count: u32,
    },
    /// A chunk is shorter or longer than it should be.
    Size {
        /// The chunk.
        chunk: Chunk,
        /// Bytes there should be.
        size: u32,
        /// How many chunks there are.
        count: u32,
    },
    /// The last ones are missing.
    Ends {
        /// How many there are.
        found: u32,
        /// How many there should be.
        count: u32,
    },
}

impl ToastValueFault {
    /// What is wrong with a value.
    #[must_use]
    pub fn message(self, value: Oid) -> String {
        match self {
            Self::NotFound => format!("toast value {value} not found in toast table"),
            Self::Sequence { found, expected } if found < expected => {
                format!("toast value {value} has chunk {found} twice")
            }
            Self::Sequence { found, expected } => {
                format!("toast value {value} has chunk {found} where chunk {expected} should be")
            }
            Self::Follows { found, count } => {
                let last = count.saturating_sub(1);
                format!("toast value {value} chunk {found} follows last expected chunk {last}")
            }
            Self::Size { chunk, size, .. } => {
                let (seq, found) = (chunk.chunk_seq, chunk.size);
                format!(
                    "toast value {value} chunk {seq} has size {found}, but expected size {size}"
                )
            }
            Self::Ends { found, count } => {
                let last = count.saturating_sub(1);
                format!(
                    "toast value {value} was expected to end at chunk {last}, but chunk {found} \
                     is missing"
                )
            }
        }
    }

    /// What a query that reads the value from a TOAST table says.
    #[must_use]
    pub fn server_error(self, value: Oid, toast_table: &str, version: &Version) -> String {
        let of = format!("for toast value {value} in {toast_table}");
        match self {
            Self::NotFound => format!("missing chunk number 0 {of}"),
            Self::Ends { found, .. } => format!("missing chunk number {found} {of}"),
            Self::Sequence { found, expected } => {
                format!("unexpected chunk number {found} (expected {expected}) {of}")
            }
            Self::Follows { found, count } => {
                let last = count.saturating_sub(1);
                format!("unexpected chunk number {found} (out of range 0..{last}) {of}")
            }
            Self::Size { chunk, size, count } => {
                let (seq, found) = (chunk.chunk_seq, chunk.size);
                let is_last = seq.saturating_add(1) == count;
                if is_last && !version.since(Major::V13) {
                    format!(
                        "unexpected chunk size {found} (expected {size}) in final chunk {seq} {of}"
                    )
                } else {
                    format!(
                        "unexpected chunk size {found} (expected {size}) in chunk {seq} of {count} {of}"
                    )
                }
            }
        }
    }
}

/// Why a row cannot be a chunk of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkFault {
    /// `chunk_id`, if it is not null.
    pub chunk_id: Oid,
    /// `chunk_seq`, if it is not null.
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
        let chunk = Chunk::read(&header, tuple, &layout());
        chunk.err().map(|fault| fault.to_string())
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
