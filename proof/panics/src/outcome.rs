//! What came back.

use cometly_core::{Answer, AuthOutcome, Reply};

use crate::{Typed, keep, keep_traits};

pub(crate) fn probes<B: AsRef<[u8]> + Clone + 'static>() {
    keep!(1 Reply::<B>::status);
    keep!(1 Reply::<B>::headers);
    keep!(1 Reply::<B>::rate_limit);
    keep!(1 Reply::<B>::tries);
    keep!(1 Reply::<B>::body);
    keep!(1 Reply::<B>::into_body);
    keep!(1 Reply::<B>::json::<Typed<'static>>);
    keep!(1 Reply::<B>::json::<Vec<u64>>);
    keep_traits!(Reply<B>: Debug, Clone, Drop);

    keep!(1 Answer::<B>::key_status);
    keep!(1 Answer::<B>::status);
    keep!(1 Answer::<B>::headers);
    keep!(1 Answer::<B>::rate_limit);
    keep!(1 Answer::<B>::retry_after);
    keep!(1 Answer::<B>::tries);
    keep!(1 Answer::<B>::message);
    keep!(1 Answer::<B>::field_errors);
    keep_traits!(Answer<B>: Debug, Clone, Drop);

    keep!(1 AuthOutcome::<B>::is_success);
    keep!(1 AuthOutcome::<B>::is_unauthenticated);
    keep!(1 AuthOutcome::<B>::is_forbidden);
    keep!(1 AuthOutcome::<B>::is_rate_limited);
    keep!(1 AuthOutcome::<B>::is_rejected);
    keep!(1 AuthOutcome::<B>::is_server_error);
    keep!(1 AuthOutcome::<B>::is_unexpected);
    keep!(1 AuthOutcome::<B>::kind);
    keep!(1 AuthOutcome::<B>::key_status);
    keep!(1 AuthOutcome::<B>::status);
    keep!(1 AuthOutcome::<B>::headers);
    keep!(1 AuthOutcome::<B>::rate_limit);
    keep!(1 AuthOutcome::<B>::retry_after);
    keep!(1 AuthOutcome::<B>::tries);
    keep!(1 AuthOutcome::<B>::message);
    keep!(1 AuthOutcome::<B>::into_result);
    keep_traits!(AuthOutcome<B>: Debug, Display, Clone, Drop);
}
