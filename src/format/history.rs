//! Timeline history files: `%08X.history` in `pg_wal`, `pg_xlog` and archives.
//!
//! Source: `access/transam/timeline.c` (`xlog.c` up to 9.2), 9.0 to 19.
//!
//! ```text
//! 1<TAB>0/4026B90<TAB>no recovery target specified           9.3 and later
//! 1<TAB>000000010000000000000003<TAB>no recovery target …    up to 9.2
//! # comment
//! ```
//! A line tells where the timeline it names was left; the last one names the parent.

use super::names::WalSegmentName;
use super::types::{TimeLineID, XLogRecPtr};
use super::version::{Major, Version};
use nom::character::complete::{char, hex_digit1, multispace0, u32 as decimal};
use nom::combinator::{map_opt, recognize};
use nom::sequence::preceded;
use nom::{IResult, Parser};
use std::fmt;

/// `16/B374D848`
pub(super) fn lsn(input: &str) -> IResult<&str, XLogRecPtr> {
    map_opt(
        recognize((hex_digit1, char('/'), hex_digit1)),
        XLogRecPtr::parse,
    )
    .parse(input)
}

/// Where a timeline was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Switchpoint {
    /// The first byte of the child timeline, 9.3 and later.
    Lsn(XLogRecPtr),
    /// The last segment of the old timeline, up to 9.2.
    Segment(WalSegmentName),
}

impl fmt::Display for Switchpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lsn(lsn) => lsn.fmt(f),
            Self::Segment(name) => name.fmt(f),
        }
    }
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryEntry {
    /// Number of the line, from 1.
    pub line: usize,
    /// The ancestor.
    pub tli: TimeLineID,
    /// Where it was left; up to 9.2 the server does not read it, and it may be missing.
    pub switchpoint: Option<Switchpoint>,
    /// The rest of the line.
    pub reason: String,
}

/// What is wrong with a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HistoryFault {
    /// It does not start with a number.
    NoTimeline,
    /// No location follows the number.
    NoSwitchpoint,
    /// Its timeline is not above that of the line before.
    NotRising,
    /// The last timeline is not below the one whose history this is.
    NotBelowChild,
    /// Its location is before that of the line before. The server does not look.
    SwitchpointGoesBack,
}

impl HistoryFault {
    /// The server's FATAL message and its hint; `None` where it does not look. The message
    /// quotes the line, or the file for [`Self::NotBelowChild`].
    #[must_use]
    pub fn server_words(self, version: &Version) -> Option<(&'static str, &'static str)> {
        let syntax = "syntax error in history file: ";
        let data = "invalid data in history file: ";
        Some(match self {
            Self::NoTimeline => (syntax, "Expected a numeric timeline ID."),
            Self::NoSwitchpoint if version.since(Major::V10) => {
                (syntax, "Expected a write-ahead log switchpoint location.")
            }
            Self::NoSwitchpoint => (syntax, "Expected a transaction log switchpoint location."),
            Self::NotRising => (data, "Timeline IDs must be in increasing sequence."),
            Self::NotBelowChild => (
                "invalid data in history file ",
                "Timeline IDs must be less than child timeline's ID.",
            ),
            Self::SwitchpointGoesBack => return None,
        })
    }
}

/// A faulty line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryProblem {
    /// Number of the line, from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
    /// What is wrong with it.
    pub fault: HistoryFault,
}

/// A history file, with the lines that could not be read beside those that could.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimeLineHistory {
    /// The ancestors, oldest first where the file is sound.
    pub entries: Vec<HistoryEntry>,
    /// The faults, in the order of the lines.
    pub problems: Vec<HistoryProblem>,
}

