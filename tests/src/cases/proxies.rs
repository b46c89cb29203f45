//! Proxies: none but the one that is named.

use cometly_core::Delivery;

use crate::{
    Arrivals, Case, Played, Proxy, Settings, Stage,
    cases::{cases, serve_tls},
    fault_server::{Answer, ConnectProxy, Script},
    stage::NotOffered,
};

pub(super) const CASES: &[Case] = cases![
    no_proxy_of_the_environment_is_used,
    a_users_client_uses_no_proxy_of_the_environment,
    the_environments_proxy_is_used_when_asked_for,
    a_named_proxy_gets_connect_and_not_the_key,
    no_proxy_gets_to_read_what_is_not_encrypted,
    a_proxys_password_is_not_shown,
    a_proxy_that_is_none_is_refused_before_anything_is_sent,
];

/// `docs/faults.md` 19.
fn no_proxy_of_the_environment_is_used(stage: &Stage<'_>) -> Played {
    without_proxy(stage, &Settings::default())
}

/// `docs/faults.md` 19.
fn a_users_client_uses_no_proxy_of_the_environment(stage: &Stage<'_>) -> Played {
    without_proxy(stage, &Settings::default().users_client())
}

fn without_proxy(stage: &Stage<'_>, settings: &Settings) -> Played {
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        assert!(std::env::var_os(variable).is_some(), "the suite sets {variable} to a closed port");
    }
    let plain = stage.serve(Script::always(Answer::json(200, "{}")))?;
    let tls = serve_tls(Script::always(Answer::json(200, "{}")))?;
    let client = stage.connect(settings)?;
    assert!(stage.send(&*client, stage.api(&plain.base_url())?.get("events"))?.error().is_none());
    // A user's client has its own certificate store: it is enough that it did not go through a proxy.
    let answer = stage.send(&*client, stage.api(&tls.base_url())?.get("events"));
    assert_eq!(tls.connections(), 1, "{answer:?}");
    assert_eq!(plain.arrivals(), 1);
    Ok(Arrivals::checked_by_the_case())
}

/// `docs/faults.md` 103.
fn the_environments_proxy_is_used_when_asked_for(stage: &Stage<'_>) -> Played {
    let server = serve_tls(Script::always(Answer::json(200, "{}")))?;
    let client = stage.connect(&Settings::default().proxy(Proxy::Environment))?;
    let answer = stage.send(&*client, stage.api(&server.base_url())?.get("events"));
    let error = answer.err().ok_or("the environment's proxy is closed, and yet there is an answer")?;
    assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error:?}");
    assert_eq!(server.connections(), 0);
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 20.
fn no_proxy_gets_to_read_what_is_not_encrypted(stage: &Stage<'_>) -> Played {
    let server = stage.serve(Script::always(Answer::json(200, "{}")))?;
    let proxy = ConnectProxy::start()?;
    for choice in [Proxy::Named(proxy.url()), Proxy::Environment] {
        let client = stage.connect(&Settings::default().proxy(choice))?;
        assert!(stage.send(&*client, stage.api(&server.base_url())?.get("events"))?.error().is_none());
    }
    assert!(proxy.heads().is_empty());
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 20.
fn a_named_proxy_gets_connect_and_not_the_key(stage: &Stage<'_>) -> Played {
    let server = serve_tls(Script::always(Answer::json(200, "{}")))?;
    let proxy = ConnectProxy::start()?;
    let client = stage.connect(&Settings::default().proxy(Proxy::Named(proxy.url())))?;
    assert!(stage.send(&*client, stage.api(&server.base_url())?.get("events"))?.error().is_none());
    let [head] = proxy.heads().try_into().map_err(|_| "the proxy was used once")?;
    assert_eq!(head.request_line(), format!("CONNECT {} HTTP/1.1", server.address()));
    assert_eq!(head.header("authorization"), <[String; 0]>::default());
    assert_eq!(head.count(stage.secret()), 0);
    Ok(Arrivals::of(&server))
}

/// `docs/faults.md` 3.
fn a_proxys_password_is_not_shown(stage: &Stage<'_>) -> Played {
    let password = stage.secret().rsplit('|').next().unwrap_or_default();
    let closed = stage.serve(Script::always(Answer::close()))?.origin();
    let url = closed.replace("http://", &format!("http://user:{password}@"));
    // `connect` looks at the client's Debug, `send` at the error.
    let client = stage.connect(&Settings::default().proxy(Proxy::Named(url)))?;
    let error = stage.send(&*client, stage.api("https://127.0.0.1/v1")?.get("events")).err();
    assert_eq!(error.and_then(|error| error.delivery()), Some(Delivery::NotSent));
    Ok(Arrivals::counted(0))
}

/// `docs/faults.md` 103.
fn a_proxy_that_is_none_is_refused_before_anything_is_sent(stage: &Stage<'_>) -> Played {
    let proxy = Proxy::Named("http://not a proxy".to_owned());
    match stage.connect(&Settings::default().proxy(proxy)) {
        Err(error) if error.is::<NotOffered>() => Err(error),
        Err(_) => Ok(Arrivals::counted(0)),
        Ok(client) => Err(format!("white space is in no URL: {client:?}").into()),
    }
}
