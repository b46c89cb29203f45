//! On each client an error that names its call, and no key.

use std::{error::Error, fmt::Write as _};

use cometly::contacts::GetContact;
use cometly_core::CallError;
use cometly_emulator::{Emulator, Fault};

use super::{Done, api_of};

/// `Display`, `Debug` and sources of an error.
fn check<E: Error + 'static>(error: &CallError<E>, key: &str) {
    assert_eq!((error.method().unwrap().as_str(), error.path_template()), ("GET", Some("contacts/{id}")));
    let mut all = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(all, " {error} {error:?}").unwrap();
        source = error.source();
    }
    assert!(error.to_string().contains("GET contacts/{id}"), "{error}");
    assert!(!all.contains(key) && !all.contains(key.split('|').next_back().unwrap()), "{all}");
}

#[tokio::test]
async fn an_error_names_its_call_and_no_key_on_each_client() -> Done {
    let emulator = Emulator::start()?;
    let (api, key) = (api_of(&emulator)?, emulator.keys().full.as_str());
    let get = || GetContact::new(1);
    let (ureq, reqwest, isahc) =
        (cometly_ureq::Client::new()?, cometly_reqwest::Client::new()?, cometly_isahc::Client::new()?);
    for fault in [Fault::forbidden(), Fault::reset_before(), Fault::html_page()] {
        emulator.clear_faults();
        emulator.inject(fault);
        check(&ureq.call(&api, get()).unwrap_err(), key);
        check(&reqwest.call(&api, get()).await.unwrap_err(), key);
        check(&isahc.call(&api, get()).await.unwrap_err(), key);
    }
    Ok(())
}
