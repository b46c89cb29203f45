//! Contacts: list, read, create, update and export them.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive};

use cometly_core::{
    Api, Call, DecodeError, Endpoint, Export, ExportId, ExportOrder, ExportOrdered, Page, Reply, backend_trim,
    bytes::Bytes,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Amount, Id, InvalidRequest, SpaceDate, SpaceTime,
    body::Body,
    events::{Event, is_email},
    query::{self, Broken, Period, Query},
    row::row,
};

row! {
    /// A contact as a list or an export has it: with the primary one of its addresses, names, phone numbers and places. JSON
    /// without `id`, or with a value of another type than its field, cannot be read as one: the call fails with a
    /// [`DecodeError`] then, and the line of an export with a [`RowError`](crate::RowError).
    ContactRow {
        required: {
            /// The id of the contact.
            id: Id,
        }
        optional: {
            /// The contact's primary email address; `None` if it has none.
            email: Option<String>,
            /// The contact's primary name; `None` if it has none.
            name: Option<String>,
            /// The contact's primary phone number; `None` if it has none.
            phone: Option<String>,
            /// The contact's primary place, as free text; `None` if it has none.
            location: Option<String>,
            /// The tokens by which Cometly knows the contact's browsers; empty unless [asked
            /// for](ListContactsBuilder::include_comet_tokens).
            comet_tokens: Vec<String>,
            /// All email addresses of the contact; empty unless [asked for](ListContactsBuilder::include_all_emails).
            emails: Vec<String>,
            /// The Space's own fields of the contact, by their keys or their labels; empty unless [asked
            /// for](ListContactsBuilder::include_custom_fields).
            custom_fields: Map<String, Value>,
        }
    }
}

row! {
    /// A contact with all that [`GetContact`] asked for, and the answer to [`CreateContact`] and [`UpdateContact`]. The first
    /// item of `emails`, `phones`, `names` and `locations` is the primary one. JSON without `id`, or with a value of another
    /// type than its field, cannot be read as one: the call fails with a [`DecodeError`] then.
    Contact {
        required: {
            /// The id of the contact.
            id: Id,
        }
        optional: {
            /// The contact's email addresses; empty if it has none.
            emails: Vec<String>,
            /// The contact's phone numbers; empty if it has none.
            phones: Vec<String>,
            /// The contact's names; empty if it has none.
            names: Vec<String>,
            /// The contact's places, as free text; empty if it has none.
            locations: Vec<String>,
            /// The tokens by which Cometly knows the contact's browsers; empty unless [asked
            /// for](GetContact::include_comet_tokens).
            comet_tokens: Vec<String>,
            /// The contact's events; empty unless [asked for](GetContact::include_events).
            events: Vec<Event>,
            /// The Space's own fields of the contact, by their keys, or by their labels if [asked
            /// for](GetContact::use_custom_field_labels); empty if the API sent none.
            custom_fields: Map<String, Value>,
            /// The pages that the contact's browsers visited, as JSON; empty unless [asked
            /// for](GetContact::include_browsing_session_data).
            browsing_session_hits: Vec<Value>,
        }
    }
}

/// `GET /contacts`: the contacts created between two times of the Space's clock, both included. A day without a time is its
/// first second, so an `end` of `2026-12-01` leaves out the rest of that day. From [`created_between`](Self::created_between)
/// or [`created_on`](Self::created_on), whose [`build`](ListContactsBuilder::build) fails with [`InvalidRequest`] for a time or
/// day that cannot be read, an `end` that is not after `start`, or a `per_page` that is not 1 to 5000.
/// [`Pages::of`](cometly_core::Pages::of) makes a list of all its pages; a client's `call` with it gives the first page alone.
///
/// ```
/// # use cometly::contacts::ListContacts;
/// let list = ListContacts::created_between("2026-11-01", "2026-12-01").include_all_emails().per_page(5000).build()?;
/// # Ok::<(), cometly::InvalidRequest>(())
/// ```
#[derive(Clone, Debug)]
pub struct ListContacts {
    query: Query,
}

