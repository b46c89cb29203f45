//! Each call against its vector: the request's bytes, the answer's bytes, and what they are read as, without a socket.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test"
)]

use cometly::{
    Amount, Api, ApiKey, Cursor, Endpoint, Export, ExportOrdered, Flow as _, Id, Moment, Page, Pages, Step,
    bytes::Bytes,
    companies::{ExportCompanies, GetCompany, GetCompanyExport, ListCompanies, UpdateCompany},
    contacts::{
        CreateContact, CustomFields, ExportContacts, GetContact, GetContactExport, ListContacts, UpdateContact,
    },
    events::{
        AttributionModel, AttributionWindow, EventField, EventName, EventTime, ExportEvents, GetEventExport, Identity,
        ListEvents, Source, TrackEvent,
    },
    http,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Vector {
    request: Request,
    answer: Answer,
    read: Value,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    target: String,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
struct Answer {
    status: u16,
    body: String,
}

/// An answer as JSON, to be compared.
trait Shown {
    fn shown(&self) -> Value;
}

macro_rules! shown_as_serialized {
    ($($type:ty),+) => {
        $(impl Shown for $type {
            fn shown(&self) -> Value {
                serde_json::to_value(self).unwrap()
            }
        })+
    };
}
shown_as_serialized!(cometly::events::Tracked, cometly::contacts::Contact, cometly::companies::Company);

impl<T: Serialize> Shown for Page<T> {
    fn shown(&self) -> Value {
        let next = self.next_cursor().map(Cursor::as_str);
        json!({"rows": self.rows(), "next_cursor": next, "is_first": self.is_first()})
    }
}

impl Shown for ExportOrdered {
    fn shown(&self) -> Value {
        json!({"export_id": self.export_id.to_string(), "status": self.status.as_str()})
    }
}

impl Shown for Export {
    fn shown(&self) -> Value {
        let mut shown = json!({"export_id": self.export_id.to_string(), "status": self.status.as_str()});
        for (name, value) in [
            ("created_at", self.created_at.as_deref()),
            ("message", self.message.as_deref()),
            ("download_url", self.download_url.as_ref().map(cometly::DownloadUrl::expose_secret)),
            ("completed_at", self.completed_at.as_deref()),
            ("expires_at", self.expires_at.as_deref()),
        ] {
            if let Some(value) = value {
                shown[name] = value.into();
            }
        }
        shown
    }
}

fn api() -> Api {
    Api::new(ApiKey::new("12|abcdef").unwrap())
}

fn vector(name: &str) -> Vector {
    let path = format!("{}/../../tests/vectors/calls/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn check<E: Endpoint<Output: Shown>>(name: &str, endpoint: E) {
    check_call(name, endpoint.call(&api()), &endpoint);
}

fn check_call<E: Endpoint<Output: Shown>>(name: &str, call: cometly::Call, endpoint: &E) {
    let Vector { request, answer, read } = vector(name);
    let sent = call.to_request().unwrap();
    assert_eq!(sent.method().as_str(), request.method, "{name}");
    assert_eq!(sent.uri().path_and_query().unwrap().as_str(), request.target, "{name}");
    assert_eq!(std::str::from_utf8(sent.body()).unwrap(), request.body, "{name}");

    let response = http::Response::builder().status(answer.status).body(Bytes::from(answer.body)).unwrap();
    let reply = api().read(response).into_result().unwrap();
    assert_eq!(endpoint.read(&reply).unwrap().shown(), read, "{name}");
}

#[test]
fn events() {
    let track = TrackEvent::new(EventName::PURCHASE, Identity::email("ada@example.com"), "order-1001")
        .amount(Amount::from_cents(1250).unwrap())
        .order_id("1001")
        .event_time(EventTime::unix(1_795_514_400).unwrap());
    check("track_event", track.build().unwrap());

    let list = ListEvents::on("2026-11-24")
        .event_names([EventName::PURCHASE, EventName::custom(7).unwrap()])
        .sources([Source::FACEBOOK_ADS], AttributionModel::LAST_TOUCH, AttributionWindow::days(30).unwrap())
        .fields([EventField::ID, EventField::AMOUNT, EventField::TOUCHPOINTS])
        .per_page(4000);
    check("list_events", list.build().unwrap());

    let export = ExportEvents::on("2026-11-24")
        .event_names([EventName::PURCHASE, EventName::UPSELL_PURCHASE])
        .fields([EventField::ID, EventField::EMAIL]);
    check("export_events", export.build().unwrap());
    check("get_event_export", GetEventExport::new("x-1".parse().unwrap()));
}

#[test]
fn contacts() {
    let list = ListContacts::created_between("2026-11-01", "2026-12-01")
        .include_all_emails()
        .include_custom_fields_by_label()
        .per_page(5000)
        .build()
        .unwrap();
    // As the pages ask for the second one.
    let mut pages = Pages::resume(&list, "eyJpZCI6N30".parse().unwrap());
    let Ok(Step::Send(call)) = pages.next(&api(), Moment::now()) else { panic!("the first step is a call") };
    check_call("list_contacts", call, &list);

    check("get_contact", GetContact::new(7).include_events().show_direct_touchpoints());

    let fields = CustomFields::new().text(1, "pro").number(16, 12).date(26, "2026-11-24");
    let create = CreateContact::new(["ada@example.com"]).names(["Ada Lovelace"]).custom_fields(fields);
    check("create_contact", create.build().unwrap());

    let update = UpdateContact::new(9)
        .replace_names(["Ada Lovelace"])
        .wipe_phones()
        .replace_custom_fields(CustomFields::new().text(1, "pro"));
    check("update_contact", update.build().unwrap());

    let export =
        ExportContacts::created_between("2026-11-01", "2026-12-01").include_comet_tokens().include_all_emails();
    check("export_contacts", export.build().unwrap());
    check("get_contact_export", GetContactExport::new("x-1".parse().unwrap()));
}

#[test]
fn what_is_asked_for_twice_is_sent_once() {
    let list = ListContacts::created_on("2026-11-24").include_all_emails().include_all_emails().build().unwrap();
    let contact = GetContact::new(7).include_events().show_direct_touchpoints().include_events();
    for (call, expected) in [
        (
            list.call(&api()),
            "start_date=2026-11-24%2000%3A00%3A00&end_date=2026-11-24%2023%3A59%3A59&include_all_emails=1",
        ),
        (contact.call(&api()), "hide_direct_touchpoints=0&include_events=1"),
    ] {
        assert_eq!(call.to_request().unwrap().uri().query(), Some(expected));
    }
}

#[test]
fn companies() {
    check("list_companies", ListCompanies::all().per_page(5000).build().unwrap());
    check("get_company", GetCompany::new(1));
    check("update_company", UpdateCompany::new(Id::new("a/b").unwrap()).name("Example Ltd").build().unwrap());
    check("export_companies", ExportCompanies::created_between("2026-11-01", "2026-12-01").unwrap());
    check("get_company_export", GetCompanyExport::new("x-1".parse().unwrap()));
}

#[test]
fn each_vector_is_of_a_call() {
    let source = include_str!("calls.rs");
    let folder = format!("{}/../../tests/vectors/calls", env!("CARGO_MANIFEST_DIR"));
    let mut number = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(source.contains(&format!("(\"{}\"", name.trim_end_matches(".json"))), "{name}");
        number += 1;
    }
    assert_eq!(number, 15);
}
