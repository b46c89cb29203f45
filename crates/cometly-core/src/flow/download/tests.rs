//! A download driven by heads and lengths, without a socket.

use super::*;
use crate::{ApiKey, DecodeError, Delivery, Endpoint, ExportOrdered};

struct Orders;

impl Endpoint for Orders {
    type Output = ExportOrdered;

    fn call(&self, api: &Api) -> Call {
        api.post("things/exports")
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<ExportOrdered, DecodeError> {
        reply.json()
    }
}

impl ExportOrder for Orders {
    fn status_call(api: &Api, id: &ExportId) -> Call {
        api.get("things/exports/{id}").segment(id)
    }
}

fn api() -> Api {
    Api::new(ApiKey::new("12|canary").unwrap())
}

fn body(url: &str) -> String {
    format!(r#"{{"export_id":"x-1","status":"completed","download_url":"{url}"}}"#)
}

fn download(url: &str) -> Result<Download, FlowError> {
    Download::of::<Orders>(&serde_json::from_str(&body(url)).unwrap(), &api())
}

fn renewed(url: &str) -> Reply<Bytes> {
    api().read(http::Response::new(Bytes::from(body(url)))).into_result().unwrap()
}

fn at(seconds: u64) -> Moment {
    Moment::since_origin(Duration::from_secs(seconds))
}

fn head(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

fn open(download: &mut Download, now: u64) -> Request<()> {
    match download.next(&api(), at(now)).unwrap() {
        Fetch::Open(request) => request,
        Fetch::Wait(pause) => open(download, now.saturating_add(pause.as_secs().max(1))),
        other => panic!("{other:?}"),
    }
}

/// Errors are compared by their words.
fn words<T>(result: Result<T, FlowError>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

fn told(error: FlowError) -> String {
    error.to_string()
}

fn read(download: &mut Download, lens: &[usize]) -> Result<(), FlowError> {
    for len in lens {
        assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::Read)));
        download.on_read(*len, at(0))?;
    }
    Ok(())
}

/// A download of 10 bytes that broke off behind the fourth.
fn broken_off() -> Download {
    let mut download = download(FILE).unwrap();
    open(&mut download, 0);
    download.on_head(StatusCode::OK, &head(&[("content-length", "10"), ("etag", "\"v1\"")]), at(0)).unwrap();
    read(&mut download, &[4, 0]).unwrap();
    download
}

const FILE: &str = "https://files.example/x.gz?Signature=canary";

#[test]
fn a_file_is_read_to_the_length_that_was_said() {
    let mut download = download(FILE).unwrap();
    let request = open(&mut download, 0);
    assert_eq!((request.uri().to_string().as_str(), request.headers().len()), (FILE, 1));
    download.on_head(StatusCode::OK, &head(&[("content-length", "10"), ("etag", "\"v1\"")]), at(0)).unwrap();
    read(&mut download, &[4, 6, 0]).unwrap();
    assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::End)));
    assert_eq!((download.position(), download.total(), download.validator()), (10, Some(10), Some("\"v1\"")));
}

#[test]
fn what_broke_off_is_gone_on_with_if_the_file_is_the_same() {
    let mut download = broken_off();
    assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::Wait(pause)) if pause == Duration::from_secs(1)));
    let request = open(&mut download, 1);
    assert_eq!(request.headers()["range"], "bytes=4-");
    assert_eq!(request.headers()["if-range"], "\"v1\"");
    download.on_head(StatusCode::PARTIAL_CONTENT, &head(&[("content-range", "bytes 4-9/10")]), at(1)).unwrap();
    read(&mut download, &[6, 0]).unwrap();
    assert!(matches!(download.next(&api(), at(1)), Ok(Fetch::End)));
}

#[test]
fn a_length_that_was_said_once_is_not_forgotten() {
    let mut download = broken_off();
    open(&mut download, 9);
    // The rest comes without the length of the whole, and ends early.
    download.on_head(StatusCode::PARTIAL_CONTENT, &head(&[("content-range", "bytes 4-7/*")]), at(9)).unwrap();
    assert_eq!(download.total(), Some(10));
    read(&mut download, &[4, 0]).unwrap();
    assert_eq!(open(&mut download, 20).headers()["range"], "bytes=8-");
    // The same file from its start, of which no length is known any more.
    download.restart();
    open(&mut download, 30);
    download.on_head(StatusCode::OK, &head(&[]), at(30)).unwrap();
    assert_eq!(download.total(), None);
}

