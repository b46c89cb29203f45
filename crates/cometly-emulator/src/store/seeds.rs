//! The data that is there from the start. It is computed from the seed and the number of an item, so none of it is stored.

use std::io;

use serde_json::{Map, Value, json};

use crate::dates;
use crate::json::fields;
use crate::scramble::scramble;

pub(crate) const FIRST: i64 = 1_767_225_600; // 2026-01-01 00:00:00
pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

const FIRST_NAMES: &[&str] = &["Ada", "Blaise", "Charles", "Grace", "Hedy", "Joan", "Katherine", "Radia"];
const LAST_NAMES: &[&str] = &["Archer", "Baker", "Cooper", "Fisher", "Mason", "Potter", "Taylor", "Weaver"];
const CITIES: &[&str] = &["Berlin", "Chicago", "Lagos", "Lima", "Oslo", "Osaka", "Pune", "Quito"];
const NAMES: &[&str] = &["lead_generated", "view_content", "purchase", "add_to_cart", "sign_up", "upsell_purchase"];
const SOURCES: &[&str] =
    &["facebook_ads", "google_ads", "google_organic", "linkedin_ads", "tiktok_ads", "bing_organic", "x_organic"];

/// How much there is of each, and the seed of what varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seeds {
    pub(crate) seed: u64,
    pub(crate) events: u64,
    pub(crate) contacts: u64,
    pub(crate) companies: u64,
}

impl Seeds {
    pub(crate) fn to_json(self) -> Value {
        json!({ "seed": self.seed, "events": self.events, "contacts": self.contacts, "companies": self.companies })
    }

    pub(crate) fn event_name(self, id: u64) -> &'static str {
        self.pick("event name", id, NAMES)
    }

    pub(crate) fn event_source(self, id: u64) -> &'static str {
        self.pick("source", id, SOURCES)
    }

    /// Whose event it is.
    pub(crate) fn contact_of(self, id: u64) -> Option<u64> {
        self.number("contact", id, self.contacts)
    }

    /// Everything known of an event: its id and time first, and then what a tracked event might have brought along.
    pub(crate) fn event(self, id: u64) -> Map<String, Value> {
        let contact = self.contact_of(id);
        let name = self.event_name(id);
        let mut event = fields(json!({
            "id": id,
            "event_time_utc": dates::written(seconds_of(id, MINUTE)),
            "event_name": name,
            "contact_id": contact,
            "source": self.event_source(id),
            "email": contact.map(email),
        }));
        if name.ends_with("purchase") {
            event.insert("amount".into(), self.number("amount", id, 500).into());
            event.insert("order_id".into(), format!("order-{id}").into());
        }
        event
    }

    /// A contact as it is stored; see [`crate::endpoints::contact`].
    pub(crate) fn contact(self, id: u64) -> Option<Map<String, Value>> {
        let first = self.pick("first name", id, FIRST_NAMES);
        let name = format!("{first} {}", self.pick("last name", id, LAST_NAMES));
        let (phones, locations) = if id.is_multiple_of(5) {
            // Not everyone has told everything.
            (json!([]), json!([]))
        } else {
            (json!([format!("+1202555{:04}", id % 10_000)]), json!([self.pick("city", id, CITIES)]))
        };
        let emails = if id.is_multiple_of(4) {
            vec![email(id), format!("{first}.{id}@mail.example").to_lowercase()]
        } else {
            vec![email(id)]
        };
        let contact = json!({
            "created": seconds_of(id, HOUR),
            "emails": emails,
            "phones": phones,
            "names": [name],
            "locations": locations,
            "custom_fields": { "profile_field_1": self.pick("plan", id, &["free", "pro", "team"]) },
        });
        (1..=self.contacts).contains(&id).then(|| fields(contact))
    }

    pub(crate) fn company(self, id: u64) -> Option<Map<String, Value>> {
        let company = json!({
            "created": seconds_of(id, DAY),
            "domain": format!("company-{id}.example"),
            "name": format!("Company {id}"),
        });
        (1..=self.companies).contains(&id).then(|| fields(company))
    }

    fn pick(self, what: &str, id: u64, from: &'static [&'static str]) -> &'static str {
        let index = self.mix(what, id).checked_rem(from.len() as u64).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| from.get(index)).copied().unwrap_or_default()
    }

    /// One of the numbers from 1 to `most`.
    fn number(self, what: &str, id: u64, most: u64) -> Option<u64> {
        self.mix(what, id).checked_rem(most)?.checked_add(1)
    }

    fn mix(self, what: &str, id: u64) -> u64 {
        let salt = what.bytes().fold(self.seed, |hash, byte| scramble(hash ^ u64::from(byte)));
        scramble(salt ^ id)
    }
}

/// When seeded item `id` happened, in seconds since 1970.
fn seconds_of(id: u64, step: i64) -> i64 {
    let steps = i64::try_from(id.saturating_sub(1)).unwrap_or(i64::MAX);
    FIRST.saturating_add(steps.saturating_mul(step))
}

fn email(contact: u64) -> String {
    format!("contact-{contact}@example.com")
}

/// What the data is to be seeded with, as far as it was said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) seed: Option<u64>,
    pub(crate) events: Option<u64>,
    pub(crate) contacts: Option<u64>,
    pub(crate) companies: Option<u64>,
}

impl Wanted {
    /// What a data folder was seeded with stays.
    pub(crate) fn seeds(&self, kept: Option<&Map<String, Value>>) -> io::Result<Seeds> {
        let one = |what: &str, wanted: Option<u64>, default: u64, most: u64| {
            let kept = kept.and_then(|kept| kept.get(what)?.as_u64());
            let refuse = |message: String| Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            match (wanted, kept) {
                (Some(wanted), _) if wanted > most => refuse(format!("{wanted} {what} cannot be seeded; {most} can")),
                (Some(wanted), Some(kept)) if wanted != kept => refuse(format!(
                    "the data folder was seeded with {what} {kept}, which cannot become {wanted}; leave the setting out, or \
                     choose another folder"
                )),
                _ => Ok(kept.or(wanted).unwrap_or(default)),
            }
        };
        Ok(Seeds {
            seed: one("seed", self.seed, 0, u64::MAX)?,
            events: one("events", self.events, 1000, 10_000_000)?,
            contacts: one("contacts", self.contacts, 250, 100_000)?,
            companies: one("companies", self.companies, 250, 100_000)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_data_and_another_gives_other_data() {
        let seeds = |seed| Seeds { seed, events: 9, contacts: 9, companies: 9 };
        let events = |seed| (1..50).map(|id| seeds(seed).event(id)).collect::<Vec<_>>();
        assert_eq!(events(1), events(1));
        assert_ne!(events(1), events(2));
        assert_eq!(seeds(7).event_name(1), "purchase");
    }

    #[test]
    fn there_is_no_more_than_was_seeded() {
        let seeds = Seeds { seed: 0, events: 0, contacts: 2, companies: 0 };
        assert!(seeds.contact(2).is_some() && seeds.contact(3).is_none() && seeds.contact(0).is_none());
        assert!(seeds.company(1).is_none());
        assert_eq!(Seeds { contacts: 0, ..seeds }.event(1)["contact_id"], Value::Null);
    }
}
