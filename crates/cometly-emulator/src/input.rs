//! A request's input: the query and a JSON body as one set of fields, cleaned as Laravel's middleware cleans it.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

#[derive(Debug, Default)]
pub(crate) struct Input {
    fields: Map<String, Value>,
}

impl Input {
    /// A field of the body wins over one of the query. A body that is no JSON object counts as empty, and so does one
    /// whose `Content-Type` is not JSON.
    pub(crate) fn read(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut fields: Map<String, Value> = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), Value::String(decode(value))))
            .collect();
        if is_json(headers)
            && let Ok(Value::Object(object)) = serde_json::from_slice(body)
        {
            fields.extend(object);
        }
        fields.values_mut().for_each(clean);
        Self { fields }
    }

    /// The field, unless it is missing or null, which is the same to a validation rule.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// All fields as one compact JSON object.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(&self.fields).unwrap_or_default()
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.contains("/json") || kind.contains("+json")
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Laravel's `TrimStrings` and `ConvertEmptyStringsToNull`, at any depth.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => {
            let invisible = |char: char| char.is_whitespace() || "\0\u{FEFF}\u{200B}\u{200E}".contains(char);
            let trimmed = text.trim_matches(invisible);
            *value = if trimmed.is_empty() { Value::Null } else { trimmed.into() };
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: Option<&str>, body: &str) -> String {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse().unwrap())]);
        Input::read(query, &headers, body.as_bytes()).to_json()
    }

    #[test]
    fn strings_are_trimmed_and_empty_ones_become_null_at_any_depth() {
        let body = r#"{"a":" x\u200b ","b":"","c":["  ",{"d":"\t"}],"e":0}"#;
        assert_eq!(read(None, body), r#"{"a":"x","b":null,"c":[null,{"d":null}],"e":0}"#);
    }

    #[test]
    fn the_query_is_decoded_and_the_body_wins() {
        assert_eq!(read(Some("a=1+2%3A&b=%ff&c&&d==x"), r#"{"c":3}"#), r#"{"a":"1 2:","b":"�","c":3,"d":"=x"}"#);
    }

    #[test]
    fn a_body_that_is_no_json_object_is_empty() {
        for body in ["", "{", "[1]", "5", "\u{feff}{}", &"[".repeat(100_000)] {
            assert_eq!(read(None, body), "{}", "{body:.20}");
        }
        assert_eq!(Input::read(None, &HeaderMap::new(), br#"{"a":1}"#).to_json(), "{}");
    }
}
