//! Values of built-in types: what their bytes cannot be.
//!
//! Of the types named here not every string of bytes is a value. What is refused is what no
//! release writes and what `pg_upgrade` cannot have brought along; irregular forms that servers
//! once wrote (digits that are all zero, a scale that does not fit the digits, times behind
//! 24:00:00) pass. Values are handed in without their varlena header, and are looked at as the
//! type's output function would.
//!
//! Sources: `catalog/pg_type.dat` for the numbers, `utils/adt/numeric.c`, `varbit.c`,
//! `network.c: network_out`, `timestamp.c: timestamp2tm` and `interval2tm`, `date.c`,
//! `utils/geo_decls.h`, `tsearch/ts_type.h`, `utils/rangetypes.h`, `multirangetypes.c`.
//!
//! ```text
//! numeric   header:2 of 11 special, 10 sign dscale weight, else dscale and weight:2; digits:2 each
//! inet      family:1 (2 or 3) bits:1 address (4 or 16)
//! bit       bits:4, bytes            path     npts:4 closed:4 0:4, 16 each
//! polygon   npts:4 box:32, 16 each   range    type:4 lower upper flags:1
//! tsvector  size:4, haspos:1 len:11 pos:20 each, lexemes with their positions
//! multirange  type:4 count:4, place of each range but the first:4, flags of each:1, bounds
//! tsquery   size:4, 12 each: type:1 ...: value: 8 len:12 distance:20; operator: 1 oper:1, 4 left
//! ```

mod array;
mod composite;
mod encoding;
mod jsonb;
mod jsonpath;

pub use encoding::Encoding;

use super::page::{u16_at, u32_at, u64_at};
use super::tuple::TupleDesc;
use super::types::Oid;
use super::version::{Layout, Major};
use composite::Composite;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What the bytes of a value must be.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ValueType {
    kind: Kind,
    encoding: Encoding,
}

/// Types that share a parser.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Bool,
    Text,
    Name,
    Numeric,
    Jsonb,
    Date,
    Time,
    Timestamp,
    Interval,
    Inet,
    Bit,
    Path,
    Polygon,
    TsVector,
    TsQuery,
    /// By its number.
    Range(Oid, Bound),
    /// The same.
    Multirange(Oid, Bound),
    Jsonpath,
    /// By its elements' place in [`TYPES`].
    Array(u8),
    Enum(Arc<Labels>),
    Composite(Arc<Composite>),
    /// Of elements that are not among [`TYPES`].
    ArrayOf(Arc<Type>),
}

/// What the values of an enum may be: object identifiers of rows of `pg_enum`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Labels {
    of_type: Box<[Oid]>,
    /// Of all enums of the database: what the output function looks for.
    all: Arc<[Oid]>,
}

impl Labels {
    /// Labels of one type, and those of all; both in order.
    #[must_use]
    pub fn new(of_type: &[Oid], all: Arc<[Oid]>) -> Self {
        let of_type = of_type.into();
        Self { of_type, all }
    }
}

/// What a range is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Bound {
    Int4,
    Int8,
    Numeric,
    Date,
    Timestamp,
}

impl Hash for Labels {
    /// By the few labels of the type: those of all types may be many.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of_type.hash(state);
    }
}

/// A type. Built-in ones are as every release has them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Type {
    oid: Oid,
    /// The type of its arrays.
    array: Oid,
    /// `typlen`
    len: i16,
    /// `typalign` in bytes.
    align: usize,
    /// `None` when any bytes are a value.
    kind: Option<Kind>,
}

const fn free(oid: Oid, array: Oid, len: i16, align: usize) -> Type {
    Type {
        oid,
        array,
        len,
        align,
        kind: None,
    }
}

const fn of(oid: Oid, array: Oid, len: i16, align: usize, kind: Kind) -> Type {
    Type {
        oid,
        array,
        len,
        align,
        kind: Some(kind),
    }
}

/// Left out are types that not every release has alike (`line`, `aclitem`), and those without
/// arrays of which nothing can be told.
static TYPES: [Type; 60] = [
    of(16, 1000, 1, 1, Kind::Bool),
    free(17, 1001, -1, 4), // bytea
    free(18, 1002, 1, 1),  // "char"
    of(19, 1003, 64, 1, Kind::Name),
    free(20, 1016, 8, 8), // int8
    free(21, 1005, 2, 2), // int2
    free(23, 1007, 4, 4), // int4
    free(24, 1008, 4, 4), // regproc
    of(25, 1009, -1, 4, Kind::Text),
    free(26, 1028, 4, 4),            // oid
    free(27, 1010, 6, 2),            // tid
    free(28, 1011, 4, 4),            // xid
    free(29, 1012, 4, 4),            // cid
    of(114, 199, -1, 4, Kind::Text), // json
    of(142, 143, -1, 4, Kind::Text), // xml
    free(600, 1017, 16, 8),          // point
    free(601, 1018, 32, 8),          // lseg
    of(602, 1019, -1, 8, Kind::Path),
    free(603, 1020, 32, 8), // box
    of(604, 1027, -1, 8, Kind::Polygon),
    of(650, 651, -1, 4, Kind::Inet), // cidr
    free(700, 1021, 4, 4),           // float4
    free(701, 1022, 8, 8),           // float8
    free(718, 719, 24, 8),           // circle
    free(774, 775, 8, 4),            // macaddr8
    free(790, 791, 8, 8),            // money
    free(829, 1040, 6, 4),           // macaddr
    of(869, 1041, -1, 4, Kind::Inet),
    of(1042, 1014, -1, 4, Kind::Text), // bpchar
    of(1043, 1015, -1, 4, Kind::Text), // varchar
    of(1082, 1182, 4, 4, Kind::Date),
    of(1083, 1183, 8, 8, Kind::Time),
    of(1114, 1115, 8, 8, Kind::Timestamp),
    of(1184, 1185, 8, 8, Kind::Timestamp), // timestamptz
    of(1186, 1187, 16, 8, Kind::Interval),
    of(1266, 1270, 12, 8, Kind::Time), // timetz
    of(1560, 1561, -1, 4, Kind::Bit),
    of(1562, 1563, -1, 4, Kind::Bit), // varbit
    of(1700, 1231, -1, 4, Kind::Numeric),
    free(2205, 2210, 4, 4),  // regclass
    free(2206, 2211, 4, 4),  // regtype
    free(2950, 2951, 16, 1), // uuid
    free(3220, 3221, 8, 8),  // pg_lsn
    of(3614, 3643, -1, 4, Kind::TsVector),
    of(3615, 3645, -1, 4, Kind::TsQuery),
    of(3802, 3807, -1, 4, Kind::Jsonb),
    of(3904, 3905, -1, 4, Kind::Range(3904, Bound::Int4)),
    of(3906, 3907, -1, 4, Kind::Range(3906, Bound::Numeric)),
    of(3908, 3909, -1, 8, Kind::Range(3908, Bound::Timestamp)),
    of(3910, 3911, -1, 8, Kind::Range(3910, Bound::Timestamp)), // tstzrange
    of(3912, 3913, -1, 4, Kind::Range(3912, Bound::Date)),
    of(3926, 3927, -1, 8, Kind::Range(3926, Bound::Int8)),
    of(4072, 4073, -1, 4, Kind::Jsonpath),
    of(4451, 6150, -1, 4, Kind::Multirange(4451, Bound::Int4)),
    of(4532, 6151, -1, 4, Kind::Multirange(4532, Bound::Numeric)),
    of(4533, 6152, -1, 8, Kind::Multirange(4533, Bound::Timestamp)),
    of(4534, 6153, -1, 8, Kind::Multirange(4534, Bound::Timestamp)), // tstzmultirange
    of(4535, 6155, -1, 4, Kind::Multirange(4535, Bound::Date)),
    of(4536, 6157, -1, 8, Kind::Multirange(4536, Bound::Int8)),
    free(5069, 271, 8, 8), // xid8
];

/// Why some bytes are no value of their type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What is wrong.
    pub what: String,
    /// With what the output function fails, where it does.
    pub server_error: Option<String>,
}

impl Fault {
    #[cold]
    fn new(what: String) -> Self {
        Self {
            what,
            server_error: None,
        }
    }

