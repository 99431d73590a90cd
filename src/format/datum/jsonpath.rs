//! `jsonpath`, 12 and later.
//!
//! Source: `utils/jsonpath.h`, `utils/adt/jsonpath.c: jspInitByBuffer`, `printJsonPathItem`,
//! `flattenJsonPathParseItem`. Items refer to others by their distance, and all those lie behind
//! them; each is referred to once.
//!
//! ```text
//! (vl_len:4) lax:1 version:31 (1), items
//! item    type:1, padding up to a multiple of 4, next:4, then by type
//!   string, key, variable  length:4, text, a zero byte     numeric  a varlena     bool  1 byte
//!   of two operands  left:4 right:4      of one  operand:4      **  first:4 last:4
//!   [a to b, ...]    number:4, from:4 to:4 each
//!   like_regex       flags:4 operand:4 length:4, pattern, a zero byte
//! ```

use super::{Encoding, Fault, Judged, aligned, demand, numeric, varlena};
use crate::format::page::u32_at;
use crate::format::version::{Layout, Major};

const JSONPATH_VERSION: u32 = 1;
const JSONPATH_LAX: u32 = 0x8000_0000;
/// Bytes of the smallest item.
const ITEM_SIZE: usize = 8;
/// Items that are referred to and wait for their turn; a path with more is not looked at.
const WAITING: usize = 128;

/// Looks at every item in the order in which they are printed.
pub(super) fn judge(value: &[u8], encoding: Encoding, layout: &Layout) -> Judged {
    let len = value.len();
    let (Some(header), Some(data)) = (u32_at(value, 0), value.get(4..)) else {
        return Err(Fault::new(format!(
            "jsonpath of {len} bytes is shorter than its header"
        )));
    };
    let version = header & !JSONPATH_LAX;
    demand!(
        version == JSONPATH_VERSION,
        "jsonpath has version {version}, expected {JSONPATH_VERSION}"
    );
    let mut waiting = Waiting {
        items: [0; WAITING],
        number: 1,
    };
    let mut room = data.len().checked_div(ITEM_SIZE).unwrap_or(0);
    while let Some(at) = waiting.take() {
        let Some(less) = room.checked_sub(1) else {
            return Err(Fault::new(format!(
                "jsonpath of {len} bytes has more items than there is room for"
            )));
        };
        room = less;
        let item = Item { data, at };
        if item.judge(&mut waiting, encoding, layout)? == Outlook::Open {
            return Ok(());
        }
    }
    Ok(())
}

/// Items whose turn is to come, the next one last.
struct Waiting {
    items: [usize; WAITING],
    number: usize,
}

impl Waiting {
    fn take(&mut self) -> Option<usize> {
        self.number = self.number.checked_sub(1)?;
        self.items.get(self.number).copied()
    }

    fn add(&mut self, at: usize) -> Outlook {
        let Some(free) = self.items.get_mut(self.number) else {
            return Outlook::Open;
        };
        *free = at;
        self.number = self.number.saturating_add(1);
        Outlook::Clear
    }
}

/// Whether it is worth going on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outlook {
    Clear,
    /// Nothing can be said of the rest.
    Open,
}

/// The types of items (`JsonPathItemType`), by what they hold.
enum Content {
    Nothing,
    Text,
    Numeric,
    Bool,
    /// So many operands, which may be missing.
    Operands(usize, bool),
    Subscripts,
    Levels,
    LikeRegex,
    /// 13 gave other numbers to some types, and `pg_upgrade` brings along those of 12.
    Ambiguous,
    Unknown,
}

impl Content {
    fn of(kind: u8, layout: &Layout) -> Self {
        let since = |major| layout.since(major);
        match kind {
            0 | 21 | 22 | 26 | 27 | 31..=36 => Self::Nothing,
            1 | 25 | 28 => Self::Text,
            2 => Self::Numeric,
            3 => Self::Bool,
            4 | 5 | 8..=18 => Self::Operands(2, false),
            6 | 7 | 19 | 20 | 29 | 30 => Self::Operands(1, false),
            23 => Self::Subscripts,
            24 => Self::Levels,
            // keyvalue(), last, starts with, like_regex
            37 | 39 if !since(Major::V13) => Self::Nothing,
            40 if !since(Major::V13) => Self::Operands(2, false),
            41 if !since(Major::V13) => Self::LikeRegex,
            37 | 39..=41 => Self::Ambiguous,
            38 if since(Major::V13) => Self::Nothing,
            42 if since(Major::V13) => Self::LikeRegex,
            // Methods from bigint() to timestamp_tz(); decimal() has two operands.
            43..=45 | 47..=49 if since(Major::V17) => Self::Nothing,
            46 if since(Major::V17) => Self::Operands(2, true),
            50..=53 if since(Major::V17) => Self::Operands(1, true),
            // replace() and split_part(); lower(), upper() and initcap(); the trims.
            54 | 61 if since(Major::V19) => Self::Operands(2, true),
            55 | 56 | 60 if since(Major::V19) => Self::Nothing,
            57..=59 if since(Major::V19) => Self::Operands(1, true),
            _ => Self::Unknown,
        }
    }
}

