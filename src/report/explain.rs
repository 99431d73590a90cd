//! What a code means: for `pgautopsy explain`, and for `docs/checks.md`.
//!
//! Both come from the doc comment of the check, so that neither can go stale.

use super::printer::{Paint, Printer};
use crate::checks::{Area, CHECKS, Check};
use std::fmt::Write as _;
use std::io;

/// What every explanation has, in this order.
pub const HEADINGS: [&str; 4] = [
    "What it means",
    "How it is decided",
    "What else may cause it",
    "What to do",
];

/// A piece of an explanation's Markdown.
enum Piece {
    Heading(String),
    /// Lines to be filled; an item of a list starts with its bullet or number.
    Paragraph(String),
    /// A line of a code block or table, as it is.
    Verbatim(String),
}

/// Prints the explanation of one check.
///
/// # Errors
/// When `out` cannot be written.
pub fn write<W: io::Write>(out: W, check: &Check, width: usize, colour: bool) -> io::Result<()> {
    let mut out = Printer::new(out, width, colour);
    let lead = format!("{}   ", check.code);
    out.entry(0, 2, Paint::Bold, &lead, check.summary)?;
    let kind = format!("{}, usually {}", check.area, check.severity);
    out.entry(0, 2, Paint::Plain, "", &kind)?;
    let mut after_heading = false;
    let mut in_block = false;
    for piece in pieces(check) {
        match &piece {
            Piece::Heading(text) => out.heading(text)?,
            Piece::Paragraph(text) => {
                let bullet = bullet(text).map_or(0, str::len);
                if !after_heading && bullet == 0 {
                    out.blank()?;
                }
                let (lead, text) = text.split_at(bullet);
                out.entry(2, 2 + bullet, Paint::Plain, lead, text)?;
            }
            Piece::Verbatim(text) => {
                if !after_heading && !in_block {
                    out.blank()?;
                }
                out.verbatim(4, text)?;
            }
        }
        after_heading = matches!(piece, Piece::Heading(_));
        in_block = matches!(piece, Piece::Verbatim(_));
    }
    Ok(())
}

/// Prints every code with its summary, by area.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_list<W: io::Write>(out: W, width: usize, colour: bool) -> io::Result<()> {
    let mut out = Printer::new(out, width, colour);
    let longest = CHECKS.iter().map(|check| check.code.len()).max();
    let column = longest.unwrap_or(0) + 3;
    for (i, (area, checks)) in by_area().into_iter().enumerate() {
        if i > 0 {
            out.blank()?;
        }
        out.entry(0, 0, Paint::Bold, &area.to_string(), "")?;
        for check in checks {
            let lead = format!("{:column$}", check.code);
            out.entry(2, column + 2, Paint::Plain, &lead, check.summary)?;
        }
    }
    out.blank()?;
    out.entry(
        0,
        0,
        Paint::Plain,
        "",
        "`pgautopsy explain CODE` tells more about one; a message of the server in quotation marks \
         is explained too.",
    )
}

/// Codes that a mistyped one may have meant, the nearest first.
#[must_use]
pub fn similar(code: &str) -> Vec<&'static Check> {
    let code = code.trim().to_lowercase().replace(['_', ' '], "-");
    let mut near: Vec<(f64, &'static Check)> = CHECKS
        .iter()
        .map(|check| {
            let contained = !code.is_empty() && check.code.contains(&code);
            let alike = strsim::jaro_winkler(check.code, &code);
            (if contained { alike + 1.0 } else { alike }, *check)
        })
        .filter(|(score, _)| *score > 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.code.cmp(b.1.code)));
    near.into_iter().take(5).map(|(_, check)| check).collect()
}

/// The first paragraph of "What to do", as one line.
#[must_use]
pub fn remedy(check: &Check) -> Option<String> {
    let mut pieces = pieces(check).into_iter();
    pieces.find(|piece| matches!(piece, Piece::Heading(text) if text == HEADINGS[3]))?;
    match pieces.next()? {
        Piece::Paragraph(text) => Some(text),
        Piece::Heading(_) | Piece::Verbatim(_) => None,
    }
}

