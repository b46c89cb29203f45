use std::{thread::sleep, time::Instant};

use cometly_core::{
    Api, ApiKey, CallError, Delivery, RetryPolicy, Step,
    http::{Request, Response},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = Api::new(ApiKey::from_env()?);
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    let (started, mut attempt) = (Instant::now(), api.get("events").attempt(&RetryPolicy::default(), 1)?);
    let outcome = loop {
        while let Some(wait) = attempt.pace::<ureq::Error>(Instant::now(), started.elapsed())? {
            sleep(wait);
        }
        let step = match exchange(&agent, attempt.request().map(drop)) {
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

fn exchange(agent: &ureq::Agent, request: Request<()>) -> Result<Response<Vec<u8>>, ureq::Error> {
    let (head, mut body) = agent.run(request)?.into_parts();
    Ok(Response::from_parts(head, body.read_to_vec()?))
}
