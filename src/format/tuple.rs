//! The attributes of a heap tuple: where each begins and ends, and what cannot be.
//!
//! Sources: `access/tupmacs.h`, `common/heaptuple.c: heap_deform_tuple`, `postgres.h`
//! (`varatt.h` from 16 on), `amcheck/verify_heapam.c: check_tuple_attribute`.
//!
//! ```text
//! varlena, lowest bits of its first byte (little-endian):
//!   xxxxxx00  4 bytes of header, aligned; length incl. header in the upper 30 bits
//!   xxxxxx10  the same, compressed; 4 bytes follow: raw size (14 on: 30 bits, 2 bits method)
//!   xxxxxxx1  1 byte of header, not aligned; length incl. header in the upper 7 bits
//!   00000001  stored out of line; next byte 18, then
//!             va_rawsize:4 va_extinfo:4 va_valueid:4 va_toastrelid:4
//! ```
//!
//! A zero byte where a varlena may begin is padding, so headers of 1 byte are never zero.

use super::catalog::PgAttribute;
use super::datum::ValueType;
use super::heap::{HEAP_HASNULL, HEAP_TUPLE_HEADER_SIZE, HeapTupleHeader};
use super::page::u32_at;
use super::types::Oid;
use super::version::{Layout, Major};
use std::fmt;

/// `VARTAG_ONDISK`; up to 9.2 the length of the pointer, which is the same number.
const VARTAG_ONDISK: u8 = 18;
/// `TOAST_POINTER_SIZE`: header, tag and pointer.
const TOAST_POINTER_SIZE: usize = 18;
/// `VARLENA_SIZE_LIMIT`: no value is longer.
pub const VARLENA_SIZE_LIMIT: u32 = 0x3FFF_FFFF;
/// `VARHDRSZ`.
pub const VARHDRSZ: u32 = 4;
/// Bytes before the data of a value compressed in its place.
pub const COMPRESSED_HEADER_SIZE: usize = 8;

/// How one attribute lies in a tuple.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Attribute {
    /// `attlen`: bytes, -1 for a varlena, -2 for a C string.
    pub attlen: i16,
    /// `attalign` in bytes.
    pub align: u8,
    /// `attisdropped`: the server passes over its values.
    pub attisdropped: bool,
    /// How its values are put out.
    pub output: Output,
}

/// Output functions of which it is known what they do with a value shorter than its header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Output {
    /// `varlena.c: text_to_cstring`.
    Text,
    /// `byteaout`.
    Bytea,
    /// Another.
    Other,
}

impl Output {
    fn of(atttypid: Oid) -> Self {
        match atttypid {
            17 => Self::Bytea,
            // json, text, bpchar, varchar
            114 | 25 | 1042 | 1043 => Self::Text,
            _ => Self::Other,
        }
    }
}

/// How the tuples of a table are laid out (`TupleDesc`). Tuples from before columns were
/// added have fewer attributes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct TupleDesc {
    attributes: Box<[Attribute]>,
    /// Where the first attributes end, as long as all are of fixed length: of none, of one,
    /// of two, ... Bytes from `t_hoff` in a tuple without nulls.
    fixed_ends: Box<[u32]>,
    /// The names, each with a zero byte behind it.
    names: Box<str>,
    /// What values must be, up to the last attribute of which that is known.
    types: Box<[Option<ValueType>]>,
    /// How many attributes need no look in a tuple without nulls: those of fixed length before
    /// the first of which it is.
    first_typed: usize,
}

