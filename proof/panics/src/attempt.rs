//! A call under way, and what it keeps to.

use std::io;

use cometly_core::{
    Attempt, Limits, Pace, Pacer, Permit, RetryBudget, RetryPolicy, RetryReason, Step, Ticket, bytes::Bytes,
};

use crate::{keep, keep_traits};

pub(crate) fn probes() {
    keep!(4 Attempt::from_request);
    keep!(1 Attempt::request);
    keep!(1 Attempt::number);
    keep!(1 Attempt::reason);
    keep!(1 Attempt::method);
    keep!(1 Attempt::path_template);
    keep!(2 Attempt::remaining);
    keep!(3 Attempt::pace::<io::Error>);
    keep!(3 Attempt::on_response::<Bytes, io::Error>);
    keep!(3 Attempt::on_response::<Vec<u8>, io::Error>);
    keep!(3 Attempt::on_response::<&'static [u8], ()>);
    keep!(4 Attempt::on_failure::<Bytes, io::Error>);
    keep!(3 Attempt::on_error::<Bytes, io::Error>);
    keep_traits!(Attempt: Debug, Drop);
    keep_traits!(Step<Bytes, io::Error>: Debug, Drop);

    keep!(0 RetryPolicy::none);
    keep!(1 RetryPolicy::within);
    keep!(2 RetryPolicy::tries);
    keep!(2 RetryPolicy::base);
    keep!(2 RetryPolicy::cap);
    keep!(2 RetryPolicy::max_retry_after);
    keep!(2 RetryPolicy::retry_server_errors);
    keep!(2 RetryPolicy::total);
    keep!(2 RetryPolicy::at_most);
    keep!(2 RetryPolicy::budget);
    keep!(1 RetryPolicy::total_time);
    keep_traits!(RetryPolicy: Debug, Clone, Default, Drop);
    keep_traits!(RetryReason: Debug, Display, PartialEq, Hash);

    keep!(0 RetryBudget::new);
    keep!(1 RetryBudget::with_reserve);
    keep_traits!(RetryBudget: Debug, Clone, Default, Drop);

    keep!(0 Pacer::new);
    std::hint::black_box(Pacer::poll as fn(_, _, _, _, _) -> _);
    keep_traits!(Pacer: Debug, Clone, Default, Drop);
    keep!(2 Ticket::poll);
    keep!(2 Ticket::turn);
    keep_traits!(Ticket: Debug, Drop);
    keep!(3 Permit::on_outcome::<Bytes>);
    keep_traits!(Permit: Debug, Drop);
    keep_traits!(Pace: Debug, Drop);

    keep!(3 Limits::check_head::<io::Error>);
    keep!(4 Limits::extend_body::<io::Error>);
    keep_traits!(Limits: Debug, Clone, Default, PartialEq);
}
