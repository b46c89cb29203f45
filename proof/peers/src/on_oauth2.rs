//! oauth2: a form of three values for a new token, and a client that was refused.

use std::{fmt, hint::black_box};

use harness::Suite;
use http::Response;
use oauth2::{ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken, TokenUrl, basic::BasicClient};

use crate::KEY;

pub fn add(suite: &mut Suite) {
    let client = BasicClient::new(ClientId::new("0123456789abcdef".into()))
        .set_client_secret(ClientSecret::new("s3cr3t-s3cr3t-s3cr3t".into()))
        .set_token_uri(TokenUrl::new("https://app.cometly.com/oauth/token".into()).expect("a URL"));
    let token = RefreshToken::new(KEY.into());
    let unsent = |request: HttpRequest| {
        drop(black_box(request));
        Err::<HttpResponse, _>(fmt::Error)
    };
    for (job, who) in [("post", "oauth2"), ("read-401", "oauth2.without")] {
        let (client, token) = (client.clone(), token.clone());
        suite.add(job, who, move || {
            drop(black_box(client.exchange_refresh_token(black_box(&token)).request(&unsent)));
        });
    }
    let body = br#"{"error":"invalid_client","error_description":"Unauthenticated."}"#;
    let response = Response::builder().status(401).header("content-type", "application/json").body(body.to_vec());
    let response = response.expect("a response");
    suite.add("read-401", "oauth2", move || {
        let refuse = |request: HttpRequest| {
            drop(black_box(request));
            Ok::<_, fmt::Error>(response.clone())
        };
        drop(black_box(client.exchange_refresh_token(black_box(&token)).request(&refuse)));
    });
}
