fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let response = reqwest::Client::new().get(url).send().await?;
        println!("{} {}", response.status(), response.bytes().await?.len());
        Ok(())
    })
}
