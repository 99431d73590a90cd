//! Timeline history file cannot be understood.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::cluster::Fact;
use crate::format::history::HistoryFault;

check! {
    /// ## What it means
    /// After each promotion or point-in-time recovery a cluster goes on in a new timeline, so
    /// that its WAL is not mixed with the old. A small text file such as `00000003.history`
    /// lists the timelines it came from, and where each was left. This one cannot be read. A
    /// recovery that needs it ends: FATAL `syntax error in history file: ...` with the hint
    /// `Expected a numeric timeline ID.`, or FATAL `invalid data in history file ...`,
    /// `Timeline IDs must be in increasing sequence.` A standby that follows the timeline
    /// stops in the same way. Data in tables are not touched by it.
    ///
    /// ## How it is decided
    /// Lines are empty, a comment (`#`), or a timeline number, the place of the switch and a
    /// reason. The numbers must rise and be below the one in the file's name. The place is a
    /// WAL file name up to 9.2 and a position such as `0/3000000` from 9.3 on; 9.0 to 9.2
    /// read just the number (`xlog.c: readTimeLineHistory`; `timeline.c` from 9.3 on).
    ///
    /// ## What else may cause it
    /// A file that was emptied or filled with zeroes by a crash of the machine shortly after
    /// the promotion; an upload to the archive that was cut off; editing by hand, or line
    /// ends changed on the way; an error page of an object store saved under this name by a
    /// `restore_command` that returned success.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Then fetch the same file from
    /// elsewhere: it is written once and never changed, so the copy in the WAL archive, on
    /// the primary or on any standby (in `pg_wal`, up to 9.6 `pg_xlog`) is as good.
    ///
    /// If there is none, it can be written anew in a copy, as the file of the parent plus one
    /// line with the parent's number and the place of the switch. This report and the first
    /// record of the new timeline give that place; it must be exact, since WAL behind it on
    /// the old timeline must not be replayed. Do not just delete the file: recovery then
    /// knows of no ancestors, and takes WAL before the switch for foreign.
    "history-file-invalid" Damage Wal: "timeline history file cannot be understood"
}

/// `timeline.c: readTimeLineHistory`.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let Some(version) = examination.cluster.version else { return };
    for (id, history) in examination.cluster.histories.values() {
        let path = &examination.evidence.entry(*id).path;
        let Fact::Present(history) = history else { continue };
        for problem in &history.problems {
            let message = format!("line {}: {}: \"{}\"", problem.line, what(problem.fault), problem.text.trim());
            let mut finding = Finding::new(&CHECK, Location::file(path), message);
            finding.server_error = problem.fault.server_words(version).map(|(text, _)| text.to_owned());
            findings.push(finding);
        }
    }
}

fn what(fault: HistoryFault) -> &'static str {
    match fault {
        HistoryFault::NoTimeline => "no timeline number stands there",
        HistoryFault::NoSwitchpoint => "no WAL position stands there",
        HistoryFault::NotRising => "timelines must rise from line to line",
        HistoryFault::NotBelowChild => "an ancestor must have a lower number",
        HistoryFault::SwitchpointGoesBack => "positions must rise from line to line",
    }
}
