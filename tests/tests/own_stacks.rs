//! The suite, on the programs in `examples/`: three stacks that this project does not ship.

use std::{fmt, io, process::ExitCode, time::Duration};

use bytes::Bytes;
use cometly_conformance::{BoxError, ClientUnderTest, Gap, HttpClient, Proxy, Sent, Settings, Source, Transport};
use cometly_core::{Api, AuthOutcome, Call, CallError, TransportLimits};
use cometly_tower::HttpService;
use http::Request;
use smol::future::FutureExt as _;
use tokio::runtime::Runtime;

#[path = "../examples/attohttpc.rs"]
mod on_attohttpc;
#[path = "../examples/hyper.rs"]
mod on_hyper;
#[path = "../examples/smol.rs"]
mod on_smol;

fn main() -> io::Result<ExitCode> {
    cometly_conformance::run(vec![Box::new(Hyper), Box::new(Attohttpc), Box::new(Smol)])
}

/// An example's client, and what it needs to be waited for.
struct On<C>(C);

impl<C> fmt::Debug for On<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("On")
    }
}

/// None of them has a proxy, or takes a client that its user brings.
fn is_offered(settings: &Settings) -> bool {
    settings.proxy == Proxy::None && settings.client == HttpClient::Own
}

fn sent<E: Into<BoxError>>(outcome: Result<AuthOutcome<Bytes>, CallError<E>>) -> Sent {
    outcome.map_err(|error| error.map_source(Source::new))
}

struct Hyper;

impl ClientUnderTest for Hyper {
    fn name(&self) -> &'static str {
        "hyper"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
        if !is_offered(settings) {
            return Ok(None);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Some(Box::new(On((on_hyper::client(settings.limits, settings.retry_policy.clone())?, runtime)))))
    }

    fn gaps(&self) -> &'static [Gap] {
        &[Gap::FreshConnections, Gap::GivenUpUploads]
    }
}

impl Transport for On<(on_hyper::Client, Runtime)> {
    fn send(&self, call: Call) -> Sent {
        let On((client, runtime)) = self;
        sent(runtime.block_on(client.send(call)))
    }

    fn send_request(&self, request: Request<Bytes>, api: &Api) -> Sent {
        let On((client, runtime)) = self;
        sent(runtime.block_on(client.send_request(request, api)))
    }

    fn send_and_drop(&self, call: Call, after: Duration) -> bool {
        let On((client, runtime)) = self;
        runtime.block_on(async { tokio::time::timeout(after, client.send(call)).await }).is_err()
    }
}

struct Attohttpc;

impl ClientUnderTest for Attohttpc {
    fn name(&self) -> &'static str {
        "attohttpc"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
        // It keeps no connection, and its time-out for connecting is over before TLS begins.
        let has_own_timeout = settings.limits.connect_timeout != TransportLimits::default().connect_timeout;
        if !is_offered(settings) || settings.reuse == Some(true) || has_own_timeout {
            return Ok(None);
        }
        Ok(Some(Box::new(On(on_attohttpc::Client::new(settings.limits, settings.retry_policy.clone())))))
    }

    fn gaps(&self) -> &'static [Gap] {
        &[Gap::InformationalAnswers, Gap::LargeHeads, Gap::FailurePlaces, Gap::BrokenEnds]
    }
}

impl Transport for On<on_attohttpc::Client> {
    fn send(&self, call: Call) -> Sent {
        sent(self.0.send(call))
    }

    fn send_request(&self, request: Request<Bytes>, api: &Api) -> Sent {
        sent(self.0.send_request(request, api))
    }
}

struct Smol;

impl ClientUnderTest for Smol {
    fn name(&self) -> &'static str {
        "smol"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
        // It keeps no connection.
        if !is_offered(settings) || settings.reuse == Some(true) {
            return Ok(None);
        }
        Ok(Some(Box::new(On(on_smol::client(settings.limits, settings.retry_policy.clone())?))))
    }
}

impl<S: HttpService + Send + Sync> Transport for On<cometly_tower::Client<S, on_smol::Smol>> {
    fn send(&self, call: Call) -> Sent {
        sent(smol::block_on(self.0.send(call)))
    }

    fn send_request(&self, request: Request<Bytes>, api: &Api) -> Sent {
        sent(smol::block_on(self.0.send_request(request, api)))
    }

    fn send_and_drop(&self, call: Call, after: Duration) -> bool {
        let given_up = async {
            smol::Timer::after(after).await;
            true
        };
        let finished = async {
            let _ = self.0.send(call).await;
            false
        };
        smol::block_on(finished.or(given_up))
    }
}
