//! What the builders of requests share.

use cometly_core::Call;
use serde_json::Value;

use crate::{InvalidRequest, SpaceDate, SpaceTime, body::Body};

/// The query of a request, checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// A name that ends in `[]` is a list, to which the value is added; of any other the value is replaced.
    pub(crate) fn add(&mut self, name: &'static str, value: impl ToString) {
        if !name.ends_with("[]") {
            self.0.retain(|(other, _)| *other != name);
        }
        self.0.push((name, value.to_string()));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn add_to(&self, call: Call) -> Call {
        self.0.iter().fold(call, |call, (name, value)| call.query(name, value))
    }

    /// The same pairs as the body of a POST: a name that ends in `[]` is a list.
    pub(crate) fn to_json(&self) -> Body {
        let mut body = Body::default();
        for (name, value) in &self.0 {
            match name.strip_suffix("[]") {
                Some(list) => {
                    let items = body.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
                    let items = items.into_iter().chain([Value::from(value.as_str())]);
                    body.set(list, items.collect());
                }
                None => body.set(name, value.as_str().into()),
            }
        }
        body
    }
}

/// The rules that were broken while a request was described, in that order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broken(Vec<InvalidRequest>);

impl Broken {
    /// The value as the type that the request keeps. It takes the place of an earlier one of the same field, and of what was
    /// wrong with that.
    pub(crate) fn take<T, V>(&mut self, field: &'static str, value: V) -> Option<T>
    where
        V: TryInto<T>,
        V::Error: Into<InvalidRequest>,
    {
        self.forget(field);
        match value.try_into() {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.push(error.into().of(field));
                None
            }
        }
    }

    /// Nothing is wrong with this field any more: it has another value.
    pub(crate) fn forget(&mut self, field: &str) {
        self.0.retain(|error| error.field() != field);
    }

    pub(crate) fn check(&mut self, is_kept: bool, field: &'static str, rule: impl FnOnce() -> String) {
        if !is_kept {
            self.0.push(InvalidRequest::new(field, rule()));
        }
    }

    pub(crate) fn into_result(self) -> Result<(), InvalidRequest> {
        self.0.into_iter().next().map_or(Ok(()), Err)
    }
}

/// `start_date` and `end_date`, in order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Period {
    start: Option<SpaceTime>,
    end: Option<SpaceTime>,
}

impl Period {
    pub(crate) fn between<S, E>(start: S, end: E, broken: &mut Broken) -> Self
    where
        S: TryInto<SpaceTime>,
        S::Error: Into<InvalidRequest>,
        E: TryInto<SpaceTime>,
        E::Error: Into<InvalidRequest>,
    {
        let period = Self { start: broken.take("start_date", start), end: broken.take("end_date", end) };
        if let (Some(start), Some(end)) = (period.start, period.end) {
            broken.check(start < end, "end_date", || "expected a time after start_date".to_owned());
        }
        period
    }

    /// The whole day.
    pub(crate) fn on<D>(day: D, broken: &mut Broken) -> Self
    where
        D: TryInto<SpaceDate>,
        D::Error: Into<InvalidRequest>,
    {
        let day = broken.take("start_date", day);
        Self { start: day.map(SpaceDate::start), end: day.map(SpaceDate::end) }
    }

    pub(crate) fn add_to(self, query: &mut Query) {
        for (name, time) in [("start_date", self.start), ("end_date", self.end)] {
            if let Some(time) = time {
                query.add(name, time);
            }
        }
    }
}

/// Adds `per_page`, which is 1 to `most`.
pub(crate) fn per_page(asked: Option<u32>, most: u32, query: &mut Query, broken: &mut Broken) {
    if let Some(rows) = asked {
        broken.check((1..=most).contains(&rows), "per_page", || format!("expected 1 to {most}, found {rows}"));
        query.add("per_page", rows);
    }
}

/// Adds a list of 1 to `most` different names, if it was given.
pub(crate) fn names<T: ToString + PartialEq>(
    (name, field): (&'static str, &'static str),
    given: Option<&[T]>,
    most: usize,
    query: &mut Query,
    broken: &mut Broken,
) {
    let Some(given) = given else { return };
    broken.check((1..=most).contains(&given.len()), field, || {
        format!("expected 1 to {most} different names, found {}", given.len())
    });
    let is_twice = |index: usize, item: &T| given.iter().take(index).any(|other| other == item);
    let twice = given.iter().enumerate().find(|(index, item)| is_twice(*index, item));
    broken.check(twice.is_none(), field, || "expected different names, found one twice".to_owned());
    for item in given {
        query.add(name, item.to_string());
    }
}
