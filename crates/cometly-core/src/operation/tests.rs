use http::{Method, StatusCode};

use super::*;
use crate::{ApiKey, CallErrorKind, Delivery, Pacer, RequestError, RetryBudget};

mod sequences;

type Under = Operation<Bytes, &'static str>;
type Ended = Result<AuthOutcome<Bytes>, CallError<&'static str>>;

const ZERO: Duration = Duration::ZERO;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A moment of the tests' clock.
fn at(time: Duration) -> Moment {
    Moment::since_origin(time)
}

fn api() -> Api {
    Api::new(ApiKey::new("7|canary-canary").unwrap())
}

fn start(call: &Call, policy: &RetryPolicy) -> Under {
    call.clone().start(policy, &TransportLimits::default(), 1, at(ZERO)).unwrap()
}

fn answer(status: u16, retry_after: Option<u64>) -> Response<Bytes> {
    let body = if status < 300 { r#"{"data": []}"# } else { r#"{"message": "m"}"# };
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

/// Sends at once.
#[track_caller]
fn send(operation: Under, now: Moment) -> Attempt {
    match operation.next(now) {
        Next::Send(attempt) => attempt,
        other => panic!("nothing is sent: {other:?}"),
    }
}

/// Waits, and gives how long and what goes on.
#[track_caller]
fn wait(operation: Under, now: Moment) -> (Duration, Under) {
    match operation.next(now) {
        Next::Wait { pause, operation } => (pause, operation),
        other => panic!("no wait: {other:?}"),
    }
}

#[track_caller]
fn done(operation: Under, now: Moment) -> Ended {
    match operation.next(now) {
        Next::Done(result) => result,
        other => panic!("it goes on: {other:?}"),
    }
}

/// One attempt at `now` that is answered at once.
#[track_caller]
fn answered(operation: Under, response: Response<Bytes>, now: Moment) -> Under {
    send(operation, now).finish(Ok(response), now)
}

#[track_caller]
fn failed(operation: Under, delivery: Delivery, now: Moment) -> Under {
    send(operation, now).finish(Err(TransportError::failed(delivery, "broken")), now)
}

#[test]
fn a_refused_call_is_sent_again_after_the_wait_and_counts_its_attempts() {
    let attempt = send(start(&api().post("events"), &RetryPolicy::default()), at(ZERO));
    assert_eq!((attempt.number(), attempt.reason()), (1, None));
    let (pause, operation) = wait(attempt.finish(Ok(answer(429, Some(7))), at(ZERO)), at(ZERO));
    assert!(pause >= secs(7) && pause < secs(8), "{pause:?}");
    let (rest, operation) = wait(operation, at(secs(3)));
    assert_eq!(rest, pause.saturating_sub(secs(3)), "a sleep that ends early is not enough");
    let attempt = send(operation, at(pause));
    assert_eq!((attempt.number(), attempt.reason()), (2, Some(RetryReason::RateLimited)));
    let outcome = done(attempt.finish(Ok(answer(200, None)), at(secs(8))), at(secs(8))).unwrap();
    assert_eq!(outcome.into_result().unwrap().attempts(), 2);
}

#[test]
fn an_error_after_several_attempts_says_how_many_there_were() {
    let mut operation = start(&api().get("events"), &RetryPolicy::default());
    let mut now = at(ZERO);
    for _ in 0..2 {
        let (pause, next) = wait(answered(operation, answer(429, Some(1)), now), now);
        (operation, now) = (next, now.saturating_add(pause));
    }
    let outcome = done(answered(operation, answer(429, Some(1)), now), now).unwrap();
    assert!(outcome.to_string().contains("GET events") && outcome.to_string().contains("3 attempts"), "{outcome}");
    let error = CallError::<()>::from(outcome.into_result().unwrap_err());
    assert_eq!((error.attempts(), error.retry_after()), (3, Some(secs(1))));
    assert_eq!((error.method(), error.path_template()), (Some(&Method::GET), Some("events")));
}

#[test]
fn each_attempt_has_the_key_that_is_current_then() {
    let api = api();
    let attempt = send(start(&api.get("events"), &RetryPolicy::default()), at(ZERO));
    assert_eq!(attempt.request().headers()["authorization"], "Bearer 7|canary-canary");
    let (pause, operation) = wait(attempt.finish(Ok(answer(429, Some(1))), at(ZERO)), at(ZERO));
    api.rotate(ApiKey::new("8|second").unwrap());
    let attempt = send(operation, at(pause));
    api.rotate(ApiKey::new("9|third").unwrap());
    let request = attempt.request();
    assert_eq!(request.headers()["authorization"], "Bearer 8|second", "the key is pinned when the attempt begins");
    assert!(request.headers()["authorization"].is_sensitive());
}

// `docs/faults.md` 97.
#[test]
fn a_401_to_a_key_that_was_rotated_away_is_sent_once_more_with_each_new_one() {
    for method in [Method::GET, Method::POST] {
        let api = api();
        let mut attempt = send(start(&api.request(method.clone(), "events"), &RetryPolicy::default()), at(ZERO));
        for number in 1..=MAX_KEY_ROTATIONS {
            let key = format!("8|key-{number}");
            api.rotate(ApiKey::new(key.as_str()).unwrap());
            attempt = send(attempt.finish(Ok(answer(401, None)), at(ZERO)), at(ZERO));
            assert_eq!(attempt.reason(), Some(RetryReason::KeyRotated), "{method}");
            assert_eq!(attempt.request().headers()["authorization"], format!("Bearer {key}"));
        }
        api.rotate(ApiKey::new("9|last").unwrap());
        let outcome = done(attempt.finish(Ok(answer(401, None)), at(ZERO)), at(ZERO)).unwrap();
        assert!(matches!(outcome, AuthOutcome::Unauthenticated(_)), "not for ever: {outcome}");
    }
}

#[test]
fn the_key_of_an_attempt_is_masked_however_often_it_was_replaced_meanwhile() {
    let api = api();
    let attempt = send(start(&api.get("events"), &RetryPolicy::none()), at(ZERO));
    for number in 1..=9 {
        api.rotate(ApiKey::new(format!("8|key-number-{number}")).unwrap());
    }
    let body = r#"{"message":"7|canary-canary is revoked, 8|key-number-9 is not"}"#;
    let response = Response::builder().status(401).body(Bytes::from_static(body.as_bytes())).unwrap();
    let outcome = done(attempt.finish(Ok(response), at(ZERO)), at(ZERO)).unwrap();
    assert_eq!(outcome.error().and_then(crate::ApiError::message), Some("[redacted] is revoked, [redacted] is not"));
}

#[test]
fn a_401_to_a_rotated_key_that_comes_at_the_deadline_is_what_the_caller_gets() {
    let api = api();
    let call = api.get("events").timeout(secs(1));
    let attempt = send(start(&call, &RetryPolicy::default()), at(ZERO));
    api.rotate(ApiKey::new("8|second").unwrap());
    let outcome = done(attempt.finish(Ok(answer(401, None)), at(secs(1))), at(secs(1))).unwrap();
    assert!(matches!(outcome, AuthOutcome::Unauthenticated(_)), "{outcome}");
}

#[test]
fn a_401_to_a_request_that_carries_no_key_of_ours_is_final_whatever_is_rotated() {
    let api = api();
    let request = Request::post("https://other.example/hook").header("authorization", "Basic x").body(Bytes::new());
    let limits = TransportLimits::default();
    let operation = Operation::from_request(request.unwrap(), &api, &RetryPolicy::default(), &limits, 1, at(ZERO));
    let attempt = send(operation, at(ZERO));
    api.rotate(ApiKey::new("8|second").unwrap());
    assert!(done(attempt.finish(Ok(answer(401, None)), at(ZERO)), at(ZERO)).unwrap().error().is_some());
}

#[test]
fn a_key_that_was_rotated_away_takes_no_attempt_from_a_call_nor_is_a_single_one_exceeded() {
    let api = api();
    let mut operation = start(&api.get("events"), &RetryPolicy::default());
    let mut now = at(ZERO);
    for number in 0..5 {
        let attempt = send(operation, now);
        api.rotate(ApiKey::new(format!("8|key-{number}")).unwrap());
        operation = attempt.finish(Ok(answer(401, None)), now);
    }
    for _ in 0..2 {
        let (pause, next) = wait(answered(operation, answer(429, Some(1)), now), now);
        (operation, now) = (next, now.saturating_add(pause));
    }
    let outcome = done(answered(operation, answer(429, Some(1)), now), now).unwrap();
    assert!(outcome.to_string().contains("8 attempts"), "5 to old keys and 3 of the policy's: {outcome}");

    let attempt = send(start(&api.get("events"), &RetryPolicy::none()), at(ZERO));
    api.rotate(ApiKey::new("9|other").unwrap());
    assert!(done(attempt.finish(Ok(answer(401, None)), at(ZERO)), at(ZERO)).unwrap().error().is_some());
}

#[test]
fn the_api_knows_the_last_key_that_was_refused() {
    let api = api();
    let begin = || send(start(&api.get("a"), &RetryPolicy::default()), at(ZERO));
    assert_eq!((api.key_generation(), api.refused_generation()), (0, None));
    let (first, second) = (begin(), begin());
    let _ = first.finish::<Bytes, ()>(Ok(answer(403, None)), at(ZERO));
    assert_eq!(api.refused_generation(), None, "403 is about the call, not the key");
    let _ = second.finish::<Bytes, ()>(Ok(answer(401, None)), at(ZERO));
    assert_eq!(api.clone().refused_generation(), Some(0));
    let late = begin();
    api.rotate(ApiKey::new("8|second").unwrap());
    assert_eq!((api.key_generation(), api.refused_generation()), (1, Some(0)));
    let _ = begin().finish::<Bytes, ()>(Ok(answer(401, None)), at(ZERO));
    let _ = late.finish::<Bytes, ()>(Ok(answer(401, None)), at(ZERO));
    assert_eq!(api.refused_generation(), Some(1), "an answer to an older key changes nothing");

    let elsewhere = Request::get("https://example.com/").body(Bytes::new()).unwrap();
    api.rotate(ApiKey::new("9|third").unwrap());
    let _ = send(from_request(elsewhere, &api), at(ZERO)).finish::<Bytes, ()>(Ok(answer(401, None)), at(ZERO));
    assert_eq!(api.refused_generation(), Some(1), "a request without a key says nothing of one");
}

#[test]
fn a_401_to_the_current_key_and_a_403_to_an_old_one_are_final() {
    let api = api();
    let refused = done(answered(start(&api.get("a"), &RetryPolicy::default()), answer(401, None), at(ZERO)), at(ZERO));
    assert!(matches!(refused, Ok(AuthOutcome::Unauthenticated(_))));
    let attempt = send(start(&api.get("a"), &RetryPolicy::default()), at(ZERO));
    api.rotate(ApiKey::new("7|canary-canary").unwrap());
    assert!(done(attempt.finish(Ok(answer(401, None)), at(ZERO)), at(ZERO)).is_ok(), "the same key is no rotation");
    let attempt = send(start(&api.get("a"), &RetryPolicy::default()), at(ZERO));
    api.rotate(ApiKey::new("8|second").unwrap());
    assert!(done(attempt.finish(Ok(answer(403, None)), at(ZERO)), at(ZERO)).is_ok());
}

#[test]
fn each_attempt_is_the_calls_request_and_shares_its_body() {
    let body = Bytes::from(vec![b'1'; 64]);
    let call = api().post("contacts/{id}").segment(42).query("a", "b").header("x-trace", "1").body(body.clone());
    let attempt = send(start(&call, &RetryPolicy::default()), at(ZERO));
    let expected = call.to_request().unwrap();
    assert_eq!((attempt.method(), attempt.path_template()), (&Method::POST, Some("contacts/{id}")));
    assert_eq!((attempt.uri(), attempt.limits()), (expected.uri(), &TransportLimits::default()));
    for _ in 0..2 {
        let request = attempt.request();
        assert_eq!(request.body().as_ptr(), body.as_ptr());
        assert_eq!((request.method(), request.uri()), (expected.method(), expected.uri()));
        assert_eq!(request.headers(), expected.headers());
    }
}

#[test]
fn what_is_wrong_with_a_call_is_said_before_the_first_attempt() {
    let call = api().get("contacts/{id}");
    let started = call.start::<Bytes, ()>(&RetryPolicy::default(), &TransportLimits::default(), 1, at(ZERO));
    let error = started.err().unwrap();
    assert_eq!(
        (error.kind(), error.attempts(), error.path_template()),
        (CallErrorKind::Request, 0, Some("contacts/{id}"))
    );
    assert!(matches!(error.request_error(), Some(RequestError::MissingSegment)));
    assert!(error.to_string().starts_with("GET contacts/{id}: "), "{error}");
}

fn from_request(request: Request<Bytes>, api: &Api) -> Under {
    Operation::from_request(request, api, &RetryPolicy::default(), &TransportLimits::default(), 1, at(ZERO))
}

#[test]
fn a_request_of_the_callers_own_keeps_its_headers_and_gets_the_current_key() {
    let api = api();
    let mine = |uri: &str| Request::post(uri).header("x-trace", "1").body(Bytes::new()).unwrap();
    let request = api.authorize(mine("https://app.cometly.com/public-api/v1/events")).unwrap();
    let operation = from_request(request, &api);
    api.rotate(ApiKey::new("8|second").unwrap());
    let attempt = send(operation, at(ZERO));
    let request = attempt.request();
    assert_eq!(request.headers()["x-trace"], "1");
    assert_eq!(request.headers()["authorization"], "Bearer 8|second");
    assert_eq!(request.headers().get_all("authorization").iter().count(), 1);
    assert_eq!(attempt.path_template(), None);

    let without = send(from_request(mine("https://app.cometly.com/x"), &api), at(ZERO));
    assert!(!without.request().headers().contains_key("authorization"), "a request without a key stays without");
}

#[test]
fn a_request_to_another_place_never_gets_the_key() {
    let foreign = Request::get("https://evil.example/").header("authorization", "theirs").body(Bytes::new());
    let attempt = send(from_request(foreign.unwrap(), &api()), at(ZERO));
    assert_eq!(attempt.request().headers()["authorization"], "theirs");
}

#[test]
fn a_request_of_the_callers_own_is_idempotent_by_its_method_alone() {
    for (method, again) in [("GET", true), ("PUT", true), ("DELETE", true), ("POST", false), ("PATCH", false)] {
        let request = Request::builder().method(method).uri("https://app.cometly.com/x").body(Bytes::new());
        let operation = failed(from_request(request.unwrap(), &api()), Delivery::Unknown, at(ZERO));
        assert_eq!(matches!(operation.next(at(ZERO)), Next::Wait { .. }), again, "{method}");
    }
}

#[test]
fn a_call_is_as_delivered_as_the_worst_of_its_attempts() {
    use Delivery::{NotSent, Unknown, Untrusted};
    let get = || start(&api().get("events"), &RetryPolicy::default());
    let end = |first: Under| {
        let (pause, operation) = wait(first, at(ZERO));
        let now = at(pause);
        done(failed(operation, Untrusted, now), now).unwrap_err()
    };

    let error = end(failed(get(), Unknown, at(ZERO)));
    assert_eq!((error.delivery(), error.attempts()), (Some(Unknown), 2));

    let error = end(answered(get(), answer(503, None), at(ZERO)));
    assert_eq!(error.delivery(), Some(Unknown));
    assert!(error.to_string().contains("2 attempts, answered with a server error before"), "{error}");

    let error = end(answered(get(), answer(429, Some(1)), at(ZERO)));
    assert_eq!(error.delivery(), Some(Untrusted));
    assert!(error.to_string().contains("refused by the rate limit before"), "{error}");

    assert_eq!(end(failed(get(), NotSent, at(ZERO))).delivery(), Some(Untrusted));
}

#[test]
fn a_post_of_unknown_fate_is_not_sent_again_and_a_marked_one_is() {
    let post = api().post("events");
    let error = done(failed(start(&post, &RetryPolicy::within(secs(60))), Delivery::Unknown, at(ZERO)), at(ZERO));
    let error = error.unwrap_err();
    assert_eq!((error.delivery(), error.attempts()), (Some(Delivery::Unknown), 1));
    assert!(!error.is_safe_to_resend());
    let marked = failed(start(&post.idempotent(), &RetryPolicy::default()), Delivery::Unknown, at(ZERO));
    let (pause, operation) = wait(marked, at(ZERO));
    let attempt = send(operation, at(pause));
    assert_eq!(attempt.reason(), Some(RetryReason::NoAnswer));
    assert!(attempt.needs_fresh_connection(), "a kept connection may have been the reason");
    let (more, operation) = wait(attempt.finish(Ok(answer(503, None)), at(pause)), at(pause));
    assert!(!send(operation, at(pause.saturating_add(more))).needs_fresh_connection(), "the connection answered");
}

#[test]
fn a_timeout_is_a_failure_like_others_and_a_refusing_proxy_or_a_large_answer_is_final() {
    let get = |error: TransportError<&'static str>| {
        send(start(&api().get("events"), &RetryPolicy::default()), at(ZERO)).finish::<Bytes, _>(Err(error), at(ZERO))
    };
    assert!(matches!(get(TransportError::timed_out(Delivery::Unknown)).next(at(ZERO)), Next::Wait { .. }));
    for (error, kind, delivery) in [
        (TransportError::too_large(None), CallErrorKind::TooLarge, Delivery::Unknown),
        (TransportError::too_large(Some(StatusCode::OK)), CallErrorKind::TooLarge, Delivery::Unknown),
        (
            TransportError::proxy_refused(Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED), "p"),
            CallErrorKind::Proxy(Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED)),
            Delivery::NotSent,
        ),
        (TransportError::proxy_refused(None, "p"), CallErrorKind::Proxy(None), Delivery::NotSent),
        (TransportError::setup("s"), CallErrorKind::Setup, Delivery::NotSent),
    ] {
        let error = done(get(error), at(ZERO)).unwrap_err();
        assert_eq!((error.kind(), error.delivery(), error.attempts()), (kind, Some(delivery), 1), "{error}");
    }
}

