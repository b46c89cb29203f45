//! twitch_api: a GET with one query value, a POST of about as much JSON, and a key that was refused.

use std::hint::black_box;

use bytes::Bytes;
use harness::Suite;
use http::{Response, Uri};
use twitch_api::{
    helix::{
        RequestGet as _, RequestPost as _,
        chat::send_chat_message::{SendChatMessageBody, SendChatMessageRequest},
        users::get_users::GetUsersRequest,
    },
    types::UserIdRef,
};

use crate::KEY;

const TEXT: &str = "Hello, world! twitchdevHype, this makes about the same body size as our event, 142 B";

pub fn add(suite: &mut Suite) {
    suite.add("get-values", "twitch_api", || {
        let ids: &[&UserIdRef] = &["4815162342".into()];
        let mut request = GetUsersRequest::new();
        request.id = ids.into();
        drop(black_box(request.create_request(black_box(KEY), black_box("clientid")).expect("a request")));
    });
    suite.add("post", "twitch_api", || {
        let body = SendChatMessageBody::new("12826", "141981764", black_box(TEXT));
        let request = SendChatMessageRequest::new();
        drop(black_box(request.create_request(body, black_box(KEY), black_box("clientid")).expect("a request")));
    });
    let uri = Uri::from_static("https://api.twitch.tv/helix/users?id=1");
    let body = r#"{"error":"Unauthorized","status":401,"message":"Invalid OAuth token"}"#;
    let response = Response::builder().status(401).body(Bytes::from_static(body.as_bytes())).expect("a response");
    let refused = response.clone();
    suite.add("read-401", "twitch_api.without", move || drop(black_box(black_box(&refused).clone())));
    suite.add("read-401", "twitch_api", move || {
        drop(black_box(GetUsersRequest::parse_response(None, &uri, black_box(&response).clone())));
    });
}
