//! What a base URL and a call's path and query mean, against how the `url` crate reads them.
#![no_main]

use std::net::{Ipv4Addr, Ipv6Addr};

use arbitrary::Arbitrary;
use cometly_core::{Api, ApiKey, BaseUrl, Call, InvalidBaseUrl, RequestError};
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// Which of the readers of [`READERS`].
    reader: u8,
    base: &'a str,
    template: &'a str,
    values: Vec<Value<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Value<'a> {
    Segment(&'a str, u8),
    Query(&'a str, &'a str, u8),
}

type Reader = fn(&str) -> Result<BaseUrl, InvalidBaseUrl>;

const READERS: [Reader; 3] = [BaseUrl::new, BaseUrl::insecure_http, BaseUrl::from_untrusted];

fuzz_target!(|input: Input| {
    let read = READERS[usize::from(input.reader) % READERS.len()];
    let accepted = READERS.iter().find_map(|read| read(input.base).ok());
    match (accepted, Url::parse(input.base)) {
        (None, _) => {}
        (Some(base), Ok(url)) => check_base(input.base, &base, &url),
        // Names beyond ASCII are not ours to decode.
        (Some(base), Err(_)) => {
            assert!(base.authority().host().split('.').any(|label| label.starts_with("xn--")), "{base}");
        }
    }
    let Ok(base) = read(input.base) else { return check_call(BaseUrl::default(), &input) };
    assert_eq!(read(&base.to_string()).as_ref(), Ok(&base), "it reads back as the same");
    check_call(base, &input);
});

/// What all readers that accept it read, and which of them may.
fn check_base(text: &str, base: &BaseUrl, url: &Url) {
    assert_eq!((url.username(), url.password(), url.query(), url.fragment()), ("", None, None, None));
    assert_eq!(base.scheme().as_str(), url.scheme());
    let default = if url.scheme() == "https" { 443 } else { 80 };
    assert_eq!(base.authority().port_u16().unwrap_or(default), url.port_or_known_default().unwrap());
    assert_eq!(base.path(), url.path().trim_end_matches('/'));
    let host = base.authority().host();
    let (is_loopback, is_cometly) = match url.host().unwrap() {
        Host::Domain(name) => {
            assert_eq!(host, name);
            (name == "localhost", name == "cometly.com" || name.ends_with(".cometly.com"))
        }
        Host::Ipv4(address) => {
            assert_eq!(host.parse::<Ipv4Addr>(), Ok(address));
            (address.is_loopback(), false)
        }
        Host::Ipv6(address) => {
            assert_eq!(host.trim_matches(['[', ']']).parse::<Ipv6Addr>(), Ok(address));
            (address.is_loopback(), false)
        }
    };
    let is_https = url.scheme() == "https";
    let accepted_by = READERS.map(|read| match read(text) {
        Ok(other) => {
            assert_eq!(other, *base);
            true
        }
        Err(error) => {
            use InvalidBaseUrl as E;
            assert!(matches!(error, E::InsecureHttp | E::ForeignHost), "{error}");
            false
        }
    });
    let expected = [is_https || is_loopback, is_https || !is_cometly, is_loopback || (is_https && is_cometly)];
    assert_eq!(accepted_by, expected, "{base}");
}

fn check_call(base: BaseUrl, input: &Input) {
    let origin = Url::parse(&base.to_string()).ok();
    let before = base.path().to_owned();
    let api = Api::builder(ApiKey::new("k").unwrap()).base_url(base).build();
    let mut call = api.get(input.template.to_owned());
    let (mut segments, mut query) = (Vec::new(), Vec::new());
    for value in &input.values {
        match *value {
            Value::Segment(text, times) => {
                let text = text.repeat(times.max(1).into());
                call = call.segment(&text);
                segments.push(text);
            }
            Value::Query(name, text, times) => {
                let text = text.repeat(times.max(1).into());
                call = call.query(name, &text);
                query.push((name.to_owned(), text));
            }
        }
    }
    let made = call.to_request();
    if let Some(wrong) = template_error(input.template, &before) {
        assert_eq!(made.unwrap_err(), wrong);
        return;
    }
    let expected = path(input.template, &segments);
    let target_len = |path: &[String]| {
        let path: usize = path.iter().map(|segment| 1 + encoded_len(segment)).sum();
        let query: usize = query.iter().map(|(name, value)| 2 + encoded_len(name) + encoded_len(value)).sum();
        before.len() + path + query
    };
    let Some(expected) = expected.filter(|path| target_len(path) <= Call::MAX_TARGET_LEN) else {
        let error = made.expect_err("what cannot be sent as meant was built");
        use RequestError as E;
        assert!(matches!(error, E::Path | E::Segment | E::MissingSegment | E::SurplusSegment | E::TooLong));
        return;
    };
    let uri = made.expect("what is plain was refused").uri().to_string();
    let Some(origin) = origin else { return };
    let url = Url::parse(&uri).unwrap();
    assert_eq!(url.origin(), origin.origin());
    assert_eq!(
        url.as_str(),
        uri.replacen(api.base_url().authority().as_str(), authority(&url), 1),
        "nothing is normalised"
    );
    let path = url.path().strip_prefix(&before).unwrap().strip_prefix('/').unwrap();
    assert_eq!(path.split('/').map(decode).collect::<Vec<_>>(), expected);
    let pairs: Vec<_> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    assert_eq!(pairs, query);
}

/// What is known to be wrong with a template before its segments are looked at.
fn template_error(template: &str, base_path: &str) -> Option<RequestError> {
    let (path, has_query) = template.split_once('?').map_or((template, false), |(path, _)| (path, true));
    if path.starts_with("//") || path.contains("://") {
        return Some(RequestError::PathIsUrl);
    }
    if has_query {
        return Some(RequestError::PathHasQuery);
    }
    let repeats = base_path.ends_with("/public-api/v1") && template.contains("public-api/v1");
    repeats.then_some(RequestError::PathHasBase)
}

/// Host and port as `url` writes them: without a port that goes without saying, and with its own spelling of addresses.
fn authority(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

/// Whether a path value is or holds a dot segment, between slashes of either kind.
fn names_another(value: &str) -> bool {
    value.split(['/', '\\']).any(|part| [".", ".."].contains(&part))
}

/// The segments of the path, if the template is plain and each value has its place.
fn path(template: &str, values: &[String]) -> Option<Vec<String>> {
    let mut values = values.iter();
    let is_plain = |segment: &str| {
        let plain = |char: char| char.is_ascii_alphanumeric() || "-._~".contains(char);
        !["", ".", ".."].contains(&segment) && segment.chars().all(plain)
    };
    let template = template.strip_prefix('/').unwrap_or(template);
    let mut path = Vec::new();
    for segment in template.split('/') {
        let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        if !is_plain(name.unwrap_or(segment)) {
            return None;
        }
        path.push(match name {
            None => segment.to_owned(),
            Some(_) => values.next().filter(|value| !value.is_empty() && !names_another(value))?.clone(),
        });
    }
    values.next().is_none().then_some(path)
}

fn encoded_len(text: &str) -> usize {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if is_plain(byte) { 1 } else { 3 }).sum()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
                (digit(*high) * 16 + digit(*low), after)
            }
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).unwrap()
}
