//! WAL breaks off although valid WAL follows.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::finding::Confidence;
use crate::format::types::{TimeLineID, XLogRecPtr, XLogSegNo};
use crate::format::wal::{WalGeometry, WalPageHeader};
use crate::recovery::reader::{Position, WalContext, WalReader, WalSource};
use crate::recovery::source::EvidenceWal;
use crate::recovery::start::DryRun;
use crate::recovery::stop::StopCause;
use crate::recovery::walk::normalize;
use crate::report::StopKind;

check! {
    /// ## What it means
    /// WAL breaks off although valid WAL follows.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
    "wal-record-damaged" Damage Wal: "WAL breaks off although valid WAL follows"
}

/// Valid WAL behind the place where the server stops reading.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(run), Some(version)) = (examination.recovery, examination.cluster.version) else {
        return;
    };
    let (Some(stop), Some(wal)) = (&run.stop, examination.wal) else { return };
    if stop_kind(examination, run) != StopKind::Damage {
        return;
    }
    let geometry = WalGeometry::of(wal.layout());
    let path = wal.path(run.timeline_of(stop.lsn), geometry.segment_of(stop.lsn));
    let reason = stop.message(version).unwrap_or_default();
    let message = format!(
        "{reason}; valid WAL follows, which the server does not replay and does not mention"
    );
    let location = Location::file(&path)
        .at_lsn(stop.lsn)
        .at_byte(geometry.segment_offset(stop.lsn));
    findings.push(Finding::new(&CHECK, location, message).confidence(Confidence::Likely));
}

/// What kind of end the WAL has.
#[must_use]
pub fn stop_kind(examination: &Examination<'_>, run: &DryRun) -> StopKind {
    let (Some(stop), Some(wal)) = (&run.stop, examination.wal) else { return StopKind::EndOfWal };
    let Some(control) = examination.cluster.sound_control() else { return StopKind::EndOfWal };
    let context = WalContext {
        layout: *wal.layout(),
        system_identifier: Some(control.system_identifier),
        timelines: run.timelines.clone(),
    };
    let geometry = WalGeometry::of(wal.layout());
    let segno = geometry.segment_of(normalize(&context, stop.lsn));
    let tli = run.timelines.target();
    let later = wal
        .segments()
        .any(|(t, s, _)| t == tli && s > segno && begins_with_a_record(&context, wal, s));
    match &stop.cause {
        StopCause::MissingSegment { .. } if later => StopKind::MissingSegment,
        StopCause::MissingSegment { .. } => StopKind::EndOfWal,
        _ if later => StopKind::Damage,
        // Where nothing was written yet, or only an earlier use of the file shows, writing
        // ended; a copy of a running server may hold later pages all the same.
        StopCause::ZeroLength
        | StopCause::Length { found: 0, .. }
        | StopCause::Magic { found: 0, .. }
        | StopCause::PageAddress { .. } => StopKind::EndOfWal,
        _ if record_in_later_page(&context, wal, tli, stop.lsn) => StopKind::Damage,
        _ => StopKind::EndOfWal,
    }
}

/// Whether the first record that starts in a segment is a valid one.
fn begins_with_a_record(context: &WalContext, wal: &EvidenceWal<'_>, segno: XLogSegNo) -> bool {
    let mut reader = WalReader::new(context, wal, Position::at(XLogRecPtr::INVALID));
    match reader.find_first_in_segment(segno) {
        Ok(Some(lsn)) => WalReader::new(context, wal, Position::at(lsn)).read().is_ok(),
        Ok(None) | Err(_) => false,
    }
}

/// Whether a later page of the segment begins with, or soon holds, a valid record.
fn record_in_later_page(
    context: &WalContext,
    wal: &EvidenceWal<'_>,
    tli: TimeLineID,
    stop: XLogRecPtr,
) -> bool {
    let geometry = WalGeometry::of(&context.layout);
    let segno = geometry.segment_of(stop);
    let Some(file) = wal.open(tli, segno) else { return false };
    let mut head = [0; 40];
    let mut page = geometry.next_page(stop);
    while geometry.segment_of(page) == segno {
        let got = file.read_at(&mut head, geometry.segment_offset(page)).unwrap_or(0);
        let header = WalPageHeader::parse(context.layout.version, &head[..got]);
        if let Ok(header) = header
            && context.layout.version.wal_magics.contains(&header.xlp_magic)
            && header.xlp_pageaddr == page
        {
            let skipped = u64::from(header.xlp_rem_len).next_multiple_of(8);
            let first = XLogRecPtr(page.0 + u64::from(header.size) + skipped);
            if WalReader::new(context, wal, Position::at(first)).read().is_ok() {
                return true;
            }
        }
        page = geometry.next_page(page);
    }
    false
}
