//! Lines for a terminal: wrapped, indented, sparsely coloured, and safe.
//!
//! File names, relation names and page contents come from evidence that anybody may have
//! written. Everything goes through [`clean`] here, at the only place that prints, so that no
//! caller can forget it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

/// Colour of a line's first words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Paint {
    Plain,
    Bold,
    Red,
    Yellow,
    Green,
}

impl Paint {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("\x1b[1m"),
            Self::Red => Some("\x1b[1;31m"),
            Self::Yellow => Some("\x1b[1;33m"),
            Self::Green => Some("\x1b[1;32m"),
        }
    }
}

/// Prints paragraphs of a given width.
pub(super) struct Printer<W> {
    out: W,
    width: usize,
    colour: bool,
}

impl<W: io::Write> Printer<W> {
    /// `width` in columns.
    pub(super) fn new(out: W, width: usize, colour: bool) -> Self {
        Self { out, width, colour }
    }

    /// An empty line.
    pub(super) fn blank(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n")
    }

    /// An empty line and a heading.
    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.blank()?;
        self.entry(0, 0, Paint::Bold, text, "")
    }

    /// A paragraph: `lead` in colour, then `text`; the first line is indented by `indent`
    /// columns, the others by `hang`. A no-break space keeps words together. Words longer
    /// than the line, such as paths, stay whole so that they can be copied.
    pub(super) fn entry(
        &mut self,
        indent: usize,
        hang: usize,
        paint: Paint,
        lead: &str,
        text: &str,
    ) -> io::Result<()> {
        let lead = clean(lead).replace(' ', "\u{a0}");
        let text = clean(text);
        let first = " ".repeat(indent);
        let rest = " ".repeat(hang);
        let options = Options::new(self.width)
            .initial_indent(&first)
            .subsequent_indent(&rest)
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        let glued = format!("{lead}{text}");
        // The lead's last spaces may be where the line breaks, and must not be glued then.
        let whole = match lead.trim_end_matches('\u{a0}') {
            "" => glued,
            words if text.is_empty() => words.to_owned(),
            words => {
                let gap = " ".repeat(display_width(&lead) - display_width(words));
                format!("{words}{gap}{text}")
            }
        };
        let painted = lead.trim_end_matches('\u{a0}').len();
        for (i, line) in textwrap::wrap(&whole, options).iter().enumerate() {
            let line = match paint.code() {
                Some(code) if self.colour && i == 0 && painted > 0 => {
                    let (head, tail) = line.split_at(indent + painted);
                    format!("{}{code}{}\x1b[0m{tail}", first, &head[indent..])
                }
                _ => line.to_string(),
            };
            let line = line.replace('\u{a0}', " ");
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// A line as it is, for commands and tables that must not be wrapped.
    pub(super) fn verbatim(&mut self, indent: usize, text: &str) -> io::Result<()> {
        let line = format!("{}{}", " ".repeat(indent), clean(text));
        writeln!(self.out, "{}", line.trim_end())
    }
}

/// Makes control characters and invisible direction marks visible, so that evidence cannot
/// move the cursor, colour the terminal or reorder what is read.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_unsafe(c) && u32::from(c) < 0x100 => {
                let _ = write!(safe, "\\x{:02x}", u32::from(c));
            }
            c if is_unsafe(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Control characters of both ranges, line separators, and marks without a width.
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(width: usize, colour: bool, lead: &str, text: &str) -> String {
        let mut out = Vec::new();
        Printer::new(&mut out, width, colour)
            .entry(2, 4, Paint::Red, lead, text)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn wraps_and_hangs() {
        assert_eq!(
            printed(16, false, "a b   ", "ccc ddd e\u{a0}f ggggggggggggggggg h"),
            "  a b   ccc ddd\n    e f\n    ggggggggggggggggg\n    h\n"
        );
        assert_eq!(printed(16, false, "1. ", "a"), "  1. a\n");
    }

    #[test]
    fn colours_the_lead_alone() {
        assert_eq!(
            printed(40, true, "A B  ", "text"),
            "  \x1b[1;31mA B\x1b[0m  text\n"
        );
        assert_eq!(printed(3, true, "a b", ""), "  \x1b[1;31ma b\x1b[0m\n");
    }

    #[test]
    fn evidence_cannot_speak_to_the_terminal() {
        let evil = "a\x1b[31mb\u{9b}2Jc\r\n\u{202e}d\x07\u{7f}";
        assert_eq!(clean(evil), r"a\x1b[31mb\x9b2Jc\r\n\u{202e}d\x07\x7f");
        assert_eq!(clean("名前 ok"), "名前 ok");
        let text = printed(30, true, evil, evil);
        let own = text
            .replacen("\x1b[1;31m", "", 1)
            .replacen("\x1b[0m", "", 1);
        assert!(!own.chars().any(|c| c != '\n' && is_unsafe(c)), "{text:?}");
    }
}
