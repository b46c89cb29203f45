//! The place and the cause of JSON that does not fit, and that no value of it is shown.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::{Deserialize, de::DeserializeOwned};

use super::*;
use crate::{Api, ApiKey, http::Response};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Queued,
    Done,
}

#[derive(Debug, Deserialize)]
enum Shape {
    Circle { radius: f64 },
    Line(u8, u8),
    Named(String),
    Unit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row<'a> {
    #[serde(borrow)]
    text: Option<&'a str>,
    amount: f64,
    count: u8,
    status: Option<Status>,
    tags: Vec<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    by_day: HashMap<String, i32>,
    by_number: BTreeMap<u16, bool>,
    pair: (u8, u8),
    letter: Option<char>,
    unit: (),
}

#[derive(Debug, Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    #[expect(dead_code, reason = "only read")]
    data: Vec<Row<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read")]
struct Strict {
    event_name: String,
    #[serde(default)]
    value: u8,
}

fn reply(body: &str) -> Reply<Bytes> {
    let api = Api::new(ApiKey::new("k").unwrap());
    api.read(Response::new(Bytes::copy_from_slice(body.as_bytes()))).into_result().unwrap()
}

/// The part of the error behind the line and the column.
#[track_caller]
fn mismatch<'a, T: Deserialize<'a>>(body: &'a str) -> String {
    let error = serde_json::from_str::<T>(body).err().expect("this does not fit");
    let shown = DecodeError::new::<T>(&error, body.as_bytes(), None, 1).to_string();
    assert!(shown.contains(" at line "), "{shown}");
    shown
        .split_once(" column ")
        .unwrap()
        .1
        .split_once(": ")
        .map(|(_, mismatch)| mismatch)
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn numbers_beyond_64_bits_are_numbers() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Long {
        most: u128,
        least: i128,
        count: u8,
    }
    let long = |count: &str| {
        mismatch::<Long>(&format!(
            r#"{{"most":340282366920938463463374607431768211455,"least":-170141183460469231731687303715884105728,"count":{count}}}"#
        ))
    };
    assert_eq!(long("true"), "count: expected a whole number (u8), found a boolean");
}

