//! The names that events, their sources and their columns go by.

use crate::{InvalidRequest, open_set::open_set};

open_set! {
    /// The name of an event: one that is documented, or one of the Space's own, [`custom`](EventName::custom).
    /// [`FromStr`](std::str::FromStr) takes these and no other.
    EventName, "event_name", "expected a documented name, as purchase, or custom_event_1 to custom_event_50",
    fits: is_custom,
    /// The event `lead_generated`.
    LEAD_GENERATED = "lead_generated",
    /// The event `view_content`.
    VIEW_CONTENT = "view_content",
    /// The event `schedule`.
    SCHEDULE = "schedule",
    /// The event `purchase`.
    PURCHASE = "purchase",
    /// The event `subscribe`.
    SUBSCRIBE = "subscribe",
    /// The event `add_to_cart`.
    ADD_TO_CART = "add_to_cart",
    /// The event `contact`.
    CONTACT = "contact",
    /// The event `initiate_checkout`.
    INITIATE_CHECKOUT = "initiate_checkout",
    /// The event `add_payment_info`.
    ADD_PAYMENT_INFO = "add_payment_info",
    /// The event `complete_registration`.
    COMPLETE_REGISTRATION = "complete_registration",
    /// The event `start_trial`.
    START_TRIAL = "start_trial",
    /// The event `sign_up`.
    SIGN_UP = "sign_up",
    /// The event `submit_application`.
    SUBMIT_APPLICATION = "submit_application",
    /// The event `webinar_registration`.
    WEBINAR_REGISTRATION = "webinar_registration",
    /// The event `upsell_purchase`, in lists only. To track one, track a `purchase` with
    /// [`is_upsell`](super::TrackEventBuilder::is_upsell).
    UPSELL_PURCHASE = "upsell_purchase",
}

impl EventName {
    /// The name of one of the Space's own events: `custom_event_1` to `custom_event_50`.
    ///
    /// ```
    /// # use cometly::events::EventName;
    /// assert_eq!(EventName::custom(7)?, "custom_event_7");
    /// assert!(EventName::custom(51).is_err());
    /// # Ok::<(), cometly::InvalidRequest>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidRequest`] for a number that is not 1 to 50.
    pub fn custom(number: u8) -> Result<Self, InvalidRequest> {
        if (1..=50).contains(&number) {
            Ok(Self::other(format!("custom_event_{number}")))
        } else {
            Err(InvalidRequest::new(
                "event_name",
                format!("expected custom_event_1 to custom_event_50, found {number}"),
            ))
        }
    }
}

fn is_custom(name: &str) -> bool {
    let number = name.strip_prefix("custom_event_").filter(|number| !number.starts_with(['0', '+']));
    number.and_then(|number| number.parse().ok()).is_some_and(|number: u8| (1..=50).contains(&number))
}

