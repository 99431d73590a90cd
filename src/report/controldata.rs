//! Prints `pg_control` as the `pg_controldata` of its own version does, in UTC and the C
//! locale; what is wrong with the file comes first.
//!
//! Source: `bin/pg_controldata/pg_controldata.c` (`contrib/` up to 9.5), 9.0 to 19.

use crate::format::control::{ControlFile, ControlReading, CrcVerdict, DecidedBy, Impossible};
use crate::format::names::WalSegmentName;
use crate::format::wal::lsn_text;
use crate::format::{Major, Version, XLogRecPtr};
use std::fmt::Display;
use std::io::{self, Write};
use time::OffsetDateTime;

/// What [`render_control`] had to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlVerdict {
    /// The table alone: the file is as a server left it.
    Good,
    /// The table, after lines that say what is wrong with it.
    Damaged,
    /// No table: the bytes cannot be read as any version's file.
    Unreadable,
}

/// Prints a `pg_control`. `version_hint` is what `PG_VERSION` says, used only where the file
/// does not tell its version.
///
/// # Errors
/// When `out` cannot be written.
pub fn render_control(
    out: &mut impl Write,
    bytes: &[u8],
    version_hint: Option<&'static Version>,
) -> io::Result<ControlVerdict> {
    let reading = ControlFile::read(bytes, version_hint);
    let (control, decided_by, crc) = match &reading {
        ControlReading::Decoded {
            control,
            decided_by,
            crc,
        } => (control, *decided_by, *crc),
        other => {
            write_unreadable(out, other)?;
            if let Some(version) = version_hint {
                write_refusal(out, &reading, version)?;
            }
            return Ok(ControlVerdict::Unreadable);
        }
    };
    let wrong: Vec<Impossible> = control
        .impossible()
        .into_iter()
        .filter(|i| !i.other_build)
        .collect();
    let damaged = crc != CrcVerdict::Good || !wrong.is_empty();
    if decided_by != DecidedBy::ControlAndCatalog {
        let major = control.version.major;
        writeln!(out, "Read in the layout of {major}, told by {decided_by}.")?;
    }
    if let CrcVerdict::Bad {
        stored,
        computed,
        good_as,
    } = crc
    {
        writeln!(
            out,
            "The file is damaged: its CRC is {stored:08X}, that of its bytes {computed:08X}. No \
             value below can be relied on."
        )?;
        if let Some(version) = good_as {
            let major = version.major;
            writeln!(out, "In the layout of {major} the CRC is right.")?;
        }
    }
    for Impossible {
        field,
        found,
        expected,
        ..
    } in &wrong
    {
        writeln!(
            out,
            "Impossible value: {field} is {found}, expected {expected}."
        )?;
    }
    if damaged {
        write_refusal(out, &reading, control.version)?;
    }
    if damaged || decided_by != DecidedBy::ControlAndCatalog {
        writeln!(out)?;
    }
    write_table(out, control)?;
    Ok(if damaged {
        ControlVerdict::Damaged
    } else {
        ControlVerdict::Good
    })
}

fn write_unreadable(out: &mut impl Write, reading: &ControlReading) -> io::Result<()> {
    match reading {
        ControlReading::TooShort { len, need } => {
            writeln!(
                out,
                "The file is too short: {len} bytes of at least {need}."
            )
        }
        ControlReading::AllZero { len } => {
            writeln!(out, "The file holds nothing but zeroes: {len} bytes.")
        }
        ControlReading::OtherByteOrder { pg_control_version } => writeln!(
            out,
            "The file is from a machine of the other byte order: its version number reads \
             {}, {} when swapped.",
            pg_control_version,
            pg_control_version.swap_bytes()
        ),
        ControlReading::UnknownVersion {
            system_identifier,
            pg_control_version,
            catalog_version_no,
            crc_at,
        } => {
            writeln!(
                out,
                "The version is unknown: pg_control version number {pg_control_version}, catalog \
                 version number {catalog_version_no}, database system identifier \
                 {system_identifier}."
            )?;
            match crc_at {
                Some(at) => writeln!(
                    out,
                    "A right CRC stands at byte {at}: the file is whole, and of a version not \
                     known here."
                ),
                None => writeln!(out, "No right CRC was found: the file may be damaged."),
            }
        }
        ControlReading::Decoded { .. } => Ok(()),
    }
}

