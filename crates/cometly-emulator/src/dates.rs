//! Moments as seconds since 1970, and how each part of the API writes and reads them. A Space lives in UTC here.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

/// The last second of the year 9999, beyond which no date can be written.
pub(crate) const END_OF_TIME: u64 = 253_402_300_799;
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
const DATE: &str = "%Y-%m-%d %H:%M:%S";

/// A moment as the API writes it: `2026-01-31 00:00:00`.
pub(crate) fn written(seconds: i64) -> Option<String> {
    format(seconds, DATE)
}

/// A moment as Laravel writes it into JSON: `2026-01-31T00:00:00.000000Z`.
pub(crate) fn iso(seconds: u64) -> Option<String> {
    format(i64::try_from(seconds).ok()?, "%Y-%m-%dT%H:%M:%S.000000Z")
}

/// A moment as HTTP writes it: `Sat, 31 Jan 2026 00:00:00 GMT`. One beyond the year 9999 becomes its end.
pub(crate) fn http_date(seconds: u64) -> String {
    let seconds = i64::try_from(seconds.min(END_OF_TIME)).unwrap_or_default();
    format(seconds, "%a, %d %b %Y %H:%M:%S GMT").unwrap_or_default()
}

fn format(seconds: i64, format: &str) -> Option<String> {
    EPOCH.checked_add(SignedDuration::from_secs(seconds)).ok().map(|time| time.strftime(format).to_string())
}

/// Reads what [`written`] writes. As in PHP, what was read and is written again must be what came.
pub(crate) fn read(text: &str) -> Option<i64> {
    exactly(text, DATE).map(seconds)
}

/// Reads a day, `2026-01-31`, as its first second.
pub(crate) fn read_day(text: &str) -> Option<i64> {
    let day = Date::strptime("%Y-%m-%d", text).ok()?;
    (day.strftime("%Y-%m-%d").to_string() == text).then(|| seconds(day.to_datetime(Time::midnight())))
}

/// Reads ISO 8601: a day; or a day, `T` or a blank, and a time with or without fraction and offset. Without an offset it is UTC.
pub(crate) fn read_iso(text: &str) -> Option<i64> {
    if let Some(day) = read_day(text) {
        return Some(day);
    }
    let (day, time) = text.split_at_checked(10)?;
    let day = read_day(day)?;
    let time = time.strip_prefix(['T', ' '])?;
    let (clock, rest) = time.split_at_checked(8)?;
    let clock = Time::strptime("%H:%M:%S", clock).ok().filter(|time| time.strftime("%H:%M:%S").to_string() == clock)?;
    let offset = rest.trim_start_matches('.').trim_start_matches(|char: char| char.is_ascii_digit());
    let fraction = rest.strip_suffix(offset)?;
    let fraction_is_sound = fraction.is_empty() || (fraction.len() > 1 && fraction.rfind('.') == Some(0));
    let ahead = read_offset(offset).filter(|_| fraction_is_sound)?;
    day.checked_add(clock.duration_since(Time::midnight()).as_secs())?.checked_sub(ahead)
}

/// `Z`, `+02:00` or nothing, in seconds.
fn read_offset(text: &str) -> Option<i64> {
    let (ahead, clock) = match text.split_at_checked(1) {
        None | Some(("Z", "")) => return Some(0),
        Some(("+", clock)) => (1, clock),
        Some(("-", clock)) => (-1, clock),
        Some(_) => return None,
    };
    let time = Time::strptime("%H:%M", clock).ok().filter(|time| time.strftime("%H:%M").to_string() == clock)?;
    time.duration_since(Time::midnight()).as_secs().checked_mul(ahead)
}

fn exactly(text: &str, format: &str) -> Option<DateTime> {
    DateTime::strptime(format, text).ok().filter(|time| time.strftime(format).to_string() == text)
}

pub(crate) fn seconds(time: DateTime) -> i64 {
    time.duration_since(EPOCH).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_three_ways() {
        assert_eq!(written(1_767_225_600).as_deref(), Some("2026-01-01 00:00:00"));
        assert_eq!(iso(1_767_225_600).as_deref(), Some("2026-01-01T00:00:00.000000Z"));
        assert_eq!(http_date(1_767_225_600), "Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(http_date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn only_what_would_be_written_so_is_read() {
        assert_eq!(read("2026-01-01 00:00:00"), Some(1_767_225_600));
        assert_eq!(read_day("2026-01-02"), Some(1_767_312_000));
        for wrong in ["", "2026-1-1 0:0:0", "2026-02-30 00:00:00", "2026-01-01T00:00:00", " 2026-01-01 00:00:00"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        for wrong in ["2026-1-2", "2026-02-30", "2026-01-02 "] {
            assert_eq!(read_day(wrong), None, "{wrong}");
        }
    }
}
