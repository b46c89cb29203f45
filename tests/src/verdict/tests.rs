//! What the author of a broken stack reads.
#![cfg(feature = "adapters")]

use bytes::Bytes;
use cometly_core::{Api, ApiErrorKind, Call, UnexpectedCause};
use http::{
    Request,
    header::{AUTHORIZATION, USER_AGENT},
};

use super::{Verdict, of};
use crate::{BoxError, ClientUnderTest, Sent, Settings, Transport, adapters, canary::masked, cases, scenario::kind};

/// What a stack does wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    SendsTwice,
    FollowsRedirects,
    SendsTheKeyTwice,
}

/// ureq's client, made wrong.
struct Broken(Fault);

#[derive(Debug)]
struct BrokenTransport(Fault, Box<dyn Transport>);

impl ClientUnderTest for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
        let ureq = adapters::all().into_iter().find(|client| client.name() == "ureq").ok_or("ureq is one of them")?;
        let sound = ureq.connect(settings)?;
        Ok(sound.map(|sound| Box::new(BrokenTransport(self.0, sound)) as Box<dyn Transport>))
    }
}

impl Transport for BrokenTransport {
    fn send(&self, call: Call) -> Sent {
        let Self(fault, sound) = self;
        let Ok(mut request) = call.to_request() else { return sound.send(call) };
        match fault {
            Fault::SendsTwice => {
                let _ = sound.send(call.clone());
                sound.send(call)
            }
            Fault::FollowsRedirects => {
                let (api, place) = (call.api().clone(), request.uri().to_string().replace("/public-api/v1", "/login"));
                match sound.send(call) {
                    Ok(outcome) if kind(&outcome) == Some(ApiErrorKind::Unexpected(UnexpectedCause::Redirect)) => {
                        sound.send_request(Request::get(place).body(Bytes::new()).unwrap(), &api)
                    }
                    sent => sent,
                }
            }
            Fault::SendsTheKeyTwice => {
                let key = request.headers()[AUTHORIZATION].clone();
                request.headers_mut().insert(USER_AGENT, key);
                sound.send_request(request, call.api())
            }
        }
    }

    fn send_request(&self, request: Request<Bytes>, api: &Api) -> Sent {
        self.1.send_request(request, api)
    }
}

fn report(fault: Fault, case: &str) -> String {
    let case = cases::all().into_iter().find(|known| known.name == case).expect("a case of this name");
    match of(&Broken(fault), &case) {
        Verdict::Failed(report) => report,
        Verdict::Passed | Verdict::NotSupported(_) => panic!("{} does not notice {fault:?}", case.name),
    }
}

fn holds(report: &str, lines: &[&str]) {
    for line in lines {
        assert!(report.contains(line), "there is no {line:?} in:\n{report}");
    }
    assert!(!report.contains("cnry"), "the key is in the report");
}

#[test]
fn a_client_that_sends_each_call_twice_reads_what_arrived() {
    let report = report(Fault::SendsTwice, "a_connection_closed_without_an_answer_is_unknown");
    let lines = [
        "the client reports 2 attempts that left, and 4 requests arrived",
        "the case: a_connection_closed_without_an_answer_is_unknown, on the client broken",
        "what it asks: a transport has to say `unknown` once the request may have left",
        "why: docs/faults.md, rows 55, 56, 58",
        "calls of the case, and what the client returned: 2\n    GET events -> Transport (delivery Unknown, attempts 1): ",
        "    POST events/track -> Transport (delivery Unknown, attempts 1): ",
        "arrived at the fault server at http://127.0.0.1:",
        ": requests: 4, connections: 4\n    GET /public-api/v1/events, a body of 0 bytes, on connection 0\n",
        "    POST /public-api/v1/events/track, a body of 3 bytes, on connection 2\n",
    ];
    holds(&report, &lines);
}

#[test]
fn a_client_that_follows_redirects_reads_where_it_went() {
    let report = report(Fault::FollowsRedirects, "no_redirect_on_the_same_origin_is_followed");
    let lines = [
        "src/cases/redirects.rs:",
        "what it asks: a transport has to follow no redirect",
        "why: docs/faults.md, rows 14 to 17",
        "GET events -> a success",
        "    GET /public-api/v1/events, a body of 0 bytes, on connection 0\n    GET /login/events, a body of 0 bytes",
    ];
    holds(&report, &lines);
}

#[test]
fn an_assertion_that_shows_what_the_client_sent_shows_no_key() {
    let report = report(Fault::SendsTheKeyTwice, "each_header_is_sent_once_and_the_key_nowhere_else");
    holds(&report, &["[\"Bearer [key]\"]", "why: docs/faults.md, rows 4, 8, 81"]);
}

#[test]
fn a_canary_is_masked_with_its_number_and_wherever_it_is() {
    assert_eq!(masked("a 12|cnry0af, cnryff and 1|cnry1, 7|x"), "a [key], [key] and [key], 7|x");
    assert_eq!(masked("nothing"), "nothing");
}
