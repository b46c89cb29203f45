use std::{io::Read as _, thread::sleep, time::Instant};

use cometly_core::{
    Api, ApiKey, CallError, Delivery, RetryPolicy, Step,
    http::{Request, Response},
};
use isahc::HttpClient;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = Api::new(ApiKey::from_env()?);
    let client = HttpClient::new()?;
    let (started, mut attempt) = (Instant::now(), api.get("events").attempt(&RetryPolicy::default(), 1)?);
    let outcome = loop {
        while let Some(wait) = attempt.pace::<isahc::Error>(Instant::now(), started.elapsed())? {
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

fn exchange(client: &HttpClient, request: Request<()>) -> Result<Response<Vec<u8>>, isahc::Error> {
    let (head, mut body) = client.send(request)?.into_parts();
    let mut read = Vec::new();
    body.read_to_end(&mut read)?;
    Ok(Response::from_parts(head, read))
}
