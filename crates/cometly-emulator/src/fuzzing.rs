//! The emulator without its sockets: what `fuzz/` calls, and nobody else can.

use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};

use crate::backend::Backend;
use crate::builder::EmulatorBuilder;
use crate::clock::Clock;
use crate::control;
use crate::endpoints::routes::limitable;
use crate::keys::Keys;
use crate::store::restore::Beginning;

/// One emulator, at the given moment and with keys of its own.
pub struct Socketless {
    backend: Backend,
    keys: Keys,
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
        let Beginning { seeds, ring, records, keys, .. } =
            Beginning::of(settings.store()?, &settings.wanted, now / 1000)?;
        let limits = settings.limits()?;
        let backend = Backend::new(Self::PORT, Self::FILES.into(), settings, limits, (seeds, ring, records));
        Ok(Self { backend, keys })
    }

    /// The keys that it began with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Answers as the listener of the API does, and says whether a fault struck; a body of `None` was too large.
    pub fn answer(&self, request: Request<Option<Bytes>>) -> (Response<Bytes>, bool) {
        let (parts, body) = request.into_parts();
        if control::is_here(parts.uri.path()) {
            return (control::answer(&self.backend, &parts, body.as_ref()), false);
        }
        let (answer, _) = self.backend.answer(parts, body, Instant::now());
        let struck = self.backend.state().record.iter().next_back().is_some_and(|call| call.fault.is_some());
        (answer, struck)
    }

    /// Answers as the host of the exports does.
    pub fn answer_file(&self, request: Request<Option<Bytes>>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        self.backend.answer_file(parts, body, Instant::now())
    }
}
