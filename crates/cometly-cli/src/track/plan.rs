//! What is to be sent: every line checked and given its key before the first one leaves.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    io::{self, BufRead},
};

use serde_json::{Value, json};

use crate::{
    failure::Failure,
    input::without_mark,
    track::{
        csv::Converted,
        event::{self, Event, Problem},
        event_key::{EventKey, Fingerprint, fingerprint},
        journal::Noted,
        lines::{self, Line, Lines, MAX_LINES},
        skipped::Skipped,
    },
};

/// The most wrong lines that are reported.
const MAX_TOLD: usize = 100;

/// An event to be sent, without its text: that stays in the file.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) number: u64,
    pub(crate) offset: u64,
    pub(crate) length: usize,
    /// To be sure that what is sent is what was checked.
    pub(crate) fingerprint: Fingerprint,
    pub(crate) key: EventKey,
    /// What an event says that brings its own key.
    pub(crate) content: Option<Fingerprint>,
}

/// A line that is not sent.
#[derive(Debug)]
pub(crate) struct Invalid {
    number: u64,
    problem: Problem,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) events: Vec<Planned>,
    /// The first of them.
    pub(crate) invalid: Vec<Invalid>,
    pub(crate) invalid_lines: u64,
    /// Lines that say again what an earlier one with the same given key says.
    pub(crate) repeated_lines: u64,
    pub(crate) blank_lines: u64,
}

impl Plan {
    /// Reads all of a file. A million lines and no more. `converted` says where they stood before they were lines. Lines that
    /// are not sent go to `skipped`.
    pub(crate) fn read(
        reader: impl BufRead,
        batch: &str,
        converted: Option<&Converted>,
        skipped: Option<&mut Skipped>,
    ) -> io::Result<Self> {
        let mut planner = Planner {
            batch,
            plan: Self::default(),
            is_converted: false,
            keys: HashMap::new(),
            equal_lines: HashMap::new(),
            skipped,
        };
        let mut rows = Self::default();
        for (number, words) in converted.iter().flat_map(|converted| &converted.problems) {
            let problems = vec![Problem { column: 0, words: (*words).to_owned() }];
            rows.refuse(*number, problems, None, planner.skipped.as_deref_mut());
        }
        planner.is_converted = converted.is_some();
        for (place, line) in Lines::new(reader).enumerate() {
            let line = line?;
            let number = converted.map_or(Some(line.number), |converted| converted.numbers.get(place).copied());
            planner.take(Line { number: number.unwrap_or(line.number), ..line });
            if planner.plan.events.len() > MAX_LINES {
                return Err(io::Error::other(format!("it has more than {MAX_LINES} events; split it")));
            }
        }
        let mut plan = planner.plan;
        plan.invalid_lines = plan.invalid_lines.saturating_add(rows.invalid_lines);
        plan.invalid.extend(rows.invalid);
        // In the order of the file, whatever found them.
        plan.invalid.sort_by_key(|invalid| invalid.number);
        plan.invalid.truncate(MAX_TOLD);
        Ok(plan)
    }

    /// Takes out the events whose key the server has taken with another content: it would ignore them. The events that are
    /// taken out are the invalid lines of the plan that comes back.
    pub(crate) fn split_conflicts(
        &mut self,
        noted: &HashMap<EventKey, Noted>,
        text: impl Fn(&Planned) -> Result<String, Failure>,
        mut skipped: Option<&mut Skipped>,
    ) -> Result<Self, Failure> {
        let mut conflicts = Self::default();
        let conflict = |planned: &Planned| {
            let words = noted.get(&planned.key)?.conflict(planned.content)?;
            Some(Problem { column: 0, words })
        };
        let taken_out: Vec<_> = self.events.extract_if(.., |planned| conflict(planned).is_some()).collect();
        for planned in taken_out {
            let problems: Vec<_> = conflict(&planned).into_iter().collect();
            let text = skipped.is_some().then(|| text(&planned)).transpose()?;
            let text = text.as_ref().map(String::as_bytes);
            conflicts.refuse(planned.number, problems, text, skipped.as_deref_mut());
        }
        Ok(conflicts)
    }

    /// Counts a line with problems.
    fn refuse(&mut self, number: u64, problems: Vec<Problem>, text: Option<&[u8]>, skipped: Option<&mut Skipped>) {
        if let Some(skipped) = skipped {
            skipped.add(number, &problems, text);
        }
        self.invalid_lines = self.invalid_lines.saturating_add(1);
        let room = MAX_TOLD.saturating_sub(self.invalid.len());
        self.invalid.extend(problems.into_iter().take(room).map(|problem| Invalid { number, problem }));
    }
}

struct Planner<'a> {
    batch: &'a str,
    plan: Plan,
    /// A place within a line that was made of a row says nothing.
    is_converted: bool,
    /// What was said under each key, and in which line.
    keys: HashMap<EventKey, (Fingerprint, u64)>,
    /// How often each line came so far, of those without a key.
    equal_lines: HashMap<Fingerprint, u64>,
    skipped: Option<&'a mut Skipped>,
}

