//! Proxies: none but the one that is named.

use std::{io::Write as _, thread, time::Duration};

use cometly_core::{CallErrorKind, Delivery, RetryPolicy};

use crate::{
    Arrivals, BoxError, Case, CaseResult, Gap, HttpClient, Proxy, Scenario, Settings, authority,
    cases::{cases, serve_tls, wait_for_bytes},
    environment::NO_PROXY,
    fault_server::{Answer, ClosedPort, Script},
    scenario::{NotSupported, assert_delivery, assert_success},
};

pub(super) const CASES: &[Case] = cases![
    no_proxy_of_the_environment_is_used,
    a_users_client_uses_no_proxy_of_the_environment,
    the_environments_proxy_is_used_when_asked_for,
    a_named_proxy_gets_connect_and_not_the_key,
    a_connection_through_a_proxy_is_kept,
    a_connection_through_a_proxy_that_was_closed_is_replaced,
    no_proxy_gets_to_read_what_is_not_encrypted,
    a_proxys_password_is_not_shown,
    a_proxy_that_refuses_is_asked_once,
    a_socks_proxy_that_refuses_is_asked_once,
    a_proxy_of_a_scheme_that_cannot_be_used_is_never_passed_over,
    the_environments_no_proxy_is_read_with_blanks_and_dots,
    a_proxy_that_is_none_is_refused_before_anything_is_sent,
];

/// `docs/faults.md` 19.
fn no_proxy_of_the_environment_is_used(scenario: &Scenario<'_>) -> CaseResult {
    without_proxy(scenario, &Settings::default())
}

/// `docs/faults.md` 19.
fn a_users_client_uses_no_proxy_of_the_environment(scenario: &Scenario<'_>) -> CaseResult {
    without_proxy(scenario, &Settings::default().users_client())
}

fn without_proxy(scenario: &Scenario<'_>, settings: &Settings) -> CaseResult {
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        assert!(std::env::var_os(variable).is_some(), "the suite sets {variable} to a closed port");
    }
    let plain = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let tls = serve_tls(scenario, Script::always(Answer::json(200, "{}")))?;
    let client = scenario.connect(settings)?;
    assert_success(&scenario.send(&*client, scenario.api(&plain.base_url())?.get("events"))?);
    // A user's client has its own certificate store: it is enough that it did not go through a proxy.
    let answer = scenario.send(&*client, scenario.api(&tls.base_url())?.get("events"));
    assert_eq!(tls.connections(), 1, "the number of connections that were made: {answer:?}");
    assert_eq!(plain.arrivals(), 1, "the number of requests that arrived");
    Ok(Arrivals::checked_by_the_case())
}