#[test]
fn a_file_that_is_another_is_never_begun_anew_without_saying_so() {
    for (status, headers) in [
        (200, head(&[("content-length", "10")])),
        (206, head(&[("content-range", "bytes 0-9/10")])),
        (206, head(&[("content-range", "bytes 4-9/11")])),
        (206, head(&[("content-range", "bytes 4-8/9")])),
        (206, head(&[("content-range", "bytes 4-9/10"), ("etag", "\"v2\"")])),
        (206, head(&[])),
        (416, head(&[("content-range", "bytes */3")])),
    ] {
        let mut download = broken_off();
        open(&mut download, 9);
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(
            words(download.on_head(status, &headers, at(9))),
            told(FlowError::FileChanged),
            "{status} {headers:?}"
        );
        assert_eq!(words(download.next(&api(), at(9))), told(FlowError::FileChanged));
        download.restart();
        assert_eq!((open(&mut download, 9).headers().get("range"), download.position()), (None, 0));
    }
}

#[test]
fn a_download_goes_on_in_another_process() {
    let mut resumed = download(FILE).unwrap().resume(4, Some("\"v1\""));
    let request = open(&mut resumed, 0);
    assert_eq!(
        (&request.headers()["range"], &request.headers()["if-range"]),
        (&"bytes=4-".parse().unwrap(), &"\"v1\"".parse().unwrap())
    );
    resumed.on_head(StatusCode::PARTIAL_CONTENT, &head(&[("content-range", "bytes 4-9/10")]), at(0)).unwrap();
    assert_eq!((resumed.position(), resumed.total()), (4, Some(10)));
    // All of it was there.
    let mut whole = download(FILE).unwrap().resume(10, None);
    open(&mut whole, 0);
    whole.on_head(StatusCode::RANGE_NOT_SATISFIABLE, &head(&[("content-range", "bytes */10")]), at(0)).unwrap();
    assert_eq!(whole.total(), Some(10));
    assert!(matches!(whole.next(&api(), at(0)), Ok(Fetch::End)));
}

#[test]
fn a_url_that_has_expired_is_renewed_at_the_same_host() {
    let mut download = download(FILE).unwrap();
    open(&mut download, 0);
    download.on_head(StatusCode::FORBIDDEN, &head(&[]), at(0)).unwrap();
    match download.next(&api(), at(0)).unwrap() {
        Fetch::Renew(call) => assert_eq!(call.path_template(), "things/exports/{id}"),
        other => panic!("{other:?}"),
    }
    for (url, problem) in [
        ("https://other.example/x", UrlProblem::OtherHost),
        ("https://files.example:444/x", UrlProblem::OtherHost),
        ("http://files.example/x", UrlProblem::Insecure),
    ] {
        assert_eq!(words(download.on_renewed(&renewed(url))), told(FlowError::Url(problem)), "{url}");
    }
    download.on_renewed(&renewed("https://files.example/fresh")).unwrap();
    assert_eq!(open(&mut download, 0).uri().path(), "/fresh");
    // A fresh URL that is refused again and again is no URL that has expired.
    download.on_head(StatusCode::FORBIDDEN, &head(&[]), at(0)).unwrap();
    download.on_renewed(&renewed(FILE)).unwrap();
    open(&mut download, 0);
    let refused = told(FlowError::FileRefused { status: StatusCode::FORBIDDEN });
    assert_eq!(words(download.on_head(StatusCode::FORBIDDEN, &head(&[]), at(0))), refused);
}

