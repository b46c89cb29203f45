//! Why there is no fleet.

use std::{fmt, io};

/// Why [`Fleet::connect`](crate::Fleet::connect) or [`Fleet::endpoints`](crate::Fleet::endpoints) fails. Except for
/// [`Unavailable`](Self::Unavailable), trying again does not cure it. [`Fleet::connect`](crate::Fleet::connect) gives each of
/// them but `Unavailable`: an engine that is down is no error there. The error never shows the URL, which may hold a password.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// The URL is not one of Redis, such as `redis://user:password@host:6379/0`.
    #[error("the fleet's URL is no URL of Redis: give one such as `redis://user:password@host:6379/0`")]
    InvalidUrl,
    /// The URL begins with `rediss://`, and the feature `tls` is off.
    #[error("the fleet's URL asks for TLS (`rediss://`): turn on the feature `tls` of the crate cometly-fleet")]
    TlsIsOff,
    /// The engine refused the user or the password of the URL, or asks for one that the URL does not have.
    #[error(
        "Redis at {engine} refused the fleet's user or password: check `user:password@` in its URL, where special characters \
         are percent-encoded"
    )]
    WrongPassword {
        /// The host and port of the engine.
        engine: String,
    },
    /// The server answers, and not as Redis or Valkey does.
    #[error("the server at {engine} does not answer as Redis or Valkey does: check host and port of the fleet's URL")]
    NotRedis {
        /// The host and port of the server.
        engine: String,
    },
    /// The server is Redis before version 5.
    #[error("Redis at {engine} has version {version}, a fleet needs 5 or later: update it, or use Valkey")]
    TooOld {
        /// The host and port of the engine.
        engine: String,
        /// The version that the server reports.
        version: String,
    },
    /// The server is part of a cluster.
    #[error(
        "Redis at {engine} is in cluster mode, which a fleet does not support: use one server, with replicas or without"
    )]
    Cluster {
        /// The host and port of the engine.
        engine: String,
    },
    /// The engine cannot be asked now; trying again may cure it. Only [`Fleet::endpoints`](crate::Fleet::endpoints) gives this
    /// error.
    #[error("{problem}")]
    Unavailable {
        /// What failed, with the host and port of the engine, for logs.
        problem: String,
    },
    /// The operating system gave no thread for the fleet.
    #[error("the fleet's thread cannot be started: {0}")]
    Thread(#[source] io::Error),
}

impl fmt::Debug for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
