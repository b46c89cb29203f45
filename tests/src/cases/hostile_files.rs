//! A host of files with random faults: what is read of a file is its own bytes, and a file that is whole is all of them.

use std::{
    collections::HashMap,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cometly_core::{Api, Call, DecodeError, Download, Endpoint, Export, ExportId, ExportOrder, ExportOrdered, Reply};

use super::{
    hostile::calls_and_seed,
    hostile_plan::{below, mixed},
};
use crate::{
    Arrivals, BoxError, Case, CaseResult, Downloaded, Gap, Scenario, Settings,
    cases::cases,
    fault_server::{Act, Answer, Received, Script},
    scenario::NotSupported,
};

pub(super) const CASES: &[Case] = cases![
    a_file_from_a_host_of_random_faults_is_whole_or_an_error,
    a_file_whose_head_was_cut_is_asked_for_again_and_is_no_empty_one,
    a_file_that_ends_before_its_last_byte_goes_on_there,
    a_host_that_sends_what_is_no_byte_of_the_file_is_left,
];

const CALLERS: usize = 16;
/// A file is asked for several times, with pauses of whole seconds: far fewer of them than calls.
const CALLS_FOR_A_FILE: usize = 12;
const FILE: usize = 60_000;
/// After this many requests, a file comes without faults.
const FAULTS: u64 = 3;
/// The pauses between a few requests, and the silences that are waited for.
const AT_MOST: Duration = Duration::from_secs(40);

/// Exports of nothing in particular.
struct Orders;

impl Endpoint for Orders {
    type Output = ExportOrdered;

    fn call(&self, api: &Api) -> Call {
        api.post("exports")
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<ExportOrdered, DecodeError> {
        reply.json()
    }
}

impl ExportOrder for Orders {
    fn status_call(api: &Api, id: &ExportId) -> Call {
        api.get("exports/{id}").segment(id)
    }
}

/// The bytes of a file: no two places in it are alike for long.
fn file(id: usize) -> Vec<u8> {
    let seed = u64::try_from(id).unwrap_or_default();
    (0..).flat_map(|n| mixed(seed.wrapping_mul(1 << 32).wrapping_add(n)).to_le_bytes()).take(FILE).collect()
}

fn export(host: &str, id: usize) -> String {
    format!(r#"{{"export_id":"x-{id}","status":"completed","download_url":"{host}/files/{id}/?sign=1"}}"#)
}

/// The number after this text in the request line.
fn id(request: &Received, before: &str) -> Option<usize> {
    let line = request.request_line();
    let (_, rest) = line.split_once(before)?;
    rest.split(['/', ' ', '?']).next()?.parse().ok()
}

/// Where a `Range` begins; 0 without one.
fn start(request: &Received) -> usize {
    let range = request.header("range");
    let start = range.first().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    start.unwrap_or_default()
}

fn answer(id: usize, start: usize, chance: u64, is_sound: bool, may_break: bool) -> Answer {
    let file = file(id);
    let rest = file.get(start..).unwrap_or_default();
    let part = || match start {
        0 => "HTTP/1.1 200 OK\r\nETag: \"1\"\r\n".to_owned(),
        _ => format!(
            "HTTP/1.1 206 Partial\r\nETag: \"1\"\r\nContent-Range: bytes {start}-{}/{FILE}\r\n",
            FILE.saturating_sub(1)
        ),
    };
    let with = |head: &str, body: &[u8]| Bytes::from([head.as_bytes(), b"\r\n", body].concat());
    let length = format!("{}Content-Length: {}\r\n", part(), rest.len());
    let whole = || Answer::raw(with(&length, rest));
    if is_sound {
        return whole();
    }
    let cut = rest.get(..below(rest.len(), chance >> 8)).unwrap_or_default();
    let end = if chance.is_multiple_of(2) { Act::Close } else { Act::Reset };
    let pause = Act::Pause(Duration::from_millis(30));
    let chunk = |body: &[u8]| [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat();
    let chunked = format!("{}Transfer-Encoding: chunked\r\n", part());
    match (chance >> 40) % 15 {
        0 => Answer::raw(with(&chunked, &[chunk(rest), b"0\r\n\r\n".to_vec()].concat())),
        1 => Answer::raw(with(&chunked, &chunk(if cut.is_empty() { rest } else { cut }))).then(pause).then(end),
        2..5 => Answer::raw(with(&length, cut)).then(pause).then(end),
        5 => Answer::raw(with(&length, cut)).then(Act::Hold(Duration::from_secs(30))),
        6 => Answer::raw(Bytes::copy_from_slice(
            length.get(..below(length.len(), chance)).unwrap_or_default().as_bytes(),
        ))
        .then(pause)
        .then(end),
        7 => Answer::close(),
        8 => Answer::reset(),
        // The URL has expired.
        9 => Answer::json(403, "<Error/>"),
        10 => Answer::whole(503, &[("Retry-After", "1")], "slow down"),
        11 => Answer::redirect(302, "http://127.0.0.1:9/elsewhere"),
        // From its beginning, whatever was asked for; and the file of another day.
        12 => {
            let head = format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {FILE}\r\n");
            Answer::raw(with(&head, &file))
        }
        13 => {
            let head = length.replace("\"1\"", "\"2\"");
            Answer::raw(with(&head, rest))
        }
        // A body without a length that breaks.
        _ if may_break => Answer::raw(with(&part(), cut)).then(pause).then(Act::Reset),
        _ => whole(),
    }
}

/// `docs/faults.md` 68, 134.
fn a_file_from_a_host_of_random_faults_is_whole_or_an_error(scenario: &Scenario<'_>) -> CaseResult {
    let (calls, seed) = calls_and_seed()?;
    let files = calls.div_ceil(CALLS_FOR_A_FILE);
    let may_break = !scenario.has_gap(Gap::BrokenEnds);
    let asked: Mutex<HashMap<usize, u64>> = Mutex::default();
    let host = scenario.serve(Script::by(move |_, request| {
        let Some(id) = id(request, "/files/") else { return Answer::close() };
        let number = asked.lock().map_or(0, |mut asked| {
            let number = asked.entry(id).or_default();
            *number = number.saturating_add(1);
            *number
        });
        let place = u64::try_from(id).unwrap_or_default().wrapping_mul(64).wrapping_add(number);
        let chance = mixed(seed.wrapping_mul(0x9e37_79b9).wrapping_add(place));
        answer(id, start(request), chance, number > FAULTS, may_break)
    }))?;
    let origin = host.origin();
    let server = scenario.serve(Script::by(move |_, request| {
        id(request, "/exports/x-").map_or_else(Answer::close, |id| Answer::json(200, &export(&origin, id)))
    }))?;
    let settings = Settings::default().attempt_timeout(Duration::from_millis(800));
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&settings)?);
    let (client, origin) = (&*client, host.origin());
    let read = |id: usize| -> Option<(usize, Result<Downloaded, BoxError>, Duration)> {
        let begun = Instant::now();
        let export: Result<Export, _> = serde_json::from_str(&export(&origin, id));
        let download = export.map_err(BoxError::from);
        let download = download.and_then(|export| Ok(Download::of::<Orders>(&export, &api)?));
        match download {
            Ok(download) => Some((id, Ok(client.download(&api, download)?), begun.elapsed())),
            Err(error) => Some((id, Err(error), begun.elapsed())),
        }
    };
    let all: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| scope.spawn(move || (caller..files).step_by(CALLERS).filter_map(read).collect::<Vec<_>>()))
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap_or_default()).collect()
    });
    if all.is_empty() {
        return Err(NotSupported.into());
    }
    assert_eq!(all.len(), files, "a download panicked");
    let mut whole = 0_usize;
    for (id, read, took) in all {
        let read = read?;
        let (len, shown) = (read.file.len(), format!("seed {seed}, file {id}: {:?}", read.end));
        assert!(file(id).starts_with(&read.file), "{shown}: {len} bytes are not the file's");
        assert!(read.end.is_err() || len == FILE, "{shown}: {len} bytes were taken for a whole file");
        assert!(took < AT_MOST, "{shown}: it took {took:?}");
        whole = whole.saturating_add(usize::from(read.end.is_ok()));
    }
    // A change of the file and a redirect are final; all else is got over.
    assert!(whole.saturating_mul(2) > files, "{whole} of {files} files came whole");
    let given_away = host.requests().iter().filter(|request| request.count(scenario.secret()) > 0).count();
    assert_eq!(given_away, 0, "the host was given the key");
    Ok(Arrivals::checked_by_the_case())
}

