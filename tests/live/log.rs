//! What a server says about its own start, read from its log.

/// The next start as the real server made it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Startup {
    /// `clean`, `crash_recovery` or `archive_recovery`, in the report's words.
    pub outcome: &'static str,
    pub redo_start: Option<String>,
    pub redo_done: Option<String>,
    /// Why it stopped reading WAL. None when it did not say: a segment that is not there goes without a word.
    pub stop_reason: Option<String>,
    /// Microseconds since 1970.
    pub last_completed_transaction: Option<i64>,
}

/// What a server may say between "redo starts at" and "redo done at" that is not the reason why it stopped.
const PROGRESS: [&str; 28] = [
    "recovered replication state of node",
    "starting archive recovery",
    "could not open directory",
    "crash recovery starts in timeline",
    "redo starts at",
    "redo in progress",
    "consistent recovery state reached at",
    "completed backup recovery",
    "database system is ready to accept read",
    "restored log file",
    "recovering prepared transaction",
    "received promote request",
    "fetching timeline history file",
    "started streaming WAL",
    "replication terminated by primary",
    "new target timeline is",
    "waiting for WAL to become available",
    "restartpoint",
    "recovery restart point",
    "checkpoint starting",
    "checkpoint complete",
    "received fast shutdown request",
    "shutting down",
    "could not connect to the primary",
    "aborting any active transactions",
    "last completed transaction",
    "selected new timeline ID",
    "trigger file found",
];

impl Startup {
    /// Reads the log of a server that came up.
    pub fn read(log: &str) -> Startup {
        let mut startup = Startup {
            outcome: "clean",
            ..Startup::default()
        };
        let mut recovering = false;
        for line in log.lines() {
            let Some(said) = line.strip_prefix("LOG:  ") else {
                continue;
            };
            if said.contains("automatic recovery in progress") {
                // An archive that was asked for comes after the crash.
                if startup.outcome != "archive_recovery" {
                    startup.outcome = "crash_recovery";
                }
                recovering = true;
            } else if said == "starting archive recovery" || said == "entering standby mode" {
                startup.outcome = "archive_recovery";
            } else if let Some(lsn) = said.strip_prefix("redo starts at ") {
                // Recovery that is not a crash's goes by what the backup label or the standby's settings say.
                if !recovering {
                    startup.outcome = "archive_recovery";
                }
                recovering = true;
                startup.redo_start = Some(lsn.to_owned());
            } else if let Some(rest) = said.strip_prefix("redo done at ") {
                // 13 and later go on with the system usage.
                startup.redo_done = rest.split(' ').next().map(str::to_owned);
                recovering = false;
            } else if said == "redo is not required" {
                recovering = false;
            } else if let Some(time) =
                said.strip_prefix("last completed transaction was at log time ")
            {
                startup.last_completed_transaction = Some(microseconds(time));
            } else if recovering
                && startup.stop_reason.is_none()
                && !said.ends_with("reading as zeroes")
                && !PROGRESS.iter().any(|progress| said.starts_with(progress))
            {
                // Up to 11 a short read is told with whatever error the last failed call had left.
                startup.stop_reason = Some(match said.rsplit_once(": ") {
                    Some((what, error))
                        if what.starts_with("could not read from log segment")
                            && !error.starts_with("read ") =>
                    {
                        format!("{what}: Success")
                    }
                    _ => said.to_owned(),
                });
            }
        }
        startup
    }

    /// Where WAL ends, for the reasons that name the place.
    pub fn end_of_wal(&self) -> Option<&str> {
        let reason = self.stop_reason.as_deref()?;
        let names_it = [
            "invalid record length at ",
            "invalid resource manager ID ",
            "record with incorrect prev-link ",
            "record with invalid length at ",
            "incorrect resource manager data checksum in record at ",
        ];
        if !names_it.iter().any(|start| reason.starts_with(start)) {
            return None;
        }
        // 16 and later go on with "expected at least 24, got 0".
        let (_, rest) = reason.split_once(" at ")?;
        rest.split(':').next()
    }
}

