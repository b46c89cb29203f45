//! A single contact or company: read, created, changed.

use cometly::{
    Endpoint, Id,
    companies::{GetCompany, UpdateCompany},
    contacts::{CreateContact, CustomFields, GetContact, UpdateContact},
};
use serde_json::value::RawValue;

use crate::{
    arguments::{
        ContactDetail, ContactDetails, ContactList, CreateContactArguments, Format, GetArguments, Global, NoFilter,
        ShownArguments, UpdateCompanyArguments, UpdateContactArguments,
    },
    auth::session::Session,
    dry_run,
    exit::Exit,
    failure::Failure,
    lists::filter::{COMPANY, columns, included, invalid},
    pair,
    rows::Output,
    terminal::console::Console,
    transport::{Patience, Transport},
};

/// The columns of a whole contact.
const CONTACT: &[&str] = &["id", "emails", "phones", "names", "locations", "custom_fields"];

pub(crate) fn get_contact(
    arguments: &GetArguments<ContactDetails>,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let include = &arguments.details.include;
    let get = included!(GetContact::new(id(&arguments.id)?), include, ContactDetail {
        CometTokens => include_comet_tokens,
        Events => include_events,
        DirectTouchpoints => show_direct_touchpoints,
        CustomFieldLabels => use_custom_field_labels,
        BrowsingSessionData => include_browsing_session_data,
    });
    let further = [
        (ContactDetail::CometTokens, "comet_tokens"),
        (ContactDetail::Events, "events"),
        (ContactDetail::BrowsingSessionData, "browsing_session_hits"),
    ];
    let further = further.iter().filter(|(what, _)| include.contains(what)).map(|(_, name)| *name);
    one(&get, &columns(CONTACT, further), &arguments.shown, global, console)
}

pub(crate) fn create_contact(
    arguments: &CreateContactArguments,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let lists = &arguments.lists;
    let mut builder = CreateContact::new(&lists.email);
    if !lists.phone.is_empty() {
        builder = builder.phones(&lists.phone);
    }
    if !lists.name.is_empty() {
        builder = builder.names(&lists.name);
    }
    if !lists.location.is_empty() {
        builder = builder.locations(&lists.location);
    }
    if !lists.custom_field.is_empty() {
        builder = builder.custom_fields(custom_fields(&lists.custom_field)?);
    }
    one(&builder.build().map_err(invalid)?, &columns(CONTACT, None), &arguments.shown, global, console)
}

pub(crate) fn update_contact(
    arguments: &UpdateContactArguments,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let lists = &arguments.lists;
    let given = [
        (ContactList::Emails, !lists.email.is_empty(), "--email"),
        (ContactList::Phones, !lists.phone.is_empty(), "--phone"),
        (ContactList::Names, !lists.name.is_empty(), "--name"),
        (ContactList::Locations, !lists.location.is_empty(), "--location"),
        (ContactList::CustomFields, !lists.custom_field.is_empty(), "--custom-field"),
    ];
    if let Some((.., option)) = given.iter().find(|(list, is_given, _)| *is_given && arguments.wipe.contains(list)) {
        return Err(Failure::usage(format!("{option} and --wipe are about the same list: give one of them")));
    }
    let mut builder = UpdateContact::new(id(&arguments.id)?);
    for (list, is_given, _) in given {
        let is_wiped = arguments.wipe.contains(&list);
        builder = match list {
            ContactList::Emails if is_given => builder.replace_emails(&lists.email),
            ContactList::Phones if is_given => builder.replace_phones(&lists.phone),
            ContactList::Names if is_given => builder.replace_names(&lists.name),
            ContactList::Locations if is_given => builder.replace_locations(&lists.location),
            ContactList::CustomFields if is_given => builder.replace_custom_fields(custom_fields(&lists.custom_field)?),
            ContactList::Emails if is_wiped => builder.wipe_emails(),
            ContactList::Phones if is_wiped => builder.wipe_phones(),
            ContactList::Names if is_wiped => builder.wipe_names(),
            ContactList::Locations if is_wiped => builder.wipe_locations(),
            ContactList::CustomFields if is_wiped => builder.wipe_custom_fields(),
            _ => builder,
        };
    }
    one(&builder.build().map_err(invalid)?, &columns(CONTACT, None), &arguments.shown, global, console)
}

pub(crate) fn get_company(
    arguments: &GetArguments<NoFilter>,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    one(&GetCompany::new(id(&arguments.id)?), &columns(COMPANY, None), &arguments.shown, global, console)
}

pub(crate) fn update_company(
    arguments: &UpdateCompanyArguments,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let mut builder = UpdateCompany::new(id(&arguments.id)?);
    if let Some(domain) = &arguments.domain {
        builder = builder.domain(domain);
    }
    if let Some(name) = &arguments.name {
        builder = builder.name(name);
    }
    one(&builder.build().map_err(invalid)?, &columns(COMPANY, None), &arguments.shown, global, console)
}

/// Sends the one call and writes what came.
fn one<E: Endpoint>(
    request: &E,
    columns: &[String],
    shown: &ShownArguments,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    if shown.dry_run {
        return dry_run::show(&request.call(&Session::for_show(global, console)?.api), console);
    }
    // Kept to the end, since it watches the key.
    let session = Session::open(global, console)?;
    let transport = Transport::new(global, Patience::Call, console)?;
    let progress = console.progress.begin(None, "");
    let sent = transport.send(request.call(&session.api));
    progress.end();
    let reply = sent?.into_result()?;
    if let Err(error) = request.read(&reply) {
        return Err(Failure::new(Exit::Unexpected, error.to_string()));
    }
    if shown.format == Format::Json {
        let text = reply.into_body();
        console.json([text.strip_suffix(b"\n").unwrap_or(&text)])?;
        return Ok(Exit::Ok);
    }
    let row: &RawValue = reply.json().map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))?;
    let mut output = Output::in_form(shown.format, columns.to_vec());
    output.write(&[row], console)?;
    output.finish(console)?;
    Ok(Exit::Ok)
}

fn id(text: &str) -> Result<Id, Failure> {
    Id::new(text).map_err(invalid)
}

/// `1=pro`, or `profile_field_1=pro`.
fn custom_fields(pairs: &[String]) -> Result<CustomFields, Failure> {
    let mut fields = CustomFields::new();
    let mut given = Vec::new();
    for pair in pairs {
        let (name, value) = pair::split(pair, "--custom-field")?;
        let number = name.strip_prefix("profile_field_").unwrap_or(name).parse::<u8>().ok();
        let number = number.filter(|number| (1..=30).contains(number)).ok_or_else(|| {
            Failure::usage("--custom-field has no such number: expected NUMBER=VALUE with a number of 1 to 30")
        })?;
        if given.contains(&number) {
            return Err(Failure::usage(format!("--custom-field {number} is given twice")));
        }
        given.push(number);
        fields = match number {
            1..=15 => fields.text(number, value),
            16..=25 => fields.number(number, value),
            _ => fields.date(number, value),
        };
    }
    Ok(fields)
}
