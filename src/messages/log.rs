//! Finds known messages in server logs: stderr with any `log_line_prefix`, csvlog, jsonlog.
//!
//! Each line shows by itself which of the three it is, so that logs may be mixed. Memory is
//! bounded: of long lines only the beginning is looked at, and of each family only the first
//! different messages are kept, the others counted.

use super::{MESSAGES, Message, Recognised, recognise};
use serde::Deserialize;
use std::io::{self, BufRead};

/// Bytes of a line that are looked at; known messages are far shorter.
const MAX_LINE: usize = 64 << 10;
/// Bytes of a csvlog record of several lines that are looked at.
const MAX_RECORD: usize = 1 << 20;
/// Different messages of one family that are kept.
const MAX_DIFFERENT: usize = 100;

/// Where in a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogPlace {
    /// Line, from 1.
    pub line: u64,
    /// The time as the log has it, where it is seen.
    pub time: Option<String>,
}

/// One message with its repetitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// The message with its values.
    pub recognised: Recognised,
    /// How often.
    pub count: u64,
    /// First place.
    pub first: LogPlace,
    /// Last place.
    pub last: LogPlace,
}

/// What a log holds of one family.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Family {
    /// The family.
    pub message: &'static Message,
    /// Its messages, in order of appearance.
    pub sightings: Vec<Sighting>,
    /// Further messages with other values, which were not kept.
    pub more: u64,
}

/// What was found in a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogSummary {
    /// The known families, the most serious first.
    pub families: Vec<Family>,
    /// Lines read.
    pub lines: u64,
    /// Messages that are not known.
    pub unknown: u64,
}

/// Reads a log to its end.
///
/// # Errors
/// When `reader` cannot be read.
pub fn read<R: BufRead>(mut reader: R) -> io::Result<LogSummary> {
    let mut search = Search::default();
    let mut line = Vec::new();
    // A csvlog record whose quotes are still open, and its first line.
    let mut open: Option<(String, u64)> = None;
    while let Some(odd_quotes) = read_line(&mut reader, &mut line, MAX_LINE)? {
        search.summary.lines += 1;
        let number = search.summary.lines;
        let text = String::from_utf8_lossy(&line);
        let is_csv = csv_fields(&text).is_some();
        if let Some((mut record, start)) = open.take() {
            // A new record in an open one: the crash cut the first one off.
            if is_csv {
                search.csv(&record, start);
            } else {
                if record.len() < MAX_RECORD {
                    record.push('\n');
                    record.push_str(&text);
                }
                if odd_quotes {
                    search.csv(&record, start);
                } else {
                    open = Some((record, start));
                }
                continue;
            }
        }
        if is_csv && odd_quotes {
            open = Some((text.into_owned(), number));
        } else if is_csv {
            search.csv(&text, number);
        } else if !(text.starts_with('{') && search.json(&text, number)) {
            search.plain(&text, number);
        }
    }
    if let Some((record, start)) = open {
        search.csv(&record, start);
    }
    Ok(search.finish())
}

/// Recognises what somebody pasted: lines of a log, or a message without anything before it.
#[must_use]
pub fn read_pasted(text: &str) -> LogSummary {
    let mut search = Search::default();
    for line in text.lines() {
        search.summary.lines += 1;
        let place = search.summary.lines;
        if Labelled::find(line).is_some() {
            search.plain(line, place);
        } else {
            search.primary(
                line.trim(),
                LogPlace {
                    line: place,
                    time: None,
                },
            );
        }
    }
    search.finish()
}

/// Puts the next line, up to `limit` bytes of it, into `line`; says whether the whole line
/// has an odd number of quotation marks, or `None` at the end.
fn read_line<R: BufRead>(
    reader: &mut R,
    line: &mut Vec<u8>,
    limit: usize,
) -> io::Result<Option<bool>> {
    line.clear();
    let mut odd_quotes = false;
    let mut any = false;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(any.then_some(odd_quotes));
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or(buffer);
        odd_quotes ^= piece.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
        let room = limit.saturating_sub(line.len()).min(piece.len());
        line.extend_from_slice(piece.get(..room).unwrap_or(piece));
        let used = piece.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(odd_quotes));
        }
    }
}

/// Severities of a message (`elog.c: error_severity`; `send_message_to_server_log`).
const PRIMARY: [&str; 13] = [
    "LOG", "ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "INFO", "DEBUG", "DEBUG1", "DEBUG2",
    "DEBUG3", "DEBUG4", "DEBUG5",
];
/// What may follow a message and say something of its own.
const SECONDARY: [&str; 3] = ["DETAIL", "HINT", "CONTEXT"];
/// What may follow it and is the client's or the source's.
const FOREIGN: [&str; 4] = ["STATEMENT", "QUERY", "LOCATION", "BACKTRACE"];

