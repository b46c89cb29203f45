//! Answers that are too large, cut, packed, or not quite HTTP.

use std::time::Duration;

use bytes::Bytes;
use cometly_core::{ApiErrorKind, AuthOutcome, CallErrorKind, DecodeCategory, Delivery, UnexpectedCause};

use crate::scenario::{assert_delivery, assert_success, kind, rate_limit};
use crate::{
    Arrivals, BoxError, Case, CaseResult, Gap, Scenario, Sent, Settings,
    cases::{cases, serve_tls},
    fault_server::{Act, Answer, FaultServer, Script},
    scenario::NotSupported,
};

pub(super) const CASES: &[Case] = cases![
    informational_answers_are_passed_over,
    an_unreadable_header_spoils_nothing,
    a_body_over_the_cap_is_too_large_and_not_read_on,
    a_length_that_lies_allocates_nothing,
    a_cut_body_is_never_taken_for_whole,
    a_body_without_a_length_that_ends_by_a_break_is_never_taken_for_whole,
    a_head_that_is_cut_behind_its_length_is_no_answer,
    json_cut_by_the_end_of_the_connection_does_not_decode,
    a_compressed_answer_is_not_decompressed,
    a_users_client_decompresses_nothing_where_that_can_be_forced,
    the_limits_of_a_head_are_the_same_on_every_stack,
    contradicting_lengths_have_a_typed_end,
    the_same_length_told_twice_is_one_length_or_no_answer,
    chunks_beside_a_length_count_or_the_answer_is_refused,
    malformed_http_has_a_typed_end,
    an_unread_body_disturbs_no_later_call,
];

const CAP: usize = 64 * 1024;

fn too_large(sent: Sent, status: Option<u16>) -> Result<(), BoxError> {
    match sent {
        Err(error)
            if error.kind() == CallErrorKind::TooLarge && error.status().map(|found| found.as_u16()) == status =>
        {
            Ok(())
        }
        other => Err(format!("expected TooLarge, got {other:?}").into()),
    }
}

/// It may be any error or outcome but a success, and never `NotSent`.
fn not_a_success(sent: Sent) -> Result<(), BoxError> {
    match sent {
        Err(error) if error.delivery() == Some(Delivery::Unknown) => Ok(()),
        Ok(outcome) if outcome.error().is_some() => Ok(()),
        other => Err(format!("expected a failure, got {other:?}").into()),
    }
}

