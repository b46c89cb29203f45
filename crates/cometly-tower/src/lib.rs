//! Sends [`cometly_core`] calls on any [tower](tower_service) service that takes an HTTP request and gives an HTTP
//! response: hyper-util's client, an axum `Router` in the same process, a stack with layers of your own, on any runtime.
//!
//! The service sends. Clock, sleep and random numbers come from a [`Host`]; on tokio that is:
//!
//! ```
//! use std::{hash::{BuildHasher as _, RandomState}, time::Duration};
//! use cometly_tower::{Client, Host, cometly_core::{Api, ApiKey, Moment, http::Response}};
//!
//! #[derive(Clone)]
//! struct Tokio;
//!
//! impl Host for Tokio {
//!     type Sleep = tokio::time::Sleep;
//!
//!     fn now(&self) -> Moment {
//!         tokio::time::Instant::now().into_std().into()
//!     }
//!
//!     fn sleep(&self, time: Duration) -> Self::Sleep {
//!         tokio::time::sleep(time)
//!     }
//!
//!     fn seed(&self) -> u64 {
//!         RandomState::new().hash_one(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In place of hyper-util's client, which is such a service too.
//! let service = tower::service_fn(|request: cometly_tower::Request| async move {
//!     assert_eq!(request.uri(), "https://app.cometly.com/public-api/v1/companies");
//!     Ok::<_, std::convert::Infallible>(Response::new(r#"{"data":[]}"#.to_owned()))
//! });
//! let client = Client::new(service, Tokio).timeout(Duration::from_secs(10));
//! let api = Api::new(ApiKey::new("12|abcdef")?);
//! println!("{}", client.send(api.get("companies")).await?);
//! # Ok(())
//! # }
//! ```
//!
//! # What is kept on any service
//! One deadline for each attempt, from waiting until the service is ready to the last byte of the body, and one for the call,
//! as far as the host's [sleep](Host::sleep) and [clock](Host::now) are sound; caps on header lines and body; a
//! `Content-Length` that the body does not have is an error; trailers are dropped. Each piece of a body that is
//! [read in pieces](Client::stream), and of a [file](Client::download), has the time of an attempt. No extension that the service
//! puts into a response is kept, except [`Redirected`](cometly_core::Redirected).
//!
//! Waiting for readiness counts as not sent; what fails once the service has the request is of unknown fate, unless
//! [`Host::failure`] knows better; what fails once a response has begun is always of unknown fate.
//!
//! # What is the service's affair
//! TLS, connecting and its time-out, the pool. These have to be turned off in it, since no request can forbid them:
//!
//! | in the service | because |
//! | --- | --- |
//! | following redirects | a POST goes out twice, or a login page reads as an answer. A service that tells of one puts [`Redirected`](cometly_core::Redirected) into the response's extensions |
//! | repeating a request | a conversion is counted twice; the client repeats what is safe, by its [`RetryPolicy`](cometly_core::RetryPolicy) |
//! | a proxy of the environment | it sees the key on plain `http` |
//! | errors for statuses | a refusal is an answer, and its body says why |
//! | logging headers | the key is in one |
//!
//! A service that blocks its thread is beyond any deadline. One that panics ends the call with that panic; the client stays fit
//! for use, and the call's place with the [`Pacer`](cometly_core::Pacer) is given back.
//!
//! # `Send`
//! The futures are `Send` if service, body and sleep are, and only [`Service<Call>`](tower_service::Service) asks for
//! that, so that [`Client::send`] works on a host of one thread too.
#![forbid(unsafe_code)]

mod client;
mod clock;
mod download;
mod error;
mod exchange;
mod host;
mod pieces;
mod run;
mod service;
mod stream;

pub use client::Client;
pub use cometly_core;
pub use download::FileReader;
pub use error::{BoxError, Error, ServiceError};
pub use host::Host;
pub use run::Run;
pub use service::{HttpService, Request};
pub use stream::StreamedBody;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