impl TimeLineHistory {
    /// Reads the history of timeline `tli`
    /// (`timeline.c: readTimeLineHistory`, which ends at the first fault).
    #[must_use]
    pub fn parse(version: &Version, tli: TimeLineID, bytes: &[u8]) -> Self {
        let mut history = Self {
            entries: Vec::new(),
            problems: Vec::new(),
        };
        for (line, text) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            let text = String::from_utf8_lossy(text);
            if !text.trim_ascii_start().is_empty() && !text.trim_ascii_start().starts_with('#') {
                history.take_line(version, line, &text);
            }
        }
        if let Some(last) = history.entries.last()
            && last.tli >= tli
        {
            history.problems.push(HistoryProblem {
                line: last.line,
                text: last.tli.to_string(),
                fault: HistoryFault::NotBelowChild,
            });
        }
        history
    }

    fn take_line(&mut self, version: &Version, line: usize, text: &str) {
        let mut complain = |fault| {
            self.problems.push(HistoryProblem {
                line,
                text: text.to_owned(),
                fault,
            });
        };
        let Ok((rest, tli)) = preceded(multispace0::<_, ()>, decimal).parse(text) else {
            return complain(HistoryFault::NoTimeline);
        };
        let (rest, switchpoint) = if version.since(Major::V9_3) {
            match preceded(multispace0, lsn).parse(rest) {
                Ok((rest, lsn)) => (rest, Some(Switchpoint::Lsn(lsn))),
                Err(_) => return complain(HistoryFault::NoSwitchpoint),
            }
        } else {
            let rest = rest.trim_ascii_start();
            let end = rest.find(['\t', ' ']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            match WalSegmentName::parse(name) {
                Some(name) => (after, Some(Switchpoint::Segment(name))),
                None => (rest, None),
            }
        };
        if let Some(before) = self.entries.last() {
            if tli <= before.tli {
                complain(HistoryFault::NotRising);
            } else if let (Some(Switchpoint::Lsn(before)), Some(Switchpoint::Lsn(now))) =
                (before.switchpoint, switchpoint)
                && now < before
            {
                complain(HistoryFault::SwitchpointGoesBack);
            }
        }
        self.entries.push(HistoryEntry {
            line,
            tli,
            switchpoint,
            reason: rest.trim_ascii().to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::VERSIONS;

    fn parse(major: Major, tli: TimeLineID, text: &str) -> TimeLineHistory {
        TimeLineHistory::parse(Version::of(major).unwrap(), tli, text.as_bytes())
    }

    fn faults(history: &TimeLineHistory) -> Vec<(usize, HistoryFault)> {
        history.problems.iter().map(|p| (p.line, p.fault)).collect()
    }

    #[test]
    fn locations_from_9_3_on() {
        let text = "1\t0/4026B90\tno recovery target specified\n\n# note\n\
                    2\t0/05031AA0\tbefore 2026-11-20 12:24:10+00\n\n";
        let history = parse(Major::V9_6, 3, text);
        assert_eq!(faults(&history), []);
        assert_eq!(
            history.entries[1],
            HistoryEntry {
                line: 4,
                tli: 2,
                switchpoint: Some(Switchpoint::Lsn(XLogRecPtr(0x503_1AA0))),
                reason: "before 2026-11-20 12:24:10+00".to_owned(),
            }
        );
    }

    #[test]
    fn file_names_up_to_9_2() {
        let text = "1\t000000010000000000000003\tno recovery target specified\n2\n";
        let history = parse(Major::V9_2, 3, text);
        assert_eq!(faults(&history), []);
        let shown = history.entries[0].switchpoint.map(|s| s.to_string());
        assert_eq!(shown.as_deref(), Some("000000010000000000000003"));
        assert_eq!(history.entries[1].switchpoint, None);
    }

    #[test]
    fn faults_are_listed_with_their_lines() {
        let text =
            "x\n1\t000000010000000000000003\told style\n3\t0/20\tok\n2\t0/30\t\n4\t0/10\n4\n";
        let history = parse(Major::V15, 4, text);
        assert_eq!(
            faults(&history),
            [
                (1, HistoryFault::NoTimeline),
                (2, HistoryFault::NoSwitchpoint),
                (4, HistoryFault::NotRising),
                (5, HistoryFault::SwitchpointGoesBack),
                (6, HistoryFault::NoSwitchpoint),
                (5, HistoryFault::NotBelowChild),
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "[0-9A-F/\\t\\n #x]{0,80}", bytes: Vec<u8>, row in 0_usize..17) {
            let v = &VERSIONS[row];
            let _ = TimeLineHistory::parse(v, 2, text.as_bytes());
            let _ = TimeLineHistory::parse(v, 2, &bytes);
        }
    }
}
