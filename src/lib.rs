//! Reads a PostgreSQL data directory and its WAL straight from the files.
pub mod format;
pub mod report;
