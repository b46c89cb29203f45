//! Where the API is.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use http::uri::{Authority, Scheme};

/// The address under which all calls are made, for [`ApiBuilder::base_url`](crate::ApiBuilder::base_url); by default
/// `https://app.cometly.com/public-api/v1`. The path of the API, `/public-api/v1`, belongs to it: without it, calls go to other
/// pages of that host, and the key with them.
///
/// The key is sent to the host named here, so the URL is read strictly, and any other is [`InvalidBaseUrl`]: `https` only
/// (`http` for loopback hosts, and for others by [`insecure_http`](BaseUrl::insecure_http)), no userinfo, query or fragment, a
/// plain host name or address, a port from 1 to 65535 or none, a path whose segments are letters, digits, `-`, `.`, `_` and
/// `~`, and at most [`MAX_LEN`](BaseUrl::MAX_LEN), 2048 bytes. One slash at the end is dropped; two are an error.
///
/// | the URL comes from | read it with | hosts |
/// | --- | --- | --- |
/// | the program's own code, or a person who typed it for this call | [`new`](BaseUrl::new), [`FromStr`] | any, over `https`; loopback |
/// | the environment, a `.env` file | [`from_untrusted`](BaseUrl::from_untrusted) | `cometly.com` and its subdomains over `https`; loopback |
/// | the program's own code, for a closed network without TLS | [`insecure_http`](BaseUrl::insecure_http) | any over `https`; over `http` any but `cometly.com` and its subdomains |
///
/// ```
/// # use cometly_core::BaseUrl;
/// let test: BaseUrl = "http://127.0.0.1:8080/public-api/v1".parse()?;
/// assert_eq!(BaseUrl::default().to_string(), "https://app.cometly.com/public-api/v1");
/// assert!("https://app.cometly.com@evil.example/".parse::<BaseUrl>().is_err());
/// # Ok::<(), cometly_core::InvalidBaseUrl>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    /// Empty, or begins with a slash and does not end with one.
    path: Box<str>,
}

impl BaseUrl {
    /// The longest URL that is accepted: 2048 bytes. A longer text is [`InvalidBaseUrl::TooLong`].
    pub const MAX_LEN: usize = 2048;

    pub(crate) const DEFAULT_PATH: &'static str = "/public-api/v1";

    /// Reads a base URL: `https` to any host, or `http` to `localhost`, 127.0.0.0/8 or `[::1]`. The rest of its form is at
    /// [`BaseUrl`]. The same as [`FromStr`].
    ///
    /// # Errors
    /// [`InvalidBaseUrl`] for a text of another form: it says what is wrong and what was expected;
    /// [`InvalidBaseUrl::InsecureHttp`] for `http` to any other host.
    pub fn new(url: &str) -> Result<Self, InvalidBaseUrl> {
        let base = Self::read(url)?;
        if base.scheme == Scheme::HTTP && !base.is_loopback() {
            return Err(InvalidBaseUrl::InsecureHttp);
        }
        Ok(base)
    }

    /// Reads a base URL from a source that others may write to, such as the environment: `https` to `cometly.com` or a
    /// subdomain, or loopback. A stray `.env` file then cannot send the key to another host.
    /// [`Api::from_env`](crate::Api::from_env) uses it.
    ///
    /// ```
    /// # use cometly_core::{BaseUrl, InvalidBaseUrl};
    /// assert!(BaseUrl::from_untrusted("https://eu.cometly.com/public-api/v1").is_ok());
    /// assert!(BaseUrl::from_untrusted("http://127.0.0.1:8080").is_ok());
    /// assert_eq!(BaseUrl::from_untrusted("https://cometly.com.example"), Err(InvalidBaseUrl::ForeignHost));
    /// ```
    ///
    /// # Errors
    /// As [`BaseUrl::new`], for a text that is no base URL; [`InvalidBaseUrl::ForeignHost`] for any host but `cometly.com`, its
    /// subdomains and loopback; [`InvalidBaseUrl::InsecureHttp`] for `http` to `cometly.com` or a subdomain.
    pub fn from_untrusted(url: &str) -> Result<Self, InvalidBaseUrl> {
        let base = Self::read(url)?;
        if base.is_loopback() {
            return Ok(base);
        }
        if !base.is_cometly() {
            return Err(InvalidBaseUrl::ForeignHost);
        }
        if base.scheme == Scheme::HTTP { Err(InvalidBaseUrl::InsecureHttp) } else { Ok(base) }
    }

