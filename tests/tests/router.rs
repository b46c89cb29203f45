//! The suite on `cometly-tower` over an axum `Router` in process, whose handler asks hyper-util's client and answers 502 where that
//! has no answer.

use std::{io, process::ExitCode};

use cometly_conformance::{adapters, run_without};

/// What needs sockets of the client's own. A handler can answer, late or never or with a body that breaks; it has no way to say
/// that it got no answer, where connecting failed, or that a certificate was refused. It says 502, and so does the client.
const NEED_SOCKETS: &[&str] = &[
    "a_certificate_that_is_not_trusted_is_not_asked_again",
    "a_certificate_that_is_not_trusted_stops_the_call",
    "a_connection_closed_without_an_answer_is_unknown",
    "a_connection_kept_on_purpose_that_dies_under_a_post_repeats_nothing",
    "a_connection_that_is_never_made_ends_at_its_own_time_out",
    "a_head_that_is_cut_behind_its_length_is_no_answer",
    "a_kept_connection_that_dies_under_a_get_repeats_nothing",
    "a_kept_connection_that_dies_under_a_post_repeats_nothing",
    "a_kept_connection_that_dies_under_a_post_without_a_body_repeats_nothing",
    "a_post_that_may_have_arrived_is_sent_again_only_if_it_is_marked",
    "a_redirect_without_a_usable_location_is_one_too",
    "a_refused_connection_is_tried_again_by_any_method",
    "a_refused_connection_was_not_sent",
    "a_reset_is_unknown_wherever_it_comes",
    "a_server_of_random_faults_breaks_no_streamed_body_unseen_where_connections_are_kept",
    "a_server_of_random_faults_breaks_no_streamed_body_unseen_where_none_is_kept",
    "a_server_of_random_faults_gets_no_call_twice_where_connections_are_kept",
    "a_server_of_random_faults_gets_no_call_twice_where_none_is_kept",
    "a_streamed_answer_has_the_limits_of_any_head",
    "a_streamed_body_that_is_cut_is_never_taken_for_whole",
    "a_tls_handshake_that_is_cut_was_not_sent",
    "a_torn_head_is_never_a_success",
    "an_unknown_host_was_not_sent",
    "an_unreachable_network_was_not_sent",
    "malformed_http_has_a_typed_end",
    "no_error_shows_a_query_or_a_body",
    "the_limits_of_a_head_are_the_same_on_every_stack",
    "twenty_posts_on_dying_connections_arrive_twenty_times",
];

fn main() -> io::Result<ExitCode> {
    run_without(vec![adapters::on_router()], NEED_SOCKETS)
}
