//! What is sent again, when, and with which key; and what never is.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use cometly_core::{Api, ApiError, ApiKey, AuthOutcome, CallErrorKind, Delivery, RetryBudget, RetryPolicy};

use crate::{
    Arrivals, BoxError, Case, CaseResult, Scenario, Settings,
    canary::Canary,
    cases::{cases, dying, get_and_post},
    fault_server::{Answer, ClosedPort, FaultServer, Received, Script, ServerCertificate},
    scenario::assert_success,
    scenario::{NotSupported, attempts},
};

pub(super) const CASES: &[Case] = cases![
    a_429_without_a_wait_counts_as_a_window,
    a_wait_of_zero_is_no_busy_loop,
    a_wait_that_cannot_be_read_counts_as_a_window,
    a_wait_until_a_date_is_waited_for,
    a_wait_of_an_hour_ends_the_call_at_once,
    a_wait_beyond_the_deadline_ends_the_call_at_once,
    endless_429s_end_with_the_attempts,
    endless_429s_end_within_the_time_of_a_job,
    a_429_is_sent_again_as_soon_as_the_server_says,
    a_flapping_server_is_asked_again_by_a_get_and_not_by_a_post,
    a_job_outlasts_a_503_that_names_its_wait,
    an_empty_budget_sends_nothing_again,
    a_refusal_that_a_retry_cannot_change_is_sent_once,
    a_post_that_may_have_arrived_is_sent_again_only_if_it_is_marked,
    a_refused_connection_is_tried_again_by_any_method,
    a_certificate_that_is_not_trusted_is_not_asked_again,
    a_future_dropped_while_it_waits_sends_nothing_more,
    an_attempt_without_an_answer_is_repeated_for_a_get,
    a_key_rotated_during_the_wait_is_the_next_tries,
    an_authorized_request_is_sent_again_with_the_key_of_that_time,
];

const LIMITED: &str = r#"{"message":"Too Many Attempts."}"#;

/// Waits short enough for a test.
fn quick() -> RetryPolicy {
    RetryPolicy::default().initial_backoff(Duration::from_millis(20))
}

fn limited(headers: &[(&str, &str)]) -> Answer {
    Answer::whole(429, &[&[("x-ratelimit-limit", "7"), ("x-ratelimit-remaining", "0")], headers].concat(), LIMITED)
}

fn unavailable() -> Answer {
    Answer::html(503, "<title>503</title>")
}

/// A GET and a POST, each refused once with these headers and then let through: how long that took at least.
fn refused_once(scenario: &Scenario<'_>, headers: &[(&str, &str)]) -> Result<(Duration, Arrivals), BoxError> {
    let (refusal, accepted) = (limited(headers), Answer::json(200, "{}"));
    let server = scenario
        .serve(Script::by(move |number, _| if number % 2 == 0 { refusal.clone() } else { accepted.clone() }))?;
    let client = scenario.connect(&Settings::default().retry_policy(quick()))?;
    let mut least = Duration::MAX;
    for call in get_and_post(scenario, &server)? {
        let begun = Instant::now();
        let outcome = scenario.send(&*client, call)?;
        least = least.min(begun.elapsed());
        assert_success(&outcome);
        assert_eq!(attempts(&outcome), 2, "the number of attempts");
    }
    Ok((least, Arrivals::of(&server)))
}