    /// Reads a base URL and accepts plain `http` to any host except `cometly.com` and its subdomains, for instance inside a
    /// closed test network. Every machine on the way can then read the key. `https` is accepted as by [`new`](BaseUrl::new).
    ///
    /// ```
    /// # use cometly_core::{BaseUrl, InvalidBaseUrl};
    /// assert!(BaseUrl::insecure_http("http://emulator.internal:8080/public-api/v1").is_ok());
    /// assert_eq!(BaseUrl::insecure_http("http://app.cometly.com"), Err(InvalidBaseUrl::InsecureHttp));
    /// ```
    ///
    /// # Errors
    /// As [`BaseUrl::new`], for a text that is no base URL; [`InvalidBaseUrl::InsecureHttp`] for `http` to `cometly.com` or a
    /// subdomain of it.
    pub fn insecure_http(url: &str) -> Result<Self, InvalidBaseUrl> {
        let base = Self::read(url)?;
        if base.scheme == Scheme::HTTP && base.is_cometly() {
            return Err(InvalidBaseUrl::InsecureHttp);
        }
        Ok(base)
    }

    fn read(url: &str) -> Result<Self, InvalidBaseUrl> {
        if url.is_empty() {
            return Err(InvalidBaseUrl::Empty);
        }
        if url.len() > Self::MAX_LEN {
            return Err(InvalidBaseUrl::TooLong { length: url.len() });
        }
        if let Some(position) = url.bytes().position(|byte| !byte.is_ascii_graphic() || byte == b'\\') {
            return Err(InvalidBaseUrl::Character { position });
        }
        let (scheme, rest) = url.split_once(':').ok_or(InvalidBaseUrl::Scheme)?;
        let rest = rest.strip_prefix("//").ok_or(InvalidBaseUrl::Scheme)?;
        let scheme = match scheme {
            s if s.eq_ignore_ascii_case("https") => Scheme::HTTPS,
            s if s.eq_ignore_ascii_case("http") => Scheme::HTTP,
            _ => return Err(InvalidBaseUrl::Scheme),
        };
        if rest.contains('#') {
            return Err(InvalidBaseUrl::Fragment);
        }
        if rest.contains('?') {
            return Err(InvalidBaseUrl::Query);
        }
        let (authority, path) = rest.find('/').and_then(|slash| rest.split_at_checked(slash)).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(InvalidBaseUrl::UserInfo);
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        if !path.split('/').skip(1).all(is_plain_segment) {
            return Err(InvalidBaseUrl::Path);
        }
        Ok(Self { authority: read_authority(authority)?, scheme, path: path.into() })
    }

    /// The scheme: `https`; or `http`, for loopback and after [`insecure_http`](Self::insecure_http).
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The host in lower case and, if the URL names one, the port: `app.cometly.com`, `127.0.0.1:8080`.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The path that comes before the path of each call: empty, or such as `/public-api/v1`, with a slash at its beginning and
    /// none at its end.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether a request to `uri` would go to the same origin
    /// ([RFC 9110 §4.3.1](https://www.rfc-editor.org/rfc/rfc9110#section-4.3.1)): scheme, host and port.
    pub(crate) fn is_origin_of(&self, uri: &http::Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return false;
        };
        // `read_authority` refuses userinfo and ports that clients would read differently.
        read_authority(authority.as_str()).is_ok_and(|authority| {
            *scheme == self.scheme
                && authority.host() == self.authority.host()
                && port(scheme, &authority) == port(&self.scheme, &self.authority)
        })
    }

    /// Whether the host is `cometly.com` or a subdomain of it; the host is in lower case and has no dot at its end.
    fn is_cometly(&self) -> bool {
        let host = self.authority.host();
        host.strip_suffix("cometly.com").is_some_and(|before| before.is_empty() || before.ends_with('.'))
    }

    /// Whether it is plain `http` to another machine, as [`insecure_http`](Self::insecure_http) lets through.
    pub(crate) fn is_insecure(&self) -> bool {
        self.scheme == Scheme::HTTP && !self.is_loopback()
    }

    /// Whether both name the same host, on whichever port.
    pub(crate) fn has_host_of(&self, other: &Self) -> bool {
        self.authority.host() == other.authority.host()
    }

    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl Default for BaseUrl {
    fn default() -> Self {
        Self {
            scheme: Scheme::HTTPS,
            authority: Authority::from_static("app.cometly.com"),
            path: Self::DEFAULT_PATH.into(),
        }
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Self::new(url)
    }
}

