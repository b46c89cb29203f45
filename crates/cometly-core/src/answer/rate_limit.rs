//! What a server says of its limits, and how long it asks to wait.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName,
    header::{DATE, RETRY_AFTER},
};

/// The limit that a call counted against, as far as the answer said: `X-RateLimit-Limit`, `-Remaining` and `-Reset`
/// ([Cometly: rate limiting](https://docs.cometly.com)). From [`Reply::rate_limit`](crate::Reply::rate_limit) and
/// [`ApiError::rate_limit`](crate::ApiError::rate_limit), which cannot fail.
///
/// Limits are per Space and endpoint, and shared by all programs that call with a key of that Space, so `remaining` is a
/// hint. Each value is optional: refused keys, unknown routes and answers of proxies carry none. A value that is not plain
/// digits, or that comes twice and differs, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<u64>,
}

static LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

impl RateLimit {
    /// The longest wait that [`ApiError::retry_after`](crate::ApiError::retry_after) gives: 365 days. If a server asks for a
    /// longer one, it gives this.
    pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let once = |name| Self::once(headers, name);
        Self { limit: once(&LIMIT), remaining: once(&REMAINING), reset: once(&RESET) }
    }

    fn once(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
        // A line with a list is as good as a line for each (RFC 9110 §5.3).
        let members = headers.get_all(name).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        let mut values = members.map(|member| digits(member.trim_ascii())?.parse().ok());
        let first = values.next()?;
        values.all(|other| other == first).then_some(first)?
    }

    /// How many calls a window allows; Cometly documents a window of one minute. `None` if the header is missing or is no plain
    /// number.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// How many calls are left in this window after this one. `None` if the header is missing or is no plain number.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// When the window ends, as the server sent it: Cometly sends seconds since the Unix epoch, and only with a 429. `None` if
    /// the header is missing or is no plain number.
    #[must_use]
    pub fn reset(&self) -> Option<u64> {
        self.reset
    }

    /// Whether the answer has a header that only an endpoint with a limit sends.
    pub(crate) fn is_present(&self) -> bool {
        self.limit.is_some() || self.remaining.is_some()
    }
}

/// How long a server asks to wait before the next call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    /// The longest wait that could be read, at most [`RateLimit::MAX_RETRY_AFTER`].
    known: Option<Duration>,
    /// Whether it asks for a wait whose length cannot be read: an unknown notation, or a date without a `Date` to measure
    /// it by. That counts as one window.
    is_unreadable: bool,
}

impl Wait {
    /// It does not ask for a wait.
    const NONE: Self = Self { known: None, is_unreadable: false };
    const UNREADABLE: Self = Self { known: None, is_unreadable: true };

