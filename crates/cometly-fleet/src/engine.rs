//! The connection to Redis or Valkey, and the script there.

use std::{fmt, time::Duration};

use redis::{Client, Connection, ErrorKind, RedisError};

use crate::FleetError;

/// The rule of `cometly_core::SharedLane` as a script.
pub(crate) const RULE: &str = include_str!("rule.lua");

/// How long connecting may take, and an answer. One that takes longer than 50 ms is late, and gives its leases back.
const CONNECTING: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_millis(250);

/// The first version whose scripts may read the clock and write.
const FIRST_VERSION: u64 = 5;

/// Where the engine is. Shown as host and port.
#[derive(Clone)]
pub(crate) struct Address {
    client: Client,
}

pub(crate) struct Engine {
    connection: Connection,
    sha1: String,
}

/// Why the engine cannot be asked.
pub(crate) enum Trouble {
    /// Trying again does not cure it.
    Lasting(FleetError),
    Passing(String),
}

impl Address {
    pub(crate) fn read(url: &str) -> Result<Self, FleetError> {
        if url.starts_with("rediss:") {
            prepare_tls()?;
        }
        Ok(Self { client: Client::open(url).map_err(|_| FleetError::InvalidUrl)? })
    }

    pub(crate) fn connect(&self) -> Result<Engine, Trouble> {
        let connection = self.client.get_connection_with_timeout(CONNECTING);
        let mut connection = connection.map_err(|error| self.trouble(&error))?;
        for set in [Connection::set_read_timeout, Connection::set_write_timeout] {
            set(&connection, Some(ANSWER)).map_err(|error| self.trouble(&error))?;
        }
        let info: Result<String, _> = redis::cmd("INFO").arg("server").query(&mut connection);
        match info {
            Ok(info) => self.check(&info).map_err(Trouble::Lasting)?,
            // A user that may not ask for it can still run the script.
            Err(error) if error.code() == Some("NOPERM") => {}
            Err(error) => return Err(self.trouble(&error)),
        }
        let sha1 = load(&mut connection).map_err(|error| self.trouble(&error))?;
        Ok(Engine { connection, sha1 })
    }

    fn check(&self, info: &str) -> Result<(), FleetError> {
        let engine = self.to_string();
        let field = |name: &str| info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
        let Some(version) = field("redis_version") else { return Err(FleetError::NotRedis { engine }) };
        let first = version.split('.').next().and_then(|first| first.parse::<u64>().ok());
        if first.is_some_and(|first| first < FIRST_VERSION) {
            // Only digits and dots are shown of what a server says.
            let version = version.chars().filter(|c| c.is_ascii_digit() || *c == '.').take(16).collect();
            return Err(FleetError::TooOld { engine, version });
        }
        if field("redis_mode") == Some("cluster") {
            return Err(FleetError::Cluster { engine });
        }
        Ok(())
    }

    /// What failed, without the text of the server, which may repeat a password.
    pub(crate) fn trouble(&self, error: &RedisError) -> Trouble {
        let engine = self.to_string();
        let code = error.code();
        if error.kind() == ErrorKind::AuthenticationFailed || matches!(code, Some("WRONGPASS" | "NOAUTH")) {
            return Trouble::Lasting(FleetError::WrongPassword { engine });
        }
        let problem = match code {
            Some("MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT") => {
                return Trouble::Lasting(FleetError::Cluster { engine });
            }
            Some("READONLY") => "it is read-only: name the primary in the URL",
            Some("OOM") => "its memory is full: raise `maxmemory`, or let it evict keys",
            Some("LOADING") => "it is starting",
            Some("MISCONF") => "it cannot save to its disk and takes no writes",
            Some("NOPERM") => {
                "its user may not run scripts on keys `cometly:*`: allow +evalsha +script|load +get +set +time"
            }
            Some("BUSY") => "another script keeps it busy",
            _ if error.kind() == ErrorKind::Parse || error.kind() == ErrorKind::UnexpectedReturnType => {
                return Trouble::Lasting(FleetError::NotRedis { engine });
            }
            _ if error.is_timeout() => "it does not answer in time",
            _ if error.is_connection_refusal() => "the connection is refused: is it running?",
            _ if error.is_connection_dropped() => "the connection broke",
            _ if error.is_io_error() => "it cannot be reached: check host, port and certificate",
            _ => "it refuses what it is asked: check the database's number in the URL, and that it can run scripts",
        };
        Trouble::Passing(format!("Redis at {engine}: {problem}"))
    }
}

impl Engine {
    /// Runs the rule on these events of one endpoint.
    pub(crate) fn ask(&mut self, key: &str, events: &[u64]) -> Result<Vec<u64>, RedisError> {
        match self.run(key, events) {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                self.sha1 = load(&mut self.connection)?;
                self.run(key, events)
            }
            answer => answer,
        }
    }

    /// The time of the engine's clock, and what is under these keys: none if there is nothing, or another type.
    pub(crate) fn look(&mut self, keys: &[String]) -> Result<(u64, Vec<Option<String>>), RedisError> {
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query(&mut self.connection)?;
        let mut held = Vec::with_capacity(keys.len());
        for key in keys {
            held.push(match redis::cmd("GET").arg(key).query(&mut self.connection) {
                Err(error) if error.code() == Some("WRONGTYPE") => None,
                text => text?,
            });
        }
        Ok((seconds.saturating_mul(1_000).saturating_add(micros / 1_000), held))
    }

    fn run(&mut self, key: &str, events: &[u64]) -> Result<Vec<u64>, RedisError> {
        redis::cmd("EVALSHA").arg(&self.sha1).arg(1).arg(key).arg(events).query(&mut self.connection)
    }
}

fn load(connection: &mut Connection) -> Result<String, RedisError> {
    redis::cmd("SCRIPT").arg("LOAD").arg(RULE).query(connection)
}

/// Several providers may be compiled in by other crates of the program: rustls then needs one to be named.
#[cfg(feature = "tls")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature there is an error")]
fn prepare_tls() -> Result<(), FleetError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if another thread was faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    Ok(())
}

#[cfg(not(feature = "tls"))]
fn prepare_tls() -> Result<(), FleetError> {
    Err(FleetError::TlsIsOff)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.client.get_connection_info().addr(), f)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lasting(error) => fmt::Display::fmt(error, f),
            Self::Passing(problem) => f.write_str(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_cannot_share_a_limit_are_refused_by_name() {
        let address = Address::read("redis://user:secret@localhost:6379").unwrap();
        let check = |info: &str| address.check(info).map_err(|error| error.to_string());
        assert!(check("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n").is_ok());
        assert!(check("redis_version:5.0.0\r\nredis_mode:sentinel\r\n").is_ok());
        for (info, problem) in [
            ("redis_version:4.0.14\r\nredis_mode:standalone\r\n", "has version 4.0.14, a fleet needs 5"),
            ("redis_version:7.2.4\r\nredis_mode:cluster\r\n", "is in cluster mode"),
            ("STAT pid 1\r\n", "does not answer as Redis"),
        ] {
            let error = check(info).unwrap_err();
            assert!(
                error.contains(problem) && error.contains("localhost:6379") && !error.contains("secret"),
                "{error}"
            );
        }
    }
}
