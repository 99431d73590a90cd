//! `backup_label`, the backup history file and `tablespace_map`.
//!
//! Sources, 9.0 to 19: `xlog.c: do_pg_start_backup, read_backup_label, read_tablespace_map`
//! (15 and later `xlogbackup.c: build_backup_content`, `xlogrecovery.c`).
//!
//! ```text
//! START WAL LOCATION: 0/3000028 (file 000000010000000000000003)
//! STOP WAL LOCATION: 0/30000F8 (file 000000010000000000000003)    history file only
//! CHECKPOINT LOCATION: 0/3000060
//! BACKUP METHOD: streamed              9.1 and later
//! BACKUP FROM: primary                 9.2 and later
//! START TIME: 2026-11-20 11:12:20 UTC
//! LABEL: my label
//! START TIMELINE: 1                    11 and later
//! STOP TIME, STOP TIMELINE             history file only
//! INCREMENTAL FROM LSN, … FROM TLI     17 and later, incremental backups
//! ```

use super::cursor::Malformed;
use super::history::lsn;
use super::names::WalSegmentName;
use super::refusal::Refusal;
use super::types::{Oid, TimeLineID, XLogRecPtr};
use super::version::{Major, Version};
use nom::bytes::complete::{tag, take_while_m_n};
use nom::combinator::{all_consuming, map_opt};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

/// A backup label, or a backup history file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackupLabel {
    /// Where replay must start.
    pub start_wal_location: XLogRecPtr,
    /// The segment named beside it, whose timeline replay starts on.
    pub start_wal_file: WalSegmentName,
    /// Where the backup ended; history file only.
    pub stop_wal_location: Option<(XLogRecPtr, WalSegmentName)>,
    /// The checkpoint record to start from.
    pub checkpoint_location: XLogRecPtr,
    /// `pg_start_backup`, `streamed`, `pg_rewind`.
    pub backup_method: Option<String>,
    /// `primary` (`master` up to 13), `standby`.
    pub backup_from: Option<String>,
    /// As printed.
    pub start_time: Option<String>,
    /// The user's label.
    pub label: Option<String>,
    /// `START TIMELINE`
    pub start_timeline: Option<TimeLineID>,
    /// As printed; history file only.
    pub stop_time: Option<String>,
    /// `STOP TIMELINE`; history file only.
    pub stop_timeline: Option<TimeLineID>,
    /// `INCREMENTAL FROM LSN`: this is no whole backup.
    pub incremental_from_lsn: Option<XLogRecPtr>,
    /// `INCREMENTAL FROM TLI`
    pub incremental_from_tli: Option<TimeLineID>,
    /// Lines that are none of these.
    pub other: Vec<String>,
}

/// `START WAL LOCATION: 0/3000028 (file 000000010000000000000003)`
fn location_and_file<'a>(
    name: &'static str,
    line: &'a str,
) -> IResult<&'a str, (XLogRecPtr, WalSegmentName)> {
    let file = map_opt(
        take_while_m_n(24, 24, |c: char| c.is_ascii_hexdigit()),
        WalSegmentName::parse,
    );
    all_consuming(preceded(
        (tag(name), tag(": ")),
        (lsn, delimited(tag(" (file "), file, tag(")"))),
    ))
    .parse(line)
}

/// `CHECKPOINT LOCATION: 0/3000060`
fn location<'a>(name: &'static str, line: &'a str) -> IResult<&'a str, XLogRecPtr> {
    all_consuming(preceded((tag(name), tag(": ")), lsn)).parse(line)
}

