//! `docs/faults.md` 127: the work of reading a body grows as its size does, on every client, and is that of its HTTP stack alone.
//! Counted in instructions, by valgrind, at three sizes up to the cap: time would say more of the machine than of the client.

use std::{
    env, io,
    process::{Command, ExitCode},
};

use cometly_conformance::{
    BoxError, Settings, adapters,
    fault_server::{Answer, FaultServer, Script},
};
use cometly_core::{Api, ApiKey};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy, rt::TokioExecutor};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Set in the process whose instructions are counted, to the URL of the body that it reads.
const BASE_URL: &str = "COMETLY_WORK_BASE_URL";
/// And to how many MiB these are.
const SIZE: &str = "COMETLY_WORK_SIZE";

/// And whether it is read by the HTTP stack alone.
const RAW: &str = "COMETLY_WORK_RAW";

/// The last one is the largest body that a client reads by default.
const SIZES: [u32; 3] = [1, 8, 32];

/// By how much the last MiB may cost more than the first: threads, and how a body is cut into pieces, are another each time. With
/// work that grows with the square of the size it is four times as much.
const AT_MOST: f64 = 1.3;

/// By how much a MiB may cost more than it does the HTTP stack alone.
const AT_MOST_OF_RAW: f64 = 1.1;
/// The same on isahc in a debug build, where the timer beside its future is dear, and is looked at for each piece.
const AT_MOST_OF_RAW_ISAHC_IN_DEBUG: f64 = 1.5;

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::from_args();
    if env::var_os(BASE_URL).is_some() {
        let read = if env::var_os(RAW).is_some() { read_raw } else { read };
        let read = arguments.filter.as_deref().ok_or_else(|| "no client".into()).and_then(read);
        return read.map(|()| ExitCode::SUCCESS).map_err(|error| io::Error::other(error.to_string()));
    }
    let trials = adapters::all().into_iter().map(|subject| {
        let client = subject.name();
        let name = format!("{client}::the_work_of_reading_a_body_grows_as_its_size_does");
        Trial::ignorable_test(name, move || {
            the_work_of_reading_a_body_grows_as_its_size_does(client).map_err(Failed::from)
        })
    });
    Ok(libtest_mimic::run(&arguments, trials.collect()).exit_code())
}

/// Reads the body as this client does.
fn read(client: &str) -> Result<(), BoxError> {
    let size = env::var(SIZE)?;
    let subjects = adapters::all();
    let subject = subjects.iter().find(|subject| subject.name() == client).ok_or("no such client")?;
    let transport = subject.connect(&Settings::default())?.ok_or("no client has these settings")?;
    let api = Api::builder(ApiKey::new("12|abc")?).base_url(env::var(BASE_URL)?.parse()?).build();
    let reply = transport.send(api.get("events/{size}").segment(&size))?.into_result()?;
    assert_eq!(reply.body().len(), len(size.parse()?));
    Ok(())
}

/// Reads the body as a program without this client does.
fn read_raw(client: &str) -> Result<(), BoxError> {
    let size = env::var(SIZE)?;
    let url = format!("{}/events/{size}", env::var(BASE_URL)?);
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let read = match client {
        "reqwest" | "reqwest-blocking" => runtime()?.block_on(async {
            let http = cometly_reqwest::reqwest::Client::builder().no_proxy().build()?;
            http.get(url).send().await?.bytes().await.map(|body| body.len())
        })?,
        "ureq" => {
            let mut answer = cometly_ureq::ureq::get(url).config().proxy(None).build().call()?;
            answer.body_mut().with_config().limit(64 << 20).read_to_vec()?.len()
        }
        "isahc" | "isahc-blocking" => {
            use cometly_isahc::isahc::ReadResponseExt as _;
            cometly_isahc::isahc::get(url)?.bytes()?.len()
        }
        "tower" => runtime()?.block_on(async {
            let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
            let answer = http.get(url.parse()?).await?;
            Ok::<_, BoxError>(answer.into_body().collect().await?.to_bytes().len())
        })?,
        _ => return Err("no such client".into()),
    };
    assert_eq!(read, len(size.parse()?));
    Ok(())
}

fn len(size: u32) -> usize {
    usize::try_from(size).unwrap_or_default().saturating_mul(1 << 20)
}

fn the_work_of_reading_a_body_grows_as_its_size_does(client: &'static str) -> Result<Completion, String> {
    let script = Script::by(|_, request| {
        let size = request.request_line().split(['/', ' ']).find_map(|part| part.parse().ok()).unwrap_or_default();
        Answer::json(200, &format!("[{}]", "1".repeat(len(size).saturating_sub(2))))
    });
    let server = FaultServer::start(script).map_err(|error| error.to_string())?;
    let (Some(ours), Some(raw)) = (a_mib(client, &server.base_url(), false)?, a_mib(client, &server.base_url(), true)?)
    else {
        return Ok(Completion::ignored_with("valgrind is not installed"));
    };
    let ((first, last), (_, raw)) = (ours, raw);
    if last > first * AT_MOST {
        return Err(format!("a MiB costs {first:.0} instructions from 1 to 8 MiB, and {last:.0} from 8 to 32"));
    }
    let is_slow = client.starts_with("isahc") && cfg!(debug_assertions);
    if last > raw * if is_slow { AT_MOST_OF_RAW_ISAHC_IN_DEBUG } else { AT_MOST_OF_RAW } {
        return Err(format!("a MiB costs {last:.0} instructions, and {raw:.0} by the HTTP stack alone"));
    }
    Ok(Completion::Completed)
}

/// The instructions of a MiB, among the first ones and among the last ones; `None` without valgrind.
fn a_mib(client: &str, base_url: &str, is_raw: bool) -> Result<Option<(f64, f64)>, String> {
    let mut counts = Vec::new();
    for size in SIZES {
        let Some(count) = instructions(client, base_url, size, is_raw)? else { return Ok(None) };
        counts.push(count);
    }
    let [one, eight, most] = counts.as_slice() else { return Err("there are three sizes".to_owned()) };
    Ok(Some(((eight - one) / 7.0, (most - eight) / 24.0)))
}

/// The instructions of a process that reads one body; `None` without valgrind.
fn instructions(client: &str, base_url: &str, size: u32, is_raw: bool) -> Result<Option<f64>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    valgrind.arg(program).arg(client).env(BASE_URL, base_url).env(SIZE, size.to_string());
    if is_raw {
        valgrind.env(RAW, "1");
    }
    let output = match valgrind.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        output => output.map_err(|error| error.to_string())?,
    };
    let shown = String::from_utf8_lossy(&output.stderr);
    let counted = shown.lines().filter(|line| line.contains("refs:")).find_map(|line| line.split("refs:").nth(1));
    let counted = counted.and_then(|number| number.trim().replace(',', "").parse().ok());
    counted.filter(|_| output.status.success()).map(Some).ok_or_else(|| format!("{client}, {size} MiB: {shown}"))
}