#[test]
fn a_url_that_may_not_be_fetched_is_refused_with_its_reason() {
    for (url, problem) in [
        ("http://files.example/x", UrlProblem::Insecure),
        ("https://app.cometly.com/x", UrlProblem::Api),
        ("https://app.cometly.com:443/public-api/v1/events", UrlProblem::Api),
        ("https://app.cometly.com@evil.example/x", UrlProblem::Malformed),
        ("ftp://files.example/x", UrlProblem::Malformed),
        ("/x", UrlProblem::Malformed),
        ("", UrlProblem::Malformed),
    ] {
        assert_eq!(words(download(url)), told(FlowError::Url(problem)), "{url}");
    }
    // An export of a server on this machine may be there as well.
    for url in ["http://127.0.0.1:8080/x", "http://localhost/x", "https://[::1]/x"] {
        let export = serde_json::from_str(&body(url)).unwrap();
        assert_eq!(words(download(url)), told(FlowError::Url(UrlProblem::Insecure)), "{url}");
        let here = Api::builder(ApiKey::new("12|canary").unwrap()).base_url("http://127.0.0.1:4010".parse().unwrap());
        assert!(Download::of::<Orders>(&export, &here.build()).is_ok(), "{url}");
    }
    let none: Export = serde_json::from_str(r#"{"export_id":"x","status":"processing"}"#).unwrap();
    assert_eq!(words(Download::of::<Orders>(&none, &api())), told(FlowError::NoDownloadUrl));
}

#[test]
fn a_failure_that_would_come_again_ends_it_at_once_and_another_after_several() {
    let failed = |delivery| TransportError::failed(delivery, std::fmt::Error);
    let mut download = download(FILE).unwrap();
    for delivery in [Delivery::NotSent, Delivery::Unknown] {
        for _ in 0..MAX_VAIN {
            download.on_failure(failed(delivery), at(0)).unwrap();
        }
        let error = download.on_failure(failed(delivery), at(0)).unwrap_err();
        assert!(matches!(error.flow_error(), Some(FlowError::FileBroken)), "{error}");
        assert!(std::error::Error::source(&error).is_some(), "the last break");
    }
    for error in [failed(Delivery::Untrusted), TransportError::setup(std::fmt::Error)] {
        let error = download.on_failure(error, at(0)).unwrap_err();
        assert!(error.flow_error().is_none() && error.to_string().starts_with("GET export file: "), "{error}");
        assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::Open(_))), "asked again, it goes on");
    }
}

#[test]
fn breaks_without_progress_end_and_with_progress_do_not() {
    let mut download = download(FILE).unwrap();
    let mut waits = Vec::new();
    let error = loop {
        match download.next(&api(), at(0)) {
            Ok(Fetch::Open(_)) => download.on_break(at(0)),
            Ok(Fetch::Wait(pause)) => {
                waits.push(pause.as_secs());
                download.reopen();
            }
            Err(error) => break error,
            Ok(other) => panic!("{other:?}"),
        }
    };
    assert_eq!((words(Err::<(), _>(error)), waits), (told(FlowError::FileBroken), vec![1, 2, 4, 8, 16]));
    download.reopen();
    for _ in 0..100 {
        open(&mut download, 1000);
        let range = format!("bytes {}-999/1000", download.position());
        let (status, headers) = match download.position() {
            0 => (StatusCode::OK, head(&[("content-length", "1000")])),
            _ => (StatusCode::PARTIAL_CONTENT, head(&[("content-range", &range)])),
        };
        download.on_head(status, &headers, at(0)).unwrap();
        read(&mut download, &[1]).unwrap();
        download.on_break(at(0));
    }
    assert_eq!(download.position(), 100);
    // A server in trouble is a break as well.
    download.reopen();
    open(&mut download, 1000);
    download.on_head(StatusCode::SERVICE_UNAVAILABLE, &head(&[]), at(0)).unwrap();
    assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::Wait(_))));
}

#[test]
fn more_than_was_said_is_not_the_file_and_no_request_or_debug_shows_a_secret() {
    let mut download = download(FILE).unwrap();
    let request = open(&mut download, 0);
    assert!(request.headers().values().all(|value| !value.as_bytes().windows(6).any(|part| part == b"canary")));
    download.on_head(StatusCode::OK, &head(&[("content-length", "10")]), at(0)).unwrap();
    assert!(!format!("{download:?}").contains("canary"));
    assert_eq!(words(read(&mut download, &[4, 7])), told(FlowError::FileTooLong));
    assert_eq!(words(download.next(&api(), at(0))), told(FlowError::FileChanged));
    for status in [301, 302, 304, 204] {
        let mut download = super::tests::download(FILE).unwrap();
        open(&mut download, 0);
        let status = StatusCode::from_u16(status).unwrap();
        let refused = told(FlowError::FileRefused { status });
        assert_eq!(words(download.on_head(status, &head(&[]), at(0))), refused);
    }
}

