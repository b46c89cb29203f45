//! Reading an answer needs no deep stack, whatever the answer nests.

use std::thread;

use cometly_core::{Api, ApiKey, DecodeCategory, http::Response};

// Row 37 of the fault list.
#[test]
fn deep_nesting_neither_overflows_the_stack_nor_hides_the_message() {
    let nested = |inner: &str| format!("{}{inner}{}", "[".repeat(200_000), "]".repeat(200_000));
    let read = move || {
        let api = Api::new(ApiKey::new("12|abcdef").unwrap());
        let refused = |body: String| api.read(Response::builder().status(422).body(body).unwrap());

        let outcome = refused(format!(r#"{{"x":{},"message":"m"}}"#, nested("")));
        assert_eq!(outcome.message(), Some("m"));
        let outcome = refused(format!(r#"{{"message":"m","errors":{}}}"#, nested(r#""e""#)));
        assert_eq!(outcome.message(), Some("m"));
        assert!(outcome.into_result().unwrap_err().field_errors().is_empty());

        let reply = api.read(Response::new(nested(""))).into_result().unwrap();
        let error = reply.json::<serde_json::Value>().unwrap_err();
        assert_eq!(error.category(), DecodeCategory::Syntax);
    };
    thread::Builder::new().stack_size(256 * 1024).spawn(read).unwrap().join().unwrap();
}
