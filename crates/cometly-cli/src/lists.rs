//! `cometly events|contacts|companies list`, and what is done to a single contact or company. The crate `cometly` knows the
//! calls and their rules; rows are written as they came.

pub(crate) mod filter;
mod follow;
mod one;
mod period;

use cometly::{Endpoint, companies::ListCompanies, contacts::ListContacts, events::ListEvents};

pub(crate) use self::{
    follow::{Listed, follow},
    one::{create_contact, get_company, get_contact, update_company, update_contact},
    period::Span,
};
use crate::{
    arguments::{ContactInclude, ContactIncludes, EventFilter, Global, ListArguments, NoFilter, Optional, Required},
    auth::session::Session,
    dry_run,
    exit::Exit,
    failure::Failure,
    job::Job,
    lists::filter::{Filter, columns, filtered, included, invalid},
    rows::Output,
    terminal::console::Console,
    transport::{Patience, Transport},
};

pub(crate) fn events(
    arguments: &ListArguments<Required, EventFilter>,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let span = Span::required(&arguments.period.period)?;
    let filter = Filter::of(&arguments.filter)?;
    let columns = filter.columns();
    let mut builder = filtered!(ListEvents::between(span.from, span.to), filter);
    if let Some(rows) = arguments.per_page {
        builder = builder.per_page(rows);
    }
    list(&builder.build().map_err(invalid)?, columns, arguments, global, console)
}

pub(crate) fn contacts(
    arguments: &ListArguments<Required, ContactIncludes>,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let span = Span::required(&arguments.period.period)?;
    let include = &arguments.filter.include;
    let mut builder = included!(ListContacts::created_between(span.from, span.to), include, ContactInclude {
        CometTokens => include_comet_tokens,
        AllEmails => include_all_emails,
        CustomFields => include_custom_fields,
        CustomFieldsByLabel => include_custom_fields_by_label,
    });
    if let Some(rows) = arguments.per_page {
        builder = builder.per_page(rows);
    }
    let further = [
        (ContactInclude::CometTokens, "comet_tokens"),
        (ContactInclude::AllEmails, "emails"),
        (ContactInclude::CustomFields, "custom_fields"),
        (ContactInclude::CustomFieldsByLabel, "custom_fields"),
    ];
    let columns =
        columns(filter::CONTACT, further.iter().filter(|(what, _)| include.contains(what)).map(|(_, name)| *name));
    list(&builder.build().map_err(invalid)?, columns, arguments, global, console)
}

pub(crate) fn companies(
    arguments: &ListArguments<Optional, NoFilter>,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let mut builder = match Span::of(&arguments.period.period)? {
        Some(span) => ListCompanies::created_between(span.from, span.to),
        None => ListCompanies::all(),
    };
    if let Some(rows) = arguments.per_page {
        builder = builder.per_page(rows);
    }
    list(&builder.build().map_err(invalid)?, columns(filter::COMPANY, None), arguments, global, console)
}

/// Follows the list to its end, whatever its rows are.
fn list<E: Endpoint, P: clap::Args, F: clap::Args>(
    request: &E,
    columns: Vec<String>,
    arguments: &ListArguments<P, F>,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    if arguments.output.dry_run {
        return dry_run::show(&request.call(&Session::for_show(global, console)?.api), console);
    }
    let session = Session::open(global, console)?;
    let call = request.call(&session.api);
    let output = Output::open(&arguments.output, columns, std::slice::from_ref(&call), console)?;
    let noted = output.place().cursor;
    let list = Listed::new(call, noted.as_deref().or(arguments.cursor.as_deref()), arguments.max_pages)?;
    let job = Job::begin(Transport::new(global, Patience::Job, console)?, session.api.clone())?;
    follow(&job, list, output, console)
}
