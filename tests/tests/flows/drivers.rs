//! The five clients behind one generic trait, so that a case is written once.

use std::time::Duration;

use bytes::Bytes;
use cometly_conformance::Source;
use cometly_core::{
    Api, ApiKey, AuthOutcome, Call, CallError, DecodeError, Download, Endpoint, ExportId, ExportOrder, ExportOrdered,
    Flow, Reply,
};
use cometly_emulator::{Emulator, EmulatorBuilder};
use futures_lite::future::block_on;

/// A result of any client.
pub(crate) type Answer<T> = Result<T, CallError<Source>>;

/// What a flow gave, how it ended, and where it was if it failed.
pub(crate) type Ran<F> = (Vec<<F as Flow>::Item>, Answer<Option<<F as Flow>::Output>>, Option<F>);

/// A client. Generic, not an object: its jobs have any type.
pub(crate) trait Driver {
    /// A client with the default retries, whose attempts may take this long.
    fn new(attempt_timeout: Duration) -> Self;
    /// `Client::call`.
    fn call<E: Endpoint + Send>(&self, api: &Api, endpoint: E) -> Answer<E::Output>;
    /// `Client::call_opt`.
    fn call_opt<E: Endpoint + Send>(&self, api: &Api, endpoint: E) -> Answer<Option<E::Output>>;
    /// `Client::run`, to its end.
    fn run<F: Flow + Send>(&self, api: &Api, flow: F) -> Ran<F>;
    /// `Client::download`, to its end or to an error, piece by piece.
    fn save(&self, api: &Api, download: Download, sink: impl FnMut(&Download, &[u8]) + Send) -> (Answer<()>, Download);
    /// The same: what was read, how it ended, and the download.
    fn read_file(&self, api: &Api, download: Download) -> (Vec<u8>, Answer<()>, Download) {
        let mut file = Vec::new();
        let (end, download) = self.save(api, download, |_, piece| file.extend_from_slice(piece));
        (file, end, download)
    }
    /// `Client::stream`, with the body read to its end.
    fn stream(&self, call: Call) -> Answer<AuthOutcome<(Vec<u8>, Answer<()>)>>;
}

/// The emulator, and the API that it plays.
pub(crate) struct Stage {
    pub(crate) emulator: Emulator,
    pub(crate) api: Api,
}

impl Stage {
    pub(crate) fn new(emulator: EmulatorBuilder) -> Self {
        let emulator = emulator.start().unwrap();
        let key = ApiKey::new(emulator.keys().full.as_str()).unwrap();
        let api = Api::builder(key).base_url(emulator.base_url().parse().unwrap()).build();
        Self { emulator, api }
    }
}

/// Orders an export of all companies.
#[derive(Clone, Debug)]
pub(crate) struct Orders;

impl Endpoint for Orders {
    type Output = ExportOrdered;

    fn call(&self, api: &Api) -> Call {
        api.post("companies/exports").json(&serde_json::json!({
            "start_date": "2000-01-01 00:00:00",
            "end_date": "2040-01-01 00:00:00",
        }))
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<ExportOrdered, DecodeError> {
        reply.json()
    }
}

impl ExportOrder for Orders {
    fn status_call(api: &Api, id: &ExportId) -> Call {
        api.get("companies/exports/{id}").segment(id)
    }
}

pub(crate) struct Ureq(cometly_ureq::Client);
pub(crate) struct Reqwest(cometly_reqwest::Client, tokio::runtime::Runtime);
pub(crate) struct ReqwestBlocking(cometly_reqwest::blocking::Client);
pub(crate) struct Isahc(cometly_isahc::Client);
pub(crate) struct IsahcBlocking(cometly_isahc::blocking::Client);

fn same<T, E: Into<cometly_conformance::BoxError>>(result: Result<T, CallError<E>>) -> Answer<T> {
    result.map_err(|error| error.map_source(Source::new))
}

/// The items of a run to its end, and what is left of it.
macro_rules! blocking_run {
    ($run:expr) => {{
        let mut run = $run;
        let mut items = Vec::new();
        loop {
            match run.try_next() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return (items, same(run.end()).map(Some), None),
                Err(error) => return (items, same(Err(error)), Some(run.into_flow())),
            }
        }
    }};
}

/// What is read of a file until its end or an error.
macro_rules! blocking_read {
    ($reader:expr, |$this:ident, $piece:ident| $sink:expr) => {{
        let (mut $this, mut buffer) = ($reader, [0; 1500]);
        let end = loop {
            match $this.try_read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(len) => {
                    let $piece = &buffer[..len];
                    $sink;
                }
                Err(error) => break same(Err(error)),
            }
        };
        (end, $this)
    }};
}

macro_rules! async_read {
    ($reader:expr, |$this:ident, $piece:ident| $sink:expr) => {{
        let mut $this = $reader;
        let end = loop {
            match $this.next_chunk().await {
                Ok(None) => break Ok(()),
                Ok(Some(chunk)) => {
                    let $piece: &[u8] = &chunk;
                    $sink;
                }
                Err(error) => break same(Err(error)),
            }
        };
        (end, $this)
    }};
}

macro_rules! async_run {
    ($run:expr) => {{
        let mut run = $run;
        let mut items = Vec::new();
        loop {
            match run.next().await {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return (items, same(run.end().await).map(Some), None),
                Err(error) => return (items, same(Err(error)), Some(run.into_flow())),
            }
        }
    }};
}

