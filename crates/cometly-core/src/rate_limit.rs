//! What the server says of its limits.

use std::{fmt, time::Duration};

use http::{HeaderName, HeaderValue};

/// The limit that a call counted against, as far as the answer said: `X-RateLimit-Limit`, `-Remaining` and `-Reset`
/// ([Cometly: rate limiting](https://docs.cometly.com)).
///
/// Limits are per Space and endpoint, and shared by everybody who calls with a key of that Space, so `remaining` is a
/// hint. All of it is optional: refused keys, unknown routes and answers of proxies carry none. What is not plain digits,
/// or is given twice with different values, is `None`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    limit: Field,
    remaining: Field,
    reset: Field,
}

impl RateLimit {
    /// The longest `Retry-After` that is told: a year. What the server asks for beyond that is told as a year.
    pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    /// Calls allowed in a window, which Cometly documents as a minute.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit.value()
    }

    /// Calls left in this window.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        self.remaining.value()
    }

    /// When the window ends, in seconds since the Unix epoch. Only a 429 tells it.
    #[must_use]
    pub fn reset(&self) -> Option<u64> {
        self.reset.value()
    }

    /// Whether the answer told anything that only an endpoint with a limit tells.
    pub(crate) fn is_present(&self) -> bool {
        self.limit().is_some() || self.remaining().is_some()
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("limit", &self.limit())
            .field("remaining", &self.remaining())
            .field("reset", &self.reset())
            .finish()
    }
}

/// A header that should be there once at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    #[default]
    Absent,
    Value(u64),
    Broken,
}

impl Field {
    fn note(&mut self, value: &HeaderValue) {
        *self = match (*self, digits(value.as_bytes())) {
            (Self::Absent, Some(value)) => Self::Value(value),
            (Self::Value(before), Some(value)) if before == value => Self::Value(value),
            _ => Self::Broken,
        }
    }

    fn value(self) -> Option<u64> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Broken => None,
        }
    }
}

/// The limits and the `Retry-After` of one answer, gathered in one walk over its headers.
#[derive(Default)]
pub(crate) struct RateHeaders<'a> {
    pub(crate) rate_limit: RateLimit,
    /// Seconds; the largest if there are several.
    seconds: Option<u64>,
    retry_date: Option<&'a HeaderValue>,
    date: Option<&'a HeaderValue>,
}

impl<'a> RateHeaders<'a> {
    /// Takes note of a header; any that is not its business is passed over.
    pub(crate) fn note(&mut self, name: &HeaderName, value: &'a HeaderValue) {
        match name.as_str() {
            "x-ratelimit-limit" => self.rate_limit.limit.note(value),
            "x-ratelimit-remaining" => self.rate_limit.remaining.note(value),
            "x-ratelimit-reset" => self.rate_limit.reset.note(value),
            "retry-after" => match saturating_digits(value.as_bytes()) {
                Some(seconds) => self.seconds = self.seconds.max(Some(seconds)),
                None => self.retry_date = self.retry_date.or(Some(value)),
            },
            "date" => self.date = Some(value),
            _ => {}
        }
    }

    /// How long the server asks to wait ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
    /// A date is measured against the answer's own `Date`, so that no clock is needed.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.seconds.map(Duration::from_secs);
        let until = || {
            let (until, now) = (http_date(self.retry_date?)?, http_date(self.date?)?);
            Some(until.duration_since(now).unwrap_or_default())
        };
        seconds.max(until()).map(|wait| wait.min(RateLimit::MAX_RETRY_AFTER))
    }
}

fn http_date(value: &HeaderValue) -> Option<std::time::SystemTime> {
    // All three forms of RFC 9110 §5.6.7 are shorter than this.
    let text = value.to_str().ok().filter(|text| text.len() <= 64)?;
    httpdate::parse_http_date(text.trim()).ok()
}

/// Plain digits that fit, else nothing: `str::parse` alone would take a sign.
fn digits(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The same, but a number too large for the type is the largest: a wait must not shrink.
fn saturating_digits(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    let is_plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    is_plain.then(|| digits(text).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header::HeaderName};

    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a [u8])];

    fn read(headers: Headers<'_>) -> (RateLimit, Option<Duration>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap()))
            .collect();
        let mut read = RateHeaders::default();
        headers.iter().for_each(|(name, value)| read.note(name, value));
        (read.rate_limit, read.retry_after())
    }

    // Rows 39 to 44 of the fault list.
    #[test]
    fn retry_after_is_strict_digits_or_a_date_and_never_too_short() {
        const DATE: (&str, &[u8]) = ("date", b"Tue, 24 Nov 2026 10:00:00 GMT");
        let year = RateLimit::MAX_RETRY_AFTER.as_secs();
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