impl TupleDesc {
    /// From the rows of `pg_attribute` of one table, in the order of `attnum`; `None` when they
    /// are not all there, or say what cannot be.
    #[must_use]
    pub fn new<'a>(rows: impl Iterator<Item = &'a PgAttribute>) -> Option<Self> {
        let mut attributes = Vec::new();
        let mut names = String::new();
        for (row, attnum) in rows.zip(1_i16..) {
            let align = match row.attalign {
                b'c' => 1,
                b's' => 2,
                b'i' => 4,
                b'd' => 8,
                _ => return None,
            };
            if row.attnum != attnum || row.attlen == 0 || row.attlen < -2 {
                return None;
            }
            names.push_str(&row.attname);
            names.push('\0');
            attributes.push(Attribute {
                attlen: row.attlen,
                align,
                attisdropped: row.attisdropped,
                output: Output::of(row.atttypid),
            });
        }
        let mut fixed_ends = vec![0];
        let mut end = 0_usize;
        for attribute in &attributes {
            let Ok(len) = usize::try_from(attribute.attlen) else {
                break;
            };
            end = attribute.aligned(end).saturating_add(len);
            fixed_ends.push(u32::try_from(end).ok()?);
        }
        Some(Self {
            attributes: attributes.into(),
            fixed_ends: fixed_ends.into(),
            names: names.into(),
            ..Self::default()
        })
    }

    /// Adds what values must be, in the order of `attnum`.
    #[must_use]
    pub fn with_types(mut self, types: impl Iterator<Item = Option<ValueType>>) -> Self {
        let attributes = self.attributes.iter();
        let mut types: Vec<Option<ValueType>> = types
            .zip(attributes)
            .map(|(value, attribute)| value.filter(|_| !attribute.attisdropped))
            .collect();
        let last = types.iter().rposition(Option::is_some);
        types.truncate(last.map_or(0, |last| last.saturating_add(1)));
        let fixed = self.fixed_ends.len().saturating_sub(1);
        let first = types.iter().position(Option::is_some);
        self.first_typed = first.map_or(fixed, |first| first.min(fixed));
        self.types = types.into();
        self
    }

    /// Whether there is anything to say of values.
    #[must_use]
    pub fn has_types(&self) -> bool {
        !self.types.is_empty()
    }

    /// Its attributes in the order of `attnum`, dropped ones among them.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// One of them, counted from 1.
    #[must_use]
    pub fn attribute(&self, attnum: u16) -> Option<&Attribute> {
        self.attributes.get(usize::from(attnum).checked_sub(1)?)
    }

    /// `attname` of an attribute, counted from 1.
    #[must_use]
    pub fn name(&self, attnum: u16) -> Option<&str> {
        let before = usize::from(attnum).checked_sub(1)?;
        self.names.split_terminator('\0').nth(before)
    }

    /// Whether a tuple of the table may have so many attributes.
    #[inline]
    #[must_use]
    pub fn has(&self, natts: u16) -> bool {
        usize::from(natts) <= self.attributes.len()
    }

    /// Whether a tuple's header tells where the data begin, and of no more attributes than the
    /// table has.
    #[inline]
    #[must_use]
    pub fn admits(&self, header: &HeapTupleHeader, lp_len: u16) -> bool {
        let hoff = u16::from(header.t_hoff);
        self.has(header.natts()) && hoff == header.expected_hoff() && hoff <= lp_len
    }

    /// Whether a tuple is one of the many of which there is nothing to say: all values lie in
    /// it as they are, one behind the other up to its end, and those that are to be judged are
    /// of their types. Of any other [`Self::walk`] and [`Self::values`] tell. The header must
    /// be one that the table admits.
    #[inline]
    #[must_use]
    pub fn is_plain(&self, header: &HeapTupleHeader, tuple: &[u8], judge: Option<&Layout>) -> bool {
        let (natts, hoff) = (header.natts(), u16::from(header.t_hoff));
        let Some(nulls) = null_bitmap(header, tuple) else {
            return self.without_nulls(natts, hoff, judge).is_plain(tuple);
        };
        let hoff = usize::from(hoff);
        let Some(data) = tuple.get(hoff..) else {
            return false;
        };
        let natts = usize::from(natts).min(self.attributes.len());
        let mut off = 0;
        for (at, attribute) in self.attributes.iter().enumerate().take(natts) {
            if is_null(nulls, at) {
                continue;
            }
            let value_type = self.types.get(at).and_then(Option::as_ref);
            match attribute.plain_end(data, off, value_type, judge) {
                Some(end) => off = end,
                None => return false,
            }
        }
        is_end(hoff.saturating_add(off), tuple.len())
    }

    /// The tuples without nulls of so many attributes, of which the first begins at `hoff`.
    #[inline]
    #[must_use]
    pub fn without_nulls<'d>(
        &'d self,
        natts: u16,
        hoff: u16,
        judge: Option<&'d Layout>,
    ) -> WithoutNulls<'d> {
        let natts = usize::from(natts).min(self.attributes.len());
        // The attributes of fixed length before the first other one always end in the same
        // place.
        let first = match judge {
            Some(_) => self.first_typed,
            None => self.fixed_ends.len().saturating_sub(1),
        };
        let first = first.min(natts);
        let end = self.fixed_ends.get(first).copied().unwrap_or(u32::MAX);
        let typed = if judge.is_some() {
            self.types.len().clamp(first, natts)
        } else {
            first
        };
        WithoutNulls {
            hoff: usize::from(hoff),
            end: usize::try_from(end).unwrap_or(usize::MAX),
            typed: self.attributes.get(first..typed).unwrap_or_default(),
            types: self.types.get(first..typed).unwrap_or_default(),
            untyped: self.attributes.get(typed..natts).unwrap_or_default(),
            judge,
        }
    }

    /// Walks over the attributes of a tuple as `heap_deform_tuple` does, and hands out the
    /// values that are compressed or stored out of line, each with its number from 1. The
    /// header must be sound, and have no more attributes than the table.
    ///
    /// # Errors
    /// Where the walk cannot go on: the attribute's number, and why.
    pub fn walk<'t>(
        &self,
        header: &HeapTupleHeader,
        tuple: &'t [u8],
        mut met: impl FnMut(u16, Stored<'t>),
    ) -> Result<(), (u16, AttributeFault)> {
        let nulls = null_bitmap(header, tuple);
        let hoff = usize::from(header.t_hoff);
        let Some(data) = tuple.get(hoff..) else {
            return Ok(());
        };
        let natts = usize::from(header.natts()).min(self.attributes.len());
        let mut off = 0;
        for (at, attribute) in self.attributes.iter().enumerate().take(natts) {
            if let Some(nulls) = nulls
                && is_null(nulls, at)
            {
                continue;
            }
            match attribute.end(data, off, at, &mut met) {
                Ok(end) => off = end,
                Err(fault) => {
                    return Err((
                        attnum(at),
                        fault.within(attribute.attlen, hoff, tuple.len()),
                    ));
                }
            }
        }
        let (end, len) = (hoff.saturating_add(off), tuple.len());
        if is_end(end, len) {
            return Ok(());
        }
        let last = attnum(natts.saturating_sub(1));
        Err((last, AttributeFault::TupleGoesOn { end, len }))
    }
}

