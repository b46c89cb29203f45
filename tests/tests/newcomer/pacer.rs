//! 40 calls at once at a limit of 15 a window: all get through, and the refusals are the one or two that a new pacer learns
//! from.

use std::{thread, time::Duration};

use cometly::{Api, ApiKey, Pacer, RetryPolicy};
use cometly_emulator::Emulator;

use super::Done;

#[test]
fn forty_calls_at_once_get_through_a_limit_of_fifteen() -> Done {
    let emulator = Emulator::builder().limit("GET", "/companies", 15).window(Duration::from_secs(2)).start()?;
    let key = ApiKey::new(emulator.keys().full.as_str())?;
    let api = Api::builder(key).base_url(emulator.base_url().parse()?).pacer(Pacer::new()).build();
    let client = cometly_ureq::Client::builder().retry_policy(RetryPolicy::within(Duration::from_secs(300))).build()?;
    thread::scope(|scope| {
        for id in 1..=40 {
            let (api, client) = (&api, &client);
            let call = move || client.json::<serde_json::Value>(api.get("companies").query("per_page", id)).unwrap();
            scope.spawn(call);
        }
    });
    let requests = emulator.received_requests();
    let with = |status: u16| requests.iter().filter(|request| request.status == status).count();
    assert_eq!(with(200), 40);
    assert!(with(429) <= 2, "{} refused", with(429));
    Ok(())
}
