//! What is said of a call that got no whole answer: whether it may be sent again.

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use bytes::Bytes;
use cometly_core::{Api, ApiErrorKind, Call, CallErrorKind, Delivery, UnexpectedCause};

use crate::{
    Arrivals, BoxError, Case, CaseResult, Gap, Scenario, Sent, Settings, authority,
    canary::Canary,
    cases::{cases, dying, get_and_post, serve_tls, slow_reader, wait_for_bytes},
    fault_server::{Act, Answer, ClosedPort, Script, ServerCertificate},
    scenario::assert_success,
    scenario::{NotSupported, assert_delivery, kind},
    wait_until,
};

pub(super) const CASES: &[Case] = cases![
    a_trusted_server_is_spoken_to_in_http_1_1,
    a_users_client_speaks_http_1_1_where_that_can_be_forced,
    a_refused_connection_was_not_sent,
    an_unknown_host_was_not_sent,
    an_unreachable_network_was_not_sent,
    a_tls_handshake_that_is_cut_was_not_sent,
    a_certificate_that_is_not_trusted_stops_the_call,
    a_certificate_that_is_not_trusted_stops_the_call_of_a_users_client,
    tls_to_a_plain_port_ends,
    a_connection_closed_without_an_answer_is_unknown,
    twenty_posts_on_dying_connections_arrive_twenty_times,
    a_kept_connection_that_dies_under_a_post_repeats_nothing,
    a_connection_kept_on_purpose_that_dies_under_a_post_repeats_nothing,
    a_kept_connection_that_dies_under_a_post_without_a_body_repeats_nothing,
    a_kept_connection_that_dies_under_a_get_repeats_nothing,
    an_idle_connection_that_was_closed_cleanly_is_replaced,
    a_reset_is_unknown_wherever_it_comes,
    a_torn_head_is_never_a_success,
    a_dropped_future_sends_nothing_more,
    a_dropped_upload_ends_with_what_was_buffered,
    an_upload_that_is_late_ends_with_what_was_buffered,
    an_early_answer_to_a_large_upload_is_that_answer_or_unknown,
    late_bytes_are_never_the_next_calls_answer,
    no_error_shows_a_query_or_a_body,
];

fn unknown(sent: Sent) -> Result<(), BoxError> {
    match sent {
        Err(error) if error.delivery() == Some(Delivery::Unknown) => Ok(()),
        other => Err(format!("expected an unknown delivery, got {other:?}").into()),
    }
}

