//! WAL segment belongs to another cluster.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use super::wal_segments::{Kind, segments};

check! {
    /// ## What it means
    /// Each WAL segment bears the system identifier of the cluster that wrote it, a number
    /// that `initdb` chose. This segment has another one, so it comes from another cluster.
    /// The server does not replay it: LOG `WAL file is from different database system: WAL
    /// file database system identifier is ..., pg_control database system identifier is ...`
    /// (up to 9.2 the two numbers are in a DETAIL), and it takes this place for the end of
    /// the log. If the segment stands where this cluster's own should be, all that follows is
    /// lost without another word.
    ///
    /// ## How it is decided
    /// `xlp_sysid` in the long header of the segment's first page is compared with the
    /// identifier in `pg_control` (`xlogreader.c: XLogReaderValidatePageHeader`; `xlog.c:
    /// ValidXLOGHeader` up to 9.2).
    ///
    /// ## What else may cause it
    /// Two clusters that archive into the same folder; a restore with the archive of another
    /// cluster; a new `initdb` (or `pg_upgrade`, which makes a new identifier) in front of an
    /// old archive; `pg_control` replaced by another cluster's, and then all segments look
    /// foreign; `pg_resetwal` that had to guess the identifier, with the same effect. A copy
    /// or a standby of this cluster has the same identifier: its WAL is not found this way.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. If nearly all segments are foreign,
    /// `pg_control` is the stranger: find the right one.
    ///
    /// If a few are, find the cluster they belong to before you move them: that cluster's
    /// archive may lack them now. Then look for the own segments of these names (archive,
    /// standby, backup), put them into a copy, and check again. Do not patch the identifier
    /// to get it replayed: records of another cluster change pages of yours that have nothing
    /// to do with them, and that cannot be undone. Give each cluster an archive folder of its
    /// own.
    "wal-segment-foreign" Abnormal Wal: "WAL segment belongs to another cluster"
}

/// The first page of every segment names the cluster it belongs to (`xlp_sysid`).
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let own = examination.cluster.sound_control().map(|control| control.system_identifier);
    for segment in segments(examination) {
        if let (Kind::Foreign(found), Some(own)) = (&segment.kind, own) {
            let message = format!("belongs to the cluster with system identifier {found}");
            let finding = Finding::new(&CHECK, Location::file(&segment.path), message)
                .found_expected(found, own);
            findings.push(finding);
        }
    }
}
