use cometly_core::{
    Api, Moment, Next, RetryPolicy, TransportError, TransportLimits,
    bytes::Bytes,
    http::{Request, Response},
};
use reqwest::Client;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = Api::from_env()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::new();
        let (policy, limits) = (RetryPolicy::default(), TransportLimits::default());
        let mut operation = api.get("events").start(&policy, &limits, 1, Moment::now())?;
        let outcome = loop {
            operation = match operation.next(Moment::now()) {
                Next::Wait { pause, operation } => {
                    tokio::time::sleep(pause).await;
                    operation
                }
                Next::Send(attempt) => {
                    let answer = exchange(&client, attempt.request()).await.map_err(TransportError::unknown);
                    attempt.finish(answer, Moment::now())
                }
                Next::Done(result) => break result?,
            };
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
