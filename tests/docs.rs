//! The texts of the checks, and the document made of them.

use pgautopsy::checks::{CHECKS, by_code};
use pgautopsy::report::explain::{HEADINGS, checks_markdown};
use std::path::Path;

#[test]
fn checks_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, checks_markdown()).expect("docs/checks.md is written");
    }
    let current = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        current == checks_markdown(),
        "docs/checks.md is stale: BLESS=1 cargo test --test docs"
    );
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
