//! An event to track.

use std::{fmt, net::IpAddr, str::FromStr};

use cometly_core::{Api, Call, DecodeError, Endpoint, Reply, bytes::Bytes};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{EventName, rules};
use crate::{Amount, InvalidRequest, SpaceTime, body::Body, query::Broken, row::row};

/// `POST /events/track`: reports an event that happened.
///
/// It carries an idempotency key: Cometly handles events with the same key once, so a client sends the event again by itself
/// when its answer is lost. Take for the key what names the event in your own system: the order, the booking.
/// [`build`](TrackEventBuilder::build) fails with [`InvalidRequest`] for a key that is no [`IdempotencyKey`], for an amount, a
/// time, an email or an IP address that cannot be read, and if no identification of the person is left once blank texts are
/// left out.
///
/// ```
/// # use cometly::{Amount, events::{EventName, Identity, TrackEvent}};
/// let event = TrackEvent::new(EventName::PURCHASE, Identity::email("ada@example.com"), "order-1001")
///     .amount(Amount::from_cents(12_50)?)
///     .order_id("1001")
///     .build()?;
/// # Ok::<(), cometly::InvalidRequest>(())
/// ```
#[derive(Clone)]
#[must_use = "an event is tracked by a client that sends it"]
pub struct TrackEvent {
    fields: Body,
    key: Option<IdempotencyKey>,
}

/// The settings of a [`TrackEvent`]; from [`TrackEvent::new`] or
/// [`without_idempotency_key`](TrackEvent::without_idempotency_key). A second call of a setter replaces the value. A blank text
/// counts as left out, but as amount, time or idempotency key it is refused. Its [`build`](Self::build) fails with
/// [`InvalidRequest`] for the first rule that is broken, and lists the rules.
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct TrackEventBuilder {
    fields: Body,
    key: Option<Result<IdempotencyKey, InvalidRequest>>,
    /// What was wrong with an argument.
    broken: Broken,
}

/// The person who did what an event says: an email address, a token, or a fingerprint with its IP address. One is enough;
/// [`also`](TrackEventBuilder::also) adds others. Making one cannot fail: the event's [`build`](TrackEventBuilder::build) fails
/// with [`InvalidRequest`] for a text that is no email address, for a blank fingerprint, and if all is blank.
#[derive(Clone)]
pub struct Identity(Vec<(&'static str, String)>);

impl Identity {
    /// The person with this email address: one `@`, no white space or control character within, none of `,:;"\<>()[]`, no empty
    /// part between dots, no hyphen at an end of a part of the host, which needs no dot. [`build`](TrackEventBuilder::build)
    /// fails with [`InvalidRequest`] for any other text. A blank one counts as left out: `build` then fails unless the event
    /// has another identification.
    pub fn email(email: impl Into<String>) -> Self {
        Self(vec![("email", email.into())])
    }

    /// The person whose browser got this token from Cometly's script; its form is not checked. A blank one counts as left out:
    /// [`build`](TrackEventBuilder::build) then fails unless the event has another identification.
    pub fn comet_token(token: impl Into<String>) -> Self {
        Self(vec![("comet_token", token.into())])
    }

    /// The person with this browser fingerprint, a text of your own, and the IP address that it came from: neither identifies
    /// alone. [`build`](TrackEventBuilder::build) fails with [`InvalidRequest`] for a fingerprint that is blank.
    pub fn fingerprint(fingerprint: impl Into<String>, ip: IpAddr) -> Self {
        Self(vec![("fingerprint", fingerprint.into()), ("ip", ip.to_string())])
    }
}

/// The key of an event: Cometly handles events with the same key once. 1 to 255 characters; from [`new`](Self::new), or by
/// [`FromStr`] or `TryFrom` from a text.
///
/// The backend removes white space and some invisible characters at both ends, so that two keys could become one: making a key
/// fails with [`InvalidRequest`] for such a character at an end, and for no characters or more than 255.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Checks a key and takes it.
    ///
    /// # Errors
    /// [`InvalidRequest`] for an empty key, one of more than 255 characters, and one that begins or ends with white space or an
    /// invisible character.
    pub fn new(key: impl Into<String>) -> Result<Self, InvalidRequest> {
        let key = Value::String(key.into());
        rules::read("idempotency_key", &key)?;
        match key {
            Value::String(key) => Ok(Self(key)),
            _ => Err(InvalidRequest::new("idempotency_key", "expected a text")),
        }
    }

    /// The key as text, 1 to 255 characters, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidRequest;

    fn from_str(key: &str) -> Result<Self, Self::Err> {
        Self::new(key)
    }
}

impl TryFrom<&str> for IdempotencyKey {
    type Error = InvalidRequest;

    fn try_from(key: &str) -> Result<Self, Self::Error> {
        Self::new(key)
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = InvalidRequest;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        Self::new(key)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({:?})", self.0)
    }
}

/// When an event happened: a moment, or a time on a wall clock.
///
/// [`FromStr`] reads a text in ISO 8601, not before 1970, or the digits of seconds since 1970, 100,000,000 to 99,999,999,999;
/// it fails with [`InvalidRequest`] for any other text. `TryFrom` takes a [`SpaceTime`] too, which is refused before 1970, and
/// a `SystemTime`, whose fraction of a second is cut and which is refused before March 1973. A time without an offset is read
/// on the backend's clock; that it is the Space's is likely and not documented, so a moment is better. A date without hyphens,
/// `20261124`, is refused: the backend would read it as seconds of 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTime(Value);

impl EventTime {
    /// The moment that is this many seconds after 1970-01-01 00:00:00 UTC.
    ///
    /// # Errors
    /// [`InvalidRequest`] for fewer than 100,000,000 seconds (March 1973), which are mostly another number, and for more than
    /// 99,999,999,999, which are mostly milliseconds.
    pub fn unix(seconds: i64) -> Result<Self, InvalidRequest> {
        Self::checked(seconds.into())
    }

    fn checked(value: Value) -> Result<Self, InvalidRequest> {
        match rules::read("event_time", &value)? {
            Some(_) => Ok(Self(value)),
            None => Err(InvalidRequest::new("event_time", "expected a time, found nothing")),
        }
    }
}

impl FromStr for EventTime {
    type Err = InvalidRequest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::checked(text.into())
    }
}