/// The settings of a [`ListContacts`]; from [`ListContacts::created_between`] or [`created_on`](ListContacts::created_on). An
/// `include_…` that is called twice counts once. Its [`build`](Self::build) checks them, and fails with [`InvalidRequest`] for
/// a time or day that cannot be read, an `end` that is not after `start`, or a `per_page` that is not 1 to 5000.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ListContactsBuilder {
    period: Period,
    included: Query,
    per_page: Option<u32>,
    broken: Broken,
}

impl ListContacts {
    /// A list of the contacts that were created from `start` to `end`, both included, to the second and by the Space's clock.
    /// `start` and `end` are each a [`SpaceTime`], or a text as `2026-11-24 10:00:00`; a day without a time is its first second, so
    /// for a whole day take [`created_on`](Self::created_on). [`build`](ListContactsBuilder::build) fails with [`InvalidRequest`]
    /// for a time that cannot be read, and an `end` that is not after `start`.
    pub fn created_between<S, E>(start: S, end: E) -> ListContactsBuilder
    where
        S: TryInto<SpaceTime>,
        S::Error: Into<InvalidRequest>,
        E: TryInto<SpaceTime>,
        E::Error: Into<InvalidRequest>,
    {
        let mut broken = Broken::default();
        let period = Period::between(start, end, &mut broken);
        ListContactsBuilder { period, included: Query::default(), per_page: None, broken }
    }

    /// A list of the contacts that were created on one day of the Space's calendar: a [`SpaceDate`], or a text as `2026-11-24`.
    /// [`build`](ListContactsBuilder::build) fails with [`InvalidRequest`] for any other text.
    pub fn created_on<D>(day: D) -> ListContactsBuilder
    where
        D: TryInto<SpaceDate>,
        D::Error: Into<InvalidRequest>,
    {
        let mut broken = Broken::default();
        let period = Period::on(day, &mut broken);
        ListContactsBuilder { period, included: Query::default(), per_page: None, broken }
    }
}

impl ListContactsBuilder {
    /// How many contacts a page holds: 1 to 5000, 200 by default; [`build`](Self::build) refuses any other number. A second
    /// call replaces it.
    pub fn per_page(mut self, contacts: u32) -> Self {
        self.per_page = Some(contacts);
        self
    }

    /// Asks for the tokens by which Cometly knows each contact's browsers, for [`ContactRow::comet_tokens`]; they are left out by
    /// default, and the list is empty then. A second call changes nothing.
    pub fn include_comet_tokens(mut self) -> Self {
        self.included.add("include_comet_tokens", 1);
        self
    }

    /// Asks for all email addresses of each contact, for [`ContactRow::emails`]; by default a contact has its primary one only, and
    /// that list is empty. A second call changes nothing.
    pub fn include_all_emails(mut self) -> Self {
        self.included.add("include_all_emails", 1);
        self
    }

    /// Asks for the Space's own fields of each contact, by their keys, as `profile_field_1`, for [`ContactRow::custom_fields`];
    /// they are left out by default. They come by their labels if
    /// [`include_custom_fields_by_label`](Self::include_custom_fields_by_label) is called too. A second call changes nothing.
    pub fn include_custom_fields(mut self) -> Self {
        self.included.add("include_custom_fields", 1);
        self
    }

    /// Asks for the Space's own fields of each contact, by the labels that the Space gave them, for [`ContactRow::custom_fields`];
    /// they are left out by default. A second call changes nothing.
    pub fn include_custom_fields_by_label(mut self) -> Self {
        self.included.add("use_custom_field_labels", 1);
        self.include_custom_fields()
    }

    /// Checks the settings and makes the request.
    ///
    /// # Errors
    /// [`InvalidRequest`] for the first rule that is broken: a time or day that cannot be read, an `end` that is not after
    /// `start`, or a `per_page` that is not 1 to 5000.
    pub fn build(self) -> Result<ListContacts, InvalidRequest> {
        let Self { period, included, per_page, mut broken } = self;
        let mut query = Query::default();
        period.add_to(&mut query);
        query.extend(included);
        query::per_page(per_page, 5000, &mut query, &mut broken);
        broken.into_result()?;
        Ok(ListContacts { query })
    }
}

impl Endpoint for ListContacts {
    type Output = Page<ContactRow>;

