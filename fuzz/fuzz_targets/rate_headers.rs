//! The rate headers, and how long to wait, against a reading that is slow and plain.
#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use arbitrary::Arbitrary;
use cometly_core::{
    Api, ApiKey, RateLimit,
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
    let rate = outcome.rate_limit();
    assert_eq!(rate.limit(), one(all(Name::Limit)));
    assert_eq!(rate.remaining(), one(all(Name::Remaining)));
    assert_eq!(rate.reset(), one(all(Name::Reset)));
    let wait = wait(&all(Name::RetryAfter).collect::<Vec<_>>(), all(Name::Date).next());
    assert_eq!(outcome.retry_after(), wait.map(Duration::from_secs));
    assert!(outcome.is_rate_limited());
});

/// The number that all of them say, if it fits into the type.
fn one<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
    let numbers: Vec<Option<u128>> = values.map(number).collect();
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

/// The longest of what is asked for, and never more than a year; dates count from the first `Date`.
fn wait(values: &[&[u8]], date: Option<&[u8]>) -> Option<u64> {
    let seconds = values.iter().filter_map(|value| number(value)).max();
    let now = date.and_then(read_date);
    let dates = values.iter().filter(|value| number(value).is_none()).filter_map(|value| read_date(value));
    let until = now.and_then(|now| Some((dates.max()? - now).max(0) as u128));
    let longest = u128::from(RateLimit::MAX_RETRY_AFTER.as_secs());
    seconds.max(until).map(|wait| wait.min(longest) as u64)
}

fn read_date(text: &[u8]) -> Option<i128> {
    if text.len() > 64 {
        return None;
    }
    let time = httpdate::parse_http_date(std::str::from_utf8(trim(text)).ok()?).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs().into())
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
