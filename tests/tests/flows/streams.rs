//! Answers whose bodies each client hands on in pieces.

use std::time::{Duration, Instant};

use cometly_conformance::fault_server::{Act, Answer, FaultServer, Script};
use cometly_core::{Api, ApiErrorKind, ApiKey, AuthOutcome, Call, CallErrorKind, Delivery, UnexpectedCause};
use cometly_emulator::{Emulator, Fault};

use crate::drivers::{Driver, Stage, for_each_driver};

const PATIENT: Duration = Duration::from_secs(20);

pub(crate) fn stage() -> Stage {
    Stage::new(Emulator::builder().seed(1).seeded_companies(2000).no_limits())
}

pub(crate) fn list(stage: &Stage, rows: u32) -> Call {
    stage.api.get("companies").query("per_page", rows)
}

fn a_body_comes_whole_in_pieces<D: Driver>() {
    let (stage, driver) = (stage(), D::new(PATIENT));
    let outcome = driver.stream(list(&stage, 2000)).unwrap();
    let (body, end) = outcome.into_result().unwrap().into_body();
    end.unwrap();
    assert!(body.len() > 100_000, "{} bytes", body.len());
    let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(page["data"].as_array().unwrap().len(), 2000);
    assert_eq!(stage.emulator.request_count(), 1);
}

fn what_is_no_success_is_read_as_always_and_a_failure_is_sent_again<D: Driver>() {
    let (stage, driver) = (stage(), D::new(PATIENT));
    let kind_under = |fault: Fault| {
        stage.emulator.inject(fault);
        let outcome = driver.stream(list(&stage, 1)).unwrap();
        stage.emulator.clear_faults();
        outcome.error().map(|error| (error.kind(), error.message().is_some()))
    };
    let unexpected = |cause| Some((ApiErrorKind::Unexpected(cause), false));
    assert_eq!(kind_under(Fault::unauthenticated()), Some((ApiErrorKind::Unauthenticated, true)));
    assert_eq!(kind_under(Fault::html_page()), unexpected(UnexpectedCause::NotJson));
    assert_eq!(kind_under(Fault::stub(200)), unexpected(UnexpectedCause::Empty));
    assert_eq!(kind_under(Fault::stub(200).body(" \n ")), unexpected(UnexpectedCause::Empty));
    assert_eq!(kind_under(Fault::stub(200).body("\n {}")), None);
    assert_eq!(kind_under(Fault::waf_challenge()), unexpected(UnexpectedCause::Challenge));
    let challenged = Fault::stub(200).header("cf-mitigated", "challenge").body("{}");
    assert_eq!(kind_under(challenged), unexpected(UnexpectedCause::Challenge));
    let packed = Fault::stub(200).header("content-encoding", "br").body("{}");
    assert_eq!(kind_under(packed), unexpected(UnexpectedCause::Encoded));

    let before = stage.emulator.request_count();
    assert_eq!(kind_under(Fault::server_error(503).up_to_n_times(1)), None);
    assert_eq!(stage.emulator.request_count() - before, 2);
}

fn a_slow_body_has_no_time_out_of_its_own<D: Driver>() {
    let (stage, driver) = (stage(), D::new(Duration::from_secs(1)));
    stage.emulator.inject(Fault::trickle(Duration::from_millis(4)));
    let begun = Instant::now();
    let (body, end) = driver.stream(list(&stage, 2)).unwrap().into_result().unwrap().into_body();
    end.unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
    assert!(begun.elapsed() > Duration::from_secs(1), "the fault is too weak: {:?}", begun.elapsed());
}

fn a_body_that_breaks_off_has_no_end<D: Driver>() {
    let (stage, driver) = (stage(), D::new(PATIENT));
    stage.emulator.inject(Fault::cut_body());
    let outcome = driver.stream(list(&stage, 1000)).unwrap();
    let AuthOutcome::Success(reply) = outcome else { panic!("the body began well") };
    let (body, end) = reply.into_body();
    let error = end.unwrap_err();
    assert!(error.to_string().starts_with("GET companies: "), "{error}");
    assert_eq!(error.kind(), CallErrorKind::Transport);
    assert!(!body.is_empty());
    assert_eq!(stage.emulator.request_count(), 1, "it is not asked for again");
}

/// `docs/faults.md` 68.
fn what_is_cut_is_never_taken_for_whole<D: Driver>() {
    let close = |text: &str| Answer::raw(text.to_owned()).then_close();
    let reset = |text: &str| Answer::raw(text.to_owned()).then(Act::Pause(Duration::from_millis(50))).then(Act::Reset);
    let answers = move || {
        [
            close("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"),
            close("HTTP/1.1 200 OK\r\nContent-Length: 100, 2\r\n\r\n{}"),
            close("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}"),
            close("HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}"),
            close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
            close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{}"),
            close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}"),
            close("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n"),
            close("HTTP/1.1 401 Unauthorized\r\nContent-Length: 30\r\n"),
            close("HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n"),
            reset("HTTP/1.1 200 OK\r\n\r\n{\"data\":[1,2"),
            reset("HTTP/1.1 401 Unauthorized\r\n\r\n{\"message\":\"Unauthenticated.\"}"),
        ]
    };
    let server = FaultServer::start(Script::by(move |number, _| answers().into_iter().nth(number).unwrap())).unwrap();
    let api = Api::builder(ApiKey::new("12|abc").unwrap()).base_url(server.base_url().parse().unwrap()).build();
    let driver = D::new(PATIENT);
    for (number, answer) in answers().iter().enumerate() {
        // Sent once: a POST is not repeated if it may have arrived.
        let error = match driver.stream(api.post("events/track").json("x")) {
            Err(error) => error,
            Ok(AuthOutcome::Success(reply)) => match reply.into_body() {
                (_, Err(error)) => error,
                (body, Ok(())) => panic!("{answer:?} is taken for whole: {body:?}"),
            },
            Ok(refusal) => panic!("{answer:?} is taken for a refusal: {:?}", refusal.error()),
        };
        assert_eq!((error.kind(), error.delivery()), (CallErrorKind::Transport, Some(Delivery::Unknown)), "{answer:?}");
        assert_eq!(server.arrivals(), number + 1, "{answer:?}");
    }
}

fn a_body_without_an_end_is_cut_at_the_cap<D: Driver>() {
    let (stage, driver) = (stage(), D::new(PATIENT));
    stage.emulator.inject(Fault::endless());
    let (body, end) = driver.stream(list(&stage, 1)).unwrap().into_result().unwrap().into_body();
    assert_eq!(end.unwrap_err().kind(), CallErrorKind::TooLarge);
    assert!(body.len() <= 4 << 20, "{} bytes", body.len());
}

for_each_driver![
    a_body_comes_whole_in_pieces,
    what_is_no_success_is_read_as_always_and_a_failure_is_sent_again,
    a_slow_body_has_no_time_out_of_its_own,
    a_body_that_breaks_off_has_no_end,
    what_is_cut_is_never_taken_for_whole,
    a_body_without_an_end_is_cut_at_the_cap,
];

#[test]
fn the_futures_of_the_async_clients_are_send() {
    fn is_send(_: impl Send) {}
    let stage = stage();
    is_send(cometly_reqwest::Client::new().unwrap().stream(list(&stage, 1)));
    is_send(cometly_isahc::Client::new().unwrap().stream(list(&stage, 1)));
}
