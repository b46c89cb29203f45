//! The names that events, their sources and their columns go by.

use crate::{InvalidRequest, open_set::open_set};

open_set! {
    /// The name of an event: one that is documented, or one of the Space's own, [`custom`](EventName::custom).
    EventName, "event_name", "expected a documented name, as purchase, or custom_event_1 to custom_event_50",
    fits: is_custom,
    /// `lead_generated`
    LEAD_GENERATED = "lead_generated",
    /// `view_content`
    VIEW_CONTENT = "view_content",
    /// `schedule`
    SCHEDULE = "schedule",
    /// `purchase`
    PURCHASE = "purchase",
    /// `subscribe`
    SUBSCRIBE = "subscribe",
    /// `add_to_cart`
    ADD_TO_CART = "add_to_cart",
    /// `contact`
    CONTACT = "contact",
    /// `initiate_checkout`
    INITIATE_CHECKOUT = "initiate_checkout",
    /// `add_payment_info`
    ADD_PAYMENT_INFO = "add_payment_info",
    /// `complete_registration`
    COMPLETE_REGISTRATION = "complete_registration",
    /// `start_trial`
    START_TRIAL = "start_trial",
    /// `sign_up`
    SIGN_UP = "sign_up",
    /// `submit_application`
    SUBMIT_APPLICATION = "submit_application",
    /// `webinar_registration`
    WEBINAR_REGISTRATION = "webinar_registration",
    /// `upsell_purchase`: in lists only. What is tracked is a purchase with `is_upsell`.
    UPSELL_PURCHASE = "upsell_purchase",
}

impl EventName {
    /// One of the Space's own events: `custom_event_1` to `custom_event_50`.
    ///
    /// ```
    /// # use cometly::events::EventName;
    /// assert_eq!(EventName::custom(7)?, "custom_event_7");
    /// assert!(EventName::custom(51).is_err());
    /// # Ok::<(), cometly::InvalidRequest>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidRequest`] for another number than 1 to 50.
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
    /// Where an event came from. What was paid for ends in `_ads`, the rest in `_organic`; [`FromStr`](std::str::FromStr)
    /// takes any of that form.
    Source, "sources", "expected a source that ends in _ads or _organic, as facebook_ads",
    fits: is_source,
    /// `facebook_ads`
    FACEBOOK_ADS = "facebook_ads",
    /// `facebook_organic`
    FACEBOOK_ORGANIC = "facebook_organic",
    /// `google_ads`
    GOOGLE_ADS = "google_ads",
    /// `google_organic`
    GOOGLE_ORGANIC = "google_organic",
    /// `linkedin_ads`
    LINKEDIN_ADS = "linkedin_ads",
    /// `linkedin_organic`
    LINKEDIN_ORGANIC = "linkedin_organic",
    /// `tiktok_ads`
    TIKTOK_ADS = "tiktok_ads",
    /// `tiktok_organic`
    TIKTOK_ORGANIC = "tiktok_organic",
    /// `youtube_ads`
    YOUTUBE_ADS = "youtube_ads",
    /// `youtube_organic`
    YOUTUBE_ORGANIC = "youtube_organic",
    /// `instagram_ads`
    INSTAGRAM_ADS = "instagram_ads",
    /// `instagram_organic`
    INSTAGRAM_ORGANIC = "instagram_organic",
    /// `bing_ads`
    BING_ADS = "bing_ads",
    /// `bing_organic`
    BING_ORGANIC = "bing_organic",
    /// `yahoo_ads`
    YAHOO_ADS = "yahoo_ads",
    /// `yahoo_organic`
    YAHOO_ORGANIC = "yahoo_organic",
    /// `pinterest_ads`
    PINTEREST_ADS = "pinterest_ads",
    /// `pinterest_organic`
    PINTEREST_ORGANIC = "pinterest_organic",
    /// `reddit_ads`
    REDDIT_ADS = "reddit_ads",
    /// `reddit_organic`
    REDDIT_ORGANIC = "reddit_organic",
    /// `snapchat_ads`
    SNAPCHAT_ADS = "snapchat_ads",
    /// `snapchat_organic`
    SNAPCHAT_ORGANIC = "snapchat_organic",
    /// `telegram_ads`
    TELEGRAM_ADS = "telegram_ads",
    /// `telegram_organic`
    TELEGRAM_ORGANIC = "telegram_organic",
    /// `twitch_ads`
    TWITCH_ADS = "twitch_ads",
    /// `twitch_organic`
    TWITCH_ORGANIC = "twitch_organic",
    /// `x_ads`
    X_ADS = "x_ads",
    /// `x_organic`
    X_ORGANIC = "x_organic",
    /// `quora_ads`
    QUORA_ADS = "quora_ads",
    /// `quora_organic`
    QUORA_ORGANIC = "quora_organic",
    /// `duckduckgo_ads`
    DUCKDUCKGO_ADS = "duckduckgo_ads",
    /// `duckduckgo_organic`
    DUCKDUCKGO_ORGANIC = "duckduckgo_organic",
    /// `messenger_organic`
    MESSENGER_ORGANIC = "messenger_organic",
    /// `brave_organic`
    BRAVE_ORGANIC = "brave_organic",
}