#[test]
fn an_error_names_the_limit_that_was_reached() {
    let end = |call: Call, limits: TransportLimits, error: TransportError<&'static str>| {
        let operation: Under = call.start(&RetryPolicy::none(), &limits, 1, at(ZERO)).unwrap();
        let ended = done(send(operation, at(ZERO)).finish(Err(error), at(ZERO)), at(ZERO)).unwrap_err();
        (ended.limit(), ended.to_string())
    };
    let slow = || TransportError::timed_out(Delivery::Unknown);
    let limits = TransportLimits { attempt_timeout: Some(secs(7)), max_body_size: 5, ..TransportLimits::default() };
    let get = || api().get("events");
    let (limit, text) = end(get(), limits, slow());
    assert_eq!(limit, Some(ReachedLimit::AttemptTimeout(secs(7))));
    assert!(text.starts_with("GET events: no answer came within the attempt's time-out of 7 s"), "{text}");
    let (limit, text) = end(get().timeout(secs(3)), limits, slow());
    assert_eq!(limit, Some(ReachedLimit::Timeout(secs(3))));
    assert!(text.contains("the call's time-out of 3 s"), "{text}");
    for (connecting, whole, expected) in [
        (Some(secs(2)), 60, ReachedLimit::ConnectTimeout(Some(secs(2)))),
        (None, 60, ReachedLimit::ConnectTimeout(None)),
        (Some(secs(7)), 60, ReachedLimit::AttemptTimeout(secs(7))),
        (Some(secs(8)), 3, ReachedLimit::Timeout(secs(3))),
    ] {
        let late = TransportError::connect_timed_out(connecting);
        assert_eq!(end(get().timeout(secs(whole)), limits, late).0, Some(expected));
    }
    let (limit, _) = end(get(), limits, TransportError::too_large(Some(StatusCode::OK)));
    assert_eq!(limit, Some(ReachedLimit::BodySize(5)));
    let (limit, _) = end(get(), limits, TransportError::too_large(None));
    assert_eq!(limit, Some(ReachedLimit::HeadSize));
}

