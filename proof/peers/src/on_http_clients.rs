//! The builders of the HTTP clients themselves, with the three headers that Cometly requires.

use std::hint::black_box;

use harness::Suite;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use crate::{BASE, KEY, event};

const JSON: &str = "application/json";

pub fn add(suite: &mut Suite) {
    add_reqwest(suite);
    add_ureq(suite);
}

fn add_reqwest(suite: &mut Suite) {
    let client = reqwest::Client::new();
    let http = client.clone();
    suite.add("get", "reqwest", move || {
        let request = http.get(format!("{}/spaces/current", black_box(BASE))).bearer_auth(black_box(KEY));
        drop(black_box(request.header(ACCEPT, JSON).header(CONTENT_TYPE, JSON).build().expect("a request")));
    });
    let http = client.clone();
    suite.add("get-values", "reqwest", move || {
        let request = http.get(format!("{}/spaces/{}/events", black_box(BASE), black_box(4_815_162_342_u64)));
        let request = request.query(&[("page", "7"), ("per_page", "100"), ("from", black_box("2026-11-01"))]);
        let request = request.bearer_auth(black_box(KEY)).header(ACCEPT, JSON).header(CONTENT_TYPE, JSON);
        drop(black_box(request.build().expect("a request")));
    });
    suite.add("post", "reqwest", move || {
        let request = client.post(format!("{}/spaces/current", black_box(BASE))).bearer_auth(black_box(KEY));
        drop(black_box(request.header(ACCEPT, JSON).json(&event()).build().expect("a request")));
    });
}

fn add_ureq(suite: &mut Suite) {
    let agent = ureq::Agent::new_with_defaults();
    let http = agent.clone();
    suite.add("get", "ureq", move || {
        let request = http.get(format!("{}/spaces/current", black_box(BASE)));
        let request = request.header("Authorization", format!("Bearer {}", black_box(KEY)));
        drop(black_box(request.header("Accept", JSON).header("Content-Type", JSON)));
    });
    suite.add("get-values", "ureq", move || {
        let request = agent.get(format!("{}/spaces/{}/events", black_box(BASE), black_box(4_815_162_342_u64)));
        let request = request.query("page", "7").query("per_page", "100").query("from", black_box("2026-11-01"));
        let request = request.header("Authorization", format!("Bearer {}", black_box(KEY)));
        drop(black_box(request.header("Accept", JSON).header("Content-Type", JSON)));
    });
}
