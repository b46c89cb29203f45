//! `POST /events/track`: takes an event in.

use http::StatusCode;
use serde_json::json;

use crate::laravel::answer::{self, Answer};
use crate::laravel::input::Input;
use crate::laravel::refusal::{FieldErrors, Refusal};
use crate::laravel::rules::{self, Rule};
use crate::visit::Visit;

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

/// Every other field that an event may have, in the order of the documentation.
pub(crate) const FIELDS: &[(&str, Rule)] = &[
    ("email", Rule::Email),
    ("comet_token", Rule::Text),
    ("fingerprint", Rule::Text),
    ("ip", Rule::Ip),
    ("tracking_id", Rule::TextOrNumber),
    ("full_name", Rule::Text),
    ("first_name", Rule::Text),
    ("last_name", Rule::Text),
    ("phone", Rule::TextOrNumber),
    ("user_agent", Rule::Text),
    ("event_time", Rule::Date),
    ("url", Rule::Text),
    ("amount", Rule::Number),
    ("order_id", Rule::TextOrNumber),
    ("order_name", Rule::Text),
    ("checkout_token", Rule::Text),
    ("is_upsell", Rule::Boolean),
    ("upsell_common_id", Rule::TextOrNumber),
    ("comet_source", Rule::Text),
    ("comet_network", Rule::Text),
    ("comet_campaign", Rule::Text),
    ("comet_ad_group", Rule::Text),
    ("comet_ad_id", Rule::TextOrNumber),
    ("comet_keyword", Rule::Text),
    ("comet_type", Rule::Text),
    ("idempotency_key", Rule::ShortText),
    ("do_not_capi", Rule::Boolean),
];

pub(crate) fn accept(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    validate(visit.input)?;
    let records = &mut *visit.records;
    records.tracked.add(&records.store, visit.space, visit.now, visit.input)?;
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
    rules::check(input, FIELDS, &mut errors);
    errors.into_result()
}

/// Whether an event may have this name.
pub(crate) fn is_event_name(name: &str) -> bool {
    let custom = name.strip_prefix("custom_event_").filter(|number| !number.starts_with(['0', '+']));
    EVENT_NAMES.contains(&name)
        || custom.and_then(|number| number.parse().ok()).is_some_and(|number: u8| (1..=50).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(body: &str) -> String {
        validate(&Input::of_body(body)).err().map_or_else(String::new, Refusal::told)
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
            (r#"{"event_name":"purchase","email":"e"}"#, "The email field must be a valid email address."),
            (r#"{"event_name":"purchase","email":"e@x","url":["u"]}"#, "The url field must be a string."),
            (
                r#"{"event_name":"purchase","email":"e@x","is_upsell":"yes"}"#,
                "The is upsell field must be true or false.",
            ),
            (
                r#"{"event_name":"purchase","email":"e@x","event_time":"soon"}"#,
                "The event time field must be a valid date.",
            ),
            (r#"{"event_name":"purchase","email":"e@x","order_id":5,"unknown":[]}"#, ""),
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
}
