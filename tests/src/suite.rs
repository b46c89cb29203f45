//! Runs every case on every client.

use std::{
    env, fs, io,
    net::TcpListener,
    path::PathBuf,
    process::{Command, ExitCode},
    sync::Arc,
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::{
    ClientUnderTest,
    canary::capture_logs,
    cases,
    environment::{AUTHORITY_FILE, NO_PROXY, trust},
    fault_server::Authority,
    verdict::{self, Verdict},
};

/// Every variable that names a proxy to one of the stacks.
const PROXY_VARIABLES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// Runs the suite as a test program does: a line for each client and case, filters and `--list` as arguments.
///
/// The cases run in a child process whose environment is hostile: each proxy variable names a port that is
/// closed, so that a transport which reads them unasked reaches nothing; and the system's certificate store is one that
/// trusts the suite's own authority.
///
/// # Errors
/// If the child cannot be prepared or started.
pub fn run(subjects: Vec<Box<dyn ClientUnderTest>>) -> io::Result<ExitCode> {
    run_without(subjects, &[])
}

/// The same without the cases of these names.
///
/// # Errors
/// As [`run`], and if there is no case of one of the names.
pub fn run_without(subjects: Vec<Box<dyn ClientUnderTest>>, left_out: &[&str]) -> io::Result<ExitCode> {
    if let Some(unknown) = left_out.iter().find(|name| cases::all().iter().all(|case| case.name != **name)) {
        return Err(io::Error::other(format!("there is no case {unknown}")));
    }
    match env::var_os(AUTHORITY_FILE) {
        Some(file) => {
            let authority = Authority::new().map_err(io::Error::other)?;
            fs::write(PathBuf::from(file), authority.pem())?;
            trust(authority)?;
            capture_logs();
            Ok(run_all(subjects, left_out))
        }
        None => run_in_child(),
    }
}

fn run_in_child() -> io::Result<ExitCode> {
    let file = env::temp_dir().join(format!("cometly-conformance-{}.pem", std::process::id()));
    let closed = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let mut child = Command::new(env::current_exe()?);
    child
        .args(env::args_os().skip(1))
        .env(AUTHORITY_FILE, &file)
        .env("SSL_CERT_FILE", &file)
        .env_remove("SSL_CERT_DIR");
    for variable in PROXY_VARIABLES {
        child.env(variable, format!("http://{closed}"));
    }
    child.env("NO_PROXY", NO_PROXY).env_remove("no_proxy");
    let status = child.status();
    // Left behind only if the child did not get as far as writing it.
    let _ = fs::remove_file(&file);
    Ok(status?.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn run_all(subjects: Vec<Box<dyn ClientUnderTest>>, left_out: &[&str]) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most cases wait for a socket, not for the processor.
    arguments.test_threads.get_or_insert(8);
    let mut trials = Vec::new();
    for subject in subjects.into_iter().map(Arc::<dyn ClientUnderTest>::from) {
        for case in cases::all().into_iter().filter(|case| !left_out.contains(&case.name)) {
            let subject = Arc::clone(&subject);
            let name = format!("{}::{}", subject.name(), case.name);
            trials.push(Trial::ignorable_test(name, move || match verdict::of(subject.as_ref(), &case) {
                Verdict::Passed => Ok(Completion::Completed),
                Verdict::NotSupported(why) => Ok(Completion::ignored_with(why)),
                Verdict::Failed(report) => Err(Failed::from(report)),
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