    /// Reads `Retry-After` ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)) and, if that gives
    /// no length, `X-RateLimit-Reset`. Of several values the longest counts. Dates are measured by the answer's own `Date`,
    /// so that no clock is needed.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let mut wait = Self::NONE;
        for value in headers.get_all(RETRY_AFTER) {
            wait = wait.longer(Self::of_value(value.as_bytes(), headers));
        }
        if wait.known.is_some() {
            return wait;
        }
        match Self::until_reset(headers) {
            // The end of the window is what a wait that cannot be read is taken for.
            reset if reset.known.is_some() => reset,
            reset => wait.longer(reset),
        }
    }

    /// The longest wait that could be read.
    pub(crate) fn known(self) -> Option<Duration> {
        self.known
    }

    /// The wait, with one that cannot be read taken for `window`.
    pub(crate) fn or_window(self, window: Duration) -> Option<Duration> {
        self.known.max(self.is_unreadable.then_some(window))
    }

    fn longer(self, other: Self) -> Self {
        Self { known: self.known.max(other.known), is_unreadable: self.is_unreadable || other.is_unreadable }
    }

    fn capped(wait: Duration) -> Self {
        Self { known: Some(wait.min(RateLimit::MAX_RETRY_AFTER)), ..Self::NONE }
    }

    /// A line of `Retry-After`, which may be a list. The comma within a date separates nothing.
    fn of_value(line: &[u8], headers: &HeaderMap) -> Self {
        let mut wait = Self::NONE;
        let mut weekday: Option<&[u8]> = None;
        let mut rest = line;
        for member in line.split(|byte| *byte == b',') {
            let value = match weekday.take() {
                // From the weekday to the end of this member.
                Some(day) => rest.get(..day.len().saturating_add(1).saturating_add(member.len())).unwrap_or(member),
                None if is_weekday(member) && rest.len() > member.len() => {
                    weekday = Some(member);
                    continue;
                }
                None => member,
            };
            wait = wait.longer(Self::of_member(value, headers));
            rest = rest.get(value.len().saturating_add(1)..).unwrap_or_default();
        }
        wait
    }

    fn of_member(value: &[u8], headers: &HeaderMap) -> Self {
        let value = value.trim_ascii();
        if value.is_empty() {
            return Self::NONE;
        }
        if let Some(seconds) = digits(value) {
            // A wait must not shrink because it is too large for the type.
            return Self::capped(Duration::from_secs(seconds.parse().unwrap_or(u64::MAX)));
        }
        // No date begins with a digit.
        if value.first().is_some_and(u8::is_ascii_digit) {
            let seconds = std::str::from_utf8(value).ok().and_then(|text| text.parse::<f64>().ok());
            return match seconds {
                Some(seconds) => Self::capped(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
                None => Self::UNREADABLE,
            };
        }
        match (http_date(value), date(headers)) {
            (Some(until), Some(now)) => Self::capped(until.duration_since(now).unwrap_or_default()),
            _ => Self::UNREADABLE,
        }
    }

    fn until_reset(headers: &HeaderMap) -> Self {
        const FIRST_SECOND: u64 = 1_000_000_000;
        const FIRST_MILLISECOND: u64 = 100_000_000_000;

        let now = || date(headers)?.duration_since(SystemTime::UNIX_EPOCH).ok();
        let Some(reset) = RateLimit::once(headers, &RESET) else { return Self::NONE };
        // Cometly sends the second at which the window ends. What is no second since 2001 is, as other backends write it,
        // the seconds that are left, or the millisecond.
        let wait = match reset {
            ..FIRST_SECOND => Some(Duration::from_secs(reset)),
            FIRST_SECOND..FIRST_MILLISECOND => now().map(|now| Duration::from_secs(reset).saturating_sub(now)),
            _ => now().map(|now| Duration::from_millis(reset).saturating_sub(now)),
        };
        wait.map_or(Self::UNREADABLE, Self::capped)
    }
}

/// The answer's own `Date`; none of them if there are several that differ.
fn date(headers: &HeaderMap) -> Option<SystemTime> {
    let mut dates = headers.get_all(DATE).iter().map(|date| http_date(date.as_bytes()));
    let first = dates.next()??;
    dates.all(|other| other == Some(first)).then_some(first)
}

pub(crate) fn http_date(value: &[u8]) -> Option<SystemTime> {
    // All three forms of RFC 9110 §5.6.7 are shorter than this.
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= 64)?;
    httpdate::parse_http_date(text.trim()).ok()
}

/// A weekday and nothing behind it: a date as `asctime` writes it begins with one, too, and has no comma.
fn is_weekday(member: &[u8]) -> bool {
    let days: [&[u8]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];
    let member = member.trim_ascii();
    let start = member.get(..3).unwrap_or_default();
    days.iter().any(|day| day.eq_ignore_ascii_case(start)) && member.iter().all(u8::is_ascii_alphabetic)
}