fn write_refusal(
    out: &mut impl Write,
    reading: &ControlReading,
    version: &Version,
) -> io::Result<()> {
    let Some(refusal) = reading.refusal(version) else {
        return Ok(());
    };
    writeln!(out, "A server of {} ends with:", version.major)?;
    writeln!(out, "  {refusal}")?;
    if let Some(detail) = refusal.detail {
        writeln!(out, "  DETAIL:  {detail}")?;
    }
    if let Some(hint) = refusal.hint {
        writeln!(out, "  HINT:  {hint}")?;
    }
    Ok(())
}

/// A printed line: the label and the value; `None` leaves the line out.
type Line<'a> = (&'a str, Option<String>);

fn write_table(out: &mut impl Write, control: &ControlFile) -> io::Result<()> {
    for (label, value) in lines(control) {
        if let Some(value) = value {
            writeln!(out, "{label:<38}{value}")?;
        }
    }
    Ok(())
}

fn some(value: impl Display) -> Option<String> {
    Some(value.to_string())
}

fn each(value: Option<impl Display>) -> Option<String> {
    value.map(|v| v.to_string())
}

/// The lines in the order of every version: none ever moved, they only came and went.
fn lines(control: &ControlFile) -> Vec<Line<'static>> {
    let v = control.version;
    let copy = &control.check_point_copy;
    let lsn = |lsn: XLogRecPtr| lsn_text(v, lsn);
    let on = |value: Option<bool>| value.map(|b| (if b { "on" } else { "off" }).to_owned());
    // 9.5 dropped the word "Current".
    let setting = |old: &'static str, new| if v.since(Major::V9_5) { new } else { old };
    let epoch_mark = if v.since(Major::V9_6) { ':' } else { '/' };
    let by_value = |value: bool| (if value { "by value" } else { "by reference" }).to_owned();
    let date_times = match control.enable_int_times {
        Some(false) => "floating-point numbers",
        _ => "64-bit integers",
    };
    vec![
        (
            "pg_control version number:",
            some(control.pg_control_version),
        ),
        ("Catalog version number:", some(control.catalog_version_no)),
        (
            "Database system identifier:",
            some(control.system_identifier),
        ),
        ("Database cluster state:", some(control.state)),
        ("pg_control last modified:", some(ctime(control.time))),
        (
            "Latest checkpoint location:",
            Some(lsn(control.check_point)),
        ),
        (
            "Prior checkpoint location:",
            control.prev_check_point.map(lsn),
        ),
        ("Latest checkpoint's REDO location:", Some(lsn(copy.redo))),
        (
            "Latest checkpoint's REDO WAL file:",
            v.since(Major::V9_3).then(|| redo_wal_file(control)),
        ),
        (
            "Latest checkpoint's TimeLineID:",
            some(copy.this_time_line_id),
        ),
        (
            "Latest checkpoint's PrevTimeLineID:",
            each(copy.prev_time_line_id),
        ),
        (
            "Latest checkpoint's full_page_writes:",
            on(copy.full_page_writes),
        ),
        (
            "Latest checkpoint's NextXID:",
            Some(format!(
                "{}{epoch_mark}{}",
                copy.next_full_xid.epoch(),
                copy.next_full_xid.xid()
            )),
        ),
        ("Latest checkpoint's NextOID:", some(copy.next_oid)),
        (
            "Latest checkpoint's NextMultiXactId:",
            some(copy.next_multi),
        ),
        (
            "Latest checkpoint's NextMultiOffset:",
            some(copy.next_multi_offset),
        ),
        ("Latest checkpoint's oldestXID:", some(copy.oldest_xid)),
        (
            "Latest checkpoint's oldestXID's DB:",
            some(copy.oldest_xid_db),
        ),
        (
            "Latest checkpoint's oldestActiveXID:",
            some(copy.oldest_active_xid),
        ),
        (
            "Latest checkpoint's oldestMultiXid:",
            each(copy.oldest_multi),
        ),
        (
            "Latest checkpoint's oldestMulti's DB:",
            each(copy.oldest_multi_db),
        ),
        (
            "Latest checkpoint's oldestCommitTsXid:",
            each(copy.oldest_commit_ts_xid),
        ),
        (
            "Latest checkpoint's newestCommitTsXid:",
            each(copy.newest_commit_ts_xid),
        ),
        (
            "Latest checkpoint's data_checksum_version:",
            each(copy.data_checksum_state),
        ),
        ("Time of latest checkpoint:", some(ctime(copy.time))),
        (
            "Fake LSN counter for unlogged rels:",
            control.unlogged_lsn.map(lsn),
        ),
        (
            "Minimum recovery ending location:",
            Some(lsn(control.min_recovery_point)),
        ),
        (
            "Min recovery ending loc's timeline:",
            each(control.min_recovery_point_tli),
        ),
        (
            "Backup start location:",
            Some(lsn(control.backup_start_point)),
        ),
        ("Backup end location:", control.backup_end_point.map(lsn)),
        (
            "End-of-backup record required:",
            control
                .backup_end_required
                .map(|b| (if b { "yes" } else { "no" }).to_owned()),
        ),
        (
            setting("Current wal_level setting:", "wal_level setting:"),
            some(control.wal_level),
        ),
        (
            setting("Current wal_log_hints setting:", "wal_log_hints setting:"),
            on(control.wal_log_hints),
        ),
        (
            setting(
                "Current max_connections setting:",
                "max_connections setting:",
            ),
            some(control.max_connections),
        ),
        (
            setting(
                "Current max_worker_processes setting:",
                "max_worker_processes setting:",
            ),
            each(control.max_worker_processes),
        ),
        ("max_wal_senders setting:", each(control.max_wal_senders)),
        (
            setting(
                "Current max_prepared_xacts setting:",
                "max_prepared_xacts setting:",
            ),
            some(control.max_prepared_xacts),
        ),
        (
            setting(
                "Current max_locks_per_xact setting:",
                "max_locks_per_xact setting:",
            ),
            some(control.max_locks_per_xact),
        ),
        (
            "track_commit_timestamp setting:",
            on(control.track_commit_timestamp),
        ),
        ("Maximum data alignment:", some(control.max_align)),
        ("Database block size:", some(control.blcksz)),
        (
            "Blocks per segment of large relation:",
            some(control.relseg_size),
        ),
        (
            "Pages per SLRU segment:",
            each(control.slru_pages_per_segment),
        ),
        ("WAL block size:", some(control.xlog_blcksz)),
        ("Bytes per WAL segment:", some(control.xlog_seg_size)),
        (
            "Maximum length of identifiers:",
            some(control.name_data_len),
        ),
        ("Maximum columns in an index:", some(control.index_max_keys)),
        (
            "Maximum size of a TOAST chunk:",
            some(control.toast_max_chunk_size),
        ),
        ("Size of a large-object chunk:", each(control.loblksize)),
        ("Date/time type storage:", some(date_times)),
        (
            "Float4 argument passing:",
            control.float4_by_val.map(by_value),
        ),
        (
            "Float8 argument passing:",
            Some(by_value(control.float8_by_val)),
        ),
        (
            "Data page checksum version:",
            each(control.data_checksum_version),
        ),
        (
            "Default char data signedness:",
            control
                .default_char_signedness
                .map(|b| (if b { "signed" } else { "unsigned" }).to_owned()),
        ),
        (
            "Mock authentication nonce:",
            control.mock_authentication_nonce.map(hex::encode),
        ),
    ]
}

