//! Two copies of a WAL segment contradict each other.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::format::wal::WalGeometry;
use crate::recovery::copies::contradictions;

check! {
    /// ## What it means
    /// A WAL segment is there more than once: in the WAL folder and in an archive, in two
    /// archives, or as a `.partial` file beside the whole one. The copies are of one timeline
    /// and one cluster, so the records that both hold must be the same. They are not: at the
    /// position named one copy has a valid record that the other has otherwise, or cannot be
    /// read there although it goes on behind. Which of them recovery reads then decides what
    /// the database holds, and no server says so: a restore that fetches the wrong one ends
    /// early (LOG `incorrect resource manager data checksum in record at ...` and the like),
    /// or replays what never belonged to this server.
    ///
    /// ## How it is decided
    /// Where the files are not equal to the byte, the records that start in the segment are
    /// read from both, with all checks of `xlogreader.c: ValidXLogRecord`, and the first place
    /// is sought where they part. Only what both hold counts: a copy that ends early, in
    /// zeros or in an earlier use of the file, is one that was taken before the segment was
    /// full, as a `.partial` file is, and is no fault. A copy that cannot be read on counts as
    /// damaged when something is written at that place and later pages of the file have their
    /// own address.
    ///
    /// ## What else may cause it
    /// Records that differ: two servers wrote on one timeline, after a standby was started on
    /// its own without a promotion or a crashed primary was started beside its successor; two
    /// clusters made from one copy that archive into one folder. A damaged copy: a failing
    /// disk, a transfer without verification, an `archive_command` that copied while the
    /// source could not be read.
    ///
    /// ## What to do
    /// Copy the directory and the archive as they are before anything else. Do not overwrite
    /// one copy with the other before you know which is right.
    ///
    /// If one copy is damaged, recovery needs the other: put it where the server looks first
    /// (the archive in archive recovery, else the WAL folder) in a copy, and check again. If
    /// both are valid, find out which server wrote which: the history files and the times of
    /// the commits tell (`pgautopsy wal dump` on either file). Restore each line with its own
    /// segments only, and give each server an archive folder of its own.
    "wal-segment-copies-differ" Abnormal Wal: "copies of a WAL segment contradict each other"
}

/// Compares the copies of each segment with the one that is tried first.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(wal), Some(availability)) = (examination.wal, examination.availability) else {
        return;
    };
    let (evidence, cluster) = (examination.evidence, examination.cluster);
    let geometry = WalGeometry::of(wal.layout());
    let own = cluster.sound_control().map(|control| control.system_identifier);
    for contradiction in contradictions(evidence, cluster, wal, availability, own) {
        let (id, lsn, message) = contradiction.told(evidence);
        let location = Location::file(&evidence.entry(id).path)
            .at_lsn(lsn)
            .at_byte(geometry.segment_offset(lsn));
        findings.push(Finding::new(&CHECK, location, message));
    }
}
