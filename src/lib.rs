//! Reads a PostgreSQL data directory and its WAL straight from the files.
pub mod check;
pub mod checks;
pub mod finding;
pub mod format;
pub mod recovery;
pub mod report;
pub mod verdict;
