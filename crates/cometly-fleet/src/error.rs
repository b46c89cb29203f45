//! Why there is no fleet.

use std::{fmt, io};

/// Why [`Fleet::connect`](crate::Fleet::connect) gives up: what trying again does not cure. Never shows the URL, which may hold
/// a password.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// The URL is none of Redis.
    #[error("the fleet's URL is no URL of Redis: give one such as `redis://user:password@host:6379/0`")]
    InvalidUrl,
    /// The URL begins with `rediss://`, and the feature `tls` is off.
    #[error("the fleet's URL asks for TLS (`rediss://`): turn on the feature `tls` of the crate cometly-fleet")]
    TlsIsOff,
    /// The engine refused the user or the password, or wants one.
    #[error(
        "Redis at {engine} refused the fleet's user or password: check `user:password@` in its URL, where special characters \
         are percent-encoded"
    )]
    WrongPassword {
        /// Its host and port.
        engine: String,
    },
    /// The server answers, and not as Redis does.
    #[error("the server at {engine} does not answer as Redis or Valkey does: check host and port of the fleet's URL")]
    NotRedis {
        /// Its host and port.
        engine: String,
    },
    /// The server is older than version 5.
    #[error("Redis at {engine} has version {version}, a fleet needs 5 or later: update it, or use Valkey")]
    TooOld {
        /// Its host and port.
        engine: String,
        /// What it says its version is.
        version: String,
    },
    /// The server is part of a cluster.
    #[error(
        "Redis at {engine} is in cluster mode, which a fleet does not support: use one server, with replicas or without"
    )]
    Cluster {
        /// Its host and port.
        engine: String,
    },
    /// The engine cannot be asked now; trying again may cure it. Only [`Fleet::endpoints`](crate::Fleet::endpoints) says so.
    #[error("{problem}")]
    Unavailable {
        /// What failed, with the engine's host and port.
        problem: String,
    },
    /// The thread of the fleet cannot be started.
    #[error("the fleet's thread cannot be started: {0}")]
    Thread(#[source] io::Error),
}

impl fmt::Debug for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
