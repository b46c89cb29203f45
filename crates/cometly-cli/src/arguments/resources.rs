//! What can be asked of events, contacts and companies.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::TrackArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// List events by the time when they happened: for fewer than 10,000
    #[command(after_help = "Examples:
  cometly events list --on yesterday --time-zone Europe/Berlin --event-name purchase --field email,amount
  cometly events list --from '2026-11-24 10:00' --to '2026-11-24 12:00' --format csv")]
    List(ListArguments<Required, EventFilter>),
    /// Export the events of whole days into a file: for more than 10,000
    #[command(after_help = "Examples:
  cometly events export --on yesterday --time-zone Europe/Berlin --output events.ndjson
  cometly events export --from 2026-11-01 --to 2026-11-30 --format csv --output november.csv --resume

Each day is an export of its own, one after the other, into one file.")]
    Export(ExportArguments<EventFilter>),
    /// Send each line of a file as an event, each once, whatever interrupts it
    #[command(after_help = "Examples:
  cometly events track --input events.ndjson
  export-events | cometly events track --input - --journal events.cometly-journal

Fields: event_name, and one of email, comet_token, or fingerprint with ip; and any of tracking_id, full_name, \
first_name, last_name, phone, user_agent, event_time, url, amount, order_id, order_name, checkout_token, is_upsell, \
upsell_common_id, comet_source, comet_network, comet_campaign, comet_ad_group, comet_ad_id, comet_keyword, comet_type, \
idempotency_key, do_not_capi.

Run the same command again to go on: what was answered is in the journal and is not sent again.")]
    Track(TrackArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContactsCommand {
    /// List contacts by the time when they were created
    #[command(after_help = "Examples:
  cometly contacts list --from 2026-11-01 --to 2026-11-30 --include all-emails
  cometly contacts list --on yesterday --time-zone Europe/Berlin --format csv --output contacts.csv")]
    List(ListArguments<Required, ContactIncludes>),
    /// Read one contact
    #[command(after_help = "Examples:
  cometly contacts get 42
  cometly contacts get 42 --include events,comet-tokens")]
    Get(GetArguments<ContactDetails>),
    /// Create a contact
    #[command(after_help = "Examples:
  cometly contacts create --email ada@example.com --name 'Ada Lovelace' --custom-field 1=pro

It is not sent again by itself if its answer is lost: there may be two contacts then.")]
    Create(CreateContactArguments),
    /// Change a contact: what is not named stays as it is
    #[command(after_help = "Examples:
  cometly contacts update 42 --email ada@example.com --email lovelace@example.com
  cometly contacts update 42 --wipe phones

A list that is given replaces the whole list; --custom-field empties every field that is not named.")]
    Update(UpdateContactArguments),
    /// Export contacts into a file
    #[command(after_help = "Examples:
  cometly contacts export --from 2026-01-01 --to 2026-11-30 --output contacts.ndjson")]
    Export(ExportArguments<ContactExportIncludes>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CompaniesCommand {
    /// List companies, all or by the time when they were created
    #[command(after_help = "Examples:
  cometly companies list
  cometly companies list --from -30d --to today --time-zone Europe/Berlin --format csv")]
    List(ListArguments<Optional, NoFilter>),
    /// Read one company
    Get(GetArguments<NoFilter>),
    /// Change the name or the domain of a company
    #[command(after_help = "Examples:
  cometly companies update 42 --name 'Example Ltd'")]
    Update(UpdateCompanyArguments),
    /// Export companies into a file
    Export(ExportArguments<NoFilter>),
}

#[derive(Args, Debug)]
pub(crate) struct ListArguments<P: Args, F: Args> {
    #[command(flatten)]
    pub(crate) period: P,
    #[command(flatten)]
    pub(crate) filter: F,
    /// How many rows a page holds: 1 to 4000 for events, else to 5000 [default: the server's, 200]
    #[arg(long, value_name = "ROWS")]
    pub(crate) per_page: Option<u32>,
    /// End after this many pages, with exit code 15 if there are more
    #[arg(long, value_name = "PAGES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_pages: Option<u32>,
    /// Begin at this `next_cursor` instead of the first page
    #[arg(long, value_name = "CURSOR", conflicts_with = "resume")]
    pub(crate) cursor: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArguments<F: Args> {
    #[command(flatten)]
    pub(crate) period: Optional,
    #[command(flatten)]
    pub(crate) filter: F,
    /// An export that was ordered before, instead of a new one
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "to", "on"])]
    pub(crate) export_id: Option<String>,
    /// Order anew what failed, or what may have been ordered unseen: says that a second export does no harm
    #[arg(long)]
    pub(crate) order_again: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// Which time is asked for.
#[derive(Args, Debug, Default)]
pub(crate) struct Period {
    /// The first day or time, by the clock of the Space: 2026-11-24, '2026-11-24 10:00', today, yesterday, -7d
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// The last day, which is included, or time
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// One day, as --from and --to of that day
    #[arg(long, value_name = "DAY", allow_hyphen_values = true, conflicts_with_all = ["from", "to"])]
    pub(crate) on: Option<String>,
    /// The time zone of the Space, as Europe/Berlin, which the API does not tell; needed for today, yesterday, -7d
    /// [default: `COMETLY_TIME_ZONE`]
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
}

/// A period that must be there.
#[derive(Args, Debug)]
pub(crate) struct Required {
    #[command(flatten)]
    pub(crate) period: Period,
}

/// A period that may be left out.
#[derive(Args, Debug)]
pub(crate) struct Optional {
    #[command(flatten)]
    pub(crate) period: Period,
}

#[derive(Args, Debug)]
pub(crate) struct NoFilter {}

#[derive(Args, Debug)]
pub(crate) struct EventFilter {
    /// Only events of these names, 1 to 10: `purchase`, `custom_event_7`
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) event_name: Vec<String>,
    /// The columns of each event: `id`, `email`, `amount`, … [default: `id,event_time_utc`]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) field: Vec<String>,
    /// Only events from these sources, 1 to 15: `facebook_ads`, `google_organic`
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires_all = ["attribution_model", "attribution_window"])]
    pub(crate) source: Vec<String>,
    /// How a conversion is shared among the touches before it: `first_touch`, `last_touch`, `linear`, …
    #[arg(long, value_name = "MODEL", requires = "attribution_window")]
    pub(crate) attribution_model: Option<String>,
    /// How many days before a conversion a touch counts: 1, 7, 14, 30, 60, 90, or lifetime
    #[arg(long, value_name = "DAYS", requires = "attribution_model")]
    pub(crate) attribution_window: Option<String>,
    /// By person or by company: `profile` or `company` [default: `profile`]
    #[arg(long, value_name = "MODE")]
    pub(crate) query_mode: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ContactIncludes {
    /// What else to give of each contact
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) include: Vec<ContactInclude>,
}

