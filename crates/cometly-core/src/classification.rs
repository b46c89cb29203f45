//! From status, headers and body to an outcome: the table and the order in the docs of [`AuthOutcome`].

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, Response, StatusCode};

use crate::{
    Answer, ApiErrorKind, AuthOutcome, ForbiddenReason, Redirected, Reply, UnexpectedCause,
    answer::Message,
    api::Keys,
    message::{first_byte, read_message},
    rate_limit::RateHeaders,
};

pub(crate) fn classify<B: AsRef<[u8]>>(response: Response<B>, keys: Arc<Keys>) -> AuthOutcome<B> {
    let (head, body) = response.into_parts();
    let mut signals = Signals::read(&head.headers);
    signals.is_redirected = head.extensions.get::<Redirected>().is_some();
    let (status, rate_limit) = (head.status, signals.rate.rate_limit);
    let (kind, text) = match judge(status, &signals, body.as_ref()) {
        Judgement::Success => return AuthOutcome::Success(Reply { status, rate_limit, tries: 1, body }),
        Judgement::Failure(kind, text) => (kind, text),
    };
    let message = Message::new(text, body.as_ref(), &keys);
    let retry_after = signals.rate.retry_after();
    let answer = Answer { kind, status, rate_limit, retry_after, tries: 1, message, body, keys };
    match kind {
        ApiErrorKind::Unauthenticated => AuthOutcome::Unauthenticated(answer),
        ApiErrorKind::Forbidden(reason) => AuthOutcome::Forbidden { reason, answer },
        ApiErrorKind::RateLimited => AuthOutcome::RateLimited(answer),
        ApiErrorKind::Rejected => AuthOutcome::Rejected(answer),
        ApiErrorKind::ServerError => AuthOutcome::ServerError(answer),
        ApiErrorKind::Unexpected(cause) => AuthOutcome::Unexpected { cause, answer },
    }
}

enum Judgement<'a> {
    Success,
    Failure(ApiErrorKind, Option<Cow<'a, str>>),
}

/// What the headers say, gathered in one walk.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a header that is there or is not")]
struct Signals<'a> {
    is_challenge: bool,
    is_redirected: bool,
    is_encoded: bool,
    /// A scheme of authentication is asked for, which the API does not do.
    is_foreign: bool,
    rate: RateHeaders<'a>,
}

impl<'a> Signals<'a> {
    fn read(headers: &'a HeaderMap) -> Self {
        let mut signals = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "cf-mitigated" | "x-amzn-waf-action" => signals.is_challenge = true,
                "www-authenticate" => signals.is_foreign = true,
                "content-encoding" => {
                    let encoding = value.as_bytes().trim_ascii();
                    signals.is_encoded |= !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity");
                }
                _ => signals.rate.note(name, value),
            }
        }
        signals
    }
}

fn judge<'a>(status: StatusCode, signals: &Signals<'_>, body: &'a [u8]) -> Judgement<'a> {
    use ApiErrorKind as Kind;
    use UnexpectedCause as Cause;

    let unexpected = |cause| Judgement::Failure(Kind::Unexpected(cause), None);
    if signals.is_challenge {
        return unexpected(Cause::Challenge);
    }
    if signals.is_redirected {
        return unexpected(Cause::Redirect);
    }
    match status.as_u16() {
        407 => unexpected(Cause::Proxy),
        304 => unexpected(Cause::Status),
        300..=399 => unexpected(Cause::Redirect),
        200..=299 if signals.is_encoded => unexpected(Cause::Encoded),
        200..=299 => match first_byte(body) {
            Some(b'{' | b'[') => Judgement::Success,
            None if body.len() <= 64 => unexpected(Cause::Empty),
            _ => unexpected(Cause::NotJson),
        },
        // Whatever the body: a message is told if there is one.
        500..=599 => Judgement::Failure(Kind::ServerError, read_message(body)),
        400..=499 => {
            let message = if signals.is_encoded { None } else { read_message(body) };
            let has_limits = signals.rate.rate_limit.is_present();
            let kind = match (status.as_u16(), &message) {
                (401, Some(_)) => Kind::Unauthenticated,
                (401, None) if body.is_empty() && !signals.is_foreign => Kind::Unauthenticated,
                (403, Some(message)) => Kind::Forbidden(forbidden_reason(message)),
                (429, Some(_)) => Kind::RateLimited,
                (429, None) if has_limits => Kind::RateLimited,
                (_, Some(_)) => Kind::Rejected,
                (_, None) if signals.is_encoded => Kind::Unexpected(Cause::Encoded),
                (_, None) => Kind::Unexpected(Cause::NotJson),
            };
            Judgement::Failure(kind, message)
        }
        _ => unexpected(Cause::Status),
    }
}

/// Laravel's own texts for a missing permission, and words that leave no doubt. What names both reasons, or neither, is
/// left open.
fn forbidden_reason(message: &str) -> ForbiddenReason {
    const PERMISSION: [&str; 5] =
        ["this action is unauthorized", "invalid ability provided", "invalid scope", "permission", "not authorized"];
    const INACTIVE: [&str; 7] = ["inactive", "not active", "no active", "expired", "canceled", "cancelled", "past due"];

    let message = message.to_ascii_lowercase();
    let has_any = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match (has_any(&PERMISSION), message.contains("subscription"), has_any(&INACTIVE)) {
        (true, false, _) => ForbiddenReason::Permission,
        (false, true, true) => ForbiddenReason::InactiveSubscription,
        _ => ForbiddenReason::Unspecified,
    }
}

#[cfg(test)]
mod tests;