impl Planner<'_> {
    fn take(&mut self, line: Line) {
        let Line { number, offset, bytes } = line;
        let Some(bytes) = bytes else {
            let words = format!("the line is longer than the {} MiB that are expected", lines::MAX_LEN >> 20);
            let problems = vec![Problem { column: lines::MAX_LEN, words }];
            return self.plan.refuse(number, problems, None, self.skipped.as_deref_mut());
        };
        // Some programs begin a file with it.
        let whole = if number == 1 && !self.is_converted { without_mark(&bytes) } else { &bytes };
        let text = lines::trim(whole);
        if text.is_empty() {
            self.plan.blank_lines = self.plan.blank_lines.saturating_add(1);
            return;
        }
        let checked = event::check(whole).and_then(|event| {
            let content = event.content;
            self.key(event, text, number).map(|key| key.map(|key| (key, content)))
        });
        match checked {
            Ok(Some((key, content))) => {
                let before = text.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
                self.plan.events.push(Planned {
                    number,
                    offset: offset.saturating_add(u64::try_from(before).unwrap_or(u64::MAX)),
                    length: text.len(),
                    fingerprint: fingerprint(text),
                    key,
                    content,
                });
            }
            Ok(None) => self.plan.repeated_lines = self.plan.repeated_lines.saturating_add(1),
            Err(problems) => {
                let column = |column| if self.is_converted { 0 } else { column };
                let problems =
                    problems.into_iter().map(|problem| Problem { column: column(problem.column), ..problem });
                self.plan.refuse(number, problems.collect(), Some(text), self.skipped.as_deref_mut());
            }
        }
    }

    /// The key of a line; `None` if it says again what was said under its own.
    fn key(&mut self, event: Event, text: &[u8], number: u64) -> Result<Option<EventKey>, Vec<Problem>> {
        let said = event.content.unwrap_or_else(|| fingerprint(text));
        let key = if let Some(given) = event.idempotency_key {
            EventKey::from(given.as_str())
        } else {
            let equal_before = self.equal_lines.entry(said).or_default();
            let key = EventKey::made(self.batch, text, *equal_before);
            *equal_before = equal_before.saturating_add(1);
            key
        };
        match self.keys.entry(key) {
            Entry::Vacant(entry) => {
                let key = entry.key().clone();
                entry.insert((said, number));
                Ok(Some(key))
            }
            Entry::Occupied(entry) if entry.get().0 == said => Ok(None),
            Entry::Occupied(entry) => {
                let words = format!(
                    "idempotency_key is that of line {}, which says something else: the server would take only one of them",
                    entry.get().1
                );
                Err(vec![Problem { column: 1, words }])
            }
        }
    }
}

impl Invalid {
    pub(crate) fn to_json(&self) -> Value {
        json!({"line": self.number, "column": Some(self.problem.column).filter(|column| *column > 0), "problem": self.problem.words})
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem { column: 0, ref words } => write!(f, "line {}: {words}", self.number),
            Problem { column, ref words } => write!(f, "line {}, column {column}: {words}", self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        Plan::read(text.as_bytes(), "", None, None).unwrap()
    }

    fn event(rest: &str) -> String {
        format!(r#"{{"event_name":"purchase","email":"a@example.com"{rest}}}"#)
    }

    fn keys(text: &str) -> std::collections::BTreeSet<String> {
        plan(text).events.iter().map(|event| event.key.to_string()).collect()
    }

    #[test]
    fn the_keys_do_not_depend_on_order_line_ends_or_what_is_added() {
        let (a, b) = (event(""), event(r#","amount":1"#));
        let first = keys(&format!("{a}\n{a}\n{b}\n"));
        assert_eq!(first.len(), 3, "equal lines are different events");
        assert_eq!(keys(&format!("\u{feff}{b}\r\n\n  {a}\t\r\n{a}")), first);
        assert!(keys(&format!("{a}\n{b}\n{a}\n{a}")).is_superset(&first));
        assert!(Plan::read(a.as_bytes(), "may", None, None).unwrap().events[0].key != plan(&a).events[0].key);
    }

    #[test]
    fn what_is_planned_can_be_found_again() {
        let text = format!("\u{feff} {}\n\n\t{} \r\n", event(""), event(r#","amount":1"#));
        for planned in plan(&text).events {
            let start = usize::try_from(planned.offset).unwrap();
            let found = &text.as_bytes()[start..start + planned.length];
            assert_eq!(fingerprint(found), planned.fingerprint);
            assert!(found.starts_with(b"{") && found.ends_with(b"}"));
        }
    }

    #[test]
    fn a_given_key_counts_once_and_may_not_say_two_things() {
        let one = event(r#","idempotency_key":"k","amount":1"#);
        let other = event(r#","idempotency_key":"k","amount":2"#);
        let plan = plan(&format!("{one}\n{one}\n{other}\n"));
        assert_eq!((plan.events.len(), plan.repeated_lines, plan.invalid_lines), (1, 1, 1));
        assert!(plan.invalid[0].to_string().starts_with("line 3, column 1: idempotency_key is that of line 1"));
    }

    #[test]
    fn a_given_key_that_is_another_lines_made_one_is_refused() {
        let made = plan(&event("")).events[0].key.to_string();
        let thief = event(&format!(r#","idempotency_key":"{made}""#));
        assert_eq!(plan(&format!("{}\n{thief}", event(""))).invalid_lines, 1);
        assert_eq!(plan(&format!("{thief}\n{}", event(""))).invalid_lines, 1);
    }

    #[test]
    fn all_bad_lines_are_counted_and_the_first_are_told() {
        let plan = plan(&"{}\n".repeat(1000));
        assert_eq!((plan.invalid_lines, plan.invalid.len()), (1000, MAX_TOLD));
    }
}
