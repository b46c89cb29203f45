//! What the programs of docs/your-own-stack.md do on their stacks.

use super::{Break, Noticed::Case};

/// Their flavours, which the test `own_stacks` plays.
pub(super) const FLAVOURS: [&str; 3] = ["attohttpc", "hyper", "smol"];

const ATTOHTTPC: &str = "tests/examples/attohttpc.rs";
const HYPER: &str = "tests/examples/hyper.rs";
const SMOL: &str = "tests/examples/smol.rs";

pub(super) const BREAKS: &[Break] = &[
    Break {
        guard: "no redirect is followed",
        file: ATTOHTTPC,
        find: "            .follow_redirects(false)\n",
        replace: "",
        noticed: Case("attohttpc", "row_14_no_redirect_to_another_origin_is_followed"),
    },
    Break {
        guard: "no proxy of the environment",
        file: ATTOHTTPC,
        find: "            .proxy_settings(ProxySettings::builder().build())\n",
        replace: "",
        noticed: Case("attohttpc", "row_19_no_proxy_of_the_environment_is_used"),
    },
    Break {
        guard: "the whole call has a deadline",
        file: ATTOHTTPC,
        find: "            .timeout(timeout);",
        replace: ";",
        noticed: Case("attohttpc", "row_62_a_slow_body_ends_at_the_deadline"),
    },
    Break {
        guard: "a deadline is told, whatever error it makes",
        file: ATTOHTTPC,
        find: "(is_late || is_timeout)",
        replace: "is_timeout",
        noticed: Case("attohttpc", "row_63_a_server_that_stops_reading_ends_at_the_deadline"),
    },
    Break {
        guard: "a body is as long as was told",
        file: ATTOHTTPC,
        find: "len.is_some_and(|len| len != body.len())",
        replace: "false",
        noticed: Case("attohttpc", "row_68_a_cut_body_is_never_taken_for_whole"),
    },
    Break {
        guard: "an answer without a body is not waited for",
        file: ATTOHTTPC,
        find: "        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Some(0),\n",
        replace: "",
        noticed: Case("attohttpc", "row_21_to_34_every_answer_has_the_same_outcome_on_every_stack"),
    },
    Break {
        guard: "a head has limits",
        file: ATTOHTTPC,
        find: "        self.limits.check_head(status, &headers)?;\n",
        replace: "",
        noticed: Case("attohttpc", "row_71_the_limits_of_a_head_are_the_same_on_every_stack"),
    },
    Break {
        guard: "a GET has no body",
        file: ATTOHTTPC,
        find: "if is_bodiless { request.send() } else { request.body(body::Bytes(body)).send() }",
        replace: "request.body(body::Bytes(body)).send()",
        noticed: Case("attohttpc", "rows_4_8_81_each_header_is_sent_once_and_the_key_nowhere_else"),
    },
    Break {
        guard: "connecting has a time-out, TLS included",
        file: HYPER,
        find: ".build(), limits.connect_timeout)",
        replace: ".build(), limits.try_timeout)",
        noticed: Case("hyper", "a_connection_that_is_never_made_ends_at_its_own_time_out"),
    },
    Break {
        guard: "the whole call has a deadline",
        file: HYPER,
        find: "tokio::time::timeout(timeout, answer)",
        replace: "tokio::time::timeout(timeout * 50, answer)",
        noticed: Case("hyper", "row_62_a_slow_body_ends_at_the_deadline"),
    },
    Break {
        guard: "a body has a cap",
        file: HYPER,
        find: "Limited::new(body, self.limits.max_body_size)",
        replace: "Limited::new(body, usize::MAX)",
        noticed: Case("hyper", "row_66_a_body_over_the_cap_is_too_large_and_not_read_on"),
    },
    Break {
        guard: "a refused certificate is told",
        file: HYPER,
        find: "Delivery::Untrusted",
        replace: "Delivery::NotSent",
        noticed: Case("hyper", "row_54_a_certificate_that_is_not_trusted_stops_the_call"),
    },
    Break {
        guard: "a POST without a body says so",
        file: HYPER,
        find: "    request.headers_mut().insert(CONTENT_LENGTH",
        replace: "    let _ = (CONTENT_LENGTH",
        noticed: Case("hyper", "rows_4_8_81_each_header_is_sent_once_and_the_key_nowhere_else"),
    },
    Break {
        guard: "the host is named",
        file: SMOL,
        find: "    request.headers_mut().extend(host.map(|host| (HOST, host)));\n",
        replace: "    let _ = (HOST, host);\n",
        noticed: Case("smol", "rows_4_8_81_each_header_is_sent_once_and_the_key_nowhere_else"),
    },
    Break {
        guard: "connecting has a time-out, TLS included",
        file: SMOL,
        find: "expired(self.limits.connect_timeout,",
        replace: "expired(self.limits.try_timeout,",
        noticed: Case("smol", "a_connection_that_is_never_made_ends_at_its_own_time_out"),
    },
    Break {
        guard: "the whole call has a deadline",
        file: SMOL,
        find: "answer.or(expired(timeout, Delivery::Unknown))",
        replace: "answer.or(expired(timeout * 50, Delivery::Unknown))",
        noticed: Case("smol", "row_61_no_answer_ends_at_the_deadline"),
    },
];
