use cometly_core::{Api, ApiKey, http::Response};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().unwrap_or_default();
    let api = Api::new(ApiKey::new(next())?);
    println!("{:?}", api.get("events").query("start_date", next()).to_request()?);
    println!("{}", api.read(Response::builder().status(next().as_str()).body(next())?));
    Ok(())
}
