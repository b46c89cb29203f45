//! What is said of a call that got no whole answer: whether it may be sent again.

use std::{thread, time::Duration};

use bytes::Bytes;
use cometly_core::{Api, ApiErrorKind, Call, CallErrorKind, Delivery, UnexpectedCause};

use crate::{
    Arrivals, BoxError, Case, Played, Sent, Settings, Stage, authority,
    canary::Canary,
    cases::{cases, dying, get_and_post, serve_tls},
    fault_server::{Act, Answer, ClosedPort, FaultServer, Script, ServerCertificate},
    stage::{NotOffered, kind},
    wait_until,
};

pub(super) const CASES: &[Case] = cases![
    row_6_a_trusted_server_is_spoken_to_in_http_1_1,
    row_6_and_so_it_is_by_a_users_client_where_that_can_be_forced,
    row_53_a_refused_connection_was_not_sent,
    row_53_an_unknown_host_was_not_sent,
    row_54_a_certificate_that_is_not_trusted_stops_the_call,
    row_54_tls_to_a_plain_port_ends,
    row_55_a_connection_closed_without_an_answer_is_unknown,
    row_55_twenty_posts_on_dying_connections_arrive_twenty_times,
    row_56_a_kept_connection_that_dies_under_a_post_repeats_nothing,
    row_56_nor_when_connections_are_kept_on_purpose,
    row_56_nor_under_a_post_without_a_body,
    row_56_nor_under_a_get,
    row_57_a_kept_connection_that_was_closed_in_peace_is_replaced,
    row_58_a_reset_is_unknown_wherever_it_comes,
    row_59_a_torn_head_is_never_a_success,
    row_60_a_dropped_future_sends_nothing_more,
    row_64_an_early_answer_to_a_large_upload_is_told_or_unknown,
    row_65_late_bytes_are_nobodys_answer,
    no_error_shows_a_query_or_a_body,
];

fn unknown(sent: Sent) -> Result<(), BoxError> {
    match sent {
        Err(error) if error.delivery() == Some(Delivery::Unknown) => Ok(()),
        other => Err(format!("expected an unknown delivery, got {other:?}").into()),
    }
}

fn row_6_a_trusted_server_is_spoken_to_in_http_1_1(stage: &Stage<'_>) -> Played {
    let server = serve_tls(Script::always(Answer::json(200, "{}")))?;
    let client = stage.client()?;
    assert!(stage.send(&*client, stage.api(&server.base_url())?.get("events"))?.error().is_none());
    assert!(server.alpn().iter().all(|protocol| protocol.as_deref() != Some("h2")), "{:?}", server.alpn());
    Ok(Arrivals::of(&server))
}

fn row_6_and_so_it_is_by_a_users_client_where_that_can_be_forced(stage: &Stage<'_>) -> Played {
    let server = serve_tls(Script::always(Answer::json(200, "{}")))?;
    let client = stage.connect(&Settings::default().users_client())?;
    // A user's client has its own certificate store; the protocol is agreed on before it is asked.
    let _ = stage.send(&*client, stage.api(&server.base_url())?.get("events"));
    assert!(wait_until(|| !server.alpn().is_empty()), "there was a handshake");
    // reqwest has no switch on a request.
    if !stage.flavour().starts_with("reqwest") {
        assert!(server.alpn().iter().all(|protocol| protocol.as_deref() != Some("h2")), "{:?}", server.alpn());
    }
    Ok(Arrivals::checked_by_the_case())
}

fn row_53_a_refused_connection_was_not_sent(stage: &Stage<'_>) -> Played {
    let closed = ClosedPort::bind()?;
    let (api, client) = (stage.api(&closed.base_url())?, stage.client()?);
    for call in [api.get("events"), api.post("events/track").json("x")] {
        let error = stage.send(&*client, call).err().ok_or("the port is closed")?;
        assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error:?}");
    }
    Ok(Arrivals::counted(0))
}

