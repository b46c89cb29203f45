//! The files of exports as each client downloads them, from the emulator's second host and from a hostile one.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use cometly_core::{CallErrorKind, Download, Export, ExportOrder as _, FlowError, endpoint};
use cometly_emulator::{Clock, Emulator, Fault};

use crate::drivers::{Driver, Orders, Stage, for_each_driver};

/// An export that is completed, on an emulator whose clock a test moves.
pub(crate) struct Exported {
    pub(crate) stage: Stage,
    clock: Clock,
    export: Export,
}

const PATIENT: Duration = Duration::from_secs(20);

pub(crate) fn exported<D: Driver>() -> Exported {
    let clock = Clock::stopped();
    let stage = Stage::new(Emulator::builder().seed(1).seeded_companies(1500).no_limits().clock(clock.clone()));
    let driver = D::new(PATIENT);
    let id = driver.call(&stage.api, Orders).unwrap().export_id;
    clock.advance(Duration::from_secs(60));
    let export = driver.call(&stage.api, endpoint(|api| Orders::status_call(api, &id))).unwrap();
    Exported { stage, clock, export }
}

impl Exported {
    pub(crate) fn download(&self) -> Download {
        Download::of::<Orders>(&self.export, &self.stage.api).unwrap()
    }

    /// The file, read by a plain socket.
    pub(crate) fn file(&self) -> Vec<u8> {
        let url: http::Uri = self.export.download_url.as_ref().unwrap().expose_secret().parse().unwrap();
        let mut socket = std::net::TcpStream::connect(url.authority().unwrap().as_str()).unwrap();
        let host = url.authority().unwrap();
        let head =
            format!("GET {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", url.path_and_query().unwrap());
        socket.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        let body = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        answer.split_off(body)
    }

    fn ranges(&self) -> Vec<Option<String>> {
        let range = |request: &cometly_emulator::ReceivedRequest| {
            request.headers.get("range").map(|range| range.to_str().unwrap().to_owned())
        };
        // The first one is that of `file`.
        self.stage.emulator.download_requests().iter().skip(1).map(range).collect()
    }

    fn assert_nothing_leaked(&self) {
        let leaks = self.stage.emulator.leaked_keys();
        assert!(leaks.is_empty(), "{leaks:?}");
        for request in self.stage.emulator.download_requests() {
            let ours = ["authorization", "cookie", "proxy-authorization", "idempotency-key", "referer", "cookie"];
            assert!(ours.iter().all(|name| !request.headers.contains_key(*name)), "{request:?}");
        }
    }
}

fn a_file_is_read_whole_without_a_key<D: Driver>() {
    let exported = exported::<D>();
    let file = exported.file();
    assert!(file.len() > 4096, "{} bytes", file.len());
    let (read, end, download) = D::new(PATIENT).read_file(&exported.stage.api, exported.download());
    end.unwrap();
    assert!(read == file, "{} of {} bytes", read.len(), file.len());
    assert_eq!((download.position(), download.total()), (file.len() as u64, Some(file.len() as u64)));
    assert_eq!(exported.ranges(), [None]);
    exported.assert_nothing_leaked();
}

fn a_file_goes_on_where_another_process_stopped<D: Driver>() {
    let exported = exported::<D>();
    let file = exported.file();
    let (_, end, first) = D::new(PATIENT).read_file(&exported.stage.api, exported.download());
    end.unwrap();
    let download = exported.download().resume(1000, first.validator());
    let (read, end, _) = D::new(PATIENT).read_file(&exported.stage.api, download);
    end.unwrap();
    assert!(read == file[1000..], "{} bytes", read.len());
    assert_eq!(exported.ranges(), [None, Some("bytes=1000-".to_owned())]);
    exported.assert_nothing_leaked();
}

fn a_slow_file_has_no_time_out_of_its_own<D: Driver>() {
    let exported = exported::<D>();
    let file = exported.file();
    let pause = Duration::from_millis(200);
    exported.stage.emulator.inject(Fault::slow_download(pause));
    let begun = Instant::now();
    // Each piece comes in time, and all of them do not.
    let patience = Duration::from_secs(1);
    let (read, end, _) = D::new(patience).read_file(&exported.stage.api, exported.download());
    end.unwrap();
    assert!(read == file, "{} of {} bytes", read.len(), file.len());
    assert!(begun.elapsed() > patience, "the fault is too weak: {:?}", begun.elapsed());
    assert_eq!(exported.ranges(), [None], "it was cut, though something came all the time");
}

fn a_silent_host_is_left_and_the_file_resumed<D: Driver>() {
    let exported = exported::<D>();
    let file = exported.file();
    exported.stage.emulator.inject(Fault::slow_download(Duration::from_secs(60)).up_to_n_times(1));
    let (read, end, _) = D::new(Duration::from_secs(1)).read_file(&exported.stage.api, exported.download());
    end.unwrap();
    assert!(read == file, "{} of {} bytes", read.len(), file.len());
    assert_eq!(exported.ranges().len(), 2);
}

