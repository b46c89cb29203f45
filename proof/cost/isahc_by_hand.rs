use std::io::Read as _;

use isahc::{Error, HttpClient};

fn client() -> Result<HttpClient, Error> {
    HttpClient::new()
}

fn exchange(client: &HttpClient, request: Request<()>) -> Result<Response<Vec<u8>>, Error> {
    let (head, mut body) = client.send(request)?.into_parts();
    let mut read = Vec::new();
    body.read_to_end(&mut read)?;
    Ok(Response::from_parts(head, read))
}
