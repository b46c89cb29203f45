//! Whole jobs: a page of a list from its call to its rows, and calls that wait in a pacer's line; `cargo xtask bench` runs
//! them.

use std::{hint::black_box, process::ExitCode, time::Duration};

use bytes::Bytes;
use cometly::events::{Event, ListEvents};
use cometly_core::{
    Api, ApiKey, Call, Flow, Moment, Next, Operation, Pacer, Pages, RetryPolicy, Step, TransportLimits,
};
use harness::{Counting, Suite};
use http::{HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// As Cometly's are: an id, a bar and a secret.
const KEY: &str = "12|0123456789abcdef0123456789abcdef0123456789abcdef";

/// On one page.
const ROWS: u64 = 100;

fn main() -> ExitCode {
    let mut suite = Suite::default();
    pages(&mut suite);
    pacer(&mut suite);
    suite.main()
}

/// What a page is without the flow's checks.
#[derive(Deserialize)]
struct ByHand {
    data: Vec<Event>,
    next_cursor: Option<String>,
    #[expect(dead_code, reason = "read as ours is")]
    prev_cursor: Option<String>,
}

fn pages(suite: &mut Suite) {
    let rows: Vec<_> = (1..=ROWS)
        .map(|id| {
            json!({
                "id": id,
                "event_time_utc": "2026-11-24 10:00:00",
                "event_name": "purchase",
                "email": format!("contact-{id}@example.com"),
                "amount": 12.5,
                "order_id": format!("order-{id}"),
            })
        })
        .collect();
    let page = json!({ "data": rows, "next_cursor": null, "prev_cursor": "eyJpZCI6NDR9", "per_page": ROWS });
    let body = Bytes::from(page.to_string());
    let by_hand = body.clone();
    suite.add("page", "lean", move || {
        let page: ByHand = serde_json::from_slice(black_box(&by_hand)).expect("a page");
        black_box(&page.next_cursor);
        page.data.into_iter().for_each(|row| drop(black_box(row)));
    });
    let api = Api::new(ApiKey::new(KEY).expect("a key"));
    let list = ListEvents::on("2026-11-24").build().expect("a request");
    suite.add("page", "ours", move || {
        let mut rows = Pages::of(list.clone()).rows();
        let now = Moment::since_origin(Duration::ZERO);
        loop {
            match rows.next(&api, now).expect("a step") {
                Step::Send(call) => {
                    drop(black_box(call));
                    let reply = api.read(Response::new(black_box(body.clone()))).into_result().expect("a success");
                    rows.on_reply(reply, now).expect("a page");
                }
                Step::Yield(row) => drop(black_box(row)),
                Step::Sleep(_) => {}
                Step::End(end) => {
                    black_box(end);
                    break;
                }
            }
        }
    });
}

type Waiting = Operation<Bytes, std::io::Error>;

/// An API whose rate limit is used up at each of its endpoints, and the calls that wait there.
struct Line {
    api: Api,
    #[expect(dead_code, reason = "dropped, a call leaves its line")]
    waiting: Vec<Waiting>,
}

fn now() -> Moment {
    Moment::since_origin(Duration::from_secs(1))
}

fn start(call: Call) -> Waiting {
    let policy = RetryPolicy::within(Duration::from_secs(1 << 30));
    call.start(&policy, &TransportLimits::default(), 1, now()).expect("a call")
}

/// One step of a call that is not let go.
fn wait(operation: Waiting) -> Waiting {
    match operation.next(now()) {
        Next::Wait { operation, .. } => operation,
        other => unreachable!("the limit is used up: {other:?}"),
    }
}

impl Line {
    fn of(endpoints: usize, waiters: usize) -> Self {
        let key = ApiKey::new(KEY).expect("a key");
        let api = Api::builder(key).pacer(Pacer::new()).build();
        let mut waiting = Vec::new();
        for endpoint in 0..endpoints {
            let call = api.get(format!("things-{endpoint}"));
            let Next::Send(attempt) = start(call.clone()).next(now()) else { unreachable!("the first call goes") };
            let mut response = Response::new(Bytes::from_static(b"{}"));
            let headers = response.headers_mut();
            headers.insert("x-ratelimit-limit", HeaderValue::from_static("60"));
            headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
            headers.insert("retry-after", HeaderValue::from_static("60"));
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            drop(attempt.finish::<Bytes, std::io::Error>(Ok(response), now()));
            waiting.extend((0..waiters).map(|_| wait(start(call.clone()))));
        }
        Self { api, waiting }
    }
}

fn pacer(suite: &mut Suite) {
    for (job, endpoints, waiters) in [("1", 1, 1), ("100", 1, 100), ("10000", 1, 10_000), ("300-endpoints", 300, 1)] {
        // Made when it is first asked for, since no other piece needs it.
        let mut line = None;
        suite.add(&format!("leave-{job}"), "ours", move || {
            let line = line.get_or_insert_with(|| Line::of(endpoints, waiters));
            drop(black_box(wait(start(line.api.get("things-0")))));
        });
    }
}