/// An item, `at` bytes into the data.
struct Item<'v> {
    data: &'v [u8],
    at: usize,
}

impl Item<'_> {
    /// Tests it, and adds those that it refers to: the first to be printed comes last.
    fn judge(
        &self,
        waiting: &mut Waiting,
        encoding: Encoding,
        layout: &Layout,
    ) -> Result<Outlook, Fault> {
        let kind = self.data.get(self.at).copied().unwrap_or(0);
        let next_at = aligned(self.at.saturating_add(1), 4);
        let body = next_at.saturating_add(4);
        let content = Content::of(kind, layout);
        // The type is looked at first, whatever else there is.
        if matches!(content, Content::Unknown) {
            let what = format!("jsonpath has an item of unknown type {kind}");
            return Err(Fault::new(what).error(format!("unrecognized jsonpath item type: {kind}")));
        }
        let mut outlook = self.refer(next_at, true, waiting)?;
        match content {
            Content::Nothing | Content::Unknown => {}
            Content::Ambiguous => return Ok(Outlook::Open),
            Content::Text => encoding.judge(self.text(body)?)?,
            Content::Numeric => {
                let number = varlena(self.data, body).ok_or_else(|| self.behind())?;
                numeric(number.0, layout)?;
            }
            Content::Bool => {
                self.data.get(body).ok_or_else(|| self.behind())?;
            }
            Content::Operands(number, may_lack) => {
                for n in (0..number).rev() {
                    let at = n.saturating_mul(4).saturating_add(body);
                    outlook = outlook.and(self.refer(at, may_lack, waiting)?);
                }
            }
            Content::Subscripts => {
                let number = usize::try_from(self.word(body)?).unwrap_or(usize::MAX);
                let end = number
                    .saturating_mul(8)
                    .saturating_add(4)
                    .saturating_add(body);
                if end > self.data.len() {
                    return Err(self.behind());
                }
                for n in (0..number).rev() {
                    let at = n.saturating_mul(8).saturating_add(4).saturating_add(body);
                    // Most have no `to`.
                    outlook = outlook.and(self.refer(at.saturating_add(4), true, waiting)?);
                    outlook = outlook.and(self.refer(at, false, waiting)?);
                }
            }
            Content::Levels => {
                self.word(body.saturating_add(4))?;
            }
            Content::LikeRegex => {
                encoding.judge(self.text(body.saturating_add(8))?)?;
                outlook = outlook.and(self.refer(body.saturating_add(4), false, waiting)?);
            }
        }
        Ok(outlook)
    }

    #[cold]
    fn behind(&self) -> Fault {
        let (len, at) = (self.data.len().saturating_add(4), self.at.saturating_add(4));
        Fault::new(format!(
            "jsonpath of {len} bytes has an item at {at} that ends behind it"
        ))
    }

    fn word(&self, at: usize) -> Result<u32, Fault> {
        u32_at(self.data, at).ok_or_else(|| self.behind())
    }

    /// A text behind its length.
    fn text(&self, at: usize) -> Result<&[u8], Fault> {
        let len = usize::try_from(self.word(at)?).unwrap_or(usize::MAX);
        let start = at.saturating_add(4);
        let text = self.data.get(start..start.saturating_add(len));
        text.ok_or_else(|| self.behind())
    }

    /// Adds the item that the word at some place refers to.
    fn refer(&self, at: usize, may_lack: bool, waiting: &mut Waiting) -> Result<Outlook, Fault> {
        let distance = self.word(at)?;
        if distance == 0 && may_lack {
            return Ok(Outlook::Clear);
        }
        let to = usize::try_from(distance)
            .ok()
            .map(|distance| self.at.saturating_add(distance));
        match to.filter(|to| distance > 0 && *to < self.data.len()) {
            Some(to) => Ok(waiting.add(to)),
            None => {
                let (distance, at) = (distance.cast_signed(), self.at.saturating_add(4));
                Err(Fault::new(format!(
                    "jsonpath has an item at {at} that refers to {distance} bytes further on"
                )))
            }
        }
    }
}

impl Outlook {
    fn and(self, other: Self) -> Self {
        if self == Self::Clear { other } else { self }
    }
}
