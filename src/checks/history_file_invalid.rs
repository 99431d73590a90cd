//! Timeline history file cannot be understood.

use crate::check::Examination;
use crate::finding::{Finding, Findings, Location};
use crate::cluster::Fact;
use crate::format::history::HistoryFault;

check! {
    /// ## What it means
    /// Timeline history file cannot be understood.
    ///
    /// ## How it is decided
    ///
    /// ## What else may cause it
    ///
    /// ## What to do
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
