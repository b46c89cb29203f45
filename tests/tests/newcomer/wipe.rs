//! Wipes the phones of a contact and leaves its names.

use cometly::contacts::{CreateContact, GetContact, UpdateContact};
use cometly_emulator::Emulator;

use super::{Done, api_of};

#[test]
fn phones_are_wiped_and_names_stay() -> Done {
    let emulator = Emulator::start()?;
    let (api, client) = (api_of(&emulator)?, cometly_ureq::Client::new()?);

    let create = CreateContact::new(["ada@example.com"]).phones(["+4930123456"]).names(["Ada Lovelace"]).build()?;
    let before = client.call(&api, create)?;
    client.call(&api, UpdateContact::new(before.id.clone()).wipe_phones().build()?)?;
    let after = client.call(&api, GetContact::new(before.id.clone()))?;
    assert_eq!(before.phones.len(), 1);
    assert!(after.phones.is_empty());
    assert_eq!(after.names, ["Ada Lovelace"]);
    assert_eq!(after.emails, before.emails);
    Ok(())
}
