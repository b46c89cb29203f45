//! What an answer means for its line, and for the lines after it.

use std::fmt::Write as _;

use cometly_core::{ApiError, AuthOutcome, Reply, bytes::Bytes, http::StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::{exit::Exit, failure::Failure};

/// The longest reason that is kept of a refusal.
const MAX_REASON: usize = 4096;

#[derive(Debug)]
pub(crate) enum Verdict {
    /// Taken in: final.
    Accepted,
    /// The line itself is wrong, says the server: final.
    Refused { reason: String },
    /// Not the line's fault, and what became of it is not known.
    Left {
        failure: Failure,
        /// Whether the other lines would meet the same.
        ends_run: bool,
    },
}

/// Only 422 is about the line. A refused key, a wrong address or a limit that does not open would meet each line alike;
/// a failing server or a lost answer may not.
pub(crate) fn judge(sent: Result<AuthOutcome<Bytes>, Failure>) -> Verdict {
    let error = match sent.map(AuthOutcome::into_result) {
        Ok(Ok(reply)) if is_taken_in(&reply) => return Verdict::Accepted,
        // To note it as accepted would be to lose it.
        Ok(Ok(reply)) => Failure::new(
            Exit::Unexpected,
            format!(
                "the answer (HTTP {}) is not the one by which Cometly takes an event in; check the base URL and any proxy",
                reply.status().as_u16()
            ),
        ),
        Ok(Err(error))
            if error.status() == StatusCode::UNPROCESSABLE_ENTITY && Exit::from(error.kind()) == Exit::Rejected =>
        {
            return Verdict::Refused { reason: reason(&error) };
        }
        Ok(Err(error)) => Failure::from(error),
        Err(failure) => failure,
    };
    let ends_run = !matches!(error.exit, Exit::Server | Exit::Network | Exit::Unexpected);
    Verdict::Left { failure: error, ends_run }
}

/// As documented: 202, and an object whose `status` is no other one.
fn is_taken_in(reply: &Reply<Bytes>) -> bool {
    #[derive(Deserialize)]
    struct Taken {
        status: Option<Value>,
    }
    let status = reply.json::<Taken>().ok().map(|taken| taken.status.and_then(|status| status.as_u64()));
    reply.status() == StatusCode::ACCEPTED && status.is_some_and(|status| status.is_none_or(|status| status == 202))
}

/// The server's words, field by field.
fn reason(error: &ApiError) -> String {
    let mut reason = error.message().unwrap_or("the server gave no reason").to_owned();
    for field in error.field_errors() {
        if reason.len() > MAX_REASON {
            break;
        }
        // The message is mostly the first of them.
        if !reason.contains(field.message) {
            // Writing to a String does not fail.
            let _ = write!(reason, " {}: {}", field.field, field.message);
        }
    }
    reason
}

#[cfg(test)]
mod tests {
    use cometly_core::{
        Api, ApiKey, Delivery, Moment, Next, RetryPolicy, TransportError, TransportLimits, http::Response,
    };

    use super::*;
    use crate::failure::Cause;

    fn judge_answer(status: u16, body: &'static str) -> String {
        let api = Api::new(ApiKey::new("k").unwrap());
        let answer = Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap();
        shown(judge(Ok(api.read(answer))))
    }

    /// What comes of a call whose attempt failed so.
    fn failed(delivery: Delivery) -> Failure {
        let (call, now) = (Api::new(ApiKey::new("k").unwrap()).post("events/track"), Moment::now());
        let operation = call.start::<Bytes, Cause>(&RetryPolicy::none(), &TransportLimits::default(), 1, now).unwrap();
        let Next::Send(attempt) = operation.next(now) else { panic!("nothing holds it back") };
        match attempt.finish(Err::<Response<Bytes>, _>(TransportError::timed_out(delivery)), now).next(now) {
            Next::Done(Err(error)) => error.into(),
            other => panic!("{other:?}"),
        }
    }

    fn shown(verdict: Verdict) -> String {
        match verdict {
            Verdict::Accepted => "accepted".to_owned(),
            Verdict::Refused { reason } => format!("refused: {reason}"),
            Verdict::Left { failure, ends_run } => format!("left, {}, ends run: {ends_run}", failure.exit.name()),
        }
    }

    #[test]
    fn only_a_422_of_the_api_is_the_lines_fault() {
        let message = r#"{"message":"No."}"#;
        for (status, body, expected) in [
            (202, r#"{"status":202}"#, "accepted"),
            (202, r#"{"status":"queued"}"#, "accepted"),
            (202, r#"{"status":500,"error":"login required"}"#, "left, unexpected, ends run: false"),
            (202, "[]", "left, unexpected, ends run: false"),
            (202, "{", "left, unexpected, ends run: false"),
            (200, r#"{"status":200}"#, "left, unexpected, ends run: false"),
            (200, "{}", "left, unexpected, ends run: false"),
            (422, message, "refused: No."),
            (
                422,
                r#"{"message":"A. (and 1 more error)","errors":{"a":["A."],"b":["B."]}}"#,
                "refused: A. (and 1 more error) b: B.",
            ),
            (422, "<html>", "left, unexpected, ends run: false"),
            (401, r#"{"message":"Unauthenticated."}"#, "left, unauthenticated, ends run: true"),
            (403, message, "left, forbidden, ends run: true"),
            (404, message, "left, rejected, ends run: true"),
            (413, message, "left, rejected, ends run: true"),
            (429, message, "left, rate_limited, ends run: true"),
            (500, "", "left, server, ends run: false"),
            (503, message, "left, server, ends run: false"),
            (302, "", "left, unexpected, ends run: false"),
            (202, "", "left, unexpected, ends run: false"),
        ] {
            assert_eq!(judge_answer(status, body), expected, "{status} {body}");
        }
        for delivery in [Delivery::NotSent, Delivery::Unknown, Delivery::Untrusted] {
            assert_eq!(shown(judge(Err(failed(delivery)))), "left, network, ends run: false");
        }
    }
}
