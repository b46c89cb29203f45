use http::{Response, StatusCode};

use super::*;
use crate::{ApiErrorKind, ApiKey, Pacer, RetryBudget};

mod sequences;

type Answered = Step<Bytes, &'static str>;

const ZERO: Duration = Duration::ZERO;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn api() -> Api {
    Api::new(ApiKey::new("7|canary-canary").unwrap())
}

fn start(call: &Call, policy: &RetryPolicy) -> Attempt {
    call.attempt(policy, 1).unwrap()
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

#[track_caller]
fn retry(step: Answered) -> (Duration, Attempt) {
    match step {
        Step::Retry { after, next } => (after, next),
        Step::Done(done) => panic!("it stopped: {done:?}"),
    }
}

#[track_caller]
fn done(step: Answered) -> Result<AuthOutcome<Bytes>, CallError<&'static str>> {
    match step {
        Step::Done(result) => result,
        Step::Retry { after, next } => panic!("it goes on after {after:?}: {next:?}"),
    }
}

fn attempts(outcome: &AuthOutcome<Bytes>) -> u32 {
    match outcome {
        AuthOutcome::Success(reply) => reply.attempts(),
        other => other.error().unwrap().attempts(),
    }
}

/// The wait of an outcome that is `RateLimited`.
#[track_caller]
fn limited_wait(outcome: &AuthOutcome<Bytes>) -> Option<Duration> {
    match outcome {
        AuthOutcome::RateLimited(error) => error.retry_after(),
        other => panic!("{other}"),
    }
}

#[test]
fn a_refused_call_is_sent_again_after_the_wait_and_counts_its_tries() {
    let attempt = start(&api().post("events"), &RetryPolicy::default());
    assert_eq!((attempt.number(), attempt.reason()), (1, None));
    let (after, next) = retry(attempt.on_response(answer(429, Some(7)), ZERO));
    assert!(after >= secs(7) && after < secs(8), "{after:?}");
    assert_eq!((next.number(), next.reason()), (2, Some(RetryReason::RateLimited)));
    let outcome = done(next.on_response(answer(200, None), secs(8))).unwrap();
    assert!(outcome.error().is_none());
    assert_eq!(attempts(&outcome), 2);
}

#[test]
fn what_stops_after_several_tries_says_how_many_there_were() {
    let mut attempt = start(&api().get("events"), &RetryPolicy::default());
    for _ in 0..2 {
        attempt = retry(attempt.on_response(answer(429, Some(1)), ZERO)).1;
    }
    let outcome = done(attempt.on_response(answer(429, Some(1)), ZERO)).unwrap();
    assert!(outcome.to_string().contains("tried 3 times"), "{outcome}");
    assert_eq!((attempts(&outcome), limited_wait(&outcome)), (3, Some(secs(1))));
    assert_eq!(CallError::<()>::from(outcome.into_result().unwrap_err()).tries(), 3);
}

#[test]
fn each_try_has_the_key_that_is_current_then() {
    let api = api();
    let attempt = start(&api.get("events"), &RetryPolicy::default());
    assert_eq!(attempt.request().headers()["authorization"], "Bearer 7|canary-canary");
    let (_, next) = retry(attempt.on_response(answer(429, Some(1)), ZERO));
    api.rotate(ApiKey::new("8|second").unwrap());
    let request = next.request();
    assert_eq!(request.headers()["authorization"], "Bearer 8|second");
    assert!(request.headers()["authorization"].is_sensitive());
}

#[test]
fn each_try_is_the_calls_request_and_shares_its_body() {
    let body = Bytes::from(vec![b'1'; 64]);
    let call = api().post("contacts/{id}").segment(42).query("a", "b").body(body.clone());
    let attempt = start(&call, &RetryPolicy::default());
    let expected = call.to_request().unwrap();
    assert_eq!((attempt.method(), attempt.path_template()), (&http::Method::POST, Some("contacts/{id}")));
    for _ in 0..2 {
        let request = attempt.request();
        assert_eq!(request.body().as_ptr(), body.as_ptr());
        assert_eq!((request.method(), request.uri()), (expected.method(), expected.uri()));
        assert_eq!(request.headers(), expected.headers());
    }
}

#[test]
fn what_is_wrong_with_a_call_is_said_before_the_first_try() {
    let error = api().get("contacts/{id}").attempt(&RetryPolicy::default(), 1).unwrap_err();
    assert_eq!(error, crate::RequestError::MissingSegment);
}

