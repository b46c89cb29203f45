//! A server on loopback that keeps connections and gives the same answer to everything, on threads of its own.
//!
//! Prints its address, and serves until its standard input closes. With `--show` it prints the first request that it gets.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write as _},
    net::{TcpListener, TcpStream},
    process, thread,
};

const BODY: &str = r#"{"data":{"id":4815162342,"name":"Acme Space","currency":"USD","timezone":"Europe/Berlin","plan":"growth","events_this_month":123456,"active":true,"created_at":"2026-01-01T00:00:00Z"}}"#;

fn main() -> io::Result<()> {
    let shows = std::env::args().any(|argument| argument == "--show");
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}", listener.local_addr()?);
    thread::spawn(|| {
        while matches!(io::stdin().read(&mut [0]), Ok(1)) {}
        process::exit(0);
    });
    for stream in listener.incoming().flatten() {
        // A client that goes away is no failure.
        thread::spawn(move || serve(stream, shows));
    }
    Ok(())
}

fn serve(stream: TcpStream, mut shows: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(16 * 1024, stream);
    let length = BODY.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ndate: Tue, 24 Nov 2026 03:28:59 GMT\r\ncontent-type: application/json\r\n\
         cache-control: no-cache, private\r\nserver: cloudflare\r\ncf-ray: 8e7c0ffee0ddf00d-FRA\r\n\
         x-ratelimit-limit: 60\r\nx-ratelimit-remaining: 59\r\ncontent-length: {length}\r\n\r\n{BODY}"
    );
    let mut line = Vec::with_capacity(512);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if shows {
            print!("{}", String::from_utf8_lossy(&line));
        }
        // Only GETs are sent here, so the empty line ends the request.
        if line == b"\r\n" {
            shows = false;
            writer.write_all(answer.as_bytes())?;
        }
    }
}
