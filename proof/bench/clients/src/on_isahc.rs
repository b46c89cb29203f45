//! On isahc: blocking one by one, and async at once. Connections are kept, which our adapter does only if asked to.

use std::io::Read as _;

use cometly_isahc::{Client, blocking};
use futures_util::{AsyncReadExt as _, StreamExt as _, stream};
use http::Request;
use isahc::{HttpClient, config::Configurable as _};

use crate::{
    AT_ONCE, Stack, Who,
    by_hand::{AGENT, ByHand, KEY, length},
};

pub struct OnIsahc {
    http: HttpClient,
    ours: Client,
    blocking: blocking::Client,
    by_hand: ByHand,
}

impl OnIsahc {
    pub fn new(url: &str) -> Self {
        let ours = Client::builder().reuse_connections(true).build().expect("a client");
        Self {
            http: HttpClient::builder().proxy(None).build().expect("a client"),
            blocking: blocking::Client::from(ours.clone()),
            ours,
            by_hand: ByHand::new(url),
        }
    }

    /// By hand; `B` is isahc's body, of which it has two.
    fn request<B>(&self, who: Who, number: u64, body: B) -> Request<B> {
        if !matches!(who, Who::Raw) {
            return self.by_hand.request(number, matches!(who, Who::Lean), body);
        }
        let request = Request::get(self.by_hand.url(number)).header("Authorization", format!("Bearer {KEY}"));
        let request = request.header("Accept", "application/json").header("Content-Type", "application/json");
        let request = request.header("Accept-Encoding", "identity").header("User-Agent", AGENT);
        request.body(body).expect("a request")
    }

    fn call(&self, who: Who, number: u64) -> usize {
        if matches!(who, Who::Ours) {
            return length(&self.blocking.send(self.by_hand.call(number)).expect("an answer"));
        }
        let response = self.http.send(self.request(who, number, isahc::Body::empty())).expect("an answer");
        assert!(response.status().is_success());
        let mut body = response.into_body();
        let mut read = Vec::with_capacity(room(body.len()));
        body.read_to_end(&mut read).expect("a body")
    }

    async fn call_async(&self, who: Who, number: u64) -> usize {
        if matches!(who, Who::Ours) {
            return length(&self.ours.send(self.by_hand.call(number)).await.expect("an answer"));
        }
        let request = self.request(who, number, isahc::AsyncBody::empty());
        let response = self.http.send_async(request).await.expect("an answer");
        assert!(response.status().is_success());
        let mut body = response.into_body();
        let mut read = Vec::with_capacity(room(body.len()));
        body.read_to_end(&mut read).await.expect("a body")
    }
}

fn room(length: Option<u64>) -> usize {
    length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default()
}

impl Stack for OnIsahc {
    fn one_by_one(&self, who: Who, calls: u64) -> usize {
        (0..calls).map(|number| self.call(who, number)).sum()
    }

    fn at_once(&self, who: Who, calls: u64) -> usize {
        let calls = stream::iter(0..calls).map(|number| self.call_async(who, number)).buffer_unordered(AT_ONCE);
        futures_executor::block_on(calls.fold(0, |read, more| async move { read + more }))
    }
}
