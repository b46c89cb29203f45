//! isahc takes `http` 0.2 or 1, whichever a program's lock file holds. This package's lock file holds 0.2.

#[cfg(test)]
mod tests {
    use cometly_emulator::Emulator;
    use cometly_isahc::{
        blocking::Client,
        cometly_core::{Api, ApiKey},
        isahc,
    };

    /// Compiles only if isahc's `http` is 0.2.
    fn is_0_2(status: isahc::http::StatusCode) -> http::StatusCode {
        status
    }

    #[test]
    fn a_call_is_sent_and_read_across_the_two_major_versions() {
        assert_eq!(is_0_2(isahc::http::StatusCode::OK).as_u16(), 200);

        let emulator = Emulator::start().unwrap();
        let key = ApiKey::new(emulator.keys().full.as_str()).unwrap();
        let api = Api::builder(key).base_url(emulator.base_url().parse().unwrap()).build();
        let client = Client::new().unwrap();
        let outcome = client.send(api.get("companies").query("per_page", 1)).unwrap();
        assert!(outcome.is_success(), "{outcome}");
        assert_eq!(outcome.rate_limit().limit(), Some(15));
        let refused = client.send(api.get("events")).unwrap();
        assert_eq!(refused.status(), 422, "{refused}");
        assert_eq!(emulator.received_requests()[0].headers["accept"], "application/json");
    }
}
