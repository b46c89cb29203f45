//! The cases, by what they are about. Each is named for what it proves, and cites the rows of `docs/faults.md` that it covers.

use cometly_core::{Api, ApiBuilder, ApiKey, Call};

use crate::{
    BoxError, Case, Stage, authority,
    fault_server::{Answer, FaultServer, Script},
};

mod authentication;
mod classification;
mod deadlines;
mod delivery;
mod framing;
mod load;
mod pacing;
mod proxies;
mod redirects;
mod retries;
mod wire;

/// Names a case after its function.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        &[$(crate::Case { name: stringify!($case), play: $case }),*]
    };
}
use cases;

/// The API at `base_url`, opened by this key.
fn opened_by(key: &str, base_url: &str) -> Result<ApiBuilder, BoxError> {
    Ok(Api::builder(ApiKey::new(key)?).base_url(base_url.parse()?))
}

/// A fault server that speaks TLS under a certificate that every flavour trusts.
fn serve_tls(script: Script) -> Result<FaultServer, BoxError> {
    Ok(FaultServer::start_tls(&authority()?.issue(&["127.0.0.1"])?, script)?)
}

/// A call that may be sent twice, and one that may not.
fn get_and_post(stage: &Stage<'_>, server: &FaultServer) -> Result<[Call; 2], BoxError> {
    let api = stage.api(&server.base_url())?;
    Ok([api.get("events"), api.post("events/track").json("x")])
}

/// Every other request is answered, and the next one on that connection is not.
fn dying() -> Script {
    Script::by(|number, _| if number % 2 == 0 { Answer::json(200, "{}") } else { Answer::close() })
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        authentication::CASES,
        classification::CASES,
        wire::CASES,
        redirects::CASES,
        proxies::CASES,
        delivery::CASES,
        deadlines::CASES,
        framing::CASES,
        retries::CASES,
        pacing::CASES,
        load::CASES,
    ]
    .concat()
}
