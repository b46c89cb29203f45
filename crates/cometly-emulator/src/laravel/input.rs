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
        let mut fields = Map::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            set(&mut fields, &decode(name), decode(value).into());
        }
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if kind.is_some_and(is_json)
            && let Ok(Value::Object(object)) = serde_json::from_slice(body)
        {
            fields.extend(object);
        }
        fields.values_mut().for_each(clean);
        Self { fields }
    }

    #[cfg(test)]
    pub(crate) fn of_query(query: &str) -> Self {
        Self::read(Some(query), &HeaderMap::new(), b"")
    }

    #[cfg(test)]
    pub(crate) fn of_body(body: &str) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static("application/json"))]);
        Self::read(None, &headers, body.as_bytes())
    }

    /// What was kept of an earlier input.
    pub(crate) fn of(fields: Map<String, Value>) -> Self {
        Self { fields }
    }

    /// The field, unless it is missing or null, which is the same to a validation rule.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Whether the field came at all, null or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.fields.shift_remove(name);
    }

    /// All fields, by value.
    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }
}

/// As PHP takes in a query: `name[]` and `name[0]` make a list, `name[key]` an object, and of anything else the last one
/// counts. One pair of brackets is all that the API has.
fn set(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let inner = name.strip_suffix(']').and_then(|name| name.split_once('[')).filter(|(name, _)| !name.is_empty());
    let Some((name, key)) = inner else {
        fields.insert(name.to_owned(), value);
        return;
    };
    let in_list = key.bytes().all(|byte| byte.is_ascii_digit());
    match fields.get_mut(name) {
        Some(Value::Array(items)) if in_list => items.push(value),
        Some(Value::Object(object)) => drop(object.insert(key.to_owned(), value)),
        _ if in_list => drop(fields.insert(name.to_owned(), Value::Array(vec![value]))),
        _ => drop(fields.insert(name.to_owned(), Map::from_iter([(key.to_owned(), value)]).into())),
    }
}

/// Whether Laravel takes a media type for JSON.
pub(crate) fn is_json(kind: &str) -> bool {
    kind.contains("/json") || kind.contains("+json")
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// What `Str::trim` takes off both ends of a text: white space as PCRE knows it in Unicode mode, NUL, and all of Laravel's
/// `Str::INVISIBLE_CHARACTERS`.
fn is_trimmed(char: char) -> bool {
    char.is_whitespace()
        || matches!(
            char,
            '\0' | '\u{AD}'
                | '\u{34F}'
                | '\u{61C}'
                | '\u{115F}'..='\u{1160}'
                | '\u{17B4}'..='\u{17B5}'
                | '\u{180E}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2060}'..='\u{2065}'
                | '\u{206A}'..='\u{206F}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{1D159}'
                | '\u{1D173}'..='\u{1D17A}'
                | '\u{E0020}'
        )
}

/// Laravel's `TrimStrings` and `ConvertEmptyStringsToNull`, at any depth.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => {
            let trimmed = text.trim_matches(is_trimmed);
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

    fn written(input: &Input) -> String {
        serde_json::to_string(input.fields()).unwrap()
    }

    #[test]
    fn strings_are_trimmed_and_empty_ones_become_null_at_any_depth() {
        let body = r#"{"a":" x\u200b ","b":"","c":["  ",{"d":"\t"}],"e":0}"#;
        assert_eq!(written(&Input::of_body(body)), r#"{"a":"x","b":null,"c":[null,{"d":null}],"e":0}"#);
    }

    #[test]
    fn the_query_is_decoded_and_the_body_wins() {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse().unwrap())]);
        let input = Input::read(Some("a=1+2%3A&b=%ff&c&&d==x"), &headers, br#"{"c":3}"#);
        assert_eq!(written(&input), r#"{"a":"1 2:","b":"�","c":3,"d":"=x"}"#);
    }

    #[test]
    fn brackets_in_the_query_make_lists() {
        let cases = [
            ("a[]=1&a[]=2&b=3&b=4", r#"{"a":["1","2"],"b":"4"}"#),
            ("a%5B%5D=1&a%5B1%5D=+", r#"{"a":["1",null]}"#),
            ("a=1&a[]=2", r#"{"a":["2"]}"#),
            ("a[x]=1&a[y]=2", r#"{"a":{"x":"1","y":"2"}}"#),
            ("[]=1&a[=2", r#"{"[]":"1","a[":"2"}"#),
        ];
        for (query, expected) in cases {
            assert_eq!(written(&Input::of_query(query)), expected, "{query}");
        }
    }

    #[test]
    fn a_body_that_is_no_json_object_is_empty() {
        for body in ["", "{", "[1]", "5", "\u{feff}{}", &"[".repeat(100_000)] {
            assert_eq!(written(&Input::of_body(body)), "{}", "{body:.20}");
        }
        assert_eq!(Input::read(None, &HeaderMap::new(), br#"{"a":1}"#).fields(), &Map::new());
    }
}
