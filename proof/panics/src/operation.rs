//! A call under way, and what it keeps to.

use std::{
    future::{Ready, ready},
    io,
};

use cometly_core::{
    Attempt, Attributes, BadAnswer, BodyMeter, InvalidSpace, Mailbox, Moment, Next, Operation, Pacer, Question,
    RetryBudget, RetryPolicy, RetryReason, SharedLane, TransportError, TransportLimits, bytes::Bytes,
};

use crate::{keep, keep_traits};

type Underway = Operation<Bytes, io::Error>;
type Then = Next<Bytes, io::Error>;
type Failure = TransportError<io::Error>;

/// `Attempt::instrument` gives a type without a name.
fn instrument(attempt: &Attempt) {
    drop(std::hint::black_box(Attempt::instrument::<Ready<()>>(attempt, ready(()))));
}

pub(crate) fn probes() {
    keep!(2 Operation::<Bytes, io::Error>::next);
    keep!(2 Operation::<Vec<u8>, ()>::next);
    std::hint::black_box(Operation::<Bytes, io::Error>::from_request as fn(_, _, _, _, _, _) -> _);
    keep_traits!(Underway: Debug, Drop);
    keep_traits!(Then: Debug, Drop);

    keep!(1 Attempt::request);
    keep!(1 Attempt::uri);
    keep!(1 Attempt::timeout);
    keep!(3 Attempt::begins_success);
    keep!(2 Attempt::body_meter);
    keep!(2 BodyMeter::add::<io::Error>);
    keep!(1 BodyMeter::check::<io::Error>);
    keep!(2 BodyMeter::failed::<io::Error>);
    keep_traits!(BodyMeter: Debug, Drop);
    keep!(1 Attempt::limits);
    keep!(1 Attempt::number);
    keep!(1 Attempt::reason);
    keep!(1 Attempt::needs_fresh_connection);
    keep!(1 Attempt::method);
    keep!(1 Attempt::path_template);
    keep!(1 Attempt::attributes);
    keep!(1 instrument);
    keep!(2 Attempt::in_scope as fn(_, fn()) -> _);
    keep!(3 Attempt::finish::<Bytes, io::Error>);
    keep!(3 Attempt::finish::<Vec<u8>, io::Error>);
    keep!(3 Attempt::finish::<&'static [u8], ()>);
    keep_traits!(Attempt: Debug, Drop);
    keep_traits!(Attributes<'static>: Debug, Clone, PartialEq);

    keep!(1 TransportError::<io::Error>::not_sent);
    keep!(1 TransportError::<io::Error>::untrusted);
    keep!(1 TransportError::<io::Error>::unknown);
    keep!(2 TransportError::<io::Error>::failed);
    keep!(1 TransportError::<io::Error>::setup);
    keep!(2 TransportError::<io::Error>::proxy_refused);
    keep!(1 TransportError::<io::Error>::timed_out);
    keep!(1 TransportError::<io::Error>::connect_timed_out);
    keep!(1 TransportError::<io::Error>::too_large);
    keep!(2 TransportError::<io::Error>::with_source);
    keep!(2 TransportError::<io::Error>::map_source as fn(_, fn(io::Error) -> String) -> _);
    keep!(1 TransportError::<io::Error>::delivery);
    keep_traits!(Failure: Debug, Display, Error, Drop);

    keep!(0 RetryPolicy::none);
    keep!(1 RetryPolicy::within);
    keep!(2 RetryPolicy::max_attempts);
    keep!(2 RetryPolicy::initial_backoff);
    keep!(2 RetryPolicy::max_backoff);
    keep!(2 RetryPolicy::max_retry_after);
    keep!(2 RetryPolicy::retry_server_errors);
    keep!(2 RetryPolicy::timeout);
    keep!(2 RetryPolicy::budget);
    keep_traits!(RetryPolicy: Debug, Clone, Default, Drop);
    keep_traits!(RetryReason: Debug, Display, PartialEq, Hash);

    keep!(0 RetryBudget::new);
    keep!(1 RetryBudget::with_reserve);
    keep_traits!(RetryBudget: Debug, Clone, Default, Drop);

    keep!(0 Pacer::new);
    keep!(1 Pacer::shared);
    keep_traits!(Pacer: Debug, Clone, Default, Drop);

    keep!(1 Mailbox::next_question);
    keep!(4 Mailbox::answer);
    keep!(2 Mailbox::away);
    keep!(2 Mailbox::back);
    keep!(2 Mailbox::is_away);
    keep!(1 Mailbox::is_closed);
    keep!(2 Mailbox::set_waker);
    keep_traits!(Mailbox: Debug, Drop);
    keep!(1 Question::key);
    keep!(1 Question::events);
    keep_traits!(Question: Debug, Drop);
    keep!(1 SharedLane::from_fields);
    keep!(1 SharedLane::fields);
    keep!(3 SharedLane::key);
    keep!(1 SharedLane::under_way);
    keep!(1 SharedLane::ends);
    keep!(3 SharedLane::answer);
    keep_traits!(SharedLane: Debug, Clone, Default, PartialEq);
    keep_traits!(InvalidSpace: Debug, Display, PartialEq, Error);
    keep_traits!(BadAnswer: Debug, Display, PartialEq, Error);

    keep!(1 Moment::since_origin);
    keep!(0 Moment::now);
    keep!(2 Moment::duration_since);
    keep!(2 Moment::saturating_add);
    keep!(1 <Moment as From<std::time::Instant>>::from);
    keep_traits!(Moment: Debug, Clone, Default, PartialEq, Hash);

    keep!(3 TransportLimits::check_head::<io::Error>);
    keep!(4 TransportLimits::extend_body::<io::Error>);
    keep_traits!(TransportLimits: Debug, Clone, Default, PartialEq);
}
