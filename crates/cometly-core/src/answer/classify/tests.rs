//! The table in the docs of [`AuthOutcome`], row by row, and the order of its checks.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Api, ApiKey, DecodeCategory, KeyStatus, RateLimit};

const JSON: &str = r#"{"message":"Words."}"#;
const HTML: &str = "<!DOCTYPE html><title>Login</title>";
const LIMITS: &[(&str, &str)] = &[("x-ratelimit-limit", "7"), ("x-ratelimit-remaining", "0")];
const CLOUDFLARE: &[(&str, &str)] = &[("cf-mitigated", "challenge")];
const WAF: &[(&str, &str)] = &[("x-amzn-waf-action", "challenge")];
const GZIP: &[(&str, &str)] = &[("content-encoding", "gzip")];

fn api() -> Api {
    Api::new(ApiKey::new("12|canary-secret").unwrap())
}

fn read<'a>(status: u16, headers: &[(&str, &str)], body: &'a str) -> AuthOutcome<&'a str> {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    api().read(response.body(body).unwrap())
}

type Row<'a> = (u16, &'a [(&'a str, &'a str)], &'a str, Option<ApiErrorKind>, KeyStatus);

#[test]
#[expect(clippy::too_many_lines, reason = "a row a line")]
fn every_row_of_the_table_and_the_order_of_the_checks() {
    use ApiErrorKind::{Forbidden, RateLimited, Rejected, ServerError, Unauthenticated, Unexpected};
    use KeyStatus::{Accepted, NotAllowed, Refused, Unknown};
    use UnexpectedCause::{Challenge, Empty, Encoded, NotJson, Proxy, Redirect, Status};

    let unspecified = Forbidden(ForbiddenReason::Unspecified);
    let space = &" ".repeat(65);
    let table: &[Row<'_>] = &[
        // Success: a 2xx with JSON.
        (200, &[], "{}", None, Accepted),
        (201, LIMITS, " \r\n[1]", None, Accepted),
        (202, &[], r#"{"status":"queued"}"#, None, Accepted),
        (299, &[("content-encoding", "identity")], "{", None, Accepted),
        // Not success, though a 2xx.
        (200, &[], "", Some(Unexpected(Empty)), Unknown),
        (200, &[], " \n", Some(Unexpected(Empty)), Unknown),
        (200, &[], &space[..64], Some(Unexpected(Empty)), Unknown),
        (200, &[], space, Some(Unexpected(NotJson)), Unknown),
        (202, &[], "", Some(Unexpected(Empty)), Unknown),
        (204, LIMITS, "", Some(Unexpected(Empty)), Unknown),
        (200, &[], HTML, Some(Unexpected(NotJson)), Unknown),
        (200, &[], "\u{feff}{}", Some(Unexpected(NotJson)), Unknown),
        (200, &[], "true", Some(Unexpected(NotJson)), Unknown),
        (200, GZIP, "{}", Some(Unexpected(Encoded)), Unknown),
        (200, &[("content-encoding", "br")], "", Some(Unexpected(Encoded)), Unknown),
        (202, WAF, "", Some(Unexpected(Challenge)), Unknown),
        (202, WAF, "{}", Some(Unexpected(Challenge)), Unknown),
        // 401
        (401, &[], JSON, Some(Unauthenticated), Refused),
        (401, &[], "", Some(Unauthenticated), Refused),
        (401, &[("www-authenticate", "Basic realm=\"Hotel\"")], "", Some(Unexpected(NotJson)), Unknown),
        (401, &[("www-authenticate", "Bearer")], JSON, Some(Unauthenticated), Refused),
        (401, &[], HTML, Some(Unexpected(NotJson)), Unknown),
        (401, &[], "{}", Some(Unexpected(NotJson)), Unknown),
        (401, GZIP, JSON, Some(Unexpected(Encoded)), Unknown),
        (401, CLOUDFLARE, JSON, Some(Unexpected(Challenge)), Unknown),
        // 403
        (403, &[], JSON, Some(unspecified), NotAllowed),
        (403, LIMITS, r#"{"message": ""}"#, Some(unspecified), NotAllowed),
        (403, &[], HTML, Some(Unexpected(NotJson)), Unknown),
        (403, &[], "", Some(Unexpected(NotJson)), Unknown),
        (403, CLOUDFLARE, HTML, Some(Unexpected(Challenge)), Unknown),
        // 429
        (429, LIMITS, JSON, Some(RateLimited), Accepted),
        (429, LIMITS, HTML, Some(RateLimited), Accepted),
        (429, &[], JSON, Some(RateLimited), Unknown),
        (429, &[], HTML, Some(Unexpected(NotJson)), Unknown),
        (429, &[("x-ratelimit-limit", "rubbish")], HTML, Some(Unexpected(NotJson)), Unknown),
        (429, CLOUDFLARE, HTML, Some(Unexpected(Challenge)), Unknown),
        // Other 4xx
        (422, &[], JSON, Some(Rejected), Accepted),
        (404, LIMITS, JSON, Some(Rejected), Accepted),
        (404, &LIMITS[..1], JSON, Some(Rejected), Accepted),
        (404, &LIMITS[1..], JSON, Some(Rejected), Accepted),
        (404, &[], JSON, Some(Rejected), Unknown),
        (405, &[("allow", "POST")], JSON, Some(Rejected), Unknown),
        (409, &[], JSON, Some(Rejected), Unknown),
        (413, &[], JSON, Some(Rejected), Unknown),
        (418, &[], JSON, Some(Rejected), Unknown),
        (419, &[], JSON, Some(Rejected), Unknown),
        (451, &[], JSON, Some(Rejected), Unknown),
        (404, &[], HTML, Some(Unexpected(NotJson)), Unknown),
        (404, GZIP, HTML, Some(Unexpected(Encoded)), Unknown),
        (405, WAF, "", Some(Unexpected(Challenge)), Unknown),
        // 5xx, whatever the body
        (500, &[], JSON, Some(ServerError), Unknown),
        (500, LIMITS, "", Some(ServerError), Unknown),
        (502, GZIP, HTML, Some(ServerError), Unknown),
        (503, &[], HTML, Some(ServerError), Unknown),
        (530, &[], JSON, Some(ServerError), Unknown),
        (599, &[], "", Some(ServerError), Unknown),
        (503, CLOUDFLARE, HTML, Some(Unexpected(Challenge)), Unknown),
        // Never the API
        (301, &[("location", "/login")], "", Some(Unexpected(Redirect)), Unknown),
        (302, &[("location", "/login")], HTML, Some(Unexpected(Redirect)), Unknown),
        (302, &[], "{}", Some(Unexpected(Redirect)), Unknown),
        (303, &[], "", Some(Unexpected(Redirect)), Unknown),
        (307, &[], "", Some(Unexpected(Redirect)), Unknown),
        (308, &[], JSON, Some(Unexpected(Redirect)), Unknown),
        (302, CLOUDFLARE, "", Some(Unexpected(Challenge)), Unknown),
        (407, &[], JSON, Some(Unexpected(Proxy)), Unknown),
        (407, WAF, JSON, Some(Unexpected(Challenge)), Unknown),
        (304, &[], "", Some(Unexpected(Status)), Unknown),
        (100, &[], "", Some(Unexpected(Status)), Unknown),
        (103, &[], "{}", Some(Unexpected(Status)), Unknown),
        (600, &[], JSON, Some(Unexpected(Status)), Unknown),
        (999, &[], "{}", Some(Unexpected(Status)), Unknown),
    ];
    for (status, headers, body, kind, key) in table {
        let outcome = read(*status, headers, body);
        assert_eq!(outcome.kind(), *kind, "{status} {headers:?} {body}");
        assert_eq!(outcome.key_status(), *key, "{status} {headers:?} {body}");
        assert_eq!(outcome.status().as_u16(), *status);
        assert_eq!(outcome.is_success(), kind.is_none());
        let variant = [
            outcome.is_success(),
            outcome.is_unauthenticated(),
            outcome.is_forbidden(),
            outcome.is_rate_limited(),
            outcome.is_rejected(),
            outcome.is_server_error(),
            outcome.is_unexpected(),
        ];
        assert_eq!(variant.iter().filter(|is| **is).count(), 1);
        match outcome.into_result() {
            Ok(reply) => assert_eq!(reply.into_body(), *body),
            Err(error) => {
                assert_eq!((Some(error.kind()), error.key_status()), (*kind, *key));
                assert_eq!(error.status().as_u16(), *status);
            }
        }
    }
}

#[test]
fn an_answer_behind_a_followed_redirect_is_never_a_success() {
    for body in ["{}", HTML] {
        let mut response = http::Response::new(body);
        response.extensions_mut().insert(Redirected);
        let kind = api().read(response).kind();
        assert_eq!(kind, Some(ApiErrorKind::Unexpected(UnexpectedCause::Redirect)));
    }
}

#[test]
fn the_predicates_name_their_variants() {
    assert!(read(401, &[], "").is_unauthenticated());
    assert!(read(403, &[], JSON).is_forbidden());
    assert!(read(429, LIMITS, "").is_rate_limited());
    assert!(read(404, &[], JSON).is_rejected());
    assert!(read(500, &[], "").is_server_error());
    assert!(read(302, &[], "").is_unexpected());
}

#[test]
fn the_reason_of_a_403_is_said_only_when_it_is_plain() {
    use ForbiddenReason::{InactiveSubscription, Permission, Unspecified};
    for (message, expected) in [
        ("This action is unauthorized.", Permission),
        ("Invalid ability provided.", Permission),
        ("Your API key does not have PERMISSION to read events.", Permission),
        ("Your subscription is inactive.", InactiveSubscription),
        ("No active subscription.", InactiveSubscription),
        ("Your Subscription has expired", InactiveSubscription),
        ("Invalid scope.", Permission),
        ("You are (NOT AUTHORIZED)", Permission),
        ("[NOT AUTHORIZED]", Permission),
        ("missing_permission: “read”", Permission),
        ("Your subscription was canceled.", InactiveSubscription),
        ("Subscription cancelled", InactiveSubscription),
        ("Your subscription is not active", InactiveSubscription),
        ("Your subscription is past due", InactiveSubscription),
        ("Your subscription does not give permission, or is inactive.", Unspecified),
        ("Your subscription does not include this.", Unspecified),
        ("User is inactive.", Unspecified),
        ("Your subscription is radioactive, AInactive, zinactive", Unspecified),
        ("Forbidden", Unspecified),
        ("", Unspecified),
    ] {
        let body = format!(r#"{{"message":"{message}"}}"#);
        match read(403, &[], &body) {
            AuthOutcome::Forbidden { reason, .. } => assert_eq!(reason, expected, "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn words_limits_and_waits_reach_the_outcome_and_the_error() {
    let headers = [LIMITS, &[("retry-after", "17"), ("x-ratelimit-reset", "1795514417")]].concat();
    let body = r#"{"message":"The start date is required. (and 1 more error)","errors":{"a":["x","y"]}}"#;
    let outcome = read(422, &headers, body);
    assert_eq!(outcome.message(), Some("The start date is required. (and 1 more error)"));
    assert_eq!(outcome.retry_after(), Some(Duration::from_secs(17)));
    let rate = outcome.rate_limit();
    assert_eq!((rate.limit(), rate.remaining(), rate.reset()), (Some(7), Some(0), Some(1_795_514_417)));
    let error = outcome.into_result().unwrap_err();
    assert_eq!(error.rate_limit(), rate);
    assert_eq!(error.field_errors().len(), 2);
    assert_eq!(error.message(), Some("The start date is required. (and 1 more error)"));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    assert!(error.to_string().contains("retry after 17 s"), "{error}");
}

#[test]
fn a_success_tells_its_limits() {
    let outcome = read(200, LIMITS, "{}");
    assert_eq!(outcome.rate_limit().remaining(), Some(0));
}

#[test]
fn the_headers_of_any_answer_are_kept_as_they_came() {
    for status in [200, 302, 401, 403, 404, 429, 503] {
        let outcome = read(status, &[("cf-ray", "abc")], JSON);
        assert_eq!(
            (outcome.headers().len(), &outcome.headers()["cf-ray"]),
            (1, &http::HeaderValue::from_static("abc"))
        );
    }
}

#[test]
fn the_success_body_is_handed_over_not_copied() {
    let body = bytes::Bytes::from(vec![b'{'; 1 << 20]);
    let reply = api().read(http::Response::new(body.clone())).into_result().unwrap();
    assert_eq!(reply.body().as_ptr(), body.as_ptr());
}

#[test]
fn a_body_that_is_not_the_apis_is_not_shown() {
    for status in [200, 302, 401, 403, 404, 500, 502, 999] {
        let outcome = read(status, &[], "<p>SECRETBODY</p>");
        let error = outcome.clone().into_result().unwrap_err();
        let shown = format!("{outcome} {outcome:?} {error} {error:?} {error:#?}");
        assert!(!shown.contains("SECRETBODY"), "{shown}");
        assert_eq!(outcome.message(), None);
    }
    assert!(!format!("{:?}", read(200, &[], r#"{"a":"SECRETBODY"}"#)).contains("SECRETBODY"));
}

#[test]
fn words_that_are_not_the_apis_are_no_field_errors() {
    let body = r#"{"message":"m","errors":{"a":["b"]}}"#;
    for (status, headers) in [(302, &[][..]), (407, &[]), (403, CLOUDFLARE), (422, GZIP)] {
        let error = read(status, headers, body).into_result().unwrap_err();
        assert!(error.field_errors().is_empty(), "{error}");
    }
}

#[test]
fn outcomes_show_what_is_known_and_the_length_of_the_body() {
    let limits = "rate_limit: RateLimit { limit: Some(7), remaining: Some(0), reset: None }";
    for (status, body, expected) in [
        (200, "{}", format!("Reply {{ status: 200, {limits}, tries: 1, body_len: 2")),
        (
            404,
            JSON,
            format!(
                "Answer {{ kind: Rejected, status: 404, {limits}, retry_after: None, message: Some(\"Words.\"), \
                 body_len: 20"
            ),
        ),
    ] {
        let shown = format!("{:?}", read(status, LIMITS, body));
        assert!(shown.starts_with(&expected), "{shown}");
    }
}

#[test]
fn our_key_is_masked_in_everything_that_is_shown() {
    let body = r#"{"message":"bad 12|canary-secret","errors":{"k":["12|canary-secret"]}}"#;
    for status in [401, 403, 404, 422, 429, 500] {
        let outcome = read(status, &[], body);
        assert_eq!(outcome.message(), Some("bad [redacted]"), "the message must be read to be masked");
        let error = outcome.clone().into_result().unwrap_err();
        assert_eq!(error.field_errors()[0].message, "[redacted]");
        let shown = format!("{outcome} {outcome:?} {outcome:#?} {error} {error:?} {error:#?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn every_failure_says_what_to_do() {
    for (status, headers, body, advice) in [
        (401, &[][..], "", "app.cometly.com/integrations"),
        (403, &[], r#"{"message":"Invalid ability provided."}"#, "permission"),
        (403, &[], r#"{"message":"Your subscription is inactive."}"#, "renew"),
        (403, &[], JSON, "check both"),
        (429, LIMITS, "", "wait"),
        (404, &[], JSON, "correct"),
        (500, &[], "", "try again later"),
        (302, &[], "", "base URL"),
        (202, WAF, "", "slow down"),
        (407, &[], "", "credentials"),
        (200, &[], HTML, "base URL"),
        (200, &[], "", "not known"),
        (200, GZIP, "x", "compresses"),
        (999, &[], "", "base URL"),
    ] {
        let outcome = read(status, headers, body);
        assert!(outcome.to_string().contains(advice), "{outcome}");
        assert!(outcome.to_string().contains(&format!("HTTP {status}")), "{outcome}");
    }
}

#[test]
fn a_failure_tells_its_status_the_wait_and_the_words() {
    for (status, headers, body, end) in [
        (404, &[][..], JSON, " (HTTP 404); Cometly says: Words."),
        (429, &[("retry-after", "7")], JSON, " (HTTP 429, retry after 7 s); Cometly says: Words."),
        (403, &[], r#"{"message":""}"#, " (HTTP 403)"),
        (503, &[], "", " (HTTP 503)"),
    ] {
        let outcome = read(status, headers, body);
        assert!(outcome.to_string().ends_with(end), "{outcome}");
        assert_eq!(outcome.to_string(), outcome.into_result().unwrap_err().to_string());
    }
}

#[test]
fn decode_errors_tell_the_place_and_not_the_content() {
    use DecodeCategory::{Data, Eof, Syntax};
    for (body, place, expected) in [
        (r#"{"a":"SECRETBODY"}"#, (Data, 1, 17), "has a wrong type or value at line 1 column 17"),
        ("{\n\"a\":1} SECRETBODY", (Syntax, 2, 8), "is not well-formed JSON at line 2 column 8"),
        (r#"{"a":"#, (Eof, 1, 5), "ends too early at line 1 column 5"),
    ] {
        let reply = read(200, &[], body).into_result().unwrap();
        let error = reply.json::<std::collections::HashMap<String, u8>>().unwrap_err();
        assert_eq!(error.to_string(), format!("the call succeeded, but its JSON {expected}"));
        assert_eq!((error.category(), error.line(), error.column()), place);
        assert!(!format!("{error} {error:?}").contains("SECRETBODY"));
    }
}

proptest! {
    // Row 86 of the fault list.
    #[test]
    fn any_answer_has_an_outcome(
        status in 100_u16..=999,
        headers in prop::collection::vec((0_usize..8, prop::collection::vec(prop::num::u8::ANY, 0..20)), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        const NAMES: [&str; 8] = [
            "retry-after", "date", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
            "content-encoding", "cf-mitigated", "x-other",
        ];
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                response = response.header(NAMES[name], value);
            }
        }
        let outcome = api().read(response.body(body).unwrap());
        prop_assert!(!outcome.to_string().is_empty());
        prop_assert!(outcome.retry_after().is_none_or(|wait| wait <= RateLimit::MAX_RETRY_AFTER));
        if let Err(error) = outcome.into_result() {
            prop_assert!(error.message().is_none_or(|message| message.len() <= 1024));
        }
    }
}
