//! Guards of the pacer, and of the rule by which tries spread out.

use super::Break;

pub(super) const BREAKS: &[Break] = &[
    Break::in_core(
        "crates/cometly-core/src/spread.rs",
        "|doubled| doubled.saturating_sub(1)).min(most)",
        "|doubled| doubled.saturating_sub(1))",
        "attempt::tests::a_job_that_is_refused_in_a_row_spreads_over_whole_windows",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        r"        if self.closed_until.is_some() {
            return false;
        }
",
        "",
        "attempt::tests::a_second_try_that_the_pacer_refuses_tells_of_the_first",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        r"        if self.shown == Shown::NoLimit {
            return true;
        }
",
        "",
        "pacer::tests::an_endpoint_that_never_showed_a_limit_holds_nobody_back",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "let before = self.under_way.saturating_add(ahead);",
        "let before = self.under_way;",
        "pacer::tests::who_does_not_come_back_holds_nobody_up_and_keeps_its_place",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "None => before == 0 || is_slow,",
        "None => true,",
        "attempt::tests::a_paced_call_waits_its_turn_or_says_at_once_that_it_comes_too_late",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "None => before == 0 || is_slow,",
        "None => before == 0,",
        "pacer::tests::the_first_call_shows_the_way_and_holds_the_others_back_for_a_second_at_most",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "Some(0) => before == 0,",
        "Some(0) => false,",
        "pacer::tests::a_shorter_window_is_learnt_from_a_refusal_or_from_its_turning_over",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "Some(left) => before < self.open.room(left, self.limit) ||",
        "Some(left) => true ||",
        "pacer::tests::many_callers_of_one_process_are_hardly_ever_refused",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "self.length.measured(above, later(now, wait).saturating_duration_since(sent));",
        "",
        "pacer::tests::a_window_whose_length_is_known_stays_closed_until_it_is_over",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "self.length.turned(now.saturating_duration_since(sent));",
        "",
        "pacer::tests::a_shorter_window_is_learnt_from_a_refusal_or_from_its_turning_over",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "let until = self.closed_until.map_or(opens, |until| until.max(opens));",
        "let until = opens;",
        "pacer::tests::a_refusal_closes_for_as_long_as_it_says_and_a_second_one_changes_nothing",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "self.refusals = self.refusals.saturating_add(1);",
        "",
        "attempt::tests::nobody_is_turned_away_because_of_a_guess",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        r"        self.under_way = self.under_way.saturating_sub(1);
",
        "",
        "attempt::tests::a_paced_call_waits_its_turn_or_says_at_once_that_it_comes_too_late",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "self.is_sliding = self.limit > remaining.checked_add(1);",
        "",
        "pacer::tests::where_calls_come_back_one_by_one_they_go_one_by_one",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        r"            self.line.join(number, turn);
",
        "",
        "pacer::tests::a_waiter_is_told_which_window_is_its_own",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/line.rs",
        "self.sleepers.pop_front();",
        "break;",
        "pacer::line::tests::who_does_not_come_back_lets_others_pass_and_comes_in_again_at_the_head",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/line.rs",
        "self.sleepers.iter_mut().skip(place).for_each(|behind| std::mem::swap(behind, &mut next));",
        "let _ = (place, &mut next);",
        "pacer::line::tests::numbers_not_the_time_of_joining_give_the_place",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer.rs",
        r"            forget_oldest(&mut endpoints);
",
        "",
        "pacer::tests::endless_endpoints_take_no_endless_memory_and_those_in_use_stay",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer.rs",
        r"        if endpoints.len() < Self::MAX_ENDPOINTS {
",
        r"        if true {
",
        "pacer::tests::endless_endpoints_take_no_endless_memory_and_those_in_use_stay",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer.rs",
        ".filter(|lane| Arc::strong_count(lane) == 1)",
        "",
        "pacer::tests::endless_endpoints_take_no_endless_memory_and_those_in_use_stay",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer.rs",
        r"            lock(&seat.lane).lose();
