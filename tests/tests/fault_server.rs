//! The fault server does what a script says, and counts right: else every case above it proves nothing.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use cometly_conformance::{
    BoxError,
    fault_server::{Act, Answer, Authority, ConnectProxy, FaultServer, Script, ServerCertificate},
    wait_until,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n\r\n";
const MOMENT: Duration = Duration::from_millis(20);

fn connect(server: &FaultServer) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server.address())?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

fn ask(server: &FaultServer) -> io::Result<(TcpStream, String)> {
    let mut stream = connect(server)?;
    stream.write_all(GET)?;
    let mut buffer = [0; 1024];
    let read = stream.read(&mut buffer)?;
    Ok((stream, String::from_utf8_lossy(buffer.get(..read).unwrap_or_default()).into_owned()))
}

#[test]
fn an_answer_is_written_as_scripted_and_the_request_kept() -> Result<(), BoxError> {
    let server = FaultServer::start(Script::always(Answer::json(418, "{}")))?;
    let (_, answer) = ask(&server)?;
    assert_eq!(answer, "HTTP/1.1 418 Scripted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    let request = server.requests().remove(0);
    assert_eq!(request.request_line(), "GET /a HTTP/1.1");
    assert_eq!(request.header("AUTHORIZATION"), ["Bearer k"]);
    assert_eq!(request.header_names(), ["host", "authorization"]);
    assert_eq!(request.count("Bearer"), 1);
    assert!(!format!("{request:?}").contains("Bearer"), "the log may be printed, the key not");
    Ok(())
}

#[test]
fn connections_and_arrivals_are_counted_apart() -> Result<(), BoxError> {
    let server = FaultServer::start(Script::sequence([Answer::json(200, "[0]"), Answer::json(200, "[1]")]))?;
    let (mut stream, first) = ask(&server)?;
    stream.write_all(b"POST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe")?;
    thread::sleep(Duration::from_millis(50));
    assert_eq!(server.arrivals(), 1, "half a request has not arrived");
    stream.write_all(b"llo")?;
    let mut second = [0; 512];
    let read = stream.read(&mut second)?;
    assert!(first.ends_with("[0]") && second[..read].ends_with(b"[1]"));
    assert_eq!((server.connections(), server.arrivals()), (1, 2));
    assert_eq!(server.requests()[1].body, b"hello");
    Ok(())
}

#[test]
fn sixty_four_clients_at_once_are_counted_exactly() -> Result<(), BoxError> {
    let server = FaultServer::start(Script::by(|number, _| Answer::json(200, &format!("[{number}]"))))?;
    let answers: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..64).map(|_| scope.spawn(|| ask(&server))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let mut numbers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().1).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!((numbers.len(), server.connections(), server.arrivals()), (64, 64, 64));
    Ok(())
}

#[test]
fn a_close_is_an_end_and_a_reset_is_an_error() -> Result<(), BoxError> {
    let server = FaultServer::start(Script::sequence([Answer::close(), Answer::reset()]))?;
    assert_eq!(ask(&server)?.1, "", "an orderly end");
    assert_eq!(ask(&server).unwrap_err().kind(), ErrorKind::ConnectionReset);
    Ok(())
}

#[test]
fn silence_is_silent_and_ends_with_the_server() -> Result<(), BoxError> {
    let server = FaultServer::start(Script::always(Answer::silence()))?;
    let mut stream = connect(&server)?;
    stream.write_all(GET)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    assert!(matches!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert_eq!(server.open_connections(), 1);
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < Duration::from_secs(5), "a held connection must not hold the server");
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    Ok(())
}

#[test]
fn a_body_may_be_left_unread() -> Result<(), BoxError> {
    let server = FaultServer::start(Script::always(Answer::json(413, "{}").before_body().then(Act::Close)))?;
    let mut stream = connect(&server)?;
    stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!((server.arrivals(), server.requests()[0].body_len), (1, 0));
    Ok(())
}

