//! The answers that come in place of the backend's.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, SERVER};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::dates::http_date;
use crate::faults::fault::{Kind, Stub};
use crate::laravel::answer::{self, Answer};
use crate::laravel::refusal::{Refusal, TooMany};

/// The status on record where no answer was sent, as nginx logs it.
pub(crate) const NO_ANSWER: u16 = 444;

/// What an answer may depend on.
pub(crate) struct Scene<'a> {
    pub(crate) expects_json: bool,
    pub(crate) site: &'a str,
    pub(crate) now: u64,
    /// What the endpoint allows in a window, if anything limits it.
    pub(crate) limit: Option<u32>,
}

impl Kind {
    /// What the backend says to a call that is not allowed.
    pub(crate) fn forbidding(&self) -> Option<&'static str> {
        match self {
            Self::Forbidden => Some("This action is unauthorized."),
            Self::InactiveSubscription => Some("Your subscription is inactive."),
            _ => None,
        }
    }

    /// The answer in place of the backend's; `None` if the backend's own is sent, or nothing at all.
    pub(crate) fn forge(&self, scene: &Scene<'_>) -> Option<Answer> {
        let backend = |refusal: Refusal| refusal.into_answer(scene.expects_json, scene.site);
        let answer = match *self {
            Self::Stub(ref stub) => stubbed(stub),
            Self::Unauthenticated => backend(Refusal::Unauthenticated),
            Self::TooManyRequests { seconds } => backend(Refusal::too_many(&TooMany {
                limit: scene.limit.unwrap_or(60),
                retry_after: seconds,
                reset: scene.now.saturating_add(seconds),
            })),
            Self::ServerError { status: 500 } => {
                backend(Refusal::status(StatusCode::INTERNAL_SERVER_ERROR, "Server Error"))
            }
            Self::ServerError { status: 503 } => backend(unavailable()),
            Self::ServerError { status } => balancer(status),
            Self::Maintenance { seconds } => {
                let mut answer = backend(unavailable());
                let until = http_date(scene.now.saturating_add(seconds));
                answer.headers_mut().extend(HeaderValue::try_from(until).map(|date| (RETRY_AFTER, date)));
                answer
            }
            Self::LoginRedirect => answer::redirect(&format!("{}/login", scene.site)),
            Self::CloudflareChallenge => edge(403, "cloudflare", "Just a moment...", &[("cf-mitigated", "challenge")]),
            Self::CloudflareBlock => edge(403, "cloudflare", "Attention Required! | Cloudflare", &[]),
            Self::WafChallenge => edge(202, "CloudFront", "", &[("x-amzn-waf-action", "challenge")]),
            Self::WafCaptcha => edge(405, "CloudFront", "Human Verification", &[("x-amzn-waf-action", "captcha")]),
            Self::HtmlPage => edge(200, "portal", "Welcome to our guest network", &[]),
            _ => return None,
        };
        Some(answer)
    }
}

fn stubbed(stub: &Stub) -> Answer {
    let mut answer = Response::new(stub.body.clone());
    *answer.status_mut() = stub.status;
    for (name, value) in &stub.headers {
        // A map holds 32,768 at most; what is beyond is left out.
        let _ = answer.headers_mut().try_append(name.clone(), value.clone());
    }
    answer
}

/// What is on record for a call that was not answered.
pub(crate) fn no_answer() -> Answer {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::from_u16(NO_ANSWER).unwrap_or(StatusCode::BAD_REQUEST);
    answer
}

fn unavailable() -> Refusal {
    Refusal::status(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
}

fn balancer(status: u16) -> Answer {
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    edge(status, "awselb/2.0", &format!("{status} {}", title.unwrap_or("Server Error")), &[])
}

/// An answer of a proxy in front of the API: a page, unless it has no title.
fn edge(status: u16, server: &'static str, title: &str, headers: &[(&'static str, &'static str)]) -> Answer {
    let html = format!("<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>{title}</body>\n</html>\n");
    let mut answer = Response::new(if title.is_empty() { Bytes::new() } else { html.into() });
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(SERVER, HeaderValue::from_static(server));
    if !title.is_empty() {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    }
    let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    answer.headers_mut().extend(headers);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_of_too_many_headers_is_answered_with_as_many_as_there_is_room_for() {
        let header = |number: u32| (format!("x-{number}").parse().unwrap(), HeaderValue::from_static("1"));
        let stub = Stub { status: StatusCode::OK, headers: (0..40_000).map(header).collect(), body: Bytes::new() };
        assert!((20_000..40_000).contains(&stubbed(&stub).headers().len()));
    }
}
