//! The checks: one fault per file, with its code, severity, explanation and remedy beside
//! the function that finds it.
//!
//! A new check is one file with a `check!` and its name in the `registry!` below.

use crate::check::{Examination, Only};
use crate::finding::{Finding, Findings, Location, Severity};
use crate::recovery::gate::files::BadFile;
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
    tablespace_map_invalid,
    lock_file_empty,
    relation_map_invalid,
    replication_slot_invalid,
    replication_origin_invalid,
    two_phase_file_invalid,
    catalog_unreadable,
    catalog_rows_disagree,
    tablespace_link_dangling,
    relation_file_missing,
    init_fork_disagrees_with_catalog,
    orphaned_relation_file,
    temporary_file_left,
    unknown_file,
    unlogged_relation_emptied,
    data_directory_permissions,
    file_access_denied,
    relation_segment_missing,
    relation_segment_short,
    relation_segment_too_big,
    relation_cut_off,
    last_block_short,
    zero_page,
    page_header_invalid,
    page_header_irregular,
    page_of_another_kind,
    page_checksum_mismatch,
    page_lsn_beyond_wal,
    lost_write,
    page_misplaced,
    page_special_invalid,
    sequence_invalid,
    line_pointer_invalid,
    tuple_header_invalid,
    update_chain_invalid,
    xmin_out_of_range,
    xmax_out_of_range,
    multixact_out_of_range,
    tuple_not_frozen,
    tuple_data_invalid,
    value_invalid,
    compressed_data_invalid,
    toast_chunk_invalid,
    toast_value_incomplete,
    large_object_invalid,
    hint_bit_contradicts_clog,
    visibility_map_disagrees_with_heap,
    free_space_map_wrong,
    clog_segment_missing,
    clog_segment_short,
    clog_segment_zeroed,
    clog_segment_foreign,
    clog_contradicts_wal,
    multixact_segment_missing,
    multixact_segment_short,
    multixact_offset_invalid,
    multixact_member_invalid,
    commit_ts_segment_missing,
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
    wal_segment_copies_differ,
    wal_archive_incomplete,
    wal_archiving_behind,
    archive_status_orphaned,
    wal_temporary_file,
}

mod archive_status;
mod slru_gaps;
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
        tablespace_map_invalid::run,
        lock_file_empty::run,
        data_directory_permissions::run,
        file_access_denied::run,
        replication_slot_invalid::run,
        replication_origin_invalid::run,
        two_phase_file_invalid::run,
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
        wal_segment_copies_differ::run,
        wal_archive_incomplete::run,
        wal_archiving_behind::run,
        archive_status_orphaned::run,
        wal_temporary_file::run,
    ];
    let files = [
        relation_map_invalid::run,
        catalog_unreadable::run,
        tablespace_link_dangling::run,
        relation_file_missing::run,
        init_fork_disagrees_with_catalog::run,
        unlogged_relation_emptied::run,
        orphaned_relation_file::run,
        temporary_file_left::run,
        unknown_file::run,
        relation_segment_missing::run,
        relation_segment_short::run,
        relation_segment_too_big::run,
        relation_cut_off::run,
        last_block_short::run,
        zero_page::run,
        visibility_map_disagrees_with_heap::run,
        free_space_map_wrong::run,
        clog_segment_missing::run,
        clog_segment_short::run,
        clog_segment_zeroed::run,
        clog_segment_foreign::run,
        clog_contradicts_wal::run,
        multixact_segment_missing::run,
        multixact_segment_short::run,
        multixact_offset_invalid::run,
        commit_ts_segment_missing::run,
        // These ask what the others found in the catalogs.
        large_object_invalid::run,
        catalog_rows_disagree::run,
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

/// A finding on a small file that the server cannot use.
fn bad_file(check: &'static Check, file: BadFile) -> Finding {
    let error = file
        .message
        .as_deref()
        .and_then(|text| text.split_once(": "));
    let mut finding = Finding::new(check, Location::file(&file.path), file.fault);
    finding.server_error = error.map(|(_, text)| text.to_owned());
    finding
}

fn bad_files(
    check: &'static Check,
    files: impl IntoIterator<Item = BadFile>,
    findings: &mut Findings,
) {
    for file in files {
        findings.push(bad_file(check, file));
    }
}

/// The check of a code.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static Check> {
    CHECKS.iter().copied().find(|check| check.code == code)
}
