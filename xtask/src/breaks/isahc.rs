//! What `cometly-isahc` forces on isahc.

use super::{
    Break,
    Noticed::{Case, Test},
};

const CLIENT: &str = "crates/cometly-isahc/src/lib.rs";
const BUILDER: &str = "crates/cometly-isahc/src/builder.rs";
const CONVERT: &str = "crates/cometly-isahc/src/convert.rs";
const FAILURE: &str = "crates/cometly-isahc/src/failure.rs";

pub(super) const BREAKS: &[Break] = &[
    Break {
        guard: "no redirect is followed, by a users' client that would",
        file: CONVERT,
        find: ".redirect_policy(RedirectPolicy::None)",
        replace: "",
        noticed: Case("isahc", "row_14_a_users_client_gives_no_key_to_another_origin"),
    },
    Break {
        guard: "HTTP/1.1 only",
        file: CONVERT,
        find: ".version_negotiation(VersionNegotiation::http11())",
        replace: "",
        noticed: Case("isahc", "row_6_a_trusted_server_is_spoken_to_in_http_1_1"),
    },
    Break {
        guard: "nothing is unpacked",
        file: CONVERT,
        find: ".automatic_decompression(false)",
        replace: "",
        noticed: Case("isahc", "row_70_a_packed_answer_is_not_unpacked"),
    },
    Break {
        guard: "no Expect",
        file: CONVERT,
        find: ".expect_continue(ExpectContinue::disabled())",
        replace: "",
        noticed: Case("isahc", "a_body_arrives_whole_under_its_length"),
    },
    Break {
        guard: "a try has a time-out",
        file: CONVERT,
        find: ".timeout(at_least_one(timeout))",
        replace: "",
        noticed: Case("isahc", "row_62_a_slow_body_ends_at_the_deadline"),
    },
    Break {
        guard: "a try takes no longer than what is left of the call",
        file: CLIENT,
        find: "self.limits.attempt_timeout.min(attempt.remaining(started.elapsed()))",
        replace: "self.limits.attempt_timeout",
        noticed: Case("isahc", "row_61_no_answer_ends_at_the_deadline"),
    },
    Break {
        guard: "the wait before another try is waited",
        file: CLIENT,
        find: "Timer::after(after).await;",
        replace: "",
        noticed: Case("isahc", "row_47_a_429_is_sent_again_as_soon_as_the_server_says"),
    },
    Break {
        guard: "connecting has a time-out",
        file: CONVERT,
        find: ".connect_timeout(at_least_one(connect_timeout));",
        replace: ";",
        noticed: Case("isahc", "a_connection_that_is_never_made_ends_at_its_own_time_out"),
    },
    Break {
        guard: "no proxy of the environment",
        file: CONVERT,
        find: "ProxyChoice::None => builder.proxy(None),",
        replace: "ProxyChoice::None => builder,",
        noticed: Case("isahc", "row_19_no_proxy_of_the_environment_is_used"),
    },
    Break {
        guard: "no connection is reused",
        file: BUILDER,
        find: "HttpClient::builder().connection_cache_size(0).build()",
        replace: "HttpClient::new()",
        noticed: Case("isahc", "row_56_nor_under_a_get"),
    },
    Break {
        guard: "a body cannot be sent again",
        file: CONVERT,
        find: "let len = body.len();\n    AsyncBody::from_reader_sized(Cursor::new(body), u64::try_from(len).unwrap_or(u64::MAX))",
        replace: "let _ = Cursor::new(()); AsyncBody::from(body.to_vec())",
        noticed: Case("isahc", "row_56_nor_when_connections_are_kept_on_purpose"),
    },
    Break {
        guard: "a GET announces no body",
        file: CONVERT,
        find: "return if is_bodiless { AsyncBody::empty() } else",
        replace: "return if is_bodiless && false { AsyncBody::empty() } else",
        noticed: Case("isahc", "rows_4_8_81_each_header_is_sent_once_and_the_key_nowhere_else"),
    },
    Break {
        guard: "a POST without a body says so",
        file: CONVERT,
        find: "return if is_bodiless { AsyncBody::empty() } else",
        replace: "return if is_bodiless || true { AsyncBody::empty() } else",
        noticed: Case("isahc", "rows_4_8_81_each_header_is_sent_once_and_the_key_nowhere_else"),
    },
    Break {
        guard: "the key stays sensitive",
        file: CONVERT,
        find: "value.set_sensitive(is_sensitive);",
        replace: "let _ = is_sensitive; let _ = &mut value;",
        noticed: Test("cometly-isahc", "convert::tests::the_key_stays_sensitive_and_single_on_its_way_to_isahc"),
    },
    Break {
        guard: "a length must be the body's",
        file: CLIENT,
        find: "convert::check_length(&response)?;",
        replace: "",
        noticed: Case("isahc", "row_72_contradicting_lengths_have_a_typed_end"),
    },
    Break {
        guard: "the head has a limit",
        file: CLIENT,
        find: "self.limits.check_head(response.status(), response.headers())?;",
        replace: "",
        noticed: Case("isahc", "row_71_the_limits_of_a_head_are_the_same_on_every_stack"),
    },
    Break {
        guard: "the body has a cap",
        file: CLIENT,
        find: "self.limits.extend_body(status, response.body_mut(), buffer.get(..read).unwrap_or_default())?;",
        replace: "let _ = status; response.body_mut().extend_from_slice(buffer.get(..read).unwrap_or_default());",
        noticed: Case("isahc", "row_66_a_body_over_the_cap_is_too_large_and_not_read_on"),
    },
    Break {
        guard: "a time-out is told from other failures",
        file: FAILURE,
        find: "if error.is_timeout() {",
        replace: "if false {",
        noticed: Case("isahc", "row_61_no_answer_ends_at_the_deadline"),
    },
    Break {
        guard: "a head too large for libcurl is too large",
        file: FAILURE,
        find: "if error.source().is_some_and(|source| source.to_string().contains(\"grew larger than allowed\")) {",
        replace: "if error.source().is_some_and(|source| source.to_string().is_empty()) {",
        noticed: Case("isahc", "row_71_the_limits_of_a_head_are_the_same_on_every_stack"),
    },
    Break {
        guard: "a refused connection was not sent",
        file: FAILURE,
        find: "ErrorKind::ConnectionFailed\n        | ErrorKind::NameResolution",
        replace: "ErrorKind::NameResolution",
        noticed: Case("isahc", "row_53_a_refused_connection_was_not_sent"),
    },
    Break {
        guard: "an unknown host was not sent",
        file: FAILURE,
        find: "\n        | ErrorKind::NameResolution",
        replace: "",
        noticed: Case("isahc", "row_53_an_unknown_host_was_not_sent"),
    },
    Break {
        guard: "a bad certificate is not trusted again",
        file: FAILURE,
        find: "ErrorKind::BadServerCertificate => Delivery::Untrusted,",
        replace: "",
        noticed: Case("isahc", "row_54_a_certificate_that_is_not_trusted_stops_the_call"),
    },
    Break {
        guard: "what was sent and not answered is unknown",
        file: FAILURE,
        find: "_ => Delivery::Unknown,",
        replace: "_ => Delivery::NotSent,",
        noticed: Case("isahc", "row_55_twenty_posts_on_dying_connections_arrive_twenty_times"),
    },
];
