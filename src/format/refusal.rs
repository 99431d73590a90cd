//! What the server says when it will not start from a file.

use std::fmt;

pub(super) const INITDB: &str = "It looks like you need to initdb.";

/// A message with which the server ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// `ERROR`, `FATAL`, `PANIC`.
    pub severity: &'static str,
    /// The primary message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<&'static str>,
}

impl Refusal {
    pub(super) fn plain(severity: &'static str, message: String) -> Self {
        Self {
            severity,
            message,
            detail: None,
            hint: None,
        }
    }

    pub(super) fn incompatible(detail: &str, hint: &'static str) -> Self {
        Self {
            severity: "FATAL",
            message: "database files are incompatible with server".to_owned(),
            detail: Some(detail.to_owned()),
            hint: Some(hint),
        }
    }

    /// The server prints these unsigned numbers as signed ones.
    pub(super) fn compiled(name: &str, found: u32, own: u32, hint: &'static str) -> Self {
        let (found, own) = (found.cast_signed(), own.cast_signed());
        Self::incompatible(
            &format!(
                "The database cluster was initialized with {name} {found}, but the server was \
                 compiled with {name} {own}."
            ),
            hint,
        )
    }
}

impl fmt::Display for Refusal {
    /// The primary message with its severity, as the log shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:  {}", self.severity, self.message)
    }
}
