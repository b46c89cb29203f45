//! Services, bodies, clocks and sleeps that do not what they should: each call ends within its time, and no call that may have
//! arrived is said not to have been sent.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests, which clippy does not take for tests")]

use std::{
    convert::Infallible,
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use cometly_tower::{
    BoxError, Client, Host, HttpService, Request, ServiceError,
    cometly_core::{
        Api, ApiKey, AuthOutcome, Call, CallErrorKind, DecodeError, Delivery, Download, Endpoint, ExportId,
        ExportOrder, ExportOrdered, FlowError, Moment, Pacer, Redirected, Reply, RetryPolicy, TransportError,
        UnexpectedCause,
        bytes::Bytes,
        http::{HeaderMap, Response},
    },
};
use host::Tokio;
use http_body::{Body, Frame};
use tokio::time::timeout;
use tower::{Service, service_fn};

mod host;

const SECOND: Duration = Duration::from_secs(1);

fn api() -> Api {
    Api::new(ApiKey::new("12|abcdef").unwrap())
}

/// How a call ended that was to end within `most`, by tokio's clock.
async fn failed<S: HttpService, H: Host>(client: Client<S, H>, most: Duration) -> (CallErrorKind, Option<Delivery>) {
    let ended = timeout(most, client.send(api().post("events"))).await.expect("it ends in time");
    let error = ended.expect_err("it is no success");
    (error.kind(), error.delivery())
}

/// A body that follows a script and then repeats its last piece for ever.
struct Scripted {
    pieces: std::vec::IntoIter<Piece>,
    last: Piece,
    /// Whether a drip is due.
    is_due: bool,
}

#[derive(Clone, Copy)]
enum Piece {
    Data(&'static str),
    Trailers,
    Fails,
    End,
    Never,
    /// One after another, each after a while.
    Drips(Duration),
}

impl Scripted {
    fn service(pieces: &[Piece]) -> impl HttpService<Body = Self, Future: Send> + Send + use<> {
        let (last, pieces) = pieces.split_last().expect("a script has a piece");
        let (last, pieces) = (*last, pieces.to_vec());
        service_fn(move |_: Request| {
            let body = Self { pieces: pieces.clone().into_iter(), last, is_due: false };
            async move { Ok::<_, Infallible>(Response::new(body)) }
        })
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = fmt::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, fmt::Error>>> {
        let this = self.get_mut();
        let piece = this.pieces.next().unwrap_or(this.last);
        Poll::Ready(match piece {
            Piece::Data(text) => Some(Ok(Frame::data(Bytes::from_static(text.as_bytes())))),
            Piece::Trailers => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Piece::Fails => Some(Err(fmt::Error)),
            Piece::End => None,
            Piece::Never => return Poll::Pending,
            Piece::Drips(time) => {
                this.is_due = !this.is_due;
                if !this.is_due {
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::new()))));
                }
                let waker = context.waker().clone();
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    waker.wake();
                });
                return Poll::Pending;
            }
        })
    }
}

fn client<S: HttpService>(service: S) -> Client<S, Tokio> {
    Client::new(service, Tokio).timeout(SECOND).retry_policy(RetryPolicy::none())
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_never_ready_was_sent_nothing() {
    #[derive(Clone)]
    struct NeverReady;

    impl Service<Request> for NeverReady {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = std::future::Pending<Result<Response<String>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }

        fn call(&mut self, _: Request) -> Self::Future {
            unreachable!("it was not ready")
        }
    }

    assert_eq!(failed(client(NeverReady), SECOND * 2).await, (CallErrorKind::Timeout, Some(Delivery::NotSent)));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_become_ready_was_sent_nothing() {
    #[derive(Clone)]
    struct Closed;

    impl Service<Request> for Closed {
        type Response = Response<String>;
        // As tower's layers have it: a boxed error is no error itself.
        type Error = BoxError;
        type Future = std::future::Pending<Result<Response<String>, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Err("closed".into()))
        }

        fn call(&mut self, _: Request) -> Self::Future {
            unreachable!("it was not ready")
        }
    }

    assert_eq!(failed(client(Closed), SECOND).await, (CallErrorKind::Transport, Some(Delivery::NotSent)));
}

