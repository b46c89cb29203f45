//! An export from its order to its file, step by step.

use super::*;

#[test]
fn an_export_is_read_with_a_status_that_may_be_new() {
    let read = |json: &str| serde_json::from_str::<Export>(json);
    let export = read(r#"{"export_id":"a-1","status":"paused","message":null,"new":1}"#).unwrap();
    assert_eq!((export.export_id.to_string().as_str(), export.status.as_str()), ("a-1", "paused"));
    let done = read(r#"{"export_id":"a-1","status":"completed","download_url":"https://canary.example/"}"#).unwrap();
    assert_eq!(done.status, ExportStatus::COMPLETED);
    let shown =
        r#"Export { export_id: ExportId(a-1), status: ExportStatus("completed"), created_at: None, message: None, "#;
    let shown = format!("{shown}download_url: Some(DownloadUrl([redacted])), completed_at: None, expires_at: None }}");
    assert_eq!(format!("{done:?}"), shown);
    let whole = read(
        r#"{"export_id":"a-1","status":"failed","message":"m","created_at":"c","completed_at":"d","expires_at":"e"}"#,
    )
    .unwrap();
    let texts = [whole.message, whole.created_at, whole.completed_at, whole.expires_at];
    assert_eq!(texts.map(Option::unwrap), ["m", "c", "d", "e"]);
    for json in [r#"{"status":"queued"}"#, r#"{"export_id":"a"}"#, r#"{"export_id":"../x","status":"queued"}"#, "[]"] {
        assert!(read(json).is_err(), "{json}");
    }
}

pub(in crate::flow) struct Orders;

impl Endpoint for Orders {
    type Output = ExportOrdered;

    fn call(&self, api: &Api) -> Call {
        api.post("things/exports").body("{}")
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<ExportOrdered, crate::DecodeError> {
        reply.json()
    }
}

impl ExportOrder for Orders {
    fn status_call(api: &Api, id: &ExportId) -> Call {
        api.get("things/exports/{id}").segment(id)
    }
}

fn api() -> Api {
    Api::new(crate::ApiKey::new("12|abcdef").unwrap())
}

fn reply(body: &str, headers: &[(&'static str, &'static str)]) -> Reply<Bytes> {
    let mut response = http::Response::new(Bytes::copy_from_slice(body.as_bytes()));
    response.headers_mut().extend(
        headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))),
    );
    api().read(response).into_result().unwrap()
}

fn at(seconds: u64) -> Moment {
    Moment::since_origin(Duration::from_secs(seconds))
}

