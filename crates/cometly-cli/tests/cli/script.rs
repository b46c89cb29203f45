//! A server that answers by script: for what an emulator does not do.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// One request as it came: its head, and its body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct Server {
    pub(crate) base_url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers the n-th request, from 0, with what `script` makes of it; nothing at all for the empty text.
    pub(crate) fn start(script: impl Fn(usize, &Request) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/public-api/v1", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (script, record) = (Arc::new(script), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, record) = (Arc::clone(&script), Arc::clone(&record));
                thread::spawn(move || serve(stream.unwrap(), &record, &*script));
            }
        });
        Self { base_url, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Until this many requests have come.
    pub(crate) fn wait_for(&self, count: usize) {
        while self.seen().len() < count {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn serve(mut stream: TcpStream, record: &Mutex<Vec<Request>>, script: &dyn Fn(usize, &Request) -> String) {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    let head = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break String::from_utf8_lossy(&read.drain(..end + 4).collect::<Vec<_>>()).into_owned();
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    while read.len() < length.unwrap_or(0) {
        let count = stream.read(&mut buffer).unwrap();
        read.extend_from_slice(&buffer[..count]);
    }
    let request = Request { head, body: String::from_utf8(read).unwrap() };
    let number = {
        let mut record = record.lock().unwrap();
        record.push(request.clone());
        record.len() - 1
    };
    let _ = stream.write_all(script(number, &request).as_bytes());
}

/// A whole answer.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn json(status: u16, body: &str) -> String {
    answer(status, "Content-Type: application/json\r\n", body)
}
