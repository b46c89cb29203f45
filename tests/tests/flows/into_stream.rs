//! `Run::into_stream` of the async clients.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use cometly_core::{FlowError, Pages};
use cometly_emulator::Fault;
use futures_lite::{Stream, StreamExt as _};
use serde_json::Value;

use super::{list, stage};

fn id(row: &Value) -> u64 {
    row["id"].as_u64().unwrap()
}

/// Takes the rest of the rows, after a future of the next one that is dropped within a call.
async fn after_a_drop<E: std::fmt::Debug>(rows: impl Stream<Item = Result<Value, E>> + Send) -> Vec<u64> {
    let mut rows = pin!(rows);
    let mut ids = Vec::new();
    while ids.len() < 10 {
        ids.push(id(&rows.next().await.unwrap().unwrap()));
    }
    // The second page is asked for, and its answer not waited for.
    let polled = poll_fn(|context| {
        let mut next = rows.next();
        Poll::Ready(std::future::Future::poll(std::pin::Pin::new(&mut next), context).is_pending())
    });
    assert!(polled.await, "the call takes longer than a poll");
    while let Some(row) = rows.next().await {
        ids.push(id(&row.unwrap()));
    }
    ids
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn a_stream_gives_each_row_once_and_a_dropped_future_loses_none() {
    let expected: Vec<u64> = (1..=30).collect();
    let stage = stage();
    // So that no answer is there at the first poll, however busy the machine is.
    stage.emulator.inject(Fault::slow(Duration::from_millis(200)));
    let client = cometly_reqwest::Client::new().unwrap();
    let rows = client.run(&stage.api, Pages::of(list()).rows()).into_stream();
    assert_eq!(runtime().block_on(after_a_drop(rows)), expected);
    assert_eq!(stage.emulator.request_count(), 3);

    let client = cometly_isahc::Client::new().unwrap();
    let rows = client.run(&stage.api, Pages::of(list()).rows()).into_stream();
    assert_eq!(futures_lite::future::block_on(after_a_drop(rows)), expected);
    assert_eq!(stage.emulator.request_count(), 6);
}

#[test]
fn a_stream_ends_after_an_error_and_can_be_sent_to_another_thread() {
    let stage = stage();
    stage.emulator.inject(Fault::cursor_missing());
    let client = cometly_reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let pages = client.run(&stage.api, Pages::of(list())).into_stream();
    let ends = std::thread::scope(|scope| {
        let all = scope.spawn(|| runtime().block_on(pages.collect::<Vec<_>>()));
        all.join().unwrap()
    });
    assert!(ends.len() == 2 && ends[0].is_ok());
    assert!(matches!(ends[1].as_ref().unwrap_err().flow_error(), Some(FlowError::MissingCursor)));
}