    fn call(&self, api: &Api) -> Call {
        self.query.add_to(api.get("contacts"))
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Page<ContactRow>, DecodeError> {
        reply.json()
    }
}

/// `GET /contacts/{id}`: one [`Contact`], with all its emails, phones, names and locations; each `include_…` asks for more;
/// from [`new`](Self::new). If there is no such contact, the API answers 404: a client's `call` fails with that answer, and its
/// `call_opt` makes `None` of it.
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until a client sends it"]
pub struct GetContact {
    id: Id,
    query: Query,
}

impl GetContact {
    /// Asks for the contact with this id: a number, or an [`Id`] for a text. It cannot fail; the API answers 404 if there is no
    /// such contact.
    pub fn new(id: impl Into<Id>) -> Self {
        Self { id: id.into(), query: Query::default() }
    }

    /// Asks for the tokens by which Cometly knows the contact's browsers, for [`Contact::comet_tokens`]; they are left out by
    /// default, and the list is empty then. A second call changes nothing.
    pub fn include_comet_tokens(mut self) -> Self {
        self.query.add("include_comet_tokens", 1);
        self
    }

    /// Asks for the contact's events, for [`Contact::events`]; they are left out by default, and the list is empty then. A second
    /// call changes nothing.
    pub fn include_events(mut self) -> Self {
        self.query.add("include_events", 1);
        self
    }

    /// Asks for direct touchpoints too, the visits that came from no ad and no other source; they are left out by default. A
    /// second call changes nothing.
    pub fn show_direct_touchpoints(mut self) -> Self {
        self.query.add("hide_direct_touchpoints", 0);
        self
    }

    /// Asks for the Space's own fields, [`Contact::custom_fields`], by the labels that the Space gave them; by default they
    /// come by their keys, as `profile_field_1`. A second call changes nothing.
    pub fn use_custom_field_labels(mut self) -> Self {
        self.query.add("use_custom_field_labels", 1);
        self
    }

    /// Asks for the pages that the contact's browsers visited, for [`Contact::browsing_session_hits`]; they are left out by
    /// default, and the list is empty then. A second call changes nothing.
    pub fn include_browsing_session_data(mut self) -> Self {
        self.query.add("include_browsing_session_data", 1);
        self
    }
}

impl Endpoint for GetContact {
    type Output = Contact;

    fn call(&self, api: &Api) -> Call {
        self.query.add_to(api.get("contacts/{id}").segment(&self.id))
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Contact, DecodeError> {
        reply.json()
    }
}

/// Values for the Space's own fields of a contact, `profile_field_1` to `profile_field_30`: 1 to 15 are texts, 16 to 25
/// numbers, 26 to 30 dates. A second value for the same number replaces the first. Without any value they are an empty object,
/// by which [`replace_custom_fields`](UpdateContactBuilder::replace_custom_fields) sets every field to null. A number outside
/// these ranges, or a value that [`number`](Self::number) or [`date`](Self::date) does not take (a text is not checked), makes
/// the request's `build` fail with [`InvalidRequest`].
///
/// ```
/// # use cometly::contacts::CustomFields;
/// let fields = CustomFields::new().text(1, "pro").number(16, 12).date(26, "2026-11-24");
/// ```
#[derive(Clone, Default)]
#[must_use = "fields do nothing until a contact gets them"]
pub struct CustomFields {
    fields: BTreeMap<u8, Result<Value, InvalidRequest>>,
}

/// Shows the numbers of the fields, and no value: they are of a person.
impl fmt::Debug for CustomFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

impl CustomFields {
    /// No fields yet. Given as it is to [`replace_custom_fields`](UpdateContactBuilder::replace_custom_fields), it sets every
    /// field to null. No setter fails: a field's number that its setter does not have, or a value that [`number`](Self::number)
    /// or [`date`](Self::date) does not take, makes the request's `build` fail with [`InvalidRequest`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one of the fields `profile_field_1` … `profile_field_15`, that of this `number`, to a text. `number` is 1 to 15,
    /// else the request's `build` fails with [`InvalidRequest`]. The text is not checked. A second value for the same number
    /// replaces the first.
    pub fn text(self, number: u8, text: impl Into<String>) -> Self {
        self.set(number, 1..=15, "a text", Ok(Value::String(text.into())))
    }

