//! Flows as each client runs them, against the emulator: lists with good and with wrong cursors, exports, endpoints.
#![cfg(feature = "adapters")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod downloads;
mod drivers;
mod into_stream;
mod kills;
#[path = "../../examples/attohttpc.rs"]
mod own_stack;
mod readers;
#[cfg(target_os = "linux")]
mod stops;
mod streams;
mod typed;

use std::time::Duration;

use cometly_conformance::Source;
use cometly_core::{
    Api, ApiErrorKind, CallError, CallErrorKind, Cursor, Endpoint, ExportJob, FlowError, Page, Pages, PagesEnd,
    RetryPolicy, TransportLimits, endpoint,
};
use cometly_emulator::{Emulator, Fault};
use drivers::{Driver, Orders, Stage, for_each_driver};
use serde_json::Value;

fn list() -> impl Endpoint<Output = Page<Value>> + Send {
    endpoint(|api: &Api| api.get("companies").query("per_page", 10))
}

/// 30 companies: three pages.
fn stage() -> Stage {
    Stage::new(Emulator::builder().seed(1).seeded_companies(30).no_limits())
}

fn company(id: u64) -> impl Endpoint<Output = Value> + Send {
    endpoint(move |api: &Api| api.get("companies/{id}").segment(id))
}

fn ids(pages: &[Vec<Value>]) -> Vec<u64> {
    pages.iter().flatten().map(|row| row["id"].as_u64().unwrap()).collect()
}

/// Each id once, in order.
fn is_each_once(ids: &[u64]) -> bool {
    ids.windows(2).all(|pair| pair[0] < pair[1])
}

fn a_list_goes_on_where_another_run_stopped<D: Driver>() {
    let (stage, driver) = (stage(), D::new(Duration::from_secs(20)));
    let mut pages = Pages::of(list()).at_most(2);
    let (first, end, _) = driver.run(&stage.api, &mut pages);
    assert_eq!((first.len(), end.unwrap()), (2, Some(PagesEnd::AtMost)));
    // As another process gets it.
    let cursor: Cursor = pages.cursor().unwrap().to_string().parse().unwrap();
    let (rest, end, _) = driver.run(&stage.api, Pages::resume(list(), cursor));
    assert_eq!((rest.len(), end.unwrap()), (1, Some(PagesEnd::LastPage)));
    let all = [ids(&first), ids(&rest)].concat();
    assert!(all.len() == 30 && is_each_once(&all), "{all:?}");
    assert_eq!(stage.emulator.request_count(), 3);
}

/// What a list does that meets `fault` at each page: the pages it gave, its end, and how many calls it took.
fn walk<D: Driver>(fault: Fault) -> (usize, Result<Option<PagesEnd>, CallError<Source>>, u64) {
    let (stage, driver) = (stage(), D::new(Duration::from_secs(20)));
    stage.emulator.inject(fault);
    let (pages, end, _) = driver.run(&stage.api, Pages::of(list()));
    (pages.len(), end, stage.emulator.request_count())
}

fn wrong_cursors_are_told_apart_with_one_call_more_at_most<D: Driver>() {
    // The second page leads back to the first one.
    let (pages, end, calls) = walk::<D>(Fault::cursor_cycle());
    let error = end.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::Flow);
    assert!(matches!(error.flow_error(), Some(FlowError::BackAtFirstPage)), "{error}");
    assert_eq!((pages, calls), (2, 3));

    // The third one leads back to the second one, by a cursor that is new: only the next one shows it.
    let (pages, end, calls) = walk::<D>(Fault::cursor_cycle().after(2).up_to_n_times(1));
    let error = end.unwrap_err();
    assert!(matches!(error.flow_error(), Some(FlowError::RepeatedCursor)), "{error}");
    assert_eq!((pages, calls), (4, 4));

    let (pages, end, calls) = walk::<D>(Fault::cursor_first_page());
    let error = end.unwrap_err();
    assert!(matches!(error.flow_error(), Some(FlowError::BackAtFirstPage)), "{error}");
    assert_eq!((pages, calls), (1, 2));

    let (pages, end, calls) = walk::<D>(Fault::cursor_missing());
    let error = end.unwrap_err();
    assert!(matches!(error.flow_error(), Some(FlowError::MissingCursor)), "{error}");
    assert_eq!((pages, calls), (1, 1));

    let (pages, end, calls) = walk::<D>(Fault::cursor_long());
    let error = end.unwrap_err();
    assert!(matches!(error.flow_error(), Some(FlowError::CursorTooLong { found: 0x0010_0000 })), "{error}");
    assert_eq!((pages, calls), (1, 1));

    // An empty cursor is the end of the list.
    let (pages, end, calls) = walk::<D>(Fault::cursor_empty());
    assert_eq!((pages, end.unwrap(), calls), (1, Some(PagesEnd::LastPage), 1));
}

fn a_list_that_fails_goes_on_at_the_page_that_failed<D: Driver>() {
    let (stage, driver) = (stage(), D::new(Duration::from_secs(20)));
    stage.emulator.inject(Fault::html_page().after(1).up_to_n_times(1));
    let (first, end, flow) = driver.run(&stage.api, Pages::of(list()));
    let error = end.unwrap_err();
    assert!(matches!(error.api_error().unwrap().kind(), ApiErrorKind::Unexpected(_)), "{error}");
    let (rest, end, _) = driver.run(&stage.api, flow.unwrap());
    assert_eq!(end.unwrap(), Some(PagesEnd::LastPage));
    let all = [ids(&first), ids(&rest)].concat();
    assert!(all.len() == 30 && is_each_once(&all), "{all:?}");
}

