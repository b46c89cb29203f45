//! Any answer is read: its outcome follows the table in the docs of `AuthOutcome`, and no word of it shows a key, steers a
//! terminal or has no end.
#![no_main]

use arbitrary::Arbitrary;
use cometly_core::{
    Answer, Api, ApiErrorKind as Kind, ApiKey, AuthOutcome, ForbiddenReason, RateLimit, Redirected,
    UnexpectedCause as Cause,
    http::{HeaderName, HeaderValue, Response, StatusCode},
};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

const KEY: &str = "12|canary-Zq8xW3vT";
const HALF: &str = "canary-Zq8xW3vT";
/// The one before: it overlaps with itself, and begins as the other ends.
const OLD: &str = "Tabababababab";

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    status: u16,
    redirected: bool,
    headers: Vec<(Name, &'a [u8])>,
    /// With 1, 2 and 3 in place of the key, its half behind the bar, and the key before.
    body: &'a [u8],
}

#[derive(Arbitrary, Debug)]
enum Name {
    Challenge,
    Waf,
    Authenticate,
    Encoding,
    Limit,
    Remaining,
    RetryAfter,
    Date,
    Other,
}

impl Name {
    fn header(&self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::Challenge => "cf-mitigated",
            Self::Waf => "x-amzn-waf-action",
            Self::Authenticate => "www-authenticate",
            Self::Encoding => "content-encoding",
            Self::Limit => "x-ratelimit-limit",
            Self::Remaining => "x-ratelimit-remaining",
            Self::RetryAfter => "retry-after",
            Self::Date => "date",
            Self::Other => "location",
        })
    }
}

fuzz_target!(|input: Input| {
    let body = planted(input.body);
    let mut response = Response::new(body.as_slice());
    *response.status_mut() = match StatusCode::from_u16(input.status % 1000) {
        Ok(status) => status,
        Err(_) => return,
    };
    for (name, value) in &input.headers {
        if let Ok(value) = HeaderValue::from_bytes(&planted(value)) {
            response.headers_mut().append(name.header(), value);
        }
    }
    if input.redirected {
        response.extensions_mut().insert(Redirected);
    }
    let api = Api::new(ApiKey::new(OLD).unwrap());
    api.rotate(ApiKey::new(KEY).unwrap());

    let expected = judge(&response, input.redirected);
    let outcome = api.read(response);
    if let Some(expected) = expected {
        assert_eq!(outcome.kind(), expected);
    }
    check(outcome, &body);
});

fn planted(script: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(script.len());
    for byte in script {
        match byte {
            1 => text.extend_from_slice(KEY.as_bytes()),
            2 => text.extend_from_slice(HALF.as_bytes()),
            3 => text.extend_from_slice(OLD.as_bytes()),
            byte => text.push(*byte),
        }
    }
    text
}

fn check(outcome: AuthOutcome<&[u8]>, body: &[u8]) {
    shows_nothing(&format!("{outcome} {outcome:?}"));
    assert!(!outcome.to_string().contains(char::is_control));
    match &outcome {
        AuthOutcome::Success(reply) => {
            assert_eq!((reply.status().is_success(), *reply.body()), (true, body));
            match reply.json::<Value>() {
                Ok(value) => assert_eq!(serde_json::from_slice::<Value>(body).ok(), Some(value)),
                Err(error) => shows_nothing(&format!("{error} {error:?}")),
            }
        }
        AuthOutcome::Unauthenticated(answer)
        | AuthOutcome::RateLimited(answer)
        | AuthOutcome::Rejected(answer)
        | AuthOutcome::ServerError(answer)
        | AuthOutcome::Forbidden { answer, .. }
        | AuthOutcome::Unexpected { answer, .. } => check_words(answer),
        _ => panic!("an outcome of which nothing is known: {outcome:?}"),
    }
    let (kind, message) = (outcome.kind(), outcome.message().map(str::to_owned));
    let (status, wait, shown) = (outcome.status(), outcome.retry_after(), outcome.to_string());
    assert!(wait.is_none_or(|wait| wait <= RateLimit::MAX_RETRY_AFTER));
    match outcome.into_result() {
        Ok(_) => assert_eq!(kind, None),
        Err(error) => {
            shows_nothing(&format!("{error} {error:?}"));
            assert_eq!((error.to_string(), format!("{error:?}")), (shown.clone(), shown));
            assert_eq!((Some(error.kind()), error.status(), error.retry_after()), (kind, status, wait));
            assert_eq!(error.message(), message.as_deref());
        }
    }
}

fn check_words(answer: &Answer<&[u8]>) {
    shows_nothing(&format!("{answer:?}"));
    let errors = answer.field_errors();
    assert!(errors.len() <= 256 && (errors.is_empty() || answer.message().is_some()));
    let words = errors.iter().flat_map(|error| [&*error.field, &*error.message]).chain(answer.message());
    for text in words {
        assert!(text.len() <= 1024);
        shows_nothing(text);
        let steering = |char: char| {
            char.is_control()
                || "\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\
            \u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}"
                    .contains(char)
        };
        assert!(!text.contains(steering), "{text:?}");
    }
}

