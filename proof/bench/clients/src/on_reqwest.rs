//! On reqwest, and a tokio runtime of one thread.

use cometly_reqwest::Client;
use futures_util::{StreamExt as _, stream};
use http::{
    Method,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT},
};
use reqwest::{Request, Url};
use tokio::runtime::{Builder, Runtime};

use crate::{
    AT_ONCE, Stack, Who,
    by_hand::{AGENT, ByHand, KEY, length},
};

pub struct OnReqwest {
    runtime: Runtime,
    http: reqwest::Client,
    ours: Client,
    by_hand: ByHand,
}

impl OnReqwest {
    pub fn new(url: &str) -> Self {
        Self {
            runtime: Builder::new_current_thread().enable_all().build().expect("a runtime"),
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            ours: Client::new().expect("a client"),
            by_hand: ByHand::new(url),
        }
    }

    async fn call(&self, who: Who, number: u64) -> usize {
        let Self { http, ours, by_hand, .. } = self;
        match who {
            Who::Ours => length(&ours.send(by_hand.call(number)).await.expect("an answer")),
            Who::Raw => {
                let request = http.get(by_hand.url(number)).bearer_auth(KEY).header(ACCEPT, "application/json");
                let request = request.header(CONTENT_TYPE, "application/json").header(ACCEPT_ENCODING, "identity");
                let response = request.header(USER_AGENT, AGENT).send().await.expect("an answer");
                assert!(response.status().is_success());
                response.bytes().await.expect("a body").len()
            }
            Who::Lean | Who::Lean3 => {
                let mut request = Request::new(Method::GET, Url::parse(&by_hand.url(number)).expect("a URL"));
                *request.headers_mut() = by_hand.headers(matches!(who, Who::Lean));
                http.execute(request).await.expect("an answer").bytes().await.expect("a body").len()
            }
        }
    }
}

impl Stack for OnReqwest {
    fn one_by_one(&self, who: Who, calls: u64) -> usize {
        self.runtime.block_on(async {
            let mut read = 0;
            for number in 0..calls {
                read += self.call(who, number).await;
            }
            read
        })
    }

    fn at_once(&self, who: Who, calls: u64) -> usize {
        let calls = stream::iter(0..calls).map(|number| self.call(who, number)).buffer_unordered(AT_ONCE);
        self.runtime.block_on(calls.fold(0, |read, more| async move { read + more }))
    }
}
