//! An endpoint that `cometly` lacks, on two clients.

use cometly::{Endpoint, endpoint};
use cometly_emulator::{Emulator, Fault};
use serde::Deserialize;

use super::{Done, api_of};

#[derive(Debug, PartialEq, Deserialize)]
struct Thing {
    id: u64,
    name: String,
}

/// `GET things/{id}`.
fn get_thing(id: u64) -> impl Endpoint<Output = Thing> {
    endpoint(move |api| api.get("things/{id}").segment(id))
}

#[tokio::test]
async fn an_endpoint_of_ones_own_is_typed_on_two_clients() -> Done {
    let emulator = Emulator::start()?;
    let answer = Fault::stub(200).header("Content-Type", "application/json").body(r#"{"id":7,"name":"seven"}"#);
    emulator.inject(answer.for_method("GET").for_path("/things/{id}"));
    let api = api_of(&emulator)?;

    let on_reqwest = cometly_reqwest::Client::new()?.call(&api, get_thing(7)).await?;
    let on_isahc = cometly_isahc::Client::new()?.call(&api, get_thing(7)).await?;
    assert_eq!(on_reqwest, Thing { id: 7, name: "seven".into() });
    assert_eq!(on_isahc, on_reqwest);
    assert_eq!(emulator.received_requests()[1].path, "/public-api/v1/things/7");
    Ok(())
}
