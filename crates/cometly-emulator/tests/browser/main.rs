//! The page in a browser. Without `/usr/bin/chromium` this test says so and passes.
//!
//! `COMETLY_EMULATOR_PICTURES=folder` has it leave pictures of the page there.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "the lints do not know a test's helper for a test")]

mod chromium;
#[path = "../wire/mod.rs"]
mod wire;

use std::env;
use std::path::Path;
use std::time::Duration;

use chromium::Chromium;
use cometly_emulator::{Emulator, Fault};
use serde_json::json;
use wire::{EVENTS, TRACK, call, send, with};

const HOSTILE: &str = "<img src=x onerror=\"window.hacked = true\"></pre><script>window.hacked = true</script>";

fn with_a_little_of_everything() -> Emulator {
    let emulator = Emulator::builder().seed(7).start().unwrap();
    let key = emulator.keys().full.clone();
    for name in ["Ada Mason", "Radia Potter"] {
        let event = json!({ "event_name": "purchase", "email": "ada@example.com", "full_name": name, "amount": 49.5 });
        send(&emulator, "POST", TRACK, &with(&key), &event.to_string());
    }
    for _ in 0..5 {
        send(&emulator, "GET", &format!("{EVENTS}&per_page=50"), &with(&key), "");
    }
    call(&emulator, &emulator.keys().no_permission, "GET", "/companies", "");
    call(&emulator, &key, "PUT", "/contacts/7", r#"{"phones":["+12025550107"]}"#);
    call(&emulator, &key, "GET", "/contacts/nobody", "");
    emulator
}

#[test]
fn calls_appear_a_switch_is_felt_and_hostile_text_is_text() {
    let emulator = with_a_little_of_everything();
    let Some(mut page) = Chromium::open(&emulator.page_url()) else {
        eprintln!("skipped: there is no /usr/bin/chromium");
        return;
    };
    let key = &emulator.keys().full;
    page.size(1280, 1000, false);
    page.until("document.getElementById('status').textContent === 'live'");
    page.until("document.querySelectorAll('#call-rows tr.call').length === 10");

    // A call appears as it comes.
    send(&emulator, "GET", "/public-api/v1/nowhere", &with(key), "");
    page.until("document.querySelector('#call-rows .line').textContent === 'GET /nowhere'");
    assert_eq!(page.value("document.querySelector('#call-rows .outcome').firstChild.textContent"), "404");
    page.until("document.querySelector('#call-rows .outcome').textContent.includes('The route public-api/v1/nowhere could not be found.')");

    // Opened, it shows what was asked and what was answered, side by side.
    page.value("document.querySelector('#call-rows .line').click(), null");
    page.until("document.querySelectorAll('#call-rows .opened h3').length === 2");
    let pair = "[...document.querySelectorAll('#call-rows .opened section')].map((side) => side.textContent)";
    let sides = page.value(pair);
    assert!(sides[0].as_str().unwrap().contains("accept: application/json"), "{sides}");
    assert!(sides[1].as_str().unwrap().contains("could not be found"), "{sides}");
    let tops =
        "[...document.querySelectorAll('#call-rows .opened section')].map((side) => side.getBoundingClientRect().top)";
    let tops = page.value(tops);
    assert_eq!(tops[0], tops[1], "they are side by side");

    page.until("document.getElementById('count').textContent === '11'");
    let secret = key.split_once('|').unwrap().1;
    let everything = page.value("document.documentElement.outerHTML").to_string();
    assert!(!everything.contains(secret) && everything.contains("Bearer ••••"));

    // A switch, thrown by the keyboard, is felt by the next call, and so is throwing it back.
    page.press("fault-server_error");
    page.until("document.getElementById('fault-server_error').getAttribute('aria-checked') === 'true'");
    assert_eq!(emulator.faults().len(), 1);
    assert_eq!(call(&emulator, key, "GET", "/companies", "").status, "500 Internal Server Error");
    page.until("document.querySelector('#call-rows tr').textContent.includes('server_error, not carried out')");
    page.press("fault-server_error");
    page.until("document.getElementById('fault-server_error').getAttribute('aria-checked') === 'false'");
    assert_eq!(call(&emulator, key, "GET", "/companies", "").status, "200 OK");

    // A switch that was thrown elsewhere moves by itself.
    emulator.inject(Fault::reset_after().for_path("/events/track").share(0.25, 1));
    page.until("document.getElementById('fault-reset_after').getAttribute('aria-checked') === 'true'");

    // A fault takes its parameters on the page, and the time that a call took has its pause in it.
    page.value("document.querySelector('[data-fault=slow] [data-parameter=milliseconds]').value = 400, null");
    page.value("document.getElementById('path').value = '/companies', null");
    page.press("fault-slow");
    page.until("document.getElementById('fault-slow').getAttribute('aria-checked') === 'true'");
    let slow = emulator.faults().into_iter().find(|one| one.fault.name() == "slow").unwrap();
    assert_eq!(slow.fault, Fault::slow(Duration::from_millis(400)).for_path("/companies"));
    assert_eq!(call(&emulator, key, "GET", "/companies", "").status, "200 OK");
    page.until("Number(document.querySelector('#call-rows tr.call').lastChild.textContent) >= 400");
    page.press("fault-slow");
    page.until("document.getElementById('fault-slow').getAttribute('aria-checked') === 'false'");

    // Hostile text is shown, and does nothing.
    let event = json!({ "event_name": HOSTILE, "email": "a@example.com" }).to_string();
    call(&emulator, key, "POST", "/contacts", &json!({ "emails": ["a@example.com"], "names": [HOSTILE] }).to_string());
    send(&emulator, "POST", TRACK, &with(key), &event);
    page.until("document.getElementById('count').textContent === '16'");
    page.value("document.querySelectorAll('#call-rows .line').forEach((line) => line.click()), null");
    let shown =
        "[...document.querySelectorAll('#call-rows pre')].some((pre) => pre.textContent.includes('<img src=x'))";
    page.until(shown);
    let kind = "document.getElementById('kind')";
    page.value(&format!("{kind}.value = 'contacts', {kind}.dispatchEvent(new Event('change')), null"));
    page.until("document.getElementById('data-head').textContent.includes('custom_fields')");
    // While a page is on its way, and on the last one, there is no next one to be asked for.
    page.until(
        "document.getElementById('next').click(), document.getElementById('data-rows').textContent.includes('<img src=x')",
    );
    assert_eq!(page.value("document.images.length + document.scripts.length"), 1, "the page has one script of its own");
    assert_eq!(page.value("window.hacked === undefined"), true);

    // It loads nothing from elsewhere.
    let origin = emulator.page_url().replace("/_emulator", "");
    let foreign =
        format!("performance.getEntriesByType('resource').filter((one) => !one.name.startsWith({origin:?})).length");
    assert_eq!(page.value(&foreign), 0);
    assert!(page.complaints.is_empty(), "{:?}", page.complaints);

    // It fits a phone.
    page.value(&format!("{kind}.value = 'events', {kind}.dispatchEvent(new Event('change')), null"));
    page.until("document.querySelectorAll('#data-rows tr').length === 50");
    page.value(
        "document.querySelectorAll('#call-rows .line[aria-expanded=true]').forEach((line) => line.click()), null",
    );
    page.value("document.querySelectorAll('#call-rows .line')[4].click(), null");
    page.value("document.getElementById('path').value = '', null");
    page.value("document.activeElement.blur(), scrollTo(0, 0), null");
    let pictures = env::var("COMETLY_EMULATOR_PICTURES").ok();
    for (name, width, height, colours) in [
        ("emulator", 1280, 1420, "light"),
        ("emulator-dark", 1280, 1250, "dark"),
        ("emulator-phone", 390, 2600, "light"),
    ] {
        page.size(width, height, width < 800);
        page.colours(colours);
        let wide = page.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(width), "{name} has to be scrolled sideways: {wide}");
        let pair = "document.querySelector('#call-rows .pair').getBoundingClientRect().width";
        let room = page.value(pair).as_f64().unwrap();
        assert!(room > 0.7 * f64::from(width.min(790)), "{name}: an opened call has {room} pixels");
        if let Some(folder) = &pictures {
            page.screenshot(&Path::new(folder).join(format!("{name}.png")));
        }
    }
}