open_set! {
    /// The source that an event came from. Those that were paid for end in `_ads`, the others in `_organic`;
    /// [`FromStr`](std::str::FromStr) takes any name of that form.
    Source, "sources", "expected a source that ends in _ads or _organic, as facebook_ads",
    fits: is_source,
    /// The source `facebook_ads`.
    FACEBOOK_ADS = "facebook_ads",
    /// The source `facebook_organic`.
    FACEBOOK_ORGANIC = "facebook_organic",
    /// The source `google_ads`.
    GOOGLE_ADS = "google_ads",
    /// The source `google_organic`.
    GOOGLE_ORGANIC = "google_organic",
    /// The source `linkedin_ads`.
    LINKEDIN_ADS = "linkedin_ads",
    /// The source `linkedin_organic`.
    LINKEDIN_ORGANIC = "linkedin_organic",
    /// The source `tiktok_ads`.
    TIKTOK_ADS = "tiktok_ads",
    /// The source `tiktok_organic`.
    TIKTOK_ORGANIC = "tiktok_organic",
    /// The source `youtube_ads`.
    YOUTUBE_ADS = "youtube_ads",
    /// The source `youtube_organic`.
    YOUTUBE_ORGANIC = "youtube_organic",
    /// The source `instagram_ads`.
    INSTAGRAM_ADS = "instagram_ads",
    /// The source `instagram_organic`.
    INSTAGRAM_ORGANIC = "instagram_organic",
    /// The source `bing_ads`.
    BING_ADS = "bing_ads",
    /// The source `bing_organic`.
    BING_ORGANIC = "bing_organic",
    /// The source `yahoo_ads`.
    YAHOO_ADS = "yahoo_ads",
    /// The source `yahoo_organic`.
    YAHOO_ORGANIC = "yahoo_organic",
    /// The source `pinterest_ads`.
    PINTEREST_ADS = "pinterest_ads",
    /// The source `pinterest_organic`.
    PINTEREST_ORGANIC = "pinterest_organic",
    /// The source `reddit_ads`.
    REDDIT_ADS = "reddit_ads",
    /// The source `reddit_organic`.
    REDDIT_ORGANIC = "reddit_organic",
    /// The source `snapchat_ads`.
    SNAPCHAT_ADS = "snapchat_ads",
    /// The source `snapchat_organic`.
    SNAPCHAT_ORGANIC = "snapchat_organic",
    /// The source `telegram_ads`.
    TELEGRAM_ADS = "telegram_ads",
    /// The source `telegram_organic`.
    TELEGRAM_ORGANIC = "telegram_organic",
    /// The source `twitch_ads`.
    TWITCH_ADS = "twitch_ads",
    /// The source `twitch_organic`.
    TWITCH_ORGANIC = "twitch_organic",
    /// The source `x_ads`.
    X_ADS = "x_ads",
    /// The source `x_organic`.
    X_ORGANIC = "x_organic",
    /// The source `quora_ads`.
    QUORA_ADS = "quora_ads",
    /// The source `quora_organic`.
    QUORA_ORGANIC = "quora_organic",
    /// The source `duckduckgo_ads`.
    DUCKDUCKGO_ADS = "duckduckgo_ads",
    /// The source `duckduckgo_organic`.
    DUCKDUCKGO_ORGANIC = "duckduckgo_organic",
    /// The source `messenger_organic`.
    MESSENGER_ORGANIC = "messenger_organic",
    /// The source `brave_organic`.
    BRAVE_ORGANIC = "brave_organic",
}

fn is_source(source: &str) -> bool {
    let who = source.strip_suffix("_ads").or_else(|| source.strip_suffix("_organic"));
    let is_plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    who.is_some_and(|who| !who.is_empty() && who.bytes().all(is_plain))
}

open_set! {
    /// The model by which a conversion is shared among the visits before it. [`FromStr`](std::str::FromStr) takes the
    /// documented ones.
    AttributionModel, "attribution_model", "expected a documented model, as last_touch",
    fits: |_| false,
    /// The model `first_touch`.
    FIRST_TOUCH = "first_touch",
    /// The model `last_touch`.
    LAST_TOUCH = "last_touch",
    /// The model `last_non_direct_touch`.
    LAST_NON_DIRECT_TOUCH = "last_non_direct_touch",
    /// The model `linear`.
    LINEAR = "linear",
    /// The model `linear_paid_ads`.
    LINEAR_PAID_ADS = "linear_paid_ads",
    /// The model `u_shaped`.
    U_SHAPED = "u_shaped",
    /// The model `first_touch_source_specific`.
    FIRST_TOUCH_SOURCE_SPECIFIC = "first_touch_source_specific",
    /// The model `last_touch_source_specific`.
    LAST_TOUCH_SOURCE_SPECIFIC = "last_touch_source_specific",
}

/// How many days before a conversion a visit still counts: 1, 7, 14, 30, 60, 90, or all of them. From [`days`](Self::days),
/// which fails with [`InvalidRequest`] for any other number, from [`LIFETIME`](Self::LIFETIME), or from [`other`](Self::other),
/// which checks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttributionWindow(u16);

impl AttributionWindow {
    /// No bound: every visit counts, whenever it was. It is sent as 0.
    pub const LIFETIME: Self = Self(0);

