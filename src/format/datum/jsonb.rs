//! `jsonb`.
//!
//! Source: `utils/jsonb.h`, `utils/adt/jsonb_util.c: iteratorFromContainer`,
//! `JsonbIteratorNext`, `fillJsonbValue`.
//!
//! ```text
//! container  header:4 (count:28, scalar, object, array), an entry for each element, or for each
//!            key and then for each value; their data, one behind the other
//! entry:4    length or end of the data:28 type:3 is-end:1
//! type       0 string  1 numeric  2 false  3 true  4 null  5 container
//!            numerics and containers are aligned to 4 bytes within their data
//! ```

use super::{Encoding, Fault, Judged, aligned, demand, numeric, varlena};
use crate::format::page::u32_at;
use crate::format::version::Layout;

/// Containers within containers; what lies deeper is not looked at.
const DEPTH: usize = 48;

/// `JB_CMASK`, and `JENTRY_OFFLENMASK`.
const COUNT: u32 = 0x0FFF_FFFF;
const JB_FSCALAR: u32 = 0x1000_0000;
const JB_FOBJECT: u32 = 0x2000_0000;
const JB_FARRAY: u32 = 0x4000_0000;
const JENTRY_HAS_OFF: u32 = 0x8000_0000;

/// A container whose entries are being looked at.
#[derive(Clone, Copy, Default)]
struct Container {
    /// Where its entries begin.
    entries: usize,
    /// Elements, or pairs.
    count: usize,
    is_object: bool,
    /// Where the data begins.
    data: usize,
    /// The next element or pair.
    next: usize,
    /// Whether its key was looked at.
    key_done: bool,
    /// Where the data of the next key or element begins.
    key_off: usize,
    /// Where that of the next value begins.
    value_off: usize,
}

/// Looks at everything in the order in which it is printed.
pub(super) fn judge(value: &[u8], encoding: Encoding, layout: &Layout) -> Judged {
    let root = Container::enter(value, 0, value.len())?;
    let is_scalar = u32_at(value, 0).is_some_and(|header| header & JB_FSCALAR != 0);
    let is_one = root.count == 1 && !root.is_object;
    demand!(
        !is_scalar || is_one,
        "jsonb scalar has {} elements",
        root.count
    );
    let mut open = [Container::default(); DEPTH];
    let mut depth = 0_usize;
    if let Some(first) = open.first_mut() {
        *first = root;
    }
    while let Some(container) = open.get_mut(depth) {
        let Some(entry) = container.next(value) else {
            match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => break,
            }
            continue;
        };
        let (start, end) = (entry.start, entry.end);
        let place = aligned(start.saturating_sub(entry.data), 4).saturating_add(entry.data);
        if entry.is_key && entry.kind != 0 {
            let what = format!("jsonb object has a key of type {}", entry.kind);
            return Err(Fault::new(what).error("unexpected jsonb type as object key"));
        }
        match entry.kind {
            0 => encoding.judge(value.get(start..end).unwrap_or_default())?,
            1 => match varlena(value, place) {
                Some((number, number_end)) if number_end <= end => numeric(number, layout)?,
                _ => {
                    let what = format!("jsonb has a numeric that ends behind its {end} bytes");
                    return Err(Fault::new(what));
                }
            },
            2..=4 => {}
            5 => {
                let inner = Container::enter(value, place, end)?;
                let deeper = depth.saturating_add(1);
                if let Some(free) = open.get_mut(deeper) {
                    *free = inner;
                    depth = deeper;
                }
            }
            other => {
                return Err(Fault::new(format!(
                    "jsonb has an entry of unknown type {other}"
                )));
            }
        }
    }
    Ok(())
}

/// One entry, and where its data lies.
struct Entry {
    kind: u32,
    is_key: bool,
    start: usize,
    end: usize,
    /// Where the container's data begins, from which alignment counts.
    data: usize,
}

impl Container {
    /// The container at `start`, which must end at `end`: its entries' lengths are tested.
    fn enter(value: &[u8], start: usize, end: usize) -> Result<Self, Fault> {
        let bytes = end.saturating_sub(start);
        let header = value
            .get(start..end)
            .and_then(|container| u32_at(container, 0));
        let Some(header) = header else {
            return Err(Fault::new(format!(
                "jsonb container of {bytes} bytes has no header"
            )));
        };
        let is_object = match header & (JB_FARRAY | JB_FOBJECT) {
            JB_FARRAY => false,
            JB_FOBJECT => true,
            _ => {
                let what = format!("jsonb container has header {header:#010x}");
                return Err(Fault::new(what).error("unknown type of jsonb container"));
            }
        };
        let count = usize::try_from(header & COUNT).unwrap_or(usize::MAX);
        let entries = start.saturating_add(4);
        let number = if is_object {
            count.saturating_mul(2)
        } else {
            count
        };
        let data = number.saturating_mul(4).saturating_add(entries);
        demand!(
            data <= end,
            "jsonb container of {number} entries has {bytes} bytes"
        );
        let (mut off, mut value_off) = (0, 0);
        for n in 0..number {
            if n == count {
                value_off = off;
            }
            let next = end_of(value, entries, n, off);
            let is_there = off <= next && data.saturating_add(next) <= end;
            demand!(
                is_there,
                "jsonb container of {bytes} bytes has an entry from {off} to {next}"
            );
            off = next;
        }
        Ok(Self {
            entries,
            count,
            is_object,
            data,
            value_off,
            ..Self::default()
        })
    }

    /// The next entry: of an object key and value in turn.
    fn next(&mut self, value: &[u8]) -> Option<Entry> {
        if self.next >= self.count {
            return None;
        }
        let is_value = self.key_done;
        let n = if is_value {
            self.next.saturating_add(self.count)
        } else {
            self.next
        };
        let off = if is_value {
            &mut self.value_off
        } else {
            &mut self.key_off
        };
        let start = *off;
        let end = end_of(value, self.entries, n, start);
        *off = end;
        self.key_done = self.is_object && !is_value;
        if !self.key_done {
            self.next = self.next.saturating_add(1);
        }
        let entry = u32_at(value, n.saturating_mul(4).saturating_add(self.entries))?;
        Some(Entry {
            kind: entry >> 28 & 7,
            is_key: self.key_done,
            start: self.data.saturating_add(start),
            end: self.data.saturating_add(end),
            data: self.data,
        })
    }
}

/// Where the data of an entry ends that begins at `off` (`JBE_ADVANCE_OFFSET`).
fn end_of(value: &[u8], entries: usize, n: usize, off: usize) -> usize {
    let entry = u32_at(value, n.saturating_mul(4).saturating_add(entries)).unwrap_or(0);
    let len = usize::try_from(entry & COUNT).unwrap_or(usize::MAX);
    if entry & JENTRY_HAS_OFF == 0 {
        off.saturating_add(len)
    } else {
        len
    }
}
