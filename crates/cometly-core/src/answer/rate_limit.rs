//! What the server says of its limits.

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{DATE, RETRY_AFTER},
};

/// The limit that a call counted against, as far as the answer said: `X-RateLimit-Limit`, `-Remaining` and `-Reset`
/// ([Cometly: rate limiting](https://docs.cometly.com)).
///
/// Limits are per Space and endpoint, and shared by everybody who calls with a key of that Space, so `remaining` is a
/// hint. All of it is optional: refused keys, unknown routes and answers of proxies carry none. What is not plain digits,
/// or is given twice with different values, is `None`.
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
    /// The longest `Retry-After` that is told: a year. What the server asks for beyond that is told as a year.
    pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let once = |name| {
            let mut values = headers.get_all(name).iter().map(|value| digits(value.as_bytes())?.parse().ok());
            let first = values.next()?;
            values.all(|other| other == first).then_some(first)?
        };
        Self { limit: once(&LIMIT), remaining: once(&REMAINING), reset: once(&RESET) }
    }

    /// Calls allowed in a window, which Cometly documents as a minute.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Calls left in this window.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// When the window ends, in seconds since the Unix epoch. Only a 429 tells it.
    #[must_use]
    pub fn reset(&self) -> Option<u64> {
        self.reset
    }

    /// Whether the answer told anything that only an endpoint with a limit tells.
    pub(crate) fn is_present(&self) -> bool {
        self.limit.is_some() || self.remaining.is_some()
    }
}

/// How long the server asks to wait ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)): the most,
/// if it says so several times. A date is measured against the answer's own `Date`, so that no clock is needed.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = |value: &HeaderValue| match digits(value.as_bytes()) {
        // A wait must not shrink because it is too large for the type.
        Some(seconds) => Some(Duration::from_secs(seconds.parse().unwrap_or(u64::MAX))),
        None => Some(http_date(value)?.duration_since(http_date(headers.get(DATE)?)?).unwrap_or_default()),
    };
    let longest = headers.get_all(RETRY_AFTER).iter().filter_map(asked).max();
    longest.map(|wait| wait.min(RateLimit::MAX_RETRY_AFTER))
}

fn http_date(value: &HeaderValue) -> Option<std::time::SystemTime> {
    // All three forms of RFC 9110 §5.6.7 are shorter than this.
    let text = value.to_str().ok().filter(|text| text.len() <= 64)?;
    httpdate::parse_http_date(text.trim()).ok()
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

    fn read(headers: Headers<'_>) -> (RateLimit, Option<Duration>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap()))
            .collect();
        (RateLimit::read(&headers), retry_after(&headers))
    }

    // Rows 39 to 44 of the fault list.
    #[test]
    fn retry_after_is_strict_digits_or_a_date_and_never_too_short() {
        const DATE: (&str, &[u8]) = ("date", b"Tue, 24 Nov 2026 10:00:00 GMT");
        let year = 31_536_000;
        let table: [(Headers<'_>, Option<u64>); 26] = [
            (&[], None),
            (&[("retry-after", b"0")], Some(0)),
            (&[("retry-after", b"17")], Some(17)),
            (&[("retry-after", b" 17\t")], Some(17)),
            (&[("retry-after", b"007")], Some(7)),
            (&[("retry-after", b"-1")], None),
            (&[("retry-after", b"+5")], None),
            (&[("retry-after", b"5.0")], None),
            (&[("retry-after", b"1e3")], None),
            (&[("retry-after", b"0x10")], None),
            (&[("retry-after", "٣".as_bytes())], None),
            (&[("retry-after", b"")], None),
            (&[("retry-after", b"5 s")], None),
            (&[("retry-after", b"5, 7")], None),
            (&[("retry-after", b"18446744073709551615")], Some(year)),
            (&[("retry-after", b"18446744073709551616")], Some(year)),
            (&[("retry-after", b"999999999999999999999999999999")], Some(year)),
            (&[("retry-after", b"5"), ("retry-after", b"7")], Some(7)),
            (&[("retry-after", b"7"), ("retry-after", b"5")], Some(7)),
            (&[("retry-after", b"x"), ("retry-after", b"5")], Some(5)),
            (&[("retry-after", b"Tue, 24 Nov 2026 10:00:30 GMT"), DATE], Some(30)),
            (&[("retry-after", b"Tue, 24 Nov 2026 09:00:00 GMT"), DATE], Some(0)),
            (&[("retry-after", b"Fri, 31 Dec 9999 23:59:59 GMT"), DATE], Some(year)),
            (&[("retry-after", b"Tue, 24 Nov 2026 10:00:30 GMT")], None),
            (&[("retry-after", b"Tue, 24 Nov 2026 25:00:30 GMT"), DATE], None),
            (&[("retry-after", b"5"), ("retry-after", b"Tue, 24 Nov 2026 10:00:30 GMT"), DATE], Some(30)),
        ];
        for (headers, seconds) in table {
            assert_eq!(read(headers).1, seconds.map(Duration::from_secs), "{headers:?}");
        }
    }

    #[test]
    fn the_longest_wait_can_be_added_to_a_clock() {
        let (_, wait) = read(&[("retry-after", b"18446744073709551615")]);
        let late = http_date(&HeaderValue::from_static("Fri, 31 Dec 9999 23:59:59 GMT")).unwrap();
        assert!(late.checked_add(wait.unwrap()).is_some());
    }

    // Row 45 of the fault list.
    #[test]
    fn a_broken_limit_is_none_and_spoils_no_other() {
        let table: [(&[&[u8]], Option<u64>); 11] = [
            (&[], None),
            (&[b"7"], Some(7)),
            (&[b"0"], Some(0)),
            (&[b"18446744073709551615"], Some(u64::MAX)),
            (&[b"18446744073709551616"], None),
            (&[b"7, 7"], None),
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