fn shows_nothing(shown: &str) {
    for secret in [KEY, HALF, OLD] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// The table, read anew; `None` in place of an outcome where it is left to the parser what a broken text is.
fn judge(response: &Response<&[u8]>, redirected: bool) -> Option<Option<Kind>> {
    let (headers, body) = (response.headers(), *response.body());
    let unexpected = |cause| Some(Some(Kind::Unexpected(cause)));
    if headers.contains_key("cf-mitigated") || headers.contains_key("x-amzn-waf-action") {
        return unexpected(Cause::Challenge);
    }
    let is_encoded = headers.get_all("content-encoding").iter().any(|value| {
        let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        !["", "identity"].contains(&value.trim_matches([' ', '\t']))
    });
    let status = response.status().as_u16();
    let begins = body.iter().take(64).find(|byte| !byte.is_ascii_whitespace());
    match status {
        _ if redirected => return unexpected(Cause::Redirect),
        407 => return unexpected(Cause::Proxy),
        304 => return unexpected(Cause::Status),
        300..400 => return unexpected(Cause::Redirect),
        200..300 if is_encoded => return unexpected(Cause::Encoded),
        200..300 => {
            return match begins {
                Some(b'{' | b'[') => Some(None),
                None if body.len() <= 64 => unexpected(Cause::Empty),
                _ => unexpected(Cause::NotJson),
            };
        }
        500..600 => return Some(Some(Kind::ServerError)),
        400..500 => {}
        _ => return unexpected(Cause::Status),
    }
    let message = match message(body) {
        _ if is_encoded => None,
        Said::Message(message) => Some(message),
        Said::Nothing => None,
        Said::Broken => return None,
    };
    let has_limits = ["x-ratelimit-limit", "x-ratelimit-remaining"].iter().any(|name| {
        let number = |value: &HeaderValue| value.to_str().ok()?.trim().parse::<u64>().ok();
        let is_plain = |value: &HeaderValue| !value.as_bytes().contains(&b'+');
        let mut values = headers.get_all(*name).iter();
        let Some(first) = values.next().filter(|value| is_plain(value)).and_then(number) else { return false };
        values.all(|value| is_plain(value) && number(value) == Some(first))
    });
    Some(Some(match (status, message) {
        (401, Some(_)) => Kind::Unauthenticated,
        (401, None) if body.is_empty() && !headers.contains_key("www-authenticate") => Kind::Unauthenticated,
        (403, Some(message)) => Kind::Forbidden(reason(&message)),
        (429, Some(_)) => Kind::RateLimited,
        (429, None) if has_limits => Kind::RateLimited,
        (_, Some(_)) => Kind::Rejected,
        (_, None) if is_encoded => Kind::Unexpected(Cause::Encoded),
        (_, None) => Kind::Unexpected(Cause::NotJson),
    }))
}

fn reason(message: &str) -> ForbiddenReason {
    let message = message.to_ascii_lowercase();
    // Only a word of its own, or the beginning of one.
    let says = |phrase: &str| {
        message.match_indices(phrase).any(|(at, _)| !message[..at].ends_with(|char: char| char.is_ascii_alphabetic()))
    };
    let permission = says("this action is unauthorized")
        || says("invalid ability provided")
        || says("invalid scope")
        || says("permission")
        || says("not authorized");
    let inactive = says("inactive")
        || says("not active")
        || says("no active")
        || says("expired")
        || says("canceled")
        || says("cancelled")
        || says("past due");
    match says("subscription") {
        false if permission => ForbiddenReason::Permission,
        true if inactive && !permission => ForbiddenReason::InactiveSubscription,
        _ => ForbiddenReason::Unspecified,
    }
}

enum Said {
    Message(String),
    Nothing,
    Broken,
}

/// The last string named `message` of an object, as a parser reads it that keeps everything.
fn message(body: &[u8]) -> Said {
    if body.iter().take(64).find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Said::Nothing;
    }
    // Of two fields of one name, a map keeps the latter only, be it a string or not.
    if body.windows(9).filter(|window| *window == b"\"message\"").count() > 1 || body.contains(&b'\\') {
        return if serde_json::from_slice::<IgnoredAny>(body).is_err() { Said::Nothing } else { Said::Broken };
    }
    match serde_json::from_slice::<Map<String, Value>>(body) {
        Ok(map) => match map.get("message").and_then(Value::as_str) {
            Some(message) => Said::Message(message.to_owned()),
            None => Said::Nothing,
        },
        Err(_) if serde_json::from_slice::<IgnoredAny>(body).is_err() => Said::Nothing,
        // As numbers beyond all measure, or too many brackets.
        Err(_) => Said::Broken,
    }
}
