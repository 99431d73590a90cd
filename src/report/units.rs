//! Numbers, sizes, times and block lists as people read them.

use crate::format::types::TimestampTz;
use roaring::RoaringBitmap;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const RFC_3339: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
const PLAIN: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6] UTC");

/// RFC 3339 in UTC with microseconds; `None` for `infinity` and for years that it cannot
/// write (before 0 or after 9999), which only damaged WAL holds.
#[must_use]
pub fn rfc_3339(time: TimestampTz) -> Option<String> {
    utc(time)?.format(RFC_3339).ok()
}

/// `2013-10-10 05:11:59.994082 UTC`, with the same limits as [`rfc_3339`].
#[must_use]
pub fn plain_time(time: TimestampTz) -> Option<String> {
    utc(time)?.format(PLAIN).ok()
}

/// Reads a time: a date, `T` or a space, hours and minutes, seconds with up to six digits
/// behind the point, and an offset such as `Z`, `UTC`, `+02`, `-05:30`. Without a time of day
/// it is midnight, without an offset UTC.
#[must_use]
pub fn parse_time(text: &str) -> Option<TimestampTz> {
    let (date, rest) = match text.trim().split_once(['T', ' ']) {
        Some((date, rest)) => (date, rest.trim()),
        None => (text.trim(), "00:00"),
    };
    let zone_at = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.')));
    let (clock, zone) = rest.split_at(zone_at.unwrap_or(rest.len()));
    let mut numbers = date.splitn(3, '-').map(|n| n.parse::<u16>().ok());
    let year = i32::from(numbers.next()??);
    let month = time::Month::try_from(u8::try_from(numbers.next()??).ok()?).ok()?;
    let day = u8::try_from(numbers.next()??).ok()?;
    let date = time::Date::from_calendar_date(year, month, day).ok()?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.splitn(3, ':').map(|n| n.parse::<u8>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if fraction.is_empty() || fraction.len() > 6 {
        return None;
    }
    let micro: u32 = format!("{fraction:0<6}").parse().ok()?;
    let time = time::Time::from_hms_micro(hour, minute, second, micro).ok()?;
    let zone = zone.trim();
    let seconds = match zone {
        "" | "Z" | "z" | "UTC" => 0,
        _ => {
            let (sign, zone) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
                (Some(zone), _) => (1, zone),
                (None, Some(zone)) => (-1, zone),
                (None, None) => return None,
            };
            let (hours, minutes) = match (zone.split_once(':'), zone.len()) {
                (Some(parts), _) => parts,
                (None, 4) => zone.split_at_checked(2)?,
                (None, _) => (zone, "0"),
            };
            let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
            if hours > 15 || minutes > 59 {
                return None;
            }
            sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60)
        }
    };
    let offset = time::UtcOffset::from_whole_seconds(seconds).ok()?;
    let since_1970 = date
        .with_time(time)
        .assume_offset(offset)
        .unix_timestamp_nanos()
        / 1_000;
    i64::try_from(since_1970 - POSTGRES_EPOCH * 1_000_000)
        .ok()
        .map(TimestampTz)
}

/// 2000-01-01 in seconds since 1970-01-01 (`timestamp.h: POSTGRES_EPOCH_JDATE`).
const POSTGRES_EPOCH: i128 = 946_684_800;

fn utc(time: TimestampTz) -> Option<OffsetDateTime> {
    let nanoseconds = (i128::from(time.0) + POSTGRES_EPOCH * 1_000_000) * 1_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?;
    (0..=9999).contains(&time.year()).then_some(time)
}

/// `31,084`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 block`, `31,084 blocks`; the two words stay on one line.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{}\u{a0}{noun}{plural}", thousands(number))
}

/// `2.3 MB`, in the units of PostgreSQL's `pg_size_pretty`: 1 kB is 1024 bytes.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1024 {
        return count(bytes, "byte");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(value < 9.95);
    format!("{value:.digits$}\u{a0}{}", UNITS[unit])
}

/// `30490, 30526-30533`, at most `limit` ranges; then how many blocks more.
#[must_use]
pub fn block_ranges(blocks: &RoaringBitmap, limit: usize) -> String {
    let mut ranges = Vec::new();
    let mut told = 0;
    let mut iter = blocks.iter();
    while ranges.len() < limit
        && let Some(range) = iter.next_range()
    {
        let (first, last) = (*range.start(), *range.end());
        told += u64::from(last - first) + 1;
        ranges.push(if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        });
    }
    let more = blocks.len() - told;
    if more > 0 {
        ranges.push(format!("and {}\u{a0}more", thousands(more)));
    }
    ranges.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_cannot_be_written_are_none() {
        let incident = TimestampTz(848_488_143_460_762);
        assert_eq!(
            rfc_3339(incident).as_deref(),
            Some("2026-11-20T11:09:03.460762Z")
        );
        assert_eq!(
            plain_time(TimestampTz(-1)).as_deref(),
            Some("1999-12-31 23:59:59.999999 UTC")
        );
        for out in [i64::MIN, i64::MAX, -100_000_000_000_000_000] {
            assert_eq!(rfc_3339(TimestampTz(out)), None, "{out}");
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        let incident = Some(TimestampTz(848_488_143_460_762));
        for text in [
            "2026-11-20 11:09:03.460762",
            "2026-11-20T11:09:03.460762Z",
            "2026-11-20 11:09:03.460762+00",
            "2026-11-20 11:09:03.460762 UTC",
            "2026-11-20 13:09:03.460762+02:00",
            "2026-11-20 05:39:03.460762-0530",
        ] {
            assert_eq!(parse_time(text), incident, "{text}");
        }
        assert_eq!(parse_time("2000-01-01"), Some(TimestampTz(0)));
        assert_eq!(
            parse_time("2000-01-01 00:01"),
            Some(TimestampTz(60_000_000))
        );
        for wrong in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-11-20 25:00",
            "2026-11-20 11:09+99",
        ] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(count(1, "block"), "1\u{a0}block");
        assert_eq!(size(1023), "1,023\u{a0}bytes");
        assert_eq!(size(2_408_448), "2.3\u{a0}MB");
        assert_eq!(size(327_155_712), "312\u{a0}MB");
        assert_eq!(size(1024 * 1024 - 1), "1.0\u{a0}MB");
        assert_eq!(size(u64::MAX), "16384\u{a0}PB");
    }

    #[test]
    fn ranges_fold_and_stop() {
        let blocks: RoaringBitmap = [1, 2, 3, 7, u32::MAX].into_iter().collect();
        assert_eq!(block_ranges(&blocks, 3), "1-3, 7, 4294967295");
        assert_eq!(block_ranges(&blocks, 1), "1-3, and 2\u{a0}more");
        assert_eq!(block_ranges(&RoaringBitmap::full(), 1), "0-4294967295");
    }
}