    fn error(self, text: impl Into<String>) -> Self {
        Self {
            server_error: Some(text.into()),
            ..self
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// A [`Fault`], unless it is so.
macro_rules! demand {
    ($is_so:expr, $($what:tt)+) => {
        if !$is_so {
            return Err($crate::format::datum::Fault::new(format!($($what)+)));
        }
    };
}
use demand;

/// The bytes are a value of the type, or not.
type Judged = Result<(), Fault>;

impl ValueType {
    /// What values of a type must be, by `atttypid` and `attlen` of a column; `None` when any
    /// bytes may be one, or nothing is known of the type. Texts are in `encoding`.
    #[must_use]
    pub fn of(atttypid: Oid, attlen: i16, encoding: Encoding) -> Option<Self> {
        let kind = TYPES.iter().zip(0_u8..).find_map(|(known, at)| {
            if known.oid == atttypid && known.len == attlen {
                known.kind.clone()
            } else {
                (known.array == atttypid && attlen == -1).then_some(Kind::Array(at))
            }
        })?;
        Some(Self { kind, encoding })
    }

    /// What values of an enum must be.
    #[must_use]
    pub const fn of_enum(labels: Arc<Labels>) -> Self {
        Self {
            kind: Kind::Enum(labels),
            encoding: Encoding::Bytes,
        }
    }

    /// What arrays of an enum must be, whose object identifier is `oid`.
    #[must_use]
    pub fn of_enum_array(oid: Oid, labels: Arc<Labels>) -> Self {
        let element = of(oid, 0, 4, 4, Kind::Enum(labels));
        Self {
            kind: Kind::ArrayOf(Arc::new(element)),
            encoding: Encoding::Bytes,
        }
    }

    /// What values of a composite type must be, whose rows are laid out like this.
    #[must_use]
    pub fn of_composite(oid: Oid, desc: Arc<TupleDesc>) -> Self {
        Self {
            kind: Kind::Composite(Arc::new(Composite { oid, desc })),
            encoding: Encoding::Bytes,
        }
    }

    /// What arrays of a composite type must be.
    #[must_use]
    pub fn of_composite_array(oid: Oid, desc: Arc<TupleDesc>) -> Self {
        let element = Self::of_composite(oid, desc).kind;
        Self {
            kind: Kind::ArrayOf(Arc::new(of(oid, 0, -1, 8, element))),
            encoding: Encoding::Bytes,
        }
    }

    /// Whether [`Self::judge`] finds nothing wrong.
    #[inline(always)]
    #[must_use]
    pub fn has(&self, value: &[u8], layout: &Layout) -> bool {
        // Nearly every value with something to judge is a text, of ASCII alone.
        matches!(self.kind, Kind::Text) && encoding::is_ascii(value)
            || self.judge(value, layout).is_ok()
    }

    /// Whether some bytes are a value: without their varlena header, and neither compressed nor
    /// out of line.
    ///
    /// # Errors
    /// When they cannot be.
    pub fn judge(&self, value: &[u8], layout: &Layout) -> Judged {
        match &self.kind {
            Kind::Array(of) => match TYPES.get(usize::from(*of)) {
                Some(element) => array::judge(value, element, self.encoding, layout),
                None => Ok(()),
            },
            Kind::ArrayOf(element) => array::judge(value, element, self.encoding, layout),
            kind => single(kind, value, self.encoding, layout),
        }
    }
}

/// A value that is no array.
fn single(kind: &Kind, value: &[u8], encoding: Encoding, layout: &Layout) -> Judged {
    match kind {
        Kind::Bool => bool(value),
        Kind::Text => encoding.judge(value),
        Kind::Name => name(value, encoding),
        Kind::Numeric => numeric(value, layout),
        Kind::Jsonb => jsonb::judge(value, encoding, layout),
        Kind::Date => date(value),
        Kind::Time => time(value, layout),
        Kind::Timestamp => timestamp(value, layout),
        Kind::Interval => interval(value, layout),
        Kind::Inet => inet(value),
        Kind::Bit => bit(value, layout),
        Kind::Path => points(value, "path", 12),
        Kind::Polygon => points(value, "polygon", 36),
        Kind::TsVector => tsvector(value, encoding),
        Kind::TsQuery => tsquery(value, encoding),
        Kind::Range(oid, bound) => range(value, *oid, *bound, layout),
        Kind::Multirange(oid, bound) => multirange(value, *oid, *bound, layout),
        Kind::Jsonpath => jsonpath::judge(value, encoding, layout),
        Kind::Enum(labels) => label(value, labels),
        Kind::Composite(of) => composite::judge(value, of, layout),
        Kind::Array(_) | Kind::ArrayOf(_) => Ok(()),
    }
}

/// `enum.c: enum_out`, which does not mind of which type a label is.
fn label(value: &[u8], labels: &Labels) -> Judged {
    let label = u32_at(value, 0).unwrap_or(0);
    if labels.of_type.binary_search(&label).is_ok() {
        return Ok(());
    }
    let fault = Fault::new(format!("enum value {label} is no label of its type"));
    Err(match labels.all.binary_search(&label) {
        Ok(_) => fault,
        Err(_) => fault.error(format!("invalid internal value for enum: {label}")),
    })
}

fn bool(value: &[u8]) -> Judged {
    let byte = value.first().copied().unwrap_or(0);
    demand!(byte <= 1, "boolean is {byte}");
    Ok(())
}

/// `nameout` prints on to whatever zero byte comes next.
fn name(value: &[u8], encoding: Encoding) -> Judged {
    let len = value.iter().position(|byte| *byte == 0);
    let Some(name) = len.and_then(|len| value.get(..len)) else {
        return Err(Fault::new(format!(
            "name of {} bytes without an end",
            value.len()
        )));
    };
    // Before 9.1.4 a cast from text cut the last character in two (varlena.c: text_name).
    let cut = value.len().saturating_sub(1) == name.len();
    match encoding.fault_at(name) {
        Some(at) if !(cut && at.saturating_add(4) > name.len()) => encoding.judge(name),
        _ => Ok(()),
    }
}

/// `NBASE`
const NBASE: u16 = 10_000;

fn numeric(value: &[u8], layout: &Layout) -> Judged {
    let len = value.len();
    let Some(header) = u16_at(value, 0) else {
        return Err(Fault::new(format!(
            "numeric of {len} bytes is shorter than its header"
        )));
    };
    let digits = match header & 0xC000 {
        0xC000 => {
            // NaN; from 14 on also both infinities.
            let infinity = layout.since(Major::V14) && matches!(header, 0xD000 | 0xF000);
            demand!(
                header == 0xC000 || infinity,
                "numeric has unknown header {header:#06x}"
            );
            // Up to 9.0 NaN had a weight.
            demand!(
                len == 2 || len == 4,
                "numeric without digits has {len} bytes"
            );
            return Ok(());
        }
        0x8000 => {
            let known = layout.since(Major::V9_1);
            demand!(known, "numeric has unknown header {header:#06x}");
            value.get(2..)
        }
        _ => value.get(4..),
    };
    let Some(digits) = digits else {
        return Err(Fault::new(format!(
            "numeric of {len} bytes is shorter than its header"
        )));
    };
    let (digits, rest) = digits.as_chunks::<2>();
    demand!(
        rest.is_empty(),
        "numeric of {len} bytes ends within a digit"
    );
    for digit in digits {
        let digit = u16::from_le_bytes(*digit);
        demand!(
            digit < NBASE,
            "numeric has digit {digit}, expected less than {NBASE}"
        );
    }
    Ok(())
}

/// Days from 4714-11-24 BC, the first of Julian days, to 2000-01-01 (`POSTGRES_EPOCH_JDATE`).
const POSTGRES_EPOCH_JDATE: i32 = 2_451_545;
/// `DATE_END_JULIAN - POSTGRES_EPOCH_JDATE`
const DATE_END: i32 = 2_147_483_494 - POSTGRES_EPOCH_JDATE;
const USECS_PER_DAY: i64 = 86_400_000_000;
const USECS_PER_SEC: i64 = 1_000_000;
const USECS_PER_HOUR: i64 = 3_600_000_000;

fn i64_at(value: &[u8], at: usize) -> i64 {
    u64_at(value, at).unwrap_or(0).cast_signed()
}

fn date(value: &[u8]) -> Judged {
    let days = u32_at(value, 0).unwrap_or(0).cast_signed();
    let is_infinite = days == i32::MIN || days == i32::MAX;
    let is_valid = (-POSTGRES_EPOCH_JDATE..DATE_END).contains(&days);
    demand!(
        is_infinite || is_valid,
        "date is {days} days from 2000-01-01, which is out of range"
    );
    Ok(())
}

/// Also of `timetz`: its zone may be anything.
fn time(value: &[u8], layout: &Layout) -> Judged {
    if !layout.integer_datetimes {
        return Ok(());
    }
    let time = i64_at(value, 0);
    // Once 23:59:60.999999 was taken.
    let is_valid = (0..=USECS_PER_DAY.saturating_add(USECS_PER_SEC)).contains(&time);
    demand!(
        is_valid,
        "time is {time} microseconds, which is out of range"
    );
    Ok(())
}

fn timestamp(value: &[u8], layout: &Layout) -> Judged {
    if !layout.integer_datetimes {
        return Ok(());
    }
    let time = i64_at(value, 0);
    let days = time.div_euclid(USECS_PER_DAY);
    // The function takes the latest there are.
    if time == i64::MIN || days >= i64::from(POSTGRES_EPOCH_JDATE).saturating_neg() {
        return Ok(());
    }
    let what = format!("timestamp is {time} microseconds from 2000-01-01, before 4714-11-24 BC");
    Err(Fault::new(what).error("timestamp out of range"))
}

/// Any bits are an interval, but up to 14 not all can be printed: hours were an `int`.
fn interval(value: &[u8], layout: &Layout) -> Judged {
    let since = |major| layout.since(major);
    let hours = i64_at(value, 0).checked_div(USECS_PER_HOUR).unwrap_or(0);
    // Only the sign was compared.
    let wraps = hours.is_negative() != (hours & 1 << 31 != 0);
    if !wraps || !since(Major::V10) || since(Major::V15) {
        return Ok(());
    }
    let what = format!("interval of {hours} hours is out of range");
    Err(Fault::new(what).error("interval out of range"))
}

fn inet(value: &[u8]) -> Judged {
    let [family, bits, address @ ..] = value else {
        let what = format!(
            "inet value of {} bytes is shorter than its header",
            value.len()
        );
        return Err(Fault::new(what));
    };
    // PGSQL_AF_INET and PGSQL_AF_INET6
    let size = match family {
        2 => 4_u8,
        3 => 16,
        _ => {
            let fault = Fault::new(format!("inet value has unknown address family {family}"));
            // Linux has a family of this number (inet_net_ntop.c).
            if *family == 10 {
                return Err(fault);
            }
            return Err(fault
                .error("could not format inet value: Address family not supported by protocol"));
        }
    };
    let max = size.saturating_mul(8);
    if *bits > max {
        let fault = Fault::new(format!(
            "inet value has {bits} bits, expected at most {max}"
        ));
        return Err(fault.error("could not format inet value: Invalid argument"));
    }
    let len = address.len();
    demand!(
        len == usize::from(size),
        "inet value has an address of {len} bytes, expected {size}"
    );
    Ok(())
}

/// `MaxAllocSize`
const MAX_ALLOC_SIZE: i64 = 0x3FFF_FFFF;

fn bit(value: &[u8], layout: &Layout) -> Judged {
    let Some(bits) = u32_at(value, 0).map(u32::cast_signed) else {
        let what = format!(
            "bit string of {} bytes is shorter than its header",
            value.len()
        );
        return Err(Fault::new(what));
    };
    let bytes = value.len().saturating_sub(4);
    let needs = u32::try_from(bits).map(|bits| bits.div_ceil(8));
    if needs.is_ok_and(|needs| usize::try_from(needs) == Ok(bytes)) {
        return Ok(());
    }
    let fault = Fault::new(format!("bit string of {bits} bits has {bytes} bytes"));
    // One byte more than there are bits.
    let size = i64::from(bits.wrapping_add(1));
    if layout.since(Major::V19) || (0..=MAX_ALLOC_SIZE).contains(&size) {
        return Err(fault);
    }
    let size = size.cast_unsigned();
    Err(fault.error(format!("invalid memory alloc request size {size}")))
}

/// A path or polygon: their number comes first, `before` are the bytes before them.
fn points(value: &[u8], what: &str, before: usize) -> Judged {
    let len = value.len();
    let npts = u32_at(value, 0).and_then(|npts| usize::try_from(npts).ok());
    let needs = npts.map(|npts| npts.saturating_mul(16).saturating_add(before));
    let npts = npts.unwrap_or(0);
    demand!(
        needs == Some(len),
        "{what} of {npts} points has {len} bytes"
    );
    Ok(())
}

fn tsvector(value: &[u8], encoding: Encoding) -> Judged {
    let len = value.len();
    let (entries, lexemes) = items(value, "tsvector", 4)?;
    for entry in entries.as_chunks::<4>().0 {
        let entry = u32::from_le_bytes(*entry);
        let start = usize::try_from(entry >> 12).unwrap_or(usize::MAX);
        let size = usize::try_from(entry >> 1 & 0x7FF).unwrap_or(0);
        let end = start.saturating_add(size);
        let Some(lexeme) = lexemes.get(start..end) else {
            let what = format!("tsvector of {len} bytes has a lexeme of {size} at {start}");
            return Err(Fault::new(what));
        };
        encoding.judge(lexeme)?;
        if entry & 1 == 1 {
            let at = end.saturating_add(end & 1);
            let npos = u16_at(lexemes, at).map(|npos| usize::from(npos).saturating_mul(2));
            let end = npos.map(|size| at.saturating_add(2).saturating_add(size));
            let is_there = end.is_some_and(|end| end <= lexemes.len());
            demand!(
                is_there,
                "tsvector of {len} bytes has positions that end behind it"
            );
        }
    }
    Ok(())
}

/// Bytes of a `QueryItem`.
const QUERY_ITEM_SIZE: usize = 12;

fn tsquery(value: &[u8], encoding: Encoding) -> Judged {
    let len = value.len();
    let (items, operands) = items(value, "tsquery", QUERY_ITEM_SIZE)?;
    let (items, _) = items.as_chunks::<QUERY_ITEM_SIZE>();
    for (at, item) in items.iter().enumerate() {
        match item.first() {
            // QI_VAL
            Some(1) => {
                let place = u32_at(item, 8).unwrap_or(0);
                let start = usize::try_from(place >> 12).unwrap_or(usize::MAX);
                let end = start.saturating_add(usize::try_from(place & 0xFFF).unwrap_or(0));
                let Some(operand) = operands.get(start..end) else {
                    let what = format!("tsquery of {len} bytes has an operand that ends behind it");
                    return Err(Fault::new(what));
                };
                encoding.judge(operand)?;
            }
            // QI_OPR; the left operand of NOT is nothing.
            Some(2) => {
                let left = u32_at(item, 4).and_then(|left| usize::try_from(left).ok());
                let left = at.saturating_add(left.unwrap_or(0));
                let is_there = item.get(1) == Some(&1) || left < items.len();
                demand!(
                    is_there,
                    "tsquery of {} items refers to item {left}",
                    items.len()
                );
            }
            other => {
                let other = other.copied().unwrap_or(0);
                return Err(Fault::new(format!(
                    "tsquery has an item of unknown type {other}"
                )));
            }
        }
    }
    Ok(())
}

/// Divides a value into the items that it begins with, after their number, and the rest.
fn items<'v>(value: &'v [u8], what: &str, size: usize) -> Result<(&'v [u8], &'v [u8]), Fault> {
    let len = value.len();
    let number = u32_at(value, 0).map(u32::cast_signed);
    let bytes = number.and_then(|number| usize::try_from(number).ok()?.checked_mul(size));
    let divided = bytes.and_then(|bytes| value.get(4..)?.split_at_checked(bytes));
    divided.ok_or_else(|| {
        let number = number.unwrap_or(0);
        Fault::new(format!("{what} of {number} items has {len} bytes"))
    })
}

fn range(value: &[u8], oid: Oid, bound: Bound, layout: &Layout) -> Judged {
    let len = value.len();
    let [_, _, _, _, bounds @ .., flags] = value else {
        return Err(Fault::new(format!(
            "range of {len} bytes is shorter than its header"
        )));
    };
    let found = u32_at(value, 0).unwrap_or(0);
    if found != oid {
        let fault = Fault::new(format!("range is of type {found}, expected {oid}"));
        return Err(match found {
            0 if layout.since(Major::V10) => fault.error("type with OID 0 does not exist"),
            _ => fault,
        });
    }
    let Some(off) = bounds_end(bounds, 0, *flags, bound, layout)? else {
        return Err(Fault::new(format!(
            "range of {len} bytes has a bound that ends behind it"
        )));
    };
    let end = off.saturating_add(5);
    demand!(
        end == len,
        "range of {len} bytes has bounds that end at {end}"
    );
    Ok(())
}

impl Bound {
    /// `typlen`; `None` for a varlena.
    const fn size(self) -> Option<usize> {
        match self {
            Self::Int4 | Self::Date => Some(4),
            Self::Int8 | Self::Timestamp => Some(8),
            Self::Numeric => None,
        }
    }

    /// `typalign` in bytes.
    const fn align(self) -> usize {
        match self {
            Self::Int4 | Self::Date | Self::Numeric => 4,
            Self::Int8 | Self::Timestamp => 8,
        }
    }
}

/// Where the bounds of a range end that begin at `off`; `None` when that is not among these
/// bytes.
fn bounds_end(
    bounds: &[u8],
    off: usize,
    flags: u8,
    bound: Bound,
    layout: &Layout,
) -> Result<Option<usize>, Fault> {
    // RANGE_EMPTY, RANGE_LB_INF, RANGE_UB_INF, RANGE_LB_NULL, RANGE_UB_NULL
    let has = |flag: u8| flags & flag != 0;
    let finite = [!has(0x01 | 0x08 | 0x20), !has(0x01 | 0x10 | 0x40)];
    let mut off = off;
    for _ in finite.iter().filter(|finite| **finite) {
        // A bound with a header of one byte is not aligned.
        let is_short = bound.size().is_none() && bounds.get(off).is_some_and(|byte| *byte != 0);
        if !is_short {
            off = aligned(off, bound.align());
        }
        let found = match bound.size() {
            Some(size) => {
                let end = off.saturating_add(size);
                bounds.get(off..end).map(|bytes| (bytes, end))
            }
            None => varlena(bounds, off),
        };
        let Some((bytes, end)) = found else {
            return Ok(None);
        };
        match bound {
            Bound::Numeric => numeric(bytes, layout)?,
            Bound::Timestamp => timestamp(bytes, layout)?,
            // Up to 13 the day after -infinity was a bound (rangetypes.c: daterange_canonical).
            Bound::Date | Bound::Int4 | Bound::Int8 => {}
        }
        off = end;
    }
    Ok(Some(off))
}

/// As `multirangetypes.c: multirange_get_range` takes it apart.
fn multirange(value: &[u8], oid: Oid, bound: Bound, layout: &Layout) -> Judged {
    /// Of the places that are told, every fourth is counted from the first bound, those between
    /// from the one before (`MULTIRANGE_ITEM_OFF_BIT`).
    const OFF_BIT: u32 = 0x8000_0000;
    let len = value.len();
    let (Some(found), Some(count)) = (u32_at(value, 0), u32_at(value, 4)) else {
        return Err(Fault::new(format!(
            "multirange of {len} bytes is shorter than its header"
        )));
    };
    if found != oid {
        let fault = Fault::new(format!("multirange is of type {found}, expected {oid}"));
        return Err(match found {
            0 => fault.error("type with OID 0 does not exist"),
            _ => fault,
        });
    }
    // Places count from a varlena header of 4 bytes, which is not among these.
    let ranges = usize::try_from(count).unwrap_or(usize::MAX);
    let items = 8_usize;
    let flags = ranges
        .saturating_sub(1)
        .saturating_mul(4)
        .saturating_add(items);
    let flags_end = flags.saturating_add(ranges);
    let start = aligned(flags_end.saturating_add(4), bound.align()).saturating_sub(4);
    let Some(bounds) = value.get(start..) else {
        let what = format!("multirange of {count} ranges has {len} bytes");
        return Err(too_many_ranges(Fault::new(what), count, layout));
    };
    let (mut off, mut end) = (0_usize, 0_usize);
    for n in 0..ranges {
        if let Some(item) = n.checked_sub(1) {
            let item = u32_at(value, item.saturating_mul(4).saturating_add(items)).unwrap_or(0);
            let told = usize::try_from(item & !OFF_BIT).unwrap_or(usize::MAX);
            off = if item & OFF_BIT == 0 {
                off.saturating_add(told)
            } else {
                told
            };
            demand!(
                off == end,
                "multirange of {count} ranges has range {n} at {off}, behind one that ends at {end}"
            );
        }
        let flags = value.get(flags.saturating_add(n)).copied().unwrap_or(0);
        let Some(bounds_end) = bounds_end(bounds, off, flags, bound, layout)? else {
            return Err(Fault::new(format!(
                "multirange of {len} bytes has a bound that ends behind it"
            )));
        };
        end = aligned(bounds_end, bound.align());
    }
    demand!(
        end == bounds.len(),
        "multirange of {len} bytes has bounds that end at {}",
        start.saturating_add(end)
    );
    Ok(())
}

/// A pointer of 8 bytes for each; a number below 0 is taken for none at all.
fn too_many_ranges(fault: Fault, count: u32, layout: &Layout) -> Fault {
    let size = i64::from(count).saturating_mul(8);
    if layout.since(Major::V19) || size <= MAX_ALLOC_SIZE || count.cast_signed() < 0 {
        return fault;
    }
    fault.error(format!("invalid memory alloc request size {size}"))
}

/// The next multiple of a power of two.
fn aligned(off: usize, align: usize) -> usize {
    let mask = align.saturating_sub(1);
    off.saturating_add(mask) & !mask
}

/// A varlena within a value, without its header, and where it ends. Within a value none is
/// compressed or out of line.
fn varlena(value: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let first = *value.get(at)?;
    let (header, len) = match first & 3 {
        0 => (4_usize, usize::try_from(u32_at(value, at)? >> 2).ok()?),
        2 => return None,
        _ => (1, usize::from(first >> 1)),
    };
    let end = at.saturating_add(len);
    Some((value.get(at.saturating_add(header)..end)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::catalog::PgAttribute;
    use crate::format::version::{VERSIONS, Version};
    use proptest::prelude::*;

    fn layout(major: Major) -> Layout {
        Layout::usual(Version::of(major).unwrap())
    }

    fn value_type(oid: Oid, encoding: Encoding) -> ValueType {
        let known = TYPES.iter().find(|known| known.oid == oid);
        ValueType::of(oid, known.map_or(-1, |known| known.len), encoding).unwrap()
    }

    /// What is said of a value in a UTF8 database of a major; nothing when it may be one.
    fn of_major(major: Major, oid: Oid, value: &[u8]) -> String {
        match value_type(oid, Encoding::Utf8).judge(value, &layout(major)) {
            Ok(()) => String::new(),
            Err(Fault { what, server_error }) => match server_error {
                None => what,
                Some(error) => format!("{what} | {error}"),
            },
        }
    }

    fn why(oid: Oid, value: &[u8]) -> String {
        of_major(Major::V15, oid, value)
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn halves(halves: &[u16]) -> Vec<u8> {
        halves.iter().flat_map(|half| half.to_le_bytes()).collect()
    }

    const BOOL: Oid = 16;
    const NAME: Oid = 19;
    const TEXT: Oid = 25;
    const POLYGON: Oid = 604;
    const INET: Oid = 869;
    const INT4_ARRAY: Oid = 1007;
    const TEXT_ARRAY: Oid = 1009;
    const DATE: Oid = 1082;
    const TIME: Oid = 1083;
    const TIMESTAMP: Oid = 1114;
    const TIMESTAMP_ARRAY: Oid = 1115;
    const INTERVAL: Oid = 1186;
    const VARBIT: Oid = 1562;
    const NUMERIC: Oid = 1700;
    const TSVECTOR: Oid = 3614;
    const TSQUERY: Oid = 3615;
    const JSONB: Oid = 3802;
    const INT4RANGE: Oid = 3904;
    const NUMRANGE: Oid = 3906;
    const JSONPATH: Oid = 4072;
    const INT4MULTIRANGE: Oid = 4451;
    const NUMMULTIRANGE: Oid = 4532;
    const TSMULTIRANGE: Oid = 4533;

    #[test]
    fn types_that_are_looked_at() {
        let of = |oid, len| ValueType::of(oid, len, Encoding::Utf8).map(|found| found.kind);
        assert_eq!(of(TEXT, -1), Some(Kind::Text));
        assert_eq!(of(BOOL, 1), Some(Kind::Bool));
        // Any bytes, and what is no built-in type.
        assert_eq!((of(23, 4), of(17, -1), of(16_400, -1)), (None, None, None));
        // A catalog that contradicts itself.
        assert_eq!(
            (of(TEXT, 4), of(BOOL, -1), of(INT4_ARRAY, 4)),
            (None, None, None)
        );
        for (at, known) in TYPES.iter().enumerate() {
            assert_eq!(
                of(known.oid, known.len),
                known.kind.clone(),
                "{}",
                known.oid
            );
            let array = Kind::Array(u8::try_from(at).unwrap());
            assert_eq!(of(known.array, -1), Some(array), "{}", known.array);
        }
    }

    #[test]
    fn texts() {
        assert_eq!(why(TEXT, "žluťoučký kůň 東京 🐘".as_bytes()), "");
        assert_eq!(why(TEXT, b""), "");
        assert_eq!(
            why(TEXT, b"abc\xE6\x9D"),
            "invalid byte sequence for encoding \"UTF8\": 0xe6 0x9d at byte 3 of 5"
        );
        // An overlong slash, a surrogate, what is behind U+10FFFF, a lone continuation.
        for (text, bytes) in [
            (&b"12345678\xC0\xAF"[..], "0xc0 0xaf"),
            (b"12345678\xED\xA0\x80", "0xed 0xa0 0x80"),
            (b"12345678\xF4\x90\x80\x80", "0xf4 0x90 0x80 0x80"),
            (b"12345678\x80abc", "0x80"),
            (b"12345678\xE6abc", "0xe6 0x61 0x62"),
        ] {
            let said = format!("invalid byte sequence for encoding \"UTF8\": {bytes} at byte 8");
            assert!(why(TEXT, text).starts_with(&said), "{}", why(TEXT, text));
        }
        assert_eq!(why(TEXT, b"ab\0c"), "text has a zero byte at byte 2 of 4");
        assert_eq!(
            why(TEXT, "東\0\u{80}".as_bytes()),
            "text has a zero byte at byte 3 of 6"
        );
        assert_eq!(
            why(TEXT, b"12345678901\0"),
            "text has a zero byte at byte 11 of 12"
        );
    }

    #[test]
    fn texts_of_other_encodings() {
        let at = |encoding: Encoding, text: &[u8]| encoding.fault_at(text);
        for number in -1..50 {
            let encoding = Encoding::from_number(number);
            assert_eq!(at(encoding, b"plain text, 0123456789"), None);
            assert_eq!(at(encoding, b"123456789\0"), Some(9));
            let any = at(encoding, b"\xFF\xFE\x80").is_none();
            assert_eq!(any, !(1..=6).contains(&number), "{number}");
        }
        let jp = [Encoding::EucJp, Encoding::EucJis2004];
        for encoding in jp {
            assert_eq!(
                at(encoding, b"a\xC5\xEC\xB5\xFE\x8E\xB1\x8F\xB0\xA1z"),
                None
            );
            assert_eq!(at(encoding, b"a\x8E\xE0"), Some(1));
            assert_eq!(at(encoding, b"a\x8F\xB0"), Some(1));
            assert_eq!(at(encoding, b"a\xC5\x7F"), Some(1));
            assert_eq!(at(encoding, b"\xC5\xEC\xC5"), Some(2));
        }
        for encoding in [Encoding::EucCn, Encoding::EucKr] {
            assert_eq!(at(encoding, b"\xB0\xA1\xFE\xFE"), None);
            assert_eq!(at(encoding, b"\x8E\xA1"), Some(0));
        }
        assert_eq!(at(Encoding::EucTw, b"\x8E\xA7\xA1\xFE\x80\xA1"), None);
        assert_eq!(at(Encoding::EucTw, b"\x8E\xA8\xA1\xFE"), Some(0));
        assert_eq!(at(Encoding::EucTw, b"\x8F\xA1\xA1"), Some(0));
        let said = |encoding: Encoding, text: &[u8]| encoding.judge(text).unwrap_err().what;
        assert_eq!(
            said(Encoding::EucJp, b"a\x8F\xB0\x20b"),
            "invalid byte sequence for encoding \"EUC_JP\": 0x8f 0xb0 0x20 at byte 1 of 5"
        );
        assert_eq!(
            said(Encoding::EucTw, b"\x8E\xA8\xA1\xFE"),
            "invalid byte sequence for encoding \"EUC_TW\": 0x8e 0xa8 0xa1 0xfe at byte 0 of 4"
        );
        assert_eq!(
            said(Encoding::EucCn, b"\x8F"),
            "invalid byte sequence for encoding \"EUC_CN\": 0x8f at byte 0 of 1"
        );
    }

    #[test]
    fn names() {
        let name = |text: &[u8]| [text, &[0; 64]].concat()[..64].to_vec();
        assert_eq!(why(NAME, &name(b"pg_class")), "");
        assert_eq!(why(NAME, &name(b"")), "");
        assert_eq!(why(NAME, &[b'x'; 64]), "name of 64 bytes without an end");
        assert_eq!(
            why(NAME, &name(b"caf\xE9")),
            "invalid byte sequence for encoding \"UTF8\": 0xe9 at byte 3 of 4"
        );
        // Cut after 63 bytes, within a character.
        let cut = [&[b'x'; 61][..], b"\xE6\x9D"].concat();
        assert_eq!(why(NAME, &name(&cut)), "");
        assert_ne!(why(NAME, &name(&cut[1..])), "");
    }

    #[test]
    fn numbers() {
        let numeric = |value: &[u16]| why(NUMERIC, &halves(value));
        // 0, 12345.6789 in both forms, NaN, NaN of 9.0, both infinities.
        assert_eq!(numeric(&[0x8000]), "");
        assert_eq!(numeric(&[0x8201, 1, 2345, 6789]), "");
        assert_eq!(numeric(&[0x4004, 1, 1, 2345, 6789]), "");
        for special in [&[0xC000][..], &[0xC000, 0], &[0xD000], &[0xF000]] {
            assert_eq!(numeric(special), "");
        }
        assert_eq!(numeric(&[0x8000, 0, 0]), "", "digits that nobody needs");
        assert_eq!(
            numeric(&[0x8000, 10_000]),
            "numeric has digit 10000, expected less than 10000"
        );
        assert_eq!(
            numeric(&[0x8000, 0xFFFF]),
            "numeric has digit 65535, expected less than 10000"
        );
        assert_eq!(numeric(&[0xE000]), "numeric has unknown header 0xe000");
        assert_eq!(numeric(&[0xC001]), "numeric has unknown header 0xc001");
        assert_eq!(
            numeric(&[0xD000, 1, 1]),
            "numeric without digits has 6 bytes"
        );
        assert_eq!(
            numeric(&[0x0004]),
            "numeric of 2 bytes is shorter than its header"
        );
        assert_eq!(
            why(NUMERIC, &[0]),
            "numeric of 1 bytes is shorter than its header"
        );
        assert_eq!(
            why(NUMERIC, &[0, 0x80, 1]),
            "numeric of 3 bytes ends within a digit"
        );
        // Infinities came with 14, short headers with 9.1.
        let infinity = halves(&[0xD000]);
        assert_eq!(
            of_major(Major::V13, NUMERIC, &infinity),
            "numeric has unknown header 0xd000"
        );
        let short = halves(&[0x8000, 1]);
        assert_eq!(of_major(Major::V9_1, NUMERIC, &short), "");
        assert_ne!(of_major(Major::V9_0, NUMERIC, &short), "");
        assert_eq!(
            (why(BOOL, &[1]), why(BOOL, &[2])),
            (String::new(), "boolean is 2".into())
        );
    }

    #[test]
    fn times() {
        let timestamp = |time: i64| why(TIMESTAMP, &time.to_le_bytes());
        let first = -211_813_488_000_000_000;
        for sound in [0, first, i64::MIN, i64::MAX, i64::MAX - 1] {
            assert_eq!(timestamp(sound), "");
        }
        for early in [first - 1, i64::MIN + 1] {
            assert_eq!(
                timestamp(early),
                format!(
                    "timestamp is {early} microseconds from 2000-01-01, before 4714-11-24 BC | \
                     timestamp out of range"
                )
            );
        }
        let time = |time: i64| why(TIME, &time.to_le_bytes());
        assert_eq!(
            (time(0), time(86_401_000_000)),
            (String::new(), String::new())
        );
        assert_eq!(time(-1), "time is -1 microseconds, which is out of range");
        assert_ne!(time(86_401_000_001), "");
        let date = |days: i32| why(DATE, &days.to_le_bytes());
        for sound in [0, i32::MIN, i32::MAX, -2_451_545, 2_145_031_948] {
            assert_eq!(date(sound), "");
        }
        for wrong in [i32::MIN + 1, -2_451_546, 2_145_031_949] {
            let said = format!("date is {wrong} days from 2000-01-01, which is out of range");
            assert_eq!(date(wrong), said);
        }
        let interval = |major, hours: i64| {
            let time = (hours * USECS_PER_HOUR).to_le_bytes();
            of_major(major, INTERVAL, &[&time[..], &[0; 8]].concat())
        };
        assert_eq!(interval(Major::V14, 0x7FFF_FFFF), "");
        assert_eq!(interval(Major::V14, -0x8000_0000), "");
        assert_eq!(
            interval(Major::V14, 0x8000_0000),
            "interval of 2147483648 hours is out of range | interval out of range"
        );
        assert_ne!(interval(Major::V10, -0x8000_0001), "");
        assert_eq!(interval(Major::V15, 0x8000_0000), "");
        assert_eq!(interval(Major::V9_6, 0x8000_0000), "");
        // Seconds in floating point.
        let float = Layout {
            integer_datetimes: false,
            ..layout(Major::V9_6)
        };
        for oid in [TIMESTAMP, TIME, INTERVAL] {
            let judged = value_type(oid, Encoding::Utf8).judge(&[0xFE; 16], &float);
            assert_eq!(judged, Ok(()));
        }
    }

    #[test]
    fn addresses_bits_and_shapes() {
        assert_eq!(why(INET, &[2, 24, 192, 168, 0, 1]), "");
        assert_eq!(why(INET, &[&[3, 128][..], &[0; 16]].concat()), "");
        let error = "could not format inet value: ";
        assert_eq!(
            why(INET, &[7, 24, 192, 168, 0, 1]),
            format!(
                "inet value has unknown address family 7 | \
                 {error}Address family not supported by protocol"
            )
        );
        assert_eq!(
            why(INET, &[2, 33, 192, 168, 0, 1]),
            format!("inet value has 33 bits, expected at most 32 | {error}Invalid argument")
        );
        assert_eq!(
            why(INET, &[10, 1, 1]),
            "inet value has unknown address family 10"
        );
        assert_eq!(
            why(INET, &[3, 24, 192, 168, 0, 1]),
            "inet value has an address of 4 bytes, expected 16"
        );
        assert_eq!(
            why(INET, &[2]),
            "inet value of 1 bytes is shorter than its header"
        );
        let varbit = |bits: u32| why(VARBIT, &[&words(&[bits])[..], &[0xFF, 0xE0]].concat());
        assert_eq!((varbit(9), varbit(16)), (String::new(), String::new()));
        assert_eq!(varbit(17), "bit string of 17 bits has 2 bytes");
        assert_eq!(varbit(8), "bit string of 8 bits has 2 bytes");
        assert_eq!(varbit(u32::MAX), "bit string of -1 bits has 2 bytes");
        assert_eq!(
            varbit(0x3FFF_FFFF),
            "bit string of 1073741823 bits has 2 bytes | \
             invalid memory alloc request size 1073741824"
        );
        assert_eq!(
            varbit(0x8000_0000),
            "bit string of -2147483648 bits has 2 bytes | \
             invalid memory alloc request size 18446744071562067969"
        );
        assert_eq!(
            why(VARBIT, &[0]),
            "bit string of 1 bytes is shorter than its header"
        );
        let polygon = |npts: u32| why(POLYGON, &[&words(&[npts])[..], &[0; 64]].concat());
        assert_eq!(polygon(2), "");
        assert_eq!(polygon(3), "polygon of 3 points has 68 bytes");
    }

    #[test]
    fn ranges() {
        let range = |flags: u8, bounds: &[u32]| {
            let bounds = words(bounds);
            why(
                INT4RANGE,
                &[&words(&[INT4RANGE])[..], &bounds, &[flags]].concat(),
            )
        };
        assert_eq!(range(0x02, &[1, 5]), "");
        assert_eq!(range(0x01, &[]), "");
        assert_eq!(range(0x08, &[5]), "");
        assert_eq!(range(0x18, &[]), "");
        assert_eq!(
            range(0x00, &[5]),
            "range of 9 bytes has a bound that ends behind it"
        );
        assert_eq!(
            range(0x01, &[5]),
            "range of 9 bytes has bounds that end at 5"
        );
        assert_eq!(
            why(INT4RANGE, &[0; 4]),
            "range of 4 bytes is shorter than its header"
        );
        assert_eq!(
            why(INT4RANGE, &[0, 0, 0, 0, 1]),
            "range is of type 0, expected 3904 | type with OID 0 does not exist"
        );
        // Bounds with headers of one byte and of four.
        let bounds = [&[7, 0, 0x80, 1, 0, 0, 0, 0][..4], &halves(&[0x8000])].concat();
        let value = [
            &words(&[NUMRANGE])[..],
            &bounds[..3],
            &[7, 0, 0x80, 0x10, 0x27, 0],
        ]
        .concat();
        assert_ne!(why(NUMRANGE, &value), "");
        let number = [11, 0, 0x80, 1, 0];
        let value = [&words(&[NUMRANGE])[..], &number, &number, &[2]].concat();
        assert_eq!(why(NUMRANGE, &value), "");
        let long = [&words(&[10 << 2])[..], &halves(&[0x8000, 1, 0])].concat();
        let value = [&words(&[NUMRANGE])[..], &number, &[0; 3], &long, &[2]].concat();
        assert_eq!(why(NUMRANGE, &value), "");
        let wrong = [11, 0, 0x80, 0x10, 0x27];
        let value = [&words(&[NUMRANGE])[..], &number, &wrong, &[2]].concat();
        assert_eq!(
            why(NUMRANGE, &value),
            "numeric has digit 10000, expected less than 10000"
        );
    }

    /// `{[1,2),[5,9),[20,30),[40,50),[60,)}`: the last range's place counts from the first.
    fn int4multirange() -> Vec<u8> {
        let head = words(&[INT4MULTIRANGE, 5, 8, 8, 8, 0x8000_0000 | 32]);
        let flags = [2, 2, 2, 2, 0x12, 0, 0, 0];
        let bounds = words(&[1, 2, 5, 9, 20, 30, 40, 50, 60]);
        [&head[..], &flags, &bounds].concat()
    }

    #[test]
    fn multiranges() {
        assert_eq!(why(INT4MULTIRANGE, &int4multirange()), "");
        let empty = |oid: Oid| why(oid, &words(&[oid, 0]));
        assert_eq!(empty(INT4MULTIRANGE), "");
        let with = |at: usize, byte: u8| {
            let mut value = int4multirange();
            value[at] = byte;
            why(INT4MULTIRANGE, &value)
        };
        assert_eq!(with(0, 0x64), "multirange is of type 4452, expected 4451");
        let none = words(&[0, 0]);
        assert_eq!(
            why(INT4MULTIRANGE, &none),
            "multirange is of type 0, expected 4451 | type with OID 0 does not exist"
        );
        assert_eq!(
            with(8, 4),
            "multirange of 5 ranges has range 1 at 4, behind one that ends at 8"
        );
        assert_eq!(
            with(20, 28),
            "multirange of 5 ranges has range 4 at 28, behind one that ends at 32"
        );
        // The last range has an upper bound, or no bounds at all.
        assert_eq!(
            with(28, 2),
            "multirange of 68 bytes has a bound that ends behind it"
        );
        assert_eq!(
            with(28, 0x18),
            "multirange of 68 bytes has bounds that end at 64"
        );
        assert_eq!(with(24, 0x0A).split(',').count(), 2);
        assert_eq!(
            with(7, 0x10),
            "multirange of 268435461 ranges has 68 bytes | \
             invalid memory alloc request size 2147483688"
        );
        assert_eq!(
            with(7, 0x80),
            "multirange of 2147483653 ranges has 68 bytes"
        );
        assert_eq!(with(5, 1), "multirange of 261 ranges has 68 bytes");
        assert_eq!(
            why(INT4MULTIRANGE, &[0; 7]),
            "multirange of 7 bytes is shorter than its header"
        );
        // Aligned to 8 bytes from the header that is not there: two timestamps, then none.
        let early = (i64::MIN + 1).to_le_bytes();
        let head = words(&[TSMULTIRANGE, 1]);
        let times = |early: &[u8]| {
            let value = [&head[..], &[0x02, 0, 0, 0], &[0; 8], early].concat();
            why(TSMULTIRANGE, &value)
        };
        assert_eq!(times(&[0; 8]), "");
        assert!(times(&early).ends_with("| timestamp out of range"));
        // A number with a header of one byte, then padding.
        let number = [11, 0, 0x80, 1, 0];
        let head = words(&[NUMMULTIRANGE, 1]);
        let value = [&head[..], &[0x10, 0, 0, 0], &number, &[0; 3]].concat();
        assert_eq!(why(NUMMULTIRANGE, &value), "");
        assert_eq!(
            why(NUMMULTIRANGE, &value[..17]),
            "multirange of 17 bytes has bounds that end at 20"
        );
    }

    /// `$.a[1] ? (@ like_regex "x")`
    fn path() -> Vec<u8> {
        let mut value = words(&[0x8000_0001]);
        let mut put = |kind: u8, words_behind: &[u32], rest: &[u8]| {
            value.push(kind);
            value.resize(value.len().next_multiple_of(4), 0);
            value.extend(words(words_behind));
            value.extend(rest);
        };
        // Behind the key there are 2 bytes, behind the pattern as many.
        put(27, &[8], b"");
        put(25, &[14, 1], b"a\0");
        put(23, &[34, 1, 18, 0], b"");
        // It begins in the middle of a word.
        put(
            2,
            &[0],
            &[&words(&[8 << 2])[..], &halves(&[0x8000, 1])].concat(),
        );
        put(29, &[0, 12], b"");
        put(42, &[0, 0, 22, 1], b"x\0");
        put(26, &[0], b"");
        value
    }

    #[test]
    fn paths() {
        assert_eq!(why(JSONPATH, &path()), "");
        let with = |at: usize, byte: u8| {
            let mut value = path();
            value[at] = byte;
            why(JSONPATH, &value)
        };
        assert_eq!(with(0, 2), "jsonpath has version 2, expected 1");
        assert_eq!(
            with(4, 99),
            "jsonpath has an item of unknown type 99 | unrecognized jsonpath item type: 99"
        );
        let of_later = |major: Major, kind: u8| {
            let mut value = path();
            value[4] = kind;
            of_major(major, JSONPATH, &value)
        };
        let since = [(43, Major::V16, Major::V17), (55, Major::V18, Major::V19)];
        for (kind, before, first) in since {
            assert_ne!(of_later(before, kind), "");
            assert_eq!(of_later(first, kind), "");
        }
        assert_ne!(of_later(Major::V19, 62), "");
        // What 12 wrote is not what later ones mean by it.
        let of_12 = |like_regex: u8| {
            let mut value = path();
            value[72] = like_regex;
            of_major(Major::V12, JSONPATH, &value)
        };
        assert_eq!((of_12(41), with(72, 41)), (String::new(), String::new()));
        assert!(of_12(42).ends_with("unrecognized jsonpath item type: 42"));
        let refers = |at: usize, distance: i64| {
            format!("jsonpath has an item at {at} that refers to {distance} bytes further on")
        };
        assert_eq!(with(8, 200), refers(4, 200));
        assert_eq!(with(11, 0x80), refers(4, -0x7FFF_FFF8));
        assert!(with(24, 0xE9).starts_with("invalid byte sequence"));
        let len = path().len();
        assert_eq!(
            with(21, 1),
            format!("jsonpath of {len} bytes has an item at 12 that ends behind it")
        );
        assert_eq!(
            why(JSONPATH, &[1, 0]),
            "jsonpath of 2 bytes is shorter than its header"
        );
        assert_ne!(why(JSONPATH, &words(&[1])), "", "no item at all");
        for end in 4..len - 7 {
            assert_ne!(why(JSONPATH, &path()[..end]), "", "{end}");
        }
        // A ladder, each rung of which refers to the next one twice.
        let mut ladder = words(&[1]);
        for _ in 0..60 {
            ladder.extend(words(&[4, 0, 16, 16]));
        }
        ladder.extend(words(&[27, 0]));
        assert_eq!(
            why(JSONPATH, &ladder),
            "jsonpath of 972 bytes has more items than there is room for"
        );
    }

    #[test]
    fn enums() {
        let labels = Labels::new(&[16_400, 16_402], [16_400, 16_402, 16_500].into());
        let labels = Arc::new(labels);
        let why = |value_type: &ValueType, value: &[u8]| {
            let judged = value_type.judge(value, &layout(Major::V15));
            judged.map_err(|fault| (fault.what, fault.server_error))
        };
        let single = ValueType::of_enum(Arc::clone(&labels));
        let of = |label: u32| why(&single, &label.to_le_bytes());
        assert_eq!((of(16_400), of(16_402)), (Ok(()), Ok(())));
        let (other, nowhere) = (of(16_500).unwrap_err(), of(16_401).unwrap_err());
        assert_eq!(other.0, "enum value 16500 is no label of its type");
        assert_eq!(other.1, None);
        let error = "invalid internal value for enum: 16401";
        assert_eq!(nowhere.1.as_deref(), Some(error));
        let array = ValueType::of_enum_array(16_390, labels);
        let of = |label: u32| why(&array, &words(&[1, 0, 16_390, 2, 1, 16_402, label]));
        assert_eq!(of(16_400), Ok(()));
        assert_eq!(of(16_401), Err(nowhere));
        let other = why(&array, &words(&[1, 0, 23, 1, 1, 16_400])).unwrap_err();
        assert_eq!(other.0, "array is of type 23, expected 16390");
    }

    #[test]
    fn composites() {
        let column = |attnum: i16, name: &str, oid: Oid, attlen: i16, attalign: u8| PgAttribute {
            attname: name.into(),
            atttypid: oid,
            attnum,
            attlen,
            attalign,
            ..PgAttribute::default()
        };
        let columns = [
            column(1, "n", 23, 4, b'i'),
            column(2, "body", TEXT, -1, b'i'),
            column(3, "at", TIMESTAMP, 8, b'd'),
        ];
        let types = columns
            .iter()
            .map(|column| ValueType::of(column.atttypid, column.attlen, Encoding::Utf8));
        let desc = TupleDesc::new(columns.iter()).unwrap().with_types(types);
        let desc = Arc::new(desc);
        let single = ValueType::of_composite(16_400, Arc::clone(&desc));
        let why = |value_type: &ValueType, value: &[u8]| {
            let judged = value_type.judge(value, &layout(Major::V15));
            judged.map_or_else(|fault| format!("{fault}"), |()| String::new())
        };
        // typmod, type, ctid, natts, infomask, hoff; 7 and 'ab', then a timestamp.
        let head = |natts: u16, infomask: u16, bitmap: u8| {
            let start = words(&[u32::MAX, 16_400, 0]);
            [&start[..], &halves(&[0, natts, infomask]), &[24, bitmap]].concat()
        };
        let data = b"\x07\0\0\0\x07ab\0TIMES..1";
        let value = [&head(3, 2, 0)[..], data].concat();
        assert_eq!(why(&single, &value), "");
        // Fewer columns than the type has now, and a null.
        let fewer = [&head(2, 2, 0)[..], &data[..7]].concat();
        assert_eq!(why(&single, &fewer), "");
        let null = [&head(2, 3, 2)[..], &data[4..7]].concat();
        assert_eq!(why(&single, &null), "");
        let with = |at: usize, byte: u8| {
            let mut value = value.clone();
            value[at] = byte;
            why(&single, &value)
        };
        assert_eq!(
            with(4, 0x11),
            "composite value is of type 16401, expected 16400"
        );
        assert_eq!(
            with(14, 4),
            "composite value has 4 columns, expected at most 3"
        );
        assert_eq!(
            with(18, 32),
            "composite value of 36 bytes begins at 32, expected 24"
        );
        assert_eq!(
            with(25, 0xFF),
            "body: invalid byte sequence for encoding \"UTF8\": 0xff at byte 0 of 2"
        );
        assert_eq!(
            with(24, 99),
            "body: attribute with length -1 ends at offset 77 beyond total tuple length 40"
        );
        assert_eq!(
            why(&single, &value[..30]),
            "at: attribute with length 8 ends at offset 40 beyond total tuple length 34"
        );
        assert_eq!(
            why(&single, &value[..18]),
            "composite value of 18 bytes is shorter than its header"
        );
        let early = [&value[..28], &(i64::MIN + 1).to_le_bytes()].concat();
        let fault = single.judge(&early, &layout(Major::V15)).unwrap_err();
        assert_eq!(
            fault.server_error.as_deref(),
            Some("timestamp out of range")
        );
        let array = ValueType::of_composite_array(16_400, desc);
        let of = |value: &[u8]| {
            let len = u32::try_from(value.len() + 4).unwrap() << 2;
            let head = words(&[1, 0, 16_400, 1, 1, len]);
            why(&array, &[&head[..], value].concat())
        };
        assert_eq!(of(&value), "");
        assert!(of(&early).starts_with("at: timestamp is"));
    }

    #[test]
    fn text_search() {
        // 'cat':1 'dog'
        let entry = |pos: u32, len: u32, haspos: u32| haspos | len << 1 | pos << 12;
        let vector =
            |entries: &[u32], rest: &[u8]| why(TSVECTOR, &[&words(entries)[..], rest].concat());
        let lexemes = b"cat\0\x01\0\x01\0dog";
        assert_eq!(vector(&[2, entry(0, 3, 1), entry(8, 3, 0)], lexemes), "");
        assert_eq!(vector(&[0], b""), "");
        assert_eq!(
            vector(&[2, entry(0, 3, 1), entry(9, 3, 0)], lexemes),
            "tsvector of 23 bytes has a lexeme of 3 at 9"
        );
        assert_eq!(
            vector(&[1, entry(0, 3, 1)], b"cat\0\x09\0\x01\0"),
            "tsvector of 16 bytes has positions that end behind it"
        );
        assert_eq!(
            vector(&[1, entry(0, 3, 0)], b"c\xE9t"),
            "invalid byte sequence for encoding \"UTF8\": 0xe9 0x74 at byte 1 of 3"
        );
        assert_eq!(vector(&[9], b""), "tsvector of 9 items has 4 bytes");
        assert_eq!(vector(&[u32::MAX], b""), "tsvector of -1 items has 4 bytes");
        assert_eq!(why(TSVECTOR, b""), "tsvector of 0 items has 0 bytes");
        // 'cat' & 'dog'
        let query = |items: &[[u32; 3]]| {
            let items = words(items.as_flattened());
            let number = words(&[u32::try_from(items.len() / 12).unwrap()]);
            why(TSQUERY, &[&number[..], &items, b"dog\0cat\0"].concat())
        };
        let and = [0x0202, 2, 0];
        let [dog, cat] = [[1, 0, 3], [1, 0, 3 | 4 << 12]];
        assert_eq!(query(&[and, dog, cat]), "");
        assert_eq!(query(&[]), "");
        assert_eq!(
            query(&[[0x0102, 99, 0], dog]),
            "",
            "NOT has no left operand"
        );
        assert_eq!(query(&[and, dog]), "tsquery of 2 items refers to item 2");
        assert_eq!(
            query(&[[1, 0, 9]]),
            "tsquery of 24 bytes has an operand that ends behind it"
        );
        assert_eq!(query(&[[3, 0, 0]]), "tsquery has an item of unknown type 3");
    }

    #[test]
    fn arrays() {
        // {1,2,3}
        let numbers = words(&[1, 0, 23, 3, 1, 1, 2, 3]);
        let with = |at: usize, word: u32| {
            let mut words = words(&[1, 0, 23, 3, 1, 1, 2, 3]);
            words[at * 4..at * 4 + 4].copy_from_slice(&word.to_le_bytes());
            why(INT4_ARRAY, &words)
        };
        assert_eq!(why(INT4_ARRAY, &numbers), "");
        assert_eq!(why(INT4_ARRAY, &words(&[0, 0, 23])), "");
        // {NULL,2}
        let with_null = words(&[1, 32, 23, 2, 1, 2, 0, 2]);
        assert_eq!(why(INT4_ARRAY, &with_null), "");
        assert_eq!(
            why(INT4_ARRAY, &with_null[..31]),
            "array of 2 elements and 35 bytes has element 2 end behind it"
        );
        assert_eq!(with(0, 7), "array has 7 dimensions, expected at most 6");
        assert_eq!(
            with(0, u32::MAX),
            "array has 4294967295 dimensions, expected at most 6"
        );
        assert_eq!(with(0, 5), "array of 5 dimensions has 36 bytes");
        assert_eq!(with(0, 2).split('|').count(), 1, "3 times 1 elements");
        assert_eq!(
            with(1, 16),
            "array of 3 elements and 36 bytes has its data at 16"
        );
        assert_eq!(
            with(1, 99),
            "array of 3 elements and 36 bytes has its data at 99"
        );
        assert_eq!(with(2, 25), "array is of type 25, expected 23");
        assert_eq!(
            with(2, 0),
            "array is of type 0, expected 23 | cache lookup failed for type 0"
        );
        assert_eq!(
            with(3, 4),
            "array of 4 elements and 36 bytes has element 4 end behind it"
        );
        assert_eq!(with(3, 0), "");
        let error = "array size exceeds the maximum allowed (134217727)";
        assert_eq!(
            with(3, u32::MAX),
            format!("array has -1 elements, expected at most 134217727 | {error}")
        );
        assert_eq!(
            with(3, 134_217_728),
            format!("array has 134217728 elements, expected at most 134217727 | {error}")
        );
        let square = words(&[2, 0, 23, 65_536, 65_536, 1, 1]);
        assert!(why(INT4_ARRAY, &square).ends_with(error));
        assert_eq!(
            why(INT4_ARRAY, &numbers[..11]),
            "array of 15 bytes is shorter than its header"
        );
        // {"ab","東"}, and an element of a header of one byte.
        let texts = |rest: &[u8]| [&words(&[1, 0, 25, 2, 1])[..], rest].concat();
        let sound = [
            &words(&[6 << 2])[..],
            b"ab\0\0",
            &words(&[7 << 2]),
            "東".as_bytes(),
        ]
        .concat();
        assert_eq!(why(TEXT_ARRAY, &texts(&sound)), "");
        assert_eq!(
            why(
                TEXT_ARRAY,
                &texts(&[&[7, b'a', b'b', 0], &sound[8..]].concat())
            ),
            ""
        );
        assert_eq!(
            why(TEXT_ARRAY, &texts(&sound[..14])),
            "array of 2 elements and 38 bytes has element 2 end behind it"
        );
        let mut compressed = sound.clone();
        compressed[0] |= 2;
        assert_ne!(why(TEXT_ARRAY, &texts(&compressed)), "");
        let mut wrong = sound.clone();
        wrong[14] = b'x';
        assert_eq!(
            why(TEXT_ARRAY, &texts(&wrong)),
            "invalid byte sequence for encoding \"UTF8\": 0xe6 0x9d 0x78 at byte 0 of 3"
        );
        // A varchar array that was made a text array.
        let varchars = [&words(&[1, 0, 1043, 2, 1])[..], &sound].concat();
        assert_eq!(why(TEXT_ARRAY, &varchars), "");
        // Aligned to 8 bytes from the header that is not there.
        let times = [
            &words(&[1, 0, 1114, 1, 1])[..],
            &(i64::MIN + 1).to_le_bytes(),
        ]
        .concat();
        assert!(why(TIMESTAMP_ARRAY, &times).ends_with("| timestamp out of range"));
    }

    /// `{"a": 1, "b": [true, "x"]}`
    fn object() -> Vec<u8> {
        let entries = words(&[
            0x2000_0002,
            0x8000_0001,
            1,
            0x1000_0000 | 10,
            0x5000_0000 | 13,
        ]);
        let numeric = [&words(&[8 << 2])[..], &halves(&[0x8000, 1])].concat();
        let array = [&words(&[0x4000_0002, 0xB000_0000, 1])[..], b"x"].concat();
        [&entries[..], b"ab\0\0", &numeric, &array].concat()
    }

    #[test]
    fn documents() {
        let sound = object();
        assert_eq!(why(JSONB, &sound), "");
        let with = |at: usize, word: u32| {
            let mut value = object();
            value[at..at + 4].copy_from_slice(&word.to_le_bytes());
            why(JSONB, &value)
        };
        let unknown = "unknown type of jsonb container";
        assert_eq!(
            with(0, 2),
            format!("jsonb container has header 0x00000002 | {unknown}")
        );
        assert_eq!(
            with(0, 0x6000_0002),
            format!("jsonb container has header 0x60000002 | {unknown}")
        );
        assert_eq!(
            with(0, 0x2000_0009),
            "jsonb container of 18 entries has 45 bytes"
        );
        assert_eq!(
            with(0, 0x2FFF_FFFF),
            "jsonb container of 536870910 entries has 45 bytes"
        );
        assert_eq!(with(0, 0x5000_0002), "jsonb scalar has 2 elements");
        assert_eq!(
            with(4, 0xB000_0001),
            "jsonb object has a key of type 3 | unexpected jsonb type as object key"
        );
        assert_eq!(
            with(8, 77),
            "jsonb container of 45 bytes has an entry from 1 to 78"
        );
        assert_eq!(
            with(8, 0x8000_0000),
            "jsonb container of 45 bytes has an entry from 1 to 0"
        );
        assert_eq!(
            with(12, 0x6000_000A),
            "jsonb has an entry of unknown type 6"
        );
        assert_eq!(
            with(24, 99 << 2),
            "jsonb has a numeric that ends behind its 32 bytes"
        );
        assert_eq!(
            with(28, 0xFFFF_8000),
            "numeric has digit 65535, expected less than 10000"
        );
        // The array within.
        assert_eq!(
            with(32, 2),
            format!("jsonb container has header 0x00000002 | {unknown}")
        );
        let mut value = object();
        value[44] = 0xFF;
        assert_eq!(
            why(JSONB, &value),
            "invalid byte sequence for encoding \"UTF8\": 0xff at byte 0 of 1"
        );
        assert_eq!(
            why(JSONB, &[0; 3]),
            "jsonb container of 3 bytes has no header"
        );
        // A scalar, and an empty array within an array, and so on.
        let scalar = [&words(&[0x5000_0001, 0x8000_0001])[..], b"x"].concat();
        assert_eq!(why(JSONB, &scalar), "");
        let nested = |depth: u32, innermost: u32| {
            let mut value = Vec::new();
            for level in 0..depth {
                value.extend(words(&[
                    0x4000_0001,
                    0xD000_0000 | (8 * (depth - level) - 4),
                ]));
            }
            value.extend(words(&[innermost]));
            why(JSONB, &value)
        };
        assert_eq!(nested(20, 0x4000_0000), "");
        assert!(nested(20, 0).ends_with(unknown));
        assert_eq!(nested(500, 0), "", "deeper than anybody looks");
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            at in 0..TYPES.len(), is_array in any::<bool>(), row in 0_usize..17, number in 0..8,
        ) {
            let known = &TYPES[at];
            let (oid, len) = if is_array { (known.array, -1) } else { (known.oid, known.len) };
            if let Some(value_type) = ValueType::of(oid, len, Encoding::from_number(number)) {
                let _ = value_type.judge(&bytes, &Layout::usual(&VERSIONS[row]));
            }
        }

        #[test]
        fn any_bytes_are_a_composite_or_not(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..120), natts in 0..5_u8,
            is_sound in any::<bool>(),
        ) {
            let columns: Vec<PgAttribute> = [(23, 4), (TEXT, -1), (NUMERIC, -1), (BOOL, 1)]
                .iter()
                .zip(1_i16..)
                .map(|(&(atttypid, attlen), attnum)| PgAttribute {
                    atttypid, attlen, attnum, attalign: b'i', ..PgAttribute::default()
                })
                .collect();
            let types = columns
                .iter()
                .map(|column| ValueType::of(column.atttypid, column.attlen, Encoding::Utf8));
            let desc = TupleDesc::new(columns.iter()).unwrap().with_types(types);
            if is_sound && bytes.len() > 20 {
                bytes[4..8].copy_from_slice(&16_400_u32.to_le_bytes());
                (bytes[14], bytes[15], bytes[18]) = (natts, 0, 24);
                bytes[16] &= !8;
            }
            let of = ValueType::of_composite(16_400, Arc::new(desc));
            let _ = of.judge(&bytes, &layout(Major::V15));
        }

        #[test]
        fn a_path_or_multirange_with_any_word_is_judged(
            at in 0_usize..64, word in any::<u32>(), small in any::<bool>(), is_path in any::<bool>(),
        ) {
            let (oid, mut value) = if is_path {
                (JSONPATH, path())
            } else {
                (INT4MULTIRANGE, int4multirange())
            };
            let word = if small { word % 64 } else { word };
            value[at..at + 4].copy_from_slice(&word.to_le_bytes());
            why(oid, &value);
        }

        #[test]
        fn a_document_with_any_word_is_judged(at in 0_usize..42, word in any::<u32>()) {
            let mut value = object();
            value[at..at + 4].copy_from_slice(&word.to_le_bytes());
            why(JSONB, &value);
        }

        #[test]
        fn an_array_with_any_word_is_judged(at in 0_usize..8, word in any::<u32>(), oid in any::<bool>()) {
            let mut value = vec![1, 40, 23, 2, 1, 2, 0, 0, 0, 2, 3];
            value[2] = if oid { 25 } else { 23 };
            value[at] = word;
            why(if oid { TEXT_ARRAY } else { INT4_ARRAY }, &words(&value));
        }

        #[test]
        fn utf8_is_utf8(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let sound = std::str::from_utf8(&bytes).is_ok() && !bytes.contains(&0);
            prop_assert_eq!(Encoding::Utf8.fault_at(&bytes).is_none(), sound);
        }

        #[test]
        fn one_wrong_byte_is_found(len in 1_usize..100, at in 0_usize..100, zero in any::<bool>()) {
            let mut text = vec![b'x'; len];
            prop_assert_eq!(Encoding::Utf8.fault_at(&text), None);
            text[at % len] = if zero { 0 } else { 0xFF };
            prop_assert_eq!(Encoding::Utf8.fault_at(&text), Some(at % len));
        }

        #[test]
        fn text_is_text(text in "[^\0]{0,60}") {
            prop_assert_eq!(Encoding::Utf8.fault_at(text.as_bytes()), None);
            prop_assert_eq!(Encoding::Bytes.fault_at(text.as_bytes()), None);
        }
    }
}
