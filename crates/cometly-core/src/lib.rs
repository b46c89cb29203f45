//! The sans-IO core of a Cometly client: it builds [`http::Request`]s and reads [`http::Response`]s, and does nothing
//! else. No sockets, files, threads or sleeping; the HTTP stack is yours.
//!
//! ```
//! use cometly_core::{Api, ApiKey, AuthOutcome, bytes::Bytes, http};
//!
//! # fn my_http_stack(_: http::Request<Bytes>) -> Result<http::Response<Bytes>, std::io::Error> {
//! #     Ok(http::Response::new(Bytes::from_static(br#"{"data": []}"#)))
//! # }
//! let api = Api::new(ApiKey::new("12|abcdef")?); // or `Api::from_env()?`
//!
//! let call = api.get("events").query("start_date", "2026-11-01 00:00:00").query("end_date", "2026-11-02 00:00:00");
//! let response = my_http_stack(call.to_request()?)?;
//!
//! match api.read(response) {
//!     AuthOutcome::Success(reply) => println!("accepted, {} bytes", reply.body().len()),
//!     refused => eprintln!("{refused}"), // says what happened and what to do
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to | take |
//! | --- | --- |
//! | keep the key safe, and replace it while calls run | [`ApiKey`], [`Api::rotate`] |
//! | take key and address from the environment | [`Api::from_env`] |
//! | name the API's address in code | [`BaseUrl`], [`ApiBuilder::base_url`] |
//! | describe a call | [`Call`], from [`Api::get`], [`post`](Api::post), [`put`](Api::put), [`request`](Api::request) |
//! | stamp the headers on a request of your own | [`Api::authorize`] |
//! | read an answer, or test without a socket | [`Api::read`] → [`AuthOutcome`] → [`Reply`] or [`ApiError`] |
//! | drive a call on a stack of your own | [`Call::start`] → [`Operation`] → [`Next`] → [`Attempt`] |
//! | say when a call is sent again, how often and for how long | [`RetryPolicy`], [`RetryBudget`] |
//! | share one rate limit among many calls | [`Pacer`], [`ApiBuilder::pacer`] |
//! | share it among many processes | the crate `cometly-fleet`; by an engine of your own, [`Pacer::shared`] → [`Mailbox`] |
//! | give a call a type | [`Endpoint`], [`endpoint`] |
//! | describe a job of many calls | [`Flow`]: [`Pages`], [`ExportJob`], or your own |
//! | fetch an export's file | [`Download`], [`Lines`] |
//! | write a client | [`TransportLimits`], [`TransportError`], [`CallError`], [`Redirected`] |
//! | use `?` | [`AuthOutcome::into_result`], [`ApiError`], [`CallError`], [`DecodeError`] |
//!
//! # Which HTTP stack
//! `cometly-reqwest`, `cometly-ureq` and `cometly-isahc` send [`Call`]s and force on their clients what a careful caller
//! would set. The crate `cometly` has the API's endpoints as types. An SDK depends on this crate alone and returns
//! [`Endpoint`]s, [`Flow`]s or [`Call`]s; the application picks the client.
//!
//! On a stack of your own an [`Operation`] is driven by a loop of three arms, which its docs show: sleep, send, or done. The
//! part that you write sends one request and gives an [`http::Response`] or a [`TransportError`]. It uses **TLS for `https`, or
//! makes no call**; **follows no redirect**; treats every status as an answer; keeps to [`Attempt::timeout`] and
//! [`TransportLimits`]. For one attempt without retries, [`Call::to_request`] and [`Api::read`] are enough.
//!
//! # Time and chance
//! The core draws no random number, and reads the clock only in [`Moment::now`], which only a caller calls. An [`Operation`]
//! takes each `now` as a [`Moment`] and a seed for its jitter once; so a test can play a day of calls in no time, and play it
//! again.
//!
//! # Features
//! `stream` (off by default): [`AsyncRun::into_stream`](AsyncRun), a flow as a stream of the `futures` crates.
//!
//! `tracing` (off by default): an [`Operation`] emits spans and events, after OpenTelemetry's conventions for HTTP clients.
//!
//! # What it needs
//! Rust 1.85. Public types from outside std are those of `http` and `bytes`, both re-exported, and serde's two traits; with
//! `stream`, the trait `Stream` of the `futures` crates too.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// `Debug` is `Display`, because `fn main() -> Result` prints the `Debug` of the error that it returns.
macro_rules! debug_as_display {
    ($($error:ty),+) => {
        $(impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        })+
    };
}

mod answer;
mod api;
mod api_key;
mod base_url;
mod call;
mod call_error;
mod call_name;
mod client_builder;
mod clock;
mod delivery;
mod flow;
mod flow_error;
mod key_ring;
mod moment;
mod operation;
mod pacer;
mod proxy_rules;
mod retry;
mod transport_error;
mod transport_limits;
mod uri_cache;

pub use bytes;
pub use http;

pub use answer::{
    ApiError, ApiErrorKind, AuthOutcome, DecodeCategory, DecodeError, FieldError, ForbiddenReason, KeyStatus,
    RateLimit, Redirected, Reply, UnexpectedCause,
};
pub use api::{Api, ApiBuilder, BASE_URL_VARIABLE, FromEnvError, InvalidUserAgent};
pub use api_key::{API_KEY_VARIABLE, ApiKey, InvalidApiKey};
pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use call::{Call, EncodeError, RequestError, backend_trim};
pub use call_error::{CallError, CallErrorKind, ReachedLimit};
pub use client_builder::{BuildClient, ClientBuilder, ClientSettings};
pub use delivery::Delivery;
pub use flow::{
    AsyncClient, AsyncRun, BlockingClient, BlockingRun, Cursor, Download, DownloadUrl, Endpoint, Export, ExportId,
    ExportJob, ExportOrder, ExportOrdered, ExportStatus, Failure, Fetch, Flow, InvalidCursor, InvalidExportId,
    LineTooLong, Lines, Lossy, Page, Pages, PagesEnd, RowError, Rows, Running, Step, Then, endpoint,
};
pub use flow_error::{FlowError, UrlProblem};
pub use moment::Moment;
pub use operation::{Attempt, Attributes, BodyMeter, Next, Operation};
pub use pacer::{BadAnswer, InvalidSpace, Mailbox, Pacer, Question, SharedLane};
pub use proxy_rules::{InvalidProxy, ProxyRules, ProxyScheme, ProxyUrl};
pub use retry::{RetryBudget, RetryPolicy, RetryReason};
pub use transport_error::TransportError;
pub use transport_limits::TransportLimits;

/// These cross threads in every program that uses them.
const _: () = {
    const fn assert<T: Send + Sync + Clone + 'static>() {}
    const fn assert_moved<T: Send + Sync + 'static>() {}
    const fn assert_error<T: std::error::Error + Send + Sync + 'static>() {}
    assert::<ApiKey>();
    assert::<Api>();
    assert::<Call>();
    assert::<AuthOutcome<bytes::Bytes>>();
    assert::<RetryPolicy>();
    assert::<RetryBudget>();
    assert::<Pacer>();
    assert_moved::<Attempt>();
    assert_moved::<Operation<bytes::Bytes, std::io::Error>>();
    assert_moved::<Next<bytes::Bytes, std::io::Error>>();
    assert_moved::<TransportError<std::io::Error>>();
    assert_error::<ApiError>();
    assert_error::<CallError<std::io::Error>>();
};
