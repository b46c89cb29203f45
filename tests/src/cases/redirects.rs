//! Redirects, which the API does not give and no client may follow.

use bytes::Bytes;
use cometly_core::{ApiErrorKind, AuthOutcome, Delivery, UnexpectedCause};

use crate::scenario::{assert_delivery, kind};
use crate::{
    Arrivals, Case, CaseResult, Gap, Scenario, Settings,
    cases::{cases, serve_tls},
    fault_server::{Answer, FaultServer, Script},
};

pub(super) const CASES: &[Case] = cases![
    no_redirect_to_another_origin_is_followed,
    a_users_client_gives_no_key_to_another_origin,
    no_redirect_on_the_same_origin_is_followed,
    a_redirect_without_a_usable_location_is_one_too,
    no_redirect_from_https_to_http_is_followed,
    an_answer_behind_a_redirect_is_never_a_success,
];

const REDIRECT: Option<ApiErrorKind> = Some(ApiErrorKind::Unexpected(UnexpectedCause::Redirect));
/// A redirect is an unexpected answer, whatever is behind it.
#[track_caller]
fn assert_redirect(outcome: &AuthOutcome<Bytes>) {
    assert_eq!(kind(outcome), REDIRECT, "a redirect is an unexpected answer, and not followed: {outcome}");
}

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// `docs/faults.md` 14.
fn no_redirect_to_another_origin_is_followed(scenario: &Scenario<'_>) -> CaseResult {
    let other = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let client = scenario.client()?;
    let mut arrived = 0_usize;
    for status in STATUSES {
        let server = scenario.serve(Script::always(Answer::redirect(status, &other.base_url())))?;
        let api = scenario.api(&server.base_url())?;
        assert_redirect(&scenario.send(&*client, api.get("events"))?);
        assert_redirect(&scenario.send(&*client, api.post("events/track").json("personal data"))?);
        arrived = arrived.saturating_add(server.arrivals());
    }
    assert_eq!(other.connections(), 0, "another origin was called");
    Ok(Arrivals::counted(arrived))
}

/// `docs/faults.md` 14.
fn a_users_client_gives_no_key_to_another_origin(scenario: &Scenario<'_>) -> CaseResult {
    let other = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let client = scenario.connect(&Settings::default().users_client())?;
    for status in STATUSES {
        let server = scenario.serve(Script::always(Answer::redirect(status, &other.base_url())))?;
        let api = scenario.api(&server.base_url())?;
        assert_redirect(&scenario.send(&*client, api.get("events"))?);
        assert_eq!(server.arrivals(), 1, "the number of requests that arrived");
    }
    assert!(other.requests().iter().all(|request| request.count(scenario.secret()) == 0), "the key was given away");
    // reqwest has no switch on a request: a client that its user told to follow does so, and we say so.
    if !scenario.client_name().starts_with("reqwest") {
        assert_eq!(other.connections(), 0, "another origin was called");
    }
    Ok(Arrivals::checked_by_the_case())
}

/// `docs/faults.md` 15.
fn no_redirect_on_the_same_origin_is_followed(scenario: &Scenario<'_>) -> CaseResult {
    let server = login_server(scenario)?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    assert_redirect(&scenario.send(&*client, api.get("events"))?);
    assert_redirect(&scenario.send(&*client, api.post("events/track").json("x"))?);
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 18.
fn an_answer_behind_a_redirect_is_never_a_success(scenario: &Scenario<'_>) -> CaseResult {
    let server = login_server(scenario)?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&Settings::default().users_client())?);
    assert_redirect(&scenario.send(&*client, api.get("events"))?);
    Ok(Arrivals::checked_by_the_case())
}

/// `docs/faults.md` 16.
fn a_redirect_without_a_usable_location_is_one_too(scenario: &Scenario<'_>) -> CaseResult {
    let location = |value: &[u8]| {
        Answer::raw([b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ", value, b"\r\n\r\n"].concat())
    };
    let server = scenario.serve(Script::sequence([
        Answer::whole(302, &[], ""),
        location(b"/\xff\xfe"),
        location(&b"x".repeat(60_000)),
        location(&b"x".repeat(1 << 20)),
    ]))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for number in 0..3 {
        let sent = scenario.send(&*client, api.get("events"));
        if number == 2 && scenario.has_gap(Gap::LargeHeads) {
            assert!(!sent.is_ok_and(|outcome| outcome.error().is_none()), "a head that is too large is no success");
            continue;
        }
        let outcome = sent?;
        assert_redirect(&outcome);
        assert!(outcome.to_string().len() < 500, "the location is not shown in full");
    }
    let Err(error) = scenario.send(&*client, api.get("events")) else { return Err("1 MiB of header was taken".into()) };
    assert_delivery(&error, Delivery::Unknown);
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 17.
fn no_redirect_from_https_to_http_is_followed(scenario: &Scenario<'_>) -> CaseResult {
    let plain = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let server = serve_tls(scenario, Script::always(Answer::redirect(302, &plain.base_url())))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    assert_redirect(&scenario.send(&*client, api.get("events"))?);
    assert_eq!(plain.connections(), 0, "the number of connections that were made");
    Ok(Arrivals::of(&server))
}

/// As a Laravel backend that takes us for a browser, but that what lies behind the redirect would pass for a success.
fn login_server(scenario: &Scenario<'_>) -> std::io::Result<FaultServer> {
    scenario.serve(Script::by(|_, request| match request.request_line() {
        line if line.contains("/login") => Answer::json(200, "{}"),
        _ => Answer::redirect(302, "/login"),
    }))
}
