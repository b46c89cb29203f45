//! Which proxy a URL is reached through: one reading of the environment, the same for every client.

use std::{
    error::Error,
    ffi::{OsStr, OsString},
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use http::{Uri, uri::Scheme};
use percent_encoding::percent_decode_str;

/// The rules by which a URL is reached through a proxy or directly; [`proxy_for`](Self::proxy_for) applies them. [`Default`]
/// has no proxy, and so has a client, unless [`ClientBuilder::proxy_from_env`](crate::ClientBuilder::proxy_from_env) hands the
/// environment in, as it is at that call. [`from_vars`](Self::from_vars) reads them from such variables, and fails with
/// [`InvalidProxy`] if the one that names the proxy holds no URL of a proxy:
///
/// ```
/// # use cometly_core::{ProxyRules, http::Uri};
/// let rules = ProxyRules::from_vars([("HTTPS_PROXY", "proxy.example:3128"), ("NO_PROXY", ".internal, 10.0.0.0/8")])?;
/// let through = |uri| rules.proxy_for(&Uri::from_static(uri)).map(ToString::to_string);
/// assert_eq!(through("https://app.cometly.com/").as_deref(), Some("http://proxy.example:3128"));
/// assert_eq!(through("https://api.internal/"), None);
/// assert_eq!(through("https://10.1.2.3/"), None);
/// # Ok::<(), cometly_core::InvalidProxy>(())
/// ```
///
/// | variable | meaning |
/// | --- | --- |
/// | `https_proxy`, `HTTPS_PROXY` | the proxy |
/// | `all_proxy`, `ALL_PROXY` | the proxy, where the variable above is not set |
/// | `no_proxy`, `NO_PROXY` | hosts that are reached directly, separated by commas or blanks |
/// | `http_proxy`, `HTTP_PROXY` | not read |
///
/// A plain `http` URL never goes through a proxy, which would read the key: such a URL is for this machine, or for a host that
/// the program named with [`BaseUrl::insecure_http`](crate::BaseUrl::insecure_http).
///
/// The lower-case name wins, unless its value is empty: an empty value counts as not set, as with curl. An entry of `NO_PROXY`
/// is `*` for all hosts; a name, which covers its subdomains, with or without a leading `.` or `*.`; an address; or a block of
/// addresses in CIDR notation. A port may follow a name or an address. An entry of another form covers nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyRules {
    proxy: Option<ProxyUrl>,
    direct: Vec<Direct>,
}

/// The URL of a proxy: `[scheme://][user[:password]@]host[:port]`, with or without a slash at its end. The scheme is one of
/// [`ProxyScheme`]: `http`, also if none is named, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`. [`FromStr`] reads it,
/// and fails with [`InvalidProxy`] for any other text, and for port 0. Without a port it is 80 for `http`, 443 for `https`,
/// and 1080 for SOCKS. A user or password may be percent-encoded; `Debug` and `Display` leave both out.
/// [`ProxyRules::https`] takes one, and [`ProxyRules::proxy_for`] gives it to a client.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProxyUrl {
    scheme: ProxyScheme,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    credentials: Option<(String, String)>,
}

/// How a client speaks to a proxy, by the scheme of its URL; from [`ProxyUrl::scheme`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyScheme {
    /// `http`, also if a proxy's URL has no scheme: `CONNECT` without TLS to the proxy.
    Http,
    /// `https`: `CONNECT` within TLS to the proxy.
    Https,
    /// `socks4`: the client looks up the name of the server.
    Socks4,
    /// `socks4a`: the proxy looks up the name of the server.
    Socks4a,
    /// `socks5`: the client looks up the name of the server.
    Socks5,
    /// `socks5h`: the proxy looks up the name of the server.
    Socks5h,
}

/// Why a text or a variable names no usable proxy: it is not the URL of a proxy, or its scheme is one that a client cannot
/// use. From `FromStr` of [`ProxyUrl`], [`ProxyUrl::usable`] and [`ProxyRules::from_vars`];
/// [`ClientBuilder::build`](crate::ClientBuilder::build) has it within its `Setup` error. It never shows the text, which may
/// hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidProxy {
    variable: Option<&'static str>,
    /// The scheme, if that is what cannot be used.
    unusable: Option<ProxyScheme>,
}

/// An entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Direct {
    All,
    Name(String, Option<u16>),
    Block(IpAddr, u8, Option<u16>),
}

