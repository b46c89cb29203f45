//! `POST /events/track`: takes an event in.

use std::collections::HashSet;

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::backend::Visit;
use crate::input::Input;
use crate::keys::Space;
use crate::refusal::{FieldErrors, Refusal};
use crate::ring::Ring;

const MAX_EVENTS: usize = 65_536;
const MAX_BYTES: usize = 64 << 20;

const EVENT_NAMES: &[&str] = &[
    "lead_generated",
    "view_content",
    "schedule",
    "purchase",
    "subscribe",
    "add_to_cart",
    "contact",
    "initiate_checkout",
    "add_payment_info",
    "complete_registration",
    "start_trial",
    "sign_up",
    "submit_application",
    "webinar_registration",
];

pub(crate) fn accept(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    validate(visit.input)?;
    if let Some(space) = visit.space {
        visit.tracked.add(space, visit.input);
    }
    let body = json!({ "status": StatusCode::ACCEPTED.as_u16(), "message": "Event queued for processing." });
    Ok(answer::compact(StatusCode::ACCEPTED, &body))
}

fn validate(input: &Input) -> Result<(), Refusal> {
    let mut errors = FieldErrors::default();
    let given = |field| input.get(field).is_some();
    match input.get("event_name") {
        None => errors.add("event_name", "The :attribute field is required."),
        Some(name) if name.as_str().is_some_and(is_event_name) => {}
        Some(_) => errors.add("event_name", "The selected :attribute is invalid."),
    }
    if !(given("email") || given("comet_token") || given("fingerprint")) {
        errors.add("email", "The :attribute field is required when none of comet token / fingerprint are present.");
    }
    for (field, other) in [("fingerprint", "ip"), ("ip", "fingerprint")] {
        if !given(field) && given(other) {
            errors.add(field, &format!("The :attribute field is required when {other} is present."));
        }
    }
    if input.get("amount").is_some_and(|amount| !is_numeric(amount)) {
        errors.add("amount", "The :attribute field must be a number.");
    }
    errors.into_result()
}

fn is_event_name(name: &str) -> bool {
    let custom = name.strip_prefix("custom_event_").filter(|number| !number.starts_with(['0', '+']));
    EVENT_NAMES.contains(&name)
        || custom.and_then(|number| number.parse().ok()).is_some_and(|number: u8| (1..=50).contains(&number))
}

/// PHP's `is_numeric`: a string will do.
fn is_numeric(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite))
}

/// The events taken in, the latest of them at least.
pub(crate) struct TrackedEvents {
    latest: Ring<Tracked>,
    keys: HashSet<(Space, String)>,
}

struct Tracked {
    json: String,
    key: Option<(Space, String)>,
}

impl TrackedEvents {
    pub(crate) fn new() -> Self {
        Self { latest: Ring::new(MAX_EVENTS, MAX_BYTES), keys: HashSet::new() }
    }

    /// An event whose idempotency key is known in its Space has been processed before, and is not added again.
    fn add(&mut self, space: Space, input: &Input) {
        let key = input.text("idempotency_key").map(|key| (space, key.to_owned()));
        if let Some(key) = &key
            && !self.keys.insert(key.clone())
        {
            return;
        }
        let json = input.to_json();
        let bytes = json.len();
        for forgotten in self.latest.push(Tracked { json, key }, bytes) {
            forgotten.key.map(|key| self.keys.remove(&key));
        }
    }

    pub(crate) fn to_json(&self) -> Vec<String> {
        self.latest.iter().map(|event| event.json.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(body: &str) -> Input {
        let headers = http::HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().unwrap())]);
        Input::read(None, &headers, body.as_bytes())
    }

    fn errors(body: &str) -> String {
        match validate(&input(body)) {
            Ok(()) => String::new(),
            Err(refusal) => String::from_utf8(refusal.into_answer(true, "").body().to_vec()).unwrap(),
        }
    }

    #[test]
    fn one_identification_will_do_and_the_pair_stays_together() {
        let cases = [
            (r#"{"event_name":"purchase","email":"a@example.com"}"#, ""),
            (r#"{"event_name":"purchase","comet_token":"t","amount":"1.5"}"#, ""),
            (r#"{"event_name":"purchase","fingerprint":"f","ip":"192.0.2.1"}"#, ""),
            (r#"{"event_name":"purchase","fingerprint":"f"}"#, r#""ip":["The ip field is required when fingerprint"#),
            (
                r#"{"event_name":"purchase","email":"e","ip":"i"}"#,
                r#""fingerprint":["The fingerprint field is required"#,
            ),
            (r#"{"event_name":"purchase"}"#, r#""email":["The email field is required when none of comet token / "#),
            (r#"{"event_name":"purchase","email":"e","amount":"much"}"#, "The amount field must be a number."),
            (r#"{"email":"e"}"#, "The event name field is required."),
            (r#"{"event_name":7,"email":"e"}"#, "The selected event name is invalid."),
        ];
        for (body, expected) in cases {
            let found = errors(body).replace("\\/", "/");
            assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{body}: {found}");
        }
    }

    #[test]
    fn event_names_are_the_documented_ones() {
        for name in ["purchase", "custom_event_1", "custom_event_50"] {
            assert!(is_event_name(name), "{name}");
        }
        for name in ["", "Purchase", "custom_event_", "custom_event_0", "custom_event_51", "custom_event_01"] {
            assert!(!is_event_name(name), "{name}");
        }
    }

    #[test]
    fn an_idempotency_key_counts_once_in_its_space() {
        let mut tracked = TrackedEvents::new();
        let space = Space::active();
        for (space, body) in [
            (space, r#"{"idempotency_key":"a","n":1}"#),
            (space, r#"{"idempotency_key":" a ","n":2}"#),
            (Space::active(), r#"{"idempotency_key":"a","n":3}"#),
            (space, r#"{"n":4}"#),
            (space, r#"{"n":4}"#),
        ] {
            tracked.add(space, &input(body));
        }
        let events = tracked.to_json().join(" ");
        assert_eq!(events, r#"{"idempotency_key":"a","n":1} {"idempotency_key":"a","n":3} {"n":4} {"n":4}"#);
    }

    #[test]
    fn an_event_is_forgotten_together_with_its_idempotency_key() {
        let mut tracked = TrackedEvents { latest: Ring::new(1, MAX_BYTES), keys: HashSet::new() };
        let space = Space::active();
        for key in ["a", "b", "a"] {
            tracked.add(space, &input(&format!(r#"{{"idempotency_key":"{key}"}}"#)));
        }
        assert_eq!(tracked.to_json(), [r#"{"idempotency_key":"a"}"#]);
        assert_eq!(tracked.keys.len(), 1);
    }
}
