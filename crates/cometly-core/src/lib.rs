//! The sans-IO core of a Cometly client: it builds [`http::Request`]s and reads [`http::Response`]s, and does nothing
//! else. No sockets, files, clocks, threads or logging; the HTTP stack is yours.
//!
//! ```
//! use cometly_core::{Api, ApiKey, AuthOutcome, bytes::Bytes, http};
//!
//! # fn my_http_stack(_: http::Request<Bytes>) -> Result<http::Response<Bytes>, std::io::Error> {
//! #     Ok(http::Response::new(Bytes::from_static(br#"{"data": []}"#)))
//! # }
//! let api = Api::new(ApiKey::new("12|abcdef")?); // or `ApiKey::from_env()?`
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
//! | keep the key safe, and change it while calls run | [`ApiKey`], [`Api::rotate`] |
//! | say where the API is | [`BaseUrl`] |
//! | describe a call | [`Call`], from [`Api::get`], [`post`](Api::post), [`put`](Api::put), [`request`](Api::request) |
//! | stamp the headers on a request of your own | [`Api::authorize`] |
//! | read an answer, or test without a socket | [`Api::read`] → [`AuthOutcome`] |
//! | drive a call on a stack of your own, tries and all | [`Call::attempt`] → [`Attempt`] → [`Step`] |
//! | say when a call is sent again, how often and how long | [`RetryPolicy`], [`RetryBudget`] |
//! | share one rate limit among many callers | [`Pacer`], [`ApiBuilder::pacer`] |
//! | write an adapter | [`Limits`], [`Delivery`], [`CallError`], [`Redirected`] |
//! | use `?` | [`AuthOutcome::into_result`], [`ApiError`], [`CallError`] |
//!
//! # Which HTTP stack
//! `cometly-reqwest`, `cometly-ureq` and `cometly-isahc` send [`Call`]s and force on their clients what a careful caller
//! would set. An SDK depends on this crate alone and returns [`Call`]s; the application picks the client.
//!
//! With a stack of your own: send what [`Attempt::request`] gives, or [`Call::to_request`] for a single try; **no TLS, no
//! call**, **follow no redirect**, treat every status as an answer, set a time-out, cap what you read, and feed the response
//! to [`Attempt::on_response`] or [`Api::read`]. To have retries, rate limits and
//! deadlines as well, drive an [`Attempt`]: its docs show the loop.
//!
//! # Time and chance
//! The core reads no clock and draws no random number. An [`Attempt`] is told how much time has gone by and a [`Pacer`]
//! what time it is, and each takes a seed for its jitter; so a test can play a day of calls in no time, and play it again.
//!
//! # What it needs
//! Rust 1.85. Public types from outside std are those of `http` and `bytes`, both re-exported, and serde's two traits.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod api;
mod api_error;
mod api_key;
mod attempt;
mod base_url;
mod budget;
mod call;
mod call_error;
mod classification;
mod decision;
mod error;
mod idempotency_key;
mod jitter;
mod limits;
mod masking;
mod moment;
mod outcome;
mod pacer;
mod paths;
mod rate_limit;
mod retry;
mod spread;
mod time;
mod words;

pub use bytes;
pub use http;

pub use answer::{Answer, Reply};
pub use api::{Api, ApiBuilder};
pub use api_error::ApiError;
pub use api_key::{API_KEY_VARIABLE, ApiKey, InvalidApiKey};
pub use attempt::{Attempt, Step};
pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use budget::RetryBudget;
pub use call::Call;
pub use call_error::CallError;
pub use error::{DecodeCategory, DecodeError, Delivery, InvalidUserAgent, RequestError};
pub use limits::Limits;
pub use moment::Moment;
pub use outcome::{ApiErrorKind, AuthOutcome, ForbiddenReason, KeyStatus, Redirected, UnexpectedCause};
pub use pacer::Pacer;
pub use rate_limit::RateLimit;
pub use retry::{RetryPolicy, RetryReason};
pub use words::FieldError;