/// `docs/faults.md` 111, 133.
fn a_file_whose_head_was_cut_is_asked_for_again_and_is_no_empty_one(scenario: &Scenario<'_>) -> CaseResult {
    let cut = |head: &'static str| Answer::raw(head).then_close();
    let script = Script::sequence([
        cut("HTTP/1.1 200 OK\r\nETag: \"1\"\r\n"),
        cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"),
        Answer::raw("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 4\r\n\r\nfile"),
    ]);
    let (read, starts) = file_of(scenario, &Settings::default(), script)?;
    read.end?;
    assert_eq!((read.file.as_slice(), starts.len()), (&b"file"[..], 3), "the file, and the requests that it took");
    Ok(Arrivals::checked_by_the_case())
}

/// What a client read of a file whose host gives these answers, and the byte from which each request asked for it.
fn file_of(scenario: &Scenario<'_>, settings: &Settings, script: Script) -> Result<(Downloaded, Vec<usize>), BoxError> {
    let host = scenario.serve(script)?;
    let (api, client) =
        (scenario.api(&host.base_url().replace("127.0.0.1", "127.0.0.2"))?, scenario.connect(settings)?);
    let download = Download::of::<Orders>(&serde_json::from_str(&export(&host.origin(), 1))?, &api)?;
    let read = client.download(&api, download).ok_or(NotSupported)?;
    Ok((read, host.requests().iter().map(start).collect()))
}

