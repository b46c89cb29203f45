//! `docs/faults.md` 127: the work of reading a body grows as its size does, on every client. Counted in instructions, by
//! valgrind, at three sizes: time would say more of the machine than of the client.

use std::{
    env, io,
    process::{Command, ExitCode},
};

use cometly_conformance::{
    BoxError, Settings, adapters,
    fault_server::{Answer, FaultServer, Script},
};
use cometly_core::{Api, ApiKey};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Set in the process whose instructions are counted, to the URL of the body that it reads.
const BASE_URL: &str = "COMETLY_WORK_BASE_URL";
/// And to how many MiB these are.
const SIZE: &str = "COMETLY_WORK_SIZE";

const SIZES: [u32; 3] = [1, 4, 8];

/// By how much the last MiB may cost more than the first: threads, and how a body is cut into pieces, are another each time. With
/// work that grows with the square of the size it is more than twice as much.
const AT_MOST: f64 = 1.3;

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::from_args();
    if env::var_os(BASE_URL).is_some() {
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

fn len(size: u32) -> usize {
    usize::try_from(size).unwrap_or_default().saturating_mul(1 << 20)
}

fn the_work_of_reading_a_body_grows_as_its_size_does(client: &'static str) -> Result<Completion, String> {
    let script = Script::by(|_, request| {
        let size = request.request_line().split(['/', ' ']).find_map(|part| part.parse().ok()).unwrap_or_default();
        Answer::json(200, &format!("[{}]", "1".repeat(len(size).saturating_sub(2))))
    });
    let server = FaultServer::start(script).map_err(|error| error.to_string())?;
    let mut counts = Vec::new();
    for size in SIZES {
        let Some(count) = instructions(client, &server.base_url(), size)? else {
            return Ok(Completion::ignored_with("valgrind is not installed"));
        };
        counts.push(count);
    }
    let [one, four, eight] = counts.as_slice() else { return Err("there are three sizes".to_owned()) };
    let (first, last) = ((four - one) / 3.0, (eight - four) / 4.0);
    if last > first * AT_MOST {
        return Err(format!("a MiB costs {first:.0} instructions from 1 to 4 MiB, and {last:.0} from 4 to 8"));
    }
    Ok(Completion::Completed)
}

/// The instructions of a process that reads one body; `None` without valgrind.
fn instructions(client: &str, base_url: &str, size: u32) -> Result<Option<f64>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    valgrind.arg(program).arg(client).env(BASE_URL, base_url).env(SIZE, size.to_string());
    let output = match valgrind.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        output => output.map_err(|error| error.to_string())?,
    };
    let shown = String::from_utf8_lossy(&output.stderr);
    let counted = shown.lines().filter(|line| line.contains("refs:")).find_map(|line| line.split("refs:").nth(1));
    let counted = counted.and_then(|number| number.trim().replace(',', "").parse().ok());
    counted.filter(|_| output.status.success()).map(Some).ok_or_else(|| format!("{client}, {size} MiB: {shown}"))
}