/// A line of a log with its label.
struct Labelled<'t> {
    prefix: &'t str,
    label: &'static str,
    text: &'t str,
}

impl<'t> Labelled<'t> {
    /// Takes the first `LABEL: ` that no letter stands before.
    fn find(line: &'t str) -> Option<Self> {
        line.match_indices(':').find_map(|(colon, _)| {
            let (head, tail) = (line.get(..colon)?, line.get(colon + 1..)?);
            let text = tail.strip_prefix(' ')?.trim_start_matches(' ');
            let labels = PRIMARY.iter().chain(&SECONDARY).chain(&FOREIGN);
            labels.into_iter().find_map(|label| {
                let prefix = head.strip_suffix(label)?;
                let alone = !prefix.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                alone.then_some(Self {
                    prefix,
                    label,
                    text,
                })
            })
        })
    }
}

/// The text without the SQLSTATE that `log_error_verbosity = verbose` puts before it.
fn without_sqlstate(text: &str) -> &str {
    match text.split_once(": ") {
        Some((state, rest))
            if state.len() == 5
                && state
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
                && state.bytes().any(|b| b.is_ascii_digit()) =>
        {
            rest
        }
        _ => text,
    }
}

/// The first time in a line's prefix: `2012-05-01 10:00:00.123 UTC`, or syslog's
/// `May  1 10:00:00`.
fn time_in(prefix: &str) -> Option<String> {
    let shape = |text: &str, shape: &[u8]| {
        let bytes = text.as_bytes().get(..shape.len())?;
        let fits = bytes.iter().zip(shape).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            b'_' => byte.is_ascii_digit() || *byte == b' ',
            other => byte == other,
        });
        fits.then_some(shape.len())
    };
    let (start, mut len) = prefix.char_indices().find_map(|(at, _)| {
        let tail = prefix.get(at..)?;
        let iso = shape(tail, b"0000-00-00 00:00:00").or(shape(tail, b"0000-00-00T00:00:00"));
        Some((at, iso.or(shape(tail, b"aaa _0 00:00:00"))?))
    })?;
    let tail = prefix.get(start + len..)?;
    let count = |text: &str, fits: fn(&u8) -> bool| text.bytes().take_while(fits).count();
    len += count(tail, |b| b.is_ascii_digit() || *b == b'.');
    let zone = prefix.get(start + len..)?.strip_prefix(' ').unwrap_or("");
    let letters = count(zone, u8::is_ascii_uppercase);
    if (1..=5).contains(&letters) {
        len += 1 + letters;
    }
    prefix.get(start..start + len).map(str::to_owned)
}

/// The fields of a csvlog record (`csvlog.c: write_csvlog`), if it is one: it begins with a
/// time, and its twelfth field is a severity.
fn csv_fields(record: &str) -> Option<Vec<String>> {
    const SEVERITY: usize = 11;
    /// Up to the context.
    const WANTED: usize = 19;
    /// Longer than any time.
    const MAX_TIME: usize = 40;
    if !record.starts_with(|c: char| c.is_ascii_digit()) || record.find(',')? > MAX_TIME {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = record.chars().peekable();
    while let Some(c) = chars.next() {
        let is_end = c == ',' && !quoted;
        let field = fields.last_mut()?;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            _ if is_end => {
                if fields.len() == SEVERITY + 1 {
                    is_severity(fields.last()?).then_some(())?;
                }
                if fields.len() == WANTED {
                    return Some(fields);
                }
                fields.push(String::new());
            }
            c => field.push(c),
        }
    }
    (fields.len() > SEVERITY + 2).then_some(fields)
}

fn is_severity(text: &str) -> bool {
    PRIMARY.contains(&text)
}

/// A line of jsonlog (`jsonlog.c: write_jsonlog`).
#[derive(Deserialize)]
struct JsonLine {
    timestamp: Option<String>,
    error_severity: String,
    message: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    context: Option<String>,
}

#[derive(Default)]
struct Search {
    summary: LogSummary,
    /// The message whose DETAIL may follow; `None` inside when it is not known.
    pending: Option<(Recognised, LogPlace)>,
}

impl Search {
    fn plain(&mut self, line: &str, number: u64) {
        let Some(labelled) = Labelled::find(line) else {
            return;
        };
        let text = without_sqlstate(labelled.text);
        if PRIMARY.contains(&labelled.label) {
            let time = time_in(labelled.prefix);
            self.primary(text, LogPlace { line: number, time });
        } else if SECONDARY.contains(&labelled.label) {
            let time = time_in(labelled.prefix);
            self.secondary(labelled.text, LogPlace { line: number, time });
        }
    }