/// `docs/faults.md` 6.
fn a_trusted_server_is_spoken_to_in_http_1_1(scenario: &Scenario<'_>) -> CaseResult {
    let server = serve_tls(scenario, Script::always(Answer::json(200, "{}")))?;
    let client = scenario.client()?;
    assert_success(&scenario.send(&*client, scenario.api(&server.base_url())?.get("events"))?);
    assert!(
        server.alpn().iter().all(|protocol| protocol.as_deref() != Some("h2")),
        "HTTP/2 was negotiated: {:?}",
        server.alpn()
    );
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 6.
fn a_users_client_speaks_http_1_1_where_that_can_be_forced(scenario: &Scenario<'_>) -> CaseResult {
    let server = serve_tls(scenario, Script::always(Answer::json(200, "{}")))?;
    let client = scenario.connect(&Settings::default().users_client())?;
    // A user's client has its own certificate store; the protocol is agreed on before it is asked.
    let _ = scenario.send(&*client, scenario.api(&server.base_url())?.get("events"));
    assert!(wait_until(|| !server.alpn().is_empty()), "there was a handshake");
    // reqwest has no switch on a request.
    if !scenario.client_name().starts_with("reqwest") {
        assert!(
            server.alpn().iter().all(|protocol| protocol.as_deref() != Some("h2")),
            "HTTP/2 was negotiated: {:?}",
            server.alpn()
        );
    }
    Ok(Arrivals::checked_by_the_case())
}

/// `docs/faults.md` 53.
fn a_refused_connection_was_not_sent(scenario: &Scenario<'_>) -> CaseResult {
    let closed = ClosedPort::bind()?;
    let (api, client) = (scenario.api(&closed.base_url())?, scenario.client()?);
    for call in [api.get("events"), api.post("events/track").json("x")] {
        let error = scenario.send(&*client, call).err().ok_or("the port is closed")?;
        assert_delivery(&error, Delivery::NotSent);
    }
    Ok(Arrivals::counted(0))
}

/// `docs/faults.md` 53.
fn an_unknown_host_was_not_sent(scenario: &Scenario<'_>) -> CaseResult {
    // RFC 6761 §6.4: `.invalid` never has an address.
    let (api, client) = (scenario.api("https://cometly.invalid/v1")?, scenario.client()?);
    let error = scenario.send(&*client, api.post("events/track").json("x")).err().ok_or("there is no such host")?;
    assert_delivery(&error, Delivery::NotSent);
    Ok(Arrivals::counted(0))
}

/// Nothing was sent, and the transport says so if it can.
fn not_sent(scenario: &Scenario<'_>, sent: Sent) -> Result<(), BoxError> {
    match sent {
        Err(error) if error.delivery() == Some(Delivery::NotSent) => Ok(()),
        Err(error) if scenario.has_gap(Gap::FailurePlaces) && error.delivery() == Some(Delivery::Unknown) => Ok(()),
        other => Err(format!("expected a call that was not sent, got {other:?}").into()),
    }
}

fn an_unreachable_network_was_not_sent(scenario: &Scenario<'_>) -> CaseResult {
    // No TCP connection can be made to a broadcast address, whatever the network of the machine.
    let (api, client) = (scenario.api("https://255.255.255.255/v1")?, scenario.client()?);
    for call in [api.get("events"), api.post("events/track").json("x")] {
        not_sent(scenario, scenario.send(&*client, call))?;
    }
    Ok(Arrivals::checked_by_the_case())
}

fn a_tls_handshake_that_is_cut_was_not_sent(scenario: &Scenario<'_>) -> CaseResult {
    let close = scenario.serve_raw(|mut stream, _| wait_for_bytes(&mut stream))?;
    let reset = scenario.serve_raw(|mut stream, _| {
        wait_for_bytes(&mut stream)?;
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))
    })?;
    let fin = scenario.serve_raw(|mut stream, _| {
        wait_for_bytes(&mut stream)?;
        stream.shutdown(Shutdown::Write)?;
        while stream.read(&mut [0; 4096])? > 0 {}
        Ok(())
    })?;
    // A fatal alert: `handshake_failure`.
    let alert = scenario.serve_raw(|mut stream, _| {
        wait_for_bytes(&mut stream)?;
        stream.write_all(&[21, 3, 3, 0, 2, 2, 40])
    })?;
    let client = scenario.client()?;
    for (kind, server) in [("closed", close), ("reset", reset), ("ended", fin), ("refused", alert)] {
        let api = scenario.api(&server.base_url("https"))?;
        for call in [api.get("events"), api.post("events/track").json("x")] {
            not_sent(scenario, scenario.send(&*client, call)).map_err(|error| format!("{kind}: {error}"))?;
        }
    }
    Ok(Arrivals::checked_by_the_case())
}

/// `docs/faults.md` 54.
fn a_certificate_that_is_not_trusted_stops_the_call(scenario: &Scenario<'_>) -> CaseResult {
    untrusted(scenario, &Settings::default())
}

/// `docs/faults.md` 54.
fn a_certificate_that_is_not_trusted_stops_the_call_of_a_users_client(scenario: &Scenario<'_>) -> CaseResult {
    untrusted(scenario, &Settings::default().users_client())
}

fn untrusted(scenario: &Scenario<'_>, settings: &Settings) -> CaseResult {
    let client = scenario.connect(settings)?;
    for (kind, certificate) in [
        ("self-signed", ServerCertificate::self_signed(&["127.0.0.1"])?),
        ("for another name", authority()?.issue(&["other.example"])?),
        ("expired", authority()?.issue_expired(&["127.0.0.1"])?),
    ] {
        let server = scenario.serve_tls(&certificate, Script::always(Answer::json(200, "{}")))?;
        let error = scenario.send(&*client, scenario.api(&server.base_url())?.post("events/track").json("x"));
        let error = error.err().ok_or_else(|| format!("a certificate was trusted: {kind}"))?;
        assert_eq!(error.delivery(), Some(Delivery::Untrusted), "{kind}: {error:?}");
        assert_eq!(
            (server.arrivals(), server.connections()),
            (0, 1),
            "one connection was made and no request arrived: {kind}"
        );
    }
    Ok(Arrivals::counted(0))
}

