//! Contacts and companies, byte for byte where it matters.

mod wire;

use cometly_emulator::{Ability, Clock, Emulator, Space};
use serde_json::{Value, json};
use wire::{ask, call, one_error};

const LIST: &str = "/contacts?start_date=2026-01-01%2000:00:00&end_date=2026-12-31%2023:59:59";

#[test]
fn a_list_of_contacts_shows_the_first_of_each_and_what_is_asked_for() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let page = ask(&emulator, "GET", &format!("{LIST}&per_page=5"), "", 200);
    let row = &page["data"][3];
    assert_eq!(row.as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "email", "name", "phone", "location"]);
    assert_eq!((&row["id"], &row["email"]), (&json!(4), &json!("contact-4@example.com")));
    assert_eq!((&page["data"][4]["phone"], &page["data"][4]["location"]), (&Value::Null, &Value::Null));

    let all = "&include_comet_tokens=1&include_all_emails=1&include_custom_fields=1";
    let row = &ask(&emulator, "GET", &format!("{LIST}&per_page=4{all}"), "", 200)["data"][3];
    assert_eq!(row["emails"].as_array().unwrap().len(), 2);
    assert_eq!(row["comet_tokens"], json!(["comet-00000004"]));
    assert_eq!(row["custom_fields"].as_object().unwrap().len(), 30);
    let labels = ask(&emulator, "GET", &format!("{LIST}&per_page=1{all}&use_custom_field_labels=1"), "", 200);
    assert!(labels["data"][0]["custom_fields"]["Profile Field 1"].is_string());

    let wrong = ask(&emulator, "GET", &format!("{LIST}&include_all_emails=yes"), "", 422);
    assert_eq!(wrong, one_error("include_all_emails", "The include all emails field must be true or false."));
    ask(&emulator, "GET", "/contacts", "", 422);
}