fn is_source(source: &str) -> bool {
    let who = source.strip_suffix("_ads").or_else(|| source.strip_suffix("_organic"));
    let is_plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    who.is_some_and(|who| !who.is_empty() && who.bytes().all(is_plain))
}

open_set! {
    /// How a conversion is shared among the touches before it.
    AttributionModel, "attribution_model", "expected a documented model, as last_touch",
    fits: |_| false,
    /// `first_touch`
    FIRST_TOUCH = "first_touch",
    /// `last_touch`
    LAST_TOUCH = "last_touch",
    /// `last_non_direct_touch`
    LAST_NON_DIRECT_TOUCH = "last_non_direct_touch",
    /// `linear`
    LINEAR = "linear",
    /// `linear_paid_ads`
    LINEAR_PAID_ADS = "linear_paid_ads",
    /// `u_shaped`
    U_SHAPED = "u_shaped",
    /// `first_touch_source_specific`
    FIRST_TOUCH_SOURCE_SPECIFIC = "first_touch_source_specific",
    /// `last_touch_source_specific`
    LAST_TOUCH_SOURCE_SPECIFIC = "last_touch_source_specific",
}

/// How many days before a conversion a touch counts: 1, 7, 14, 30, 60, 90, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttributionWindow(u16);

impl AttributionWindow {
    /// Every touch counts.
    pub const LIFETIME: Self = Self(0);

    /// This many days.
    ///
    /// # Errors
    /// [`InvalidRequest`] for another number than 1, 7, 14, 30, 60 or 90.
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

    /// A window that is newer than this crate, sent as it is.
    #[must_use]
    pub fn other(days: u16) -> Self {
        Self(days)
    }

    /// Its days, 0 for a lifetime.
    #[must_use]
    pub fn as_days(self) -> u16 {
        self.0
    }
}

open_set! {
    /// Whether events are listed by person or by company.
    QueryMode, "query_mode", "expected profile or company",
    fits: |_| false,
    /// `profile`, which is the default
    PROFILE = "profile",
    /// `company`
    COMPANY = "company",
}

open_set! {
    /// A column of a listed event. Which ones there are is not documented in full, so [`FromStr`](std::str::FromStr)
    /// takes any name of lower case letters, digits and underscores.
    EventField, "fields", "expected a name of lower case letters, digits and underscores, as event_time_utc",
    fits: |field| !field.is_empty() && field.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')),
    /// `id`, in the default
    ID = "id",
    /// `event_time_utc`, in the default
    EVENT_TIME_UTC = "event_time_utc",
    /// `event_name`
    EVENT_NAME = "event_name",
    /// `configured_name`: what the Space calls this event
    CONFIGURED_NAME = "configured_name",
    /// `event_url`
    EVENT_URL = "event_url",
    /// `contact_id`
    CONTACT_ID = "contact_id",
    /// `profile_id`
    PROFILE_ID = "profile_id",
    /// `company_id`
    COMPANY_ID = "company_id",
    /// `source`
    SOURCE = "source",
    /// `email`
    EMAIL = "email",
    /// `amount`
    AMOUNT = "amount",
    /// `order_id`
    ORDER_ID = "order_id",
    /// `order_name`
    ORDER_NAME = "order_name",
    /// `is_upsell`
    IS_UPSELL = "is_upsell",
    /// `touchpoints`: needs `sources`
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