    /// Sets one of the fields `profile_field_16` … `profile_field_25`, that of this `number`, to a number. `number` is 16 to
    /// 25, else the request's `build` fails with [`InvalidRequest`]. The value is an [`Amount`], a whole number, a text as
    /// `12.50`, or a finite float, of at most 15 digits; for any other `build` fails too. A second value for the same number
    /// replaces the first.
    pub fn number<A>(self, number: u8, value: A) -> Self
    where
        A: TryInto<Amount>,
        A::Error: Into<InvalidRequest>,
    {
        let json = |amount: Amount| serde_json::to_value(amount).unwrap_or_default();
        self.set(number, 16..=25, "a number", value.try_into().map(json).map_err(Into::into))
    }

    /// Sets one of the fields `profile_field_26` … `profile_field_30`, that of this `number`, to a day. `number` is 26 to 30,
    /// else the request's `build` fails with [`InvalidRequest`]. The day is a [`SpaceDate`], or a text as `2026-11-24`; for any
    /// other text `build` fails too. A second value for the same number replaces the first.
    pub fn date<D>(self, number: u8, day: D) -> Self
    where
        D: TryInto<SpaceDate>,
        D::Error: Into<InvalidRequest>,
    {
        let json = |day: SpaceDate| Value::String(day.to_string());
        self.set(number, 26..=30, "a date", day.try_into().map(json).map_err(Into::into))
    }

    fn set(
        mut self,
        number: u8,
        numbers: RangeInclusive<u8>,
        what: &str,
        value: Result<Value, InvalidRequest>,
    ) -> Self {
        let value = if numbers.contains(&number) {
            value.map_err(|error| error.of("custom_fields"))
        } else {
            let (first, last) = numbers.into_inner();
            let rule = format!(
                "expected {what} in profile_field_{first} to profile_field_{last}, found profile_field_{number}"
            );
            Err(InvalidRequest::new("custom_fields", rule))
        };
        self.fields.insert(number, value);
        self
    }

    fn into_json(self) -> Result<Value, InvalidRequest> {
        let field = |(number, value): (u8, Result<_, _>)| Ok((format!("profile_field_{number}"), value?));
        let fields: Result<_, InvalidRequest> = self.fields.into_iter().map(field).collect();
        fields.map(Value::Object)
    }
}

/// What a body says of a contact; what is not in it is untouched.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
struct Said(Body);

impl Said {
    fn list<T: Into<String>>(&mut self, field: &'static str, items: impl IntoIterator<Item = T>) {
        self.0.set(field, items.into_iter().map(|item| Value::String(item.into())).collect());
    }

