//! Bodies that a client reads in pieces: a refusal is read as in any answer, and a body that breaks off is an error.

use std::{
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cometly_core::{ApiErrorKind, CallErrorKind, Delivery, UnexpectedCause};

use crate::scenario::{assert_delivery, assert_success, key_status, kind};
use crate::{
    Arrivals, Case, CaseResult, Gap, Scenario, Sent, Settings,
    cases::{
        cases,
        framing::{self, BROKEN_ENDS, serve_broken_ends},
    },
    fault_server::{Act, Answer, Script},
    scenario::NotSupported,
    wait_until,
};

pub(super) const CASES: &[Case] = cases![
    a_streamed_body_that_falls_silent_ends_at_its_idle_time_out,
    a_streamed_answer_has_the_limits_of_any_head,
    a_streamed_answer_behind_a_redirect_is_never_a_success,
    a_streamed_body_that_is_slow_has_no_time_out_of_its_own,
    a_streamed_body_that_is_compressed_is_no_success,
    a_streamed_body_that_ends_by_a_break_is_never_taken_for_whole,
    a_streamed_body_that_is_cut_is_never_taken_for_whole,
    a_streamed_body_ends_at_its_length_whatever_comes_behind_it,
    a_streamed_body_is_cut_at_the_cap,
    a_refusal_is_the_same_streamed_or_not,
    a_refusal_that_is_slow_or_large_has_the_limits_of_any_answer,
    a_refusal_that_is_slow_or_large_has_these_limits_on_a_users_client,
    a_streamed_call_is_the_same_request_as_any,
    a_streamed_call_of_a_users_client_is_the_same_request_as_any,
    a_streamed_body_that_is_dropped_closes_its_connection,
];

const ALL: usize = usize::MAX;
const CAP: usize = 64 * 1024;
/// Tells a time-out that holds from one that does not, on a machine that is busy.
const AT_MOST: Duration = Duration::from_secs(10);
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
/// The same, with the first byte of a list.
const CHUNKED_LIST: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n";

fn kind_and_delivery(sent: &Sent) -> Option<(CallErrorKind, Option<Delivery>)> {
    sent.as_ref().err().map(|error| (error.kind(), error.delivery()))
}

fn assert_cut(sent: &Sent, what: &str) {
    assert_eq!(kind_and_delivery(sent), Some((CallErrorKind::Transport, Some(Delivery::Unknown))), "{what}: {sent:?}");
}

/// 4 KiB of a body, again and again.
fn endless_chunks() -> Act {
    let chunk = format!("1000\r\n{}\r\n", "1".repeat(0x1000));
    Act::Repeat { bytes: chunk.into(), every: Duration::from_millis(1), times: 100_000 }
}

/// `docs/faults.md` 129.
fn a_streamed_body_that_falls_silent_ends_at_its_idle_time_out(scenario: &Scenario<'_>) -> CaseResult {
    const IDLE: Duration = Duration::from_millis(800);
    /// libcurl's own guard against a body that was dropped would end it, some seconds later.
    const AT_MOST: Duration = Duration::from_secs(5);
    /// How many of the answers are silent from then on.
    const SILENT: usize = 4;
    let silent = |head: &'static str| Answer::raw(head).then(Act::Hold(Duration::from_secs(30)));
    let zeros = Act::Repeat { bytes: Bytes::from_static(b"0"), every: Duration::from_millis(20), times: 1_500 };
    let trailers =
        Act::Repeat { bytes: Bytes::from_static(b"X: y\r\n"), every: Duration::from_millis(20), times: 1_500 };
    let digits = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"data\":[\r\n";
    let answers = || {
        [
            silent("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"data\":["),
            silent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"data\":[\r\n"),
            silent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n90\r\n{\"data\":["),
            silent("HTTP/1.1 200 OK\r\n\r\n{\"data\":["),
            // Something comes all the time, and none of it is of the body.
            Answer::raw(digits).then(zeros.clone()),
            Answer::raw(format!("{digits}0\r\n")).then(trailers.clone()),
        ]
    };
    let server = scenario.serve(Script::sequence(answers()))?;
    let (api, client) =
        (scenario.api(&server.base_url())?, scenario.connect(&Settings::default().attempt_timeout(IDLE))?);
    for (number, answer) in answers().into_iter().enumerate() {
        let begun = Instant::now();
        let (sent, body) = scenario.stream(&*client, api.get("events"), ALL)?;
        let took = begun.elapsed();
        let (kind, delivery) = kind_and_delivery(&sent).ok_or("it has no end, and was taken for whole")?;
        // What is no chunk's size may be refused before the time is over.
        let may_be_refused = number >= SILENT && kind == CallErrorKind::Transport;
        assert!(kind == CallErrorKind::Timeout || may_be_refused, "{answer:?}: {sent:?}");
        assert!(delivery == Some(Delivery::Unknown) && body == "{\"data\":[", "{answer:?}: {sent:?}");
        assert!(
            took < AT_MOST && (took >= Duration::from_millis(400) || may_be_refused),
            "{answer:?}: it took {took:?}"
        );
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 130.
fn a_streamed_body_that_is_slow_has_no_time_out_of_its_own(scenario: &Scenario<'_>) -> CaseResult {
    const IDLE: Duration = Duration::from_secs(1);
    let blank = Act::Repeat { bytes: Bytes::from_static(b" "), every: Duration::from_millis(20), times: 75 };
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n{";
    let server = scenario.serve(Script::always(Answer::raw(head).then(blank).then(Act::Write("}".into()))))?;
    let settings = Settings::default().attempt_timeout(IDLE).deadline(IDLE);
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&settings)?);
    let begun = Instant::now();
    let (sent, body) = scenario.stream(&*client, api.get("events"), ALL)?;
    assert_success(&sent?);
    assert_eq!(body.len(), 77, "the bytes that were read before the body broke off");
    assert!(begun.elapsed() > IDLE, "the server is too fast: {:?}", begun.elapsed());
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 71.
fn a_streamed_answer_has_the_limits_of_any_head(scenario: &Scenario<'_>) -> CaseResult {
    let head = |lines: &str| Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{lines}\r\n{{}}"));
    let long = format!("X-Long: {}\r\n", "v".repeat(15_000));
    let server = scenario.serve(Script::sequence([
        head(&"X-Line: 1\r\n".repeat(99)),
        head(&"X-Line: 1\r\n".repeat(100)),
        head(&long.repeat(5)),
    ]))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    assert_success(&scenario.stream(&*client, api.get("events"), ALL)?.0?);
    for _ in 0..2 {
        let (sent, _) = scenario.stream(&*client, api.get("events"), ALL)?;
        assert_eq!(
            kind_and_delivery(&sent),
            Some((CallErrorKind::TooLarge, Some(Delivery::Unknown))),
            "the kind of the error, and what it says of the delivery: {sent:?}"
        );
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 18.
fn a_streamed_answer_behind_a_redirect_is_never_a_success(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::by(|_, request| {
        let is_followed = request.request_line().contains("/elsewhere");
        if is_followed { Answer::json(200, "{}") } else { Answer::redirect(302, "/elsewhere") }
    }))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&Settings::default().users_client())?);
    let (sent, body) = scenario.stream(&*client, api.get("events"), ALL)?;
    let outcome = sent?;
    assert_eq!(
        kind(&outcome),
        Some(ApiErrorKind::Unexpected(UnexpectedCause::Redirect)),
        "a redirect is an unexpected answer, and not followed: {outcome}"
    );
    assert!(body.is_empty(), "no byte of such a body is given out");
    // What is followed arrives a second time.
    Ok(Arrivals::checked_by_the_case())
}

/// `docs/faults.md` 70.
fn a_streamed_body_that_is_compressed_is_no_success(scenario: &Scenario<'_>) -> CaseResult {
    let encodings = ["gzip", "deflate", "br", "zstd", "gzip, gzip", "unheard-of"];
    let server = scenario.serve(Script::by(move |number, _| match encodings.get(number) {
        Some(encoding) => framing::packed(encoding, b"not packed at all"),
        // Valid gzip exposes a client that decompresses silently.
        None if number == encodings.len() => framing::packed("gzip", framing::GZIP),
        None => framing::packed("identity", b"{}"),
    }))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for _ in 0..=encodings.len() {
        let (sent, body) = scenario.stream(&*client, api.get("events"), ALL)?;
        let outcome = sent?;
        assert_eq!(
            kind(&outcome),
            Some(ApiErrorKind::Unexpected(UnexpectedCause::Encoded)),
            "an answer that is encoded is unexpected, and not unpacked: {outcome}"
        );
        assert!(body.is_empty(), "no byte of such a body is given out");
    }
    let (sent, body) = scenario.stream(&*client, api.get("events"), ALL)?;
    assert!(sent?.error().is_none() && body == "{}", "the body of a success as it was sent");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 110.
fn a_streamed_body_that_ends_by_a_break_is_never_taken_for_whole(scenario: &Scenario<'_>) -> CaseResult {
    if scenario.has_gap(Gap::BrokenEnds) {
        return Err(NotSupported.into());
    }
    let [reset, cut] = serve_broken_ends(scenario)?;
    let client = scenario.client()?;
    for server in [&reset, &cut] {
        let api = scenario.api(&server.base_url())?;
        for answer in BROKEN_ENDS {
            let (sent, _) = scenario.stream(&*client, api.post("events/track").json("x"), ALL)?;
            assert_cut(&sent, answer);
        }
    }
    Ok(Arrivals::counted(reset.arrivals().saturating_add(cut.arrivals())))
}

/// `docs/faults.md` 68.
fn a_streamed_body_that_is_cut_is_never_taken_for_whole(scenario: &Scenario<'_>) -> CaseResult {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{\"data\":[1,2",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nxyz\r\n",
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 30\r\n",
        "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n",
        "HTTP/1.1 500 Error\r\nContent-Type: text/html\r\n",
    ];
    let server = scenario.serve(Script::by(move |number, _| {
        Answer::raw(answers.get(number).copied().unwrap_or_default()).then_close()
    }))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for answer in answers {
        let (sent, body) = scenario.stream(&*client, api.get("events"), ALL)?;
        assert_cut(&sent, answer);
        assert!(body.starts_with(b"{") || body.is_empty(), "{answer}: {body:?}");
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 65.
fn a_streamed_body_ends_at_its_length_whatever_comes_behind_it(scenario: &Scenario<'_>) -> CaseResult {
    const FORGED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"forged\":true}";
    let longer = format!("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{{\"n\":0}}]]]{FORGED}");
    let chunked = format!("{CHUNKED}7\r\n{{\"n\":0}}\r\n0\r\n\r\n{FORGED}");
    let client = scenario.client()?;
    let mut arrived = 0_usize;
    for answer in [longer, chunked] {
        let server = scenario.serve(Script::sequence([Answer::raw(answer), Answer::json(200, r#"{"n":1}"#)]))?;
        let api = scenario.api(&server.base_url())?;
        let (sent, body) = scenario.stream(&*client, api.get("events"), ALL)?;
        assert!(sent?.error().is_none() && body == r#"{"n":0}"#, "the body of a success as it was sent: {body:?}");
        thread::sleep(Duration::from_millis(100));
        let (sent, body) = scenario.stream(&*client, api.get("events"), ALL)?;
        match sent {
            Ok(_) => assert_eq!(body, r#"{"n":1}"#, "an answer that belongs to no call was taken"),
            Err(error) => assert_delivery(&error, Delivery::Unknown),
        }
        arrived = arrived.saturating_add(server.arrivals());
    }
    Ok(Arrivals::counted(arrived))
}

/// `docs/faults.md` 66.
fn a_streamed_body_is_cut_at_the_cap(scenario: &Scenario<'_>) -> CaseResult {
    let body = |len: usize| format!("[{}]", "1".repeat(len.saturating_sub(2)));
    let over = [
        Answer::json(200, &body(CAP.saturating_add(1))),
        Answer::raw(CHUNKED_LIST).then(endless_chunks()),
        Answer::raw("HTTP/1.1 200 OK\r\n\r\n[").then(endless_chunks()),
    ];
    let [first, second, third] = over;
    let server = scenario.serve(Script::sequence([Answer::json(200, &body(CAP)), first, second, third]))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&Settings::default().max_body_size(CAP))?);
    let (sent, read) = scenario.stream(&*client, api.get("events"), ALL)?;
    assert!(sent?.error().is_none() && read.len() == CAP, "the body as long as the cap is read whole");
    for _ in 0..3 {
        let (sent, read) = scenario.stream(&*client, api.get("events"), ALL)?;
        let error = sent.err().ok_or("a body over the cap was read whole")?;
        assert_eq!(
            (error.kind(), error.status().map(|status| status.as_u16())),
            (CallErrorKind::TooLarge, Some(200)),
            "the kind of the error, and the status of the answer"
        );
        assert!(!read.is_empty() && read.len() <= CAP, "{} bytes", read.len());
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 132.
fn a_refusal_is_the_same_streamed_or_not(scenario: &Scenario<'_>) -> CaseResult {
    let answers = || {
        [
            Answer::json(401, r#"{"message":"Unauthenticated."}"#),
            Answer::html(401, "<p>Please log in</p>"),
            Answer::json(403, r#"{"message":"Invalid ability provided."}"#),
            Answer::json(404, r#"{"message":"Not found."}"#),
            Answer::json(422, r#"{"message":"No.","errors":{"email":["bad"]}}"#),
            Answer::whole(429, &[("Retry-After", "7"), ("X-RateLimit-Limit", "5")], r#"{"message":"Too Many."}"#),
            Answer::json(500, r#"{"message":"Server Error"}"#),
            Answer::html(502, "<p>bad gateway</p>"),
            Answer::redirect(302, "/login"),
            Answer::whole(204, &[], ""),
            Answer::json(200, " \n "),
            Answer::html(200, "<html>maintenance</html>"),
            Answer::whole(200, &[("cf-mitigated", "challenge")], "{}"),
            // Its first piece could be the start of a success.
            Answer::raw("HTTP/1.1 422 Unprocessable\r\nContent-Length: 17\r\n\r\n{\"message\":")
                .then(Act::Pause(Duration::from_millis(50)))
                .then(Act::Write("\"No.\"".into()))
                .then(Act::Write("}".into())),
        ]
    };
    let server = scenario.serve(Script::by(move |number, _| {
        answers().into_iter().nth(number / 2).unwrap_or_else(|| Answer::json(200, "{}"))
    }))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for answer in answers() {
        let whole = scenario.send(&*client, api.get("events"))?;
        let (sent, body) = scenario.stream(&*client, api.get("events"), ALL)?;
        let streamed = sent?;
        assert!(kind(&whole).is_some() && body.is_empty(), "{answer:?} is no refusal");
        assert_eq!(
            (kind(&whole), key_status(&whole)),
            (kind(&streamed), key_status(&streamed)),
            "the same answer, whole and in pieces: {answer:?}"
        );
        let message = |outcome: &cometly_core::AuthOutcome<Bytes>| outcome.error().map(ToString::to_string);
        assert_eq!(message(&whole), message(&streamed), "the same message, whole and in pieces");
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 132.
fn a_refusal_that_is_slow_or_large_has_the_limits_of_any_answer(scenario: &Scenario<'_>) -> CaseResult {
    slow_or_large_refusals(scenario, Settings::default())
}

/// `docs/faults.md` 132.
fn a_refusal_that_is_slow_or_large_has_these_limits_on_a_users_client(scenario: &Scenario<'_>) -> CaseResult {
    slow_or_large_refusals(scenario, Settings::default().users_client())
}

fn slow_or_large_refusals(scenario: &Scenario<'_>, settings: Settings) -> CaseResult {
    let head = "HTTP/1.1 422 Unprocessable\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n";
    let drip = Act::Repeat { bytes: "1\r\n \r\n".into(), every: Duration::from_millis(20), times: 1_000 };
    let large = Answer::json(422, &format!("{{\"message\":\"{}\"}}", "1".repeat(CAP)));
    let server = scenario.serve(Script::sequence([Answer::raw(head).then(drip), large]))?;
    let api = scenario.api(&server.base_url())?;
    let client = scenario.connect(&settings.attempt_timeout(Duration::from_secs(2)).max_body_size(CAP))?;
    let begun = Instant::now();
    let (slow, _) = scenario.stream(&*client, api.get("events"), ALL)?;
    assert_eq!(
        kind_and_delivery(&slow),
        Some((CallErrorKind::Timeout, Some(Delivery::Unknown))),
        "the kind of the error, and what it says of the delivery: {slow:?}"
    );
    assert!(begun.elapsed() < AT_MOST, "it took {:?}", begun.elapsed());
    let (large, _) = scenario.stream(&*client, api.get("events"), ALL)?;
    let error = large.err().ok_or("a refusal over the cap was read")?;
    assert_eq!(
        (error.kind(), error.status().map(|status| status.as_u16())),
        (CallErrorKind::TooLarge, Some(422)),
        "the kind of the error, and the status of the answer"
    );
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 83, 131.
fn a_streamed_body_that_is_dropped_closes_its_connection(scenario: &Scenario<'_>) -> CaseResult {
    // libcurl, which learns nothing of it, looks at the speed of the last five seconds once a second.
    const PATIENCE: u32 = 4;
    let endless = || Answer::raw(CHUNKED_LIST).then(endless_chunks());
    let silent = Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[")
        .then(Act::Write("1".repeat(10_000).into()))
        .then(Act::Hold(Duration::from_secs(60)));
    let server = scenario.serve(Script::sequence([endless(), silent, endless(), Answer::json(200, "{}")]))?;
    let settings = Settings::default().reuse(true).attempt_timeout(Duration::from_secs(1));
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&settings)?);
    for number in 0..3 {
        let (sent, body) = scenario.stream(&*client, api.get("events"), 8_192)?;
        assert!(sent?.error().is_none() && body.len() >= 8_192, "{} bytes", body.len());
        let is_closed = (0..PATIENCE).any(|_| wait_until(|| server.open_connections() == 0));
        assert!(is_closed, "connection {number} is still open");
    }
    let (sent, body) = scenario.stream(&*client, api.get("events"), ALL)?;
    assert!(sent?.error().is_none() && body == "{}", "the body of a success as it was sent: {body:?}");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 4, 81.
fn a_streamed_call_is_the_same_request_as_any(scenario: &Scenario<'_>) -> CaseResult {
    streamed_or_not(scenario, &Settings::default())
}

/// `docs/faults.md` 4, 81.
fn a_streamed_call_of_a_users_client_is_the_same_request_as_any(scenario: &Scenario<'_>) -> CaseResult {
    streamed_or_not(scenario, &Settings::default().users_client())
}

fn streamed_or_not(scenario: &Scenario<'_>, settings: &Settings) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(settings)?);
    let calls = || {
        [
            api.get("events").query("a", 1),
            api.post("events/track").json(&[1]),
            api.post("events/track"),
            api.request(http::Method::DELETE, "events/1"),
        ]
    };
    for (sent, streamed) in calls().into_iter().zip(calls()) {
        assert_success(&scenario.send(&*client, sent)?);
        assert_success(&scenario.stream(&*client, streamed, ALL)?.0?);
    }
    for pair in server.requests().chunks(2) {
        let [sent, streamed] = pair else { return Err("each call was sent twice".into()) };
        assert!(sent.head == streamed.head && sent.body == streamed.body, "{sent:?} is another request if streamed");
    }
    Ok(Arrivals::of(&server))
}