    fn csv(&mut self, record: &str, number: u64) {
        let Some(fields) = csv_fields(record) else {
            return;
        };
        let field = |at: usize| fields.get(at).map_or("", String::as_str);
        let place = || LogPlace {
            line: number,
            time: Some(field(0).to_owned()).filter(|time| !time.is_empty()),
        };
        self.primary(field(13), place());
        for at in [14, 15, 18] {
            self.secondary(field(at), place());
        }
    }

    /// Whether the line was one of jsonlog.
    fn json(&mut self, line: &str, number: u64) -> bool {
        let Ok(json) = serde_json::from_str::<JsonLine>(line) else {
            return false;
        };
        if !is_severity(&json.error_severity) {
            return false;
        }
        let place = LogPlace {
            line: number,
            time: json.timestamp,
        };
        self.primary(json.message.as_deref().unwrap_or(""), place.clone());
        for text in [json.detail, json.hint, json.context].into_iter().flatten() {
            self.secondary(&text, place.clone());
        }
        true
    }

    fn primary(&mut self, text: &str, place: LogPlace) {
        self.flush();
        match recognise(text) {
            Some(recognised) => self.pending = Some((recognised, place)),
            None => self.summary.unknown += 1,
        }
    }

    /// A DETAIL adds its values to its message; under an unknown one it speaks for itself.
    fn secondary(&mut self, text: &str, place: LogPlace) {
        let Some(found) = recognise(text) else { return };
        match &mut self.pending {
            Some((pending, _)) if pending.message.id == found.message.id => {
                for value in found.values {
                    if !pending.values.contains(&value) {
                        pending.values.push(value);
                    }
                }
            }
            Some(_) => {}
            None => self.pending = Some((found, place)),
        }
    }

    fn flush(&mut self) {
        let Some((recognised, place)) = self.pending.take() else {
            return;
        };
        let families = &mut self.summary.families;
        let at = families
            .iter()
            .position(|family| family.message.id == recognised.message.id)
            .unwrap_or(families.len());
        if at == families.len() {
            families.push(Family {
                message: recognised.message,
                sightings: Vec::new(),
                more: 0,
            });
        }
        let Some(family) = families.get_mut(at) else {
            return;
        };
        let same = family.sightings.iter().position(|sighting| {
            let other = &sighting.recognised;
            other.text == recognised.text && other.values == recognised.values
        });
        if let Some(sighting) = same.and_then(|at| family.sightings.get_mut(at)) {
            sighting.count += 1;
            sighting.last = place;
        } else if family.sightings.len() < MAX_DIFFERENT {
            family.sightings.push(Sighting {
                recognised,
                count: 1,
                first: place.clone(),
                last: place,
            });
        } else {
            family.more += 1;
        }
    }

    fn finish(mut self) -> LogSummary {
        self.flush();
        let order = |message: &Message| MESSAGES.iter().position(|other| other.id == message.id);
        self.summary.families.sort_by_key(|family| {
            (
                std::cmp::Reverse(family.message.consequence),
                order(family.message),
            )
        });
        self.summary
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Value};
    use super::*;

    const XID: &str = "could not access status of transaction 4294692688";
    const FILE: &str = "Could not open file \"pg_clog/0FFF\": No such file or directory.";

    fn only(log: &[u8]) -> (LogSummary, Sighting) {
        let summary = read(log).unwrap();
        assert_eq!(summary.families.len(), 1, "{summary:#?}");
        assert_eq!(summary.families[0].sightings.len(), 1, "{summary:#?}");
        let sighting = summary.families[0].sightings[0].clone();
        (summary, sighting)
    }

    fn values(sighting: &Sighting) -> Vec<(Kind, &str)> {
        let values = sighting.recognised.values.iter();
        values
            .map(|Value { kind, text }| (*kind, text.as_str()))
            .collect()
    }