impl TryFrom<&str> for BaseUrl {
    type Error = InvalidBaseUrl;

    fn try_from(url: &str) -> Result<Self, Self::Error> {
        Self::new(url)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({self})")
    }
}

debug_as_display!(InvalidBaseUrl);

/// Why a text is not a base URL, or not one that is allowed; from [`BaseUrl::new`], [`BaseUrl::from_untrusted`],
/// [`BaseUrl::insecure_http`] and `FromStr` of [`BaseUrl`]. It says what is wrong and what was expected, and never shows the
/// text, which may hold a password.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBaseUrl {
    /// The text is empty.
    #[error("the base URL is empty: expected a URL as https://app.cometly.com/public-api/v1")]
    Empty,
    /// The text is longer than [`BaseUrl::MAX_LEN`], 2048 bytes.
    #[error("the base URL is {length} bytes long: expected at most {}", BaseUrl::MAX_LEN)]
    TooLong {
        /// The length of the text in bytes.
        length: usize,
    },
    /// The text holds white space, a control character, a backslash or a character beyond ASCII.
    #[error(
        "the base URL has white space or another character that no URL has at byte {position}: expected visible ASCII (a name beyond it in its xn-- form)"
    )]
    Character {
        /// The byte offset of the first such character, from 0.
        position: usize,
    },
    /// The text begins neither with `https://` nor with `http://`.
    #[error("the base URL has no scheme that is known: expected https://")]
    Scheme,
    /// The URL is `http` to a host that is not this machine; after [`BaseUrl::insecure_http`], to a host of `cometly.com`.
    #[error(
        "the base URL is http, which shows the key to every machine on the way: expected https (http only for localhost, \
         127.0.0.0/8 and [::1], or in code by `BaseUrl::insecure_http`, never for cometly.com)"
    )]
    InsecureHttp,
    /// The URL names a host that is neither `cometly.com`, a subdomain of it, nor this machine, while no other is allowed: from
    /// [`BaseUrl::from_untrusted`], which reads a URL from the environment.
    #[error(
        "the base URL names a host that is neither cometly.com nor this machine: expected an https host of cometly.com, or \
         loopback; for any other host give a `BaseUrl` in code"
    )]
    ForeignHost,
    /// The URL has `user@` or `user:password@`: the key would go to the host behind the `@`.
    #[error("the base URL has userinfo before an '@': expected the host alone")]
    UserInfo,
    /// The host is empty, or neither an address nor a name of letters, digits, `-` and `_` between dots; a name whose last part
    /// is a number, such as `127.1`, is refused too.
    #[error("the base URL's host is not a name or an address: expected as app.cometly.com, 127.0.0.1 or [::1]")]
    Host,
    /// The port is empty, not a number, or not within 1 to 65535.
    #[error("the base URL's port is empty or impossible: expected none, or 1 to 65535")]
    Port,
    /// The path has an empty segment, a segment `.` or `..`, or a character that is none of letters, digits, `-`, `.`, `_` and
    /// `~`.
    #[error("the base URL's path is not plain: expected segments of letters, digits and - . _ ~ only")]
    Path,
    /// The URL has a query: a `?`.
    #[error("the base URL has a query: expected none, each call brings its own")]
    Query,
    /// The URL has a fragment: a `#`.
    #[error("the base URL has a fragment: expected none")]
    Fragment,
}

