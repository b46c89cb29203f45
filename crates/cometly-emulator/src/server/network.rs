//! Where it listens, and by which names it is reached.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use http::Uri;

use crate::backend::Sites;
use crate::control::{Access, random_token};

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) listen: SocketAddr,
    pub(crate) downloads_port: u16,
    pub(crate) public_url: Option<String>,
    pub(crate) public_downloads_url: Option<String>,
    pub(crate) page_token: Option<String>,
}

/// The sockets, and what leads to them.
pub(crate) struct Bound {
    pub(crate) api: TcpListener,
    pub(crate) files: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) sites: Sites,
    pub(crate) access: Access,
}

impl Network {
    pub(crate) fn bind(&self) -> io::Result<Bound> {
        let public = self.public_url.as_deref().map(origin).transpose()?;
        let public_downloads = self.public_downloads_url.as_deref().map(origin).transpose()?;
        let token = match &self.page_token {
            Some(token) if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                Some(token.clone())
            }
            Some(_) => return Err(refuse("the page's token consists of ASCII letters and digits".into())),
            None => (!self.listen.ip().is_loopback()).then(random_token),
        };
        let api = bind(self.listen)?;
        let address = api.local_addr()?;
        let files = bind(SocketAddr::new(self.listen.ip(), self.downloads_port))?;
        let files_address = files.local_addr()?;

        let own = format!("http://{}", reachable(address));
        let names = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("http://{name}:{}", address.port()));
        let sites = Sites {
            files: match (public_downloads, &public) {
                (Some(url), _) => url,
                (None, Some(public)) => with_port(public, files_address.port()),
                (None, None) => format!("http://{}", reachable(files_address)),
            },
            api: public.clone().unwrap_or_else(|| own.clone()),
        };
        let origins = names.into_iter().chain([own]).chain(public).map(without_default_port).collect();
        Ok(Bound { api, files, address, sites, access: Access { origins, token } })
    }
}

/// An address by which a listener on this one is reached from its own machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Scheme, host and port of a URL that has nothing else.
fn origin(url: &str) -> io::Result<String> {
    let wrong = || refuse(format!("the public URL {url:?} is not of the form http://host:port or https://host:port"));
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong());
    };
    if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() || authority.host().is_empty() {
        return Err(wrong());
    }
    Ok(without_default_port(format!("{scheme}://{}", authority.as_str().to_ascii_lowercase())))
}

/// As a browser writes an origin.
fn without_default_port(origin: String) -> String {
    let port = if origin.starts_with("https://") { ":443" } else { ":80" };
    origin.strip_suffix(port).map(str::to_owned).unwrap_or(origin)
}

/// The same host on another port.
fn with_port(origin: &str, port: u16) -> String {
    let uri = origin.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let scheme = uri.as_ref().and_then(Uri::scheme_str).unwrap_or("http");
    format!("{scheme}://{host}:{port}")
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| {
        let (ip, port) = (address.ip(), address.port());
        let words = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("port {port} of {ip} is in use; choose another one, or 0 for any that is free")
            }
            io::ErrorKind::AddrNotAvailable => format!("this machine has no address {ip} to listen on"),
            io::ErrorKind::PermissionDenied => format!("listening on port {port} of {ip} is not permitted"),
            _ => return error,
        };
        io::Error::new(error.kind(), words)
    })
}

fn refuse(words: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin_and_nothing_else() {
        for (url, expected) in [
            ("http://emulator:8080", "http://emulator:8080"),
            ("https://Emulator.Test/", "https://emulator.test"),
            ("https://emulator.test:443", "https://emulator.test"),
            ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
        ] {
            assert_eq!(origin(url).unwrap(), expected);
        }
        for wrong in ["", "emulator:8080", "ftp://x", "http://", "http://x/y", "http://x?y", "http://u@x", "http://x y"]
        {
            let error = origin(wrong).unwrap_err();
            assert!(error.to_string().contains("is not of the form http://host:port"), "{wrong}: {error}");
        }
        assert_eq!(with_port("https://[2001:db8::1]", 9), "https://[2001:db8::1]:9");
    }

    #[test]
    fn only_loopback_is_open_without_a_token() {
        let network = |listen: &str, token: Option<&str>| Network {
            listen: listen.parse().unwrap(),
            downloads_port: 0,
            public_url: None,
            public_downloads_url: None,
            page_token: token.map(str::to_owned),
        };
        let token = |listen, token| network(listen, token).bind().map(|bound| bound.access.token);
        assert_eq!(token("127.0.0.1:0", None).unwrap(), None);
        assert_eq!(token("0.0.0.0:0", None).unwrap().map(|token| token.len()), Some(32));
        assert_eq!(token("127.0.0.1:0", Some("abc")).unwrap().as_deref(), Some("abc"));
        assert!(token("127.0.0.1:0", Some("a b")).is_err() && token("127.0.0.1:0", Some("")).is_err());

        let bound = network("0.0.0.0:0", None).bind().unwrap();
        let port = bound.address.port();
        assert_eq!(bound.sites.api, format!("http://127.0.0.1:{port}"));
        assert!(bound.access.origins.contains(&format!("http://localhost:{port}")));
        let named = Network { public_url: Some("http://cometly.test:80".into()), ..network("0.0.0.0:0", None) };
        let bound = named.bind().unwrap();
        assert_eq!(bound.sites.api, "http://cometly.test");
        assert_eq!(bound.sites.files, format!("http://cometly.test:{}", bound.files.local_addr().unwrap().port()));
        assert!(bound.access.origins.contains(&"http://cometly.test".to_owned()));
    }
}
