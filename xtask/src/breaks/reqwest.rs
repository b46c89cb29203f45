//! What `cometly-reqwest` forces on reqwest.

use super::{
    Break,
    Noticed::{Case, Nobody},
};

const BUILDER: &str = "crates/cometly-reqwest/src/builder.rs";
const EXCHANGE: &str = "crates/cometly-reqwest/src/exchange.rs";
const FAILURE: &str = "crates/cometly-reqwest/src/failure.rs";
const ASYNC: &str = "crates/cometly-reqwest/src/lib.rs";
const BLOCKING: &str = "crates/cometly-reqwest/src/blocking.rs";

pub(super) const BREAKS: &[Break] = &[
    Break {
        guard: "no redirect is followed",
        file: BUILDER,
        find: ".redirect(redirect::Policy::none())",
        replace: "",
        noticed: Case("reqwest", "row_14_no_redirect_to_another_origin_is_followed"),
    },
    Break {
        guard: "no Referer",
        file: BUILDER,
        find: ".referer(false)",
        replace: "",
        noticed: Nobody("reqwest sends one only on a redirect that it follows; a second lock on the same door"),
    },
    Break {
        guard: "no retries",
        file: BUILDER,
        find: ".retry(retry::never())",
        replace: "",
        noticed: Nobody("reqwest's own retries are for HTTP/2, which is off; a second lock on the same door"),
    },
    Break {
        guard: "HTTP/1.1 only",
        file: BUILDER,
        find: ".http1_only()",
        replace: "",
        noticed: Case("reqwest", "row_6_a_trusted_server_is_spoken_to_in_http_1_1"),
    },
    Break {
        guard: "gzip is not unpacked",
        file: BUILDER,
        find: ".no_gzip()",
        replace: "",
        noticed: Case("reqwest", "row_70_a_packed_answer_is_not_unpacked"),
    },
    Break {
        guard: "brotli is not unpacked",
        file: BUILDER,
        find: ".no_brotli()",
        replace: "",
        noticed: Case("reqwest", "row_70_a_packed_answer_is_not_unpacked"),
    },
    Break {
        guard: "deflate is not unpacked",
        file: BUILDER,
        find: ".no_deflate()",
        replace: "",
        noticed: Case("reqwest", "row_70_a_packed_answer_is_not_unpacked"),
    },
    Break {
        guard: "zstd is not unpacked",
        file: BUILDER,
        find: ".no_zstd()",
        replace: "",
        noticed: Case("reqwest", "row_70_a_packed_answer_is_not_unpacked"),
    },
    Break {
        guard: "connecting has a time-out",
        file: BUILDER,
        find: ".connect_timeout($settings.limits.connect_timeout)",
        replace: "",
        noticed: Case("reqwest", "a_connection_that_is_never_made_ends_at_its_own_time_out"),
    },
    Break {
        guard: "no proxy of the environment",
        file: BUILDER,
        find: "ProxyChoice::None => http.no_proxy(),",
        replace: "ProxyChoice::None => http,",
        noticed: Case("reqwest", "row_19_no_proxy_of_the_environment_is_used"),
    },
    Break {
        guard: "an answer behind a followed redirect is marked",
        file: EXCHANGE,
        find: "if asked != answered {",
        replace: "if false {",
        noticed: Case("reqwest", "row_18_an_answer_behind_a_redirect_is_never_a_success"),
    },
    Break {
        guard: "the head has a limit",
        file: EXCHANGE,
        find: "self.limits.check_head(self.response.status(), &headers)?;",
        replace: "",
        noticed: Case("reqwest", "row_71_the_limits_of_a_head_are_the_same_on_every_stack"),
    },
    Break {
        guard: "the body has a cap",
        file: EXCHANGE,
        find: "self.limits.extend_body(status, self.response.body_mut(), read)",
        replace: "let _ = status; self.response.body_mut().extend_from_slice(read); Ok(())",
        noticed: Case("reqwest", "row_66_a_body_over_the_cap_is_too_large_and_not_read_on"),
    },
    Break {
        guard: "the whole call has a deadline (async)",
        file: ASYNC,
        find: "*request.timeout_mut() = Some(self.limits.deadline);",
        replace: "",
        noticed: Case("reqwest", "row_62_a_slow_body_ends_at_the_deadline"),
    },
    Break {
        guard: "the whole call has a deadline (blocking)",
        file: BLOCKING,
        find: "*request.timeout_mut() = Some(self.limits.deadline);",
        replace: "",
        noticed: Case("reqwest-blocking", "row_62_a_slow_body_ends_at_the_deadline"),
    },
    Break {
        guard: "a POST without a body says so",
        file: ASYNC,
        find: "if is_empty_post {",
        replace: "if is_empty_post && false {",
        noticed: Case("reqwest", "rows_4_8_81_each_header_is_sent_once_and_the_key_nowhere_else"),
    },
    Break {
        guard: "a GET announces no body (blocking)",
        file: BLOCKING,
        find: "*request.body_mut() = None;",
        replace: "",
        noticed: Case("reqwest-blocking", "rows_4_8_81_each_header_is_sent_once_and_the_key_nowhere_else"),
    },
    Break {
        guard: "errors show no URL",
        file: FAILURE,
        find: "let error = error.without_url();",
        replace: "",
        noticed: Case("reqwest", "no_error_shows_a_query_or_a_body"),
    },
    Break {
        guard: "a time-out is told from other failures",
        file: FAILURE,
        find: "if error.is_timeout() {",
        replace: "if false {",
        noticed: Case("reqwest", "row_61_no_answer_ends_at_the_deadline"),
    },
    Break {
        guard: "a refused connection was not sent",
        file: FAILURE,
        find: "if error.is_connect() {",
        replace: "if false {",
        noticed: Case("reqwest", "row_53_a_refused_connection_was_not_sent"),
    },
    Break {
        guard: "a bad certificate is not trusted again",
        file: FAILURE,
        find: "if is_untrusted { Delivery::Untrusted } else { Delivery::NotSent }",
        replace: "{ let _ = is_untrusted; Delivery::NotSent }",
        noticed: Case("reqwest", "row_54_a_certificate_that_is_not_trusted_stops_the_call"),
    },
    Break {
        guard: "what was sent and not answered is unknown",
        file: FAILURE,
        find: "if error.is_builder() { Delivery::NotSent } else { Delivery::Unknown }",
        replace: "Delivery::NotSent",
        noticed: Case("reqwest", "row_55_twenty_posts_on_dying_connections_arrive_twenty_times"),
    },
    Break {
        guard: "a head too large for hyper is too large",
        file: FAILURE,
        find: "if is_head_too_large(&error) {",
        replace: "if is_head_too_large(&error) && false {",
        noticed: Case("reqwest", "row_71_the_limits_of_a_head_are_the_same_on_every_stack"),
    },
];