#[test]
fn a_part_that_is_shorter_than_asked_for_is_taken_and_the_rest_is_asked_for() {
    let part = |download: &mut Download, range: &str| {
        download.on_head(StatusCode::PARTIAL_CONTENT, &head(&[("content-range", range)]), at(0)).unwrap();
    };
    // The server says the length, or not.
    for whole in ["10", "*"] {
        let mut download = download(FILE).unwrap().resume(4, None);
        open(&mut download, 0);
        part(&mut download, &format!("bytes 4-6/{whole}"));
        read(&mut download, &[2, 1, 0]).unwrap();
        assert_eq!(open(&mut download, 0).headers()["range"], "bytes=7-");
        part(&mut download, &format!("bytes 7-9/{whole}"));
        // It breaks off within the part.
        read(&mut download, &[2, 0]).unwrap();
        assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::Wait(_))));
        assert_eq!(open(&mut download, 1).headers()["range"], "bytes=9-");
        part(&mut download, &format!("bytes 9-9/{whole}"));
        read(&mut download, &[1, 0]).unwrap();
        if whole == "*" {
            assert_eq!(open(&mut download, 1).headers()["range"], "bytes=10-");
            download.on_head(StatusCode::RANGE_NOT_SATISFIABLE, &HeaderMap::new(), at(1)).unwrap();
        }
        assert!(matches!(download.next(&api(), at(1)), Ok(Fetch::End)), "{whole}");
    }
    let mut long = download(FILE).unwrap().resume(4, None);
    open(&mut long, 0);
    part(&mut long, "bytes 4-6/10");
    assert!(matches!(read(&mut long, &[4]), Err(FlowError::FileTooLong)));
}

#[test]
fn if_range_has_only_what_tells_two_files_apart() {
    const BEFORE: &str = "Tue, 24 Nov 2026 03:28:58 GMT";
    const NOW: &str = "Tue, 24 Nov 2026 03:28:59 GMT";
    for (pairs, expected) in [
        (&[("etag", "\"v1\""), ("last-modified", BEFORE), ("date", NOW)][..], Some("\"v1\"")),
        (&[("last-modified", BEFORE), ("date", NOW)], Some(BEFORE)),
        (&[("etag", "W/\"v1\""), ("last-modified", BEFORE), ("date", NOW)], None),
        (&[("last-modified", NOW), ("date", NOW)], None),
        (&[("last-modified", BEFORE)], None),
        (&[], None),
    ] {
        let mut download = download(FILE).unwrap();
        open(&mut download, 0);
        download.on_head(StatusCode::OK, &head(pairs), at(0)).unwrap();
        assert_eq!(download.validator(), expected, "{pairs:?}");
    }
    for (kept, expected) in [("\"v1\"", true), (BEFORE, true), ("W/\"v1\"", false), ("v1", false), ("", false)] {
        let mut download = download(FILE).unwrap().resume(4, Some(kept));
        assert_eq!(open(&mut download, 0).headers().contains_key("if-range"), expected, "{kept}");
    }
}

#[test]
fn a_server_of_files_that_asks_for_a_wait_gets_it() {
    for (asked, pause) in [("120", 120), ("0", 1), ("86400", 3_600), ("soon", 60)] {
        let mut download = download(FILE).unwrap();
        open(&mut download, 0);
        download.on_head(StatusCode::SERVICE_UNAVAILABLE, &head(&[("retry-after", asked)]), at(0)).unwrap();
        let next = download.next(&api(), at(0));
        assert!(matches!(next, Ok(Fetch::Wait(wait)) if wait == Duration::from_secs(pause)), "{asked}: {next:?}");
    }
}

#[test]
fn a_file_goes_over_plain_http_only_to_the_host_that_the_program_allowed() {
    let read = |base_url: BaseUrl, url: &str| {
        let api = Api::builder(crate::ApiKey::new("12|abcdef").unwrap()).base_url(base_url).build();
        words(Download::of::<Orders>(&serde_json::from_str(&body(url)).unwrap(), &api))
    };
    let insecure = || BaseUrl::insecure_http("http://cometly:8080/public-api/v1").unwrap();
    let refused = told(FlowError::Url(UrlProblem::Insecure));
    assert_eq!(read(insecure(), "http://cometly:8081/x"), "");
    assert_eq!(read(insecure(), "https://files.example/x"), "");
    assert_eq!(read(insecure(), "http://files.example/x"), refused);
    assert_eq!(read(insecure(), "http://127.0.0.1:8081/x"), refused);
    assert_eq!(read(insecure(), "http://cometly:8080/x"), told(FlowError::Url(UrlProblem::Api)));
    let secure = BaseUrl::insecure_http("https://cometly:8080").unwrap();
    assert_eq!(read(secure, "http://cometly:8081/x"), refused, "it is https that was asked for");
    assert_eq!(read(BaseUrl::new("http://localhost:1").unwrap(), "http://cometly:8081/x"), refused);
}

