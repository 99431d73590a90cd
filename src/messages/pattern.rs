//! PostgreSQL's format strings as patterns.
//!
//! | placeholder | takes |
//! |---|---|
//! | `%u` | digits |
//! | `%d` | digits, with a minus sign or not |
//! | `%X/%X` | a WAL position, its second half padded with zeroes (19) or not |
//! | `%04X` | hex digits |
//! | `%s`, `%m` | any text |
//!
//! Lengths (`%lld`, `%zu`, PRIu64) are left out of the strings. A pattern takes the whole
//! text. Between two texts of any length stands a literal, and the first place where it fits
//! is taken: no pattern goes back over more than one of them, so matching takes time linear
//! in the text for each placeholder.

/// A piece of fixed shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    Literal(&'static str),
    Unsigned,
    Signed,
    Hex,
    Lsn,
}

/// A compiled format string.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// What stands before, between and after texts of any length.
    segments: Vec<Vec<Token>>,
}

/// Placeholders, longest first where one begins like another; `None` is text of any length.
const PLACEHOLDERS: [(&str, Option<Token>); 6] = [
    ("%X/%X", Some(Token::Lsn)),
    ("%04X", Some(Token::Hex)),
    ("%u", Some(Token::Unsigned)),
    ("%d", Some(Token::Signed)),
    ("%s", None),
    ("%m", None),
];

impl Pattern {
    /// Compiles a format string. A percent sign that begins no known placeholder stands for
    /// itself.
    #[must_use]
    pub fn new(format: &'static str) -> Self {
        let mut segments = vec![Vec::new()];
        let mut rest = format;
        while !rest.is_empty() {
            let placeholder = PLACEHOLDERS
                .iter()
                .find_map(|(name, token)| Some((rest.strip_prefix(name)?, *token)));
            let token = match placeholder {
                Some((after, token)) => {
                    rest = after;
                    token
                }
                None => {
                    let (head, tail) = split_literal(rest);
                    rest = tail;
                    Some(Token::Literal(head))
                }
            };
            match (token, segments.last_mut()) {
                (Some(token), Some(segment)) => segment.push(token),
                _ => segments.push(Vec::new()),
            }
        }
        Self { segments }
    }

    /// The byte that every matching text begins with, if there is one.
    #[must_use]
    pub fn first_byte(&self) -> Option<u8> {
        match self.segments.first()?.first()? {
            Token::Literal(text) => text.bytes().next(),
            _ => None,
        }
    }

    /// How many bytes of a matching text are given.
    #[must_use]
    pub fn literal_len(&self) -> usize {
        let tokens = self.segments.iter().flatten();
        tokens
            .map(|token| match token {
                Token::Literal(text) => text.len(),
                _ => 0,
            })
            .sum()
    }

    /// The placeholders' texts, if the pattern takes the whole text.
    #[must_use]
    pub fn matches<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let (first, others) = self.segments.split_first()?;
        let mut values = Vec::new();
        let mut at = take(first, text, 0, &mut values)?;
        for (i, segment) in others.iter().enumerate() {
            let last = i + 1 == others.len();
            let before = values.len();
            values.push("");
            let (start, end) = starts(segment, text, at, last).find_map(|start| {
                values.truncate(before + 1);
                let end = take(segment, text, start, &mut values)?;
                (!last || end == text.len()).then_some((start, end))
            })?;
            *values.get_mut(before)? = text.get(at..start)?;
            at = end;
        }
        (at == text.len()).then_some(values)
    }
}

/// The text up to the next placeholder.
fn split_literal(rest: &'static str) -> (&'static str, &'static str) {
    let is_placeholder = |at: usize| {
        let tail = rest.get(at..).unwrap_or("");
        PLACEHOLDERS.iter().any(|(name, _)| tail.starts_with(name))
    };
    let end = rest
        .match_indices('%')
        .map(|(at, _)| at)
        .find(|at| is_placeholder(*at))
        .unwrap_or(rest.len());
    rest.split_at(end)
}

/// Where a segment may start, from `at` on.
fn starts<'t>(
    segment: &[Token],
    text: &'t str,
    at: usize,
    last: bool,
) -> Box<dyn Iterator<Item = usize> + 't> {
    let rest = text.get(at..).unwrap_or("");
    match segment.first() {
        None if last => Box::new(std::iter::once(text.len())),
        Some(Token::Literal(literal)) => {
            Box::new(rest.match_indices(*literal).map(move |(i, _)| at + i))
        }
        _ => Box::new(rest.char_indices().map(move |(i, _)| at + i)),
    }
}

/// Takes a segment from `at` on; where it ends.
fn take<'t>(
    segment: &[Token],
    text: &'t str,
    mut at: usize,
    values: &mut Vec<&'t str>,
) -> Option<usize> {
    for token in segment {
        let rest = text.get(at..)?;
        let hex = |text: &str| text.bytes().take_while(u8::is_ascii_hexdigit).count();
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let len = match token {
            Token::Literal(literal) => {
                rest.strip_prefix(literal)?;
                at += literal.len();
                continue;
            }
            Token::Unsigned => digits(rest),
            Token::Signed => match rest.strip_prefix('-') {
                Some(rest) => match digits(rest) {
                    0 => 0,
                    len => len + 1,
                },
                None => digits(rest),
            },
            Token::Hex => hex(rest),
            Token::Lsn => {
                let high = hex(rest);
                let low = hex(rest.get(high..)?.strip_prefix('/')?);
                if high.min(low) == 0 {
                    0
                } else {
                    high + 1 + low
                }
            }
        };
        if len == 0 {
            return None;
        }
        values.push(rest.get(..len)?);
        at += len;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches<'t>(format: &'static str, text: &'t str) -> Option<Vec<&'t str>> {
        Pattern::new(format).matches(text)
    }

    #[test]
    fn each_placeholder_takes_its_kind_and_all_is_taken() {
        let format = "invalid page in block %u of relation %s";
        let text = "invalid page in block 7 of relation base/1/2";
        assert_eq!(matches(format, text), Some(vec!["7", "base/1/2"]));
        assert_eq!(
            matches(format, "invalid page in block -7 of relation a"),
            None
        );
        assert_eq!(
            matches("at %X/%X", "at 0/0190CCD8"),
            Some(vec!["0/0190CCD8"])
        );
        assert_eq!(matches("at %X/%X", "at 0/"), None);
        assert_eq!(matches("at %X/%X", "at 0/1 "), None);
        assert_eq!(matches("%d of %d", "-1 of 20"), Some(vec!["-1", "20"]));
        assert_eq!(matches("%d of", "- of"), None);
        assert_eq!(
            matches("magic %04X in", "magic D101 in"),
            Some(vec!["D101"])
        );
        assert_eq!(matches("100% sure", "100% sure"), Some(vec![]));
        assert_eq!(matches("", ""), Some(vec![]));
        assert_eq!(matches("", "x"), None);
    }

    #[test]
    fn text_of_any_length_ends_where_the_rest_fits() {
        let format = "file \"%s\" (block %u): %m";
        let text = "file \"a\" (block b\" (block 3): No such file (x)";
        assert_eq!(
            matches(format, text),
            Some(vec!["a\" (block b", "3", "No such file (x)"])
        );
        assert_eq!(matches("\"%s\" is", "\"\" is"), Some(vec![""]));
        assert_eq!(matches("\"%s\" is", "\"a\" is\" is"), Some(vec!["a\" is"]));
        assert_eq!(matches("%s%u", "ab12"), Some(vec!["ab", "12"]));
        assert_eq!(matches("näh %s ü", "näh ß ü"), Some(vec!["ß"]));
    }
}
