//! The cases, by what they are about. Each is named for what it proves, and cites the rows of `docs/faults.md` that it covers.

use std::{
    io::{self, Read as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use cometly_core::{Api, ApiBuilder, ApiKey, Call};

use crate::{
    BoxError, Case, Scenario, authority,
    fault_server::{Answer, FaultServer, RawServer, Script},
};

mod authentication;
mod classification;
mod connections;
mod deadlines;
mod delivery;
mod framing;
mod hostile;
mod hostile_files;
mod hostile_plan;
mod load;
mod pacing;
mod proxies;
mod redirects;
mod retries;
mod streaming;
mod wire;

/// Names a case after its function.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        &[$(crate::Case { name: stringify!($case), run: $case }),*]
    };
}
use cases;

/// The API at `base_url`, opened by this key.
fn opened_by(key: &str, base_url: &str) -> Result<ApiBuilder, BoxError> {
    Ok(Api::builder(ApiKey::new(key)?).base_url(base_url.parse()?))
}

/// A fault server that speaks TLS under a certificate that every client trusts.
fn serve_tls(scenario: &Scenario<'_>, script: Script) -> Result<FaultServer, BoxError> {
    Ok(scenario.serve_tls(&authority()?.issue(&["127.0.0.1"])?, script)?)
}

/// A call that may be sent twice, and one that may not.
fn get_and_post(scenario: &Scenario<'_>, server: &FaultServer) -> Result<[Call; 2], BoxError> {
    let api = scenario.api(&server.base_url())?;
    Ok([api.get("events"), api.post("events/track").json("x")])
}

/// Every other request is answered, and the next one on that connection is not.
fn dying() -> Script {
    Script::by(|number, _| if number % 2 == 0 { Answer::json(200, "{}") } else { Answer::close() })
}

/// Waits for the first bytes of what is sent.
fn wait_for_bytes(stream: &mut TcpStream) -> io::Result<()> {
    stream.read(&mut [0; 4096]).map(drop)
}

/// A server that answers nothing, reads this much and pauses, again and again; and how much it has read.
fn slow_reader(
    scenario: &Scenario<'_>,
    at_once: usize,
    pause: Duration,
) -> Result<(RawServer, Arc<AtomicUsize>), BoxError> {
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let server = scenario.serve_raw(move |mut stream, _| {
        let mut buffer = vec![0; at_once];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                len => count.fetch_add(len, Ordering::SeqCst),
            };
            thread::sleep(pause);
        }
    })?;
    Ok((server, read))
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
        connections::CASES,
        deadlines::CASES,
        framing::CASES,
        retries::CASES,
        pacing::CASES,
        load::CASES,
        streaming::CASES,
        hostile::CASES,
        hostile_files::CASES,
    ]
    .concat()
}
