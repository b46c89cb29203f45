//! The emulator without its sockets: for `fuzz/` alone.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::runtime::Runtime;

use crate::backend::{Backend, Sites, State};
use crate::builder::EmulatorBuilder;
use crate::clock::Clock;
use crate::control::{Access, Control};
use crate::downloads::Downloads;
use crate::endpoints::routes::limitable;
use crate::keys::Keys;
use crate::path::is_control;
use crate::store::restore::Beginning;

/// One emulator, at the given moment and with keys of its own.
pub struct Socketless {
    backend: Arc<Backend>,
    downloads: Downloads,
    control: Control,
    keys: Keys,
    runtime: Runtime,
}

impl Socketless {
    /// The port that it would listen on.
    pub const PORT: u16 = 8080;
    /// Where exports are downloaded from.
    pub const FILES: &str = "http://127.0.0.1:8081";

    /// It begins at `now`, in milliseconds since 1970.
    ///
    /// # Errors
    /// Never, as it has no data folder.
    pub fn new(now: u64) -> std::io::Result<Self> {
        let settings =
            limitable().fold(EmulatorBuilder::new(), |settings, (method, path)| settings.limit(method, path, 9));
        let settings = settings.clock(Clock::stopped_at(now)).keep_requests(100);
        let settings = settings.seed(0).seeded_events(40).seeded_contacts(20).seeded_companies(20);
        let beginning = Beginning::of(settings.store()?, &settings.wanted, None, now / 1000)?;
        let Beginning { seeds, ring, records, keys, .. } = beginning;
        let state = State::new(ring, records, settings.limits()?, settings.kept_requests);
        let origin = format!("http://127.0.0.1:{}", Self::PORT);
        let sites = Sites { api: origin.clone(), files: Self::FILES.into() };
        let backend = Arc::new(Backend::new(sites, settings.clock, seeds, state));
        let control = Control::new(Arc::clone(&backend), Access { origins: vec![origin], token: None });
        let downloads = Downloads::new(Arc::clone(&backend));
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { backend, downloads, control, keys, runtime })
    }

    /// The keys that it began with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Answers as the listener of the API does, and says whether a fault struck; a body of `None` was too large.
    pub fn answer(&self, request: Request<Option<Bytes>>) -> (Response<Bytes>, bool) {
        if is_control(request.uri().path()) {
            let request = request.map(|body| Full::new(body.unwrap_or_default()));
            let answer = self.runtime.block_on(async {
                let (parts, body) = self.control.answer(request).await.into_parts();
                let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                Response::from_parts(parts, body)
            });
            return (answer, false);
        }
        let (parts, body) = request.into_parts();
        let outcome = self.runtime.block_on(self.backend.answer(parts, body, Instant::now()));
        let struck = self.backend.state().record.iter().next_back().is_some_and(|call| call.fault.is_some());
        (outcome.answer, struck)
    }

    /// Answers as the host of the exports does.
    pub fn answer_file(&self, request: Request<Option<Bytes>>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        self.runtime.block_on(self.downloads.answer(parts, body, Instant::now())).answer
    }
}