fn a_file_that_is_cut_is_resumed_and_never_from_its_start<D: Driver>() {
    let exported = exported::<D>();
    let file = exported.file();
    exported.stage.emulator.inject(Fault::cut_download().up_to_n_times(1));
    let (read, end, _) = D::new(PATIENT).read_file(&exported.stage.api, exported.download());
    end.unwrap();
    assert!(read == file, "{} of {} bytes", read.len(), file.len());
    let ranges = exported.ranges();
    assert!(ranges.len() == 2 && ranges[1].as_ref().is_some_and(|range| range != "bytes=0-"), "{ranges:?}");
    exported.assert_nothing_leaked();
}

fn an_expired_url_is_replaced_by_the_export<D: Driver>() {
    let exported = exported::<D>();
    let file = exported.file();
    let download = exported.download();
    exported.clock.advance(Duration::from_secs(16 * 60));
    let (read, end, _) = D::new(PATIENT).read_file(&exported.stage.api, download);
    end.unwrap();
    assert!(read == file, "{} of {} bytes", read.len(), file.len());
    let statuses: Vec<_> =
        exported.stage.emulator.download_requests().iter().skip(1).map(|request| request.status.as_u16()).collect();
    assert_eq!(statuses, [403, 200]);

    // A host that refuses each URL is asked three times.
    exported.stage.emulator.inject(Fault::expired_download());
    let (read, end, _) = D::new(PATIENT).read_file(&exported.stage.api, exported.download());
    let error = end.unwrap_err();
    assert!(read.is_empty() && matches!(error.flow_error(), Some(FlowError::FileRefused { .. })), "{error}");
    exported.assert_nothing_leaked();
}

fn a_file_that_cannot_be_resumed_is_an_error_and_its_place_is_kept<D: Driver>() {
    for fault in [Fault::changed_download(), Fault::ignored_range()] {
        let exported = exported::<D>();
        let file = exported.file();
        exported.stage.emulator.inject(Fault::cut_download().up_to_n_times(1));
        exported.stage.emulator.inject(fault);
        let (read, end, mut download) = D::new(PATIENT).read_file(&exported.stage.api, exported.download());
        let error = end.unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::Flow);
        assert!(matches!(error.flow_error(), Some(FlowError::FileChanged)), "{error}");
        assert!(read.len() < file.len() && file.starts_with(&read), "{} bytes", read.len());
        assert_eq!(download.position(), read.len() as u64);

        download.restart();
        let (read, end, _) = D::new(PATIENT).read_file(&exported.stage.api, download);
        end.unwrap();
        assert!(read == file, "{} of {} bytes", read.len(), file.len());
    }
}

/// The export's answer names a host that sends the download elsewhere: neither gets a byte of the key.
fn a_redirect_is_not_followed_and_no_host_gets_the_key<D: Driver>() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (host, elsewhere) = (listener.local_addr().unwrap(), other.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
        while !head.windows(4).any(|four| four == b"\r\n\r\n") {
            let read = socket.read(&mut buffer).unwrap();
            head.extend_from_slice(&buffer[..read]);
        }
        let answer = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(head).unwrap()
    });
    let stage = Stage::new(Emulator::builder());
    let text = format!(r#"{{"export_id":"x-1","status":"completed","download_url":"http://{host}/file?sign=1"}}"#);
    let export: Export = serde_json::from_str(&text).unwrap();
    let download = Download::of::<Orders>(&export, &stage.api).unwrap();
    let (_, end, _) = D::new(PATIENT).read_file(&stage.api, download);
    let error = end.unwrap_err();
    assert!(matches!(error.flow_error(), Some(FlowError::FileRefused { status }) if status.as_u16() == 302), "{error}");
    let head = serving.join().unwrap().to_ascii_lowercase();
    let key = stage.emulator.keys().full.as_str().to_ascii_lowercase();
    let secret = key.split('|').next_back().unwrap();
    assert!(!head.contains(secret) && !head.contains("authorization") && !head.contains("cookie"), "{head}");
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_err(), "the redirect was followed");
    assert_eq!(stage.emulator.request_count(), 0);
}

for_each_driver![
    a_file_is_read_whole_without_a_key,
    a_file_goes_on_where_another_process_stopped,
    a_slow_file_has_no_time_out_of_its_own,
    a_silent_host_is_left_and_the_file_resumed,
    a_file_that_is_cut_is_resumed_and_never_from_its_start,
    an_expired_url_is_replaced_by_the_export,
    a_file_that_cannot_be_resumed_is_an_error_and_its_place_is_kept,
    a_redirect_is_not_followed_and_no_host_gets_the_key,
];

#[test]
fn the_futures_of_the_async_clients_are_send() {
    fn is_send(_: impl Send) {}
    let exported = exported::<crate::drivers::Ureq>();
    let api = &exported.stage.api;
    is_send(cometly_reqwest::Client::new().unwrap().download(api, exported.download()).next_chunk());
    is_send(cometly_isahc::Client::new().unwrap().download(api, exported.download()).next_chunk());
}
