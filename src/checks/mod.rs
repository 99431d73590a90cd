//! The checks: one fault per file, with its code, severity, explanation and remedy beside
//! the function that finds it.
//!
//! A new check is one file with a `check!` and its name in the `registry!` below.

use crate::finding::Severity;
use std::fmt;

/// The part of PostgreSQL a fault belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Area {
    /// `pg_control` and the version files.
    Ctl,
    /// Any page of a relation.
    Page,
    /// Heap pages and tuples.
    Heap,
    /// Index pages.
    Index,
    /// The commit log.
    Clog,
    /// Multixacts.
    Mxact,
    /// WAL segments and timeline history.
    Wal,
    /// The files of the directory.
    Dir,
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ctl => "control file",
            Self::Page => "pages",
            Self::Heap => "heap",
            Self::Index => "indexes",
            Self::Clog => "commit log",
            Self::Mxact => "multixacts",
            Self::Wal => "WAL",
            Self::Dir => "files",
        })
    }
}

/// What is fixed about a check.
#[derive(PartialEq, Eq, Debug)]
pub struct Check {
    /// Stable name of the fault, in kebab case; never used again for another.
    pub code: &'static str,
    /// Where it belongs.
    pub area: Area,
    /// How bad it usually is.
    pub severity: Severity,
    /// One line that names the fault.
    pub summary: &'static str,
    /// The doc comment: what it means, how it is decided, what else may cause it, remedy.
    pub explanation: &'static str,
}

/// Declares `CHECK`, with the doc comment as the text of `pgautopsy explain`.
macro_rules! check {
    ($(#[doc = $line:literal])* $code:literal $severity:ident $area:ident: $summary:literal) => {
        $(#[doc = $line])*
        pub static CHECK: $crate::checks::Check = $crate::checks::Check {
            code: $code,
            area: $crate::checks::Area::$area,
            severity: $crate::finding::Severity::$severity,
            summary: $summary,
            explanation: concat!($($line, "\n"),*),
        };
    };
}

/// Declares the modules and the list of all checks.
macro_rules! registry {
    ($($module:ident),* $(,)?) => {
        $(pub mod $module;)*
        /// Every check.
        pub static CHECKS: &[&Check] = &[$(&$module::CHECK),*];
    };
}

registry! {
    page_checksum_mismatch,
}

/// The check of a code.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static Check> {
    CHECKS.iter().copied().find(|check| check.code == code)
}
