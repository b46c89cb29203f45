//! What an answer means, whichever stack brought it.

use cometly_core::{ApiErrorKind, ForbiddenReason, UnexpectedCause};

use crate::scenario::kind;
use crate::{
    Arrivals, Case, CaseResult, Scenario,
    cases::cases,
    fault_server::{Answer, Script},
};

pub(super) const CASES: &[Case] = cases![every_answer_has_the_same_outcome_on_every_stack,];

const JSON: &str = r#"{"message":"Words."}"#;
const HTML: &str = "<!DOCTYPE html><title>Log in</title>";
const CHALLENGE: (&str, &str) = ("cf-mitigated", "challenge");
const WAF: (&str, &str) = ("x-amzn-waf-action", "challenge");

/// `docs/faults.md` 21 to 34.
fn every_answer_has_the_same_outcome_on_every_stack(scenario: &Scenario<'_>) -> CaseResult {
    use ApiErrorKind::{Forbidden, RateLimited, Rejected, ServerError, Unauthenticated, Unexpected};
    use UnexpectedCause::{Challenge, Empty, Encoded, NotJson, Proxy, Redirect, Status};

    let table = [
        (200, None, "{}", None),
        (201, None, "{}", None),
        (202, None, r#"{"status":"queued"}"#, None),
        (200, None, HTML, Some(Unexpected(NotJson))),
        (200, None, "", Some(Unexpected(Empty))),
        (202, Some(WAF), "", Some(Unexpected(Challenge))),
        (204, None, "", Some(Unexpected(Empty))),
        (304, None, "", Some(Unexpected(Status))),
        (302, Some(("location", "/login")), "", Some(Unexpected(Redirect))),
        (401, None, JSON, Some(Unauthenticated)),
        (401, None, "", Some(Unauthenticated)),
        (401, None, HTML, Some(Unexpected(NotJson))),
        (401, Some(("www-authenticate", "Basic realm=x")), HTML, Some(Unexpected(NotJson))),
        (403, None, r#"{"message": ""}"#, Some(Forbidden(ForbiddenReason::Unspecified))),
        (403, None, HTML, Some(Unexpected(NotJson))),
        (403, Some(CHALLENGE), HTML, Some(Unexpected(Challenge))),
        (404, None, JSON, Some(Rejected)),
        (405, Some(("allow", "POST")), JSON, Some(Rejected)),
        (405, Some(WAF), "", Some(Unexpected(Challenge))),
        (407, Some(("proxy-authenticate", "Basic realm=x")), HTML, Some(Unexpected(Proxy))),
        (418, None, JSON, Some(Rejected)),
        (419, None, JSON, Some(Rejected)),
        (422, None, r#"{"message":"No.","errors":{"a":["b"]}}"#, Some(Rejected)),
        (429, Some(("x-ratelimit-limit", "7")), JSON, Some(RateLimited)),
        (429, Some(CHALLENGE), HTML, Some(Unexpected(Challenge))),
        (451, None, JSON, Some(Rejected)),
        (500, None, JSON, Some(ServerError)),
        (502, None, HTML, Some(ServerError)),
        (503, Some(CHALLENGE), HTML, Some(Unexpected(Challenge))),
        (530, None, JSON, Some(ServerError)),
        (599, None, "", Some(ServerError)),
        (600, None, JSON, Some(Unexpected(Status))),
        (999, None, JSON, Some(Unexpected(Status))),
        (200, Some(("content-encoding", "gzip")), "{}", Some(Unexpected(Encoded))),
    ];
    let server = scenario.serve(Script::by(move |_, request| {
        let number = request.request_line();
        let number = number.rsplit('/').nth(1).and_then(|text| text.split(' ').next());
        let row = number.and_then(|number| number.parse::<usize>().ok()).and_then(|number| table.get(number));
        row.map_or_else(Answer::close, |(status, header, body, _)| Answer::whole(*status, header.as_slice(), body))
    }))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    for (number, (status, header, _, expected)) in table.iter().enumerate() {
        let outcome = scenario.send(&*client, api.get("{row}").segment(number))?;
        assert_eq!(kind(&outcome), *expected, "{status} {header:?}: {outcome}");
        assert_eq!(outcome.status().as_u16(), *status, "the status as it was sent");
    }
    Ok(Arrivals::of(&server))
}
