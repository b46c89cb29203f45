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
    /// Reads a list page by page.
    Pages {
        list: List,
        steps: u8,
        per_page: u8,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum List {
    Events,
    Contacts,
    Companies,
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
    NoKey,
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
    /// The path of the export that was ordered last.
    export: String,
    /// Path and query of its file.
    file: String,
}

#[derive(Debug)]
struct Page {
    ids: Vec<u64>,
    next: Option<String>,
    prev: Option<String>,
}

fuzz_target!(|input: Input| {
    // Within 2026, where the seeded events are.
    let Ok(emulator) = Socketless::new(1_770_000_000_000) else { return };
    let mut world = World {
        emulator,
        is_planted: Cell::new(false),
        export: "/public-api/v1/events/exports/1".into(),
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
                let query = self.planted_text(query);
                let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
                let mut headers = self.opened_by(key);
                if *json {
                    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
                    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                }
                self.add(&mut headers, header);
                let body = self.planted(body);
                if let Some((answer, struck)) = self.ask(&method.method(), &target, &headers, Some(body)) {
                    check(&answer, struck, method.method() == Method::HEAD);
                    self.learn(&path, &answer);
                }
            }
            Step::Control { method, path, header, body } => {
                let path = format!("/_emulator{path}");
                let mut headers = control();
                self.add(&mut headers, header);
                let body = self.planted(body);
                let Some((answer, _)) = self.ask(&method.method(), &path, &headers, Some(body)) else { return };
                // axum answers HEAD as GET, without the body.
                check(&answer, false, method.method() == Method::HEAD);
                if path.trim_end_matches('/') == "/_emulator/faults" && answer.status() == 201 {
                    self.fault_reads_back(&answer);
                }
            }
            Step::TooLarge(method, path) => {
                let path = self.path(path);
                if let Some((answer, struck)) = self.ask(&method.method(), &path, &self.opened_by(&Who::Full), None) {
                    check(&answer, struck, false);
                }
            }
            Step::Download { key, method, spoils } => {
                let headers = self.opened_by(key);
                let Some(request) = request(&method.method(), &format!("{}{spoils}", self.file), &headers) else {
                    return;
                };
                let answer = self.emulator.answer_file(request.map(|()| Some(Bytes::new())));
                assert!(matches!(answer.status().as_u16(), 200 | 400 | 403 | 404 | 405), "{answer:?}");
                assert!(answer.status() != 200 || (headers.is_empty() && answer.body().starts_with(b"\x1f\x8b")));
            }
            Step::Pages { list, steps, per_page } => self.turns_pages(*list, *steps, 1 + per_page % 8),
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
            Path::LastExport => return self.export.clone(),
            Path::Contact(id) => format!("/contacts/{id}"),
            Path::Company(id) => format!("/companies/{id}"),
            Path::Other(path) => return self.planted_text(path),
        };
        format!("/public-api/v1{path}")
    }

    /// The header that brings a key.
    fn opened_by(&self, who: &Who) -> HeaderMap {
        let keys = self.emulator.keys();
        let bearer = |key: &str| HeaderValue::try_from(format!("Bearer {key}")).ok();
        let value = match who {
            Who::Full => bearer(&keys.full),
            Who::NoPermission => bearer(&keys.no_permission),
            Who::Inactive => bearer(&keys.inactive),
            Who::NoKey => None,
            Who::Other(text) => HeaderValue::from_bytes(&self.planted(text)).ok(),
        };
        HeaderMap::from_iter(value.map(|value| (header::AUTHORIZATION, value)))
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
    fn learn(&mut self, path: &str, answer: &Response<Bytes>) {
        let Ok(body) = serde_json::from_slice::<Value>(answer.body()) else { return };
        if let (202, Some(id)) = (answer.status().as_u16(), body["export_id"].as_str()) {
            self.export = format!("{path}/{id}");
        }
        if let Some(url) = body["download_url"].as_str().and_then(|url| url.strip_prefix(Socketless::FILES)) {
            url.clone_into(&mut self.file);
        }
    }

    /// Page by page, a list is what it is on one page, and the page before the second is the first.
    fn turns_pages(&self, list: List, steps: u8, per_page: u8) {
        // Seeded are 40 events, 20 contacts and 20 companies, spread over 30 days from the year's first moment on.
        let path = self.path(&match list {
            List::Events => Path::Events,
            List::Contacts => Path::Contacts,
            List::Companies => Path::Companies,
        });
        let end = format!("2026-01-{:02}+23:59:59", 1 + steps % 31);
        let target = format!("{path}?start_date=2026-01-01+00:00:00&end_date={end}");
        let Some(whole) = self.page(&format!("{target}&per_page=1000")) else { return };
        assert!(whole.next.is_none() && whole.prev.is_none(), "{whole:?}");
        assert!(whole.ids.is_sorted_by(|one, other| one < other), "{whole:?}");
        let target = format!("{target}&per_page={per_page}");
        let (mut rest, mut pages) = (whole.ids.as_slice(), Vec::<Page>::new());
        while pages.len() < 3 {
            let cursor = pages.last().map(|page| format!("&cursor={}", page.next.as_deref().unwrap_or_default()));
            // There may be no more calls left.
            let Some(page) = self.page(&format!("{target}{}", cursor.unwrap_or_default())) else { return };
            let (here, behind) = rest.split_at(rest.len().min(per_page.into()));
            assert_eq!((page.ids.as_slice(), page.next.is_some()), (here, !behind.is_empty()), "{pages:?} {page:?}");
            assert_eq!(page.prev.is_some(), !pages.is_empty(), "{page:?}");
            if let ([first], Some(prev)) = (pages.as_slice(), &page.prev) {
                let Some(before) = self.page(&format!("{target}&cursor={prev}")) else { return };
                assert_eq!((&before.ids, &before.next, before.prev), (&first.ids, &first.next, None));
            }
            if behind.is_empty() {
                return;
            }
            rest = behind;
            pages.push(page);
        }
    }

    /// A page of a list, unless it is refused or a fault has its way.
    fn page(&self, target: &str) -> Option<Page> {
        let (answer, struck) = self.ask(&Method::GET, target, &self.opened_by(&Who::Full), Some(Bytes::new()))?;
        check(&answer, struck, false);
        if answer.status() != 200 || struck {
            return None;
        }
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        let cursor = |name: &str| body[name].as_str().map(str::to_owned);
        let ids = body["data"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect();
        Some(Page { ids, next: cursor("next_cursor"), prev: cursor("prev_cursor") })
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
    // A stub has the headers that it was given.
    assert!(struck || number("x-ratelimit-remaining") <= number("x-ratelimit-limit"));
    assert!(struck || (status == 429) == number("retry-after").is_some());
    if is_head || struck || answer.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
        return;
    }
    let body: Value = serde_json::from_slice(answer.body())
        .unwrap_or_else(|error| panic!("an answer in JSON is JSON: {error}: {answer:?}"));
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
        // 4,000 for events, 5,000 for the others.
        assert!((1..=5000).contains(&most) && body["data"].as_array().unwrap().len() as u64 <= most);
    }
}
