//! The typed calls on a client, against the emulator.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test"
)]

use std::io::Read as _;

use cometly::{
    Api, ApiKey, CallErrorKind, Download, ExportJob, ExportLines, Fetch, FlowError, Moment, Pages, PagesEnd,
    companies::{GetCompany, ListCompanies, UpdateCompany},
    contacts::{CreateContact, GetContact, UpdateContact},
    events::{Event, EventField, EventName, ExportEvents, Identity, ListEvents, TrackEvent},
};
use cometly_emulator::Emulator;
use cometly_ureq::{Client, ureq};

struct Stage {
    emulator: Emulator,
    api: Api,
    client: Client,
}

fn stage() -> Stage {
    // With a seed the events are of January 2026.
    let emulator = Emulator::builder().seed(0).seeded_events(50_000).seeded_companies(30).no_limits().start().unwrap();
    let api = Api::builder(ApiKey::new(&*emulator.keys().full).unwrap()).base_url(emulator.base_url().parse().unwrap());
    Stage { api: api.build(), emulator, client: Client::new().unwrap() }
}

#[test]
fn a_list_is_read_row_by_row_to_its_end_and_goes_on_where_it_stopped() {
    let Stage { api, client, emulator: _emulator } = stage();
    let list = ListEvents::on("2026-01-01").per_page(400).fields([EventField::ID, EventField::AMOUNT]).build().unwrap();
    let read = |pages: Pages<&ListEvents>| {
        let rows = client.run(&api, pages.rows());
        rows.map(|event| event.unwrap().id.unwrap().as_u64().unwrap()).collect::<Vec<_>>()
    };
    let ids = read(Pages::of(&list));
    assert!(ids.len() > 800 && ids.is_sorted());

    let mut first = client.run(&api, Pages::of(&list).at_most(2));
    assert_eq!(first.by_ref().map(|page| page.unwrap().len()).sum::<usize>(), 800);
    let cursor = first.into_flow().cursor().unwrap().clone();
    assert_eq!(read(Pages::resume(&list, cursor)), ids[800..]);

    let companies = ListCompanies::all().per_page(7).build().unwrap();
    assert_eq!(client.run(&api, Pages::of(companies)).end().unwrap(), PagesEnd::LastPage);
}

#[test]
fn a_cursor_that_the_server_cannot_read_is_no_second_beginning() {
    let Stage { api, client, emulator: _emulator } = stage();
    let list = ListEvents::on("2026-01-01").build().unwrap();
    let error = client.run(&api, Pages::resume(list, "nonsense".parse().unwrap())).end().unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::Flow);
    assert!(matches!(error.flow_error(), Some(FlowError::BackAtFirstPage)), "{error}");
}

#[test]
fn one_call_is_typed_and_what_is_not_there_is_none() {
    let Stage { api, client, emulator } = stage();
    let event = TrackEvent::new(EventName::PURCHASE, Identity::email("ada@example.com"), "order-1").amount("12.50");
    client.call(&api, event.build().unwrap()).unwrap();
    assert_eq!(emulator.tracked_events().len(), 1);

    let contact = CreateContact::new(["ada@example.com"]).phones(["+49301234567"]).names(["Ada"]).build().unwrap();
    let id = client.call(&api, contact).unwrap().id;
    let wiped = client.call(&api, UpdateContact::new(&id).wipe_phones().build().unwrap()).unwrap();
    assert_eq!((wiped.names, wiped.phones.len()), (vec!["Ada".to_owned()], 0));
    assert!(client.call_opt(&api, GetContact::new(&id)).unwrap().is_some());
    assert!(client.call_opt(&api, GetContact::new(999_999)).unwrap().is_none());

    let company = client.call(&api, UpdateCompany::new(7).name("Example Ltd").build().unwrap()).unwrap();
    assert_eq!(client.call(&api, GetCompany::new(7)).unwrap(), company);
}

#[test]
fn an_export_is_ordered_awaited_downloaded_and_read() {
    let Stage { api, client, emulator } = stage();
    let order = ExportEvents::on("2026-01-02").fields([EventField::ID]).build().unwrap();
    let export = client.run(&api, ExportJob::new(order)).end().unwrap();

    let (mut download, mut lines) = (Download::of::<ExportEvents>(&export, &api).unwrap(), ExportLines::new());
    let (mut body, mut buffer, mut ids) = (None, [0; 512], Vec::new());
    loop {
        match download.next(&api, Moment::now()).unwrap() {
            Fetch::Open(request) => {
                let (head, reader) = ureq::run(request).unwrap().into_parts();
                body = Some(reader.into_reader());
                download.on_head(head.status, &head.headers, Moment::now()).unwrap();
            }
            Fetch::Read => {
                let len = body.as_mut().unwrap().read(&mut buffer).unwrap();
                lines.push(buffer[..len].to_vec());
                while let Some(event) = lines.next_row::<Event>().unwrap() {
                    ids.push(event.unwrap().id.unwrap().as_u64().unwrap());
                }
                download.on_read(len, Moment::now()).unwrap();
            }
            Fetch::End => break,
            other => panic!("{other:?}"),
        }
    }
    lines.finish();
    assert!(lines.next_line().unwrap().is_none() && lines.is_whole());
    let list = ListEvents::on("2026-01-02").build().unwrap();
    let listed = client.run(&api, Pages::of(list).rows()).map(|event| event.unwrap().id.unwrap().as_u64().unwrap());
    assert!(ids.len() > 100 && ids.into_iter().eq(listed));
    assert!(emulator.leaked_keys().is_empty());
}