impl TryFrom<&str> for EventTime {
    type Error = InvalidRequest;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<SpaceTime> for EventTime {
    type Error = InvalidRequest;

    fn try_from(time: SpaceTime) -> Result<Self, Self::Error> {
        Self::checked(time.to_string().into())
    }
}

impl TryFrom<std::time::SystemTime> for EventTime {
    type Error = InvalidRequest;

    fn try_from(time: std::time::SystemTime) -> Result<Self, Self::Error> {
        let since_1970 = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::checked(since_1970.as_secs().into())
    }
}

#[cfg(feature = "jiff")]
#[cfg_attr(docsrs, doc(cfg(feature = "jiff")))]
impl TryFrom<jiff::Timestamp> for EventTime {
    type Error = InvalidRequest;

    fn try_from(time: jiff::Timestamp) -> Result<Self, Self::Error> {
        Self::unix(time.as_second())
    }
}

#[cfg(feature = "jiff")]
#[cfg_attr(docsrs, doc(cfg(feature = "jiff")))]
impl TryFrom<&jiff::ZonedDateTime> for EventTime {
    type Error = InvalidRequest;

    fn try_from(time: &jiff::ZonedDateTime) -> Result<Self, Self::Error> {
        Self::unix(time.timestamp().as_second())
    }
}

macro_rules! texts {
    ($($(#[$about:meta])* $field:ident)+) => {
        $($(#[$about])*
        pub fn $field(mut self, text: impl Into<String>) -> Self {
            self.set(stringify!($field), Value::String(text.into()));
            self
        })+
    };
}

impl TrackEvent {
    /// An event: what happened, who did it, and the key by which Cometly counts it once: an [`IdempotencyKey`], or a text of 1 to
    /// 255 characters without white space or an invisible character at its ends. [`build`](TrackEventBuilder::build) fails with
    /// [`InvalidRequest`] for any other key, an email that is no address, a blank fingerprint, if all identification is blank,
    /// and for [`EventName::UPSELL_PURCHASE`], which [`ListEvents`](super::ListEvents) gives and which cannot be tracked.
    #[expect(clippy::new_ret_no_self, reason = "the event is made by the builder's `build`")]
    pub fn new<K>(name: EventName, who: Identity, key: K) -> TrackEventBuilder
    where
        K: TryInto<IdempotencyKey>,
        K::Error: Into<InvalidRequest>,
    {
        TrackEventBuilder { key: Some(key.try_into().map_err(Into::into)), ..Self::without_idempotency_key(name, who) }
    }

    /// An event without an idempotency key: what happened, and who did it. If its answer is lost, it is not sent again, since
    /// it may have been tracked already; with a key from a later [`field`](TrackEventBuilder::field), `idempotency_key`, it is.
    /// [`build`](TrackEventBuilder::build) fails with [`InvalidRequest`] for an email that is no address, a blank fingerprint,
    /// if all identification is blank, and for [`EventName::UPSELL_PURCHASE`], which [`ListEvents`](super::ListEvents) gives
    /// and which cannot be tracked.
    pub fn without_idempotency_key(name: EventName, who: Identity) -> TrackEventBuilder {
        let mut fields = Body::default();
        fields.set("event_name", Value::String(name.as_str().to_owned()));
        // A name that is newer than this crate passes; one that only lists have does not.
        let mut broken = Broken::default();
        broken.check(name != EventName::UPSELL_PURCHASE, "event_name", || {
            "expected a name to track: an upsell is a purchase with is_upsell".to_owned()
        });
        TrackEventBuilder { fields, key: None, broken }.also(who)
    }

    /// An event from a JSON object with the API's own fields. A field that the API does not have is refused: the API would
    /// ignore it. A field that is null or a blank text counts as left out, but not the idempotency key, which is refused
    /// then.
    ///
    /// The idempotency key is the object's own `idempotency_key`, or else `key`.
    ///
    /// # Errors
    /// At least one [`InvalidRequest`]: for a text that is no JSON object one; else one for each field that the API does not
    /// have or whose value it does not take, and one for the first of these that is so: no `event_name`, `ip` or
    /// `fingerprint` without the other, no identification of the person.
    pub fn from_json(json: &[u8], key: Option<IdempotencyKey>) -> Result<Self, Vec<InvalidRequest>> {
        let object: serde_json::Map<String, Value> = serde_json::from_slice(json).map_err(|error| {
            let what = match serde_json::from_slice::<IgnoredAny>(json) {
                Ok(_) if error.is_data() => "it is JSON, and no object",
                Ok(_) => "it is JSON with a number that is too large, a broken text, or too many brackets",
                Err(_) => "it is no JSON",
            };
            let place = format!("line {} column {}", error.line(), error.column());
            vec![InvalidRequest::new("event", format!("expected a JSON object; {what}, at {place}"))]
        })?;
        let (mut fields, mut own, mut problems) = (Body::default(), None, Vec::new());
        for (name, value) in object {
            match (rules::read(&name, &value), value) {
                (Ok(Some(_)), Value::String(text)) if name == "idempotency_key" => own = Some(IdempotencyKey(text)),
                (Ok(Some(_)), value) => fields.set(&name, value),
                (Ok(None), _) => {}
                (Err(error), _) => problems.push(error),
            }
        }
        let is_broken = |name: &str| problems.iter().any(|problem| problem.field() == name);
        let is_given = |name: &str| fields.get(name).is_some() || is_broken(name);
        if let Err(error) = rules::whole(is_given) {
            problems.push(error);
        }
        if problems.is_empty() { Ok(Self { fields, key: own.or(key) }) } else { Err(problems) }
    }

    /// The idempotency key that the event is sent with: Cometly handles events with the same key once. `None` if it has none:
    /// it was begun with [`without_idempotency_key`](Self::without_idempotency_key), or read by
    /// [`from_json`](Self::from_json) from JSON without that field and without a `key`. Such an event is not sent again when
    /// its answer is lost.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.key.as_ref()
    }
}

impl TrackEventBuilder {
    /// Identifies the person in a further way, beside the others: an [`Identity`], whose constructors say what
    /// [`build`](Self::build) refuses. One of the same kind as before replaces it. By default there is the one that the event was
    /// begun with.
    pub fn also(mut self, who: Identity) -> Self {
        for (field, value) in who.0 {
            self.set(field, Value::String(value));
        }
        self
    }

    texts! {
        /// The person's whole name. Any text is taken. It is not sent by default, nor if it is blank; a second call replaces
        /// it.
        full_name
        /// The person's first name. Any text is taken. It is not sent by default, nor if it is blank; a second call replaces
        /// it.
        first_name
        /// The person's last name. Any text is taken. It is not sent by default, nor if it is blank; a second call replaces it.
        last_name
        /// The person's phone number with its country code: `+49 30 1234567`. Its form is not checked. It is not sent by
        /// default, nor if it is blank; a second call replaces it.
        phone
        /// The `User-Agent` of the person's browser. Any text is taken. It is not sent by default, nor if it is blank; a second
        /// call replaces it.
        user_agent
        /// The URL of the page where the event happened. Its form is not checked. It is not sent by default, nor if it is
        /// blank; a second call replaces it.
        url
        /// The id of the order in the shop; Cometly uses it to count an order once. Any text is taken. It is not sent by
        /// default, nor if it is blank; a second call replaces it.
        order_id
        /// The name of the order in the shop. Any text is taken. It is not sent by default, nor if it is blank; a second call
        /// replaces it.
        order_name
        /// The shop's token of the checkout. Any text is taken. It is not sent by default, nor if it is blank; a second call
        /// replaces it.
        checkout_token
        /// An id that the sales of one upsell have in common. Any text is taken. It is not sent by default, nor if it is blank;
        /// a second call replaces it.
        upsell_common_id
        /// An id of your own for the event. Any text is taken. It is not sent by default, nor if it is blank; a second call
        /// replaces it.
        tracking_id
        /// The source of the visit, for the field `comet_source`. Any text is taken. It is not sent by default, nor if it is
        /// blank; a second call replaces it.
        comet_source
        /// The network of the ad. Any text is taken. It is not sent by default, nor if it is blank; a second call replaces it.
        comet_network
        /// The campaign of the ad. Any text is taken. It is not sent by default, nor if it is blank; a second call replaces it.
        comet_campaign
        /// The ad group of the ad. Any text is taken. It is not sent by default, nor if it is blank; a second call replaces it.
        comet_ad_group
        /// The id of the ad. Any text is taken. It is not sent by default, nor if it is blank; a second call replaces it.
        comet_ad_id
        /// The keyword that the ad was shown for. Any text is taken. It is not sent by default, nor if it is blank; a second
        /// call replaces it.
        comet_keyword
        /// The kind of the ad. Any text is taken. It is not sent by default, nor if it is blank; a second call replaces it.
        comet_type
    }

    /// The value of the event in money, without its currency: an [`Amount`], a whole number, a text as `"12.50"`, or a finite
    /// float. By default the event has none. A second call replaces it. A value that is no [`Amount`], such as a text that is
    /// blank or has more than 15 digits, makes [`build`](Self::build) fail with [`InvalidRequest`].
    pub fn amount<A>(mut self, amount: A) -> Self
    where
        A: TryInto<Amount>,
        A::Error: Into<InvalidRequest>,
    {
        if let Some(amount) = self.broken.take::<Amount, _>("amount", amount) {
            self.fields.set("amount", serde_json::to_value(amount).unwrap_or_default());
        }
        self
    }

    /// When the event happened: an [`EventTime`], a [`SpaceTime`], a `SystemTime`, or a text in ISO 8601 or of seconds since
    /// 1970; by default, when it arrives at Cometly. A second call replaces the time. A value that is no [`EventTime`], such
    /// as a blank text, makes [`build`](Self::build) fail with [`InvalidRequest`].
    pub fn event_time<T>(mut self, time: T) -> Self
    where
        T: TryInto<EventTime>,
        T::Error: Into<InvalidRequest>,
    {
        if let Some(EventTime(time)) = self.broken.take("event_time", time) {
            self.fields.set("event_time", time);
        }
        self
    }

    /// Whether the event is an upsell; by default the field is not sent. A second call replaces it.
    pub fn is_upsell(mut self, is_upsell: bool) -> Self {
        self.set("is_upsell", is_upsell.into());
        self
    }

    /// With `true`, asks Cometly not to pass the event on to the ad networks' conversion APIs; by default the field is not
    /// sent. A second call replaces it.
    pub fn do_not_capi(mut self, do_not: bool) -> Self {
        self.set("do_not_capi", do_not.into());
        self
    }

    /// Sets any field by its name in the API, also one that has no setter here. [`build`](Self::build) checks the value by the
    /// rules of the field; null or a blank text leaves the field out, but as `idempotency_key` it is refused. A field that is
    /// newer than this crate is sent unchecked, and so is `event_name`, which replaces the event's name. A second value for the
    /// same field replaces the first.
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        match (name, value.into()) {
            ("idempotency_key", key) => self.key = Some(IdempotencyKey::new(key.as_str().unwrap_or_default())),
            (name, value) => self.set(name, value),
        }
        self
    }

    /// In place of an earlier value, and of what was wrong with that.
    fn set(&mut self, name: &str, value: Value) {
        self.broken.forget(name);
        self.fields.set(name, value);
    }

    /// Checks the settings and makes the event.
    ///
    /// # Errors
    /// [`InvalidRequest`] for the first rule that is broken:
    /// - The event was begun with [`EventName::UPSELL_PURCHASE`], which comes in lists only, and got no other name by
    ///   [`field`](Self::field): track a purchase with [`is_upsell`](Self::is_upsell).
    /// - An amount, a time, an email or an IP address cannot be read, or a value given to [`field`](Self::field) is of another
    ///   type than its field, such as a number for `full_name`.
    /// - Once blank texts are left out, there is a fingerprint without an IP address or the reverse, or no identification of
    ///   the person.
    /// - The key is no [`IdempotencyKey`].
    pub fn build(self) -> Result<TrackEvent, InvalidRequest> {
        self.broken.into_result()?;
        let mut fields = Body::default();
        for (name, value) in self.fields {
            let is_checked = rules::known(&name).is_some() && name != "event_name";
            if !is_checked || rules::read(&name, &value)?.is_some() {
                fields.set(&name, value);
            }
        }
        rules::whole(|name| fields.get(name).is_some())?;
        Ok(TrackEvent { fields, key: self.key.transpose()? })
    }
}

impl Endpoint for TrackEvent {
    type Output = Tracked;

    fn call(&self, api: &Api) -> Call {
        let call = api.post("events/track").json(&self.fields);
        match &self.key {
            Some(key) => call.idempotency_key(key.as_str()),
            None => call,
        }
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Tracked, DecodeError> {
        reply.json()
    }
}

/// Shows the names of the fields, and no value: they are of a person.
impl fmt::Debug for TrackEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackEvent").field("fields", &self.fields).field("is_keyed", &self.key.is_some()).finish()
    }
}

/// Shows the names of the fields, and no value: they are of a person.
impl fmt::Debug for TrackEventBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackEventBuilder").field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// Shows the kinds of identification, and no value.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(field, _)| field)).finish()
    }
}