#[test]
fn a_body_in_pieces_may_be_as_long_as_the_cap_and_ends_for_good_where_it_breaks() {
    let limits = TransportLimits { max_body_size: 5, ..TransportLimits::default() };
    let operation: Under = api().get("events").start(&RetryPolicy::none(), &limits, 1, at(ZERO)).unwrap();
    let attempt = send(operation, at(ZERO));
    assert_eq!(*attempt.limits(), limits);
    let (head, ()) = Response::new(()).into_parts();
    assert_eq!(
        [" \n", "{", "<"].map(|piece| attempt.begins_success(&head, piece.as_bytes())),
        [None, Some(true), Some(false)]
    );

    let mut meter = attempt.body_meter(StatusCode::OK);
    assert!(meter.add::<&str>(5).is_ok() && meter.add::<&str>(0).is_ok());
    assert!(meter.check::<&str>().is_ok());
    let too_large = meter.add::<&str>(1).unwrap_err();
    let error = meter.failed(too_large);
    assert_eq!((error.kind(), error.limit()), (CallErrorKind::TooLarge, Some(ReachedLimit::BodySize(5))));
    assert_eq!((error.status(), error.path_template()), (Some(StatusCode::OK), Some("events")));
    // Afterwards nothing is left to read, and the size is no reason any more.
    let error = meter.check::<&str>().unwrap_err();
    assert_eq!(
        (error.kind(), error.limit(), error.delivery()),
        (CallErrorKind::Transport, None, Some(Delivery::Unknown))
    );

    let mut meter = attempt.body_meter(StatusCode::OK);
    meter.add::<&str>(2).unwrap();
    assert_eq!(format!("{meter:?}"), "BodyMeter { most: 5, left: 3, .. }");
    let error = meter.failed(TransportError::failed(Delivery::Unknown, "broken"));
    assert_eq!((error.kind(), error.limit()), (CallErrorKind::Transport, None));
}