#[test]
fn a_wait_that_the_server_asks_for_is_no_longer_than_the_export_may_take() {
    let mut job = ExportJob::new(Orders).within(Duration::from_secs(600));
    assert_eq!(step(&mut job, 0), "send POST things/exports");
    job.on_reply(reply(r#"{"export_id":"a","status":"queued"}"#, &[("retry-after", "86400")]), at(0)).unwrap();
    assert_eq!(step(&mut job, 0), "yield queued");
    assert_eq!(step(&mut job, 0), "sleep 600");
    assert_eq!(step(&mut job, 601), format!("error {}", FlowError::ExportTooSlow));
}

fn step(job: &mut ExportJob<Orders>, now: u64) -> String {
    match job.next(&api(), at(now)) {
        Ok(Step::Send(call)) => format!("send {} {}", call.method(), call.path_template()),
        Ok(Step::Sleep(pause)) => format!("sleep {}", pause.as_secs()),
        Ok(Step::Yield(export)) => format!("yield {}", export.status),
        Ok(Step::End(export)) => format!("end {}", export.status),
        Err(error) => format!("error {error}"),
    }
}

const ORDERED: &str = r#"{"export_id":"x-1","status":"queued"}"#;
const ORDER: &str = "send POST things/exports";
const POLL: &str = "send GET things/exports/{id}";

fn status(status: &str) -> Reply<Bytes> {
    reply(&format!(r#"{{"export_id":"x-1","status":"{status}","download_url":"https://f.example/"}}"#), &[])
}

#[test]
fn an_export_is_ordered_once_and_asked_after_ever_less_often_until_it_is_done() {
    let mut job = ExportJob::new(Orders);
    assert_eq!(step(&mut job, 0), ORDER);
    job.on_reply(reply(ORDERED, &[]), at(1)).unwrap();
    assert_eq!(step(&mut job, 1), "yield queued");
    assert_eq!(job.export_id().unwrap().to_string(), "x-1");
    let mut now = 1;
    for (pause, news) in [(2, "queued"), (4, "processing"), (8, "paused"), (16, "x"), (30, "x"), (30, "completed")] {
        assert_eq!(step(&mut job, now), format!("sleep {pause}"));
        now += pause;
        assert_eq!(step(&mut job, now), POLL);
        assert_eq!(step(&mut job, now), POLL, "a future that was dropped asks again");
        job.on_reply(status(news), at(now)).unwrap();
        assert_eq!(step(&mut job, now), format!("yield {news}"));
    }
    assert_eq!(step(&mut job, now), "end completed");
    assert_eq!(step(&mut job, now), "end completed");
}

#[test]
fn an_export_may_take_a_day() {
    for (now, expected) in [(86_400, POLL.to_owned()), (86_401, format!("error {}", FlowError::ExportTooSlow))] {
        let mut job = ExportJob::new(Orders);
        step(&mut job, 0);
        job.on_reply(reply(ORDERED, &[]), at(0)).unwrap();
        assert_eq!(step(&mut job, 0), "yield queued");
        assert_eq!(step(&mut job, now), expected);
    }
}

#[test]
fn a_clock_that_is_set_back_makes_no_longer_wait() {
    let mut job = ExportJob::new(Orders);
    assert_eq!(step(&mut job, 9000), ORDER);
    job.on_reply(reply(ORDERED, &[]), at(9000)).unwrap();
    assert_eq!(step(&mut job, 5000), "yield queued");
    assert_eq!(step(&mut job, 5000), "sleep 2");
    assert_eq!(step(&mut job, 5002), POLL);
}

#[test]
fn the_server_says_when_to_ask_again() {
    for (headers, pause) in [
        (&[("retry-after", "9")][..], "sleep 9"),
        (&[("retry-after", "0")], "sleep 2"),
        (&[("x-ratelimit-remaining", "0")], "sleep 60"),
        (&[("x-ratelimit-remaining", "1")], "sleep 2"),
    ] {
        let mut job = ExportJob::<Orders>::resume("x-1".parse().unwrap());
        assert_eq!(step(&mut job, 0), POLL);
        job.on_reply(reply(ORDERED, headers), at(0)).unwrap();
        assert_eq!((step(&mut job, 0), step(&mut job, 0).as_str()), ("yield queued".to_owned(), pause));
    }
}

#[test]
fn an_order_that_may_have_arrived_is_never_sent_again_by_itself() {
    let lost = |job: &mut ExportJob<Orders>| step(job, 9).starts_with("error the answer to the order");
    // The future was dropped.
    let mut job = ExportJob::new(Orders);
    assert_eq!(step(&mut job, 0), ORDER);
    assert!(lost(&mut job) && lost(&mut job));
    job.order_again();
    assert_eq!(step(&mut job, 0), ORDER);
    for (failure, is_lost) in [
        (Failure::unanswered(crate::Delivery::Unknown), true),
        (Failure::unanswered(crate::Delivery::NotSent), false),
        (Failure::unanswered(crate::Delivery::Untrusted), false),
        (Failure::answered(crate::ApiErrorKind::ServerError, http::StatusCode::BAD_GATEWAY, None), true),
        (Failure::answered(crate::ApiErrorKind::RateLimited, http::StatusCode::TOO_MANY_REQUESTS, None), false),
        (Failure::answered(crate::ApiErrorKind::Rejected, http::StatusCode::NOT_FOUND, None), false),
    ] {
        let mut job = ExportJob::new(Orders);
        assert_eq!(step(&mut job, 0), ORDER);
        let then = job.on_failure(failure, at(0));
        assert_eq!(matches!(then, Then::Fail(FlowError::OrderLost)), is_lost, "{failure:?}");
        assert_eq!(lost(&mut job), is_lost, "{failure:?}");
        assert!(is_lost || step(&mut job, 0) != POLL, "{failure:?}");
    }
    // An answer that cannot be read is no reason to order again.
    let mut job = ExportJob::new(Orders);
    assert_eq!(step(&mut job, 0), ORDER);
    assert!(matches!(job.on_reply(reply("{}", &[]), at(0)), Err(FlowError::Decode(_))));
    assert!(lost(&mut job));
}

#[test]
fn what_is_wrong_with_an_export_is_told_and_its_place_is_kept() {
    let mut job = ExportJob::<Orders>::resume("x-1".parse().unwrap()).within(Duration::from_secs(100));
    assert_eq!(step(&mut job, 0), POLL);
    let not_found = Failure::answered(crate::ApiErrorKind::Rejected, http::StatusCode::NOT_FOUND, None);
    assert!(matches!(job.on_failure(not_found, at(0)), Then::Fail(FlowError::UnknownExport)));
    let page = crate::ApiErrorKind::Unexpected(crate::UnexpectedCause::NotJson);
    let of_a_proxy = Failure::answered(page, http::StatusCode::NOT_FOUND, None);
    assert!(matches!(job.on_failure(of_a_proxy, at(0)), Then::Halt));
    assert!(matches!(job.on_failure(Failure::unanswered(crate::Delivery::Unknown), at(0)), Then::Halt));
    for (body, error) in [
        (r#"{"export_id":"x-2","status":"queued"}"#, FlowError::OtherExport),
        (r#"{"export_id":"x-1","status":"completed"}"#, FlowError::NoDownloadUrl),
    ] {
        let found = job.on_reply(reply(body, &[]), at(0)).unwrap_err();
        assert_eq!(found.to_string(), error.to_string());
    }
    assert!(matches!(job.on_reply(reply("{}", &[]), at(0)), Err(FlowError::Decode(_))));
    assert_eq!(step(&mut job, 50), POLL);
    assert!(step(&mut job, 101).starts_with("error the export was not completed in the time"));
    job = job.within(Duration::from_secs(1000));
    assert_eq!(step(&mut job, 101), POLL);
    job.on_reply(status("failed"), at(101)).unwrap();
    assert_eq!(step(&mut job, 101), "yield failed");
    assert_eq!(step(&mut job, 101), "error the export failed: order it again");
    assert_eq!(job.export_id().unwrap().to_string(), "x-1");
}

#[test]
fn an_id_has_1_to_128_plain_characters() {
    for (text, is_id) in [
        ("a", true),
        ("A-z_09", true),
        (&"x".repeat(128), true),
        (&"x".repeat(129), false),
        ("", false),
        ("a b", false),
        ("a.b", false),
        ("é", false),
    ] {
        assert_eq!(text.parse::<ExportId>().is_ok(), is_id, "{text}");
    }
}

#[test]
fn debug_shows_how_far_a_job_is() {
    let mut job = ExportJob::new(Orders);
    let shown = |job: &ExportJob<Orders>| format!("{job:?}");
    assert_eq!(shown(&job), r#"ExportJob { state: "not ordered", export_id: None, .. }"#);
    step(&mut job, 0);
    assert_eq!(shown(&job), r#"ExportJob { state: "order sent", export_id: None, .. }"#);
    job.on_reply(reply(ORDERED, &[]), at(0)).unwrap();
    assert_eq!(shown(&job), r#"ExportJob { state: "waiting", export_id: Some(ExportId(x-1)), .. }"#);
}
