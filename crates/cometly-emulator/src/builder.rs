//! How an emulator is set up.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use crate::clock::Clock;
use crate::emulator::Emulator;
use crate::limits::Limits;
use crate::routes::{API, ROUTES, limitable};
use crate::seeds::Seeds;

/// Settings for an [`Emulator`]; made by [`Emulator::builder`].
///
/// ```
/// use std::time::Duration;
/// use cometly_emulator::Emulator;
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder()
///     .limit("GET", "/events", 60)
///     .window(Duration::from_secs(1))
///     .seeded_events(10_000)
///     .start()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct EmulatorBuilder {
    pub(crate) clock: Clock,
    pub(crate) kept_requests: usize,
    pub(crate) max_body: usize,
    pub(crate) seeds: Seeds,
    pub(crate) port: u16,
    documented_limits: bool,
    own_limits: Vec<(String, String, u32)>,
    window: Duration,
}

impl EmulatorBuilder {
    pub(crate) fn new() -> Self {
        Self {
            clock: Clock::system(),
            kept_requests: 65_536,
            max_body: 8 << 20,
            seeds: Seeds { seed: 0, events: 1000, contacts: 250, companies: 250 },
            port: 0,
            documented_limits: true,
            own_limits: Vec::new(),
            window: Duration::from_secs(60),
        }
    }

    /// How many calls an endpoint allows in each window, for each Space. The path is written as in Cometly's documentation,
    /// after `/public-api/v1`.
    pub fn limit(mut self, method: &str, path: &str, calls: u32) -> Self {
        self.own_limits.push((method.to_owned(), path.to_owned(), calls));
        self
    }

    /// Takes away every limit, those set so far included, and with the limits their headers.
    pub fn no_limits(mut self) -> Self {
        self.documented_limits = false;
        self.own_limits.clear();
        self
    }

    /// How long the limits' window is: a minute unless told. Laravel counts whole seconds, so this is rounded up to them.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How many events `GET /events` lists before any is tracked: 1000 unless told, at most 10 million. They are a minute
    /// apart, from 2026-01-01 00:00:00 on, and numbered from 1.
    pub fn seeded_events(mut self, count: u32) -> Self {
        self.seeds.events = count.into();
        self
    }

    /// How many contacts there are before any is created: 250 unless told, at most 100,000. They were created an hour apart,
    /// from 2026-01-01 00:00:00 on, and are numbered from 1.
    pub fn seeded_contacts(mut self, count: u32) -> Self {
        self.seeds.contacts = count.into();
        self
    }

    /// How many companies there are: 250 unless told, at most 100,000. They were created a day apart, from 2026-01-01
    /// 00:00:00 on, and are numbered from 1.
    pub fn seeded_companies(mut self, count: u32) -> Self {
        self.seeds.companies = count.into();
        self
    }

    /// What the seeded data is drawn from: 0 unless told. The same seed gives the same data on every machine.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seeds.seed = seed;
        self
    }

    /// The port of 127.0.0.1 to listen on: a free one unless told.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The clock that the rate limits go by: the system's unless told.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How many requests are remembered, the latest ones: 65,536 unless told. Their bodies and headers together never take
    /// more than 64 MiB.
    pub fn keep_requests(mut self, count: usize) -> Self {
        self.kept_requests = count;
        self
    }

    /// How many bytes a body may have before it is answered by 413: 8 MiB unless told, PHP's own default.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Starts the emulator.
    ///
    /// # Errors
    /// If a [`limit`](Self::limit) names an endpoint that the emulator does not have, more data is to be seeded than can be,
    /// the [`port`](Self::port) is in use, or the system gives no port, no thread or no event queue.
    pub fn start(self) -> io::Result<Emulator> {
        let seeded = [
            ("events", self.seeds.events, 10_000_000),
            ("contacts", self.seeds.contacts, 100_000),
            ("companies", self.seeds.companies, 100_000),
        ];
        if let Some((what, count, most)) = seeded.into_iter().find(|(_, count, most)| count > most) {
            let message = format!("{count} {what} cannot be seeded; {most} can");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let limits = self.limits()?;
        Emulator::run(self, limits)
    }

    fn limits(&self) -> io::Result<Limits> {
        let documented = ROUTES.iter().filter(|_| self.documented_limits);
        let mut most: HashMap<_, _> =
            documented.filter_map(|route| route.limit.map(|limit| (route.endpoint, limit))).collect();
        for (method, path, calls) in &self.own_limits {
            let endpoints = || ROUTES.iter().filter(|route| route.needs.is_some()).map(|route| route.endpoint);
            let named = |&(verb, full): &(&str, &str)| verb == method && full.strip_prefix(API) == Some(path);
            let endpoint = endpoints().find(named).ok_or_else(|| {
                let known: Vec<_> = limitable().map(|(verb, path)| format!("{verb} {path}")).collect();
                let message = format!("no endpoint {method} {path} to limit; there are: {}", known.join(", "));
                io::Error::new(io::ErrorKind::InvalidInput, message)
            })?;
            most.insert(endpoint, *calls);
        }
        let seconds = self.window.as_secs().saturating_add(u64::from(self.window.subsec_nanos() > 0)).max(1);
        Ok(Limits::new(seconds, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_needs_an_endpoint() {
        let error = Emulator::builder().limit("GET", "/event", 1).start().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let text = error.to_string();
        assert!(text.starts_with("no endpoint GET /event to limit; there are: GET /events, POST /events/track, POST"));
        assert!(text.ends_with("PUT /companies/{id}"), "{text}");
    }

    #[test]
    fn seeding_has_an_end() {
        let error = Emulator::builder().seeded_events(10_000_001).start().unwrap_err();
        assert_eq!(error.to_string(), "10000001 events cannot be seeded; 10000000 can");
    }
}
