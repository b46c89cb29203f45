//! Guards of the core.

use super::{
    Break,
    Noticed::{Case, Test},
};

const CLASSIFICATION: &str = "crates/cometly-core/src/classification.rs";
const TABLE: &str = "classification::tests::every_row_of_the_table_and_the_order_of_the_checks";

pub(super) const BREAKS: &[Break] = &[
    Break {
        guard: "401 is not 403",
        file: CLASSIFICATION,
        find: "(401, Some(_)) => Kind::Unauthenticated",
        replace: "(401, Some(_)) => Kind::Forbidden(ForbiddenReason::Unspecified)",
        noticed: Test("cometly-core", TABLE),
    },
    Break {
        guard: "403 is not 401",
        file: CLASSIFICATION,
        find: "(403, Some(Said { message, .. })) => Kind::Forbidden(forbidden_reason(message))",
        replace: "(403, Some(_)) => Kind::Unauthenticated",
        noticed: Test("cometly-core", TABLE),
    },
    Break {
        guard: "the key is masked in what the server says",
        file: "crates/cometly-core/src/masking.rs",
        find: "Some(_) => shown.push_str(MASK)",
        replace: "Some(secret) => shown.push_str(&String::from_utf8_lossy(secret))",
        noticed: Test("cometly-core", "classification::tests::our_key_is_masked_in_everything_that_is_shown"),
    },
    Break {
        guard: "the header is sensitive",
        file: "crates/cometly-core/src/api_key.rs",
        find: "header.set_sensitive(true);",
        replace: "",
        noticed: Test("cometly-core", "api::tests::built_and_authorized_requests_carry_exactly_one_of_each_header"),
    },
    Break {
        guard: "the header is wiped",
        file: "crates/cometly-core/src/api_key.rs",
        find: "let mut header = Zeroizing::new(Vec::with_capacity(SCHEME.len().saturating_add(key.len())));",
        replace: "let mut header = Vec::with_capacity(SCHEME.len().saturating_add(key.len()));",
        noticed: Case("key_memory", "calls, requests, copies, Debug, 200 characters"),
    },
    Break {
        guard: "the text that a key is made from is wiped",
        file: "crates/cometly-core/src/api_key.rs",
        find: "let key = Zeroizing::new(key.into());",
        replace: "let key: String = key.into();",
        noticed: Case("key_memory", "a text that is no key, 200 characters"),
    },
    Break {
        guard: "a copy of the header is sensitive",
        file: "crates/cometly-core/src/api.rs",
        find: "request.headers_mut().extend(keys.headers.iter().map(|(name, value)| (name.clone(), value.clone())));",
        replace: "for (name, value) in &keys.headers { if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) { \
                  request.headers_mut().insert(name.clone(), value); } }",
        noticed: Test("cometly-core", "api::tests::built_and_authorized_requests_carry_exactly_one_of_each_header"),
    },
    Break {
        guard: "an empty success is none",
        file: CLASSIFICATION,
        find: "None if body.len() <= 64 => unexpected(Cause::Empty)",
        replace: "None if body.len() <= 64 => Judgement::Success",
        noticed: Test("cometly-core", TABLE),
    },
    Break {
        guard: "a 202 with x-amzn-waf-action is a challenge",
        file: CLASSIFICATION,
        find: "(12, \"cf-mitigated\") | (17, \"x-amzn-waf-action\") =>",
        replace: "(12, \"cf-mitigated\") =>",
        noticed: Test("cometly-core", TABLE),
    },
    Break {
        guard: "a challenge is looked for first",
        file: CLASSIFICATION,
        find: "if signals.is_challenge {",
        replace: "if signals.is_challenge && head.status.as_u16() < 500 {",
        noticed: Test("cometly-core", TABLE),
    },
    Break {
        guard: "another origin gets no key",
        file: "crates/cometly-core/src/api.rs",
        find: "if !self.base_url().is_origin_of(request.uri()) {",
        replace: "if false {",
        noticed: Test("cometly-core", "api::tests::a_foreign_origin_or_a_relative_uri_gets_no_key"),
    },
    Break {
        guard: "keys before a rotation are masked too",
        file: "crates/cometly-core/src/masking.rs",
        find: "is_in(text, self.current) || self.keys.previous.iter().any(|key| is_in(text, least(key)))",
        replace: "is_in(text, self.current)",
        noticed: Test("cometly-core", "api::tests::the_key_before_a_rotation_is_masked_too"),
    },
    Break {
        guard: "keys before a rotation are masked beside the current one",
        file: "crates/cometly-core/src/masking.rs",
        find: "iter::once(&self.keys.current).chain(&self.keys.previous)",
        replace: "iter::once(&self.keys.current)",
        noticed: Test("cometly-core", "api::tests::so_are_the_few_before_it_whole_where_one_begins_with_another"),
    },
    Break {
        guard: "a key that escaping would write is masked",
        file: "crates/cometly-core/src/masking.rs",
        find: "if secrets.are_in(shown.as_bytes()) { MASK.into() } else { shown.into() }",
        replace: "shown.into()",
        noticed: Test("cometly-core", "masking::tests::a_key_that_escaping_would_write_is_masked"),
    },
    Break {
        guard: "another body takes an idempotency key back",
        file: "crates/cometly-core/src/call.rs",
        find: "self.is_keyed = false;",
        replace: "",
        noticed: Test("cometly-core", "call::tests::idempotency_is_by_method_or_by_mark"),
    },
    Break {
        guard: "dot segments are refused",
        file: "crates/cometly-core/src/call/target.rs",
        find: "b\"\" | b\".\" | b\"..\" if written.is_ok() => Err(RequestError::Segment),",
        replace: "",
        noticed: Test("cometly-core", "call::tests::what_cannot_be_sent_as_meant_is_refused_before_anything_is_sent"),
    },
    Break {
        guard: "what cannot be read under errors takes nothing from the message",
        file: "crates/cometly-core/src/words.rs",
        find: "if message.is_err() {",
        replace: "if false {",
        noticed: Test("cometly-core", "words::tests::what_is_odd_under_errors_takes_nothing_from_the_message"),
    },
    Break {
        guard: "field errors are looked for no deeper than eight levels",
        file: "crates/cometly-core/src/words/json.rs",
        find: "let Some(levels) = levels.checked_sub(1) else {\n            while seq",
        replace: "let Some(levels) = Some(levels) else {\n            while seq",
        noticed: Test("cometly-core", "words::tests::what_is_odd_under_errors_takes_nothing_from_the_message"),
    },
    Break {
        guard: "a key is looked for in short texts as well",
        file: "crates/cometly-core/src/masking.rs",
        find: "text.len() >= secret.len()",
        replace: "text.len() > 64",
        noticed: Test("cometly-core", "classification::tests::our_key_is_masked_in_everything_that_is_shown"),
    },
    Break {
        guard: "the end of a text is looked through as well",
        file: "crates/cometly-core/src/masking.rs",
        find: " || is_in(last),",
        replace: ",",
        noticed: Test("cometly-core", "masking::tests::what_must_not_be_shown_is_found_wherever_it_stands"),
    },
];
