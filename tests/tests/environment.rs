//! What the environment of a process does to its clients: each row runs in a process of its own, on every client.

use std::{
    env,
    error::Error,
    fs::{self, File},
    process::{Command, ExitCode},
    time::Duration,
};

use cometly_conformance::{
    BoxError, ClientUnderTest, Proxy, Settings, Transport, adapters,
    fault_server::{Answer, Authority, FaultServer, Script, ServerCertificate},
};
use cometly_core::{Api, ApiKey, CallErrorKind, Delivery};
use libtest_mimic::{Arguments, Failed, Trial};

/// Names the row that this process runs.
const ROW: &str = "COMETLY_CONFORMANCE_ROW";

/// A row: what is in the environment, and what must come of it.
struct Row {
    name: &'static str,
    vars: &'static [(&'static str, &'static str)],
    run: fn(&dyn ClientUnderTest) -> Result<(), BoxError>,
}

const ROWS: &[Row] = &[
    Row {
        name: "without_certificates_plain_http_works_and_https_says_what_to_set",
        vars: &[("SSL_CERT_FILE", "/nonexistent/file"), ("SSL_CERT_DIR", "/nonexistent")],
        run: without_certificates,
    },
    Row {
        name: "certificates_that_go_away_stay_with_a_client_that_has_them",
        vars: &[("SSL_CERT_FILE", ROOTS), ("SSL_CERT_DIR", "/nonexistent")],
        run: certificates_that_go_away,
    },
    Row {
        name: "http_proxy_alone_is_not_for_https",
        vars: &[("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")],
        run: is_direct,
    },
    Row {
        name: "no_proxy_covers_blocks_of_addresses",
        vars: &[("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "10.0.0.0/8 127.0.0.0/8")],
        run: is_direct,
    },
    Row {
        name: "no_proxy_covers_all",
        vars: &[("ALL_PROXY", "http://127.0.0.1:1"), ("no_proxy", "*")],
        run: is_direct,
    },
    Row {
        name: "the_lower_case_name_wins",
        vars: &[("https_proxy", "http://127.0.0.1:1"), ("HTTPS_PROXY", "ftp://x")],
        run: is_proxied,
    },
    Row { name: "all_proxy_is_the_last_resort", vars: &[("ALL_PROXY", "http://127.0.0.1:1")], run: is_proxied },
    Row { name: "a_garbled_proxy_is_an_error", vars: &[("HTTPS_PROXY", "http://no proxy")], run: is_refused },
    Row {
        name: "a_scheme_that_nobody_can_use_is_an_error",
        vars: &[("ALL_PROXY", "socks://127.0.0.1:1")],
        run: is_refused,
    },
    Row { name: "many_open_files_are_told", vars: &[], run: many_files },
];

/// A file of certificates in the folder of the row's process.
const ROOTS: &str = "roots.pem";

/// Every variable that some stack reads.
const READ: [&str; 11] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "REQUEST_METHOD",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

fn main() -> Result<ExitCode, BoxError> {
    if let Ok(name) = env::var(ROW) {
        let row = ROWS.iter().find(|row| row.name == name).ok_or("no such row")?;
        // What is below cometly-tower has its own TLS, and its own proxies.
        for subject in adapters::all().into_iter().filter(|subject| subject.name() != "tower") {
            (row.run)(&*subject).map_err(|error| format!("{}: {error}", subject.name()))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let trials = ROWS.iter().map(|row| Trial::test(row.name, || run_in_child(row))).collect();
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

fn run_in_child(row: &Row) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(env::current_exe()?);
    child.current_dir(folder.path());
    for variable in READ {
        child.env_remove(variable);
    }
    let output = child.env(ROW, row.name).envs(row.vars.iter().copied()).output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

fn api(base_url: &str) -> Result<Api, BoxError> {
    Ok(Api::builder(ApiKey::new("12|abcdefghijklmnop")?).base_url(base_url.parse()?).build())
}

fn connect(subject: &dyn ClientUnderTest, settings: &Settings) -> Result<Box<dyn Transport>, BoxError> {
    subject.connect(settings)?.ok_or_else(|| "it has no such choice".into())
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let causes: Vec<_> =
        std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect();
    causes.join(": ")
}

/// The call comes to the server, which speaks no TLS.
fn is_direct(subject: &dyn ClientUnderTest) -> Result<(), BoxError> {
    let server = FaultServer::start(Script::always(Answer::close()))?;
    let settings = Settings::default().proxy(Proxy::Environment).deadline(Duration::from_millis(500));
    let client = connect(subject, &settings)?;
    let sent = client.send(api(&server.base_url().replace("http://", "https://"))?.get("events"));
    if server.connections() == 0 { Err(format!("it went elsewhere: {sent:?}").into()) } else { Ok(()) }
}

/// The call does not come to the server.
fn is_proxied(subject: &dyn ClientUnderTest) -> Result<(), BoxError> {
    let server = FaultServer::start(Script::always(Answer::close()))?;
    let client = connect(subject, &Settings::default().proxy(Proxy::Environment))?;
    let sent = client.send(api(&server.base_url().replace("http://", "https://"))?.get("events"));
    let error = sent.err().ok_or("the proxy is closed")?;
    let shown = chain(&error);
    if server.connections() == 0
        && error.delivery() == Some(Delivery::NotSent)
        && shown.contains("proxy http://127.0.0.1:1")
    {
        return Ok(());
    }
    // reqwest does not say at which of two closed ports it failed.
    if server.connections() == 0 && subject.name().starts_with("reqwest") { Ok(()) } else { Err(shown.into()) }
}

/// No client is made.
fn is_refused(subject: &dyn ClientUnderTest) -> Result<(), BoxError> {
    match subject.connect(&Settings::default().proxy(Proxy::Environment)) {
        Err(error) if chain(&*error).contains("_PROXY") => Ok(()),
        Err(error) => Err(format!("the variable is not named: {}", chain(&*error)).into()),
        Ok(client) => Err(format!("it was made: {client:?}").into()),
    }
}

fn without_certificates(subject: &dyn ClientUnderTest) -> Result<(), BoxError> {
    let server = FaultServer::start(Script::always(Answer::json(200, "{}")))?;
    let client = connect(subject, &Settings::default())?;
    if client.send(api(&server.base_url())?.get("events"))?.error().is_some() {
        return Err("plain http needs no certificates".into());
    }
    let tls = ServerCertificate::self_signed(&["127.0.0.1"])?;
    let tls = FaultServer::start_tls(&tls, Script::always(Answer::json(200, "{}")))?;
    let error = client.send(api(&tls.base_url())?.get("events")).err().ok_or("nothing is trusted")?;
    let shown = chain(&error);
    let is_told = error.kind() == CallErrorKind::Setup && shown.contains("SSL_CERT_FILE");
    if is_told && tls.arrivals() == 0 { Ok(()) } else { Err(shown.into()) }
}

// `docs/faults.md` 143.
fn certificates_that_go_away(subject: &dyn ClientUnderTest) -> Result<(), BoxError> {
    let authority = Authority::new()?;
    let server = FaultServer::start_tls(&authority.issue(&["127.0.0.1"])?, Script::always(Answer::json(200, "{}")))?;
    fs::write(ROOTS, authority.pem())?;
    let client = connect(subject, &Settings::default())?;
    let send = || client.send(api(&server.base_url())?.get("events")).map_err(BoxError::from);
    if send()?.error().is_some() {
        return Err("the certificates of the file are trusted, and a call that the server answers by 200 failed".into());
    }
    fs::remove_file(ROOTS)?;
    if !client.close_idle() {
        return Ok(());
    }
    match send() {
        Ok(outcome) if outcome.error().is_none() => Ok(()),
        // ureq and libcurl read them again for new connections, and the error names the variable.
        Err(error) if !subject.name().starts_with("reqwest") && chain(&*error).contains("SSL_CERT_FILE") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn many_files(subject: &dyn ClientUnderTest) -> Result<(), BoxError> {
    let server = FaultServer::start(Script::always(Answer::json(200, "{}")))?;
    let client = connect(subject, &Settings::default())?;
    let mut held = Vec::new();
    for _ in 0..1_100 {
        match File::open(env::current_exe()?) {
            Ok(file) => held.push(file),
            // The limit of this process is lower: there is nothing to be seen.
            Err(_) => return Ok(()),
        }
    }
    match client.send(api(&server.base_url())?.get("events")) {
        Ok(outcome) if outcome.error().is_none() => Ok(()),
        Err(error) if subject.name().starts_with("isahc") && chain(&error).contains("1,023 files") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}
