//! What each client hands on, as the standard library's traits see it: readers, slices, and words in a log.

use std::{
    fmt,
    io::{self, Read},
    time::{Duration, Instant},
};

use cometly_core::{AsyncClient, BlockingClient, Call, CallError, CallErrorKind};
use cometly_emulator::Fault;

use crate::{
    downloads::exported,
    drivers::{Stage, Ureq},
    streams,
};

const PAUSE: Duration = Duration::from_millis(30);

/// The words of one of our types: its name, and nothing that is secret.
fn assert_debug(value: &impl fmt::Debug, name: &str, stage: &Stage) {
    let words = format!("{value:?}");
    assert!(words.starts_with(name), "{words}");
    let key = stage.emulator.keys().full.as_str();
    let secret = key.split('|').next_back().unwrap();
    assert!(!words.contains(secret) && !words.contains("Signature"), "{words}");
}

/// A body begins with what was read to see that it is a success, and is a reader to its end or to an error.
fn a_body_is_a_reader<B: Read + AsRef<[u8]> + fmt::Debug, E: std::error::Error + 'static>(
    stream: impl Fn(Call) -> Result<B, CallError<E>>,
) where
    CallError<E>: Send + Sync,
{
    let stage = streams::stage();
    let mut body = stream(streams::list(&stage, 2000)).unwrap();
    assert_debug(&body, "Body", &stage);
    let begun = body.as_ref().to_vec();
    assert!(begun.starts_with(b"{") && begun.len() < 100_000, "{} bytes", begun.len());
    let mut whole = vec![0];
    assert_eq!(body.read(&mut whole).unwrap(), 1);
    assert_eq!(body.as_ref(), &begun[1..]);
    assert_eq!(body.read(&mut []).unwrap(), 0);
    body.read_to_end(&mut whole).unwrap();
    assert!(whole.starts_with(&begun) && body.as_ref().is_empty());
    let page: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(page["data"].as_array().unwrap().len(), 2000);

    stage.emulator.inject(Fault::cut_body());
    let mut body = stream(streams::list(&stage, 1000)).unwrap();
    let error = io::copy(&mut body, &mut io::sink()).unwrap_err();
    assert_eq!(error.downcast::<CallError<E>>().unwrap().kind(), CallErrorKind::Transport);
}

/// A file is a reader to its end or to an error.
macro_rules! a_file_is_a_reader {
    ($client:expr, $error:ty) => {{
        let (client, exported) = ($client, exported::<Ureq>());
        let api = &exported.stage.api;
        let mut reader = client.download(api, exported.download());
        assert_debug(&reader, "FileReader", &exported.stage);
        let mut read = Vec::new();
        assert_eq!(io::copy(&mut reader, &mut read).unwrap(), exported.file().len() as u64);
        assert!(read == exported.file());
        assert_eq!(reader.download().position(), read.len() as u64);

        exported.stage.emulator.inject(Fault::expired_download());
        let error = client.download(api, exported.download()).read(&mut [0; 16]).unwrap_err();
        assert_eq!(error.downcast::<$error>().unwrap().kind(), CallErrorKind::Flow);
    }};
}

fn a_client_sleeps(client: &impl BlockingClient) {
    let begun = Instant::now();
    client.sleep(PAUSE);
    assert!(begun.elapsed() >= PAUSE, "{:?}", begun.elapsed());
}

async fn an_async_client_sleeps(client: &impl AsyncClient) {
    let begun = Instant::now();
    client.sleep(PAUSE).await;
    assert!(begun.elapsed() >= PAUSE, "{:?}", begun.elapsed());
}

#[test]
fn what_ureq_hands_on_is_a_reader() {
    let client = cometly_ureq::Client::new().unwrap();
    a_body_is_a_reader(|call| Ok(client.stream(call)?.into_result()?.into_body()));
    a_file_is_a_reader!(&client, cometly_ureq::Error);
    a_client_sleeps(&client);
}

#[test]
fn what_reqwest_hands_on_is_a_reader() {
    let client = cometly_reqwest::blocking::Client::new().unwrap();
    a_body_is_a_reader(|call| Ok(client.stream(call)?.into_result()?.into_body()));
    a_file_is_a_reader!(&client, cometly_reqwest::Error);
    a_client_sleeps(&client);
}

#[test]
fn what_isahc_hands_on_is_a_reader() {
    let client = cometly_isahc::blocking::Client::new().unwrap();
    a_body_is_a_reader(|call| Ok(client.stream(call)?.into_result()?.into_body()));
    a_file_is_a_reader!(&client, cometly_isahc::Error);
    a_client_sleeps(&client);
}

/// What an async client hands on shows how it begins, too.
macro_rules! an_async_body_and_file {
    ($client:expr) => {{
        let (client, stage) = ($client, streams::stage());
        let mut body = client.stream(streams::list(&stage, 2000)).await.unwrap().into_result().unwrap().into_body();
        assert_debug(&body, "Body", &stage);
        let begun = body.as_ref().to_vec();
        assert!(begun.starts_with(b"{"), "{} bytes", begun.len());
        assert_eq!(body.next_chunk().await.unwrap().unwrap(), begun);
        assert!(body.as_ref().is_empty());

        let exported = exported::<Ureq>();
        let mut reader = client.download(&exported.stage.api, exported.download());
        assert_debug(&reader, "FileReader", &exported.stage);
        let piece = reader.next_chunk().await.unwrap().unwrap();
        assert!(exported.file().starts_with(&piece));
        assert_eq!(reader.download().position(), piece.len() as u64);
        an_async_client_sleeps(&client).await;
    }};
}

#[tokio::test]
async fn what_async_reqwest_hands_on_shows_its_beginning() {
    an_async_body_and_file!(cometly_reqwest::Client::new().unwrap());
}

#[tokio::test]
async fn what_async_isahc_hands_on_shows_its_beginning() {
    an_async_body_and_file!(cometly_isahc::Client::new().unwrap());
}