/// `docs/faults.md` 54.
fn tls_to_a_plain_port_ends(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::silence()))?;
    let base_url = server.base_url().replace("http://", "https://");
    let client = scenario.connect(&Settings::default().deadline(Duration::from_secs(2)))?;
    let error = scenario.send(&*client, scenario.api(&base_url)?.post("events/track").json("x")).err();
    let error = error.ok_or("that server speaks no TLS")?;
    assert!(
        matches!(error.delivery(), Some(Delivery::NotSent | Delivery::Unknown)),
        "what is said of the delivery: {error:?}"
    );
    // Whatever is said, nothing came.
    assert_eq!(server.arrivals(), 0, "the key was sent in the clear to an https URL");
    Ok(Arrivals::checked_by_the_case())
}

/// `docs/faults.md` 55.
fn a_connection_closed_without_an_answer_is_unknown(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::close()))?;
    let client = scenario.client()?;
    for call in get_and_post(scenario, &server)? {
        unknown(scenario.send(&*client, call))?;
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 55.
fn twenty_posts_on_dying_connections_arrive_twenty_times(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::by(|number, _| match number % 2 {
        0 => Answer::close(),
        _ => Answer::reset(),
    }))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for number in 0..20 {
        unknown(scenario.send(&*client, api.post("events/track").json(&number)))?;
    }
    assert_eq!(server.arrivals(), 20, "the number of requests that arrived");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 56.
fn a_kept_connection_that_dies_under_a_post_repeats_nothing(scenario: &Scenario<'_>) -> CaseResult {
    dying_kept_connection(scenario, &Settings::default(), |api| api.post("events/track").json("x"))
}

/// `docs/faults.md` 56.
fn a_connection_kept_on_purpose_that_dies_under_a_post_repeats_nothing(scenario: &Scenario<'_>) -> CaseResult {
    dying_kept_connection(scenario, &Settings::default().reuse(true), |api| api.post("events/track").json("x"))
}

/// `docs/faults.md` 56.
fn a_kept_connection_that_dies_under_a_post_without_a_body_repeats_nothing(scenario: &Scenario<'_>) -> CaseResult {
    let mut arrived = 0_usize;
    for settings in [Settings::default(), Settings::default().reuse(true), Settings::default().users_client()] {
        let server = scenario.serve(dying())?;
        let api = scenario.api(&server.base_url())?;
        let client = match scenario.connect(&settings) {
            Err(error) if error.is::<NotSupported>() => continue,
            client => client?,
        };
        assert_success(&scenario.send(&*client, api.post("contacts/archive"))?);
        unknown(scenario.send(&*client, api.post("contacts/archive")))?;
        assert_eq!(server.arrivals(), 2, "the number of requests that arrived: {settings:?}");
        arrived = arrived.saturating_add(2);
    }
    Ok(Arrivals::counted(arrived))
}

/// `docs/faults.md` 56.
fn a_kept_connection_that_dies_under_a_get_repeats_nothing(scenario: &Scenario<'_>) -> CaseResult {
    dying_kept_connection(scenario, &Settings::default(), |api| api.get("events"))
}

fn dying_kept_connection(scenario: &Scenario<'_>, settings: &Settings, call: fn(&Api) -> Call) -> CaseResult {
    let server = scenario.serve(dying())?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(settings)?);
    for _ in 0..3 {
        assert_success(&scenario.send(&*client, call(&api))?);
        unknown(scenario.send(&*client, call(&api)))?;
    }
    assert_eq!(server.arrivals(), 6, "the number of requests that arrived");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 57.
fn an_idle_connection_that_was_closed_cleanly_is_replaced(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::json(200, "{}").then_close()))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for _ in 0..3 {
        assert_success(&scenario.send(&*client, api.post("events/track").json("x"))?);
        // Until the client has seen the end of its idle connection.
        thread::sleep(Duration::from_millis(100));
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 58.
fn a_reset_is_unknown_wherever_it_comes(scenario: &Scenario<'_>) -> CaseResult {
    let then_reset =
        |text: &'static str| Answer::raw(text).then(Act::Pause(Duration::from_millis(50))).then(Act::Reset);
    let client = scenario.client()?;
    let mut arrived = 0_usize;
    for answer in [
        Answer::reset(),
        then_reset("HTTP/1.1 200 OK\r\nContent-Le"),
        then_reset("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":"),
        then_reset("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n"),
    ] {
        let server = scenario.serve(Script::always(answer))?;
        for call in get_and_post(scenario, &server)? {
            unknown(scenario.send(&*client, call))?;
        }
        arrived = arrived.saturating_add(server.arrivals());
    }
    Ok(Arrivals::counted(arrived))
}

/// `docs/faults.md` 59.
fn a_torn_head_is_never_a_success(scenario: &Scenario<'_>) -> CaseResult {
    let torn = |text: &'static str| Answer::raw(text).then_close();
    let answers =
        [torn("HTTP/1.1 20"), torn("HTTP/1.1 200 OK\r\nContent-Le"), torn("HTTP/1.1 200 OK\r\n"), torn("HTT")];
    let server = scenario.serve(Script::sequence(answers))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for _ in 0..4 {
        match scenario.send(&*client, api.post("events/track").json("x")) {
            Err(error) => assert_delivery(&error, Delivery::Unknown),
            // libcurl takes a torn head for a whole one; the core takes no empty success.
            Ok(outcome) => {
                assert_eq!(
                    kind(&outcome),
                    Some(ApiErrorKind::Unexpected(UnexpectedCause::Empty)),
                    "a head that is torn is no success: {outcome}"
                );
            }
        }
    }
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 60.
fn a_dropped_future_sends_nothing_more(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::silence()))?;
    // Some clients notice a dropped future only at the time-out.
    let client = scenario.connect(&Settings::default().deadline(Duration::from_secs(2)))?;
    let api = scenario.api(&server.base_url())?;
    if !client.send_and_drop(api.post("events/track").json("x"), Duration::from_millis(300)) {
        // Blocking: there is no future to drop.
        return Err(NotSupported.into());
    }
    scenario.count_given_up();
    assert!(wait_until(|| server.open_connections() == 0), "the connection outlives its call");
    assert_eq!(server.arrivals(), 1, "the number of requests that arrived");
    Ok(Arrivals::of(&server))
}

/// What goes out of a call that is over: what the kernel and the stack had buffered by then, and no more.
const MOST_BUFFERED: usize = 24 << 20;

fn a_dropped_upload_ends_with_what_was_buffered(scenario: &Scenario<'_>) -> CaseResult {
    if scenario.has_gap(Gap::GivenUpUploads) {
        return Err(NotSupported.into());
    }
    let (server, read) = slow_reader(scenario, 64 * 1024, Duration::from_millis(10))?;
    let client = scenario.connect(&Settings::default().deadline(Duration::from_secs(30)))?;
    let body = Bytes::from(vec![b'7'; 48 << 20]);
    let call = scenario.api(&server.base_url("http"))?.post("events/track").body(body);
    if !client.send_and_drop(call, Duration::from_millis(200)) {
        return Err(NotSupported.into());
    }
    ends_with_what_was_buffered(&read);
    Ok(Arrivals::checked_by_the_case())
}

fn an_upload_that_is_late_ends_with_what_was_buffered(scenario: &Scenario<'_>) -> CaseResult {
    if scenario.has_gap(Gap::GivenUpUploads) {
        return Err(NotSupported.into());
    }
    let (server, read) = slow_reader(scenario, 64 * 1024, Duration::from_millis(10))?;
    let client = scenario.connect(&Settings::default().deadline(Duration::from_millis(300)))?;
    let body = Bytes::from(vec![b'7'; 48 << 20]);
    let sent = scenario.send(&*client, scenario.api(&server.base_url("http"))?.post("events/track").body(body));
    assert!(
        sent.as_ref().is_err_and(|error| error.kind() == CallErrorKind::Timeout),
        "a time-out is expected: {sent:?}"
    );
    ends_with_what_was_buffered(&read);
    Ok(Arrivals::checked_by_the_case())
}

fn ends_with_what_was_buffered(read: &AtomicUsize) {
    let mut last = usize::MAX;
    let is_over = wait_until(|| {
        thread::sleep(Duration::from_millis(300));
        std::mem::replace(&mut last, read.load(Ordering::SeqCst)) == read.load(Ordering::SeqCst)
    });
    assert!(is_over && last < MOST_BUFFERED, "{last} bytes were read of a call that is over");
}

/// `docs/faults.md` 64.
fn an_early_answer_to_a_large_upload_is_that_answer_or_unknown(scenario: &Scenario<'_>) -> CaseResult {
    let too_large = || Answer::json(413, r#"{"message":"The POST data is too large."}"#).before_body();
    let client = scenario.client()?;
    let mut arrived = 0_usize;
    for answer in [too_large().then_close(), too_large().then(Act::Pause(Duration::from_millis(50))).then(Act::Reset)] {
        let server = scenario.serve(Script::always(answer))?;
        let body = Bytes::from(vec![b'7'; 8 << 20]);
        match scenario.send(&*client, scenario.api(&server.base_url())?.post("events/track").body(body)) {
            Ok(outcome) => {
                assert_eq!(kind(&outcome), Some(ApiErrorKind::Rejected), "the early answer is returned: {outcome}");
            }
            Err(error) if error.kind() == CallErrorKind::Timeout => return Err("it hung until the deadline".into()),
            Err(error) => assert_delivery(&error, Delivery::Unknown),
        }
        arrived = arrived.saturating_add(server.arrivals());
    }
    Ok(Arrivals::counted(arrived))
}

fn no_error_shows_a_query_or_a_body(scenario: &Scenario<'_>) -> CaseResult {
    // In place of the personal data of a customer: as a query, as what is sent, as what comes back.
    let personal = Canary::new();
    let quote = |head: &str| format!("HTTP/1.1 {head}\r\n\r\n{{\"email\":\"{}\"", personal.secret());
    let server = scenario.serve(Script::sequence([
        Answer::close(),
        Answer::reset(),
        Answer::raw(quote("200 OK\r\nContent-Length: 1000")).then_close(),
        Answer::raw(quote("200 OK\r\nTransfer-Encoding: chunked")).then_close(),
        Answer::raw(quote("nonsense")).then_close(),
        Answer::silence(),
    ]))?;
    let tls = scenario.serve_tls(&ServerCertificate::self_signed(&["127.0.0.1"])?, Script::always(Answer::close()))?;
    let closed = ClosedPort::bind()?;
    let client = scenario.connect(&Settings::default().deadline(Duration::from_secs(2)))?;
    let mut errors = 0_usize;
    for base_url in [closed.base_url(), tls.base_url()].into_iter().chain(vec![server.base_url(); 6]) {
        let call =
            scenario.api(&base_url)?.post("events/track").query("email", personal.secret()).json(personal.secret());
        if let Err(error) = scenario.send(&*client, call) {
            personal.check_error(&error)?;
            errors = errors.saturating_add(1);
        }
    }
    assert_eq!(errors, 8, "each of these is an error");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 65.
fn late_bytes_are_never_the_next_calls_answer(scenario: &Scenario<'_>) -> CaseResult {
    const FORGED: &[u8] =
        b"{}HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"forged\":true}";
    let client = scenario.client()?;
    let mut arrived = 0_usize;
    for delay in [0, 20, 100] {
        let first = Answer::json(200, r#"{"n":0}"#)
            .then(Act::Pause(Duration::from_millis(delay)))
            .then(Act::Write(Bytes::from_static(FORGED)));
        let server = scenario.serve(Script::sequence([first, Answer::json(200, r#"{"n":1}"#)]))?;
        let api = scenario.api(&server.base_url())?;
        let _ = scenario.send(&*client, api.get("events"))?.into_result()?;
        thread::sleep(Duration::from_millis(200));
        match scenario.send(&*client, api.get("events")) {
            Ok(outcome) => {
                let body = outcome.into_result()?.into_body();
                assert_eq!(body, r#"{"n":1}"#, "an answer that belongs to no call was taken");
            }
            Err(error) => assert_delivery(&error, Delivery::Unknown),
        }
        arrived = arrived.saturating_add(server.arrivals());
    }
    Ok(Arrivals::counted(arrived))
}