// `docs/faults.md` 123.
#[test]
fn an_attempt_may_take_what_the_call_may_unless_it_is_told_less() {
    let timeout = |call: Call, policy: RetryPolicy, limits: TransportLimits| {
        let operation: Under = call.start(&policy, &limits, 1, at(ZERO)).unwrap();
        send(operation, at(ZERO)).timeout()
    };
    let limits = |timeout: Option<u64>, attempt: Option<u64>| TransportLimits {
        timeout: timeout.map(secs),
        attempt_timeout: attempt.map(secs),
        ..TransportLimits::default()
    };
    let get = || api().get("events");
    for (call, policy, limits, expected) in [
        (get(), RetryPolicy::default(), limits(None, None), 30),
        (get(), RetryPolicy::none(), limits(None, None), 30),
        (get(), RetryPolicy::within(secs(3600)), limits(None, None), 30),
        (get(), RetryPolicy::default().timeout(secs(5)), limits(None, None), 5),
        (get(), RetryPolicy::default(), limits(Some(300), None), 300),
        (get(), RetryPolicy::default(), limits(Some(300), Some(20)), 20),
        (get(), RetryPolicy::default(), limits(None, Some(45)), 45),
        (get().timeout(secs(200)), RetryPolicy::default(), limits(Some(300), None), 200),
        (get().timeout(secs(400)), RetryPolicy::default(), limits(Some(300), Some(350)), 350),
        (get().timeout(secs(9)), RetryPolicy::default(), limits(None, Some(45)), 9),
        (get().retry_policy(RetryPolicy::default().timeout(secs(4))), RetryPolicy::default(), limits(None, None), 4),
    ] {
        assert_eq!(timeout(call, policy, limits), secs(expected));
    }
}