#[test]
fn a_request_of_the_callers_own_keeps_its_headers_and_gets_the_current_key() {
    let api = api();
    let mine = |uri: &str| http::Request::post(uri).header("x-trace", "1").body(Bytes::new()).unwrap();
    let request = api.authorize(mine("https://app.cometly.com/public-api/v1/events")).unwrap();
    let attempt = Attempt::from_request(request, &api, &RetryPolicy::default(), 1);
    api.rotate(ApiKey::new("8|second").unwrap());
    let request = attempt.request();
    assert_eq!(request.headers()["x-trace"], "1");
    assert_eq!(request.headers()["authorization"], "Bearer 8|second");
    assert_eq!(request.headers().get_all("authorization").iter().count(), 1);
    assert_eq!(attempt.path_template(), None);

    let without = Attempt::from_request(mine("https://app.cometly.com/x"), &api, &RetryPolicy::default(), 1);
    assert!(!without.request().headers().contains_key("authorization"), "who sends no key is given none");
}

#[test]
fn a_request_to_another_place_never_gets_the_key() {
    let foreign = http::Request::get("https://evil.example/").header("authorization", "theirs").body(Bytes::new());
    let attempt = Attempt::from_request(foreign.unwrap(), &api(), &RetryPolicy::default(), 1);
    assert_eq!(attempt.request().headers()["authorization"], "theirs");
}

#[test]
fn a_request_of_the_callers_own_is_idempotent_by_its_method_alone() {
    for (method, again) in [("GET", true), ("PUT", true), ("DELETE", true), ("POST", false), ("PATCH", false)] {
        let request = http::Request::builder().method(method).uri("https://app.cometly.com/x").body(Bytes::new());
        let attempt = Attempt::from_request(request.unwrap(), &api(), &RetryPolicy::default(), 1);
        let step: Answered = attempt.on_failure(Delivery::Unknown, "reset", ZERO);
        assert_eq!(matches!(step, Step::Retry { .. }), again, "{method}");
    }
}

#[test]
fn a_call_is_as_delivered_as_the_worst_of_its_tries() {
    use Delivery::{NotSent, Unknown, Untrusted};
    let again = || start(&api().get("events"), &RetryPolicy::default());
    let failed = |attempt: Attempt, delivery| done_error(attempt.on_failure(delivery, "last", ZERO));

    let after_unknown = retry(again().on_failure(Unknown, "reset", ZERO)).1;
    let error = failed(after_unknown, Untrusted);
    assert_eq!((error.delivery(), error.tries(), error.last_answer()), (Some(Unknown), 2, None));

    let after_5xx = retry(again().on_response(answer(503, None), ZERO)).1;
    let error = failed(after_5xx, Untrusted);
    assert_eq!((error.delivery(), error.last_answer()), (Some(Unknown), Some(ApiErrorKind::ServerError)));

    let after_429 = retry(again().on_response(answer(429, Some(1)), ZERO)).1;
    let error = failed(after_429, Untrusted);
    assert_eq!((error.delivery(), error.last_answer()), (Some(Untrusted), Some(ApiErrorKind::RateLimited)));

    let after_not_sent = retry(again().on_failure(NotSent, "refused", ZERO)).1;
    assert_eq!(failed(after_not_sent, Untrusted).delivery(), Some(Untrusted));
}

#[track_caller]
fn done_error(step: Answered) -> CallError<&'static str> {
    done(step).unwrap_err()
}

#[test]
fn a_post_of_unknown_fate_is_not_sent_again_and_a_marked_one_is() {
    let post = api().post("events");
    let error = done_error(start(&post, &RetryPolicy::within(secs(60))).on_failure(Delivery::Unknown, "reset", ZERO));
    assert_eq!((error.delivery(), error.tries()), (Some(Delivery::Unknown), 1));
    let marked = start(&post.idempotent(), &RetryPolicy::default());
    assert_eq!(retry(marked.on_failure(Delivery::Unknown, "reset", ZERO)).1.reason(), Some(RetryReason::NoAnswer));
}

#[test]
fn a_timeout_is_a_failure_like_others_and_what_is_too_large_is_final() {
    let get = || start(&api().get("events"), &RetryPolicy::default());
    let post = || start(&api().post("events"), &RetryPolicy::default());
    let _ = retry(get().on_error(CallError::timeout(Delivery::Unknown), ZERO));
    let _ = retry(post().on_error(CallError::timeout(Delivery::NotSent), ZERO));
    assert!(matches!(
        done_error(post().on_error(CallError::timeout(Delivery::Unknown), ZERO)),
        CallError::Timeout { .. }
    ));
    assert!(matches!(done_error(get().on_error(CallError::too_large(None), ZERO)), CallError::TooLarge { .. }));
    let request = CallError::Request(crate::RequestError::Path);
    assert!(matches!(done_error(get().on_error(request, ZERO)), CallError::Request(_)));
}

