//! All flavours at once, each a process of this program beside one with its servers.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cometly_conformance::adapters;
use lexopt::ValueExt as _;
use serde_json::Value;

use crate::{
    Result,
    report::{self, Report},
};

/// Until a process that was to end is ended: the last calls, and what a client does to close.
const GRACE: Duration = Duration::from_secs(75);

/// Whether all outcomes were as planned, all attempts arrived, and nothing grew.
pub(crate) fn run() -> Result<bool> {
    let (mut minutes, mut seed, mut arguments) = (2.0_f64, 1_u64, lexopt::Parser::from_env());
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("minutes") => minutes = arguments.value()?.parse()?,
            lexopt::Arg::Long("seed") => seed = arguments.value()?.parse()?,
            other => return Err(format!("{}; `cargo xtask soak --help` says what is known", other.unexpected()).into()),
        }
    }
    let time = Duration::try_from_secs_f64(minutes * 60.0)?;
    let program = env::current_exe()?;
    let mut pairs = Vec::new();
    for (flavour, seed) in adapters::all().iter().map(|flavour| flavour.name()).zip(seed..) {
        pairs.push(Pair::start(&program, flavour, time, seed)?);
    }
    let deadline = Instant::now().checked_add(time.saturating_add(GRACE)).ok_or("--minutes is too long")?;
    let reports: Result<Vec<_>> = pairs.into_iter().map(|pair| pair.end(deadline)).collect();
    let reports = reports?;
    let mut output = io::stdout();
    output.write_all(report::table(&reports).as_bytes())?;
    let violations: Vec<_> = reports.iter().flat_map(Report::violations).collect();
    let verdict = match violations.as_slice() {
        [] => "\nAll outcomes were as planned, all attempts arrived, and nothing grew.\n".to_owned(),
        violations => format!("\n{}\n", violations.join("\n")),
    };
    output.write_all(verdict.as_bytes())?;
    Ok(violations.is_empty())
}

/// The process of a flavour, and that of its servers.
struct Pair {
    flavour: &'static str,
    client: Running,
    server: Running,
}

impl Pair {
    fn start(program: &PathBuf, flavour: &'static str, time: Duration, seed: u64) -> Result<Self> {
        let mut server = Running::start(Command::new(program).arg("server"))?;
        let places = server.line()?;
        let told: Value = serde_json::from_str(&places)?;
        let pem = told.get("pem").and_then(Value::as_str).ok_or("the server has a certificate")?;
        let mut client = Command::new(program);
        client.args(["client", flavour, &time.as_secs().to_string(), &seed.to_string()]);
        client.env("SSL_CERT_FILE", pem).env_remove("SSL_CERT_DIR");
        let mut client = Running::start(&mut client)?;
        client.tell(&places)?;
        Ok(Self { flavour, client, server })
    }

    /// Waits until the client has ended, then ends the server, and puts together what both say.
    fn end(mut self, deadline: Instant) -> Result<Report> {
        self.client.wait(deadline)?;
        let client = self.client.rest()?;
        self.server.tell("\n")?;
        self.server.wait(Instant::now().checked_add(GRACE).unwrap_or(deadline))?;
        Ok(Report::new(self.flavour, &client, &self.server.rest()?))
    }
}

/// A process of ours; it is ended when it is dropped.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("it was asked for")?);
        Ok(Self { child, output })
    }

    fn tell(&mut self, text: &str) -> Result<()> {
        let mut input = self.child.stdin.take().ok_or("its stdin is taken once")?;
        Ok(input.write_all(text.as_bytes())?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }

    fn rest(&mut self) -> Result<String> {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest)?;
        Ok(rest)
    }

    /// Ends it if it does not end by itself: then it has said nothing, and is reported.
    fn wait(&mut self, deadline: Instant) -> Result<()> {
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error is one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