#[test]
fn an_unknown_variant_within_a_known_one_has_the_path_of_both() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only read")]
    enum Change {
        Status(Status),
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Log {
        change: Change,
    }
    let known = "unknown variant, expected one of \"queued\", \"done\"";
    assert_eq!(mismatch::<Log>(r#"{"change":{"status":"lost"}}"#), format!("change.status: {known}"));
    assert!(mismatch::<Log>(r#"{"change":{"kind":"lost"}}"#).starts_with("change: unknown variant"));
}

// `docs/faults.md` 145.
#[test]
fn it_says_where_and_what() {
    for (row, expected) in [
        (r#"{"amount":"SECRET"}"#, "amount: expected a number, found a string"),
        (r#"{"amount":null}"#, "amount: expected a number, found null"),
        (r#"{"count":300}"#, "count: expected a whole number (u8), found a number that does not fit"),
        (r#"{"count":-1}"#, "count: expected a whole number (u8), found a number that does not fit"),
        (r#"{"count":1.5}"#, "count: expected a whole number (u8), found a number"),
        (r#"{"count":[1]}"#, "count: expected a whole number (u8), found an array"),
        (r#"{"text":7}"#, "text: expected a string without escapes, found a number"),
        (r#"{"text":"a\nSECRET"}"#, "text: expected a string without escapes, found a string"),
        (r#"{"text":"fits","tags":[{}]}"#, "tags[0]: expected a string, found an object"),
        (r#"{"tags":{}}"#, "tags: expected an array, found an object"),
        (r#"{"tags":["a",true]}"#, "tags[1]: expected a string, found a boolean"),
        (r#"{"type":false}"#, "type: expected a string, found a boolean"),
        (r#"{"count":-0}"#, "count: expected a whole number (u8), found a number"),
        (r#"{"status":"SECRET"}"#, r#"status: unknown variant, expected one of "queued", "done""#),
        (r#"{"by_day":{"SECRET":1,"SECRET2":"x"}}"#, "by_day.*: expected a whole number (i32), found a string"),
        (r#"{"by_day":[]}"#, "by_day: expected an object, found an array"),
        (r#"{"by_number":{"7":true,"8":"SECRET"}}"#, "by_number.*: expected a boolean, found a string"),
        // serde_json takes these for broken JSON.
        (r#"{"by_number":{"SECRET":true}}"#, "in a key of by_number: expected a whole number (u16), found a string"),
        (r#"{"by_number":{"7 SECRET":true}}"#, "in a key of by_number: expected a whole number (u16), found a string"),
        (r#"{"status":7}"#, "status: expected a string or an object, found a number"),
        (r#"{"status":[]}"#, "status: expected a string or an object, found an array"),
        (
            r#"{"by_number":{"65536":true}}"#,
            "in a key of by_number: expected a whole number (u16), found a number that does not fit",
        ),
        (r#"{"pair":[1,"SECRET"]}"#, "pair[1]: expected a whole number (u8), found a string"),
        (r#"{"pair":[1]}"#, "pair: expected a tuple of size 2, found a number of entries that does not fit"),
        (r#"{"pair":[1,2,3]}"#, "pair: expected an array of at most 2 entries, found more"),
        (r#"{"amount":1e999}"#, "amount: expected a number, found a number that does not fit"),
        (r#"{"pair":[1,2],"count":"SECRET"}"#, "count: expected a whole number (u8), found a string"),
        (r#"{"letter":"SECRET"}"#, "letter: expected a character, found a string that does not fit"),
        (r#"{"unit":1}"#, "unit: expected null, found a number"),
        (r#"{"count":1,"count":1}"#, r#"field "count" comes twice"#),
        (r#""SECRET""#, "expected an object, found a string"),
        (r#"{"SECRET":[{}],"\ud83d\ude00":1,"amount":""}"#, "amount: expected a number, found a string"),
    ] {
        assert_eq!(mismatch::<Row<'_>>(row), expected, "{row}");
        let in_page = format!(r#"{{"data":[{{}}, {{}},{{"unknown":{{"a":[[{{}}]]}}}},{row}],"next":null}}"#);
        let is_own = expected.starts_with("expected") || expected.starts_with("field");
        let (place, path) = expected.split_at(if expected.starts_with("in a key") { "in a key of ".len() } else { 0 });
        let expected = format!("{place}data[3]{}{path}", if is_own { ": " } else { "." });
        assert_eq!(mismatch::<Page<'_>>(&in_page), expected);
    }
    assert_eq!(mismatch::<Page<'_>>("{}"), r#"missing field "data""#);
    assert_eq!(mismatch::<Vec<Strict>>(r#"[{"event_name":"a"},{"value":1}]"#), r#"[1]: missing field "event_name""#);
    let unknown = r#"[0]: unknown field, expected one of "event_name", "value""#;
    assert_eq!(mismatch::<Vec<Strict>>(r#"[{"SECRET":1}]"#), unknown);
    assert_eq!(mismatch::<(u8, u8)>("[true,1]"), "[0]: expected a whole number (u8), found a boolean");
}

#[test]
fn variants_are_steps_of_the_path() {
    for (body, expected) in [
        (r#"{"Circle":{"radius":"SECRET"}}"#, "Circle.radius: expected a number, found a string"),
        (r#"{"Circle":{}}"#, r#"Circle: missing field "radius""#),
        (r#"{"Line":[1,null]}"#, "Line[1]: expected a whole number (u8), found null"),
        (r#"{"Named":1}"#, "Named: expected a string, found a number"),
        (r#"{"SECRET":1}"#, r#"unknown variant, expected one of "Circle", "Line", "Named", "Unit""#),
        (r#""SECRET""#, r#"unknown variant, expected one of "Circle", "Line", "Named", "Unit""#),
        (r#"{"Unit":1}"#, "Unit: expected null, found a number"),
        (r#"{"Line":[1,2,3]}"#, "Line: expected an array of at most 2 entries, found more"),
        (r#"{"Named":"SECRET","Unit":null}"#, "expected an object with one entry, found more"),
    ] {
        assert_eq!(mismatch::<Shape>(body), expected, "{body}");
    }
    let shapes = serde_json::from_str::<Vec<Shape>>(r#"[{"Circle":{"radius":1}},{"Line":[1,2]},{"Named":"a"},"Unit"]"#);
    let [Shape::Circle { radius }, Shape::Line(one, two), Shape::Named(name), Shape::Unit] = &*shapes.unwrap() else {
        panic!("in the order of the text")
    };
    assert_eq!((*radius, *one, *two, name.as_str()), (1.0, 1, 2, "a"));
}

// `docs/faults.md` 145. serde_json calls them syntax errors.
#[test]
fn what_is_json_is_never_called_broken_json() {
    fn category<T: DeserializeOwned>(body: &str) -> DecodeCategory {
        let error = serde_json::from_str::<T>(body).err().expect("this does not fit");
        DecodeError::new::<T>(&error, body.as_bytes(), None, 1).category()
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    for found in [
        category::<(u8, u8)>("[1,2,3]"),
        category::<Vec<[u8; 1]>>("[[1],[1,2]]"),
        category::<Shape>(r#"{"Named":"a","Unit":null}"#),
        category::<f64>("1e999"),
        category::<serde_json::Value>("-1e999"),
        category::<String>(r#""\ud800""#),
        category::<BTreeMap<String, u8>>(r#"{"\ud800":1}"#),
        category::<BTreeMap<u8, u8>>(r#"{" 1":1}"#),
        category::<serde_json::Value>(&deep),
    ] {
        assert_eq!(found, DecodeCategory::Data);
    }
    assert_eq!(category::<u8>("1 2"), DecodeCategory::Syntax);
    assert_eq!(category::<u8>("01"), DecodeCategory::Syntax);
    assert_eq!(category::<Vec<u8>>("[1"), DecodeCategory::Eof);
}

#[test]
fn where_serde_reads_a_copy_the_problem_is_within_the_place() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Amount {
        amount: f64,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        rest: Amount,
    }
    #[derive(Debug, Deserialize)]
    #[serde(tag = "type")]
    #[expect(dead_code, reason = "only read")]
    enum Tagged {
        Paid(Amount),
    }
    let number = "expected a number, found a string";
    assert_eq!(mismatch::<Vec<Flat>>(r#"[{"id":1,"amount":"SECRET"}]"#), format!("within [0]: {number}"));
    assert_eq!(mismatch::<Flat>(r#"{"id":1,"amount":"SECRET"}"#), format!("within it: {number}"));
    assert_eq!(mismatch::<Vec<Tagged>>(r#"[{"type":"Paid","amount":"SECRET"}]"#), format!("within [0]: {number}"));
    // Such a type does not tell the names of its fields.
    assert_eq!(mismatch::<Vec<Flat>>(r#"[{"id":"SECRET"}]"#), "[0].*: expected a whole number (u8), found a string");
    assert_eq!(mismatch::<Vec<Flat>>("[1]"), "[0]: expected an object, found a number");
}

#[test]
fn what_a_type_expects_steers_no_terminal_and_has_an_end() {
    #[derive(Debug)]
    struct Colour;
    impl<'de> Deserialize<'de> for Colour {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let words = format!("a colour\u{1b}[31m\u{202e}{}", "x".repeat(500));
            String::deserialize(deserializer)?;
            Err(serde::de::Error::invalid_value(serde::de::Unexpected::Str(""), &words.as_str()))
        }
    }
    let shown = mismatch::<Colour>(r#""SECRET""#);
    assert!(shown.starts_with("expected a colour\\u{1b}[31m\\u{202e}xx") && shown.len() < 160, "{shown}");
}

#[test]
fn words_of_a_type_of_its_own_are_not_repeated() {
    #[derive(Debug)]
    struct Day;

    impl<'de> Deserialize<'de> for Day {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(serde::de::Error::custom(format!("{text} is no day")))
        }
    }

    assert_eq!(mismatch::<Vec<Day>>(r#"["SECRET"]"#), "[0]: a value that its type refuses");
    let raw = r#"{"a":[{"deep":"#.repeat(30);
    assert_eq!(
        mismatch::<Vec<u8>>(&format!(r"[{raw}0{}]", "}]}".repeat(30))),
        "[0]: expected a whole number (u8), found an object"
    );
}

#[test]
fn a_key_of_a_map_may_be_a_number_or_a_boolean() {
    let shown = mismatch::<HashMap<bool, u8>>(r#"{"true":1,"SECRET":1}"#);
    assert_eq!(shown, "in a key: expected a boolean, found a string");
    let shown = mismatch::<HashMap<u8, u8>>(r#"{"7":1,"256":1}"#);
    assert_eq!(shown, "in a key: expected a whole number (u8), found a number that does not fit");
}

#[test]
fn borrowed_bytes_are_read_from_a_string_and_nothing_else() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Blob<'a> {
        bytes: &'a [u8],
        count: u8,
    }
    for (body, expected) in [
        (r#"{"bytes":"a","count":true}"#, "count: expected a whole number (u8), found a boolean"),
        (r#"{"bytes":7,"count":1}"#, "bytes: expected a borrowed byte array, found a number"),
        (r#"{"bytes":[7],"count":1}"#, "bytes: expected a borrowed byte array, found an array"),
    ] {
        assert_eq!(mismatch::<Blob<'_>>(body), expected);
    }
}

#[test]
fn a_type_that_serde_json_treats_in_its_own_way_has_a_line_and_no_path() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Envelope<'a> {
        #[serde(borrow)]
        raw: &'a serde_json::value::RawValue,
        count: u8,
    }
    assert_eq!(mismatch::<Envelope<'_>>(r#"{"raw":[1],"count":true}"#), "");
    assert_eq!(mismatch::<Envelope<'_>>(r#"{"count":true}"#), "count: expected a whole number (u8), found a boolean");
}

#[test]
fn an_item_of_a_list_has_its_place_in_the_whole_and_the_call_of_its_reply() {
    for (body, line, column) in [
        (r#"{"data":[{},{"count":true}]}"#, 1, 25),
        ("{\n\"data\":[{},\n  {\"count\":true}]}", 3, 15),
        ("{\n\"data\":[{},\n  {\n\"count\":true}]}", 4, 12),
    ] {
        let (start, end) = (body.rfind('{').unwrap(), body.rfind(']').unwrap());
        let mut reply = reply(body);
        let call = CallName { method: crate::http::Method::GET, template: Some("events".into()), is_idempotent: true };
        (reply.call, reply.attempts) = (Some(call), 3);
        let whole = reply.body().clone();
        let part = std::str::from_utf8(&whole[start..end]).unwrap();
        let error = reply.part::<Row<'_>>(part, ("data", 1)).unwrap_err();
        assert_eq!((error.line(), error.column(), error.path()), (line, column, "data[1].count".to_owned()), "{body}");
        assert_eq!((error.call().map(ToString::to_string), error.attempts()), (Some("GET events".to_owned()), 3));
        assert_eq!(reply.json::<Page<'_>>().unwrap_err().to_string(), error.to_string());
    }
    let error = reply("[]").json::<Strict>().unwrap_err();
    assert_eq!((error.call().is_none(), error.attempts()), (true, 1));
}

#[test]
fn broken_json_has_a_line_and_a_column_and_no_path() {
    for (body, category) in [(r#"{"data":[{]}"#, DecodeCategory::Syntax), (r#"{"data":["#, DecodeCategory::Eof)] {
        let error = reply(body).json::<Page<'_>>().unwrap_err();
        assert_eq!((error.category(), error.path()), (category, String::new()));
    }
    let error = reply(r#"{"status":7}"#).json::<Row<'_>>().unwrap_err();
    assert_eq!((error.category(), error.path().as_str()), (DecodeCategory::Data, "status"));
}

#[test]
fn the_reply_comes_back_from_the_error() {
    let body = r#"{"data":7}"#;
    let error = reply(body).decode::<HashMap<String, String>>().unwrap_err();
    assert_eq!((error.path(), error.category()), ("*".to_owned(), DecodeCategory::Data));
    assert_eq!(error.into_reply().unwrap().into_body(), body);
    assert!(reply(body).json::<HashMap<String, String>>().unwrap_err().into_reply().is_none());
    assert_eq!(reply(body).decode::<HashMap<String, u8>>().unwrap()["data"], 7);
}

#[test]
fn it_is_one_pointer_wide() {
    assert_eq!(size_of::<DecodeError>(), size_of::<usize>());
}

/// Both readings take and refuse the same: the second one only says where.
fn agree<T: DeserializeOwned>(body: &str) {
    let theirs = serde_json::from_str::<T>(body);
    let ours = Mismatch::find::<T>(body.as_bytes());
    if theirs.is_ok() {
        assert!(ours.is_none(), "{body}: {ours:?}");
    } else if theirs.is_err_and(|error| error.is_data()) {
        assert!(ours.is_some(), "{body}");
    }
}

proptest! {
    #[test]
    fn the_second_reading_agrees_with_the_first(
        body in r#"(\[|\{"(a|radius|Circle|Unit|7|event_name)":){0,3}(-?[0-9]{1,3}(\.5)?|true|null|"a"|"Unit"|\[\]|\{\}|\[1,2\])(\]|\}){0,3}"#,
    ) {
        agree::<Strict>(&body);
        agree::<Shape>(&body);
        agree::<Vec<Option<u8>>>(&body);
        agree::<HashMap<String, f64>>(&body);
        agree::<BTreeMap<i8, Vec<u64>>>(&body);
        agree::<HashMap<Status, (u8, u8)>>(&body);
        agree::<serde_json::Value>(&body);
    }
}
