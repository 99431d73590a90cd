//! File is not a WAL segment of this cluster's size.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::wal_segments::{Kind, segments};

check! {
    /// ## What it means
    /// A file in the WAL folder or archive has the name of a segment, but not its form:
    /// another length than the segment size, or a beginning that is no WAL page of this
    /// version. If the server needs it, it reads up to there and takes it for the end of the
    /// log: LOG `invalid magic number 0000 in log segment ...` (16 and later `in WAL segment
    /// ...`; up to 9.2 `in log file ..., segment ...`), or `could not read from log segment
    /// ...`. Then it starts, and what comes later is lost without another word. From an
    /// archive it is FATAL `archive file "..." has wrong size: ... instead of ...`.
    ///
    /// ## How it is decided
    /// The length must be the segment size of `pg_control`, and the first page must begin
    /// with the magic number of the version, the flag of a long header, and the right segment
    /// and block size (`xlogreader.c: XLogReaderValidatePageHeader`; `xlog.c:
    /// ValidXLOGHeader` up to 9.2). A segment that is zero throughout is in order: it was
    /// made ahead and never used.
    ///
    /// ## What else may cause it
    /// A copy into the archive that was cut off by a full disk or a crash (`cp` without a
    /// temporary name and rename); a file still being copied; a compressed or encrypted file
    /// without its suffix; a segment of a server of another major version or segment size;
    /// `.partial` files renamed by hand; damage to the first sector.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. See whether the file lies in the
    /// range that recovery needs (the report says from where to where); outside of it nothing
    /// depends on it.
    ///
    /// If it is needed, look for the same segment elsewhere: in `pg_wal` (`pg_xlog` up to
    /// 9.6) if the bad one is in the archive, or the reverse; on a standby; in the backup.
    /// Decompress it if it is compressed. Do not pad it with zeroes to please the length
    /// check: the archive then delivers it as good, and recovery ends there silently. Repair
    /// `archive_command` so that it writes, syncs, and then renames.
    "wal-segment-malformed" Abnormal Wal: "file is not a WAL segment of this cluster's size"
}

/// Files with the name of a segment that are not one.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    for segment in segments(examination) {
        if let Kind::Malformed(message) = &segment.kind {
            findings.push(Finding::new(&CHECK, Location::file(&segment.path), message.clone()));
        }
    }
}
