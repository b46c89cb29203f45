//! A listed event.

use super::{EventName, Source};
use crate::{Amount, Id, row::row};

row! {
    /// An event of a list or an export. It holds the columns that were asked for with
    /// [`fields`](super::ListEventsBuilder::fields), by default `id` and `event_time_utc`; all others are `None` or empty.
    /// Columns without a field here are in `extra`.
    Event {
        required: {}
        optional: {
            /// The id of the event.
            id: Option<Id>,
            /// When the event happened, in UTC: `2026-11-24 10:00:00`.
            event_time_utc: Option<String>,
            /// The name of the event, as `purchase`.
            event_name: Option<EventName>,
            /// The name that the Space gave to this kind of event.
            configured_name: Option<String>,
            /// The URL of the page where the event happened.
            event_url: Option<String>,
            /// The id of the contact that did it.
            contact_id: Option<Id>,
            /// The id of the profile that did it.
            profile_id: Option<Id>,
            /// The id of the contact's company.
            company_id: Option<Id>,
            /// The source that the event is attributed to, as `facebook_ads`.
            source: Option<Source>,
            /// The contact's email address.
            email: Option<String>,
            /// The value of the event in money, without its currency.
            amount: Option<Amount>,
            /// The id of the order in the shop.
            order_id: Option<Id>,
            /// The name of the order in the shop.
            order_name: Option<String>,
            /// The ads and visits before it, if [`sources`](super::ListEventsBuilder::sources) were asked for.
            touchpoints: Vec<Touchpoint>,
        }
    }
}

row! {
    /// An ad or a visit before an event; a field is `None` if the API does not name it.
    Touchpoint {
        required: {}
        optional: {
            /// The source that the visit came from, as `facebook_ads`.
            source: Option<Source>,
            /// The name of the ad.
            ad_name: Option<String>,
            /// The name of the ad set.
            adset_name: Option<String>,
            /// The name of the campaign.
            campaign_name: Option<String>,
            /// The name of the ad account.
            account_name: Option<String>,
            /// When the visit happened, in UTC: `2026-11-24 10:00:00`.
            event_time_utc: Option<String>,
        }
    }
}
