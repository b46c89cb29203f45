//! Whatever is asked of the emulator, and of its control API, it answers in the form that it promises.
#![no_main]

use std::cell::Cell;

use arbitrary::Arbitrary;
use cometly_emulator::{
    Socketless,
    bytes::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header},
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    steps: Vec<Step<'a>>,
}

/// In texts, 1 and 2 stand for the first key, whole or its secret half.
#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Call {
        method: Verb,
        path: Path<'a>,
        query: &'a str,
        key: Who<'a>,
        json: bool,
        header: Other<'a>,
        body: &'a [u8],
    },
    Control {
        method: Verb,
        path: &'a str,
        header: Other<'a>,
        body: &'a [u8],
    },
    TooLarge(Verb, Path<'a>),
    /// Asks for the file that was announced last.
    Download {
        key: Who<'a>,
        method: Verb,
        spoils: &'a str,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Verb {
    Get,
    Post,
    Put,
    Delete,
    Head,
    Options,
}

#[derive(Arbitrary, Debug)]
enum Path<'a> {
    Events,
    Track,
    EventExports,
    Contacts,
    ContactExports,
    Companies,
    CompanyExports,
    LastExport,
    Contact(u8),
    Company(u8),
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Who<'a> {
    Full,
    NoPermission,
    Inactive,
    Nobody,
    Other(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
struct Other<'a>(Option<(Header, &'a [u8])>);

#[derive(Arbitrary, Debug)]
enum Header {
    Accept,
    ContentType,
    Host,
    Origin,
    Site,
    Cookie,
}

impl Verb {
    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
            Self::Head => Method::HEAD,
            Self::Options => Method::OPTIONS,
        }
    }
}

/// One emulator, and what its answers told.
struct World {
    emulator: Socketless,
    /// Whether the first key stood in anything but its header.
    is_planted: Cell<bool>,
    export: String,
    file: String,
}

fuzz_target!(|input: Input| {
    // Within 2026, where the seeded events are.
    let Ok(emulator) = Socketless::new(1_770_000_000_000) else { return };
    let mut world = World {
        emulator,
        is_planted: Cell::new(false),
        export: "1".into(),
        file: "/exports/events/1.ndjson.gz".into(),
    };
    for step in input.steps.iter().take(8) {
        world.take(step);
    }
    if world.is_planted.get() {
        world.hides_its_keys();
    }
});

