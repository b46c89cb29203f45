//! What a call becomes when it is built, and what is refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ApiKey;

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Purchase {
    amount: f64,
}

fn nan_purchase() -> Purchase {
    Purchase { amount: f64::NAN }
}

fn api() -> Api {
    Api::new(ApiKey::new("12|abcdef").unwrap())
}

fn target(call: &Call) -> Result<String, RequestError> {
    let target = call.to_request()?.uri().path_and_query().unwrap().to_string();
    Ok(target.strip_prefix("/public-api/v1").unwrap().to_owned())
}

#[test]
fn paths_segments_and_queries_make_the_expected_target() {
    let api = api();
    for (call, expected) in [
        (api.get("events"), "/events"),
        (api.get("/events"), "/events"),
        (api.get("contacts/{id}").segment(42), "/contacts/42"),
        (api.get("a/{b}/c/{d}").segment("é").segment("?#%&/+"), "/a/%C3%A9/c/%3F%23%25%26%2F%2B"),
        (api.get("contacts/{id}").query("a", "x").segment(1).query("b", 2), "/contacts/1?a=x&b=2"),
        (api.get("events").query("event_names[]", "a b"), "/events?event_names%5B%5D=a%20b"),
        (api.get("events").query("cursor", "&x=1#"), "/events?cursor=%26x%3D1%23"),
        (api.get("events").query("cursor", ""), "/events?cursor="),
        (api.get("x/{a}").segment("..."), "/x/..."),
    ] {
        assert_eq!(target(&call).as_deref(), Ok(expected));
    }
}

#[test]
fn a_value_that_cannot_be_written_is_told_from_one_that_is_empty_or_too_long() {
    struct Unwritable;
    impl Display for Unwritable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    let api = api();
    assert_eq!(api.get("a/{b}").segment(Unwritable).to_request().unwrap_err(), RequestError::Value);
    assert_eq!(api.get("a").query("b", Unwritable).to_request().unwrap_err(), RequestError::Value);
    let longest = "x".repeat(Call::MAX_TARGET_LEN - "/public-api/v1/a?b=".len());
    assert!(api.get("a").query("b", longest).to_request().is_ok());
    // As long as is allowed, and then it fails.
    let full = "x".repeat(Call::MAX_TARGET_LEN - "/public-api/v1/a?b=&c=".len());
    let call = api.get("a").query("b", full).query("c", Unwritable);
    assert_eq!(call.to_request().unwrap_err(), RequestError::Value);
}

#[test]
fn a_base_url_without_a_path_needs_no_second_slash() {
    let api = Api::builder(ApiKey::new("k").unwrap()).base_url("https://a.example/".parse().unwrap()).build();
    assert_eq!(api.get("events").to_request().unwrap().uri(), "https://a.example/events");
}

