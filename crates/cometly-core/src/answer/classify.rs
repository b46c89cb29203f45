//! From status, headers and body to an outcome: the table and the order in the docs of [`AuthOutcome`].

use http::{HeaderValue, Response, response::Parts};

use super::error_body::{Said, Words, first_byte, read};
use crate::{
    Answer, ApiErrorKind, AuthOutcome, ForbiddenReason, RateLimit, Redirected, Reply, UnexpectedCause, key_ring::Keys,
};

pub(crate) fn classify<B: AsRef<[u8]>>(response: Response<B>, keys: &Keys) -> AuthOutcome<B> {
    let (head, body) = response.into_parts();
    let (kind, words) = match judge(&head, body.as_ref(), keys) {
        Judgement::Success => {
            return AuthOutcome::Success(Reply { status: head.status, headers: head.headers, tries: 1, body });
        }
        Judgement::Failure(kind, words) => (kind, words),
    };
    let answer = Answer { kind, status: head.status, headers: head.headers, tries: 1, words, body };
    match kind {
        ApiErrorKind::Unauthenticated => AuthOutcome::Unauthenticated(answer),
        ApiErrorKind::Forbidden(reason) => AuthOutcome::Forbidden { reason, answer },
        ApiErrorKind::RateLimited => AuthOutcome::RateLimited(answer),
        ApiErrorKind::Rejected => AuthOutcome::Rejected(answer),
        ApiErrorKind::ServerError => AuthOutcome::ServerError(answer),
        ApiErrorKind::Unexpected(cause) => AuthOutcome::Unexpected { cause, answer },
    }
}

enum Judgement {
    Success,
    Failure(ApiErrorKind, Option<Words>),
}

/// What the headers say of who answered.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a header that is there or is not")]
struct Signals {
    is_challenge: bool,
    is_redirected: bool,
    is_encoded: bool,
    /// A scheme of authentication is asked for, which the API does not do.
    is_foreign: bool,
}

impl Signals {
    fn read(head: &Parts) -> Self {
        let mut signals = Self { is_redirected: head.extensions.get::<Redirected>().is_some(), ..Self::default() };
        for name in head.headers.keys() {
            // Most headers are passed over by the length of their name.
            match (name.as_str().len(), name.as_str()) {
                (12, "cf-mitigated") | (17, "x-amzn-waf-action") => signals.is_challenge = true,
                (16, "www-authenticate") => signals.is_foreign = true,
                (16, "content-encoding") => {
                    signals.is_encoded = !head.headers.get_all(name).iter().all(is_identity);
                }
                _ => {}
            }
        }
        signals
    }
}

/// No coding at all, in any way of saying so.
fn is_identity(encoding: &HeaderValue) -> bool {
    let encoding = encoding.as_bytes().trim_ascii();
    encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity")
}

fn judge(head: &Parts, body: &[u8], keys: &Keys) -> Judgement {
    use ApiErrorKind as Kind;
    use UnexpectedCause as Cause;

    let signals = Signals::read(head);
    let unexpected = |cause| Judgement::Failure(Kind::Unexpected(cause), None);
    if signals.is_challenge {
        return unexpected(Cause::Challenge);
    }
    if signals.is_redirected {
        return unexpected(Cause::Redirect);
    }
    match head.status.as_u16() {
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
        500..=599 => Judgement::Failure(Kind::ServerError, read(body, keys).map(|said| said.words)),
        400..=499 => {
            let said = if signals.is_encoded { None } else { read(body, keys) };
            let kind = match (head.status.as_u16(), &said) {
                (401, Some(_)) => Kind::Unauthenticated,
                (401, None) if body.is_empty() && !signals.is_foreign => Kind::Unauthenticated,
                (403, Some(Said { message, .. })) => Kind::Forbidden(forbidden_reason(message)),
                (429, Some(_)) => Kind::RateLimited,
                (429, None) if RateLimit::read(&head.headers).is_present() => Kind::RateLimited,
                (_, Some(_)) => Kind::Rejected,
                (_, None) if signals.is_encoded => Kind::Unexpected(Cause::Encoded),
                (_, None) => Kind::Unexpected(Cause::NotJson),
            };
            Judgement::Failure(kind, said.map(|said| said.words))
        }
        _ => unexpected(Cause::Status),
    }
}

/// What leaves no doubt. A text that names both reasons, or neither, is left open.
fn forbidden_reason(message: &str) -> ForbiddenReason {
    let mut found = Found::default();
    found.note(message.as_bytes());
    for (at, byte) in message.bytes().enumerate() {
        // A word begins behind what is no letter: spaces, brackets, quotes of any kind.
        if !byte.is_ascii_alphabetic() {
            found.note(message.as_bytes().get(at.saturating_add(1)..).unwrap_or_default());
        }
    }
    match found {
        Found { permission: true, subscription: false, .. } => ForbiddenReason::Permission,
        Found { permission: false, subscription: true, inactive: true } => ForbiddenReason::InactiveSubscription,
        _ => ForbiddenReason::Unspecified,
    }
}

/// What a text speaks of.
#[derive(Default)]
struct Found {
    permission: bool,
    subscription: bool,
    inactive: bool,
}

impl Found {
    /// Takes note of the phrase that begins here, if one does.
    fn note(&mut self, text: &[u8]) {
        let Some(first) = text.first() else { return };
        for (phrase, topic) in phrases(first.to_ascii_lowercase()) {
            // All phrases are of small letters and spaces, which the bit leaves alone. Their ends differ more than their
            // beginnings.
            let is_here = |text: &[u8]| text.iter().zip(phrase.bytes()).rev().all(|(byte, small)| byte | 0x20 == small);
            if text.get(..phrase.len()).is_some_and(is_here) {
                match topic {
                    Topic::Permission => self.permission = true,
                    Topic::Subscription => self.subscription = true,
                    Topic::Inactive => self.inactive = true,
                }
            }
        }
    }
}

enum Topic {
    Permission,
    Subscription,
    Inactive,
}

/// The phrases that count, among them Laravel's own for a missing permission, by their first letter.
fn phrases(initial: u8) -> &'static [(&'static str, Topic)] {
    use Topic::{Inactive, Permission, Subscription};

    match initial {
        b'c' => &[("canceled", Inactive), ("cancelled", Inactive)],
        b'e' => &[("expired", Inactive)],
        b'i' => &[("invalid ability provided", Permission), ("invalid scope", Permission), ("inactive", Inactive)],
        b'n' => &[("not authorized", Permission), ("not active", Inactive), ("no active", Inactive)],
        b'p' => &[("permission", Permission), ("past due", Inactive)],
        b's' => &[("subscription", Subscription)],
        b't' => &[("this action is unauthorized", Permission)],
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