fn the_environments_proxy_is_used_when_asked_for(scenario: &Scenario<'_>) -> CaseResult {
    let server = serve_tls(scenario, Script::always(Answer::json(200, "{}")))?;
    let client = scenario.connect(&Settings::default().proxy(Proxy::Environment))?;
    let answer = scenario.send(&*client, scenario.api(&server.base_url())?.get("events"));
    let error = answer.err().ok_or("the environment's proxy is closed, and yet there is an answer")?;
    assert_delivery(&error, Delivery::NotSent);
    assert_eq!(server.connections(), 0, "the number of connections that were made");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 20.
fn no_proxy_gets_to_read_what_is_not_encrypted(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let proxy = scenario.serve_proxy(None)?;
    for choice in [Proxy::Named(proxy.url()), Proxy::Environment] {
        let client = scenario.connect(&Settings::default().proxy(choice))?;
        assert_success(&scenario.send(&*client, scenario.api(&server.base_url())?.get("events"))?);
    }
    assert!(proxy.heads().is_empty(), "a proxy gets no call that is not encrypted");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 20.
fn a_named_proxy_gets_connect_and_not_the_key(scenario: &Scenario<'_>) -> CaseResult {
    let server = serve_tls(scenario, Script::always(Answer::json(200, "{}")))?;
    let proxy = scenario.serve_proxy(None)?;
    let client = scenario.connect(&Settings::default().proxy(Proxy::Named(proxy.url())))?;
    // The environment's NO_PROXY is not asked for either.
    let local =
        scenario.send(&*client, scenario.api(&server.base_url().replace("127.0.0.1", "localhost"))?.get("events"));
    assert_eq!(proxy.heads().len(), 1, "the number of requests to the proxy: {local:?}");
    let proxy = scenario.serve_proxy(None)?;
    let client = scenario.connect(&Settings::default().proxy(Proxy::Named(proxy.url())))?;
    assert_success(&scenario.send(&*client, scenario.api(&server.base_url())?.get("events"))?);
    let [head] = proxy.heads().try_into().map_err(|_| "the proxy was used once")?;
    assert_eq!(
        head.request_line(),
        format!("CONNECT {} HTTP/1.1", server.address()),
        "the proxy is asked for a tunnel to the server"
    );
    assert_eq!(head.header("authorization"), <[String; 0]>::default(), "the proxy gets no Authorization");
    assert_eq!(head.count(scenario.secret()), 0, "the proxy gets the key nowhere");
    Ok(Arrivals::of(&server))
}

fn a_connection_through_a_proxy_is_kept(scenario: &Scenario<'_>) -> CaseResult {
    if scenario.has_gap(Gap::KeptTunnels) {
        return Err(NotSupported.into());
    }
    let server = serve_tls(scenario, Script::always(Answer::json(200, "{}")))?;
    let proxy = scenario.serve_proxy(None)?;
    let client = scenario.connect(&Settings::default().proxy(Proxy::Named(proxy.url())).reuse(true))?;
    for _ in 0..3 {
        assert_success(&scenario.send(&*client, scenario.api(&server.base_url())?.get("events"))?);
    }
    assert_eq!((proxy.heads().len(), server.connections()), (1, 1), "tunnels, and connections behind them");
    Ok(Arrivals::of(&server))
}

fn a_connection_through_a_proxy_that_was_closed_is_replaced(scenario: &Scenario<'_>) -> CaseResult {
    let server = serve_tls(scenario, Script::always(Answer::json(200, "{}").then_close()))?;
    let proxy = scenario.serve_proxy(None)?;
    let client = scenario.connect(&Settings::default().proxy(Proxy::Named(proxy.url())).reuse(true))?;
    for _ in 0..3 {
        assert_success(&scenario.send(&*client, scenario.api(&server.base_url())?.post("events/track"))?);
        // Until the client has seen the end of its idle connection.
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(proxy.heads().len(), 3, "the number of tunnels");
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 3.
fn a_proxys_password_is_not_shown(scenario: &Scenario<'_>) -> CaseResult {
    let password = scenario.secret().rsplit('|').next().unwrap_or_default();
    let closed = scenario.serve(Script::always(Answer::close()))?.origin();
    let url = closed.replace("http://", &format!("http://user:{password}@"));
    // `connect` looks at the client's Debug, `send` at the error.
    let client = scenario.connect(&Settings::default().proxy(Proxy::Named(url)))?;
    let error = scenario.send(&*client, scenario.api("https://127.0.0.1/v1")?.get("events")).err();
    assert_eq!(error.and_then(|error| error.delivery()), Some(Delivery::NotSent), "what is said of the delivery");
    Ok(Arrivals::counted(0))
}

/// `docs/faults.md` 99.
fn a_proxy_that_refuses_is_asked_once(scenario: &Scenario<'_>) -> CaseResult {
    let password = scenario.secret().rsplit('|').next().unwrap_or_default();
    for (status, answer) in [
        ("407", "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"),
        ("403", "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nno!!!"),
    ] {
        for settings in [Settings::default(), Settings::default().reuse(true), Settings::default().users_client()] {
            let proxy = scenario.serve_proxy(Some(answer))?;
            let place = proxy.url().replace("http://", "");
            let settings = settings.proxy(Proxy::Named(format!("http://user:{password}@{place}")));
            // isahc and reqwest show no status but, reqwest, that one.
            let is_told =
                scenario.client_name() == "ureq" || (status == "407" && scenario.client_name().starts_with("reqwest"));
            is_asked_once(scenario, settings, &place, is_told.then_some(status), || proxy.heads().len())?;
            let mut passwords = proxy.heads().into_iter().map(|head| head.header("proxy-authorization").len());
            assert!(passwords.all(|given| given == 1), "the password was given each time");
        }
    }
    Ok(Arrivals::counted(0))
}

/// `docs/faults.md` 99.
fn a_socks_proxy_that_refuses_is_asked_once(scenario: &Scenario<'_>) -> CaseResult {
    // "No acceptable methods" (RFC 1928 §3).
    let refusing = || {
        scenario.serve_raw(|mut stream, _| {
            wait_for_bytes(&mut stream)?;
            stream.write_all(&[5, 0xff])
        })
    };
    for settings in [Settings::default(), Settings::default().reuse(true), Settings::default().users_client()] {
        let proxy = refusing()?;
        let place = proxy.address().to_string();
        let settings = settings.proxy(Proxy::Named(format!("socks5h://{place}")));
        if scenario.connect(&settings).is_err() {
            return Err(NotSupported.into());
        }
        is_asked_once(scenario, settings, &place, None, || proxy.connections())?;
    }
    Ok(Arrivals::counted(0))
}

/// A GET and a POST, each of which the proxy at `place` refuses; `status`, if the client can tell it.
fn is_asked_once(
    scenario: &Scenario<'_>,
    settings: Settings,
    place: &str,
    status: Option<&str>,
    asked: impl Fn() -> usize,
) -> Result<(), BoxError> {
    // On a client of the user's, libcurl may have sent the call on a kept connection before it asked the proxy anew.
    let is_unsure = settings.client == HttpClient::Users && scenario.client_name().starts_with("isahc");
    let client = scenario.connect(&settings.clone().retry_policy(RetryPolicy::default()))?;
    let api = scenario.api("https://127.0.0.1:1/v1")?;
    if is_unsure {
        let error = client.send(api.post("events/track").json("x")).err().ok_or("the proxy opened no tunnel")?;
        assert_eq!((error.delivery(), asked()), (Some(Delivery::Unknown), 1), "{error:?}");
        return Ok(());
    }
    for (number, call) in [api.get("events"), api.post("events/track").json("x")].into_iter().enumerate() {
        // `send` looks for the password.
        let error = scenario.send(&*client, call).err().ok_or("the proxy opened no tunnel")?;
        assert_delivery(&error, Delivery::NotSent);
        assert!(matches!(error.kind(), CallErrorKind::Proxy(_)), "{settings:?}: {error:?}");
        assert_eq!(asked(), number.saturating_add(1), "{settings:?}: asked again");
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        let shown = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        assert!(shown.contains(place) && shown.contains("proxy"), "{settings:?}: {shown}");
        assert!(status.is_none_or(|status| shown.contains(status)), "{settings:?}: {shown}");
    }
    Ok(())
}

fn a_proxy_of_a_scheme_that_cannot_be_used_is_never_passed_over(scenario: &Scenario<'_>) -> CaseResult {
    let server = serve_tls(scenario, Script::always(Answer::json(200, "{}")))?;
    for scheme in ["socks", "socks4", "socks4a", "socks5", "socks5h", "ftp", "quic", "HTTPX", "file"] {
        let closed = ClosedPort::bind()?;
        let url = format!("{scheme}://{}", closed.address());
        match scenario.connect(&Settings::default().proxy(Proxy::Named(url))) {
            Err(error) if error.is::<NotSupported>() => return Err(error),
            Err(_) => {}
            // One that can be used is used.
            Ok(client) => {
                let error = scenario.send(&*client, scenario.api(&server.base_url())?.get("events")).err();
                assert_eq!(
                    error.and_then(|error| error.delivery()),
                    Some(Delivery::NotSent),
                    "what is said of the delivery: {scheme}"
                );
            }
        }
    }
    assert_eq!(server.connections(), 0, "the number of connections that were made");
    Ok(Arrivals::of(&server))
}

fn the_environments_no_proxy_is_read_with_blanks_and_dots(scenario: &Scenario<'_>) -> CaseResult {
    assert_eq!(std::env::var("NO_PROXY").as_deref(), Ok(NO_PROXY), "the suite sets NO_PROXY");
    let server = scenario.serve_tls(&authority()?.issue(&["localhost"])?, Script::always(Answer::json(200, "{}")))?;
    let client = scenario.connect(&Settings::default().proxy(Proxy::Environment))?;
    let base_url = server.base_url().replace("127.0.0.1", "localhost");
    assert_success(&scenario.send(&*client, scenario.api(&base_url)?.get("events"))?);
    Ok(Arrivals::of(&server))
}

fn a_proxy_that_is_none_is_refused_before_anything_is_sent(scenario: &Scenario<'_>) -> CaseResult {
    let proxy = Proxy::Named("http://not a proxy".to_owned());
    match scenario.connect(&Settings::default().proxy(proxy)) {
        Err(error) if error.is::<NotSupported>() => Err(error),
        Err(_) => Ok(Arrivals::counted(0)),
        Ok(client) => Err(format!("white space is in no URL: {client:?}").into()),
    }
}