impl ProxyRules {
    /// Reads the variables of an environment, [`std::env::vars_os`] or any other list. All other names are ignored; of a name
    /// that comes twice, the last value counts.
    ///
    /// # Errors
    /// [`InvalidProxy`] if the variable that names the proxy holds no URL of one; it names that variable. No text in `NO_PROXY`
    /// is an error.
    pub fn from_vars<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, InvalidProxy> {
        const NAMES: [&str; 6] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];
        let mut values: [Option<OsString>; 6] = Default::default();
        for (name, value) in vars {
            let place = NAMES.iter().position(|known| name.as_ref() == *known);
            if let Some(slot) = place.and_then(|place| values.get_mut(place)) {
                *slot = Some(value.as_ref().to_owned()).filter(|value| !value.is_empty());
            }
        }
        let [proxies @ .., no, upper_no] = &values;
        let no = no.as_ref().or(upper_no.as_ref()).map(|list| list.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self {
            proxy: first_proxy(NAMES.into_iter().zip(proxies.iter().map(Option::as_ref)))?,
            direct: no.split(|c: char| c == ',' || c.is_whitespace()).filter_map(Direct::read).collect(),
        })
    }

    /// Rules that reach every `https` URL through this proxy, without any exception; an `http` URL is reached directly.
    /// `FromStr` of [`ProxyUrl`] reads one from text.
    #[must_use]
    pub fn https(proxy: ProxyUrl) -> Self {
        Self { proxy: Some(proxy), ..Self::default() }
    }

    /// The proxy for `https` URLs that no entry of `NO_PROXY` covers; `None` if there is no proxy.
    #[must_use]
    pub fn https_proxy(&self) -> Option<&ProxyUrl> {
        self.proxy.as_ref()
    }

    /// The proxy for this URL; `None` if it is reached directly, as every plain `http` URL is, each host of `NO_PROXY`, and any
    /// URL if there is no proxy.
    #[must_use]
    pub fn proxy_for(&self, uri: &Uri) -> Option<&ProxyUrl> {
        let proxy = self.proxy.as_ref().filter(|_| uri.scheme() == Some(&Scheme::HTTPS))?;
        let host = bare(uri.host()?).to_ascii_lowercase();
        let (host, address) = (host.trim_end_matches('.'), host.parse().ok().map(canonical));
        let port = uri.port_u16().unwrap_or(443);
        if self.direct.iter().any(|entry| entry.covers(host, address, port)) { None } else { Some(proxy) }
    }
}

fn first_proxy<'a>(
    mut values: impl Iterator<Item = (&'static str, Option<&'a OsString>)>,
) -> Result<Option<ProxyUrl>, InvalidProxy> {
    let set = values.find_map(|(name, value)| Some((name, value?)));
    set.map(|(name, value)| {
        let invalid = InvalidProxy { variable: Some(name), unusable: None };
        value.to_str().and_then(ProxyUrl::read).ok_or(invalid)
    })
    .transpose()
}

impl Direct {
    fn read(entry: &str) -> Option<Self> {
        if entry.is_empty() {
            return None;
        }
        if entry == "*" {
            return Some(Self::All);
        }
        if let Some((address, len)) = entry.split_once('/') {
            let address: IpAddr = bare(address).parse().ok()?;
            let len: u8 = number(len).filter(|len| *len <= width(address))?;
            let canonical = canonical(address);
            // A block of IPv4 addresses that are written as IPv6 ones.
            let len = len.checked_sub(width(address).saturating_sub(width(canonical)));
            return Some(len.map_or(Self::Block(address, 128, None), |len| Self::Block(canonical, len, None)));
        }
        if let Ok(address) = bare(entry).parse().map(canonical) {
            return Some(Self::Block(address, width(address), None));
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) => (name, Some(number(port)?)),
            None => (entry, None),
        };
        if let Ok(address) = bare(name).parse().map(canonical) {
            return Some(Self::Block(address, width(address), port));
        }
        let name = name.strip_prefix("*.").unwrap_or(name).trim_matches('.').to_ascii_lowercase();
        if name.is_empty() || name.contains('*') { None } else { Some(Self::Name(name, port)) }
    }

    fn covers(&self, host: &str, address: Option<IpAddr>, at: u16) -> bool {
        match self {
            Self::All => true,
            Self::Name(name, port) => {
                let before = host.strip_suffix(name.as_str());
                port.is_none_or(|port| port == at)
                    && before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }
            Self::Block(block, len, port) => {
                port.is_none_or(|port| port == at) && address.is_some_and(|address| is_within(address, *block, *len))
            }
        }
    }
}