/// A 429 that tells no wait, or none that can be read, counts as a window of a minute: more than the time of these calls.
fn counts_as_a_window(scenario: &Scenario<'_>, headers: &[(&str, &str)]) -> CaseResult {
    let server = scenario.serve(Script::always(limited(headers)))?;
    let client = scenario.connect(&Settings::default().retry_policy(quick()))?;
    let begun = Instant::now();
    for call in get_and_post(scenario, &server)? {
        let outcome = scenario.send(&*client, call)?;
        assert!(matches!(outcome, AuthOutcome::RateLimited(_)), "the refusal by the rate limit is returned: {outcome}");
        assert_eq!(
            (outcome.error().and_then(ApiError::retry_after), attempts(&outcome)),
            (None, 1),
            "no wait is known, and one attempt was made"
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "it waited first");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 39.
fn a_429_without_a_wait_counts_as_a_window(scenario: &Scenario<'_>) -> CaseResult {
    counts_as_a_window(scenario, &[])
}

/// `docs/faults.md` 40.
fn a_wait_of_zero_is_no_busy_loop(scenario: &Scenario<'_>) -> CaseResult {
    let (least, arrivals) = refused_once(scenario, &[("retry-after", "0")])?;
    assert!(least >= Duration::from_millis(20), "the pause before the second attempt: {least:?}");
    Ok(arrivals)
}

/// `docs/faults.md` 41.
fn a_wait_that_cannot_be_read_counts_as_a_window(scenario: &Scenario<'_>) -> CaseResult {
    counts_as_a_window(scenario, &[("retry-after", "-3600"), ("retry-after", "soon")])
}

/// `docs/faults.md` 42.
fn a_wait_until_a_date_is_waited_for(scenario: &Scenario<'_>) -> CaseResult {
    let dates = [("date", "Tue, 24 Nov 2026 10:00:00 GMT"), ("retry-after", "Tue, 24 Nov 2026 10:00:01 GMT")];
    let (least, arrivals) = refused_once(scenario, &dates)?;
    assert!(least >= Duration::from_secs(1), "the pause before the second attempt: {least:?}");
    Ok(arrivals)
}

fn told_at_once(scenario: &Scenario<'_>, seconds: u64, settings: &Settings) -> CaseResult {
    let server = scenario.serve(Script::always(limited(&[("retry-after", &seconds.to_string())])))?;
    let client = scenario.connect(settings)?;
    let begun = Instant::now();
    for call in get_and_post(scenario, &server)? {
        let outcome = scenario.send(&*client, call)?;
        assert!(matches!(outcome, AuthOutcome::RateLimited(_)), "the refusal by the rate limit is returned: {outcome}");
        assert_eq!(
            (outcome.error().and_then(ApiError::retry_after), attempts(&outcome)),
            (Some(Duration::from_secs(seconds)), 1),
            "the wait that the answer says, after one attempt"
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(seconds), "it waited first");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 43.
fn a_wait_of_an_hour_ends_the_call_at_once(scenario: &Scenario<'_>) -> CaseResult {
    told_at_once(scenario, 3600, &Settings::default().retry_policy(quick()))
}

/// `docs/faults.md` 43.
fn a_wait_beyond_the_deadline_ends_the_call_at_once(scenario: &Scenario<'_>) -> CaseResult {
    let patient = RetryPolicy::within(Duration::from_secs(86400));
    told_at_once(scenario, 30, &Settings::default().retry_policy(patient).deadline(Duration::from_secs(15)))
}

/// `docs/faults.md` 47.
fn endless_429s_end_with_the_attempts(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(limited(&[("retry-after", "0")])))?;
    let client = scenario.connect(&Settings::default().retry_policy(quick()))?;
    for call in get_and_post(scenario, &server)? {
        let outcome = scenario.send(&*client, call)?;
        assert!(
            matches!(outcome, AuthOutcome::RateLimited(_)) && attempts(&outcome) == 3,
            "refused after three attempts: {outcome:?}"
        );
        assert!(outcome.to_string().contains("3 attempts"), "the error says how many attempts were made: {outcome}");
    }
    assert_eq!(server.arrivals(), 6, "the number of requests that arrived");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 47.
fn endless_429s_end_within_the_time_of_a_job(scenario: &Scenario<'_>) -> CaseResult {
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&arrived);
    let server = scenario.serve(Script::by(move |_, _| {
        noted.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        limited(&[("retry-after", "1")])
    }))?;
    let client = scenario.connect(&Settings::default().retry_policy(RetryPolicy::within(Duration::from_secs(5))))?;
    let begun = Instant::now();
    let outcome = scenario.send(&*client, scenario.api(&server.base_url())?.post("events/track").json("x"))?;
    assert!(matches!(outcome, AuthOutcome::RateLimited(_)), "the refusal by the rate limit is returned: {outcome}");
    assert!(begun.elapsed() < Duration::from_secs(15), "how long the call took: {:?}", begun.elapsed());
    let arrived = arrived.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(arrived.len() >= 2, "there was time for more than one attempt");
    let is_early = |pair: &[Instant]| matches!(pair, [one, next] if next.duration_since(*one) < Duration::from_secs(1));
    assert!(!arrived.windows(2).any(is_early), "earlier than the server said: {arrived:?}");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 47.
fn a_429_is_sent_again_as_soon_as_the_server_says(scenario: &Scenario<'_>) -> CaseResult {
    let (least, arrivals) = refused_once(scenario, &[("retry-after", "1")])?;
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(10)).contains(&least),
        "the pause before the second attempt: {least:?}"
    );
    Ok(arrivals)
}

/// `docs/faults.md` 48.
fn a_flapping_server_is_asked_again_by_a_get_and_not_by_a_post(scenario: &Scenario<'_>) -> CaseResult {
    let flapping =
        || Script::sequence([unavailable(), Answer::html(502, "<title>502</title>"), Answer::json(200, "{}")]);
    let client = scenario.connect(&Settings::default().retry_policy(quick()))?;
    let server = scenario.serve(flapping())?;
    let [get, _] = get_and_post(scenario, &server)?;
    assert_success(&scenario.send(&*client, get)?);
    let again = scenario.serve(flapping())?;
    let [_, post] = get_and_post(scenario, &again)?;
    assert!(
        matches!(scenario.send(&*client, post)?, AuthOutcome::ServerError(_)),
        "the refusal of the server is returned"
    );
    assert_eq!(
        (server.arrivals(), again.arrivals()),
        (3, 1),
        "requests that arrived: the GET three times, the POST once"
    );
    Ok(Arrivals::counted(4))
}

/// `docs/faults.md` 48.
fn a_job_outlasts_a_503_that_names_its_wait(scenario: &Scenario<'_>) -> CaseResult {
    let maintenance = Answer::whole(503, &[("retry-after", "1")], r#"{"message":"Service Unavailable"}"#);
    let server = scenario.serve(Script::sequence([maintenance, Answer::json(200, "{}")]))?;
    let client = scenario.connect(
        &Settings::default()
            .retry_policy(RetryPolicy::within(Duration::from_secs(30)).max_backoff(Duration::from_millis(50))),
    )?;
    let begun = Instant::now();
    assert_success(&scenario.send(&*client, scenario.api(&server.base_url())?.get("events"))?);
    assert!(begun.elapsed() >= Duration::from_secs(1), "the wait that the answer says was not kept");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 50.
fn an_empty_budget_sends_nothing_again(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(unavailable()))?;
    let policy = quick().budget(RetryBudget::with_reserve(0));
    let client = scenario.connect(&Settings::default().retry_policy(policy))?;
    assert!(
        matches!(
            scenario.send(&*client, scenario.api(&server.base_url())?.get("events"))?,
            AuthOutcome::ServerError(_)
        ),
        "the refusal of the server is returned"
    );
    assert_eq!(server.arrivals(), 1, "the number of requests that arrived");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 51.
fn a_refusal_that_a_retry_cannot_change_is_sent_once(scenario: &Scenario<'_>) -> CaseResult {
    let answers = [
        Answer::json(401, r#"{"message":"Unauthenticated."}"#),
        Answer::json(403, r#"{"message":"Invalid ability provided."}"#),
        Answer::json(404, r#"{"message":"Not found."}"#),
        Answer::json(422, r#"{"message":"Invalid.","errors":{}}"#),
        Answer::json(500, r#"{"message":"Server Error"}"#),
        Answer::redirect(302, "/login"),
        Answer::whole(202, &[("x-amzn-waf-action", "challenge")], ""),
        Answer::whole(503, &[("cf-mitigated", "challenge")], "<title>Just a moment</title>"),
        Answer::html(200, "<title>Log in</title>"),
    ];
    let count = answers.len();
    let server = scenario.serve(Script::sequence(answers))?;
    let (api, client) =
        (scenario.api(&server.base_url())?, scenario.connect(&Settings::default().retry_policy(quick()))?);
    for number in 1..=count {
        let outcome = scenario.send(&*client, api.get("events"))?;
        assert!(outcome.error().is_some() && attempts(&outcome) == 1, "a refusal after one attempt: {outcome:?}");
        assert_eq!(server.arrivals(), number, "the number of requests that arrived: {outcome}");
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 52.
fn a_post_that_may_have_arrived_is_sent_again_only_if_it_is_marked(scenario: &Scenario<'_>) -> CaseResult {
    let settings = Settings::default().retry_policy(quick());
    let server = scenario.serve(dying())?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&settings)?);
    for _ in 0..3 {
        assert_success(&scenario.send(&*client, api.post("events/track").json("first"))?);
        let error =
            scenario.send(&*client, api.post("events/track").json("second")).err().ok_or("nothing was answered")?;
        assert_eq!(
            (error.delivery(), error.attempts()),
            (Some(Delivery::Unknown), 1),
            "what is said of the delivery, and the number of attempts: {error:?}"
        );
    }
    assert_eq!(server.arrivals(), 6, "the number of requests that arrived");

    let marked = scenario.serve(dying())?;
    let api = scenario.api(&marked.base_url())?;
    let event = serde_json::json!({"event_name": "purchase"});
    for tries in [1, 2, 2] {
        let call = api.post("events/track").idempotency_key("order-7").json(&event);
        let outcome = scenario.send(&*client, call)?;
        assert!(
            outcome.error().is_none() && attempts(&outcome) == tries,
            "a success after as many attempts as connections died: {outcome:?}"
        );
    }
    let bodies: Vec<_> = marked.requests().into_iter().map(|request| request.body).collect();
    assert!(bodies.windows(2).all(|pair| matches!(pair, [one, next] if one == next)), "each is the same event");
    Ok(Arrivals::counted(server.arrivals().saturating_add(marked.arrivals())))
}

/// `docs/faults.md` 53.
fn a_refused_connection_is_tried_again_by_any_method(scenario: &Scenario<'_>) -> CaseResult {
    let closed = ClosedPort::bind()?;
    let (api, client) =
        (scenario.api(&closed.base_url())?, scenario.connect(&Settings::default().retry_policy(quick()))?);
    for call in [api.get("events"), api.post("events/track").json("x")] {
        let error = scenario.send(&*client, call).err().ok_or("the port is closed")?;
        assert_eq!(
            (error.delivery(), error.attempts()),
            (Some(Delivery::NotSent), 3),
            "what is said of the delivery, and the number of attempts: {error:?}"
        );
    }
    Ok(Arrivals::counted(0))
}

/// `docs/faults.md` 54.
fn a_certificate_that_is_not_trusted_is_not_asked_again(scenario: &Scenario<'_>) -> CaseResult {
    let certificate = ServerCertificate::self_signed(&["127.0.0.1"])?;
    let server = scenario.serve_tls(&certificate, Script::always(Answer::json(200, "{}")))?;
    let client = scenario.connect(&Settings::default().retry_policy(quick()))?;
    let error =
        scenario.send(&*client, scenario.api(&server.base_url())?.get("events")).err().ok_or("it was trusted")?;
    assert_eq!(
        (error.delivery(), error.attempts()),
        (Some(Delivery::Untrusted), 1),
        "what is said of the delivery, and the number of attempts: {error:?}"
    );
    assert_eq!(server.connections(), 1, "the number of connections that were made");
    Ok(Arrivals::counted(0))
}

/// `docs/faults.md` 60.
fn a_future_dropped_while_it_waits_sends_nothing_more(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(limited(&[("retry-after", "1")])))?;
    let client = scenario.connect(&Settings::default().retry_policy(quick()))?;
    let call = scenario.api(&server.base_url())?.post("events/track").json("x");
    if !client.send_and_drop(call, Duration::from_millis(500)) {
        return Err(NotSupported.into());
    }
    scenario.count_given_up();
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(server.arrivals(), 1, "the number of requests that arrived");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 61.
fn an_attempt_without_an_answer_is_repeated_for_a_get(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::silence()))?;
    let mut settings = Settings::default().retry_policy(quick());
    settings.limits.attempt_timeout = Some(Duration::from_millis(400));
    let client = scenario.connect(&settings)?;
    for (call, tries) in get_and_post(scenario, &server)?.into_iter().zip([3, 1]) {
        match scenario.send(&*client, call) {
            Err(error) if error.kind() == CallErrorKind::Timeout && error.delivery() == Some(Delivery::Unknown) => {
                assert_eq!(error.attempts(), tries, "the number of attempts");
            }
            other => return Err(format!("expected a time-out, got {other:?}").into()),
        }
    }
    let arrived: Vec<_> = server.requests().iter().map(Received::request_line).collect();
    assert_eq!(server.arrivals(), 4, "the number of requests that arrived: {arrived:?}");
    Ok(Arrivals::of(&server))
}

fn a_key_rotated_during_the_wait_is_the_next_tries(scenario: &Scenario<'_>) -> CaseResult {
    let (server, api) = rotating(scenario)?;
    let client = scenario.connect(&Settings::default().retry_policy(quick()))?;
    let outcome = scenario.send(&*client, api.post("events/track").json("x"))?;
    assert_success(&outcome);
    assert_eq!(server.arrivals(), 2, "the number of requests that arrived");
    Ok(Arrivals::of(&server))
}

fn an_authorized_request_is_sent_again_with_the_key_of_that_time(scenario: &Scenario<'_>) -> CaseResult {
    let (server, api) = rotating(scenario)?;
    let client = scenario.connect(&Settings::default().retry_policy(quick()))?;
    let request = http::Request::get(format!("{}/events", server.base_url())).body(bytes::Bytes::new())?;
    let outcome = scenario.send_request(&*client, api.authorize(request)?, &api)?;
    assert_success(&outcome);
    assert_eq!(server.arrivals(), 2, "the number of requests that arrived");
    Ok(Arrivals::of(&server))
}

/// A server that refuses the first key by its limit, and an API whose key is another one by the time it has answered.
fn rotating(scenario: &Scenario<'_>) -> Result<(FaultServer, Api), BoxError> {
    let next = Canary::new();
    let expected = [scenario.secret().to_owned(), next.secret().to_owned()].map(|key| format!("Bearer {key}"));
    let rotated: Arc<Mutex<Option<Api>>> = Arc::default();
    let shared = Arc::clone(&rotated);
    let server = scenario.serve(Script::by(move |number, request| {
        let is_expected = expected.get(number).is_some_and(|key| request.header("authorization") == [key.clone()]);
        let api = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (number, is_expected, api.zip(ApiKey::new(next.secret()).ok())) {
            (0, true, Some((api, key))) => {
                api.rotate(key);
                limited(&[("retry-after", "0")])
            }
            (1, true, _) => Answer::json(200, "{}"),
            _ => Answer::json(401, r#"{"message":"Unauthenticated."}"#),
        }
    }))?;
    let api = scenario.api(&server.base_url())?;
    *rotated.lock().unwrap_or_else(PoisonError::into_inner) = Some(api.clone());
    Ok((server, api))
}