/// The text of `docs/checks.md`.
#[must_use]
pub fn checks_markdown() -> String {
    let mut text = String::from(
        "# Checks\n\n\
         What `pgautopsy check` can find, by code. The same texts are printed by\n\
         `pgautopsy explain CODE`. This file is generated from the checks themselves:\n\
         `BLESS=1 cargo test --test docs` rewrites it.\n",
    );
    for (area, checks) in by_area() {
        let _ = write!(text, "\n## {}\n\n", capitalised(&area.to_string()));
        text.push_str("| code | usual severity | what is wrong |\n|---|---|---|\n");
        for check in &checks {
            let Check {
                code,
                severity,
                summary,
                ..
            } = check;
            let _ = writeln!(text, "| [`{code}`](#{code}) | {severity} | {summary} |");
        }
        for check in checks {
            let _ = write!(text, "\n### {}\n\n", check.code);
            let _ = writeln!(text, "{}.", capitalised(check.summary));
            text.push('\n');
            for line in lines(check) {
                match line.strip_prefix("## ") {
                    Some(heading) => {
                        let _ = writeln!(text, "#### {heading}");
                    }
                    None => {
                        let _ = writeln!(text, "{line}");
                    }
                }
            }
        }
    }
    text
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// The checks of each area that has any, by code.
fn by_area() -> Vec<(Area, Vec<&'static Check>)> {
    let mut sorted = CHECKS.to_vec();
    sorted.sort_by_key(|check| (check.area, check.code));
    sorted
        .chunk_by(|a, b| a.area == b.area)
        .map(|checks| (checks[0].area, checks.to_vec()))
        .collect()
}

/// The doc comment without the blank that follows `///`.
fn lines(check: &Check) -> impl Iterator<Item = &'static str> {
    let lines = check.explanation.trim_end().lines();
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
}

/// `- `, `* ` or `1. ` at the start of a list's item.
fn bullet(line: &str) -> Option<&str> {
    let (mark, _) = line.split_once(' ')?;
    let digits = mark.strip_suffix('.').unwrap_or("");
    let numbered = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    (matches!(mark, "-" | "*") || numbered).then(|| &line[..=mark.len()])
}

fn pieces(check: &Check) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut paragraph = String::new();
    let mut fenced = false;
    let end = |paragraph: &mut String, pieces: &mut Vec<Piece>| {
        if !paragraph.is_empty() {
            pieces.push(Piece::Paragraph(std::mem::take(paragraph)));
        }
    };
    for line in lines(check) {
        let words = line.trim_start();
        if words.starts_with("```") {
            end(&mut paragraph, &mut pieces);
            fenced = !fenced;
        } else if fenced || words.starts_with('|') {
            end(&mut paragraph, &mut pieces);
            pieces.push(Piece::Verbatim(line.to_owned()));
        } else if paragraph.is_empty() && line.starts_with("    ") {
            pieces.push(Piece::Verbatim(line[4..].to_owned()));
        } else if words.is_empty() {
            end(&mut paragraph, &mut pieces);
        } else if words.starts_with('#') {
            end(&mut paragraph, &mut pieces);
            pieces.push(Piece::Heading(
                words.trim_start_matches('#').trim().to_owned(),
            ));
        } else {
            if bullet(words).is_some() {
                end(&mut paragraph, &mut pieces);
            }
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(words);
        }
    }
    end(&mut paragraph, &mut pieces);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    static CHECK: Check = Check {
        code: "test-fault",
        area: Area::Page,
        severity: Severity::Damage,
        summary: "something is wrong",
        explanation: " ## What it means\n A long\n paragraph.\n\n Another:\n - one\n   goes on\n - two\n\n \
                      ## What to do\n Copy first,\n then:\n\n ```sh\n cp -a a  b\n ls\n ```\n",
    };

    #[test]
    fn markdown_becomes_plain() {
        let mut out = Vec::new();
        write(&mut out, &CHECK, 60, false).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "test-fault   something is wrong\n\
             pages, usually damage\n\
             \n\
             What it means\n\
             \x20 A long paragraph.\n\
             \n\
             \x20 Another:\n\
             \x20 - one goes on\n\
             \x20 - two\n\
             \n\
             What to do\n\
             \x20 Copy first, then:\n\
             \n\
             \x20   cp -a a  b\n\
             \x20   ls\n"
        );
        assert_eq!(remedy(&CHECK).as_deref(), Some("Copy first, then:"));
    }

    #[test]
    fn a_mistyped_code_is_guessed() {
        for check in CHECKS {
            let mistyped = check.code.replace('-', "_").to_uppercase();
            assert_eq!(similar(&mistyped)[0].code, check.code);
        }
        assert!(
            similar("checksum")
                .iter()
                .any(|c| c.code == "page-checksum-mismatch")
        );
        assert!(similar("").is_empty());
    }
}