/// Divided by any segment size but 0, as the tool does, which a `WalGeometry` would not take;
/// `???` where that gives no name.
fn redo_wal_file(control: &ControlFile) -> String {
    let copy = &control.check_point_copy;
    if !(1..=i32::MAX.cast_unsigned()).contains(&control.xlog_seg_size) {
        return "???".to_owned();
    }
    let segment_size = u64::from(control.xlog_seg_size);
    let (segno, per_log) = (copy.redo.0 / segment_size, (1 << 32) / segment_size);
    match (
        u32::try_from(segno / per_log),
        u32::try_from(segno % per_log),
    ) {
        (Ok(log), Ok(seg)) => {
            let tli = copy.this_time_line_id;
            WalSegmentName { tli, log, seg }.to_string()
        }
        _ => "???".to_owned(),
    }
}

/// `strftime` with `%c` in the C locale: `Fri Nov 20 11:09:03 2026`; `???` where `localtime`
/// fails. A damaged file has years of any length, which calendar crates refuse.
fn ctime(seconds: i64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    // The calendar repeats after 400 years of 146097 days, a whole number of weeks.
    const DAYS: i64 = 146_097;
    const DAY: i64 = 86_400;
    let (cycles, rest) = (
        seconds.div_euclid(DAYS * DAY),
        seconds.rem_euclid(DAYS * DAY),
    );
    let Ok(time) = OffsetDateTime::from_unix_timestamp(rest) else {
        return "???".to_owned();
    };
    let year = i64::from(time.year()) + cycles * 400;
    if i32::try_from(year - 1900).is_err() {
        return "???".to_owned();
    }
    let weekday = WEEKDAYS[usize::try_from(rest / DAY % 7).unwrap_or(0)];
    let month = MONTHS[usize::from(u8::from(time.month())) - 1];
    let (hour, minute, second) = time.to_hms();
    let day = time.day();
    format!("{weekday} {month} {day:>2} {hour:02}:{minute:02}:{second:02} {year}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::VERSIONS;

    fn render(bytes: &[u8], hint: Option<&'static Version>) -> (ControlVerdict, String) {
        let mut out = Vec::new();
        let verdict = render_control(&mut out, bytes, hint).unwrap();
        (verdict, String::from_utf8(out).unwrap())
    }

    #[test]
    fn times_are_those_of_ctime() {
        assert_eq!(ctime(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(ctime(1_795_172_943), "Fri Nov 20 11:09:03 2026");
        assert_eq!(ctime(-1), "Wed Dec 31 23:59:59 1969");
        assert_eq!(ctime(951_782_400), "Tue Feb 29 00:00:00 2000");
        assert_eq!(ctime(439_881_841_449), "Wed Apr 21 00:24:09 15909");
        assert_eq!(
            ctime(66_709_571_275_602_729),
            "Fri Jan 20 13:12:09 2113944130"
        );
        assert_eq!(ctime(i64::MAX), "???");
        assert_eq!(ctime(i64::MIN), "???");
    }

    #[test]
    fn without_a_version_there_is_no_table() {
        let hint = Version::of(Major::V11);
        assert_eq!(
            render(&[], hint),
            (
                ControlVerdict::Unreadable,
                "The file is too short: 0 bytes of at least 288.\n\
                 A server of 11 ends with:\n  \
                 PANIC:  could not read from control file: read 0 bytes, expected 288\n"
                    .to_owned()
            )
        );
        let (verdict, text) = render(&[0; 8192], hint);
        assert_eq!(verdict, ControlVerdict::Unreadable);
        assert!(text.starts_with("The file holds nothing but zeroes: 8192 bytes.\n"));
        assert!(
            text.contains("PG_CONTROL_VERSION 0, but the server"),
            "{text}"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_printed(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), row in 0_usize..17) {
            let mut bytes = bytes;
            if let Some(numbers) = bytes.get_mut(8..16) {
                numbers[..4].copy_from_slice(&VERSIONS[row].control_version.to_le_bytes());
                numbers[4..].copy_from_slice(&VERSIONS[row].catalog_version.to_le_bytes());
            }
            let (verdict, _) = render(&bytes, None);
            assert_ne!(verdict, ControlVerdict::Good);
        }
    }
}
