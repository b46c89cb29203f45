//! The servers of one flavour, in a process of their own.

use std::{
    env, fs,
    io::{self, BufRead as _, Write as _},
    process,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use cometly_conformance::{
    BoxError,
    fault_server::{Act, Answer, Authority, ClosedPort, FaultServer, Received, Script},
};
use cometly_emulator::{Emulator, Fault};
use serde_json::{Value, json};

use crate::{
    MAX_BODY,
    plan::{CONTACTS, Random},
};

/// Says where the servers are, and when told to end, or left, what came to them.
pub(crate) fn run() -> Result<(), BoxError> {
    let book = Arc::<Mutex<Book>>::default();
    let authority = Authority::new()?;
    let pem = env::temp_dir().join(format!("cometly-soak-{}.pem", process::id()));
    fs::write(&pem, authority.pem())?;
    let plain = FaultServer::start(by(&book))?;
    let tls = FaultServer::start_tls(&authority.issue(&["127.0.0.1"])?, by(&book))?;
    let closing = FaultServer::start(Script::always(Answer::json(200, "{}").then_close()))?;
    let emulator = emulator()?;
    let dead = ClosedPort::bind()?;
    say(&json!({
        "plain": plain.base_url(),
        "tls": tls.base_url(),
        "closing": closing.base_url(),
        "emulator": emulator.base_url(),
        "dead": dead.base_url(),
        "key": emulator.keys().full,
        "pem": pem,
    }))?;
    let servers = [&plain, &tls, &closing];
    wait_for_the_end(|| servers.iter().for_each(|server| server.forget()));
    fs::remove_file(&pem)?;
    let strays = book.lock().unwrap_or_else(PoisonError::into_inner).strays();
    say(&json!({
        "plain": plain.arrivals(),
        "tls": tls.arrivals(),
        "closing": closing.arrivals(),
        "emulator": emulator.request_count(),
        "strays": strays,
    }))
}

fn say(value: &Value) -> Result<(), BoxError> {
    writeln!(io::stdout(), "{value}")?;
    Ok(io::stdout().flush()?)
}

/// Until a line comes, or stdin ends.
fn wait_for_the_end(mut meanwhile: impl FnMut()) {
    let (over, is_over) = mpsc::channel();
    thread::spawn(move || {
        let _ = io::stdin().lock().read_line(&mut String::new());
        let _ = over.send(());
    });
    while let Err(mpsc::RecvTimeoutError::Timeout) = is_over.recv_timeout(Duration::from_secs(1)) {
        meanwhile();
    }
}

fn emulator() -> Result<Emulator, BoxError> {
    let emulator = Emulator::builder().no_limits().keep_requests(0).start()?;
    let millis = Duration::from_millis;
    for (number, step) in (1_usize..).zip(CONTACTS) {
        let fault = match step.name {
            "slow, 50 ms" => Fault::slow(millis(50)),
            "slow, 300 ms" => Fault::slow(millis(300)),
            "slow, 600 ms" => Fault::slow(millis(600)),
            "trickle" => Fault::trickle(millis(1)),
            "cut body" => Fault::cut_body(),
            "endless" => Fault::endless(),
            "reset before" => Fault::reset_before(),
            "reset after" => Fault::reset_after(),
            "silence" => Fault::silence(),
            "unauthenticated" => Fault::unauthenticated(),
            "forbidden" => Fault::forbidden(),
            "inactive subscription" => Fault::inactive_subscription(),
            "too many requests" => Fault::too_many_requests(1),
            "500" => Fault::server_error(500),
            "502" => Fault::server_error(502),
            "maintenance" => Fault::maintenance(1),
            "login redirect" => Fault::login_redirect(),
            "Cloudflare challenge" => Fault::cloudflare_challenge(),
            "WAF challenge" => Fault::waf_challenge(),
            "HTML page" => Fault::html_page(),
            other => return Err(format!("no such fault: {other}").into()),
        };
        emulator.inject(fault.for_path(&format!("/contacts/{number}")));
    }
    Ok(emulator)
}

/// What arrived of each call, by its number.
#[derive(Default)]
struct Book {
    calls: Vec<Entry>,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    seen: u8,
    due: u8,
}

impl Book {
    /// Takes note of a try, and says which one it is.
    fn note(&mut self, call: usize, due: usize) -> usize {
        if self.calls.len() <= call {
            self.calls.resize(call.saturating_add(1), Entry::default());
        }
        let Some(entry) = self.calls.get_mut(call) else { return 0 };
        let seen = usize::from(entry.seen);
        entry.seen = entry.seen.saturating_add(1);
        entry.due = u8::try_from(due).unwrap_or(u8::MAX);
        seen
    }

    /// How many calls came more or less often than they should.
    fn strays(&self) -> usize {
        self.calls.iter().filter(|entry| entry.seen != entry.due).count()
    }
}

/// Each call brings its plan along: `/public-api/v1/soak/NUMBER/half.503.fine`.
fn by(book: &Arc<Mutex<Book>>) -> Script {
    let book = Arc::clone(book);
    Script::by(move |_, request| {
        let unplanned = || Answer::json(404, r#"{"message":"no plan"}"#);
        let Some((number, plan)) = plan(request) else { return unplanned() };
        let due = plan.split('.').count();
        let seen = book.lock().unwrap_or_else(PoisonError::into_inner).note(number, due);
        plan.split('.').nth(seen).map_or_else(unplanned, |step| answer(step, number))
    })
}

fn plan(request: &Received) -> Option<(usize, String)> {
    let line = request.request_line();
    let path = line.split(' ').nth(1)?.strip_prefix("/public-api/v1/soak/")?;
    let (number, plan) = path.split_once('/')?;
    Some((number.parse().ok()?, plan.to_owned()))
}

/// A moment later, so that all callers wait most of the time and not the processor.
fn answer(step: &str, number: usize) -> Answer {
    let drawn = Random(u64::try_from(number).unwrap_or_default()).below(400);
    let pause = if step == "late" { drawn.saturating_add(1_000) } else { drawn };
    now(step, number).after(Duration::from_millis(pause))
}

fn now(step: &str, number: usize) -> Answer {
    const MOMENT: Act = Act::Pause(Duration::from_millis(20));
    let own = format!("{{\"call\":{number}}}");
    let limited = |wait| {
        let headers = [("x-ratelimit-limit", "7"), ("x-ratelimit-remaining", "0"), ("retry-after", wait)];
        Answer::whole(429, &headers, r#"{"message":"Too Many Attempts."}"#)
    };
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let longer = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"a\":";
    match step {
        "fine" | "late" => Answer::json(200, &own),
        "announced close" => Answer::whole(200, &[("connection", "close")], &own).then_close(),
        "chunks" => Answer::raw(format!("{chunked}{:x}\r\n{own}\r\n0\r\n\r\n", own.len())),
        "401" => Answer::json(401, r#"{"message":"Unauthenticated."}"#),
        "403" => Answer::json(403, r#"{"message":"Invalid ability provided."}"#),
        "422" => Answer::json(422, r#"{"message":"Invalid.","errors":{"a":["b"]}}"#),
        "429" => limited("0"),
        "429-1" => limited("1"),
        "500" => Answer::json(500, r#"{"message":"Server Error"}"#),
        "502" => Answer::html(502, "<title>502 Bad Gateway</title>"),
        "503" => Answer::html(503, "<title>503</title>"),
        "503-1" => Answer::whole(503, &[("retry-after", "1")], r#"{"message":"Service Unavailable"}"#),
        "reset" => Answer::reset(),
        "close" => Answer::close(),
        "half" => Answer::raw(longer).then_close(),
        "half-chunk" => Answer::raw(format!("{chunked}20\r\n{{}}")).then_close(),
        "half-reset" => Answer::raw(longer).then(MOMENT).then(Act::Reset),
        "garbage" => Answer::raw("SSH-2.0-OpenSSH_9.2\r\n\r\n").then_close(),
        "silence" => Answer::silence(),
        "crawl" => {
            Answer::raw(longer).then(Act::Repeat { bytes: " ".into(), every: Duration::from_millis(200), times: 150 })
        }
        "huge" => Answer::json(200, &format!("[{}]", "1".repeat(MAX_BODY))),
        "endless" => {
            let chunk = format!("1000\r\n{}\r\n", "1".repeat(0x1000));
            Answer::raw(chunked).then(Act::Repeat { bytes: chunk.into(), every: Duration::ZERO, times: 100_000 })
        }
        "page" => Answer::html(200, "<title>Welcome to our guest network</title>"),
        "redirect" => Answer::redirect(302, "/login"),
        _ => Answer::json(404, r#"{"message":"no such step"}"#),
    }
}