fn an_export_runs_from_its_order_to_its_file<D: Driver>() {
    let (stage, driver) = (stage(), D::new(Duration::from_secs(20)));
    let (steps, end, _) = driver.run(&stage.api, ExportJob::new(Orders));
    let export = end.unwrap().unwrap();
    let statuses: Vec<_> = steps.iter().map(|step| step.status.to_string()).collect();
    assert_eq!(statuses.first().map(String::as_str), Some("queued"), "{statuses:?}");
    assert_eq!(export.status.to_string(), "completed");
    assert!(export.download_url.is_some());
    let orders = stage.emulator.received_requests().iter().filter(|request| request.method == "POST").count();
    assert_eq!(orders, 1);

    // Another process knows its id alone, and one question is enough.
    let (_, end, _) = driver.run(&stage.api, ExportJob::<Orders>::resume(export.export_id));
    assert_eq!(end.unwrap().unwrap().status.to_string(), "completed");
}

fn an_order_whose_answer_is_lost_is_not_sent_again<D: Driver>() {
    let (stage, driver) = (stage(), D::new(Duration::from_secs(20)));
    stage.emulator.inject(Fault::reset_after().for_method("POST"));
    let (_, end, flow) = driver.run(&stage.api, ExportJob::new(Orders));
    let error = end.unwrap_err();
    assert!(matches!(error.flow_error(), Some(FlowError::OrderLost)), "{error}");
    let (_, end, _) = driver.run(&stage.api, flow.unwrap());
    assert!(matches!(end.unwrap_err().flow_error(), Some(FlowError::OrderLost)));
    assert_eq!(stage.emulator.request_count(), 1);
}

fn an_endpoint_gives_its_type_and_nothing_where_there_is_none<D: Driver>() {
    let (stage, driver) = (stage(), D::new(Duration::from_secs(20)));
    let (pages, ..) = driver.run(&stage.api, Pages::of(list()).at_most(1));
    let id = ids(&pages)[0];
    assert_eq!(driver.call(&stage.api, company(id)).unwrap()["id"], id);
    assert_eq!(driver.call_opt(&stage.api, company(id)).unwrap().unwrap()["id"], id);
    let missing = u64::from(u32::MAX);
    assert!(driver.call_opt(&stage.api, company(missing)).unwrap().is_none());
    assert_eq!(driver.call(&stage.api, company(missing)).unwrap_err().kind(), CallErrorKind::Api);
    // A key that is refused is no answer to "is there such a thing".
    stage.emulator.inject(Fault::unauthenticated());
    assert_eq!(driver.call_opt(&stage.api, company(id)).unwrap_err().kind(), CallErrorKind::Api);
}

for_each_driver![
    a_list_goes_on_where_another_run_stopped,
    wrong_cursors_are_told_apart_with_one_call_more_at_most,
    a_list_that_fails_goes_on_at_the_page_that_failed,
    an_export_runs_from_its_order_to_its_file,
    an_order_whose_answer_is_lost_is_not_sent_again,
    an_endpoint_gives_its_type_and_nothing_where_there_is_none,
];

/// The loop of `docs/your-own-stack.md`, on a stack that we do not ship.
#[test]
fn an_own_stack_runs_a_list_by_ten_lines() {
    let stage = stage();
    let client = own_stack::Client::new(TransportLimits::default(), RetryPolicy::default());
    stage.emulator.inject(Fault::html_page().after(1).up_to_n_times(1));
    let (mut pages, mut rows) = (Pages::of(list()), Vec::new());
    let error = client.run(&stage.api, &mut pages, |page| rows.push(page)).unwrap_err();
    assert_eq!((error.kind(), rows.len()), (CallErrorKind::Api, 1));
    let end = client.run(&stage.api, &mut pages, |page| rows.push(page)).unwrap();
    let ids = ids(&rows);
    assert!(end == PagesEnd::LastPage && ids.len() == 30 && is_each_once(&ids), "{end:?} {ids:?}");
}

/// A job can be spawned on any thread of a runtime.
#[test]
fn the_futures_of_the_async_clients_are_send() {
    fn is_send(_: impl Send) {}
    let api = stage().api;
    let reqwest = cometly_reqwest::Client::new().unwrap();
    is_send(reqwest.call(&api, company(1)));
    is_send(reqwest.call_opt(&api, company(1)));
    is_send(reqwest.run(&api, Pages::of(list())).next());
    is_send(reqwest.run(&api, Pages::of(list()).rows()).next());
    is_send(reqwest.run(&api, ExportJob::new(Orders)).end());
    let isahc = cometly_isahc::Client::new().unwrap();
    is_send(isahc.call(&api, company(1)));
    is_send(isahc.call_opt(&api, company(1)));
    is_send(isahc.run(&api, Pages::of(list())).next());
    is_send(isahc.run(&api, Pages::of(list()).rows()).next());
    is_send(isahc.run(&api, ExportJob::new(Orders)).end());
}