    /// No item is blank, and an address is one.
    fn check(&self) -> Result<(), InvalidRequest> {
        for (field, items) in self.0.iter() {
            for (index, item) in items.as_array().into_iter().flatten().enumerate() {
                let text = backend_trim(item.as_str().unwrap_or_default());
                let broken = |rule: &'static str| Err(InvalidRequest::new(format!("{field}.{index}"), rule));
                match field {
                    _ if text.is_empty() => return broken("expected a text that is not blank"),
                    "emails" if !is_email(text) => return broken("expected an email address, as ada@example.com"),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// `POST /contacts`: creates a contact with at least one email address; the builder's [`build`](CreateContactBuilder::build)
/// fails with [`InvalidRequest`] if the list of emails is empty, for an email that is no address, for a blank phone, name or
/// place, and for a custom field with a number or a value that [`CustomFields`] refuses. Whether there is a contact with that
/// address already is not checked. It is not sent again when its answer is lost, since that could make two.
///
/// ```
/// # use cometly::contacts::{CreateContact, CustomFields};
/// let contact = CreateContact::new(["ada@example.com"])
///     .names(["Ada Lovelace"])
///     .custom_fields(CustomFields::new().text(1, "pro")) // the field `profile_field_1`
///     .build()?;
/// # Ok::<(), cometly::InvalidRequest>(())
/// ```
#[derive(Clone, Debug)]
pub struct CreateContact {
    said: Said,
}

/// The settings of a [`CreateContact`]; from [`CreateContact::new`]. A setter that is called twice replaces the value. Its
/// [`build`](Self::build) checks them, and fails with [`InvalidRequest`] if the list of emails is empty, for an email that is
/// no address, for a blank phone, name or place, and for a custom field with a number or a value that [`CustomFields`] refuses.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct CreateContactBuilder {
    said: Said,
    custom_fields: Option<CustomFields>,
}

impl CreateContact {
    /// A contact with these email addresses, at least one; the first is the primary one. [`build`](CreateContactBuilder::build)
    /// fails with [`InvalidRequest`] for an empty list, and for a text that is no email address.
    #[expect(clippy::new_ret_no_self, reason = "the request is made by the builder's `build`")]
    pub fn new<T: Into<String>>(emails: impl IntoIterator<Item = T>) -> CreateContactBuilder {
        let mut said = Said::default();
        said.list("emails", emails);
        CreateContactBuilder { said, custom_fields: None }
    }
}

impl CreateContactBuilder {
    /// The contact's phone numbers with their country codes, `+49 30 1234567`; the first is the primary one. By default none is
    /// sent. A second call replaces them. [`build`](Self::build) refuses a blank text; the form of a number is not checked. An
    /// empty list is sent, and gives the contact none.
    pub fn phones<T: Into<String>>(mut self, phones: impl IntoIterator<Item = T>) -> Self {
        self.said.list("phones", phones);
        self
    }

    /// The contact's names; the first is the primary one. By default none is sent. A second call replaces them.
    /// [`build`](Self::build) refuses a blank text. An empty list is sent, and gives the contact none.
    pub fn names<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.said.list("names", names);
        self
    }

    /// The contact's places, as free text; the first is the primary one. By default none is sent. A second call replaces them.
    /// [`build`](Self::build) refuses a blank text. An empty list is sent, and gives the contact none.
    pub fn locations<T: Into<String>>(mut self, locations: impl IntoIterator<Item = T>) -> Self {
        self.said.list("locations", locations);
        self
    }

    /// Values for the Space's own fields of the contact, by their numbers 1 to 30: see [`CustomFields`]. By default none is
    /// sent. A second call replaces all of them, and what was wrong among them. [`build`](Self::build) refuses a number or a
    /// value that does not fit its field.
    pub fn custom_fields(mut self, fields: CustomFields) -> Self {
        self.custom_fields = Some(fields);
        self
    }

    /// Checks the settings and makes the request.
    ///
    /// # Errors
    /// [`InvalidRequest`] for the first rule that is broken: an empty list of emails, an email that is no address, a blank
    /// phone, name or place, or a custom field with a number or a value that [`CustomFields`] refuses.
    pub fn build(self) -> Result<CreateContact, InvalidRequest> {
        let Self { mut said, custom_fields } = self;
        if said.0.get("emails").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            return Err(InvalidRequest::new("emails", "expected at least one"));
        }
        said.check()?;
        if let Some(fields) = custom_fields {
            said.0.set("custom_fields", fields.into_json()?);
        }
        Ok(CreateContact { said })
    }
}

impl Endpoint for CreateContact {
    type Output = Contact;

    fn call(&self, api: &Api) -> Call {
        api.post("contacts").json(&self.said)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Contact, DecodeError> {
        reply.json()
    }
}

/// `PUT /contacts/{id}`: changes a contact. Each list, and the Space's own fields together, are replaced whole, wiped, or left
/// as they are if neither is asked for. [`build`](UpdateContactBuilder::build) fails with [`InvalidRequest`] if nothing is
/// changed, for an empty list (to remove all, wipe it), for an email that is no address, for a blank phone, name or place, and
/// for a custom field with a number or a value that [`CustomFields`] refuses.
///
/// ```
/// # use cometly::contacts::UpdateContact;
/// let update = UpdateContact::new(7)
///     .replace_emails(["ada@example.com", "lovelace@example.com"]) // these and no other
///     .wipe_phones() // none
///     .build()?; // names and locations stay as they are
/// # Ok::<(), cometly::InvalidRequest>(())
/// ```
#[derive(Clone, Debug)]
pub struct UpdateContact {
    id: Id,
    said: Said,
}

/// The settings of an [`UpdateContact`]; from [`UpdateContact::new`]. Of several calls for the same list, the last one counts.
/// Its [`build`](Self::build) fails with [`InvalidRequest`] if nothing is changed, for an empty list (to remove all, wipe it),
/// for an email that is no address, for a blank phone, name or place, and for a custom field with a number or a value that
/// [`CustomFields`] refuses.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct UpdateContactBuilder {
    id: Id,
    said: Said,
    custom_fields: Option<CustomFields>,
    broken: Broken,
}

impl UpdateContact {
    /// A change of the contact with this id: a number, or an [`Id`] for a text. At least one `replace_…` or `wipe_…` has to follow,
    /// else [`build`](UpdateContactBuilder::build) fails with [`InvalidRequest`].
    #[expect(clippy::new_ret_no_self, reason = "the request is made by the builder's `build`")]
    pub fn new(id: impl Into<Id>) -> UpdateContactBuilder {
        let (said, broken) = (Said::default(), Broken::default());
        UpdateContactBuilder { id: id.into(), said, custom_fields: None, broken }
    }
}

macro_rules! lists {
    ($($field:ident: $replace:ident $wipe:ident $what:literal,)+) => {
        impl UpdateContactBuilder {
            $(
                #[doc = concat!("Puts these ", $what, " in place of all that the contact has; the first is the primary one.")]
                ///
                /// [`build`](Self::build) fails with [`InvalidRequest`] for an empty list and for a blank text, and in the list
                /// of emails for a text that is no address. By default the list stays as it is. Of several calls for the same
                /// list, the last one counts.
                pub fn $replace<T: Into<String>>(mut self, items: impl IntoIterator<Item = T>) -> Self {
                    let items: Vec<T> = items.into_iter().collect();
                    self.broken.forget(stringify!($field));
                    self.broken.check(!items.is_empty(), stringify!($field), || {
                        concat!("expected at least one; to remove all, call ", stringify!($wipe)).to_owned()
                    });
                    self.said.list(stringify!($field), items);
                    self
                }

                #[doc = concat!("Removes all ", $what, " of the contact.")]
                ///
                /// The empty list is sent; by default the list stays as it is. It cannot fail. Of several calls for the same
                /// list, the last one counts.
                pub fn $wipe(mut self) -> Self {
                    self.broken.forget(stringify!($field));
                    self.said.list(stringify!($field), None::<String>);
                    self
                }
            )+
        }
    };
}
lists! {
    emails: replace_emails wipe_emails "email addresses",
    phones: replace_phones wipe_phones "phone numbers",
    names: replace_names wipe_names "names",
    locations: replace_locations wipe_locations "places",
}

impl UpdateContactBuilder {
    /// Sets the Space's own fields of the contact to these, by their numbers 1 to 30: see [`CustomFields`]. Every field that is
    /// not among them becomes null; by default all stay as they are. A second call replaces all of them, and what was wrong
    /// among them. [`build`](Self::build) refuses a number or a value that does not fit its field.
    pub fn replace_custom_fields(mut self, fields: CustomFields) -> Self {
        self.custom_fields = Some(fields);
        self
    }

    /// Sets every one of the Space's own fields of the contact to null. It takes the place of an earlier
    /// [`replace_custom_fields`](Self::replace_custom_fields), and of a wrong number or value in that, which is then no error; a
    /// later one takes its place. A second call changes nothing.
    pub fn wipe_custom_fields(self) -> Self {
        self.replace_custom_fields(CustomFields::new())
    }

    /// Checks the settings and makes the request.
    ///
    /// # Errors
    /// [`InvalidRequest`] if nothing is changed, or for the first rule that is broken: a list that was to be replaced by an
    /// empty one, an email that is no address, a blank phone, name or place, or a custom field with a number or a value that
    /// [`CustomFields`] refuses.
    pub fn build(self) -> Result<UpdateContact, InvalidRequest> {
        let Self { id, mut said, custom_fields, broken } = self;
        broken.into_result()?;
        if said.0.is_empty() && custom_fields.is_none() {
            return Err(InvalidRequest::new("emails", "expected at least one field to replace or to wipe"));
        }
        said.check()?;
        if let Some(fields) = custom_fields {
            said.0.set("custom_fields", fields.into_json()?);
        }
        Ok(UpdateContact { id, said })
    }
}

impl Endpoint for UpdateContact {
    type Output = Contact;

    fn call(&self, api: &Api) -> Call {
        api.put("contacts/{id}").segment(&self.id).json(&self.said)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Contact, DecodeError> {
        reply.json()
    }
}

/// `POST /contacts/exports`: orders the contacts created between two times of the Space's clock, both included (a day without a
/// time is its first second), as a file of gzipped NDJSON; [`ExportJob`](cometly_core::ExportJob) waits for it, and
/// [`ExportLines`](crate::ExportLines) reads it. From [`created_between`](Self::created_between), whose
/// [`build`](ExportContactsBuilder::build) fails with [`InvalidRequest`] for a time that cannot be read, and an `end` that is not
/// after `start`. It is not sent again when its answer is lost, since the export may have been ordered.
#[derive(Clone, Debug)]
pub struct ExportContacts {
    query: Query,
}

/// The settings of an [`ExportContacts`]; from [`ExportContacts::created_between`], which says how its two times are written.
/// An `include_…` that is called twice counts once. Its [`build`](Self::build) checks them, and fails with [`InvalidRequest`] for a time that cannot be read, or an `end`
/// that is not after `start`.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ExportContactsBuilder {
    period: Period,
    included: Query,
    broken: Broken,
}

impl ExportContacts {
    /// An export of the contacts that were created from `start` to `end`, both included, to the second and by the Space's clock.
    /// `start` and `end` are each a [`SpaceTime`], or a text as `2026-11-24 10:00:00`; a day without a time is its first second, so
    /// an `end` of `2026-12-01` leaves out the rest of that day. [`build`](ExportContactsBuilder::build) fails with
    /// [`InvalidRequest`] for a time that cannot be read, and an `end` that is not after `start`.
    pub fn created_between<S, E>(start: S, end: E) -> ExportContactsBuilder
    where
        S: TryInto<SpaceTime>,
        S::Error: Into<InvalidRequest>,
        E: TryInto<SpaceTime>,
        E::Error: Into<InvalidRequest>,
    {
        let mut broken = Broken::default();
        ExportContactsBuilder { period: Period::between(start, end, &mut broken), included: Query::default(), broken }
    }
}

impl ExportContactsBuilder {
    /// Asks for the tokens by which Cometly knows each contact's browsers, for [`ContactRow::comet_tokens`]; they are left out by
    /// default, and the list is empty then. A second call changes nothing.
    pub fn include_comet_tokens(mut self) -> Self {
        self.included.add("include_comet_tokens", 1);
        self
    }

    /// Asks for all email addresses of each contact, for [`ContactRow::emails`]; by default a contact has its primary one only, and
    /// that list is empty. A second call changes nothing.
    pub fn include_all_emails(mut self) -> Self {
        self.included.add("include_all_emails", 1);
        self
    }

    /// Checks the settings and makes the request.
    ///
    /// # Errors
    /// [`InvalidRequest`] for the first rule that is broken: a time that cannot be read, or an `end` that is not after `start`.
    pub fn build(self) -> Result<ExportContacts, InvalidRequest> {
        let Self { period, included, broken } = self;
        broken.into_result()?;
        let mut query = Query::default();
        period.add_to(&mut query);
        query.extend(included);
        Ok(ExportContacts { query })
    }
}

impl Endpoint for ExportContacts {
    type Output = ExportOrdered;

    fn call(&self, api: &Api) -> Call {
        api.post("contacts/exports").json(&self.query.to_json())
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<ExportOrdered, DecodeError> {
        reply.json()
    }
}

impl ExportOrder for ExportContacts {
    fn status_call(api: &Api, id: &ExportId) -> Call {
        api.get("contacts/exports/{id}").segment(id)
    }
}

/// `GET /contacts/exports/{id}`: asks once how far an export of contacts is, and gives an [`Export`]; from [`new`](Self::new).
/// [`ExportJob::resume`](cometly_core::ExportJob::resume) asks until it is completed. If there is no such export, the API
/// answers 404.
#[derive(Clone, Debug)]
pub struct GetContactExport {
    id: ExportId,
}

impl GetContactExport {
    /// Asks once for the export with this id, an [`ExportId`] of the order's answer or read from text by its `FromStr`. It
    /// cannot fail; the API answers 404 if there is no such export.
    #[must_use]
    pub fn new(id: ExportId) -> Self {
        Self { id }
    }
}

impl Endpoint for GetContactExport {
    type Output = Export;

    fn call(&self, api: &Api) -> Call {
        ExportContacts::status_call(api, &self.id)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Export, DecodeError> {
        reply.json()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_update_says_what_was_replaced_and_wiped_and_nothing_of_the_rest() {
        let update = UpdateContact::new(7)
            .replace_names(["Ada"])
            .wipe_phones()
            .replace_custom_fields(CustomFields::new().text(1, "pro").number(16, "1.50").date(26, "2026-11-24"))
            .build()
            .unwrap();
        let expected = json!({
            "names": ["Ada"], "phones": [],
            "custom_fields": {"profile_field_1": "pro", "profile_field_16": 1.5, "profile_field_26": "2026-11-24"},
        });
        assert_eq!(serde_json::to_value(&update.said).unwrap(), expected);
        let wiped = UpdateContact::new(7).wipe_custom_fields().build().unwrap();
        assert_eq!(serde_json::to_value(&wiped.said).unwrap(), json!({"custom_fields": {}}));
    }

    // `docs/faults.md` 148.
    #[test]
    fn a_second_value_takes_the_place_of_a_refused_one() {
        let fields =
            CustomFields::new().text(1, "pro").number(16, f64::NAN).number(16, 2).date(1, "x").text(1, "basic");
        let update = UpdateContact::new(7)
            .replace_phones(None::<&str>)
            .replace_phones(["+49 30 1234567"])
            .replace_names(None::<&str>)
            .wipe_names()
            .replace_custom_fields(fields)
            .build()
            .unwrap();
        let expected = json!({
            "phones": ["+49 30 1234567"], "names": [],
            "custom_fields": {"profile_field_1": "basic", "profile_field_16": 2},
        });
        assert_eq!(serde_json::to_value(&update.said).unwrap(), expected);
        let last = UpdateContact::new(7).wipe_phones().replace_phones(None::<&str>).build();
        assert_eq!(last.unwrap_err().field(), "phones");
    }

    #[test]
    fn a_broken_rule_is_told_by_its_field() {
        let update = || UpdateContact::new(7);
        let create = || CreateContact::new(["ada@example.com"]);
        let custom = |fields| create().custom_fields(fields).build().map(drop);
        for (result, field) in [
            (update().build().map(drop), "emails"),
            (update().replace_phones(None::<&str>).build().map(drop), "phones"),
            (update().replace_emails(["ada@example.com", "ada"]).build().map(drop), "emails.1"),
            (update().replace_names([" "]).build().map(drop), "names.0"),
            (CreateContact::new(None::<&str>).build().map(drop), "emails"),
            (CreateContact::new([""]).build().map(drop), "emails.0"),
            (create().phones([""]).build().map(drop), "phones.0"),
            (custom(CustomFields::new().text(0, "x")), "custom_fields"),
            (custom(CustomFields::new().text(16, "x")), "custom_fields"),
            (custom(CustomFields::new().number(15, 1)), "custom_fields"),
            (custom(CustomFields::new().number(16, f64::NAN)), "custom_fields"),
            (custom(CustomFields::new().date(31, "2026-11-24")), "custom_fields"),
            (custom(CustomFields::new().date(26, "24.11.2026")), "custom_fields"),
            (ListContacts::created_between("2026-11-24", "2026-11-23").build().map(drop), "end_date"),
            (ListContacts::created_on("2026-11-24").per_page(5001).build().map(drop), "per_page"),
            (ExportContacts::created_between("x", "2026-11-23").build().map(drop), "start_date"),
        ] {
            assert_eq!(result.unwrap_err().field(), field);
        }
        let error = custom(CustomFields::new().text(16, "x")).unwrap_err().to_string();
        let expected = "custom_fields: expected a text in profile_field_1 to profile_field_15, found profile_field_16";
        assert_eq!(error, expected);
    }
}