impl TupleDesc {
    /// Hands out the values that stand in a tuple and of which it is known what they must be,
    /// each with its number from 1. The tuple is one that [`Self::walk`] walked to its end.
    pub fn values<'t>(
        &self,
        header: &HeapTupleHeader,
        tuple: &'t [u8],
        mut each: impl FnMut(u16, &ValueType, Value<'t>),
    ) {
        let data = tuple.get(usize::from(header.t_hoff)..);
        let natts = usize::from(header.natts()).min(self.types.len());
        let nulls = null_bitmap(header, tuple);
        // It was walked to its end.
        let _ = self.values_in(natts, nulls, data.unwrap_or_default(), &mut each);
    }

    /// The same of a value of a composite type, handed in without its varlena header: of each
    /// attribute up to where one cannot be.
    ///
    /// # Errors
    /// That attribute's number, and why.
    pub(super) fn values_of_composite<'t>(
        &self,
        header: &HeapTupleHeader,
        value: &'t [u8],
        mut each: impl FnMut(u16, &ValueType, Value<'t>),
    ) -> Result<(), (u16, AttributeFault)> {
        let missing = usize::try_from(VARHDRSZ).unwrap_or(0);
        let hoff = usize::from(header.t_hoff).saturating_sub(missing);
        let bitmap = usize::from(HEAP_TUPLE_HEADER_SIZE).saturating_sub(missing)..hoff;
        let has_nulls = header.has(HEAP_HASNULL);
        let nulls = has_nulls.then(|| value.get(bitmap).unwrap_or_default());
        let data = value.get(hoff..).unwrap_or_default();
        let natts = usize::from(header.natts()).min(self.attributes.len());
        let walked = self.values_in(natts, nulls, data, &mut each);
        walked.map_err(|(at, fault)| {
            let attlen = self
                .attributes
                .get(at)
                .map_or(0, |attribute| attribute.attlen);
            let len = value.len().saturating_add(missing);
            (
                attnum(at),
                fault.within(attlen, usize::from(header.t_hoff), len),
            )
        })
    }

    fn values_in<'t>(
        &self,
        natts: usize,
        nulls: Option<&[u8]>,
        data: &'t [u8],
        each: &mut impl FnMut(u16, &ValueType, Value<'t>),
    ) -> Result<(), (usize, ValueFault)> {
        let mut off = 0;
        for (at, attribute) in self.attributes.iter().enumerate().take(natts) {
            let value_type = self.types.get(at).and_then(Option::as_ref);
            if nulls.is_some_and(|nulls| is_null(nulls, at)) {
                continue;
            }
            if let Some((start, end)) = attribute.plain(data, off) {
                let Some(value) = data.get(start..end) else {
                    return Err((at, ValueFault::Ends(end)));
                };
                if let Some(value_type) = value_type {
                    each(attnum(at), value_type, Value::Plain(value));
                }
                off = end;
            } else {
                let end = attribute.end(data, off, at, &mut |attnum, stored| {
                    if let (Some(value_type), Stored::Compressed(varlena)) = (value_type, stored) {
                        each(attnum, value_type, Value::Compressed(varlena));
                    }
                });
                off = end.map_err(|fault| (at, fault))?;
            }
        }
        Ok(())
    }
}

/// Tuples of a table that have all values, and as many: where the first of them lie needs to be
/// found out only once.
#[derive(Clone, Copy, Debug)]
pub struct WithoutNulls<'d> {
    hoff: usize,
    /// Where the attributes end that need no look, counted from `hoff`.
    end: usize,
    /// The others, up to the last of which it is known what its values must be.
    typed: &'d [Attribute],
    types: &'d [Option<ValueType>],
    /// Those behind.
    untyped: &'d [Attribute],
    judge: Option<&'d Layout>,
}

impl WithoutNulls<'_> {
    /// [`TupleDesc::is_plain`] of one of them.
    #[inline]
    #[must_use]
    pub fn is_plain(&self, tuple: &[u8]) -> bool {
        let Some(data) = tuple.get(self.hoff..) else {
            return false;
        };
        let mut off = self.end;
        for (attribute, value_type) in self.typed.iter().zip(self.types) {
            match attribute.plain_end(data, off, value_type.as_ref(), self.judge) {
                Some(end) => off = end,
                None => return false,
            }
        }
        for attribute in self.untyped {
            match attribute.plain_end(data, off, None, None) {
                Some(end) => off = end,
                None => return false,
            }
        }
        is_end(self.hoff.saturating_add(off), tuple.len())
    }
}