/// A [`Driver`] whose client waits.
macro_rules! blocking_driver {
    ($driver:ident, |$timeout:ident| $new:expr) => {
        impl Driver for $driver {
            fn new($timeout: Duration) -> Self {
                $new
            }

            fn call<E: Endpoint + Send>(&self, api: &Api, endpoint: E) -> Answer<E::Output> {
                same(self.0.call(api, endpoint))
            }

            fn call_opt<E: Endpoint + Send>(&self, api: &Api, endpoint: E) -> Answer<Option<E::Output>> {
                same(self.0.call_opt(api, endpoint))
            }

            fn run<F: Flow + Send>(&self, api: &Api, flow: F) -> Ran<F> {
                blocking_run!(self.0.run(api, flow))
            }

            fn save(
                &self,
                api: &Api,
                download: Download,
                mut sink: impl FnMut(&Download, &[u8]) + Send,
            ) -> (Answer<()>, Download) {
                let (end, reader) =
                    blocking_read!(self.0.download(api, download), |reader, piece| sink(reader.download(), piece));
                (end, reader.into_download())
            }

            fn stream(&self, call: Call) -> Answer<AuthOutcome<(Vec<u8>, Answer<()>)>> {
                let outcome = same(self.0.stream(call))?;
                Ok(outcome.map(|body| {
                    let mut whole = Vec::new();
                    let (end, _) = blocking_read!(body, |body, piece| whole.extend_from_slice(piece));
                    (whole, end)
                }))
            }
        }
    };
}

/// A [`Driver`] whose calls are futures, which its `block_on` runs.
macro_rules! async_driver {
    ($driver:ident, |$timeout:ident| $new:expr) => {
        impl Driver for $driver {
            fn new($timeout: Duration) -> Self {
                $new
            }

            fn call<E: Endpoint + Send>(&self, api: &Api, endpoint: E) -> Answer<E::Output> {
                same(self.block_on(self.0.call(api, endpoint)))
            }

            fn call_opt<E: Endpoint + Send>(&self, api: &Api, endpoint: E) -> Answer<Option<E::Output>> {
                same(self.block_on(self.0.call_opt(api, endpoint)))
            }

            fn run<F: Flow + Send>(&self, api: &Api, flow: F) -> Ran<F> {
                self.block_on(async { async_run!(self.0.run(api, flow)) })
            }

            fn save(
                &self,
                api: &Api,
                download: Download,
                mut sink: impl FnMut(&Download, &[u8]) + Send,
            ) -> (Answer<()>, Download) {
                let (end, reader) = self.block_on(async {
                    async_read!(self.0.download(api, download), |reader, piece| sink(reader.download(), piece))
                });
                (end, reader.into_download())
            }

            fn stream(&self, call: Call) -> Answer<AuthOutcome<(Vec<u8>, Answer<()>)>> {
                let outcome = same(self.block_on(self.0.stream(call)))?;
                Ok(outcome.map(|body| {
                    let mut whole = Vec::new();
                    let (end, _) =
                        self.block_on(async { async_read!(body, |body, piece| whole.extend_from_slice(piece)) });
                    (whole, end)
                }))
            }
        }
    };
}

/// More than any answer of these tests has.
const MAX_BODY: usize = 4 << 20;

fn isahc(timeout: Duration) -> cometly_isahc::Client {
    cometly_isahc::Client::builder().attempt_timeout(timeout).max_body_size(MAX_BODY).build().unwrap()
}

blocking_driver!(Ureq, |timeout| {
    Self(cometly_ureq::Client::builder().attempt_timeout(timeout).max_body_size(MAX_BODY).build().unwrap())
});
blocking_driver!(ReqwestBlocking, |timeout| {
    let builder = cometly_reqwest::blocking::Client::builder();
    Self(builder.attempt_timeout(timeout).max_body_size(MAX_BODY).build().unwrap())
});
blocking_driver!(IsahcBlocking, |timeout| Self(cometly_isahc::blocking::Client::from(isahc(timeout))));
async_driver!(Reqwest, |timeout| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let builder = cometly_reqwest::Client::builder();
    Self(builder.attempt_timeout(timeout).max_body_size(MAX_BODY).build().unwrap(), runtime)
});
async_driver!(Isahc, |timeout| Self(isahc(timeout)));

impl Reqwest {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.1.block_on(future)
    }
}

impl Isahc {
    #[expect(clippy::unused_self, reason = "as with the client that has a runtime of its own")]
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        block_on(future)
    }
}

/// A test of each case on each client.
macro_rules! for_each_driver {
    (@ $client:ident: $driver:ident, $($case:ident),+) => {
        mod $client {
            $(#[test]
            fn $case() {
                super::$case::<crate::drivers::$driver>();
            })+
        }
    };
    ($($case:ident),+ $(,)?) => {
        for_each_driver!(@ ureq: Ureq, $($case),+);
        for_each_driver!(@ reqwest: Reqwest, $($case),+);
        for_each_driver!(@ reqwest_blocking: ReqwestBlocking, $($case),+);
        for_each_driver!(@ isahc: Isahc, $($case),+);
        for_each_driver!(@ isahc_blocking: IsahcBlocking, $($case),+);
    };
}
pub(crate) use for_each_driver;
