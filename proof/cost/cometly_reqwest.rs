use cometly_reqwest::{Client, cometly_core::Api};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = Api::from_env()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(Client::new()?.send(api.get("events")))?);
    Ok(())
}