/// Whether this path segment is sent and read the same by every client: unreserved characters
/// ([RFC 3986 §2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)), and neither empty, `.` nor `..`.
pub(crate) fn is_plain_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_unreserved)
}

/// Whether a path has a segment `.` or `..` for any client or server that reads it, or a backslash, which the
/// [URL Standard](https://url.spec.whatwg.org/#path-state) reads as a slash. Some decode `%2e` before they look for dot
/// segments, some servers `%2f` and `%5c` as well.
pub(crate) fn has_dot_segment(path: &str) -> bool {
    if path.contains('\\') {
        return true;
    }
    let is_dots = |len: usize, dots: usize| len == dots && matches!(len, 1 | 2);
    let (mut len, mut dots) = (0_usize, 0_usize);
    for byte in percent_encoding::percent_decode_str(path) {
        if matches!(byte, b'/' | b'\\') {
            if is_dots(len, dots) {
                return true;
            }
            (len, dots) = (0, 0);
        } else {
            len = len.saturating_add(1);
            dots = dots.saturating_add(usize::from(byte == b'.'));
        }
    }
    is_dots(len, dots)
}

pub(crate) fn is_unreserved(byte: u8) -> bool {
    UNRESERVED.get(usize::from(byte)).is_some_and(|is_unreserved| *is_unreserved)
}

static UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while let Some(place) = table.split_at_mut(byte as usize).1.first_mut() {
        *place = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        match byte.checked_add(1) {
            Some(next) => byte = next,
            None => break,
        }
    }
    table
};

fn read_authority(text: &str) -> Result<Authority, InvalidBaseUrl> {
    // An IPv6 address has colons of its own, so the port is looked for behind its bracket.
    let end = text.find(']').map(|bracket| bracket.saturating_add(1)).or_else(|| text.find(':'));
    let (host, port) = end.and_then(|end| text.split_at_checked(end)).unwrap_or((text, ""));
    match port.strip_prefix(':') {
        None if port.is_empty() => {}
        Some(digits) if is_port(digits) => {}
        _ => return Err(InvalidBaseUrl::Port),
    }
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<Ipv4Addr>().is_ok() || is_name(host),
    };
    if !is_host {
        return Err(InvalidBaseUrl::Host);
    }
    text.to_ascii_lowercase().parse().map_err(|_| InvalidBaseUrl::Host)
}

