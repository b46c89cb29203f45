fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_default();
    let mut response = ureq::Agent::new_with_defaults().get(url).call()?;
    println!("{} {}", response.status(), response.body_mut().read_to_vec()?.len());
    Ok(())
}