#[test]
fn a_clock_that_is_set_back_makes_no_longer_wait() {
    let mut download = download(FILE).unwrap();
    open(&mut download, 9000);
    download.on_break(at(9000));
    assert!(matches!(download.next(&api(), at(5000)), Ok(Fetch::Wait(_))));
    assert!(matches!(download.next(&api(), at(5001)), Ok(Fetch::Open(_))));
}

#[test]
fn breaks_do_not_use_up_the_fresh_urls() {
    let mut download = download(FILE).unwrap();
    for _ in 0..2 {
        open(&mut download, 100);
        download.on_break(at(0));
    }
    for _ in 0..2 {
        open(&mut download, 100);
        download.on_head(StatusCode::FORBIDDEN, &HeaderMap::new(), at(100)).unwrap();
        assert!(matches!(download.next(&api(), at(100)), Ok(Fetch::Renew(_))));
        download.on_renewed(&renewed("https://files.example:443/x.gz?Signature=2")).unwrap();
    }
    open(&mut download, 100);
    let refused = download.on_head(StatusCode::FORBIDDEN, &HeaderMap::new(), at(100));
    assert_eq!(words(refused), told(FlowError::FileRefused { status: StatusCode::FORBIDDEN }));
}

#[test]
fn a_range_unit_is_read_in_any_case() {
    let range = |value: &str| content_range(&head(&[("content-range", value)]));
    assert_eq!(range("Bytes 5-9/10"), Some((5, 10, Some(10))));
    assert_eq!(range("bytes 5-9/*"), Some((5, 10, None)));
    assert_eq!(range("bytes 5-7/10"), Some((5, 8, Some(10))));
    for broken in ["lines 5-9/10", "bytes 5-4/10", "bytes 5-10/10", "bytes 5-9", "bytes5-9/10", "bytes -9/10"] {
        assert_eq!(range(broken), None, "{broken}");
    }
    assert_eq!(unsatisfied(&head(&[("content-range", "BYTES */10")])), Some(10));
}

#[test]
fn before_its_first_byte_the_file_may_become_another() {
    for (headers, total) in [
        (head(&[("content-length", "11"), ("etag", "\"v2\"")]), Some(11)),
        (head(&[("content-length", "11"), ("etag", "\"v1\"")]), Some(11)),
        (head(&[("etag", "\"v2\"")]), None),
    ] {
        let mut download = download(FILE).unwrap();
        open(&mut download, 0);
        download.on_head(StatusCode::OK, &head(&[("content-length", "10"), ("etag", "\"v1\"")]), at(0)).unwrap();
        download.on_break(at(0));
        open(&mut download, 1);
        download.on_head(StatusCode::OK, &headers, at(1)).unwrap();
        assert_eq!(download.total(), total, "{headers:?}");
        assert_eq!(download.validator(), headers["etag"].to_str().ok());
    }
}

#[test]
fn a_url_may_have_8000_bytes() {
    let url = |len: usize| format!("{FILE}{}", "x".repeat(len - FILE.len()));
    assert!(download(&url(8000)).is_ok());
    for len in [8001, 9000] {
        assert_eq!(words(download(&url(len))), told(FlowError::Url(UrlProblem::Malformed)), "{len}");
    }
}

#[test]
fn debug_shows_how_far_it_is() {
    let mut download = download(FILE).unwrap().resume(4, None);
    open(&mut download, 0);
    download.on_head(StatusCode::PARTIAL_CONTENT, &head(&[("content-range", "bytes 4-9/10")]), at(0)).unwrap();
    let expected = "Download { export_id: ExportId(x-1), state: Reading, position: 4, total: Some(10), .. }";
    assert_eq!(format!("{download:?}"), expected);
}