fn row_53_an_unknown_host_was_not_sent(stage: &Stage<'_>) -> Played {
    // RFC 6761 §6.4: `.invalid` never has an address.
    let (api, client) = (stage.api("https://cometly.invalid/v1")?, stage.client()?);
    let error = stage.send(&*client, api.post("events/track").json("x")).err().ok_or("there is no such host")?;
    assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error:?}");
    Ok(Arrivals::counted(0))
}

fn row_54_a_certificate_that_is_not_trusted_stops_the_call(stage: &Stage<'_>) -> Played {
    let client = stage.client()?;
    for (kind, certificate) in [
        ("self-signed", ServerCertificate::self_signed(&["127.0.0.1"])?),
        ("for another name", authority()?.issue(&["other.example"])?),
        ("expired", authority()?.issue_expired(&["127.0.0.1"])?),
    ] {
        let server = FaultServer::start_tls(&certificate, Script::always(Answer::json(200, "{}")))?;
        let error = stage.send(&*client, stage.api(&server.base_url())?.post("events/track").json("x"));
        let error = error.err().ok_or_else(|| format!("a certificate was trusted: {kind}"))?;
        assert_eq!(error.delivery(), Some(Delivery::Untrusted), "{kind}: {error:?}");
        assert_eq!((server.arrivals(), server.connections()), (0, 1), "{kind}");
    }
    Ok(Arrivals::counted(0))
}

fn row_54_tls_to_a_plain_port_ends(stage: &Stage<'_>) -> Played {
    let server = stage.serve(Script::always(Answer::silence()))?;
    let base_url = server.base_url().replace("http://", "https://");
    let client = stage.connect(&Settings::default().deadline(Duration::from_secs(2)))?;
    let error = stage.send(&*client, stage.api(&base_url)?.post("events/track").json("x")).err();
    let error = error.ok_or("that server speaks no TLS")?;
    assert!(matches!(error.delivery(), Some(Delivery::NotSent | Delivery::Unknown)), "{error:?}");
    // Whatever is said, nothing came.
    assert_eq!(server.arrivals(), 0, "the key was sent in the clear to an https URL");
    Ok(Arrivals::checked_by_the_case())
}

fn row_55_a_connection_closed_without_an_answer_is_unknown(stage: &Stage<'_>) -> Played {
    let server = stage.serve(Script::always(Answer::close()))?;
    let client = stage.client()?;
    for call in get_and_post(stage, &server)? {
        unknown(stage.send(&*client, call))?;
    }
    Ok(Arrivals::of(&server))
}

fn row_55_twenty_posts_on_dying_connections_arrive_twenty_times(stage: &Stage<'_>) -> Played {
    let server = stage.serve(Script::by(|number, _| match number % 2 {
        0 => Answer::close(),
        _ => Answer::reset(),
    }))?;
    let (api, client) = (stage.api(&server.base_url())?, stage.client()?);
    for number in 0..20 {
        unknown(stage.send(&*client, api.post("events/track").json(&number)))?;
    }
    assert_eq!(server.arrivals(), 20);
    Ok(Arrivals::of(&server))
}

fn row_56_a_kept_connection_that_dies_under_a_post_repeats_nothing(stage: &Stage<'_>) -> Played {
    dying_kept_connection(stage, &Settings::default(), |api| api.post("events/track").json("x"))
}

fn row_56_nor_when_connections_are_kept_on_purpose(stage: &Stage<'_>) -> Played {
    dying_kept_connection(stage, &Settings::default().reuse(true), |api| api.post("events/track").json("x"))
}

fn row_56_nor_under_a_post_without_a_body(stage: &Stage<'_>) -> Played {
    let mut arrived = 0_usize;
    for settings in [Settings::default(), Settings::default().reuse(true), Settings::default().users_client()] {
        let server = stage.serve(dying())?;
        let api = stage.api(&server.base_url())?;
        let client = match stage.connect(&settings) {
            Err(error) if error.is::<NotOffered>() => continue,
            client => client?,
        };
        assert!(stage.send(&*client, api.post("contacts/archive"))?.error().is_none());
        unknown(stage.send(&*client, api.post("contacts/archive")))?;
        assert_eq!(server.arrivals(), 2, "{settings:?}");
        arrived = arrived.saturating_add(2);
    }
    Ok(Arrivals::counted(arrived))
}