impl World {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Call { method, path, query, key, json, header, body } => {
                let path = self.path(path);
                let target = if query.is_empty() { path } else { format!("{path}?{}", self.planted_text(query)) };
                let mut headers = HeaderMap::from_iter(self.key(key).map(|key| (header::AUTHORIZATION, key)));
                if *json {
                    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
                    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                }
                self.add(&mut headers, header);
                let body = self.planted(body);
                if let Some((answer, struck)) = self.ask(&method.method(), &target, &headers, Some(body)) {
                    check(&answer, struck, method.method() == Method::HEAD);
                    self.learn(&answer);
                    self.follow(&answer, &target, &headers);
                }
            }
            Step::Control { method, path, header, body } => {
                let path = format!("/_emulator{path}");
                let mut headers = control();
                self.add(&mut headers, header);
                let body = self.planted(body);
                let Some((answer, _)) = self.ask(&method.method(), &path, &headers, Some(body)) else { return };
                check(&answer, false, false);
                if path.trim_end_matches('/') == "/_emulator/faults" && answer.status() == 201 {
                    self.fault_reads_back(&answer);
                }
            }
            Step::TooLarge(method, path) => {
                let path = self.path(path);
                let headers = HeaderMap::from_iter(self.key(&Who::Full).map(|key| (header::AUTHORIZATION, key)));
                if let Some((answer, struck)) = self.ask(&method.method(), &path, &headers, None) {
                    check(&answer, struck, false);
                }
            }
            Step::Download { key, method, spoils } => {
                let headers = HeaderMap::from_iter(self.key(key).map(|key| (header::AUTHORIZATION, key)));
                let Some(request) = request(&method.method(), &format!("{}{spoils}", self.file), &headers) else {
                    return;
                };
                let answer = self.emulator.answer_file(request.map(|()| Some(Bytes::new())));
                assert!(matches!(answer.status().as_u16(), 200 | 400 | 403 | 404 | 405), "{answer:?}");
                assert!(answer.status() != 200 || (headers.is_empty() && answer.body().starts_with(b"\x1f\x8b")));
            }
        }
    }

    fn ask(
        &self,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        body: Option<Bytes>,
    ) -> Option<(Response<Bytes>, bool)> {
        Some(self.emulator.answer(request(method, target, headers)?.map(|()| body)))
    }

    fn path(&self, path: &Path) -> String {
        let path = match path {
            Path::Events => "/events".to_owned(),
            Path::Track => "/events/track".to_owned(),
            Path::EventExports => "/events/exports".to_owned(),
            Path::Contacts => "/contacts".to_owned(),
            Path::ContactExports => "/contacts/exports".to_owned(),
            Path::Companies => "/companies".to_owned(),
            Path::CompanyExports => "/companies/exports".to_owned(),
            Path::LastExport => self.export.clone(),
            Path::Contact(id) => format!("/contacts/{id}"),
            Path::Company(id) => format!("/companies/{id}"),
            Path::Other(path) => return self.planted_text(path),
        };
        format!("/public-api/v1{path}")
    }

    fn key(&self, who: &Who) -> Option<HeaderValue> {
        let keys = self.emulator.keys();
        let key = match who {
            Who::Full => &keys.full,
            Who::NoPermission => &keys.no_permission,
            Who::Inactive => &keys.inactive,
            Who::Nobody => return None,
            Who::Other(text) => return HeaderValue::from_bytes(&self.planted(text)).ok(),
        };
        HeaderValue::try_from(format!("Bearer {key}")).ok()
    }

    fn add(&self, headers: &mut HeaderMap, other: &Other) {
        let Some((name, value)) = &other.0 else { return };
        let name = match name {
            Header::Accept => header::ACCEPT,
            Header::ContentType => header::CONTENT_TYPE,
            Header::Host => header::HOST,
            Header::Origin => header::ORIGIN,
            Header::Site => HeaderName::from_static("sec-fetch-site"),
            Header::Cookie => header::COOKIE,
        };
        headers.extend(HeaderValue::from_bytes(&self.planted(value)).map(|value| (name, value)));
    }

    fn planted(&self, script: &[u8]) -> Bytes {
        let key = &self.emulator.keys().full;
        let secret = key.split_once('|').map_or("", |(_, secret)| secret);
        let mut text = Vec::with_capacity(script.len());
        self.is_planted.set(self.is_planted.get() || script.contains(&1) || script.contains(&2));
        for byte in script {
            match byte {
                1 => text.extend_from_slice(key.as_bytes()),
                2 => text.extend_from_slice(secret.as_bytes()),
                byte => text.push(*byte),
            }
        }
        text.into()
    }

    fn planted_text(&self, script: &str) -> String {
        String::from_utf8_lossy(&self.planted(script.as_bytes())).into_owned()
    }

    /// Where an export is, and where its file.
    fn learn(&mut self, answer: &Response<Bytes>) {
        let Ok(body) = serde_json::from_slice::<Value>(answer.body()) else { return };
        let data = body.get("data").unwrap_or(&body);
        if let (Some(id), Some(kind)) = (data["export_id"].as_str().or(data["id"].as_str()), data["type"].as_str()) {
            self.export = format!("/{kind}/exports/{id}");
        }
        let mut values = data.as_object().into_iter().flat_map(|data| data.values());
        if let Some(url) = values.find_map(|value| value.as_str()?.strip_prefix(Socketless::FILES)) {
            url.clone_into(&mut self.file);
        }
    }

    /// The next page goes on where this one ends.
    fn follow(&self, answer: &Response<Bytes>, target: &str, headers: &HeaderMap) {
        let Ok(body) = serde_json::from_slice::<Value>(answer.body()) else { return };
        let Some(next) = body.get("next_cursor").and_then(Value::as_str) else { return };
        let Some((next, struck)) =
            self.ask(&Method::GET, &format!("{target}&cursor={next}"), headers, Some(Bytes::new()))
        else {
            return;
        };
        check(&next, struck, false);
        // The query was in the target, unless a body or another `cursor` had a say.
        if next.status() == 200 && !struck && !target.contains("cursor") {
            let next: Value = serde_json::from_slice(next.body()).unwrap_or_default();
            let ids = |page: &Value| -> Vec<u64> {
                page["data"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_u64()).collect()
            };
            let (before, after) = (ids(&body), ids(&next));
            assert!(before.iter().zip(before.iter().skip(1)).all(|(one, other)| one < other));
            assert!(after.iter().all(|id| before.iter().all(|before| id > before)), "{before:?} {after:?}");
        }
    }

    /// What the control API says of a fault makes the same fault.
    fn fault_reads_back(&self, answer: &Response<Bytes>) {
        let told = |answer: &Response<Bytes>| {
            let mut fault: Value = serde_json::from_slice(answer.body()).unwrap();
            let own = fault.as_object_mut().unwrap();
            (own.remove("id"), own.remove("struck"));
            fault
        };
        let fault = told(answer);
        let body = Some(fault.to_string().into());
        let (again, _) = self.ask(&Method::POST, "/_emulator/faults", &control(), body).unwrap();
        assert_eq!((again.status().as_u16(), told(&again)), (201, fault));
    }

    /// No valid key can be seen from outside.
    fn hides_its_keys(&self) {
        let key = &self.emulator.keys().full;
        let (id, secret) = key.split_once('|').unwrap();
        let see = |path: &str| {
            let (answer, _) = self.ask(&Method::GET, path, &control(), Some(Bytes::new())).unwrap();
            check(&answer, false, false);
            String::from_utf8(answer.into_body().to_vec()).unwrap()
        };
        let keys: Value = serde_json::from_str(&see("/_emulator/keys")).unwrap();
        if keys["keys"].as_array().unwrap().iter().all(|key| key["id"] != json!(id)) {
            // It was revoked.
            return;
        }
        let seen = see("/_emulator/calls");
        assert!(!seen.contains(secret), "{seen}");
    }
}

