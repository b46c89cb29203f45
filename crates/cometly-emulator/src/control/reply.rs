//! The answers of the control pages: JSON, and errors in words.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

pub(super) fn say(status: StatusCode, value: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

pub(super) fn error(status: StatusCode, message: &str) -> Response {
    say(status, &json!({ "message": message }))
}