#[test]
fn bytes_are_repeated_as_often_as_scripted() -> Result<(), BoxError> {
    let drip = Act::Repeat { bytes: "ab".into(), every: Duration::from_millis(1), times: 5 };
    let server = FaultServer::start(Script::always(Answer::new(vec![drip, Act::Close])))?;
    let mut stream = connect(&server)?;
    stream.write_all(GET)?;
    let mut all = String::new();
    stream.read_to_string(&mut all)?;
    assert_eq!(all, "ababababab");
    Ok(())
}

#[test]
fn what_was_read_can_be_forgotten_and_stays_counted() -> Result<(), BoxError> {
    let server = FaultServer::start(Script::always(Answer::json(200, "{}").then_close().after(MOMENT)))?;
    let begun = Instant::now();
    let mut stream = connect(&server)?;
    stream.write_all(GET)?;
    stream.read_to_string(&mut String::new())?;
    assert!(begun.elapsed() >= MOMENT);
    server.forget();
    assert_eq!((server.requests().len(), server.arrivals()), (0, 1));
    Ok(())
}

fn handshake(authority: &Authority, certificate: &ServerCertificate, alpn: &[&[u8]]) -> Result<FaultServer, BoxError> {
    let server = FaultServer::start_tls(certificate, Script::always(Answer::json(200, "{}").then_close()))?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes())?)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1")?)?;
    let mut stream = StreamOwned::new(client, connect(&server)?);
    // An end without `close_notify` is an error to rustls.
    let written = stream.write_all(GET).and_then(|()| stream.read_to_end(&mut Vec::new()));
    assert!(wait_until(|| server.alpn().len() == 1));
    assert_eq!(written.is_ok(), server.arrivals() == 1, "{written:?}");
    Ok(server)
}

#[test]
fn tls_is_trusted_by_the_authority_the_name_and_the_time() -> Result<(), BoxError> {
    let (authority, other) = (Authority::new()?, Authority::new()?);
    for (certificate, arrivals) in [
        (authority.issue(&["127.0.0.1"])?, 1),
        (other.issue(&["127.0.0.1"])?, 0),
        (authority.issue(&["other.example"])?, 0),
        (authority.issue_expired(&["127.0.0.1"])?, 0),
        (ServerCertificate::self_signed(&["127.0.0.1"])?, 0),
    ] {
        let server = handshake(&authority, &certificate, &[])?;
        assert_eq!(server.arrivals(), arrivals);
        assert!(wait_until(|| server.failed_handshakes() == 1 - arrivals));
    }
    Ok(())
}

#[test]
fn the_protocol_that_a_client_takes_is_noted() -> Result<(), BoxError> {
    let authority = Authority::new()?;
    let certificate = authority.issue(&["127.0.0.1"])?;
    let h1 = Some("http/1.1".to_owned());
    let h2 = Some("h2".to_owned());
    for (offered, noted) in [(&[][..], None), (&[&b"http/1.1"[..]], h1), (&[b"http/1.1", b"h2"], h2)] {
        assert_eq!(handshake(&authority, &certificate, offered)?.alpn(), [noted]);
    }
    Ok(())
}

#[test]
fn the_proxy_keeps_heads_and_tunnels() -> Result<(), BoxError> {
    let server = FaultServer::start(Script::always(Answer::json(200, "{}")))?;
    let proxy = ConnectProxy::start()?;
    let address = proxy.url();
    let mut stream = TcpStream::connect(address.trim_start_matches("http://"))?;
    write!(stream, "CONNECT {} HTTP/1.1\r\n\r\n", server.address())?;
    let mut established = [0; 39];
    stream.read_exact(&mut established)?;
    stream.write_all(GET)?;
    stream.read_exact(&mut [0; 12])?;
    assert_eq!(server.arrivals(), 1);
    assert_eq!(proxy.heads()[0].request_line(), format!("CONNECT {} HTTP/1.1", server.address()));
    Ok(())
}
