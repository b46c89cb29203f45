//! Yesterday's purchases as CSV.

use cometly::{
    Pages, SpaceDate,
    events::{EventField, EventName, ListEvents},
};
use cometly_emulator::Emulator;
use jiff::{Timestamp, tz::TimeZone};

use super::{Done, api_of};

#[test]
fn yesterdays_purchases_become_csv() -> Done {
    let emulator = Emulator::builder().seeded_events(30_000).start()?;
    let (api, client) = (api_of(&emulator)?, cometly_ureq::Client::new()?);

    let yesterday = SpaceDate::yesterday(Timestamp::now(), &TimeZone::get("Europe/Berlin")?)?;
    let list = ListEvents::on(yesterday).event_names([EventName::PURCHASE]);
    let list = list.fields([EventField::ID, EventField::EMAIL, EventField::AMOUNT]).build()?;
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["id", "email", "amount"])?;
    for purchase in client.run(&api, Pages::of(list).rows()) {
        let purchase = purchase?;
        csv.serialize((purchase.id, purchase.email, purchase.amount))?;
    }
    let csv = String::from_utf8(csv.into_inner()?)?;
    assert!(csv.lines().count() > 100, "{csv}");
    let is_full = |line: &str| line.split(',').count() == 3 && line.split(',').all(|cell| !cell.is_empty());
    assert!(csv.lines().all(is_full), "{csv}");
    Ok(())
}
