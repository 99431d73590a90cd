//! A catalog cannot be read in full, so that names are unknown.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};

check! {
    /// ## What it means
    /// Databases, schemas and relations have their names in catalogs: `pg_database`,
    /// `pg_namespace`, `pg_class`; `pg_attribute` has those of columns, and `pg_type` tells what
    /// domains are over. Part of one of them could not be read, so some relations appear in this
    /// report by the path of their file, or the values in their rows are not looked at. The
    /// finding says nothing about the tables themselves: those are judged by their own pages.
    ///
    /// ## How it is decided
    /// `pg_filenode.map` tells the files of the mapped catalogs (`relmapper.c`), the rows in
    /// them tell the rest. Rows that the WAL will still change are changed first, as replay
    /// would (`heapam.c: heap_redo`; `heapam_xlog.c` from 18 on). Blocks whose header is invalid, records that fit
    /// no page, and maps that cannot be used are listed.
    ///
    /// ## What else may cause it
    /// Damage that has a finding of its own: look for `page-header-invalid`,
    /// `page-checksum-mismatch`, `relation-map-invalid` or `relation-segment-missing` at the
    /// same file. A database whose folder was only being made when the server stopped has no
    /// catalogs yet.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else.
    ///
    /// Deal with the other findings on the same file first. A damaged catalog also keeps the
    /// server from opening the database: restore it from a backup or a standby rather than
    /// editing it.
    "catalog-unreadable" Note Dir: "a catalog cannot be read in full: names are unknown"
}

/// What was met while the catalogs were read.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    for problem in examination.catalog_problems {
        findings.push(Finding::new(&CHECK, Location::file(&problem.path), &problem.message));
    }
}
