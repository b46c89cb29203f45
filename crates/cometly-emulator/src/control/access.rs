//! Which requests to the control pages are allowed: those of a program on this machine or with the token, and those of a page that
//! the emulator served. A page of another site is refused, also if its name was made to resolve to this machine (DNS rebinding).

use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::reply::error;
use crate::keys::random_text;
use crate::path::HOME;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const COOKIE_NAME: &str = "cometly_emulator";

/// By which names the page is reached, and whether a token is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Each an origin, without a trailing slash: `http://127.0.0.1:8080`.
    pub(crate) origins: Vec<String>,
    pub(crate) token: Option<String>,
}

/// A random token, too long to be guessed.
pub(crate) fn random_token() -> String {
    random_text(32)
}

impl Access {
    /// The refusal of a request without access, or the redirect that gives the page its cookie; `None` if it is allowed.
    pub(super) fn refusal(&self, parts: &Parts) -> Option<Response> {
        if let Err(words) = self.check(parts) {
            return Some(error(StatusCode::FORBIDDEN, words));
        }
        let token = self.token.as_ref()?;
        if given(parts).any(|given| given == token) {
            return None;
        }
        let query = parts.uri.query().unwrap_or_default();
        let in_url = query.split('&').filter_map(|pair| pair.strip_prefix("token=")).any(|given| given == token);
        if in_url && parts.method == Method::GET {
            // The token leaves the address bar, and the browser has it from now on.
            return Some(self.welcome(parts.uri.path(), token));
        }
        let message = "the token is missing that is printed at the start: open the page with ?token=…, or send the header Authorization: Bearer …";
        Some(error(StatusCode::UNAUTHORIZED, message))
    }

    fn welcome(&self, path: &str, token: &str) -> Response {
        let secure = if self.origins.iter().any(|origin| origin.starts_with("https:")) { "; Secure" } else { "" };
        let cookie = format!("{COOKIE_NAME}={token}; Path={HOME}; HttpOnly; SameSite=Strict{secure}");
        let mut answer = error(StatusCode::SEE_OTHER, "the browser has the token now");
        for (name, value) in [(LOCATION, path), (SET_COOKIE, &cookie)] {
            answer.headers_mut().extend(HeaderValue::from_str(value).map(|value| (name, value)));
        }
        answer
    }

    fn check(&self, parts: &Parts) -> Result<(), &'static str> {
        let all = |name: &HeaderName| parts.headers.get_all(name).iter().collect::<Vec<_>>();
        let is_ours = |named: &str| self.origins.iter().any(|origin| origin.eq_ignore_ascii_case(named));
        let is_our_host = |host: &str| {
            let authorities = self.origins.iter().filter_map(|origin| origin.split_once("://"));
            authorities.map(|(_, authority)| authority).any(|authority| authority.eq_ignore_ascii_case(host))
        };
        match all(&HOST).as_slice() {
            [host] if host.to_str().is_ok_and(is_our_host) => {}
            _ => return Err("the Host header names neither this machine with the port nor the public URL"),
        }
        if !all(&ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(is_ours)) {
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
}

/// The tokens that a request brings in its headers.
fn given(parts: &Parts) -> impl Iterator<Item = &str> {
    let texts = |name| parts.headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
    let bearer = texts(AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer "));
    let cookies = texts(COOKIE).flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    bearer.chain(cookies.filter(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let request = http::Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    fn admitted(method: &str, headers: &[(&str, &str)]) -> bool {
        let origins = ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "https://emulator.test"];
        let access = Access { origins: origins.map(str::to_owned).into(), token: None };
        access.refusal(&parts(method, "/", headers)).is_none()
    }

    #[test]
    fn only_by_a_name_that_was_given_does_one_come_in() {
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[("host", "127.0.0.1:8080")], true),
            (&[("host", "LOCALHOST:8080")], true),
            (&[("host", "[::1]:8080")], true),
            (&[("host", "emulator.test")], true),
            (&[("host", "emulator.test:8080")], false),
            (&[("host", "127.0.0.1")], false),
            (&[("host", "127.0.0.1:8081")], false),
            (&[("host", "evil.example:8080")], false),
            (&[("host", "127.0.0.1.evil.example:8080")], false),
            (&[("host", "evil@127.0.0.1:8080")], false),
            (&[("host", "127.0.0.1:8080"), ("host", "127.0.0.1:8080")], false),
            (&[], false),
            (&[("host", "localhost:8080"), ("origin", "http://localhost:8080")], true),
            (&[("host", "emulator.test"), ("origin", "https://emulator.test")], true),
            (&[("host", "emulator.test"), ("origin", "http://emulator.test")], false),
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

    #[test]
    fn where_a_token_is_asked_for_it_comes_in_a_header_a_cookie_or_once_in_the_url() {
        let access = Access { origins: vec!["http://h:1".into()], token: Some("secret".into()) };
        let status = |method: &str, uri: &str, header: (&str, &str)| {
            let headers = [("host", "h:1"), ("content-type", "application/json"), header];
            access.refusal(&parts(method, uri, &headers)).map_or(200, |answer| answer.status().as_u16())
        };
        for (uri, header, expected) in [
            ("/_emulator", ("x", "y"), 401),
            ("/_emulator", ("authorization", "Bearer secret"), 200),
            ("/_emulator", ("authorization", "Bearer other"), 401),
            ("/_emulator", ("cookie", "a=b; cometly_emulator=secret"), 200),
            ("/_emulator", ("cookie", "a=secret"), 401),
            ("/_emulator?token=secret", ("x", "y"), 303),
            ("/_emulator?token=other", ("x", "y"), 401),
        ] {
            assert_eq!(status("GET", uri, header), expected, "{uri} {header:?}");
        }
        assert_eq!(status("POST", "/_emulator?token=secret", ("x", "y")), 401);
        let welcome = access.refusal(&parts("GET", "/_emulator?token=secret", &[("host", "h:1")])).unwrap();
        assert_eq!(welcome.headers()["location"], "/_emulator");
        let cookie = "cometly_emulator=secret; Path=/_emulator; HttpOnly; SameSite=Strict";
        assert_eq!(welcome.headers()["set-cookie"], cookie);
    }
}
