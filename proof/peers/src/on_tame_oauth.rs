//! tame-oauth: a form of four values for a new token, and a client that was refused, whose message it throws away.

use std::{hint::black_box, rc::Rc};

use harness::Suite;
use http::Response;
use tame_oauth::gcp::{
    TokenProvider as _,
    end_user::{EndUserCredentialsInfo, EndUserCredentialsInner},
};

use crate::KEY;

pub fn add(suite: &mut Suite) {
    let provider = Rc::new(EndUserCredentialsInner::new(EndUserCredentialsInfo {
        client_id: "0123456789abcdef".into(),
        client_secret: "s3cr3t-s3cr3t-s3cr3t".into(),
        refresh_token: KEY.into(),
        client_type: "authorized_user".into(),
    }));
    let tokens = Rc::clone(&provider);
    suite.add("post", "tame-oauth", move || {
        drop(black_box(tokens.get_token_with_subject::<&str, _, &str>(None, &[]).expect("a request")));
    });
    let body = br#"{"message":"Unauthenticated."}"#.to_vec();
    let response = Response::builder().status(401).body(body).expect("a response");
    let refused = response.clone();
    suite.add("read-401", "tame-oauth.without", move || drop(black_box(black_box(&refused).clone())));
    suite.add("read-401", "tame-oauth", move || {
        drop(black_box(provider.parse_token_response(0, black_box(&response).clone())));
    });
}