/// Microseconds since 1970 of a UTC time as the server (`2026-11-20 12:25:07.728694+00`, trailing zeros left out), the
/// report (RFC 3339) and pg_waldump (`… 12:25:07.728694 UTC`) print it.
pub fn microseconds(time: &str) -> i64 {
    let strange = || -> ! { panic!("not a time in UTC: {time:?}") };
    let bare = ["+00:00", "+00", "Z", " UTC"]
        .iter()
        .find_map(|zone| time.strip_suffix(zone))
        .unwrap_or_else(|| strange());
    let (seconds, fraction) = bare.split_once('.').unwrap_or((bare, ""));
    let numbers: Vec<i64> = seconds
        .split(['-', ' ', 'T', ':'])
        .map(|part| part.parse().unwrap_or_else(|_| strange()))
        .collect();
    let [year, month, day, hour, minute, second] = numbers[..] else {
        strange()
    };
    // Days from the civil calendar, with years that begin in March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719_469;
    let micros: i64 = format!("{fraction:0<6}")
        .parse()
        .unwrap_or_else(|_| strange());
    (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_three_notations() {
        assert_eq!(microseconds("1970-01-01 00:00:00+00"), 0);
        assert_eq!(
            microseconds("2000-02-29 00:00:01.5+00"),
            951_782_401_500_000
        );
        assert_eq!(
            microseconds("2026-11-20T12:25:07.728694Z"),
            microseconds("2026-11-20 12:25:07.728694+00")
        );
        assert_eq!(
            microseconds("2013-10-10 05:11:59.994 UTC"),
            microseconds("2013-10-10T05:11:59.994000Z")
        );
    }

    #[test]
    fn a_crash() {
        let startup = Startup::read(
            "LOG:  database system was interrupted; last known up at 2026-11-20 12:20:57 UTC\n\
             LOG:  database system was not properly shut down; automatic recovery in progress\n\
             LOG:  redo starts at 0/150B730\n\
             LOG:  invalid record length at 0/1E7F6A8: wanted 24, got 0\n\
             LOG:  redo done at 0/1E7F680 system usage: CPU: user: 0.01 s, system: 0.01 s, elapsed: 0.03 s\n\
             LOG:  checkpoint starting: end-of-recovery immediate wait\n\
             LOG:  database system is ready to accept connections\n",
        );
        assert_eq!(startup.outcome, "crash_recovery");
        assert_eq!(startup.redo_start.as_deref(), Some("0/150B730"));
        assert_eq!(startup.redo_done.as_deref(), Some("0/1E7F680"));
        assert_eq!(startup.end_of_wal(), Some("0/1E7F6A8"));
        assert_eq!(startup.last_completed_transaction, None);
    }

    #[test]
    fn a_crash_with_nothing_to_replay() {
        let startup = Startup::read(
            "LOG:  database system was not properly shut down; automatic recovery in progress\n\
             LOG:  invalid record length at 0/1690B60: expected at least 24, got 0\n\
             LOG:  redo is not required\n\
             LOG:  checkpoint starting: end-of-recovery immediate\n",
        );
        assert_eq!(startup.outcome, "crash_recovery");
        assert_eq!(
            (startup.redo_start.as_ref(), startup.redo_done.as_ref()),
            (None, None)
        );
        assert_eq!(startup.end_of_wal(), Some("0/1690B60"));
    }

    #[test]
    fn a_backup() {
        let startup = Startup::read(
            "LOG:  database system was interrupted; last known up at 2026-11-20 12:31:57 UTC\n\
             LOG:  starting backup recovery with redo LSN 0/1200BF8, checkpoint LSN 0/1200C58, on timeline ID 1\n\
             LOG:  redo starts at 0/1200BF8\n\
             LOG:  consistent recovery state reached at 0/1351750\n\
             LOG:  invalid magic number 0000 in WAL segment 00000001000000000000001E, LSN 0/1E46000, offset 286720\n\
             LOG:  redo done at 0/1E44438\n\
             LOG:  last completed transaction was at log time 2026-11-20 12:32:06.981314+00\n",
        );
        assert_eq!(startup.outcome, "archive_recovery");
        assert!(
            startup
                .stop_reason
                .as_ref()
                .unwrap()
                .starts_with("invalid magic number")
        );
        assert_eq!(startup.end_of_wal(), None);
        assert!(startup.last_completed_transaction.is_some());
    }

    #[test]
    fn a_clean_start() {
        let startup =
            Startup::read("LOG:  database system was shut down at 2026-11-20 12:36:33 UTC\n");
        assert_eq!(
            startup,
            Startup {
                outcome: "clean",
                ..Startup::default()
            }
        );
    }
}
