//! Who may come in: a program of this machine, and a page that we served. A page of someone else's in a browser of this
//! machine may not, whatever its name was made to resolve to.

use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderName, Method};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) fn check(parts: &Parts, port: u16) -> Result<(), &'static str> {
    let all = |name: &HeaderName| parts.headers.get_all(name).iter().collect::<Vec<_>>();
    let ours = |authority: &str| {
        let (host, given) = authority.rsplit_once(':').unwrap_or((authority, "80"));
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| name.eq_ignore_ascii_case(host))
            && given == port.to_string()
    };
    match all(&HOST).as_slice() {
        [host] if host.to_str().is_ok_and(ours) => {}
        _ => return Err("the Host header does not name this machine: 127.0.0.1 or localhost, and the port"),
    }
    let from_here = |origin: &str| origin.strip_prefix("http://").is_some_and(ours);
    if !all(&ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(from_here)) {
        return Err("the Origin header names another site");
    }
    if !all(&FETCH_SITE).iter().all(|site| *site == "same-origin" || *site == "none") {
        return Err("the browser says that another site asks for this");
    }
    // A form of another site cannot send this type without being asked about it first.
    let is_json = |kind: &str| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json");
    if parts.method == Method::POST && !all(&CONTENT_TYPE).iter().any(|kind| kind.to_str().is_ok_and(is_json)) {
        return Err("a POST has the Content-Type application/json here");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(method: &str, headers: &[(&str, &str)]) -> bool {
        let request = http::Request::builder().method(method);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        check(&request.body(()).unwrap().into_parts().0, 8080).is_ok()
    }

    #[test]
    fn only_this_machine_by_its_own_name_comes_in() {
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[("host", "127.0.0.1:8080")], true),
            (&[("host", "LOCALHOST:8080")], true),
            (&[("host", "[::1]:8080")], true),
            (&[("host", "127.0.0.1")], false),
            (&[("host", "127.0.0.1:8081")], false),
            (&[("host", "evil.example:8080")], false),
            (&[("host", "127.0.0.1.evil.example:8080")], false),
            (&[("host", "evil@127.0.0.1:8080")], false),
            (&[("host", "127.0.0.1:8080"), ("host", "127.0.0.1:8080")], false),
            (&[], false),
            (&[("host", "localhost:8080"), ("origin", "http://localhost:8080")], true),
            (&[("host", "localhost:8080"), ("origin", "http://evil.example:8080")], false),
            (&[("host", "localhost:8080"), ("origin", "https://localhost:8080")], false),
            (&[("host", "localhost:8080"), ("origin", "null")], false),
            (&[("host", "localhost:8080"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "localhost:8080"), ("sec-fetch-site", "cross-site")], false),
        ];
        for (headers, expected) in cases {
            assert_eq!(admitted("GET", headers), *expected, "{headers:?}");
        }
        let host = ("host", "localhost:8080");
        assert!(admitted("POST", &[host, ("content-type", "application/json; charset=utf-8")]));
        assert!(!admitted("POST", &[host, ("content-type", "text/plain")]) && !admitted("POST", &[host]));
        assert!(admitted("DELETE", &[host]));
    }
}
