//! The data that is there from the start. It is computed from the seed and the number of an item, so none of it is stored.

use std::io;
use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::dates;
use crate::json::fields;
use crate::scramble::scramble;

/// Seeded items are spread evenly over 30 days. In seconds.
const SPAN: u64 = 30 * 24 * 60 * 60;
/// Where that span ends if a seed was set, so that the same seed gives the same data on any day: 2026-01-31 00:00:00.
const FIXED_END: u64 = 1_769_817_600;

const FIRST_NAMES: &[&str] = &["Ada", "Blaise", "Charles", "Grace", "Hedy", "Joan", "Katherine", "Radia"];
const LAST_NAMES: &[&str] = &["Archer", "Baker", "Cooper", "Fisher", "Mason", "Potter", "Taylor", "Weaver"];
const CITIES: &[&str] = &["Berlin", "Chicago", "Lagos", "Lima", "Oslo", "Osaka", "Pune", "Quito"];
const NAMES: &[&str] = &["lead_generated", "view_content", "purchase", "add_to_cart", "sign_up", "upsell_purchase"];
const SOURCES: &[&str] =
    &["facebook_ads", "google_ads", "google_organic", "linkedin_ads", "tiktok_ads", "bing_organic", "x_organic"];

/// How much there is of each, when it happened, and the seed of what varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seeds {
    pub(crate) seed: u64,
    /// The end of the 30 days in which everything happened, in seconds since 1970.
    pub(crate) end: u64,
    pub(crate) events: u64,
    pub(crate) contacts: u64,
    pub(crate) companies: u64,
}

impl Seeds {
    pub(crate) fn to_json(self) -> Value {
        json!({
            "seed": self.seed,
            "end": self.end,
            "events": self.events,
            "contacts": self.contacts,
            "companies": self.companies,
        })
    }

    /// When item `id` of `count` happened, in seconds since 1970.
    fn time(self, id: u64, count: u64) -> i64 {
        let steps = u128::from(id.saturating_sub(1)).saturating_mul(SPAN.into());
        let after = u64::try_from(steps.checked_div(count.into()).unwrap_or_default()).unwrap_or(SPAN);
        i64::try_from(self.end.saturating_sub(SPAN).saturating_add(after)).unwrap_or(i64::MAX)
    }

    /// The ids of those of `count` items that happened from `start` to `end`, both included, in seconds since 1970.
    pub(crate) fn ids(self, start: i64, end: i64, count: u64) -> Range<u64> {
        let first = i64::try_from(self.end.saturating_sub(SPAN)).unwrap_or(i64::MAX);
        // How many items happened before a moment.
        let before = |moment: i64| {
            let after = u128::try_from(moment.saturating_sub(first)).unwrap_or_default();
            let steps = after.saturating_mul(count.into()).div_ceil(SPAN.into());
            u64::try_from(steps).unwrap_or(u64::MAX).min(count)
        };
        let start = before(start).saturating_add(1);
        start..before(end.saturating_add(1)).saturating_add(1).max(start)
    }

