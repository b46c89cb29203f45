//! What came back.

use cometly_core::{AuthOutcome, Reply, bytes::Bytes};

use crate::{Typed, keep, keep_traits};

pub(crate) fn probes<B: AsRef<[u8]> + Clone + 'static>() {
    keep!(1 Reply::<B>::status);
    keep!(1 Reply::<B>::headers);
    keep!(1 Reply::<B>::rate_limit);
    keep!(1 Reply::<B>::key_status);
    keep!(1 Reply::<B>::attempts);
    keep!(1 Reply::<B>::body);
    keep!(1 Reply::<B>::into_body);
    keep!(1 Reply::<B>::json::<Typed<'static>>);
    keep!(1 Reply::<B>::json::<Vec<u64>>);
    keep!(1 Reply::<Bytes>::decode::<Vec<u64>>);
    keep!(2 Reply::<B>::map as fn(_, fn(B) -> u64) -> _);
    keep_traits!(Reply<B>: Debug, Display, Clone, Drop);

    keep!(1 AuthOutcome::<B>::status);
    keep!(1 AuthOutcome::<B>::error);
    keep!(1 AuthOutcome::<B>::into_result);
    keep!(2 AuthOutcome::<B>::map as fn(_, fn(B) -> u64) -> _);
    keep_traits!(AuthOutcome<B>: Debug, Display, Clone, Drop);
}