#[test]
fn a_wait_longer_than_allowed_ends_the_call_at_once_with_that_wait() {
    let attempt = start(&api().get("events"), &RetryPolicy::default());
    let outcome = done(attempt.on_response(answer(429, Some(3600)), ZERO)).unwrap();
    assert_eq!(limited_wait(&outcome), Some(secs(3600)));
}

#[test]
fn a_429_whose_wait_is_missing_or_cannot_be_read_waits_for_a_window() {
    for retry_after in [None, Some("soon"), Some("Tue, 24 Nov 2026 10:00:30 GMT")] {
        let response = || {
            let mut response = answer(429, None);
            let value = retry_after.map(http::HeaderValue::from_static);
            response.headers_mut().extend(value.map(|value| (header::RETRY_AFTER, value)));
            response
        };
        let (after, _) =
            retry(start(&api().get("events"), &RetryPolicy::within(secs(600))).on_response(response(), ZERO));
        assert!(after >= secs(60), "{retry_after:?}: {after:?}");
        // The default's minute is over by then.
        let done = done(start(&api().get("events"), &RetryPolicy::default()).on_response(response(), ZERO)).unwrap();
        assert_eq!(limited_wait(&done), None);
    }
}

#[test]
fn the_total_time_is_what_is_left_for_tries_and_waits() {
    let policy = RetryPolicy::within(secs(100));
    let attempt = start(&api().get("events"), &policy);
    assert_eq!(attempt.remaining(secs(30)), secs(70));
    let (after, next) = retry(attempt.on_response(answer(429, Some(40)), secs(50)));
    assert!(after >= secs(40) && after <= secs(45), "the try has half of the time that is left: {after:?}");
    assert_eq!(next.remaining(ZERO), secs(50).saturating_sub(after), "a clock that steps back gives no time back");
    assert_eq!(next.remaining(secs(500)), ZERO);
    let outcome = done(next.on_response(answer(429, Some(51)), ZERO)).unwrap();
    assert!(limited_wait(&outcome).is_some(), "less than 51 s are left, whatever the clock says now");
    assert_eq!(start(&api().get("events"), &RetryPolicy::none()).remaining(ZERO), Duration::MAX);
}

#[test]
fn an_empty_budget_stops_at_once_and_a_job_goes_on_slowly() {
    let empty = RetryBudget::with_reserve(0);
    let get = api().get("events");
    let quick = start(&get, &RetryPolicy::default().budget(empty.clone()));
    assert_eq!(done_error(quick.on_failure(Delivery::NotSent, "refused", ZERO)).tries(), 1);
    let refused = start(&get, &RetryPolicy::default().budget(empty.clone()));
    let _ = retry(refused.on_response(answer(429, Some(1)), ZERO));
    let job = start(&get, &RetryPolicy::within(secs(3600)).budget(empty));
    assert!(retry(job.on_failure(Delivery::NotSent, "refused", ZERO)).0 >= secs(60));
}

#[test]
fn refusals_by_the_rate_limit_cost_no_budget() {
    let policy = RetryPolicy::within(Duration::MAX).budget(RetryBudget::with_reserve(1));
    let mut attempt = start(&api().get("events"), &policy);
    for _ in 0..20 {
        attempt = retry(attempt.on_response(answer(429, Some(1)), ZERO)).1;
    }
    assert!(policy.budget.withdraw(), "what was there is still there");
}

#[test]
fn an_outage_is_met_with_a_tenth_more_calls_and_the_reserve() {
    let policy = RetryPolicy::default();
    let get = api().get("events");
    let mut sent = 0;
    for seed in 0..1_000 {
        let mut attempt = get.attempt(&policy.clone(), seed).unwrap();
        loop {
            sent += 1;
            match attempt.on_response::<_, ()>(answer(503, None), ZERO) {
                Step::Retry { next, .. } => attempt = next,
                Step::Done(_) => break,
            }
        }
    }
    assert!((1_100..=1_110).contains(&sent), "{sent} tries of 1000 calls");
}