/// Whether the values of a tuple may end there. Up to 9.0 CLUSTER and VACUUM FULL rounded the
/// length up (`rewriteheap.c: raw_heap_insert`), and `pg_upgrade` brings such tuples along.
#[inline]
fn is_end(end: usize, len: usize) -> bool {
    end.saturating_add(7) & !7 >= len
}

/// `attnum` of an attribute counted from 0.
fn attnum(at: usize) -> u16 {
    u16::try_from(at.saturating_add(1)).unwrap_or(u16::MAX)
}

/// The null bitmap, with what padding follows it; `None` without nulls.
#[inline]
fn null_bitmap<'t>(header: &HeapTupleHeader, tuple: &'t [u8]) -> Option<&'t [u8]> {
    let bitmap = usize::from(HEAP_TUPLE_HEADER_SIZE)..usize::from(header.t_hoff);
    let is_there = header.has(HEAP_HASNULL);
    is_there.then(|| tuple.get(bitmap).unwrap_or_default())
}

/// `att_isnull`: a bit that is not set is a null.
#[inline]
fn is_null(nulls: &[u8], at: usize) -> bool {
    let byte = nulls.get(at >> 3).copied().unwrap_or(0);
    byte >> (at & 7) & 1 == 0
}

impl Attribute {
    /// `att_align_nominal`.
    #[inline]
    fn aligned(&self, off: usize) -> usize {
        let mask = usize::from(self.align).saturating_sub(1);
        off.saturating_add(mask) & !mask
    }

    /// Where a value lies that begins at `off` or behind the padding there, without its varlena
    /// header; not of one that is compressed or out of line, nor of most that are not sound.
    #[inline(always)]
    fn plain(&self, data: &[u8], off: usize) -> Option<(usize, usize)> {
        if let Ok(len) = usize::try_from(self.attlen) {
            let start = self.aligned(off);
            return Some((start, start.saturating_add(len)));
        }
        // Nearly every value of variable length has a header of 1 byte.
        if self.attlen == -1
            && let Some(first) = data.get(off)
            && first & 1 == 1
            && *first != 1
        {
            let end = off.saturating_add(usize::from(first >> 1));
            return Some((off.saturating_add(1), end));
        }
        self.plain_string(data, off)
    }

    /// The same of a value of variable length with another header, or with none.
    fn plain_string(&self, data: &[u8], off: usize) -> Option<(usize, usize)> {
        if self.attlen != -1 {
            let end = self.end(data, off, 0, &mut |_, _| ()).ok()?;
            return Some((self.aligned(off), end));
        }
        let off = if *data.get(off)? == 0 {
            self.aligned(off)
        } else {
            off
        };
        let word = u32_at(data, off)?;
        let is_plain = word & 3 == 0 && word >> 2 >= VARHDRSZ;
        let len = usize::try_from(word >> 2).ok().filter(|_| is_plain)?;
        Some((off.saturating_add(4), off.saturating_add(len)))
    }

    /// Where a value of the tuple ends that begins at `off`, when it lies there as it is, and
    /// is of its type if it is to be judged. All in one place: a call costs more than the rest.
    #[inline(always)]
    fn plain_end(
        &self,
        data: &[u8],
        off: usize,
        value_type: Option<&ValueType>,
        judge: Option<&Layout>,
    ) -> Option<usize> {
        let (start, end) = self.plain(data, off)?;
        let value = data.get(start..end)?;
        if let (Some(value_type), Some(layout)) = (value_type, judge)
            && !value_type.has(value, layout)
        {
            return None;
        }
        Some(end)
    }

    /// Where a value ends that begins at `off`, or behind the padding there.
    fn end<'t>(
        &self,
        data: &'t [u8],
        off: usize,
        at: usize,
        met: &mut impl FnMut(u16, Stored<'t>),
    ) -> Result<usize, ValueFault> {
        let within = |end: usize| {
            if end <= data.len() {
                Ok(end)
            } else {
                Err(ValueFault::Ends(end))
            }
        };
        if let Ok(len) = usize::try_from(self.attlen) {
            return within(self.aligned(off).saturating_add(len));
        }
        if self.attlen == -2 {
            // att_align_pointer aligns nothing but varlenas by what it sees.
            let off = self.aligned(off);
            let string = data.get(off..).ok_or(ValueFault::Starts(off))?;
            let len = string.iter().position(|byte| *byte == 0);
            let len = len.ok_or(ValueFault::Ends(data.len().saturating_add(1)))?;
            return Ok(off.saturating_add(len).saturating_add(1));
        }
        let off = match data.get(off) {
            Some(0) => self.aligned(off),
            Some(_) => off,
            None => return Err(ValueFault::Starts(off)),
        };
        let first = *data.get(off).ok_or(ValueFault::Starts(off))?;
        if first == 1 {
            let tag = data.get(off.saturating_add(1)).copied().unwrap_or(0);
            if tag != VARTAG_ONDISK {
                return Err(ValueFault::Tag(tag));
            }
            let end = within(off.saturating_add(TOAST_POINTER_SIZE))?;
            if let Some(pointer) = data.get(off..end).and_then(ToastPointer::parse) {
                met(attnum(at), Stored::External(pointer));
            }
            return Ok(end);
        }
        if first & 1 == 1 {
            return within(off.saturating_add(usize::from(first >> 1)));
        }
        let word = u32_at(data, off).ok_or(ValueFault::Ends(off.saturating_add(4)))?;
        let len = word >> 2;
        let size = usize::try_from(len).unwrap_or(usize::MAX);
        let compressed = first & 2 != 0;
        if len < VARHDRSZ && !compressed {
            return Err(ValueFault::Length(len));
        }
        let end = within(off.saturating_add(size))?;
        if compressed {
            // One too short for its header is decompressed all the same, from nothing.
            let whole = end.max(off.saturating_add(COMPRESSED_HEADER_SIZE));
            let value = data.get(off..whole).ok_or(ValueFault::Length(len))?;
            met(attnum(at), Stored::Compressed(value));
        }
        Ok(end)
    }
}

