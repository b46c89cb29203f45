//! Any answer is read: its outcome follows the table in the docs of `AuthOutcome`, and no word of it shows a key, steers a
//! terminal or has no end.
#![no_main]

use arbitrary::Arbitrary;
use cometly_core::{
    Api, ApiError, ApiErrorKind as Kind, ApiKey, AuthOutcome, ForbiddenReason, KeyStatus, RateLimit, Redirected,
    UnexpectedCause as Cause,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode},
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
    /// Modulo 1000; from 60,000 on, the thousands are the KiB for a 4 in the body.
    status: u16,
    redirected: bool,
    headers: Vec<(Name, &'a [u8])>,
    /// With 1, 2 and 3 in place of the key, its half behind the bar, and the key before, and 4 of a long text.
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

/// A refusal is judged by this much of its body.
const MAX_JUDGED: usize = 64 * 1024;

fuzz_target!(|input: Input| {
    let body = planted(input.body, usize::from(input.status / 1000));
    let Ok(status) = StatusCode::from_u16(input.status % 1000) else { return };
    let response = |body| {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        for (name, value) in &input.headers {
            if let Ok(value) = HeaderValue::from_bytes(&planted(value, 0)) {
                response.headers_mut().append(name.header(), value);
            }
        }
        if input.redirected {
            response.extensions_mut().insert(Redirected);
        }
        response
    };
    let api = Api::new(ApiKey::new(OLD).unwrap());
    api.rotate(ApiKey::new(KEY).unwrap());

    // What comes behind the judged part changes nothing.
    let other = [body.get(..MAX_JUDGED).unwrap_or_default(), b"}"].concat();
    let answer = response(body.as_slice());
    let expected = judge(&answer, input.redirected);
    let expected_status = |kind| key_status(kind, status, has_limits(answer.headers()));
    let outcome = api.read(answer.clone());
    if let Some(expected) = expected {
        assert!(expected.admits(kind(&outcome)), "{outcome:?} instead of {expected:?}");
    }
    if let Some(error) = outcome.error() {
        assert_eq!(error.key_status(), expected_status(error.kind()));
    }
    if body.len() > MAX_JUDGED && !status.is_success() {
        assert_eq!(kind(&outcome), kind(&api.read(response(&other))));
    }
    check(outcome, &body);
});

fn kind(outcome: &AuthOutcome<&[u8]>) -> Option<Kind> {
    outcome.error().map(ApiError::kind)
}

fn planted(script: &[u8], kibibytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(script.len());
    let mut has_long = false;
    for byte in script {
        match byte {
            1 => text.extend_from_slice(KEY.as_bytes()),
            2 => text.extend_from_slice(HALF.as_bytes()),
            3 => text.extend_from_slice(OLD.as_bytes()),
            4 if kibibytes >= 60 && !has_long => {
                has_long = true;
                text.resize(text.len() + kibibytes * 1024, b' ');
            }
            byte => text.push(*byte),
        }
    }
    text
}

fn check(outcome: AuthOutcome<&[u8]>, body: &[u8]) {
    shows_nothing(&format!("{outcome} {outcome:?}"));
    assert!(!outcome.to_string().contains(char::is_control));
    let error = match &outcome {
        AuthOutcome::Success(reply) => {
            assert_eq!((reply.status().is_success(), *reply.body()), (true, body));
            assert_eq!(reply.key_status(), KeyStatus::Accepted);
            match reply.json::<Value>() {
                Ok(value) => assert_eq!(serde_json::from_slice::<Value>(body).ok(), Some(value)),
                Err(error) => {
                    assert!(serde_json::from_slice::<Value>(body).is_err());
                    shows_nothing(&format!("{error} {error:?}"));
                }
            }
            assert!(outcome.into_result().is_ok());
            return;
        }
        AuthOutcome::Unauthenticated(error) => (Kind::Unauthenticated, error),
        AuthOutcome::RateLimited(error) => (Kind::RateLimited, error),
        AuthOutcome::Rejected(error) => (Kind::Rejected, error),
        AuthOutcome::ServerError(error) => (Kind::ServerError, error),
        AuthOutcome::Forbidden(reason, error) => (Kind::Forbidden(*reason), error),
        AuthOutcome::Unexpected(cause, error) => (Kind::Unexpected(*cause), error),
        _ => panic!("an outcome of which nothing is known: {outcome:?}"),
    };
    let (kind, error) = error;
    assert_eq!((error.kind(), error.attempts()), (kind, 1));
    check_words(error);
    assert!(error.retry_after().is_none_or(|wait| wait <= RateLimit::MAX_RETRY_AFTER));
    let (status, shown) = (outcome.status(), outcome.to_string());
    let error = outcome.into_result().unwrap_err();
    assert_eq!((error.to_string(), format!("{error:?}")), (shown.clone(), shown));
    assert_eq!((error.kind(), error.status()), (kind, status));
}

fn check_words(error: &ApiError) {
    let errors = error.field_errors();
    assert!(errors.len() <= 256);
    if matches!(error.kind(), Kind::Unexpected(_)) {
        assert_eq!((error.message(), errors.len()), (None, 0));
    }
    let words = errors.iter().flat_map(|error| [error.field, error.message]).chain(error.message());
    for text in words {
        assert!(text.len() <= 1024);
        is_fit_to_show(text);
    }
    let text = error.body_text();
    assert!(text.len() <= 8192);
    is_fit_to_show(&text);
}

fn is_fit_to_show(text: &str) {
    shows_nothing(text);
    let steers = |char: char| {
        char.is_control()
            || "\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\
            \u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}"
                .contains(char)
    };
    assert!(!text.contains(steers), "{text:?}");
}

fn shows_nothing(shown: &str) {
    for secret in [KEY, HALF, OLD] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// What the table says of an answer.
#[derive(Debug)]
enum Expected {
    Success,
    Kind(Kind),
    /// A 403 with this message, if it is known.
    Forbidden(Option<String>),
}

impl Expected {
    fn admits(&self, kind: Option<Kind>) -> bool {
        match (self, kind) {
            (Self::Success, kind) => kind.is_none(),
            (Self::Kind(expected), kind) => kind == Some(*expected),
            (Self::Forbidden(message), Some(Kind::Forbidden(reason))) => {
                message.as_ref().is_none_or(|message| may_be(reason, message))
            }
            (Self::Forbidden(_), _) => false,
        }
    }
}

/// The table, read anew; `None` where it is left to the parser what a broken text is.
fn judge(response: &Response<&[u8]>, redirected: bool) -> Option<Expected> {
    let (headers, body) = (response.headers(), *response.body());
    let expect = |kind| Some(Expected::Kind(kind));
    let unexpected = |cause| expect(Kind::Unexpected(cause));
    if headers.contains_key("cf-mitigated") || headers.contains_key("x-amzn-waf-action") {
        return unexpected(Cause::Challenge);
    }
    let is_encoded = headers.get_all("content-encoding").iter().any(|value| {
        let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        value.split(',').any(|coding| !["", "identity"].contains(&coding.trim_matches([' ', '\t'])))
    });
    let status = response.status().as_u16();
    let first = body.iter().find(|byte| !is_white_space(**byte));
    match status {
        _ if redirected => return unexpected(Cause::Redirect),
        407 => return unexpected(Cause::Proxy),
        304 => return unexpected(Cause::Status),
        300..400 => return unexpected(Cause::Redirect),
        200..300 if is_encoded => return unexpected(Cause::Encoded),
        200..300 => {
            return match first {
                Some(b'{' | b'[') => Some(Expected::Success),
                None => unexpected(Cause::Empty),
                Some(_) => unexpected(Cause::NotJson),
            };
        }
        500..600 => return expect(Kind::ServerError),
        429 => return expect(Kind::RateLimited),
        400..500 if is_encoded => return unexpected(Cause::Encoded),
        400..500 => {}
        _ => return unexpected(Cause::Status),
    }
    let said = said(body)?;
    match status {
        401 if said.has_message || (first.is_none() && body.len() <= MAX_JUDGED) => {
            match asks_for_other_scheme(headers)? {
                true => unexpected(Cause::NotJson),
                false => expect(Kind::Unauthenticated),
            }
        }
        403 if said.has_message => Some(Expected::Forbidden(said.message)),
        401 | 403 => unexpected(Cause::NotJson),
        _ if said.has_message || said.has_errors => expect(Kind::Rejected),
        _ => unexpected(Cause::NotJson),
    }
}

fn is_white_space(byte: u8) -> bool {
    b" \t\r\n".contains(&byte)
}

/// `None` where a quoted string would have to be read.
fn asks_for_other_scheme(headers: &HeaderMap) -> Option<bool> {
    let mut asks = false;
    for value in headers.get_all("www-authenticate") {
        let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        if value.contains(['"', '\\']) {
            return None;
        }
        for member in value.split(',').map(|member| member.trim_matches([' ', '\t'])) {
            let word = member.split([' ', '\t', '=']).next().unwrap_or_default();
            let is_parameter = member[word.len()..].trim_start_matches([' ', '\t']).starts_with('=');
            asks |= !word.is_empty() && !is_parameter && word != "bearer";
        }
    }
    Some(asks)
}

fn has_limits(headers: &HeaderMap) -> bool {
    ["x-ratelimit-limit", "x-ratelimit-remaining"].iter().any(|name| {
        let number = |member: &str| {
            let digits = member.trim_ascii();
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
        };
        // Several lines are a line with a list.
        let lines = headers.get_all(*name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
        let numbers: Vec<_> = lines.collect::<Vec<_>>().join(",").split(',').map(number).collect();
        numbers.first().is_some_and(|first| first.is_some() && numbers.iter().all(|number| number == first))
    })
}

fn key_status(kind: Kind, status: StatusCode, has_limits: bool) -> KeyStatus {
    match kind {
        Kind::Unauthenticated => KeyStatus::Refused,
        Kind::Forbidden(_) => KeyStatus::NotAllowed,
        Kind::Rejected if has_limits || status == 422 => KeyStatus::Accepted,
        Kind::RateLimited if has_limits => KeyStatus::Accepted,
        _ => KeyStatus::Unknown,
    }
}

/// A reason needs words that state it and none of the other reason's; the documented messages have theirs.
fn may_be(reason: ForbiddenReason, message: &str) -> bool {
    // An apostrophe is nothing: `doesn't` is one word.
    let text = message.to_ascii_lowercase().replace(['\'', '\u{2019}'], "");
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let has_word = |known: &[&str]| words(&text).any(|word| known.contains(&word));
    match reason {
        ForbiddenReason::Permission => {
            !has_word(&["subscription"])
                && says(&["unauthorized", "authorized", "authorised", "permission", "abilit", "scope"])
        }
        ForbiddenReason::InactiveSubscription => {
            says(&["subscription"])
                && says(&["inactive", "active", "expired", "cancel", "suspended", "ended", "past"])
                && !has_word(&["permission", "permissions", "scope", "scopes", "ability", "abilities"])
                && !has_word(&["unless", "billing"])
        }
        ForbiddenReason::Unspecified => {
            let text = message.trim_ascii();
            !matches!(
                text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase().as_str(),
                "this action is unauthorized" | "invalid ability provided" | "your subscription is inactive"
            )
        }
        _ => false,
    }
}

/// A letter beyond ASCII is part of a word; all else separates words, typographic marks too.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_mark = |char| ('\u{2000}'..='\u{203f}').contains(&char);
    text.split(move |char: char| is_mark(char) || char.is_ascii() && !char.is_ascii_alphabetic())
}

#[derive(Default)]
struct Said {
    has_message: bool,
    has_errors: bool,
    message: Option<String>,
}

/// What the body says, as a parser reads it that keeps everything; `None` where that parser reads otherwise.
fn said(body: &[u8]) -> Option<Said> {
    if body.len() > MAX_JUDGED {
        return None;
    }
    if body.iter().find(|byte| !is_white_space(**byte)) != Some(&b'{') {
        return Some(Said::default());
    }
    // It checks the grammar alone: no texts, no size of numbers, no depth.
    if serde_json::from_slice::<IgnoredAny>(body).is_err() {
        return Some(Said::default());
    }
    // Of two fields of one name, a map keeps the latter only; escapes may mean no character.
    if body.windows(9).filter(|window| *window == b"\"message\"").count() > 1 || body.contains(&b'\\') {
        return None;
    }
    // As numbers beyond all measure, or too many brackets.
    let map: Map<String, Value> = serde_json::from_str(&String::from_utf8_lossy(body)).ok()?;
    let message = map.get("message");
    Some(Said {
        has_message: message.is_some(),
        has_errors: map.contains_key("errors"),
        message: message.and_then(Value::as_str).map(str::to_owned),
    })
}
