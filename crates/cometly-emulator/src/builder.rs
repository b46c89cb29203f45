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

/// Settings for an [`Emulator`](crate::Emulator); made by [`Emulator::builder`](crate::Emulator::builder).
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

    /// How long the limits' window is: a minute by default. Laravel counts whole seconds, so this is rounded up to them.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How many events `GET /events` lists before any is tracked: 1000 by default, at most 10 million. They are numbered from
    /// 1 and spread evenly over the 30 days before the emulator started, by its clock; with a [`seed`](Self::seed), over the
    /// 30 days from 2026-01-01 00:00:00 to 2026-01-31 00:00:00.
    pub fn seeded_events(mut self, count: u32) -> Self {
        self.wanted.events = Some(count.into());
        self
    }

    /// How many contacts there are before any is created: 250 by default, at most 100,000, beyond which it does not start. They were created in the same 30
    /// days as the [events](Self::seeded_events), and are numbered from 1.
    pub fn seeded_contacts(mut self, count: u32) -> Self {
        self.wanted.contacts = Some(count.into());
        self
    }

    /// How many companies there are: 250 by default, at most 10 million, beyond which it does not start. They were created in the same 30 days as the
    /// [events](Self::seeded_events), and are numbered from 1.
    pub fn seeded_companies(mut self, count: u32) -> Self {
        self.wanted.companies = Some(count.into());
        self
    }

    /// The number that the example data is drawn from, and fixes its dates: the same number, 0 too, gives the same data on every
    /// machine and on every day. Without this call the number is 0, and the dates end when the emulator starts.
    pub fn seed(mut self, seed: u64) -> Self {
        self.wanted.seed = Some(seed);
        self
    }

    /// The port to listen on: a free one by default.
    pub fn port(mut self, port: u16) -> Self {
        self.network.listen.set_port(port);
        self
    }

    /// The address to listen on: 127.0.0.1 and a free port by default. With 0.0.0.0 or an address of a network, others can
    /// reach it: a client with a key can call the API, and the page wants a token then, which is in
    /// [`Emulator::page_url`](crate::Emulator::page_url).
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.network.listen = address;
        self
    }

    /// The port of the host from which exports are downloaded, on the address of [`listen`](Self::listen): a free one by
    /// default.
    pub fn downloads_port(mut self, port: u16) -> Self {
        self.network.downloads_port = port;
        self
    }

    /// By which URL clients reach it, `http://emulator:8080` say: what it shows and puts into its answers, and the name by
    /// which the page may be opened, beside those of this machine. Exports are downloaded from the same host, by the port that
    /// [`downloads_port`](Self::downloads_port) has.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.network.public_url = Some(url.into());
        self
    }

    /// By which URL exports are downloaded, if that does not follow from [`public_url`](Self::public_url).
    pub fn public_downloads_url(mut self, url: impl Into<String>) -> Self {
        self.network.public_downloads_url = Some(url.into());
        self
    }

    /// The token that the page wants, of ASCII letters and digits: a random one by default where others can reach it, and none
    /// on loopback.
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.network.page_token = Some(token.into());
        self
    }

    /// A further key of the emulator's first Space, one that can be written down beforehand: printable ASCII without blanks, quotation marks, backslashes and
    /// commas, in Cometly's form `12|abc…` or any other. It is valid from each start on.
    pub fn key(mut self, key: impl Into<String>, abilities: &[Ability]) -> Self {
        self.fixed_keys.push((key.into(), abilities.to_vec()));
        self
    }

    /// The clock that the rate limits go by: the system's by default.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How many requests are remembered, the latest ones: 65,536 by default. Their bodies and headers together never take
    /// more than 64 MiB.
    pub fn keep_requests(mut self, count: usize) -> Self {
        self.kept_requests = count;
        self
    }

    /// Keeps only the latest `count` tracked events, and forgets older ones together with their idempotency keys: for programs
    /// that track without end. By default none is forgotten, and when a million or 256 MiB of them are kept, further ones are
    /// answered by 507.
    pub fn keep_events(mut self, count: usize) -> Self {
        self.kept_events = Some(count);
        self
    }

    /// How many bytes a body may have before it is answered by 413: 8 MiB by default, PHP's own default.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Keeps keys, events, contacts, companies and exports in this folder, which is made if it is not there: an emulator that
    /// is started on it again, even after it was killed, goes on with all that it had answered. Requests, faults, what was
    /// taken of the limits, and how far the clock was pushed end with the emulator.
    ///
    /// The folder remembers what it was seeded with; a setting that says otherwise is an error at the start, and so is a
    /// folder of another version, or one that another emulator uses.
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