row! {
    /// The API's answer to an event: the event is queued. A `message` that is no text, or JSON that is no object, cannot be
    /// read: the call fails with a [`DecodeError`] then.
    Tracked {
        required: {}
        optional: {
            /// The API's message; `None` if it sent none.
            message: Option<String>,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> TrackEventBuilder {
        TrackEvent::new(EventName::PURCHASE, Identity::email("ada@example.com"), "order-1")
    }

    fn body(event: &TrackEvent) -> Value {
        let api = Api::new(cometly_core::ApiKey::new("12|abcdef").unwrap());
        serde_json::from_slice(event.call(&api).to_request().unwrap().body()).unwrap()
    }

    #[test]
    fn an_event_carries_its_key_unless_it_is_built_without() {
        let api = Api::new(cometly_core::ApiKey::new("12|abcdef").unwrap());
        let keyed = event().build().unwrap();
        assert!(keyed.call(&api).is_idempotent());
        assert_eq!(body(&keyed)["idempotency_key"], "order-1");
        let bare =
            TrackEvent::without_idempotency_key(EventName::PURCHASE, Identity::comet_token("t")).build().unwrap();
        assert!(!bare.call(&api).is_idempotent());
        assert_eq!(body(&bare), json!({"event_name": "purchase", "comet_token": "t"}));
        let error = TrackEvent::new(EventName::PURCHASE, Identity::comet_token("t"), "k ").build().unwrap_err();
        assert_eq!(error.field(), "idempotency_key");
    }

    #[test]
    fn what_is_said_of_it_is_sent_as_it_was_said() {
        let event = event()
            .amount("12.50")
            .event_time("2026-11-24T10:00:00Z")
            .is_upsell(true)
            .full_name("Ada")
            .phone("")
            .field("newest", 7)
            .also(Identity::fingerprint("f", "192.0.2.1".parse().unwrap()))
            .build()
            .unwrap();
        let expected = json!({
            "event_name": "purchase", "email": "ada@example.com", "amount": 12.5, "event_time": "2026-11-24T10:00:00Z",
            "is_upsell": true, "full_name": "Ada", "newest": 7, "fingerprint": "f", "ip": "192.0.2.1",
            "idempotency_key": "order-1",
        });
        assert_eq!(body(&event), expected);
    }

    #[test]
    fn the_first_broken_rule_is_told_by_its_field() {
        for (builder, field) in [
            (event().amount(f64::NAN), "amount"),
            (event().amount("much"), "amount"),
            (event().event_time("20261124"), "event_time"),
            (event().field("is_upsell", "yes"), "is_upsell"),
            (event().field("idempotency_key", ""), "idempotency_key"),
            (event().also(Identity::email("ada")), "email"),
            (TrackEvent::new(EventName::UPSELL_PURCHASE, Identity::email("a@b"), "k"), "event_name"),
            (TrackEvent::new(EventName::PURCHASE, Identity::email(" "), "k"), "email"),
            (
                TrackEvent::new(EventName::PURCHASE, Identity::fingerprint("", "::1".parse().unwrap()), "k"),
                "fingerprint",
            ),
        ] {
            assert_eq!(builder.build().unwrap_err().field(), field);
        }
    }

    // `docs/faults.md` 148.
    #[test]
    fn a_second_value_takes_the_place_of_a_refused_one() {
        let built = TrackEvent::new(EventName::UPSELL_PURCHASE, Identity::email("ada"), "order-1")
            .field("event_name", "purchase")
            .amount("much")
            .amount(5)
            .event_time("20261124")
            .field("event_time", "2026-11-24")
            .field("is_upsell", "yes")
            .is_upsell(false)
            .field("idempotency_key", 7)
            .field("idempotency_key", "order-2")
            .also(Identity::email("ada@example.com"))
            .build()
            .unwrap();
        let expected = json!({
            "event_name": "purchase", "email": "ada@example.com", "amount": 5, "event_time": "2026-11-24",
            "is_upsell": false, "idempotency_key": "order-2",
        });
        assert_eq!(body(&built), expected);
        assert_eq!(event().amount(5).amount("much").build().unwrap_err().field(), "amount");
        assert_eq!(event().field("idempotency_key", 7).build().unwrap_err().field(), "idempotency_key");
    }

    #[test]
    fn an_object_is_an_event_if_it_keeps_each_rule() {
        let key = || Some(IdempotencyKey::new("line-1").unwrap());
        let read = |json: &str| TrackEvent::from_json(json.as_bytes(), key());
        let event = read(r#"{"event_name":"purchase","email":"a@b","amount":"12.50","phone":null}"#).unwrap();
        assert_eq!(
            body(&event),
            json!({"event_name": "purchase", "email": "a@b", "amount": "12.50", "idempotency_key": "line-1"})
        );
        let own = read(r#"{"event_name":"purchase","email":"a@b","idempotency_key":"own"}"#).unwrap();
        assert_eq!(own.idempotency_key().unwrap().as_str(), "own");
        for (json, fields) in [
            ("[]", &["event"][..]),
            ("{", &["event"]),
            (r#"{"event_name":"sale","amont":1,"ip":"300.1.1.1"}"#, &["amont", "event_name", "ip", "fingerprint"]),
            (r#"{"event_name":"purchase","email":"ada"}"#, &["email"]),
            (r"{}", &["event_name"]),
        ] {
            let errors = read(json).unwrap_err();
            let mut found: Vec<_> = errors.iter().map(InvalidRequest::field).collect();
            let mut expected = fields.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{json}");
        }
    }

    #[test]
    fn a_field_that_may_be_an_address_a_key_or_steers_a_terminal_is_not_shown() {
        let long = "x".repeat(65);
        for (name, shown) in [
            ("Order ID", "Order ID"),
            ("größe.1", "größe.1"),
            ("\\u001b[31m", "*"),
            ("\\u202eada", "*"),
            ("\u{3164}", "*"),
            ("", "*"),
            ("ada@example.com", "*"),
            ("12|canary", "*"),
            (&long, "*"),
        ] {
            let json = format!(r#"{{"event_name":"purchase","email":"a@b.c","{name}":1}}"#);
            let errors = TrackEvent::from_json(json.as_bytes(), None).unwrap_err();
            assert_eq!(errors, [InvalidRequest::new(shown.to_owned(), "expected a documented field")], "{name}");
        }
    }

    #[test]
    fn what_is_json_is_not_called_none() {
        for (json, what) in [
            ("[]", "it is JSON, and no object"),
            (r#"{"amount":1e400}"#, "too large"),
            (r#"{"amount":1"#, "it is no JSON"),
        ] {
            let errors = TrackEvent::from_json(json.as_bytes(), None).unwrap_err();
            assert!(errors.iter().all(|error| error.rule().contains(what)), "{json}: {errors:?}");
        }
    }

    #[test]
    fn no_debug_shows_a_person() {
        let built = event().full_name("canary").also(Identity::email("canary@example.com")).build().unwrap();
        let shown = format!("{built:?} {:?} {:?}", event().phone("canary"), Identity::email("canary"));
        assert!(!shown.contains("canary") && shown.contains("full_name"), "{shown}");
    }
}