/// `docs/faults.md` 32.
fn informational_answers_are_passed_over(scenario: &Scenario<'_>) -> CaseResult {
    const HINT: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let hints = |times| Act::Repeat { bytes: Bytes::from_static(HINT), every: Duration::ZERO, times };
    let last = Bytes::from_static(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    let answer = Answer::new(vec![hints(100), Act::Write(last)]);
    let server = scenario.serve(Script::always(answer))?;
    let client = scenario.client()?;
    let sent = scenario.send(&*client, scenario.api(&server.base_url())?.get("events"));
    if scenario.has_gap(Gap::InformationalAnswers) {
        not_a_success(sent)?;
    } else {
        assert_success(&sent?);
    }

    let slowly = Act::Repeat { bytes: Bytes::from_static(HINT), every: Duration::from_millis(5), times: 4000 };
    let endless = scenario.serve(Script::always(Answer::new(vec![slowly])))?;
    let client = scenario.connect(&Settings::default().deadline(Duration::from_secs(1)))?;
    not_a_success(scenario.send(&*client, scenario.api(&endless.base_url())?.get("events")))?;
    Ok(Arrivals::counted(server.arrivals().saturating_add(endless.arrivals())))
}

/// `docs/faults.md` 45.
fn an_unreadable_header_spoils_nothing(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::raw(
        &b"HTTP/1.1 200 OK\r\nX-RateLimit-Limit: \xff\xfe\r\nX-RateLimit-Remaining: 3\r\nContent-Length: 2\r\n\r\n{}"[..],
    )))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    let outcome = scenario.send(&*client, api.get("events"))?;
    assert_success(&outcome);
    assert_eq!(
        (rate_limit(&outcome).limit(), rate_limit(&outcome).remaining()),
        (None, Some(3)),
        "the header with other bytes is passed over, and the one beside it is read"
    );
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 66.
fn a_body_over_the_cap_is_too_large_and_not_read_on(scenario: &Scenario<'_>) -> CaseResult {
    let body = |len: usize| format!("[{}]", "1".repeat(len.saturating_sub(2)));
    let chunk = format!("1000\r\n{}\r\n", "1".repeat(0x1000));
    let endless = Act::Repeat { bytes: chunk.into(), every: Duration::ZERO, times: 100_000 };
    let server = scenario.serve(Script::sequence([
        Answer::json(200, &body(CAP)),
        Answer::json(200, &body(CAP.saturating_add(1))),
        Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").then(endless),
    ]))?;
    let api = scenario.api(&server.base_url())?;
    let client = scenario.connect(&Settings::default().max_body_size(CAP))?;
    let outcome = scenario.send(&*client, api.get("events"))?;
    assert_eq!(outcome.into_result()?.body().len(), CAP, "a body as long as the cap is read whole");
    too_large(scenario.send(&*client, api.get("events")), Some(200))?;
    too_large(scenario.send(&*client, api.get("events")), Some(200))?;
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 67.
fn a_length_that_lies_allocates_nothing(scenario: &Scenario<'_>) -> CaseResult {
    let claim = |len: u64| Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{{}}")).then_close();
    let server = scenario.serve(Script::sequence([claim(9_000_000_000_000), claim((1 << 63) - 1), claim(u64::MAX)]))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for _ in 0..3 {
        not_a_success(scenario.send(&*client, api.get("events")))?;
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 68.
fn a_cut_body_is_never_taken_for_whole(scenario: &Scenario<'_>) -> CaseResult {
    let cut = |text: &'static str| Answer::raw(text).then_close();
    let server = scenario.serve(Script::sequence([
        cut("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"),
        cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
        cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{}"),
        cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}"),
    ]))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for _ in 0..4 {
        let error = scenario.send(&*client, api.get("events")).err().ok_or("half a body was taken for a whole one")?;
        assert_delivery(&error, Delivery::Unknown);
    }
    Ok(Arrivals::of(&server))
}

fn unknown(sent: Sent) -> Result<(), BoxError> {
    match sent {
        Err(error) if error.kind() == CallErrorKind::Transport && error.delivery() == Some(Delivery::Unknown) => Ok(()),
        other => Err(format!("expected no answer, got {other:?}").into()),
    }
}

/// Answers without a length, which only the end of the connection ends.
pub(super) const BROKEN_ENDS: [&str; 3] = [
    "HTTP/1.1 200 OK\r\n\r\n{\"data\":[1,2",
    "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n{\"data\":[1,2]}",
    "HTTP/1.1 401 Unauthorized\r\n\r\n{\"message\":\"Unauthenticated.\"}",
];

/// Two servers that give them: one resets the connection behind each, and one closes TLS without a `close_notify`.
pub(super) fn serve_broken_ends(scenario: &Scenario<'_>) -> Result<[FaultServer; 2], BoxError> {
    let script = |end: Act| {
        let answer = |text| Answer::raw(text).then(Act::Pause(Duration::from_millis(50))).then(end.clone());
        Script::sequence(BROKEN_ENDS.map(answer))
    };
    Ok([scenario.serve(script(Act::Reset))?, serve_tls(scenario, script(Act::Cut))?])
}

fn a_body_without_a_length_that_ends_by_a_break_is_never_taken_for_whole(scenario: &Scenario<'_>) -> CaseResult {
    if scenario.has_gap(Gap::BrokenEnds) {
        return Err(NotSupported.into());
    }
    let [reset, cut] = serve_broken_ends(scenario)?;
    let client = scenario.client()?;
    for server in [&reset, &cut] {
        let api = scenario.api(&server.base_url())?;
        for _ in BROKEN_ENDS {
            unknown(scenario.send(&*client, api.post("events/track").json("x")))?;
        }
    }
    Ok(Arrivals::counted(reset.arrivals().saturating_add(cut.arrivals())))
}

fn a_head_that_is_cut_behind_its_length_is_no_answer(scenario: &Scenario<'_>) -> CaseResult {
    let heads = [
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 30\r\n",
        "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 30\r\nX-Rate",
        "HTTP/1.1 422 Unprocessable\r\nTransfer-Encoding: chunked\r\nX: 1",
        "HTTP/1.1 500 Error\r\nContent-Type: text/html\r\n",
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 30",
    ];
    let server = scenario
        .serve(Script::by(move |number, _| Answer::raw(heads.get(number).copied().unwrap_or_default()).then_close()))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for head in heads {
        unknown(scenario.send(&*client, api.get("events"))).map_err(|error| format!("{head:?}: {error}"))?;
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 69.
fn json_cut_by_the_end_of_the_connection_does_not_decode(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::raw("HTTP/1.0 200 OK\r\n\r\n{\"data\":[1,").then_close()))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    let reply = scenario.send(&*client, api.get("events"))?.into_result()?;
    let error = reply.json::<serde_json::Value>().err().ok_or("half a JSON was read")?;
    assert_eq!(error.category(), DecodeCategory::Eof, "half a JSON is no JSON");
    Ok(Arrivals::of(&server))
}

/// `{}` by gzip.
pub(super) const GZIP: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xab, 0xae, 0x05, 0x00, 0x43, 0xbf, 0xa6, 0xa3, 0x02,
    0x00, 0x00, 0x00,
];

/// An answer whose body says that it is encoded so.
pub(super) fn packed(encoding: &str, body: &[u8]) -> Answer {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n", body.len());
    Answer::raw([head.as_bytes(), body].concat())
}

/// `docs/faults.md` 70.
fn a_compressed_answer_is_not_decompressed(scenario: &Scenario<'_>) -> CaseResult {
    let encodings = ["gzip", "deflate", "br", "zstd", "gzip, gzip", "unheard-of"];
    let server = scenario.serve(Script::by(move |number, _| {
        // Invalid gzip makes a decompressing client fail; valid gzip exposes one that decompresses silently.
        encodings.get(number).map_or_else(|| packed("gzip", GZIP), |encoding| packed(encoding, b"not packed at all"))
    }))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for _ in 0..=encodings.len() {
        let outcome = scenario.send(&*client, api.get("events"))?;
        assert_eq!(
            kind(&outcome),
            Some(ApiErrorKind::Unexpected(UnexpectedCause::Encoded)),
            "an answer that is encoded is unexpected, and not unpacked: {outcome}"
        );
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 70.
fn a_users_client_decompresses_nothing_where_that_can_be_forced(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(packed("gzip", b"not packed at all")))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&Settings::default().users_client())?);
    match scenario.send(&*client, api.get("events")) {
        Ok(outcome) => {
            assert_eq!(
                kind(&outcome),
                Some(ApiErrorKind::Unexpected(UnexpectedCause::Encoded)),
                "an answer that is encoded is unexpected, and not unpacked: {outcome}"
            );
        }
        // reqwest has no switch on a request: a client that its user told to unpack does so.
        Err(_) if scenario.client_name().starts_with("reqwest") => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 71.
fn the_limits_of_a_head_are_the_same_on_every_stack(scenario: &Scenario<'_>) -> CaseResult {
    let many = |count: usize| {
        let lines = "X-Line: 1\r\n".repeat(count.saturating_sub(1));
        Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{lines}\r\n{{}}"))
    };
    let lines = |count: usize, len: usize| {
        let lines = format!("X-Long: {}\r\n", "v".repeat(len)).repeat(count);
        Answer::raw(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\n{{}}"))
    };
    let long = |len| lines(1, len);
    let server = scenario.serve(Script::sequence([
        many(100),
        lines(4, 15_000),
        long(60_000),
        lines(5, 15_000),
        many(101),
        many(129),
        many(2000),
        long(70_000),
        long(120_000),
        long(500_000),
    ]))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for number in 0..10 {
        match scenario.send(&*client, api.get("events")) {
            Ok(outcome) if number < 3 => assert!(outcome.error().is_none(), "head {number}: {outcome}"),
            Err(error) if error.kind() == CallErrorKind::TooLarge && number >= 3 => {}
            sent if number >= 2 && scenario.has_gap(Gap::LargeHeads) => not_a_success(sent)?,
            other => return Err(format!("head {number}: its size is not told: {other:?}").into()),
        }
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 72.
fn contradicting_lengths_have_a_typed_end(scenario: &Scenario<'_>) -> CaseResult {
    let heads = [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: -2\r\n",
        "Content-Length: two\r\n",
        "Content-Length: 2, 3\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
    ];
    let server = scenario.serve(Script::by(move |number, _| {
        let head = heads.get(number).copied().unwrap_or_default();
        Answer::raw(format!("HTTP/1.1 200 OK\r\n{head}\r\n{{}}")).then_close()
    }))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for head in heads {
        // RFC 9112 §6.3: an invalid Content-Length makes the answer unusable.
        let sent = scenario.send(&*client, api.get("events"));
        not_a_success(sent).map_err(|error| format!("{head:?}: {error}"))?;
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 72, 135. RFC 9110 §8.6 lets a client take them for one or refuse the answer.
fn the_same_length_told_twice_is_one_length_or_no_answer(scenario: &Scenario<'_>) -> CaseResult {
    let heads = ["Content-Length: 2\r\nContent-Length: 2\r\n", "Content-Length: 2, 2\r\n", "Content-Length: 2,2,2\r\n"];
    let server = scenario.serve(Script::by(move |number, _| {
        let head = heads.get(number / 2).copied().unwrap_or_default();
        Answer::raw(format!("HTTP/1.1 200 OK\r\n{head}\r\n{{}}"))
    }))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for head in heads {
        let whole = scenario.send(&*client, api.get("events"));
        let streamed = client.stream(api.get("events"), usize::MAX).map(|streamed| streamed.sent);
        let again = scenario.noted(streamed.unwrap_or_else(|| client.send(api.get("events"))));
        for sent in [whole, again] {
            match sent {
                Ok(outcome) => assert_eq!(
                    outcome.into_result()?.into_body(),
                    "{}",
                    "the body under a length that was sent twice: {head:?}"
                ),
                Err(error) => assert_eq!(error.delivery(), Some(Delivery::Unknown), "{head:?}: {error}"),
            }
        }
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 72, 135. RFC 9112 §6.3 lets a client take the chunks or refuse the answer.
fn chunks_beside_a_length_count_or_the_answer_is_refused(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::by(|number, _| {
        let length = ["1", "2", "100"].get(number / 2).copied().unwrap_or_default();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n");
        Answer::raw(format!("{head}2\r\n{{}}\r\n0\r\n\r\n")).then_close()
    }))?;
    let api = scenario.api(&server.base_url())?;
    for number in 0..6 {
        // A client for each, or it might send the next call on a connection that is about to be closed.
        let client = scenario.client()?;
        let streamed = if number % 2 == 1 { client.stream(api.get("events"), usize::MAX) } else { None };
        let sent = scenario.noted(streamed.map_or_else(|| client.send(api.get("events")), |streamed| streamed.sent));
        match sent {
            Ok(outcome) => assert_eq!(outcome.into_result()?.into_body(), "{}", "answer {number}"),
            Err(error) => assert_eq!(error.delivery(), Some(Delivery::Unknown), "answer {number}: {error}"),
        }
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 73.
fn malformed_http_has_a_typed_end(scenario: &Scenario<'_>) -> CaseResult {
    let heads: [&[u8]; 8] = [
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: \xe9\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ];
    let server = scenario
        .serve(Script::by(move |number, _| Answer::raw(heads.get(number).copied().unwrap_or_default()).then_close()))?;
    let api = scenario.api(&server.base_url())?;
    for _ in heads {
        // A client for each, or it might send the next call on a connection that is about to be closed.
        match scenario.send(&*scenario.client()?, api.get("events")) {
            Ok(outcome) => {
                assert!(
                    outcome.error().is_none() || matches!(outcome, AuthOutcome::Unexpected(..)),
                    "a success or an unexpected answer: {outcome}"
                );
            }
            Err(error) => assert_delivery(&error, Delivery::Unknown),
        }
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 83.
fn an_unread_body_disturbs_no_later_call(scenario: &Scenario<'_>) -> CaseResult {
    let body = format!("[{}]", "1".repeat(1 << 20));
    let server = scenario.serve(Script::by(move |number, _| match number % 2 {
        0 => Answer::json(200, &body),
        _ => Answer::json(200, "{}"),
    }))?;
    let api = scenario.api(&server.base_url())?;
    let client = scenario.connect(&Settings::default().max_body_size(1000))?;
    for _ in 0..3 {
        too_large(scenario.send(&*client, api.get("events")), Some(200))?;
        assert_success(&scenario.send(&*client, api.get("events"))?);
    }
    Ok(Arrivals::of(&server))
}