#[test]
fn a_wait_longer_than_allowed_ends_the_call_at_once_with_that_wait() {
    let operation = start(&api().get("events"), &RetryPolicy::default());
    let outcome = done(answered(operation, answer(429, Some(3600)), at(ZERO)), at(ZERO)).unwrap();
    assert_eq!(outcome.error().unwrap().retry_after(), Some(secs(3600)));
}

// `docs/faults.md` 96.
#[test]
fn a_429_without_a_readable_wait_counts_as_a_window() {
    let policy = RetryPolicy::within(secs(3600));
    for text in [None, Some("soon"), Some("")] {
        let mut response = answer(429, None);
        if let Some(text) = text {
            response.headers_mut().insert("retry-after", text.parse().unwrap());
        }
        let (pause, _) = wait(answered(start(&api().get("events"), &policy), response, at(ZERO)), at(ZERO));
        assert!(pause >= secs(60), "{text:?}: {pause:?}");
    }
}

#[test]
fn the_time_of_the_call_is_what_is_left_for_attempts_and_waits() {
    let policy = RetryPolicy::within(secs(100));
    let attempt = send(start(&api().get("events"), &policy), at(secs(80)));
    assert_eq!(attempt.timeout(), secs(20));
    let attempt = send(start(&api().get("events"), &policy), at(ZERO));
    let (pause, operation) = wait(attempt.finish(Ok(answer(429, Some(40))), at(secs(50))), at(secs(50)));
    assert!(pause >= secs(40) && pause <= secs(45), "the attempt has half of the time that is left: {pause:?}");
    let (again, operation) = wait(operation, at(ZERO));
    assert_eq!(again, pause, "a clock that steps back gives no time back");
    let attempt = send(operation, at(secs(50) + pause));
    let outcome = done(attempt.finish(Ok(answer(429, Some(51))), at(ZERO)), at(ZERO)).unwrap();
    assert!(matches!(outcome, AuthOutcome::RateLimited(_)), "less than 51 s are left, whatever the clock says now");
}

