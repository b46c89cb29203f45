//! The rate headers, and how long to wait, against a reading that is slow and plain.
#![no_main]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arbitrary::Arbitrary;
use cometly_core::{
    Api, ApiKey, AuthOutcome, RateLimit,
    http::{HeaderName, HeaderValue, Response},
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    headers: Vec<(Name, Value<'a>)>,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Name {
    Limit,
    Remaining,
    Reset,
    RetryAfter,
    Date,
    Other,
}

#[derive(Arbitrary, Debug)]
enum Value<'a> {
    Bytes(&'a [u8]),
    Number(u64),
    /// Seconds since 1970, as a date is written.
    Date(u32),
}

impl Name {
    fn header(self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::Limit => "x-ratelimit-limit",
            Self::Remaining => "x-ratelimit-remaining",
            Self::Reset => "x-ratelimit-reset",
            Self::RetryAfter => "retry-after",
            Self::Date => "date",
            Self::Other => "server",
        })
    }
}

impl Value<'_> {
    fn header(&self) -> Option<HeaderValue> {
        match self {
            Self::Bytes(bytes) => HeaderValue::from_bytes(bytes).ok(),
            Self::Number(number) => Some(HeaderValue::from(*number)),
            Self::Date(seconds) => {
                let time = UNIX_EPOCH + Duration::from_secs((*seconds).into());
                HeaderValue::try_from(httpdate::fmt_http_date(time)).ok()
            }
        }
    }
}

fuzz_target!(|input: Input| {
    let headers: Vec<(Name, HeaderValue)> =
        input.headers.iter().filter_map(|(name, value)| Some((*name, value.header()?))).collect();
    let mut response = Response::builder().status(429).body(r#"{"message":"Too Many Attempts."}"#).unwrap();
    for (name, value) in &headers {
        response.headers_mut().append(name.header(), value.clone());
    }
    let outcome = Api::new(ApiKey::new("k").unwrap()).read(response);

    let all = |wanted: Name| headers.iter().filter(move |(name, _)| *name == wanted).map(|(_, value)| value.as_bytes());
    let AuthOutcome::RateLimited(error) = outcome else { panic!("a 429 that is {outcome:?}") };
    let rate = error.rate_limit();
    assert_eq!(rate.limit(), one(all(Name::Limit)));
    assert_eq!(rate.remaining(), one(all(Name::Remaining)));
    assert_eq!(rate.reset(), one(all(Name::Reset)));
    let date = date(&all(Name::Date).collect::<Vec<_>>());
    let asked = all(Name::RetryAfter).flat_map(members).filter_map(|member| wait(&member, date)).max();
    let left = |end: Duration| Some(end.saturating_sub(date?.duration_since(UNIX_EPOCH).unwrap_or_default()));
    let until_reset = rate.reset().and_then(|reset| match reset.checked_ilog10().unwrap_or(0) {
        ..9 => Some(Duration::from_secs(reset)),
        9..11 => left(Duration::from_secs(reset)),
        _ => left(Duration::from_millis(reset)),
    });
    let expected = asked.or(until_reset).map(|wait| wait.min(RateLimit::MAX_RETRY_AFTER));
    assert_eq!(error.retry_after(), expected);
});

/// The number that all of them say, in one line or in many, if it fits into the type.
fn one<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
    let numbers: Vec<Option<u128>> = values.flat_map(|line| line.split(|byte| *byte == b',')).map(number).collect();
    let first = *numbers.first()?;
    let first = first.filter(|_| numbers.iter().all(|number| *number == first))?;
    u64::try_from(first).ok()
}

/// Digits within blanks, however many; no more than the largest.
fn number(text: &[u8]) -> Option<u128> {
    let text: &[u8] = trim(text);
    if text.is_empty() {
        return None;
    }
    let mut number = 0_u128;
    for byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => return None,
        };
        number = number.saturating_mul(10).saturating_add(digit.into());
    }
    Some(number)
}

/// The values of a list. A comma behind a weekday is part of a date.
fn members(line: &[u8]) -> Vec<Vec<u8>> {
    let mut members: Vec<Vec<u8>> = Vec::new();
    let mut is_open = false;
    for part in line.split(|byte| *byte == b',') {
        let name = part.trim_ascii().to_ascii_lowercase();
        let is_weekday = name.iter().all(u8::is_ascii_lowercase)
            && [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"].iter().any(|day| name.starts_with(*day));
        match members.last_mut() {
            Some(day) if is_open => {
                day.push(b',');
                day.extend_from_slice(part);
                is_open = false;
            }
            _ => {
                members.push(part.to_vec());
                is_open = is_weekday;
            }
        }
    }
    members
}

/// What a value asks for: seconds, with a fraction or not, or the time from the answer's `Date` to its own.
fn wait(value: &[u8], date: Option<SystemTime>) -> Option<Duration> {
    if let Some(seconds) = number(value) {
        return Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX)));
    }
    let text = std::str::from_utf8(value).ok()?.trim_matches(|char: char| char.is_ascii_whitespace());
    let is_number = text.starts_with(|char: char| char.is_ascii_digit())
        && text.chars().all(|char| char.is_ascii_digit() || ".eE+-".contains(char));
    if is_number {
        let seconds: f64 = text.parse().ok()?;
        return Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    Some(read_date(value)?.duration_since(date?).unwrap_or_default())
}

/// The date that all of them say.
fn date(values: &[&[u8]]) -> Option<SystemTime> {
    let dates: Vec<_> = values.iter().map(|value| read_date(value)).collect();
    let first = *dates.first()?;
    first.filter(|_| dates.iter().all(|date| *date == first))
}

fn read_date(text: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?.trim();
    httpdate::parse_http_date(text).ok().filter(|_| text.len() <= 64)
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