#[derive(Args, Debug)]
pub(crate) struct ContactExportIncludes {
    /// What else to give of each contact
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) include: Vec<ContactExportInclude>,
}

#[derive(Args, Debug)]
pub(crate) struct ContactDetails {
    /// What else to give of the contact; direct-touchpoints are the visits that no ad brought
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) include: Vec<ContactDetail>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ContactInclude {
    CometTokens,
    AllEmails,
    CustomFields,
    CustomFieldsByLabel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ContactExportInclude {
    CometTokens,
    AllEmails,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ContactDetail {
    CometTokens,
    Events,
    DirectTouchpoints,
    CustomFieldLabels,
    BrowsingSessionData,
}

#[derive(Args, Debug)]
pub(crate) struct GetArguments<D: Args> {
    /// Its id
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) details: D,
    #[command(flatten)]
    pub(crate) shown: ShownArguments,
}

/// The lists of a contact.
#[derive(Args, Debug)]
pub(crate) struct ContactLists {
    /// An address; the first one is the primary one
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Vec<String>,
    /// A number with its country code
    #[arg(long, value_name = "NUMBER")]
    pub(crate) phone: Vec<String>,
    /// A name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,
    /// A place
    #[arg(long, value_name = "PLACE")]
    pub(crate) location: Vec<String>,
    /// A field of the Space's own: 1 to 15 hold texts, 16 to 25 numbers, 26 to 30 dates
    #[arg(long, value_name = "NUMBER=VALUE")]
    pub(crate) custom_field: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct CreateContactArguments {
    #[command(flatten)]
    pub(crate) lists: ContactLists,
    #[command(flatten)]
    pub(crate) shown: ShownArguments,
}

#[derive(Args, Debug)]
pub(crate) struct UpdateContactArguments {
    /// Its id
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) lists: ContactLists,
    /// A list to empty
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) wipe: Vec<ContactList>,
    #[command(flatten)]
    pub(crate) shown: ShownArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ContactList {
    Emails,
    Phones,
    Names,
    Locations,
    CustomFields,
}

#[derive(Args, Debug)]
pub(crate) struct UpdateCompanyArguments {
    /// Its id
    pub(crate) id: String,
    /// Its new name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Its new domain
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    #[command(flatten)]
    pub(crate) shown: ShownArguments,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Ndjson,
    Csv,
}

#[derive(Args, Debug)]
pub(crate) struct ShownArguments {
    /// How it is written [default: json]
    #[arg(long, value_name = "FORMAT", default_value = "json", hide_default_value = true)]
    pub(crate) format: Format,
    /// Show the request, with the key hidden, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct OutputArguments {
    /// How rows are written [default: as --output ends, with .csv, .json, .ndjson or .jsonl; else a table on a terminal, and
    /// ndjson elsewhere]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// A file for the rows, which is there only once it is whole, readable by you alone; - for stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Put ' before texts in CSV that a spreadsheet runs as a formula: those that begin with = + - @, a tab or a carriage return
    #[arg(long)]
    pub(crate) escape_formulas: bool,
    /// Go on with what an earlier run of the same command left, or begin if there is nothing
    #[arg(long, requires = "output")]
    pub(crate) resume: bool,
    /// Show the request, with the key hidden, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl OutputArguments {
    pub(crate) fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| path.as_os_str() != "-")
    }

    /// `None` if the file's name ends as that of another format.
    pub(crate) fn format(&self, is_json: bool) -> Option<Format> {
        if self.format.is_some() {
            return self.format;
        }
        let Some(path) = self.file() else {
            let is_table = !is_json && std::io::IsTerminal::is_terminal(&std::io::stdout());
            return Some(if is_table { Format::Table } else { Format::Ndjson });
        };
        match path.extension().unwrap_or_default().to_string_lossy().to_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "json" => Some(Format::Json),
            // A packed file is refused as such.
            "" | "ndjson" | "jsonl" | "gz" => Some(Format::Ndjson),
            _ => None,
        }
    }
}
