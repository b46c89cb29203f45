//! The routes of the control pages.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode, Uri};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tower::Service as _;

use super::access::Access;
use super::reply::error;
use super::{actions, stream, view};
use crate::backend::Backend;

/// A description of a fault needs no more.
const MAX_BODY: usize = 64 << 10;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The control API, to be asked.
#[derive(Clone)]
pub(crate) struct Control(Router);

impl Control {
    pub(crate) fn new(backend: Arc<Backend>, access: Access) -> Self {
        let file = |kind, content| get(move || async move { ([(CONTENT_TYPE, kind)], content) });
        let router = Router::new()
            .route("/_emulator", file("text/html; charset=utf-8", include_str!("page/index.html")))
            .route("/_emulator/page.css", file("text/css; charset=utf-8", include_str!("page/page.css")))
            .route("/_emulator/page.js", file("text/javascript; charset=utf-8", include_str!("page/page.js")))
            .route("/_emulator/stream", get(stream::open))
            .route("/_emulator/state", get(|state| look(state, view::state)))
            .route("/_emulator/calls", get(|state| look(state, view::calls)))
            .route("/_emulator/data/{kind}", get(data))
            .route(
                "/_emulator/faults",
                get(|state| look(state, view::faults))
                    .post(|state, body| act(state, body, actions::inject))
                    .delete(|state| look(state, actions::clear_faults)),
            )
            .route("/_emulator/faults/{id}", delete(|state, id| act_on(state, id, actions::remove_fault)))
            .route(
                "/_emulator/keys",
                get(|state| look(state, view::keys)).post(|state, body| act(state, body, actions::issue_key)),
            )
            .route("/_emulator/keys/{id}", delete(|state, id| act_on(state, id, actions::revoke_key)))
            .route("/_emulator/clock", post(|state, body| act(state, body, actions::advance_clock)))
            .fallback(async || {
                error(StatusCode::NOT_FOUND, "there is nothing here; the README has a table of what there is")
            })
            .method_not_allowed_fallback(async || {
                error(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "this method is not served here; the Allow header names those that are",
                )
            })
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(middleware::from_fn_with_state(Arc::new(access), admit))
            .layer(middleware::map_response(with_headers))
            .with_state(backend);
        Self(router)
    }

    /// Answers a request. A slash at the end of its path makes no difference.
    pub(crate) async fn answer<B>(&self, request: http::Request<B>) -> Response
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut request = request.map(Body::new);
        let path = request.uri().path().trim_end_matches('/');
        let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
        if let Ok(uri) = format!("{path}{query}").parse::<Uri>() {
            *request.uri_mut() = uri;
        }
        let Ok(answer) = self.0.clone().call(request).await;
        answer
    }
}

async fn admit(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match access.refusal(&parts) {
        None => next.run(Request::from_parts(parts, body)).await,
        Some(refused) => refused,
    }
}

async fn with_headers(mut answer: Response) -> Response {
    let headers = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Runs on a thread that may block.
async fn off(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|_| error(StatusCode::INTERNAL_SERVER_ERROR, "the emulator ends"))
}

async fn look(State(backend): State<Arc<Backend>>, view: fn(&Backend) -> Response) -> Response {
    off(move || view(&backend)).await
}

async fn data(State(backend): State<Arc<Backend>>, Path(kind): Path<String>, RawQuery(query): RawQuery) -> Response {
    off(move || view::data(&backend, &kind, query.as_deref())).await
}

async fn act(
    State(backend): State<Arc<Backend>>,
    body: Result<Bytes, BytesRejection>,
    action: fn(&Backend, &Value) -> Response,
) -> Response {
    let body = match body {
        Ok(body) if body.is_empty() => Value::Null,
        Ok(body) => match serde_json::from_slice(&body) {
            Ok(body) => body,
            Err(wrong) => return error(StatusCode::BAD_REQUEST, &format!("the body is no JSON: {wrong}")),
        },
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return error(StatusCode::PAYLOAD_TOO_LARGE, "a body has at most 64 KiB here");
        }
        Err(rejection) => return rejection.into_response(),
    };
    off(move || action(&backend, &body)).await
}

async fn act_on(
    State(backend): State<Arc<Backend>>,
    Path(id): Path<String>,
    action: fn(&Backend, &str) -> Response,
) -> Response {
    off(move || action(&backend, &id)).await
}