#[test]
fn the_nearest_time_that_is_set_bounds_a_call() {
    let of_client = TransportLimits { timeout: Some(secs(30)), ..TransportLimits::default() };
    let of_attempt = TransportLimits { attempt_timeout: Some(secs(5)), ..of_client };
    let unset = TransportLimits::default();
    for (own, call_timeout, limits, attempt, whole) in [
        (None, None, unset, 30, 60),
        (None, None, of_client, 30, 30),
        (None, Some(90), of_client, 90, 90),
        (Some(RetryPolicy::within(secs(300))), None, unset, 30, 300),
        (Some(RetryPolicy::within(secs(300))), None, of_client, 30, 300),
        (Some(RetryPolicy::within(secs(300))), None, of_attempt, 5, 300),
        (Some(RetryPolicy::within(secs(300))), Some(90), of_client, 90, 90),
        (Some(RetryPolicy::default().max_attempts(2)), None, of_client, 30, 30),
        (Some(RetryPolicy::none()), None, of_client, 30, 30),
    ] {
        let name = format!("{own:?} {call_timeout:?} {limits:?}");
        let mut call = api().get("a");
        if let Some(policy) = own {
            call = call.retry_policy(policy);
        }
        if let Some(timeout) = call_timeout {
            call = call.timeout(secs(timeout));
        }
        let started = || -> Under { call.clone().start(&RetryPolicy::default(), &limits, 1, at(ZERO)).unwrap() };
        assert_eq!(send(started(), at(ZERO)).timeout(), secs(attempt), "{name}");
        let error = done(started(), at(secs(whole))).unwrap_err();
        assert_eq!(error.limit(), Some(ReachedLimit::Timeout(secs(whole))), "{name}");
        assert!(matches!(started().next(at(secs(whole - 1))), Next::Send(_)), "{name}");
    }
}

#[test]
fn a_call_without_time_is_not_sent() {
    let (_, operation) =
        wait(failed(start(&api().post("a"), &RetryPolicy::default()), Delivery::NotSent, at(ZERO)), at(ZERO));
    let error = done(operation, at(secs(61))).unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery(), error.attempts()),
        (CallErrorKind::Timeout, Some(Delivery::NotSent), 1)
    );
    assert_eq!(error.limit(), Some(ReachedLimit::Timeout(secs(60))));
}

