//! Time: one deadline for the whole call, whatever the server does.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cometly_core::{Call, CallError, CallErrorKind, Delivery, ReachedLimit};

use crate::{
    Arrivals, BoxError, Case, CaseResult, Proxy, Scenario, Settings, Source, Transport,
    cases::{cases, slow_reader, wait_for_bytes},
    fault_server::{Act, Answer, Script},
    scenario::assert_success,
};

pub(super) const CASES: &[Case] = cases![
    no_answer_ends_at_the_deadline,
    a_slow_head_ends_at_the_deadline,
    a_slow_body_ends_at_the_deadline,
    a_server_that_stops_reading_ends_at_the_deadline,
    a_connection_that_is_never_made_ends_at_its_own_time_out,
    an_upload_that_crawls_ends_at_the_deadline,
    a_proxy_that_answers_byte_by_byte_ends_at_the_time_out_for_connecting,
    a_time_out_without_end_is_taken_as_one,
];

const DEADLINE: Duration = Duration::from_millis(800);
/// The machines are noisy: this tells a deadline that holds from one that does not, and no more.
const AT_MOST: Duration = Duration::from_secs(10);

fn ends_at_the_deadline(scenario: &Scenario<'_>, client: &dyn Transport, call: Call) -> Result<(), BoxError> {
    let begun = Instant::now();
    let sent = scenario.send(client, call);
    let took = begun.elapsed();
    match sent {
        Err(error) if error.kind() == CallErrorKind::Timeout && error.delivery() == Some(Delivery::Unknown) => {}
        other => return Err(format!("expected a time-out, got {other:?} after {took:?}").into()),
    }
    assert!(took < AT_MOST && took >= Duration::from_millis(400), "it took {took:?}");
    Ok(())
}

fn slow(text: &'static [u8]) -> Act {
    Act::Repeat { bytes: Bytes::from_static(text), every: Duration::from_millis(100), times: 300 }
}

fn run(scenario: &Scenario<'_>, answer: Answer) -> CaseResult {
    let server = scenario.serve(Script::always(answer))?;
    let api = scenario.api(&server.base_url())?;
    let client = scenario.connect(&Settings::default().deadline(DEADLINE))?;
    ends_at_the_deadline(scenario, &*client, api.get("events"))?;
    ends_at_the_deadline(scenario, &*client, api.post("events/track").json("x"))?;
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 61.
fn no_answer_ends_at_the_deadline(scenario: &Scenario<'_>) -> CaseResult {
    run(scenario, Answer::silence())
}

/// `docs/faults.md` 62.
fn a_slow_head_ends_at_the_deadline(scenario: &Scenario<'_>) -> CaseResult {
    run(scenario, Answer::raw("HTTP/1.1 200 OK\r\nX: ").then(slow(b"x")))
}

/// `docs/faults.md` 62.
fn a_slow_body_ends_at_the_deadline(scenario: &Scenario<'_>) -> CaseResult {
    run(scenario, Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{").then(slow(b" ")))
}

/// `docs/faults.md` 63.
fn a_server_that_stops_reading_ends_at_the_deadline(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::new(vec![Act::Pause(AT_MOST)]).before_body()))?;
    let api = scenario.api(&server.base_url())?;
    let client = scenario.connect(&Settings::default().deadline(DEADLINE))?;
    let body = Bytes::from(vec![b'7'; 32 << 20]);
    ends_at_the_deadline(scenario, &*client, api.post("events/track").body(body))?;
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 151.
fn a_connection_that_is_never_made_ends_at_its_own_time_out(scenario: &Scenario<'_>) -> CaseResult {
    // To a client that wants TLS, a server that says nothing is one that it has not connected to yet.
    let server = scenario.serve(Script::always(Answer::silence()))?;
    let base_url = server.base_url().replace("http://", "https://");
    let mut settings = Settings::default();
    settings.limits.connect_timeout = DEADLINE;
    let client = scenario.connect(&settings)?;
    let begun = Instant::now();
    let sent = scenario.send(&*client, scenario.api(&base_url)?.post("events/track").json("x"));
    let Err(error) = sent else { return Err(format!("a time-out is expected: {sent:?}").into()) };
    assert_eq!((error.kind(), error.delivery()), (CallErrorKind::Timeout, Some(Delivery::NotSent)), "{error}");
    // A stack that connects with a time-out of its own does not say how long that is.
    let is_known = |limit: Option<Duration>| limit.is_none_or(|limit| limit == DEADLINE);
    assert!(matches!(error.limit(), Some(ReachedLimit::ConnectTimeout(limit)) if is_known(limit)), "{error}");
    assert!(begun.elapsed() < AT_MOST, "it took {:?}", begun.elapsed());
    assert_eq!(server.arrivals(), 0, "the number of requests that arrived");
    Ok(Arrivals::checked_by_the_case())
}

fn an_upload_that_crawls_ends_at_the_deadline(scenario: &Scenario<'_>) -> CaseResult {
    // Each write makes some progress, and would have its whole time-out again.
    let (server, _) = slow_reader(scenario, 16 * 1024, Duration::from_millis(300))?;
    let client = scenario.connect(&Settings::default().deadline(Duration::from_secs(2)))?;
    let body = Bytes::from(vec![b'7'; 8 << 20]);
    let begun = Instant::now();
    let sent = scenario.send(&*client, scenario.api(&server.base_url("http"))?.post("events/track").body(body));
    let took = begun.elapsed();
    let is_late = |error: &CallError<Source>| {
        error.kind() == CallErrorKind::Timeout && error.delivery() == Some(Delivery::Unknown)
    };
    assert!(sent.as_ref().is_err_and(is_late), "an upload that is late is a time-out: {sent:?}");
    assert!(took < Duration::from_millis(3_200), "it took {took:?}");
    Ok(Arrivals::checked_by_the_case())
}

fn a_proxy_that_answers_byte_by_byte_ends_at_the_time_out_for_connecting(scenario: &Scenario<'_>) -> CaseResult {
    let proxy = scenario.serve_raw(|mut stream, _| {
        wait_for_bytes(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(100));
            stream.write_all(b"x")?;
        }
        Ok(())
    })?;
    let settings =
        Settings::default().connect_timeout(DEADLINE).proxy(Proxy::Named(format!("http://{}", proxy.address())));
    let client = scenario.connect(&settings)?;
    let begun = Instant::now();
    let sent = scenario.send(&*client, scenario.api("https://127.0.0.1:1/v1")?.post("events/track").json("x"));
    let took = begun.elapsed();
    let is_late = |error: &CallError<Source>| matches!(error.limit(), Some(ReachedLimit::ConnectTimeout(_)));
    assert!(sent.as_ref().is_err_and(is_late), "a time-out of connecting is expected: {sent:?}");
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    Ok(Arrivals::checked_by_the_case())
}

fn a_time_out_without_end_is_taken_as_one(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let mut settings = Settings::default().deadline(Duration::MAX);
    settings.limits.attempt_timeout = Some(Duration::MAX);
    settings.limits.connect_timeout = Duration::MAX;
    let client = scenario.connect(&settings)?;
    assert_success(&scenario.send(&*client, scenario.api(&server.base_url())?.get("events"))?);
    Ok(Arrivals::of(&server))
}