    /// A window of this many days: 1, 7, 14, 30, 60 or 90.
    ///
    /// # Errors
    /// [`InvalidRequest`] for any other number.
    pub fn days(days: u16) -> Result<Self, InvalidRequest> {
        if [1, 7, 14, 30, 60, 90].contains(&days) {
            Ok(Self(days))
        } else {
            Err(InvalidRequest::new(
                "attribution_window",
                format!("expected 1, 7, 14, 30, 60 or 90 days, found {days}"),
            ))
        }
    }

    /// A window of any other number of days, such as one that is newer than this crate. It is not checked and is sent as it is.
    /// 0 is [`LIFETIME`](Self::LIFETIME).
    #[must_use]
    pub fn other(days: u16) -> Self {
        Self(days)
    }

    /// The days of the window, as they are sent; 0 for [`LIFETIME`](Self::LIFETIME).
    #[must_use]
    pub fn as_days(self) -> u16 {
        self.0
    }
}

open_set! {
    /// Whether events are listed by person (`profile`) or by company (`company`). [`FromStr`](std::str::FromStr) takes these
    /// two.
    QueryMode, "query_mode", "expected profile or company",
    fits: |_| false,
    /// By person, `profile`: the API's default.
    PROFILE = "profile",
    /// By company, `company`.
    COMPANY = "company",
}

open_set! {
    /// A column of a listed event. Not all columns are documented, so [`FromStr`](std::str::FromStr) takes any name of lower
    /// case letters, digits and underscores.
    EventField, "fields", "expected a name of lower case letters, digits and underscores, as event_time_utc",
    fits: |field| !field.is_empty() && field.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')),
    /// The column `id`, which is there by default.
    ID = "id",
    /// The column `event_time_utc`, which is there by default.
    EVENT_TIME_UTC = "event_time_utc",
    /// The column `event_name`.
    EVENT_NAME = "event_name",
    /// The column `configured_name`: the name that the Space gave to this kind of event.
    CONFIGURED_NAME = "configured_name",
    /// The column `event_url`.
    EVENT_URL = "event_url",
    /// The column `contact_id`.
    CONTACT_ID = "contact_id",
    /// The column `profile_id`.
    PROFILE_ID = "profile_id",
    /// The column `company_id`.
    COMPANY_ID = "company_id",
    /// The column `source`.
    SOURCE = "source",
    /// The column `email`.
    EMAIL = "email",
    /// The column `amount`.
    AMOUNT = "amount",
    /// The column `order_id`.
    ORDER_ID = "order_id",
    /// The column `order_name`.
    ORDER_NAME = "order_name",
    /// The column `is_upsell`, which an event has in [`extra`](super::Event::extra).
    IS_UPSELL = "is_upsell",
    /// The column `touchpoints`: the visits before the event. [`build`](super::ListEventsBuilder::build) refuses it without
    /// [`sources`](super::ListEventsBuilder::sources).
    TOUCHPOINTS = "touchpoints",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_documented_or_of_the_documented_form() {
        for name in ["purchase", "upsell_purchase", "custom_event_1", "custom_event_50"] {
            assert_eq!(name.parse::<EventName>().unwrap(), name);
        }
        for name in ["Purchase", "", "custom_event_0", "custom_event_51", "custom_event_07", "custom_event_+7"] {
            assert_eq!(name.parse::<EventName>().unwrap_err().field(), "event_name", "{name}");
        }
        assert_eq!(EventName::custom(0).unwrap_err().rule(), "expected custom_event_1 to custom_event_50, found 0");
        for source in ["facebook_ads", "new_thing_organic"] {
            assert_eq!(source.parse::<Source>().unwrap(), source);
        }
        for source in ["facebook", "_ads", "Facebook_ads", "face book_ads"] {
            assert!(source.parse::<Source>().is_err(), "{source}");
        }
        assert!("newest".parse::<AttributionModel>().is_err() && AttributionWindow::days(2).is_err());
    }

    #[test]
    fn a_name_that_is_newer_is_read_like_any_other() {
        let read = |json| serde_json::from_str::<EventName>(json).unwrap();
        assert_eq!(read("\"purchase\""), EventName::PURCHASE);
        assert_eq!(read("\"refund\""), EventName::other("refund"));
        assert_eq!(serde_json::to_string(&read("\"refund\"")).unwrap(), "\"refund\"");
        assert!(serde_json::from_str::<EventName>("7").is_err());
    }
}