/// `docs/faults.md` 68: a part that tells no length of its own ends with its connection.
fn a_file_that_ends_before_its_last_byte_goes_on_there(scenario: &Scenario<'_>) -> CaseResult {
    let script = Script::sequence([
        Answer::raw("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 8\r\n\r\nth").then_close(),
        Answer::raw("HTTP/1.1 206 Partial\r\nETag: \"1\"\r\nContent-Range: bytes 2-7/8\r\n\r\ne fi").then_close(),
        Answer::raw("HTTP/1.1 206 Partial\r\nETag: \"1\"\r\nContent-Range: bytes 6-7/8\r\n\r\nle").then_close(),
    ]);
    let (read, starts) = file_of(scenario, &Settings::default(), script)?;
    read.end?;
    assert_eq!(
        (read.file.as_slice(), starts),
        (&b"the file"[..], vec![0, 2, 6]),
        "the file, and where it was asked from"
    );
    Ok(Arrivals::checked_by_the_case())
}

/// `docs/faults.md` 129.
fn a_host_that_sends_what_is_no_byte_of_the_file_is_left(scenario: &Scenario<'_>) -> CaseResult {
    let slowly = |bytes: &'static [u8]| Act::Repeat {
        bytes: Bytes::from_static(bytes),
        every: Duration::from_millis(20),
        times: 1_500,
    };
    let chunked = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nTransfer-Encoding: chunked\r\n";
    let script = Script::sequence([
        // A head without an end, digits of a chunk's size, trailers.
        Answer::raw(format!("{chunked}X: ")).then(slowly(b"y")),
        Answer::raw(format!("{chunked}\r\n2\r\nth\r\n")).then(slowly(b"0")),
        Answer::raw(
            "HTTP/1.1 206 Partial\r\nETag: \"1\"\r\nContent-Range: bytes 2-7/8\r\nTransfer-Encoding: chunked\r\n\r\n\
             4\r\ne fi\r\n0\r\n",
        )
        .then(slowly(b"X: y\r\n")),
        Answer::raw("HTTP/1.1 206 Partial\r\nETag: \"1\"\r\nContent-Range: bytes 6-7/8\r\nContent-Length: 2\r\n\r\nle"),
    ]);
    let settings = Settings::default().attempt_timeout(Duration::from_millis(800));
    let begun = Instant::now();
    let (read, starts) = file_of(scenario, &settings, script)?;
    read.end?;
    assert_eq!(
        (read.file.as_slice(), starts),
        (&b"the file"[..], vec![0, 0, 2, 6]),
        "the file, and where it was asked from"
    );
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?}", begun.elapsed());
    Ok(Arrivals::checked_by_the_case())
}
