//! On ureq, with a thread for each call that is under way.

use std::thread;

use cometly_ureq::Client;
use ureq::Agent;

use crate::{
    AT_ONCE, Stack, Who,
    by_hand::{AGENT, ByHand, KEY, length},
};

pub struct OnUreq {
    agent: Agent,
    ours: Client,
    by_hand: ByHand,
}

impl OnUreq {
    pub fn new(url: &str) -> Self {
        // By default it keeps three connections to a host, too few for all that are under way; ours keeps as many.
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_idle_connections(2 * AT_ONCE)
            .max_idle_connections_per_host(2 * AT_ONCE)
            .build()
            .new_agent();
        Self { agent, ours: Client::new().expect("a client"), by_hand: ByHand::new(url) }
    }

    fn call(&self, who: Who, number: u64) -> usize {
        let Self { agent, ours, by_hand } = self;
        let mut response = match who {
            Who::Ours => return length(&ours.send(by_hand.call(number)).expect("an answer")),
            Who::Raw => {
                let request = agent.get(by_hand.url(number)).header("Authorization", format!("Bearer {KEY}"));
                let request = request.header("Accept", "application/json").header("Content-Type", "application/json");
                let request = request.header("Accept-Encoding", "identity").header("User-Agent", AGENT);
                request.call().expect("an answer")
            }
            Who::Lean | Who::Lean3 => {
                agent.run(by_hand.request(number, matches!(who, Who::Lean), ())).expect("an answer")
            }
        };
        assert!(response.status().is_success());
        response.body_mut().read_to_vec().expect("a body").len()
    }
}

impl Stack for OnUreq {
    fn one_by_one(&self, who: Who, calls: u64) -> usize {
        (0..calls).map(|number| self.call(who, number)).sum()
    }

    fn at_once(&self, who: Who, calls: u64) -> usize {
        let each = calls / AT_ONCE as u64;
        thread::scope(|scope| {
            let threads = [(); AT_ONCE].map(|()| scope.spawn(|| self.one_by_one(who, each)));
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        })
    }
}
