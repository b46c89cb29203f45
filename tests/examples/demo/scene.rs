//! The servers that the calls of the demo meet.

use std::{thread, time::Duration};

use cometly_conformance::fault_server::{Answer, ClosedPort, FaultServer, Script};
use cometly_core::{Api, ApiKey};
use cometly_emulator::{Ability, Emulator, Space};

use crate::Result;

/// A Cometly, and what may stand in its place on a bad day.
pub(crate) struct Scene {
    pub(crate) emulator: Emulator,
    /// The same with windows of 2 s, so that the demo does not wait for a minute.
    hurried: Emulator,
    /// A load balancer without anything behind it.
    outage: FaultServer,
    /// A firewall that takes the caller for a bot.
    firewall: FaultServer,
    /// What is left of a server that is gone.
    gone: ClosedPort,
}

impl Scene {
    pub(crate) fn new() -> Result<Self> {
        let page = Answer::html(503, "<html><title>503 Service Temporarily Unavailable</title></html>");
        let challenge = Answer::whole(202, &[("x-amzn-waf-action", "challenge")], "");
        Ok(Self {
            emulator: Emulator::start()?,
            hurried: Emulator::builder().window(Duration::from_secs(2)).start()?,
            outage: FaultServer::start(Script::always(page))?,
            firewall: FaultServer::start(Script::always(challenge))?,
            gone: ClosedPort::bind()?,
        })
    }

    /// The emulator, opened by the key that may do everything.
    pub(crate) fn api(&self) -> Result<Api> {
        self.opened_by(&self.emulator.keys().full)
    }

    /// The emulator, opened by this key.
    pub(crate) fn opened_by(&self, key: &str) -> Result<Api> {
        at(self.emulator.base_url(), key)
    }

    pub(crate) fn hurried_api(&self) -> Result<Api> {
        at(self.hurried.base_url(), &self.hurried.keys().full)
    }

    /// While a call waits: revokes its key, and puts one of another Space in place.
    pub(crate) fn rotate_soon(&self, api: &Api) {
        thread::sleep(Duration::from_millis(200));
        self.hurried.revoke_key(&self.hurried.keys().full);
        // A key that the emulator issues is one.
        if let Ok(key) = ApiKey::new(self.hurried.issue_key(Space::active(), Ability::ALL)) {
            api.rotate(key);
        }
    }

    pub(crate) fn during_an_outage(&self) -> Result<Api> {
        at(&self.outage.base_url(), &self.emulator.keys().full)
    }

    pub(crate) fn behind_a_firewall(&self) -> Result<Api> {
        at(&self.firewall.base_url(), &self.emulator.keys().full)
    }

    /// A port that was closed.
    pub(crate) fn gone(&self) -> Result<Api> {
        at(&self.gone.base_url(), &self.emulator.keys().full)
    }
}

fn at(base_url: &str, key: &str) -> Result<Api> {
    Ok(Api::builder(ApiKey::new(key)?).base_url(base_url.parse()?).build())
}
