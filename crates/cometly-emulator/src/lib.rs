//! A Cometly API on loopback, for tests, demos and continuous integration.
//!
//! An [`Emulator`] listens on a free port of 127.0.0.1 and is gone when dropped. It answers what the API's Laravel
//! backend answers, in Laravel's order and with Laravel's bytes: which body is compact and which is pretty-printed, which
//! answer carries rate headers and which does not, and the redirect to an HTML login page for a client that does not put
//! JSON first in `Accept`. It knows nothing of the client under test, so it takes no mistake of that client for granted.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//!
//! use cometly_emulator::Emulator;
//!
//! # fn main() -> std::io::Result<()> {
//! let emulator = Emulator::builder().seed(0).start()?;
//! let key = &emulator.keys().full;
//!
//! // Any HTTP client will do, pointed at `emulator.base_url()`; here, none at all.
//! let mut stream = TcpStream::connect(emulator.address())?;
//! write!(
//!     stream,
//!     "GET /public-api/v1/events?start_date=2026-01-01+00:00:00&end_date=2026-02-01+00:00:00&per_page=1 HTTP/1.1\r\n\
//!      Host: {}\r\nAuthorization: Bearer {key}\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
//!     emulator.address(),
//! )?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//!
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert!(answer.contains(r#"{"data":[{"id":1,"event_time_utc":"2026-01-01 00:00:00"}],"#));
//!
//! let seen = emulator.received_requests();
//! assert_eq!(seen[0].path, "/public-api/v1/events");
//! assert_eq!(seen[0].headers["accept"], "application/json");
//! # Ok(())
//! # }
//! ```
//!
//! # Keys and Spaces
//! Three keys are ready in [`Emulator::keys`]; [`Emulator::issue_key`] makes more, of any [`Space`] ([`Emulator::space`] is
//! the first one) and with any [`Ability`], and [`Emulator::revoke_key`] takes one away.
//!
//! # Limits and time
//! `GET /events` allows 7 calls a minute in each Space and `GET /contacts` 15, as documented.
//! [`EmulatorBuilder::limit`] sets another limit and [`EmulatorBuilder::no_limits`] takes all away. Time comes from a
//! [`Clock`], so that no test has to wait for a minute.
//!
//! # Faults
//! [`Emulator::inject`] lets something go wrong: a [`Fault`] answers in place of the backend, or spoils the answer to a call
//! that was carried out. The same can be done from outside, by the page and the control API under
//! [`Emulator::page_url`]; the README has the table.
//!
//! # Keys that leak
//! Exports are downloaded from another origin, where a key has no business: [`Emulator::leaked_keys`] tells of every one
//! that came there.
//!
//! # What is faithful and what is guessed
//! Statuses, JSON bodies, their whitespace and their headers are Laravel's. What Cometly publishes nothing on is ours, and the
//! README lists it: the text for an inactive subscription, the names of the abilities, the fields of an event, and more. HTML
//! bodies are short stand-ins with the right status and headers. HTTP/1 header names arrive as `X-Ratelimit-Limit` where
//! Laravel writes `X-RateLimit-Limit`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod builder;
mod clock;
mod control;
mod dates;
mod downloads;
mod emulator;
mod endpoints;
mod faults;
#[cfg(fuzzing)]
mod fuzzing;
mod json;
mod keys;
mod laravel;
mod live;
mod path;
mod record;
mod ring;
mod scramble;
mod server;
mod store;
mod visit;

pub use {bytes, http};

pub use crate::builder::EmulatorBuilder;
pub use crate::clock::Clock;
pub use crate::emulator::Emulator;
pub use crate::faults::active::{FaultId, InjectedFault};
pub use crate::faults::fault::Fault;
#[cfg(fuzzing)]
pub use crate::fuzzing::Socketless;
pub use crate::keys::{Ability, Keys, Space};
pub use crate::record::ReceivedRequest;

/// The programs of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
