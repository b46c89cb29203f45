//! The authentication page, against the emulator: what each key is worth.

use bytes::Bytes;
use cometly_core::{
    Api, ApiError, ApiErrorKind, ApiKey, AuthOutcome, Call, ForbiddenReason, KeyStatus, UnexpectedCause,
};
use cometly_emulator::Emulator;
use http::Request;

use crate::scenario::{assert_success, key_status, kind, rate_limit};
use crate::{
    Arrivals, BoxError, Case, CaseResult, Scenario,
    cases::{cases, opened_by},
};

pub(super) const CASES: &[Case] = cases![
    every_key_of_the_authentication_page_gets_its_outcome,
    without_json_in_accept_the_login_page_is_a_redirect,
    a_rate_limit_is_told_before_and_when_it_is_reached,
    a_revoked_key_is_refused_and_a_rotated_one_accepted,
];

fn api(emulator: &Emulator, key: &str) -> Result<Api, BoxError> {
    Ok(opened_by(key, emulator.base_url())?.build())
}

fn list(api: &Api) -> Call {
    api.get("events").query("start_date", "2026-01-01 00:00:00").query("end_date", "2026-02-01 00:00:00")
}

fn every_key_of_the_authentication_page_gets_its_outcome(scenario: &Scenario<'_>) -> CaseResult {
    use ApiErrorKind::{Forbidden, Rejected, Unauthenticated};

    let emulator = scenario.emulate(Emulator::builder().no_limits())?;
    let (keys, client) = (emulator.keys(), scenario.client()?);
    let full = api(&emulator, &keys.full)?;
    let event = serde_json::json!({"event_name": "purchase", "email": "a@example.com"});
    let table = [
        (list(&full), None, KeyStatus::Accepted),
        (full.post("events/track").json(&event), None, KeyStatus::Accepted),
        (full.get("events"), Some(Rejected), KeyStatus::Accepted),
        (full.get("unknown"), Some(Rejected), KeyStatus::Unknown),
        (full.put("events").json(&event), Some(Rejected), KeyStatus::Unknown),
        (list(&api(&emulator, scenario.secret())?), Some(Unauthenticated), KeyStatus::Refused),
        (
            list(&api(&emulator, &keys.no_permission)?),
            Some(Forbidden(ForbiddenReason::Permission)),
            KeyStatus::NotAllowed,
        ),
        (
            list(&api(&emulator, &keys.inactive)?),
            Some(Forbidden(ForbiddenReason::InactiveSubscription)),
            KeyStatus::NotAllowed,
        ),
    ];
    for (call, expected, key) in table {
        let shown = format!("{call:?}");
        let outcome = scenario.noted(client.send(call))?;
        assert_eq!((kind(&outcome), key_status(&outcome)), (expected, key), "{shown}: {outcome}");
    }
    Ok(Arrivals::counted(usize::try_from(emulator.request_count())?))
}

fn without_json_in_accept_the_login_page_is_a_redirect(scenario: &Scenario<'_>) -> CaseResult {
    let emulator = scenario.emulate(Emulator::builder())?;
    let (api, client) = (api(&emulator, scenario.secret())?, scenario.client()?);
    // Not authorized, on purpose: as a caller who forgot to.
    let request = |accept: &str| {
        Request::get(format!("{}/events", emulator.base_url())).header("accept", accept).body(Bytes::new())
    };
    let json = scenario.send_request(&*client, request("application/json")?, &api)?;
    assert_eq!(kind(&json), Some(ApiErrorKind::Unauthenticated), "the answer in JSON says that the key is missing");
    let page = scenario.send_request(&*client, request("text/html, application/json")?, &api)?;
    assert_eq!(
        kind(&page),
        Some(ApiErrorKind::Unexpected(UnexpectedCause::Redirect)),
        "the login page is a redirect, which is not followed"
    );
    Ok(Arrivals::counted(usize::try_from(emulator.request_count())?))
}

fn a_rate_limit_is_told_before_and_when_it_is_reached(scenario: &Scenario<'_>) -> CaseResult {
    let emulator = scenario.emulate(Emulator::builder())?;
    let (api, client) = (api(&emulator, &emulator.keys().full)?, scenario.client()?);
    for left in (0..7).rev() {
        let outcome = scenario.noted(client.send(list(&api)))?;
        assert_success(&outcome);
        assert_eq!(
            (rate_limit(&outcome).limit(), rate_limit(&outcome).remaining()),
            (Some(7), Some(left)),
            "the limit and the calls left that the headers say"
        );
    }
    let outcome = scenario.noted(client.send(list(&api)))?;
    assert!(matches!(outcome, AuthOutcome::RateLimited(_)), "the refusal by the rate limit is returned: {outcome}");
    let wait = outcome.error().and_then(ApiError::retry_after).ok_or("a 429 says when to come back")?.as_secs();
    assert!((1..=60).contains(&wait), "the wait in seconds that the answer says: {wait}");
    assert!(rate_limit(&outcome).reset().is_some(), "the answer says when the window ends");
    assert_eq!(outcome.error().and_then(ApiError::message), Some("Too Many Attempts."), "the message of the answer");
    Ok(Arrivals::counted(usize::try_from(emulator.request_count())?))
}

fn a_revoked_key_is_refused_and_a_rotated_one_accepted(scenario: &Scenario<'_>) -> CaseResult {
    let emulator = scenario.emulate(Emulator::builder().no_limits())?;
    let (api, client) = (api(&emulator, scenario.secret())?, scenario.client()?);
    let call = list(&api);
    assert!(
        matches!(scenario.noted(client.send(call.clone()))?, AuthOutcome::Unauthenticated(_)),
        "a key that the server does not know is refused"
    );
    api.rotate(ApiKey::new(emulator.keys().full.as_str())?);
    assert_success(&scenario.noted(client.send(call))?);
    Ok(Arrivals::counted(usize::try_from(emulator.request_count())?))
}
