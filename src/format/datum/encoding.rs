//! Text in the encoding of its database.
//!
//! Source: `common/wchar.c: pg_utf8_islegal`, `pg_eucjp_verifychar` and their like; up to 13
//! `utils/mb/wchar.c`, with the same rules. The zero byte is part of no text.

use super::{Fault, Judged};

/// What a database's texts are in (`pg_enc` of `mb/pg_wchar.h`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// Any bytes but zero: of one byte a character, without rules, or unknown.
    Bytes,
    /// `UTF8`
    Utf8,
    /// `EUC_JP`
    EucJp,
    /// `EUC_JIS_2004`, which has the rules of the former.
    EucJis2004,
    /// `EUC_CN`
    EucCn,
    /// `EUC_KR`, which has the rules of the former.
    EucKr,
    /// `EUC_TW`
    EucTw,
}

impl Encoding {
    /// From `pg_database.encoding`.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        match number {
            1 => Self::EucJp,
            2 => Self::EucCn,
            3 => Self::EucKr,
            4 => Self::EucTw,
            5 => Self::EucJis2004,
            6 => Self::Utf8,
            _ => Self::Bytes,
        }
    }

    /// As messages name it.
    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "",
            Self::Utf8 => "UTF8",
            Self::EucJp => "EUC_JP",
            Self::EucJis2004 => "EUC_JIS_2004",
            Self::EucCn => "EUC_CN",
            Self::EucKr => "EUC_KR",
            Self::EucTw => "EUC_TW",
        }
    }

    /// Whether some bytes are a text.
    ///
    /// # Errors
    /// When they are not: what the server says of them when they come in.
    pub(super) fn judge(self, text: &[u8]) -> Judged {
        match self.fault_at(text) {
            None => Ok(()),
            Some(at) => Err(self.fault(text, at)),
        }
    }

    /// Where the first bytes begin that are no character.
    pub(super) fn fault_at(self, text: &[u8]) -> Option<usize> {
        if is_ascii(text) {
            return None;
        }
        let zero = text.iter().position(|byte| *byte == 0);
        let wrong = match self {
            Self::Bytes => None,
            // The rules are those of RFC 3629, here as there.
            Self::Utf8 => std::str::from_utf8(text).err().map(|e| e.valid_up_to()),
            _ => self.wrong_euc(text),
        };
        [zero, wrong].into_iter().flatten().min()
    }

    fn wrong_euc(self, text: &[u8]) -> Option<usize> {
        let mut rest = text;
        while let Some(first) = rest.first() {
            let len = match first.is_ascii() {
                true => 1,
                false => self.euc_len(rest),
            };
            match rest.split_at_checked(len) {
                Some((_, behind)) if len > 0 => rest = behind,
                _ => return text.len().checked_sub(rest.len()),
            }
        }
        None
    }

    /// Length of the character that a text begins with, which is not ASCII; 0 when it is none.
    fn euc_len(self, text: &[u8]) -> usize {
        let in_range = |byte: &u8| (0xA1..=0xFE).contains(byte);
        let is_valid = match (self, text) {
            (Self::EucJp | Self::EucJis2004, [SS2, second, ..]) => (0xA1..=0xDF).contains(second),
            (Self::EucJp | Self::EucJis2004, [SS3, second, third, ..]) => {
                in_range(second) && in_range(third)
            }
            (Self::EucJp | Self::EucJis2004, [SS3, ..]) => false,
            (Self::EucTw, [SS2, second, third, fourth, ..]) => {
                (0xA1..=0xA7).contains(second) && in_range(third) && in_range(fourth)
            }
            (Self::EucTw, [SS2 | SS3, ..]) => false,
            // Here any first byte will do.
            (Self::EucTw, [_, second, ..]) => in_range(second),
            (_, [first, second, ..]) => in_range(first) && in_range(second),
            _ => false,
        };
        if is_valid { self.told_len(text) } else { 0 }
    }

    /// Length of a character by its first byte, whether or not it is one
    /// (`pg_encoding_mblen`).
    fn told_len(self, text: &[u8]) -> usize {
        match (self, text.first().copied().unwrap_or(0)) {
            (Self::Bytes, _) | (_, 0..=0x7F) => 1,
            (Self::Utf8, first) => match first {
                0xC0..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF7 => 4,
                _ => 1,
            },
            (Self::EucJp | Self::EucJis2004 | Self::EucTw, SS3) => 3,
            (Self::EucTw, SS2) => 4,
            _ => 2,
        }
    }

    /// What `mbutils.c: report_invalid_encoding` says, and where.
    #[cold]
    fn fault(self, text: &[u8], at: usize) -> Fault {
        let len = text.len();
        let wrong = text.get(at..).unwrap_or_default();
        if wrong.first() == Some(&0) {
            return Fault::new(format!("text has a zero byte at byte {at} of {len}"));
        }
        let bytes = wrong.iter().take(self.told_len(wrong));
        let bytes: Vec<String> = bytes.map(|byte| format!("{byte:#04x}")).collect();
        Fault::new(format!(
            "invalid byte sequence for encoding \"{}\": {} at byte {at} of {len}",
            self.name(),
            bytes.join(" "),
        ))
    }
}

/// Single shifts.
const SS2: u8 = 0x8E;
const SS3: u8 = 0x8F;

/// Whether a text is of bytes from 0x01 to 0x7F alone.
#[inline]
pub(super) fn is_ascii(text: &[u8]) -> bool {
    let (chunks, rest) = text.as_chunks::<32>();
    let all = chunks
        .iter()
        .fold(true, |all, chunk| all & are_ascii(chunk));
    if rest.is_empty() {
        return all;
    }
    // What is left is looked at with some of what was, in as few steps.
    if let Some(last) = text.last_chunk::<32>() {
        return all & are_ascii(last);
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<16>(), text.last_chunk::<16>()) {
        return are_ascii(first) & are_ascii(last);
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        return are_ascii(first) & are_ascii(last);
    }
    text.iter().all(|byte| byte.cast_signed() > 0)
}

/// Without a branch, so that it becomes a few instructions.
#[inline]
fn are_ascii<const N: usize>(bytes: &[u8; N]) -> bool {
    bytes
        .iter()
        .fold(true, |all, byte| all & (byte.cast_signed() > 0))
}