/// A value that stands in its tuple.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'t> {
    /// As it is: without its varlena header.
    Plain(&'t [u8]),
    /// Compressed: the whole varlena.
    Compressed(&'t [u8]),
}

/// A value that is not simply there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored<'t> {
    /// Compressed in its place: the whole varlena.
    Compressed(&'t [u8]),
    /// Stored out of line.
    External(ToastPointer),
}

/// A value that is compressed in its place, or was before it went out of line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compression {
    /// Its size, and from 14 on the method in the upper bits.
    info: u32,
}

impl From<[u8; 4]> for Compression {
    fn from(bytes: [u8; 4]) -> Self {
        let info = u32::from_le_bytes(bytes);
        Self { info }
    }
}

impl Compression {
    /// Of a varlena compressed in its place.
    #[must_use]
    pub fn of(varlena: &[u8]) -> Option<Self> {
        u32_at(varlena, 4).map(|info| Self { info })
    }

    /// The size.
    #[must_use]
    pub fn size(self, layout: &Layout) -> u32 {
        if layout.since(Major::V14) {
            self.info & VARLENA_SIZE_LIMIT
        } else {
            self.info
        }
    }

    /// The method: 0 pglz, 1 lz4 (14 and later).
    #[must_use]
    pub fn method(self, layout: &Layout) -> u32 {
        if layout.since(Major::V14) {
            self.info >> 30
        } else {
            0
        }
    }
}

/// `varatt_external`: where a value is that was stored out of line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ToastPointer {
    /// `va_rawsize`: size of the value, header of 4 bytes included.
    pub va_rawsize: u32,
    /// `va_extinfo`: bytes stored; `va_extsize` up to 13.
    pub va_extinfo: Compression,
    /// `va_valueid`: `chunk_id` of its chunks.
    pub va_valueid: Oid,
    /// `va_toastrelid`: the TOAST table.
    pub va_toastrelid: Oid,
}

impl ToastPointer {
    fn parse(varlena: &[u8]) -> Option<Self> {
        Some(Self {
            va_rawsize: u32_at(varlena, 2)?,
            va_extinfo: Compression {
                info: u32_at(varlena, 6)?,
            },
            va_valueid: u32_at(varlena, 10)?,
            va_toastrelid: u32_at(varlena, 14)?,
        })
    }

    /// Bytes stored (`VARATT_EXTERNAL_GET_EXTSIZE`).
    #[must_use]
    pub fn extsize(&self, layout: &Layout) -> u32 {
        self.va_extinfo.size(layout)
    }

    /// Whether they are compressed (`VARATT_EXTERNAL_IS_COMPRESSED`). It compares numbers with
    /// a sign up to 13.
    #[must_use]
    pub fn is_compressed(&self, layout: &Layout) -> bool {
        let (stored, size) = (self.extsize(layout), self.size());
        if layout.since(Major::V14) {
            stored < size
        } else {
            stored.cast_signed() < size.cast_signed()
        }
    }

    /// The size of the value without its header.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.va_rawsize.wrapping_sub(VARHDRSZ)
    }
}

/// What is wrong with a value; offsets are those from `t_hoff`.
enum ValueFault {
    Starts(usize),
    Ends(usize),
    Tag(u8),
    Length(u32),
}

impl ValueFault {
    fn within(self, attlen: i16, hoff: usize, len: usize) -> AttributeFault {
        match self {
            Self::Starts(off) => AttributeFault::Starts {
                attlen,
                start: hoff.saturating_add(off),
                len,
            },
            Self::Ends(off) => AttributeFault::Ends {
                attlen,
                end: hoff.saturating_add(off),
                len,
            },
            Self::Tag(tag) => AttributeFault::Tag(tag),
            Self::Length(length) => AttributeFault::Length(length),
        }
    }
}

/// Why the attributes of a tuple cannot be told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttributeFault {
    /// The value would begin at the tuple's end or behind it.
    Starts {
        /// `attlen`.
        attlen: i16,
        /// Bytes from the tuple's start.
        start: usize,
        /// Length of the tuple.
        len: usize,
    },
    /// It would end behind the tuple's end.
    Ends {
        /// `attlen`.
        attlen: i16,
        /// Bytes from the tuple's start.
        end: usize,
        /// Length of the tuple.
        len: usize,
    },
    /// Stored out of line, but in a way that is for memory only, or unknown.
    Tag(u8),
    /// Shorter than its own header.
    Length(u32),
    /// The last attribute ends before the tuple does.
    TupleGoesOn {
        /// Bytes from the tuple's start.
        end: usize,
        /// Length of the tuple.
        len: usize,
    },
}

