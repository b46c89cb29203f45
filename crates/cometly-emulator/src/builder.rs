//! How an emulator is set up.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Clock;
use crate::endpoints::routes::{ROUTES, Route, limitable};
use crate::keys::Ability;
use crate::laravel::throttle::Limits;
use crate::path::{API, Endpoint};
use crate::server::network::Network;
use crate::store::persistence::Store;
use crate::store::row::Kept;
use crate::store::seeds::Wanted;

/// The settings of an [`Emulator`](crate::Emulator); from [`Emulator::builder`](crate::Emulator::builder). Each setting has a
/// default. A setter that is called twice replaces the value, except for [`limit`](Self::limit) and [`key`](Self::key).
/// [`start`](Self::start) fails with an [`io::Error`] for a setting that is refused, an address that is not there or in use, and if
/// the system gives no thread or port.
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
    pub(crate) wanted: Wanted,
    #[cfg(feature = "sqlite")]
    data_dir: Option<PathBuf>,
    /// The number of events that are kept, the latest ones.
    pub(crate) kept_events: Option<usize>,
    pub(crate) network: Network,
    pub(crate) fixed_keys: Vec<(String, Vec<Ability>)>,
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
            wanted: Wanted::default(),
            #[cfg(feature = "sqlite")]
            data_dir: None,
            kept_events: None,
            network: Network {
                listen: (Ipv4Addr::LOCALHOST, 0).into(),
                downloads_port: 0,
                public_url: None,
                public_downloads_url: None,
                page_token: None,
            },
            fixed_keys: Vec::new(),
            documented_limits: true,
            own_limits: Vec::new(),
            window: Duration::from_secs(60),
        }
    }

    /// How many calls an endpoint allows in each [window](Self::window), 60 s by default, for each Space, in place of the
    /// documented limit; a call beyond it is answered by 429, and 0 refuses every call. The method is in upper case, and the
    /// path is written as in Cometly's documentation, after `/public-api/v1`: `/events`, `/contacts/{id}`.
    /// [`start`](Self::start) fails for an endpoint that the emulator does not have. By default the limits are those that
    /// Cometly documents. A second call for the same endpoint replaces the number.
    pub fn limit(mut self, method: &str, path: &str, calls: u32) -> Self {
        self.own_limits.push((method.to_owned(), path.to_owned(), calls));
        self
    }

    /// Removes every rate limit, those set so far included, and with them the `X-RateLimit-*` headers of the answers. A later
    /// [`limit`](Self::limit) sets one again. By default there are those that Cometly documents.
    pub fn no_limits(mut self) -> Self {
        self.documented_limits = false;
        self.own_limits.clear();
        self
    }

    /// How long the window of the rate limits is, the time in which an endpoint allows as many calls as its
    /// [`limit`](Self::limit): a minute by default. Laravel counts whole seconds, so this is rounded up to them, at least one.
    /// A second call replaces it.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How many events `GET /events` lists before any is tracked: 1000 by default. More than 10 million is an error of
    /// [`start`](Self::start). They are numbered from 1 and spread evenly over 30 days, the first at their beginning and none at
    /// their end: the 30 days before the emulator started, by its clock; with a [`seed`](Self::seed), from 2026-01-01 00:00:00 to
    /// 2026-01-31 00:00:00 UTC. A second call replaces the number.
    pub fn seeded_events(mut self, count: u32) -> Self {
        self.wanted.events = Some(count.into());
        self
    }

    /// How many contacts there are before any is created: 250 by default. More than 100,000 is an error of [`start`](Self::start).
    /// They were created in the same 30 days as the [events](Self::seeded_events), spread in the same way, and are numbered from 1.
    /// A second call replaces the number.
    pub fn seeded_contacts(mut self, count: u32) -> Self {
        self.wanted.contacts = Some(count.into());
        self
    }

    /// How many companies there are: 250 by default. More than 10 million is an error of [`start`](Self::start). They were created
    /// in the same 30 days as the [events](Self::seeded_events), spread in the same way, and are numbered from 1. A second call
    /// replaces the number.
    pub fn seeded_companies(mut self, count: u32) -> Self {
        self.wanted.companies = Some(count.into());
        self
    }

    /// The number that the example data is drawn from. It fixes the dates too: the same number, 0 too, gives the same data on every
    /// machine and on every day. Without this call the number is 0, and the 30 days of the [events](Self::seeded_events) end when
    /// the emulator starts. A second call replaces it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.wanted.seed = Some(seed);
        self
    }

    /// The port to listen on; a free one by default, and for 0. [`start`](Self::start) fails if it is taken. A second call
    /// replaces it, and so does a later [`listen`](Self::listen).
    pub fn port(mut self, port: u16) -> Self {
        self.network.listen.set_port(port);
        self
    }

    /// The address and port to listen on; 127.0.0.1 and a free port by default. [`start`](Self::start) fails if the address is
    /// not there, or its port is taken. A second call replaces both. With 0.0.0.0 or an address of a network, other machines
    /// can reach it: a client with a key can call the API, and the page asks for a token then, which is in
    /// [`Emulator::page_url`](crate::Emulator::page_url).
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.network.listen = address;
        self
    }

    /// The port of the host from which exports are downloaded, on the address of [`listen`](Self::listen); a free one by
    /// default, and for 0. [`start`](Self::start) fails if the port is taken, also by the API itself. A second call replaces
    /// it.
    pub fn downloads_port(mut self, port: u16) -> Self {
        self.network.downloads_port = port;
        self
    }

    /// The URL by which clients reach the emulator, such as `http://emulator:8080`: `http` or `https`, host and port only, else
    /// [`start`](Self::start) fails with an [`io::Error`]. [`base_url`](crate::Emulator::base_url), [the page that shows the
    /// calls](crate::Emulator::page_url) and links in answers begin with it. The page opens under this name and those of this
    /// machine; under any other it answers 403. Exports are downloaded from the same host, by the port of
    /// [`downloads_port`](Self::downloads_port), unless [`public_downloads_url`](Self::public_downloads_url) is set. By default
    /// it is the address of [`listen`](Self::listen), 127.0.0.1 for 0.0.0.0. A second call replaces it.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.network.public_url = Some(url.into());
        self
    }

    /// The URL by which exports are downloaded: scheme, host and port only, else [`start`](Self::start) fails. By default it is the
    /// host of [`public_url`](Self::public_url), or else the address of [`listen`](Self::listen), with the port of
    /// [`downloads_port`](Self::downloads_port). A second call replaces it.
    pub fn public_downloads_url(mut self, url: impl Into<String>) -> Self {
        self.network.public_downloads_url = Some(url.into());
        self
    }

    /// The token that the page and the control API ask for, one or more ASCII letters and digits and no other character, else
    /// [`start`](Self::start) fails. By default it is a random one if other machines can reach the emulator, and on loopback
    /// none is asked for. A second call replaces it.
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.network.page_token = Some(token.into());
        self
    }

    /// Adds a key that you choose, of the emulator's first Space and with these abilities; calls with a key that has none of
    /// them are answered by 403. By default there are only the three of [`Emulator::keys`](crate::Emulator::keys). It can be
    /// called several times; of the same key twice, the last call counts. The key has 4 to 512 printable ASCII characters, none
    /// of them a blank, `"`, backslash or comma, else [`start`](Self::start) fails: Cometly's form `12|abc…` or any other.
    pub fn key(mut self, key: impl Into<String>, abilities: &[Ability]) -> Self {
        self.fixed_keys.push((key.into(), abilities.to_vec()));
        self
    }

    /// The [`Clock`] that the rate limits and all dates go by, in whole seconds; by default it shows the system's time. Dates
    /// are written and read in UTC, the Space's time zone here. A second call replaces it.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How many requests [`received_requests`](crate::Emulator::received_requests) remembers, the latest ones; 65,536 by
    /// default, and 0 remembers none. Their bodies and headers together never take more than 64 MiB.
    /// [`download_requests`](crate::Emulator::download_requests) and [`leaked_keys`](crate::Emulator::leaked_keys) keep no more
    /// than this either, at most 1000, and `leaked_keys` at least one. A second call replaces the number.
    pub fn keep_requests(mut self, count: usize) -> Self {
        self.kept_requests = count;
        self
    }

    /// Keeps only the latest `count` tracked events, at most a million (a larger number counts as that, 0 keeps none) and 256 MiB
    /// of them, and forgets older ones together with their idempotency keys: for programs that track without end. By default none
    /// is forgotten, and when a million or 256 MiB of them are kept, further ones are answered by 507. A second call replaces the
    /// number.
    pub fn keep_events(mut self, count: usize) -> Self {
        self.kept_events = Some(count);
        self
    }

    /// The largest body of a request in bytes; 8 MiB by default, PHP's own default. A larger one is answered by 413; 0 refuses
    /// every body that is not empty. A second call replaces it.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Keeps keys, events, contacts, companies and exports in this folder, which is made if it is not there: an emulator that
    /// is started on it again, even after it was killed, goes on with all that it had answered. Requests, faults, what was
    /// taken of the limits, and how far the clock was pushed end with the emulator.
    ///
    /// By default nothing is kept, and a second call replaces the folder. It remembers what it was seeded with; another number
    /// or seed in the settings is an error of [`start`](Self::start), and so is a folder of another version, or one that
    /// another emulator uses.
    #[cfg(feature = "sqlite")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    #[cfg_attr(
        not(feature = "sqlite"),
        expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "with a folder")
    )]
    pub(crate) fn store(&self) -> io::Result<(Store, Vec<Kept>)> {
        #[cfg(feature = "sqlite")]
        if let Some(folder) = &self.data_dir {
            return Store::folder(folder);
        }
        Ok((Store::default(), Vec::new()))
    }

    /// Checks the keys that were named.
    pub(crate) fn check_keys(&self) -> io::Result<()> {
        let is_sound = |key: &str| {
            let bytes = key.bytes().all(|byte| byte.is_ascii_graphic() && !b",\"\\".contains(&byte));
            bytes && (4..=512).contains(&key.len())
        };
        if self.fixed_keys.iter().all(|(key, _)| is_sound(key)) {
            return Ok(());
        }
        let message = "a key of its own has 4 to 512 printable ASCII characters, none of them a blank, a comma, a quotation mark or a backslash";
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }

    pub(crate) fn limits(&self) -> io::Result<Limits> {
        let documented = |route: &Route| route.limit.filter(|_| self.documented_limits);
        let mut most: Vec<(Endpoint, Option<u32>)> =
            ROUTES.iter().map(|route| (route.endpoint, documented(route))).collect();
        for (method, path, calls) in &self.own_limits {
            let named = |&(verb, full): &Endpoint| verb == method && full.strip_prefix(API) == Some(path);
            let limited = most.iter_mut().find(|(endpoint, _)| named(endpoint)).ok_or_else(|| {
                let known: Vec<_> = limitable().map(|(verb, path)| format!("{verb} {path}")).collect();
                let message = format!("no endpoint {method} {path} to limit; there are: {}", known.join(", "));
                io::Error::new(io::ErrorKind::InvalidInput, message)
            })?;
            limited.1 = Some(*calls);
        }
        let seconds = self.window.as_secs().saturating_add(u64::from(self.window.subsec_nanos() > 0)).max(1);
        Ok(Limits::new(seconds, most.into_iter().filter_map(|(endpoint, limit)| Some((endpoint, limit?))).collect()))
    }
}
