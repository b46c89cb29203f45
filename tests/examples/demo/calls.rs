//! The calls of the demo: what is asked, and what must come of it on every stack.

use std::thread;

use cometly_conformance::{Sent, Transport};
use cometly_core::{Api, Call, RetryPolicy, bytes::Bytes, http::Request};
use serde_json::json;

use crate::Result;

use super::scene::Scene;

pub(crate) struct Row {
    /// In words.
    pub(crate) asked: &'static str,
    /// As [`Made`](super::table::Made) puts it.
    pub(crate) expected: &'static str,
    /// When the client sends it again.
    pub(crate) retry_policy: fn() -> RetryPolicy,
    pub(crate) play: fn(&Scene, &dyn Transport) -> Result<Sent>,
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        asked: "GET /companies with a good key",
        expected: "Success, 200",
        retry_policy: RetryPolicy::none,
        play: |scene, client| Ok(client.send(first_company(&scene.api()?))),
    },
    Row {
        asked: "… with a wrong key",
        expected: "Unauthenticated, 401",
        retry_policy: RetryPolicy::none,
        play: |scene, client| Ok(client.send(first_company(&scene.opened_by("1|wrong")?))),
    },
    Row {
        asked: "… by a hand-made request without a key",
        expected: "Unauthenticated, 401",
        retry_policy: RetryPolicy::none,
        play: |scene, client| bare(scene, client, "application/json"),
    },
    Row {
        asked: "… with a key that lacks the permission",
        expected: "Forbidden (Permission), 403",
        retry_policy: RetryPolicy::none,
        play: |scene, client| Ok(client.send(first_company(&scene.opened_by(&scene.emulator.keys().no_permission)?))),
    },
    Row {
        asked: "… with a key of an inactive subscription",
        expected: "Forbidden (InactiveSubscription), 403",
        retry_policy: RetryPolicy::none,
        play: |scene, client| Ok(client.send(first_company(&scene.opened_by(&scene.emulator.keys().inactive)?))),
    },
    Row {
        asked: "… by a hand-made request that does not ask for JSON",
        expected: "Unexpected (Redirect), 302",
        retry_policy: RetryPolicy::none,
        play: |scene, client| bare(scene, client, "*/*"),
    },
    Row {
        asked: "POST /events/track, an event",
        expected: "Success, 202",
        retry_policy: RetryPolicy::none,
        play: |scene, client| Ok(client.send(track(&scene.api()?, &sign_up()))),
    },
    Row {
        asked: "… without the event's name",
        expected: "Rejected, 422",
        retry_policy: RetryPolicy::none,
        play: |scene, client| Ok(client.send(track(&scene.api()?, &json!({"email": "ada@example.com"})))),
    },
    Row {
        asked: "… to a firewall that asks for a challenge",
        expected: "Unexpected (Challenge), 202",
        retry_policy: RetryPolicy::none,
        play: |scene, client| Ok(client.send(track(&scene.behind_a_firewall()?, &sign_up()))),
    },
    Row {
        asked: "… to a server that is gone",
        expected: "Transport, NotSent",
        retry_policy: RetryPolicy::none,
        play: |scene, client| Ok(client.send(track(&scene.gone()?, &sign_up()))),
    },
    Row {
        asked: "PUT /events, which is no verb of it",
        expected: "Rejected, 405",
        retry_policy: RetryPolicy::none,
        play: |scene, client| Ok(client.send(scene.api()?.put("events").json(&json!({})))),
    },
    Row {
        asked: "GET /events for the 8th time in a minute, retries off",
        expected: "RateLimited, 429",
        retry_policy: RetryPolicy::none,
        play: |scene, client| {
            let api = scene.api()?;
            use_up(client, &api)?;
            Ok(client.send(january(&api)))
        },
    },
    Row {
        asked: "… and sent again when the server says so",
        expected: "Success, 200, 2 attempts",
        retry_policy: RetryPolicy::default,
        play: |scene, client| {
            let api = scene.hurried_api()?;
            use_up(client, &api)?;
            Ok(client.send(january(&api)))
        },
    },
    Row {
        asked: "… and the key is revoked and rotated while it waits",
        expected: "Success, 200, 2 attempts",
        retry_policy: RetryPolicy::default,
        play: |scene, client| {
            let api = scene.hurried_api()?;
            use_up(client, &api)?;
            thread::scope(|scope| {
                scope.spawn(|| scene.rotate_soon(&api));
                Ok(client.send(january(&api)))
            })
        },
    },
    Row {
        asked: "GET /events during an outage, retries off",
        expected: "ServerError, 503",
        retry_policy: RetryPolicy::none,
        play: |scene, client| Ok(client.send(january(&scene.during_an_outage()?))),
    },
];

/// The one call that is also made on other servers: it reads a single row, and changes nothing.
pub(crate) fn first_company(api: &Api) -> Call {
    api.get("companies").query("per_page", 1)
}

fn january(api: &Api) -> Call {
    api.get("events").query("start_date", "2026-01-01 00:00:00").query("end_date", "2026-02-01 00:00:00")
}

/// Makes the seven calls that `GET /events` allows in a window.
fn use_up(client: &dyn Transport, api: &Api) -> Result<()> {
    for _ in 0..7 {
        let _counted = client.send(january(api))?;
    }
    Ok(())
}

fn sign_up() -> serde_json::Value {
    json!({"event_name": "sign_up", "email": "ada@example.com"})
}

fn track(api: &Api, event: &serde_json::Value) -> Call {
    api.post("events/track").json(event)
}

/// A request without `authorize`, as by a caller who forgot it.
fn bare(scene: &Scene, client: &dyn Transport, accept: &str) -> Result<Sent> {
    let request = Request::get(format!("{}/companies", scene.emulator.base_url()));
    let request = request.header("accept", accept).body(Bytes::new())?;
    Ok(client.send_request(request, &scene.api()?))
}
