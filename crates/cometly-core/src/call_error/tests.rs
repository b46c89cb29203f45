use super::*;
use crate::{Api, ApiKey};

type Failed = CallError<std::io::Error>;

fn history(attempts: u32) -> History {
    let call = CallName { method: Method::POST, template: Some("events/track".into()), is_idempotent: false };
    History { call, attempts, last_answer: None, may_have_arrived: false }
}

fn idempotent(attempts: u32) -> History {
    let call = CallName { method: Method::GET, template: Some("events".into()), is_idempotent: true };
    History { call, ..history(attempts) }
}

fn stack() -> std::io::Error {
    std::io::Error::other("the stack's own words")
}

fn failed(error: TransportError<std::io::Error>) -> Failed {
    CallError::transport(error, None, history(1))
}

fn limited(error: TransportError<std::io::Error>, limit: ReachedLimit) -> Failed {
    CallError::transport(error, Some(limit), history(1))
}

const TURN: Duration = Duration::from_millis(41_200);
const LIMIT: Duration = Duration::from_millis(2_500);

/// Each failure, its words, its name for logs, and whether it is safe to send the call again.
#[allow(clippy::too_many_lines, reason = "a table")]
fn failures() -> Vec<(Failed, &'static str, &'static str, bool)> {
    let teapot = StatusCode::IM_A_TEAPOT;
    vec![
        (
            failed(TransportError::not_sent(stack())),
            "POST events/track: the call got no answer; nothing was sent, so it is safe to send it again",
            "not_sent",
            true,
        ),
        (
            failed(TransportError::unknown(stack())),
            "POST events/track: the call got no answer; it may have arrived; send it again only if doing it twice does no \
             harm",
            "no_answer",
            false,
        ),
        (
            CallError::transport(TransportError::unknown(stack()), None, idempotent(3)),
            "GET events: the call got no answer (3 attempts); it may have arrived; sending it again does no harm, for it is \
             idempotent",
            "no_answer",
            true,
        ),
        (
            failed(TransportError::untrusted(stack())),
            "POST events/track: the call got no answer; the server's certificate is not trusted and nothing was sent; check \
             the base URL, the clock, and for a proxy that opens TLS",
            "untrusted",
            true,
        ),
        (
            failed(TransportError::setup(stack())),
            "POST events/track: the HTTP client cannot be used as it is set up; its source says why: \
             check its proxy, its TLS and the runtime that it is called from",
            "setup",
            true,
        ),
        (
            CallError::setup(stack()),
            "the HTTP client cannot be used as it is set up; its source says why: \
             check its proxy, its TLS and the runtime that it is called from",
            "setup",
            true,
        ),
        (
            failed(TransportError::proxy_refused(Some(teapot), stack())),
            "POST events/track: the proxy refused to connect (HTTP 418); check the proxy's address and credentials; nothing \
             was sent to Cometly",
            "proxy",
            true,
        ),
        (
            failed(TransportError::proxy_refused(None, stack())),
            "POST events/track: the proxy refused to connect; check the proxy's address and credentials; nothing was sent \
             to Cometly",
            "proxy",
            true,
        ),
        (
            limited(TransportError::timed_out(Delivery::NotSent), ReachedLimit::AttemptTimeout(LIMIT)),
            "POST events/track: no answer came within the attempt's time-out of 2.5 s; nothing was sent, so it is safe to \
             send it again",
            "timeout",
            true,
        ),
        (
            limited(TransportError::connect_timed_out(Some(LIMIT)), ReachedLimit::ConnectTimeout(Some(LIMIT))),
            "POST events/track: no connection was made within the connect time-out of 2.5 s; nothing was sent, so it is safe \
             to send it again",
            "timeout",
            true,
        ),
        (
            limited(TransportError::connect_timed_out(None), ReachedLimit::ConnectTimeout(None)),
            "POST events/track: no connection was made before the connect time-out; nothing was sent, so it is safe to send \
             it again",
            "timeout",
            true,
        ),
        (
            limited(TransportError::timed_out(Delivery::Unknown), ReachedLimit::Timeout(LIMIT)),
            "POST events/track: no answer came within the call's time-out of 2.5 s; it may have arrived; send it again only \
             if doing it twice does no harm",
            "timeout",
            false,
        ),
        (
            failed(TransportError::timed_out(Delivery::Unknown)),
            "POST events/track: no answer came before the time-out; it may have arrived; send it again only if doing it \
             twice does no harm",
            "timeout",
            false,
        ),
        (
            limited(TransportError::too_large(Some(teapot)), ReachedLimit::BodySize(512)),
            "POST events/track: the body of the answer is larger than the 512 bytes allowed; ask for less in one call",
            "too_large",
            false,
        ),
        (
            limited(TransportError::head_too_large(None), ReachedLimit::HeadSize),
            "POST events/track: the headers of the answer are more than the 100 lines or 65536 bytes allowed; check the base \
             URL and any proxy",
            "too_large",
            false,
        ),
        (
            CallError::paced(TURN, history(0)),
            "POST events/track: the rate limit of this Space for this endpoint is used up, and the call was not sent: its \
             turn comes in 42 s, which its time does not allow; call again then, or give it more time",
            "paced",
            true,
        ),
        (
            CallError::paced(TURN, History { last_answer: Some(ApiErrorKind::RateLimited), ..history(1) }),
            "POST events/track: the rate limit of this Space for this endpoint is used up, and the call was not sent again \
             (1 attempt, refused by the rate limit before): its turn comes in 42 s, which its time does not allow; call \
             again then, or give it more time",
            "paced",
            true,
        ),
        (
            CallError::paced(TURN, History { may_have_arrived: true, ..history(2) }),
            "POST events/track: the rate limit of this Space for this endpoint is used up, and the call was not sent again \
             (2 attempts): its turn comes in 42 s, which its time does not allow; it may have arrived; send it again only \
             if doing it twice does no harm",
            "paced",
            false,
        ),
        (
            CallError::out_of_time(LIMIT, History { last_answer: Some(ApiErrorKind::ServerError), ..history(2) }),
            "POST events/track: no answer came within the call's time-out of 2.5 s (2 attempts, answered with a server \
             error before); it was not carried out, so it is safe to send it again",
            "timeout",
            true,
        ),
        (
            CallError::out_of_time(LIMIT, History { last_answer: Some(ApiErrorKind::Unauthenticated), ..history(2) }),
            "POST events/track: no answer came within the call's time-out of 2.5 s (2 attempts, answered before); it was \
             not carried out, so it is safe to send it again",
            "timeout",
            true,
        ),
        (
            CallError::file(TransportError::not_sent(stack()), 1),
            "GET export file: the call got no answer; nothing was sent, so it is safe to send it again",
            "not_sent",
            true,
        ),
        (
            CallError::flow(FlowError::OrderLost, Some(history(1).call), 1),
            "POST events/track: the answer to the order of the export was lost: it may have been ordered, so it is not \
             ordered again by itself; call `order_again` if a second export does no harm",
            "flow",
            false,
        ),
    ]
}

