//! rusty-s3: a URL alone, unsigned, read as a `Uri`.

use std::{hint::black_box, time::Duration};

use harness::Suite;
use http::Uri;
use jiff::Timestamp;
use rusty_s3::{Bucket, S3Action as _, UrlStyle, actions::GetObject};

pub fn add(suite: &mut Suite) {
    let endpoint = "https://s3.example.com".parse().expect("a URL");
    let bucket = Bucket::new(endpoint, UrlStyle::Path, "space", "us-east-1").expect("a bucket");
    let now = Timestamp::from_second(1_795_491_000).expect("a time");
    suite.add("get", "rusty-s3", move || {
        let action = GetObject::new(&bucket, None, black_box("spaces/current"));
        let url = action.sign_with_time(Duration::from_secs(60), &now);
        drop(black_box(url.as_str().parse::<Uri>().expect("a URI")));
    });
}