impl fmt::Display for AttributeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starts { attlen, start, len } => write!(
                f,
                "attribute with length {attlen} starts at offset {start} beyond total tuple \
                 length {len}"
            ),
            Self::Ends { attlen, end, len } => write!(
                f,
                "attribute with length {attlen} ends at offset {end} beyond total tuple length \
                 {len}"
            ),
            Self::Tag(tag) => write!(f, "toasted attribute has unexpected TOAST tag {tag}"),
            Self::Length(len) => write!(f, "value of {len} bytes is shorter than its header"),
            Self::TupleGoesOn { end, len } => write!(
                f,
                "last attribute ends at offset {end}, before total tuple length {len}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::datum::Encoding;
    use crate::format::version::Version;
    use proptest::prelude::*;

    /// Columns by `attlen` and `attalign`, named a, b, c ...
    fn desc(columns: &[(i16, u8)]) -> TupleDesc {
        let rows: Vec<PgAttribute> = columns
            .iter()
            .zip(1..)
            .map(|(&(attlen, attalign), attnum)| PgAttribute {
                attname: char::from(b'`' + attnum as u8).to_string().into(),
                attlen,
                attnum,
                attalign,
                ..PgAttribute::default()
            })
            .collect();
        TupleDesc::new(rows.iter()).unwrap()
    }

    /// A tuple of so many attributes; `nulls` is the bitmap when there are any.
    fn tuple(natts: u8, nulls: Option<u8>, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 24];
        bytes[18] = natts;
        bytes[20] = u8::from(nulls.is_some());
        bytes[22] = 24;
        bytes[23] = nulls.unwrap_or(0);
        bytes.extend(data);
        bytes
    }

    fn walk(desc: &TupleDesc, tuple: &[u8]) -> (Result<(), (u16, AttributeFault)>, Vec<u16>) {
        let header = HeapTupleHeader::parse(tuple).unwrap();
        let mut met = Vec::new();
        let walked = desc.walk(&header, tuple, |attnum, _| met.push(attnum));
        (walked, met)
    }

    #[test]
    fn attributes_are_walked_over() {
        // int, text, bigint.
        let desc = desc(&[(4, b'i'), (-1, b'i'), (8, b'd')]);
        assert_eq!(desc.name(2), Some("b"));
        assert_eq!((desc.name(0), desc.name(4)), (None, None));
        let good = |tuple: &[u8]| assert_eq!(walk(&desc, tuple), (Ok(()), vec![]));
        let mut data = vec![1, 0, 0, 0, 7, b'x', b'y'];
        data.extend([0; 9]);
        good(&tuple(3, None, &data));
        // Fewer attributes than the table has now.
        good(&tuple(1, None, &data[..4]));
        good(&tuple(2, None, &data[..7]));
        // A header of 4 bytes: 6 bytes in all.
        let mut long = vec![1, 0, 0, 0, 24, 0, 0, 0, b'x', b'y', 0, 0, 0, 0, 0, 0];
        long.extend([0; 8]);
        good(&tuple(3, None, &long));
        // A length rounded up.
        good(&tuple(2, None, &[1, 0, 0, 0, 7, b'x', b'y', 0]));
        // Nulls take no room; the last two are.
        good(&tuple(3, Some(0b001), &data[..4]));
        good(&tuple(3, Some(0b100), &[0; 8]));
        good(&tuple(3, Some(0b000), &[]));
    }

    #[test]
    fn broken_attributes() {
        let desc = desc(&[(4, b'i'), (-1, b'i'), (-2, b'c'), (-1, b'd')]);
        let why = |natts, data: &[u8]| {
            let (walked, _) = walk(&desc, &tuple(natts, None, data));
            let (attnum, fault) = walked.unwrap_err();
            format!("{attnum}: {fault}")
        };
        assert_eq!(
            why(1, &[0; 3]),
            "1: attribute with length 4 ends at offset 28 beyond total tuple length 27"
        );
        assert_eq!(
            why(2, &[0; 4]),
            "2: attribute with length -1 starts at offset 28 beyond total tuple length 28"
        );
        assert_eq!(
            why(2, &[0, 0, 0, 0, 9, b'x', b'y']),
            "2: attribute with length -1 ends at offset 32 beyond total tuple length 31"
        );
        assert_eq!(
            why(2, &[0, 0, 0, 0, 5, b'x', b'y', 0, 0]),
            "2: last attribute ends at offset 30, before total tuple length 33"
        );
        assert_eq!(
            why(2, &[0, 0, 0, 0, 0, 0, 0, 0]),
            "2: value of 0 bytes is shorter than its header"
        );
        assert_eq!(
            why(2, &[0, 0, 0, 0, 26, 0, 0, 0, 1, 2]),
            "2: value of 6 bytes is shorter than its header"
        );
        assert_eq!(
            why(2, &[0, 0, 0, 0, 1, 2, 0, 0]),
            "2: toasted attribute has unexpected TOAST tag 2"
        );
        assert_eq!(
            why(2, &[0, 0, 0, 0, 1, 18, 0, 0]),
            "2: attribute with length -1 ends at offset 46 beyond total tuple length 32"
        );
        assert_eq!(
            why(3, &[0, 0, 0, 0, 3, b'x']),
            "3: attribute with length -2 ends at offset 31 beyond total tuple length 30"
        );
    }

    #[test]
    fn values_stored_elsewhere_are_handed_out() {
        let desc = desc(&[(-1, b'i'), (-1, b'i')]);
        let mut data = vec![1, 18];
        for word in [2004_u32, 0x4000_0190, 16_500, 16_400] {
            data.extend(word.to_le_bytes());
        }
        // Two bytes of padding, then 12 bytes of which 4 are compressed.
        data.extend([0, 0, 50, 0, 0, 0, 100, 0, 0, 0x80, 1, 2, 3, 4]);
        let tuple = tuple(2, None, &data);
        let header = HeapTupleHeader::parse(&tuple).unwrap();
        let mut met = Vec::new();
        desc.walk(&header, &tuple, |attnum, stored| met.push((attnum, stored)))
            .unwrap();
        let [
            (1, Stored::External(pointer)),
            (2, Stored::Compressed(varlena)),
        ] = met[..]
        else {
            panic!("{met:?}");
        };
        let layout = |major| Layout::usual(super::super::Version::of(major).unwrap());
        let (old, new) = (layout(Major::V13), layout(Major::V14));
        assert_eq!((pointer.va_rawsize, pointer.va_valueid), (2004, 16_500));
        assert_eq!(pointer.extsize(&new), 400);
        assert_eq!(pointer.va_extinfo.method(&new), 1);
        assert!(pointer.is_compressed(&new) && !pointer.is_compressed(&old));
        let header = Compression::of(varlena).unwrap();
        assert_eq!((header.size(&new), header.method(&new)), (100, 2));
        assert_eq!((header.size(&old), header.method(&old)), (0x8000_0064, 0));
    }

    #[test]
    fn values_are_handed_out_by_type() {
        let columns = [
            (23, 4, b'i'),
            (16, 1, b'c'),
            (25, -1, b'i'),
            (25, -1, b'i'),
            (1114, 8, b'd'),
            (23, 4, b'i'),
        ];
        let rows: Vec<PgAttribute> = columns
            .iter()
            .zip(1..)
            .map(|(&(atttypid, attlen, attalign), attnum)| PgAttribute {
                atttypid,
                attlen,
                attnum,
                attalign,
                ..PgAttribute::default()
            })
            .collect();
        let desc_of = |rows: &[PgAttribute]| {
            let types = rows
                .iter()
                .map(|row| ValueType::of(row.atttypid, row.attlen, Encoding::Utf8));
            TupleDesc::new(rows.iter()).unwrap().with_types(types)
        };
        let desc = desc_of(&rows);
        assert!(desc.has_types() && !desc_of(&rows[..1]).has_types());
        let values = |desc: &TupleDesc, tuple: &[u8]| {
            let header = HeapTupleHeader::parse(tuple).unwrap();
            let mut met = Vec::new();
            desc.values(&header, tuple, |attnum, _, value| match value {
                Value::Plain(value) => met.push((attnum, value.to_vec())),
                Value::Compressed(varlena) => met.push((attnum, varlena[8..].to_vec())),
            });
            met
        };
        // An integer, true, 'x' with a header of one byte, 'abc' with one of four, a timestamp.
        let data = b"\x07\0\0\0\x01\x05x\0\x1C\0\0\0abc\0TIMES..1\x09\0\0\0";
        let value = |attnum: u16, value: &[u8]| (attnum, value.to_vec());
        let all = [
            value(2, &[1]),
            value(3, b"x"),
            value(4, b"abc"),
            value(5, b"TIMES..1"),
        ];
        assert_eq!(values(&desc, &tuple(6, None, data)), all);
        assert_eq!(values(&desc, &tuple(3, None, &data[..7])), all[..2]);
        // The first and the third are null.
        let data = b"\x01\0\0\0\x1C\0\0\0abc\0\0\0\0\0TIMES..1";
        let some = [all[0].clone(), all[2].clone(), all[3].clone()];
        assert_eq!(values(&desc, &tuple(5, Some(0x1A), data)), some);
        // Compressed, and out of line.
        let mut elsewhere = b"\x07\0\0\0\x01\0\0\0\x32\0\0\0\0\0\0\0abcd".to_vec();
        elsewhere.extend([1, 18]);
        elsewhere.extend([0; 16]);
        let some = [all[0].clone(), value(3, b"abcd")];
        assert_eq!(values(&desc, &tuple(4, None, &elsewhere)), some);
        let mut dropped = rows.clone();
        dropped[2].attisdropped = true;
        let without = values(&desc_of(&dropped), &tuple(3, None, b"\x07\0\0\0\x01\x05x"));
        assert_eq!(without, all[..1]);
    }

    #[test]
    fn catalogs_that_say_what_cannot_be() {
        let row = |attnum, attlen, attalign| PgAttribute {
            attname: "a".into(),
            attnum,
            attlen,
            attalign,
            ..PgAttribute::default()
        };
        let whole = |rows: &[PgAttribute]| TupleDesc::new(rows.iter()).is_some();
        assert!(whole(&[]));
        assert!(whole(&[row(1, 4, b'i'), row(2, -1, b'd')]));
        assert!(!whole(&[row(2, 4, b'i')]));
        assert!(!whole(&[row(1, 4, b'i'), row(3, 4, b'i')]));
        assert!(!whole(&[row(1, 0, b'i')]));
        assert!(!whole(&[row(1, -3, b'i')]));
        assert!(!whole(&[row(1, 4, b'x')]));
    }

    proptest! {
        /// What is passed over in one step is what the walk and the types have nothing to say of.
        #[test]
        fn plain_tuples_are_sound_tuples(
            values in proptest::collection::vec(
                prop_oneof![
                    Just(None),
                    any::<bool>().prop_map(|is| Some((1_i16, b'c', vec![u8::from(is)]))),
                    any::<u32>().prop_map(|n| Some((4_i16, b'i', n.to_le_bytes().to_vec()))),
                    "[a-z\u{e4}]{0,40}".prop_map(|text| {
                        let header = u8::try_from(text.len() * 2 + 3).unwrap();
                        Some((-1_i16, b'i', [&[header], text.as_bytes()].concat()))
                    }),
                    "[a-z]{130,200}".prop_map(|text| {
                        let header = u32::try_from(text.len() * 4 + 16).unwrap();
                        Some((-1_i16, b'i', [&header.to_le_bytes(), text.as_bytes()].concat()))
                    }),
                ],
                1..8,
            ),
            change in proptest::option::of((any::<prop::sample::Index>(), 1_u8..)),
        ) {
            let (mut columns, mut data, mut nulls) = (Vec::new(), Vec::new(), 0_u8);
            for (at, value) in values.iter().enumerate() {
                let Some((attlen, attalign, value)) = value else {
                    columns.push((-1, b'i'));
                    continue;
                };
                columns.push((*attlen, *attalign));
                nulls |= 1 << at;
                let is_short = *attlen == -1 && value.first().is_some_and(|header| header & 1 == 1);
                if *attalign == b'i' && !is_short {
                    data.resize(data.len().next_multiple_of(4), 0);
                }
                data.extend(value);
            }
            let has_nulls = values.contains(&None);
            let mut tuple = tuple(values.len() as u8, has_nulls.then_some(nulls), &data);
            if let (Some((at, bits)), false) = (&change, data.is_empty()) {
                tuple[24 + at.index(data.len())] ^= *bits;
            }
            let layout = Layout::usual(Version::of(Major::V15).unwrap());
            let types = columns.iter().map(|(attlen, _)| match attlen {
                -1 => ValueType::of(25, -1, Encoding::Utf8),
                1 => ValueType::of(16, 1, Encoding::Utf8),
                _ => None,
            });
            let desc = desc(&columns).with_types(types);
            let header = HeapTupleHeader::parse(&tuple).unwrap();
            let walked = walk(&desc, &tuple) == (Ok(()), vec![]);
            let mut is_sound = walked;
            if walked {
                desc.values(&header, &tuple, |_, value_type, value| {
                    if let Value::Plain(value) = value {
                        is_sound &= value_type.judge(value, &layout).is_ok();
                    }
                });
            }
            let is_plain = |judge| desc.is_plain(&header, &tuple, judge);
            prop_assert!(walked || !is_plain(None));
            prop_assert!(is_sound || !is_plain(Some(&layout)));
            if change.is_none() {
                prop_assert!(is_plain(None) && is_plain(Some(&layout)));
            }
        }

        #[test]
        fn any_bytes_are_walked_over(
            columns in proptest::collection::vec(
                (prop_oneof![Just(-1_i16), Just(-2), 1_i16..70], prop_oneof![Just(b'c'), Just(b's'), Just(b'i'), Just(b'd')]),
                0..20,
            ),
            bytes in proptest::collection::vec(any::<u8>(), 23..300),
        ) {
            let desc = desc(&columns);
            let header = HeapTupleHeader::parse(&bytes).unwrap();
            let walked = desc.walk(&header, &bytes, |attnum, stored| {
                assert!(desc.attribute(attnum).is_some());
                if let Stored::Compressed(varlena) = stored {
                    assert!(Compression::of(varlena).is_some());
                }
            });
            if let Err((_, fault)) = walked {
                let _ = fault.to_string();
            }
            let types = columns
                .iter()
                .map(|(attlen, _)| ValueType::of(if *attlen == -1 { 25 } else { 16 }, *attlen, Encoding::Utf8));
            let desc = desc.clone().with_types(types);
            desc.values(&header, &bytes, |attnum, _, value| {
                let (Value::Plain(value) | Value::Compressed(value)) = value;
                assert!(desc.attribute(attnum).is_some() && value.len() <= bytes.len());
            });
        }
    }
}
