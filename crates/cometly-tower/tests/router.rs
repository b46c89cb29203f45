//! An axum `Router` in the place of the API: a test of an application without sockets, and without waiting.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    routing::{get, post},
};
use cometly_tower::{
    BoxError, Client,
    cometly_core::{
        Api, ApiKey, AuthOutcome, CallErrorKind, Page, Pages, RetryPolicy,
        bytes::Bytes,
        endpoint,
        http::{HeaderMap, StatusCode, header},
    },
};
use host::Tokio;
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{ServiceExt as _, timeout::Timeout};

mod host;

type Tested = Result<(), BoxError>;

const KEY: &str = "12|abcdef";

fn api() -> Api {
    Api::new(ApiKey::new(KEY).unwrap())
}

const COMPANIES: &str = "/public-api/v1/companies";
const EVENTS: &str = "/public-api/v1/events";

/// What the API answers without a key that it knows.
async fn companies(headers: HeaderMap) -> (StatusCode, String) {
    if headers.get(header::AUTHORIZATION).is_some_and(|value| *value == format!("Bearer {KEY}")) {
        (StatusCode::OK, json!({"data": [{"id": 1, "name": "Acme"}]}).to_string())
    } else {
        (StatusCode::UNAUTHORIZED, json!({"message": "Unauthenticated."}).to_string())
    }
}

#[tokio::test]
async fn a_router_answers_and_the_client_says_what_it_means() -> Tested {
    let client = Client::new(Router::new().route(COMPANIES, get(companies)), Tokio);

    let page: Value = client.json(api().get("companies")).await?;
    assert_eq!(page["data"][0]["name"], "Acme");

    let stranger = Api::new(ApiKey::new("13|unknown")?);
    assert!(matches!(client.send(stranger.get("companies")).await?, AuthOutcome::Unauthenticated(_)));

    let missing = client.send(api().get("nothing")).await?;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn a_ready_made_request_goes_through_too() -> Tested {
    let client = Client::new(Router::new().route(COMPANIES, get(companies)), Tokio);
    let api = api();
    let request = api.get("companies").to_request()?;
    assert!(matches!(client.send_request(request, &api).await?, AuthOutcome::Success(_)));
    Ok(())
}

/// Counts calls, and refuses the first `refused` of them with `status`.
fn refusing(path: &str, status: StatusCode, refused: usize) -> (Router, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let answer = move |_body: Bytes| async move {
        let is_refused = counted.fetch_add(1, Ordering::Relaxed) < refused;
        let body = json!({"message": "Not now.", "data": []}).to_string();
        let status = if is_refused { status } else { StatusCode::OK };
        (status, [(header::RETRY_AFTER, "20"), (header::CONTENT_TYPE, "application/json")], body)
    };
    (Router::new().route(path, get(answer.clone()).post(answer)), count)
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_waits_as_long_as_the_server_says_and_is_sent_again() -> Tested {
    let (router, count) = refusing(COMPANIES, StatusCode::TOO_MANY_REQUESTS, 1);
    let begun = Instant::now();
    let outcome = Client::new(router, Tokio).send(api().get("companies")).await?;
    assert!(matches!(outcome, AuthOutcome::Success(reply) if reply.attempts() == 2));
    assert_eq!(count.load(Ordering::Relaxed), 2);
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(20) && waited < Duration::from_secs(40), "{waited:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_post_that_may_have_been_done_is_sent_once() -> Tested {
    let (router, count) = refusing(EVENTS, StatusCode::SERVICE_UNAVAILABLE, 9);
    let outcome = Client::new(router, Tokio).send(api().post("events")).await?;
    assert!(matches!(outcome, AuthOutcome::ServerError(_)));
    assert_eq!(count.load(Ordering::Relaxed), 1);
    Ok(())
}

#[tokio::test]
async fn a_post_without_a_body_says_so() -> Tested {
    let answer = async |headers: HeaderMap| format!("[{}]", headers[header::CONTENT_LENGTH].to_str().unwrap());
    let client = Client::new(Router::new().route(EVENTS, post(answer)), Tokio);
    assert_eq!(client.json::<[u8; 1]>(api().post("events")).await?, [0]);
    Ok(())
}

#[tokio::test]
async fn a_list_is_run_to_its_end() -> Tested {
    let page = async |uri: axum::http::Uri| {
        let is_last = uri.query().is_some_and(|query| query.contains("cursor=2"));
        let next = if is_last { Value::Null } else { json!("2") };
        json!({"data": [{"id": 1}], "meta": {"next_cursor": next}, "next_cursor": next}).to_string()
    };
    let missing = async || (StatusCode::NOT_FOUND, json!({"message": "Not Found"}).to_string());
    let client = Client::new(Router::new().route(EVENTS, get(page)).fallback(missing), Tokio);
    let api = api();
    let list = || endpoint::<Page<Value>, _>(|api: &Api| api.get("events"));
    let mut run = client.run(&api, Pages::of(list()));
    let mut pages = 0;
    while run.next().await?.is_some() {
        pages += 1;
    }
    assert_eq!(pages, 2);
    assert_eq!(client.call(&api, list()).await?.rows().len(), 1);
    let nothing = endpoint::<Value, _>(|api: &Api| api.get("nothing"));
    assert!(client.call_opt(&api, nothing).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn the_client_is_a_service_below_layers() -> Tested {
    let client = Client::new(Router::new().route(COMPANIES, get(companies)), Tokio).retry_policy(RetryPolicy::none());
    let layered = Timeout::new(client, Duration::from_secs(5));
    assert!(matches!(layered.oneshot(api().get("companies")).await?, AuthOutcome::Success(_)));
    Ok(())
}

#[tokio::test]
async fn a_length_that_the_body_does_not_have_is_an_error() -> Tested {
    let answer = async || ([(header::CONTENT_LENGTH, "10")], "[]");
    let client = Client::new(Router::new().route(COMPANIES, get(answer)), Tokio).retry_policy(RetryPolicy::none());
    let error = client.send(api().get("companies")).await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::Transport);
    let text = format!("{:?}", error.source());
    assert!(text.contains("has 2 bytes") && text.contains("10"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_cap_and_no_larger() -> Tested {
    let answer = async || format!("[\"{}\"]", "x".repeat(96));
    let client = Client::new(Router::new().route(COMPANIES, get(answer)), Tokio);
    assert_eq!(client.clone().max_body_size(100).json::<[String; 1]>(api().get("companies")).await?[0].len(), 96);
    let error = client.max_body_size(99).send(api().get("companies")).await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::TooLarge);
    Ok(())
}

#[tokio::test]
async fn a_head_with_too_many_lines_is_not_taken() -> Tested {
    let answer = async || ((0..101).map(|_| (header::VIA, "x".parse().unwrap())).collect::<HeaderMap>(), "{}");
    let client = Client::new(Router::new().route(COMPANIES, get(answer)), Tokio);
    let error = client.send(api().get("companies")).await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::TooLarge);
    Ok(())
}
