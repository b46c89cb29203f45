//! The table in the docs of [`AuthOutcome`], row by row, and the order of its checks.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Api, ApiError, ApiKey, DecodeCategory, ForbiddenReason, KeyStatus, RateLimit, Reply};

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

fn error(status: u16, headers: &[(&str, &str)], body: &str) -> ApiError {
    read(status, headers, body).into_result().unwrap_err()
}

fn kind(outcome: &AuthOutcome<&str>) -> Option<ApiErrorKind> {
    outcome.error().map(ApiError::kind)
}

type Row<'a> = (u16, &'a [(&'a str, &'a str)], &'a str, Option<ApiErrorKind>, KeyStatus);

// `docs/faults.md` 89, 95.
#[test]
#[expect(clippy::too_many_lines, reason = "a row a line")]
fn every_row_of_the_table_and_the_order_of_the_checks() {
    use ApiErrorKind::{Forbidden, RateLimited, Rejected, ServerError, Unauthenticated, Unexpected};
    use KeyStatus::{Accepted, NotAllowed, Refused, Unknown};
    use UnexpectedCause::{Challenge, Empty, Encoded, NotJson, Proxy, Redirect, Status};

    let unspecified = Forbidden(ForbiddenReason::Unspecified);
    let spaces = &" ".repeat(70_000);
    let late_json = &format!("{spaces}{{}}");
    let late_message = &format!("{}{JSON}", " ".repeat(10_000));
    let basic = &[("www-authenticate", "Basic realm=\"Hotel\"")];
    let invalid_token = &[("www-authenticate", "Bearer error=\"invalid_token\"")];
    let table: &[Row<'_>] = &[
        // Success: a 2xx with JSON.
        (200, &[], "{}", None, Accepted),
        (201, LIMITS, " \r\n[1]", None, Accepted),
        (202, &[], r#"{"status":"queued"}"#, None, Accepted),
        (299, &[("content-encoding", "identity")], "{", None, Accepted),
        (200, &[("content-encoding", "identity, , IDENTITY,")], "{}", None, Accepted),
        (200, &[("content-encoding", ""), ("content-encoding", "identity")], "{}", None, Accepted),
        (200, &[], late_json, None, Accepted),
        // Not success, though a 2xx.
        (200, &[], "", Some(Unexpected(Empty)), Unknown),
        (200, &[], " \n", Some(Unexpected(Empty)), Unknown),
        (200, &[], spaces, Some(Unexpected(Empty)), Unknown),
        (200, &[], "\u{c}{}", Some(Unexpected(NotJson)), Unknown),
        (202, &[], "", Some(Unexpected(Empty)), Unknown),
        (204, LIMITS, "", Some(Unexpected(Empty)), Unknown),
        (200, &[], HTML, Some(Unexpected(NotJson)), Unknown),
        (200, &[], "\u{feff}{}", Some(Unexpected(NotJson)), Unknown),
        (200, &[], "true", Some(Unexpected(NotJson)), Unknown),
        (200, GZIP, "{}", Some(Unexpected(Encoded)), Unknown),
        (200, &[("content-encoding", "identity, gzip")], "{}", Some(Unexpected(Encoded)), Unknown),
        (
            200,
            &[("content-encoding", "gzip"), ("content-encoding", "identity")],
            "{}",
            Some(Unexpected(Encoded)),
            Unknown,
        ),
        (200, &[("content-encoding", "br")], "", Some(Unexpected(Encoded)), Unknown),
        (202, WAF, "", Some(Unexpected(Challenge)), Unknown),
        (202, WAF, "{}", Some(Unexpected(Challenge)), Unknown),
        // 401
        (401, &[], JSON, Some(Unauthenticated), Refused),
        (401, &[], "", Some(Unauthenticated), Refused),
        (401, &[], " \r\n", Some(Unauthenticated), Refused),
        (401, &[], late_message, Some(Unauthenticated), Refused),
        (401, &[], r#"{"message":{"en":"no"}}"#, Some(Unauthenticated), Refused),
        (401, &[], r#"{"message":null}"#, Some(Unauthenticated), Refused),
        (401, &[], r#"{"errors":{"a":"b"}}"#, Some(Unexpected(NotJson)), Unknown),
        (401, basic, "", Some(Unexpected(NotJson)), Unknown),
        (401, basic, JSON, Some(Unexpected(NotJson)), Unknown),
        (401, invalid_token, "", Some(Unauthenticated), Refused),
        (401, invalid_token, JSON, Some(Unauthenticated), Refused),
        (401, &[("www-authenticate", "Bearer")], JSON, Some(Unauthenticated), Refused),
        (401, &[], HTML, Some(Unexpected(NotJson)), Unknown),
        (401, &[], "{}", Some(Unexpected(NotJson)), Unknown),
        (401, &[], spaces, Some(Unexpected(NotJson)), Unknown),
        (401, GZIP, JSON, Some(Unexpected(Encoded)), Unknown),
        (401, CLOUDFLARE, JSON, Some(Unexpected(Challenge)), Unknown),
        // 403
        (403, &[], JSON, Some(unspecified), NotAllowed),
        (403, LIMITS, r#"{"message": ""}"#, Some(unspecified), NotAllowed),
        (403, &[], r#"{"message":7}"#, Some(unspecified), NotAllowed),
        (403, &[], r#"{"errors":["a"]}"#, Some(Unexpected(NotJson)), Unknown),
        (403, &[], HTML, Some(Unexpected(NotJson)), Unknown),
        (403, &[], "", Some(Unexpected(NotJson)), Unknown),
        (403, CLOUDFLARE, HTML, Some(Unexpected(Challenge)), Unknown),
        // 429
        (429, LIMITS, JSON, Some(RateLimited), Accepted),
        (429, LIMITS, HTML, Some(RateLimited), Accepted),
        (429, &[], JSON, Some(RateLimited), Unknown),
        (429, &[], "error code: 1015", Some(RateLimited), Unknown),
        (429, &[], "", Some(RateLimited), Unknown),
        (429, &[], HTML, Some(RateLimited), Unknown),
        (429, GZIP, HTML, Some(RateLimited), Unknown),
        (429, basic, HTML, Some(RateLimited), Unknown),
        (429, &[("x-ratelimit-limit", "rubbish")], HTML, Some(RateLimited), Unknown),
        (429, CLOUDFLARE, HTML, Some(Unexpected(Challenge)), Unknown),
        // Other 4xx
        (422, &[], JSON, Some(Rejected), Accepted),
        (422, &[], r#"{"errors":{"email":"one string"}}"#, Some(Rejected), Accepted),
        (422, &[], r#"{"errors":null}"#, Some(Rejected), Accepted),
        (400, &[], r#"{"message":["a"]}"#, Some(Rejected), Unknown),
        (404, &[], r#"{"error":"a"}"#, Some(Unexpected(NotJson)), Unknown),
        (404, &[], "{}", Some(Unexpected(NotJson)), Unknown),
        (404, &[], r#"["message"]"#, Some(Unexpected(NotJson)), Unknown),
        (422, &[], "\u{feff}{\"message\":\"m\"}", Some(Unexpected(NotJson)), Unknown),
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
    for (status, headers, body, expected, key) in table {
        let outcome = read(*status, headers, body);
        let shown: String = body.chars().take(80).collect();
        assert_eq!(kind(&outcome), *expected, "{status} {headers:?} {shown}");
        assert_eq!(outcome.status().as_u16(), *status);
        let variant = match &outcome {
            AuthOutcome::Success(_) => None,
            AuthOutcome::Unauthenticated(_) => Some(Unauthenticated),
            AuthOutcome::Forbidden(reason, _) => Some(Forbidden(*reason)),
            AuthOutcome::RateLimited(_) => Some(RateLimited),
            AuthOutcome::Rejected(_) => Some(Rejected),
            AuthOutcome::ServerError(_) => Some(ServerError),
            AuthOutcome::Unexpected(cause, _) => Some(Unexpected(*cause)),
        };
        assert_eq!(variant, *expected);
        match outcome.into_result() {
            Ok(reply) => assert_eq!((reply.key_status(), reply.into_body()), (*key, *body)),
            Err(error) => {
                assert_eq!((Some(error.kind()), error.key_status()), (*expected, *key), "{status} {headers:?} {shown}");
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
        assert_eq!(kind(&api().read(response)), Some(ApiErrorKind::Unexpected(UnexpectedCause::Redirect)));
    }
}

// `docs/faults.md` 94.
#[test]
fn a_401_that_names_another_scheme_than_bearer_says_nothing_of_the_key() {
    for (values, is_ours) in [
        (&["Bearer"][..], true),
        (&["bearer"], true),
        (&["Bearer error=\"invalid_token\", error_description = \"Basic, or none\""], true),
        (&["Bearer realm=\"a \\\" b, Basic c\""], true),
        (&["Bearer abc=="], true),
        (&["Bearer", "Bearer realm=\"b\""], true),
        (&["", " , "], true),
        (&["Basic"], false),
        (&["Negotiate"], false),
        (&["Bearer, Basic"], false),
        (&["Bearer realm=\"a\", Basic realm=\"b\""], false),
        (&["Bearer realm=\"a\\\\\", Basic realm=\"b\""], false),
        (&["Bearer", "Digest nonce=\"x\""], false),
        (&["BearerX"], false),
    ] {
        let headers: Vec<_> = values.iter().map(|value| ("www-authenticate", *value)).collect();
        for body in ["", JSON] {
            let is_unauthenticated = matches!(read(401, &headers, body), AuthOutcome::Unauthenticated(_));
            assert_eq!(is_unauthenticated, is_ours, "{values:?}");
        }
    }
}

#[test]
fn words_limits_and_waits_reach_the_outcome_and_the_error() {
    let headers = [LIMITS, &[("retry-after", "17"), ("x-ratelimit-reset", "1795514417")]].concat();
    let body = r#"{"message":"The start date is required. (and 1 more error)","errors":{"a":["x","y"]}}"#;
    let error = error(422, &headers, body);
    assert_eq!(error.message(), Some("The start date is required. (and 1 more error)"));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    let rate = error.rate_limit();
    assert_eq!((rate.limit(), rate.remaining(), rate.reset()), (Some(7), Some(0), Some(1_795_514_417)));
    assert_eq!(error.field_errors().len(), 2);
    assert_eq!(error.attempts(), 1);
    assert_eq!(error.body_text(), body);
    assert!(error.to_string().contains("retry after 17 s"), "{error}");
}

#[test]
fn a_success_has_its_limits() {
    let reply = read(200, LIMITS, "{}").into_result().unwrap();
    assert_eq!((reply.rate_limit().limit(), reply.rate_limit().remaining()), (Some(7), Some(0)));
}

#[test]
fn the_headers_of_any_answer_are_kept_as_they_came() {
    for status in [200, 302, 401, 403, 404, 429, 503] {
        let result = read(status, &[("cf-ray", "abc")], JSON).into_result();
        let headers = result.as_ref().map_or_else(ApiError::headers, Reply::headers);
        assert_eq!((headers.len(), &headers["cf-ray"]), (1, &HeaderValue::from_static("abc")));
    }
}

#[test]
fn every_outcome_names_its_call_and_counts_its_attempts() {
    for status in [200, 302, 401, 403, 404, 429, 503] {
        let mut outcome = read(status, &[], JSON);
        let call = crate::call_name::CallName {
            method: http::Method::GET,
            template: Some("events".into()),
            is_idempotent: true,
        };
        outcome.set_origin(call, 3);
        let shown = outcome.to_string();
        assert!(shown.starts_with("GET events: ") && shown.contains("3 attempts"), "{shown}");
        let result = outcome.into_result();
        assert_eq!(result.as_ref().map_or_else(ApiError::attempts, Reply::attempts), 3);
        let call = result.as_ref().map_or_else(ApiError::call, Reply::call);
        assert_eq!(call.map(ToString::to_string).as_deref(), Some("GET events"));
    }
}

#[test]
fn a_success_is_known_by_its_head_and_the_first_byte_that_is_not_blank() {
    for (status, start, expected) in [
        (200, " {", true),
        (201, "\n[", true),
        (200, "<", false),
        (200, "", false),
        (401, "{", false),
        (500, "{", false),
    ] {
        let (head, ()) = http::Response::builder().status(status).body(()).unwrap().into_parts();
        assert_eq!(begins_success(&head, start.as_bytes()), expected, "{status} {start:?}");
    }
    for (piece, expected) in [("", true), (" \t\r\n", true), ("\n{", false), ("x", false), ("\u{feff}", false)] {
        assert_eq!(is_blank(piece.as_bytes()), expected, "{piece:?}");
    }
}

#[test]
fn the_limit_and_the_wait_of_an_answer_are_those_of_its_headers() {
    let wait = [LIMITS, &[("retry-after", "17")]].concat();
    for status in [200, 404, 429, 503] {
        let outcome = read(status, &wait, JSON);
        assert_eq!((outcome.rate_limit().limit(), outcome.rate_limit().remaining()), (Some(7), Some(0)), "{status}");
        // After a success nothing is retried.
        let expected = (status != 200).then_some(Duration::from_secs(17));
        assert_eq!(outcome.wait().known(), expected, "{status}");
        if let Ok(reply) = outcome.into_result() {
            assert_eq!(reply.retry_after(), Some(Duration::from_secs(17)));
        }
        assert_eq!(read(status, &[], JSON).rate_limit(), RateLimit::default());
    }
}

#[test]
fn each_kind_has_its_name_in_metrics_and_says_whether_the_call_may_have_been_carried_out() {
    use UnexpectedCause::{Challenge, Empty, Encoded, NotJson, Proxy, Redirect, Status};

    for (kind, name, may_be_done) in [
        (ApiErrorKind::Unauthenticated, "unauthenticated", false),
        (ApiErrorKind::Forbidden(ForbiddenReason::Unspecified), "forbidden", false),
        (ApiErrorKind::RateLimited, "rate_limited", false),
        (ApiErrorKind::Rejected, "rejected", false),
        (ApiErrorKind::ServerError, "server_error", true),
        (ApiErrorKind::Unexpected(Redirect), "unexpected.redirect", false),
        (ApiErrorKind::Unexpected(Challenge), "unexpected.challenge", false),
        (ApiErrorKind::Unexpected(Proxy), "unexpected.proxy", false),
        (ApiErrorKind::Unexpected(NotJson), "unexpected.not_json", true),
        (ApiErrorKind::Unexpected(Empty), "unexpected.empty", true),
        (ApiErrorKind::Unexpected(Encoded), "unexpected.encoded", true),
        (ApiErrorKind::Unexpected(Status), "unexpected.status", true),
    ] {
        assert_eq!((kind.error_type(), kind.may_be_done()), (name, may_be_done));
    }
}

#[test]
fn the_success_body_is_handed_over_not_copied() {
    let body = bytes::Bytes::from(vec![b'{'; 1 << 20]);
    let reply = api().read(http::Response::new(body.clone())).into_result().unwrap();
    assert_eq!(reply.body().as_ptr(), body.as_ptr());
}

#[test]
fn only_body_text_shows_a_body_that_is_not_the_apis() {
    for status in [200, 302, 401, 403, 404, 500, 502, 999] {
        let outcome = read(status, &[], "<p>SECRETBODY</p>");
        let error = outcome.clone().into_result().unwrap_err();
        let shown = format!("{outcome} {outcome:?} {error} {error:?} {error:#?}");
        assert!(!shown.contains("SECRETBODY"), "{shown}");
        assert_eq!((error.message(), &*error.body_text()), (None, "<p>SECRETBODY</p>"));
    }
    let outcome = read(200, &[], r#"{"a":"SECRETBODY"}"#);
    assert!(!format!("{outcome} {outcome:?}").contains("SECRETBODY"));
}

#[test]
fn words_that_are_not_the_apis_are_no_field_errors() {
    let body = r#"{"message":"m","errors":{"a":["b"]}}"#;
    for (status, headers) in [(302, &[][..]), (407, &[]), (403, CLOUDFLARE), (422, GZIP)] {
        let error = error(status, headers, body);
        assert!(error.field_errors().is_empty() && error.message().is_none(), "{error}");
    }
}

#[test]
fn a_success_shows_its_status_its_length_and_what_is_left_of_the_limit() {
    for (status, headers, expected) in [
        (202, LIMITS, "the call succeeded (HTTP 202, 2 bytes, 0 of 7 calls left in this window)"),
        (200, &LIMITS[1..], "the call succeeded (HTTP 200, 2 bytes, 0 calls left in this window)"),
        (201, &[], "the call succeeded (HTTP 201, 2 bytes)"),
    ] {
        assert_eq!(read(status, headers, "{}").to_string(), expected);
    }
    let limits = "rate_limit: RateLimit { limit: Some(7), remaining: Some(0), reset: None }";
    let shown = format!("{:?}", read(200, LIMITS, "{}"));
    assert_eq!(shown, format!("Success(Reply {{ status: 200, {limits}, attempts: 1, body_len: 2, .. }})"));
    let shown = format!("{:?}", read(403, &[], JSON));
    assert!(shown.starts_with("Forbidden(Unspecified, the API key is valid"), "{shown}");
}

#[test]
fn our_key_is_masked_in_everything_that_is_shown() {
    let body = r#"{"message":"bad 12|canary-secret","errors":{"k":["12|canary-secret"]}}"#;
    for status in [302, 401, 403, 404, 407, 422, 429, 500] {
        let outcome = read(status, &[], body);
        let error = outcome.clone().into_result().unwrap_err();
        if !matches!(error.kind(), ApiErrorKind::Unexpected(_)) {
            assert_eq!(error.message(), Some("bad [redacted]"), "the message must be read to be masked");
            assert_eq!(error.field_errors()[0].message, "[redacted]");
        }
        assert_eq!(error.body_text(), r#"{"message":"bad [redacted]","errors":{"k":["[redacted]"]}}"#);
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
        (429, &[("retry-after", "59.2")], JSON, " (HTTP 429, retry after 60 s); Cometly says: Words."),
        (403, &[], r#"{"message":""}"#, " (HTTP 403)"),
        (503, &[], "", " (HTTP 503)"),
    ] {
        let outcome = read(status, headers, body);
        assert!(outcome.to_string().ends_with(end), "{outcome}");
        assert_eq!(outcome.to_string(), outcome.into_result().unwrap_err().to_string());
    }
}

#[test]
fn a_422_names_its_fields() {
    let many = ["b", "c", "d", "e", "f", "g", "h", "i", "j"].map(|field| format!(r#","{field}":["wrong"]"#)).concat();
    for (errors, end) in [
        (r#"{"a":["one","two"],"b.0":["Words."]}"#.to_owned(), "; Cometly says: Words.; fields: a (one), b.0"),
        (r#"{"a":"one string"}"#.to_owned(), "; Cometly says: Words.; fields: a (one string)"),
        (r#"["one"]"#.to_owned(), "; Cometly says: Words.; fields: (unnamed) (one)"),
        ("{}".to_owned(), "; Cometly says: Words."),
        (format!(r#"{{"a":"Words."{many}}}"#), " g (wrong), h (wrong), …"),
    ] {
        let shown = error(422, &[], &format!(r#"{{"message":"Words.","errors":{errors}}}"#)).to_string();
        assert!(shown.ends_with(end), "{shown}");
    }
}

#[test]
fn the_detail_of_a_problem_is_its_message() {
    let problem = &[("content-type", "Application/Problem+JSON; charset=utf-8")][..];
    for (status, headers, body, message) in [
        (503, problem, r#"{"title":"t","detail":"Under repair."}"#, Some("Under repair.")),
        (422, problem, r#"{"detail":"d","errors":{}}"#, Some("d")),
        (503, problem, r#"{"detail":"d","message":"m"}"#, Some("m")),
        (503, problem, r#"{"detail":{"a":"d"}}"#, None),
        (503, &[("content-type", "application/json")], r#"{"detail":"d"}"#, None),
        (503, &[], r#"{"detail":"d"}"#, None),
    ] {
        assert_eq!(error(status, headers, body).message(), message, "{body}");
    }
    let is_rejected = |body| matches!(read(404, problem, body), AuthOutcome::Rejected(_));
    assert!(!is_rejected(r#"{"detail":"d"}"#) && is_rejected(r#"{"detail":"d","message":1}"#));
}

// `docs/faults.md` 128.
#[test]
fn a_refusal_is_judged_by_its_first_64_kib() {
    let long = "x".repeat(1 << 20);
    let message = error(403, &[], &format!(r#"{{"message":"{long}"}}"#));
    assert_eq!(message.kind(), ApiErrorKind::Forbidden(ForbiddenReason::Unspecified));
    assert_eq!(message.message().map(str::len), Some(1024));
    // What comes later is not looked at, so a long body costs no more.
    let behind = error(422, &[], &format!(r#"{{"message":"m","errors":{{"a":["b"]}},"trace":"{long}"#));
    assert_eq!((behind.kind(), behind.message(), behind.field_errors().len()), (ApiErrorKind::Rejected, Some("m"), 1));
    let late = error(422, &[], &format!(r#"{{"trace":"{long}","message":"m"}}"#));
    assert_eq!(late.kind(), ApiErrorKind::Unexpected(UnexpectedCause::NotJson));
    // A short body must be whole.
    let cut = error(422, &[], r#"{"message":"m","errors":{"a":["b"#);
    assert_eq!(cut.kind(), ApiErrorKind::Unexpected(UnexpectedCause::NotJson));
}

#[test]
fn decode_errors_say_the_place_and_not_the_content() {
    use DecodeCategory::{Data, Eof, Syntax};
    for (body, place, expected) in [
        (
            r#"{"a":"SECRETBODY"}"#,
            (Data, 1, 17),
            "has a wrong type or value at line 1 column 17: *: expected a whole number (u8), found a string",
        ),
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
    // `docs/faults.md` 86.
    #[test]
    fn any_answer_has_an_outcome(
        status in 100_u16..=999,
        headers in prop::collection::vec((0_usize..9, prop::collection::vec(prop::num::u8::ANY, 0..20)), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        const NAMES: [&str; 9] = [
            "retry-after", "date", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
            "content-encoding", "cf-mitigated", "www-authenticate", "x-other",
        ];
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                response = response.header(NAMES[name], value);
            }
        }
        let outcome = api().read(response.body(body).unwrap());
        prop_assert!(!outcome.to_string().is_empty());
        if let Err(error) = outcome.into_result() {
            prop_assert!(error.retry_after().is_none_or(|wait| wait <= RateLimit::MAX_RETRY_AFTER));
            prop_assert!(error.message().is_none_or(|message| message.len() <= 1024));
            prop_assert!(error.body_text().len() <= 8192 && !error.body_text().contains(char::is_control));
        }
    }
}
