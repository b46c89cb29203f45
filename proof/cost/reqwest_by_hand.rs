use std::time::Instant;

use cometly_core::{
    Api, ApiKey, CallError, Delivery, RetryPolicy, Step,
    bytes::Bytes,
    http::{Request, Response},
};
use reqwest::Client;
use tokio::time::sleep;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = Api::new(ApiKey::from_env()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::new();
        let (started, mut attempt) = (Instant::now(), api.get("events").attempt(&RetryPolicy::default(), 1)?);
        let outcome = loop {
            while let Some(wait) = attempt.pace::<reqwest::Error>(Instant::now(), started.elapsed())? {
                sleep(wait).await;
            }
            let step = match exchange(&client, attempt.request()).await {
                Ok(response) => attempt.on_response(response, started.elapsed()),
                Err(error) => attempt.on_error(CallError::transport(Delivery::Unknown, error), started.elapsed()),
            };
            match step {
                Step::Done(result) => break result?,
                Step::Retry { after, next } => {
                    sleep(after).await;
                    attempt = next;
                }
            }
        };
        println!("{outcome}");
        Ok(())
    })
}

async fn exchange(client: &Client, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
    let answer = client.execute(request.try_into()?).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(answer.bytes().await?);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