impl BackupLabel {
    /// Reads a `backup_label`.
    ///
    /// # Errors
    /// Where the server says FATAL `invalid data in file "backup_label"`: the first two lines
    /// must be there to the letter, and end with a newline, not with CR LF.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read("backup_label", bytes, false)
    }

    /// Reads a backup history file (`%08X%08X%08X.%08X.backup`).
    ///
    /// # Errors
    /// When one of the first three lines is not as it should be.
    pub fn parse_history(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read("backup history file", bytes, true)
    }

    fn read(what: &'static str, bytes: &[u8], history: bool) -> Result<Self, Malformed> {
        let mut at = 0_usize;
        let mut lines = bytes.split_inclusive(|b| *b == b'\n').map(|line| {
            let start = at;
            at = at.saturating_add(line.len());
            (start, line)
        });
        // A line of the fixed part: complete, with its newline.
        let mut fixed = |why| {
            let (at, line) = lines.next().unwrap_or((bytes.len(), &[]));
            let malformed = Malformed { what, at, why };
            let line = line.strip_suffix(b"\n").ok_or(malformed)?;
            let line = str::from_utf8(line).map_err(|_| malformed)?;
            Ok::<_, Malformed>((line, malformed))
        };
        let (line, bad) = fixed("no START WAL LOCATION with a location and a WAL file name")?;
        let (start_wal_location, start_wal_file) = location_and_file("START WAL LOCATION", line)
            .map_err(|_| bad)?
            .1;
        let stop_wal_location = if history {
            let (line, bad) = fixed("no STOP WAL LOCATION with a location and a WAL file name")?;
            Some(
                location_and_file("STOP WAL LOCATION", line)
                    .map_err(|_| bad)?
                    .1,
            )
        } else {
            None
        };
        let (line, bad) = fixed("no CHECKPOINT LOCATION with a location")?;
        let checkpoint_location = location("CHECKPOINT LOCATION", line).map_err(|_| bad)?.1;
        let mut label = Self {
            start_wal_location,
            start_wal_file,
            stop_wal_location,
            checkpoint_location,
            backup_method: None,
            backup_from: None,
            start_time: None,
            label: None,
            start_timeline: None,
            stop_time: None,
            stop_timeline: None,
            incremental_from_lsn: None,
            incremental_from_tli: None,
            other: Vec::new(),
        };
        for (_, line) in lines {
            label.take_line(String::from_utf8_lossy(line).trim_end_matches('\n'));
        }
        Ok(label)
    }

    fn take_line(&mut self, line: &str) {
        let text = |value: &str| Some(value.to_owned());
        match line.split_once(": ") {
            Some(("BACKUP METHOD", value)) => self.backup_method = text(value),
            Some(("BACKUP FROM", value)) => self.backup_from = text(value),
            Some(("START TIME", value)) => self.start_time = text(value),
            Some(("LABEL", value)) => self.label = text(value),
            Some(("STOP TIME", value)) => self.stop_time = text(value),
            Some(("START TIMELINE", value)) if value.parse::<u32>().is_ok() => {
                self.start_timeline = value.parse().ok();
            }
            Some(("STOP TIMELINE", value)) if value.parse::<u32>().is_ok() => {
                self.stop_timeline = value.parse().ok();
            }
            Some(("INCREMENTAL FROM TLI", value)) if value.parse::<u32>().is_ok() => {
                self.incremental_from_tli = value.parse().ok();
            }
            Some(("INCREMENTAL FROM LSN", value)) if XLogRecPtr::parse(value).is_some() => {
                self.incremental_from_lsn = XLogRecPtr::parse(value);
            }
            _ if line.is_empty() => {}
            _ => self.other.push(line.to_owned()),
        }
    }

    /// Whether the backup was taken from a standby. The server misses the line where it does
    /// not follow a `BACKUP METHOD`.
    #[must_use]
    pub fn is_from_standby(&self) -> bool {
        self.backup_method.is_some() && self.backup_from.as_deref() == Some("standby")
    }

    /// What a server of `version` says of a label it could read (`read_backup_label`).
    #[must_use]
    pub fn refusal(&self, version: &Version) -> Option<Refusal> {
        // fscanf takes "START TIME" away from the line when it is the first to begin so.
        let found = self
            .start_timeline
            .filter(|_| version.since(Major::V11) && self.start_time.is_some());
        if let Some(found) = found
            && found != self.start_wal_file.tli
        {
            return Some(Refusal {
                severity: "FATAL",
                message: "invalid data in file \"backup_label\"".to_owned(),
                detail: Some(format!(
                    "Timeline ID parsed is {found}, but expected {}.",
                    self.start_wal_file.tli
                )),
                hint: None,
            });
        }
        (version.since(Major::V17) && self.incremental_from_lsn.is_some()).then(|| Refusal {
            severity: "FATAL",
            message: "this is an incremental backup, not a data directory".to_owned(),
            detail: None,
            hint: Some("Use pg_combinebackup to reconstruct a valid data directory."),
        })
    }
}

/// One line of `tablespace_map`: where a tablespace's link must point.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TablespaceMapEntry {
    /// The tablespace.
    pub oid: Oid,
    /// The folder, in the bytes of the file system.
    pub path: Vec<u8>,
}

/// Reads a `tablespace_map`, 9.5 and later. A backslash takes the next byte as it is.
///
/// # Errors
/// Where the server says FATAL `invalid data in file "tablespace_map"`: a line without a
/// number, or a last line without its end.
pub fn parse_tablespace_map(bytes: &[u8]) -> Result<Vec<TablespaceMapEntry>, Malformed> {
    let malformed = |at, why| Malformed {
        what: "tablespace_map",
        at,
        why,
    };
    let mut entries = Vec::new();
    let mut line = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => {
                line.push(*byte);
                escaped = false;
            }
            b'\\' => escaped = true,
            b'\n' | b'\r' => {
                if !line.is_empty() {
                    let entry = tablespace(&line)
                        .ok_or_else(|| malformed(start, "no tablespace number and path"))?;
                    entries.push(entry);
                    line.clear();
                }
                start = at.saturating_add(1);
            }
            _ => line.push(*byte),
        }
    }
    if escaped || !line.is_empty() {
        return Err(malformed(start, "the last line has no end"));
    }
    Ok(entries)
}