#[test]
fn what_cannot_be_sent_as_meant_is_refused_before_anything_is_sent() {
    use RequestError as E;
    let api = api();
    let long = "x".repeat(Call::MAX_TARGET_LEN);
    for (call, expected) in [
        (api.get(""), E::Path),
        (api.get("/"), E::Path),
        (api.get("//evil.example"), E::PathIsUrl),
        (api.get("events/"), E::Path),
        (api.get("a b"), E::Path),
        (api.get("events?x=1"), E::PathHasQuery),
        (api.get("events#x"), E::Path),
        (api.get("a%2fb"), E::Path),
        (api.get("../admin"), E::Path),
        (api.get("a/./b"), E::Path),
        (api.get("https://evil.example"), E::PathIsUrl),
        (api.get("https://app.cometly.com/public-api/v1/events?x=1"), E::PathIsUrl),
        (api.get("public-api/v1/events"), E::PathHasBase),
        (api.get("/public-api/v1/events".to_owned()), E::PathHasBase),
        (api.get("app.cometly.com/public-api/v1/events"), E::PathHasBase),
        (api.get("a/{}").segment(1), E::Path),
        (api.get("a/x{b}").segment(1), E::Path),
        (api.get("a/{b"), E::Path),
        (api.get("a/{b}").segment(""), E::Segment),
        (api.get("a/{b}").segment("."), E::Segment),
        (api.get("a/{b}/c").segment(".."), E::Segment),
        (api.get("a/{b}"), E::MissingSegment),
        (api.get("a/{b}/{c}").segment(1), E::MissingSegment),
        (api.get("a").segment(1), E::SurplusSegment),
        (api.get("a").query("cursor", &long), E::TooLong),
        (api.get("a/{b}").segment(&long), E::TooLong),
        (api.get(long.clone()), E::TooLong),
        (api.get("a").body("{}"), E::Body),
        (api.request(Method::TRACE, "a"), E::Method),
        (api.request(Method::HEAD, "a"), E::Method),
        (api.request(Method::from_bytes(b"BREW").unwrap(), "a"), E::Method),
        (api.get("a").timeout(Duration::ZERO), E::Timeout),
        (api.post("a").idempotency_key("k"), E::IdempotencyKey),
        (api.post("a").idempotency_key("").json(&Empty {}), E::IdempotencyKey),
        (api.post("a").json(&Empty {}).idempotency_key("\u{200b}"), E::IdempotencyKey),
        (api.post("a").json(&Empty {}).idempotency_key("k\0"), E::IdempotencyKey),
        (api.post("a").json(&[1]).idempotency_key("k"), E::IdempotencyKey),
        (api.post("a").body("no json").idempotency_key("k"), E::IdempotencyKey),
        (api.post("a").json(&json!({"idempotency_key": "x"})).idempotency_key("k"), E::IdempotencyKey),
        (
            api.post("a").body(r#"{"idempotency_key":"x","idempotency_key":"k"}"#).idempotency_key("k"),
            E::IdempotencyKey,
        ),
        (api.post("a").idempotency_key("k").json(&json!({"idempotency_key": "x"})), E::IdempotencyKey),
        (api.get("a").query_from(&json!({"x": [1]})), E::QueryField { field: "x".into() }),
        (api.get("a").query_from(&[1]), E::QueryShape),
    ] {
        assert_eq!(target(&call).unwrap_err(), expected, "{call:?}");
    }
}

// `docs/faults.md` 150.
#[test]
fn what_was_refused_is_not_shown_but_for_its_plain_beginning() {
    let api = api();
    let long = format!("contacts/{}", "x".repeat(9_000));
    for (path, shown) in [
        ("contacts?email=canary@example.com&token=12|canary", "contacts…"),
        ("https://evil.example/x?api_key=12|canary", "https…"),
        ("https://user:canary@evil.example/x", "https…"),
        ("//user:canary@evil.example/x", "//user…"),
        ("a/{12|canary}", "a/{12…"),
        ("a\u{1b}[31m\u{202e}b\r\nFAKE LOG LINE", "a…"),
        ("contacts/é", "contacts/…"),
        ("public-api/v1/events", "public-api/v1/events"),
        (long.as_str(), &format!("{}…", long.get(..128).unwrap())),
    ] {
        let call = api.get(path.to_owned());
        assert_eq!(call.path_template(), shown, "{path}");
        let error = crate::CallError::<std::io::Error>::request(call.to_request().unwrap_err(), Some(call.name()));
        let all = format!("{error} {error:?} {call:?} {:?}", error.path_template());
        assert!(!all.contains("canary") && !all.contains("example") && !all.contains("FAKE"), "{all}");
        assert!(!all.contains(['\u{1b}', '\u{202e}', '\n']) && all.len() < 2_000, "{all}");
    }
    for (method, shown) in [("get", "get"), ("BREW", "BREW"), ("12|canary", "_OTHER"), (&"X".repeat(17), "_OTHER")] {
        let call = api.request(Method::from_bytes(method.as_bytes()).unwrap(), "a");
        assert_eq!((call.to_request().unwrap_err(), call.method().as_str()), (RequestError::Method, shown));
    }
}

#[test]
fn a_name_that_may_be_an_address_or_a_key_is_not_shown() {
    let api = api();
    let long = "x".repeat(65);
    let refused = |name: &str| {
        let map = std::collections::BTreeMap::from([(name, [1])]);
        api.get("a").query_from(&map).to_request().unwrap_err().to_string()
    };
    for name in ["12|canary\u{1b}[31m", "canary@example.com", "", &long] {
        assert!(refused(name).contains("the query field `*` is not one value"), "{}", refused(name));
    }
    assert!(refused("event_names[]").contains("`event_names[]`"));
    for key in [None, Some("x")] {
        let map = std::collections::HashMap::from([(key, 1)]);
        let expected = if key.is_some() { Ok(()) } else { Err(RequestError::QueryField { field: "*".into() }) };
        assert_eq!(api.get("a").query_from(&map).to_request().map(drop), expected);
    }
    for (name, shown) in [("x-trace", "the header x-trace"), ("12|canary", "the header *"), (&long, "the header *")] {
        let error = api.get("a").header(name, "x\n").to_request().unwrap_err().to_string();
        assert!(error.contains(shown) && !error.contains("canary"), "{error}");
    }
}

#[test]
fn the_callers_headers_have_8000_bytes_together() {
    let get = |len: usize| api().get("a").header("x-a", "1".repeat(3_997)).header("x-b", "1".repeat(len)).to_request();
    assert!(get(3_997).is_ok());
    assert_eq!(get(3_998).unwrap_err(), RequestError::HeadersTooLong);
}

#[test]
fn a_wrong_path_says_what_to_use_instead_and_never_to_change_where_the_key_goes() {
    let api = api();
    for (path, advice) in [
        ("https://evil.example/events", "a path begins after"),
        ("https://evil.example/events", "`BaseUrl`"),
        ("HTTPS://evil.example/events", "`BaseUrl`"),
        ("//evil.example/events", "`BaseUrl`"),
        ("events?per_page=1", "`query`"),
        ("contacts/a%20b", "`segment`"),
        ("contacts/a b", "`segment`"),
        ("contacts/é", "`segment`"),
        ("public-api/v1/events", "after /public-api/v1"),
    ] {
        let error = api.get(path).to_request().unwrap_err().to_string();
        assert!(error.contains(advice) && !error.contains("COMETLY_BASE_URL"), "{path}: {error}");
        assert!(!error.contains("evil"), "{error}");
    }
    // Behind another base URL, it may be a path like any other.
    let gateway = Api::builder(ApiKey::new("k").unwrap()).base_url("https://a.example".parse().unwrap()).build();
    assert!(gateway.get("public-api/v1/events").to_request().is_ok());
}

#[test]
fn an_optional_a_repeated_and_a_structs_values_make_the_expected_query() {
    let api = api();
    let fields = json!({"a": "x y", "b": true, "c": null});
    for (call, expected) in [
        (api.get("e").query_opt("a", Some(1)).query_opt("b", None::<u8>), "/e?a=1"),
        (api.get("e").query_all("a[]", ["x", "y"]).query("b", 1), "/e?a%5B%5D=x&a%5B%5D=y&b=1"),
        (api.get("e").query_all("a[]", [0; 0]), "/e"),
        (api.get("e").query("z", 1).query_from(&fields), "/e?z=1&a=x%20y&b=1"),
        (api.get("e/{id}").query_from(&fields).segment(7), "/e/7?a=x%20y&b=1"),
        (api.get("e").query_from(&Empty {}), "/e"),
    ] {
        assert_eq!(target(&call).as_deref(), Ok(expected));
    }
}

#[test]
fn a_header_of_the_caller_is_sent_and_one_that_is_ours_or_wrong_is_refused_by_name() {
    let api = api();
    let call = api.post("a").header("X-Trace", "1").header("x-trace", 2).header(http::header::IF_MATCH, "\"e\"");
    let request = call.to_request().unwrap();
    assert_eq!(request.headers().get_all("x-trace").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((&request.headers()["if-match"], request.headers().len()), (&HeaderValue::from_static("\"e\""), 8));
    for name in ["Authorization", "accept", "User-Agent", "Cookie", "Proxy-Connection", "Keep-Alive", "Host", "Expect"]
    {
        let error = api.get("a").header(name, "canary").to_request().unwrap_err();
        assert_eq!(error, RequestError::Header { name: name.parse().unwrap() });
        assert!(error.to_string().contains(&name.to_lowercase()), "{error}");
    }
    let fault = |call: Call| call.to_request().unwrap_err();
    assert_eq!(fault(api.get("a").header("x y", "1")), RequestError::HeaderName);
    assert_eq!(fault(api.get("a").header("", "1")), RequestError::HeaderName);
    let value = RequestError::HeaderValue { name: HeaderName::from_static("x-a") };
    for bad in ["canary\r\nX-B: 1", "a\n", "\0"] {
        assert_eq!(fault(api.get("a").header("x-a", bad)), value);
    }
    let full = (0..Call::MAX_HEADERS).fold(api.get("a"), |call, n| call.header("x-a", n));
    assert_eq!(full.to_request().unwrap().headers().len(), Call::MAX_HEADERS + 5);
    assert_eq!(fault(full.header("x-b", 1)), RequestError::TooManyHeaders);
}

#[test]
fn what_is_for_this_call_alone_is_handed_to_what_drives_it() {
    let timeout = Duration::from_secs(3);
    let call = api().post("a/{b}").segment(1).header("x-a", 1).timeout(timeout).retry_policy(RetryPolicy::none());
    let call = call.idempotency_key("k").json(&Empty {});
    assert_eq!(call.name().to_string(), "POST a/{b}");
    let prepared = call.prepare().unwrap();
    assert_eq!(prepared.method, Method::POST);
    assert_eq!(prepared.uri, "https://app.cometly.com/public-api/v1/a/1");
    assert_eq!((prepared.headers.unwrap().len(), prepared.timeout), (1, Some(timeout)));
    assert!(prepared.retry_policy.is_some());
    assert_eq!(prepared.body, r#"{"idempotency_key":"k"}"#);
    assert!(prepared.api.base_url() == &crate::BaseUrl::default());
    let plain = api().post("a").prepare().unwrap();
    assert!(plain.headers.is_none() && plain.timeout.is_none() && plain.retry_policy.is_none());
    assert_eq!(api().get("").prepare().err(), Some(RequestError::Path));
}

#[test]
fn idempotency_is_by_method_by_mark_or_by_key() {
    let api = api();
    assert!(api.get("a").is_idempotent() && api.put("a").is_idempotent());
    assert!(!api.post("a").is_idempotent() && !api.request(Method::PATCH, "a").is_idempotent());
    assert!(api.post("a").idempotent().is_idempotent());
    assert!(api.post("a").idempotency_key("k").is_idempotent());
    assert!(api.post("a").idempotency_key("k").json(&1).is_idempotent());
}

#[test]
fn key_and_body_come_in_either_order_and_a_later_body_has_the_key_too() {
    let api = api();
    let event = json!({"x": 1.50});
    for call in [
        api.post("a").json(&event).idempotency_key("k"),
        api.post("a").idempotency_key("k").json(&event),
        api.post("a").idempotency_key("k").json(&json!({"y": 2})).json(&event),
        api.post("a").idempotency_key("k").json(&event).idempotency_key("k"),
        api.post("a").body(r#"{"x":1.5}"#).idempotency_key(String::from("k")),
    ] {
        assert_eq!(call.to_request().unwrap().body(), r#"{"x":1.5,"idempotency_key":"k"}"#);
    }
    let digits = api.post("a").body(r#"{"order_id":12345678901234567890123}"#).idempotency_key("k");
    assert_eq!(digits.to_request().unwrap().body(), r#"{"order_id":12345678901234567890123,"idempotency_key":"k"}"#);
}

#[test]
fn a_body_that_is_no_json_keeps_what_serde_said_as_the_source() {
    use std::error::Error as _;

    let key = api().post("a").json(&std::collections::BTreeMap::from([((1, 2), 3)])).to_request().unwrap_err();
    assert!(matches!(key, RequestError::Json { .. }), "{key}");
    assert_eq!(key.source().unwrap().to_string(), "key must be a string");
    let again = api().post("a").json(&std::collections::BTreeMap::from([((1, 2), 3)])).to_request().unwrap_err();
    assert_eq!(key, again, "equal by what serde said");
    assert_ne!(key, api().post("a").json(&nan_purchase()).to_request().unwrap_err());
    let nan = api().post("a").json(&nan_purchase()).idempotency_key("k").to_request().unwrap_err();
    let source = nan.source().unwrap().to_string();
    assert!(source.contains("`amount`") && source.contains("NaN"), "{source}");
    assert!(format!("{nan:?}").contains(&source), "what `main` prints has the reason: {nan:?}");
}

#[test]
fn what_a_value_says_of_itself_steers_no_terminal_and_has_an_end() {
    use std::error::Error as _;

    struct Failing;
    impl Serialize for Failing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom(format!("no\u{1b}[31m\u{202e}{}", "x".repeat(5_000))))
        }
    }
    let own = api().post("a").json(&Failing).to_request().unwrap_err().source().unwrap().to_string();
    assert!(own.starts_with("no\\u{1b}[31m\\u{202e}xx") && own.len() <= 1_024, "{own}");
}

#[test]
fn the_body_is_shared_between_the_call_and_its_requests() {
    let body = Bytes::from(vec![b'1'; 64]);
    let call = api().post("a").body(body.clone());
    assert_eq!(call.to_request().unwrap().body().as_ptr(), body.as_ptr());
    assert_eq!(call.to_request().unwrap().body().as_ptr(), body.as_ptr());
}

#[test]
fn where_a_literal_path_leads_is_worked_out_once() {
    let (api, path) = (api(), "contacts/export");
    let [one, other] = [api.get(path), api.clone().post(path)].map(|call| call.to_request().unwrap());
    assert_eq!(one.uri().path().as_ptr(), other.uri().path().as_ptr());
    assert_eq!(one.uri(), "https://app.cometly.com/public-api/v1/contacts/export");
}

#[test]
fn debug_shows_no_value() {
    let call = api().post("a/{b}").segment("canary").query("canary", "canary").body("canary");
    assert!(target(&call).unwrap().contains("canary") && call.body == "canary");
    let shown = format!("{call:?}");
    assert!(shown.contains("method: POST, path_template: \"a/{b}\", idempotent: false, body_len: 6"), "{shown}");
    assert!(!format!("{shown} {call:#?}").contains("canary"));
}

proptest! {
    #[test]
    fn any_value_comes_back_as_one_segment_and_one_pair(value in any::<String>(), name in any::<String>()) {
        let call = api().get("a/{b}/c").segment(&value).query(&name, &value);
        match target(&call) {
            Err(error) => prop_assert!(
                error == RequestError::TooLong
                    || value.is_empty()
                    || value.split(['/', '\\']).any(|part| matches!(part, "." | ".."))
            ),
            Ok(target) => {
                let (path, query) = target.split_once('?').unwrap();
                let segments: Vec<_> = path.split('/').collect();
                prop_assert_eq!(segments.len(), 4);
                let (n, v) = query.split_once('=').unwrap();
                let decode = |t: &str| percent_encoding::percent_decode_str(t).decode_utf8().unwrap().into_owned();
                prop_assert_eq!((decode(segments[2]), decode(n), decode(v)), (value.clone(), name, value));
            }
        }
    }
}
