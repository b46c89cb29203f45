//! The walk through the error JSON, which picks out its texts.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How deep in lists and objects a field error is looked for; all that is known stand in the second.
pub(super) const MAX_DEPTH: u8 = 8;
/// What `serde_json` names a number, if another crate of the program has turned on its `arbitrary_precision`.
const NUMBER: &str = "$serde_json::private::Number";

/// The message, if there is one; what stands under `errors` goes to the sink.
pub(super) fn read_parts<'a>(
    body: &'a str,
    errors: Option<Sink<'_, 'a>>,
) -> Result<Option<Cow<'a, str>>, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(body);
    let message = json.deserialize_map(Object { errors })?;
    json.end().map(|()| message)
}

/// A piece of what stands under `errors`.
pub(super) enum Part<'a> {
    /// Whose texts follow; empty if they are no field's any more.
    Field(Cow<'a, str>),
    Text(Cow<'a, str>),
}

pub(super) type Sink<'s, 'a> = &'s mut dyn FnMut(Part<'a>);

/// The object itself, of which two fields count.
struct Object<'s, 'a> {
    errors: Option<Sink<'s, 'a>>,
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut message = None;
        while let Some(name) = next_key(&mut map)? {
            match (&*name, &mut self.errors) {
                ("message", _) => {
                    map.next_value_seed(Texts::one(&mut |(Part::Field(text) | Part::Text(text))| {
                        message = Some(text);
                    }))?;
                }
                ("errors", Some(sink)) => {
                    map.next_value_seed(Texts { sink: &mut **sink, is_named: false, levels: MAX_DEPTH })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(message)
    }
}

/// Feeds the texts of a JSON value to a sink, with the names that they stand under; all else is passed over.
struct Texts<'s, 'a> {
    sink: Sink<'s, 'a>,
    /// Whether a name was given already; those further in do not count.
    is_named: bool,
    /// How many levels of lists and objects are looked into.
    levels: u8,
}

impl<'s, 'a> Texts<'s, 'a> {
    /// Only the value itself, if it is a string.
    fn one(sink: Sink<'s, 'a>) -> Self {
        Self { sink, is_named: true, levels: 0 }
    }
}

impl<'de> DeserializeSeed<'de> for Texts<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Texts<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        (self.sink)(Part::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        (self.sink)(Part::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { sink, is_named, levels } = self;
        let Some(levels) = levels.checked_sub(1) else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while seq.next_element_seed(Texts { sink: &mut *sink, is_named, levels })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { sink, is_named, levels } = self;
        let Some(levels) = levels.checked_sub(1) else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while let Some(name) = next_key(&mut map)? {
            if name == NUMBER {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if !is_named {
                sink(Part::Field(name));
            }
            map.next_value_seed(Texts { sink: &mut *sink, is_named: true, levels })?;
        }
        if !is_named {
            sink(Part::Field(Cow::default()));
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

fn next_key<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    let mut key = None;
    map.next_key_seed(Texts::one(&mut |(Part::Field(text) | Part::Text(text))| key = Some(text)))?;
    Ok(key)
}
