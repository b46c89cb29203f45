use std::{thread::sleep, time::Instant};

use cometly_core::{
    Api, ApiKey, CallError, Delivery, RetryPolicy, Step,
    http::{Request, Response},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (api, client) = (Api::new(ApiKey::from_env()?), client()?);
    let (started, mut attempt) = (Instant::now(), api.get("events").attempt(&RetryPolicy::default(), 1)?);
    let outcome = loop {
        while let Some(wait) = attempt.pace::<Error>(Instant::now(), started.elapsed())? {
            sleep(wait);
        }
        let step = match exchange(&client, attempt.request().map(drop)) {
            Ok(response) => attempt.on_response(response, started.elapsed()),
            Err(error) => attempt.on_error(CallError::transport(Delivery::Unknown, error), started.elapsed()),
        };
        match step {
            Step::Done(result) => break result?,
            Step::Retry { after, next } => {
                sleep(after);
                attempt = next;
            }
        }
    };
    println!("{outcome}");
    Ok(())
}
