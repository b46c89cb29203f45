use std::io::Read as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_default();
    let mut response = isahc::HttpClient::new()?.get(url)?;
    let mut body = Vec::new();
    response.body_mut().read_to_end(&mut body)?;
    println!("{} {}", response.status(), body.len());
    Ok(())
}