#[test]
fn callers_that_are_told_the_same_wait_do_not_come_back_together() {
    let get = api().get("events");
    let mut wakes: Vec<_> = (0..50)
        .map(|seed| {
            let attempt = get.attempt(&RetryPolicy::default(), seed).unwrap();
            retry(attempt.on_response(answer(429, Some(1)), ZERO)).0.as_millis() / 20
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
            let mut attempt = api().get("events").attempt(&RetryPolicy::within(secs(360_000)), seed).unwrap();
            let mut after = ZERO;
            for _ in 0..refusals {
                (after, attempt) = retry(attempt.on_response(answer(429, Some(20)), ZERO));
            }
            after
        });
        waits.max().unwrap().as_secs()
    };
    for (refusals, windows) in [(1, 1), (2, 3), (3, 7), (4, 15), (6, 15)] {
        let (longest, most) = (longest(refusals), 20 + 20 * windows);
        assert!(longest <= most && longest > 20 + 18 * windows, "{refusals}: {longest} s of {most}");
    }
}

#[test]
fn an_api_without_a_pacer_never_waits_for_one() {
    let mut attempt = start(&api().get("events"), &RetryPolicy::default());
    assert!(matches!(attempt.pace::<()>(Instant::now(), ZERO), Ok(None)));
}

fn paced_api() -> Api {
    Api::builder(ApiKey::new("7|canary-canary").unwrap()).pacer(Pacer::new()).build()
}

fn limited(remaining: u32) -> Response<Bytes> {
    let mut response = answer(200, None);
    response.headers_mut().insert("x-ratelimit-limit", 2.into());
    response.headers_mut().insert("x-ratelimit-remaining", remaining.into());
    response
}

#[test]
fn a_paced_call_waits_its_turn_or_says_at_once_that_it_comes_too_late() {
    let api = paced_api();
    let now = Instant::now();
    let mut first = start(&api.get("events"), &RetryPolicy::default());
    assert_eq!(first.pace::<()>(now, ZERO).unwrap(), None);
    assert_eq!(first.pace::<()>(now, ZERO).unwrap(), None, "asked twice, it holds one permit");
    let mut second = start(&api.get("/events"), &RetryPolicy::default());
    let wait = second.pace::<()>(now, ZERO).unwrap().expect("the first shows the way");
    assert_eq!(second.remaining(ZERO), secs(60).saturating_sub(wait), "what is slept is gone, whatever the clock says");
    let mut other = start(&api.get("contacts"), &RetryPolicy::default());
    assert_eq!(other.pace::<()>(now, ZERO).unwrap(), None, "another endpoint");

    assert!(done(first.on_response(limited(1), ZERO)).unwrap().error().is_none());
    assert_eq!(second.pace::<()>(now, ZERO).unwrap(), None);
    // Refused, because somebody else took the last one: the wait is the pacer's, and its place is the first.
    let (after, mut second) = retry(second.on_response(answer(429, Some(30)), ZERO));
    assert!(after >= secs(30) && after < secs(61), "{after:?}");
    let mut late = start(&api.get("events"), &RetryPolicy::default().at_most(secs(10)));
    let error = late.pace::<()>(now, ZERO).unwrap_err();
    assert!(error.retry_after().unwrap() >= secs(30), "{error}");
    assert_eq!((error.delivery(), error.tries()), (Some(Delivery::NotSent), 0));
    assert_eq!(second.pace::<()>(now + after, after).unwrap(), None);
}

#[test]
fn nobody_is_turned_away_because_of_a_guess() {
    let api = paced_api();
    let now = Instant::now();
    let ask = |seed| api.get("events").attempt(&RetryPolicy::default(), seed).unwrap();
    let mut callers: Vec<_> = (0..1_000).map(ask).collect();
    for caller in &mut callers {
        assert!(caller.pace::<()>(now, ZERO).unwrap() <= Some(secs(1)));
    }
    // Then the limit shows, and those whose turn comes too late are told so.
    drop(done(callers.remove(0).on_response(answer(429, Some(30)), ZERO)));
    let late: Vec<_> = callers.iter_mut().map(|caller| caller.pace::<()>(now + secs(1), secs(1)).is_err()).collect();
    assert!(late[100..].iter().all(|late| *late));
}

