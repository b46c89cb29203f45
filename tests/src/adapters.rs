//! The six clients that this project ships.

use std::sync::LazyLock;

use ::tokio::runtime::{self, Runtime};

use crate::{BoxError, ClientUnderTest, Gap};

mod isahc;
mod reqwest;
mod tower;
mod ureq;

/// reqwest async and blocking, ureq, isahc async and blocking, tower over hyper-util.
#[must_use]
pub fn all() -> Vec<Box<dyn ClientUnderTest>> {
    vec![
        Box::new(reqwest::Async),
        Box::new(reqwest::Blocking),
        Box::new(ureq::Ureq),
        Box::new(isahc::Async),
        Box::new(isahc::Blocking),
        Box::new(tower::Tower),
    ]
}

/// `cometly-tower` over an axum `Router` in process, which asks hyper-util's client and answers 502 where that has no answer.
#[must_use]
pub fn on_router() -> Box<dyn ClientUnderTest> {
    Box::new(tower::OnRouter)
}

/// The runtime of all async clients that need one.
fn runtime() -> Result<&'static Runtime, BoxError> {
    static RUNTIME: LazyLock<Option<Runtime>> =
        LazyLock::new(|| runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().ok());
    RUNTIME.as_ref().ok_or_else(|| "tokio's runtime could not be started".into())
}

/// What the TLS of the operating system cannot do: see `STACK.md` of the two adapters that have it by choice.
const TLS_GAPS: &[Gap] = if cfg!(feature = "rustls") { &[] } else { &[Gap::BrokenEnds] };