/// Plain digits, which may be too large for a number; `str::parse` would take a sign as well.
fn digits(text: &[u8]) -> Option<&str> {
    let text = text.trim_ascii();
    let is_plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a [u8])];

    const DATE: (&str, &[u8]) = ("date", b"Tue, 24 Nov 2026 10:00:00 GMT");
    const YEAR: f64 = 31_536_000.0;

    fn read(headers: Headers<'_>) -> (RateLimit, Wait) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), http::HeaderValue::from_bytes(value).unwrap()))
            .collect();
        (RateLimit::read(&headers), Wait::read(&headers))
    }

    // `docs/faults.md` 39 to 44, 137.
    #[test]
    fn a_wait_in_any_notation_is_a_wait_and_never_too_short() {
        let known = |seconds| Wait::capped(Duration::from_secs_f64(seconds));
        let at_least = |seconds| Wait { is_unreadable: true, ..known(seconds) };
        let one: [(&str, Wait); 53] = [
            ("0", known(0.0)),
            ("17", known(17.0)),
            (" 17\t", known(17.0)),
            ("007", known(7.0)),
            ("18446744073709551615", known(YEAR)),
            ("18446744073709551616", known(YEAR)),
            ("999999999999999999999999999999", known(YEAR)),
            // Fractions, and numbers as programs print large ones.
            ("59.2", known(59.2)),
            ("5.0", known(5.0)),
            ("5.", known(5.0)),
            ("0.001", known(0.001)),
            ("1e3", known(1000.0)),
            ("1.0E+25", known(YEAR)),
            ("1e999", known(YEAR)),
            ("9e-1", known(0.9)),
            // Several values.
            ("5, 7", known(7.0)),
            ("7,5", known(7.0)),
            ("5, 59.2", known(59.2)),
            ("5,,", known(5.0)),
            ("x, 5", at_least(5.0)),
            ("soon, 5", at_least(5.0)),
            ("5, x", at_least(5.0)),
            ("0, PT30S", at_least(0.0)),
            ("Tue, 24 Nov 2026 10:00:30 GMT, 5", known(30.0)),
            ("5, Tue, 24 Nov 2026 10:00:30 GMT", known(30.0)),
            ("Tue, 24 Nov 2026 10:00:30 GMT, Tue, 24 Nov 2026 10:00:40 GMT", known(40.0)),
            // The three forms of a date.
            ("Tue, 24 Nov 2026 10:00:30 GMT", known(30.0)),
            ("Tuesday, 24-Nov-26 10:00:30 GMT", known(30.0)),
            ("Tue Nov 24 10:00:30 2026, 5", known(30.0)),
            ("Tue Nov 24 10:00:30 2026", known(30.0)),
            ("Tue, 24 Nov 2026 09:00:00 GMT", known(0.0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", known(YEAR)),
            // A value that says nothing.
            ("", Wait::NONE),
            (" , ", Wait::NONE),
            // A wait of a length that cannot be read.
            ("Tue, 24 Nov 2026 25:00:30 GMT", Wait::UNREADABLE),
            ("Tue, 24 Nov", Wait::UNREADABLE),
            ("Tue,", Wait::UNREADABLE),
            ("Tue", Wait::UNREADABLE),
            ("5, Tue", at_least(5.0)),
            ("-1", Wait::UNREADABLE),
            ("+5", Wait::UNREADABLE),
            (".5", Wait::UNREADABLE),
            ("1-2", Wait::UNREADABLE),
            ("1.2.3", Wait::UNREADABLE),
            ("0x10", Wait::UNREADABLE),
            ("٣", Wait::UNREADABLE),
            ("5 s", Wait::UNREADABLE),
            ("5s", Wait::UNREADABLE),
            ("5 minutes", Wait::UNREADABLE),
            ("PT5S", Wait::UNREADABLE),
            ("soon", Wait::UNREADABLE),
            ("inf", Wait::UNREADABLE),
            ("nan", Wait::UNREADABLE),
        ];
        for (value, expected) in one {
            assert_eq!(read(&[("retry-after", value.as_bytes()), DATE]).1, expected, "{value}");
        }

        let date = ("retry-after", &b"Tue, 24 Nov 2026 10:00:30 GMT"[..]);
        let later = ("date", &b"Tue, 24 Nov 2026 10:00:01 GMT"[..]);
        let reset = ("x-ratelimit-reset", &b"1795514417"[..]);
        let at = ("date", &b"Tue, 24 Nov 2026 10:00:00 GMT"[..]);
        let left = ("x-ratelimit-reset", &b"30"[..]);
        let millisecond = ("x-ratelimit-reset", &b"1795514417500"[..]);
        let over = ("x-ratelimit-reset", &b"1795514399"[..]);
        let table: [(Headers<'_>, Wait); 23] = [
            (&[], Wait::NONE),
            (&[DATE], Wait::NONE),
            (&[("retry-after", b"5"), ("retry-after", b"7")], known(7.0)),
            (&[("retry-after", b"7"), ("retry-after", b"5")], known(7.0)),
            (&[("retry-after", b"x"), ("retry-after", b"5")], at_least(5.0)),
            (&[("retry-after", b"x"), ("retry-after", b"y")], Wait::UNREADABLE),
            (&[("retry-after", b"5"), date, DATE], known(30.0)),
            (&[("retry-after", b"\xff")], Wait::UNREADABLE),
            // `Date` is missing, broken, or there are two that differ.
            (&[date], Wait::UNREADABLE),
            (&[date, ("retry-after", b"5")], at_least(5.0)),
            (&[date, ("date", b"today")], Wait::UNREADABLE),
            (&[date, DATE, later], Wait::UNREADABLE),
            (&[date, DATE, DATE], known(30.0)),
            // The end of the window, if `Retry-After` has no length.
            (&[reset, at], known(17.0)),
            (&[reset, at, ("retry-after", b"-1")], known(17.0)),
            (&[reset, at, ("retry-after", b"3")], known(3.0)),
            (&[reset], Wait::UNREADABLE),
            (&[over, at], known(0.0)),
            // As other backends write it: the seconds that are left, or the millisecond at which the window ends.
            (&[left], known(30.0)),
            (&[left, at, ("retry-after", b"-1")], known(30.0)),
            (&[left, at, ("retry-after", b"3")], known(3.0)),
            (&[millisecond, at], known(17.5)),
            (&[millisecond], Wait::UNREADABLE),
        ];
        for (headers, expected) in table {
            assert_eq!(read(headers).1, expected, "{headers:?}");
        }
    }

    #[test]
    fn a_wait_that_cannot_be_read_counts_as_a_window() {
        let [second, window] = [1, 60].map(Duration::from_secs);
        let longer = Wait::capped(Duration::from_secs(90));
        let waits = [Wait::NONE, Wait::UNREADABLE, Wait::capped(second), longer];
        assert_eq!(waits.map(|wait| wait.or_window(window)), [None, Some(window), Some(second), longer.known]);
        let beside = waits.map(|wait| wait.longer(Wait::UNREADABLE));
        assert_eq!(beside.map(|wait| wait.or_window(window)), [Some(window), Some(window), Some(window), longer.known]);
        assert_eq!(beside.map(Wait::known), [None, None, Some(second), longer.known]);
    }

    #[test]
    fn the_longest_wait_can_be_added_to_a_clock() {
        let (_, wait) = read(&[("retry-after", b"18446744073709551615")]);
        assert_eq!(wait.known().map(|wait| wait.as_secs_f64()), Some(YEAR));
        let late = http_date(b"Fri, 31 Dec 9999 23:59:59 GMT").unwrap();
        assert!(late.checked_add(wait.known().unwrap()).is_some());
    }

    // `docs/faults.md` 45.
    #[test]
    fn a_broken_limit_is_none_and_spoils_no_other() {
        let table: [(&[&[u8]], Option<u64>); 13] = [
            (&[], None),
            (&[b"7"], Some(7)),
            (&[b"0"], Some(0)),
            (&[b"18446744073709551615"], Some(u64::MAX)),
            (&[b"18446744073709551616"], None),
            (&[b"7, 7"], Some(7)),
            (&[b"7, 8"], None),
            (&[b"7,"], None),
            (&[b"-7"], None),
            (&[b"+7"], None),
            (&[b"\xff"], None),
            (&[b"7", b"7"], Some(7)),
            (&[b"7", b"8"], None),
        ];
        for (values, expected) in table {
            for name in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
                let other = if name == "x-ratelimit-limit" { "x-ratelimit-remaining" } else { "x-ratelimit-limit" };
                let mut headers: Vec<(&str, &[u8])> = values.iter().map(|value| (name, *value)).collect();
                headers.push((other, b"3"));
                let (rate, _) = read(&headers);
                let mut read = [rate.limit(), rate.remaining(), rate.reset()].into_iter().flatten().collect::<Vec<_>>();
                read.sort_unstable();
                let mut all = [Some(3), expected].into_iter().flatten().collect::<Vec<_>>();
                all.sort_unstable();
                assert_eq!(read, all, "{name} {values:?}");
            }
        }
    }
}