#[test]
fn a_contact_is_created_read_and_listed_in_its_space() {
    let clock = Clock::stopped();
    let emulator = Emulator::builder().seed(0).no_limits().seeded_contacts(2).clock(clock).start().unwrap();
    let body =
        r#"{"emails":[" a@example.com ","b@example.com"],"names":["A / B"],"custom_fields":{"profile_field_16":3}}"#;
    let answer = call(&emulator, &emulator.keys().full, "POST", "/contacts", body);
    assert_eq!(answer.status, "201 Created");
    let start = concat!(
        r#"{"id":3,"emails":["a@example.com","b@example.com"],"phones":[],"names":["A \/ B"],"locations":[],"#,
        r#""custom_fields":{"profile_field_1":null,"#
    );
    assert!(answer.body.starts_with(start), "{answer:?}");
    assert!(answer.body.contains(r#""profile_field_16":3,"#), "{answer:?}");
    assert_eq!(call(&emulator, &emulator.keys().full, "GET", "/contacts/3", "").body, answer.body);

    let elsewhere = emulator.issue_key(Space::active(), Ability::ALL);
    let missing = call(&emulator, &elsewhere, "GET", "/contacts/3", "");
    assert_eq!(missing.body, "{\n    \"message\": \"No query results for model [App\\\\Models\\\\Contact] 3\"\n}");
    assert_eq!(missing.status, "404 Not Found");
    let list =
        ask(&emulator, "GET", "/contacts?start_date=2026-02-01%2000:00:00&end_date=2999-01-01%2000:00:00", "", 200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(list["data"][0]["email"], "a@example.com");
}

#[test]
fn a_contact_needs_an_address_and_a_good_id() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    for body in ["", "{}", r#"{"emails":[]}"#, r#"{"emails":null,"names":["A"]}"#] {
        let refused = ask(&emulator, "POST", "/contacts", body, 422);
        assert_eq!(refused, one_error("emails", "The emails field is required."), "{body}");
    }
    let refused = ask(&emulator, "POST", "/contacts", r#"{"emails":["a@example.com","b"],"phones":"1"}"#, 422);
    let expected = json!({
        "message": "The emails.1 field must be a valid email address. (and 1 more error)",
        "errors": {
            "emails.1": ["The emails.1 field must be a valid email address."],
            "phones": ["The phones field must be an array."],
        },
    });
    assert_eq!(refused, expected);
    let cases = [("x", "The id field must be an integer."), ("0", "The id field must be at least 1.")];
    for (id, message) in cases {
        assert_eq!(ask(&emulator, "GET", &format!("/contacts/{id}"), "", 422), one_error("id", message));
    }
    ask(&emulator, "GET", "/contacts/251", "", 404);
}

#[test]
fn an_update_replaces_what_is_given_and_nothing_else() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let before = ask(&emulator, "GET", "/contacts/1", "", 200);
    assert_eq!(before["custom_fields"]["profile_field_1"].as_str().map(str::is_empty), Some(false));

    let after = ask(&emulator, "PUT", "/contacts/1", r#"{"phones":[],"emails":["new@example.com"]}"#, 200);
    assert_eq!((&after["phones"], &after["emails"]), (&json!([]), &json!(["new@example.com"])));
    for untouched in ["names", "locations", "custom_fields"] {
        assert_eq!(after[untouched], before[untouched]);
    }
    let custom = r#"{"custom_fields":{"profile_field_26":"2026-01-01"}}"#;
    let fields = ask(&emulator, "PUT", "/contacts/1", custom, 200)["custom_fields"].clone();
    assert_eq!((&fields["profile_field_26"], &fields["profile_field_1"]), (&json!("2026-01-01"), &Value::Null));
    assert_eq!(ask(&emulator, "GET", "/contacts/1", "", 200)["custom_fields"], fields);

    let message = "The emails field is required when none of phones / names / locations / custom fields are present.";
    for nothing in ["", "{}", r#"{"unknown":1}"#] {
        assert_eq!(ask(&emulator, "PUT", "/contacts/1", nothing, 422), one_error("emails", message));
    }
    let null = ask(&emulator, "PUT", "/contacts/1", r#"{"names":""}"#, 422);
    assert_eq!(null, one_error("names", "The names field must be an array."));
    ask(&emulator, "PUT", "/contacts/999", r#"{"names":["A"]}"#, 404);

    let elsewhere = emulator.issue_key(Space::active(), Ability::ALL);
    let seen: Value = serde_json::from_str(&call(&emulator, &elsewhere, "GET", "/contacts/1", "").body).unwrap();
    assert_eq!(seen, before);
}

#[test]
fn a_contact_comes_with_its_events_if_asked() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let event = r#"{"event_name":"purchase","email":"contact-1@example.com","amount":12}"#;
    ask(&emulator, "POST", "/events/track", event, 202);
    let options = "include_events=1&include_comet_tokens=1&include_browsing_session_data=1&hide_direct_touchpoints=0";
    let contact = ask(&emulator, "GET", &format!("/contacts/1?{options}"), "", 200);
    let events = contact["events"].as_array().unwrap();
    assert_eq!(events[0]["amount"], 12);
    assert!(events.iter().all(|event| event["email"] == "contact-1@example.com"));
    assert_eq!(contact["browsing_session_hits"], json!([]));
    assert_eq!(contact["comet_tokens"], json!(["comet-00000001"]));
}

#[test]
fn a_company_is_read_and_changed_field_by_field() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let key = &emulator.keys().full;
    let body = r#"{"id":7,"domain":"company-7.example","name":"Company 7"}"#;
    assert_eq!(call(&emulator, key, "GET", "/companies/7", "").body, body);
    let body = r#"{"id":7,"domain":"company-7.example","name":"Seven"}"#;
    assert_eq!(call(&emulator, key, "PUT", "/companies/7", r#"{"name":" Seven "}"#).body, body);
    assert_eq!(call(&emulator, key, "GET", "/companies/7", "").body, body);
    let page = ask(&emulator, "GET", "/companies?per_page=7", "", 200);
    assert_eq!(page["data"][6]["name"], "Seven");

    let nothing = json!({
        "message": "The domain field is required when name is not present. (and 1 more error)",
        "errors": {
            "domain": ["The domain field is required when name is not present."],
            "name": ["The name field is required when domain is not present."],
        },
    });
    assert_eq!(ask(&emulator, "PUT", "/companies/7", r#"{"name":""}"#, 422), nothing);
    let long = json!({ "domain": "x".repeat(256) }).to_string();
    let message = "The domain field must not be greater than 255 characters.";
    assert_eq!(ask(&emulator, "PUT", "/companies/7", &long, 422), one_error("domain", message));
    ask(&emulator, "GET", "/companies/0", "", 422);
    ask(&emulator, "PUT", "/companies/251", r#"{"name":"A"}"#, 404);
    ask(&emulator, "POST", "/companies", r#"{"name":"A"}"#, 405);
}

#[test]
fn each_endpoint_has_its_limit_and_its_ability() {
    let emulator = Emulator::start().unwrap();
    // The documentation's limits; none where it names none.
    let table = [
        ("GET", "/events", Some(7), Ability::EventsRead),
        ("POST", "/events/track", None, Ability::EventsWrite),
        ("POST", "/events/exports", Some(5), Ability::EventsRead),
        ("GET", "/events/exports/1", Some(30), Ability::EventsRead),
        ("GET", "/contacts", Some(15), Ability::ContactsRead),
        ("POST", "/contacts", Some(60), Ability::ContactsWrite),
        ("GET", "/contacts/1", Some(30), Ability::ContactsRead),
        ("PUT", "/contacts/1", None, Ability::ContactsWrite),
        ("POST", "/contacts/exports", None, Ability::ContactsRead),
        ("GET", "/contacts/exports/1", None, Ability::ContactsRead),
        ("GET", "/companies", Some(15), Ability::CompaniesRead),
        ("GET", "/companies/1", None, Ability::CompaniesRead),
        ("PUT", "/companies/1", Some(60), Ability::CompaniesWrite),
        ("POST", "/companies/exports", None, Ability::CompaniesRead),
        ("GET", "/companies/exports/1", None, Ability::CompaniesRead),
    ];
    for (method, path, limit, ability) in table {
        let others: Vec<_> = Ability::ALL.iter().copied().filter(|other| *other != ability).collect();
        let answer = call(&emulator, &emulator.issue_key(Space::active(), &others), method, path, "");
        assert_eq!(answer.status, "403 Forbidden", "{method} {path}");
        assert!(answer.body.contains("Invalid ability provided."), "{answer:?}");
        let told = answer.header("X-Ratelimit-Limit").map(|limit| limit.parse::<u32>().unwrap());
        assert_eq!(told, limit, "{method} {path}");

        let answer = call(&emulator, &emulator.issue_key(Space::active(), &[ability]), method, path, "");
        assert!(
            !answer.status.starts_with('4') || answer.status.starts_with("404") || answer.status.starts_with("422")
        );
    }
}
