//! Connections that are kept, and addresses that are dark.

use std::{
    env, fs,
    net::{SocketAddr, TcpStream},
    process::{self, Command},
    thread,
    time::{Duration, Instant},
};

use cometly_core::{Delivery, RetryPolicy, TransportLimits};

use crate::scenario::{assert_success, attempts};
use crate::{
    Arrivals, BoxError, Case, CaseResult, Gap, Scenario, Sent, Settings,
    cases::cases,
    environment::AUTHORITY_FILE,
    fault_server::{Act, Answer, Script},
    scenario::NotSupported,
    wait_until,
};

pub(super) const CASES: &[Case] = cases![
    the_second_try_is_made_on_a_new_connection,
    the_second_try_is_made_on_a_new_connection_however_soon_it_comes,
    the_second_try_of_a_client_without_settings_is_made_on_a_new_connection,
    a_new_connection_to_a_host_with_a_dark_address_is_not_late,
    idle_connections_are_closed_when_asked_for,
];

/// `docs/faults.md` 100.
fn the_second_try_is_made_on_a_new_connection(scenario: &Scenario<'_>) -> CaseResult {
    second_try(scenario, Duration::from_secs(1), RetryPolicy::default(), Answer::silence())
}

/// `docs/faults.md` 100.
fn the_second_try_is_made_on_a_new_connection_however_soon_it_comes(scenario: &Scenario<'_>) -> CaseResult {
    let pause = Duration::from_millis(50);
    second_try(scenario, Duration::from_millis(300), RetryPolicy::default().initial_backoff(pause), Answer::silence())
}

/// `docs/faults.md` 100.
fn the_second_try_of_a_client_without_settings_is_made_on_a_new_connection(scenario: &Scenario<'_>) -> CaseResult {
    let policy = RetryPolicy::default().initial_backoff(Duration::from_millis(50));
    // libcurl itself sends again what got not a byte.
    let cut = Answer::raw("HTTP/1.1 200 OK\r\n").then(Act::Reset);
    second_try(scenario, TransportLimits::DEFAULT_ATTEMPT_TIMEOUT, policy, cut)
}

fn second_try(
    scenario: &Scenario<'_>,
    attempt_timeout: Duration,
    policy: RetryPolicy,
    second_answer: Answer,
) -> CaseResult {
    if scenario.has_gap(Gap::FreshConnections) {
        return Err(NotSupported.into());
    }
    // The second request on a connection gets no answer: it went dark, as behind a NAT that forgot it, or is cut.
    let seen = std::sync::Mutex::new(std::collections::HashSet::new());
    let server = scenario.serve(Script::by(move |_, request| {
        let is_first = seen.lock().is_ok_and(|mut seen| seen.insert(request.connection));
        if is_first { Answer::json(200, "{}").after(Duration::from_millis(100)) } else { second_answer.clone() }
    }))?;
    let settings = Settings::default().reuse(true).attempt_timeout(attempt_timeout).retry_policy(policy);
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&settings)?);
    let client = &*client;
    let sent: Vec<Sent> = thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| client.send(api.get("events")))).collect();
        callers.into_iter().filter_map(|caller| caller.join().ok()).collect()
    });
    for sent in sent {
        assert_success(&scenario.noted(sent)?);
    }
    let outcome = scenario.send(client, api.get("events"))?;
    assert!(outcome.error().is_none() && attempts(&outcome) <= 2, "a success after two attempts at most: {outcome:?}");
    Ok(Arrivals::of(&server))
}

/// Linux drops what comes to a listener whose queue is full. Held until it is dropped.
struct Dark {
    _listener: socket2::Socket,
    _queued: Vec<TcpStream>,
}

impl Dark {
    fn at(address: SocketAddr) -> Result<Self, BoxError> {
        let listener = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
        listener.bind(&address.into())?;
        listener.listen(0)?;
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(stream);
            if queued.len() > 100 {
                return Err("a full queue takes more connections".into());
            }
        }
        Ok(Self { _listener: listener, _queued: queued })
    }
}

/// Set in a process for which `localhost` has two addresses.
const HAS_HOSTS: &str = "COMETLY_CONFORMANCE_HOSTS";

/// `docs/faults.md` 106.
fn a_new_connection_to_a_host_with_a_dark_address_is_not_late(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let port = server.address().port();
    let resolved = std::net::ToSocketAddrs::to_socket_addrs(&("localhost", port))?;
    let Some(other) = resolved.into_iter().find(SocketAddr::is_ipv6) else {
        return with_two_addresses(scenario);
    };
    let _dark = Dark::at(other)?;
    let client = scenario.client()?;
    let begun = Instant::now();
    let api = scenario.api(&format!("http://localhost:{port}/public-api/v1"))?;
    match scenario.send(&*client, api.get("events")) {
        Ok(outcome) => assert_success(&outcome),
        // Not one of ours: a stack of one's own may try one address after the other, and be late.
        Err(error) if error.delivery() == Some(Delivery::NotSent) && !client.close_idle() => {
            return Err(NotSupported.into());
        }
        Err(error) => return Err(error.into()),
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(2_500), "it took {took:?}");
    Ok(Arrivals::of(&server))
}

/// Runs this case in a process with a hosts file of its own, where the machine's gives `localhost` one address only.
fn with_two_addresses(scenario: &Scenario<'_>) -> CaseResult {
    let hosts = env::temp_dir().join(format!("cometly-conformance-hosts-{}-{}", process::id(), scenario.client_name()));
    let mount = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]);
        command.arg(&hosts);
        command
    };
    fs::write(&hosts, "::1 localhost\n127.0.0.1 localhost\n")?;
    let is_permitted = mount().arg("true").output().is_ok_and(|output| output.status.success());
    let name = format!("{}::a_new_connection_to_a_host_with_a_dark_address_is_not_late", scenario.client_name());
    let ran = if is_permitted && env::var_os(HAS_HOSTS).is_none() {
        let mut program = mount();
        program.arg(env::current_exe()?).args(["--exact", &name]).env(HAS_HOSTS, "1").env_remove(AUTHORITY_FILE);
        program.output()
    } else {
        let _ = fs::remove_file(&hosts);
        // `localhost` has no second address that could be dark, and this user may make no mount namespace.
        return Err(NotSupported.into());
    };
    let _ = fs::remove_file(&hosts);
    let output = ran?;
    let shown = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && shown.contains("1 ignored") {
        return Err(NotSupported.into());
    }
    if output.status.success() && shown.contains("1 passed") {
        return Ok(Arrivals::checked_by_the_case());
    }
    Err(format!("in a process where `localhost` has two addresses: {shown}").into())
}

fn idle_connections_are_closed_when_asked_for(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&Settings::default().reuse(true))?);
    assert_success(&scenario.send(&*client, api.get("events"))?);
    if !client.close_idle() {
        return Err(NotSupported.into());
    }
    assert!(wait_until(|| server.open_connections() == 0), "a connection is still open");
    assert_success(&scenario.send(&*client, api.post("events/track").json("x"))?);
    assert_eq!(server.connections(), 2, "each call after the closing makes a new connection");
    Ok(Arrivals::of(&server))
}
