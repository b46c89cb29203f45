//! What `--dry-run` shows.

use cometly_core::{Call, bytes::Bytes};
use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{exit::Exit, failure::Failure, terminal::console::Console};

/// A request with `--dry-run --json`.
#[derive(Serialize)]
struct Shown<'a> {
    method: &'a str,
    url: String,
    headers: Map<String, Value>,
    may_be_sent_twice: bool,
    /// The very bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
}

/// The request as it would be sent, but for the key.
pub(crate) fn show(call: &Call, console: &Console) -> Result<Exit, Failure> {
    let request = call.to_request().map_err(|error| Failure::usage(error.to_string()))?;
    let headers = request.headers().iter().map(|(name, value)| {
        let value = if value.is_sensitive() { "Bearer [hidden]" } else { value.to_str().unwrap_or_default() };
        (name.as_str(), value)
    });
    if console.json {
        let body = (!request.body().is_empty()).then(|| serde_json::from_slice(request.body()));
        console.json_line(&Shown {
            method: request.method().as_str(),
            url: request.uri().to_string(),
            headers: headers.map(|(name, value)| (name.to_owned(), json!(value))).collect(),
            may_be_sent_twice: call.is_idempotent(),
            body: body.transpose().map_err(|_| Failure::local("the body is not JSON"))?,
        })?;
        return Ok(Exit::Ok);
    }
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    lines.extend(headers.map(|(name, value)| format!("{name}: {value}")));
    let mut lines: Vec<Bytes> = lines.into_iter().map(Bytes::from).collect();
    if !request.body().is_empty() {
        lines.extend([Bytes::new(), request.body().clone()]);
    }
    console.data(lines.iter().map(AsRef::as_ref))?;
    Ok(Exit::Ok)
}
