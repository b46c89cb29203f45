//! From status, headers and body to an outcome: the table and the order in the docs of [`AuthOutcome`].

use http::{HeaderMap, HeaderName, HeaderValue, Response, header, response::Parts};

use super::{
    api_error::ApiError,
    error_body::{Reader, Said},
    json::trim_start,
};
use crate::{ApiErrorKind, AuthOutcome, Redirected, Reply, UnexpectedCause, key_ring::Keys};

mod forbidden;

use forbidden::forbidden_reason;

pub(crate) fn classify<B: AsRef<[u8]>>(response: Response<B>, keys: &Keys) -> AuthOutcome<B> {
    let (head, body) = response.into_parts();
    let Some(verdict) = by_head(&head, body.as_ref()) else {
        return AuthOutcome::Success(Reply {
            status: head.status,
            headers: head.headers,
            attempts: 1,
            call: None,
            body,
        });
    };
    let reader = Reader::new(body.as_ref(), keys);
    let (kind, said) = match verdict {
        Verdict::Kind(kind) => (kind, None),
        Verdict::AskBody => by_body(&head, &reader),
    };
    let body = reader.finish(said, || is_problem(&head.headers));
    AuthOutcome::of_error(kind, ApiError::new(kind, head.status, head.headers, body))
}

/// Whether an answer whose body begins like this is a success.
pub(crate) fn begins_success(head: &Parts, start: &[u8]) -> bool {
    by_head(head, start).is_none()
}

/// Whether a piece of a body says nothing of what the body is.
pub(crate) fn is_blank(piece: &[u8]) -> bool {
    trim_start(piece).is_empty()
}

/// What the head alone says of an answer that is not a success.
enum Verdict {
    Kind(ApiErrorKind),
    AskBody,
}

fn by_head(head: &Parts, body: &[u8]) -> Option<Verdict> {
    use UnexpectedCause as Cause;

    let signals = Signals::read(head);
    let unexpected = |cause| Some(Verdict::Kind(ApiErrorKind::Unexpected(cause)));
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
        200..=299 => match trim_start(body).first() {
            Some(b'{' | b'[') => None,
            None => unexpected(Cause::Empty),
            Some(_) => unexpected(Cause::NotJson),
        },
        429 if signals.is_encoded => Some(Verdict::Kind(ApiErrorKind::RateLimited)),
        400..=499 if signals.is_encoded => unexpected(Cause::Encoded),
        400..=599 => Some(Verdict::AskBody),
        _ => unexpected(Cause::Status),
    }
}

fn by_body<'a>(head: &Parts, reader: &Reader<'a>) -> (ApiErrorKind, Option<Said<'a>>) {
    use ApiErrorKind as Kind;

    let said = reader.read();
    let (has_message, has_errors) = said.as_ref().map_or((false, false), |said| (said.has_message, said.has_errors));
    let kind = match head.status.as_u16() {
        500..=599 => Kind::ServerError,
        429 => Kind::RateLimited,
        401 if (has_message || reader.is_blank()) && !asks_for_other_scheme(&head.headers) => Kind::Unauthenticated,
        403 if has_message => {
            let message = said.as_ref().and_then(|said| said.message.as_deref());
            Kind::Forbidden(forbidden_reason(message.unwrap_or_default()))
        }
        401 | 403 => Kind::Unexpected(UnexpectedCause::NotJson),
        _ if has_message || has_errors => Kind::Rejected,
        _ => Kind::Unexpected(UnexpectedCause::NotJson),
    };
    // What is not the API's says nothing of fields.
    let said = said.filter(|_| !matches!(kind, Kind::Unexpected(_)));
    (kind, said)
}

/// What the headers say of the sender.
struct Signals {
    is_challenge: bool,
    is_redirected: bool,
    is_encoded: bool,
}

impl Signals {
    fn read(head: &Parts) -> Self {
        let mut signals = Self {
            is_challenge: false,
            is_redirected: head.extensions.get::<Redirected>().is_some(),
            is_encoded: false,
        };
        // One walk over the few headers is shorter than three look-ups.
        for (name, value) in &head.headers {
            match name.as_str() {
                "cf-mitigated" | "x-amzn-waf-action" => signals.is_challenge = true,
                "content-encoding" => signals.is_encoded |= !is_identity(value),
                _ => {}
            }
        }
        signals
    }
}

/// Whether a list of encodings names none but `identity`. Empty members count for nothing (RFC 9110 §5.6.1).
fn is_identity(encodings: &HeaderValue) -> bool {
    encodings.as_bytes().split(|byte| *byte == b',').all(|encoding| {
        let encoding = encoding.trim_ascii();
        encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity")
    })
}

/// Whether `WWW-Authenticate` names a scheme that the API does not use: a hotel's login, a proxy. Several challenges may
/// be in one header, and each may have parameters, separated by the same comma (RFC 9110 §11.6.1).
fn asks_for_other_scheme(headers: &HeaderMap) -> bool {
    headers.get_all(header::WWW_AUTHENTICATE).iter().any(|value| {
        let mut is_quoted = false;
        let mut is_escaped = false;
        let members = value.as_bytes().split(|byte| {
            (is_quoted, is_escaped) = match byte {
                _ if is_escaped => (is_quoted, false),
                b'\\' => (is_quoted, is_quoted),
                b'"' => (!is_quoted, false),
                _ => (is_quoted, false),
            };
            *byte == b',' && !is_quoted
        });
        members.filter_map(scheme).any(|scheme| !scheme.eq_ignore_ascii_case(b"bearer"))
    })
}

/// The scheme that a member of `WWW-Authenticate` begins with; `None` if it is a parameter of the one before.
fn scheme(member: &[u8]) -> Option<&[u8]> {
    let member = member.trim_ascii();
    let len = member.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'=')).unwrap_or(member.len());
    let (word, rest) = member.split_at_checked(len)?;
    let is_parameter = rest.trim_ascii_start().starts_with(b"=");
    (!word.is_empty() && !is_parameter).then_some(word)
}

/// `application/problem+json` of RFC 9457, whose `detail` says what a `message` does.
fn is_problem(headers: &HeaderMap) -> bool {
    static CONTENT_TYPE: HeaderName = header::CONTENT_TYPE;

    headers.get(&CONTENT_TYPE).is_some_and(|value| {
        let media_type = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        media_type.trim_ascii().eq_ignore_ascii_case(b"application/problem+json")
    })
}

#[cfg(test)]
mod tests;