#[tokio::test(start_paused = true)]
async fn a_post_that_gets_no_answer_is_sent_once() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let service = service_fn(move |_: Request| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<Result<Response<String>, Infallible>>()
    });
    let client = client(service).retry_policy(RetryPolicy::default());
    assert_eq!(failed(client, SECOND * 2).await, (CallErrorKind::Timeout, Some(Delivery::Unknown)));
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_says_of_the_request_what_the_host_knows() {
    #[derive(Clone)]
    struct Knowing;

    impl Host for Knowing {
        type Sleep = tokio::time::Sleep;

        fn now(&self) -> Moment {
            Tokio.now()
        }

        fn sleep(&self, time: Duration) -> Self::Sleep {
            Tokio.sleep(time)
        }

        fn seed(&self) -> u64 {
            1
        }

        fn failure(&self, error: ServiceError) -> TransportError<ServiceError> {
            match error.find::<io::Error>().map(io::Error::kind) {
                Some(io::ErrorKind::ConnectionRefused) => TransportError::not_sent(error),
                _ => TransportError::unknown(error),
            }
        }
    }

    for (kind, known) in
        [(io::ErrorKind::ConnectionRefused, Delivery::NotSent), (io::ErrorKind::ConnectionReset, Delivery::Unknown)]
    {
        let service =
            service_fn(move |_: Request| std::future::ready(Err::<Response<String>, _>(io::Error::from(kind))));
        let knowing = Client::new(service, Knowing).retry_policy(RetryPolicy::none());
        assert_eq!(failed(knowing, SECOND).await, (CallErrorKind::Transport, Some(known)));
        assert_eq!(failed(client(service), SECOND).await, (CallErrorKind::Transport, Some(Delivery::Unknown)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_call_alone_and_gives_its_place_back() {
    let is_first = AtomicBool::new(true);
    let is_first = Arc::new(is_first);
    let service = service_fn(move |_: Request| {
        assert!(!is_first.swap(false, Ordering::Relaxed), "the panic of the test");
        async { Ok::<_, Infallible>(Response::new("[]".to_owned())) }
    });
    let api = Api::builder(ApiKey::new("12|abcdef").unwrap()).pacer(Pacer::new()).build();
    let client = client(service);
    let panicked = tokio::spawn(client.send(api.get("events"))).await.unwrap_err();
    assert!(panicked.is_panic());
    assert!(matches!(client.send(api.get("events")).await, Ok(AuthOutcome::Success(_))));
}

#[tokio::test(start_paused = true)]
async fn pieces_are_put_together_and_trailers_dropped_and_nothing_is_asked_for_after_the_end() {
    let pieces =
        [Piece::Data("[1,"), Piece::Data(""), Piece::Data("2]"), Piece::Trailers, Piece::End, Piece::Data("3")];
    let list: Vec<u8> = client(Scripted::service(&pieces)).json(api().get("events")).await.unwrap();
    assert_eq!(list, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_is_of_unknown_fate() {
    let service = Scripted::service(&[Piece::Data("["), Piece::Fails]);
    assert_eq!(failed(client(service), SECOND).await, (CallErrorKind::Transport, Some(Delivery::Unknown)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_ends_with_its_time_or_its_cap() {
    let timed_out = (CallErrorKind::Timeout, Some(Delivery::Unknown));
    for last in [Piece::Never, Piece::Drips(SECOND / 10)] {
        let service = Scripted::service(&[Piece::Data("["), last]);
        assert_eq!(failed(client(service), SECOND * 2).await, timed_out);
    }
    let large = client(Scripted::service(&[Piece::Data("[1,2,3,4]")])).max_body_size(1000);
    assert_eq!(failed(large, SECOND).await, (CallErrorKind::TooLarge, Some(Delivery::Unknown)));
}

/// With real time: a runtime that is never idle has no paused one.
#[tokio::test]
async fn endless_pieces_of_nothing_end_with_their_time_and_let_others_have_a_turn() {
    for piece in [Piece::Data(""), Piece::Trailers] {
        let client = client(Scripted::service(&[piece])).timeout(SECOND / 5);
        assert_eq!(failed(client, SECOND * 60).await, (CallErrorKind::Timeout, Some(Delivery::Unknown)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_that_was_followed_is_told_by_its_mark() {
    let service = service_fn(async |_: Request| {
        let mut response = Response::new("{}".to_owned());
        response.extensions_mut().insert(Redirected);
        Ok::<_, Infallible>(response)
    });
    let outcome = client(service).send(api().get("events")).await.unwrap();
    assert!(matches!(outcome, AuthOutcome::Unexpected(UnexpectedCause::Redirect, _)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_drops_what_is_under_way() {
    struct Noticed(Arc<AtomicBool>);

    impl Drop for Noticed {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let is_dropped = Arc::new(AtomicBool::new(false));
    let noticed = Arc::clone(&is_dropped);
    let service = service_fn(move |_: Request| {
        let noticed = Noticed(Arc::clone(&noticed));
        async move {
            let _noticed = noticed;
            std::future::pending::<Result<Response<String>, Infallible>>().await
        }
    });
    assert!(timeout(SECOND / 2, client(service).send(api().get("events"))).await.is_err());
    assert!(is_dropped.load(Ordering::Relaxed));
}

/// What a streamed body gave until its end or an error.
async fn streamed<S: HttpService>(client: Client<S, Tokio>) -> (Vec<u8>, Result<(), CallErrorKind>) {
    let mut read = Vec::new();
    let mut body = match client.stream(api().post("events")).await {
        Ok(outcome) => outcome.into_result().expect("it begins as a success").into_body(),
        Err(error) => return (read, Err(error.kind())),
    };
    loop {
        match body.next_chunk().await {
            Ok(Some(piece)) => read.extend_from_slice(&piece),
            Ok(None) => break,
            Err(error) => {
                assert_eq!(error.delivery(), Some(Delivery::Unknown));
                assert!(body.next_chunk().await.is_err(), "a body that broke off has no end");
                return (read, Err(error.kind()));
            }
        }
    }
    assert!(body.next_chunk().await.unwrap().is_none(), "nothing comes after the end");
    (read, Ok(()))
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_is_handed_on_in_pieces_and_never_taken_for_whole_if_it_is_not() {
    let client = |pieces: &[Piece]| client(Scripted::service(pieces)).attempt_timeout(SECOND).max_body_size(1000);
    let all = [Piece::Data("[1,"), Piece::Data(""), Piece::Data("2]"), Piece::Trailers, Piece::End, Piece::Data("3")];
    assert_eq!(streamed(client(&all)).await, (b"[1,2]".to_vec(), Ok(())));
    let begun = b"[".to_vec();
    let breaks = client(&[Piece::Data("["), Piece::Fails]);
    assert_eq!(streamed(breaks).await, (begun.clone(), Err(CallErrorKind::Transport)));
    let silent = client(&[Piece::Data("["), Piece::Never]);
    assert_eq!(streamed(silent).await, (begun, Err(CallErrorKind::Timeout)));
    let (read, end) = streamed(client(&[Piece::Data("[1,2,3,4]")])).await;
    assert!(read.len() <= 1000 && read.len() > 900 && end == Err(CallErrorKind::TooLarge), "{} {end:?}", read.len());
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_has_the_length_that_its_head_tells() {
    for (lengths, end) in [
        (&["3"][..], Ok(())),
        (&["3", "3"], Ok(())),
        (&["3, 3"], Ok(())),
        (&[], Ok(())),
        (&["2"], Err(CallErrorKind::Transport)),
        (&["4"], Err(CallErrorKind::Transport)),
        (&["3", "4"], Err(CallErrorKind::Transport)),
        (&["three"], Err(CallErrorKind::Transport)),
    ] {
        let service = service_fn(move |_: Request| async move {
            let mut response = Response::new("[1]".to_owned());
            for length in lengths {
                response.headers_mut().append("content-length", length.parse().unwrap());
            }
            Ok::<_, Infallible>(response)
        });
        assert_eq!(streamed(client(service)).await.1, end, "{lengths:?}");
        let whole = client(service).send(api().post("events")).await.map(drop);
        assert_eq!(whole.map_err(|error| error.kind()), end, "{lengths:?}");
    }
}

/// With real time.
#[tokio::test]
async fn endless_pieces_of_nothing_end_a_streamed_body_in_its_time() {
    for piece in [Piece::Data(""), Piece::Trailers] {
        let client = client(Scripted::service(&[Piece::Data("["), piece])).attempt_timeout(SECOND / 5);
        let ended = timeout(SECOND * 60, streamed(client)).await.expect("it ends in time");
        assert_eq!(ended, (b"[".to_vec(), Err(CallErrorKind::Timeout)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_piece_that_is_not_waited_for_is_not_lost() {
    let client = client(Scripted::service(&[Piece::Data("["), Piece::Drips(SECOND / 2), Piece::Data("]"), Piece::End]));
    let mut body = client.stream(api().get("events")).await.unwrap().into_result().unwrap().into_body();
    assert_eq!(body.next_chunk().await.unwrap().as_deref(), Some(&b"["[..]));
    let is_pending =
        std::future::poll_fn(|context| Poll::Ready(std::pin::pin!(body.next_chunk()).poll(context).is_pending()));
    assert!(is_pending.await, "the piece takes longer than a poll");
    assert_eq!(body.next_chunk().await.unwrap().as_deref(), Some(&b"]"[..]));
    assert_eq!(body.next_chunk().await.unwrap(), None);
}

/// Exports of nothing in particular.
struct Orders;

impl Endpoint for Orders {
    type Output = ExportOrdered;

    fn call(&self, api: &Api) -> Call {
        api.post("exports")
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<ExportOrdered, DecodeError> {
        reply.json()
    }
}

impl ExportOrder for Orders {
    fn status_call(api: &Api, id: &ExportId) -> Call {
        api.get("exports/{id}").segment(id)
    }
}

fn download() -> Download {
    let text = r#"{"export_id":"x-1","status":"completed","download_url":"https://files.example/x?sign=1"}"#;
    let export = serde_json::from_str(text).unwrap();
    Download::of::<Orders>(&export, &api()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_file_is_fetched_without_the_key_and_resumed_where_it_broke_off() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let service = service_fn(move |request: Request| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        assert!(!request.headers().contains_key("authorization") && !request.headers().contains_key("accept"));
        let range = request.headers().get("range").map(|range| range.to_str().unwrap().to_owned());
        async move {
            let mut response = Response::new(if number == 0 { "abc" } else { "def" }.to_owned());
            if number == 0 {
                response.headers_mut().insert("content-length", "6".parse().unwrap());
            } else {
                assert_eq!(range.as_deref(), Some("bytes=3-"));
                *response.status_mut() = 206.try_into().unwrap();
                response.headers_mut().insert("content-range", "bytes 3-5/6".parse().unwrap());
            }
            Ok::<_, Infallible>(response)
        }
    });
    let (client, api) = (client(service), api());
    let (mut reader, mut file) = (client.download(&api, download()), Vec::new());
    while let Some(piece) = reader.next_chunk().await.unwrap() {
        file.extend_from_slice(&piece);
    }
    assert_eq!((file.as_slice(), asked.load(Ordering::Relaxed)), (&b"abcdef"[..], 2));
}

#[tokio::test(start_paused = true)]
async fn a_file_from_another_place_or_a_host_that_is_silent_is_an_error() {
    let followed = service_fn(async |_: Request| {
        let mut response = Response::new("elsewhere".to_owned());
        response.extensions_mut().insert(Redirected);
        Ok::<_, Infallible>(response)
    });
    let api = api();
    let error = client(followed).download(&api, download()).next_chunk().await.unwrap_err();
    assert!(matches!(error.flow_error(), Some(FlowError::FileRefused { status }) if status.as_u16() == 302), "{error}");
    let silent = client(Scripted::service(&[Piece::Never])).attempt_timeout(SECOND);
    let ended = timeout(SECOND * 120, async { silent.download(&api, download()).next_chunk().await.map(drop) }).await;
    let error = ended.expect("it gives up").unwrap_err();
    assert!(matches!(error.flow_error(), Some(FlowError::FileBroken)), "{error}");
}

/// A host whose clock and sleep are what they should not be.
#[derive(Clone)]
struct Odd {
    now: fn(Duration) -> Duration,
    sleep: fn(Duration) -> Option<Duration>,
    begun: tokio::time::Instant,
}

impl Odd {
    fn new(now: fn(Duration) -> Duration, sleep: fn(Duration) -> Option<Duration>) -> Self {
        Self { now, sleep, begun: tokio::time::Instant::now() }
    }
}

impl Host for Odd {
    type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn now(&self) -> Moment {
        Moment::since_origin((self.now)(self.begun.elapsed()))
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        match (self.sleep)(time) {
            Some(Duration::ZERO) => Box::pin(std::future::ready(())),
            Some(time) => Box::pin(tokio::time::sleep(time)),
            None => Box::pin(std::future::pending()),
        }
    }

    fn seed(&self) -> u64 {
        0
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_clock_that_stops_or_goes_back_makes_no_wait_longer_than_twice() {
    let clocks: [fn(Duration) -> Duration; 3] =
        [|_| HOUR, |real| HOUR.saturating_sub(real), |real| if real.is_zero() { HOUR } else { real }];
    for now in clocks {
        let service = service_fn(async |_: Request| {
            std::future::pending::<()>().await;
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let odd = Client::new(service, Odd::new(now, Some)).timeout(SECOND * 10);
        let begun = tokio::time::Instant::now();
        assert_eq!(failed(odd, HOUR).await, (CallErrorKind::Timeout, Some(Delivery::Unknown)));
        let took = begun.elapsed();
        assert!(took >= SECOND * 10 && took <= SECOND * 21, "{took:?}");

        // The wait before a call is sent again, too.
        let count = Arc::new(AtomicUsize::new(0));
        let service = service_fn(move |_: Request| {
            let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
            let response = Response::builder().status(if is_first { 429 } else { 200 }).header("retry-after", "10");
            async move { Ok::<_, Infallible>(response.body("{}".to_owned()).unwrap()) }
        });
        let odd = Client::new(service, Odd::new(now, Some));
        let begun = tokio::time::Instant::now();
        assert!(matches!(odd.send(api().get("events")).await, Ok(AuthOutcome::Success(_))));
        let took = begun.elapsed();
        assert!(took >= SECOND * 10 && took <= SECOND * 21, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sleep_that_ends_early_is_slept_on() {
    let service = service_fn(async |_: Request| {
        tokio::time::sleep(SECOND * 9).await;
        Ok::<_, Infallible>(Response::new("[]".to_owned()))
    });
    let odd = Client::new(service, Odd::new(|real| real, |time| Some(time / 10 + Duration::from_millis(1))));
    assert!(matches!(odd.clone().timeout(SECOND * 10).send(api().get("events")).await, Ok(AuthOutcome::Success(_))));
    let begun = tokio::time::Instant::now();
    failed(odd.timeout(SECOND * 8), HOUR).await;
    assert!(begun.elapsed() >= SECOND * 8, "{:?}", begun.elapsed());
}

/// With real time, for the runtime is never idle.
#[tokio::test]
async fn a_sleep_that_is_over_at_once_keeps_nothing_from_being_done() {
    let begun = Instant::now();
    let client = || Scripted::service(&[Piece::Data("[]"), Piece::Drips(SECOND / 20)]);
    let odd = Client::new(client(), Odd::new(|real| real, |_| Some(Duration::ZERO))).timeout(SECOND / 4);
    assert_eq!(failed(odd, SECOND * 60).await, (CallErrorKind::Timeout, Some(Delivery::Unknown)));
    assert!(begun.elapsed() >= SECOND / 4);
    // With a clock that stops besides, all that is sure is that it ends.
    let odd = Client::new(client(), Odd::new(|_| HOUR, |_| Some(Duration::ZERO))).timeout(SECOND / 4);
    assert_eq!(failed(odd, SECOND * 60).await, (CallErrorKind::Timeout, Some(Delivery::Unknown)));
}

#[tokio::test(start_paused = true)]
async fn a_sleep_that_never_ends_is_noticed_with_the_next_piece() {
    let service = Scripted::service(&[Piece::Data("["), Piece::Drips(SECOND / 10)]);
    let odd = Client::new(service, Odd::new(|real| real, |_| None)).timeout(SECOND);
    assert_eq!(failed(odd, SECOND * 2).await, (CallErrorKind::Timeout, Some(Delivery::Unknown)));
}

#[test]
fn nothing_of_the_service_is_shown() {
    let service = service_fn(async |_: Request| Ok::<_, Infallible>(Response::new("canary".to_owned())));
    let shown = format!("{:?}", client(service));
    assert!(shown.starts_with("Client { limits: TransportLimits { timeout: Some(1s)"), "{shown}");
}
