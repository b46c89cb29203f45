//! From an `http::Response` to what it means.
//!
//! Reading takes the response by value, so each piece clones one first, and drops what was made of it at last. To clone
//! and drop it unread is the piece `without`, which is subtracted from all of them.

use std::{borrow::Cow, collections::BTreeMap, hint::black_box};

use bytes::Bytes;
use cometly_core::{ApiError, AuthOutcome};
use harness::Suite;
use http::{HeaderMap, HeaderValue, Response, header::RETRY_AFTER};
use serde::Deserialize;

use crate::{SECRET, answers, api};

/// The longest message that is shown as it is.
const LONGEST: usize = 1024;

pub fn add(suite: &mut Suite) {
    for (job, response) in answers::all() {
        let mut add = |who, read: Box<dyn Fn(Response<Bytes>)>| {
            let response = response.clone();
            suite.add(job, who, move || read(black_box(black_box(&response).clone())));
        };
        add("without", Box::new(|response| drop(black_box(response))));
        let (api, has_fields, asks_limits) = (api(), response.status() == 422, job == "read-200-limits");
        add(
            "ours",
            Box::new(move |response| {
                let outcome = black_box(&api).read(response);
                match black_box(&outcome) {
                    AuthOutcome::Success(reply) if asks_limits => drop(black_box(reply.rate_limit())),
                    AuthOutcome::Success(reply) => drop(black_box(reply.status())),
                    AuthOutcome::Rejected(error) if has_fields => {
                        black_box(error.message());
                        black_box(error.field_errors());
                    }
                    refused => drop(black_box(refused.error().and_then(ApiError::message))),
                }
            }),
        );
        let read = if has_fields { naive_with_fields } else { naive };
        add("naive", Box::new(read));
        match response.status().as_u16() {
            422 => {
                add("lean", Box::new(|response| lean_with_fields(&response, |_| true)));
                add("lean-masked", Box::new(|response| lean_with_fields(&response, is_fit_to_show)));
            }
            401 | 403 | 429 => {
                add("lean", Box::new(|response| lean(&response, |_| true)));
                add("lean-masked", Box::new(|response| lean(&response, is_fit_to_show)));
            }
            _ => add("lean", Box::new(|response| lean(&response, |_| true))),
        }
    }
}

#[derive(Clone, Copy)]
enum Class {
    Success,
    Unauthenticated,
    Forbidden,
    RateLimited,
    Invalid,
    Server,
    Other,
}

fn class(response: &Response<Bytes>) -> Class {
    match response.status().as_u16() {
        200..=299 => Class::Success,
        401 => Class::Unauthenticated,
        403 => Class::Forbidden,
        422 => Class::Invalid,
        429 => Class::RateLimited,
        500..=599 => Class::Server,
        _ => Class::Other,
    }
}

#[derive(Default)]
struct Limits {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<u64>,
    retry_after: Option<u64>,
}

impl Limits {
    /// One walk over the few headers, without hashing.
    fn walk(headers: &HeaderMap) -> Self {
        let mut limits = Self::default();
        for (name, value) in headers {
            let text = name.as_str();
            match text.len() {
                11 if name == RETRY_AFTER => limits.retry_after = digits(value),
                17 if text == "x-ratelimit-limit" => limits.limit = digits(value),
                17 if text == "x-ratelimit-reset" => limits.reset = digits(value),
                21 if text == "x-ratelimit-remaining" => limits.remaining = digits(value),
                _ => {}
            }
        }
        limits
    }

    fn look_up(headers: &HeaderMap) -> Self {
        let get = |name: &str| headers.get(name)?.to_str().ok()?.parse().ok();
        Self {
            limit: get("X-RateLimit-Limit"),
            remaining: get("X-RateLimit-Remaining"),
            reset: get("X-RateLimit-Reset"),
            retry_after: get("Retry-After"),
        }
    }
}

fn digits(value: &HeaderValue) -> Option<u64> {
    let text = value.as_bytes();
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| number * 10 + u64::from(digit))
    })
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Invalid<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    errors: Fields<'a>,
}

/// Each field and what is wrong with it, in the order of the answer and borrowed from it.
struct Fields<'a>(Vec<(Cow<'a, str>, Vec<Text<'a>>)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("fields")
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Vec::new();
                while let Some((field, errors)) = map.next_entry::<Text<'de>, _>()? {
                    fields.push((field.0, errors));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// The body as text, if it may be an object.
fn object(body: &[u8]) -> Option<&str> {
    let is_object = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    is_object.then(|| std::str::from_utf8(body).ok())?
}

fn lean(response: &Response<Bytes>, may_show: fn(&str) -> bool) {
    let class = class(response);
    black_box(Limits::walk(response.headers()));
    if !matches!(class, Class::Success) {
        let refusal = object(response.body()).and_then(|text| serde_json::from_str::<Refusal<'_>>(text).ok());
        black_box(refusal.as_ref().filter(|refusal| may_show(&refusal.message)).map(|refusal| &*refusal.message));
    }
    black_box(class);
}

/// Whether a message holds nothing that must be masked or escaped. Who finds the second half of a key finds the key.
fn is_fit_to_show(text: &str) -> bool {
    let (text, secret) = (text.as_bytes(), black_box(SECRET).as_bytes());
    // One that ends early would go byte by byte.
    let is_plain = text.iter().fold(true, |is_plain, byte| is_plain & (b' '..=b'~').contains(byte));
    let holds_secret = || text.windows(secret.len()).any(|window| window == secret);
    text.len() <= LONGEST && is_plain && !(text.contains(&secret[0]) && holds_secret())
}

fn lean_with_fields(response: &Response<Bytes>, may_show: fn(&str) -> bool) {
    black_box((class(response), Limits::walk(response.headers()).limit));
    let invalid = object(response.body()).and_then(|text| serde_json::from_str::<Invalid<'_>>(text).ok());
    let may_be_shown = |invalid: &&Invalid<'_>| {
        let mut fields = invalid.errors.0.iter();
        may_show(&invalid.message)
            && fields.all(|(field, errors)| may_show(field) && errors.iter().all(|error| may_show(&error.0)))
    };
    black_box(invalid.as_ref().filter(may_be_shown).map(|invalid| (&invalid.message, &invalid.errors.0)));
}

fn naive(response: Response<Bytes>) {
    black_box(Limits::look_up(response.headers()));
    let class = black_box(class(&response));
    if !matches!(class, Class::Success) {
        let value = serde_json::from_slice::<serde_json::Value>(response.body()).ok();
        black_box(value.and_then(|value| value["message"].as_str().map(str::to_owned)));
    }
}

fn naive_with_fields(response: Response<Bytes>) {
    #[derive(Deserialize)]
    struct Owned {
        message: String,
        errors: BTreeMap<String, Vec<String>>,
    }
    black_box((class(&response), Limits::look_up(response.headers()).limit));
    let invalid = serde_json::from_slice::<Owned>(response.body()).ok();
    black_box(invalid.map(|invalid| (invalid.message, invalid.errors)));
}