fn is_port(digits: &str) -> bool {
    digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Labels, of which the last is no number: `127.1`, `0x7f.1` and `2130706433` are addresses to some clients, names to others.
fn is_name(host: &str) -> bool {
    let last = host.rsplit_once('.').map_or(host, |(_, last)| last);
    let is_number = match last.strip_prefix("0x").or(last.strip_prefix("0X")) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => last.bytes().all(|b| b.is_ascii_digit()),
    };
    host.split('.').all(is_label) && !is_number
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn port(scheme: &Scheme, authority: &Authority) -> u16 {
    authority.port_u16().unwrap_or(if *scheme == Scheme::HTTPS { 443 } else { 80 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_would_read_differently_is_refused_with_its_reason() {
        use InvalidBaseUrl as E;
        let table = [
            ("", E::Empty),
            ("app.cometly.com", E::Scheme),
            ("ftp://app.cometly.com", E::Scheme),
            ("file:///etc/passwd", E::Scheme),
            ("://app.cometly.com", E::Scheme),
            ("http://app.cometly.com", E::InsecureHttp),
            ("http://localhost.evil.example", E::InsecureHttp),
            ("http://127.0.0.1.evil.example", E::InsecureHttp),
            ("http://127.1", E::Host),
            ("https://127.1", E::Host),
            ("https://2130706433", E::Host),
            ("https://127.0.0.01", E::Host),
            ("https://1.2.3.256", E::Host),
            ("https://a.0X7f", E::Host),
            ("https://a.0x", E::Host),
            ("http://128.0.0.1", E::InsecureHttp),
            ("http://0.0.0.0", E::InsecureHttp),
            ("http://[::]", E::InsecureHttp),
            ("https://api@evil.example/", E::UserInfo),
            ("https://app.cometly.com:pw@evil.example", E::UserInfo),
            ("https://@evil.example", E::UserInfo),
            ("https://app.cometly.com?x=1", E::Query),
            ("https://app.cometly.com/?", E::Query),
            ("https://app.cometly.com/#x", E::Fragment),
            ("https://app.cometly.com#", E::Fragment),
            ("https://app.cometly.com:", E::Port),
            ("https://app.cometly.com:/v1", E::Port),
            ("https://app.cometly.com:0", E::Port),
            ("https://app.cometly.com:99999", E::Port),
            ("https://app.cometly.com:+443", E::Port),
            ("https://app.cometly.com:4x", E::Port),
            ("https://[::1]x", E::Port),
            ("https://", E::Host),
            ("https:///v1", E::Host),
            ("https://:443", E::Host),
            ("https://a..b", E::Host),
            ("https://app%2ecometly.com", E::Host),
            ("https://[::1", E::Port),
            ("https://[v1.x]", E::Host),
            ("https://app.cometly.com/a//b", E::Path),
            ("https://app.cometly.com/a/../b", E::Path),
            ("https://app.cometly.com/.", E::Path),
            ("https://app.cometly.com/a%2fb", E::Path),
            (" https://app.cometly.com", E::Character { position: 0 }),
            ("https://app.cometly.com\n", E::Character { position: 23 }),
            ("https://app.cometly.com/a b", E::Character { position: 25 }),
            ("https:\\\\evil.example", E::Character { position: 6 }),
            ("https://åpp.cometly.com", E::Character { position: 8 }),
        ];
        for (url, expected) in table {
            assert_eq!(BaseUrl::new(url), Err(expected), "{url:?}");
        }
        let long = format!("{:v<1$}", "https://a.example/", BaseUrl::MAX_LEN);
        assert!(BaseUrl::new(&long).is_ok());
        assert_eq!(BaseUrl::new(&format!("{long}v")), Err(E::TooLong { length: BaseUrl::MAX_LEN + 1 }));
    }

    #[test]
    fn what_is_accepted_reads_back_the_same() {
        for (url, shown) in [
            ("https://app.cometly.com/public-api/v1", "https://app.cometly.com/public-api/v1"),
            ("https://app.cometly.com/public-api/v1/", "https://app.cometly.com/public-api/v1"),
            ("HTTPS://App.Cometly.com", "https://app.cometly.com"),
            ("https://proxy.example:8443", "https://proxy.example:8443"),
            ("http://localhost:8080/v1", "http://localhost:8080/v1"),
            ("http://127.9.9.9", "http://127.9.9.9"),
            ("https://10.0.0.1:8443", "https://10.0.0.1:8443"),
            ("https://0x7f.example", "https://0x7f.example"),
            ("https://a.0xy", "https://a.0xy"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            let read = BaseUrl::new(url).unwrap();
            assert_eq!((read.to_string(), format!("{read:?}")), (shown.to_owned(), format!("BaseUrl({shown})")));
            assert_eq!((BaseUrl::try_from(url), url.parse()), (Ok(read.clone()), Ok(read)));
        }
        assert_eq!(BaseUrl::default(), BaseUrl::new("https://app.cometly.com/public-api/v1").unwrap());
    }

    #[test]
    fn a_base_url_has_a_scheme_an_authority_and_a_path() {
        for (url, scheme, authority, path) in [
            ("https://App.Cometly.com/public-api/v1/", "https", "app.cometly.com", "/public-api/v1"),
            ("http://[::1]:8080", "http", "[::1]:8080", ""),
        ] {
            let url = BaseUrl::new(url).unwrap();
            assert_eq!((url.scheme().as_str(), url.authority().as_str(), url.path()), (scheme, authority, path));
        }
    }

    #[test]
    fn plain_http_to_another_machine_is_insecure() {
        for (url, is_insecure) in [
            ("http://a.example", true),
            ("https://a.example", false),
            ("http://localhost:8080", false),
            ("https://127.0.0.1", false),
        ] {
            assert_eq!(BaseUrl::insecure_http(url).unwrap().is_insecure(), is_insecure, "{url}");
        }
    }

    #[test]
    fn a_host_is_the_same_on_each_port() {
        let base = BaseUrl::new("https://a.example/v1").unwrap();
        for (url, is_same) in [("https://A.example:8443", true), ("https://b.example", false)] {
            assert_eq!(base.has_host_of(&BaseUrl::new(url).unwrap()), is_same, "{url}");
        }
    }

    #[test]
    fn a_dot_segment_is_found_however_it_is_written() {
        for dots in ["/a/../b", "..", "./a", "/%2e%2E/b", "/a/.%2e", "/a%2f..", "/a%5c.%2fb", "/a\\b"] {
            assert!(has_dot_segment(dots), "{dots}");
        }
        for plain in ["", "/", "/a/b", "/a..b/...", "/.a", "/a%2fb", "/%2ea", "/%"] {
            assert!(!has_dot_segment(plain), "{plain}");
        }
    }

    #[test]
    fn insecure_http_opens_http_and_nothing_else_and_never_to_cometly() {
        for url in
            ["http://cometly.internal", "http://notcometly.com", "http://cometly.com.example", "https://a.example"]
        {
            assert!(BaseUrl::insecure_http(url).is_ok(), "{url}");
        }
        assert_eq!(BaseUrl::insecure_http("http://a@b"), Err(InvalidBaseUrl::UserInfo));
        for url in ["http://cometly.com", "http://App.Cometly.com:8080/v1", "http://a.b.cometly.com"] {
            assert_eq!(BaseUrl::insecure_http(url), Err(InvalidBaseUrl::InsecureHttp), "{url}");
        }
        assert!(BaseUrl::insecure_http("https://app.cometly.com").is_ok());
    }

    // `docs/faults.md` 118.
    #[test]
    fn a_base_url_from_the_environment_names_cometly_over_https_or_loopback_only() {
        use InvalidBaseUrl as E;
        for (url, expected) in [
            ("https://app.cometly.com/public-api/v1", None),
            ("https://cometly.com", None),
            ("https://EU.Cometly.COM:8443/v1", None),
            ("http://localhost:8080/public-api/v1", None),
            ("https://127.0.0.1:8443", None),
            ("http://[::1]:8080", None),
            ("http://app.cometly.com", Some(E::InsecureHttp)),
            ("https://evil.example", Some(E::ForeignHost)),
            ("http://evil.example", Some(E::ForeignHost)),
            ("https://notcometly.com", Some(E::ForeignHost)),
            ("https://app-cometly.com", Some(E::ForeignHost)),
            ("https://app.cometly.com.evil.example", Some(E::ForeignHost)),
            ("https://cometly.co", Some(E::ForeignHost)),
            ("https://localhost.evil.example", Some(E::ForeignHost)),
            ("https://10.0.0.1", Some(E::ForeignHost)),
            ("https://app.cometly.com.", Some(E::Host)),
            ("https://app.cometly.com@evil.example", Some(E::UserInfo)),
            ("", Some(E::Empty)),
        ] {
            assert_eq!(BaseUrl::from_untrusted(url).err(), expected, "{url}");
        }
    }

    #[test]
    fn the_origin_is_scheme_host_and_port() {
        let base = BaseUrl::default();
        for (uri, same) in [
            ("https://app.cometly.com/public-api/v1/events", true),
            ("https://APP.cometly.com:443/other", true),
            ("http://app.cometly.com/", false),
            ("https://app.cometly.com:8443/", false),
            ("https://cometly.com/", false),
            ("https://app.cometly.com.evil.example/", false),
            ("https://app.cometly.com@evil.example/", false),
            ("https://key@app.cometly.com/", false),
            ("https://app.cometly.com:99999/", false),
            ("/public-api/v1/events", false),
        ] {
            assert_eq!(base.is_origin_of(&uri.parse().unwrap()), same, "{uri}");
        }
    }
}
