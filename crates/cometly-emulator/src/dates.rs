//! Moments as seconds since 1970, and how each part of the API writes and reads them. A Space lives in UTC here.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::BrokenDownTime;

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
    exactly_day(text, "%Y-%m-%d")
}

/// Reads ISO 8601: a day; or a day, `T` or a blank, and a time with or without seconds, fraction (up to nine digits, cut) and
/// offset; or the basic form of it, `20260131T235959`. Without an offset it is UTC.
pub(crate) fn read_iso(text: &str) -> Option<i64> {
    if !text.is_ascii() {
        return None;
    }
    if let Some(day) = read_day(text) {
        return Some(day);
    }
    let (day, clock, rest) = if text.as_bytes().get(8).is_some_and(|byte| b"Tt".contains(byte)) {
        let (day, clock, rest) = (text.get(..8)?, text.get(9..15)?, text.get(15..)?);
        (exactly_day(day, "%Y%m%d")?, exactly_time(clock, "%H%M%S")?, rest)
    } else {
        let (day, time) = text.split_at_checked(10)?;
        let time = time.strip_prefix(['T', 't', ' '])?;
        let seconds = time.get(..8).and_then(|clock| Some((exactly_time(clock, "%H:%M:%S")?, time.get(8..)?)));
        let minutes = || time.get(..5).and_then(|clock| Some((exactly_time(clock, "%H:%M")?, time.get(5..)?)));
        let (clock, rest) = seconds.or_else(minutes)?;
        (read_day(day)?, clock, rest)
    };
    let offset = rest.strip_prefix('.').map_or(Some(rest), |rest| {
        let offset = rest.trim_start_matches(|char: char| char.is_ascii_digit());
        (1..=9).contains(&rest.len().checked_sub(offset.len())?).then_some(offset)
    })?;
    day.checked_add(clock)?.checked_sub(read_offset(offset)?)
}

/// `Z`, `+02:00`, `+0200`, `+02` or nothing, in seconds.
fn read_offset(text: &str) -> Option<i64> {
    let (ahead, clock) = match text.split_at_checked(1) {
        None | Some(("Z" | "z", "")) => return Some(0),
        Some(("+", clock)) => (1, clock),
        Some(("-", clock)) => (-1, clock),
        Some(_) => return None,
    };
    let forms = ["%H:%M", "%H%M", "%H"];
    forms.into_iter().find_map(|form| exactly_time(clock, form))?.checked_mul(ahead)
}

/// A time of day, in seconds, that is written exactly as `format` writes it.
fn exactly_time(text: &str, format: &str) -> Option<i64> {
    let mut parts = BrokenDownTime::parse(format, text).ok()?;
    if parts.minute().is_none() {
        parts.set_minute(Some(0)).ok()?;
    }
    let time = parts.to_time().ok().filter(|time| time.strftime(format).to_string() == text)?;
    Some(time.duration_since(Time::midnight()).as_secs())
}

fn exactly_day(text: &str, format: &str) -> Option<i64> {
    let day = Date::strptime(format, text).ok().filter(|day| day.strftime(format).to_string() == text)?;
    Some(seconds(day.to_datetime(Time::midnight())))
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
