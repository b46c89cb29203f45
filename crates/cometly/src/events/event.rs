//! A listed event.

use super::{EventName, Source};
use crate::{Amount, Id, row::row};

row! {
    /// An event of a list or an export. It holds the columns that were asked for with
    /// [`fields`](super::ListEventsBuilder::fields); those without a field here are in `extra`.
    Event {
        required: {}
        optional: {
            /// Its id.
            id: Option<Id>,
            /// When it happened, in UTC: `2026-11-24 10:00:00`.
            event_time_utc: Option<String>,
            /// What happened.
            event_name: Option<EventName>,
            /// What the Space calls it.
            configured_name: Option<String>,
            /// The page where it happened.
            event_url: Option<String>,
            /// The contact.
            contact_id: Option<Id>,
            /// The profile.
            profile_id: Option<Id>,
            /// The company.
            company_id: Option<Id>,
            /// Where it came from.
            source: Option<Source>,
            /// The contact's address.
            email: Option<String>,
            /// What it was worth.
            amount: Option<Amount>,
            /// The order.
            order_id: Option<Id>,
            /// What the order is called.
            order_name: Option<String>,
            /// The ads and visits before it, if [`sources`](super::ListEventsBuilder::sources) were asked for.
            touchpoints: Vec<Touchpoint>,
        }
    }
}

row! {
    /// An ad or a visit before an event.
    Touchpoint {
        required: {}
        optional: {
            /// Where it came from.
            source: Option<Source>,
            /// The ad.
            ad_name: Option<String>,
            /// The ad set.
            adset_name: Option<String>,
            /// The campaign.
            campaign_name: Option<String>,
            /// The ad account.
            account_name: Option<String>,
            /// When it happened, in UTC.
            event_time_utc: Option<String>,
        }
    }
}
