//! octocrab's `build_request`, without an `Authorization`. A service that answers nothing lets the client exist.

use std::{hint::black_box, io};

use harness::Suite;
use http::{Method, Request, Response, request::Builder};
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};

use crate::{BASE, event};

pub fn add(suite: &mut Suite) {
    let service = tower::service_fn(|_: Request<OctoBody>| async {
        Err::<Response<OctoBody>, io::Error>(io::Error::other("there is no network"))
    });
    let client = OctocrabBuilder::new_empty()
        .with_service(service)
        .with_auth(AuthState::None)
        .with_executor(Box::new(|_| {}))
        .build()
        .expect("a client");
    // It lives as long as the program.
    let client: &'static Octocrab = Box::leak(Box::new(client));
    suite.add("get", "octocrab", move || {
        let request = Builder::new().method(Method::GET).uri(format!("{}/spaces/current", black_box(BASE)));
        drop(black_box(client.build_request(request, None::<&()>).expect("a request")));
    });
    suite.add("post", "octocrab", move || {
        let request = Builder::new().method(Method::POST).uri(format!("{}/spaces/current", black_box(BASE)));
        drop(black_box(client.build_request(request, Some(&event())).expect("a request")));
    });
}
