//! The data of all Spaces, as far as it is not seeded.

use crate::store::changes::Changes;
use crate::store::exports::Exports;
use crate::store::persistence::Store;
use crate::store::tracked::TrackedEvents;

pub(crate) struct Records {
    pub(crate) store: Store,
    pub(crate) tracked: TrackedEvents,
    pub(crate) contacts: Changes,
    pub(crate) companies: Changes,
    pub(crate) exports: Exports,
}