#[test]
fn a_turn_that_leaves_no_time_for_the_try_is_too_late() {
    let (api, now) = (paced_api(), Instant::now());
    let call = api.get("events");
    let mut first = start(&call, &RetryPolicy::none());
    assert!(matches!(first.pace::<()>(now, Duration::ZERO), Ok(None)));
    limited_wait(&done(first.on_response(answer(429, Some(60)), Duration::ZERO)).unwrap());

    let turn = start(&call, &RetryPolicy::within(secs(1))).pace::<()>(now, Duration::ZERO).unwrap_err().retry_after();
    // Half a second would be left after the wait.
    let patient = RetryPolicy::within(turn.unwrap() + Duration::from_millis(500));
    let error = start(&call, &patient).pace::<()>(now, Duration::ZERO).unwrap_err();
    assert!(matches!(error, CallError::Paced { tries: 0, delivery: Delivery::NotSent, .. }), "{error:?}");
    let patient = RetryPolicy::within(turn.unwrap() + Duration::from_millis(1500));
    assert!(start(&call, &patient).pace::<()>(now, Duration::ZERO).unwrap().is_some());

    // Whoever slept for too long is not sent with no time left: a time-out would say that it may have arrived.
    let mut third = start(&call, &RetryPolicy::within(secs(600)));
    assert!(third.pace::<()>(now, Duration::ZERO).unwrap().is_some());
    let error = third.pace::<()>(now + secs(600), secs(600)).unwrap_err();
    assert!(matches!(error, CallError::Paced { delivery: Delivery::NotSent, .. }), "{error:?}");
}

#[test]
fn a_turn_later_than_the_longest_honoured_wait_is_not_waited_for() {
    let api = paced_api();
    let now = Instant::now();
    let mut first = start(&api.get("events"), &RetryPolicy::none());
    assert_eq!(first.pace::<()>(now, ZERO).unwrap(), None);
    drop(done(first.on_response(answer(429, Some(100)), ZERO)));
    let patient = RetryPolicy::default().total(secs(10_000));
    let turn = start(&api.get("events"), &patient).pace::<()>(now, ZERO).unwrap_err().retry_after().unwrap();
    let paced = |longest| start(&api.get("events"), &patient.clone().max_retry_after(longest)).pace::<()>(now, ZERO);
    assert!(paced(turn).is_ok());
    assert!(paced(turn.saturating_sub(Duration::from_millis(1))).is_err());
}

#[test]
fn a_pacers_turn_too_late_for_the_policy_is_a_rate_limited_answer_at_once() {
    let api = paced_api();
    let mut attempt = start(&api.get("events"), &RetryPolicy::default());
    assert_eq!(attempt.pace::<()>(Instant::now(), ZERO).unwrap(), None);
    let outcome = done(attempt.on_response(answer(429, Some(59)), secs(2))).unwrap();
    assert_eq!(limited_wait(&outcome), Some(secs(59)));
}

#[test]
fn a_second_try_that_the_pacer_refuses_tells_of_the_first() {
    let api = paced_api();
    let now = Instant::now();
    let mut attempt = start(&api.get("events"), &RetryPolicy::default());
    assert_eq!(attempt.pace::<()>(now, ZERO).unwrap(), None);
    let (_, mut again) = retry(attempt.on_failure(Delivery::Unknown, "reset", ZERO));
    let mut other = start(&api.get("events"), &RetryPolicy::default());
    assert_eq!(other.pace::<()>(now, ZERO).unwrap(), None);
    drop(done(other.on_response(answer(429, Some(900)), ZERO)));
    let error = again.pace::<()>(now, ZERO).unwrap_err();
    assert_eq!((error.delivery(), error.tries()), (Some(Delivery::Unknown), 1), "{error}");
}

#[test]
fn debug_shows_no_key_no_value_and_no_body() {
    let call = paced_api().post("contacts/{id}").segment("canary").query("canary", "canary").body("canary");
    let mut attempt = start(&call, &RetryPolicy::default());
    assert_eq!(attempt.pace::<()>(Instant::now(), ZERO).unwrap(), None);
    let request = attempt.request();
    assert!(request.uri().to_string().contains("canary") && !request.headers()["authorization"].is_empty());
    let shown = format!("{attempt:?} {attempt:#?}");
    assert!(shown.contains("contacts/{id}") && !shown.contains("canary"), "{shown}");
    let own = http::Request::get("https://app.cometly.com/canary?canary").body(Bytes::from("canary")).unwrap();
    let own = Attempt::from_request(api().authorize(own).unwrap(), &api(), &RetryPolicy::default(), 1);
    assert!(!format!("{own:?}").contains("canary"));
    let step: Answered = own.on_response(answer(429, Some(1)), ZERO);
    let shown = format!("{step:?}");
    assert!(shown.starts_with("Retry { after: 1.") && shown.contains("Attempt { api: Api {"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn an_attempt_is_one_pointer_wide() {
    assert_eq!(size_of::<Attempt>(), size_of::<usize>());
}
