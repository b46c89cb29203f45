use ureq::{Agent, Error};

fn client() -> Result<Agent, Error> {
    Ok(Agent::new_with_config(Agent::config_builder().http_status_as_error(false).build()))
}

fn exchange(agent: &Agent, request: Request<()>) -> Result<Response<Vec<u8>>, Error> {
    let (head, mut body) = agent.run(request)?.into_parts();
    Ok(Response::from_parts(head, body.read_to_vec()?))
}
