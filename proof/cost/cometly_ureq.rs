use cometly_ureq::{Client, cometly_core::Api};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = Api::from_env()?;
    println!("{}", Client::new()?.send(api.get("events"))?);
    Ok(())
}