fn tablespace(line: &[u8]) -> Option<TablespaceMapEntry> {
    let space = line.iter().position(|b| *b == b' ')?;
    let (oid, path) = line.split_at_checked(space)?;
    Some(TablespaceMapEntry {
        oid: str::from_utf8(oid).ok()?.parse().ok()?,
        path: path.trim_ascii_start().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &str = "START WAL LOCATION: 0/01C00028 (file 00000001000000000000001C)\n\
                         CHECKPOINT LOCATION: 0/1C00080\n\
                         BACKUP METHOD: streamed\n\
                         BACKUP FROM: primary\n\
                         START TIME: 2026-11-20 12:32:02 UTC\n\
                         LABEL: lab: incremental\n\
                         START TIMELINE: 1\n\
                         INCREMENTAL FROM LSN: 0/1200BF8\n\
                         INCREMENTAL FROM TLI: 1\n";

    fn of(major: Major) -> &'static Version {
        Version::of(major).unwrap()
    }

    #[test]
    fn all_lines_are_read() {
        let label = BackupLabel::parse(LABEL.as_bytes()).unwrap();
        assert_eq!(label.start_wal_location, XLogRecPtr(0x1C0_0028));
        assert_eq!(label.start_wal_file.seg, 0x1C);
        assert_eq!(label.checkpoint_location, XLogRecPtr(0x1C0_0080));
        assert_eq!(label.backup_method.as_deref(), Some("streamed"));
        assert_eq!(label.backup_from.as_deref(), Some("primary"));
        assert_eq!(label.label.as_deref(), Some("lab: incremental"));
        assert_eq!(label.start_timeline, Some(1));
        assert_eq!(label.incremental_from_lsn, Some(XLogRecPtr(0x120_0BF8)));
        assert_eq!(label.incremental_from_tli, Some(1));
        assert_eq!(label.other, [""; 0]);
        let refusal = label.refusal(of(Major::V17)).unwrap();
        assert_eq!(
            refusal.to_string(),
            "FATAL:  this is an incremental backup, not a data directory"
        );
    }

    #[test]
    fn two_lines_must_be_exact() {
        let at = |text: &str| BackupLabel::parse(text.as_bytes()).unwrap_err().at;
        assert_eq!(at(""), 0);
        assert_eq!(
            at(&LABEL.replace('\n', "\r\n")),
            0,
            "as a Windows editor leaves it"
        );
        assert_eq!(at(&LABEL[..40]), 0);
        assert_eq!(at(&LABEL[..LABEL.find('\n').unwrap() + 1]), 63);
        assert_eq!(at(&LABEL.replace("CHECKPOINT", "CHECKPOIN")), 63);
        assert_eq!(at(&LABEL.replace("0/01C00028", "0-01C00028")), 0);
    }

    #[test]
    fn the_timeline_must_be_that_of_the_file_from_11_on() {
        let text = LABEL.replace("TIMELINE: 1", "TIMELINE: 2");
        let label = BackupLabel::parse(text.as_bytes()).unwrap();
        assert_eq!(label.refusal(of(Major::V10)), None);
        assert_eq!(
            label.refusal(of(Major::V16)).unwrap().detail.as_deref(),
            Some("Timeline ID parsed is 2, but expected 1.")
        );
    }

    #[test]
    fn history_files_have_the_end_too() {
        let text = LABEL.replace(
            "CHECKPOINT",
            "STOP WAL LOCATION: 0/1C00120 (file 00000001000000000000001C)\nCHECKPOINT",
        ) + "STOP TIME: now\nSTOP TIMELINE: 1\nodd\n";
        let label = BackupLabel::parse_history(text.as_bytes()).unwrap();
        assert_eq!(label.stop_wal_location.unwrap().0, XLogRecPtr(0x1C0_0120));
        assert_eq!(label.stop_timeline, Some(1));
        assert_eq!(label.other, ["odd"]);
        assert!(BackupLabel::parse_history(LABEL.as_bytes()).is_err());
    }

    #[test]
    fn tablespace_map_unescapes() {
        let entry = |oid, path: &[u8]| TablespaceMapEntry {
            oid,
            path: path.to_vec(),
        };
        assert_eq!(
            parse_tablespace_map(b"16385 ../../ts1\r\n16390 /a\\\nb\\\\c d\n"),
            Ok(vec![
                entry(16385, b"../../ts1"),
                entry(16390, b"/a\nb\\c d")
            ])
        );
        for (bad, at) in [(&b"x /a\n"[..], 0), (b"1 /a\n2 /b", 5), (b"1\n", 0)] {
            assert_eq!(parse_tablespace_map(bad).unwrap_err().at, at);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(bytes: Vec<u8>, at in 0_usize..300, byte: u8) {
            let _ = parse_tablespace_map(&bytes);
            let _ = BackupLabel::parse(&bytes);
            let mut text = LABEL.as_bytes().to_vec();
            let at = at % text.len();
            text[at] = byte;
            let _ = BackupLabel::parse(&text).map(|l| l.refusal(of(Major::V19)));
            let _ = BackupLabel::parse_history(&text);
        }
    }
}
