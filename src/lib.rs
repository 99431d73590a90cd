//! Reads a PostgreSQL data directory and its WAL straight from the files.
pub mod check;
pub mod checks;
pub mod cluster;
pub mod finding;
pub mod format;
pub mod pgdata;
pub mod recovery;
pub mod report;
pub mod scan;
pub mod verdict;