#[test]
fn a_clock_that_stands_makes_no_endless_loop() {
    let mut operation = answered(start(&api().get("a"), &RetryPolicy::default()), answer(429, Some(7)), at(ZERO));
    for _ in 0..200 {
        operation = match operation.next(at(ZERO)) {
            Next::Wait { operation, .. } => operation,
            Next::Send(attempt) => return assert_eq!(attempt.number(), 2),
            Next::Done(done) => panic!("{done:?}"),
        };
    }
    panic!("it waits for ever");
}

#[test]
fn a_clock_that_is_set_back_makes_no_longer_wait() {
    let limits = TransportLimits::default();
    let operation: Under = api().get("a").start(&RetryPolicy::default(), &limits, 1, at(secs(9000))).unwrap();
    let operation = answered(operation, answer(429, Some(7)), at(secs(9000)));
    let (_, operation) = wait(operation, at(secs(5000)));
    let (pause, operation) = wait(operation, at(secs(5004)));
    assert!(pause < secs(6), "{pause:?}");
    assert_eq!(send(operation, at(secs(5010))).number(), 2);
}

#[test]
fn an_empty_budget_stops_at_once_and_a_job_goes_on_slowly() {
    let empty = RetryBudget::with_reserve(0);
    let get = api().get("events");
    let quick = start(&get, &RetryPolicy::default().budget(empty.clone()));
    assert_eq!(done(failed(quick, Delivery::NotSent, at(ZERO)), at(ZERO)).unwrap_err().attempts(), 1);
    let refused = start(&get, &RetryPolicy::default().budget(empty.clone()));
    let _ = wait(answered(refused, answer(429, Some(1)), at(ZERO)), at(ZERO));
    let job = start(&get, &RetryPolicy::within(secs(3600)).budget(empty));
    assert!(wait(failed(job, Delivery::NotSent, at(ZERO)), at(ZERO)).0 >= secs(60));
}

#[test]
fn refusals_by_the_rate_limit_cost_no_budget() {
    let policy = RetryPolicy::within(Duration::MAX).budget(RetryBudget::with_reserve(1));
    let (mut operation, mut now) = (start(&api().get("events"), &policy), at(ZERO));
    for _ in 0..20 {
        let (pause, next) = wait(answered(operation, answer(429, Some(1)), now), now);
        (operation, now) = (next, now.saturating_add(pause));
    }
    assert!(policy.budget.withdraw(), "what was there is still there");
}

#[test]
fn an_outage_is_met_with_a_tenth_more_calls_and_the_reserve() {
    let policy = RetryPolicy::default();
    let get = api().get("events");
    let mut sent = 0;
    for seed in 0..1_000 {
        let mut now = at(ZERO);
        let mut operation: Under = get.clone().start(&policy.clone(), &TransportLimits::default(), seed, now).unwrap();
        loop {
            operation = match operation.next(now) {
                Next::Send(attempt) => {
                    sent += 1;
                    attempt.finish(Ok(answer(503, None)), now)
                }
                Next::Wait { pause, operation } => {
                    now = now.saturating_add(pause);
                    operation
                }
                Next::Done(_) => break,
            }
        }
    }
    assert!((1_100..=1_110).contains(&sent), "{sent} attempts of 1000 calls");
}

#[test]
fn callers_that_are_told_the_same_wait_do_not_come_back_together() {
    let get = api().get("events");
    let mut wakes: Vec<_> = (0..50)
        .map(|seed| {
            let operation: Under =
                get.clone().start(&RetryPolicy::default(), &TransportLimits::default(), seed, at(ZERO)).unwrap();
            wait(answered(operation, answer(429, Some(1)), at(ZERO)), at(ZERO)).0.as_millis() / 20
        })
        .collect();
    assert!(wakes.iter().all(|bucket| (50..75).contains(bucket)), "{wakes:?}");
    wakes.sort_unstable();
    wakes.dedup();
    assert!(wakes.len() > 15, "{wakes:?}");
}

#[test]
fn a_job_that_is_refused_in_a_row_spreads_over_whole_windows() {
    let longest = |refusals: usize| {
        let waits = (0..200).map(|seed| {
            let policy = RetryPolicy::within(secs(360_000));
            let mut operation: Under =
                api().get("events").start(&policy, &TransportLimits::default(), seed, at(ZERO)).unwrap();
            let (mut now, mut pause) = (at(ZERO), ZERO);
            for _ in 0..refusals {
                (pause, operation) = wait(answered(operation, answer(429, Some(20)), now), now);
                now = now.saturating_add(pause);
            }
            pause
        });
        waits.max().unwrap().as_secs()
    };
    for (refusals, windows) in [(1, 1), (2, 3), (3, 7), (4, 15), (6, 15)] {
        let (longest, most) = (longest(refusals), 20 + 20 * windows);
        assert!(longest <= most && longest > 20 + 18 * windows, "{refusals}: {longest} s of {most}");
    }
}

