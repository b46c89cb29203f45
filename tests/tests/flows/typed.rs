//! Each of the 15 typed calls, as each client makes it on the emulator.

use std::time::Duration;

use cometly::{
    ExportId,
    companies::{ExportCompanies, GetCompany, GetCompanyExport, ListCompanies, UpdateCompany},
    contacts::{CreateContact, ExportContacts, GetContact, GetContactExport, ListContacts, UpdateContact},
    events::{EventField, EventName, ExportEvents, GetEventExport, Identity, ListEvents, TrackEvent},
};
use cometly_core::{Endpoint, Export, ExportOrdered};
use cometly_emulator::Emulator;

use crate::drivers::{Driver, Stage, for_each_driver};

/// Orders an export and asks after it.
fn export<D: Driver, O, E>(driver: &D, stage: &Stage, order: O, status: impl Fn(ExportId) -> E)
where
    O: Endpoint<Output = ExportOrdered> + Send,
    E: Endpoint<Output = Export> + Send,
{
    let ordered = driver.call(&stage.api, order).unwrap();
    assert_eq!(ordered.status.as_str(), "queued");
    let export = driver.call(&stage.api, status(ordered.export_id.clone())).unwrap();
    assert_eq!(export.export_id, ordered.export_id);
}

fn each_typed_call_is_answered_and_read<D: Driver>() {
    let emulator = Emulator::builder().seed(1).seeded_events(300).seeded_contacts(5).seeded_companies(5).no_limits();
    let (stage, driver) = (Stage::new(emulator), D::new(Duration::from_secs(20)));
    let (api, month) = (&stage.api, ("2026-01-01", "2026-01-31"));

    let track = TrackEvent::new(EventName::PURCHASE, Identity::email("ada@example.com"), "order-1001");
    driver.call(api, track.build().unwrap()).unwrap();
    let list = ListEvents::on("2026-01-02").fields([EventField::ID, EventField::EMAIL]).build().unwrap();
    let events = driver.call(api, list).unwrap();
    assert!(events.rows().len() == 10 && events.rows().iter().all(|event| event.id.is_some()), "{events:?}");
    export(&driver, &stage, ExportEvents::on("2026-01-02").build().unwrap(), GetEventExport::new);

    let contacts = driver.call(api, ListContacts::created_between(month.0, month.1).build().unwrap()).unwrap();
    assert_eq!(contacts.rows().len(), 5);
    let create = CreateContact::new(["ada@example.com"]).phones(["+4930123456"]).build().unwrap();
    let created = driver.call(api, create).unwrap();
    let update = UpdateContact::new(created.id.clone()).replace_names(["Ada"]).wipe_phones().build().unwrap();
    driver.call(api, update).unwrap();
    let updated = driver.call(api, GetContact::new(created.id)).unwrap();
    assert_eq!((updated.names, updated.phones.len()), (vec!["Ada".to_owned()], 0));
    export(&driver, &stage, ExportContacts::created_between(month.0, month.1).build().unwrap(), GetContactExport::new);

    let companies = driver.call(api, ListCompanies::all().build().unwrap()).unwrap();
    assert_eq!(companies.rows().len(), 5);
    driver.call(api, UpdateCompany::new(3).name("Example Ltd").build().unwrap()).unwrap();
    assert_eq!(driver.call(api, GetCompany::new(3)).unwrap().name.as_deref(), Some("Example Ltd"));
    export(&driver, &stage, ExportCompanies::created_between(month.0, month.1).unwrap(), GetCompanyExport::new);

    let statuses: Vec<_> = stage.emulator.received_requests().iter().map(|request| request.status).collect();
    assert!(statuses.len() == 15 && statuses.iter().all(http::StatusCode::is_success), "{statuses:?}");
}

for_each_driver![each_typed_call_is_answered_and_read];
