//! Every way in which the backend says no, and how each is written for a client that expects JSON and for one that
//! does not.

use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use crate::laravel::answer::{self, Answer};

#[derive(Debug)]
pub(crate) enum Refusal {
    /// 401, or the way to the login page.
    Unauthenticated,
    /// 422, or the way back to where the form was.
    Invalid(FieldErrors),
    /// Any other status.
    Status { status: StatusCode, message: String, headers: Vec<(HeaderName, HeaderValue)> },
}

impl Refusal {
    pub(crate) fn status(status: StatusCode, message: impl Into<String>) -> Self {
        Self::Status { status, message: message.into(), headers: Vec::new() }
    }

    /// A record that does not exist: the model is named as PHP names classes.
    pub(crate) fn no_record(model: &str, id: &str) -> Self {
        Self::status(StatusCode::NOT_FOUND, format!("No query results for model [App\\Models\\{model}] {id}"))
    }

    pub(crate) fn wrong_verb(method: &str, path: &str, supported: &[&str]) -> Self {
        let supported = supported.join(", ");
        let message = format!(
            "The {method} method is not supported for route {path}. Supported methods: {supported}.",
            path = without_slashes(path)
        );
        let allow = HeaderValue::from_str(&supported).into_iter().map(|value| (ALLOW, value)).collect();
        Self::Status { status: StatusCode::METHOD_NOT_ALLOWED, message, headers: allow }
    }

    pub(crate) fn unknown_route(path: &str) -> Self {
        let message = format!("The route {} could not be found.", without_slashes(path));
        Self::status(StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn too_many(told: &TooMany) -> Self {
        let headers = vec![
            (HeaderName::from_static("x-ratelimit-limit"), told.limit.into()),
            (HeaderName::from_static("x-ratelimit-remaining"), 0.into()),
            (RETRY_AFTER, told.retry_after.into()),
            (HeaderName::from_static("x-ratelimit-reset"), told.reset.into()),
        ];
        Self::Status { status: StatusCode::TOO_MANY_REQUESTS, message: "Too Many Attempts.".into(), headers }
    }

    /// What a client that expects JSON reads.
    #[cfg(test)]
    pub(crate) fn told(self) -> String {
        String::from_utf8_lossy(self.into_answer(true, "").body()).into_owned()
    }

    /// `site` is where redirects lead, without a trailing slash.
    pub(crate) fn into_answer(self, expects_json: bool, site: &str) -> Answer {
        match self {
            Self::Unauthenticated if expects_json => {
                answer::compact(StatusCode::UNAUTHORIZED, &json!({ "message": "Unauthenticated." }))
            }
            Self::Unauthenticated => answer::redirect(&format!("{site}/login")),
            Self::Invalid(errors) if expects_json => {
                answer::compact(StatusCode::UNPROCESSABLE_ENTITY, &errors.into_json())
            }
            Self::Invalid(_) => answer::redirect(site),
            Self::Status { status, message, headers } => {
                let mut answer = if expects_json {
                    answer::message(status, &message)
                } else {
                    answer::page(status, status.canonical_reason().unwrap_or_default())
                };
                answer.headers_mut().extend(headers);
                answer
            }
        }
    }
}

/// What the answer to a call beyond its limit says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) limit: u32,
    pub(crate) retry_after: u64,
    pub(crate) reset: u64,
}

/// Laravel's `$request->path()`.
fn without_slashes(path: &str) -> &str {
    match path.trim_matches('/') {
        "" => "/",
        path => path,
    }
}

/// What validation found, by field in the order of the rules.
#[derive(Debug, Default)]
pub(crate) struct FieldErrors {
    messages: Map<String, Value>,
}

impl FieldErrors {
    /// Adds a message to a field; `:attribute` in it becomes the field's name, or that of a list's item as it is.
    pub(crate) fn add(&mut self, field: &str, message: &str) {
        let is_item = field.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        let name = if is_item { field.to_owned() } else { field.replace('_', " ") };
        let message = Value::from(message.replace(":attribute", &name));
        match self.messages.get_mut(field) {
            Some(Value::Array(messages)) => messages.push(message),
            _ => drop(self.messages.insert(field.to_owned(), Value::Array(vec![message]))),
        }
    }

    pub(crate) fn into_result(self) -> Result<(), Refusal> {
        if self.messages.is_empty() { Ok(()) } else { Err(Refusal::Invalid(self)) }
    }

    fn into_json(self) -> Value {
        let mut all = self.messages.values().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
        let first = all.next().unwrap_or_default().to_owned();
        let message = match all.count() {
            0 => first,
            1 => format!("{first} (and 1 more error)"),
            more => format!("{first} (and {more} more errors)"),
        };
        json!({ "message": message, "errors": self.messages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(errors: &[(&str, &str)]) -> String {
        let mut found = FieldErrors::default();
        for (field, message) in errors {
            found.add(field, message);
        }
        Refusal::Invalid(found).told()
    }

    #[test]
    fn the_summary_counts_the_errors_beyond_the_first() {
        let one = invalid(&[("start_date", "The :attribute field is required.")]);
        let text = "The start date field is required.";
        assert_eq!(one, format!(r#"{{"message":"{text}","errors":{{"start_date":["{text}"]}}}}"#));

        let three = invalid(&[("b", "1"), ("b", "2"), ("a", "3")]);
        assert_eq!(three, r#"{"message":"1 (and 2 more errors)","errors":{"b":["1","2"],"a":["3"]}}"#);
    }

    #[test]
    fn nothing_found_is_no_refusal() {
        assert!(FieldErrors::default().into_result().is_ok());
    }

    #[test]
    fn browsers_are_sent_back_or_shown_a_page() {
        let sent_back = Refusal::Invalid(FieldErrors::default()).into_answer(false, "http://site");
        assert_eq!(
            (sent_back.status(), &sent_back.headers()["location"]),
            (StatusCode::FOUND, &"http://site".parse().unwrap())
        );

        let page = Refusal::unknown_route("/").into_answer(false, "http://site");
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    }

    #[test]
    fn the_root_keeps_its_slash() {
        let told = Refusal::unknown_route("//").told();
        assert_eq!(told, "{\n    \"message\": \"The route / could not be found.\"\n}");
    }
}