",
        "",
        "attempt::tests::a_second_try_that_the_pacer_refuses_tells_of_the_first",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer.rs",
        r"            lock(&seat.lane).leave(seat.number);
",
        "",
        "attempt::tests::a_turn_later_than_the_longest_honoured_wait_is_not_waited_for",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer.rs",
        "lane.lock().unwrap_or_else(PoisonError::into_inner)",
        "lane.lock().unwrap()",
        "pacer::tests::a_panic_while_it_is_locked_spoils_nothing",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/window.rs",
        "Evidence::Waits => self.length = self.length.max(wait),",
        "Evidence::Waits => self.length = wait,",
        "pacer::tests::who_comes_a_little_too_soon_waits_no_longer_than_it_is_told",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/open.rs",
        "known.min(remaining)",
        "remaining",
        "pacer::open::tests::the_least_that_was_left_counts_unless_it_is_another_window",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/open.rs",
        "share.min(self.taken.saturating_mul(2)).clamp(1, MOST_UNDER_WAY)",
        "left.clamp(1, MOST_UNDER_WAY)",
        "pacer::open::tests::as_many_go_as_are_ours_of_what_is_left",
    ),
    Break::in_core(
        "crates/cometly-core/src/jitter.rs",
        "u128::from(nanos).wrapping_mul(u128::from(self.draw())) >> 64",
        "u128::from(nanos)",
        "attempt::tests::callers_that_are_told_the_same_wait_do_not_come_back_together",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "let is_early = wait.saturating_mul(8) <= length;",
        "let is_early = false;",
        "pacer::tests::who_comes_a_little_too_soon_waits_no_longer_than_it_is_told",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "let is_known = self.closed_until.is_some() || grant.at < self.open.since || grant.is_asking;",
        "let is_known = false;",
        "pacer::tests::a_refusal_closes_for_as_long_as_it_says_and_a_second_one_changes_nothing",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "turn.min(self.length.get().saturating_mul(2).max(part(turn, 2))).max(Duration::from_millis(1))",
        "turn",
        "pacer::tests::a_waiter_is_told_which_window_is_its_own",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "if self.last_number <= 1 { MOST_ALONE } else { MOST_OF_MANY }",
        "MOST_ALONE",
        "pacer::tests::who_is_refused_in_a_row_leaves_whole_windows_to_others_fewer_with_more_calls_to_make",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "left == 0 && !self.length.is_assumed()",
        "left == 0",
        "pacer::tests::a_shorter_window_is_learnt_from_a_refusal_or_from_its_turning_over",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/open.rs",
        "self.taken.saturating_mul(LEAST_SHARE) <=",
        "0 * self.taken >",
        "attempt::tests::nobody_is_turned_away_because_of_a_guess",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/window.rs",
        "wait.is_zero() || wait > LONGEST",
        "false",
        "pacer::window::tests::a_wait_of_none_or_of_hours_is_no_window",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "if self.closed_until.is_none() && self.length.is_assumed() {",
        "if false {",
        "attempt::tests::nobody_is_turned_away_because_of_a_guess",
    ),
    Break::in_core(
        "crates/cometly-core/src/pacer/lane.rs",
        "if self.closed_until.is_none() && self.length.is_assumed() {",
        "if self.length.is_assumed() {",
        "pacer::tests::a_refusal_that_tells_no_wait_closes_for_a_window_and_nobody_asks_before",
    ),
    Break::in_core(
        "crates/cometly-core/src/attempt.rs",
        "turn.saturating_add(state.least_try()) >= time_left",
        "turn >= time_left",
        "attempt::tests::a_turn_that_leaves_no_time_for_the_try_is_too_late",
    ),
    Break::in_core(
        "crates/cometly-core/src/attempt.rs",
        "if time_left.is_zero() && state.api.pacer().is_some() {",
        "if false {",
        "attempt::tests::a_turn_that_leaves_no_time_for_the_try_is_too_late",
    ),
];
