//! The checks: one fault per file, with its code, severity, explanation and remedy beside
//! the function that finds it.
//!
//! A new check is one file with a `check!` and its name in the `registry!` below.

use crate::check::{Examination, Only};
use crate::finding::{Findings, Severity};
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
    control_file_malformed,
    control_file_crc_mismatch,
    control_file_impossible_value,
    control_file_wrong_version,
    control_file_disagrees_with_wal,
    version_file_invalid,
    required_file_missing,
    backup_label_invalid,
    relation_map_invalid,
    catalog_unreadable,
    tablespace_link_dangling,
    relation_segment_missing,
    relation_segment_short,
    last_block_short,
    zero_page,
    page_header_invalid,
    page_header_irregular,
    page_checksum_mismatch,
    page_lsn_beyond_wal,
    page_special_invalid,
    line_pointer_invalid,
    tuple_header_invalid,
    xmin_out_of_range,
    xmax_out_of_range,
    multixact_out_of_range,
    clog_segment_missing,
    clog_segment_short,
    clog_segment_zeroed,
    clog_segment_foreign,
    multixact_segment_missing,
    multixact_segment_short,
    checkpoint_record_unreadable,
    wal_record_damaged,
    wal_segment_missing,
    wal_segment_malformed,
    wal_segment_foreign,
    wal_segment_misnamed,
    wal_segment_recycled,
    history_file_invalid,
    timeline_history_missing,
    timeline_not_ancestor,
}

mod slru_lacks;
mod wal_segments;

type ClusterCheck = fn(&Examination<'_>, &mut Findings);

/// Runs the checks that look at the cluster as a whole.
pub fn cluster_checks(examination: &Examination<'_>, only: Only, findings: &mut Findings) {
    let control = [
        control_file_malformed::run,
        control_file_crc_mismatch::run,
        control_file_impossible_value::run,
        control_file_wrong_version::run,
        control_file_disagrees_with_wal::run,
        version_file_invalid::run,
        required_file_missing::run,
        backup_label_invalid::run,
    ];
    let wal = [
        checkpoint_record_unreadable::run,
        wal_record_damaged::run,
        wal_record_damaged::run_survey,
        wal_segment_missing::run,
        wal_segment_malformed::run,
        wal_segment_foreign::run,
        wal_segment_misnamed::run,
        wal_segment_recycled::run,
        history_file_invalid::run,
        timeline_history_missing::run,
        timeline_not_ancestor::run,
    ];
    let files = [
        relation_map_invalid::run,
        catalog_unreadable::run,
        tablespace_link_dangling::run,
        relation_segment_missing::run,
        relation_segment_short::run,
        last_block_short::run,
        zero_page::run,
        clog_segment_missing::run,
        clog_segment_short::run,
        clog_segment_zeroed::run,
        clog_segment_foreign::run,
        multixact_segment_missing::run,
        multixact_segment_short::run,
    ];
    let all: [&[ClusterCheck]; 3] = match only {
        Only::All => [&control, &wal, &files],
        Only::Wal => [&control, &wal, &[]],
        Only::Checksums => [&control, &[], &[last_block_short::run]],
    };
    for run in all.into_iter().flatten() {
        run(examination, findings);
    }
}

/// The check of a code.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static Check> {
    CHECKS.iter().copied().find(|check| check.code == code)
}
