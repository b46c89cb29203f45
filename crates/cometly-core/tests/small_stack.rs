//! Reading an answer needs no deep stack, whatever the answer nests.

use std::thread;

use cometly_core::{Api, ApiKey, DecodeCategory, http::Response};

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Page {
    data: Vec<u8>,
}

// `docs/faults.md` 37.
#[test]
fn deep_nesting_neither_overflows_the_stack_nor_hides_the_message() {
    let deep = |depth, inner: &str| format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
    let nested = move |inner: &str| deep(200_000, inner);
    let read = move || {
        let api = Api::new(ApiKey::new("12|abcdef").unwrap());
        let refused = |body: String| api.read(Response::builder().status(422).body(body).unwrap());

        // A refusal is judged by its first 64 KiB.
        let outcome = refused(format!(r#"{{"x":{},"message":"m"}}"#, deep(32_000, "")));
        assert_eq!(outcome.error().unwrap().message(), Some("m"));
        let outcome = refused(format!(r#"{{"message":"m","errors":{}}}"#, nested(r#""e""#)));
        assert_eq!(outcome.error().unwrap().message(), Some("m"));
        assert!(outcome.into_result().unwrap_err().field_errors().is_empty());

        let success = |body: String| api.read(Response::new(body)).into_result().unwrap();
        let page = success(format!(r#"{{"unknown":{},"data":[1]}}"#, nested(""))).json::<Page>();
        assert_eq!(page.unwrap().data, [1]);
        let error = success(format!(r#"{{"data":{}}}"#, nested(""))).json::<Page>().unwrap_err();
        assert_eq!(error.category(), DecodeCategory::Data);
    };
    thread::Builder::new().stack_size(256 * 1024).spawn(read).unwrap().join().unwrap();
}

// Its frames are the caller's type's, so this needs a stack as threads have it.
#[test]
fn a_type_that_nests_without_end_is_stopped_on_its_way_down() {
    let api = Api::new(ApiKey::new("12|abcdef").unwrap());
    let reply = api.read(Response::new("[".repeat(200_000))).into_result().unwrap();
    assert_eq!(reply.json::<serde_json::Value>().unwrap_err().category(), DecodeCategory::Syntax);
}
