//! What each case asks of a transport, in words, and the rows of `docs/faults.md` that say why. A case that fails shows its row of
//! these tables, and `docs/your-own-stack.md` has them word for word.

/// One thing that a transport has to do.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// What follows "a transport has to".
    pub words: &'static str,
    /// The names of the cases that ask for it.
    pub cases: &'static [&'static str],
    /// The rows of `docs/faults.md` that say why, such as `14 to 17`.
    pub rows: &'static str,
}

/// The demands on one part of a transport's work.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its heading.
    pub title: &'static str,
    /// What is asked.
    pub demands: &'static [Demand],
}

/// The demand that a case of this name asks for; `None` if it is no case of the suite.
#[must_use]
pub fn demand(case: &str) -> Option<&'static Demand> {
    DEMANDS.iter().flat_map(|part| part.demands).find(|demand| demand.cases.contains(&case))
}

/// All of them.
pub const DEMANDS: &[Part] = &[
    Part {
        title: "What is sent",
        demands: &[
            Demand {
                words: "send the headers as the core made them, each once, and none beside `Host`, \
                        `Content-Length` and `Connection: close`; a POST without a body says `Content-Length: \
                        0`, a GET and a DELETE say nothing",
                cases: &[
                    "each_header_is_sent_once_and_the_key_nowhere_else",
                    "a_users_client_sends_each_header_once_and_the_key_nowhere_else",
                    "a_streamed_call_is_the_same_request_as_any",
                    "a_streamed_call_of_a_users_client_is_the_same_request_as_any",
                ],
                rows: "4, 8, 81",
            },
            Demand {
                words: "send path and query byte for byte: no decoding, no `..` resolved, any method",
                cases: &["the_request_line_is_the_same_on_every_stack"],
                rows: "74, 75, 76",
            },
            Demand {
                words: "send the body whole, under its `Content-Length`, without asking by `Expect` first",
                cases: &["a_body_arrives_whole_under_its_length"],
                rows: "81",
            },
            Demand {
                words: "send what `Api::authorize` made as it sends a call; a GET with a body is forwarded with \
                        its body and its length",
                cases: &["an_authorized_request_is_sent_as_a_call_is"],
                rows: "4, 81",
            },
            Demand {
                words: "keep no key: each call brings its own, and many at once are not mixed",
                cases: &["two_keys_through_one_client_are_never_mixed"],
                rows: "4",
            },
            Demand {
                words: "let an answer without an end cost its own call only",
                cases: &["endless_chunk_sizes_cost_their_own_calls_only"],
                rows: "115",
            },
            Demand {
                words: "give each call its own answer, with 64 under way",
                cases: &["ten_thousand_calls_64_at_once_each_get_their_own_answer"],
                rows: "65",
            },
            Demand {
                words: "follow no redirect, whatever its status, its place or its `Location`",
                cases: &[
                    "no_redirect_to_another_origin_is_followed",
                    "no_redirect_on_the_same_origin_is_followed",
                    "no_redirect_from_https_to_http_is_followed",
                    "a_redirect_without_a_usable_location_is_one_too",
                    "a_users_client_gives_no_key_to_another_origin",
                ],
                rows: "14 to 17",
            },
            Demand {
                words: "put `Redirected` into the extensions of an answer from another URL than the one asked \
                        for, if a user's client may follow",
                cases: &["an_answer_behind_a_redirect_is_never_a_success"],
                rows: "18",
            },
            Demand {
                words: "use no proxy that is not asked for",
                cases: &["no_proxy_of_the_environment_is_used", "a_users_client_uses_no_proxy_of_the_environment"],
                rows: "19",
            },
            Demand {
                words: "use the proxy that is asked for, by `CONNECT`, without the key, never for plain `http`; ask \
                        one that refuses once, and keep its connections where any are kept",
                cases: &[
                    "the_environments_proxy_is_used_when_asked_for",
                    "a_named_proxy_gets_connect_and_not_the_key",
                    "a_connection_through_a_proxy_is_kept",
                    "no_proxy_gets_to_read_what_is_not_encrypted",
                    "a_proxy_that_refuses_is_asked_once",
                    "a_socks_proxy_that_refuses_is_asked_once",
                ],
                rows: "19, 20, 99",
            },
            Demand {
                words: "refuse a proxy that it cannot use before anything is sent, and read `NO_PROXY` as \
                        others do",
                cases: &[
                    "a_proxy_of_a_scheme_that_cannot_be_used_is_never_passed_over",
                    "a_proxy_that_is_none_is_refused_before_anything_is_sent",
                    "the_environments_no_proxy_is_read_with_blanks_and_dots",
                ],
                rows: "103, 107, 108",
            },
            Demand {
                words: "show no proxy's password, no query and no body in an error",
                cases: &["a_proxys_password_is_not_shown", "no_error_shows_a_query_or_a_body"],
                rows: "3",
            },
            Demand {
                words: "speak HTTP/1.1",
                cases: &[
                    "a_trusted_server_is_spoken_to_in_http_1_1",
                    "a_users_client_speaks_http_1_1_where_that_can_be_forced",
                ],
                rows: "6",
            },
        ],
    },
    Part {
        title: "What is said of a call without an answer",
        demands: &[
            Demand {
                words: "say `not_sent` where no connection was made, or TLS was cut",
                cases: &[
                    "a_refused_connection_was_not_sent",
                    "an_unknown_host_was_not_sent",
                    "an_unreachable_network_was_not_sent",
                    "a_tls_handshake_that_is_cut_was_not_sent",
                ],
                rows: "53, 101, 116",
            },
            Demand {
                words: "say `untrusted` of a certificate that is self-signed, for another name or expired, \
                        before anything is sent",
                cases: &[
                    "a_certificate_that_is_not_trusted_stops_the_call",
                    "a_certificate_that_is_not_trusted_stops_the_call_of_a_users_client",
                ],
                rows: "54",
            },
            Demand {
                words: "send nothing in the clear to an `https` URL",
                cases: &["tls_to_a_plain_port_ends"],
                rows: "54",
            },
            Demand {
                words: "say `unknown` once the request may have left, wherever the connection ends, and send \
                        nothing again by itself, not even a GET",
                cases: &[
                    "a_connection_closed_without_an_answer_is_unknown",
                    "twenty_posts_on_dying_connections_arrive_twenty_times",
                    "a_reset_is_unknown_wherever_it_comes",
                    "a_kept_connection_that_dies_under_a_get_repeats_nothing",
                    "a_kept_connection_that_dies_under_a_post_repeats_nothing",
                    "a_connection_kept_on_purpose_that_dies_under_a_post_repeats_nothing",
                    "a_kept_connection_that_dies_under_a_post_without_a_body_repeats_nothing",
                ],
                rows: "55, 56, 58",
            },
            Demand {
                words: "all of that at once, by a seed: each call as its plan says, none twice, none later than \
                        its deadline",
                cases: &[
                    "a_server_of_random_faults_gets_no_call_twice_where_connections_are_kept",
                    "a_server_of_random_faults_gets_no_call_twice_where_none_is_kept",
                ],
                rows: "55 to 73",
            },
            Demand {
                words: "notice that an idle connection was closed, and take another",
                cases: &[
                    "an_idle_connection_that_was_closed_cleanly_is_replaced",
                    "a_connection_through_a_proxy_that_was_closed_is_replaced",
                ],
                rows: "57",
            },
            Demand {
                words: "make a new connection when the attempt asks for one",
                cases: &[
                    "the_second_try_is_made_on_a_new_connection",
                    "the_second_try_is_made_on_a_new_connection_however_soon_it_comes",
                    "the_second_try_of_a_client_without_settings_is_made_on_a_new_connection",
                ],
                rows: "100",
            },
            Demand {
                words: "try the next address of a host when the first is dark",
                cases: &["a_new_connection_to_a_host_with_a_dark_address_is_not_late"],
                rows: "106",
            },
            Demand {
                words: "close idle connections when told to, if it keeps any",
                cases: &["idle_connections_are_closed_when_asked_for"],
                rows: "57",
            },
            Demand {
                words: "close the connection of a future that is dropped, and stop its upload",
                cases: &[
                    "a_dropped_future_sends_nothing_more",
                    "a_dropped_upload_ends_with_what_was_buffered",
                    "an_upload_that_is_late_ends_with_what_was_buffered",
                    "a_future_dropped_while_it_waits_sends_nothing_more",
                ],
                rows: "60, 112",
            },
            Demand {
                words: "read an answer that comes before the upload is over, or say `unknown`; not hang",
                cases: &["an_early_answer_to_a_large_upload_is_that_answer_or_unknown"],
                rows: "64",
            },
        ],
    },
    Part {
        title: "Time",
        demands: &[
            Demand {
                words: "end at the deadline and say `timed_out`, whatever is slow: no answer, the head, the \
                        body, the upload",
                cases: &[
                    "no_answer_ends_at_the_deadline",
                    "a_slow_head_ends_at_the_deadline",
                    "a_slow_body_ends_at_the_deadline",
                    "a_server_that_stops_reading_ends_at_the_deadline",
                    "an_upload_that_crawls_ends_at_the_deadline",
                ],
                rows: "61, 62, 63, 109",
            },
            Demand {
                words: "end connecting, TLS and a proxy's answer included, at `connect_timeout`, and say `connect_timed_out`",
                cases: &[
                    "a_connection_that_is_never_made_ends_at_its_own_time_out",
                    "a_proxy_that_answers_byte_by_byte_ends_at_the_time_out_for_connecting",
                ],
                rows: "61, 62, 151",
            },
            Demand {
                words: "take `Duration::MAX` without a panic",
                cases: &["a_time_out_without_end_is_taken_as_one"],
                rows: "86",
            },
        ],
    },
    Part {
        title: "What is read",
        demands: &[
            Demand {
                words: "hand over any status, headers and body as they came, a 204 and a 304 too",
                cases: &[
                    "every_answer_has_the_same_outcome_on_every_stack",
                    "every_key_of_the_authentication_page_gets_its_outcome",
                    "without_json_in_accept_the_login_page_is_a_redirect",
                    "a_rate_limit_is_told_before_and_when_it_is_reached",
                    "a_revoked_key_is_refused_and_a_rotated_one_accepted",
                ],
                rows: "21 to 34, 46",
            },
            Demand {
                words: "pass over informational answers, and end an endless row of them at the deadline",
                cases: &["informational_answers_are_passed_over"],
                rows: "32",
            },
            Demand {
                words: "keep a header whose bytes are not ASCII, and the others beside it",
                cases: &["an_unreadable_header_spoils_nothing"],
                rows: "45",
            },
            Demand {
                words: "say `too_large`, with the status, of a body beyond `max_body_size`, and read no further",
                cases: &["a_body_over_the_cap_is_too_large_and_not_read_on", "an_unread_body_disturbs_no_later_call"],
                rows: "66, 83",
            },
            Demand {
                words: "take heads of 100 lines and 64 KiB, and say `too_large` of larger ones",
                cases: &["the_limits_of_a_head_are_the_same_on_every_stack"],
                rows: "71",
            },
            Demand {
                words: "allocate nothing for a length that is only claimed",
                cases: &["a_length_that_lies_allocates_nothing"],
                rows: "67",
            },
            Demand {
                words: "take no body for whole that ends before its length, its last chunk, or by a break",
                cases: &[
                    "a_cut_body_is_never_taken_for_whole",
                    "a_body_without_a_length_that_ends_by_a_break_is_never_taken_for_whole",
                    "json_cut_by_the_end_of_the_connection_does_not_decode",
                ],
                rows: "68, 69, 110",
            },
            Demand {
                words: "take no head for whole that is cut",
                cases: &["a_torn_head_is_never_a_success", "a_head_that_is_cut_behind_its_length_is_no_answer"],
                rows: "59, 111",
            },
            Demand {
                words: "unpack nothing",
                cases: &[
                    "a_compressed_answer_is_not_decompressed",
                    "a_users_client_decompresses_nothing_where_that_can_be_forced",
                ],
                rows: "70",
            },
            Demand {
                words: "end with an error, not a panic or a success, on lengths that contradict each other and \
                        on what is not quite HTTP",
                cases: &["contradicting_lengths_have_a_typed_end", "malformed_http_has_a_typed_end"],
                rows: "72, 73",
            },
            Demand {
                words: "take the same length given twice for one length, and chunks before a length beside \
                        them; or refuse the answer as `unknown`",
                cases: &[
                    "the_same_length_told_twice_is_one_length_or_no_answer",
                    "chunks_beside_a_length_count_or_the_answer_is_refused",
                ],
                rows: "72, 135",
            },
            Demand {
                words: "take no late bytes of one answer for the next",
                cases: &["late_bytes_are_never_the_next_calls_answer"],
                rows: "65",
            },
        ],
    },
    Part {
        title: "Bodies in pieces, and files",
        demands: &[
            Demand {
                words: "judge an answer by its head and the start of its body, and read whole what is no \
                        success, with the limits of any answer",
                cases: &[
                    "a_refusal_is_the_same_streamed_or_not",
                    "a_refusal_that_is_slow_or_large_has_the_limits_of_any_answer",
                    "a_refusal_that_is_slow_or_large_has_these_limits_on_a_users_client",
                    "a_streamed_answer_has_the_limits_of_any_head",
                    "a_streamed_answer_behind_a_redirect_is_never_a_success",
                    "a_streamed_body_that_is_compressed_is_no_success",
                ],
                rows: "18, 70, 71, 132",
            },
            Demand {
                words: "give each piece its own time, whatever comes that is no body, and the whole none",
                cases: &[
                    "a_streamed_body_that_falls_silent_ends_at_its_idle_time_out",
                    "a_streamed_body_that_is_slow_has_no_time_out_of_its_own",
                ],
                rows: "129, 130",
            },
            Demand {
                words: "count the pieces up to the cap, and take none that comes behind the end",
                cases: &[
                    "a_streamed_body_is_cut_at_the_cap",
                    "a_streamed_body_ends_at_its_length_whatever_comes_behind_it",
                ],
                rows: "65, 66",
            },
            Demand {
                words: "take no body in pieces for whole that is not",
                cases: &[
                    "a_streamed_body_that_is_cut_is_never_taken_for_whole",
                    "a_streamed_body_that_ends_by_a_break_is_never_taken_for_whole",
                ],
                rows: "68, 110",
            },
            Demand {
                words: "close the connection of a body that is dropped",
                cases: &["a_streamed_body_that_is_dropped_closes_its_connection"],
                rows: "83, 131",
            },
            Demand {
                words: "resume a file where it broke off, or say that it cannot",
                cases: &[
                    "a_file_from_a_host_of_random_faults_is_whole_or_an_error",
                    "a_file_whose_head_was_cut_is_asked_for_again_and_is_no_empty_one",
                    "a_file_that_ends_before_its_last_byte_goes_on_there",
                    "a_host_that_sends_what_is_no_byte_of_the_file_is_left",
                ],
                rows: "68, 111, 129, 133, 134",
            },
            Demand {
                words: "all of that at once, by a seed",
                cases: &[
                    "a_server_of_random_faults_breaks_no_streamed_body_unseen_where_connections_are_kept",
                    "a_server_of_random_faults_breaks_no_streamed_body_unseen_where_none_is_kept",
                ],
                rows: "136",
            },
        ],
    },
    Part {
        title: "What is sent again",
        demands: &[
            Demand {
                words: "wait as long as a 429 says, a window where it says nothing that can be read, and not at \
                        all where that is longer than the call may take",
                cases: &[
                    "a_429_is_sent_again_as_soon_as_the_server_says",
                    "a_429_without_a_wait_counts_as_a_window",
                    "a_wait_of_zero_is_no_busy_loop",
                    "a_wait_that_cannot_be_read_counts_as_a_window",
                    "a_wait_until_a_date_is_waited_for",
                    "a_wait_of_an_hour_ends_the_call_at_once",
                    "a_wait_beyond_the_deadline_ends_the_call_at_once",
                ],
                rows: "39 to 43, 47",
            },
            Demand {
                words: "end 429s that do not end, with the attempts or with the time of a job",
                cases: &[
                    "endless_429s_end_with_the_attempts",
                    "endless_429s_end_within_the_time_of_a_job",
                    "a_job_outlasts_a_503_that_names_its_wait",
                ],
                rows: "47, 48",
            },
            Demand {
                words: "send a GET again after 503 or no answer, a POST only if it is marked or was not sent, \
                        and neither with an empty budget",
                cases: &[
                    "a_flapping_server_is_asked_again_by_a_get_and_not_by_a_post",
                    "an_attempt_without_an_answer_is_repeated_for_a_get",
                    "a_post_that_may_have_arrived_is_sent_again_only_if_it_is_marked",
                    "a_refused_connection_is_tried_again_by_any_method",
                    "an_empty_budget_sends_nothing_again",
                ],
                rows: "48, 50, 52, 53, 61",
            },
            Demand {
                words: "send once what a retry cannot change",
                cases: &[
                    "a_refusal_that_a_retry_cannot_change_is_sent_once",
                    "a_certificate_that_is_not_trusted_is_not_asked_again",
                ],
                rows: "51, 54",
            },
            Demand {
                words: "ask the attempt for its request each time: it has the key of that time",
                cases: &[
                    "a_key_rotated_during_the_wait_is_the_next_tries",
                    "an_authorized_request_is_sent_again_with_the_key_of_that_time",
                ],
                rows: "97",
            },
            Demand {
                words: "wait for the pacer's turn, also beside another client and after callers that give up; and end \
                        at once where it would come too late",
                cases: &[
                    "five_hundred_jobs_of_64_callers_wait_for_their_turn",
                    "callers_beside_a_rival_get_what_it_leaves",
                    "callers_that_give_up_hold_no_other_up",
                    "a_turn_that_comes_too_late_ends_the_call_at_once",
                ],
                rows: "47",
            },
        ],
    },
];
