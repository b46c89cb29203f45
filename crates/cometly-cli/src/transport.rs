//! The HTTP client that sends the calls: the one that was asked for, of those that this binary was built with.

use std::{error::Error, time::Duration};

use clap::ValueEnum;
use cometly_core::{AuthOutcome, Call, CallError, RetryPolicy, bytes::Bytes};

use crate::failure::{Failure, SendError};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportName {
    Reqwest,
    Ureq,
    Isahc,
}

/// One client for the whole program; clones share its connections.
#[derive(Clone)]
pub(crate) enum Transport {
    Reqwest(cometly_reqwest::blocking::Client),
    #[cfg(feature = "ureq")]
    Ureq(cometly_ureq::Client),
    #[cfg(feature = "isahc")]
    Isahc(cometly_isahc::blocking::Client),
}

/// How patient a command is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// Somebody waits for the answer.
    Call,
    /// It must get through.
    Job,
}

impl Patience {
    fn policy(self, timeout: Option<u32>) -> RetryPolicy {
        let timeout = timeout.map(|seconds| Duration::from_secs(seconds.into()));
        match self {
            Self::Call => match timeout {
                None => RetryPolicy::default(),
                Some(timeout) => RetryPolicy::default().total(timeout).max_retry_after(timeout),
            },
            Self::Job => RetryPolicy::within(timeout.unwrap_or(Duration::from_secs(60 * 60))),
        }
    }
}

impl Transport {
    pub(crate) fn new(name: TransportName, patience: Patience, timeout: Option<u32>) -> Result<Self, Failure> {
        let policy = patience.policy(timeout);
        match name {
            TransportName::Reqwest => Ok(Self::Reqwest(
                cometly_reqwest::blocking::Client::builder().retry_policy(policy).build().map_err(boxed)?,
            )),
            #[cfg(feature = "ureq")]
            TransportName::Ureq => {
                Ok(Self::Ureq(cometly_ureq::Client::builder().retry_policy(policy).build().map_err(boxed)?))
            }
            #[cfg(feature = "isahc")]
            TransportName::Isahc => {
                Ok(Self::Isahc(cometly_isahc::Client::builder().retry_policy(policy).build().map_err(boxed)?.into()))
            }
            #[cfg(not(all(feature = "ureq", feature = "isahc")))]
            absent => {
                let name = absent.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
                Err(Failure::usage(format!("this cometly was built without {name}")).advise(format!(
                    "leave --transport out, or build one with it: cargo install cometly-cli --features {name}"
                )))
            }
        }
    }

    pub(crate) fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Failure> {
        let sent = match self {
            Self::Reqwest(client) => client.send(call).map_err(boxed),
            #[cfg(feature = "ureq")]
            Self::Ureq(client) => client.send(call).map_err(boxed),
            #[cfg(feature = "isahc")]
            Self::Isahc(client) => client.send(call).map_err(boxed),
        };
        sent.map_err(Failure::from)
    }
}

fn boxed<E: Error + Send + Sync + 'static>(error: CallError<E>) -> SendError {
    error.map_transport(Into::into)
}