/// A number in digits alone: `parse` takes a sign too.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// An IPv4 address that is written as an IPv6 one is that IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn is_within(address: IpAddr, block: IpAddr, len: u8) -> bool {
    let host_bits = u32::from(width(block).saturating_sub(len));
    // A shift by the whole width leaves nothing to compare.
    match (address, block) {
        (IpAddr::V4(address), IpAddr::V4(block)) => {
            (address.to_bits() ^ block.to_bits()).checked_shr(host_bits).is_none_or(|differs| differs == 0)
        }
        (IpAddr::V6(address), IpAddr::V6(block)) => {
            (address.to_bits() ^ block.to_bits()).checked_shr(host_bits).is_none_or(|differs| differs == 0)
        }
        _ => false,
    }
}

impl ProxyUrl {
    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (ProxyScheme::read(scheme)?, rest),
            None => (ProxyScheme::Http, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(read_credentials(credentials)?), place),
            None => (None, rest),
        };
        let (host, port) = match place.rsplit_once(':') {
            // The last colon of an IPv6 address in brackets is none before a port.
            Some((host, port)) if !port.ends_with(']') => (host, number(port).filter(|port| *port > 0)?),
            _ => (place, scheme.default_port()),
        };
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let host = match host.strip_prefix('[') {
            Some(address) => address.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.to_string(),
            None => Some(host.to_ascii_lowercase()).filter(|host| !host.is_empty() && host.bytes().all(is_legal))?,
        };
        Some(Self { scheme, host, port, credentials })
    }

    /// How a client speaks to this proxy; [`ProxyScheme::Http`] if the URL names no scheme.
    #[must_use]
    pub fn scheme(&self) -> ProxyScheme {
        self.scheme
    }

    /// The name of the proxy in lower case, or its address; an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of the proxy. If the URL names none: 80 for `http`, 443 for `https`, 1080 for SOCKS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user and the password for the proxy, percent-decoded; `None` if the URL has none, and an empty password if it has
    /// a user alone. A URL in which they are no UTF-8, or hold a control character, is refused when it is read.
    #[must_use]
    pub fn credentials(&self) -> Option<(&str, &str)> {
        self.credentials.as_ref().map(|(user, password)| (user.as_str(), password.as_str()))
    }

    /// Checks that the scheme of this proxy is one of `usable`, those that a client can speak, and gives the proxy back.
    ///
    /// # Errors
    /// [`InvalidProxy`] if the scheme is none of them; it names the scheme.
    pub fn usable(self, usable: &[ProxyScheme]) -> Result<Self, InvalidProxy> {
        if usable.contains(&self.scheme) {
            return Ok(self);
        }
        Err(InvalidProxy { variable: None, unusable: Some(self.scheme) })
    }
}

fn read_credentials(text: &str) -> Option<(String, String)> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let decode = |part| Some(percent_decode_str(part).decode_utf8().ok()?.into_owned());
    let (user, password): (String, String) = (decode(user)?, decode(password)?);
    // RFC 7617 §2: neither holds a control character, and the user no colon.
    let is_legal = !user.contains(':') && !user.chars().chain(password.chars()).any(char::is_control);
    is_legal.then_some((user, password))
}

impl FromStr for ProxyUrl {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        Self::read(text).ok_or(InvalidProxy { variable: None, unusable: None })
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = (self.scheme, &self.host, self.port);
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ProxyScheme {
    const ALL: [(Self, &'static str, u16); 6] = [
        (Self::Http, "http", 80),
        (Self::Https, "https", 443),
        (Self::Socks4, "socks4", 1080),
        (Self::Socks4a, "socks4a", 1080),
        (Self::Socks5, "socks5", 1080),
        (Self::Socks5h, "socks5h", 1080),
    ];

    fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(text)).map(|(scheme, ..)| *scheme)
    }

    fn row(self) -> (&'static str, u16) {
        let row = Self::ALL.iter().find(|(scheme, ..)| *scheme == self);
        row.map_or(("http", 80), |(_, name, port)| (name, *port))
    }

    fn default_port(self) -> u16 {
        self.row().1
    }
}

