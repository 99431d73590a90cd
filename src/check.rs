//! `pgautopsy check` as a function: evidence in, report out.

use crate::report::Report;
use std::fmt;
use std::path::{Path, PathBuf};

/// What to look at, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Folders with archived WAL segments and history files.
    pub wal_archives: Vec<PathBuf>,
    /// Threads; `None` for as many as there are processors.
    pub threads: Option<usize>,
    /// How relation files are read.
    pub io_mode: IoMode,
    /// Only relations of this database, by name or OID.
    pub database: Option<String>,
    /// Only this relation: `name`, `schema.name`, or the number of its file.
    pub relation: Option<String>,
    /// Only some of the checks.
    pub only: Only,
    /// How many findings of one check on one relation or file are kept; the rest are counted.
    pub max_findings: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wal_archives: Vec::new(),
            threads: None,
            io_mode: IoMode::Pread,
            database: None,
            relation: None,
            only: Only::All,
            max_findings: 20,
        }
    }
}

/// How relation files are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoMode {
    /// Positioned reads: a bad sector is an error of one read.
    Pread,
    /// Memory maps: a bad sector ends the process.
    Mmap,
}

/// Which checks run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Only {
    /// Every check.
    All,
    /// Page checksums alone.
    Checksums,
    /// The control file and the WAL alone.
    Wal,
}

/// Hears how far a run has come; called from several threads.
pub trait Progress: Sync {
    /// A phase begins; `total_bytes` is what it will read, when that is known.
    fn phase(&self, name: &str, total_bytes: Option<u64>);
    /// So many bytes more of the phase are done.
    fn advance(&self, bytes: u64);
}

/// Nobody listens.
impl Progress for () {
    fn phase(&self, _name: &str, _total_bytes: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
}

/// Why there is no report.
#[derive(Debug)]
pub enum CheckError {
    /// The engine is not connected yet.
    NotConnected(PathBuf),
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(path) => {
                write!(f, "cannot check {}: not built yet", path.display())
            }
        }
    }
}

impl std::error::Error for CheckError {}

/// Reads the evidence at `path`, a data directory or a tar of one, and reports.
///
/// # Errors
/// When there is nothing to report on: the path cannot be opened, or is no data directory.
pub fn check(
    path: &Path,
    _options: &Options,
    _progress: &dyn Progress,
) -> Result<Report, CheckError> {
    Err(CheckError::NotConnected(path.to_owned()))
}