fn row_56_nor_under_a_get(stage: &Stage<'_>) -> Played {
    dying_kept_connection(stage, &Settings::default(), |api| api.get("events"))
}

fn dying_kept_connection(stage: &Stage<'_>, settings: &Settings, call: fn(&Api) -> Call) -> Played {
    let server = stage.serve(dying())?;
    let (api, client) = (stage.api(&server.base_url())?, stage.connect(settings)?);
    for _ in 0..3 {
        assert!(stage.send(&*client, call(&api))?.error().is_none());
        unknown(stage.send(&*client, call(&api)))?;
    }
    assert_eq!(server.arrivals(), 6);
    Ok(Arrivals::of(&server))
}

fn row_57_a_kept_connection_that_was_closed_in_peace_is_replaced(stage: &Stage<'_>) -> Played {
    let server = stage.serve(Script::always(Answer::json(200, "{}").then_close()))?;
    let (api, client) = (stage.api(&server.base_url())?, stage.client()?);
    for _ in 0..3 {
        assert!(stage.send(&*client, api.post("events/track").json("x"))?.error().is_none());
        // Until the client has seen the end of its idle connection.
        thread::sleep(Duration::from_millis(100));
    }
    Ok(Arrivals::of(&server))
}

fn row_58_a_reset_is_unknown_wherever_it_comes(stage: &Stage<'_>) -> Played {
    let then_reset =
        |text: &'static str| Answer::raw(text).then(Act::Pause(Duration::from_millis(50))).then(Act::Reset);
    let client = stage.client()?;
    let mut arrived = 0_usize;
    for answer in [
        Answer::reset(),
        then_reset("HTTP/1.1 200 OK\r\nContent-Le"),
        then_reset("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":"),
        then_reset("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n"),
    ] {
        let server = stage.serve(Script::always(answer))?;
        for call in get_and_post(stage, &server)? {
            unknown(stage.send(&*client, call))?;
        }
        arrived = arrived.saturating_add(server.arrivals());
    }
    Ok(Arrivals::counted(arrived))
}

fn row_59_a_torn_head_is_never_a_success(stage: &Stage<'_>) -> Played {
    let torn = |text: &'static str| Answer::raw(text).then_close();
    let answers =
        [torn("HTTP/1.1 20"), torn("HTTP/1.1 200 OK\r\nContent-Le"), torn("HTTP/1.1 200 OK\r\n"), torn("HTT")];
    let server = stage.serve(Script::sequence(answers))?;
    let (api, client) = (stage.api(&server.base_url())?, stage.client()?);
    for _ in 0..4 {
        match stage.send(&*client, api.post("events/track").json("x")) {
            Err(error) => assert_eq!(error.delivery(), Some(Delivery::Unknown), "{error:?}"),
            // libcurl takes a torn head for a whole one; the core takes no empty success.
            Ok(outcome) => {
                assert_eq!(kind(&outcome), Some(ApiErrorKind::Unexpected(UnexpectedCause::Empty)), "{outcome}");
            }
        }
    }
    Ok(Arrivals::of(&server))
}

fn row_60_a_dropped_future_sends_nothing_more(stage: &Stage<'_>) -> Played {
    let server = stage.serve(Script::always(Answer::silence()))?;
    // Some clients notice a dropped future only at the time-out.
    let client = stage.connect(&Settings::default().deadline(Duration::from_secs(2)))?;
    let api = stage.api(&server.base_url())?;
    if !client.send_and_drop(api.post("events/track").json("x"), Duration::from_millis(300)) {
        // Blocking: there is no future to drop.
        return Err(NotOffered.into());
    }
    stage.count_given_up();
    assert!(wait_until(|| server.open_connections() == 0), "the connection outlives its call");
    assert_eq!(server.arrivals(), 1);
    Ok(Arrivals::of(&server))
}

fn row_64_an_early_answer_to_a_large_upload_is_told_or_unknown(stage: &Stage<'_>) -> Played {
    let too_large = || Answer::json(413, r#"{"message":"The POST data is too large."}"#).before_body();
    let client = stage.client()?;
    let mut arrived = 0_usize;
    for answer in [too_large().then_close(), too_large().then(Act::Pause(Duration::from_millis(50))).then(Act::Reset)] {
        let server = stage.serve(Script::always(answer))?;
        let body = Bytes::from(vec![b'7'; 8 << 20]);
        match stage.send(&*client, stage.api(&server.base_url())?.post("events/track").body(body)) {
            Ok(outcome) => assert_eq!(kind(&outcome), Some(ApiErrorKind::Rejected), "{outcome}"),
            Err(error) if error.kind() == CallErrorKind::Timeout => return Err("it hung until the deadline".into()),
            Err(error) => assert_eq!(error.delivery(), Some(Delivery::Unknown), "{error:?}"),
        }
        arrived = arrived.saturating_add(server.arrivals());
    }
    Ok(Arrivals::counted(arrived))
}

fn no_error_shows_a_query_or_a_body(stage: &Stage<'_>) -> Played {
    // In place of the personal data of a customer: as a query, as what is sent, as what comes back.
    let personal = Canary::new();
    let quote = |head: &str| format!("HTTP/1.1 {head}\r\n\r\n{{\"email\":\"{}\"", personal.secret());
    let server = stage.serve(Script::sequence([
        Answer::close(),
        Answer::reset(),
        Answer::raw(quote("200 OK\r\nContent-Length: 1000")).then_close(),
        Answer::raw(quote("200 OK\r\nTransfer-Encoding: chunked")).then_close(),
        Answer::raw(quote("nonsense")).then_close(),
        Answer::silence(),
    ]))?;
    let tls =
        FaultServer::start_tls(&ServerCertificate::self_signed(&["127.0.0.1"])?, Script::always(Answer::close()))?;
    let closed = ClosedPort::bind()?;
    let client = stage.connect(&Settings::default().deadline(Duration::from_secs(2)))?;
    let mut errors = 0_usize;
    for base_url in [closed.base_url(), tls.base_url()].into_iter().chain(vec![server.base_url(); 6]) {
        let call = stage.api(&base_url)?.post("events/track").query("email", personal.secret()).json(personal.secret());
        if let Err(error) = stage.send(&*client, call) {
            personal.check_error(&error)?;
            errors = errors.saturating_add(1);
        }
    }
    assert_eq!(errors, 8, "each of these is an error");
    Ok(Arrivals::of(&server))
}

fn row_65_late_bytes_are_nobodys_answer(stage: &Stage<'_>) -> Played {
    const FORGED: &[u8] =
        b"{}HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"forged\":true}";
    let client = stage.client()?;
    let mut arrived = 0_usize;
    for delay in [0, 20, 100] {
        let first = Answer::json(200, r#"{"n":0}"#)
            .then(Act::Pause(Duration::from_millis(delay)))
            .then(Act::Write(Bytes::from_static(FORGED)));
        let server = stage.serve(Script::sequence([first, Answer::json(200, r#"{"n":1}"#)]))?;
        let api = stage.api(&server.base_url())?;
        let _ = stage.send(&*client, api.get("events"))?.into_result()?;
        thread::sleep(Duration::from_millis(200));
        match stage.send(&*client, api.get("events")) {
            Ok(outcome) => {
                let body = outcome.into_result()?.into_body();
                assert_eq!(body, r#"{"n":1}"#, "an answer that belongs to no call was taken");
            }
            Err(error) => assert_eq!(error.delivery(), Some(Delivery::Unknown), "{error:?}"),
        }
        arrived = arrived.saturating_add(server.arrivals());
    }
    Ok(Arrivals::counted(arrived))
}
