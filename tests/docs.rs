//! The texts of the checks, and the document made of them.

use pgautopsy::checks::{CHECKS, by_code};
use pgautopsy::report::explain::{HEADINGS, checks_markdown};
use pgautopsy::report::messages::messages_markdown;
use std::path::Path;

fn is_current(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).expect("the document is written");
    }
    let current = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        current == text,
        "docs/{name} is stale: BLESS=1 cargo test --test docs"
    );
}

#[test]
fn checks_document_is_current() {
    is_current("checks.md", &checks_markdown());
}

#[test]
fn messages_document_is_current() {
    is_current("messages.md", &messages_markdown());
}

#[test]
fn every_check_explains_itself() {
    for check in CHECKS {
        let headings: Vec<&str> = check
            .explanation
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("## "))
            .map(str::trim)
            .collect();
        assert_eq!(headings, HEADINGS, "{}", check.code);
        for heading in HEADINGS {
            let (_, rest) = check
                .explanation
                .split_once(&format!("## {heading}"))
                .unwrap();
            let text = rest.split("## ").next().unwrap_or("").trim();
            assert!(
                !text.is_empty(),
                "{}: nothing under {heading:?}",
                check.code
            );
        }
        assert!(
            !check.summary.is_empty() && !check.summary.ends_with('.'),
            "{}",
            check.code
        );
    }
}

#[test]
fn codes_are_unique_and_kebab_case() {
    for check in CHECKS {
        let words_ok = check.code.split('-').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        assert!(words_ok, "{}", check.code);
        assert_eq!(
            CHECKS
                .iter()
                .filter(|other| other.code == check.code)
                .count(),
            1,
            "{}",
            check.code
        );
        assert_eq!(by_code(check.code), Some(*check));
    }
}