    /// Events 1 to 6 have each name once, 7 to 12 too, and so on: no day of a thousand events is without purchases.
    pub(crate) fn event_name(self, id: u64) -> &'static str {
        let six = id.saturating_sub(1).checked_div(NAMES.len() as u64).unwrap_or_default();
        let first = self.mix("event name", six);
        let index =
            first.wrapping_add(id).checked_rem(NAMES.len() as u64).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| NAMES.get(index)).copied().unwrap_or_default()
    }

    pub(crate) fn event_source(self, id: u64) -> &'static str {
        self.pick("source", id, SOURCES)
    }

    /// The contact of an event.
    pub(crate) fn contact_of(self, id: u64) -> Option<u64> {
        self.number("contact", id, self.contacts)
    }

    /// Everything known of an event: its id and time first, and then what a tracked event might have brought along.
    pub(crate) fn event(self, id: u64) -> Map<String, Value> {
        let contact = self.contact_of(id);
        let name = self.event_name(id);
        let mut event = fields(json!({
            "id": id,
            "event_time_utc": dates::written(self.time(id, self.events)),
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
            "created": self.time(id, self.contacts),
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
            "created": self.time(id, self.companies),
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
    /// What a data folder was seeded with stays. `now` is in seconds since 1970.
    pub(crate) fn seeds(&self, kept: Option<&Map<String, Value>>, now: u64) -> io::Result<Seeds> {
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
            end: kept.and_then(|kept| kept.get("end")?.as_u64()).unwrap_or(if self.seed.is_some() {
                FIXED_END
            } else {
                now
            }),
            events: one("events", self.events, 1000, 10_000_000)?,
            contacts: one("contacts", self.contacts, 250, 100_000)?,
            companies: one("companies", self.companies, 250, 10_000_000)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_data_and_another_gives_other_data() {
        let seeds = |seed| Seeds { seed, end: FIXED_END, events: 9, contacts: 9, companies: 9 };
        let events = |seed| (1..50).map(|id| seeds(seed).event(id)).collect::<Vec<_>>();
        assert_eq!(events(1), events(1));
        assert_ne!(events(1), events(2));
    }

    #[test]
    fn six_events_in_a_row_have_each_name_once() {
        let seeds = Seeds { seed: 7, end: FIXED_END, events: 600, contacts: 0, companies: 0 };
        let mut first = BTreeSet::new();
        for six in 0..100 {
            let names: Vec<&str> = (six * 6 + 1..=six * 6 + 6).map(|id| seeds.event_name(id)).collect();
            first.insert(names[0]);
            assert_eq!(names.iter().collect::<BTreeSet<_>>(), NAMES.iter().collect(), "{names:?}");
        }
        assert_eq!(first.len(), NAMES.len(), "not all begin alike");
    }

    #[test]
    fn there_is_no_more_than_was_seeded() {
        let seeds = Seeds { seed: 0, end: FIXED_END, events: 0, contacts: 2, companies: 0 };
        assert!(seeds.contact(2).is_some() && seeds.contact(3).is_none() && seeds.contact(0).is_none());
        assert!(seeds.company(1).is_none());
        assert_eq!(Seeds { contacts: 0, ..seeds }.event(1)["contact_id"], Value::Null);
    }

    #[test]
    fn items_are_spread_over_30_days_and_found_by_their_time() {
        let seeds = Seeds { seed: 0, end: FIXED_END, events: 60, contacts: 0, companies: 0 };
        let time = |id| dates::written(seeds.time(id, 60)).unwrap();
        assert_eq!([1, 2, 60].map(time), ["2026-01-01 00:00:00", "2026-01-01 12:00:00", "2026-01-30 12:00:00"]);
        let first = i64::try_from(FIXED_END - SPAN).unwrap();
        let half = 12 * 60 * 60;
        assert_eq!(seeds.ids(first, first + half, 60), 1..3);
        assert_eq!(seeds.ids(first + 1, first + half, 60), 2..3);
        assert_eq!(seeds.ids(first + 1, first + half - 1, 60), 2..2);
        assert_eq!(seeds.ids(first - 9, first - 1, 60), 1..1);
        assert_eq!(seeds.ids(i64::MIN, i64::MAX, 60), 1..61);
        assert_eq!(seeds.ids(i64::try_from(FIXED_END).unwrap(), i64::MAX, 60), 61..61);
        // Where several share a second, and where a second has no whole number of steps.
        for count in [1, 7, 1000, 9_999_991] {
            for id in [1, 2, count / 2, count].into_iter().filter(|id| (1..=count).contains(id)) {
                let time = seeds.time(id, count);
                let ids = seeds.ids(time, time, count);
                assert!(ids.contains(&id), "{id} of {count}: {ids:?}");
                assert!(ids.clone().all(|id| seeds.time(id, count) == time), "{id} of {count}: {ids:?}");
            }
        }
        assert_eq!(seeds.ids(i64::MIN, i64::MAX, 0), 1..1);
    }

    #[test]
    fn a_seed_fixes_the_days_and_without_one_they_end_now() {
        let end = |seed| Wanted { seed, ..Wanted::default() }.seeds(None, 5_000_000_000).unwrap().end;
        assert_eq!((end(None), end(Some(3))), (5_000_000_000, FIXED_END));
        let kept = fields(json!({ "seed": 0, "end": 7, "events": 1, "contacts": 1, "companies": 1 }));
        assert_eq!(Wanted::default().seeds(Some(&kept), 5_000_000_000).unwrap().end, 7);
    }
}
