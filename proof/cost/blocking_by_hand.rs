use cometly_core::{
    Api, Moment, Next, RetryPolicy, TransportError, TransportLimits,
    http::{Request, Response},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (api, client) = (Api::from_env()?, client()?);
    let (policy, limits) = (RetryPolicy::default(), TransportLimits::default());
    let mut operation = api.get("events").start(&policy, &limits, 1, Moment::now())?;
    let outcome = loop {
        operation = match operation.next(Moment::now()) {
            Next::Wait { pause, operation } => {
                std::thread::sleep(pause);
                operation
            }
            Next::Send(attempt) => {
                let answer = exchange(&client, attempt.request().map(drop)).map_err(TransportError::unknown);
                attempt.finish(answer, Moment::now())
            }
            Next::Done(result) => break result?,
        };
    };
    println!("{outcome}");
    Ok(())
}