#[test]
fn each_failure_names_the_call_what_happened_and_what_to_do() {
    for (error, words, name, is_safe) in failures() {
        assert_eq!(error.to_string(), words);
        assert_eq!((error.error_type(), error.is_safe_to_resend()), (name, is_safe), "{error}");
        // These belong to other kinds.
        assert!(
            error.api_error().is_none() && error.decode_error().is_none() && error.request_error().is_none(),
            "{error}"
        );
        assert_eq!(error.flow_error().is_some(), error.kind() == CallErrorKind::Flow, "{error}");
        let (kind, words) = (error.kind(), error.to_string());
        let boxed = error.map_source(|source| Box::new(source) as Box<dyn Error + Send + Sync>);
        assert_eq!((boxed.kind(), boxed.to_string()), (kind, words), "another type of source changes nothing else");
        assert!(boxed.into_decode_error().is_none());
    }
}

#[test]
fn the_stacks_own_error_is_the_source_and_stands_in_debug() {
    let error = failed(TransportError::unknown(stack()));
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the stack's own words"));
    assert!(
        format!("{error:?}").starts_with(&error.to_string()) && format!("{error:?}").contains("the stack's own words")
    );
    let error = failed(TransportError::timed_out(Delivery::Unknown));
    assert!(error.source().is_none());
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn an_error_tells_its_limit_its_status_and_how_long_to_wait() {
    let paced = Failed::paced(TURN, history(0));
    assert_eq!((paced.limit(), paced.retry_after()), (Some(ReachedLimit::RateLimit(TURN)), Some(TURN)));
    let late = Failed::out_of_time(LIMIT, history(2));
    assert_eq!((late.limit(), late.retry_after(), late.attempts()), (Some(ReachedLimit::Timeout(LIMIT)), None, 2));
    assert_eq!((late.method(), late.path_template()), (Some(&Method::POST), Some("events/track")));
    let teapot = Some(StatusCode::IM_A_TEAPOT);
    for error in [
        TransportError::too_large(teapot),
        TransportError::head_too_large(teapot),
        TransportError::proxy_refused(teapot, stack()),
    ] {
        let error = failed(error);
        assert_eq!((error.status(), error.is_not_found()), (teapot, false), "{error}");
    }
    assert_eq!(failed(TransportError::unknown(stack())).status(), None);
    assert!(!failed(TransportError::too_large(Some(StatusCode::NOT_FOUND))).is_not_found(), "the API did not say so");
}

#[test]
fn an_error_of_the_call_itself_is_its_source_and_names_the_call() {
    let api = Api::new(ApiKey::new("7|canary").unwrap());
    let error = api.get("contacts/{id}").to_request().unwrap_err();
    let words = error.to_string();
    let call = Failed::request(error, Some(idempotent(0).call));
    assert_eq!(call.to_string(), format!("GET events: the call cannot be built, and nothing was sent: {words}"));
    assert_eq!((call.error_type(), call.kind(), call.attempts()), ("request", CallErrorKind::Request, 0));
    assert_eq!(call.request_error().map(ToString::to_string), Some(words));
    assert_eq!((call.method(), call.path_template()), (Some(&Method::GET), Some("events")));
}

/// What the API answered, as the error that a client makes of it.
fn answered(call: History, status: u16, headers: &[(&str, &str)], body: &str) -> Failed {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let api = Api::new(ApiKey::new("7|canary").unwrap());
    let mut outcome = api.read(response.body(bytes::Bytes::copy_from_slice(body.as_bytes())).unwrap());
    outcome.set_origin(call.call, call.attempts);
    outcome.into_result().unwrap_err().into()
}

const MESSAGE: &str = r#"{"message":"m"}"#;

#[test]
fn an_answer_that_is_no_success_says_what_it_is_and_whether_it_was_carried_out() {
    for (call, status, headers, body, name, is_safe, is_not_found) in [
        (history(1), 401, &[][..], MESSAGE, "unauthenticated", true, false),
        (history(1), 404, &[], MESSAGE, "rejected", true, true),
        (history(1), 422, &[], MESSAGE, "rejected", true, false),
        (history(1), 404, &[], "<html>", "unexpected.not_json", false, false),
        (history(1), 429, &[("retry-after", "7")], MESSAGE, "rate_limited", true, false),
        (history(1), 500, &[], MESSAGE, "server_error", false, false),
        (idempotent(1), 500, &[], MESSAGE, "server_error", true, false),
    ] {
        let error = answered(call, status, headers, body);
        assert_eq!(error.kind(), CallErrorKind::Api);
        assert_eq!((error.error_type(), error.is_safe_to_resend()), (name, is_safe), "{error}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status), "{error}");
        assert_eq!(error.is_not_found(), is_not_found, "{error}");
        assert_eq!(error.delivery(), None);
        let wait = (!headers.is_empty()).then_some(Duration::from_secs(7));
        assert_eq!((error.retry_after(), error.api_error().and_then(ApiError::retry_after)), (wait, wait), "{error}");
        assert!(error.source().is_none(), "`Display` shows it in full");
        assert!(error.method().is_some() && error.to_string() == error.api_error().unwrap().to_string(), "{error}");
        // A flow may make something else of it, and then it is the source.
        let words = error.to_string();
        let seen = error.seen_by_flow(FlowError::UnknownExport);
        assert_eq!(seen.source().map(ToString::to_string), Some(words));
    }
}

#[test]
fn a_success_that_cannot_be_read_gives_its_decode_error() {
    let api = Api::new(ApiKey::new("7|canary").unwrap());
    let mut outcome = api.read(http::Response::new(bytes::Bytes::from_static(b"{\"data\":1}")));
    outcome.set_origin(idempotent(2).call, 2);
    let error = outcome.into_result().unwrap().json::<Vec<u8>>().unwrap_err();
    let words = error.to_string();
    let error = Failed::from(error);
    assert_eq!((error.kind(), error.error_type(), error.attempts()), (CallErrorKind::Decode, "decode", 2));
    assert_eq!((error.status(), error.retry_after(), error.delivery()), (None, None, None));
    assert_eq!(error.decode_error().map(ToString::to_string).as_ref(), Some(&words));
    assert_eq!(error.to_string(), words);
    assert_eq!(error.into_decode_error().map(|error| error.to_string()), Some(words));
}

#[test]
fn a_failure_without_an_answer_says_whether_it_arrived() {
    for (error, delivery) in [
        (failed(TransportError::not_sent(stack())), Delivery::NotSent),
        (failed(TransportError::untrusted(stack())), Delivery::Untrusted),
        (failed(TransportError::unknown(stack())), Delivery::Unknown),
        (CallError::paced(TURN, history(0)), Delivery::NotSent),
        (CallError::paced(TURN, History { may_have_arrived: true, ..history(2) }), Delivery::Unknown),
    ] {
        assert_eq!(error.delivery(), Some(delivery), "{error}");
    }
}
