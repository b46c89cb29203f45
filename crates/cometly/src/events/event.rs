//! A listed event.

use super::{EventName, Source};
use crate::{Amount, Id, row::row};

row! {
    /// An event of a list or an export. It holds the columns that were asked for with
    /// [`fields`](super::ListEventsBuilder::fields), by default `id` and `event_time_utc`; all others are `None` or empty.
    /// Columns without a field here are in `extra`. JSON with a value of another type than its field cannot be read as an
    /// event: the call fails with a [`DecodeError`](crate::DecodeError) then, and the line of an export with a
    /// [`RowError`](crate::RowError).
    Event {
        required: {}
        optional: {
            /// The id of the event; `None` if there is none, or it was not asked for.
            id: Option<Id>,
            /// When the event happened, in UTC: `2026-11-24 10:00:00`; `None` if there is none, or it was not asked for.
            event_time_utc: Option<String>,
            /// The name of the event, as `purchase`; `None` if there is none, or it was not asked for.
            event_name: Option<EventName>,
            /// The name that the Space gave to this kind of event; `None` if there is none, or it was not asked for.
            configured_name: Option<String>,
            /// The URL of the page where the event happened; `None` if there is none, or it was not asked for.
            event_url: Option<String>,
            /// The id of the contact whose event it is; `None` if there is none, or it was not asked for.
            contact_id: Option<Id>,
            /// The id of the profile whose event it is; `None` if there is none, or it was not asked for.
            profile_id: Option<Id>,
            /// The id of the contact's company; `None` if there is none, or it was not asked for.
            company_id: Option<Id>,
            /// The source that the event is attributed to, as `facebook_ads`; `None` if there is none, or it was not asked for.
            source: Option<Source>,
            /// The contact's email address; `None` if there is none, or it was not asked for.
            email: Option<String>,
            /// The value of the event in money, without its currency; `None` if there is none, or it was not asked for.
            amount: Option<Amount>,
            /// The id of the order in the shop; `None` if there is none, or it was not asked for.
            order_id: Option<Id>,
            /// The name of the order in the shop; `None` if there is none, or it was not asked for.
            order_name: Option<String>,
            /// The ads and visits before the event; empty if there are none, or the column was not asked for, which needs
            /// [`sources`](super::ListEventsBuilder::sources).
            touchpoints: Vec<Touchpoint>,
        }
    }
}

row! {
    /// An ad or a visit before an event, from [`Event::touchpoints`]; a field is `None` if the API does not name it. A value of
    /// another type than its field makes the whole event unreadable.
    Touchpoint {
        required: {}
        optional: {
            /// The source that the visit came from, as `facebook_ads`; `None` if the API does not name it.
            source: Option<Source>,
            /// The name of the ad; `None` if the API does not name it.
            ad_name: Option<String>,
            /// The name of the ad set; `None` if the API does not name it.
            adset_name: Option<String>,
            /// The name of the campaign; `None` if the API does not name it.
            campaign_name: Option<String>,
            /// The name of the ad account; `None` if the API does not name it.
            account_name: Option<String>,
            /// When the visit happened, in UTC: `2026-11-24 10:00:00`; `None` if the API does not name it.
            event_time_utc: Option<String>,
        }
    }
}