impl fmt::Display for ProxyScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().0)
    }
}

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.unusable {
            return write!(f, "this client cannot use a {scheme} proxy; name an http one");
        }
        match self.variable {
            Some(variable) => write!(f, "the environment variable {variable} names no proxy")?,
            None => f.write_str("the proxy's URL cannot be read")?,
        }
        f.write_str("; expected [http://][user:password@]host[:port], reserved characters percent-encoded")
    }
}

impl Error for InvalidProxy {}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(vars: &[(&str, &str)], uri: &'static str) -> Option<String> {
        let rules = ProxyRules::from_vars(vars.iter().copied()).unwrap();
        rules.proxy_for(&Uri::from_static(uri)).map(ToString::to_string)
    }

    #[test]
    fn the_lower_case_variable_wins_and_plain_http_has_no_proxy() {
        for (vars, proxy) in [
            (&[][..], None),
            (&[("HTTP_PROXY", "h")], None),
            (&[("http_proxy", "not a proxy")], None),
            (&[("HTTPS_PROXY", "s")], Some("s")),
            (&[("https_proxy", "l"), ("HTTPS_PROXY", "u")], Some("l")),
            (&[("HTTPS_PROXY", "u"), ("https_proxy", "l")], Some("l")),
            (&[("https_proxy", ""), ("HTTPS_PROXY", "u")], Some("u")),
            (&[("ALL_PROXY", "a")], Some("a")),
            (&[("all_proxy", "l"), ("ALL_PROXY", "a"), ("HTTPS_PROXY", "s")], Some("s")),
            (&[("HTTP_PROXY", "h"), ("ALL_PROXY", "a")], Some("a")),
        ] {
            let url = proxy.map(|host| format!("http://{host}:80"));
            assert_eq!(through(vars, "https://app.cometly.com/"), url, "{vars:?}");
            for plain in ["http://127.0.0.1:4010/", "http://emulator:4010/", "http://app.cometly.com/", "/only/a/path"]
            {
                assert_eq!(through(vars, plain), None, "{vars:?}");
            }
        }
    }

    // `docs/faults.md` 103.
    #[test]
    fn no_proxy_is_read_as_its_users_write_it() {
        for (list, direct, proxied) in [
            ("*", &["a.example", "[::1]"][..], &[][..]),
            ("a, *", &["b"], &[]),
            (".example, localhost", &["example", "a.example", "a.b.EXAMPLE", "localhost", "example."], &["notexample"]),
            ("example", &["example", "a.example"], &["example.com", "xexample"]),
            (
                " a.example\tb.example,,c.example ",
                &["a.example", "b.example", "x.c.example"],
                &["example", "d.example"],
            ),
            ("*.example.", &["example", "a.example"], &["b"]),
            ("10.0.0.0/8,192.168.1.1", &["10.1.2.3", "192.168.1.1"], &["11.0.0.1", "192.168.1.2", "10.example"]),
            ("10.0.0.0/0", &["8.8.8.8"], &["[::1]"]),
            ("fd00::/8 ::1", &["[fd12::1]", "[::1]"], &["[fe00::1]", "127.0.0.1"]),
            ("[::1], 127.0.0.0/8", &["[::1]", "127.9.9.9", "[::ffff:127.0.0.1]"], &["128.0.0.1"]),
            ("::/0", &["[::1]"], &["127.0.0.1"]),
            ("a.example:8443, 127.0.0.1:8443", &["a.example:8443", "127.0.0.1:8443"], &["a.example", "127.0.0.1:1"]),
            ("a.example:443", &["a.example"], &["a.example:8443"]),
            ("::ffff:10.0.0.0/104", &["10.1.2.3", "[::ffff:10.1.2.3]"], &["11.0.0.1"]),
            ("10.0.0.0/33, ., *., :1, a:b, 10.0.0.0/x", &[], &["10.0.0.1", "a"]),
            ("10.0.0.0/+8, b:+443, *example, a.*.example", &[], &["10.0.0.1", "b", "example", "xexample", "*example"]),
            ("", &[], &["a"]),
        ] {
            let rules = ProxyRules::from_vars([("HTTPS_PROXY", "p"), ("NO_PROXY", list)]).unwrap();
            let is_direct = |host: &&str| rules.proxy_for(&format!("https://{host}/").parse().unwrap()).is_none();
            assert_eq!(direct.iter().find(|host| !is_direct(host)), None, "{list:?} covers it");
            assert_eq!(proxied.iter().find(|host| is_direct(host)), None, "{list:?} does not cover it");
        }
        let both = [("HTTPS_PROXY", "p"), ("no_proxy", "a"), ("NO_PROXY", "b")];
        assert_eq!((through(&both, "https://a/"), through(&both, "https://b/").is_some()), (None, true));
    }

    #[test]
    fn a_proxy_is_read_in_each_of_its_parts() {
        for (text, shown, credentials) in [
            ("proxy.example", "http://proxy.example:80", None),
            ("PROXY.example:3128/", "http://proxy.example:3128", None),
            ("https://p", "https://p:443", None),
            ("SOCKS5H://p", "socks5h://p:1080", None),
            ("http://[::1]", "http://[::1]:80", None),
            ("http://[::1]:3128", "http://[::1]:3128", None),
            ("user:pa%40ss@p:1", "http://p:1", Some(("user", "pa@ss"))),
            ("http://user:pa@ss:x@p", "http://p:80", Some(("user", "pa@ss:x"))),
            ("http://user@p", "http://p:80", Some(("user", ""))),
        ] {
            let proxy: ProxyUrl = text.parse().unwrap();
            assert_eq!((proxy.to_string().as_str(), proxy.credentials()), (shown, credentials), "{text}");
            assert_eq!(format!("{proxy:?}"), shown);
            let host = if proxy.host().contains(':') { format!("[{}]", proxy.host()) } else { proxy.host().to_owned() };
            assert_eq!(format!("{}://{host}:{}", proxy.scheme(), proxy.port()), shown);
        }
    }

    #[test]
    fn a_proxy_that_is_given_reaches_every_https_url() {
        let proxy: ProxyUrl = "p:3128".parse().unwrap();
        let rules = ProxyRules::https(proxy.clone());
        assert_eq!(rules.https_proxy(), Some(&proxy));
        for (uri, expected) in [
            ("https://app.cometly.com/", Some(&proxy)),
            ("https://localhost:8443/", Some(&proxy)),
            ("http://app.cometly.com/", None),
        ] {
            assert_eq!(rules.proxy_for(&Uri::from_static(uri)), expected, "{uri}");
        }
        assert_eq!(ProxyRules::default().https_proxy(), None);
    }

    // `docs/faults.md` 103.
    #[test]
    fn a_garbled_proxy_is_an_error_that_names_the_variable_and_not_the_value() {
        for text in [
            "http://",
            "http://not a proxy",
            "ftp://p",
            "socks://p",
            "://p",
            "http://p:port",
            "http://p:0",
            "http://p:70000",
            "http://p:+80",
            "http://p/path",
            "http://[::1",
            "http://[p]",
            "http://us%0aer:canary@p",
            "http://us%3aer:canary@p",
            "http://user:%ff@p",
            "http://canary\u{e9}",
            "http://p:1:2",
        ] {
            let error = ProxyRules::from_vars([("ALL_PROXY", text)]).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("ALL_PROXY") && !shown.contains("canary"), "{text}: {shown}");
            assert!(text.parse::<ProxyUrl>().is_err());
            // One that is not in effect does no harm.
            let vars = [("HTTPS_PROXY", "p"), ("HTTP_PROXY", "p"), ("all_proxy", text), ("HTTPS_PROXY_X", text)];
            assert!(ProxyRules::from_vars(vars).is_ok());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_garbled() {
        use std::os::unix::ffi::OsStrExt as _;
        let value = OsStr::from_bytes(b"http://\xff");
        assert!(ProxyRules::from_vars([("HTTPS_PROXY", value)]).is_err());
        assert!(ProxyRules::from_vars([("NO_PROXY", value), ("PATH", value)]).is_ok());
    }

    #[test]
    fn a_scheme_that_a_client_cannot_use_is_named() {
        let proxy: ProxyUrl = "socks5://canary:canary@p".parse().unwrap();
        let error = proxy.usable(&[ProxyScheme::Http, ProxyScheme::Https]).unwrap_err().to_string();
        assert!(error.contains("socks5") && !error.contains("canary"), "{error}");
        let proxy: ProxyUrl = "p".parse().unwrap();
        assert!(proxy.usable(&[ProxyScheme::Http]).is_ok());
    }
}