    #[test]
    fn any_prefix_any_severity() {
        for prefix in [
            "",
            "2012-05-01 10:00:00 UTC [123] ",
            "2012-05-01 10:00:00.123 CEST u@d LOG_app 10.0.0.1(53) ",
            "May  1 10:00:00 host postgres[12]: [3-1] ",
            "< 2012-05-01 10:00:00 UTC >",
            "psql:x.sql:3: ",
        ] {
            for label in ["ERROR:  ", "PANIC:  ", "FATAL: ", "ERROR:  58P01: "] {
                let line = format!("{prefix}{label}{XID}\n");
                let (_, sighting) = only(line.as_bytes());
                assert_eq!(values(&sighting), [(Kind::Xid, "4294692688")], "{line}");
            }
        }
        let (_, seen) = only(format!("2012-05-01 10:00:00.5 UTC [1] ERROR:  {XID}").as_bytes());
        assert_eq!(
            seen.first.time.as_deref(),
            Some("2012-05-01 10:00:00.5 UTC")
        );
        let (_, seen) = only(format!("May  1 10:00:00 host p[1]: ERROR:  {XID}\r\n").as_bytes());
        assert_eq!(seen.first.time.as_deref(), Some("May  1 10:00:00"));
    }

    #[test]
    fn a_detail_belongs_to_its_message_and_repeats_fold() {
        let one =
            format!("ERROR:  {XID}\nDETAIL:  {FILE}\nSTATEMENT:  select '\n\tPANIC:  {XID}'\n");
        let log = format!("LOG:  hello\n{one}\tmore\n{one}");
        let (summary, sighting) = only(log.replace("\n\tPANIC", " PANIC").as_bytes());
        assert_eq!((summary.unknown, sighting.count), (1, 2));
        assert_eq!((sighting.first.line, sighting.last.line), (2, 6));
        assert_eq!(
            values(&sighting)[..2],
            [(Kind::Xid, "4294692688"), (Kind::File, "pg_clog/0FFF")]
        );
        // A DETAIL alone is enough.
        let (_, sighting) = only(format!("ERROR:  who knows\nDETAIL:  {FILE}").as_bytes());
        assert_eq!(sighting.first.line, 2);
    }

    #[test]
    fn csvlog_and_jsonlog() {
        let csv = format!(
            "2012-05-01 10:00:00.123 UTC,\"u\",\"d\",1,\"h:1\",4f.1,1,\"SELECT\",2012-05-01 09:00:00 \
             UTC,2/3,0,ERROR,58P01,\"{XID}\",\"{}\",,,,,\"select\n\"\"x\"\"\n,1\",,,\"psql\"\n",
            FILE.replace('"', "\"\"")
        );
        let (summary, sighting) = only(csv.repeat(2).as_bytes());
        assert_eq!(
            (summary.lines, sighting.count, sighting.last.line),
            (6, 2, 4)
        );
        assert_eq!(values(&sighting)[1], (Kind::File, "pg_clog/0FFF"));
        assert_eq!(
            sighting.first.time.as_deref(),
            Some("2012-05-01 10:00:00.123 UTC")
        );

        let json = format!(
            "{{\"timestamp\":\"2022-05-01 10:00:00.123 UTC\",\"pid\":1,\"error_severity\":\"ERROR\",\
             \"message\":\"{XID}\",\"detail\":\"{}\",\"statement\":\"x\"}}\n",
            FILE.replace('"', "\\\"")
        );
        let (_, sighting) = only(json.repeat(3).as_bytes());
        assert_eq!((sighting.count, values(&sighting).len()), (3, 3));
    }

    #[test]
    fn bad_bytes_and_endless_lines_do_no_harm() {
        let mut log = vec![0xff, b'\n', b'{', 0xfe, b'\n'];
        log.extend(std::iter::repeat_n(b'x', 3 * MAX_LINE));
        log.extend_from_slice(format!("\n\u{feff}ERROR:  {XID}\n").as_bytes());
        let (summary, sighting) = only(&log);
        assert_eq!((summary.lines, sighting.first.line), (4, 4));
        assert_eq!(read(&b""[..]).unwrap(), LogSummary::default());
    }

    #[test]
    fn different_messages_are_kept_up_to_a_limit() {
        let line = |n: usize| format!("ERROR:  could not access status of transaction {n}\n");
        let log: String = (0..MAX_DIFFERENT + 7).map(line).collect();
        let summary = read(log.as_bytes()).unwrap();
        let family = &summary.families[0];
        assert_eq!((family.sightings.len(), family.more), (MAX_DIFFERENT, 7));
    }

    #[test]
    fn the_most_serious_comes_first() {
        let log = b"LOG:  redo starts at 0/1\nLOG:  redo starts at 0/2\n\
                    ERROR:  compressed pglz data is corrupt\n\
                    PANIC:  could not locate a valid checkpoint record\n";
        let ids: Vec<&str> = read(&log[..])
            .unwrap()
            .families
            .iter()
            .map(|family| family.message.id)
            .collect();
        assert_eq!(
            ids,
            [
                "checkpoint-not-found",
                "compressed-data-corrupt",
                "redo-starts"
            ]
        );
    }
}
