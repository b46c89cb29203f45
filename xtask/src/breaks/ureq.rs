//! What `cometly-ureq` forces on ureq.

use super::{
    Break,
    Noticed::{Case, Test},
};

const CLIENT: &str = "crates/cometly-ureq/src/lib.rs";
const BUILDER: &str = "crates/cometly-ureq/src/builder.rs";
const FAILURE: &str = "crates/cometly-ureq/src/failure.rs";
const DELIVERY: &str = "failure::tests::what_was_surely_not_sent_is_told_from_what_may_have_arrived";
const LOOKUP: &str = "crates/cometly-ureq/src/lookup.rs";

pub(super) const BREAKS: &[Break] = &[
    Break {
        guard: "no redirect is followed",
        file: BUILDER,
        find: ".max_redirects(0)",
        replace: "",
        noticed: Case("ureq", "row_14_no_redirect_to_another_origin_is_followed"),
    },
    Break {
        guard: "every status is an answer",
        file: BUILDER,
        find: ".http_status_as_error(false)",
        replace: "",
        noticed: Case("ureq", "row_21_to_34_every_answer_has_the_same_outcome_on_every_stack"),
    },
    Break {
        guard: "no proxy of the environment",
        file: BUILDER,
        find: "            .proxy($proxy)\n",
        replace: "",
        noticed: Case("ureq", "row_19_no_proxy_of_the_environment_is_used"),
    },
    Break {
        guard: "a try has a time-out",
        file: BUILDER,
        find: ".timeout_global(Some($timeout))",
        replace: "",
        noticed: Case("ureq", "row_62_a_slow_body_ends_at_the_deadline"),
    },
    Break {
        guard: "a try takes no longer than what is left of the call",
        file: CLIENT,
        find: "self.limits.try_timeout.min(attempt.remaining(now.duration_since(started)))",
        replace: "self.limits.try_timeout",
        noticed: Case("ureq", "row_61_no_answer_ends_at_the_deadline"),
    },
    Break {
        guard: "the wait before another try is waited",
        file: CLIENT,
        find: "sleep(after);",
        replace: "",
        noticed: Case("ureq", "row_47_a_429_is_sent_again_as_soon_as_the_server_says"),
    },
    Break {
        guard: "connecting has a time-out",
        file: BUILDER,
        find: ".timeout_connect(Some($limits.connect_timeout))",
        replace: "",
        noticed: Case("ureq", "a_connection_that_is_never_made_ends_at_its_own_time_out"),
    },
    Break {
        guard: "the head has a limit of lines",
        file: CLIENT,
        find: "self.limits.check_head(head.status, &head.headers)?;",
        replace: "",
        noticed: Case("ureq", "row_71_the_limits_of_a_head_are_the_same_on_every_stack"),
    },
    Break {
        guard: "the body has a cap",
        file: CLIENT,
        find: ".limit(limit)",
        replace: ".limit(u64::MAX - limit)",
        noticed: Case("ureq", "row_66_a_body_over_the_cap_is_too_large_and_not_read_on"),
    },
    Break {
        guard: "a body over the cap is told as such",
        file: CLIENT,
        find: "Err(ureq::Error::BodyExceedsLimit(_)) => Err(CallError::too_large(Some(head.status))),",
        replace: "",
        noticed: Case("ureq", "row_66_a_body_over_the_cap_is_too_large_and_not_read_on"),
    },
    Break {
        guard: "no proxy reads what is not encrypted",
        file: CLIENT,
        find: "if request.uri().scheme() == Some(&Scheme::HTTPS) { self.proxy.clone() } else { None }",
        replace: "{ let _ = &Scheme::HTTPS; self.proxy.clone() }",
        noticed: Case("ureq", "row_20_no_proxy_gets_to_read_what_is_not_encrypted"),
    },
    Break {
        guard: "a time-out without end is one",
        file: BUILDER,
        find: "self.limits.try_timeout = timeout.min(Limits::MAX_TIMEOUT);",
        replace: "self.limits.try_timeout = timeout;",
        noticed: Case("ureq", "a_time_out_without_end_is_taken_as_one"),
    },
    Break {
        guard: "a GET announces no body",
        file: CLIENT,
        find: "if body.is_empty() && matches!(head.method, Method::GET | Method::DELETE) {",
        replace: "if body.is_empty() && head.method == Method::HEAD {",
        noticed: Case("ureq", "rows_4_8_81_each_header_is_sent_once_and_the_key_nowhere_else"),
    },
    Break {
        guard: "the operating system's certificates are trusted",
        file: BUILDER,
        find: "let roots = ureq::tls::RootCerts::PlatformVerifier;\n        config = config.tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build());",
        replace: "",
        noticed: Case("ureq", "row_6_a_trusted_server_is_spoken_to_in_http_1_1"),
    },
    Break {
        guard: "a refused connection was not sent",
        file: FAILURE,
        find: "io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable => Delivery::NotSent,",
        replace: "",
        noticed: Case("ureq", "row_53_a_refused_connection_was_not_sent"),
    },
    Break {
        guard: "an unknown host was not sent",
        file: FAILURE,
        find: "_ if text().contains(\"failed to lookup address\") => Delivery::NotSent,",
        replace: "",
        noticed: Case("ureq", "row_53_an_unknown_host_was_not_sent"),
    },
    Break {
        guard: "a bad certificate is not trusted again",
        file: FAILURE,
        find: "_ if text().contains(\"invalid peer certificate\") => Delivery::Untrusted,",
        replace: "",
        noticed: Case("ureq", "row_54_a_certificate_that_is_not_trusted_stops_the_call"),
    },
    Break {
        guard: "a time-out of connecting was not sent",
        file: FAILURE,
        find: "Ureq::Timeout(Timeout::Resolve | Timeout::Connect) => CallError::timeout(Delivery::NotSent),",
        replace: "",
        noticed: Test("cometly-ureq", DELIVERY),
    },
    Break {
        guard: "what was sent and not answered is unknown",
        file: FAILURE,
        find: "_ if text().contains(\"failed to lookup address\") => Delivery::NotSent,\n        _ => Delivery::Unknown,",
        replace: "_ => Delivery::NotSent,",
        noticed: Case("ureq", "row_55_twenty_posts_on_dying_connections_arrive_twenty_times"),
    },
    Break {
        guard: "errors show no URL",
        file: FAILURE,
        find: "Ureq::BadUri(_) => CallError::transport(Delivery::NotSent, Ureq::BadUri(\"not shown\".into())),",
        replace: "",
        noticed: Test("cometly-ureq", "failure::tests::a_url_in_an_error_is_not_shown"),
    },
    Break {
        guard: "a head too large for ureq is too large",
        file: FAILURE,
        find: "Ureq::LargeResponseHeader(..) => CallError::too_large(None),",
        replace: "",
        noticed: Case("ureq", "row_71_the_limits_of_a_head_are_the_same_on_every_stack"),
    },
    Break {
        guard: "an address is looked up for a new connection only",
        file: LOOKUP,
        find: "blank.push(BLANK);",
        replace: "blank.push(std::net::SocketAddr::from(([127, 0, 0, 1], 9)));",
        noticed: Test(
            "cometly-ureq",
            "lookup::tests::an_address_is_looked_up_once_for_a_connection_and_not_for_a_request",
        ),
    },
    Break {
        guard: "what a look-up takes is taken off the time to connect",
        file: LOOKUP,
        find: "after.saturating_sub(gone)",
        replace: "after",
        noticed: Test("cometly-ureq", "lookup::tests::what_a_look_up_takes_is_gone"),
    },
];