fn paced_api() -> Api {
    Api::builder(ApiKey::new("7|canary-canary").unwrap()).pacer(Pacer::new()).build()
}

#[test]
fn a_paced_call_waits_its_turn_or_says_at_once_that_it_comes_too_late() {
    let api = paced_api();
    let first = send(start(&api.get("events"), &RetryPolicy::default()), at(ZERO));
    let (_, second) = wait(start(&api.get("/events"), &RetryPolicy::default()), at(ZERO));
    let other = send(start(&api.get("contacts"), &RetryPolicy::default()), at(ZERO));
    assert_eq!(other.number(), 1, "another endpoint");

    let outcome = done(first.finish(Ok(answer(429, Some(100))), at(ZERO)), at(ZERO)).unwrap();
    assert!(matches!(outcome, AuthOutcome::RateLimited(_)), "{outcome}");
    let error = done(second, at(secs(1))).unwrap_err();
    assert!(error.retry_after().unwrap() >= secs(90), "{error}");
    assert_eq!((error.kind(), error.delivery(), error.attempts()), (CallErrorKind::Paced, Some(Delivery::NotSent), 0));
    assert!(error.is_safe_to_resend());
}

#[test]
fn a_turn_is_waited_for_only_if_the_call_may_wait_so_long_and_has_time_to_send() {
    let ask = |longest: Duration, timeout: Duration| {
        let api = paced_api();
        let first = answered(start(&api.get("events"), &RetryPolicy::none()), answer(429, Some(20)), at(ZERO));
        assert!(matches!(done(first, at(ZERO)), Ok(AuthOutcome::RateLimited(_))));
        let policy = RetryPolicy::default().max_retry_after(longest).timeout(timeout);
        start(&api.get("events"), &policy).next(at(ZERO))
    };
    let millis = Duration::from_millis;
    for (longest, timeout, waits) in [
        (secs(3600), secs(30), true),
        // The turn is in 20 s at the earliest, and an attempt needs a second.
        (secs(3600), secs(21), true),
        (secs(3600), millis(20_999), false),
        (secs(3600), secs(5), false),
        (secs(20), secs(3600), true),
        (millis(19_999), secs(3600), false),
    ] {
        match ask(longest, timeout) {
            Next::Wait { pause, .. } => assert!(waits && pause >= secs(20), "{longest:?} {timeout:?}: {pause:?}"),
            Next::Done(Err(error)) => {
                assert!(!waits, "{longest:?} {timeout:?}: {error}");
                assert_eq!((error.kind(), error.attempts()), (CallErrorKind::Paced, 0));
                assert!(error.retry_after().unwrap() >= secs(20), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_second_attempt_that_the_pacer_refuses_tells_of_the_first() {
    let api = paced_api();
    let (pause, again) =
        wait(failed(start(&api.get("events"), &RetryPolicy::default()), Delivery::Unknown, at(ZERO)), at(ZERO));
    let now = at(pause);
    let other = match start(&api.get("events"), &RetryPolicy::default()).next(at(ZERO)) {
        Next::Send(attempt) => attempt,
        Next::Wait { operation, .. } => send(operation, now),
        Next::Done(done) => panic!("{done:?}"),
    };
    drop(done(other.finish(Ok(answer(429, Some(900))), now), now));
    let error = done(again, now).unwrap_err();
    assert_eq!((error.delivery(), error.attempts()), (Some(Delivery::Unknown), 1), "{error}");
}

#[test]
fn debug_shows_no_key_no_value_and_no_body() {
    let call = paced_api().post("contacts/{id}").segment("canary").query("canary", "canary").body("canary");
    let attempt = send(start(&call, &RetryPolicy::default()), at(ZERO));
    let request = attempt.request();
    assert!(request.uri().to_string().contains("canary") && !request.headers()["authorization"].is_empty());
    let shown = format!("{attempt:?} {attempt:#?}");
    assert!(shown.contains("contacts/{id}") && !shown.contains("canary"), "{shown}");
    let own = Request::get("https://app.cometly.com/canary?canary").body(Bytes::from("canary")).unwrap();
    let own = from_request(api().authorize(own).unwrap(), &api());
    assert!(!format!("{own:?}").contains("canary"));
    let next = answered(own, answer(429, Some(1)), at(ZERO)).next(at(ZERO));
    let shown = format!("{next:?}");
    assert!(shown.starts_with("Wait { pause: 1.") && !shown.contains("canary"), "{shown}");
    assert!(shown.contains(" operation: Operation { api: ") && shown.contains(" attempts: 1, "), "{shown}");
}

#[test]
fn an_attempt_and_an_error_are_one_pointer_wide() {
    assert_eq!(size_of::<Attempt>(), size_of::<usize>());
    assert_eq!(size_of::<CallError<String>>(), size_of::<usize>());
}