fn control() -> HeaderMap {
    HeaderMap::from_iter([
        (header::HOST, HeaderValue::try_from(format!("127.0.0.1:{}", Socketless::PORT)).unwrap()),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
    ])
}

fn request(method: &Method, target: &str, headers: &HeaderMap) -> Option<Request<()>> {
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    *request.uri_mut() = target.parse::<Uri>().ok().filter(|uri| uri.authority().is_none())?;
    *request.headers_mut() = headers.clone();
    Some(request)
}

/// What holds for every answer.
fn check(answer: &Response<Bytes>, struck: bool, is_head: bool) {
    let status = answer.status().as_u16();
    assert!(status < 500 || struck, "{answer:?}");
    let number = |name: &str| Some(answer.headers().get(name)?.to_str().unwrap().parse::<u64>().unwrap());
    assert!(number("x-ratelimit-remaining") <= number("x-ratelimit-limit"));
    assert!(struck || (status == 429) == number("retry-after").is_some());
    if is_head || struck || answer.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
        return;
    }
    let body: Value = serde_json::from_slice(answer.body()).expect("an answer in JSON is JSON");
    if status >= 400 {
        assert!(body["message"].is_string(), "{body}");
    }
    if status == 422
        && let Some(errors) = body.get("errors")
    {
        let lists: Vec<_> = errors.as_object().unwrap().values().map(|list| list.as_array().unwrap()).collect();
        assert!(!lists.is_empty() && lists.iter().all(|list| !list.is_empty() && list.iter().all(Value::is_string)));
        assert!(body["message"].as_str().unwrap().starts_with(lists[0][0].as_str().unwrap()), "{body}");
    }
    if let Some(per_page) = body.get("per_page") {
        let most = per_page.as_u64().unwrap();
        assert!((1..=4000).contains(&most) && body["data"].as_array().unwrap().len() as u64 <= most);
    }
}
